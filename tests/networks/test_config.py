import pytest
from pydantic import ValidationError

from vivant.errors import ConfigError
from vivant.networks.config import AamConfig, NetworkConfig, explain


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"aam": None}, "fusion 'exp_add' needs the Attended-Auxiliary Module"),
        ({"crop_side_px": 300}, "expected crop_side_px 224, 448 or 672, got 300"),
        ({"aam": None, "fusion": "am", "crop_side_px": 448}, "larger crops serve the patches only"),
        ({"aam": {"depth_head": False, "depth_to_class": True}}, "depth_to_class needs depth_head"),
        ({"aam": {"widths": (8, 1, 8)}}, "widths of 2 to 1024 channels"),
        ({"advisor": {"dropout": 1.0}}, "less than 1"),
        ({"num_frames": 0}, "greater than or equal to 1"),
        ({"fusion": "max"}, "'exp_add', 'exp_mul', 'mean', 'am' or 'aam'"),
        ({"layers": 3}, "layers: Extra inputs are not permitted"),
    ],
)
def test_contradictions_are_refused(content: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        NetworkConfig.model_validate(content)
    assert message in str(explain(caught.value))


def test_all_findings_are_told_at_once_with_their_path() -> None:
    with pytest.raises(ValidationError) as caught:
        NetworkConfig.model_validate({"aam": {"num_patches": 17, "frames": "first"}})
    error = explain(caught.value)
    assert isinstance(error, ConfigError)
    assert "aam.num_patches: Input should be less than or equal to 16, got 17" in str(error)
    assert "aam.frames" in str(error)


def test_configurations_come_back_from_json() -> None:
    config = NetworkConfig(aam=AamConfig(widths=(8, 16, 24)), crop_side_px=448)
    assert NetworkConfig.model_validate_json(config.model_dump_json()) == config
