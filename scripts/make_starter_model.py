"""Makes the model that ships: recipe `starter`, on openly licensed faces.

    python scripts/make_starter_model.py FOLDER WORK_DIR

FOLDER has bona fide pictures and their MANIFEST.csv (docs/starter.md). They are arranged
(`scripts/arrange_open_faces.py`), prepared, trained on, exported, and the graph is put into the
package. Every step keeps what is there: it can be killed, and goes on. About 40 minutes on two
processor cores for 3,000 pictures; 1 GB in WORK_DIR.
"""

import argparse
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from arrange_open_faces import main as arrange

from vivant.networks.card import read_card, write_card

MARGIN = "2.6"
"""What the wider crop needs with its jitter."""
PACKAGE = Path(__file__).parents[1] / "src" / "vivant" / "session" / "models"


def vivant(*words: str) -> None:
    """Run a command of this package."""
    print("vivant", *words, flush=True)
    subprocess.run([sys.executable, "-m", "vivant", *words], check=True)


def name_data(card_path: Path, name: str) -> None:
    """Say in the card what the manifest is made of."""
    card = read_card(card_path)
    assert card.training is not None
    assert card.operating_point is not None
    training = card.training.model_copy(update={"data": name})
    data = card.operating_point.data.replace(card.training.data, name)
    point = card.operating_point.model_copy(update={"data": data})
    write_card(
        card.model_copy(update={"training": training, "operating_point": point}), card_path.parent
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Do it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path, help="pictures and their MANIFEST.csv")
    parser.add_argument("work_dir", type=Path, help="folder for store and run: 1 GB")
    parser.add_argument("--name", default="open faces, attacks simulated", help="for the card")
    parser.add_argument("--into", type=Path, default=PACKAGE, help="where the graph is put")
    parser.add_argument("--set", action="append", default=[], help="as for `vivant train`")
    options = parser.parse_args(arguments)
    work: Path = options.work_dir
    faces, store, run = work / "faces", work / "store", work / "run"
    arrange([str(options.folder), str(faces)])
    prepared = ("manifest", str(faces), "--out", str(store), "--margin", MARGIN, "--trusted")
    vivant("data", "prepare", *prepared)
    trained = ("--data", str(store), "--protocol", "manifest:split", "--out", str(run))
    resume = ["--resume"] if (run / "experiment.json").exists() else []
    sets = [word for setting in options.set for word in ("--set", setting)]
    vivant("train", "starter", *trained, *sets, *resume)
    card = run / "lite.safetensors.json"
    name_data(card, options.name)
    vivant("export", str(card), "--out", str(run))
    options.into.mkdir(parents=True, exist_ok=True)
    for file_name in ("lite.onnx", "lite.onnx.json"):
        shutil.copy(run / file_name, options.into / file_name)
        size = (options.into / file_name).stat().st_size
        print(f"{options.into / file_name}: {size / 2**20:.1f} MiB")


if __name__ == "__main__":
    main()
