"""When the service refuses to start, and who may ask once it has started."""

import os
import shutil
import subprocess

import httpx
import pytest

from pipeline import serve
from tests import toy_model
from tests.service.server import serving, start, wait_until

KEY = "correct-horse-battery"


def truncate(model):
    model.write_bytes(model.read_bytes()[:-100])


def exchange(model):
    toy_model.write(model, gain=0.3)


def remove(model):
    model.unlink()


def forget_the_hash(model):
    model.with_suffix(".sha256").unlink()


def refusal(server):
    """What a service that does not start wrote."""
    wait_until(lambda: server.process.poll() is not None)
    assert server.process.returncode != 0
    return server.log.read_text()


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (truncate, "is not the model that was packaged"),
        (exchange, "is not the model that was packaged"),
        (remove, "cannot read the model"),
        (forget_the_hash, "cannot read the model"),
    ],
)
def test_a_model_that_is_not_the_packaged_one_is_not_served(bento, tmp_path, damage, says):
    damaged = shutil.copytree(bento, tmp_path / "bento")
    damage(damaged / "src" / "model.onnx")
    with start(damaged, tmp_path / "home") as server:
        text = refusal(server)
    assert says in text
    assert "model.onnx" in text
    assert "Traceback" not in text


def test_it_does_not_listen_to_everybody_unless_told_so(bento, tmp_path):
    with start(bento, tmp_path / "home", host="0.0.0.0") as server:
        text = refusal(server)
    assert "INKWELL_API_KEYS" in text
    assert "INKWELL_OPEN=true" in text
    assert "Traceback" not in text


def test_with_keys_all_but_the_probes_is_closed(bento, tmp_path):
    with (
        serving(bento, tmp_path / "home", host="0.0.0.0", INKWELL_API_KEYS=KEY) as server,
        httpx.Client(base_url=server.url) as client,
    ):
        for path in ("/livez", "/readyz", "/healthz"):
            assert client.get(path).status_code == 200
        for path in ("/", "/model", "/metrics", "/docs.json", "/nope", "/predict"):
            refused = client.get(path)
            assert refused.status_code == 401, path
            assert refused.headers["www-authenticate"].startswith("Basic")
            assert refused.json()["error"]["code"] == "unauthorized"
        assert client.get("/model", headers={"Authorization": f"Bearer {KEY}"}).status_code == 200
        assert client.get("/", auth=("anybody", KEY)).status_code == 200
        assert client.get("/", auth=("anybody", "wrong")).status_code == 401
        assert KEY not in server.log.read_text()


def test_stopping_leaves_nothing_behind_that_was_just_being_started():
    started = ["sh", "-c", 'trap "sleep 60 & exit" TERM; echo ready; while :; do sleep 0.05; done']
    process = subprocess.Popen(started, stdout=subprocess.PIPE, start_new_session=True)
    assert process.stdout
    process.stdout.readline()
    serve.stop(process)

    def nobody_is_left():
        try:
            os.killpg(process.pid, 0)
        except ProcessLookupError:
            return True
        return False

    wait_until(nobody_is_left, seconds=5)
