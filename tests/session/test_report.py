import json
from pathlib import Path

import jsonschema
import pytest
from pydantic import ValidationError

from context_models import context_config
from made_up import TRAINED, MadeUpRunner, card
from media import pattern, video
from people import person_video
from vivant.errors import MediaError, Refusal, WeightsError
from vivant.session.report import (
    CheckRecord,
    PatchRecord,
    json_schema,
    of_error,
    of_model,
    of_verdict,
)
from vivant.session.session import Session

PUBLISHED = Path(__file__).parents[2] / "docs" / "check.schema.json"


def check(source: bytes, score: float = 0.9, **fields: object) -> CheckRecord:
    with Session(MadeUpRunner(score, card(**fields)), isolated=False) as session:
        return of_verdict("clip.mp4", session.check(source))


@pytest.fixture(scope="module")
def records() -> dict[str, CheckRecord]:
    person, nobody = person_video(), video([pattern(i, 640, 480) for i in range(6)], rate=10)
    return {
        "bona fide": check(person),
        "attack": check(person, 0.1),
        "wider crop": check(person, architecture=context_config()),
        "untrained": check(person, training=None, point=None),
        "no face": check(nobody),
        "refused": of_error("a.txt", MediaError(Refusal.TOO_LONG, "too long")),
        "failed": of_error("b.mp4", WeightsError("not finite")),
    }


def test_schema_is_the_published_one() -> None:
    """After a change: python scripts/write_check_schema.py."""
    assert json.loads(PUBLISHED.read_text()) == json_schema()


@pytest.mark.parametrize(
    "kind", ["bona fide", "wider crop", "attack", "untrained", "no face", "refused", "failed"]
)
def test_every_record_follows_the_published_schema(
    kind: str, records: dict[str, CheckRecord]
) -> None:
    content = json.loads(records[kind].model_dump_json())
    jsonschema.Draft202012Validator(json.loads(PUBLISHED.read_text())).validate(content)
    # And every field is there, null or not.
    assert set(content) == set(CheckRecord.model_fields)


@pytest.mark.parametrize(
    ("kind", "status", "decision"),
    [
        ("bona fide", "decided", "bona_fide"),
        ("attack", "decided", "attack"),
        ("untrained", "undecided", None),
        ("no face", "undecided", None),
        ("refused", "refused", None),
        ("failed", "refused", None),
    ],
)
def test_status_and_decision(
    kind: str, status: str, decision: str | None, records: dict[str, CheckRecord]
) -> None:
    assert (records[kind].status, records[kind].decision) == (status, decision)


def test_codes_of_refusals(records: dict[str, CheckRecord]) -> None:
    assert (records["refused"].code, records["refused"].message) == ("TOO_LONG", "too long")
    assert records["failed"].code == "FAILED"


def test_error_that_is_not_ours_says_what_it_is() -> None:
    assert of_error("c.mp4", KeyError("x")).message == "KeyError: 'x'"


def test_patches_are_listed_with_cells_and_boxes(records: dict[str, CheckRecord]) -> None:
    window = records["bona fide"].windows[0]
    assert [patch.cell for patch in window.patches[:4]] == [5, 6, 9, 10]
    assert len(window.patches) == 5 * 4
    for patch in window.patches:
        x0, y0, x1, y1 = patch.patch_box
        assert x1 - x0 == pytest.approx((window.crop_box[2] - window.crop_box[0]) / 4, abs=0.02)
        assert window.crop_box[0] <= x0 < x1 <= window.crop_box[2]
        assert window.crop_box[1] <= y0 < y1 <= window.crop_box[3]


def test_record_says_what_explains_the_score(records: dict[str, CheckRecord]) -> None:
    wider, usual = records["wider crop"], records["bona fide"]
    assert wider.model is not None
    assert usual.model is not None
    assert (wider.model.patches_vote, usual.model.patches_vote) == (False, True)
    assert [window.map_share for window in wider.windows] == [pytest.approx(5 / 78)] * 4
    assert [window.map_share for window in usual.windows] == [None] * 4


@pytest.mark.parametrize(("cell", "is_taken"), [(0, True), (48, True), (49, False), (-1, False)])
def test_cells_are_those_of_either_grid(cell: int, is_taken: bool) -> None:
    content = {"time_s": 0, "cell": cell, "anchor_box": (0, 0, 1, 1), "patch_box": (0, 0, 1, 1)}
    schema = json.loads(PUBLISHED.read_text())
    published = jsonschema.Draft202012Validator(
        {"$defs": schema["$defs"], "$ref": "#/$defs/PatchRecord"}
    )
    assert published.is_valid(json.loads(json.dumps(content))) is is_taken
    if is_taken:
        assert PatchRecord.model_validate(content).cell == cell
        return
    with pytest.raises(ValidationError, match="Input should be (less|greater) than or equal to"):
        PatchRecord.model_validate(content)


@pytest.mark.parametrize(
    "change",
    [
        {"status": "undecided"},
        {"decision": None},
        {"status": "refused"},
        {"code": "TOO_LONG"},
        {"decision": "live"},
        {"bona_fide_score": 1.5},
        {"bona_fide_score": float("nan")},
        {"surprise": 1},
    ],
)
def test_record_that_contradicts_itself_cannot_be_made(
    change: dict, records: dict[str, CheckRecord]
) -> None:
    content = records["bona fide"].model_dump() | change
    with pytest.raises(ValidationError):
        CheckRecord.model_validate(content)


def test_untrained_and_synthetic_models_are_marked(records: dict[str, CheckRecord]) -> None:
    assert records["untrained"].model is not None
    assert records["untrained"].model.untrained
    assert records["bona fide"].model is not None
    assert not records["bona fide"].model.untrained
    assert records["bona fide"].model.trained_on == "made-up:1"


def test_a_model_s_note_says_what_it_was_trained_on() -> None:
    synthetic = TRAINED.model_copy(update={"is_synthetic": True})
    for training, expected in (
        (None, "UNTRAINED: its scores mean nothing, and it never decides"),
        (synthetic, "trained on simulated attacks (made-up:1)"),
        (TRAINED, "trained on made-up:1"),
    ):
        found = card(training=training, **({} if training else {"point": None}))
        with Session(MadeUpRunner(card_=found), isolated=False) as session:
            assert of_model(session.model).note == expected
