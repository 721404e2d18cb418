# Two commands do everything: `make up` and `make test`. Both set up what is missing first.
.PHONY: up test onnxruntime build bench ci

# Arguments for the main command: make up ARGS="--import rows.csv"
ARGS ?=

## Build, fetch what is missing, and run the whole loop on this machine.
up: build
	@./target/release/sluice up $(ARGS)

## Build, fetch what is missing, and pass the tests.
test: onnxruntime
	cargo test --workspace --locked --no-fail-fast

build: onnxruntime
	cargo build --release --locked --bin sluice

onnxruntime:
	@./infra/onnxruntime.sh > /dev/null

## The figures: python peers and Sluice in one run.
bench: build
	./benches/run.sh $(ARGS)

## What CI runs.
ci:
	.ci/run
