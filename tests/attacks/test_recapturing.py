"""Recaptures: deterministic, the clip's own, and what recordings were seen to be."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivant.attacks.recapturing import Medium, recapture, to_light, to_pixels
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


def test_light_is_srgbs() -> None:
    codes = np.arange(256, dtype=np.uint8)[None, :, None].repeat(3, 2)
    light = to_light(codes)
    assert light[0, 0, 0] == 0
    assert light[0, 255, 0] == 1
    assert light[0, 188, 0] == pytest.approx(0.5029, abs=1e-4)  # IEC 61966-2-1.
    assert np.abs(to_pixels(light).astype(int)[0, 64:] - codes[0, 64:].astype(int)).max() <= 1


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
