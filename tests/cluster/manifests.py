"""Reads `bad_manifests.yaml` and `bad_budgets.yaml`: bases with merge patches on them."""

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

FILE = Path(__file__).with_name("bad_manifests.yaml")
BUDGETS = Path(__file__).with_name("bad_budgets.yaml")

Manifest = dict[str, Any]


class _Loader(yaml.SafeLoader):
    """YAML with `!repeat [text, times]`."""


def _repeat(loader: yaml.Loader, node: yaml.SequenceNode) -> str:
    text, times = loader.construct_sequence(node)
    return str(text) * int(times)


_Loader.add_constructor("!repeat", _repeat)


@dataclass(frozen=True)
class Case:
    """A manifest, and what the API server has to answer; None: it accepts."""

    name: str
    manifest: Manifest
    expect: str | None


@dataclass(frozen=True)
class Update:
    """A stored session, a merge patch, and what the API server has to answer; None: it accepts."""

    name: str
    old: Manifest
    patch: Manifest
    expect: str | None


@dataclass(frozen=True)
class Table:
    """All cases of both files."""

    good: list[Case]
    bad: list[Case]
    updates: list[Update]
    status: Manifest
    bad_status: list[Update]


def merged(base: Any, patch: Any) -> Any:
    """`patch` on `base` as RFC 7386 has it: null takes a field out, lists are replaced."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    result = dict(base) if isinstance(base, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result


def table() -> Table:
    """The cases of both files, every manifest in full."""
    content, budgets = (yaml.load(file.read_text(), _Loader) for file in (FILE, BUDGETS))
    bases = content["bases"] | budgets["bases"]

    def case(entry: dict[str, Any]) -> Case:
        return Case(entry["name"], merged(bases[entry["base"]], entry["patch"]), entry.get("expect"))

    return Table(
        good=[case(entry) for entry in [*content["good"], *budgets["good"]]],
        bad=[case(entry) for entry in [*content["bad"], *budgets["bad"]]],
        updates=[
            Update(entry["name"], merged(bases["session"], entry.get("old", {})), entry["patch"], entry.get("expect")) for entry in content["updates"]
        ],
        status=content["status"]["full"],
        bad_status=[
            Update(entry["name"], bases["session"], {"status": merged(content["status"]["full"], entry["patch"])}, entry["expect"])
            for entry in content["status"]["bad"]
        ],
    )
