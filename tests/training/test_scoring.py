import math

import numpy as np
import pytest
import torch

from builders import moved
from training.small import presentations_of, thin_network
from vivant.errors import DataError, InputError
from vivant.geometry.crop import CROP_SCALE
from vivant.metrics.rates import rates
from vivant.metrics.thresholds import eer_threshold
from vivant.networks.network import Network, NetworkOutput
from vivant.preparation.clips import Window, decode
from vivant.records import Presentation, Split
from vivant.training.cache import AdviceCache
from vivant.training.data import TrainingData
from vivant.training.scoring import (
    SideScores,
    judge,
    mean_by_presentation,
    score_side,
)


@pytest.fixture(scope="module")
def network() -> Network:
    return moved(thin_network())


def score(
    network: Network,
    data: TrainingData,
    rows: tuple[Presentation, ...],
    num_windows: int = 1,
    **options: object,
) -> SideScores:
    return score_side(network, data.clips, data.folder, rows, num_windows, **options)


def by_hand(network: Network, data: TrainingData, window: Window) -> NetworkOutput:
    """The network's answer to one clip, read and normalised here."""
    (raw,) = data.clips.read([window])
    crops = decode(raw, CROP_SCALE, 224).crops / 255.0
    backbone = network.advisor.backbone
    crops = (crops - np.array(backbone.mean_rgb)) / np.array(backbone.std_rgb)
    clip = torch.from_numpy(crops.transpose(0, 3, 1, 2)[None]).float()
    modes = [module.training for module in network.modules()]
    network.eval()
    with torch.no_grad():
        output: NetworkOutput = network(clip)
    for module, mode in zip(network.modules(), modes, strict=True):
        module.training = mode
    return output


def made_up(kinds: list[str | None], fused: list[float]) -> SideScores:
    scores = np.array(fused)
    return SideScores(tuple(presentations_of(Split.DEV, kinds)), scores, scores, None)


def test_mean_is_over_each_ones_clips() -> None:
    scores = np.array([[0.1, 1.0], [0.9, 3.0], [0.3, 5.0]])
    found = mean_by_presentation(scores, np.array([1, 0, 1]), 2)
    assert found == pytest.approx(np.array([[0.9, 3.0], [0.2, 3.0]]))


def test_mean_is_a_loop_over_presentations() -> None:
    generator = np.random.default_rng(4)
    owners = generator.permutation(np.concatenate([np.arange(7), generator.integers(0, 7, 20)]))
    scores = generator.random((27, 3))
    expected = np.stack([scores[owners == which].mean(axis=0) for which in range(7)])
    assert mean_by_presentation(scores, owners, 7) == pytest.approx(expected)


def test_score_that_is_none_stays_none() -> None:
    found = mean_by_presentation(np.array([[0.5, math.nan]]), np.array([0]), 1)
    assert found[0, 0] == 0.5
    assert math.isnan(found[0, 1])


@pytest.mark.parametrize("owners", [[0, 2], [0, 1]])
def test_presentation_without_a_clip_has_no_mean(owners: list[int]) -> None:
    with pytest.raises(InputError, match="at least one clip of each presentation, got one without"):
        mean_by_presentation(np.ones((2, 1)), np.array(owners), 3)


def test_judgement_by_hand() -> None:
    # At 0.6: of bona fide 0.2 is rejected, 1/2; of print 0.6 is accepted, 1/2; of replay none.
    # At 0.7: 1/2 and 0. At 0.2: 0 and 1.
    kinds = [None, "print", "replay", None, "print"]
    judgement = judge(made_up(kinds, [0.2, 0.6, 0.1, 0.7, 0.1]))
    assert judgement.threshold == 0.6
    assert judgement.d_eer == 0.5
    assert judgement.rates.bpcer == 0.5
    assert judgement.rates.apcer_by_species == {"print": 0.5, "replay": 0}
    assert judgement.rates.acer == 0.5


