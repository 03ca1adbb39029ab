"""The fit against scikit-learn, and a whole training with it on made-up faces."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from lightning_fabric import Fabric
from sklearn.linear_model import LogisticRegression

from prepared import encoded, frame, prepared
from training_runs import thin_backbone
from vivant.errors import ConfigError, DataError, TrainingError
from vivant.geometry.crop import CropBox
from vivant.networks.card import read_card
from vivant.networks.checkpoint import load_checkpoint
from vivant.preparation.clips import ClipStore
from vivant.preparation.manifest import current_manifest
from vivant.preparation.record import PreparedFrame
from vivant.preparation.settings import PreparationSettings
from vivant.preparation.square import Square
from vivant.preparation.store import Store
from vivant.recipes.starter import starter
from vivant.records import Label, Presentation, Split
from vivant.training import frames_head, loader
from vivant.training.config import Experiment, apply_settings
from vivant.training.data import data_for
from vivant.training.folder import RunFolder, environment
from vivant.training.frames_head import (
    choose_frames,
    fit_logistic,
    judge_unseen_parameters,
    left_out_by_subject,
    read_held_out,
)
from vivant.training.loop import fit
from vivant.training.progress import Progress
from vivant.training.start import new_network

SIDE = 96  # Of a square of 2.67 times the face of 36 pixels.


@pytest.mark.parametrize("inverse_penalty", [3e-4, 0.1])
def test_fit_is_scikit_learns(inverse_penalty: float) -> None:
    generator = np.random.default_rng(1)
    numbers = generator.normal(size=(600, 40))
    is_attack = numbers @ generator.normal(size=40) + generator.normal(size=600) > 0.5
    weights = generator.uniform(0.5, 2, 600)
    w, b = fit_logistic(numbers, is_attack, weights, inverse_penalty)
    reference = LogisticRegression(C=inverse_penalty, tol=1e-8, max_iter=1000)
    reference.fit(numbers, is_attack, sample_weight=weights)
    np.testing.assert_allclose(w, reference.coef_[0], rtol=1e-2, atol=1e-4)
    np.testing.assert_allclose(b, reference.intercept_[0], rtol=1e-2, atol=1e-3)


def face(at: int, seed: int) -> PreparedFrame:
    """A blotchy face in a square as wide as the starter model needs."""
    generator = np.random.default_rng((seed, at))
    blotches = generator.integers(40, 200, (12, 12, 3), dtype=np.uint8)
    pixels = cv2.resize(blotches, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    depth = np.zeros((SIDE // 2, SIDE // 2), np.uint8)
    depth[15:33, 15:33] = 200
    square = Square(CropBox(70, 44, SIDE), 4)
    return replace(
        frame(at), square=square, crop=encoded(pixels, "JPEG"), depth=encoded(depth, "PNG")
    )


def faces(folder: Path, *, margin: float = 2.6) -> Path:
    """Two sets of four people, and a recorded attack that must not be looked at."""
    rows = []
    for number in range(8):
        name, split = "ab"[number % 2], Split.DEV if number > 5 else Split.TRAIN
        row = Presentation(
            f"{number}.mp4", Label.BONA_FIDE, None, subject=str(number), split=split,
            columns={"set": name},
        )  # fmt: skip
        rows.append(prepared(row, [face(at, number) for at in range(3)]))
    attack = Presentation("x.mp4", Label.ATTACK, "mask", subject="0", split=Split.TRAIN)
    rows.append(prepared(attack, [replace(face(at, 9), crop=b"damaged") for at in range(3)]))
    settings = PreparationSettings(margin=margin)
    store = Store.create(folder, current_manifest("folder", settings, is_synthetic=False))
    with store.writing() as writer:
        writer.append(rows)
    return folder


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Experiment:
    thin_backbone(monkeypatch.setattr)
    return apply_settings(
        starter(),
        [
            "pretrained=none", "network.advisor.levels=[2,5]", "network.num_frames=2",
            "network.aam.widths=[2,4,4]", "data.num_workers=0", "data.clips_per_epoch=8",
            "stage2.epochs=1",
        ],
    )  # fmt: skip


def train(experiment: Experiment, store: Path, out: Path) -> RunFolder:
    data = data_for(experiment, store, "folder")
    run = RunFolder(out)
    if not run.is_there:
        run.begin(experiment, environment(data.described, 1, experiment.precision))
    fabric = Fabric(accelerator="cpu", devices=1)
    fit(fabric, experiment, data, run, Progress(None))
    return run


def test_model_is_fitted_on_bona_fide_clips_alone(small: Experiment, tmp_path: Path) -> None:
    run = train(small, faces(tmp_path / "store"), tmp_path / "run")
    held_out = read_held_out(run.path)
    assert [each.name for each in held_out.sets] == ["a", "b"]
    assert [each.num_bona_fide for each in held_out.sets] == [9, 9]
    assert [each.num_subjects for each in held_out.sets] == [3, 3]
    best, _ = run.best(1)
    for name in ("apcer", "bpcer"):
        rates = [getattr(each, name) for each in held_out.sets]
        assert all(0 <= rate <= 1 for rate in rates)
        assert getattr(best, name) == pytest.approx(np.mean(rates))
    assert best.acer == pytest.approx((best.apcer + best.bpcer) / 2)
    assert best.apcer > 0, "a random backbone lets some attacks pass"
    card = read_card(run.path / "lite.safetensors.json")
    assert card.training.pai_species == ("print", "replay")
    assert card.training.is_synthetic
    assert card.operating_point.threshold == held_out.threshold
    assert card.operating_point.rule == "held-out-bpcer"
    assert card.operating_point.cameras.num_cameras == 2
    network, _ = load_checkpoint(run.path / "lite.safetensors.json")
    assert float(network.advisor.feature_deviation.std()) > 0
    assert bool((network.advisor.classifier.weight.detach().sum(0) == 0).all())
    assert float(network.advisor.classifier.weight.detach().abs().max()) > 0


def test_stage_2_leaves_the_fit_alone(small: Experiment, tmp_path: Path) -> None:
    run = train(small, faces(tmp_path / "store"), tmp_path / "run")
    _, fitted = run.best(1)
    _, trained = run.best(2)
    differing = {name for name, tensor in fitted.items() if not torch.equal(tensor, trained[name])}
    assert differing
    assert all(name.startswith("aam.") for name in differing)


def test_killed_fit_goes_on_where_it_was(
    small: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = faces(tmp_path / "store")
    monkeypatch.setattr(frames_head, "_SHARD", 16)
    whole = train(small, store, tmp_path / "whole")
    run = RunFolder(tmp_path / "killed")
    data = data_for(small, store, "folder")
    run.begin(small, environment(data.described, 1, small.precision))
    written = []
    write = RunFolder.write_array

    def then_die(folder: RunFolder, name: str, values: np.ndarray) -> None:
        write(folder, name, values)
        written.append(name)
        if len(written) == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(RunFolder, "write_array", then_die)
        train(small, store, run.path)
    asked = []
    batches = frames_head.load_batches
    monkeypatch.setattr(
        frames_head, "load_batches", lambda *given: asked.append(1) or batches(*given)
    )
    train(small, store, run.path)
    assert len(asked) == len(list((run.path / "stage1").glob("views-*.npy"))) - 2
    assert read_held_out(run.path) == read_held_out(whole.path)
    for name, tensor in whole.best(1)[1].items():
        assert torch.equal(tensor, run.best(1)[1][name]), name


def test_too_narrow_store_is_refused(small: Experiment, tmp_path: Path) -> None:
    store = faces(tmp_path / "store", margin=1.75)
    with pytest.raises(DataError, match=r"squares of 1\.75 .* needs 2\.49\b.*--margin 2\.49"):
        data_for(small, store, "folder")


def test_frames_are_taken_evenly_over_subjects(tmp_path: Path) -> None:
    store = ClipStore(faces(tmp_path / "store"), 2)
    rows = [row for row in store.presentations if row.label is Label.BONA_FIDE]
    chosen = choose_frames(store, rows, most_per_set=6)
    of_a = [row.subject for row, _ in chosen if row.columns["set"] == "a"]
    assert sorted(of_a) == ["0", "0", "2", "2", "4", "6"]
    assert len({place for _, place in chosen}) == len(chosen) == 12


def test_damaged_record_is_told(tmp_path: Path) -> None:
    (tmp_path / "stage1").mkdir()
    for text in ("{", json.dumps({"threshold": 0.5}), json.dumps({"sets": [], "threshold": "x"})):
        (tmp_path / "stage1/held_out.json").write_text(text)
        with pytest.raises(TrainingError, match=r"held_out\.json is missing or damaged"):
            read_held_out(tmp_path)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["network.advisor.head=lstm"], "fit needs network.advisor.head"),
        (["network.advisor.freeze_backbone=false"], "freeze_backbone"),
        (["augment.recapture=false"], "set augment.recapture"),
        (["fit=null"], "stage1 or fit"),
    ],
)
def test_contradictions_are_refused(settings: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        apply_settings(starter(), settings)


def test_frames_are_judged_by_fits_without_their_subject(small: Experiment, tmp_path: Path) -> None:
    run = train(small, faces(tmp_path / "store"), tmp_path / "run")
    data = data_for(small, tmp_path / "store", "folder")
    found = left_out_by_subject(small, data, run, 3)
    assert len(found) == 18
    assert all(row.label is Label.BONA_FIDE and 0 < score < 1 for row, score in found)
    assert found == left_out_by_subject(small, data, run, 3)
    with pytest.raises(TrainingError, match="train it first"):
        left_out_by_subject(small, data, RunFolder(tmp_path / "other"), 3)


def test_sets_and_parameters_are_both_unseen(
    small: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = []
    rendered = loader.render
    monkeypatch.setattr(
        loader,
        "render",
        lambda *given, **how: drawn.append(how["ranges"]) or rendered(*given, **how),
    )
    data = data_for(small, faces(tmp_path / "store"), "folder")
    network = new_network(small)
    run = RunFolder(tmp_path / "views")
    found = judge_unseen_parameters(small, network, data, run, Progress(None))
    assert found.keys() == {"a", "b"}
    assert all(0 <= area <= 1 for area in found.values())
    assert Counter(drawn) == {"first": 54, "second": 54}, "18 frames, filmed and twice an attack"


def test_attacks_that_are_made_can_be_trained_on_in_stages_too(
    small: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The dev side's attacks are made as well, for the threshold of the card too."""
    stage1 = {"epochs": 1, "learning_rate": 1e-3, "loss": {"depth_weight": 0, "aam_weight": 0}}
    experiment = apply_settings(small, ["fit=null", f"stage1={json.dumps(stage1)}"])
    made = []
    rendered = loader.render
    monkeypatch.setattr(
        loader,
        "render",
        lambda *given, **how: made.append(how["species"]) or rendered(*given, **how),
    )
    run = train(experiment, faces(tmp_path / "store"), tmp_path / "run")
    card = read_card(run.path / "lite.safetensors.json")
    assert card.operating_point.rule == "dev-eer"
    last = Counter(made[-12:])  # Two people of the dev side, two windows each.
    assert last == {None: 4, "print": 4, "replay": 4}
