"""A stream against windows from scratch: the same crops, one after the other."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from vivant.networks.card import ModelCard
from vivant.records import Frame, Scores
from vivant.runtimes.runner import Runner
from vivant.session.clip import to_batch
from vivant.session.session import Session
from vivant.session.stream import Stream

__all__ = ["Streaming", "time_stream"]


@dataclass(frozen=True, slots=True)
class Streaming:
    """One runtime, one film."""

    way: str
    patches: str
    """`exact`, or `once`: see `Stream`."""
    num_windows: int
    ms: float
    """The network's time for a window in the stream, mean over the film."""
    scratch_ms: float
    """The same crops as a clip of its own."""
    times_as_fast: float
    overhead: float
    """The stream's network time over that of its parts alone: joining and keeping is the rest."""
    encoded_per_window: float
    patches_per_window: float
    score_difference: float
    """Largest, from scratch."""


class _Timed:
    """A runner whose parts are timed."""

    def __init__(self, runner: Runner) -> None:
        self.card: ModelCard = runner.card
        self.runtime = runner.runtime
        self._runner = runner
        self.seconds = 0.0

    def run(self, clips: np.ndarray, context: np.ndarray | None = None) -> Scores:
        """As the runner does."""
        return self._runner.run(clips, context)

    def run_part(self, part: str, given: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """As the runner does, timed."""
        started_s = time.perf_counter()
        try:
            return self._runner.run_part(part, given)
        finally:
            self.seconds += time.perf_counter() - started_s


def time_stream(way: str, runner: Runner, frames: Sequence[Frame]) -> list[Streaming]:
    """Stream a film in each way to keep patches; every window is also run from scratch, by turns.

    Args:
        way: For the report.
        runner: What is timed.
        frames: About an interval apart.
    """
    found = []
    has_patches = runner.card.architecture.aam is not None
    for patches in ("exact", "once") if has_patches else ("exact",):
        timed = _Timed(runner)
        stream = Stream(Session(timed, isolated=False), patches=patches)
        start, timed.seconds = stream.counts, 0.0
        streamed, scratch, differences, seen = [], [], [], 0
        for frame in frames:
            before = stream.newest
            for verdict in stream.follow(iter([frame])):
                window, clip = stream.newest, stream.newest_clip
                if window is None or clip is None or window is before:
                    continue
                seen += 1
                streamed.append(verdict.timings.network_s)
                given = to_batch([clip])
                started_s = time.perf_counter()
                scores = runner.run(*given)
                scratch.append(time.perf_counter() - started_s)
                differences.append(abs(float(scores.bona_fide_score[0]) - window.bona_fide_score))
        counts = stream.counts
        found.append(
            Streaming(
                way=way,
                patches=patches,
                num_windows=seen,
                ms=1e3 * sum(streamed) / seen,
                scratch_ms=1e3 * sum(scratch) / seen,
                times_as_fast=sum(scratch) / sum(streamed),
                overhead=sum(streamed) / timed.seconds,
                encoded_per_window=(counts.encoded - start.encoded) / seen,
                patches_per_window=(counts.patches - start.patches) / seen,
                score_difference=max(differences),
            )
        )
    return found
