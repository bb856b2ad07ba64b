"""`dvc exp run` in every form: the main project's MLflow store has its runs, and no experiment is crowned."""

import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from pipeline.tracking import dvc_experiment, refill, store
from tests import commands
from tests.pipeline.tracking.experiments import NETWORK, WIDTH, Project, Store

pytestmark = pytest.mark.slow


class Seen(NamedTuple):
    """The project after its experiments, and what MLflow's store held at each moment."""

    project: Project
    queued: set[str]
    at: dict[str, Store]
    promoted: dict[str, str]
    """by moment, the hash of the model that the workspace's reports/promotion.json calls champion"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, empty_database: Path) -> Iterator[Project]:
    project = Project(tmp_path_factory.mktemp("experiments"), empty_database)
    yield project
    commands.end(project.folder)


@pytest.fixture(scope="module")
def seen(project: Project) -> Seen:
    """An experiment in the workspace, one with --temp and two in the queue; then they are applied and branched."""
    seen = Seen(project, set(), {}, {})
    run = project.run

    def look(moment: str) -> None:
        seen.at[moment] = project.store()
        report = json.loads((project.folder / "reports/promotion.json").read_text())
        seen.promoted[moment] = report["champion"]["model_sha256"]

    def width(number: int) -> str:
        return f"networks.{NETWORK}.width={number}"

    look("before")
    run("dvc", "exp", "run", "--name", "shown", "--set-param", width(WIDTH + 1))
    look("shown")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(project.folder)
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{project.folder}/mlflow.db")
        refill.main([])
    look("refilled")
    run("git", "restore", ".")
    run("dvc", "checkout")
    run("dvc", "exp", "run", "--temp", "--name", "apart", "--set-param", width(WIDTH + 2))
    run("dvc", "exp", "run", "--queue", "--set-param", f"{width(WIDTH + 3)},{WIDTH + 4}")
    run("dvc", "queue", "start", "--jobs", "2")
    deadline = time.monotonic() + 600
    while len(project.experiments()) < 4:
        assert time.monotonic() < deadline, run("dvc", "queue", "status")
        time.sleep(0.5)
    run("dvc", "queue", "stop")
    seen.queued.update(project.experiments() - {"shown", "apart"})
    look("run")

    run("dvc", "exp", "apply", "apart")
    run("dvc", "repro")
    look("applied")
    run("git", "restore", ".")
    run("dvc", "exp", "branch", "shown", "better")
    for branch in ("better", "main"):
        run("git", "checkout", "--quiet", branch)
        run("dvc", "checkout")
        run("dvc", "repro")
        look(branch)
    return seen


def test_every_form_of_experiment_is_in_the_projects_store_by_its_name(seen: Seen) -> None:
    trained = [run for run in seen.at["run"].runs if run.data.tags["stage"] == "train"]
    names = {"shown", "apart", *seen.queued}
    assert len(seen.queued) == 2
    assert {run.data.tags.get("dvc_exp_name") for run in trained} == {None, *names}
    assert {version.tags.get("dvc_exp_name") for version in seen.at["run"].versions} == {None, *names}
    assert {run.info.status for run in trained} == {"FINISHED"}
    baseline = seen.project.run("git", "rev-parse", "main").strip()
    assert {run.data.tags.get("dvc_exp_baseline") for run in trained} == {None, baseline}


def test_files_of_an_experiment_outlive_its_workspace(seen: Seen) -> None:
    for run in seen.at["run"].runs:
        if run.data.tags["stage"] == "train":
            folder = Path(run.info.artifact_uri.removeprefix("file://"))
            assert folder.is_relative_to(seen.project.folder / "mlartifacts")
            assert (folder / "training/weights.safetensors").exists()
            assert (folder / f"validation/{NETWORK}.parquet").exists()
    logged = {file.parents[1].name for file in (seen.project.folder / "mlartifacts").rglob("MLmodel")}
    assert logged == {str(version.source).removeprefix("models:/") for version in seen.at["run"].versions}


def test_the_experiments_of_a_baseline_stand_under_one_run(seen: Seen) -> None:
    [parent] = [run for run in seen.at["run"].runs if run.data.tags["stage"] == dvc_experiment.STAGE]
    above = {run.data.tags.get("dvc_exp_name"): run.data.tags.get("mlflow.parentRunId") for run in seen.at["run"].runs}
    assert above == {None: None} | dict.fromkeys(("shown", "apart", *seen.queued), parent.info.run_id)
    assert parent.info.status == "FINISHED"


def test_no_experiment_is_crowned_whatever_its_own_promotion_says(seen: Seen) -> None:
    assert seen.promoted["shown"] != seen.promoted["before"]
    for moment in ("shown", "refilled", "run"):
        assert seen.at[moment].champion == seen.promoted["before"]
        assert seen.at[moment].reigns == seen.at["before"].reigns


@pytest.mark.parametrize("moment", ["applied", "better", "main"])
def test_a_revision_that_is_checked_out_has_its_champion_in_mlflow_once_dvc_repro_ran(seen: Seen, moment: str) -> None:
    assert seen.at[moment].champion == seen.promoted[moment]
    assert (seen.promoted[moment] == seen.promoted["before"]) is (moment == "main")


def test_each_reign_is_written_down_once(seen: Seen) -> None:
    """The first, the one that was applied, the one that was branched, and the first again."""
    assert [reign.split()[0] for reign in seen.at["main"].reigns] == [NETWORK] * 4
    assert seen.at["main"].reigns[-1].partition(" since ")[0] == seen.at["before"].reigns[0].partition(" since ")[0]


def test_an_experiment_that_was_pushed_and_pulled_can_be_filled_in_elsewhere(
    seen: Seen, tmp_path: Path, empty_database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = seen.project.run
    run("git", "init", "--quiet", "--bare", str(tmp_path / "remote.git"))
    run("git", "remote", "add", "origin", str(tmp_path / "remote.git"))
    run("git", "push", "--quiet", "origin", "main")
    run("dvc", "remote", "add", "--local", "--default", "store", str(tmp_path / "store"))
    run("dvc", "exp", "push", "origin", "shown")
    clone = tmp_path / "clone"
    run("git", "clone", "--quiet", "--branch", "main", str(tmp_path / "remote.git"), str(clone))
    run("dvc", "--cd", str(clone), "remote", "add", "--local", "--default", "store", str(tmp_path / "store"))
    run("dvc", "--cd", str(clone), "exp", "pull", "origin", "shown")
    run("dvc", "--cd", str(clone), "exp", "apply", "shown")
    monkeypatch.chdir(clone)
    shutil.copyfile(empty_database, clone / "mlflow.db")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{clone}/mlflow.db")
    refill.main([])
    client = store.open_store()
    [version] = client.search_model_versions()
    assert version.tags["model_sha256"] == seen.promoted["better"], "the branch that was made of it"
