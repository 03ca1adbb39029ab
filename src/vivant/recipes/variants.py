"""The lines of Table 1, and its baselines, of any recipe: what `vivant reproduce` trains."""

from vivant.errors import ConfigError
from vivant.networks.config import NetworkConfig
from vivant.plugins import discover
from vivant.training.config import Experiment

__all__: list[str] = []

VARIANTS = ("model_a", "model_b", "model_c", "model_d", "cnn_lstm", "stasn")
"""As `networks/models.py` has them for the paper's sizes."""
_BACKBONES = "vivant.networks.backbones"
_SE = "se_"
_WITHOUT_SE = ("model_a", "cnn_lstm", "stasn")
_WITHOUT_AAM = ("model_b", "cnn_lstm")
_WITHOUT_DEPTH = ("model_c", "stasn")


def vary(whole: Experiment, variant: str) -> Experiment:
    """One of the variants of a recipe, alike in all that the variant is not about.

    Args:
        whole: A recipe of a whole network. Model D is this one with channel attention, which
            EfficientNet-Lite0 for one has not by itself.
        variant: One of `VARIANTS`.

    Raises:
        ConfigError: the recipe has no second module with a depth head, or there is no backbone with
            and without channel attention.
    """
    network = whole.network
    if network.aam is None or not network.aam.depth_head or whole.fit is not None:
        raise ConfigError(
            f"expected a recipe of a whole network, trained in three stages, to leave parts "
            f"out of; {whole.model} is not: take model_d, small_d, tiny or smoke"
        )
    plain = network.advisor.backbone.removeprefix(_SE)
    backbone = plain if variant in _WITHOUT_SE else f"{_SE}{plain}"
    if backbone not in discover(_BACKBONES):
        raise ConfigError(
            f"{variant} of {whole.model} needs the backbone {backbone}, and there is none"
        )
    content = network.model_dump()
    content["advisor"]["backbone"] = backbone
    stages = {name: getattr(whole, name) for name in ("stage2", "stage3")}
    if variant in _WITHOUT_AAM:
        content |= {"aam": None, "fusion": "am"}
        stages = dict.fromkeys(stages)
    elif variant in _WITHOUT_DEPTH:
        content["aam"]["depth_head"] = False
        no_depth = {"depth_weight": 0.0}
        stages = {
            name: stage
            and stage.model_copy(update={"loss": stage.loss.model_copy(update=no_depth)})
            for name, stage in stages.items()
        }
    stem = whole.model.removesuffix("_d")
    model = f"{stem}_{variant.removeprefix('model_')}"
    changes = {"model": model, "network": NetworkConfig.model_validate(content), **stages}
    return Experiment.model_validate(dict(whole) | changes)
