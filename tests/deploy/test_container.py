"""The service's container: it is built, and it runs as on a cluster that allows it little."""

import http.client
import os
import re
import shutil
import signal
import time
from pathlib import Path

import httpx
import psutil
import pytest

from pipeline import image, serve
from tests.deploy import containers
from tests.service.server import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]  # for loaded cores: 88 s of a processor
KEY = "correct-horse-battery"
BEARER = {"Authorization": f"Bearer {KEY}"}
SEVEN = Path("serving/page/samples/seven.png").read_bytes()
MOST_MB = 420
"""What the environment and the Bento may have."""


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The image of the released champion, built by `make image`'s own command."""
    mirror = containers.mirror()
    folder = tmp_path_factory.mktemp("containers")
    (folder / "storage.conf").write_text(f'[storage]\ngraphroot = "{folder}/graph"\nrunroot = "{folder}/run"\n')
    (folder / "pip.conf").write_text("[global]\nno-index = true\nfind-links = /wheels\n")
    wheels = folder / "wheels"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CONTAINERS_STORAGE_CONF", f"{folder}/storage.conf")
        patch.setenv("BUILDAH_ISOLATION", "chroot")
        patch.setenv("ENGINE", "buildah")
        try:
            with containers.wheels(Path("requirements-serve.lock"), wheels) as download:
                containers.make_base(mirror)
            assert download.returncode == 0
            secret = f"--secret=id=pip.conf,src={folder}/pip.conf"
            image.main(["mnist", "--", "--quiet", "--pull-never", f"--volume={wheels}:/wheels:ro", secret])
            with containers.unpacked("localhost/inkwell:latest") as unpacked:
                yield unpacked
        finally:
            for ending in ("umount --all", "rm --all", "rmi --all --force"):
                containers.buildah(*ending.split())
            assert str(folder) not in Path("/proc/mounts").read_text()
            shutil.rmtree(folder)


@pytest.fixture(scope="module")
def container(built, tmp_path_factory):
    """A container, running: the process that its engine would wait for, its log and a client."""
    port = serve.free_port("127.0.0.1")
    log = tmp_path_factory.mktemp("container") / "log"
    with (
        log.open("wb") as written,
        built.running(stdout=written, stderr=written, BENTOML_PORT=str(port), INKWELL_API_KEYS=KEY) as process,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=BEARER, timeout=30, trust_env=False) as client,
    ):
        wait_until(lambda: is_ready(client) or process.poll() is not None)
        assert process.poll() is None, log.read_text()
        yield process, log, client


def is_ready(client):
    try:
        return client.get("/readyz").status_code == 200
    except httpx.TransportError:
        return False


def test_the_image_says_how_it_is_run(built):
    config = built.config
    assert config["User"] == "10001:10001"
    assert list(config["ExposedPorts"]) == ["3000/tcp"]
    assert {"BENTOML_HOST=0.0.0.0", "BENTOML_PORT=3000"} <= set(config["Env"])
    assert config["Healthcheck"]["Test"][0] == "CMD"
    labels = {name.rpartition(".")[2]: value for name, value in config["Labels"].items()}
    assert labels["version"] == image.version(serve.find("mnist"))
    assert re.fullmatch("[0-9a-f]{40}", labels["revision"])
    assert labels["licenses"] == "Apache-2.0"


def test_the_image_has_what_the_service_needs_and_no_more(built):
    bin_folders = [built.root / folder for folder in ("usr/bin", "usr/local/bin", "opt/venv/bin")]
    commands = {path.name for folder in bin_folders for path in folder.iterdir()}
    assert not {name for name in commands if re.fullmatch(r"(pip|uv|gcc|g\+\+|cc|c\+\+|clang|make|ld)[\d.-]*", name)}
    imports = (
        "import importlib.util as i; print([name for name in ('torch', 'pip', 'mlflow', 'dvc') if i.find_spec(name)])"
    )
    assert built.run("python", "-c", imports).stdout == "[]\n"
    packages = built.run("python", "-c", "import importlib.metadata as m; print(len(list(m.distributions())))")
    assert 0 < int(packages.stdout) <= Path("requirements-serve.lock").read_text().count("==")
    size = sum(path.lstat().st_size for top in ("opt/venv", "opt/bento") for path in (built.root / top).rglob("*"))
    print(f"{size / 1e6:.0f} MB over the base's")
    assert size / 1e6 < MOST_MB


def test_without_keys_it_refuses_in_the_services_own_words(built):
    refused = built.run(BENTOML_PORT=str(serve.free_port("127.0.0.1")))
    assert refused.returncode != 0
    assert "Set INKWELL_API_KEYS to one or more keys of at least 16 characters" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_it_answers(container):
    _, _, client = container
    assert client.get("/").headers["content-type"].startswith("text/html")
    assert client.post("/predict", files={"image": SEVEN}).json()["digit"] == 7
    assert client.get("/", headers={"Authorization": ""}).status_code == 401


def test_it_is_not_root_and_its_root_is_read_only(container):
    process, _, _ = container
    for one in process.children(recursive=True):
        status = Path(f"/proc/{one.pid}/status").read_text()
        assert re.findall(r"^[UG]id:\s(.*)", status, re.MULTILINE) == ["\t".join(["10001"] * 4)] * 2
        assert re.search(r"^CapEff:\t0+$", status, re.MULTILINE)
        mounts = [line.split() for line in Path(f"/proc/{one.pid}/mounts").read_text().splitlines()]
        [options] = [mount[3].split(",") for mount in mounts if mount[1] == "/"]
        assert "ro" in options


def test_it_keeps_no_id_to_report_to_anybody(container):
    process, _, _ = container
    [first] = process.children()
    written = Path(f"/proc/{first.pid}/root/tmp")
    assert (written / "inkwell/prometheus_multiproc_dir").is_dir()
    assert not [path for path in (".ses", "inkwell/.cache") if (written / path).exists()]  # ONNX Runtime's


def test_its_health_check_tells_whether_it_answers(built, container):
    _, _, client = container
    check = built.config["Healthcheck"]["Test"][1:]
    assert built.run(*check, BENTOML_PORT=str(client.base_url.port)).returncode == 0
    assert built.run(*check, BENTOML_PORT=str(serve.free_port("127.0.0.1"))).returncode == 1


def test_sigterm_lets_a_request_that_was_begun_be_answered(container):
    process, log, client = container
    [first] = process.children()
    started = first.children(recursive=True)
    connection = http.client.HTTPConnection("127.0.0.1", client.base_url.port, timeout=30)
    connection.putrequest("POST", "/predict")
    for name, value in {**BEARER, "Content-Type": "image/png", "Content-Length": str(len(SEVEN))}.items():
        connection.putheader(name, value)
    connection.endheaders(SEVEN[:100])
    time.sleep(0.5)  # for it to arrive
    os.kill(first.pid, signal.SIGTERM)
    time.sleep(0.5)
    connection.send(SEVEN[100:])
    response = connection.getresponse()
    assert response.status == 200, response.read()
    assert b'"digit":7' in response.read()
    assert process.wait(30) == 0, log.read_text()
    assert not any(one.is_running() for one in started)
    assert not any(psutil.pid_exists(one.pid) for one in started)
