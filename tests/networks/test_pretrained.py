from pathlib import Path

import huggingface_hub.errors
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from vivant.errors import WeightsError
from vivant.networks import pretrained
from vivant.networks.backbones.backbone import Backbone, build_backbone
from vivant.networks.pretrained import load_pretrained, read_tensors


def published(name: str, seed: int = 1) -> dict[str, Tensor]:
    """Weights as torchvision names them, classifier included."""
    torch.manual_seed(seed)
    state = {key: value + 0 for key, value in build_backbone(name).state_dict().items()}
    channels = build_backbone(name).num_channels
    return state | {"fc.weight": torch.zeros(1000, channels), "fc.bias": torch.zeros(1000)}


def as_legacy(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The names of timm's legacy_seresnet."""

    def rename(name: str) -> str:
        if name.startswith(("conv1.", "bn1.")):
            return f"layer0.{name}"
        return name.replace(".se.", ".se_module.").replace(
            "fc.", "last_linear.", name.startswith("fc.")
        )

    return {rename(name): tensor for name, tensor in tensors.items()}


def equal(backbone: Backbone, tensors: dict[str, Tensor]) -> bool:
    return all(torch.equal(value, tensors[name]) for name, value in backbone.state_dict().items())


@pytest.fixture(params=["safetensors", "pth", "checkpoint"])
def write(request: pytest.FixtureRequest, tmp_path: Path):
    """Write tensors as the kinds of file that people have."""

    def write_file(tensors: dict[str, Tensor]) -> str:
        path = tmp_path / f"weights.{request.param.replace('checkpoint', 'pth')}"
        if request.param == "safetensors":
            save_file(tensors, path)
        else:
            wrapped = request.param == "checkpoint"
            torch.save({"state_dict": tensors, "epoch": 3} if wrapped else tensors, path)
        return str(path)

    return write_file


@pytest.mark.parametrize("name", ["resnet18", "se_resnet18"])
def test_torchvision_and_timm_names_are_read(name: str, write: object) -> None:
    tensors = published(name)
    backbone = build_backbone(name)
    report = load_pretrained(backbone, write(tensors))
    assert equal(backbone, tensors)
    trained = [name for name in backbone.state_dict() if "num_batches_tracked" not in name]
    assert sorted(report.matched) == sorted(trained)
    assert sorted(report.left) == ["fc.bias", "fc.weight"]
    assert report.missing == []


def test_timms_legacy_names_are_read(tmp_path: Path) -> None:
    tensors = published("legacy_se_resnet18")
    save_file(as_legacy(tensors), tmp_path / "legacy.safetensors")
    backbone = build_backbone("legacy_se_resnet18")
    report = load_pretrained(backbone, str(tmp_path / "legacy.safetensors"))
    assert equal(backbone, tensors)
    assert sorted(report.left) == ["last_linear.bias", "last_linear.weight"]


def test_plain_weights_start_a_network_with_gates(
    tmp_path: Path, generator: torch.Generator
) -> None:
    tensors = published("resnet18")
    save_file(tensors, tmp_path / "plain.safetensors")
    backbone, plain = build_backbone("se_resnet18").eval(), build_backbone("resnet18").eval()
    report = load_pretrained(backbone, str(tmp_path / "plain.safetensors"))
    load_pretrained(plain, str(tmp_path / "plain.safetensors"))
    assert all(".se." in name for name in report.missing)
    assert len(report.missing) == 8 * 4
    crops = torch.randn(1, 3, 224, 224, generator=generator)
    with torch.inference_mode():
        torch.testing.assert_close(backbone(crops), plain(crops), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("file_of", "backbone", "message"),
    [
        ("se_resnet18", "resnet18", r"layer1.0.se.fc1.bias has no place here"),
        ("resnet34", "resnet18", r"layer1.2.bn1.bias has no place here"),
        ("resnet18", "resnet34", r"layer1.2.conv1.weight is not in the file"),
        ("resnet50", "resnet18", r"is \(64, 64, 1, 1\) in the file, expected \(64, 64, 3, 3\)"),
        ("se_resnet18", "legacy_se_resnet18", r"conv1.weight is not in the file"),
        ("resnet18", "legacy_se_resnet18", r"conv1.weight is not in the file"),
        ("resnet18", "efficientnet_lite0", r"stem.conv.weight is not in the file"),
    ],
)
def test_another_networks_file_is_refused_and_changes_nothing(
    file_of: str, backbone: str, message: str, tmp_path: Path
) -> None:
    save_file(published(file_of), tmp_path / "other.safetensors")
    network = build_backbone(backbone)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    with pytest.raises(WeightsError, match=message) as caught:
        load_pretrained(network, str(tmp_path / "other.safetensors"))
    assert "Nothing was loaded" in str(caught.value)
    assert equal(network, before)


def test_legacy_file_does_not_slip_into_the_modern_layout(tmp_path: Path) -> None:
    """Names differ in the stem and the gates alone; the strides differ in silence."""
    save_file(as_legacy(published("legacy_se_resnet18")), tmp_path / "legacy.safetensors")
    with pytest.raises(WeightsError, match="conv1.weight is not in the file"):
        load_pretrained(build_backbone("se_resnet18"), str(tmp_path / "legacy.safetensors"))


def test_some_gates_are_worse_than_none(tmp_path: Path) -> None:
    tensors = published("se_resnet18")
    del tensors["layer2.0.se.fc1.weight"]
    save_file(tensors, tmp_path / "torn.safetensors")
    with pytest.raises(WeightsError, match="layer2.0.se.fc1.weight is not in the file"):
        load_pretrained(build_backbone("se_resnet18"), str(tmp_path / "torn.safetensors"))


class Stowaway:
    """What a hostile checkpoint would run."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (print, ("this must not run",))


def test_no_object_is_ever_built_from_a_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.save({"conv1.weight": Stowaway()}, tmp_path / "hostile.pth")
    with pytest.raises(WeightsError, match="not a readable file of weights"):
        read_tensors(tmp_path / "hostile.pth")
    assert "must not run" not in capsys.readouterr().out


@pytest.mark.filterwarnings("ignore:Detected pickle protocol:UserWarning")
@pytest.mark.parametrize("name", ["broken.safetensors", "broken.pth"])
@pytest.mark.parametrize(
    "content", [b"", b"not weights at all", b"\x80\x04\x95", b"\x80\x02.", b"\x80\x02h\x05."]
)
def test_damaged_files_are_refused(name: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(WeightsError, match="not a readable file of weights"):
        read_tensors(tmp_path / name)


def test_missing_file_and_other_contents_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="found none at"):
        read_tensors(tmp_path / "nowhere.pth")
    torch.save([1, 2], tmp_path / "list.pth")
    with pytest.raises(WeightsError, match="not a state dict: .* got list"):
        read_tensors(tmp_path / "list.pth")
    torch.save({1: torch.zeros(1)}, tmp_path / "numbers.pth")
    with pytest.raises(WeightsError, match="not a state dict"):
        read_tensors(tmp_path / "numbers.pth")
    torch.save({"a": torch.eye(2).to_sparse()}, tmp_path / "sparse.pth")
    with pytest.raises(WeightsError, match="expected names with dense tensors"):
        read_tensors(tmp_path / "sparse.pth")
    save_file({"a": torch.tensor([float("nan")])}, tmp_path / "nan.safetensors")
    with pytest.raises(WeightsError, match="tensor a has NaN"):
        read_tensors(tmp_path / "nan.safetensors")


def test_hub_without_a_network_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(repository: str, file_name: str) -> str:
        raise huggingface_hub.errors.LocalEntryNotFoundError("no connection")

    monkeypatch.setattr(pretrained, "hf_hub_download", unreachable)
    with pytest.raises(WeightsError, match="download its model.safetensors or pytorch_model.bin"):
        load_pretrained(build_backbone("resnet18"), "hub:timm/resnet18.a1_in1k")


def test_hub_file_is_read_like_any_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tensors = published("resnet18")
    save_file(tensors, tmp_path / "model.safetensors")

    def cached(repository: str, file_name: str) -> str:
        assert (repository, file_name) == ("timm/resnet18.a1_in1k", "model.safetensors")
        return str(tmp_path / file_name)

    monkeypatch.setattr(pretrained, "hf_hub_download", cached)
    backbone = build_backbone("resnet18")
    load_pretrained(backbone, "hub:timm/resnet18.a1_in1k")
    assert equal(backbone, tensors)


def test_hub_name_must_be_one() -> None:
    with pytest.raises(WeightsError, match="expected hub:<owner>/<repository>"):
        load_pretrained(build_backbone("resnet18"), "hub:not a name")
