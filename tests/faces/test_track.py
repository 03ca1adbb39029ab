import numpy as np
import pytest

from faces.filming import ASTRONAUT, Told, astronaut, eyes, moved
from vivant.faces.detectors.detector import Detection
from vivant.faces.track import Sighting, Tracker
from vivant.geometry.boxes import iou
from vivant.records import FaceBox


class Counted:
    """A detector that counts how often it is asked."""

    def __init__(self) -> None:
        self.count = 0

    def detect(self, pixels: np.ndarray) -> tuple[Detection, ...]:
        self.count += 1
        return eyes().detector.detect(pixels)


def room(*faces: tuple[int, int]) -> np.ndarray:
    """A grey frame of 800x450 with the astronaut's head at these places."""
    frame = np.full((450, 800, 3), 128, np.uint8)
    for x, y in faces:
        frame[y : y + 200, x : x + 200] = astronaut()[10:210, 126:326]
    return frame


def box_in_room(x: int, y: int) -> FaceBox:
    a = ASTRONAUT
    return FaceBox(a.x0 - 126 + x, a.y0 - 10 + y, a.x1 - 126 + x, a.y1 - 10 + y)


def tracker() -> Tracker:
    return Tracker(eyes().detector, eyes().mesh)


def is_at(sighting: Sighting, x: int, y: int) -> bool:
    return sighting.face is not None and iou(sighting.face.box, box_in_room(x, y)) > 0.6


def test_detector_is_asked_every_third_look() -> None:
    detector = Counted()
    following = Tracker(detector, eyes().mesh)
    counts, searched = [], []
    for _ in range(7):
        sighting = following.look(astronaut())
        counts.append(detector.count)
        searched.append(sighting.others is not None)
    assert counts == [1, 1, 1, 2, 2, 2, 3]
    assert searched == [True, False, False, True, False, False, True]


def test_lost_face_is_searched_on_every_look() -> None:
    detector = Counted()
    following = Tracker(detector, eyes().mesh)
    following.look(astronaut())
    for number in range(2, 6):
        sighting = following.look(np.zeros_like(astronaut()))
        assert (sighting.face, sighting.others, sighting.is_elsewhere) == (None, (), False)
        assert detector.count == number


@pytest.mark.parametrize("step", [0, 1, 2])
def test_box_follows_between_two_detections(step: int) -> None:
    following = tracker()
    following.look(astronaut())
    for index in range(1, step + 1):
        sighting = following.look(moved(astronaut(), 9 * index, -6 * index))
        a = ASTRONAUT
        expected = FaceBox(a.x0 + 9 * index, a.y0 - 6 * index, a.x1 + 9 * index, a.y1 - 6 * index)
        assert sighting.face is not None
        assert iou(sighting.face.box, expected) > 0.75


def test_followed_box_moves_by_what_the_face_moves() -> None:
    following = tracker()
    first = following.look(astronaut()).face
    second = following.look(np.roll(astronaut(), (3, 8), axis=(0, 1))).face
    assert first is not None
    assert second is not None
    shift = np.subtract(second.box.centre, first.box.centre)
    assert shift == pytest.approx([8, 3], abs=0.8)
    assert second.box.width_px == pytest.approx(first.box.width_px, rel=0.01)


def test_central_face_is_followed_among_equals() -> None:
    sighting = tracker().look(room((10, 10), (310, 120), (590, 240)))
    assert is_at(sighting, 310, 120)
    assert sighting.others is not None
    assert len(sighting.others) == 2


def test_larger_face_is_followed_though_it_is_not_central() -> None:
    frame = room((560, 120))
    large = np.repeat(np.repeat(astronaut()[10:210, 126:326], 2, axis=0), 2, axis=1)
    frame[10:410, 10:410] = large
    sighting = tracker().look(frame)
    assert sighting.face is not None
    assert sighting.face.box.centre[0] < 400


def test_face_is_kept_when_a_larger_one_comes() -> None:
    following = tracker()
    following.look(room((590, 120)))
    for _ in range(6):
        sighting = following.look(room((240, 120), (590, 120)))
        assert is_at(sighting, 590, 120)
        assert not sighting.is_elsewhere


def test_face_that_comes_back_where_it_was_is_the_same() -> None:
    following = tracker()
    following.look(room((310, 120)))
    assert following.look(room()).face is None
    sighting = following.look(room((330, 120)))
    assert is_at(sighting, 330, 120)
    assert not sighting.is_elsewhere


def test_face_that_appears_elsewhere_is_marked_once() -> None:
    following = tracker()
    following.look(room((60, 120)))
    marks = [following.look(room((590, 120))).is_elsewhere for _ in range(5)]
    assert marks == [True, False, False, False, False]


def test_find_that_is_no_face_is_left_out() -> None:
    wall = FaceBox(600.0, 100.0, 700.0, 200.0)
    detector = Told([wall, box_in_room(300, 120)], [wall])
    sighting = Tracker(detector, eyes().mesh).look(room((300, 120)))
    assert is_at(sighting, 300, 120)
    assert sighting.others == ()
    assert Tracker(detector, eyes().mesh).look(room()).face is None


def test_face_that_the_detector_misses_is_followed_by_its_mesh_for_a_while() -> None:
    detector = Told([box_in_room(300, 120)], *[[]] * 20)
    following = Tracker(detector, eyes().mesh)
    seen = [is_at(following.look(room((300, 120))), 300, 120) for _ in range(12)]
    assert seen == [True] * 9 + [False] * 3  # 0.9 s: then nobody vouches for it any more.


def test_other_face_is_not_taken_for_one_that_the_detector_misses() -> None:
    other = box_in_room(590, 240)
    detector = Told([box_in_room(300, 120)], [other], [box_in_room(300, 120), other])
    following = Tracker(detector, eyes().mesh)
    for _ in range(5):
        sighting = following.look(room((300, 120), (590, 240)))
        assert is_at(sighting, 300, 120)
        assert not sighting.is_elsewhere
    assert sighting.others is not None
    assert len(sighting.others) == 1


def test_others_are_counted_while_the_detector_misses_the_face() -> None:
    other = box_in_room(590, 240)
    detector = Told([box_in_room(300, 120)], [other])
    following = Tracker(detector, eyes().mesh)
    sightings = [following.look(room((300, 120), (590, 240))) for _ in range(4)]
    assert sightings[3].others is not None
    assert len(sightings[3].others) == 1
