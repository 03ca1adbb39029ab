"""Films that each have one thing wrong, frame by frame, for the page's judge on the device."""

from functools import lru_cache

import cv2
import numpy as np

from people import person, swaying


@lru_cache
def people() -> list[np.ndarray]:
    return swaying(20)


def crowd(i: int) -> np.ndarray:
    half = person(5 * np.sin(i), scale=1.2, seed=i)[:, 160:480]
    return np.hstack([half, half])


def turned(i: int) -> np.ndarray:
    matrix = cv2.getRotationMatrix2D((320, 240), 55, 1.0)
    return cv2.warpAffine(person(5 * np.sin(i), scale=1.5, seed=i), matrix, (640, 480))


def covered(i: int) -> np.ndarray:
    frame = person(3 * np.sin(i), scale=1.5, seed=i)
    frame[235:345, 235:405] = (60, 90, 60)
    return frame


def elsewhere(i: int) -> np.ndarray:
    shift = -200 if i < 3 else 200
    return person(shift + 5 * np.sin(i), scale=1.0, seed=i)


def gone(i: int) -> np.ndarray:
    return people()[i] if i < 4 else np.zeros_like(people()[i])


def joined(i: int) -> np.ndarray:
    frame = people()[i].copy()
    face = frame[100:380, 190:450].copy()
    if i >= 3:
        frame = 255 - frame
        frame[100:380, 190:450] = face
    return frame


FILMS = {
    "NO_FACE": lambda i: np.zeros((480, 640, 3), np.uint8),
    "STATIC_FRAMES": lambda i: people()[0],
    "TOO_DARK": lambda i: people()[i] // 8,
    "TOO_BRIGHT": lambda i: (people()[i] * 2.2).clip(0, 255).astype(np.uint8),
    "LOW_CONTRAST": lambda i: people()[i] // 8 + 110,
    "TOO_BLURRED": lambda i: cv2.GaussianBlur(people()[i], (0, 0), 6),
    "FACE_TOO_SMALL": lambda i: person(5 * np.sin(i), scale=0.4, seed=i),
    "FACE_CUT_OFF": lambda i: person(5 * np.sin(i) - 285, scale=1.5, seed=i),
    "MULTIPLE_FACES": crowd,
    "POSE": turned,
    "OCCLUDED": covered,
    "FACE_LOST": gone,
    "FACE_CHANGED by a jump": elsewhere,
    "FACE_CHANGED by a cut": joined,
}
NOT_HERE = ("the face is like itself", "the face's colour changes")
