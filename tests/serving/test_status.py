"""What a supervisor, a proxy, Prometheus and the page ask."""

import re

from people import person_video
from services import PUBLIC, SECRET, bearer, client, service
from vivant.serving.app import create_app


def test_ready_only_after_the_self_test_and_until_the_end_is_near() -> None:
    from starlette.testclient import TestClient

    with service() as parts:
        app = create_app(parts, None)
        early = TestClient(app)  # Outside `with`: the application has not started.
        assert early.get("/livez").status_code == 200
        assert early.get("/readyz").json()["code"] == "NOT_READY"
        assert early.post("/v1/check", content=person_video()).json()["code"] == "NOT_READY"
        with TestClient(app) as asked:
            assert asked.get("/readyz").status_code == 200
            parts.is_draining = True
            going = asked.get("/readyz")
            assert (going.status_code, going.json()["code"]) == (503, "GOING_DOWN")
            assert asked.get("/livez").status_code == 200
            answer = asked.post("/v1/check", content=person_video())
            assert answer.status_code == 200, "what was on its way is answered"


def test_not_ready_while_nothing_judges() -> None:
    class Gone:
        is_up = False
        num_pending = 0

        async def drain(self) -> None:
            pass

    with client() as asked:
        own = asked.app.state.service.judge
        asked.app.state.service.judge = Gone()
        answer = asked.get("/readyz")
        assert (answer.status_code, answer.json()["code"]) == (503, "NOT_READY")
        assert "vivant_ready 0.0" in asked.get("/metrics").text
        assert asked.get("/livez").status_code == 200
        asked.app.state.service.judge = own
        assert asked.get("/readyz").status_code == 200


def test_metrics_count_what_happened() -> None:
    with client() as asked:
        asked.post("/v1/check", content=person_video())
        asked.post("/v1/check", content=b"no video")
        asked.get("/no-such-page-0123456789")
        text = asked.get("/metrics").text
    counts = dict(re.findall(r"^(\S+) ([\d.]+)$", text, re.MULTILINE))
    assert counts['vivant_requests_total{route="/v1/check",status="200"}'] == "1.0"
    assert counts['vivant_requests_total{route="/v1/check",status="415"}'] == "1.0"
    assert counts['vivant_requests_total{route="other",status="404"}'] == "1.0"
    assert counts['vivant_verdicts_total{decision="bona_fide"}'] == "1.0"
    assert counts['vivant_problems_total{code="UNSUPPORTED_FORMAT"}'] == "1.0"
    assert counts["vivant_ready"] == "1.0"
    assert counts["vivant_pending"] == "0.0"
    assert "0123456789" not in text


def test_metrics_are_for_trusted_keys() -> None:
    with client(has_keys=True) as asked:
        assert asked.get("/metrics").status_code == 401
        assert asked.get("/metrics", headers=bearer(PUBLIC)).status_code == 403
        assert asked.get("/metrics", headers=bearer(SECRET)).status_code == 200
        assert asked.get("/readyz").status_code == 200, "a proxy has no key"


def test_service_says_what_the_page_has_to_know() -> None:
    with client(has_keys=True, max_in_flight=3) as asked:
        said = asked.get("/v1/service").json()
    assert said["needs_key"] is True
    assert said["max_in_flight"] == 3
    assert said["interval_s"] == 0.1
    assert said["model"]["name"] == "made_up"
    assert said["note"] == "trained on made-up:1"
    assert said["on_device"] is True
