"""Trainings for tests: a made-up store, a network of a few thousand weights, runs of a second."""

from collections.abc import Sequence
from pathlib import Path

import torch
from lightning_fabric import Fabric
from torch import Tensor

from prepared import frame, new_store, prepared, presentation
from vivant.networks.backbones import efficientnet_lite
from vivant.networks.config import AamConfig, AdvisorConfig, NetworkConfig
from vivant.networks.losses import LossConfig
from vivant.preparation.record import PreparedPresentation
from vivant.records import Label, Split
from vivant.training.config import DataConfig, Experiment, OptimiserConfig, StageConfig
from vivant.training.data import TrainingData, open_data
from vivant.training.folder import Best, RunFolder, environment
from vivant.training.loop import fit
from vivant.training.progress import Progress

PROTOCOL = "folder"


def thin_backbone() -> None:
    """Make `efficientnet_lite0` a thin one: the same code with fewer blocks and channels."""
    efficientnet_lite._STAGES = (
        (1, 3, 1, 4, 1), (2, 3, 2, 4, 1), (2, 3, 2, 4, 1), (2, 3, 2, 4, 1), (2, 3, 2, 8, 2),
    )  # fmt: skip
    efficientnet_lite._STEM_CHANNELS = 4
    efficientnet_lite._HEAD_CHANNELS = 16
