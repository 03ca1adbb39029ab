import json
from pathlib import Path

import numpy as np
import pytest

from builders import small_config
from context_models import context_config
from evaluations import GreyRunner, grey_rows, grey_store, row, shown
from made_up import card
from people import person_video
from prepared import new_store
from text_session import TextSession
from vivant.errors import DataError, OutputError
from vivant.evaluation.scored import ScoredPresentation, load_scored
from vivant.evaluation.scoring import FileSource, StoreSource, open_source, score_sides
from vivant.networks.card import ModelCard
from vivant.preparation.clips import ClipStore, decode, spread_windows
from vivant.preparation.record import PreparedPresentation
from vivant.preparation.settings import PreparationSettings
from vivant.records import Scores, Split
from vivant.session.session import Session

PROTOCOL = "folder"


def ignore(done: int, num: int) -> None: ...


def by_path(rows: tuple[ScoredPresentation, ...]) -> dict[str, ScoredPresentation]:
    return {each.presentation.path: each for each in rows}


def test_a_store_is_scored_on_dev_and_test_and_what_was_refused_says_why(tmp_path: Path) -> None:
    source = StoreSource(GreyRunner(), grey_store(tmp_path / "store"))
    told: list[tuple[int, int]] = []
    rows = score_sides(source, PROTOCOL, tmp_path / "kept", lambda *state: told.append(state))
    assert {each.split for each in rows} == {Split.DEV, Split.TEST}
    assert told == [(19, 19)]
    found = by_path(rows)
    assert found["test/print-90.mp4"].reasons == ("CORRUPT_MEDIA",)
    assert found["test/print-90.mp4"].of_part("fused") is None
    bright = found["dev/bona_fide-1.mp4"].of_part("fused")
    dark = found["dev/print-1.mp4"].of_part("fused")
    assert bright is not None
    assert dark is not None
    assert bright > 0.6 > 0.4 > dark
    assert len(found["dev/print-1.mp4"].clips) == 4  # W of decision D24.
    # Cells 5, 6, 9 and 10 are at multiples of 56, and the runner's boxes lie (8, 4) further.
    clip = found["dev/print-1.mp4"].clips[0]
    assert clip.displacement_px == pytest.approx(np.hypot(8, 4))


def test_cells_are_those_of_the_card_s_grid(tmp_path: Path) -> None:
    finer = card(architecture=small_config(grid_side=7))
    rows = [shown(row(split, 1, None), 170) for split in (Split.DEV, Split.TEST)]
    source = StoreSource(GreyRunner(finer), grey_store(tmp_path / "store", rows))
    (found, _) = score_sides(source, PROTOCOL, tmp_path / "kept", ignore)
    assert found.clips[0].displacement_px == pytest.approx(np.hypot(8, 4))


def test_wider_crops_come_from_the_store(tmp_path: Path) -> None:
    rows = [shown(row(split, 1, None), 170) for split in (Split.DEV, Split.TEST)]
    store = grey_store(tmp_path / "store", rows)
    sees_both = card(architecture=context_config())
    with pytest.raises(DataError, match="holds squares of 1.75 times .* needs 2"):
        StoreSource(GreyRunner(sees_both), store)
    how = sees_both.preprocessing.model_copy(update={"context_scale": 1.7})
    runner = ContextRunner(sees_both.model_copy(update={"preprocessing": how}))
    score_sides(StoreSource(runner, store), PROTOCOL, tmp_path / "kept", ignore)
    clips = ClipStore(store, 3)
    windows = spread_windows(clips.windows("dev/bona_fide-1.mp4"), 4)
    expected = [decode(raw, 1.3, 224, context_scale=1.7).context for raw in clips.read(windows)]
    np.testing.assert_array_equal(runner.wide[0][:4], np.stack(expected))


class ContextRunner(GreyRunner):
    """Keeps the wider crops that it is given."""

    def __init__(self, card_: ModelCard) -> None:
        super().__init__(card_)
        self.wide: list[np.ndarray] = []

    def run(self, clips: np.ndarray, context: np.ndarray | None = None) -> Scores:
        assert context is not None
        self.wide.append(context)
        return super().run(clips, context)


def test_faults_of_a_clip_and_missing_faces_are_no_answers(tmp_path: Path) -> None:
    rows = [
        *grey_rows(),
        shown(row(Split.TEST, 91, None), 170, faults=("STATIC_FRAMES",)),
        PreparedPresentation(row(Split.TEST, 92, None), num_looks=10, width_px=9, height_px=9),
    ]
    source = StoreSource(GreyRunner(), grey_store(tmp_path / "store", rows))
    found = by_path(score_sides(source, PROTOCOL, tmp_path / "kept", ignore))
    still = found["test/bona_fide-91.mp4"]
    assert (still.reasons, len(still.clips), still.of_part("fused")) == (
        ("STATIC_FRAMES",),
        4,
        None,
    )
    assert found["test/bona_fide-92.mp4"].reasons == ("NO_FACE",)


def test_what_is_scored_is_not_scored_again(tmp_path: Path) -> None:
    store = grey_store(tmp_path / "store")
    first = score_sides(StoreSource(GreyRunner(), store), PROTOCOL, tmp_path / "kept", ignore)
    runner = GreyRunner()
    again = score_sides(StoreSource(runner, store), PROTOCOL, tmp_path / "kept", ignore)
    assert runner.clips == []
    assert [each.of_part("fused") for each in again] == [each.of_part("fused") for each in first]


