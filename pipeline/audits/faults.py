"""Faults planted on purpose: the gate that names each must refuse it, and let the same network pass without it.

    python -m pipeline.audits.faults [NETWORK]

Prints which gate caught which fault, on data/processed/ and models/candidates/NETWORK/ (convnet unless told otherwise).
Faults in training are planted in a small network trained for seconds, which is held to the perceptron's gates.
"""

import contextlib
import io
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
import pandas as pd
from rich import box
from rich.console import Console
from rich.table import Table
from scipy.ndimage import gaussian_filter
from scipy.special import softmax

from pipeline import params
from pipeline.artifact.to_onnx import logits_of
from pipeline.audits.gates import Gate
from pipeline.audits.section import Subject
from pipeline.audits.selftest import verdicts
from pipeline.audits.subject import load_subject
from pipeline.data.store import load_split
from pipeline.models.batches import Digits
from pipeline.models.fit import fit
from pipeline.models.networks import MLP
from pipeline.paths import PROCESSED
from pipeline.report import wording
from pipeline.stage import stage
from serving.model.recogniser import Predictions, Recogniser

DRAWS = 1000  # resamples for each bound, in place of audit.bootstrap
BLUR = 1.5  # standard deviation in pixels
FLIPPED = 0.6  # share of the nines in training that are labelled 4
IMAGES = 12_000  # to train on
QUICK = MLP(
    kind="mlp",
    hidden=[256],
    dropout=0.0,
    epochs=4,
    batch_size=128,
    learning_rate=0.003,
    weight_decay=0.01,
    ema_decay=0.99,
    augment=None,
)
TRAINER = params.Trainer(accelerator="cpu", devices=1, num_nodes=1, strategy="auto", precision="32-true")

Fault = Callable[[Recogniser, np.ndarray], Predictions]


class Faulty(Recogniser):
    """A recogniser with a fault; all but its answers is that of the one it wraps."""

    def __init__(self, inner: Recogniser, fault: Fault) -> None:
        vars(self).update(vars(inner))
        self._inner, self._fault = inner, fault

    def predict(self, pixels: np.ndarray) -> Predictions:
        return self._fault(self._inner, pixels)


@dataclass(frozen=True)
class Planted:
    """A fault, and what the gate that should catch it says without it and with it.

    others: the gates that refuse the faulty network and do not refuse the one without fault.
    """

    fault: str
    control: Gate
    faulty: Gate
    others: list[str]

    @property
    def caught(self) -> bool:
        return self.control.passed is True and self.faulty.passed is False


def plant(fault: str, gate: str, control: Subject, faulty: Subject) -> Planted:
    """Hold both against all statistical gates; ``gate`` is the one that should tell them apart."""
    without, having = (
        {found.name: found for found in verdicts(replace(subject, bootstrap=DRAWS))} for subject in (control, faulty)
    )
    others = [
        name
        for name, found in having.items()
        if name != gate and found.passed is False and without[name].passed is not False
    ]
    return Planted(fault, without[gate], having[gate], others)


def constant(inner: Recogniser, pixels: np.ndarray) -> Predictions:
    """The answer to the first image, whatever the image."""
    told = inner.predict(pixels)
    return Predictions(**{one.name: np.repeat(getattr(told, one.name)[:1], len(told), axis=0) for one in fields(told)})


def certain(inner: Recogniser, pixels: np.ndarray) -> Predictions:
    """The same digits with confidence 1."""
    told = inner.predict(pixels)
    return answered(told, np.eye(10, dtype=np.float32)[told.digit])


def scaled_twice(inner: Recogniser, pixels: np.ndarray) -> Predictions:
    """Pixels divided by 255 before the network, which itself divides them by 255."""
    return inner.predict((pixels / 255).astype(np.float32))


def answered(told: Predictions, probabilities: np.ndarray) -> Predictions:
    """Answers of other probabilities, float32 [N, 10], without ever abstaining."""
    return replace(
        told,
        digit=probabilities.argmax(1),
        confidence=probabilities.max(1),
        probabilities=probabilities,
        prediction_set=probabilities == probabilities.max(1, keepdims=True),
        abstained=np.zeros(len(told), bool),
        reason=np.full(len(told), None, object),
    )


def broken_by(subject: Subject, fault: Fault) -> Subject:
    """The subject with a fault in its recogniser."""
    return asked_anew(replace(subject, recogniser=Faulty(subject.recogniser, fault)))


