"""Images in bulk: a row for each, as the service answers it, once and for all."""

import contextlib
import gzip
import io
import json
import os
import random
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from filelock import FileLock
from PIL import Image

from pipeline import score, serve
from pipeline.data import idx
from pipeline.data.errors import DataError
from pipeline.scoring import answers, champion, engine, shards
from pipeline.tracking import runkey, runs, store
from serving import images, schema
from serving.model.recogniser import Recogniser
from serving.model.without import read
from tests import toy_model


@pytest.fixture
def model(tmp_path):
    return toy_model.write(tmp_path / "model.onnx")


@pytest.fixture
def run(tmp_path, model, capsys):
    """Score a path under tmp_path, in this process, and return the rows and the summary."""

    def scored(given, *options, workers="0"):
        output = tmp_path / "out"
        score.main([str(given), str(output), "--model", str(model), "--workers", workers, *options])
        return rows(output), json.loads((output / "summary.json").read_text())

    return scored


def rows(output):
    return pd.concat([pd.read_parquet(path) for path in sorted((output / "answers").rglob("*.parquet"))])


def made(count):
    """Images that the toy reads, some of them blank, of digits drawn anew: uint8 [N, 28, 28], and the digits."""
    digits = np.random.default_rng().integers(0, 10, count)
    return np.stack([toy_model.image(digit) for digit in digits]), digits


def png(image):
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, format="PNG")
    return stream.getvalue()


def write(folder, kind, pixels):
    """Images in a file of a kind; returns its path."""
    folder.mkdir(exist_ok=True)
    path = folder / {"npy": "a.npy", "idx": "a-idx3-ubyte", "gz": "a-idx3-ubyte.gz"}.get(kind, "a.parquet")
    flat = pixels.reshape(len(pixels), -1)
    if kind == "npy":
        np.save(path, pixels)
    elif kind == "idx":
        path.write_bytes(idx.encode(pixels))
    elif kind == "gz":
        path.write_bytes(gzip.compress(idx.encode(pixels)))
    else:
        table = {
            "columns": lambda: {"label": np.zeros(len(flat), int)} | {f"pixel{at}": flat[:, at] for at in range(784)},
            "lists": lambda: {"image": list(flat), "label": np.zeros(len(flat), int)},
            "nested": lambda: {"image": [image.tolist() for image in pixels]},
            "files": lambda: {"image": [{"bytes": png(image), "path": "x.png"} for image in pixels]},
        }[kind]()
        pq.write_table(pa.table(table), path, row_group_size=7)
    return path


@pytest.mark.parametrize("kind", ["npy", "idx", "gz", "columns", "lists", "nested", "files"])
def test_each_image_has_the_services_answer(tmp_path, run, model, kind, monkeypatch):
    monkeypatch.setattr(shards, "ROWS", 10)
    pixels, _ = made(random.randint(21, 40))
    given = write(tmp_path / "in", kind, pixels)
    found, summary = run(given)
    assert found["file"].unique().tolist() == [given.name]
    assert found["row"].tolist() == list(range(len(pixels)))
    recogniser = Recogniser(model)
    if kind == "files":
        prepared = np.stack([images.decode(png(image)) for image in pixels])
    else:
        prepared = images.normalise_all(pixels.astype(np.float32))
    expected = recogniser.predict(prepared)
    for row, answer in zip(found.to_dict("records"), schema.answers(expected, recogniser), strict=True):
        assert (None if pd.isna(row["digit"]) else row["digit"]) == answer["digit"]
        assert row["confidence"] == pytest.approx(answer["confidence"], abs=1e-6)
        assert row["prediction_set"].tolist() == answer["prediction_set"]
        assert row["abstained"] == answer["abstained"]
        assert (None if pd.isna(row["reason"]) else row["reason"]) == answer["reason"]
        assert [row[f"p{digit}"] for digit in range(10)] == pytest.approx(answer["probabilities"], abs=1e-6)
    assert summary["images"] == len(pixels)
    assert summary["rows_sha256"] == answers.hash_of_files(tmp_path / "out")


