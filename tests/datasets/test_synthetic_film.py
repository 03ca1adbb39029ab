from dataclasses import asdict
from itertools import islice
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from vivant.attacks.bona_fide import film_person
from vivant.attacks.light import Light
from vivant.attacks.recording import write_video
from vivant.attacks.rooms import room
from vivant.attacks.simulate import species_by_name
from vivant.datasets import synthetic_film
from vivant.datasets.synthetic_film import Studio, parameters, take, traits_of
from vivant.datasets.synthetic_plan import FRAME_SIZES, LAYOUTS, Video, plan
from vivant.datasets.synthetic_world import WORLDS
from vivant.faces.detectors.blazeface import blazeface
from vivant.records import FaceBox

NUM_FRAMES = 2


def chosen(layout: str) -> dict[str, Video]:
    """The first video of each instrument of the first subject."""
    videos: dict[str, Video] = {}
    for video in plan(layout, "tiny")[:14]:
        videos.setdefault(video.instrument or "bona fide", video)
    return videos


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_face_is_seen_in_bona_fide_and_attack_and_as_large(layout):
    videos = chosen(layout)
    studio = Studio(layout, 0, NUM_FRAMES)
    widths = []
    for name in ("bona fide", "print_1", next(n for n in videos if n.startswith("replay"))):
        frames = list(studio.film(videos[name]))
        width, height = FRAME_SIZES[layout]
        assert [frame.shape for frame in frames] == [(height, width, 3)] * NUM_FRAMES
        for frame in frames:
            found = blazeface().detect(frame)
            assert len(found) == 1, name
            x, y = found[0].box.centre
            assert abs(x - width / 2) < 0.15 * width
            assert abs(y - height / 2) < 0.12 * height
            widths.append(found[0].box.width_px)
    assert min(widths) >= 112
    assert max(widths) < 1.5 * min(widths)


def test_a_video_depends_on_seed_and_name_alone():
    videos = chosen("oulu-npu")
    busy, fresh = Studio("oulu-npu", 0, NUM_FRAMES), Studio("oulu-npu", 0, NUM_FRAMES)
    list(islice(busy.film(videos["replay_1"]), 1))
    one, other = (list(studio.film(videos["print_2"])) for studio in (busy, fresh))
    np.testing.assert_array_equal(one, other)
    drawn = [take(videos["print_2"], "oulu-npu", seed) for seed in (0, 1)]
    for name in ("traits", "room_seed", "light", "framing", "look", "grip"):
        assert getattr(drawn[0], name) != getattr(drawn[1], name)


def test_a_mirrored_name_is_the_same_video_mirrored():
    video = next(video for video in plan("siw", "tiny") if video.is_mirrored)
    plain = Video(**{**asdict(video), "is_mirrored": False})
    studio = Studio("siw", 0, 1)
    np.testing.assert_array_equal(next(studio.film(video)), next(studio.film(plain))[:, ::-1])


def test_bona_fide_and_attacks_of_a_session_share_room_and_camera():
    videos = plan("oulu-npu", "tiny")[:5]
    takes = [take(video, "oulu-npu", 3) for video in videos]
    assert len({video.path[:-5] for video in videos}) == 1  # Files 1 to 5.
    for name in ("room", "room_seed", "defocus", "traits"):
        assert len({getattr(each, name) for each in takes}) == 1
    assert {video.camera for video in videos} == {"phone_1"}
    for name in ("light", "camera"):  # Neither is twice the same.
        assert len({getattr(each, name) for each in takes}) == 5
    assert max(abs(each.light.yaw_deg - takes[0].light.yaw_deg) for each in takes) <= 30


def test_what_attacks_show_was_filmed_in_rooms_and_light_of_their_session(monkeypatch):
    films: list[tuple[str, float]] = []

    def noted_room(kind, size, defocus, generator):
        films.append((kind, defocus))
        return room(kind, size, defocus, generator)

    lights: list[Light] = []

    def noted_film(person, scene, camera, size, generator):
        lights.append(scene.light)
        return film_person(person, scene, camera, size, generator)

    monkeypatch.setattr(synthetic_film, "room", noted_room)
    monkeypatch.setattr(synthetic_film, "film_person", noted_film)
    videos = {v.session: v for v in plan("oulu-npu", "tiny")[:30] if v.pai_species == "print"}
    studio = Studio("oulu-npu", 0, 1)
    for session, video in videos.items():
        films.clear()
        lights.clear()
        list(studio.film(video))
        world = WORLDS["oulu-npu"].sessions[session]
        assert len(films) == 2  # Behind the print, and on it.
        assert {kind for kind, *_ in films} <= set(world.rooms)
        (light,) = lights
        assert (light.red, light.blue) == (1, 1)
        assert light.yaw_deg == pytest.approx(world.light.yaw_deg, abs=15)
        assert light.key == pytest.approx(world.light.key, abs=0.25)
    assert len(videos) == 3


