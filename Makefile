# What people type. Everything here works on a machine with Python 3.11, its venv module and make.

PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
PORTABLE = runners nrunner/__init__.py nrunner/errors.py nrunner/messages.py nrunner/phase.py \
	nrunner/record.py nrunner/result.py nrunner/runnable.py
SETUP = setup.cfg pyproject.toml scripts/make-venv

.DEFAULT_GOAL = help
.PHONY: help demo screenshots compiled test test-versions soak lint format bench bench-short clean

help: ## Say what can be made
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 16

demo: $(VENV)/.ready ## Run nrunner on examples/ and say where the report is
	cd examples && $(abspath $(BIN))/nrunner run --job-results-dir $(CURDIR)/job-results \
		programs tap recipes test_*.py
	@echo "REPORT     : $$(readlink -f job-results/latest)/results.json"

test: lint compiled ## Run all checks, and the tests on every supported Python that is here
	PYTHON=$(PYTHON) scripts/install-test-tools
	$(BIN)/python scripts/test-versions $(PYTEST_ARGS)
ifdef PYTEST_ARGS
	$(BIN)/python -m pytest $(PYTEST_ARGS)
else
	$(BIN)/python -m pytest -n 3 --dist loadfile --ignore=tests/faults
	$(BIN)/python -m pytest tests/faults # one by one: limits on a user's processes count those of all
endif

test-versions: $(VENV)/.ready-test ## Run the tests on the other supported Pythons only
	PYTHON=$(PYTHON) scripts/install-test-tools
	$(BIN)/python scripts/test-versions $(PYTEST_ARGS)

soak: $(VENV)/.ready-test ## Let random faults loose on real jobs, for ten minutes (SOAK_ARGS="--seconds 60 --seed N")
	$(BIN)/python -m tests.faults.soak_fuzz $(FUZZ_ARGS)
	$(BIN)/python -m tests.faults.soak $(SOAK_ARGS)

# Tests write no bytecode: each nrunner that they start would compile all of it anew.
compiled: $(VENV)/.ready-test
	$(BIN)/python -m compileall -q nrunner runners spawners resolver

screenshots: $(VENV)/.ready-test ## Take the pictures in docs/images anew; look at them afterwards
	PYTHON=$(PYTHON) scripts/install-test-tools
	$(BIN)/python scripts/screenshots

lint: $(VENV)/.ready-test ## Run the checks that need no test: style, types, Python 3.9 floor
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/vermin --target=3.9- --no-tips --quiet $(PORTABLE)
	$(BIN)/python scripts/architecture --check

format: $(VENV)/.ready-test ## Bring the sources into shape
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/python scripts/architecture --write

bench: $(VENV)/.ready ## Measure nrunner beside other tools (see docs/performance.md)
	$(BIN)/python -m benchmarks $(BENCH_ARGS)

bench-short: $(VENV)/.ready ## The same with fewer cases and rounds
	$(BIN)/python -m benchmarks --short $(BENCH_ARGS)

clean: ## Remove everything that was made
	rm -rf $(VENV) .venvs build dist *.egg-info job-results .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.ready: $(SETUP)
	PYTHON=$(PYTHON) scripts/make-venv $(VENV)
	@touch $@

$(VENV)/.ready-test: $(SETUP)
	PYTHON=$(PYTHON) scripts/make-venv $(VENV) test
	@touch $@ $(VENV)/.ready
