#!/usr/bin/env bash
# A real Apache Kafka on loopback, from its Maven artifacts: for tests, benchmarks and a look around. Never for production.
#
#   kafka.sh start  VERSION [--brokers N] [--secure] [--set KEY=VALUE]...   a new, empty cluster; prints its bootstrap servers
#   kafka.sh stop   VERSION               ends exactly the processes that start and up began; the logs stay
#   kafka.sh kill9  VERSION NODE          kill -9 one broker
#   kafka.sh down   VERSION NODE          SIGTERM to one broker, and wait for its end
#   kafka.sh up     VERSION NODE          starts a broker that is down, with its data, and waits until it is ready
#   kafka.sh pause  VERSION NODE          SIGSTOP: the broker is there and answers nothing;  resume: SIGCONT
#   kafka.sh env    VERSION               addresses, user and certificate files of the cluster, as NAME=VALUE lines
#   kafka.sh tool   VERSION CLASS ARGS    one of Kafka's own tools, e.g. org.apache.kafka.tools.TopicCommand --list --bootstrap-server ...
#   kafka.sh fetch  VERSION               only puts the jars into the cache
#
# VERSION 4.x runs in KRaft mode (every node is broker and controller), 3.x with a ZooKeeper. Tried with 4.3.1 and 3.9.2.
# --secure adds three listeners to each broker and an authorizer that allows everything until a topic has an ACL.
# --set overrides a broker setting.
#
# Ports of node i, with p = KAFKA_PORT + 100 (i-1):  p PLAINTEXT, p+1 KRaft controller, p+2 SASL_SSL, p+3 SSL with client
# certificates, p+4 SASL_PLAINTEXT. ZooKeeper: KAFKA_PORT + 9.
#
#   KAFKA_PORT           first port, default 19092
#   KAFKA_HOME           data and logs, default .kafka; a second cluster beside the first needs its own KAFKA_HOME and KAFKA_PORT
#   KAFKA_CACHE          jars, shared by all clusters, default .cache/kafka
#   KAFKA_HEAP           heap of a broker, default 512m
#   KAFKA_START_TIMEOUT  seconds until a broker must be ready, default 120
#
# Exit codes: 1 something failed (the log's tail says what), 2 wrong use, 3 JDK or Maven is missing.
set -euo pipefail

repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
base=${KAFKA_PORT:-19092}
start_timeout=${KAFKA_START_TIMEOUT:-120}
user=engine password=engine-secret

usage() { sed -n '4,12p' "${BASH_SOURCE[0]}" >&2; exit 2; }
fail() { echo "kafka.sh: $*" >&2; exit 1; }
absolute() { mkdir -p "$1" && (cd "$1" && pwd); }

[ $# -ge 2 ] || usage
command=$1 version=$2
shift 2
case $version in
4.*) mode=kraft ;;
3.*) mode=zookeeper ;;
*) fail "version $version: want 4.x (KRaft) or 3.x (ZooKeeper), for example 4.3.1 or 3.9.2" ;;
esac
jars=$(absolute "${KAFKA_CACHE:-$repository/.cache/kafka}")/$version
run=$(absolute "${KAFKA_HOME:-$repository/.kafka}")/$version
tls=$run/tls

# --- JDK, Maven, jars ------------------------------------------------------------------------------------------------

java=java
[ -z "${JAVA_HOME:-}" ] || java=$JAVA_HOME/bin/java

have_java() { # Kafka 4 needs 17
  local major
  major=$("$java" -version 2>&1 | sed -n 's/.* version "\([0-9]*\).*/\1/p') || return 1
  [ "${major:-0}" -ge 17 ]
}

