"""How networks that learnt as this one did, each without a fold of the writers, read the hands that they never saw.

The test set's few errors cannot show small gaps between groups. Read out of fold, the images that a network learns from
are six times as many, and speak of its recipe: what is served is none of the networks that read them.
"""

import numpy as np
import pandas as pd

from pipeline.audits import accuracy, population, style, wording
from pipeline.audits.accuracy import exact_interval
from pipeline.audits.section import Section, Subject
from pipeline.plots import misclassified

DECILES = 10
NORMAL_95 = 1.96
POWER_80 = 0.84
"""Standard deviations of a normal distribution beyond which lie 2.5 % on each side, and 20 % on one."""


def measure(subject: Subject, images: np.ndarray, samples: pd.DataFrame) -> Section:
    """Measure the recipe that ``subject`` came from.

    Args:
        images: uint8 [N, 28, 28], of training and validation.
        samples: a row for each, with the columns of samples.parquet, the fold that it was in, and what was read there:
            digit, confidence and whether the network abstained.
    """
    labels, answers, abstained = (samples[name].to_numpy() for name in ("label", "digit", "abstained"))
    wrong, draws = answers != labels, subject.bootstrap
    broken = (samples["components"] > 1).to_numpy()

    raw = population.gap(samples, wrong, draws, subject.rng("recipe: gap"))
    declined = population.gap(samples, abstained, draws, subject.rng("recipe: abstention gap"))
    alike = population.standardised_gap(samples, wrong, draws, subject.rng("recipe: standardised gap"))
    nulls = {
        name: population.permuted(
            population.by_writer(samples, wrong, name), draws, subject.rng(f"recipe: writers: {name}")
        )
        for name in population.POPULATIONS
    }
    populations = population.populations_table(
        samples, wrong, abstained, draws, lambda purpose: subject.rng(f"recipe: {purpose}")
    )
    writers = population.writers_table(samples, wrong, nulls)
    fifths, tenths = (
        {name: style.within_digit(samples[name].to_numpy(), labels, parts) for name in style.STYLES}
        for parts in (style.FIFTHS, DECILES)
    )
    styles = style.styles_table(fifths, labels, wrong, draws, subject.rng("recipe: outer fifths"))
    recall = accuracy.recall_table(labels, answers)
    return Section(
        key="recipe",
        title="Its recipe, on hands never seen",
        question="How are writers read by networks that learnt as this one did, but never saw them?",
        values={
            "error": float(wrong.mean()),
            "population_gap": raw.value,
            "population_gap_upper": raw.upper,
            "digit_recall": float(recall["recall, %"].min() / 100),
            "broken_strokes": float(wrong[broken].mean()),
            "coverage": float(1 - abstained.mean()),
            "answered_error": float(wrong[~abstained].mean()),
        },
        findings=[
            outcome(samples, wrong),
            answered(wrong, abstained),
            between_populations(populations, raw, population.gap(*tested(subject))),
            population.standardisation(samples, raw, alike),
            abstentions(declined),
            accuracy.equal_digits(labels, wrong, draws, subject.rng("recipe: equal digits")),
            accuracy.most_confused(accuracy.confused_pairs(labels, answers)),
            *(population.writers_sentence(row) for row in writers.to_dict("records")),
            style.against_whole(broken, wrong),
            *(style.style_sentence(row) for row in styles.to_dict("records")),
            CANNOT_SHOW,
        ],
        tables={
            "Each network, on the writers that it never saw": folds_table(samples, wrong),
            "The two populations": populations,
            "The gap in error, in percentage points": population.gaps_table(raw, alike),
            "Recall of each digit": recall,
            "Errors over writers, against errors dealt out at random within the population": writers.round(4),
            "Error on broken strokes": style.pieces_table(broken, wrong),
            "Error in the outer fifths of each style, within the digit": styles.round(4),
        },
        figures={
            "Populations and writers: the gap over images taken for independent, over writers drawn again, and between "
            "digits of like style, with 95 % intervals; and how many writers have one error, two, or "
            "more": population.draw(samples, wrong, raw, alike, nulls, subject.limits.population_gap),
            "Error by tenths of style": style.draw(tenths, broken, wrong, DECILES),
            "The images misread with most confidence": misclassified(
                images[wrong], labels[wrong], answers[wrong], samples["confidence"].to_numpy()[wrong]
            ),
        },
    )


