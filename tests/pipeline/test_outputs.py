"""A stage that is run by hand: links into DVC's cache are replaced, and what it writes may be read."""

import os
import stat
from contextlib import chdir
from pathlib import Path

import pytest
import yaml
from dvc.repo import Repo

from pipeline import outputs
from pipeline.stage import stage
from pipeline.tracking import runs
from tests.pipeline.tracking import project as made_up
from tests.pipeline.workspace import ROOT, contents, dvc_repo

GRAPH = {
    "write": {
        "matrix": {"network": ["convnet"]},
        "cmd": "true",
        "outs": ["models/${item.network}", {"best": {"persist": True}}, "table.csv"],
    }
}


@pytest.mark.slow
def test_the_outputs_of_every_stage_are_those_that_dvc_knows() -> None:
    with chdir(ROOT):
        for one in Repo().stage.load_all("dvc.yaml"):
            name, _, item = one.name.partition("@")
            found = outputs.of(name, {"network": item} if item else {})
            assert sorted(map(str, found)) == sorted(out.def_path for out in one.outs)


@pytest.mark.parametrize("kind", ["symlink", "hardlink"])
def test_a_stage_writes_through_no_link_into_the_cache(tmp_path: Path, kind: str) -> None:
    repo = dvc_repo(tmp_path, scm=False)
    with chdir(tmp_path), repo.config.edit() as config:
        config["cache"]["type"] = kind
    made_up.write(tmp_path / "dvc.yaml", yaml.safe_dump({"stages": GRAPH}))
    names = [Path(name) for name in ("models/convnet/weights", "models/convnet/deep/er", "best/model", "table.csv")]
    for name in names:
        made_up.write(tmp_path / name, f"{name} as it was")
    before = contents(tmp_path)

    @stage("write", network="a name")
    def by_hand(network: str) -> None:
        assert Path("best/model").read_text() == "best/model as it was"
        for name in names:
            name.write_text("anew")

    with chdir(tmp_path):
        Repo().commit(force=True)
        assert all(name.is_symlink() or name.stat().st_nlink > 1 for name in names), "DVC made no links"
        Path("best/gone").symlink_to("nowhere")
        cached = contents(tmp_path / ".dvc/cache")
        by_hand(["convnet"])
        assert [name.read_text() for name in names] == ["anew"] * 4
        assert contents(tmp_path / ".dvc/cache") == cached
    assert set(before) <= set(contents(tmp_path))


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o077, 0o600)])
def test_weights_that_only_their_owner_can_read_are_shown_to_all_whom_the_umask_admits(
    project: Path, mask: int, mode: int
) -> None:
    weights = project / "models/trained/convnet/weights.safetensors"
    content = weights.read_bytes()
    weights.chmod(0o600)
    before = os.umask(mask)
    try:
        runs.publish_training("convnet")
    finally:
        os.umask(before)
    [published] = project.rglob("artifacts/training/weights.safetensors")
    for file in (weights, published):
        assert stat.S_IMODE(file.stat().st_mode) == mode
        assert file.read_bytes() == content
