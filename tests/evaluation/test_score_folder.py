"""A folder's files become rows: all of them, once, whatever happens meanwhile."""

import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from evaluations import GreyRunner
from made_up import card
from made_up_scores import made_up_profile
from text_session import TextSession
from vivant.errors import DataError, OutputError
from vivant.evaluation.score_folder import (
    FolderScores,
    judge_here,
    read_folder,
    require_free,
    score_folder,
)
from vivant.records import Scores
from vivant.session.session import Session

TEXTS = ("51", "bad", "204 102", "", "bug", "153", "230", "26", "77", "128")
"""What is in 0.mp4, 1.mp4, ..."""


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vivant.evaluation.score_folder._PART_ROWS", 4)


def ignore(done: int, num: int) -> None: ...


def folder_of(root: Path, texts: Sequence[str] = TEXTS) -> Path:
    root.mkdir()
    for number, text in enumerate(texts):
        (root / f"{number}.mp4").write_text(text)
    return root


def score(
    session: Session, root: Path, out: Path, tell: Any = ignore, **settings: int
) -> FolderScores:
    return score_folder(session, read_folder(root), out, tell, partial(judge_here, **settings))


def table(out: Path) -> list[dict[str, Any]]:
    return pq.read_table(out).to_pylist()


def test_every_file_is_a_row_in_the_order_of_the_paths(tmp_path: Path) -> None:
    out, told = tmp_path / "scores.parquet", []
    root = folder_of(tmp_path / "data")
    found = score(TextSession(), root, out, lambda *state: told.append(state), num_workers=2)
    rows = table(out)
    assert [row["path"] for row in rows] == [f"{number}.mp4" for number in range(10)]
    kinds = [row["decision"] or row["code"] or row["reasons"][0] for row in rows]
    assert kinds == [
        "attack", "CORRUPT_MEDIA", "bona_fide", "NO_FACE", "FAILED", "bona_fide", "bona_fide",
        "attack", "attack", "bona_fide",
    ]  # fmt: skip
    assert rows[4]["message"] == "ZeroDivisionError: a mistake of ours"
    assert told == [(done, 10) for done in range(11)]
    assert (found.num_kept, found.num_clips, found.duration_s > 0) == (0, 8, True)
    assert found.tally.refused == {"CORRUPT_MEDIA": 1, "FAILED": 1}
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == ["data"]


def test_the_file_says_which_model_it_was_and_how_to_read_its_scores(tmp_path: Path) -> None:
    root, out = folder_of(tmp_path / "data", ["204"]), tmp_path / "scores.parquet"
    score(TextSession(GreyRunner(card(training=None, point=None))), root, out)
    about = pq.read_schema(out).metadata
    assert about[b"training"] == b"UNTRAINED: its scores mean nothing, and it never decides"
    assert about[b"weights_sha256"] == b"0" * 64
    assert about[b"profile"] == b"none"
    assert about[b"bona_fide_score"].startswith(b"0..1, higher is bona fide; mean of the windows'")
    (row,) = table(out)
    assert (row["status"], row["decision"], row["reasons"]) == (
        "undecided", None, ["UNTRAINED_MODEL"],
    )  # fmt: skip


def test_with_a_profile_scores_are_calibrated_and_named(tmp_path: Path) -> None:
    root, out = folder_of(tmp_path / "data", ["204", "bad"]), tmp_path / "scores.parquet"
    profile = made_up_profile()
    session = TextSession(profile=profile)
    score(session, root, out)
    assert pq.read_schema(out).metadata[b"profile"] == profile.sha256.encode()
    assert b"calibrated by the profile" in pq.read_schema(out).metadata[b"bona_fide_score"]
    (row, refused) = table(out)
    assert row["bona_fide_score"] == session.check(b"204").bona_fide_score != pytest.approx(0.8)
    assert row["window_scores"] == pytest.approx([0.8])
    assert (row["profile"], refused["profile"]) == (profile.sha256, None)


def test_a_kill_costs_the_part_that_was_in_work_and_no_other(tmp_path: Path) -> None:
    root, out = folder_of(tmp_path / "data"), tmp_path / "scores.parquet"

    def stop(done: int, num: int) -> None:
        if done == 6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        score(TextSession(), root, out, stop, num_workers=1, batch_clips=1)
    assert not out.exists()
    parts = tmp_path / "scores.parquet.parts"
    assert sorted(path.name for path in parts.iterdir()) == ["part-00000.parquet", "score.json"]
    session, told = TextSession(), []
    # Workers and batches may be others.
    found = score(session, root, out, lambda *state: told.append(state), num_workers=3)
    assert sorted(session.texts) == sorted(TEXTS[4:])
    assert told[0] == (4, 10)
    assert (found.num_kept, found.num_clips) == (4, 5)
    assert not parts.exists()
    undisturbed = tmp_path / "undisturbed.parquet"
    score(TextSession(), root, undisturbed)
    assert table(out) == table(undisturbed)


def test_a_kill_within_the_network_is_no_row(tmp_path: Path) -> None:
    root, out = folder_of(tmp_path / "data"), tmp_path / "scores.parquet"

    class Killed(GreyRunner):
        def run(self, clips: np.ndarray) -> Scores:
            if (clips == 230).any():
                raise KeyboardInterrupt
            return super().run(clips)

    with pytest.raises(KeyboardInterrupt):
        score(TextSession(Killed()), root, out, batch_clips=1)
    session = TextSession()
    score(session, root, out)
    assert sorted(session.texts) == sorted(TEXTS[4:])


