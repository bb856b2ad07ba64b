"""Whether unusual handwriting is read as well as usual: broken strokes, and the outer fifths of five measures.

A digit's measures depend on the digit (a 1 is thin and light), so images are ranked among those of the same digit.
"""

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.stats import fisher_exact

from pipeline.audits.accuracy import exact_interval, exact_percent, permutation_p
from pipeline.audits.gates import Gate
from pipeline.audits.section import Figures, Section, Subject
from pipeline.report.figures import plots
from pipeline.report import wording

STYLES = {"thickness": "px", "slant": "°", "ink": "px²", "width": "px", "height": "px"}
FIFTHS = 5
BROKEN_ANCHOR = (
    "Two plain ConvNets without augmentation, measured for this project, misread 2.6 % and 3.1 % of MNIST's broken "
    "digits, five to six times the share among digits in one piece."
)


def measure(subject: Subject) -> Section:
    """Measure the error on broken strokes and on unusual styles."""
    labels, wrong = subject.labels, subject.wrong
    broken = (subject.samples["components"] > 1).to_numpy()
    fifths = {name: within_digit(subject.samples[name].to_numpy(), labels, FIFTHS) for name in STYLES}
    table = styles_table(fifths, labels, wrong, subject.bootstrap, subject.rng("outer fifths"))
    figures: Figures = {"Error by fifths of style": draw(fifths, broken, wrong, FIFTHS)}
    if (misread := broken & wrong).any():
        figures["The misread images whose strokes are broken"] = plots.misclassified(
            subject.images[misread],
            labels[misread],
            subject.predictions.digit[misread],
            subject.predictions.confidence[misread],
        )
    return Section(
        key="style",
        title="How it is written",
        question="Are digits in an unusual hand (thin, thick, slanted, small, broken) read as well as the usual?",
        gates=[broken_strokes(broken, wrong, subject.limits.broken_strokes)],
        findings=[
            against_whole(broken, wrong),
            *(style_sentence(row) for row in table.to_dict("records")),
            CANNOT_SHOW,
        ],
        tables={
            "Error on broken strokes": pieces_table(broken, wrong),
            "Error in the outer fifths of each style, within the digit": table.round(4),
        },
        figures=figures,
    )


CANNOT_SHOW = (
    "What this cannot show: the measures are taken from the image, and why somebody writes so is not recorded: a "
    "backward slant is no proof of a left hand. Which fifth is worst changes from one training to the next, so a "
    "finding here is of this network, not of its recipe."
)


def within_digit(values: np.ndarray, labels: np.ndarray, parts: int) -> np.ndarray:
    """The part of its digit's images that each one falls into by rank, int [N] in 0..parts-1; -1 without a value.

    Equal values share their mean rank, so that an outer part is empty where its values cannot be told apart.

    Args:
        values: float [N], NaN where unmeasured. labels: int [N].
    """
    rank = pd.Series(values).groupby(labels).rank(pct=True).to_numpy()
    return np.where(np.isnan(rank), 0, np.ceil(rank * parts - 1e-9)).astype(int) - 1


def broken_strokes(broken: np.ndarray, wrong: np.ndarray, threshold: float) -> Gate:
    """The error on images whose ink lies in more than one piece; both bool [N]."""
    images, errors = int(broken.sum()), int((broken & wrong).sum())
    if not images:
        sentence = "Not measurable: no test image has strokes in more than one piece."
        return Gate("broken_strokes", None, None, "at most", threshold, sentence, BROKEN_ANCHOR)
    low, high = interval = exact_interval(errors, images)
    sentence = (
        f"{errors} of the {images:,} test images whose strokes are broken are misread: "
        f"{wording.percent(errors / images)}, {wording.span(low, high)}."
    )
    return Gate("broken_strokes", errors / images, interval, "at most", threshold, sentence, BROKEN_ANCHOR)


def against_whole(broken: np.ndarray, wrong: np.ndarray) -> str:
    """Broken strokes against whole ones, by Fisher's exact test."""
    if not broken.any() or broken.all():
        return "Broken and whole strokes cannot be compared: all images are of one kind."
    counts = [[int((kind & wrong).sum()), int((kind & ~wrong).sum())] for kind in (broken, ~broken)]
    (errors, right), (others, others_right) = counts
    share, rest = errors / (errors + right), others / (others + others_right)
    ratio = f"{share / rest:.1f} times as often" if rest else "as against never"
    return (
        f"A digit in more than one piece is misread in {wording.percent(share)}, one in a single piece in "
        f"{wording.percent(rest)}: {ratio} (Fisher's exact test, p = {fisher_exact(np.array(counts)).pvalue:.2g})."
    )


def pieces_table(broken: np.ndarray, wrong: np.ndarray) -> pd.DataFrame:
    """Images and errors with strokes in one piece, and in more."""
    return pd.DataFrame(
        {
            "strokes": name,
            "images": int(kind.sum()),
            "misread": int((kind & wrong).sum()),
            "error, %": round(100 * float(wrong[kind].mean()), 3) if kind.any() else np.nan,
            "95 % interval": exact_percent(int((kind & wrong).sum()), int(kind.sum())),
        }
        for name, kind in (("in one piece", ~broken), ("broken", broken))
    )


