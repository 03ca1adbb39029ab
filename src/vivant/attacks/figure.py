"""A synthetic person as a picture of light on nothing: the portrait recoloured and reshaped."""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, Float32

from vivant.attacks.portrait import SIDE, Portrait, polygon, portrait
from vivant.attacks.relief import face_mask
from vivant.attacks.shape import LEFT_EYE, LIPS, MOUTH, RIGHT_EYE, field, reshape
from vivant.attacks.traits import Traits, hair_light, skin_light
from vivant.attacks.wardrobe import glasses, grain, torso

__all__ = ["Figure", "figure"]

_WIDTH, _HEIGHT = 640, 760
"""Of the sheet on which a person is drawn, in the portrait's pixels."""
_SIZE = (_WIDTH, _HEIGHT)
_TOP = 60  # Of the portrait on the sheet; across, the ears' middle is in the sheet's.
_EARS, _FOREHEAD, _CHIN = [234, 454], 10, 152
_LEFT_BROW = [70, 63, 105, 66, 107, 55, 65, 52, 53, 46]
_RIGHT_BROW = [300, 293, 334, 296, 336, 285, 295, 282, 283, 276]
_GRID = 4  # Pixels between two places at which a change of shape is computed.
_ROUNDS = 5  # Of the search for where a pixel comes from.

Mask = Float32[np.ndarray, "760 640"]
Light = Float32[np.ndarray, "760 640 3"]


@dataclass(frozen=True, slots=True, eq=False)
class Figure:
    """A person looking straight ahead, lit evenly."""

    light: Float32[np.ndarray, "height width 4"]
    """Linear RGB times cover, and cover 0..1. Of white paper it would be 1."""
    skin: Float32[np.ndarray, "height width"]
    """How much of each pixel is skin, which shines a little, 0..1."""
    points: Float[np.ndarray, "468 3"]
    """The face's mesh in pixels, z in the same unit, smaller is nearer."""


def figure(traits: Traits, size: tuple[int, int], face_px: float) -> Figure:
    """Somebody, drawn.

    Args:
        traits: Who.
        size: (width, height) of the picture in pixels; the ears' middle comes to its middle, at
            0.42 of its height.
        face_px: Width of the mean face's mesh. `Traits.head_size` and `head_width` change it.
    """
    generator = np.random.default_rng(traits.seed)
    source = portrait(traits.mirrored == "yes")
    points = source.points.copy()
    shift = np.array([_WIDTH / 2 - points[_EARS, 0].mean(), _TOP, 0.0])
    points += shift
    skin_colour = skin_light(traits.skin_ita_deg)
    sheet = _Sheet(source, points, shift, traits, generator)
    head, skin = sheet.head(skin_colour)
    body = torso(points, traits, skin_colour, _SIZE, generator)
    if traits.hair_style == "long":
        body = _over(body, sheet.back_hair())
    drawn = _over(head, body)
    return _warped(drawn, skin, points, traits, size, face_px)


