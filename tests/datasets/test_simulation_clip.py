from dataclasses import replace

import cv2
import numpy as np
import pytest

from media import patterns, video
from people import person, swaying
from vivant.attacks.ranges import stated
from vivant.attacks.simulate import Hold
from vivant.datasets import simulation_clip
from vivant.datasets.simulation_clip import (
    MAX_FACE,
    MAX_SECONDS,
    MAX_SIDE_PX,
    Clip,
    film_attack,
    film_bona_fide,
    generator_of,
    read_clip,
)
from vivant.errors import DataError, MediaError, Refusal
from vivant.faces.detectors.blazeface import blazeface
from vivant.faces.mesh import FaceMesh
from vivant.video.isolation import DecoderPool
from vivant.video.limits import VideoLimits


@pytest.fixture(scope="module")
def read(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clips")
    detector, mesh = blazeface(), FaceMesh()
    with DecoderPool(VideoLimits(), num_spares=0) as pool:

        def of(data: bytes) -> Clip:
            (folder / "clip.mp4").write_bytes(data)
            return read_clip(folder / "clip.mp4", pool, detector, mesh)

        yield of


@pytest.fixture(scope="module")
def clip(read) -> Clip:
    return read(video(swaying(6), rate=10))


def test_a_clip_is_read_with_its_rate_and_the_face_on_each_frame(clip):
    assert len(clip.frames) == 6
    assert clip.rate == pytest.approx(10)
    assert clip.frames[0].shape == (480, 640, 3)
    assert clip.meshes.shape == (6, 468, 3)
    shift = clip.meshes[:, 1, 0] - clip.meshes[0, 1, 0]
    np.testing.assert_allclose(shift, 6 * np.sin(np.arange(6) / 2), atol=2.5)


def test_only_the_beginning_is_taken_and_no_faster_than_thirty_a_second(read):
    frames = swaying(2)
    data = video([frames[n % 2] for n in range(22)], rate=5)
    assert len(read(data).frames) == MAX_SECONDS * 5
    fast = read(video([frames[n % 2] for n in range(10)], rate=60))
    assert fast.rate == pytest.approx(30, rel=0.02)


def test_large_frames_are_shrunk_and_odd_sides_cut(read):
    frame = np.zeros((720, 1282, 3), np.uint8)
    frame[:480, :640] = person()
    large = read(video([frame, frame], rate=10))
    height, width, _ = large.frames[0].shape
    assert (height, width) == (538, MAX_SIDE_PX)  # 720 / 1282 of 960 is 539.


def test_clips_without_a_face_or_without_frames_are_refused(read):
    with pytest.raises(DataError, match="a face in 80% of the frames, found one in 0 of 5"):
        read(video(patterns(5), rate=10))
    with pytest.raises(DataError, match="expected a video, got 1 frame"):
        read(video([person()], rate=10))
    with pytest.raises(MediaError) as error:
        read(b"no video")
    assert error.value.code is Refusal.UNSUPPORTED_FORMAT


def test_the_room_is_the_clip_s_own_without_the_person(clip):
    nose = clip.meshes[0, 1, :2].astype(int)
    np.testing.assert_array_equal(clip.room[:60, :40], clip.frames[0][:60, :40])
    assert (
        np.abs(clip.room[nose[1], nose[0]].astype(int) - clip.frames[0][nose[1], nose[0]]).max()
        > 20
    )


def test_a_face_that_is_away_for_a_moment_keeps_its_nearest_mesh(read):
    frames = swaying(8)
    frames[4] = np.zeros_like(frames[4])
    found = read(video(frames, rate=10))
    gone = found.meshes[4]
    assert any(np.array_equal(gone, found.meshes[n]) for n in (3, 5))


def test_bona_fide_frames_are_the_clip_through_a_camera(clip):
    take = film_bona_fide(clip, "anna.mp4", 0)
    frames = list(take.frames)
    assert len(frames) == 6
    assert int(take.parameters["camera_crf"]) == take.crf
    scale, x, y = (float(take.parameters[f"framing_{name}"]) for name in ("scale", "x", "y"))
    middle = (clip.meshes[:, :, :2].min(axis=1) + clip.meshes[:, :, :2].max(axis=1)) / 2
    middle = np.median(middle, axis=0)
    shown = middle + np.array([x, y]) * 640  # Where the face's middle is to be.
    move = np.column_stack([scale * np.eye(2), shown - scale * middle])
    for new, old in zip(frames, clip.frames, strict=True):
        expected = cv2.warpAffine(old, move, (640, 480), borderMode=cv2.BORDER_REPLICATE)
        inner = (slice(4, -4, 8), slice(4, -4, 8))
        assert np.corrcoef(new[inner].ravel(), expected[inner].ravel())[0, 1] > 0.97


def test_a_clip_and_its_attacks_are_framed_alike_and_inside_the_clip(clip):
    face_px = np.median(np.ptp(clip.meshes[:, :, :2], axis=1), axis=0)
    scales = []
    for seed in range(8):
        own = film_bona_fide(clip, "anna.mp4", seed).parameters
        attack = film_attack(clip, "anna.mp4", "print", 0, seed).parameters
        for parameters in (own, attack):
            scales.append(float(parameters["framing_scale"]))
            assert abs(float(parameters["framing_x"])) <= 0.05 + 1e-5
            assert abs(float(parameters["framing_y"])) <= 0.05 + 1e-5
        scale = float(attack["framing_scale"])
        assert float(attack["hold_face"]) == pytest.approx(face_px[0] * scale / 640, rel=1e-3)
    assert 1.0 <= min(scales) < 1.1 < 1.2 < max(scales) <= 1.3


def test_no_face_is_enlarged_beyond_its_share_of_the_frame(clip):
    meshes = np.full_like(clip.meshes, 300)
    meshes[:, 0, :2], meshes[:, 2, :2] = (70, 90), (570, 390)  # 500 of 640, 300 of 480 pixels.
    large = replace(clip, meshes=meshes)
    taken = [film_bona_fide(large, "anna.mp4", seed).parameters for seed in range(6)]
    most = max(float(parameters["framing_scale"]) for parameters in taken)
    assert most == pytest.approx(MAX_FACE * 640 / 500, rel=1e-3)


def test_the_room_behind_an_attack_moves(clip):
    rooms = simulation_clip._Rooms(
        clip,
        simulation_clip._Window(np.zeros(2), 1.0),
        simulation_clip.Shake(room=0.02),
        np.random.default_rng(0),
    )
    assert len(rooms) == len(clip.frames)
    assert {room.shape for room in rooms} == {clip.room.shape}
    assert min(np.abs(rooms[0].astype(int) - rooms[n]).mean() for n in (2, 5)) > 1


@pytest.mark.parametrize("species", ["print", "replay", "cut_photo"])
def test_an_attack_has_the_clip_s_length_size_and_about_its_face(clip, species):
    take = film_attack(clip, "anna.mp4", species, 0, 0)
    frames = list(take.frames)
    assert [frame.shape for frame in frames] == [frame.shape for frame in clip.frames]
    width = np.ptp(clip.meshes[:, :, 0], axis=1).mean() / 640
    assert 0.97 * width < float(take.parameters["hold_face"]) < 1.34 * width
    assert set(take.parameters) >= {f"hold_{name}" for name in stated(Hold)}


def test_numbers_follow_from_seed_name_species_and_number_alone():
    draws = {
        generator_of(*names).random()
        for names in [
            (0, "a.mp4", "print", 0),
            (1, "a.mp4", "print", 0),
            (0, "b.mp4", "print", 0),
            (0, "a.mp4", "replay", 0),
            (0, "a.mp4", "print", 1),
        ]
    }
    assert len(draws) == 5
    assert generator_of(0, "a.mp4", "print", 0).random() in draws
