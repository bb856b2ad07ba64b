"""The champion travels: what is in release/, how it gets there, and how a clone takes it out again."""

import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path

import httpx
import pytest
import yaml
from dvc.repo import Repo

from pipeline import promote, release, serve
from pipeline.data.errors import DataError
from pipeline.paths import BEST
from pipeline.tracking import refill, store
from tests.pipeline.test_clone import git
from tests.pipeline.tracking import project as made_up
from tests.pipeline.workspace import ROOT, contents, dvc_repo, put
from tests.service.server import Server, wait_until

MEGABYTES = 5
PATIENCE_S = 540
GRAPH = {
    "promote": {"cmd": "true", "outs": [{"models/best": {"persist": True, "remote": "release"}}]},
    "package": {"cmd": "true", "outs": [{"dist": {"remote": "release"}}]},
}


def train(folder: Path, source: str, rng: random.Random) -> dict[str, bytes]:
    """Make up a champion and its Bento, and have DVC lock them; return their files."""
    for place in ("models/best", "dist"):
        shutil.rmtree(folder / place, ignore_errors=True)
    card = {"params": {"data.source": source}}
    made = {
        "models/best/run.json": json.dumps({"network": "mlp", "source": source}).encode(),
        "models/best/model.onnx": rng.randbytes(1000),
        "dist/bento/src/model.onnx": rng.randbytes(1000),
        "dist/bento/src/card.json": json.dumps(card).encode(),
        "dist/bento/bento.yaml": b"service: made up\n",
    }
    for name, content in made.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    with chdir(folder):
        Repo().commit(force=True)
    return made


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> random.Random:
    seed = time.time_ns()
    request.node.add_report_section("setup", "seed", str(seed))
    return random.Random(seed)


@pytest.fixture
def origin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A repository with the last two stages of the graph and this one's remote."""
    folder = tmp_path / "origin"
    git(tmp_path, "init", "--quiet", str(folder))
    dvc_repo(folder)
    (folder / "dvc.yaml").write_text(yaml.safe_dump({"stages": GRAPH}))
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    with chdir(folder):
        yield folder


def clone(origin: Path, name: str) -> Path:
    git(origin, "add", "--all")
    git(origin, "commit", "--quiet", "--message", "a release")
    folder = origin.parent / name
    git(origin.parent, "clone", "--quiet", str(origin), str(folder))
    return folder


@pytest.mark.slow
def test_a_clone_takes_out_what_was_released_with_dvc_and_without(origin: Path, rng: random.Random) -> None:
    made = train(origin, "mnist", rng)
    release.main()
    with chdir(clone(origin, "clone")):
        subprocess.run(["dvc", "pull", "--quiet", "dist", "models/best"], check=True)
        assert {name: Path(name).read_bytes() for name in made} == made
        for place in ("dist", "models/best"):
            shutil.rmtree(place)
        release.bring("mnist")
        taken_out = {f"{BEST}/{name}": content for name, content in contents(BEST).items()}
        taken_out |= {f"{serve.BENTO}/{name}": content for name, content in contents(serve.find("mnist")).items()}
        assert taken_out == made


@pytest.mark.slow
def test_a_source_has_one_champion_and_a_champion_of_before_leaves_nothing(origin: Path, rng: random.Random) -> None:
    def objects() -> int:
        return sum(path.is_file() for path in release.OBJECTS.rglob("*"))

    first = train(origin, "mnist", rng)
    release.main()
    of_one = objects()
    lock = Path("dvc.lock").read_text()
    train(origin, "mnist", rng)
    release.main()
    assert objects() == of_one
    train(origin, "uci-digits", rng)
    release.main()
    assert set(release.champions()) == {"mnist", "uci-digits"}
    assert of_one < objects() < 2 * of_one, "both hold the same file once"
    Path("dvc.lock").write_text(lock)
    Repo().checkout(force=True)
    release.main()
    release.take_out(release.champions()["mnist"].best, Path("again"))
    assert (Path("again/model.onnx")).read_bytes() == first["models/best/model.onnx"]


@pytest.mark.slow
def test_where_there_is_no_champion_nothing_is_released(origin: Path, rng: random.Random) -> None:
    train(origin, "mnist", rng)
    release.main()
    before = contents(release.FOLDER)
    train(origin, "mnist", rng)
    shutil.rmtree(".dvc/cache")
    with pytest.raises(SystemExit, match="no champion to release"):
        release.main()
    assert contents(release.FOLDER) == before


@pytest.fixture
def copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a copy of this repository's release/ and nothing else."""
    shutil.copytree(ROOT / release.FOLDER, tmp_path / release.FOLDER)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(("damage", "said"), [("changed", "damaged"), ("gone", "cannot be read")])
def test_a_damaged_file_is_named_and_nothing_takes_its_place(
    copied: Path, rng: random.Random, damage: str, said: str
) -> None:
    champion = release.champions()["mnist"]
    md5 = rng.choice([md5 for _, md5 in release.files(champion.dist)] + [champion.dist])
    path = release.OBJECTS / md5[:2] / md5[2:]
    path.chmod(0o644)
    path.unlink() if damage == "gone" else path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(DataError, match=rf"{path} .*{said}.*git restore release"):
        release.take_out(champion.dist, Path("dist"))
    assert not Path("dist").exists()
    with pytest.raises(serve.ServeError, match=str(path)):
        serve.find("mnist")


