"""A session looks at a picture and runs its network, before anybody waits for it."""

import io

import numpy as np
from PIL import Image

from vivant.errors import VivantError
from vivant.runtimes.runner import blank_clips
from vivant.session.session import Session
from vivant.session.verdict import Decision

__all__ = ["require_working"]


def require_working(session: Session) -> None:
    """Decode a picture, look at it and run the network.

    Raises:
        VivantError: it does not work.
    """
    file = io.BytesIO()
    Image.fromarray(np.zeros((240, 320, 3), np.uint8)).save(file, "JPEG")
    verdict = session.check(file.getvalue())
    if verdict.decision is not Decision.NO_DECISION:
        raise VivantError(f"a black picture was judged {verdict.decision}: do not use this model")
    scores = session.runner.run(*blank_clips(session.card))
    if not 0 <= scores.bona_fide_score[0] <= 1:
        raise VivantError("the network's score is none: its weights are damaged")
