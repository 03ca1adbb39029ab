"""A public-domain portrait that moves, for `scripts/attack_sheet.py`.

The face is `skimage.data.astronaut()`, a picture by NASA in the public domain that ships with
scikit-image, moved in three dimensions. The pixels are the same on every run.
"""

import cv2
import numpy as np
from jaxtyping import Float, UInt8
from skimage import data

from vivant.attacks.motion import MovingHead
from vivant.attacks.pose import Pose, add_poses, hand_held
from vivant.faces.detectors.blazeface import blazeface
from vivant.faces.mesh import FaceMesh, region_of_box

WIDTH, HEIGHT = 640, 480
FRAME_RATE = 30
NUM_FRAMES = 90
SEED = 7
SCALE = 1.75  # The face becomes 187 pixels wide.
MARGIN = 24  # Pixels of the scaled picture beyond the frame, left, right and below.
LEFT = 43  # Of the astronaut: the face comes to the middle.
BLINK_AT = 52  # Frame.


def head_and_shoulders() -> UInt8[np.ndarray, "height width 3"]:
    """The astronaut, larger, with `MARGIN` about the frame."""
    reach = MARGIN / SCALE
    width, height = WIDTH + 2 * MARGIN, HEIGHT + MARGIN
    to_picture = np.array([[SCALE, 0, -SCALE * (LEFT - reach)], [0, SCALE, 0]])
    astronaut: UInt8[np.ndarray, "512 512 3"] = data.astronaut()
    picture = cv2.warpAffine(astronaut, to_picture, (width, height), flags=cv2.INTER_CUBIC)
    return np.asarray(picture, np.uint8)


def move_head(
    picture: UInt8[np.ndarray, "height width 3"], generator: np.random.Generator
) -> tuple[
    list[UInt8[np.ndarray, "frame_height frame_width 3"]], Float[np.ndarray, "frames 468 2"]
]:
    """The person looks to one side and to the other, nods a little, and blinks once.

    Returns:
        The frames, and the face's mesh on each.
    """
    found = blazeface().detect(picture)[0]
    mesh = FaceMesh().fit(picture, region_of_box(found.box, found.eyes))
    head = MovingHead(picture, mesh.points)
    phase = 2 * np.pi * np.arange(NUM_FRAMES) / NUM_FRAMES
    looking = [
        Pose(
            yaw_deg=float(9 * np.sin(angle)),
            pitch_deg=float(3.5 * np.sin(2 * angle + 0.6)),
            roll_deg=float(1.5 * np.sin(angle + 0.8)),
            x_px=float(5 * np.sin(angle - 0.3)),
        )
        for angle in phase
    ]
    extent = Pose(1.5, 1.2, 1.0, 3, 2.5, 1.012)
    path = add_poses(looking, hand_held(NUM_FRAMES, FRAME_RATE, extent, generator))
    lids = np.interp(np.arange(NUM_FRAMES), BLINK_AT + np.array([-4, -1, 1, 5]), [0, 1, 1, 0])
    frames = [
        np.ascontiguousarray(head.frame(pose, float(lid))[:HEIGHT, MARGIN : MARGIN + WIDTH])
        for pose, lid in zip(path, lids, strict=True)
    ]
    return frames, np.stack([head.move(mesh.points, pose) for pose in path]) - [MARGIN, 0]


def room(generator: np.random.Generator) -> UInt8[np.ndarray, "height width 3"]:
    """A room out of focus: a wall, a window, a shelf, a table."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    wall = np.array([176, 168, 154]) - 40 * (x / WIDTH)[..., None] - 25 * (y / HEIGHT)[..., None]
    scene = np.ascontiguousarray(wall, np.float32)
    cv2.rectangle(scene, (30, -10), (190, 210), (226, 234, 240), -1)
    cv2.line(scene, (110, -10), (110, 210), (150, 148, 142), 8)
    for at in range(430, 640, 26):
        colour = generator.uniform(40, 190, 3).tolist()
        top = int(generator.integers(60, 110))
        cv2.rectangle(scene, (at, top), (at + 20, 170), colour, -1)
    cv2.rectangle(scene, (415, 170), (660, 182), (96, 70, 50), -1)
    cv2.rectangle(scene, (-10, 400), (660, 490), (118, 88, 62), -1)
    soft = cv2.GaussianBlur(scene, (0, 0), 7)
    return np.asarray(np.clip(soft, 0, 255), np.uint8)
