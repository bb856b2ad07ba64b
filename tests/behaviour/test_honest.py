"""What the page shows of the network is so: every number is computed anew from the served file, by other code."""

import base64
import io
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import helper, numpy_helper
from PIL import Image

from pipeline import release, serve
from pipeline.audits.inputs.strokes import STYLES, draw
from pipeline.showcase import held_out, inside
from serving.model.activations import Activations
from serving.model.explain import explain
from serving.model.recogniser import Recogniser
from serving.model.touch import UnitAsked, touch
from serving.model.without import HeldOut, WithoutAsked, without

DRAWINGS = 100
MOST = 1e-4
RNG = np.random.default_rng()


class Served:
    """The served file, what its layers are given and answer among its outputs, and its constants as numbers.

    No sum of a convolution is among them: as an output it would no longer be added up in integers, as it is where it is
    served.
    """

    def __init__(self, path: Path) -> None:
        self.model = onnx.load(path)
        self.constants = {one.name: numpy_helper.to_array(one) for one in self.model.graph.initializer}
        nodes = self.model.graph.node
        for node in nodes:
            if node.op_type == "DequantizeLinear" and node.input[0] in self.constants:
                integers, scale, zero = (self.constants[name].astype(np.float64) for name in node.input)
                shape = [-1] + [1] * (integers.ndim - 1)
                self.constants[node.output[0]] = (integers - zero.reshape(shape)) * scale.reshape(shape)
        self.layers = [node for node in nodes if node.op_type in ("Conv", "Gemm")]
        while "novelty" in "".join(self.layers[-1].input):
            self.layers.pop()
        shown = [name for node in self.layers for name in (node.input[0], self.answer_name(node))]
        known = {one.name for one in self.model.graph.output}
        self.model.graph.output.extend(
            onnx.ValueInfoProto(name=name) for name in dict.fromkeys(shown) if name not in known
        )
        self.session = self.opened(self.model)
        self.names = [one.name for one in self.session.get_outputs()]

    @staticmethod
    def opened(model: onnx.ModelProto) -> ort.InferenceSession:
        options = ort.SessionOptions()
        options.log_severity_level = 3
        options.intra_op_num_threads = 1
        return ort.InferenceSession(model.SerializeToString(), options)

    def everything(self, pixels: np.ndarray) -> dict[str, np.ndarray]:
        return dict(zip(self.names, self.session.run(None, {"pixels": pixels[None]}), strict=True))

    def logits(self, images: np.ndarray) -> np.ndarray:
        return np.concatenate([self.session.run(["logits"], {"pixels": one[None]})[0] for one in images])

    def answer_name(self, node: onnx.NodeProto) -> str:
        """What a layer answers: what follows its sums, up to what the next layer is given."""
        readers = {name: one for one in self.model.graph.node for name in one.input}
        after = readers[node.output[0]]
        return str((readers[after.output[0]] if after.op_type == "QuantizeLinear" else after).output[0])

    def answer(self, tensors: dict[str, np.ndarray], node: onnx.NodeProto) -> np.ndarray:
        return tensors[self.answer_name(node)][0]

    def without(self, layer: int, unit: int) -> ort.InferenceSession:
        """The model with nothing that excites the unit: its weights and its bias are zero."""
        edited = onnx.ModelProto()
        edited.CopyFrom(self.model)
        del edited.graph.output[3:]
        made = {name: node for node in edited.graph.node for name in node.output}
        for name in self.layers[layer].input[1:]:
            stored = made[name].input[0] if name in made else name
            [tensor] = [one for one in edited.graph.initializer if one.name == stored]
            values = numpy_helper.to_array(tensor).copy()
            values[unit] = 0
            tensor.CopyFrom(numpy_helper.from_array(values, stored))
        return self.opened(edited)


def numbers(raster) -> np.ndarray:
    levels = np.frombuffer(base64.b64decode(raster.data), np.uint8).reshape(raster.shape).astype(float)
    return (levels - 128) / 127 * raster.peak if raster.signed else levels / 255 * raster.peak


def softmax(logits: np.ndarray) -> np.ndarray:
    shares = np.exp(logits.astype(np.float64) - logits.max(axis=-1, keepdims=True))
    return shares / shares.sum(axis=-1, keepdims=True)


def odds(logits: np.ndarray, digit: int) -> np.ndarray:
    share = softmax(logits)[..., digit]
    return np.log(share) - np.log(np.delete(softmax(logits), digit, -1).sum(axis=-1))


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """The released champion, its graph with the layers open, and test digits: those that the service offers to try."""
    folder = tmp_path_factory.mktemp("champion")
    content = (serve.released(release.champions()["mnist"]) / "src/model.onnx").read_bytes()
    (folder / "model.onnx").write_bytes(content)
    (folder / "inside.onnx").write_bytes(inside.derive(content))
    digits = np.frombuffer(Path("serving/page/samples/ten.bin").read_bytes(), np.uint8).reshape(10, 28, 28)
    shifted = np.concatenate([np.roll(digits, (down, right), (1, 2)) for down in (-1, 0, 2) for right in (-2, 0, 1)])
    [(name, sheet)] = held_out.make(shifted, np.tile(np.arange(10, dtype=np.uint8), 9)).items()
    (folder / name).write_bytes(sheet)
    return folder


