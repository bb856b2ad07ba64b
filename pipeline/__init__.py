"""The pipeline: one module per stage, and the libraries that the stages share."""
