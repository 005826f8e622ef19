"""RateBudget: how much sessions may use, for whom it counts, and what happens at the limit."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from stint.api.base import Model, Rule, Schema
from stint.api.common import Condition, LabelSelector, Resource, short_name
from stint.api.limits import MOST_TOKENS
from stint.api.scalars import MONEY, Amount, Count, Generation, Label, Money, Name, Window, integer, map_list, matching, plain_list, set_list

BudgetResource = Literal["sessions", "concurrency", "cost", "tokens", "inputTokens", "outputTokens"]
Calendar = Literal["Hourly", "Daily", "Weekly", "Monthly"]
AtLimit = Literal["Queue", "Reject", "Warn"]
WhenSpent = Literal["Continue", "Suspend", "Stop"]

ACCOUNTS = 50
"""How many accounts `status.accounts` shows."""
COMMITS = 256
"""How many admissions of one budget may wait for their pods."""
LIMITS = 16
"""How many limits a budget may have."""
MOST_TEXT = 512
"""Characters of an account's name."""

WHOLE_NUMBER = "^[1-9][0-9]{0,14}$"
LABEL_DIMENSION = "Label:"
PER = "^(Namespace|User|ServiceAccount|Provider|Label:([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)$"

Per = Annotated[
    str,
    Schema(
        matching(PER, "write Namespace, User, ServiceAccount, Provider, or Label: and the key of a label, such as Label:team"),
        maxLength=323,
        minLength=1,
    ),
]
Glob = Annotated[
    str,
    Schema(
        matching("^[^[:space:]]+$", "write one name without spaces per item; * stands for any text, such as claude-opus-*"),
        maxLength=256,
        minLength=1,
    ),
]
TimeZone = Annotated[
    str,
    Schema(
        matching("^[A-Za-z][A-Za-z0-9_+/-]*$", "write the IANA name of a time zone, such as Europe/Paris or UTC; no offsets and no abbreviations"),
        Rule(
            "self != 'Local' && timestamp('2026-01-01T00:00:00Z').getHours(self) >= 0",
            "no such time zone: write its IANA name, such as Europe/Paris or UTC",
        ),
        maxLength=64,
        minLength=1,
    ),
]
AccountName = Annotated[str, Schema(maxLength=MOST_TEXT, minLength=1)]
LimitName = Label


def _needs_reserve(resource: str, example: str) -> Rule:
    return Rule(
        f"!self.limits.exists(l, l.resource == '{resource}') || (has(self.reserve) && has(self.reserve.{resource}))",
        f"a limit on {resource} needs reserve.{resource}: what is set aside for a session that names no such limit itself, for example {example}",
    )


def _reserve_fits(resource: str, number: str, form: str) -> Rule:
    quoted = "'" + form.replace("\\", "\\\\") + "'"
    readable = f"self.reserve.{resource}.matches({quoted}) && " if resource == "cost" else ""
    return Rule(
        f"!has(self.reserve) || !has(self.reserve.{resource}) || self.limits.all(l, l.resource != '{resource}' || "
        f"!({readable}l.limit.matches({quoted})) || {number}(self.reserve.{resource}) <= {number}(l.limit))",
        f"reserve.{resource} is larger than a limit on {resource}, so no session would ever start: lower reserve.{resource} or raise that limit",
        path=".reserve",
    )


class BudgetSelector(Model):
    """Which sessions count: those that match everything that is named here. Left out, all of them."""

    namespaces: LabelSelector | None = Field(
        None,
        description="Labels of their namespaces. Of use in the system namespace; a budget elsewhere counts its own namespace only.",
    )
    sessions: LabelSelector | None = Field(None, description="Labels of the sessions.")
    users: Annotated[list[Glob], set_list(64), Schema(minItems=1)] | None = Field(
        None,
        description="Who created them, such as alice or system:serviceaccount:team-a:ci; * stands for any text. A session whose creator is not known "
        "belongs to the user unknown.",
    )
    groups: Annotated[list[Glob], set_list(64), Schema(minItems=1)] | None = Field(
        None, description="Groups of who created them, one of which has to match; * stands for any text."
    )
    providers: Annotated[list[Name], set_list(64), Schema(minItems=1)] | None = Field(None, description="Names of their ModelProviders.")
    models: Annotated[list[Glob], set_list(64), Schema(minItems=1)] | None = Field(
        None, description="Models they ask for; * stands for any text, such as claude-opus-*."
    )


