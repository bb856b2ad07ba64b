"""Who may ask: API keys out of the environment.

INKWELL_API_KEYS="KEY,KEY"   each at least 16 characters, or sha256: and the 64 hexadecimal digits of a key's hash
INKWELL_OPEN=true            no key is asked for, whoever can reach the service
Without either, the service answers on loopback only.
"""

import base64
import binascii
import functools
import hashlib
import hmac
import ipaddress
import os
import re
from collections.abc import Mapping, Sequence
from typing import Self

from starlette.types import ASGIApp, Receive, Scope, Send

from serving import errors

MIN_LENGTH = 16
PROBES = ("/livez", "/readyz", "/healthz")


class KeysError(Exception):
    """The keys cannot be used, or there are none where there must be some."""


class Keys:
    """The hashes of the keys, and whether anybody may ask where there are none."""

    def __init__(self, digests: Sequence[bytes] = (), anybody: bool = False) -> None:
        self._digests = digests
        self._anybody = anybody

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """Raises KeysError for a key that is too short, or a hash that is none."""
        entries = [entry.strip() for entry in environ.get("INKWELL_API_KEYS", "").split(",")]
        digests = [_digest(entry, place) for place, entry in enumerate(entries, 1) if entry]
        wanted = environ.get("INKWELL_OPEN", "false")
        if wanted not in ("true", "false"):
            raise KeysError(f"INKWELL_OPEN is {wanted!r}; expected true or false")
        return cls(digests, wanted == "true")

    def check_exposure(self, host: str) -> None:
        """Raises KeysError if a service at the address `host` could be reached from elsewhere by anybody."""
        if not (self._digests or self._anybody or _is_loopback(host)):
            raise KeysError(
                f"{host} can be reached from other machines, and no key would be asked for. Set INKWELL_API_KEYS to"
                f" one or more keys of at least {MIN_LENGTH} characters, separated by commas; or INKWELL_OPEN=true if"
                " anybody may ask; or listen on 127.0.0.1"
            )

    def admit(self, authorization: bytes, local: str | None) -> bool:
        """Whether a request may pass: its Authorization header, and the address at which it arrived."""
        if not self._digests:
            return self._anybody or local is None or _is_loopback(local)
        digest = hashlib.sha256(_key(authorization)).digest()
        matches = [hmac.compare_digest(digest, known) for known in self._digests]  # with all of them, always
        return any(matches)


class KeyCheck:
    """Lets pass who has a key, and who only asks whether the service is well. Raises ApiError 401."""

    def __init__(self, app: ASGIApp, keys: Keys) -> None:
        self.app = app
        self._keys = keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] not in PROBES:
            authorization = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
            arrived_at = (scope.get("server") or (None,))[0]
            if not self._keys.admit(authorization, arrived_at):
                raise errors.UNAUTHORIZED()
        await self.app(scope, receive, send)


def _digest(entry: str, place: int) -> bytes:
    if entry.startswith("sha256:"):
        if not re.fullmatch("sha256:[0-9a-f]{64}", entry):
            raise KeysError(f"INKWELL_API_KEYS: entry {place} is no sha256: and 64 hexadecimal digits")
        return bytes.fromhex(entry.removeprefix("sha256:"))
    if len(entry) < MIN_LENGTH:
        raise KeysError(f"INKWELL_API_KEYS: key {place} has {len(entry)} characters; at least {MIN_LENGTH} are needed")
    return hashlib.sha256(entry.encode()).digest()


def _key(authorization: bytes) -> bytes:
    """The key in `Bearer KEY`, or, as browsers ask for it, the password in `Basic BASE64(USER:PASSWORD)`."""
    scheme, _, value = authorization.partition(b" ")
    if scheme.lower() == b"bearer":
        return value.strip()
    if scheme.lower() == b"basic":
        try:
            return base64.b64decode(value, validate=True).partition(b":")[2]
        except binascii.Error:
            pass
    return b""


@functools.lru_cache(maxsize=64)
def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
