# The commands of this repository. `make` lists them.
.DEFAULT_GOAL := help
.PHONY: help stack-up stack-down stack-reset stack-status connector demo chaos bench test

STACK := dev/stack/stack
# What was built is run from here: `cargo run` would build the dependencies again, for another choice of packages.
RELEASE := $(or $(CARGO_TARGET_DIR),target)/release
# Whether the benchmark runs the in-process benches, which take minutes to build.
HOT := $(if $(ONLY),$(findstring hot,$(ONLY)),all)

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

stack-up: ## install what is missing, start the servers, wait until they are ready (PORT_BASE=n chooses the ports)
	@$(STACK) up

stack-down: ## stop the servers, keep their data
	@$(STACK) down

stack-reset: ## delete the servers' data and start them again
	@$(STACK) reset

stack-status: ## show which server runs where
	@$(STACK) status

connector: ## register connectors/ecommerce.json and wait until it runs
	@$(STACK) connector register ecommerce

demo: stack-up ## watch Postgres' changes arrive in the three stores, compared field by field; SEED=n, CHANGES=n
	@cargo build --release --package distributary --package demo
	@$(STACK) kafka topics --create --if-not-exists --topic ecommerce.dead-letter > /dev/null
	@set -a && . .stack/env && set +a && $(RELEASE)/demo --seed $(or $(SEED),1) --changes $(or $(CHANGES),3000)

chaos: ## deal faults to the program and a stack of its own, then compare everything; SEED=n, DURATION=3m, RATE=n changes a second
	@cargo build --release --package distributary --package chaos
	@$(RELEASE)/chaos --seed $(or $(SEED),1) --duration $(or $(DURATION),3m) --rate $(or $(RATE),40)

bench: ## measure the program beside bare clients and a peer on a stack of its own, write BENCHMARKS.md; QUICK=1, ROUNDS=n, SEED=n, ONLY=names
	@cargo build --release --package distributary --package bench --bins --example null
	@$(if $(HOT),cargo bench --no-run --quiet --package distributary --package bench --bench hot)
	@$(RELEASE)/bench --seed $(or $(SEED),1) --rounds $(or $(ROUNDS),3) $(if $(QUICK),--quick) $(if $(ONLY),--only $(ONLY))

test: ## install what is missing, start the stack, run every check and test; ends with `N passed, N failed`
	@dev/test
