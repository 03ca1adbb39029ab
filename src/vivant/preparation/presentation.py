"""What is done to one presentation: a function of the file and the settings, and of nothing else.

It looks at a video with the same functions as a session does, and keeps what training needs.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float32, UInt8

from vivant.depth.maps import DepthMaps
from vivant.depth.surface import depth_map
from vivant.errors import InputError, MediaError, Refusal
from vivant.faces.detectors.blazeface import blazeface
from vivant.faces.faults import clip_faults
from vivant.faces.identity import Changes
from vivant.faces.mesh import FaceMesh
from vivant.faces.observer import Eyes, Observer
from vivant.faces.track import Face
from vivant.preparation.close import CloseDetector
from vivant.preparation.media import find_files, read_files
from vivant.preparation.place import Place
from vivant.preparation.record import (
    BAD_DEPTH_MAP,
    INTERNAL_ERROR,
    PreparedFrame,
    PreparedPresentation,
)
from vivant.preparation.settings import PreparationSettings
from vivant.preparation.square import Square, choose_quarters, place_square
from vivant.records import Frame, Label, Presentation, Reason
from vivant.video.frames import Media, read_media
from vivant.video.isolation import DecoderPool
from vivant.video.pictures import read_pictures, read_stills
from vivant.video.series import Series, frame_numbers

__all__ = ["Preparer", "preparer"]

_DEPTH_PX = 160  # Side of a stored depth map, at most: the loss sees 14 pixels of a quarter crop.
_CONNECTED = 2.0  # Intervals: across more, no clip is cut, and nobody is followed.
_GROUP = 5  # Frames that are kept or left together where not all are: a clip.


def preparer(
    root: Place, settings: PreparationSettings, maps: Path | None = None, *, isolated: bool = True
) -> Callable[[Presentation], PreparedPresentation]:
    """What a process of `vivant.parallel` does: `Preparer`, with OpenCV on one thread."""
    cv2.setNumThreads(1)
    return Preparer(root, settings, maps, isolated=isolated)


class _DepthMapError(Exception):
    """A depth map that is there and cannot be used."""


class Preparer:
    """Prepares presentations of one data set, one after the other.

    Args:
        root: The data set's folder, to which paths are relative; it may be at a URL.
        settings: What is done.
        maps: A folder of depth maps to take instead of the mesh's: see `vivant.depth.maps`.
        isolated: Whether files are decoded in processes of their own. Switch it off for files that
            you made yourself: starting a process takes half a second, as long as a short video.

    Raises:
        InputError: the settings say that depth comes from maps, and no folder is given, or the
            other way about.
    """

    def __init__(
        self,
        root: Place,
        settings: PreparationSettings,
        maps: Path | None = None,
        *,
        isolated: bool = True,
    ) -> None:
        if settings.depth_maps != (maps is not None):
            raise InputError("expected a folder of depth maps where the settings say so, and only")
        self._root = root
        self._settings = settings
        self._maps = DepthMaps(maps) if maps is not None else None
        detector = blazeface()
        self._eyes = Eyes(CloseDetector(detector) if settings.close_faces else detector, FaceMesh())
        self._pool = DecoderPool(settings.video_limits) if isolated else None

    def __call__(self, presentation: Presentation) -> PreparedPresentation:
        """Prepare one; what cannot be read comes back with its refusal and no frames."""
        result = PreparedPresentation(presentation)
        try:
            limits = self._settings.video_limits
            files, is_clip = find_files(self._root, presentation, limits)
            digest, num_bytes = hashlib.sha256(), 0
            pictures: list[Path | bytes] = []
            names = [file.name for file in files]
            for file, data in zip(files, read_files(files, limits), strict=True):
                digest.update(data)
                num_bytes += len(data)
                # Read again when they are looked at; but fetched once.
                pictures.append(file if isinstance(file, Path) else data)
            result = replace(result, sha256=digest.hexdigest(), num_bytes=num_bytes)
            return self._prepare(
                result, self._open(pictures, names) if is_clip else self._read(data)
            )
        except MediaError as error:
            return replace(result, refusal=error.code.value, message=str(error))
        except _DepthMapError as error:
            return replace(result, refusal=BAD_DEPTH_MAP, message=str(error))
        except OSError as error:
            message = f"not readable: {error.strerror or error}"
            return replace(result, refusal=Refusal.NOT_A_FILE.value, message=message)
        except Exception as error:  # One presentation must not end the other thousands.
            message = f"{type(error).__name__}: {error}"
            return replace(result, refusal=INTERNAL_ERROR, message=message)

    def close(self) -> None:
        """End the process that waits for the next file."""
        if self._pool is not None:
            self._pool.close()

    def _read(self, data: bytes) -> Media:
        limits, interval_s = self._settings.video_limits, self._settings.interval_s
        if self._pool is None:
            return read_media(data, interval_s, limits)
        return self._pool.read_media(data, interval_s)

    def _open(self, pictures: Sequence[Path | bytes], names: Sequence[str]) -> Media:
        settings = self._settings
        rate, interval_s, limits = settings.picture_rate, settings.interval_s, settings.video_limits
        if settings.series is Series.STILL:
            return read_stills(pictures, interval_s, limits, self._pool)
        numbers = frame_numbers(names) if settings.series is Series.NUMBERED else None
        return read_pictures(pictures, rate, interval_s, limits, self._pool, numbers)

    def _prepare(self, result: PreparedPresentation, media: Media) -> PreparedPresentation:
        observers = [Observer(self._eyes, self._settings.quality_limits)]
        kept: list[PreparedFrame] = []
        size, quarters = (0, 0), None
        quarter_turns = _quarter_turns(result.presentation)
        before_s: float | None = None
        for position, taken in enumerate(media.frames):
            if before_s is not None and self._is_apart(taken.time_s - before_s, media):
                observers.append(Observer(self._eyes, self._settings.quality_limits))
            observer, before_s = observers[-1], taken.time_s
            # Some owners' videos lie otherwise than they are to be shown, and do not say so.
            upright = np.ascontiguousarray(np.rot90(taken.pixels, -quarter_turns))
            frame = replace(taken, pixels=upright)
            look = observer.look(frame)
            size = frame.pixels.shape[1::-1]
            if observer.face is None or look.quality is None:
                continue
            quarters = choose_quarters(observer.face.box, self._settings, quarters)
            try:
                square = place_square(observer.face.box, *size, quarters, self._settings)
            except InputError:
                continue  # The mesh followed the face out of the picture.
            kept.append(
                PreparedFrame(
                    position,
                    frame.number,
                    frame.time_s,
                    square,
                    observer.face.box,
                    self._encode(square.cut(frame.pixels)),
                    square.to_stored(observer.face.mesh.points),
                    self._depth(result.presentation, frame, observer.face, square),
                    look.quality,
                    tuple(fault.code.value for fault in look.faults),
                )
            )
        return replace(
            result,
            frames=tuple(_fewer(kept, self._settings.max_frames)),
            num_looks=sum(len(each.looks) for each in observers),
            width_px=size[0],
            height_px=size[1],
            is_still=media.is_still,
            faults=self._clip_faults(observers, is_still=media.is_still),
        )

    def _is_apart(self, seconds: float, media: Media) -> bool:
        """Whether nothing is known of how one picture became the next."""
        if self._settings.series is Series.NUMBERED:
            return seconds > _CONNECTED * self._settings.interval_s
        return media.is_still

    def _clip_faults(self, observers: Sequence[Observer], *, is_still: bool) -> tuple[str, ...]:
        """What is wrong with a presentation as a whole, judged within its parts alone."""
        looks = [look for each in observers for look in each.looks]
        changes = [each.changes() for each in observers]
        worst = Changes(
            likeness=min(each.likeness for each in changes),
            colour=max(each.colour for each in changes),
            scene=max(each.scene for each in changes),
        )
        found = clip_faults(looks, worst, self._settings.quality_limits, is_still=is_still)
        codes = tuple(fault.code.value for fault in found)
        # A picture without a face says nothing of the next one.
        return tuple(code for code in codes if not (is_still and code == Reason.FACE_LOST.value))

    def _encode(self, crop: UInt8[np.ndarray, "side side 3"]) -> bytes:
        options = (cv2.IMWRITE_JPEG_QUALITY, self._settings.jpeg_quality)
        _, encoded = cv2.imencode(".jpg", cv2.cvtColor(crop, cv2.COLOR_RGB2BGR), options)
        return encoded.tobytes()

    def _depth(
        self, presentation: Presentation, frame: Frame, face: Face, square: Square
    ) -> bytes | None:
        if presentation.label is Label.ATTACK:
            return None
        side = min(square.side_px, _DEPTH_PX)
        if self._maps is None:
            points = square.to_stored(face.mesh.points) * (side / square.side_px)
            try:
                depth = depth_map(points, side)
            except InputError:
                return None  # The mesh is not one of a face in view: there is no target.
            return _encode_depth(depth)
        height, width, _ = frame.pixels.shape
        try:
            found = self._maps.of(presentation.path, frame.time_s, width, height)
        except InputError as error:
            raise _DepthMapError(str(error)) from error
        if found is None:
            return None
        scale = found.shape[1] / width
        x0, y0, side_px = (
            round(edge * scale) for edge in (square.box.x, square.box.y, square.box.side_px)
        )
        piece = found[y0 : y0 + side_px, x0 : x0 + side_px].astype(np.float32) / 255
        if not piece.any():
            return None  # Its face is elsewhere: nothing is known of this one.
        resized = cv2.resize(piece, (side, side), interpolation=cv2.INTER_AREA)
        return _encode_depth(np.asarray(resized, np.float32))


def _encode_depth(depth: Float32[np.ndarray, "side side"]) -> bytes:
    grey = np.asarray(np.rint(255 * depth), np.uint8)
    _, encoded = cv2.imencode(".png", grey, (cv2.IMWRITE_PNG_COMPRESSION, 1))
    return encoded.tobytes()


def _fewer(frames: Sequence[PreparedFrame], limit: int | None) -> Sequence[PreparedFrame]:
    """At most so many frames, in groups of five in a row, evenly spread."""
    if limit is None or len(frames) <= limit:
        return frames
    groups: dict[int, list[PreparedFrame]] = {}
    for frame in frames:
        groups.setdefault(frame.position // _GROUP, []).append(frame)
    whole = [group for group in groups.values() if len(group) == _GROUP]
    num_groups = limit // _GROUP
    if not whole or not num_groups:
        return frames[:limit]
    picks = np.linspace(0, len(whole) - 1, min(num_groups, len(whole))).round().astype(int)
    return [frame for pick in picks for frame in whole[pick]]


def _quarter_turns(presentation: Presentation) -> int:
    """By how many quarters of a turn, clockwise, its frames are to be turned.

    Raises:
        MediaError: the column says something else.
    """
    told = presentation.columns.get("rotation_deg", "0")
    turns = {"0": 0, "90": 1, "180": 2, "270": 3}
    if told not in turns:
        raise MediaError(
            Refusal.UNSUPPORTED_FORMAT,
            f"expected a column rotation_deg of 0, 90, 180 or 270, got {told!r}",
        )
    return turns[told]
