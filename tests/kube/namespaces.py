"""Private namespaces: a machine of its own for a test, in which pods have addresses of their own.

`private` is for outside: the command that runs another one inside. The rest is for inside. Nothing reaches another Ray
on the machine, and all processes die with the namespace. Knows no Ray and no Kubernetes.
"""

import functools
import os
import shutil
import subprocess
from pathlib import Path

import pytest

BRIDGE = "kube0"
ADDRESS = "10.88.0.1"
STATE = Path("/run/kube")
"""Where all that the pods share lies, whatever their own /tmp hides."""
OF_THE_HARNESS = ("--pid", "--fork", "--kill-child", "--mount-proc", "--net", "--ipc", "--uts", "--mount")


def private(*kinds: str) -> list[str]:
    """Give the command that runs another one in namespaces of its own; all its processes end with it."""
    user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    return ["unshare", *user, *kinds]


@functools.cache
def why_not() -> str:
    """Say why this machine has no private namespaces, empty where it has."""
    for program in ("unshare", "nsenter", "ip", "mount", "openssl"):
        if shutil.which(program) is None:
            return f"needs {program} (util-linux, iproute2, openssl) for private namespaces"
    tried = subprocess.run(
        [*private(*OF_THE_HARNESS), "sh", "-c", f"ip link add {BRIDGE} type bridge && mount -t tmpfs tmpfs /run"],
        capture_output=True, text=True,
    )  # fmt: skip
    return f"needs private namespaces: {tried.stderr.strip()}" if tried.returncode else ""


def require_namespaces() -> None:
    """Skip on a laptop that has none, fail in CI."""
    reason = why_not()
    if reason and os.environ.get("CI"):
        pytest.fail(reason)
    if reason:
        pytest.skip(reason)


def run(*command: str) -> None:
    """Run one short command of the machine; its words are the error."""
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")


def set_up(place: Path) -> None:
    """Make this mount and network namespace the pods' machine; `place` (a folder) is reachable below `STATE`."""
    kept = Path(f"/proc/{os.getpid()}/cwd")
    os.chdir(place)  # so that it stays reachable when /run is hidden
    run("mount", "-t", "tmpfs", "tmpfs", "/run")
    STATE.mkdir()
    run("mount", "--bind", str(kept), str(STATE))
    os.chdir(STATE)
    _answer_names()
    run("ip", "link", "set", "lo", "up")
    # A fixed MAC address: by default it changes as pods come and go, and connections hang.
    run("ip", "link", "add", BRIDGE, "address", "02:00:0a:58:00:01", "type", "bridge")
    run("ip", "addr", "add", f"{ADDRESS}/24", "dev", BRIDGE)
    run("ip", "link", "set", BRIDGE, "up")


def _answer_names() -> None:
    """Resolve names from a hosts file of our own alone: a name server that does not answer costs 20 s a Ray node."""
    (STATE / "resolv.conf").write_text("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
    (STATE / "hosts").write_text("127.0.0.1 localhost\n")
    for name in ("resolv.conf", "hosts"):
        target = Path("/etc", name).resolve()
        target.parent.mkdir(parents=True, exist_ok=True)  # in the new /run, where it was a link to there
        target.touch()
        run("mount", "--bind", str(STATE / name), str(target))


def add_host(address: str, *names: str) -> None:
    """Let the pods resolve names."""
    with (STATE / "hosts").open("a") as hosts:
        hosts.write(f"{address} {' '.join(names)}\n")


def make_mount_point(path: Path) -> None:
    """Make a folder to mount on, here only: the machine's own disk is left alone."""
    if path.exists():
        return
    parent = next(folder for folder in path.parents if folder.exists())
    mirror = STATE / "mirrors" / str(parent).replace("/", "_")
    mirror.mkdir(parents=True)
    run("mount", "-t", "tmpfs", "tmpfs", str(mirror))
    for child in parent.iterdir():
        copy = mirror / child.name
        if child.is_symlink():
            copy.symlink_to(child.readlink())
        elif child.is_dir() or child.is_file():
            copy.mkdir() if child.is_dir() else copy.touch()
            run("mount", "--rbind", str(child), str(copy))
    run("mount", "--rbind", str(mirror), str(parent))
    path.mkdir(parents=True)


def add_network(name: str, address: str) -> None:
    """Make a network namespace with an address on the bridge."""
    outside = f"v{address.rpartition('.')[2]}"
    run("ip", "netns", "add", name)
    run("ip", "link", "add", outside, "type", "veth", "peer", "name", "eth0", "netns", name)
    run("ip", "link", "set", outside, "master", BRIDGE, "up")
    for words in (
        "link set lo up", f"addr add {address}/24 dev eth0", "link set eth0 up", f"route add default via {ADDRESS}",
        "route add unreachable 169.254.0.0/16",  # else Ray waits for a cloud's metadata server
    ):  # fmt: skip
        run("ip", "-n", name, *words.split())


def remove_network(name: str, address: str) -> None:
    """Remove a pod's network; the link first, else its address stays taken for a while."""
    run("ip", "link", "del", f"v{address.rpartition('.')[2]}")
    run("ip", "netns", "del", name)
