"""What MLflow is told about the pipeline: runs, what they read and made, and the registry of models.

DVC owns the bytes and the graph; MLflow can be lost, and `python -m pipeline.tracking.refill` fills it again from DVC's
outputs. The two point at each other through the run key, a hash of everything that a training reads.
"""
