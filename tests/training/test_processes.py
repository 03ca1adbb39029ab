from pathlib import Path

import pytest

from vivant.errors import ConfigError
from vivant.training.processes import launched, num_processes, was_restarted


@pytest.fixture
def of_torchrun(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment of one of three processes on each of two machines."""
    found = {"TORCHELASTIC_RUN_ID": "1", "WORLD_SIZE": "6", "LOCAL_WORLD_SIZE": "3"}
    for name, value in found.items():
        monkeypatch.setenv(name, value)


def test_one_process_trains_unless_more_are_asked_for() -> None:
    assert num_processes(None) == 1
    assert num_processes(3) == 3
    assert not was_restarted()
    assert launched(1, "32").world_size == 1


@pytest.mark.usefixtures("of_torchrun")
def test_torchrun_says_how_many_there_are() -> None:
    assert num_processes(None) == 6
    assert num_processes(3) == 6
    with pytest.raises(
        ConfigError, match="torchrun has started 3 processes here, and --devices says 2"
    ):
        num_processes(2)


@pytest.mark.nightly
def test_torchrun_goes_on_by_itself_after_a_kill(tmp_path: Path) -> None:
    """With one restart for one kill; one that finds the addresses of the dead takes two or more."""
    from safetensors.torch import load_file

    from cluster_process import LAUNCHER, TWO, ended
    from training_runs import differing, training_store

    store = training_store(tmp_path / "store")
    words = ("train", "smoke", "--data", store, "--protocol", "folder", "--out")
    whole = ended(*words, tmp_path / "whole", *TWO, "--devices", 2, marks=tmp_path)
    assert whole.returncode == 0, whole.stderr
    launcher = (*LAUNCHER, "--max-restarts", "1")
    killed = ended(
        *words, tmp_path / "killed", *TWO, marks=tmp_path, events="kill:1:2", launcher=launcher
    )
    assert killed.returncode == 0, killed.stderr
    assert (tmp_path / "kill-1-2").is_file()
    assert killed.stderr.count("stage 1 epoch 1: dev ACER") == 1
    assert killed.stdout.count("vivant check CLIP.mp4 --model") == 1
    assert not differing(
        *(load_file(tmp_path / out / "smoke.safetensors") for out in ("whole", "killed"))
    )
    again = ended(*words, tmp_path / "killed", *TWO, marks=tmp_path, launcher=LAUNCHER)
    assert again.returncode != 0
    assert "a run has begun" in again.stderr
