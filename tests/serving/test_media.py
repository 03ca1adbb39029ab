"""The media of a request: a body as it is, or a form; in memory alone."""

import asyncio
import tempfile
from collections.abc import MutableMapping
from typing import Any

import pytest
from starlette.formparsers import MultiPartParser
from starlette.requests import Request

from services import client
from vivant.errors import Refusal
from vivant.serving.limits import ServiceLimits
from vivant.serving.media import Media, read_media
from vivant.serving.problems import Problem, Trouble

BOUNDARY = "edge"
FORM = f"multipart/form-data; boundary={BOUNDARY}"


def part(name: str, content: bytes, file: str | None = "a.bin") -> bytes:
    named = "" if file is None else f'; filename="{file}"'
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{named}\r\n\r\n'
    return head.encode() + content + b"\r\n"


def form(*parts: bytes) -> bytes:
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


def request(body: bytes, kind: str | None = None, *, piece: int = 65536, cut: bool = False):
    pieces = [body[at : at + piece] for at in range(0, len(body), piece)] or [b""]
    messages = [{"type": "http.request", "body": one, "more_body": True} for one in pieces]
    messages[-1]["more_body"] = False
    if cut:
        messages[-1] = {"type": "http.disconnect"}
    waiting = iter(messages)

    async def receive() -> MutableMapping[str, Any]:
        return next(waiting)

    headers = [] if kind is None else [(b"content-type", kind.encode("latin-1"))]
    return Request({"type": "http", "method": "POST", "headers": headers}, receive)


def read(body: bytes, kind: str | None = None, max_frames: int = 64, **how: Any) -> Media:
    limits = ServiceLimits(max_frames=max_frames)
    return asyncio.run(read_media(request(body, kind, **how), limits))


def refused(body: bytes, kind: str | None = None, **how: Any) -> Problem:
    with pytest.raises(Problem) as caught:
        read(body, kind, **how)
    return caught.value


def frames(num: int) -> list[bytes]:
    return [part("frames", b"frame %d" % i) for i in range(num)]


@pytest.mark.parametrize("kind", [None, "application/octet-stream", "video/mp4", "image/jpeg", "x"])
def test_body_is_the_file_whatever_it_says_it_is(kind: str | None) -> None:
    media = read(b"\x00\xff" * 100_000, kind, piece=999)
    assert media.source == b"\x00\xff" * 100_000
    assert media.parts == (media.source,)


@pytest.mark.parametrize("piece", [1, 7, 65536])
def test_file_of_a_form_comes_whole_however_it_is_cut(piece: int) -> None:
    content = b"\r\n--edg\r\n\x00--edgy" * 20
    assert read(form(part("media", content)), FORM, piece=piece).source == content


def test_kind_is_read_without_its_case_and_parameters() -> None:
    kind = f"Multipart/Form-Data ; charset=utf-8; boundary={BOUNDARY}"
    assert read(form(part("media", b"film")), kind).source == b"film"


def test_frames_come_in_the_order_in_which_they_were_sent() -> None:
    media = read(form(*frames(6)), FORM)
    assert media.source == tuple(b"frame %d" % i for i in range(6))
    assert media.parts == media.source
    assert media.rate == 10.0


@pytest.mark.parametrize(("said", "rate"), [("30", 30.0), ("0.5", 0.5), ("240", 240.0)])
def test_frames_have_the_rate_that_the_form_says(said: str, rate: float) -> None:
    body = form(*frames(5), part("rate", said.encode(), file=None))
    assert read(body, FORM).rate == rate


@pytest.mark.parametrize("said", ["0", "-1", "240.1", "nan", "inf", "1e400", "ten", "", "0x10"])
def test_rate_that_is_none_is_refused(said: str) -> None:
    problem = refused(form(*frames(5), part("rate", said.encode(), file=None)), FORM)
    assert (problem.code, problem.status) == (Trouble.BAD_REQUEST, 422)
    assert "expected `rate` as frames a second, above 0 and at most 240" in problem.detail
    assert repr(said) in problem.detail


def test_rate_that_is_a_file_is_refused() -> None:
    problem = refused(form(*frames(5), part("rate", b"30")), FORM)
    assert "expected `rate`" in problem.detail


@pytest.mark.parametrize(
    ("parts", "got"),
    [
        ([], "got 0 and 0"),
        (frames(4), "got 0 and 4"),
        ([part("media", b"a"), part("media", b"b")], "got 2 and 0"),
        ([part("media", b"a"), *frames(5)], "got 1 and 5"),
        ([part("media", b"text", file=None)], "got 0 and 0"),
        ([part("file", b"film")], "got 0 and 0"),
    ],
)
def test_form_that_is_neither_a_file_nor_frames_says_what_was_expected(
    parts: list[bytes], got: str
) -> None:
    problem = refused(form(*parts), FORM)
    assert problem.code is Trouble.BAD_REQUEST
    assert f"expected one file `media`, or 5 or more files `frames`, {got}" in problem.detail


