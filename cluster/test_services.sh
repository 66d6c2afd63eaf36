#!/usr/bin/env bash
# Runs tests/services against real servers where ../shared can start them, and installs Chromium for the page.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
if ! command -v chromium >/dev/null && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  apt-get update -qq >&2
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >&2
fi
if [ -x ../shared/services/up ]; then
  # One that ran before is somebody's, and stays.
  before=$(../shared/services/status || true)
  if ! grep -q '^postgres  *running' <<<"$before"; then trap '../shared/services/down postgres >&2' EXIT; fi
  env=$(../shared/services/up postgres)
  . "$env"
fi
.venv/bin/python -m pytest tests/services