def styles_table(
    fifths: dict[str, np.ndarray], labels: np.ndarray, wrong: np.ndarray, draws: int, rng: np.random.Generator
) -> pd.DataFrame:
    """A row for each style: error shares, and the outer fifths' permutation test, corrected by Holm (1979)."""
    rows = []
    for name, fifth in fifths.items():
        lowest, middle, highest = thirds = outer(fifth)
        rows.append(
            {
                "style": name,
                "lowest fifth, error %": percent(wrong[lowest]),
                "middle, error %": percent(wrong[middle]),
                "highest fifth, error %": percent(wrong[highest]),
                "errors in the outer fifths": int(wrong[lowest | highest].sum()),
                "errors": int(wrong[fifth >= 0].sum()),
                "p": outer_p(thirds, labels, wrong, draws, rng),
            }
        )
    table = pd.DataFrame(rows)
    return table.assign(**{"p, Holm": holm(table["p"].to_numpy())})


def outer(fifth: np.ndarray) -> np.ndarray:
    """Whether each image is in the lowest fifth, in the middle, in the highest fifth: bool [3, N]."""
    return np.stack([fifth == 0, (fifth > 0) & (fifth < FIFTHS - 1), fifth == FIFTHS - 1])


def percent(wrong: np.ndarray) -> float:
    """The error of a group, bool [N], in per cent; NaN for an empty one."""
    return 100 * float(wrong.mean()) if len(wrong) else np.nan


def outer_p(thirds: np.ndarray, labels: np.ndarray, wrong: np.ndarray, draws: int, rng: np.random.Generator) -> float:
    """Whether errors gather in the lowest fifth, the highest, or both: p against errors dealt out within each digit.

    The statistic is the largest of the three standardised excesses, so that harm at both ends counts as much as at one,
    which a test for a trend would miss.
    """
    null = np.zeros((draws, 3), dtype=np.int64)
    for digit in np.unique(labels):
        theirs = thirds & (labels == digit)
        null += rng.multivariate_hypergeometric(theirs.sum(1), int((theirs & wrong).sum()), size=draws)
    ends, found = with_both(null), with_both((thirds & wrong).sum(1)[None])
    mean, spread = ends.mean(0), np.maximum(ends.std(0), np.finfo(float).eps)
    return permutation_p(float(((found - mean) / spread).max()), ((ends - mean) / spread).max(1))


def with_both(counts: np.ndarray) -> np.ndarray:
    """Errors in the lowest fifth, the highest, and both, int [D, 3], of errors by third, int [D, 3]."""
    return np.stack([counts[:, 0], counts[:, 2], counts[:, 0] + counts[:, 2]], axis=1)


def holm(p: np.ndarray) -> np.ndarray:
    """P-values, float [K], corrected for their number (Holm 1979)."""
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    corrected = np.empty_like(p)
    corrected[order] = np.minimum(stepped, 1)
    return corrected


def style_sentence(row: Mapping[Hashable, Any]) -> str:
    """One row of `styles_table` in words."""
    verdict = "matters" if row["p, Holm"] < 0.05 else "shows no effect beyond chance"
    ends = [
        f"{row[f'{name} fifth, error %']:.2f} % of the {name} fifth"
        for name in ("lowest", "highest")
        if not np.isnan(row[f"{name} fifth, error %"])
    ]
    return (
        f"{row['style'].capitalize()} {verdict}: misread are {', '.join(ends)}, "
        f"{row['middle, error %']:.2f} % of the middle (p = {row['p, Holm']:.3g} after Holm's correction for five "
        f"styles)."
    )


def draw(ranks: dict[str, np.ndarray], broken: np.ndarray, wrong: np.ndarray, parts: int) -> Figure:
    """Draw the error in each of so many parts of each style, and by pieces, with exact intervals."""
    figure = Figure(figsize=(11, 2.6), layout="constrained")
    panels = figure.subplots(1, len(ranks) + 1, sharey=True)
    for axes, (style, rank) in zip(panels, ranks.items(), strict=False):
        shares(axes, [wrong[rank == part] for part in range(parts)])
        axes.set(title=style, xticks=[0, (parts - 1) / 2, parts - 1], xticklabels=["low", "middle", "high"])
    shares(panels[-1], [wrong[~broken], wrong[broken]])
    panels[-1].set(title="strokes", xticks=range(2), xticklabels=["whole", "broken"], xlim=(-0.5, 1.5))
    panels[0].set(ylabel="error, %", ylim=(0, None))
    return figure


def shares(axes: Axes, groups: list[np.ndarray]) -> None:
    """Draw the error of each group, bool [N], with its exact interval; an empty group has none."""
    for place, wrong in enumerate(groups):
        if len(wrong):
            share = percent(wrong)
            low, high = (100 * bound for bound in exact_interval(int(wrong.sum()), len(wrong)))
            reach = [[max(share - low, 0)], [max(high - share, 0)]]
            axes.errorbar([place], [share], yerr=reach, fmt="o", color=plots.BLUE, markersize=4, capsize=2)
