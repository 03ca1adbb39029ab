import pytest

from vivant.errors import ConfigError
from vivant.plugins import discover
from vivant.recipes.small import tiny
from vivant.recipes.variants import VARIANTS, vary
from vivant.training.config import Experiment


def recipe(name: str) -> Experiment:
    found = discover("vivant.recipes")[name]()
    assert isinstance(found, Experiment)
    return found


@pytest.mark.parametrize("letter", list("abcd"))
@pytest.mark.parametrize("stem", ["model", "small"])
def test_variants_of_the_whole_are_the_recipes_written_out(stem: str, letter: str) -> None:
    """The recipes name each network field by field; `vary` leaves parts out: the same comes out."""
    assert vary(recipe(f"{stem}_d"), f"model_{letter}") == recipe(f"{stem}_{letter}")


@pytest.mark.parametrize("baseline", ["cnn_lstm", "stasn"])
def test_baselines_are_the_recipes_written_out(baseline: str) -> None:
    found = vary(recipe("model_d"), baseline)
    assert found.model == f"model_{baseline}"
    assert found.model_copy(update={"model": baseline}) == recipe(baseline)


def test_tiny_gets_channel_attention_for_its_model_d_and_loses_it_for_a() -> None:
    found = {name: vary(tiny(), name) for name in VARIANTS}
    backbones = {name: each.network.advisor.backbone for name, each in found.items()}
    assert backbones == {
        "model_a": "efficientnet_lite0",
        "model_b": "se_efficientnet_lite0",
        "model_c": "se_efficientnet_lite0",
        "model_d": "se_efficientnet_lite0",
        "cnn_lstm": "efficientnet_lite0",
        "stasn": "efficientnet_lite0",
    }
    assert found["model_a"] == tiny().model_copy(update={"model": "tiny_a"})


@pytest.mark.parametrize("name", ["model_b", "model_c", "cnn_lstm", "stasn"])
def test_a_recipe_that_lacks_a_part_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="expected a recipe of a whole network"):
        vary(recipe(name), "model_d")


def test_a_backbone_without_a_twin_is_refused() -> None:
    whole = recipe("small_d")
    advisor = whole.network.advisor.model_copy(update={"backbone": "legacy_se_resnet18"})
    network = whole.network.model_copy(update={"advisor": advisor})
    with pytest.raises(ConfigError, match="needs the backbone se_legacy_se_resnet18"):
        vary(whole.model_copy(update={"network": network}), "model_d")
