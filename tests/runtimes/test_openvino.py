"""OpenVINO on both of its formats; the exported graph against torch is in tests/export."""

import json
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from vivant.errors import CardError
from vivant.export.export import export_graph
from vivant.networks.part_specs import part_specs
from vivant.records import Scores
from vivant.runtimes.onnx import OnnxRunner
from vivant.runtimes.openvino import OpenVinoRunner
from vivant.runtimes.runner import Runner, run_in_parts
from vivant.runtimes.torch import TorchRunner


@pytest.fixture(scope="module")
def clips() -> np.ndarray:
    return np.random.default_rng(8).integers(0, 256, (2, 5, 224, 224, 3), dtype=np.uint8)


def assert_alike(one: Scores, other: Scores) -> None:
    for field in fields(Scores):
        mine, theirs = getattr(one, field.name), getattr(other, field.name)
        assert mine.dtype.type is theirs.dtype.type, field.name
        np.testing.assert_allclose(mine, theirs, rtol=1e-3, atol=1e-4, err_msg=field.name)


@pytest.fixture(scope="module")
def xml_card(lite_card: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export_graph(lite_card, tmp_path_factory.mktemp("xml"), "openvino").card_path


def test_own_format_answers_like_onnx(
    xml_card: Path, lite_graph_path: Path, clips: np.ndarray
) -> None:
    assert sorted(path.name for path in xml_card.parent.iterdir()) == [
        "lite.bin",
        "lite.xml",
        "lite.xml.json",
    ]
    runner = OpenVinoRunner(xml_card, num_threads=1)
    assert runner.runtime == "openvino"
    of_onnx = OnnxRunner(lite_graph_path.with_suffix(".onnx.json"))
    assert_alike(runner.run(clips), of_onnx.run(clips))
    np.testing.assert_array_equal(runner.run(clips).anchors, of_onnx.run(clips).anchors)


def test_parts_answer_like_the_whole_in_every_runtime(
    xml_card: Path, lite_graph_path: Path, lite_card: Path, clips: np.ndarray
) -> None:
    graph = lite_graph_path.with_suffix(".onnx.json")
    runners: list[Runner] = [
        OnnxRunner(graph), OpenVinoRunner(graph), OpenVinoRunner(xml_card), TorchRunner(lite_card),
    ]  # fmt: skip
    for runner in runners:
        assert_alike(run_in_parts(runner, clips), runner.run(clips))


def test_bf16_is_in_the_convolutions_alone(
    lite_graph_path: Path, tmp_path: Path, clips: np.ndarray
) -> None:
    """The tail has float32's bits: run on the same features it gives the same anchors."""
    card = json.loads(lite_graph_path.with_suffix(".onnx.json").read_text())
    card["precision"] = {"encode": "bf16", "execute": "bf16"}
    (tmp_path / "lite.onnx").write_bytes(lite_graph_path.read_bytes())
    (tmp_path / "lite.onnx.json").write_text(json.dumps(card))
    low = OpenVinoRunner(tmp_path / "lite.onnx.json")
    full = OpenVinoRunner(lite_graph_path.with_suffix(".onnx.json"))
    assert low.runtime == "openvino bf16"
    frames = {"frames": clips.reshape(-1, *clips.shape[2:])}
    features = full.run_part("encode", frames)["features"]
    given = {"features": features.reshape(2, 5, *features.shape[1:]), "clips": clips}
    mine, theirs = low.run_part("advise", given), full.run_part("advise", given)
    for name in part_specs(low.card.architecture)["advise"].outputs:
        np.testing.assert_array_equal(mine[name], theirs[name], err_msg=name)
    difference = np.abs(low.run(clips).bona_fide_score - full.run(clips).bona_fide_score).max()
    assert difference < 0.1
    with pytest.raises(CardError, match="to be computed in bf16, which ONNX Runtime"):
        OnnxRunner(tmp_path / "lite.onnx.json")


def test_damaged_file_is_refused(xml_card: Path, tmp_path: Path) -> None:
    for name in ("lite.bin", "lite.xml", "lite.xml.json"):
        (tmp_path / name).write_bytes((xml_card.parent / name).read_bytes())
    (tmp_path / "lite.bin").write_bytes(b"damaged")
    with pytest.raises(CardError, match="is not the file that its card describes"):
        OpenVinoRunner(tmp_path / "lite.xml.json")


def test_nobody_is_told_that_it_runs() -> None:
    """OpenVINO's telemetry tells a server of every import."""
    code = (
        "import sys; import vivant.runtimes.openvino; "
        "loaded = [n for n, m in sys.modules.items() if 'telemetry' in n and m is not None]; "
        "print([n for n in loaded if not n.startswith('openvino.tools')])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"
