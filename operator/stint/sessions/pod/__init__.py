"""The agent pod and what it needs beside it. Pure: from `Observed` to manifests; what the programs in it read stands in
docs/reference/pod-contract.md."""