need() { # what it is called, package names to choose from: installed where the system lets us
  local what=$1 package
  shift
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt-get update -qq >&2 || true # an old index is often good enough
    mkdir -p /usr/share/man/man1   # slim images have none, and Java's package cannot do without
    for package; do
      [ -n "$(apt-cache madison "$package" 2>/dev/null)" ] || continue
      echo "kafka.sh: installing $package" >&2
      DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$package" >&2 && return
    done
  fi
  echo "kafka.sh: a real Kafka needs $what, which is not installed." >&2
  echo "  Debian, Ubuntu: apt-get install openjdk-17-jre-headless maven    macOS: brew install openjdk maven" >&2
  echo "  Fedora: dnf install java-21-openjdk-headless maven" >&2
  exit 3
}

need_java() {
  have_java && return
  need "Java 17 or newer" openjdk-21-jre-headless openjdk-17-jre-headless
  java=java
  have_java || { echo "kafka.sh: Java 17 or newer is installed but \"java\" is an older one: set JAVA_HOME" >&2; exit 3; }
}

fetch() { # the jars appear in the cache whole or not at all: several runs may share it
  [ -d "$jars" ] && return
  need_java
  command -v mvn >/dev/null || need Maven maven
  local fresh=$jars.$$ profile=()
  [ "$mode" = zookeeper ] || profile=(-P log4j2)
  echo "kafka.sh: fetching Apache Kafka $version" >&2
  mvn -q -B -f "$repository/scripts/kafka-pom.xml" ${profile[@]+"${profile[@]}"} dependency:copy-dependencies \
    -Dkafka.version="$version" -DoutputDirectory="$fresh" >&2 || { rm -rf "$fresh"; fail "Maven could not fetch Apache Kafka $version"; }
  if [ -d "$jars" ]; then rm -rf "$fresh"; else mv "$fresh" "$jars"; fi
}

# --- configuration ---------------------------------------------------------------------------------------------------

port() { echo $((base + 100 * ($1 - 1))); }
zookeeper_port=$((base + 9))

addresses() { # offset of the listener: that listener of every node
  local i list=
  for i in $(nodes); do list+=${list:+,}127.0.0.1:$(($(port "$i") + $1)); done
  echo "$list"
}
nodes() { cat "$run/nodes"; }

logging() { # warnings, and the one line by which a broker says that it is ready
  cat >"$run/log4j2.yaml" <<'Y'
Configuration:
  Appenders: {Console: {name: C, PatternLayout: {pattern: "%d %p %m (%c)%n"}}}
  Loggers:
    Root: {level: WARN, AppenderRef: {ref: C}}
    Logger: [{name: kafka.server.KafkaRaftServer, level: INFO}]
Y
  cat >"$run/log4j.properties" <<'P'
log4j.rootLogger=WARN, C
log4j.logger.kafka.server.KafkaServer=INFO
log4j.appender.C=org.apache.log4j.ConsoleAppender
log4j.appender.C.layout=org.apache.log4j.PatternLayout
log4j.appender.C.layout.ConversionPattern=%d %p %m (%c)%n
P
}

certificates() { # a CA, one certificate for every broker, one for a client; Kafka reads PEM
  command -v openssl >/dev/null || need openssl openssl
  mkdir -p "$tls"
  (
    cd "$tls"
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj "/CN=test CA" -keyout ca.key -out ca.pem \
      -addext "basicConstraints=critical,CA:TRUE" -addext "keyUsage=critical,keyCertSign"
    certificate broker "subjectAltName=DNS:localhost,IP:127.0.0.1"
    certificate client "extendedKeyUsage=clientAuth"
    cat broker.key broker.pem ca.pem >broker-with-key.pem
  ) 2>"$run/openssl.log" || { cat "$run/openssl.log" >&2; fail "openssl could not make the certificates"; }
}
certificate() { # name, extension
  openssl req -newkey rsa:2048 -nodes -subj "/CN=$1" -keyout "$1.key" -out "$1.csr"
  echo "$2" >"$1.ext"
  openssl x509 -req -in "$1.csr" -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile "$1.ext" -out "$1.pem"
}

