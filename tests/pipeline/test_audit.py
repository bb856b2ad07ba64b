"""The stage audit: it runs every part on the served recogniser, writes the report, and says why it refuses."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from pipeline import audit, params
from pipeline.audits.gates import Gate
from pipeline.audits.section import Section
from pipeline.data.save import COLUMNS
from pipeline.tracking import store as tracking
from tests import toy_model
from tests.pipeline.workspace import contents

LABELS = np.arange(40, dtype=np.uint8) % 10
OF = {
    "accuracy": ("error", "digit_recall"),
    "population": ("population_gap", "students_error", "abstention_gap"),
    "style": ("broken_strokes",),
    "recipe": (),
    "robustness": ("corruption_mean", "corruption_worst", "canvas"),
    "invariance": ("invariance_lossless", "invariance"),
    "ood": ("ood_auroc", "ood_confident", "letters_confident"),
    "calibration": ("coverage", "answered_error", "ece_excess"),
    "representation": (),
    "selftest": (),
    "adversarial": (),
}
"""Which gates each part of the audit decides."""


def part(key: str, failing: str, seen: dict[str, Any]) -> Callable[..., Section]:
    """A part of the audit, made up: it passes its gates but for ``failing``, and remembers what it was given."""

    def measure(*given: Any, **named: Any) -> Section:
        seen[key] = (given, named)
        gates = [
            Gate(name, 0.2 if name == failing else 0.1, (0.0, 0.3), "at most", 0.1, f"What {name} found.")
            for name in OF[key]
        ]
        table = pd.DataFrame({"seed": [seen.get("seed", 0)]})
        return Section(key, key, "?", gates, [], {"A table": table}, {"The misread images": Figure(figsize=(1, 1))})

    return measure


def cross_validated(read: pd.DataFrame) -> None:
    """Write what networks of the convnet's recipe read out of fold."""
    Path("reports/out_of_fold").mkdir(parents=True, exist_ok=True)
    read.to_parquet("reports/out_of_fold/convnet.parquet")


def network_of(loaded: list[Path]) -> Callable[[Path], str]:
    """In place of `load_network`: names the folder, and notes that it was asked for."""

    def load(folder: Path) -> str:
        loaded.append(folder)
        return f"the network in {folder}"

    return load


@pytest.fixture
def loaded() -> list[Path]:
    """The folders that a network was loaded from."""
    return []


