from collections.abc import Callable, Iterable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from builders import moved
from training.small import made_up_batch, small_experiment, thin_network
from vivant.networks.losses import LossConfig
from vivant.networks.network import Network
from vivant.training.augment import augment
from vivant.training.cache import AdviceCache
from vivant.training.config import Experiment, OptimiserConfig, StageConfig
from vivant.training.loader import Batch
from vivant.training.penalties import overlap_penalty
from vivant.training.stages import (
    NORMS,
    StageModule,
    StepOutput,
    build_optimiser,
    parameter_groups,
    set_modes,
    share_of_peak,
    watched_offsets,
)

WEIGHTS = {1: (0, 10, 0), 2: (0.5, 0, 10), 3: (0.5, 10, 10)}
"""lambda_1 (depth), lambda_2 (Advisor), lambda_3 (AAM) of each stage."""


def stage_config(number: int, **fields: object) -> StageConfig:
    depth, advisor, aam = WEIGHTS[number]
    loss = LossConfig(depth_weight=depth, advisor_weight=advisor, aam_weight=aam)
    return StageConfig(**({"epochs": 1, "learning_rate": 1e-3, "loss": loss} | fields))


def experiment_of(**fields: object) -> Experiment:
    stages = {f"stage{number}": stage_config(number) for number in (1, 2, 3)}
    return small_experiment(**(stages | fields))


def state_bytes(module: nn.Module) -> dict[str, bytes]:
    """Every parameter and buffer, to the bit."""
    return {name: value.numpy().tobytes() for name, value in module.state_dict().items()}


def changed(before: dict[str, bytes], module: nn.Module) -> set[str]:
    return {name for name, value in state_bytes(module).items() if value != before[name]}


def buffers(module: nn.Module) -> set[str]:
    return {name for name, _ in module.named_buffers()}


def train(network: Network, number: int, micro_batch_clips: int = 4, num_steps: int = 3) -> None:
    experiment = experiment_of()
    stage = experiment.stage(number)
    assert stage is not None
    set_modes(network, number, stage, micro_batch_clips)
    optimiser = build_optimiser(network, experiment, number)
    module = StageModule(network, number, stage)
    for step in range(num_steps):
        optimiser.zero_grad()
        module(made_up_batch(micro_batch_clips, seed=step)).total.backward()
        optimiser.step()


def ready(number: int, **fields: object) -> tuple[Network, StageModule]:
    """A stage of a network whose offsets are not zero."""
    network = moved(thin_network())
    config = stage_config(number, **fields)
    set_modes(network, number, config, 4)
    return network, StageModule(network, number, config)


def augmented_batch() -> Batch:
    return made_up_batch(
        flips=torch.tensor([True, False, True, False]),
        colours=torch.linspace(-0.1, 0.1, 12).reshape(4, 3),
        gammas=torch.tensor([0.8, 1.0, 1.2, 1.4]),
    )


def gradients(loss: Tensor, parameters: Iterable[nn.Parameter]) -> list[Tensor | None]:
    found = torch.autograd.grad(loss, [*parameters], retain_graph=True, allow_unused=True)
    return [*found]


def reaches(found: list[Tensor | None]) -> bool:
    return any(each is not None and bool(each.any()) for each in found)


@pytest.mark.parametrize(
    ("number", "trains_advisor", "trains_aam"),
    [(1, True, False), (2, False, True), (3, True, True)],
)
def test_each_stage_trains_its_parts_and_freezes_the_rest(
    number: int, trains_advisor: bool, trains_aam: bool
) -> None:
    network = thin_network()
    for before in (1, 2, 3):  # Whatever a stage before has frozen.
        set_modes(network, before, stage_config(before), 2)
        set_modes(network, number, stage_config(number), 4)
        assert network.aam is not None
        for part, is_trained in ((network.advisor, trains_advisor), (network.aam, trains_aam)):
            assert {module.training for module in part.modules()} == {is_trained}
            assert {each.requires_grad for each in part.parameters()} == {is_trained}


