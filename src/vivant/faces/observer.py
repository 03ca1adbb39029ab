"""Looks at a video's frames one after the other, and says what it saw and what is wrong with it.

Preparation of training data and serving look with this class and no other.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8

from vivant.faces.detectors.detector import Detector
from vivant.faces.faults import clip_faults, frame_faults
from vivant.faces.identity import Changes, History, appearance
from vivant.faces.limits import QualityLimits
from vivant.faces.look import Look
from vivant.faces.mesh import FaceMesh
from vivant.faces.quality import measure, motion
from vivant.faces.track import Face, Tracker
from vivant.records import Finding, Frame

__all__ = ["Eyes", "Observer"]


@dataclass(frozen=True, slots=True, eq=False)
class Eyes:
    """The two models that see: loaded once, used by any number of observers at a time."""

    detector: Detector
    mesh: FaceMesh


class Observer:
    """Watches one video.

    Args:
        eyes: Finds and fits faces.
        limits: How well a face must be filmed.
    """

    def __init__(self, eyes: Eyes, limits: QualityLimits) -> None:
        self._tracker = Tracker(eyes.detector, eyes.mesh)
        self._limits = limits
        self._before: UInt8[np.ndarray, "height width 3"] | None = None
        self._history = History()
        self.looks: list[Look] = []
        """One for each frame, in the order of time."""
        self.face: Face | None = None
        """The face on the last frame, with its mesh; None where it was not seen."""

    def look(self, frame: Frame) -> Look:
        """Look at the next frame."""
        sighting = self._tracker.look(frame.pixels)
        face, others, moved = sighting.face, sighting.others, None
        self.face = face
        if face is None:
            look = Look(frame.time_s, others=others)
        else:
            if self._before is not None:
                moved = motion(self._before, frame.pixels, face)
            quality = measure(frame.pixels, face)
            self._history.add(frame.time_s, appearance(frame.pixels, face))
            look = Look(
                frame.time_s,
                others=others,
                box=face.box,
                quality=quality,
                faults=frame_faults(quality, self._limits),
                is_elsewhere=sighting.is_elsewhere,
                motion=moved,
            )
        self._before = frame.pixels
        self.looks.append(look)
        return look

    def faults(self, *, is_still: bool) -> tuple[Finding, ...]:
        """What is wrong with the video as a whole.

        Args:
            is_still: Whether it was a picture: then nobody asks it to move.
        """
        return clip_faults(self.looks, self.changes(), self._limits, is_still=is_still)

    def changes(self) -> Changes:
        """How much the face and the scene have changed at most."""
        return self._history.changes()

    def forget(self, before_s: float) -> None:
        """Let go of the looks before a time: a stream has no end."""
        self._history.forget(before_s)
        self.looks = [look for look in self.looks if look.time_s >= before_s]
