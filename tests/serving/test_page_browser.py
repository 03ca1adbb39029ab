"""The page in Debian's Chromium with a film for a camera, against the service as it is started."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from browser import browser, needs_browser, write_film
from clocks import SkipClock
from context_models import context_config
from made_up import MadeUpRunner, card
from people import person, person_video
from services import PUBLIC, SECRET, Listening, client, listening
from vivant.runtimes.opening import open_runner
from vivant.runtimes.runner import Runner
from vivant.serving.keys import Level
from vivant.session.session import STARTER

pytestmark = needs_browser

ROOT = Path(__file__).parents[2]
SIZES = {"phone": {"width": 390, "height": 844}, "desktop": {"width": 1280, "height": 900}}
_PATIENCE_MS = 240_000


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A person, a print of that person, and an empty room; as `make demo` has them."""
    import av

    folder = tmp_path_factory.mktemp("films")
    command = [sys.executable, str(ROOT / "scripts" / "make_demo_clips.py"), str(folder)]
    subprocess.run(command, check=True, capture_output=True)
    made = {}
    for name in ("bona_fide", "attack_print"):
        with av.open(str(folder / f"{name}.mp4")) as clip:
            frames = [f.reformat(format="rgb24").to_ndarray() for f in clip.decode(video=0)]
        # To the end and back, so that it has no jump; no two neighbours alike, or a quick machine
        # would film one picture twice.
        made[name] = write_film(folder / f"{name}.y4m", [*frames, *frames[-2:0:-1]], 30)
    noise = np.random.default_rng(0)
    room = [noise.integers(80, 100, (480, 640, 3), dtype=np.uint8) for _ in range(5)]
    made["nobody"] = write_film(folder / "nobody.y4m", room, 30)
    return made


@pytest.fixture(scope="module")
def starter() -> Runner:
    """The model that ships."""
    return open_runner(STARTER, "onnx")


@pytest.fixture(scope="module")
def service(starter: Runner) -> Iterator[str]:
    """The address of a service with that model."""
    with listening(starter, isolated=True) as site:
        yield site.address


@pytest.fixture(scope="module")
def filmed_service(starter: Runner) -> Iterator[Listening]:
    """A service with that model, whose clock moves with the page's: for `Page.film`."""
    with listening(starter, isolated=True, clock=SkipClock(runs=False)) as site:
        yield site


STEP_S = 0.1


class Page:
    """A tab on the page, and what its console said.

    Args:
        tab: A tab of the browser.
        clock: Of the service; None: the page's clock runs by itself.
    """

    def __init__(self, tab: Any, clock: SkipClock | None = None) -> None:
        self.tab = tab
        self.clock = clock
        self.said: list[str] = []
        tab.on("console", lambda message: self.said.append(message.text))
        tab.on("pageerror", lambda error: self.said.append(str(error)))

    def film(self, step_s: float = STEP_S) -> tuple[str, str]:
        """Press the button, film up to the verdict, and give its status and its decision.

        The clocks of the page and of the service stand still while a frame is filmed and looked at:
        however slow this machine is, the frames come `step_s` apart.

        Args:
            step_s: Time from one frame to the next, in seconds.
        """
        assert self.clock is not None
        self.tab.locator("#start:enabled").click()
        while (
            self.tab.wait_for_function(NEXT_FRAME_OR_END, timeout=_PATIENCE_MS).json_value()
            == "frame"
        ):
            self.clock.skip(step_s)
            self.tab.clock.run_for(1000 * step_s)
            self.tab.evaluate("window.frameBefore = document.getElementById('video').currentTime")
        self.tab.clock.resume()
        return self.verdict()

    def verdict(self) -> tuple[str, str]:
        verdict = self.tab.locator("#verdict:visible")
        verdict.wait_for(timeout=_PATIENCE_MS)
        return verdict.get_attribute("data-status"), verdict.get_attribute("data-decision")

    def text(self, place: str) -> str:
        return str(self.tab.locator(place).inner_text())


# "frame": the judge has answered all frames, and the camera has another one; "end": no more are taken.
NEXT_FRAME_OR_END = """() => {
  if (!document.getElementById("stop").checkVisibility()) return "end";
  const { state, pending } = document.getElementById("stage").dataset;
  const video = document.getElementById("video");
  const isFilming = state === "adjust" || state === "good";
  return isFilming && pending === "0" && video.currentTime !== window.frameBefore ? "frame" : null;
}"""


