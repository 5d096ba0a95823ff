#!/usr/bin/env bash
# What deploy/ is checked with, and what is made from it.
#   deploy.sh rules     writes the PrometheusRule of deploy/kubernetes from deploy/prometheus/rules
#   deploy.sh tools     only installs what check needs
#   deploy.sh check     Prometheus' rules and their tests, Alertmanager's and nginx' configuration, Kubernetes' objects
# check needs promtool, amtool and nginx; as root on Debian or Ubuntu it installs what is missing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

rules() {
  local to=deploy/kubernetes/components/monitoring/prometheusrule.yaml
  cat >$to <<'END'
# Made from deploy/prometheus/rules: change them there, then run scripts/deploy.sh rules
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: data-stream-engine
spec:
  groups:
END
  grep -hv -e '^#' -e '^groups:$' deploy/prometheus/rules/{recording,alerts}.yml | sed 's/^./  &/' >>$to
}

tools() { # what the packages of Debian have
  local missing=()
  command -v promtool >/dev/null || missing+=(prometheus)
  command -v amtool >/dev/null || missing+=(prometheus-alertmanager)
  command -v nginx >/dev/null || missing+=(nginx-light)
  [ ${#missing[@]} -eq 0 ] && return
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    # They are for their programs: nothing of them is to run as a service.
    apt-get update -qq >&2 || true
    DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y -qq --no-install-recommends "${missing[@]}" >&2 && return
  fi
  echo "missing: ${missing[*]}: install promtool, amtool and nginx" >&2
  return 3
}

nginx_check() { # the template with a server filled in, inside of what an nginx needs around it
  local dir
  dir=$(mktemp -d)
  ENGINE_SERVERS='server 127.0.0.1:8080 max_fails=1 fail_timeout=5s;' NGINX_LISTEN=127.0.0.1:8081 scripts/nginx.sh "$dir" >"$dir/nginx.conf"
  nginx -t -q -p "$dir" -c "$dir/nginx.conf" -e "$dir/error.log"
  rm -r "$dir"
}

alertmanager_check() { # without receivers, and with both kinds
  local dir
  dir=$(mktemp -d)
  ALERT_CONFIG=$dir/none.yml ALERTMANAGER=true sh deploy/alertmanager/start.sh
  ALERT_CONFIG=$dir/both.yml ALERTMANAGER=true ALERT_WEBHOOK_URL="http://alerts.example.com/it's" ALERT_EMAIL_TO=a@example.com ALERT_SMTP_HOST=smtp.example.com:587 \
    ALERT_SMTP_USERNAME=engine ALERT_SMTP_PASSWORD_FILE=/run/secrets/smtp sh deploy/alertmanager/start.sh
  amtool check-config "$dir/none.yml" "$dir/both.yml"
  [ "$(amtool config routes test --config.file="$dir/both.yml" severity=critical 2>/dev/null)" = page ]
  [ "$(amtool config routes test --config.file="$dir/both.yml" severity=warning 2>/dev/null)" = ticket ]
  rm -r "$dir"
}

check() {
  tools
  promtool check rules deploy/prometheus/rules/*.yml
  promtool check config --syntax-only deploy/prometheus/prometheus.yml
  promtool test rules deploy/prometheus/tests/*.yml
  alertmanager_check
  nginx_check
  go test -C test/deploy -count=1 ./...
}

case ${1:-} in
rules | check | tools) "$1" ;;
*) sed -n '2,6s/^# //p' "$0" >&2; exit 2 ;;
esac
