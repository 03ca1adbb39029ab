"""Tests over several data sets: train on some, test on another (paper Table 4; OCIM).

A test is a record, `CrossTest`; `divide` applies it to what was read of each set. Sets are told
apart in three places, because their paths and their subjects collide (subject `1` of one is not
subject `1` of the other): the path and the column `frames` begin with `<data set>/`, so does the
subject, and the column `dataset` has the set's name. So folders or links of these names side by
side are one root for all of them.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from vivant.datasets.dataset import DataSet, Splits, check_apart
from vivant.errors import DataError, UnknownNameError
from vivant.plugins import find
from vivant.records import Label, Presentation, Split

__all__: list[str] = []

DATASET = "dataset"
"""The column with the data set's name."""
FRAMES = "frames"
"""The column with the pattern of a series of pictures (NUAA), below the root as the path is."""


class ThresholdRule(StrEnum):
    """Where a result's threshold comes from."""

    SOURCE_DEV_EER = "source-dev-eer"
    """Equal error on the sources' dev side: what can be had before the target is seen."""
    TARGET_DEV_EER = "target-dev-eer"
    """Equal error on the target's dev side: a habit of the field, optimistic."""
    TARGET_TEST_EER = "target-test-eer"
    """Equal error on the target's test side itself: comparable with OCIM's papers, optimistic."""
    HALF = "0.5"
    """One half, whatever the scores are."""


@dataclass(frozen=True, slots=True)
class Part:
    """What a test takes of one data set."""

    protocol: str
    """Of the data set."""
    sides: tuple[Split, ...]
    """Its sides that are trained on (source) or tested on (target)."""
    dev: tuple[Split, ...] = ()
    """Its sides for a threshold."""


@dataclass(frozen=True, slots=True)
class CrossTest:
    """One test over several data sets: one model, one result."""

    name: str
    """Such as `siw_to_oulu_npu:3_1`, `ocim:OCI-M`."""
    group: str
    """Tests of one group are given as mean and deviation where they are folds of a protocol."""
    sources: Mapping[str, Part]
    """By data set."""
    target: str
    """A data set."""
    target_part: Part
    thresholds: tuple[ThresholdRule, ...]
    """The first is the one that could be used in the field; the others are for comparison."""
    measures: tuple[str, ...]
    """What is reported."""
    source_frames: int | None = None
    """Frames of a source presentation that are used; None: all."""
    target_frames: int | None = None
    """Frames of a target presentation that are used; None: all."""

    @property
    def datasets(self) -> tuple[str, ...]:
        """Names of all data sets that it needs, sources first."""
        return (*self.sources, self.target)


@dataclass(frozen=True, slots=True)
class CrossSplits:
    """A test's presentations."""

    splits: Splits
    """Train and dev of the sources, test of the target."""
    target_dev: tuple[Presentation, ...]
    """The target's dev side, for `target-dev-eer` alone; else empty."""


@dataclass(frozen=True, slots=True)
class PartCount:
    """What one data set gives to one side of a test."""

    side: str
    """One of `SIDES`."""
    dataset: str
    protocol: str
    bona_fide: int
    attack: int
    expected: tuple[int, int] | None
    """Bona fide presentations and attacks when all are there; None where nobody knows."""


TARGET_DEV = "target-dev"
SIDES = (*(split.value for split in Split), TARGET_DEV)

_OULU_FOLDS = ("1", "2", *(f"{p}_{k}" for p in "34" for k in "123456"))
_SIW_FOLDS = ("1", "2_1", "2_2", "2_3", "2_4", "3_1", "3_2")
# By SSDG: C and M with all their videos; O and I without their dev side, which is thus free for a
# threshold, and every three sources have one of the two.
_TRAIN_AND_TEST = (Split.TRAIN, Split.TEST)
_LETTERS = {
    "O": ("oulu_npu", Part("all", _TRAIN_AND_TEST, (Split.DEV,))),
    "C": ("casia_fasd", Part("grandtest", _TRAIN_AND_TEST)),
    "I": ("replay_attack", Part("grandtest", _TRAIN_AND_TEST, (Split.DEV,))),
    "M": ("msu_mfsd", Part("grandtest", _TRAIN_AND_TEST)),
}
_OCIM = (("OCI", "M"), ("OMI", "C"), ("OCM", "I"), ("ICM", "O"))


