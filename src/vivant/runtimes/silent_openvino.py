"""OpenVINO without its telemetry, which tells a server of every import unless each user objects.

Import it from here and nowhere else: a check of an identity is nobody else's business.
"""

import sys

# What cannot be imported cannot tell: OpenVINO then uses its own stub.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]

import openvino  # noqa: E402
from openvino import opset15  # noqa: E402

__all__ = ["CORE", "openvino", "opset15"]

CORE = openvino.Core()
"""The one core of this process: it lives as long as the process does. Make no other.

The CPU plugin, which is loaded with the first model, gives the thread that loads it a stack for
signal handlers, and takes the memory back when the last core and model are gone. In another thread
it does not restore the stack that was there before, and the next signal that Python handles kills
the process. A core that is never released keeps the plugin. It is made by the import, which happens
once, whatever threads ask for it.
"""
