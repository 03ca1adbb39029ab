"""What goes beyond the paper: several levels, the frames head, 160 pixels, a wider crop (D46)."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from context_models import context_config, random_clips, save_context_model
from vivant.errors import ConfigError, InputError
from vivant.export.export import export_graph
from vivant.geometry.grid import averaging_matrix, pooling_numerators
from vivant.networks.advisor import Advisor
from vivant.networks.config import AdvisorConfig, NetworkConfig
from vivant.networks.gradcam import GradCam
from vivant.networks.network import Network
from vivant.networks.summary import summarise
from vivant.runtimes.onnx import OnnxRunner
from vivant.runtimes.openvino import OpenVinoRunner
from vivant.runtimes.runner import Runner, run_in_parts
from vivant.runtimes.torch import TorchRunner

LEVELS = (10, 15)


def advisor_config(**fields: object) -> AdvisorConfig:
    given = {"backbone": "efficientnet_lite0", "levels": LEVELS, "hidden_size": 16}
    return AdvisorConfig(**{**given, **fields})


def restless(advisor: Advisor) -> Advisor:
    """With a standardisation and a classifier as after a fit."""
    generator = torch.Generator().manual_seed(1)
    size = advisor.feature_mean.shape
    advisor.feature_mean.copy_(torch.rand(size, generator=generator))
    advisor.feature_deviation.copy_(0.5 + torch.rand(size, generator=generator))
    return advisor.eval()


def normal(generator: torch.Generator, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=generator, dtype=torch.get_default_dtype())


@pytest.mark.parametrize(("before", "after"), [(224, 160), (224, 112), (7, 5), (10, 10)])
def test_averaging_is_opencvs(before: int, after: int) -> None:
    matrix = averaging_matrix(before, after)
    picture = np.random.default_rng(1).random((before, before))
    expected = cv2.resize(picture, (after, after), interpolation=cv2.INTER_AREA)
    np.testing.assert_allclose(matrix @ picture @ matrix.T, expected, atol=1e-6)


@pytest.mark.parametrize("grid_side", [4, 7])
def test_cells_of_a_map_of_5_are_those_of_the_enlarged_map(grid_side: int) -> None:
    numerators = pooling_numerators(grid_side, 5)
    weights = numerators / numerators.sum(1, keepdims=True)
    cam = np.random.default_rng(2).random((5, 5))
    large = torch.nn.functional.interpolate(
        torch.from_numpy(cam)[None, None], size=(224, 224), mode="bilinear", align_corners=False
    )[0, 0].numpy()
    step = 168 // (grid_side - 1)
    cells = [
        [large[r * step : r * step + 56, c * step : c * step + 56].mean() for c in range(grid_side)]
        for r in range(grid_side)
    ]
    np.testing.assert_allclose(weights @ cam @ weights.T, cells, rtol=1e-9)


@pytest.mark.usefixtures("double")
@pytest.mark.parametrize("head", ["frames", "lstm"])
@pytest.mark.parametrize("context", [False, True])
@pytest.mark.parametrize("readout", ["last", "mean"])
def test_cam_is_autograds(
    head: str, context: bool, readout: str, generator: torch.Generator
) -> None:
    """Through the deviation too: its gradient has mean zero over the positions."""
    torch.manual_seed(4)
    config = advisor_config(head=head, context=context, input_side_px=160, readout=readout)
    advisor = restless(Advisor(config))
    crops = normal(generator, 2, 3, 3, 224, 224)
    wide = normal(generator, 2, 3, 3, 160, 160) if context else None
    last: list[Tensor] = []  # F, as the head of the backbone gives it: of the crops first.
    advisor.backbone.register_forward_hook(lambda *said: last.append(said[2][0]))
    for parameter in advisor.parameters():
        parameter.requires_grad_(True)
    output = advisor(crops, wide)
    logits = output.logits
    rows, predicted = torch.arange(2), logits.argmax(1)
    margin = logits[rows, predicted] - logits[rows, 1 - predicted]
    (gradient,) = torch.autograd.grad(margin.sum(), last[0])
    alpha = gradient.mean((2, 3))  # Eq. 3
    reference = (alpha[..., None, None] * last[0]).sum(1).unflatten(0, (2, 3))
    closed = GradCam()(advisor, output)
    assert closed.shape == (2, 3, 5, 5)
    torch.testing.assert_close(closed, reference.detach(), rtol=1e-9, atol=1e-15)


@pytest.mark.usefixtures("double")
def test_parts_of_the_description_add_up_to_the_margin(generator: torch.Generator) -> None:
    advisor = restless(Advisor(advisor_config(head="frames", context=True)))
    crops, wide = normal(generator, 2, 2, 3, 224, 224), normal(generator, 2, 2, 3, 160, 160)
    with torch.no_grad():
        output = advisor(crops, wide)
        added = advisor.embed(output)
    assert added.shape == (2, 12)
    bias = advisor.classifier.bias
    margin = output.logits[:, 0] - output.logits[:, 1]
    torch.testing.assert_close(added.sum(1) + bias[0] - bias[1], margin)
    covered = advisor.frame_parts[advisor.map_part]
    assert (covered.is_context, covered.level, covered.statistic) == (False, None, "mean")
    assert advisor.map_part == 2 * len(LEVELS)


def test_frames_head_averages_the_frames_logits(generator: torch.Generator) -> None:
    advisor = restless(Advisor(advisor_config(head="frames")))
    crops = normal(generator, 1, 3, 3, 224, 224)
    with torch.no_grad():
        whole = advisor(crops).logits
        single = [advisor(crops[:, [frame]]).logits for frame in range(3)]
        turned = advisor(crops.flip(1)).logits
    torch.testing.assert_close(whole, torch.stack(single).mean(0))
    torch.testing.assert_close(whole, turned)


def test_description_is_mean_and_deviation_of_each_level(generator: torch.Generator) -> None:
    advisor = restless(Advisor(advisor_config(head="frames")))
    crops = normal(generator, 2, 3, 224, 224)
    with torch.no_grad():
        _, described = advisor.describe(crops)
        last, *levels = advisor.backbone(crops, LEVELS)
    expected = []
    for level in (*levels, last):
        flat = level.double().flatten(2).numpy()
        expected += [flat.mean(2), flat.std(2, ddof=1)]
    raw = described * advisor.feature_deviation + advisor.feature_mean
    assert [level.shape[1] for level in levels] == [112, 320]
    np.testing.assert_allclose(raw.numpy(), np.concatenate(expected, 1), rtol=1e-3, atol=2e-5)


def test_frozen_backbone_does_not_learn(generator: torch.Generator) -> None:
    advisor = Advisor(advisor_config(head="lstm", freeze_backbone=True)).train()
    before = {name: tensor.clone() for name, tensor in advisor.backbone.state_dict().items()}
    advisor(normal(generator, 1, 2, 3, 224, 224)).logits.sum().backward()
    assert all(parameter.grad is None for parameter in advisor.backbone.parameters())
    assert advisor.project.weight.grad is not None
    for name, tensor in advisor.backbone.state_dict().items():
        assert torch.equal(tensor, before[name]), name


@pytest.fixture(scope="module")
def clips() -> tuple[np.ndarray, np.ndarray]:
    crops, wide = random_clips(context_config(), 2)
    return crops, wide


@pytest.fixture(scope="module")
def card_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_context_model(tmp_path_factory.mktemp("levels"))


@pytest.mark.slow
def test_all_runtimes_answer_alike(
    card_path: Path, clips: tuple[np.ndarray, np.ndarray], tmp_path: Path
) -> None:
    graph = export_graph(card_path, tmp_path).card_path
    reference = TorchRunner(card_path).run(*clips)
    assert reference.cam.shape == (2, 3, 5, 5)
    assert reference.frame_features.shape == (2, 3, 2 * 2 * (112 + 320 + 1280))
    runners: tuple[Runner, ...] = (OnnxRunner(graph), OpenVinoRunner(graph))
    for runner in runners:
        for answer in (runner.run(*clips), run_in_parts(runner, *clips)):
            for name in reference.__dataclass_fields__:
                mine, theirs = getattr(reference, name), getattr(answer, name)
                scale = np.abs(mine).max()
                np.testing.assert_allclose(theirs / scale, mine / scale, atol=1e-3, err_msg=name)


def test_parts_answer_like_the_whole(card_path: Path, clips: tuple[np.ndarray, np.ndarray]) -> None:
    runner = TorchRunner(card_path)
    whole, parts = runner.run(*clips), run_in_parts(runner, *clips)
    for name in whole.__dataclass_fields__:
        np.testing.assert_allclose(getattr(whole, name), getattr(parts, name), rtol=1e-3, atol=1e-4)


def test_wider_crop_counts(card_path: Path, clips: tuple[np.ndarray, np.ndarray]) -> None:
    runner = TorchRunner(card_path)
    crops, wide = clips
    one, other = runner.run(crops, wide), runner.run(crops, 255 - wide)
    assert (one.bona_fide_score != other.bona_fide_score).all()
    of_first = slice(0, 6)  # Mean and deviation of three levels of the first crop.
    np.testing.assert_array_equal(
        one.advisor_embedding[:, of_first], other.advisor_embedding[:, of_first]
    )


def test_wider_crop_must_fit(card_path: Path, clips: tuple[np.ndarray, np.ndarray]) -> None:
    runner = TorchRunner(card_path)
    crops, wide = clips
    for context in (None, wide[:1], wide[:, :, :150], wide.astype(np.float32)):
        with pytest.raises(InputError):
            runner.run(crops, context)
    network = runner.network
    images = torch.zeros(1, 3, 3, 224, 224)
    with pytest.raises(InputError, match=r"wider crops \(context\) of shape .* got None"):
        network(images)
    plain = Network(NetworkConfig(advisor=AdvisorConfig(backbone="efficientnet_lite0")))
    with pytest.raises(InputError, match="expected wider crops .* of shape None"):
        plain(torch.zeros(1, 5, 3, 224, 224), torch.zeros(1, 5, 3, 160, 160))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"levels": (15, 10)}, "levels that ascend"),
        ({"levels": (-1,)}, "levels that ascend"),
        ({"levels": (), "head": "frames"}, "need levels"),
        ({"levels": (), "context": True}, "need levels"),
        ({"input_side_px": 100}, "160"),
    ],
)
def test_contradictions_are_refused(fields: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        advisor_config(**fields)


def test_level_that_is_not_there_is_refused() -> None:
    with pytest.raises(ConfigError, match="expected levels below 16"):
        Advisor(advisor_config(levels=(16,)))


def test_costs_add_up() -> None:
    costs = {cost.part: cost for cost in summarise(context_config())}
    assert costs["smaller crops"].num_parameters == 0
    assert costs["backbone"].output_shape[1:] == (1280, 5, 5)
    assert costs["advisor classifier"].num_parameters == 2 * 6848 + 2