def cross_tests() -> dict[str, CrossTest]:
    """All tests by name: Table 4's `siw_to_oulu_npu:*` and `oulu_npu_to_siw:*`, and `ocim:*`."""
    tests = [
        *(_one_to_one("siw", "oulu_npu", fold) for fold in _OULU_FOLDS),
        *(_one_to_one("oulu_npu", "siw", fold) for fold in _SIW_FOLDS),
        *(_three_to_one(*letters) for letters in _OCIM),
    ]
    return {test.name: test for test in tests}


def find_test(name: str) -> CrossTest:
    """The test of that name.

    Raises:
        UnknownNameError: there is none.
    """
    tests = cross_tests()
    if name not in tests:
        raise UnknownNameError("test over several data sets", name, tests)
    return tests[name]


def with_source_protocol(test: CrossTest, protocol: str) -> CrossTest:
    """The same test, trained by another protocol of its source: `1` of SiW has 60 frames a video.

    Raises:
        DataError: the test has several sources.
    """
    if len(test.sources) != 1:
        raise DataError(
            f"expected a test with one source, got {test.name} with {', '.join(test.sources)}: "
            "their protocols are fixed"
        )
    sources = {name: replace(part, protocol=protocol) for name, part in test.sources.items()}
    return replace(test, sources=sources)


def without_source_dev(test: CrossTest) -> CrossTest:
    """The same test for sources without a dev side: their subjects are all trained on."""
    rest = tuple(each for each in test.thresholds if each is not ThresholdRule.SOURCE_DEV_EER)
    return replace(test, thresholds=rest)


def divide(
    test: CrossTest,
    presentations: Mapping[str, Sequence[Presentation]],
    sets: Mapping[str, DataSet] | None = None,
) -> CrossSplits:
    """Divide the presentations of several data sets by a test.

    Args:
        test: The test.
        presentations: What was read of each data set, by its name. Others are not looked at.
        sets: The data sets by name, where they are not those of `vivant data list` as they stand:
            `siw("none")`, or `oulu_npu().at(root)`.

    Raises:
        DataError: names all that the test lacks: a data set, or a class on a side.
        UnknownNameError: a data set has no such protocol.
    """
    known = _all_sets(test, sets)
    lacks = [f"the data set {name}" for name in test.datasets if name not in presentations]
    pieces: dict[str, list[Presentation]] = {side: [] for side in SIDES}
    parts = {**test.sources, test.target: test.target_part}
    divided = {
        name: known[name].split(presentations[name], part.protocol)
        for name, part in parts.items()
        if name in presentations
    }
    for side, name, part, taken in _pieces(test):
        if name not in divided:
            continue
        rows = [row for split in taken for row in divided[name][split]]
        num_bona_fide = sum(row.label is Label.BONA_FIDE for row in rows)
        if num_bona_fide in (0, len(rows)):
            lacks.append(
                f"{'attacks' if num_bona_fide else 'bona fide presentations'} of {name}, protocol "
                f"{part.protocol}, for {side}"
            )
        pieces[side] += of_set(name, rows)
    if lacks:
        raise DataError(f"{test.name} needs what is not there: {'; '.join(lacks)}")
    splits: Splits = {split: tuple(pieces[split.value]) for split in Split}
    target_dev = tuple(pieces[TARGET_DEV])
    check_apart(splits)
    check_apart({Split.DEV: target_dev, Split.TEST: splits[Split.TEST]})
    return CrossSplits(splits, target_dev)


