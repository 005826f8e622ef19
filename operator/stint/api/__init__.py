"""The kinds of `stint.dev/v1alpha1` as pydantic models.

They are written once and used three times: the controller reads objects through them, `hack/generate.py` makes the CRDs from them
(so the API server checks what they say), and the reference pages of the docs. Nothing here knows the cluster or the clock.
"""
