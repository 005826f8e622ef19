"""observe → plan → act, for every kind the same.

::

    watch ──▶ cache ──▶ queue ──▶ worker:  observe(key) ─▶ Observed ─▶ plan() ─▶ Plan ─▶ act() ──▶ API
                ▲                                                                         │
                └───────────────── answers to our own writes are fed back ────────────────┘
"""
