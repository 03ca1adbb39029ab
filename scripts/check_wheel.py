"""Builds the wheel and uses it in an empty environment without torch: scores, and checks a clip.

    python scripts/check_wheel.py GRAPH_CARD
    python scripts/check_wheel.py --files-only

GRAPH_CARD is the card of an exported `lite`; the tests leave one behind. With `--files-only` the
wheel is built by the hatchling of this environment, and only its files and its size are checked.
"""

import json
import subprocess
import sys
import tempfile
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src"
MAX_WHEEL_MIB = 25

USE = """
import sys
from pathlib import Path
import numpy as np
from vivant.runtimes.onnx import OnnxRunner
from vivant.runtimes.runner import blank_clips
runner = OnnxRunner(Path(sys.argv[1]))
random = np.random.default_rng(0)
shapes = [blank.shape for blank in blank_clips(runner.card, 2)]
scores = runner.run(*(random.integers(0, 256, shape, dtype=np.uint8) for shape in shapes))
assert ((0 <= scores.bona_fide_score) & (scores.bona_fide_score <= 1)).all()
assert scores.boxes.shape == (2, 1, 4, 4)
assert "torch" not in sys.modules
print("scored 2 clips without torch:", scores.bona_fide_score.tolist(), "(UNTRAINED)")
"""


MAKE_CLIP = """
import sys
from pathlib import Path
sys.path.insert(0, "tests")
from people import person_video
Path(sys.argv[1]).write_bytes(person_video())
"""


def run(*command: str | Path, code: int = 0) -> str:
    """Output of a command, which must end with the exit code."""
    answer = subprocess.run(
        [str(part) for part in command], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if answer.returncode != code:
        sys.exit(f"{' '.join(map(str, command))}\n{answer.stdout}\n{answer.stderr}")
    return answer.stdout + answer.stderr


def check_files(wheel: Path) -> None:
    """The wheel has each file of the source, and the licence."""
    packed = set(zipfile.ZipFile(wheel).namelist())
    expected = {
        path.relative_to(SOURCE).as_posix()
        for path in SOURCE.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    missing = sorted(expected - packed)
    if missing:
        sys.exit(f"the wheel lacks {missing}")
    for name in ("LICENSE", "NOTICE"):
        if not any(path.endswith(f"licenses/{name}") for path in packed):
            sys.exit(f"the wheel lacks {name}")


def check_size(wheel: Path) -> None:
    """Models and all, it stays small enough for an index and a phone's patience."""
    size = wheel.stat().st_size / 2**20
    if size >= MAX_WHEEL_MIB:
        sys.exit(f"expected a wheel below {MAX_WHEEL_MIB} MiB, got {size:.1f}")
    print(f"{wheel.name}: {size:.1f} MiB")


def check_starter(vivant: Path, clip: Path) -> None:
    """The model that ships judges a clip, and says that it knows synthetic data alone."""
    answer = subprocess.run(
        [vivant, "check", clip, "--json"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if answer.returncode not in (0, 3, 4):
        sys.exit(f"vivant check without a model: {answer.stdout}\n{answer.stderr}")
    record = json.loads(answer.stdout)
    codes = [caution["code"] for caution in record["cautions"]]
    if "NO_RECORDED_ATTACKS" not in codes or record["bona_fide_score"] is None:
        sys.exit(f"expected a score and NO_RECORDED_ATTACKS, got {answer.stdout}")
    print(f"checked a clip with the model that ships: {record['decision'] or 'no decision'}")


def check_clip(vivant: Path, folder: Path, graph_card: Path) -> None:
    """A video to a verdict: 4 is no decision, which is all that an UNTRAINED model gives."""
    clip = folder / "person.mp4"
    run(sys.executable, "-c", MAKE_CLIP, clip)
    run(vivant, "doctor")
    answer = run(vivant, "check", clip, "--model", graph_card.resolve(), "--json", code=4)
    record = json.loads(answer)
    codes = [reason["code"] for reason in record["reasons"]]
    if codes != ["UNTRAINED_MODEL"] or len(record["windows"]) != 4:
        sys.exit(f"expected four windows and UNTRAINED_MODEL, got {answer}")
    check_starter(vivant, clip)
    print(f"checked a clip without torch, on {record['model']['runtime']}: {', '.join(codes)}")


def build_wheel(folder: str, *options: str) -> Path:
    """Build the wheel into a folder, and check its files and its size."""
    run(sys.executable, "-m", "build", "--wheel", *options, "--outdir", folder)
    (wheel,) = Path(folder).glob("*.whl")
    check_files(wheel)
    check_size(wheel)
    return wheel


def main(graph_card: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        wheel = build_wheel(folder)
        environment = Path(folder) / "empty"
        venv.create(environment, with_pip=True)
        python, vivant = environment / "bin" / "python", environment / "bin" / "vivant"
        run(python, "-m", "pip", "install", "--quiet", "--constraint", "constraints.txt", wheel)
        installed = run(python, "-m", "pip", "list")
        if "\ntorch " in installed:
            sys.exit("the base install brings torch")
        print(run(vivant, "--version").strip())
        if "model_d" not in run(vivant, "model", "list"):
            sys.exit("vivant model list does not list model_d")
        for extra, command in (("train", ("model", "summary", "lite")), ("serve", ("serve",))):
            refusal = run(vivant, *command, code=1)
            if f"pip install 'vivant[{extra}]'" not in refusal:
                sys.exit(f"without the extra {extra}, expected advice, got: {refusal}")
        print(run(python, "-c", USE, graph_card.resolve()).strip())
        check_clip(vivant, Path(folder), graph_card)
    print(f"wheel: {wheel.name} holds every file and runs without torch")


if __name__ == "__main__":
    if sys.argv[1] == "--files-only":
        with tempfile.TemporaryDirectory() as folder:
            build_wheel(folder, "--no-isolation")
    else:
        main(Path(sys.argv[1]))
