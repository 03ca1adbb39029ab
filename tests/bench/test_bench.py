"""`vivant bench` end to end, on a network that is small enough."""

from functools import partial
from pathlib import Path

import pytest

from vivant.bench.bench import NAIVE, Bench, _line, _take_turns, made_up_checkpoint, run_bench
from vivant.bench.floor import Shape
from vivant.networks.card import read_card
from vivant.networks.checkpoint import load_checkpoint
from vivant.networks.models import lite


def test_ways_take_turns_after_a_round_that_warms_up() -> None:
    order: list[str] = []
    work = {name: partial(order.append, name) for name in "ab"}
    times = _take_turns(work, 2)
    assert order == ["a", "b"] * 3
    assert {name: len(values) for name, values in times.items()} == {"a": 2, "b": 2}


def test_line_is_a_ratio_of_medians() -> None:
    line = _line("x", [0.1, 0.4, 0.2], slowest=2.0)
    assert (line.ms, line.least_ms, line.most_ms) == (200, 100, 400)
    assert line.times_as_fast == pytest.approx(10)
    assert line.clips_per_s == pytest.approx(5)
    assert line.logit_difference is None


def test_made_up_network_is_untrained_and_moves_its_patches(tmp_path: Path) -> None:
    card = made_up_checkpoint("lite", lite(), tmp_path)
    assert read_card(card).training is None
    network, _ = load_checkpoint(card)
    assert network.aam is not None
    assert network.aam.region_proposal.pointwise.weight.abs().max() > 0


@pytest.fixture(scope="module")
def found(lite_card: Path, lite_traced_once: None) -> Bench:
    """A bench of `lite`, whose three exports take the parts that the tests keep traced."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("vivant.bench.floor.SHAPES", (Shape(1, 16, 14, 3),))
        patch.setattr("vivant.bench.bench._memory_mib", lambda *_: 123.0)
        return run_bench(lite_card, repeats=1, num_threads=1, stream_s=1.2)


@pytest.mark.slow
def test_every_way_is_timed_against_the_naive_one(found: Bench) -> None:
    names = [line.way for line in found.lines]
    assert names[0] == NAIVE
    assert {"torch float32", "torch bf16", "onnx float32", "onnx int8"} <= set(names)
    assert {"openvino float32", "openvino bf16", "openvino int8"} <= set(names)
    assert "onnx bf16" not in names
    slowest = found.lines[0].ms
    for line in found.lines:
        assert line.times_as_fast == pytest.approx(slowest / line.ms)
        assert line.least_ms <= line.ms <= line.most_ms
        assert line.clips_per_s == pytest.approx(1e3 / line.ms)
    assert found.lines[0].of_floor is None
    assert all(line.of_floor > 0 for line in found.lines[1:])


@pytest.mark.slow
def test_float32_answers_alike_in_every_runtime(found: Bench) -> None:
    for line in found.lines[1:]:
        if line.way.endswith("float32"):
            assert line.logit_difference < 1e-3
            assert line.same_anchors == 1


@pytest.mark.slow
def test_streams_are_exact_and_cost_less(found: Bench) -> None:
    assert {(one.way, one.patches) for one in found.streaming} >= {
        ("onnx float32", "exact"),
        ("onnx float32", "once"),
    }
    for one in found.streaming:
        assert one.num_windows >= 4
        assert 1 <= one.encoded_per_window < 3
        assert one.overhead >= 1
        if one.patches == "exact":
            assert one.score_difference < 1e-4


@pytest.mark.slow
def test_memory_is_of_a_process_of_its_own(tmp_path: Path) -> None:
    from vivant.bench.bench import _memory_mib
    from vivant.bench.ways import ways

    card = made_up_checkpoint("lite", lite(), tmp_path)
    way = next(one for one in ways(card, {}, 1, compiled=False) if one.name == "torch float32")
    assert 100 < _memory_mib(way, card, {}, 1) < 3000
