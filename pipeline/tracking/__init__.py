"""What MLflow is told about the pipeline: runs, what they read and made, and the registry of models.

DVC owns the bytes and the graph; MLflow can be lost, and `python -m pipeline.tracking.refill` fills it again from DVC's
outputs. The two point at each other through two keys, hashes of everything that was read: the run key of a training,
and the export key of each model that was made of it.
"""

import os

os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")  # a bar for each file of a kilobyte
