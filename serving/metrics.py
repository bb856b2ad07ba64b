"""What the service counts, for Prometheus. No label's value is chosen by a client."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from serving.recogniser import CLASSES, Predictions, Recogniser
from serving.schema import Answer

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
        self._of_digit = [self._digits.labels(str(digit)) for digit in range(CLASSES)]

    def model(self, recogniser: Recogniser) -> None:
        self._model.labels(recogniser.name, recogniser.version, recogniser.source).set(1)

    def request(self, endpoint: str, status: int, code: str | None, seconds: float) -> None:
        self._requests.labels(endpoint, str(status)).observe(seconds)
        if code is not None:
            self._errors.labels(code).inc()

    def answer(self, answer: Answer) -> None:
        """Count one image that was answered with a digit."""
        self._confidence.observe(answer.confidence)
        self._of_digit[answer.digit or 0].inc()

    def predictions(self, predictions: Predictions) -> None:
        columns = (predictions.digit, predictions.confidence, predictions.reason)
        for digit, confidence, reason in zip(*(column.tolist() for column in columns), strict=True):
            self._confidence.observe(confidence)
            if reason is None:
                self._of_digit[digit].inc()
            else:
                self._abstentions.labels(reason).inc()
