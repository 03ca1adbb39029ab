import pytest

from made_up import MadeUpRunner
from people import swaying
from vivant.session.session import Session
from vivant.session.verdict import Decision


@pytest.mark.parametrize("score", [0.1, 0.9])
def test_verdict_has_no_truth_value(score: float) -> None:
    with Session(MadeUpRunner(score), isolated=False) as session:
        verdict = session.check_frames(swaying(6), [0.1 * i for i in range(6)])
    assert verdict.decision is not Decision.NO_DECISION
    with pytest.raises(TypeError, match=r"compare verdict\.decision with Decision\.BONA_FIDE"):
        bool(verdict)
    with pytest.raises(TypeError):
        _ = "in" if verdict else "out"
    with pytest.raises(TypeError):
        _ = not verdict
