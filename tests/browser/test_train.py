"""The network that learns in the page: as Lightning's does, and so that one can watch it."""

import json
import re
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
from pipeline.models.batches import Batch, Digits
from pipeline.models.classifier import Classifier
from pipeline.models.fit import fit
from pipeline.models.networks import standardise
from pipeline.params import Trainer
from pipeline.showcase import sheet
from pipeline.texts import params
from pipeline.texts.networks import TextNetwork
from tests.browser.visitor import SEVEN, SIZES, Visitor, greenish, reddish

EPOCHS = 4
"""Of a training in these tests; the page's own are more."""
LONG = 200
"""Of one that does not end before it is stopped."""
COMPARED: dict[str, dict[str, Any]] = {
    "sigmoid": {"epochs": 11, "learning_rates": {"sigmoid": 0.01}},
    "relu": {"epochs": sheet.RECIPE["epochs"]},
}
"""How a training beside Lightning's differs from the shortened recipe: with ReLU it is the page's whole recipe.

With sigmoids that makes of two starts that differ by 1e-15 two networks that differ by points: it ends before.
"""
Split = tuple[NDArray[np.uint8], NDArray[np.uint8]]


@pytest.fixture(scope="module")
def splits() -> tuple[Split, Split]:
    """Real digits, drawn anew: so many to learn from and so many held out as the page's sheet has."""
    images, labels = mnist_sample()
    order = np.random.default_rng().permutation(len(images))
    cuts = order[: sheet.TRAINING], order[sheet.TRAINING :][: sheet.HELD_OUT]
    training, held_out = ((images[rows], labels[rows]) for rows in cuts)
    return training, held_out


