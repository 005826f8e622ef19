"""Whether ``agent.outputSchema`` is a JSON schema at all. Whether an output matches it is checked in the gateway, where a hostile pattern can only
slow down its own pod."""

from __future__ import annotations

from typing import Any


def schema_problem(schema: dict[str, Any]) -> str:
    """What is wrong with a schema; empty when it is one."""
    from jsonschema.exceptions import SchemaError  # imported late: most sessions have no schema, and this costs 10 MB
    from jsonschema.validators import Draft202012Validator, validator_for

    try:
        validator_for(schema, default=Draft202012Validator).check_schema(schema)
    except SchemaError as error:
        where = "/".join(str(part) for part in error.absolute_path)
        return f"{where}: {error.message}"[:512] if where else error.message[:512]
    except RecursionError:
        return "it is nested too deeply"
    except (TypeError, ValueError, AttributeError, OverflowError, KeyError) as error:  # what the library makes of an odd $schema or pattern
        return f"{type(error).__name__}: {error}"[:512]
    return ""
