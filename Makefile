# make demo   builds everything and shows the whole path once
# make test   passes the tests
# make help   lists the rest

SHELL := /bin/bash

GO      ?= go
GOOS    := $(shell $(GO) env GOOS)
GOARCH  := $(shell $(GO) env GOARCH)
LDFLAGS := -s -w

# With cgo, signatures are made and checked by libsecp256k1, four times as fast.
# On Linux amd64 the binaries are linked statically all the same.
ifeq ($(GOOS)/$(GOARCH),linux/amd64)
CGO     := 1
STATIC  := -tags 'netgo osusergo' -ldflags '$(LDFLAGS) -linkmode external -extldflags "-static"'
else
CGO     := 0
STATIC  := -ldflags '$(LDFLAGS)'
endif

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.DEFAULT_GOAL := help

.PHONY: build
build: bin/aitbc bin/aitbcd bin/aitbc-miner bin/aitbc-miner-gpu ## make the programs in bin/

.PHONY: bin/aitbc bin/aitbcd bin/aitbc-miner bin/aitbc-miner-gpu
bin/aitbc: # what keys leave in memory is erased: wallet/guard
	GOEXPERIMENT=runtimesecret CGO_ENABLED=$(CGO) $(GO) build $(STATIC) -o $@ ./cmd/aitbc
bin/aitbcd:
	cd chain && CGO_ENABLED=$(CGO) $(GO) build $(STATIC) -o ../$@ ./cmd/aitbcd
bin/aitbc-miner:
	CGO_ENABLED=0 $(GO) build -ldflags '$(LDFLAGS)' -o $@ ./cmd/aitbc-miner
bin/aitbc-miner-gpu:
	CGO_ENABLED=0 $(GO) build -ldflags '$(LDFLAGS)' -o $@ ./cmd/aitbc-miner-gpu

.PHONY: demo
demo: build ## run a job on a new network, pay for it, prove it, stop
	bin/aitbc demo

.PHONY: up
up: build ## run a network in ~/.aitbc until Ctrl-C
	bin/aitbc up

.PHONY: test
test: test-root test-chain test-contracts test-ts test-web test-extension test-e2e ## pass all tests

.PHONY: test-root
test-root: ## test the root module, without whole networks
	$(GO) test -shuffle=on $$($(GO) list ./... | grep -v '/e2e')

.PHONY: test-chain
test-chain: ## test the node's module
	cd chain && $(GO) test ./...

.PHONY: test-contracts
test-contracts: ## test the contracts with Foundry, and that their artefacts are fresh
	cd contracts && npm ci --no-audit --no-fund && npm run check && npm test

.PHONY: test-ts
test-ts: ## test the TypeScript types on the vectors of Go and Solidity
	cd sdk/ts && npm ci --no-audit --no-fund && npm test

.PHONY: test-web
test-web: ## test what the pages share, and build them: the built files are committed
	cd web && npm ci --no-audit --no-fund && npm test && npm run build

.PHONY: extension
extension: ## build the browser wallet in extension/dist: unpacked, and a zip with the same bytes each time
	cd extension && npm ci --no-audit --no-fund && npm run build

.PHONY: test-extension
test-extension: extension ## test the browser wallet, and that its zip has the same bytes each time
	cd extension && npm test && sha256sum dist/*.zip > dist/first.sha256 && npm run build && sha256sum --check dist/first.sha256

.PHONY: screenshots
screenshots: ## look at every page of a running explorer or marketplace, wide and narrow, light and dark: URL=http://127.0.0.1:3000
	cd web && npm ci --no-audit --no-fund && node look.mjs $(or $(URL),http://127.0.0.1:3000) screenshots $(RECEIPT)

.PHONY: test-e2e
test-e2e: build ## test whole networks of the real programs
	cd e2e/openai && npm ci --no-audit --no-fund
	cd web && npm ci --no-audit --no-fund
	AITBC_BIN=$(CURDIR)/bin $(GO) test -count=1 -timeout 30m ./e2e/...

.PHONY: chaos
chaos: bin/aitbcd ## let faults happen to four validators: SEED=7 DURATION=5m; the same seed gives the same faults
	AITBC_BIN=$(CURDIR)/bin AITBC_CHAOS_SEED=$(or $(SEED),$(shell date +%s)) AITBC_CHAOS_DURATION=$(or $(DURATION),5m) \
	  $(GO) test -count=1 -timeout 24h -v -run '^TestChaos$$' ./e2e/validators

.PHONY: nightly
nightly: build ## the long tests: race detector, fuzzing, repeated faults, a million requests
	$(GO) test -race $$($(GO) list ./... | grep -v '/e2e')
	cd chain && $(GO) test -race -timeout 40m ./...
	.ci/fuzz $${FUZZTIME:-60s}
	AITBC_LONG=1 $(GO) test -count=1 -run '^TestADayOfChurn' -v ./coordinator
	AITBC_OLLAMA=$$(.ci/ollama) $(GO) test -count=1 -run '^TestRealOllama$$' -v ./engine/openai
	AITBC_LLAMA_SERVER=$$(.ci/llama-server) $(GO) test -count=1 -run '^TestRealLlamaServer$$' -v ./engine/openai
	cd contracts && npm ci --no-audit --no-fund && FOUNDRY_INVARIANT_RUNS=$${INVARIANT_RUNS:-4000} npm test # 4000 histories of 250 calls: 10^6 for each invariant
	AITBC_BIN=$(CURDIR)/bin AITBC_LONG=1 $(GO) test -count=1 -timeout 2h ./e2e/...
	AITBC_BIN=$(CURDIR)/bin AITBC_MONEY_REQUESTS=$${MONEY_REQUESTS:-1000000} $(GO) test -count=1 -timeout 12h -v ./e2e/money

.PHONY: bench
bench: build ## measure; docs/BENCHMARKS.md says what
	AITBC_BIN=$(CURDIR)/bin $(GO) run ./bench

.PHONY: bench-peers
bench-peers: ## measure beside River and asynq, which need PostgreSQL and redis-server
	cd bench/peers && $(GO) test -run '^$$' -bench . -benchtime 5x -timeout 30m ./...

.PHONY: bench-llama
bench-llama: ## measure the exact engine beside llama.cpp, whose library comes from npm
	$(GO) run ./bench/llama

.PHONY: release
release: ## build the programs of this commit for every platform, with checksums and SBOM: OUT=release
	deploy/release/build $(or $(OUT),release)

.PHONY: lint
lint: ## format, vet and lint both modules
	.ci/lint

.PHONY: generate
generate: ## make the generated files again: the contracts' artefacts
	cd contracts && npm ci --no-audit --no-fund && npm run build

.PHONY: clean
clean: ## remove what make build and make extension made
	rm -rf bin extension/dist
