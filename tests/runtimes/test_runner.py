from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from made_up import MadeUpRunner
from made_up import card as made_up_card
from vivant.errors import InputError, WeightsError
from vivant.networks.card import Precision, read_card
from vivant.networks.models import model_b
from vivant.runtimes.runner import check_clips, label, run_in_parts, to_scores


@pytest.mark.parametrize(
    ("clips", "message"),
    [
        (
            np.zeros((1, 5, 224, 224, 3), np.float32),
            "expected uint8 crops in RGB, 0..255, got float32",
        ),
        (np.zeros((1, 4, 224, 224, 3), np.uint8), r"\(clips, 5, 224, 224, 3\), got \(1, 4, 224"),
        (np.zeros((1, 5, 3, 224, 224), np.uint8), r"got \(1, 5, 3, 224, 224\)"),
        (np.zeros((5, 224, 224, 3), np.uint8), "expected clips of shape"),
        (np.zeros((0, 5, 224, 224, 3), np.uint8), "expected clips of shape"),
    ],
)
def test_other_clips_are_refused(clips: np.ndarray, message: str, lite_card: Path) -> None:
    with pytest.raises(InputError, match=message):
        check_clips(read_card(lite_card), clips)


@pytest.mark.parametrize("value", [1.1, -0.1])
@pytest.mark.parametrize("name", ["bona_fide_score", "advisor_score", "aam_score"])
def test_score_outside_its_range_never_leaves(value: float, name: str) -> None:
    with pytest.raises(WeightsError, match=f"expected {name} in 0..1, got"):
        to_scores({name: np.array([0.5, value], np.float32)})


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_answer_that_is_not_finite_never_becomes_a_score(value: float) -> None:
    with pytest.raises(WeightsError, match="the network's bona_fide_score is not finite"):
        to_scores({"bona_fide_score": np.array([0.5, value], np.float32)})


def test_name_says_the_arithmetic_where_it_is_not_float32() -> None:
    assert label("onnx", Precision()) == "onnx"
    assert label("onnx", Precision(encode="int8", execute="int8")) == "onnx int8"
    assert label("openvino", Precision(execute="bf16")) == "openvino float32/bf16"


class Brightness(MadeUpRunner):
    """Model B in parts: F is the mean of a frame, and the score the mean of a clip."""

    def __init__(self, largest: float = 255) -> None:
        super().__init__(card_=made_up_card(architecture=model_b()))
        self.largest = largest

    def run_part(self, part: str, given: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        if part == "encode":
            mean = given["frames"].mean((1, 2, 3)) / self.largest
            return {"features": mean.astype(np.float32)[:, None]}
        if part == "advise":
            mean = given["features"].mean(1)  # (b, 1)
            b, n = given["features"].shape[:2]
            return {
                "advisor_logits": np.concatenate([mean, 1 - mean], 1),
                "advisor_embedding": mean,
                "cam": np.zeros((b, n, 7, 7), np.float32),
            }
        score = given["advisor_logits"][:, 0]
        return {"bona_fide_score": score, "advisor_score": score}


def test_parts_make_the_whole() -> None:
    clips = np.zeros((2, 5, 224, 224, 3), np.uint8)
    clips[1, :3] = 255
    scores = run_in_parts(Brightness(), clips)
    np.testing.assert_allclose(scores.bona_fide_score, [0, 0.6], atol=1e-6)
    np.testing.assert_allclose(scores.advisor_logits, [[0, 1], [0.6, 0.4]], atol=1e-6)
    assert scores.aam_score is None
    assert scores.depth is None


def test_parts_take_and_give_only_what_the_whole_does() -> None:
    with pytest.raises(InputError, match="expected clips of shape"):
        run_in_parts(Brightness(), np.zeros((1, 4, 224, 224, 3), np.uint8))
    with pytest.raises(WeightsError, match=r"expected bona_fide_score in 0\.\.1, got 2.55"):
        run_in_parts(Brightness(largest=100), np.full((1, 5, 224, 224, 3), 255, np.uint8))
