"""Every set of pictures that an audit asks about."""

from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pipeline.audits.inputs import as_sent, canvas, lossless, morphology, non_digits
from pipeline.audits.inputs.corruptions import CORRUPTIONS, CURVES, corrupt
from pipeline.audits.inputs.directions import DIRECTIONS
from pipeline.audits.inputs.kept import (
    failed,
    first_and_least_doubted,
    first_of_each_digit,
    spread,
    surest_misled,
    surest_mistakes,
)
from pipeline.audits.inputs.pen import PENS
from pipeline.audits.inputs.picture_set import PictureSet
from pipeline.audits.inputs.small import JPEG, SMALL, changed
from pipeline.audits.inputs.strokes import STYLES, draw
from pipeline.audits.results import TestSet
from serving.images import normalise_all
from serving.model.recogniser import Predictions, Recogniser

if TYPE_CHECKING:
    from torch import nn

SEVERITY_IMAGES = 2000
MORPHOLOGY_IMAGES = 1000
LOSSLESS_IMAGES = 2000
DIRECTION_IMAGES = 1000
SENT = 500
"""Test digits, of each kind as they are sent and in each strength."""
DRAWINGS = 5
"""Of each form with each pen."""
NON_DIGITS = 1000
"""Pictures in each set, at most."""
FOOLING = 200
PROBE = 200
"""Images for the attacks that show a network every picture many times, or that nothing withstands."""
EPSILONS = (0.1, 0.3)
"""How far attacks may change a pixel, on a scale of 0 to 1."""
GRADIENTS, UNTIL_SURE, BLIND = "APGD", "APGD until sure", "Square"
CHANGED = 12
"""Answers that changed under a small change, of which the report shows so many."""


def picture_sets(test: TestSet) -> list[PictureSet]:
    """All sets that need no gradient of the network, in the order in which answers.parquet has them."""
    return [
        *corruption_sets(test),
        *severity_sets(test),
        *morphology_sets(test),
        *canvas_sets(test),
        *lossless_sets(test),
        *small_sets(test),
        *direction_sets(test),
        *as_sent_sets(test),
        *form_sets(test),
        *non_digit_sets(test),
    ]


def with_gradients(test: TestSet, folder: Path, recogniser: Recogniser, count: int) -> list[PictureSet]:
    """The sets made with the gradients of the torch network in ``folder``, which is loaded where they are made.

    Args:
        recogniser: what that network is served as; count: of the images that are attacked, none where it is 0.
    """

    @cache
    def network() -> "nn.Module":
        import torch

        from pipeline.models.load import load_network

        torch.set_num_threads(1)
        return load_network(folder)

    return [fooling_set(test, network), *attack_sets(test, network, recogniser, count)]


def corruption_sets(test: TestSet) -> Iterator[PictureSet]:
    """All test images under each corruption at its default severity."""
    examples = first_of_each_digit(test)

    def keep(told: Predictions) -> np.ndarray:
        return np.concatenate([examples, surest_mistakes(told, test.labels)])

    for name in CORRUPTIONS:
        make = partial(_corrupted, test, np.arange(len(test.images)), name, f"robustness: {name}")
        yield PictureSet(f"corruption/{name}", np.arange(len(test.images)), make, keep=keep)


def severity_sets(test: TestSet) -> Iterator[PictureSet]:
    """Some images at each severity of the families that are followed."""
    rows = _some(test, SEVERITY_IMAGES, test.rng("robustness: severity"))
    for name, family in CURVES.items():
        for severity in range(1, len(family.severities) + 1):
            make = partial(_corrupted, test, rows, name, f"robustness: {name} {severity}", severity)
            yield PictureSet(f"severity/{name}/{severity}", rows, make)


def _corrupted(test: TestSet, rows: np.ndarray, name: str, purpose: str, severity: int | None = None) -> np.ndarray:
    return corrupt(test.images[rows], name, test.rng(purpose), severity)


def morphology_sets(test: TestSet) -> Iterator[PictureSet]:
    """Some images as they are, and with their strokes changed."""
    rows = _some(test, MORPHOLOGY_IMAGES, test.rng("robustness: morphology"))

    @cache
    def strokes() -> list[morphology.Stroke]:
        return morphology.strokes(test.images[rows])

    def perturbed(name: str) -> np.ndarray:
        return morphology.perturb(strokes(), name, test.rng(f"robustness: {name}"))

    yield PictureSet("morphology/none", rows, lambda: test.images[rows])
    for name in morphology.PERTURBATIONS:
        yield PictureSet(f"morphology/{name}", rows, partial(perturbed, name))


def canvas_sets(test: TestSet) -> Iterator[PictureSet]:
    """Each test image on a canvas of one of several sizes."""
    rng = test.rng("robustness: canvas")
    parts = np.array_split(rng.permutation(len(test.images)), len(canvas.SIDES))
    for side, rows in zip(canvas.SIDES, parts, strict=True):
        where = canvas.layout(len(rows), side, rng)
        yield PictureSet(f"canvas/{side}", rows, partial(_on_canvas, test, rows, where))


def _on_canvas(test: TestSet, rows: np.ndarray, where: canvas.Layout) -> np.ndarray:
    return canvas.place(test.images[rows], where)


def lossless_sets(test: TestSet) -> Iterator[PictureSet]:
    """Some images, sent in ways that lose nothing."""
    rows = _some(test, LOSSLESS_IMAGES, test.rng("lossless"))
    for name, encode in lossless.FILES.items():
        yield PictureSet(f"lossless/{name}", rows, lambda: test.images[rows], "file", encode)
    for name, encode in lossless.JSON.items():
        yield PictureSet(f"lossless/{name}", rows, lambda: test.images[rows], "json", encode)


