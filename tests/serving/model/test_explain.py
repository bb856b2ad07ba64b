import base64
import io

import numpy as np
import pytest
from PIL import Image, ImageDraw

from pipeline.showcase import inside as showcase
from serving import images, schema
from serving.errors import ApiError
from serving.model.activations import Activations
from serving.model.explain import explain, raster
from serving.model.recogniser import Recogniser
from tests import toy_model


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    model = toy_model.write(folder / "model.onnx")
    (folder / "inside.onnx").write_bytes(showcase.derive(model.read_bytes()))
    recogniser = Recogniser(model)
    return recogniser, Activations(folder / "inside.onnx", recogniser.sha256)


def png(image):
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def drawing(box, side=280, paper=255, ink=0):
    """A sheet with a filled box, of which Pillow counts the right and bottom edges in."""
    image = Image.new("L", (side, side), paper)
    ImageDraw.Draw(image).rectangle(box, fill=ink)
    return png(image)


def numbers(told):
    return np.frombuffer(base64.b64decode(told.data), np.uint8).reshape(told.shape).astype(int)


def test_the_answer_is_that_of_predict(served):
    recogniser, _ = served
    data = png(Image.fromarray(toy_model.image(7)))
    [expected] = schema.answers(recogniser.predict(images.decode(data)[None]), recogniser)
    assert explain(data, *served).answer.model_dump() == expected


def test_it_tells_where_the_ink_was_and_what_the_network_sees(served):
    data = drawing((60, 40, 99, 239))
    reading = explain(data, *served).reading
    assert reading.picture.shape == [140, 140]
    assert reading.box == (20, 30, 120, 50)
    assert numbers(reading.picture)[30, 40] == 0
    assert numbers(reading.picture)[5, 5] == 255
    assert (numbers(reading.pixels) == np.rint(images.decode(data))).all()


def test_under_a_shadow_the_ink_has_its_box(served):
    rng = np.random.default_rng(15)
    side, top, left = (int(rng.integers(*limits)) for limits in ((200, 400), (50, 80), (50, 80)))
    shadowed = np.repeat(np.linspace(rng.uniform(80, 120), 250, side)[:, None], side, axis=1)
    shadowed[top : top + 100, left : left + 20] = 20
    box = explain(png(Image.fromarray(shadowed.astype(np.uint8))), *served).reading.box
    scale = 140 / side
    assert box == pytest.approx([scale * place for place in (top, left, top + 100, left + 20)], abs=2 * scale)


def test_on_28x28_no_box_is_drawn(served):
    assert explain(png(Image.fromarray(toy_model.image(7))), *served).reading.box is None


def test_a_wide_photograph_is_told_small(served):
    buffer = io.BytesIO()
    Image.new("RGB", (3000, 10), "white").save(buffer, "JPEG")
    assert explain(buffer.getvalue(), *served).reading.picture.shape == [1, 140]


def test_a_blank_sheet_is_explained_without_voices(served):
    told = explain(drawing((0, 0, 279, 279), ink=255), *served)
    assert told.answer.reason == "blank"
    assert told.saliency is None
    assert told.reading.box is None
    assert not numbers(told.reading.pixels).any()


def test_the_units_that_answer_most_strongly_are_told_with_their_weights(served):
    told = explain(png(Image.fromarray(toy_model.image(7))), *served)
    assert told.first_weights.units[0] == 7
    strongest = numbers(told.first_weights.weights)[0]
    assert (strongest > 128).sum() == (toy_model.image(7) > 0).sum()
    assert told.saliency is not None
    assert told.saliency.digit == 7
    assert numbers(told.saliency.values).max() == 255
    top, left, bottom, right = told.saliency.strongest.box
    assert (bottom - top, right - left) == (4, 4)
    assert told.saliency.strongest.voice >= told.saliency.values.peak
    [votes] = [layer.values for layer in told.layers]
    assert votes.signed
    assert numbers(votes).argmax() == 7


def test_what_cannot_be_read_is_refused_as_predict_refuses_it(served):
    for data, status in ((b"", 400), (b"hello", 415), (b"\x89PNG\r\n\x1a\n", 400)):
        with pytest.raises(ApiError) as error:
            explain(data, *served)
        assert error.value.status == status


def test_numbers_become_bytes_and_stay_what_they_were():
    values = np.array([[-2.0, 0, 1], [4, -4, 0.5]], np.float32)
    told = raster(values, signed=True)
    assert (told.shape, told.peak) == ([2, 3], 4.0)
    np.testing.assert_allclose((numbers(told) - 128) / 127 * told.peak, values, atol=told.peak / 254)
    np.testing.assert_allclose(numbers(raster(np.abs(values))) / 255 * 4, np.abs(values), atol=4 / 510)
    assert not numbers(raster(np.zeros((2, 2), np.float32))).any()
