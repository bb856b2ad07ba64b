"""The network that learns in the page: as Lightning's does, and so that one can watch it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from playwright.sync_api import Browser, Route, expect
from torch import Tensor, nn
from torch.utils.data import DataLoader, Sampler

from pipeline.data.sources import mnist_sample
from pipeline.models.batches import Digits
from pipeline.models.fit import fit
from pipeline.models.networks import standardise
from pipeline.showcase import sheet
from pipeline.texts import params
from pipeline.texts.networks import TextNetwork
from tests.browser.visitor import SEVEN, SIZES, Visitor, dark, greenish, reddish

EPOCHS = 4
"""Of a training in these tests; the page's own are more."""
Split = tuple[NDArray[np.uint8], NDArray[np.uint8]]


@pytest.fixture(scope="module")
def splits() -> tuple[Split, Split]:
    """Real digits, drawn anew: so many to learn from and so many held out as the page's sheet has."""
    images, labels = mnist_sample()
    order = np.random.default_rng().permutation(len(images))
    cuts = order[: sheet.TRAINING], order[sheet.TRAINING :][: sheet.HELD_OUT]
    training, held_out = ((images[rows], labels[rows]) for rows in cuts)
    return training, held_out


@pytest.fixture
def shown(splits: tuple[Split, Split], monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """The sheet of these digits, whose recipe is short."""
    monkeypatch.setitem(sheet.RECIPE, "epochs", EPOCHS)
    return sheet.make(*splits)


@pytest.fixture
def learner(browser: Browser, url: str, shown: dict[str, bytes]) -> Iterator[Visitor]:
    with Visitor.arriving(browser, url, SIZES["desktop"]) as visitor:
        serve(visitor, shown)
        yield visitor


def serve(visitor: Visitor, shown: dict[str, bytes]) -> None:
    def answer(route: Route) -> None:
        route.fulfill(body=shown[route.request.url.rpartition("/")[2]])

    visitor.page.route("**/page/show/sheet.*", answer)


TRAINED = """async ([activation, thrown]) => {
    const { sheet } = await import("/page/learn/sheet.js");
    const { Training } = await import("/page/learn/training.js");
    const { digits, recipe } = await sheet();
    const training = new Training(digits, recipe, activation, thrown);
    const start = training.optimiser.parameters.map((numbers) => [...numbers]);
    const orders = [];
    while (!training.isDone) {
        training.step();
        if (orders.at(-1) !== training.order) orders.push(training.order);
    }
    return { start, orders, ...training.measure() };
}"""


@pytest.mark.parametrize("activation", ["sigmoid", "relu"])
def test_it_learns_as_lightning_does_from_the_same_start_in_the_same_order(
    learner: Visitor, splits: tuple[Split, Split], activation: str, tmp_path: Path
) -> None:
    told = learner.page.evaluate(TRAINED, [activation, int(np.random.default_rng().integers(1, 1000))])
    parts = [sheet.chosen(*split) for split in zip(splits, (sheet.TRAINING, sheet.HELD_OUT), strict=True)]
    in_greys = [(sheet.quantised(images) * np.uint8(sheet.STEP), labels) for images, labels in parts]
    config = beginning(network(activation), told["start"])
    digits = InOrder(*in_greys, config, seed=0)
    digits.orders = told["orders"]
    fitted = fit(config, digits, params.load().trainer, 0, tmp_path)
    assert fitted
    last = fitted[1][-1]
    print(told["right"], told["loss"], fitted[1])
    assert told["right"] == pytest.approx(last["val_accuracy"], abs=0.01)
    assert told["loss"] == pytest.approx(last["val_loss"], rel=0.02)
    print(told["right"], last)
    assert told["right"] > 0.2, "and it has learnt something"


def network(activation: Any) -> TextNetwork:
    return TextNetwork(data="processed", outputs=10, activation=activation, **sheet.RECIPE)


def beginning(config: TextNetwork, start: list[list[float]]) -> TextNetwork:
    """The same network, whose first weights and biases are given, layer by layer."""

    class Beginning(TextNetwork):
        def layers(self) -> nn.Sequential:
            layers = super().layers()
            with torch.no_grad():
                for parameter, numbers in zip(layers.parameters(), start, strict=True):
                    parameter.copy_(torch.tensor(numbers).reshape(parameter.shape))
            return layers

    return Beginning(**config.model_dump())


class Order(Sampler[Tensor]):
    """Batches of rows, of each epoch's order in its turn; the last is dropped if it is short."""

    def __init__(self, orders: list[list[int]], batch_size: int) -> None:
        self.orders, self.batch_size, self.epoch = orders, batch_size, 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.orders[0]) // self.batch_size

    def __iter__(self) -> Iterator[Tensor]:
        yield from torch.tensor(self.orders[self.epoch]).split(self.batch_size)[: len(self)]


class InOrder(Digits):
    orders: list[list[int]]

    def train_dataloader(self) -> DataLoader:
        return DataLoader(self.train, sampler=Order(self.orders, self.config.batch_size), batch_size=None)


STUDIED = """async ([activation, images, labels]) => {
    const { Perceptron } = await import("/page/learn/perceptron.js");
    const { diceOf } = await import("/page/learn/training.js");
    const network = new Perceptron([784, 16, 16, 10], activation, diceOf(labels[0]));
    const listed = (layers) => layers.flatMap(({ weights, biases }) => [[...weights], [...biases]]);
    const { loss, gradients, answers } = network.study(images, labels);
    return { loss, answers, start: listed(network.layers), gradients: listed(gradients) };
}"""


@pytest.mark.parametrize("activation", ["sigmoid", "relu"])
def test_its_gradients_are_torchs(desktop: Visitor, activation: str) -> None:
    rng = np.random.default_rng()
    images = standardise(torch.tensor(rng.random((12, 1, 28, 28)), dtype=torch.float64))
    labels = torch.tensor(rng.integers(0, 10, 12))
    given = [activation, images.reshape(12, 784).tolist(), labels.tolist()]
    told = desktop.page.evaluate(STUDIED, given)
    config = beginning(network(activation), told["start"])
    built = config.build().double()
    logits = built(images)
    loss = config.losses(logits, labels).mean()
    loss.backward()
    assert told["loss"] == pytest.approx(loss.item(), abs=1e-4)
    assert told["answers"] == logits.argmax(1).tolist()
    for parameter, gradient in zip(built.parameters(), told["gradients"], strict=True):
        assert parameter.grad is not None
        assert torch.tensor(gradient).reshape(parameter.shape) == pytest.approx(parameter.grad.numpy(), abs=1e-4)
