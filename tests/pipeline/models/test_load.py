"""The torch network that a training left."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from pipeline.models.load import load_network
from pipeline.params import load


@pytest.mark.parametrize("name", ["perceptron", "mlp", "fast"])
def test_the_network_comes_back_from_its_own_folder(tmp_path: Path, name: str):
    small: dict[str, object] = {"width": 4} if name == "fast" else {"hidden": [12]}
    config = load(f"networks.{name}").model_copy(update=small)
    network = config.build()
    network(torch.randn(16, 1, 28, 28))
    save_file(
        {key: value.contiguous() for key, value in network.state_dict().items()}, tmp_path / "weights.safetensors"
    )
    flat: dict[str, object] = {"train.seed": 0}
    for key, value in config.model_dump().items():
        inner = {f"{key}.{part}": size for part, size in value.items()} if isinstance(value, dict) else {key: value}
        flat |= {f"networks.{name}.{part}": size for part, size in inner.items()}
    (tmp_path / "run.json").write_text(json.dumps({"network": name, "inputs": {"params": flat}}))

    loaded = load_network(tmp_path)
    images = torch.randn(5, 1, 28, 28)
    torch.testing.assert_close(loaded(images), network.eval()(images))
    assert not any(one.requires_grad for one in loaded.parameters())
