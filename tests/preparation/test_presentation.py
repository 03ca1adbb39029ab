import io
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from media import clip, video
from people import person, person_video, swaying
from prepared import filled, new_store
from vivant.depth.surface import depth_map
from vivant.errors import InputError
from vivant.faces.detectors.blazeface import blazeface
from vivant.faces.mesh import FaceMesh
from vivant.faces.observer import Eyes, Observer
from vivant.geometry.boxes import iou, median_box
from vivant.geometry.crop import crop_box, cut
from vivant.preparation.clips import ClipStore, decode
from vivant.preparation.info import fingerprint
from vivant.preparation.place import key_of, to_place
from vivant.preparation.presentation import Preparer, preparer
from vivant.preparation.record import PreparedPresentation
from vivant.preparation.run import prepare as run
from vivant.preparation.settings import PreparationSettings
from vivant.records import Label, Presentation
from vivant.video.frames import read_media

NAME = "person.mp4"
BONA_FIDE = Presentation(NAME, Label.BONA_FIDE, None)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    (folder / NAME).write_bytes(person_video())
    (folder / "nobody.mp4").write_bytes(clip())
    (folder / "broken.mp4").write_bytes(person_video()[:5000])
    (folder / "still.png").write_bytes(png(person(scale=1.5)))
    (folder / "frames").mkdir()
    for i, pixels in enumerate(swaying(12)):
        (folder / "frames" / f"1_{i}.png").write_bytes(png(pixels))
    large = [cv2.resize(pixels, (1280, 960)) for pixels in swaying(6, 1.6)]
    (folder / "large.mp4").write_bytes(video(large, 10, "libx264", options={"crf": "12"}))
    return folder


def png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


@pytest.fixture(scope="module")
def prepare(root: Path) -> Iterator[Preparer]:
    preparer = Preparer(root, PreparationSettings())
    yield preparer
    preparer.close()


@pytest.fixture(scope="module")
def found(prepare: Preparer) -> PreparedPresentation:
    return prepare(BONA_FIDE)


def test_every_frame_with_a_face_is_there(found: PreparedPresentation) -> None:
    assert found.refusal is None
    assert (found.num_looks, len(found.frames)) == (20, 20)
    assert (found.width_px, found.height_px, found.is_still) == (640, 480, False)
    assert [frame.position for frame in found.frames] == list(range(20))
    assert [frame.time_s for frame in found.frames] == pytest.approx(np.arange(20) / 10)
    assert not any(frame.faults for frame in found.frames)


def test_looks_are_the_sessions(root: Path, found: PreparedPresentation) -> None:
    """The same boxes, numbers and faults as an observer of the same frames has."""
    settings = PreparationSettings()
    media = read_media((root / NAME).read_bytes(), 0.1, settings.video_limits)
    observer = Observer(Eyes(blazeface(), FaceMesh()), settings.quality_limits)
    for frame in media.frames:
        observer.look(frame)
    assert [frame.face for frame in found.frames] == [look.box for look in observer.looks]
    assert [frame.quality for frame in found.frames] == [look.quality for look in observer.looks]


@pytest.mark.parametrize("name", [NAME, "large.mp4"])
def test_stored_clip_is_the_sessions_but_for_jpeg(
    root: Path, prepare: Preparer, tmp_path: Path, name: str
) -> None:
    row = prepare(Presentation(name, Label.BONA_FIDE, None))
    store = ClipStore(filled(tmp_path / "store", [row]).folder)
    (raw,) = store.read([store.windows(name)[0]])
    stored = decode(raw, 1.3, 224)
    limits = PreparationSettings().video_limits
    frames = list(read_media((root / name).read_bytes(), 0.1, limits).frames)[:5]
    face = median_box([frame.face for frame in row.frames[:5]])
    height, width, _ = frames[0].pixels.shape
    crop = crop_box(face, width, height, 1.3)
    expected = np.stack([cut(frame.pixels, crop, 224) for frame in frames])
    # Measured: 1.2 grey levels as filmed, 2.1 where the face is shrunk first.
    assert np.abs(stored.crops.astype(int) - expected).mean() < 3


def test_large_face_is_stored_smaller(root: Path, prepare: Preparer) -> None:
    row = prepare(Presentation("large.mp4", Label.BONA_FIDE, None))
    squares = {frame.square.quarters for frame in row.frames}
    assert squares <= {7, 8}  # Never back: a finer one is kept.
    for frame in row.frames:
        longer = max(frame.face.width_px, frame.face.height_px)
        assert 4 * longer / frame.square.quarters >= 172
        assert Image.open(io.BytesIO(frame.crop)).size == (frame.square.side_px,) * 2


