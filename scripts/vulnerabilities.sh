#!/usr/bin/env bash
# What is known to be vulnerable in the code that the modules of this repository really call (govulncheck).
#   GOVULNDB   the database, default https://vuln.go.dev; file:///path for a copy
# Exit codes: 0 nothing is known, or the database cannot be reached (which is said plainly), 1 something is, or it cannot be found out.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

database=${GOVULNDB:-https://vuln.go.dev}
mkdir -p .cache/bin
go build -C tools -o "$PWD/.cache/bin/govulncheck" golang.org/x/vuln/cmd/govulncheck

reachable() {
  case $database in
  file://*) [ -f "${database#file://}/index/db.json" ] ;;
  *) if command -v curl >/dev/null; then curl -fsS --max-time 20 -o /dev/null "$database/index/db.json"
    elif command -v wget >/dev/null; then wget -q -T 20 -t 1 -O /dev/null "$database/index/db.json"
    else echo "neither curl nor wget is installed"; false; fi ;;
  esac
}

if ! why=$(reachable 2>&1); then
  echo "NOT CHECKED for known vulnerabilities: their database $database cannot be reached from here${why:+ ($why)}."
  echo "Run scripts/vulnerabilities.sh where it can be, or set GOVULNDB to a copy."
  exit 0
fi

known=0
while read -r module; do
  echo "$module"
  ("$PWD/.cache/bin/govulncheck" -C "$module" -db "$database" ./...) || known=1
done < <(find . -name go.mod -not -path './.*' -not -path './tools/*' -exec dirname {} \;)
exit $known
