"""What a benchmark ran on."""

import platform
import time
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

from vivant.parallel import num_cores

__all__ = ["Machine", "this_machine"]

_CPU_INFO = Path("/proc/cpuinfo")
_PACKAGES = ("torch", "onnxruntime", "openvino", "numpy", "av")
_FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "avx_vnni", "amx_bf16", "amx_int8")


@dataclass(frozen=True, slots=True)
class Machine:
    """Its kind: numbers of another kind are others."""

    processor: str
    cores: int
    """That this process may use."""
    flags: tuple[str, ...]
    """Of the processor, those that convolutions use."""
    gpu: str | None
    versions: Mapping[str, str]
    date: str


def this_machine() -> Machine:
    """The one that this runs on, today."""
    fields = _cpu_info()
    known = fields.get("flags", "").split()
    return Machine(
        processor=fields.get("model name") or platform.processor() or platform.machine(),
        cores=num_cores(),
        flags=tuple(flag for flag in _FLAGS if flag in known),
        gpu=torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        versions={"python": platform.python_version()} | _versions(),
        date=time.strftime("%Y-%m-%d"),
    )


def _cpu_info() -> dict[str, str]:
    """Of the first core; nothing where the system does not say."""
    try:
        text = _CPU_INFO.read_text("utf-8").partition("\n\n")[0]
    except OSError:
        return {}
    pairs = (line.partition(":") for line in text.splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}


def _versions() -> dict[str, str]:
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