@contextmanager
def opened(
    address: str,
    film: Path | None = None,
    *,
    may_film: bool = True,
    clock: SkipClock | None = None,
    **context: object,
) -> Iterator[Page]:
    """A page in a browser.

    Args:
        address: Of the page.
        film: What the camera shows; None: there is no camera.
        may_film: Whether the person allows the camera.
        clock: Of the service, for `Page.film`; None: the page's own clock runs.
        context: Of the browser, such as its size.
    """
    with browser(film, may_film=may_film) as started:
        tab = started.new_context(**context).new_page()
        page = Page(tab, clock)
        if clock is not None:
            tab.clock.install(time=0)
            tab.clock.pause_at(1000)
        tab.goto(address)
        yield page


@contextmanager
def opened_to_film(site: Listening, film: Path, **context: object) -> Iterator[Page]:
    """The page of a service, in whose clock it films."""
    with opened(site.address, film, clock=site.clock, **context) as page:
        yield page


def assert_accessible(page: Page) -> None:
    """axe-core finds nothing serious, by the rules of WCAG 2 A and AA."""
    from axe_playwright_python.sync_playwright import Axe

    # The page's policy lets no foreign script in: axe comes by the browser's own door.
    found = Axe().run(page.tab, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]})
    serious = [
        (one["id"], [node["html"] for node in one["nodes"]])
        for one in found.response["violations"]
        if one["impact"] in ("serious", "critical")
    ]
    assert not serious


