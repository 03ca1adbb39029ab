"""How far a feature tells bona fide from attacks: a picture, and two numbers that are evidence.

t-SNE shows clusters where there are none and hides others, so Figure 4 comes with the silhouette
and with what a linear probe makes of the feature.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.manifold import TSNE
from sklearn.metrics import silhouette_score
from sklearn.model_selection import GroupKFold, StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from vivant.errors import DataError
from vivant.metrics.curves import auc

__all__ = ["Embedding", "embed"]

_PCA_SIZE = 50
_PERPLEXITY = 30.0
_MOST_FOLDS = 5


@dataclass(frozen=True, slots=True, eq=False)
class Embedding:
    """A feature of clips, looked at."""

    points: Float[np.ndarray, "n 3"]
    """t-SNE in three dimensions, without a unit."""
    silhouette: float
    """Of the two classes in the feature itself, standardised: -1..1, 0 is no separation."""
    probe_auc: float
    """Of a logistic regression on what it was not fitted to: 0.5 is no separation, 1 is all."""
    probe: str
    """How it was cross-validated, in words."""


def embed(
    features: Float[np.ndarray, "n d"],
    is_attack: Bool[np.ndarray, " n"],
    subjects: Sequence[str | None],
    seed: int = 0,
) -> Embedding:
    """t-SNE (PCA to 50 before, perplexity 30 or a third of the clips), silhouette, linear probe.

    Args:
        features: Of clips.
        is_attack: Of each clip.
        subjects: Who each is of; None where it is not known.
        seed: Of t-SNE.

    Raises:
        DataError: fewer than 5 clips of a class, or a value that is not finite.
    """
    num_of_class = min(int(is_attack.sum()), int((~is_attack).sum()))
    if num_of_class < 5 or not np.isfinite(features).all():
        raise DataError(
            f"expected finite features of 5 clips or more of each class, got {num_of_class} of one"
        )
    scaled = StandardScaler().fit_transform(features)
    size = min(_PCA_SIZE, *scaled.shape)
    reduced = PCA(size, random_state=seed).fit_transform(scaled) if size > 3 else scaled
    perplexity = min(_PERPLEXITY, (len(features) - 1) / 3)
    tsne = TSNE(3, init="pca", perplexity=perplexity, random_state=seed)
    scores, how = _probe(features, is_attack, subjects)
    return Embedding(
        np.asarray(tsne.fit_transform(reduced), np.float64),
        float(silhouette_score(scaled, is_attack)),
        auc(scores[~is_attack], scores[is_attack]),
        how,
    )


def _probe(
    features: Float[np.ndarray, "n d"],
    is_attack: Bool[np.ndarray, " n"],
    subjects: Sequence[str | None],
) -> tuple[Float[np.ndarray, " n"], str]:
    """A score of each clip, higher is bona fide, by a regression that was fitted without it."""
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    known = {subject for subject in subjects if subject is not None}
    # Each fold must leave both classes to fit on: by people, where each has both.
    both = all(
        len({bool(a) for a, s in zip(is_attack, subjects, strict=True) if s == subject}) == 2
        for subject in known
    )
    if None not in subjects and both and len(known) > 1:
        folds = min(_MOST_FOLDS, len(known))
        cut = GroupKFold(folds)
        how = f"{folds} folds, no person in two"
        groups = list(subjects)
    else:
        folds = min(_MOST_FOLDS, int(is_attack.sum()), int((~is_attack).sum()))
        cut = StratifiedKFold(folds, shuffle=True, random_state=0)
        how = f"{folds} folds, people not kept apart"
        groups = None
    found = cross_val_predict(
        model, features, ~is_attack, groups=groups, cv=cut, method="decision_function"
    )
    return np.asarray(found, np.float64), how
