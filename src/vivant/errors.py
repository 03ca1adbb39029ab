"""The errors of `vivant`: each is the caller's mistake, and says what to do.

VivantError
├── ConfigError        a configuration that contradicts itself
├── InputError         crops or clips of the wrong shape, type, range or device
├── UnknownNameError   a backbone, model or runtime that does not exist
├── WeightsError       a file of weights that does not fit the network
├── CardError          a model card that is damaged, or does not fit its weights
├── OutputError        a file that cannot be written
├── ParityError        an exported graph that does not answer like its network
└── MissingExtraError  the command needs an optional part of the package

Our own mistakes are `assert`s.
"""

from collections.abc import Iterable
from difflib import get_close_matches

__all__ = [
    "CardError",
    "ConfigError",
    "InputError",
    "MissingExtraError",
    "OutputError",
    "ParityError",
    "UnknownNameError",
    "VivantError",
    "WeightsError",
]


class VivantError(Exception):
    """Any mistake of the caller. The message says what was expected, given, and what to do."""


class ConfigError(VivantError, ValueError):
    """A configuration contradicts itself or cannot be built."""


class InputError(VivantError, ValueError):
    """Crops or clips have the wrong shape, type, range or device."""


class UnknownNameError(VivantError, LookupError):
    """A name that nothing answers to. The message lists the known names and the nearest.

    >>> str(UnknownNameError("backbone", "resnet19", ["resnet18", "resnet34"]))
    "no backbone is called 'resnet19': did you mean 'resnet18'? Known: resnet18, resnet34"
    """

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        names = sorted(known)
        near = get_close_matches(name, names, n=1)
        hint = f": did you mean {near[0]!r}? " if near else ". "
        super().__init__(f"no {kind} is called {name!r}{hint}Known: {', '.join(names)}")


class WeightsError(VivantError, ValueError):
    """A file of weights is damaged or does not fit the network."""


class CardError(VivantError, ValueError):
    """A model card is damaged, or contradicts the weights beside it."""


class OutputError(VivantError, OSError):
    """A file cannot be written."""


class ParityError(VivantError):
    """An exported graph does not answer like the network it was made from."""


class MissingExtraError(VivantError, ImportError):
    """The command needs an optional part of the package.

    >>> str(MissingExtraError("torch", "train"))
    "this needs torch, which is not installed: pip install 'vivant[train]'"
    """

    def __init__(self, module: str, extra: str) -> None:
        super().__init__(
            f"this needs {module}, which is not installed: pip install 'vivant[{extra}]'"
        )
