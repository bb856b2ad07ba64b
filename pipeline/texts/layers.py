"""What the texts' networks are built of beyond what torch has."""

import torch
from torch import Tensor, nn


class Step(nn.Module):
    """1 above 0 and else 0, which has no gradient to learn by: backwards it passes on the sigmoid's.

    A straight-through estimator (Bengio, Léonard and Courville 2013, arXiv 1308.3432).
    """

    def forward(self, sums: Tensor) -> Tensor:
        soft = sums.sigmoid()
        return (sums > 0).to(soft.dtype) + (soft - soft.detach())


class Threshold(nn.Module):
    """One neuron's sum, float [N, 1], as the logits of two classes, float [N, 2]: 1 wins where the sum is above 0."""

    def forward(self, sums: Tensor) -> Tensor:
        return torch.cat([torch.zeros_like(sums), sums], dim=1)
