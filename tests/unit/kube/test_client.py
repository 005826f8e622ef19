"""Requests as an API server sees them, and answers of every kind."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
import pytest

from simulation.metrics_kit import Grown
from stint.kube.client import KubeClient, _target
from stint.kube.errors import ApiError, Conflict, Expired, NotFound, Refused, Unauthorized, Unreachable
from stint.kube.pool import Pool
from stint.kube.resources import LEASES, PODS, SECRETS, Resource
from unit.kube.kit import Json, Server, document, hang_up, stream, text

SESSIONS = Resource("stint.dev", "v1alpha1", "agentsessions")
Request = Callable[[KubeClient], Awaitable[Any]]


async def watched(client: KubeClient, selector: str = "", version: str = "7") -> list[tuple[str, Json]]:
    return [event async for event in client.watch(PODS, selector=selector, version=version)]


async def paged(client: KubeClient, **options: Any) -> list[tuple[list[Json], str]]:
    return [page async for page in client.pages(PODS, **options)]


async def first_page(client: KubeClient) -> Any:
    return await anext(client.pages(PODS))


REQUESTS: dict[str, Request] = {
    "get": lambda client: client.get(PODS, "a", "b"),
    "create": lambda client: client.create(PODS, "a", {}),
    "status": lambda client: client.write_status(SESSIONS, "a", "b", version="1", uid="u", status={}),
    "patch": lambda client: client.patch(PODS, "a", "b", {}),
    "replace": lambda client: client.replace(PODS, "a", "b", {}),
    "delete": lambda client: client.delete(PODS, "a", "b"),
    "versions": lambda client: client.versions(PODS),
    "pages": first_page,
    "watch": watched,
    "log": lambda client: client.log_tail("a", "b", "agent", 8),
}
every_request = pytest.mark.parametrize("request_", REQUESTS.values(), ids=REQUESTS.keys())


async def test_reading_an_object(client: KubeClient, server: Server) -> None:
    server.answer(document({"kind": "Secret"}))
    assert await client.get(SECRETS, "team-a", "anthropic") == {"kind": "Secret"}
    [asked] = server.asked
    assert (asked.method, asked.path, asked.body) == ("GET", "/api/v1/namespaces/team-a/secrets/anthropic", b"")


async def test_creating_an_object(client: KubeClient, server: Server) -> None:
    server.answer(document({"made": True}, 201))
    assert await client.create(PODS, "team-a", {"kind": "Pod"}) == {"made": True}
    [asked] = server.asked
    assert (asked.method, asked.path, asked.json) == ("POST", "/api/v1/namespaces/team-a/pods", {"kind": "Pod"})
    assert asked.headers["Content-Type"] == "application/json"


async def test_a_status_is_replaced_only_if_version_and_uid_still_hold(client: KubeClient, server: Server) -> None:
    server.answer(document({}))
    await client.write_status(SESSIONS, "team-a", "fix", version="7", uid="u-1", status={"structured": {"answer": None}})
    [asked] = server.asked
    assert (asked.method, asked.path) == ("PATCH", "/apis/stint.dev/v1alpha1/namespaces/team-a/agentsessions/fix/status")
    assert asked.headers["Content-Type"] == "application/json-patch+json"
    assert asked.json == [
        {"op": "replace", "path": "/metadata/resourceVersion", "value": "7"},
        {"op": "replace", "path": "/metadata/uid", "value": "u-1"},
        {"op": "add", "path": "/status", "value": {"structured": {"answer": None}}},
    ]


async def test_other_patches_are_merged(client: KubeClient, server: Server) -> None:
    server.answer(document({}))
    await client.patch(PODS, "team-a", "fix", {"spec": {}})
    [asked] = server.asked
    assert (asked.method, asked.path) == ("PATCH", "/api/v1/namespaces/team-a/pods/fix")
    assert (asked.headers["Content-Type"], asked.json) == ("application/merge-patch+json", {"spec": {}})


@pytest.mark.parametrize(
    ("options", "body"),
    [
        ({}, {"propagationPolicy": "Background"}),
        ({"uid": "u-1"}, {"propagationPolicy": "Background", "preconditions": {"uid": "u-1"}}),
        ({"grace_seconds": 0}, {"propagationPolicy": "Background", "gracePeriodSeconds": 0}),
    ],
)
async def test_a_deletion_names_uid_and_grace_period_if_there_are_any(
    client: KubeClient, server: Server, options: dict[str, Any], body: Json
) -> None:
    server.answer(document({}))
    await client.delete(PODS, "team-a", "fix", **options)
    [asked] = server.asked
    assert (asked.method, asked.path, asked.json) == ("DELETE", "/api/v1/namespaces/team-a/pods/fix", body)


async def test_a_collection_is_read_page_by_page(client: KubeClient, server: Server) -> None:
    server.answer(
        document({"items": [{"n": 1}], "metadata": {"resourceVersion": "9", "continue": "more/1"}}),
        document({"items": [], "metadata": {"resourceVersion": "9", "continue": ""}}),
    )
    assert await paged(client, selector="a=b", chunk=1) == [([{"n": 1}], "9"), ([], "9")]
    assert [asked.query for asked in server.asked] == [
        {"limit": "1", "labelSelector": "a=b"},
        {"limit": "1", "labelSelector": "a=b", "continue": "more/1"},
    ]


async def test_a_collection_of_one_page_is_asked_for_once(client: KubeClient, server: Server) -> None:
    server.answer(document({"items": [], "metadata": {"resourceVersion": "9"}}))
    assert await paged(client, namespace="team-a") == [([], "9")]
    assert [(asked.path, asked.query) for asked in server.asked] == [("/api/v1/namespaces/team-a/pods", {"limit": "100"})]


async def test_a_watch_begins_after_a_version_and_asks_for_bookmarks(client: KubeClient, server: Server) -> None:
    server.answer(stream(b'{"type":"ADDED","object":{"n":1}}\n'))
    assert await watched(client, selector="a=b") == [("ADDED", {"n": 1})]
    [asked] = server.asked
    assert asked.path == "/api/v1/pods"
    assert asked.query["watch"] == asked.query["allowWatchBookmarks"] == "true"
    assert (asked.query["resourceVersion"], asked.query["labelSelector"]) == ("7", "a=b")


async def test_a_watch_without_selector_sends_none(client: KubeClient, server: Server) -> None:
    server.answer(stream())
    assert await watched(client) == []
    assert "labelSelector" not in server.asked[0].query


async def test_events_may_be_cut_anywhere_and_be_of_any_length(client: KubeClient, server: Server) -> None:
    # given two events, the second of a megabyte, in pieces that end inside a line
    long = {"type": "MODIFIED", "object": {"text": "ä" * 500_000}}
    whole = b'{"type":"ADDED","object":{"n":1}}\n\n' + orjson.dumps(long) + b"\n"
    server.answer(stream(whole[:10], whole[10:40], whole[40:300_001], whole[300_001:]))
    # then
    assert await watched(client) == [("ADDED", {"n": 1}), ("MODIFIED", long["object"])]


async def test_a_watch_whose_version_is_too_old_says_so(client: KubeClient, server: Server) -> None:
    server.answer(stream(b'{"type":"ERROR","object":{"code":410,"reason":"Expired","message":"too old"}}\n'))
    with pytest.raises(Expired, match="too old"):
        await watched(client)


async def test_an_error_in_a_watch_without_code_is_an_error_too(client: KubeClient, server: Server) -> None:
    server.answer(stream(b'{"type":"ERROR","object":{"message":"boom"}}\n'))
    with pytest.raises(ApiError, match="500 : boom"):
        await watched(client)


@pytest.mark.parametrize("answer", [stream(b'{"type":"ADD', cut=True), stream(b"<html>no</html>\n")], ids=["cut", "not JSON"])
async def test_a_watch_that_breaks_is_unreachable(client: KubeClient, server: Server, answer: Any) -> None:
    server.answer(answer)
    with pytest.raises(Unreachable, match="the watch on pods broke"):
        await watched(client)


@pytest.mark.parametrize("line", [b"[]", b'"text"', b'{"kind":"Status"}', b'{"type":"ERROR","object":null}', b'{"object":{}}'])
async def test_a_line_that_is_json_but_no_event_is_unreachable(client: KubeClient, server: Server, line: bytes) -> None:
    server.answer(stream(line + b"\n"))
    with pytest.raises(Unreachable, match="no event"):
        await watched(client)


@pytest.mark.parametrize("body", [{"message": "welcome"}, {"items": []}, {"items": [], "metadata": {}}, {"metadata": {"resourceVersion": "1"}}])
async def test_a_list_that_is_an_object_but_no_list_is_unreachable(client: KubeClient, server: Server, body: Json) -> None:
    server.answer(document(body))
    with pytest.raises(Unreachable, match="the list of pods is no list"):
        await paged(client)


async def test_the_end_of_a_log(client: KubeClient, server: Server) -> None:
    server.answer(text(b"last words \xff\n"))
    assert await client.log_tail("team-a", "fix-1", "agent", 8) == "last words \ufffd\n"
    [asked] = server.asked
    assert (asked.path, asked.query) == ("/api/v1/namespaces/team-a/pods/fix-1/log", {"container": "agent", "tailLines": "8"})


@every_request
async def test_a_lost_connection_is_unreachable(client: KubeClient, server: Server, request_: Request) -> None:
    server.answer(hang_up)
    with pytest.raises(Unreachable):
        await request_(client)


@every_request
@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
async def test_an_overloaded_server_is_unreachable(client: KubeClient, server: Server, request_: Request, status: int) -> None:
    server.answer(document({"message": "not now"}, status))
    with pytest.raises(Unreachable, match=f"{status} not now"):
        await request_(client)


@every_request
@pytest.mark.parametrize(("status", "kind"), [(401, Unauthorized), (403, Refused), (404, NotFound), (409, Conflict), (410, Expired), (422, Refused)])
async def test_a_refusal_is_an_error_with_the_servers_words(
    client: KubeClient, server: Server, request_: Request, status: int, kind: type[ApiError]
) -> None:
    server.answer(document({"reason": "Because", "message": "no", "details": {"causes": []}}, status))
    with pytest.raises(kind, match=f"{status} Because: no"):
        await request_(client)


@pytest.mark.parametrize("status", [403, 503])
@pytest.mark.parametrize("body", [b"<html>proxy \xff</html>", b"[]", b'"text"', b""], ids=["HTML", "list", "string", "empty"])
async def test_an_error_that_is_no_status_document_is_shown_as_it_came(client: KubeClient, server: Server, status: int, body: bytes) -> None:
    server.answer(text(body, status))
    with pytest.raises(Refused if status == 403 else Unreachable) as caught:
        await client.get(PODS, "a", "b")
    assert body.decode(errors="replace") in str(caught.value)


async def test_of_a_long_error_page_only_the_beginning_is_shown(client: KubeClient, server: Server) -> None:
    server.answer(text("x" * 5000, 400))
    with pytest.raises(ApiError) as caught:
        await client.get(PODS, "a", "b")
    assert caught.value.message == "x" * 200


@pytest.mark.parametrize("body", ["<html>welcome</html>", "[]", ""], ids=["HTML", "list", "empty"])
async def test_a_success_that_is_no_object_is_unreachable(client: KubeClient, server: Server, body: str) -> None:
    server.answer(text(body))
    with pytest.raises(Unreachable, match="GET /api/v1/namespaces/a/pods/b"):
        await client.get(PODS, "a", "b")


@every_request
async def test_who_is_signed_out_is_unreachable(client: KubeClient, server: Server, request_: Request) -> None:
    client.close()
    with pytest.raises(Unreachable, match="signed out"):
        await request_(client)
    assert server.asked == []


async def test_requests_wait_for_the_first_login(server: Server) -> None:
    # given
    server.answer(document({"kind": "Pod"}))
    client = KubeClient()
    request = asyncio.create_task(client.get(PODS, "a", "b"))
    await asyncio.sleep(0)
    assert not request.done()
    # when
    client.connect(Pool(server.url, limit=1))
    # then
    assert await request == {"kind": "Pod"}
    assert server.asked[0].path == "/api/v1/namespaces/a/pods/b"
    client.close()


async def test_a_new_login_replaces_the_pool(client: KubeClient, server: Server) -> None:
    server.answer(document({}))
    client.connect(Pool(server.url, limit=1, headers=lambda: "Authorization: Bearer new\r\n"))
    await client.get(PODS, "a", "b")
    assert server.asked[0].headers["Authorization"] == "Bearer new"


async def test_a_name_never_becomes_another_path_or_a_line_of_the_request(client: KubeClient, server: Server) -> None:
    server.answer(document({}))
    await client.get(PODS, "a", "b?watch=true HTTP/1.1\tX: y")
    [asked] = server.asked
    assert (asked.path, asked.query) == ("/api/v1/namespaces/a/pods/b?watch=true HTTP/1.1\tX: y", {})
    assert _target("/a\r\nb", {"c": "d\r\ne"}) == "/a%0D%0Ab?c=d%0D%0Ae"


async def test_refusals_do_not_use_up_the_connections(server: Server) -> None:
    """Each answer, good or bad, gives its connection back: the pool has one here."""
    async with asyncio.timeout(20):
        client = KubeClient(Pool(server.url, limit=1))
        server.answer(document({}, 404), document({}, 503), text("no"), stream(b"[\n"), text("log"), document({"fine": True}))
        for request, kind in ((REQUESTS["get"], NotFound), (REQUESTS["watch"], Unreachable), (REQUESTS["get"], Unreachable)):
            with pytest.raises(kind):
                await request(client)
        with pytest.raises(Unreachable):
            await REQUESTS["watch"](client)
        assert await REQUESTS["log"](client) == "log"
        assert await client.get(PODS, "a", "b") == {"fine": True}
        client.close()


async def test_replacing_an_object(client: KubeClient, server: Server) -> None:
    server.answer(document({"made": True}))
    body = {"kind": "Lease", "metadata": {"resourceVersion": "7"}}
    assert await client.replace(LEASES, "stint-system", "stint-controller", body) == {"made": True}
    [asked] = server.asked
    path = "/apis/coordination.k8s.io/v1/namespaces/stint-system/leases/stint-controller"
    assert (asked.method, asked.path, asked.json) == ("PUT", path, body)


async def test_versions_are_read_from_metadata_alone_page_by_page(client: KubeClient, server: Server) -> None:
    def page(name: str, version: str, **meta: str) -> Json:
        return {"metadata": {"resourceVersion": "90", **meta}, "items": [{"metadata": {"uid": name, "resourceVersion": version}}]}

    server.answer(document(page("u-1", "7", **{"continue": "more"})), document(page("u-2", "80")))
    assert await client.versions(PODS, selector="x=y") == {"u-1": 7, "u-2": 80}
    assert [asked.query for asked in server.asked] == [
        {"limit": "500", "labelSelector": "x=y"}, {"limit": "500", "labelSelector": "x=y", "continue": "more"},
    ]  # fmt: skip
    server.answer(document({"metadata": {"resourceVersion": "90"}, "items": None}))
    assert await client.versions(PODS) == {}
    assert {asked.headers["Accept"] for asked in server.asked} == {"application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"}


async def test_watching_one_object(client: KubeClient, server: Server) -> None:
    server.answer(stream(b'{"type": "MODIFIED", "object": {"a": 1}}\n'))
    events = [event async for event in client.watch(LEASES, namespace="stint-system", name="stint-controller", version="7")]
    assert events == [("MODIFIED", {"a": 1})]
    [asked] = server.asked
    assert asked.path == "/apis/coordination.k8s.io/v1/namespaces/stint-system/leases"
    assert (asked.query["fieldSelector"], asked.query["resourceVersion"]) == ("metadata.name=stint-controller", "7")


async def test_every_request_is_counted_by_its_answer(client: KubeClient, server: Server) -> None:
    grown = Grown()
    server.answer(document({}, 201), document({"reason": "NotFound"}, 404), document({}, 503), hang_up)
    await client.create(PODS, "a", {})
    for trouble in (NotFound, Unreachable, Unreachable):
        with pytest.raises(trouble):
            await client.get(PODS, "a", "b")
    assert grown.all("stint_kubernetes_requests_total") == {
        ("201", "pods", "create"): 1, ("404", "pods", "get"): 1, ("503", "pods", "get"): 1, ("none", "pods", "get"): 1,
    }  # fmt: skip


async def test_a_watch_is_counted_as_one(client: KubeClient, server: Server) -> None:
    grown = Grown()
    server.answer(stream(b""))
    await watched(client)
    assert grown.all("stint_kubernetes_requests_total") == {("200", "pods", "watch"): 1}
