"""What the parts take and give, and their join: on arrays that say where they come from."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from builders import small_config
from vivant.networks.config import CONTEXT_SIDE_PX, NetworkConfig
from vivant.networks.models import lite, model_b, model_c, model_d
from vivant.networks.network import Network
from vivant.networks.part_specs import PartSpec, join, output_fields, part_specs
from vivant.plugins import discover

OF_ADVISOR = ("advisor_logits", "advisor_embedding", "cam")
OF_PROPOSAL = ("anchors", "centres", "boxes", "patches")


@pytest.mark.parametrize("name", discover("vivant.networks.models"))
def test_fields_are_those_that_a_network_answers(name: str) -> None:
    config = discover("vivant.networks.models")[name]()
    with torch.device("meta"):
        sides = [224] + [CONTEXT_SIDE_PX] * config.advisor.context
        output = Network(config).eval()(*(torch.empty(1, 5, 3, side, side) for side in sides))
    given = [field for field, value in output._asdict().items() if value is not None]
    assert list(output_fields(config)) == given


def test_advisor_alone_has_three_parts() -> None:
    """Model B looks at no patch, and so takes no clips beside the features."""
    assert part_specs(model_b()) == {
        "encode": PartSpec(("frames",), ("features",)),
        "advise": PartSpec(("features",), OF_ADVISOR),
        "conclude": PartSpec(("advisor_logits",), ("bona_fide_score", "advisor_score")),
    }
    assert output_fields(model_b()) == ("bona_fide_score", "advisor_score", *OF_ADVISOR)


@pytest.mark.parametrize(
    ("config", "of_patches", "concluded_from"),
    [
        (model_d(), ("each_embedding", "each_fused_feature", "each_depth"), 2),
        (model_c(), ("each_embedding", "each_fused_feature"), 2),
        (
            small_config(depth_to_class=True, lateral_fusion="concat"),
            ("each_embedding", "each_fused_feature", "each_depth"),
            3,
        ),
    ],
    ids=["depth", "no depth", "depth_to_class"],
)
def test_whole_network_has_four_parts(
    config: NetworkConfig, of_patches: tuple[str, ...], concluded_from: int
) -> None:
    """The classifier is given the depth only where it uses it (D29)."""
    parts = part_specs(config)
    assert list(parts) == ["encode", "advise", "execute", "conclude"]
    assert parts["encode"] == PartSpec(("frames",), ("features",))
    assert parts["advise"] == PartSpec(("features", "clips"), OF_ADVISOR + OF_PROPOSAL)
    assert parts["execute"] == PartSpec(("patches",), of_patches)
    assert parts["conclude"].inputs == ("advisor_logits", *of_patches[:concluded_from])
    assert parts["conclude"].outputs[:3] == ("bona_fide_score", "advisor_score", "aam_score")
    assert ("depth" in output_fields(config)) == ("each_depth" in of_patches)


@pytest.mark.parametrize(
    "config",
    [model_b(), model_c(), model_d(), lite(), small_config(depth_to_class=True)],
    ids=["model_b", "model_c", "model_d", "lite", "depth_to_class"],
)
def test_every_part_gives_what_the_next_takes(config: NetworkConfig) -> None:
    known = {"frames", "clips"}
    for part, spec in part_specs(config).items():
        assert known.issuperset(spec.inputs), part
        known |= set(spec.outputs)
    known |= {"depth"} if "each_depth" in known else set()
    assert known.issuperset(output_fields(config))


class MadeUpParts:
    """Parts for crops of one pixel that carry a number of their own all the way.

    F of a frame is its red value; its two patches are 10 F and 10 F + 1; a patch's embedding and
    depth are itself and its negative; the score is the sum of the clip's embeddings.
    """

    def __init__(self, *, depth_head: bool = True) -> None:
        self.depth_head = depth_head
        self.calls: list[tuple[str, dict[str, tuple[int, ...]]]] = []

    def __call__(self, part: str, given: dict[str, Any]) -> dict[str, Any]:
        taken = {"conclude": ["each_embedding"]}.get(part, list(given))
        self.calls.append((part, {name: given[name].shape for name in taken}))
        return getattr(self, part)(given)

    def encode(self, given: dict[str, Any]) -> dict[str, Any]:
        return {"features": given["frames"][:, 0, 0, :1].astype(float)}  # (m, 1)

    def advise(self, given: dict[str, Any]) -> dict[str, Any]:
        features = given["features"]  # (b, n, 1)
        np.testing.assert_array_equal(features[..., 0], given["clips"][:, :, 0, 0, 0])
        patches = np.stack([10 * features, 10 * features + 1], axis=2)  # (b, n, 2, 1)
        return {"cam": features, "patches": patches}

    def execute(self, given: dict[str, Any]) -> dict[str, Any]:
        patches = given["patches"]  # (p, 1)
        depth = {"each_depth": -patches[:, :, None]} if self.depth_head else {}  # (p, 1, 1)
        return {"each_embedding": patches, **depth}

    def conclude(self, given: dict[str, Any]) -> dict[str, Any]:
        return {"bona_fide_score": given["each_embedding"].sum((1, 2, 3))}


@pytest.fixture
def clips() -> np.ndarray:
    """Two clips of three frames of one pixel, red 1 to 6."""
    clips = np.zeros((2, 3, 1, 1, 3), np.uint8)
    clips[..., 0] = np.arange(1, 7).reshape(2, 3, 1, 1)
    return clips


def test_join_runs_frames_then_clips_then_patches(clips: np.ndarray) -> None:
    run = MadeUpParts()
    join(run, clips, ["bona_fide_score"])
    assert run.calls == [
        ("encode", {"frames": (6, 1, 1, 3)}),
        ("advise", {"features": (2, 3, 1), "clips": (2, 3, 1, 1, 3)}),
        ("execute", {"patches": (12, 1)}),
        ("conclude", {"each_embedding": (2, 3, 2, 1)}),
    ]


def test_join_brings_everything_back_to_its_clip(clips: np.ndarray) -> None:
    answer = join(MadeUpParts(), clips, ["bona_fide_score", "cam", "depth"])
    assert list(answer) == ["bona_fide_score", "cam", "depth"], "what is wanted, in that order"
    # Frames 1, 2, 3: patches 10, 11, 20, 21, 30, 31; and 40, 41, 50, 51, 60, 61.
    assert answer["bona_fide_score"].tolist() == [123, 303]
    assert answer["cam"][..., 0].tolist() == [[1, 2, 3], [4, 5, 6]]
    assert answer["depth"].shape == (2, 3, 2, 1, 1)
    assert answer["depth"][1, :, :, 0, 0].tolist() == [[-40, -41], [-50, -51], [-60, -61]]


def test_join_without_a_second_module_asks_for_no_patches(clips: np.ndarray) -> None:
    asked = []

    def run(part: str, given: dict[str, Any]) -> dict[str, Any]:
        asked.append(part)
        parts: dict[str, Callable[[], dict[str, Any]]] = {
            "encode": lambda: {"features": given["frames"][:, 0, 0, :1]},
            "advise": lambda: {"advisor_logits": given["features"].sum(1)},
            "conclude": lambda: {"bona_fide_score": given["advisor_logits"][:, 0]},
        }
        return parts[part]()

    answer = join(run, clips, ["bona_fide_score"])
    assert asked == ["encode", "advise", "conclude"]
    assert answer["bona_fide_score"].tolist() == [6, 15]


def test_join_without_a_depth_head_has_no_depth_to_give(clips: np.ndarray) -> None:
    answer = join(MadeUpParts(depth_head=False), clips, ["bona_fide_score"])
    assert answer["bona_fide_score"].tolist() == [123, 303]


def test_join_takes_tensors_too(clips: np.ndarray) -> None:
    def run(part: str, given: dict[str, Any]) -> dict[str, Any]:
        arrays = {name: value.numpy() for name, value in given.items() if value is not None}
        return {name: torch.from_numpy(v) for name, v in MadeUpParts()(part, arrays).items()}

    answer = join(run, torch.from_numpy(clips), ["bona_fide_score", "depth"])
    assert answer["bona_fide_score"].tolist() == [123, 303]
    assert answer["depth"].shape == (2, 3, 2, 1, 1)
