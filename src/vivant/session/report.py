"""A verdict or a refusal as JSON: the one record that command line, service and cluster share.

`docs/check.schema.json` is its JSON Schema. Fields are never left out; null says that there is
nothing. A new field raises nothing, any other change raises `schema_version`.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from vivant.errors import MediaError, Refusal, VivantError
from vivant.networks.card import OperatingPoint
from vivant.records import Caution, FaceBox, Finding, Reason
from vivant.session.verdict import Decision, ModelIdentity, Verdict, WindowResult

__all__ = [
    "FAILED",
    "CheckRecord",
    "ModelRecord",
    "json_schema",
    "of_error",
    "of_model",
    "of_verdict",
]

FAILED = "FAILED"  # The code of an error that is not the media's.

Box = tuple[float, float, float, float]
Score = Annotated[float, Field(ge=0, le=1)]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class FindingRecord(_Record):
    """A reason why there is no decision, or a caution."""

    code: Reason | Caution
    message: str
    measured: float | None
    """What was found, in the unit of the limit."""
    limit: float | None


class PatchRecord(_Record):
    """One patch of one frame; boxes are x0 y0 x1 y1 in pixels of the presentation's frames."""

    time_s: float
    cell: int = Field(ge=0, le=48)
    """Which cell the Advisor named, row by row: 0..15 of the 4x4 grid, 0..48 of a 7x7 one."""
    anchor_box: Box
    """That cell."""
    patch_box: Box
    """Where the learned offset moved it."""


class WindowRecord(_Record):
    """One clip out of the presentation."""

    times_s: tuple[float, ...]
    padded: bool
    """Whether a frame stands in for others that are missing."""
    bona_fide_score: Score
    """0..1, higher is bona fide; raw, even where a profile calibrates the presentation's."""
    advisor_score: float
    """Of the Advisor Module alone."""
    aam_score: float | None
    """Of the Attended-Auxiliary Module alone; null where the model has none. It is no part of
    `bona_fide_score` where the model's `patches_vote` is false."""
    map_share: Score | None
    """Share of the Advisor's logit that its Grad-CAM covers: the last map of the first crop. null
    of a model with an LSTM, whose logit comes from that map alone."""
    face_box: Box
    crop_box: Box
    patches: tuple[PatchRecord, ...]


class ModelRecord(_Record):
    """Which network it was."""

    name: str
    sha256: str
    untrained: bool
    """Whether the weights were never trained: then nothing is ever decided."""
    trained_on: str | None
    synthetic: bool | None
    """Whether the training data were simulated; null for an untrained model."""
    patches_vote: bool | None
    """Whether patches and their depth are part of the result; false: they explain, and the result
    is the Advisor's alone. null where the model has no patches."""
    runtime: str

    @property
    def note(self) -> str:
        """What to know of its training before any score of it: one line."""
        if self.untrained:
            return "UNTRAINED: its scores mean nothing, and it never decides"
        if self.synthetic:
            return f"trained on simulated attacks ({self.trained_on})"
        return f"trained on {self.trained_on}"


class FramesRecord(_Record):
    """What there was to see."""

    looked_at: int
    with_face: int
    width: int
    height: int


class TimingsRecord(_Record):
    """Seconds; decoding goes on beside the rest, what is given is the waiting for it."""

    decode_s: float
    faces_s: float
    network_s: float
    total_s: float


class CheckRecord(_Record):
    """What `vivant` says of one presentation."""

    schema_version: Literal[1] = 1
    path: str
    """As it was given."""
    status: Literal["decided", "undecided", "refused"]
    """`refused`: it could not be read or judged, and `code` says why."""
    decision: Literal["bona_fide", "attack"] | None
    """null unless decided: never read a missing decision as bona fide."""
    bona_fide_score: Score | None
    """0..1, higher is bona fide; calibrated where there is a profile. Decides nothing by itself."""
    score_spread: float | None
    """Largest less smallest raw score of the windows."""
    threshold: float | None
    """Accepted where the score is at least this."""
    operating_point: OperatingPoint | None
    """Where the threshold comes from."""
    profile: str | None
    """SHA-256 of the profile that calibrated the score and gave operating point and limits; null
    where there was none."""
    reasons: tuple[FindingRecord, ...]
    """Why it is undecided."""
    cautions: tuple[FindingRecord, ...]
    """What to know all the same."""
    code: Refusal | Literal["FAILED"] | None
    """Why it is refused."""
    message: str | None
    """The same for people."""
    model: ModelRecord | None
    frames: FramesRecord | None
    windows: tuple[WindowRecord, ...]
    timings: TimingsRecord | None

    @model_validator(mode="after")
    def _says_one_thing(self) -> "CheckRecord":
        if (self.status == "decided") != (self.decision is not None):
            raise ValueError("a decision comes with the status decided, and with no other")
        if (self.status == "refused") != (self.code is not None):
            raise ValueError("a code comes with the status refused, and with no other")
        if (self.status == "undecided") != bool(self.reasons):
            raise ValueError("reasons come with the status undecided, and with no other")
        return self


