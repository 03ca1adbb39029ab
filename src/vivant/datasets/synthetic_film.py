"""One video of the synthetic benchmark: what is drawn for it, and its frames.

All numbers of a video are drawn from the seed and its name, before anything is filmed: neither the
order nor the number of workers changes them, and `parameters` has them without a frame.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

from vivant.attacks.acting import Acting, Manner, act
from vivant.attacks.bona_fide import MARGIN, Scene, film_person, meshes_of, views
from vivant.attacks.camera import Camera, Filming
from vivant.attacks.figure import figure
from vivant.attacks.light import Light
from vivant.attacks.person import Person
from vivant.attacks.pose import Pose, add_poses, hand_held
from vivant.attacks.ranges import draw, numbers, ranged
from vivant.attacks.rooms import room
from vivant.attacks.simulate import species_by_name
from vivant.attacks.species.species import Species
from vivant.attacks.staging import Staging
from vivant.attacks.traits import Traits, draw_traits, skin_light
from vivant.datasets.synthetic_plan import FACE_PX, FRAME_RATE, FRAME_SIZES, Video
from vivant.datasets.synthetic_world import WORLDS

__all__: list[str] = []

_METERING = 0.4
"""How far exposure follows the face: 0 not at all, 1 all skin is equally bright in the end."""
_MIDDLE_SKIN = 0.25
"""Light that skin gives back at which a camera exposes as it would without a face."""
_FINER = 1.6
"""Of the frames that attacks show, against the benchmark's: who makes one has a good picture."""


@dataclass(frozen=True, slots=True)
class Framing:
    """Where the face is in the frame: bona fide and attack alike."""

    distance: float = ranged(1.0, 0.9, 1.12, log=True)
    """How near: factor of the face's size."""
    x: float = ranged(0.0, -0.05, 0.05)
    """Of the face from its usual place to the right, as a share of the frame's width."""
    y: float = ranged(0.0, -0.03, 0.03)
    """The same, down."""


@dataclass(frozen=True, slots=True)
class Grip:
    """How an instrument is held."""

    portrait: float = ranged(1.9, 1.5, 2.4, log=True)
    """Width of the picture that is shown, against that of the face in it."""
    yaw_deg: float = ranged(0.0, -9.0, 9.0)
    pitch_deg: float = ranged(0.0, -7.0, 7.0)
    roll_deg: float = ranged(0.0, -4.0, 4.0)
    sway: float = ranged(0.6, 0.1, 1.2)
    """How much it is moved: 1 is 6 degrees and 2 % of the frame's width."""


@dataclass(frozen=True, slots=True)
class Take:
    """All that is drawn for a video."""

    video: Video
    traits: Traits
    room: str
    room_seed: int
    defocus: float
    """Of the room: share of the frame's width."""
    light: Light
    camera: Camera
    framing: Framing
    manner: Manner
    look: Any
    """Of the instrument; None for bona fide."""
    grip: Grip | None


def take(video: Video, layout: str, seed: int) -> Take:
    """Draw a video.

    Args:
        video: Of the plan.
        layout: Of the plan.
        seed: Of the whole benchmark.
    """
    world = WORLDS[layout]
    session = world.sessions[video.session]
    of_place = _generator(seed, layout, video.subject, video.session)
    kind = str(of_place.choice(session.rooms))
    room_seed = int(of_place.integers(2**31))
    defocus = _defocus(of_place)
    generator = _generator(seed, video.path)
    light = _varied(session.light, generator)
    camera = _adjusted(world.cameras[video.camera], generator)
    framing = draw(Framing, generator)
    manner = draw(Manner, generator)
    person = traits_of(video.subject, layout, seed)
    look = grip = None
    if video.pai_species is not None:
        assert video.instrument is not None
        kinds = _species()
        fixed = dict(world.instruments[video.paper or video.instrument])
        look = draw(kinds[video.pai_species].look, generator, **fixed)
        grip = draw(Grip, generator)
    return Take(
        video,
        person,
        kind,
        room_seed,
        defocus,
        light,
        _metered(camera, person),
        framing,
        manner,
        look,
        grip,
    )