def test_what_is_drawn_without_a_label_has_one_distribution_for_both_labels():
    takes = [take(video, "oulu-npu", 0) for video in plan("oulu-npu", "tiny")[:200]]
    drawn = [
        ("framing", ("distance", "x", "y")),
        ("light", ("level", "red", "blue", "key")),
        ("camera", ("defocus_px", "exposure", "contrast", "sharpening", "red", "blue", "crf")),
    ]
    for part, name in ((part, name) for part, names in drawn for name in names):
        values = [
            np.array(
                [getattr(getattr(t, part), name) for t in takes if (t.look is None) is is_bona_fide]
            )
            for is_bona_fide in (True, False)
        ]
        error = np.sqrt(sum(each.var() / len(each) for each in values))
        assert abs(values[0].mean() - values[1].mean()) < 4 * error


def test_printers_and_screens_keep_their_own_looks_and_the_rest_is_drawn():
    prints = [
        take(video, "oulu-npu", 0).look
        for video in plan("oulu-npu", "tiny")
        if video.instrument == "print_1"
    ]
    assert {look.screen for look in prints} == {"halftone"}
    assert len({look.gloss for look in prints}) == 1
    assert len({look.bend_deg for look in prints}) == len(prints)
    assert isinstance(prints[0], species_by_name()["print"].look)


def test_parameters_name_all_that_was_drawn():
    by_name = {name: parameters(take(v, "oulu-npu", 0)) for name, v in chosen("oulu-npu").items()}
    bona_fide, attack = by_name["bona fide"], by_name["replay_2"]
    assert bona_fide["path"] == "Train_files/1_1_01_1.avi"
    assert (bona_fide["pai_species"], attack["pai_species"]) == ("", "replay")
    for name in ("light_yaw_deg", "camera_crf", "framing_x", "manner_sway", "person_jaw", "room"):
        assert bona_fide[name]
        assert attack[name]
    assert attack["replay_ppi"] == "227"
    assert not any(name.startswith(("print_", "replay_", "grip_")) for name in bona_fide)


def test_subjects_are_others_in_another_layout_and_with_another_seed():
    same = traits_of(1, "siw", 0)
    assert same == traits_of(1, "siw", 0)
    assert same != traits_of(1, "oulu-npu", 0)
    assert same != traits_of(1, "siw", 1)


_MOST = 0.6
"""Pooled standard deviations between what the two labels have of a simple statistic: the physics of
prints and screens is in how things are arranged, and not in how much of anything there is."""


@pytest.mark.slow
def test_no_simple_statistic_of_the_face_tells_attacks_from_bona_fide(tmp_path):
    found: dict[bool, list[list[float]]] = {True: [], False: []}
    subjects = {1, 5, 22, 26, 37, 41}
    videos = [v for v in plan("oulu-npu", "tiny") if v.subject in subjects]
    studio = Studio("oulu-npu", 0, 2)
    for number, video in enumerate(videos):
        # All bona fide ones, and of the attacks each second: 36 and 72.
        if video.pai_species is not None and (number + number // 5) % 2:
            continue
        (pixels, *_) = filmed_and_coded(studio, video, tmp_path)
        boxes = blazeface().detect(pixels)
        if boxes:
            found[video.pai_species is None].append(statistics(pixels, boxes[0].box))
    bona_fide, attack = np.array(found[True]), np.array(found[False])
    assert len(bona_fide) >= 34
    assert len(attack) >= 68
    spread = np.sqrt((bona_fide.var(axis=0, ddof=1) + attack.var(axis=0, ddof=1)) / 2)
    effects = (bona_fide.mean(axis=0) - attack.mean(axis=0)) / spread
    assert np.abs(effects).max() < _MOST, dict(zip(STATISTICS, effects.round(2), strict=True))


STATISTICS = ("laplacian", "luma", "blue", "bytes")


def filmed_and_coded(studio: Studio, video: Video, folder: Path) -> list[np.ndarray]:
    """The frames of a video as a reader gets them."""
    path = folder / Path(video.path).name
    write_video(path, studio.film(video), 10.0, take(video, "oulu-npu", 0).camera.crf)
    with av.open(path) as source:
        return [frame.to_ndarray(format="rgb24") for frame in source.decode(video=0)]


def statistics(pixels: np.ndarray, box: FaceBox) -> list[float]:
    """Of a face's crop: spread of the Laplacian, of luma and of blue, and size as a JPEG."""
    side = 1.3 * box.width_px
    x, y = box.centre
    zoom = 224 / side
    move = np.array([[zoom, 0, 112 - zoom * x], [0, zoom, 112 - zoom * y]])
    crop = cv2.warpAffine(pixels, move, (224, 224))
    luma = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY).astype(np.float32)
    laplacian = cv2.Laplacian(luma, cv2.CV_32F)
    coded = cv2.imencode(".jpg", crop[..., ::-1], (cv2.IMWRITE_JPEG_QUALITY, 90))[1]
    spreads = (laplacian.std(), luma.std(), crop[..., 2].std())
    return [*map(float, spreads), float(len(coded))]
