import json

from prepared import frame, prepared, presentation
from vivant.preparation.schema import (
    FRAMES,
    PRESENTATIONS,
    frame_rows,
    presentation_rows,
    to_presentation,
)
from vivant.records import Label, Presentation, Split


def test_presentation_comes_back_as_it_went_in() -> None:
    rows = [
        presentation("a", columns={"phone": "1", "light": "dim, warm"}),
        presentation("b", Label.ATTACK, split=None, subject=None, columns={}),
        Presentation("c d/é.mp4", Label.ATTACK, "replay", split=Split.TEST),
    ]
    table = presentation_rows([prepared(row) for row in rows], 5)
    assert table.schema == PRESENTATIONS
    assert [to_presentation(row) for row in table.to_pylist()] == rows
    assert table["id"].to_pylist() == [5, 6, 7]


def test_refusal_has_no_frames() -> None:
    row = prepared(presentation("a"), [], refusal="TOO_LONG", message="too long")
    (found,) = presentation_rows([row], 0).to_pylist()
    assert (found["num_frames"], found["refusal"]) == (0, "TOO_LONG")
    assert len(frame_rows([row], 0)) == 0


def test_frame_has_its_numbers() -> None:
    row = prepared(presentation("a"), [frame(3, faults=("POSE",), with_depth=False)])
    table = frame_rows([row], 7)
    assert table.schema == FRAMES
    (found,) = table.to_pylist()
    assert (found["presentation"], found["position"], found["number"]) == (7, 3, 9)
    assert found["square"] == [86, 60, 64]
    assert found["face"] == [100.0, 74.0, 136.0, 110.0]
    assert found["depth"] is None
    assert found["faults"] == ["POSE"]
    assert found["yaw_deg"] == 1
    assert len(found["landmarks"]) == 3 * 468


def test_columns_are_json_that_others_can_read() -> None:
    (row,) = presentation_rows([prepared(presentation("a"))], 0).to_pylist()
    assert json.loads(row["columns"]) == {"phone": "1"}
