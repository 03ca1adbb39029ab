import pytest
from pydantic import ValidationError

from vivant.networks import models
from vivant.networks.config import NetworkConfig
from vivant.recipes.schedule import with_stages
from vivant.training.config import DataConfig, Experiment


def staged(network: NetworkConfig, **options: object) -> Experiment:
    bare = Experiment.model_construct(model="any", network=network, seed=7)
    return with_stages(bare, (1, 2, 3), (0.1, 0.2, 0.3), **options)


def test_each_stage_gets_its_epochs_and_its_rate() -> None:
    experiment = staged(models.lite())
    stages = [experiment.stage(number) for number in (1, 2, 3)]
    found = [(stage.epochs, stage.learning_rate) for stage in stages if stage is not None]
    assert found == [(1, 0.1), (2, 0.2), (3, 0.3)]


def test_network_without_second_module_has_one_stage() -> None:
    experiment = staged(models.model_b())
    assert experiment.stage1.epochs == 1
    assert experiment.stage2 is None
    assert experiment.stage3 is None


def test_network_without_depth_head_has_no_weight_for_depth() -> None:
    with_depth, without = staged(models.model_d()), staged(models.model_c())
    for number in (2, 3):
        stages = with_depth.stage(number), without.stage(number)
        assert [stage.loss.depth_weight for stage in stages if stage is not None] == [0.5, 0]


def test_depth_scale_is_that_of_every_stage() -> None:
    experiment = staged(models.lite(), depth_scale=10.0)
    stages = [experiment.stage(number) for number in (1, 2, 3)]
    assert [stage.loss.depth_scale for stage in stages if stage is not None] == [10, 10, 10]


@pytest.mark.parametrize("is_cached", [True, False])
def test_advice_is_kept_in_stage_2_alone(is_cached: bool) -> None:
    experiment = staged(models.lite(), cache_advisor=is_cached)
    stages = [experiment.stage(number) for number in (1, 2, 3)]
    found = [stage.cache_advisor for stage in stages if stage is not None]
    assert found == [False, is_cached, False]


def test_rest_of_the_experiment_stays() -> None:
    data = DataConfig(batch_clips=2, micro_batch_clips=2)
    whole = Experiment(model="lite", network=models.lite(), pretrained="package", data=data)
    staged_anew = with_stages(whole, (1, 1, 1), (0.1, 0.1, 0.1))
    kept = {"stage1", "stage2", "stage3"}
    assert staged_anew.model_dump(exclude=kept) == whole.model_dump(exclude=kept)
    assert staged(models.lite()).seed == 7


def test_stage_without_an_epoch_is_refused() -> None:
    whole = Experiment(model="lite", network=models.lite())
    with pytest.raises(ValidationError, match="epochs"):
        with_stages(whole, (0, 1, 1), (0.1, 0.1, 0.1))
