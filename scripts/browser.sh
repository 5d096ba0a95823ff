#!/usr/bin/env bash
# The tests of the dashboard in a headless Chromium (test/browser), with all that they need. Arguments go to go test:
#   browser.sh -run TestALoginIsAskedForAndEnds -v
#   browser.sh setup   only fetches: Chromium where the system lets us, axe-core (checks of accessibility) into .cache
#   AXE_VERSION        default 4.14.1
#   TEST_BROWSER       the browser, default chromium
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
axe=${AXE_VERSION:-4.14.1}

browser() { # a browser by one of the names that the tests look for
  local name
  for name in ${TEST_BROWSER:-chromium chromium-browser google-chrome-stable google-chrome headless-shell chrome}; do
    command -v "$name" >/dev/null && return
  done
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt-get update -qq >&2 || true # an old index is often good enough
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >&2 && return
  fi
  echo "browser.sh: the tests of the dashboard need Chromium." >&2
  echo "  Debian, Ubuntu: apt-get install chromium    Fedora: dnf install chromium    macOS: brew install chromium" >&2
  return 3
}

checks() { # axe-core appears in the cache whole or not at all
  local fresh=.cache/axe-core.$$
  [ "$(cat .cache/axe-core/version 2>/dev/null)" = "$axe" ] && return
  command -v npm >/dev/null || { echo "browser.sh: npm fetches axe-core, and is not installed: apt-get install npm" >&2; return 3; }
  mkdir -p "$fresh"
  (cd "$fresh" && npm pack --silent "axe-core@$axe" >/dev/null && tar -xzf "axe-core-$axe.tgz" --strip-components=1 package/axe.min.js package/LICENSE && rm "axe-core-$axe.tgz") ||
    { rm -rf "$fresh"; echo "browser.sh: axe-core $axe could not be fetched" >&2; return 1; }
  echo "$axe" >"$fresh/version"
  rm -rf .cache/axe-core
  mv "$fresh" .cache/axe-core
}

browser
checks
[ "${1:-}" != setup ] || exit 0
export TEST_BROWSER=${TEST_BROWSER:-1}
exec go test -count=1 -timeout 15m "$@" ./test/browser
