"""One replica, in this process: what it opens, what it answers, and why it does not start."""

import asyncio
import pickle
from pathlib import Path

import pytest

from made_up import POINT, MadeUpRunner
from made_up import card as made_up_card
from people import person_video
from vivant.distributed.replicas import Checker, CheckerPlan, Refused, Replicas, trouble_in
from vivant.errors import InputError, Refusal
from vivant.serving.limits import ServiceLimits
from vivant.serving.problems import Problem, Trouble
from vivant.session.session import Session
from vivant.session.verdict import Decision


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[tuple[object, ...]]:
    """Models that were opened, which are made up."""
    found: list[tuple[object, ...]] = []

    def open_made_up(*given: object) -> MadeUpRunner:
        found.append(given)
        return MadeUpRunner(0.9)

    monkeypatch.setattr("vivant.session.session.open_runner", open_made_up)
    return found


@pytest.mark.parametrize(
    ("text", "expected"), [("1:4", (1, 4)), ("3", (3, 3)), ("2:2", (2, 2)), (" 1 : 2 ", (1, 2))]
)
def test_replicas_are_read(text: str, expected: tuple[int, int]) -> None:
    parsed = Replicas.parsed(text)
    assert (parsed.least, parsed.most) == expected


@pytest.mark.parametrize("text", ["", "x", "4:1", "0", "0:3", "1:", ":4", "1:2:3", "-1:2"])
def test_replicas_that_are_none_are_shown(text: str) -> None:
    with pytest.raises(InputError, match="expected replicas as MIN:MAX") as refused:
        Replicas.parsed(text)
    assert repr(text) in str(refused.value)


def test_paths_mean_the_same_elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    plan = CheckerPlan.made(
        ServiceLimits(), model=Path("m.json"), profile=Path("p.json"), detector="blazeface:b.tflite"
    )
    assert plan.model == tmp_path / "m.json"
    assert plan.profile == tmp_path / "p.json"
    assert plan.detector == f"blazeface:{tmp_path / 'b.tflite'}"
    assert CheckerPlan.made(ServiceLimits(), model=tmp_path / "m").model == tmp_path / "m"


def test_replica_that_ships_uses_one_thread_and_watches_two() -> None:
    plan = CheckerPlan.made(ServiceLimits(max_waiting=3))
    assert (plan.model, plan.profile, plan.detector) == (None, None, "blazeface")
    assert (plan.num_threads, plan.num_workers, plan.num_places) == (1, 2, 5)
    assert pickle.loads(pickle.dumps(plan)) == plan


def test_replica_with_another_model_than_the_command_s_does_not_start(
    opened: list[tuple[object, ...]],
) -> None:
    same = CheckerPlan.made(ServiceLimits(), session=Session(MadeUpRunner(0.9), isolated=False))
    assert pickle.loads(pickle.dumps(same)) == same
    Checker(same).close()
    point = POINT.model_copy(update={"threshold": 0.123})
    other = MadeUpRunner(0.9, made_up_card().model_copy(update={"operating_point": point}))
    plan = CheckerPlan.made(ServiceLimits(), session=Session(other, isolated=False))
    with pytest.raises(RuntimeError, match="has others at None and None: put the same files"):
        Checker(plan)


def test_replicas_take_no_gpus() -> None:
    with pytest.raises(InputError, match="expected a runtime on processors.*got torch:cuda"):
        CheckerPlan.made(ServiceLimits(), runtime="torch:cuda")


def test_replica_judges_and_refuses_by_an_answer(opened: list[tuple[object, ...]]) -> None:
    checker = Checker(CheckerPlan.made(ServiceLimits(), num_threads=3))
    try:
        assert [given[-1] for given in opened] == [3]

        async def ask() -> list[object]:
            given = [person_video(), b"no video"]
            return list(await asyncio.gather(*(checker.check(data, 30.0) for data in given)))

        verdict, refused = asyncio.run(ask())
    finally:
        checker.close()
    assert verdict.decision is Decision.BONA_FIDE
    assert isinstance(refused, Refused)
    assert refused.code is Refusal.UNSUPPORTED_FORMAT
    assert pickle.loads(pickle.dumps(refused)) == refused
    assert pickle.loads(pickle.dumps(verdict)).bona_fide_score == verdict.bona_fide_score


def test_refusal_becomes_the_same_problem() -> None:
    problem = Problem(Trouble.BUSY, "try again", 4.2)
    again = Refused(problem.code, problem.detail, problem.retry_after_s).problem()
    assert again.record == problem.record
    assert again.headers == problem.headers == {"Retry-After": "5"}


def test_replica_that_cannot_start_says_why_within_any_text(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError) as failed:
        Checker(CheckerPlan.made(ServiceLimits(), model=tmp_path / "gone.json"))
    told = f"Traceback ...\n  RuntimeError: {failed.value}\nThe above exception was ..."
    said = trouble_in(told)
    assert said is not None
    assert said.startswith(f"expected a model card at {tmp_path / 'gone.json'}")
    assert "\n" not in said


@pytest.mark.parametrize("text", ["", "ImportError: no module", "<<vivant: cut"])
def test_what_is_not_ours_is_not_read_out(text: str) -> None:
    assert trouble_in(text) is None
