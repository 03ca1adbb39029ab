import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasets.siw_tree import LIVE, PRINT, REPLAY, TEST, TRAIN, grow, paths
from vivant.datasets.dataset import Counts, Reading, Splits, counts
from vivant.datasets.siw import BOB_COUNTS, DEV_SUBJECTS, NUM_SUBJECTS, TEST_SUBJECTS, parse, siw
from vivant.errors import DataError, UnknownNameError
from vivant.plugins import find
from vivant.records import Label, Presentation, Split

ROOT = Path(__file__).parents[2]
SUBJECTS = ROOT.parent / "shared" / "reference" / "siw_subjects.json"
RUNS = ["1", "2_1", "2_2", "2_3", "2_4", "3_1", "3_2"]
NUM_LIVE, NUM_PRINT, NUM_REPLAY = len(LIVE), len(PRINT), len(REPLAY)


@pytest.fixture(scope="session")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return grow(tmp_path_factory.mktemp("siw"))


@pytest.fixture(scope="session")
def reading(tree: Path) -> Reading:
    return siw().read(tree)


def split(reading: Reading, protocol: str, dev: str = "bob") -> Splits:
    return siw(dev).split(reading.presentations, protocol)


def instruments(splits: Splits, side: Split) -> set[str]:
    return {row.columns.get("instrument", "bona fide") for row in splits[side]}


# --- Subjects --------------------------------------------------------------------------------


def test_subjects_are_the_owners() -> None:
    assert (len(TEST_SUBJECTS), NUM_SUBJECTS - len(TEST_SUBJECTS)) == (75, 90)
    assert {name: len(subjects) for name, subjects in DEV_SUBJECTS.items()} == {
        "bob": 10,
        "gradiant": 12,
        "none": 0,
    }
    for subjects in (TEST_SUBJECTS, *DEV_SUBJECTS.values()):
        assert subjects <= set(range(1, NUM_SUBJECTS + 1))
    for subjects in DEV_SUBJECTS.values():
        assert not subjects & TEST_SUBJECTS


def test_subjects_are_those_of_bobs_lists() -> None:
    if not SUBJECTS.exists():
        pytest.skip(f"no {SUBJECTS.name} beside the repository")
    theirs = {side: set(subjects) for side, subjects in json.loads(SUBJECTS.read_text()).items()}
    assert theirs["eval"] == TEST_SUBJECTS
    assert theirs["dev"] == DEV_SUBJECTS["bob"]
    assert theirs["train"] == set(range(1, 166)) - TEST_SUBJECTS - DEV_SUBJECTS["bob"]


# --- Reading ---------------------------------------------------------------------------------


def test_every_video_is_read(reading: Reading) -> None:
    assert not reading.problems
    assert [row.path for row in reading.presentations] == sorted(paths())
    assert {row.split for row in reading.presentations} == {Split.TRAIN, Split.TEST}


def test_is_found_by_its_name() -> None:
    found = find("vivant.datasets", "siw", "data set")()
    assert set(found.protocols) == {*RUNS, "all"}
    assert all(protocol.expected is None for protocol in found.protocols.values())


@pytest.mark.parametrize(
    ("path", "species", "columns"),
    [
        ("Train/live/003/003-1-1-1-1.mov", None, "1 1 1 no"),
        ("Train/live/003/003-1-1-1-1.m.mov", None, "1 1 1 yes"),
        ("Train/live/003/003_1_1_2_1.mp4", None, "1 2 1 no"),
        ("Test/spoof/001/001-1-2-2-1.MOV", "print", "1 2 1 no print_2"),
        ("Test/spoof/001/001-2-3-4-2.m.Mp4", "replay", "2 4 2 yes replay_4"),
        ("Test/spoof/001/001-2-3-4-9.mov", "replay", "2 4 9 no replay_4"),
    ],
)
def test_name_says_what_it_is(path: str, species: str | None, columns: str) -> None:
    names = ["sensor", "medium", "session", "mirrored", "instrument"]
    expected = Presentation(
        path,
        Label.ATTACK if species else Label.BONA_FIDE,
        species,
        path.split("/")[2],
        Split.TRAIN if path.startswith("Train") else Split.TEST,
        dict(zip(names, columns.split(), strict=False)),
    )
    assert parse(path) == expected


