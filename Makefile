# make            what there is
# make test       everything that has to be true before a change goes in; sets up what it needs
.DEFAULT_GOAL := help
.PHONY: help run build test unit model integration chaos fuzz lint bench pgo docker compose clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: ## embedded broker, generator and engine in one process
	go run main.go

build: ## bin/data-stream-engine
	CGO_ENABLED=0 go build -trimpath -ldflags='-s -w' -o bin/data-stream-engine .

test: ## everything: lint, unit, integration on embedded and real Kafka, fuzz, chaos
	scripts/test.sh

unit: ## the quick tests alone
	scripts/test.sh format vet unit

integration: ## one suite on the embedded broker, Kafka with KRaft and Kafka with ZooKeeper
	scripts/test.sh setup integration

model: ## windows against a model of Kafka, as many histories as you like: MODEL_SEEDS=1000000 make model
	MODEL_SEEDS=$${MODEL_SEEDS:-100000} scripts/test.sh model

chaos: ## crashes for as long as you like: CHAOS_KILLS=500 CHAOS_BROKER_KILLS=50 CHAOS_TIMEOUT=3h make chaos
	CHAOS_KILLS=$${CHAOS_KILLS:-200} CHAOS_BROKER_KILLS=$${CHAOS_BROKER_KILLS:-20} CHAOS_TIMEOUT=$${CHAOS_TIMEOUT:-2h} scripts/test.sh setup chaos

fuzz: ## each fuzz target for FUZZ_TIME (default 1m)
	FUZZ_TIME=$${FUZZ_TIME:-1m} scripts/test.sh fuzz

lint: ## golangci-lint, built from tools/go.mod
	scripts/test.sh format vet lint

bench: ## the Kafka layer, the whole pipeline and a million groups, on a real Kafka
	scripts/bench.sh

pgo: ## renews default.pgo, the profile that go build optimises the engine by: after changes to the record path, or a new Go
	scripts/pgo.sh

docker: ## the container image, stamped with VERSION or what git says; make compose rehearses it
	docker build --build-arg VERSION="$${VERSION:-$$(git describe --tags --always --dirty)}" -t data-stream-engine -f dockerfile .

compose: ## builds the image, brings docker-compose.yml up under a name of its own, waits until events flow, and takes it down
	scripts/compose.sh

clean: ## removes what the other targets made, the data of the embedded broker included
	scripts/test.sh stop
	rm -rf bin .cache .kafka data
