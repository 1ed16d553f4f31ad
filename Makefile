# Verbs; the same ones run in CI. `make help` lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
unexport PYTHONDONTWRITEBYTECODE
export UV_PROJECT_ENVIRONMENT := $(CURDIR)/$(VENV)

# uv is taken from PATH, or installed into the project's own environment.
UV = $$(command -v uv || echo $(BIN)/uv)

.PHONY: help
help: ## list the verbs
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | sort | awk -F'\t' '{printf "  %-12s %s\n", $$1, $$2}'

$(VENV)/.base: pyproject.toml uv.lock
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@command -v uv >/dev/null || test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet uv
	@$(UV) sync --frozen --inexact --no-dev --compile-bytecode --quiet
	@touch $@

$(VENV)/.dev: $(VENV)/.base
	@$(UV) sync --frozen --inexact --group bench --compile-bytecode --quiet
	@touch $@

.PHONY: setup
setup: $(VENV)/.dev ## make the environment with everything a developer needs

.PHONY: demo
demo: $(VENV)/.base ## three microgrids trade through an evening; writes a run folder and report.html
	@$(BIN)/tieline demo

.PHONY: test
test: $(VENV)/.dev ## lint, types, import rules and the fast tests
	@$(MAKE) --no-print-directory -j 2 pyright fast-tests

# Tests begin when lint, mypy and the import rules hold; pyright, the slowest of the checks, goes on
# beside them. The tests of a file go to one process: they share the world that the file makes.
.PHONY: fast-tests
fast-tests: $(VENV)/.dev lint imports mypy
	@$(BIN)/pytest -q -n 2 --dist loadfile -m "not slow and not native"

.PHONY: check
check: test check-slow ## all that CI runs on a change

.PHONY: check-slow
check-slow: $(VENV)/.dev ## the slow tests (every byte mutated, whole worlds, kill and resume), a demo, its audit, its chaincode run again in two processes
	@$(BIN)/pytest -q -n 2 --dist loadfile -m "slow and not native"
	@rm -rf runs/check && $(BIN)/tieline demo --out runs/check && $(BIN)/tieline audit runs/check
	@PYTHONPATH=tests $(BIN)/python tests/fakes/replay_invocations.py runs/check/ledgers/mg-c
	@$(MAKE) --no-print-directory proto CHECK=1

.PHONY: lint
lint: $(VENV)/.dev ## ruff
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

.PHONY: fmt
fmt: $(VENV)/.dev ## format
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

.PHONY: types
types: mypy pyright ## mypy and pyright, both strict

.PHONY: mypy
mypy: $(VENV)/.dev
	@$(BIN)/mypy

.PHONY: pyright
pyright: $(VENV)/.dev
	@$(BIN)/pyright --level error

.PHONY: imports
imports: $(VENV)/.dev ## the import rules
	@$(BIN)/lint-imports

.PHONY: property
property: $(VENV)/.dev ## property tests alone
	@$(BIN)/pytest -q tests/property

N ?= 1000000
.PHONY: fuzz
fuzz: $(VENV)/.dev ## feed all decoders with N mutated inputs (N=1000000); adds a line to docs/fuzz.jsonl
	@$(BIN)/python tests/fuzz/run.py --count $(N) --output docs/fuzz.jsonl \
		--date $${BENCHMARK_DATE:-$$(date -u +%F)}

.PHONY: conform
conform: $(VENV)/.dev ## every ledger through one door; LEDGER=tendermint|fabric ENGINE=native, LEDGER=ethereum ENGINE=geth choose
	@LEDGER=$(LEDGER) ENGINE=$(ENGINE) $(BIN)/pytest -q tests/conformance

.PHONY: ledgers
ledgers: ## make the pinned native engines in the cache; skips what is there (needs Go and npm)
	@$(PYTHON) deploy/tools/build_engines.py