class _Sheet:
    """What the parts of a head are drawn from."""

    def __init__(
        self,
        source: Portrait,
        points: Float[np.ndarray, "468 3"],
        shift: Float[np.ndarray, " 3"],
        traits: Traits,
        generator: np.random.Generator,
    ) -> None:
        move = np.array([[1, 0, shift[0]], [0, 1, shift[1]]])

        def placed(values: Float32[np.ndarray, "512 512 *n"]) -> Float32[np.ndarray, "760 640 *n"]:
            return np.asarray(
                cv2.warpAffine(values, move, _SIZE, borderMode=cv2.BORDER_CONSTANT), np.float32
            )

        self.light = placed(source.light)
        self.cover = placed(source.cover)
        self.skin = placed(source.skin)
        self.points, self.traits, self.generator = points, traits, generator
        solid = (source.skin > 0.95) & (source.cover > 0.95)
        self.portrait_skin = np.median(source.light[solid], axis=0)
        self.face = float(np.ptp(points[:, 0]))
        self.middle = float(points[_EARS, 0].mean())
        self.eyes = float(points[[33, 263], 1].mean())
        self.x, self.y = np.meshgrid(
            np.arange(_WIDTH, dtype=np.float32), np.arange(_HEIGHT, dtype=np.float32)
        )

    def head(
        self, skin_colour: Float[np.ndarray, " 3"]
    ) -> tuple[Float32[np.ndarray, "760 640 4"], Mask]:
        """Linear RGB times cover, and cover; and how much of each pixel is skin."""
        light = self._skin(skin_colour)
        hair = self._hair_detail()[..., None] * hair_light(self.traits.hair_colour)
        hair = (hair * self.traits.hair_light).astype(np.float32)
        if self.traits.hair_style in ("bob", "long"):
            share, cover = 1 - self.skin, self.cover
        else:
            light, share, cover = self._bare(light, skin_colour)
        light = light + share[..., None] * (hair - light)
        light = self._brows_and_beard(light, hair)
        if self.traits.glasses != "none":
            frame = glasses(self.points, self.traits.glasses, _SIZE)[..., None]
            light = light + frame * (np.float32(self.traits.glasses_light) - light)
        skin = np.clip(1 - share, 0, 1) * cover
        return np.dstack([light * cover[..., None], cover]).astype(np.float32), skin

    def back_hair(self) -> Float32[np.ndarray, "760 640 4"]:
        """Long hair, behind neck and shoulders."""
        across = (self.x - self.middle) / self.face
        down = (self.y - self.eyes) / self.face
        half = 0.72 + 0.1 * np.sin(3 * down + self.traits.seed % 7) * np.clip(down, 0, 1)
        end = (
            1.15
            + 0.25 * (self.traits.seed % 5) / 4
            + 0.05 * grain(_SIZE, (3.0, 40.0), self.generator)
        )
        cover = np.clip((half - np.abs(across)) * self.face / 3, 0, 1)
        cover *= np.clip((end - down) * self.face / 4, 0, 1) * (down > -0.3)
        strands = np.exp(0.35 * grain(_SIZE, (1.2, 40.0), self.generator))
        # Under the head and in its own shadow it is darker.
        strands *= 0.35 + 0.4 * np.clip(np.abs(across) / 0.7, 0, 1)
        light = strands[..., None] * hair_light(self.traits.hair_colour) * self.traits.hair_light
        return np.dstack([light * cover[..., None], cover]).astype(np.float32)

    def _skin(self, colour: Float[np.ndarray, " 3"]) -> Light:
        """The portrait with skin of another colour, and what lies on skin."""
        ratio = colour / self.portrait_skin
        light = self.light * ratio.astype(np.float32)
        rng, traits = self.generator, self.traits
        uneven = traits.pores * grain(_SIZE, (0.8, 0.8), rng)
        uneven += traits.blotches * grain(_SIZE, (10.0, 10.0), rng)
        spots = self._spots()
        light *= np.clip(1 + uneven, 0.3, 1.7)[..., None]
        light *= 1 - spots[..., None] * np.array([0.45, 0.6, 0.7], np.float32)
        outer = polygon(self.points[LIPS, :2], _SIZE, 1.5)
        inner = polygon(self.points[MOUTH, :2], _SIZE, 0.8)
        red = traits.lip_red * np.array([0.05, 0.5, 0.4], np.float32)
        # Lips differ less than skin does from person to person.
        lips = self.light * (ratio**0.8).astype(np.float32) * (1 - red)
        light += (outer * (1 - inner))[..., None] * (lips - light)
        # Whites of eyes and teeth do not follow the skin.
        white = self.light * np.float32(0.8 * float(ratio.mean()) ** 0.25)
        eyes = sum(polygon(self.points[eye, :2], _SIZE, 0.8) for eye in (LEFT_EYE, RIGHT_EYE))
        share = np.clip(eyes + inner, 0, 1)[..., None]
        return np.asarray(light + share * (white - light), np.float32)

    def _spots(self) -> Mask:
        """Freckles about the nose, moles anywhere on the face."""
        mask = np.zeros((_HEIGHT, _WIDTH), np.float32)
        middle = self.points[:, :2].mean(axis=0)
        for number, spread, radius, dark in (
            (self.traits.freckles, 0.2, (0.8, 1.8), (0.15, 0.5)),
            (self.traits.moles, 0.3, (1.5, 3.5), (0.5, 0.9)),
        ):
            for _ in range(number):
                place = middle + self.generator.normal(0, spread * self.face, 2) * (1, 0.7)
                size = self.generator.uniform(*radius)
                tone = float(self.generator.uniform(*dark))
                at = tuple(np.rint(place * 16).astype(int).tolist())
                cv2.circle(mask, at, round(size * 16), tone, -1, cv2.LINE_AA, 4)
        inside = face_mask(self.points, _WIDTH, _HEIGHT)
        return np.asarray(cv2.GaussianBlur(mask * inside, (0, 0), 0.7), np.float32)

    def _hair_detail(self) -> Mask:
        """Strands: the portrait's where it has hair, drawn ones elsewhere; about 1."""
        drawn = np.exp(0.4 * grain(_SIZE, (0.9, 9.0), self.generator))
        grey = self.light @ np.array([0.2126, 0.7152, 0.0722], np.float32)
        is_hair = np.clip(self.cover * (1 - self.skin) * 1.5 - 0.4, 0, 1)
        mean = float((grey * is_hair).sum() / max(is_hair.sum(), 1))
        if self.traits.hair_style == "cropped":
            return drawn.astype(np.float32)
        return np.asarray(
            drawn + is_hair * ((grey / mean) ** 0.75 * drawn**0.3 - drawn), np.float32
        )

    def _bare(self, light: Light, skin_colour: Float[np.ndarray, " 3"]) -> tuple[Light, Mask, Mask]:
        """A head without the portrait's hair: skull, ears, and short hair or none.

        Returns:
            Light; how much of it is hair; how much is head.
        """
        rng, style = self.generator, self.traits.hair_style
        across = (self.x - self.middle) / self.face
        forehead = float(self.points[_FOREHEAD, 1])
        thick = {"short": 0.12, "cropped": 0.03, "bald": 0.0}[style]
        skull_half = 0.53 + thick
        crown = forehead - (0.24 + thick) * self.face
        level = self.eyes + 0.02 * self.face
        rough = {"short": 0.012, "cropped": 0.006, "bald": 0.0}[style]
        down = (self.y - level) / np.where(self.y < level, level - crown, 0.75 * self.face)
        skull = 1 - np.hypot(across / skull_half, down)
        skull += rough * grain(_SIZE, (2.0, 2.0), rng)
        skull_cover = np.clip(skull * self.face / 2.5, 0, 1)
        skull_cover *= np.clip((self.eyes + 0.3 * self.face - self.y) / 4, 0, 1)
        below = np.clip((self.y - self.eyes - 0.1 * self.face) / 6, 0, 1)
        face = face_mask(self.points, _WIDTH, _HEIGHT).astype(np.float32)
        jaw = cv2.GaussianBlur(cv2.dilate(face, np.ones((5, 5), np.uint8)), (0, 0), 1.5)
        ears, folds = self._ears()
        cover = np.clip(np.maximum.reduce([skull_cover, jaw * self.cover * below, jaw, ears]), 0, 1)

        shade = 1.02 - 0.32 * np.clip(np.abs(across) / 0.55, 0, 1) ** 3
        grained = 1 + self.traits.pores * grain(_SIZE, (0.8, 0.8), rng)
        plain = skin_colour * (shade * grained * (1 - 0.45 * folds))[..., None]
        # The portrait's own skin counts where it is sure, and not beside the fringe's shadow.
        sure = cv2.GaussianBlur(
            cv2.erode(self.skin * self.cover, np.ones((7, 7), np.uint8)), (0, 0), 4.0
        )
        sure *= np.clip((self.y - self.eyes + 0.2 * self.face) / (0.15 * self.face), 0, 1)
        sure *= np.clip((0.52 - np.abs(across)) / 0.12, 0, 1)
        light = plain + sure[..., None] * (light - plain)

        higher = {"short": 0.0, "cropped": 0.04, "bald": 0.06}[style]
        line = forehead + self.face * (0.008 * grain(_SIZE, (3.0, 3.0), rng) - higher)
        middle_y = self.eyes + 0.12 * self.face
        face_part = np.hypot(across / 0.475, (self.y - middle_y) / np.maximum(middle_y - line, 1))
        hair = np.clip((face_part - 1) * 12, 0, 1) * (1 - ears)
        hair *= np.clip((self.eyes + 0.16 * self.face - self.y) / (0.1 * self.face), 0, 1)
        density = {"short": 1.0, "cropped": 0.92, "bald": 0.12}[style]
        strands = np.clip(1 + 0.25 * grain(_SIZE, (0.9, 2.0), rng), 0, 1.3)
        share = np.clip(hair * density * strands, 0, 1)
        return light.astype(np.float32), share.astype(np.float32), cover.astype(np.float32)

    def _ears(self) -> tuple[Mask, Mask]:
        """Two ears, and the shadow within them."""
        cover, shadow = (np.zeros((_HEIGHT, _WIDTH), np.float32) for _ in range(2))
        for side in (-1, 1):
            place = (self.middle + side * 0.53 * self.face, self.eyes + 0.12 * self.face)
            for mask, axes in ((cover, (0.06, 0.15)), (shadow, (0.025, 0.09))):
                half = tuple(round(16 * part * self.face) for part in axes)
                at = (round(16 * place[0]), round(16 * place[1]))
                cv2.ellipse(mask, at, half, -8 * side, 0, 360, 1.0, -1, cv2.LINE_AA, 4)
        soft = cv2.GaussianBlur(cover, (0, 0), 1.2)
        return np.asarray(soft), np.asarray(cv2.GaussianBlur(shadow, (0, 0), 3.0))

    def _brows_and_beard(self, light: Light, hair: Light) -> Light:
        rng, traits = self.generator, self.traits
        dark = np.minimum(hair, 0.12) * 0.8
        strands = np.clip(1 + 0.5 * grain(_SIZE, (1.5, 0.8), rng), 0, 1.6)
        brows = sum(polygon(self.points[b, :2], _SIZE, 2.0) for b in (_LEFT_BROW, _RIGHT_BROW))
        share = np.clip(0.85 * traits.brows * brows * strands, 0, 0.95)[..., None]
        light = light + share * (dark - light)
        if traits.beard == 0:
            return light
        across = np.abs(self.x - self.middle) / (self.face / 2)
        chin, mouth = float(self.points[_CHIN, 1]), float(self.points[LIPS, 1].mean())
        # From the nose down in the middle, from the ears down at the sides.
        top = mouth - 0.2 * self.face + 0.1 * self.face * np.sin(np.clip(across, 0, 1) * np.pi)
        top = np.where(across > 0.72, top - (across - 0.72) * 1.6 * self.face, top)
        where = np.clip((self.y - top) / (0.06 * self.face), 0, 1)
        where *= face_mask(self.points, _WIDTH, _HEIGHT) | (self.y > chin - 2)
        where = cv2.GaussianBlur(where.astype(np.float32), (0, 0), 2.5)
        lips = polygon(self.points[LIPS, :2], _SIZE, 2.0)
        where *= np.clip(1 - 1.3 * lips, 0, 1)
        strands = np.clip(1 + 0.45 * grain(_SIZE, (0.8, 1.8), rng), 0, 1.5)
        share = np.clip(traits.beard * where * strands, 0, 0.95)[..., None]
        return np.asarray(light + share * (np.minimum(hair, 0.25) * 0.8 - light), np.float32)


