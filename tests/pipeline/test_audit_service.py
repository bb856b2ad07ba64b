"""The audit of a running service: whom it asks and with which key, when it cannot, and how it ends."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from pipeline import audit_service, paths, serve
from pipeline.audit_service import ServiceError
from pipeline.audits.gates import Verdict
from pipeline.audits.inputs.picture_set import PictureSet
from pipeline.audits.results import TestSet
from pipeline.judge import Judged
from serving.model.recogniser import Predictions, Recogniser
from tests import toy_model
from tests.pipeline.report import made_up
from tests.pipeline.workspace import prepare

QUIET = Console(quiet=True)
MODEL = {"name": "convnet", "version": "0123456789ab", "source": "mnist-sample", "sha256": "0" * 64}
MODEL_OF_ANOTHER = {"name": "a-language-model", "version": "4", "owner": "somebody"}


def service(answer: Callable[[httpx.Request], httpx.Response]) -> httpx.Client:
    return httpx.Client(transport=httpx.MockTransport(answer), base_url="http://service")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with params.yaml alone, in which the test runs; no key in the environment."""
    prepare(tmp_path, "mnist-sample")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("INKWELL_API_KEY", raising=False)
    return tmp_path


@pytest.mark.parametrize("key", ["", "correct-horse-battery"])
def test_a_running_service_is_asked_at_its_url_with_the_key(folder, monkeypatch, key):
    monkeypatch.setenv("INKWELL_API_KEY", key)
    monkeypatch.setattr(serve, "running", lambda _: pytest.fail("one runs already"))
    with audit_service.at("http://elsewhere:3000/") as client:
        assert str(client.build_request("GET", "/model").url) == "http://elsewhere:3000/model"
        assert client.headers.get("Authorization") == (f"Bearer {key}" if key else None)
        assert client.trust_env, "it may stand behind a proxy"
    assert client.is_closed


@pytest.mark.slow
def test_a_connection_that_has_rested_is_used_again(folder):
    """And not closed by whichever thread finds it so, while another is about to use it."""
    callers: list[tuple[str, int]] = []

    class Counting(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            callers.append(self.client_address)
            self.send_response(204)
            self.end_headers()

    with ThreadingHTTPServer(("127.0.0.1", 0), Counting) as server:
        threading.Thread(target=server.serve_forever).start()
        with audit_service.at(f"http://127.0.0.1:{server.server_port}") as client:
            client.get("/")
            time.sleep(5.5)  # httpx has a connection expire after 5 seconds
            client.get("/")
        server.shutdown()
    assert callers[0] == callers[1]


def test_without_a_url_the_champion_of_the_params_is_served_as_long_as_it_lasts(folder, monkeypatch):
    served: list[Path] = []

    @contextmanager
    def running(bento: Path) -> Iterator[str]:
        served.append(bento)
        yield "http://127.0.0.1:4321"
        served.clear()

    monkeypatch.setattr(serve, "find", lambda source: Path("bento of", source))
    monkeypatch.setattr(serve, "running", running)
    with audit_service.at(None) as client:
        assert served == [Path("bento of/mnist-sample")]
        assert client.base_url == "http://127.0.0.1:4321"
        assert not client.trust_env, "no proxy stands before it"
    assert not served


def refuse_connection(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("Connection refused", request=request)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (lambda _: httpx.Response(401), "http://service asks for a key: .* INKWELL_API_KEY"),
        (lambda _: httpx.Response(404), "no digit recogniser answers at http://service: .*404"),
        (lambda _: httpx.Response(200, text="<!doctype html>"), "no digit recogniser answers at http://service"),
        (lambda _: httpx.Response(200, json=7), "no digit recogniser answers .* lacks name, sha256, source, version"),
        (lambda _: httpx.Response(200, json=MODEL_OF_ANOTHER), "no digit recogniser answers .* lacks sha256, source$"),
        (refuse_connection, "no digit recogniser answers at http://service: Connection refused"),
    ],
    ids=["no key", "another service", "a page", "a number", "another model", "nobody"],
)
def test_who_is_no_recogniser_or_wants_a_key_is_not_audited(answer, why):
    with pytest.raises(ServiceError, match=why):
        audit_service.model_of(service(answer))


def test_what_it_says_of_its_model_is_taken(folder):
    client = service(lambda request: httpx.Response(200 if request.url.path == "/model" else 404, json=MODEL))
    assert audit_service.model_of(client) == MODEL


def test_a_service_is_asked_only_about_the_source_that_it_learnt_from(folder, monkeypatch):
    monkeypatch.setattr(audit_service, "ask", lambda *_: "asked")
    client = service(lambda _: httpx.Response(200, json=MODEL))
    with pytest.raises(ServiceError, match=r"images of mnist-sample are not here: `dvc repro preprocess`"):
        audit_service.audit(client, QUIET)
    paths.SAMPLES.parent.mkdir(parents=True)
    paths.SAMPLES.touch()
    assert audit_service.audit(client, QUIET) == "asked"
    prepare(folder, "mnist")
    why = r"params.yaml is about mnist, but http://service learnt from mnist-sample: `make run DATA=mnist-sample` first"
    with pytest.raises(ServiceError, match=why):
        audit_service.audit(client, QUIET)


