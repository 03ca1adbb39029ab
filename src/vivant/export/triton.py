"""A model repository for NVIDIA's Triton Inference Server: the exported graph, where Triton looks.

    REPOSITORY/<model>/config.pbtxt          what Triton is to serve, and how
    REPOSITORY/<model>/1/model.onnx          one file: no weights lie elsewhere
    REPOSITORY/<model>/1/model.onnx.json     its card: threshold, preprocessing, hash

Triton reads `config.pbtxt` and, of a version's folder, the file that the configuration names
(`ModelState::LoadModel` of its ONNX Runtime backend); so the card may lie beside the graph, where
every runtime of vivant looks for it. The configuration is text of protocol buffers, written here:
the schema is in no small package, and the tests hold the text against the published one.
"""

import json
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import onnx
from onnx import TensorProto, ValueInfoProto

from vivant.errors import InputError, ParityError
from vivant.export.drift import run_all
from vivant.export.export import Exported, export_graph
from vivant.export.judged_clips import JudgedClips
from vivant.export.parity import check_parity, compare
from vivant.files import write_whole
from vivant.networks.card import Arithmetic, Precision, read_card, write_card
from vivant.records import NUM_WINDOWS
from vivant.runtimes.graph_file import read_onnx
from vivant.runtimes.onnx import OnnxRunner

__all__ = ["VERSION", "config_text", "export_repository", "model_name", "require_precision"]

VERSION = 1
"""Of the model, in Triton's sense: the one that is written and served."""

MAX_CLIPS = 4 * NUM_WINDOWS
"""Of one run of the network: four presentations, as vivant cuts them."""
MAX_DELAY_US = 1000
"""For which a request waits for others to share a run with: little beside a run."""

_FILE = "model.onnx"  # As Triton calls it by itself.
_TYPES: dict[int, str] = {
    TensorProto.UINT8: "TYPE_UINT8",
    TensorProto.INT32: "TYPE_INT32",
    TensorProto.INT64: "TYPE_INT64",
    TensorProto.FLOAT16: "TYPE_FP16",
    TensorProto.FLOAT: "TYPE_FP32",
}


def export_repository(
    card_path: Path,
    repository: Path,
    precision: Arithmetic = "float32",
    clips: JudgedClips | None = None,
    *,
    allow_drift: bool = False,
) -> Exported:
    """Export a checkpoint as `export_graph` does, and lay the graph out for Triton.

    What is there of that model is replaced: its configuration and version 1.

    Args:
        card_path: The checkpoint's card.
        repository: Made if it is not there. It may hold other models.
        precision: Of the convolutions.
        clips: Real crops: needed for lower precision.
        allow_drift: As for `export_graph`.

    Returns:
        What `export_graph` says; the card is that in the repository.

    Raises:
        InputError: bf16, or lower precision without clips.
        CardError, MissingExtraError, ParityError: as for `export_graph`. Then nothing is written.
        OutputError: the repository cannot be written.
    """
    require_precision(precision)
    with tempfile.TemporaryDirectory() as draft:
        exported = export_graph(
            card_path, Path(draft), "onnx", precision, clips, allow_drift=allow_drift
        )
        card = read_card(exported.card_path)
        content = read_onnx(card, exported.card_path)
        if precision != "float32":
            assert clips is not None  # export_graph has refused it.
            _require_whole(exported.card_path, clips)
    name = model_name(card.model, precision)
    text = config_text(name, content, card.weights.sha256)
    folder = repository / name / str(VERSION)
    # The configuration last: without it Triton would have to guess one.
    write_whole(folder / _FILE, content)
    weights = card.weights.model_copy(update={"file_name": _FILE})
    placed = write_card(card.model_copy(update={"weights": weights}), folder)
    write_whole(repository / name / "config.pbtxt", text)
    return replace(exported, card_path=placed)


def model_name(model: str, precision: Arithmetic) -> str:
    """Of the folder, and of the model in Triton's URLs: one for each precision.

    >>> model_name("lite", "float32"), model_name("lite", "int8")
    ('lite', 'lite_int8')
    """
    return model if precision == "float32" else f"{model}_{precision}"


