"""What is freed was shown, and what a champion, a lock or an experiment needs is still there."""

import os
import re
import subprocess
import time
from pathlib import Path
from types import ModuleType

import pytest
import yaml
from dvc.repo import Repo
from mlflow.entities import ViewType

from pipeline import checkout, gc, params, promote, rollback, sweep
from pipeline.crown import main as tell_mlflow
from pipeline.paths import CANDIDATES
from pipeline.tracking import registry, runkey, runs, store, superseded
from tests.pipeline.test_rollback import PACKAGE, PROMOTE
from tests.pipeline.tracking import project as made_up
from tests.pipeline.workspace import dvc_repo


def git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], check=True, capture_output=True, text=True).stdout.strip()


def train(project: Path, epochs: int, errors: int) -> str:
    """Train a network by other parameters, and let DVC keep it. Returns the run key."""
    params = project / "params.yaml"
    params.write_text(re.sub(r"(?m)^(  convnet:(?:\n    .*)*?\n    epochs:) \d+", rf"\1 {epochs}", params.read_text()))
    made_up.train(project, "convnet", gain=0.2 + epochs / 100)
    made_up.evaluate(project, "convnet", errors)
    made_up.audit(project, "convnet")
    return str(runkey.read_json(CANDIDATES / "convnet/run.json")["run_key"])


def crown() -> None:
    """What the end of a run does."""
    promote.main([])
    tell_mlflow([])
    Repo().commit(force=True)


def commit() -> str:
    git("add", "--all")
    git("commit", "--quiet", "--message", "A run")
    return git("rev-parse", "HEAD")


@pytest.fixture
def used(project: Path) -> dict[str, str]:
    """A project with a history: run keys and commits by what became of them."""
    git("init", "--quiet", "--initial-branch=main")
    git("config", "user.email", "nobody@example.com")
    git("config", "user.name", "Nobody")
    dvc_repo(project)
    (project / ".gitignore").write_text(
        "/mlflow.db*\n/mlflow.champion\n/mlartifacts/\n/.resume/\n/dist\n/models/trained/mlp\n"
    )
    graph = yaml.safe_load(made_up.DVC)
    del graph["stages"]["preprocess"]
    graph["stages"] |= {"promote": PROMOTE, "package": PACKAGE}
    (project / "dvc.yaml").write_text(yaml.safe_dump(graph, sort_keys=False))
    (project / "dist").mkdir()
    (project / "dist/bento").write_text("a Bento")
    client, found = store.open_store(), {}

    found["first"] = train(project, 10, 4)
    crown()
    found["tagged"] = commit()
    git("tag", "kept")
    found["of an experiment"] = train(project, 11, 50)
    run = runs.publish_model(client, CANDIDATES / "convnet")[0].run
    client.set_tag(run.info.run_id, "dvc_exp_name", "exp-kept")
    Repo().commit(force=True)
    found["experiment"] = commit()
    git("update-ref", f"refs/exps/{found['tagged'][:2]}/{found['tagged'][2:]}/exp-kept", "HEAD")
    git("reset", "--quiet", "--hard", "kept")
    for name, errors in (("superseded", 50), ("second", 2)):
        found[name] = train(project, 12 + errors, errors)
        crown()
    found["deleted"] = train(project, 13, 60)
    run = runs.publish_model(client, CANDIDATES / "convnet")[0].run
    client.delete_run(run.info.run_id)
    found["third"] = train(project, 15, 0)
    crown()
    mlp = project / "models/trained/mlp"
    made_up.write(mlp / "weights.safetensors", "of a network that is no candidate any more")
    lock = yaml.safe_load((project / "dvc.lock").read_text())
    lock["stages"]["train@mlp"] = {"cmd": "true", "outs": [{"path": "models/trained/mlp", "md5": "0" * 32 + ".dir"}]}
    (project / "dvc.lock").write_text(yaml.safe_dump(lock))
    found["head"] = commit()
    return found


def everything() -> dict[str, int]:
    """Every file of the project, but for git's and DVC's own notes, and its size."""
    notes = Path.cwd() / checkout.TMP
    files = (
        path for path in Path.cwd().rglob("*") if path.is_file() and not {notes, Path.cwd() / ".git"} & {*path.parents}
    )
    return {str(path.relative_to(Path.cwd())): path.stat().st_size for path in files if "mlflow.db" not in path.name}


