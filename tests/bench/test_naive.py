"""The naive way is slow, and right: it answers like the network in one."""

import numpy as np
import pytest
import torch

from builders import moved, seeded, small_config
from vivant.bench.naive import NaiveNetwork
from vivant.networks.config import NetworkConfig
from vivant.networks.preprocessing import Normalise

CONFIGS = {
    "all": small_config(),
    "last": small_config(frames="last", depth_head=False),
    "advisor": small_config().model_copy(update={"aam": None, "fusion": "am"}),
}


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_naive_way_answers_alike(config: NetworkConfig) -> None:
    network = seeded(config) if config.aam is None else moved(seeded(config))
    network.eval()
    normalise = Normalise.of(network.advisor.backbone)
    clip = np.random.default_rng(3).integers(0, 256, (5, 224, 224, 3), dtype=np.uint8)
    with torch.inference_mode():
        expected = network(normalise(torch.from_numpy(clip)[None])).bona_fide_score
    answer = NaiveNetwork(network, normalise).run(clip)
    assert answer == pytest.approx(float(expected[0]), abs=1e-5)
