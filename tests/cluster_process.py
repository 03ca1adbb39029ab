"""The command `vivant` with a thin backbone, here and in a cluster's workers; some of them end early.

`python cluster_process.py WORDS...`, or a sweep of few runs: `python cluster_process.py sweep ENGINE
STORE OUT`. EVENTS in the environment says who ends, such as `kill:1:2,error:0:3`: process 1 is
killed after the second step of an epoch of stage 2, process 0 raises an error in stage 3; each
once, which is noted in the folder MARKS. `always:0:1` happens each time.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path

from training_runs import thin_backbone
from vivant.errors import UnknownNameError
from vivant.training import stage_run
from vivant.training.folder import Position

ERROR = UnknownNameError("backbone", "resnet1", ["resnet18"])
TWO = (
    "--set", "data.batch_clips=4", "--set", "data.micro_batch_clips=2",
    "--set", "data.clips_per_epoch=16", "--set", "network.advisor.hidden_size=8",
    "--set", "checkpoint_steps=1",
)  # fmt: skip
"""Of `vivant train smoke`, for two processes: four steps a stage."""
LAUNCHER = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")


def started(
    *words: object,
    marks: Path,
    events: str = "",
    launcher: tuple[str, ...] = (sys.executable,),
    address: str | None = None,
) -> subprocess.Popen[str]:
    """Start this file as a process; it, and all that it starts, has one thread each.

    Args:
        words: Of the command.
        marks: Folder in which events are noted.
        events: Who ends early.
        launcher: Starts Python.
        address: Of the cluster in which `--engine ray` works; None: one of this machine alone.
    """
    left_out = {"PYTEST_XDIST_WORKER", "PYTHONWARNINGS", "RAY_ADDRESS"}
    environment = {name: value for name, value in os.environ.items() if name not in left_out}
    environment |= {
        "OMP_NUM_THREADS": "1",
        "CUDA_VISIBLE_DEVICES": "",
        "PYTHONPATH": str(Path(__file__).parent),
        "EVENTS": events,
        "MARKS": str(marks),
    } | ({} if address is None else {"RAY_ADDRESS": address})
    return subprocess.Popen(
        [*launcher, __file__, *map(str, words)],
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def ended(*words: object, marks: Path, **options: object) -> subprocess.CompletedProcess[str]:
    """Run this file as `started` does, and wait for its end."""
    process = started(*words, marks=marks, **options)
    try:
        out, err = process.communicate(timeout=600)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
        raise AssertionError(f"it did not end: {out}{err}") from None
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def disturb() -> None:
    """In this process the backbone is thin; and it ends early, if it is the one."""
    thin_backbone()
    step = stage_run.StageRun._step
    if step.__name__ == "disturbed":
        return

    def disturbed(run: stage_run.StageRun, *where: object) -> None:
        step(run, *where)
        for event in filter(None, os.environ["EVENTS"].split(",")):
            kind, rank, stage = event.split(":")
            here = (run.fabric.global_rank, run.position.stage) == (int(rank), int(stage))
            if here and run.position.step == 2:
                _end(kind, Path(os.environ["MARKS"]) / event.replace(":", "-"), run.position)

    stage_run.StageRun._step = disturbed


def _end(kind: str, mark: Path, position: Position) -> None:
    if mark.exists() and kind != "always":
        return
    mark.write_text(str(position))
    if kind == "error":
        raise ERROR
    os.kill(os.getpid(), signal.SIGKILL)


def _disturb_workers() -> None:
    """Disturb all that a cluster runs for this process; the cluster's own environment has no events."""
    from vivant.distributed import sweep, training

    work, train = training._work, sweep._train
    environment = {name: os.environ[name] for name in ("EVENTS", "MARKS")}

    def disturbed_work(told: object) -> None:
        import cluster_process

        os.environ.update(environment)
        cluster_process.disturb()
        work(told)

    def disturbed_train(*words: object) -> object:
        import cluster_process

        os.environ.update(environment)
        cluster_process.disturb()
        return train(*words)

    training._work, sweep._train = disturbed_work, disturbed_train


def _sweep(engine: str, store: Path, out: Path) -> None:
    """Three runs of one first stage; on a cluster, one more that cannot be."""
    from reproductions import recipe
    from vivant.distributed.cluster import connected
    from vivant.distributed.sweep import Sweep
    from vivant.preparation.info import fingerprint
    from vivant.preparation.store import Store
    from vivant.reproduction.data import Data
    from vivant.reproduction.reproduce import train_here
    from vivant.reproduction.runs import Run
    from vivant.training.progress import Progress

    runs = [Run(f"model_{letter}", "oulu_npu", "1") for letter in "bcd"]
    stores = {"oulu_npu": Data(store, fingerprint(Store(store)), is_synthetic=True)}

    def tell(*words: object) -> None:
        print(*words, flush=True)

    words = (stores, out, lambda: Progress(None), tell)
    if engine == "local":
        train_here(recipe(), runs, *words)
        return
    with connected(None):
        Sweep(lambda line: print(line, flush=True))(
            recipe(), [Run("model_b", "oulu_npu", "9"), *runs], *words
        )


def main() -> None:
    disturb()
    if "ray" in sys.argv:
        _disturb_workers()
    if sys.argv[1] == "sweep":
        from vivant.errors import VivantError

        try:
            _sweep(sys.argv[2], *map(Path, sys.argv[3:]))
        except VivantError as error:
            sys.exit(f"{type(error).__name__}: {error}")
        return
    from vivant.cli.app import main as command

    command()


if __name__ == "__main__":
    main()
