"""Which sessions a budget counts, and in which account."""

import time
from typing import Any

import pytest

from stint.api.budget import MOST_TEXT, BudgetSelector
from stint.budgets.selection import Subject, account_key, account_name, matches_glob, selects
from unit.budgets.kit import SYSTEM, budget

SUBJECT = Subject(
    namespace="team-a",
    namespace_labels={"kind": "team", "env": "prod"},
    labels={"team": "a", "nightly": "true"},
    user="alice@example.com",
    groups=("developers", "on-call"),
    service_account="agents",
    provider="default",
    model="claude-opus-4-5[1m]",
)


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ({}, True),
        ({"namespaces": {"matchLabels": {"kind": "team"}}}, True),
        ({"namespaces": {"matchLabels": {"kind": "team", "env": "test"}}}, False),
        ({"namespaces": {}}, True),
        ({"sessions": {"matchLabels": {"team": "b"}}}, False),
        ({"sessions": {"matchExpressions": [{"key": "team", "operator": "In", "values": ["a", "b"]}]}}, True),
        ({"sessions": {"matchExpressions": [{"key": "gone", "operator": "In", "values": ["a"]}]}}, False),
        ({"sessions": {"matchExpressions": [{"key": "team", "operator": "NotIn", "values": ["a"]}]}}, False),
        ({"sessions": {"matchExpressions": [{"key": "gone", "operator": "NotIn", "values": ["a"]}]}}, True),
        ({"sessions": {"matchExpressions": [{"key": "nightly", "operator": "Exists"}]}}, True),
        ({"sessions": {"matchExpressions": [{"key": "nightly", "operator": "DoesNotExist"}]}}, False),
        ({"users": ["bob@example.com", "*@example.com"]}, True),
        ({"users": ["alice"]}, False),
        ({"groups": ["admins", "on-*"]}, True),
        ({"groups": ["admins"]}, False),
        ({"providers": ["default"]}, True),
        ({"providers": ["eu"]}, False),
        ({"models": ["claude-opus-*"]}, True),
        ({"models": ["claude-opus-4-5[1m]"]}, True),
        ({"models": ["claude-sonnet-*"]}, False),
        ({"users": ["*"], "models": ["claude-sonnet-*"]}, False),
    ],
)
def test_everything_that_a_selector_names_has_to_match(selector: dict[str, Any], expected: bool) -> None:
    assert selects(BudgetSelector.read(selector), SUBJECT) is expected


@pytest.mark.parametrize(
    ("glob", "text", "expected"),
    [
        ("", "", True),
        ("a", "a", True),
        ("a", "ab", False),
        ("*", "", True),
        ("*", "anything: at/all", True),
        ("a*", "a", True),
        ("a*a", "a", False),
        ("a*a", "aa", True),
        ("*b*", "abc", True),
        ("a*b*c", "a-b-b-c", True),
        ("a*b*c", "a-c-b", False),
        ("*ab*ab*", "abab", True),
        ("*ab*ab*", "aba", False),
        ("a.c", "abc", False),
        ("[a]", "a", False),
    ],
)
def test_globs(glob: str, text: str, expected: bool) -> None:
    assert matches_glob(glob, text) is expected


def test_a_hostile_glob_takes_no_time() -> None:
    before = time.perf_counter()
    assert not matches_glob("a*" * 120 + "b", "a" * 5_000 + "c")
    assert time.perf_counter() - before < 0.1


@pytest.mark.parametrize(
    ("namespace", "counts"),
    [(SYSTEM, True), ("team-a", True), ("team-b", False)],
    ids=["of the system namespace", "of its own namespace", "of another namespace"],
)
def test_a_budget_counts_its_own_namespace_or_all_of_them(namespace: str, counts: bool) -> None:
    found = budget({"name": "busy", "resource": "concurrency", "limit": "1"}, namespace=namespace)
    assert found.counts(SUBJECT, SYSTEM) is counts


@pytest.mark.parametrize(
    ("per", "name"),
    [
        ([], "shared"),
        (["Namespace"], "Namespace=team-a"),
        (["User"], "User=alice@example.com"),
        (["ServiceAccount"], "ServiceAccount=team-a/agents"),
        (["Provider"], "Provider=default"),
        (["Label:team"], "Label:team=a"),
        (["Label:gone"], "Label:gone="),
        (["Namespace", "Label:team"], "Namespace=team-a, Label:team=a"),
    ],
)
def test_accounts(per: list[str], name: str) -> None:
    assert account_name(per, account_key(per, SUBJECT)) == name


def test_long_names_stay_apart() -> None:
    one, other = (account_name(["User"], ["x" * 2_000 + end]) for end in "ab")
    assert one != other
    assert len(one) == len(other) == MOST_TEXT
