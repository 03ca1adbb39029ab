import csv
import hashlib
import json
from pathlib import Path
from shutil import copy

import numpy as np
import pytest

from media import patterns, video
from people import swaying
from vivant.attacks.ranges import stated
from vivant.attacks.simulate import Hold
from vivant.datasets.folder import folder
from vivant.datasets.manifest import manifest
from vivant.datasets.simulation import Progress, simulate_folder
from vivant.datasets.subjects import parse_shares, split_by_subject
from vivant.errors import DataError, UnknownNameError
from vivant.records import Label


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    """Two clips of one person, one without a face, one that is none."""
    root = tmp_path_factory.mktemp("clips")
    (root / "anna").mkdir()
    clip = video([frame[110:370, 190:450] for frame in swaying(2, scale=1.0)], rate=10)
    (root / "anna" / "evening.mp4").write_bytes(clip)
    (root / "morning.mkv").write_bytes(clip)
    (root / "wall.mp4").write_bytes(video(patterns(4), rate=10))
    (root / "broken.mp4").write_bytes(b"no video")
    (root / "notes.txt").write_text("passed over")
    return root


def run(root: Path, out: Path, *species: str, takes: int = 1, seed: int = 0) -> Progress:
    return list(simulate_folder(root, out, species, takes, seed))[-1]


def digests(out: Path) -> dict[str, str]:
    return {
        path.relative_to(out).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(out.rglob("*.mp4"))
    }


@pytest.fixture(scope="module")
def made(root, tmp_path_factory) -> tuple[Path, Progress]:
    out = tmp_path_factory.mktemp("made") / "out"
    return out, run(root, out, "print", "replay")


def test_each_clip_gives_itself_and_an_attack_of_each_species(made):
    out, state = made
    assert list(digests(out)) == [
        "attack/print/anna/evening_0.mp4",
        "attack/print/morning_0.mp4",
        "attack/replay/anna/evening_0.mp4",
        "attack/replay/morning_0.mp4",
        "bona_fide/anna/evening.mp4",
        "bona_fide/morning.mp4",
    ]
    assert (state.done, state.failed, state.total, state.kept) == (6, 6, 12, 0)


def test_what_gives_nothing_is_named_with_its_reason_and_stops_nothing(made):
    problems = {problem.path: problem.message for problem in made[1].problems}
    assert set(problems) == {"broken.mp4", "wall.mp4"}
    assert problems["broken.mp4"].startswith("UNSUPPORTED_FORMAT: ")
    assert "expected a face in 80% of the frames" in problems["wall.mp4"]


@pytest.mark.parametrize("build", [manifest, folder])
def test_two_readers_read_it(made, build):
    reading = build().read(made[0])
    assert not reading.problems
    labels = [row.label for row in reading.presentations]
    assert (labels.count(Label.BONA_FIDE), labels.count(Label.ATTACK)) == (2, 4)
    assert {row.pai_species for row in reading.presentations} == {None, "print", "replay"}


def test_rows_name_source_subject_and_all_that_was_drawn(made):
    rows = {row.path: row for row in manifest().read(made[0]).presentations}
    attack = rows["attack/print/anna/evening_0.mp4"]
    assert (attack.subject, attack.columns["source"]) == ("anna", "anna/evening.mp4")
    assert rows["bona_fide/morning.mp4"].subject == "morning"
    drawn = stated(Hold)
    for name, given in drawn.items():
        value = attack.columns[f"hold_{name}"]
        if hasattr(given, "low") and name not in ("face", "x", "y"):
            assert given.low - 1e-5 <= float(value) <= given.high + 1e-5
    assert "print_lines_per_inch" in attack.columns
    assert not any(name.startswith("replay_") for name in attack.columns)
    assert "camera_crf" in rows["bona_fide/morning.mp4"].columns


def test_a_clip_and_its_attacks_stay_on_one_side(made):
    rows = manifest().read(made[0]).presentations
    sides = split_by_subject(rows, parse_shares("subject:0.5/0.0/0.5"), seed=0)
    for side in sides.values():
        assert len(side) in (0, 3, 6)


def test_the_read_me_says_what_it_is_and_states_the_ranges(made):
    text = (made[0] / "README.md").read_text()
    assert "say nothing about accuracy on recorded attacks" in text
    assert "| `print_picture_cm` | 9 to 28, log |" in text
    assert "print, replay" in text
    assert "| `framing_scale` | 1 to 1.3 |" in text
    assert "more than 0.8 of the frame's width or height" in text
    assert "`hold_face` | 0" not in text


