from pathlib import Path

import pytest

from prepared import filled
from training.small import stored, too_short
from vivant.records import Split
from vivant.training.data import TrainingData, open_data


@pytest.fixture(scope="session")
def small_data(tmp_path_factory: pytest.TempPathFactory) -> TrainingData:
    """Three sides; a presentation of the train side and one of the dev side have no clip."""
    rows = [
        *stored(Split.TRAIN, [None, "print", "replay", None, "print", "print", None, None]),
        too_short("train99", Split.TRAIN),
        *stored(Split.DEV, [None, "print", "replay", None]),
        too_short("dev99", Split.DEV),
        *stored(Split.TEST, [None, "print"]),
    ]
    folder: Path = tmp_path_factory.mktemp("training") / "store"
    return open_data(filled(folder, rows).folder, "folder", num_frames=2)