def test_what_is_no_readable_image_is_a_row_with_an_error(tmp_path, run):
    folder = tmp_path / "in"
    (folder / "deeper").mkdir(parents=True)
    pixels, _ = made(3)
    for name in ("a.png", "deeper/without-suffix"):
        (folder / name).write_bytes(png(pixels[0]))
    (folder / "cut.png").write_bytes(png(np.random.default_rng().integers(0, 256, (28, 28), np.uint8))[:-60])
    (folder / "empty.jpg").touch()
    (folder / "gone.png").symlink_to("nowhere.png")
    (folder / "photo.heic").write_bytes(b"\0\0\0\x18ftypheic" + bytes(50))
    (folder / "huge.bmp").write_bytes(bytes(10_000_001))
    for name in ("labels.csv", ".hidden.png"):
        (folder / name).write_bytes(b"no image")
    np.save(folder / "labels.npy", np.zeros(3, np.uint8))
    np.save(folder / "values.npy", np.where(np.arange(3)[:, None, None] == 1, np.nan, pixels.astype(np.float32)))
    found, summary = run(folder)
    errors = dict(zip(found["file"] + found["row"].map("{:.0f}".format), found["error"].fillna(""), strict=True))
    assert errors == {
        "a.pngnan": "",
        "deeper/without-suffixnan": "",
        "cut.pngnan": "unreadable_image",
        "empty.jpgnan": "empty_image",
        "gone.pngnan": "unreadable_image",
        "photo.heicnan": "unsupported_media_type",
        "huge.bmpnan": "body_too_large",
        "values.npy0": "",
        "values.npy1": "invalid_pixels",
        "values.npy2": "",
    }
    assert found.loc[found["error"].notna(), ["digit", "confidence", "p0", "abstained"]].isna().all(axis=None)
    assert found.loc[found["error"].notna(), "message"].str.len().min() > 10
    assert (summary["images"], summary["unreadable"]["total"]) == (10, 6)
    assert summary["input"]["images"] == 4 == summary["answered"] + summary["abstained"]["total"]


def test_only_what_is_new_changed_damaged_or_of_another_model_is_scored_again(tmp_path, run, model, monkeypatch):
    monkeypatch.setattr(shards, "ROWS", 10)
    pixels, _ = made(25)
    write(tmp_path / "in", "npy", pixels)
    again: list[str] = []
    begun = answers.begun

    def noted(path):
        again.append(path.stem)
        return begun(path)

    monkeypatch.setattr(answers, "begun", noted)

    def scored_anew():
        again.clear()
        found, summary = run(tmp_path / "in")
        assert summary["images"] == len(found)
        assert (summary.pop("run")["images"] == 0) == (not again)
        assert summary["rows_sha256"] == answers.hash_of_files(tmp_path / "out")
        return again, summary

    all_three, first = scored_anew()
    assert all_three == ["a.npy-0000000000", "a.npy-0000000010", "a.npy-0000000020"]
    assert scored_anew() == ([], first)
    damaged = tmp_path / "out/answers/a.npy-0000000010.parquet"
    damaged.write_bytes(damaged.read_bytes()[:-10])
    (tmp_path / "out/answers/.a.npy-0000000020.parquet.0123.new").touch()  # of a worker that was killed
    assert scored_anew() == (["a.npy-0000000010"], first)
    assert len(list((tmp_path / "out/answers").iterdir())) == 3
    np.save(tmp_path / "in/b.npy", pixels[:3])
    assert scored_anew()[0] == ["b.npy-0000000000"]
    np.save(tmp_path / "in/a.npy", pixels[:12])
    again, summary = scored_anew()
    assert (again, summary["images"]) == (["a.npy-0000000000", "a.npy-0000000010"], 15)
    toy_model.write(model, gain=0.1)
    again, other = scored_anew()
    assert (len(again), other["rows_sha256"] == summary["rows_sha256"]) == (3, False)


def test_an_output_belongs_to_one_input(tmp_path, run, capsys):
    for name in ("one", "other"):
        write(tmp_path / name, "npy", made(3)[0])
    run(tmp_path / "one")
    with pytest.raises(SystemExit) as end:
        run(tmp_path / "other")
    assert end.value.code == 2
    assert f"has the answers for {tmp_path / 'one'}: name another folder" in capsys.readouterr().err


def test_nobody_else_scores_into_a_folder_meanwhile_nor_into_the_input(tmp_path, run, capsys):
    given = write(tmp_path / "in", "npy", made(3)[0])
    for output, told in (
        (tmp_path / "in", "cannot be input and output both"),
        (tmp_path / "out", "another run scores"),
    ):
        with FileLock(tmp_path / "out/.lock"), pytest.raises(SystemExit):
            score.main([str(tmp_path / "in"), str(output)])
        assert told in capsys.readouterr().err
    assert list((tmp_path / "in").iterdir()) == [given]
    assert len(run(tmp_path / "in")[0]) == 3


@pytest.mark.parametrize(
    ("values", "options", "told"),
    [
        (np.full((2, 28, 28), 0.5), (), "lies in 0..1: say which scale is meant"),
        (np.zeros((2, 32, 32), np.uint8), (), "holds [2, 32, 32], not [N, 28, 28] or [N, 784]"),
        (np.zeros((2, 784), bool), (), "holds bool, not numbers"),
        (None, (), "there is no"),
        (np.zeros((2, 784)), ("--model", "nowhere.onnx"), "cannot read the model nowhere.onnx"),
        (np.zeros((2, 784)), ("--model", "emnist"), "there is no champion of emnist"),
    ],
)
def test_what_cannot_be_scored_is_told_in_a_line(tmp_path, run, capsys, values, options, told):
    given = tmp_path / "in.npy"
    if values is not None:
        np.save(given, values)
    with pytest.raises(SystemExit) as end:
        run(given, *options)
    [line] = [one for one in capsys.readouterr().err.splitlines() if one.startswith("score: ")]
    assert end.value.code == 2
    assert told in line


