"""What callers are told of a verdict, and what those who are not trusted must never learn."""

import base64
import dataclasses
import io
import json

import numpy as np
import pytest
from PIL import Image

from context_models import context_config
from evaluations import GreyRunner
from made_up import MadeUpRunner, card
from text_session import TextSession, seen
from vivant.records import Caution, Finding, Reason
from vivant.serving.answers import ADVICE, FullAnswer, PublicAnswer, explain, to_answer
from vivant.serving.keys import Level
from vivant.session.verdict import Decision, Verdict

# As the doubts of a profile say them.
OUT_OF_DISTRIBUTION = Finding(
    Reason.OUT_OF_DISTRIBUTION,
    "the distance to known bona fide clips is 7.3, at most 6.1 is judged: film again as usual",
    7.3125,
    6.0625,
)
WINDOWS_DISAGREE = Finding(
    Reason.WINDOWS_DISAGREE,
    "the scores of its clips lie 0.43 apart, at most 0.27 is judged: film again, hold still",
    0.4321,
    0.2719,
)
TELLTALES = ("7.3", "6.1", "6.06", "0.43", "0.27", "distance", "apart")


def verdict_of(*greys: int, score: float = 0.83) -> Verdict:
    return TextSession(MadeUpRunner(score)).conclude([seen(greys)])[0]


def undecided(*reasons: Finding) -> Verdict:
    return dataclasses.replace(verdict_of(10), decision=Decision.NO_DECISION, reasons=reasons)


def test_each_reason_has_advice_in_plain_words() -> None:
    assert set(ADVICE) == set(Reason)
    for advice in ADVICE.values():
        assert advice.endswith(".")
        assert advice[0].isupper()
        assert not any(sign.isdigit() for sign in advice)
        assert "score" not in advice


@pytest.mark.parametrize(("score", "decision"), [(0.83, "bona_fide"), (0.17, "attack")])
@pytest.mark.parametrize("level", list(Level))
def test_decision_is_told_to_all(level: Level, score: float, decision: str) -> None:
    answer = to_answer(verdict_of(10, score=score), level)
    assert (answer.status, answer.decision) == ("decided", decision)
    assert answer.reasons == answer.advice == ()


@pytest.mark.parametrize("level", list(Level))
@pytest.mark.parametrize("reason", list(Reason))
def test_without_a_decision_it_is_null_whatever_the_reason(level: Level, reason: Reason) -> None:
    verdict = undecided(Finding(reason, "because"))
    assert verdict.bona_fide_score is not None
    said = json.loads(to_answer(verdict, level).model_dump_json())
    assert (said["status"], said["decision"]) == ("undecided", None)
    assert [one["code"] for one in said["reasons"]] == [reason.value]
    assert said["advice"] == [ADVICE[reason]]
    if level is Level.PUBLIC:
        assert "bona_fide" not in json.dumps(said)


def test_public_answer_has_no_place_for_a_score() -> None:
    assert set(PublicAnswer.model_fields) == {
        "schema_version", "status", "decision", "reasons", "advice", "cautions", "model",
    }  # fmt: skip
    schema = json.dumps(PublicAnswer.model_json_schema())
    for word in ("score", "threshold", "measured", "limit", "spread", "windows", "operating_point"):
        assert f'"{word}' not in schema, word
    assert '"type": "number"' not in schema


def test_public_answer_has_no_score_of_any_size() -> None:
    for score in (0.8125, 0.1875):
        text = to_answer(verdict_of(10, 20, score=score), Level.PUBLIC, explained=True)
        assert str(score) not in text.model_dump_json()
        full = to_answer(verdict_of(10, 20, score=score), Level.TRUSTED)
        assert str(score) in full.model_dump_json()


def test_numbers_in_the_words_of_a_doubt_are_kept_from_the_public() -> None:
    verdict = undecided(OUT_OF_DISTRIBUTION, WINDOWS_DISAGREE)
    public = to_answer(verdict, Level.PUBLIC)
    assert isinstance(public, PublicAnswer)
    text = public.model_dump_json()
    for word in TELLTALES:
        assert word not in text, word
    assert [reason.message for reason in public.reasons] == list(public.advice)
    full = to_answer(verdict, Level.TRUSTED).model_dump_json()
    for word in ("7.3125", "6.0625", "0.4321", "0.2719", "is 7.3, at most 6.1"):
        assert word in full, word


@pytest.mark.parametrize("reason", list(Reason))
def test_no_reason_s_own_words_reach_the_public(reason: Reason) -> None:
    found = Finding(reason, "on 3 of 9 frames; at worst 12345", 12345.0, 54321.0)
    text = to_answer(undecided(found), Level.PUBLIC).model_dump_json()
    assert "12345" not in text
    assert "54321" not in text
    assert "at worst" not in text


