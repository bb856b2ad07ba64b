"""The pictures of an evaluation show the numbers that they are made of."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from pipeline.report.figures import plots
from pipeline.report.figures.plots import Tile


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.axes[0].texts]


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng()


def test_a_confusion_matrix_names_all_counts_but_shades_errors_alone(rng):
    counts = np.diag(rng.integers(500, 1000, 10))
    label, answer = rng.permutation(10)[:2]
    counts[label, answer] = errors = int(rng.integers(1, 9))
    figure = plots.confusion(counts, "whose")
    [axes] = figure.axes
    [shades] = axes.images
    expected = np.zeros((10, 10))
    expected[label, answer] = errors
    np.testing.assert_array_equal(shades.get_array(), expected)
    assert len(axes.texts) == 11, "a count of 0 is not written"
    written = {tuple(map(int, text.get_position()))[::-1]: text for text in axes.texts}
    assert {place: int(text.get_text()) for place, text in written.items()} == {
        (row, column): counts[row, column] for row, column in zip(*np.nonzero(counts), strict=True)
    }
    assert [place for place, text in written.items() if text.get_fontweight() != "bold"] == [(label, answer)]
    assert (axes.get_xlabel(), axes.get_ylabel(), axes.get_title()) == ("answer", "label", "whose")


def test_a_network_without_errors_has_no_shades():
    [shades] = plots.confusion(np.diag(np.arange(10)), "").axes[0].images
    assert not np.any(shades.get_array())
    assert shades.get_clim() == (0, 1)


def test_reliability_is_accuracy_over_confidence_with_the_images_beneath(rng):
    confidence = np.sort(rng.uniform(0.1, 1, 6))
    bins = pd.DataFrame({"confidence": confidence, "accuracy": rng.uniform(size=6), "images": rng.integers(1, 900, 6)})
    upper, lower = plots.reliability(bins, "whose").axes
    calibrated, own = upper.lines
    np.testing.assert_array_equal(calibrated.get_xdata(), calibrated.get_ydata())
    np.testing.assert_array_equal(own.get_xydata(), bins[["confidence", "accuracy"]])
    boxes = [bar.get_window_extent().transformed(lower.transData.inverted()) for bar in lower.patches]
    assert [box.y1 for box in boxes] == pytest.approx(bins["images"].tolist())
    assert [(box.x0 + box.x1) / 2 for box in boxes] == pytest.approx(confidence)


def test_a_curve_has_both_losses_and_the_error_in_percent(rng):
    names = ["train_loss", "val_loss", "val_accuracy"]
    epochs = pd.DataFrame({"epoch": range(1, 8), **{name: rng.uniform(0.1, 0.9, 7) for name in names}})
    losses, error = plots.curve(epochs, "whose").axes
    assert {line.get_label(): np.asarray(line.get_ydata()).tolist() for line in losses.lines} == {
        "training, augmented": epochs["train_loss"].tolist(),
        "validation": epochs["val_loss"].tolist(),
    }
    [line] = error.lines
    np.testing.assert_allclose(np.asarray(line.get_ydata()), 100 - 100 * epochs["val_accuracy"])
    assert error.get_ylabel().endswith("%")


def test_of_the_misclassified_the_surest_60_are_shown_in_order(rng):
    count = int(rng.integers(61, 90))
    images = rng.integers(0, 256, (count, 28, 28), dtype=np.uint8)
    labels, answers = rng.integers(0, 10, (2, count))
    confidence = rng.permutation(np.linspace(0.2, 0.9, count))
    figure = plots.misclassified(images, labels, answers, confidence)
    order = confidence.argsort()[::-1][:60]
    assert texts(figure) == [f"{labels[row]} → {answers[row]}  ({confidence[row]:.2f})" for row in order]
    [axes] = figure.axes
    for place, (row, picture) in enumerate(zip(order, axes.images, strict=True)):
        np.testing.assert_array_equal(picture.get_array(), images[row])
        left, right, bottom, top = picture.get_extent()
        assert (int(left), int(top / (1 + plots.ROOM))) == (place % 10, place // 10)
        assert right - left == pytest.approx(bottom - top), "upright and square"
    assert axes.get_title().startswith(f"60 of {count} errors")


def test_no_errors_are_said_to_be_none():
    none = np.zeros(0, np.uint8)
    figure = plots.misclassified(np.zeros((0, 28, 28), np.uint8), none, none, none)
    assert figure.axes[0].get_title() == "no errors"
    assert not figure.axes[0].images


def test_a_sheet_frames_what_is_marked_names_its_rows_and_is_as_wide_as_the_longest(rng):
    pictures = rng.integers(0, 256, (15, 6, 9), dtype=np.uint8)
    marked = int(rng.integers(12))
    first = [Tile(one, f"of {place}", plots.RED, marked=place == marked) for place, one in enumerate(pictures[:12])]
    figure = plots.sheet([first, [Tile(one) for one in pictures[12:]]], "whose", ["one row", "another"])
    [axes] = figure.axes
    framed = [place for place, frame in enumerate(axes.patches) if to_hex(frame.get_edgecolor()) == plots.RED]
    assert framed == [marked]
    assert len(axes.patches) == len(axes.images) == 15
    assert axes.get_xlim()[1] == 12
    names = {
        text.get_text(): text.get_position()[1] for text in axes.texts if text.get_horizontalalignment() == "right"
    }
    assert list(names) == ["one row", "another"]
    heights = [picture.get_extent()[2:] for picture in (axes.images[0], axes.images[-1])]
    assert [top < names[name] < bottom for name, (bottom, top) in zip(names, heights, strict=True)] == [True, True]
    without = plots.sheet([first])
    assert without.get_size_inches()[0] < figure.get_size_inches()[0], "room for names only where there are some"
