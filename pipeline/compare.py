"""Compare two trainings that MLflow knows: parameters, metrics with paired tests, pictures that only one of them gets.

    python -m pipeline.compare mlp convnet
    python -m pipeline.compare convnet-f2a38e67 models:/inkwell-mnist@champion --out comparison.html

A run is called by its id, its name, its network, which means the last one, or a registered model's URI. Tests are
paired: both answered the same images. Validation chooses between networks; the test set is for looking at.
"""

import argparse
import io
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from PIL import Image
from rich.console import Console
from rich.table import Table

from pipeline import params, terminal
from pipeline.params import ParamsError
from pipeline.paths import PROCESSED
from pipeline.report import comparison
from pipeline.report.comparison import Paired
from pipeline.report.figures.comparison import SHOWN, alone, curves
from pipeline.report.page import picture
from pipeline.report.templates import template
from pipeline.tracking import shown, store
from pipeline.tracking.away import StoreError
from pipeline.tracking.find import ANSWERS, Found, NotFoundError, find

FOLDERS = {"validation": "val", "test": "test"}
LISTED = 10
"""So many pictures are told of in words."""


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("first", help="a run: its id, name or network, or models:/NAME@ALIAS or models:/NAME/VERSION")
    parser.add_argument("second", help="another, called likewise")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write it, with curves and pictures: .html or .png")
    given = parser.parse_args(argv)
    if given.out and given.out.suffix not in (".html", ".png"):
        parser.error(f"--out {given.out}: expected a file that ends in .html or .png")
    try:
        source = params.load("data.source")
        client = store.open_store()
        first, second = (find(client, asked, source) for asked in (given.first, given.second))
    except (NotFoundError, ParamsError, StoreError) as error:
        sys.exit(f"compare: {error}")
    tested = {split: paired for split in ANSWERS if (paired := pair(first, second, split))}
    console = terminal.console(record=True)
    show(console, first, second, tested)
    if given.out:
        figures = draw(first, second, tested)
        if given.out.suffix == ".html":
            write_page(given.out, first, second, tested, figures)
        else:
            write_picture(given.out, console.export_text(), [figure for _, figure in figures])
        console.print(f"Written to {given.out}.", soft_wrap=True)
    else:
        console.print("With --out FILE.html or FILE.png: the curves and the pictures themselves.", style="dim")


def pair(first: Found, second: Found, split: str) -> Paired | None:
    """Both runs' answers to a split compared; None where one has none, or they are to other images."""
    if first.source != second.source or split not in first.answers.keys() & second.answers.keys():
        return None
    return comparison.paired(first.answers[split], second.answers[split])


def facts(first: Found, second: Found) -> list[tuple[str, str, str]]:
    """What the two runs are, in short: a row each, with name, first and second."""
    named = {"network": "network", "data": "source", "run key": "run_key", "commit": "git_commit", "gates": "gates"}
    runs = first.run, second.run
    rows = {"run": [run.info.run_id for run in runs]}
    rows |= {name: [run.data.tags.get(tag, "–")[:60] for run in runs] for name, tag in named.items()}
    rows["status"] = [run.info.status for run in runs]
    return [(name, one, other) for name, (one, other) in rows.items()]


def parameters(first: Found, second: Found) -> pd.DataFrame:
    """Parameters that differ, and what else was read that differs, by its hash."""

    def read(found: Found) -> dict[str, str]:
        inputs = {name: sha[:12] for name, sha in found.run.data.tags.items() if name.startswith("input.")}
        named: dict[str, str] = shown.hyperparameters(found.run.data.params, found.network)
        return named | {f"sha256 of {name.removeprefix('input.')}": sha for name, sha in inputs.items()}

    return comparison.differing(read(first), read(second))


def metrics(first: Found, second: Found) -> pd.DataFrame:
    """Metrics that differ, without curves and what was measured of the machine."""

    def last(found: Found) -> dict[str, float]:
        values = found.run.data.metrics.items()
        return {name: value for name, value in values if not name.startswith(("curve/", "system/"))}

    return comparison.differing(last(first), last(second))


def show(console: Console, first: Found, second: Found, tested: dict[str, Paired]) -> None:
    """Print what differs."""
    heads = names(first, second)
    head = Table("", *heads)
    for row in facts(first, second):
        head.add_row(*row)
    console.print(head)
    for note in first.notes + second.notes:
        console.print(f"Mind: {note}.", style="yellow", soft_wrap=True)
    differ = Table("parameter or input", *heads, title="What went in and differs", title_justify="left")
    for row in parameters(first, second).itertuples(index=False):
        differ.add_row(*(text(value) for value in row))
    console.print(differ if differ.row_count else "The same went in.")
    for split in ANSWERS:
        if split in tested:
            show_paired(console, split, tested[split], heads)
        else:
            console.print(f"{split}: no answers of both to the same images.", style="yellow")
    measured = Table("metric", *heads, "difference", title="Other metrics that differ", title_justify="left")
    for name, one, other in metrics(first, second).itertuples(index=False):
        both = one is not None and other is not None
        measured.add_row(name, text(one), text(other), f"{other - one:+.4g}" if both else "")
    if measured.row_count:
        console.print(measured)


