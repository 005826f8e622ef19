"""What deleted sessions used is written down in parts, and comes back as it was, in the budget as it is now."""

import json
from decimal import Decimal
from zoneinfo import ZoneInfo

from stint.budgets.carry import PARTS, Carried, part_of, read_carried, windows_of
from stint.budgets.windows import Calendar, Rolling
from unit.budgets.kit import COST_10_DAILY, COST_10_HOUR, NOW, budget

AT = NOW.timestamp()
HOUR = Rolling(3600)
PER_NAMESPACE = budget(COST_10_HOUR, per=["Namespace"])


def carried(*amounts: tuple[str, float, str]) -> Carried:
    found = Carried(["Namespace"], [("cost", HOUR.signature)])
    for who, at, amount in amounts:
        found.add((who,), "cost", HOUR, who, HOUR.bucket(at), Decimal(amount))
    return found


def written(found: Carried, now: float = AT) -> list[object]:
    return json.loads(json.dumps([found.document(part, now) for part in range(PARTS)]))  # type: ignore[no-any-return]


def total(found: Carried) -> Decimal:
    return sum((amount for series in found.used.values() for buckets in series.values() for amount in buckets.values()), Decimal(0))


def test_it_comes_back_as_it_was() -> None:
    before = carried(("a", AT, "1.5"), ("b", AT - 60, "2"), ("a", AT, "0.25"))
    before.folded["uid"] = ("a",)
    after = read_carried(PER_NAMESPACE, written(before), AT)  # type: ignore[arg-type]
    assert (after.used, after.folded) == (before.used, before.folded)


def test_an_account_and_the_sessions_folded_into_it_are_in_one_part() -> None:
    before = carried(*((f"team-{number}", AT, "1") for number in range(40)))
    before.folded = {f"uid-{number}": (f"team-{number}",) for number in range(40)}
    used_parts = set()
    for part in range(PARTS):
        for account in before.document(part, AT)["accounts"]:
            assert account["folded"]
            assert account["used"]
            assert part_of(tuple(account["key"])) == part
            used_parts.add(part)
    assert len(used_parts) > 4


def test_what_no_longer_counts_is_forgotten_a_window_later() -> None:
    found = carried(("a", AT, "1"))
    found.drop_expired(AT + 2 * 3600)
    assert total(found) == 1
    found.drop_expired(AT + 2 * 3600 + 60)
    assert found.used == {}


def test_its_size_is_bounded_by_the_window() -> None:
    found = carried(*(("a", AT + 10 * number, "0.000000001") for number in range(5_000)))
    text = json.dumps(found.document(part_of(("a",)), AT + 50_000))
    assert len(text) < 6_000


def test_an_unchanged_window_keeps_its_buckets_and_a_new_one_takes_over_the_longest() -> None:
    before = carried(("a", AT - 1800, "1"), ("a", AT, "2"))
    after = before.suited_to(budget(COST_10_HOUR, COST_10_DAILY, per=["Namespace"]), AT)
    daily = after.used[("a",), "cost", Calendar("Daily").signature]
    assert after.used[("a",), "cost", HOUR.signature] == before.used[("a",), "cost", HOUR.signature]
    assert sum(daily["a"].values()) == 3


def test_a_bucket_counts_from_its_last_moment_in_another_window_but_not_from_the_future() -> None:
    paris = Calendar("Daily", ZoneInfo("Europe/Paris"))
    before = Carried([], [("cost", paris.signature)])
    before.add((), "cost", paris, "a", paris.bucket(AT), Decimal(4))
    after = before.suited_to(budget(COST_10_HOUR), AT)
    assert after.used[(), "cost", HOUR.signature] == {"a": {HOUR.bucket(AT): Decimal(4)}}


def test_a_window_in_which_nothing_counts_any_more_takes_nothing_over() -> None:
    limits = budget(COST_10_HOUR, COST_10_DAILY)
    before = Carried([], windows_of(limits))
    for window in (HOUR, Calendar("Daily")):
        before.add((), "cost", window, "a", window.bucket(AT - 7800), Decimal(4))
    after = read_carried(limits, [before.document(part_of(()), AT)], AT)
    assert {place[2] for place in after.used} == {"Daily:UTC"}


def test_other_accounts_are_made_of_what_is_known() -> None:
    before = carried(("a", AT, "1"), ("b", AT, "2"))
    shared = before.suited_to(budget(COST_10_HOUR), AT)
    assert {place[0] for place in shared.used} == {()}
    assert total(shared) == 3
    apart = shared.suited_to(PER_NAMESPACE, AT)
    assert apart.used == before.used
    by_user = before.suited_to(budget(COST_10_HOUR, per=["User"]), AT)
    assert {place[0] for place in by_user.used} == {("unknown",)}


def test_what_nothing_limits_any_more_is_forgotten() -> None:
    assert carried(("a", AT, "1")).suited_to(budget({"name": "busy", "resource": "concurrency", "limit": "1"}), AT).used == {}
