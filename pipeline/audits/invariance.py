"""What must not change the answer, what must not make it surer, and what must at least be read: section "invariance".

The three kinds of test of CheckList (Ribeiro, Wu, Guestrin and Singh, "Beyond Accuracy: Behavioral Testing of NLP
Models with CheckList", ACL 2020): invariance, directional expectation and minimum functionality.
"""

import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from PIL import Image
from scipy import ndimage

from pipeline.audits.accuracy import exact_interval
from pipeline.audits.gates import Gate
from pipeline.audits.inputs.strokes import STYLES, draw
from pipeline.audits.section import Section, Subject
from pipeline.report import wording
from pipeline.report.figures.plots import BLUE, RED
from serving import schema
from serving.images import decode, normalise_all
from serving.model.recogniser import SIDE

LOSSLESS_IMAGES = 2000
DIRECTION_IMAGES = 1000
DRAWINGS = 20  # of each style
DRAWS = 1000  # resamplings of the images under directional change
EXAMPLES = 12
JSON_BATCH = 500
LOSSLESS_ANCHOR = "Nothing but its preprocessing keeps a network here: a plain one answers for the negative at random."
SMALL_ANCHOR = "A plain CNN of 99.28 % accuracy has 98.1 % where the image is moved by a pixel both ways (measured)."

Reader = Callable[[np.ndarray], np.ndarray]
"""From images, uint8 [N, 28, 28], to what the network is given for them: float32 [N, 28, 28]."""


@dataclass(frozen=True)
class Trial:
    """What became of N answers under one change.

    same: bool [N], whether the digit is that of the untouched image; digit: int64 [N]; pixels: float32 [N, 28, 28],
    what the network was given.
    """

    same: np.ndarray
    digit: np.ndarray
    pixels: np.ndarray


def measure(subject: Subject) -> Section:
    """Hold the recogniser against changes of its images, and against digits drawn as strokes."""
    section = Section(
        "invariance",
        "What must not matter",
        "Does the answer stay the same where only the file, the place, the size or the ink changes a little? Does the "
        "recogniser grow less sure as an image grows worse? Can it read the ways of writing that everybody knows?",
    )
    chosen = np.sort(
        subject.rng("lossless").choice(len(subject.images), subject.at_most(LOSSLESS_IMAGES), replace=False)
    )
    lossless = {name: attempt(subject, chosen, change) for name, change in LOSSLESS.items()}
    small = {name: attempt(subject, np.arange(len(subject.images)), change) for name, change in SMALL.items()}
    limits = subject.limits
    section.gates = [
        gate("invariance_lossless", "lose nothing", lossless, limits.invariance_lossless, LOSSLESS_ANCHOR),
        gate("invariance", "are small", small, limits.invariance, SMALL_ANCHOR),
    ]
    section.tables["Changes that lose nothing"] = consistency(lossless)
    section.tables["Small changes"] = consistency(small)
    worst = worst_of(small)
    if not small[worst].same.all():
        section.figures[f"Answers that changed: {worst}"] = changed(subject, small[worst])
    _directions(subject, section)
    _functionality(subject, section)
    return section


def attempt(subject: Subject, rows: np.ndarray, change: Reader) -> Trial:
    """What becomes of the answers for the images at ``rows`` under one change.

    A picture that reaches the network as it was has the answer that it had; only the others are read again.
    """
    images, before = subject.images[rows], subject.predictions.digit[rows]
    pixels = change(images)
    differing = (pixels != images).any(axis=(1, 2))
    digit = before.copy()
    if differing.any():
        digit[differing] = subject.recogniser.predict(pixels[differing]).digit
    return Trial(digit == before, digit, pixels)


def worst_of(trials: Mapping[str, Trial]) -> str:
    """The change under which the fewest answers stay the same."""
    return min(trials, key=lambda name: trials[name].same.mean())


