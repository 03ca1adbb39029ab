"""Recipes for small machines and for a first try."""

from vivant.networks import models
from vivant.networks.config import AamConfig, AdvisorConfig
from vivant.networks.losses import LossConfig
from vivant.training.config import DataConfig, Experiment, OptimiserConfig, StageConfig

__all__ = ["lite", "smoke", "tiny"]

_ADVISOR = LossConfig(depth_weight=0, advisor_weight=10, aam_weight=0)
_AAM = LossConfig(depth_weight=0.5, advisor_weight=0, aam_weight=10, depth_scale=10)
_BOTH = LossConfig(depth_weight=0.5, advisor_weight=10, aam_weight=10, depth_scale=10)


def lite() -> Experiment:
    """The model that ships: EfficientNet-Lite0 and narrow patches, for processors and browsers.

    vivant train lite --data STORE --protocol oulu-npu:1 --out RUN

    Time: 0.4 s a clip and stage on two processor cores. Memory: 2 GB for 8 clips.
    """
    return Experiment(
        model="lite",
        network=models.lite(),
        pretrained="package",
        optimiser=OptimiserConfig(region_proposal_rate=0.1),
        stage1=StageConfig(epochs=8, learning_rate=3e-4, loss=_ADVISOR),
        stage2=StageConfig(epochs=10, learning_rate=1e-3, loss=_AAM, cache_advisor=True),
        stage3=StageConfig(epochs=2, learning_rate=3e-5, loss=_BOTH),
    )


def tiny() -> Experiment:
    """The network of `lite`, trained for minutes on two cores: for the synthetic benchmark.

    vivant train tiny --data STORE --protocol oulu-npu:1 --out RUN

    Time: under ten minutes for all three stages on the tiny synthetic OULU-NPU. Memory: 2 GB.
    """
    return lite().model_copy(
        update={
            "model": "tiny",
            "data": DataConfig(dev_windows=1),
            "stage1": StageConfig(epochs=4, learning_rate=3e-4, loss=_ADVISOR),
            "stage2": StageConfig(epochs=8, learning_rate=1e-3, loss=_AAM, cache_advisor=True),
            "stage3": StageConfig(epochs=1, learning_rate=3e-5, loss=_BOTH),
        }
    )


def smoke() -> Experiment:
    """PLUMBING ONLY: two steps a stage from random weights, to see that everything runs.

    vivant train smoke --data STORE --protocol oulu-npu:1 --out RUN

    Its model has learned nothing. Time: at most 60 s. Memory: 1 GB.
    """
    return Experiment(
        model="smoke",
        network=models.lite().model_copy(
            update={
                "advisor": AdvisorConfig(backbone="efficientnet_lite0", hidden_size=16),
                "aam": AamConfig(widths=(4, 8, 8), frames="last"),
                "num_frames": 2,
            }
        ),
        pretrained="none",
        data=DataConfig(
            batch_clips=4, micro_batch_clips=4, clips_per_epoch=8, dev_windows=1, num_workers=0
        ),
        stage1=StageConfig(epochs=1, learning_rate=1e-3, loss=_ADVISOR),
        stage2=StageConfig(epochs=1, learning_rate=1e-3, loss=_AAM),
        stage3=StageConfig(epochs=1, learning_rate=1e-4, loss=_BOTH),
    )
