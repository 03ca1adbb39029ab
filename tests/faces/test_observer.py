import cv2
import numpy as np
import pytest

from faces.filming import (
    CLIPS,
    HAND,
    INTERVAL_S,
    NO_CLIPS,
    astronaut,
    codes,
    film,
    moved,
    noisy,
    sitting,
    watch,
    webcam,
)
from vivant.faces.limits import QualityLimits
from vivant.faces.look import Look
from vivant.records import Frame


def look_at(picture: np.ndarray, limits: QualityLimits | None = None) -> Look:
    (look,) = watch(film([picture]), limits).looks
    return look


def faults_of(picture: np.ndarray) -> list[str]:
    return [fault.code.value for fault in look_at(picture).faults]


def resized(picture: np.ndarray, scale: float) -> np.ndarray:
    return cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)


def barred(y0: int, y1: int, grey: int) -> np.ndarray:
    """The astronaut with a painted bar over the whole width of the face."""
    picture = astronaut().copy()
    picture[y0:y1, 165:290] = grey
    return picture


def lit(gain: float, offset: float) -> np.ndarray:
    return np.clip(astronaut() * gain + offset, 0, 255).astype(np.uint8)


def test_well_filmed_face_is_usable() -> None:
    look = look_at(astronaut())
    assert look.is_usable
    assert look.others == ()
    assert look.motion is None
    assert not look.is_elsewhere


@pytest.mark.parametrize(("picture", "reason"), [
    (cv2.GaussianBlur(astronaut(), (0, 0), 2), "TOO_BLURRED"),
    (lit(0.22, 0), "TOO_DARK"),
    (lit(0.3, 180), "TOO_BRIGHT"),
    (lit(0.15, 110), "LOW_CONTRAST"),
    (astronaut()[:, 200:], "FACE_CUT_OFF"),
    (astronaut()[85:], "FACE_CUT_OFF"),
    (resized(astronaut(), 0.4), "FACE_TOO_SMALL"),
    (moved(astronaut(), 0, 0, degrees=55), "POSE"),
    (moved(astronaut(), 0, 0, degrees=-55), "POSE"),
    (barred(130, 165, 0), "OCCLUDED"),  # The mouth.
    (barred(130, 165, 128), "OCCLUDED"),
    (barred(90, 116, 0), "OCCLUDED"),  # The eyes.
    (barred(90, 116, 128), "OCCLUDED"),
], ids=lambda value: value if isinstance(value, str) else "")  # fmt: skip
def test_damage_has_its_name_and_no_other(picture: np.ndarray, reason: str) -> None:
    assert faults_of(picture) == [reason]


@pytest.mark.parametrize("picture", [
    cv2.GaussianBlur(astronaut(), (0, 0), 0.8), lit(0.5, 0), lit(0.9, 40), lit(0.5, 60),
    astronaut()[:, 160:], resized(astronaut(), 0.5), resized(astronaut(), 2.0),
    moved(astronaut(), 0, 0, degrees=30), noisy(astronaut(), np.random.default_rng(0), 8.0),
])  # fmt: skip
def test_small_damage_is_none(picture: np.ndarray) -> None:
    assert faults_of(picture) == []


def test_nothing_fails_where_the_limits_are_off() -> None:
    everything = resized(cv2.GaussianBlur(lit(0.12, 0), (0, 0), 1.5), 0.4)[:, 75:]
    assert len(faults_of(everything)) >= 4
    assert look_at(everything, QualityLimits.off()).is_usable


def test_person_who_sits_still_is_filmed_well() -> None:
    observer = watch(film(sitting(12)))
    assert codes(observer) == set()
    assert all(look.is_usable for look in observer.looks)
    assert observer.face is not None
    assert observer.face.box == observer.looks[-1].box
    assert [look.time_s for look in observer.looks] == [step * INTERVAL_S for step in range(12)]


def test_one_frame_repeated_is_no_video() -> None:
    observer = watch(film([astronaut()] * 8))
    assert codes(observer) == {"STATIC_FRAMES"}
    assert codes(observer, is_still=True) == set()


def test_copies_with_a_frame_of_another_in_between_are_no_video() -> None:
    frames = [astronaut()] * 6 + sitting(1) + [astronaut()] * 6
    assert codes(watch(film(frames))) == {"STATIC_FRAMES"}


@pytest.mark.parametrize("is_mirrored", [False, True])
def test_two_faces_are_too_many(is_mirrored: bool) -> None:
    pictures = [np.hstack([p, p[:, ::-1] if is_mirrored else p]) for p in sitting(7)]
    assert codes(watch(film(pictures))) == {"MULTIPLE_FACES"}