def test_judgement_is_that_of_the_metrics() -> None:
    generator = np.random.default_rng(6)
    kinds: list[str | None] = [None] * 9 + ["print"] * 6 + ["replay"] * 5
    values = generator.random(20)
    values[:9] += 0.2
    scores = made_up(kinds, values.tolist())
    attacks = {"print": values[9:15], "replay": values[15:]}
    threshold, d_eer = eer_threshold(values[:9], attacks)
    judgement = judge(scores)
    assert (judgement.threshold, judgement.d_eer) == (threshold, d_eer)
    assert judgement.rates == rates(values[:9], attacks, threshold)


def test_another_score_is_judged_where_it_is_asked_for() -> None:
    rows = tuple(presentations_of(Split.DEV, [None, "print"]))
    scores = SideScores(rows, np.array([0.1, 0.9]), np.array([0.8, 0.3]), None)
    assert judge(scores).rates.acer == 1
    advisor = judge(scores, scores.advisor)
    assert (advisor.threshold, advisor.rates.acer) == (0.8, 0)


@pytest.mark.parametrize(
    ("fused", "threshold"),
    [
        ([0.0, 0.0, 0.0], 1.0),  # Nothing above 0.
        ([0.5, 0.5, 0.0], 0.5),  # Equally bad at 0 and 0.5: 0 would accept whatever comes.
        ([1.0, 1.0, 1.0], 1.0),
        ([0.4, 1.0, 1.0], 1.0),
        ([1e-30, 0.0, 0.0], 1e-30),
    ],
)
def test_no_threshold_accepts_everything(fused: list[float], threshold: float) -> None:
    judgement = judge(made_up([None, "print", "replay"], fused))
    assert judgement.threshold == threshold
    assert judgement.rates.threshold == threshold
    assert judgement.rates.bpcer == float(fused[0] < threshold)


def test_every_threshold_may_be_on_a_card() -> None:
    """All sides of a bona fide and two attacks with scores out of five."""
    choices = (0.0, 1e-9, 0.3, 0.5, 1.0)
    for fused in np.array(np.meshgrid(choices, choices, choices)).reshape(3, -1).T.tolist():
        judgement = judge(made_up([None, "print", "replay"], fused))
        assert 0 < judgement.threshold <= 1, fused


@pytest.mark.parametrize(
    ("kinds", "message"),
    [
        (["print", "print"], "expected at least one score of bona fide presentations"),
        ([None, None], "expected the scores of at least one PAI species"),
    ],
)
def test_side_of_one_class_cannot_be_judged(kinds: list[str | None], message: str) -> None:
    with pytest.raises(InputError, match=message):
        judge(made_up(kinds, [0.1, 0.9]))


