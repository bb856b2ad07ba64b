"""Attacks: for every image, the picture within ``eps`` of it in each pixel that misleads a network most.

Two are enough: targeted Auto-PGD, which breaks what gradients can break, and Square, which needs none and so tells
whether gradients were masked. They are our own: the Adversarial Robustness Toolbox 1.20 works here, but its Auto-PGD of
100 steps took 39 s on 100 test images at eps 0.1 and left 14 %, ours 4 s and 12 %, and its Square 119 s to our 18, on
one core; torchattacks 3.5 asks for torchvision and for requests 2.25, older than what else needs it here. A test that
runs where the toolbox is installed holds both to the same accuracies.

A network maps pictures, float32 [N, 1, H, W] in 0..1, to logits, float32 [N, K], and is in eval mode; labels are int64
[N]. An image leaves the batch once it is broken, so that a network which breaks costs little: once it is misclassified,
and a wrong digit has the probability ``sure`` at least. A picture at which the search stopped sooner may stand on the
brink, where a recogniser abstains; an attacker would go on. Importing this loads torch.
"""

import math
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from pipeline.models.networks import standardise
from serving.model.recogniser import Recogniser

Loss = Callable[[Tensor, Tensor, Tensor | None], Tensor]
"""From logits [N, K], labels [N] and digits to be reached [N], or None, to what the attacker wants large: [N]."""
BATCH = 32
"""Pictures that the network sees at once; a processor's cache holds no more."""
FIRST_STEPS, STEPS, ROUNDS = 20, 100, 2
"""Of Auto-PGD without a target, after which hardly more is broken, and towards each; how often all are gone through."""
QUERIES = 1000
"""Of Square."""
SURE = 0.95
"""How probable a wrong digit must be before an attack rests that goes on."""


class AsServed(nn.Module):
    """From pixels, float [N, 1, 28, 28] in 0..1, to logits: the values of what is served, the gradients of its network.

    What is served computes in integers, which have no gradient; its network's stands in (backward pass differentiable
    approximation: Athalye, Carlini and Wagner 2018, arXiv 1802.00420).
    """

    def __init__(self, network: nn.Module, recogniser: Recogniser) -> None:
        super().__init__()
        self.network, self._recogniser = network, recogniser

    def forward(self, pixels: Tensor) -> Tensor:
        probabilities, _ = self._recogniser.look((255 * pixels.detach()).squeeze(1).numpy())
        served = torch.from_numpy(probabilities).clamp(min=torch.finfo(torch.float32).tiny).log()
        if not torch.is_grad_enabled():
            return served
        logits = self.network(standardise(pixels))
        return logits + (served - logits).detach()


def as_tensor(images: np.ndarray) -> Tensor:
    """Images, uint8 [N, 28, 28], as a network under attack takes them: float32 [N, 1, 28, 28] in 0..1."""
    return torch.from_numpy(images).float().unsqueeze(1) / 255


def digits_of(network: nn.Module, images: np.ndarray) -> np.ndarray:
    """What a network, of normalised images, takes ``images`` for, uint8 [N, 28, 28]: int64 [N]."""
    return np.asarray(logits_of(network, standardise(as_tensor(images))).argmax(1).numpy())


def run(name: str, network: nn.Module, images: np.ndarray, labels: np.ndarray, eps: float, seed: int) -> np.ndarray:
    """Attack ``images``, uint8 [N, 28, 28], in the way called ``name``: float32 [N, 28, 28] in 0..255."""
    attacks: dict[str, Callable[..., Tensor]] = {
        "APGD": apgd_targeted,
        "APGD until sure": partial(apgd_targeted, sure=SURE),
        "Square": square,
    }
    generator = torch.Generator().manual_seed(seed)
    pictures = attacks[name](network, as_tensor(images), torch.from_numpy(labels).long(), eps, generator)
    return np.asarray((255 * pictures).squeeze(1).numpy())


def apgd_targeted(
    network: nn.Module, images: Tensor, labels: Tensor, eps: float, generator: torch.Generator, sure: float = 0.0
) -> Tensor:
    """Auto-PGD, and towards one wrong digit after the other, the likeliest first, for the images that still stand."""
    pictures = apgd(network, images, labels, eps, STEPS if sure else FIRST_STEPS, generator, sure=sure)
    logits = logits_of(network, pictures)
    likeliest = logits_of(network, images).scatter(1, labels.unsqueeze(1), -math.inf).argsort(1, descending=True)
    for targets in [*likeliest[:, :-1].T] * (1 if sure else ROUNDS):
        standing = torch.nonzero(margin(logits, labels) <= 0).flatten()
        if not len(standing):
            break
        chosen = images[standing], labels[standing]
        made = apgd(network, *chosen, eps, STEPS, generator, targets[standing], sure)
        pictures[standing], logits[standing] = made, logits_of(network, made)
    return pictures


