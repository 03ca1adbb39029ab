"""An attack made of a bona fide clip: its parameters are drawn, its frames filmed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8

from vivant.attacks.camera import Camera, Filming
from vivant.attacks.eyelids import most_open
from vivant.attacks.pose import Pose, add_poses, hand_held
from vivant.attacks.ranges import draw, numbers, one_of, ranged
from vivant.attacks.species.species import Species
from vivant.attacks.staging import Staging
from vivant.errors import InputError, UnknownNameError
from vivant.plugins import discover

__all__ = ["Hold", "Simulation", "simulate", "species_by_name"]

SPECIES = "vivant.attacks.species"
_STEADY = 0.03  # What is left of a hand's motion where a stand holds the instrument.


@dataclass(frozen=True, slots=True)
class Hold:
    """Where an instrument is held, and how still: of any PAI species."""

    face: float = ranged(0.4, 0.25, 0.6, log=True)
    """Width of the face, as a share of the frame's: what a person's own would be."""
    portrait: float = ranged(2.2, 1.6, 3.4, log=True)
    """Width of the picture that is shown against that of the face in it, where there is so much:
    a wide one fills the frame."""
    headroom: float = ranged(1.3, 1.0, 1.5)
    """Height of the picture that is shown against its width, where there is so much."""
    x: float = ranged(0.0, -0.07, 0.07)
    """Of the face from the frame's middle to the right, as a share of the frame's width."""
    y: float = ranged(0.0, -0.06, 0.06)
    """Of the face from the frame's middle down, as a share of the frame's width."""
    yaw_deg: float = ranged(0.0, -12.0, 12.0)
    """How the instrument is turned, on average: see `Pose`."""
    pitch_deg: float = ranged(0.0, -9.0, 9.0)
    roll_deg: float = ranged(0.0, -6.0, 6.0)
    support: str = one_of("hand", "stand")
    """What holds it."""
    sway: float = ranged(1.0, 0.4, 1.6)
    """How much a hand moves it, against the usual: 6 degrees, 2 % of the frame's width, 3 % of the
    distance."""


@dataclass(frozen=True, slots=True, eq=False)
class Simulation:
    """One presentation of an attack."""

    frames: Iterator[UInt8[np.ndarray, "frame_height frame_width 3"]]
    """RGB, 0..255; made while they are taken."""
    parameters: dict[str, str]
    """What was drawn, as columns of a data set's row."""
    pai_species: str


def simulate(
    species: str,
    pictures: Sequence[UInt8[np.ndarray, "height width 3"]],
    meshes: Float[np.ndarray, "pictures 468 2"],
    scenes: Sequence[UInt8[np.ndarray, "frame_height frame_width 3"]],
    frame_rate: float,
    camera: Camera,
    generator: np.random.Generator,
    face: float | None = None,
    at: tuple[float, float] | None = None,
) -> Simulation:
    """Draw how an attack looks and is held, and film it.

    The portrait is cut out of the pictures here. The face comes to the place and the size that it
    would have without the attack, so neither tells of it.

    Args:
        species: A PAI species: a key of `species_by_name`.
        pictures: The bona fide clip's frames, RGB, 0..255, all of one size: as many as frames are
            wanted, or one.
        meshes: (x, y) of the face's mesh in pixels of each picture, from its upper left corner.
        scenes: What is behind the instrument, RGB, 0..255, of the size of the frames: one, or one
            for each frame. Say where bona fide clips are filmed, or the room gives the attack away.
        frame_rate: Of the frames, in a second.
        camera: What films the attack.
        generator: Draws all else. The same generator, the same frames.
        face: Width of the face, as a share of the frame's, such as a bona fide clip has it; None:
            it is drawn.
        at: (x, y) of the face, as `Hold` has them, likewise.

    Raises:
        UnknownNameError: no such PAI species.
        InputError: pictures, meshes and scenes that do not belong together.
    """
    if not pictures or not scenes or len(meshes) != len(pictures):
        raise InputError(
            "expected pictures, a mesh for each and at least one scene, got "
            f"{len(pictures)}, {len(meshes)} and {len(scenes)}"
        )
    known = species_by_name()
    if species not in known:
        raise UnknownNameError("PAI species", species, known)
    of_species = known[species]
    of_look, of_hold, of_film, of_noise = generator.spawn(4)
    look = draw(of_species.look, of_look)
    given = {} if face is None else {"face": face}
    hold = draw(Hold, of_hold, **(given if at is None else given | {"x": at[0], "y": at[1]}))
    num_frames = max(len(scenes), len(pictures))
    if not of_species.moves:
        chosen = most_open(meshes)
        pictures, meshes = pictures[chosen : chosen + 1], meshes[chosen : chosen + 1]
    pictures, meshes = _portraits(pictures, meshes, hold)
    path = _path(pictures[0].shape, meshes, scenes[0].shape, num_frames, frame_rate, hold, of_hold)
    staging = Staging(pictures, meshes, scenes, path)
    frames = of_species.film(staging, Filming(camera, of_noise), look, of_film)
    parameters = numbers(hold, "hold_") | numbers(look, f"{species}_") | numbers(camera, "camera_")
    return Simulation(frames, parameters, species)


