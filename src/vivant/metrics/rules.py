"""How a threshold is found, by name: a number without its rule says nothing."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Shaped

from vivant.errors import InputError
from vivant.metrics.thresholds import apcer_at_bpcer, bpcer_at_apcer, eer_threshold

__all__ = ["ThresholdRule", "parse_rule"]

_FORMS = "dev-eer, dev-apcer=1%, dev-bpcer=1%, fixed-0.5 or test-eer"
_LIMIT = re.compile(r"dev-(apcer|bpcer)=(\d+(?:\.\d+)?)%")
_FIXED = re.compile(r"fixed-(\d+(?:\.\d+)?|\.\d+)")


@dataclass(frozen=True, slots=True)
class ThresholdRule:
    """One way to find a threshold."""

    name: str
    """As it was asked for."""
    kind: Literal["eer", "apcer", "bpcer", "fixed"]
    side: Literal["dev", "test", "none"]
    """The scores it is found on; `none` for a threshold that is given."""
    value: float | None
    """The largest APCER or BPCER, 0..1, or the threshold that is given; None for `eer`."""

    @property
    def is_optimistic(self) -> bool:
        """Whether it is found on the very scores that are judged."""
        return self.side == "test"

    def threshold(
        self,
        bona_fide_scores: Shaped[np.ndarray, "..."],
        attack_scores: Mapping[str, Shaped[np.ndarray, "..."]],
    ) -> float:
        """The threshold; infinity where nothing else keeps the APCER.

        Args:
            bona_fide_scores: (n,), of `side`.
            attack_scores: By PAI species, of `side`.

        Raises:
            InputError: scores that are none.
        """
        if self.kind == "eer":
            return eer_threshold(bona_fide_scores, attack_scores)[0]
        assert self.value is not None
        if self.kind == "fixed":
            return self.value
        at_limit = bpcer_at_apcer if self.kind == "apcer" else apcer_at_bpcer
        return at_limit(bona_fide_scores, attack_scores, self.value)[0]


def parse_rule(name: str) -> ThresholdRule:
    """The rule of a name.

    Args:
        name: `dev-eer` (errors equal on the dev side, worst PAI species), `dev-apcer=1%` or
            `dev-bpcer=1%` (the dev side's APCER or BPCER is at most that), `fixed-0.5`, or
            `test-eer` (on the scores that are judged: optimistic, for comparison alone).

    Raises:
        InputError: no such rule.

    >>> parse_rule("dev-apcer=0.5%")
    ThresholdRule(name='dev-apcer=0.5%', kind='apcer', side='dev', value=0.005)
    """
    if name == "dev-eer":
        return ThresholdRule(name, "eer", "dev", None)
    if name == "test-eer":
        return ThresholdRule(name, "eer", "test", None)
    limit = _LIMIT.fullmatch(name)
    if limit is not None and float(limit[2]) <= 100:
        kind: Literal["apcer", "bpcer"] = "apcer" if limit[1] == "apcer" else "bpcer"
        return ThresholdRule(name, kind, "dev", float(limit[2]) / 100)
    fixed = _FIXED.fullmatch(name)
    if fixed is not None:
        return ThresholdRule(name, "fixed", "none", float(fixed[1]))
    raise InputError(f"expected a threshold rule such as {_FORMS}, got {name!r}")
