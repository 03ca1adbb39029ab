"""The network cut in four answers like the network in one."""

from collections.abc import Iterator

import pytest
import torch

from builders import moved, seeded
from training_runs import thin_backbone
from vivant.networks.card import Preprocessing
from vivant.networks.config import AamConfig, AdvisorConfig, NetworkConfig
from vivant.networks.network import Network
from vivant.networks.part_specs import output_fields
from vivant.networks.parts import NetworkParts
from vivant.networks.preprocessing import Normalise


def thin_config(**aam: object) -> NetworkConfig:
    """Model D with few channels."""
    return NetworkConfig(
        advisor=AdvisorConfig(backbone="efficientnet_lite0", hidden_size=16),
        aam=AamConfig(**({"widths": (8, 16, 24)} | aam)),
    )


ADVISOR = AdvisorConfig(backbone="efficientnet_lite0", hidden_size=16, readout="mean")
CONFIGS = {
    "all": thin_config(),
    "last": thin_config(frames="last", depth_head=False),
    "depth_to_class": thin_config(depth_to_class=True, lateral_fusion="concat"),
    "hires": thin_config().model_copy(update={"crop_side_px": 448}),
    "aam": thin_config().model_copy(update={"fusion": "aam"}),
    "advisor": NetworkConfig(advisor=ADVISOR, aam=None, fusion="am", num_frames=2),
}


@pytest.fixture(scope="module", autouse=True)
def _thin() -> Iterator[None]:
    """The backbone has few channels: how a network is cut does not depend on them."""
    with pytest.MonkeyPatch.context() as patch:
        thin_backbone(patch.setattr)
        yield


def parts_of(network: Network) -> tuple[NetworkParts, Normalise]:
    backbone = network.advisor.backbone
    preprocessing = Preprocessing(
        crop_side_px=network.config.crop_side_px,
        mean_rgb=backbone.mean_rgb,
        std_rgb=backbone.std_rgb,
    )
    return NetworkParts(network, preprocessing).eval(), Normalise.of(backbone)


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_parts_answer_like_the_whole(config: NetworkConfig, generator: torch.Generator) -> None:
    network = seeded(config) if config.aam is None else moved(seeded(config))
    parts, normalise = parts_of(network.eval())
    side = config.crop_side_px
    shape = (2, config.num_frames, side, side, 3)
    clips = torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)
    with torch.inference_mode():
        expected, answer = network(normalise(clips)), parts(clips)
    assert tuple(answer) == output_fields(config)
    for name, tensor in answer.items():
        torch.testing.assert_close(tensor, getattr(expected, name), msg=name)


def test_patches_and_frames_are_independent_of_those_beside_them(
    generator: torch.Generator,
) -> None:
    """What lets a stream keep them."""
    parts, _ = parts_of(moved(seeded(thin_config())).eval())
    frames = torch.randint(0, 256, (3, 224, 224, 3), generator=generator, dtype=torch.uint8)
    patches = torch.randn(5, 3, 56, 56, generator=generator)
    with torch.inference_mode():
        for part, given in (("encode", {"frames": frames}), ("execute", {"patches": patches})):
            (values,) = given.values()
            together = parts.run(part, given)
            alone = parts.run(part, dict.fromkeys(given, values[1:2]))
            for name, tensor in together.items():
                torch.testing.assert_close(tensor[1:2], alone[name], rtol=1e-4, atol=1e-5)