@pytest.fixture(scope="module")
def served(folder) -> Served:
    served = Served(folder / "model.onnx")
    pixels = RNG.uniform(0, 255, (3, 28, 28)).astype(np.float32)
    [alone] = served.opened(onnx.load(folder / "model.onnx")).run(["logits"], {"pixels": pixels})
    np.testing.assert_allclose(served.logits(pixels), alone, atol=MOST)
    return served


@pytest.fixture(scope="module")
def recogniser(folder) -> Recogniser:
    return Recogniser(folder / "model.onnx")


@pytest.fixture(scope="module")
def network(folder, recogniser) -> Activations:
    return Activations(folder / "inside.onnx", recogniser.sha256)


@pytest.fixture(scope="module")
def drawings() -> list[bytes]:
    """Files of drawings, made anew each time."""
    made = []
    for style in RNG.choice(list(STYLES), DRAWINGS):
        buffer = io.BytesIO()
        Image.fromarray(draw(STYLES[style], RNG)).save(buffer, "PNG")
        made.append(buffer.getvalue())
    return made


def seen(told, data, recogniser) -> np.ndarray:
    """The pixels that the network is given of a file."""
    from serving import images

    pixels = images.normalise(images.read(data))
    np.testing.assert_allclose(numbers(told.reading.pixels), pixels, atol=0.51)
    return pixels


def test_activations_kernels_points_and_links(drawings, served, recogniser, network):
    for data in drawings:
        told = explain(data, recogniser, network)
        tensors = served.everything(seen(told, data, recogniser))
        np.testing.assert_allclose(told.points, tensors["logits"][0], atol=MOST)
        np.testing.assert_allclose(told.answer.probabilities, softmax(tensors["logits"][0]), atol=MOST)
        answers = [served.answer(tensors, node) for node in served.layers]
        for layer, answer in zip(told.layers, answers, strict=True):
            level = layer.values.peak / (127 if layer.values.signed else 255)
            np.testing.assert_allclose(numbers(layer.values), answer, atol=level / 2 + MOST)
        first = served.constants[served.layers[0].input[1]][told.first_weights.units, 0]
        peak = told.first_weights.weights.peak
        np.testing.assert_allclose(numbers(told.first_weights.weights), first, atol=peak / 254 + MOST)
        before = [0]
        for column, node, answer in zip(told.columns, served.layers, answers, strict=True):
            last = node is served.layers[-1]
            weights = served.constants[node.input[1]][column.units]
            for unit, weight, links in zip(column.units, weights, column.links, strict=True):
                place = np.unravel_index(answer[unit].argmax(), answer[unit].shape) if answer.ndim == 3 else (0, 0)
                products = patch(tensors, node, place) * weight.reshape(patch(tensors, node, place).shape)
                shares = products.sum(axis=(1, 2)) / (temperature(served, node) if last else 1)
                np.testing.assert_allclose(links, shares[before], atol=MOST)
            before = column.units


