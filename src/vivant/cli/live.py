"""What a camera's owner sees: the picture with its boxes and the verdict so far, live."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw
from rich.console import Console, Group
from rich.live import Live
from rich.style import Style
from rich.text import Text

if TYPE_CHECKING:
    from vivant.session.stream import Stream
    from vivant.session.verdict import Verdict

__all__ = ["caption", "choose_view", "draw", "half_blocks", "viewer"]

Show = Callable[["Verdict", "Stream"], bool]
"""Shows a verdict; says whether to go on."""

_COLOURS = {"bona_fide": (40, 200, 80), "attack": (230, 50, 50), "no_decision": (240, 200, 40)}
_ANCHOR, _PATCH = (255, 255, 255), (255, 140, 0)  # As in the paper's Figure 1.
_COLUMNS = 72  # Of the picture in a terminal, at most.


def choose_view(console: Console) -> str:
    """A window where there is a display for it, else the terminal, else nothing."""
    is_windowed = sys.platform in ("darwin", "win32")
    if is_windowed or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
        try:
            import tkinter

            tkinter.Tk().destroy()
        except ImportError:  # Not every Python has it.
            pass
        except tkinter.TclError:  # No display after all.
            pass
        else:
            return "window"
    return "terminal" if console.is_terminal else "none"


@contextmanager
def viewer(view: str, console: Console) -> Iterator[Show]:
    """Shows verdicts as they come.

    Args:
        view: `window`, `terminal` or `none`.
        console: Of the terminal.
    """
    if view == "window":
        with _window() as show:
            yield show
    elif view == "terminal":
        with Live(console=console, auto_refresh=False, transient=True) as live:

            def show_there(verdict: "Verdict", stream: "Stream") -> bool:
                columns = min(_COLUMNS, console.width)
                picture = half_blocks(draw(verdict, stream), columns, max(2, console.height - 4))
                live.update(Group(picture, caption(verdict, stream)), refresh=True)
                return True

            yield show_there
    else:
        yield lambda verdict, stream: True


def caption(verdict: "Verdict", stream: "Stream") -> Text:
    """The decision so far, and its score or its first reason, in two lines."""
    words = {"bona_fide": "bona fide", "attack": "ATTACK", "no_decision": "no decision"}
    red, green, blue = _COLOURS[verdict.decision.value]
    style = Style(color=f"rgb({red},{green},{blue})", bold=True)
    counts = stream.counts
    score = "" if verdict.bona_fide_score is None else f"  score {verdict.bona_fide_score:.3f}"
    told = verdict.reasons or verdict.cautions
    return Text.assemble(
        (words[verdict.decision.value], style),
        score,
        f"  {len(verdict.windows)} windows, {counts.looked_at} looks, {counts.dropped} dropped",
        f"  {1e3 * verdict.timings.total_s:.0f} ms\n",
        told[0].message if told else "",
    )


def draw(verdict: "Verdict", stream: "Stream") -> UInt8[np.ndarray, "height width 3"]:
    """The newest frame, with the face, the cells that the Advisor names and the patches.

    Args:
        verdict: The newest.
        stream: Whose it is.
    """
    picture = Image.fromarray(verdict.poster)
    pen = ImageDraw.Draw(picture)
    scale = picture.width / verdict.frame_size[0]
    width = max(1, picture.width // 240)
    newest = stream.newest
    if newest is not None and verdict.poster_face is not None:
        for boxes, colour in ((newest.anchor_boxes, _ANCHOR), (newest.patch_boxes, _PATCH)):
            for box in () if boxes is None else boxes[-1]:
                pen.rectangle([float(edge) * scale for edge in box], outline=colour, width=width)
    face = verdict.poster_face
    if face is not None:
        colour = _COLOURS[verdict.decision.value]
        pen.rectangle([face.x0, face.y0, face.x1, face.y1], outline=colour, width=2 * width)
    return np.asarray(picture)


def half_blocks(picture: UInt8[np.ndarray, "height width 3"], columns: int, rows: int) -> Text:
    """A picture in a terminal's characters: two pixels each, one above the other.

    Args:
        picture: RGB, 0..255.
        columns: At most.
        rows: At most.
    """
    height, width, _ = picture.shape
    scale = min(columns / width, 2 * rows / height)
    size = (max(1, int(width * scale)), 2 * max(1, int(height * scale / 2)))
    small = np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BOX))
    text = Text(no_wrap=True)
    for upper, lower in zip(small[0::2], small[1::2], strict=True):
        for (r, g, b), (r2, g2, b2) in zip(upper.tolist(), lower.tolist(), strict=True):
            text.append("▀", Style(color=f"rgb({r},{g},{b})", bgcolor=f"rgb({r2},{g2},{b2})"))
        text.append("\n")
    return text


@contextmanager
def _window() -> Iterator[Show]:
    import tkinter

    from PIL import ImageTk

    root = tkinter.Tk()
    root.title("vivant")
    is_open = True

    def close() -> None:
        nonlocal is_open
        is_open = False

    root.protocol("WM_DELETE_WINDOW", close)
    root.bind("<Escape>", lambda event: close())
    label = tkinter.Label(root)
    label.pack()
    text = tkinter.Label(root, font=("TkDefaultFont", 12), justify="left", wraplength=640)
    text.pack(fill="x")

    def show(verdict: "Verdict", stream: "Stream") -> bool:
        picture = Image.fromarray(draw(verdict, stream))
        shown = ImageTk.PhotoImage(picture.resize((2 * picture.width, 2 * picture.height)))
        label.configure(image=shown)
        label.image = shown  # type: ignore[attr-defined] # Tk does not keep it.
        text.configure(text=caption(verdict, stream).plain)
        root.update()
        return is_open

    try:
        yield show
    finally:
        root.destroy()
