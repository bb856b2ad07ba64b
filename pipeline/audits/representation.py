"""The data side of the audit: how populations, digits and styles are represented in training, validation and test.

What is rare in training is learnt worse; what differs between the splits makes the test a test of something else.
"""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from pipeline.audits.section import Section
from pipeline.audits.style import STYLES
from pipeline.report import wording
from pipeline.report.figures import plots

SPLITS = {"train": "training", "val": "validation", "test": "test"}
COLOURS = {"train": plots.GREY, "val": plots.BLUE, "test": plots.RED}
NOTABLE = 0.1
"""Standardised mean difference from which groups are called unlike (Austin 2009, Statistics in Medicine 28)."""
CENTRAL = (0.005, 0.995)
"""Quantiles of the training images between which a measure is called familiar."""
QMNIST = {
    ("training and validation", "employees"): (30_950, 289),
    ("training and validation", "students"): (29_050, 250),
    ("test", "employees"): (4_999, 48),
    ("test", "students"): (5_001, 249),
}
"""Images and writers of each population, counted in QMNIST's tables (Yadav and Bottou, NeurIPS 2019)."""
EXTENTS = ("width", "height")
STUDENTS_FIRST = 5_001
"""Rows of MNIST's test file that students wrote, all before the employees': the web page has the halves reversed."""


def measure(samples: pd.DataFrame) -> Section:
    """Measure the representation of groups and styles; ``samples`` has the columns and rows of samples.parquet."""
    has_writers = bool(samples["writer"].notna().any())
    contract = contract_table(samples)
    splits = differences(samples, samples["split"], [("test", "train"), ("val", "train")])
    section = Section(
        key="representation",
        title="What it learnt from",
        question="Are all groups and styles of the test set represented in training, and are the splits kept apart?",
        findings=[contract_sentence(contract), digits_sentence(samples), splits_sentence(splits)],
        tables={
            "The data contract": contract,
            "Images of each split": splits_table(samples),
            "Share of each digit, in per cent of the split": digits_table(samples),
            "Styles of the splits: means, and differences in standard deviations": splits,
        },
        figures={"Digits and styles by split": draw(samples, "split", COLOURS)},
    )
    if not has_writers:
        section.findings.append(
            "How populations and writers are represented is not measurable: "
            "this source does not say who wrote its digits. The same hand may stand in training and in test."
        )
        return section
    hands = differences(samples, samples["population"], [("students", "employees")])
    section.findings += [
        populations_sentence(samples),
        hands_sentence(hands),
        unfamiliar_sentence(unfamiliar(samples)),
        "What this cannot show: populations differ in age, occupation and form at once; age, sex, handedness and "
        "origin were not recorded, so their representation is unknown. All digits are from the United States, about "
        "1990.",
    ]
    section.tables |= {
        "Styles of the populations: means, and differences in standard deviations": hands,
        "Test images outside the central 99 % of the training images, in per cent": unfamiliar(samples),
    }
    section.figures["Digits and styles by population"] = draw(
        samples, "population", {"students": plots.RED, "employees": plots.BLUE}
    )
    return section


def contract_table(samples: pd.DataFrame) -> pd.DataFrame:
    """A row for each fact about the data that the table must bear out: expected, found, and whether it holds."""
    learnt = samples[samples["split"] != "test"]
    facts: list[tuple[str, object, object]] = [
        ("images of one file in two splits", 0, repeated(samples)),
        ("splits whose rows are not counted from 0 without a gap", 0, broken_counts(samples)),
        ("digits that a split lacks", 0, 30 - len(samples[["split", "label"]].drop_duplicates())),
    ]
    if samples["writer"].notna().any():
        halves = {"training and validation": learnt, "test": samples[samples["split"] == "test"]}
        facts.append(("writers in two splits", 0, int((samples.groupby("writer")["split"].nunique() > 1).sum())))
        facts.append(("images without a writer or a population", 0, unattributed(samples)))
        for (half, population), (images, writers) in QMNIST.items():
            theirs = halves[half][halves[half]["population"] == population]
            facts.append((f"images by {population}, {half}", images, len(theirs)))
            facts.append((f"writers among {population}, {half}", writers, theirs["writer"].nunique()))
        students = halves["test"]["source_row"] < STUDENTS_FIRST
        strange = int((students != (halves["test"]["population"] == "students")).sum())
        facts.append(("test images whose population is not that of their place in MNIST's file", 0, strange))
    return pd.DataFrame(
        {"fact": fact, "expected": expected, "found": found, "holds": "yes" if expected == found else "NO"}
        for fact, expected, found in facts
    )