def show_paired(console: Console, split: str, paired: Paired, heads: Sequence[str]) -> None:
    """Print the paired tests of a split, and which pictures only one of the runs gets."""
    title = f"On {split}, {len(paired.answers):,} images, the same for both"
    tests = Table("mean of", *heads, "difference", "p", "test", title=title, title_justify="left")
    for one in paired.measures:
        difference = f"{one.second - one.first:+.5f}"
        tests.add_row(one.name, f"{one.first:.5f}", f"{one.second:.5f}", difference, f"{one.p:.3g}", one.test)
    console.print(tests)
    for rows, right, wrong, side in sides(paired, heads):
        told = [
            f"{row} ({label}, taken for {digit})"
            for row, label, digit in rows[["row", "label", f"digit_{side}"]].head(LISTED).itertuples(index=False)
        ]
        more = ", ..." if len(rows) > LISTED else ""
        which = f": {', '.join(told)}{more}" if told else ""
        console.print(f"{right} alone gets {len(rows)} that {wrong} does not{which}", highlight=False)


def sides(paired: Paired, heads: Sequence[str]) -> list[tuple[pd.DataFrame, str, str, str]]:
    """What only the one gets, its name, the other's, and which of the two the other is; then the other way round."""
    first, second = heads
    return [(paired.first_alone, first, second, "second"), (paired.second_alone, second, first, "first")]


def names(first: Found, second: Found) -> list[str]:
    """What the two are called: by their runs, or as they were asked for where that is one."""
    return [one.asked if first.name == second.name else one.name for one in (first, second)]


def text(value: object) -> str:
    """A value as it is printed; a dash for none."""
    return "–" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)


def draw(first: Found, second: Found, tested: dict[str, Paired]) -> list[tuple[str, Figure]]:
    """The curves and, of each split whose images are at hand, what only one of the runs gets, with captions."""
    heads = names(first, second)
    figures = [("Validation error and loss over the epochs.", curves(first.curve, second.curve, heads))]
    for split, paired in tested.items():
        images = at_hand(split, paired)
        for rows, right, wrong, side in sides(paired, heads):
            if images is not None and len(rows):
                title = f"{split}: {len(rows)} that {right} alone gets, with what {wrong} takes them for"
                of_them = f" The surest {SHOWN} of them." if len(rows) > SHOWN else ""
                caption = f"On {split}: label → answer (confidence) of {wrong}, where {right} is right.{of_them}"
                figures.append((caption, alone(images, rows, side, title)))
    return figures


def at_hand(split: str, paired: Paired) -> np.ndarray | None:
    """The images of a split, uint8 [N, 28, 28], if those that were answered lie in data/processed/."""
    folder = PROCESSED / FOLDERS[split]
    if not (folder / "labels.npy").exists():
        return None
    labels = np.load(folder / "labels.npy")
    known = len(labels) == len(paired.answers) and (labels == paired.answers["label"].to_numpy()).all()
    return np.asarray(np.load(folder / "images.npy", mmap_mode="r")) if known else None


def write_page(
    path: Path, first: Found, second: Found, tested: dict[str, Paired], figures: Sequence[tuple[str, Figure]]
) -> None:
    """Write the comparison as a page that asks no other host for anything."""
    page = template("comparison.html").render(
        names=names(first, second),
        facts=facts(first, second),
        notes=first.notes + second.notes,
        parameters=[[text(value) for value in row] for row in parameters(first, second).itertuples(index=False)],
        metrics=[[text(value) for value in row] for row in metrics(first, second).itertuples(index=False)],
        tested=tested,
        missing=[split for split in ANSWERS if split not in tested],
        pictures=[(caption, picture(figure)) for caption, figure in figures],
    )
    path.write_text(page, encoding="utf-8")


def write_picture(path: Path, printed: str, figures: Sequence[Figure]) -> None:
    """Write what was printed, and the figures beneath it, as one picture."""
    lines = printed.splitlines()
    longest = max(map(len, lines))
    head = Figure(figsize=(0.075 * longest + 0.4, 0.17 * len(lines) + 0.3))
    head.text(0.2 / head.get_figwidth(), 1 - 0.15 / head.get_figheight(), printed, va="top", size=9, family="monospace")
    drawn = []
    for figure in (head, *figures):
        file = io.BytesIO()
        figure.savefig(file, format="png", dpi=120)
        drawn.append(Image.open(file).convert("RGB"))
    sheet = Image.new("RGB", (max(one.width for one in drawn), sum(one.height for one in drawn)), "white")
    top = 0
    for one in drawn:
        sheet.paste(one, (0, top))
        top += one.height
    sheet.save(path)


if __name__ == "__main__":
    main()
