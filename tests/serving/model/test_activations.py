import numpy as np
import pytest

from pipeline.showcase import inside as showcase
from serving.model.activations import Activations
from serving.model.recogniser import ModelError, Recogniser
from tests import toy_model


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    model = toy_model.write(folder / "model.onnx")
    (folder / "inside.onnx").write_bytes(showcase.derive(model.read_bytes()))
    return folder


@pytest.fixture(scope="module")
def recogniser(folder):
    return Recogniser(folder / "model.onnx")


@pytest.fixture(scope="module")
def network(folder, recogniser):
    return Activations(folder / "inside.onnx", recogniser.sha256)


def test_the_layers_answer_as_the_served_network_does(network, recogniser):
    pixels = toy_model.image(4).astype(np.float32)
    [layer], [logits] = network.layers, network.of(pixels)
    assert (layer.kind, layer.units, layer.kernel, layer.activation) == ("dense", 10, None, "softmax")
    shares = np.exp(logits - logits.max())
    np.testing.assert_allclose(shares / shares.sum(), recogniser.predict(pixels[None]).probabilities[0], atol=1e-6)
    assert network.weights.shape == (10, 28, 28)
    assert (network.weights[4] > 0).sum() == (pixels > 0).sum()


def test_ink_speaks_for_its_own_digit_and_against_another(network):
    three, eight = toy_model.image(3), toy_model.image(8, 128)
    both = np.maximum(three, eight).astype(np.float32)
    voices = network.saliency(both, 3)
    assert (voices[both == 0] == 0).all()
    assert voices[three > 0].min() > 0 > voices[eight > 0].max()
    opposite = network.saliency(both, 8)
    assert opposite[eight > 0].min() > 0 > opposite[three > 0].max()


def test_without_ink_nothing_speaks(network):
    assert not network.saliency(np.zeros((28, 28), np.float32), 3).any()


def test_what_does_not_belong_to_the_model_is_refused(folder, tmp_path):
    with pytest.raises(ModelError, match="another model"):
        Activations(folder / "inside.onnx", "0" * 64)
    with pytest.raises(ModelError, match=r"cannot read .*nowhere"):
        Activations(tmp_path / "nowhere", "0" * 64)
    (tmp_path / "broken").write_bytes((folder / "inside.onnx").read_bytes()[:-99])
    with pytest.raises(ModelError, match="not a graph"):
        Activations(tmp_path / "broken", "0" * 64)
