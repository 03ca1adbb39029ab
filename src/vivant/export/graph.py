"""The network's parts as traced graphs, and as one ONNX graph: uint8 clips in, `Scores` out.

The parts are traced one by one and joined by reshapes, so that the one graph can be cut again where
it was joined (`runtimes/graph_file.py`): nodes and tensors of a part have its name and a slash
before theirs.
"""

from collections.abc import Mapping

import onnx
import torch
from onnx import GraphProto, ModelProto, TensorProto, ValueInfoProto, helper
from torch import Tensor
from torch.export import Dim, ExportedProgram

from vivant.networks.config import CONTEXT_SIDE_PX, NetworkConfig
from vivant.networks.part_specs import join, output_fields, part_specs
from vivant.networks.parts import NetworkParts

__all__ = ["join_parts", "trace_parts"]


def trace_parts(parts: NetworkParts, config: NetworkConfig) -> dict[str, ExportedProgram]:
    """Each part with a dynamic first axis, forward operations only.

    Args:
        parts: In evaluation mode.
        config: Of their network.
    """
    side = config.crop_side_px
    programs = {}

    def run(part: str, given: dict[str, Tensor]) -> dict[str, Tensor]:
        spec = parts.specs[part]
        inputs = {name: given[name] for name in spec.inputs}
        axes = {name: {0: Dim(f"{part}_batch")} for name in inputs}
        programs[part] = torch.export.export(parts[part], (), inputs, dynamic_shapes=axes)
        return parts.run(part, given)

    # Two clips: torch.export takes an axis of one for a constant.
    shape = (2, config.num_frames)
    example = torch.zeros(*shape, side, side, 3, dtype=torch.uint8)
    wide = (*shape, CONTEXT_SIDE_PX, CONTEXT_SIDE_PX, 3)
    context = torch.zeros(wide, dtype=torch.uint8) if config.advisor.context else None
    with torch.no_grad():
        join(run, example, parts.fields, context)
    return programs


def join_parts(models: Mapping[str, ModelProto], config: NetworkConfig) -> ModelProto:
    """One graph of all parts, that answers clips with the fields of `Scores`.

    Args:
        models: The parts as ONNX models, with the names of `part_specs` for inputs and outputs.
        config: Of the network.
    """
    graph = onnx.GraphProto(name="vivant")
    # Field -> the tensor that has it.
    given = {"clips": "clips", "frames": "clips", "context": "context"}
    values: dict[str, ValueInfoProto] = {}
    for part, spec in part_specs(config).items():
        model = onnx.compose.add_prefix(models[part], f"{part}/")
        for value, field in zip(model.graph.input, spec.inputs, strict=True):
            _reshape(graph, given[field], value.name, _axes(value))
        graph.node.extend(model.graph.node)
        graph.initializer.extend(model.graph.initializer)
        for value, field in zip(model.graph.output, spec.outputs, strict=True):
            given[field] = value.name
            values[field] = value
        graph.value_info.extend([*model.graph.input, *model.graph.output])
    if "each_depth" in values:
        aam = config.aam
        assert aam is not None
        axes = [config.num_frames if aam.frames == "all" else 1, aam.num_patches]
        axes += _axes(values["each_depth"])
        given["depth"] = given["each_depth"]
        values["depth"] = _value("depth", TensorProto.FLOAT, axes)
    if "frame_features" in values:
        axes = [config.num_frames, *_axes(values["frame_features"])]
        values["frame_features"] = _value("frame_features", TensorProto.FLOAT, axes)
    sides = {"clips": config.crop_side_px} | (
        {"context": CONTEXT_SIDE_PX} if config.advisor.context else {}
    )
    for name, side in sides.items():
        shape = [config.num_frames, side, side, 3]
        graph.input.append(_value(name, TensorProto.UINT8, shape))
    for field in output_fields(config):
        axes = _axes(values[field])
        _reshape(graph, given[field], field, axes)
        kind = values[field].type.tensor_type.elem_type
        graph.output.append(_value(field, kind, axes))
    first = next(iter(models.values()))
    whole = helper.make_model(
        graph, opset_imports=first.opset_import, ir_version=first.ir_version, producer_name="vivant"
    )
    onnx.checker.check_model(whole)
    return whole


def _reshape(graph: GraphProto, source: str, target: str, axes: list[int]) -> None:
    """A node that gives a tensor another name, and these axes after its first."""
    shape = helper.make_tensor(f"{target}:shape", TensorProto.INT64, [len(axes) + 1], [-1, *axes])
    graph.initializer.append(shape)
    graph.node.append(helper.make_node("Reshape", [source, shape.name], [target], f"to:{target}"))


def _value(name: str, kind: int, axes: list[int]) -> ValueInfoProto:
    """A tensor of clips, with these axes after its first."""
    value: ValueInfoProto = helper.make_tensor_value_info(name, kind, ["clips", *axes])
    return value


def _axes(value: ValueInfoProto) -> list[int]:
    """The sizes of a tensor, all but its first axis, which is free."""
    return [axis.dim_value for axis in value.type.tensor_type.shape.dim[1:]]
