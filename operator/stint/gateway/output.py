"""Whether the session's structured output matches its schema.

The agent's own word is not enough, since it writes its own result: the gateway checks what is submitted and keeps its hash.
Schema and output are not trusted to be harmless: a regular expression can run for hours, and nothing in this process could
stop it. So the check runs in a process of its own, which is killed after five seconds.

This file is also that process's program: it needs nothing but the standard library and `jsonschema`, and only there is
`jsonschema` loaded.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import resource
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

SECONDS = 5.0
MEMORY = 1 << 30  # bytes of address space
MAX_ERROR = 256  # characters

Schema = dict[str, Any] | bool


@dataclass(frozen=True, slots=True)
class Verdict:
    """`sha256` is over the canonical JSON of the output; `error` says why it is not valid."""

    sha256: str
    valid: bool
    error: str | None


def canonical(value: Any) -> bytes:
    """Sorted keys, no spaces, UTF-8. Raises UnicodeEncodeError for half a surrogate pair, which is no text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def submitted(body: bytes) -> Any:
    """The output inside `{"output": …}`. Raises ValueError with a sentence."""
    try:
        document = json.loads(body, parse_constant=_no_number)
        canonical(document)
    except (ValueError, RecursionError):
        raise ValueError("The body must be JSON in UTF-8.") from None
    if not isinstance(document, dict) or "output" not in document:
        raise ValueError('The body must be {"output": …}.')
    return document["output"]


def _no_number(name: str) -> NoReturn:
    raise ValueError(name)


class OutputCheck:
    """Checks outputs against one schema, one at a time. No schema: everything is valid."""

    def __init__(self, schema: Schema | None, seconds: float = SECONDS) -> None:
        self._schema = schema
        self._seconds = seconds
        self._one = asyncio.Semaphore(1)

    async def __call__(self, output: Any) -> Verdict:
        digest = hashlib.sha256(canonical(output)).hexdigest()
        error = None
        if self._schema is not None:
            async with self._one:
                error = await self._ask_worker(canonical({"schema": self._schema, "output": output}))
        return Verdict(digest, error is None, error)

    async def _ask_worker(self, question: bytes) -> str | None:
        worker = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", __file__),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env={},
        )
        try:
            answer, _ = await asyncio.wait_for(worker.communicate(question), self._seconds)
        except TimeoutError:
            return f"The check against outputSchema took longer than {self._seconds:g} seconds; simplify its patterns."
        finally:
            if worker.returncode is None:
                worker.kill()
                await worker.wait()
        if worker.returncode != 0:
            return f"The check against outputSchema failed (exit code {worker.returncode})."
        error: str | None = json.loads(answer)
        return error


def mismatch(schema: Schema, output: Any) -> str | None:
    """Where and how `output` differs from `schema`, None if it does not. References are looked up in the schema alone."""
    import jsonschema
    from jsonschema import exceptions
    from referencing import Registry
    from referencing.exceptions import Unresolvable
    from referencing.jsonschema import EMPTY_REGISTRY

    registry: Registry[Any] = EMPTY_REGISTRY
    validator = jsonschema.validators.validator_for(schema, default=jsonschema.Draft202012Validator)
    try:
        validator.check_schema(schema)  # type: ignore[arg-type]  # true and false are schemas too
        best = exceptions.best_match(validator(schema, registry=registry).iter_errors(output))
    except exceptions.SchemaError as problem:
        return bounded(f"outputSchema is no valid JSON Schema: {problem.message}")
    except Unresolvable as problem:
        return bounded(f"outputSchema refers to something that is not in it: {problem.ref}")
    except RecursionError:
        return "The output or outputSchema is nested too deeply."
    return None if best is None else bounded(f"{_path(best.absolute_path)}: {best.message}")


def _path(steps: Sequence[str | int]) -> str:
    return "$" + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)


def bounded(text: str, most: int = MAX_ERROR) -> str:
    """At most `most` characters, all printable: a control character would take six bytes of a report."""
    text = " ".join(text.split())
    clean = "".join(letter if letter.isprintable() else "?" for letter in text[: most + 1])
    return clean if len(clean) <= most else clean[: most - 1] + "…"


def work() -> None:
    """The worker: a question on standard input, its answer on standard output."""
    resource.setrlimit(resource.RLIMIT_CPU, (int(SECONDS) + 1, int(SECONDS) + 1))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    question = json.load(sys.stdin.buffer)
    json.dump(mismatch(question["schema"], question["output"]), sys.stdout)


if __name__ == "__main__":
    work()
