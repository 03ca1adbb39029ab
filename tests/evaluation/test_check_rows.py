from pathlib import Path

import pyarrow.parquet as pq
import pytest

from text_session import TextSession, seen
from vivant.errors import DataError, MediaError, OutputError, Refusal
from vivant.evaluation.check_rows import join_rows, save_rows, to_row
from vivant.session.report import of_error, of_verdict


def rows() -> list[dict[str, object]]:
    """One of each kind."""
    session = TextSession()
    verdicts = session.conclude([seen(greys) for greys in ([102, 204], [51], [])])
    names = ("a/bright.mp4", "a/dark.mp4", "b/nobody.mp4")
    records = [of_verdict(name, verdict) for name, verdict in zip(names, verdicts, strict=True)]
    error = MediaError(Refusal.CORRUPT_MEDIA, "damaged beyond use")
    return [to_row(record) for record in (*records, of_error("c.mp4", error, session.model))]


def test_a_row_has_what_the_record_says_and_null_for_what_there_is_not() -> None:
    bright, dark, nobody, refused = rows()
    assert bright["bona_fide_score"] == pytest.approx(0.6)
    assert bright["window_scores"] == pytest.approx([0.4, 0.8])
    assert bright["advisor_score"] == bright["aam_score"] == pytest.approx(0.6)
    assert bright["score_spread"] == pytest.approx(0.4)
    assert (bright["status"], bright["decision"], bright["threshold"]) == (
        "decided", "bona_fide", 0.5,
    )  # fmt: skip
    assert (dark["decision"], dark["num_windows"]) == ("attack", 1)
    assert (nobody["status"], nobody["decision"], nobody["reasons"]) == (
        "undecided", None, ["NO_FACE"],
    )  # fmt: skip
    assert (refused["status"], refused["code"], refused["message"]) == (
        "refused", "CORRUPT_MEDIA", "damaged beyond use",
    )  # fmt: skip
    for row in (nobody, refused):
        for name in ("decision", "bona_fide_score", "score_spread", "advisor_score", "aam_score"):
            assert row[name] is None
        assert (row["num_windows"], row["window_scores"]) == (0, [])
    for row in (bright, dark, nobody, refused):
        assert (row["model"], row["runtime"], row["profile"]) == ("made_up", "onnx", None)
        assert row["weights_sha256"] == "0" * 64


def test_parts_become_one_file_in_their_order_which_says_what_it_is(tmp_path: Path) -> None:
    whole = rows()
    parts = [tmp_path / "0.parquet", tmp_path / "1.parquet"]
    save_rows(parts[0], whole[:3])
    save_rows(parts[1], whole[3:])
    tally = join_rows(parts, tmp_path / "new" / "all.parquet", {"training": "UNTRAINED"})
    table = pq.read_table(tmp_path / "new" / "all.parquet")
    assert table.to_pylist() == whole
    assert table.schema.metadata[b"training"] == b"UNTRAINED"
    assert table["window_scores"].null_count == 0
    assert (tally.num_bona_fide, tally.num_attack, tally.num_undecided, tally.num_refused) == (
        1, 1, 1, 1,
    )  # fmt: skip
    assert (tally.undecided, tally.refused) == ({"NO_FACE": 1}, {"CORRUPT_MEDIA": 1})


def test_parts_that_are_none_are_told_with_what_to_do(tmp_path: Path) -> None:
    part = tmp_path / "0.parquet"
    part.write_bytes(b"no Parquet")
    with pytest.raises(DataError, match=r"expected rows of `vivant score` at .*delete this file"):
        join_rows([part], tmp_path / "all.parquet", {})
    pq.write_table(pq.read_table(_saved(tmp_path)).drop(["code"]), part)
    with pytest.raises(DataError, match="got other columns"):
        join_rows([part], tmp_path / "all.parquet", {})
    assert not (tmp_path / "all.parquet").exists()


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(OutputError, match="cannot write"):
        save_rows(tmp_path / "taken" / "0.parquet", rows())


def _saved(folder: Path) -> Path:
    save_rows(folder / "good.parquet", rows())
    return folder / "good.parquet"
