#!/usr/bin/env bash
# Runs schemathesis against the service, described by the document that it serves: no answer may be a 5xx that the document does
# not name, none may be other than the document says. Bounded by API_FUZZ_EXAMPLES for each operation (default 25).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

version=${SCHEMATHESIS:-4.32.5} venv=.cache/schemathesis port=${API_FUZZ_PORT:-19648}
if [ ! -x "$venv/bin/schemathesis" ]; then
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check "schemathesis==$version"
fi

work=$(mktemp -d)
engine=
end() {
  [ -z "$engine" ] || { kill "$engine" 2>/dev/null || true; wait "$engine" 2>/dev/null || true; }
  rm -rf "$work"
}
trap end EXIT

go build -pgo=auto -o "$work/engine" .
cp pipeline.yaml "$work"
(
  cd "$work"
  exec env -i PATH="$PATH" HOME="$work" KAFKA_BOOTSTRAP_SERVERS=embedded KAFKA_AUTO_CREATE_TOPICS=true KAFKA_PARTITIONS=3 GENERATOR_RATE=500 \
    HTTP_ADDR="127.0.0.1:$port" LOG_FORMAT=json ./engine run
) >"$work/log" 2>&1 &
engine=$!
base=http://127.0.0.1:$port
for _ in $(seq 300); do
  if curl -fs "$base/readyz" >/dev/null && curl -fs "$base/api/v1/dead-letters?limit=1" | grep -q '"id"'; then break; fi
  kill -0 "$engine" || { cat "$work/log" >&2; exit 1; }
  sleep 0.2
done

# A stream never ends by itself: it has tests of its own. 503 is described, for what is away, and nothing is away here.
"$venv/bin/schemathesis" run "$base/api/openapi.yaml" --exclude-path /api/v1/live --max-examples "${API_FUZZ_EXAMPLES:-25}" --seed "${API_FUZZ_SEED:-1}" \
  --checks not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,response_headers_conformance,negative_data_rejection,unsupported_method \
  --request-timeout 15 --workers 1 --no-color || { tail -20 "$work/log" >&2; exit 1; }
if grep -E '"level":"(error|fatal)"|panic' "$work/log" >&2; then
  echo "the service logged errors" >&2
  exit 1
fi