def repeated(samples: pd.DataFrame) -> int:
    """How many images stand in the table twice; MNIST, which alone names writers, has its test set in another file."""
    file = samples["split"] == "test" if samples["writer"].notna().any() else 0
    return int(pd.DataFrame({"file": file, "row": samples["source_row"]}).duplicated().sum())


def broken_counts(samples: pd.DataFrame) -> int:
    """How many splits do not count their rows from 0 to the last, each once."""
    return sum(sorted(rows) != list(range(len(rows))) for _, rows in samples.groupby("split")["row"])


def unattributed(samples: pd.DataFrame) -> int:
    """How many images lack a writer or a population."""
    return int(samples[["writer", "population"]].isna().any(axis=1).sum())


def contract_sentence(contract: pd.DataFrame) -> str:
    """Whether the data contract holds, and where it does not."""
    broken = contract[contract["holds"] == "NO"]
    if broken.empty:
        return f"All {len(contract)} facts of the data contract hold: no image and no known writer is in two splits."
    found = [
        f"{fact}: {found}, expected {expected}"
        for fact, found, expected in zip(broken["fact"], broken["found"], broken["expected"], strict=True)
    ]
    return f"The data contract is BROKEN in {len(broken)} of {len(contract)} facts. {'; '.join(found)}."


def splits_table(samples: pd.DataFrame) -> pd.DataFrame:
    """A row for each split: images, writers, share of each population."""
    rows = []
    for split, name in SPLITS.items():
        part = samples[samples["split"] == split]
        row: dict[str, object] = {"split": name, "images": len(part)}
        if samples["writer"].notna().any():
            row["writers"] = part["writer"].nunique()
            shares = part["population"].value_counts(normalize=True)
            row |= {f"{population}, %": round(100 * share, 1) for population, share in shares.sort_index().items()}
        rows.append(row)
    return pd.DataFrame(rows)


def digits_table(samples: pd.DataFrame) -> pd.DataFrame:
    """A row for each split with the share of each digit, in per cent."""
    shares = pd.crosstab(samples["split"], samples["label"], normalize="index").reindex(list(SPLITS))
    return (100 * shares).round(2).rename(index=SPLITS, columns=str).rename_axis(columns=None).reset_index()


def digits_sentence(samples: pd.DataFrame) -> str:
    """The rarest and the commonest digit in training."""
    counts = samples.loc[samples["split"] == "train", "label"].value_counts()
    return (
        f"The rarest digit in training, {counts.idxmin()}, has {counts.min():,} images, the commonest, "
        f"{counts.idxmax()}, {counts.max():,}: {counts.max() / counts.min():.2f} times as many."
    )


def differences(samples: pd.DataFrame, groups: pd.Series, pairs: list[tuple[str, str]]) -> pd.DataFrame:
    """A row for each style: its mean in each group, and for each of ``pairs`` the standardised mean difference.

    The difference of means over the root of the mean variance (Cohen's d with equal weights).
    """
    styles = samples[list(STYLES)].groupby(groups.to_numpy())
    means, variances = styles.mean(), styles.var()
    table = pd.DataFrame({"style": [f"{name}, {unit}" for name, unit in STYLES.items()]})
    for group in dict.fromkeys(reversed([name for pair in pairs for name in pair])):
        table[SPLITS.get(group, group)] = means.loc[group].round(2).to_numpy()
    for first, second in pairs:
        spread = ((variances.loc[first] + variances.loc[second]) / 2) ** 0.5
        title = f"{SPLITS.get(first, first)} minus {SPLITS.get(second, second)}, SD"
        table[title] = ((means.loc[first] - means.loc[second]) / spread).round(2).to_numpy()
    return table


def splits_sentence(splits: pd.DataFrame) -> str:
    """In which styles test or validation differ from training."""
    apart = splits.filter(like=" minus ")
    unlike = [
        f"{style.split(',')[0]} ({str(pair).split(' minus ')[0]}, {value:+.2f})"
        for pair, values in apart.items()
        for style, value in zip(splits["style"], values, strict=True)
        if abs(value) >= NOTABLE
    ]
    if not unlike:
        return (
            f"Validation and test are written like training: no style's mean differs by as much as {NOTABLE} standard "
            f"deviations."
        )
    return (
        f"Not written like training, by {NOTABLE} standard deviations or more of a style's mean: {', '.join(unlike)}."
    )


