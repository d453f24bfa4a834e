# Bare `make` lists the commands. Every one works from a bare clone.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3

.PHONY: help test check setup

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.venv/ready: pyproject.toml
	@echo "hubkey: making .venv (once)"
	@command -v uv >/dev/null || $(PYTHON) -m pip install --quiet --break-system-packages uv 2>/dev/null || $(PYTHON) -m pip install --quiet uv
	uv venv --quiet --clear --python $(PYTHON) .venv
	uv pip install --quiet --python .venv -e '.[door,server]' --group dev
	@touch $@

setup: .venv/ready ## fetch what the other commands need

test: setup ## pass the tests
	.venv/bin/pytest -q -m "not soak and not benchmark and not hardware"

check: setup ## lint, types, import contracts
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/lint-imports
