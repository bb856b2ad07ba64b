"""Where a library is entered by a private name or an undocumented behaviour: each as serving/README.md has it.

What fails here after an upgrade says what to look at anew.
"""

import asyncio
import importlib.metadata
import inspect
import io
import re
import signal
from pathlib import Path

import bentoml
import prometheus_client
import pytest
import uvicorn
from bentoml._internal.utils import circus
from bentoml_cli.serve import build_serve_command
from PIL import Image, PngImagePlugin
from PIL.JpegImagePlugin import JpegImageFile
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from uvicorn.protocols.http import flow_control, httptools_impl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from serving import startup
from serving.service import GuardedService, Inkwell
from serving.web import connection
from serving.web.connection import Connection

README = Path("serving/README.md").read_text()


@pytest.mark.parametrize(("name", "version"), re.findall(r"\*\*(\w+) ([\d.]+)\*\*", README))
def test_the_readme_names_the_version_that_is_here(name, version):
    assert importlib.metadata.version(name) == version, (
        f"read serving/README.md on {name}, try it, and note the version"
    )


def test_bentoml_makes_its_arbiter_of_the_class_that_is_replaced(monkeypatch):
    monkeypatch.setattr(circus, "Arbiter", circus.Arbiter)
    assert circus.create_standalone_arbiter([]).check_delay > startup.CHECK_DELAY_S
    startup.watch_closely()
    assert circus.create_standalone_arbiter([]).check_delay == startup.CHECK_DELAY_S


def test_bentoml_asks_the_services_class_for_its_application():
    assert isinstance(Inkwell, GuardedService)
    assert list(inspect.signature(bentoml.Service.to_asgi).parameters) == ["self", "is_main"]


def test_bentomls_serve_command_calls_its_host_host():
    command = build_serve_command().commands["serve"]
    assert "host" in {parameter.name for parameter in command.params}


def test_uvicorn_looks_its_protocol_up_by_auto(monkeypatch):
    monkeypatch.setitem(uvicorn.config.HTTP_PROTOCOLS, "auto", uvicorn.config.HTTP_PROTOCOLS["auto"])
    monkeypatch.setattr(Connection, "shed", None, raising=False)
    connection.install(lambda data: None)
    config = uvicorn.Config(Starlette(), http="auto")
    config.load()
    assert config.http_protocol_class is Connection


CALLED_BY_UVICORN = (
    *("connection_made", "data_received", "on_message_begin", "on_headers_complete", "on_message_complete"),
    *("eof_received", "pause_writing", "resume_writing", "on_response_complete", "timeout_keep_alive_handler"),
    "connection_lost",
)


@pytest.mark.parametrize("name", CALLED_BY_UVICORN)
def test_uvicorns_protocol_has_what_is_overridden(name):
    assert callable(getattr(HttpToolsProtocol, name))
    assert name in vars(Connection)


def test_uvicorns_protocol_has_nothing_overridden_that_is_not_watched_here():
    assert vars(Connection).keys() & vars(HttpToolsProtocol).keys() - {"__init__", "__module__", "__doc__"} <= {
        *CALLED_BY_UVICORN
    }


@pytest.mark.parametrize(
    "name",
    [
        *("connections", "cycle", "flow", "headers", "loop", "parser", "transport"),
        *("timeout_keep_alive", "timeout_keep_alive_task", "_unset_keepalive_if_required"),
    ],
)
def test_uvicorns_protocol_keeps_the_state_that_is_read(name):
    with asyncio.Runner() as runner:
        protocol = HttpToolsProtocol(uvicorn.Config(Starlette()), uvicorn.server.ServerState(), {}, runner.get_loop())
        assert hasattr(protocol, name)


def test_uvicorns_cycle_and_flow_say_what_is_asked_of_them():
    assert "self.response_complete = " in inspect.getsource(httptools_impl.RequestResponseCycle)
    assert "self.write_paused = " in inspect.getsource(flow_control.FlowControl)


def test_uvicorn_has_a_status_line_for_each_status():
    assert httptools_impl.STATUS_LINE[503] == b"HTTP/1.1 503 Service Unavailable\r\n"


def test_uvicorn_stops_on_the_signal_that_is_held_back():
    assert signal.SIGTERM in uvicorn.server.HANDLED_SIGNALS


def test_a_histogram_of_prometheus_has_buckets_and_a_sum_that_can_be_added_to():
    registry = prometheus_client.CollectorRegistry()
    histogram = prometheus_client.Histogram("seconds", "Seconds", buckets=(1, 2), registry=registry)
    histogram._buckets[1].inc(3)
    histogram._sum.inc(4.5)
    assert registry.get_sample_value("seconds_bucket", {"le": "1.0"}) == 0
    assert registry.get_sample_value("seconds_bucket", {"le": "2.0"}) == 3
    assert registry.get_sample_value("seconds_count") == 3
    assert registry.get_sample_value("seconds_sum") == 4.5


def test_a_route_of_starlette_holds_its_endpoint_as_an_application():
    sent = []

    async def endpoint(request):
        return PlainTextResponse(request.app.state.word)

    async def receive():
        raise AssertionError

    async def send(message):
        sent.append(message)

    async def ask():
        await route.app({"type": "http", "method": "GET", "path": "/", "headers": [], "app": app}, receive, send)

    route = Route("/", endpoint)
    app = Starlette(routes=[route])
    app.state.word = "seven"
    asyncio.run(ask())
    assert sent[1]["body"] == b"seven"


@pytest.mark.parametrize(("subsampling", "sampled"), [("4:4:4", (1, 1)), ("4:2:0", (2, 2))])
def test_pillow_tells_how_finely_a_jpegs_colours_are_sampled(subsampling, sampled):
    buffer = io.BytesIO()
    Image.new("RGB", (32, 32)).save(buffer, "JPEG", subsampling=subsampling)
    image = Image.open(buffer)
    assert isinstance(image, JpegImageFile)
    assert [layer[1:3] for layer in image.layer] == [sampled, (1, 1), (1, 1)]


def test_pillow_keeps_no_more_of_a_pngs_texts_than_it_is_told(monkeypatch):
    info = PngImagePlugin.PngInfo()
    info.add_text("a", "b" * 2000)
    buffer = io.BytesIO()
    Image.new("L", (1, 1)).save(buffer, "PNG", pnginfo=info)
    monkeypatch.setattr(PngImagePlugin, "MAX_TEXT_MEMORY", 1000)
    with pytest.raises(ValueError, match="MAX_TEXT_MEMORY"):
        Image.open(buffer).load()
