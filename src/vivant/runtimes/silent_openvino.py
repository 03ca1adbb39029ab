"""OpenVINO without its telemetry, which tells a server of every import unless each user objects.

Import it from here and nowhere else: a check of an identity is nobody else's business.
"""

import sys

# What cannot be imported cannot tell: OpenVINO then uses its own stub.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]

import openvino  # noqa: E402
from openvino import opset15  # noqa: E402

__all__ = ["openvino", "opset15"]
