#!/usr/bin/env bash
# Everything that has to be true before a change goes in, from a clean clone; ends at the first failure.
#   FUZZ_TIME           for each fuzz target, default 5s
#   MODEL_SEEDS         histories that the model of windows goes through, default 5000
#   CHAOS_KILLS         kill -9 of an instance, default 20;  CHAOS_BROKER_KILLS: of a broker, default 3
#   KRAFT, ZOOKEEPER    the Kafka releases, default 4.3.1 and 3.9.2
#   KAFKA_PORT          first port of the brokers, default 19092; suites that run side by side take those 2,000 to 4,000 higher too
# test.sh STEP... runs only these: setup format vet lint vulnerabilities unit model http deploy contract browser security integration
# fuzz chaos; stop: ends the brokers of a broken-off run
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

kraft=${KRAFT:-4.3.1} zookeeper=${ZOOKEEPER:-3.9.2}
export KAFKA_HOME=${KAFKA_HOME:-$PWD/.kafka/test}
export POSTGRES_HOME=${POSTGRES_HOME:-${TMPDIR:-/tmp}/data-stream-engine-postgres} # where its own user gets to
export TEST_ALL=1 # what a machine lacks fails a test here, and skips it in a plain go test
export CHAOS_KILLS=${CHAOS_KILLS:-20} CHAOS_BROKER_KILLS=${CHAOS_BROKER_KILLS:-3}
# default.pgo is for what ships: contract, deployment and chaos build that. All else would only take longer to compile.
export GOFLAGS="${GOFLAGS:-} -pgo=off"
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

# side_by_side COMMAND...: steps that mostly wait, at the same time. What each says is shown when it has ended.
side_by_side() {
  local dir command i=0 failed=0 pids=()
  dir=$(mktemp -d)
  for command; do
    (set +e; start=$SECONDS; eval "$command"; code=$?; echo "    $((SECONDS - start)) s, $command"; exit $code) >"$dir/$i" 2>&1 &
    pids+=($!) i=$((i + 1))
  done
  for i in "${!pids[@]}"; do
    wait "${pids[$i]}" || { failed=1; echo "--- failed:"; }
    cat "$dir/$i"
  done
  rm -r "$dir"
  return $failed
}

port() { echo $((${KAFKA_PORT:-19092} + $1)); } # the first one of the suite that runs beside

network() { # a test makes a network namespace of its own
  command -v ip >/dev/null && return
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends iproute2 >&2 && return
  fi
  echo "a test needs ip: apt-get install iproute2, or dnf install iproute" >&2
  return 3
}

setup() { compiler && network && go mod download && scripts/kafka.sh fetch "$kraft" && scripts/kafka.sh fetch "$zookeeper" && scripts/deploy.sh tools && scripts/browser.sh setup; }

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

# Two stores are held to one suite: without a real PostgreSQL half of it would not run.
unit() {
  TEST_POSTGRES_URL=$(scripts/postgres.sh start) || return
  export TEST_POSTGRES_URL
  go test -race -shuffle=on -timeout 20m ./...
}

# What is known to be vulnerable in what the service is made of. Its database is on the Internet: where that cannot be
# reached the step says so, and does not fail.
vulnerabilities() { scripts/vulnerabilities.sh; }

deploy() { KAFKA_PORT=$(port 4000) scripts/deploy.sh check; }

contract() { go test -C test/contract -count=1 ./... && scripts/apifuzz.sh; }

browser() { scripts/browser.sh; }

# suite TARGET PORT FLAG...: security and integration are built with the race detector for the current Kafka, and for the embedded
# broker as far as the unit tests run them; with it three targets would take twice as long, on the same code.
security() { KAFKA_PORT=$(port "$2") TEST_KAFKA_TARGET=$1 go test "${@:3}" -count=1 -timeout 40m ./test/security/...; }

# The race detector has had its share in the unit tests: without it a second goes through hundreds of histories.
model() { MODEL_SEEDS=${MODEL_SEEDS:-5000} go test -count=1 -timeout 0 -run '^TestEveryWindowIsWhatTheSourceSays$' -v ./service/aggregate; }

# A broker that was asked for and does not come up fails the suite; nothing is left out quietly.
integration() { KAFKA_PORT=$(port "$2") TEST_KAFKA_TARGET=$1 go test "${@:3}" -shuffle=on -count=1 -timeout 40m ./test/integration/...; }

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
  scripts/postgres.sh stop || true
}
trap stop_brokers EXIT

[ $# -gt 0 ] || set -- setup format vet lint vulnerabilities unit model http integration fuzz chaos
for name; do
  case $name in
  setup) step "Set up: C compiler, Go modules, Apache Kafka $kraft and $zookeeper, Prometheus, nginx, Chromium" setup ;;
  format) step "gofmt" format ;;
  vet) step "go vet" vet ;;
  lint) step "golangci-lint" lint ;;
  unit) step "Unit tests" unit ;;
  model) step "Model of windows, ${MODEL_SEEDS:-5000} histories" model ;;
  vulnerabilities) step "Known vulnerabilities" vulnerabilities ;;
  deploy) step "What deploys it: rules, dashboards, manifests, an alert from a stopped broker" deploy ;;
  contract) step "The API: its description, and what nobody should send" contract ;;
  browser) step "The dashboard in a browser" browser ;;
  http) step "The API and the dashboard" side_by_side contract browser ;;
  security) step "Security: Apache Kafka $kraft and $zookeeper with TLS, SASL and ACLs" side_by_side "security $kraft 2000 -race" "security $zookeeper 3000" ;;
  integration)
    step "Integration: Apache Kafka $kraft (KRaft) and $zookeeper (ZooKeeper), embedded broker" side_by_side "integration $kraft 0 -race" "integration $zookeeper 2000" "integration embedded 0"
    step "Security and deployment" side_by_side "security $kraft 2000 -race" "security $zookeeper 3000" deploy
    ;;
  fuzz) step "Fuzzing, ${FUZZ_TIME:-5s} a target" fuzz ;;
  chaos) step "Chaos: Apache Kafka $kraft, $CHAOS_KILLS crashes of instances, $CHAOS_BROKER_KILLS of brokers" chaos "$kraft" ;;
  stop)
    for KAFKA_HOME in "$PWD"/.kafka "$PWD"/.kafka/*/; do stop_brokers; done
    exit
    ;;
  *) echo "no step $name: setup format vet lint vulnerabilities unit model http deploy contract browser security integration fuzz chaos" >&2; exit 2 ;;
  esac
done
printf '\n==> all passed, %s s\n' $SECONDS
