"""Recaptures: deterministic, the clip's own, and what recordings were seen to be."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivant.attacks.camera import to_light
from vivant.attacks.draws import Sizes
from vivant.attacks.recapturing import (
    Medium,
    RecaptureSettings,
    _filled,
    draw_medium,
    recapture,
)
from vivant.errors import InputError
from vivant.records import FaceBox

MEDIA: tuple[Medium, ...] = ("paper", "screen")
FACE = FaceBox(40.0, 40.0, 120.0, 120.0)


def picture(seed: int = 0, side: int = 160) -> np.ndarray:
    """Coarse colours of a face's mean light, under a fine pattern."""
    generator = np.random.default_rng(seed)
    coarse = generator.integers(60, 200, (8, 8, 3)).repeat(side // 8, 0).repeat(side // 8, 1)
    return (coarse + generator.normal(0, 8, coarse.shape)).clip(0, 255).astype(np.uint8)


def made(medium: Medium, seed: int, frames: np.ndarray | None = None) -> np.ndarray:
    given = picture()[None] if frames is None else frames
    return recapture(given, FACE, picture(9), medium, np.random.default_rng(seed))


def laplacian(pixels: np.ndarray) -> float:
    grey = pixels.astype(float).mean(2)
    return float(np.abs(4 * grey[1:-1, 1:-1] - grey[:-2, 1:-1] - grey[2:, 1:-1]
                        - grey[1:-1, :-2] - grey[1:-1, 2:]).mean())  # fmt: skip


@pytest.mark.parametrize("medium", MEDIA)
def test_generator_decides_and_nothing_else(medium: Medium) -> None:
    one, same, other = made(medium, 1), made(medium, 1), made(medium, 2)
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)
    assert one.shape == (1, 160, 160, 3)
    assert one.dtype == np.uint8


@pytest.mark.parametrize("medium", MEDIA)
def test_given_frames_stay_as_they_are(medium: Medium) -> None:
    frames = picture()[None]
    before = frames.copy()
    made(medium, 3, frames)
    assert np.array_equal(frames, before)


@pytest.mark.parametrize("medium", MEDIA)
def test_medium_is_the_clips_own(medium: Medium) -> None:
    """Frames of one clip differ by the hand that holds it; other clips by everything."""
    for seed in range(4):
        clip = made(medium, seed, picture()[None].repeat(3, 0)).astype(int)
        other = made(medium, seed + 100).astype(int)
        within = np.abs(clip[0].mean((0, 1)) - clip[2].mean((0, 1))).max()
        assert 0 < np.abs(clip[0] - clip[1]).mean() < np.abs(clip[0] - other[0]).mean()
        assert within < 6, "no colour flickers"


def test_screens_are_brighter_and_bluer_and_prints_darker_and_flatter() -> None:
    """Of 13 of 16 recorded sets; the laws are of means over many draws."""
    found = {}
    original = to_light(picture())
    for medium in MEDIA:
        light = np.stack([to_light(made(medium, seed)[0])[24:136, 24:136] for seed in range(60)])
        bluer = light[..., 2].mean((1, 2)) / light[..., 0].mean((1, 2))
        found[medium] = (light.mean((1, 2, 3)), bluer, light.std((1, 2, 3)))
    reference = original[24:136, 24:136]
    assert np.median(found["screen"][0]) > 1.1 * reference.mean() > np.median(found["paper"][0])
    blue = reference[..., 2].mean() / reference[..., 0].mean()
    assert np.median(found["screen"][1]) > 1.1 * blue
    assert np.median(found["paper"][2]) < np.median(found["screen"][2])


@pytest.mark.parametrize(("screens_per_print", "share"), [(4.0, 0.8), (0.0, 0.0), (1.0, 0.5)])
def test_screens_have_their_share(screens_per_print: float, share: float) -> None:
    generator, settings = np.random.default_rng(0), RecaptureSettings(screens_per_print)
    drawn = [draw_medium(generator, settings) for _ in range(1000)]
    assert drawn.count("screen") / 1000 == pytest.approx(share, abs=0.05)
    assert set(drawn) <= {"screen", "paper"}


def test_four_screens_come_to_one_print_by_default() -> None:
    one, other = (np.random.default_rng(3) for _ in range(2))
    usual = [draw_medium(one) for _ in range(50)]
    assert usual == [draw_medium(other, RecaptureSettings(4.0)) for _ in range(50)]


@pytest.mark.parametrize("share", [-1.0, float("inf"), float("nan")])
def test_other_shares_are_refused(share: float) -> None:
    with pytest.raises(InputError, match="screens_per_print of 0 or more"):
        RecaptureSettings(share)


def test_paper_shows_the_middle_frame_all_the_time() -> None:
    """The hand moves it; what is on it stands still."""
    clip = np.stack([picture(seed) for seed in range(3)])
    still = clip[1][None].repeat(3, 0)
    for seed in range(5):
        np.testing.assert_array_equal(made("paper", seed, clip), made("paper", seed, still))
        assert not np.array_equal(made("screen", seed, clip), made("screen", seed, still))


