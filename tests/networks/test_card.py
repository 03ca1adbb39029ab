import copy
import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from vivant.errors import CardError
from vivant.files import write_whole
from vivant.networks.card import (
    ModelCard,
    OperatingPoint,
    Precision,
    Preprocessing,
    TrainingRecord,
    WeightsFile,
    digest,
    read_card,
    read_weights,
    write_card,
)
from vivant.networks.config import NetworkConfig

TRAINED = TrainingRecord(data="oulu-npu:1", is_synthetic=False, pai_species=("print", "replay"))
POINT = OperatingPoint(threshold=0.42, rule="dev-eer", data="oulu-npu:1 dev")


def card(**changes: object) -> ModelCard:
    content = {
        "model": "model_d",
        "architecture": NetworkConfig(),
        "preprocessing": Preprocessing(crop_side_px=224, mean_rgb=(0.5,) * 3, std_rgb=(0.5,) * 3),
        "versions": {"vivant": "0"},
        "weights": WeightsFile(file_name="w.safetensors", format="safetensors", sha256="0" * 64),
    }
    return ModelCard.model_validate(content | changes)


def test_card_comes_back_from_its_file(tmp_path: Path) -> None:
    written = card(training=TRAINED, operating_point=POINT)
    path = write_card(written, tmp_path)
    assert path.name == "w.safetensors.json"
    assert read_card(path) == written


@pytest.mark.parametrize(
    ("path_in_card", "value", "message"),
    [
        (("card_format",), 2, "card_format: Input should be 1"),
        (("labels",), ["attack", "bona_fide"], "labels.0: Input should be 'bona_fide'"),
        (("preprocessing", "colour_order"), "BGR", "colour_order: Input should be 'RGB'"),
        (("preprocessing", "value_range"), [0, 1], "value_range.1: Input should be 255"),
        (
            ("preprocessing", "crop_side_px"),
            112,
            "takes crops of 224 pixels, preprocessing makes 112",
        ),
        (("preprocessing", "crop_scale"), 0.5, "crop_scale: Input should be greater than 1"),
        (("preprocessing", "std_rgb"), [0.5, 0, 0.5], "std_rgb.1: Input should be greater than 0"),
        (("preprocessing", "mean_rgb"), [0.5, 124, 0.5], "mean_rgb.1: Input should be less than"),
        (("architecture", "num_frames"), "5", "num_frames: Input should be a valid integer"),
        (("training",), {"data": " ", "is_synthetic": "no", "pai_species": []}, "training.data"),
        (("preprocessing", "mean_rgb"), [0.5], "mean_rgb.1: Field required"),
        (("weights", "file_name"), "../../etc/passwd", "file_name: String should match pattern"),
        (("weights", "sha256"), "abc", "sha256: String should match pattern"),
        (("model",), "a/b", "model: String should match pattern"),
        (
            ("operating_point",),
            POINT.model_dump(),
            "untrained model cannot have an operating point",
        ),
        (
            ("architecture", "aam", "num_patches"),
            17,
            "expected num_patches of at most 16",
        ),
        (("precision", "encode"), "int4", "precision.encode: Input should be 'float32', 'fp16'"),
        (("precision", "advise"), "int8", "precision.advise: Extra inputs are not permitted"),
        (("precision", "execute"), "int8", "a checkpoint is in float32, and its card says float32"),
        (("colour",), "RGB", "colour: Extra inputs are not permitted"),
    ],
)
def test_card_that_contradicts_itself_is_refused(
    path_in_card: tuple[str, ...], value: object, message: str, tmp_path: Path
) -> None:
    content = json.loads(card().model_dump_json())
    place = content
    for key in path_in_card[:-1]:
        place = place[key]
    place[path_in_card[-1]] = value
    (tmp_path / "bad.json").write_text(json.dumps(content))
    with pytest.raises(CardError) as caught:
        read_card(tmp_path / "bad.json")
    assert message in str(caught.value)


def test_threshold_outside_the_scores_is_refused() -> None:
    for threshold in (-0.1, 0, 1.1, float("nan"), False, "0.5"):
        with pytest.raises(ValidationError):
            OperatingPoint(threshold=threshold, rule="fixed-0.5", data="none")


