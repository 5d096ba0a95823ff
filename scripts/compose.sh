#!/usr/bin/env bash
# Rehearses what is shipped for Docker: builds the image, brings docker-compose.yml up under a project of its own, waits until events
# flow, and removes all of it again. It needs Docker with Compose and nothing else, takes whatever images the local Docker has or pulls,
# and is no part of `make test`: where that runs there may be no Docker.
#   compose.sh                     core, image and scale, then zookeeper
#   compose.sh core|image|scale    one broker for all that are named; image: the image alone, read-only, on topics of its own
#   compose.sh zookeeper           the core services on Kafka 3.9 with ZooKeeper
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
records() { # topic, pattern: one that is committed and fits is there
  local found
  found=$({ tool kafka-console-consumer.sh --bootstrap-server "$broker" --topic "$1" --from-beginning --isolation-level read_committed --timeout-ms 6000 2>&1 || true; } | grep -m1 -e "$2") || {
    echo "no record of $1 has $2"
    return 1
  }
  echo "$found"
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
  eventually "processed events come out" 60 records user-login-processed '"processed_at"'
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
  for topic in logins logins-out alone-dead-letter alone-control; do
    tool kafka-topics.sh --bootstrap-server "$broker" --create --if-not-exists --topic $topic --partitions 2 >/dev/null
  done
  compose run --rm -T generator generate --bootstrap "$broker" --topic logins --count 1000 >/dev/null
  printf 'name: alone\nsource: {topic: "${KAFKA_SOURCE_TOPIC}"}\noutput: [{topic: logins-out}]\n' >"$files/pipeline.yaml"
  chmod 755 "$files" && chmod 644 "$files/pipeline.yaml" # the image's user is nobody here
  docker run -d --name "$name" --network "${project}_default" --read-only --cap-drop ALL --memory 128m -e KAFKA_BOOTSTRAP_SERVERS=$broker \
    -e KAFKA_SOURCE_TOPIC=logins -v "$files/pipeline.yaml:/pipeline.yaml:ro" -v /data data-stream-engine >/dev/null
  eventually "the image alone is healthy" 30 docker exec "$name" /data-stream-engine health
  eventually "it takes 90 % of its limit for GOMEMLIMIT" 5 limited "$name"
  eventually "it has copied 1000 events" 60 counted logins-out 1000
  docker rm -fv "$name" >/dev/null
}
limited() { docker logs "$1" 2>&1 | grep '"bytes":120795955'; }
counted() {
  local n
  n=$(tool kafka-console-consumer.sh --bootstrap-server "$broker" --topic "$1" --from-beginning --isolation-level read_committed --timeout-ms 6000 2>/dev/null | wc -l)
  echo "$1 has $n records"
  [ "$n" = "$2" ]
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
  core | image | scale | zookeeper) ;;
  *) sed -n '2,11s/^# //p' "$0" >&2; exit 2 ;;
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
