"""The page's judge on the device, in Debian's Chromium, against the Python it was ported from."""

import base64
import gzip
import io
import json
import threading
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from browser import browser, needs_browser
from context_models import context_config, save_context_model
from device_films import FILMS, NOT_HERE, people
from device_site import MODELS, WASM_GZ, Site, Tab, show
from made_up import POINT, TRAINED, MadeUpRunner, card
from people import person
from vivant.export.export import export_graph
from vivant.faces.detectors.blazeface import blazeface
from vivant.faces.limits import QualityLimits
from vivant.faces.mesh import FaceMesh, region_of_box
from vivant.geometry.crop import CropBox, crop_box, cut
from vivant.networks.card import read_card
from vivant.records import FaceBox, Frame
from vivant.runtimes.onnx import OnnxRunner
from vivant.session.report import CheckRecord, of_verdict
from vivant.session.session import STARTER, Session
from vivant.session.verdict import Decision, Verdict
from vivant.video.keep import FrameKeeper
from vivant.video.sampling import choose_windows, near_grid

pytestmark = needs_browser


@pytest.fixture(scope="module")
def tab() -> Iterator[Tab]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    with browser() as opened:
        page = opened.new_page()
        page.goto(f"http://127.0.0.1:{server.server_port}/")
        yield Tab(page)
    server.shutdown()
    thread.join()
    server.server_close()
    Site.frames.clear()


@pytest.fixture(autouse=True)
def quiet(tab: Tab) -> Iterator[None]:
    """No test leaves a word in the console but those that break something."""
    tab.said.clear()
    yield
    assert tab.said == []


@pytest.fixture(scope="module")
def session() -> Iterator[Session]:
    with Session(OnnxRunner(STARTER, 1), isolated=False) as opened:
        yield opened


def codes(findings: Any) -> list[str]:
    return [one["code"] if isinstance(one, dict) else one.code.value for one in findings]


@pytest.mark.parametrize("num_frames", [10, pytest.param(20, marks=pytest.mark.slow)])
def test_whole_answer_is_that_of_python(num_frames: int, tab: Tab, session: Session) -> None:
    frames = people()[:num_frames]
    expected = session.check_frames(frames, [0.1 * i for i in range(num_frames)])
    found = tab.answer(frames)
    looks, answer = found["looks"], found["answer"]
    assert (answer["decision"] or "no_decision") == expected.decision.value
    assert answer["reasons"] == []
    assert answer["bona_fide_score"] == pytest.approx(expected.bona_fide_score, abs=0.02)
    assert answer["score_spread"] == pytest.approx(expected.score_spread, abs=0.02)
    assert codes(answer["cautions"]) == [*codes(expected.cautions), "ON_DEVICE"]
    assert answer["cautions"][0]["message"] == expected.cautions[0].message
    for window, result in zip(answer["windows"], expected.windows, strict=True):
        assert window["times_s"] == pytest.approx(result.times_s)
        crop = result.crop
        ends = [crop.x, crop.y, crop.x + crop.side_px, crop.y + crop.side_px]
        assert window["crop_box"] == pytest.approx(ends, abs=1)
    assert [look["is_usable"] for look in looks] == [True] * num_frames
    assert [look["num_windows"] for look in looks[:9]] == [0, 0, 0, 0, 1, 2, 3, 4, 4]
    assert all(look["hints"] == [] for look in looks)


