"""Finds what a folder of plug-ins offers: a new one is one new file and nothing else to edit.

A plug-in is a function that a module lists in its `__all__`. It is found by the function's name in
any file of the folder, or through an entry point of another package.
"""

import pkgutil
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import entry_points
from types import ModuleType
from typing import Any

from vivant.errors import UnknownNameError

__all__ = ["discover", "find"]


def discover(package: str) -> dict[str, Callable[..., Any]]:
    """The plug-ins of a package, or of a single module, by name, in alphabetical order.

    Args:
        package: Dotted name, such as `vivant.networks.backbones`. Other packages add to it through
            the entry-point group of the same name, but never replace one of ours.

    Raises:
        ImportError: a file of the folder does not import.
    """
    found = import_module(package)
    modules = [found]
    if hasattr(found, "__path__"):
        modules += [
            import_module(f"{package}.{module.name}")
            for module in pkgutil.iter_modules(found.__path__)
        ]
    foreign = {entry.name: entry.load() for entry in entry_points(group=package)}
    own = {name: plugin for module in modules for name, plugin in _offered(module).items()}
    return dict(sorted((foreign | own).items()))


def find(package: str, name: str, kind: str) -> Callable[..., Any]:
    """The plug-in of that name.

    Args:
        package: As for `discover`.
        name: Name of the plug-in.
        kind: What to call it in the error: "backbone", "model".

    Raises:
        UnknownNameError: none has that name; the message lists the known ones and the nearest.
    """
    plugins = discover(package)
    if name not in plugins:
        raise UnknownNameError(kind, name, plugins)
    return plugins[name]


def _offered(module: ModuleType) -> dict[str, Callable[..., Any]]:
    """Functions, not classes, that the module lists in `__all__`."""
    names = getattr(module, "__all__", ())
    return {n: getattr(module, n) for n in names if not isinstance(getattr(module, n), type)}
