"""Views that are made while clips are read."""

import cv2
import numpy as np
import pytest

from training.test_frames_head import faces
from vivant.preparation.clips import ClipStore, RawClip, decode
from vivant.records import Label
from vivant.training.rendering import MEDIA, render

NOTHING = {"species": None, "background": None, "shift": (0.0, 0.0), "camera": 0.0, "seed": 0}


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[RawClip]:
    store = ClipStore(faces(tmp_path_factory.mktemp("rendering") / "store"), 2)
    rows = [row for row in store.presentations if row.label is Label.BONA_FIDE]
    return store.read([store.windows(row.path)[0] for row in rows[:2]])


def blurred(pictures: np.ndarray) -> np.ndarray:
    return np.stack([cv2.GaussianBlur(each, (0, 0), 3) for each in pictures]).astype(float)


def test_view_of_nothing_is_the_stored_clip(clips: list[RawClip]) -> None:
    made = render(clips[0], 1.3, 224, 2.0, **NOTHING)
    stored = decode(clips[0], 1.3, 224, context_scale=2.0)
    for mine, theirs in ((made.crops, stored.crops), (made.context, stored.context)):
        assert np.abs(blurred(mine) - blurred(theirs)).mean() < 3, "but for a pixel of place"
    np.testing.assert_array_equal(made.depth, stored.depth)


@pytest.mark.parametrize("species", sorted(MEDIA))
def test_attack_is_flat_and_is_decided_by_its_seed(clips: list[RawClip], species: str) -> None:
    how = NOTHING | {"species": species, "background": clips[1], "camera": 0.4}
    one, same, other = (
        render(clips[0], 1.3, 224, 2.0, **(how | {"seed": seed})) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one.crops, same.crops)
    assert (one.crops != other.crops).any()
    assert not one.depth.any()
    assert one.has_depth.all()
    assert one.context.shape == (2, 160, 160, 3)
    assert (one.crops != decode(clips[0], 1.3, 224).crops).any()


def test_both_crops_are_of_one_recapture(clips: list[RawClip]) -> None:
    how = NOTHING | {"species": "replay", "background": clips[1], "camera": 0.4, "seed": 5}
    made = render(clips[0], 1.3, 224, 2.0, **how)
    inner = made.context[:, 28:132, 28:132]  # 1.3 of 2.0 of its side.
    large = np.stack([cv2.resize(each, (224, 224)) for each in inner])
    assert np.abs(blurred(large) - blurred(made.crops)).mean() < 8


def test_shift_moves_crop_context_and_depth_together(clips: list[RawClip]) -> None:
    plain = render(clips[0], 1.3, 224, 2.0, **NOTHING)
    moved = render(clips[0], 1.3, 224, 2.0, **(NOTHING | {"shift": (0.08, 0.0)}))
    by = round(0.08 / 1.3 * 224)
    for name in ("crops", "depth"):
        before, after = getattr(plain, name).astype(float), getattr(moved, name).astype(float)
        aligned = np.abs(after[:, :, : 224 - by - 8] - before[:, :, by : 224 - 8]).mean()
        assert aligned < np.abs(after - before).mean() / 2, name
