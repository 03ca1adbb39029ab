"""Clips for training out of a store: which there are, and any of them, at random and fast.

A clip is cut from stored squares as a session cuts it from the frames: the same windows, one
median box, the same crop. Not the same are JPEG, and for large faces one resampling more.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, UInt8

from vivant.errors import DataError, UnknownNameError
from vivant.geometry.crop import CropBox, crop_box, cut
from vivant.networks.config import CONTEXT_SIDE_PX
from vivant.preparation.index import FrameIndex, place_crop
from vivant.preparation.place import Place
from vivant.preparation.schema import to_presentation
from vivant.preparation.square import Square
from vivant.preparation.store import Store
from vivant.records import FaceBox, Label, Presentation
from vivant.video.sampling import possible_windows, spread

__all__ = [
    "ClipStore",
    "PreparedClip",
    "RawClip",
    "decode",
    "random_clips",
    "require_margin",
    "spread_windows",
]

Window = tuple[int, ...]
"""A clip by the rows of its frames, in the order of time."""

_TIGHTEST = 1.2  # The smallest scale that training draws (D21): a clip must allow it.
_ROUNDING = 1e-6  # 2.0 * 1.3 is 2.6 and a little.


@dataclass(frozen=True, slots=True, eq=False)
class RawClip:
    """A clip as it is stored: nothing decoded yet."""

    presentation: Presentation
    frame_size: tuple[int, int]
    """(width, height) in pixels."""
    face: FaceBox
    """The median of its frames' boxes, in pixels of the frame."""
    squares: tuple[Square, ...]
    """One for each frame."""
    crops: tuple[bytes, ...]
    """JPEG of each square."""
    depths: tuple[bytes | None, ...]
    """PNG of each square's depth; None where it is not known, and of attacks."""
    times_s: tuple[float, ...]
    """When each frame was taken."""
    margin: float = math.inf
    """Side of the squares as a multiple of the face's longer side, where the frame is so large."""

    def crop(self, scale: float) -> CropBox:
        """Where it is cut, in pixels of the frame.

        Args:
            scale: Side of the crop as a multiple of the face's longer side. The crop is smaller
                than that where the frame is, and where the face moves so far within the clip that
                its squares share less.

        Raises:
            DataError: the face moves out of it altogether.
        """
        found = place_crop(self.face, self.squares, self.frame_size, scale)
        if found is None:
            path = self.presentation.path
            raise DataError(f"{path}: the face moves out of what is stored")
        return found

    def pixels(self) -> list[UInt8[np.ndarray, "side side 3"]]:
        """The stored squares, RGB, 0..255; their sides may differ.

        Raises:
            DataError: a picture is damaged.
        """
        return [
            cv2.cvtColor(_decoded(each, cv2.IMREAD_COLOR, self), cv2.COLOR_BGR2RGB)
            for each in self.crops
        ]

    def face_in_square(self, number: int) -> FaceBox:
        """The clip's face box in pixels of a stored square; it may reach beyond it.

        Args:
            number: Of the frame, from 0.
        """
        face = self.face
        corners = np.array([[face.x0, face.y0], [face.x1, face.y1]])
        stored = self.squares[number].to_stored(corners)
        return FaceBox(*(float(edge) for edge in stored.reshape(-1)))


@dataclass(frozen=True, slots=True, eq=False)
class PreparedClip:
    """A clip that a network can be trained with."""

    presentation: Presentation
    crops: UInt8[np.ndarray, "n side side 3"]
    """RGB, 0..255."""
    depth: UInt8[np.ndarray, "n side side"]
    """0 far and background, 255 nearest; all 0 of an attack (Eq. 1)."""
    has_depth: Bool[np.ndarray, " n"]
    """False where the depth of a bona fide frame is not known: its loss has weight 0, for a map of
    zeros would say that it is an attack."""
    context: UInt8[np.ndarray, "n wide wide 3"] | None = None
    """The wider crops, RGB, 0..255; None where they were not asked for."""


