from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import small_config
from context_models import context_config
from made_up import MadeUpRunner, card
from people import swaying
from vivant.geometry.boxes import median_box
from vivant.geometry.crop import crop_box, cut
from vivant.geometry.grid import cell_centres
from vivant.networks.config import CONTEXT_SIDE_PX
from vivant.records import FaceBox, Frame
from vivant.session.clip import Clip, clip_cautions, find_slowness, to_batch, to_results
from vivant.session.session import Session
from vivant.video.frames import Media
from vivant.video.sampling import possible_windows


def clip(face: FaceBox, width: int = 640, height: int = 480, **fields: object) -> Clip:
    defaults = {
        "pixels": np.zeros((5, 224, 224, 3), np.uint8),
        "times_s": (0.0, 0.1, 0.2, 0.3, 0.4),
        "face": face,
        "crop": crop_box(face, width, height, 1.3),
        "is_padded": False,
    }
    return Clip(**(defaults | fields))


def codes(clips: list[Clip]) -> list[str]:
    return [finding.code.value for finding in clip_cautions(clips, card(), 112.0)]


def test_face_in_the_middle_has_no_cautions() -> None:
    assert codes([clip(FaceBox(200.0, 150.0, 350.0, 300.0))]) == []


@pytest.mark.parametrize(
    ("face", "expected"),
    [
        (FaceBox(200.0, 150.0, 310.0, 262.0), ["FACE_SMALLER_THAN_CROP"]),
        (FaceBox(0.0, 150.0, 150.0, 300.0), ["CROP_OFF_CENTRE"]),
        (FaceBox(100.0, 20.0, 550.0, 470.0), ["CROP_SCALE_DIFFERS"]),
    ],
)
def test_cautions_by_where_the_face_is(face: FaceBox, expected: list[str]) -> None:
    assert codes([clip(face)]) == expected


def test_a_caution_is_named_once() -> None:
    small = clip(FaceBox(200.0, 150.0, 300.0, 250.0), is_padded=True)
    assert codes([small, small]) == ["FACE_SMALLER_THAN_CROP", "PADDED_WINDOW"]


def test_too_few_frames_a_second_are_told_with_both_numbers() -> None:
    (found,) = find_slowness(4, 1.9, 5, 0.1)
    assert (found.code, found.measured, found.limit) == (
        "TOO_SLOW",
        2.0,
        pytest.approx(8.333, abs=1e-3),
    )
    assert found.message.startswith(
        "Only 2.0 frames a second could be looked at; a live check needs 8.3."
    )
    assert find_slowness(20, 1.9, 5, 0.1) == ()
    assert find_slowness(1, 0.3, 5, 0.1) == (), (
        "shorter than a clip: that says nothing of the machine"
    )


@given(st.lists(st.booleans(), min_size=6, max_size=60))
def test_live_check_is_never_without_a_clip_and_without_a_reason(is_looked_at: list[bool]) -> None:
    """Where frames come an interval apart and some are missing, there is a clip, or it is told."""
    is_looked_at[0] = True
    times_s = [i / 10 for i, is_here in enumerate(is_looked_at) if is_here]
    usable = [True] * len(times_s)
    windows = possible_windows(times_s, usable, 5, 0.1)
    if not any(not window.is_padded for window in windows):
        assert find_slowness(len(times_s), (len(is_looked_at) - 1) / 10, 5, 0.1)


def test_anchor_boxes_are_the_cells_of_the_crop() -> None:
    runner = MadeUpRunner()
    one = clip(FaceBox(200.0, 150.0, 350.0, 300.0))
    (result,) = to_results([one], runner.run(one.pixels[None]), runner.card.architecture)
    assert result.anchors is not None
    assert result.anchor_boxes is not None
    # Another way: centres of the grid, in -1..1 of the crop.
    crop = one.crop
    for k, cell in enumerate(result.anchors[0]):
        t_x, t_y = cell_centres()[cell]
        middle = (crop.x + (t_x + 1) / 2 * crop.side_px, crop.y + (t_y + 1) / 2 * crop.side_px)
        x0, y0, x1, y1 = result.anchor_boxes[0, k]
        assert ((x0 + x1) / 2, (y0 + y1) / 2) == pytest.approx(middle)
        assert (x1 - x0, y1 - y0) == pytest.approx((crop.side_px / 4, crop.side_px / 4))