def traits_of(subject: int, layout: str, seed: int) -> Traits:
    """What a subject looks like."""
    return draw_traits(_generator(seed, layout, subject))


def parameters(drawn: Take) -> dict[str, str]:
    """What was drawn, as columns: path, subject, camera, session, room, light, and so on."""
    video = drawn.video
    row = {
        "path": video.path,
        "subject": str(video.subject),
        "camera": video.camera,
        "session": video.session,
        "pai_species": video.pai_species or "",
        "instrument": video.instrument or "",
        "paper": video.paper or "",
        "room": drawn.room,
        "room_defocus": f"{drawn.defocus:.6g}",
    }
    row |= numbers(drawn.light, "light_") | numbers(drawn.camera, "camera_")
    row |= numbers(drawn.framing, "framing_") | numbers(drawn.manner, "manner_")
    row |= numbers(drawn.traits, "person_")
    if drawn.look is not None and drawn.grip is not None:
        row |= numbers(drawn.look, f"{video.pai_species}_") | numbers(drawn.grip, "grip_")
    return row


class Studio:
    """Films videos; it keeps the last subject, so give it one subject's videos in a row.

    Args:
        layout: Whose names.
        seed: Of the whole benchmark.
        num_frames: Of each video.
    """

    def __init__(self, layout: str, seed: int, num_frames: int) -> None:
        self._layout, self._seed, self._num_frames = layout, seed, num_frames
        self._size = FRAME_SIZES[layout]
        self._subject: int | None = None
        self._person: Person | None = None
        self._sitter: Person | None = None  # The same person, larger, for the enrolments.
        self._enrolments: dict[str, _Enrolment] = {}  # By session.

    def film(self, video: Video) -> Iterator[UInt8[np.ndarray, "height width 3"]]:
        """The frames of a video, RGB, 0..255."""
        if video.subject != self._subject:
            self._subject, self._enrolments = video.subject, {}
            self._person = self._sitter = None
        drawn = take(video, self._layout, self._seed)
        generator = _generator(self._seed, video.path, "frames")
        acting = act(self._num_frames, FRAME_RATE, self._size[0], generator, drawn.manner)
        place = room(
            drawn.room,
            _with_margin(self._size),
            drawn.defocus,
            np.random.default_rng(drawn.room_seed),
        )
        if drawn.grip is None:
            frames = self._bona_fide(drawn, acting, place, generator)
        else:
            frames = self._attack(drawn, acting, place, generator)
        for pixels in frames:
            yield np.ascontiguousarray(pixels[:, ::-1]) if video.is_mirrored else pixels

    def _bona_fide(
        self,
        drawn: Take,
        acting: Acting,
        place: UInt8[np.ndarray, "height width 3"],
        generator: np.random.Generator,
    ) -> Iterator[UInt8[np.ndarray, "frame_height frame_width 3"]]:
        if self._person is None:
            face_px = FACE_PX[self._layout]
            self._person = Person(figure(drawn.traits, _with_margin(self._size), face_px))
        scene = Scene(place, drawn.light, acting, _in_frame(drawn.framing, self._size))
        return film_person(self._person, scene, drawn.camera, self._size, generator)

    def _attack(
        self,
        drawn: Take,
        acting: Acting,
        place: UInt8[np.ndarray, "height width 3"],
        generator: np.random.Generator,
    ) -> Iterator[UInt8[np.ndarray, "frame_height frame_width 3"]]:
        assert drawn.video.pai_species is not None
        session = drawn.video.session
        if session not in self._enrolments:
            self._enrolments[session] = self._enrol(drawn.traits, session)
        species = _species()[drawn.video.pai_species]
        shown = self._enrolments[session]
        start = int(generator.integers(len(shown.frames)))
        staging = _stage(
            shown.turned(start) if species.moves else shown.still(start),
            list(views(place, acting.shake_px, self._size)),
            drawn,
            acting,
            generator,
        )
        filming = Filming(drawn.camera, generator, drawn.light)
        return species.film(staging, filming, drawn.look, generator)

    def _enrol(self, traits: Traits, session: str) -> "_Enrolment":
        """Film a subject by another camera, in another room: what attacks of a session will show.

        Kinds of room, their focus and the light are the session's: else a place would tell attacks
        from bona fide. The light's colour is left out, as the camera balances it.
        """
        assert self._subject is not None
        generator = _generator(self._seed, self._layout, self._subject, f"enrolment {session}")
        width, height = (round(_FINER * side / 2) * 2 for side in self._size)
        if self._sitter is None:
            face_px = _FINER * FACE_PX[self._layout]
            self._sitter = Person(figure(traits, _with_margin((width, height)), face_px))
        sharpening, contrast = generator.uniform([0.4, 0.3], [0.8, 0.9]).tolist()
        camera = draw(
            Camera,
            generator,
            defocus_px=0.3,
            shot_noise=0.008,
            read_noise=0.001,
            sharpening=sharpening,
            contrast=contrast,
        )
        camera = _metered(camera, traits)
        place = WORLDS[self._layout].sessions[session]
        light = replace(_varied(place.light, generator), red=1.0, blue=1.0)
        background = room(
            str(generator.choice(place.rooms)),
            _with_margin((width, height)),
            _defocus(generator),
            generator,
        )
        acting = act(self._num_frames, FRAME_RATE, width, generator)
        scene = Scene(background, light, acting)
        frames = list(film_person(self._sitter, scene, camera, (width, height), generator))
        return _Enrolment(frames, meshes_of(self._sitter, scene, (width, height)), acting.eyelids)


