#!/usr/bin/env bash
# Makes .venv and .dbt (dbt alone) from their locks on a machine that has python3 only. Python 3.11 is fetched by uv where it is missing.
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

# $1: the environment; $2: what it is made from, as one hash; $3: its lock
sync() {
  say "Making the environment $1 from $3 …"
  if ! "$1/bin/python" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null; then
    .uv/bin/uv venv -q --clear --python 3.11 "$1"
  fi
  rm -f "$1/.installed"
  .uv/bin/uv pip sync -q --python "$1/bin/python" "$3"
  if [ "$1" = .venv ]; then
    .uv/bin/uv pip install -q --python .venv/bin/python --no-deps --no-build-isolation --editable .
  fi
  printf '%s\n' "$2" >"$1/.installed"
}

is_made() { [ "$(cat "$1/.installed" 2>/dev/null)" = "$2" ] && "$1/bin/python" -c '' 2>/dev/null; }

make_uv
dbt_lock=warehouse_sql/dbt/requirements.lock
ours=$(cat requirements.lock pyproject.toml cluster/bootstrap.sh | sha256sum)
# dbt's pins hold packages down that ours need newer, so it has an environment of its own.
dbts=$(cat "$dbt_lock" cluster/bootstrap.sh | sha256sum)
is_made .venv "$ours" || sync .venv "$ours" requirements.lock
is_made .dbt "$dbts" || sync .dbt "$dbts" "$dbt_lock"
