"""Which pictures of a set the report shows."""

from collections.abc import Sequence

import numpy as np

from pipeline.audits.results import TestSet
from serving.model.recogniser import Predictions

EXAMPLES, SHOWN, MISLED, FAILED = 10, 6, 8, 5


def first_of_each_digit(test: TestSet) -> np.ndarray:
    """Rows, int [10 at most], of the first image of each digit; of one that is right, where there is one."""
    order = np.argsort(test.wrong, kind="stable")
    return np.asarray(order[np.unique(test.labels[order], return_index=True)[1]])


def surest_mistakes(told: Predictions, labels: np.ndarray) -> np.ndarray:
    """Places, int [10 at most], of the surest wrong answers; ``labels`` is [M]."""
    right = told.digit == labels
    surest = np.argsort(np.where(right, 1, -told.confidence), kind="stable")
    return np.asarray(surest[: min(EXAMPLES, (~right).sum())])


def first_and_least_doubted(told: Predictions) -> np.ndarray:
    """Places, int [12 at most], of the first pictures of a set, and of what was answered most surely, the surest last.

    Where fewer were answered, what was withheld follows in the same way.
    """
    doubtful = np.lexsort((told.novelty, -told.confidence, told.abstained))
    return np.concatenate([np.arange(min(SHOWN, len(told))), doubtful[:SHOWN][::-1]])


def surest_misled(told: Predictions, labels: np.ndarray) -> np.ndarray:
    """Places, int [8 at most], of what was misclassified and answered, the surest first, then of the rest.

    ``labels`` is [M], of the first M pictures of the set.
    """
    first = slice(len(labels))
    order = np.lexsort((-told.confidence[first], told.abstained[first], told.digit[first] == labels))
    return np.asarray(order[:MISLED])


def failed(told: Predictions, labels: np.ndarray, always: Sequence[int], lenient: bool = False) -> np.ndarray:
    """Places, int, of those ``always`` kept, then of 5 at most that failed: the surest wrong answers first.

    After these those abstained from, unless that is right too (``lenient``). ``labels`` is [M].
    """
    wrong = ~told.abstained & (told.digit != labels)
    missed = wrong | (told.abstained & (not lenient))
    order = np.lexsort((-told.confidence, ~wrong, ~missed))[: min(FAILED, int(missed.sum()))]
    return np.concatenate([always, order[~np.isin(order, always)]]).astype(int)


def spread(places: np.ndarray, count: int) -> np.ndarray:
    """``count`` of ``places``, int [P], at the most, spread over all."""
    return places[np.linspace(0, len(places) - 1, min(len(places), count)).astype(int)]
