import io
import json
import os
import re
import shutil
import socket
import tarfile
from pathlib import Path

import httpx
import numpy as np
import pytest

from pipeline import package, serve
from serving.model.recogniser import Recogniser
from tests import toy_model

ROOT = Path(__file__).parents[2]
NOBODY = "127.0.0.1:1"
"""Where no proxy answers."""


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project with a champion and test images, as the stages before leave it, where proxies are set."""
    for variable, proxy in (("HTTP_PROXY", "http"), ("http_proxy", "http"), ("ALL_PROXY", "socks5")):
        monkeypatch.setenv(variable, f"{proxy}://{NOBODY}")
    toy_model.write(tmp_path / package.MODEL)
    (tmp_path / package.IMAGES).parent.mkdir(parents=True)
    np.save(tmp_path / package.IMAGES, np.stack([toy_model.image(row % 10, 255 - row) for row in range(120)]))
    np.save(tmp_path / package.LABELS, np.arange(120, dtype=np.uint8) % 10)
    run = {"network": "mlp", "inputs": {"params": {"networks.mlp.kind": "mlp"}}}
    for name, content in (("verdicts.json", {"source": "mnist", "gates": []}), ("run.json", run)):
        (tmp_path / package.CHAMPION / name).write_text(json.dumps(content))
    (tmp_path / package.SHOW).mkdir()
    shutil.copytree(ROOT / "serving", tmp_path / "serving")
    for lock in (package.LOCK, package.WHOLE_LOCK):
        shutil.copy(ROOT / lock, tmp_path / lock)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def contents(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.slow
def test_a_bento_is_its_inputs_and_nothing_of_the_machine_or_the_moment(project, monkeypatch):
    built, packed = [], []
    for hash_seed, workplace, mask in (("1", Path("first"), 0o022), ("2", Path(".hidden"), 0o077)):
        monkeypatch.setenv("PYTHONHASHSEED", hash_seed)
        before = os.umask(mask)
        workplace.mkdir()
        built.append(package.build(package.MODEL, package.SERVING, workplace))
        package.archive(built[-1], workplace / "inkwell.bento")
        os.umask(before)
        packed.append((workplace / "inkwell.bento").read_bytes())
    first, second = built
    files = contents(first)
    assert files == contents(second)
    assert first.name == second.name
    assert packed[0] == packed[1]
    with tarfile.open(fileobj=io.BytesIO(packed[0])) as archive:
        opened = {member.name: archive.extractfile(member) for member in archive.getmembers() if member.isfile()}
        assert {name: content.read() for name, content in opened.items() if content} == files

    assert files["src/model.onnx"] == package.MODEL.read_bytes()
    assert {"src/serving/page/index.html", "src/inside.onnx", "src/card.json"} <= set(files)
    assert not [name for name in files if name.endswith(".pyc")]
    assert not [name for name, content in files.items() if str(project).encode() in content]
    requirements = files["env/python/requirements.txt"].decode()
    assert all(f"{name}==" in requirements for name in ("bentoml", "numpy", "onnxruntime", "pillow"))
    assert not [name for name in ("torch", "lightning", "mlflow", "dvc") if name in requirements]


def test_what_is_installed_is_what_the_lock_has(project):
    """Else a container would have other versions than those that were tried."""
    lock = package.LOCK.read_text()
    [pin] = re.findall(r"^pillow==\S+", lock, re.MULTILINE)
    package.LOCK.write_text(lock.replace(f"{pin} ", "pillow==0.1 "))
    with pytest.raises(SystemExit, match=rf"{package.LOCK}.*{pin}.*make setup"):
        package.main([])
    assert not serve.BENTO.exists()


def test_the_version_changes_with_the_code_and_the_requirements(project):
    before = package.content_version(project / "serving", ["numpy==1"])
    assert package.content_version(project / "serving", ["numpy==1"]) == before
    assert package.content_version(project / "serving", ["numpy==2"]) != before
    (project / "serving" / "app.py").write_text("changed")
    assert package.content_version(project / "serving", ["numpy==1"]) != before


@pytest.mark.slow
def test_the_stage_keeps_a_bento_that_answers_as_it_should(project, capsys):
    package.main([])
    kept = contents(serve.BENTO)
    assert kept["src/model.onnx"] == package.MODEL.read_bytes()
    assert sorted(path.name for path in serve.BENTO.parent.iterdir()) == ["bento", "inkwell.bento"]
    assert not list(serve.STATE.iterdir())
    assert "100 test images" in capsys.readouterr().out
    assert json.loads(kept["src/card.json"])["mistakes"]["images"] == 120
    images = np.load(package.IMAGES)
    recogniser = Recogniser(package.MODEL)
    other = Recogniser(toy_model.write(project / "other.onnx", gain=0.05))
    with serve.running(serve.BENTO) as url:
        package.try_out(url, recogniser, images)
        with pytest.raises(package.PackageError, match="the model served is"):
            package.try_out(url, other, images)
        other.sha256 = recogniser.sha256
        with pytest.raises(package.PackageError, match="the probabilities differ by"):
            package.try_out(url, other, images)
    assert contents(serve.BENTO) == kept, "serving changed the Bento's files"


@pytest.mark.slow
def test_a_bento_that_promises_no_prediction_sets_names_none(project):
    toy_model.write(package.MODEL, toy_model.NO_SETS)
    package.main([])
    with serve.running(serve.BENTO) as url, httpx.Client(base_url=url) as client:
        assert client.get("/model").json()["conformal_threshold"] is None
        pixels = np.load(package.IMAGES)[:3].tolist()
        answers = client.post("/predict_pixels", json={"batch": pixels}).json()["predictions"]
        assert [one["prediction_set"] for one in answers] == [None] * 3


@pytest.mark.slow
def test_a_wrong_answer_fails_the_stage_and_leaves_the_bento_of_before(project):
    serve.BENTO.mkdir(parents=True)
    (serve.BENTO / "bento.yaml").write_text("of the last run")
    quick = Path("serving/schema.py")
    right = "        predictions.digit,"
    assert right in quick.read_text()
    quick.write_text(quick.read_text().replace(right, "        9 - predictions.digit,"))
    with pytest.raises(
        SystemExit, match=r"/predict_pixels answers .*'digit': 9.* for test image 0, expected .*'digit': 0"
    ):
        package.main([])
    assert contents(serve.BENTO) == {"bento.yaml": b"of the last run"}
    assert not package.ARCHIVE.exists()
    assert not list(serve.STATE.iterdir())


def test_a_service_that_does_not_start_is_reported_with_what_it_wrote(project):
    (project / "bento.yaml").write_text("service: nothing:here\nname: x\nversion: y\n")
    with pytest.raises(serve.ServeError, match=r"stopped with status 1; it wrote:\n.+"), serve.running(project):
        pass


def test_code_that_bentoml_cannot_build_is_reported(project):
    Path("serving/service.py").write_text("raise RuntimeError('ink spilt')")
    with pytest.raises(SystemExit, match="ink spilt"):
        package.main([])


@pytest.mark.parametrize(
    "path", [package.MODEL, package.IMAGES, package.LABELS, package.CHAMPION / "verdicts.json", package.LOCK]
)
def test_a_missing_input_is_named(project, path):
    path.unlink()
    with pytest.raises(SystemExit, match=str(path)):
        package.main([])


def test_serving_without_a_champion_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match="make run DATA=mnist"):
        serve.main([])


def test_serving_says_where_it_cannot_listen():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(serve.ServeError, match=rf"127\.0\.0\.1:{port}.*PORT"):
            serve.check("127.0.0.1", port)
    assert serve.check("localhost", port) in ("127.0.0.1", "::1")


def test_listening_for_other_machines_needs_keys(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(serve.ServeError, match="INKWELL_API_KEYS"):
        serve.check("0.0.0.0", port)
    monkeypatch.setenv("INKWELL_API_KEYS", "correct-horse-battery")
    assert serve.check("0.0.0.0", port) == "0.0.0.0"


@pytest.mark.parametrize("port", ["0", "70000", "http", "-1"])
def test_a_wrong_port_is_named(monkeypatch, port):
    monkeypatch.setenv("PORT", port)
    with pytest.raises(SystemExit, match=rf"{port}.*1\.\.65535"):
        serve.main([])


def test_where_the_project_cannot_be_written_to_the_server_s_state_lies_among_the_user_s_caches(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    assert serve.state() == serve.STATE
    serve.STATE.rmdir()
    serve.STATE.touch()  # the superuser too can make nothing in a file
    shutil.copytree(ROOT / "release", "release")
    assert serve.state() == tmp_path / "caches/inkwell"
    assert serve.find("mnist").is_relative_to(tmp_path / "caches/inkwell")
    monkeypatch.setenv("XDG_CACHE_HOME", str(serve.STATE))
    with pytest.raises(SystemExit, match=r"^serve: neither .*\.bentoml nor .* can be written to.*XDG_CACHE_HOME\.$"):
        serve.main([])
