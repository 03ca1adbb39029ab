from pathlib import Path

import pytest

from vivant.errors import DataError
from vivant.evaluation.scores import ScoreTable, read_scores

TEXT = """path,label,pai,score,subject,split,light
a,bona_fide,,0.9,1,dev,dim
b,bona_fide,,,2,test,dim
c,attack,print,0.2,1,dev,bright
d,attack,replay,0.6,2,test,dim
e,attack,replay,0.4,2,test,bright
"""


def table(tmp_path: Path, text: str = TEXT) -> ScoreTable:
    path = tmp_path / "scores.csv"
    path.write_text(text, "utf-8")
    return read_scores(path)


def test_scores_by_class_and_species_without_those_that_have_none(tmp_path: Path) -> None:
    found = table(tmp_path)
    bona_fide, attacks = found.by_class()
    assert bona_fide.tolist() == [0.9]
    assert {name: of.tolist() for name, of in attacks.items()} == {
        "print": [0.2], "replay": [0.6, 0.4],
    }  # fmt: skip
    assert found.has_subjects


def test_a_side_and_groups(tmp_path: Path) -> None:
    found = table(tmp_path)
    assert [row.columns["path"] for row in found.split("test").rows] == ["b", "d", "e"]
    groups = found.groups("light")
    assert {name: len(group.rows) for name, group in groups.items()} == {"bright": 2, "dim": 3}
    with pytest.raises(DataError, match=r"expected a column 'site', the file has path, label"):
        found.groups("site")


def test_without_a_column_of_species_all_attacks_are_one(tmp_path: Path) -> None:
    found = table(tmp_path, "label,score\nbona_fide,0.9\nattack,0.1\nAttack,0.2\n")
    assert found.pai_species == ("attack",)
    assert not found.has_subjects


def test_clips_become_videos_by_their_mean(tmp_path: Path) -> None:
    text = "video,label,score\na,bona_fide,0.9\na,bona_fide,0.5\nb,attack,0.1\nb,attack,\n"
    found = table(tmp_path, text).mean_by("video")
    assert [(row.columns["video"], row.score) for row in found.rows] == [("a", 0.7), ("b", None)]
    text = "video,label,score\na,bona_fide,0.9\na,attack,0.5\n"
    with pytest.raises(DataError, match="'a' has lines of more than one label"):
        table(tmp_path, text).mean_by("video")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("path,score\na,1\n", "label missing: it has path, score"),
        ("label,score\n", "found a header alone"),
        ("", "label, score missing: it has none"),
        ("label,score\nreal,0.5\n", "line 2: expected bona_fide or attack as label, got 'real'"),
        ("label,score\n1,0.5\n", "line 2: expected bona_fide or attack as label, got '1'"),
        ("label,score\nattack,high\n", "line 2: expected a number as score, got 'high'"),
        ("label,score\nattack,nan\n", "line 2: expected a finite score, got 'nan'"),
        ("label,score\nattack\n", "line 2: it has more or fewer fields"),
        ("label,pai,score\nattack,,0.5\n", "line 2: an attack needs a PAI species"),
        ("label,pai,score\nbona_fide,print,0.5\n", "bona fide has no PAI species, got 'print'"),
    ],
)
def test_bad_lines_are_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        table(tmp_path, text)


def test_of_many_bad_lines_the_first_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="line 6: .*; and 3 more$"):
        table(tmp_path, "label,score\n" + "attack,x\n" * 8)


def test_a_file_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="expected a CSV file of scores at"):
        read_scores(tmp_path / "missing.csv")
    (tmp_path / "picture.csv").write_bytes(b"\xff\xd8\xff\xe0")
    with pytest.raises(DataError, match="expected a CSV file of scores at"):
        read_scores(tmp_path / "picture.csv")
