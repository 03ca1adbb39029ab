"""Thin networks, small experiments and made-up clips: what tests of training share."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import pytest
import torch

from prepared import frame, prepared, presentation
from training_runs import thin_backbone
from vivant.networks.backbones import efficientnet_lite
from vivant.networks.config import AamConfig, AdvisorConfig, NetworkConfig
from vivant.networks.network import Network
from vivant.preparation.record import PreparedPresentation
from vivant.records import Label, Presentation, Split
from vivant.training.config import DataConfig, Experiment
from vivant.training.loader import Batch

SIDE = 224


def make_thin(patch: pytest.MonkeyPatch) -> None:
    """`efficientnet_lite0` has four blocks of a few channels: its code, in a hundredth of its time."""
    stages = ((1, 3, 1, 4, 1), (2, 3, 2, 4, 1), (2, 3, 2, 6, 1), (2, 3, 4, 8, 1))
    patch.setattr(efficientnet_lite, "_STAGES", stages)
    patch.setattr(efficientnet_lite, "_STEM_CHANNELS", 4)
    patch.setattr(efficientnet_lite, "_HEAD_CHANNELS", 12)


@contextmanager
def thin_on_one_thread() -> Iterator[None]:
    """Trainings within have a thin backbone and one thread: the bits of `training_process.py`."""
    num_threads = torch.get_num_threads()
    with pytest.MonkeyPatch.context() as patch:
        thin_backbone(patch.setattr)
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(num_threads)


def thin_config(**aam: object) -> NetworkConfig:
    return NetworkConfig(
        advisor=AdvisorConfig(backbone="efficientnet_lite0", hidden_size=8),
        aam=AamConfig(**({"widths": (4, 8, 8), "frames": "last"} | aam)),
        num_frames=2,
    )


def thin_network(seed: int = 0, **aam: object) -> Network:
    with pytest.MonkeyPatch.context() as patch:
        make_thin(patch)
        torch.manual_seed(seed)
        return Network(thin_config(**aam))


def small_experiment(**fields: object) -> Experiment:
    data = DataConfig(batch_clips=4, micro_batch_clips=4, dev_windows=2, num_workers=0)
    defaults = {"model": "thin", "network": thin_config(), "pretrained": "none", "data": data}
    return Experiment(**(defaults | fields))


def made_up_batch(num: int = 4, seed: int = 0, side: int = SIDE, **parts: object) -> Batch:
    """Clips of two frames, bona fide and attacks in turn; nothing is done to them."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(num) % 2
    crops = torch.randint(0, 256, (num, 2, side, side, 3), dtype=torch.uint8, generator=generator)
    depth = torch.randint(0, 256, (num, 2, SIDE, SIDE), dtype=torch.uint8, generator=generator)
    batch = Batch(
        crops=crops,
        depth=depth * (labels == 0)[:, None, None, None],
        has_depth=torch.ones(num, 2, dtype=torch.bool),
        labels=labels,
        flips=torch.zeros(num, dtype=torch.bool),
        colours=torch.zeros(num, 3),
        gammas=torch.ones(num),
        holes=torch.zeros(num, 2, 4),
        keys=torch.arange(num),
    )
    return batch._replace(**parts)


def presentations_of(split: Split, kinds: Sequence[str | None]) -> list[Presentation]:
    """A presentation of each kind: None is bona fide, else the PAI species."""
    rows = []
    for number, kind in enumerate(kinds):
        label = Label.BONA_FIDE if kind is None else Label.ATTACK
        row = presentation(f"{split.value}{number:02}", label, split=split, subject=split.value)
        rows.append(replace(row, pai_species=kind))
    return rows


def stored(split: Split, kinds: Sequence[str | None]) -> list[PreparedPresentation]:
    """Presentations with six clips of two frames each, bona fide ones with depth."""
    return [prepared(row) for row in presentations_of(split, kinds)]


def too_short(name: str, split: Split) -> PreparedPresentation:
    """A bona fide presentation of one frame: it has no clip."""
    return prepared(presentation(name, split=split, subject=split.value), [frame(0)])