@dataclass(frozen=True, slots=True, eq=False)
class _Enrolment:
    """A clip of a subject, and its meshes."""

    frames: list[UInt8[np.ndarray, "height width 3"]]
    meshes: Float[np.ndarray, "frames 468 2"]
    eyelids: tuple[float, ...]

    def turned(self, start: int) -> "_Enrolment":
        """The clip from another frame on, forth and back as somebody plays it who has no more."""
        count = len(self.frames)
        order = [*range(count), *range(count - 2, 0, -1)] or [0]
        picked = [order[(start + n) % len(order)] for n in range(count)]
        eyelids = tuple(self.eyelids[n] for n in picked)
        return _Enrolment([self.frames[n] for n in picked], self.meshes[picked], eyelids)

    def still(self, at: int) -> "_Enrolment":
        """One frame: the first from there on with open eyes, as a picture to print is chosen."""
        count = len(self.frames)
        at = min(range(count), key=lambda n: (self.eyelids[n], (n - at) % count))
        return _Enrolment(self.frames[at : at + 1], self.meshes[at : at + 1], (0.0,))


def _stage(
    shown: _Enrolment,
    scenes: list[UInt8[np.ndarray, "frame_height frame_width 3"]],
    drawn: Take,
    acting: Acting,
    generator: np.random.Generator,
) -> Staging:
    """A portrait, held where the face is as large and in the same place as a bona fide one."""
    assert drawn.grip is not None
    grip = drawn.grip
    height, width, _ = scenes[0].shape
    picture_height, picture_width, _ = shown.frames[0].shape
    low, high = shown.meshes.min(axis=1), shown.meshes.max(axis=1)
    middle = np.median((low + high) / 2, axis=0)
    seen_px = float(np.median(high[:, 0] - low[:, 0]))
    wide = min(grip.portrait * seen_px, picture_width)
    tall = min(1.35 * wide, picture_height)
    left = int(np.clip(middle[0] - wide / 2, 0, picture_width - wide))
    top = int(np.clip(middle[1] - 0.5 * tall, 0, picture_height - tall))
    part = (slice(top, top + int(tall)), slice(left, left + int(wide)))
    pictures = [np.ascontiguousarray(frame[part]) for frame in shown.frames]
    meshes = shown.meshes - [left, top]

    # Without an attack the face would be where it was in front of the first camera, whose frames
    # are finer. At rest the picture's middle is the frame's.
    in_frame = _in_frame(drawn.framing, (width, height))
    scale = in_frame.scale / _FINER
    frame, shown_size = np.array([width, height]), np.array(pictures[0].shape[1::-1])
    off = scale * (middle - [left, top] - shown_size / 2)
    x, y = (middle / _FINER + [in_frame.x_px, in_frame.y_px] - frame / 2 - off).tolist()
    rest = Pose(grip.yaw_deg, grip.pitch_deg, grip.roll_deg, x, y, scale)
    much = grip.sway
    far = 0.02 * width * much
    extent = Pose(6 * much, 4.5 * much, 2 * much, far, 0.6 * far, 1 + 0.02 * much)
    held = hand_held(len(scenes), FRAME_RATE, extent, generator)
    path = [
        replace(pose, x_px=pose.x_px + float(dx), y_px=pose.y_px + float(dy))
        for pose, (dx, dy) in zip(
            add_poses([rest] * len(scenes), held), acting.shake_px, strict=True
        )
    ]
    return Staging(pictures, meshes, scenes, path)


