from collections import Counter
from itertools import pairwise, product

import pytest

from vivant.datasets import oulu_npu, siw
from vivant.datasets.synthetic_plan import LAYOUTS, READERS, plan
from vivant.errors import UnknownNameError
from vivant.records import Label, Presentation, Split


def rows(layout: str, size: str) -> list[Presentation]:
    parse = oulu_npu.parse if layout == "oulu-npu" else siw.parse
    return [parse(video.path) for video in plan(layout, size)]


def test_full_has_every_name_of_oulu_npu():
    paths = {video.path for video in plan("oulu-npu", "full")}
    folders = {**dict.fromkeys(range(1, 21), "Train_files"),
               **dict.fromkeys(range(21, 36), "Dev_files"),
               **dict.fromkeys(range(36, 56), "Test_files")}  # fmt: skip
    assert paths == {
        f"{folder}/{phone}_{session}_{user:02d}_{file}.avi"
        for user, folder in folders.items()
        for phone, session, file in product(range(1, 7), range(1, 4), range(1, 6))
    }
    assert len(paths) == 4950


@pytest.mark.parametrize(
    ("layout", "size", "number"),
    [("oulu-npu", "tiny", 960), ("oulu-npu", "small", 1650),
     ("siw", "tiny", 448), ("siw", "small", 2310), ("siw", "full", 4620)],
)  # fmt: skip
def test_each_size_has_its_number_of_videos_each_once(layout, size, number):
    paths = [video.path for video in plan(layout, size)]
    assert len(paths) == len(set(paths)) == number


@pytest.mark.parametrize("layout", ["oulu-npu", "siw"])
@pytest.mark.parametrize("size", ["tiny", "full"])
def test_the_reader_reads_each_name_as_it_was_meant(layout, size):
    for video, row in zip(plan(layout, size), rows(layout, size), strict=True):
        assert int(str(row.subject)) == video.subject
        assert row.pai_species == video.pai_species
        if layout == "oulu-npu":
            assert row.columns.get("instrument") == video.instrument
            assert video.camera == f"phone_{row.columns['phone']}"
            assert video.session == f"session_{row.columns['session']}"
        else:
            assert row.columns.get("instrument") == video.instrument
            assert video.camera == f"sensor_{row.columns['sensor']}"
            assert video.is_mirrored is (row.columns["mirrored"] == "yes")


@pytest.mark.parametrize("layout", ["oulu-npu", "siw"])
@pytest.mark.parametrize("size", ["tiny"])
def test_every_protocol_has_both_classes_and_its_species_on_each_side(layout, size):
    dataset = oulu_npu.oulu_npu() if layout == "oulu-npu" else siw.siw()
    presentations = rows(layout, size)
    for protocol in dataset.protocols:
        for split, side in dataset.split(presentations, protocol).items():
            labels = Counter(row.label for row in side)
            assert labels[Label.BONA_FIDE] >= 2, (protocol, split)
            assert labels[Label.ATTACK] >= 2, (protocol, split)
            if layout == "oulu-npu":
                assert {row.pai_species for row in side} == {None, "print", "replay"}


@pytest.mark.parametrize("layout", ["oulu-npu", "siw"])
def test_tiny_has_eight_subjects_on_each_side_and_more_to_train_with(layout):
    dataset = oulu_npu.oulu_npu() if layout == "oulu-npu" else siw.siw()
    sides = dataset.split(rows(layout, "tiny"), "1")
    assert {split: len({row.subject for row in side}) for split, side in sides.items()} == {
        Split.TRAIN: 16, Split.DEV: 8, Split.TEST: 8,
    }  # fmt: skip


def test_in_tiny_each_user_has_every_phone_and_session_and_no_pair_is_left_out():
    for users in (range(1, 17), range(21, 29), range(36, 44)):
        pairs: Counter[tuple[str, str]] = Counter()
        for user in users:
            mine = [v for v in plan("oulu-npu", "tiny") if v.subject == user]
            assert len(mine) == 30
            assert {v.camera for v in mine} == {f"phone_{n}" for n in range(1, 7)}
            assert {v.session for v in mine} == {f"session_{n}" for n in range(1, 4)}
            pairs.update({(v.camera, v.session) for v in mine})
        assert len(pairs) == 18
        assert min(pairs.values()) >= 2


def test_siw_has_one_mirrored_name_and_prints_by_the_first_sensor_alone():
    for size in ("tiny", "small", "full"):
        videos = plan("siw", size)
        assert sum(video.is_mirrored for video in videos) == 1
        assert sum(".m." in video.path for video in videos) == 1
        assert {v.camera for v in videos if v.pai_species == "print"} == {"sensor_1"}
        assert {v.instrument for v in videos if v.pai_species == "replay"} == {
            f"replay_{n}" for n in range(1, 5)
        }


@pytest.mark.parametrize("size", ["tiny", "full"])
def test_siw_s_papers_follow_the_session_and_are_seen_in_both_lights(size):
    prints = [video for video in plan("siw", size) if video.pai_species == "print"]
    for video in prints:
        _, _, _, medium, session = video.path.rpartition("/")[2].partition(".")[0].split("-")
        assert video.paper == {"1": "print_glossy", "2": "print_matt"}[session]
        assert video.session == f"light_{medium}"
    for side in ("Train", "Test"):
        pairs = Counter((v.paper, v.session) for v in prints if v.path.startswith(side))
        assert len(pairs) == 4
        assert max(pairs.values()) < 2 * min(pairs.values())
    assert not any(v.paper for v in plan("siw", size) if v.pai_species != "print")


def test_subjects_come_in_a_row():
    for layout in ("oulu-npu", "siw"):
        subjects = [video.subject for video in plan(layout, "tiny")]
        changes = sum(a != b for a, b in pairwise(subjects))
        assert changes == len(set(subjects)) - 1


def test_what_is_not_known_is_refused():
    with pytest.raises(UnknownNameError, match="no layout is called 'oulu': did you mean"):
        plan("oulu", "tiny")
    with pytest.raises(UnknownNameError, match="no size is called 'huge'"):
        plan("siw", "huge")


def test_every_layout_has_a_reader() -> None:
    assert set(READERS) == set(LAYOUTS)