def gate(name: str, kind: str, trials: Mapping[str, Trial], threshold: float, anchor: str) -> Gate:
    """The share of answers that stay the same under the worst of ``trials``."""
    worst = worst_of(trials)
    same = trials[worst].same
    low, high = interval = exact_interval(int(same.sum()), len(same))
    matters = (
        f"None of {len(trials)} changes that {kind} changes an answer. Under each"
        if same.all()
        else f"Of {len(trials)} changes that {kind}, the one that matters most is: {worst}. Under it"
    )
    sentence = (
        f"{matters} {same.sum():,} of {len(same):,} answers stay the same, {wording.percent(same.mean())}, "
        f"{wording.span(low, high)}."
    )
    return Gate(name, float(same.mean()), interval, "at least", threshold, sentence, anchor)


def consistency(trials: Mapping[str, Trial]) -> pd.DataFrame:
    """A row for each change, the worst first."""
    table = pd.DataFrame(
        {
            "change": list(trials),
            "images": [len(trial.same) for trial in trials.values()],
            "answers changed": [int((~trial.same).sum()) for trial in trials.values()],
            "unchanged, %": [round(100 * float(trial.same.mean()), 2) for trial in trials.values()],
        }
    )
    return table.sort_values("unchanged, %", kind="stable", ignore_index=True)


def changed(subject: Subject, trial: Trial) -> Figure:
    """Draw images whose answer changed, above what became of them; 12 at the most, spread over all."""
    rows = np.flatnonzero(~trial.same)
    rows = rows[np.linspace(0, len(rows) - 1, min(len(rows), EXAMPLES)).astype(int)]
    figure = Figure(figsize=(max(0.85 * len(rows), 3.4), 2.3), layout="constrained")
    for above, below, row in zip(*figure.subplots(2, len(rows), squeeze=False), rows, strict=True):
        pairs = (
            (above, subject.images[row], subject.predictions.digit[row]),
            (below, trial.pixels[row], trial.digit[row]),
        )
        for axes, picture, digit in pairs:
            axes.imshow(picture, cmap="gray_r", vmin=0, vmax=255)
            axes.set_title(f"read as {digit}", size=7, color=RED if digit != subject.labels[row] else "black")
            axes.axis("off")
    return figure


def _files(encode: Callable[[np.ndarray, int], bytes]) -> Reader:
    """Through real files: ``encode`` gets an image, uint8 [28, 28], and its number."""

    def read(images: np.ndarray) -> np.ndarray:
        return np.stack([decode(encode(image, number)) for number, image in enumerate(images)])

    return read


