"""What judges in a cluster: many of it run there, each in a process of its own."""

import hashlib
import socket
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from vivant.errors import ClusterError, InputError, Refusal, VivantError
from vivant.runtimes.opening import AUTO
from vivant.serving.judge import Judge
from vivant.serving.limits import ServiceLimits
from vivant.serving.problems import Problem, Trouble
from vivant.serving.self_test import require_working
from vivant.session.session import Session, Source
from vivant.session.verdict import Verdict

__all__ = ["Checker", "CheckerPlan", "EndWithCommand", "Refused", "Replicas", "trouble_in"]

# Ray tells of a replica that does not start in a text with its traces; between these is ours.
_BEGIN, _END = "<<vivant: ", " :vivant>>"


@dataclass(frozen=True, slots=True)
class Replicas:
    """How many there may be."""

    least: int
    most: int

    @classmethod
    def parsed(cls, text: str) -> "Replicas":
        """Those that a command line asks for.

        Args:
            text: `MIN:MAX`, or one number for both.

        Raises:
            InputError: it is none of these.

        >>> Replicas.parsed("1:4"), Replicas.parsed("2")
        (Replicas(least=1, most=4), Replicas(least=2, most=2))
        """
        least, colon, most = text.partition(":")
        try:
            parsed = cls(int(least), int(most if colon else least))
        except ValueError:
            parsed = cls(0, 0)
        if not 1 <= parsed.least <= parsed.most:
            raise InputError(
                f"expected replicas as MIN:MAX, such as 1:4, or one number, got {text!r}"
            )
        return parsed


@dataclass(frozen=True, slots=True)
class CheckerPlan:
    """What each replica opens."""

    model: Path | None
    """The card: absolute, and readable under this path wherever a replica may run; None: the model
    that ships."""
    profile: Path | None
    detector: str
    runtime: str
    num_threads: int
    """Of the network."""
    num_workers: int
    """Presentations that one replica watches at a time."""
    limits: ServiceLimits
    judge: str | None
    """Digest of the card and the profile that the command has there; None: whatever is there."""

    @classmethod
    def made(
        cls,
        limits: ServiceLimits,
        *,
        model: Path | None = None,
        profile: Path | None = None,
        detector: str = "blazeface",
        runtime: str = AUTO,
        num_threads: int = 0,
        num_workers: int = 0,
        session: Session | None = None,
    ) -> "CheckerPlan":
        """A plan whose paths mean the same in processes that run elsewhere.

        Args:
            limits: Of requests.
            model: As for `Session.open`; so are the next three.
            profile: See there.
            detector: See there.
            runtime: See there; `auto` is chosen by each replica for itself.
            num_threads: Of the network; 0: one, which is what a replica asks the cluster for.
            num_workers: Presentations that one replica watches at a time; 0: two, which share runs
                of the network.
            session: With that model and profile: a replica that finds others does not start.

        Raises:
            InputError: the runtime is a GPU's: replicas take none.
        """
        if "cuda" in runtime:
            raise InputError(
                f"expected a runtime on processors for replicas, got {runtime}: they take no GPUs "
                "of a cluster. Run `vivant serve` on each GPU's machine, or Triton (docs/export.md)"
            )
        name, colon, file = detector.partition(":")
        return cls(
            model=None if model is None else model.absolute(),
            profile=None if profile is None else profile.absolute(),
            detector=f"{name}:{Path(file).absolute()}" if colon else name,
            runtime=runtime,
            num_threads=num_threads or 1,
            num_workers=num_workers or 2,
            limits=limits,
            judge=None if session is None else _judge_of(session),
        )

    @property
    def num_places(self) -> int:
        """Presentations that one replica takes: in work, and waiting."""
        return self.num_workers + self.limits.max_waiting


@dataclass(frozen=True, slots=True)
class Refused:
    """A `Problem`, as it goes from one process to another: an answer, and no failure of Ray's."""

    code: Refusal | Trouble
    detail: str
    retry_after_s: float | None

    def problem(self) -> Problem:
        """What the caller is answered."""
        return Problem(self.code, self.detail, self.retry_after_s)


EndWithCommand = Callable[[], Awaitable[None]]
"""Ends the replicas if the command that started them was killed; asked now and then."""


class Checker:
    """One replica: a session, and the queue before it.

    Args:
        plan: What it opens.
        end_with_command: Of a command's replicas: Serve's applications outlive whoever made them.

    Raises:
        RuntimeError: it cannot be opened, or fails its self-test; `trouble_in` reads out why.
    """

    def __init__(self, plan: CheckerPlan, end_with_command: EndWithCommand | None = None) -> None:
        self._end_with_command = end_with_command
        try:
            self._session = Session.open(
                plan.model,
                detector=plan.detector,
                profile=plan.profile,
                runtime=plan.runtime,
                num_threads=plan.num_threads,
            )
            with ExitStack() as opened:
                opened.callback(self._session.close)
                _require_judge(self._session, plan)
                require_working(self._session)
                opened.pop_all()
        except VivantError as error:
            raise RuntimeError(f"{_BEGIN}{error}{_END}") from error
        self._judge = Judge(self._session, plan.limits, plan.num_workers)

    async def check(self, source: Source, rate: float) -> Verdict | Refused:
        """Judge a presentation.

        Raises:
            Exception: the session failed, by a fault of ours or of the weights.
        """
        try:
            return await self._judge.check(source, rate)
        except Problem as problem:
            return Refused(problem.code, problem.detail, problem.retry_after_s)

    async def check_health(self) -> None:
        """Serve asks every ten seconds."""
        if self._end_with_command is not None:
            await self._end_with_command()

    def close(self) -> None:
        """End the processes that decode."""
        self._session.close()


def _require_judge(session: Session, plan: CheckerPlan) -> None:
    """Refuse files that are others than the command's.

    Raises:
        ClusterError: model or profile are.
    """
    if plan.judge not in (None, _judge_of(session)):
        raise ClusterError(
            f"expected the command's model and profile on every node, and {socket.gethostname()} "
            f"has others at {plan.model} and {plan.profile}: put the same files there"
        )


def _judge_of(session: Session) -> str:
    """What decides, whatever computes it: weights, threshold and limits."""
    profile = None if session.profile is None else session.profile.sha256
    said = f"{session.card.model_dump_json()} {profile}"
    return hashlib.sha256(said.encode()).hexdigest()


def trouble_in(text: str) -> str | None:
    """Why a replica did not start, out of what Ray tells of it; None: it says nothing of ours.

    >>> trouble_in("RuntimeError: <<vivant: cannot read a.json :vivant>> The above ...")
    'cannot read a.json'
    """
    _, begin, rest = text.partition(_BEGIN)
    trouble, end, _ = rest.partition(_END)
    return trouble if begin and end else None
