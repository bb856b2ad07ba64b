"""The service: what goes into the Bento, and nothing else. It imports nothing from the pipeline."""
