import numpy as np

from vivant.attacks.eyelids import close_eyelids, most_open

IRISES = ((33, 133, 159, 145), (362, 263, 386, 374))


def test_open_eyes_stay_as_they_are(portrait):
    picture = portrait.pixels.astype(np.float32)
    same = close_eyelids(picture, portrait.points, 0.0)
    assert np.abs(same - picture).mean() < 0.1


def test_closed_eyes_show_skin_and_nothing_else_changes(portrait):
    picture = portrait.pixels.astype(np.float32)
    closed = close_eyelids(picture, portrait.points, 1.0)
    changed = np.abs(closed - picture).max(axis=-1) > 12
    rows, columns = np.nonzero(changed)
    near = portrait.points[[33, 263, 52, 282, 145, 374]]
    assert rows.min() >= near[:, 1].min() - 2
    assert rows.max() <= near[:, 1].max() + 3
    assert columns.min() >= near[:, 0].min() - 2
    assert columns.max() <= near[:, 0].max() + 2
    for corners in IRISES:
        x, y = np.rint(portrait.points[list(corners), :2].mean(axis=0)).astype(int)
        eye = (slice(y - 1, y + 2), slice(x - 3, x + 4))
        assert closed[eye].mean() > picture[eye].mean() + 15  # The dark iris is covered.


def test_half_closed_is_between(portrait):
    picture = portrait.pixels.astype(np.float32)
    change = [
        np.abs(close_eyelids(picture, portrait.points, closed) - picture).sum()
        for closed in (0.25, 0.5, 1.0)
    ]
    assert change[0] < change[1] < change[2]


def test_eyes_outside_the_picture_are_left_alone(portrait):
    picture = portrait.pixels.astype(np.float32)
    np.testing.assert_array_equal(close_eyelids(picture, portrait.points - 1000, 1.0), picture)


def blinking(portrait, openness):
    """The mesh once for each number; its lids are brought together: 1 as they are, 0 shut."""
    meshes = np.repeat(portrait.points[None, :, :2], len(openness), axis=0)
    for mesh, share in zip(meshes, openness, strict=True):
        for upper, lower in ((159, 145), (386, 374)):
            mesh[upper] = mesh[lower] + share * (mesh[upper] - mesh[lower])
    return meshes


def test_the_picture_with_the_most_open_eyes_is_found_at_any_size(portrait):
    meshes = blinking(portrait, [0.4, 0.1, 1.0, 0.8])
    assert most_open(meshes) == 2
    nearer = np.array([1.0, 3.0, 1.0, 1.1])  # A face that is nearer has no more open eyes.
    assert most_open(meshes * nearer[:, None, None]) == 2


def test_a_wink_is_not_open(portrait):
    meshes = blinking(portrait, [1.0, 0.7])
    meshes[0, 386] = meshes[0, 374]
    assert most_open(meshes) == 1


def test_eyes_measured_by_hand():
    meshes = np.zeros((2, 468, 2))
    for outer, inner in ((33, 133), (263, 362)):
        meshes[:, outer], meshes[:, inner] = (0, 0), (10, 0)
    meshes[0, [159, 386]] = (5, -2)  # 0.2 of the width against 0.3.
    meshes[1, [159, 386]] = (5, -3)
    assert most_open(meshes) == 1
