"""The deployment profile: one JSON file that says how a model's scores become decisions.

Calibration, operating point and the limits of two doubts, all fitted on the scores of a development
side by `vivant calibrate`. It belongs to one file of weights and is refused for any other. It only
adds to what a model's card says: no profile takes a reason away but NO_OPERATING_POINT, which it
answers. No field has a default: what a file leaves out is an error.
"""

import hashlib
import json
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from vivant.errors import InputError, ProfileError
from vivant.files import write_whole
from vivant.networks.card import ModelCard, OperatingPoint
from vivant.networks.config import explain
from vivant.records import Finding
from vivant.session.calibration import Calibration
from vivant.session.doubts import CountedShare, OutOfDistribution, WindowsDisagree
from vivant.session.verdict import WindowResult

__all__ = [
    "CalibrationQuality",
    "FittedPoint",
    "PointRates",
    "Profile",
    "ScoreQuality",
    "default_path",
    "presentation_score",
    "read_profile",
    "write_profile",
]

Text = Annotated[str, Field(pattern=r"\S")]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]

_NUMBERS = re.compile(r"\[\n[-+.\deE,\s]+\]")


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class ScoreQuality(_Entry):
    """Whether scores are probabilities, on presentations of the dev side; 0 is best of all three.

    Bona fide counts as often as dev has it: calibrated scores are probabilities where the share of
    attacks is that of dev, and nowhere else.
    """

    brier: float = Field(ge=0)
    """Mean squared distance from 1 (bona fide) or 0 (attack)."""
    negative_log_likelihood: float = Field(ge=0)
    """In nats."""
    expected_calibration_error: float = Field(ge=0)
    """Of 15 bins of equal width."""


class CalibrationQuality(_Entry):
    """What the calibration is worth."""

    before: ScoreQuality
    """Of the raw scores."""
    after: ScoreQuality
    """Of presentations that the map was not fitted on, fold by fold."""
    tried: Mapping[str, float]
    """Negative log likelihood of each map, found likewise, the simplest map first."""


class PointRates(_Entry):
    """Errors at a threshold, among presentations that have a score."""

    bpcer: CountedShare
    apcer: Annotated[Mapping[str, CountedShare], Field(min_length=1)]
    """By PAI species; the largest counts."""


class FittedPoint(_Entry):
    """A threshold of the calibrated score. Accept iff score >= threshold."""

    threshold: float = Field(gt=0, le=1)
    """Above 0: at 0 everything would be accepted."""
    threshold_95: tuple[float, float | None] | None
    """Percentiles of the thresholds that dev sides drawn out of this one give, by subject where
    they are known. The upper end is None where nothing would be accepted; all of it is None where
    there are fewer than two subjects to draw from."""
    rule: Text
    """How it was found, such as `dev-bpcer=1%`."""
    dev: PointRates
    """On the side that it was found on: optimistic."""
    held_out: PointRates
    """On the dev side too, but at thresholds found without the fold that is judged."""
    test: PointRates | None
    """None where the scores have no test side."""