def assert_fits(page: Page) -> None:
    """Nothing is cut off to the side."""
    widths = page.tab.evaluate(
        "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    )
    assert widths[0] <= widths[1]


@pytest.mark.parametrize(
    ("film", "decision", "title", "size"),
    [
        ("bona_fide", "bona_fide", "Bona fide", "phone"),
        ("attack_print", "attack", "Attack", "desktop"),
        pytest.param("bona_fide", "bona_fide", "Bona fide", "desktop", marks=pytest.mark.slow),
        pytest.param("attack_print", "attack", "Attack", "phone", marks=pytest.mark.slow),
    ],
)
def test_presentation_gets_its_verdict_with_its_reasons(
    filmed_service: Listening,
    films: dict[str, Path],
    film: str,
    decision: str,
    title: str,
    size: str,
) -> None:
    look = {"viewport": SIZES[size], "color_scheme": "dark" if size == "phone" else "light"}
    with opened_to_film(filmed_service, films[film], **look) as page:
        assert page.film() == ("decided", decision)
        assert page.text("#verdict-title") == title
        assert "NO_RECORDED_ATTACKS" in page.text("#cautions")
        assert page.tab.evaluate("document.activeElement.id") == "verdict-title"
        # The face with its patches is drawn, and depth over it changes the picture.
        canvas = page.tab.locator("#face-canvas")
        plain = canvas.screenshot()
        page.tab.locator("#show-depth").check()
        assert canvas.screenshot() != plain
        page.tab.locator("#numbers summary").click()
        assert "0.091" in page.text("#numbers"), "the threshold"
        assert_fits(page)
        assert_accessible(page)
        assert page.said == []


def test_empty_room_is_no_decision(filmed_service: Listening, films: dict[str, Path]) -> None:
    with opened_to_film(filmed_service, films["nobody"]) as page:
        assert page.film() == ("undecided", "")
        assert page.text("#verdict-title") == "No decision"
        assert "Show your face to the camera" in page.text("#advice")
        assert page.said == []


@pytest.mark.regression
@pytest.mark.parametrize("mode", ["service", "device"])
def test_who_films_with_a_slow_computer_is_told_so(
    filmed_service: Listening, films: dict[str, Path], mode: str
) -> None:
    """Each frame takes half a second: the frames of a clip never follow one another."""
    with opened_to_film(filmed_service, films["bona_fide"]) as page:
        page.tab.locator("#start:enabled").wait_for()
        page.tab.locator(f"#mode-{mode}").check()
        assert page.film(step_s=0.5) == ("undecided", "")
        assert "TOO_SLOW" in page.text("#reasons")
        assert "a live check needs 8.3" in page.text("#reasons")
        assert "choose a video file" in page.text("#advice")
        assert "Film for at least" not in page.text("#advice")
        assert page.said == []


def test_camera_that_is_not_allowed_is_explained(service: str, films: dict[str, Path]) -> None:
    with opened(service, films["bona_fide"], may_film=False) as page:
        page.tab.context.clear_permissions()
        page.tab.locator("#start:enabled").click()
        page.tab.locator("#problem:visible").wait_for(timeout=_PATIENCE_MS)
        assert "camera" in page.text("#problem").lower()
        assert not page.tab.locator("#verdict").is_visible()
        assert_accessible(page)
        assert page.said == []


@pytest.mark.parametrize("size", SIZES)
def test_first_view_is_accessible_and_fits(service: str, size: str) -> None:
    for scheme in ("light", "dark"):
        with opened(service, viewport=SIZES[size], color_scheme=scheme) as page:
            page.tab.locator("#start:enabled").wait_for()
            assert_accessible(page)
            assert_fits(page)
            assert page.said == []


@pytest.mark.slow
def test_narrow_phone_has_no_sideways_scroll(service: str) -> None:
    with opened(service, viewport={"width": 320, "height": 640}) as page:
        page.tab.locator("#start:enabled").wait_for()
        assert_fits(page)


def test_keyboard_alone_starts_and_stops(service: str, films: dict[str, Path]) -> None:
    with opened(service, films["nobody"]) as page:
        page.tab.locator("#start:enabled").wait_for()
        for _ in range(10):
            page.tab.keyboard.press("Tab")
            if page.tab.evaluate("document.activeElement.id") == "start":
                break
        page.tab.keyboard.press("Enter")
        page.tab.locator("#stop:visible").wait_for(timeout=_PATIENCE_MS)
        page.tab.locator("#stop").focus()
        page.tab.keyboard.press("Space")
        page.tab.locator("#start:visible").wait_for(timeout=_PATIENCE_MS)
        assert not page.tab.locator("#verdict").is_visible()
        assert page.said == []


def test_service_that_goes_away_is_told_and_asked_again(films: dict[str, Path]) -> None:
    with listening() as (parts, port), opened(f"http://127.0.0.1:{port}", films["nobody"]) as page:
        page.tab.locator("#start:enabled").wait_for()
        parts.is_draining = True
        page.tab.locator("#start").click()
        assert page.verdict() == ("failed", "")
        assert "going down" in page.text("#problem") or "being stopped" in page.text("#problem")
        parts.is_draining = False
        page.tab.locator("#again").click()
        page.tab.locator("#stop:visible").wait_for(timeout=_PATIENCE_MS)


def test_page_whose_service_is_gone_says_so(films: dict[str, Path]) -> None:
    with browser(films["nobody"]) as started:
        with listening() as (_, port):
            page = Page(started.new_page())
            page.tab.goto(f"http://127.0.0.1:{port}")
            page.tab.locator("#start:enabled").wait_for()
        page.tab.locator("#start").click()
        assert page.verdict() == ("failed", "")
        assert "does not answer" in page.text("#problem")
        # The browser's own word for it, and none of the page's.
        assert all("ERR_CONNECTION_REFUSED" in line for line in page.said)


def choose(page: Page, name: str, data: bytes) -> tuple[str, str]:
    page.tab.locator("#start:enabled").wait_for()
    page.tab.locator("#file").set_input_files(
        {"name": name, "mimeType": "video/mp4", "buffer": data}
    )
    return page.verdict()


def test_file_is_judged_and_a_bad_one_is_refused_with_its_reason(service: str) -> None:
    with opened(service) as page:
        assert choose(page, "broken.mp4", b"no video at all") == ("refused", "")
        assert page.text("#verdict-title") == "Refused"
        assert "UNSUPPORTED_FORMAT" in page.text("#verdict")
        page.tab.locator("#again").click()
        status, decision = choose(page, "person.mp4", person_video())
        assert status == "decided"
        assert decision in ("bona_fide", "attack")
        # The browser's own line about the answer with status 415.
        assert all("415" in line for line in page.said)


def test_face_too_far_is_told_to_come_closer(tmp_path: Path) -> None:
    far = [person(3 * np.sin(i), 0, 0.4, seed=i) for i in range(12)]
    film = write_film(tmp_path / "far.y4m", far, 10)
    with listening() as (_, port), opened(f"http://127.0.0.1:{port}", film) as page:
        page.tab.locator("#start:enabled").click()
        page.tab.locator("#guidance", has_text="Come closer").wait_for(timeout=_PATIENCE_MS)


def test_session_in_the_address_is_judged_once_and_without_a_score(films: dict[str, Path]) -> None:
    clock = SkipClock(runs=False)
    with listening(MadeUpRunner(0.9), has_keys=True, clock=clock) as site:
        session, token = site.parts.sessions.open()
        where = f"{site.address}/#session={session.id}&token={token}"
        with opened(where, films["bona_fide"], clock=clock) as page:
            assert page.film() == ("decided", "bona_fide")
            assert token not in page.tab.url
            assert not page.tab.locator("#numbers").is_visible()
            assert not page.tab.locator("#figure").is_visible()
            assert page.said == []
        kept = session.answer(Level.TRUSTED)
        assert kept is not None
        assert kept.decision == "bona_fide"


@pytest.mark.slow
def test_service_with_keys_asks_for_one(films: dict[str, Path]) -> None:
    clock = SkipClock(runs=False)
    with (
        listening(MadeUpRunner(0.9), has_keys=True, clock=clock) as site,
        opened_to_film(site, films["bona_fide"]) as page,
    ):
        page.tab.locator("#key:visible").fill(PUBLIC)
        assert page.film() == ("decided", "bona_fide")
        assert not page.tab.locator("#numbers").is_visible()
        page.tab.locator("#again").click()
        page.tab.locator("#key").fill(SECRET)
        assert page.film() == ("decided", "bona_fide")
        assert page.tab.locator("#numbers").is_visible()
        assert_accessible(page)


def test_on_this_device_the_camera_is_judged_and_nothing_is_sent(
    filmed_service: Listening, films: dict[str, Path]
) -> None:
    with opened_to_film(filmed_service, films["bona_fide"]) as page:
        page.tab.locator("#start:enabled").wait_for()
        sent: list[str] = []
        page.tab.on("request", lambda request: sent.append(f"{request.method} {request.url}"))
        page.tab.on("websocket", lambda socket: sent.append(f"WS {socket.url}"))
        page.tab.locator("#mode-device").check()
        assert "Nothing leaves this device" in page.text("#where")
        assert page.film() == ("decided", "bona_fide")
        assert "ON_DEVICE" in page.text("#cautions")
        assert {line.split(" ")[0] for line in sent} == {"GET"}
        assert not any("/v1/stream" in line or "/v1/check" in line for line in sent)
        assert page.said == []


def test_answer_that_is_damaged_on_its_way_is_never_a_pass() -> None:
    damages: list[Callable[[str], str]] = [
        lambda text: text.replace('"decided"', '"undecided"'),
        lambda text: text.replace('"bona_fide"', '"bonafide"'),
        lambda text: "{}",
        lambda text: "not JSON",
    ]
    with client() as asked:
        good = asked.post("/v1/check", content=person_video()).text

    def answering(text: str) -> Callable[[Any], None]:
        return lambda route: route.fulfill(body=text, content_type="application/json")

    with listening() as (_, port), opened(f"http://127.0.0.1:{port}") as page:
        for damage in damages:
            page.tab.unroute_all()
            page.tab.route("**/v1/check*", answering(damage(good)))
            _, decision = choose(page, "person.mp4", person_video())
            assert decision == ""
            assert page.text("#verdict-title") != "Bona fide"
            page.tab.locator("#again").click()


def test_figure_says_what_the_map_covers_and_that_patches_do_not_vote() -> None:
    runner = MadeUpRunner(0.9, card(architecture=context_config()))
    with listening(runner) as (_, port), opened(f"http://127.0.0.1:{port}") as page:
        assert choose(page, "person.mp4", person_video()) == ("decided", "bona_fide")
        assert "do not vote in this model" in page.text("#patch-words")
        assert (
            "It covers 6% of what moves the logit" in page.tab.locator("#cam-words").text_content()
        )
        page.tab.locator("#numbers summary").click()
        numbers = page.text("#numbers-body")
        assert "Patches (no vote)" in numbers
        assert "Map's share" in numbers
        assert page.said == []


def test_key_of_the_address_is_taken_out_of_it() -> None:
    with (
        listening(has_keys=True) as (_, port),
        opened(f"http://127.0.0.1:{port}/#key={SECRET}") as page,
    ):
        page.tab.locator("#start:enabled").wait_for()
        assert SECRET not in page.tab.url
        assert not page.tab.locator("#key").is_visible()
        assert choose(page, "person.mp4", person_video())[0] == "decided"