def test_what_is_released_is_the_committed_champion_and_no_more(copied: Path) -> None:
    """After a run on full MNIST that is to be committed: `make release`."""
    show = subprocess.run(["git", "show", "HEAD:./dvc.lock"], cwd=ROOT, check=True, capture_output=True, text=True)
    committed = yaml.safe_load(show.stdout)["stages"]["promote"]["params"]["params.yaml"]["data.source"]
    champions = release.champions()
    assert "mnist" in champions
    assert release.locked(show.stdout) == (champions[committed].dist, champions[committed].best)
    for source, champion in champions.items():
        release.take_out(champion.dist, Path("dist"))
        release.take_out(champion.best, BEST)
        assert serve.learnt_from(serve.BENTO) == release.source_of(BEST) == source
        assert (serve.BENTO / "src/model.onnx").read_bytes() == (BEST / "model.onnx").read_bytes()
    assert release.prune(champions) == 0
    assert sum(map(len, contents(release.FOLDER).values())) < MEGABYTES * 1e6
    notice = (release.FOLDER / "NOTICE").read_text()
    assert all(name in notice for name in ("LeCun", "Cortes", "Burges", "ShareAlike 3.0", "QMNIST"))


def test_each_source_is_served_by_its_own_champion(copied: Path) -> None:
    for source in ("mnist-sample", "mnist"):
        card = serve.BENTO / "src/card.json"
        card.parent.mkdir(parents=True, exist_ok=True)
        card.write_text(json.dumps({"params": {"data.source": source}}))
        assert serve.find(source) == serve.BENTO
        assert "the last run packaged" in serve.described(source, serve.BENTO)
        assert (serve.find("mnist") == serve.BENTO) == (source == "mnist")
    card.write_text(json.dumps({"params": {"data.source": "mnist-sample"}}))
    assert "the released champion of mnist" in serve.described("mnist", serve.find("mnist"))
    with pytest.raises(serve.ServeError, match=r"of uci-digits.* those of mnist, mnist-sample.*DATA=uci-digits"):
        serve.find("uci-digits")


def test_promote_compares_with_the_released_champion_of_the_same_source(
    project: Path, rng: random.Random, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a clone none stands in models/best, and after a run on another source the champion of that one."""
    made_up.evaluate(project, "convnet", errors=rng.randrange(1, 4))
    promote.main([])
    released = contents(BEST)
    store_away(project, made_up.SOURCE)
    other = json.loads((BEST / "run.json").read_text()) | {"source": "uci-digits"}
    made_up.train(project, "convnet", gain=0.3)
    made_up.evaluate(project, "convnet", errors=rng.randrange(20, 40), first=100)
    reports = []
    for stands in (False, True):
        shutil.rmtree(BEST)
        if stands:
            shutil.copytree(project / "models/candidates/convnet", BEST)
            shutil.copy(project / "reports/validation/convnet.parquet", BEST / "val.parquet")
            (BEST / "run.json").write_text(json.dumps(other))
        promote.main([])
        assert contents(BEST) == released
        assert "stays champion" in json.loads(promote.REPORT.read_text())["why"]
        reports.append((promote.REPORT.read_bytes(), promote.CARD.read_bytes()))
    assert reports[0] == reports[1]


def store_away(project: Path, source: str) -> None:
    """Release models/best as DVC would, with no Bento."""
    listed = []
    for name, content in contents(project / BEST).items():
        listed.append({"md5": put(content), "relpath": name})
    best = put(json.dumps(listed).encode(), ".dir")
    release.INDEX.write_text(json.dumps({source: {"network": "convnet", "dist": best, "best": best}}))


def test_a_clone_fills_mlflow_with_the_released_champion_and_says_what_is_missing(
    project: Path, mlflow_store: Path, empty_database: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    promote.main([])
    store_away(project, made_up.SOURCE)
    for folder in ("models", "reports/validation", "reports/audit", "data"):
        shutil.rmtree(project / folder)
    mlflow_store.write_bytes(empty_database.read_bytes())
    capsys.readouterr()
    refill.main([])
    champion = store.open_store().get_model_version_by_alias(f"inkwell-{made_up.SOURCE}", "champion")
    assert (champion.tags["network"], champion.tags["gates"]) == ("convnet", "passed")
    said = " ".join(capsys.readouterr().out.split())
    assert "perceptron, convnet: not in models/trained/" in said
    assert f"`make run DATA={made_up.SOURCE}` makes what is missing" in said


@pytest.mark.slow
def test_a_clone_is_served_without_torch_mlflow_or_dvc(tmp_path: Path) -> None:
    """What README's first screen says, in a clone of the committed state."""
    git(tmp_path, "clone", "--quiet", str(ROOT), "clone")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS", "GIT_"))}
    server = start_serving(tmp_path / "clone", environment, tmp_path / "log")
    try:
        wait_until(lambda: server.is_ready() or server.process.poll() is not None, seconds=PATIENCE_S)
        assert server.process.poll() is None, server.log.read_text()
        model = httpx.get(f"{server.url}/model").json()
    finally:
        serve.stop(server.process)
    assert model["source"] == "mnist"
    assert "the released champion of mnist" in server.log.read_text()
    installed = {path.name for path in tmp_path.glob("clone/.venv-serve/lib/*/site-packages/*")}
    assert "bentoml" in installed
    assert not installed & {"torch", "mlflow", "dvc"}


def start_serving(folder: Path, environment: dict[str, str], log: Path) -> Server:
    """Type `make serve` in a folder."""
    port = serve.free_port("127.0.0.1")
    with log.open("w") as stream:
        process = subprocess.Popen(
            ["make", "serve"],
            cwd=folder,
            env=environment | {"PORT": str(port)},
            stdout=stream,
            stderr=stream,
            start_new_session=True,
        )
    return Server(process, "127.0.0.1", port, log)
