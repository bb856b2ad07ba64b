"""The audit's section on what people send, with answers made up for the purpose."""

from collections.abc import Callable

import numpy as np
import pytest

from pipeline.audits import as_sent
from pipeline.audits.inputs.as_sent import KINDS, STRENGTHS
from pipeline.audits.results import Answered, Results
from pipeline.report.figures import as_sent as figures
from pipeline.report.sections import write
from serving.model.recogniser import Predictions
from tests.pipeline.audits.made_up import handwriting, measured, nameless, predictions, results, thresholds

PICTURES = 40
Answer = Callable[[str, int, np.ndarray], Predictions]


def asked(rng: np.random.Generator, answer: Answer, named: bool = True) -> Results:
    """What the judge knows where ``answer`` tells of a kind, a strength and labels what is said."""
    samples = handwriting(rng, 10, 5, 10)
    labels = samples["label"].to_numpy()
    sets = {}
    for name in KINDS:
        for strength in range(1, STRENGTHS + 1):
            rows = np.sort(rng.choice(len(labels), PICTURES, replace=False))
            kept = {place: np.full((20, 30, 3), 200, np.uint8) for place in range(3)}
            sets[f"as_sent/{name}/{strength}"] = Answered(rows, answer(name, strength, labels[rows]), kept)
    return results(samples if named else nameless(samples), np.zeros(len(labels), bool), sets=sets)


def all_right(name: str, strength: int, labels: np.ndarray) -> Predictions:
    return predictions(labels, np.zeros(len(labels), bool))


def only(kind: str, wrong: int = 0, abstained: int = 0, confidence: float = 0.9) -> Answer:
    """In every strength of one kind the first pictures are misclassified, the last abstained from."""

    def answer(name: str, strength: int, labels: np.ndarray) -> Predictions:
        places = np.arange(len(labels))
        here = name == kind
        sureness = np.full(len(labels), confidence)
        return predictions(labels, here & (places < wrong), sureness, here & (places >= len(labels) - abstained))

    return answer


def test_what_is_always_right_has_nothing_to_tell(rng):
    found = as_sent.measure(asked(rng, all_right))
    assert measured(found["as_sent_mean"])[0] == measured(found["as_sent_worst"])[0] == 1
    assert measured(found["as_sent_wrong"])[0] == measured(found["as_sent_confident"])[0] == 0
    assert found["hard"].empty
    assert len(found["kinds"]) == len(KINDS)
    assert len(found["strengths"]) == STRENGTHS * len(KINDS)


@pytest.mark.parametrize(("confidence", "sure"), [(0.98, 0), (0.995, 1)])
def test_a_kind_that_is_misread_is_the_worst_and_counts_once_among_all(rng, confidence, sure):
    kind = str(rng.choice(list(KINDS)))
    results = asked(rng, only(kind, wrong=10, confidence=confidence))
    found = as_sent.measure(results)
    value, low, high = measured(found["as_sent_worst"])
    assert low < value == 1 - 10 / PICTURES < high
    assert found["worst"] == found["kinds"]["kind"][0] == kind
    share = 10 / PICTURES / len(KINDS)
    assert found["as_sent_mean"].value == pytest.approx(1 - share)
    assert found["as_sent_wrong"].value == pytest.approx(share)
    assert found["as_sent_confident"].value == pytest.approx(share * sure)
    section = write("as_sent", results, found, thresholds())
    assert kind in section.sentences["as_sent_worst"]
    assert kind in section.findings["hard"][0]
    assert set(section.figures) == {"shares", "failed"}


@pytest.mark.parametrize("lenient", [True, False])
def test_abstaining_is_right_only_where_a_kind_says_so(rng, lenient):
    kind = str(rng.choice([name for name, one in KINDS.items() if one.lenient is lenient]))
    found = as_sent.measure(asked(rng, only(kind, abstained=8)))
    row = found["kinds"].set_index("kind").loc[kind]
    assert row["right_percent"] == pytest.approx(100 if lenient else 100 * (1 - 8 / PICTURES))
    assert row["abstained_percent"] == pytest.approx(100 * 8 / PICTURES)
    assert row["wrong_percent"] == 0
    assert bool(row["abstaining_is_right"]) is lenient


def test_the_right_digit_is_not_right_where_it_was_not_answered(rng):
    strict = [name for name, one in KINDS.items() if not one.lenient]
    told = as_sent.outcome(predictions(np.arange(10), np.zeros(10, bool), abstained=np.ones(10, bool)), np.arange(10))
    assert not told.right.any()
    assert not told.wrong.any()
    assert len(strict) > 20


def test_strengths_are_told_apart(rng):
    kind = str(rng.choice(list(KINDS)))

    def answer(name: str, strength: int, labels: np.ndarray) -> Predictions:
        return predictions(labels, (name == kind) & (np.arange(len(labels)) < 5 * strength))

    table = as_sent.measure(asked(rng, answer))["strengths"].set_index(["kind", "strength"])
    assert table.loc[kind]["wrong_percent"].tolist() == pytest.approx([100 * 5 * one / PICTURES for one in (1, 2, 3)])
    inside = table["right_low_percent"] <= table["right_percent"]
    assert (inside & (table["right_percent"] <= table["right_high_percent"])).all()


def test_without_writers_intervals_are_over_images(rng):
    results = asked(rng, only("specks", wrong=10), named=False)
    found = as_sent.measure(results)
    assert "over images" in write("as_sent", results, found, thresholds()).sentences["as_sent_mean"]


def test_a_writer_who_is_always_misread_widens_the_interval(rng):
    def widths(by_writer: bool) -> float:
        results = asked(rng, all_right)
        rows = np.tile(np.arange(len(results.labels)), 4)
        writers = results.samples["writer"].to_numpy()[rows]
        hits = (writers < 3) if by_writer else rng.permutation(writers < 3)
        low, high = as_sent.share(results, np.asarray(hits, bool), rows).interval
        return high - low

    assert widths(True) > 2 * widths(False)


def test_the_sheet_shows_wrong_answers_before_abstentions_and_only_what_failed(rng):
    def answer(name: str, strength: int, labels: np.ndarray) -> Predictions:
        places = np.arange(len(labels))
        return predictions(labels, places == 2, np.full(len(labels), 0.9), places == 1)

    results = asked(rng, answer)
    figure = figures.failed(results, as_sent.measure(results))
    captions = [text.get_text() for text in figure.axes[0].texts]
    of_a_row = captions[:9]
    assert of_a_row[:3] == ["", "", ""]
    assert all("→" in one and "–" not in one for one in of_a_row[3:6])
    silent = sum(one.endswith("–") for one in captions)
    assert silent == 3 * sum(not kind.lenient for kind in KINDS.values())
