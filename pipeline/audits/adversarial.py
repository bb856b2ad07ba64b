"""Pictures made to be misread: how small a change misleads the network, and whether the attacks can be trusted."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from rich.progress import track
from torch import Tensor, nn

from pipeline.audits.accuracy import exact_interval
from pipeline.audits.inputs import attacks
from pipeline.audits.section import THREADS, Section, Subject
from pipeline.models.networks import standardise
from pipeline.report import wording
from pipeline.report.figures.plots import BLUE, GREY, RED
from serving.model.recogniser import Predictions, Recogniser

Attack = Callable[[nn.Module, Tensor, Tensor, float, torch.Generator], Tensor]

SURE = 0.95
"""How probable a wrong digit must be before an attack rests."""
FGSM, PGD, APGD_CE = "FGSM", "PGD, 40 steps, 5 restarts", "APGD-CE, 100 steps"
APGD_DLR = "APGD-DLR, 100 steps, then as many towards each digit"
SQUARE = "Square, 1,000 queries"
WHITE_BOX: dict[str, Attack] = {
    FGSM: lambda network, images, labels, eps, _: attacks.fgsm(network, images, labels, eps),
    PGD: lambda network, images, labels, eps, generator: attacks.pgd(
        network, images, labels, eps, 40, 5, generator, SURE
    ),
    APGD_CE: lambda network, images, labels, eps, generator: attacks.apgd(
        network, images, labels, eps, attacks.cross_entropy, 100, generator, SURE
    ),
    APGD_DLR: lambda network, images, labels, eps, generator: attacks.apgd_targeted(
        network, images, labels, eps, 100, generator
    ),
}
BLACK_BOX: dict[str, Attack] = {
    SQUARE: lambda network, images, labels, eps, generator: attacks.square(
        network, images, labels, eps, 1000, generator
    )
}
GO_ON = (FGSM, PGD, APGD_CE)
"""The attacks that do not stop at the first misreading, so that it is fair to ask whether the recogniser abstains."""
EPSILONS = (0.1, 0.3)
PROBE = 200
"""Images for the black-box attack, the sanity checks and the curve, which see every picture many times."""
STEPS = (5, 20, 80)
CURVE = (0.02, 0.04, 0.06, 0.08, 0.1, 0.15, 0.2, 0.25, 0.3)
TOLERANCE = 0.01
"""Share of images by which an attack may be the weaker one by the chance of its random start."""
EXAMPLES = 8

LEFT = (
    "What each attack leaves: eps is the most that it changes a pixel, on a scale of 0 to 1; FGSM takes one step along "
    "the gradient, PGD and APGD many, Square searches at random"
)
LITERATURE = pd.DataFrame(
    [
        ("plain ConvNet, not defended", 0.1, "FGSM", 0.802, "measured for this project, 1,000 images"),
        ("plain ConvNet, not defended", 0.1, "PGD, 20 steps", 0.268, "measured for this project, 1,000 images"),
        ("plain ConvNet, not defended", 0.3, "PGD, 20 steps", 0.0, "measured for this project, 1,000 images"),
        ("adversarial training, Madry et al. 2018", 0.3, "AutoAttack", 0.885, "AutoAttack's table for MNIST"),
        ("best in that table, Gowal et al. 2020", 0.3, "AutoAttack", 0.9634, "AutoAttack's table for MNIST"),
        (
            "a defence that claimed 64.25 %, Taghanaki et al. 2019",
            0.3,
            "AutoAttack",
            0.0,
            "AutoAttack's table for MNIST",
        ),
    ],
    columns=["network", "eps", "attack", "read right", "source"],
)


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


@dataclass(frozen=True)
class Outcome:
    """What the recogniser says of the pictures that an attack made.

    pictures: float [N, 1, 28, 28] in 0..1; right, answered: bool [N], whether the digit is right, and whether it is
    given rather than withheld.
    """

    attack: str
    eps: float
    pictures: Tensor
    predictions: Predictions
    right: np.ndarray

    @property
    def answered(self) -> np.ndarray:
        return ~self.predictions.abstained

    @property
    def accuracy(self) -> float:
        return float(self.right.mean())


@dataclass(frozen=True)
class Check:
    """One of the signs by which a weak attack gives itself away (Athalye et al. 2018; Carlini et al. 2019)."""

    rule: str
    seen: str
    passed: bool

    @property
    def verdict(self) -> str:
        return "passed" if self.passed else "FAILED"


@dataclass(frozen=True)
class Trial:
    """The images that are attacked, the network whose gradients are used, and the recogniser that judges.

    network: from pixels to logits; images: float [N, 1, 28, 28] in 0..1; labels: int64 [N].
    """

    subject: Subject
    network: AsServed
    images: Tensor
    labels: Tensor

    def head(self, count: int) -> "Trial":
        """The same with the first images alone."""
        return replace(self, images=self.images[:count], labels=self.labels[:count])

    def generator(self, purpose: str) -> torch.Generator:
        """Torch's generator for a purpose."""
        return torch.Generator().manual_seed(int(self.subject.rng(f"adversarial, {purpose}").integers(2**63)))

    def run(self, name: str, attack: Attack, eps: float) -> Outcome:
        """Attack every image, and ask the recogniser."""
        generator = self.generator(f"{name}, {eps}")
        return self.judge(name, eps, attack(self.network, self.images, self.labels, eps, generator))

    def judge(self, name: str, eps: float, pictures: Tensor) -> Outcome:
        """What the recogniser says of pictures, float [N, 1, 28, 28] in 0..1."""
        predictions = self.subject.recogniser.predict((255 * pictures).squeeze(1).numpy())
        return Outcome(name, eps, pictures, predictions, predictions.digit == self.labels.numpy())


