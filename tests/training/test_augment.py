import numpy as np
import pytest
import torch

from training.small import made_up_batch
from vivant.networks.preprocessing import Normalise
from vivant.training.augment import augment

MEAN, STD = (0.5, 0.4, 0.3), (0.2, 0.25, 0.3)
PX = 1 / 224


def holes(*boxes: tuple[float, float, float, float], num: int = 2) -> torch.Tensor:
    """Of the first clip; the others have none."""
    found = torch.zeros(num, 2, 4)
    found[0, : len(boxes)] = torch.tensor(boxes)
    return found


def test_nothing_drawn_is_what_a_session_does() -> None:
    batch = made_up_batch(2)
    found = augment(batch, MEAN, STD)
    assert torch.equal(found.crops, Normalise(MEAN, STD)(batch.crops))
    assert torch.equal(found.depth, batch.depth / 255)
    assert found.validity.eq(1).all()


def test_mirror_turns_crops_and_depth_of_all_frames_and_no_other_clip() -> None:
    batch = made_up_batch(2)
    plain = augment(batch, MEAN, STD)
    found = augment(batch._replace(flips=torch.tensor([True, False])), MEAN, STD)
    assert torch.equal(found.crops[0], plain.crops[0].flip(-1))
    assert torch.equal(found.depth[0], plain.depth[0].flip(-1))
    assert torch.equal(found.crops[1], plain.crops[1])
    assert torch.equal(found.depth[1], plain.depth[1])


def test_mirrored_face_keeps_its_depth_under_it() -> None:
    batch = made_up_batch(2)
    half = torch.zeros(2, 2, 224, 224, dtype=torch.uint8)
    half[..., :112] = 255
    crops = half[..., None].expand(-1, -1, -1, -1, 3)
    found = augment(
        batch._replace(crops=crops, depth=half, flips=torch.ones(2, dtype=torch.bool)),
        (0.0, 0.0, 0.0), (1.0, 1.0, 1.0),
    )  # fmt: skip
    assert torch.equal(found.crops, found.depth[:, :, None].expand_as(found.crops))
    assert found.depth[..., 112:].eq(1).all()
    assert found.depth[..., :112].eq(0).all()


def test_colour_and_gamma_are_numpys() -> None:
    colours, gammas = [[0.1, -0.15, 0.0], [0.0, 0.05, -0.1]], [0.6, 1.4]
    batch = made_up_batch(2)._replace(colours=torch.tensor(colours), gammas=torch.tensor(gammas))
    found = augment(batch, MEAN, STD).crops.numpy()
    for clip in range(2):
        for channel in range(3):
            values = batch.crops[clip, ..., channel].numpy() / 255 + colours[clip][channel]
            values = np.clip(values, 0, 1) ** gammas[clip]
            expected = (values - MEAN[channel]) / STD[channel]
            assert found[clip, :, channel] == pytest.approx(expected, abs=2e-5)


def test_all_frames_of_a_clip_have_the_same_done_to_them() -> None:
    batch = made_up_batch(2)
    first = batch.crops[:, :1].expand(-1, 2, -1, -1, -1)
    found = augment(
        batch._replace(
            crops=first,
            depth=batch.depth[:, :1].expand(-1, 2, -1, -1),
            flips=torch.tensor([True, True]),
            colours=torch.full((2, 3), 0.1),
            gammas=torch.tensor([0.7, 1.3]),
            holes=holes((0.1, 0.1, 0.3, 0.2), (0.5, 0.5, 0.7, 0.7)),
        ),
        MEAN, STD,
    )  # fmt: skip
    for part in found[:3]:
        assert torch.equal(part[:, 0], part[:, 1])


def test_erased_pixels_are_the_mean_and_have_no_depth_loss() -> None:
    batch = made_up_batch(2)
    plain = augment(batch, MEAN, STD)
    box = (10 * PX, 20 * PX, 30 * PX, 25 * PX)
    found = augment(batch._replace(holes=holes(box, (0.5, 0.5, 0.75, 0.75))), MEAN, STD)
    expected = torch.zeros(224, 224, dtype=torch.bool)
    expected[20:25, 10:30] = True
    expected[112:168, 112:168] = True
    assert torch.equal(found.validity[0], (~expected).float().expand(2, 224, 224))
    assert found.crops[0][..., expected].eq(0).all()
    assert torch.equal(found.crops[0][..., ~expected], plain.crops[0][..., ~expected])
    assert torch.equal(found.depth, plain.depth)
    assert torch.equal(found.crops[1], plain.crops[1])
    assert found.validity[1].eq(1).all()


@pytest.mark.parametrize("seed", range(5))
def test_pixels_are_covered_by_their_middles(seed: int) -> None:
    x0, y0, width, height = np.random.default_rng(seed).uniform(0, [0.7, 0.7, 0.3, 0.02]).tolist()
    box = (x0, y0, x0 + width, y0 + height)
    found = augment(made_up_batch(2)._replace(holes=holes(box)), MEAN, STD).validity[0, 0]
    middles = (np.arange(224) + 0.5) / 224
    columns = (middles >= box[0]) & (middles <= box[2])
    rows = (middles >= box[1]) & (middles <= box[3])
    assert np.array_equal(found.numpy() == 0, rows[:, None] & columns)


def test_hole_is_where_it_was_drawn_in_a_mirrored_clip_too() -> None:
    batch = made_up_batch(2)._replace(flips=torch.tensor([True, True]), holes=holes((0, 0, 0.1, 1)))
    found = augment(batch, MEAN, STD)
    assert found.crops[0][..., :22].eq(0).all()
    assert found.validity[0][..., :22].eq(0).all()
    assert found.validity[0][..., 23:].eq(1).all()


def test_unknown_depth_is_not_learned() -> None:
    known = torch.tensor([[True, False], [True, True]])
    found = augment(made_up_batch(2)._replace(has_depth=known), MEAN, STD)
    assert torch.equal(found.validity.mean((2, 3)), known.float())


def test_larger_crops_lose_the_same_share_as_their_depth() -> None:
    batch = made_up_batch(1, side=448)._replace(holes=holes((0.25, 0.5, 0.5, 0.75), num=1))
    found = augment(batch, MEAN, STD)
    assert found.crops[0, :, :, 224:336, 112:224].eq(0).all()
    assert found.validity[0, :, 112:168, 56:112].eq(0).all()
    assert found.validity[0].mean() == pytest.approx(15 / 16)
    assert found.crops[0].eq(0).float().mean() == pytest.approx(1 / 16, abs=2e-3)
