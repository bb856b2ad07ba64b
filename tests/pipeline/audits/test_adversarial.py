"""The section on attacks, for a served linear network whose robustness is known and for faults that it must name."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from pipeline.audits import adversarial
from pipeline.audits.inputs import attacks
from pipeline.audits.section import Section, Subject
from pipeline.models.networks import MEAN, STD
from pipeline.params import load
from serving.model.recogniser import Recogniser
from tests import toy_model

COUNT = 60
GAIN = 0.2


class Masked(nn.Module):
    """Gives the same logits and no gradient."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.network(images.detach()) + 0 * images.sum()


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch):
    """Fewer queries, and fewer images for the probes."""
    monkeypatch.setattr(adversarial, "PROBE", 30)

    def square(network, images, labels, eps, generator):
        return attacks.square(network, images, labels, eps, 100, generator)

    monkeypatch.setitem(adversarial.BLACK_BOX, adversarial.SQUARE, square)


@pytest.fixture(scope="module")
def subject(tmp_path_factory: pytest.TempPathFactory) -> Subject:
    """Bands of ten digits, of any brightness from that of a faint picture to white."""
    recogniser = Recogniser(toy_model.write(tmp_path_factory.mktemp("toy") / "model.onnx", gain=GAIN))
    labels = np.arange(2 * COUNT, dtype=np.uint8) % 10
    brightness = np.linspace(35, 250, len(labels)).astype(int)
    images = np.stack(
        [toy_model.image(int(digit), int(light)) for digit, light in zip(labels, brightness, strict=True)]
    )
    return Subject(
        name="toy",
        source="mnist",
        recogniser=recogniser,
        images=images,
        labels=labels,
        samples=pd.DataFrame({"writer": [None] * len(labels)}),
        predictions=recogniser.predict(images.astype(np.float32)),
        limits=load("audit.gates")["mnist"]["convnet"],
        bootstrap=10,
        seed=0,
    )


@pytest.fixture
def network() -> nn.Module:
    """The toy's twin in torch: from normalised images."""
    linear = nn.Linear(784, 10)
    bands = torch.tensor(np.arange(10)[:, None] == toy_model.BAND).float() * GAIN
    linear.weight.data = bands * STD
    linear.bias.data = bands.sum(1) * MEAN
    return nn.Sequential(nn.Flatten(), linear).eval()


def table(section: Section, beginning: str) -> pd.DataFrame:
    return next(one for caption, one in section.tables.items() if caption.startswith(beginning))


def failed(section: Section) -> list[str]:
    checks = table(section, "Signs")
    return [rule for rule, verdict in zip(checks["rule"], checks["verdict"], strict=True) if verdict == "FAILED"]


def test_a_linear_network_is_left_the_accuracy_that_theory_gives_it(subject, network):
    section = adversarial.measure(subject, network, COUNT)
    chosen = adversarial.draw(subject, network, COUNT).images
    ink = chosen.amax(dim=(1, 2, 3)).numpy()
    left = table(section, "What")

    def found(attack: str, eps: float) -> pd.Series:
        return left[(left["attack"] == attack) & (left["eps"] == eps)].iloc[0]

    for eps in adversarial.EPSILONS:
        robust = (np.maximum(ink - eps, 0) > eps).mean()
        assert 0.1 < robust < 0.95
        for attack in (adversarial.PGD, adversarial.APGD_CE, adversarial.APGD_DLR, "all with gradients together"):
            row = found(attack, eps)
            assert row["read right"] == pytest.approx(robust, abs=0.04)
            assert row["from"] < robust < row["to"]
            assert row["images"] == COUNT
    assert found("none", 0.0)["read right"] == 1
    assert failed(section) == []
    assert any(sentence.startswith("Passed: all 12") for sentence in section.findings)
    assert "not trained against attacks" in section.findings[0]
    assert section.gates == []
    assert len(section.figures) == 3


def test_abstention_and_wrong_answers_share_the_misread(subject, network):
    left = table(adversarial.measure(subject, network, COUNT), "What")
    asked = left[left["attack"].isin(adversarial.GO_ON)]
    assert len(asked) == 6
    np.testing.assert_allclose(
        (1 - asked["read right"]) * (1 - asked["abstained, of the misread"]), asked["answered wrongly"]
    )
    stopped = left[left["attack"].isin([adversarial.APGD_DLR, adversarial.SQUARE])]
    assert stopped["abstained, of the misread"].isna().all()


def test_masked_gradients_give_themselves_away(subject, network):
    section = adversarial.measure(subject, Masked(network), COUNT)
    rules = " | ".join(failed(section))
    assert "random search" in rules
    assert "eps 1" in rules
    assert "loss rises" in rules
    [sentence] = [sentence for sentence in section.findings if sentence.startswith("FAILED")]
    assert "do not trust" in sentence
    assert all(rule in sentence for rule in failed(section))
    assert not any(sentence.startswith("Passed") for sentence in section.findings)


def test_what_is_served_is_attacked_and_not_its_network_alone(subject, network):
    """A network whose logits say another thing than what is served, with the same gradients."""
    network[1].bias.data += torch.linspace(0, 30, 10)
    honest = adversarial.AsServed(network, subject.recogniser)
    pictures = adversarial.draw(subject, network, COUNT).images.requires_grad_()
    logits = honest(pictures)
    expected = subject.recogniser.predict((255 * pictures.detach()).squeeze(1).numpy()).digit
    assert (logits.argmax(1).numpy() == expected).all()
    assert (honest.network(pictures).argmax(1).numpy() != expected).any()
    assert torch.autograd.grad(logits.sum(), pictures)[0].abs().sum() > 0


def test_another_network_than_the_one_served_is_found_out(subject, network):
    network[1].weight.data = network[1].weight.data.roll(1, 0)
    network[1].bias.data = network[1].bias.data.roll(1, 0)
    assert failed(adversarial.measure(subject, network, COUNT))[0].startswith("the network attacked and the one served")


def test_an_attack_that_does_nothing_is_found_weaker_than_one_step(subject, network, monkeypatch):
    monkeypatch.setitem(adversarial.WHITE_BOX, adversarial.PGD, lambda network, images, *rest: images)
    assert [rule for rule in failed(adversarial.measure(subject, network, COUNT)) if "many steps mislead more" in rule]


def test_the_same_seed_gives_the_same_tables(subject, network):
    one, other = (adversarial.measure(subject, network, 20) for _ in range(2))
    for caption in one.tables:
        pd.testing.assert_frame_equal(one.tables[caption], other.tables[caption])
    assert one.findings == other.findings


def test_the_curve_falls(subject, network):
    curve = adversarial.accuracy_curve(adversarial.draw(subject, network, 30))
    assert curve["read right"].is_monotonic_decreasing
    assert curve["read right"].iloc[0] == 1
    assert curve["read right"].iloc[-1] < 0.6
