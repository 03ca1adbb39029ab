"""What one synthetic person looks like, in numbers.

Skin runs over the whole range of people's by its individual typology angle (ITA; Chardon et al.
1991), drawn evenly from 58 degrees (very light, about Fitzpatrick I) over 28 (III), 10 (IV) and
-30 (V) to -60 (dark, VI). Evenly over the range, not as often as in any population.
"""

from dataclasses import dataclass, replace

import cv2
import numpy as np
from jaxtyping import Float

from vivant.attacks.ranges import draw, one_of, ranged

__all__ = ["HAIR_COLOURS", "HAIR_STYLES", "Traits", "draw_traits", "hair_light", "skin_light"]

HAIR_STYLES = ("bob", "long", "short", "cropped", "bald")
HAIR_COLOURS = ("black", "dark brown", "brown", "red", "dark blond", "blond", "grey", "white")
# Light that hair gives back, linear RGB: estimates, not measured.
_HAIR = (
    (0.012, 0.010, 0.009),
    (0.030, 0.018, 0.012),
    (0.075, 0.042, 0.024),
    (0.160, 0.055, 0.022),
    (0.190, 0.125, 0.065),
    (0.360, 0.260, 0.140),
    (0.230, 0.220, 0.210),
    (0.500, 0.490, 0.470),
)


@dataclass(frozen=True, slots=True)
class Traits:
    """One person. Where no unit is said, 0 is as in the portrait."""

    mirrored: str = one_of("no", "yes")
    """Whether the portrait's left and right are exchanged."""
    head_width: float = ranged(1.0, 0.91, 1.07)
    """Of the whole head, as a multiple of the portrait's."""
    head_height: float = ranged(1.0, 0.95, 1.06)
    head_size: float = ranged(1.0, 0.94, 1.08)
    """Of the head on its shoulders, as a multiple of the mean's."""
    relief: float = ranged(1.0, 0.9, 1.15)
    """Depth of the face as a multiple of the portrait's."""
    jaw: float = ranged(0.0, -1.0, 1.0)
    """Wide is positive."""
    cheeks: float = ranged(0.0, -1.0, 1.0)
    chin: float = ranged(0.0, -1.0, 1.0)
    """Long is positive."""
    forehead: float = ranged(0.0, -1.0, 1.0)
    """High is positive."""
    nose_width: float = ranged(0.0, -1.0, 1.0)
    nose_length: float = ranged(0.0, -1.0, 1.0)
    eye_distance: float = ranged(0.0, -1.0, 1.0)
    eye_size: float = ranged(0.0, -1.0, 1.0)
    brow_height: float = ranged(0.0, -1.0, 1.0)
    mouth_width: float = ranged(0.0, -1.0, 1.0)
    lips: float = ranged(0.0, -1.0, 1.0)
    """Full is positive."""
    smile: float = ranged(1.0, 0.0, 1.0)
    """0 closed lips, 1 as in the portrait, with teeth."""
    skin_ita_deg: float = ranged(58.0, -60.0, 58.0)
    """Individual typology angle: light is high."""
    pores: float = ranged(0.0, 0.03, 0.07)
    """Standard deviation of the skin's fine unevenness, as a share of its light."""
    blotches: float = ranged(0.0, 0.01, 0.05)
    """The same of its coarse unevenness."""
    freckles: int = ranged(0, 40, 160)
    moles: int = ranged(0, 0, 4)
    lip_red: float = ranged(0.0, 0.0, 0.8)
    """0..1."""
    hair_style: str = one_of(*HAIR_STYLES)
    hair_colour: str = one_of(*HAIR_COLOURS)
    hair_light: float = ranged(1.0, 0.8, 1.25, log=True)
    """Of the hair, as a multiple of its colour's."""
    brows: float = ranged(0.0, 0.1, 1.0)
    """0 none drawn over the portrait's, 1 thick and dark."""
    beard: float = ranged(0.0, 0.15, 1.0)
    """0 none, 1 full; below 0.5 stubble."""
    glasses: str = one_of("none", "round", "square")
    glasses_light: float = ranged(0.01, 0.005, 0.15, log=True)
    """Of the frame, 0..1."""
    pattern: str = one_of("plain", "stripes", "bars", "checks")
    """Of the shirt."""
    collar: str = one_of("crew", "v", "shirt", "turtle")
    shirt_hue_deg: float = ranged(0.0, 0.0, 360.0)
    shirt_saturation: float = ranged(0.0, 0.0, 0.75)
    shirt_value: float = ranged(0.5, 0.15, 0.95)
    seed: int = ranged(0, 0, 2**31 - 1)
    """Of what has no name: strands, freckles' places, folds."""


def draw_traits(generator: np.random.Generator) -> Traits:
    """Somebody: numbers of their ranges, and what does not go together left out.

    Args:
        generator: The same one, in the same state, draws the same person.
    """
    drawn = draw(Traits, generator)
    chance = generator.uniform(size=5)
    can_have_beard = drawn.hair_style not in ("bob", "long") and chance[0] < 0.55
    can_be_blond = drawn.skin_ita_deg > 20
    dark = HAIR_COLOURS[int(3 * chance[4])]
    return replace(
        drawn,
        smile=drawn.smile if chance[1] < 0.4 else 0.0,
        beard=drawn.beard if can_have_beard else 0.0,
        freckles=drawn.freckles if drawn.skin_ita_deg > 25 and chance[2] < 0.35 else 0,
        glasses=drawn.glasses if chance[3] < 0.45 else "none",
        hair_colour=drawn.hair_colour
        if can_be_blond or drawn.hair_colour in ("grey", "white")
        else dark,
    )


def hair_light(colour: str) -> Float[np.ndarray, " 3"]:
    """Light that hair of a colour gives back: linear RGB, 0..1.

    Args:
        colour: One of `HAIR_COLOURS`.
    """
    return np.array(_HAIR[HAIR_COLOURS.index(colour)])


def skin_light(ita_deg: float) -> Float[np.ndarray, " 3"]:
    """Light that skin of this typology angle gives back: linear RGB, 0..1.

    ITA = atan((L - 50) / b) in CIELAB. Given b and a, L follows. Yellow (b) is 17 at most, in the
    middle of the range, and red (a) 8 to 11: about the middles of what is measured on people.

    Args:
        ita_deg: -60..60.
    """
    middle = 1 - ((ita_deg - 15) / 75) ** 2
    b = 10 + 7 * middle
    a = 8 + 3 * middle
    lightness = 50 + b * np.tan(np.radians(ita_deg))
    lab = np.array([[[lightness, a, b]]], np.float32)
    return np.asarray(cv2.cvtColor(lab, cv2.COLOR_LAB2LRGB)[0, 0].astype(np.float64))
