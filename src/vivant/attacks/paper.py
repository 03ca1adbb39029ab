"""A print: ink on paper, held before a camera."""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, Float32, UInt8

from vivant.attacks.camera import Camera, to_light
from vivant.attacks.gratings import seen_wave
from vivant.attacks.hand import Hands
from vivant.attacks.pose import Pose
from vivant.attacks.ranges import one_of, ranged
from vivant.attacks.recapture import Bend, Lens, Places, Sheet, light_up, locate, project

__all__ = ["Paper", "PaperLook"]

_FINER = 1.25  # Pixels of the sheet for one of the frame, so that edges are sharp.
_MAX_SIDE_PX = 1600  # Of a sheet: one that reaches far beyond the frame is coarser.
_ANGLES_DEG = (15.0, 75.0, 45.0)  # Of the dots of the three inks, as printers turn them.
# The first wave of round dots that cover half of the paper: 2 r J1(2 pi r) at pi r^2 = 1/2.
_DOTS = 0.4
_MIDDLE = 0.2  # Light of mean skin: who prints a face sees to it that it gets not too dark.
_RIM = 0.3  # How white the edge of cut paper is, a pixel wide.
_AMBIENT = 0.55  # Share of the light on the sheet that comes from everywhere.


@dataclass(frozen=True, slots=True)
class PaperLook:
    """A colour print on plain or coated paper, and how it is held."""

    picture_cm: float = ranged(18.0, 9.0, 28.0, log=True)
    """Width of what is printed."""
    margin: float = ranged(0.04, 0.0, 0.08)
    """White border, as a share of the picture's width."""
    screen: str = one_of("halftone", "dither")
    """How tones are made of ink: dots in rows, larger where it is darker, or strewn dots."""
    lines_per_inch: float = ranged(85.0, 60.0, 200.0, log=True)
    """Rows of halftone dots of one ink: a newspaper has 65 to 100, a magazine 133 and more."""
    dots_per_inch: float = ranged(300.0, 130.0, 600.0, log=True)
    """Strewn dots of one ink: what the printer sets."""
    dot_strength: float = ranged(0.7, 0.4, 1.0)
    """Of the dots against sharp ones of full ink, 0..1: ink runs, and light spreads in paper."""
    ink_blur_mm: float = ranged(0.12, 0.05, 0.25, log=True)
    """How far the picture's edges run: standard deviation."""
    blackest: float = ranged(0.015, 0.006, 0.03)
    """Light that the darkest print gives back, 0..1."""
    whitest: float = ranged(0.85, 0.78, 0.92)
    """Light that the bare paper gives back, 0..1."""
    gamma: float = ranged(1.3, 1.0, 1.6)
    """Exponent of the print's light against the picture's: above 1 is contrastier. Skin's light
    stays."""
    saturation: float = ranged(1.0, 0.8, 1.2)
    """Of the inks: 1 is that of the picture."""
    warmth: float = ranged(0.0, -0.06, 0.08)
    """Of the paper: share of red that it gives back more, and of blue that it gives back less."""
    fibres: float = ranged(0.02, 0.005, 0.03)
    """Unevenness of the paper: standard deviation, as a share of its light."""
    streaks: float = ranged(0.01, 0.0, 0.02)
    """Of the printer's head: standard deviation from row to row, as a share of the light."""
    gloss: float = ranged(0.06, 0.0, 0.2)
    """Light of a lamp that the paper mirrors at most, 0..1."""
    polish: float = ranged(20.0, 12.0, 120.0, log=True)
    """Exponent of the mirrored lamp: the higher, the smaller its spot."""
    bend_deg: float = ranged(0.0, -45.0, 60.0)
    """By which the sheet's sides are turned to each other."""
    bend_axis_deg: float = ranged(0.0, -30.0, 30.0)
    """By which the axis of the bend is turned from upright."""
    grip: str = one_of("thumbs", "unseen")
    """Whether the hands that hold it are seen."""


