"""The network's four parts by name, and how they are joined. Needs no torch, as runtimes do not.

    encode     a frame's crop -> F: the backbone, most of the cost
    advise     F of N frames and their crops -> the Advisor's answer, Grad-CAM, anchors, patches
    execute    a patch -> its embedding, z and depth
    conclude   all of these -> scores

What `encode` and `execute` give depends on one frame or patch alone, so that a stream keeps it for
the next window; and they are convolutions, nearly all of the arithmetic, which low precision serves
well. `advise` and `conclude` hold what it does not (decision D38). An exported graph is these four
joined, and a runtime runs it whole or part by part.
"""

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from vivant.networks.config import NetworkConfig
from vivant.records import Scores

__all__ = ["PartSpec", "join", "output_fields", "part_specs"]


@dataclass(frozen=True, slots=True)
class PartSpec:
    """What a part takes and gives, by name and in order.

    The first axis of each is its own: frames for `encode`, patches for `execute`, clips for the
    others.
    """

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


def output_fields(architecture: NetworkConfig) -> tuple[str, ...]:
    """The fields of `Scores` that a network of this architecture has, in their order."""
    every = [field.name for field in dataclasses.fields(Scores)]
    of_advisor = [f.name for f in dataclasses.fields(Scores) if f.default is dataclasses.MISSING]
    if architecture.aam is None:
        return tuple(of_advisor)
    return tuple(name for name in every if name != "depth" or architecture.aam.depth_head)


def part_specs(architecture: NetworkConfig) -> dict[str, PartSpec]:
    """The parts of a network of this architecture, in the order in which they run.

    `frames` are uint8 crops, (m, side, side, 3); `features` is F, (c, 7, 7) of each; `patches` are
    normalised, (3, patch, patch) each; `each_*` are those of `PatchOutput`; the others are fields
    of `Scores`.
    """
    of_advisor = ("advisor_logits", "advisor_embedding", "cam")
    encode = PartSpec(("frames",), ("features",))
    if architecture.aam is None:
        return {
            "encode": encode,
            "advise": PartSpec(("features",), of_advisor),
            "conclude": PartSpec(("advisor_logits",), ("bona_fide_score", "advisor_score")),
        }
    depth = ("each_depth",) if architecture.aam.depth_head else ()
    of_patches = ("each_embedding", "each_fused_feature", *depth)
    proposal = ("anchors", "centres", "boxes", "patches")
    scores = ("bona_fide_score", "advisor_score", "aam_score")
    of_frames = ("aam_logits", "aam_embedding", "fused_feature")
    needed = of_patches if architecture.aam.depth_to_class else of_patches[:2]
    return {
        "encode": encode,
        "advise": PartSpec(("features", "clips"), of_advisor + proposal),
        "execute": PartSpec(("patches",), of_patches),
        "conclude": PartSpec(("advisor_logits", *needed), scores + of_frames),
    }


def join(
    run: Callable[[str, dict[str, Any]], dict[str, Any]], clips: Any, fields: Sequence[str]
) -> dict[str, Any]:
    """Score clips part by part. Arrays and tensors alike: nothing but reshaping is done here.

    Args:
        run: Runs a part on its inputs by name.
        clips: uint8, (b, n, side, side, 3).
        fields: Those of `Scores` that are wanted.
    """
    b, n = clips.shape[:2]
    features = run("encode", {"frames": clips.reshape(b * n, *clips.shape[2:])})["features"]
    known = run("advise", {"features": features.reshape(b, n, *features.shape[1:]), "clips": clips})
    if "patches" in known:
        patches = known["patches"]  # (b, a, k, 3, patch, patch)
        axes = patches.shape[:3]
        flat = patches.reshape(axes[0] * axes[1] * axes[2], *patches.shape[3:])
        each = run("execute", {"patches": flat})
        known |= {name: values.reshape(*axes, *values.shape[1:]) for name, values in each.items()}
        known["depth"] = known.get("each_depth")
    known |= run("conclude", known)
    return {name: known[name] for name in fields}