def paths_of(content: dict[str, object], prefix: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Every key of nested objects."""
    paths = []
    for key, value in content.items():
        paths.append((*prefix, key))
        if isinstance(value, dict):
            paths += paths_of(value, (*prefix, key))
    return paths


WHOLE = json.loads(card(training=TRAINED, operating_point=POINT).model_dump_json())


LATER = {
    *(
        f"architecture.advisor.{name}"
        for name in ("freeze_backbone", "input_side_px", "levels", "context", "head")
    ),
    "preprocessing.context_scale",
    "operating_point.cameras",
}
"""What older cards lack, and what it means there is the paper's network."""


def test_older_card_is_read_as_what_it_was(tmp_path: Path) -> None:
    content = copy.deepcopy(WHOLE)
    for path in LATER:
        *parents, last = path.split(".")
        place = content
        for key in parents:
            place = place[key]
        del place[last]
    (tmp_path / "old.json").write_text(json.dumps(content))
    assert read_card(tmp_path / "old.json") == ModelCard.model_validate_json(json.dumps(WHOLE))


@pytest.mark.parametrize(
    "path",
    [p for p in paths_of(WHOLE) if p[0] != "versions" and ".".join(p) not in LATER],
    ids=lambda path: ".".join(path),
)
def test_nothing_that_a_card_leaves_out_is_taken_for_granted(
    path: tuple[str, ...], tmp_path: Path
) -> None:
    content = copy.deepcopy(WHOLE)
    place = content
    for key in path[:-1]:
        place = place[key]
    del place[path[-1]]
    if path == ("training",):  # A threshold without training is another contradiction.
        content["operating_point"] = None
    (tmp_path / "bad.json").write_text(json.dumps(content))
    with pytest.raises(CardError) as caught:
        read_card(tmp_path / "bad.json")
    assert ".".join(path) in str(caught.value)


@pytest.mark.parametrize("content", ["", "[]", "{", "null", "\x00"])
def test_what_is_no_card_is_refused(content: str, tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_text(content)
    with pytest.raises(CardError, match=r"bad.json is not a model card"):
        read_card(tmp_path / "bad.json")


def test_missing_card_is_told(tmp_path: Path) -> None:
    with pytest.raises(CardError, match="expected a model card at .*nowhere.json"):
        read_card(tmp_path / "nowhere.json")


def test_weights_are_read_only_if_they_are_the_cards(tmp_path: Path) -> None:
    content = b"weights"
    of_card = card(
        weights=WeightsFile(file_name="w.safetensors", format="safetensors", sha256=digest(content))
    )
    with pytest.raises(CardError, match="the card's weights are not at"):
        read_weights(of_card, tmp_path)
    write_whole(tmp_path / "w.safetensors", content)
    assert read_weights(of_card, tmp_path) == [content]
    write_whole(tmp_path / "w.safetensors", b"weightz")
    with pytest.raises(CardError, match="is not the file that its card describes"):
        read_weights(of_card, tmp_path)


def test_openvino_model_is_two_files_under_one_hash(tmp_path: Path) -> None:
    weights = WeightsFile(file_name="w.xml", format="openvino", sha256=digest(b"graph", b"numbers"))
    of_card = card(weights=weights)
    write_whole(tmp_path / "w.xml", b"graph")
    with pytest.raises(CardError, match=r"the card's weights are not at .*w.bin"):
        read_weights(of_card, tmp_path)
    write_whole(tmp_path / "w.bin", b"numbers")
    assert read_weights(of_card, tmp_path) == [b"graph", b"numbers"]
    write_whole(tmp_path / "w.bin", b"numberz")
    with pytest.raises(CardError, match="is not the file that its card describes"):
        read_weights(of_card, tmp_path)


def test_checkpoint_is_in_float32() -> None:
    weights = WeightsFile(file_name="w.safetensors", format="safetensors", sha256="0" * 64)
    with pytest.raises(ValidationError, match="a checkpoint is in float32, and its card says int8"):
        card(weights=weights, precision=Precision(encode="int8", execute="int8"))


def test_graph_of_lower_precision_says_so_in_its_file(tmp_path: Path) -> None:
    weights = WeightsFile(file_name="w.int8.onnx", format="onnx", sha256="0" * 64)
    written = card(weights=weights, precision=Precision(execute="int8"))
    path = write_card(written, tmp_path)
    assert json.loads(path.read_text())["precision"] == {"encode": "float32", "execute": "int8"}
    assert read_card(path) == written


def test_precision_is_named_by_its_parts() -> None:
    assert str(Precision()) == "float32"
    assert str(Precision(encode="bf16", execute="bf16")) == "bf16"
    assert str(Precision(execute="int8")) == "float32/int8"
    assert str(Precision(encode="int8")) == "int8/float32"


def test_digest_is_sha256() -> None:
    # FIPS 180-2, example B.1.
    assert digest(b"abc").startswith("ba7816bf8f01cfea414140de5dae2223b00361a396177a9c")
    assert digest(b"a", b"bc") == digest(b"abc")
