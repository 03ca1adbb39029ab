"""The choice among made-up runtimes, on a clock that only they move."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from made_up import MadeUpRunner, card
from vivant.errors import CardError, WeightsError
from vivant.networks.card import WeightsFile
from vivant.records import Scores
from vivant.runtimes import choice
from vivant.runtimes.choice import cache_path, fastest
from vivant.runtimes.runner import Runner

CARD = card()


class Clock:
    """Seconds."""

    now_s = 0.0


class TimedRunner(MadeUpRunner):
    """Takes so many seconds for its clips, one after the other."""

    def __init__(self, clock: Clock, seconds: Sequence[float]) -> None:
        super().__init__()
        self.clock, self.left = clock, list(seconds)

    def run(self, clips: np.ndarray) -> Scores:
        self.clock.now_s += self.left.pop(0)
        return super().run(clips)


class Builders(dict[str, Callable[[], Runner]]):
    """By name: a second for each clip of a runtime, seconds of each clip, or what it raises."""

    def __init__(self, clock: Clock, **costs: float | Sequence[float] | Exception) -> None:
        super().__init__({name: lambda name=name: self._build(name) for name in costs})
        self.clock, self.costs = clock, costs
        self.built: list[str] = []
        self.runners: dict[str, TimedRunner] = {}

    def _build(self, name: str) -> Runner:
        self.built.append(name)
        cost = self.costs[name]
        if isinstance(cost, Exception):
            raise cost
        seconds = cost if isinstance(cost, Sequence) else [cost] * 10
        self.runners[name] = TimedRunner(self.clock, seconds)
        return self.runners[name]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made_up = Clock()
    monkeypatch.setattr(choice, "time", SimpleNamespace(perf_counter=lambda: made_up.now_s))
    return made_up


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's cache with nothing in it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache/vivant/runtimes.json"


def test_the_faster_one_is_taken(clock: Clock) -> None:
    builders = Builders(clock, onnx=0.3, openvino=0.2, torch=0.4)
    assert fastest(builders, CARD, 0) is builders.runners["openvino"]
    assert builders.built == ["onnx", "openvino", "torch"]
    for runner in builders.runners.values():
        (shape,) = {clips.shape for clips in runner.clips}
        assert shape == (1, 5, 224, 224, 3), "one clip, as the card has it"
        assert len(runner.clips) == 4


def test_first_clip_does_not_count_and_the_least_of_the_others_does(clock: Clock) -> None:
    """The first prepares memory, and another process may take one of the others' time."""
    builders = Builders(clock, onnx=[0.1, 0.3, 0.3, 0.3], openvino=[9, 9, 0.2, 9])
    assert fastest(builders, CARD, 0) is builders.runners["openvino"]


def test_choice_is_remembered_with_its_times(clock: Clock, cache: Path) -> None:
    fastest(Builders(clock, onnx=0.3, openvino=0.2), CARD, 0)
    (entry,) = json.loads(cache.read_text()).values()
    assert entry == {"runtime": "openvino", "ms": pytest.approx({"onnx": 300, "openvino": 200})}
    again = Builders(clock, onnx=0.1, openvino=0.2)
    assert fastest(again, CARD, 0) is again.runners["openvino"]
    assert again.built == ["openvino"]
    assert again.runners["openvino"].clips == [], "nothing is timed"


def test_what_is_remembered_may_be_gone(clock: Clock) -> None:
    fastest(Builders(clock, onnx=0.3, openvino=0.2), CARD, 0)
    without = Builders(clock, onnx=0.3, torch=0.4)
    assert fastest(without, CARD, 0) is without.runners["onnx"]


def other_weights(monkeypatch: pytest.MonkeyPatch) -> tuple[object, int]:
    weights = WeightsFile(file_name="made_up.onnx", format="onnx", sha256="1" * 64)
    return CARD.model_copy(update={"weights": weights}), 0


def other_threads(monkeypatch: pytest.MonkeyPatch) -> tuple[object, int]:
    return CARD, 2


def other_versions(monkeypatch: pytest.MonkeyPatch) -> tuple[object, int]:
    monkeypatch.setattr(choice, "version", lambda package: "99" if package == "openvino" else "1")
    return CARD, 0


def other_machine(monkeypatch: pytest.MonkeyPatch) -> tuple[object, int]:
    monkeypatch.setattr(choice, "_machine", lambda: "another 96")
    return CARD, 0


