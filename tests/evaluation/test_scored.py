from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evaluations import grey_store, row, scored
from made_up import MadeUpRunner
from vivant.errors import DataError
from vivant.evaluation.scored import (
    ScoredClip,
    ScoredPresentation,
    load_scored,
    parts_of,
    save_scored,
    to_table,
)
from vivant.evaluation.scoring import StoreSource
from vivant.records import Split

ROWS = (
    scored(Split.DEV, 0, None, (0.9, 0.7)),
    scored(Split.TEST, 1, "print", (0.2,)),
    scored(Split.TEST, 2, "print", (0.6, 0.8), reasons=("POSE",)),
    ScoredPresentation(row(Split.TEST, 3, None), Split.TEST, (), ("NO_FACE",)),
)


def test_what_is_read_is_what_was_written(tmp_path: Path) -> None:
    path = tmp_path / "scores.parquet"
    save_scored(path, ROWS)
    found = load_scored(path)
    for one, other in zip(found, ROWS, strict=True):
        assert (one.split, one.reasons) == (other.split, other.reasons)
        shown = one.presentation
        assert (shown.path, shown.label, shown.pai_species, shown.subject, dict(shown.columns)) == (
            other.presentation.path,
            other.presentation.label,
            other.presentation.pai_species,
            other.presentation.subject,
            dict(other.presentation.columns),
        )
        assert len(one.clips) == len(other.clips)
        for clip, same in zip(one.clips, other.clips, strict=True):
            assert (clip.score, clip.advisor, clip.aam) == (same.score, same.advisor, same.aam)
            assert clip.displacement_px == same.displacement_px
            np.testing.assert_array_equal(clip.fused_feature, same.fused_feature)


def test_a_video_is_the_mean_of_its_clips_and_no_answer_is_no_score() -> None:
    table = to_table(ROWS, "fused", "video")
    assert [line.score for line in table.rows] == [pytest.approx(0.8), 0.2, None, None]
    halves = to_table(ROWS, "advisor", "video")
    assert [line.score for line in halves.rows] == [pytest.approx(0.4), 0.1, None, None]


def test_clips_are_a_line_each_and_no_answer_is_one() -> None:
    table = to_table(ROWS, "fused", "clip")
    assert [line.score for line in table.rows] == [0.9, 0.7, 0.2, None, None]
    assert {line.columns["path"] for line in table.rows} == {r.presentation.path for r in ROWS}


def test_a_network_without_a_second_module_has_one_part() -> None:
    assert parts_of(ROWS) == ("fused", "advisor", "aam")
    assert parts_of([scored(Split.TEST, 0, None, (0.5,), aam=None)]) == ("fused",)


def test_nothing_gets_lost_without_a_reason() -> None:
    with pytest.raises(AssertionError):
        ScoredPresentation(row(Split.TEST, 0, None), Split.TEST, (), ())


@pytest.mark.parametrize("score", [None, float("nan"), 1.5, -0.1])
def test_a_score_that_is_none_is_refused(tmp_path: Path, score: float | None) -> None:
    path = tmp_path / "scores.parquet"
    save_scored(path, ROWS)
    table = pq.read_table(path).to_pylist()
    table[0]["score"] = score
    pq.write_table(pa.Table.from_pylist(table, schema=pq.read_schema(path)), path)
    with pytest.raises(DataError, match="are damaged"):
        load_scored(path)


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "scores.parquet"
    with pytest.raises(DataError, match="expected a Parquet file of scores"):
        load_scored(path)
    path.write_bytes(b"PAR1 but not")
    with pytest.raises(DataError, match="expected a Parquet file of scores"):
        load_scored(path)
    pq.write_table(pa.table({"path": ["a"]}), path)
    with pytest.raises(DataError, match="expected the scores of `vivant evaluate`"):
        load_scored(path)


@pytest.mark.parametrize(("given", "kept"), [(1 + 1e-6, 1.0), (-1e-6, 0.0), (0.25, 0.25)])
def test_what_float32_rounds_beyond_a_score_is_a_score(
    tmp_path: Path, given: float, kept: float
) -> None:
    """A runner lets 1e-5 pass; a file of scores must not become unreadable by it."""
    source = StoreSource(MadeUpRunner(given), grey_store(tmp_path / "store"))
    windows, _ = next(iter(source.look(source.presentations[:1])))
    found = [ScoredClip.of_window(window) for window in windows]
    assert {(clip.score, clip.advisor, clip.aam) for clip in found} == {(kept, kept, kept)}
