import pickle
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import torch

from vivant.errors import InputError
from vivant.networks.checkpoint import load_checkpoint
from vivant.networks.part_specs import part_specs
from vivant.networks.preprocessing import Normalise
from vivant.records import Scores
from vivant.runtimes.runner import run_in_parts
from vivant.runtimes.torch import TorchRunner


@pytest.fixture(scope="module")
def clips() -> np.ndarray:
    return np.random.default_rng(8).integers(0, 256, (2, 5, 224, 224, 3), dtype=np.uint8)


@pytest.fixture
def threads() -> Iterator[None]:
    """As many as before, afterwards: they are the whole process's."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def assert_alike(one: Scores, other: Scores) -> None:
    """But for the rounding of another order of the same sums."""
    for field in fields(Scores):
        mine, theirs = getattr(one, field.name), getattr(other, field.name)
        if field.name == "frame_features":
            assert mine is theirs is None, "the paper's networks have no levels"
            continue
        assert mine.dtype == theirs.dtype, field.name
        assert np.abs(mine - theirs).max() <= 1e-4 * np.abs(theirs).max(), field.name
    np.testing.assert_array_equal(one.anchors, other.anchors)


def test_answer_is_the_networks(lite_card: Path, clips: np.ndarray) -> None:
    scores = TorchRunner(lite_card).run(clips)
    network, card = load_checkpoint(lite_card)
    normalise = Normalise(card.preprocessing.mean_rgb, card.preprocessing.std_rgb)
    with torch.inference_mode():
        output = network(normalise(torch.from_numpy(clips)))
    fields_of = {
        name: tensor.numpy() for name, tensor in output._asdict().items() if tensor is not None
    }
    assert_alike(scores, Scores(**fields_of))


def test_views_of_larger_arrays_are_taken(lite_card: Path) -> None:
    """Crops come as slices of frames, and colour is often reversed by a negative stride."""
    frames = np.random.default_rng(8).integers(0, 256, (1, 5, 300, 300, 3), dtype=np.uint8)
    view = frames[:, :, 20:244, 30:254, ::-1]
    runner = TorchRunner(lite_card)
    one, other = runner.run(view), runner.run(view.copy())
    np.testing.assert_array_equal(one.bona_fide_score, other.bona_fide_score)


@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_parts_answer_like_the_whole(precision: str, lite_card: Path, clips: np.ndarray) -> None:
    runner = TorchRunner(lite_card, precision=precision)
    assert_alike(run_in_parts(runner, clips), runner.run(clips))


def test_part_takes_views_and_looks_at_nothing_else(lite_card: Path, clips: np.ndarray) -> None:
    runner = TorchRunner(lite_card)
    frames = clips[0, :, ::-1]
    (features,) = runner.run_part("encode", {"frames": frames, "patches": None}).values()
    (copied,) = runner.run_part("encode", {"frames": frames.copy()}).values()
    np.testing.assert_array_equal(features, copied)
    assert features.shape[0] == 5
    assert features.shape[2:] == (7, 7)


def test_bf16_is_in_the_convolutions_alone(lite_card: Path, clips: np.ndarray) -> None:
    """The others have float32's bits on the same features."""
    low, full = TorchRunner(lite_card, precision="bf16"), TorchRunner(lite_card)
    assert (low.runtime, full.runtime) == ("torch bf16", "torch")
    frames = {"frames": clips.reshape(-1, *clips.shape[2:])}
    rough, exact = (each.run_part("encode", frames)["features"] for each in (low, full))
    assert rough.dtype == np.float32
    error = np.abs(rough - exact).max() / np.abs(exact).max()
    assert 1e-4 < error < 0.05, "bf16 has 8 bits: a share of 0.004 for each rounding"
    given = {"features": exact.reshape(2, 5, *exact.shape[1:]), "clips": clips}
    mine, theirs = low.run_part("advise", given), full.run_part("advise", given)
    for name in part_specs(low.card.architecture)["advise"].outputs:
        np.testing.assert_array_equal(mine[name], theirs[name], err_msg=name)
    difference = np.abs(low.run(clips).bona_fide_score - full.run(clips).bona_fide_score).max()
    assert 0 < difference < 0.1


@pytest.mark.parametrize("precision", ["int8", "fp16"])
def test_precision_that_is_a_graphs_is_refused(precision: str, lite_card: Path) -> None:
    message = f"expected float32 or bf16 for torch, got {precision}: export a graph"
    with pytest.raises(InputError, match=message):
        TorchRunner(lite_card, precision=precision)


def test_absent_device_is_told(lite_card: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has the device")
    with pytest.raises(InputError, match=r"cannot run on cuda: .*CUDA"):
        TorchRunner(lite_card, device="cuda")
    with pytest.raises(InputError, match="cannot run on gpu"):
        TorchRunner(lite_card, device="gpu")


def test_cuda_graphs_are_for_cuda(lite_card: Path) -> None:
    with pytest.raises(InputError, match="expected a CUDA device for CUDA graphs, got cpu"):
        TorchRunner(lite_card, mode="cuda_graphs")


@pytest.mark.usefixtures("threads")
def test_threads_are_torchs(lite_card: Path) -> None:
    torch.set_num_threads(2)
    TorchRunner(lite_card)
    assert torch.get_num_threads() == 2, "as it was"
    TorchRunner(lite_card, num_threads=1)
    assert torch.get_num_threads() == 1


COMPILED = """
import pickle, sys
from pathlib import Path
import numpy as np
from vivant.runtimes.torch import TorchRunner
runner = TorchRunner(Path(sys.argv[1]), mode="compile")
assert runner.runtime == "torch-compile", runner.runtime
Path(sys.argv[3]).write_bytes(pickle.dumps(runner.run(np.load(sys.argv[2]))))
"""


@pytest.mark.slow
def test_compiled_network_answers_alike(lite_card: Path, clips: np.ndarray, tmp_path: Path) -> None:
    """In a Python of its own: torch.compile does not get through the type checks of tests."""
    if shutil.which("c++") is None and shutil.which("g++") is None:
        pytest.skip("torch.compile needs a C++ compiler")
    np.save(tmp_path / "clips.npy", clips)
    paths = [lite_card, tmp_path / "clips.npy", tmp_path / "scores.pickle"]
    subprocess.run([sys.executable, "-c", COMPILED, *map(str, paths)], check=True)
    assert_alike(pickle.loads(paths[-1].read_bytes()), TorchRunner(lite_card).run(clips))
