from typer.testing import CliRunner

from media import patterns, video
from people import swaying
from vivant.cli.app import app


def simulate(*arguments: object):
    return CliRunner().invoke(app, ["data", "simulate", *map(str, arguments)])


def test_attacks_are_made_and_the_way_on_is_shown(tmp_path):
    root = tmp_path / "in"
    root.mkdir()
    clip = [frame[110:370, 190:450] for frame in swaying(2, scale=1.0)]
    (root / "a.mp4").write_bytes(video(clip, rate=10))
    given = ("--from", root, "--out", tmp_path / "out", "--species", "print", "--workers", 1)
    result = simulate(*given)
    assert result.exit_code == 0, result.output
    assert "2 of 2 videos are in" in result.output
    assert "SIMULATED" in result.output
    assert f"vivant data check manifest {tmp_path / 'out'}" in result.output
    assert (tmp_path / "out" / "attack" / "print" / "a_0.mp4").is_file()
    again = simulate(*given)
    assert "2 of them from before" in again.output


def test_a_clip_that_gives_none_is_named_and_the_exit_code_is_1(tmp_path):
    root = tmp_path / "in"
    root.mkdir()
    (root / "wall.mp4").write_bytes(video(patterns(3), rate=10))
    result = simulate("--from", root, "--out", tmp_path / "out", "--workers", 1)
    assert result.exit_code == 1
    assert "not simulated: wall.mp4: expected a face" in result.output
