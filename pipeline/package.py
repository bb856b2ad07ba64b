"""The stage package: make the champion and the service into a Bento, and try it by real requests.

    python -m pipeline.package

Reads models/best/, serving/, show/, data/processed/test/ and the locks; writes dist/bento/ and the same as one file,
dist/inkwell.bento, whose bytes depend on nothing but those. A Bento that does not answer as the recogniser does offline
never gets there.
"""

import hashlib
import io
import itertools
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import yaml
from numpy.typing import NDArray
from PIL import Image
from rich.console import Console

from pipeline import serve
from pipeline.data.files import replacing
from pipeline.paths import SHOW
from pipeline.showcase import card, inside
from pipeline.stage import stage
from serving.images import normalise_all
from serving.model.recogniser import Predictions, Recogniser

CHAMPION = Path("models/best")
MODEL = CHAMPION / "model.onnx"
SERVING = Path("serving")
IMAGES = Path("data/processed/test/images.npy")
LABELS = IMAGES.with_name("labels.npy")

ARCHIVE = serve.BENTO.with_name("inkwell.bento")
LOCK = Path("requirements-serve.lock")
"""What a container of the Bento installs: all that it needs, directly or not, with hashes."""
WHOLE_LOCK = Path("requirements.lock")
"""Has uv as well, with which BentoML's Dockerfile installs it."""

REQUIREMENTS = (  # BentoML adds itself
    *("click", "httptools", "numpy", "onnxruntime", "orjson", "pillow", "prometheus-client", "pydantic"),
    *("python-multipart", "scipy", "starlette", "uvicorn", "uvloop"),
)
INSTALLER = "env/docker/uv.txt"
INSTALL_INSTALLER = f"pip install --no-cache-dir --require-hashes --requirement {INSTALLER}"
ONLY_WITH_HASHES = {"name": "UV_REQUIRE_HASHES", "value": "1"}
NO_TIME = "1980-01-01T00:00:00+00:00"
TRIED = 100
TRIED_AS_PNG = 20
TOLERANCE = 1e-5


class PackageError(Exception):
    """The Bento could not be made, or does not answer as it should."""


def content_version(source: Path, requirements: Sequence[str]) -> str:
    """The Bento's version: a hash of what goes into it, 16 hexadecimal digits."""
    digest = hashlib.sha256("\n".join(requirements).encode())
    for path in sorted(path for path in source.rglob("*") if path.is_file()):
        digest.update(f"\n{path.relative_to(source).as_posix()}\n".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]


def build(
    model: Path,
    serving: Path,
    workplace: Path,
    shown: Mapping[str, Any] | None = None,
    show: Path | None = None,
) -> Path:
    """Build the Bento of `model` and the code in `serving` inside `workplace`, and return its folder.

    `shown` is the model's card for the page, `show` the folder of what its views load. Equal inputs give equal
    bytes. Raises PackageError if BentoML cannot build it.
    """
    workplace = workplace.absolute()
    source = workplace / "source"
    shutil.copytree(serving, source / "serving", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copyfile(model, source / "model.onnx")
    model_hash = hashlib.sha256(model.read_bytes()).hexdigest()
    (source / "model.sha256").write_text(f"{model_hash}  model.onnx\n", encoding="utf-8")
    (source / "inside.onnx").write_bytes(inside.derive(model.read_bytes()))
    (source / "card.json").write_text(json.dumps(shown or {}), encoding="utf-8")
    if show:
        shutil.copytree(show, source / "show")
    requirements = [f"{name}=={version(name)}" for name in REQUIREMENTS]
    locked, installer = LOCK.read_text(encoding="utf-8"), pinned("uv", WHOLE_LOCK.read_text(encoding="utf-8"))
    if others := [one for one in requirements if f"\n{one} " not in locked]:
        raise PackageError(
            f"{LOCK} does not have what is installed here: {', '.join(others)}. `make setup` installs it"
        )
    tag = f"inkwell:{content_version(source, [locked, installer])}"
    config = {
        "service": "serving.service:Inkwell",
        "include": ["serving/", "model.onnx", "model.sha256", "inside.onnx", "card.json", "show/"],
        "python": {"packages": requirements, "lock_packages": False},
        "envs": [ONLY_WITH_HASHES],
    }
    recipe = workplace / "bentofile.yaml"  # named to BentoML, which looks for none inside hidden folders
    recipe.write_text(yaml.safe_dump(config), encoding="utf-8")
    home = workplace / "home"
    home.mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "bentoml", "build", str(source), "-f", str(recipe), "--version", tag.partition(":")[2]],
        env=serve.environment(home),
        capture_output=True,
        check=False,
        encoding="utf-8",
        errors="replace",
    )
    if done.returncode:
        raise PackageError(f"BentoML could not build {tag}:\n{done.stdout}{done.stderr}")
    bento = home.joinpath("bentos", *tag.split(":"))
    manifest = bento / "bento.yaml"
    info = yaml.safe_load(manifest.read_text(encoding="utf-8"))
    info["creation_time"] = NO_TIME
    [compilers] = info["image"]["commands"]  # which nothing in the lock needs: there are wheels for all of it
    info["image"]["commands"] = [INSTALL_INSTALLER]
    manifest.write_text(yaml.safe_dump(info, sort_keys=False), encoding="utf-8")
    dockerfile = bento / "env/docker/Dockerfile"
    recipe_text = dockerfile.read_text(encoding="utf-8").replace(compilers, INSTALL_INSTALLER)
    dockerfile.write_text(recipe_text, encoding="utf-8")
    (bento / INSTALLER).write_text(installer, encoding="utf-8")
    (bento / "env/python/requirements.txt").write_text(locked, encoding="utf-8")
    bento.chmod(0o755)  # BentoML leaves it open to its owner alone
    return bento


