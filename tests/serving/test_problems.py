"""Errors as callers get them: every code has a status, and only 503 and 429 ask to come back."""

import json

import pytest

from vivant.errors import MediaError, Refusal
from vivant.serving.problems import PROBLEM_TYPE, Problem, Trouble, of_media_error

CODES = [*Refusal, *Trouble]
# The media or the request may be sound: the same once more may be answered.
RETRYABLE = {
    Refusal.TIMEOUT,
    Refusal.RESOURCE_LIMIT,
    Trouble.BUSY,
    Trouble.GOING_DOWN,
    Trouble.NOT_READY,
}


@pytest.mark.parametrize("code", CODES, ids=str)
def test_each_code_is_an_error_and_503_means_try_the_same_again(code: Refusal | Trouble) -> None:
    problem = Problem(code, "because")
    assert 400 <= problem.status <= 599
    assert (problem.status == 503) is (code in RETRYABLE)
    assert ("Retry-After" in problem.headers) is (code in RETRYABLE)


def test_only_a_fault_of_ours_is_500() -> None:
    assert [code for code in CODES if Problem(code, "").status == 500] == [Trouble.FAILED]


@pytest.mark.parametrize(
    ("code", "status"),
    [
        (Trouble.BAD_REQUEST, 422),
        (Trouble.UNAUTHORIZED, 401),
        (Trouble.FORBIDDEN, 403),
        (Trouble.CROSS_ORIGIN, 403),
        (Trouble.WRONG_HOST, 421),
        (Trouble.NOT_FOUND, 404),
        (Trouble.METHOD_NOT_ALLOWED, 405),
        (Trouble.BODY_TIMEOUT, 408),
        (Trouble.HEADER_TIMEOUT, 408),
        (Trouble.HEADERS_TOO_LARGE, 431),
        (Trouble.SESSION_USED, 409),
        (Trouble.SESSION_EXPIRED, 410),
        (Trouble.RATE_LIMITED, 429),
        (Refusal.TOO_LARGE, 413),
        (Refusal.UNSUPPORTED_FORMAT, 415),
        (Refusal.CORRUPT_MEDIA, 422),
        (Refusal.EMPTY_INPUT, 422),
        (Refusal.TOO_MANY_PIXELS, 422),
    ],
)
def test_statuses_are_those_of_http(code: Refusal | Trouble, status: int) -> None:
    assert Problem(code, "").status == status


def test_codes_of_media_and_of_requests_are_never_the_same() -> None:
    assert len({code.value for code in CODES}) == len(CODES)


@pytest.mark.parametrize(
    ("wait_s", "header"), [(0.0, "1"), (0.2, "1"), (1.0, "1"), (1.001, "2"), (9.5, "10")]
)
def test_retry_after_is_in_whole_seconds_rounded_up(wait_s: float, header: str) -> None:
    assert Problem(Trouble.RATE_LIMITED, "", wait_s).headers["Retry-After"] == header


def test_unauthorized_says_how_to_show_a_key() -> None:
    assert Problem(Trouble.UNAUTHORIZED, "").headers == {"WWW-Authenticate": "Bearer"}
    assert Problem(Trouble.FORBIDDEN, "").headers == {}


def test_answer_is_problem_json_with_its_headers() -> None:
    given = {"Allow": "POST"}
    problem = Problem(Trouble.METHOD_NOT_ALLOWED, 'say "please"', 2.5, given)
    answer = problem.response()
    assert answer.status_code == 405
    assert answer.headers["content-type"] == PROBLEM_TYPE == "application/problem+json"
    assert (answer.headers["allow"], answer.headers["retry-after"]) == ("POST", "3")
    assert json.loads(answer.body) == {
        "type": "about:blank",
        "title": "Method Not Allowed",
        "status": 405,
        "detail": 'say "please"',
        "code": "METHOD_NOT_ALLOWED",
    }
    assert given == {"Allow": "POST"}, "the caller's own headers stay as they were"


def test_refused_media_keep_their_code_and_words() -> None:
    problem = of_media_error(MediaError(Refusal.TOO_LONG, "lasts 61 s, at most 60"))
    assert (problem.code, problem.detail) == (Refusal.TOO_LONG, "lasts 61 s, at most 60")
    assert str(problem) == "lasts 61 s, at most 60"


def test_no_problem_can_be_taken_for_a_decision() -> None:
    for code in CODES:
        record = Problem(code, "x").record.model_dump()
        assert "decision" not in record
        assert "bona_fide" not in json.dumps(record)