def test_answer_is_a_whole_check_record_with_advice_and_explanation(tab: Tab) -> None:
    answer = tab.answer(people()[:9])["answer"]
    assert answer.pop("advice") == []
    explanation = answer.pop("explanation")
    assert answer["model"].pop("note").startswith("trained on simulated attacks")
    on_device = answer["cautions"].pop()
    assert on_device["code"] == "ON_DEVICE"
    assert "can change the answer" in on_device["message"]
    CheckRecord.model_validate(answer)
    lowest = min(answer["windows"], key=lambda window: window["bona_fide_score"])
    assert explanation["bona_fide_score"] == lowest["bona_fide_score"]
    assert np.shape(explanation["depth"]) == (4, 14, 14)
    assert np.shape(explanation["cam"]) == (5, 5)
    assert np.shape(explanation["anchor_boxes"]) == np.shape(explanation["patch_boxes"]) == (4, 4)
    for box, patch in zip(explanation["patch_boxes"], lowest["patches"], strict=True):
        x0, y0, x1, _ = lowest["crop_box"]
        scale = (x1 - x0) / explanation["crop_side_px"]
        placed = [
            x0 + box[0] * scale,
            y0 + box[1] * scale,
            x0 + box[2] * scale,
            y0 + box[3] * scale,
        ]
        assert patch["patch_box"] == pytest.approx(placed, abs=0.01)
    kind, _, packed = explanation["crop"].partition(",")
    assert kind == "data:image/jpeg;base64"
    shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(packed))).convert("RGB"))
    newest = people()[round(explanation["time_s"] / 0.1)]
    x0, y0, x1, _ = map(round, lowest["crop_box"])
    cropped = cut(newest, CropBox(x0, y0, x1 - x0), 224)
    assert np.abs(shown.astype(int) - cropped).mean() < 4


# Of these one is told by the picture, one by the face's mesh, one by where the face is over time.
FEW = ("TOO_BLURRED", "POSE", "FACE_CHANGED by a jump")


@pytest.mark.parametrize(
    "film",
    [
        pytest.param(film, marks=pytest.mark.slow if film in FEW else pytest.mark.nightly)
        for film in FILMS
    ],
)
def test_reasons_are_those_of_python(film: str, tab: Tab, session: Session) -> None:
    frames = [FILMS[film](i) for i in range(6)]
    expected = session.check_frames(frames, [0.1 * i for i in range(6)])
    answer = tab.answer(frames)["answer"]
    assert expected.decision is Decision.NO_DECISION
    assert (answer["status"], answer["decision"]) == ("undecided", None)
    assert film.split()[0] in codes(answer["reasons"])
    messages = [reason.message for reason in expected.reasons]
    messages = [message for message in messages if not message.startswith(NOT_HERE)]
    # Reasons that are as common as each other are in no order.
    assert sorted(reason["message"] for reason in answer["reasons"]) == sorted(messages)
    assert len(answer["advice"]) == len(set(codes(answer["reasons"])))
    assert (answer["bona_fide_score"] is None) == (expected.bona_fide_score is None)
    if expected.bona_fide_score is not None:
        assert answer["bona_fide_score"] == pytest.approx(expected.bona_fide_score, abs=0.02)


def test_few_frames_are_undecided(tab: Tab) -> None:
    answer = tab.answer(people()[:3])["answer"]
    assert codes(answer["reasons"]) == ["TOO_FEW_FRAMES"]
    assert "PADDED_WINDOW" in codes(answer["cautions"])
    assert answer["decision"] is None


def test_no_frame_at_all_is_undecided(tab: Tab) -> None:
    assert codes(tab.answer([])["answer"]["reasons"]) == ["NO_FACE"]


@pytest.mark.slow
def test_frames_of_another_rate_are_looked_at_as_python_does(tab: Tab, session: Session) -> None:
    rng = np.random.default_rng(3)
    times_s = [i / 25 + rng.uniform(0, 0.02) for i in range(20)]
    expected = session.check_frames(people(), times_s)
    answer = tab.answer(people(), times_s)["answer"]
    assert answer["frames"]["looked_at"] == expected.num_looks < 12
    for window, result in zip(answer["windows"], expected.windows, strict=True):
        assert window["times_s"] == pytest.approx(result.times_s)


