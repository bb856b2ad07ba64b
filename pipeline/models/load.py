"""The torch network behind an exported one, for what needs its gradients."""

import json
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter
from safetensors.torch import load_file
from torch import nn

from pipeline.models.networks import build
from pipeline.params import Network


def load_network(folder: Path) -> nn.Module:
    """Rebuild the network of ``folder``, models/NAME, in eval mode: normalised images [N, 1, 28, 28] to logits [N, 10].

    Its shape is read from run.json, which tells the parameters that these weights were trained with, whatever
    params.yaml says by now.
    """
    record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    prefix = f"networks.{record['network']}."
    config = nested(
        {
            name.removeprefix(prefix): value
            for name, value in record["inputs"]["params"].items()
            if name.startswith(prefix)
        }
    )
    network = build(TypeAdapter[Network](Network).validate_python(config))
    network.load_state_dict(load_file(folder / "weights.safetensors"))
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