def pinned(package: str, locked: str) -> str:
    """A package's entry in the text of a lock, with its hashes."""
    lines = iter(locked.splitlines(keepends=True))
    for line in lines:
        if line.startswith(f"{package}=="):
            return line + "".join(itertools.takewhile(lambda more: more.startswith(" "), lines))
    raise PackageError(f"{WHOLE_LOCK} does not have {package}")


def archive(bento: Path, file: Path) -> None:
    """Write the folder of a Bento to `file`, as `bentoml import` takes it. Equal folders give equal bytes."""

    def nobodys(member: tarfile.TarInfo) -> tarfile.TarInfo:
        member.mtime = moment
        member.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
        member.uid = member.gid = 0
        member.uname = member.gname = ""
        return member

    moment = int(datetime.fromisoformat(NO_TIME).timestamp())
    with tarfile.open(file, "w:xz") as packed:
        for path in sorted(bento.rglob("*")):
            packed.add(path, path.relative_to(bento).as_posix(), recursive=False, filter=nobodys)


def card_of(recogniser: Recogniser, images: NDArray[np.uint8], labels: NDArray[np.uint8]) -> dict[str, Any]:
    """The champion's card, with what `recogniser` gets wrong among `images` and `labels`."""
    verdicts, run = (
        json.loads((CHAMPION / name).read_text(encoding="utf-8")) for name in ("verdicts.json", "run.json")
    )
    return card.make(verdicts, run, recogniser, images, labels)


def try_out(url: str, recogniser: Recogniser, images: NDArray[np.uint8]) -> None:
    """Ask the service at `url` about `images`, uint8 [N, 28, 28], and compare with `recogniser` offline.

    Raises PackageError at the first image whose answer differs, or if another model answers.
    """
    expected = recogniser.predict(normalise_all(images.astype(np.float32)))
    with httpx.Client(base_url=url, timeout=10, trust_env=False) as client:
        served = _json(client.get("/model"))["sha256"]
        if served != recogniser.sha256:
            raise PackageError(f"the model served is {served}, expected {recogniser.sha256}")
        octets = {"Content-Type": "application/octet-stream"}
        bulk = _json(client.post("/predict_pixels", content=images.tobytes(), headers=octets))["predictions"]
        if len(bulk) != len(images):
            raise PackageError(f"/predict_pixels gave {len(bulk)} answers for {len(images)} images")
        for row, answer in enumerate(bulk):
            _compare(answer, expected, row, "/predict_pixels")
        for row, image in enumerate(images[:TRIED_AS_PNG]):
            answer = _json(client.post("/predict", content=_png(image), headers={"Content-Type": "image/png"}))
            _compare(answer, expected, row, "/predict")


def _json(response: httpx.Response) -> Any:
    if response.status_code != 200:
        raise PackageError(f"{response.request.url} answered {response.status_code}: {response.text}")
    return response.json()


def _compare(answer: dict[str, Any], expected: Predictions, row: int, path: str) -> None:
    sets = expected.prediction_set
    wanted = {
        "digit": None if expected.abstained[row] else int(expected.digit[row]),
        "prediction_set": None if sets is None else np.flatnonzero(sets[row]).tolist(),
        "reason": expected.reason[row],
    }
    got = {key: answer[key] for key in wanted}
    distance = float(np.abs(np.asarray(answer["probabilities"]) - expected.probabilities[row]).max())
    if got != wanted or not distance <= TOLERANCE:
        raise PackageError(
            f"{path} answers {got} for test image {row}, expected {wanted};"
            f" the probabilities differ by {distance:.2g}, allowed is {TOLERANCE:g}"
        )


def _png(image: NDArray[np.uint8]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    return buffer.getvalue()


@stage("package")
def main() -> None:
    """Build the Bento, try it, and only then put it into dist/, in the place of the one before it."""
    console = Console()
    serve.STATE.mkdir(exist_ok=True)
    try:
        recogniser = Recogniser(MODEL)
        images, labels = np.load(IMAGES), np.load(LABELS)
        shown = card_of(recogniser, images, labels)
        images = images[:TRIED]
        with tempfile.TemporaryDirectory(dir=serve.STATE, prefix="package-") as workplace:
            with console.status("Building the Bento"):
                bento = build(MODEL, SERVING, Path(workplace), shown, SHOW)
            console.print(f"Built inkwell:{bento.name} of {recogniser.name} {recogniser.version}.")
            with console.status("Trying it"), serve.running(bento) as url:
                try_out(url, recogniser, images)
            packed = Path(workplace) / ARCHIVE.name
            archive(bento, packed)
            with replacing(serve.BENTO) as new:
                shutil.copytree(bento, new, dirs_exist_ok=True)
            packed.replace(ARCHIVE)
    except (PackageError, serve.ServeError, FileNotFoundError) as error:
        sys.exit(f"package: {error}")
    console.print(f"It answers {len(images)} test images over HTTP as it does offline.", soft_wrap=True)
    console.print(f"It lies in {serve.BENTO}, and as one file in {ARCHIVE}. Serve it with: make serve", soft_wrap=True)


if __name__ == "__main__":
    main()
