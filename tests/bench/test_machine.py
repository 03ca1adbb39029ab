from pathlib import Path

import pytest

from vivant.bench import machine
from vivant.bench.machine import this_machine


def test_machine_says_what_it_is() -> None:
    found = this_machine()
    assert found.cores >= 1
    assert found.processor
    assert {"python", "torch", "onnxruntime"} <= set(found.versions)
    assert len(found.date) == 10


def test_machine_that_does_not_tell_is_named_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_CPU_INFO", Path("/nowhere/cpuinfo"))
    found = this_machine()
    assert found.processor
    assert found.flags == ()