class ClipStore:
    """The clips of a store.

    Safe to read from threads. Each process opens its own: Lance and fork do not go together.

    Args:
        folder: Written by `vivant data prepare`.
        num_frames: N, the frames of a clip.
        only_usable: Whether frames with a fault are left out, as a session does.
        widest_scale: A face may move within a clip only so far that a crop of this scale, as a
            multiple of the face's longer side, is stored of all of its frames.

    Raises:
        DataError: it is no store, or it is damaged, or its margin is below `widest_scale`.
    """

    def __init__(
        self,
        folder: Place,
        num_frames: int = 5,
        *,
        only_usable: bool = True,
        widest_scale: float = _TIGHTEST,
    ) -> None:
        store = Store(folder)
        require_margin(store, widest_scale)
        self._store = store
        self._widest_scale = widest_scale
        self._interval_s = store.manifest.settings.interval_s
        self._num_frames = num_frames
        self._only_usable = only_usable
        self._frames = store.frames()
        self._index = FrameIndex.read(store)
        self._rows = {row["path"]: row for row in store.presentations()}
        self._presentations = {path: to_presentation(row) for path, row in self._rows.items()}
        places = self._index.places()
        self._places = {path: places.get(row["id"], ()) for path, row in self._rows.items()}
        for path, row in self._rows.items():
            if len(self._places[path]) != row["num_frames"]:
                raise DataError(
                    f"{folder} has {len(self._places[path])} frames of {path} and should have "
                    f"{row['num_frames']}: prepare the data again"
                )
        self._paths = {row["id"]: path for path, row in self._rows.items()}
        self._windows: dict[tuple[str, int | None], tuple[Window, ...]] = {}

    @classmethod
    def for_crops(cls, folder: Place, num_frames: int, context_scale: float | None) -> "ClipStore":
        """The clips from which a model's crops can be cut.

        Args:
            folder: As for the class.
            num_frames: As for the class.
            context_scale: Of the model's card: of its wider crop, if it sees one.

        Raises:
            DataError: as for the class.
        """
        if context_scale is None:
            return cls(folder, num_frames)
        return cls(folder, num_frames, widest_scale=context_scale)

    @property
    def presentations(self) -> tuple[Presentation, ...]:
        """Those that have frames, by their paths: for a protocol's rule."""
        return tuple(
            row for path, row in self._presentations.items() if self._rows[path]["num_frames"]
        )

    def require_margin(self, widest: float) -> None:
        """As the function `require_margin`, of this store.

        Args:
            widest: As there.

        Raises:
            DataError: the store is too narrow.
        """
        require_margin(self._store, widest)

    def windows(self, path: str, max_frames: int | None = None) -> tuple[Window, ...]:
        """The clips of a presentation; none where no N usable frames follow each other.

        Args:
            path: Of the presentation.
            max_frames: Only so many frames of the file are used, by the protocol.

        Raises:
            UnknownNameError: the store does not know it.
        """
        key = (path, max_frames)
        if key not in self._windows:
            self._windows[key] = self._find_windows(path, max_frames)
        return self._windows[key]

    def read(self, windows: Sequence[Window]) -> list[RawClip]:
        """Fetch clips, all at once.

        Args:
            windows: From `windows`.
        """
        places = sorted({place for window in windows for place in window})
        table = self._frames.take(places, columns=["presentation", "crop", "depth"])
        crops, depths = table["crop"].to_pylist(), table["depth"].to_pylist()
        at = {place: number for number, place in enumerate(places)}
        clips = []
        for window in windows:
            path = self._paths[int(self._index.presentation[window[0]])]
            row = self._rows[path]
            clips.append(
                RawClip(
                    self._presentations[path],
                    (row["width_px"], row["height_px"]),
                    self._index.face(window),
                    tuple(self._index.square(place) for place in window),
                    tuple(crops[at[place]] for place in window),
                    tuple(depths[at[place]] for place in window),
                    tuple(float(self._index.time_s[place]) for place in window),
                    self._store.manifest.settings.margin,
                )
            )
        return clips

    def _find_windows(self, path: str, max_frames: int | None) -> tuple[Window, ...]:
        if path not in self._rows:
            raise UnknownNameError("presentation", path, self._rows)
        places = np.asarray(self._places[path], np.int64)
        if max_frames is not None:
            places = places[self._index.number[places] < max_frames]
        usable = self._index.is_usable[places] | (not self._only_usable)
        if not usable.any():
            return ()
        if self._rows[path]["is_still"]:
            return tuple((int(place),) * self._num_frames for place in places[usable])
        # All looks, as a session sees them: those without a face are in nobody's clip, and neither
        # are two moments on both sides of one.
        positions = self._index.position[places]
        looks = np.arange(positions[-1] + 1)
        known = np.concatenate([[-1], positions])  # Before the first look lies nothing.
        times = np.concatenate([[-self._interval_s], self._index.time_s[places]])
        at = np.full(len(looks), -1)
        at[positions] = places
        is_usable = np.zeros(len(looks), np.bool_)
        is_usable[positions] = usable
        found = possible_windows(
            np.interp(looks, known, times).tolist(),
            is_usable.tolist(),
            self._num_frames,
            self._interval_s,
        )
        windows = [tuple(int(at[look]) for look in window.frames) for window in found]
        return tuple(window for window in windows if self._holds(path, window))

    def _holds(self, path: str, window: Window) -> bool:
        """Whether the face stays in its squares, with as much about it as training needs."""
        face = self._index.face(window)
        squares = tuple(self._index.square(place) for place in window)
        size = self._frame_size(path)
        crop = place_crop(face, squares, size, self._widest_scale)
        wanted = crop_box(face, *size, self._widest_scale).side_px
        # The grid may cost its step at the edge of a frame.
        return crop is not None and crop.side_px + squares[0].step_px >= wanted

    def _frame_size(self, path: str) -> tuple[int, int]:
        return self._rows[path]["width_px"], self._rows[path]["height_px"]


