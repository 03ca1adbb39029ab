"""PAI species cut_photo: a print with holes for the eyes, and a person's own eyes behind them."""

from collections.abc import Iterator
from dataclasses import astuple, dataclass

import cv2
import numpy as np
from jaxtyping import Float, Float32, UInt8

from vivant.attacks.camera import Filming, to_light
from vivant.attacks.eyelids import most_open
from vivant.attacks.paper import Paper, PaperLook
from vivant.attacks.pose import Pose, add_poses, hand_held
from vivant.attacks.ranges import one_of, ranged
from vivant.attacks.recapture import Places, lay_over, locate, three
from vivant.attacks.species.species import Species
from vivant.attacks.staging import Staging

__all__ = ["cut_photo"]

# Of the mesh, around each eye and around the lips.
_LEFT_EYE = (33, 246, 161, 160, 159, 158, 157, 173, 133, 155, 154, 153, 145, 144, 163, 7)
_RIGHT_EYE = (263, 466, 388, 387, 386, 385, 384, 398, 362, 382, 381, 380, 374, 373, 390, 249)
_LIPS = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 375, 321, 405, 314, 17, 84, 181, 91, 146)
_CORNERS = (33, 133, 362, 263)
_FINE_BITS = 4  # Corners of the holes to a 16th of a pixel.


@dataclass(frozen=True, slots=True)
class CutPhotoLook(PaperLook):
    """A print as `PaperLook` has it, cut out."""

    opening: float = ranged(1.25, 1.1, 1.5)
    """Size of a hole against the eye's contour."""
    raggedness: float = ranged(0.05, 0.0, 0.12)
    """How far the scissors went astray: share of a hole's size."""
    mouth: str = one_of("whole", "cut")
    """Whether there is a hole for the mouth too."""
    gap_cm: float = ranged(1.2, 0.4, 2.5, log=True)
    """How far behind the sheet the eyes are."""
    shade: float = ranged(0.6, 0.4, 0.85)
    """Light that reaches what is behind, against the sheet's."""
    slip: float = ranged(0.008, 0.002, 0.015)
    """How far the head moves behind the sheet: share of the picture's width."""


def cut_photo() -> Species:
    """A print worn as a mask: what is seen through its holes moves against it."""
    return Species("cut_photo", CutPhotoLook, _film, moves=True)


def _film(
    staging: Staging, filming: Filming, look: CutPhotoLook, generator: np.random.Generator
) -> Iterator[UInt8[np.ndarray, "frame_height frame_width 3"]]:
    """A print of the picture with the most open eyes; behind it are those of one after another."""
    height, width, _ = staging.pictures[0].shape
    printed = most_open(staging.meshes)
    holes = _holes(staging.meshes[printed], width, height, look, generator)
    paper = Paper(staging.pictures[printed], staging.scale, look, generator, holes)
    slip_px = look.slip * width * staging.scale
    slips = hand_held(len(staging.path), 30.0, Pose(1.5, 1.5, 1.0, slip_px, slip_px), generator)
    behind_px = look.gap_cm / look.picture_cm * width
    region = _region(holes, behind_px)
    aim = _aim(staging, behind_px)
    hands = paper.hands(staging.scale, staging.lens, generator)
    for number, (pose, inner) in enumerate(
        zip(staging.path, add_poses(staging.path, slips), strict=True)
    ):
        light = staging.behind(number)
        # Where no part sees the sheet, none sees what is behind it.
        found = paper.seen(pose, staging.lens, filming.camera)
        if found is not None:
            lay_over(
                light,
                _behind(staging, (printed, number), inner, behind_px, aim, region, look.shade),
            )
        lay_over(light, found)
        if hands is not None:
            lay_over(light, hands.seen(pose))
        yield filming.film(light)


