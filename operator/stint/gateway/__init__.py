"""The proxy beside each agent: it holds the credential, counts what the agent uses, and stops at the limit.

The agent's container has no key and cannot reach into this one, so what is counted here can be billed. The documents it
reads and writes are described in `docs/reference/pod-contract.md`.

    config ──▶ app ──▶ proxy ──▶ admit (may this request go out?) ──▶ exchange ──▶ model API
                         │                                              │ meter reads along
                         └────────── record (usage, journal, report) ◀──┘
"""
