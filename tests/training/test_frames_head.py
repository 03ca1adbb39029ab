"""The fit against scikit-learn, which shares no line with it."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from vivant.training.frames_head import fit_logistic


@pytest.mark.parametrize("inverse_penalty", [3e-4, 0.1])
def test_fit_is_scikit_learns(inverse_penalty: float) -> None:
    generator = np.random.default_rng(1)
    numbers = generator.normal(size=(600, 40))
    is_attack = numbers @ generator.normal(size=40) + generator.normal(size=600) > 0.5
    weights = generator.uniform(0.5, 2, 600)
    w, b = fit_logistic(numbers, is_attack, weights, inverse_penalty)
    reference = LogisticRegression(C=inverse_penalty, tol=1e-8, max_iter=1000)
    reference.fit(numbers, is_attack, sample_weight=weights)
    np.testing.assert_allclose(w, reference.coef_[0], rtol=1e-2, atol=1e-4)
    np.testing.assert_allclose(b, reference.intercept_[0], rtol=1e-2, atol=1e-4)
