import pytest

from vivant.networks import models
from vivant.recipes import paper
from vivant.training.config import Experiment

WITH_DEPTH = ("model_a", "model_d")
WITHOUT_DEPTH = ("model_c", "stasn")
ONE_STAGE = ("model_b", "cnn_lstm")


def recipe(name: str) -> Experiment:
    experiment = getattr(paper, name)()
    assert isinstance(experiment, Experiment)
    return experiment


def lambdas(experiment: Experiment, number: int) -> tuple[float, float, float]:
    """lambda_1 to lambda_3, of depth, Advisor and second module."""
    stage = experiment.stage(number)
    assert stage is not None
    return (stage.loss.depth_weight, stage.loss.advisor_weight, stage.loss.aam_weight)


def test_all_recipes_of_the_paper_are_here() -> None:
    assert {*WITH_DEPTH, *WITHOUT_DEPTH, *ONE_STAGE} == set(paper.__all__)


@pytest.mark.parametrize("name", paper.__all__)
def test_network_is_that_of_the_paper(name: str) -> None:
    assert recipe(name).network == getattr(models, name)()


@pytest.mark.parametrize("name", [*WITH_DEPTH, *WITHOUT_DEPTH])
def test_three_stages_have_the_papers_epochs_and_rates(name: str) -> None:
    stages = [recipe(name).stage(number) for number in (1, 2, 3)]
    found = [(stage.epochs, stage.learning_rate) for stage in stages if stage is not None]
    assert found == [(10, 5e-5), (10, 5e-5), (6, 5e-6)]


@pytest.mark.parametrize("name", WITH_DEPTH)
def test_lambdas_are_the_papers(name: str) -> None:
    found = [lambdas(recipe(name), number) for number in (1, 2, 3)]
    assert found == [(0, 10, 0), (0.5, 0, 10), (0.5, 10, 10)]


@pytest.mark.parametrize("name", WITHOUT_DEPTH)
def test_models_without_depth_learn_none(name: str) -> None:
    found = [lambdas(recipe(name), number) for number in (1, 2, 3)]
    assert found == [(0, 10, 0), (0, 0, 10), (0, 10, 10)]


@pytest.mark.parametrize("name", ONE_STAGE)
def test_advisor_alone_has_one_stage(name: str) -> None:
    experiment = recipe(name)
    assert experiment.stage1.epochs == 10
    assert experiment.stage1.learning_rate == 5e-5
    assert lambdas(experiment, 1) == (0, 10, 0)
    assert experiment.stage2 is None
    assert experiment.stage3 is None


@pytest.mark.parametrize("name", paper.__all__)
def test_nothing_is_tuned_that_the_paper_does_not_name(name: str) -> None:
    """Depth as Eq. 5 has it, every clip drawn anew; the rest is what a bare experiment has."""
    experiment, bare = recipe(name), Experiment(model="bare", network=models.model_d())
    stages = [stage for stage in map(experiment.stage, (1, 2, 3)) if stage is not None]
    assert all(stage.loss.depth_scale == 1 and not stage.cache_advisor for stage in stages)
    for part in ("pretrained", "data", "augment", "optimiser", "seed", "precision"):
        assert getattr(experiment, part) == getattr(bare, part)


def test_bare_experiment_has_the_stages_of_model_d() -> None:
    """The paper's numbers stand in two places: in the defaults and in the recipe."""
    assert Experiment(model="model_d", network=models.model_d()) == paper.model_d()
