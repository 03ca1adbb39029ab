import json
import math
from pathlib import Path

import pytest
from pydantic import ValidationError

from made_up import card
from made_up_scores import made_up_profile
from vivant.errors import InputError, OutputError, ProfileError
from vivant.session.profile import (
    default_path,
    presentation_score,
    read_profile,
    write_profile,
)


def test_file_gives_the_same_profile_back(tmp_path: Path) -> None:
    path = tmp_path / "made_up.onnx.profile.json"
    profile = made_up_profile()
    write_profile(profile, path)
    assert read_profile(path) == profile
    assert read_profile(path).sha256 == profile.sha256
    # For people: a row of the whitening is a line.
    assert "\n      [ 0.0, 1.0 ]" in path.read_text()


def test_other_profile_other_hash() -> None:
    assert made_up_profile(max_cost=0.02).sha256 != made_up_profile().sha256


def test_limits_may_be_absent_but_not_left_out(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_profile(made_up_profile(out_of_distribution=None, windows_disagree=None), path)
    assert read_profile(path).doubts([]) == ()
    content = json.loads(path.read_text())
    del content["windows_disagree"]
    path.write_text(json.dumps(content))
    with pytest.raises(ProfileError, match="windows_disagree: Field required"):
        read_profile(path)


@pytest.mark.parametrize("name", sorted(made_up_profile().model_dump()))
def test_every_field_is_needed(name: str, tmp_path: Path) -> None:
    content = made_up_profile().model_dump(mode="json")
    del content[name]
    path = tmp_path / "a.json"
    path.write_text(json.dumps(content))
    with pytest.raises(ProfileError, match=rf"a\.json is not a whole profile: .*{name}"):
        read_profile(path)


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (("profile_format",), 2, "Input should be 1"),
        (("surprise",), 1, "Extra inputs"),
        (("weights_sha256",), "abc", "match pattern"),
        (("num_windows",), 0, "greater than or equal to 1"),
        (("operating_point", "threshold"), 0.0, "greater than 0"),
        (("operating_point", "threshold"), 1.5, "less than or equal to 1"),
        (("operating_point", "threshold"), math.nan, "finite|greater than 0"),
        (("operating_point", "threshold"), None, "valid number"),
        (("operating_point", "rule"), " ", "match pattern"),
        (("calibration", "slope"), -1.0, "greater than 0"),
        (("out_of_distribution", "limit"), math.inf, "finite"),
        (("is_synthetic",), True, "must say SYNTHETIC"),
    ],
)
def test_what_a_profile_may_not_say(
    place: tuple[str, ...], value: object, message: str, tmp_path: Path
) -> None:
    content = made_up_profile().model_dump(mode="json")
    part = content
    for name in place[:-1]:
        part = part[name]
    part[place[-1]] = value
    path = tmp_path / "a.json"
    path.write_text(json.dumps(content))
    with pytest.raises(ProfileError, match=message):
        read_profile(path)


def test_no_file_and_no_json(tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match="expected a profile at"):
        read_profile(tmp_path / "none.json")
    path = tmp_path / "a.json"
    path.write_bytes(b"\xff{")
    with pytest.raises(ProfileError, match="not a whole profile"):
        read_profile(path)
    with pytest.raises(OutputError, match="cannot write"):
        write_profile(made_up_profile(), path / "below")


def test_profile_of_other_weights_says_whose_it_is_and_what_to_do() -> None:
    made_up_profile().require_model(card())
    other = made_up_profile(weights_sha256="a" * 64)
    with pytest.raises(ProfileError) as caught:
        other.require_model(card())
    for told in ("a" * 64, "0" * 64, "vivant calibrate"):
        assert told in str(caught.value)


def test_operating_point_is_the_threshold_with_its_origin() -> None:
    point = made_up_profile().point
    assert (point.threshold, point.rule, point.data) == (0.5, "dev-bpcer=1%", "made-up:1 dev")
    assert made_up_profile().calibrated(0.8) == pytest.approx(0.5)


def test_profile_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        made_up_profile().max_cost = 0.5


def test_score_of_a_presentation_is_the_mean_over_its_windows() -> None:
    assert presentation_score([0.1, 0.2, 0.6]) == pytest.approx(0.3)
    assert presentation_score([1 + 1e-7]) == 1.0
    for scores in ([], [math.nan], [0.5, math.inf], [math.nan, 0.9]):
        with pytest.raises(InputError, match="expected finite scores of windows"):
            presentation_score(scores)


def test_profile_lies_beside_the_weights(tmp_path: Path) -> None:
    assert default_path(card(), tmp_path) == tmp_path / "made_up.onnx.profile.json"