def blurred(subject: Subject, group: str, blur: float) -> Subject:
    """The subject with all test images of one population blurred by a Gaussian of so many pixels."""
    images = subject.images.copy()
    rows = (subject.samples["population"] == group).to_numpy()
    images[rows] = np.rint(gaussian_filter(images[rows].astype(np.float32), (0, blur, blur)))
    return asked_anew(replace(subject, images=images))


def asked_anew(subject: Subject) -> Subject:
    """The subject with the predictions that its recogniser gives for its images."""
    return replace(subject, predictions=subject.recogniser.predict(subject.images.astype(np.float32)))


def trained(subject: Subject, images: np.ndarray, labels: np.ndarray) -> Subject:
    """The subject with the answers of a small network trained on images, uint8 [N, 28, 28], and labels, uint8 [N]."""
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        data = Digits((images, labels), (images[:1000], labels[:1000]), QUICK, subject.seed)
        fitted = fit(QUICK, data, TRAINER, subject.seed, Path(folder))
    assert fitted is not None
    network = fitted[0]
    return broken_by(
        subject,
        lambda inner, pixels: answered(inner.predict(pixels), softmax(logits_of(network, pixels), axis=1)),
    )


def without(populations: np.ndarray, name: str, rng: np.random.Generator) -> np.ndarray:
    """Training rows, int [M], of all but one population; ``populations`` is str [N]."""
    return rng.permutation(np.flatnonzero(populations != name))[:IMAGES]


def flipped(labels: np.ndarray, share: float) -> np.ndarray:
    """Labels, uint8 [N], with the first ``share`` of the nines called fours."""
    nines = np.flatnonzero(labels == 9)
    changed = labels.copy()
    changed[nines[: round(share * len(nines))]] = 4
    return changed


def in_serving(subject: Subject, blur: float = BLUR) -> Iterator[Planted]:
    """Plant the faults that need no training."""
    yield plant("a constant network", "digit_recall", subject, broken_by(subject, constant))
    yield plant("confidence forced to 1", "ece_excess", subject, broken_by(subject, certain))
    yield plant("pixels scaled twice", "error", subject, broken_by(subject, scaled_twice))
    if subject.has_writers:
        yield plant("the students' images blurred", "population_gap", subject, blurred(subject, "students", blur))
        yield plant("the employees' images blurred", "error", subject, blurred(subject, "employees", blur))


def in_training(subject: Subject, images: np.ndarray, labels: np.ndarray, populations: np.ndarray) -> Iterator[Planted]:
    """Plant the faults of training data in a small network.

    Args:
        images, labels: to train on, uint8 [N, 28, 28] and uint8 [N]; populations: who wrote them, str [N].
    """
    rng = subject.rng("faults in training")
    rows = rng.permutation(len(labels))[:IMAGES]
    control = trained(subject, images[rows], labels[rows])
    faulty = trained(subject, images[rows], flipped(labels[rows], FLIPPED))
    yield plant(f"{wording.percent(FLIPPED, 0)} of the nines in training labelled 4", "digit_recall", control, faulty)
    if subject.has_writers:
        rows = without(populations, "students", rng)
        faulty = trained(subject, images[rows], labels[rows])
        yield plant("students left out of training", "population_gap", control, faulty)


def table(found: Sequence[Planted]) -> pd.DataFrame:
    """A row for each fault: the gate that should catch it, its values, and what else noticed."""
    return pd.DataFrame(
        {
            "fault": one.fault,
            "gate": one.faulty.name,
            "without": one.control.value,
            "with": one.faulty.value,
            "required": f"{one.faulty.limit} {one.faulty.threshold:g}",
            "caught": one.caught,
            "also refused by": ", ".join(one.others),
        }
        for one in found
    )


@stage("faults", network="the name of a folder under models/candidates/")
def main(network: str = "convnet") -> None:
    source, seed, gates = params.load("data.source", "audit.seed", "audit.gates")
    subject, samples = load_subject(network, source, gates[source][network], DRAWS, seed)
    train = samples.query("split == 'train'").sort_values("row")
    quick = replace(subject, name="quick", limits=gates[source]["perceptron"])
    console = Console()
    with console.status("planting faults ..."):
        found = [
            *in_serving(subject),
            *in_training(quick, *load_split(PROCESSED, "train"), train["population"].to_numpy()),
        ]
    shown = Table(*table(found).columns, box=box.SIMPLE_HEAD)
    for row in table(found).itertuples(index=False):
        shown.add_row(*(f"{cell:.4g}" if isinstance(cell, float) else str(cell) for cell in row))
    console.print(shown)
    if missed := [one.fault for one in found if not one.caught]:
        sys.exit(f"faults: not caught, or refused without the fault too: {'; '.join(missed)}")


if __name__ == "__main__":
    main()
