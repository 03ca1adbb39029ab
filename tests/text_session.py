"""A session whose presentations are lines of text: quick tests of what is done with many files.

A text has the grey level of each clip, such as `170 30`; without one there is no face. `bad` cannot
be read, and `bug` is a mistake of ours.
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from evaluations import GreyRunner
from made_up import MadeUpRunner
from vivant.errors import MediaError, Refusal
from vivant.geometry.crop import crop_box
from vivant.records import FaceBox, Finding, Reason
from vivant.session.clip import Clip, Seen
from vivant.session.profile import Profile
from vivant.session.session import Session

FACE = FaceBox(220.0, 140.0, 420.0, 340.0)


def seen(greys: Iterable[int], num_frames: int = 5, *, wide: bool = False) -> Seen:
    """A presentation with a clip of each grey level, and of its wider crops."""
    clips = tuple(
        Clip(
            np.full((num_frames, 224, 224, 3), grey, np.uint8),
            tuple(at + 0.1 * frame for frame in range(num_frames)),
            FACE,
            crop_box(FACE, 640, 480, 1.3),
            is_padded=False,
            context=np.full((num_frames, 160, 160, 3), grey, np.uint8) if wide else None,
            context_crop=crop_box(FACE, 640, 480, 2.0) if wide else None,
        )
        for at, grey in enumerate(greys)
    )
    return Seen(
        clips=clips,
        reasons=() if clips else (Finding(Reason.NO_FACE, "there is no face"),),
        num_looks=10,
        num_faces=10 if clips else 0,
        frame_size=(640, 480),
        poster=np.zeros((3, 4, 3), np.uint8),
        poster_face=None,
        decode_s=0.25,
        faces_s=0.5,
    )


class TextSession(Session):
    """Sees texts, in `seen` order of their starts; judges as any session."""

    def __init__(self, runner: MadeUpRunner | None = None, profile: Profile | None = None) -> None:
        super().__init__(runner or GreyRunner(), isolated=False, profile=profile)
        self.texts: list[str] = []
        """What was seen, in the order in which it was begun."""

    def see(self, source: Path | str | bytes, *, rate: float = 30.0) -> Seen:
        text = source.decode() if isinstance(source, bytes) else Path(source).read_text()
        self.texts.append(text)
        if text == "bad":
            raise MediaError(Refusal.CORRUPT_MEDIA, "damaged beyond use")
        if text == "bug":
            raise ZeroDivisionError("a mistake of ours")
        return seen(map(int, text.split()), self.card.architecture.num_frames)