@pytest.mark.slow
def test_windows_are_those_of_python(tab: Tab) -> None:
    rng = np.random.default_rng(4)
    films = []
    for _ in range(40):
        times_s = np.cumsum(rng.uniform(0.02, rng.choice([0.1, 0.2, 0.6]), rng.integers(1, 60)))
        films.append([times_s.tolist(), (rng.random(len(times_s)) < 0.9).tolist()])
    found = tab.run(
        """
        const { NearGrid, chooseWindows } = await import("/page/device_windows.js");
        return given.map(([times_s, usable]) => {
          const grid = new NearGrid(0.1);
          const near = times_s.flatMap((time_s) => grid.add({ time_s })).concat(grid.end());
          return [near.map(({ time_s }) => time_s), chooseWindows(times_s, usable, 5, 0.1, 4)];
        });
        """,
        films,
    )
    for (times_s, usable), (near, windows) in zip(films, found, strict=True):
        pixels = np.zeros((1, 1, 3), np.uint8)
        frames = [Frame(pixels, time_s) for time_s in times_s]
        assert near == [frame.time_s for frame in near_grid(frames, 0.1)]
        expected = choose_windows(times_s, usable, 5, 0.1, 4)
        marks = [(tuple(each["frames"]), each["isPadded"], each["isShort"]) for each in windows]
        assert marks == [(each.frames, each.is_padded, each.is_short) for each in expected]


@pytest.mark.slow
def test_long_captures_keep_as_many_frames_as_python_would(tab: Tab) -> None:
    kept = tab.run(
        """
        const { FrameKeeper } = await import("/page/device_windows.js");
        const keeper = new FrameKeeper(5);
        for (let at = 0; at < 600; at += 1) keeper.add(at, { picture: { data: { length: 921600 } } });
        return Array.from({ length: 600 }, (_, at) => at).filter((at) => keeper.has(at));
        """
    )
    keeper = FrameKeeper(5, 128 * 2**20)
    frame = Frame(np.zeros((480, 640, 3), np.uint8), 0.0)
    for at in range(600):
        keeper.add(at, frame)
    assert kept == [at for at in range(600) if at in keeper]


def test_face_is_where_python_finds_it(tab: Tab) -> None:
    frames = [person(60 * k, 10 * k, scale, seed=k) for k, scale in enumerate((1.5, 1.0, 0.4))]
    found = tab.run(
        """
        const { BlazeFace, FaceMesh, regionOfBox } = await import("/page/device_faces.js");
        const { toRgb } = await import("/page/device_pixels.js");
        const { blazeface, faceMesh } = await models();
        const found = [];
        for (const name of given) {
          const picture = toRgb(await load(name));
          const faces = await new BlazeFace(blazeface).detect(picture);
          const region = regionOfBox(faces[0].box, faces[0].eyes);
          found.push({ faces, mesh: await new FaceMesh(faceMesh).fit(picture, region) });
        }
        return found;
        """,
        [show(frame) for frame in frames],
    )
    detector, mesh = blazeface(), FaceMesh()
    for frame, ours in zip(frames, found, strict=True):
        faces = detector.detect(frame)
        assert len(ours["faces"]) == len(faces)
        for face, detection in zip(ours["faces"], faces, strict=True):
            box = detection.box
            assert face["box"] == pytest.approx([box.x0, box.y0, box.x1, box.y1], abs=1)
            assert face["score"] == pytest.approx(detection.score, abs=0.01)
        fitted = mesh.fit(frame, region_of_box(faces[0].box, faces[0].eyes))
        np.testing.assert_allclose(ours["mesh"]["points"], fitted.points, atol=1)
        assert ours["mesh"]["presence_logit"] == pytest.approx(fitted.presence_logit, abs=0.3)


@pytest.mark.parametrize(
    ("scale", "size", "side"),
    [*((1.3, 224, side) for side in (90, 207, 224, 225, 300, 448, 470)),
     *((2.0, 160, side) for side in (90, 160, 207, 320, 470))],
)  # fmt: skip
def test_crop_is_cut_as_for_training(scale: float, size: int, side: int, tab: Tab) -> None:
    longer, shorter = side / scale, 0.93 * side / scale
    frame, face = people()[3], FaceBox(250.0, 180.0, 250.0 + longer, 180.0 + shorter)
    found = tab.run(
        """
        const { cropBox, cutCrop } = await import("/page/device_boxes.js");
        const { toRgb } = await import("/page/device_pixels.js");
        const { face, scale, size, name } = given;
        const box = cropBox(face, 640, 480, scale);
        return { box, data: Array.from(cutCrop(toRgb(await load(name)), box, size).data) };
        """,
        {
            "name": show(frame),
            "face": [face.x0, face.y0, face.x1, face.y1],
            "scale": scale,
            "size": size,
        },
    )
    expected = crop_box(face, 640, 480, scale)
    assert found["box"] == {"x": expected.x, "y": expected.y, "side_px": expected.side_px}
    crop = np.array(found["data"]).reshape(size, size, 3)
    assert np.abs(crop - cut(frame, expected, size).astype(int)).max() <= 1


