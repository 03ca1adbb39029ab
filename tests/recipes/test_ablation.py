import pytest

from vivant.recipes import ablation
from vivant.recipes.ablation import small_a, small_b, small_c, small_d
from vivant.training.config import Experiment

RECIPES = (small_a, small_b, small_c, small_d)


def test_they_are_the_lines_of_table_1_in_its_order() -> None:
    """No SE; the Advisor alone; no depth; all of it."""
    networks = [recipe().network for recipe in RECIPES]
    backbones = [network.advisor.backbone for network in networks]
    assert backbones == ["resnet18", "se_resnet18", "se_resnet18", "se_resnet18"]
    depth = [network.aam.depth_head if network.aam else None for network in networks]
    assert depth == [True, None, False, True]
    assert [recipe().model[-1] for recipe in RECIPES] == list("abcd")
    assert {recipe.__name__ for recipe in RECIPES} == set(ablation.__all__)


def test_each_differs_from_the_whole_in_its_line_alone() -> None:
    whole = small_d().network
    assert whole.aam is not None
    no_se = {"advisor": whole.advisor.model_copy(update={"backbone": "resnet18"})}
    no_depth = {"aam": whole.aam.model_copy(update={"depth_head": False})}
    assert small_a().network == whole.model_copy(update=no_se)
    assert small_b().network == whole.model_copy(update={"aam": None, "fusion": "am"})
    assert small_c().network == whole.model_copy(update=no_depth)


@pytest.mark.parametrize("part", ["pretrained", "data", "augment", "optimiser", "seed", "stage1"])
def test_all_are_trained_alike(part: str) -> None:
    assert all(getattr(recipe(), part) == getattr(small_d(), part) for recipe in RECIPES)


def test_stages_are_those_that_the_network_has_a_use_for() -> None:
    def epochs(experiment: Experiment) -> list[int]:
        stages = [experiment.stage(number) for number in (1, 2, 3)]
        return [stage.epochs for stage in stages if stage is not None]

    assert [epochs(recipe()) for recipe in RECIPES] == [[8, 8, 2], [8], [8, 8, 2], [8, 8, 2]]


def test_all_start_from_random_weights() -> None:
    assert {recipe().pretrained for recipe in RECIPES} == {"none"}
