#!/usr/bin/env bash
# Runs the benchmarks of bench/ against a real Kafka of their own (docs/performance.md). Without arguments: all of them, and
# the reports go to bench/results/. "bench.sh layer", "bench.sh pipeline", "bench.sh groups" and "bench.sh tabs" run one of the four suites. With arguments
# behind that, which go to the program, the report is only printed: bench.sh layer -only consume -rounds 3
#   KAFKA_VERSION         default 4.3.1
#   KAFKA_HEAP            of the broker, default 4g: with 1g it collects garbage more than it works
#   KAFKA_PORT KAFKA_HOME as for kafka.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

export KAFKA_VERSION=${KAFKA_VERSION:-4.3.1}
export KAFKA_HOME=${KAFKA_HOME:-$PWD/.kafka/bench} KAFKA_HEAP=${KAFKA_HEAP:-4g}
# Which suites run. Flags without a suite are those of the first.
case ${1:-} in
layer | pipeline | groups | tabs) suites=$1; shift ;;
'') suites='layer pipeline groups tabs' ;;
*) suites=layer ;;
esac
trap 'scripts/kafka.sh stop "$KAFKA_VERSION"' EXIT

layer() { go run -C bench . "$@"; }
pipeline() { go run -C bench . pipeline -broker-pid "$(cat "$KAFKA_HOME/$KAFKA_VERSION/1.pid")" "$@"; }
tabs() { go run -C bench . tabs "$@"; }
groups() { go run -C bench . groups -broker-pid "$(cat "$KAFKA_HOME/$KAFKA_VERSION/1.pid")" "$@"; }

for suite in $suites; do # each with a broker that has seen nothing
  KAFKA_BOOTSTRAP_SERVERS=$(scripts/kafka.sh start "$KAFKA_VERSION")
  export KAFKA_BOOTSTRAP_SERVERS
  case $#$suite in
  0layer) layer -out "results/kafka-$KAFKA_VERSION" ;;
  0pipeline) pipeline -out "results/pipeline-$KAFKA_VERSION" ;;
  0groups) groups -out "results/groups-$KAFKA_VERSION" ;;
  0tabs) tabs -out "results/tabs-$KAFKA_VERSION" ;;
  *) "$suite" "$@" ;;
  esac
done
