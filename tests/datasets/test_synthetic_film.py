from dataclasses import asdict
from itertools import islice

import numpy as np
import pytest

from vivant.attacks.simulate import species_by_name
from vivant.datasets.synthetic_film import Studio, parameters, take, traits_of
from vivant.datasets.synthetic_plan import FRAME_SIZES, LAYOUTS, Video, plan
from vivant.faces.detectors.blazeface import blazeface

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
    for name in ("room", "room_seed", "defocus", "camera", "traits"):
        assert len({getattr(each, name) for each in takes}) == 1
    assert len({each.light for each in takes}) == 5
    assert max(abs(each.light.yaw_deg - takes[0].light.yaw_deg) for each in takes) <= 30


def test_what_is_drawn_without_a_label_has_one_distribution_for_both_labels():
    takes = [take(video, "oulu-npu", 0) for video in plan("oulu-npu", "tiny")[:200]]
    for name in ("distance", "x", "y"):
        values = [
            np.array([getattr(t.framing, name) for t in takes if (t.look is None) is is_bona_fide])
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
