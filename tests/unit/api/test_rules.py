"""The CEL rules: each has a case that it refuses, points at a field that exists, and tells what to do."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from cluster.manifests import table
from stint.api import crd
from stint.api.crd import KINDS
from stint.api.env import RESERVED_ENV
from stint.api.session import FIXED, MUTABLE, SessionSpec

CASES = table()


def rules(node: dict[str, Any], path: str) -> Iterator[tuple[str, dict[str, str], dict[str, Any]]]:
    """Every rule with its path and the node that it stands at."""
    for rule in node.get("x-kubernetes-validations", ()):
        yield path, rule, node
    if "items" in node:
        yield from rules(node["items"], f"{path}[]")
    if isinstance(node.get("additionalProperties"), dict):
        yield from rules(node["additionalProperties"], f"{path}.*")
    for name, child in node.get("properties", {}).items():
        yield from rules(child, f"{path}.{name}")


RULES = [entry for kind in KINDS for entry in rules(crd.schema(kind), kind.name)]
MESSAGES = sorted({rule["message"] for _, rule, _ in RULES})


@pytest.mark.parametrize("message", MESSAGES)
def test_every_rule_has_a_case_that_it_refuses(message: str) -> None:
    expected = [case.expect for case in CASES.bad] + [case.expect for case in CASES.updates]
    assert any(words in message for words in expected if words)


def test_every_rule_says_something_and_points_at_a_field_that_exists() -> None:
    for path, rule, node in RULES:
        assert len(rule["message"]) > 20, path
        target = node
        for name in rule.get("fieldPath", "").split(".")[1:]:
            target = target["properties"][name]


def test_every_field_of_a_session_is_either_fixed_or_mutable() -> None:
    assert sorted(FIXED + MUTABLE) == sorted(field.alias or "" for field in SessionSpec.model_fields.values())


def test_case_names_are_unique() -> None:
    for cases in (CASES.good, CASES.bad, CASES.updates, CASES.bad_status):
        names = [case.name for case in cases]
        assert len(names) == len(set(names))


@pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in CASES.good])
def test_the_models_read_every_good_manifest(case: Any) -> None:
    kinds = {kind.name: kind.model for kind in KINDS}
    kinds[case.manifest["kind"]].read(case.manifest)


@pytest.mark.parametrize("name", ["ANTHROPIC_API_KEY", "CLAUDE_CODE_X", "LD_PRELOAD", "STINT_A", "https_proxy", "NO_PROXY", "ld_audit"])
def test_reserved_names(name: str) -> None:
    assert re.search(RESERVED_ENV.replace("|(?i)", "|"), name)


@pytest.mark.parametrize("name", ["LDAP_HOST", "PROXY", "MY_CLAUDE_KEY", "PROXY_HOST"])
def test_names_that_only_look_reserved(name: str) -> None:
    assert not re.search(RESERVED_ENV.replace("|(?i)", "|"), name)
