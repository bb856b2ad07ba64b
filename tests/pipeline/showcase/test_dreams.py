"""What is told of the pictures is true of the pictures that are shown."""

import io
import json

import numpy as np
import pytest
from PIL import Image

from pipeline.showcase import dream, dream_figure, dreams, fool, visualise
from pipeline.showcase.served import Served
from pipeline.showcase.sheets import COLUMNS, coarse, sheet
from serving.images import normalise_all


@pytest.fixture(scope="module")
def made(champion):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(visualise, "STEPS", 6)
        patch.setattr(dream, "FRAMES", (0, 2))
        patch.setattr(dreams, "FRAMES", (0, 2))
        patch.setattr(fool, "STEPS", 12)
        patch.setattr(dreams, "UNITS", 20)
        labels = (np.arange(200) % 10).astype(np.uint8)
        return champion, dreams.make(champion.content, champion.run, champion.recogniser, champion.images, labels)


def tiles(made, name):
    return dream_figure.tiles(made[1][f"dreams-{name}.png"])


def test_a_units_strength_is_what_the_served_file_answers_to_the_picture_shown(made):
    champion, files = made
    told, units, examples = json.loads(files["dreams.json"]), tiles(made, "units"), tiles(made, "examples")
    served = Served(champion.content)
    everything = served.excitements(champion.images)
    for place, layer in enumerate(told["layers"]):
        count = len(layer["own"])
        assert count == (min(layer["units"], 20) if layer["kind"] == "dense" else layer["units"])
        shown = served.excitements(units[layer["first"] :][:count])[place]
        np.testing.assert_allclose(shown[np.arange(count), np.arange(count)], layer["own"], rtol=1e-3, atol=1e-6)
        np.testing.assert_allclose(everything[place][:, :count].max(axis=0), layer["best"], rtol=1e-3, atol=1e-6)
        [row] = np.flatnonzero(everything[place][:, 1] == everything[place][:, 1].max())[:1]
        np.testing.assert_array_equal(examples[layer["examples"][1][0]], coarse(champion.images)[row])
        assert told["labels"][layer["examples"][1][0]] == row % 10


def test_answers_are_those_to_the_pictures_shown(made):
    champion, files = made
    told, fools, recogniser = json.loads(files["dreams.json"]), tiles(made, "fools"), champion.recogniser
    described = [*told["near"], *told["sure"], *told["noise"]]
    pixels = fools[: len(described)].astype(np.float32)
    probabilities, _ = recogniser.look(pixels)
    service = recogniser.predict(normalise_all(pixels))
    for place, one in enumerate(described):
        assert one["network"]["digit"] == probabilities[place].argmax()
        assert one["network"]["confidence"] == pytest.approx(probabilities[place].max(), abs=1e-4)
        assert one["service"]["reason"] == service.reason[place]
        assert one["service"]["digit"] == (None if service.abstained[place] else service.digit[place])
    for place, one in enumerate(told["near"]):
        drawn = fools[11 * (place // 10)].astype(int)
        change = fools[place] - drawn
        assert one["size"] == pytest.approx(np.linalg.norm(change) / 255, rel=1e-3)
        assert (one["pixels"], one["most"]) == ((change != 0).sum(), np.abs(change).max())
        if one["size"]:
            assert one["network"]["digit"] == one["to"]
    frames = tiles(made, "frames")
    answers = recogniser.look(frames[: len(told["dreams"])].astype(np.float32))[0].argmax(axis=1)
    assert [one["digit"] for one in told["dreams"]] == answers.tolist()
    assert len(told["dreams"]) == (len(told["layers"]) - 1) * 10 * 2


def test_the_figure_is_made_of_the_same_files(made):
    width, height = Image.open(io.BytesIO(dream_figure.figure(made[1]))).size
    assert width > 1000
    assert height > 500


@pytest.mark.parametrize("greys", [16, 256])
def test_nothing_is_lost_on_a_sheet(greys):
    levels = np.random.default_rng().integers(0, greys, (COLUMNS + 3, 28, 28)) * (255 // (greys - 1))
    pictures = levels.astype(np.uint8)
    np.testing.assert_array_equal(dream_figure.tiles(sheet(pictures))[: COLUMNS + 3], pictures)
