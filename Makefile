# Targets for developers and first-time users; `make` lists them.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: help demo test test-all torture check format bench bench-startup bench-million bench-models bench-supervision simulate clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-17s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(VENV)/installed: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "imgpool needs Python 3.11 or newer: make PYTHON=python3.12 …")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(VENV)/installed-check: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --editable '.[check]'
	@touch $@

demo: $(VENV)/installed ## Install into .venv and process the sample images
	$(BIN)/imgpool process sample_images

test: $(VENV)/installed-check ## Run the tests (about six minutes on two cores)
	$(BIN)/python -m pytest -n auto --dist worksteal -m 'not slow and not torture'

test-all: $(VENV)/installed-check ## Run the long tests too
	$(BIN)/python -m pytest -n auto --dist worksteal -m 'not torture'

torture: $(VENV)/installed-check ## Provoke each fault a hundred times, and print a table (half an hour)
	$(BIN)/python -m pytest -n 0 -m torture tests/faults

check: $(VENV)/installed-check ## Lint, check the format and the types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/installed-check ## Format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

$(VENV)/installed-bench: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --editable '.[bench]'
	@touch $@

bench: $(VENV)/installed-bench ## Measure speed against peers (40 minutes; ARGS=--quick for a try)
	$(BIN)/python -m benchmarks.bench --disk $(ARGS)

bench-startup: $(VENV)/installed-check ## Measure the start-up time
	$(BIN)/python -m benchmarks.startup

bench-million: $(VENV)/installed-check ## Measure scanning, planning and journalling a million files
	$(BIN)/python -m benchmarks.million $(or $(FOLDER),/tmp/imgpool-million) --files 1000000

bench-models: $(VENV)/installed-check ## Measure the time saved by loading a model once per worker
	$(BIN)/python -m benchmarks.models $(ARGS)

simulate: $(VENV)/installed-check ## Compute what would limit 4 to 128 workers
	$(BIN)/python -m benchmarks.simulation $(ARGS)

bench-supervision: $(VENV)/installed-check ## Measure the cost of supervision, relative to a bare pool
	$(BIN)/python -m benchmarks.supervision

clean: ## Remove .venv, builds, caches and the results of `make demo`
	rm -rf $(VENV) dist sample_images-processed .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
