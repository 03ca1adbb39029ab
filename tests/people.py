"""A face in motion for tests: scikit-image's astronaut (public domain), swaying before a camera."""

from functools import lru_cache

import cv2
import numpy as np
import skimage.data

from media import video

FACE_PX = 107  # Width of the astronaut's face box in the picture of 512x512.


def person(shift_x: float = 0, shift_y: float = 0, scale: float = 1.0, seed: int = 0) -> np.ndarray:
    """One frame of 640x480 with the face in the middle, with a camera's noise."""
    matrix = np.array(
        [[scale, 0, 320 - 226 * scale + shift_x], [0, scale, 240 - 121 * scale + shift_y]]
    )
    frame = cv2.warpAffine(
        skimage.data.astronaut(),
        matrix,
        (640, 480),
        flags=cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_REFLECT,
    )
    noise = np.random.default_rng(seed).normal(0, 2, frame.shape)
    return (frame + noise).clip(0, 255).astype(np.uint8)


def swaying(num_frames: int, scale: float = 1.5) -> list[np.ndarray]:
    """Frames 0.1 s apart of a person who sways a little."""
    return [person(6 * np.sin(i / 2), 4 * np.cos(i / 3), scale, seed=i) for i in range(num_frames)]


@lru_cache
def person_video(num_frames: int = 20) -> bytes:
    """The same as MP4, ten frames a second."""
    return video(swaying(num_frames), rate=10, codec="libx264", options={"crf": "18"})
