"""A synthetic person filmed in a room: what bona fide clips are, and what attacks show."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from vivant.attacks.acting import Acting
from vivant.attacks.camera import Camera, Filming, to_light
from vivant.attacks.light import Light
from vivant.attacks.person import Person
from vivant.attacks.pose import Pose
from vivant.errors import InputError

__all__ = ["MARGIN", "Scene", "film_person", "meshes_of", "views"]

MARGIN = 0.07
"""Of the frame's width: what a person and a room have beyond the frame at the sides and below."""


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """Where and when somebody is filmed."""

    room: UInt8[np.ndarray, "height width 3"]
    """RGB, 0..255; larger than the frames by the margin, as the person is."""
    light: Light
    """What falls on room and person."""
    acting: Acting
    """What person and hand do, frame by frame."""
    place: Pose = Pose()  # noqa: RUF009 -- frozen
    """Of the person in the frame: shift and scale."""


def views(
    room: UInt8[np.ndarray, "height width 3"],
    shake_px: Float[np.ndarray, "frames 2"],
    size: tuple[int, int],
) -> Iterator[UInt8[np.ndarray, "frame_height frame_width 3"]]:
    """What a camera in a hand sees of a room, frame by frame.

    Args:
        room: RGB, 0..255, larger than the frames by the margin.
        shake_px: By which all that is seen moves to the right and down.
        size: (width, height) of the frames.
    """
    margin = _margin_px(room, size)
    for x, y in shake_px.tolist():
        move = np.array([[1, 0, x - margin], [0, 1, y]])
        seen = cv2.warpAffine(
            room, move, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
        )
        yield np.asarray(seen, np.uint8)


def film_person(
    person: Person,
    scene: Scene,
    camera: Camera,
    size: tuple[int, int],
    generator: np.random.Generator,
) -> Iterator[UInt8[np.ndarray, "frame_height frame_width 3"]]:
    """Frames of a person, as a camera records them.

    Args:
        person: Who: larger than the frames by the margin.
        scene: Where and how.
        camera: What films.
        size: (width, height) of the frames.
        generator: Draws the noise.
    """
    width, height = size
    margin = _margin_px(scene.room, size)
    filming = Filming(camera, generator, scene.light)
    acting = scene.acting
    for number, view in enumerate(views(scene.room, acting.shake_px, size)):
        seen = person.seen(
            _pose(scene, number),
            scene.light,
            acting.eyelids[number],
            acting.smile[number],
            acting.brows[number],
        )[:height, margin : margin + width]
        light = to_light(view)
        light *= 1 - seen[..., 3:]
        light += seen[..., :3]
        yield filming.film(light)


def meshes_of(
    person: Person, scene: Scene, size: tuple[int, int]
) -> Float[np.ndarray, "frames 468 2"]:
    """Where the face's mesh is on each frame, (x, y) in pixels from the upper left corner."""
    off = np.array([_margin_px(scene.room, size) - 0.5, -0.5])
    return np.stack([person.mesh(_pose(scene, n)) - off for n in range(len(scene.acting))])


def _pose(scene: Scene, number: int) -> Pose:
    """Of the person on a frame: what it does, where it is, and what the hand does that films."""
    head, place = scene.acting.head[number], scene.place
    x, y = scene.acting.shake_px[number].tolist()
    return replace(
        head,
        x_px=head.x_px + place.x_px + x,
        y_px=head.y_px + place.y_px + y,
        scale=head.scale * place.scale,
    )


def _margin_px(room: UInt8[np.ndarray, "height width 3"], size: tuple[int, int]) -> int:
    """At each side, in pixels.

    Raises:
        InputError: the room is not larger than the frame.
    """
    margin = int(room.shape[1] - size[0]) // 2
    if margin < 1 or room.shape[0] < size[1]:
        raise InputError(
            f"expected a room wider than the frame of {size[0]}x{size[1]}, got "
            f"{room.shape[1]}x{room.shape[0]}"
        )
    return margin