@pytest.mark.parametrize(
    ("grid_side", "corners"),
    [(4, [(0, 0), (56, 56), (56, 112), (168, 168)]), (7, [(0, 0), (84, 28), (84, 84), (168, 168)])],
)
def test_anchor_boxes_are_where_the_card_s_grid_has_them(
    grid_side: int, corners: list[tuple[int, int]]
) -> None:
    """Cells of the 7x7 grid: 0, 10 (row 1, column 3), 24 and 48; of the 4x4 grid as many."""
    cells = {4: [0, 5, 9, 15], 7: [0, 10, 24, 48]}[grid_side]
    one = clip(FaceBox(200.0, 150.0, 350.0, 300.0))
    scores = replace(
        MadeUpRunner().run(one.pixels[None]), anchors=np.tile(np.array(cells), (1, 5, 1))
    )
    (result,) = to_results([one], scores, small_config(grid_side=grid_side))
    assert result.anchor_boxes is not None
    scale = one.crop.side_px / 224
    for box, (x, y) in zip(result.anchor_boxes[4], corners, strict=True):
        expected = [one.crop.x + x * scale, one.crop.y + y * scale]
        expected += [expected[0] + 56 * scale, expected[1] + 56 * scale]
        assert box.tolist() == pytest.approx(expected)


def test_patches_of_a_finer_grid_moved_as_far_as_they_did() -> None:
    finer = card(architecture=small_config(grid_side=7, depth_side=28))
    with Session(MadeUpRunner(card_=finer), isolated=False) as session:
        verdict = session.check_frames(swaying(5), [0.1 * i for i in range(5)])
    (window,) = verdict.windows
    assert window.displacement_px == pytest.approx(np.hypot(8, 4))


@pytest.mark.parametrize(
    ("frames", "expected"), [("all", (0, 1, 2, 3, 4)), ("last", (4,)), ("middle", (2,))]
)
def test_frames_of_the_patches_are_those_the_module_saw(frames: str, expected: tuple) -> None:
    one = clip(FaceBox(200.0, 150.0, 350.0, 300.0))
    (result,) = to_results([one], MadeUpRunner().run(one.pixels[None]), small_config(frames=frames))
    assert result.aam_frames == expected


def test_crop_is_that_of_the_median_box_of_its_window() -> None:
    frames = swaying(5)
    with Session(MadeUpRunner(), isolated=False) as session:
        verdict = session.check_frames(frames, [0.1 * i for i in range(5)])
    (window,) = verdict.windows
    boxes = _boxes(frames)
    assert window.face == median_box(boxes)
    assert window.crop == crop_box(window.face, 640, 480, 1.3)


def test_wider_crop_is_cut_from_the_same_face_box() -> None:
    frames = swaying(3)
    runner = MadeUpRunner(card_=card(architecture=context_config()))
    with Session(runner, isolated=False) as session:
        seen = session._see(Media(False, _timed(frames)), 0.0)
    (one,) = seen.clips
    face = median_box(_boxes(frames))
    wide = crop_box(face, 640, 480, 2.0)
    assert (one.face, one.context_crop) == (face, wide)
    assert one.context is not None
    for frame, crop, context in zip(frames, one.pixels, one.context, strict=True):
        np.testing.assert_array_equal(crop, cut(frame, crop_box(face, 640, 480, 1.3), 224))
        np.testing.assert_array_equal(context, cut(frame, wide, CONTEXT_SIDE_PX))
    crops, context = to_batch([one, one])
    assert (crops.shape, context.shape) == ((2, 3, 224, 224, 3), (2, 3, 160, 160, 3))


def test_clips_without_a_wider_crop_are_one_array() -> None:
    one = clip(FaceBox(200.0, 150.0, 350.0, 300.0))
    assert [each.shape for each in to_batch([one, one])] == [(2, 5, 224, 224, 3)]


def test_face_that_leaves_no_room_for_the_wider_crop_is_a_caution() -> None:
    """2 x 270 is more than the frame is high; 1.3 x 270 is not."""
    sees_both = card(architecture=context_config())
    for height_px, expected in ((230.0, []), (270.0, ["CROP_SCALE_DIFFERS"])):
        face = FaceBox(320.0 - 100, 240 - height_px / 2, 320.0 + 100, 240 + height_px / 2)
        one = clip(face, context_crop=crop_box(face, 640, 480, 2.0))
        found = clip_cautions([one], sees_both, 112.0)
        assert [finding.code.value for finding in found] == expected
    assert found[0].message.startswith("the wider crop is 1.78 times the face, training had 2.00")


def _timed(frames: list[np.ndarray]) -> Iterator[Frame]:
    return (Frame(pixels, 0.1 * i) for i, pixels in enumerate(frames))


def _boxes(frames: list[np.ndarray]) -> list[FaceBox]:
    from vivant.faces.detectors.blazeface import blazeface
    from vivant.faces.limits import QualityLimits
    from vivant.faces.mesh import FaceMesh
    from vivant.faces.observer import Eyes, Observer

    observer = Observer(Eyes(blazeface(None), FaceMesh()), QualityLimits())
    boxes = [observer.look(Frame(pixels, 0.1 * i)).box for i, pixels in enumerate(frames)]
    return [box for box in boxes if box is not None]
