"""Attacks: for every image, the picture within ``eps`` of it in each pixel that misleads a network most.

The network maps pictures, float32 [N, 1, H, W] in 0..1, to logits, float32 [N, K], and is in eval mode. Every attack
takes it, images of that kind and their labels, int64 [N], and gives back pictures like the images. An image leaves the
batch once it is broken, so that a network which breaks costs little: once it is misread, and a wrong digit has the
probability ``sure`` at least. A picture at which the search stopped sooner may stand on the brink, where a recogniser
abstains; an attacker would go on.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, fields

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Loss = Callable[[Tensor, Tensor], Tensor]
"""From logits [N, K] and labels [N] to what the attacker wants large, [N]."""

BATCH = 32
"""Pictures that the network sees at once; a processor's cache holds no more."""


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """The loss that networks are trained with."""
    return F.cross_entropy(logits, labels, reduction="none")


def dlr(logits: Tensor, labels: Tensor) -> Tensor:
    """The difference of logits ratio (Croce and Hein 2020): unlike cross-entropy, the same for logits of any scale."""
    ordered = logits.sort(dim=1, descending=True).values
    return margin(logits, labels) / (ordered[:, 0] - ordered[:, 2] + 1e-12)


def towards(target: int) -> Loss:
    """The targeted difference of logits ratio (Croce and Hein 2020), which asks for one wrong digit.

    It leads past pictures that are no digit at all, where the other losses come to rest with the true digit in front.
    """

    def ratio(logits: Tensor, labels: Tensor) -> Tensor:
        ordered = logits.sort(dim=1, descending=True).values
        ahead = logits[:, target] - logits.gather(1, labels.unsqueeze(1)).squeeze(1)
        return ahead / (ordered[:, 0] - ordered[:, 2:4].mean(1) + 1e-12)

    return ratio


def margin(logits: Tensor, labels: Tensor) -> Tensor:
    """By how much the likeliest wrong digit is ahead of the true one, [N]: misread where it is positive."""
    true = labels.unsqueeze(1)
    return logits.scatter(1, true, -math.inf).amax(1) - logits.gather(1, true).squeeze(1)


def fgsm(network: nn.Module, images: Tensor, labels: Tensor, eps: float) -> Tensor:
    """One step of full length along the sign of the gradient (Goodfellow, Shlens and Szegedy 2015)."""
    found = Found(images, labels, sure=1.0)
    gradient, _, logits = slope(network, images, labels, cross_entropy)
    stays = found.note(images, logits)
    pictures = project(images[stays] + eps * gradient[stays].sign(), images[stays], eps)
    found.note(pictures, logits_of(network, pictures))
    return found.pictures


def pgd(
    network: nn.Module,
    images: Tensor,
    labels: Tensor,
    eps: float,
    steps: int,
    restarts: int,
    generator: torch.Generator,
    sure: float = 0.0,
) -> Tensor:
    """Projected gradient ascent of cross-entropy from random starts (Madry et al. 2018).

    Only images that are still read right are started again.
    """
    found = Found(images, labels, sure)
    found.note(images, logits_of(network, images))
    for restart in range(restarts):
        if restart:
            found.drop_misread()
        pictures = random_start(images[found.standing], eps, generator)
        for _ in range(steps):
            gradient, _, logits = slope(network, pictures, labels[found.standing], cross_entropy)
            stays = found.note(pictures, logits)
            pictures = stride(pictures[stays], gradient[stays], images[found.standing], eps, steps)
        found.note(pictures, logits_of(network, pictures))
    return found.pictures


def ascent(
    network: nn.Module, images: Tensor, labels: Tensor, eps: float, steps: int, generator: torch.Generator
) -> Tensor:
    """The mean cross-entropy before each step of ``pgd``, [steps], with no image leaving the batch."""
    pictures = random_start(images, eps, generator)
    means = []
    for _ in range(steps):
        gradient, losses, _ = slope(network, pictures, labels, cross_entropy)
        means.append(losses.mean())
        pictures = stride(pictures, gradient, images, eps, steps)
    return torch.stack(means)


def apgd(
    network: nn.Module,
    images: Tensor,
    labels: Tensor,
    eps: float,
    loss: Loss,
    steps: int,
    generator: torch.Generator,
    sure: float = 0.0,
) -> Tensor:
    """Auto-PGD (Croce and Hein 2020): momentum, and a step that halves where the loss no longer grows.

    Where it halves, the search goes on from the best picture so far. Checkpoints, momentum and the share of steps that
    must gain are the paper's.
    """
    found = Found(images, labels, sure)
    climb = Climb.start(random_start(images, eps, generator), eps)
    checkpoints = apgd_checkpoints(steps)
    since = 0
    for step in range(steps + 1):
        gradient, value, logits = slope(network, climb.at, labels[found.standing], loss)
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


def apgd_targeted(
    network: nn.Module, images: Tensor, labels: Tensor, eps: float, steps: int, generator: torch.Generator
) -> Tensor:
    """Auto-PGD of ``dlr``, and towards one wrong digit after the other for the images that this leaves standing."""
    pictures = apgd(network, images, labels, eps, dlr, steps, generator)
    logits = logits_of(network, pictures)
    for target in range(logits.shape[1]):
        standing = torch.nonzero((margin(logits, labels) <= 0) & (labels != target)).flatten()
        if not len(standing):
            continue
        made = apgd(network, images[standing], labels[standing], eps, towards(target), steps, generator)
        pictures[standing], logits[standing] = made, logits_of(network, made)
    return pictures


