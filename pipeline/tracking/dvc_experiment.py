"""The DVC experiment in which a stage runs, if it runs in one.

`dvc exp run` names it in the environment of its stages, together with the commit from which it starts and the main
project's folder: a queued experiment, or one with --temp, runs in a workspace of its own that DVC deletes afterwards.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlflow import MlflowClient

NAME, BASELINE, ROOT = "DVC_EXP_NAME", "DVC_EXP_BASELINE_REV", "DVC_ROOT"
STAGE = "experiments"
"""The tag `stage` of a run that holds a baseline's experiments."""


def name() -> str | None:
    """The experiment's name, None outside one."""
    return os.environ.get(NAME)


def project() -> Path:
    """The project's folder; of an experiment that runs in a workspace of its own, the folder that outlives it."""
    here = Path().resolve()
    if name() is None:
        return here
    workspace = next(folder for folder in (here, *here.parents) if (folder / ".dvc").is_dir())
    return Path(os.environ[ROOT]) / here.relative_to(workspace)


def tags() -> dict[str, str]:
    """What MLflow's runs and model versions are told of the experiment; nothing outside one."""
    return {"dvc_exp_name": os.environ[NAME], "dvc_exp_baseline": os.environ[BASELINE]} if name() else {}


def nested(client: "MlflowClient", experiment_id: str, source: str) -> dict[str, str]:
    """The tag that puts a run under the one that holds the experiments of its baseline, which is made where it lacks.

    All that a queue or a sweep runs starts from one commit, and that is all DVC tells of what belongs together.
    """
    from pipeline.tracking import claim  # which asks this module for the tags of a run

    if name() is None:
        return {}
    baseline = os.environ[BASELINE]
    with claim.alone(client, f"inkwell-experiments-{source}-{baseline[:12]}"):
        filters = f"tags.stage = '{STAGE}' AND tags.dvc_exp_baseline = '{baseline}'"
        found = client.search_runs([experiment_id], filters, max_results=1)
        if found:
            return {"mlflow.parentRunId": found[0].info.run_id}
        told = {
            "stage": STAGE,
            "source": source,
            "dvc_exp_baseline": baseline,
            "mlflow.note.content": f"The experiments of `dvc exp run` that start from commit `{baseline[:12]}`.",
        }
        made = client.create_run(experiment_id, run_name=f"experiments-{baseline[:7]}", tags=told)
        client.set_terminated(made.info.run_id, "FINISHED")
        return {"mlflow.parentRunId": made.info.run_id}
