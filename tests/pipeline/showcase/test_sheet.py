"""The sheet that the page's network learns from: digits of training and validation alone, as they were."""

import io
import json

import numpy as np
import pytest
import yaml
from PIL import Image

from pipeline.data.sources import mnist_sample
from pipeline.models.networks import MEAN, SIDE, STD
from pipeline.showcase import sheet
from tests.pipeline.workspace import ROOT


@pytest.fixture
def rng():
    return np.random.default_rng()


def digits(rng, count):
    """Random images, a tenth of their pixels inked, and labels."""
    inked = rng.random((count, SIDE, SIDE)) < 0.1
    return (inked * rng.integers(0, 256, inked.shape)).astype(np.uint8), rng.integers(0, 10, count, np.uint8)


def unpacked(made):
    """The images, uint8 [N, 28, 28], and labels, uint8 [N], of the two parts of a sheet, as the page cuts it."""
    told = json.loads(made["sheet.json"])
    picture = np.asarray(Image.open(io.BytesIO(made["sheet.png"])).convert("L"))
    columns, count = told["columns"], len(told["labels"])
    places = [(SIDE * (index // columns), SIDE * (index % columns)) for index in range(count)]
    images = np.stack([picture[top : top + SIDE, left : left + SIDE] for top, left in places])
    labels = np.array([int(label) for label in told["labels"]], np.uint8)
    assert told["training"] + told["held_out"] == count
    cut = told["training"]
    return (images[:cut], labels[:cut]), (images[cut:], labels[cut:])


@pytest.mark.parametrize("enough", [True, False])
def test_it_holds_digits_of_each_part_with_their_labels_and_no_others(rng, monkeypatch, enough):
    monkeypatch.setattr(sheet, "TRAINING", 120 if enough else 1000)
    monkeypatch.setattr(sheet, "HELD_OUT", 45 if enough else 1000)
    splits = digits(rng, 210), digits(rng, 77)
    for (given, labels), (images, told), most in zip(splits, unpacked(sheet.make(*splits)), (120, 45), strict=True):
        assert len(images) == (most if enough else len(given))
        off = np.abs(given[None].astype(int) - images[:, None]).max(axis=(2, 3))
        matched = off.argmin(1)
        assert len({*matched}) == len(images), "each once"
        assert off.min(1).max() <= sheet.STEP / 2, "the nearest of the greys"
        assert set(np.unique(images)) <= {*range(0, 256, sheet.STEP)}
        assert (told == labels[matched]).all()


def test_the_same_images_make_the_same_sheet(rng):
    splits = digits(rng, 60), digits(rng, 30)
    assert sheet.make(*splits) == sheet.make(*splits)


def test_real_digits_fit_the_page(rng):
    images, labels = mnist_sample()
    order = rng.permutation(len(images))
    made = sheet.make(*((images[rows], labels[rows]) for rows in (order[:3800], order[3800:])))
    assert sum(map(len, made.values())) < 450_000
    (_, training), (_, held_out) = unpacked(made)
    assert (len(training), len(held_out)) == (sheet.TRAINING, sheet.HELD_OUT)
    assert set(training) == set(held_out) == set(range(10))


def test_it_is_learnt_from_as_the_perceptron_learns(rng):
    preset = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))["networks"]["perceptron"]
    told = json.loads(sheet.make(digits(rng, 3), digits(rng, 2))["sheet.json"])
    assert (told["mean"], told["deviation"]) == (MEAN, STD)
    for name in ("hidden", "weight_decay"):
        assert told["recipe"][name] == preset[name]
    assert told["recipe"]["learning_rates"]["sigmoid"] == preset["learning_rate"]
