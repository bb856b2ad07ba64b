"""The stages of the texts' graph, and the command around them, on UCI's digits and a few made-up images."""

import json
import subprocess
from contextlib import chdir
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from matplotlib.figure import Figure
from PIL import Image
from safetensors.numpy import load_file

from pipeline import checkout
from pipeline.models.networks import MEAN, STD
from pipeline.texts import __main__ as command
from pipeline.texts import data, evaluate, figures, params, rule, train
from pipeline.texts.paths import ACCURACY, REPORTS, SECONDS, TRAINED

TRAINED_WITH = {"batch_size": 32, "weight_decay": 0.1}
NETWORKS: dict[str, dict[str, Any]] = {
    "linear": {"data": "processed", "hidden": [], "outputs": 10, "loss": "cross_entropy", "epochs": 2},
    "small": {"data": "digits8", "hidden": [], "outputs": 10, "loss": "cross_entropy", "epochs": 1},
    "perceptron": {"data": "digits8", "hidden": [9, 7], "outputs": 10, "epochs": 3},
    "relu": {"data": "digits8", "hidden": [8], "outputs": 10, "activation": "relu", "epochs": 2},
    "one": {"data": "zero_or_one", "hidden": [], "outputs": 1, "loss": "cross_entropy", "epochs": 3},
    "two": {"data": "zero_or_one", "hidden": [], "outputs": 2, "loss": "cross_entropy", "epochs": 3},
}
COMPARED = ["relu", "perceptron"]
ACTIVATIONS = {"sigmoid": lambda sums: 1 / (1 + np.exp(-sums)), "relu": lambda sums: np.maximum(sums, 0)}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with parameters and images, and what the stage train makes of each network."""
    folder, rng = tmp_path_factory.mktemp("texts"), np.random.default_rng()
    given = yaml.safe_load(params.PATH.read_text(encoding="utf-8"))
    rates = {name: {"learning_rate": float(rng.uniform(0.01, 0.03))} for name in NETWORKS}
    networks = {name: TRAINED_WITH | rates[name] | entry for name, entry in NETWORKS.items()}
    given |= {"seed": int(rng.integers(1000)), "compared": COMPARED, "networks": networks}
    given["split"]["seed"] = int(rng.integers(1000))
    (folder / "texts").mkdir()
    (folder / params.PATH).write_text(yaml.safe_dump(given, sort_keys=False))
    for part, count in (("train", 80), ("val", 30), ("test", 40)):
        (folder / "data/processed" / part).mkdir(parents=True)
        np.save(folder / f"data/processed/{part}/images.npy", rng.integers(0, 256, (count, 28, 28), dtype=np.uint8))
        np.save(folder / f"data/processed/{part}/labels.npy", rng.integers(0, 10, count).astype(np.uint8))
    with chdir(folder):
        for name in NETWORKS:
            train.main([name])
    return folder


@pytest.fixture
def here(trained: Path, monkeypatch: pytest.MonkeyPatch) -> params.Params:
    """The parameters of that folder, in which the test runs."""
    monkeypatch.chdir(trained)
    return params.load()


def accuracy(given: params.Params, name: str, part: str) -> float:
    """What the weights that were written reach, reckoned without torch."""
    config, weights = given.networks[name], load_file(TRAINED / name / "weights.safetensors")
    images, labels = data.load(config.data, part, given.split)
    values = (images.reshape(len(images), -1) / 255 - MEAN) / STD
    for place, key in enumerate(layers := sorted(key for key in weights if key.endswith("weight"))):
        values = values @ weights[key].T + weights[key.replace("weight", "bias")]
        if place < len(layers) - 1:
            values = ACTIVATIONS[config.activation](values)
    answers = values[:, 0] > 0 if config.outputs == 1 else values.argmax(axis=1)
    return float((answers == labels).mean())


@pytest.mark.parametrize("name", NETWORKS)
def test_the_weights_are_those_of_the_best_epoch_of_the_curve(here, name):
    curve = pd.read_csv(TRAINED / name / "curve.csv")
    config = here.networks[name]
    assert curve["epoch"].tolist() == list(range(1, config.epochs + 1))
    assert list(curve.filter(like="gradient_")) == [f"gradient_{number}" for number in range(1, len(config.hidden) + 2)]
    assert (curve.filter(like="gradient_") > 0).all(axis=None)
    assert accuracy(here, name, "val") == pytest.approx(curve["val_accuracy"].max(), abs=1e-6)
    weights = load_file(TRAINED / name / "weights.safetensors")
    assert sum(one.size for one in weights.values()) == config.parameters


def test_a_training_says_its_seconds_and_comes_to_the_same_bytes_again(here, capsys, monkeypatch):
    folder, told = TRAINED / "perceptron", SECONDS / "perceptron.json"
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert before.keys() == {"weights.safetensors", "curve.csv"}
    began, took = np.random.default_rng().uniform(1, 900, 2)
    monkeypatch.setattr(train, "time", SimpleNamespace(process_time=iter([began, began + took]).__next__))
    train.main(["perceptron"])
    assert json.loads(told.read_text()) == pytest.approx(took, abs=0.051)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert f"perceptron: trained in {took:.0f} CPU seconds, written to {folder}/" in capsys.readouterr().out


def test_a_training_that_cannot_begin_says_why(here, monkeypatch, tmp_path):
    with pytest.raises(SystemExit, match=r"texts-train: .*no network 'nobody'; there is: linear"):
        train.main(["nobody"])
    monkeypatch.chdir(tmp_path)
    params.PATH.parent.mkdir()
    params.PATH.write_text(yaml.safe_dump(here.model_dump()))
    with pytest.raises(SystemExit, match=r"texts-train: data/processed/train/images.npy cannot be read: .*preprocess"):
        train.main(["linear"])
    assert not TRAINED.exists()


def test_accuracy_is_what_each_networks_weights_reach(here):
    evaluate.main([])
    measured = json.loads(ACCURACY.read_text())
    assert list(measured) == list(NETWORKS)
    for name, found in measured.items():
        assert found == {title: pytest.approx(accuracy(here, name, part)) for title, part in data.MEASURED.items()}
    assert measured["one"]["test"] > 0.8


@pytest.fixture(scope="module")
def drawn(trained: Path) -> dict[str, Figure]:
    """The figures that the stage draws, by the names of their files."""
    found: dict[str, Figure] = {}

    def save(figure: Figure, path: Path) -> None:
        found[path.stem] = figure
        figures_save(figure, path)

    figures_save = figures.save
    with chdir(trained), pytest.MonkeyPatch.context() as patch:
        patch.setattr(figures, "save", save)
        figures.main([])
    return found


def test_the_curves_of_those_that_are_compared_are_drawn(here, drawn):
    curves = [pd.read_csv(TRAINED / name / "curve.csv") for name in COMPARED]
    [axes] = drawn["learning"].axes
    assert [line.get_label() for line in axes.lines] == ["relu, squared error", "sigmoid, squared error"]
    for line, curve in zip(axes.lines, curves, strict=True):
        np.testing.assert_allclose(np.asarray(line.get_ydata()), 100 * (1 - curve["val_accuracy"]))
    panels = drawn["gradients"].axes
    assert [panel.get_title() for panel in panels] == ["relu, squared error", "sigmoid, squared error"]
    for panel, name, curve in zip(panels, COMPARED, curves, strict=True):
        layers = range(1, len(NETWORKS[name]["hidden"]) + 2)
        assert [line.get_label() for line in panel.lines] == [f"layer {layer}" for layer in layers]
        for line, layer in zip(panel.lines, layers, strict=True):
            np.testing.assert_allclose(np.asarray(line.get_ydata()), curve[f"gradient_{layer}"])


def test_weights_are_drawn_where_no_layer_is_hidden_and_those_of_0_and_1_beside_the_persons(here, drawn):
    shown = {axes.get_title(): axes for axes in drawn["weights"].axes if axes.images}
    assert [axes.get_ylabel() for axes in drawn["weights"].axes if axes.get_ylabel()] == ["linear", "small", "0 or 1"]
    units = {name: load_file(TRAINED / name / "weights.safetensors")["1.weight"] for name in ("small", "one", "two")}
    expected = {f"for {digit}": unit for digit, unit in enumerate(units["small"])}  # of the last row that has one
    expected |= {"one neuron, for 1": units["one"][0]}
    expected |= {f"two, for {digit}": unit for digit, unit in enumerate(units["two"])}
    expected |= {"by hand, for 1": rule.weights()}
    assert shown.keys() == expected.keys()
    for caption, weights in expected.items():
        [picture] = shown[caption].images
        np.testing.assert_array_equal(picture.get_array(), weights.reshape(8, 8))
        assert picture.get_clim() == pytest.approx((-np.abs(weights).max(), np.abs(weights).max()))
    assert sum(axes.axison for axes in drawn["weights"].axes) == 10 + 10 + 4


def test_the_same_networks_give_the_same_pictures(here, drawn):
    before = {path: path.read_bytes() for path in REPORTS.glob("*.png")}
    assert {path.stem for path in before} == drawn.keys() == {"learning", "gradients", "weights"}
    assert not any("Software" in Image.open(path).info for path in before)
    figures.main([])
    assert {path: path.read_bytes() for path in before} == before


def test_without_a_network_that_tells_0_from_1_the_persons_weights_stand_alone(here):
    rows = figures.without_hidden_layer({name: here.networks[name] for name in ("small", "relu")})
    assert {name: list(units) for name, units in rows.items()} == {
        "small": [f"for {digit}" for digit in range(10)],
        "0 or 1": ["by hand, for 1"],
    }


@pytest.fixture
def ran(here: params.Params, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """What the command asks DVC for, which finds all as it was."""
    asked: list[tuple[str, ...]] = []

    def run(arguments: list[str]) -> subprocess.CompletedProcess[str]:
        asked.append(tuple(arguments[len(command.DVC) :]))
        return subprocess.CompletedProcess(arguments, 0)

    monkeypatch.setattr(subprocess, "run", run)
    return asked


def test_the_command_makes_the_images_trains_and_prints_what_was_measured(here, ran, capsys, monkeypatch):
    evaluate.main([])
    monkeypatch.setenv("COLUMNS", "200")
    command.main([])
    assert ran == [("repro", "preprocess"), ("--cd", "texts", "repro")]
    told = capsys.readouterr().out
    lines = [line.split() for line in told.splitlines()]
    rows = {line[0]: line for line in lines if line and line[0] in (*NETWORKS, "by_hand")}
    measured = json.loads(ACCURACY.read_text())
    for name in NETWORKS:
        seconds = json.loads((SECONDS / f"{name}.json").read_text())
        assert rows[name][-3:] == [*(f"{share:.2%}" for share in measured[name].values()), f"{seconds:.1f}"]
        assert f"{here.networks[name].parameters:,}" in rows[name]
    assert rows["perceptron"][1:5] == ["64-9-7-10", "sigmoid", "squared", "error"]
    assert rows["linear"][1:4] == ["784-10", "cross", "entropy"], "no units, where none are hidden"
    assert "about 92 %" in " ".join(rows["linear"])
    assert "3Blue1Brown" in told


def test_the_last_row_is_the_persons_rule(here):
    evaluate.main([])
    *_, last = zip(*(column.cells for column in command.results(here).columns), strict=True)
    shares = []
    for part in ("val", "test"):
        images, labels = data.load("zero_or_one", part, here.split)
        middle, beside = images[:, 2:6, 3:5].astype(int), images[:, 2:6, [2, 5]].astype(int)
        shares.append(f"{((middle.sum((1, 2)) > beside.sum((1, 2))) == labels).mean():.2%}")
    assert list(last) == ["by_hand", "64-1", "", "set by a person", "64", "", *shares, ""]


@pytest.mark.parametrize("failing", [0, 1])
def test_where_dvc_fails_nothing_more_is_run_and_it_says_how_to_go_on(here, monkeypatch, failing):
    codes = iter([0] * failing + [1])
    monkeypatch.setattr(subprocess, "run", lambda *_: subprocess.CompletedProcess([], next(codes)))
    with pytest.raises(SystemExit, match=r"stopped at the stage named above.*run the same command again"):
        command.main([])
    assert not list(codes)


def test_a_checkout_that_is_used_is_left_alone(ran):
    with checkout.held(), pytest.raises(SystemExit, match=r"texts: process \d+ runs the pipeline .*: wait for it"):
        command.main([])
    assert not ran


def test_parameters_that_cannot_be_read_stop_the_command_before_dvc_is_asked(here, ran, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match=r"texts: texts/params\.yaml: "):
        command.main([])
    assert not ran
