#!/usr/bin/env bash
# Makes .venv from requirements.lock on a machine that has python3 only. Python 3.11 is fetched by uv where it is missing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
uv_version=0.13.9

say() { printf '%s\n' "$*" >&2; }

make_uv() {
  [ "$(.uv/bin/uv --version 2>/dev/null | cut -d' ' -f2)" = "$uv_version" ] && return
  rm -rf .uv
  if ! python3 -m venv .uv >/dev/null 2>&1; then
    rm -rf .uv
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
      say "Installing python3-venv, which python3 -m venv needs here."
      apt-get update -qq >&2
      DEBIAN_FRONTEND=noninteractive apt-get install -y -qq python3-venv >&2
      python3 -m venv .uv
    else
      say "python3 cannot make virtual environments here. Run this, then the same command again:"
      say "    sudo apt-get install -y python3-venv"
      exit 1
    fi
  fi
  .uv/bin/python -m pip install -q --disable-pip-version-check "uv==$uv_version"
}

make_uv
stamp=.venv/.installed
wanted=$(cat requirements.lock pyproject.toml cluster/bootstrap.sh | sha256sum)
if [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ] && .venv/bin/python -c '' 2>/dev/null; then exit 0; fi
say "Making the environment from requirements.lock …"
if ! .venv/bin/python -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null; then
  .uv/bin/uv venv -q --clear --python 3.11 .venv
fi
rm -f "$stamp"
.uv/bin/uv pip sync -q --python .venv/bin/python requirements.lock
.uv/bin/uv pip install -q --python .venv/bin/python --no-deps --no-build-isolation --editable .
printf '%s\n' "$wanted" >"$stamp"
