"""The torch network that a training left, for what exports it or needs its gradients."""

import json
from pathlib import Path
from typing import Any

from safetensors.torch import load_file
from torch import nn

from pipeline.models.networks import Network, parse


def load_network(folder: Path) -> nn.Module:
    """The network of ``folder``, models/trained/NAME, in evaluation mode, its weights fixed.

    Its config is read from run.json, which tells the parameters that these weights were trained with, whatever
    params.yaml says by now.
    """
    record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    prefix = f"networks.{record['network']}."
    params = record["inputs"]["params"].items()
    entry = nested({name.removeprefix(prefix): value for name, value in params if name.startswith(prefix)})
    return with_weights(parse(entry), folder / "weights.safetensors")


def with_weights(config: Network, weights: Path) -> nn.Module:
    """The network of ``config`` with the weights of a file, as ``load_network`` gives it."""
    network = config.build()
    network.load_state_dict(load_file(weights))
    return network.eval().requires_grad_(False)


def nested(flat: dict[str, Any]) -> dict[str, Any]:
    """Dotted names as dictionaries in one another."""
    config: dict[str, Any] = {}
    for name, value in flat.items():
        *path, last = name.split(".")
        inner = config
        for step in path:
            inner = inner.setdefault(step, {})
        inner[last] = value
    return config
