from dataclasses import replace
from pathlib import Path

import pytest
import torch

from training.small import make_thin, small_experiment
from training_runs import differing
from vivant.errors import ConfigError, WeightsError
from vivant.networks.backbones.backbone import build_backbone
from vivant.networks.pretrained import load_pretrained
from vivant.training.config import Experiment
from vivant.training.data import TrainingData
from vivant.training.start import card_records, new_network, require_start


def weights(experiment: Experiment) -> dict[str, torch.Tensor]:
    return dict(new_network(experiment).state_dict())


def test_backbone_that_nobody_has_chosen_weights_for_is_refused() -> None:
    with pytest.raises(
        ConfigError, match="^thin starts from ImageNet weights, .* --pretrained none"
    ):
        require_start(small_experiment(pretrained=None))
    with pytest.raises(ConfigError, match="^thin starts from ImageNet weights"):
        new_network(small_experiment(pretrained=None))


@pytest.mark.parametrize("source", ["none", "package", "weights.pth"])
def test_weights_that_were_chosen_are_what_it_starts_from(source: str) -> None:
    assert require_start(small_experiment(pretrained=source)) == source


def test_first_weights_are_those_of_the_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    make_thin(monkeypatch)
    first = weights(small_experiment(seed=3))
    torch.rand(5)  # What was drawn before does not matter.
    assert not differing(first, weights(small_experiment(seed=3)))
    assert differing(first, weights(small_experiment(seed=4)))


def test_backbone_gets_the_pretrained_weights_and_the_rest_those_of_the_seed() -> None:
    expected = build_backbone("efficientnet_lite0")
    load_pretrained(expected, "package")
    found = new_network(small_experiment(pretrained="package"))
    assert not differing(found.advisor.backbone.state_dict(), expected.state_dict())
    fresh = weights(small_experiment())
    assert {name.split(".")[1] for name in differing(fresh, found.state_dict())} == {"backbone"}


def test_weights_that_do_not_fit_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_thin(monkeypatch)
    torch.save({"other.weight": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(WeightsError, match="other.pth"):
        new_network(small_experiment(pretrained=str(tmp_path / "other.pth")))


def test_activation_checkpointing_changes_no_weight(monkeypatch: pytest.MonkeyPatch) -> None:
    make_thin(monkeypatch)
    saving = small_experiment(activation_checkpointing=True)
    assert not differing(weights(saving), weights(small_experiment()))


def test_card_says_what_it_was_trained_on_and_where_its_threshold_is_from(
    small_data: TrainingData,
) -> None:
    training, point = card_records(small_data, 0.625)
    assert (training.data, training.is_synthetic) == ("folder", False)
    assert training.pai_species == ("print", "replay")
    assert (point.threshold, point.rule) == (0.625, "dev-eer")
    assert point.data == "folder, dev side of 5 presentations"


def test_card_of_a_synthetic_store_says_so_twice(small_data: TrainingData) -> None:
    training, point = card_records(replace(small_data, is_synthetic=True), 0.625)
    assert training.is_synthetic
    assert point.data.endswith("SYNTHETIC")
