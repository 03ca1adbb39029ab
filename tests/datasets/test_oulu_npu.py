import json
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasets.oulu_tree import FOLDERS, PROTOCOLS, chosen, grow, list_path, paths, write_lists
from vivant.datasets.dataset import Problem, Reading, Splits, by_split, counts
from vivant.datasets.oulu_npu import expected, official, oulu_npu, parse, rule_ids
from vivant.errors import DataError, UnknownNameError
from vivant.plugins import find
from vivant.records import Label, Presentation, Split

ROOT = Path(__file__).parents[2]
COUNTS = ROOT.parent / "shared" / "reference" / "oulu_counts.json"
SIDES = dict(zip(FOLDERS, Split, strict=True))

# Table 3.1 of the specification: bona fide and attacks of train, dev and test.
TABLE = {
    "1": [(240, 960), (180, 720), (120, 480)],
    "2": [(360, 720), (270, 540), (360, 720)],
    "3": [(300, 1200), (225, 900), (60, 240)],
    "4": [(200, 400), (150, 300), (20, 40)],
}
TEST_PER_INSTRUMENT = {
    "1": {"print_1": 120, "print_2": 120, "replay_1": 120, "replay_2": 120},
    "2": {"print_2": 360, "replay_2": 360},
    "3": {"print_1": 60, "print_2": 60, "replay_1": 60, "replay_2": 60},
    "4": {"print_2": 20, "replay_2": 20},
}


@pytest.fixture(scope="session")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_lists(grow(tmp_path_factory.mktemp("oulu")))


@pytest.fixture(scope="session")
def reading(tree: Path) -> Reading:
    return oulu_npu().read(tree)


@pytest.fixture(scope="session")
def divided(reading: Reading) -> dict[str, Splits]:
    return {
        protocol: oulu_npu().split(reading.presentations, protocol)
        for protocol in (*PROTOCOLS, "all")
    }


def ids(presentations: tuple[Presentation, ...], label: Label) -> set[str]:
    return {Path(row.path).stem for row in presentations if row.label is label}


def small(tmp_path: Path, *files: str) -> Reading:
    return oulu_npu().read(grow(tmp_path / "oulu", ["Train_files/1_1_01_1.avi", *files]))


# --- Reading ---------------------------------------------------------------------------------


def test_every_video_is_read(reading: Reading) -> None:
    assert not reading.problems
    assert [row.path for row in reading.presentations] == sorted(paths())
    assert counts(by_split(reading.presentations)) == {
        Split.TRAIN: (360, 1440),
        Split.DEV: (270, 1080),
        Split.TEST: (360, 1440),
    }
    assert len({row.subject for row in reading.presentations}) == 55


def test_is_found_by_its_name() -> None:
    found = find("vivant.datasets", "oulu_npu", "data set")()
    assert set(found.protocols) == {*PROTOCOLS, "all"}


@pytest.mark.parametrize(
    ("file", "label", "species", "instrument"),
    [
        (1, Label.BONA_FIDE, None, None),
        (2, Label.ATTACK, "print", "print_1"),
        (3, Label.ATTACK, "print", "print_2"),
        (4, Label.ATTACK, "replay", "replay_1"),
        (5, Label.ATTACK, "replay", "replay_2"),
    ],
)
def test_name_says_what_it_is(
    file: int, label: Label, species: str | None, instrument: str | None
) -> None:
    path = f"Test_files/6_3_55_{file}.avi"
    columns = {"phone": "6", "session": "3", "file": str(file)}
    if instrument:
        columns["instrument"] = instrument
    assert parse(path) == Presentation(path, label, species, "55", Split.TEST, columns)


@pytest.mark.parametrize("name", ["1_1_01_2.AVI", "1_1_01_2.mp4", "1_1_01_2.MOV", "1_1_01_2.Mp4"])
def test_other_containers_are_read(tmp_path: Path, name: str) -> None:
    reading = small(tmp_path, f"Train_files/{name}")
    assert [row.path for row in reading.presentations][1] == f"Train_files/{name}"


