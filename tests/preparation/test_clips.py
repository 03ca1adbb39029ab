from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from prepared import SIDE, filled, frame, picture, prepared, presentation, presentations
from vivant.errors import DataError, UnknownNameError
from vivant.preparation.clips import (
    ClipStore,
    PreparedClip,
    decode,
    random_clips,
    require_margin,
    spread_windows,
)
from vivant.preparation.place import to_place
from vivant.preparation.record import PreparedPresentation
from vivant.records import FaceBox, Label

A = "videos/a.mp4"


def clips(folder: Path, rows: list[PreparedPresentation], **options: object) -> ClipStore:
    return ClipStore(filled(folder / "store", rows).folder, **options)


def first(store: ClipStore, path: str = A, scale: float = 1.3, side: int = 47) -> PreparedClip:
    (raw,) = store.read([store.windows(path)[0]])
    return decode(raw, scale, side)


def test_every_run_of_five_usable_frames_is_a_clip(tmp_path: Path) -> None:
    frames = [frame(i, faults=("POSE",) if i == 6 else ()) for i in range(9)]
    store = clips(tmp_path, [prepared(presentation("a"), frames)])
    assert store.windows(A) == ((0, 1, 2, 3, 4), (1, 2, 3, 4, 5))
    everything = ClipStore(tmp_path / "store", only_usable=False)
    assert len(everything.windows(A)) == 5


def test_first_frames_alone_are_used_where_the_protocol_says_so(tmp_path: Path) -> None:
    store = clips(tmp_path, [prepared(presentation("a"), [frame(i) for i in range(9)])])
    # Frame i is number 3i of the file: 0, 3, 6, 9, 12, 15 are among the first 16.
    assert store.windows(A, max_frames=16) == ((0, 1, 2, 3, 4), (1, 2, 3, 4, 5))


def test_still_stands_for_all_frames_of_a_clip(tmp_path: Path) -> None:
    store = clips(tmp_path, [prepared(presentation("a"), [frame(0)], is_still=True)])
    assert store.windows(A) == ((0, 0, 0, 0, 0),)
    assert first(store).crops.shape == (5, 47, 47, 3)


def test_too_short_a_video_has_no_clip(tmp_path: Path) -> None:
    store = clips(tmp_path, [prepared(presentation("a"), [frame(i) for i in range(2)])])
    assert store.windows(A) == ()


def test_face_that_runs_out_of_its_squares_has_no_clip(tmp_path: Path) -> None:
    still = [frame(i) for i in range(5)]
    fast = [frame(i, face_x=60.0 + 20 * i) for i in range(5)]
    rows = [prepared(presentation("a"), still), prepared(presentation("b"), fast)]
    store = clips(tmp_path, rows)
    assert len(store.windows(A)) == 1
    assert store.windows("videos/b.mp4") == ()


def test_crop_is_cut_where_the_face_is(tmp_path: Path) -> None:
    store = clips(tmp_path, [prepared(presentation("a"), [frame(i) for i in range(5)])])
    clip = first(store, scale=1.3, side=47)
    # The square begins at (86, 60), the crop of 47 about the face's middle (118, 92) at (95, 69).
    for number, crop in enumerate(clip.crops):
        expected = picture(60 + 10 * number)[9:56, 9:56].astype(int)
        assert abs(crop.astype(int) - expected).mean() < 4  # JPEG.
        assert crop[5, 5, 0] > crop[5, 5, 2] + 20  # RGB: upper left is red, lower right blue.
        assert crop[40, 40, 2] > crop[40, 40, 0] + 20


def test_wider_crop_is_cut_from_the_same_square(tmp_path: Path) -> None:
    store = clips(tmp_path, [prepared(presentation("a"), [frame(i) for i in range(5)])])
    (raw,) = store.read([store.windows(A)[0]])
    both = decode(raw, 1.3, 47, context_scale=1.7, context_side_px=61)
    np.testing.assert_array_equal(both.crops, first(store).crops)
    assert both.context is not None
    # 61 pixels about the face's middle, (118, 92), begin at (88, 62): (2, 2) of the square.
    for crop, square in zip(both.context, raw.pixels(), strict=True):
        np.testing.assert_array_equal(crop, square[2:63, 2:63])
    assert decode(raw, 1.3, 47).context is None


def test_squares_are_given_whole_with_the_face_in_them(tmp_path: Path) -> None:
    frames = [frame(i, face_x=100.0 + 2 * i) for i in range(5)]
    store = clips(tmp_path, [prepared(presentation("a"), frames)])
    (raw,) = store.read([store.windows(A)[0]])
    assert [each.shape for each in raw.pixels()] == [(SIDE, SIDE, 3)] * 5
    # The clip's one box is at x 104; the first square begins at x 86, the last at 94; y 60.
    assert raw.face_in_square(0) == FaceBox(18.0, 14.0, 54.0, 50.0)
    assert raw.face_in_square(4) == FaceBox(10.0, 14.0, 46.0, 50.0)
    assert np.abs(raw.pixels()[2].astype(int) - picture(80)).mean() < 4
    # Half as many stored pixels: half the numbers.
    shrunk = replace(raw, squares=tuple(replace(each, quarters=8) for each in raw.squares))
    assert shrunk.face_in_square(0) == FaceBox(9.0, 7.0, 27.0, 25.0)


