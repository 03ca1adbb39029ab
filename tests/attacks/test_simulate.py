import cv2
import numpy as np
import pytest

from vivant.attacks.camera import Camera
from vivant.attacks.ranges import stated
from vivant.attacks.simulate import Hold, simulate, species_by_name
from vivant.errors import InputError, UnknownNameError
from vivant.faces.detectors.blazeface import blazeface

SCENE = np.full((240, 320, 3), 120, np.uint8)
SCENE[::16] = 200


def simulated(species, portrait, count=2, scenes=None, seed=0, frame_rate=30.0):
    return simulate(
        species,
        [portrait.pixels] * count,
        np.repeat(portrait.points[None, :, :2], count, axis=0),
        [SCENE] if scenes is None else scenes,
        frame_rate,
        Camera(),
        np.random.default_rng(seed),
    )


@pytest.mark.parametrize("species", sorted(species_by_name()))
def test_an_attack_has_the_scene_s_size_and_as_many_frames_as_the_clip(species, portrait):
    made = simulated(species, portrait, count=3)
    frames = list(made.frames)
    assert made.pai_species == species
    assert [frame.shape for frame in frames] == [SCENE.shape] * 3
    assert (frames[0] != frames[1]).any()


@pytest.mark.parametrize("species", sorted(species_by_name()))
def test_what_was_drawn_is_written_and_lies_in_its_range(species, portrait):
    parameters = simulated(species, portrait).parameters
    look = species_by_name()[species].look
    for prefix, record in (("hold_", Hold), (f"{species}_", look), ("camera_", Camera)):
        for name, given in stated(record).items():
            value = parameters[prefix + name]
            if hasattr(given, "names"):
                assert value in given.names
            else:
                assert given.low - 1e-5 <= float(value) <= given.high + 1e-5


def test_the_generator_decides_about_all_of_it(portrait):
    first, same, other = (simulated("replay", portrait, seed=seed) for seed in (4, 4, 5))
    assert first.parameters == same.parameters
    assert first.parameters != other.parameters
    pixels = [b"".join(frame.tobytes() for frame in made.frames) for made in (first, same, other)]
    assert pixels[0] == pixels[1] != pixels[2]


def test_one_scene_for_each_frame_sets_how_many_there_are(portrait):
    still = simulated("print", portrait, count=1, scenes=[SCENE] * 4)
    assert len(list(still.frames)) == 4


def test_the_face_has_the_width_that_was_drawn(portrait):
    detector = blazeface()
    scene = np.full((480, 640, 3), 120, np.uint8)
    for seed in range(4):
        made = simulated("print", portrait, count=1, scenes=[scene], seed=seed)
        found = detector.detect(next(made.frames))
        assert found, f"no face with seed {seed}"
        # The detector's box is about as wide as the mesh.
        wanted = float(made.parameters["hold_face"]) * 640
        assert found[0].box.width_px == pytest.approx(wanted, rel=0.25)


def test_a_stand_holds_still_and_a_hand_does_not(portrait):
    moved: dict[str, list[float]] = {"hand": [], "stand": []}
    for seed in range(6):
        made = simulated("print", portrait, 1, [SCENE] * 2, seed, frame_rate=2.0)
        grey = [cv2.GaussianBlur(frame, (0, 0), 2).astype(float) for frame in made.frames]
        moved[made.parameters["hold_support"]].append(float(np.abs(grey[1] - grey[0]).mean()))
    assert min(moved["hand"]) > 2 * max(moved["stand"])


@pytest.mark.parametrize("species", ["print", "cut_photo"])
def test_no_picture_in_mid_blink_is_printed(species, portrait):
    """The eyes are shut on all pictures but the second, whose tone is another."""
    shut = portrait.points[None, :, :2].repeat(3, axis=0)
    for upper, lower in ((159, 145), (386, 374)):
        shut[[0, 2], upper] = shut[[0, 2], lower]
    dark = portrait.pixels // 8
    for bright in range(3):
        pictures = [portrait.pixels if number == bright else dark for number in range(3)]
        made = simulate(
            species,
            pictures,
            shut,
            [SCENE],
            30.0,
            Camera(),
            np.random.default_rng(3),
            at=(0.0, 0.0),
        )
        frame = next(made.frames)
        # The cheeks are paper with every species.
        cheeks = frame[120:150, 130:190].mean()
        assert (cheeks > 60) == (bright == 1), (bright, cheeks)


def test_the_face_comes_to_the_place_that_was_given(portrait):
    scene = np.full((480, 640, 3), 120, np.uint8)
    made = simulate(
        "print",
        [portrait.pixels],
        portrait.points[None, :, :2],
        [scene],
        30.0,
        Camera(),
        np.random.default_rng(1),
        face=0.25,
        at=(-0.2, 0.05),
    )
    assert (float(made.parameters["hold_x"]), float(made.parameters["hold_y"])) == (-0.2, 0.05)
    box = blazeface().detect(next(made.frames))[0].box
    assert ((box.x0 + box.x1) / 2 - 320) / 640 == pytest.approx(-0.2, abs=0.05)
    assert ((box.y0 + box.y1) / 2 - 240) / 640 == pytest.approx(0.05, abs=0.05)


def test_an_unknown_species_names_the_known_ones(portrait):
    with pytest.raises(UnknownNameError, match="PAI species .*'replai': did you mean 'replay'"):
        simulated("replai", portrait)


def test_pictures_without_a_mesh_are_refused(portrait):
    with pytest.raises(InputError, match="a mesh for each and at least one scene, got 1, 2 and 1"):
        simulate(
            "print",
            [portrait.pixels],
            np.zeros((2, 468, 2)),
            [SCENE],
            30.0,
            Camera(),
            np.random.default_rng(0),
        )
