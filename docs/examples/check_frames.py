"""Judges frames that you decoded yourself, and reads the verdict.

    python docs/examples/check_frames.py

The face is scikit-image's astronaut (public domain), swaying before a camera; the model is
UNTRAINED.
"""

import tempfile
from pathlib import Path

import cv2
import numpy as np
import skimage.data

from vivant.networks.checkpoint import save_checkpoint
from vivant.networks.models import lite
from vivant.networks.network import Network
from vivant.session.session import Session
from vivant.session.verdict import Decision


def swaying(num_frames: int) -> list[np.ndarray]:
    """Frames (480, 640, 3), RGB, 0.1 s apart."""
    picture = skimage.data.astronaut()
    frames = []
    for i in range(num_frames):
        shift = np.array([[1.5, 0, 6 * np.sin(i / 2) - 20], [0, 1.5, 4 * np.cos(i / 3)]])
        frame = cv2.warpAffine(picture, shift, (640, 480), borderMode=cv2.BORDER_REFLECT)
        frames.append(np.asarray(frame, np.uint8))
    return frames


with tempfile.TemporaryDirectory() as folder:
    card = save_checkpoint(Network(lite()), Path(folder), "lite")
    with Session.open(card) as session:
        frames = swaying(20)
        verdict = session.check_frames(frames, [0.1 * i for i in range(len(frames))])

if verdict.decision is Decision.BONA_FIDE:
    print("bona fide")
elif verdict.decision is Decision.ATTACK:
    print("attack")
else:  # Doubt is never a pass.
    for reason in verdict.reasons:
        print(f"no decision, {reason.code}: {reason.message}")
for caution in verdict.cautions:
    print(f"{caution.code}: {caution.message}")
for window in verdict.windows:
    assert window.patch_boxes is not None
    boxes = window.patch_boxes[-1].round().astype(int).tolist()
    print(f"{window.times_s[0]:.1f} s: score {window.bona_fide_score:.3f}, patches at {boxes}")
