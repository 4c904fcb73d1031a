# SPDX-License-Identifier: MPL-2.0
"""The hook library run_script with real scripts: packets never wait for them, their number and their queue are bounded, and
they outlive reloads, kill -9 and the end of the server by the rules of its page."""

import json
import os
import signal
import subprocess
import time

from lib.client import Client, acquire_many, mac_of
from lib.metrics import Text
from lib.netns import wait_for
from lib.runner import test
from lib.server import slack, subnet

RUNNING, QUEUED = 16, 1024
BIG = [subnet("10.76.0.0/15", "10.76.1.0 - 10.76.60.255")]


def _library(path, **more):
    return [{"library": "libdhcp_run_script.so", "parameters": {"name": path, **more}}]


def _children(pid):
    """The processes whose parent it is."""
    out = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/stat" % name, encoding="utf-8") as f:
                if int(f.read().rsplit(")", 1)[1].split()[1]) == pid:
                    out.append(int(name))
        except (OSError, IndexError):
            pass
    return out


def _lines(path):
    try:
        with open(path, encoding="utf-8") as f:
            return f.read().splitlines()
    except FileNotFoundError:
        return []


def _end(pids):
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


def _lost(s):
    return s.ok("status-get")["hook-lost"]


@test(timeout=120, tags=("asan", "tsan"))
def test_run_script_hanging_under_load(t):
    """Scripts that hang: all clients are served, 16 scripts run, 1,024 wait, the rest is dropped by name and counted; a
    reload starts no more of them; SIGTERM ends the server at once."""
    port = t.wire("10.77.0.1/15")
    script = t.lab.script("hang.sh", "exec /bin/sleep 100\n")
    s = t.server(subnets=BIG, **{"hooks-libraries": _library(script)})
    n = RUNNING + QUEUED + 160
    begin = time.monotonic()
    clients = [Client(port, mac_of(i)) for i in range(1, n + 1)]
    acquire_many(port, clients, timeout=slack(40))
    assert all(c.addr for c in clients), "%d clients have no lease" % sum(not c.addr for c in clients)
    took = time.monotonic() - begin
    pids = _children(s.proc.pid)
    assert len(pids) == RUNNING, pids
    # retransmissions may have made a run more
    assert took > 25 or 160 <= _lost(s) <= 160 + n // 10, _lost(s)
    assert s.logged("USHER_CHILD_DROPPED")
    text = Text(s.ok("metrics-get")["metrics"])
    assert text.get("usher_hook_lost_total", library="libdhcp_run_script.so") == _lost(s)
    s.ok("config-reload")
    lost = _lost(s)
    one = Client(port, mac_of(1, 0x20))
    assert one.dora()
    assert sorted(_children(s.proc.pid)) == sorted(pids) or took > 25
    assert _lost(s) == lost + 1 or took > 25, "the queue is not continued by a reload"
    begin = time.monotonic()
    pids = _children(s.proc.pid)
    assert s.term() == 0
    assert time.monotonic() - begin < slack(5), "the end waited for scripts"
    _end(pids)


@test(timeout=60, tags=("asan",))
def test_run_script_life(t):
    """Every change is seen once and in order, over a reload with another script, kill -9 and a restart; the library can be
    removed and come back."""
    port = t.wire()
    out = t.lab.path("out")
    first = t.lab.script("first.sh", "echo \"first $1 $LEASES4_AT0_ADDRESS\" >> %s\n" % out)
    second = t.lab.script("second.sh", "echo \"second $1 $LEASES4_AT0_ADDRESS$LEASE4_ADDRESS\" >> %s\n" % out)
    s = t.server(**{"hooks-libraries": _library(first), "cache-threshold": 0.0})
    a, b, c, d = (Client(port, mac_of(i)) for i in range(1, 5))
    assert a.dora()
    wait_for("the first run", lambda: len(_lines(out)) == 1, slack(10))
    s.conf["hooks-libraries"] = _library(second, sync=True)
    s.write_conf()
    s.ok("config-reload")
    assert s.logged("'sync' has no effect")
    assert b.dora() and a.renew()
    wait_for("its runs", lambda: len(_lines(out)) == 4, slack(10))
    s.kill()
    s.start()
    assert c.dora()
    wait_for("a run after the restart", lambda: len(_lines(out)) == 5, slack(10))
    c.release()
    wait_for("release and commit", lambda: len(_lines(out)) == 7, slack(10))
    s.ok("config-set", {"Dhcp4": {**s.conf, "hooks-libraries": []}})
    assert d.dora()
    wait_for("the end of the library", lambda: "RUN_SCRIPT_UNLOAD" in s.log().rsplit("DHCP4_STARTED", 1)[1], slack(10))
    s.ok("config-set", {"Dhcp4": s.conf})
    assert d.renew()
    wait_for("the renewal", lambda: len(_lines(out)) == 9, slack(10))
    lines = _lines(out)
    assert lines[0] == "first leases4_committed %s" % a.addr, lines
    assert sorted(lines[1:4]) == sorted(["second leases4_committed %s" % b.addr, "second lease4_renew %s" % a.addr,
                                         "second leases4_committed %s" % a.addr]), lines
    assert lines[4] == "second leases4_committed %s" % c.addr, lines
    assert sorted(lines[5:7]) == ["second lease4_release %s" % c.addr, "second leases4_committed "], lines
    assert _lost(s) == 0 and s.ok("status-get")["hook-failures"] == 0


