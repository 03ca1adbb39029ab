import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivant.attacks.draws import Draws, Ranges, Sizes
from vivant.records import FaceBox


def sizes(height: int = 256, width: int = 256, face_px: float = 256 / 1.3) -> Sizes:
    return Sizes(height, width, FaceBox(10.0, 10.0, 10.0 + face_px, 10.0 + face_px))


def draws(seed: int = 0, ranges: Ranges = "all") -> Draws:
    return Draws(np.random.default_rng(seed), ranges)


def test_lengths_follow_the_faces_longer_side() -> None:
    face = FaceBox(100.0, 100.0, 300.0, 420.0)
    found = Sizes(600, 800, face)
    assert found.unit_px == pytest.approx(1.3 * 320)
    assert found.scale == found.fine == pytest.approx(1.3 * 320 / 256)
    assert Sizes(400, 800, face).unit_px == 400  # The crop is no larger than the picture.


def test_what_is_a_pixel_wide_stays_one_pixel_in_a_small_picture() -> None:
    assert (sizes(face_px=50.0).fine, sizes(face_px=50.0).scale) == (1.0, pytest.approx(65 / 256))


@pytest.mark.parametrize(
    ("ranges", "quarters"), [("all", {0, 1, 2, 3}), ("first", {0, 2}), ("second", {1, 3})]
)
def test_halves_of_a_range_have_no_value_in_common(ranges: Ranges, quarters: set[int]) -> None:
    of = draws(ranges=ranges)
    found = np.array([of.uniform(10, 18) for _ in range(400)])
    assert {int((each - 10) // 2) for each in found} == quarters
    # Each half covers its quarters evenly, and has about the middle of the whole.
    np.testing.assert_allclose(found.mean(), 14 + {"all": 0, "first": -1, "second": 1}[ranges],
                               atol=0.5)  # fmt: skip


def test_each_doubling_is_as_likely_as_the_next() -> None:
    of = draws()
    found = np.array([of.log_uniform(1, 16) for _ in range(2000)])
    counts = np.histogram(np.log2(found), bins=4, range=(0, 4))[0]
    assert counts.min() > 400
    assert counts.sum() == 2000


def test_chances_normal_and_whole_numbers() -> None:
    of = draws()
    assert 0.25 < np.mean([of.chance(0.3) for _ in range(1000)]) < 0.35
    assert np.std([of.normal(8) for _ in range(1000)]) == pytest.approx(8, rel=0.1)
    assert {of.below(3) for _ in range(100)} == {0, 1, 2}


def test_surface_of_a_wide_picture_is_as_coarse_as_that_of_a_tight_one() -> None:
    def slope(of: Sizes) -> float:
        return float(np.mean([
            np.abs(np.diff(draws(seed).surface(of, 3), axis=1)).mean() for seed in range(20)
        ]))  # fmt: skip

    assert slope(sizes(512, 512)) == pytest.approx(slope(sizes(256, 256)), rel=0.3)


@pytest.mark.parametrize("sigma", [None, 0.8])
@pytest.mark.parametrize("face_px", [150.0, 500.0])
def test_grain_has_deviation_one_and_grows_with_the_face(
    sigma: float | None, face_px: float
) -> None:
    noise = draws().grain(sizes(700, 720, face_px), sigma)
    assert noise.shape == (700, 720, 3)
    assert noise.std() == pytest.approx(1, rel=0.02)
    neighbours = float((noise[:, 1:] * noise[:, :-1]).mean())
    is_white = sigma is None and face_px < 200
    assert abs(neighbours) < 0.02 if is_white else neighbours > 0.2


@given(st.integers(1, 80), st.integers(1, 80), st.floats(0.5, 300.0))
def test_every_size_has_surfaces_and_grain(height: int, width: int, face_px: float) -> None:
    of = Sizes(height, width, FaceBox(0.0, 0.0, face_px, face_px))
    for found in (draws().surface(of, 4), draws().grain(of), draws().grain(of, 1.0)):
        assert found.shape[:2] == (height, width)
        assert np.isfinite(found).all()
