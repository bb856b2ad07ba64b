"""The section on attacks, for a served linear network whose robustness is known and for faults that it must name."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from pipeline.audits import adversarial
from pipeline.audits.inputs import attacks, catalogue
from pipeline.audits.results import Results, TestSet
from pipeline.models.networks import MEAN, STD
from pipeline.report.sections import Section, write
from serving.model.recogniser import Recogniser
from tests import toy_model
from tests.pipeline.audits.asked import ask
from tests.pipeline.audits.made_up import thresholds

COUNT = 60
GAIN = 0.2


class Masked(nn.Module):
    """Gives the same logits and no gradient."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.network(images.detach()) + 0 * images.sum()


@pytest.fixture(autouse=True, scope="module")
def small():
    """Fewer steps and queries, and fewer images for the probes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(catalogue, "PROBE", 30)
        patch.setattr(attacks, "QUERIES", 100)
        patch.setattr(attacks, "STEPS", 20)
        yield


@pytest.fixture(scope="module")
def recogniser(tmp_path_factory: pytest.TempPathFactory) -> Recogniser:
    return Recogniser(toy_model.write(tmp_path_factory.mktemp("toy") / "model.onnx", gain=GAIN))


@pytest.fixture(scope="module")
def toy(recogniser) -> TestSet:
    """Bands of ten digits, of any brightness from that of a faint picture to white."""
    labels = np.arange(2 * COUNT, dtype=np.uint8) % 10
    brightness = np.linspace(35, 250, len(labels)).astype(int)
    images = np.stack(
        [toy_model.image(int(digit), int(light)) for digit, light in zip(labels, brightness, strict=True)]
    )
    told = recogniser.predict(images.astype(np.float32))
    return TestSet(images, labels, pd.DataFrame({"writer": [None] * len(labels)}), told, seed=0)


def twin() -> nn.Module:
    """The toy's twin in torch: from normalised images."""
    linear = nn.Linear(784, 10)
    bands = torch.tensor(np.arange(10)[:, None] == toy_model.BAND).float() * GAIN
    linear.weight.data = bands * STD
    linear.bias.data = bands.sum(1) * MEAN
    return nn.Sequential(nn.Flatten(), linear).eval()


@pytest.fixture
def network() -> nn.Module:
    return twin()


@pytest.fixture(scope="module")
def honest(toy, recogniser, small) -> Results:
    """The answers to attacks with the right gradients."""
    return attacked(toy, twin(), recogniser)


def attacked(test: TestSet, network: nn.Module, recogniser: Recogniser, count: int = COUNT) -> Results:
    return ask(test, recogniser, catalogue.attack_sets(test, lambda: network, recogniser, count))


def told(results: Results) -> Section:
    return write("adversarial", results, adversarial.measure(results), thresholds())


def weak(results: Results) -> str:
    return " | ".join(adversarial.measure(results)["weak"]["sign"])


def test_a_linear_network_is_left_the_accuracy_that_theory_gives_it(toy, honest):
    found = adversarial.measure(honest)
    ink = toy.images[honest.of("attack")["none/0"].rows].max(axis=(1, 2)) / 255
    left = found["left"].set_index(["attack", "eps"])
    for eps in catalogue.EPSILONS:
        robust = (np.maximum(ink - eps, 0) > eps).mean()
        assert 0.1 < robust < 0.95
        row = left.loc[("APGD", eps)]
        assert row["right_percent"] == pytest.approx(100 * robust, abs=4)
        assert row["low_percent"] < 100 * robust < row["high_percent"]
        assert row["images"] == COUNT
    assert found["clean"] == 1
    assert found["weak"].empty
    section = told(honest)
    assert section.findings["signs"][0].startswith("Passed: all 6")
    assert "not trained against attacks" in section.findings["warning"][0]
    assert len(section.findings["left"]) == len(section.findings["answered"]) == 2
    assert section.sentences == {}
    assert set(section.figures) == {"small_change", "large_change"}


def test_withheld_and_misclassified_are_counted_apart(toy, honest):
    one = honest.of("attack")["APGD until sure/0.1"]
    row = adversarial.measure(honest)["answered"].iloc[0]
    wrong = (one.predictions.digit != toy.labels[one.rows])[:30]
    assert row["images"] == 30
    assert row["misclassified"] == wrong.sum()
    assert row["withheld"] == (wrong & one.predictions.abstained[:30]).sum()
    assert 0 <= row["misclassified_as_files"] <= row["misclassified"]


def test_masked_gradients_give_themselves_away(toy, network, recogniser):
    results = attacked(toy, Masked(network), recogniser)
    signs = weak(results)
    assert "random search" in signs
    assert "any picture may become any other" in signs
    [sentence] = told(results).findings["signs"]
    assert sentence.startswith("FAILED")
    assert "do not trust" in sentence
    assert all(sign in sentence for sign in signs.split(" | "))


def test_what_is_served_is_attacked_and_not_its_network_alone(toy, network, recogniser):
    """A network whose logits say another thing than what is served, with the same gradients."""
    network[1].bias.data += torch.linspace(0, 30, 10)
    honest = attacks.AsServed(network, recogniser)
    pictures = attacks.as_tensor(toy.images[:COUNT]).requires_grad_()
    logits = honest(pictures)
    expected = recogniser.predict((255 * pictures.detach()).squeeze(1).numpy()).digit
    assert (logits.argmax(1).numpy() == expected).all()
    assert (honest.network(pictures).argmax(1).numpy() != expected).any()
    assert torch.autograd.grad(logits.sum(), pictures)[0].abs().sum() > 0


def test_another_network_than_the_one_served_is_found_out(toy, network, recogniser):
    network[1].weight.data = network[1].weight.data.roll(1, 0)
    network[1].bias.data = network[1].bias.data.roll(1, 0)
    assert weak(attacked(toy, network, recogniser, 20)).startswith("attacked network and served one differ")


def test_an_attack_that_does_nothing_is_found_weaker_than_random_search(toy, network, recogniser, monkeypatch):
    monkeypatch.setattr(attacks, "apgd_targeted", lambda network, images, *_, **__: images)
    assert "random search" in weak(attacked(toy, network, recogniser))


def test_an_attack_that_a_larger_change_makes_weaker_is_named(honest):
    swapped = dict(honest.sets)
    for name in ("APGD", "Square"):
        near, far = (f"attack/{name}/{eps}" for eps in catalogue.EPSILONS)
        swapped[near], swapped[far] = swapped[far], swapped[near]
    assert "APGD: more is left by the larger change" in weak(replace(honest, sets=swapped))


def test_the_same_seed_gives_the_same_pictures(toy, network, recogniser):
    one, other = (
        {each.name: each for each in catalogue.attack_sets(toy, lambda: network, recogniser, 10)} for _ in "ab"
    )
    for name in ("attack/APGD/0.1", "attack/APGD until sure/0.3", "attack/Square/0.1"):
        assert (one[name].make() == other[name].make()).all()


def test_no_images_no_attacks(toy, network, recogniser):
    assert catalogue.attack_sets(toy, lambda: network, recogniser, 0) == []
