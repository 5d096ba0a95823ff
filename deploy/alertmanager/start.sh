#!/bin/sh
# Writes Alertmanager's configuration from the environment, which it does not read itself, and starts it with the arguments.
#   ALERT_WEBHOOK_URL        where alerts are posted to; empty: nowhere
#   ALERT_EMAIL_TO           who gets mail, several with commas; empty: nobody
#   ALERT_EMAIL_FROM         default: alertmanager@localhost
#   ALERT_SMTP_HOST          host:port of the mail server, needed with ALERT_EMAIL_TO
#   ALERT_SMTP_USERNAME, ALERT_SMTP_PASSWORD_FILE    how to log in there; no name: without
#   ALERT_SMTP_TLS           true (default) or false
#   ALERT_TICKET_WEBHOOK_URL, ALERT_TICKET_EMAIL_TO    where warnings go instead: what wakes nobody
#   ALERT_CONFIG             the file to write, default /tmp/alertmanager.yml
# Without receivers alerts are still on Alertmanager's page.
set -eu

config=${ALERT_CONFIG:-/tmp/alertmanager.yml}
webhook=${ALERT_WEBHOOK_URL:-} mail=${ALERT_EMAIL_TO:-}
ticket_webhook=${ALERT_TICKET_WEBHOOK_URL:-$webhook} ticket_mail=${ALERT_TICKET_EMAIL_TO:-$mail}

if [ -n "$mail$ticket_mail" ] && [ -z "${ALERT_SMTP_HOST:-}" ]; then
  echo "ALERT_EMAIL_TO or ALERT_TICKET_EMAIL_TO is set and ALERT_SMTP_HOST is not: which mail server, as in smtp.example.com:587?" >&2
  exit 2
fi

# quoted makes a YAML text of any value: one in single quotes, of which each is doubled.
quoted() { printf "'%s'" "$(printf %s "$1" | sed "s/'/''/g")"; }

receiver() { # name, URL of a webhook, who gets mail
  printf '  - name: %s\n' "$1"
  if [ -n "$2" ]; then
    printf '    webhook_configs:\n      - url: %s\n        send_resolved: true\n' "$(quoted "$2")"
  fi
  if [ -n "$3" ]; then
    printf '    email_configs:\n      - to: %s\n        send_resolved: true\n' "$(quoted "$3")"
  fi
}

{
  if [ -n "$mail$ticket_mail" ]; then
    printf 'global:\n  smtp_smarthost: %s\n  smtp_from: %s\n  smtp_require_tls: %s\n' \
      "$(quoted "$ALERT_SMTP_HOST")" "$(quoted "${ALERT_EMAIL_FROM:-alertmanager@localhost}")" "${ALERT_SMTP_TLS:-true}"
    if [ -n "${ALERT_SMTP_USERNAME:-}" ]; then
      printf '  smtp_auth_username: %s\n  smtp_auth_password_file: %s\n' "$(quoted "$ALERT_SMTP_USERNAME")" "$(quoted "${ALERT_SMTP_PASSWORD_FILE:-}")"
    fi
  fi
  cat <<'END'
# One message for each alert and group of replicas; critical ones come at once and again every hour, the others can wait.
route:
  receiver: ticket
  group_by: [alertname, namespace, job, consumergroup]
  group_wait: 30s
  group_interval: 5m
  repeat_interval: 12h
  routes:
    - matchers: [severity="critical"]
      receiver: page
      group_wait: 5s
      group_interval: 1m
      repeat_interval: 1h

# What follows from something worse is not told as well. Alerts of another namespace, job or instance are another matter; a label
# that neither has is the same.
inhibit_rules:
  # No engine at all: what single ones say is old.
  - source_matchers: [alertname="NoEngine"]
    target_matchers: [alertname!="NoEngine", job="data-stream-engine"]
    equal: [namespace, job]
  # An engine that does not answer: what its last numbers say is old.
  - source_matchers: [alertname="EngineDown"]
    target_matchers: [alertname!="EngineDown", job="data-stream-engine"]
    equal: [namespace, job, instance]
  # An engine that waits for something does not do what it should. What the others do is told; that lag will not drain too.
  - source_matchers: [alertname="EngineNotReady"]
    target_matchers: [alertname=~"WatermarkStuck|CommitFailures|RestoreSlow"]
    equal: [namespace, job, instance]
  # The stronger one of two about the same.
  - source_matchers: [alertname="LagWillNotDrain"]
    target_matchers: [alertname="LagGrows"]
    equal: [namespace, job, consumergroup]
  - source_matchers: [alertname="NoEventsProcessed"]
    target_matchers: [alertname=~"LagGrows|LagWillNotDrain"]
    equal: [namespace, job]

receivers:
END
  receiver page "$webhook" "$mail"
  receiver ticket "$ticket_webhook" "$ticket_mail"
} >"$config"

exec "${ALERTMANAGER:-/bin/alertmanager}" --config.file="$config" "$@"
