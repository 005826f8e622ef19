"""The schemas of the CRDs: complete, bounded, without defaults where a profile could not win, and the same as the models."""

from collections.abc import Iterator
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from stint.api import crd, defaults, status
from stint.api.base import Model
from stint.api.crd import KINDS, Kind
from stint.api.structural import NotStructural, structural

Node = dict[str, Any]
FREE_FORM = {"AgentSession.spec.agent.outputSchema", "AgentSession.status.result.structured", "AgentProfile.spec.agent.outputSchema"}
EMPTY = {"AgentSession": {"prompt": "x"}, "RateBudget": {"limits": []}}
"""The least that a spec has to say; all else may be left out."""
MERGED = ("agent", "workspace", "limits", "retry", "podTemplate", "providerRef")


def nodes(node: Node, path: str) -> Iterator[tuple[str, Node]]:
    """Every node of a schema with its path."""
    yield path, node
    if "items" in node:
        yield from nodes(node["items"], f"{path}[]")
    if isinstance(node.get("additionalProperties"), dict):
        yield from nodes(node["additionalProperties"], f"{path}.*")
    for name, child in node.get("properties", {}).items():
        yield from nodes(child, f"{path}.{name}")


def fields() -> list[tuple[str, Node]]:
    """Every node of every kind, without the metadata that the API server owns."""
    return [entry for kind in KINDS for part in ("spec", "status") for entry in nodes(crd.schema(kind)["properties"][part], f"{kind.name}.{part}")]


FIELDS = fields()


def test_every_field_is_described() -> None:
    assert [path for path, node in FIELDS if not path.endswith(("[]", ".*")) and not node.get("description")] == []


def test_a_description_is_a_sentence() -> None:
    wrong = [(path, node["description"]) for path, node in FIELDS if "description" in node and node["description"][-1] not in ".)"]
    assert wrong == []


def test_every_string_is_bounded() -> None:
    strings = [(path, node) for path, node in FIELDS if node.get("type") == "string" or "x-kubernetes-int-or-string" in node]
    assert strings
    assert [path for path, node in strings if "maxLength" not in node and "enum" not in node and node.get("format") != "date-time"] == []


def test_every_list_is_bounded_and_says_how_it_merges() -> None:
    lists = [(path, node) for path, node in FIELDS if node.get("type") == "array"]
    assert [path for path, node in lists if "maxItems" not in node or "x-kubernetes-list-type" not in node] == []


def test_the_keys_of_a_map_list_are_required_and_exist() -> None:
    for path, node in FIELDS:
        for key in node.get("x-kubernetes-list-map-keys", ()):
            assert key in node["items"]["required"], path


def test_every_map_is_bounded() -> None:
    assert [path for path, node in FIELDS if "additionalProperties" in node and "maxProperties" not in node] == []


def test_every_number_is_bounded_below_and_has_a_width() -> None:
    numbers = [(path, node) for path, node in FIELDS if node.get("type") == "integer"]
    assert [path for path, node in numbers if "minimum" not in node or node.get("format") not in ("int32", "int64")] == []


def test_only_named_fields_are_free_form() -> None:
    assert {path for path, node in FIELDS if node.get("x-kubernetes-preserve-unknown-fields")} == FREE_FORM


def test_nothing_that_a_structural_schema_forbids_is_left() -> None:
    forbidden = {"$ref", "$defs", "title", "const", "oneOf", "allOf", "x-stint-default"}
    assert [path for path, node in FIELDS if forbidden & node.keys()] == []


def test_fields_that_merge_with_a_profile_have_no_default() -> None:
    merged = tuple(f"{kind}.spec.{field}" for kind in ("AgentSession", "AgentProfile") for field in MERGED)
    assert [path for path, node in FIELDS if path.startswith(merged) and "default" in node] == []


def test_a_status_has_no_default() -> None:
    assert [path for path, node in FIELDS if ".status" in path and "default" in node] == []


@pytest.mark.parametrize(
    ("path", "default"),
    [
        ("agent.permissionMode", defaults.PERMISSION_MODE),
        ("agent.repository.instructions", "true"),
        ("agent.repository.settings", "false"),
        ("limits.timeout", defaults.TIMEOUT),
        ("limits.startTimeout", defaults.START_TIMEOUT),
        ("retry.limit", str(defaults.RETRY_LIMIT)),
        ("retry.backoff.initial", defaults.BACKOFF_INITIAL),
        ("retry.backoff.factor", str(defaults.BACKOFF_FACTOR)),
        ("retry.backoff.max", defaults.BACKOFF_MAX),
        ("workspace.volume.size", defaults.VOLUME_SIZE),
        ("workspace.volume.accessModes", defaults.VOLUME_ACCESS_MODES[0]),
        ("workspace.git.depth", str(defaults.GIT_DEPTH)),
        ("workspace.files[].mode", str(defaults.FILE_MODE)),
        ("providerRef", defaults.PROVIDER),
    ],
)
def test_a_description_names_the_default_that_the_controller_fills_in(path: str, default: str) -> None:
    found = dict(FIELDS)[f"AgentSession.spec.{path}"]["description"]
    assert default in found.partition("efault ")[2] or default in found.partition("efault: ")[2]


def test_the_history_is_as_long_as_its_constant() -> None:
    assert dict(FIELDS)["AgentSession.status.history"]["maxItems"] == status.HISTORY


def _models(annotation: Any) -> list[type[Model]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation] if issubclass(annotation, Model) else []
    return [model for inner in get_args(annotation) for model in _models(inner)]


def _compared(model: type[Model], node: Node, path: str) -> None:
    declared = {field.alias: field for field in model.model_fields.values()}
    assert set(declared) == set(node.get("properties", {})), path
    assert {name for name, field in declared.items() if field.is_required()} == set(node.get("required", ())), path
    for name, field in declared.items():
        assert name is not None
        child = node["properties"][name]
        for inner in _models(field.annotation):
            _compared(inner, child.get("items", child), f"{path}.{name}")


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_model_and_schema_know_the_same_fields(kind: Kind) -> None:
    for part in ("spec", "status"):
        (model,) = _models(kind.model.model_fields[part].annotation)
        _compared(model, crd.schema(kind)["properties"][part], f"{kind.name}.{part}")


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_default_of_the_crd_is_the_model_s_own(kind: Kind) -> None:
    found = kind.model.read({"spec": EMPTY.get(kind.name, {})}).dump()
    for path, node in nodes(crd.schema(kind)["properties"]["spec"], "spec"):
        if "default" in node and node["default"] != {}:
            value: Any = found
            for part in path.split("."):
                value = value[part]
            assert value == node["default"], path


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_columns_and_selectable_fields_lead_somewhere(kind: Kind) -> None:
    known = {path.partition(".")[2] for path, _ in FIELDS if path.startswith(f"{kind.name}.")}
    for path in [column.path for column in kind.columns] + list(kind.selectable):
        if "[?" not in path and not path.startswith(".metadata"):
            assert path.lstrip(".") in known


def test_a_choice_of_types_is_not_structural() -> None:
    class Both(Model):
        value: int | str = 1

    with pytest.raises(NotStructural, match=r"Both\.value: a choice of several types"):
        structural(Both)


def test_the_reason_of_a_session_is_the_one_that_changes_on_its_way() -> None:
    """`Succeeded` says `InProgress` of whatever has not finished."""
    [column] = [column for kind in KINDS if kind.name == "AgentSession" for column in kind.columns if column.name == "Reason"]
    assert '"Ready"' in column.path