def populations_sentence(samples: pd.DataFrame) -> str:
    """The populations' shares, and how many hands each split has seen."""
    parts = []
    for split, name in SPLITS.items():
        part = samples[samples["split"] == split]
        students = part["population"] == "students"
        parts.append(
            f"{name} {wording.percent(students.mean(), 1)} by {part.loc[students, 'writer'].nunique()} students, "
            f"the rest by {part.loc[~students, 'writer'].nunique()} employees"
        )
    return (
        f"Share of the images: {'; '.join(parts)}. An employee gave far more digits to the test set than a student, so "
        f"the employees' error rests on fewer hands."
    )


def hands_sentence(hands: pd.DataFrame) -> str:
    """In which styles the populations differ, the largest difference first."""
    apart = pd.Series(hands.filter(like=" minus ").iloc[:, 0].to_numpy(), index=hands["style"])
    apart = apart[apart.abs() >= NOTABLE].sort_values(key=abs, ascending=False)
    if apart.empty:
        return "The populations do not differ in style."
    words = [f"{str(style).split(',')[0]} ({value:+.2f})" for style, value in apart.items()]
    return (
        f"Population and style go together: students minus employees, in standard deviations, {', '.join(words)}. "
        f"A gap between the populations is therefore also looked at between digits of like style."
    )


def unfamiliar(samples: pd.DataFrame) -> pd.DataFrame:
    """A row for each style: the share of each population's test images beyond `CENTRAL` of training, in per cent."""
    train, test = (samples[samples["split"] == split] for split in ("train", "test"))
    table = pd.DataFrame({"style": list(STYLES)})
    for population in ("students", "employees"):
        theirs = test.loc[test["population"] == population, list(STYLES)]
        low, high = (train[list(STYLES)].quantile(bound) for bound in CENTRAL)
        table[population] = (100 * ((theirs < low) | (theirs > high)).mean()).round(2).to_numpy()
    return table


def unfamiliar_sentence(table: pd.DataFrame) -> str:
    """The style in which most test images are rare in training."""
    students, employees = table["students"], table["employees"]
    most = int(np.maximum(students, employees).argmax())
    return (
        f"Test images are most often unlike those of training in {table['style'][most]}: {students[most]:.1f} % of the "
        f"students' and {employees[most]:.1f} % of the employees' lie beyond the range of the central 99 % of training."
    )


def draw(samples: pd.DataFrame, column: str, colours: dict[str, str]) -> Figure:
    """Draw the share of each digit, and the distribution of each style, by the groups in ``column``."""
    figure = Figure(figsize=(11, 2.6), layout="constrained")
    first, *panels = figure.subplots(1, len(STYLES) + 1, width_ratios=(1.4, 1, 1, 1, 1, 1))
    width = 0.8 / len(colours)
    for place, (group, colour) in enumerate(colours.items()):
        part = samples[samples[column] == group]
        shares = 100 * np.bincount(part["label"], minlength=10) / max(len(part), 1)
        offset = (place - (len(colours) - 1) / 2) * width
        first.bar(np.arange(10) + offset, shares, width, color=colour, label=SPLITS.get(group, group))
        for axes, (style, unit) in zip(panels, STYLES.items(), strict=True):
            axes.hist(part[style], edges(samples[style]), density=True, histtype="step", color=colour, linewidth=1.2)
            axes.set(title=f"{style}, {unit}", yticks=[])
    first.set(xticks=range(10), title="digits, % of the group", ylim=(0, 16))
    figure.legend(*first.get_legend_handles_labels(), frameon=False, loc="outside lower center", ncols=len(colours))
    return figure


def edges(values: pd.Series) -> np.ndarray:
    """Edges of a histogram's bins without the outer thousandths; whole pixels for what comes in thirds of a pixel."""
    low, high = values.quantile([0.001, 0.999]).to_numpy()
    return np.arange(np.floor(low), np.ceil(high) + 1) if values.name in EXTENTS else np.linspace(low, high, 30)
