"""Clips out of small stores, whose presentations are told apart by their grey level."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from made_up import card
from prepared import encoded, filled, frame, picture, prepared, presentation
from vivant.errors import DataError
from vivant.export import judged_clips
from vivant.export.judged_clips import JudgedClips, read_clips
from vivant.preparation.record import PreparedPresentation
from vivant.records import Label

CARD = card()
BONA_FIDE, ATTACK = Label


def row(
    subject: str | None, label: Label, levels: Sequence[int], **fields: object
) -> PreparedPresentation:
    """Frames of these grey levels, 0 to 17."""
    frames = [
        replace(frame(at, with_depth=False), crop=encoded(picture(40 + 10 * level), "JPEG"))
        for at, level in enumerate(levels)
    ]
    name = f"{subject}-{label.name}-{levels[0]:02d}"
    return prepared(presentation(name, label, subject=subject), frames, **fields)


def both(subjects: str) -> list[PreparedPresentation]:
    """Of each subject a bona fide one, grey by its place, and an attack, 9 levels brighter."""
    return [
        row(subject, label, [place + 9 * label] * 5)
        for place, subject in enumerate(subjects)
        for label in Label
    ]


def read(folder: Path, rows: Sequence[PreparedPresentation]) -> JudgedClips:
    return read_clips(filled(folder / "store", rows).folder, CARD)


def levels(clips: np.ndarray) -> list[int]:
    """Of each clip: the green channel of `picture` is its grey level, but for JPEG."""
    return [round((clip[..., 1].mean() - 40) / 10) for clip in clips]


def test_every_fourth_subject_calibrates_and_the_others_judge(tmp_path: Path) -> None:
    clips = read(tmp_path, both("abcdef"))
    assert levels(clips.calibration[0]) == [0, 4, 9, 13], "a and e, bona fide and attack"
    assert levels(clips.judged[0]) == [1, 2, 3, 5, 10, 11, 12, 14], "b, c, d and f"
    assert clips.is_bona_fide.tolist() == [True] * 4 + [False] * 4
    assert clips.source == "store"


def test_clips_are_what_the_network_takes(tmp_path: Path) -> None:
    clips = read(tmp_path, both("ab"))
    assert clips.calibration[0].shape == clips.judged[0].shape == (2, 5, 224, 224, 3)
    assert clips.calibration[0].dtype == clips.judged[0].dtype == np.uint8
    corner = clips.judged[0][0, 0, 20, 20].astype(int)
    assert corner[0] > corner[2] + 20, "RGB: red is upper left"


def test_clip_is_the_middle_one(tmp_path: Path) -> None:
    long = row("b", BONA_FIDE, range(9))  # Five windows: the third has frames 2 to 6.
    clips = read(tmp_path, [*both("a"), long, row("b", ATTACK, [17] * 5)])
    assert levels(clips.judged[0][0]) == [2, 3, 4, 5, 6]


def test_two_subjects_are_enough(tmp_path: Path) -> None:
    rows = [row("a", ATTACK, [3] * 5), row("b", BONA_FIDE, [4] * 5), row("b", ATTACK, [5] * 5)]
    clips = read(tmp_path, rows)
    assert levels(clips.calibration[0]) == [3]
    assert levels(clips.judged[0]) == [4, 5]


def test_where_nobody_says_who_is_seen_each_is_somebody_else(tmp_path: Path) -> None:
    rows = [row(None, Label(at % 2), [at] * 5) for at in range(6)]
    clips = read(tmp_path, rows)  # By path: attacks 1, 3, 5, then bona fide 0, 2, 4.
    assert sorted(levels(clips.calibration[0])) == [1, 2]
    assert levels(clips.judged[0]) == [0, 4, 3, 5]
    assert clips.is_bona_fide.tolist() == [True, True, False, False]


def test_half_of_each_label_is_taken_at_most_and_evenly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(judged_clips, "NUM_CALIBRATED", 2)
    monkeypatch.setattr(judged_clips, "NUM_JUDGED", 6)
    clips = read(tmp_path, both("abcdefgh"))
    assert levels(clips.calibration[0]) == [0, 9], "of a and e one of each label"
    assert levels(clips.judged[0]) == [1, 3, 7, 10, 12, 16], "of b c d f g h: b, d, h"


def test_label_that_is_rare_is_not_filled_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(judged_clips, "NUM_JUDGED", 4)
    rows = [row("b", BONA_FIDE, [at] * 5) for at in range(5)] + [row("c", ATTACK, [9] * 5)]
    clips = read(tmp_path, [*both("a"), *rows])
    assert levels(clips.judged[0]) == [0, 4, 9]


def test_many_clips_are_read_some_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(judged_clips, "_BATCH", 3)
    clips = read(tmp_path, both("abcdef"))
    assert levels(clips.judged[0]) == [1, 2, 3, 5, 10, 11, 12, 14]


def test_who_has_no_clip_is_nobody(tmp_path: Path) -> None:
    """A subject without clips neither calibrates nor shifts who does."""
    short = row("0", BONA_FIDE, [1, 2])
    refused = prepared(presentation("1", subject="1"), [], refusal="TOO_LONG")
    clips = read(tmp_path, [short, refused, *both("ab")])
    assert levels(clips.calibration[0]) == [0, 9]
    assert levels(clips.judged[0]) == [1, 10]


@pytest.mark.parametrize(
    ("rows", "got"),
    [
        (both("a"), "got 2 for calibration and 0 to judge, of 1 subjects"),
        (
            [row("a", BONA_FIDE, [0] * 5), row("b", BONA_FIDE, [1] * 5)],
            "got 1 for calibration and 1 to judge, of 2 subjects",
        ),
        (
            [*both("a"), row("b", ATTACK, [1] * 5), row("c", ATTACK, [2] * 5)],
            "got 2 for calibration and 2 to judge, of 3 subjects",
        ),
        ([row("a", BONA_FIDE, [0, 1])], "got 0 for calibration and 0 to judge, of 0 subjects"),
    ],
    ids=["one subject", "bona fide alone", "attacks alone to judge", "no clip"],
)
def test_store_with_too_little_is_refused(
    rows: list[PreparedPresentation], got: str, tmp_path: Path
) -> None:
    expected = "expected clips of at least two subjects in .*store, bona fide and attacks to judge"
    with pytest.raises(DataError, match=f"^{expected} by: {got}$"):
        read(tmp_path, rows)


def test_what_is_no_store_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="vivant data prepare"):
        read_clips(tmp_path / "nowhere", CARD)
