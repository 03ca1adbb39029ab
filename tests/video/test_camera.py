import socket
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

import av
import numpy as np
import pytest

from clocks import PATIENCE_S
from media import pattern
from vivant.errors import InputError, MediaError, Refusal
from vivant.video.camera import _film, open_camera, open_stream
from vivant.video.limits import VideoLimits

LIMITS = VideoLimits()
PASSWORD = "geheim123"


def test_camera_is_filmed_for_so_long_at_the_interval() -> None:
    media = _film("testsrc=size=640x480:rate=30", "lavfi", {}, 1.0, 0.1, LIMITS)
    frames = list(media.frames)
    assert not media.is_still
    assert [frame.time_s for frame in frames[:10]] == pytest.approx(np.arange(10) / 10)
    assert len(frames) == 11  # The last is near the place just behind the end.
    assert frames[10].time_s == pytest.approx(29 / 30)
    assert all(frame.pixels.shape == (480, 640, 3) for frame in frames)


def test_camera_that_stops_early_gives_what_it_gave() -> None:
    media = _film("testsrc=size=64x64:rate=10:duration=0.5", "lavfi", {}, 5.0, 0.1, LIMITS)
    assert len(list(media.frames)) == 5


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("testsrc=size=62x64", Refusal.TOO_SMALL),
        ("testsrc=size=4098x64", Refusal.TOO_MANY_PIXELS),
        ("anullsrc", Refusal.NO_VIDEO_STREAM),
        ("testsrc=size=64x64:duration=0.001,trim=start_frame=5", Refusal.CORRUPT_MEDIA),
    ],
)
def test_frames_of_a_camera_are_bounded_too(source: str, code: Refusal) -> None:
    media = _film(source, "lavfi", {}, 1.0, 0.1, LIMITS)
    with pytest.raises(MediaError) as caught:
        list(media.frames)
    assert caught.value.code == code


@pytest.mark.parametrize("seconds", [0.0, -1.0, 60.1, float("nan"), float("inf")])
def test_seconds_out_of_range_are_refused(seconds: float) -> None:
    for call in (open_camera, open_stream):
        source = 0 if call is open_camera else "rtsp://127.0.0.1/"
        with pytest.raises(InputError, match=r"at most 60 seconds \(max_seconds\), got"):
            call(source, seconds, 0.1, LIMITS)


def test_camera_that_is_not_there_is_told() -> None:
    with pytest.raises(MediaError, match="the camera does not answer") as caught:
        open_camera(63, 1.0, 0.1, LIMITS)
    assert caught.value.code == Refusal.NOT_A_FILE


def test_number_of_a_camera_is_none_below_0() -> None:
    with pytest.raises(InputError, match="expected a camera's number, 0 or more, got -1"):
        open_camera(-1, 1.0, 0.1, LIMITS)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/", "file:///etc/passwd", "/dev/video0", "concat:a|b", "", "rtp://127.0.0.1",
        "rtsp://127.0.0.1/\0x", "tcp://127.0.0.1:1", "lavfi:testsrc",
    ],
)  # fmt: skip
def test_streams_are_rtsp_and_nothing_else(url: str) -> None:
    with pytest.raises(InputError, match="begins with rtsp:// or rtsps://"):
        open_stream(url, 1.0, 0.1, LIMITS)


def test_password_is_not_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]  # Closed again: nobody answers.
    with pytest.raises(MediaError) as caught:
        open_stream(f"rtsp://anna:{PASSWORD}@127.0.0.1:{port}/door", 1.0, 0.1, LIMITS)
    assert caught.value.code == Refusal.NOT_A_FILE
    assert PASSWORD not in "".join(traceback.format_exception(caught.value))


class _Packets:
    """A file whose every write is one packet."""

    def __init__(self) -> None:
        self.packets: list[bytes] = []

    def write(self, data: bytes) -> int:
        self.packets.append(bytes(data))
        return len(data)


def rtp_packets(count: int, rate: int) -> list[bytes]:
    """Motion JPEG as RFC 2435 sends it."""
    file = _Packets()
    with av.open(file, "w", format="rtp", container_options={"packetsize": "1400"}) as target:
        stream = target.add_stream("mjpeg", rate=rate, options={"huffman": "default"})
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuvj420p"
        for index in range(count):
            picture = av.VideoFrame.from_ndarray(pattern(index), format="rgb24")
            target.mux(stream.encode(picture.reformat(format="yuvj420p", threads=1)))
        target.mux(stream.encode(None))
    return [packet for packet in file.packets if not 192 <= packet[1] <= 223]  # Without RTCP.


@contextmanager
def rtsp_camera(packets: list[bytes]) -> Iterator[int]:
    """A camera in the network that serves one guest; gives its port."""
    server = socket.create_server(("127.0.0.1", 0))
    server.settimeout(PATIENCE_S)
    sdp = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nt=0 0\r\nm=video 0 RTP/AVP 26\r\na=control:track\r\n"
    headers = {
        "OPTIONS": "Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN\r\n",
        "DESCRIBE": f"Content-Type: application/sdp\r\nContent-Length: {len(sdp)}\r\n",
        "SETUP": "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\nSession: 1\r\n",
    }

    def serve() -> None:
        guest, _ = server.accept()
        guest.settimeout(PATIENCE_S)
        with guest, guest.makefile("rb") as lines:
            while line := lines.readline():
                method, sequence = line.split()[0].decode(), b"0"
                while (line := lines.readline()).strip():
                    if line.lower().startswith(b"cseq:"):
                        sequence = line.split()[1]
                answer = (
                    f"RTSP/1.0 200 OK\r\nCSeq: {sequence.decode()}\r\n{headers.get(method, '')}"
                )
                guest.sendall(f"{answer}\r\n{sdp if method == 'DESCRIBE' else ''}".encode())
                if method == "PLAY":
                    for packet in packets:
                        guest.sendall(b"$\0" + len(packet).to_bytes(2, "big") + packet)
                    return

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield server.getsockname()[1]
    thread.join(PATIENCE_S)
    server.close()
    assert not thread.is_alive()


def test_stream_of_the_network_is_filmed() -> None:
    with rtsp_camera(rtp_packets(40, 20)) as port:
        media = open_stream(f"rtsp://anna:{PASSWORD}@127.0.0.1:{port}/door", 1.0, 0.1, LIMITS)
        frames = list(media.frames)
    assert [frame.time_s for frame in frames] == pytest.approx(
        np.arange(len(frames)) / 10, abs=0.01
    )
    assert 8 <= len(frames) <= 10
    assert frames[0].pixels.shape == (64, 96, 3)
