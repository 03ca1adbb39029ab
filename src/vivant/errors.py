"""The errors of `vivant`: each is the caller's mistake, and says what to do.

VivantError
├── ConfigError        a configuration that contradicts itself
├── InputError         crops or clips of the wrong shape, type, range or device
├── UnknownNameError   a backbone, model or runtime that does not exist
├── WeightsError       a file of weights that does not fit the network
├── CardError          a model card that is damaged, or does not fit its weights
├── ProfileError       a deployment profile that is damaged, or is another model's
├── OutputError        a file that cannot be written
├── ParityError        an exported graph that does not answer like its network
├── TrainingError      a training that cannot start, go on, or be trusted any further
├── DataError          a data set's folder, list or split that is not what it should be
├── ClusterError       a cluster that cannot be reached, has no room, or does not get on
├── MediaError         a file, folder or camera that gives no frames; says which `Refusal` it is
└── MissingExtraError  the command needs an optional part of the package

Our own mistakes are `assert`s.
"""

from collections.abc import Iterable
from difflib import get_close_matches
from enum import StrEnum

__all__ = [
    "CardError",
    "ClusterError",
    "ConfigError",
    "DataError",
    "InputError",
    "MediaError",
    "MissingExtraError",
    "OutputError",
    "ParityError",
    "ProfileError",
    "Refusal",
    "TrainingError",
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


class ProfileError(VivantError, ValueError):
    """A deployment profile is damaged, or was fitted to another model's scores."""


class OutputError(VivantError, OSError):
    """A file cannot be written."""


class ParityError(VivantError):
    """An exported graph does not answer like the network it was made from."""


class Refusal(StrEnum):
    """Why media are refused: there is an error and no verdict. Programs read these codes."""

    EMPTY_INPUT = "EMPTY_INPUT"
    """No bytes, or a folder without pictures."""
    NOT_A_FILE = "NOT_A_FILE"
    """No such file, or a pipe, socket or device."""
    UNSUPPORTED_FORMAT = "UNSUPPORTED_FORMAT"
    """A container, codec or kind of picture that is not read."""
    CORRUPT_MEDIA = "CORRUPT_MEDIA"
    """Damaged beyond use."""
    NO_VIDEO_STREAM = "NO_VIDEO_STREAM"
    """A container without a picture track, such as sound alone."""
    TOO_SMALL = "TOO_SMALL"
    """Frames of too few pixels."""
    TOO_MANY_PIXELS = "TOO_MANY_PIXELS"
    """Frames of too many pixels."""
    TOO_MANY_FRAMES = "TOO_MANY_FRAMES"
    """More frames, or more frames times pixels, than are read."""
    TOO_MANY_STREAMS = "TOO_MANY_STREAMS"
    """More tracks than are read."""
    TOO_LONG = "TOO_LONG"
    """Lasts longer than is read."""
    TOO_LARGE = "TOO_LARGE"
    """More bytes than are read."""
    RESOLUTION_CHANGED = "RESOLUTION_CHANGED"
    """The frames do not all have one size."""
    ANIMATED_IMAGE = "ANIMATED_IMAGE"
    """A picture that moves: neither a still nor a video."""
    TIMEOUT = "TIMEOUT"
    """Not decoded in time. The media may be sound: try again."""
    RESOURCE_LIMIT = "RESOURCE_LIMIT"
    """Ran out of the memory or processor time allowed. The media may be sound: try again."""


class DataError(VivantError, ValueError):
    """A data set's folder, list or split is not what it should be."""


class MediaError(VivantError, ValueError):
    """A file, folder or camera gives no frames.

    Attributes:
        code: The kind of refusal.
    """

    def __init__(self, code: Refusal, message: str) -> None:
        super().__init__(message)
        self.code = code


class ClusterError(VivantError):
    """A cluster cannot be reached, has no room for the work, or does not get on with it."""


class TrainingError(VivantError):
    """A training cannot start or go on as asked, or a loss is not a number any more."""


class MissingExtraError(VivantError, ImportError):
    """The command needs an optional part of the package.

    >>> str(MissingExtraError("torch", "train"))
    "this needs torch, which is not installed: pip install 'vivant[train]'"
    """

    def __init__(self, module: str, extra: str) -> None:
        super().__init__(
            f"this needs {module}, which is not installed: pip install 'vivant[{extra}]'"
        )
