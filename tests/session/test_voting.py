"""How much of a score the explanation explains."""

import numpy as np
import pytest

from builders import small_config
from context_models import context_config, context_network, random_clips
from vivant.networks.config import NetworkConfig
from vivant.session.voting import in_words, map_share, patches_vote


def test_share_is_of_the_absolute_values() -> None:
    """Two levels: the last map's mean is the fifth of twelve parts. 5 of 1 + 2 + ... + 12."""
    parts = np.arange(1, 13) * np.resize([1.0, -1.0], 12)
    assert map_share(parts, context_config().advisor) == pytest.approx(5 / 78)
    assert map_share(-parts, context_config().advisor) == pytest.approx(5 / 78)


def test_part_is_the_network_s() -> None:
    """The index that needs no torch is the Advisor's own, at any number of levels."""
    network = context_network()
    parts = np.zeros(len(network.advisor.frame_parts))
    parts[network.advisor.map_part] = -2.0
    assert map_share(parts, network.config.advisor) == 1.0
    single = network.config.advisor.model_copy(update={"levels": (7,)})
    assert map_share(np.array([1.0, 1, 6, 1, 1, 0, 0, 0]), single) == 0.6


def test_nothing_that_moves_the_logit_has_no_share() -> None:
    assert map_share(np.zeros(12), context_config().advisor) is None


def test_lstm_s_logit_comes_from_the_map_alone() -> None:
    assert map_share(np.ones(16), small_config().advisor) is None


@pytest.mark.parametrize(
    ("architecture", "expected"),
    [
        (NetworkConfig(), True),
        (NetworkConfig(fusion="aam"), True),
        (NetworkConfig(fusion="am"), False),
        (NetworkConfig(fusion="am", aam=None), None),
    ],
)
def test_patches_vote_where_their_score_is_fused(
    architecture: NetworkConfig, expected: bool | None
) -> None:
    assert patches_vote(architecture) is expected


def test_patches_that_do_not_vote_change_no_score() -> None:
    import torch

    network = context_network()
    given = [
        (torch.from_numpy(each).permute(0, 1, 4, 2, 3) / 127.5 - 1)
        for each in random_clips(network.config)
    ]
    with torch.inference_mode():
        before = network(*given)
        assert network.aam is not None
        for weights in network.aam.execution.parameters():
            weights.mul_(-1)
        after = network(*given)
    assert patches_vote(network.config) is False
    assert (before.aam_score != after.aam_score).all()
    assert torch.equal(before.bona_fide_score, after.bona_fide_score)


def test_share_in_words() -> None:
    assert in_words(0.064).startswith("The Grad-CAM covers 6% of what moves the logit")