@pytest.mark.parametrize(("micro_batch_clips", "is_trained"), [(1, False), (3, False), (4, True)])
@pytest.mark.parametrize("number", [1, 3])
def test_advisors_batch_norms_train_from_four_clips_on(
    number: int, micro_batch_clips: int, is_trained: bool
) -> None:
    network = thin_network()
    set_modes(network, number, stage_config(number), micro_batch_clips)
    norms = [module for module in network.advisor.modules() if isinstance(module, NORMS)]
    assert norms
    for norm in norms:
        assert norm.training is is_trained
        assert {each.requires_grad for each in norm.parameters()} == {is_trained}
    of_norms = {id(each) for norm in norms for each in norm.parameters()}
    others = [each for each in network.advisor.parameters() if id(each) not in of_norms]
    assert all(each.requires_grad for each in others)
    assert network.advisor.dropout.training
    assert network.aam is not None
    in_aam = [module for module in network.aam.modules() if isinstance(module, NORMS)]
    assert {norm.training for norm in in_aam} == {number == 3}, "the AAM has many patches"


@pytest.mark.parametrize("number", [2, 3])
def test_depth_head_is_frozen_without_a_depth_loss(number: int) -> None:
    network = thin_network()
    no_depth = LossConfig(depth_weight=0, advisor_weight=0, aam_weight=10)
    set_modes(network, number, stage_config(number, loss=no_depth), 4)
    assert network.aam is not None
    execution = network.aam.execution
    head = execution.depth_head
    assert head is not None
    assert not any(module.training for module in head.modules())
    assert not any(each.requires_grad for each in head.parameters())
    assert execution.class_head.training
    assert all(each.requires_grad for each in execution.class_head.parameters())
    set_modes(network, number, stage_config(number), 4)
    assert all(each.requires_grad for each in head.parameters())


def test_stage_1_leaves_the_second_module_alone() -> None:
    network = thin_network()
    assert network.aam is not None
    advisor, aam = state_bytes(network.advisor), state_bytes(network.aam)
    train(network, 1)
    assert not changed(aam, network.aam)
    assert changed(advisor, network.advisor) > buffers(network.advisor)


def test_stage_2_changes_not_a_bit_of_the_advisor() -> None:
    network = moved(thin_network())
    assert network.aam is not None
    advisor, aam = state_bytes(network.advisor), state_bytes(network.aam)
    assert buffers(network.advisor) < advisor.keys()
    train(network, 2)
    assert not changed(advisor, network.advisor)
    statistics = {name for name in buffers(network.aam) if "running" in name}
    assert changed(aam, network.aam) > statistics
    assert "region_proposal.pointwise.weight" in changed(aam, network.aam)


@pytest.mark.parametrize(("micro_batch_clips", "is_counted"), [(3, False), (4, True)])
def test_stage_3_changes_both_and_the_advisors_statistics_from_four_clips_on(
    micro_batch_clips: int, is_counted: bool
) -> None:
    network = moved(thin_network())
    assert network.aam is not None
    advisor, aam = state_bytes(network.advisor), state_bytes(network.aam)
    train(network, 3, micro_batch_clips)
    found = changed(advisor, network.advisor)
    for part in ("backbone", "lstm", "classifier"):
        assert any(name.startswith(part) for name in found - buffers(network.advisor))
    assert found & buffers(network.advisor) == (buffers(network.advisor) if is_counted else set())
    for part in ("region_proposal", "execution.stem", "execution.depth_head"):
        assert any(name.startswith(part) for name in changed(aam, network.aam))


def of_depth(step: StepOutput) -> Tensor | None:
    return step.losses.depth


def of_class(step: StepOutput) -> Tensor | None:
    return step.losses.aam


@pytest.mark.parametrize("part", [of_depth, of_class])
@pytest.mark.parametrize("number", [2, 3])
def test_either_loss_alone_moves_the_offsets_and_only_stage_3_lets_it_into_the_backbone(
    number: int, part: Callable[[StepOutput], Tensor | None]
) -> None:
    network, module = ready(number)
    assert network.aam is not None
    loss = part(module(made_up_batch()))
    assert loss is not None
    assert reaches(gradients(loss, [network.aam.region_proposal.pointwise.weight]))
    network.advisor.requires_grad_(True)
    backbone, readers = network.advisor.backbone, network.advisor.lstm
    assert reaches(gradients(loss, backbone.parameters())) is (number == 3)
    assert not reaches(gradients(loss, readers.parameters())), "neither knows the Advisor's score"


