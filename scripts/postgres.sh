#!/usr/bin/env bash
# A real PostgreSQL on loopback, from the system's own package: for tests, benchmarks and a look around. Never for production,
# and never a cluster that is there already.
#
#   postgres.sh start     a new, empty cluster; prints the URL of its database
#   postgres.sh stop      ends the server that start began; its files stay
#   postgres.sh kill9     kill -9 the server and its children, as a power failure would
#   postgres.sh up        starts it again, with its data
#   postgres.sh url       prints the URL again
#
#   POSTGRES_PORT   default 19432
#   POSTGRES_HOME   data, socket and log, default .cache/postgres; a second cluster needs its own POSTGRES_HOME and POSTGRES_PORT
#
# Exit codes: 1 something failed (the log's tail says what), 2 wrong use, 3 PostgreSQL is missing.
set -euo pipefail

repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
port=${POSTGRES_PORT:-19432}
home=${POSTGRES_HOME:-$repository/.cache/postgres}
user=engine password=engine-secret database=insights

usage() { sed -n '5,10p' "${BASH_SOURCE[0]}" >&2; exit 2; }
fail() { echo "postgres.sh: $*" >&2; exit 1; }

[ $# = 1 ] || usage
mkdir -p "$home"
home=$(cd "$home" && pwd)
data=$home/data

programs() { # where initdb and pg_ctl are
  local dir
  for dir in $(ls -d /usr/lib/postgresql/*/bin /usr/pgsql-*/bin /opt/homebrew/opt/postgresql*/bin 2>/dev/null | sort -rV); do
    [ -x "$dir/initdb" ] && echo "$dir" && return
  done
  command -v initdb >/dev/null && dirname "$(command -v initdb)"
}

need() { # the package starts a cluster of its own on installation, which is not wanted
  if [ -z "$(programs)" ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt-get update -qq >&2 || true # an old index is often good enough
    mkdir -p /etc/postgresql-common
    [ -e /etc/postgresql-common/createcluster.conf ] || echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.conf
    echo "postgres.sh: installing postgresql" >&2
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends postgresql >&2 || true
  fi
  bin=$(programs)
  [ -n "$bin" ] && return
  echo "postgres.sh: a real PostgreSQL is needed and is not installed." >&2
  echo "  Debian, Ubuntu: apt-get install postgresql    Fedora: dnf install postgresql-server    macOS: brew install postgresql" >&2
  exit 3
}

as() { # PostgreSQL refuses to run as root
  if [ "$(id -u)" = 0 ]; then runuser -u postgres -- "$@"; else "$@"; fi
}

running() { [ -f "$data/postmaster.pid" ] && as "$bin/pg_ctl" -D "$data" status >/dev/null 2>&1; }
answers() { (echo >"/dev/tcp/127.0.0.1/$port") 2>/dev/null; }
url() { echo "postgres://$user:$password@127.0.0.1:$port/$database?sslmode=disable"; }

up() {
  ! running || fail "it is running already (POSTGRES_HOME=$home)"
  ! answers || fail "port $port is taken; choose another with POSTGRES_PORT"
  as "$bin/pg_ctl" -D "$data" -l "$home/log" -w -t 60 start >/dev/null || { tail -20 "$home/log" >&2; fail "PostgreSQL does not start; its log: $home/log"; }
}

start() {
  ! running || stop
  ! answers || fail "port $port is taken; choose another with POSTGRES_PORT"
  rm -rf "$data"
  : >"$home/log"
  mkdir "$data"
  if [ "$(id -u)" = 0 ]; then
    open_way "$home"
    chown postgres "$data" "$home/log" "$home"
  fi
  echo "$password" >"$home/password"
  chmod 644 "$home/password"
  # initdb starts in a directory that its user may look at.
  (cd / && as "$bin/initdb" -D "$data" -U "$user" --pwfile="$home/password" -A scram-sha-256 -E UTF8 --locale=C.UTF-8 --no-sync >"$home/initdb.log" 2>&1) ||
    { cat "$home/initdb.log" >&2; fail "initdb failed"; }
  cat >>"$data/postgresql.conf" <<C
listen_addresses = '127.0.0.1'
port = $port
unix_socket_directories = ''
max_connections = 100
log_min_messages = warning
C
  [ "$(id -u)" != 0 ] || chown postgres "$data/postgresql.conf"
  (cd / && up)
  # Through the server's own program: psql may not be installed.
  PGPASSWORD=$password "$bin/psql" -h 127.0.0.1 -p "$port" -U "$user" -d postgres -qc "CREATE DATABASE $database" >&2 || fail "the database could not be made"
  url
}

open_way() { # its user has to get to the directory, through those above it that are ours
  local dir=$1
  as test -x "$dir" && return
  fail "the user postgres may not enter $dir: set POSTGRES_HOME to a directory that everybody may, such as one in /tmp"
}

stop() {
  running || return 0
  (cd / && as "$bin/pg_ctl" -D "$data" -m fast -w -t 30 stop >/dev/null) || fail "PostgreSQL does not stop; its log: $home/log"
}

kill9() { # the children see that their parent is gone and end
  local id
  running || fail "it is not running (POSTGRES_HOME=$home)"
  id=$(head -1 "$data/postmaster.pid")
  kill -KILL "$id"
  for _ in $(seq 100); do
    answers || return 0
    sleep 0.1
  done
  fail "something still answers on port $port"
}

need
case $1 in
start) start ;;
stop) stop ;;
kill9) kill9 ;;
up) (cd / && up) ;;
url) url ;;
*) usage ;;
esac
