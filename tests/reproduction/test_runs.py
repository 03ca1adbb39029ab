import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from reproductions import Trainer, recipe
from vivant.errors import ConfigError, TrainingError
from vivant.networks.card import read_card
from vivant.reproduction.data import Data
from vivant.reproduction.runs import Run, train
from vivant.training.progress import Progress

pytestmark = pytest.mark.usefixtures("thin")
B, C, D = (Run(f"model_{letter}", "oulu_npu", "1") for letter in "bcd")


def quiet() -> Progress:
    return Progress(None)


def done(run: Run, data: Data, out: Path, others: tuple[Run, ...] = ()) -> Path:
    return train(run, recipe(), data.store, data.fingerprint, out, others, quiet)


def weights(card: Path) -> dict[str, torch.Tensor]:
    return load_file(card.with_name(card.name.removesuffix(".json")))


def test_stage_1_of_another_run_is_taken_over(oulu: Data, out: Path, trainer: Trainer) -> None:
    theirs = weights(done(B, oulu, out, (B, C, D)))
    mine = weights(done(D, oulu, out, (B, C, D)))
    assert trainer.asked == [(B.name, (1, 2, 3)), (D.name, (2, 3))]
    assert json.loads((out / D.name / "stage1_from.json").read_text()) == {"run": B.name}
    begun = load_file(out / D.name / "stage1" / "epoch-000.safetensors")
    assert {name for name in mine if name.startswith("advisor.")} == theirs.keys()
    assert all(torch.equal(begun[name], theirs[name]) for name in theirs)


@pytest.mark.slow
def test_stage_1_of_another_run_gives_the_same_bits_as_its_own(oulu: Data, out: Path) -> None:
    alone = weights(done(D, oulu, out / "alone"))
    done(B, oulu, out / "shared", (B, C, D))
    shared = weights(done(D, oulu, out / "shared", (B, C, D)))
    mark = json.loads((out / "shared" / D.name / "stage1_from.json").read_text())
    assert mark == {"run": B.name}
    assert alone.keys() == shared.keys()
    assert all(torch.equal(alone[name], shared[name]) for name in alone)


def test_another_seed_protocol_or_backbone_is_not_shared(
    oulu: Data, out: Path, trainer: Trainer
) -> None:
    others = (B, Run("model_b", "oulu_npu", "1", 1), Run("model_a", "oulu_npu", "1"))
    done(B, oulu, out, others)
    for run in (Run("model_d", "oulu_npu", "1", 1), Run("model_a", "oulu_npu", "1")):
        done(run, oulu, out, others)
        assert not (out / run.name / "stage1_from.json").exists()
        assert trainer.asked[-1] == (run.name, (1, 2, 3))


def test_what_is_done_is_not_done_again(oulu: Data, out: Path, trainer: Trainer) -> None:
    card = done(B, oulu, out)
    before = card.stat().st_mtime_ns

    def never() -> Progress:
        pytest.fail("it trained again")

    assert train(B, recipe(), oulu.store, oulu.fingerprint, out, (), never) == card
    assert card.stat().st_mtime_ns == before
    assert len(trainer.asked) == 1


def leave_the_mark_alone(run: Run, whole: Path, out: Path) -> None:
    """What is there of a run that was killed when the mark was written and nothing was copied."""
    (out / run.name).mkdir()
    for name in ("experiment.json", "environment.json"):
        (out / run.name / name).write_bytes((whole / run.name / name).read_bytes())
    (out / run.name / "stage1_from.json").write_text('{"run": "x"}')


def test_a_kill_between_mark_and_copy_is_made_good(oulu: Data, out: Path, trainer: Trainer) -> None:
    theirs = weights(done(B, oulu, out, (B, C)))
    done(C, oulu, out / "whole", (C,))
    leave_the_mark_alone(C, out / "whole", out)
    done(C, oulu, out, (B, C))
    assert trainer.asked[-1] == (C.name, (2, 3))
    begun = load_file(out / C.name / "stage1" / "epoch-000.safetensors")
    assert all(torch.equal(begun[name], theirs[name]) for name in theirs)


@pytest.mark.slow
def test_a_training_after_a_kill_between_mark_and_copy_has_the_bits_of_a_whole_one(
    oulu: Data, out: Path
) -> None:
    done(B, oulu, out, (B, C))
    expected = weights(done(C, oulu, out / "whole", (C,)))
    leave_the_mark_alone(C, out / "whole", out)
    found = weights(done(C, oulu, out, (B, C)))
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_other_data_in_the_same_folder_is_refused(oulu: Data, out: Path, trainer: Trainer) -> None:
    done(B, oulu, out)
    with pytest.raises(TrainingError, match="begun with other data"):
        train(B, recipe(), oulu.store, "f" * 64, out, (), quiet)


@pytest.mark.slow
def test_finer_grid_and_depth_are_trained_behind_the_same_first_stage(
    oulu: Data, out: Path
) -> None:
    settings = ("network.aam.grid_side=7", "network.aam.depth_side=28")
    finer = Run("model_d", "oulu_npu", "1", settings=settings)
    done(D, oulu, out)
    card = done(finer, oulu, out, others=(D,))
    assert json.loads((out / finer.name / "stage1_from.json").read_text()) == {"run": D.name}
    aam = read_card(card).architecture.aam
    assert aam is not None
    assert (aam.grid_side, aam.depth_side) == (7, 28)
    mine, theirs = weights(card), weights(out / D.name / card.name)
    head = "aam.execution.depth_head.2.weight"
    assert mine[head].shape == theirs[head].shape
    assert not torch.equal(mine[head], theirs[head])


def test_settings_of_an_ablation_are_part_of_the_run(oulu: Data, out: Path) -> None:
    run = Run("model_d", "oulu_npu", "1", settings=("network.aam.num_patches=2",))
    aam = run.experiment(recipe()).network.aam
    assert aam is not None
    assert aam.num_patches == 2
    assert run.name.endswith("-network.aam.num_patches=2")
    with pytest.raises(ConfigError, match="no field"):
        Run("model_d", "oulu_npu", "1", settings=("network.aam.none=2",)).experiment(recipe())
