"""The benchmarks that hold the service against bars, on a small scale: what they ask, and that they can fail."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import uvloop

from benchmarks import fidelity, load, overload, soak, without
from benchmarks.bars import Bar, hold
from serving.model.recogniser import Recogniser
from tests.service.server import serving
from tests.toy_model import image

pytestmark = pytest.mark.slow

REQUESTS = 1000


@pytest.fixture(scope="module")
def kinds(url):
    return soak.kinds(url, np.random.default_rng(0))


def test_mixed_requests_are_all_answered_as_they_should_be(url, kinds):
    seen: list[int] = []
    tally = uvloop.run(soak.soak(url, kinds, REQUESTS, lambda: 100.0, seen.append))
    assert soak.report(tally, kinds)
    assert sum(statuses.total() for statuses in tally.statuses.values()) == REQUESTS == max(seen)
    assert len(tally.megabytes) == soak.SAMPLES


@pytest.mark.parametrize("name", ["large body, in chunks", "large headers", "explanation", "metrics", "docs"])
def test_what_is_asked_seldom_is_answered_as_it_should_be(url, kinds, name):
    status, _ = uvloop.run(ask(url, kinds[name].make()))
    assert status in kinds[name].right


async def ask(url, message):
    return await soak.Client(url).ask(message)


def tally(status=200, megabytes=100.0):
    """A soak that was given one answer and ended with so much memory."""
    made = soak.Tally()
    made.statuses["pixels, raw"][status] += 1
    made.seconds["pixels, raw"].append(0.001)
    made.megabytes = [300.0] * soak.WARM_UP + [100.0] * (soak.SAMPLES - soak.WARM_UP - 10) + [megabytes] * 10
    return made


@pytest.mark.parametrize(
    ("end", "good"),
    [
        (tally(), True),
        (tally(megabytes=119), True),
        (tally(megabytes=121), False),
        (tally(503), False),
        (tally(404), False),
        (tally(0), False),
    ],
)
def test_a_soak_fails_on_a_wrong_answer_and_on_growth(kinds, end, good):
    assert soak.report(end, kinds) == good


def test_a_connection_that_is_lost_counts_as_no_answer(bento, tmp_path):
    with serving(bento, tmp_path / "home") as server:

        async def lose():
            client = soak.Client(server.url)
            assert (await client.ask(load.request(server.url, "/model")))[0] == 200
            server.worker().kill()
            return await client.ask(load.request(server.url, "/model"))

        assert uvloop.run(lose())[0] == 0


def test_a_flood_arrives_no_faster_than_its_rate_and_is_answered(url):
    message = load.request(url, "/predict_pixels", image(3).tobytes(), overload.OCTETS)
    found = overload.flood(url, message, rate=100, seconds=1)
    assert 0 < found.offered <= 100
    assert found.goodput > 0
    assert set(found.statuses) == {200}


def flooded(**changes):
    made = {"offered": 300.0, "goodput": 90.0, "seconds": np.array([0.1]), "statuses": Counter({200: 9, 503: 21})}
    return {3: overload.Flood(**{**made, **changes})}


@pytest.mark.parametrize(
    ("changes", "good"),
    [
        ({}, True),
        ({"goodput": 79.0}, False),
        ({"goodput": 0.0, "seconds": np.array([]), "statuses": Counter({503: 30})}, False),
        ({"offered": 200.0}, False),
        ({"seconds": np.array([0.1, 2.1])}, False),
        ({"statuses": Counter({200: 9, 0: 1})}, False),
    ],
)
def test_an_overload_fails_on_lost_goodput_and_on_late_answers(changes, good):
    capacity = load.Measured(np.array([0.01]), 100.0, 100, 0)
    assert overload.report("made up", capacity, flooded(**changes)) == good


def test_fidelity_counts_what_is_unlike_offline(url, bento, monkeypatch):
    images = np.stack([image(digit) for digit in range(10)])
    recogniser = Recogniser(bento / "src" / "model.onnx")
    assert fidelity.unlike_offline(url, recogniser, images) == 0
    offline = recogniser.predict(images.astype(np.float32))
    other = replace(offline, digit=(offline.digit + 1) % 10)
    monkeypatch.setattr(recogniser, "predict", lambda pixels: other)
    assert fidelity.unlike_offline(url, recogniser, images) == 10


def test_canvases_are_of_all_sizes_and_on_both_papers():
    pictures = list(fidelity.on_canvases(np.stack([image(digit % 10) for digit in range(100)])))
    assert {len(picture) for picture in pictures} == set(fidelity.canvas.SIDES)
    assert [int(np.median(picture)) for picture in pictures[:4]] == [0, 255, 0, 255]


def test_a_bar_that_is_missed_is_said_to_be(capsys):
    assert hold("bars", [Bar("one", 1, most=1), Bar("other", 0.5, least=0.5)])
    assert not hold("bars", [Bar("one", 1.1, most=1), Bar("other", 0.5, least=0.5)])
    assert not hold("bars", [Bar("one", 1, most=1), Bar("other", 0.4, least=0.5)])
    assert capsys.readouterr().out.count("missed") == 2


def test_pixels_and_switch_offs_are_asked_for_side_by_side(champion):
    waits = uvloop.run(without.measured(str(champion.base_url), 0.2))
    pixels = int(0.2 * without.RATE) * without.ROUNDS
    assert len(waits["pixels alone"]) == len(waits["pixels beside switch-offs"]) == pixels
    assert len(waits["switch-offs"]) >= without.ROUNDS
    assert all(wait > 0 for found in waits.values() for wait in found)
