import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipeline import crown, promote
from pipeline.tracking import dvc_experiment, refill, registry, runs, store
from tests.pipeline.tracking import last_version
from tests.pipeline.tracking import project as made_up

NAME = "inkwell-mnist-sample"


def promote_and_crown() -> None:
    promote.main([])
    crown.main([])


def run_all() -> None:
    for network in made_up.NETWORKS:
        runs.publish_evaluation(network)
        runs.publish_audit(network)
    promote_and_crown()


def summary() -> dict[str, object]:
    """What the store holds, without the names and moments that chance and the clock give."""
    client = store.open_store()
    experiments = [one.experiment_id for one in client.search_experiments()]
    found = client.search_runs(experiments)
    chance = ("owner.", "mlflow.log-model", "filled_from", "mlflow.note")
    return {
        "runs": sorted(run.info.run_name for run in found),
        "statuses": {run.info.status for run in found},
        "tags": sorted(
            (run.info.run_name, key, value)
            for run in found
            for key, value in run.data.tags.items()
            if not key.startswith(chance)
        ),
        "points": sorted(
            (run.info.run_name, name, point.step, point.value)
            for run in found
            for name in run.data.metrics
            for point in client.get_metric_history(run.info.run_id, name)
        ),
        "params": sorted((run.info.run_name, *param) for run in found for param in run.data.params.items()),
        "files": sorted(
            file.path
            for run in found
            for part in ("training", "evaluation", "validation", "verdicts", "audit")
            for file in client.list_artifacts(run.info.run_id, part)
        ),
        "models": len(client.search_logged_models(experiments)),
        "versions": sorted(
            (one.version, one.tags["network"], one.tags["model_sha256"], one.tags["gates"])
            for one in client.search_model_versions()
        ),
        "aliases": client.get_registered_model(NAME).aliases,
    }


def test_every_candidate_has_a_version_and_the_best_is_champion(project: Path) -> None:
    run_all()
    client = store.open_store()
    champion = client.get_model_version_by_alias(NAME, "champion")
    assert champion.tags["network"] == "convnet"
    assert champion.tags["run_key"] == json.loads(Path("models/trained/convnet/run.json").read_text())["run_key"]
    assert champion.tags["gates"] == "passed"
    assert champion.tags["champion_why"] == json.loads(registry.REPORT.read_text())["why"]
    assert client.get_run(str(champion.run_id)).data.tags["run_key"] == champion.tags["run_key"]
    assert client.get_model_version_by_alias(NAME, "challenger").tags["network"] == "perceptron"


def test_a_second_run_duplicates_nothing(project: Path) -> None:
    def reigns() -> dict[str, str]:
        return store.open_store().get_registered_model(NAME).tags

    run_all()
    before, reigns_before = summary(), reigns()
    run_all()
    assert summary() == before
    assert reigns() == reigns_before


def test_who_was_champion_when_and_why_is_kept(project: Path) -> None:
    run_all()
    made_up.train(project, "perceptron", gain=0.3)
    made_up.evaluate(project, "perceptron", 0)
    made_up.audit(project, "perceptron")
    run_all()
    client = store.open_store()
    first, _, third = sorted(client.search_model_versions(f"name = '{NAME}'"), key=lambda one: int(one.version))
    assert client.get_model_version_by_alias(NAME, "champion").version == third.version
    old, new = [client.get_model_version(NAME, version).tags for version in ("2", third.version)]
    assert first.tags["network"] == "perceptron"
    assert old["network"] == "convnet"
    assert old["champion_until"] == new["champion_since"]
    assert "champion_until" not in new
    description = client.get_registered_model(NAME).description
    first_line = f"Champion: perceptron (version 3) since {new['champion_since']}. {new['champion_why']}"
    assert description.splitlines()[0] == first_line
    assert description.splitlines()[-1] == f"- convnet (version 2) since {old['champion_since']}. {old['champion_why']}"
    told = [json.loads(line) for line in Path("promotions.jsonl").read_text().splitlines()]
    assert [(one["model"], one["version"], one["before"], one["network"]) for one in told] == [
        (NAME, "2", None, "convnet"),
        (NAME, "3", "2", "perceptron"),
    ]
    assert told[1]["why"] == new["champion_why"]


