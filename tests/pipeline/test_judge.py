"""The stage judge: from answers to verdicts and the report, without asking anybody, and why it refuses."""

import json
import shutil
import sys
from contextlib import chdir
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
import yaml

from pipeline import audit, judge, params
from pipeline.audits.gates import GATES
from pipeline.data import save
from pipeline.tracking import store as tracking
from tests import toy_model
from tests.pipeline.workspace import contents, output

IMAGES = 60
VERDICTS = Path("reports/verdicts/convnet.json")
REPORT = Path("reports/audit/convnet")

JUDGE = """
import sys
from pipeline import judge

write = judge.write

def told(*given):
    print("loaded:", " ".join(name for name in ("torch", "mlflow") if name in sys.modules) or "neither", flush=True)
    write(*given)

judge.write = told
judge.main(["convnet"])
"""

pytestmark = pytest.mark.slow


def digits(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Images that the toy recognises, of any brightness, and their labels; the first is of another digit."""
    labels = (np.arange(count) % 10).astype(np.uint8)
    images = np.stack([toy_model.image(int(label), int(rng.integers(150, 256))) for label in labels])
    images[0] = toy_model.image(5)
    return images, labels


def samples_of(labels: np.ndarray, split: str, rng: np.random.Generator) -> pd.DataFrame:
    styles = {name: rng.normal(2, 0.3, len(labels)) for name in ("thickness", "slant", "ink", "width", "height")}
    rows = np.arange(len(labels))
    return pd.DataFrame({"split": split, "row": rows, "source_row": rows, "label": labels, "components": 1, **styles})


def ask() -> None:
    """Ask the toy about made-up digits, in a project in this folder."""
    rng = np.random.default_rng(0)
    tables = []
    for split in ("train", "val", "test"):
        images, labels = digits(rng, IMAGES)
        np.save(f"data/processed/{split}/images.npy", images)
        np.save(f"data/processed/{split}/labels.npy", labels)
        tables.append(samples_of(labels, split, rng))
    table = pd.concat(tables, ignore_index=True).reindex(columns=list(save.COLUMNS))
    table["source_row"] = np.arange(len(table))
    table.to_parquet("data/processed/samples.parquet")
    Path("reports/out_of_fold").mkdir(parents=True)
    pd.DataFrame(columns=["split", "row", "fold", "label", "digit"]).to_parquet("reports/out_of_fold/convnet.parquet")
    text = Path("params.yaml").read_text()
    Path("params.yaml").write_text(text.replace("bootstrap: 10000", "bootstrap: 200"))
    audit.main(["convnet"])


@pytest.fixture(scope="module")
def asked(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose toy network has been asked about every set of its audit."""
    folder = shutil.copytree(built, tmp_path_factory.mktemp("asked"), dirs_exist_ok=True)
    with chdir(folder), pytest.MonkeyPatch.context() as patch:
        patch.setattr(audit, "with_gradients", lambda *_: [])  # the made-up weights are none
        ask()
    return folder


class Judged(NamedTuple):
    folder: Path
    said: str


@pytest.fixture(scope="module")
def judged_once(asked: Path, empty_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Judged:
    """A copy of it that was judged, with an MLflow store of its own, by a process that tells what it had loaded."""
    folder = shutil.copytree(asked, tmp_path_factory.mktemp("judged"), dirs_exist_ok=True)
    shutil.copyfile(empty_database, folder / "mlflow.db")
    return Judged(folder, output(folder, sys.executable, "-c", JUDGE))


@pytest.fixture
def judged(judged_once: Judged, monkeypatch: pytest.MonkeyPatch) -> Judged:
    """There the test runs."""
    monkeypatch.chdir(judged_once.folder)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{judged_once.folder}/mlflow.db")
    return judged_once


@pytest.fixture
def answered(project: Path, asked: Path) -> Path:
    """A copy of it, in which the test runs."""
    return shutil.copytree(asked, project, dirs_exist_ok=True)


def gates() -> dict[str, dict[str, Any]]:
    return {gate["name"]: gate for gate in json.loads(VERDICTS.read_text())["gates"]}


def test_it_writes_a_verdict_on_every_gate_the_report_and_its_tables(judged):
    found = json.loads(VERDICTS.read_text())
    assert (found["network"], found["source"]) == ("convnet", toy_model.METADATA["source"])
    assert [gate["name"] for gate in found["gates"]] == list(GATES)
    error = gates()["error"]
    assert error["value"] == pytest.approx(1 / IMAGES)
    assert found["values"]["accuracy"]["errors"] == 1
    assert found["values"]["accuracy"]["error"]["value"] == error["value"]
    assert found["findings"]["style"]["cannot_show"]
    assert gates()["population_gap"]["status"] == "not measurable"
    default, own = params.load("gates.default", "gates.convnet")
    assert {name: gate["threshold"] for name, gate in gates().items()} == params.thresholds(
        default, own, "mnist-sample"
    )
    page = (REPORT / "index.html").read_text()
    assert error["sentence"].replace("'", "&#39;") in page
    assert (REPORT / "tables/accuracy-recall.csv").exists()


def test_the_same_answers_give_the_same_bytes_and_leave_no_old_table(judged):
    before = contents(REPORT) | {"verdicts": VERDICTS.read_bytes()}
    (REPORT / "tables/old.csv").write_text("of a run before")
    output(judged.folder, sys.executable, "-c", JUDGE)
    assert contents(REPORT) | {"verdicts": VERDICTS.read_bytes()} == before


def test_a_refusal_says_which_gate_by_how_much_and_where_to_look(answered, capsys):
    changed = yaml.safe_load(Path("params.yaml").read_text())
    changed["gates"]["convnet"] = {"all": {"digit_recall": 0.999}, "trial": {"digit_recall": 0.999}}
    Path("params.yaml").write_text(yaml.safe_dump(changed))
    judge.main(["convnet"])
    said = " ".join(capsys.readouterr().out.split())
    assert "convnet is refused" in said
    assert "The digit recognised worst (digit_recall): 83.33 %, must be at least 99.90 %, missed by 16.57 %." in said
    assert "Look at reports/audit/convnet/index.html#accuracy: Recall of each digit" in said
    assert gates()["digit_recall"]["status"] == "failed"


def test_the_report_and_the_verdicts_get_into_mlflow(judged):
    client = tracking.open_store()
    [run] = client.search_runs([tracking.experiment(client, "mnist-sample")], "tags.network = 'convnet'")
    assert run.data.metrics["gate/error"] == gates()["error"]["value"]


def test_it_loads_neither_torch_nor_mlflow_before_all_is_judged(judged):
    assert "loaded: neither\n" in judged.said
