"""Buckets of tokens, counted by hand, and whom an address stands for."""

import pytest

from vivant.serving.rates import Rates, of_address


class Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def test_tokens_are_those_of_a_bucket_counted_by_hand() -> None:
    clock = Clock()
    rates = Rates(per_s=2.0, burst=3.0, clock=clock)
    # Three saved ones, then none: the next is there half a second later.
    assert [rates.take("a") for _ in range(4)] == [0.0, 0.0, 0.0, 0.5]
    clock.now_s += 0.25  # Half a token has come.
    assert rates.take("a") == pytest.approx(0.25)
    clock.now_s += 0.25  # A whole one: asking in vain cost nothing.
    assert rates.take("a") == 0.0
    assert rates.take("a") == pytest.approx(0.5)
    clock.now_s += 1.0  # Two more.
    assert [rates.take("a") for _ in range(3)] == [0.0, 0.0, pytest.approx(0.5)]


def test_no_more_are_saved_than_the_burst() -> None:
    clock = Clock()
    rates = Rates(per_s=1.0, burst=2.0, clock=clock)
    clock.now_s += 3600
    rates.take("a")
    clock.now_s += 3600
    assert [rates.take("a") > 0 for _ in range(3)] == [False, False, True]


def test_who_waits_as_long_as_told_gets_a_token() -> None:
    clock = Clock()
    rates = Rates(per_s=0.125, burst=1.0, clock=clock)
    rates.take("a")
    clock.now_s += 3
    wait_s = rates.take("a")
    assert wait_s == pytest.approx(5)
    clock.now_s += wait_s
    assert rates.take("a") == 0.0


def test_one_client_s_requests_cost_another_nothing() -> None:
    rates = Rates(per_s=1.0, burst=1.0, clock=Clock())
    assert [rates.take("a"), rates.take("a") > 0, rates.take("b")] == [0.0, True, 0.0]


def test_in_the_long_run_a_client_gets_the_rate() -> None:
    clock = Clock()
    rates = Rates(per_s=5.0, burst=4.0, clock=clock)
    taken = 0
    for _ in range(1000):  # 100 a second, for ten seconds.
        clock.now_s += 0.01
        taken += rates.take("a") == 0.0
    assert taken in (53, 54)  # 4 + 5 * 10, less what rounding holds back.


def test_client_that_was_unseen_the_longest_is_forgotten() -> None:
    clock = Clock()
    rates = Rates(per_s=0.001, burst=1.0, max_clients=2, clock=clock)
    assert [rates.take("a"), rates.take("b")] == [0.0, 0.0]
    assert rates.take("a") > 0  # Seen again: now b is the older one.
    assert rates.take("c") == 0.0  # Forgets b ...
    assert rates.take("a") > 0  # ... and not a,
    assert rates.take("b") == 0.0  # who could start anew.
    assert len(rates._buckets) == 2


@pytest.mark.parametrize(
    ("host", "client"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::/64"),
        ("testclient", "testclient"),
        ("", ""),
    ],
)
def test_address_stands_for_one_line(host: str, client: str) -> None:
    assert of_address(host) == client
