"""The networks by name: the paper's Models A to D (Table 1), its baselines, and `lite`."""

from vivant.networks.config import AamConfig, AdvisorConfig, NetworkConfig

__all__ = ["cnn_lstm", "lite", "model_a", "model_b", "model_c", "model_d", "starter", "stasn"]


def model_a() -> NetworkConfig:
    """Model A: no channel attention: a plain ResNet-101 (paper 4.3 i)."""
    return NetworkConfig(advisor=AdvisorConfig(backbone="resnet101"))


def model_b() -> NetworkConfig:
    """Model B: the Advisor Module alone (paper 4.3 ii)."""
    return NetworkConfig(aam=None, fusion="am")


def model_c() -> NetworkConfig:
    """Model C: both modules, no attended-auxiliary supervision: no depth (paper 4.3 iii)."""
    return NetworkConfig(aam=AamConfig(depth_head=False))


def model_d() -> NetworkConfig:
    """Model D: the complete network (paper 4.3 iv)."""
    return NetworkConfig()


def cnn_lstm() -> NetworkConfig:
    """The vanilla CNN-LSTM of Figure 4a: no SE, no second module."""
    return NetworkConfig(advisor=AdvisorConfig(backbone="resnet101"), aam=None, fusion="am")


def stasn() -> NetworkConfig:
    """A STASN-style baseline: no SE, regions supervised by the class alone (paper 5)."""
    return NetworkConfig(
        advisor=AdvisorConfig(backbone="resnet101"), aam=AamConfig(depth_head=False)
    )


def starter() -> NetworkConfig:
    """The network that ships: a linear head on a frozen backbone, which alone decides (D46, D47).

    Three levels of `lite`'s backbone describe two crops of each frame; patches and depth explain.
    """
    return NetworkConfig(
        advisor=AdvisorConfig(
            backbone="efficientnet_lite0",
            freeze_backbone=True,
            input_side_px=160,
            levels=(10, 15),
            context=True,
            head="frames",
        ),
        aam=AamConfig(widths=(8, 16, 24), frames="last"),
        fusion="am",
    )


def lite() -> NetworkConfig:
    """For small machines: EfficientNet-Lite0, and narrow patches of the newest frame."""
    return NetworkConfig(
        advisor=AdvisorConfig(backbone="efficientnet_lite0"),
        aam=AamConfig(widths=(8, 16, 24), frames="last"),
    )