def test_a_run_that_was_killed_goes_on_and_gives_the_same(made, root, tmp_path):
    out = tmp_path / "out"
    states = simulate_folder(root, out, ["print"], 1, 0)
    next(states)
    next(states)  # The first clip is done; then somebody pulls the plug.
    states.close()
    assert not (out / "manifest.csv").exists()
    kept = digests(out)
    assert list(kept) == ["attack/print/anna/evening_0.mp4", "bona_fide/anna/evening.mp4"]
    # A video without its row may be half of one; so may what a killed process leaves behind.
    (out / ".rows" / "bona_fide" / "anna" / "evening.mp4.json").unlink()
    (out / "bona_fide" / "anna" / "evening.mp4").write_bytes(b"half")
    (out / "bona_fide" / ".x.mp4.1.part").write_bytes(b"left")
    state = run(root, out, "print")
    assert (state.kept, state.done) == (1, 4)
    whole = digests(made[0])
    assert digests(out) == {path: whole[path] for path in whole if "replay" not in path}
    assert not list(out.rglob("*.part"))
    assert len(manifest().read(out).presentations) == 4


def test_a_video_that_is_empty_or_has_a_damaged_row_is_made_anew(root, tmp_path):
    out, clips = tmp_path / "out", tmp_path / "clips"
    clips.mkdir()
    copy(root / "morning.mkv", clips)
    run(clips, out, "print")
    whole = digests(out)
    (out / "attack" / "print" / "morning_0.mp4").write_bytes(b"")
    (out / ".rows" / "bona_fide" / "morning.mp4.json").write_text("[]")
    state = run(clips, out, "print")
    assert (state.kept, state.done) == (0, 2)
    assert digests(out) == whole
    assert run(clips, out, "print").kept == 2
    (clips / "morning.mkv").unlink()  # Videos of a clip that is gone stay.
    assert run(clips, out, "print").total == 0
    assert len(manifest().read(out).presentations) == 2


def test_a_clip_that_is_another_by_now_is_filmed_anew(root, tmp_path):
    out, first, second = tmp_path / "out", tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    copy(root / "morning.mkv", first)
    run(first, out, "print")
    before = digests(out)
    clip = [frame[100:360, 200:460] for frame in swaying(3, scale=1.0)]
    (second / "morning.mkv").write_bytes(video(clip, rate=10))
    # Of what is not asked for again nothing is left that shows the other clip.
    state = run(second, out, "replay")
    assert (state.kept, state.done) == (0, 2)
    after = digests(out)
    assert set(after) == {"attack/replay/morning_0.mp4", "bona_fide/morning.mp4"}
    assert after["bona_fide/morning.mp4"] != before["bona_fide/morning.mp4"]
    assert len(manifest().read(out).presentations) == 2
    # A clip that cannot be read any more leaves no video under its name.
    (second / "morning.mkv").write_bytes(b"no video")
    state = run(second, out, "replay")
    assert (state.done, state.failed) == (0, 2)
    assert not digests(out)


def test_more_species_can_be_added_later_and_leave_the_rest(root, tmp_path):
    out = tmp_path / "out"
    small = tmp_path / "one"
    small.mkdir()
    (small / "morning.mkv").write_bytes((root / "morning.mkv").read_bytes())
    run(small, out, "print")
    before = digests(out)
    state = run(small, out, "print", "cut_photo", takes=2)
    assert (state.kept, state.done) == (2, 5)
    after = digests(out)
    assert {path: after[path] for path in before} == before
    with (out / "manifest.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["pai"], row["take"]) for row in rows] == [
        ("cut_photo", "0"), ("cut_photo", "1"), ("print", "0"), ("print", "1"), ("", "0"),
    ]  # fmt: skip


def test_a_folder_of_something_else_is_refused(root, tmp_path):
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(DataError, match="found something else"):
        run(root, tmp_path)
    with pytest.raises(DataError, match="two folders that lie apart"):
        run(root, root / "out")
    with pytest.raises(DataError, match="expected a folder of bona fide clips .* found nothing"):
        run(tmp_path / "missing", tmp_path / "out")
    with pytest.raises(UnknownNameError, match="no PAI species is called 'mask'"):
        run(root, tmp_path / "out", "mask")
    assert not (tmp_path / "out").exists()


def test_a_folder_begun_with_another_seed_is_refused(root, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    out = tmp_path / "out"
    assert run(empty, out).total == 0
    with pytest.raises(DataError, match="another simulation .*'seed': 0.* expected .*'seed': 1"):
        run(empty, out, seed=1)
    assert json.loads((out / "simulation.json").read_text())["simulation"]["seed"] == 0
    (out / "simulation.json").write_text("{")
    with pytest.raises(DataError, match="is damaged"):
        run(empty, out)


def test_names_that_cannot_be_rows_are_problems(tmp_path):
    root = tmp_path / "in"
    root.mkdir()
    for name in ("a.mp4", "a.mov", "b\\c.mp4", " d.mp4", "e.jpg"):
        (root / name).write_bytes(b"no video")
    state = next(simulate_folder(root, tmp_path / "out", ["print"], 1, 0))
    messages = {problem.path: problem.message for problem in state.problems}
    assert set(messages) == {"a.mp4", "b\\c.mp4", " d.mp4", "e.jpg"}
    assert "is there twice, also as a.mov" in messages["a.mp4"]
    assert "rename it" in messages["b\\c.mp4"]
    assert "expected a video" in messages["e.jpg"]


def test_faces_are_for_their_user_alone(made):
    assert np.bitwise_and(made[0].stat().st_mode, 0o077) == 0