@pytest.mark.parametrize(
    "name",
    [
        "0_1_01_1.avi", "7_1_01_1.avi", "1_0_01_1.avi", "1_4_01_1.avi", "1_1_00_1.avi",
        "1_1_1_1.avi", "1_1_56_1.avi", "1_1_001_1.avi", "1_1_01_0.avi", "1_1_01_6.avi",
        "1-1-01-1.avi", "1_1_01_1", "1_1_01_1.mkv", "1_1_01_1.1.avi", "x1_1_01_1.avi",
        "1_1_01_1_.avi", "1_1_01_1.avi\n", "\u0661_1_01_1.avi", "deeper/1_1_01_1.avi",
    ],
)  # fmt: skip
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(DataError, match="expected a file like Train_files/1_1_01_1.avi"):
        parse(f"Train_files/{name}")


@given(
    st.integers(1, 6),
    st.integers(1, 3),
    st.integers(1, 55),
    st.integers(1, 5),
    st.sampled_from(["avi", "AVI", "mp4", "mov"]),
)
def test_each_name_has_one_folder(
    phone: int, session: int, user: int, file: int, ending: str
) -> None:
    name = f"{phone}_{session}_{user:02d}_{file}.{ending}"
    right = "Train_files" if user <= 20 else "Dev_files" if user <= 35 else "Test_files"
    row = parse(f"{right}/{name}")
    assert (row.columns["phone"], row.columns["session"]) == (str(phone), str(session))
    assert (row.label is Label.BONA_FIDE) == (file == 1)
    for folder in {*FOLDERS.values(), "train_files", "Train_files/.."} - {right}:
        with pytest.raises(DataError, match=f"user {user:02d} belongs in {right}|expected a file"):
            parse(f"{folder}/{name}")


@given(st.text(max_size=30))
def test_any_name_is_read_or_refused(name: str) -> None:
    try:
        row = parse(f"Dev_files/{name}")
    except DataError:
        return
    assert row.split is Split.DEV


def test_wrong_folder_wrong_name_and_second_copy_are_problems(tmp_path: Path) -> None:
    reading = small(
        tmp_path,
        "Train_files/1_1_01_1.mp4",
        "Dev_files/1_1_01_1.avi",
        "Train_files/copy of 1_1_01_1.avi",
        "Test_files/1_1_36_1.avi",
    )
    assert [row.path for row in reading.presentations] == [
        "Test_files/1_1_36_1.avi",
        "Train_files/1_1_01_1.avi",
    ]
    found = {problem.path: problem.message for problem in reading.problems}
    assert set(found) == {
        "Train_files/1_1_01_1.mp4",
        "Dev_files/1_1_01_1.avi",
        "Train_files/copy of 1_1_01_1.avi",
    }
    assert found["Dev_files/1_1_01_1.avi"] == "user 01 belongs in Train_files: not used"


def test_missing_side_is_a_problem(tmp_path: Path) -> None:
    grow(tmp_path, ["Train_files/1_1_01_1.avi"])
    (tmp_path / "Test_files").rmdir()
    reading = oulu_npu().read(tmp_path)
    assert [problem.path for problem in reading.problems] == ["Test_files"]


def test_wrong_root_says_what_was_expected_and_found(tmp_path: Path, tree: Path) -> None:
    (tmp_path / "above").mkdir()
    (tmp_path / "above" / "oulu").symlink_to(tree)
    with pytest.raises(DataError, match="Train_files/, Dev_files/, Test_files/ .*found .*oulu"):
        oulu_npu().read(tmp_path / "above")
    with pytest.raises(DataError, match="found nothing"):
        oulu_npu().read(tmp_path / "nowhere")
    grow(tmp_path, ["Train_files/video.avi"])
    with pytest.raises(DataError, match="expected videos such as .*found Train_files/video.avi"):
        oulu_npu().read(tmp_path)


