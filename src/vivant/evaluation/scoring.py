"""Scores the dev and test side of a protocol as a session does, and goes on where it was stopped.

Two sources give nearly the same: a data set's own files, each checked by a `Session`; and a store
of `vivant data prepare`, whose clips are cut as a session cuts them, and which is many times as
fast. The store's pictures are JPEGs, so that scores differ a little: of 28 drawn videos by 0.011 on
the mean and by 0.075 at most.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar, runtime_checkable

from vivant.datasets.cross import FRAMES
from vivant.datasets.made_up import is_made_up
from vivant.datasets.naming import divide, parse_protocol
from vivant.errors import DataError, MediaError
from vivant.evaluation.scored import (
    ScoredClip,
    ScoredPresentation,
    load_scored,
    save_scored,
)
from vivant.files import claim
from vivant.networks.card import ModelCard
from vivant.plugins import find
from vivant.preparation.clips import ClipStore, RawClip, decode, spread_windows
from vivant.preparation.info import fingerprint
from vivant.preparation.manifest import FILE
from vivant.preparation.place import Place
from vivant.preparation.schema import to_presentation
from vivant.preparation.store import Store
from vivant.records import NUM_WINDOWS, Presentation, Reason, Split
from vivant.runtimes.runner import Runner
from vivant.session.batch import BATCH_CLIPS, check_many
from vivant.session.clip import Clip, to_batch, to_results
from vivant.session.report import FAILED
from vivant.session.session import Session
from vivant.session.verdict import Verdict, WindowResult

__all__ = ["FileSource", "Source", "StoreSource", "open_source", "score_sides"]

_OF_MODEL = (Reason.UNTRAINED_MODEL, Reason.NO_OPERATING_POINT)
"""Reasons that no presentation is to blame for: an evaluation is what they are waiting for."""
_PART_ROWS = 64
"""Presentations that are kept together: what a kill can cost."""
_IDENTITY = "evaluation.json"
_SIDES = (Split.DEV, Split.TEST)

T = TypeVar("T")
Answer = tuple[tuple[WindowResult, ...], tuple[str, ...]]
"""Clips with the network's answers, and codes why there is no answer to the whole."""


@runtime_checkable
class Source(Protocol):
    """Where presentations come from and what a model says of them."""

    dataset: str
    presentations: tuple[Presentation, ...]
    is_synthetic: bool
    identity: dict[str, Any]
    """What the scores depend on, ready for JSON."""

    def look(self, rows: Sequence[Presentation]) -> Iterator[Answer]:
        """Score presentations, in their order.

        Raises:
            DataError: the data are damaged; one file that cannot be read is a reason and no error.
        """
        ...


class StoreSource:
    """The presentations of a store, those that were refused too.

    Args:
        runner: The network.
        folder: Written by `vivant data prepare`.

    Raises:
        DataError: it is no store, or its frames are taken at another distance than the model's.
    """

    def __init__(self, runner: Runner, folder: Place) -> None:
        store = Store(folder)
        card = runner.card
        interval_s = store.manifest.settings.interval_s
        if abs(interval_s - card.preprocessing.frame_interval_s) > 1e-9:
            raise DataError(
                f"{card.model} takes a frame each {card.preprocessing.frame_interval_s:g} s, the "
                f"store {folder} has one each {interval_s:g} s: prepare the data for it"
            )
        self._runner = runner
        self._clips = ClipStore.for_crops(
            folder, card.architecture.num_frames, card.preprocessing.context_scale
        )
        self._rows = {str(row["path"]): row for row in store.presentations()}
        self.dataset = store.manifest.dataset
        self.presentations = tuple(to_presentation(row) for row in self._rows.values())
        self.is_synthetic = store.manifest.is_synthetic
        self.identity = {
            "store": fingerprint(store),
            "weights": card.weights.sha256,
            "runtime": runner.runtime,
        }

    def look(self, rows: Sequence[Presentation]) -> Iterator[Answer]:
        """See `Source.look`."""
        windows = []
        for row in rows:
            found = self._clips.windows(row.path, row.max_frames)
            windows.append(spread_windows(found, NUM_WINDOWS) if found else [])
        every = [window for of_row in windows for window in of_row]
        results = (result for some in _batched(every, BATCH_CLIPS) for result in self._score(some))
        for row, of_row in zip(rows, windows, strict=True):
            yield tuple(next(results) for _ in of_row), self._reasons(row, is_seen=bool(of_row))

    def _score(self, windows: Sequence[tuple[int, ...]]) -> tuple[WindowResult, ...]:
        card = self._runner.card
        clips = [_to_clip(raw, card) for raw in self._clips.read(windows)]
        scores = self._runner.run(*to_batch(clips))
        return to_results(clips, scores, card.architecture)

    def _reasons(self, row: Presentation, *, is_seen: bool) -> tuple[str, ...]:
        told = self._rows[row.path]
        if told["refusal"]:
            return (str(told["refusal"]),)
        reasons = tuple(str(code) for code in told["faults"])
        if not reasons and not is_seen:
            reasons = (Reason.TOO_FEW_FRAMES if told["num_frames"] else Reason.NO_FACE,)
        return reasons


