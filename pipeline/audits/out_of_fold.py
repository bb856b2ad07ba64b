"""How networks that learnt as this one did, each without a fold of the writers, read the hands that they never saw.

The test set's few errors cannot show small gaps between groups. Read out of fold, the images that a network learns from
are six times as many, and speak of its recipe: what is served is none of the networks that read them.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from pipeline.audits import accuracy, calibration, population, style
from pipeline.audits.accuracy import exact_interval
from pipeline.audits.gates import Gate
from pipeline.audits.section import Section, Subject
from pipeline.report import wording
from pipeline.report.figures.plots import misclassified

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
    labels, answers, confidence, abstained = (
        samples[name].to_numpy() for name in ("label", "digit", "confidence", "abstained")
    )
    wrong, draws = answers != labels, subject.bootstrap
    broken = (samples["components"] > 1).to_numpy()

    raw = population.gap(samples, wrong, draws, subject.rng("recipe: gap"))
    own = population.gap(subject.samples, subject.wrong, draws, subject.rng("population gap"))
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
    limits = subject.limits
    gates = [
        accuracy.error(wrong, limits.error),
        accuracy.digit_recall(labels, wrong, limits.digit_recall),
        population.population_gap(samples, wrong, raw, limits.population_gap),
        population.students_error(samples, wrong, draws, subject.rng("recipe: students' error"), limits.students_error),
        population.abstention_gap(
            samples, abstained, draws, subject.rng("recipe: abstention gap"), limits.abstention_gap
        ),
        style.broken_strokes(broken, wrong, limits.broken_strokes),
        calibration.coverage(~abstained, limits.coverage),
        calibration.answered_error(~abstained, wrong, limits.answered_error),
    ]
    return Section(
        key="recipe",
        title="Its recipe, on hands never seen",
        question="How are writers read by networks that learnt as this one did, but never saw them?",
        values={gate.name: gate.value for gate in gates if gate.value is not None},
        findings=[
            outcome(samples, wrong),
            answered(wrong, abstained),
            between_populations(populations, raw, own),
            against_gates(gates),
            labels_in_doubt(confidence[wrong]),
            population.standardisation(samples, raw, alike),
            accuracy.equal_digits(labels, wrong, draws, subject.rng("recipe: equal digits")),
            accuracy.most_confused(accuracy.confused_pairs(labels, answers)),
            *(population.writers_sentence(row) for row in writers.to_dict("records")),
            style.against_whole(broken, wrong),
            *(style.style_sentence(row) for row in styles.to_dict("records")),
            CANNOT_SHOW,
        ],
        tables={
            "What was found out of fold, beside the gates": gates_table(gates),
            "Each network, on the writers that it never saw": folds_table(samples, wrong),
            "The two populations": populations,
            "The gap in error, in percentage points": population.gaps_table(raw, alike),
            "Recall of each digit": accuracy.recall_table(labels, answers),
            "Errors over writers, against errors dealt out at random within the population": writers.round(4),
            "Error on broken strokes": style.pieces_table(broken, wrong),
            "Error in the outer fifths of each style, within the digit": styles.round(4),
        },
        figures={
            "Populations and writers: the gap over images taken for independent, over writers drawn again, and between "
            "digits of like style, with 95 % intervals; and how many writers have one error, two, or "
            "more": population.draw(samples, wrong, raw, alike, nulls, limits.population_gap),
            "Error by tenths of style": style.draw(tenths, broken, wrong, DECILES),
            "The images misread with most confidence": misclassified(
                images[wrong], labels[wrong], answers[wrong], confidence[wrong]
            ),
        },
    )


CANNOT_SHOW = (
    "What this cannot show: these networks learnt from fewer writers than the one that is served, and from other "
    "random numbers; nothing here is required of it. The recipe itself was chosen on the images that serve it as "
    "validation, a twelfth of these."
)


def outcome(samples: pd.DataFrame, wrong: np.ndarray) -> str:
    """How many images were read, by how many networks, and how often wrongly; ``wrong`` is bool [N]."""
    folds, errors = samples["fold"].nunique(), int(wrong.sum())
    low, high = exact_interval(errors, len(wrong))
    return (
        f"{folds} networks that learnt as this one did, each without one of {folds} folds of the "
        f"{samples['writer'].nunique()} writers of training and validation, read what those wrote: {errors} of "
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


def against_gates(gates: Sequence[Gate]) -> str:
    """Which gates the recipe would miss, were they its own."""
    missed = [
        f"{wording.requirement(gate.name).title} ({wording.verdict(gate.record())})"
        for gate in gates
        if not gate.passed
    ]
    told = f"miss {len(missed)}: {'; '.join(missed)}" if missed else "meet all of them"
    return (
        f"The gates are for the network that is served, on the test set. Held to the {len(gates)} of them that can be "
        f"asked of it, the recipe would {told}."
    )


def labels_in_doubt(confidence: np.ndarray) -> str:
    """How many errors, float [E], are so sure that their labels should be looked at."""
    sure = int((confidence > calibration.SURE).sum())
    return (
        f"Of the errors, {sure} are made with confidence above {calibration.SURE:.2f}. Nobody has had these labels "
        f"checked, as those of the test set were: where one's picture shows what was read, its label is wrong."
    )


def gates_table(gates: Sequence[Gate]) -> pd.DataFrame:
    """A row for each gate: what was found out of fold, and what is asked of the network itself on the test set."""
    return pd.DataFrame(
        {
            "requirement": wording.requirement(record["name"]).title,
            "found": wording.found(record),
            "95 % interval": wording.interval(record),
            "asked of the network itself": wording.asked(record),
            "would be": wording.standing(record),
        }
        for record in (gate.record() for gate in gates)
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