def test_no_gradient_of_stage_2_is_left_on_the_advisor() -> None:
    network, module = ready(2)
    network.advisor.requires_grad_(True)  # Even then: it ran without a graph.
    step = module(made_up_batch())
    assert not step.output.advisor_logits.requires_grad
    step.total.backward()
    assert all(each.grad is None for each in network.advisor.parameters())


def test_offsets_that_are_still_zero_have_a_gradient() -> None:
    network = thin_network()
    set_modes(network, 2, stage_config(2), 4)
    step = StageModule(network, 2, stage_config(2))(made_up_batch())
    assert step.offsets is not None
    assert not step.offsets.any()
    assert network.aam is not None
    weight = network.aam.region_proposal.pointwise.weight
    assert reaches(gradients(step.losses.depth, [weight]))
    assert reaches(gradients(step.losses.aam, [weight]))


@pytest.mark.parametrize("number", [1, 2, 3])
def test_total_is_the_weighted_sum_of_the_stages_losses(number: int) -> None:
    _, module = ready(number)
    step = module(made_up_batch())
    parts = (step.losses.depth, step.losses.advisor, step.losses.aam)
    assert [part is not None for part in parts] == [weight > 0 for weight in WEIGHTS[number]]
    expected = sum(w * p.item() for w, p in zip(WEIGHTS[number], parts, strict=True) if p)
    assert step.total.item() == pytest.approx(expected)
    assert (step.offsets is None) is (number == 1)
    assert (step.output.aam_score is None) is (number == 1)


def test_class_losses_are_those_of_the_answer_by_hand() -> None:
    _, module = ready(3)
    batch = augmented_batch()
    step = module(batch)
    labels = batch.labels.numpy()
    for found, logits in (
        (step.losses.advisor, step.output.advisor_logits),
        (step.losses.aam, step.output.aam_logits[:, 0]),
    ):
        values = np.exp(logits.detach().double().numpy())
        shares = values[np.arange(4), labels] / values.sum(1)
        assert found.item() == pytest.approx(-np.log(shares).mean(), rel=1e-5)


def test_penalties_are_added_with_their_weights() -> None:
    network, module = ready(2, offset_penalty=3.0, overlap_penalty=5.0)
    step = module(made_up_batch())
    assert step.offsets is not None
    offsets = step.offsets.double().numpy()
    overlap = overlap_penalty(step.output.centres.flatten(0, 1)).item()
    extra = step.total.item() - step.losses.total.item()
    assert extra == pytest.approx(3 * (offsets**2).mean() + 5 * overlap, rel=1e-4)
    assert network.aam is not None
    difference = step.total - step.losses.total
    assert reaches(gradients(difference, [network.aam.region_proposal.pointwise.weight]))


