"""The recipe of the model that ships: bona fide faces alone, and attacks made of them."""

from vivant.networks import models
from vivant.networks.losses import LossConfig
from vivant.training.config import (
    AugmentConfig,
    DataConfig,
    Experiment,
    FitConfig,
    OptimiserConfig,
    StageConfig,
)

__all__ = ["starter"]


def starter() -> Experiment:
    """The model that ships: a linear head on a frozen trunk; attacks are made while it trains.

    vivant train starter --data STORE --protocol manifest --out RUN

    Needs bona fide clips alone, prepared with --margin 2.6 (docs/starter.md). Time: about 20
    minutes for 2,500 pictures on two processor cores. Memory: 2 GB.
    """
    return Experiment(
        model="lite",
        network=models.starter(),
        pretrained="package",
        data=DataConfig(clips_per_epoch=320, dev_windows=1),
        augment=AugmentConfig(
            scale_range=(1.12, 1.51),  # The usual crop times or by e^0.15.
            colour_shift=0,
            gamma_range=(1, 1),
            erase_share=0,
            cutout_px=0,
            shift=0.08,
            recapture=True,
            camera=0.4,
        ),
        optimiser=OptimiserConfig(schedule="cosine", region_proposal_rate=0.02),
        fit=FitConfig(),
        stage1=None,
        stage2=StageConfig(
            epochs=8,
            learning_rate=2e-3,
            loss=LossConfig(depth_weight=0.5, advisor_weight=0, aam_weight=10, depth_scale=10),
            cache_advisor=True,
        ),
        stage3=None,
    )