.PHONY: native
native: $(VENV)/.dev ## ledgers on native engines: conformance, kills, four validators, a short demo and its audit (after make ledgers)
	@LEDGER=tendermint ENGINE=native $(BIN)/pytest -q tests/conformance
	@LEDGER=cosmos $(BIN)/pytest -q tests/conformance
	@LEDGER=ethereum ENGINE=anvil $(BIN)/pytest -q tests/conformance
	@LEDGER=ethereum ENGINE=geth $(BIN)/pytest -q tests/conformance
	@LEDGER=fabric ENGINE=native $(BIN)/pytest -q tests/conformance
	@LEDGER=fabric ENGINE=native ORDERER=bft $(BIN)/pytest -q tests/conformance
	@$(BIN)/pytest -q -m native tests/integration tests/e2e
	@rm -rf runs/native && $(BIN)/tieline demo --engine native --slots 3 --out runs/native && $(BIN)/tieline audit runs/native

.PHONY: chaos
chaos: $(VENV)/.dev ## kill hosts, engines, peers, orderers, chaincode and the relayer under load; BLOCKS=200 ROUNDS=4, ONLY=tendermint or fabric, SEED=n repeats a run
	@CHAOS_BLOCKS=$(or $(BLOCKS),200) CHAOS_ROUNDS=$(or $(ROUNDS),4) CHAOS_SEED=$(SEED) $(BIN)/pytest -q -s -m native \
		$(if $(filter-out fabric,$(or $(ONLY),all)),tests/integration/test_crash_under_load.py) \
		$(if $(filter-out tendermint,$(or $(ONLY),all)),tests/integration/test_fabric_crashes.py tests/integration/test_fabric_evm_crashes.py)

.PHONY: e2e
e2e: $(VENV)/.dev ## whole worlds through scenario and command line
	@$(BIN)/pytest -q -m "not native" tests/e2e

.PHONY: bench
bench: $(VENV)/.dev ## measure everything; adds to docs/benchmarks.jsonl (ONLY=packets for one)
	@$(UV) sync --frozen --inexact --group bench --group data --compile-bytecode --quiet
	@BENCHMARK_DATE=$${BENCHMARK_DATE:-$$(date -u +%F)} $(BIN)/python tests/benchmark/run.py \
		$(if $(ONLY),--only $(ONLY)) --table docs/benchmarks.md

.PHONY: proto
proto: $(VENV)/.dev ## generate messages from proto/ (make proto CHECK=1: fail when stale)
	@$(BIN)/python deploy/tools/generate_messages.py $(if $(CHECK),--check)

ETHEREUM := adapters/onchain/ethereum

$(ETHEREUM)/node_modules/.package-lock.json: $(ETHEREUM)/package-lock.json
	@command -v npm >/dev/null || { echo "tieline: npm is not here; install Node 20 or newer to compile or test the contracts" >&2; exit 1; }
	@cd $(ETHEREUM) && npm ci --ignore-scripts --no-audit --no-fund --silent
	@touch $@

.PHONY: contracts
contracts: $(ETHEREUM)/node_modules/.package-lock.json ## compile the Solidity contracts (CHECK=1: prove that the committed byte code is theirs; NAME=Host for one)
	@$(PYTHON) deploy/tools/build_contracts.py $(NAME) $(if $(CHECK),--check)

.PHONY: forge
forge: contracts ## test the contracts with forge (MATCH=name for some)
	@cd $(ETHEREUM) && nice -n 5 "$$(ls -d node_modules/@foundry-rs/forge-*/bin/forge* 2>/dev/null || command -v forge)" test $(if $(MATCH),--match-test $(MATCH))

SLITHER_VERSION := 0.11.6

.PHONY: slither
slither: contracts $(VENV)/.base ## analyse the contracts with Slither, in an environment of its own; fails on a high or medium finding
	@cd $(ETHEREUM) && rm -rf out/slither && export FOUNDRY_PROFILE=slither PATH="$$PWD/$$(dirname $$(ls node_modules/@foundry-rs/forge-*/bin/forge* | head -1)):$$PATH" \
		&& nice -n 5 forge build --build-info --force --out out/slither --cache-path out/slither/cache --quiet \
		&& nice -n 5 "$$(command -v uv || echo $(CURDIR)/$(BIN)/uv)" tool run --quiet --from slither-analyzer==$(SLITHER_VERSION) slither . --fail-medium
