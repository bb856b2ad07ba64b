"""What a user of the README types first: `make run`, in a fresh clone."""

import json
from typing import Any

import httpx
import pytest
import yaml

from pipeline import serve
from tests.walks.conftest import Ran
from tests.walks.walk import ROOT, Walk

pytestmark = pytest.mark.slow
COUNTS = """
import json
from pipeline.tracking.store import open_store

client = open_store()
runs = client.search_runs([one.experiment_id for one in client.search_experiments()])
print(json.dumps({
    "runs": sorted((run.data.tags["network"], run.info.status) for run in runs),
    "versions": len(client.search_model_versions("name='inkwell-mnist-sample'")),
    "champion": client.get_model_version_by_alias("inkwell-mnist-sample", "champion").tags["network"],
}))
"""


def read(walk: Walk, path: str) -> Any:
    return yaml.safe_load((walk.folder / path).read_text())


def counts(walk: Walk) -> dict[str, Any]:
    """What the MLflow store holds, as a separate process sees it."""
    (walk.folder.parent / "counts.py").write_text(COUNTS)
    return dict(json.loads(walk.type("PYTHONPATH=. .venv/bin/python ../counts.py").splitlines()[-1]))


def champion(walk: Walk) -> str:
    return str(read(walk, "reports/promotion.json")["champion"]["network"])


def test_every_stage_leaves_what_it_promises(ran: Ran) -> None:
    candidates = read(ran.walk, "params.yaml")["candidates"]
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    names = {f"{name}@{one}" if "matrix" in stage else name for name, stage in stages.items() for one in candidates}
    lock = read(ran.walk, "dvc.lock")["stages"]
    assert lock.keys() >= names
    outs = [ran.walk.folder / out["path"] for name in names for out in lock[name].get("outs", [])]
    assert all(out.exists() for out in outs), "and not only in the lock that the clone came with"
    assert all((ran.walk.folder / f"reports/audit/{one}/index.html").exists() for one in candidates)
    best = (ran.walk.folder / "models/best/model.onnx").read_bytes()
    assert best == (ran.walk.folder / f"models/candidates/{champion(ran.walk)}/model.onnx").read_bytes()


def test_it_ends_with_the_results_and_says_what_it_changed(ran: Ran) -> None:
    said = " ".join(ran.said.split())
    assert f"mnist-sample: champion {champion(ran.walk)}" in said
    assert "make serve" in said
    assert "git restore params.yaml dvc.lock reports" in said


def test_a_second_run_changes_nothing_here_or_in_mlflow(ran: Ran) -> None:
    candidates = read(ran.walk, "params.yaml")["candidates"]
    lock, before = read(ran.walk, "dvc.lock"), counts(ran.walk)
    assert before == {
        "runs": [[one, "FINISHED"] for one in sorted(candidates)],
        "versions": len(candidates),
        "champion": champion(ran.walk),
    }
    said = ran.walk.type("make run")
    assert "Running stage" not in said
    assert "Nothing has changed" in said
    assert read(ran.walk, "dvc.lock") == lock
    assert counts(ran.walk) == before


def test_the_bento_is_served_and_answers(ran: Ran) -> None:
    with serve.running(ran.walk.folder / "dist/bento") as url:
        answer = httpx.post(f"{url}/predict_pixels", json={"pixels": [[0] * 28] * 28, "scale": "0-255"}).json()
        served = httpx.get(f"{url}/model").json()
    assert (answer["abstained"], answer["reason"], answer["digit"]) == (True, "blank", None)
    assert served["name"] == champion(ran.walk)