def species_by_name() -> dict[str, Species]:
    """The plug-ins of `vivant.attacks.species` by PAI species.

    Raises:
        InputError: two plug-ins give themselves out for one species.
    """
    built: dict[str, Species] = {}
    for name, build in discover(SPECIES).items():
        each: Species = build()
        if each.pai_species in built:
            raise InputError(f"{name} is a second plug-in for the PAI species {each.pai_species!r}")
        built[each.pai_species] = each
    return dict(sorted(built.items()))


def _portraits(
    pictures: Sequence[UInt8[np.ndarray, "height width 3"]],
    meshes: Float[np.ndarray, "pictures 468 2"],
    hold: Hold,
) -> tuple[
    list[UInt8[np.ndarray, "portrait_height portrait_width 3"]],
    Float[np.ndarray, "pictures 468 2"],
]:
    """The pictures, cut to the head and what is about it; one cut for all."""
    height, width, _ = pictures[0].shape
    middle, face_px = _face(meshes)
    wide = min(hold.portrait * face_px, width)
    tall = min(hold.headroom * wide, height)
    # A little more below the face than above it, as portraits have it.
    left = int(np.clip(middle[0] - wide / 2, 0, width - wide))
    top = int(np.clip(middle[1] - 0.47 * tall, 0, height - tall))
    part = (slice(top, top + int(tall)), slice(left, left + int(wide)))
    return [np.ascontiguousarray(each[part]) for each in pictures], meshes - [left, top]


def _path(
    picture_shape: tuple[int, ...],
    meshes: Float[np.ndarray, "pictures 468 2"],
    frame_shape: tuple[int, ...],
    num_frames: int,
    frame_rate: float,
    hold: Hold,
    generator: np.random.Generator,
) -> tuple[Pose, ...]:
    """Where the instrument is, frame by frame."""
    frame_width = frame_shape[1]
    middle, face_px = _face(meshes)
    scale = hold.face * frame_width / face_px
    off = scale * (middle - np.array([picture_shape[1], picture_shape[0]]) / 2)
    place = Pose(
        hold.yaw_deg,
        hold.pitch_deg,
        hold.roll_deg,
        hold.x * frame_width - float(off[0]),
        hold.y * frame_width - float(off[1]),
        scale,
    )
    much = hold.sway * (_STEADY if hold.support == "stand" else 1.0)
    far = 0.02 * frame_width * much
    extent = Pose(6 * much, 4.5 * much, 2.2 * much, far, 0.6 * far, 1 + 0.03 * much)
    around = hand_held(num_frames, frame_rate, extent, generator)
    return add_poses([place] * num_frames, around)


def _face(meshes: Float[np.ndarray, "pictures 468 2"]) -> tuple[Float[np.ndarray, " 2"], float]:
    """(x, y) of the face's middle over all pictures, and its width, in pixels."""
    low, high = meshes.min(axis=1), meshes.max(axis=1)
    middle = np.median((low + high) / 2, axis=0)
    return np.asarray(middle), float(np.median(high[:, 0] - low[:, 0]))