def count_parts(
    test: CrossTest, divided: CrossSplits, sets: Mapping[str, DataSet] | None = None
) -> tuple[PartCount, ...]:
    """How many presentations each data set gives to each side, and how many there should be."""
    known = _all_sets(test, sets)
    rows_of: dict[str, Sequence[Presentation]] = {
        **{split.value: rows for split, rows in divided.splits.items()},
        TARGET_DEV: divided.target_dev,
    }
    found = []
    for side, name, part, taken in _pieces(test):
        rows = [row for row in rows_of[side] if row.columns[DATASET] == name]
        num_bona_fide = sum(row.label is Label.BONA_FIDE for row in rows)
        expected = known[name].protocols[part.protocol].expected
        total = None
        if expected is not None:
            total = (sum(expected[s][0] for s in taken), sum(expected[s][1] for s in taken))
        found.append(
            PartCount(side, name, part.protocol, num_bona_fide, len(rows) - num_bona_fide, total)
        )
    return tuple(found)


def of_set(name: str, rows: Sequence[Presentation]) -> list[Presentation]:
    """Presentations of a data set, named so that they can stand beside those of another."""
    found = []
    for row in rows:
        columns = {**row.columns, DATASET: name}
        if FRAMES in columns:
            columns[FRAMES] = f"{name}/{columns[FRAMES]}"
        subject = None if row.subject is None else f"{name}/{row.subject}"
        found.append(replace(row, path=f"{name}/{row.path}", subject=subject, columns=columns))
    return found


def file_of(row: Presentation, roots: Mapping[str, Path]) -> Path:
    """Where a presentation of `divide` lies, given the folder of each data set."""
    name = row.columns[DATASET]
    return roots[name] / row.path.removeprefix(f"{name}/")


def _all_sets(test: CrossTest, sets: Mapping[str, DataSet] | None) -> dict[str, DataSet]:
    given = sets or {}
    return {
        name: given[name] if name in given else find("vivant.datasets", name, "data set")()
        for name in test.datasets
    }


def _pieces(test: CrossTest) -> Iterator[tuple[str, str, Part, tuple[Split, ...]]]:
    """Side of the test, data set, what the test takes of it, and the sides of its protocol."""
    for name, part in test.sources.items():
        yield Split.TRAIN.value, name, part, part.sides
    if ThresholdRule.SOURCE_DEV_EER in test.thresholds:
        for name, part in test.sources.items():
            if part.dev:
                yield Split.DEV.value, name, part, part.dev
    if ThresholdRule.TARGET_DEV_EER in test.thresholds:
        yield TARGET_DEV, test.target, test.target_part, test.target_part.dev
    yield Split.TEST.value, test.target, test.target_part, test.target_part.sides


def _one_to_one(source: str, target: str, fold: str) -> CrossTest:
    """Table 4. One model a source: all its frames and train subjects, whatever the target's fold.

    SiW has no dev side of its own, so as a target it gives no threshold.
    """
    has_dev = target == "oulu_npu"
    dev = (ThresholdRule.TARGET_DEV_EER,) if has_dev else ()
    return CrossTest(
        name=f"{source}_to_{target}:{fold}",
        group=f"{source}_to_{target}:{fold.partition('_')[0]}",
        # SiW's `all` is protocol 1 without its limit of 60 frames.
        sources={source: Part("all", (Split.TRAIN,), (Split.DEV,))},
        target=target,
        target_part=Part(fold, (Split.TEST,), (Split.DEV,) if has_dev else ()),
        thresholds=(ThresholdRule.SOURCE_DEV_EER, *dev, ThresholdRule.HALF),
        measures=("apcer", "bpcer", "acer"),
    )


def _three_to_one(sources: str, target: str) -> CrossTest:
    """OCIM, as SSDG has it: one frame of each source presentation, two of each target one."""
    name, part = _LETTERS[target]
    return CrossTest(
        name=f"ocim:{sources}-{target}",
        group="ocim",
        sources=dict(_LETTERS[letter] for letter in sources),
        target=name,
        target_part=replace(part, dev=()),
        thresholds=(ThresholdRule.SOURCE_DEV_EER, ThresholdRule.TARGET_TEST_EER),
        measures=("hter", "auc"),
        source_frames=1,
        target_frames=2,
    )