def test_doubts_of_a_real_disagreement_do_not_leak() -> None:
    session = TextSession(GreyRunner())
    verdict = session.conclude([seen([51, 204])])[0]
    public = to_answer(verdict, Level.PUBLIC).model_dump_json()
    for score in ("0.2", "0.8", "0.5", "0.6"):
        assert score not in public


def test_cautions_are_told_without_their_numbers_as_fields() -> None:
    caution = Finding(Caution.NO_RECORDED_ATTACKS, "trained on simulated attacks", 5.5, 6.5)
    verdict = dataclasses.replace(verdict_of(10), cautions=(caution,))
    said = json.loads(to_answer(verdict, Level.PUBLIC).model_dump_json())["cautions"]
    assert said == [{"code": "NO_RECORDED_ATTACKS", "message": "trained on simulated attacks"}]
    assert to_answer(verdict, Level.TRUSTED).cautions[0].measured == 5.5


def test_same_advice_is_given_once_and_in_order() -> None:
    found = [Finding(code, "") for code in (Reason.POSE, Reason.TOO_DARK, Reason.POSE)]
    answer = to_answer(undecided(*found), Level.PUBLIC)
    assert answer.advice == (ADVICE[Reason.POSE], ADVICE[Reason.TOO_DARK])
    assert len(answer.reasons) == 3


def test_untrained_model_says_so_to_the_public_too() -> None:
    session = TextSession(MadeUpRunner(1.0, card(training=None, point=None)))
    said = to_answer(session.conclude([seen([10])])[0], Level.PUBLIC)
    assert said.decision is None
    assert said.model.untrained
    assert said.advice == ("This service has no trained model.",)


def test_trusted_callers_get_an_explanation_where_they_ask_for_it() -> None:
    verdict = verdict_of(10, 20)
    assert to_answer(verdict, Level.TRUSTED).explanation is None
    assert to_answer(verdict, Level.TRUSTED, explained=True).explanation is not None
    nobody = to_answer(verdict_of(), Level.TRUSTED, explained=True)
    assert isinstance(nobody, FullAnswer)
    assert nobody.explanation is None


def test_explanation_is_of_the_clip_with_the_lowest_score() -> None:
    verdict = TextSession(GreyRunner()).conclude([seen([204, 51, 102])])[0]
    told = to_answer(verdict, Level.TRUSTED, explained=True)
    assert isinstance(told, FullAnswer)
    assert told.explanation is not None
    assert told.explanation.bona_fide_score == pytest.approx(0.2)
    picture = told.explanation.crop.partition(",")[2]
    shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(picture))))
    assert shown.shape == (224, 224, 3)
    np.testing.assert_allclose(shown, 51, atol=1)


def test_boxes_of_an_explanation_are_in_pixels_of_the_crop() -> None:
    window = verdict_of(10).windows[0]
    told = explain(window)
    # Cells 5, 6, 9 and 10 of a 4x4 grid on 224 pixels, and patches moved by (8, 4).
    cells = [(56, 56), (112, 56), (56, 112), (112, 112)]
    assert np.array(told.anchor_boxes) == pytest.approx(
        np.array([(x, y, x + 56, y + 56) for x, y in cells]), abs=0.01
    )
    assert np.array(told.patch_boxes) == pytest.approx(
        np.array([(x + 8, y + 4, x + 64, y + 60) for x, y in cells]), abs=0.01
    )
    assert np.array(told.depth).shape == (4, 14, 14)
    assert told.time_s == window.times_s[window.aam_frames[-1]]
    assert json.loads(told.model_dump_json())["cam"][3][3] == 1


def test_map_of_an_explanation_has_the_model_s_side_and_its_share() -> None:
    session = TextSession(MadeUpRunner(0.8, card(architecture=context_config())))
    told = to_answer(session.conclude([seen([10], 3, wide=True)])[0], Level.TRUSTED, explained=True)
    assert isinstance(told, FullAnswer)
    assert told.explanation is not None
    assert np.shape(told.explanation.cam) == (5, 5)
    assert told.explanation.map_share == pytest.approx(5 / 78)
    assert told.model is not None
    assert told.model.patches_vote is False
    assert explain(verdict_of(10).windows[0]).map_share is None


def test_model_without_a_second_module_has_no_boxes() -> None:
    window = verdict_of(10).windows[0]
    bare = dataclasses.replace(
        window, aam_score=None, aam_frames=(), anchors=None, anchor_boxes=None, patch_boxes=None,
        depth=None,
    )  # fmt: skip
    told = explain(bare)
    assert told.anchor_boxes == told.patch_boxes == told.depth == ()
    assert told.aam_score is None
    assert told.time_s == window.times_s[-1]