def test_a_part_that_is_gone_is_scored_again(tmp_path: Path) -> None:
    root, out = folder_of(tmp_path / "data"), tmp_path / "scores.parquet"

    def stop(done: int, num: int) -> None:
        if done == 9:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        score(TextSession(), root, out, stop)
    (tmp_path / "scores.parquet.parts" / "part-00000.parquet").unlink()
    session = TextSession()
    assert score(session, root, out).num_kept == 4
    assert sorted(session.texts) == sorted((*TEXTS[:4], *TEXTS[8:]))
    assert [row["path"] for row in table(out)] == [f"{number}.mp4" for number in range(10)]


def begun(root: Path, out: Path) -> None:
    """Stopped in the second part."""

    def stop(done: int, num: int) -> None:
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        score(TextSession(), root, out, stop)


def test_parts_of_another_model_profile_or_state_of_the_files_are_refused(tmp_path: Path) -> None:
    root, out = folder_of(tmp_path / "data"), tmp_path / "scores.parquet"
    begun(root, out)
    weights = card().weights.model_copy(update={"sha256": "1" * 64})
    other = TextSession(GreyRunner(card().model_copy(update={"weights": weights})))
    expected = r"scores.parquet.parts has rows of another model.*\(differs in: card, weights\): "
    with pytest.raises(OutputError, match=expected + "delete it, or name another output"):
        score(other, root, out)
    with pytest.raises(OutputError, match=r"\(differs in: profile\)"):
        score(TextSession(profile=made_up_profile()), root, out)
    runner = GreyRunner()
    runner.runtime = "openvino bf16"
    with pytest.raises(OutputError, match=r"\(differs in: runtime\)"):
        score(TextSession(runner), root, out)
    (root / "9.mp4").write_text("52")
    os.utime(root / "9.mp4", (1, 1))
    with pytest.raises(OutputError, match=r"\(differs in: files\)"):
        score(TextSession(), root, out)


def test_a_score_that_is_no_number_is_a_failed_row_and_null(tmp_path: Path) -> None:
    root, out = folder_of(tmp_path / "data", ["51", "13", "204"]), tmp_path / "scores.parquet"

    class Nameless(GreyRunner):
        """Says NaN of grey level 13: a runner would refuse that; here it must be noticed too."""

        def run(self, clips: np.ndarray) -> Scores:
            found = super().run(clips)
            found.bona_fide_score[(clips == 13).any((1, 2, 3, 4))] = np.nan
            return found

    class Advisor(GreyRunner):
        def run(self, clips: np.ndarray) -> Scores:
            found = super().run(clips)
            advisor = found.advisor_score.copy()
            advisor[(clips == 13).any((1, 2, 3, 4))] = np.nan
            return Scores(
                **{name: getattr(found, name) for name in found.__slots__}
                | {"advisor_score": advisor}
            )

    for runner in (Nameless(), Advisor()):
        score(TextSession(runner), root, out)
        rows = table(out)
        assert [row["status"] for row in rows] == ["decided", "refused", "decided"]
        assert (rows[1]["code"], rows[1]["bona_fide_score"], rows[1]["advisor_score"]) == (
            "FAILED", None, None,
        )  # fmt: skip


def test_a_folder_is_walked_for_videos_and_pictures(tmp_path: Path) -> None:
    root = folder_of(tmp_path / "data", ["51"])
    (root / "b" / "c").mkdir(parents=True)
    (root / "b" / "c" / "CLIP.MOV").write_text("102")
    (root / "a.PNG").write_text("153")
    (root / "b" / "list.txt").write_text("no media")
    (root / "b" / "notes.docs").write_text("no media")
    (root / ".hidden.mp4").write_text("51")
    (root / "gone.mp4").symlink_to(root / "nowhere")
    (root / "gone").symlink_to(root / "nowhere")
    media = read_folder(root)
    assert [file.path for file in media.files] == ["0.mp4", "a.PNG", "b/c/CLIP.MOV", "gone.mp4"]
    assert media.num_others == 1
    assert [problem.path for problem in media.problems] == ["gone"]
    score_folder(TextSession(), media, tmp_path / "scores.parquet", ignore, judge_here)
    rows = table(tmp_path / "scores.parquet")
    assert [row["code"] for row in rows] == [None, None, None, "NOT_A_FILE"]
    assert "broken link" in rows[3]["message"]


def test_a_file_that_goes_away_meanwhile_is_a_row(tmp_path: Path) -> None:
    root = folder_of(tmp_path / "data", ["51", "102"])
    media = read_folder(root)
    (root / "1.mp4").unlink()
    with Session(GreyRunner(), isolated=False) as session:
        score_folder(session, media, tmp_path / "scores.parquet", ignore, judge_here)
    codes = [row["code"] for row in table(tmp_path / "scores.parquet")]
    assert codes == ["UNSUPPORTED_FORMAT", "NOT_A_FILE"]


def test_a_folder_without_media_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("")
    with pytest.raises(DataError, match=r"expected videos or pictures \(.avi, .*found none"):
        read_folder(tmp_path)
    with pytest.raises(DataError, match=r"expected a folder at .*, found a file"):
        read_folder(tmp_path / "a.txt")
    with pytest.raises(DataError, match=r"expected a folder at .*, found nothing"):
        read_folder(tmp_path / "none")
    (tmp_path / "videos").symlink_to(tmp_path / "nowhere")
    with pytest.raises(DataError, match="found none, but videos: expected a file, got a broken"):
        read_folder(tmp_path)


def test_an_output_that_is_there_is_not_lost(tmp_path: Path) -> None:
    out = tmp_path / "scores.parquet"
    require_free(out, force=False)
    out.write_text("precious")
    with pytest.raises(OutputError, match=r"is there already: .*--force"):
        require_free(out, force=False)
    require_free(out, force=True)
    with pytest.raises(OutputError, match="got the folder"):
        require_free(tmp_path, force=True)