def require_margin(store: Store, widest: float) -> None:
    """Refuse a store whose squares cannot hold the crops that a model sees.

    Args:
        store: Prepared.
        widest: Side of the widest crop, with its jitter, as a multiple of the face's longer side.

    Raises:
        DataError: the store's margin is less. The message names both, and the command that
            prepares the data again.
    """
    margin = store.manifest.settings.margin
    if margin >= widest - _ROUNDING:
        return
    needed = math.ceil(round(100 * widest, 4)) / 100
    raise DataError(
        f"{store.folder} holds squares of {margin:g} times the face's longer side, and the widest "
        f"crop needs {needed:g}. Prepare the data again, into another folder: vivant data prepare "
        f"{store.manifest.dataset} FOLDER --out STORE --margin {needed:g}"
    )


def decode(
    clip: RawClip,
    scale: float,
    side_px: int,
    *,
    context_scale: float | None = None,
    context_side_px: int = CONTEXT_SIDE_PX,
) -> PreparedClip:
    """Cut a clip out of its stored squares.

    Args:
        clip: From `ClipStore.read`.
        scale: As for `RawClip.crop`.
        side_px: Of the crop.
        context_scale: The same of the wider crop; None: there is none.
        context_side_px: Of the wider crop.

    Raises:
        DataError: a picture is damaged, or the store's margin is less than a scale (see
            `require_margin`).
    """
    if max(scale, context_scale or 0) > clip.margin + _ROUNDING:
        raise DataError(
            f"{clip.presentation.path}: the store holds {clip.margin:g} times the face's longer "
            f"side, and a crop of {max(scale, context_scale or 0):g} was asked for: prepare the "
            "data again with a larger --margin"
        )
    crop = clip.crop(scale)
    num_frames = len(clip.crops)
    crops = np.empty((num_frames, side_px, side_px, 3), np.uint8)
    wide = None if context_scale is None else clip.crop(context_scale)
    context = []
    depth = np.zeros((num_frames, side_px, side_px), np.uint8)
    for number, (square, encoded, map_) in enumerate(
        zip(clip.squares, clip.crops, clip.depths, strict=True)
    ):
        box = square.within(crop)
        pixels = _decoded(encoded, cv2.IMREAD_COLOR, clip)
        cv2.cvtColor(cut(pixels, box, side_px), cv2.COLOR_BGR2RGB, dst=crops[number])
        if wide is not None:
            wider = cut(pixels, square.within(wide), context_side_px)
            context.append(cv2.cvtColor(wider, cv2.COLOR_BGR2RGB))
        if map_ is not None:
            stored = _decoded(map_, cv2.IMREAD_GRAYSCALE, clip)
            depth[number] = _cut_depth(stored, box, square.side_px, side_px)
    is_attack = clip.presentation.label is Label.ATTACK
    has_depth = [is_attack or map_ is not None for map_ in clip.depths]
    found = None if wide is None else np.stack(context)
    return PreparedClip(clip.presentation, crops, depth, np.array(has_depth), found)


def spread_windows(windows: Sequence[Window], num_windows: int) -> list[Window]:
    """W windows, evenly spread, as a session chooses them; the middle one for W = 1.

    >>> spread_windows([(0,), (1,), (2,), (3,), (4,)], 2)
    [(0,), (4,)]
    >>> spread_windows([(0,), (1,), (2,), (3,), (4,)], 1)
    [(2,)]
    """
    return [windows[place] for place in spread(len(windows), num_windows)]


def random_clips(
    store: ClipStore, presentations: Sequence[Presentation], seed: int, epoch: int, start: int = 0
) -> Iterator[Window]:
    """One random clip of each presentation, in a random order that depends on nothing else.

    Args:
        store: Where they are.
        presentations: Of one side; those without a clip are passed over.
        seed: Of the whole training.
        epoch: Another order and other clips for each.
        start: How many clips to pass over: to go on where one stopped.
    """
    order = np.random.default_rng((seed, epoch)).permutation(len(presentations))
    num_clips = 0
    for place in order.tolist():
        windows = store.windows(presentations[place].path, presentations[place].max_frames)
        if windows:
            num_clips += 1
            if num_clips > start:
                pick = np.random.default_rng((seed, epoch, place)).integers(len(windows))
                yield windows[pick]


def _decoded(encoded: bytes, mode: int, clip: RawClip) -> np.ndarray:
    found = cv2.imdecode(np.frombuffer(encoded, np.uint8), mode)
    if found is None:
        raise DataError(f"{clip.presentation.path}: a stored picture is damaged")
    return np.asarray(found)


def _cut_depth(
    stored: UInt8[np.ndarray, "half half"], box: CropBox, square_px: int, side_px: int
) -> UInt8[np.ndarray, "side side"]:
    """The depth of a crop: stored at another size than the square, and read between its pixels."""
    scale = side_px / box.side_px
    of_map = scale * square_px / len(stored)  # Pixels of the crop for one of the map.
    # From centres of the map's pixels to centres of the crop's.
    shift_x = 0.5 * of_map - 0.5 - scale * box.x
    shift_y = 0.5 * of_map - 0.5 - scale * box.y
    to_crop = np.array([[of_map, 0, shift_x], [0, of_map, shift_y]])
    return np.asarray(
        cv2.warpAffine(
            stored, to_crop, (side_px, side_px), flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        ),
        np.uint8,
    )  # fmt: skip
