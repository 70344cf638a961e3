# Everything a person or a pipeline calls. Builds run as the caller; what needs root (packages, the
# lab's root file system, the lab itself) goes through sudo where the caller is not root.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:

CARGO ?= cargo
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo -E)
HOST := target/debug/host
# Of `make soak`.
PARTS ?= memory lost-writes rto kill extreme faults

# Test binaries start labs, so cargo starts them as root.
ifneq ($(SUDO),)
export CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER ?= $(SUDO)
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER ?= $(SUDO)
endif

.PHONY: help run test test-kubernetes setup build rootfs bench soak soak-memory soak-lost-writes soak-rto soak-kill soak-extreme soak-faults mutants check guests clean

help: ## Say what can be made
	@grep -hE '^[a-z-]+:.*## ' Makefile | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 26

run: setup build ## Set up, build, and run the main job in the lab: 55 minutes of phases in under three
	$(SUDO) $(HOST) run config/vps-6gb.toml --time-scale 20

test: setup build guests ## Set up, build, and run every test that needs no cluster
	export ASSAY_TEST_ROOT=$$($(HOST) lab rootfs config/stacks/jewelry-shop.toml | sed -n 's/^path //p')
	$(CARGO) test --workspace --no-fail-fast

test-kubernetes: setup build rootfs guests ## Run the tests that need a cluster, on the test cluster of KUBECONFIG
	$(SUDO) scripts/image target/kubernetes/jewelry-shop.tar
	$(SUDO) scripts/image-host target/kubernetes/assay.tar
	trap 'scripts/kubernetes remove' EXIT
	scripts/kubernetes deploy
	[ -z "$${ASSAY_TEST_IMAGE_LOAD:-}" ] || eval "$$ASSAY_TEST_IMAGE_LOAD localhost/assay:test target/kubernetes/assay.tar"
	$(CARGO) test --workspace --no-fail-fast --test 'kubernetes*' -- --include-ignored $(TESTS)

bench: setup ## Measure Assay beside wrk, oha, Goose and Locust, and write docs/benchmarks.md
	scripts/bench/setup
	$(CARGO) build --release --workspace
	scripts/bench/run.py $(BENCH)

soak: $(PARTS:%=soak-%) ## What needs long, or many tries: PARTS chooses among soak-…; figures go to docs/soak.md

soak-memory: setup ## Ten minutes at full speed: does memory stay where it was?
	scripts/bench/setup
	$(CARGO) build --release --workspace
	scripts/soak/memory

soak-lost-writes: setup build rootfs ## A drill that is to fail, up to 20 times: does it find the writes that were lost?
	SUDO="$(SUDO)" scripts/soak/lost-writes

soak-rto: setup build rootfs ## Ten failovers, each measured by an independent prober as well. Adds to docs/soak.md
	scripts/soak/rto

soak-kill: setup build rootfs ## Kill the host at random points of drills: 50 times in the lab, 20 on the cluster of KUBECONFIG, if set
	scripts/soak/kill lab
	[ -z "$${KUBECONFIG:-}" ] || scripts/soak/kill cluster

soak-extreme: setup build rootfs ## From three web instances to ten and back, in the lab. Adds to docs/soak.md
	SUDO="$(SUDO)" scripts/soak/extreme

soak-faults: setup build rootfs ## The drill of every fault, in the lab and on the cluster of KUBECONFIG, if set. Adds to docs/soak.md
	SUDO="$(SUDO)" scripts/soak/faults lab
	[ -n "$${KUBECONFIG:-}" ] || exit 0
	$(SUDO) scripts/image target/kubernetes/jewelry-shop.tar
	trap 'scripts/kubernetes remove' EXIT
	scripts/kubernetes deploy
	SUDO="$(SUDO)" scripts/soak/faults cluster

mutants: setup ## Change the definitions one thing at a time: is there a test that notices? MUTANTS chooses, see scripts/mutants/run
	scripts/mutants/run $(MUTANTS)

check: setup ## What a reviewer would complain about: format and lints
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- --deny warnings

setup: ## Install what the build and the lab need
	scripts/setup

# The whole workspace, so that `make run` and `make test` want the same features of every dependency, and
# a machine builds each of them once.
build: setup ## Compile the host, the reference applications and the plugins
	$(CARGO) build --workspace

rootfs: build ## Build the root file system of the lab's instances, unless it is there
	$(SUDO) scripts/rootfs

guests: setup ## Build the test guest in Python, unless it is there
	[ target/guests/python.wasm -nt host/tests/guests/python/build.sh ] || host/tests/guests/python/build.sh target/guests/python.wasm

run test: rootfs

clean: ## Remove what was built here, but not the caches
	$(CARGO) clean
