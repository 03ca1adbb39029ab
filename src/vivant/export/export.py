"""Exports a checkpoint as one graph that runs without torch, and proves what it answers."""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from jaxtyping import UInt8
from onnx import ModelProto
from torch import Tensor

from vivant.errors import InputError, MissingExtraError
from vivant.export.convert import OPSET, convert
from vivant.export.drift import DriftReport, judge_drift, refuse, run_all, scores_stand, too_far
from vivant.export.graph import join_parts, trace_parts
from vivant.export.judged_clips import JudgedClips
from vivant.export.low_precision import halved, quantised
from vivant.export.parity import ParityReport, check_parity, compare
from vivant.files import write_whole
from vivant.networks.card import (
    Arithmetic,
    ModelCard,
    Precision,
    WeightsFile,
    digest,
    write_card,
)
from vivant.networks.checkpoint import load_checkpoint
from vivant.networks.part_specs import join
from vivant.networks.parts import NetworkParts
from vivant.runtimes.opening import open_runner
from vivant.runtimes.runner import Runner, blank_clips
from vivant.runtimes.torch import TorchRunner

__all__ = ["Exported", "Target", "export_graph", "file_name"]

Target = Literal["onnx", "openvino"]

NUM_PARITY_CLIPS = 4
_FLOAT = Precision()
_BATCH = 4  # Clips of a batch for calibration.
_SUFFIXES = {"onnx": ".onnx", "openvino": ".xml"}


@dataclass(frozen=True, slots=True)
class Exported:
    """A graph that was written, and what its answers were held against."""

    card_path: Path
    precision: Precision
    """As it was asked for, or with the backbone in float32 where that was needed."""
    parity: Mapping[str, ParityReport]
    """By runtime; of a graph in float32."""
    drift: tuple[DriftReport, ...]
    """Of all variants that were tried, the last of which was written; of lower precision."""
    keeps_operating_point: bool
    """Whether the card's threshold still holds."""


def export_graph(
    card_path: Path,
    folder: Path,
    target: Target = "onnx",
    precision: Arithmetic = "float32",
    clips: JudgedClips | None = None,
    *,
    allow_drift: bool = False,
) -> Exported:
    """Write a graph and its card, and hold its answers against the checkpoint's.

    In float32 all runtimes that are installed must answer alike. In lower precision the backbone
    and the execution stage are tried first; where that changes too much, the execution stage alone:
    the Grad-CAM, and so the anchors, follow from the backbone's features.

    Args:
        card_path: The checkpoint's card.
        folder: Made if it is not there. It may be the checkpoint's own.
        target: Format of the file: ONNX, which both runtimes run, or OpenVINO's own.
        precision: Of the convolutions.
        clips: Real crops: needed for lower precision.
        allow_drift: Whether to write what changes too much, too. Where decisions do, the card loses
            its operating point.

    Raises:
        CardError: the checkpoint is damaged.
        InputError: lower precision without clips.
        MissingExtraError: OpenVINO is not there for what needs it.
        ParityError: the graph answers otherwise. Then nothing is written.
    """
    if precision != "float32" and clips is None:
        raise InputError(
            f"expected clips to judge {precision} by, got none: name a store with --calibrate"
        )
    names = _runtimes(target, precision)
    network, card = load_checkpoint(card_path)
    parts = NetworkParts(network, card.preprocessing).eval()
    models = {
        part: convert(program, parts.specs[part].inputs, parts.specs[part].outputs)
        for part, program in trace_parts(parts, card.architecture).items()
    }
    reference = TorchRunner(card_path)
    with tempfile.TemporaryDirectory() as draft:
        whole = join_parts(models, card.architecture)
        plain = _write(whole, card, Path(draft), target)
        if precision == "float32" or clips is None:
            parity = _require_parity(reference, plain, names, clips)
            final = _write(whole, card, folder, target)
            return Exported(final, Precision(), parity, (), keeps_operating_point=True)
        low = _lowered(models, parts, precision, clips)
        answers = run_all(reference, *clips.judged)
        floats = {name: open_runner(plain, name) for name in names}
        tried: list[DriftReport] = []
        for variant in _variants(precision, card):
            chosen = {part: low.get(part, models[part]) for part in models}
            if variant.encode == "float32":
                chosen["encode"] = models["encode"]
            whole = join_parts(chosen, card.architecture)
            candidate = _write(whole, card, Path(draft), target, variant)
            runners = {name: open_runner(candidate, name) for name in names}
            reports = [judge_drift(answers, floats[n], runners[n], clips) for n in names]
            tried += reports
            if allow_drift or not any(map(too_far, reports)):
                keeps = all(map(scores_stand, reports))
                if not keeps:
                    card = card.model_copy(update={"operating_point": None})
                final = _write(whole, card, folder, target, variant)
                return Exported(final, variant, {}, tuple(tried), keeps)
    raise refuse(tried)


