"""Trains in a process of its own: one that is killed, or one of two that train together.

`python training_process.py fit STORE OUT` trains in one process what `training_runs.minimal` says,
and says a line after each step and each judgement; with `killed-at STEP` behind, it kills itself
after that step;
`... gradients STORE OUT` writes what two processes find; `... train ...` is the command `vivant`
with a thin backbone, and writes next to `--out` what each process holds when an epoch is judged.
"""

import hashlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from training_runs import PROTOCOL, minimal, minimal_data, thin_backbone, train
from vivant.networks.network import Network
from vivant.training import stage_run, stages
from vivant.training.augment import Augmented
from vivant.training.config import DataConfig
from vivant.training.data import open_data
from vivant.training.folder import Position, RunFolder
from vivant.training.progress import Progress
from vivant.training.stages import NORMS, StageModule, set_modes
from vivant.training.start import new_network

DEALS = {
    "norms train": minimal_data(batch_clips=8, clips_per_epoch=8),
    "norms frozen": minimal_data(batch_clips=8, clips_per_epoch=8),
    "twice two": minimal_data(batch_clips=16, clips_per_epoch=32),
}
"""What two processes are asked for; each holds four clips at once."""
STAGES = (1, 2, 3)
Gradients = dict[str, Tensor]


class Ended(Exception):
    """Raised when enough steps are done."""


class _Ends(Progress):
    def __init__(self, last_step: int) -> None:
        super().__init__(None)
        self.last_step = last_step

    def step(self, position: Position, values: dict[str, float]) -> None:
        if position.step == self.last_step:
            raise Ended


class _Says(Progress):
    """Says each step and judgement on standard output, and kills this process after one."""

    def __init__(self, last_step: int | None) -> None:
        super().__init__(None)
        self.last_step = last_step

    def step(self, position: Position, values: dict[str, float]) -> None:
        _say(f"step {position.total_steps}")
        if position.total_steps == self.last_step:
            os.kill(os.getpid(), signal.SIGKILL)

    def judged(self, position: Position, judgement: object, *, is_best: bool) -> None:
        _say(f"judged {position.total_steps}")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def gradients(
    fabric: Fabric,
    store: Path,
    out: Path,
    stage: int,
    dealt: DataConfig,
    *,
    norms_train: bool,
    num_steps: int = 1,
) -> tuple[Gradients, list[str]]:
    """The last step's gradients, without dropout, and digests of running statistics at each pass.

    In float64: sums in another order are then the same to many digits.
    """
    optimiser = minimal().optimiser.model_copy(update={"clip_norm": 1e9})
    experiment = minimal(data=dealt, optimiser=optimiser, checkpoint_steps=100)
    data = open_data(store, PROTOCOL, experiment.network.num_frames)
    network = new_network(experiment).double()
    seen: list[str] = []
    put = stage_run.set_modes, StageModule.forward, stages.augment

    def modes(network: Network, *place: object) -> None:
        set_modes(network, *place)
        for module in network.modules():
            is_norm = isinstance(module, NORMS)
            if isinstance(module, nn.Dropout) or (is_norm and not norms_train):
                module.eval()

    def forward(module: StageModule, *inputs: object) -> object:
        seen.append(digest(dict(module.network.named_buffers())))
        return put[1](module, *inputs)

    def augmented(*inputs: object) -> Augmented:
        return Augmented(*(each if each is None else each.double() for each in put[2](*inputs)))

    stage_run.set_modes, StageModule.forward, stages.augment = modes, forward, augmented
    try:
        ends = _Ends(num_steps)
        folder = RunFolder(out)
        run = stage_run.StageRun(fabric, experiment, stage, network, data, folder, None, ends, None)
        run.run()
    except Ended:
        found = {name: each.grad for name, each in network.named_parameters()}
        return {name: each.clone() for name, each in found.items() if each is not None}, seen
    finally:
        stage_run.set_modes, StageModule.forward, stages.augment = put
    raise AssertionError("the training went on")


def digest(tensors: dict[str, Tensor]) -> str:
    content = b"".join(each.detach().numpy().tobytes() for each in tensors.values())
    return hashlib.sha256(content).hexdigest()


def started(*words: object, **settings: object) -> subprocess.Popen[str]:
    """This file as a process with one thread."""
    left_out = {"OMP_NUM_THREADS", "PYTEST_XDIST_WORKER"}
    kept = {name: value for name, value in os.environ.items() if name not in left_out}
    return subprocess.Popen(
        [sys.executable, __file__, *map(str, words)],
        env={**kept, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        **settings,
    )


def _write_gradients(store: Path, out: Path) -> None:
    fabric = Fabric(accelerator="cpu", devices=2, strategy="ddp")
    fabric.launch()
    found = {}
    for name, dealt in DEALS.items():
        for stage in STAGES:
            norms_train = name != "norms frozen"
            found[name, stage] = gradients(
                fabric, store, out, stage, dealt, norms_train=norms_train,
                num_steps=2 if name == "twice two" else 1,
            )  # fmt: skip
    out.mkdir(exist_ok=True)
    torch.save(found, out / f"process{fabric.global_rank}.pt")


def _watch_judgements() -> None:
    """Each process writes what it holds when an epoch is judged."""
    score_side = stage_run.score_side

    def watched(network: Network, *inputs: object, **named: object) -> object:
        rank = named["share"][0]
        with (Path(os.environ["WATCHED"]) / f"process{rank}.txt").open("a") as file:
            file.write(digest(network.state_dict()) + "\n")
        return score_side(network, *inputs, **named)

    stage_run.score_side = watched


def main() -> None:
    torch.set_num_threads(1)
    thin_backbone()
    if sys.argv[1] == "train":
        from vivant.cli.app import main as command

        _watch_judgements()
        command()
        return
    store, out = map(Path, sys.argv[2:4])
    if sys.argv[1] == "fit":
        _say("ready")
        killed_at = int(sys.argv[5]) if sys.argv[4:5] == ["killed-at"] else None
        train(store, out, progress=_Says(killed_at))
    else:
        _write_gradients(store, out)


if __name__ == "__main__":
    main()
