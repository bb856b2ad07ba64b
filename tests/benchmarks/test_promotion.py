"""The promotion rule, held to the rates that docs/promotion.md promises, with draws of the test's own."""

import time

import pytest

from benchmarks import promotion
from pipeline import params

DRAWS = 4000


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> int:
    drawn = time.time_ns()
    request.node.add_report_section("setup", "seed", str(drawn))
    return drawn


@pytest.mark.parametrize("source", list(promotion.IMAGES))
def test_a_network_that_is_worse_by_the_margin_is_crowned_in_a_twentieth_of_all_draws(source: str, seed: int) -> None:
    margin = params.load("promote").margin_of(source)
    [rate] = promotion.crowned([promotion.shown(source)], source, margin, 1, DRAWS, seed)
    assert rate < 0.065


def test_one_that_is_as_good_is_crowned_in_most_draws_on_full_mnist_and_in_some_on_the_sample(seed: int) -> None:
    rates = {
        source: promotion.crowned([promotion.shown(source)], source, 0.0, 1, DRAWS, seed)[0]
        for source in ("mnist", "mnist-sample")
    }
    assert rates["mnist"] > 0.6
    assert 0.25 < rates["mnist-sample"] < 0.45


def test_the_rule_before_assumed_what_the_sample_could_not_show(seed: int) -> None:
    rules: list[promotion.Rule] = [promotion.shown("mnist-sample"), promotion.assumed]
    now, before = promotion.crowned(rules, "mnist-sample", 0.006, 1, DRAWS, seed)
    assert now < 0.12
    assert before > 0.85


def test_many_candidates_each_a_little_worse_do_not_wear_the_champion_down(seed: int) -> None:
    now, before = (
        promotion.drifted(rule, "mnist-sample", 0.005, DRAWS // 10, seed)
        for rule in (promotion.shown("mnist-sample"), promotion.assumed)
    )
    assert now < 0.014 < 0.04 < before
