#!/bin/sh
# Writes Alertmanager's configuration from the environment, which it does not read itself, and starts it with the arguments.
#   ALERT_WEBHOOK_URL        where alerts are posted to; empty: nowhere
#   ALERT_EMAIL_TO           who gets mail, several with commas; empty: nobody
#   ALERT_EMAIL_FROM         default: alertmanager@localhost
#   ALERT_SMTP_HOST          host:port of the mail server, needed with ALERT_EMAIL_TO
#   ALERT_SMTP_USERNAME, ALERT_SMTP_PASSWORD_FILE    how to log in there; empty: without
#   ALERT_SMTP_TLS           true (default) or false
#   ALERT_CONFIG             the file to write, default /tmp/alertmanager.yml
# Without receivers alerts are still on Alertmanager's page.
set -eu

config=${ALERT_CONFIG:-/tmp/alertmanager.yml}
webhook=${ALERT_WEBHOOK_URL:-} mail=${ALERT_EMAIL_TO:-}

if [ -n "$mail" ] && [ -z "${ALERT_SMTP_HOST:-}" ]; then
  echo "ALERT_EMAIL_TO is set and ALERT_SMTP_HOST is not: which mail server, as in smtp.example.com:587?" >&2
  exit 2
fi

# quoted makes a YAML text of any value: one in single quotes, of which each is doubled.
quoted() { printf "'%s'" "$(printf %s "$1" | sed "s/'/''/g")"; }

receiver() { # name, send_resolved
  printf '  - name: %s\n' "$1"
  if [ -n "$webhook" ]; then
    printf '    webhook_configs:\n      - url: %s\n        send_resolved: %s\n' "$(quoted "$webhook")" "$2"
  fi
  if [ -n "$mail" ]; then
    printf '    email_configs:\n      - to: %s\n        send_resolved: %s\n' "$(quoted "$mail")" "$2"
  fi
}

{
  if [ -n "$mail" ]; then
    printf 'global:\n  smtp_smarthost: %s\n  smtp_from: %s\n  smtp_require_tls: %s\n' \
      "$(quoted "$ALERT_SMTP_HOST")" "$(quoted "${ALERT_EMAIL_FROM:-alertmanager@localhost}")" "${ALERT_SMTP_TLS:-true}"
    if [ -n "${ALERT_SMTP_USERNAME:-}" ]; then
      printf '  smtp_auth_username: %s\n' "$(quoted "$ALERT_SMTP_USERNAME")"
    fi
    if [ -n "${ALERT_SMTP_PASSWORD_FILE:-}" ]; then
      printf '  smtp_auth_password_file: %s\n' "$(quoted "$ALERT_SMTP_PASSWORD_FILE")"
    fi
  fi
  cat <<'END'
# One message for each alert and group of replicas; critical ones come at once and again every hour, the others can wait.
route:
  receiver: ticket
  group_by: [alertname, job, consumergroup]
  group_wait: 30s
  group_interval: 5m
  repeat_interval: 12h
  routes:
    - matchers: [severity="critical"]
      receiver: page
      group_wait: 5s
      group_interval: 1m
      repeat_interval: 1h

# What follows from something worse is not told as well.
inhibit_rules:
  # No engine at all: what single ones say is old.
  - source_matchers: [alertname="NoEngine"]
    target_matchers: [job="data-stream-engine"]
  # An engine that does not answer: what its last numbers say is old.
  - source_matchers: [alertname="EngineDown"]
    target_matchers: [alertname!="EngineDown", job="data-stream-engine"]
    equal: [job, instance]
  # An engine that waits for something does not process anything either.
  - source_matchers: [alertname="EngineNotReady"]
    target_matchers: [alertname=~"NoEventsProcessed|LagGrows|LagWillNotDrain|WatermarkStuck|CommitFailures|RestoreSlow"]
    equal: [job]
  # The stronger one of two about the same.
  - source_matchers: [alertname="LagWillNotDrain"]
    target_matchers: [alertname="LagGrows"]
    equal: [job, consumergroup]
  - source_matchers: [alertname="NoEventsProcessed"]
    target_matchers: [alertname=~"LagGrows|LagWillNotDrain"]
    equal: [job]

receivers:
END
  receiver page true
  receiver ticket true
} >"$config"

exec "${ALERTMANAGER:-/bin/alertmanager}" --config.file="$config" "$@"
