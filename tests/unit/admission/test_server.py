"""The server that Kopf's handlers answer through: real HTTPS, and the real handlers behind it."""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator, Mapping
from typing import Any, cast

import aiohttp
import kopf
import orjson
import pytest
from kopf._cogs.structs.references import Insights, Resource
from kopf._core.engines.admission import serve_admission_request
from kopf._core.reactor.inventory import ResourceMemories

from stint.admission import main
from stint.admission.answer import Answer, decision_of
from stint.admission.main import registry
from stint.admission.process import Admission
from stint.admission.server import AdmissionServer
from stint.identity import CREATED_BY, CREATED_BY_GROUPS
from stint.settings import Settings
from stint.telemetry import metrics
from unit.budgets.kit import COST_10_DAILY, Json
from unit.certificates.kit import NAMES, NOW, pair

PLURALS = ("agentsessions", "ratebudgets", "agentprofiles", "modelproviders")


def session(name: str = "fix", annotations: Json | None = None, **spec: Any) -> Json:
    meta = {"name": name, "namespace": "a", "uid": f"u-{name}", "annotations": annotations or {}}
    return {"apiVersion": "stint.dev/v1alpha1", "kind": "AgentSession", "metadata": meta, "spec": {"prompt": "x", **spec}}


class Endpoint:
    """The server as the API server sees it."""

    def __init__(self, process: Admission, memories: ResourceMemories) -> None:
        self.process = process
        self.memories = memories
        self.seen: list[tuple[str, tuple[str, str]]] = []
        self.url = ""
        self.http: aiohttp.ClientSession

    def observe(self, handler: str, told: Mapping[str, Any] | None, seconds: float) -> None:
        assert seconds >= 0
        self.seen.append((handler, decision_of(told)))
        self.process.answered(handler, told, seconds)

    async def post(self, handler: str, body: bytes) -> tuple[int, Json]:
        async with self.http.post(f"{self.url}/{handler}", data=body) as answer:
            text = await answer.read()
            return answer.status, orjson.loads(text) if answer.status == 200 else {}

    async def review(
        self, handler: str, item: Json | None, old: Json | None = None, *, plural: str = "agentsessions", dry_run: bool = False
    ) -> Json:
        request = {
            "uid": "r-1",
            "resource": {"group": "stint.dev", "version": "v1alpha1", "resource": plural},
            "operation": "UPDATE" if old else "CREATE",
            "userInfo": {"username": "alice", "groups": ["devs", "system:authenticated"]},
            "object": item,
            "oldObject": old,
            "dryRun": dry_run,
        }
        status, answer = await self.post(handler, orjson.dumps({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}))
        assert status == 200
        found: Json = answer["response"]
        return found


@pytest.fixture
async def endpoint(tmp_path: Any, unused_tcp_port: int) -> AsyncIterator[Endpoint]:
    process = Admission(Settings(), clock=lambda: NOW)
    memories = ResourceMemories()
    endpoint = Endpoint(process, memories)
    insights = Insights()
    insights.webhook_resources.update(Resource("stint.dev", "v1alpha1", plural, namespaced=True) for plural in PLURALS)
    settings = kopf.OperatorSettings()

    async def ask(review: Any, **more: Any) -> Any:
        return await serve_admission_request(
            review, **more, settings=settings, memories=memories, memobase=cast(Any, process), registry=registry, insights=insights, indices={}
        )  # fmt: skip

    serving = pair()
    for name, content in (("crt", serving.certificate), ("key", serving.key)):
        (tmp_path / name).write_bytes(content)
    process.certificate.context.load_cert_chain(tmp_path / "crt", tmp_path / "key")
    server = AdmissionServer(process.certificate.context, unused_tcp_port, process.listening, endpoint.observe)(ask)
    assert not process.listening.is_set()
    await anext(server)
    assert process.listening.is_set()
    endpoint.url = f"https://127.0.0.1:{unused_tcp_port}"
    context = ssl.create_default_context(cadata=serving.authorities.decode())
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context), headers={"Host": NAMES[0]}) as http:
        endpoint.http = http
        context.check_hostname = False
        yield endpoint
    await server.aclose()  # type: ignore[attr-defined]


def patched(response: Json) -> list[Json]:
    assert response["patchType"] == "JSONPatch"
    found: list[Json] = orjson.loads(base64.b64decode(response["patch"]))
    return found


async def test_a_new_session_is_stamped_with_who_creates_it(endpoint: Endpoint) -> None:
    item = session(annotations={"team": "search"})
    operations = patched(await endpoint.review("created-by", item))
    assert {operation["path"].rpartition("/")[2]: operation["value"] for operation in operations} == {
        "stint.dev~1created-by": "alice",
        "stint.dev~1created-by-groups": "devs\nsystem:authenticated",
    }


async def test_an_object_without_annotations_gets_some(endpoint: Endpoint) -> None:
    item = session()
    del item["metadata"]["annotations"]
    assert b"alice" in orjson.dumps(patched(await endpoint.review("created-by", item)))


async def test_what_the_user_has_written_is_overwritten(endpoint: Endpoint) -> None:
    operations = patched(await endpoint.review("created-by", session(annotations={CREATED_BY: "bob", CREATED_BY_GROUPS: "admins"})))
    assert [(operation["op"], operation["value"]) for operation in operations] == [("replace", "alice"), ("replace", "devs\nsystem:authenticated")]