def test_depth_is_that_of_the_mesh(found: PreparedPresentation) -> None:
    frame = found.frames[3]
    assert frame.depth is not None
    depth = np.asarray(Image.open(io.BytesIO(frame.depth)))
    side = len(depth)
    points = frame.landmarks * (side / frame.square.side_px)
    expected = 255 * depth_map(points.astype(np.float64), side)
    np.testing.assert_allclose(depth, expected, atol=1)
    assert (depth.min(), depth.max()) == (0, 255)


def test_target_from_the_stored_depth_is_that_of_the_crops_own(
    found: PreparedPresentation, tmp_path: Path
) -> None:
    """The 14x14 means that the loss sees: of the stored map, and of one made at 224."""
    store = ClipStore(filled(tmp_path / "store", [found]).folder)
    (raw,) = store.read([store.windows(NAME)[0]])
    clip = decode(raw, 1.3, 224)
    frame = found.frames[0]
    face = median_box([each.face for each in found.frames[:5]])
    crop = crop_box(face, 640, 480, 1.3)
    scale = 4 / frame.square.quarters
    points = frame.landmarks / scale + [frame.square.box.x, frame.square.box.y, 0]
    points[:, :2] -= [crop.x, crop.y]
    direct = depth_map(points * 224 / crop.side_px, 224)
    means = [
        depth.reshape(56, 4, 56, 4).mean(axis=(1, 3)) for depth in (clip.depth[0] / 255.0, direct)
    ]
    assert np.abs(means[0] - means[1]).mean() < 0.012  # Measured: 0.009, at the outline.


def test_attack_has_no_depth_to_store(prepare: Preparer) -> None:
    row = prepare(Presentation(NAME, Label.ATTACK, "print"))
    assert len(row.frames) == 20
    assert all(frame.depth is None for frame in row.frames)


def test_same_file_gives_the_same_bytes(found: PreparedPresentation, prepare: Preparer) -> None:
    again = prepare(BONA_FIDE)
    assert [frame.crop for frame in again.frames] == [frame.crop for frame in found.frames]
    assert again.sha256 == found.sha256


def test_video_that_lies_upside_down_is_turned(
    root: Path, prepare: Preparer, found: PreparedPresentation
) -> None:
    turned = [np.ascontiguousarray(frame[::-1, ::-1]) for frame in swaying(20)]
    data = video(turned, 10, "libx264", options={"crf": "18"})
    (root / "turned.mp4").write_bytes(data)
    columns = {"rotation_deg": "180"}
    row = prepare(Presentation("turned.mp4", Label.BONA_FIDE, None, columns=columns))
    for mine, theirs in zip(row.frames, found.frames, strict=True):
        assert iou(mine.face, theirs.face) > 0.95


def test_isolation_changes_nothing_but_the_time(root: Path, found: PreparedPresentation) -> None:
    trusting = Preparer(root, PreparationSettings(), isolated=False)
    rows = [trusting(BONA_FIDE), trusting(Presentation("frames", Label.BONA_FIDE, None))]
    trusting.close()
    assert [frame.crop for frame in rows[0].frames] == [frame.crop for frame in found.frames]
    assert len(rows[1].frames) == 5


def test_impossible_turn_is_refused(prepare: Preparer) -> None:
    row = prepare(Presentation(NAME, Label.BONA_FIDE, None, columns={"rotation_deg": "45"}))
    assert row.refusal == "UNSUPPORTED_FORMAT"
    assert "0, 90, 180 or 270" in str(row.message)


def test_failure_of_ours_is_a_row_and_not_the_end(
    prepare: Preparer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: Preparer, crop: object) -> bytes:
        raise RuntimeError("out of luck")

    monkeypatch.setattr(Preparer, "_encode", fail)
    row = prepare(BONA_FIDE)
    assert (row.refusal, row.message) == ("INTERNAL_ERROR", "RuntimeError: out of luck")


def test_folder_that_cannot_be_read_is_refused(prepare: Preparer) -> None:
    row = prepare(Presentation("x" * 300, Label.BONA_FIDE, None))
    assert row.refusal == "NOT_A_FILE"


def test_map_that_is_black_about_the_face_says_nothing(root: Path, tmp_path: Path) -> None:
    grey = np.zeros((240, 320), np.uint8)
    grey[:20, :20] = 255  # A face somewhere else.
    (tmp_path / "person").mkdir()
    (tmp_path / "person" / "0.png").write_bytes(png(grey))
    own = Preparer(root, PreparationSettings(depth_maps=True), tmp_path)
    row = own(BONA_FIDE)
    own.close()
    assert row.refusal is None
    assert row.frames[0].depth is None


