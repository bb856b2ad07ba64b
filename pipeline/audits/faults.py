"""Faults planted on purpose: the gate that names each must refuse it, and let the same network pass without it.

    python -m pipeline.audits.faults [NETWORK]

Prints which gate caught which fault, on data/processed/ and models/candidates/NETWORK/ (convnet unless told otherwise).
Faults in training are planted in a small network trained for seconds, which is held to the perceptron's gates.
"""

import contextlib
import io
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from rich import box
from rich.console import Console
from rich.table import Table
from scipy.ndimage import gaussian_filter
from scipy.special import softmax

from pipeline import params, paths
from pipeline.audits.accuracy import worst_digit
from pipeline.audits.gates import Verdict
from pipeline.audits.results import Results
from pipeline.audits.selftest import verdicts
from pipeline.data.store import load_split
from pipeline.models.networks import MLP
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
class Network:
    """A recogniser, what it answers for the test images, and the thresholds that it is held to."""

    recogniser: Recogniser
    results: Results
    thresholds: Mapping[str, float]

    def broken_by(self, fault: Fault) -> "Network":
        """The same with a fault in its recogniser."""
        return replace(self, recogniser=Faulty(self.recogniser, fault)).asked()

    def asked(self) -> "Network":
        """The same with the answers that its recogniser gives for the images."""
        told = self.recogniser.predict(self.results.images.astype(np.float32))
        return replace(self, results=replace(self.results, predictions=told))


@dataclass(frozen=True)
class Planted:
    """A fault, and the verdicts of the gate that should catch it, without it and with it.

    others: the gates that refuse the faulty network and do not refuse the one without fault.
    worst_digit: the one that the faulty network recognises worst.
    """

    fault: str
    control: Verdict
    faulty: Verdict
    others: list[str]
    worst_digit: int

    @property
    def caught(self) -> bool:
        return self.control.passed is True and self.faulty.passed is False


def plant(fault: str, gate: str, control: Network, faulty: Network) -> Planted:
    """Hold both against all statistical gates; ``gate`` is the one that should tell them apart."""
    without, having = (
        verdicts(replace(network.results, bootstrap=DRAWS), network.thresholds) for network in (control, faulty)
    )
    others = [
        name
        for name, verdict in having.items()
        if name != gate and verdict.passed is False and without[name].passed is not False
    ]
    worst = worst_digit(faulty.results.labels, faulty.results.wrong)
    return Planted(fault, without[gate], having[gate], others, worst)


def constant(inner: Recogniser, pixels: np.ndarray) -> Predictions:
    """The answer to the first image, whatever the image."""
    told = inner.predict(pixels)
    known = {name: values for name, values in vars(told).items() if values is not None}
    return replace(told, **{name: np.repeat(values[:1], len(told), axis=0) for name, values in known.items()})


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
        prediction_set=None,
        abstained=np.zeros(len(told), bool),
        reason=np.full(len(told), None, object),
    )


def blurred(network: Network, group: str, blur: float) -> Network:
    """The same on test images that are, for one population, blurred by a Gaussian of so many pixels."""
    images = network.results.images.copy()
    rows = (network.results.samples["population"] == group).to_numpy()
    images[rows] = np.rint(gaussian_filter(images[rows].astype(np.float32), (0, blur, blur)))
    return replace(network, results=replace(network.results, images=images)).asked()


