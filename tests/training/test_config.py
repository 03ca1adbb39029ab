import pytest

from vivant.errors import ConfigError
from vivant.networks.models import lite, model_b, model_d
from vivant.training.config import Experiment, StageConfig, apply_settings


@pytest.fixture
def paper() -> Experiment:
    return Experiment(model="model_d", network=model_d())


def lambdas(stage: StageConfig | None) -> tuple[float, ...]:
    assert stage is not None
    return stage.loss.depth_weight, stage.loss.advisor_weight, stage.loss.aam_weight


def test_defaults_are_the_paper(paper: Experiment) -> None:
    stages = [paper.stage(number) for number in (1, 2, 3)]
    assert [stage and (stage.epochs, stage.learning_rate) for stage in stages] == [
        (10, 5e-5), (10, 5e-5), (6, 5e-6),
    ]  # fmt: skip
    # Ruling 17: each stage has the lambdas of what it trains.
    assert [lambdas(stage) for stage in stages] == [(0, 10, 0), (0.5, 0, 10), (0.5, 10, 10)]
    assert (paper.optimiser.name, paper.optimiser.weight_decay) == ("adam", 5e-5)
    assert paper.optimiser.region_proposal_rate == 0.1
    assert (paper.data.batch_clips, paper.data.sampler, paper.data.dev_windows) == (
        8,
        "balanced",
        4,
    )
    augment = paper.augment
    assert (augment.scale_range, augment.gamma_range) == ((1.2, 1.5), (0.5, 1.5))
    assert (augment.colour_shift, augment.erase_area, augment.cutout_px) == (40, (0.01, 0.05), 50)


def test_settings_reach_any_depth_and_leave_the_rest(paper: Experiment) -> None:
    changed = apply_settings(
        paper,
        [
            "stage1.epochs=3",
            "stage3.loss.depth_norm=l1",
            "network.advisor.backbone=se_resnet18",
            "network.aam.widths=[4, 8, 8]",
            "augment.scale_range=[1.3,1.4]",
            "optimiser.ema_decay=0.999",
            "activation_checkpointing=true",
            "pretrained=weights/resnet.pth",
        ],
    )
    assert changed.stage1.epochs == 3
    assert changed.stage3 is not None
    assert changed.stage3.loss.depth_norm == "l1"
    assert changed.network.advisor.backbone == "se_resnet18"
    assert changed.network.aam is not None
    assert changed.network.aam.widths == (4, 8, 8)
    assert changed.augment.scale_range == (1.3, 1.4)
    assert changed.optimiser.ema_decay == 0.999
    assert changed.activation_checkpointing
    assert changed.pretrained == "weights/resnet.pth"
    assert changed.stage2 == paper.stage2
    assert changed.data == paper.data


def test_nothing_to_set_changes_nothing(paper: Experiment) -> None:
    assert apply_settings(paper, []) == paper


def test_later_setting_counts_and_null_empties_a_field(paper: Experiment) -> None:
    changed = apply_settings(paper, ["pretrained=none", "pretrained=package", "pretrained=null"])
    assert changed.pretrained is None
    assert apply_settings(paper, ["seed=1", "seed=2"]).seed == 2


def test_model_without_second_module_has_one_stage(paper: Experiment) -> None:
    changed = apply_settings(
        paper, ["network.aam=null", "network.fusion=am", "stage2=null", "stage3=null"]
    )
    assert changed.network == model_b()
    assert changed.stage(1) is not None
    assert changed.stage(2) is None
    assert changed.stage(3) is None


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("epochs", r"expected part\.field=value, got 'epochs'"),
        ("=3", r"expected part\.field=value, got '=3'"),
        ("stage1.epoch=3", r"no field 'stage1\.epoch': did you mean 'epochs'\? Known there: .*loss"),
        ("xyz=3", r"no field 'xyz'\. Known there: activation_checkpointing, .*stage3"),
        ("stage1.epochs.first=3", r"no field 'stage1\.epochs\.first'\.$"),
        ("stage1.epochs=three", r"stage1\.epochs: .* valid integer, got 'three'"),
        ("stage1.epochs=2.5", r"stage1\.epochs: .* valid integer"),
        ("stage1.epochs=0", r"stage1\.epochs: .* greater than or equal to 1, got 0"),
        ("stage1.learning_rate=Infinity", r"stage1\.learning_rate: .* finite"),
        ("seed=-1", r"seed: .* greater than or equal to 0"),
        ("model=a/b", r"model: .* pattern"),
        ("precision=16", r"precision: .*'32' or 'bf16-mixed'"),
        ("data.sampler=fair", r"data\.sampler: .*'balanced' or 'natural', got 'fair'"),
        ("data.micro_batch_clips=3", r"micro_batch_clips that divide batch_clips \(8\), got 3"),
        ("augment.scale_range=[1.5,1.2]", r"expected scale_range with 0 < low <= high, got 1\.5"),
        ("augment.gamma_range=[0,1]", r"expected gamma_range with 0 < low <= high, got 0"),
        ("stage1.cache_advisor=true", "cache_advisor is for stage2"),
        ("stage3.cache_advisor=true", "cache_advisor is for stage2"),
        ("stage1.loss.aam_weight=1", "stage1 trains the Advisor alone"),
        ("stage2.loss.advisor_weight=1", "stage2 leaves the Advisor as it is"),
        ("stage2=null", "stage2 trains network.aam: set both of them, or none"),
        ("network.aam.depth_head=false", "depth_weight > 0 needs network.aam.depth_head"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_told(paper: Experiment, setting: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        apply_settings(paper, [setting])


def test_third_stage_needs_the_second_module(paper: Experiment) -> None:
    with pytest.raises(ConfigError, match="stage3 trains both modules, and network.aam is null"):
        apply_settings(paper, ["network.aam=null", "network.fusion=am", "stage2=null"])


def test_all_wrong_values_are_told_at_once(paper: Experiment) -> None:
    with pytest.raises(ConfigError, match=r"stage1\.epochs: .*; stage3\.epochs: "):
        apply_settings(paper, ["stage1.epochs=0", "stage3.epochs=-1"])


def test_configuration_survives_its_file() -> None:
    experiment = Experiment(model="lite", network=lite(), pretrained="package")
    assert Experiment.model_validate_json(experiment.model_dump_json()) == experiment
