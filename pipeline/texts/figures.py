"""Draw what the texts' networks learnt, and how fast: texts/reports/*.png.

python -m pipeline.texts.figures
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from safetensors.numpy import load_file

from pipeline.report.figures import plots
from pipeline.stage import stage
from pipeline.texts import params, rule
from pipeline.texts.networks import SIDES, TextNetwork
from pipeline.texts.paths import REPORTS, TRAINED

DPI = 96
COLOURS = (plots.BLUE, plots.RED, "#059669", "#d97706", "#7c3aed", plots.GREY)


@stage("texts-figures")
def main() -> None:
    given = params.load()
    compared = {title(given.networks[name]): pd.read_csv(TRAINED / name / "curve.csv") for name in given.compared}
    REPORTS.mkdir(parents=True, exist_ok=True)
    save(learning(compared), REPORTS / "learning.png")
    save(gradients(compared), REPORTS / "gradients.png")
    save(pictures(without_hidden_layer(given.networks)), REPORTS / "weights.png")


def title(config: TextNetwork) -> str:
    return f"{config.activation}, {config.loss.replace('_', ' ')}"


def without_hidden_layer(networks: Mapping[str, TextNetwork]) -> dict[str, dict[str, np.ndarray]]:
    """The weights of the networks that are pictures, float [S, S] by what they speak for: those without a hidden layer.

    What tells 0 from 1 shares a row, with the weights that a person has set.
    """
    rows: dict[str, dict[str, np.ndarray]] = {}
    for name, config in networks.items():
        if not config.hidden:
            side = SIDES[config.data]
            units = load_file(TRAINED / name / "weights.safetensors")["1.weight"].reshape(-1, side, side)
            if config.outputs == 10:
                rows[name] = {f"for {digit}": unit for digit, unit in enumerate(units)}
            else:
                spoken_for = ["one neuron, for 1"] if config.outputs == 1 else ["two, for 0", "two, for 1"]
                rows.setdefault("0 or 1", {}).update(zip(spoken_for, units, strict=True))
    return rows | {"0 or 1": rows.get("0 or 1", {}) | {"by hand, for 1": rule.weights()}}


def learning(curves: Mapping[str, pd.DataFrame]) -> Figure:
    """Validation error over the epochs, a line for each network."""
    figure = Figure(figsize=(6.5, 3.4), layout="constrained")
    axes = figure.subplots()
    for (name, epochs), colour in zip(curves.items(), COLOURS, strict=False):
        axes.plot(epochs["epoch"], 100 * (1 - epochs["val_accuracy"]), color=colour, label=name)
    axes.set(xlabel="epoch", ylabel="validation error, %", yscale="log")
    ticks = [2, 5, 10, 20, 50, 100]
    axes.set_yticks(ticks, [str(tick) for tick in ticks])
    axes.minorticks_off()
    axes.legend(frameon=False)
    return figure


def gradients(curves: Mapping[str, pd.DataFrame]) -> Figure:
    """The length of the gradient that reaches each layer, over the epochs: a panel for each network."""
    figure = Figure(figsize=(10, 2.8), layout="constrained")
    panels = figure.subplots(1, len(curves), sharey=True, squeeze=False)[0]
    for axes, (name, epochs) in zip(panels, curves.items(), strict=True):
        for column, colour in zip(map(str, epochs.filter(like="gradient_")), COLOURS, strict=False):
            layer = column.removeprefix("gradient_")
            axes.plot(epochs["epoch"], epochs[column], color=colour, label=f"layer {layer}")
        axes.set(xlabel="epoch", yscale="log", title=name)
    panels[0].set(ylabel="gradient by the biases")
    figure.legend(*panels[0].get_legend_handles_labels(), frameon=False, loc="outside lower center", ncols=len(COLOURS))
    return figure


def pictures(rows: Mapping[str, Mapping[str, np.ndarray]]) -> Figure:
    """Weights, float [S, S], as pictures by row and caption; red speaks for, blue against, each by its strongest."""
    columns = max(map(len, rows.values()))
    figure = Figure(figsize=(1.1 * columns + 0.4, 1.35 * len(rows)), layout="constrained")
    for panels, (name, units) in zip(figure.subplots(len(rows), columns, squeeze=False), rows.items(), strict=True):
        for axes in panels[len(units) :]:
            axes.axis("off")
        for axes, (caption, unit) in zip(panels, units.items(), strict=False):
            strongest = np.abs(unit).max()
            axes.imshow(unit, cmap="RdBu_r", vmin=-strongest, vmax=strongest)
            axes.set_title(caption, size=7)
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set_visible(False)
        panels[0].set_ylabel(name)
    return figure


def save(figure: Figure, path: Path) -> None:
    figure.savefig(path, format="png", dpi=DPI, metadata={"Software": None})


if __name__ == "__main__":
    main()