def test_same_clip_has_the_same_score(tab: Tab, session: Session) -> None:
    crops = [cut(frame, CropBox(205, 125, 224), 224) for frame in people()[:5]]
    wide = [cut(frame, CropBox(157, 77, 320), 160) for frame in people()[:5]]
    scores = session.runner.run(np.stack(crops)[None], np.stack(wide)[None])
    found = tab.run(
        """
        const { scoreClip } = await import("/page/device_capture.js");
        const { toRgb } = await import("/page/device_pixels.js");
        const [crops, wide] = [[], []];
        for (const name of given.crops) crops.push(toRgb(await load(name)).data);
        for (const name of given.wide) wide.push(toRgb(await load(name)).data);
        const { lite, card } = await models();
        const { anchors, ...said } = await scoreClip(lite, card, crops, wide);
        return { anchors, ...said, cam: [...said.cam], depth: [...said.depth] };
        """,
        {"crops": [show(crop) for crop in crops], "wide": [show(crop) for crop in wide]},
    )
    for name in ("bona_fide_score", "advisor_score", "aam_score"):
        assert found[name] == pytest.approx(float(getattr(scores, name)[0]), abs=1e-4)
    assert scores.anchors is not None
    assert scores.depth is not None
    assert found["anchors"] == scores.anchors.reshape(-1).tolist()
    np.testing.assert_allclose(found["cam"], scores.cam.reshape(-1), atol=1e-4)
    np.testing.assert_allclose(found["depth"], scores.depth.reshape(-1), atol=1e-4)


# A capture whose network is a stand-in: it answers always the same and keeps what it was given.
STAND_IN = """
const { Capture } = await import("/page/device_capture.js");
const inputs = [];
const numbers = (num, value = 0) => new Float32Array(num).fill(value);
const lite = {
  async run(...given) {
    inputs.push(given.map(({ data, shape }) => ({ shape, data: Array.from(data) })));
    return {
      bona_fide_score: [0.75], advisor_score: [0.75], aam_score: [0.25],
      advisor_embedding: Float32Array.from({ length: 12 }, (_, at) => (at % 2 ? -1 : 1) * (at + 1)),
      cam: numbers(3 * 25, 0.5), anchors: [0, 10, 24, 48], boxes: numbers(16, 7), depth: numbers(4 * 49),
    };
  },
};
const capture = new Capture({ ...(await models()), lite, card: given.card });
for (const [at, name] of given.names.entries()) await capture.look(await load(name), at / 10);
const answer = await capture.end();
answer.explanation.crop = answer.explanation.crop.length;
return { answer, inputs };
"""


@pytest.fixture(scope="module")
def with_context(tab: Tab) -> tuple[dict[str, Any], list[Any], Verdict]:
    """What the page answers for a model that sees a wider crop, what the model was given, and what
    Python makes of the same frames."""
    frames = people()[:3]
    config = context_config()
    assert config.aam is not None
    aam = config.aam.model_copy(update={"grid_side": 7, "depth_side": 7})
    sees_both = card(architecture=config.model_copy(update={"aam": aam}))
    given = {
        "names": [show(frame) for frame in frames],
        "card": json.loads(sees_both.model_dump_json()),
    }
    found = tab.run(STAND_IN, given)
    with Session(MadeUpRunner(0.75, sees_both), isolated=False) as session:
        expected = session.check_frames(frames, [0.0, 0.1, 0.2])
    return found["answer"], found["inputs"], expected


