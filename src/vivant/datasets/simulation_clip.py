"""One bona fide clip, and what is made of it: itself in another coding, and attacks."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from vivant.attacks.camera import Camera, Filming, to_light
from vivant.attacks.layers import separate
from vivant.attacks.pose import Pose, hand_held
from vivant.attacks.ranges import draw, numbers, ranged
from vivant.attacks.simulate import simulate
from vivant.errors import DataError
from vivant.faces.detectors.detector import Detector
from vivant.faces.mesh import FaceMesh
from vivant.faces.track import Tracker
from vivant.records import Frame
from vivant.video.frames import Media
from vivant.video.isolation import DecoderPool
from vivant.video.source import read_file

__all__: list[str] = []

MAX_RATE = 30.0
"""Frames that are taken of a second."""
MAX_SECONDS = 4.0
"""So much of a clip's beginning is taken."""
MAX_SIDE_PX = 960
"""Frames are shrunk to this: attacks are filmed by cameras of no more pixels."""
MIN_SEEN = 0.8
"""Share of a clip's frames in which its face has to be found."""
BONA_FIDE = "bona_fide"
"""What is drawn for the clip itself has this in place of a PAI species."""
MAX_FACE = 0.8
"""No face is enlarged beyond this share of the frame's width or height."""


@dataclass(frozen=True, slots=True)
class Framing:
    """How a clip is framed anew: drawn for itself and for its attacks alike."""

    scale: float = ranged(1.1, 1.0, 1.3)
    """Width of the face against that in the clip."""
    x: float = ranged(0.0, -0.05, 0.05)
    """By which the face goes to the right, as a share of the frame's width, where there is more
    of the clip to show."""
    y: float = ranged(0.0, -0.05, 0.05)
    """By which it goes down, likewise."""


@dataclass(frozen=True, slots=True)
class Shake:
    """The hand that films an attack."""

    room: float = ranged(0.012, 0.002, 0.03, log=True)
    """How far the room moves in the frame, as a share of the frame's width."""


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """The beginning of a bona fide clip."""

    frames: list[UInt8[np.ndarray, "height width 3"]]
    """RGB, 0..255; sides are even."""
    meshes: Float[np.ndarray, "frames 468 3"]
    """Of the face on each, in pixels from the upper left corner."""
    rate: float
    """Frames in a second."""
    room: UInt8[np.ndarray, "height width 3"]
    """What is behind the person; what the person hides is made up from what is around."""


@dataclass(frozen=True, slots=True, eq=False)
class Take:
    """One presentation, to be recorded."""

    frames: Iterator[UInt8[np.ndarray, "height width 3"]]
    crf: int
    parameters: dict[str, str]


def read_clip(path: Path, pool: DecoderPool, detector: Detector, mesh: FaceMesh) -> Clip:
    """Decode a clip's beginning and find the face in it.

    Args:
        path: Of a video.
        pool: Decodes it.
        detector: Finds the face.
        mesh: Fits it.

    Raises:
        MediaError: it is not decoded.
        DataError: it has too few frames, or the face is missing in too many.
    """
    media = pool.read_media(read_file(path, pool.limits), 1 / MAX_RATE)
    taken = _beginning(media)
    if len(taken) < 2:
        raise DataError(f"expected a video, got {len(taken)} frame: film at least a second")
    tracker = Tracker(detector, mesh)
    seen = [tracker.look(frame.pixels).face for frame in taken]
    there = [number for number, face in enumerate(seen) if face is not None]
    if len(there) < MIN_SEEN * len(taken):
        raise DataError(
            f"expected a face in {MIN_SEEN:.0%} of the frames, found one in {len(there)} of "
            f"{len(taken)}: leave the clip out, or film it anew"
        )
    # A frame without the face gets the mesh of the nearest that has one.
    nearest = [min(there, key=lambda other: abs(other - number)) for number in range(len(taken))]
    points = [face.mesh.points for number in nearest if (face := seen[number]) is not None]
    first = taken[there[0]].pixels
    room = separate(first, points[there[0]]).background
    steps = np.diff([frame.time_s for frame in taken])
    rate = round(1 / float(np.median(steps)), 3)
    return Clip(
        [frame.pixels for frame in taken],
        np.stack(points),
        rate,
        np.asarray(np.clip(np.rint(room), 0, 255), np.uint8),
    )


def film_bona_fide(clip: Clip, source: str, seed: int) -> Take:
    """The clip itself, framed anew, through a camera like those that film attacks, and its coding.

    So neither framing nor the camera's noise nor the coding tells a bona fide clip from an attack.
    """
    generator = generator_of(seed, source, BONA_FIDE, 0)
    camera = draw(Camera, generator)
    filming = Filming(camera, generator)
    framing, window = _framed(clip, generator)
    frames = (filming.film(to_light(_seen(frame, window))) for frame in clip.frames)
    return Take(frames, camera.crf, numbers(framing, "framing_") | numbers(camera, "camera_"))


