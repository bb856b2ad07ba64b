"""The optimisers: AdamW for the MLP and the perceptron, Muon and AdamW together for the ConvNet."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import AdamW, Muon, Optimizer

from pipeline.params import ConvNet, Network


def optimiser(network: nn.Module, config: Network) -> Optimizer:
    """What trains ``network``, with the learning rate and the weight decay of ``config``."""
    if isinstance(config, ConvNet):
        return MuonAdamW(network, config.learning_rate, config.weight_decay)
    return AdamW(network.parameters(), config.learning_rate, weight_decay=config.weight_decay, fused=True)


class MuonAdamW(Optimizer):
    """Muon for the kernels between hidden channels, AdamW for all else, at one learning rate and one weight decay.

    Muon (Jordan et al. 2024, kellerjordan.github.io/posts/muon) steps by the matrix nearest to the momentum whose
    singular values are all alike; a kernel is taken as the matrix whose rows are its filters. Its steps are made as
    long as AdamW's would be (Liu et al. 2025, arXiv 2502.16982), so that both share their dials.
    """

    def __init__(self, network: nn.Module, learning_rate: float, weight_decay: float) -> None:
        parameters = list(network.parameters())
        self.kernels = [parameter for parameter in parameters if is_hidden_kernel(parameter)]
        self.matrices = [nn.Parameter(matrix(kernel.detach())) for kernel in self.kernels]
        rest = [parameter for parameter in parameters if not is_hidden_kernel(parameter)]
        self.parts = (
            AdamW(rest, learning_rate, weight_decay=weight_decay, fused=True),
            Muon(self.matrices, learning_rate, weight_decay=weight_decay, adjust_lr_fn="match_rms_adamw"),
        )
        super().__init__(self._groups(), {})

    def _groups(self) -> list[dict[str, Any]]:
        return [group for part in self.parts for group in part.param_groups]

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One step, by the gradients that there are or that ``closure`` leaves behind; returns what that returns."""
        with torch.enable_grad():
            loss = closure() if closure else None
        for view, kernel in zip(self.matrices, self.kernels, strict=True):
            view.grad = None if kernel.grad is None else matrix(kernel.grad)
        for part in self.parts:
            part.step()
        return loss

    def zero_grad(self, set_to_none: bool = True) -> None:
        super().zero_grad(set_to_none)
        for kernel in self.kernels:
            kernel.grad = None

    def state_dict(self) -> dict[str, Any]:
        return {"parts": [part.state_dict() for part in self.parts]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        for part, state in zip(self.parts, state_dict["parts"], strict=True):
            part.load_state_dict(state)
        self.param_groups = self._groups()


def is_hidden_kernel(parameter: Tensor) -> bool:
    return parameter.ndim == 4 and parameter.shape[1] > 1


def matrix(kernel: Tensor) -> Tensor:
    """A view of a kernel, [out, in, height, width] and channels last, as [out, height * width * in]."""
    return kernel.permute(0, 2, 3, 1).view(len(kernel), -1)
