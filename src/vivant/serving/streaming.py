"""WS /v1/stream: a camera's frames in as JPEG, hints and verdicts out.

docs/serving.md has the messages.
"""

import asyncio
import json
import secrets
import struct
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.websockets import WebSocket, WebSocketDisconnect

from vivant.errors import InputError, MediaError, Refusal
from vivant.faces.look import Look
from vivant.records import Reason
from vivant.serving.answers import ADVICE, to_answer
from vivant.serving.checking import require_open
from vivant.serving.keys import Level
from vivant.serving.problems import Problem, Trouble, of_fault, of_media_error
from vivant.serving.rates import Rates
from vivant.serving.service import Asked, Caller, MediaTrail, Service, client_of, log
from vivant.serving.sessions import CheckSession
from vivant.session.stream import Stream
from vivant.session.verdict import Verdict
from vivant.video.pictures import PictureReader

__all__ = ["router"]

_TIME = struct.Struct("<d")
_MAX_TEXT = 4096
_CLOSE = {413: 1009, 500: 1011, 503: 1013}  # All else is 1008: against the rules.
_GOING_DOWN = 1012
_GONE = 499  # In the log: the client went before the end. It has no number in HTTP; nginx has this.

T = TypeVar("T")


class _Ticket(BaseModel):
    model_config = ConfigDict(extra="forbid")
    id: str = Field(max_length=64)
    token: str = Field(max_length=64)


class _Hello(BaseModel):
    """The first message."""

    model_config = ConfigDict(extra="forbid")
    type: Literal["hello"]
    key: str | None = Field(None, max_length=256)
    session: _Ticket | None = None
    explain: bool = False


router = APIRouter()


@router.websocket("/v1/stream")
async def stream(service: Asked, socket: WebSocket) -> None:
    """A stream, from hello to its verdict or to the problem that ends it."""
    request_id, started_s = secrets.token_hex(8), time.perf_counter()
    status = 200
    await socket.accept()
    try:
        await _Conversation(service, socket, request_id).hold()
    except WebSocketDisconnect:
        status = _GONE
    except Problem as problem:
        status = problem.status
        await _refuse(service, socket, problem)
    except Exception as error:
        log.exception("a stream failed")
        fault = of_fault(error)
        status = fault.status
        await _refuse(service, socket, fault)
    finally:
        took_s = round(time.perf_counter() - started_s, 4)
        said: dict[str, object] = {
            "method": "WS",
            "route": "/v1/stream",
            "status": status,
            "seconds": took_s,
        }
        log.info("stream", extra={"fields": {"request": request_id} | said})


async def _refuse(service: Service, socket: WebSocket, problem: Problem) -> None:
    service.counters.problems.labels(problem.code.value).inc()
    said = {"type": "problem", **problem.record.model_dump(mode="json", exclude={"type"})}
    is_going = problem.code is Trouble.GOING_DOWN
    try:
        await socket.send_text(json.dumps(said | {"retry_after_s": problem.retry_after_s}))
        await socket.close(_GOING_DOWN if is_going else _CLOSE.get(problem.status, 1008))
    except (WebSocketDisconnect, RuntimeError):
        pass  # It has gone.


@dataclass(slots=True)
class _Seen:
    """What is answered to a frame."""

    look: Look | None
    verdict: Verdict | None


