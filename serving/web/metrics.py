"""What the service counts, for Prometheus. No label's value is chosen by a client.

What is counted often is gathered in plain lists, and told to Prometheus by `publish`: all at once costs a tenth.
"""

from collections import Counter as Counted
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from serving.contract import CLASSES
from serving.model.recogniser import Predictions, Recogniser

LATENCIES_S = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2)
CONFIDENCES = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999, 1)


class Metrics:
    def __init__(self) -> None:
        own = CollectorRegistry()  # where there are several processes, BentoML's /metrics reads their files
        self.registry = own
        self._requests = Histogram(
            "inkwell_request_seconds",
            "Seconds from a request's headers to the end of its answer",
            ["endpoint", "status"],
            buckets=LATENCIES_S,
            registry=own,
        )
        self._errors = Counter("inkwell_errors", "Answers that were errors, by code", ["code"], registry=own)
        self._digits = Counter("inkwell_answers", "Images answered with a digit", ["digit"], registry=own)
        self._abstentions = Counter("inkwell_abstentions", "Images not answered with a digit", ["reason"], registry=own)
        self._confidence = Histogram(
            "inkwell_confidence", "Probability of the most probable digit", buckets=CONFIDENCES, registry=own
        )
        self._model = Gauge(
            "inkwell_model",
            "The model that is served, always 1",
            ["name", "version", "source"],
            multiprocess_mode="max",
            registry=own,
        )
        for digit in range(CLASSES):
            self._digits.labels(str(digit))
        self._gathered_seconds: defaultdict[tuple[str, int], list[float]] = defaultdict(list)
        self._gathered_codes: Counted[str] = Counted()
        self._gathered_confidences: list[float] = []
        self._gathered_digits: list[int] = []

    def model(self, recogniser: Recogniser) -> None:
        self._model.labels(recogniser.name, recogniser.version, recogniser.source).set(1)

    def request(self, endpoint: str, status: int, code: str | None, seconds: float) -> None:
        self._gathered_seconds[endpoint, status].append(seconds)
        if code is not None:
            self._gathered_codes[code] += 1

    def predictions(self, predictions: Predictions) -> None:
        self._gathered_digits += predictions.digit[~predictions.abstained].tolist()
        self._gathered_confidences += predictions.confidence.tolist()
        for reason in predictions.reason[predictions.abstained]:
            self._abstentions.labels(reason).inc()

    def publish(self) -> None:
        """Tell Prometheus what was gathered since the last time."""
        for (endpoint, status), seconds in self._gathered_seconds.items():
            _observe(self._requests.labels(endpoint, str(status)), LATENCIES_S, seconds)
        for code, count in self._gathered_codes.items():
            self._errors.labels(code).inc(count)
        _observe(self._confidence, CONFIDENCES, self._gathered_confidences)
        for digit, count in enumerate(np.bincount(self._gathered_digits, minlength=CLASSES).tolist()):
            self._digits.labels(str(digit)).inc(count)
        self._gathered_seconds.clear()
        self._gathered_codes.clear()
        self._gathered_confidences.clear()
        self._gathered_digits.clear()


def _observe(histogram: Histogram, bounds: Sequence[float], values: Sequence[float]) -> None:
    """Have `histogram`, whose buckets end at `bounds`, observe all of `values`, for which it has no function."""
    counts = np.bincount(np.searchsorted(bounds, values), minlength=len(bounds) + 1)
    for bucket, count in zip(histogram._buckets, counts.tolist(), strict=True):
        if count:
            bucket.inc(count)
    histogram._sum.inc(sum(values))
