"""A session is tried before anybody waits for it."""

import pytest

from context_models import context_config
from made_up import MadeUpRunner, card
from people import person_video
from vivant.errors import VivantError
from vivant.serving.self_test import require_working
from vivant.session.session import Session


def test_network_that_answers_passes() -> None:
    runner = MadeUpRunner(0.9)
    with Session(runner, isolated=False) as session:
        require_working(session)
    assert [clips.shape[0] for clips in runner.clips] == [1], "the network ran once"


def test_network_that_sees_a_wider_crop_is_run_too() -> None:
    runner = MadeUpRunner(0.9, card(architecture=context_config()))
    with Session(runner, isolated=False) as session:
        require_working(session)
    assert [clips.shape[0] for clips in runner.clips] == [1]


@pytest.mark.parametrize("score", [float("nan"), 1.5, -0.1])
def test_network_that_answers_nonsense_is_refused(score: float) -> None:
    with (
        Session(MadeUpRunner(score), isolated=False) as session,
        pytest.raises(VivantError, match="weights are damaged"),
    ):
        require_working(session)


def test_what_decides_on_a_black_picture_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with Session(MadeUpRunner(0.9), isolated=False) as session:
        verdict = session.check(person_video())
        monkeypatch.setattr(session, "check", lambda source: verdict)
        with pytest.raises(VivantError, match="a black picture was judged bona_fide"):
            require_working(session)