def test_a_store_too_narrow_for_a_model_is_refused_with_the_command(tmp_path: Path) -> None:
    store = filled(tmp_path / "store", [prepared(presentation("a"))])
    require_margin(store, 1.75)
    ClipStore(store.folder).require_margin(1.5)
    message = r"1\.75 times .* needs 2\.49.* vivant data prepare folder .* --margin 2\.49"
    with pytest.raises(DataError, match=message):
        require_margin(store, 2.483)
    with pytest.raises(DataError, match=message):
        ClipStore(store.folder).require_margin(2.49)
    with pytest.raises(DataError, match=r"--margin 2$"):
        ClipStore(store.folder, widest_scale=2.0)


def test_no_crop_is_wider_than_the_store_says_that_it_holds(tmp_path: Path) -> None:
    store = clips(tmp_path, [prepared(presentation("a"))])
    (raw,) = store.read([store.windows(A)[0]])
    for scales in ({"scale": 1.8}, {"scale": 1.3, "context_scale": 2.0}):
        with pytest.raises(DataError, match=r"videos/a\.mp4: the store holds 1\.75 .* --margin"):
            decode(raw, side_px=47, **scales)


def test_a_face_that_moves_has_clips_for_as_wide_a_crop_as_is_asked_for(tmp_path: Path) -> None:
    frames = [frame(i, face_x=100.0 + 3 * i) for i in range(5)]
    clips(tmp_path, [prepared(presentation("a"), frames)])
    # Squares of 64 that lie 12 pixels apart share 52: 1.44 times the face of 36.
    folder = tmp_path / "store"
    assert len(ClipStore(folder).windows(A)) == 1
    assert len(ClipStore(folder, widest_scale=1.4).windows(A)) == 1
    assert ClipStore(folder, widest_scale=1.5).windows(A) == ()


