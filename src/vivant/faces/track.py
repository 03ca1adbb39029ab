"""Follows one face through a video: found every few frames, followed by its mesh in between."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8

from vivant.faces.detectors.detector import Detection, Detector
from vivant.faces.mesh import FaceMesh, Mesh, region_of_box, region_of_points
from vivant.geometry.boxes import iou
from vivant.records import FaceBox

__all__ = ["Face", "Sighting", "Tracker"]

_DETECT_EVERY = 3  # Looks: 0.3 s. In between the mesh follows, at half the cost.
_UNFOUND = 9  # Looks: 0.9 s, for which the mesh may follow a face that the detector misses.
_MAX_CANDIDATES = 4  # Detections of one frame whose mesh is asked for.
_MIN_PRESENCE = 0.0  # Logit: as likely a face as not.
_SAME_FACE = 0.1  # Overlap with where the face was: 0.1 s on it has not gone its own width.
_CENTRAL = 0.5  # How much of its weight a face loses from the middle to a corner.


@dataclass(frozen=True, slots=True, eq=False)
class Face:
    """The face that is followed, on one frame."""

    box: FaceBox
    mesh: Mesh


@dataclass(frozen=True, slots=True, eq=False)
class Sighting:
    """What one look at a frame found."""

    face: Face | None
    """The face that is followed; None where it is not seen."""
    others: tuple[FaceBox, ...] | None
    """The other faces; None where the frame was not searched for them."""
    is_elsewhere: bool
    """Whether the face appeared where the one before it was not: perhaps another's."""


class Tracker:
    """Follows one face; feed it the frames of one video in order.

    The face followed is the largest and most central one of the first frame that has any. It is
    kept by where it is: a larger face that comes later is another face, and counted as one.

    Args:
        detector: Finds faces.
        mesh: Says whether a find is a face, and follows it.
    """

    def __init__(self, detector: Detector, mesh: FaceMesh) -> None:
        self._detector = detector
        self._mesh = mesh
        self._found: Face | None = None  # As last detected: the mesh moves its box.
        self._last: Face | None = None  # As last seen.
        self._looks_since_found = 0
        self._is_lost = True

    def look(self, pixels: UInt8[np.ndarray, "height width 3"]) -> Sighting:
        """Follow the face to the next frame.

        Args:
            pixels: RGB, 0..255, of the same size as the frames before.
        """
        self._looks_since_found += 1
        if self._is_lost or self._looks_since_found >= _DETECT_EVERY:
            return self._search(pixels, can_follow=not self._is_lost)
        face = self._follow(pixels)
        if face is None:
            return self._search(pixels, can_follow=False)
        self._last = face
        return Sighting(face, None, is_elsewhere=False)

    def _follow(self, pixels: UInt8[np.ndarray, "height width 3"]) -> Face | None:
        assert self._last is not None
        assert self._found is not None
        mesh = self._mesh.fit(pixels, region_of_points(self._last.mesh.points))
        if mesh.presence_logit < _MIN_PRESENCE:
            return None
        return Face(_moved(self._found, mesh), mesh)

    def _search(self, pixels: UInt8[np.ndarray, "height width 3"], *, can_follow: bool) -> Sighting:
        """Ask the detector; and the mesh, where it did not find the face that was there before."""
        candidates = [
            Face(found.box, mesh)
            for found in self._detector.detect(pixels)[:_MAX_CANDIDATES]
            if (mesh := self._confirm(pixels, found)) is not None
        ]
        before = self._last
        height, width, _ = pixels.shape
        if before is None:
            candidates.sort(key=lambda face: _weight(face.box, width, height), reverse=True)
        else:
            candidates.sort(key=lambda face: iou(face.box, before.box), reverse=True)
        is_there = [_is_same(face, before) for face in candidates]
        if can_follow and not any(is_there) and self._looks_since_found < _UNFOUND:
            missed = self._follow(pixels)
            if missed is not None:
                self._last = missed
                return Sighting(missed, tuple(f.box for f in candidates), is_elsewhere=False)
        if not candidates:
            self._is_lost = True
            return Sighting(None, (), is_elsewhere=False)
        face = candidates[0]
        is_elsewhere = not is_there[0]
        self._found = self._last = face
        self._looks_since_found = 0
        self._is_lost = False
        return Sighting(face, tuple(other.box for other in candidates[1:]), is_elsewhere)

    def _confirm(
        self, pixels: UInt8[np.ndarray, "height width 3"], found: Detection
    ) -> Mesh | None:
        mesh = self._mesh.fit(pixels, region_of_box(found.box, found.eyes))
        return mesh if mesh.presence_logit >= _MIN_PRESENCE else None


def _is_same(face: Face, before: Face | None) -> bool:
    """Whether a face is where the one before it was, if there was one."""
    return before is None or iou(face.box, before.box) >= _SAME_FACE


def _weight(box: FaceBox, width: int, height: int) -> float:
    """Area, less for faces away from the middle."""
    x, y = box.centre
    away = np.hypot(x / width - 0.5, y / height - 0.5) / np.hypot(0.5, 0.5)
    return float(box.width_px * box.height_px * (1 - _CENTRAL * away))


def _moved(found: Face, mesh: Mesh) -> FaceBox:
    """The detected box, moved and scaled as the mesh has since."""
    middle = mesh.points[:, :2].mean(axis=0)
    middle_found = found.mesh.points[:, :2].mean(axis=0)
    scale = _spread(mesh) / _spread(found.mesh)
    corners = np.array([[found.box.x0, found.box.y0], [found.box.x1, found.box.y1]])
    moved = middle + scale * (corners - middle_found)
    return FaceBox(*(float(edge) for edge in moved.reshape(-1)))


def _spread(mesh: Mesh) -> float:
    # In depth too: a head that turns gets narrower in x and y but not smaller.
    return float(mesh.points.std(axis=0).sum())
