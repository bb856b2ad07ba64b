"""Intervals, resampling and tests, against other implementations and against truths that are known."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.stats import binomtest, norm
from sklearn.metrics import roc_auc_score

from pipeline.audits.statistics import (
    common_difference,
    exact_interval,
    exact_upper,
    holm,
    mcnemar,
    newcombe,
    permutation_p,
    placements,
    resampled,
    resampled_error,
    resampled_means,
    tango_upper,
)


@pytest.mark.parametrize(("count", "total"), [(30, 10_000), (0, 10), (10, 10), (1, 3), (9_990, 10_000)])
def test_the_exact_interval_is_clopper_and_pearsons(count, total):
    expected = binomtest(count, total).proportion_ci(method="exact")
    assert exact_interval(count, total) == pytest.approx((expected.low, expected.high), abs=1e-9)


@pytest.mark.parametrize("total", [10, 5000])
def test_the_exact_bound_without_an_error_is_the_rule_of_three(total):
    assert exact_upper(0, total) == pytest.approx(1 - 0.05 ** (1 / total))


@pytest.mark.parametrize(
    ("first", "second", "confidence", "expected"),
    [
        ((20, 5000), (10, 5000), 0.90, (0.018322388829645455, 0.39353171203164383)),
        ((3, 40), (0, 70), 0.95, (0.34214041477518, 19.864233524310542)),
        ((0, 10), (10, 10), 0.95, (-100.0, -60.75093504305242)),
        ((63, 5001), (31, 4999), 0.90, (0.3241445888429661, 0.9671782178436401)),
    ],
)
def test_the_interval_of_a_difference_is_that_of_statsmodels(first, second, confidence, expected):
    """Expected: 100 times statsmodels 0.15.0's confint_proportions_2indep(*first, *second, method="newcomb")."""
    assert newcombe(first, second, confidence) == pytest.approx(expected, abs=1e-12)


def test_p_values_are_corrected_by_holm():
    """Expected: statsmodels 0.15.0's multipletests(method="holm")."""
    assert holm(np.array([0.01, 0.04, 0.03, 0.005, 0.9])) == pytest.approx([0.04, 0.09, 0.09, 0.025, 0.9])


@pytest.mark.parametrize(("b", "c", "p"), [(15, 5, 0.041), (20, 10, 0.099), (6, 0, 0.031), (8, 1, 0.039), (0, 0, 1.0)])
def test_mcnemar_is_exact_and_counts_only_where_the_two_differ(b, c, p):
    both, index = 7, np.arange(1000)
    candidate = index < both + b
    champion = (index < both) | ((index >= both + b) & (index < both + b + c))
    found = mcnemar(candidate, champion)
    assert (found.candidate_only, found.champion_only) == (b, c)
    assert found.p == pytest.approx(p, abs=5e-4)


def test_resampling_keeps_the_mean(rng):
    writers = np.array([[1, 20], [0, 30], [3, 50]])
    errors = resampled_error(writers, 20_000, rng)
    assert errors.mean() == pytest.approx(0.04, abs=0.003)


def test_means_are_resampled_by_whole_units():
    scores = np.random.default_rng(1).random((60, 2)) < 0.5
    units = np.repeat([7, 3, 5], 20)
    sums = np.array([[*scores[units == unit].sum(0), 20] for unit in (3, 5, 7)])
    totals = resampled(sums, 100, np.random.default_rng(0))
    means = resampled_means(scores, units, 100, np.random.default_rng(0))
    assert np.array_equal(means, totals[:, :2] / totals[:, 2:])


def test_a_permutation_counts_what_was_observed_as_one_of_its_draws():
    assert permutation_p(3.0, np.array([1.0, 2.0, 3.0, 4.0])) == 3 / 5
    assert permutation_p(9.0, np.zeros(99)) == 0.01


def test_placements_are_pairs_in_order_and_their_mean_the_auroc(rng):
    values, others = rng.integers(0, 9, 50), rng.integers(0, 7, 80)
    found = placements(values, others)
    assert found[0] == ((others < values[0]) + 0.5 * (others == values[0])).mean()
    assert found.mean() == pytest.approx(roc_auc_score(np.r_[np.ones(50), np.zeros(80)], np.r_[values, others]))


def test_the_common_difference_weighs_strata_by_mantel_and_haenszel():
    """Two strata of differences 0.1 and 0.3, of weights 10 × 10 / 20 and 30 × 10 / 40."""
    first, second = np.array([[2, 15, 10, 30]]), np.array([[1, 2, 10, 10]])
    assert common_difference(first, second)[0] == pytest.approx((5 * 0.1 + 7.5 * 0.3) / 12.5)


def test_tangos_limit_is_where_the_score_test_of_the_difference_turns(rng):
    """With the shares that are most likely under the difference found by search, not by the formula."""
    for _ in range(20):
        images, alpha = int(rng.integers(50, 6000)), float(rng.uniform(0.01, 0.2))
        b, c = (int(count) for count in rng.integers(0, 20, 2))
        limit = tango_upper(b, c, images, alpha)
        shares = likeliest(b, c, images, limit)
        variance = (2 * shares + limit - limit**2) / images
        score = ((b - c) / images - limit) / np.sqrt(variance)
        assert score == pytest.approx(norm.ppf(alpha), rel=1e-3)


def likeliest(b, c, images, difference):
    """The share of the images that only the champion gets wrong, where only the candidate does so by this much more."""
    if not c:
        return 0.0

    def surprise(share):
        return -(
            b * np.log(share + difference) + c * np.log(share) + (images - b - c) * np.log1p(-2 * share - difference)
        )

    most = (1 - difference) / 2
    return minimize_scalar(surprise, bounds=(1e-9, most - 1e-9), method="bounded", options={"xatol": 1e-10}).x


@pytest.mark.parametrize("images", [120, 333, 5016])
def test_tangos_limit_without_a_difference_is_known_and_grows_with_errors(images):
    z = norm.isf(0.05)
    assert tango_upper(0, 0, images, 0.05) == pytest.approx(z**2 / (images + z**2))
    grows = [tango_upper(b, 2, images, 0.05) for b in range(10)]
    assert grows == sorted(grows)
    assert tango_upper(images, 0, images, 0.05) == 1
