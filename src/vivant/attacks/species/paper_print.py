"""PAI species print: a picture on paper, held before the camera."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import UInt8

from vivant.attacks.camera import Filming
from vivant.attacks.paper import Paper, PaperLook
from vivant.attacks.recapture import lay_over
from vivant.attacks.species.species import Species
from vivant.attacks.staging import Staging

__all__ = ["paper_print"]


def paper_print() -> Species:
    """A colour print, flat or bent, that fills the frame or shows its edges."""
    return Species("print", PaperLook, _film, moves=False)


def _film(
    staging: Staging, filming: Filming, look: PaperLook, generator: np.random.Generator
) -> Iterator[UInt8[np.ndarray, "frame_height frame_width 3"]]:
    """Frames of a print: the first picture is printed."""
    paper = Paper(staging.pictures[0], staging.scale, look, generator)
    hands = paper.hands(staging.scale, staging.lens, generator)
    for number, pose in enumerate(staging.path):
        light = staging.behind(number)
        lay_over(light, paper.seen(pose, staging.lens, filming.camera))
        if hands is not None:
            lay_over(light, hands.seen(pose))
        yield filming.film(light)
