"""What is said to budgets, profiles and providers: whether they can be read as a whole, and what in them cannot have been meant. Pure."""

from __future__ import annotations

from typing import Any

from stint.admission.answer import YES, Answer, invalid
from stint.admission.session import World
from stint.api.base import InvalidObject
from stint.api.profile import AgentProfile
from stint.api.provider import ModelProvider
from stint.api.session import SessionSpec
from stint.budgets.budget import read_budget
from stint.budgets.contradictions import contradictions
from stint.sessions.output_schema import schema_problem
from stint.sessions.resolve import resolve

Item = dict[str, Any]


def judge_budget(item: Item, world: World) -> Answer:
    """A RateBudget."""
    try:
        budget = read_budget(item)
    except InvalidObject as problem:
        return invalid(str(problem))
    if budget.problem:
        return invalid(f"spec.limits: {budget.problem}")
    labels = world.namespaces.get("", budget.key.namespace) or {}
    return Answer(tuple(f"RateBudget {budget.key.name}: {each}" for each in contradictions(budget, labels, world.system_namespace)))


def judge_profile(item: Item, world: World) -> Answer:
    """An AgentProfile: can a session be based on it?"""
    try:
        spec = AgentProfile.read(item).spec
        resolve(SessionSpec(), spec, world.default_cost_limit)
    except (InvalidObject, ValueError) as problem:
        return invalid(f"AgentProfile: {problem}")
    problem_of_schema = schema_problem(spec.agent.output_schema) if spec.agent.output_schema is not None else ""
    return invalid(f"spec.agent.outputSchema is not a JSON schema: {problem_of_schema}") if problem_of_schema else YES


def judge_provider(item: Item) -> Answer:
    """A ModelProvider."""
    try:
        ModelProvider.read(item)
    except (InvalidObject, ValueError) as problem:
        return invalid(f"ModelProvider: {problem}")
    return YES
