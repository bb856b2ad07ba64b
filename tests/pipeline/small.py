"""A copy of this project with a small set and networks that are trained in seconds."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from pipeline.audits.gates import GATES

ROOT = Path(__file__).parents[2]
SMALL: dict[str, dict[str, Any]] = {
    "perceptron": {"epochs": 2},
    "convnet": {"epochs": 8, "width": 4},
}

AT_LEAST = {name for name, gate in GATES.items() if gate.limit == "at least"}
"""The gates whose value must reach the threshold; all gates are opened wide, since the networks are tiny."""


class Checkout:
    """A clean copy of this repository, with small networks and its own MLflow store."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in self.output("git", "ls-files", "-co", "--exclude-standard", cwd=ROOT).splitlines():
            if (ROOT / name).is_file() and not name.startswith(("data/", "models/", "reports/", "dvc.lock")):
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, folder / name)
        params = yaml.safe_load((folder / "params.yaml").read_text())
        params["data"]["source"] = "uci-digits"
        params["data"]["split"]["test"] = 0.06
        params["audit"]["bootstrap"] = 200
        params["candidates"] = list(SMALL)
        for network, config in SMALL.items():
            params["networks"][network].update(config, batch_size=32)
        wide = {name: 0.001 if name in AT_LEAST else 0.99 for name in params["gates"]["default"]["all"]}
        params["gates"] = {"default": {"all": wide | {"error": 0.5}}} | {name: {} for name in params["candidates"]}
        (folder / "params.yaml").write_text(yaml.safe_dump(params))
        self.output("git", "init", "--quiet")
        self.output("git", "add", ".")
        self.output("git", "-c", "user.name=t", "-c", "user.email=t@localhost", "commit", "--quiet", "-m", "checkout")

    @property
    def environment(self) -> dict[str, str]:
        own = {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW", "GIT_"))}
        return {**own, "PATH": f"{Path(sys.executable).parent}:{own['PATH']}", "MLFLOW_DISABLE_TELEMETRY": "true"}

    def output(self, *command: str, cwd: Path | None = None) -> str:
        """Run a command in the checkout and return what it printed."""
        done = subprocess.run(command, cwd=cwd or self.folder, env=self.environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def lock(self) -> dict[str, Any]:
        return yaml.safe_load((self.folder / "dvc.lock").read_text())["stages"]
