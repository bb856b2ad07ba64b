"""The data side of the audit: how populations, digits and styles are represented in training, validation and test.

What is rare in training is learnt worse; what differs between the splits makes the test a test of something else.
"""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from pipeline.audits.style import STYLES
from pipeline.data.sources import SOURCES, Source

SPLITS = {"train": "training", "val": "validation", "test": "test"}
NOTABLE = 0.1
"""Standardised mean difference from which groups are called unlike (Austin 2009, Statistics in Medicine 28)."""
CENTRAL = (0.005, 0.995)
"""Quantiles of the training images between which a measure is called familiar."""


def measure(samples: pd.DataFrame, source: str) -> dict[str, Any]:
    """The representation of groups and styles.

    Args:
        samples: the columns and rows of samples.parquet. source: that they are from.
    """
    has_writers = bool(samples["writer"].notna().any())
    contract = contract_table(samples, source)
    counts = samples.loc[samples["split"] == "train", "label"].value_counts()
    by_split = differences(samples, samples["split"], [("test", "train"), ("val", "train")])
    found = {
        "samples": samples,
        "writers_known": has_writers,
        "notable": NOTABLE,
        "facts": len(contract),
        "broken_facts": contract[contract["holds"] == "NO"],
        "rarest_digit": int(counts.index.to_numpy()[counts.argmin()]),
        "rarest_images": int(counts.min()),
        "commonest_digit": int(counts.index.to_numpy()[counts.argmax()]),
        "commonest_images": int(counts.max()),
        "contract": contract,
        "splits": splits_table(samples, has_writers),
        "digits": digits_table(samples),
        "styles_of_splits": styles_table(by_split),
        "unlike_splits": unlike(by_split),
    }
    if not has_writers:
        return found
    by_population = differences(samples, samples["population"], [("students", "employees")])
    strange = unfamiliar(samples)
    return found | {
        "styles_of_populations": styles_table(by_population),
        "unlike_populations": unlike(by_population).sort_values("difference", key=abs, ascending=False),
        "unfamiliar": strange,
        "most_unfamiliar": int(strange[["students_percent", "employees_percent"]].max(axis=1).argmax()),
    }


def contract_table(samples: pd.DataFrame, source: str) -> pd.DataFrame:
    """A row for each fact about the data that the table must bear out: expected, found, and whether it holds."""
    facts: list[tuple[str, int, int]] = [
        ("images of one file in two splits", 0, repeated(samples, source)),
        ("splits whose rows are not counted from 0 without a gap", 0, broken_counts(samples)),
        ("digits that a split lacks", 0, 30 - len(samples[["split", "label"]].drop_duplicates())),
    ]
    if samples["writer"].notna().any():
        facts.append(("writers in two splits", 0, int((samples.groupby("writer")["split"].nunique() > 1).sum())))
        facts.append(("images without a writer or a population", 0, unattributed(samples)))
    if source in SOURCES:
        facts += published(samples, SOURCES[source])
    return pd.DataFrame(
        {"fact": fact, "expected": expected, "found": found, "holds": "yes" if expected == found else "NO"}
        for fact, expected, found in facts
    )


def published(samples: pd.DataFrame, source: Source) -> list[tuple[str, int, int]]:
    """What is known of a source's populations: each fact, expected and found."""
    test = samples["split"] == "test"
    halves = {"training and validation": samples[~test], "test": samples[test]}
    facts = []
    for (half, population), (images, writers) in (source.people or {}).items():
        theirs = halves[half][halves[half]["population"] == population]
        facts.append((f"images by {population}, {half}", images, len(theirs)))
        facts.append((f"writers among {population}, {half}", writers, theirs["writer"].nunique()))
    if source.first_in_test:
        population, count = source.first_in_test
        first = halves["test"]["source_row"] < count
        strange = int((first != (halves["test"]["population"] == population)).sum())
        facts.append(("test images whose population is not that of their place in the file", 0, strange))
    return facts


