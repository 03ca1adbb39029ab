import numpy as np
import pytest

from builders import small_config
from context_models import context_config
from made_up import MadeUpRunner, card
from media import pattern, video
from people import person_video
from vivant.session.explain import _depth_tile, _lines, _rows, draw_verdict, draw_window
from vivant.session.session import Session
from vivant.session.verdict import Verdict
from vivant.session.voting import NO_VOTE


def verdict(source: bytes, score: float | list[float] = 0.9, **fields: object) -> Verdict:
    with Session(MadeUpRunner(score, card(**fields)), isolated=False) as session:
        return session.check(source)


def has_colour(picture: np.ndarray, colour: tuple[int, int, int]) -> bool:
    return bool((picture == np.array(colour, np.uint8)).all(axis=-1).any())


ORANGE, GREEN, RED, AMBER = (255, 140, 0), (32, 122, 66), (190, 30, 30), (150, 104, 12)


@pytest.mark.parametrize(("score", "colour"), [(0.9, GREEN), (0.1, RED)])
def test_heading_has_the_decision_s_colour(score: float, colour: tuple[int, int, int]) -> None:
    picture = draw_verdict(verdict(person_video(), score), "clip.mp4")
    assert picture.dtype == np.uint8
    assert tuple(picture[2, 2]) == colour


def test_shows_five_crops_with_boxes_their_cams_and_depths() -> None:
    shown = verdict(person_video())
    picture = draw_verdict(shown, "clip.mp4")
    assert picture.shape[1] == 5 * 236 + 12
    rows = 3 * (224 + 26 + 12)
    assert picture.shape[0] > rows
    assert has_colour(picture, ORANGE)
    # The first crop is there, between its boxes.
    crop = shown.windows[0].crops[0]
    top = picture.shape[0] - rows - 12 + 26
    np.testing.assert_array_equal(
        picture[top + 200 : top + 220, 12 + 2 : 12 + 50], crop[200:220, 2:50]
    )


@pytest.mark.parametrize("depth_side", [7, 14, 28])
@pytest.mark.parametrize("num_patches", [1, 4, 49])
def test_depth_maps_of_any_side_are_shown_each_in_its_place(
    depth_side: int, num_patches: int
) -> None:
    maps = np.zeros((num_patches, depth_side, depth_side), np.float32)
    maps[-1, :, depth_side // 2 + 1 :] = 1  # The last one's right half is near.
    tile = _depth_tile(maps)
    columns = int(np.ceil(np.sqrt(num_patches)))
    side = 224 // columns
    row, column = divmod(num_patches - 1, columns)
    last = tile[row * side : (row + 1) * side, column * side : (column + 1) * side]
    assert tile.shape == (224, 224, 3)
    assert (last[side - 6, side - 5 : side - 2] == 255).all()
    assert (last[side - 6, 2:5] == 0).all()


def test_window_with_the_lowest_score_is_shown() -> None:
    shown = verdict(person_video(), [0.9, 0.3, 0.8, 0.7])
    picture = draw_verdict(shown, "clip.mp4")
    top = picture.shape[0] - 3 * (224 + 26 + 12) - 12 + 26
    lowest = shown.windows[1].crops[0]
    np.testing.assert_array_equal(picture[top + 200 : top + 220, 14:60], lowest[200:220, 2:48])


def test_verdict_without_windows_is_drawn_too() -> None:
    shown = verdict(video([pattern(i, 640, 480) for i in range(6)], rate=10))
    picture = draw_verdict(shown, "a name that is much longer than the heading has room for " * 3)
    assert tuple(picture[2, 2]) == AMBER
    assert not has_colour(picture, ORANGE)


def test_model_without_patches_is_drawn_too() -> None:
    model_b = small_config().model_copy(update={"aam": None, "fusion": "am"})
    picture = draw_verdict(verdict(person_video(), architecture=model_b), "clip.mp4")
    assert not has_colour(picture, ORANGE)


def test_map_of_any_side_is_drawn() -> None:
    (window, *_) = verdict(person_video(), architecture=context_config()).windows
    assert window.cam.shape == (3, 5, 5)
    picture = draw_window(window)
    assert picture.shape == (3 * (224 + 26 + 12) + 12, 3 * 236 + 12, 3)
    middle = (
        12 + 224 + 26 + 12 + 26 + 112
    )  # Of the maps' row: the middle cell of 5 is the bright one.
    bright = picture[middle - 20 : middle + 20, 12 + 92 : 12 + 132].mean()
    assert bright > 1.5 * picture[middle - 100 : middle - 60, 12 : 12 + 40].mean()


def test_picture_says_what_the_map_covers_and_that_patches_do_not_vote() -> None:
    shown = verdict(person_video(), architecture=context_config())
    window = shown.windows[0]
    lines, labels = _lines(shown, window), [label for label, _ in _rows(window)]
    assert NO_VOTE in lines
    assert (
        "The Grad-CAM covers 6% of what moves the logit: the last map of the first crop." in lines
    )
    assert labels[0].endswith("orange: patches judged, no vote")
    assert labels[1].endswith("it covers 6% of what moves the logit")
    assert labels[2].endswith("no vote")


def test_picture_of_a_model_whose_patches_vote_says_nothing_of_it() -> None:
    shown = verdict(person_video())
    window = shown.windows[0]
    text = " ".join([*_lines(shown, window), *(label for label, _ in _rows(window))])
    assert "vote" not in text
    assert "covers" not in text


def test_untrained_model_is_written_in_red() -> None:
    shown = verdict(person_video(), training=None, point=None)
    head = draw_verdict(shown, "clip.mp4")[64:]
    assert has_colour(head, RED)
    assert not has_colour(draw_verdict(verdict(person_video()), "clip.mp4")[64:], RED)