@test(timeout=60, tags=("asan",))
def test_run_script_that_cannot_start(t):
    """A script that vanishes, or whose interpreter is absent, fails its runs with a line each; clients are served. A script
    that ends in a crash leaves no process behind."""
    port = t.wire()
    gone, crash = t.lab.script("gone.sh", "exit 0\n"), t.lab.script("crash.sh", "kill -SEGV $$\n")
    s = t.server(**{"hooks-libraries": _library(gone) + _library(crash)})
    os.unlink(gone)
    for i in range(1, 6):
        assert Client(port, mac_of(i)).dora()
    wait_for("the failures", lambda: s.log().count("USHER_CHILD_FAILED") >= 5, slack(10))
    assert s.logged("gone.sh cannot be started: No such file or directory")
    with open(gone, "w", encoding="utf-8") as f:
        f.write("#!/absent\n")
    os.chmod(gone, 0o755)
    assert Client(port, mac_of(7)).dora()
    wait_for("another failure", lambda: s.log().count("USHER_CHILD_FAILED") >= 6, slack(10))
    wait_for("the crashed scripts to be gone", lambda: not _children(s.proc.pid), slack(10))


@test(timeout=30, tags=("asan",))
def test_run_script_mistakes(t):
    """Every mistake of the parameters has its place; a configuration that is tested runs nothing."""
    t.wire()
    ran = t.lab.path("ran")
    good = t.lab.script("good.sh", "echo x >> %s\n" % ran)
    s = t.server()
    for parameters, want in (
            (None, "the parameter 'name' is missing"), ({}, "the parameter 'name' is missing"),
            ({"name": 1}, "'name' must be a string"), ({"name": "/absent/x"}, "/absent/x: No such file"),
            ({"name": s.dir}, "is not a regular file"), ({"name": s.conf_path}, "is not executable"),
            ({"name": good, "sync": "no"}, "'sync' must be true or false"),
            ({"name": good, "user": "x"}, "unknown parameter 'user', the parameters are name and sync")):
        entry = {"library": "libdhcp_run_script.so", **({} if parameters is None else {"parameters": parameters})}
        r = s.command("config-test", {"Dhcp4": {**s.conf, "hooks-libraries": [entry]}})
        assert r["result"] == 1 and want in r["text"], "%s: %s" % (parameters, r)
        e = r["arguments"]["errors"][0]
        assert e["line"] == 1 and e["column"] > 1, r
        path = t.lab.path("bad.json")
        with open(path, "w", encoding="utf-8") as f:
            f.write('{ "Dhcp4": { "hooks-libraries": [\n  %s ] } }' % json.dumps(entry))
        p = subprocess.run([t.binary, "-t", path], capture_output=True, text=True, check=False)
        assert p.returncode == 1 and "bad.json:2:" in p.stdout + p.stderr and want in p.stdout + p.stderr, p
    n = s.n_fds()
    for _ in range(20):
        r = s.command("config-test", {"Dhcp4": {**s.conf, "hooks-libraries": _library(good)}})
        assert r["result"] == 0, r
    assert s.n_fds() == n and not os.path.exists(ran) and "RUN_SCRIPT_LOAD" not in s.log()
