"""How much of a score the explanation explains: the Grad-CAM's share, and whether patches vote."""

import numpy as np
from jaxtyping import Float

from vivant.networks.config import AdvisorConfig, NetworkConfig

__all__ = ["NO_VOTE", "in_words", "map_share", "patches_vote"]

NO_VOTE = (
    "patches and depth do not vote in this model: they show what the second module sees, and the "
    "score is the Advisor's alone"
)
"""For people, where `patches_vote` is False."""


def map_share(embedding: Float[np.ndarray, " parts"], advisor: AdvisorConfig) -> float | None:
    """The share of the Advisor's logit that the Grad-CAM covers, 0..1.

    The Grad-CAM shows where the mean of the crop's last map comes from. A model with the frames
    head reads more than that: deviations, other levels, the wider crop. The share is the absolute
    value of that part over the sum of the absolute values of all parts.

    Args:
        embedding: `Scores.advisor_embedding` of one clip: what each part of the frames' description
            adds to the margin of bona fide over attack.
        advisor: Of the model.

    Returns:
        None where the head is an LSTM, and where no part adds anything.
    """
    if advisor.head != "frames":
        return None
    sizes = np.abs(embedding.astype(np.float64))
    total = float(sizes.sum())
    # Two numbers a level, mean and deviation, and the last map comes after the levels.
    return float(sizes[2 * len(advisor.levels)]) / total if total > 0 else None


def patches_vote(architecture: NetworkConfig) -> bool | None:
    """Whether the second module's score is part of the clip's; None where there is no such module.

    >>> patches_vote(NetworkConfig()), patches_vote(NetworkConfig(fusion="am"))
    (True, False)
    """
    return None if architecture.aam is None else architecture.fusion != "am"


def in_words(share: float) -> str:
    """A sentence about `map_share`.

    >>> in_words(0.183)
    'The Grad-CAM covers 18% of what moves the logit: the last map of the first crop.'
    """
    return (
        f"The Grad-CAM covers {share:.0%} of what moves the logit: the last map of the first crop."
    )
