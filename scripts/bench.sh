#!/usr/bin/env bash
# Runs the benchmarks of bench/ against a real Kafka of their own; arguments go to them. KAFKA_VERSION: default 4.3.1.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

version=${KAFKA_VERSION:-4.3.1}
export KAFKA_HOME=${KAFKA_HOME:-$PWD/.kafka/bench} KAFKA_HEAP=${KAFKA_HEAP:-1g}
trap 'scripts/kafka.sh stop "$version"' EXIT
KAFKA_BOOTSTRAP_SERVERS=$(scripts/kafka.sh start "$version")
export KAFKA_BOOTSTRAP_SERVERS
go run -C bench . "$@"