def test_depth_lies_under_its_face(tmp_path: Path) -> None:
    depth = np.zeros((SIDE // 2, SIDE // 2), np.uint8)  # Stored at half the square's side.
    depth[8:24, 8:24] = 200
    frames = [frame(i, depth=depth) for i in range(5)]
    clip = first(clips(tmp_path, [prepared(presentation("a"), frames)]))
    assert clip.has_depth.all()
    # 16..48 of the square is 7..39 of the crop.
    found = clip.depth[2] > 100
    rows, columns = np.nonzero(found)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (7, 38, 7, 38)


def test_attack_has_a_depth_of_zeros_and_unknown_depth_has_none(tmp_path: Path) -> None:
    frames = [frame(i, with_depth=i != 3) for i in range(5)]
    attack = [frame(i, with_depth=False) for i in range(5)]
    rows = [prepared(presentation("a"), frames), prepared(presentation("b", Label.ATTACK), attack)]
    store = clips(tmp_path, rows)
    assert first(store).has_depth.tolist() == [True, True, True, False, True]
    found = first(store, "videos/b.mp4")
    assert found.has_depth.all()
    assert not found.depth.any()


def test_no_clip_spans_a_moment_without_a_face(tmp_path: Path) -> None:
    frames = [frame(i) for i in (0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 11)]  # Not seen on look 6.
    store = clips(tmp_path, [prepared(presentation("a"), frames, num_looks=12)])
    # By their rows: looks 0 to 4, 1 to 5, 7 to 11.
    assert store.windows(A) == ((0, 1, 2, 3, 4), (1, 2, 3, 4, 5), (6, 7, 8, 9, 10))


def test_face_that_comes_late_has_its_clips(tmp_path: Path) -> None:
    frames = [frame(i) for i in range(20, 26)]
    store = clips(tmp_path, [prepared(presentation("a"), frames, num_looks=26)])
    assert store.windows(A) == ((0, 1, 2, 3, 4), (1, 2, 3, 4, 5))


def test_refused_and_short_ones_are_passed_over_wherever_one_goes_on(tmp_path: Path) -> None:
    rows = [prepared(row) for row in presentations(6)]
    rows[1] = prepared(presentations(6)[1], [], refusal="TOO_LONG")
    rows[4] = prepared(presentations(6)[4], [frame(0)])
    store = clips(tmp_path, rows)
    everything = presentations(6)
    whole = list(random_clips(store, everything, 0, 0))
    assert len(whole) == 4
    for start in range(5):
        assert list(random_clips(store, everything, 0, 0, start)) == whole[start:]


def test_many_clips_are_read_at_once_and_in_the_order_asked_for(tmp_path: Path) -> None:
    store = clips(tmp_path, [prepared(row) for row in presentations(4)])
    wanted = [store.windows(row.path)[k] for row in store.presentations[::-1] for k in (2, 0)]
    found = store.read(wanted)
    assert [raw.presentation for raw in found] == [
        row for row in store.presentations[::-1] for _ in range(2)
    ]
    alone = [store.read([window])[0] for window in wanted]
    assert [raw.crops for raw in found] == [raw.crops for raw in alone]


def test_order_is_random_and_the_same_for_the_same_seed(tmp_path: Path) -> None:
    store = clips(tmp_path, [prepared(row) for row in presentations(20)])
    one = list(random_clips(store, store.presentations, 7, 0))
    assert one == list(random_clips(store, store.presentations, 7, 0))
    assert one != list(random_clips(store, store.presentations, 7, 1))
    assert one != list(random_clips(store, store.presentations, 8, 0))
    owners = [window[0] // 7 for window in one]
    assert sorted(owners) == list(range(20))
    assert owners != sorted(owners)
    assert len({window[0] % 7 for window in one}) > 1


@pytest.mark.parametrize("start", [0, 1, 13, 20])
def test_order_goes_on_from_any_place(tmp_path: Path, start: int) -> None:
    store = clips(tmp_path, [prepared(row) for row in presentations(20)])
    whole = list(random_clips(store, store.presentations, 7, 3))
    assert list(random_clips(store, store.presentations, 7, 3, start)) == whole[start:]


def test_order_does_not_depend_on_the_order_of_writing(tmp_path: Path) -> None:
    rows = [prepared(row) for row in presentations(9)]
    one, other = clips(tmp_path / "one", rows), clips(tmp_path / "other", rows[::-1])
    assert one.presentations == other.presentations
    for mine, theirs in zip(
        random_clips(one, one.presentations, 1, 0),
        random_clips(other, other.presentations, 1, 0),
        strict=True,
    ):
        assert one.read([mine])[0].presentation == other.read([theirs])[0].presentation


def test_missing_frames_are_noticed(tmp_path: Path) -> None:
    store = filled(tmp_path / "store", [prepared(presentation("a"))])
    store.frames().delete("position = 3")
    with pytest.raises(DataError, match=r"has 6 frames of videos/a\.mp4 and should have 7"):
        ClipStore(store.folder)


def test_damaged_picture_is_named(tmp_path: Path) -> None:
    store = clips(tmp_path, [prepared(presentation("a"))])
    (raw,) = store.read([store.windows(A)[0]])
    broken = replace(raw, crops=(b"no",) * 5)
    with pytest.raises(DataError, match=r"videos/a\.mp4: a stored picture is damaged"):
        decode(broken, 1.3, 224)


def test_unknown_presentation_is_an_error(tmp_path: Path) -> None:
    store = clips(tmp_path, [prepared(presentation("a"))])
    with pytest.raises(UnknownNameError, match=r"did you mean 'videos/a\.mp4'"):
        store.windows("videos/b.mp4")


@pytest.mark.parametrize(
    ("num", "num_windows", "expected"),
    [(5, 1, [2]), (4, 1, [1]), (1, 1, [0]), (5, 3, [0, 2, 4]), (6, 4, [0, 2, 3, 5]),
     (5, 5, [0, 1, 2, 3, 4]), (2, 4, [0, 1]), (1, 3, [0])],
)  # fmt: skip
def test_windows_are_spread_by_hand(num: int, num_windows: int, expected: list[int]) -> None:
    windows = [(at,) for at in range(num)]
    assert spread_windows(windows, num_windows) == [(at,) for at in expected]


def test_spread_windows_are_distinct_in_order_and_have_both_ends() -> None:
    for num in range(1, 20):
        for num_windows in range(2, 8):
            found = [at for (at,) in spread_windows([(at,) for at in range(num)], num_windows)]
            assert found == sorted(set(found))
            assert (found[0], found[-1]) == (0, num - 1)
            assert len(found) == min(num, num_windows)
            gaps = np.diff(found)
            assert len(gaps) == 0 or gaps.max() - gaps.min() <= 1


def test_clips_at_a_url_are_those_of_a_folder(bucket: str, tmp_path: Path) -> None:
    rows = [prepared(presentation(name)) for name in "ab"]
    here = clips(tmp_path, rows)
    there = ClipStore(filled(to_place(f"{bucket}/store"), rows).folder)
    assert there.windows(A) == here.windows(A)
    np.testing.assert_array_equal(first(there).crops, first(here).crops)
    np.testing.assert_array_equal(first(there).depth, first(here).depth)
