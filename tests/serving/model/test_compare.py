"""What several networks read in one picture, and which ink made each read it so."""

import base64
import io
import json
import lzma
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.showcase import inside
from serving import images
from serving.errors import ApiError
from serving.model.activations import PATCH, Activations
from serving.model.compare import Comparison, Contenders
from tests import toy_model
from tests.pipeline.showcase.test_compare import wide

GAINS = {"toy": 0.2, "steeper": 0.5}
"""Of the networks without hidden layers; the first is served."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A list of four networks, of which one has no file here, and one a hidden layer."""
    folder = tmp_path_factory.mktemp("show")
    models = {name: toy_model.write(folder / "model.onnx", gain=gain).read_bytes() for name, gain in GAINS.items()}
    models["deep"] = wide(20)
    for name, model in models.items():
        graph = inside.derive(model)
        (folder / f"compare_{name}.onnx.xz").write_bytes(lzma.compress(graph))
    (folder / "compare_toy.onnx.xz").rename(folder / "inside.onnx.xz")
    listed = [
        {"name": name, "title": f"a {name} one", "parameters": 7850, "accuracy": 0.9}
        for name in ("steeper", "gone", "toy", "deep")
    ]
    listed[-1]["note"] = "It lacks something."
    (folder / "compare.json").write_text(json.dumps(listed))
    return folder


@pytest.fixture(scope="module")
def contenders(folder: Path) -> Contenders:
    return Contenders(folder, "toy", Activations(folder / "inside.onnx.xz"))


def png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def values(raster) -> np.ndarray:
    """The numbers that a raster's bytes stand for."""
    levels = np.frombuffer(base64.b64decode(raster.data), np.uint8).astype(float).reshape(raster.shape)
    return raster.peak * ((levels - 128) / 127 if raster.signed else levels / 255)


@pytest.fixture(scope="module")
def picture() -> bytes:
    """Two digits, of which the first is written with more ink."""
    rng = np.random.default_rng()
    strong, weak = rng.permutation(10)[:2].tolist()
    return png(np.maximum(toy_model.image(strong), toy_model.image(weak, int(rng.integers(60, 120)))))


@pytest.fixture
def pixels(picture: bytes) -> np.ndarray:
    """What the networks are given."""
    return images.normalise(images.read(picture))


@pytest.fixture(scope="module")
def compared(contenders: Contenders, picture: bytes) -> Comparison:
    return contenders.compare(picture)


def test_all_that_are_here_read_it_in_the_order_of_the_list(compared):
    assert [one.network.name for one in compared.readers] == ["steeper", "toy", "deep"]
    assert [one.network.name for one in compared.readers if one.served] == ["toy"]
    assert compared.readers[2].network.note == "It lacks something."
    assert compared.pixels.shape == [28, 28]
    assert compared.pixels.peak == 255


def test_each_answers_as_its_graph_does_for_the_pixels_that_are_told(compared, contenders, pixels):
    np.testing.assert_allclose(values(compared.pixels), pixels, atol=0.5)
    for reader, (about, graph) in zip(compared.readers, contenders.all, strict=True):
        assert reader.network == about
        [logits] = graph.logits(pixels[None])
        assert reader.answer.digit == logits.argmax()
        assert reader.answer.points == pytest.approx(logits.tolist(), abs=1e-3)
        assert sum(reader.answer.probabilities) == pytest.approx(1, abs=1e-3)


def test_it_is_told_what_is_read_once_the_strongest_patch_is_covered(compared, contenders, pixels):
    for reader, (_, graph) in zip(compared.readers, contenders.all, strict=True):
        assert reader.saliency.digit == reader.answer.digit
        top, left, bottom, right = reader.saliency.strongest.box
        assert (bottom - top, right - left) == (PATCH, PATCH)
        covered = pixels.copy()
        covered[top:bottom, left:right] = 0
        assert (covered != pixels).any()
        assert reader.covered == graph.logits(covered[None])[0].argmax()


def test_where_no_layer_is_hidden_the_ink_adds_up_to_the_lead(compared, contenders, pixels):
    assert compared.readers[2].ink is None
    for reader, (_, graph) in zip(compared.readers[:2], contenders.all[:2], strict=True):
        ink = reader.ink
        [logits] = graph.logits(pixels[None])
        rival, digit = logits.argsort()[-2:]
        assert (ink.digit, ink.rival) == (digit, rival) == (reader.answer.digit, rival)
        assert ink.lead == pytest.approx(float(logits[digit] - logits[rival]), abs=1e-3)
        assert ink.start + ink.gained + ink.lost == pytest.approx(ink.lead, abs=0.002)
        assert ink.gained > 0 >= ink.lost
        added = values(ink.pixels)
        assert added.sum() == pytest.approx(ink.gained + ink.lost, abs=0.02 * ink.gained)
        assert not added[pixels == 0].any()
        assert ((added > 0) <= (toy_model.BAND.reshape(28, 28) == digit)).all(), "ink speaks for its own digit"


def test_a_steeper_network_has_the_greater_lead(compared):
    steeper, toy = (reader.ink for reader in compared.readers[:2])
    assert steeper.lead == pytest.approx(toy.lead * GAINS["steeper"] / GAINS["toy"], rel=1e-3)


def test_nothing_speaks_where_there_is_no_ink(contenders):
    blank = contenders.compare(png(np.zeros((28, 28), np.uint8)))
    assert not values(blank.pixels).any()
    for reader in blank.readers:
        assert (reader.saliency, reader.covered, reader.ink) == (None, None, None)
        assert sum(reader.answer.probabilities) == pytest.approx(1, abs=1e-3)


def test_what_is_no_picture_is_refused(contenders):
    with pytest.raises(ApiError):
        contenders.compare(b"no picture")


def test_without_a_list_nobody_is_compared(tmp_path, contenders):
    alone = Contenders(tmp_path, "toy", contenders.all[1].inside)
    assert alone.compare(png(toy_model.image(3))).readers == []