@pytest.fixture
def seen(project: Path, loaded: list[Path], monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A project whose audit has made-up parts, measured by a thread instead of processes; what they were given."""
    images = np.stack([toy_model.image(int(label)) for label in LABELS])
    images[0] = toy_model.image(5)
    rows = pd.DataFrame({"split": "test", "row": np.arange(len(LABELS))[::-1], "label": LABELS[::-1]})
    others = pd.DataFrame({"split": ["train", "val"], "row": 0, "label": 0})
    samples = pd.concat([others, rows], ignore_index=True).reindex(columns=list(COLUMNS))
    np.save("data/processed/test/images.npy", images)
    np.save("data/processed/test/labels.npy", LABELS)
    samples.to_parquet("data/processed/samples.parquet")
    cross_validated(others.head(0))
    monkeypatch.setattr(audit, "ProcessPoolExecutor", lambda workers, mp_context, **rest: ThreadPoolExecutor(1, **rest))
    monkeypatch.setattr(audit, "prepare", audit.inherited.update)
    given: dict[str, Any] = {}
    monkeypatch.setattr(audit, "load_network", network_of(loaded))
    for key in OF:
        monkeypatch.setattr(getattr(audit, key), "measure", part(key, "", given))
    return given


def gates_of(network: str) -> list[dict[str, Any]]:
    return json.loads(Path("reports/audit", network, "audit.json").read_text())["gates"]


def test_every_part_is_given_the_test_set_and_the_served_recogniser_s_answers(seen):
    audit.main(["convnet"])
    assert set(seen) == set(OF) - {"adversarial", "recipe"}
    for key in set(seen) - {"representation"}:
        subject = seen[key][0][0]
        assert (subject.name, subject.source) == ("convnet", "mnist-sample")
        assert subject.limits == params.load("audit.gates.mnist-sample.convnet")
        assert (subject.samples["label"].to_numpy() == LABELS).all()
        assert np.flatnonzero(subject.wrong).tolist() == [0]
    assert set(seen["representation"][0][0]["split"]) == {"train", "val", "test"}
    assert seen["ood"][0][1] == "the network in models/trained/convnet"


def test_the_recipe_is_told_where_it_was_tried(seen):
    images = np.stack([toy_model.image(digit) for digit in (4, 7)])
    for split, image in zip(("train", "val"), images, strict=True):
        np.save(f"data/processed/{split}/images.npy", image[None])
        np.save(f"data/processed/{split}/labels.npy", np.zeros(1, np.uint8))
    answers = {"fold": [1, 0], "label": 0, "digit": [4, 7], "confidence": 0.9, "abstained": False}
    cross_validated(pd.DataFrame({"split": ["train", "val"], "row": 0, **answers}))
    audit.main(["convnet"])
    subject, given, samples = seen["recipe"][0]
    assert subject.name == "convnet"
    np.testing.assert_array_equal(given, images)
    assert samples[["split", "fold", "digit"]].to_numpy().tolist() == [["train", 1, 4], ["val", 0, 7]]
    assert set(COLUMNS) <= set(samples.columns)
    found = json.loads(Path("reports/audit/convnet/audit.json").read_text())
    assert list(found["findings"]) == [key for key in OF if key != "adversarial"]


def test_it_writes_verdicts_report_and_tables(seen):
    audit.main(["convnet"])
    folder = Path("reports/audit/convnet")
    report = json.loads((folder / "audit.json").read_text())
    assert (report["network"], report["source"]) == ("convnet", "mnist-sample")
    assert {gate["name"] for gate in report["gates"]} == set(params.Gates.model_fields)
    assert report["values"]["error"] == 0.1
    [gate] = [gate for gate in report["gates"] if gate["name"] == "canvas"]
    assert gate == {
        "name": "canvas",
        "value": 0.1,
        "interval": [0.0, 0.3],
        "limit": "at most",
        "threshold": 0.1,
        "sentence": "What canvas found.",
        "anchor": "",
        "passed": True,
        "measurable": True,
        "section": "robustness",
        "figures": ["The misread images"],
    }
    page = (folder / "index.html").read_text()
    assert all(f"What {name} found." in page for name in params.Gates.model_fields)
    assert {path.name for path in (folder / "tables").iterdir()} == {f"{key}-table.csv" for key in seen}


def test_a_second_run_writes_the_same_bytes_and_leaves_no_old_table(seen):
    audit.main(["convnet"])
    before = contents(Path("reports/audit/convnet"))
    Path("reports/audit/convnet/tables/old.csv").write_text("of a run before")
    audit.main(["convnet"])
    assert contents(Path("reports/audit/convnet")) == before


def test_a_refusal_says_which_gate_by_how_much_and_where_to_look(seen, monkeypatch, capsys):
    monkeypatch.setattr(audit.population, "measure", part("population", "students_error", seen))
    audit.main(["convnet"])
    said = " ".join(capsys.readouterr().out.split())
    assert "convnet is refused: 1 of 17 gates failed." in said
    assert "(students_error): 20.00 %, must be at most 10.00 %, missed by 10.00 %. What students_error found." in said
    assert "Look at reports/audit/convnet/index.html#population: The misread images" in said
    assert [gate["name"] for gate in gates_of("convnet") if not gate["passed"]] == ["students_error"]


def test_each_part_is_told_with_its_seconds(seen, capsys):
    audit.main(["convnet"])
    said = capsys.readouterr().out
    for name in ("accuracy", "populations", "style", "corruptions", "invariance", "not digits", "calibration"):
        assert any(line.split()[-1] == "s" for line in said.splitlines() if line.strip().startswith(name)), name


def test_a_gate_that_nobody_measured_is_an_error(seen, monkeypatch):
    monkeypatch.setattr(audit.style, "measure", part("representation", "", seen))
    with pytest.raises(ValueError, match="no part of the audit decides these gates: broken_strokes"):
        audit.main(["convnet"])
    monkeypatch.setattr(audit.style, "measure", part("accuracy", "", seen))
    with pytest.raises(ValueError, match="broken_strokes"):
        audit.main(["convnet"])


def test_a_gate_that_is_decided_twice_is_an_error(seen, monkeypatch):
    monkeypatch.setattr(audit.representation, "measure", part("accuracy", "", seen))
    with pytest.raises(ValueError, match="several parts of the audit decide these gates: digit_recall, error"):
        audit.main(["convnet"])


def test_attacks_are_run_on_as_many_images_as_params_say(seen, loaded):
    text = Path("params.yaml").read_text()
    Path("params.yaml").write_text(text.replace("mnist-sample: 0", "mnist-sample: 7"))
    audit.main(["convnet"])
    assert seen["adversarial"][0][1:] == ("the network in models/trained/convnet", 7)
    assert loaded == [Path("models/trained/convnet")]


def test_the_report_and_the_verdicts_get_into_mlflow(seen):
    audit.main(["convnet"])
    client = tracking.open_store()
    [run] = client.search_runs([tracking.experiment(client, "mnist-sample")], "tags.network = 'convnet'")
    assert run.data.metrics["gate/canvas"] == 0.1
    assert run.data.tags["gates"] == "passed"
    files = {file.path for file in client.list_artifacts(run.info.run_id, "audit")}
    assert files == {"audit/audit.json", "audit/index.html", "audit/tables"}
    assert client.list_artifacts(run.info.run_id, "audit/tables")