# --- Protocols -------------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_sides_are_counted_as_in_table_3_1(divided: dict[str, Splits], protocol: str) -> None:
    splits = divided[protocol]
    assert counts(splits) == dict(zip(Split, TABLE[protocol[0]], strict=True))
    assert counts(splits) == oulu_npu().protocols[protocol].expected
    instruments = Counter(
        row.columns["instrument"] for row in splits[Split.TEST] if row.label is Label.ATTACK
    )
    assert instruments == TEST_PER_INSTRUMENT[protocol[0]]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_rule_is_table_3_1(divided: dict[str, Splits], protocol: str) -> None:
    splits = divided[protocol]
    for side, split in SIDES.items():
        listed = set(chosen(protocol, side))
        assert {Path(row.path).stem for row in splits[split]} == listed
        assert rule_ids(protocol)[split] == listed


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_instruments_are_counted_as_in_bobs_lists(
    divided: dict[str, Splits], protocol: str
) -> None:
    if not COUNTS.exists():
        pytest.skip(f"no {COUNTS.name} beside the repository; the table above is in this file")
    theirs = json.loads(COUNTS.read_text())[f"Protocol_{protocol}"]
    for split, name in zip(Split, ("train", "dev", "eval"), strict=True):
        ours = Counter(row.columns.get("instrument", "real") for row in divided[protocol][split])
        assert ours == {
            key.replace("video_", "").replace("/", "_"): number
            for key, number in theirs[name].items()
        }


def test_all_takes_every_video(reading: Reading, divided: dict[str, Splits]) -> None:
    splits = divided["all"]
    assert splits == by_split(reading.presentations)
    assert counts(splits) == expected("all")


def test_invariants_of_the_test_sides(divided: dict[str, Splits]) -> None:
    def united(number: str, label: Label) -> set[str]:
        sides = [ids(divided[f"{number}_{k}"][Split.TEST], label) for k in range(1, 7)]
        assert sum(map(len, sides)) == len(set().union(*sides))
        return set().union(*sides)

    one, two = (divided[number][Split.TEST] for number in "12")
    assert ids(one, Label.BONA_FIDE) == united("4", Label.BONA_FIDE)
    assert ids(two, Label.BONA_FIDE) == united("3", Label.BONA_FIDE)
    assert ids(one, Label.ATTACK) & ids(two, Label.ATTACK) == united("4", Label.ATTACK)
    assert len(united("4", Label.ATTACK)) == 240


def test_subject_on_two_sides_is_refused() -> None:
    train = parse("Train_files/1_1_01_1.avi")
    moved = Presentation("x", Label.BONA_FIDE, None, "01", Split.DEV, train.columns)
    with pytest.raises(DataError, match="subject '01' is on two sides, train and dev"):
        oulu_npu().split([train, moved], "1")


def test_presentation_of_another_data_set_is_refused() -> None:
    with pytest.raises(DataError, match="x is not of OULU-NPU: it has no column 'phone'"):
        oulu_npu().split([Presentation("x", Label.BONA_FIDE, None)], "1")


def test_unknown_protocol_names_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="did you mean '3_6'"):
        oulu_npu().split([], "3_7")


# --- The owner's lists -----------------------------------------------------------------------


def test_owners_lists_agree_with_the_rules(
    tree: Path, reading: Reading, divided: dict[str, Splits]
) -> None:
    lists = official(tree)
    assert not lists.problems
    assert len(lists.ids) == 4950
    assert set(lists.protocols) == set(PROTOCOLS)
    for protocol, listed in lists.protocols.items():
        assert listed.expected == expected(protocol)
    for protocol in ("1", "2", "3_4", "4_6"):
        assert lists.protocols[protocol].rule(reading.presentations) == divided[protocol]


def written(tmp_path: Path, protocol: str, side: str, old: str, new: str) -> Path:
    """The lists of two protocols, with one thing changed in one of them."""
    root = write_lists(grow(tmp_path / "oulu", ["Train_files/1_1_01_1.avi"]), [protocol, "4_1"])
    path = root / list_path(protocol, side)
    text = path.read_text("utf-8-sig").replace(" ", "")
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))
    return root