def apgd_checkpoints(steps: int) -> set[int]:
    """The steps after which the step's size is reconsidered: rare at first, then every 6 % of all."""
    shares = [0.0, 0.22]
    while shares[-1] < 1:
        shares.append(shares[-1] + max(shares[-1] - shares[-2] - 0.03, 0.06))
    return {math.ceil(round(share * steps, 6)) for share in shares[1:-1]}


def square(
    network: nn.Module,
    images: Tensor,
    labels: Tensor,
    eps: float,
    queries: int,
    generator: torch.Generator,
    sure: float = 0.0,
) -> Tensor:
    """Random search by squares of ±eps that shrink, using answers alone (Andriushchenko et al. 2020, L∞).

    Each of the ``queries`` shows the network one picture for each image; the first has vertical stripes.
    """
    found = Found(images, labels, sure)
    stays = found.note(images, logits_of(network, images))
    height, width = images.shape[-2:]
    current = project(images[stays] + eps * signs((int(stays.sum()), 1, 1, width), generator), images[stays], eps)
    logits = logits_of(network, current)
    level = margin(logits, labels[found.standing])
    stays = found.note(current, logits)
    for query in range(1, queries):
        current, level = current[stays], level[stays]
        side = min(max(round(math.sqrt(square_share(query / queries) * height * width)), 1), height, width)
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
        self._sure = sure
        self.standing = torch.arange(len(images))
        self._labels = labels
        self._harm = torch.full((len(images),), -math.inf)

    def note(self, pictures: Tensor, logits: Tensor) -> Tensor:
        """Look at a picture of each standing image, [M, 1, H, W], with its logits; bool [M], which stand on."""
        rows, labels = self.standing, self._labels[self.standing]
        harm = margin(logits, labels)
        worse = harm > self._harm[rows]
        self.pictures[rows[worse]] = pictures[worse]
        self._harm[rows[worse]] = harm[worse]
        wrong = logits.softmax(1).scatter(1, labels.unsqueeze(1), 0)
        stays = (harm <= 0) | (wrong.amax(1) < self._sure)
        self.standing = rows[stays]
        return stays

    def drop_misread(self) -> None:
        """Let every image count as broken that was misread, however unsurely."""
        self.standing = self.standing[self._harm[self.standing] <= 0]


@dataclass
class Climb:
    """Where Auto-PGD stands with M images; every field's first axis is theirs.

    at, before: this and the last picture; best, with its value and gradient: the picture of the greatest loss so far;
    size: of the step, [M, 1, 1, 1]; gains: how many steps since the last checkpoint raised the loss; size_then and
    best_then: size and best value at the last checkpoint.
    """

    at: Tensor
    before: Tensor
    gradient: Tensor
    value: Tensor
    best: Tensor
    best_gradient: Tensor
    best_value: Tensor
    size: Tensor
    gains: Tensor
    size_then: Tensor
    best_then: Tensor

    @classmethod
    def start(cls, pictures: Tensor, eps: float) -> "Climb":
        least = torch.full((len(pictures),), -math.inf)
        size = torch.full((len(pictures), 1, 1, 1), 2 * eps)
        blank = torch.zeros_like(pictures)
        return cls(
            at=pictures,
            before=pictures,
            gradient=blank,
            value=-least,
            best=pictures,
            best_gradient=blank,
            best_value=least,
            size=size,
            gains=torch.zeros(len(pictures)),
            size_then=size,
            best_then=least,
        )

    def keep(self, rows: Tensor) -> None:
        """Drop the images that are not among ``rows``."""
        for item in fields(self):
            setattr(self, item.name, getattr(self, item.name)[rows])

    def look(self, gradient: Tensor, value: Tensor) -> None:
        """Take in gradient and loss at ``at``."""
        self.gains = self.gains + (value > self.value)
        self.gradient, self.value = gradient, value
        better = value > self.best_value
        self._take(better, best=self.at, best_gradient=gradient, best_value=value)

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


def slope(network: nn.Module, pictures: Tensor, labels: Tensor, loss: Loss) -> tuple[Tensor, Tensor, Tensor]:
    """The loss's gradient at each picture, [N, 1, H, W], the loss, [N], and the logits, [N, K]."""
    parts = []
    for picture, label in zip(pictures.split(BATCH), labels.split(BATCH), strict=True):
        leaf = picture.detach().requires_grad_()
        logits = network(leaf)
        losses = loss(logits, label)
        (gradient,) = torch.autograd.grad(losses.sum(), leaf)
        parts.append((gradient, losses.detach(), logits.detach()))
    gradients, losses, logits = (torch.cat(column) for column in zip(*parts, strict=True))
    return gradients, losses, logits


@torch.no_grad()
def logits_of(network: nn.Module, pictures: Tensor) -> Tensor:
    """The logits, float [N, K]."""
    return torch.cat([network(part) for part in pictures.split(BATCH)])


def random_start(images: Tensor, eps: float, generator: torch.Generator) -> Tensor:
    """Pictures drawn uniformly from the cube of half-width ``eps`` around each image."""
    return project(images + eps * (2 * torch.rand(images.shape, generator=generator) - 1), images, eps)


def stride(pictures: Tensor, gradient: Tensor, images: Tensor, eps: float, steps: int) -> Tensor:
    """One of ``steps`` steps of PGD; together they reach 2.5 times across the cube's half-width (Madry et al. 2018)."""
    return project(pictures + 2.5 * eps / steps * gradient.sign(), images, eps)


def project(pictures: Tensor, images: Tensor, eps: float) -> Tensor:
    """The nearest pictures that are within ``eps`` of the images and within 0..1."""
    return pictures.clamp(images - eps, images + eps).clamp(0, 1)


def signs(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Random numbers, each -1 or 1."""
    return torch.randint(2, shape, generator=generator) * 2.0 - 1
