import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from made_up import TRAINED
from made_up import card as made_up_card
from made_up_scores import made_up_profile
from vivant.cli.app import app
from vivant.errors import OutputError, ProfileError, UnknownNameError, WeightsError
from vivant.networks.card import read_card, write_card
from vivant.networks.checkpoint import load_checkpoint
from vivant.networks.models import model_d
from vivant.session.profile import write_profile


def run(*arguments: str) -> Result:
    result = CliRunner().invoke(app, arguments)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_list_names_the_models_and_says_what_they_are() -> None:
    output = run("model", "list").stdout
    assert "model_d" in output
    assert "the complete network" in output
    assert set(json.loads(run("model", "list", "--json").stdout)) >= {"model_a", "model_d", "lite"}


def test_summary_is_a_table_for_people() -> None:
    output = run("model", "summary", "model_d").stdout
    assert "50,288,245" in output
    assert "50.492" in output
    assert "5 x 2048 x 7 x 7" in output


def test_backbone_may_be_another(tmp_path: Path) -> None:
    content = json.loads(
        run("model", "summary", "model_d", "--backbone", "resnet18", "--json").stdout
    )
    assert content["architecture"]["advisor"]["backbone"] == "resnet18"
    assert content["parts"][0]["num_parameters"] == 11_176_512
    with pytest.raises(UnknownNameError, match="did you mean 'se_resnet18'"):
        run("model", "init", "model_d", "--backbone", "seresnet18", "--out", str(tmp_path))


def test_summary_is_json_for_programs() -> None:
    content = json.loads(run("model", "summary", "model_d", "--json").stdout)
    assert content["model"] == "model_d"
    assert content["architecture"] == model_d().model_dump(mode="json")
    assert content["parts"][-1] == {
        "part": "total",
        "output_shape": [1],
        "num_parameters": 50_288_245,
        "gmacs": pytest.approx(50.492, abs=1e-3),
    }


def test_init_makes_a_checkpoint_that_says_untrained(tmp_path: Path) -> None:
    output = run("model", "init", "lite", "--pretrained", "package", "--out", str(tmp_path)).stdout
    assert "UNTRAINED" in output
    assert "matched" in output
    assert "245" in output
    assert "_fc.weight, _fc.bias" in output
    card = tmp_path / "lite.safetensors.json"
    assert card.name in output.replace("\n", "")
    assert read_card(card).training is None
    network, _ = load_checkpoint(card)
    assert network.config.advisor.backbone == "efficientnet_lite0"


def test_init_is_the_same_for_the_same_seed(tmp_path: Path) -> None:
    for folder, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        run("model", "init", "lite", "--out", str(tmp_path / folder), "--seed", seed)
    digests = [
        read_card(tmp_path / folder / "lite.safetensors.json").weights.sha256 for folder in "abc"
    ]
    assert digests[0] == digests[1] != digests[2]


def test_init_with_weights_that_do_not_fit_writes_nothing(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="does not fit this backbone"):
        run("model", "init", "model_d", "--pretrained", "package", "--out", str(tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_weights_that_are_there_are_not_replaced_unasked(tmp_path: Path) -> None:
    weights = tmp_path / "lite.safetensors"
    weights.write_bytes(b"trained for two days")
    with pytest.raises(
        OutputError, match="is there already: choose another folder, or say --force"
    ):
        run("model", "init", "lite", "--out", str(tmp_path))
    assert weights.read_bytes() == b"trained for two days"
    run("model", "init", "lite", "--out", str(tmp_path), "--force")
    assert weights.read_bytes() != b"trained for two days"


def test_unknown_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'lite'"):
        run("model", "init", "light", "--out", str(tmp_path))


def test_card_is_told_with_the_operating_point_of_its_profile(tmp_path: Path) -> None:
    write_card(made_up_card(), tmp_path)
    output = run("model", "card", str(tmp_path)).stdout
    for told in ("made_up, made_up.onnx", "0" * 64, "trained on: made-up:1 (print)",
                 "bona fide from 0.5000 on (dev-eer on made-up:1 dev)", "profile: none"):  # fmt: skip
        assert told in output, told
    write_profile(made_up_profile(), tmp_path / "made_up.onnx.profile.json")
    output = run("model", "card", str(tmp_path / "made_up.onnx.json")).stdout
    for told in ("profile: made_up.onnx.profile.json", "dev-bpcer=1% on made-up:1 dev",
                 "dev, held out: BPCER", "note: dev has 100"):  # fmt: skip
        assert told in output, told
    content = json.loads(run("model", "card", str(tmp_path), "--json").stdout)
    assert content["card"] == made_up_card().model_dump(mode="json")
    assert content["profile"] == made_up_profile().model_dump(mode="json")


def test_card_of_an_untrained_or_synthetic_model_says_so(tmp_path: Path) -> None:
    write_card(made_up_card(training=None, point=None), tmp_path)
    output = run("model", "card", str(tmp_path)).stdout
    assert "UNTRAINED: no decision may rest on it" in output
    assert "operating point: none" in output
    write_card(made_up_card(TRAINED.model_copy(update={"is_synthetic": True})), tmp_path)
    assert "trained on: SIMULATED ATTACKS: made-up:1" in run("model", "card", str(tmp_path)).stdout


def test_profile_of_another_model_beside_a_card_is_refused(tmp_path: Path) -> None:
    write_card(made_up_card(), tmp_path)
    other = made_up_profile(weights_sha256="c" * 64)
    write_profile(other, tmp_path / "made_up.onnx.profile.json")
    with pytest.raises(ProfileError, match="c" * 64):
        run("model", "card", str(tmp_path))
