"""Train the networks of the texts, and print what each reaches beside what its text says.

    python -m pipeline.texts

Their graph is texts/dvc.yaml, a DVC repository of its own. Of the main pipeline it takes the images, which are made
first where they are not there. What has not changed since the last run is not run again.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence

from rich import box
from rich.table import Table

from pipeline import checkout, ending, terminal
from pipeline.params import ParamsError
from pipeline.texts import data, params, rule
from pipeline.texts.paths import ACCURACY, FOLDER, REPORTS, SECONDS

DVC = (sys.executable, "-m", "pipeline.ending", "dvc")
SAYS = {
    "linear": ("about 92 %", "TensorFlow's tutorial, MNIST For ML Beginners"),
    "two_layer": ("95.4 %", "Nielsen 2015, Neural Networks and Deep Learning, chapter 1"),
    "perceptron": ("about 96 %", "3Blue1Brown 2017, Gradient descent, how neural networks learn"),
}
"""What a text says of the network's accuracy on MNIST's test set, and which."""


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.parse_args(argv)
    try:
        given = params.load()
        with checkout.held():
            repro("repro", "preprocess")
            repro("--cd", str(FOLDER), "repro")
    except ParamsError as error:
        sys.exit(f"texts: {error}")
    except checkout.BusyError as error:
        sys.exit(f"texts: {error}: wait for it, or stop it.")
    console = terminal.console()
    console.print(results(given))
    for name, (_, text) in SAYS.items():
        console.print(f"{name}: {text}", style="dim", highlight=False)
    console.print(f"Pictures: {', '.join(map(str, sorted(REPORTS.glob('*.png'))))}", highlight=False)


def repro(*arguments: str) -> None:
    """Run DVC; where it fails, end with what to do."""
    if subprocess.run([*DVC, *arguments]).returncode:
        sys.exit("texts: it stopped at the stage named above. What was finished is kept: run the same command again.")


def results(given: params.Params) -> Table:
    """A row for each network, and one for the weights that a person has set."""
    table = Table(box=box.SIMPLE_HEAD)
    for column in ("network", "layers", "units", "loss", "parameters", "its text", "validation", "test", "CPU seconds"):
        table.add_column(
            column, justify="right" if column in ("parameters", "validation", "test", "CPU seconds") else "left"
        )
    measured = json.loads(ACCURACY.read_text(encoding="utf-8"))
    for name, config in given.networks.items():
        table.add_row(
            name,
            "-".join(map(str, config.sizes)),
            config.activation if config.hidden else "",
            config.loss.replace("_", " "),
            f"{config.parameters:,}",
            SAYS.get(name, ("",))[0],
            *(f"{measured[name][part]:.2%}" for part in data.MEASURED),
            f"{json.loads((SECONDS / f'{name}.json').read_text(encoding='utf-8')):.1f}",
        )
    sets = (data.load("zero_or_one", part, given.split) for part in data.MEASURED.values())
    by_rule = [f"{(rule.answers(images) == labels).mean():.2%}" for images, labels in sets]
    table.add_row("by_hand", "64-1", "", "set by a person", "64", "", *by_rule, "")
    return table


if __name__ == "__main__":
    ending.watch("texts", ending.RUN_S, polite=True, parents="MAKELEVEL" in os.environ)
    main()
