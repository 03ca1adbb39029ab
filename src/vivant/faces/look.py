"""The record of one look at one frame."""

from dataclasses import dataclass

from vivant.faces.quality import FaceQuality
from vivant.records import FaceBox, Finding

__all__ = ["Look"]


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen of the face on one frame."""

    time_s: float
    others: tuple[FaceBox, ...] | None = None
    """Other faces; None where the frame was not searched for them."""
    box: FaceBox | None = None
    """The face; None where it was not seen, and then so is what follows."""
    quality: FaceQuality | None = None
    faults: tuple[Finding, ...] = ()
    """What is wrong with the face on this frame."""
    is_elsewhere: bool = False
    """Whether the face appeared where the one before was not."""
    motion: float | None = None
    """Change from the look before, in grey levels; None for the first."""

    @property
    def is_usable(self) -> bool:
        """Whether the face is there and filmed well enough."""
        return self.box is not None and not self.faults
