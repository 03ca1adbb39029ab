"""The README that is written beside the synthetic benchmark's videos."""

from vivant.datasets.synthetic_plan import FRAME_RATE, FRAME_SIZES, READERS, SIZES

__all__: list[str] = []

_TEXT = """# SYNTHETIC: not people

These {num_videos:,} videos were drawn by a program:

    vivant data synthetic --layout {layout} --size {size} --seed {seed} --out DIR

They have the folders and names of {name}, so that its reader and its protocols run on them, and
nothing else of it.

**They prove the machinery and say nothing about accuracy on people.** All faces are made of one
portrait (Eileen Collins, NASA, in the public domain), all attacks by one simulation. A model that
was trained or measured on them has never seen a person, a print or a screen. Error rates on them
must not be given out as results on {name}, nor compared with any.

    vivant data check {reader} DIR --protocol 1

{layout_text}

## What varies

- **Between subjects**: the shape of jaw, cheeks, chin, forehead, nose, eyes, brows, mouth and
  lips (the portrait is warped by its mesh); width, height and depth of the head; left and right;
  skin from very light to dark (individual typology angle 58 to -60 degrees, evenly), its pores,
  blotches, freckles and moles; hair of eight colours in five styles, bald among them; brows,
  beards, lips, smile; glasses; shirts. Two subjects remain one portrait in disguise: whatever
  tells people apart is not tested here.
- **Between sessions**:
  {sessions}
- **Between {cameras}**: lens, noise, white balance, exposure, contrast, sharpening, compression;
  each is one camera model. All videos have {width}x{height} pixels, {num_frames} frames,
  {rate:g} frames a second.
- **Between videos**: distance and place of the face; how head, eyelids, lips, brows and the hand
  that films move; the light, a little; the camera's focus, exposure, contrast, sharpening, white
  balance and compression; the noise.
- **Between instruments**:
  {instruments}

Bona fide and attack share cameras, rooms, light, framing, shake, length and coding. What an attack
shows was filmed before, by another camera, in another room of the same session's kinds: one such
clip of each subject and session.

`parameters.csv` has a row for each video: `path` and all that was drawn for it. It is no part of
the data set as it is read; `vivant.datasets.synthetic.read_parameters` gives it by path.

Each video follows from the seed and its name alone. `synthetic.json` says what was asked for.
"""

_OULU_NPU = """\
Users have the owner's numbers: 1-20 train, 21-35 dev, 36-55 test. File 1 is bona fide, 2 and 3 are
prints of two printers, 4 and 5 replays on two displays. There are no eye positions. {lists}"""
_OULU_LISTS = "`Protocols/`\nhas the owner's 42 lists, written by the rule."
_OULU_PART = """\
Of each
user there are 6 of the 18 pairs of phone and session: those whose sum with the user's number is a
multiple of three. `Protocols/` is left out: the owner's lists name all 4,950 videos, and the
protocols are rules that need no lists."""

_SIW = """\
Subjects have the owner's numbers; the dev side is that of the default (`bob`). Medium 1 and 2 of
bona fide videos and prints are an even and a one-sided light, session 1 of prints is on glossy and
2 on matt paper; media of replays are a tablet, two phones and a monitor. One name has `.m`: it
is mirrored. {lists}"""
_SIW_PART = "Of each subject there are 14 of 28 names."

_SESSIONS = {
    "oulu-npu": """\
rooms of other kinds (1 walls and offices, 2 windows, curtains and plants, 3
  bricks, shelves and panelling), sharp to far out of focus; light from other sides, of other
  colours and strengths. A subject has one room in a session.""",
    "siw": """\
even light in rooms of four kinds, or dim and one-sided light in four others,
  sharp to far out of focus. A subject has one room in each light.""",
}
_INSTRUMENTS = {
    "oulu-npu": """\
print 1 has rows of dots on coated paper, print 2 strewn dots on plain paper;
  display 1 is a monitor of 92 pixels per inch, display 2 a notebook's of 227. How they are held
  and bent, and the rest of their looks, is drawn for each video.""",
    "siw": """\
glossy prints have rows of dots, matt ones strewn dots; the four screens differ in
  size, pixels, black, colour and reflection. How they are held and bent is drawn for each
  video.""",
}


def readme(layout: str, size: str, seed: int, num_videos: int) -> str:
    """The text, as Markdown.

    Args:
        layout: One of `LAYOUTS`.
        size: One of `SIZES`.
        seed: Of the whole.
        num_videos: How many there are.
    """
    is_oulu, is_whole = layout == "oulu-npu", SIZES[size].is_whole
    if is_oulu:
        layout_text = _OULU_NPU.format(lists=_OULU_LISTS if is_whole else _OULU_PART)
    else:
        layout_text = _SIW.format(lists="" if is_whole else _SIW_PART)
    width, height = FRAME_SIZES[layout]
    return _TEXT.format(
        layout=layout,
        size=size,
        seed=seed,
        num_videos=num_videos,
        name="OULU-NPU" if is_oulu else "SiW",
        reader=READERS[layout],
        layout_text=layout_text,
        sessions=_SESSIONS[layout],
        cameras="phones" if is_oulu else "sensors",
        instruments=_INSTRUMENTS[layout],
        width=width,
        height=height,
        num_frames=SIZES[size].num_frames,
        rate=FRAME_RATE,
    )
