import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from made_up import TRAINED, card
from made_up_scores import side
from vivant.cli.app import app
from vivant.errors import CardError, DataError, OutputError
from vivant.evaluation import deploying
from vivant.evaluation.scored import save_scored
from vivant.networks.card import ModelCard, write_card
from vivant.records import Split
from vivant.session.profile import read_profile


def make_run(folder: Path, card_: ModelCard | None = None, weights: str = "0" * 64) -> Path:
    """A run's folder, after `vivant evaluate`."""
    random = np.random.default_rng(11)
    rows = side(random, num_subjects=6) + side(random, split=Split.TEST, num_subjects=3)
    folder.mkdir(exist_ok=True)
    write_card(card_ or card(), folder)
    evaluation = folder / "evaluation"
    save_scored(evaluation / "scores.parquet", rows)
    (evaluation / "scoring").mkdir()
    content = {"weights": weights, "protocol": "made-up:1"}
    (evaluation / "scoring" / "evaluation.json").write_text(json.dumps(content))
    (evaluation / "metrics.json").write_text(json.dumps({"is_synthetic": False}))
    return folder


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("runs") / "run")


@pytest.fixture(autouse=True)
def _few_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    quick = partial(deploying.fit_profile, num_draws=30)
    monkeypatch.setattr("vivant.evaluation.deploying.fit_profile", quick)


def calibrate(*words: object) -> Result:
    result = CliRunner().invoke(app, ["calibrate", *map(str, words)], terminal_width=200)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_profile_lies_beside_the_card_and_is_told(run_folder: Path) -> None:
    told = calibrate(run_folder).stdout
    path = run_folder / "made_up.onnx.profile.json"
    profile = read_profile(path)
    assert profile.weights_sha256 == card().weights.sha256
    assert profile.operating_point.rule == "dev-bpcer=1%"
    assert (profile.data, profile.max_cost) == ("made-up:1 dev", 0.01)
    for line in ("calibration: ", "before", "after, out of fold", "operating point: bona fide from",
                 "dev: BPCER", "dev, held out: APCER print", "test: APCER replay",
                 "OUT_OF_DISTRIBUTION: above", "WINDOWS_DISAGREE: above", "test: bona fide",
                 "cannot be shown with fewer than 299", "vivant check CLIP.mp4 --model"):  # fmt: skip
        assert line in told, line


def test_profile_that_is_there_is_not_overwritten_unasked(run_folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "a.json"
    calibrate(run_folder, "--out", out, "--target", "eer")
    before = out.read_bytes()
    with pytest.raises(OutputError, match="is there already"):
        calibrate(run_folder, "--out", out)
    assert out.read_bytes() == before
    calibrate(run_folder, "--out", out, "--force")
    assert read_profile(out).operating_point.rule == "dev-bpcer=1%"


def test_json_is_the_profile(run_folder: Path, tmp_path: Path) -> None:
    words = ("--target", "apcer=5%", "--max-cost", "10%", "--json", "--out", tmp_path / "a.json")
    found = json.loads(calibrate(run_folder, *words).stdout)
    assert found == read_profile(tmp_path / "a.json").model_dump(mode="json")
    assert found["operating_point"]["rule"] == "dev-apcer=5%"
    assert found["max_cost"] == pytest.approx(0.1)


def test_scores_of_another_file_with_the_card_named(run_folder: Path, tmp_path: Path) -> None:
    other = make_run(tmp_path / "other")
    named = run_folder / "made_up.onnx.json"
    file = other / "evaluation" / "scores.parquet"
    calibrate(named, "--scores", file, "--out", tmp_path / "a.json")
    assert read_profile(tmp_path / "a.json").model == "made_up"


def test_scores_of_another_model_or_of_nobody_are_refused(tmp_path: Path) -> None:
    other = make_run(tmp_path / "other", weights="e" * 64)
    with pytest.raises(DataError) as caught:
        calibrate(other)
    assert "e" * 64 in str(caught.value)
    assert "0" * 64 in str(caught.value)
    (other / "evaluation" / "scoring" / "evaluation.json").write_text("[]")
    with pytest.raises(DataError, match="does not say which model"):
        calibrate(other)
    (other / "evaluation" / "scoring" / "evaluation.json").unlink()
    with pytest.raises(DataError, match="nothing says which model"):
        calibrate(other)
    assert not list(other.glob("*.profile.json"))


def test_missing_scores_say_which_command_writes_them(tmp_path: Path) -> None:
    write_card(card(), tmp_path)
    with pytest.raises(DataError, match="`vivant evaluate` writes them"):
        calibrate(tmp_path)


def test_what_is_synthetic_says_so(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    metrics = run / "evaluation" / "metrics.json"
    metrics.write_text(json.dumps({"is_synthetic": True}))
    assert "SYNTHETIC" in calibrate(run).stdout
    # Where nothing is said of the data, the model's own are the nearest that is known.
    metrics.unlink()
    assert json.loads(calibrate(run, "--force", "--json").stdout)["is_synthetic"] is False
    write_card(card(TRAINED.model_copy(update={"is_synthetic": True})), run)
    found = json.loads(calibrate(run, "--force", "--json").stdout)
    assert (found["is_synthetic"], found["data"]) == (True, "made-up:1 dev, SYNTHETIC")


def test_scores_of_a_store_are_noted(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    assert "JPEG" not in calibrate(run).stdout
    identity = run / "evaluation" / "scoring" / "evaluation.json"
    identity.write_text(json.dumps({"weights": "0" * 64, "protocol": "a:1", "store": "ab"}))
    assert "note: the scores are of a store, whose frames are JPEG" in (
        calibrate(run, "--force").stdout
    )


def test_untrained_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CardError, match="UNTRAINED"):
        calibrate(make_run(tmp_path / "run", card(training=None, point=None)))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--target", "fixed-0.5"), "expected bpcer=1%, apcer=0.5% or eer"),
        (("--target", "bpcer=1"), "expected bpcer=1%"),
        (("--target", "bpcer=101%"), "expected bpcer=1%"),
        (("--max-cost", "1"), "expected a share of 0% up to 100%"),
        (("--max-cost", "100%"), "expected a share"),
        (("--max-cost", "nan%"), "expected a share"),
        (("--max-cost", "-1%"), "expected a share"),
    ],
)
def test_wrong_options_are_wrong_usage(
    words: tuple[str, ...], message: str, run_folder: Path
) -> None:
    ended = calibrate(run_folder, *words)
    assert ended.exit_code == 2
    assert message in ended.stderr
