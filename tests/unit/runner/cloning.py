"""Running `clone` in a pod, with a Secret for it."""

from __future__ import annotations

from typing import Any

from unit.runner.kit import Ended, Pod


async def clone(pod: Pod, url: str, **changes: Any) -> Ended:
    pod.environ = {"STINT_ALLOW_HTTP": "1", **pod.environ}
    return await pod.run("clone", git={"url": url, "ref": None, "depth": 1, "auth": "None", **changes})


def secret(pod: Pod, **keys: str) -> None:
    folder = pod.root / "run/stint/git"
    folder.mkdir()
    for name, value in keys.items():
        (folder / name.replace("_", "-" if name.startswith("ssh") else "_")).write_text(value)
