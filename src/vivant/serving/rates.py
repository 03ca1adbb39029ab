"""How often a client may ask: a bucket of tokens for each (steady rate, with bursts)."""

import time
from collections import OrderedDict
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address

__all__ = ["Rates", "of_address"]


class Rates:
    """Tokens of many clients. Not safe to use from threads.

    Args:
        per_s: Tokens that each client gets in a second.
        burst: Tokens that a client can have saved.
        max_clients: Clients that are remembered: beyond, the one longest unseen is forgotten.
        clock: Seconds that pass.
    """

    def __init__(
        self,
        per_s: float,
        burst: float,
        max_clients: int = 100_000,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._per_s = per_s
        self._burst = burst
        self._max_clients = max_clients
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, client: str) -> float:
        """Take a token.

        Returns:
            0 where there was one; else the seconds until there is.
        """
        now = self._clock()
        tokens, seen = self._buckets.pop(client, (self._burst, now))
        tokens = min(self._burst, tokens + (now - seen) * self._per_s)
        is_allowed = tokens >= 1
        self._buckets[client] = (tokens - is_allowed, now)
        if len(self._buckets) > self._max_clients:
            self._buckets.popitem(last=False)
        return 0.0 if is_allowed else (1 - tokens) / self._per_s


def of_address(host: str) -> str:
    """Whom an address stands for: itself, or the network of 64 bits that one line of IPv6 has.

    >>> of_address("2001:db8::1:2")
    '2001:db8::/64'
    """
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:  # A name, or a socket of this machine.
        return host
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return f"{IPv6Address(int(address) >> 64 << 64)}/64"
    return host
