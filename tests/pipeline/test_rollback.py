"""The champion before this one comes back, and the other way round, with all that tells who is champion."""

import hashlib
import json
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from dvc.repo import Repo

from pipeline import params, promote, release, rollback
from pipeline.crown import main as tell_mlflow
from pipeline.paths import BEST
from pipeline.tracking import registry, store
from tests.pipeline.tracking import project as made_up
from tests.pipeline.workspace import ROOT, contents, dvc_repo, put

NAME = f"inkwell-{made_up.SOURCE}"
PROMOTE = {
    "cmd": "python -m pipeline.promote",
    "deps": ["models/candidates", "reports/validation", "reports/verdicts"],
    "params": ["candidates", "data.source", "promote"],
    "outs": [
        {"models/best": {"persist": True}},
        {"reports/promotion.json": {"cache": False}},
        {"reports/model_card.md": {"cache": False}},
    ],
}
CROWN = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]["crown"]
CROWN["deps"].remove("pipeline/crown.py")
PACKAGE = {
    "cmd": "test ! -e broken && mkdir -p dist && cp models/best/model.onnx dist/",
    "deps": ["models/best"],
    "outs": ["dist"],
}


@pytest.fixture
def reigned(project: Path) -> Path:
    """The small project with two champions, the second of which reigns, packaged and recorded by DVC."""
    subprocess.run(["git", "init", "--quiet"], check=True)
    dvc_repo(project)
    graph = yaml.safe_load(made_up.DVC)
    graph["stages"] |= {"promote": PROMOTE, "crown": CROWN, "package": PACKAGE}
    (project / "dvc.yaml").write_text(yaml.safe_dump(graph, sort_keys=False))
    crown()
    made_up.train(project, "convnet", gain=0.3)
    made_up.evaluate(project, "convnet", 0)
    made_up.audit(project, "convnet")
    crown()
    return project


def crown() -> None:
    promote.main([])
    tell_mlflow([])
    repo = Repo()
    repo.commit("promote", force=True)
    repo.commit("crown", force=True)
    repo.reproduce(["package"], single_item=True)


def state() -> dict[str, bytes]:
    """All that tells who is champion, but for MLflow."""
    files = ("params.yaml", "dvc.lock", "reports/promotion.json", "reports/model_card.md")
    folders = [contents(BEST), contents(Path("dist"))]
    return (
        {name: Path(name).read_bytes() for name in files} | folders[0] | {f"dist/{k}": v for k, v in folders[1].items()}
    )


def champion() -> str:
    return store.open_store().get_model_version_by_alias(NAME, "champion").tags["model_sha256"]


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.slow
def test_back_or_not_at_all_on_with_the_next_run_and_forward_again(
    reigned: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = (one.tags["model_sha256"] for one in registry.reigns(store.open_store(), made_up.SOURCE))
    assert (first, second) == (first, sha256(BEST / "model.onnx"))
    before = state()
    shutil.rmtree(".dvc/cache/runs")  # else the Bento of then comes from there, and nothing can fail
    Path("broken").touch()
    with pytest.raises(SystemExit, match="the stage package failed, and all is as it was"):
        rollback.main([])
    assert (state(), champion()) == (before, second)
    Path("broken").unlink()

    rollback.main([])
    said = " ".join(capsys.readouterr().out.split())
    assert f"convnet {first[:12]} is champion of {made_up.SOURCE} again, in the place of convnet {second[:12]}" in said
    assert "come from DVC's cache" in said
    assert sha256(BEST / "model.onnx") == sha256(Path("dist/model.onnx")) == champion() == first
    told = json.loads(promote.REPORT.read_text())
    assert told["champion"]["model_sha256"] == first
    assert told["champion"]["validation_errors"] == 4
    assert f"convnet {second[:12]} was rolled back by hand" in told["why"]
    assert first in promote.CARD.read_text()
    assert params.load("promote").withdrawn == [second[:12]]
    history = store.open_store().get_registered_model(NAME).description.splitlines()
    assert "was rolled back by hand" in history[0]
    assert [line.startswith("- convnet (version") for line in history[-2:]] == [True, True]
    assert Repo().status(["promote", "package", "crown"]) == {}, "MLflow knows"

    kept = contents(BEST)
    promote.main([])  # the next run
    tell_mlflow([])
    assert contents(BEST) == kept
    assert champion() == first
    told = json.loads(promote.REPORT.read_text())
    assert f"convnet {second[:12]} was rolled back: it is not crowned again by itself" in told["why"]

    with pytest.raises(SystemExit, match=rf"convnet {first[:12]} is the first champion of {made_up.SOURCE}"):
        rollback.main([])
    assert contents(BEST) == kept

    rollback.main(["--forward"])
    assert sha256(Path("dist/model.onnx")) == champion() == second
    after = state()
    changed = {
        "reports/promotion.json",
        "reports/model_card.md",
        "dvc.lock",
    }  # they say why, and dvc.lock has their hashes
    assert {name for name in before if before[name] != after[name]} == changed
    assert before.keys() == after.keys()
    with pytest.raises(SystemExit, match="was rolled back: there is nothing to go forward to"):
        rollback.main(["--forward"])


def test_the_files_come_from_whatever_holds_them(reigned: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    client = store.open_store()
    first = registry.reigns(client, made_up.SOURCE)[0]
    version, expected = first.tags["model_sha256"][:12], tmp_path_factory.mktemp("expected") / "best"
    place = expected.with_name("place")
    assert rollback.bring(version, made_up.SOURCE, expected) == "DVC's cache"
    release_it(expected)
    damaged = next(
        path for path in reigned.glob(".dvc/cache/files/md5/*/*") if sha256(path) == first.tags["model_sha256"]
    )
    damaged.chmod(0o644)
    damaged.write_bytes(b"damaged")
    assert rollback.bring(version, made_up.SOURCE, place) == "release/"
    assert contents(place) == contents(expected)
    shutil.rmtree(place)
    shutil.rmtree(release.FOLDER)
    shutil.rmtree(".dvc/cache")
    assert rollback.bring(version, made_up.SOURCE, place) == "MLflow's artifacts"
    assert contents(place) == contents(expected)
    shutil.rmtree("mlartifacts")
    with pytest.raises(
        SystemExit, match=rf"{version} are neither in DVC's cache, nor in release/, nor in MLflow's art"
    ):
        rollback.main([])


def release_it(folder: Path) -> None:
    listed = [{"md5": put(path.read_bytes()), "relpath": path.name} for path in sorted(folder.iterdir())]
    put(json.dumps(listed).encode(), ".dir")


def test_without_a_champion_one_sentence_says_what_makes_it(project: Path) -> None:
    with pytest.raises(SystemExit, match=f"no champion of {made_up.SOURCE} stands in .*make run DATA={made_up.SOURCE}"):
        rollback.main([])


def test_a_third_champion_is_rolled_back_past_the_one_that_was_withdrawn() -> None:
    class Known:
        version = "c"
        network = "convnet"

    history = ["a", "b", "a", "c"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rollback, "history", lambda source: history)
        assert rollback.older("mnist", ["b"], Known) == "a"  # type: ignore[arg-type]
        assert rollback.newer("mnist", ["x", "b"]) == "b"


@pytest.mark.parametrize("versions", [[], ["0123456789ab"], ["049912345678", "1e9912345678"]])
def test_params_change_in_the_list_alone_and_back(versions: list[str]) -> None:
    text = Path("params.yaml").read_text()
    changed = rollback.with_withdrawn(text, versions)
    assert yaml.safe_load(changed)["promote"]["withdrawn"] == versions
    assert rollback.with_withdrawn(changed, []) == text
