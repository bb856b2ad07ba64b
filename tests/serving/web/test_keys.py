import base64
import hashlib

import pytest

from serving.web.keys import Keys, KeysError

KEY, OTHER = "first-key-0123456789", "second-key-0123456789"
NOBODY: dict[str, str] = {}


def keys(*entries):
    return Keys.from_environment({"INKWELL_API_KEYS": ", ".join(entries)})


def basic(password, name="me"):
    return b"Basic " + base64.b64encode(f"{name}:{password}".encode())


@pytest.mark.parametrize("key", [KEY, OTHER])
def test_any_of_the_keys_opens_as_a_token_and_as_a_password(key):
    both = keys(KEY, "sha256:" + hashlib.sha256(OTHER.encode()).hexdigest())
    assert both.admit(b"Bearer " + key.encode(), "127.0.0.1")
    assert both.admit(b"bearer  " + key.encode(), "192.0.2.1")
    assert both.admit(basic(key), "192.0.2.1")


@pytest.mark.parametrize(
    "authorization",
    [
        *(b"", b"Bearer", b"Bearer ", b"Bearer wrong", KEY.encode(), b"Basic " + KEY.encode(), b"Basic \xff"),
        *(basic("wrong"), basic(""), basic("me", KEY)),
        b"Bearer sha256:" + hashlib.sha256(KEY.encode()).hexdigest().encode(),
    ],
)
def test_nothing_else_opens(authorization):
    assert not keys(KEY).admit(authorization, "127.0.0.1")


def test_without_keys_only_this_machine_may_ask():
    none = Keys.from_environment(NOBODY)
    for address in ("127.0.0.1", "127.8.8.8", "::1", None):
        assert none.admit(b"", address)
    for address in ("192.0.2.1", "0.0.0.0", "::", "fe80::1%eth0"):
        assert not none.admit(b"", address)
    assert Keys.from_environment({"INKWELL_OPEN": "true"}).admit(b"", "192.0.2.1")


def test_being_reachable_without_keys_is_refused_with_what_to_do():
    with pytest.raises(KeysError, match=r"192\.0\.2\.1.*INKWELL_API_KEYS.*INKWELL_OPEN"):
        Keys.from_environment(NOBODY).check_exposure("192.0.2.1")
    for exposed in (keys(KEY), Keys.from_environment({"INKWELL_OPEN": "true"})):
        exposed.check_exposure("0.0.0.0")
    Keys.from_environment(NOBODY).check_exposure("localhost")


@pytest.mark.parametrize(
    ("environ", "says"),
    [
        ({"INKWELL_API_KEYS": f"{KEY},short"}, "key 2 has 5 characters"),
        ({"INKWELL_API_KEYS": "sha256:abc"}, "entry 1 is no sha256"),
        ({"INKWELL_OPEN": "yes"}, "'yes'; expected true or false"),
    ],
)
def test_what_is_no_key_is_named_but_not_told(environ, says):
    with pytest.raises(KeysError, match=says) as caught:
        Keys.from_environment(environ)
    assert "short" not in str(caught.value)
