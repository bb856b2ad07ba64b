"""Where files lie, from the repository's root."""

from pathlib import Path

PROCESSED = Path("data/processed")
SAMPLES = PROCESSED / "samples.parquet"
DRAWN = Path("data/drawn")
"""Pictures that no data set has: forms of digits, non-digits, digits on paper as they would be sent."""

TRAINED = Path("models/trained")
"""A folder per network: weights, curve, and the record of its training."""
CANDIDATES = Path("models/candidates")
"""A folder per network: what is served of it, and the record of its export."""
FOLDS = Path("models/folds")
"""A folder per network: weights of the networks that were cross-validated, and who learnt from what."""
BEST = Path("models/best")

EVALUATIONS = Path("reports/evaluate")
"""A folder per network: its metrics and what it answered on the test set."""
ACCURACY = Path("reports/accuracy")
"""A file per network: its accuracy on validation, the metric that DVC shows."""
VALIDATION = Path("reports/validation")
"""A table per network: its answers on validation, by which the champion is chosen."""
OUT_OF_FOLD = Path("reports/out_of_fold")
"""A table per network: the answers of the networks that were cross-validated."""

ANSWERS = Path("reports/answers")
"""A folder per network: what it answered for every picture of its audit."""
VERDICTS = Path("reports/verdicts")
"""A file per network: its gates, and what was measured."""
GATES = Path("reports/gates")
"""A file per network: how many gates it fails, the metric that DVC shows."""
AUDIT = Path("reports/audit")
"""A folder per network: the report of its audit."""

SHOW = Path("show")
"""What the page's views load beside the answer: one file each."""
DREAMS = Path("reports/dreams.png")
"""What the champion's units want to see, and what fools it, as a figure."""

RESUME = Path(".resume")
"""What a training that was killed goes on from."""
