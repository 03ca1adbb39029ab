import pytest
import torch
from torch import Tensor

from builders import moved, seeded, small_config
from vivant.errors import ConfigError, InputError, WeightsError
from vivant.networks.config import AamConfig, AdvisorConfig, NetworkConfig
from vivant.networks.models import lite
from vivant.networks.network import Network
from vivant.records import Scores


@pytest.fixture(scope="module")
def network() -> Network:
    return moved(seeded(small_config())).eval()


@pytest.fixture
def clips(generator: torch.Generator) -> Tensor:
    return torch.randn(1, 5, 3, 224, 224, generator=generator)


def test_output_has_the_fields_and_shapes_of_the_record(network: Network, clips: Tensor) -> None:
    with torch.inference_mode():
        output = network(clips)
    assert output._fields == tuple(Scores.__dataclass_fields__)
    fields = output._asdict()
    assert fields.pop("frame_features") is None, "the paper's network has no levels"
    assert {name: tuple(tensor.shape) for name, tensor in fields.items()} == {
        "bona_fide_score": (1,),
        "advisor_score": (1,),
        "advisor_logits": (1, 2),
        "advisor_embedding": (1, 16),
        "cam": (1, 5, 7, 7),
        "aam_score": (1,),
        "aam_logits": (1, 5, 2),
        "aam_embedding": (1, 5, 64),
        "fused_feature": (1, 5, 64),
        "anchors": (1, 5, 4),
        "centres": (1, 5, 4, 2),
        "boxes": (1, 5, 4, 4),
        "depth": (1, 5, 4, 14, 14),
    }


def test_scores_are_bona_fide_probabilities(network: Network, clips: Tensor) -> None:
    with torch.inference_mode():
        output = network(clips)
    p, q = output.advisor_logits.softmax(1)[:, 0], output.aam_logits.softmax(2)[..., 0].mean(1)
    torch.testing.assert_close(output.advisor_score, p)
    torch.testing.assert_close(output.aam_score, q)
    expected = 0.5 + (p.exp() - (1 - p).exp() + 2 * q - 1) / (2 * torch.e)
    torch.testing.assert_close(output.bona_fide_score, expected)


def test_higher_bona_fide_logit_raises_the_score(network: Network, clips: Tensor) -> None:
    """Polarity, end to end: class 0 is bona fide, and a higher score is bona fide (D1)."""
    changed = moved(seeded(small_config())).eval()
    with torch.inference_mode():
        before = changed(clips)
        changed.advisor.classifier.bias[0] += 1
        after = changed(clips)
    assert bool((after.bona_fide_score > before.bona_fide_score).all())


def test_boxes_are_the_patches_in_pixels_of_the_crop(network: Network, clips: Tensor) -> None:
    with torch.inference_mode():
        output = network(clips)
    boxes = output.boxes
    assert bool((boxes >= -1e-4).all())
    assert bool((boxes <= 224 + 1e-4).all())
    torch.testing.assert_close(boxes[..., 2:] - boxes[..., :2], torch.full_like(output.centres, 56))
    torch.testing.assert_close(boxes[..., :2], (output.centres + 1) * 112 - 28)


def test_no_autograd_is_needed(network: Network, clips: Tensor) -> None:
    with torch.inference_mode():
        inference = network(clips)
    training = network(clips)
    assert inference.bona_fide_score.grad_fn is None
    torch.testing.assert_close(inference.bona_fide_score, training.bona_fide_score)
    torch.testing.assert_close(inference.centres, training.centres)


