"""The embedded server as a process: shared, adopted after a kill, stopped by the last one out."""

import contextlib
import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import threading
from pathlib import Path

import psycopg
import pytest

from cluster.embedded_postgres import EmbeddedPostgres
from cluster.errors import ConfigurationError, RetryableError
from cluster.settings import load_settings
from cluster.warehouse import running_warehouse, warehouse_url

HOLD = """
import sys
from pathlib import Path
from cluster.embedded_postgres import EmbeddedPostgres
with EmbeddedPostgres(Path(sys.argv[1])).running() as url:
    print(url, flush=True)
    sys.stdin.read()
"""


def hold(home: Path) -> "subprocess.Popen[str]":
    """Start another process that uses the server until its input ends."""
    return subprocess.Popen(
        [sys.executable, "-c", HOLD, str(home)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def url_of(process: "subprocess.Popen[str]") -> str:
    assert process.stdout
    return process.stdout.readline().strip()


def answers(url: str) -> bool:
    try:
        psycopg.connect(url, connect_timeout=5).close()
    except psycopg.OperationalError:
        return False
    return True


def test_several_users_share_one_server_and_the_last_stops_it(tmp_path: Path) -> None:
    others = [hold(tmp_path), hold(tmp_path)]
    urls = {url_of(other) for other in others}
    with EmbeddedPostgres(tmp_path).running() as url:
        assert urls == {url}
        for other in others:
            other.communicate()
        assert answers(url)
        assert warehouse_url(load_settings(home=tmp_path)) == url
    assert not answers(url)
    assert not (tmp_path / "run" / "warehouse.json").exists()
    with pytest.raises(ConfigurationError, match="does not run") as caught:
        warehouse_url(load_settings(home=tmp_path))
    assert "retail serve" in caught.value.remedy


def test_a_killed_owner_leaves_a_server_that_the_next_adopts(tmp_path: Path) -> None:
    owner = hold(tmp_path)
    url = url_of(owner)
    owner.kill()
    owner.communicate()
    assert answers(url)
    with EmbeddedPostgres(tmp_path).running() as adopted:
        assert adopted == url
    assert not answers(url)


def test_a_stale_address_is_replaced(tmp_path: Path) -> None:
    with running_warehouse(load_settings(home=tmp_path)) as url:
        psycopg.connect(url).execute("CREATE TABLE kept ()").connection.commit()
    (tmp_path / "run" / "warehouse.json").write_text(json.dumps({"host": "127.0.0.1", "port": 9, "pid": 1}))
    (tmp_path / "warehouse" / "postmaster.pid").write_text(f"{os.getpid()}\n")
    with running_warehouse(load_settings(home=tmp_path)) as url, psycopg.connect(url) as connection:
        assert connection.execute("SELECT count(*) FROM kept").fetchone() == (0,)


def test_a_server_that_died_comes_back_at_its_address(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path)
    with server.running() as url:
        os.kill(json.loads(server.address_file.read_text())["pid"], signal.SIGKILL)
        with EmbeddedPostgres(tmp_path).running() as again:
            assert again == url
        assert answers(url)
    assert not answers(url)


def test_the_successor_of_a_killed_server_waits_for_its_children(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path)
    with server.running() as url:
        died = json.loads(server.address_file.read_text())["pid"]
        children = Path(f"/proc/{died}/task/{died}/children").read_text().split()
        slow = next(int(child) for child in children if "checkpointer" in Path(f"/proc/{child}/cmdline").read_text())
        os.kill(slow, signal.SIGSTOP)
        os.kill(died, signal.SIGKILL)
        waking = threading.Timer(1.0, os.kill, (slow, signal.SIGCONT))
        waking.start()
        with EmbeddedPostgres(tmp_path).running() as again:
            assert again == url
        waking.join()


def test_a_server_that_is_full_is_left_to_those_who_use_it(tmp_path: Path) -> None:
    with EmbeddedPostgres(tmp_path).running() as url, contextlib.ExitStack() as taken:
        first = taken.enter_context(psycopg.connect(url))
        with contextlib.suppress(psycopg.OperationalError):
            for _ in range(200):
                taken.enter_context(psycopg.connect(url))
        assert not answers(url)
        with pytest.raises(RetryableError, match="does not answer"), EmbeddedPostgres(tmp_path).running():
            pass
        assert first.execute("SELECT 1").fetchone() == (1,)


def test_starters_at_once_make_one_server(tmp_path: Path) -> None:
    others = [hold(tmp_path) for _ in range(3)]
    assert len({url_of(other) for other in others}) == 1
    for other in others:
        other.communicate()
    assert EmbeddedPostgres(tmp_path).running_url() is None


def test_a_lost_password_is_said_and_the_data_left(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path)
    with server.running():
        pass
    server.password_file.unlink()
    with pytest.raises(ConfigurationError, match="password") as caught, server.running():
        pass
    assert str(server.data) in caught.value.remedy
    assert (server.data / "PG_VERSION").is_file()


def test_a_half_made_data_folder_is_made_again(tmp_path: Path) -> None:
    (tmp_path / "warehouse" / "base").mkdir(parents=True)
    (tmp_path / "warehouse.new").mkdir()
    with EmbeddedPostgres(tmp_path).running() as url:
        assert answers(url)


def test_it_listens_on_loopback_only_and_asks_for_the_password(tmp_path: Path) -> None:
    with EmbeddedPostgres(tmp_path).running() as url:
        head, _, tail = url.partition("@")
        assert tail.startswith("127.0.0.1:")
        assert not answers(head.rpartition(":")[0] + ":wrong@" + tail)
        port = int(tail.partition(":")[2].partition("/")[0])
        listening = [line.split()[1] for line in Path("/proc/net/tcp").read_text().splitlines() if " 0A " in line]
        assert [entry for entry in listening if entry.endswith(f":{port:04X}")] == [f"0100007F:{port:04X}"]
        assert not any((tmp_path / "warehouse").glob(".s.PGSQL*"))
    for secret in ("secrets/warehouse-password",):
        assert stat.S_IMODE((tmp_path / secret).stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "secrets").stat().st_mode) == 0o700


def test_ctrl_c_for_the_group_of_its_owner_does_not_end_the_server(tmp_path: Path) -> None:
    owner = subprocess.Popen(
        [sys.executable, "-c", HOLD.replace("sys.stdin.read()", "import signal; signal.pause()"), str(tmp_path)],
        stdout=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    url = url_of(owner)
    with EmbeddedPostgres(tmp_path).running():
        os.killpg(owner.pid, signal.SIGINT)
        owner.communicate()
        assert answers(url)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the server as somebody else")
def test_where_user_namespaces_are_forbidden_it_runs_as_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    server = EmbeddedPostgres(tmp_path)
    assert server.as_user[0] == "setpriv"
    try:
        with server.running() as url:
            assert answers(url)
    finally:
        shutil.rmtree(server.data.parent, ignore_errors=True)


def test_a_free_port_is_free_and_a_taken_one_is_replaced() -> None:
    from cluster.ports import free_port

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        assert free_port(port) not in (0, port)
    assert free_port(port) == port
