"""Bodies: bounded in bytes, in time and over all requests, while they stream in."""

import asyncio
from collections.abc import Iterator, MutableMapping
from typing import Any

import pytest

from clocks import JumpClock, settle
from services import client
from vivant.errors import Refusal
from vivant.serving.bodies import BoundedBodies
from vivant.serving.limits import ServiceLimits
from vivant.serving.problems import Problem, Trouble

Message = MutableMapping[str, Any]


def chunks(*sizes: int) -> list[Message]:
    last = len(sizes) - 1
    return [
        {"type": "http.request", "body": bytes(size), "more_body": i < last}
        for i, size in enumerate(sizes)
    ]


class Sender:
    """Gives messages, and counts how many were asked for."""

    def __init__(self, messages: list[Message], wait_s: float = 0.0) -> None:
        self.messages = iter(messages)
        self.wait_s = wait_s
        self.asked = 0

    async def __call__(self) -> Message:
        self.asked += 1
        await asyncio.sleep(self.wait_s)
        return next(self.messages, {"type": "http.disconnect"})


async def nowhere(_: Message) -> None:
    raise AssertionError("nothing is answered here")


def scope(length: str | None = None, kind: str = "http") -> Message:
    headers = [] if length is None else [(b"content-length", length.encode())]
    return {"type": kind, "headers": headers}


async def read_all(_: Message, receive: Any, send: Any) -> None:
    while (await receive()).get("more_body", False):
        pass


def read(sender: Sender, length: str | None = None, **limits: float) -> None:
    bodies = BoundedBodies(read_all, ServiceLimits(**limits))
    JumpClock().run(bodies(scope(length), sender, nowhere))


def test_body_of_just_the_limit_passes_and_one_byte_more_does_not() -> None:
    read(Sender(chunks(60, 40)), max_body_bytes=100)
    with pytest.raises(Problem, match=r"\(max_body_bytes\), got more") as caught:
        read(Sender(chunks(60, 41)), max_body_bytes=100)
    assert (caught.value.code, caught.value.status) == (Refusal.TOO_LARGE, 413)


def test_body_is_counted_while_it_comes_and_not_read_to_its_end() -> None:
    sender = Sender(chunks(*[10] * 1000))
    with pytest.raises(Problem):
        read(sender, max_body_bytes=35)
    assert sender.asked == 4


@pytest.mark.parametrize("length", ["101", "99999999999999999999999999"])
def test_body_that_says_it_is_too_large_is_not_begun(length: str) -> None:
    sender = Sender(chunks(1))
    with pytest.raises(Problem, match="max_body_bytes"):
        read(sender, length, max_body_bytes=100)
    assert sender.asked == 0


@pytest.mark.parametrize("length", ["5", "-1", "x", "٣"])
def test_a_length_that_lies_is_not_believed(length: str) -> None:
    with pytest.raises(Problem, match="max_body_bytes"):
        read(Sender(chunks(60, 60)), length, max_body_bytes=100)


def test_limit_is_named_in_mebibytes() -> None:
    with pytest.raises(Problem, match="at most 0.5 MiB"):
        read(Sender(chunks(2**19 + 1)), max_body_bytes=2**19)


def test_slow_body_is_given_up_by_its_whole_time_and_not_by_each_piece() -> None:
    # Each piece comes in time for itself.
    sender = Sender(chunks(*[7] * 1000), wait_s=3)
    with pytest.raises(Problem, match=r"within 20 seconds \(body_timeout_s\), got 42 bytes") as e:
        read(sender, body_timeout_s=20)
    assert (e.value.code, e.value.status) == (Trouble.BODY_TIMEOUT, 408)
    assert sender.asked == 7


def test_after_the_body_waiting_for_the_client_to_go_takes_as_long_as_it_takes() -> None:
    async def wait_for_the_end(_: Message, receive: Any, send: Any) -> None:
        assert not (await receive())["more_body"]
        sender.wait_s = 300
        assert (await receive())["type"] == "http.disconnect"

    sender = Sender(chunks(5))
    bodies = BoundedBodies(wait_for_the_end, ServiceLimits(body_timeout_s=10))
    JumpClock().run(bodies(scope(), sender, nowhere))


def test_all_requests_share_the_memory_and_give_it_back() -> None:
    async def run() -> None:
        hold = asyncio.Event()

        async def app(scope_: Message, receive: Any, send: Any) -> None:
            await read_all(scope_, receive, send)
            if scope_.get("holds"):
                await hold.wait()
            if scope_.get("fails"):
                raise ZeroDivisionError

        bodies = BoundedBodies(app, ServiceLimits(upload_memory_bytes=100, max_body_bytes=80))

        async def ask(size: int, **how: bool) -> None:
            await bodies(scope() | how, Sender(chunks(size)), nowhere)

        first = asyncio.create_task(ask(60, holds=True))
        await settle()
        await ask(40)  # Just fits beside it,
        await ask(40)  # and again, once it has gone.
        with pytest.raises(Problem, match=r"\(upload_memory_bytes\)") as caught:
            await ask(41)
        assert (caught.value.code, caught.value.status) == (Trouble.BUSY, 503)
        assert "Retry-After" in caught.value.headers
        with pytest.raises(ZeroDivisionError):
            await ask(40, fails=True)
        await ask(40)
        hold.set()
        await first
        await ask(80)

    JumpClock().run(run())


def test_sockets_pass_untouched() -> None:
    got = []

    async def app(*given: Any) -> None:
        got.extend(given)

    sender = Sender([])
    asked = scope(kind="websocket")
    JumpClock().run(BoundedBodies(app, ServiceLimits())(asked, sender, nowhere))
    assert got == [asked, sender, nowhere]


def test_over_http_a_body_without_a_length_is_refused_all_the_same() -> None:
    def pieces() -> Iterator[bytes]:
        for _ in range(20):
            yield bytes(1000)

    with client(max_body_bytes=10_000) as asked:
        answer = asked.post("/v1/check", content=pieces())
        assert "content-length" not in answer.request.headers
        form = asked.post("/v1/check", files={"media": ("a", bytes(20_000))})
    for one in (answer, form):
        assert (one.status_code, one.json()["code"]) == (413, "TOO_LARGE")
        assert "max_body_bytes" in one.json()["detail"]