def _saved(picture: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


STORED = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
"""How a picture is stored of which EXIF says that it has one of these orientations; 1 is upright."""


def _turned(image: np.ndarray, number: int) -> bytes:
    """A PNG that is stored as a camera held in one of eight ways would, with the note that says so."""
    orientation = number % 8 + 1
    picture = _grey(image)
    exif = Image.Exif()
    exif[0x0112] = orientation
    return _saved(picture.transpose(STORED[orientation]) if orientation in STORED else picture, "PNG", exif=exif)


def _transparent(image: np.ndarray, number: int) -> bytes:
    """Black ink on nothing."""
    ink = np.zeros((*image.shape, 4), np.uint8)
    ink[..., 3] = image
    return _saved(Image.fromarray(ink), "PNG")


def _json(scale: Literal["0-255", "0-1"]) -> Reader:
    """Through JSON, as the service parses it."""

    def read(images: np.ndarray) -> np.ndarray:
        parts = []
        for start in range(0, len(images), JSON_BATCH):
            numbers = images[start : start + JSON_BATCH] / (255 if scale == "0-1" else 1)
            body = json.dumps({"batch": numbers.tolist(), "scale": scale}).encode()
            parts.append(schema.parse_pixels(body).as_array())
        return np.concatenate(parts)

    return read


def _grey(image: np.ndarray) -> Image.Image:
    return Image.fromarray(image)


LOSSLESS: dict[str, Reader] = {
    "PNG": _files(lambda image, _: _saved(_grey(image), "PNG")),
    "BMP": _files(lambda image, _: _saved(_grey(image), "BMP")),
    "WebP, lossless": _files(lambda image, _: _saved(_grey(image), "WEBP", lossless=True)),
    "TIFF": _files(lambda image, _: _saved(_grey(image), "TIFF")),
    "GIF": _files(lambda image, _: _saved(_grey(image), "GIF")),
    "PNG in colour": _files(lambda image, _: _saved(_grey(image).convert("RGB"), "PNG")),
    "PNG in colour, opaque": _files(lambda image, _: _saved(_grey(image).convert("RGBA"), "PNG")),
    "PNG with a palette": _files(lambda image, _: _saved(_grey(image).convert("P"), "PNG")),
    "PNG of 16 bits": _files(lambda image, _: _saved(Image.fromarray(image.astype(np.uint16) * 257), "PNG")),
    "dark ink on white paper": _files(lambda image, _: _saved(_grey(255 - image), "PNG")),
    "black ink on transparency": _files(_transparent),
    "turned, with the camera's note": _files(_turned),
    "JSON, 0 to 255": _json("0-255"),
    "JSON, 0 to 1": _json("0-1"),
}


def _arrays(change: Callable[[np.ndarray], np.ndarray]) -> Reader:
    """Through ``change``, from float32 [28, 28] to a picture that is rounded to whole grey levels."""

    def read(images: np.ndarray) -> np.ndarray:
        pictures = np.stack([change(image.astype(np.float32)) for image in images])
        return normalise_all(np.clip(np.round(pictures), 0, 255).astype(np.float32))

    return read


def moved(rows: int, columns: int) -> Callable[[np.ndarray], np.ndarray]:
    """Down by ``rows`` and right by ``columns``; what leaves the frame is lost."""
    return lambda image: ndimage.shift(image, (rows, columns), order=0)


def mapped(degrees: float = 0, scale: float = 1) -> Callable[[np.ndarray], np.ndarray]:
    """Turned anticlockwise and scaled about the middle, with linear interpolation."""
    radians = np.radians(degrees)
    matrix = np.array([[np.cos(radians), np.sin(radians)], [-np.sin(radians), np.cos(radians)]]) / scale
    middle = np.full(2, (SIDE - 1) / 2)
    return lambda image: ndimage.affine_transform(image, matrix, middle - matrix @ middle, order=1)


SHIFTS = {
    "down": (1, 0),
    "up": (-1, 0),
    "right": (0, 1),
    "left": (0, -1),
    "down and right": (1, 1),
    "down and left": (1, -1),
    "up and right": (-1, 1),
    "up and left": (-1, -1),
}
SMALL: dict[str, Reader] = {
    **{f"moved a pixel {name}": _arrays(moved(*by)) for name, by in SHIFTS.items()},
    "turned by 5° to the left": _arrays(mapped(degrees=5)),
    "turned by 5° to the right": _arrays(mapped(degrees=-5)),
    "10 % larger": _arrays(mapped(scale=1.1)),
    "10 % smaller": _arrays(mapped(scale=0.9)),
    "10 % more contrast": _arrays(lambda image: image * 1.1),
    "10 % less contrast": _arrays(lambda image: image * 0.9),
    "JPEG of quality 90": _files(lambda image, _: _saved(_grey(image), "JPEG", quality=90)),
    "on paper of 40x40 pixels": _arrays(lambda image: np.pad(image, 6)),
    "enlarged twice": _arrays(lambda image: np.kron(image, np.ones((2, 2)))),
}


@dataclass(frozen=True)
class Direction:
    """A damage that must not make the recogniser surer.

    unit: of its levels, which rise from none; damage: from an image, float32 [28, 28], a level and random numbers of
    the image's own, the same at every level, to the damaged image.
    """

    unit: str
    levels: tuple[float, ...]
    damage: Callable[[np.ndarray, float, np.random.Generator], np.ndarray]


def _occluded(image: np.ndarray, side: float, rng: np.random.Generator) -> np.ndarray:
    """A square of paper over a place within the digit's box, growing around the same middle."""
    row, column = rng.uniform(8, 20, 2)
    grid = np.arange(SIDE)
    hidden = (np.abs(grid - row) < side / 2)[:, None] & (np.abs(grid - column) < side / 2)
    return np.where(hidden, np.float32(0), image)


DIRECTIONS = {
    "noise": Direction(
        "standard deviation, grey levels",
        (0, 25, 50, 75, 100),
        lambda image, level, rng: image + level * rng.standard_normal(image.shape),
    ),
    "blur": Direction(
        "standard deviation, pixels",
        (0, 0.7, 1.2, 1.7, 2.2),
        lambda image, level, _: ndimage.gaussian_filter(image, level),
    ),
    "occlusion": Direction("side of a blank square, pixels", (0, 4, 7, 10, 13), _occluded),
    "rotation": Direction(
        "degrees, to either side",
        (0, 15, 30, 45, 60),
        lambda image, level, rng: mapped(degrees=level * rng.choice((-1, 1)))(image),
    ),
}


def _directions(subject: Subject, section: Section) -> None:
    """How sure the recogniser is as images grow worse."""
    rng = subject.rng("directions")
    rows = np.sort(rng.choice(len(subject.images), subject.at_most(DIRECTION_IMAGES), replace=False))
    curves = {name: confidences(subject, rows, direction) for name, direction in DIRECTIONS.items()}
    resampled = rng.multinomial(len(rows), np.full(len(rows), 1 / len(rows)), size=min(subject.bootstrap, DRAWS))
    for name, curve in curves.items():
        section.findings.append(direction_finding(name, curve, resampled / len(rows)))
    section.tables["Mean confidence as images grow worse"] = pd.DataFrame(
        [
            {"damage": name, "unit": DIRECTIONS[name].unit, "level": level, "mean confidence": round(float(mean), 4)}
            for name, curve in curves.items()
            for level, mean in zip(DIRECTIONS[name].levels, curve.mean(axis=1), strict=True)
        ]
    )
    section.figures["Mean confidence as images grow worse, with 95 % intervals"] = confidence_curves(
        curves, resampled / len(rows)
    )


def confidences(subject: Subject, rows: np.ndarray, direction: Direction) -> np.ndarray:
    """Confidence, float32 [L, N], in the answers for the images at ``rows`` at each level of damage."""
    seeds = subject.rng("damage").integers(2**32, size=len(rows))
    images = subject.images[rows].astype(np.float32)
    result = []
    for level in direction.levels:
        pictures = np.stack(
            [
                direction.damage(image, level, np.random.default_rng(seed))
                for image, seed in zip(images, seeds, strict=True)
            ]
        )
        pixels = normalise_all(np.clip(np.round(pictures), 0, 255).astype(np.float32))
        result.append(subject.recogniser.predict(pixels).confidence)
    return np.stack(result)


def direction_finding(name: str, curve: np.ndarray, shares: np.ndarray) -> str:
    """Whether more of a damage ever raised the mean confidence by more than chance explains.

    Args:
        curve: float [L, N], confidence by level and image.
        shares: float [D, N], each image's share of each of D resamplings (paired bootstrap).
    """
    levels = DIRECTIONS[name].levels
    steps = np.diff(curve, axis=0)
    lows = np.quantile(shares @ steps.T, 0.05, axis=0)
    rises = [
        f"from {start:g} to {end:g} by {100 * step.mean():.2f} percentage points"
        for start, end, step, low in zip(levels, levels[1:], steps, lows, strict=False)
        if low > 0
    ]
    way = f"mean confidence goes from {wording.percent(curve[0].mean(), 1)} to {wording.percent(curve[-1].mean(), 1)}"
    if rises:
        unit = DIRECTIONS[name].unit
        return f"More {name} made the recogniser surer, as it should not: {'; '.join(rises)} ({unit}; {way} in all)."
    return f"More {name} never makes the recogniser surer beyond chance: {way}."


def confidence_curves(curves: Mapping[str, np.ndarray], shares: np.ndarray) -> Figure:
    """Draw mean confidence over level, a panel for each damage."""
    figure = Figure(figsize=(2.6 * len(curves), 2.7), layout="constrained")
    for axes, (name, curve) in zip(
        figure.subplots(1, len(curves), sharey=True, squeeze=False)[0], curves.items(), strict=True
    ):
        direction = DIRECTIONS[name]
        low, high = np.quantile(shares @ curve.T, (0.025, 0.975), axis=0)
        axes.fill_between(direction.levels, low, high, color=BLUE, alpha=0.2, linewidth=0)
        axes.plot(direction.levels, curve.mean(axis=1), "o-", color=BLUE, markersize=4)
        axes.set(title=name, xlabel=direction.unit, ylim=(0, 1.03))
    figure.axes[0].set_ylabel("mean confidence")
    return figure


def _functionality(subject: Subject, section: Section) -> None:
    """Ways of writing that everybody can read, drawn as strokes."""
    rng = subject.rng("strokes")
    pictures = np.stack([draw(style, rng) for style in STYLES.values() for _ in range(DRAWINGS)])
    pixels = normalise_all(pictures.astype(np.float32))
    predictions = subject.recogniser.predict(pixels)
    shape = (len(STYLES), DRAWINGS)
    digit, abstained = predictions.digit.reshape(shape), predictions.abstained.reshape(shape)
    right = digit == np.array([[style.digit] for style in STYLES.values()])
    section.tables["Ways of writing, drawn as strokes"] = pd.DataFrame(
        {
            "way of writing": list(STYLES),
            "digit": [style.digit for style in STYLES.values()],
            "drawn": DRAWINGS,
            "read right": right.sum(axis=1),
            "abstained": abstained.sum(axis=1),
        }
    )
    missed = [
        f"{name} ({count} of {DRAWINGS})"
        for name, count in zip(STYLES, DRAWINGS - right.sum(axis=1), strict=True)
        if count
    ]
    section.findings.append(
        f"Of {right.size} digits drawn as strokes in {len(STYLES)} ways of writing, {right.sum()} are read right"
        + (f"; misread are: {', '.join(missed)}." if missed else ".")
    )
    section.figures["Ways of writing as the network sees them; what is misread is framed, with the answer"] = gallery(
        pixels.reshape(*shape, SIDE, SIDE), digit, right
    )


def gallery(pixels: np.ndarray, digit: np.ndarray, right: np.ndarray) -> Figure:
    """Draw the drawings, a row for each way of writing.

    Args:
        pixels: float32 [S, D, 28, 28]; digit: int64 [S, D], the answers; right: bool [S, D].
    """
    rows, columns = right.shape
    figure = Figure(figsize=(0.42 * columns + 3.2, 0.42 * rows), layout="constrained")
    axes = figure.subplots()
    axes.imshow(pixels.transpose(0, 2, 1, 3).reshape(rows * SIDE, columns * SIDE), cmap="gray_r", vmin=0, vmax=255)
    for row, column in np.argwhere(~right):
        left, top = column * SIDE, row * SIDE
        axes.plot(
            left + np.array([0, 1, 1, 0, 0]) * (SIDE - 1),
            top + np.array([0, 0, 1, 1, 0]) * (SIDE - 1),
            color=RED,
            linewidth=1.2,
        )
        axes.text(left + 2, top + 9, str(digit[row, column]), color=RED, size=8, weight="bold")
    axes.set(xticks=[], yticks=np.arange(rows) * SIDE + SIDE / 2, yticklabels=list(STYLES))
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return figure
