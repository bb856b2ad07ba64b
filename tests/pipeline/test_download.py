"""The stage as it is run: in a folder of its own, against a folder, a URL, and mirrors that misbehave."""

import gzip
import os
import resource
import signal
import subprocess
import sys
import time
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from pipeline import download
from pipeline.data.sources import MNIST
from tests.pipeline import mirror as misbehaving
from tests.pipeline.workspace import REAL_MNIST, ROOT, contents, needs_mnist, prepare

FIRST = f"{MNIST[0].name}.gz"
WRONG = gzip.compress(np.random.default_rng(0).bytes(3_000_000), compresslevel=1, mtime=0)


@pytest.fixture
def mirror():
    with misbehaving.serving() as server:
        yield server


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MNIST_MIRROR", raising=False)
    return tmp_path


def start(folder: Path, file_size: int | None = None) -> subprocess.Popen[str]:
    """Start the stage in a process of its own, which can write no file longer than ``file_size`` bytes."""
    limit = (lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (file_size, file_size))) if file_size else None
    return subprocess.Popen(
        [sys.executable, "-m", "pipeline.download"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=limit,
    )


def until(condition) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize(("source", "shape"), [("mnist-sample", (5000, 28, 28)), ("uci-digits", (1797, 8, 8))])
def test_a_packaged_source_needs_no_mirror(workspace, source, shape, capsys):
    prepare(workspace, source)
    download.main([])
    raw = contents(workspace / "data/raw")
    assert sorted(raw) == ["images-idx3-ubyte", "labels-idx1-ubyte"]
    assert raw["images-idx3-ubyte"][4:16] == np.array(shape, ">u4").tobytes()
    assert set(raw["labels-idx1-ubyte"][8:]) == set(range(10))
    assert "data/raw/images-idx3-ubyte" in capsys.readouterr().out


def test_another_source_leaves_nothing_of_the_last_one(workspace):
    for source in ("mnist-sample", "uci-digits"):
        prepare(workspace, source)
        download.main([])
    assert len(contents(workspace / "data/raw")["labels-idx1-ubyte"]) == 8 + 1797
    assert [path.name for path in (workspace / "data").iterdir()] == ["raw"]


def test_with_no_mirror_left_it_says_what_was_tried_and_what_to_do(workspace, mirror, monkeypatch):
    mirror.files[FIRST] = b"no gzip"
    monkeypatch.setenv("MNIST_MIRROR", str(workspace / "nowhere"))
    prepare(workspace, "mnist", [mirror.url])
    with pytest.raises(SystemExit) as caught:
        download.main([])
    message = str(caught.value)
    for part in (FIRST, f"{mirror.url}: not a gzip file", "nowhere", "MNIST_MIRROR", "data.source: mnist-sample"):
        assert part in message
    assert not (workspace / "data").exists()


def test_a_failure_leaves_what_was_there(workspace, mirror):
    prepare(workspace, "mnist-sample")
    download.main([])
    before = contents(workspace / "data")
    prepare(workspace, "mnist", [mirror.url])
    with pytest.raises(SystemExit):
        download.main([])
    assert contents(workspace / "data") == before


def test_a_killed_download_leaves_no_file_and_the_next_run_goes_on(workspace, mirror):
    prepare(workspace, "mnist", [mirror.url])
    mirror.files[FIRST] = WRONG
    mirror.behaviour[FIRST] = [misbehaving.drips(10_000, 0.01), misbehaving.honest]
    first = start(workspace)
    until(lambda: mirror.sent > 200_000)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    assert not (workspace / "data").exists()

    start(workspace).communicate()
    asked = [asked for name, asked in mirror.requests if name == FIRST]
    assert asked[0] is None
    assert asked[1] is not None
    assert int(asked[1].removeprefix("bytes=").removesuffix("-")) >= 100_000


def test_a_full_disk_is_a_clear_error_and_leaves_nothing_half_written(workspace, mirror):
    mirror.files[FIRST] = WRONG
    for source in ("mnist", "mnist-sample"):
        prepare(workspace, source, [mirror.url])
        process = start(workspace, file_size=1_000_000)
        output, _ = process.communicate(timeout=60)
        assert process.returncode == 1
        assert "could not be written" in output
        assert "File too large" in output
        assert "Traceback" not in output
        assert contents(workspace / "data") == {}


def test_a_place_that_cannot_be_written_is_a_clear_error(workspace):
    prepare(workspace, "uci-digits")
    (workspace / "data").write_text("a file where a folder should be")
    with pytest.raises(SystemExit, match="data/raw could not be written"):
        download.main([])


@pytest.fixture
def real(mirror):
    """A mirror with the real files."""
    mirror.files = {f"{file.name}.gz": (REAL_MNIST / f"{file.name}.gz").read_bytes() for file in MNIST}
    return mirror


@needs_mnist
@pytest.mark.parametrize("kind", ["folder", "file URL", "HTTP"])
def test_mnist_mirror_is_tried_first(workspace, real, mirror, monkeypatch, kind):
    where = {"folder": str(REAL_MNIST), "file URL": REAL_MNIST.resolve().as_uri(), "HTTP": real.url}[kind]
    monkeypatch.setenv("MNIST_MIRROR", where)
    with misbehaving.serving() as unneeded:
        prepare(workspace, "mnist", [unneeded.url])
        download.main([])
        assert unneeded.requests == []
    raw = contents(workspace / "data/raw")
    assert {name: (len(content), sha256(content).hexdigest()) for name, content in raw.items()} == {
        file.name: (file.size, file.sha256) for file in MNIST
    }
    assert all(path.stat().st_mode & 0o044 == 0o044 for path in (workspace / "data/raw").iterdir())
    assert {path.name for path in workspace.iterdir()} == {"data", "params.yaml"}


@needs_mnist
def test_a_mirror_that_lacks_some_files_gives_the_others(workspace, real, monkeypatch, capsys):
    with misbehaving.serving() as partly:
        partly.files = {name: body for name, body in real.files.items() if "qmnist" not in name}
        monkeypatch.setenv("MNIST_MIRROR", partly.url)
        prepare(workspace, "mnist", [real.url])
        download.main([])
        assert f"qmnist-train-labels.tsv: passed over {partly.url}: answered 404" in capsys.readouterr().out
    assert {name for name, _ in real.requests} == {"qmnist-train-labels.tsv.gz", "qmnist-test-labels.tsv.gz"}


@needs_mnist
def test_a_download_cut_off_between_files_keeps_those_that_came(workspace, real):
    missing = {name: real.files.pop(name) for name in ("t10k-images-idx3-ubyte.gz",)}
    prepare(workspace, "mnist", [real.url])
    with pytest.raises(SystemExit):
        download.main([])
    assert not (workspace / "data").exists()
    real.files |= missing
    real.requests.clear()
    download.main([])
    assert FIRST not in {name for name, _ in real.requests}
    assert len(contents(workspace / "data/raw")) == len(MNIST)


@needs_mnist
def test_what_is_there_and_verified_is_not_fetched_again(workspace, real):
    prepare(workspace, "mnist", [real.url])
    download.main([])
    damaged = workspace / "data/raw/t10k-labels-idx1-ubyte"
    whole = damaged.read_bytes()
    damaged.write_bytes(whole[:-1] + b"\x07")
    real.requests.clear()
    download.main([])
    assert real.requests == [("t10k-labels-idx1-ubyte.gz", None)]
    assert damaged.read_bytes() == whole


@needs_mnist
def test_a_download_killed_midway_ends_with_the_right_bytes(workspace, real):
    prepare(workspace, "mnist", [real.url])
    real.behaviour[FIRST] = [misbehaving.drips(50_000, 0.01), misbehaving.honest]
    first = start(workspace)
    until(lambda: real.sent > 1_000_000)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    assert not (workspace / "data").exists()
    download.main([])
    raw = contents(workspace / "data/raw")
    assert sha256(raw[MNIST[0].name]).hexdigest() == MNIST[0].sha256
    assert real.requests[1][1] is not None