def test_watched_offsets_are_those_that_move_the_anchors() -> None:
    network, module = ready(2)
    assert network.aam is not None
    with torch.no_grad():
        network.aam.region_proposal.pointwise.weight *= 0.02  # Small: no centre is clamped twice.
    step = module(made_up_batch())
    assert step.offsets is not None
    shape = (4, 4, 2)  # Clips (of one frame each), pairs, x and y
    assert step.offsets.shape == shape
    proposal = network.aam.region_proposal
    advice = module.advise(made_up_batch())
    assert advice.features is not None
    pairs = proposal.pointwise(proposal.depthwise(advice.features[:, 0])).detach().flatten(1)
    assert torch.equal(step.offsets.flatten(1), 0.5 * torch.tanh(pairs))
    limits = (-0.75, 0.75)
    crops = augment(made_up_batch(), network.advisor.backbone.mean_rgb,
                    network.advisor.backbone.std_rgb).crops  # fmt: skip
    cells = network.attend(crops, advice)["anchors"]
    assert cells is not None
    row, column = (cells[:, 0] // 4).float(), (cells[:, 0] % 4).float()
    anchors = torch.stack([column, row], dim=2) * 0.5 - 0.75
    expected = (anchors + step.offsets).clamp(*limits)
    assert torch.allclose(step.output.centres[:, 0], expected, atol=1e-6)


def test_watching_ends_with_an_error_too() -> None:
    network = thin_network()
    assert network.aam is not None
    with pytest.raises(KeyError), watched_offsets(network):
        raise KeyError
    with watched_offsets(network) as seen:
        pass
    network.eval()(torch.zeros(1, 2, 3, 224, 224))
    assert seen == []


@pytest.mark.parametrize("number", [1, 2, 3])
def test_each_trained_parameter_is_in_one_group_and_the_offsets_go_at_a_tenth(number: int) -> None:
    network, _ = ready(number)
    assert network.aam is not None
    groups = parameter_groups(network, OptimiserConfig(), 2e-3)
    proposal = {id(each) for each in network.aam.region_proposal.parameters()}
    rates = {id(each): group["lr"] for group in groups for each in group["params"]}
    assert sum(len(group["params"]) for group in groups) == len(rates)
    trained = {id(each) for each in network.parameters() if each.requires_grad}
    assert rates.keys() == trained
    for key, rate in rates.items():
        assert rate == pytest.approx(2e-4 if key in proposal else 2e-3)
    assert all(group["peak"] == group["lr"] for group in groups)
    assert len(groups) == (1 if number == 1 else 2)


@pytest.mark.parametrize(
    ("name", "kind"), [("adam", torch.optim.Adam), ("adamw", torch.optim.AdamW)]
)
def test_optimiser_is_the_one_of_the_configuration(name: str, kind: type) -> None:
    network, _ = ready(3)
    optimiser_config = OptimiserConfig(name=name, weight_decay=0.25, region_proposal_rate=0.5)
    experiment = experiment_of(
        optimiser=optimiser_config, stage3=stage_config(3, learning_rate=0.5)
    )
    optimiser = build_optimiser(network, experiment, 3)
    assert type(optimiser) is kind
    assert [group["lr"] for group in optimiser.param_groups] == [0.5, 0.25]
    assert {group["weight_decay"] for group in optimiser.param_groups} == {0.25}


def test_share_of_peak_by_hand() -> None:
    constant, cosine = OptimiserConfig(), OptimiserConfig(schedule="cosine")
    assert [share_of_peak(constant, step, 6) for step in (0, 3, 5)] == [1, 1, 1]
    shares = [share_of_peak(cosine, step, 6) for step in range(7)]
    assert shares[0] == 1
    assert [shares[2], shares[3], shares[4]] == pytest.approx([0.75, 0.5, 0.25])
    assert shares[6] == pytest.approx(0)
    assert shares == sorted(shares, reverse=True)


def test_share_of_peak_is_torchs_cosine() -> None:
    weight = nn.Parameter(torch.zeros(1))
    optimiser = torch.optim.SGD([weight], lr=1.0)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, T_max=9)
    for step in range(9):
        expected = optimiser.param_groups[0]["lr"]
        found = share_of_peak(OptimiserConfig(schedule="cosine"), step, 9)
        assert found == pytest.approx(expected)
        optimiser.step()
        schedule.step()


def test_cached_advice_gives_the_losses_of_none() -> None:
    network, module = ready(2)
    assert network.aam is not None
    batch = augmented_batch()
    cache = AdviceCache(torch.device("cpu"))
    cache.keep(batch, module.advise(batch))
    plain, cached = module(batch), module(batch, cache)
    assert torch.equal(cached.total, plain.total)
    assert torch.equal(cached.losses.depth, plain.losses.depth)
    assert torch.equal(cached.losses.aam, plain.losses.aam)
    weights = [*network.aam.parameters()]
    pairs = zip(gradients(cached.total, weights), gradients(plain.total, weights), strict=True)
    assert all(torch.equal(one, other) for one, other in pairs)
    order = torch.tensor([2, 0, 3, 1])
    shuffled = Batch(*(part if part is None else part[order] for part in batch))
    assert module(shuffled, cache).total.item() == pytest.approx(plain.total.item())


def test_advice_of_another_clip_is_another_loss() -> None:
    _, module = ready(2)
    batch = augmented_batch()
    other = AdviceCache(torch.device("cpu"))
    other.keep(batch, module.advise(made_up_batch(seed=9)))
    assert module(batch, other).total.item() != module(batch).total.item()