class Labels:
    """Asked about an image, it answers with the number in its first pixel."""

    def ask(self, pictures: np.ndarray, one: PictureSet) -> Predictions:
        digit = pictures[:, 0, 0].astype(np.int64)
        none = np.full(len(digit), None, object)
        certain, far = np.eye(10, dtype=np.float32)[digit], np.zeros(len(digit), np.float32)
        return Predictions(digit, certain.max(axis=1), certain, far, None, digit < 0, none)


@pytest.fixture
def processed(folder: Path) -> pd.DataFrame:
    """Ninety test images whose first pixel is their label, and the table of samples, in another order."""
    rng = np.random.default_rng()
    labels = rng.integers(0, 10, 90).astype(np.uint8)
    images = np.zeros((90, 28, 28), np.uint8)
    images[:, 0, 0], images[:, 0, 1] = labels, np.arange(90)
    test = folder / paths.PROCESSED / "test"
    test.mkdir(parents=True)
    np.save(test / "images.npy", images)
    np.save(test / "labels.npy", labels)
    own = pd.DataFrame({"split": "test", "row": range(90), "label": labels}).sample(frac=1, random_state=rng)
    return pd.concat([pd.DataFrame({"split": "val", "row": range(9), "label": 99}), own])


def sampled(table: pd.DataFrame, seed: int) -> TestSet:
    return audit_service.sampled(Labels(), table, seed)  # type: ignore[arg-type]


def test_a_sample_is_the_same_each_time_and_each_row_is_its_images(processed, monkeypatch):
    monkeypatch.setattr(audit_service, "SAMPLE", 25)
    one, again, other = (sampled(processed, seed) for seed in (3, 3, 4))
    rows = one.images[:, 0, 1]
    assert len(rows) == len(set(rows)) == 25
    assert sorted(rows) == rows.tolist()
    assert one.samples["row"].tolist() == rows.tolist()
    assert one.samples["label"].tolist() == one.labels.tolist() == one.predictions.digit.tolist()
    np.testing.assert_array_equal(one.images, again.images)
    assert not np.array_equal(one.images, other.images)


def test_of_a_small_test_set_all_are_asked_about(processed):
    assert sampled(processed, 0).samples["row"].tolist() == list(range(90))


def test_it_is_attacked_only_where_the_very_model_that_is_served_is_at_hand(folder, monkeypatch):
    attacked: list[tuple[Any, ...]] = []

    def with_gradients(*given: Any) -> list[str]:
        attacked.append(given)
        return ["an attack"]

    monkeypatch.setattr(audit_service, "with_gradients", with_gradients)
    test: Any = SimpleNamespace()
    assert audit_service.attacks(test, MODEL) == []
    file = toy_model.write(folder / "models/candidates/convnet/model.onnx")
    assert audit_service.attacks(test, MODEL) == [], "it is another one"
    assert not attacked
    own = Recogniser(file).sha256
    assert audit_service.attacks(test, MODEL | {"sha256": own}) == ["an attack"]
    [(of, trained, recogniser, count)] = attacked
    assert of is test
    assert trained == Path("models/trained/convnet")
    assert recogniser.sha256 == own
    assert 0 < count < audit_service.SAMPLE


def audited(monkeypatch: pytest.MonkeyPatch, *verdicts: Verdict) -> None:
    """Let the audit come to these verdicts."""
    found = SimpleNamespace(network="convnet", source="mnist-sample", version="0123456789ab", labels=np.zeros(50))
    judged = Judged(list(verdicts), {one.gate.section: made_up.section(one.gate.section) for one in verdicts})
    monkeypatch.setattr(audit_service, "audit", lambda *_: (found, judged))
    monkeypatch.setenv("COLUMNS", "300")


def test_one_that_passes_leaves_a_report_in_the_place_of_the_last(folder, monkeypatch, capsys):
    old = audit_service.REPORT / "tables/old.csv"
    old.parent.mkdir(parents=True)
    old.touch()
    (audit_service.REPORT / "old.html").touch()
    audited(monkeypatch, made_up.PASSED, made_up.CLOSE, made_up.UNMEASURED)
    audit_service.main(["http://service"])
    assert not old.exists()
    assert {path.name for path in audit_service.REPORT.iterdir()} == {"index.html", "tables"}
    page = (audit_service.REPORT / "index.html").read_text()
    assert made_up.SENTENCES["digit_recall"] in page
    told = capsys.readouterr().out
    assert "0 of 3 gates failed" in told
    assert "reports/service/index.html" in told


def test_one_that_fails_a_gate_is_refused_and_the_gate_is_named(folder, monkeypatch, capsys):
    audited(monkeypatch, made_up.PASSED, made_up.FAILED)
    with pytest.raises(SystemExit) as end:
        audit_service.main(["http://service"])
    assert end.value.code == 1
    told = capsys.readouterr().out
    assert "1 of 2 gates failed" in told
    assert any(line.startswith("- ") and "(population_gap)" in line for line in told.splitlines())
    assert (audit_service.REPORT / "index.html").exists()


def test_one_that_cannot_be_audited_leaves_the_last_report_alone(folder, monkeypatch):
    old = audit_service.REPORT / "index.html"
    old.parent.mkdir(parents=True)
    old.touch()
    monkeypatch.setattr(serve, "find", lambda source: Path("bento"))
    with pytest.raises(SystemExit, match=r"^audit: no digit recogniser answers at http://127\.0\.0\.1:9"):
        audit_service.main(["http://127.0.0.1:9"])
    assert old.exists()
    Path("params.yaml").write_text("data: {}")
    with pytest.raises(SystemExit, match=r"^audit: params\.yaml"):
        audit_service.main([])
