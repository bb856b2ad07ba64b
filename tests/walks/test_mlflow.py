"""What a user of MLflow types: docs/mlflow.md, in a fresh clone."""

import re
from pathlib import Path

import httpx
import numpy as np
import pytest

from tests.walks.conftest import Ran
from tests.walks.walk import blocks, elsewhere, free_port

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
RUN, UI, COMPARE, SERVE, REFILL = blocks("docs/mlflow.md")
[PYTHON] = blocks("docs/mlflow.md", "python")
NETWORKS = ["convnet", "mlp", "perceptron"]


def listed(said: str) -> list[str]:
    """The names of the runs in what `mlflow runs list` shows."""
    return sorted(re.findall(r" ((?:convnet|mlp|perceptron)-[0-9a-f]{8}) ", said))


def test_run_look_compare_ask_and_refill(ran: Ran, tmp_path: Path) -> None:
    walk = ran.walk.copied(tmp_path / "inkwell")
    names = listed(walk.type(RUN))
    assert [name.partition("-")[0] for name in names] == NETWORKS

    port = free_port()
    with walk.serving(UI, port, "/health", PORT=str(port)) as url:
        found = httpx.post(f"{url}/ajax-api/2.0/mlflow/runs/search", json={"experiment_ids": ["1"]}).json()["runs"]
        assert sorted(run["info"]["run_name"] for run in found) == names
        assert "<title>MLflow</title>" in httpx.get(url).text

    said = walk.type(COMPARE)
    assert "exact McNemar" in said
    assert "<svg" in (page := (walk.folder / "comparison.html").read_text()) or "data:image/png" in page

    (walk.folder.parent / "ask.py").write_text(PYTHON)
    assert re.search(r"True +blank", walk.type("python ../ask.py"))
    port = free_port()
    digits = np.fromfile(walk.folder / "serving/page/samples/ten.bin", np.uint8).reshape(-1, 28, 28)
    with walk.serving(elsewhere(SERVE, port), port, "/ping") as url:
        answer = httpx.post(f"{url}/invocations", json={"inputs": digits.tolist()}, timeout=60).json()
        assert [one["digit"] for one in answer["predictions"]] == list(range(10))

    assert listed(walk.type(REFILL)) == names
    assert re.search(r"True +blank", walk.type("python ../ask.py"))
