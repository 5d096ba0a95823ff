#!/usr/bin/env bash
# Everything that has to be true before a change goes in, from a clean clone; ends at the first failure.
#   FUZZ_TIME           for each fuzz target, default 5s
#   MODEL_SEEDS         histories that the model of windows goes through, default 5000
#   CHAOS_KILLS         kill -9 of an instance, default 20;  CHAOS_BROKER_KILLS: of a broker, default 3
#   KRAFT, ZOOKEEPER    the Kafka releases, default 4.3.1 and 3.9.2
#   KAFKA_PORT          first port of the brokers, default 19092
# test.sh STEP... runs only these: setup format vet lint unit model integration fuzz chaos; stop: ends the brokers of a broken-off run
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

kraft=${KRAFT:-4.3.1} zookeeper=${ZOOKEEPER:-3.9.2}
export KAFKA_HOME=${KAFKA_HOME:-$PWD/.kafka/test}
export CHAOS_KILLS=${CHAOS_KILLS:-20} CHAOS_BROKER_KILLS=${CHAOS_BROKER_KILLS:-3}
# What the caller's shell has set for an engine is not for the tests.
unset KAFKA_BOOTSTRAP_SERVERS PIPELINE_FILE INSTANCE_ID TEST_KAFKA_TARGET

step() { # heading, command: the time that it took, and where to go on after a failure
  local heading=$1 start=$SECONDS
  shift
  printf '\n==> %s\n' "$heading"
  "$@" || { echo "==> FAILED: $heading ($((SECONDS - start)) s)" >&2; exit 1; }
  echo "    ok, $((SECONDS - start)) s"
}

compiler() { # the race detector is linked by a C compiler
  command -v "${CC:-gcc}" >/dev/null && return
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt-get update -qq >&2 || true
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends gcc libc6-dev >&2 && return
  fi
  echo "go test -race needs a C compiler: apt-get install gcc libc6-dev, or dnf install gcc, or xcode-select --install" >&2
  return 3
}

setup() { compiler && go mod download && scripts/kafka.sh fetch "$kraft" && scripts/kafka.sh fetch "$zookeeper"; }

format() {
  local files
  files=$(find . -name '*.go' -not -path './.*' -exec gofmt -l {} +) || return
  [ -z "$files" ] || { echo "not formatted; run gofmt -w on:"; echo "$files"; return 1; }
}

modules() { find . -name go.mod -not -path './.*' -not -path './tools/*' -exec dirname {} \;; }

vet() {
  local module
  for module in $(modules); do go vet -C "$module" ./... || return; done
}

lint() {
  go build -C tools -o "$PWD/.cache/bin/golangci-lint" github.com/golangci/golangci-lint/v2/cmd/golangci-lint &&
    .cache/bin/golangci-lint run ./...
}

unit() { go test -race -shuffle=on ./...; }

# The race detector has had its share in the unit tests: without it a second goes through hundreds of histories.
model() { MODEL_SEEDS=${MODEL_SEEDS:-5000} go test -count=1 -timeout 0 -run '^TestEveryWindowIsWhatTheSourceSays$' -v ./service/aggregate; }

# A broker that was asked for and does not come up fails the suite; nothing is left out quietly.
integration() { TEST_KAFKA_TARGET=$1 go test -race -shuffle=on -count=1 -timeout 20m ./test/integration/...; }

chaos() { TEST_KAFKA_TARGET=$1 go test -count=1 -timeout "${CHAOS_TIMEOUT:-15m}" -v ./test/chaos/...; }

fuzz() {
  local package target list
  for package in $(go list ./...); do
    list=$(go test -list '^Fuzz' "$package") || { echo "$list"; return 1; }
    for target in $(grep '^Fuzz' <<<"$list" || true); do
      echo "$package $target"
      fuzz_one "$package" "$target" || return
    done
  done
}

# On a busy machine go test before Go 1.27 may take the end of -fuzztime for a failure (https://go.dev/issue/75804): it says
# nothing but that a deadline was exceeded. An input that fails is always written down and named.
fuzz_one() {
  local log
  log=$(mktemp)
  if go test -run '^$' -fuzz "^$2\$" -fuzztime "${FUZZ_TIME:-5s}" "$1" 2>&1 | tee "$log"; then
    rm "$log"
    return
  fi
  grep -qx '    context deadline exceeded' "$log" && ! grep -Eq 'Failing input|panic|_test\.go:' "$log" || { rm "$log"; return 1; }
  echo "the time was over: https://go.dev/issue/75804"
  rm "$log"
}

stop_brokers() { # what a test that was interrupted left behind
  local version
  for version in "$kraft" "$zookeeper"; do scripts/kafka.sh stop "$version" || true; done
}
trap stop_brokers EXIT

[ $# -gt 0 ] || set -- setup format vet lint unit model integration fuzz chaos
for name; do
  case $name in
  setup) step "Set up: C compiler, Go modules, Apache Kafka $kraft and $zookeeper" setup ;;
  format) step "gofmt" format ;;
  vet) step "go vet" vet ;;
  lint) step "golangci-lint" lint ;;
  unit) step "Unit tests" unit ;;
  model) step "Model of windows, ${MODEL_SEEDS:-5000} histories" model ;;
  integration)
    step "Integration: embedded broker" integration embedded
    step "Integration: Apache Kafka $kraft (KRaft)" integration "$kraft"
    step "Integration: Apache Kafka $zookeeper (ZooKeeper)" integration "$zookeeper"
    ;;
  fuzz) step "Fuzzing, ${FUZZ_TIME:-5s} a target" fuzz ;;
  chaos) step "Chaos: Apache Kafka $kraft, $CHAOS_KILLS crashes of instances, $CHAOS_BROKER_KILLS of brokers" chaos "$kraft" ;;
  stop)
    for KAFKA_HOME in "$PWD"/.kafka "$PWD"/.kafka/*/; do stop_brokers; done
    exit
    ;;
  *) echo "no step $name: setup format vet lint unit model integration fuzz chaos" >&2; exit 2 ;;
  esac
done
printf '\n==> all passed, %s s\n' $SECONDS
