"""What `make image` asks of which engine."""

import os
import subprocess

import pytest

from pipeline import image, serve
from pipeline.image import ImageError


@pytest.fixture
def engines(tmp_path, monkeypatch):
    """Engines that write down what they are asked, by whether they work, and nothing else but git on the path."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}/usr/bin{os.pathsep}/bin")
    monkeypatch.delenv("ENGINE", raising=False)

    def install(**work):
        for name in image.ENGINES:
            script = folder / name
            status = 0 if work.get(name) else 1
            script.write_text(f'#!/bin/sh\necho "$0 $@" >> {tmp_path}/asked\necho 362 MB\nexit {status}\n')
            script.chmod(0o755)
        return tmp_path / "asked"

    return install


@pytest.fixture
def bento(tmp_path, monkeypatch):
    folder = tmp_path / "bento"
    folder.mkdir()
    (folder / "bento.yaml").write_text("version: 0123456789abcdef\n")
    monkeypatch.setattr(serve, "find", lambda source: folder)
    monkeypatch.setattr(serve, "described", lambda source, bento: f"the champion of {source}")
    return folder


@pytest.mark.parametrize("works", image.ENGINES)
def test_the_engine_that_works_builds_and_is_told_what_follows(engines, bento, works, capsys):
    asked = engines(**{works: True})
    image.main(["uci-digits", "--", "--pull"])
    [build] = [line for line in asked.read_text().splitlines() if f"/{works} build " in line]
    assert build.endswith(f" --pull {bento}")
    assert "--tag=inkwell:0123456789abcdef" in build
    assert ("--format=docker" in build) == (works != "docker")
    assert "362 MB" in capsys.readouterr().out


def test_an_engine_that_was_named_is_taken(engines, bento, monkeypatch):
    asked = engines(podman=True, buildah=True)
    monkeypatch.setenv("ENGINE", "buildah")
    image.main([])
    assert "/podman" not in asked.read_text()


@pytest.mark.parametrize(
    ("wanted", "says"), [("", "neither podman"), ("docker", "docker does not work"), ("rkt", "expected")]
)
def test_without_an_engine_it_says_so(engines, bento, monkeypatch, wanted, says):
    engines()
    monkeypatch.setenv("ENGINE", wanted)
    with pytest.raises(SystemExit, match=f"image: .*{says}"):
        image.main([])


@pytest.mark.parametrize(
    ("remote", "told"),
    [
        ("https://someone:secret@example.org/inkwell.git", "https://example.org/inkwell.git"),
        ("https://example.org/inkwell", "https://example.org/inkwell"),
        ("../elsewhere", ""),
    ],
)
def test_the_source_is_told_without_a_password(tmp_path, monkeypatch, remote, told):
    monkeypatch.chdir(tmp_path)
    subprocess.run(["git", "init", "--quiet"], check=True)
    subprocess.run(["git", "remote", "add", "origin", remote], check=True)
    assert image.source() == told


def test_what_is_no_engine_is_not_asked():
    with pytest.raises(ImageError, match="expected one of podman, docker, buildah"):
        image.engine("rm")
