#!/usr/bin/env bash
# Rehearses what is shipped for Docker: builds the image, brings docker-compose.yml up under a project of its own, waits until events
# flow, and removes all of it again. It needs Docker with Compose and nothing else, takes whatever images the local Docker has or pulls,
# and is no part of `make test`: where that runs there may be no Docker.
#   compose.sh                     core, image and scale, then zookeeper
#   compose.sh core|image|scale    one broker for all that are named; image: the image alone, read-only, on topics of its own
#   compose.sh zookeeper           the core services on Kafka 3.9 with ZooKeeper
#   compose.sh idle                how soon the engine is ready, five times, and what it takes for IDLE_SECONDS (180) without an event;
#                                  for a machine that does nothing else
#   COMPOSE_PROJECT    default data-stream-engine-rehearsal: what runs under another name is not touched
#   PORT               first one of the ports on loopback, default 28080
#   KEEP=1             leaves everything up, for a look
# It ends with 1 and the name of what did not come true.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

project=${COMPOSE_PROJECT:-data-stream-engine-rehearsal} port=${PORT:-28080}
export HTTP_PORT=$port NGINX_PORT=$((port + 1)) GRAFANA_PORT=$((port + 2)) PROMETHEUS_PORT=$((port + 3)) ALERTMANAGER_PORT=$((port + 4))
export KAFKA_PORT=$((port + 5)) KAFKA_ZOOKEEPER_PORT=$((port + 6))
export HTTP_TOKEN=${HTTP_TOKEN:-rehearsal-rehearsal-rehearsal}
export VERSION=${VERSION:-$(git describe --tags --always --dirty 2>/dev/null || echo rehearsal)}

compose() { docker compose --project-name "$project" "$@"; }

# eventually WHAT SECONDS COMMAND...: until the command succeeds. What it said last is shown when it does not.
eventually() {
  local what=$1 seconds=$2 start=$SECONDS said
  shift 2
  until said=$("$@" 2>&1); do
    [ $((SECONDS - start)) -lt "$seconds" ] || { printf 'FAILED: %s, not within %s s: %s\n' "$what" "$seconds" "$(tail -3 <<<"$said")" >&2; exit 1; }
    sleep 2
  done
  echo "  ok: $what ($((SECONDS - start)) s)"
}

page() { # port, path: the first line of the answer, on the machine's own loopback as a browser would get it
  local line
  exec 3<>"/dev/tcp/127.0.0.1/$1" && printf 'GET %s HTTP/1.0\r\nHost: localhost\r\n\r\n' "$2" >&3 && IFS= read -r line <&3
  exec 3>&-
  echo "$line"
  [[ $line == *" 200 "* ]]
}

tool() { compose run --rm -T kafka-tools "$@"; }
records() { # topic, text: one that is committed and has it is there. Its reader ends, though the topic goes on
  { tool timeout 20 kafka-console-consumer.sh --bootstrap-server "$broker" --topic "$1" --from-beginning --isolation-level read_committed 2>&1 || true; } |
    awk -v text="$2" 'index($0, text) { n++ } { last = $0 } END { if (!n) { print "no record has " text "; the last line: " last; exit 1 } }'
}
rows() { # a table with rows
  local n
  n=$(compose exec -T postgres psql -U engine -tAc "select count(*) from $1")
  echo "$1 has $n rows"
  [ "$n" -gt 0 ]
}
asked() { # what to ask Prometheus for, what the answer must have
  local answer
  answer=$(compose exec -T prometheus wget -q -O - "http://127.0.0.1:9090/api/v1/$1")
  echo "$answer" | head -c 2000
  [[ $answer == *"$2"* ]]
}

flows() { # how many engines: from the generator to the last reader
  eventually "the engine answers on its port" 30 page "$HTTP_PORT" /readyz
  eventually "the dashboard is there" 10 page "$HTTP_PORT" /
  eventually "processed events come out" 120 records user-login-processed '"processed_at"'
  eventually "final insights come out" 240 records user-login-insights '"final":true'
  eventually "PostgreSQL has rows" 60 rows insights
  eventually "Prometheus scrapes $1 of them" 60 asked "query?query=sum(up%7Bjob=%22data-stream-engine%22%7D)" ",\"$1\"]"
  eventually "Prometheus has the alert rules" 10 asked rules '"name":"EngineDown"'
  eventually "Prometheus knows Alertmanager" 30 asked alertmanagers '/api/v2/alerts'
  eventually "Alertmanager answers on its port" 10 page "$ALERTMANAGER_PORT" /-/ready
  eventually "Grafana answers on its port" 10 page "$GRAFANA_PORT" /api/health
  eventually "Kafka's tools see the group" 30 member user-login
}
member() { tool kafka-consumer-groups.sh --bootstrap-server "$broker" --describe --group "$1" | grep user-login; }

core() {
  broker=kafka:9092
  [ -z "${up:-}" ] || return 0
  up=1
  compose up --build --wait --quiet-pull
  [[ $(compose exec -T engine /data-stream-engine version) == *" $VERSION "* ]] || { echo "FAILED: the image does not say that it is $VERSION" >&2; exit 1; }
  flows 1
}

scale() {
  core
  compose --profile scale up --wait --quiet-pull
  eventually "nginx answers on its port" 30 page "$NGINX_PORT" /
  eventually "Prometheus scrapes three of them" 60 asked 'query?query=sum(up%7Bjob=%22data-stream-engine%22%7D)' ',"3"]'
}