def require_precision(precision: Arithmetic) -> None:
    """Refuse what Triton cannot compute.

    Raises:
        InputError: bf16, which is in no graph: OpenVINO computes in it when it is told to.
    """
    if precision == "bf16":
        raise InputError(
            "expected float32, int8 or fp16 for Triton, got bf16: that is OpenVINO's arithmetic, "
            "and Triton runs the graph in ONNX Runtime"
        )


def config_text(name: str, content: bytes, sha256: str) -> str:
    """Triton's `config.pbtxt`: a ModelConfig of its model_config.proto, as text.

    Names, types and shapes are the graph's. Triton allows no shape without an axis, so that a score
    for each clip is given as (clips, 1). Only version 1 is served, whatever else lies there: it is
    the one that parity was proven of. Which device: a GPU where Triton has one.

    Args:
        name: Of the model, and of its folder.
        content: The ONNX file.
        sha256: Of it, by which a client knows that it is its card's.

    Raises:
        InputError: an input or output whose first axis is not the batch's, or whose others are not
            fixed, or of a type that is not known here.
    """
    graph = onnx.load_model_from_string(content).graph
    axes = graph.input[0].type.tensor_type.shape.dim
    batch = axes[0].dim_param if axes else ""
    tensors = {
        kind: ",\n".join("\n".join(_tensor(value, batch)) for value in values)
        for kind, values in (("input", graph.input), ("output", graph.output))
    }
    return f"""\
# Written by `vivant export --to triton`. {VERSION}/{_FILE}.json is the card of the graph, with
# threshold and preprocessing; vivant's docs/export.md tells what goes in and what comes out.
name: {_quoted(name)}
platform: "onnxruntime_onnx"
default_model_filename: {_quoted(_FILE)}
version_policy {{ specific {{ versions: [ {VERSION} ] }} }}
max_batch_size: {MAX_CLIPS}
input [
{tensors["input"]}
]
output [
{tensors["output"]}
]
dynamic_batching {{ max_queue_delay_microseconds: {MAX_DELAY_US} }}
instance_group [ {{ kind: KIND_AUTO count: 1 }} ]
parameters {{ key: "weights_sha256" value {{ string_value: {_quoted(sha256)} }} }}
"""


def _tensor(value: ValueInfoProto, batch: str) -> Iterator[str]:
    """Lines of one input or output."""
    dims = _dims_after_batch(value, batch)
    kind = value.type.tensor_type.elem_type
    if kind not in _TYPES:
        given = TensorProto.DataType.Name(kind)
        raise InputError(f"{value.name}: expected a type that Triton is told of here, got {given}")
    yield "  {"
    yield f"    name: {_quoted(value.name)}"
    yield f"    data_type: {_TYPES[kind]}"
    yield f"    dims: [ {', '.join(map(str, dims or [1]))} ]"
    if not dims:
        yield "    reshape { shape: [ ] }"
    yield "  }"


def _dims_after_batch(value: ValueInfoProto, batch: str) -> list[int]:
    axes = [axis.dim_param or axis.dim_value for axis in value.type.tensor_type.shape.dim]
    dims = [axis for axis in axes[1:] if isinstance(axis, int) and axis > 0]
    if not batch or axes[:1] != [batch] or len(dims) != len(axes) - 1:
        raise InputError(
            f"{value.name}: expected any number of clips on the first axis and fixed others, got "
            f"{axes}: Triton could not join requests. Export the graph again"
        )
    return dims


def _require_whole(card_path: Path, clips: JudgedClips) -> None:
    """Triton runs a graph whole; what lower precision changes was judged on it part by part.

    Raises:
        ParityError: the two answer otherwise.
    """
    card = read_card(card_path)
    # A float32 graph is run whole; what is computed stands in the file.
    as_whole = card.model_copy(update={"precision": Precision()})
    whole_path = card_path.with_name("whole.json")
    write_whole(whole_path, as_whole.model_dump_json())
    in_parts, whole = (run_all(OnnxRunner(path), *clips.judged) for path in (card_path, whole_path))
    try:
        check_parity(compare(in_parts, whole))
    except ParityError as error:
        raise ParityError(
            f"run whole, as Triton does, the graph in {card.precision} answers otherwise than part "
            f"by part: {error}. Export it for Triton in float32"
        ) from error


def _quoted(text: str) -> str:
    """A string of the text format, whose escapes are those of JSON."""
    return json.dumps(text)
