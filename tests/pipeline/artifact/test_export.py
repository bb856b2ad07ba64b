"""What is served of a network: calibrated, labelled, and with thresholds by what it did not learn from."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from pipeline.artifact import export as module
from pipeline.artifact.export import Known, export, prepared, some
from pipeline.artifact.to_onnx import logits_of
from pipeline.params import Calibration, Refit, load
from serving.images import normalise_all
from serving.model.recogniser import Recogniser

IDENTITY = {"name": "mlp", "source": "mnist-sample", "run_key": "0123456789abcdef"}
SHARES = {"abstention": 0.1, "novelty": 0.05, "miscoverage": 0.1}
SENT = 0.02


def bands(labels: np.ndarray, left: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Images, uint8 [N, 28, 28], that tell their digit by the height of a band from ``left`` on, of any brightness."""
    images = rng.integers(0, 40, (len(labels), 28, 28), dtype=np.uint8)
    for image, digit in zip(images, labels, strict=True):
        image[2 * digit + 3 : 2 * digit + 8, left : left + 8] = rng.integers(120, 256)
    return images, labels.astype(np.uint8)


@pytest.fixture(scope="module")
def known() -> Known:
    """Some validation labels are wrong, so that certainty does not pay."""
    rng = np.random.default_rng()
    digits = rng.permutation(np.arange(300) % 10)
    images, shown = bands(digits[:200], 4, rng)
    mistaken = np.arange(200) % 12 == 0
    return Known(
        train=bands(digits, 4, rng),
        train_sent=bands(digits[:100], 5, rng),
        val=(images, np.where(mistaken, (shown + 1) % 10, shown).astype(np.uint8)),
        val_sent=bands(digits[:150], 6, rng)[0],
        forms=bands(digits[:100], 14, rng),
        non_digits=rng.integers(0, 256, (120, 28, 28), dtype=np.uint8),
    )


@pytest.fixture(scope="module")
def network(known: Known) -> nn.Module:
    """A small network whose last layer alone has learnt."""
    torch.manual_seed(int(np.random.default_rng().integers(1000)))
    network = load("networks.mlp").model_copy(update={"hidden": [24]}).build()
    network(torch.randn(64, 1, 28, 28))
    return module.refit(network.eval(), known.train, known.train_sent, Refit(forms=0.01, penalty=1e-3))


def exported(
    network: nn.Module, known: Known, folder: Path, sent: dict[str, float], last_layer: Refit | None = None
) -> Recogniser:
    config = Calibration(**SHARES, novelty_sent=sent)
    path = folder / "model.onnx"
    path.write_bytes(export(network, known, last_layer, config, IDENTITY))
    return Recogniser(path)


@pytest.fixture(scope="module")
def plain(network: nn.Module, known: Known, tmp_path_factory: pytest.TempPathFactory) -> Recogniser:
    return exported(network, known, tmp_path_factory.mktemp("plain"), {})


@pytest.fixture(scope="module")
def sent(network: nn.Module, known: Known, tmp_path_factory: pytest.TempPathFactory) -> Recogniser:
    """That of the same network, fitted again, and held to digits as they are sent."""
    refit = Refit(forms=0.3, penalty=1e-3)
    return exported(network, known, tmp_path_factory.mktemp("sent"), {"mlp": SENT}, refit)


def nll(logits: np.ndarray, labels: np.ndarray) -> float:
    shares = torch.from_numpy(logits.astype(np.float64)).log_softmax(1).numpy()
    return -float(shares[np.arange(len(labels)), labels].mean())


def test_it_is_labelled_with_who_it_is(plain):
    assert {name: getattr(plain, name) for name in IDENTITY} == IDENTITY


def test_it_answers_as_the_network_with_the_temperature_that_suits_validation_best(plain, network, known):
    images, labels = known.val
    logits = logits_of(network, images)
    probabilities, _ = plain.look(images.astype(np.float32))
    np.testing.assert_array_equal(probabilities.argmax(axis=1), logits.argmax(axis=1))
    served = np.log(np.maximum(probabilities.astype(np.float64), 1e-30))
    found = nll(served, labels)
    assert found < min(nll(served * factor, labels) for factor in (0.9, 1.1))
    assert found < nll(logits, labels)


def test_on_validation_it_abstains_on_the_share_that_is_asked_for(plain, known):
    told = plain.predict(known.val[0].astype(np.float32))
    novel = (told.novelty > plain.novelty_threshold).mean()
    assert novel == pytest.approx(SHARES["novelty"], abs=0.006)
    unsure = (told.confidence < plain.confidence_threshold) | (told.novelty > plain.novelty_threshold)
    assert unsure.mean() == pytest.approx(SHARES["abstention"], abs=0.006)
    of_truth = told.probabilities[np.arange(len(told)), known.val[1]]
    assert plain.conformal_threshold is not None
    assert 1 - (of_truth >= plain.conformal_threshold).mean() <= SHARES["miscoverage"]


def test_non_digits_and_what_was_sent_count_only_for_a_network_that_is_held_to_them(plain, sent, known):
    sheets, strangers, digits = known.val_sent, known.non_digits, known.val[0]

    def beyond(recogniser: Recogniser, images: np.ndarray) -> np.ndarray:
        return recogniser.look(images.astype(np.float32))[1] > recogniser.novelty_threshold

    assert beyond(sent, sheets).mean() <= SENT
    assert beyond(sent, digits).mean() <= SHARES["novelty"]
    assert beyond(plain, sheets).mean() > SENT, "it has seen no such digit"
    assert beyond(sent, strangers).mean() > 0.9


def test_the_last_layer_is_fitted_again_only_where_it_is_told_to_be(plain, sent, network, known):
    images, labels = known.forms
    right = [(one.look(images.astype(np.float32))[0].argmax(axis=1) == labels).mean() for one in (plain, sent)]
    assert right[0] == (logits_of(network, images).argmax(axis=1) == labels).mean()
    assert right[1] > right[0]


def test_sheets_are_prepared_as_the_service_does_it():
    rng = np.random.default_rng()
    sheets = np.full((3, 60, 50), 240, np.uint8)
    for sheet in sheets:
        top, left = rng.integers(5, 20, 2)
        sheet[top : top + 30, left : left + 7] = 20
    made = prepared(sheets)
    assert made.dtype == np.uint8
    np.testing.assert_allclose(made, normalise_all(sheets.astype(np.float32)), atol=0.5)
    assert (made.max(axis=(1, 2)) > 200).all(), "bright ink"


@pytest.mark.parametrize("count", [7, 10, 11, 35])
def test_of_many_images_some_are_taken_from_all_over_each_with_its_label(monkeypatch, count):
    monkeypatch.setattr(module, "NOVELTY_IMAGES", 10)
    labels = np.arange(count)
    images, theirs = some((labels * 3, labels))
    assert len(images) <= 10
    np.testing.assert_array_equal(images, theirs * 3)
    steps = np.diff(theirs)
    assert (steps == steps[0]).all()
    assert count - theirs[-1] <= steps[0]
    assert len(images) == count or count > 10