def test_the_champion_of_mlflows_registry_answers(tmp_path, project, capsys):
    runs.publish_export("convnet")
    store.open_store().set_registered_model_alias("inkwell-mnist-sample", "champion", "1")
    given = write(tmp_path / "in", "npy", made(3)[0])
    command = [str(given), str(tmp_path / "out"), "--model"]
    score.main([*command, "models:/inkwell-mnist-sample@champion"])
    summary = json.loads((tmp_path / "out/summary.json").read_text())
    assert summary["model"]["sha256"] == runkey.hash_path(project / "models/candidates/convnet/model.onnx")
    with pytest.raises(SystemExit):
        score.main([*command, "models:/nobody@champion"])
    assert "there is no models:/nobody@champion; the registry has inkwell-mnist-sample" in capsys.readouterr().err


def test_novelty_is_held_against_test_digits_that_travel_with_the_champion(tmp_path, capsys):
    sheet = read((serve.find("mnist") / champion.HELD_OUT).read_bytes())
    unlike = np.random.default_rng().integers(0, 256, (50, 28, 28), np.uint8)
    for name, pixels in (("digits", sheet.astype(np.uint8)), ("noise", unlike)):
        np.save(tmp_path / f"{name}.npy", pixels)
        score.main([str(tmp_path / f"{name}.npy"), str(tmp_path / name), "--model", "mnist"])
        summary = json.loads((tmp_path / name / "summary.json").read_text())
        assert summary["novelty"]["unlike"] == (name == "noise")
        assert summary["test digits"]["images"] == len(sheet)
        printed = capsys.readouterr().out
        assert f"by that it is {'unlike' if name == 'noise' else 'like'} them" in printed
        assert printed.startswith((tmp_path / name / "summary.txt").read_text())


def test_values_in_0_to_1_are_scaled_where_that_is_said(tmp_path, run):
    pixels, digits = made(9)
    np.save(tmp_path / "in.npy", pixels / 255)
    assert run(tmp_path / "in.npy", "--scale", "0-1")[0]["digit"].tolist() == digits.tolist()


def test_there_is_a_process_for_each_processor_that_may_be_used():
    allowed = os.sched_getaffinity(0)
    assert engine.processes(None) == len(allowed)
    os.sched_setaffinity(0, {min(allowed)})
    try:
        assert engine.processes(None) == 1
    finally:
        os.sched_setaffinity(0, allowed)
    assert engine.processes(3) == 3


@pytest.mark.slow
def test_ray_goes_on_where_it_was_killed_and_comes_to_what_one_process_does(tmp_path):
    noise = np.random.default_rng().integers(0, 256, (50, 28, 28), np.uint8)
    (tmp_path / "in").mkdir()
    for number in range(30):
        np.save(tmp_path / f"in/{number:02}.npy", np.roll(noise, number, axis=0))
    calm, killed = tmp_path / "calm", tmp_path / "killed"
    with command(tmp_path / "in", calm, 0) as run:
        assert run.wait(200) == 0
    with command(tmp_path / "in", killed, 2) as run:
        deadline = time.monotonic() + 200
        while len(list(killed.glob("answers/*.parquet"))) < 3 and run.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        started = psutil.Process(run.pid).children(recursive=True)
        agents = [one for one in started if one.name().endswith("Agent")]  # which look for their node for a minute
        run.kill()
    try:
        assert not psutil.wait_procs(set(started) - set(agents), 60)[1]
    finally:
        for one in agents:
            with contextlib.suppress(psutil.NoSuchProcess):
                one.kill()
    there = len(list(killed.glob("answers/*.parquet")))
    assert 3 <= there < 30
    with command(tmp_path / "in", killed, 2) as run:
        _, told = run.communicate(timeout=250)
    assert run.returncode == 0, told
    assert "Warning" not in told
    assert f"{50 * there:,} of 1,500 images were scored before" in told
    assert answers.hash_of_files(killed) == answers.hash_of_files(calm)
    assert json.loads((killed / "summary.json").read_text())["run"]["images"] == 1500 - 50 * there


def command(given, output, workers):
    """The command, begun."""
    call = [sys.executable, "-m", "pipeline.score", str(given), str(output), "--workers", str(workers)]
    return subprocess.Popen(call, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, encoding="utf-8")


def test_a_shard_at_which_one_worker_after_the_other_is_lost_is_given_up(tmp_path, model, monkeypatch):
    found = shards.find(write(tmp_path / "in", "npy", made(3)[0]), None)
    (tmp_path / "out").mkdir()
    (tmp_path / "out/model.onnx").write_bytes(model.read_bytes())
    job = answers.Job(str(found.root), str(tmp_path / "out"), Recogniser(model).sha256, None)
    with monkeypatch.context() as lost:
        lost.setattr(answers, "joined", lambda parts: sys.exit("killed"))
        for _ in range(answers.TRIES):
            with pytest.raises(SystemExit):
                answers.score(found.shards[0], job)
    with pytest.raises(DataError, match=f"{answers.TRIES} workers were lost as they scored a.npy-0000000000"):
        answers.score(found.shards[0], job)
