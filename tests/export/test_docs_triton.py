"""docs/export.md and its client: asked against a stand-in for Triton, which cannot run here."""

import importlib.util
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from google.protobuf import text_format
from tritonclient.grpc.model_config_pb2 import ModelConfig

from context_models import random_clips, save_context_model
from kserve import Served, serving
from people import person_video
from vivant.errors import CardError, InputError, WeightsError
from vivant.export.triton import config_text, export_repository
from vivant.networks.card import read_card, write_card
from vivant.networks.part_specs import output_fields
from vivant.runtimes.onnx import OnnxRunner
from vivant.session.session import STARTER, Session
from vivant.session.verdict import Decision

ROOT = Path(__file__).parents[2]
CLIENT = ROOT / "docs" / "examples" / "triton_client.py"
PAGE = (ROOT / "docs" / "export.md").read_text()
# Asked on this machine, whatever proxy it has for the world.
DIRECT = os.environ | {"no_proxy": "127.0.0.1", "NO_PROXY": "127.0.0.1"}


@pytest.fixture(scope="module")
def client() -> ModuleType:
    spec = importlib.util.spec_from_file_location("triton_client", CLIENT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def card_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model that ships, in a repository: it decides."""
    folder = tmp_path_factory.mktemp("models") / "lite"
    card, content = read_card(STARTER), STARTER.with_suffix("").read_bytes()
    (folder / "1").mkdir(parents=True)
    (folder / "1" / "model.onnx").write_bytes(content)
    (folder / "config.pbtxt").write_text(config_text("lite", content, card.weights.sha256))
    weights = card.weights.model_copy(update={"file_name": "model.onnx"})
    return write_card(card.model_copy(update={"weights": weights}), folder / "1")


@pytest.fixture
def triton(card_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, Served]]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with serving(card_path.parents[1]) as (url, served):
        yield url, served


def clips(num: int) -> tuple[np.ndarray, ...]:
    return random_clips(read_card(STARTER).architecture, num)


def test_answers_over_http_are_the_local_runtime_s(
    client: ModuleType, card_path: Path, triton: tuple[str, Served]
) -> None:
    url, served = triton
    given = client.TritonRunner(card_path, url).run(*clips(2))
    ours = OnnxRunner(card_path).run(*clips(2))
    assert served.sizes == [2]
    for name in output_fields(read_card(card_path).architecture):
        mine, theirs = getattr(ours, name), getattr(given, name)
        assert mine.dtype == theirs.dtype
        np.testing.assert_allclose(theirs, mine, rtol=1e-5, atol=1e-6, err_msg=name)


def test_verdict_is_the_local_session_s(
    client: ModuleType, card_path: Path, triton: tuple[str, Served]
) -> None:
    with Session(client.TritonRunner(card_path, triton[0]), isolated=False) as session:
        there = session.check(person_video())
    with Session(OnnxRunner(card_path), isolated=False) as session:
        here = session.check(person_video())
    assert here.decision is not Decision.NO_DECISION
    assert there.decision is here.decision
    assert there.bona_fide_score == pytest.approx(here.bona_fide_score, abs=1e-6)
    assert there.operating_point == read_card(card_path).operating_point
    assert there.model.runtime == "triton"


@pytest.mark.slow
def test_wider_crop_is_sent_too(
    client: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    placed = export_repository(save_context_model(tmp_path), tmp_path / "models").card_path
    crops, wide = random_clips(read_card(placed).architecture, 2)
    with serving(placed.parents[1]) as (url, served):
        runner = client.TritonRunner(placed, url)
        given = runner.run(crops, wide)
        with pytest.raises(InputError, match="expected context for 2 clips, got none"):
            runner.run(crops)
        assert served.sizes == [2]
        assert [tensor.name for tensor in served.config.input] == ["clips", "context"]
    ours = OnnxRunner(placed).run(crops, wide)
    for name in output_fields(read_card(placed).architecture):
        mine, theirs = getattr(ours, name), getattr(given, name)
        np.testing.assert_allclose(theirs, mine, rtol=1e-4, atol=1e-5, err_msg=name)


def test_client_runs_as_the_page_says(
    card_path: Path, triton: tuple[str, Served], tmp_path: Path
) -> None:
    assert re.search(r"^python docs/examples/triton_client.py ", PAGE, re.MULTILINE)
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(person_video())
    url, served = triton
    told = ask(clip, card_path, url)
    assert re.match(r"(bona_fide|attack), score 0\.\d+, by triton\n", told.stdout), told
    assert told.returncode == (0 if told.stdout.startswith("bona_fide,") else 1)
    assert "NO_RECORDED_ATTACKS" in told.stdout
    assert served.sizes == [4], "all windows of a presentation in one request"
    clip.write_bytes(b"no video")
    told = ask(clip, card_path, url)
    assert (told.returncode, told.stdout) == (1, "")
    assert told.stderr.startswith("no: ")


def test_clip_without_a_face_needs_no_server_to_be_undecided(
    client: ModuleType, card_path: Path, triton: tuple[str, Served]
) -> None:
    url, served = triton
    wall = [np.full((480, 640, 3), 90, np.uint8)] * 20
    with Session(client.TritonRunner(card_path, url), isolated=False) as session:
        verdict = session.check_frames(wall, [0.1 * at for at in range(20)])
    assert verdict.decision is Decision.NO_DECISION
    assert not served.sizes


def test_server_with_another_graph_is_refused(
    client: ModuleType, card_path: Path, triton: tuple[str, Served]
) -> None:
    url, served = triton
    served.config.parameters["weights_sha256"].string_value = "0" * 64
    with pytest.raises(CardError, match="versions/1 is not the graph of .*: export it again"):
        client.TritonRunner(card_path, url)
    served.config.ClearField("parameters")
    with pytest.raises(CardError):
        client.TritonRunner(card_path, url)


def test_what_the_server_refuses_is_told(
    client: ModuleType, card_path: Path, triton: tuple[str, Served]
) -> None:
    runner = client.TritonRunner(card_path, triton[0])
    with pytest.raises(OSError, match="infer: .*batch-size must be <= 16"):
        runner.run(*clips(17))
    with pytest.raises(InputError, match="expected uint8 crops"):
        runner.run(*(each.astype(np.float32) for each in clips(1)))
    with pytest.raises(CardError, match="does not run 'encode' alone"):
        runner.run_part("encode", {})


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda score: score * np.nan, WeightsError, "is not finite"),
        (lambda score: score + 2, WeightsError, "expected bona_fide_score in 0..1"),
        (lambda score: score[:1], InputError, "did not answer for each of 2 clips"),
    ],
    ids=["nan", "out of range", "too few"],
)
def test_answer_that_is_none_is_no_score(
    change: object,
    error: type[Exception],
    message: str,
    client: ModuleType,
    card_path: Path,
    triton: tuple[str, Served],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    url, served = triton
    run = served.run

    def changed(given: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        answers = run(given)
        return answers | {"bona_fide_score": change(answers["bona_fide_score"])}  # type: ignore[operator]

    monkeypatch.setattr(served, "run", changed)
    with pytest.raises(error, match=message):
        client.TritonRunner(card_path, url).run(*clips(2))


def test_page_s_table_names_every_output_with_its_shape(card_path: Path) -> None:
    config = Served(card_path.parents[1]).config
    section = PAGE[PAGE.index("| output |") :].partition("\n\n")[0]
    rows = [
        [cell.strip() for cell in row.strip("|").split("|")] for row in section.splitlines()[2:]
    ]
    assert [row[0].strip("`") for row in rows] == [output.name for output in config.output]


def test_page_s_lines_for_the_configuration_are_the_schema_s() -> None:
    lines = PAGE[PAGE.index("  optimization {") :].partition("  ```")[0]
    (cuda,) = text_format.Parse(
        lines, ModelConfig()
    ).optimization.execution_accelerators.gpu_execution_accelerator
    assert (cuda.name, dict(cuda.parameters)) == ("cuda", {"use_tf32": "0"})


def ask(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", CLIENT, *arguments]
    return subprocess.run(
        list(map(str, command)), env=DIRECT, capture_output=True, text=True, check=False
    )
