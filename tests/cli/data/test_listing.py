import json

from typer.testing import CliRunner

from vivant.cli.app import app


def test_list_names_every_data_set_and_its_protocols() -> None:
    answer = CliRunner().invoke(app, ["data", "list", "--json"])
    assert answer.exit_code == 0
    found = json.loads(answer.stdout)
    assert {"oulu_npu", "siw", "replay_attack", "folder", "manifest"} <= set(found)
    assert "3_6" in found["oulu_npu"]


def test_the_table_has_a_line_for_each() -> None:
    answer = CliRunner().invoke(app, ["data", "list"])
    assert answer.exit_code == 0
    assert "oulu_npu" in answer.stdout
    assert "grandtest" in answer.stdout