def test_a_kill_costs_the_part_that_was_in_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vivant.evaluation.scoring._PART_ROWS", 5)
    store = grey_store(tmp_path / "store")

    def stop(done: int, num: int) -> None:
        if done == 10:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        score_sides(StoreSource(GreyRunner(), store), PROTOCOL, tmp_path / "kept", stop)
    assert len(list((tmp_path / "kept").glob("part-*.parquet"))) == 2
    runner = GreyRunner()
    rows = score_sides(StoreSource(runner, store), PROTOCOL, tmp_path / "kept", ignore)
    assert len(rows) == 19
    assert sum(len(clips) for clips in runner.clips) == 4 * 8  # The last is the refused one.
    parts = sorted((tmp_path / "kept").glob("part-*.parquet"))
    assert sum(len(load_scored(path)) for path in parts) == 19


def test_scores_of_another_model_or_store_are_not_taken_for_these(tmp_path: Path) -> None:
    store = grey_store(tmp_path / "store")
    score_sides(StoreSource(GreyRunner(), store), PROTOCOL, tmp_path / "kept", ignore)
    weights = card().weights.model_copy(update={"sha256": "1" * 64})
    other = GreyRunner(card().model_copy(update={"weights": weights}))
    with pytest.raises(OutputError, match="the scores of another model"):
        score_sides(StoreSource(other, store), PROTOCOL, tmp_path / "kept", ignore)
    more = grey_store(tmp_path / "more", [*grey_rows(), shown(row(Split.TEST, 9, None), 170)])
    with pytest.raises(OutputError, match="name another folder"):
        score_sides(StoreSource(GreyRunner(), more), PROTOCOL, tmp_path / "kept", ignore)


def test_a_store_of_another_frame_distance_is_refused(tmp_path: Path) -> None:
    store = new_store(tmp_path / "store", PreparationSettings(interval_s=0.2))
    with store.writing():
        pass
    with pytest.raises(DataError, match=r"takes a frame each 0.1 s, the store .* each 0.2 s"):
        StoreSource(GreyRunner(), store.folder)


def test_an_empty_side_is_told(tmp_path: Path) -> None:
    rows = [each for each in grey_rows() if each.presentation.split is not Split.DEV]
    source = StoreSource(GreyRunner(), grey_store(tmp_path / "store", rows))
    with pytest.raises(DataError, match="nothing on the side dev"):
        score_sides(source, PROTOCOL, tmp_path / "kept", ignore)


def data_set(root: Path) -> Path:
    """Of layout `folder`: one presentation a side and class; one of test cannot be read."""
    video = person_video(16)
    for split in ("train", "dev", "test"):
        for kind in ("bona_fide", "attack/print"):
            path = root / split / kind / f"{split}.mp4"
            path.parent.mkdir(parents=True)
            path.write_bytes(video)
    (root / "test/attack/print/bad.mp4").write_bytes(b"no video")
    return root


def test_files_are_checked_as_a_session_does_and_a_bad_one_is_a_reason(tmp_path: Path) -> None:
    root = data_set(tmp_path / "data")
    session = Session(GreyRunner(), isolated=False)
    source = open_source(GreyRunner(), root, PROTOCOL, lambda: session)
    assert isinstance(source, FileSource)
    found = by_path(score_sides(source, PROTOCOL, tmp_path / "kept", ignore))
    bad = next(each for path, each in found.items() if "bad" in path)
    assert bad.reasons == ("UNSUPPORTED_FORMAT",)
    good = [each for path, each in found.items() if "bad" not in path]
    assert len(good) == 4
    for each in good:
        verdict = session.check(root / each.presentation.path)
        assert [clip.score for clip in each.clips] == [w.bona_fide_score for w in verdict.windows]
        assert each.reasons == tuple(reason.code for reason in verdict.reasons)
    source.close()


def test_a_mistake_of_ours_over_one_file_is_its_reason_and_no_end(tmp_path: Path) -> None:
    for split, texts in (("train", "9"), ("dev", "204"), ("test", "bug")):
        for kind in ("bona_fide", "attack/print"):
            path = tmp_path / "data" / split / kind / f"{split}.mp4"
            path.parent.mkdir(parents=True)
            path.write_text(texts if kind == "bona_fide" else "51")
    source = FileSource(TextSession(), tmp_path / "data", "folder")
    rows = score_sides(source, PROTOCOL, tmp_path / "kept", ignore)
    reasons = {each.presentation.path: each.reasons for each in rows}
    assert reasons.pop("test/bona_fide/test.mp4") == ("FAILED",)
    assert set(reasons.values()) == {()}


def test_a_model_without_an_operating_point_can_be_evaluated(tmp_path: Path) -> None:
    """That its verdicts stay open is no presentation's fault."""
    root = data_set(tmp_path / "data")
    runner = GreyRunner(card(point=None))
    with Session(runner, isolated=False) as session:
        source = FileSource(session, root, "folder")
        rows = score_sides(source, PROTOCOL, tmp_path / "kept", ignore)
    assert any(each.of_part("fused") is not None for each in rows)


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="expected a data set's folder or a store"):
        open_source(GreyRunner(), tmp_path / "none", PROTOCOL, lambda: pytest.fail("not needed"))


def test_the_folder_says_what_its_scores_are_of(tmp_path: Path) -> None:
    source = StoreSource(GreyRunner(), grey_store(tmp_path / "store"))
    score_sides(source, PROTOCOL, tmp_path / "kept", ignore)
    content = json.loads((tmp_path / "kept" / "evaluation.json").read_text())
    assert content["weights"] == "0" * 64
    assert content["protocol"] == PROTOCOL
    assert len(content["presentations"]) == 19
