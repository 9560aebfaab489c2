# A fresh clone needs GNU make and Python 3.11, 3.12 or 3.13; the wallet tests also need npm. Everything else is
# installed here, pinned: Python packages into .venv/, npm packages into tests/clients/node_modules/. With cargo on
# the machine the native execution engine is built too; without it the node runs on the reference engine.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules --no-print-directory

PY := .venv/bin/python
PIP := $(PY) -m pip --disable-pip-version-check --no-input install --quiet --progress-bar off
SOURCES := sequencer mempool execution da tests
CYCLES ?= 100
SHARDS ?= 1
SHARD ?= 1
COUNT ?= 200
JOBS ?= 2
ARGS ?=

NATIVE := execution/native
NATIVE_SOURCES := $(shell find $(NATIVE) -name target -prune -o -type f \( -name '*.rs' -o -name 'Cargo.*' \) -print 2>/dev/null)
CARGO := $(shell command -v cargo 2>/dev/null)
export CARGO_TARGET_DIR ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/rollup-sequencer/target

.PHONY: help
help: ## List what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# ------------------------------------------------------------------------------------------------ use and test

.PHONY: devnet
devnet: .venv/.run try-native ## Run a chain for development (flags: ARGS="--block-time 250ms --data-dir chain")
	@exec .venv/bin/sequencer devnet $(ARGS)

.PHONY: test
test: .venv/.dev tests/clients/node_modules/.stamp try-native ## Run all tests (flags: ARGS="-k pool")
	@$(PY) -m pytest -n $(JOBS) --dist loadfile $(ARGS)

.PHONY: conformance
conformance: .venv/.dev try-native ## Run every conformance vector, on both engines
	@CONFORMANCE_FULL=1 $(PY) -m pytest tests/conformance -n $(JOBS) $(ARGS)

.PHONY: crash-test
crash-test: .venv/.dev try-native ## Crash a node CYCLES times (100), and hold it to its promises (SHARDS=4 SHARD=1: a part)
	@$(PY) -m tests.crash --cycles $(CYCLES) --shards $(SHARDS) --shard $(SHARD) $(ARGS)

.PHONY: power-loss-test
power-loss-test: .venv/.dev ## Cut the power of a simulated machine COUNT times (200), and hold it to its promises
	@$(PY) -m tests.crash.power_loss --count $(COUNT) $(ARGS)

.PHONY: fuzz
fuzz: .venv/.dev try-native ## Run the property tests with many more examples
	@$(PY) -m pytest tests/property -n $(JOBS) --hypothesis-profile fuzz --timeout 0 $(ARGS)

.PHONY: bench
bench: .venv/.dev try-native ## Measure speed and latency on this machine
	@$(PY) -m bench $(ARGS)

# ------------------------------------------------------------------------------------------------ before a change

.PHONY: check
check: .venv/.dev ## Formatting, lint, types, import rules, Dockerfile; every warning is an error
	.venv/bin/ruff format --check --quiet .
	.venv/bin/ruff check --quiet .
	.venv/bin/mypy
	.venv/bin/lint-imports --no-logo
	.venv/bin/hadolint --failure-threshold style Dockerfile
	$(if $(and $(CARGO),$(NATIVE_SOURCES)),$(MAKE) check-native,true)

.PHONY: check-native
check-native: ## Formatting, lint and unit tests of the native engine (needs cargo)
	cargo fmt --check --manifest-path $(NATIVE)/Cargo.toml
	cargo clippy --quiet --locked --profile ci --all-targets --manifest-path $(NATIVE)/Cargo.toml -- -D warnings
	cargo test --quiet --locked --profile ci --manifest-path $(NATIVE)/Cargo.toml

.PHONY: fmt
fmt: .venv/.dev ## Format the code and mend what the linter can
	@.venv/bin/ruff check --fix --quiet . || true
	@.venv/bin/ruff format .
	@$(if $(and $(CARGO),$(NATIVE_SOURCES)),cargo fmt --manifest-path $(NATIVE)/Cargo.toml,true)

.PHONY: clean
clean: ## Remove everything that was made here, .venv included
	@rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache build dist tests/clients/node_modules \
	  tests/clients/hardhat/node_modules contracts/out contracts/cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# ------------------------------------------------------------------------------------------------ what is installed

.PHONY: install
install: .venv/.dev ## Build .venv/ with the node and all its development tools

.venv/bin/python:
	@for python in "$${PYTHON:-python3}" python3.13 python3.12 python3.11; do \
	  if "$$python" -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; then \
	    echo "making .venv with $$("$$python" --version)" >&2; exec "$$python" -m venv .venv; \
	  fi; \
	done; \
	echo "Python 3.11, 3.12 or 3.13 with venv is needed (on Debian: apt-get install python3 python3-venv)" >&2; exit 1

.venv/.run: requirements/build.lock requirements/run.lock pyproject.toml | .venv/bin/python
	@echo "installing the node" >&2
	@$(PIP) --require-hashes -r requirements/build.lock -r requirements/run.lock
	@$(PIP) --no-build-isolation --no-deps --editable .
	@touch $@

.venv/.dev: requirements/dev.lock .venv/.run
	@echo "installing the development tools" >&2
	@$(PIP) --require-hashes -r requirements/dev.lock
	@touch $@

tests/clients/node_modules/.stamp: tests/clients/package-lock.json tests/clients/hardhat/package-lock.json
	@command -v npm >/dev/null || { echo "npm is needed for the wallet tests (on Debian: apt-get install npm)" >&2; exit 1; }
	@echo "installing wallets and tools for the tests" >&2
	@npm --prefix tests/clients ci --no-audit --no-fund --loglevel error
	@touch $@

.PHONY: native
native: .venv/.native ## Build the native execution engine (needs cargo)

.venv/.native: $(NATIVE_SOURCES) requirements/native.lock .venv/.run
	@test -f $(NATIVE)/Cargo.toml || { echo "there is no native engine in this tree" >&2; exit 1; }
	@command -v cargo >/dev/null || { echo "cargo is needed for the native engine" >&2; exit 1; }
	@echo "building the native engine (minutes the first time)" >&2
	@$(PIP) --require-hashes -r requirements/native.lock
	@VIRTUAL_ENV=$(CURDIR)/.venv .venv/bin/maturin develop --quiet --locked --profile ci --manifest-path $(NATIVE)/Cargo.toml
	@touch $@

# The same for who can do without it: the reference engine serves wherever the native one cannot be built.
.PHONY: try-native
try-native: .venv/.run
	@if [ -z "$(CARGO)" ] || [ ! -f $(NATIVE)/Cargo.toml ]; then \
	  echo "native engine: not built here, the reference engine serves" >&2; \
	else \
	  $(MAKE) -s native >&2 || echo "native engine: its build failed, the reference engine serves" >&2; \
	fi

.PHONY: lock
lock: .venv/.dev ## Resolve the Python dependencies again into requirements/*.lock
	@for name in build native run dev; do \
	  case $$name in \
	    build) what="--group build" ;; \
	    native) what="--group native" ;; \
	    run) what="pyproject.toml" ;; \
	    dev) what="pyproject.toml --group dev $(foreach lock,build native run,--constraint requirements/$(lock).lock)" ;; \
	  esac; \
	  .venv/bin/uv pip compile $$what --universal --generate-hashes --no-emit-index-url \
	    --python-version 3.11 --custom-compile-command "make lock" --upgrade --quiet -o requirements/$$name.lock; \
	done
