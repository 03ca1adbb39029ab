"""Which connection makes way for another, and when one that does not read is ended."""

import asyncio

import pytest

from clocks import JumpClock
from vivant.serving.waiting import Evictable, Waiting, WriteClock, longest_waiting


class Connection(Evictable):
    def __init__(self, waiting: Waiting | None) -> None:
        self.waiting = waiting


def test_longest_waiting_makes_way() -> None:
    busy, early, late = Connection(None), Connection(Waiting(5.0)), Connection(Waiting(8.0))
    assert longest_waiting([busy, late, early, object()], 9.0) is early
    assert longest_waiting([busy, object()], 9.0) is None


def test_body_and_reader_have_a_moment_before_they_make_way() -> None:
    slow = Connection(Waiting(5.0, is_begun=True))
    assert longest_waiting([slow], 6.9) is None
    assert longest_waiting([slow], 7.0) is slow


class Transport(asyncio.Transport):
    def __init__(self, num_unread: int) -> None:
        super().__init__()
        self.num_unread, self.is_aborted = num_unread, False

    def get_write_buffer_size(self) -> int:
        return self.num_unread

    def abort(self) -> None:
        self.is_aborted = True


@pytest.mark.parametrize(
    ("num_unread", "is_read", "is_stopped", "expected"),
    [(9, False, False, True), (0, False, False, False), (9, True, False, False),
     (9, False, True, False)],
)  # fmt: skip
def test_clock_ends_what_is_not_read(
    num_unread: int, is_read: bool, is_stopped: bool, expected: bool
) -> None:
    async def run() -> bool:
        transport = Transport(num_unread)
        clock = WriteClock(asyncio.get_running_loop(), transport, 20.0)
        clock.start()
        if is_read:
            transport.num_unread = 0
        if is_stopped:
            clock.stop()
        await asyncio.sleep(19.9)
        assert not transport.is_aborted
        await asyncio.sleep(0.2)
        return transport.is_aborted

    assert JumpClock().run(run()) is expected
