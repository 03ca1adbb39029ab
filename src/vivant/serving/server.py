"""Runs the application: where it listens, for whom, and how it ends."""

import asyncio
import ctypes
import ipaddress
import logging
import signal
import socket
import struct
import sys
from asyncio.trsock import TransportSocket
from contextlib import suppress
from types import FrameType

import uvicorn
from fastapi import FastAPI
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from vivant.errors import InputError
from vivant.serving.app import create_app
from vivant.serving.connections import bounded_protocol
from vivant.serving.gate import LOOPBACK_HOSTS
from vivant.serving.service import Service
from vivant.serving.sockets import bounded_sockets

__all__ = [
    "believe",
    "build_server",
    "is_loopback",
    "require_free",
    "require_keys",
    "serve",
    "turn_away",
]

_TICK_S = 0.05
_STREAMS_S = 20.0  # How long streams may go on when the service is to end.
_END_S = 60  # How long requests may, after that.
_CONNECT_S = 0.5  # For those who have begun to connect.
_SO_ATTACH_FILTER = 26  # Python does not name it.
_MESSAGE_OVERHEAD = 64

log = logging.getLogger("vivant.serving")


def is_loopback(host: str) -> bool:
    """Whether an address is reached from this machine alone.

    >>> is_loopback("127.0.0.1"), is_loopback("0.0.0.0")
    (True, False)
    """
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def require_keys(host: str, *, is_proxied: bool, has_keys: bool, anyone: bool) -> None:
    """Refuse to listen to the world without keys.

    Args:
        host: Where to listen.
        is_proxied: Whether a proxy passes others' requests on, or the service has other names.
        has_keys: Whether callers must show a key.
        anyone: Whether the user said that anyone may call.

    Raises:
        InputError: others could reach the service, and nobody said that they may.
    """
    if (is_proxied or not is_loopback(host)) and not has_keys and not anyone:
        reached = "through a proxy" if is_loopback(host) else f"at {host}"
        raise InputError(
            f"the service can be reached from other machines {reached}: make keys (`vivant key "
            "add NAME --file keys.json`) and start with --keys keys.json, or say --anyone-may-call"
        )


def require_free(host: str, port: int) -> None:
    """Refuse an address that another listens at, before anything is opened for it.

    Args:
        host: As for `serve`.
        port: As there.

    Raises:
        InputError: the address cannot be listened at.
    """
    _listen(host, port).close()


def believe(app: FastAPI, proxy: str) -> None:
    """Let an application believe a reverse proxy about who asks, where another server runs it.

    Args:
        app: Of `create_app`, before it starts.
        proxy: The proxy's address.
    """
    app.add_middleware(ProxyHeadersMiddleware, trusted_hosts=proxy)


def serve(
    service: Service,
    host: str,
    port: int,
    *,
    host_names: tuple[str, ...] = (),
    proxy: str | None = None,
    drain_s: float = 3.0,
) -> None:
    """Answer until a signal ends it: SIGTERM or SIGINT, twice to end at once.

    With the first, `/readyz` says so at once, while requests are still taken for `drain_s` seconds,
    so that a proxy notices; then no more are, and all that were taken are answered.

    Args:
        service: What answers.
        host: Address to listen at.
        port: To listen at; 0: any that is free.
        host_names: More names under which it answers, on a loopback address.
        proxy: Address of a reverse proxy that is believed about who asks (X-Forwarded-For); None:
            none is.
        drain_s: See above.

    Raises:
        InputError: the address cannot be listened at.
    """
    listener = _listen(host, port)
    server = build_server(service, host, host_names=host_names, proxy=proxy, drain_s=drain_s)
    address = listener.getsockname()
    shown = f"[{address[0]}]" if ":" in address[0] else address[0]
    log.info("listening at http://%s:%d", shown, address[1])
    try:
        server.run(sockets=[listener])
    except SystemExit as error:  # uvicorn's word for a start that failed; the log says why.
        if error.code:
            raise InputError("the service did not start: see above") from error
    finally:
        listener.close()


