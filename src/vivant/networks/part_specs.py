"""The network's four parts by name, and how they are joined. Needs no torch, as runtimes do not.

    encode     a frame's crop, or two -> F and its description: the backbone, most of the cost
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
    described = ["frame_features"] if architecture.advisor.levels else []
    if architecture.aam is None:
        return (*of_advisor, *described)
    left_out = set() if architecture.aam.depth_head else {"depth"}
    left_out |= set() if described else {"frame_features"}
    return tuple(name for name in every if name not in left_out)


def part_specs(architecture: NetworkConfig) -> dict[str, PartSpec]:
    """The parts of a network of this architecture, in the order in which they run.

    `frames` are uint8 crops, (m, side, side, 3), `context` the wider ones of the same frames, where
    the Advisor sees them; `features` is F, (c, map, map) of each; `patches` are normalised,
    (3, patch, patch) each; `each_*` are those of `PatchOutput`; the others are fields of `Scores`.
    """
    of_advisor = ("advisor_logits", "advisor_embedding", "cam")
    advisor = architecture.advisor
    described = ("features", "frame_features") if advisor.levels else ("features",)
    encode = PartSpec(("frames", "context") if advisor.context else ("frames",), described)
    if architecture.aam is None:
        return {
            "encode": encode,
            "advise": PartSpec(described, of_advisor),
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
        "advise": PartSpec((*described, "clips"), of_advisor + proposal),
        "execute": PartSpec(("patches",), of_patches),
        "conclude": PartSpec(("advisor_logits", *needed), scores + of_frames),
    }


def join(
    run: Callable[[str, dict[str, Any]], dict[str, Any]],
    clips: Any,
    fields: Sequence[str],
    context: Any = None,
) -> dict[str, Any]:
    """Score clips part by part. Arrays and tensors alike: nothing but reshaping is done here.

    Args:
        run: Runs a part on its inputs by name.
        clips: uint8, (b, n, side, side, 3).
        fields: Those of `Scores` that are wanted.
        context: uint8, (b, n, 160, 160, 3), where the Advisor sees wider crops too.
    """
    b, n = clips.shape[:2]
    given = {"frames": clips.reshape(b * n, *clips.shape[2:])}
    if context is not None:
        given["context"] = context.reshape(b * n, *context.shape[2:])
    of_frames = run("encode", given)
    known = {name: each.reshape(b, n, *each.shape[1:]) for name, each in of_frames.items()}
    known |= run("advise", known | {"clips": clips})
    if "patches" in known:
        patches = known["patches"]  # (b, a, k, 3, patch, patch)
        axes = patches.shape[:3]
        flat = patches.reshape(axes[0] * axes[1] * axes[2], *patches.shape[3:])
        each = run("execute", {"patches": flat})
        known |= {name: values.reshape(*axes, *values.shape[1:]) for name, values in each.items()}
        known["depth"] = known.get("each_depth")
    known |= run("conclude", known)
    return {name: known[name] for name in fields}
