#!/usr/bin/env bash
# Makes the pictures of docs/images from a real service with events of its own. They differ from run to run.
#   PICTURES_WARMUP   how long the service runs before: so much of the last 15 minutes is drawn; default 15m
#   PICTURES_TO       folder, default docs/images
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
scripts/browser.sh setup
export PICTURES_TO=${PICTURES_TO:-$PWD/docs/images} PICTURES_WARMUP=${PICTURES_WARMUP:-15m} TEST_BROWSER=${TEST_BROWSER:-1}
mkdir -p "$PICTURES_TO"
go test -count=1 -timeout 30m -tags pictures -run '^TestPicturesOfTheDocs$' ./test/browser
ls -l "$PICTURES_TO"
