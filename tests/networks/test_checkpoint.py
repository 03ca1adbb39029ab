import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from builders import moved, seeded, small_config
from vivant.errors import CardError
from vivant.networks.card import OperatingPoint, TrainingRecord, digest
from vivant.networks.checkpoint import load_checkpoint, save_checkpoint


@pytest.fixture
def card_path(tmp_path: Path) -> Path:
    return save_checkpoint(moved(seeded(small_config())), tmp_path, "small")


def rewrite(card_path: Path, tensors: dict[str, torch.Tensor]) -> None:
    """Other weights, with a card that vouches for them."""
    weights = card_path.with_suffix("")
    save_file(tensors, weights)
    card = json.loads(card_path.read_text())
    card["weights"]["sha256"] = digest(weights.read_bytes())
    card_path.write_text(json.dumps(card))


def test_network_comes_back_bit_for_bit(card_path: Path, generator: torch.Generator) -> None:
    network, card = load_checkpoint(card_path)
    original = moved(seeded(small_config())).eval()
    clips = torch.randn(1, 5, 3, 224, 224, generator=generator)
    with torch.inference_mode():
        for mine, theirs in zip(network(clips), original(clips), strict=True):
            assert (mine is None) == (theirs is None)
            assert mine is None or torch.equal(mine, theirs)
    assert card.architecture == original.config
    assert not network.training


def test_card_says_what_is_needed_to_use_the_weights(tmp_path: Path) -> None:
    network = seeded(small_config())
    untrained = load_checkpoint(save_checkpoint(network, tmp_path, "a"))[1]
    assert untrained.training is None
    assert untrained.operating_point is None
    assert untrained.preprocessing.mean_rgb == network.advisor.backbone.mean_rgb
    training = TrainingRecord(data="synthetic", is_synthetic=True, pai_species=("print",))
    point = OperatingPoint(threshold=0.3, rule="dev-eer", data="synthetic dev")
    path = save_checkpoint(network, tmp_path, "b", training=training, operating_point=point)
    trained = load_checkpoint(path)[1]
    assert trained.training == training
    assert trained.operating_point == point


def test_card_is_checked_against_the_tensors(card_path: Path) -> None:
    tensors = load_file(card_path.with_suffix(""))
    missing = {name: t for name, t in tensors.items() if name != "advisor.classifier.bias"}
    rewrite(card_path, missing)
    with pytest.raises(CardError, match="advisor.classifier.bias is missing"):
        load_checkpoint(card_path)
    rewrite(card_path, tensors | {"advisor.classifier.bias": torch.zeros(3)})
    with pytest.raises(CardError, match=r"classifier.bias is \(3,\), expected \(2,\)"):
        load_checkpoint(card_path)
    rewrite(card_path, tensors | {"extra": torch.zeros(3)})
    with pytest.raises(CardError, match="extra has no place here"):
        load_checkpoint(card_path)
    rewrite(card_path, tensors | {"advisor.classifier.bias": torch.tensor([0, float("nan")])})
    with pytest.raises(CardError, match="advisor.classifier.bias is not finite"):
        load_checkpoint(card_path)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.int64, torch.float8_e4m3fn])
def test_weights_of_another_type_are_refused(card_path: Path, dtype: torch.dtype) -> None:
    tensors = load_file(card_path.with_suffix(""))
    rewrite(card_path, tensors | {"advisor.classifier.bias": torch.zeros(2).to(dtype)})
    with pytest.raises(CardError, match=f"bias is {dtype}, expected torch.float32"):
        load_checkpoint(card_path)


def test_weights_are_stored_in_float32(tmp_path: Path) -> None:
    network = seeded(small_config()).double()
    stored = load_file(save_checkpoint(network, tmp_path, "small").with_suffix(""))
    kinds = {name: tensor.dtype for name, tensor in stored.items()}
    assert kinds["advisor.classifier.bias"] == torch.float32
    assert kinds["advisor.backbone.bn1.num_batches_tracked"] == torch.int64


def test_card_of_another_architecture_is_refused(card_path: Path) -> None:
    card = json.loads(card_path.read_text())
    card["architecture"]["aam"]["widths"] = [8, 16, 24]
    card_path.write_text(json.dumps(card))
    with pytest.raises(CardError, match="does not fit its card's architecture: aam.execution.stem"):
        load_checkpoint(card_path)


def test_changed_weights_are_refused(card_path: Path) -> None:
    weights = card_path.with_suffix("")
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(CardError, match="is not the file that its card describes"):
        load_checkpoint(card_path)


def test_what_is_no_safetensors_file_is_refused(card_path: Path) -> None:
    weights = card_path.with_suffix("")
    weights.write_bytes(b"not weights")
    card = json.loads(card_path.read_text())
    card["weights"]["sha256"] = digest(b"not weights")
    card_path.write_text(json.dumps(card))
    with pytest.raises(CardError, match="is not a safetensors file"):
        load_checkpoint(card_path)