class _Conversation:
    """One stream, from hello to its verdict."""

    def __init__(self, service: Service, socket: WebSocket, request_id: str) -> None:
        self._service = service
        self._request_id = request_id
        self._work = threading.Lock()  # Work goes on in its thread when nobody waits for it.
        self._limits = service.limits
        self._socket = socket
        self._frames: deque[bytes | None] = deque()  # None: the end was said.
        self._news = asyncio.Event()
        self._num_answered = self._num_received = 0
        limits = service.limits
        self._rate = Rates(
            limits.max_frames_per_s, max(1.0, limits.max_frames_per_s), clock=service.clock
        )

    async def hold(self) -> None:
        require_open(self._service)
        if self._service.is_draining:
            raise Problem(Trouble.GOING_DOWN, "the service is being stopped: try again")
        hello = await self._hear_hello()
        caller, session = self._admit(hello)
        client = client_of(self._socket, caller)
        try:
            with self._place(client):
                await self._film(hello, caller, session)
        finally:
            if session is not None and not session.is_judged:
                self._service.sessions.release(session)

    async def _hear_hello(self) -> _Hello:
        message = await self._receive()
        try:
            return _Hello.model_validate_json(message.get("text") or "")
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"])) or "message"
            raise Problem(
                Trouble.BAD_REQUEST,
                'expected {"type": "hello", "key": ..., "session": ..., "explain": ...} first: '
                f"{place}: {first['msg']}",
            ) from error

    def _admit(self, hello: _Hello) -> tuple[Caller, CheckSession | None]:
        if hello.session is None:
            return self._service.identify(self._socket, hello.key), None
        self._service.limit_rate(self._socket)
        session = self._service.sessions.claim(hello.session.id, hello.session.token)
        return Caller("session", Level.PUBLIC), session

    def _place(self, client: str) -> ExitStack:
        """A place among the streams, until it is left."""
        streams, limits = self._service.num_streams, self._limits
        if sum(streams.values()) >= limits.max_streams:
            raise Problem(
                Trouble.BUSY, f"{limits.max_streams} streams are open (max_streams): try again", 5.0
            )
        if streams.get(client, 0) >= limits.max_streams_per_client:
            raise Problem(
                Trouble.RATE_LIMITED,
                f"expected at most {limits.max_streams_per_client} streams of one client "
                "(max_streams_per_client): end another first",
                5.0,
            )
        streams[client] = streams.get(client, 0) + 1
        self._service.counters.streams.inc()
        place = ExitStack()

        def leave() -> None:
            streams[client] -= 1
            if not streams[client]:
                del streams[client]
            self._service.counters.streams.dec()

        place.callback(leave)
        return place

    async def _film(self, hello: _Hello, caller: Caller, session: CheckSession | None) -> None:
        opened = ExitStack()
        hearing: asyncio.Task[None] | None = None
        try:
            stream, read = await self._in_thread(self._open, opened)
            limits = self._limits
            await self._say(
                type="ready",
                interval_s=self._service.session.card.preprocessing.frame_interval_s,
                max_in_flight=limits.max_in_flight,
                max_frame_bytes=limits.max_frame_bytes,
                max_s=limits.max_stream_s,
                is_trusted=caller.level is Level.TRUSTED,
            )
            hearing = asyncio.get_running_loop().create_task(self._hear_frames())
            trail, problem = await self._answer_frames(stream, read, caller, hearing)
            outcome: Verdict | Problem
            outcome = problem if problem is not None else await self._in_thread(self._end, stream)
            verdict = await self._service.conclude(
                outcome, trail, "session" if session else caller.name,
                self._request_id, session,
            )  # fmt: skip
            answer = to_answer(verdict, caller.level, explained=hello.explain)
            await self._say(type="verdict", answer=answer.model_dump(mode="json"))
            await self._socket.close(1000)
        finally:
            if hearing is not None:
                hearing.cancel()
            # Not awaited: whoever is cancelled here would cancel it, too.
            self._service.stream_threads.submit(self._close, opened)

    async def _hear_frames(self) -> None:
        """Take messages in as they come; ends with the client's end, or with its time."""
        loop = asyncio.get_running_loop()
        ends_at_s = loop.time() + self._limits.max_stream_s
        while True:
            left_s = ends_at_s - loop.time()
            if left_s <= 0:
                break
            message = await self._receive(left_s)
            if message is _TIME_IS_UP:
                break
            data = message.get("bytes")
            if data is None:
                if _is_end(message.get("text")):
                    break
                raise Problem(Trouble.BAD_REQUEST, 'expected frames, or {"type": "end"}')
            self._require_measure(data)
            self._num_received += 1
            self._frames.append(data)
            self._news.set()
        self._frames.append(None)
        self._news.set()

    def _require_measure(self, data: bytes) -> None:
        limits = self._limits
        if len(data) > limits.max_frame_bytes:
            raise Problem(
                Refusal.TOO_LARGE,
                f"expected frames of at most {limits.max_frame_bytes} bytes (max_frame_bytes), got "
                f"{len(data)}: send smaller ones",
            )
        if self._num_received - self._num_answered >= limits.max_in_flight:
            raise Problem(
                Trouble.RATE_LIMITED,
                f"expected at most {limits.max_in_flight} frames that are not answered yet "
                "(max_in_flight): wait for answers",
            )
        if self._rate.take("frames") > 0:
            raise Problem(
                Trouble.RATE_LIMITED,
                f"expected at most {limits.max_frames_per_s:g} frames a second (max_frames_per_s)",
            )

    async def _answer_frames(
        self,
        stream: Stream,
        read: PictureReader,
        caller: Caller,
        hearing: "asyncio.Task[None]",
    ) -> tuple[MediaTrail, Problem | None]:
        """Look at frames up to the end, or up to one that is refused as media are."""
        trail = MediaTrail(self._service)
        while True:
            while not self._frames:
                self._news.clear()
                told = asyncio.get_running_loop().create_task(self._news.wait())
                await asyncio.wait({told, hearing}, return_when=asyncio.FIRST_COMPLETED)
                told.cancel()
                if hearing.done() and not self._frames:
                    hearing.result()  # Raises what ended it.
            data = self._frames.popleft()
            if data is None:
                return trail, None
            trail.add(data)
            try:
                seen = await self._in_thread(self._push, stream, read, data)
            except Problem as problem:
                if not isinstance(problem.code, Refusal) or problem.is_passing:
                    raise
                return trail, problem
            self._num_answered += 1
            self._service.counters.stream_frames.inc()
            await self._say(**_frame_message(self._num_answered, seen, caller.level))

    def _open(self, opened: ExitStack) -> tuple[Stream, PictureReader]:
        with self._work:
            read = opened.enter_context(self._service.session.picture_reader())
        return Stream(self._service.session, live=True, clock=self._service.clock), read

    def _close(self, opened: ExitStack) -> None:
        with self._work:
            opened.close()

    def _push(self, stream: Stream, read: PictureReader, data: bytes) -> _Seen:
        if len(data) <= _TIME.size:
            raise Problem(
                Trouble.BAD_REQUEST, "expected 8 bytes with the time in seconds, then a JPEG"
            )
        (time_s,) = _TIME.unpack_from(data)
        try:
            with self._work:
                stream.push(read(data[_TIME.size :]), time_s)
        except MediaError as error:
            raise of_media_error(error) from error
        except InputError as error:
            raise Problem(Trouble.BAD_REQUEST, str(error)) from error
        return _Seen(stream.newest_look, stream.verdict)

    def _end(self, stream: Stream) -> Verdict:
        try:
            return stream.end()
        except InputError as error:
            raise Problem(Refusal.EMPTY_INPUT, str(error)) from error

    async def _receive(self, left_s: float = float("inf")) -> dict[str, Any]:
        """The next message; `_TIME_IS_UP` where the stream's time ends first."""
        patience_s = min(self._limits.hello_timeout_s, left_s)
        try:
            message = await asyncio.wait_for(self._socket.receive(), patience_s)
        except TimeoutError:
            if patience_s == left_s:
                return _TIME_IS_UP
            raise Problem(
                Trouble.BODY_TIMEOUT,
                f"expected a message within {patience_s:g} seconds (hello_timeout_s)",
            ) from None
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code", 1005))
        if len(message.get("text") or "") > _MAX_TEXT:
            raise Problem(Refusal.TOO_LARGE, f"expected at most {_MAX_TEXT} characters of text")
        return dict(message)

    async def _say(self, **message: object) -> None:
        await self._socket.send_text(json.dumps(message))

    async def _in_thread(self, work: Callable[..., T], *given: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(
            self._service.stream_threads, work, *given
        )


_TIME_IS_UP: dict[str, Any] = {}


def _is_end(text: str | None) -> bool:
    try:
        return bool(json.loads(text or "") == {"type": "end"})
    except (ValueError, RecursionError):
        return False


def _frame_message(number: int, seen: _Seen, level: Level) -> dict[str, object]:
    look, verdict = seen.look, seen.verdict
    box = None if look is None else look.box
    answer = None
    if verdict is not None and level is Level.TRUSTED:
        answer = to_answer(verdict, level).model_dump(mode="json")
    if box is None:
        codes = [Reason.NO_FACE]
    else:
        assert look is not None
        codes = list(dict.fromkeys(Reason(fault.code) for fault in look.faults))
        codes += [Reason.MULTIPLE_FACES] if look.others else []
    return {
        "type": "frame",
        "number": number,
        "face": None if box is None else [round(e, 1) for e in (box.x0, box.y0, box.x1, box.y1)],
        "is_usable": look is not None and look.is_usable,
        "hints": [{"code": code, "advice": ADVICE[code]} for code in codes],
        "num_windows": 0 if verdict is None else len(verdict.windows),
        "answer": answer,
    }