@pytest.fixture(scope="module")
def shown(splits: tuple[Split, Split]) -> Iterator[dict[str, bytes]]:
    """The sheet of these digits, whose recipe is short."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sheet.RECIPE, "epochs", EPOCHS)
        yield sheet.make(*splits)


@pytest.fixture
def learner(browser: Browser, url: str, shown: dict[str, bytes]) -> Iterator[Visitor]:
    with Visitor.arriving(browser, url, SIZES["desktop"]) as visitor:
        serve(visitor, shown)
        yield visitor


def serve(visitor: Visitor, shown: dict[str, bytes]) -> None:
    def answer(route: Route) -> None:
        route.fulfill(body=shown[route.request.url.rpartition("/")[2]])

    visitor.page.route("**/page/show/sheet.*", answer)


TRAINED = """async ([activation, changed, thrown]) => {
    const { sheet } = await import("/page/learn/sheet.js");
    const { Training } = await import("/page/learn/training.js");
    const { digits, recipe } = await sheet();
    const training = new Training(digits, { ...recipe, ...changed }, activation, thrown);
    const start = training.optimiser.parameters.map((numbers) => [...numbers]);
    const orders = [];
    while (!training.isDone) {
        training.step();
        if (orders.at(-1) !== training.order) orders.push(training.order);
    }
    return { start, orders, ...training.measure() };
}"""


@pytest.fixture
def double(monkeypatch: pytest.MonkeyPatch) -> Iterator[Trainer]:
    """Lightning's arguments, for a training in double precision throughout, as JavaScript's."""
    torch.set_default_dtype(torch.float64)
    monkeypatch.setattr(Classifier, "forward", lambda classifier, images: classifier.network(images))
    yield params.load().trainer.model_copy(update={"precision": "64-true"})
    torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("activation", COMPARED)
def test_it_learns_as_lightning_does_from_the_same_start_in_the_same_order(
    learner: Visitor, splits: tuple[Split, Split], activation: str, tmp_path: Path, double: Trainer
) -> None:
    thrown = int(np.random.default_rng().integers(1, 1000))
    told = learner.page.evaluate(TRAINED, [activation, COMPARED[activation], thrown])
    parts = [sheet.chosen(*split) for split in zip(splits, (sheet.TRAINING, sheet.HELD_OUT), strict=True)]
    in_greys = [(sheet.quantised(images) * np.uint8(sheet.STEP), labels) for images, labels in parts]
    config = beginning(network(activation, **COMPARED[activation]), told["start"])
    train, val = in_greys
    digits = InOrder(train, val, config, seed=0)
    digits.orders = told["orders"]
    fitted = fit(config, digits, double, 0, tmp_path)
    assert fitted
    last = fitted[1][-1]
    assert told["right"] == pytest.approx(last["val_accuracy"], abs=0.01)
    assert told["loss"] == pytest.approx(last["val_loss"], rel=0.01)
    assert told["right"] > 0.3, "and it has learnt something"


def network(activation: Any, **changed: Any) -> TextNetwork:
    recipe = sheet.RECIPE | changed
    rate = recipe.pop("learning_rates")[activation]
    return TextNetwork(data="processed", outputs=10, activation=activation, learning_rate=rate, **recipe)


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
    """Digits in given orders, in double precision."""

    orders: list[list[int]]

    def on_after_batch_transfer(self, batch: Batch, dataloader_idx: int) -> Batch:
        images, labels, rows = batch
        return standardise(images.double() / 255), labels, rows

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


def opens(visitor: Visitor) -> None:
    visitor.click("#tab-train")
    expect(visitor.page.locator("#lesson")).to_be_visible()


def state(visitor: Visitor) -> tuple[int, float, float]:
    """The step, the loss and the share read rightly that stand there."""
    told = re.fullmatch(
        r"Step ([\d,]+) of [\d,]+: loss ([\d.]+), ([\d.]+)\s% of [\d,]+ held-out digits right\.",
        visitor.page.locator("#train-state").inner_text(),
    )
    assert told
    return int(told[1].replace(",", "")), float(told[2]), float(told[3]) / 100


def weights(visitor: Visitor) -> NDArray[np.int64]:
    """The pictures of the first layer as one: int [height, width, 3]."""
    return visitor.looks_at("#train-units")


def trains(visitor: Visitor) -> None:
    visitor.click("#train-run")
    expect(visitor.page.locator("#train-run")).to_have_text("Train again")


@pytest.mark.parametrize("size", SIZES)
def test_one_can_watch_it_learn(browser: Browser, url: str, shown: dict[str, bytes], size: str) -> None:
    with Visitor.arriving(browser, url, SIZES[size], phone=size == "phone") as visitor:
        serve(visitor, shown)
        visitor.draw(SEVEN)
        opens(visitor)
        page = visitor.page
        page.locator("[value=relu]").check()
        expect(page.locator("#train-intro")).to_contain_text("13,002 weights and biases")
        step, first_loss, first_right = state(visitor)
        assert step == 0
        assert first_right < 0.3, "it guesses"
        noise = weights(visitor)
        trains(visitor)
        step, loss, right = state(visitor)
        assert step == EPOCHS * (sheet.TRAINING // sheet.RECIPE["batch_size"])
        assert loss < first_loss / 2
        assert right > 0.6
        assert page.locator("#spoken").inner_text() == page.locator("#train-state").inner_text()
        expect(page.locator("#train-read")).to_have_text("Your network reads your drawing as 7")
        assert greenish(weights(visitor)).any()
        assert reddish(weights(visitor)).any()
        assert rough(weights(visitor)) < 0.8 * rough(noise), "noise has become strokes"
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def rough(pictures: NDArray[np.int64]) -> float:
    """How much pixels differ from those four to the right, beside how much pixels differ at all."""
    grey = pictures.sum(axis=-1).astype(float)
    return float(np.abs(np.diff(grey[:, ::4], axis=1)).mean() / grey.std())


def test_a_step_shows_what_it_looked_at_and_its_gradient(learner: Visitor) -> None:
    opens(learner)
    page = learner.page
    expect(page.locator("#train-batch")).to_be_hidden()
    before = [darkest(learner, place) for place in ("#train-units", "#train-links")]
    page.locator("#train-step").focus()
    page.keyboard.press("Enter")
    assert state(learner)[0] == 1
    expect(page.locator("#train-step")).to_be_focused()
    expect(page.locator("#train-batch li")).to_have_count(sheet.RECIPE["batch_size"])
    read = [re.findall(r"\d", item) for item in page.locator("#train-batch li").all_inner_texts()]
    right = sum(label == answer for label, answer in read)
    expect(page.locator("#train-batch p")).to_contain_text(f"of which {right} w")
    marks = page.locator("#train-batch li.passed").all_inner_texts()
    assert len(marks) == right
    assert all("✓" in mark for mark in marks)
    expect(page.locator("#train-arrows")).to_be_visible()
    after = [darkest(learner, place) for place in ("#train-units", "#train-links")]
    assert [now < then - 30 for now, then in zip(after, before, strict=True)] == [True, True], "there are arrows"


def darkest(visitor: Visitor, selector: str) -> int:
    return int(visitor.looks_at(selector).sum(axis=-1).min())


def test_nothing_moves_by_itself_and_a_pause_is_one(learner: Visitor, shown: dict[str, bytes]) -> None:
    told = json.loads(shown["sheet.json"])
    told["recipe"]["epochs"] = LONG
    serve(learner, shown | {"sheet.json": json.dumps(told).encode()})
    most = LONG * (sheet.TRAINING // sheet.RECIPE["batch_size"])
    opens(learner)
    learner.page.wait_for_timeout(200)
    assert state(learner)[0] == 0
    learner.click("#train-run")
    learner.click("#train-run")
    expect(learner.page.locator("#train-run")).to_have_text("Train")
    paused = state(learner)
    assert 0 < paused[0] < most
    assert learner.page.locator("#spoken").inner_text().startswith(f"Step {paused[0]} ")
    learner.page.wait_for_timeout(200)
    assert state(learner) == paused
    learner.click("#train-run")
    learner.click("#tab-model")
    learner.click("#tab-train")
    expect(learner.page.locator("#train-run")).to_have_text("Train")
    assert paused[0] <= state(learner)[0] < most, "out of sight it rests"


def test_a_visit_can_be_repeated_and_another_throw_is_another_start(learner: Visitor) -> None:
    opens(learner)
    starts = [weights(learner)]
    learner.click("#train-step")
    first = state(learner)
    for button in ("[value=relu]", "#train-anew"):
        learner.click(button)
        assert state(learner)[0] == 0
        starts.append(weights(learner))
    assert (starts[0] == starts[1]).all(), "the same throw, whatever the units"
    assert np.abs(starts[0] - starts[2]).mean() > 20
    learner.page.reload()
    opens(learner)
    learner.click("#train-step")
    assert state(learner) == first


def test_without_a_sheet_it_says_so_and_asks_again_when_it_is_opened_again(
    desktop: Visitor, shown: dict[str, bytes]
) -> None:
    desktop.page.route("**/page/show/sheet.*", lambda route: route.fulfill(status=503))
    desktop.click("#tab-train")
    expect(desktop.page.locator("#train-intro")).to_contain_text("cannot be had just now")
    desktop.page.unroute("**/page/show/sheet.*")
    desktop.troubles.clear()
    serve(desktop, shown)
    desktop.click("#tab-answer")
    opens(desktop)


def test_in_forced_colours_the_curves_are_seen(browser: Browser, url: str, shown: dict[str, bytes]) -> None:
    with Visitor.arriving(browser, url, SIZES["desktop"], forced_colors="active", color_scheme="dark") as visitor:
        serve(visitor, shown)
        opens(visitor)
        blank = visitor.looks_at("#train-right")
        trains(visitor)
        assert (np.abs(visitor.looks_at("#train-right") - blank).sum(axis=-1) > 200).mean() > 0.005