@pytest.mark.parametrize(
    "change",
    [other_weights, other_threads, other_versions, other_machine],
    ids=lambda f: f.__name__,
)
def test_anything_else_is_timed_anew_and_remembered_beside(
    change: Callable[[pytest.MonkeyPatch], tuple[object, int]],
    clock: Clock,
    cache: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fastest(Builders(clock, onnx=0.3, openvino=0.2), CARD, 0)
    with monkeypatch.context() as patch:
        builders = Builders(clock, onnx=0.1, openvino=0.2)
        assert fastest(builders, *change(patch)) is builders.runners["onnx"]
    assert [each["runtime"] for each in json.loads(cache.read_text()).values()] == [
        "openvino",
        "onnx",
    ]
    first = Builders(clock, onnx=0.1, openvino=0.2)
    fastest(first, CARD, 0)
    assert first.built == ["openvino"]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"a": 1}'])
def test_damaged_cache_costs_only_the_timing(clock: Clock, cache: Path, content: bytes) -> None:
    cache.parent.mkdir(parents=True)
    cache.write_bytes(content)
    builders = Builders(clock, onnx=0.3, openvino=0.2)
    assert fastest(builders, CARD, 0) is builders.runners["openvino"]
    again = Builders(clock, onnx=0.3, openvino=0.2)
    fastest(again, CARD, 0)
    assert again.built == ["openvino"], "the cache has been mended"


@pytest.mark.parametrize("entry", [None, 5, "onnx", [], {}, {"runtime": []}, {"runtime": "abacus"}])
def test_damaged_entry_costs_only_the_timing(clock: Clock, cache: Path, entry: object) -> None:
    fastest(Builders(clock, onnx=0.3, openvino=0.2), CARD, 0)
    cache.write_text(json.dumps(dict.fromkeys(json.loads(cache.read_text()), entry)))
    builders = Builders(clock, onnx=0.3, openvino=0.2)
    assert fastest(builders, CARD, 0) is builders.runners["openvino"]
    assert builders.built == ["onnx", "openvino"]


def test_cache_that_cannot_be_written_costs_only_the_timing(
    clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    for _ in range(2):
        builders = Builders(clock, onnx=0.3, openvino=0.2)
        assert fastest(builders, CARD, 0) is builders.runners["openvino"]
        assert builders.built == ["onnx", "openvino"]


def test_user_without_a_home_pays_only_the_timing(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a container that runs under a number without a name."""

    def no_home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(Path, "home", no_home)
    builders = Builders(clock, onnx=0.3, openvino=0.2)
    assert fastest(builders, CARD, 0) is builders.runners["openvino"]


@pytest.mark.parametrize(
    "error", [CardError("not a graph"), ImportError("no libtbb"), RuntimeError("no such device")]
)
def test_runtime_that_raises_is_left_out(clock: Clock, cache: Path, error: Exception) -> None:
    builders = Builders(clock, openvino=error, onnx=0.3)
    assert fastest(builders, CARD, 0) is builders.runners["onnx"]
    (entry,) = json.loads(cache.read_text()).values()
    assert entry["ms"] == pytest.approx({"onnx": 300})


def test_runtime_that_answers_nonsense_is_left_out(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken(MadeUpRunner):
        def run(self, clips: np.ndarray) -> Scores:
            raise WeightsError("the network's cam is not finite")

    builders = Builders(clock, onnx=0.3)
    assert fastest({"openvino": Broken, **builders}, CARD, 0) is builders.runners["onnx"]
    with pytest.raises(WeightsError, match="cam is not finite"):
        fastest({"openvino": Broken}, CARD, 1)


def test_first_error_is_told_where_none_runs(clock: Clock, cache: Path) -> None:
    builders = Builders(clock, onnx=CardError("not a graph"), openvino=RuntimeError("no device"))
    with pytest.raises(CardError, match="^not a graph$"):
        fastest(builders, CARD, 0)
    assert builders.built == ["onnx", "openvino"]
    assert not cache.exists()


def test_our_own_mistakes_are_not_passed_over(clock: Clock) -> None:
    with pytest.raises(AssertionError, match="ours"):
        fastest(Builders(clock, openvino=AssertionError("ours"), onnx=0.3), CARD, 0)


def test_cache_is_where_the_user_keeps_caches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cache_path() == tmp_path / "cache/vivant/runtimes.json"
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "me")
    for unset in (lambda: monkeypatch.setenv("XDG_CACHE_HOME", ""),
                  lambda: monkeypatch.delenv("XDG_CACHE_HOME")):  # fmt: skip
        unset()
        assert cache_path() == tmp_path / "me/.cache/vivant/runtimes.json"


def test_machine_without_affinity_has_a_key(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """macOS and Windows have no `sched_getaffinity`."""
    monkeypatch.delattr("os.sched_getaffinity")
    builders = Builders(clock, onnx=0.3, openvino=0.2)
    assert fastest(builders, CARD, 0) is builders.runners["openvino"]
