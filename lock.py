"""Pin every dependency of pyproject.toml to files with known hashes: the requirements*.lock files.

    make lock

torch has locks of its own, since pip would rank an index's build above a CPU build that lies in a folder: first the CPU
build, which `make setup` takes where pip can find one, then the package index's own, with CUDA's packages on Linux.
"""

import re
import shlex
import subprocess
from pathlib import Path

OPTIONS = "--quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --group dev"
CPU_BUILD = "6746dbcbeb526eb61330b76b41ff1b4eb848951103a892eeb080dfa2b264667b"
"""torch 2.13.0+cpu for Python 3.11 on Linux x86-64."""
OF_TORCH = re.compile(r"torch==|triton|cuda-|nvidia-(?!ml-py)")


def main() -> None:
    command = ["uv", "pip", "compile", *shlex.split(OPTIONS), "pyproject.toml"]
    compiled = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    packages = re.split(r"\n(?=\S)", compiled.strip())
    write("requirements.lock", [package for package in packages if not OF_TORCH.match(package)])
    write("requirements-torch.lock", [package for package in packages if OF_TORCH.match(package)])
    [version] = re.findall(r"^torch==(\S+)", compiled, re.MULTILINE)
    write("requirements-torch-cpu.lock", [f"torch=={version}+cpu \\\n    --hash=sha256:{CPU_BUILD}"])


def write(name: str, packages: list[str]) -> None:
    Path(name).write_text("# Written by `make lock` from pyproject.toml: do not edit.\n" + "\n".join(packages) + "\n")


if __name__ == "__main__":
    main()
