# Bare `make` lists the commands. Each works from a bare clone: it first gets what it needs and says what it could not get.
# PYTHON=/path/to/python3.13 chooses the Python; YES=1 installs system packages without asking.
.DEFAULT_GOAL := help
SHELL := /bin/bash
MAKEFLAGS += --no-print-directory

BIN := .venv/bin
QUICK := not soak and not benchmark and not hardware
# One more than there are processors, for tests wait as much as they work; beyond four they would be in each other's way.
WORKERS := $(shell n=$$(nproc); echo $$((n < 4 ? n + 1 : 4)))

.PHONY: help demo test check soak bench deb setup parts lock clean

help: ## list these commands
	@echo 'Hubkey: keytags, doors, bookings and a fair invoice.'
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: ## see it run: a small hub with doors, pages and an invoice (ONCE=1 plays the story and ends; READER=simulated)
	@.ci/parts demo
	@.ci/environment
	@READER="$${READER:-$$(.ci/parts reader)}" ONCE="$(ONCE)" $(BIN)/python -m tests.system.demo

test: ## run the tests (12 minutes at most on two cores)
	@.ci/parts test
	@.ci/environment
	@$(BIN)/pytest -q -n $(WORKERS) --dist worksteal -m '$(QUICK)' $(ARGS)

check: ## lint, types, import contracts, docs
	@.ci/environment
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/pytest -q tests/repo

soak: ## run the tests with their full counts (hours)
	@.ci/parts test
	@.ci/environment
	@$(BIN)/pytest -q -m soak $(ARGS)

bench: ## measure, each figure beside a floor (ARGS="tap rights" picks some)
	@.ci/parts demo
	@.ci/environment
	@$(BIN)/python -m tests.benchmarks $(ARGS)

deb: ## build the Debian packages of door and server into dist/ (PACKAGES="door server", RELEASES="12 13", ARCHITECTURES="amd64 arm64")
	@.ci/environment
	@packaging/build

setup: ## get what `make demo` needs, and stop
	@.ci/parts demo
	@.ci/environment

parts: ## install the system packages for everything (as root or with sudo)
	@ASK=again .ci/parts test

lock: ## write the lock files anew (UPGRADE=1 takes newer versions)
	@UPGRADE="$(UPGRADE)" .ci/environment lock

clean: ## remove what was fetched and made; the clone is bare again
	@rm -rf .venv .parts build dist ./*.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
