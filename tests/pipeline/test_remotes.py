"""What is pushed to a remote of the user's own comes to whoever clones; docs/remotes.md says what is typed."""

import os
import shutil
import subprocess
import sys
from contextlib import chdir
from pathlib import Path

import httpx
import pytest
import yaml
from dvc.repo import Repo

from pipeline import release, serve
from pipeline.paths import BEST
from tests.pipeline import remotes
from tests.pipeline.remotes import Remote
from tests.pipeline.test_clone import git
from tests.pipeline.tracking import project as made_up
from tests.pipeline.workspace import ROOT, contents

pytestmark = pytest.mark.slow
OF_NETWORKS = {"matrix": {"network": "${candidates}"}, "cmd": "true"}
GRAPH = {
    "preprocess": {"cmd": "true", "outs": ["data/processed"]},
    "train": {**OF_NETWORKS, "outs": ["models/trained/${item.network}"]},
    "export": {**OF_NETWORKS, "outs": ["models/candidates/${item.network}"]},
    "promote": {"cmd": "true", "outs": [{"models/best": {"persist": True, "remote": "release"}}]},
    "package": {"cmd": "true", "outs": [{"dist": {"remote": "release"}}]},
}
OWN = ("data/processed", "models/trained", "models/candidates")
RELEASED = ("models/best", "dist")


def run(folder: Path, *command: str, status: int = 0, **environ: str) -> str:
    """What `python -m COMMAND` says in a folder."""
    environment = {name: value for name, value in os.environ.items() if name != "MLFLOW_TRACKING_URI"} | environ
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=folder, env=environment, capture_output=True, encoding="utf-8"
    )
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr


def outputs(folder: Path, places: tuple[str, ...]) -> dict[str, bytes]:
    return {
        f"{place}/{name}": content
        for place in places
        for name, content in contents(folder / place).items()
        if not name.endswith(".gitignore")
    }


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone of this project in which two small networks have been trained, beside the released champion."""
    folder = tmp_path_factory.mktemp("origin")
    git(folder, "clone", "--quiet", str(ROOT), ".")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(made_up, "SOURCE", "mnist")
        made_up.build(folder)
    params = (folder / "params.yaml").read_text()
    (folder / "params.yaml").write_text(params.replace("source: mnist-sample ", "source: mnist "))
    (folder / "dvc.yaml").write_text(yaml.safe_dump({"stages": GRAPH}))
    (folder / "dvc.lock").unlink()
    with chdir(folder):
        champion = release.champions()["mnist"]
        release.take_out(champion.best, BEST)
        release.take_out(champion.dist, release.DIST)
        Repo().commit(force=True)
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "a run")
    return folder


def set_up(folder: Path, remote: Remote) -> None:
    """Type what docs/remotes.md says of a remote."""
    run(folder, "dvc", "remote", "add", "--default", "mine", remote.url)
    for name, value in remote.shared.items():
        run(folder, "dvc", "remote", "modify", "mine", name, value)
    for name, value in remote.own.items():
        run(folder, "dvc", "remote", "modify", "--local", "mine", name, value)


@pytest.mark.parametrize("kind", [remotes.folder, remotes.web, remotes.s3, remotes.ssh], ids=lambda kind: kind.__name__)
def test_what_one_pushes_another_clones_pulls_serves_and_tracks(origin: Path, tmp_path: Path, kind) -> None:
    pusher, clone = tmp_path / "pusher", tmp_path / "clone"
    shutil.copytree(origin, pusher, symlinks=True)
    made = outputs(pusher, OWN + RELEASED)
    with kind(tmp_path / "remote") as remote:
        set_up(pusher, remote)
        if remote.folder:
            run(pusher, "dvc", "remote", "add", "folder", remote.folder)
        run(pusher, "dvc", "push", *(["-r", "folder"] if remote.folder else []), **remote.environ)
        git(pusher, "diff", "--exit-code", "--", "release")
        git(pusher, "commit", "--quiet", "--all", "--message", "a remote")
        git(tmp_path, "clone", "--quiet", str(pusher), str(clone))
        for name, value in remote.own.items():
            run(clone, "dvc", "remote", "modify", "--local", "mine", name, value)
        run(clone, "dvc", "pull", **remote.environ)
    assert outputs(clone, OWN + RELEASED) == made
    store = tmp_path / "remote/store/files/md5"
    if store.exists():
        pushed = {part.name + path.name for part in store.iterdir() for path in part.iterdir()}
        with chdir(clone):
            of_champion = set(release.locked(Path("dvc.lock").read_text()))
        assert pushed
        assert not pushed & of_champion, "what is released stays where it is"
    with chdir(clone), serve.running(serve.find("mnist")) as url:
        assert httpx.get(f"{url}/model", trust_env=False).json()["source"] == "mnist"
    said = run(clone, "pipeline.tracking.refill")
    assert "champion: convnet" in said
    assert "makes what is missing" not in said


def test_nothing_can_be_pushed_over_http_and_nothing_is_lost(origin: Path, tmp_path: Path) -> None:
    pusher = tmp_path / "pusher"
    shutil.copytree(origin, pusher, symlinks=True)
    made = outputs(pusher, OWN + RELEASED)
    (tmp_path / "remote/store").mkdir(parents=True)
    with remotes.web(tmp_path / "remote") as remote:
        set_up(pusher, remote)
        assert "501" in run(pusher, "dvc", "push", status=1)
    assert outputs(pusher, OWN + RELEASED) == made


def test_a_clone_without_a_remote_of_its_own_has_the_champion_and_is_told_how_to_make_the_rest(
    origin: Path, tmp_path: Path
) -> None:
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "--quiet", str(origin), str(clone))
    assert "models/trained/convnet" in run(clone, "dvc", "pull", status=1), "what no remote has is named"
    assert outputs(clone, RELEASED) == outputs(origin, RELEASED)
    run(clone, "dvc", "pull", "--allow-missing")
    said = run(clone, "pipeline.tracking.refill")
    assert "champion: convnet" in said
    assert "`make run DATA=mnist` makes what is missing" in " ".join(said.split())
