"""How a sweep is searched: Ray alone on this machine, and trials pruned by epochs."""

import os
import signal
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import ray
from ray.tune.schedulers import TrialScheduler

from pipeline import params
from pipeline.sweeps import search
from pipeline.sweeps.space import Sweep
from pipeline.sweeps.trial import Setting
from tests.pipeline.sweeps.in_process import trial


def test_ray_is_this_machines_alone_for_the_body(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it reads is in the environment before it begins, and SIGTERM is this process's own, which Ray takes."""
    seen: dict[str, Any] = {}

    def init(address: str, **options: Any) -> None:
        seen.update(options, address=address, environment=dict(os.environ))
        signal.signal(signal.SIGTERM, signal.SIG_IGN)

    monkeypatch.setattr(ray, "init", init)
    monkeypatch.setattr(ray, "shutdown", lambda: seen.update(over=True))
    at_sigterm = signal.getsignal(signal.SIGTERM)

    def body() -> None:
        with search.cluster(3):
            assert (seen["address"], seen["num_cpus"], seen["include_dashboard"]) == ("local", 3, False)
            assert signal.getsignal(signal.SIGTERM) == at_sigterm
            assert "over" not in seen
            raise ValueError("no more")

    with patch.dict(os.environ):
        os.environ.pop("RAY_AUTH_TOKEN", None)
        with pytest.raises(ValueError, match="no more"):
            body()
    assert seen["over"]
    assert search.ENVIRONMENT.items() <= seen["environment"].items()
    assert seen["environment"]["RAY_AUTH_MODE"] == "token"
    assert len(seen["environment"]["RAY_AUTH_TOKEN"]) == 64


def made(epochs: list[int] | None, metric: str = "val_loss") -> tuple[Sweep, Setting]:
    """A sweep of networks that train 4 epochs, where epochs are not searched."""
    section, train = params.load("sweep", "train")
    network = params.load("networks.mlp").model_copy(update={"epochs": 4})
    space = {"dropout": {"choice": [0.1, 0.2]}} | ({"epochs": {"choice": epochs}} if epochs else {})
    changes = {"space": space, "metric": metric, "early_stopping": {"grace_period": 2, "reduction_factor": 2}}
    sweep = Sweep.model_validate(section.model_dump(exclude_unset=True) | changes)
    return sweep, Setting(network, train, metric, Path("none"))


@pytest.mark.parametrize(("epochs", "most"), [(None, 4), ([9, 12, 3], 12)])
def test_a_trial_may_train_as_long_as_the_longest(epochs: list[int] | None, most: int) -> None:
    assert search.longest(*made(epochs)) == most


@pytest.mark.parametrize(("metric", "better", "worse"), [("val_loss", 0.1, 0.2), ("val_accuracy", 0.2, 0.1)])
def test_those_that_fall_behind_are_pruned_at_a_rung_and_not_before(
    tmp_path: Path, metric: str, better: float, worse: float
) -> None:
    strategy = search.strategy(*made(None, metric))
    scheduler: Any = strategy.scheduler
    assert scheduler.set_search_properties(strategy.metric, strategy.mode)
    first, second = (trial(tmp_path, number, {"dropout": 0.1}) for number in (1, 2))
    decisions = []
    for one, kept in ((first, better), (second, worse)):
        scheduler.on_trial_add(None, one)
        for epoch in (1, 2):
            decisions.append(scheduler.on_trial_result(None, one, {"epoch": epoch, "kept": kept}))
    assert decisions == [TrialScheduler.CONTINUE] * 3 + [TrialScheduler.STOP]


def test_a_seed_proposes_the_same_values_and_another_others() -> None:
    def proposed(seed: int) -> list[Any]:
        section, setting = made(None)
        sampler: Any = search.strategy(section.model_copy(update={"seed": seed}), setting).search_alg
        domains = {"learning_rate": ray.tune.loguniform(0.001, 0.1)}
        assert sampler.set_search_properties("kept", section.mode, domains)
        return [sampler.suggest(str(number)) for number in range(3)]

    assert proposed(1) == proposed(1)
    assert proposed(1) != proposed(2)
