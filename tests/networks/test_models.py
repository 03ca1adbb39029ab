from functools import cache

import pytest

from vivant.networks import models
from vivant.networks.config import NetworkConfig
from vivant.networks.summary import summarise
from vivant.plugins import discover


@cache
def sizes(config: NetworkConfig) -> dict[str, int]:
    return {cost.part: cost.num_parameters for cost in summarise(config)}


def test_the_models_are_those_of_the_paper_and_its_baselines() -> None:
    assert list(discover("vivant.networks.models")) == models.__all__


def test_squeeze_excitation_adds_the_specified_weights() -> None:
    difference = sizes(models.model_d())["backbone"] - sizes(models.model_a())["backbone"]
    assert difference == 4_743_168 + 34_544


def test_model_d_has_the_specified_parts() -> None:
    count = sizes(models.model_d())
    assert count["LSTM"] == 2_361_344
    assert count["region proposal"] == 100_352 + 16_384
    assert sum(number for part, number in count.items() if "execution" in part) == 531_779
    assert count["backbone"] == 42_500_160 + 4_743_168 + 34_544  # torchvision's ResNet-101 less fc


def test_table_1_differs_as_the_paper_says() -> None:
    a, b, c, d = (getattr(models, f"model_{letter}")() for letter in "abcd")
    assert a.model_copy(update={"advisor": d.advisor}) == d
    assert a.advisor.backbone == "resnet101"
    assert d.advisor.backbone == "se_resnet101"
    assert b.aam is None
    assert b.advisor == d.advisor
    assert c.aam.model_copy(update={"depth_head": True}) == d.aam
    assert models.cnn_lstm().advisor.backbone == "resnet101"
    assert models.cnn_lstm().aam is None
    assert models.stasn().aam == c.aam


@pytest.mark.parametrize(("name", "gmacs"), [("model_d", 50.5), ("lite", 2.1)])
def test_a_clip_costs_the_specified_multiply_adds(name: str, gmacs: float) -> None:
    assert summarise(getattr(models, name)())[-1].gmacs == pytest.approx(gmacs, abs=0.05)
