# Everything a developer runs. Each target sets up what it needs, so a fresh clone can start with any of them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# The Python to make the environment with; the first in PATH that is new enough, unless it is given.
PYTHON ?=
VENV := .venv
PY := $(VENV)/bin/python
READY := $(VENV)/.ready
# Options for pytest, such as ARGS="-k budget -x".
ARGS ?=
# Name of the embedded cluster of `make demo`.
CLUSTER ?= stint
export CLUSTER
SOURCES := operator images/agent images/mockapi hack tests
UNIT = $(wildcard tests/unit tests/simulation)
CLUSTER_TESTS = $(wildcard tests/cluster)
# Unit tests alone: a worker for each core. With cluster tests: two if two embedded clusters fit on this machine, else none
# (tests/cluster/provision/choice.py). ARGS="-n 0" for none in any case.
PARALLEL := -n auto --dist loadfile --no-loadscope-reorder

##@ Try it

.PHONY: demo
demo: $(READY) ## A cluster, Stint in it, and one session to its answer (15 min at first, then 1 min)
	@$(PY) hack/demo.py up

.PHONY: demo-down
demo-down: $(READY) ## Remove all that `make demo` made
	@$(PY) hack/demo.py down

##@ Develop

.PHONY: setup
setup: ## Python environment, and as root the Debian packages that images need
	@$(call setup)

.PHONY: fmt
fmt: $(READY) ## Put the code into shape
	@$(PY) -m ruff check --quiet --fix-only $(SOURCES)
	@$(PY) -m ruff format --quiet $(SOURCES)

.PHONY: lint
lint: $(READY) ## ruff, mypy --strict, and which package may import which
	$(PY) -m ruff check $(SOURCES)
	MYPYPATH=hack $(PY) -m mypy $(SOURCES)
	$(VENV)/bin/lint-imports

.PHONY: generate
generate: $(READY) ## Write what is derived: CRDs, field reference, page of metrics
	$(PY) hack/generate.py
	@mkdir -p charts/stint/files/crds && rm -f charts/stint/files/crds/*.yaml && cp crds/*.yaml charts/stint/files/crds/

.PHONY: verify
verify: $(READY) ## Is all that is derived up to date? CRDs, reference, chart, lock files, examples
	@$(PY) hack/verify.py

.PHONY: lock
lock: $(READY) ## Write requirements.lock and requirements-dev.lock from pyproject.toml
	$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes --requirement hack/lock-tool.lock
	$(VENV)/bin/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 pyproject.toml -o requirements.lock
	$(VENV)/bin/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --extra dev pyproject.toml -o requirements-dev.lock

.PHONY: images
images: $(READY) ## Build operator, agent and mockapi (2 min at first, a second after a change of code)
	@$(PY) hack/images.py build

##@ Test

.PHONY: test
test: $(READY) ## All tests, on clusters of their own (half an hour at first)
	$(PY) -m pytest $(PARALLEL) $(UNIT) $(CLUSTER_TESTS) $(ARGS)

.PHONY: test-unit
test-unit: $(READY) ## Tests that need no cluster
	$(PY) -m pytest $(PARALLEL) $(UNIT) $(ARGS)

.PHONY: test-cluster
test-cluster: $(READY) ## Tests on a real cluster
	$(PY) -m pytest $(PARALLEL) $(CLUSTER_TESTS) $(ARGS)

.PHONY: bench
bench: $(READY) ## Measure, and write docs/benchmarks.md
	$(PY) -m perf.run $(ARGS)

##@ Clean

.PHONY: clean
clean: ## Remove what was built in this checkout (the cache ~/.cache/stint stays)
	rm -rf build dist $(VENV) .coverage* .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find $(SOURCES) -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: help
help: ## This list
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(READY): requirements-dev.lock hack/setup.py
	@$(call setup)

define setup
	python="$(PYTHON)"; \
	for each in python3.13 python3.12 python3.11 python3; do \
		[ -z "$$python" ] || break; \
		"$$each" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && python="$$each"; \
	done; \
	if [ -z "$$python" ]; then \
		echo "Stint needs Python 3.11 or newer, and PATH has none: install one (Debian 12 and Ubuntu 24.04 bring it), or give its path: make PYTHON=/path/to/python3 $(MAKECMDGOALS)" >&2; \
		exit 2; \
	fi; \
	"$$python" hack/setup.py
endef