@pytest.mark.slow
def test_what_is_freed_was_shown_and_what_is_needed_stays(
    used: dict[str, str],
    project: Path,
    capsys: pytest.CaptureFixture[str],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    text = (project / "params.yaml").read_text()
    made_up.write(project / "params.yaml", text.replace("  network: mlp", "  network: convnet"))
    going_on = {runkey.inputs("train@convnet").key, sweep.name(sweep.key_of(params.load("sweep")))}
    old = ("0123456789abcdef", "champion", *going_on)
    for name, seconds in {**dict.fromkeys(old, 7200), "fedcba9876543210": 60}.items():
        made_up.write(project / ".resume" / name / "last.ckpt", "a checkpoint")
        for path in (project / ".resume" / name / "last.ckpt", project / ".resume" / name):
            os.utime(path, (time.time() - seconds,) * 2)
    (project / "models/trained/notes").mkdir()
    (project / "models/trained/notes/mine.txt").write_text("nobody's business")
    before = everything()

    shown = [str(path.resolve().relative_to(Path.cwd())) for waste in gc.plan(Repo())[0] for path in waste.paths]
    capsys.readouterr()
    gc.main([])
    said = " ".join(capsys.readouterr().out.split())
    for name in ("DVC's cache", ".resume/0123456789abcdef", "models/trained/mlp", "MLflow: convnet-"):
        assert name in said
    assert "`make gc FREE=yes`" in said
    assert everything() == before

    gc.main(["--free"])
    after = everything()
    gone = before.keys() - after.keys()
    assert after.keys() <= before.keys()
    assert {name for name in gone if not any(Path(name).is_relative_to(path) for path in shown)} == set()
    assert {path for path in shown if (project / path).exists()} == set()
    assert {name for name in gone if name.startswith((".resume", "models"))} == {
        ".resume/0123456789abcdef/last.ckpt",
        "models/trained/mlp/weights.safetensors",
    }
    freed = re.search(r"([\d.,]+) MB were freed", " ".join(capsys.readouterr().out.split()))
    assert freed
    assert float(freed[1]) == pytest.approx(sum(before[name] for name in gone) / 1e6, abs=0.051)

    client = store.open_store()
    found = client.search_runs([store.experiment(client, made_up.SOURCE)], run_view_type=ViewType.ALL)
    have = {run.data.tags["run_key"]: bool(client.list_artifacts(run.info.run_id)) for run in found}
    for name in ("first", "second", "third"):
        assert have[used[name]], name
    for name in ("superseded", "deleted"):
        assert not have[used[name]], name
    kept = {version.tags["run_key"] for version in client.search_model_versions()}
    assert kept >= {used[name] for name in ("first", "second", "third", "of an experiment")}
    assert not kept & {used[name] for name in ("superseded", "deleted")}

    for reign in registry.reigns(client, made_up.SOURCE):
        place = project / "brought" / reign.tags["run_key"]
        place.parent.mkdir(exist_ok=True)
        assert rollback.bring(reign.tags["model_sha256"][:12], made_up.SOURCE, place) == "DVC's cache"
        assert client.list_artifacts(str(reign.run_id), registry.kept_at(reign.tags["model_sha256"]))
    gc.main([])
    assert "Nothing is here that nothing needs" in " ".join(capsys.readouterr().out.split())

    elsewhere = str(tmp_path_factory.mktemp("shared"))
    found_there, left = gc.plan(Repo(config={"cache": {"dir": elsewhere}}))
    assert found_there == []
    assert len(left) == 1
    assert "lies outside of this project" in left[0]

    for name in ("tagged", "experiment", "head"):
        git("checkout", "--quiet", "--force", used[name])
        Repo().checkout(force=True)
        weights = Path("models/trained/convnet/run.json")
        key = {"tagged": "first", "experiment": "of an experiment", "head": "third"}[name]
        assert runkey.read_json(weights)["run_key"] == used[key]


@pytest.mark.parametrize("command", [gc, rollback])
def test_a_run_is_waited_for(command: ModuleType, project: Path) -> None:
    said = f"process {os.getpid()} runs the pipeline in this checkout: wait for it, or stop it"
    with checkout.held(), pytest.raises(SystemExit, match=said):
        command.main([])


@pytest.mark.parametrize("uri", ["http://127.0.0.1:9", "postgresql://nobody@127.0.0.1/none", "sqlite:////elsewhere.db"])
def test_a_store_that_is_no_file_of_the_project_is_left(monkeypatch: pytest.MonkeyPatch, uri: str) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    assert not superseded.is_own()