class BudgetLimit(Model):
    """One limit; it holds in each account by itself."""

    rules = (
        Rule(
            f"self.resource != 'cost' || (self.limit.matches('{MONEY}') && self.limit.matches('[1-9]'))".replace("\\", "\\\\"),
            'write a limit on cost as an amount in USD greater than zero, such as "50.00"',
            path=".limit",
        ),
        Rule(
            f"self.resource == 'cost' || self.limit.matches('{WHOLE_NUMBER}')",
            'write this limit as a whole number greater than zero, of at most 15 digits, such as "20"',
            path=".limit",
        ),
        Rule(
            "self.resource != 'concurrency' || (!has(self.window) && !has(self.calendar))",
            "concurrency counts what runs at the moment: take out window and calendar, or limit sessions instead",
        ),
        Rule(
            "self.resource == 'concurrency' || has(self.window) != has(self.calendar)",
            "give exactly one of window, such as 1h, and calendar: Hourly, Daily, Weekly or Monthly",
        ),
        Rule(
            "!has(self.burst) || (self.resource == 'sessions' && has(self.window))",
            "burst belongs to a limit on sessions with a window: take burst out",
            path=".burst",
        ),
        Rule(
            f"!has(self.burst) || !self.limit.matches('{WHOLE_NUMBER}') || self.burst <= int(self.limit)",
            "burst is larger than limit: lower burst or raise limit",
            path=".burst",
        ),
        Rule(
            "!has(self.timeZone) || has(self.calendar)",
            "timeZone says when a calendar period begins: add calendar, or take timeZone out",
            path=".timeZone",
        ),
    )

    name: LimitName = Field(description="Name of the limit, in messages and status.")
    resource: BudgetResource = Field(
        description="What is limited. sessions: starts, each attempt is one; concurrency: attempts that run at the same time; cost: USD; tokens: "
        "all tokens, caches included; inputTokens and outputTokens: as in the status of a session, without caches."
    )
    limit: Annotated[str, Schema(maxLength=20, minLength=1)] = Field(
        description='The most there may be: an amount in USD for cost, such as "50.00", else a whole number, such as "20".'
    )
    window: Window | None = Field(None, description="Rolling: what was used in the last 10s to 720h counts.")
    calendar: Calendar | None = Field(
        None, description="What was used since the beginning of the hour, the day, the week (Monday) or the month counts."
    )
    time_zone: TimeZone | None = Field(None, description="Time zone that a calendar period begins in, by its IANA name. Default: UTC.")
    burst: Annotated[int, integer(1, 1_000_000)] | None = Field(
        None,
        description="How many sessions may start at once after a quiet time. Default 1: starts are spread evenly over the window, so that no window "
        "ever has more than limit; each one more adds one to that.",
    )


class Reserve(Model):
    """What is set aside, while it runs, for a session that names no such limit itself; the model is refused once it is used up."""

    cost: Money | None = Field(None, description='USD, as a decimal string such as "1.00".')
    tokens: Annotated[int, integer(1, MOST_TOKENS)] | None = Field(None, description="All tokens, caches included.")
    input_tokens: Annotated[int, integer(1, MOST_TOKENS)] | None = Field(None, description="Tokens of input, without those of caches.")
    output_tokens: Annotated[int, integer(1, MOST_TOKENS)] | None = Field(None, description="Tokens of output.")


_ONE_OF_A_KIND = Rule(
    "self.all(a, self.exists_one(b, a.resource == b.resource && (has(a.window) ? a.window : '') == (has(b.window) ? b.window : '') && "
    "(has(a.calendar) ? a.calendar : '') == (has(b.calendar) ? b.calendar : '') && "
    "(has(a.timeZone) ? a.timeZone : '') == (has(b.timeZone) ? b.timeZone : '')))",
    "two limits on the same resource for the same window contradict each other: keep the one that is meant",
)


