from vivant.networks import models
from vivant.recipes.small import lite, smoke, tiny
from vivant.training.config import Experiment
from vivant.training.draws import steps_per_epoch


def epochs(experiment: Experiment) -> list[int]:
    stages = [experiment.stage(number) for number in (1, 2, 3)]
    return [stage.epochs for stage in stages if stage is not None]


def test_lite_is_the_model_that_ships_from_the_weights_that_ship() -> None:
    assert lite().network == models.lite()
    assert lite().pretrained == "package"


def test_tiny_is_lite_with_fewer_frames_trained_for_a_shorter_time() -> None:
    assert tiny().network == lite().network.model_copy(update={"num_frames": 3})
    assert tiny().pretrained == "package"
    assert epochs(tiny())[0] < epochs(lite())[0]
    assert epochs(tiny())[2] < epochs(lite())[2]


def test_depth_counts_more_than_in_the_paper_and_the_advisor_is_asked_once() -> None:
    for recipe in (lite, tiny):
        stage = recipe().stage2
        assert stage is not None
        assert stage.loss.depth_scale == 10
        assert stage.cache_advisor


def test_smoke_takes_two_steps_a_stage_from_random_weights() -> None:
    experiment = smoke()
    assert experiment.pretrained == "none"
    assert epochs(experiment) == [1, 1, 1]
    assert steps_per_epoch(experiment.data, 10_000) == 2


def test_smoke_says_first_that_it_learns_nothing() -> None:
    assert (smoke.__doc__ or "").startswith("PLUMBING ONLY")
