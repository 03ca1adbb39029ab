"""Recipes for small machines and for a first try."""

from vivant.networks import models
from vivant.networks.config import AamConfig, AdvisorConfig
from vivant.recipes.schedule import with_stages
from vivant.training.config import AugmentConfig, DataConfig, Experiment, OptimiserConfig

__all__ = ["lite", "smoke", "tiny"]

_RATES = (5e-4, 2e-3, 3e-5)
_DEPTH_SCALE = 10.0  # J_D's gradient in the trunk is small beside the class loss's (D16).


def lite() -> Experiment:
    """The model that ships: EfficientNet-Lite0 and narrow patches, for processors and browsers.

    vivant train lite --data STORE --protocol oulu-npu:1 --out RUN

    Time: 0.4 s a clip and epoch on two processor cores. Memory: 2 GB for 8 clips.
    """
    whole = Experiment(
        model="lite",
        network=models.lite(),
        pretrained="package",
        # At 0.1 a third of the offsets were at their largest after 600 steps (D13).
        optimiser=OptimiserConfig(schedule="cosine", region_proposal_rate=0.02),
    )
    return with_stages(whole, (8, 12, 2), _RATES, depth_scale=_DEPTH_SCALE, cache_advisor=True)


def tiny() -> Experiment:
    """The network of `lite` with three frames, for minutes: for the synthetic benchmark.

    vivant train tiny --data STORE --protocol oulu-npu:1 --out RUN

    Colours change little and nothing is erased: with the paper's augmentation so short a training
    does not fit, and the second module stays at chance. Time: 7 to 11 minutes on two cores, the
    busier the longer. Memory: 2 GB.
    """
    whole = Experiment(
        model="tiny",
        network=models.lite().model_copy(update={"num_frames": 3}),
        pretrained="package",
        data=DataConfig(dev_windows=1, clips_per_epoch=320),
        augment=AugmentConfig(colour_shift=15, gamma_range=(0.8, 1.25), erase_share=0, cutout_px=0),
        optimiser=OptimiserConfig(schedule="cosine"),
    )
    return with_stages(whole, (3, 12, 1), _RATES, depth_scale=_DEPTH_SCALE, cache_advisor=True)


def smoke() -> Experiment:
    """PLUMBING ONLY: two steps a stage from random weights, to see that everything runs.

    vivant train smoke --data STORE --protocol oulu-npu:1 --out RUN

    Its model has learned nothing. Time: at most 60 s. Memory: 1 GB.
    """
    network = models.lite().model_copy(
        update={
            "advisor": AdvisorConfig(backbone="efficientnet_lite0", hidden_size=16),
            "aam": AamConfig(widths=(4, 8, 8), frames="last"),
            "num_frames": 2,
        }
    )
    whole = Experiment(
        model="smoke",
        network=network,
        pretrained="none",
        data=DataConfig(
            batch_clips=4, micro_batch_clips=4, clips_per_epoch=8, dev_windows=1, num_workers=0
        ),
    )
    return with_stages(whole, (1, 1, 1), _RATES)
