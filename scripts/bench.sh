#!/usr/bin/env bash
# Runs the benchmarks of bench/ against a real Kafka of their own (docs/performance.md). Without arguments: all of them, and
# the report goes to bench/results/. With arguments, which go to the program, it is only printed: bench.sh -only consume -rounds 3
#   KAFKA_VERSION         default 4.3.1
#   KAFKA_PORT KAFKA_HOME as for kafka.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

export KAFKA_VERSION=${KAFKA_VERSION:-4.3.1}
export KAFKA_HOME=${KAFKA_HOME:-$PWD/.kafka/bench} KAFKA_HEAP=${KAFKA_HEAP:-1g}
[ $# -gt 0 ] || set -- -out "results/kafka-$KAFKA_VERSION"
trap 'scripts/kafka.sh stop "$KAFKA_VERSION"' EXIT
KAFKA_BOOTSTRAP_SERVERS=$(scripts/kafka.sh start "$KAFKA_VERSION")
export KAFKA_BOOTSTRAP_SERVERS
go run -C bench . "$@"
