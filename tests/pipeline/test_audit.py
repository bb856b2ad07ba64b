"""The stage audit: it asks the exported network about every picture, and writes the answers and nothing else."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline import audit, params
from pipeline.audits import results
from pipeline.audits.inputs.picture_set import PictureSet
from pipeline.audits.results import TestSet
from pipeline.data import save
from serving.model.recogniser import Recogniser
from tests import toy_model
from tests.pipeline.workspace import contents

LABELS = np.arange(40, dtype=np.uint8) % 10
ANSWERS = Path("reports/answers/convnet")


@pytest.fixture
def tested(project: Path) -> Path:
    """A project with forty test images, of which the first is misclassified; samples in another order than images."""
    images = np.stack([toy_model.image(int(label)) for label in LABELS])
    images[0] = toy_model.image(5)
    rows = pd.DataFrame({"split": "test", "row": np.arange(len(LABELS))[::-1], "label": LABELS[::-1]})
    others = pd.DataFrame({"split": ["train", "val"], "row": 0, "label": 0})
    np.save("data/processed/test/images.npy", images)
    np.save("data/processed/test/labels.npy", LABELS)
    samples = pd.concat([others, rows], ignore_index=True).reindex(columns=list(save.COLUMNS))
    samples.to_parquet("data/processed/samples.parquet")
    return project


@pytest.fixture
def asked(tested: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """The same, where an audit has two small sets; what they were made for."""
    seen: dict[str, object] = {}

    def sets(test: TestSet) -> list[PictureSet]:
        seen["test"] = test
        mirrored = PictureSet(
            "small/mirrored", np.arange(40), lambda: test.images[:, :, ::-1], keep=lambda _: np.array([3])
        )
        return [mirrored, PictureSet("canvas/56", np.arange(5), lambda: test.images[:5].repeat(2, 1).repeat(2, 2))]

    def attacks(test: TestSet, folder: Path, recogniser: Recogniser, count: int) -> list[PictureSet]:
        seen["attacks"] = (folder, recogniser.name, count)
        return []

    monkeypatch.setattr(audit, "picture_sets", sets)
    monkeypatch.setattr(audit, "with_gradients", attacks)
    audit.main(["convnet"])
    return seen


def test_the_answers_to_every_picture_are_written_in_order(asked):
    sets = results.load(ANSWERS)
    assert {name: len(one.rows) for name, one in sets.items()} == {"test": 40, "small/mirrored": 40, "canvas/56": 5}
    assert np.flatnonzero(sets["test"].predictions.digit != LABELS).tolist() == [0]
    assert list(sets["small/mirrored"].kept) == [3]
    assert not sets["canvas/56"].kept


def test_pictures_are_made_of_the_test_set_and_its_answers(asked):
    test = asked["test"]
    assert isinstance(test, TestSet)
    assert (test.samples["label"].to_numpy() == LABELS).all()
    assert np.flatnonzero(test.wrong).tolist() == [0]
    assert test.seed == params.load("audit.seed")


def test_who_was_asked_stands_beside_the_answers(asked):
    facts = json.loads((ANSWERS / "asked.json").read_text())
    recogniser = Recogniser(Path("models/candidates/convnet/model.onnx"))
    assert (facts["network"], facts["source"]) == ("convnet", recogniser.source)
    assert facts["version"] == recogniser.version
    assert facts["novelty_threshold"] == recogniser.novelty_threshold
    assert facts["least_confidence"] == recogniser.least_confidence


def test_a_source_that_is_not_named_is_not_attacked(asked):
    assert asked["attacks"] == (Path("models/trained/convnet"), "convnet", 0)


def test_a_second_run_writes_the_same_bytes_and_leaves_nothing_old(asked):
    before = contents(ANSWERS)
    (ANSWERS / "old.parquet").write_text("of a run before")
    audit.main(["convnet"])
    assert contents(ANSWERS) == before


@pytest.mark.slow
def test_every_set_of_the_catalogue_is_asked(tested, monkeypatch):
    monkeypatch.setattr(audit, "with_gradients", lambda *_: [])  # the made-up weights are none
    audit.main(["convnet"])
    kinds = {name.partition("/")[0] for name in results.load(ANSWERS)}
    assert kinds >= {"test", "corruption", "severity", "morphology", "canvas", "lossless", "small", "direction"}
    assert kinds >= {"as_sent", "forms", "non_digit"}
