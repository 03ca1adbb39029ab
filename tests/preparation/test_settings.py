import pytest
from pydantic import ValidationError

from vivant.preparation.settings import PreparationSettings


def test_the_usual_crop_of_a_large_face_is_never_enlarged() -> None:
    settings = PreparationSettings()
    assert settings.face_px * 1.3 >= 223.5


def test_the_margin_holds_the_widest_crop_of_training_and_a_little_motion() -> None:
    assert PreparationSettings().margin >= 1.5 + 2 * 0.1


def test_own_data_may_be_longer_than_a_strangers_but_not_endless() -> None:
    limits = PreparationSettings().video_limits
    assert 60 < limits.max_seconds < 3600
    assert limits.max_bytes < 2**31


@pytest.mark.parametrize(
    "field", [{"interval_s": 0}, {"margin": 0.9}, {"jpeg_quality": 0}, {"max_frames": 0}, {"x": 1}]
)
def test_impossible_settings_are_refused(field: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        PreparationSettings(**field)