@pytest.mark.slow
def test_a_lost_store_is_filled_again_once(
    project: Path, mlflow_store: Path, empty_database: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_all()
    before = summary()
    told = Path("promotions.jsonl").read_text()
    mlflow_store.write_bytes(empty_database.read_bytes())
    refill.main([])
    assert summary() == before
    assert Path("promotions.jsonl").read_text() == told, "nobody was promoted"
    said = capsys.readouterr().out
    parts = "run, curve, training files, model, version 1 of inkwell-mnist-sample, evaluation metrics"
    assert f"perceptron: {parts}" in " ".join(said.split())
    refill.main([])
    assert summary() == before
    assert capsys.readouterr().out.count("nothing was missing") == len(made_up.NETWORKS) + 1


@pytest.mark.slow
def test_a_champion_of_an_earlier_training_is_filled_in_too(
    project: Path, mlflow_store: Path, empty_database: Path
) -> None:
    run_all()
    sha256 = json.loads(registry.REPORT.read_text())["champion"]["model_sha256"]
    made_up.train(project, "convnet", gain=0.3)
    made_up.evaluate(project, "convnet", 50)
    made_up.audit(project, "convnet")
    run_all()
    mlflow_store.write_bytes(empty_database.read_bytes())
    refill.main([])
    champion = store.open_store().get_model_version_by_alias(NAME, "champion")
    assert champion.tags["model_sha256"] == sha256


def test_what_is_not_there_yet_is_not_asked_for(project: Path) -> None:
    for folder in project.glob("reports/*"):
        shutil.rmtree(folder)
    refill.main([])
    client = store.open_store()
    names = {run.data.tags["network"] for run in client.search_runs([store.experiment(client, "mnist-sample")])}
    assert names == set(made_up.NETWORKS)
    assert len(client.search_model_versions(f"name = '{NAME}'")) == len(made_up.NETWORKS)
    assert client.get_registered_model(NAME).aliases == {}


def test_the_champion_alone_is_filled_in_where_nothing_else_was_pulled(
    project: Path, mlflow_store: Path, empty_database: Path
) -> None:
    promote_and_crown()
    for folder in ("models/trained", "models/candidates", "reports/validation", "reports/audit"):
        shutil.rmtree(project / folder)
    mlflow_store.write_bytes(empty_database.read_bytes())
    client = store.open_store()
    refill.main([])
    [champion] = client.search_model_versions(f"name = '{NAME}'")
    assert client.get_registered_model(NAME).aliases == {"champion": champion.version}
    told = json.loads(Path("models/best/export.json").read_text())
    assert champion.tags["export_key"] == told["export_key"]
    assert (champion.tags["network"], champion.tags["gates"]) == ("convnet", "passed")


def test_without_even_a_champion_nothing_is_filled_in_and_nothing_fails(
    project: Path, mlflow_store: Path, empty_database: Path
) -> None:
    promote_and_crown()
    for folder in ("models", "reports/validation", "reports/audit"):
        shutil.rmtree(project / folder)
    mlflow_store.write_bytes(empty_database.read_bytes())
    refill.main([])
    assert store.open_store().get_registered_model(NAME).aliases == {}


@pytest.mark.slow
def test_an_experiment_registers_and_is_crowned_only_where_it_is_kept(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_all()
    before = store.open_store().get_registered_model(NAME)
    made_up.train(project, "perceptron", gain=0.3)
    made_up.evaluate(project, "perceptron", 0)
    made_up.audit(project, "perceptron")
    (project / ".dvc/tmp").mkdir(parents=True)
    with monkeypatch.context() as inside:
        for name, value in (("NAME", "slack-toea"), ("BASELINE", "0" * 40), ("ROOT", str(project))):
            inside.setenv(getattr(dvc_experiment, name), value)
        run_all()
    refill.main([])
    client = store.open_store()
    after = client.get_registered_model(NAME)
    assert (after.aliases, after.tags) == (before.aliases, before.tags)
    made = max(client.search_model_versions(f"name = '{NAME}'"), key=lambda one: int(one.version))
    assert made.tags["dvc_exp_name"] == registry.left_by() == "slack-toea"

    crown.main([])
    assert client.get_model_version_by_alias(NAME, "champion").version == made.version
    assert registry.left_by() is None


def test_since_when_can_be_told(project: Path) -> None:
    promote_and_crown()
    client = store.open_store()
    client.delete_registered_model(NAME)
    registry.publish_promotion(since=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
    assert "since 2026-01-02 03:04:05 UTC" in client.get_registered_model(NAME).description


@pytest.fixture
def updated(project: Path, mlflow_store: Path, empty_database: Path) -> Path:
    """The project with models/best and a store of the last version, and candidates of this one."""
    promote_and_crown()
    best = project / "models/best"
    last_version.take_back(best)
    mlflow_store.write_bytes(empty_database.read_bytes())
    last_version.fill_store(best)
    made_up.train(project, "convnet", gain=0.3)
    made_up.audit(project, "convnet")
    return project


@pytest.mark.slow
@pytest.mark.parametrize(("errors", "stays"), [(30, True), (0, False)])
def test_a_store_of_the_last_version_is_gone_on_with(updated: Path, errors: int, stays: bool) -> None:
    client = store.open_store()
    [old] = client.search_model_versions(f"name = '{NAME}'")
    made_up.evaluate(updated, "convnet", errors, first=100)
    run_all()
    champion = client.get_model_version_by_alias(NAME, "champion")
    assert (champion.version == old.version) is stays
    reigns = {key for key in client.get_registered_model(NAME).tags if key.startswith("champion")}
    assert len(reigns) == (1 if stays else 2)
    assert ("champion_until" in client.get_model_version(NAME, old.version).tags) is not stays
    assert client.get_run(str(old.run_id)).data.metrics == {"recipe/error": 0.004}
    assert len(client.search_model_versions(f"name = '{NAME}'")) == 1 + len(made_up.NETWORKS)
    before = summary()
    refill.main([])
    assert summary() == before


@pytest.mark.slow
def test_a_champion_of_the_last_version_is_filled_into_a_new_store(
    updated: Path, mlflow_store: Path, empty_database: Path
) -> None:
    mlflow_store.write_bytes(empty_database.read_bytes())
    refill.main([])
    champion = store.open_store().get_model_version_by_alias(NAME, "champion")
    assert (champion.tags["network"], champion.tags["run_key"]) == (last_version.NETWORK, last_version.RUN_KEY)
