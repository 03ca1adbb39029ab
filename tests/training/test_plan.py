from collections.abc import Callable
from dataclasses import replace

import pytest

from training.small import make_thin, small_experiment, thin_config
from training_runs import minimal_data, one_process
from vivant.networks.network import Network
from vivant.training import plan
from vivant.training.config import Experiment
from vivant.training.data import TrainingData
from vivant.training.plan import Plan, make_plan

KEPT = 2_000_000
"""Bytes that two clips keep, in `measured`."""


@pytest.fixture(autouse=True)
def _thin(monkeypatch: pytest.MonkeyPatch) -> None:
    make_thin(monkeypatch)


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clip takes 0.5 s to train with, 0.1 s to judge."""

    def seconds(run: Callable[[], object]) -> float:
        run()
        return 0.2

    monkeypatch.setattr(plan, "_measure", lambda *_: (KEPT, 0.5))
    monkeypatch.setattr(plan, "_seconds", seconds)


def planned(
    data: TrainingData, experiment: Experiment | None = None, stages: tuple[int, ...] = (1, 2, 3)
) -> Plan:
    return make_plan(one_process(), experiment or small_experiment(), data, stages)


@pytest.mark.usefixtures("measured")
def test_presentations_are_counted_by_kind(small_data: TrainingData) -> None:
    found = planned(small_data)
    assert list(found.counts["train"].items()) == [("bona fide", 5), ("print", 3), ("replay", 1)]
    assert found.counts["dev"] == {"bona fide": 3, "print": 1, "replay": 1}
    assert found.without_clip == {"train": 1, "dev": 1}


@pytest.mark.usefixtures("measured")
def test_steps_are_whole_batches(small_data: TrainingData) -> None:
    """Nine presentations are two batches of four; the epochs are the paper's."""
    found = [
        (each.number, each.epochs, each.steps, each.clips) for each in planned(small_data).stages
    ]
    assert found == [(1, 10, 20, 80), (2, 10, 20, 80), (3, 6, 12, 48)]


@pytest.mark.usefixtures("measured")
def test_only_the_stages_that_will_run_are_planned(small_data: TrainingData) -> None:
    assert [each.number for each in planned(small_data, stages=(2,)).stages] == [2]
    network = thin_config().model_copy(update={"aam": None, "fusion": "am"})
    alone = small_experiment(network=network, stage2=None, stage3=None)
    assert [each.number for each in planned(small_data, alone).stages] == [1]


@pytest.mark.usefixtures("measured")
def test_cost_is_as_computed_by_hand(small_data: TrainingData) -> None:
    """80 clips, and in ten epochs two windows of five presentations of the dev side."""
    (stage,) = planned(small_data, stages=(1,)).stages
    assert stage.seconds == pytest.approx(80 * 0.5 + 10 * 2 * 5 * 0.1)
    network = Network(thin_config())
    weights = sum(each.nbytes for each in network.state_dict().values())
    trained = sum(each.nbytes for each in network.advisor.parameters())
    assert stage.memory_bytes == weights + 3 * trained + KEPT * 4 // 2


@pytest.mark.usefixtures("measured")
def test_cached_advisor_is_asked_in_one_epoch_alone(small_data: TrainingData) -> None:
    stage = small_experiment().stage2
    assert stage is not None
    cached = small_experiment(stage2=stage.model_copy(update={"cache_advisor": True}))
    (without,) = planned(small_data, stages=(2,)).stages
    (with_cache,) = planned(small_data, cached, (2,)).stages
    assert without.seconds - with_cache.seconds == pytest.approx((80 - 8 + 9 * 10) * 0.1)


@pytest.mark.parametrize("stage", [1, 2, 3])
def test_measured_step_takes_time_and_memory(small_data: TrainingData, stage: int) -> None:
    (found,) = planned(small_data, stages=(stage,)).stages
    weights = sum(each.nbytes for each in Network(thin_config()).state_dict().values())
    assert found.seconds > 0
    assert found.memory_bytes > weights


def test_smaller_micro_batches_and_checkpointing_need_less_memory(small_data: TrainingData) -> None:
    def memory(micro: int, *, saving: bool = False) -> int:
        data = minimal_data(batch_clips=8, micro_batch_clips=micro)
        experiment = small_experiment(data=data, activation_checkpointing=saving)
        return planned(small_data, experiment, (1,)).stages[0].memory_bytes

    assert memory(2) < memory(4) < memory(8)
    assert memory(8, saving=True) < memory(8)


@pytest.mark.usefixtures("measured")
def test_side_whose_presentations_all_have_a_clip_lacks_none(small_data: TrainingData) -> None:
    whole = [row for row in small_data.train if small_data.clips.windows(row.path)]
    found = planned(replace(small_data, train=tuple(whole)), stages=(1,))
    assert found.without_clip == {"train": 0, "dev": 1}
