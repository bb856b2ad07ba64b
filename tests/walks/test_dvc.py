"""What a user of DVC types: docs/dvc.md, in a fresh clone."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import commands
from tests.walks.conftest import Ran
from tests.walks.walk import Walk, blocks

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
RUN, TRY, KEEP, QUEUE, RETURN = blocks("docs/dvc.md")
NAMES = """
from pipeline.tracking import store
client = store.open_store()
runs = client.search_runs([one.experiment_id for one in client.search_experiments()])
print(sorted({run.data.tags.get("dvc_exp_name", "") for run in runs}), [run.info.status for run in runs])
print(client.get_model_version_by_alias("inkwell-mnist-sample", "champion").tags["model_sha256"])
"""
LOOK = "PYTHONPATH=. python ../names.py 2> ../names.log"


@pytest.fixture
def walk(ran: Ran, tmp_path: Path) -> Iterator[Walk]:
    walk = ran.walk.copied(tmp_path / "inkwell")
    yield walk
    commands.end(walk.folder)


def test_run_experiment_queue_and_branch(walk: Walk) -> None:
    said = walk.type(RUN)
    assert "mnist-sample: champion" in said
    assert "Data and pipelines are up to date." in said
    assert "perceptron.fails" in said
    assert (walk.folder / "dvc_plots/index.html").exists()
    (walk.folder.parent / "names.py").write_text(NAMES)
    before = walk.type(LOOK).splitlines()[-1]
    walk.type("git diff --exit-code")

    said = walk.type(TRY)
    assert "[shorter]" in said
    assert [line.split()[1:] for line in said.splitlines() if "networks.perceptron.epochs  " in line][-1] == [
        "networks.perceptron.epochs",
        "60",
        "20",
    ]
    walk.type(KEEP)
    assert "a-shorter-training" in walk.type("git branch")
    walk.type(QUEUE)
    deadline = time.monotonic() + 600
    while len(walk.type("dvc exp list --name-only").split()) < 3:
        assert time.monotonic() < deadline, walk.type("dvc queue status")
        time.sleep(1)
    walk.type("dvc queue stop")

    said = walk.type(RETURN)
    assert "Running stage 'train" not in said
    assert "Data and pipelines are up to date." in walk.type("dvc status")
    *_, names, champion = walk.type(LOOK).splitlines()
    for name in walk.type("dvc exp list --name-only").split():
        assert f"'{name}'" in names
    assert "RUNNING" not in names
    assert champion == before
