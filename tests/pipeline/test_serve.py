"""Where `make serve` says that it listens, and what it hands on to BentoML."""

import os
import socket
import subprocess

import httpx
import pytest

from pipeline import serve
from serving.app import NAME


@pytest.fixture
def served(tmp_path, monkeypatch):
    """What would be run in the place of `make serve`, given its environment: the command, and its environment."""
    monkeypatch.chdir(tmp_path)
    for name in ("HOST", "PORT", "WORKERS", "BENTOML_CONFIG_OPTIONS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("INKWELL_OPEN", "true")
    monkeypatch.setattr(serve, "find", lambda source: serve.BENTO)
    run = []
    monkeypatch.setattr(os, "execve", lambda path, command, environment: run.append((command, environment)))

    def started(**environ):
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        serve.main([])
        return run[-1]

    return started


HOSTS = [
    ("", "127.0.0.1", "http://127.0.0.1:{}"),
    ("localhost", None, "http://localhost:{}"),
    ("127.0.0.2", "127.0.0.2", "http://127.0.0.2:{}"),
    ("0.0.0.0", "0.0.0.0", "http://127.0.0.1:{} and on this machine's other addresses"),
]
IPV6 = [
    ("::1", "::1", "http://[::1]:{}"),
    ("[::1]", "::1", "http://[::1]:{}"),
    ("0:0:0:0:0:0:0:1", "::1", "http://[0:0:0:0:0:0:0:1]:{}"),
    ("::", "::", "http://[::1]:{} and on this machine's other addresses"),
]


def has_ipv6():
    try:
        serve.free_port("::1")
    except OSError:
        return False
    return True


@pytest.mark.parametrize(("host", "address", "printed"), HOSTS + IPV6 * has_ipv6())
def test_it_prints_a_url_to_click_and_listens_there(served, capsys, host, address, printed):
    port = serve.free_port("127.0.0.1")
    command, _ = served(HOST=host, PORT=str(port))
    assert f"on {printed.format(port)} (Ctrl-C" in capsys.readouterr().out
    assert command[command.index("--host") + 1] in ((address,) if address else ("127.0.0.1", "::1"))


@pytest.mark.parametrize(
    ("host", "url"),
    [("::1", "http://[::1]:80"), ("fe80::1%eth0", "http://[fe80::1%25eth0]:80"), ("a.example", "http://a.example:80")],
)
def test_urls(host, url):
    assert serve.url_of(host, 80) == url
    assert httpx.URL(url).port in (80, None)


@pytest.mark.parametrize("host", ["http://127.0.0.1", "127.0.0.1:80", "no.such.host.invalid"])
def test_what_is_no_host_is_refused_and_named(host):
    with pytest.raises(serve.ServeError, match=r"cannot listen on http.*HOST, a name or an address"):
        serve.check(host, 80)


@pytest.mark.parametrize("host", ["127.0.0.1"] + ["::1"] * has_ipv6())
def test_a_port_that_is_free_is_free_for_that_host(host):
    port = serve.free_port(host)
    assert serve.check(host, port) == host
    with (
        socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET),
        pytest.raises(serve.ServeError, match="cannot listen"),
    ):
        serve.check(host, port)


def test_the_number_of_workers_is_an_option_of_bentomls(served, monkeypatch):
    port = str(serve.free_port("127.0.0.1"))
    assert "BENTOML_CONFIG_OPTIONS" not in served(PORT=port)[1]
    name = f"services.{NAME}.workers"
    assert served(PORT=port, WORKERS="2")[1]["BENTOML_CONFIG_OPTIONS"] == f"{name}=2"
    monkeypatch.setenv("BENTOML_CONFIG_OPTIONS", "a.b=c")
    assert served(PORT=port, WORKERS="3")[1]["BENTOML_CONFIG_OPTIONS"] == f"a.b=c {name}=3"


@pytest.mark.parametrize("workers", ["0", "-1", "two", "1000"])
def test_a_number_of_workers_that_is_none_is_named(monkeypatch, workers):
    monkeypatch.setenv("WORKERS", workers)
    with pytest.raises(SystemExit, match=rf"WORKERS is '{workers}'; expected a number in 1\.\."):
        serve.main([])


def test_make_hands_on_what_stands_behind_its_target():
    probe = ["make", "-s", "--eval", "probe: ; @echo $$HOST $$PORT $$WORKERS", "probe"]
    told = subprocess.run([*probe, "HOST=::1", "PORT=80", "WORKERS=2"], capture_output=True, text=True, check=True)
    assert told.stdout.split() == ["::1", "80", "2"]
