"""Which of several runtimes is the fastest here: timed once, and remembered."""

import json
import os
import platform
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from vivant import __version__
from vivant.errors import OutputError, VivantError
from vivant.files import write_whole
from vivant.networks.card import ModelCard
from vivant.parallel import num_cores
from vivant.runtimes.runner import Runner, blank_clips

__all__ = ["cache_path", "fastest"]

_PACKAGES = ("onnxruntime", "openvino", "torch")
_REPEATS = 3


def fastest(
    builders: Mapping[str, Callable[[], Runner]], card: ModelCard, num_threads: int
) -> Runner:
    """The runner that scores one clip in the least time.

    The choice is kept in the user's cache (`cache_path`) for these weights, these versions, this
    machine and this number of threads; a cache that cannot be read or written costs only the timing
    again. What a runtime raises leaves it out of the choice, as long as another one runs.

    Args:
        builders: By name of the runtime.
        card: What they run.
        num_threads: What they were told.

    Raises:
        VivantError: none of them runs; that of the first.
    """
    key = "|".join(
        (card.weights.sha256, __version__, *map(_version, _PACKAGES), _machine(), str(num_threads))
    )
    entry = _read().get(key)
    known = entry.get("runtime") if isinstance(entry, dict) else None
    if isinstance(known, str) and known in builders:
        return builders[known]()
    times: dict[str, float] = {}
    runners: dict[str, Runner] = {}
    problems: list[Exception] = []
    for name, build in builders.items():
        try:
            runners[name] = build()
            times[name] = _time(runners[name])
        except (VivantError, ImportError, RuntimeError) as error:
            problems.append(error)
    if not times:
        raise problems[0]
    best = min(times, key=times.__getitem__)
    _write(key, {"runtime": best, "ms": {name: 1e3 * s for name, s in times.items()}})
    return runners[best]


def cache_path() -> Path:
    """Where choices are kept: `$XDG_CACHE_HOME/vivant/runtimes.json`, or under `~/.cache`."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "vivant/runtimes.json"


def _time(runner: Runner) -> float:
    """Seconds of one made-up clip, the least of some after one."""
    generator = np.random.default_rng(0)
    clips = [
        generator.integers(0, 256, blank.shape, dtype=np.uint8)
        for blank in blank_clips(runner.card)
    ]
    seconds = []
    for _ in range(1 + _REPEATS):
        started_s = time.perf_counter()
        runner.run(*clips)
        seconds.append(time.perf_counter() - started_s)
    return min(seconds[1:])


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _machine() -> str:
    """Its name, and the cores that this process may use."""
    return f"{platform.node()} {num_cores()}"


def _read() -> dict[str, Any]:
    try:
        known = json.loads(cache_path().read_text("utf-8"))
    except (OSError, ValueError, RuntimeError):  # The last: a user without a home.
        return {}
    return known if isinstance(known, dict) else {}


def _write(key: str, choice: dict[str, Any]) -> None:
    with suppress(OSError, OutputError, RuntimeError):
        write_whole(cache_path(), json.dumps({**_read(), key: choice}, indent=1) + "\n")
