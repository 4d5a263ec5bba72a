# Two commands do everything on a fresh machine: `make demo` and `make test`. `make` alone lists the rest.

ARGS ?=
SEEDS ?= 2000

.DEFAULT_GOAL := help
.PHONY: help setup demo test check format bench bench-health bench-sync fast chaos simulate lock clean

help: ## this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## everything a fresh machine lacks: packages, .venv, Toxiproxy (quick when it is there already)
	@scripts/setup --tests

demo: ## three regions on this machine, with traffic and failures to watch (ARGS=--once: unattended, asserts)
	@scripts/setup
	@.venv/bin/tidegate demo $(ARGS)

test: ## everything: check, demo, chaos, compose, integration
	@scripts/test

check: ## what to run before a commit: format, lint, types, architecture, unit tests
	@scripts/setup
	@scripts/check

format: ## write the format that `check` asks for
	@scripts/setup
	@.venv/bin/ruff format .
	@.venv/bin/ruff check --fix-only --quiet .

fast: ## compile hot modules to C (ARGS=--clean: back to the sources)
	@scripts/setup
	@.venv/bin/python scripts/compile.py $(ARGS)

bench: ## speed, side by side with other proxies (ARGS passes options)
	@scripts/setup
	@scripts/bench $(ARGS)

bench-health: ## how long failures take to be dealt with (ARGS=--quick: one round each)
	@scripts/setup --tests
	@.venv/bin/python -m bench.health $(ARGS)

bench-sync: ## replication, side by side with other products (ARGS=--quick: one round of few documents)
	@scripts/setup --tests
	@echo "bench-sync: compiling a copy of this tree, as make fast does (some minutes)"
	@.venv/bin/python scripts/compile.py --copy .tools/bench-compiled
	@.venv/bin/python -m bench.sync --compiled .tools/bench-compiled $(ARGS)

chaos: ## real faults against three real regions: promises, figures, pictures (ARGS=--short: what CI runs)
	@scripts/setup --tests
	@.venv/bin/python -m chaos $(ARGS)

simulate: ## regions under every misfortune, in virtual time (SEEDS=2000, ARGS="--seed 7": one again)
	@scripts/setup
	@.venv/bin/python -m tests.simulation --seeds $(SEEDS) $(ARGS)

lock: ## recompile the lock files after a change of pyproject.toml (ARGS=--upgrade: newest versions)
	@scripts/setup
	@scripts/lock $(ARGS)

clean: ## remove what setup and tests made
	@rm -rf .venv .tools .reports .mypy_cache .ruff_cache .pytest_cache .hypothesis dist