def test_nothing_is_empty_input_wherever_it_is() -> None:
    for body, kind in (
        (b"", None),
        (form(part("media", b"")), FORM),
        (form(*frames(5), part("frames", b"")), FORM),
    ):
        assert refused(body, kind).code is Refusal.EMPTY_INPUT


def test_more_frames_than_the_limit_are_refused_by_its_name() -> None:
    assert len(read(form(*frames(6)), FORM, max_frames=6).parts) == 6
    problem = refused(form(*frames(7)), FORM, max_frames=6)
    assert (problem.code, problem.status) == (Trouble.BAD_REQUEST, 422)
    assert "At most 6 files are taken (max_frames)" in problem.detail


def test_form_of_text_says_how_curl_sends_a_file() -> None:
    problem = refused(b"a=b", "application/x-www-form-urlencoded; charset=utf-8")
    assert problem.code is Trouble.BAD_REQUEST
    assert "--data-binary @FILE" in problem.detail
    assert "-F media=@FILE" in problem.detail


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"film", "multipart/form-data"),
        (b"film", FORM),
        (b"film", "multipart/form-data; boundary="),
        (b"film", "multipart/form-data; boundary=" + "x" * 1000),
        (form(b"--edge\r\n@@@\r\n\r\nfilm\r\n"), FORM),
        (form(b"--edge\r\nContent-Disposition: form-data\r\n\r\nfilm\r\n"), FORM),
        (form(b"--edge\r\nA: b\r\n\r\nfilm\r\n"), FORM),
        (form(b"--edge\r\n" + b"A: b\r\n" * 5000 + b"\r\nfilm\r\n"), FORM),
        (form(part("rate", b"1" * 2000, file=None)), FORM),
        (form(*[part("rate", b"1", file=None)] * 9), FORM),
        (form(part("media", b"film"))[:-12], FORM),
        # Codecs that the sender chooses, and that do not decode.
        (form(part("media\xff", b"film")), f"{FORM}; charset=undefined"),
        (form(part("xn--\xff", b"film")), f"{FORM}; charset=idna"),
        (form(part("media", b"film")), f'{FORM}; charset="a\0b"'),
    ],
)
def test_damaged_form_is_the_sender_s_fault(body: bytes, kind: str) -> None:
    problem = refused(body, kind)
    assert (problem.code, problem.status) == (Trouble.BAD_REQUEST, 422)
    assert "form is" in problem.detail or "expected one file" in problem.detail


def test_damaged_forms_are_never_a_fault_of_the_service() -> None:
    with client() as asked:
        for charset in ("undefined", "idna", "no-such", "utf-16", "zlib"):
            answer = asked.post(
                "/v1/check",
                content=form(part("xn--\xff", b"film")),
                headers={"content-type": f"{FORM}; charset={charset}"},
            )
            assert (answer.status_code, answer.json()["code"]) == (422, "BAD_REQUEST"), charset


@pytest.mark.parametrize("kind", [None, FORM])
def test_body_that_ends_early_is_no_presentation(kind: str | None) -> None:
    problem = refused(form(part("media", bytes(200_000))), kind, cut=True)
    assert problem.code is Trouble.BAD_REQUEST
    assert "the body ended early" in problem.detail


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What was written to a disk by way of `tempfile`."""
    found: list[object] = []
    real = tempfile.TemporaryFile

    def note(*given: Any, **named: Any) -> Any:
        found.append(given)
        return real(*given, **named)

    monkeypatch.setattr(tempfile, "TemporaryFile", note)
    return found


def test_large_files_of_a_form_never_touch_the_disk(written: list[object]) -> None:
    large = bytes(range(256)) * (5 * 2**20 // 256)
    media = read(form(part("media", large)), FORM)
    assert media.source == large
    assert len(read(form(*[part("frames", large)] * 5), FORM).parts) == 5
    assert written == []


def test_starlette_s_own_parser_would_have_written_them(written: list[object]) -> None:
    asked = request(form(part("media", bytes(5 * 2**20))), FORM)

    async def parse() -> None:
        parsed = await MultiPartParser(asked.headers, asked.stream()).parse()
        await parsed.close()

    asyncio.run(parse())
    assert written, "else the test above could not fail"


def test_files_of_a_form_are_closed_once_they_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []
    real = tempfile.SpooledTemporaryFile

    def note(*given: Any, **named: Any) -> Any:
        made.append(real(*given, **named))
        return made[-1]

    monkeypatch.setattr("starlette.formparsers.SpooledTemporaryFile", note)
    read(form(part("media", b"film")), FORM)
    refused(form(*frames(4)), FORM)
    refused(form(*frames(4), b"--edge\r\n@@"), FORM)
    assert len(made) == 9
    for file in made:
        assert file.closed
        assert not file._rolled