def patch(tensors, node, place) -> np.ndarray:
    """What a convolution's kernel lies over at a place, or all that a dense layer is given: [maps, height, width]."""
    given = tensors[node.input[0]][0].astype(np.float64)
    if node.op_type == "Gemm":
        return given.reshape(-1, 1, 1)
    attributes = {one.name: onnx.helper.get_attribute_value(one) for one in node.attribute}
    top, left, bottom, right = attributes["pads"]
    padded = np.pad(given, ((0, 0), (top, bottom), (left, right)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, attributes["kernel_shape"], (1, 2))
    down, along = attributes["strides"]
    return windows[:, place[0] * down, place[1] * along]


def temperature(served, node) -> float:
    [divides] = [one for one in served.model.graph.node if one.input[0] == node.output[0]]
    return float(served.constants[divides.input[1]])


def test_a_units_sum_is_whole_and_is_what_the_network_answers(drawings, served, recogniser, network):
    for data in drawings:
        told = explain(data, recogniser, network)
        tensors = served.everything(seen(told, data, recogniser))
        for layer, node in enumerate(served.layers):
            answer = served.answer(tensors, node)
            unit = int(RNG.integers(len(answer)))
            place = tuple(int(RNG.integers(side)) for side in answer.shape[1:]) or (0, 0)
            found = touch(data, network, UnitAsked(layer=layer, unit=unit, row=place[0], column=place[1]))
            given = patch(tensors, node, place)
            weight = served.constants[node.input[1]][unit].reshape(given.shape)
            for term in found.terms:
                np.testing.assert_allclose(term.values, given[term.map], atol=MOST)
                np.testing.assert_allclose(term.weights, weight[term.map], atol=MOST)
                assert term.sum == pytest.approx((given[term.map] * weight[term.map]).sum(), abs=MOST)
            bias = float(served.constants[node.input[2]][unit])
            assert found.bias == pytest.approx(bias, abs=MOST)
            assert found.total == pytest.approx(bias + (given * weight).sum(), abs=MOST)
            assert len(found.terms) + found.others.count == len(given)
            written = found.bias + sum(term.sum for term in found.terms) + found.others.sum
            assert written == pytest.approx(found.total, abs=MOST)
            output = float(answer[unit][place] if answer.ndim == 3 else answer[unit])
            assert found.output == pytest.approx(output, abs=MOST)
            if found.activation == "softmax":
                assert found.total / temperature(served, node) == pytest.approx(output, abs=MOST)
            else:
                step = found.step or 0
                assert max(0.0, found.total) == pytest.approx(output, abs=MOST + step / 2) or output >= 254.9 * step


def test_a_unit_depends_on_the_framed_pixels_and_on_no_others(drawings, served, recogniser, network):
    """What the first layer is given is changed, outside of the frame and then in it."""
    first, rest = served.layers[0].input[0], served.layers[1:-1]
    part = onnx.utils.Extractor(served.model).extract_model([first], [one.output[0] for one in rest])
    part.graph.input[0].CopyFrom(helper.make_tensor_value_info(first, onnx.TensorProto.FLOAT, [1, 1, 28, 28]))
    session = served.opened(part)
    for data in drawings[:10]:
        told = explain(data, recogniser, network)
        given = served.everything(seen(told, data, recogniser))[first]
        for layer, node in enumerate(rest, 1):
            [sums] = session.run([node.output[0]], {first: given})
            place = tuple(int(RNG.integers(side)) for side in sums.shape[2:])
            top, left, bottom, right = touch(data, network, UnitAsked(layer=layer, row=place[0], column=place[1])).field
            noise = RNG.uniform(-0.4, 2.8, given.shape).astype(np.float32)
            outside = noise.copy()
            outside[..., top:bottom, left:right] = given[..., top:bottom, left:right]
            [kept] = session.run([node.output[0]], {first: outside})
            np.testing.assert_allclose(kept[0, :, *place], sums[0, :, *place], atol=MOST)
            inside_ = given.copy()
            inside_[..., top:bottom, left:right] = noise[..., top:bottom, left:right]
            [changed] = session.run([node.output[0]], {first: inside_})
            assert np.abs(changed[0, :, *place] - sums[0, :, *place]).max() > MOST


def test_occlusion(drawings, served, recogniser, network):
    for data in drawings:
        told = explain(data, recogniser, network)
        if told.saliency is None:
            continue
        pixels, digit = seen(told, data, recogniser), told.saliency.digit
        corners = [(row, column) for row in range(0, 25, 2) for column in range(0, 25, 2)]
        covered = {(row, column): pixels.copy() for row, column in corners}
        for (row, column), image in covered.items():
            image[row : row + 4, column : column + 4] = 0
        covered = {at: image for at, image in covered.items() if (image != pixels).any()}
        falls = odds(served.logits(pixels[None]), digit) - odds(served.logits(np.stack(list(covered.values()))), digit)
        top, left, bottom, right = told.saliency.strongest.box
        assert (bottom, right) == (top + 4, left + 4)
        assert told.saliency.strongest.voice == pytest.approx(falls[list(covered).index((top, left))], abs=MOST)
        assert abs(told.saliency.strongest.voice) == pytest.approx(np.abs(falls).max(), abs=MOST)
        total, count = np.zeros((28, 28)), np.zeros((28, 28))
        for (row, column), fall in zip(covered, falls, strict=True):
            total[row : row + 4, column : column + 4] += fall
            count[row : row + 4, column : column + 4] += 1
        mean = np.where(pixels > 0, total / np.maximum(count, 1), 0)
        shown = told.saliency.values
        np.testing.assert_allclose(numbers(shown), mean, atol=shown.peak / 254 + MOST)


def test_answers_with_units_switched_off(drawings, served, recogniser, network, folder):
    digits = HeldOut(folder / held_out.NAME, network)
    assert digits.images is not None
    for chosen in np.array_split(np.arange(DRAWINGS), 10):
        layer = int(RNG.integers(len(served.layers) - 1))
        unit = int(RNG.integers(served.constants[served.layers[layer].input[1]].shape[0]))
        session = served.without(layer, unit)
        [examined] = session.run(["logits"], {"pixels": digits.images})
        for drawing in chosen:
            told = without(drawings[drawing], network, digits, WithoutAsked(off=f"{layer}.{unit}"))
            pixels = seen(explain(drawings[drawing], recogniser, network), drawings[drawing], recogniser)
            [expected] = session.run(["logits"], {"pixels": pixels[None]})
            np.testing.assert_allclose(told.without.points, expected[0], atol=MOST)
            np.testing.assert_allclose(told.without.probabilities, softmax(expected[0]), atol=MOST)
            np.testing.assert_allclose(told.whole.points, served.logits(pixels[None])[0], atol=MOST)
            assert told.test is not None
            right = examined.argmax(axis=1).reshape(10, -1) == np.arange(10)[:, None]
            assert told.test.right_without == right.sum(axis=1).tolist()
