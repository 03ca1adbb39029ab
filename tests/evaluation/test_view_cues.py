from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from prepared import SIDE, encoded, filled, frame, prepared, presentation
from vivant.errors import DataError
from vivant.evaluation.cues import STATISTICS
from vivant.evaluation.view_cues import MEDIA, View, check_views, render_views
from vivant.preparation.clips import ClipStore
from vivant.records import Label


def views(of_paper: float, of_screen: float = 0.0, num: int = 200) -> list[View]:
    """Noise, and to the statistic `sharpness` of recaptures something is added."""
    generator = np.random.default_rng(0)
    at = STATISTICS.index("sharpness")
    made = []
    for number in range(num):
        found = generator.normal(size=(3, len(STATISTICS)))
        found[1, at] += of_paper
        found[2, at] += of_screen
        recaptured = {"paper": found[1], "screen": found[2]}
        made.append(View(str(number % 20), found[0], recaptured))
    return made


@pytest.mark.parametrize("of_paper", [6.0, -6.0])
def test_what_gives_a_medium_away_is_found_for_it_alone(of_paper: float) -> None:
    report = check_views(views(of_paper))
    assert (report.num_views, report.num_subjects) == (200, 20)
    assert report.together["paper"] < 0.05
    assert next(iter(report.alone)) == "sharpness"
    assert report.alone["sharpness"]["paper"] < 0.05
    assert report.alone["sharpness"]["screen"] > 0.35
    assert all(found["paper"] > 0.35 for name, found in report.alone.items() if name != "sharpness")


def test_one_statistic_that_is_shifted_by_two_deviations_has_the_rate_of_normal_tails() -> None:
    report = check_views(views(0.0, 2.0, num=4000))
    # Both tails beyond one deviation: 15.87 %.
    assert report.alone["sharpness"]["screen"] == pytest.approx(0.1587, abs=0.015)


def test_outliers_do_not_turn_a_statistic_round() -> None:
    made = views(-2.0)
    for view in made[::40]:
        view.recaptured["paper"][STATISTICS.index("sharpness")] = 500
    assert check_views(made).alone["sharpness"]["paper"] < 0.25


def test_views_of_one_subject_say_nothing() -> None:
    one = [replace(view, subject="a") for view in views(1.0, num=12)]
    with pytest.raises(DataError, match="views of at least 2 subjects, got 1"):
        check_views(one)


def store(folder: Path, num_subjects: int = 4) -> ClipStore:
    """Noise on grey, of some people in two sets, and an attack that is passed over."""
    rows = []
    for number in range(num_subjects):
        columns = {"set": "ab"[number % 2]}
        row = replace(presentation(f"{number}", subject=f"p{number}"), columns=columns)
        generator = np.random.default_rng(number)
        pixels = generator.normal(128, 30, (5, SIDE, SIDE, 3)).clip(0, 255).astype(np.uint8)
        frames = [replace(frame(i), crop=encoded(pixels[i], "JPEG")) for i in range(5)]
        rows.append(prepared(row, frames))
    rows.append(prepared(presentation("attack", Label.ATTACK, subject="z")))
    return ClipStore(filled(folder / "store", rows).folder, num_frames=1)


def test_each_view_is_rendered_once_of_each_kind_and_sets_come_in_turn(tmp_path: Path) -> None:
    found = [*render_views(store(tmp_path), 4)]
    assert [view.subject for view in found] == ["p0", "p1", "p2", "p3"]
    for view in found:
        assert set(view.recaptured) == set(MEDIA)
        kinds = (view.bona_fide, *view.recaptured.values())
        assert all(np.isfinite(kind).all() and kind.shape == (len(STATISTICS),) for kind in kinds)
        assert len({kind.tobytes() for kind in kinds}) == 3


def test_the_seed_decides(tmp_path: Path) -> None:
    clips = store(tmp_path)
    one, same, other = ([*render_views(clips, 2, seed)] for seed in (1, 1, 2))
    assert np.array_equal(one[0].recaptured["screen"], same[0].recaptured["screen"])
    assert not np.array_equal(one[0].recaptured["screen"], other[0].recaptured["screen"])


def test_store_of_one_subject_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="bona fide pictures of at least 2 subjects, found 1"):
        next(render_views(store(tmp_path, 1), 10))
