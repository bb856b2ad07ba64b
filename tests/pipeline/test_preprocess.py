"""The stage as it is run, on the packaged sources; and its split of the real MNIST."""

import os
import resource
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import yaml

from pipeline import download, params, preprocess
from pipeline.data import store
from pipeline.data.sources import SOURCES
from tests.pipeline.workspace import REAL_MNIST, ROOT, contents, needs_mnist, prepare


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    """data/processed/ of mnist-sample, to be read only."""
    folder = tmp_path_factory.mktemp("sample")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        prepare(folder, "mnist-sample")
        download.main([])
        preprocess.main([])
    return folder / "data"


@pytest.fixture
def uci(workspace):
    prepare(workspace, "uci-digits")
    download.main([])
    return workspace / "data"


def test_the_samples_describe_the_arrays_row_by_row(sample):
    samples = pd.read_parquet(sample / "processed/samples.parquet")
    raw = np.frombuffer((sample / "raw/images-idx3-ubyte").read_bytes(), np.uint8, offset=16).reshape(-1, 28, 28)
    for split in ("train", "val", "test"):
        images, labels = store.load_split(sample / "processed", split)
        part = samples[samples["split"] == split]
        np.testing.assert_array_equal(part["row"], np.arange(len(images)))
        np.testing.assert_array_equal(part["label"], labels)
        np.testing.assert_array_equal(raw[part["source_row"]], images)
        high = images.max(axis=(1, 2), keepdims=True)
        assert np.corrcoef(part["ink"], (images >= high / 2).sum(axis=(1, 2)))[0, 1] > 0.98
    assert sorted(samples["source_row"]) == list(range(5000))


def test_each_split_has_its_share_of_each_digit(sample):
    samples = pd.read_parquet(sample / "processed/samples.parquet")
    counts = samples.groupby(["split", "label"]).size().unstack()
    assert (counts.loc["test"] == 100).all()
    assert (counts.loc["val"] == 33).all()
    assert (counts.loc["train"] == 367).all()


def test_what_is_not_known_of_the_sample_is_null(sample):
    samples = pd.read_parquet(sample / "processed/samples.parquet")
    assert samples[["population", "writer"]].isna().all(axis=None)
    assert samples.drop(columns=["population", "writer"]).notna().all(axis=None)


def test_two_runs_write_the_same_bytes_and_another_seed_others(uci, workspace):
    runs = []
    for seed in (0, 0, 1):
        text = (workspace / "params.yaml").read_text()
        settings = yaml.safe_load(text)
        settings["data"]["split"]["seed"] = seed
        (workspace / "params.yaml").write_text(yaml.safe_dump(settings))
        preprocess.main([])
        runs.append(contents(uci / "processed"))
    assert runs[0] == runs[1]
    assert runs[0]["test/labels.npy"] != runs[2]["test/labels.npy"]


def test_uci_digits_become_images_of_mnists_kind(uci, capsys):
    preprocess.main([])
    images, labels = store.load_split(uci / "processed", "test")
    assert len(images) == pytest.approx(0.2 * 1797, abs=10)
    assert images.max() == 255
    assert set(labels) == set(range(10))
    assert "val" in capsys.readouterr().out


def test_a_damaged_input_is_a_clear_error_and_leaves_what_was_there(uci):
    preprocess.main([])
    before = contents(uci / "processed")
    images = uci / "raw/images-idx3-ubyte"
    images.write_bytes(images.read_bytes()[:-1])
    with pytest.raises(SystemExit, match=r"preprocess: data/raw/images-idx3-ubyte is cut short: 115023 bytes"):
        preprocess.main([])
    assert contents(uci / "processed") == before
    assert {path.name for path in uci.iterdir()} == {"raw", "processed"}


def test_another_sources_files_are_refused(uci, workspace):
    prepare(workspace, "mnist-sample")
    with pytest.raises(SystemExit, match="8x8, not 28x28"):
        preprocess.main([])
    prepare(workspace, "mnist")
    with pytest.raises(SystemExit, match="train-images-idx3-ubyte cannot be read"):
        preprocess.main([])


def test_without_raw_data_it_says_what_to_run(workspace):
    prepare(workspace, "uci-digits")
    with pytest.raises(SystemExit, match=r"No such file or directory\. .*python -m pipeline\.download"):
        preprocess.main([])
    assert not (workspace / "data").exists()


def test_a_full_disk_is_a_clear_error_and_leaves_nothing_half_written(uci, workspace):
    result = subprocess.run(
        [sys.executable, "-m", "pipeline.preprocess"],
        cwd=workspace,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, 500_000)),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.returncode == 1
    assert "data/processed could not be written" in result.stderr
    assert "Traceback" not in result.stderr
    assert {path.name for path in uci.iterdir()} == {"raw"}


@needs_mnist
def test_the_contract_on_the_real_mnist(workspace, monkeypatch):
    prepare(workspace, "mnist")
    monkeypatch.setenv("MNIST_MIRROR", str(REAL_MNIST))
    download.main([])
    digits = SOURCES["mnist"].read(workspace / "data/raw")
    samples = preprocess.split_up(digits, params.load("data.split"))

    assert digits.images.shape == (70_000, 28, 28)
    counts = samples.groupby([samples["split"].replace("val", "train"), "population"]).size().to_dict()
    assert counts == {
        ("train", "employees"): 30_950,
        ("train", "students"): 29_050,
        ("test", "employees"): 4_999,
        ("test", "students"): 5_001,
    }
    writers = samples.groupby(samples["split"].replace("val", "train"))["writer"].nunique()
    assert writers.to_dict() == {"train": 539, "test": 297}
    assert (samples.groupby("writer")["split"].nunique() == 1).all()

    test = samples[samples["split"] == "test"].set_index("source_row")
    assert test.loc[0, "population"] == "students"
    assert test.loc[5000, "population"] == "students"
    assert test.loc[5001, "population"] == "employees"

    val, train = (samples[samples["split"] == name] for name in ("val", "train"))
    assert len(val) == pytest.approx(0.0833 * 60_000, rel=0.02)
    shares = [part["population"].eq("students").mean() for part in (val, train)]
    assert shares[0] == pytest.approx(shares[1], abs=0.005)
