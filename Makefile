# Each target calls one script or one command.

PREFIX ?= /usr/local
DESTDIR ?=

.PHONY: run test adversarial fuzz soak bench bench-check install format

run: ## build it and watch it do its job
	.ci/tour

test: ## everything, as root also as an ordinary user
	.ci/test

adversarial: ## the attacks, as root and as an ordinary user and beside peers, and their table
	.ci/adversarial

soak: ## the long races, and many runs in a row: no growth, no residue
	.ci/soak

fuzz: ## a minute of hostile input for each reader of it
	.ci/fuzz

bench: ## times and memory beside peers
	Tests/Benchmarks/run

bench-check: ## whether a ratio to a peer became worse
	Tests/Benchmarks/run --check

install: ## PREFIX=/usr/local DESTDIR=
	.ci/install "$(DESTDIR)" "$(PREFIX)"

format:
	.ci/format
