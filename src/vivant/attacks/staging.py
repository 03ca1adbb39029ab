"""What an attack is filmed from: pictures of a person, a room, and how the instrument is moved."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, UInt8

from vivant.attacks.camera import to_light
from vivant.attacks.pose import Pose
from vivant.attacks.recapture import Lens
from vivant.errors import InputError

__all__ = ["Staging"]


@dataclass(frozen=True, slots=True, eq=False)
class Staging:
    """What is shown, before what, and where: for as many frames as the path is long."""

    pictures: Sequence[UInt8[np.ndarray, "height width 3"]]
    """What the instrument shows, RGB, 0..255: one picture, or one for each frame."""
    meshes: Float[np.ndarray, "pictures 468 2"]
    """(x, y) of the face's mesh in pixels of each picture, from its upper left corner."""
    scenes: Sequence[UInt8[np.ndarray, "frame_height frame_width 3"]]
    """What the camera sees behind, RGB, 0..255, of the size of the frames: one, or one for each."""
    path: Sequence[Pose]
    """Where the instrument is, frame by frame. At scale 1 a pixel of the picture is one of the
    frame; at rest the picture's middle is the frame's."""

    def __post_init__(self) -> None:
        for name, given in (("picture", self.pictures), ("scene", self.scenes)):
            if len(given) not in (1, len(self.path)):
                raise InputError(
                    f"expected one {name} or {len(self.path)}, one for each frame, got {len(given)}"
                )
            if len({each.shape for each in given}) > 1:
                raise InputError(f"expected {name}s of one size")
        if self.meshes.shape != (len(self.pictures), 468, 2):
            raise InputError(
                f"expected a mesh of 468 points (x, y) for each of {len(self.pictures)} pictures, "
                f"got {self.meshes.shape}"
            )

    @property
    def lens(self) -> Lens:
        """The camera's, and the size of the frames."""
        height, width, _ = self.scenes[0].shape
        return Lens(width, height)

    @property
    def scale(self) -> float:
        """The largest of the path: so large the picture has to be drawn."""
        return max(pose.scale for pose in self.path)

    def behind(self, number: int) -> Float32[np.ndarray, "frame_height frame_width 3"]:
        """Linear light of what is behind the instrument on a frame."""
        return to_light(self.scenes[number if len(self.scenes) > 1 else 0])
