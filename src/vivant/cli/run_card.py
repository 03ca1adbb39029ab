"""Which model a command is about: a card, or the one card in a run's folder."""

from pathlib import Path

from vivant.errors import CardError

__all__ = ["find_card"]

_PATTERNS = ("*.safetensors.json", "*.onnx.json")


def find_card(path: Path) -> Path:
    """The card that is named, or the only one in a folder; it is not read.

    Args:
        path: A card (`tiny.safetensors.json`), or a run's folder with one card in it.

    Raises:
        CardError: there is no such path, no card in the folder, or more than one.
    """
    if path.is_file():
        if not any(path.match(pattern) for pattern in _PATTERNS):
            raise CardError(
                f"expected a run's folder or a model's card ({' or '.join(_PATTERNS)}), got {path}"
            )
        return path
    if not path.is_dir():
        raise CardError(f"expected a run's folder or a model's card at {path}, found neither")
    found = sorted(card for pattern in _PATTERNS for card in path.glob(pattern))
    if not found:
        raise CardError(
            f"expected a model's card ({' or '.join(_PATTERNS)}) in {path}, found none: a training "
            "writes it with its last stage"
        )
    if len(found) > 1:
        raise CardError(
            f"expected one model in {path}, found {', '.join(card.name for card in found)}: name "
            "the card"
        )
    return found[0]