class FileSource:
    """The files of a data set's folder, each checked as `vivant check` does.

    Args:
        session: With the model.
        root: Of the data set.
        dataset: By its name in `vivant data list`.

    Raises:
        DataError: the folder is not that data set's.
    """

    def __init__(self, session: Session, root: Path, dataset: str) -> None:
        self._session = session
        self._root = root
        self.dataset = dataset
        self.presentations = find("vivant.datasets", dataset, "data set")().read(root).presentations
        self.is_synthetic = is_made_up(root, self.presentations)
        self.identity = {
            "files": dataset,
            "weights": session.card.weights.sha256,
            "runtime": session.model.runtime,
        }

    def look(self, rows: Sequence[Presentation]) -> Iterator[Answer]:
        """See `Source.look`."""
        if any(row.max_frames is not None or FRAMES in row.columns for row in rows):
            raise DataError(
                "some presentations are a part of a video or a series of pictures: prepare them "
                "with `vivant data prepare`, and give the store as --data"
            )
        for _, answer in check_many(self._session, [self._root / row.path for row in rows]):
            yield self._answer(answer)

    def close(self) -> None:
        """End the session's processes."""
        self._session.close()

    @staticmethod
    def _answer(answer: Verdict | Exception) -> Answer:
        if isinstance(answer, Exception):
            return (), (answer.code if isinstance(answer, MediaError) else FAILED,)
        reasons = [reason.code for reason in answer.reasons if reason.code not in _OF_MODEL]
        return answer.windows, tuple(reasons)


def open_source(
    runner: Runner, data: Place, protocol: str, session: Callable[[], Session]
) -> StoreSource | FileSource:
    """The source that a folder is: a store, or a data set's own.

    Args:
        runner: The network.
        data: The folder.
        protocol: Its data set is what the folder is read as.
        session: Makes one with the same model, for files.

    Raises:
        DataError: it is neither.
    """
    # At a URL there are stores alone: a folder's own files are asked for again and again.
    if not isinstance(data, Path) or (data / FILE).is_file():
        return StoreSource(runner, data)
    if not data.is_dir():
        raise DataError(f"expected a data set's folder or a store at {data}, found none")
    return FileSource(session(), data, parse_protocol(protocol)[0])


def score_sides(
    source: Source,
    protocol: str,
    folder: Path,
    tell: Callable[[int, int], None],
    sides: Sequence[Split] = _SIDES,
) -> tuple[ScoredPresentation, ...]:
    """Score the sides of a protocol, or go on with it.

    Args:
        source: Of presentations and scores.
        protocol: Such as `oulu-npu:1`.
        folder: Where scores are kept, some presentations in each file.
        tell: Is told how many of how many are done.
        sides: Which.

    Raises:
        DataError: there is no such protocol, or a side is empty.
        OutputError: the folder has other scores, or cannot be written.
    """
    divided = divide(source.dataset, source.presentations, protocol)
    todo = [(side, row) for side in sides for row in divided[side]]
    lacking = [side.value for side in sides if not divided[side]]
    if lacking:
        raise DataError(f"protocol {protocol} has nothing on the side {', '.join(lacking)}")
    paths = [f"{side} {row.path}" for side, row in todo]
    identity = {**source.identity, "protocol": protocol, "presentations": paths}
    claim(folder, _IDENTITY, identity, "the scores of another model, protocol or state of the data")
    found: list[ScoredPresentation] = []
    for number, part in enumerate(_batched(todo, _PART_ROWS)):
        path = folder / f"part-{number:05}.parquet"
        if path.is_file():
            found += load_scored(path)
        else:
            seen = source.look([row for _, row in part])
            scored = [
                ScoredPresentation(row, side, tuple(map(ScoredClip.of_window, windows)), reasons)
                for (side, row), (windows, reasons) in zip(part, seen, strict=True)
            ]
            save_scored(path, scored)
            found += scored
        tell(len(found), len(todo))
    return tuple(found)


def _to_clip(raw: RawClip, card: ModelCard) -> Clip:
    """A stored clip, cut for a model."""
    how = card.preprocessing
    wider = how.context_scale
    prepared = decode(raw, how.crop_scale, how.crop_side_px, context_scale=wider)
    return Clip(
        prepared.crops,
        raw.times_s,
        raw.face,
        raw.crop(how.crop_scale),
        is_padded=len(set(raw.times_s)) < len(raw.times_s),
        context=prepared.context,
        context_crop=None if wider is None else raw.crop(wider),
    )


def _batched(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    for at in range(0, len(items), size):
        yield items[at : at + size]
