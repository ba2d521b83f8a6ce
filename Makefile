# Tallyman. `make test` runs everything that CI runs; `make help` lists the rest.

SHELL       := bash
.SHELLFLAGS := -eu -o pipefail -c
GO          ?= go
DATA        ?= ./tallyman-data
FUZZTIME    ?= 10s

STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2

# Under the race detector tests run at the small sizes of -short, and without it at
# full size. The embedded database is C in Go's words, which the detector makes
# several times slower and finds nothing in: it is left out of it. Tests that start
# the program run it as it is built for users: their files are marked !race.
RACE := -race -short -timeout 12m '-gcflags=modernc.org/...=-race=false'

.PHONY: help build run test fmt vet kill-100 soak fuzz bench bench-nodes bench-long memory bad-million nightly libreoffice clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "%-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## build ./tallyman
	$(GO) build -trimpath -o tallyman ./cmd/tallyman

run: build ## serve a data folder with demo data in it
	@test -e $(DATA)/tallyman.db || ./tallyman import examples/products.csv --data $(DATA)
	./tallyman serve --data $(DATA)

test: ## everything: tools, format, vet, staticcheck, tests, tests under the race detector
	@.ci/tools
	@echo "== gofmt"
	@test -z "$$(gofmt -l .)" || { echo "not formatted, run make fmt:"; gofmt -l .; exit 1; }
	@echo "== vet"
	@$(GO) vet ./...
	@echo "== staticcheck"
	@$(GO) run $(STATICCHECK) ./...
	@echo "== tests"
	@.ci/gotest -timeout 10m ./...
	@echo "== tests, race detector"
	@TALLYMAN_TEST_STORE=postgres .ci/gotest $(RACE) $$($(GO) list ./... | grep -v internal/bench)

fmt: ## format the code
	gofmt -w .

vet: ## vet and staticcheck
	$(GO) vet ./...
	$(GO) run $(STATICCHECK) ./...

kill-100: ## kill imports, plans, applies, undos and retries 100 times; they must end like ones left alone
	TALLYMAN_KILLS=100 $(GO) test -v -count=1 -timeout 60m -run Kill ./cmd/tallyman

soak: ## fifty imports on three nodes, a random fault in each (TALLYMAN_SOAK_SEED=N draws them again); 1M rows overtaken
	TALLYMAN_SOAK=$(or $(TALLYMAN_SOAK),50) $(GO) test -v -count=1 -timeout 120m -run 'TestFaults|TestTwoImports|TestASmallImport' ./cmd/tallyman

fuzz: ## run every fuzzer for FUZZTIME (10s)
	@.ci/fuzz $(FUZZTIME)

bench: ## measure against the sqlite3 shell's .import: 100,000 and 1,000,000 rows
	@$(GO) run ./internal/bench -rows 100000,1000000

bench-nodes: ## measure on PostgreSQL against psql's \copy: ROWS (1000000) rows on one, two and three nodes
	@$(GO) run ./internal/bench/nodes -rows $(or $(ROWS),1000000) -nodes 1,2,3

bench-long: ## the same at 5,000,000 and 10,000,000 rows
	@$(GO) run ./internal/bench -rows 5000000,10000000 -cases create,same,update

memory: ## peak memory of an import by size of the file
	@$(GO) run ./internal/bench -rows 100000,1000000,3000000 -runs 1 -cases create,same -loader=false

bad-million: ## import ROWS (1000000) bad rows; counts must be exact, memory and database bounded
	@$(GO) run ./internal/bench/badmillion -rows $(or $(ROWS),1000000)

nightly: ## thirty feeds of ROWS (100000) rows in a row; growth must be bounded, and history outlive before-images
	@$(GO) run ./internal/bench/nightly -rows $(or $(ROWS),100000)

libreoffice: ## have failed rows corrected by LibreOffice itself, and keep what it saved as test data
	@internal/bench/libreoffice/install
	@$(GO) run ./internal/bench/libreoffice -fixtures internal/importer/testdata/libreoffice

clean: ## remove what build and run left
	rm -rf tallyman tallyman-data .cache