def test_scores_are_the_networks_of_the_middle_clip(
    network: Network, small_data: TrainingData
) -> None:
    scores = score(network, small_data, small_data.dev)
    assert scores.aam is not None
    for at, row in enumerate(scores.rows):
        windows = small_data.clips.windows(row.path)
        output = by_hand(network, small_data, windows[(len(windows) - 1) // 2])
        assert output.aam_score is not None
        assert scores.fused[at] == pytest.approx(output.bona_fide_score.item(), abs=1e-5)
        assert scores.advisor[at] == pytest.approx(output.advisor_score.item(), abs=1e-5)
        assert scores.aam[at] == pytest.approx(output.aam_score.item(), abs=1e-5)
    assert len(np.unique(scores.fused)) > 0


def test_score_is_the_mean_over_the_windows(network: Network, small_data: TrainingData) -> None:
    row = small_data.dev[1]
    windows = small_data.clips.windows(row.path)
    assert len(windows) == 6
    found = score(network, small_data, (row,), 3, batch_clips=2)
    wanted = [by_hand(network, small_data, windows[at]) for at in (0, 3, 5)]
    values = [output.bona_fide_score.item() for output in wanted]
    assert found.fused == pytest.approx([sum(values) / 3], abs=1e-5)


def test_presentation_without_a_clip_is_left_out(
    network: Network, small_data: TrainingData
) -> None:
    names = [row.path for row in small_data.dev]
    assert "videos/dev99.mp4" in names
    scores = score(network, small_data, small_data.dev)
    assert [row.path for row in scores.rows] == [name for name in names if "99" not in name]
    assert len(scores.fused) == len(scores.advisor) == len(scores.rows) == 4


def test_side_without_any_clip_is_refused(network: Network, small_data: TrainingData) -> None:
    rows = tuple(row for row in small_data.dev if "99" in row.path)
    with pytest.raises(DataError, match="none of 1 presentations has a clip: see `vivant data inf"):
        score(network, small_data, rows)


def test_modes_are_as_before(
    network: Network, small_data: TrainingData, monkeypatch: pytest.MonkeyPatch
) -> None:
    network.train()
    network.advisor.eval()
    network.advisor.dropout.train()
    before = [module.training for module in network.modules()]
    seen = []
    handle = network.advisor.backbone.register_forward_pre_hook(lambda *_: seen.append(
        any(part.training for part in network.advisor.modules())
    ))  # fmt: skip
    score(network, small_data, small_data.dev[:1])
    assert seen == [False]
    assert [module.training for module in network.modules()] == before
    handle.remove()

    def fail(*crops: torch.Tensor) -> None:
        raise DataError("damaged")

    monkeypatch.setattr(network, "advise", fail)
    with pytest.raises(DataError, match="damaged"):
        score(network, small_data, small_data.dev[:1])
    assert [module.training for module in network.modules()] == before


def test_advisor_alone_is_asked_before_the_second_module_is_trained(
    network: Network, small_data: TrainingData, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = score(network, small_data, small_data.dev[:2])
    monkeypatch.setattr(network, "attend", None)
    alone = score(network, small_data, small_data.dev[:2], advisor_only=True)
    assert alone.aam is None
    assert np.array_equal(alone.advisor, both.advisor)
    assert np.array_equal(alone.fused, alone.advisor)
    assert not np.array_equal(both.fused, both.advisor)


def test_processes_share_the_rows_and_all_get_all_scores(
    network: Network, small_data: TrainingData, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = score(network, small_data, small_data.dev[:3])
    assert whole.aam is not None
    table = np.stack([whole.fused, whole.advisor, whole.aam], axis=1)
    sent = []

    def gather(parts: list[np.ndarray], values: np.ndarray) -> None:
        sent.append(values)
        parts[:] = [table[0::2], table[1::2]]

    monkeypatch.setattr(torch.distributed, "all_gather_object", gather, raising=False)
    for rank in (0, 1):
        found = score(network, small_data, small_data.dev[:3], share=(rank, 2))
        assert sent[rank] == pytest.approx(table[rank::2], abs=1e-5)
        assert np.array_equal(found.fused, whole.fused)
        assert found.rows == whole.rows


def test_scores_divide_by_class_and_species() -> None:
    scores = made_up(["replay", None, "print", "replay", None], [0.1, 0.2, 0.3, 0.4, 0.5])
    bona_fide, attacks = scores.by_class(scores.fused)
    assert bona_fide.tolist() == [0.2, 0.5]
    assert {name: values.tolist() for name, values in attacks.items()} == {
        "print": [0.3],
        "replay": [0.1, 0.4],
    }


def test_what_a_frozen_advisor_said_is_asked_once(
    network: Network, small_data: TrainingData
) -> None:
    cache = AdviceCache(torch.device("cpu"))
    plain = score(network, small_data, small_data.dev)
    asked: list[int] = []
    handle = network.advisor.backbone.register_forward_pre_hook(lambda *_: asked.append(1))
    first = score(network, small_data, small_data.dev, cache=cache)
    num_asked = len(asked)
    second = score(network, small_data, small_data.dev, cache=cache)
    handle.remove()
    assert len(asked) == num_asked > 0
    for found in (first, second):
        np.testing.assert_array_equal(found.fused, plain.fused)
        np.testing.assert_array_equal(found.aam, plain.aam)
