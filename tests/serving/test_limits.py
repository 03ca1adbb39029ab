"""The limits of the service, and the words of a command line that set them."""

import pytest
from pydantic import ValidationError

from vivant.errors import InputError, UnknownNameError
from vivant.serving.limits import ServiceLimits, parse_limits


def test_settings_change_what_they_name_and_nothing_else() -> None:
    limits = parse_limits(["max_streams=8", "batch_wait_s=0.25", "max_waiting=0"])
    assert (limits.max_streams, limits.batch_wait_s, limits.max_waiting) == (8, 0.25, 0)
    changed = {"max_streams", "batch_wait_s", "max_waiting"}
    assert limits.model_dump(exclude=changed) == ServiceLimits().model_dump(exclude=changed)


def test_without_settings_the_limits_are_the_service_s_own() -> None:
    assert parse_limits([]) == ServiceLimits()
    # What docs/serving.md and the issue promise.
    assert ServiceLimits().session_s == 180
    assert ServiceLimits().max_in_flight == 2
    assert ServiceLimits().max_body_bytes == 32 * 1024 * 1024


def test_last_of_two_settings_holds() -> None:
    assert parse_limits(["session_s=5", "session_s=7"]).session_s == 7


def test_unknown_limit_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'max_body_bytes'") as caught:
        parse_limits(["max_body_byte=1"])
    for name in ServiceLimits.model_fields:
        assert name in str(caught.value)


@pytest.mark.parametrize("setting", ["max_streams", "max_streams:8", ""])
def test_setting_without_an_equals_sign_says_how_it_is_written(setting: str) -> None:
    with pytest.raises(InputError, match="expected a limit as name=value") as caught:
        parse_limits([setting])
    assert repr(setting) in str(caught.value)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("max_streams=many", r"limit max_streams: .*integer.*, got many"),
        ("max_streams=", r"limit max_streams: .*integer.*, got "),
        ("max_streams=1.5", r"limit max_streams: .*integer.*, got 1\.5"),
        ("max_body_bytes=0", r"limit max_body_bytes: .*greater than 0, got 0"),
        ("max_frames=4", r"limit max_frames: .*greater than or equal to 5, got 4"),
        ("max_waiting=-1", r"limit max_waiting: .*greater than or equal to 0, got -1"),
        ("body_timeout_s=inf", r"limit body_timeout_s: .*finite.*, got inf"),
        ("body_timeout_s=nan", r"limit body_timeout_s: .*, got nan"),
        ("batch_wait_s=-0.1", r"limit batch_wait_s: .*greater than or equal to 0, got -0\.1"),
    ],
)
def test_value_that_a_limit_cannot_have_is_refused_by_name(setting: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse_limits([setting])


def test_no_limit_can_be_switched_off() -> None:
    for name in ServiceLimits.model_fields:
        with pytest.raises(ValidationError):
            ServiceLimits.model_validate({name: -1})
        with pytest.raises(ValidationError):
            ServiceLimits.model_validate({name: None})


def test_limits_cannot_be_changed_while_the_service_runs() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        ServiceLimits().max_streams = 100  # type: ignore[misc]
