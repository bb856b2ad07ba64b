"""Which pages elsewhere may ask: none, unless the environment lists their origins."""

import asyncio
import json

import pytest

from serving import errors
from serving.web.cors import Origins, OriginsError
from serving.web.keys import Keys
from tests.serving.web.test_guard import BODY, answering, around_app, crash

OURS, OTHERS = b"https://ours.example", b"https://others.example"
PREFIX = b"access-control-"


def origins(text):
    return Origins.from_environment(environ={"INKWELL_CORS_ORIGINS": text})


def ask(app, allowed, origin=OURS, method="POST", path="/", keys=None, headers=()):
    """The status, the headers of CORS and the body of an answer."""
    sent = []

    async def send(message):
        sent.append(message)

    async def receive():
        return BODY

    asked = [*headers, *([(b"origin", origin)] if origin else [])]
    scope = {"type": "http", "method": method, "path": path, "headers": asked}
    asyncio.run(around_app(app, keys, origins=allowed)(scope, receive, send))
    told = [(name, value) for name, value in sent[0]["headers"] if name.startswith(PREFIX) or name == b"vary"]
    assert len(dict(told)) == len(told)
    return sent[0]["status"], dict(told), b"".join(message.get("body", b"") for message in sent[1:])


def preflight(allowed, origin=OURS, **options):
    wanted = [(b"access-control-request-method", b"POST"), (b"access-control-request-headers", b"content-type")]
    return ask(answering(200), allowed, origin, method="OPTIONS", headers=wanted, **options)


@pytest.mark.parametrize("allowed", [None, Origins(), origins("")])
def test_it_is_off_unless_it_is_asked_for(allowed):
    assert ask(answering(200), allowed)[:2] == (200, {})
    assert preflight(allowed)[1] == {}


def test_a_page_that_is_listed_may_ask_and_may_read():
    for text in ("https://ours.example", "http://a:1, HTTPS://Ours.Example"):
        status, told, body = ask(answering(200, b"seven"), origins(text))
        assert (status, body) == (200, b"seven")
        assert told[b"access-control-allow-origin"] == OURS
        assert b"Retry-After" in told[b"access-control-expose-headers"]
        assert told[b"vary"] == b"Origin"


@pytest.mark.parametrize("origin", [OTHERS, OURS + b":8000", b"http://ours.example", b"null", OURS + b".evil.example"])
def test_another_page_may_not(origin):
    for got in (
        ask(answering(200), origins("https://ours.example"), origin),
        preflight(origins("https://ours.example"), origin),
    ):
        assert got[1] == {b"vary": b"Origin"}


def test_who_is_no_page_is_answered_as_ever():
    assert ask(answering(200), origins("https://ours.example"), origin=None)[:2] == (200, {b"vary": b"Origin"})


def test_any_page_may_where_a_star_is_listed():
    for origin in (OURS, OTHERS, b"null"):
        told = ask(answering(200), origins("*"), origin)[1]
        assert told[b"access-control-allow-origin"] == b"*"
        assert b"vary" not in told


def test_a_browser_may_ask_beforehand_without_a_key():
    keys = Keys.from_environment({"INKWELL_API_KEYS": "a-key-of-some-length"})
    status, told, body = preflight(origins("https://ours.example"), keys=keys, path="/predict")
    assert (status, body) == (204, b"")
    assert told[b"access-control-allow-origin"] == OURS
    assert b"POST" in told[b"access-control-allow-methods"]
    assert told[b"access-control-allow-headers"] == b"Authorization, Content-Type"


def test_cookies_are_never_asked_for():
    for got in (ask(answering(200), origins("*")), preflight(origins("https://ours.example"))):
        assert b"access-control-allow-credentials" not in got[1]


async def refuse(scope, receive, send):
    raise errors.EMPTY_IMAGE()


@pytest.mark.parametrize(
    ("app", "path", "keys", "status"),
    [
        (refuse, "/", "", 400),
        (answering(404), "/", "", 404),
        (answering(200), "/nope", "", 404),
        (crash, "/", "", 500),
        (answering(200), "/", "a-key-of-some-length", 401),
    ],
)
def test_a_page_may_read_what_went_wrong(app, path, keys, status):
    keys = Keys.from_environment({"INKWELL_API_KEYS": keys})
    got, told, body = ask(app, origins("https://ours.example"), path=path, keys=keys)
    assert got == status
    assert told[b"access-control-allow-origin"] == OURS
    assert json.loads(body)["error"]["message"]


@pytest.mark.parametrize(
    "text", ["ours.example", "https://ours.example/", "https://ours.example/page", "null", "ftp://a", "https://a,b"]
)
def test_what_is_no_origin_is_named(text):
    with pytest.raises(OriginsError, match="is no origin; expected a scheme"):
        origins(text)


def test_bentomls_own_list_counts_where_ours_is_not_set():
    assert Origins.from_environment(["https://a"], {}).listed == {b"https://a"}
    assert Origins.from_environment(["https://a"], {"INKWELL_CORS_ORIGINS": ""}).listed == frozenset()
