"""What is no digit is not answered as if it were one. Over HTTP, held to the gates."""

import numpy as np
import pytest

from pipeline.audits.inputs import non_digits as not_digits
from tests.behaviour.asking import Digits, Service, at_most

pytestmark = pytest.mark.slow

COUNT = 100
SETS = (
    "uniform noise",
    "Gaussian noise",
    "salt and pepper",
    "blanks",
    "shapes",
    "patterns",
    "scribbles",
    "letters",
    "two digits",
    "overlapping digits",
    "permuted pixels",
)


@pytest.fixture(scope="module")
def pictures(digits: Digits) -> dict[str, np.ndarray]:
    return not_digits.sets(digits.images, digits.labels, COUNT, np.random.default_rng(0))


def test_every_set_is_tried(pictures):
    assert set(pictures) == set(SETS)


@pytest.mark.parametrize("name", SETS)
def test_what_is_no_digit_is_not_answered_with_confidence(service, pictures, limits, name):
    most = limits.letters_confident if name == "letters" else limits.ood_confident
    at_most(service.read(pictures[name]).sure, most)


@pytest.mark.parametrize("side", [28, 64, 300])
@pytest.mark.parametrize("brightness", [0, 128, 255])
def test_an_empty_sheet_is_called_blank(service: Service, side, brightness):
    answers = service.read(np.full((1, side, side), brightness, np.uint8))
    assert answers.abstained.all()
