"""What Prometheus is told: numbers by label, and no label with anybody's name in it."""

import dataclasses

import pytest
from prometheus_client.parser import text_string_to_metric_families

from made_up import MadeUpRunner
from people import person_video
from services import SECRET, bearer, client
from text_session import TextSession, seen
from vivant.serving.counters import Counters
from vivant.session.verdict import Timings, Verdict


def samples(counters: Counters) -> dict[tuple[str, ...], float]:
    """Each value by its name and the values of its labels."""
    return {
        (sample.name, *map(sample.labels.get, sorted(sample.labels, reverse=True))): sample.value
        for family in text_string_to_metric_families(counters.text().decode())
        for sample in family.samples
    }


def verdict_of(*greys: int, score: float = 0.9, timings: Timings | None = None) -> Verdict:
    verdict = TextSession(MadeUpRunner(score)).conclude([seen(greys)])[0]
    return verdict if timings is None else dataclasses.replace(verdict, timings=timings)


def test_verdicts_are_counted_by_decision_and_reason() -> None:
    counters = Counters(lambda: 0, lambda: True)
    for verdict in (verdict_of(10), verdict_of(10), verdict_of(10, score=0.1), verdict_of()):
        counters.count(verdict)
    values = samples(counters)
    assert values["vivant_verdicts_total", "bona_fide"] == 2
    assert values["vivant_verdicts_total", "attack"] == 1
    assert values["vivant_verdicts_total", "no_decision"] == 1
    assert values["vivant_reasons_total", "NO_FACE"] == 1
    assert [key for key in values if key[0] == "vivant_reasons_total"] == [
        ("vivant_reasons_total", "NO_FACE")
    ]


def test_times_are_summed_by_stage_and_fall_in_their_bucket() -> None:
    counters = Counters(lambda: 0, lambda: True)
    for decode_s in (0.1, 0.3):
        counters.count(verdict_of(10, timings=Timings(decode_s, 0.5, 0.02, 1.25)))
    values = samples(counters)
    assert values["vivant_check_seconds_count", "decode"] == 2
    assert values["vivant_check_seconds_sum", "decode"] == pytest.approx(0.4)
    assert values["vivant_check_seconds_sum", "faces"] == pytest.approx(1.0)
    assert values["vivant_check_seconds_sum", "network"] == pytest.approx(0.04)
    assert values["vivant_check_seconds_sum", "total"] == pytest.approx(2.5)
    assert values["vivant_check_seconds_bucket", "decode", "0.1"] == 1
    assert values["vivant_check_seconds_bucket", "decode", "0.35"] == 2
    assert values["vivant_check_seconds_bucket", "total", "1.0"] == 0
    assert values["vivant_check_seconds_bucket", "total", "1.5"] == 2


def test_gauges_are_read_when_they_are_asked() -> None:
    now = {"pending": 3, "ready": False}
    counters = Counters(lambda: now["pending"], lambda: bool(now["ready"]))
    values = samples(counters)
    assert (values["vivant_pending",], values["vivant_ready",]) == (3, 0)
    now.update(pending=0, ready=True)
    values = samples(counters)
    assert (values["vivant_pending",], values["vivant_ready",]) == (0, 1)


def test_two_services_of_one_process_do_not_count_together() -> None:
    one, other = (Counters(lambda: 0, lambda: True) for _ in range(2))
    one.count(verdict_of(10))
    assert ("vivant_verdicts_total", "bona_fide") not in samples(other)


def test_labels_have_codes_and_routes_and_no_names() -> None:
    with client(has_keys=True) as asked:
        opened = asked.post("/v1/sessions", headers=bearer(SECRET)).json()
        media = f"/v1/sessions/{opened['id']}/media"
        asked.put(media, content=person_video(), headers=bearer(opened["token"]))
        asked.post("/v1/check", files={"media": ("alice.mp4", b"no video")}, headers=bearer(SECRET))
        asked.get("/page/alice.js?who=alice")
        text = asked.get("/metrics", headers=bearer(SECRET)).text
    families = list(text_string_to_metric_families(text))
    labels = {name for family in families for one in family.samples for name in one.labels}
    assert labels <= {"route", "status", "decision", "reason", "code", "stage", "le"}
    for word in ("alice", "backend", SECRET, opened["id"], opened["token"], "testclient"):
        assert word not in text, word
    assert 'route="/v1/sessions/{session_id}/media",status="200"' in text
