"""Which runtime is opened for which card: with cards alone, wherever nothing has to run."""

from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch

from made_up import MadeUpRunner
from made_up import card as made_up_card
from vivant.errors import CardError, InputError, MissingExtraError, UnknownNameError
from vivant.networks.card import ModelCard, Precision, WeightsFile, write_card
from vivant.runtimes import opening
from vivant.runtimes.onnx import OnnxRunner
from vivant.runtimes.opening import chosen, open_runner
from vivant.runtimes.openvino import OpenVinoRunner
from vivant.runtimes.runner import Runner
from vivant.runtimes.torch import TorchRunner

FLOAT = Precision()
BF16 = Precision(encode="bf16", execute="bf16")
FILES = {"safetensors": "some.safetensors", "onnx": "some.onnx", "openvino": "some.xml"}


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Write a card whose weights are not there."""

    def write(kind: str, precision: Precision = FLOAT) -> Path:
        weights = WeightsFile(file_name=FILES[kind], format=kind, sha256="0" * 64)
        changes = {"weights": weights, "precision": precision}
        return write_card(made_up_card().model_copy(update=changes), tmp_path)

    return write


@pytest.fixture
def absent(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Make a package one that is not installed."""

    def absent(package: str) -> None:
        def found(name: str) -> object:
            return None if name == package else find_spec(name)

        monkeypatch.setattr(opening, "find_spec", found)

    return absent


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What is built, and with what: no runtime runs."""
    seen: list[tuple[Any, ...]] = []
    for family, name in (
        ("onnx", OnnxRunner),
        ("openvino", OpenVinoRunner),
        ("torch", TorchRunner),
    ):

        def build(*arguments: object, of: str = family, **named: object) -> Runner:
            seen.append((of, *arguments[1:], *named.values()))
            return MadeUpRunner()

        monkeypatch.setattr(import_module(f"vivant.runtimes.{family}"), name.__name__, build)
    return seen


def test_checkpoint_runs_on_torch(lite_card: Path) -> None:
    assert isinstance(open_runner(lite_card), TorchRunner)


def test_missing_card_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CardError, match="expected a model card at"):
        open_runner(tmp_path / "none.onnx.json")


@pytest.mark.parametrize(
    ("runtime", "expected"),
    [
        ("torch", ("torch", "cpu", "eager", 3)),
        ("torch:cuda:1", ("torch", "cuda:1", "eager", 3)),
        ("torch-compile", ("torch", "cpu", "compile", 3)),
        ("torch-compile:cuda", ("torch", "cuda", "compile", 3)),
        ("torch-cuda-graphs", ("torch", "cuda", "cuda_graphs", 3)),
        ("torch-cuda-graphs:cuda:1", ("torch", "cuda:1", "cuda_graphs", 3)),
    ],
)
def test_name_says_mode_and_device_of_torch(
    runtime: str,
    expected: tuple[object, ...],
    write: Callable[..., Path],
    built: list[tuple[object, ...]],
) -> None:
    open_runner(write("safetensors"), runtime, num_threads=3)
    assert built == [expected]


@pytest.mark.parametrize(
    ("runtime", "kind"), [("onnx", "onnx"), ("openvino", "onnx"), ("openvino", "openvino")]
)
def test_graph_runs_on_the_runtime_that_is_asked_for(
    runtime: str, kind: str, write: Callable[..., Path], built: list[tuple[object, ...]]
) -> None:
    open_runner(write(kind), runtime, num_threads=2)
    assert built == [(runtime, 2)]


@pytest.mark.parametrize(
    ("runtime", "kind", "message"),
    [
        ("onnx", "safetensors", r"^onnx does not run some\.safetensors: expected one of torch, "
         "torch-compile, torch-cuda-graphs, or weights in onnx$"),
        ("onnx", "openvino", r"^onnx does not run some\.xml: expected one of openvino, or weights "
         "in onnx$"),
        ("torch:cuda", "onnx", r"^torch does not run some\.onnx: expected one of onnx, openvino, "
         "or weights in safetensors$"),
        ("openvino", "safetensors", "or weights in onnx or openvino$"),
    ],
)  # fmt: skip
def test_runtime_that_does_not_run_the_format_is_refused(
    runtime: str, kind: str, message: str, write: Callable[..., Path]
) -> None:
    with pytest.raises(InputError, match=message):
        open_runner(write(kind), runtime)


@pytest.mark.parametrize(
    ("runtime", "unknown", "nearest"),
    [("opnvino", "opnvino", "openvino"), ("torhc:cuda", "torhc", "torch"),
     ("auto:cuda", "auto:cuda", "auto")],
)  # fmt: skip
def test_unknown_runtime_is_told_with_the_nearest(
    runtime: str, unknown: str, nearest: str, write: Callable[..., Path]
) -> None:
    message = (
        rf"^no runtime is called '{unknown}': did you mean '{nearest}'\? Known: auto, onnx, "
        "openvino, torch, torch-compile, torch-cuda-graphs$"
    )
    with pytest.raises(UnknownNameError, match=message):
        open_runner(write("onnx"), runtime)


def test_threads_below_none_are_refused(write: Callable[..., Path]) -> None:
    with pytest.raises(InputError, match="expected a number of threads, 0 for one a core, got -1"):
        open_runner(write("onnx"), "onnx", num_threads=-1)


@pytest.mark.parametrize("runtime", ["torch:cuda", "torch-cuda-graphs"])
def test_gpu_that_is_not_there_is_told(runtime: str, lite_card: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has the device")
    with pytest.raises(InputError, match=r"cannot run on cuda: .*CUDA"):
        open_runner(lite_card, runtime)


@pytest.mark.parametrize("runtime", ["onnx:cuda", "openvino:gpu"])
def test_device_is_for_torch_alone(runtime: str, write: Callable[..., Path]) -> None:
    with pytest.raises(InputError, match=f"expected a device for torch only, got {runtime}"):
        open_runner(write("onnx"), runtime)


@pytest.mark.parametrize(
    ("kind", "runtime", "package", "extra"),
    [
        ("safetensors", "torch", "torch", "train"),
        ("safetensors", "torch-compile", "torch", "train"),
        ("safetensors", "auto", "torch", "train"),
        ("onnx", "openvino", "openvino", "openvino"),
        ("openvino", "auto", "openvino", "openvino"),
    ],
)
def test_what_is_not_installed_is_told(
    kind: str,
    runtime: str,
    package: str,
    extra: str,
    write: Callable[..., Path],
    absent: Callable[[str], None],
) -> None:
    absent(package)
    with pytest.raises(MissingExtraError, match=rf"needs {package}, .*'vivant\[{extra}\]'"):
        open_runner(write(kind), runtime)


def test_auto_takes_the_faster_of_those_that_are_there(
    write: Callable[..., Path],
    built: list[tuple[object, ...]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    taken = MadeUpRunner()
    asked: list[tuple[dict[str, Callable[[], Runner]], ModelCard, int]] = []

    def fastest(
        builders: Mapping[str, Callable[[], Runner]], card: ModelCard, num_threads: int
    ) -> Runner:
        asked.append((dict(builders), card, num_threads))
        return taken

    monkeypatch.setattr(opening, "fastest", fastest)
    path = write("onnx")
    assert open_runner(path, num_threads=4) is taken
    ((builders, card, num_threads),) = asked
    assert list(builders) == ["onnx", "openvino"]
    assert (card.weights.file_name, num_threads) == ("some.onnx", 4)
    assert built == [], "what is known to be slower is not even built"
    for build in builders.values():
        build()
    assert built == [("onnx", 4), ("openvino", 4)]


@pytest.fixture
def no_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    def fastest(*_: object) -> Runner:
        raise AssertionError("there is but one")

    monkeypatch.setattr(opening, "fastest", fastest)


@pytest.mark.usefixtures("no_choice")
@pytest.mark.parametrize(
    ("kind", "package", "expected"),
    [("onnx", "openvino", "onnx"), ("onnx", "onnxruntime", "openvino"),
     ("openvino", "", "openvino"), ("safetensors", "openvino", "torch")],
)  # fmt: skip
def test_auto_times_nothing_where_there_is_but_one(
    kind: str,
    package: str,
    expected: str,
    write: Callable[..., Path],
    absent: Callable[[str], None],
    built: list[tuple[object, ...]],
) -> None:
    absent(package)
    open_runner(write(kind))
    assert [of for of, *_ in built] == [expected]


@pytest.mark.usefixtures("no_choice")
@pytest.mark.parametrize("precision", [BF16, Precision(execute="bf16")], ids=str)
def test_bf16_never_goes_to_onnx(
    precision: Precision, write: Callable[..., Path], built: list[tuple[object, ...]]
) -> None:
    open_runner(write("onnx", precision))
    assert built == [("openvino", 0)]


def test_bf16_without_openvino_is_told(
    write: Callable[..., Path], absent: Callable[[str], None]
) -> None:
    absent("openvino")
    with pytest.raises(MissingExtraError, match="this needs openvino"):
        open_runner(write("onnx", BF16))


def test_int8_is_for_both(write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    offered: list[str] = []

    def fastest(builders: Mapping[str, object], *_: object) -> Runner:
        offered.extend(builders)
        return MadeUpRunner()

    monkeypatch.setattr(opening, "fastest", fastest)
    open_runner(write("onnx", Precision(encode="int8", execute="int8")))
    assert offered == ["onnx", "openvino"]


def test_every_package_of_a_runtime_is_a_package() -> None:
    """A misspelt one would always be missing."""
    for _, package, _ in opening._CLASSES.values():
        assert find_spec(package) is not None


@pytest.mark.parametrize(
    ("asked", "label", "expected"),
    [
        ("auto", "onnx int8", "onnx"),
        ("auto", "torch", "torch"),
        ("openvino", "openvino bf16", "openvino"),
        ("torch:cuda", "torch", "torch:cuda"),
    ],
)
def test_what_was_chosen_can_be_asked_for(asked: str, label: str, expected: str) -> None:
    runner = MadeUpRunner()
    runner.runtime = label
    assert chosen(asked, runner) == expected
