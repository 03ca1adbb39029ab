"""One bona fide clip, and what is made of it: itself in another coding, and attacks."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from vivant.attacks.camera import Camera, Filming, to_light
from vivant.attacks.layers import separate
from vivant.attacks.ranges import draw, numbers
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
_FACE = (0.85, 1.2)  # Width of the face in an attack against that in the clip.


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
    """The clip itself, through a camera like those that film the attacks, and its coding.

    So neither the camera's noise nor the coding tells a bona fide clip from an attack.
    """
    generator = generator_of(seed, source, BONA_FIDE, 0)
    camera = draw(Camera, generator)
    filming = Filming(camera, generator)
    frames = (filming.film(to_light(frame)) for frame in clip.frames)
    return Take(frames, camera.crf, numbers(camera, "camera_"))


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
    low, high = clip.meshes[:, :, 0].min(axis=1), clip.meshes[:, :, 0].max(axis=1)
    face = float(np.median(high - low)) / clip.frames[0].shape[1]
    wanted = min(face * float(generator.uniform(*_FACE)), 0.8)
    made = simulate(
        species,
        clip.frames,
        clip.meshes[:, :, :2],
        [clip.room],
        clip.rate,
        camera,
        generator,
        wanted,
    )
    return Take(made.frames, camera.crf, made.parameters)


def generator_of(seed: int, source: str, species: str, number: int) -> np.random.Generator:
    """Random numbers of one output: the same whatever else is made."""
    name = "\0".join((source, species, str(number))).encode()
    return np.random.default_rng([seed, int.from_bytes(hashlib.sha256(name).digest())])


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
