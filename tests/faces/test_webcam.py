"""The 20 webcam clips of bona fide people, against boxes that were written by hand.

`.pytest_cache/d/contact_sheet/webcam.png` shows what is asserted here, to be checked by eye.
"""

from itertools import pairwise

import cv2
import numpy as np
import pytest

from faces.filming import (
    CLIPS,
    HAND,
    NAMES,
    NO_CLIPS,
    Noted,
    codes,
    eyes,
    noted,
    watched,
    webcam,
)
from vivant.faces.identity import appearance, changes
from vivant.faces.limits import QualityLimits
from vivant.faces.look import Look
from vivant.faces.observer import Observer
from vivant.faces.track import Tracker
from vivant.geometry.boxes import iou
from vivant.records import FaceBox, Frame

pytestmark = pytest.mark.skipif(not CLIPS.is_dir(), reason=NO_CLIPS)

each_clip = pytest.mark.parametrize("name", NAMES)
WHITE, ORANGE = (255, 255, 255), (255, 140, 0)


def nearest(observer: Observer, time_s: float) -> int:
    """Position of the look nearest to a moment."""
    return int(np.argmin([abs(look.time_s - time_s) for look in observer.looks]))


def box_of(look: Look) -> FaceBox:
    assert look.box is not None
    return look.box


@each_clip
def test_face_is_seen_on_every_look(name: str) -> None:
    looks = watched(name).looks
    assert len(looks) >= HAND[name]["num_frames"] / 3
    assert all(look.box is not None for look in looks)
    assert not any(look.is_elsewhere for look in looks)


@each_clip
def test_box_is_the_one_written_by_hand(name: str) -> None:
    observer = watched(name)
    for note in noted(name):
        look = observer.looks[nearest(observer, note.time_s)]
        assert (
            abs(look.time_s - note.time_s) < 0.034
        )  # A frame off at most: looks are at each third.
        assert iou(box_of(look), note.face) >= 0.6


@each_clip
def test_face_has_the_width_of_a_webcams(name: str) -> None:
    assert all(50 <= box_of(look).width_px <= 85 for look in watched(name).looks)


@each_clip
def test_shirt_and_bystander_are_never_followed(name: str) -> None:
    others = [other for note in noted(name) for other in note.others]
    for look in watched(name).looks:
        assert all(iou(box_of(look), other) < 0.1 for other in others)


@each_clip
def test_print_on_the_shirt_is_no_second_face(name: str) -> None:
    assert all(look.others in (None, ()) for look in watched(name).looks)


@each_clip
def test_clip_has_no_fault_as_a_whole(name: str) -> None:
    observer = watched(name)
    assert codes(observer) == set()
    assert sum(look.is_usable for look in observer.looks) >= 5


@each_clip
def test_only_hands_and_far_tilts_make_looks_unusable(name: str) -> None:
    most = {"bird": 11, "walk": 2, "learn": 2}.get(name, 0)  # A fist; a head tilted far.
    faults = [[fault.code.value for fault in look.faults] for look in watched(name).looks]
    faulty = [named for named in faults if named]
    assert all(named == ["OCCLUDED"] for named in faulty)
    assert len(faulty) <= most


@each_clip
def test_box_does_not_jump(name: str) -> None:
    """Not between what is detected and what is followed either."""
    for before, after in pairwise(watched(name).looks):
        assert iou(box_of(before), box_of(after)) > 0.35
        assert 0.8 < box_of(after).width_px / box_of(before).width_px < 1.25


def test_clips_keep_the_distance_from_the_limits_that_the_limits_claim() -> None:
    """The numbers in the docstrings of `QualityLimits`."""
    looks = [look for name in NAMES for look in watched(name).looks]
    qualities = [look.quality for look in looks if look.quality is not None]
    assert 54 < min(q.face_px for q in qualities) < max(q.face_px for q in qualities) < 82.5
    assert 0.27 < min(q.sharpness for q in qualities) < max(q.sharpness for q in qualities) < 0.7
    unhindered = [
        look.quality.presence_logit
        for name in NAMES
        for look in watched(name).looks
        if name != "bird" and look.quality is not None
    ]
    assert np.mean(np.array(unhindered) > 15.5) > 0.95
    assert sum(logit < 12 for logit in unhindered) <= 3
    found = [of_clip(name) for name in NAMES]
    assert min(change.likeness for change in found) > 0.6
    assert max(change.colour for change in found) < 1.6
    assert max(change.scene for change in found) == 0
    assert min(look.motion for look in looks if look.motion is not None) > 0.7


def of_clip(name: str):
    tracker = Tracker(eyes().detector, eyes().mesh)
    seen = []
    for frame in webcam(name):
        face = tracker.look(frame.pixels).face
        if face is not None:
            seen.append(appearance(frame.pixels, face))
    return changes(seen)


def tile(frame: Frame, look: Look, note: Noted, title: str) -> np.ndarray:
    """The frame with the box that was followed in white and the one written by hand in orange."""
    picture = frame.pixels.copy()
    drawn = [(note.face, ORANGE), *((other, ORANGE) for other in note.others)]
    if look.box is not None:
        drawn.append((look.box, WHITE))
    for box, colour in drawn:
        corners = (round(box.x0), round(box.y0)), (round(box.x1), round(box.y1))
        cv2.rectangle(picture, *corners, colour, 2)
    cv2.putText(picture, title, (8, 470), cv2.FONT_HERSHEY_SIMPLEX, 0.9, WHITE, 2)
    return cv2.resize(picture, (320, 240), interpolation=cv2.INTER_AREA)


def test_contact_sheet_can_be_rebuilt(pytestconfig: pytest.Config) -> None:
    rows = []
    for name in NAMES:
        observer, frames = watched(name), webcam(name)
        row = []
        for note in noted(name):
            position = nearest(observer, note.time_s)
            look = observer.looks[position]
            shown = "" if look.box is None else f" IoU {iou(look.box, note.face):.2f}"
            row.append(tile(frames[position], look, note, f"{name} {look.time_s:.1f} s{shown}"))
        rows.append(np.hstack(row))
    sheet = np.hstack([np.vstack(rows[:10]), np.vstack(rows[10:])])
    path = pytestconfig.cache.mkdir("contact_sheet") / "webcam.png"
    assert cv2.imwrite(str(path), sheet[..., ::-1])
    assert sheet.shape == (2400, 1920, 3)


def test_limits_switched_off_leave_every_look_usable() -> None:
    for name in ("bird", "walk"):
        observer = Observer(eyes(), QualityLimits.off())
        for frame in webcam(name):
            assert observer.look(frame).is_usable
