from collections.abc import Callable

import numpy as np
import pytest

from vivant.attacks.camera import to_light
from vivant.attacks.draws import Draws, Sizes
from vivant.attacks.surfaces import Surface, paper, screen
from vivant.records import FaceBox

SIDE = 128
SIZES = Sizes(SIDE, SIDE, FaceBox(15.0, 15.0, 113.0, 113.0))
Kind = Callable[[Draws, Sizes], Surface]


def grey(level: int) -> np.ndarray:
    return np.full((SIDE, SIDE, 3), level, np.uint8)


def shown(kind: Kind, pixels: np.ndarray, seed: int, number: int = 0) -> np.ndarray:
    return kind(Draws(np.random.default_rng(seed)), SIZES)(pixels, number)


@pytest.mark.parametrize("kind", [paper, screen])
def test_light_is_finite_and_not_below_zero(kind: Kind) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), np.uint8)
    for seed in range(40):
        light = shown(kind, pixels, seed)
        assert light.dtype == np.float32
        assert np.isfinite(light).all()
        assert light.min() >= 0


@pytest.mark.parametrize("kind", [paper, screen])
def test_surface_draws_nothing_more(kind: Kind) -> None:
    generator = np.random.default_rng(3)
    surface = kind(Draws(generator), SIZES)
    before = generator.bit_generator.state
    np.testing.assert_array_equal(surface(grey(90), 0), surface(grey(90), 0))
    assert generator.bit_generator.state == before


def test_ink_is_no_black_and_paper_no_white() -> None:
    for seed in range(30):
        black, white = (np.median(shown(paper, grey(level), seed)) for level in (0, 255))
        assert 0.004 < black < 0.09
        assert 0.65 < white < 1.0


def test_panel_has_a_black_level_and_a_bluer_white() -> None:
    black, white = ([shown(screen, grey(level), seed).mean((0, 1)) for seed in range(300)]
                    for level in (0, 255))  # fmt: skip
    assert min(each.min() for each in black) > 0.001
    assert max(each.max() for each in black) < 0.11
    # (1 + t) / (1 - t / 2) with t of -0.08 to 0.35: 1.22 in the middle.
    assert np.median([each[2] / each[0] for each in white]) == pytest.approx(1.22, abs=0.07)


def test_panels_gamma_is_seen_in_the_middle_tones() -> None:
    """Median over panels of log light, against light: between gamma 0.85 and 1.5."""
    light = float(to_light(grey(128))[0, 0, 1])
    found = [
        np.log(shown(screen, grey(128), seed)[..., 1].mean()) / np.log(light) for seed in range(60)
    ]
    assert 0.9 < np.median(found) < 1.2


def test_refresh_bands_walk_and_nothing_else_of_a_screen_does() -> None:
    walked = 0
    for seed in range(30):
        surface = screen(Draws(np.random.default_rng(seed)), SIZES)
        first, second = surface(grey(180), 0), surface(grey(180), 1)
        step = np.log(second / first)
        walked += bool(np.abs(step).max() > 1e-6)
        np.testing.assert_allclose(step.std(axis=(1, 2)), 0, atol=1e-5)  # The same along a row.
        assert np.abs(step).max() < 0.15
    assert 3 <= walked <= 16  # Of 30 screens three in ten have bands.


def test_paper_stays_as_it_is() -> None:
    surface = paper(Draws(np.random.default_rng(4)), SIZES)
    np.testing.assert_array_equal(surface(grey(90), 0), surface(grey(90), 7))


def test_some_prints_have_no_colours() -> None:
    red = grey(60)
    red[..., 0] = 200
    ratios = [np.ptp(shown(paper, red, seed).mean((0, 1))) for seed in range(120)]
    assert 1 <= sum(ratio < 0.02 for ratio in ratios) <= 20


def test_stripes_are_coarse_where_the_panel_is_finer_than_two_pixels() -> None:
    """Most panels leave a pattern on an even grey, and its colours differ."""
    patterned = [shown(screen, grey(180), seed) for seed in range(40)]
    relative = np.array([each[..., 1].std() / each[..., 1].mean() for each in patterned])
    assert (relative > 0.005).mean() > 0.6
    assert relative.max() < 0.4
