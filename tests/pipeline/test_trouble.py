"""A disk that is full at ten moments, and a store that is lost: a line that says so, and the next run goes on."""

import os
import random
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pipeline import cross_validate, download, preprocess, train
from pipeline.tracking.logger import RunLogger
from tests.pipeline.processed import process
from tests.pipeline.workspace import ROOT, contents, edited, project

NETWORK = "perceptron"
DISK = 64 * 2**20
AS_ROOT = [] if os.geteuid() == 0 else ["sudo", "-n"]
TRAINED = f"models/trained/{NETWORK}"
MOMENTS = [
    *[(download, (), "data/raw")] * 2,
    *[(preprocess, (), "data/processed")] * 2,
    *[(train, (NETWORK,), TRAINED)] * 5,
    (cross_validate, (NETWORK,), f"models/folds/{NETWORK}"),
]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small disk of the test's own; where none can be mounted, a folder on the disk that is there."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = [*AS_ROOT, "mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(folder)]
    mounted = subprocess.run(command, capture_output=True).returncode == 0
    yield folder
    if mounted:
        subprocess.run([*AS_ROOT, "umount", "--lazy", str(folder)], check=True)


@pytest.fixture
def tiny(disk: Path, empty_database: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project on that disk with made-up digits, on which a perceptron is trained in a second."""
    project(disk, "uci-digits", empty_database)
    with edited(disk / "params.yaml") as changed:
        changed["networks"][NETWORK] |= {"epochs": 3, "batch_size": 64}
        changed["folds"] = {NETWORK: 2}
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{disk / 'mlflow.db'}")
    monkeypatch.chdir(disk)
    return disk


@contextmanager
def full_but_for(room: int) -> Iterator[None]:
    """Leave so many bytes on the disk; on one that is everybody's, let no file be longer than that."""
    if not Path.cwd().is_mount():
        limit = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, limit[1]))
        yield
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
        return
    left = shutil.disk_usage(Path()).free - room
    with Path("filler").open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, left)
    yield
    Path("filler").unlink()


@pytest.mark.parametrize(("stage", "arguments", "output"), MOMENTS)
def test_a_full_disk_is_told_in_a_line_and_the_next_run_goes_on(tiny, stage, arguments, output, capfd):
    if stage is preprocess:
        download.main([])
    if stage in (train, cross_validate):
        process(known=True)
    before = contents(tiny)
    stage.main(arguments)
    expected = contents(tiny / output)
    for path in (path for path in tiny.rglob("*") if path.is_file() and str(path.relative_to(tiny)) not in before):
        path.unlink()
    (tiny / "mlflow.db").write_bytes(before["mlflow.db"])

    rooms = random.sample(range(sum(map(len, expected.values()))), 1)
    for room in rooms:
        with full_but_for(room), pytest.raises(SystemExit) as caught:
            stage.main(arguments)
        told = str(caught.value)
        assert "Make room" in told
        assert "\n" not in told
        assert told.startswith(f"{stage.__name__.rpartition('.')[2]}: ")
    stage.main(arguments)
    assert contents(tiny / output) == expected


@pytest.mark.slow
def test_a_store_that_is_lost_in_mid_training_is_told_in_a_line_and_costs_nothing(tiny, monkeypatch):
    process(known=True)
    train.main([NETWORK])
    expected = contents(tiny / TRAINED)
    log = RunLogger.log_metrics

    def lose(self: RunLogger, metrics: dict[str, float], step: int | None = None) -> None:
        log(self, metrics, step)
        (tiny / "mlflow.db").unlink(missing_ok=True)

    shutil.rmtree(tiny / "models")
    monkeypatch.setattr(RunLogger, "log_metrics", lose)
    with pytest.raises(SystemExit) as caught:
        train.main([NETWORK])
    assert str(caught.value).startswith("train: MLflow's store failed: ")
    assert "\n" not in str(caught.value)
    environ = os.environ | {"PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-m", "pipeline.train", NETWORK], cwd=tiny, env=environ, check=True)
    assert contents(tiny / TRAINED) == expected
