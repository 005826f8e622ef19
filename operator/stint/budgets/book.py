"""The accounts of one budget."""

from __future__ import annotations

from collections.abc import Iterable

from stint.budgets.account import Account
from stint.budgets.budget import Budget
from stint.budgets.carry import Carried
from stint.budgets.facts import Settled
from stint.budgets.selection import Subject, account_key


class Book:
    """A budget, its accounts, and what is carried over in them."""

    __slots__ = ("accounts", "budget", "carried")

    def __init__(self, budget: Budget, carried: Carried) -> None:
        self.budget = budget
        self.accounts: dict[tuple[str, ...], Account] = {}
        self.carried = carried
        for (key, resource, signature), series in carried.used.items():
            account = self._opened(key)
            for meter in account.meters:
                window = meter.limit.window
                if meter.spent is None or window is None or (meter.limit.resource, window.signature) != (resource, signature):
                    continue
                for who, buckets in series.items():
                    for bucket, amount in buckets.items():
                        meter.spent.add_to(bucket, who, amount)

    def account(self, subject: Subject) -> Account:
        """The account of a session: the one that is open, or a fresh one that nobody belongs to yet."""
        key = account_key(self.budget.per, subject)
        return self.accounts.get(key) or Account(self.budget, key)

    def join(self, account: Account) -> None:
        """One more session belongs to it."""
        self.accounts.setdefault(account.key, account)
        account.members += 1

    def start_times(self) -> list[tuple[float, Account]]:
        """When carried-over sessions started, by bucket."""
        found = []
        for account in self.accounts.values():
            for meter in account.meters:
                window = meter.limit.window
                if meter.rate is None or window is None:
                    continue
                series = self.carried.used.get((account.key, meter.limit.resource, window.signature), {})
                for buckets in series.values():
                    for bucket, starts in buckets.items():
                        found += [(window.last(bucket), account)] * int(starts)
        return found

    def fold(self, uid: str, account: Account, who: str, settled: Iterable[Settled]) -> bool:
        """The session is to be deleted: what it used stays in the account, and is to be written down. False if there is nothing."""
        found = [(meter.limit, meter.spends(attempt)) for attempt in settled for meter in account.meters]
        used = [(limit.resource, limit.window, spent) for limit, spent in found if spent is not None and limit.window is not None and spent[1]]
        for resource, window, (at, amount) in used:
            self.carried.add(account.key, resource, window, who, window.bucket(at), amount)
        if used:
            self.carried.folded[uid] = account.key
        return bool(used)

    def _opened(self, key: tuple[str, ...]) -> Account:
        return self.accounts.setdefault(key, Account(self.budget, key))
