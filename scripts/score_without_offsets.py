"""What the offsets are good for: a model without them, judged by its second module alone.

    python scripts/score_without_offsets.py RUN/tiny.safetensors.json STORE oulu-npu:1

All offsets are zero, so that patches are the anchors themselves, as where training starts. Prints
the ACER of the test side, in per cent, at the second module's own threshold of the dev side's equal
error. For docs/synthetic.md.
"""

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

import torch

from vivant.evaluation.protocol_run import measure_rows
from vivant.evaluation.scoring import StoreSource, score_sides
from vivant.metrics.rules import parse_rule
from vivant.runtimes.torch import TorchRunner


def acer_without_offsets(card: Path, store: Path, protocol: str) -> float:
    """ACER of the second module alone, in per cent.

    Args:
        card: Of a checkpoint.
        store: Of its data.
        protocol: Such as `oulu-npu:1`.
    """
    runner = TorchRunner(card)
    aam = runner.network.aam
    assert aam is not None
    torch.nn.init.zeros_(aam.region_proposal.pointwise.weight)
    with tempfile.TemporaryDirectory() as folder:
        source = StoreSource(runner, store)
        rows = score_sides(source, protocol, Path(folder), lambda done, num: None)
    sections = measure_rows(rows, parse_rule("dev-eer"))
    found = next(s for s in sections if (s.name, s.unit) == ("aam", "video"))
    return 100 * float(found.content["rates"]["acer_legacy"])


def main(arguments: Sequence[str] | None = None) -> None:
    """Print one number."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("card", type=Path)
    parser.add_argument("store", type=Path)
    parser.add_argument("protocol")
    options = parser.parse_args(arguments)
    print(f"{acer_without_offsets(options.card, options.store, options.protocol):.2f}")


if __name__ == "__main__":
    main()
