"""What a PAI species is to the simulation. A new one is one new file in this folder.

A species is a function in its module's `__all__`, found by name like every plug-in, that builds a
`Species`. Data sets and commands call it by its `pai_species`; no two have the same.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import UInt8

from vivant.attacks.camera import Filming
from vivant.attacks.staging import Staging

__all__: list[str] = []

Film = Callable[
    [Staging, Filming, Any, np.random.Generator],
    Iterator[UInt8[np.ndarray, "frame_height frame_width 3"]],
]
"""Films a staging: frames of what the camera records. The third is the species' look; the generator
draws what the look leaves open."""


@dataclass(frozen=True, slots=True)
class Species:
    """One kind of attack instrument."""

    pai_species: str
    """Its name in a data set's rows: `print`, `replay`, `cut_photo`."""
    look: type[Any]
    """Dataclass whose fields state their ranges (`vivant.attacks.ranges`)."""
    film: Film
    moves: bool
    """Whether it shows a clip, or one picture of it."""
