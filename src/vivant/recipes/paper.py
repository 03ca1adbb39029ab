"""The paper's models with the paper's hyper-parameters (4.2): 10 + 10 + 6 epochs, lambdas, rates.

Times are estimates; `vivant train ... --dry-run` measures a step on your machine. Memory is that of
`data.micro_batch_clips` clips of 5 frames; `--set data.micro_batch_clips=2` and
`--set activation_checkpointing=true` are for small cards, `--precision bf16-mixed` for new ones.
"""

from vivant.networks import models
from vivant.networks.config import NetworkConfig
from vivant.recipes.schedule import with_stages
from vivant.training.config import Experiment

__all__ = ["cnn_lstm", "model_a", "model_b", "model_c", "model_d", "stasn"]

_EPOCHS = (10, 10, 6)
_RATES = (5e-5, 5e-5, 5e-6)


def model_a() -> Experiment:
    """Model A of Table 1: no channel attention (paper 4.3 i).

    vivant train model_a --data STORE --protocol oulu-npu:1 --out RUN --pretrained resnet101.pth

    Time and memory: as `model_d`, a little less.
    """
    return _of("model_a", models.model_a())


def model_b() -> Experiment:
    """Model B of Table 1: the Advisor Module alone, one stage (paper 4.3 ii).

    vivant train model_b --data STORE --protocol oulu-npu:1 --out RUN --pretrained resnet101.pth

    Time: 12,000 clips. Memory: as `model_d`.
    """
    return _of("model_b", models.model_b())


def model_c() -> Experiment:
    """Model C of Table 1: both modules, no attended-auxiliary supervision (paper 4.3 iii).

    vivant train model_c --data STORE --protocol oulu-npu:1 --out RUN --pretrained resnet101.pth

    Time and memory: as `model_d`.
    """
    return _of("model_c", models.model_c())


def model_d() -> Experiment:
    """Model D of Table 1: the complete network of the paper.

    vivant train model_d --data STORE --protocol oulu-npu:1 --out RUN --pretrained resnet101.pth

    Time: OULU-NPU protocol 1 is 26 epochs of 1,200 clips; on two processor cores 3 s a clip, so a
    day; a GPU was not at hand yet. Memory: 3.4 GB for a micro-batch of 2 clips in float32, 2.3 GB
    in bf16, 1.9 GB with activation checkpointing.
    """
    return _of("model_d", models.model_d())


def cnn_lstm() -> Experiment:
    """The vanilla CNN-LSTM of Figure 4a: no SE, no second module, one stage.

    vivant train cnn_lstm --data STORE --protocol oulu-npu:1 --out RUN --pretrained resnet101.pth

    Time: 12,000 clips. Memory: as `model_d`.
    """
    return _of("cnn_lstm", models.cnn_lstm())


def stasn() -> Experiment:
    """A STASN-style baseline: no SE, regions supervised by the class alone (paper 5).

    vivant train stasn --data STORE --protocol oulu-npu:1 --out RUN --pretrained resnet101.pth

    Time and memory: as `model_d`.
    """
    return _of("stasn", models.stasn())


def _of(name: str, network: NetworkConfig) -> Experiment:
    # Not the whole schedule is allowed for every network: the stages come after.
    bare = Experiment.model_construct(model=name, network=network)
    return with_stages(bare, _EPOCHS, _RATES)
