"""The service does not start with another model than the packaged one, nor where anybody could ask."""

import hashlib
from pathlib import Path

import click
import numpy as np
import pytest

from serving import startup
from serving.model.recogniser import ModelError
from tests import toy_model

KEY = "a-key-of-sixteen-or-more"


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A packaged model, its hash as sha256sum writes it; no settings around it."""
    for name in ("INKWELL_API_KEYS", "INKWELL_OPEN", "INKWELL_CORS_ORIGINS"):
        monkeypatch.delenv(name, raising=False)
    path = toy_model.write(tmp_path / "model.onnx")
    path.with_suffix(".sha256").write_text(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  model.onnx\n")
    return path


def check(model: Path, host: str) -> None:
    """As `bentoml serve --host HOST` does."""
    with click.Context(click.Command("serve")) as context:
        context.params["host"] = host
        startup.check(model)


def test_the_model_that_was_packaged_is_given(model):
    recogniser = startup.verified(model)
    digit = int(np.random.default_rng().integers(10))
    assert recogniser.predict(toy_model.image(digit)[None].astype(np.float32)).digit == digit


def test_another_model_is_refused_with_both_hashes(model):
    packaged = model.with_suffix(".sha256").read_text().split()[0]
    toy_model.write(model, gain=0.3)
    found = hashlib.sha256(model.read_bytes()).hexdigest()
    with pytest.raises(
        ModelError, match=f"not the model that was packaged: its sha256 is {found}, expected {packaged}"
    ):
        startup.verified(model)
    with pytest.raises(click.ClickException, match=r"^the service does not start: .*not the model that was packaged"):
        startup.check(model)


@pytest.mark.parametrize("damage", ["no model", "no hash", "an empty hash"])
def test_a_model_or_a_hash_that_cannot_be_read_is_refused(model, damage):
    note = model.with_suffix(".sha256")
    if damage == "an empty hash":
        note.write_text("\n")
    else:
        (model if damage == "no model" else note).unlink()
    with pytest.raises(ModelError, match=r"cannot read the model .*model\.onnx and its hash model\.sha256"):
        startup.verified(model)


@pytest.mark.parametrize(
    ("host", "settings"),
    [
        ("127.0.0.1", {}),
        ("::1", {}),
        ("0.0.0.0", {"INKWELL_API_KEYS": KEY}),
        ("0.0.0.0", {"INKWELL_OPEN": "true"}),
        ("127.0.0.1", {"INKWELL_CORS_ORIGINS": "https://ours.example"}),
    ],
)
def test_it_starts_where_it_is_settled_who_may_ask(model, monkeypatch, host, settings):
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    check(model, host)


@pytest.mark.parametrize(
    ("host", "settings", "why"),
    [
        ("0.0.0.0", {}, "can be reached from other machines"),
        ("192.0.2.7", {"INKWELL_OPEN": "false"}, "192.0.2.7 can be reached"),
        ("127.0.0.1", {"INKWELL_API_KEYS": KEY[:9]}, "9 characters; at least 16"),
        ("0.0.0.0", {"INKWELL_API_KEYS": KEY, "INKWELL_CORS_ORIGINS": "ours.example"}, "'ours.example' is no origin"),
    ],
)
def test_it_does_not_start_where_a_setting_is_wrong_or_lacking(model, monkeypatch, host, settings, why):
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(click.ClickException, match=rf"^the service does not start: .*{why}.*\.$"):
        check(model, host)


def test_where_no_command_says_the_host_the_rest_is_checked_all_the_same(model, monkeypatch):
    startup.check(model)
    monkeypatch.setenv("INKWELL_OPEN", "yes")
    with pytest.raises(click.ClickException, match="INKWELL_OPEN is 'yes'"):
        startup.check(model)