def test_difference_from_the_rule_is_reported_and_the_list_used(tmp_path: Path) -> None:
    root = written(tmp_path, "1", "Train", "+1,1_1_01_1\n", "+1,1_3_01_1\n")
    lists = official(root)
    file = "Protocols/Protocol_1/Train.txt"
    assert lists.problems == (
        Problem(file, "lists 1 ids that the rule of protocol 1 has not here: 1_3_01_1"),
        Problem(file, "lacks 1 ids that the rule of protocol 1 has here: 1_1_01_1"),
    )
    both = [parse("Train_files/1_1_01_1.avi"), parse("Train_files/1_3_01_1.avi")]
    assert oulu_npu().at(root).split(both, "1")[Split.TRAIN] == (both[1],)
    assert oulu_npu().at(root).protocols["1"].from_lists
    assert oulu_npu().split(both, "1")[Split.TRAIN] == (both[0],)


@pytest.mark.parametrize(
    ("side", "old", "new", "message"),
    [
        ("Train", "-1,1_1_01_4\n", "-2,1_1_01_4\n", "expected the label -1 for 1_1_01_4, got '-2'"),
        ("Dev", "-1,1_1_21_4\n", "-2,1_1_21_4\n", "expected the label -1 for 1_1_21_4, got '-2'"),
        ("Test", "-1,1_3_36_2\n", "-2,1_3_36_2\n", "expected the label -1 for 1_3_36_2, got '-2'"),
        ("Test", "+1,1_3_36_1\n", "-1,1_3_36_1\n", "expected the label +1 for 1_3_36_1, got '-1'"),
        ("Test", "-2,1_3_36_4\n", "+1,1_3_36_4\n", "expected the label -1 or -2 for 1_3_36_4"),
        ("Train", "+1,1_1_01_1\n", "+1,1_1_1_1\n", "expected an id like"),
        ("Train", "-1,1_1_01_2\n", "+1,1_1_01_1\n", "1_1_01_1 again, after line"),
    ],
)
def test_damaged_list_is_not_used(
    tmp_path: Path, side: str, old: str, new: str, message: str
) -> None:
    lists = official(written(tmp_path, "1", side, old, new))
    assert "1" not in lists.protocols
    assert "4_1" in lists.protocols
    line, rule = lists.problems
    assert line.path == rule.path == list_path("1", side)
    assert line.message.startswith("line ")
    assert message in line.message
    assert rule.message == "missing or damaged: the rule of protocol 1 stands"


def test_test_list_may_name_a_replay_an_attack(tmp_path: Path) -> None:
    lists = official(written(tmp_path, "1", "Test", "-2,1_3_36_4\n", "-1,1_3_36_4\n"))
    assert not lists.problems


def test_missing_list_leaves_the_rule(tmp_path: Path) -> None:
    root = write_lists(tmp_path, ["3_4", "4_5", "4_6"])
    (root / "Protocols/Protocol_3/Dev_4.txt").unlink()
    (root / "Protocols/Protocol_4/Test_6.txt").write_bytes(b"\xff\xfe")
    lists = official(root)
    assert set(lists.protocols) == {"4_5"}
    assert [problem.path for problem in lists.problems] == [
        "Protocols/Protocol_3/Dev_4.txt",
        "Protocols/Protocol_4/Test_6.txt",
        "Protocols/Protocol_4/Test_6.txt",
    ]
    assert set(oulu_npu().at(root).protocols) == {*PROTOCOLS, "all"}


def test_reading_reports_listed_ids_without_a_video(tmp_path: Path) -> None:
    listed = {name for side in FOLDERS for name in chosen("4_2", side)} - {"1_1_01_1"}
    files = [path for path in paths() if Path(path).stem in listed]
    root = write_lists(grow(tmp_path, files), ["4_2"])
    problem = Problem("Protocols", "1 listed ids have no video: 1_1_01_1")
    assert oulu_npu().read(root).problems == (problem,)


def test_folder_without_lists_keeps_the_rules(tmp_path: Path) -> None:
    grow(tmp_path, ["Train_files/1_1_01_1.avi"])
    assert not any(each.from_lists for each in oulu_npu().at(tmp_path).protocols.values())
    with pytest.raises(DataError, match="expected Protocols, .*found Dev_files/, Test_files/"):
        official(tmp_path)
