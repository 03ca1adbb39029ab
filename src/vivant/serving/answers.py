"""What callers are told of a verdict: all of it, or only the decision."""

import base64
import io
from typing import Literal

import numpy as np
from jaxtyping import Float
from PIL import Image
from pydantic import BaseModel, ConfigDict

from vivant.records import Caution, Finding, Reason
from vivant.serving.keys import Level
from vivant.session.explain import boxes_on_crop
from vivant.session.report import Box, CheckRecord, ModelRecord, of_model, of_verdict
from vivant.session.verdict import Decision, Verdict, WindowResult

__all__ = [
    "ADVICE",
    "Answer",
    "Explanation",
    "FullAnswer",
    "PublicAnswer",
    "PublicFinding",
    "explain",
    "to_answer",
]

ADVICE = {
    Reason.NO_FACE: "Show your face to the camera, and come closer.",
    Reason.MULTIPLE_FACES: "Only one face, please.",
    Reason.FACE_TOO_SMALL: "Come closer.",
    Reason.FACE_CUT_OFF: "Move to the middle.",
    Reason.FACE_LOST: "Stay in the picture.",
    Reason.FACE_CHANGED: "One person, one camera, steady light: start again.",
    Reason.TOO_DARK: "More light, please.",
    Reason.TOO_BRIGHT: "Less light, please.",
    Reason.LOW_CONTRAST: "Clean the lens, and avoid light from behind.",
    Reason.TOO_BLURRED: "Hold still, and clean the lens.",
    Reason.POSE: "Look straight into the camera.",
    Reason.OCCLUDED: "Keep hands and things away from your face.",
    Reason.TOO_FEW_FRAMES: "Film for at least two seconds.",
    Reason.TOO_SLOW: "This computer or its connection is too slow for a live check: choose a video "
    "file, or check on this device.",
    Reason.STATIC_FRAMES: "Film a person, not a picture.",
    Reason.OUT_OF_DISTRIBUTION: "This is unlike what the model knows: try another place and light.",
    Reason.WINDOWS_DISAGREE: "Hold still, in even light, and try again.",
    Reason.MEDIA_SEEN_BEFORE: "This video was sent before: film a new one.",
    Reason.UNTRAINED_MODEL: "This service has no trained model.",
    Reason.NO_OPERATING_POINT: "This service's model has no threshold yet.",
}
"""Plain words for whoever stands before the camera."""

_JPEG_QUALITY = 90


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Explanation(_Record):
    """Where the network looked, on the window with the lowest score.

    Boxes are in pixels of the crop, which they may leave.
    """

    time_s: float
    bona_fide_score: float
    advisor_score: float
    aam_score: float | None
    crop: str
    """The newest crop that the second module saw, as a data URL (JPEG)."""
    crop_side_px: int
    anchor_boxes: tuple[Box, ...]
    """The cells that the Advisor named; none where the model has no second module."""
    patch_boxes: tuple[Box, ...]
    """Where the learned offsets moved them."""
    depth: tuple[tuple[tuple[float, ...], ...], ...]
    """Estimated depth of each patch, row by row, about 0..1: 1 nearest."""
    cam: tuple[tuple[float, ...], ...]
    """Grad-CAM of that crop, row by row, as many rows as the model's map has; >= 0, without a
    scale: divide by its maximum."""
    map_share: float | None
    """Share of the Advisor's logit that it covers; null of a model with an LSTM."""


class FullAnswer(CheckRecord):
    """All that there is to say: for callers that are trusted."""

    advice: tuple[str, ...]
    """Plain words for whoever was filmed, one for each reason."""
    explanation: Explanation | None
    """Where it was asked for, and something was scored."""


class PublicFinding(_Record):
    """A reason or a caution without its number."""

    code: Reason | Caution
    message: str


class PublicAnswer(_Record):
    """The decision without a score or a number that would tell an attacker how much is missing."""

    schema_version: Literal[1] = 1
    status: Literal["decided", "undecided"]
    decision: Literal["bona_fide", "attack"] | None
    """null unless decided: never read a missing decision as bona fide."""
    reasons: tuple[PublicFinding, ...]
    advice: tuple[str, ...]
    cautions: tuple[PublicFinding, ...]
    model: ModelRecord


Answer = FullAnswer | PublicAnswer


def to_answer(verdict: Verdict, level: Level, *, explained: bool = False) -> Answer:
    """What a caller is told.

    Args:
        verdict: From the session.
        level: Of the caller.
        explained: Whether a trusted caller asks for pictures of what the network saw.
    """
    advice = tuple(dict.fromkeys(ADVICE[Reason(found.code)] for found in verdict.reasons))
    if level is not Level.TRUSTED:
        decided = verdict.decision is not Decision.NO_DECISION
        return PublicAnswer(
            status="decided" if decided else "undecided",
            decision=verdict.decision.value if decided else None,
            reasons=tuple(_public(reason) for reason in verdict.reasons),
            advice=advice,
            cautions=tuple(_public(caution) for caution in verdict.cautions),
            model=of_model(verdict.model),
        )
    record = of_verdict("", verdict)
    fields = {name: getattr(record, name) for name in CheckRecord.model_fields}
    window = min(verdict.windows, key=lambda result: result.bona_fide_score, default=None)
    explanation = explain(window) if explained and window is not None else None
    return FullAnswer(**fields, advice=advice, explanation=explanation)


def explain(window: WindowResult) -> Explanation:
    """Where the network looked, on one clip."""
    frame = window.aam_frames[-1] if window.aam_frames else len(window.crops) - 1
    return Explanation(
        time_s=window.times_s[frame],
        bona_fide_score=window.bona_fide_score,
        advisor_score=window.advisor_score,
        aam_score=window.aam_score,
        crop=_data_url(window.crops[frame]),
        crop_side_px=window.crops.shape[1],
        anchor_boxes=_boxes(window.anchor_boxes, window),
        patch_boxes=_boxes(window.patch_boxes, window),
        depth=() if window.depth is None else _rounded(window.depth[-1]),
        cam=_rounded(window.cam[frame]),
        map_share=window.map_share,
    )


def _public(finding: Finding) -> PublicFinding:
    # Messages of reasons have numbers in them; a caution's says what to know of model and machine.
    code = finding.code
    return PublicFinding(
        code=code, message=ADVICE[code] if isinstance(code, Reason) else finding.message
    )


def _data_url(crop: np.ndarray) -> str:
    file = io.BytesIO()
    Image.fromarray(crop).save(file, "JPEG", quality=_JPEG_QUALITY)
    return f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode()}"


def _boxes(boxes: Float[np.ndarray, "a k 4"] | None, window: WindowResult) -> tuple[Box, ...]:
    """Boxes of the frame on the newest crop, in its pixels."""
    if boxes is None:
        return ()
    moved = boxes_on_crop(boxes[-1], window, window.crops.shape[1])  # (k, 4)
    return tuple((x0, y0, x1, y1) for x0, y0, x1, y1 in moved.round(2).tolist())


def _rounded(values: np.ndarray) -> tuple:  # type: ignore[type-arg] # As deep as the array.
    def nested(part: object) -> object:
        return tuple(nested(one) for one in part) if isinstance(part, list) else part

    found = nested(np.asarray(values, np.float64).round(4).tolist())
    assert isinstance(found, tuple)
    return found