class BudgetSpec(Model):
    """How much sessions may use, for whom it counts, and what happens at the limit. Every field may be changed at any time."""

    rules = (
        Rule(
            "self.atLimit != 'Warn' || self.whenSpent != 'Suspend'",
            "atLimit Warn would start at once again what whenSpent Suspend has suspended: choose Queue, or Continue or Stop",
            path=".whenSpent",
        ),
        _needs_reserve("cost", '"1.00"'),
        _needs_reserve("tokens", "200000"),
        _needs_reserve("inputTokens", "150000"),
        _needs_reserve("outputTokens", "50000"),
        _reserve_fits("cost", "double", MONEY),
        _reserve_fits("tokens", "int", WHOLE_NUMBER),
        _reserve_fits("inputTokens", "int", WHOLE_NUMBER),
        _reserve_fits("outputTokens", "int", WHOLE_NUMBER),
    )

    selector: BudgetSelector = Field(BudgetSelector(), description="Which sessions count.")
    per: Annotated[list[Per], set_list(4)] = Field(
        [],
        description="One account for each value of Namespace, User, ServiceAccount (of the agent's pod), Provider or Label:<key>; of several, for "
        "each combination. Left out: one account that all share.",
    )
    limits: Annotated[list[BudgetLimit], map_list("name", LIMITS, _ONE_OF_A_KIND), Schema(minItems=1)] = Field(
        description="The limits. A session starts only when every one of them has room for it."
    )
    at_limit: Annotated[AtLimit, Schema(default="Queue")] = Field(
        "Queue",
        description="What happens to a session that has no room. Queue: it waits; Reject: it fails; Warn: it starts, and an Event says so.",
    )
    when_spent: Annotated[WhenSpent, Schema(default="Continue")] = Field(
        "Continue",
        description="What happens to running sessions once what is spent (not reserved) has reached a limit. Continue: nothing; Suspend: they are "
        "suspended, and go on after a reset or a raise; Stop: they fail.",
    )
    warn_at_percent: Annotated[list[Annotated[int, integer(1, 100)]], set_list(10)] = Field(
        [], description="An Event is written when an account has used this much of a limit, in percent, such as 80 and 95."
    )
    reserve: Reserve | None = Field(
        None, description="What is set aside for a session that names no such limit itself. Needed for every limit on cost or tokens."
    )


class LimitStatus(Model):
    """One limit of one account."""

    name: LimitName = Field(description="Name of the limit.")
    spent: Amount = Field(description="Used by finished attempts inside the window.")
    reserved: Amount = Field(description="Set aside for attempts that run.")
    limit: Amount = Field(description="The most that both may be together.")
    resets_at: datetime | None = Field(None, description="When spent becomes less.")
    warned_at_percent: Annotated[int, integer(1, 100)] | None = Field(None, description="The highest percentage that was warned of.")


class AccountStatus(Model):
    """One account: a value of `per`, such as one namespace."""

    key: AccountName = Field(description="What the account is for, such as Namespace=team-a; shared for the one account that all share.")
    limits: Annotated[list[LimitStatus], map_list("name", LIMITS)] = Field([], description="The limits in this account.")


class CommitStatus(Model):
    """An admission that was decided and whose pod nobody has seen yet."""

    uid: Annotated[str, Schema(maxLength=64, minLength=1)] = Field(description="Uid of the session.")
    attempt: Annotated[int, integer(1, 2**31 - 1)] = Field(description="Number of its attempt.")
    epoch: Count = Field(description="Epoch of the leader that decided.")
    cost: Amount | None = Field(None, description="USD reserved.")
    tokens: Count | None = Field(None, description="Tokens reserved.")
    input_tokens: Count | None = Field(None, description="Tokens of input reserved.")
    output_tokens: Count | None = Field(None, description="Tokens of output reserved.")


class BudgetStatus(Model):
    """What is spent and reserved."""

    observed_generation: Generation | None = Field(None, description="The metadata.generation that this status was computed for.")
    conditions: Annotated[list[Condition], map_list("type", 16)] = Field([], description="Ready, Exhausted, and Stalled while a person has to act.")
    accounts: Annotated[list[AccountStatus], map_list("key", ACCOUNTS)] = Field([], description="The 50 fullest accounts, the fullest first.")
    account_count: Count = Field(0, description="How many accounts there are.")
    waiting: Count = Field(0, description="Sessions that wait for room in this budget.")
    epoch: Count = Field(0, description="Epoch of the leader that writes here; an older one is refused.")
    commits: Annotated[list[CommitStatus], plain_list(COMMITS)] = Field(
        [], description="Admissions whose pods nobody has seen yet; they count as reserved."
    )


class RateBudget(Resource):
    """Limits on sessions, concurrency, cost and tokens. A budget in the system namespace counts across all namespaces that it selects; elsewhere it
    counts its own namespace. A session starts only when every budget that it counts for has room."""

    rules = (short_name("a budget"),)

    spec: BudgetSpec = Field(description="How much sessions may use, for whom it counts, and what happens at the limit.")
    status: BudgetStatus = Field(BudgetStatus(), description="What is spent and reserved. Written by Stint only.")