image() { # auto-create is off: what is not there is named, and nothing is made
  local name=$project-alone topic
  core
  for topic in logins logins-out alone-dead-letter alone-replay alone-partials; do made $topic 2 --config max.message.bytes=8388608; done
  made alone-control 1 --config cleanup.policy=compact
  made alone-changelog 2 --config cleanup.policy=compact --config max.message.bytes=8388608
  made alone-insights 2 --config cleanup.policy=compact,delete --config max.message.bytes=8388608
  compose run --rm -T generator generate --bootstrap "$broker" --topic logins --count 1000 >/dev/null
  # shellcheck disable=SC2016 # the engine reads the variable
  printf 'name: alone\nsource: {topic: "${KAFKA_SOURCE_TOPIC}"}\noutput: [{topic: logins-out}]\naggregates: [{name: all, group_by: [locale], window: {tumbling: 1m}, measures: {n: count()}}]\n' >"$files/pipeline.yaml"
  chmod 755 "$files" && chmod 644 "$files/pipeline.yaml" # the image's user is nobody here
  docker run -d --name "$name" --network "${project}_default" --read-only --cap-drop ALL --memory 128m -e KAFKA_BOOTSTRAP_SERVERS=$broker \
    -e KAFKA_SOURCE_TOPIC=logins -v "$files/pipeline.yaml:/pipeline.yaml:ro" -v /data data-stream-engine >/dev/null
  eventually "the image alone is healthy" 30 healthy "$name"
  eventually "it takes 90 % of its limit for GOMEMLIMIT" 5 limited "$name"
  eventually "it has copied 1000 events, the broken ones to the dead letters" 120 counted 'logins-out|alone-dead-letter' 1000
  docker rm -fv "$name" >/dev/null
}
made() { # topic, partitions, more for the tool
  tool kafka-topics.sh --bootstrap-server "$broker" --create --if-not-exists --topic "$1" --partitions "$2" "${@:3}" >/dev/null
}
healthy() { docker exec "$1" /data-stream-engine health || { docker logs "$1" 2>&1 | tail -1; return 1; }; }
limited() { docker logs "$1" 2>&1 | grep '"bytes":120795955'; }
counted() {
  local n
  n=$({ tool timeout 20 kafka-console-consumer.sh --bootstrap-server "$broker" --include "$1" --from-beginning --isolation-level read_committed 2>/dev/null || true; } | wc -l)
  echo "$1 have $n records"
  [ "$n" = "$2" ]
}

idle() { # the broker alone, and the image with what it has by itself: the shipped pipeline, SQLite
  local name=$project-alone n began cpu rss seconds=${IDLE_SECONDS:-180}
  down
  compose build --quiet engine
  compose up --wait --quiet-pull kafka
  for n in 1 2 3 4 5; do
    docker rm -fv "$name" >/dev/null 2>&1 || true
    docker run -d --name "$name" --network "${project}_default" --read-only --cap-drop ALL --memory 256m --tmpfs /tmp -v /data -p "127.0.0.1:$HTTP_PORT:8080" \
      -e KAFKA_BOOTSTRAP_SERVERS=kafka:9092 -e KAFKA_AUTO_CREATE_TOPICS=true -e KAFKA_PARTITIONS=6 -e HASH_KEY=development-only-not-a-secret data-stream-engine >/dev/null
    until (page "$HTTP_PORT" /readyz) >/dev/null 2>&1; do sleep 0.02; done # a shell of its own: a door that closes would end this one
    began=$(docker inspect -f '{{.State.StartedAt}}' "$name")
    echo "  ready $(($(date +%s%3N) - $(date -d "$began" +%s%3N))) ms after its start"
    [ $n = 5 ] || docker stop "$name" >/dev/null
  done
  sleep 30 # until it has settled
  cpu=$(metric process_cpu_seconds_total)
  sleep "$seconds"
  rss=$(metric process_resident_memory_bytes)
  awk -v a="$cpu" -v b="$(metric process_cpu_seconds_total)" -v s="$seconds" -v m="$rss" 'BEGIN { printf "  idle: %.2f %% of a processor, %.1f MiB\n", 100 * (b - a) / s, m / 1048576 }'
}
metric() { # of the engine, by name
  exec 4<>"/dev/tcp/127.0.0.1/$HTTP_PORT" && printf 'GET /metrics HTTP/1.0\r\nHost: localhost\r\n\r\n' >&4
  awk -v name="$1" '$1 == name { print $2 }' <&4
  exec 4>&-
}

zookeeper() {
  down
  export BROKER=kafka-zookeeper:9092
  broker=$BROKER
  compose --profile zookeeper up --build --wait --quiet-pull --scale kafka=0
  flows 1
  unset BROKER
}

# down removes containers, networks and volumes, those of every profile, and sees that they are gone.
down() {
  local left
  docker rm -fv "$project-alone" >/dev/null 2>&1 || true
  compose --profile '*' down --volumes --remove-orphans >/dev/null 2>&1 || true
  up=
  left=$(for kind in container volume network; do docker $kind ls -q --filter "label=com.docker.compose.project=$project"; done)
  [ -z "$left" ] || { echo "FAILED: down has left $left" >&2; return 1; }
}

end() { # says more about what did not work, before it is gone
  local code=$?
  if [ $code != 0 ]; then
    compose --profile '*' ps --all >&2 || true
    compose --profile '*' logs --tail 15 >&2 || true
  fi
  rm -rf "$files"
  [ -n "${KEEP:-}" ] || down || code=1
  exit $code
}

for name; do
  case $name in
  core | image | scale | zookeeper | idle) ;;
  *) sed -n '2,14s/^# //p' "$0" >&2; exit 2 ;;
  esac
done
docker compose version >/dev/null || { echo "compose.sh: this needs Docker with Compose, as in https://docs.docker.com/compose/install" >&2; exit 3; }
files=$(mktemp -d)
trap end EXIT
[ $# -gt 0 ] || set -- core image scale zookeeper
for name; do
  echo "==> $name"
  "$name"
done
echo "==> all of it works, $SECONDS s"
