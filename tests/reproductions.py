"""Made-up stores in OULU-NPU's and SiW's names, and a recipe of seconds, for tests of reproduction."""

from dataclasses import replace
from importlib import import_module
from pathlib import Path

from prepared import encoded, frame, picture, prepared
from training_runs import minimal, minimal_data
from vivant.datasets.synthetic_plan import READERS, plan
from vivant.networks.losses import LossConfig
from vivant.preparation.info import fingerprint
from vivant.preparation.manifest import current_manifest
from vivant.preparation.settings import PreparationSettings
from vivant.preparation.store import Store
from vivant.records import Label
from vivant.reproduction.data import Data
from vivant.training.config import Experiment, StageConfig


def recipe() -> Experiment:
    """Two steps of four clips a stage."""
    advisor = LossConfig(depth_weight=0, advisor_weight=10, aam_weight=0)
    aam = LossConfig(depth_weight=0.5, advisor_weight=0, aam_weight=10)
    return minimal(
        model="thin",
        data=minimal_data(clips_per_epoch=8),
        stage1=StageConfig(epochs=1, learning_rate=1e-2, loss=advisor),
        stage2=StageConfig(epochs=1, learning_rate=1e-2, loss=aam, cache_advisor=True),
        stage3=StageConfig(epochs=1, learning_rate=1e-2, loss=LossConfig()),
    )


def named_store(folder: Path, layout: str, *, is_synthetic: bool = True) -> Data:
    """Of the names of the size `smoke`: bona fide are bright, attacks dark."""
    parse = import_module(f"vivant.datasets.{READERS[layout]}").parse
    rows = []
    for number, video in enumerate(plan(layout, "smoke")):
        shown = parse(video.path)
        is_attack = shown.label is Label.ATTACK
        crop = encoded(picture((40 if is_attack else 150) + number % 60), "JPEG")
        frames = [replace(frame(at, with_depth=not is_attack), crop=crop) for at in range(4)]
        rows.append(prepared(shown, frames))
    manifest = current_manifest(READERS[layout], PreparationSettings(), is_synthetic=is_synthetic)
    store = Store.create(folder, manifest)
    with store.writing() as writer:
        writer.append(rows)
    return Data(folder, fingerprint(store), is_synthetic)
