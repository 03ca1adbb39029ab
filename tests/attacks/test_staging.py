import numpy as np
import pytest

from vivant.attacks.pose import Pose
from vivant.attacks.recapture import Lens
from vivant.attacks.staging import Staging
from vivant.errors import InputError


def staged(pictures: int = 1, scenes: int = 1, poses: int = 3, meshes: int | None = None):
    return Staging(
        [np.zeros((40, 30, 3), np.uint8)] * pictures,
        np.zeros((pictures if meshes is None else meshes, 468, 2)),
        [np.full((48, 64, 3), 100 + n, np.uint8) for n in range(scenes)],
        [Pose(scale=1.0 + 0.1 * n) for n in range(poses)],
    )


def test_a_staging_knows_its_frames_and_its_largest_scale():
    staging = staged()
    assert staging.lens == Lens(64, 48)
    assert staging.scale == pytest.approx(1.2)


def test_one_scene_is_behind_all_frames_or_each_behind_its_own():
    assert np.ptp([staged().behind(n).mean() for n in range(3)]) == 0
    lights = [staged(scenes=3).behind(n).mean() for n in range(3)]
    assert lights[0] < lights[1] < lights[2]


def test_what_does_not_belong_together_is_refused():
    with pytest.raises(InputError, match="one picture or 3, one for each frame, got 2"):
        staged(pictures=2)
    with pytest.raises(InputError, match="one scene or 3, one for each frame, got 2"):
        staged(scenes=2)
    with pytest.raises(InputError, match="468 points .* for each of 1 pictures, got .2, 468, 2"):
        staged(meshes=2)
    sizes = [np.zeros((side, 30, 3), np.uint8) for side in (40, 42, 40)]
    with pytest.raises(InputError, match="pictures of one size"):
        Staging(sizes, np.zeros((3, 468, 2)), staged().scenes, staged().path)
