"""Build the image of a container that serves the champion of a source of data, mnist unless another is named.

    python -m pipeline.image
    ENGINE=buildah python -m pipeline.image mnist-sample -- --pull

It has the Bento that `make serve` would serve, and is called inkwell:VERSION, the Bento's version, and inkwell:latest.
ENGINE is podman, docker or buildah, by default the first of them that works here. It is given what follows --.
Nothing is imported here but what the Bento brings, which is all that .venv-serve has.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

import yaml

from pipeline import serve
from pipeline.serve import ServeError

CONTAINERFILE = Path("deploy/Containerfile")
ENGINES = ("podman", "docker", "buildah")
NAME = "inkwell"
LABEL = "org.opencontainers.image"
RUN = "--rm -p 127.0.0.1:3000:3000 -e INKWELL_API_KEYS=KEY --read-only --tmpfs /tmp"


class ImageError(Exception):
    """The image cannot be built."""


def engine(wanted: str) -> str:
    """The engine to build with: `wanted` or, where that is empty, the first that works. Raises ImageError."""
    if wanted and wanted not in ENGINES:
        raise ImageError(f"ENGINE is {wanted!r}; expected one of {', '.join(ENGINES)}")
    for name in [wanted] if wanted else ENGINES:
        if _output(name, "info"):
            return name
    if wanted:
        raise ImageError(f"{wanted} does not work here: `{wanted} info` says why")
    raise ImageError(f"neither {' nor '.join(ENGINES)} works here: `podman info` says why")


def command(engine: str, bento: Path, options: Sequence[str] = ()) -> list[str]:
    """The command that builds the image of the Bento in the folder `bento`."""
    labels = {"version": version(bento), "revision": _output("git", "rev-parse", "HEAD"), "source": source()}
    told = [f"--label={LABEL}.{name}={value}" for name, value in labels.items() if value]
    tags = [f"--tag={NAME}:{tag}" for tag in (version(bento), "latest")]
    form = [] if engine == "docker" else ["--format=docker"]  # OCI's has no health check
    return [engine, "build", *form, f"--file={CONTAINERFILE}", *tags, *told, *options, str(bento)]


def version(bento: Path) -> str:
    """The version of the Bento in a folder."""
    return str(yaml.safe_load((bento / "bento.yaml").read_text(encoding="utf-8"))["version"])


def source() -> str:
    """The URL that this repository was cloned from, without a user's name or password; empty where there is none."""
    url = urlsplit(_output("git", "remote", "get-url", "origin"))
    return url._replace(netloc=url.netloc.rpartition("@")[2]).geturl() if url.scheme == "https" else ""


def _output(*command: str) -> str:
    """What a command writes; empty where it fails."""
    try:
        done = subprocess.run(command, check=True, capture_output=True, encoding="utf-8", errors="replace")
    except (OSError, subprocess.CalledProcessError):
        return ""
    return done.stdout.strip()


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.image", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("source", nargs="?", default=serve.SOURCE, help="that the champion learnt from")
    parser.add_argument("options", nargs="*", help="the engine's own, after --")
    given = parser.parse_args(argv)
    try:
        name = engine(os.environ.get("ENGINE", ""))
        bento = serve.find(given.source)
    except (ImageError, ServeError) as error:
        sys.exit(f"image: {error}.")
    tag = f"{NAME}:{version(bento)}"
    print(f"Building {tag} of {serve.described(given.source, bento)} with {name}", flush=True)
    done = subprocess.run(command(name, bento, given.options), env={**os.environ, "DOCKER_BUILDKIT": "1"}, check=False)
    if done.returncode:
        sys.exit(f"image: {name} could not build it: what it says stands above.")
    size, *_ = _output(name, "images", "--format={{.Size}}", tag).splitlines() or ["of a size that it does not tell"]
    print(f"Built {tag}, {size}. It runs by `{'podman' if name == 'buildah' else name} run {RUN} {tag}`")


if __name__ == "__main__":
    main()