def _in_frame(framing: Framing, size: tuple[int, int]) -> Pose:
    return Pose(x_px=framing.x * size[0], y_px=framing.y * size[0], scale=framing.distance)


def _with_margin(size: tuple[int, int]) -> tuple[int, int]:
    """The size of what is filmed, for frames of a size."""
    margin = max(2, round(MARGIN * size[0]))
    return size[0] + 2 * margin, size[1] + margin


def _metered(camera: Camera, traits: Traits) -> Camera:
    """A camera that exposes for the face more than for the room, as phones do.

    Attacks are exposed in the same way: what they show is the same face.
    """
    light = float(skin_light(traits.skin_ita_deg) @ (0.2126, 0.7152, 0.0722))
    factor = float(np.clip((_MIDDLE_SKIN / light) ** _METERING, 0.85, 1.6))
    return replace(camera, exposure=camera.exposure * factor)


@cache
def _species() -> dict[str, Species]:
    """Found once in a process."""
    return species_by_name()


def _defocus(generator: np.random.Generator) -> float:
    """Of a room: a third of them is sharp, the others from a little to far out of focus."""
    return float(max(generator.uniform(-0.01, 0.02), 0.0))


def _adjusted(camera: Camera, generator: np.random.Generator) -> Camera:
    """A camera as it is in one video: no phone focuses, exposes and processes twice alike."""
    focus = float(np.exp(generator.uniform(np.log(0.7), np.log(2.2))))
    contrast, sharpening = generator.uniform([-0.25, -0.1], [0.25, 0.3]).tolist()
    exposure, red, blue = generator.uniform([0.8, 0.94, 0.94], [1.25, 1.06, 1.06]).tolist()
    return replace(
        camera,
        defocus_px=camera.defocus_px * focus,
        contrast=float(np.clip(camera.contrast + contrast, 0, 1)),
        sharpening=max(camera.sharpening + sharpening, 0.0),
        exposure=camera.exposure * exposure,
        red=camera.red * red,
        blue=camera.blue * blue,
        crf=camera.crf + int(generator.integers(-3, 3, endpoint=True)),
    )


def _varied(light: Light, generator: np.random.Generator) -> Light:
    """A little different, as the day goes."""
    level, red, blue, key = generator.uniform([0.85, 0.97, 0.97, -0.25], [1.15, 1.03, 1.03, 0.25])
    yaw, pitch = generator.uniform([-15, -10], [15, 10])
    return Light(
        light.level * float(level),
        light.red * float(red),
        light.blue * float(blue),
        float(np.clip(light.key + key, 0, 1)),
        light.yaw_deg + float(yaw),
        light.pitch_deg + float(pitch),
    )


def _generator(seed: int, *names: str | int) -> np.random.Generator:
    """Random numbers of a thing with a name: the same whatever else is made."""
    text = "/".join(map(str, names)).encode()
    return np.random.default_rng(np.random.SeedSequence([seed, len(text), *text]))
