import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from pipeline.tracking import store

REPOSITORY = Path.cwd()
OPEN = "from pipeline.tracking import store; client = store.open_store(); print(store.experiment(client, 'mnist'))"


def start(code: str, folder: Path) -> subprocess.Popen[str]:
    """Start Python in a folder, without a store in its environment."""
    environment = {key: value for key, value in os.environ.items() if key != "MLFLOW_TRACKING_URI"}
    environment["PYTHONPATH"] = str(REPOSITORY)
    pipe = subprocess.PIPE
    return subprocess.Popen(
        [sys.executable, "-c", code], cwd=folder, env=environment, stdout=pipe, stderr=pipe, text=True
    )


@pytest.mark.slow
def test_processes_that_meet_on_a_new_database_all_succeed(tmp_path: Path) -> None:
    processes = [start(OPEN, tmp_path) for _ in range(4)]
    answers = [process.communicate() for process in processes]
    assert [process.returncode for process in processes] == [0] * 4, answers
    assert {out for out, _ in answers} == {"1\n"}
    assert {path.name for path in tmp_path.iterdir()} == {"mlflow.db", "mlflow.db.lock"}


@pytest.mark.slow
def test_a_plain_mlflow_opens_the_same_store(tmp_path: Path, empty_database: Path) -> None:
    shutil.copyfile(empty_database, tmp_path / "mlflow.db")
    plain = "import mlflow; print([one.name for one in mlflow.MlflowClient().search_experiments()])"
    for code, said in ((OPEN, "1"), (plain, "inkwell/mnist")):
        out, error = start(code, tmp_path).communicate()
        assert said in out, error


def test_a_creation_that_was_killed_is_made_good_by_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    process, new, path = start(OPEN, tmp_path), tmp_path / "mlflow.db.new", tmp_path / "mlflow.db"
    deadline = time.monotonic() + 60
    while not (new.exists() and new.stat().st_size > 100_000):
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not path.exists()

    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{path}")
    assert store.experiment(store.open_store(), "mnist") == "1"


def test_an_unfinished_database_is_made_anew_without_the_journal_beside_it(
    tmp_path: Path, empty_database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, journal = tmp_path / "mlflow.db", tmp_path / "mlflow.db-journal"
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE experiments (id)")
    journal.write_text("what the process that was killed had not undone")
    monkeypatch.setattr(store, "ABANDONED", -1)
    monkeypatch.setattr(store, "create_database", lambda path: shutil.copyfile(empty_database, path))
    store.ensure_database(path)
    assert store.is_complete(path)
    assert not journal.exists()


def test_a_database_that_another_program_is_just_making_is_waited_for(
    tmp_path: Path, empty_database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "mlflow.db"
    path.touch()
    monkeypatch.setattr(time, "sleep", lambda _: shutil.copyfile(empty_database, path))
    monkeypatch.setattr(store, "create_database", lambda _: pytest.fail("must not be made anew"))
    store.ensure_database(path)
    assert store.is_complete(path)


def test_runs_of_dead_processes_are_closed_and_those_of_living_ones_are_not(mlflow_store: Path) -> None:
    client = store.open_store()
    experiment = store.experiment(client, "mnist")
    sleeper = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    process = psutil.Process(sleeper.pid)
    living = store.owner() | {"owner.pid": str(process.pid), "owner.started": str(process.create_time())}
    tags = {
        "living": living,
        "a later process with the same number": living | {"owner.started": str(process.create_time() - 60)},
        "another host": living | {"owner.host": "elsewhere", "owner.pid": "1"},
    }
    runs = {name: client.create_run(experiment, tags=owner).info.run_id for name, owner in tags.items()}

    def statuses() -> dict[str, str]:
        store.open_store()
        return {name: client.get_run(run_id).info.status for name, run_id in runs.items()}

    expected = {"living": "RUNNING", "a later process with the same number": "KILLED", "another host": "RUNNING"}
    assert statuses() == expected
    sleeper.kill()  # and not waited for: a zombie is as dead
    time.sleep(0.2)
    assert statuses() == expected | {"living": "KILLED"}
    sleeper.communicate()


def test_a_store_whose_writer_was_killed_in_mid_write_keeps_its_runs(tmp_path, empty_database):
    path = tmp_path / "mlflow.db"
    shutil.copyfile(empty_database, path)
    killed_in_mid_write = (
        "import os, signal, sqlite3, sys\n"
        "database = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "database.execute('PRAGMA cache_size = 1')\n"
        "database.execute('CREATE TABLE kept (number INTEGER)')\n"
        "database.execute('BEGIN IMMEDIATE')\n"
        "database.execute('DELETE FROM experiments')\n"
        "database.execute('CREATE TABLE half (text TEXT)')\n"
        "database.executemany('INSERT INTO half VALUES (?)', [('x' * 1000,)] * 1000)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", killed_in_mid_write, str(path)], check=False)
    assert path.with_name("mlflow.db-journal").exists()
    store.ensure_database(path)
    with closing(sqlite3.connect(path)) as database:
        tables = {row[0] for row in database.execute("SELECT name FROM sqlite_master")}
    assert "kept" in tables
    assert "half" not in tables
