"""The stage show: each of the page's files is made of the champion, of all candidates, and of the right images."""

import json
import shutil
from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipeline import show
from pipeline.models.networks import kinds
from pipeline.showcase.sheets import sheet
from pipeline.texts import params
from pipeline.tracking import store
from serving.model.recogniser import Recogniser
from tests import toy_model
from tests.pipeline.tracking.project import NETWORKS

CHAMPION, OTHER = NETWORKS[1], NETWORKS[0]
COUNTS = {"train": 300, "val": 50, "test": 70}


@pytest.fixture(scope="module")
def promoted(built: Path, empty_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A project, around which its tests run, whose champion is of an earlier training than the candidate of its name.

    It reads every digit wrong.
    """
    rng, root, folder = np.random.default_rng(), Path.cwd(), tmp_path_factory.mktemp("promoted")
    shutil.copytree(built, folder, dirs_exist_ok=True)
    shutil.copy(empty_database, folder / "mlflow.db")
    shutil.copytree(folder / f"models/candidates/{CHAMPION}", folder / "models/best")
    toy_model.write(folder / "models/best/model.onnx", {**toy_model.METADATA, "name": CHAMPION}, gain=-0.2)
    (folder / "texts").mkdir()
    shutil.copy(root / params.PATH, folder / params.PATH)
    for split, count in COUNTS.items():
        labels = rng.permutation(np.arange(count) % 10).astype(np.uint8)
        images = np.stack([toy_model.image(int(label), int(rng.integers(150, 256))) for label in labels])
        np.save(folder / f"data/processed/{split}/images.npy", images)
        np.save(folder / f"data/processed/{split}/labels.npy", labels)
    with chdir(folder), pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder / 'mlflow.db'}")
        yield folder


@pytest.fixture(scope="module")
def asked(promoted: Path) -> Iterator[list[tuple[Any, ...]]]:
    """What dreams are made of, which here are grey pictures; and the stage has run."""
    asked: list[tuple[Any, ...]] = []
    answer = {"network": {"digit": 1, "confidence": 0.5}, "service": {"digit": None, "reason": "uncertain"}}
    layer = {"own": [1.0] * 10, "units": 10, "first": 0, "examples": [[0]] * 10}

    def make(model: bytes, run: dict[str, Any], recogniser: Recogniser, *train: np.ndarray) -> dict[str, bytes]:
        asked.append((model, run, recogniser, *train))
        told = {"name": recogniser.name, "version": recogniser.version, "layers": [layer], "nearest": [0] * 10}
        told |= {"near": [answer] * 100, "sure": [answer] * 10, "noise": [answer] * 10}
        grey = {
            name: sheet(np.full((count, 28, 28), 99, np.uint8))
            for name, count in (("fools", 120), ("units", 10), ("examples", 1))
        }
        return {"dreams.json": json.dumps(told).encode()} | {f"dreams-{name}.png": png for name, png in grey.items()}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(show.dreams, "make", make)
        show.main([])
        yield asked


def test_the_champion_is_compared_with_all_candidates_under_what_people_call_them(asked):
    listed = {one["name"]: one for one in json.loads(Path("show/compare.json").read_text())}
    assert list(listed) == ["linear", OTHER, CHAMPION]
    assert [listed[name]["title"] for name in (OTHER, CHAMPION)] == [kinds()[name].title for name in (OTHER, CHAMPION)]
    assert listed[OTHER]["accuracy"] == 1
    assert listed[CHAMPION]["accuracy"] == 0, "the champion's own model, not its candidate's"
    graphs = {path.name for path in Path("show").glob("compare_*")}
    assert graphs == {f"compare_{name}.onnx.xz" for name in ("linear", OTHER)}, "the champion's is served"


def test_dreams_are_the_champions_and_of_images_that_it_learnt_from(asked):
    model, run, recogniser, images, labels = asked[0]
    assert model == Path("models/best/model.onnx").read_bytes()
    assert run == json.loads(Path("models/best/run.json").read_text())
    assert recogniser.sha256 == Recogniser(Path("models/best/model.onnx")).sha256
    np.testing.assert_array_equal(images, np.load("data/processed/train/images.npy"))
    np.testing.assert_array_equal(labels, np.load("data/processed/train/labels.npy"))
    Image.open("reports/dreams.png").verify()


def test_the_pages_network_learns_from_no_test_image_and_units_are_tried_on_those_alone(asked):
    told = json.loads(Path("show/sheet.json").read_text())
    assert (told["training"], told["held_out"]) == (COUNTS["train"], COUNTS["val"])
    with Image.open("show/held_out.png") as held_out:
        assert held_out.size == (28 * COUNTS["test"] // 10, 280)


def test_nothing_old_is_left_and_the_bytes_are_counted(asked, capsys):
    Path("show/old.json").write_text("of a run before")
    show.main([])
    files = {path: path.stat().st_size for path in Path("show").iterdir()}
    assert Path("show/old.json") not in files
    told = capsys.readouterr().out.splitlines()
    assert sorted(line for line in told if line.startswith("show/")) == sorted(
        f"{path}: {size:,} bytes" for path, size in files.items()
    )
    assert f"load {sum(files.values()):,} bytes in all" in told[-1]


def test_mlflow_has_the_dreams_with_the_champions_run(asked):
    client = store.open_store()
    [run] = client.search_runs([store.experiment(client, "mnist-sample")], f"tags.network = '{CHAMPION}'")
    kept = {Path(file.path).name for file in client.list_artifacts(run.info.run_id, "dreams")}
    assert kept == {"dreams.png", *(path.name for path in Path("show").glob("dreams*"))}
