"""Where the files of the texts' networks lie, from the repository's root."""

from pathlib import Path

FOLDER = Path("texts")
TRAINED = FOLDER / "trained"
"""A folder per network: weights and curve."""
REPORTS = FOLDER / "reports"
ACCURACY = REPORTS / "accuracy.json"
"""Of each network, on validation and test."""
SECONDS = REPORTS / "seconds"
"""A file per network: how many CPU seconds its training took, which other work on the machine does not change much."""