@pytest.mark.parametrize("medium", MEDIA)
def test_first_frame_of_a_clip_is_near_that_of_a_picture(medium: Medium) -> None:
    """The same parameters: the number of frames changes only what the hand does later."""
    for seed in range(5):
        clip = recapture(picture()[None].repeat(2, 0), FACE, picture(9), medium,
                         np.random.default_rng(seed))  # fmt: skip
        steps = np.abs(clip[0].astype(int) - clip[1])
        assert np.median(steps) < 40


def test_face_stays_where_it_is() -> None:
    """Its middle: a white spot on black comes out where it was, to a pixel or two."""
    dark = np.full((1, 160, 160, 3), 20, np.uint8)
    dark[0, 76:85, 76:85] = 255
    row, column = np.mgrid[60:101, 60:101]
    for seed in range(20):
        light = to_light(made("screen", seed, dark)[0])[60:101, 60:101].mean(2)
        weight = np.maximum(light - np.quantile(light, 0.9), 0) ** 2
        found = [float((axis * weight).sum() / weight.sum()) for axis in (row, column)]
        np.testing.assert_allclose(found, 80, atol=4)


def test_face_of_a_wide_picture_looks_as_in_a_tight_one() -> None:
    """Median brightness and sharpness of the crop over many draws, whatever lies about it."""
    wide = np.pad(picture(), ((80, 80), (80, 80), (0, 0)), mode="reflect")
    moved = FaceBox(120.0, 120.0, 200.0, 200.0)
    tight_face = (slice(40, 120), slice(40, 120))
    wide_face = (slice(120, 200), slice(120, 200))
    for medium in MEDIA:
        found = []
        for frames, face, part in ((picture(), FACE, tight_face), (wide, moved, wide_face)):
            crops = [
                recapture(frames[None], face, picture(9), medium, np.random.default_rng(seed))[0]
                for seed in range(60)
            ]
            found.append(
                [
                    np.median([to_light(each)[part].mean() for each in crops]),
                    np.median([laplacian(each[part]) for each in crops]),
                ]
            )
        np.testing.assert_allclose(found[1], found[0], rtol=0.25)


@pytest.mark.parametrize("medium", MEDIA)
def test_halves_of_the_ranges_give_other_recaptures(medium: Medium) -> None:
    one, other, whole = (
        recapture(picture()[None], FACE, picture(9), medium, np.random.default_rng(5), ranges)
        for ranges in ("first", "second", "all")
    )
    assert not np.array_equal(one, other)
    assert not np.array_equal(one, whole)


def test_other_media_are_refused() -> None:
    with pytest.raises(InputError, match="screen or paper, got 'mask'"):
        recapture.__wrapped__(  # type: ignore[attr-defined]
            picture()[None], FACE, picture(9), "mask", np.random.default_rng(0)
        )


@given(
    seed=st.integers(0, 2**32),
    width=st.integers(8, 90),
    height=st.integers(8, 90),
    medium=st.sampled_from(MEDIA),
)
def test_every_size_is_recaptured(seed: int, width: int, height: int, medium: Medium) -> None:
    generator = np.random.default_rng(seed)
    frames = generator.integers(0, 256, (2, height, width, 3), dtype=np.uint8)
    x, y = generator.uniform(-4, [width - 1, height - 1])
    face = FaceBox(float(x), float(y), float(x + generator.uniform(5, 80)), float(y + 5.5))
    background = generator.integers(0, 256, (5, 70, 3), dtype=np.uint8)
    assert recapture(frames, face, background, medium, generator).shape == frames.shape


@pytest.mark.parametrize(
    ("frames", "face", "background"),
    [
        (picture().astype(np.float32)[None], FACE, picture()),
        (picture(), FACE, picture()),
        (np.zeros((0, 8, 8, 3), np.uint8), FACE, picture()),
        (picture()[None], FaceBox(200.0, 0.0, 240.0, 40.0), picture()),
        (picture()[None], FaceBox(40.0, 40.0, 40.0, 80.0), picture()),
        (picture()[None], FACE, picture()[..., 0]),
    ],
    ids=["floats", "no axis of frames", "no frame", "face outside", "empty face", "grey behind"],
)
def test_what_is_no_picture_of_a_face_is_refused(
    frames: np.ndarray, face: FaceBox, background: np.ndarray
) -> None:
    with pytest.raises(InputError, match=r"expected|outside"):
        recapture(frames, face, background, "screen", np.random.default_rng(0))


def test_edges_of_the_medium_are_smooth() -> None:
    """A tilted edge: pixels along it lie between both sides, whatever the lens does."""
    sizes = Sizes(60, 60, FaceBox(10.0, 10.0, 50.0, 50.0))
    corners = np.array([[12.0, 10.3], [48.6, 14.0], [45.2, 50.7], [9.5, 47.1]])
    mask = _filled(corners, sizes)
    x, y = corners.T
    area = 0.5 * abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))
    assert mask.sum() == pytest.approx(area, rel=0.1)
    assert ((mask > 0.1) & (mask < 0.9)).sum() > 50
    moved = _filled(corners + np.array([0.25, 0.0]), sizes)
    assert 0 < np.abs(moved - mask).sum() < 60  # By parts of a pixel too.