def file_name(model: str, target: Target, precision: Arithmetic) -> str:
    """Of the weights.

    >>> file_name("lite", "onnx", "int8"), file_name("lite", "openvino", "float32")
    ('lite.int8.onnx', 'lite.xml')
    """
    middle = "" if precision == "float32" else f".{precision}"
    return f"{model}{middle}{_SUFFIXES[target]}"


def _runtimes(target: Target, precision: Arithmetic) -> list[str]:
    """The runtimes that a file is for and that are here to judge it on."""
    has_openvino = find_spec("openvino") is not None
    if (target == "openvino" or precision == "bf16") and not has_openvino:
        raise MissingExtraError("openvino", "openvino")
    names = ["openvino"] if has_openvino else []
    return names if target == "openvino" or precision == "bf16" else ["onnx", *names]


def _variants(precision: Arithmetic, card: ModelCard) -> Iterator[Precision]:
    """What is tried, the fastest first."""
    if card.architecture.aam is None:
        yield Precision(encode=precision)
        return
    yield Precision(encode=precision, execute=precision)
    yield Precision(execute=precision)


def _lowered(
    models: Mapping[str, ModelProto],
    parts: NetworkParts,
    precision: Arithmetic,
    clips: JudgedClips,
) -> dict[str, ModelProto]:
    """The convolutions' parts in lower precision; bf16 is a runtime's business, not the file's."""
    names = [part for part in ("encode", "execute") if part in models]
    if precision == "fp16":
        return {part: halved(models[part]) for part in names}
    if precision == "bf16":
        return {}
    seen: dict[str, list[dict[str, np.ndarray]]] = {part: [] for part in models}

    def run(part: str, given: dict[str, Tensor]) -> dict[str, Tensor]:
        seen[part].append({name: given[name].numpy() for name in parts.specs[part].inputs})
        return parts.run(part, given)

    with torch.inference_mode():
        for at in range(0, len(clips.calibration[0]), _BATCH):
            crops, *wide = (torch.from_numpy(each[at : at + _BATCH]) for each in clips.calibration)
            join(run, crops, parts.fields, *wide)
    return {part: quantised(models[part], seen[part]) for part in names}


def _require_parity(
    reference: Runner, card_path: Path, names: Sequence[str], clips: JudgedClips | None
) -> dict[str, ParityReport]:
    """How far each runtime is from torch, on made-up clips and on real ones where there are some.

    Raises:
        ParityError: too far.
    """
    seen = _made_up_clips(reference.card)
    if clips is not None:
        seen = tuple(np.concatenate(pair) for pair in zip(seen, clips.judged, strict=True))
    answers = run_all(reference, *seen)
    reports = {}
    for name in names:
        reports[name] = compare(answers, run_all(open_runner(card_path, name), *seen))
        check_parity(reports[name])
    return reports


def _write(
    whole: ModelProto,
    card: ModelCard,
    folder: Path,
    target: Target,
    precision: Precision = _FLOAT,
) -> Path:
    """The file and its card, for these weights and this precision."""
    versions = {"onnx": version("onnx"), "opset": str(OPSET)}
    lowest = precision.execute if precision.encode == "float32" else precision.encode
    name = file_name(card.model, target, lowest)
    contents = [whole.SerializeToString()]
    if target == "openvino":
        contents = _openvino_files(contents[0])
        versions["openvino"] = version("openvino")
        write_whole((folder / name).with_suffix(".bin"), contents[1])
    write_whole(folder / name, contents[0])
    weights = WeightsFile(file_name=name, format=target, sha256=digest(*contents))
    update = {"weights": weights, "precision": precision, "versions": card.versions | versions}
    return write_card(card.model_copy(update=update), folder)


def _openvino_files(content: bytes) -> list[bytes]:
    """OpenVINO's own two files of an ONNX graph: `.xml` and `.bin`."""
    from vivant.runtimes.silent_openvino import CORE, openvino  # noqa: PLC0415 - an extra.

    model = CORE.read_model(content)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.xml"
        openvino.save_model(model, path, compress_to_fp16=False)
        return [path.read_bytes(), path.with_suffix(".bin").read_bytes()]


def _made_up_clips(card: ModelCard) -> tuple[UInt8[np.ndarray, "b n _ _ 3"], ...]:
    """Clips with structure at all scales: coarse random colours under fine noise, seeded."""
    generator = np.random.default_rng(0)
    made_up = []
    for blank in blank_clips(card, NUM_PARITY_CLIPS):
        shape, side = blank.shape[:2], blank.shape[2]
        cell = -(-side // 7)
        coarse = generator.integers(0, 256, (*shape, 7, 7, 3)).repeat(cell, 2).repeat(cell, 3)
        noise = generator.normal(0, 20, blank.shape)
        made_up.append((coarse[:, :, :side, :side] + noise).clip(0, 255).astype(np.uint8))
    return tuple(made_up)