def measure(subject: Subject, network: nn.Module, count: int) -> Section:
    """Attack ``count`` test images through the torch network, and ask the recogniser that is served what they show.

    Args:
        network: from normalised images, float [N, 1, 28, 28], to logits; the one that ``subject`` was exported from.
    """
    trial = draw(subject, network, count)
    probe = trial.head(PROBE)
    clean = trial.judge("none", 0.0, trial.images)
    runs = [
        (who, name, attack, eps)
        for eps in EPSILONS
        for who, group in ((trial, WHITE_BOX), (probe, BLACK_BOX))
        for name, attack in group.items()
    ]
    with ThreadPoolExecutor(THREADS) as pool:
        made = pool.map(lambda run: run[0].run(*run[1:]), runs)
        outcomes = {(one.attack, one.eps): one for one in track(made, "attacking", total=len(runs))}
    standing = {eps: np.all([outcomes[name, eps].right for name in WHITE_BOX], axis=0) for eps in EPSILONS}
    checks = [agreement(trial, clean), *comparisons(outcomes, standing), *probes(probe)]
    curve = accuracy_curve(probe)
    return Section(
        key="adversarial",
        title="Pictures made to be misread",
        question="How little must somebody who knows the network change a picture so that it is misread?",
        findings=[*answers(trial, clean, outcomes, standing), *verdicts(checks)],
        tables={
            LEFT: accuracy_table([clean, *outcomes.values()], standing),
            "Signs by which an attack too weak to prove anything gives itself away": pd.DataFrame(
                [(check.rule, check.seen, check.verdict) for check in checks], columns=["rule", "seen", "verdict"]
            ),
            "Known of other networks": LITERATURE,
        },
        figures={
            f"Read right over eps, PGD of 20 steps, {len(probe.images)} images": draw_curve(curve, len(probe.images)),
            **{
                f"The surest misreadings after PGD, eps {eps}: the image, the change (red adds ink, blue takes it), "
                "the picture with the answer": draw_examples(trial, clean, outcomes[PGD, eps])
                for eps in EPSILONS
            },
        },
    )


def draw(subject: Subject, network: nn.Module, count: int) -> Trial:
    """Choose the images; the same for every network."""
    chosen = subject.rng("adversarial").permutation(len(subject.images))[:count]
    return Trial(
        subject,
        AsServed(network, subject.recogniser).eval(),
        torch.from_numpy(subject.images[chosen]).float().unsqueeze(1) / 255,
        torch.from_numpy(subject.labels[chosen]).long(),
    )


def accuracy_table(outcomes: Sequence[Outcome], standing: dict[float, np.ndarray]) -> pd.DataFrame:
    """A row for each attack, and one for each eps with what is read right after all attacks with gradients."""
    rows = []
    for one in outcomes:
        misread = ~one.right
        asked = one.attack in GO_ON and misread.any()
        rows.append(
            {
                **shares(one.attack, one.eps, one.right),
                "abstained, of the misread": float((~one.answered)[misread].mean()) if asked else None,
                "answered wrongly": float((misread & one.answered).mean()) if one.attack in GO_ON else None,
            }
        )
    rows += [shares("all with gradients together", eps, right) for eps, right in standing.items()]
    return pd.DataFrame(rows).sort_values("eps", kind="stable", ignore_index=True)


def shares(attack: str, eps: float, right: np.ndarray) -> dict[str, object]:
    """The share read right with its exact 95 % interval."""
    low, high = exact_interval(int(right.sum()), len(right))
    return {
        "attack": attack,
        "eps": eps,
        "images": len(right),
        "read right": float(right.mean()),
        "from": low,
        "to": high,
    }


