# What a person types here. `make help` lists it.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
OUTPUT ?= webhook-fuzz-out
# Kubernetes versions to test against a real API server, for example "1.30 1.33 1.37"; unless set,
# the newest and an older one.
VERSIONS ?=

.PHONY: help demo test test-fast check bench lock clean

help: ## List what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-12s %s\n", $$1, $$2}'

demo: $(VENV)/.run ## Sweep webhooks with known faults, without a cluster
	$(BIN)/webhook-fuzz demo --output $(OUTPUT)

test: export KUBERNETES_VERSIONS := $(VERSIONS)
test: $(VENV)/.dev ## All tests and checks, with real webhooks, API servers (VERSIONS="1.30 1.37"), a browser
	scripts/check static
	scripts/testbed
	scripts/browser
	$(BIN)/pytest -n 2 --dist loadfile --cov

test-fast: $(VENV)/.dev ## All tests but those with real components
	$(BIN)/pytest -n 2 -m "not real"

check: $(VENV)/.dev ## Lint, types, layers and fast tests, in under two minutes
	scripts/check

bench: $(VENV)/.dev ## Measure, each figure beside what it is compared with
	$(BIN)/python -m benchmarks

lock: ## Write the lock files again after changing dependencies (needs uv)
	scripts/lock

clean: ## Remove the environment and generated output
	rm -rf $(VENV) $(OUTPUT) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .coverage*

$(VENV)/.run: scripts/locks/run.txt pyproject.toml
	PYTHON=$(PYTHON) scripts/install $(VENV) run

$(VENV)/.dev: scripts/locks/dev.txt pyproject.toml
	PYTHON=$(PYTHON) scripts/install $(VENV) dev