@pytest.mark.parametrize(("scale", "expected"), [(0.45, set()), (0.7, {"MULTIPLE_FACES"})])
def test_second_face_counts_by_its_area(scale: float, expected: set[str]) -> None:
    small = resized(astronaut()[:240, 100:350], scale)
    pictures = sitting(7)
    for picture in pictures:
        picture[: small.shape[0], -small.shape[1] :] = small
    observer = watch(film(pictures))
    assert all(len(look.others) == 1 for look in observer.looks if look.others is not None)
    assert codes(observer) == expected


def test_face_that_leaves_is_lost() -> None:
    gone = np.full_like(astronaut(), 128)
    pictures = sitting(8)
    assert "FACE_LOST" in codes(watch(film(pictures + [gone] * 4)))
    assert "FACE_LOST" not in codes(watch(film([gone] * 9 + pictures)))


def test_face_that_walks_out_of_the_picture_is_lost() -> None:
    wide = [np.pad(p, ((0, 0), (0, 300), (0, 0)), mode="edge") for p in sitting(20)]
    pictures = [np.ascontiguousarray(p[:, 20 * i : 20 * i + 300]) for i, p in enumerate(wide)]
    observer = watch(film(pictures))
    assert observer.looks[0].is_usable
    assert {fault.code.value for look in observer.looks for fault in look.faults} >= {
        "FACE_CUT_OFF"
    }
    assert observer.looks[-1].box is None
    assert observer.face is None
    assert "FACE_LOST" in codes(observer)


def test_face_that_jumps_elsewhere_has_changed() -> None:
    wide = [np.hstack([p, np.full_like(p, 128)]) for p in sitting(5)]
    there = [np.hstack([np.full_like(p, 128), p]) for p in sitting(5)]
    observer = watch(film(wide + there))
    assert "FACE_CHANGED" in codes(observer)
    assert sum(look.is_elsewhere for look in observer.looks) == 1


def test_motion_is_that_of_the_face() -> None:
    first, second = sitting(2)
    second[300:] = 0  # Below the face.
    still = watch(film([first, np.vstack([first[:300], second[300:]])]))
    assert still.looks[1].motion == 0
    assert watch(film([first, second])).looks[1].motion > 1


def test_no_face_is_said_once() -> None:
    observer = watch(film([np.full((480, 640, 3), 90, np.uint8)] * 3))
    (found,) = observer.faults(is_still=False)
    assert found.message == "no face on 3 frames: show one to the camera, and come closer"
    assert not any(look.is_usable for look in observer.looks)


@pytest.mark.parametrize("size", [(64, 64), (65, 99), (480, 640), (720, 1280), (64, 1999)])
def test_frames_of_nothing_have_no_face(size: tuple[int, int]) -> None:
    rng = np.random.default_rng(6)
    frames = [rng.integers(0, 256, (*size, 3)).astype(np.uint8) for _ in range(4)]
    frames += [np.full((*size, 3), grey, np.uint8) for grey in (0, 255)]
    assert codes(watch(film(frames))) == {"NO_FACE"}


def test_face_among_noise_and_black_breaks_nothing() -> None:
    rng = np.random.default_rng(6)
    picture = astronaut()
    noise = rng.integers(0, 256, picture.shape).astype(np.uint8)
    black = np.zeros_like(picture)
    frames = [noise, picture, black, picture, picture, noise, noise, picture, black]
    observer = watch(film(frames))
    assert "FACE_LOST" in codes(observer)
    assert [look.box is not None for look in observer.looks] == [f is picture for f in frames]


@pytest.mark.parametrize("side", [64, 80])
def test_tiny_frames_are_looked_at(side: int) -> None:
    tiny = cv2.resize(astronaut()[:256, 98:354], (side, side), interpolation=cv2.INTER_AREA)
    assert faults_of(tiny) == ["FACE_TOO_SMALL"]


def test_times_are_those_of_the_frames() -> None:
    frames = [Frame(astronaut(), time_s) for time_s in (2.0, 2.5, 9.0)]
    assert [look.time_s for look in watch(frames).looks] == [2.0, 2.5, 9.0]


SPLICES = [
    ("again", "milk"), ("milk", "night"), ("book", "hungry"), ("night", "want"), ("yes", "eat"),
    ("school", "bird"), ("hungry", "no"), ("sister", "walk"),
]  # fmt: skip


@pytest.mark.skipif(not CLIPS.is_dir(), reason=NO_CLIPS)
@pytest.mark.parametrize(("one", "other"), SPLICES)
def test_two_people_in_one_video_are_noticed(one: str, other: str) -> None:
    assert HAND[one]["person"] != HAND[other]["person"]
    pictures = [frame.pixels for name in (one, other) for frame in webcam(name)[:9]]
    assert "FACE_CHANGED" in codes(watch(film(pictures)))
