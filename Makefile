# Each target calls one script or one command.

PREFIX ?= /usr/local
DESTDIR ?=

.PHONY: run test bench install format

run: ## build it and watch it do its job
	.ci/tour

test: ## everything, as root also as an ordinary user
	.ci/test

bench: ## times and memory beside peers
	Tests/Benchmarks/run

install: ## PREFIX=/usr/local DESTDIR=
	.ci/install "$(DESTDIR)" "$(PREFIX)"

format:
	.ci/format
