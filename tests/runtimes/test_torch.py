from pathlib import Path

import numpy as np
import pytest
import torch

from vivant.errors import InputError
from vivant.networks.checkpoint import load_checkpoint
from vivant.networks.preprocessing import Normalise
from vivant.runtimes.torch import TorchRunner


def test_answer_is_the_networks(lite_card: Path) -> None:
    clips = np.random.default_rng(8).integers(0, 256, (2, 5, 224, 224, 3), dtype=np.uint8)
    scores = TorchRunner(lite_card).run(clips)
    network, card = load_checkpoint(lite_card)
    normalise = Normalise(card.preprocessing.mean_rgb, card.preprocessing.std_rgb)
    with torch.inference_mode():
        output = network(normalise(torch.from_numpy(clips)))
    for name, tensor in output._asdict().items():
        np.testing.assert_array_equal(getattr(scores, name), tensor.numpy())


def test_views_of_larger_arrays_are_taken(lite_card: Path) -> None:
    """Crops come as slices of frames, and colour is often reversed by a negative stride."""
    frames = np.random.default_rng(8).integers(0, 256, (1, 5, 300, 300, 3), dtype=np.uint8)
    view = frames[:, :, 20:244, 30:254, ::-1]
    runner = TorchRunner(lite_card)
    one, other = runner.run(view), runner.run(view.copy())
    np.testing.assert_array_equal(one.bona_fide_score, other.bona_fide_score)


def test_absent_device_is_told(lite_card: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has the device")
    with pytest.raises(InputError, match=r"cannot run on cuda: .*CUDA"):
        TorchRunner(lite_card, device="cuda")
    with pytest.raises(InputError, match="cannot run on gpu"):
        TorchRunner(lite_card, device="gpu")