def repeated(samples: pd.DataFrame, source: str) -> int:
    """How many images stand in the table twice; the test set of a source that counts its halves is another file."""
    file = samples["split"] == "test" if source in SOURCES and SOURCES[source].people else 0
    return int(pd.DataFrame({"file": file, "row": samples["source_row"]}).duplicated().sum())


def broken_counts(samples: pd.DataFrame) -> int:
    """How many splits do not count their rows from 0 to the last, each once."""
    return sum(sorted(rows) != list(range(len(rows))) for _, rows in samples.groupby("split")["row"])


def unattributed(samples: pd.DataFrame) -> int:
    """How many images lack a writer or a population."""
    return int(samples[["writer", "population"]].isna().any(axis=1).sum())


def splits_table(samples: pd.DataFrame, has_writers: bool) -> pd.DataFrame:
    """A row for each split: images and, where writers are known, those of each population and its share."""
    rows = []
    for split, name in SPLITS.items():
        part = samples[samples["split"] == split]
        row: dict[str, object] = {"split": name, "images": len(part)}
        if has_writers:
            row["writers"] = part["writer"].nunique()
            for population, theirs in part.groupby("population"):
                row[str(population)] = theirs["writer"].nunique()
                row[f"images_by_{population}_percent"] = 100 * len(theirs) / len(part)
        rows.append(row)
    return pd.DataFrame(rows)


def digits_table(samples: pd.DataFrame) -> pd.DataFrame:
    """A row for each split with the share of each digit, in per cent."""
    shares = pd.crosstab(samples["split"], samples["label"], normalize="index").reindex(list(SPLITS))
    return (100 * shares).rename(index=SPLITS, columns=str).rename_axis(columns=None).reset_index()


def differences(samples: pd.DataFrame, groups: pd.Series, pairs: Sequence[tuple[str, str]]) -> pd.DataFrame:
    """A row for each style and each of ``pairs`` of groups: its means, and the standardised mean difference.

    The difference of means over the root of the mean variance (Cohen's d with equal weights).
    """
    styles = samples[list(STYLES)].groupby(groups.to_numpy())
    means, variances = styles.mean(), styles.var()
    rows = []
    for first, second in pairs:
        spread = ((variances.loc[first] + variances.loc[second]) / 2) ** 0.5
        columns = (means.loc[first], means.loc[second], (means.loc[first] - means.loc[second]) / spread)
        names = {"first": SPLITS.get(first, first), "second": SPLITS.get(second, second)}
        rows += [
            {"style": style, **names, "first_mean": one, "second_mean": other, "difference": apart}
            for style, one, other, apart in zip(STYLES, *(column.to_numpy(float) for column in columns), strict=True)
        ]
    return pd.DataFrame(rows)


def styles_table(apart: pd.DataFrame) -> pd.DataFrame:
    """`differences` with a row for each style, whose last columns are in standard deviations."""
    means: dict[str, pd.Series] = {}
    deviations: dict[str, pd.Series] = {}
    for (first, second), rows in apart.set_index("style").groupby(["first", "second"], sort=False):
        means |= {str(second): rows["second_mean"], str(first): rows["first_mean"]}
        deviations[f"{first}_minus_{second}_sd"] = rows["difference"]
    table = pd.DataFrame(means | deviations).rename_axis("style").reset_index()
    return table.assign(style=[f"{name}, {STYLES[name]}" for name in table["style"]])


def unlike(apart: pd.DataFrame) -> pd.DataFrame:
    """The `differences` that are notable when rounded to hundredths, as they are told."""
    return apart[apart["difference"].abs().round(2) >= NOTABLE]


def unfamiliar(samples: pd.DataFrame) -> pd.DataFrame:
    """A row for each style: the share of each population's test images beyond `CENTRAL` of training, in per cent."""
    train, test = (samples[samples["split"] == split] for split in ("train", "test"))
    low, high = (train[list(STYLES)].quantile(bound) for bound in CENTRAL)
    table = pd.DataFrame({"style": list(STYLES)})
    for population in ("students", "employees"):
        theirs = test.loc[test["population"] == population, list(STYLES)]
        table[f"{population}_percent"] = (100 * ((theirs < low) | (theirs > high)).mean()).to_numpy()
    return table