def apgd(
    network: nn.Module,
    images: Tensor,
    labels: Tensor,
    eps: float,
    steps: int,
    generator: torch.Generator,
    targets: Tensor | None = None,
    sure: float = 0.0,
) -> Tensor:
    """Auto-PGD (Croce and Hein 2020): momentum, and a step that halves where the loss no longer grows.

    Where it halves, the search goes on from the best picture so far. Checkpoints, momentum and the share of steps that
    must gain are the paper's.

    Args:
        targets: int64 [N], the wrong digit to be reached; any, where None.
        sure: what is climbed is the wrong digit's likelihood where it is not 0, else the ratio.
    """
    found = Found(images, labels, sure)
    climb = Climb(project(images + eps * (2 * torch.rand(images.shape, generator=generator) - 1), images, eps), eps)
    checkpoints = apgd_checkpoints(steps)
    since = 0
    for step in range(steps + 1):
        rows = found.standing
        towards = None if targets is None else targets[rows]
        gradient, value, logits = slope(network, climb.at, labels[rows], towards, likelihood if sure else ratio)
        stays = found.note(climb.at, logits)
        climb.keep(stays)
        climb.look(gradient[stays], value[stays])
        if step in checkpoints:
            climb.settle(gains=0.75 * (step - since))
            since = step
        origin = images[found.standing]
        ahead = project(climb.at + climb.size * climb.gradient.sign(), origin, eps)
        if step:
            ahead = project(climb.at + 0.75 * (ahead - climb.at) + 0.25 * (climb.at - climb.before), origin, eps)
        climb.before, climb.at = climb.at, ahead
    return found.pictures


def apgd_checkpoints(steps: int) -> set[int]:
    """The steps after which the step's size is reconsidered: rare at first, then every 6 % of all."""
    shares = [0.0, 0.22]
    while shares[-1] < 1:
        shares.append(shares[-1] + max(shares[-1] - shares[-2] - 0.03, 0.06))
    return {math.ceil(round(share * steps, 6)) for share in shares[1:-1]}


def square(network: nn.Module, images: Tensor, labels: Tensor, eps: float, generator: torch.Generator) -> Tensor:
    """Random search by squares of ±eps that shrink, using answers alone (Andriushchenko et al. 2020, L∞).

    Each of the ``QUERIES`` shows the network one picture for each image; the first has vertical stripes.
    """
    found = Found(images, labels, sure=0.0)
    stays = found.note(images, logits_of(network, images))
    height, width = images.shape[-2:]
    current = project(images[stays] + eps * signs((int(stays.sum()), 1, 1, width), generator), images[stays], eps)
    logits = logits_of(network, current)
    level = margin(logits, labels[found.standing])
    stays = found.note(current, logits)
    for query in range(1, QUERIES):
        current, level = current[stays], level[stays]
        if not len(current):
            break
        side = min(max(round(math.sqrt(square_share(query / QUERIES) * height * width)), 1), height, width)
        top = torch.randint(height - side + 1, (len(current), 1, 1, 1), generator=generator)
        left = torch.randint(width - side + 1, (len(current), 1, 1, 1), generator=generator)
        row, column = torch.arange(height).view(-1, 1), torch.arange(width)
        inside = (row >= top) & (row < top + side) & (column >= left) & (column < left + side)
        origin = images[found.standing]
        moved = project(origin + eps * signs((len(current), 1, 1, 1), generator), origin, eps)
        tried = torch.where(inside, moved, current)
        logits = logits_of(network, tried)
        harm = margin(logits, labels[found.standing])
        better = harm > level
        current = torch.where(better.view(-1, 1, 1, 1), tried, current)
        level = torch.where(better, harm, level)
        stays = found.note(tried, logits)
    return found.pictures


def square_share(progress: float) -> float:
    """The share of the picture that a square covers: 0.8, halved at the paper's points of the budget."""
    return 0.8 / 2 ** sum(progress > point for point in (0.001, 0.005, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8))


class Found:
    """The most harmful picture seen of every image, and which images still stand.

    pictures: float [N, 1, H, W], at first the images themselves; standing: int64 [M], indices of unbroken images.
    """

    def __init__(self, images: Tensor, labels: Tensor, sure: float) -> None:
        self.pictures = images.clone()
        self.standing = torch.arange(len(images))
        self._labels, self._sure = labels, sure
        self._harm = torch.full((len(images),), -math.inf)

    def note(self, pictures: Tensor, logits: Tensor) -> Tensor:
        """Look at a picture of each standing image, [M, 1, H, W], with its logits; bool [M], which stand on."""
        rows, labels = self.standing, self._labels[self.standing]
        harm = margin(logits, labels)
        wrong = logits.softmax(1).scatter(1, labels.unsqueeze(1), 0)
        stays = (harm <= 0) | (wrong.amax(1) < self._sure)
        worse = (harm > self._harm[rows]) | ~stays
        self.pictures[rows[worse]] = pictures[worse]
        self._harm[rows[worse]] = harm[worse]
        self.standing = rows[stays]
        return stays