settings() { # node, replication factor
  local i=$1 factor=$2 p isr=1 listeners names
  p=$(port "$i")
  [ "$factor" = 1 ] || isr=2
  listeners=PLAINTEXT://127.0.0.1:$p names=PLAINTEXT:PLAINTEXT
  if [ -d "$tls" ]; then
    listeners+=,SASL_SSL://127.0.0.1:$((p + 2)),SSL://127.0.0.1:$((p + 3)),SASL_PLAINTEXT://127.0.0.1:$((p + 4))
    names+=,SASL_SSL:SASL_SSL,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT
  fi
  echo "advertised.listeners=$listeners"
  if [ $mode = kraft ]; then
    cat <<P
process.roles=broker,controller
node.id=$i
controller.quorum.voters=$(voters)
controller.listener.names=CONTROLLER
listeners=$listeners,CONTROLLER://127.0.0.1:$((p + 1))
listener.security.protocol.map=$names,CONTROLLER:PLAINTEXT
share.coordinator.state.topic.replication.factor=$factor
share.coordinator.state.topic.min.isr=$isr
P
  else
    cat <<P
broker.id=$i
zookeeper.connect=127.0.0.1:$zookeeper_port
zookeeper.session.timeout.ms=4000
listeners=$listeners
listener.security.protocol.map=$names
P
  fi
  # One broker cannot hold the three replicas that the internal topics ask for by default: transactions would never start.
  cat <<P
log.dirs=$run/data-$i
num.partitions=4
default.replication.factor=$factor
min.insync.replicas=$isr
offsets.topic.replication.factor=$factor
offsets.topic.num.partitions=10
transaction.state.log.replication.factor=$factor
transaction.state.log.min.isr=$isr
transaction.state.log.num.partitions=10
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=false
P
  [ ! -d "$tls" ] || security
  cat "$run/overrides"
}

voters() {
  local i list=
  for i in $(nodes); do list+=${list:+,}$i@127.0.0.1:$(($(port "$i") + 1)); done
  echo "$list"
}

security() { # brokers speak to each other on the plaintext listener, as User:ANONYMOUS
  local plain scram listener authorizer=kafka.security.authorizer.AclAuthorizer
  [ $mode = zookeeper ] || authorizer=org.apache.kafka.metadata.authorizer.StandardAuthorizer
  plain="org.apache.kafka.common.security.plain.PlainLoginModule required user_$user=\"$password\";"
  scram="org.apache.kafka.common.security.scram.ScramLoginModule required;"
  cat <<P
ssl.keystore.type=PEM
ssl.keystore.location=$tls/broker-with-key.pem
ssl.truststore.type=PEM
ssl.truststore.location=$tls/ca.pem
listener.name.ssl.ssl.client.auth=required
authorizer.class.name=$authorizer
allow.everyone.if.no.acl.found=true
super.users=User:ANONYMOUS
P
  for listener in sasl_ssl sasl_plaintext; do
    cat <<P
listener.name.$listener.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512
listener.name.$listener.plain.sasl.jaas.config=$plain
listener.name.$listener.scram-sha-256.sasl.jaas.config=$scram
listener.name.$listener.scram-sha-512.sasl.jaas.config=$scram
P
  done
}

describe() { # what a test needs to know of the cluster
  echo "VERSION=$version"
  echo "BOOTSTRAP=$(addresses 0)"
  [ -d "$tls" ] || return 0
  echo "SASL_SSL_BOOTSTRAP=$(addresses 2)"
  echo "SSL_BOOTSTRAP=$(addresses 3)"
  echo "SASL_PLAINTEXT_BOOTSTRAP=$(addresses 4)"
  echo "USERNAME=$user"
  echo "PASSWORD=$password"
  echo "CA_FILE=$tls/ca.pem"
  echo "CERT_FILE=$tls/client.pem"
  echo "KEY_FILE=$tls/client.key"
}

# --- processes -------------------------------------------------------------------------------------------------------