def agreement(trial: Trial, clean: Outcome) -> Check:
    """Whether the network whose gradients are used is the one that is served."""
    digits = attacks.logits_of(trial.network.network, standardise(trial.images)).argmax(1).numpy()
    differing = int((digits != clean.predictions.digit).sum())
    return Check(
        "the network attacked and the one served read every clean image alike",
        f"{differing} of {len(digits):,} differ",
        not differing,
    )


def comparisons(outcomes: dict[tuple[str, float], Outcome], standing: dict[float, np.ndarray]) -> list[Check]:
    """The checks that need no more attacks: of one attack against another, and of one eps against another."""
    checks = []
    for eps in EPSILONS:
        strong, weak = outcomes[PGD, eps].accuracy, outcomes[FGSM, eps].accuracy
        seen = f"PGD leaves {wording.percent(strong, 1)}, FGSM {wording.percent(weak, 1)}"
        checks.append(Check(f"eps {eps}: many steps mislead more than one", seen, strong <= weak + TOLERANCE))
        blind = outcomes[SQUARE, eps].right
        alone = int((standing[eps][: len(blind)] & ~blind).sum())
        checks.append(
            Check(
                f"eps {eps}: nothing falls to random search that gradients leave standing",
                f"{alone} of {len(blind):,} fall to Square alone, which leaves {wording.percent(blind.mean(), 1)}",
                alone <= TOLERANCE * len(blind),
            )
        )
    smaller, larger = EPSILONS
    for name in (PGD, APGD_CE, APGD_DLR, SQUARE):
        near, far = outcomes[name, smaller].accuracy, outcomes[name, larger].accuracy
        seen = f"{wording.percent(near, 1)} at eps {smaller}, {wording.percent(far, 1)} at {larger}"
        checks.append(Check(f"{name}: a larger change misleads more", seen, far <= near + TOLERANCE))
    return checks


