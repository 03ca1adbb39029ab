"""Tests over several data sets, on the real names of each; numbers by the owners' tables."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from datasets import oulu_tree, siw_tree, trees
from vivant.datasets import oulu_npu, siw
from vivant.datasets.casia_fasd import casia_fasd
from vivant.datasets.cross import (
    TARGET_DEV,
    CrossSplits,
    CrossTest,
    PartCount,
    ThresholdRule,
    count_parts,
    cross_tests,
    divide,
    file_of,
    find_test,
    of_set,
    with_source_protocol,
    without_source_dev,
)
from vivant.datasets.dataset import check_apart, counts
from vivant.datasets.msu_mfsd import msu_mfsd
from vivant.datasets.replay_attack import replay_attack
from vivant.errors import DataError, UnknownNameError
from vivant.records import Label, Presentation, Split

Rows = dict[str, tuple[Presentation, ...]]


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Rows:
    found: Rows = {
        "oulu_npu": tuple(oulu_npu.parse(path) for path in oulu_tree.paths()),
        "siw": tuple(siw.parse(path) for path in siw_tree.paths()),
    }
    for data_set, grow in (
        (casia_fasd(), trees.casia_fasd_tree),
        (msu_mfsd(), trees.msu_mfsd_tree),
        (replay_attack(), trees.replay_attack_tree),
    ):
        root = tmp_path_factory.mktemp(data_set.name)
        grow(root)
        found[data_set.name] = data_set.read(root).presentations
    return found


def of(divided: CrossSplits, split: Split) -> Counter[str]:
    return Counter(row.columns["dataset"] for row in divided.splits[split])


def test_the_tests_are_those_of_table_4_and_ocim() -> None:
    names = list(cross_tests())
    assert len(names) == len(set(names)) == 14 + 7 + 4
    groups = Counter(test.group for test in cross_tests().values())
    assert groups == {
        "siw_to_oulu_npu:1": 1, "siw_to_oulu_npu:2": 1, "siw_to_oulu_npu:3": 6,
        "siw_to_oulu_npu:4": 6, "oulu_npu_to_siw:1": 1, "oulu_npu_to_siw:2": 4,
        "oulu_npu_to_siw:3": 2, "ocim": 4,
    }  # fmt: skip
    assert not any(set(name) & set("&|;<>()$ ") for name in names)  # They are typed into a shell.


@pytest.mark.parametrize(
    ("fold", "dev", "test"),
    [
        ("1", (180, 720), (120, 480)),
        ("2", (270, 540), (360, 720)),
        ("3_1", (225, 900), (60, 240)),
        ("3_6", (225, 900), (60, 240)),
        ("4_2", (150, 300), (20, 40)),
    ],
)
def test_siw_to_oulu_npu_has_one_training_and_each_folds_test(
    rows: Rows, fold: str, dev: tuple[int, int], test: tuple[int, int]
) -> None:
    cross = find_test(f"siw_to_oulu_npu:{fold}")
    divided = divide(cross, rows)
    # Of siw_tree's six train subjects, two are bob's dev; 8 bona fide videos and 21 attacks each.
    assert counts(divided.splits) == {
        Split.TRAIN: (4 * 8, 4 * 21), Split.DEV: (2 * 8, 2 * 21), Split.TEST: test,
    }  # fmt: skip
    assert counts({Split.DEV: divided.target_dev}) == {Split.DEV: dev}
    assert of(divided, Split.TRAIN) == {"siw": 4 * 29}
    assert of(divided, Split.TEST) == {"oulu_npu": sum(test)}
    assert all(row.max_frames is None for row in divided.splits[Split.TRAIN])
    expected = {each.side: each.expected for each in count_parts(cross, divided)}
    assert expected == {"train": None, "dev": None, TARGET_DEV: dev, "test": test}
    assert [str(rule) for rule in cross.thresholds] == ["source-dev-eer", "target-dev-eer", "0.5"]


def test_oulu_npu_to_siw_trains_on_all_train_files(rows: Rows) -> None:
    cross = find_test("oulu_npu_to_siw:2_3")
    divided = divide(cross, rows)
    assert counts(divided.splits) == {
        Split.TRAIN: (360, 1440),
        Split.DEV: (270, 1080),
        Split.TEST: (3 * 8, 3 * 4),  # Medium 3, two sensors, two sessions, of three test subjects.
    }
    assert {r.columns.get("instrument") for r in divided.splits[Split.TEST]} == {None, "replay_3"}
    assert divided.target_dev == ()
    assert cross.thresholds == (ThresholdRule.SOURCE_DEV_EER, ThresholdRule.HALF)
    species = {"1": {"print", "replay"}, "3_1": {"replay"}, "3_2": {"print"}}
    for fold, attacks in species.items():
        test = divide(find_test(f"oulu_npu_to_siw:{fold}"), rows).splits[Split.TEST]
        assert {row.pai_species for row in test} == {None, *attacks}


@pytest.mark.parametrize(
    ("name", "train", "dev", "test"),
    [
        # O 720 + 2880 of train and test, C 150 + 450, I 140 + 700 of train and test, M 70 + 210.
        ("ocim:OCI-M", (1010, 4030), (330, 1380), (70, 210)),
        ("ocim:OMI-C", (930, 3790), (330, 1380), (150, 450)),
        ("ocim:OCM-I", (940, 3540), (270, 1080), (140, 700)),
        ("ocim:ICM-O", (360, 1360), (60, 300), (720, 2880)),
    ],
)
def test_ocim_leaves_one_out_as_ssdg_does(
    rows: Rows, name: str, train: tuple[int, int], dev: tuple[int, int], test: tuple[int, int]
) -> None:
    cross = find_test(name)
    divided = divide(cross, rows)
    assert counts(divided.splits) == {Split.TRAIN: train, Split.DEV: dev, Split.TEST: test}
    parts = count_parts(cross, divided)
    assert all((part.bona_fide, part.attack) == part.expected for part in parts)
    assert set(of(divided, Split.TRAIN)) == set(cross.sources)
    assert set(of(divided, Split.TEST)) == {cross.target}
    # What SSDG drops is the dev side here, and C and M have none.
    assert {part.dataset for part in parts if part.side == "dev"} <= {"oulu_npu", "replay_attack"}
    assert (cross.source_frames, cross.target_frames) == (1, 2)
    assert cross.measures == ("hter", "auc")


@pytest.mark.parametrize(
    "name", ["siw_to_oulu_npu:4_6", "oulu_npu_to_siw:3_1", "ocim:OCI-M", "ocim:ICM-O"]
)
def test_no_one_is_on_two_sides(rows: Rows, name: str) -> None:
    divided = divide(find_test(name), rows)
    seen = [{row.subject for row in side} for side in divided.splits.values()]
    assert all(seen)
    assert sum(map(len, seen)) == len(set.union(*seen))
    check_apart({Split.TRAIN: divided.splits[Split.TRAIN], Split.DEV: divided.target_dev})


def row(path: str, subject: str, label: Label, **columns: str) -> Presentation:
    species = None if label is Label.BONA_FIDE else "print"
    return Presentation(path, label, species, subject, columns=columns)


def test_sets_whose_names_collide_are_told_apart() -> None:
    own = row("a/1.jpg", "1", Label.BONA_FIDE, frames="a/[0-9]*.jpg", light="dim")
    (one,), (other,) = of_set("x", [own]), of_set("y", [own])
    check_apart({Split.TRAIN: (one,), Split.TEST: (other,)})
    with pytest.raises(DataError, match="the file 'x/a/1.jpg' is on two sides"):
        check_apart({Split.TRAIN: (one,), Split.TEST: (one,)})
    assert (one.path, one.subject) == ("x/a/1.jpg", "x/1")
    assert one.columns == {"frames": "x/a/[0-9]*.jpg", "light": "dim", "dataset": "x"}
    assert (own.path, "dataset" in own.columns) == ("a/1.jpg", False)
    roots = {"x": Path("/disk/one"), "y": Path("/disk/two")}
    assert file_of(other, roots) == Path("/disk/two/a/1.jpg")
    (nobody,) = of_set("x", [replace(own, subject=None)])
    assert nobody.subject is None


def test_all_that_is_missing_is_named(rows: Rows) -> None:
    no_replays = [r for r in rows["oulu_npu"] if r.split is not Split.TEST or not r.pai_species]
    with pytest.raises(DataError) as error:
        divide(find_test("siw_to_oulu_npu:3_2"), {"oulu_npu": no_replays})
    assert str(error.value) == (
        "siw_to_oulu_npu:3_2 needs what is not there: the data set siw; "
        "attacks of oulu_npu, protocol 3_2, for test"
    )
    with pytest.raises(DataError, match="bona fide presentations of siw, protocol all, for train"):
        divide(find_test("siw_to_oulu_npu:1"), {**rows, "siw": ()})
    with pytest.raises(UnknownNameError, match="did you mean 'ocim:OCI-M'"):
        find_test("ocim:OCIM")


def test_siw_without_a_dev_side_gives_no_source_threshold(rows: Rows) -> None:
    sets = {"siw": siw.siw("none")}
    cross = find_test("siw_to_oulu_npu:1")
    with pytest.raises(DataError, match="bona fide presentations of siw, protocol all, for dev"):
        divide(cross, rows, sets)
    cross = without_source_dev(cross)
    divided = divide(cross, rows, sets)
    assert counts(divided.splits)[Split.TRAIN] == (6 * 8, 6 * 21)
    assert divided.splits[Split.DEV] == ()
    assert cross.thresholds == (ThresholdRule.TARGET_DEV_EER, ThresholdRule.HALF)


def test_source_protocol_can_be_another(rows: Rows) -> None:
    short = divide(with_source_protocol(find_test("siw_to_oulu_npu:1"), "1"), rows)
    assert {row.max_frames for row in short.splits[Split.TRAIN]} == {60}
    assert {row.max_frames for row in short.splits[Split.TEST]} == {None}
    cross: CrossTest = with_source_protocol(find_test("oulu_npu_to_siw:1"), "1")
    assert counts(divide(cross, rows).splits)[Split.TRAIN] == (240, 960)
    with pytest.raises(DataError, match="expected a test with one source, got ocim:OCI-M"):
        with_source_protocol(find_test("ocim:OCI-M"), "1")


def test_parts_are_counted_for_each_side_and_set(rows: Rows) -> None:
    cross = find_test("ocim:ICM-O")
    part = count_parts(cross, divide(cross, rows))[0]
    assert part == PartCount("train", "replay_attack", "grandtest", 140, 700, (140, 700))