def build_server(
    service: Service,
    host: str,
    *,
    host_names: tuple[str, ...] = (),
    proxy: str | None = None,
    drain_s: float = 3.0,
) -> uvicorn.Server:
    """Make the server that `serve` runs on a socket; it may run in any event loop.

    Args:
        service: What answers.
        host: Address of the socket.
        host_names: As for `serve`.
        proxy: As there.
        drain_s: As there.
    """
    names = LOOPBACK_HOSTS | {host, *host_names} if is_loopback(host) else None
    limits = service.limits
    config = uvicorn.Config(
        create_app(service, names),
        loop="asyncio",
        http=bounded_protocol(limits),
        ws=bounded_sockets(limits),
        ws_max_size=limits.max_frame_bytes + _MESSAGE_OVERHEAD,
        ws_per_message_deflate=False,  # JPEG does not shrink, and a bomb of zeros would.
        timeout_keep_alive=limits.idle_timeout_s,
        timeout_graceful_shutdown=_END_S,
        proxy_headers=proxy is not None,
        forwarded_allow_ips=proxy,
        server_header=False,
        access_log=False,
        log_config=None,
        lifespan="on",
    )
    return _DrainingServer(config, service, drain_s)


class _DrainingServer(uvicorn.Server):
    """Goes on taking requests for a while after the signal."""

    def __init__(self, config: uvicorn.Config, service: Service, drain_s: float) -> None:
        super().__init__(config)
        self._service = service
        self._drain_s = drain_s
        self._draining: asyncio.Task[None] | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """A signal: begin to end; a second one ends at once."""
        if self._service.is_draining or not self.started:
            super().handle_exit(sig, frame)
            self.force_exit = sig == signal.SIGINT
            return
        log.info("%s: not ready, ending in %g s", signal.Signals(sig).name, self._drain_s)
        self._service.is_draining = True

    async def on_tick(self, counter: int) -> bool:
        """The beat of uvicorn: end once the time has passed."""
        if self._service.is_draining and self._draining is None:
            self._draining = asyncio.get_running_loop().create_task(self._drain())
        return await super().on_tick(counter)

    async def _drain(self) -> None:
        await asyncio.sleep(self._drain_s)
        patience_s = _STREAMS_S
        while self._service.num_streams and patience_s > 0:
            await asyncio.sleep(_TICK_S)
            patience_s -= _TICK_S
        for server in self.servers:
            for listener in server.sockets:
                turn_away(listener)
        await asyncio.sleep(_CONNECT_S)
        self.should_exit = True


def turn_away(listener: TransportSocket | socket.socket) -> None:
    """Let nobody begin to connect; who has, still gets in. Closing at once would cut those off.

    The kernel passes over what begins a connection, so that whoever tries waits for a second, tries
    again, and is refused by the closed socket. Elsewhere than on Linux nothing is done.

    Args:
        listener: It listens, for TCP.
    """
    if sys.platform != "linux":
        return
    program = b"".join(
        struct.pack("=HBBI", *statement)
        for statement in (
            (0x30, 0, 0, 13),  # Of TCP's header the byte of flags,
            (0x54, 0, 0, 0x12),  # of that the bits SYN and ACK:
            (0x15, 0, 1, 0x02),  # where it is SYN alone
            (0x06, 0, 0, 0),  # none of the packet is let through,
            (0x06, 0, 0, 0xFFFF),  # else all.
        )
    )
    held = ctypes.create_string_buffer(program)
    where = struct.pack("@HP", len(program) // 8, ctypes.addressof(held))
    with suppress(OSError):
        listener.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, where)


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, _, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, socket.SOCK_STREAM)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen()  # Now: two that are bound and do not listen yet do not disturb.
        except OSError:
            listener.close()
            raise
    except OSError as error:
        raise InputError(
            f"cannot listen at {host}, port {port}: {error.strerror}. Choose others with --host "
            "and --port"
        ) from error
    listener.set_inheritable(False)
    return listener
