"""Who created an object: what is written down, and what can be read back."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from stint.identity import CREATED_BY, CREATED_BY_GROUPS, MOST_CHARACTERS, MOST_GROUPS, Creator, creator_of, kept_groups, kept_stamps, stamps


def equal() -> Callable[[str], int]:
    return lambda _: 0


def unasked() -> Callable[[str], int]:
    raise AssertionError("there is room for all")


@pytest.mark.parametrize(
    "creator",
    [
        Creator("alice"),
        Creator("system:serviceaccount:team-a:ci", ("system:serviceaccounts", "system:serviceaccounts:team-a")),
        Creator("CN=Alice,OU=Search", ("CN=Devs,OU=Search", "a,b", "Ärzte")),
    ],
)
def test_any_name_is_read_back_as_it_was_written(creator: Creator) -> None:
    written = {name: value for name, value in stamps(creator).items() if value is not None}
    assert creator_of(written) == creator


def test_nobody_is_known_where_nothing_is_written() -> None:
    assert creator_of({CREATED_BY_GROUPS: "admins"}) is None


def test_groups_of_somebody_elses_making_go_with_the_stamp_of_who_has_none() -> None:
    assert stamps(Creator("alice")) == {CREATED_BY: "alice", CREATED_BY_GROUPS: None}


def test_what_an_object_had_it_keeps_and_what_it_had_not_it_does_not_get() -> None:
    assert kept_stamps({CREATED_BY: "alice", "other": "x"}) == {CREATED_BY: "alice", CREATED_BY_GROUPS: None}


def test_groups_that_budgets_ask_for_are_kept_before_all_others() -> None:
    many = [f"g{number:03}" for number in range(200)]
    kept = kept_groups([*many, "z-payers"], lambda: lambda group: group != "z-payers")
    assert kept[0] == "z-payers"
    assert len(kept) == MOST_GROUPS


def test_groups_take_no_more_than_their_room() -> None:
    kept = kept_groups([f"{number:04}{'x' * 996}" for number in range(20)], equal)
    assert len("\n".join(kept)) <= MOST_CHARACTERS
    assert len(kept) == 8


def test_a_group_whose_name_would_read_as_two_is_left_out() -> None:
    assert kept_groups(["a\nadmins", "", "b", "b"], unasked) == ("b",)