class Climb:
    """Where Auto-PGD stands with M images; every attribute's first axis is theirs.

    at, before: this and the last picture; best, with its value and gradient: the picture of the greatest loss so far;
    size: of the step, [M, 1, 1, 1]; gains: how many steps since the last checkpoint raised the loss; size_then and
    best_then: size and best value at the last checkpoint.
    """

    def __init__(self, pictures: Tensor, eps: float) -> None:
        self.at = self.before = self.best = pictures
        self.gradient = self.best_gradient = torch.zeros_like(pictures)
        self.value = torch.full((len(pictures),), math.inf)
        self.best_value = self.best_then = -self.value
        self.size = self.size_then = torch.full((len(pictures), 1, 1, 1), 2 * eps)
        self.gains = torch.zeros(len(pictures))

    def keep(self, rows: Tensor) -> None:
        """Drop the images that are not among ``rows``."""
        for name, value in vars(self).items():
            setattr(self, name, value[rows])

    def look(self, gradient: Tensor, value: Tensor) -> None:
        """Take in gradient and loss at ``at``."""
        self.gains = self.gains + (value > self.value)
        self.gradient, self.value = gradient, value
        self._take(value > self.best_value, best=self.at, best_gradient=gradient, best_value=value)

    def settle(self, gains: float) -> None:
        """A checkpoint: halve the step where fewer than ``gains`` steps gained, or where nothing has changed."""
        stuck = (self.size_then.flatten() == self.size.flatten()) & (self.best_then == self.best_value)
        halved = (self.gains < gains) | stuck
        self.size_then, self.best_then = self.size, self.best_value
        self._take(halved, size=self.size / 2, at=self.best, gradient=self.best_gradient)
        self.gains = torch.zeros_like(self.gains)

    def _take(self, rows: Tensor, **values: Tensor) -> None:
        for name, value in values.items():
            setattr(self, name, torch.where(rows.view(-1, *[1] * (value.ndim - 1)), value, getattr(self, name)))


def slope(
    network: nn.Module, pictures: Tensor, labels: Tensor, targets: Tensor | None, loss: Loss
) -> tuple[Tensor, Tensor, Tensor]:
    """The gradient of ``loss`` at each picture, [N, 1, H, W], that loss, [N], and the logits, [N, K]."""
    parts = []
    for rows in torch.arange(len(pictures)).split(BATCH):
        leaf = pictures[rows].detach().requires_grad_()
        logits = network(leaf)
        losses = loss(logits, labels[rows], None if targets is None else targets[rows])
        (gradient,) = torch.autograd.grad(losses.sum(), leaf)
        parts.append((gradient, losses.detach(), logits.detach()))
    gradients, losses, logits = (torch.cat(column) for column in zip(*parts, strict=True))
    return gradients, losses, logits


def ratio(logits: Tensor, labels: Tensor, targets: Tensor | None = None) -> Tensor:
    """The difference of logits ratio (Croce and Hein 2020), [N]: unlike cross-entropy, the same for any scale.

    With ``targets`` it asks for those wrong digits, which leads past pictures that are no digit at all, where the other
    comes to rest with the true digit in front.
    """
    ordered = logits.sort(dim=1, descending=True).values
    if targets is None:
        return margin(logits, labels) / (ordered[:, 0] - ordered[:, 2] + 1e-12)
    ahead = logits.gather(1, targets.unsqueeze(1)) - logits.gather(1, labels.unsqueeze(1))
    return ahead.squeeze(1) / (ordered[:, 0] - ordered[:, 2:4].mean(1) + 1e-12)


def likelihood(logits: Tensor, labels: Tensor, targets: Tensor | None = None) -> Tensor:
    """The log of the probability of the likeliest wrong digit, or of that in ``targets``: [N]."""
    shares = logits.log_softmax(1)
    if targets is None:
        return shares.scatter(1, labels.unsqueeze(1), -math.inf).amax(1)
    return shares.gather(1, targets.unsqueeze(1)).squeeze(1)


def margin(logits: Tensor, labels: Tensor) -> Tensor:
    """By how much the likeliest wrong digit is ahead of the true one, [N]: misclassified where it is positive."""
    true = labels.unsqueeze(1)
    return logits.scatter(1, true, -math.inf).amax(1) - logits.gather(1, true).squeeze(1)


@torch.no_grad()
def logits_of(network: nn.Module, pictures: Tensor) -> Tensor:
    """The logits, float [N, K]."""
    return torch.cat([network(part) for part in pictures.split(BATCH)])


def project(pictures: Tensor, images: Tensor, eps: float) -> Tensor:
    """The nearest pictures that are within ``eps`` of the images and within 0..1."""
    return pictures.clamp(images - eps, images + eps).clamp(0, 1)


def signs(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Random numbers, each -1 or 1."""
    return torch.randint(2, shape, generator=generator) * 2.0 - 1