def test_video_without_a_face_is_prepared_and_has_no_frames(prepare: Preparer) -> None:
    row = prepare(Presentation("nobody.mp4", Label.BONA_FIDE, None))
    assert (row.refusal, row.frames) == (None, ())
    assert row.num_looks > 0
    assert "NO_FACE" in row.faults


@pytest.mark.parametrize(
    ("name", "refusal"), [("broken.mp4", "CORRUPT_MEDIA"), ("missing.mp4", "NOT_A_FILE")]
)
def test_bad_file_is_refused_with_its_reason(prepare: Preparer, name: str, refusal: str) -> None:
    row = prepare(Presentation(name, Label.BONA_FIDE, None))
    assert (row.refusal, row.frames) == (refusal, ())
    assert row.message


def test_still_is_marked(prepare: Preparer) -> None:
    row = prepare(Presentation("still.png", Label.BONA_FIDE, None))
    assert row.is_still
    assert len(row.frames) == 1


@pytest.mark.parametrize("columns", [{}, {"frames": "frames/1_*.png"}])
def test_pictures_of_a_clip_are_read_in_order(prepare: Preparer, columns: dict[str, str]) -> None:
    path = "frames/1_0.png" if columns else "frames"
    row = prepare(Presentation(path, Label.BONA_FIDE, None, columns=columns))
    assert row.refusal is None
    assert [frame.number for frame in row.frames] == [0, 3, 6, 9, 11]
    assert row.num_bytes > 0


def test_pattern_without_pictures_is_refused(prepare: Preparer) -> None:
    columns = {"frames": "frames/9_*.png"}
    row = prepare(Presentation("frames/9_0.png", Label.BONA_FIDE, None, columns=columns))
    assert row.refusal == "EMPTY_INPUT"


