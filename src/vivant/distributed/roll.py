"""What is in work in a cluster: begun and not ended."""

from collections import Counter

__all__ = ["Roll"]

_TRIES = 3
"""A death may be chance: a machine that is taken away. Three over one thing are not."""


class Roll:
    """Knows what is in work, and what killed whoever worked on it. An actor's state."""

    def __init__(self) -> None:
        self._begun: Counter[int] = Counter()

    def begin(self, number: int) -> bool:
        """Whether a thing may be worked on: not where those who did before all died over it."""
        if self._begun[number] >= _TRIES:
            return False
        self._begun[number] += 1
        return True

    def end(self, number: int) -> None:
        """A thing is done; what is lost of it afterwards is no fault of its own."""
        del self._begun[number]

    def in_work(self) -> list[int]:
        """What was begun and has not ended."""
        return sorted(self._begun)
