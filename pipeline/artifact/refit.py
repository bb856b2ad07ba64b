"""A network's last layer, fitted once more to training images as they are served, and to forms that they lack.

Training warps and corrupts nearly every image, and what it balances by that is not what is served: fitting the last
layer alone to plain images mends it (Kang et al. 2020, arXiv 1910.09217; Kirichenko et al. 2023, arXiv 2204.02937),
and forms that are rare cost nothing elsewhere, where training on them does.
"""

from copy import deepcopy

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipeline.artifact.to_onnx import BATCH, prepared
from pipeline.params import Refit

STEPS = 60


def refit(
    network: nn.Module, train: tuple[np.ndarray, np.ndarray], forms: tuple[np.ndarray, np.ndarray], config: Refit
) -> nn.Module:
    """The network with another last layer, the given one unchanged.

    The mean cross-entropy of the training images and, with the weight ``config.forms``, of the forms is minimised,
    less a penalty on what changes of the weights, by L-BFGS.

    Args:
        network: in evaluation mode; its last linear layer gives the logits.
        train, forms: images uint8 [N, 28, 28] and labels uint8 [N].
    """
    changed = deepcopy(network)
    last = [layer for layer in changed.modules() if isinstance(layer, nn.Linear)][-1]
    sets = [(features(changed, last, images), torch.from_numpy(labels).long()) for images, labels in (train, forms)]
    shares = (1 - config.forms, config.forms)
    before = last.weight.detach().double()
    weight, bias = (one.detach().double().clone().requires_grad_() for one in (last.weight, last.bias))
    optimizer = torch.optim.LBFGS([weight, bias], max_iter=STEPS, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        errors = (F.cross_entropy(inputs @ weight.T + bias, labels) for inputs, labels in sets)
        total = sum(share * error for share, error in zip(shares, errors, strict=True))
        total = total + config.penalty * (weight - before).square().sum()
        total.backward()
        return total

    optimizer.step(loss)
    with torch.no_grad():
        last.weight.copy_(weight)
        last.bias.copy_(bias)
    return changed


@torch.no_grad()
def features(network: nn.Module, layer: nn.Linear, images: np.ndarray) -> Tensor:
    """What reaches ``layer``, float64 [N, D], of images, uint8 [N, 28, 28]."""
    seen: list[Tensor] = []
    hook = layer.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].double()))
    for batch in torch.from_numpy(images).split(BATCH):
        network(prepared(batch.float()))
    hook.remove()
    return torch.cat(seen)
