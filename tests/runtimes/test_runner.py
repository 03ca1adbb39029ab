from pathlib import Path

import numpy as np
import pytest
import torch

from vivant.errors import InputError, WeightsError
from vivant.networks.card import read_card
from vivant.networks.network import Network
from vivant.plugins import discover
from vivant.runtimes.runner import check_clips, output_fields, to_scores


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


@pytest.mark.parametrize("name", discover("vivant.networks.models"))
def test_fields_are_those_that_a_network_answers(name: str) -> None:
    config = discover("vivant.networks.models")[name]()
    with torch.device("meta"):
        output = Network(config).eval()(torch.empty(1, 5, 3, 224, 224))
    given = [field for field, value in output._asdict().items() if value is not None]
    assert list(output_fields(config)) == given


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_answer_that_is_not_finite_never_becomes_a_score(value: float) -> None:
    with pytest.raises(WeightsError, match="the network's bona_fide_score is not finite"):
        to_scores({"bona_fide_score": np.array([0.5, value], np.float32)})