def trained(network: Network, images: np.ndarray, labels: np.ndarray) -> Network:
    """The same with answers of a small network trained on images, uint8 [N, 28, 28], and labels, uint8 [N]."""
    from pipeline.artifact.to_onnx import logits_of  # these load torch
    from pipeline.models.batches import Digits
    from pipeline.models.fit import fit

    seed = network.results.seed
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        data = Digits((images, labels), (images[:1000], labels[:1000]), QUICK, seed)
        fitted = fit(QUICK, data, TRAINER, seed, Path(folder))
    assert fitted is not None
    small = fitted[0]
    return network.broken_by(
        lambda inner, pixels: answered(inner.predict(pixels), softmax(logits_of(small, pixels), axis=1))
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


def in_serving(network: Network, blur: float = BLUR) -> Iterator[Planted]:
    """Plant the faults that need no training."""
    yield plant("a constant network", "digit_recall", network, network.broken_by(constant))
    yield plant("confidence forced to 1", "ece_excess", network, network.broken_by(certain))
    yield plant("pixels scaled twice", "error", network, network.broken_by(scaled_twice))
    if network.results.has_writers:
        yield plant("the students' images blurred", "population_gap", network, blurred(network, "students", blur))
        yield plant("the employees' images blurred", "error", network, blurred(network, "employees", blur))


def in_training(network: Network, images: np.ndarray, labels: np.ndarray, populations: np.ndarray) -> Iterator[Planted]:
    """Plant the faults of training data in a small network, held to the thresholds of ``network``.

    Args:
        images, labels: to train on, uint8 [N, 28, 28] and uint8 [N]; populations: who wrote them, str [N].
    """
    rng = network.results.rng("faults in training")
    rows = rng.permutation(len(labels))[:IMAGES]
    control = trained(network, images[rows], labels[rows])
    faulty = trained(network, images[rows], flipped(labels[rows], FLIPPED))
    yield plant(f"{FLIPPED:.0%} of the nines in training labelled 4", "digit_recall", control, faulty)
    if network.results.has_writers:
        rows = without(populations, "students", rng)
        faulty = trained(network, images[rows], labels[rows])
        yield plant("students left out of training", "population_gap", control, faulty)


def table(found: Sequence[Planted]) -> pd.DataFrame:
    """A row for each fault: the gate that should catch it, its values, and what else noticed."""
    return pd.DataFrame(
        {
            "fault": one.fault,
            "gate": one.faulty.gate.name,
            "without": one.control.estimate.value,
            "with": one.faulty.estimate.value,
            "required": f"{one.faulty.gate.limit} {one.faulty.threshold:g}",
            "caught": one.caught,
            "also refused by": ", ".join(one.others),
        }
        for one in found
    )


def load(network: str, source: str, seed: int, samples: pd.DataFrame, thresholds: Mapping[str, float]) -> Network:
    """A network under models/candidates/ on the test set; ``samples`` are those of all splits."""
    recogniser = Recogniser(paths.CANDIDATES / network / "model.onnx")
    images, labels = load_split(paths.PROCESSED, "test")
    results = Results(
        images=images,
        labels=labels,
        samples=samples.query("split == 'test'").sort_values("row", ignore_index=True),
        predictions=recogniser.predict(images.astype(np.float32)),
        seed=seed,
        network=network,
        source=source,
    )
    return Network(recogniser, results, thresholds)


@stage("faults", network="a name among the candidates of params.yaml")
def main(network: str = "convnet") -> None:
    source, seed, default, own, quick = params.load(
        "data.source", "audit.seed", "gates.default", f"gates.{network}", "gates.perceptron"
    )
    samples = pd.read_parquet(paths.SAMPLES)
    train = samples.query("split == 'train'").sort_values("row")
    sound = load(network, source, seed, samples, params.thresholds(default, own, source))
    small = replace(sound, thresholds=params.thresholds(default, quick, source))
    console = Console()
    with console.status("planting faults ..."):
        found = [
            *in_serving(sound),
            *in_training(small, *load_split(paths.PROCESSED, "train"), train["population"].to_numpy()),
        ]
    shown = Table(*table(found).columns, box=box.SIMPLE_HEAD)
    for row in table(found).itertuples(index=False):
        shown.add_row(*(f"{cell:.4g}" if isinstance(cell, float) else str(cell) for cell in row))
    console.print(shown)
    if missed := [one.fault for one in found if not one.caught]:
        sys.exit(f"faults: not caught, or refused without the fault too: {'; '.join(missed)}")


if __name__ == "__main__":
    main()