def probes(probe: Trial) -> list[Check]:
    """The checks that attack again: any change allowed, more and more steps, and the loss on the way."""
    eps = EPSILONS[0]
    free = [probe.run(name, WHITE_BOX[name], 1.0).right for name in (PGD, APGD_DLR)]
    stand = np.all(free, axis=0)

    def with_steps(steps: int) -> float:
        pictures = attacks.pgd(
            probe.network, probe.images, probe.labels, eps, steps, 1, probe.generator(f"{steps} steps")
        )
        return probe.judge(PGD, eps, pictures).accuracy

    left = [with_steps(steps) for steps in track(STEPS, "attacking with more steps")]
    loss = attacks.ascent(probe.network, probe.images, probe.labels, eps, max(STEPS) // 4, probe.generator("ascent"))
    rise = float(loss[-1] - loss[0])
    fall = float((loss[:-1] - loss[1:]).max())
    return [
        Check(
            "eps 1, where any picture may become any other: nothing stands",
            f"{wording.percent(stand.mean(), 1)} stand",
            not stand.any(),
        ),
        Check(
            f"eps {eps}: more steps never help the defender",
            ", ".join(f"{wording.percent(share, 1)} after {steps}" for share, steps in zip(left, STEPS, strict=True)),
            all(later <= earlier + TOLERANCE for earlier, later in pairwise(left)),
        ),
        Check(
            f"eps {eps}: the loss rises from step to step",
            f"from {loss[0]:.3f} to {loss[-1]:.3f}, "
            + (f"once falling by {fall:.3f}" if fall > 0 else "never falling"),
            rise > 0 and fall <= 0.01 * rise,
        ),
    ]


def verdicts(checks: Sequence[Check]) -> list[str]:
    """One sentence: that all checks hold, or which fail."""
    failed = [check for check in checks if not check.passed]
    if not failed:
        return [f"Passed: all {len(checks)} checks that the attacks are as strong as they should be."]
    broken = "; ".join(f"“{check.rule}” ({check.seen})" for check in failed)
    return [
        f"FAILED: {len(failed)} of {len(checks)} checks that the attacks are as strong as they should be. They do not "
        f"show how weak the network is: do not trust the shares above. What should hold and does not: {broken}."
    ]


def answers(
    trial: Trial, clean: Outcome, outcomes: dict[tuple[str, float], Outcome], standing: dict[float, np.ndarray]
) -> list[str]:
    """What was found, in words."""
    total = len(trial.images)
    sentences = [
        "This network was not trained against attacks, and nothing is promised here: whoever knows it can make "
        "pictures that people read without effort and it misreads. Where somebody gains by being misread, let a person "
        "check what it answers."
    ]
    for eps, right in standing.items():
        count = int(right.sum())
        low, high = exact_interval(count, total)
        sentences.append(
            f"Pixels changed by up to {eps} of the range from black to white (eps): the attacks with gradients "
            f"together leave {count:,} of {total:,} images read right, {wording.percent(count / total, 1)}, "
            f"{wording.span(low, high, 1)}; unchanged, {wording.percent(clean.accuracy, 1)} are read right."
        )
    for eps in EPSILONS:
        made = outcomes[PGD, eps]
        misread = ~made.right
        if not misread.any():
            continue
        withheld = int((misread & ~made.answered).sum())
        low, high = exact_interval(withheld, int(misread.sum()))
        as_files = trial.subject.read((255 * made.pictures[misread]).squeeze(1).round().numpy().astype(np.uint8))
        still = int((as_files.digit != trial.labels.numpy()[misread]).sum())
        sentences.append(
            f"Of the {misread.sum():,} pictures that PGD gets misread at eps {eps}, the recogniser declines to answer "
            f"{withheld:,}, {wording.percent(withheld / misread.sum(), 1)}, {wording.span(low, high, 1)} (it declines "
            f"{wording.percent((~clean.answered).mean(), 1)} of the unchanged images). Sent as image files, which "
            f"rounds them to 256 levels and centres them anew, {still:,} are misread still; an attacker could allow "
            f"for that."
        )
    return sentences


def accuracy_curve(probe: Trial) -> pd.DataFrame:
    """The share read right over eps, with its exact interval; what is misread at one eps is misread at all larger."""
    pictures, right = probe.images, probe.judge("none", 0.0, probe.images).right
    rows = [shares("PGD", 0.0, right)]
    for eps in track(CURVE, "attacking with growing eps"):
        left = torch.from_numpy(np.flatnonzero(right))
        pictures = pictures.clone()
        pictures[left] = attacks.pgd(
            probe.network, probe.images[left], probe.labels[left], eps, 20, 1, probe.generator(f"curve, {eps}")
        )
        right = probe.judge("PGD", eps, pictures).right
        rows.append(shares("PGD", eps, right))
    return pd.DataFrame(rows)


def draw_curve(curve: pd.DataFrame, count: int) -> Figure:
    """Draw the share read right over eps, with what is known of other networks."""
    figure = Figure(figsize=(6, 3.6), layout="constrained")
    axes = figure.subplots()
    axes.fill_between(curve["eps"], 100 * curve["from"], 100 * curve["to"], color=BLUE, alpha=0.15, linewidth=0)
    axes.plot(curve["eps"], 100 * curve["read right"], "o-", color=BLUE, markersize=4, label="this network")
    axes.plot([0.1, 0.3], [26.8, 0], "s", color=RED, markersize=5, label="plain ConvNet, not defended")
    axes.plot(0.3, 88.5, "D", color=GREY, markersize=5, label="adversarial training (Madry et al. 2018)")
    axes.set(
        xlabel="eps: how far a pixel may change, of the range 0 to 1",
        ylabel="read right, %",
        ylim=(-3, 103),
        title=f"PGD, 20 steps, {count} images, 95 % intervals",
    )
    axes.legend(frameon=False, loc="center right")
    return figure


def draw_examples(trial: Trial, clean: Outcome, made: Outcome) -> Figure:
    """Draw the images, their changes and what became of them: what was misread and answered first, the surest first."""
    order = np.lexsort((-made.predictions.confidence, made.predictions.abstained, made.right))[:EXAMPLES]
    figure = Figure(figsize=(1.05 * EXAMPLES, 4.1), layout="constrained")
    grid = figure.subplots(3, EXAMPLES, squeeze=False)
    for axes in grid.flat:
        axes.axis("off")
    for (above, middle, below), index in zip(grid.T, order, strict=False):
        image, picture = trial.images[index, 0].numpy(), made.pictures[index, 0].numpy()
        above.imshow(image, cmap="gray_r", vmin=0, vmax=1)
        above.set_title(answer(clean, index), size=8, color="black" if clean.right[index] else RED)
        middle.imshow(picture - image, cmap="RdBu_r", vmin=-made.eps, vmax=made.eps)
        below.imshow(picture, cmap="gray_r", vmin=0, vmax=1)
        below.set_title(answer(made, index), size=8, color="black" if made.right[index] else RED)
    return figure


def answer(outcome: Outcome, index: int) -> str:
    """What the recogniser says of one picture, in a few words."""
    said = outcome.predictions
    if said.abstained[index]:
        return f"declined\n({said.digit[index]}, {said.confidence[index]:.2f})"
    return f"{said.digit[index]}\n({said.confidence[index]:.2f})"
