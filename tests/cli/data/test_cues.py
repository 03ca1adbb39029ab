import json
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from prepared import encoded, filled, frame, picture, prepared, presentation
from vivant.cli.app import app
from vivant.records import Label, Split


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of the data set `folder` whose attacks are dark."""
    rows = []
    for number in range(24):
        label = Label(number % 2)
        grey = 120 + 10 * (number // 6) - 60 * label  # The same four on each side.
        frames = [replace(frame(i), crop=encoded(picture(grey), "JPEG")) for i in range(5)]
        fields = {"subject": str(number), "split": [*Split][number % 3]}
        rows.append(prepared(presentation(f"{number:02}", label, **fields), frames))
    rows.append(prepared(presentation("short", subject="x"), [frame(0)]))
    return filled(tmp_path_factory.mktemp("cues") / "store", rows).folder


def run(folder: Path, *arguments: str):
    return CliRunner().invoke(app, ["data", "cues", str(folder), *arguments])


def test_dark_attacks_are_seen_first(folder: Path) -> None:
    answer = run(folder, "--protocol", "folder:folders", "--json")
    assert answer.exit_code == 0
    found = json.loads(answer.stdout)
    assert found["sides"] == {split.value: {"bona_fide": 4, "attack": 4} for split in Split}
    assert found["without_clip"] == 1
    assert found["together"]["apcer_by_species"] == {"print": 0}
    assert found["together"]["acer"] <= 1 / 8  # One of four at the threshold, to the last bit.
    acers = [each["acer"] for each in found["alone"].values()]
    assert acers == sorted(acers)
    assert found["alone"]["mean_green"]["acer"] <= 1 / 8


def test_table_says_what_it_means(folder: Path) -> None:
    answer = run(folder, "--protocol", "folder")
    assert answer.exit_code == 0
    for words in ("all together", "mean green", "APCER print", "train 4 + 4", "1 without a clip",
                  "a trivial cue gives attacks away"):  # fmt: skip
        assert words in answer.stdout


@pytest.mark.parametrize(
    ("protocol", "message"),
    [
        ("oulu-npu:1", "expected a protocol of folder, from which the store was prepared, got"),
        ("folder:1", "no protocol of folder is called '1'"),
        ("1", "expected DATA_SET:PROTOCOL, such as oulu-npu:1"),
    ],
)
def test_other_protocols_are_refused(folder: Path, protocol: str, message: str) -> None:
    answer = run(folder, "--protocol", protocol)
    assert answer.exit_code == 1
    assert message in str(answer.exception)


@pytest.mark.parametrize("options", [(), ("--protocol", "folder", "--views", "12")])
def test_protocol_or_views_must_be_named_and_not_both(
    folder: Path, options: tuple[str, ...]
) -> None:
    answer = run(folder, *options)
    assert answer.exit_code == 2
    assert "either --protocol or --views" in answer.output


def test_views_are_rendered_and_compared(folder: Path) -> None:
    answer = run(folder, "--views", "12", "--json")
    assert answer.exit_code == 0
    found = json.loads(answer.stdout)
    assert (found["views"], found["subjects"]) == (12, 12)
    rates = [found["together"], *found["alone"].values()]
    assert all(set(each) == {"screen", "paper"} for each in rates)
    assert all(0 <= rate <= 1 for each in rates for rate in each.values())
    assert "jpeg_size" in found["alone"]


def test_table_of_views_says_what_it_means(folder: Path) -> None:
    answer = run(folder, "--views", "12")
    assert answer.exit_code == 0
    for words in ("all together", "jpeg size", "bona fide and screen", "12 bona fide views of 12"):
        assert words in answer.stdout


def test_empty_side_is_named(tmp_path: Path) -> None:
    store = filled(tmp_path / "store", [prepared(presentation("a")), prepared(presentation("b"))])
    answer = run(store.folder, "--protocol", "folder")
    assert answer.exit_code == 1
    assert "found 2 and 0 on train" in str(answer.exception)