@pytest.mark.parametrize(
    "name",
    [
        "003-1-1-1.mov", "003-3-1-1-1.mov", "003-1-4-1-1.mov", "003-1-1-5-1.mov", "3-1-1-1-1.mov",
        "0003-1-1-1-1.mov", "003-1_1-1-1.mov", "003-1-1-1-1.avi", "003-1-1-1-1.x.mov",
        "003-1-1-1-1.m.m.mov", "003-1-1-1-1", "003-1-1-1-1.mov\n", "\u0660\u0660\u0663-1-1-1-1.mov",
    ],
)  # fmt: skip
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(DataError, match="expected a file like Train/live/003/003-1-1-1-1.mov"):
        parse(f"Train/live/003/{name}")


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("Train/live/003/003-1-2-1-1.mov", "type 2 is print, but it is in live: not used"),
        ("Train/spoof/003/003-1-1-1-1.mov", "type 1 is bona fide, but it is in spoof: not used"),
        ("Train/live/003/006-1-1-1-1.mov", "subject 006 is in the folder of 003: not used"),
        ("Train/live/001/001-1-1-1-1.mov", "subject 001 belongs in Test: not used"),
        ("Test/live/003/003-1-1-1-1.mov", "subject 003 belongs in Train: not used"),
        ("Train/live/000/000-1-1-1-1.mov", "expected a subject 001 to 165, got 000"),
        ("Train/live/166/166-1-1-1-1.mov", "expected a subject 001 to 165, got 166"),
        ("Train/live/003/003-1-1-3-1.mov", "expected a medium of 1, 2 for type 1, got 3"),
        ("Train/spoof/003/003-1-2-4-1.mov", "expected a medium of 1, 2 for type 2, got 4"),
        ("train/live/003/003-1-1-1-1.mov", "expected a file like"),
        ("Train/live/003-1-1-1-1.mov", "expected a file like"),
    ],
)
def test_contradiction_is_a_problem(tmp_path: Path, path: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        parse(path)
    good = ["Train/live/032/032-1-1-1-1.mov", "Test/spoof/002/002-1-2-1-1.mov"]
    reading = siw().read(grow(tmp_path, [*good, path]))
    assert [row.path for row in reading.presentations] == sorted(good)
    assert message in {p.path: p.message for p in reading.problems}[path]


@given(
    st.integers(1, 165), st.integers(1, 2), st.integers(1, 3), st.integers(1, 2),
    st.integers(1, 2), st.sampled_from("-_"), st.sampled_from(["", ".m"]),
    st.sampled_from([".mov", ".mp4", ".MOV"]),
)  # fmt: skip
def test_each_name_has_one_place(
    subject: int, sensor: int, kind: int, medium: int, session: int, by: str, m: str, ending: str
) -> None:
    name = by.join(map(str, (f"{subject:03d}", sensor, kind, medium, session))) + m + ending
    accepted = []
    for side in ("Train", "Test"):
        for folder in ("live", "spoof"):
            try:
                accepted.append(parse(f"{side}/{folder}/{subject:03d}/{name}"))
            except DataError:
                continue
    (row,) = accepted
    assert row.path.startswith("Test/" if subject in TEST_SUBJECTS else "Train/")
    assert (row.label is Label.BONA_FIDE) == ("/live/" in row.path) == (kind == 1)
    assert row.columns["mirrored"] == ("yes" if m else "no")


@given(st.text(max_size=30))
def test_any_name_is_read_or_refused(name: str) -> None:
    try:
        row = parse(f"Train/live/003/{name}")
    except DataError:
        return
    assert row.subject == "003"


def test_second_copy_is_a_problem_and_a_mirrored_one_is_not(tmp_path: Path) -> None:
    names = ["003-1-1-1-1.mov", "003-1-1-1-1.mp4", "003_1_1_1_1.mp4", "003-1-1-1-1.m.mov"]
    reading = siw().read(grow(tmp_path, [f"Train/live/003/{name}" for name in names]))
    assert [Path(row.path).name for row in reading.presentations] == [names[3], names[0]]
    doubled = {
        Path(problem.path).name for problem in reading.problems if "twice" in problem.message
    }
    assert doubled == {names[1], names[2]}


def test_missing_folders_are_problems(tmp_path: Path) -> None:
    reading = siw().read(grow(tmp_path, ["Train/live/003/003-1-1-1-1.mov"]))
    assert [problem.path for problem in reading.problems] == ["Test", "Train/spoof"]


def test_wrong_root_says_what_was_expected_and_found(tmp_path: Path, tree: Path) -> None:
    with pytest.raises(DataError, match="expected Train/, Test/ of SiW in .*found live/, spoof/"):
        siw().read(tree / "Train")
    with pytest.raises(DataError, match="found nothing"):
        siw().read(tmp_path / "nowhere")
    grow(tmp_path, ["Train/live/003/video.mov"])
    with pytest.raises(DataError, match="expected videos such as .*found Train/live/003/video.mov"):
        siw().read(tmp_path)


# --- Protocols -------------------------------------------------------------------------------


def expected(protocol: str, num_train: int, num_dev: int, num_test: int) -> Counts:
    """What each side has where nobody dropped out, by section 3.2 of the specification."""
    num_medium = NUM_REPLAY // 4
    learn, test = {
        "1": (NUM_PRINT + NUM_REPLAY, NUM_PRINT + NUM_REPLAY),
        "2": (NUM_REPLAY - num_medium, num_medium),
        "3_1": (NUM_PRINT, NUM_REPLAY),
        "3_2": (NUM_REPLAY, NUM_PRINT),
    }[protocol if protocol.startswith("3") else protocol[0]]
    return {
        Split.TRAIN: (num_train * NUM_LIVE, num_train * learn),
        Split.DEV: (num_dev * NUM_LIVE, num_dev * learn),
        Split.TEST: (num_test * NUM_LIVE, num_test * test),
    }


@pytest.mark.parametrize("protocol", RUNS)
@pytest.mark.parametrize("dev", ["bob", "gradiant", "none"])
def test_sides_are_counted(reading: Reading, protocol: str, dev: str) -> None:
    num_dev = 0 if dev == "none" else 2
    found = counts(split(reading, protocol, dev))
    assert found == expected(protocol, len(TRAIN) - num_dev, num_dev, len(TEST))


@pytest.fixture(scope="session")
def everybody() -> list[Presentation]:
    test = tuple(sorted(TEST_SUBJECTS))
    train = tuple(number for number in range(1, 166) if number not in TEST_SUBJECTS)
    return [parse(path) for path in paths(train, test)]


@pytest.mark.parametrize("protocol", RUNS)
def test_sides_are_counted_with_all_165_subjects(
    everybody: list[Presentation], protocol: str
) -> None:
    found = counts(siw().split(everybody, protocol))
    assert found == expected(protocol, 80, 10, 75)
    # Of these, bob's lists lack the videos that nobody has: fewer bona fide, and about as many
    # attacks (only some subjects have the print on sensor 2).
    for side, theirs in zip(Split, BOB_COUNTS[protocol], strict=True):
        assert 0 <= found[side][0] - theirs[0] <= 4
        assert theirs[1] == pytest.approx(found[side][1], rel=0.25)


def test_bobs_counts_add_up() -> None:
    for index in range(2):  # train and dev
        attacks = {run: BOB_COUNTS[run][index][1] for run in RUNS}
        assert attacks["1"] == attacks["3_1"] + attacks["3_2"]
        assert sum(attacks[f"2_{m}"] for m in range(1, 5)) == 3 * attacks["3_2"]
    test = {run: BOB_COUNTS[run][2][1] for run in RUNS}
    assert test["1"] == test["3_1"] + test["3_2"]
    assert sum(test[f"2_{m}"] for m in range(1, 5)) == test["3_1"]
    assert sum(sum(side) for side in BOB_COUNTS["1"]) == 4469


def test_instruments_of_each_protocol(reading: Reading) -> None:
    prints = {"print_1", "print_2"}
    replays = {f"replay_{m}" for m in range(1, 5)}
    for m in range(1, 5):
        left_out = {f"replay_{m}"}
        for side in (Split.TRAIN, Split.DEV):
            assert instruments(split(reading, f"2_{m}"), side) == {"bona fide"} | replays - left_out
        assert instruments(split(reading, f"2_{m}"), Split.TEST) == {"bona fide"} | left_out
    for protocol, learn, test in (("3_1", prints, replays), ("3_2", replays, prints)):
        assert instruments(split(reading, protocol), Split.TRAIN) == {"bona fide"} | learn
        assert instruments(split(reading, protocol), Split.TEST) == {"bona fide"} | test


def test_bona_fide_of_test_are_the_same_in_all_runs(reading: Reading) -> None:
    sides = [
        [row for row in split(reading, run)[Split.TEST] if row.label is Label.BONA_FIDE]
        for run in RUNS
    ]
    assert all(side == sides[0] for side in sides)


def test_only_protocol_1_limits_frames_and_only_of_train(reading: Reading) -> None:
    for run in (*RUNS, "all"):
        limits = Counter(
            (side, row.max_frames) for side, rows in split(reading, run).items() for row in rows
        )
        limited = 60 if run == "1" else None
        assert set(limits) == {(Split.TRAIN, limited), (Split.DEV, None), (Split.TEST, None)}


def test_all_is_protocol_1_without_its_limit(reading: Reading) -> None:
    one, everything = split(reading, "1"), split(reading, "all")
    for side in Split:
        assert tuple(replace(row, max_frames=None) for row in one[side]) == everything[side]


def test_subject_on_two_sides_is_refused() -> None:
    train = parse("Train/live/032/032-1-1-1-1.mov")
    moved = Presentation("x", Label.BONA_FIDE, None, "032", Split.TEST, train.columns)
    with pytest.raises(DataError, match="subject '032' is on two sides, train and test"):
        siw().split([train, moved], "1")


def test_presentation_of_another_data_set_is_refused() -> None:
    with pytest.raises(DataError, match="x is not of SiW"):
        siw().split([Presentation("x", Label.BONA_FIDE, None)], "1")


def test_unknown_dev_side_names_the_known() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'bob'.*bob, gradiant, none"):
        siw(dev="bop")
