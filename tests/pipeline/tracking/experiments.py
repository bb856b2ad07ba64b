"""A small project in git and DVC in which `dvc exp run` takes seconds: made-up trainings that tell MLflow for real.

    python -m tests.pipeline.tracking.experiments convnet

is its stage `train`. The wider a network, the fewer its errors.
"""

import shutil
import sys
from pathlib import Path
from typing import NamedTuple

from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.entities.model_registry import ModelVersion

from pipeline import params
from pipeline.tracking import runkey, runs
from tests.pipeline.tracking import project as made_up
from tests.pipeline.workspace import ROOT, output

NETWORK = "convnet"
WIDTH = 32
DVC = """
stages:
  train:
    matrix:
      network: ${candidates}
    cmd: python -m tests.pipeline.tracking.experiments ${item.network}
    deps: [data/processed]
    params: [train, "networks.${item.network}"]
    outs:
    - models/trained/${item.network}
    - models/candidates/${item.network}
    - reports/validation/${item.network}.parquet
    - reports/verdicts/${item.network}.json: {cache: false}
    - reports/evaluate/${item.network}
    - reports/audit/${item.network}
  export:
    matrix:
      network: ${candidates}
    cmd: "true"
    deps: ["models/trained/${item.network}"]
    params: [calibration]
  promote:
    cmd: python -m pipeline.promote
    deps: [models/candidates, reports/validation, reports/verdicts]
    outs:
    - models/best: {persist: true}
    - reports/promotion.json: {cache: false}
    - reports/model_card.md: {cache: false}
  crown:
"""


class Store(NamedTuple):
    """What MLflow knows: who is champion, by the model's hash, and who was, in order."""

    runs: list[Run]
    versions: list[ModelVersion]
    champion: str
    reigns: list[str]


class Project:
    """The project in a folder of its own, with MLflow's store there."""

    def __init__(self, folder: Path, database: Path) -> None:
        self.folder = made_up.build(folder)
        for path in (folder / "models", folder / "reports"):
            shutil.rmtree(path)
        shutil.copyfile(database, folder / "mlflow.db")
        text = (folder / "params.yaml").read_text().replace("- perceptron\n", "")
        made_up.write(folder / "params.yaml", text)
        crown = (ROOT / "dvc.yaml").read_text().split("  crown:\n")[1].split("\n\n")[0]
        made_up.write(folder / "dvc.yaml", DVC + crown.replace("    - pipeline/crown.py\n", ""))
        (folder / "dvc.lock").unlink()
        made_up.write(folder / ".gitignore", (ROOT / ".gitignore").read_text().replace("/data/\n", ""))
        self.run("git", "init", "--quiet", "--initial-branch=main")
        self.run("git", "config", "user.name", "t")
        self.run("git", "config", "user.email", "t@localhost")
        self.run("dvc", "init", "--quiet")
        shutil.copy(ROOT / ".dvc/config", folder / ".dvc/config")
        self.run("dvc", "repro")
        self.commit("first")

    def run(self, *command: str) -> str:
        """Run a command in the project and return what it printed."""
        return output(self.folder, *command)

    def commit(self, message: str) -> None:
        self.run("git", "add", "--all")
        self.run("git", "commit", "--quiet", "--message", message)

    def experiments(self) -> set[str]:
        """The names of the experiments that are done."""
        refs = self.run("git", "for-each-ref", "--format=%(refname)", "refs/exps").split()
        return {ref.rpartition("/")[-1] for ref in refs if ref.count("/") == 4}  # with a baseline's hash in two parts

    def store(self) -> Store:
        """What MLflow's store holds now."""
        uri = f"sqlite:///{self.folder}/mlflow.db"
        client = MlflowClient(uri, uri)
        model = client.get_registered_model(f"inkwell-{made_up.SOURCE}")
        [champion] = [one for one in client.search_model_versions() if one.version == model.aliases.get("champion")]
        return Store(
            runs=client.search_runs([one.experiment_id for one in client.search_experiments()]),
            versions=client.search_model_versions(),
            champion=champion.tags["model_sha256"],
            reigns=[value for key, value in sorted(model.tags.items()) if key.startswith("champion")],
        )


def main(network: str) -> None:
    """Make up a training, and all that follows it up to the verdicts, and tell MLflow of it."""
    width = params.load(f"networks.{network}").width
    with runs.training(network, made_up.SOURCE, runkey.inputs(f"train@{network}")):
        made_up.train(Path(), network, gain=width / 100)
        made_up.evaluate(Path(), network, errors=100 - width)
        made_up.audit(Path(), network)
    for publish in (runs.publish_training, runs.publish_evaluation, runs.publish_audit):
        publish(network)


if __name__ == "__main__":
    main(sys.argv[1])
