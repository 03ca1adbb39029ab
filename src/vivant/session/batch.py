"""Checks many files: the next are watched while the network runs on those that were.

Decoding, faces and the network share the cores. Each of `num_workers` threads watches one file: a
process of its own decodes it (`video/isolation`), the thread finds and follows the face, and both
together keep about one core busy. The network runs in the calling thread, with the threads that its
runner was opened with, on what is ready. By default there is a worker for each core and the network
may use all of them; the operating system divides. A network on another device leaves the cores to
the workers, and gains by batches of more than one presentation; on a processor they gain little.
"""

import traceback
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import TypeVar

from vivant.errors import InputError
from vivant.parallel import num_cores
from vivant.session.clip import Seen
from vivant.session.session import Session
from vivant.session.verdict import Verdict

__all__ = ["BATCH_CLIPS", "check_many", "conclude_each"]

BATCH_CLIPS = 8
"""Clips in one run of the network, unless it is said: those of two presentations."""
_AHEAD = 2  # Files for each worker: one in work, one that waits for the network.

Source = TypeVar("Source", Path, str, bytes)


def check_many(
    session: Session,
    sources: Iterable[Source],
    *,
    num_workers: int | None = None,
    batch_clips: int = BATCH_CLIPS,
) -> Generator[tuple[Source, Verdict | Exception], None, None]:
    """Judge files, each as `Session.check` does; what happens to one is its answer alone.

    Close the iterator, or take it to its end: files that are in work are finished first.

    Args:
        session: Judges.
        sources: Videos and pictures, by path or as bytes. Taken as they are needed: at most
            2 * num_workers are in work or wait for the network, beside those that it runs on.
        num_workers: Files that are watched at a time; None: one for each core of this process.
        batch_clips: Clips in one run of the network, at most.

    Returns:
        Each source in its order, with its verdict or with the error that `Session.check` would have
        raised: a MediaError where it cannot be read.

    Raises:
        InputError: fewer than one worker or clip.
    """
    workers = num_cores() if num_workers is None else num_workers
    if workers < 1:
        raise InputError(f"expected at least one worker, got {workers}")
    if batch_clips < 1:
        raise InputError(f"expected at least one clip in a run of the network, got {batch_clips}")
    return _answers(session, iter(sources), workers, batch_clips)


def _answers(
    session: Session, sources: Iterator[Source], num_workers: int, batch_clips: int
) -> Generator[tuple[Source, Verdict | Exception], None, None]:
    waiting: deque[tuple[Source, Future[Seen | Exception]]] = deque()
    pool = ThreadPoolExecutor(num_workers, "vivant-see")

    def fill() -> None:
        for source in islice(sources, _AHEAD * num_workers - len(waiting)):
            waiting.append((source, pool.submit(_see, session, source)))

    try:
        fill()
        while waiting:
            ready = _take(waiting, batch_clips)
            fill()  # The workers go on while the network runs.
            seen = [answer for _, answer in ready if isinstance(answer, Seen)]
            verdicts = iter(conclude_each(session, seen, batch_clips))
            for source, answer in ready:
                yield source, (next(verdicts) if isinstance(answer, Seen) else answer)
    finally:
        pool.shutdown(cancel_futures=True)


def _see(session: Session, source: Path | str | bytes) -> Seen | Exception:
    try:
        return session.see(source)
    except Exception as error:  # Ours too: the other files are still to be checked.
        traceback.clear_frames(error.__traceback__)  # Or it would hold the frames of the video.
        return error


def _take(
    waiting: "deque[tuple[Source, Future[Seen | Exception]]]", batch_clips: int
) -> list[tuple[Source, Seen | Exception]]:
    """The first, once it is seen, and what is ready behind it and fits into one run with it."""
    source, future = waiting.popleft()
    ready = [(source, future.result())]
    num_clips = _num_clips(ready[0][1])
    while waiting and waiting[0][1].done():
        source, future = waiting[0]
        num_clips += _num_clips(future.result())
        if num_clips > batch_clips:
            break
        waiting.popleft()
        ready.append((source, future.result()))
    return ready


def _num_clips(answer: Seen | Exception) -> int:
    return len(answer.clips) if isinstance(answer, Seen) else 0


def conclude_each(
    session: Session, seen: Sequence[Seen], batch_clips: int
) -> Sequence[Verdict | Exception]:
    """A verdict for each; where their batch fails, each is judged alone, to tell which it was.

    Args:
        session: Judges.
        seen: Presentations that were watched.
        batch_clips: Clips in one run of the network, at most.
    """
    try:
        return session.conclude(seen, batch_clips)
    except Exception as error:  # As above.
        if len(seen) == 1:
            return [error]
    return [answer for one in seen for answer in conclude_each(session, [one], batch_clips)]
