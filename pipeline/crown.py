"""Tell MLflow's registry who is champion: the alias `champion` to the version that reports/promotion.json names.

    python -m pipeline.crown

Writes mlflow.champion, whom MLflow was told of. It goes with the workspace and not with its revision: `dvc repro` tells
MLflow anew once another revision is checked out. An experiment of DVC's registers its models and crowns none.
"""

from pipeline.stage import stage
from pipeline.tracking import dvc_experiment, registry


@stage("crown")
def main() -> None:
    experiment = dvc_experiment.name()
    new = registry.publish_promotion(experiment)
    registry.remember(experiment)
    if experiment:
        print(f"{experiment} is an experiment: MLflow's champion stays who it is.")
    print(f"new in MLflow's registry: {', '.join(new) or 'nothing'}")


if __name__ == "__main__":
    main()