# Replaces the shell, so that the id of a background job is the broker's own; the callers open a subshell.
jvm() { exec "$java" -Dlog4j2.configurationFile="$run/log4j2.yaml" -Dlog4j.configuration="file:$run/log4j.properties" -cp "$jars/*" "$@"; }

arguments() { # process id; a small system has no ps, a Mac no /proc
  if [ -d /proc/self ]; then tr '\0' ' ' <"/proc/$1/cmdline"; else ps -ww -o args= -p "$1"; fi 2>/dev/null
}

alive() { # name: is the process that was started under this name still there, and still that one?
  local id args
  id=$(cat "$run/$1.pid" 2>/dev/null) && args=$(arguments "$id") && [[ $args == *" $run/$1.properties"* ]]
}

launch() { # name, heap, main class: in the background, log appended
  jvm -Xms"$2" -Xmx"$2" -XX:+UseSerialGC "$3" "$run/$1.properties" >>"$run/$1.log" 2>&1 </dev/null &
  echo $! >"$run/$1.pid"
  within 5 alive "$1" || true # until then it is a shell that becomes the broker; who waits for it sees when it has ended
}

signal() { # signal, name
  alive "$2" || fail "node $2 of Kafka $version is not running (KAFKA_HOME=$(dirname "$run"))"
  kill -"$1" "$(cat "$run/$2.pid")"
}

within() { # seconds, command: until it succeeds
  local end=$((SECONDS + $1))
  shift
  until "$@"; do
    [ $SECONDS -lt $end ] || return 1
    sleep 0.2
  done
}

gone() { ! alive "$1"; }

finish() { # names: SIGTERM to all, then wait, SIGKILL to what is left
  local name
  for name; do
    alive "$name" || continue
    kill -CONT "$(cat "$run/$name.pid")" 2>/dev/null || true # a paused process takes no SIGTERM
    kill -TERM "$(cat "$run/$name.pid")" 2>/dev/null || true
  done
  for name; do
    within 10 gone "$name" || kill -KILL "$(cat "$run/$name.pid")" 2>/dev/null || true
    within 10 gone "$name" || fail "process $(cat "$run/$name.pid") does not end"
    rm -f "$run/$name.pid"
  done
}

# An answering port is not enough: the sockets open before the broker has caught up with the cluster. Its log says when it has.
ready() { # node, size of its log before this start
  local log
  if ! alive "$1"; then
    tail -30 "$run/$1.log" >&2
    fail "node $1 of Kafka $version ended while it started; its log: $run/$1.log"
  fi
  log=$(tail -c +$(($2 + 1)) "$run/$1.log")
  [[ $log == *"Kafka Server started"* || $log == *"[KafkaServer id=$1] started"* ]]
}

