"""ReLUs with a slope below zero, for a search that starts where a network is silent. Importing this loads torch."""

import copy
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SOFT, SOFTENED = 0.5, 2
"""How far below zero the last ReLUs have a slope, and how many of them."""
UNTIL = 0.5
"""The share of a search after which they are as they were."""


class Softened(nn.Module):
    """ReLU, whose slope does not end at zero but fades below it."""

    def __init__(self, softness: Tensor) -> None:
        super().__init__()
        self.softness = softness

    def forward(self, values: Tensor) -> Tensor:
        answers = F.relu(values)
        if not self.softness:
            return answers
        smooth = F.celu(values, float(self.softness))
        return smooth + (answers - smooth).detach()


def soften(network: nn.Module) -> tuple[nn.Module, Callable[[float], None]]:
    """A copy of ``network`` with the last of its ReLUs softened, and what hardens them as a search goes from 0 to 1.

    Its answers are the same. Where units are silent, as all of a network may be that is shown noise, there is no slope
    to be led up by. One that is the same everywhere below zero, as Lucid gives its ReLUs at first, led class pictures
    astray here: to silence units that were silent already.
    """
    softness = torch.tensor(SOFT)
    softened = copy.deepcopy(network)
    for name in [name for name, module in softened.named_modules() if isinstance(module, nn.ReLU)][-SOFTENED:]:
        softened.set_submodule(name, Softened(softness))

    def harden(progress: float) -> None:
        softness.fill_(SOFT * max(1 - progress / UNTIL, 0))

    return softened, harden
