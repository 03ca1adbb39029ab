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
        (
            {"aam": {"depth_side": 10}},
            "aam.depth_side: Input should be 7, 14 or 28, got 10",
        ),
        ({"aam": {"grid_side": 5}}, "aam.grid_side: Input should be 4 or 7, got 5"),
        (
            {"aam": {"num_patches": 17}},
            "expected num_patches of at most 16, the cells of the 4x4 grid, got 17",
        ),
        (
            {"aam": {"num_patches": 50, "grid_side": 7}},
            "aam.num_patches: Input should be less than or equal to 49, got 50",
        ),
        (
            {"aam": {"num_patches": 0}},
            "aam.num_patches: Input should be greater than or equal to 1",
        ),
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
        NetworkConfig.model_validate({"aam": {"num_patches": 50, "frames": "first"}})
    error = explain(caught.value)
    assert isinstance(error, ConfigError)
    assert "aam.num_patches: Input should be less than or equal to 49, got 50" in str(error)
    assert "aam.frames" in str(error)


def test_each_cell_of_the_finer_grid_can_be_a_patch() -> None:
    assert AamConfig(grid_side=7, num_patches=49).num_patches == 49
    assert (AamConfig().grid_side, AamConfig().depth_side) == (4, 14), "the paper's"


def test_configurations_come_back_from_json() -> None:
    aam = AamConfig(widths=(8, 16, 24), grid_side=7, num_patches=20, depth_side=28)
    config = NetworkConfig(aam=aam, crop_side_px=448)
    assert NetworkConfig.model_validate_json(config.model_dump_json()) == config
