"""Scores the test side of a store with a trained checkpoint, at the threshold of its card.

    python scripts/score_test_side.py RUN/tiny.safetensors.json STORE oulu-npu:1

For the synthetic benchmark (docs/synthetic.md), until `vivant evaluate` comes. It also says what
the offsets are good for: the same network with all offsets at zero, so that patches are the anchors
themselves, judged by the second module alone.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from vivant.datasets.naming import divide
from vivant.metrics.rates import rates
from vivant.metrics.thresholds import eer_threshold
from vivant.networks.checkpoint import load_checkpoint
from vivant.networks.network import Network
from vivant.preparation.clips import ClipStore
from vivant.preparation.store import Store
from vivant.records import Split
from vivant.training.cache import AdviceCache
from vivant.training.scoring import SideScores, score_side

WINDOWS = 4


def judged(scores: SideScores, by: np.ndarray, threshold: float) -> dict[str, float]:
    """Rates of a side at a threshold, in per cent."""
    bona_fide, attacks = scores.by_class(by)
    found = rates(bona_fide, attacks, threshold)
    by_species = {f"apcer_{name}": 100 * rate for name, rate in found.apcer_by_species.items()}
    numbers = {"acer": 100 * found.acer, "apcer": 100 * found.apcer, "bpcer": 100 * found.bpcer}
    return {name: round(value, 2) for name, value in (numbers | by_species).items()}


def without_offsets(network: Network) -> None:
    """Patches at the anchors themselves, as where training starts."""
    assert network.aam is not None
    torch.nn.init.zeros_(network.aam.region_proposal.pointwise.weight)


def score_test_side(path: Path, folder: Path, protocol: str) -> dict[str, Any]:
    """Rates of the test side, by part of the network.

    Args:
        path: Card of a checkpoint.
        folder: Of the store.
        protocol: Such as `oulu-npu:1`.
    """
    network, card = load_checkpoint(path)
    assert card.operating_point is not None
    clips = ClipStore(folder, network.config.num_frames)
    sides = divide(Store(folder).manifest.dataset, clips.presentations, protocol)

    heard = {split: AdviceCache(torch.device("cpu")) for split in (Split.DEV, Split.TEST)}

    def score(split: Split) -> SideScores:
        return score_side(network, clips, folder, sides[split], WINDOWS, cache=heard[split])

    test = score(Split.TEST)
    threshold = card.operating_point.threshold
    labels = [row.label.name.lower() for row in test.rows]
    content: dict[str, Any] = {
        "bona_fide": labels.count("bona_fide"),
        "attack": labels.count("attack"),
        "threshold": threshold,
        "fused": judged(test, test.fused, threshold),
    }
    if test.aam is not None:
        dev = score(Split.DEV)
        for part in ("advisor", "aam"):
            of_dev = dev.by_class(getattr(dev, part))
            content[part] = judged(test, getattr(test, part), eer_threshold(*of_dev)[0])
        without_offsets(network)
        dev, test = score(Split.DEV), score(Split.TEST)
        assert dev.aam is not None
        assert test.aam is not None
        limit = eer_threshold(*dev.by_class(dev.aam))[0]
        content["aam_without_offsets"] = judged(test, test.aam, limit)
    return content


def main(arguments: Sequence[str] | None = None) -> None:
    """Print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("card", type=Path)
    parser.add_argument("store", type=Path)
    parser.add_argument("protocol")
    options = parser.parse_args(arguments)
    found = score_test_side(options.card, options.store, options.protocol)
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
