"""Fuses the two modules' scores into the clip's bona fide score (paper 3.2, last sentence).

"The inferred scores behind the softmax layer of the AM that need to receive a greater emphasis by
an exponential transformation are eventually fused with probabilistic results of the AAM." The paper
has no formula: decision D30. Plain arithmetic, so that it serves numbers, arrays and tensors alike.
"""

import math
from typing import Any

from vivant.networks.config import FusionMode

__all__ = ["fuse"]


def fuse(mode: FusionMode, advisor_score: Any, aam_score: Any) -> Any:
    """The bona fide score of a clip, 0..1, higher is bona fide.

    With p the Advisor's and q the Attended-Auxiliary Module's bona fide probability (D30):

    - `exp_add`: S_c = exp(p_c) + q_c; 1/2 + (S_bona_fide - S_attack) / (2e). Neutral .5, .5 -> .5;
      the Advisor weighs (e-1)/e = 63 %.
    - `exp_mul`: q e^p / (q e^p + (1-q) e^(1-p)) = sigmoid(logit q + 2p - 1): the Advisor moves the
      other module's logit by at most 1.
    - `mean`: (p + q) / 2. `am`: p. `aam`: q.

    Args:
        mode: One of the above.
        advisor_score: p, 0..1, any shape.
        aam_score: q, 0..1, the shape of p; not looked at by `am`.

    >>> round(fuse("exp_add", 0.9, 0.25), 6), round(fuse("exp_mul", 0.9, 0.25), 6)
    (0.657164, 0.425897)
    """
    p, q = advisor_score, aam_score
    match mode:
        case "exp_add":
            return 1 / 2 + (math.e**p - math.e ** (1 - p) + 2 * q - 1) / (2 * math.e)
        case "exp_mul":
            bona_fide, attack = q * math.e**p, (1 - q) * math.e ** (1 - p)
            return bona_fide / (bona_fide + attack)
        case "mean":
            return (p + q) / 2
        case "am":
            return p
        case "aam":
            return q
