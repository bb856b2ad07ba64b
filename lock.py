"""Write requirements.lock and requirements-cuda.lock from pyproject.toml: all pinned, every file hash-checked.

    make lock

On Linux the package index's own torch needs CUDA's packages, which a CPU build does without. They stand in a lock of
their own, which `make setup` installs only where the torch that pip chose asks for them.
"""

import re
import subprocess
from pathlib import Path

CPU_BUILD = "sha256:6746dbcbeb526eb61330b76b41ff1b4eb848951103a892eeb080dfa2b264667b"
"""torch 2.13.0+cpu for Python 3.11 on Linux x86-64, as PyTorch publishes it beside the package index."""

COMPILE = [
    "uv",
    "pip",
    "compile",
    "--quiet",
    "--universal",
    "--python-version",
    "3.11",
    "--generate-hashes",
    "--no-header",
]
CUDA = re.compile(r"(cuda|nvidia|triton)(?!-ml-py)")
HEADER = "# Written by `make lock` from pyproject.toml: do not edit.\n"


def main() -> None:
    compiled = subprocess.run(
        [*COMPILE, "--group", "dev", "pyproject.toml"], check=True, capture_output=True, text=True
    ).stdout
    packages = re.split(r"\n(?=\S)", compiled.strip())
    cuda = [package for package in packages if CUDA.match(package)]
    rest = [with_cpu_build(package) for package in packages if not CUDA.match(package)]
    Path("requirements.lock").write_text(HEADER + "\n".join(rest) + "\n")
    Path("requirements-cuda.lock").write_text(HEADER + "\n".join(cuda) + "\n")


def with_cpu_build(package: str) -> str:
    """Let torch be its CPU build too; other packages stay as they are."""
    return f"{package} \\\n    --hash={CPU_BUILD}" if package.startswith("torch==") else package


if __name__ == "__main__":
    main()