CANNOT_SHOW = (
    "What this cannot show: these networks learnt from fewer writers than the one that is served, and from other "
    "random numbers; nothing here is required of it. Nobody has had the labels of these images checked as those of the "
    "test set were, so some of the surest errors will be the label's. The recipe itself was chosen on the images that "
    "serve it as validation, a twelfth of these."
)


def tested(subject: Subject) -> tuple[pd.DataFrame, np.ndarray, int, np.random.Generator]:
    """What the gap in error of the network itself, on the test set, is made of."""
    return subject.samples, subject.wrong, subject.bootstrap, subject.rng("population gap")


def outcome(samples: pd.DataFrame, wrong: np.ndarray) -> str:
    """How many images were read, by how many networks, and how often wrongly; ``wrong`` is bool [N]."""
    folds, errors = samples["fold"].nunique(), int(wrong.sum())
    low, high = exact_interval(errors, len(wrong))
    return (
        f"{folds} networks that learnt as this one did, each without the digits of every {folds}th of the "
        f"{samples['writer'].nunique()} writers of training and validation, read those digits: {errors} of "
        f"{len(wrong):,} images are misread, {wording.percent(errors / len(wrong))}, {wording.span(low, high)}."
    )


def answered(wrong: np.ndarray, abstained: np.ndarray) -> str:
    """How often they answered, by thresholds of their own, and how often wrongly; both bool [N]."""
    given, errors = int((~abstained).sum()), int((wrong & ~abstained).sum())
    low, high = exact_interval(errors, given)
    return (
        f"By thresholds set as its own were, they answer {wording.percent(given / len(wrong))} of the images, and "
        f"{errors} of {given:,} answers are wrong: {wording.percent(errors / given, 3)}, {wording.span(low, high, 3)}."
    )


def between_populations(populations: pd.DataFrame, raw: population.Gap, test: population.Gap) -> str:
    """The gap between the populations, and what gap would have been found, beside what the test set can find."""
    shares = populations.set_index("population")["error, %"]
    return (
        f"Students are misread in {shares['students']:.2f} %, employees in {shares['employees']:.2f} %: a gap of "
        f"{raw.value:+.2f} percentage points, 95 % interval {raw.low:+.2f} to {raw.high:+.2f}. A gap of "
        f"{detectable(raw):.2f} points would be found four times in five; on the test set, where the network itself "
        f"has {test.value:+.2f}, it takes one of {detectable(test):.2f}."
    )


def detectable(found: population.Gap) -> float:
    """The gap, in percentage points, that is told from none with a power of 80 %, by its interval's width."""
    return (NORMAL_95 + POWER_80) * (found.high - found.low) / (2 * NORMAL_95)


def abstentions(found: population.Gap) -> str:
    """The gap in abstention."""
    return (
        f"The share of images declined is {found.value:+.2f} percentage points higher for students than for employees, "
        f"95 % interval {found.low:+.2f} to {found.high:+.2f} over writers."
    )


def folds_table(samples: pd.DataFrame, wrong: np.ndarray) -> pd.DataFrame:
    """A row for each network: whom it read, and how well."""
    rows = []
    for fold in range(samples["fold"].max() + 1):
        theirs = (samples["fold"] == fold).to_numpy()
        given = theirs & ~samples["abstained"].to_numpy()
        rows.append(
            {
                "network": fold + 1,
                "writers": samples["writer"][theirs].nunique(),
                "images": int(theirs.sum()),
                "misread": int(wrong[theirs].sum()),
                "error, %": round(100 * float(wrong[theirs].mean()), 3),
                "declined, %": round(100 * float(1 - given.sum() / theirs.sum()), 2),
                "wrong answers": int(wrong[given].sum()),
                "wrong among the answers, %": round(100 * float(wrong[given].mean()), 3),
            }
        )
    return pd.DataFrame(rows)
