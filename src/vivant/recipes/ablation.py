"""Table 1 in small: Models A to D on ResNet-18, for the synthetic set and machines without a GPU.

The same order as the paper's: no SE, the Advisor alone, no depth, all of it. They start from random
weights, because nobody ships SE-ResNet-18's.
"""

from vivant.networks import models
from vivant.networks.config import NetworkConfig
from vivant.recipes.schedule import with_stages
from vivant.training.config import DataConfig, Experiment

__all__ = ["small_a", "small_b", "small_c", "small_d"]


def small_a() -> Experiment:
    """Model A in small: ResNet-18 without channel attention, both modules, depth.

    vivant train small_a --data STORE --protocol oulu-npu:1 --out RUN

    Time: 0.8 s a clip on two processor cores. Memory: 2 GB for 4 clips.
    """
    return _small("small_a", models.model_a(), "resnet18")


def small_b() -> Experiment:
    """Model B in small: the Advisor alone, on SE-ResNet-18.

    vivant train small_b --data STORE --protocol oulu-npu:1 --out RUN

    Time: 0.5 s a clip on two processor cores. Memory: 2 GB for 4 clips.
    """
    return _small("small_b", models.model_b(), "se_resnet18")


def small_c() -> Experiment:
    """Model C in small: both modules on SE-ResNet-18, no depth.

    vivant train small_c --data STORE --protocol oulu-npu:1 --out RUN

    Time: 0.8 s a clip on two processor cores. Memory: 2 GB for 4 clips.
    """
    return _small("small_c", models.model_c(), "se_resnet18")


def small_d() -> Experiment:
    """Model D in small: all of it, on SE-ResNet-18.

    vivant train small_d --data STORE --protocol oulu-npu:1 --out RUN

    Time: 0.8 s a clip on two processor cores. Memory: 2 GB for 4 clips.
    """
    return _small("small_d", models.model_d(), "se_resnet18")


def _small(name: str, network: NetworkConfig, backbone: str) -> Experiment:
    aam = network.aam
    if aam is not None:
        aam = aam.model_copy(update={"widths": (8, 16, 24)})
    advisor = network.advisor.model_copy(update={"backbone": backbone})
    bare = Experiment.model_construct(
        model=name,
        network=network.model_copy(update={"advisor": advisor, "aam": aam}),
        pretrained="none",
        data=DataConfig(micro_batch_clips=4, dev_windows=1),
    )
    return with_stages(bare, (8, 8, 2), (3e-4, 1e-3, 3e-5), depth_scale=10.0, cache_advisor=True)
