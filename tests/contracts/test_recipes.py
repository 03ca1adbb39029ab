"""What every recipe owes, tested for every file in the folder: a new one needs no new test."""

import re

import pytest
import torch

from vivant.networks.network import Network
from vivant.plugins import discover
from vivant.training.config import Experiment

RECIPES = discover("vivant.recipes")


@pytest.mark.parametrize("name", RECIPES)
def test_is_an_experiment_of_its_own_name(name: str) -> None:
    experiment = RECIPES[name]()
    assert isinstance(experiment, Experiment)
    # What `starter` makes ships, and is called `lite` there.
    assert experiment.model == {"starter": "lite"}.get(name, name)


@pytest.mark.parametrize("name", RECIPES)
def test_says_what_it_is_for_and_what_it_costs(name: str) -> None:
    """The plan shows the first line; the rest is how to run it, and what that takes."""
    first, *rest = (RECIPES[name].__doc__ or "").split("\n")
    assert re.fullmatch(r"\S.+\.", first)
    command = rf"vivant train {name} --data STORE --protocol \S+ --out RUN( --pretrained \S+)?"
    (found,) = [line.strip() for line in rest if "vivant train" in line]
    assert re.fullmatch(command, found)
    costs = " ".join(rest)
    assert re.search(r"Time( and memory)?: ", costs)
    assert re.search(r"(Memory|Time and memory): ", costs)


@pytest.mark.parametrize("name", RECIPES)
def test_asks_for_imagenet_weights_where_it_has_none(name: str) -> None:
    assert (RECIPES[name]().pretrained is None) == ("--pretrained" in (RECIPES[name].__doc__ or ""))


@pytest.mark.parametrize("name", RECIPES)
def test_comes_back_from_its_file(name: str) -> None:
    experiment = RECIPES[name]()
    text = experiment.model_dump_json()
    assert Experiment.model_validate_json(text) == experiment
    assert Experiment.model_validate(experiment.model_dump()) == experiment


@pytest.mark.parametrize("name", RECIPES)
def test_network_can_be_built(name: str) -> None:
    with torch.device("meta"):
        network = Network(RECIPES[name]().network)
    assert (network.aam is None) == (RECIPES[name]().stage2 is None)