class Paper:
    """A printed sheet before a camera.

    Args:
        picture: What is printed, RGB, 0..255.
        scale: How many pixels of the frame one of the picture has, about: decides how finely the
            sheet is drawn.
        look: Of the print.
        generator: Draws paper and the lamp's place.
        holes: Where it is cut out, 0..1, in pixels of the picture; None: nowhere.
    """

    def __init__(
        self,
        picture: UInt8[np.ndarray, "height width 3"],
        scale: float,
        look: PaperLook,
        generator: np.random.Generator,
        holes: Float32[np.ndarray, "height width"] | None = None,
    ) -> None:
        height, width, _ = picture.shape
        self.look = look
        self.bend = Bend(look.bend_deg, look.bend_axis_deg)
        self.density = min(_FINER * scale, _MAX_SIDE_PX / max(width, height))
        """Pixels of the sheet for one of the picture."""
        size = (round(self.density * width), round(self.density * height))
        per_inch = look.lines_per_inch if look.screen == "halftone" else look.dots_per_inch
        self._dot_px = 2.54 / per_inch * size[0] / look.picture_cm
        """Distance of the dots, in pixels of the sheet."""
        margin = round(look.margin * size[0])
        printed = _print(picture, size, margin, self._dot_px, look, generator)
        inked = np.zeros(printed.shape[:2], np.float32)
        inked[margin : margin + size[1], margin : margin + size[0]] = 1
        light = np.dstack([printed, np.ones_like(inked)])
        if holes is not None:
            cut = cv2.resize(holes, size, interpolation=cv2.INTER_LINEAR)
            light = _cut_out(light, np.pad(np.asarray(cut, np.float32), margin))
        self._sheet = Sheet(light, self.density)
        self._inked = inked
        lamp = generator.uniform([-0.5, -0.7, -1], [0.5, -0.1, -1])
        self._lamp: Float[np.ndarray, " 3"] = lamp / np.linalg.norm(lamp)

    def hands(self, scale: float, lens: Lens, generator: np.random.Generator) -> Hands | None:
        """Those that hold it, where the look has them."""
        if self.look.grip != "thumbs":
            return None
        rows, columns, _ = self._sheet.light.shape
        size = (columns / self.density, rows / self.density)
        width_cm = self.look.picture_cm * (1 + 2 * self.look.margin)
        return Hands(size, scale, width_cm, 0.07, lens, generator)

    def seen(
        self, pose: Pose, lens: Lens, camera: Camera
    ) -> tuple[Places, Float32[np.ndarray, "height width 4"]] | None:
        """The sheet as a part of the frame sees it; None where no part does.

        Args:
            pose: Of the sheet; at scale 1 a pixel of the picture is one of the frame.
            lens: The camera's, and the frame's size.
            camera: What it leaves of the dots.

        Returns:
            Where the part is, and linear RGB times cover, and cover.
        """
        size = (self._sheet.light.shape[1], self._sheet.light.shape[0])
        places = locate(pose, size, self.density, lens, self.bend)
        if places is None:
            return None
        seen = project(self._sheet, places)
        if self.look.screen == "halftone":
            self._add_dots(seen, places, camera)
        facing = np.clip(places.normals @ self._lamp, 0, 1)
        usual = float(-self._lamp[2])  # Of a flat sheet that faces the camera.
        spot = np.clip(places.mirrored() @ self._lamp, 0, 1) ** self.look.polish
        light_up(
            seen,
            places.spread(_AMBIENT + (1 - _AMBIENT) * facing / usual),
            places.spread(self.look.gloss * spot),
        )
        return places, seen

    def _add_dots(
        self, seen: Float32[np.ndarray, "height width 4"], places: Places, camera: Camera
    ) -> None:
        """Dots instead of tones: strongest half-way between paper and full ink."""
        look = self.look
        inked: Float32[np.ndarray, "height width"] | None = None
        for channel, angle in enumerate(np.radians(_ANGLES_DEG).tolist()):
            along = np.array([np.cos(angle), np.sin(angle)]) / self._dot_px
            waves = [
                seen_wave(places, (float(x), float(y)), _DOTS * look.dot_strength, camera)
                for x, y in (along, (-along[1], along[0]))
            ]
            cosines = [wave[0] for wave in waves if wave is not None]
            if not cosines:
                continue
            if inked is None:
                inked = np.asarray(
                    cv2.remap(self._inked, places.columns, places.rows, cv2.INTER_LINEAR),
                    np.float32,
                )
            contrast = np.float32(look.whitest - look.blackest)
            tone = np.clip((seen[..., channel] - np.float32(look.blackest)) / contrast, 0, 1)
            seen[..., channel] += contrast * 4 * tone * (1 - tone) * sum(cosines) * inked


def _print(
    picture: UInt8[np.ndarray, "height width 3"],
    size: tuple[int, int],
    margin: int,
    dot_px: float,
    look: PaperLook,
    generator: np.random.Generator,
) -> Float32[np.ndarray, "rows columns 3"]:
    """The light that the printed sheet gives back."""
    shrinks = size[0] < picture.shape[1]
    large = cv2.resize(picture, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)
    blur_px = max(look.ink_blur_mm / 10 * size[0] / look.picture_cm, 0.3)
    tone = np.asarray(
        cv2.GaussianBlur(to_light(np.asarray(large, np.uint8)), (0, 0), blur_px), np.float32
    )
    grey = tone @ np.array([0.2126, 0.7152, 0.0722], np.float32)
    tone = grey[..., None] + np.float32(look.saturation) * (tone - grey[..., None])
    tone = np.maximum(tone, 0) ** np.float32(look.gamma)
    tone = np.minimum(tone * np.float32(_MIDDLE ** (1 - look.gamma)), 1)
    if look.screen == "dither":
        # So many dots to a pixel leave so much unevenness; a printer spreads them evenly (less).
        noise = generator.standard_normal(tone.shape, np.float32)
        noise -= cv2.GaussianBlur(noise, (0, 0), 1.5)
        spread = 0.3 * look.dot_strength * min(dot_px, 1.0)
        tone += np.float32(spread) * np.sqrt(tone * (1 - tone)) * noise
    paper = np.pad(tone, ((margin, margin), (margin, margin), (0, 0)), constant_values=1)
    paper = look.blackest + (look.whitest - look.blackest) * np.clip(paper, 0, 1)
    rows, columns = paper.shape[:2]
    fibres = cv2.GaussianBlur(generator.standard_normal((rows, columns), np.float32), (0, 0), 1.0)
    uneven = 1 + look.fibres / float(fibres.std()) * fibres
    uneven += np.float32(look.streaks) * generator.standard_normal((rows, 1), np.float32)
    tint = np.array([1 + look.warmth, 1, 1 - look.warmth])
    return np.asarray(paper * uneven[..., None] * tint, np.float32)


def _cut_out(
    light: Float32[np.ndarray, "rows columns 4"], cut: Float32[np.ndarray, "rows columns"]
) -> Float32[np.ndarray, "rows columns 4"]:
    """Holes in the sheet, their lower rims white where the paper's thickness is seen."""
    below = cv2.warpAffine(cut, np.array([[1.0, 0, 0], [0, 1, 1]]), cut.shape[::-1])
    rim = np.clip(below - cut, 0, 1)
    light = light.copy()
    light[..., :3] += (_RIM * rim)[..., None] * (1 - light[..., :3])
    return np.asarray(light * (1 - cut)[..., None], np.float32)
