"""The three stages for any of the networks: what recipes share."""

from vivant.networks.config import NetworkConfig
from vivant.networks.losses import LossConfig
from vivant.training.config import Experiment, StageConfig

__all__: list[str] = []


def with_stages(
    experiment: Experiment,
    epochs: tuple[int, int, int],
    learning_rates: tuple[float, float, float],
    *,
    depth_scale: float = 1.0,
    cache_advisor: bool = False,
) -> Experiment:
    """An experiment with those of the three stages that its network has a use for (D17).

    Args:
        experiment: Whose stages are replaced.
        epochs: Of each stage.
        learning_rates: Of each stage.
        depth_scale: J_D times this (D16).
        cache_advisor: Whether stage 2 keeps what the frozen Advisor said.
    """
    stages: dict[str, StageConfig | None] = {}
    for number, (num, rate) in enumerate(zip(epochs, learning_rates, strict=True), start=1):
        is_used = number == 1 or experiment.network.aam is not None
        stages[f"stage{number}"] = None
        if is_used:
            stages[f"stage{number}"] = StageConfig(
                epochs=num,
                learning_rate=rate,
                loss=_loss(experiment.network, number, depth_scale),
                cache_advisor=cache_advisor and number == 2,
            )
    return Experiment.model_validate(dict(experiment) | stages)


def _loss(network: NetworkConfig, number: int, depth_scale: float) -> LossConfig:
    """Lambda of a stage: (0, 10, 0), (0.5, 0, 10), (0.5, 10, 10); no J_D without a depth head."""
    has_depth = network.aam is not None and network.aam.depth_head
    return LossConfig(
        depth_weight=0.5 if number > 1 and has_depth else 0,
        advisor_weight=0 if number == 2 else 10,
        aam_weight=0 if number == 1 else 10,
        depth_scale=depth_scale,
    )
