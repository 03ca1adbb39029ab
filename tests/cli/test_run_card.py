from pathlib import Path

import pytest

from vivant.cli.run_card import find_card
from vivant.errors import CardError


def test_a_card_is_itself_and_a_folder_its_only_card(tmp_path: Path) -> None:
    card = tmp_path / "tiny.safetensors.json"
    card.write_text("{}")
    for name in ("experiment.json", "tiny.safetensors.profile.json", "tiny.safetensors"):
        (tmp_path / name).write_text("{}")
    assert find_card(card) == card
    assert find_card(tmp_path) == card


def test_a_card_may_have_any_name_before_its_ending(tmp_path: Path) -> None:
    card = tmp_path / "my.best.onnx.json"
    card.write_text("{}")
    assert find_card(tmp_path) == card


def test_none_and_several_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CardError, match="found none: a training writes it with its last stage"):
        find_card(tmp_path)
    for name in ("tiny.safetensors.json", "tiny.onnx.json"):
        (tmp_path / name).write_text("{}")
    with pytest.raises(CardError, match=r"tiny\.onnx\.json, tiny\.safetensors\.json: name the"):
        find_card(tmp_path)


def test_what_is_no_card_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "scores.parquet"
    other.touch()
    with pytest.raises(CardError, match=r"expected a run's folder or a model's card"):
        find_card(other)
    with pytest.raises(CardError, match="found neither"):
        find_card(tmp_path / "nowhere")
