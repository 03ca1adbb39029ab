"""The camera before both classes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivant.attacks.filming import film
from vivant.errors import InputError
from vivant.records import FaceBox

FACE = FaceBox(40.0, 40.0, 120.0, 120.0)


def picture() -> np.ndarray:
    """Coarse colours of a face's mean light, under a fine pattern."""
    generator = np.random.default_rng(0)
    coarse = generator.integers(60, 200, (8, 8, 3)).repeat(20, 0).repeat(20, 1)
    return (coarse + generator.normal(0, 8, coarse.shape)).clip(0, 255).astype(np.uint8)


def filmed(seed: int, num_frames: int = 1, strength: float = 1.0) -> np.ndarray:
    frames = picture()[None].repeat(num_frames, 0)
    return film(frames, FACE, np.random.default_rng(seed), strength)


def test_without_strength_nothing_changes() -> None:
    assert np.array_equal(filmed(1, strength=0.0), picture()[None])


def test_generator_decides_and_nothing_else() -> None:
    assert np.array_equal(filmed(1), filmed(1))
    assert not np.array_equal(filmed(1), filmed(2))


def test_more_strength_changes_more_pictures() -> None:
    unchanged = [
        sum(np.array_equal(filmed(seed, strength=s), picture()[None]) for seed in range(40))
        for s in (0.1, 0.4, 1.0)
    ]
    assert unchanged[0] > unchanged[1] > unchanged[2]


def test_given_frames_stay_as_they_are() -> None:
    frames = picture()[None].repeat(2, 0)
    before = frames.copy()
    film(frames, FACE, np.random.default_rng(0), 1.0)
    np.testing.assert_array_equal(frames, before)


def test_a_weak_camera_is_nearly_none() -> None:
    changed = [
        np.abs(filmed(seed, strength=0.02).astype(int) - picture()).mean() for seed in range(40)
    ]
    assert np.median(changed) == 0
    assert np.mean(changed) < 3


def test_brightness_and_colours_are_as_before_on_average() -> None:
    found = np.array([filmed(seed)[0].mean((0, 1)) for seed in range(200)])
    np.testing.assert_allclose(found.mean(0) / picture().mean((0, 1)), 1, atol=0.08)
    assert found.std(0).min() > 10


def test_camera_moves_a_little_in_a_clip_and_not_in_a_picture() -> None:
    """A white spot in the middle of the face: its place, over frames that are all the same."""
    dark = np.zeros((1, 160, 160, 3), np.uint8)
    dark[0, 76:85, 76:85] = 255
    row, column = np.mgrid[:160, :160]

    def places(num_frames: int, seed: int) -> np.ndarray:
        frames = film(dark.repeat(num_frames, 0), FACE, np.random.default_rng(seed), 0.05)
        weight = (frames.mean(3) > 128).astype(float)
        weight /= weight.sum((1, 2), keepdims=True)
        return np.stack([(weight * row).sum((1, 2)), (weight * column).sum((1, 2))], axis=1)

    for seed in range(10):
        np.testing.assert_allclose(places(1, seed), 80, atol=0.3)
        moved = np.abs(np.diff(places(6, seed), axis=0))
        assert moved.max() < 3  # Of a usual crop of 104 pixels.
    assert np.mean([np.abs(places(6, seed) - 80).max() for seed in range(10)]) > 0.3


@given(
    st.integers(0, 2**32),
    st.integers(1, 3),
    st.integers(1, 90),
    st.integers(1, 90),
    st.floats(0.0, 1.0),
)
def test_every_size_is_filmed(
    seed: int, num_frames: int, height: int, width: int, strength: float
) -> None:
    generator = np.random.default_rng(seed)
    frames = generator.integers(0, 256, (num_frames, height, width, 3), dtype=np.uint8)
    x, y = generator.uniform(-4, [width - 0.5, height - 0.5]).tolist()
    face = FaceBox(x, y, x + float(generator.uniform(4.5, 80)), y + 5.5)
    made = film(frames, face, generator, strength)
    assert made.shape == frames.shape
    assert made.dtype == np.uint8


@pytest.mark.regression
@pytest.mark.parametrize("shape", [(72, 1), (1, 40), (1, 1), (2, 9)])
def test_moved_pictures_of_a_single_row_or_column_do_not_hang(shape: tuple[int, int]) -> None:
    frames = np.full((3, *shape, 3), 90, np.uint8)
    for seed in range(5):
        film(frames, FaceBox(0.0, 0.0, 30.0, 30.0), np.random.default_rng(seed), 0.1)


@pytest.mark.parametrize(
    ("frames", "face"),
    [
        (picture().astype(np.float32)[None], FACE),
        (picture(), FACE),
        (picture()[None, :0], FACE),
        (picture()[None], FaceBox(200.0, 0.0, 240.0, 40.0)),
        (picture()[None], FaceBox(float("nan"), 0.0, 40.0, 40.0)),
    ],
    ids=["floats", "no axis of frames", "no rows", "face outside", "face without a place"],
)
def test_what_is_no_picture_of_a_face_is_refused(frames: np.ndarray, face: FaceBox) -> None:
    with pytest.raises(InputError, match=r"expected|outside"):
        film(frames, face, np.random.default_rng(0))


def test_camera_is_the_clips_and_noise_is_each_frames() -> None:
    """Frames differ, by noise and by the hand; their colours and exposure do not."""
    for seed in range(6):
        clip = filmed(seed, num_frames=4).astype(int)
        assert all(np.abs(clip[0] - frame).mean() > 0 for frame in clip[1:])
        assert np.ptp(clip.mean((1, 2)), axis=0).max() < 5


@pytest.mark.parametrize("strength", [-0.1, 1.1, float("nan")])
def test_strength_is_a_share(strength: float) -> None:
    with pytest.raises(InputError, match="strength of 0 to 1"):
        filmed(1, strength=strength)
