# The front door. `make help` lists what there is; every target works from a clean clone.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help setup build demo test up down lint bench bench-kernel

# A toolchain that rustup installed a moment ago is found without a new shell.
export PATH := $(PATH):$(HOME)/.cargo/bin
export CARGO_TARGET_DIR ?= $(CURDIR)/target

BIN := $(CARGO_TARGET_DIR)/debug
STEP := scripts/step.sh

# `assent-verify replay` and `what-if`, which the short audit build of the verifier leaves out (cargo build -p assent-verifier).
FEATURES := --features assent-verifier/replay
# With --examples cargo resolves features as for the tests, so that build, lint and tests share every dependency's build.
BUILD := cargo build --workspace --bins --examples $(FEATURES)

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

setup: ## Check what a build needs; install what is missing when allowed
	@scripts/setup.sh

build: setup ## Build all binaries
	@$(STEP) "build" $(BUILD)

demo: build ## A three-node cluster decides the example fleets' calls, seals them, and has them verified
	@$(STEP) "demo" $(BIN)/assent-fleet-demo

test: build ## Run all tests
	@$(STEP) "Rust tests" cargo test --workspace $(FEATURES) --no-fail-fast
	@$(STEP) "example: the workload is what its generator makes" python3 examples/fleet/generate.py --check
	@$(STEP) "example: a second evaluator agrees" python3 examples/fleet/check.py
	@$(STEP) "example: tests of its tools" python3 examples/fleet/test_fleet.py

up: build ## Start a local three-node cluster and leave it running
	@$(BIN)/assent-fleet-demo up

down: ## Stop the cluster that `make up` started
	@test -x $(BIN)/assent-fleet-demo || { echo "nothing was built here, so nothing runs from here; see make up"; exit 1; }
	@$(BIN)/assent-fleet-demo down

lint: ## Formatting, clippy, style and walls, as CI checks them
	@scripts/setup.sh --lint
	@cargo fmt --all -- --check
	@$(STEP) "clippy" cargo clippy --workspace --all-targets $(FEATURES) -- -D warnings
	@cargo xtask tidy
	@cargo xtask walls

bench: bench-kernel build ## Run all benches: the pure crates optimised, then a node under load while a bundle is activated
	@$(STEP) "a node under load" $(BIN)/assent-load --activation --clients 8 --seconds 4
	@echo "Criterion keeps its results in $(CARGO_TARGET_DIR)/criterion; figures worth keeping go to benches/results/."
	@echo "Three nodes under load: $(BIN)/assent-load --help"

bench-kernel: setup ## Run the benches of the pure crates, optimised; each pins itself to one core
	@$(STEP) "benches" cargo bench -p assent-benches --no-default-features --benches -- --warm-up-time 1 --measurement-time 2
