#!/usr/bin/env bash
# Renews default.pgo, the CPU profile from which go build learns what is hot in the engine (profile-guided optimisation,
# https://go.dev/doc/pgo): the engine at work in the benchmarks of the pipeline and of a million groups. It is worth a run
# after changes to the record path or to windows, and with a new Go: an old profile is never wrong, it only helps less.
#   KAFKA_VERSION KAFKA_PORT KAFKA_HOME as for bench.sh;  PGO_EVENTS: events of each benchmark, default 5,000,000
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# A neutral name and -trimpath: a profile tells where its binary was and where its sources were.
engine=$work/data-stream-engine
CGO_ENABLED=0 go build -trimpath -o "$engine" .
events=${PGO_EVENTS:-5000000}
scripts/bench.sh pipeline -engine "$engine" -profile "$work" -only engine,insights -rounds 2 -steady 0s -events "$events"
scripts/bench.sh groups -engine "$engine" -profile "$work" -only groups -rounds 1 -storage none -events "$events"
go tool pprof -proto -output default.pgo "$work"/*.pprof
go build -o "$engine" . # that the compiler takes it
ls -l default.pgo