def small_sets(test: TestSet) -> Iterator[PictureSet]:
    """All test images, changed a little."""
    rows = np.arange(len(test.images))

    def keep(told: Predictions) -> np.ndarray:
        return spread(np.flatnonzero(told.digit != test.predictions.digit), CHANGED)

    for name, change in SMALL.items():
        if name == JPEG:
            encode = lossless.file("JPEG", quality=90)
            yield PictureSet(f"small/{name}", rows, lambda: test.images, "file", encode, keep)
        else:
            yield PictureSet(f"small/{name}", rows, partial(changed, test.images, change), keep=keep)


def direction_sets(test: TestSet) -> Iterator[PictureSet]:
    """Some images at each level of each damage."""
    rows = _some(test, DIRECTION_IMAGES, test.rng("directions"))
    seeds = test.rng("damage").integers(2**32, size=len(rows))
    for name, direction in DIRECTIONS.items():
        for level in direction.levels:
            yield PictureSet(
                f"direction/{name}/{level:g}", rows, partial(direction.at, level, test.images[rows], seeds)
            )


def as_sent_sets(test: TestSet) -> Iterator[PictureSet]:
    """Some images, each set of others, as people send them: of each kind in each strength."""
    for name, kind in as_sent.KINDS.items():
        for strength in range(1, as_sent.STRENGTHS + 1):
            rng = test.rng(f"as sent: {name} {strength}")
            rows, seed = _some(test, SENT, rng), int(rng.integers(2**32))
            encode = partial(as_sent.sent, name, strength, seed)
            keep = partial(failed, labels=test.labels[rows], always=(0,), lenient=kind.lenient)
            yield PictureSet(f"as_sent/{name}/{strength}", rows, partial(_images, test, rows), "file", encode, keep)


def _images(test: TestSet, rows: np.ndarray) -> np.ndarray:
    return test.images[rows]


def form_sets(test: TestSet) -> Iterator[PictureSet]:
    """Digits drawn as strokes, in each form that people write them in, with each pen in turn."""
    places = np.arange(len(PENS) * DRAWINGS)

    def drawn(name: str) -> np.ndarray:
        rng = test.rng(f"forms: {name}")
        return np.stack([draw(STYLES[name], rng, pen) for pen in PENS.values() for _ in range(DRAWINGS)])

    for name, style in STYLES.items():
        keep = partial(failed, labels=np.full(len(places), style.digit), always=places[::DRAWINGS])
        yield PictureSet(f"forms/{name}", places, partial(drawn, name), keep=keep)


def non_digit_sets(test: TestSet) -> Iterator[PictureSet]:
    """Pictures that show no digit."""
    count = test.at_most(NON_DIGITS)
    for name, make in non_digits.sets(test.images, test.labels, count, test.rng("not digits")).items():
        yield PictureSet(f"non_digit/{name}", np.arange(count), make, keep=first_and_least_doubted)


def fooling_set(test: TestSet, network: Callable[[], "nn.Module"]) -> PictureSet:
    """Noise that the network is led to take for digits."""
    count = test.at_most(FOOLING)

    def make() -> np.ndarray:
        from pipeline.audits.inputs.fooling import fooling

        return fooling(network(), count, test.rng("not digits"))

    return PictureSet("non_digit/fooling images", np.arange(count), make, keep=first_and_least_doubted)


def attack_sets(
    test: TestSet, network: Callable[[], "nn.Module"], recogniser: Recogniser, count: int
) -> list[PictureSet]:
    """``count`` test images as they are and attacked, past all preparation of pictures.

    The attack until a wrong digit is sure has every image twice: as it was left, and rounded and centred anew, as an
    image file of it would be.
    """
    rows = test.rng("adversarial").permutation(len(test.images))[:count]

    def misunderstood(told: Predictions) -> np.ndarray:
        """Where the network that is attacked is not what is served."""
        from pipeline.audits.inputs import attacks

        return np.flatnonzero(attacks.digits_of(network(), test.images[rows]) != told.digit)

    def attacked(name: str, rows: np.ndarray, eps: float) -> np.ndarray:
        from pipeline.audits.inputs import attacks

        seed = int(test.rng(f"adversarial, {name}, {eps}").integers(2**63))
        served = attacks.AsServed(network(), recogniser).eval()
        return attacks.run(name, served, test.images[rows], test.labels[rows], eps, seed)

    def twice(name: str, rows: np.ndarray, eps: float) -> np.ndarray:
        pictures = attacked(name, rows, eps)
        return np.concatenate([pictures, normalise_all(np.rint(pictures))])

    def of(name: str, count: int, *levels: float) -> Iterator[PictureSet]:
        some = rows[:count]
        for eps in levels:
            if name == UNTIL_SURE:
                made, keep = partial(twice, name, some, eps), partial(surest_misled, labels=test.labels[some])
                yield PictureSet(f"attack/{name}/{eps:g}", np.tile(some, 2), made, "pixels", keep=keep)
            else:
                yield PictureSet(f"attack/{name}/{eps:g}", some, partial(attacked, name, some, eps), "pixels")

    if not count:
        return []
    clean = PictureSet("attack/none/0", rows, lambda: test.images[rows], "pixels", keep=misunderstood)
    return [
        clean,
        *of(GRADIENTS, PROBE, 1.0),
        *of(BLIND, PROBE, *EPSILONS),
        *of(UNTIL_SURE, PROBE, *EPSILONS),
        *of(GRADIENTS, count, *EPSILONS),
    ]


def _some(test: TestSet, count: int, rng: np.random.Generator) -> np.ndarray:
    """Rows, int [``count`` or a tenth of the test set], in their order."""
    return np.sort(rng.choice(len(test.images), test.at_most(count), replace=False))
