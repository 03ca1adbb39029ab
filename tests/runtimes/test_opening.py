from pathlib import Path

import pytest

from vivant.errors import CardError
from vivant.runtimes.opening import open_runner
from vivant.runtimes.torch import TorchRunner


def test_checkpoint_runs_on_torch(lite_card: Path) -> None:
    assert isinstance(open_runner(lite_card), TorchRunner)


def test_missing_card_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CardError, match="expected a model card at"):
        open_runner(tmp_path / "none.onnx.json")