class Profile(_Entry):
    """How one model's scores become decisions, and on what that was fitted."""

    profile_format: Literal[1]
    """Version of the layout; any other is refused."""
    model: Text
    """Its name, for people."""
    weights_sha256: Digest
    """Of the weights that gave the scores: the profile is for these alone."""
    data: Text
    """On what it was fitted, such as `oulu-npu:1 dev`; says SYNTHETIC where that is so."""
    is_synthetic: bool
    """Whether any of those data are simulated."""
    num_windows: int = Field(ge=1)
    """Clips of a presentation that were scored, at most."""
    num_folds: int = Field(ge=2)
    """Parts of the dev side, of which each was judged by what the others gave."""
    folds_by: Literal["subject", "presentation"]
    """What is never in two of them."""
    calibration: Calibration
    quality: CalibrationQuality
    operating_point: FittedPoint
    max_cost: float = Field(ge=0, lt=1)
    """Share of dev's bona fide that each limit below may turn into no decision."""
    out_of_distribution: OutOfDistribution | None
    """None: there is no such limit, and `notes` says why."""
    windows_disagree: WindowsDisagree | None
    """None: there is no such limit, and `notes` says why."""
    notes: tuple[Text, ...]
    """What to know before relying on it, such as too few presentations to show a rate."""
    versions: Mapping[str, str]
    """What it was made with."""

    @model_validator(mode="after")
    def _says_what_it_is(self) -> "Profile":
        if self.is_synthetic and "SYNTHETIC" not in self.data:
            raise ValueError("data of a synthetic profile must say SYNTHETIC")
        return self

    @property
    def sha256(self) -> str:
        """Of its content: what a verdict names it by."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()

    @property
    def point(self) -> OperatingPoint:
        """The operating point as a verdict has it."""
        found = self.operating_point
        return OperatingPoint(threshold=found.threshold, rule=found.rule, data=self.data)

    def require_model(self, card: ModelCard) -> None:
        """Make sure that the profile is this model's.

        Args:
            card: The model's.

        Raises:
            ProfileError: it was fitted to the scores of other weights.
        """
        if card.weights.sha256 != self.weights_sha256:
            raise ProfileError(
                f"the profile is for {self.model} with weights of SHA-256 {self.weights_sha256}, "
                f"got {card.model} with {card.weights.sha256}: a threshold means nothing for other "
                "scores. Run `vivant evaluate` and `vivant calibrate` with this model"
            )

    def calibrated(self, score: float) -> float:
        """The score that meets the threshold.

        Args:
            score: Raw, of a presentation: see `presentation_score`.

        Returns:
            0..1, higher is bona fide; it never falls where the raw score rises.

        Raises:
            InputError: not finite, or not within 0..1.
        """
        return self.calibration.apply(score)

    def doubts(self, windows: Sequence[WindowResult]) -> tuple[Finding, ...]:
        """What speaks against deciding about a presentation.

        Args:
            windows: Its clips with the network's answers; at least one.

        Raises:
            InputError: no clip, or embeddings of another length than the profile's.
            ProfileError: the model has no embedding of the kind that the profile measures.
        """
        found: list[Finding | None] = []
        if self.out_of_distribution is not None:
            name = self.out_of_distribution.embedding
            embeddings = [getattr(window, name) for window in windows]
            if any(each is None for each in embeddings):
                raise ProfileError(f"the profile needs the model's {name}, and it has none")
            found.append(self.out_of_distribution.doubt(embeddings))
        if self.windows_disagree is not None:
            scores = [window.bona_fide_score for window in windows]
            found.append(self.windows_disagree.doubt(scores))
        return tuple(finding for finding in found if finding is not None)


def presentation_score(window_scores: Sequence[float]) -> float:
    """Raw score of a presentation: the mean over its windows, within 0..1 (D24).

    Args:
        window_scores: 0..1 up to rounding, at least one.

    Raises:
        InputError: none, or one is not finite.

    >>> presentation_score([0.25, 0.75])
    0.5
    """
    if not window_scores or not all(map(math.isfinite, window_scores)):
        raise InputError(f"expected finite scores of windows, got {list(window_scores) or 'none'}")
    return min(max(math.fsum(window_scores) / len(window_scores), 0.0), 1.0)


def default_path(card: ModelCard, folder: Path) -> Path:
    """Where the profile of a model lies, unless it is put elsewhere: beside card and weights.

    Args:
        card: The model's.
        folder: Where the card lies.
    """
    return folder / f"{card.weights.file_name}.profile.json"


def read_profile(path: Path) -> Profile:
    """Read a profile.

    Raises:
        ProfileError: no such file, or not a whole profile; all findings at once.
    """
    try:
        text = path.read_bytes()
    except OSError as error:
        raise ProfileError(f"expected a profile at {path}: {error.strerror}") from error
    try:
        return Profile.model_validate_json(text)
    except ValidationError as error:
        raise ProfileError(f"{path.name} is not a whole profile: {explain(error)}") from error


def write_profile(profile: Profile, path: Path) -> None:
    """Write a profile, lists of numbers in one line each.

    Raises:
        OutputError: it cannot be written.
    """
    text = json.dumps(profile.model_dump(mode="json"), indent=2, allow_nan=False)
    write_whole(path, _NUMBERS.sub(lambda found: " ".join(found[0].split()), text) + "\n")