def test_clips_do_not_see_each_other(network: Network, clips: Tensor) -> None:
    clips = torch.cat([clips.flip(3), clips])
    with torch.inference_mode():
        together = network(clips)
        alone = network(clips[1:])
    for of_both, of_one in zip(together, alone, strict=True):
        if of_one is not None:
            torch.testing.assert_close(of_both[1:], of_one, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(("frames", "index"), [("last", 4), ("middle", 2)])
def test_one_frame_is_the_frame_it_says(frames: str, index: int, clips: Tensor) -> None:
    every = moved(seeded(small_config())).eval()
    single = moved(seeded(small_config(frames=frames))).eval()
    single.load_state_dict(every.state_dict())
    with torch.inference_mode():
        of_all, of_one = every(clips), single(clips)
    torch.testing.assert_close(of_one.anchors[:, 0], of_all.anchors[:, index])
    torch.testing.assert_close(
        of_one.aam_logits[:, 0], of_all.aam_logits[:, index], rtol=1e-3, atol=1e-4
    )
    assert torch.equal(single.select_frames(clips)[:, 0], clips[:, index])


def test_advisor_alone_scores_by_itself(clips: Tensor) -> None:
    config = NetworkConfig(advisor=AdvisorConfig(backbone="resnet18"), aam=None, fusion="am")
    network = seeded(config).eval()
    with torch.inference_mode():
        output = network(clips)
    with pytest.raises(ConfigError, match="has no Attended-Auxiliary Module"):
        network.select_frames(clips)
    assert torch.equal(output.bona_fide_score, output.advisor_score)
    assert output.anchors is None
    assert output.depth is None


def test_larger_crops_give_the_advisor_the_same_picture(clips: Tensor) -> None:
    small = moved(seeded(small_config())).eval()
    config = small.config.model_copy(update={"crop_side_px": 448})
    large = moved(seeded(config)).eval()
    large.load_state_dict(small.state_dict())
    doubled = clips.repeat_interleave(2, dim=3).repeat_interleave(2, dim=4)
    with torch.inference_mode():
        of_small, of_large = small(clips), large(doubled)
    torch.testing.assert_close(
        of_large.advisor_logits, of_small.advisor_logits, rtol=1e-3, atol=1e-4
    )
    torch.testing.assert_close(of_large.boxes, 2 * of_small.boxes, rtol=1e-3, atol=1e-2)
    with pytest.raises(InputError, match=r"expected clips of shape \(clips, 5, 3, 448, 448\)"):
        large(clips)


def test_lite_looks_at_the_newest_frame_only(generator: torch.Generator) -> None:
    network = seeded(lite()).eval()
    with torch.inference_mode():
        output = network(torch.randn(1, 5, 3, 224, 224, generator=generator))
    assert output.depth.shape == (1, 1, 4, 14, 14)
    assert output.cam.shape == (1, 5, 7, 7)


def test_network_is_deterministic(network: Network, clips: Tensor) -> None:
    with torch.inference_mode():
        first, second = network(clips), network(clips)
    pairs = [pair for pair in zip(first, second, strict=True) if pair[0] is not None]
    assert all(torch.equal(a, b) for a, b in pairs)


@pytest.mark.parametrize(
    ("config", "num_frames", "side"),
    [
        (small_config(num_patches=16), 5, 224),
        (small_config(num_patches=49, grid_side=7, depth_side=28, frames="last"), 5, 224),
        (small_config(grid_side=7, depth_side=7, offset_slots="per_cell"), 5, 224),
        (small_config().model_copy(update={"num_frames": 1}), 1, 224),
        (small_config().model_copy(update={"crop_side_px": 672}), 5, 672),
    ],
    ids=["K=16", "K=49", "7x7", "N=1", "672"],
)
def test_limits_of_the_configuration_work(
    config: NetworkConfig, num_frames: int, side: int, generator: torch.Generator
) -> None:
    clips = torch.randn(1, num_frames, 3, side, side, generator=generator)
    with torch.inference_mode():
        output = moved(seeded(config)).eval()(clips)
    seen = num_frames if config.aam.frames == "all" else 1
    side = config.aam.depth_side
    assert output.depth.shape == (1, seen, config.aam.num_patches, side, side)
    assert output.anchors.max() < config.aam.grid_side**2
    assert 0 <= output.bona_fide_score.item() <= 1


def test_larger_crops_show_what_the_smaller_ones_lost(generator: torch.Generator) -> None:
    """Lines one pixel wide: gone in the advisor's 224, still there in the patches of a 448 crop."""
    config = small_config().model_copy(update={"crop_side_px": 448})
    network = seeded(config).eval()
    flat = torch.zeros(1, 5, 3, 448, 448)
    lines = flat.clone()
    lines[..., 0::2], lines[..., 1::2] = 1, -1
    with torch.inference_mode():
        of_flat, of_lines = network(flat), network(lines)
    torch.testing.assert_close(of_lines.advisor_logits, of_flat.advisor_logits)
    assert not torch.allclose(of_lines.aam_logits, of_flat.aam_logits, atol=1e-3)


@pytest.mark.parametrize("part", ["advisor.backbone.bn1.bias", "aam.execution.classifier.weight"])
@pytest.mark.parametrize("fusion", ["am", "aam", "exp_add"])
def test_damaged_weights_never_give_a_score(part: str, fusion: str, clips: Tensor) -> None:
    network = moved(seeded(small_config().model_copy(update={"fusion": fusion}))).eval()
    network.get_parameter(part).data[0] = float("nan")
    with torch.inference_mode(), pytest.raises(WeightsError, match="its weights are damaged"):
        network(clips)


class TestRefusals:
    """Each message says what was expected and what was given."""

    @pytest.mark.parametrize(
        ("shape", "message"),
        [
            ((1, 4, 3, 224, 224), "expected 5 frames a clip, got 4"),
            ((1, 5, 3, 112, 112), r"expected clips of shape .*224, 224\), got .*112"),
            ((1, 5, 1, 224, 224), r"expected clips of shape \(clips, 5, 3,"),
            ((5, 3, 224, 224), "expected clips of shape"),
            ((0, 5, 3, 224, 224), "expected at least one clip, got none"),
        ],
    )
    def test_wrong_shape(self, network: Network, shape: tuple[int, ...], message: str) -> None:
        with pytest.raises(InputError, match=message):
            network(torch.zeros(shape))

    @pytest.mark.parametrize("value", [float("nan"), float("inf")])
    def test_value_that_is_not_finite(self, network: Network, clips: Tensor, value: float) -> None:
        clips[0, 3, 0, 10, 10] = value
        with pytest.raises(InputError, match="expected finite crops, got NaN or infinity"):
            network(clips)

    def test_other_precision(self, network: Network, clips: Tensor) -> None:
        with pytest.raises(InputError, match=r"expected crops of torch.float32, got torch.float64"):
            network(clips.double())

    def test_crops_on_another_device(self, network: Network, clips: Tensor) -> None:
        with pytest.raises(
            InputError, match="expected crops on cpu, where the network is, got meta"
        ):
            network(clips.to("meta"))

    def test_too_many_patches(self) -> None:
        with pytest.raises(
            ValueError, match="expected num_patches of at most 16, the cells of the 4x4"
        ):
            AamConfig(num_patches=17)


def test_pictures_are_not_taken_for_normalised_crops(network: Network) -> None:
    with pytest.raises(InputError, match=r"got uint8: pass them through preprocessing.Normalise"):
        network(torch.zeros(1, 5, 3, 224, 224, dtype=torch.uint8))