def of_verdict(path: str, verdict: Verdict) -> CheckRecord:
    """The record of a verdict.

    Args:
        path: What was checked, as the caller named it.
        verdict: From a session.
    """
    decided = verdict.decision is not Decision.NO_DECISION
    point, timings = verdict.operating_point, verdict.timings
    width, height = verdict.frame_size
    return CheckRecord(
        path=path,
        status="decided" if decided else "undecided",
        decision=verdict.decision.value if decided else None,
        bona_fide_score=verdict.bona_fide_score,
        score_spread=verdict.score_spread,
        threshold=None if point is None else point.threshold,
        operating_point=point,
        profile=verdict.profile,
        reasons=tuple(_finding(reason) for reason in verdict.reasons),
        cautions=tuple(_finding(caution) for caution in verdict.cautions),
        code=None,
        message=None,
        model=of_model(verdict.model),
        frames=FramesRecord(
            looked_at=verdict.num_looks, with_face=verdict.num_faces, width=width, height=height
        ),
        windows=tuple(_window(window) for window in verdict.windows),
        timings=TimingsRecord(
            decode_s=timings.decode_s,
            faces_s=timings.faces_s,
            network_s=timings.network_s,
            total_s=timings.total_s,
        ),
    )


def of_error(path: str, error: Exception, model: ModelIdentity | None = None) -> CheckRecord:
    """The record of a refusal, or of a check that failed.

    Args:
        path: What was checked, as the caller named it.
        error: A `MediaError` has its code, all others are FAILED; those that are not ours say
            what they are.
        model: The model that would have judged.
    """
    ours = isinstance(error, VivantError)
    return CheckRecord(
        path=path,
        status="refused",
        decision=None,
        bona_fide_score=None,
        score_spread=None,
        threshold=None,
        operating_point=None,
        profile=None,
        reasons=(),
        cautions=(),
        code=error.code if isinstance(error, MediaError) else FAILED,
        message=str(error) if ours else f"{type(error).__name__}: {error}",
        model=None if model is None else of_model(model),
        frames=None,
        windows=(),
        timings=None,
    )


def of_model(model: ModelIdentity) -> ModelRecord:
    """The record of a model, as all records of its session have it."""
    training = model.training
    return ModelRecord(
        name=model.name,
        sha256=model.sha256,
        untrained=training is None,
        trained_on=None if training is None else training.data,
        synthetic=None if training is None else training.is_synthetic,
        patches_vote=model.patches_vote,
        runtime=model.runtime,
    )


def json_schema() -> dict[str, Any]:
    """The JSON Schema of `CheckRecord` as it is written, with every field required."""
    schema = CheckRecord.model_json_schema(mode="serialization")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _finding(finding: Finding) -> FindingRecord:
    return FindingRecord(
        code=finding.code,
        message=finding.message,
        measured=finding.measured,
        limit=finding.limit,
    )


def _window(window: WindowResult) -> WindowRecord:
    crop = window.crop
    patches: list[PatchRecord] = []
    if window.anchors is not None:
        assert window.anchor_boxes is not None
        assert window.patch_boxes is not None
        for at, frame in enumerate(window.aam_frames):
            patches += [
                PatchRecord(
                    time_s=window.times_s[frame],
                    cell=int(window.anchors[at, k]),
                    anchor_box=_box(window.anchor_boxes[at, k]),
                    patch_box=_box(window.patch_boxes[at, k]),
                )
                for k in range(window.anchors.shape[1])
            ]
    return WindowRecord(
        times_s=window.times_s,
        padded=window.is_padded,
        bona_fide_score=min(max(window.bona_fide_score, 0.0), 1.0),
        advisor_score=window.advisor_score,
        aam_score=window.aam_score,
        map_share=window.map_share,
        face_box=_box(_edges(window.face)),
        crop_box=_box((crop.x, crop.y, crop.x + crop.side_px, crop.y + crop.side_px)),
        patches=tuple(patches),
    )


def _edges(face: FaceBox) -> Box:
    return face.x0, face.y0, face.x1, face.y1


def _box(edges: Any) -> Box:
    """Four edges to a hundredth of a pixel."""
    x0, y0, x1, y1 = (round(float(edge), 2) for edge in edges)
    return x0, y0, x1, y1
