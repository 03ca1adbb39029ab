"""The processes of one training: those that this command starts, or that others started.

torchrun, and Ray Train in its workers, start processes and tell each its place in the environment.
"""

import atexit
import os

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from lightning_fabric.strategies.ddp import DDPStrategy
from torch import distributed

from vivant.errors import ConfigError

__all__ = ["joined", "launched", "num_processes", "was_restarted"]

_COUNT, _LOCAL_COUNT = "WORLD_SIZE", "LOCAL_WORLD_SIZE"
_RESTARTS = "TORCHELASTIC_RESTART_COUNT"


class _Started(TorchElasticEnvironment):
    """Reads the environment that torchrun, or Ray Train, made."""

    def validate_settings(self, num_devices: int, num_nodes: int) -> None:
        """Nothing: nodes may have different numbers of processes."""


def num_processes(devices: int | None) -> int:
    """How many processes train together.

    Args:
        devices: As asked for; None: torchrun's, else one.

    Raises:
        ConfigError: something else than what torchrun has started.
    """
    if not TorchElasticEnvironment.detect():
        return devices or 1
    found, here = int(os.environ[_COUNT]), int(os.environ[_LOCAL_COUNT])
    if devices not in (None, here):
        raise ConfigError(
            f"torchrun has started {here} processes here, and --devices says {devices}: leave "
            "--devices away under torchrun"
        )
    return found


def was_restarted() -> bool:
    """Whether torchrun has started these processes anew, after one of them had died.

    Each machine counts what has happened to itself, so they ask each other: under torchrun this
    joins the processes, and all of them have to call it.
    """
    if not TorchElasticEnvironment.detect():
        return False
    fabric = joined("auto", "32")
    count = torch.tensor(float(os.environ.get(_RESTARTS, "0")), device=fabric.device)
    return bool(fabric.all_reduce(count, reduce_op="sum"))


def launched(devices: int, precision: str) -> Fabric:
    """Processes and devices of a command; each process but the first runs it from its start.

    Args:
        devices: From `num_processes`.
        precision: Of the arithmetic.
    """
    if TorchElasticEnvironment.detect():
        return joined("auto", precision)
    strategy = "ddp" if devices > 1 else "auto"
    fabric = Fabric(devices=devices, strategy=strategy, precision=precision)  # type: ignore[arg-type]
    fabric.launch()
    return fabric


def joined(accelerator: str, precision: str) -> Fabric:
    """This process as one of those that others have started.

    Args:
        accelerator: `cpu`, `cuda`, or `auto`: the best that this machine has.
        precision: Of the arithmetic.
    """
    _meet(accelerator)
    here = int(os.environ[_LOCAL_COUNT])
    fabric = Fabric(
        accelerator=accelerator,
        devices=here,
        num_nodes=max(int(os.environ[_COUNT]) // here, 1),
        strategy=DDPStrategy(cluster_environment=_Started()),
        precision=precision,  # type: ignore[arg-type]
    )
    fabric.launch()
    return fabric


def _meet(accelerator: str) -> None:
    """Join torchrun's processes where those of its earlier attempts have not been.

    It keeps one store for all attempts, and torch looks there for the others' addresses: of those
    that have died, as likely as not, which costs another attempt. On one machine the attempt's
    number keeps them apart; on several each counts for itself, and torch's way is taken.
    """
    is_kept = os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True"
    if distributed.is_initialized() or not is_kept or os.environ["GROUP_WORLD_SIZE"] != "1":
        return
    has_gpu = accelerator != "cpu" and torch.cuda.is_available()
    store = distributed.TCPStore(  # type: ignore[attr-defined]
        os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"]), is_master=False
    )
    distributed.init_process_group(
        "nccl" if has_gpu else "gloo",
        store=distributed.PrefixStore(  # type: ignore[attr-defined]
            f"attempt{os.environ[_RESTARTS]}", store
        ),
        rank=int(os.environ["RANK"]),
        world_size=int(os.environ[_COUNT]),
    )
    atexit.register(distributed.destroy_process_group)
