import numpy as np
import pytest

from media import patterns, video
from people import person, swaying
from vivant.attacks.ranges import stated
from vivant.attacks.simulate import Hold
from vivant.datasets.simulation_clip import (
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
    alike = [
        np.corrcoef(new[::8, ::8].ravel(), old[::8, ::8].ravel())[0, 1]
        for new, old in zip(frames, clip.frames, strict=True)
    ]
    assert min(alike) > 0.97


@pytest.mark.parametrize("species", ["print", "replay", "cut_photo"])
def test_an_attack_has_the_clip_s_length_size_and_about_its_face(clip, species):
    take = film_attack(clip, "anna.mp4", species, 0, 0)
    frames = list(take.frames)
    assert [frame.shape for frame in frames] == [frame.shape for frame in clip.frames]
    width = np.ptp(clip.meshes[:, :, 0], axis=1).mean() / 640
    assert 0.8 * width < float(take.parameters["hold_face"]) < 1.25 * width
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