def _behind(
    staging: Staging,
    numbers: tuple[int, int],
    pose: Pose,
    behind_px: float,
    aim: Float[np.ndarray, " 2"],
    region: Float32[np.ndarray, "height width 2"],
    shade: float,
) -> tuple[Places, Float32[np.ndarray, "part_height part_width 4"]] | None:
    """The person behind the sheet, near its holes: which part of the frame sees what.

    The eyes of another picture are brought to where they are on the printed one; there the person
    would hold them. The two numbers are of the printed picture and of the frame.
    """
    height, width, _ = region.shape
    places = locate(pose, (width, height), 1.0, staging.lens, behind_px=behind_px)
    if places is None:
        return None
    of_print, number = numbers
    shown = number if len(staging.pictures) > 1 else 0
    printed, worn = (staging.meshes[each, list(_CORNERS)] - 0.5 for each in (of_print, shown))
    to_shown = _similarity(printed, worn).astype(np.float32)
    x, y = places.columns - np.float32(aim[0]), places.rows - np.float32(aim[1])
    columns = to_shown[0, 0] * x + to_shown[0, 1] * y + to_shown[0, 2]
    rows = to_shown[1, 0] * x + to_shown[1, 1] * y + to_shown[1, 2]
    picture = staging.pictures[shown]
    found = cv2.remap(picture, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    there = cv2.remap(region, x, y, cv2.INTER_LINEAR)
    light = to_light(np.asarray(found, np.uint8)) * three(there[..., 0] * there[..., 1] * shade)
    return places, np.asarray(np.dstack([light, there[..., 0]]), np.float32)


def _aim(staging: Staging, behind_px: float) -> Float[np.ndarray, " 2"]:
    """How far beside its hole an eye is held, so that the camera sees it there: (x, y)."""
    poses = np.array([astuple(pose) for pose in staging.path])
    usual = Pose(*poses.mean(axis=0).tolist())
    x, y, z = np.array([usual.x_px, usual.y_px, staging.lens.focal_px]) @ usual.rotation()
    return behind_px * np.array([x / z, y / z])


def _similarity(
    start: Float[np.ndarray, "n 2"], there: Float[np.ndarray, "n 2"]
) -> Float[np.ndarray, "2 3"]:
    """The turn, scale and shift that bring points to others, by least squares."""
    first, other = (points - points.mean(axis=0) for points in (start, there))
    z, w = (points[:, 0] + 1j * points[:, 1] for points in (first, other))
    turn = (np.conj(z) @ w) / (np.conj(z) @ z)
    linear = np.array([[turn.real, -turn.imag], [turn.imag, turn.real]])
    shift = there.mean(axis=0) - linear @ start.mean(axis=0)
    return np.column_stack([linear, shift])


def _holes(
    mesh: Float[np.ndarray, "468 2"],
    width: int,
    height: int,
    look: CutPhotoLook,
    generator: np.random.Generator,
) -> Float32[np.ndarray, "{height} {width}"]:
    """Where the sheet is cut out, 0..1, in pixels of the picture."""
    mask = np.zeros((height, width), np.uint8)
    # An eye's contour is flat: scissors open it more in height than in width.
    eye, lips = np.array([1.0, 1.25]) * look.opening, np.array([1.0, 1.0]) * look.opening**0.5
    outlines = [(_LEFT_EYE, eye), (_RIGHT_EYE, eye)]
    for outline, larger in outlines + ([(_LIPS, lips)] if look.mouth == "cut" else []):
        points = mesh[list(outline)] - 0.5
        middle = points.mean(axis=0)
        size = np.ptp(points, axis=0).max()
        astray = generator.standard_normal(points.shape) * look.raggedness * size / 2
        astray = (astray + np.roll(astray, 1, axis=0)) / 2
        corners = np.rint(((points - middle) * larger + middle + astray) * 2**_FINE_BITS).astype(
            np.int32
        )
        cv2.fillPoly(mask, [corners], 255, cv2.LINE_AA, _FINE_BITS)
    return np.asarray(mask.astype(np.float32) / 255)


def _region(
    holes: Float32[np.ndarray, "height width"], behind_px: float
) -> Float32[np.ndarray, "height width 2"]:
    """What is behind the holes: cover, 0..1, and how much of the light gets there."""
    rows, columns = np.nonzero(holes > 0)
    region = np.zeros((*holes.shape, 2), np.float32)
    # The sheet's shadow: the deeper, the softer.
    lit = cv2.GaussianBlur(holes, (0, 0), max(0.3 * behind_px, 1.0))
    region[..., 1] = np.minimum(0.45 + lit, 1)
    if len(rows):  # As far as one may look through them from the side.
        reach = max(int(0.15 * np.ptp(columns)), 2)
        top, left = max(rows.min() - reach, 0), max(columns.min() - reach, 0)
        region[top : rows.max() + reach, left : columns.max() + reach, 0] = 1
    return region
