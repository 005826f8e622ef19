"""What the controller hands to runner and gateway: run.json and gateway.json, read by the programs that read them in the pod."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from simulation import pod_status
from simulation.pod_status import Json, stamp
from stint.budgets.amounts import amounts
from stint.budgets.verdict import ADMITTED, Verdict
from stint.gateway.config import parse
from stint.sessions.names import conversation
from stint.sessions.observed import Source
from stint_runner.description import Description, parse_description
from unit.sessions.builders import NAME, NAMESPACE, UID, ago, attempt, finished_status, observed, provider, session, status
from unit.sessions.kit import gateway_json, run_json, the_pod

SECRET: Json = {"secretKeyRef": {"name": "s", "key": "k"}}
EARLIER = Source("uid-of-earlier", over=True, ephemeral=False)


def run(spec: Json | None = None, before: Json | None = None, **around: Any) -> Json:
    return run_json(observed(session(spec, status=before), **around))


def read(spec: Json | None = None, before: Json | None = None, **around: Any) -> Description:
    """The same as the runner reads it."""
    return parse_description(run(spec, before, **around))


def gateway(spec: Json | None = None, before: Json | None = None, **around: Any) -> Json:
    """gateway.json, which the gateway can read."""
    found = gateway_json(observed(session(spec, status=before), **around))
    parse(json.dumps(found).encode())
    return found


# run.json


def test_an_ordinary_session_is_described_as_the_contract_says() -> None:
    assert run() == {
        "version": 1,
        "session": {"namespace": NAMESPACE, "name": NAME, "uid": UID},
        "attempt": 1,
        "reason": "Start",
        "conversation": conversation(UID),
        "forkFrom": None,
        "prompt": "Fix the failing test",
        "promptFile": None,
        "auth": "APIKey",
        "gateway": "http://127.0.0.1:8787",
        "agent": {
            "model": "claude-sonnet-5-5", "fallbackModels": [], "systemPrompt": None, "appendSystemPrompt": None, "tools": None, "allowedTools": [],
            "disallowedTools": [], "permissionMode": "bypassPermissions", "maxTurns": None, "effort": None, "outputSchema": None, "subagents": [],
            "mcpServers": [], "repository": {"instructions": True, "settings": False},
        },
        "files": [],
        "git": None,
        "continue": None,
        "timeoutSeconds": 3600,
        "graceSeconds": 25,
    }  # fmt: skip


def test_the_runner_can_read_it() -> None:
    assert read().prompt == "Fix the failing test"


def test_the_agent_is_described_in_full() -> None:
    agent: Json = {
        "model": "claude-opus-5", "fallbackModels": ["claude-sonnet-5"], "systemPrompt": "S", "appendSystemPrompt": "A", "tools": ["Bash"],
        "allowedTools": ["Bash(git *)"], "disallowedTools": ["Bash(rm *)"], "permissionMode": "plan", "maxTurns": 7, "effort": "high",
        "outputSchema": {"type": "object"}, "repository": {"instructions": False, "settings": True},
        "subagents": [{"name": "tester", "description": "D", "prompt": "P"},
                      {"name": "critic", "description": "D", "prompt": "P", "tools": ["Read"], "model": "m"}],
    }  # fmt: skip
    found = run({"agent": agent})["agent"]
    subagents = found.pop("subagents")
    assert found == {**{name: value for name, value in agent.items() if name != "subagents"}, "mcpServers": []}
    assert subagents == [
        {"name": "tester", "description": "D", "prompt": "P", "tools": None, "model": None},
        {"name": "critic", "description": "D", "prompt": "P", "tools": ["Read"], "model": "m"},
    ]
    assert read({"agent": agent}).agent.max_turns == 7


def test_no_tools_and_all_tools_are_different_things() -> None:
    assert read({"agent": {"tools": []}}).agent.tools == ()
    assert read().agent.tools is None


def test_the_providers_model_is_the_default() -> None:
    assert run(provider=provider({"defaultModel": "claude-opus-5"}))["agent"]["model"] == "claude-opus-5"
    assert run({"agent": {"model": "mine"}}, provider=provider({"defaultModel": "claude-opus-5"}))["agent"]["model"] == "mine"


@pytest.mark.parametrize("kind", ["APIKey", "AuthToken", "SetupToken"])
def test_the_kind_of_the_credential_is_told_to_both_but_never_the_credential(kind: str) -> None:
    where = provider({"credential": {"type": kind}})
    assert run(provider=where)["auth"] == kind
    assert gateway(provider=where)["provider"]["auth"] == kind


def test_a_prompt_from_elsewhere_is_a_file() -> None:
    item = session({"promptFrom": SECRET})
    del item["spec"]["prompt"]
    found = parse_description(run_json(observed(item)))
    assert (found.prompt, found.prompt_file) == (None, "/run/stint/inputs/prompt")


def test_files_are_given_by_content_or_by_path() -> None:
    files = [{"path": "a", "content": "x"}, {"path": "b", **SECRET, "mode": 0o600}, {"path": "c", "content": "", "mode": 0}]
    assert run({"workspace": {"files": files}})["files"] == [
        {"path": "a", "content": "x", "file": None, "mode": 0o644},
        {"path": "b", "content": None, "file": "/run/stint/inputs/files/1", "mode": 0o600},
        {"path": "c", "content": "", "file": None, "mode": 0},
    ]
    assert len(read({"workspace": {"files": files}}).files) == 3


GITS: list[Any] = [
    pytest.param({"url": "https://h/x"}, {"ref": None, "depth": 1, "auth": "None"}, id="public"),
    pytest.param({"url": "https://h/x", "secretRef": {"name": "g"}}, {"ref": None, "depth": 1, "auth": "Token"}, id="with a token"),
    pytest.param({"url": "http://g.ns.svc/x", "secretRef": {"name": "g"}}, {"ref": None, "depth": 1, "auth": "Token"}, id="inside the cluster"),
    pytest.param({"url": "ssh://git@h/x", "secretRef": {"name": "g"}}, {"ref": None, "depth": 1, "auth": "SSHKey"}, id="with an ssh key"),
    pytest.param({"url": "git@h:x", "secretRef": {"name": "g"}}, {"ref": None, "depth": 1, "auth": "SSHKey"}, id="with an ssh key, the short way"),
    pytest.param({"url": "https://h/x", "ref": "v1", "depth": 5}, {"ref": "v1", "depth": 5, "auth": "None"}, id="with ref and depth"),
    pytest.param({"url": "https://h/x", "depth": 0}, {"ref": None, "depth": None, "auth": "None"}, id="with all of its history"),
]


@pytest.mark.parametrize(("git", "expected"), GITS)
def test_a_repository_is_described_with_the_kind_of_its_credential(git: Json, expected: Json) -> None:
    assert run({"workspace": {"git": git}})["git"] == {"url": git["url"], **expected}
    assert read({"workspace": {"git": git}}).git is not None


@pytest.mark.parametrize("workspace", [True, False])
def test_an_earlier_conversation_is_forked(workspace: bool) -> None:
    spec = {"continueFrom": {"name": "earlier", "workspace": workspace}}
    found = run(spec, source=EARLIER)
    assert found["forkFrom"] == conversation("uid-of-earlier")
    assert found["continue"] == {"conversation": conversation("uid-of-earlier"), "workspace": workspace}
    assert found["conversation"] == conversation(UID)
    assert read(spec, source=EARLIER).continue_from is not None


def test_a_retry_without_its_source_goes_on_in_its_own_conversation() -> None:
    before = status(history=[attempt(1, "Failed", "Overloaded", requests=2)], nextRetryTime=stamp(ago(1)))
    found = run({"continueFrom": {"name": "earlier"}}, before)
    assert (found["forkFrom"], found["continue"]) == (None, None)


def test_values_of_mcp_servers_are_plain_or_named_variables() -> None:
    servers = [
        {"name": "a", "type": "stdio", "command": "c", "args": ["-x"], "required": True,
         "env": [{"name": "X", "value": "$(1)"}, {"name": "Y", "valueFrom": SECRET}]},
        {"name": "b", "type": "sse", "url": "https://h", "headers": [{"name": "H", "valueFrom": SECRET}, {"name": "I", "value": "i"}]},
    ]  # fmt: skip
    found = run({"agent": {"mcpServers": servers}})["agent"]["mcpServers"]
    assert found == [
        {"name": "a", "type": "stdio", "command": "c", "args": ["-x"], "url": None, "required": True,
         "env": {"X": {"value": "$(1)"}, "Y": {"fromEnv": "STINT_MCP_0_1"}}, "headers": {}},
        {"name": "b", "type": "sse", "command": None, "args": [], "url": "https://h", "required": False, "env": {},
         "headers": {"H": {"fromEnv": "STINT_MCP_1_0"}, "I": {"value": "i"}}},
    ]  # fmt: skip
    assert len(read({"agent": {"mcpServers": servers}}).agent.mcp_servers) == 2


def test_the_variables_that_are_named_are_those_of_the_container() -> None:
    servers = [{"name": "a", "type": "stdio", "command": "c", "env": [{"name": "X", "valueFrom": SECRET}, {"name": "Y", "valueFrom": SECRET}]}]
    seen = observed(session({"agent": {"mcpServers": servers}}))
    named = {one["fromEnv"] for one in run_json(seen)["agent"]["mcpServers"][0]["env"].values()}
    assert named == {one["name"] for one in the_pod(seen)["spec"]["containers"][0]["env"]}


def test_an_empty_value_of_an_mcp_server_is_a_value() -> None:
    servers = [{"name": "a", "type": "stdio", "command": "c", "env": [{"name": "X", "value": ""}]}]
    assert run({"agent": {"mcpServers": servers}})["agent"]["mcpServers"][0]["env"] == {"X": {"value": ""}}


REASONS = [("Failed", "Retry"), ("Disrupted", "Retry"), ("StartFailed", "Retry"), ("Suspended", "Resume"), ("Succeeded", "Again")]


def test_after_attempts_that_never_began_the_next_one_is_the_start() -> None:
    never = [attempt(1, "Failed", "CloneFailed"), attempt(2, "StartFailed", "StartTimeout")]
    assert read(before=status(history=never)).reason == "Start"
    worked = [attempt(1, "Failed", "AgentCrashed"), attempt(2, "Failed", "CloneFailed")]
    assert read(before=status(history=worked)).reason == "Retry"


@pytest.mark.parametrize(("outcome", "reason"), REASONS)
def test_how_the_last_attempt_ended_says_how_to_begin(outcome: str, reason: str) -> None:
    before = status(history=[attempt(1, "Failed", "Overloaded"), attempt(2, outcome, "X")])
    found = read(before=before)
    assert (found.reason, found.attempt) == (reason, 3)


@pytest.mark.parametrize(("active", "left"), [(0, 600), (200, 400), (599, 1), (700, 1)])
def test_the_time_of_all_attempts_together_is_limited(active: int, left: int) -> None:
    before = status(history=[attempt(1, "Disrupted", "Evicted")], activeSeconds=active)
    assert run({"limits": {"timeout": "10m"}}, before)["timeoutSeconds"] == left


def test_a_run_that_begins_again_has_all_its_time() -> None:
    assert run({"retryRequest": stamp(ago(1)), "limits": {"timeout": "10m"}}, finished_status(activeSeconds=500))["timeoutSeconds"] == 600


# gateway.json

MINE: Json = {"model": "claude-mine", "input": "1", "output": "2", "cacheRead": "0.1", "cacheWrite5m": "1.25", "cacheWrite1h": "2.5"}


def test_the_gateway_is_told_what_it_may_let_through() -> None:
    found = gateway(provider=provider({"endpoint": {"baseURL": "https://gw.example.com"}, "unknownModels": "Refuse", "prices": [MINE]}))
    assert found == {
        "version": 1, "session": {"namespace": NAMESPACE, "name": NAME, "uid": UID}, "attempt": 1,
        "provider": {"name": "default", "baseURL": "https://gw.example.com", "auth": "APIKey"}, "unknownModels": "Refuse",
        "prices": {"claude-mine": {"input": "1", "output": "2", "cacheRead": "0.1", "cacheWrite5m": "1.25", "cacheWrite1h": "2.5"}},
        "limits": {"cost": "5", "tokens": None}, "unsettled": [], "outputSchema": None,
    }  # fmt: skip


def test_the_gateway_checks_the_output_against_the_sessions_schema() -> None:
    assert gateway({"agent": {"outputSchema": {"type": "object"}}})["outputSchema"] == {"type": "object"}


def spent(cost: str, tokens: int, *, estimated: bool = False, **entry: Any) -> Json:
    figures = pod_status.counts(cost, input_tokens=tokens, output_tokens=0)
    return status(history=[attempt(1, "Disrupted", "PodLost", **{**figures, "estimated": estimated, **entry})], usage={**figures, "estimated": estimated})


EPHEMERAL: Json = {"workspace": {"ephemeral": True}}
LIMITS: Json = {"limits": {"cost": "2.00", "tokens": 1000}}
LEFT: list[Any] = [
    pytest.param(LIMITS, status(), "2", 1000, [], id="nothing used"),
    pytest.param(LIMITS, spent("0.75", 400), "1.25", 600, [], id="what was used is gone"),
    pytest.param(LIMITS, spent("0.75", 400, estimated=True), "2", 1000, ["pod-1"], id="an estimate: the gateway takes the truth from the journal"),
    pytest.param({**LIMITS, **EPHEMERAL}, spent("0.75", 400, estimated=True), "1.25", 600, [], id="an estimate without a journal"),
    pytest.param({**LIMITS, **EPHEMERAL}, spent("0.75", 400), "1.25", 600, [], id="ephemeral"),
]


@pytest.mark.parametrize(("spec", "before", "cost", "tokens", "unsettled"), LEFT)
def test_an_attempt_may_use_what_is_left(spec: Json, before: Json, cost: str, tokens: int, unsettled: list[str]) -> None:
    found = gateway(spec, before)
    assert found["limits"] == {"cost": cost, "tokens": tokens}
    assert found["unsettled"] == unsettled


def test_an_estimate_of_a_pod_without_a_uid_cannot_be_looked_up() -> None:
    before = spent("0.75", 400, estimated=True)
    del before["history"][0]["podUID"]
    assert gateway(LIMITS, before)["unsettled"] == []


def test_what_a_pod_may_use_is_written_on_it() -> None:
    meta = the_pod(observed(session(LIMITS, status=spent("0.75", 400))))["metadata"]
    assert json.loads(meta["annotations"]["stint.dev/reserved"]) == {"cost": "1.25", "tokens": 600}


def admitted(spec: Json, before: Json | None = None, **request: Any) -> tuple[Json, Json]:
    """Limits in ``gateway.json`` and the reservation on the pod, of an attempt that budgets have admitted with this request."""
    seen = replace(observed(session(spec, before)), admission=Verdict(ADMITTED, amounts(**request)))
    meta = the_pod(seen)["metadata"]
    return json.loads(meta["annotations"]["stint.dev/gateway"])["limits"], json.loads(meta["annotations"]["stint.dev/reserved"])


RESERVED: list[Any] = [
    pytest.param({}, {"cost": "0.5"}, {"cost": "0.5", "tokens": None}, True, id="less than the default limit"),
    pytest.param({"limits": {"cost": "2"}}, {"cost": "2"}, {"cost": "2", "tokens": None}, False, id="all that the session names"),
    pytest.param({"limits": {"cost": "2"}}, {"cost": "9"}, {"cost": "2", "tokens": None}, False, id="never more than the session's own limit"),
    pytest.param({}, {"tokens": 100}, {"cost": "5", "tokens": 100}, True, id="tokens, where the session names none"),
    pytest.param(LIMITS, {"cost": "2", "tokens": 400}, {"cost": "2", "tokens": 400}, True, id="fewer tokens"),
    pytest.param(LIMITS, {"cost": "2", "tokens": 4000}, {"cost": "2", "tokens": 1000}, False, id="more tokens"),
    pytest.param(
        {}, {"input_tokens": 80, "output_tokens": 20}, {"cost": "5", "tokens": None, "inputTokens": 80, "outputTokens": 20}, True, id="input and output",
    ),
    pytest.param({}, {}, {"cost": "5", "tokens": None}, False, id="budgets that reserve nothing"),
]  # fmt: skip


@pytest.mark.parametrize(("spec", "request_", "limits", "lowered"), RESERVED)
def test_an_attempt_may_use_no_more_than_its_budgets_have_reserved(spec: Json, request_: Json, limits: Json, lowered: bool) -> None:
    found, reserved = admitted(spec, **request_)
    assert found == limits
    assert reserved == {**limits, **({"lowered": True} if lowered else {})}


def test_what_the_session_has_left_counts_where_it_is_less_than_the_reservation() -> None:
    limits, reserved = admitted({"limits": {"cost": "2"}}, spent("1.75", 0), cost="0.5")
    assert limits["cost"] == reserved["cost"] == "0.25"
    assert "lowered" not in reserved


@pytest.mark.parametrize(
    ("agent", "left"),
    [
        ({"model": "a", "fallbackModels": ["b", "a", "c"]}, ["b", "c"]),
        ({"model": "a", "fallbackModels": ["a"]}, []),
        ({"fallbackModels": ["claude-sonnet-5-5", "b"]}, ["b"]),
    ],
    ids=["its own among others", "only its own", "the provider's default"],
)
def test_a_model_is_not_its_own_fallback(agent: Json, left: list[str]) -> None:
    assert run_json(observed(session({"agent": agent})))["agent"]["fallbackModels"] == left
