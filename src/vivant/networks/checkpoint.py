"""Saves and loads a network: safetensors, and the card beside it."""

import platform
from importlib.metadata import version
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from vivant.errors import CardError
from vivant.files import write_whole
from vivant.geometry.crop import CONTEXT_SCALE
from vivant.networks.card import (
    ModelCard,
    OperatingPoint,
    Preprocessing,
    TrainingRecord,
    WeightsFile,
    digest,
    read_card,
    read_weights,
    write_card,
)
from vivant.networks.network import Network

__all__ = ["installed_versions", "load_checkpoint", "save_checkpoint"]

_NUM_SHOWN = 5


def save_checkpoint(
    network: Network,
    folder: Path,
    model: str,
    *,
    training: TrainingRecord | None = None,
    operating_point: OperatingPoint | None = None,
    frame_interval_s: float = 0.1,
) -> Path:
    """Write `<model>.safetensors` and its card into a folder.

    Args:
        network: Whose weights; stored in float32, whatever their precision and device.
        folder: Made if it is not there.
        model: Name of the model, and of the files.
        training: What it was trained on; None marks it UNTRAINED.
        operating_point: Threshold and its origin, if there is one.
        frame_interval_s: Between two frames of a clip, as it was trained with (D24).

    Returns:
        The card's path.
    """
    tensors = {name: _storable(tensor) for name, tensor in network.state_dict().items()}
    content = save(tensors)
    backbone = network.advisor.backbone
    card = ModelCard(
        model=model,
        architecture=network.config,
        preprocessing=Preprocessing(
            crop_side_px=network.config.crop_side_px,
            context_scale=CONTEXT_SCALE if network.config.advisor.context else None,
            mean_rgb=backbone.mean_rgb,
            std_rgb=backbone.std_rgb,
            frame_interval_s=frame_interval_s,
        ),
        training=training,
        operating_point=operating_point,
        versions=installed_versions(),
        weights=WeightsFile(
            file_name=f"{model}.safetensors", format="safetensors", sha256=digest(content)
        ),
    )
    write_whole(folder / card.weights.file_name, content)
    return write_card(card, folder)


def load_checkpoint(card_path: Path) -> tuple[Network, ModelCard]:
    """The network that a card describes, with its weights, in evaluation mode, on the CPU.

    Raises:
        CardError: the card is damaged, or its weights are missing, are another file, do not fit the
            architecture in name, shape or type, or are not finite.
        UnknownNameError: its backbone does not exist.
    """
    card = read_card(card_path)
    if card.weights.format != "safetensors":
        raise CardError(
            f"{card_path.name} is the card of an {card.weights.format} file: expected safetensors"
        )
    (content,) = read_weights(card, card_path.parent)
    try:
        tensors = load(content)
    except SafetensorError as error:
        raise CardError(f"{card.weights.file_name} is not a safetensors file: {error}") from error
    network = Network(card.architecture)
    expected = network.state_dict()
    differences = [f"{name} is missing" for name in expected if name not in tensors]
    differences += [f"{name} has no place here" for name in tensors if name not in expected]
    differences += [
        f"{name} is {tuple(tensors[name].shape)}, expected {tuple(tensor.shape)}"
        for name, tensor in expected.items()
        if name in tensors and tensors[name].shape != tensor.shape
    ]
    differences += [
        f"{name} is {tensors[name].dtype}, expected {tensor.dtype}"
        for name, tensor in expected.items()
        if name in tensors and tensors[name].dtype != tensor.dtype
    ]
    # Only of what would be loaded: exotic types have no such test.
    differences = differences or [
        f"{name} is not finite" for name, tensor in tensors.items() if not _is_finite(tensor)
    ]
    if differences:
        raise CardError(
            f"{card.weights.file_name} does not fit its card's architecture: "
            f"{'; '.join(differences[:_NUM_SHOWN])} ({len(differences)} differences)"
        )
    network.load_state_dict(tensors)
    return network.eval(), card


def installed_versions() -> dict[str, str]:
    """What a card says of the software that made its weights."""
    return {
        "vivant": version("vivant"),
        "torch": torch.__version__,
        "python": platform.python_version(),
    }


def _storable(tensor: torch.Tensor) -> torch.Tensor:
    tensor = tensor.detach().cpu().contiguous()
    return tensor.float() if tensor.is_floating_point() else tensor


def _is_finite(tensor: torch.Tensor) -> bool:
    return bool(tensor.isfinite().all())
