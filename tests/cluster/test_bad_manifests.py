"""A real API server refuses what is wrong, in words that say what to write instead, and accepts what is right.

Everything is asked with a dry run over one connection; only the sessions that are to be changed are stored, in a namespace of their
own that holds no credential, so none of them starts. `STINT_TEST_KUBECONFIG` names another API server than the embedded cluster's; the
CRDs have to be installed there.
"""

import json
import os
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cluster.bed import own_namespace
from cluster.kube import MERGE, Kube
from cluster.manifests import Case, Manifest, Update, merged, table
from stint.api.status import SessionStatus

CASES = table()


@dataclass(frozen=True)
class Answer:
    """What the API server says."""

    status: int
    body: Manifest

    @property
    def accepted(self) -> bool:
        return self.status < 300

    @property
    def message(self) -> str:
        return "accepted" if self.accepted else self.body["message"]


class API:
    """Creates and patches objects of one namespace."""

    def __init__(self, kube: Kube) -> None:
        self._kube = kube
        self.namespace = f"manifests-{uuid.uuid4().hex[:8]}"

    def send(self, method: str, path: str, body: Manifest | None = None) -> Answer:
        answer = self._kube.raw(method, path, body, MERGE if method == "PATCH" else "application/json")
        return Answer(answer.status, json.loads(answer.data))

    def objects(self, kind: str) -> str:
        return self._kube.path(kind, self.namespace)

    def ask(self, manifest: Manifest) -> Answer:
        """What would come of creating it."""
        return self.send("POST", self.objects(manifest["kind"]) + "?dryRun=All", manifest)

    def store(self, manifest: Manifest) -> str:
        """The path of a session that is created under a name of its own."""
        name = f"stored-{uuid.uuid4().hex[:8]}"
        answer = self.send("POST", self.objects("AgentSession"), manifest | {"metadata": {"name": name}})
        assert answer.accepted, answer.message
        return f"{self.objects('AgentSession')}/{name}"


@pytest.fixture(scope="module")
def api(request: pytest.FixtureRequest) -> Iterator[API]:
    given = os.environ.get("STINT_TEST_KUBECONFIG")
    kube: Kube = Kube(Path(given)) if given else request.getfixturevalue("bed").kube
    found = API(kube)
    answer = found.send("POST", "/api/v1/namespaces", own_namespace(found.namespace))
    assert answer.accepted, answer.message
    yield found
    found.send("DELETE", found.objects("AgentSession"))
    found.send("DELETE", f"/api/v1/namespaces/{found.namespace}")
    if given:
        kube.close()


def _named(cases: list[Any]) -> list[Any]:
    return [pytest.param(case, id=case.name) for case in cases]


@pytest.mark.parametrize("case", _named(CASES.good))
def test_a_good_manifest_is_accepted_and_nothing_of_it_is_dropped(api: API, case: Case) -> None:
    answer = api.ask(case.manifest)
    assert answer.accepted, answer.message
    assert merged(answer.body["spec"], case.manifest["spec"]) == answer.body["spec"]


@pytest.mark.parametrize("case", _named(CASES.bad))
def test_a_bad_manifest_is_refused_with_a_way_out(api: API, case: Case) -> None:
    answer = api.ask(case.manifest)
    assert answer.status == 422, answer.message
    assert case.expect is not None
    assert case.expect in answer.message


@pytest.mark.parametrize("case", _named(CASES.updates))
def test_a_session_changes_only_where_it_may(api: API, case: Update) -> None:
    session = api.store(case.old)

    answer = api.send("PATCH", f"{session}?dryRun=All", case.patch)

    if case.expect is None:
        assert answer.accepted, answer.message
    else:
        assert answer.status == 422, answer.message
        assert case.expect in answer.message


def test_a_full_status_is_stored_as_the_model_writes_it(api: API) -> None:
    session = api.store(CASES.good[0].manifest)
    status = SessionStatus.read(CASES.status).dump()

    answer = api.send("PATCH", f"{session}/status?dryRun=All", {"status": status})

    assert answer.accepted, answer.message
    assert answer.body["status"] == status


@pytest.mark.parametrize("output", [{}, {"a": [1]}, [{"a": 1}], "text", 1.5, True])
def test_structured_output_may_be_any_json(api: API, output: Any) -> None:
    session = api.store(CASES.good[0].manifest)
    answer = api.send("PATCH", f"{session}/status?dryRun=All", {"status": {"result": {"structured": output}}})
    assert answer.accepted, answer.message
    assert answer.body["status"]["result"]["structured"] == output


def test_the_status_that_a_session_begins_with_is_accepted(api: API) -> None:
    session = api.store(CASES.good[0].manifest)
    answer = api.send("PATCH", f"{session}/status?dryRun=All", {"status": SessionStatus().dump()})
    assert answer.accepted, answer.message


@pytest.mark.parametrize("case", _named(CASES.bad_status))
def test_a_bad_status_is_refused(api: API, case: Update) -> None:
    session = api.store(case.old)
    answer = api.send("PATCH", f"{session}/status?dryRun=All", case.patch)
    assert answer.status == 422, answer.message
    assert case.expect is not None
    assert case.expect in answer.message