@pytest.fixture(scope="module")
def gaps(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A series as NUAA's public copies have it: gaps, after which the person is elsewhere."""
    folder = tmp_path_factory.mktemp("gaps")
    (folder / "p").mkdir()
    frames = swaying(12)
    elsewhere = [np.roll(each, 200, axis=1)[:, :, ::-1] for each in swaying(6)]  # Blue light, too.
    numbers = [*range(100, 136, 3), *range(200, 218, 3)]
    for number, pixels in zip(numbers, [*frames, *elsewhere], strict=True):
        (folder / "p" / f"7_{number}.png").write_bytes(png(np.ascontiguousarray(pixels)))
    return folder


def read_series(folder: Path, **settings: object) -> PreparedPresentation:
    preparer = Preparer(folder, PreparationSettings(**settings), isolated=False)
    return preparer(Presentation("p", Label.BONA_FIDE, None))


@pytest.mark.regression
def test_a_series_with_gaps_is_judged_by_what_is_known_of_it(gaps: Path, tmp_path: Path) -> None:
    even = read_series(gaps, picture_rate=10)
    assert "FACE_CHANGED" in even.faults
    numbered = read_series(gaps, series="numbered", picture_rate=30)
    assert (numbered.faults, numbered.is_still, len(numbered.frames)) == ((), False, 18)
    # Numbers 100, 103 ... are 0, 0.1 ... s; 200 is 100 frames after the first.
    times = [frame.time_s for frame in numbered.frames]
    assert times == pytest.approx([*np.arange(12) / 10, *(100 + np.arange(0, 18, 3)) / 30])
    clips = ClipStore(filled(tmp_path / "store", [numbered]).folder)
    spans = [(rows[0], rows[-1]) for rows in clips.windows("p")]
    assert spans == [(start, start + 4) for start in (*range(8), 12, 13)]  # None over the gap.


def test_pictures_at_no_known_rate_are_stills(gaps: Path, tmp_path: Path) -> None:
    row = read_series(gaps, series="still")
    assert (row.faults, row.is_still, row.num_looks) == ((), True, 18)
    clips = ClipStore(filled(tmp_path / "store", [row]).folder)
    assert clips.windows("p") == tuple((place,) * 5 for place in range(18))
    assert decode(clips.read([clips.windows("p")[3]])[0], 1.3, 47).crops.shape == (5, 47, 47, 3)


def test_still_pictures_without_a_face_lose_nobody(tmp_path: Path) -> None:
    (tmp_path / "p").mkdir()
    nobody = np.full((480, 640, 3), 90, np.uint8)
    for number, pixels in enumerate([*swaying(2), nobody, nobody]):
        (tmp_path / "p" / f"{number}.png").write_bytes(png(pixels))
    assert read_series(tmp_path, picture_rate=10).faults == ("FACE_LOST",)
    found = read_series(tmp_path, series="still")
    assert (found.faults, found.num_looks, len(found.frames)) == ((), 4, 2)


@pytest.mark.parametrize(
    ("names", "refusal", "message"),
    [
        (["a.png"], "UNSUPPORTED_FORMAT", "a.png: expected the number of its frame in the name"),
        (["1_5.png", "2_5.png"], "UNSUPPORTED_FORMAT", "2_5.png: expected a number above 5"),
        (["0.png", "99999999999999999999999.png"], "TOO_LONG", "--|numbers 9999"),
    ],
)
def test_numbers_that_count_no_frames_are_refused(
    tmp_path: Path, names: list[str], refusal: str, message: str
) -> None:
    (tmp_path / "p").mkdir()
    for name in names:
        (tmp_path / "p" / name).write_bytes(png(person()))
    row = read_series(tmp_path, series="numbered")
    assert row.refusal == refusal
    assert any(part in (row.message or "") for part in message.split("|"))


def test_fewer_frames_are_stored_in_groups_of_five(root: Path) -> None:
    few = Preparer(root, PreparationSettings(max_frames=10))
    row = few(BONA_FIDE)
    few.close()
    assert [frame.position for frame in row.frames] == [0, 1, 2, 3, 4, 15, 16, 17, 18, 19]


def test_depth_of_the_users_own_is_cut_like_the_frame(root: Path, tmp_path: Path) -> None:
    maps = tmp_path / "maps"
    (maps / "person").mkdir(parents=True)
    ramp = np.tile(np.linspace(0, 255, 320).astype(np.uint8), (240, 1))  # Half the frame's size.
    for position in range(10):
        (maps / "person" / f"{100 * position}.png").write_bytes(png(ramp))
    (maps / "person" / "500.png").write_bytes(b"damaged")
    own = preparer(root, PreparationSettings(depth_maps=True), maps)
    assert isinstance(own, Preparer)
    assert own(BONA_FIDE).refusal == "BAD_DEPTH_MAP"
    (maps / "person" / "500.png").unlink()
    row = own(BONA_FIDE)
    own.close()
    known = [frame.depth is not None for frame in row.frames]
    assert known == [True] * 5 + [False] + [True] * 4 + [False] * 10
    frame = row.frames[0]
    assert frame.depth is not None
    depth = np.asarray(Image.open(io.BytesIO(frame.depth))).astype(float)
    box = frame.square.box
    expected = 255 * (box.x + (np.arange(len(depth)) + 0.5) * box.side_px / len(depth)) / 640
    assert np.abs(depth.mean(axis=0) - expected).max() < 2


def test_maps_and_settings_must_agree(root: Path) -> None:
    with pytest.raises(InputError, match="expected a folder of depth maps where the settings"):
        Preparer(root, PreparationSettings(depth_maps=True))


def test_frames_know_their_number(found: PreparedPresentation) -> None:
    assert [frame.number for frame in found.frames] == list(range(20))


@pytest.mark.slow
def test_from_a_bucket_into_a_bucket_it_is_the_same(
    root: Path, bucket: str, tmp_path: Path
) -> None:
    """Videos, a still, folders and series of pictures; two processes, each on its own."""
    rows = [Presentation(name, Label.BONA_FIDE, None) for name in (NAME, "still.png", "frames",
            "broken.mp4", "missing.mp4")]  # fmt: skip
    rows.append(
        Presentation("frames/1_0.png", Label.BONA_FIDE, None, columns={"frames": "frames/1_*"})
    )
    there = to_place(f"{bucket}/data [1]")
    for path in root.rglob("*"):
        if path.is_file():
            name = f"{key_of(there)}/{path.relative_to(root).as_posix()}"
            there.fs.pipe_file(name, path.read_bytes())
    stores = [new_store(tmp_path / "store"), new_store(to_place(f"{bucket}/store"))]
    for from_, store in zip((root, there), stores, strict=True):
        work = partial(preparer, from_, PreparationSettings(), isolated=False)
        list(run(rows, store, work, 2 if from_ is there else 1))
    told = [[row | {"id": 0, "message": ""} for row in store.presentations()] for store in stores]
    assert told[0] == told[1]
    assert [row["refusal"] for row in told[1]] == [
        "CORRUPT_MEDIA", None, None, "NOT_A_FILE", None, None,
    ]  # fmt: skip
    assert fingerprint(stores[0]) == fingerprint(stores[1])
