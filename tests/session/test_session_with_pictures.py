"""Frames of a clip as the bytes of pictures: as a service gets them."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from forged import picture
from made_up import MadeUpRunner
from people import person_video, swaying
from vivant.errors import InputError, MediaError, Refusal
from vivant.session.session import Session
from vivant.session.verdict import Decision


def jpegs(num_frames: int) -> tuple[bytes, ...]:
    return tuple(picture("JPEG", pixels, quality=95) for pixels in swaying(num_frames))


@pytest.mark.parametrize("isolated", [False, True])
def test_frames_as_bytes_are_judged_as_those_of_a_folder(tmp_path: Path, isolated: bool) -> None:
    pictures = jpegs(11)
    for i, data in enumerate(pictures):
        (tmp_path / f"{i}.jpg").write_bytes(data)
    runners = MadeUpRunner([0.6, 0.7, 0.8, 0.9]), MadeUpRunner([0.6, 0.7, 0.8, 0.9])
    with (
        Session(runners[0], isolated=isolated) as one,
        Session(runners[1], isolated=isolated) as other,
    ):
        verdict = one.check(pictures, rate=10.0)
        expected = other.check(tmp_path, rate=10.0)
    assert verdict.decision is expected.decision is Decision.BONA_FIDE
    assert verdict.bona_fide_score == expected.bona_fide_score == pytest.approx(0.75)
    assert verdict.num_looks == expected.num_looks == 11
    assert verdict.frame_size == expected.frame_size
    times = [window.times_s for window in verdict.windows]
    assert times == [window.times_s for window in expected.windows]
    np.testing.assert_array_equal(runners[0].clips[0], runners[1].clips[0])


def test_rate_says_how_far_apart_frames_as_bytes_are() -> None:
    pictures = jpegs(10)
    with Session(MadeUpRunner(), isolated=False) as session:
        assert session.check(list(pictures), rate=10.0).num_looks == 10
        assert session.check(pictures, rate=30.0).num_looks == 4  # Frames 0, 3, 6 and 9.
        with pytest.raises(InputError, match="expected a rate above 0"):
            session.check(pictures, rate=0.0)


def test_no_frames_as_bytes_are_empty_input() -> None:
    with Session(MadeUpRunner(), isolated=False) as session:
        for none in ((), [], b""):
            with pytest.raises(MediaError) as caught:
                session.check(none, rate=10.0)
            assert caught.value.code is Refusal.EMPTY_INPUT


@pytest.mark.parametrize("isolated", [False, True])
def test_damaged_frame_is_named_by_its_place_and_the_session_goes_on(isolated: bool) -> None:
    good = jpegs(6)
    runner = MadeUpRunner(0.9)
    with Session(runner, isolated=isolated) as session:
        with pytest.raises(MediaError, match="picture 3: ") as caught:
            session.check((*good[:2], b"damaged", *good[3:]), rate=10.0)
        assert caught.value.code is Refusal.UNSUPPORTED_FORMAT
        assert runner.clips == []
        assert session.check(good, rate=10.0).decision is Decision.BONA_FIDE


@pytest.mark.parametrize("isolated", [False, True])
def test_session_reads_the_pictures_of_a_stream(isolated: bool) -> None:
    pictures = jpegs(2)
    with Session(MadeUpRunner(), isolated=isolated) as session, session.picture_reader() as read:
        for data in pictures:
            expected = np.asarray(Image.open(io.BytesIO(data)))
            assert np.abs(read(data).astype(int) - expected).max() <= 2
        with pytest.raises(MediaError, match="got a video"):
            read(person_video())