def test_wider_crop_is_cut_from_the_same_face(
    with_context: tuple[dict[str, Any], list[Any], Verdict],
) -> None:
    answer, inputs, _ = with_context
    (given,) = inputs
    assert [each["shape"] for each in given] == [[1, 3, 224, 224, 3], [1, 3, 160, 160, 3]]
    (window,) = answer["windows"]
    face = FaceBox(*window["face_box"])
    for each, scale, side in zip(given, (1.3, 2.0), (224, 160), strict=True):
        box = crop_box(face, 640, 480, scale)
        crops = np.array(each["data"]).reshape(3, side, side, 3)
        for crop, frame in zip(crops, people()[:3], strict=True):
            assert np.abs(crop - cut(frame, box, side).astype(int)).max() <= 1


def test_answer_with_a_wider_crop_is_that_of_python(
    with_context: tuple[dict[str, Any], list[Any], Verdict],
) -> None:
    answer, _, verdict = with_context
    explanation = answer["explanation"]
    record = of_verdict("camera", verdict).model_dump(mode="json")
    assert (answer["decision"], record["decision"]) == ("bona_fide", "bona_fide")
    assert answer["model"]["patches_vote"] is record["model"]["patches_vote"] is False
    (window,), (expected,) = answer["windows"], record["windows"]
    assert window["map_share"] == pytest.approx(expected["map_share"])
    assert window["map_share"] == explanation["map_share"] == pytest.approx(5 / 78)
    assert np.shape(explanation["cam"]) == (5, 5)
    assert np.shape(explanation["depth"]) == (4, 7, 7)
    assert explanation["crop"] == 224 * 224 * 3
    assert [patch["cell"] for patch in window["patches"]] == [0, 10, 24, 48]
    assert [patch["time_s"] for patch in window["patches"]] == [0.2] * 4
    corners = [box[:2] for box in explanation["anchor_boxes"]]
    assert corners == [[0, 0], [84, 28], [84, 84], [168, 168]]
    assert codes(answer["cautions"]) == [*codes(verdict.cautions), "ON_DEVICE"]


def test_model_without_patches_is_explained_by_its_map(tab: Tab) -> None:
    names = [show(frame) for frame in people()[:3]]
    config = context_config().model_copy(update={"aam": None})
    given = {"names": names, "card": json.loads(card(architecture=config).model_dump_json())}
    body = STAND_IN.replace(
        "anchors: [0, 10, 24, 48], boxes: numbers(16, 7), depth: numbers(4 * 49),", ""
    )
    answer = tab.run(body, given)["answer"]
    assert (answer["decision"], answer["model"]["patches_vote"]) == ("bona_fide", None)
    assert answer["windows"][0]["aam_score"] is None
    assert answer["windows"][0]["patches"] == answer["explanation"]["patch_boxes"] == []
    assert np.shape(answer["explanation"]["cam"]) == (5, 5)