def _over(
    upper: Float32[np.ndarray, "height width 4"], lower: Float32[np.ndarray, "height width 4"]
) -> Float32[np.ndarray, "height width 4"]:
    """One layer on another; both are times their cover."""
    return np.asarray(upper + (1 - upper[..., 3:]) * lower, np.float32)


def _warped(
    drawn: Float32[np.ndarray, "760 640 4"],
    skin: Mask,
    points: Float[np.ndarray, "468 3"],
    traits: Traits,
    size: tuple[int, int],
    face_px: float,
) -> Figure:
    """The sheet with the face's new shape, as large as wanted."""
    moves = reshape(points, traits)
    across = np.arange(0, _WIDTH, _GRID, dtype=np.float32)
    down = np.arange(0, _HEIGHT, _GRID, dtype=np.float32)
    shift = field(points, moves, across, down)
    scale = face_px / float(np.ptp(points[:, 0])) * traits.head_size
    scales = np.array([scale * traits.head_width, scale * traits.head_height])
    pivot = points[_EARS, :2].mean(axis=0)
    place = np.array([size[0] / 2, 0.42 * size[1]])
    wanted_x, wanted_y = np.meshgrid(
        (np.arange(size[0]) - place[0]) / scales[0] + pivot[0],
        (np.arange(size[1]) - place[1]) / scales[1] + pivot[1],
    )
    wanted = np.stack([wanted_x, wanted_y]).astype(np.float32)  # (2, height, width)
    columns, rows = wanted
    for _ in range(_ROUNDS):
        moved = _sampled(shift, columns / _GRID, rows / _GRID)
        columns, rows = wanted[0] - moved[..., 0], wanted[1] - moved[..., 1]
    # Smaller than drawn: without this blur fine strands would alias.
    soft = 0.35 * max(0.0, 1 / float(scales.min()) - 1)
    if soft > 0.1:
        drawn = np.asarray(cv2.GaussianBlur(drawn, (0, 0), soft), np.float32)
    light = _sampled(drawn, columns, rows, cv2.INTER_CUBIC)
    shiny = _sampled(skin, columns, rows)
    # The mesh goes where the field takes it, which is not quite where it was told to go.
    x, y = (points[:, None, axis].astype(np.float32) / _GRID for axis in (0, 1))
    taken = _sampled(shift, x, y)[:, 0]
    shaped = (points[:, :2] + taken - pivot) * scales + place
    depth = points[:, 2:] * scale * traits.relief
    light[..., 3] = np.clip(light[..., 3], 0, 1)
    light[..., :3] = np.maximum(light[..., :3], 0)
    return Figure(
        np.asarray(light, np.float32),
        np.minimum(np.maximum(shiny, 0), light[..., 3]),
        np.hstack([shaped, depth]),
    )


def _sampled(
    values: Float32[np.ndarray, "_rows _columns *channels"],
    columns: Float32[np.ndarray, "height width"],
    rows: Float32[np.ndarray, "height width"],
    interpolation: int = cv2.INTER_LINEAR,
) -> Float32[np.ndarray, "height width *channels"]:
    """Values at places between pixels; beyond the edges the nearest one's."""
    found = cv2.remap(values, columns, rows, interpolation, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(found, np.float32)


assert SIDE + _TOP < _HEIGHT