async def test_a_change_keeps_what_was_there_before(endpoint: Endpoint) -> None:
    old = session(annotations={CREATED_BY: "carol"})
    operations = patched(await endpoint.review("created-by", session(annotations={CREATED_BY: "bob", CREATED_BY_GROUPS: "admins"}), old))
    assert {operation["op"]: operation.get("value") for operation in operations} == {"replace": "carol", "remove": None}


async def test_a_change_that_leaves_it_alone_is_not_patched(endpoint: Endpoint) -> None:
    old = session(annotations={CREATED_BY: "carol"})
    response = await endpoint.review("created-by", session(annotations={CREATED_BY: "carol"}, suspend=True), old)
    assert response["allowed"]
    assert "patch" not in response


async def test_warnings_and_refusals_reach_the_user(endpoint: Endpoint) -> None:
    response = await endpoint.review("agentsession", session(providerRef={"name": "late"}))
    assert response["allowed"]
    assert "there is no ModelProvider late" in response["warnings"][0]
    response = await endpoint.review("agentsession", session(limits={"cost": "1e3"}))
    assert not response["allowed"]
    assert response["status"] == {"code": 422, "message": "spec: not an amount of money: '1e3'"}
    assert endpoint.seen == [("agentsession", ("Warned", "")), ("agentsession", ("Denied", "InvalidObject"))]


@pytest.mark.parametrize(
    ("handler", "plural", "bad"),
    [
        ("ratebudget", "ratebudgets", {"limits": [{**COST_10_DAILY, "timeZone": "Mars/X"}], "reserve": {"cost": "1"}}),
        ("agentprofile", "agentprofiles", {"limits": {"timeout": "soon"}}),
        ("modelprovider", "modelproviders", {"endpoint": 5}),
    ],
)
async def test_every_kind_has_its_path(endpoint: Endpoint, handler: str, plural: str, bad: Json) -> None:
    item = {"metadata": {"name": "x", "namespace": "a"}, "spec": bad}
    assert (await endpoint.review(handler, item, plural=plural))["status"]["code"] == 422


async def test_a_dry_run_counts_nowhere(endpoint: Endpoint) -> None:
    process = endpoint.process
    process.world.providers.take({"metadata": {"name": "default", "namespace": "stint-system", "uid": "p", "resourceVersion": "1"}, "spec": {}})
    meta = {"name": "team", "namespace": "a", "uid": "b", "resourceVersion": "1"}
    busy = {"name": "busy", "resource": "concurrency", "limit": "1"}
    process.world.budgets.take({"metadata": meta, "spec": {"limits": [busy], "atLimit": "Reject"}})
    tried = [(await endpoint.review("agentsession", session(f"s{n}"), dry_run=True))["allowed"] for n in range(2)]
    made = [await endpoint.review("agentsession", session(f"s{n}")) for n in range(2)]
    assert tried == [True, True]
    assert [each["allowed"] for each in made] == [True, False]
    assert made[1]["status"]["code"] == 429
    assert endpoint.seen[-2:] == [("agentsession", ("Allowed", "")), ("agentsession", ("Denied", "BudgetRejected"))]


async def test_answers_are_counted_by_kind_decision_and_reason_but_not_those_to_paths_that_are_none(endpoint: Endpoint) -> None:
    def counted() -> dict[tuple[str, ...], float]:
        (family,) = [each for each in metrics.admission.registry.collect() if each.name == "stint_admission_requests"]
        return {tuple(each.labels.values()): each.value for each in family.samples if each.name.endswith("_total")}

    before = counted()
    await endpoint.review("ratebudget", {"metadata": {"name": "x", "namespace": "a"}, "spec": {"limits": 5}}, plural="ratebudgets")
    await endpoint.post("whatever", b"{}")
    after = counted()
    assert {labels: count - before.get(labels, 0) for labels, count in after.items() if count != before.get(labels)} == {
        ("RateBudget", "Denied", "InvalidObject"): 1
    }


def test_a_handler_that_failed_is_a_refusal_of_its_own() -> None:
    assert decision_of({"allowed": False, "status": {"code": 500}}) == ("Denied", "HandlerFailed")


async def test_kopf_does_not_remember_each_object_that_is_changed(endpoint: Endpoint) -> None:
    for number in range(5):
        await endpoint.review("agentsession", session(f"s{number}", suspend=True), session(f"s{number}"))
    assert len(endpoint.memories._items) == 1


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"{}", b'{"request": {}}', b'{"request": {"object": {"metadata": 1}}}'])
async def test_what_is_no_review_is_a_bad_request(endpoint: Endpoint, body: bytes, caplog: pytest.LogCaptureFixture) -> None:
    status, _ = await endpoint.post("agentsession", body)
    assert status == 400
    assert endpoint.seen == [("agentsession", ("Denied", "NotAReview"))]
    assert "is no AdmissionReview" in caplog.text


async def test_the_server_ends_when_it_is_told_to(unused_tcp_port: int) -> None:
    server = AdmissionServer(ssl.create_default_context(ssl.Purpose.CLIENT_AUTH), unused_tcp_port, asyncio.Event(), lambda *_: None)(None)
    await anext(server)
    again = asyncio.ensure_future(anext(server))
    await asyncio.sleep(0)
    assert not again.done()
    again.cancel()
    await asyncio.gather(again, return_exceptions=True)
    with pytest.raises(OSError):
        await asyncio.open_connection("127.0.0.1", unused_tcp_port)


def test_an_answer_without_refusal_raises_nothing() -> None:
    warnings: list[str] = []
    main.say(Answer(("mind",)), warnings)
    assert warnings == ["mind"]