def film_attack(clip: Clip, source: str, species: str, number: int, seed: int) -> Take:
    """An attack made of the clip, before the clip's own room.

    Args:
        clip: Of the person.
        source: Its name.
        species: A PAI species.
        number: Which of the attacks of that species it is.
        seed: Of the whole.
    """
    generator = generator_of(seed, source, species, number)
    camera = draw(Camera, generator)
    framing, window = _framed(clip, generator)
    middle, size = _face(clip)
    height, width, _ = clip.room.shape
    x, y = ((middle - window.corner) * window.scale - np.array([width, height]) / 2) / width
    shake = draw(Shake, generator)
    made = simulate(
        species,
        clip.frames,
        clip.meshes[:, :, :2],
        _Rooms(clip, window, shake, generator),
        clip.rate,
        camera,
        generator,
        float(size[0]) * window.scale / width,
        (float(x), float(y)),
    )
    drawn = numbers(framing, "framing_") | numbers(shake, "shake_")
    return Take(made.frames, camera.crf, drawn | made.parameters)


def generator_of(seed: int, source: str, species: str, number: int) -> np.random.Generator:
    """Random numbers of one output: the same whatever else is made."""
    name = "\0".join((source, species, str(number))).encode()
    return np.random.default_rng([seed, int.from_bytes(hashlib.sha256(name).digest())])


@dataclass(frozen=True, slots=True, eq=False)
class _Window:
    """The part of a clip's frames that is shown, in their shape."""

    corner: Float[np.ndarray, " 2"]
    """(x, y) of its upper left, in pixels of the clip."""
    scale: float
    """Pixels shown for one of the clip."""


class _Rooms(Sequence[UInt8[np.ndarray, "height width 3"]]):
    """What a hand sees of the clip's room, frame by frame; made when it is asked for."""

    def __init__(
        self, clip: Clip, window: _Window, shake: Shake, generator: np.random.Generator
    ) -> None:
        width = clip.room.shape[1]
        extent = Pose(x_px=shake.room * width, y_px=0.8 * shake.room * width)
        self._room, self._window = clip.room, window
        self._path = hand_held(len(clip.frames), clip.rate, extent, generator)

    def __len__(self) -> int:
        return len(self._path)

    def __getitem__(self, number: Any) -> Any:
        pose = self._path[number]
        moved = np.array([pose.x_px, pose.y_px]) / self._window.scale
        return _seen(self._room, replace(self._window, corner=self._window.corner - moved))


def _face(clip: Clip) -> tuple[Float[np.ndarray, " 2"], Float[np.ndarray, " 2"]]:
    """Middle and size of the face over all frames, (x, y) in pixels."""
    low, high = clip.meshes[:, :, :2].min(axis=1), clip.meshes[:, :, :2].max(axis=1)
    return np.median((low + high) / 2, axis=0), np.median(high - low, axis=0)


def _framed(clip: Clip, generator: np.random.Generator) -> tuple[Framing, _Window]:
    """Draw how a clip is framed: a window that lies inside its frames, and what came of the draw.

    The face stays about where it is in the frame. Nothing beyond the clip's frames is known, so
    it never gets smaller, and where the window meets their edge the shift ends.
    """
    wanted = draw(Framing, generator)
    height, width, _ = clip.frames[0].shape
    frame = np.array([width, height])
    middle, size = _face(clip)
    room = 2 * np.minimum(middle, frame - middle)  # As wide a face could be there.
    scale = max(min(wanted.scale, float((MAX_FACE * room / size).min())), 1.0)
    most = frame * (1 - 1 / scale)
    shift = np.array([wanted.x, wanted.y]) * width / scale
    corner = np.clip(middle * (1 - 1 / scale) - shift, 0, np.maximum(most, 0))
    x, y = (((middle - corner) * scale - middle) / width).tolist()
    return Framing(scale, x, y), _Window(np.asarray(corner), scale)


def _seen(
    pixels: UInt8[np.ndarray, "height width 3"], window: _Window
) -> UInt8[np.ndarray, "height width 3"]:
    """A window of a picture, as large as the picture; beyond its edges it is mirrored."""
    height, width, _ = pixels.shape
    x, y = -window.corner * window.scale + 0.5 * (window.scale - 1)
    move = np.array([[window.scale, 0, x], [0, window.scale, y]])
    border = cv2.BORDER_REFLECT_101
    seen = cv2.warpAffine(pixels, move, (width, height), flags=cv2.INTER_LINEAR, borderMode=border)
    return np.asarray(seen, np.uint8)


def _beginning(media: Media) -> list[Frame]:
    """Frames of the first seconds, not too large, with even sides."""
    taken: list[Frame] = []
    for frame in media.frames:
        if taken and frame.time_s - taken[0].time_s >= MAX_SECONDS:
            break
        taken.append(Frame(_fitted(frame.pixels), frame.time_s))
    return taken


def _fitted(
    pixels: UInt8[np.ndarray, "_height _width 3"],
) -> UInt8[np.ndarray, "height width 3"]:
    height, width, _ = pixels.shape
    shrink = min(1.0, MAX_SIDE_PX / max(height, width))
    if shrink < 1:
        size = (round(width * shrink), round(height * shrink))
        pixels = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
    height, width = (side - side % 2 for side in pixels.shape[:2])
    return np.ascontiguousarray(pixels[:height, :width])
