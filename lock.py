"""Pin every dependency of pyproject.toml to files with known hashes: the requirements*.lock files.

    make lock

torch has locks of its own, since pip would rank an index's build above a CPU build that lies in a folder: first the CPU
build, which `make setup` takes where pip can find one, then the package index's own, with CUDA's packages on Linux.
requirements-serve.lock has those of requirements.lock that the Bento needs: all that `make serve` installs in a clone.
"""

import re
import shlex
import subprocess
from pathlib import Path

from pipeline.package import REQUIREMENTS

OPTIONS = "--quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate"
CPU_BUILD = "6746dbcbeb526eb61330b76b41ff1b4eb848951103a892eeb080dfa2b264667b"
"""torch 2.13.0+cpu for Python 3.11 on Linux x86-64."""
OF_TORCH = re.compile(r"torch==|triton|cuda-|nvidia-(?!ml-py)")


def main() -> None:
    compiled = uv("--all-extras", "--group", "dev", "pyproject.toml")
    packages = split(compiled)
    write("requirements.lock", [package for package in packages if not OF_TORCH.match(package)])
    write("requirements-torch.lock", [package for package in packages if OF_TORCH.match(package)])
    [version] = re.findall(r"^torch==(\S+)", compiled, re.MULTILINE)
    write("requirements-torch-cpu.lock", [f"torch=={version}+cpu \\\n    --hash=sha256:{CPU_BUILD}"])
    lock_service()


def lock_service() -> None:
    """Write those packages of requirements.lock that the Bento needs, directly or not."""
    needed = uv("--constraints", "requirements.lock", "-", given="\n".join(["bentoml", *REQUIREMENTS]))
    names = {name(package) for package in split(needed)}
    packages = split(Path("requirements.lock").read_text(encoding="utf-8"))
    write("requirements-serve.lock", [package for package in packages if name(package) in names])


def uv(*arguments: str, given: str | None = None) -> str:
    """What `uv pip compile` says of some requirements, which may be ``given`` as a file's text."""
    command = ["uv", "pip", "compile", *shlex.split(OPTIONS), *arguments]
    return subprocess.run(
        command, check=True, capture_output=True, input=given, encoding="utf-8", errors="replace"
    ).stdout


def split(locked: str) -> list[str]:
    """A lock's packages, each with its hashes."""
    return re.split(r"\n(?=\S)", locked.strip())


def name(package: str) -> str:
    """Of one of a lock's packages."""
    return package.partition("==")[0]


def write(file: str, packages: list[str]) -> None:
    Path(file).write_text(
        "# Written by `make lock` from pyproject.toml: do not edit.\n" + "\n".join(packages) + "\n", encoding="utf-8"
    )


if __name__ == "__main__":
    main()
