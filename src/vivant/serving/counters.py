"""What the service counts, for Prometheus: no label has a person's or a caller's name in it."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from vivant.session.verdict import Verdict

__all__ = ["Counters"]

_SECONDS = (0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1, 1.5, 2.5, 5, 10, 30)


class Counters:
    """The numbers of one service.

    Args:
        num_pending: Presentations in work or waiting, when it is asked.
        is_ready: Whether the service takes requests, when it is asked.
    """

    def __init__(self, num_pending: Callable[[], int], is_ready: Callable[[], bool]) -> None:
        self._registry = registry = CollectorRegistry()
        self.requests = Counter(
            "vivant_requests_total",
            "Answers by route and status.",
            ["route", "status"],
            registry=registry,
        )
        self.request_s = Histogram(
            "vivant_request_seconds",
            "From headers to answer.",
            ["route"],
            buckets=_SECONDS,
            registry=registry,
        )
        self._verdicts = Counter(
            "vivant_verdicts_total", "By decision.", ["decision"], registry=registry
        )
        self._reasons = Counter(
            "vivant_reasons_total", "Reasons for no decision.", ["reason"], registry=registry
        )
        self.problems = Counter(
            "vivant_problems_total", "Refused requests by code.", ["code"], registry=registry
        )
        self._stage_s = Histogram(
            "vivant_check_seconds",
            "Of a check, by stage.",
            ["stage"],
            buckets=_SECONDS,
            registry=registry,
        )
        self.streams = Gauge("vivant_streams", "Streams that are open.", registry=registry)
        self.stream_frames = Counter(
            "vivant_stream_frames_total", "Frames of streams.", registry=registry
        )
        pending = Gauge("vivant_pending", "Presentations in work or waiting.", registry=registry)
        pending.set_function(num_pending)
        ready = Gauge("vivant_ready", "Whether requests are taken: 1 or 0.", registry=registry)
        ready.set_function(is_ready)

    def count(self, verdict: Verdict) -> None:
        """Count a verdict."""
        self._verdicts.labels(verdict.decision.value).inc()
        for reason in verdict.reasons:
            self._reasons.labels(reason.code.value).inc()
        timings = verdict.timings
        for stage, seconds in (
            ("decode", timings.decode_s),
            ("faces", timings.faces_s),
            ("network", timings.network_s),
            ("total", timings.total_s),
        ):
            self._stage_s.labels(stage).observe(seconds)

    def text(self) -> bytes:
        """All of it, in Prometheus's text format."""
        return generate_latest(self._registry)
