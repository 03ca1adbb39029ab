"""Whether an ONNX file would read other files: a graph may name any path as the place of a weight.

Such weights are outside the hash in the card, and loading them is a way to read somebody's disk;
ONNX Runtime follows them even from bytes, relative to wherever the process stands. The base install
has no `onnx`, so this walks the protocol buffer itself: a few messages, each a number of a field.
"""

from collections.abc import Iterator

__all__ = ["refers_to_files"]

_TENSOR = "TensorProto"
# Message -> number of the field -> message in it (onnx.proto): all ways from a model to a tensor.
_FIELDS: dict[str, dict[int, str]] = {
    "ModelProto": {7: "GraphProto", 20: "TrainingInfoProto", 25: "FunctionProto"},
    "TrainingInfoProto": {1: "GraphProto", 2: "GraphProto"},
    "GraphProto": {1: "NodeProto", 5: _TENSOR, 15: "SparseTensorProto"},
    "FunctionProto": {7: "NodeProto", 11: "AttributeProto"},
    "NodeProto": {5: "AttributeProto"},
    "AttributeProto": {
        5: _TENSOR,
        6: "GraphProto",
        10: _TENSOR,
        11: "GraphProto",
        22: "SparseTensorProto",
        23: "SparseTensorProto",
    },
    "SparseTensorProto": {1: _TENSOR, 2: _TENSOR},
}
_EXTERNAL_DATA, _DATA_LOCATION = 13, 14  # Fields of TensorProto; location 0 is the file itself.
_MAX_DEPTH = 64


def refers_to_files(content: bytes) -> bool:
    """Whether any tensor of an ONNX model lies, or may lie, in another file.

    Args:
        content: The file.

    Raises:
        ValueError: this is not an ONNX model, or it nests deeper than any graph of ours.
    """
    return _has_external(memoryview(content), "ModelProto", 0)


def _has_external(message: memoryview, kind: str, depth: int) -> bool:
    if depth > _MAX_DEPTH:
        raise ValueError("it nests too deeply")
    if kind == _TENSOR:
        return any(
            number == _EXTERNAL_DATA or (number == _DATA_LOCATION and value != 0)
            for number, value in _walk(message)
        )
    inner = _FIELDS[kind]
    return any(
        _has_external(part, inner[number], depth + 1)
        for number, part in _walk(message)
        if number in inner and isinstance(part, memoryview)
    )


def _walk(message: memoryview) -> Iterator[tuple[int, memoryview | int | None]]:
    """The fields of a message: number, and value if it is a varint, or bytes if it has a length."""
    position = 0
    while position < len(message):
        key, position = _varint(message, position)
        wire_type = key & 7
        part: memoryview | int | None = None
        if wire_type == 0:
            part, position = _varint(message, position)
        elif wire_type == 1:
            position += 8
        elif wire_type == 5:
            position += 4
        elif wire_type == 2:
            length, position = _varint(message, position)
            part = message[position : position + length]
            position += length
        else:
            raise ValueError(f"it has a field of wire type {wire_type}")
        if position > len(message):
            raise ValueError("it is cut off")
        yield key >> 3, part


def _varint(message: memoryview, position: int) -> tuple[int, int]:
    """A number of up to ten bytes, and where the next field starts."""
    value = 0
    for index in range(10):
        if position >= len(message):
            raise ValueError("it is cut off")
        byte = message[position]
        position += 1
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return value, position
    raise ValueError("it has a number of more than ten bytes")
