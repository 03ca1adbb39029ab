"""The naive way is slow, and right: it answers like the network in one."""

from collections.abc import Callable

import pytest
import torch

from builders import moved, seeded, small_config
from context_models import context_network, random_clips
from vivant.bench.naive import NaiveNetwork
from vivant.networks.network import Network
from vivant.networks.preprocessing import Normalise

NETWORKS = {
    "all": lambda: moved(seeded(small_config())),
    "last": lambda: moved(seeded(small_config(frames="last", depth_head=False))),
    "wider crop": context_network,
    "advisor": lambda: seeded(small_config().model_copy(update={"aam": None, "fusion": "am"})),
}


@pytest.mark.parametrize("build", NETWORKS.values(), ids=NETWORKS)
def test_naive_way_answers_alike(build: Callable[[], Network]) -> None:
    network = build()
    network.eval()
    normalise = Normalise.of(network.advisor.backbone)
    given = [clips[0] for clips in random_clips(network.config)]
    with torch.inference_mode():
        inputs = [normalise(torch.from_numpy(clip)[None]) for clip in given]
        expected = network(*inputs).bona_fide_score
    answer = NaiveNetwork(network, normalise).run(*given)
    assert answer == pytest.approx(float(expected[0]), abs=1e-5)
