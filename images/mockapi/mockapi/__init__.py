"""A scriptable Messages API: try Stint without a key, and test it without a model.

The prompt itself says how the API shall answer (`MOCK:[…]`), so a session carries its own script through resumes, retries
and replicas. Everything it saw can be read back under `/_mock/`. See docs/mockapi.md.

    request ─▶ app ─▶ record (who, what)             ┌▶ stream  (SSE, token by token)
                 └──▶ credential ─▶ faults ─▶ script ┤
                                                     └▶ one JSON document
"""
