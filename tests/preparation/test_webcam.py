"""The 20 webcam clips of bona fide people, through the whole of preparation."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest

from faces.filming import CLIPS, NO_CLIPS
from prepared import new_store
from vivant.preparation.clips import ClipStore, decode
from vivant.preparation.info import describe
from vivant.preparation.presentation import preparer
from vivant.preparation.run import prepare
from vivant.preparation.settings import PreparationSettings
from vivant.records import Label, Presentation

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not CLIPS.is_dir(), reason=NO_CLIPS)]


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> ClipStore:
    store = new_store(tmp_path_factory.mktemp("webcam") / "store")
    paths = sorted(CLIPS.glob("*.mkv"))
    rows = [Presentation(path.name, Label.BONA_FIDE, None) for path in paths]
    work = partial(preparer, CLIPS, PreparationSettings())
    assert [outcome.refusal for outcome in prepare(rows, store, work, 2)] == [None] * 20
    found = describe(store)
    assert (found["presentations"], found["frames"], found["without_depth"]) == (20, 455, 0)
    # Hands before the mouth, a head thrown back: as in tests/faces/test_webcam.py.
    assert set(found["faults"]) == {"OCCLUDED"}
    assert found["faults"]["OCCLUDED"] <= 12
    return ClipStore(store.folder)


def test_every_presentation_has_clips(clips: ClipStore) -> None:
    counts = [len(clips.windows(row.path)) for row in clips.presentations]
    assert len(counts) == 20
    assert min(counts) >= 5


def test_faces_are_in_the_middle_of_their_crops_and_have_a_nose(clips: ClipStore) -> None:
    for row in clips.presentations:
        (raw,) = clips.read([clips.windows(Path(row.path).as_posix())[0]])
        clip = decode(raw, 1.3, 224)
        assert clip.has_depth.all()
        for depth in clip.depth:
            rows, columns = np.nonzero(depth > 0.98 * depth.max())
            assert abs(np.median(columns) - 112) < 60
            assert 60 < np.median(rows) < 200
            assert 0.15 < (depth > 0).mean() < 0.75
