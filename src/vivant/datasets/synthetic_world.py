"""The fixed things of the synthetic benchmark: cameras, rooms with their light, prints, screens.

What is not fixed here is drawn for each video from the ranges of the records themselves.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vivant.attacks.camera import Camera
from vivant.attacks.light import Light

__all__: list[str] = []


@dataclass(frozen=True, slots=True)
class Session:
    """A place: in each video of a subject the same room, from about the same side lit."""

    rooms: tuple[str, ...]
    """Of `attacks.rooms`: each subject has one of them."""
    light: Light
    """The mean one; each video's differs a little."""


@dataclass(frozen=True, slots=True)
class World:
    """Of one layout."""

    cameras: Mapping[str, Camera]
    sessions: Mapping[str, Session]
    instruments: Mapping[str, Mapping[str, Any]]
    """Of each print and screen, the fields of its look that are its own; SiW's prints by paper."""


# Six phones as unlike as front cameras are, and SiW's two sensors: a good camera and a webcam.
_COLUMNS = (
    "defocus_px", "aperture", "shot_noise", "read_noise", "exposure", "exposure_speed", "red",
    "blue", "vignetting", "contrast", "sharpening", "crf",
)  # fmt: skip
_NUMBERS = {
    "phone_1": (0.45, 0.70, 0.014, 0.0020, 0.20, 0.10, 1.00, 1.00, 0.12, 0.20, 0.30, 19),
    "phone_2": (0.60, 0.85, 0.020, 0.0030, 0.22, 0.06, 1.05, 0.94, 0.20, 0.30, 0.50, 21),
    "phone_3": (0.35, 0.60, 0.010, 0.0015, 0.18, 0.15, 0.96, 1.05, 0.08, 0.10, 0.10, 18),
    "phone_4": (0.80, 0.90, 0.026, 0.0045, 0.21, 0.04, 1.02, 0.90, 0.30, 0.40, 0.60, 23),
    "phone_5": (0.50, 0.55, 0.016, 0.0025, 0.24, 0.20, 0.93, 1.08, 0.16, 0.05, 0.70, 20),
    "phone_6": (0.70, 0.75, 0.012, 0.0018, 0.19, 0.08, 1.08, 0.97, 0.25, 0.45, 0.20, 22),
    "sensor_1": (0.35, 0.60, 0.008, 0.0012, 0.20, 0.10, 1.00, 1.00, 0.10, 0.25, 0.30, 18),
    "sensor_2": (0.65, 0.85, 0.022, 0.0035, 0.21, 0.08, 1.04, 0.94, 0.20, 0.35, 0.50, 22),
}


def _cameras(kind: str) -> dict[str, Camera]:
    found: dict[str, Camera] = {}
    for name, numbers in _NUMBERS.items():
        if name.startswith(kind):
            fields: dict[str, Any] = dict(zip(_COLUMNS, numbers, strict=True))
            found[name] = Camera(**fields)
    return found


OULU_NPU = World(
    _cameras("phone"),
    {
        "session_1": Session(("wall", "office"), Light(1.0, 1.0, 1.0, 0.25, 15.0, 35.0)),
        "session_2": Session(
            ("window", "curtain", "plants"), Light(0.8, 1.12, 0.85, 0.5, -45.0, 15.0)
        ),
        "session_3": Session(
            ("bricks", "shelf", "panelling"), Light(0.5, 0.95, 1.1, 0.4, 35.0, 45.0)
        ),
    },
    {
        # Two printers as far apart as the owner's: dots in rows on coated paper, strewn on plain.
        "print_1": {"screen": "halftone", "dot_strength": 0.75, "lines_per_inch": 100.0,
                    "gloss": 0.07, "polish": 40.0, "gamma": 1.3, "saturation": 1.0,
                    "warmth": 0.02, "fibres": 0.008, "ink_blur_mm": 0.08},
        "print_2": {"screen": "dither", "dot_strength": 0.9, "dots_per_inch": 300.0,
                    "gloss": 0.015, "polish": 12.0, "gamma": 1.2, "saturation": 1.0,
                    "warmth": -0.015, "fibres": 0.024, "ink_blur_mm": 0.15},
        # A monitor of 1280x1024 on 19 inches, and a notebook's of 227 pixels per inch.
        "replay_1": {"ppi": 92.0, "gamma": 1.1, "black": 0.012, "coolness": 0.03, "falloff": 2.2,
                     "reflection": 0.03, "bezel_cm": 1.6, "grip": "unseen"},
        "replay_2": {"ppi": 227.0, "gamma": 1.0, "black": 0.006, "coolness": 0.01, "falloff": 0.6,
                     "reflection": 0.07, "bezel_cm": 1.0, "grip": "unseen"},
    },
)  # fmt: skip

SIW = World(
    _cameras("sensor"),
    {
        "light_1": Session(
            ("wall", "office", "shelf", "curtain"), Light(1.0, 1.0, 1.0, 0.25, 10.0, 30.0)
        ),
        "light_2": Session(
            ("window", "bricks", "plants", "panelling"), Light(0.5, 1.1, 0.85, 0.7, -55.0, 10.0)
        ),
    },
    {
        "print_glossy": {**OULU_NPU.instruments["print_1"], "gloss": 0.09, "polish": 80.0},
        "print_matt": OULU_NPU.instruments["print_2"],
        # A tablet, two phones (a liquid crystal and pixels that shine themselves), a monitor.
        "replay_1": {"ppi": 264.0, "picture_cm": 15.5, "black": 0.008, "gamma": 1.05,
                     "coolness": 0.0, "reflection": 0.09, "bezel_cm": 0.8, "grip": "thumbs"},
        "replay_2": {"ppi": 280.0, "picture_cm": 12.0, "black": 0.012, "gamma": 1.0,
                     "coolness": 0.02, "reflection": 0.07, "bezel_cm": 0.4, "grip": "thumbs"},
        "replay_3": {"ppi": 290.0, "picture_cm": 11.0, "black": 0.002, "gamma": 1.2,
                     "coolness": -0.05, "reflection": 0.08, "bezel_cm": 0.25, "grip": "thumbs"},
        "replay_4": {"ppi": 100.0, "picture_cm": 26.0, "black": 0.025, "gamma": 1.15,
                     "coolness": 0.02, "reflection": 0.03, "bezel_cm": 1.8, "grip": "unseen"},
    },
)  # fmt: skip

WORLDS = {"oulu-npu": OULU_NPU, "siw": SIW}
