"""The whole graph, for real, on a small set: without a break; and a training that is killed and taken up again."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from pipeline import serve
from pipeline.audits.gates import GATES

ROOT = Path(__file__).parents[2]
SMALL: dict[str, dict[str, Any]] = {
    "perceptron": {"epochs": 2},
    "convnet": {"epochs": 8, "width": 4},
}

AT_LEAST = {name for name, gate in GATES.items() if gate.limit == "at least"}
"""The gates whose value must reach the threshold; all gates are opened wide, since the networks are tiny."""

pytestmark = pytest.mark.slow


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

    def run(self) -> str:
        return self.output(sys.executable, "-m", "pipeline", "uci-digits")

    def borrow(self, other: "Checkout") -> None:
        """Have another one's DVC cache, in which only the trainings do not count as run."""
        cache = self.folder / ".dvc/cache"
        shutil.copytree(other.folder / ".dvc/cache", cache, copy_function=os.link)
        for run in list((cache / "runs").glob("*/*/*")):
            if yaml.safe_load(run.read_text())["cmd"].startswith("python -m pipeline.train "):
                shutil.rmtree(run.parent)

    def kill_in_mid_training(self) -> None:
        """Start the ConvNet's training and kill all its processes once the first epoch's checkpoint is there."""
        process = subprocess.Popen(
            ["dvc", "repro", "train@convnet"],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
        deadline = time.monotonic() + 120
        while not list(self.folder.glob(".resume/*/last.ckpt")):
            assert process.poll() is None, "the training ended before it could be killed"
            assert time.monotonic() < deadline
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def read(self, path: str) -> Any:
        return json.loads((self.folder / path).read_text())

    def lock(self) -> dict[str, Any]:
        return yaml.safe_load((self.folder / "dvc.lock").read_text())["stages"]

    def mlflow_counts(self) -> dict[str, Any]:
        """What the store holds, as a separate process sees it."""
        return json.loads(
            self.output(
                sys.executable,
                "-c",
                "import json\n"
                "from pipeline.tracking.store import open_store\n"
                "client = open_store()\n"
                "experiments = [e.experiment_id for e in client.search_experiments()]\n"
                "runs = client.search_runs(experiments)\n"
                "print(json.dumps({'status': sorted(r.info.status for r in runs),\n"
                "  'ids': {r.data.tags['network']: r.info.run_id for r in runs},\n"
                "  'epochs': {r.data.tags['network']:\n"
                "     [m.step for m in client.get_metric_history(r.info.run_id, 'curve/val_loss')] for r in runs},\n"
                "  'versions': len(client.search_model_versions(\"name='inkwell-uci-digits'\")),\n"
                "  'champion': client.get_model_version_by_alias('inkwell-uci-digits', 'champion').tags['network']\n"
                "    if client.search_registered_models() else None}))",
            )
        )


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    checkout = Checkout(tmp_path_factory.mktemp("unbroken"))
    checkout.printed = checkout.run()  # type: ignore[attr-defined]
    return checkout


def test_every_stage_leaves_what_it_promises(unbroken):
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    names = {name if "matrix" not in stage else f"{name}@{one}" for name, stage in stages.items() for one in SMALL}
    ran = {name for name in unbroken.lock() if name in names or name.split("@")[0] in stages}
    assert ran >= {"download", "preprocess", "promote", "package", *(f"train@{one}" for one in SMALL)}
    for network in SMALL:
        assert unbroken.read(f"reports/evaluate/{network}/test.json")["images"] == 108
        gates = {gate["name"]: gate for gate in unbroken.read(f"reports/verdicts/{network}.json")["gates"]}
        assert gates["population_gap"]["status"] == "not measurable"
    champion = unbroken.read("reports/promotion.json")["champion"]["network"]
    best = (unbroken.folder / "models/best/model.onnx").read_bytes()
    assert best == (unbroken.folder / f"models/candidates/{champion}/model.onnx").read_bytes()


def test_the_run_ends_with_the_results_and_says_what_it_changed(unbroken):
    printed = " ".join(unbroken.printed.split())
    champion = unbroken.read("reports/promotion.json")["champion"]["network"]
    assert f"uci-digits: champion {champion}" in printed
    assert "make serve" in printed
    assert "git restore params.yaml dvc.lock reports" in printed


def test_mlflow_has_a_finished_run_and_a_version_for_each_network(unbroken):
    found = unbroken.mlflow_counts()
    assert found["status"] == ["FINISHED"] * len(SMALL)
    assert set(found["ids"]) == set(SMALL)
    assert found["versions"] == len(SMALL)
    assert found["champion"] == unbroken.read("reports/promotion.json")["champion"]["network"]


def test_a_second_run_changes_nothing(unbroken):
    before, counts = unbroken.lock(), unbroken.mlflow_counts()
    printed = unbroken.run()
    assert "Running stage" not in printed
    assert "Nothing has changed" in printed
    assert unbroken.lock() == before
    assert unbroken.mlflow_counts() == counts


def test_the_bento_is_served_and_answers(unbroken):
    with serve.running(unbroken.folder / "dist/bento") as url:
        answer = httpx.post(f"{url}/predict_pixels", json={"pixels": [[0] * 28] * 28, "scale": "0-255"}).json()
        served = httpx.get(f"{url}/model").json()
    assert (answer["abstained"], answer["reason"], answer["digit"]) == (True, "blank", None)
    assert served["name"] == unbroken.read("reports/promotion.json")["champion"]["network"]


def test_a_run_killed_in_mid_training_ends_with_the_same_bytes_in_the_same_mlflow_run(unbroken, tmp_path):
    killed = Checkout(tmp_path)
    killed.borrow(unbroken)
    killed.kill_in_mid_training()
    begun = killed.mlflow_counts()
    assert begun["status"] == ["KILLED"]
    killed.output("dvc", "repro", "train@convnet")
    found = killed.mlflow_counts()
    assert found["ids"] == begun["ids"]
    assert found["status"] == ["FINISHED"]
    assert found["epochs"]["convnet"] == list(range(1, SMALL["convnet"]["epochs"] + 1))
    assert killed.lock()["train@convnet"] == unbroken.lock()["train@convnet"]
