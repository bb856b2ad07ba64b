import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from pipeline.showcase import inside as showcase
from serving.model.activations import PATCH, Activations
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
    [layer], [(_, logits)] = network.layers, network.of(pixels)
    assert (layer.kind, layer.units, layer.kernel, layer.activation) == ("dense", 10, None, "softmax")
    shares = np.exp(logits - logits.max())
    np.testing.assert_allclose(shares / shares.sum(), recogniser.predict(pixels[None]).probabilities[0], atol=1e-6)
    [(weights, bias)] = network.parameters
    assert weights.shape == (10, 1, 28, 28)
    assert (weights[4] > 0).sum() == (pixels > 0).sum()
    assert not bias.any()


def test_ink_speaks_for_its_own_digit_and_against_another(network):
    three, eight = toy_model.image(3), toy_model.image(8, 128)
    both = np.maximum(three, eight).astype(np.float32)
    voices = network.saliency(both, 3).pixels
    assert (voices[both == 0] == 0).all()
    assert voices[three > 0].min() > 0 > voices[eight > 0].max()
    opposite = network.saliency(both, 8).pixels
    assert opposite[eight > 0].min() > 0 > opposite[three > 0].max()


def test_the_strongest_patch_is_told_with_what_covering_it_alone_does(network):
    rng = np.random.default_rng(17)
    digit = int(rng.integers(10))
    image = toy_model.image(digit, int(rng.integers(100, 256))).astype(np.float32)
    image[rng.integers(28, size=40), rng.integers(28, size=40)] = 200
    found = network.saliency(image, digit)
    covered = image.copy()
    top, left, voice = found.strongest
    covered[top : top + PATCH, left : left + PATCH] = 0
    before, after = (_log_odds(network.of(one)[-1].answer, digit) for one in (image, covered))
    assert voice == pytest.approx(before - after, abs=1e-4)
    assert abs(voice) >= np.abs(found.pixels).max(), "a pixel has the mean of several patches"


def _log_odds(logits, digit):
    shares = np.exp(logits.astype(np.float64))
    return np.log(shares[digit] / (shares.sum() - shares[digit]))


def turning(folder, degrees):
    """The toy, that turns its pictures by so many degrees, clockwise, before its first layer."""
    model = onnx.load(toy_model.write(folder / "model.onnx"))
    scaled, flatten = model.graph.node[:2]
    flatten.input[0] = "turned"
    sine, cosine = np.sin(np.radians(-degrees)), np.cos(np.radians(-degrees))
    across, down = np.meshgrid((2 * np.arange(28) + 1) / 28 - 1, (2 * np.arange(28) + 1) / 28 - 1)
    grid = np.stack([cosine * across - sine * down, sine * across + cosine * down], axis=-1)[None]
    constants = {"grid": grid.astype(np.float32), "first": np.array([1]), "rest": np.array([28, 28, 2])}
    model.graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in constants.items())
    nodes = [
        scaled,
        helper.make_node("Unsqueeze", ["scaled", "first"], ["channelled"]),
        helper.make_node("Shape", ["pixels"], ["count"], end=1),
        helper.make_node("Concat", ["count", "rest"], ["sizes"], axis=0),
        helper.make_node("Expand", ["grid", "sizes"], ["grids"]),
        helper.make_node("GridSample", ["channelled", "grids"], ["turned"], padding_mode="border"),
        *list(model.graph.node)[1:],
    ]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    onnx.save(model, folder / "model.onnx")
    (folder / "inside.onnx").write_bytes(showcase.derive((folder / "model.onnx").read_bytes()))
    return Activations(folder / "inside.onnx", Recogniser(folder / "model.onnx").sha256)


@pytest.mark.parametrize("way", [-1, 1])
def test_a_network_that_turns_its_pictures_first_says_by_how_much(tmp_path, way):
    degrees = round(way * np.random.default_rng().uniform(1, 12), 1)
    network = turning(tmp_path, degrees)
    assert network.degrees == pytest.approx(degrees, abs=0.15)
    bar = np.zeros((28, 28), np.float32)
    bar[4:24, 13:15] = 255
    given = network.given(bar)[8:20].astype(float)  # between the bar's ends
    middles = (given * np.arange(28)).sum(axis=1) / given.sum(axis=1)
    lean = np.degrees(np.arctan(-np.polyfit(np.arange(len(given)), middles, 1)[0]))
    assert lean == pytest.approx(degrees, abs=1), "the top of what stands upright goes to the right"


def test_a_network_that_turns_nothing_is_given_the_pixels(network):
    pixels = np.random.default_rng().uniform(0, 255, (28, 28)).astype(np.float32)
    assert network.degrees == 0
    np.testing.assert_allclose(network.given(pixels), pixels, atol=0.01)


def test_what_does_not_belong_to_the_model_is_refused(folder, tmp_path):
    with pytest.raises(ModelError, match="another model"):
        Activations(folder / "inside.onnx", "0" * 64)
    with pytest.raises(ModelError, match=r"cannot read .*nowhere"):
        Activations(tmp_path / "nowhere", "0" * 64)
    (tmp_path / "broken").write_bytes((folder / "inside.onnx").read_bytes()[:-99])
    with pytest.raises(ModelError, match="not a graph"):
        Activations(tmp_path / "broken", "0" * 64)