@pytest.mark.slow
def test_graph_with_a_wider_crop_answers_as_in_python(
    tab: Tab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page loads another model, whose card says that it sees both crops."""
    graph = export_graph(save_context_model(tmp_path), tmp_path / "graph").card_path
    decides = read_card(graph).model_copy(update={"training": TRAINED, "operating_point": POINT})
    monkeypatch.setitem(Site.replaced, f"models/{STARTER.name}", decides.model_dump_json().encode())
    monkeypatch.setitem(
        Site.replaced, f"models/{STARTER.with_suffix('').name}", graph.with_suffix("").read_bytes()
    )
    tab.run("window.device?.close(); delete window.device;")
    answer = tab.answer(people()[:3])["answer"]
    tab.run("window.device.close(); delete window.device;")
    with Session(OnnxRunner(graph, 1), isolated=False) as session:
        expected = session.check_frames(people()[:3], [0.0, 0.1, 0.2])
    assert answer["status"] == "decided"
    assert answer["bona_fide_score"] == pytest.approx(expected.bona_fide_score, abs=0.02)
    assert answer["windows"][0]["map_share"] == pytest.approx(
        expected.windows[0].map_share, abs=0.02
    )


def test_limits_are_those_of_python(tab: Tab) -> None:
    limits = tab.run("return (await import('/page/device_quality.js')).LIMITS")
    expected = QualityLimits().model_dump()
    not_here = {"min_likeness", "max_colour_change"}
    assert {name for name, limit in limits.items() if limit is None} == not_here
    assert limits == {name: None if name in not_here else x for name, x in expected.items()}


@pytest.mark.parametrize(
    ("change", "status", "decision", "reasons"),
    [
        ({"operating_point": {"threshold": 1e-6}}, "decided", "bona_fide", []),
        ({"operating_point": {"threshold": 1.0}}, "decided", "attack", []),
        ({"training": None}, "undecided", None, ["UNTRAINED_MODEL"]),
        ({"operating_point": None}, "undecided", None, ["NO_OPERATING_POINT"]),
        ({"quality_limits": {"min_face_px": 400}}, "undecided", None, ["FACE_TOO_SMALL"]),
    ],
)
def test_decision_follows_the_card(
    change: dict[str, Any], status: str, decision: str | None, reasons: list[str], tab: Tab
) -> None:
    answer = tab.run(
        """
        const { Capture } = await import("/page/device_capture.js");
        const known = await models();
        const capture = new Capture({ ...known, card: { ...known.card, ...given.change } });
        for (const [at, name] of given.names.entries()) await capture.look(await load(name), at / 10);
        return capture.end();
        """,
        {"names": [show(frame) for frame in people()[:5]], "change": change},
    )
    assert (answer["status"], answer["decision"]) == (status, decision)
    assert codes(answer["reasons"]) == reasons


def test_what_is_no_score_or_no_threshold_is_no_pass(tab: Tab) -> None:
    said = tab.run(
        """
        const { decide } = await import("/page/device_answer.js");
        const tried = (score, threshold, reasons = []) => {
          try { return decide(score, { operating_point: { threshold } }, reasons).decision; }
          catch { return "an error"; }
        };
        const none = [NaN, null, undefined, 1.5, -0.1, "0.9", Infinity, [0.9]];
        return [[tried(0.5, 0.5), tried(0.49, 0.5), tried(0.9, 0.5, [{ code: "POSE" }])],
          none.map((score) => tried(score, 0.5)), none.map((threshold) => tried(0.9, threshold))];
        """
    )
    assert said == [["bona_fide", "attack", None], ["an error"] * 8, ["an error"] * 8]


@pytest.mark.slow
def test_capture_with_a_hole_is_refused(tab: Tab) -> None:
    names = [show(people()[0]), show(people()[1][:400])]
    trouble, answer = tab.run(
        """
        const device = await opened();
        await device.begin();
        await device.look(await load(given[0]), 0);
        const trouble = await device.look(await load(given[1]), 0.1).catch((error) => error.message);
        return [trouble, await device.end()];
        """,
        names,
    )
    assert trouble == "expected a frame of 640x480, got 640x400"
    assert (answer["status"], answer["decision"], answer["code"]) == ("refused", None, "FAILED")
    assert codes(answer["cautions"]) == ["ON_DEVICE"]


def test_loading_tells_how_far_it_is(tab: Tab) -> None:
    progress = tab.run(
        "window.device?.close(); delete window.device; await opened(); return progress"
    )
    loaded = [each["loaded"] for each in progress]
    assert loaded == sorted(loaded)
    whole = len(gzip.decompress(WASM_GZ.read_bytes()))
    whole += sum(file.stat().st_size for file in MODELS if file.suffix == ".onnx")
    assert {each["total"] for each in progress} == {whole}
    assert loaded[-1] == whole


@pytest.mark.slow
def test_damaged_network_is_not_opened(tab: Tab, monkeypatch: pytest.MonkeyPatch) -> None:
    card = json.loads(STARTER.read_text())
    card["weights"]["sha256"] = "0" * 64
    monkeypatch.setitem(Site.replaced, f"models/{STARTER.name}", json.dumps(card).encode())
    trouble = tab.run(
        """
        const { openDevice } = await import("/page/device.js");
        return openDevice().then(() => "opened", (error) => error.message);
        """
    )
    assert "it came damaged" in trouble


@pytest.mark.slow
def test_worker_that_does_not_start_is_an_error(tab: Tab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(Site.replaced, "device_worker.js", b"throw new Error('broken')")
    trouble = tab.run(
        """
        const { openDevice } = await import("/page/device.js");
        return openDevice().then(() => "opened", (error) => error.message);
        """
    )
    assert "broken" in trouble
    tab.said.clear()
