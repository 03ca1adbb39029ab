import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reproductions import Trainer, recipe
from vivant.errors import ConfigError, DataError, TrainingError
from vivant.evaluation.embedding import Embedding
from vivant.reproduction import figures
from vivant.reproduction.data import Data
from vivant.reproduction.plan import wanted
from vivant.reproduction.reproduce import Order, reproduce
from vivant.training.progress import Progress

pytestmark = pytest.mark.usefixtures("thin")


def order(out: Path, *targets: str, **fields: Any) -> Order:
    return Order(name="asked", targets=targets, recipe=recipe(), size=None, folder=out, **fields)


def carry_out(asked: Order) -> tuple[dict[str, Any], list[str]]:
    told: list[str] = []

    def tell(what: str, done: int, num: int) -> None:
        told.append(what)

    return reproduce(asked, lambda: Progress(None), tell), told


def stop(asked: Order, after_steps: int) -> None:
    """Carry it out, until someone presses Ctrl-C."""
    steps = []

    class Stopped(Progress):
        def step(self, *words: Any) -> None:
            steps.append(words)
            if len(steps) == after_steps:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        reproduce(asked, lambda: Stopped(None), lambda what, done, num: None)


def place_at_once(features: np.ndarray, is_attack: np.ndarray, subjects: object) -> Embedding:
    """Stands in for `embed`, whose t-SNE takes seconds: the first features are the points."""
    assert features.shape[0] == len(is_attack)
    return Embedding(features[:, :3], silhouette=0.1, probe_auc=0.9, probe="no cross-validation")


def test_figures_are_measured_and_drawn_and_nothing_is_done_twice(
    oulu_of_two_phones: Data, out: Path, trainer: Trainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(figures, "embed", place_at_once)
    draw_figures_twice(oulu_of_two_phones, out)
    assert len(trainer.asked) == 2


@pytest.mark.slow
def test_figures_of_trained_networks_are_measured_and_drawn(oulu: Data, out: Path) -> None:
    draw_figures_twice(oulu, out)


def draw_figures_twice(oulu: Data, out: Path) -> None:
    """Carry out an order of all figures; the second time nothing is trained, scored or written."""
    asked = order(out, "figure1", "figure4", "figure5", given={"oulu_npu": oulu.store, "siw": None})
    content, told = carry_out(asked)
    assert {run.name for run in (out / "runs").iterdir()} == {
        "oulu_npu-1-model_d-seed0", "oulu_npu-1-cnn_lstm-seed0",
    }  # fmt: skip
    figure1 = content["figures"]["figure1"]
    assert figure1["bona fide"]["clips"] > 0
    assert [look["title"] for look in content["figures"]["looks"]] == [
        "CNN-LSTM: h", "Model D: z", "Model D: e",
    ]  # fmt: skip
    page = (out / "asked.html").read_text()
    assert page.count("SYNTHETIC") >= 4
    assert "SMOKE" not in page
    assert (out / "figure4.png").read_bytes().startswith(b"\x89PNG")
    assert any(what.startswith("scoring") for what in told)
    kept = {
        path: path.stat().st_mtime_ns
        for path in out.rglob("*")
        if path.suffix in {".safetensors", ".parquet", ".pt"}
    }
    again, _ = carry_out(asked)
    assert again == content
    assert all(path.stat().st_mtime_ns == time for path, time in kept.items())


@pytest.mark.slow
def test_a_run_that_was_stopped_goes_on(oulu: Data, out: Path) -> None:
    asked = order(out, "figure1", given={"oulu_npu": oulu.store, "siw": None}, is_smoke=True)
    whole, _ = carry_out(replace(asked, folder=out / "whole"))
    stop(asked, after_steps=5)
    content, _ = carry_out(asked)
    assert content["figures"] == whole["figures"]
    assert "SMOKE" in content["notices"][1]
    assert json.loads((out / "asked.json").read_text()) == json.loads(json.dumps(content))


def test_another_recipe_in_the_same_folder_is_refused(oulu: Data, out: Path) -> None:
    asked = order(out, "figure1", given={"oulu_npu": oulu.store, "siw": None})
    stop(asked, after_steps=1)
    other = replace(asked, recipe=recipe().model_copy(update={"checkpoint_steps": 3}))
    with pytest.raises(TrainingError, match="has another configuration"):
        carry_out(other)


def test_what_cannot_be_is_told_before_anything_is_done(oulu: Data, out: Path) -> None:
    asked = order(out, "ablation", given={"oulu_npu": oulu.store, "siw": None})
    bad = replace(asked, ablation=(("network.aam.num_patches=99",),))
    with pytest.raises(ConfigError, match="num_patches"):
        carry_out(bad)
    with pytest.raises(DataError, match="--siw DIR"):
        carry_out(order(out, "table4", given={"oulu_npu": oulu.store, "siw": None}))
    assert not (out / "runs").exists()


@pytest.mark.slow
def test_all_tables_and_figures_come_out_of_one_command(
    oulu: Data, siw: Data, out: Path, trainer: Trainer
) -> None:
    make_all_tables_and_figures(oulu, siw, out)
    assert len(trainer.asked) == 38


@pytest.mark.nightly
def test_all_tables_and_figures_come_out_of_trained_networks(
    oulu: Data, siw: Data, out: Path
) -> None:
    make_all_tables_and_figures(oulu, siw, out)


def make_all_tables_and_figures(oulu: Data, siw: Data, out: Path) -> None:
    """Carry out every run, every table and every figure, with made-up stores and thin networks."""
    given = {"oulu_npu": oulu.store, "siw": siw.store}
    content, _ = carry_out(order(out, *wanted("all"), given=given))
    assert len(list((out / "runs").iterdir())) == 38
    shared = list((out / "runs").glob("*/stage1_from.json"))
    assert len(shared) >= 3  # C and D of each seed take B's, or the other way round.
    lines = [row for rows in content["tables"].values() for row in rows if row["ours"]]
    assert len(lines) == 4 + (3 + 2) + (4 + 2) + 7
    assert not [row["ours"]["problem"] for row in lines if row["ours"]["problem"]]
    page = (out / "asked.html").read_text()
    for heading in ("Table 1", "Table 2", "Table 3", "Table 4", "Figure 1", "Figure 4", "Figure 5"):
        assert f"<h2>{heading}" in page


@pytest.mark.slow
def test_an_ablation_has_a_line_for_each_value(
    oulu_of_two_phones: Data, out: Path, trainer: Trainer
) -> None:
    given = {"oulu_npu": oulu_of_two_phones.store, "siw": None}
    settings = (("network.fusion=mean",), ("network.aam.num_patches=2",))
    content, _ = carry_out(order(out, "ablation", given=given, ablation=settings))
    assert [row["method"] for row in content["tables"]["ablation"]] == [
        "Model D", "network.fusion=mean", "network.aam.num_patches=2",
    ]  # fmt: skip
    assert len(trainer.asked) == 9