size() { if [ -f "$1" ]; then wc -c <"$1"; else echo 0; fi; }
answers() { (echo >"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# ZooKeeper keeps a killed broker's registration until its session ends, and refuses a second one: that broker would exit.
forgotten() { # node
  local sessions
  exec 3<>"/dev/tcp/127.0.0.1/$zookeeper_port" && printf dump >&3 && sessions=$(cat <&3) && exec 3>&-
  [[ $sessions != *"/brokers/ids/$1"$'\n'* && $sessions != *"/brokers/ids/$1" ]]
}

up() { # nodes: all at once, then wait for each
  local i offsets=()
  for i; do
    ! alive "$i" || fail "node $i of Kafka $version is running already"
    ! answers "$(port "$i")" || fail "port $(port "$i") is taken; choose others with KAFKA_PORT"
    [ $mode = kraft ] || within 30 forgotten "$i" || fail "ZooKeeper still knows the broker $i"
    offsets[i]=$(size "$run/$i.log")
    launch "$i" "${KAFKA_HEAP:-512m}" kafka.Kafka
  done
  for i; do
    within "$start_timeout" ready "$i" "${offsets[i]}" && continue
    tail -30 "$run/$i.log" >&2
    fail "node $i of Kafka $version is not ready after $start_timeout s; its log: $run/$i.log"
  done
}

format() { # node: the users go into the first metadata records
  local scram=() mechanism
  if [ -d "$tls" ]; then
    for mechanism in SCRAM-SHA-256 SCRAM-SHA-512; do scram+=(--add-scram "$mechanism=[name=$user,password=$password]"); done
  fi
  (jvm kafka.tools.StorageTool format -t MkU3OEVBNTcwNTJENDM2Qg -c "$run/$1.properties" ${scram[@]+"${scram[@]}"}) \
    >"$run/format-$1.log" 2>&1 || { cat "$run/format-$1.log" >&2; fail "Kafka's storage tool failed"; }
}

zookeeper() {
  cat >"$run/zookeeper.properties" <<P
dataDir=$run/zookeeper
clientPort=$zookeeper_port
clientPortAddress=127.0.0.1
admin.enableServer=false
tickTime=1000
maxClientCnxns=0
4lw.commands.whitelist=dump
P
  ! answers "$zookeeper_port" || fail "port $zookeeper_port is taken; choose others with KAFKA_PORT"
  launch zookeeper 128m org.apache.zookeeper.server.quorum.QuorumPeerMain
  within "$start_timeout" answers "$zookeeper_port" || { tail -30 "$run/zookeeper.log" >&2; fail "ZooKeeper does not answer"; }
  [ ! -d "$tls" ] || (jvm kafka.admin.ConfigCommand --zookeeper "127.0.0.1:$zookeeper_port" --alter --entity-type users \
    --entity-name $user --add-config "SCRAM-SHA-256=[password=$password],SCRAM-SHA-512=[password=$password]") >"$run/users.log" 2>&1 ||
    { cat "$run/users.log" >&2; fail "the users could not be made"; }
}

stop() {
  [ -f "$run/nodes" ] || return 0
  # shellcheck disable=SC2046 # node numbers
  finish $(nodes)
  [ $mode = kraft ] || finish zookeeper
}

start() {
  local brokers=1 secure='' overrides='' i factor
  while [ $# -gt 0 ]; do
    case $1 in
    --brokers) brokers=${2:?"--brokers: how many?"}; shift 2 ;;
    --secure) secure=yes; shift ;;
    --set) overrides+=${2:?"--set: KEY=VALUE"}$'\n'; shift 2 ;;
    *) usage ;;
    esac
  done
  need_java
  fetch
  stop
  rm -rf "$run"
  mkdir -p "$run"
  seq "$brokers" >"$run/nodes"
  printf %s "$overrides" >"$run/overrides"
  factor=$((brokers < 3 ? 1 : 3))
  logging
  [ -z "$secure" ] || certificates
  trap '[ $? = 0 ] || stop' EXIT # no half cluster stays behind
  [ $mode = kraft ] || zookeeper
  for i in $(nodes); do settings "$i" "$factor" >"$run/$i.properties"; done
  [ $mode = zookeeper ] || for i in $(nodes); do format "$i"; done
  # shellcheck disable=SC2046 # node numbers
  up $(nodes)
  describe >"$run/cluster.env"
  addresses 0
}

node() { # is there such a node?
  [ $# = 1 ] || usage
  grep -qx "$1" "$run/nodes" 2>/dev/null || fail "Kafka $version has no node $1 (KAFKA_HOME=$(dirname "$run"))"
}

case $command in
start) start "$@" ;;
stop) stop ;;
kill9) node "$@"; signal KILL "$1"; within 10 gone "$1" ;;
down) node "$@"; finish "$1" ;;
up) node "$@"; need_java; up "$1" ;;
pause) node "$@"; signal STOP "$1" ;;
resume) node "$@"; signal CONT "$1" ;;
env) [ -f "$run/cluster.env" ] || fail "there is no Kafka $version (KAFKA_HOME=$(dirname "$run"))"; cat "$run/cluster.env" ;;
tool) [ $# -gt 0 ] || usage; fetch; jvm "$@" ;;
fetch) fetch ;;
*) usage ;;
esac
