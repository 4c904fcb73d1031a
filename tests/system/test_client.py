# SPDX-License-Identifier: MPL-2.0
"""usher-client as a process: the state of the interface that it leaves, when it goes to the background, how it ends,
the answers of its control channel, the effects of changes of its interface."""

import json
import os
import signal
import socket
import subprocess
import time

from lib import dhcp
from lib.netns import wait_for
from lib.runner import test
from lib.server import slack
from lib.usher_client import Configured, UsherClient
from lib.wire import Net

_TIMES = {"valid-lifetime": 12, "min-valid-lifetime": 12, "max-valid-lifetime": 12, "renew-timer": 2, "rebind-timer": 9}
_ROUTER = {"option-data": [{"name": "routers", "data": "10.77.0.1"}]}


def _file(t, name, text):
    path = t.lab.path(name)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    os.chmod(path, 0o666)
    return path


def _has_router(ns):
    return "default via 10.77.0.1" in ns.ip("route")


# --- flags -----------------------------------------------------------------------------------------------


def _run(c, *args, timeout=20):
    """Runs it to its end: exit code and seconds."""
    began = time.monotonic()
    c.start(*args)
    return c.proc.wait(slack(timeout)), time.monotonic() - began


class _End:
    """The state at the moment when the started process had ended: nothing here waits."""

    def __init__(self, c, *args, timeout=20):
        kernel = Configured(c.ns)
        began = time.monotonic()
        c.start("-p", c.pid_file, *args)
        self.code = c.proc.wait(slack(timeout))
        self.address, self.router = kernel.now()
        self.socket = os.path.exists(c.socket)
        self.pid = c.daemon_pid() if os.path.exists(c.pid_file) else None
        self.running = self.pid is not None and os.path.exists("/proc/%d" % self.pid)
        self.took = time.monotonic() - began
        kernel.close()


def _stop_daemon(c, pid):
    os.kill(pid, signal.SIGTERM)
    wait_for("the end", lambda: not c.addresses() and not os.path.exists(c.pid_file) and
             not c.ns.pids(), slack(5))


@test(timeout=40, cases={"plain": ("--no-probe",), "probing": (), "n": ("-n",), "b": ("-b",)})
def test_client_ready(t, flags):
    """To the background: the process that was started ends with 0, and then address and default route are there,
    the pid file names the daemon and its channel answers."""
    t.wire()
    t.server(**_ROUTER)
    c = UsherClient(t, t.lab.ns("cli"))
    end = _End(c, *flags)
    assert end.code == 0 and end.took < slack(5), (end.code, c.output())
    assert end.address and end.router, "ready without %s" % ("route" if end.address else "address")
    assert end.running and end.pid != c.proc.pid, "pid file: %s" % end.pid
    assert c.state()["state"] == "BOUND" and c.address() and _has_router(c.ns)
    _stop_daemon(c, end.pid)


@test(timeout=40, cases={"background": (), "b": ("-b",), "q": ("-q",)})
def test_client_ready_late(t, flags):
    """The half that configures is held up while the lease comes: the process that was started waits for it."""
    t.wire()
    c = UsherClient(t, t.lab.ns("cli")).start("--no-probe", "--timeout", "30", "-p", c_pid := t.lab.path("pid"), *flags)
    wait_for("a DISCOVER", lambda: c.answers() and c.state()["state"] == "SELECTING", slack(5))
    with open(c_pid, encoding="utf-8") as f:
        pid = int(f.read())
    with open("/proc/%d/task/%d/children" % (pid, pid), encoding="utf-8") as f:
        helper = int(f.read())
    os.kill(helper, signal.SIGSTOP)
    s = t.server(**_ROUTER)
    wait_for("the lease", s.leases, slack(10))
    time.sleep(0.3)
    early, addresses = c.proc.poll(), c.addresses()
    os.kill(helper, signal.SIGCONT)
    assert early is None and not addresses, "it ended with %s before there was an address" % early
    assert c.proc.wait(slack(5)) == 0
    assert c.address() and _has_router(c.ns)


@test(timeout=40)
def test_client_quit(t):
    """-q: ends with 0 once the address and routes are there, and leaves them; pid file and channel are gone."""
    t.wire()
    t.server(**_ROUTER)
    c = UsherClient(t, t.lab.ns("cli"))
    for flags in (("-q",), ("-q", "-f"), ("-q", "-n"), ("-q", "-b"), ("-q", "--no-probe")):
        end = _End(c, *flags)
        assert end.code == 0, (flags, c.output())
        assert end.address and end.router and end.pid is None and not end.socket, (flags, vars(end))
        time.sleep(0.1)
        assert c.address() and _has_router(c.ns) and not c.ns.pids(), flags
        c.ns.ip("addr", "flush", "dev", "cli0")


@test(timeout=40)
def test_client_quit_later(t):
    """-q without -n continues, in the foreground, beyond --timeout; it ends with the lease that comes then."""
    t.wire()
    c = UsherClient(t, t.lab.ns("cli")).start("-q", "--timeout", "1", "--no-probe")
    time.sleep(1.5)
    assert c.proc.poll() is None and not c.addresses()
    t.server(**_ROUTER)
    assert c.proc.wait(slack(10)) == 0 and c.address()


@test(timeout=40)
def test_client_foreground(t):
    """-f: the process that was started is the client."""
    t.wire()
    t.server(**_ROUTER)
    c = UsherClient(t, t.lab.ns("cli")).start("-f", "-p", c_pid := t.lab.path("pid"))
    c.wait_address()
    with open(c_pid, encoding="utf-8") as f:
        assert int(f.read()) == c.proc.pid
    assert c.proc.poll() is None
    assert c.end() == 0
    assert not os.path.exists(c_pid) and not os.path.exists(c.socket), "left behind"


@test(timeout=40)
def test_client_now(t):
    """-n: no server, so it fails after the time of --timeout, says so, and nothing of it stays."""
    t.wire()
    c = UsherClient(t, t.lab.ns("cli"))
    for flags in ((), ("-f",), ("-q",)):
        end = _End(c, "-n", "--timeout", "1", *flags)
        assert end.code == 1 and 0.9 < end.took < slack(2), (flags, end.code, end.took)
        assert not end.address and end.pid is None and not end.socket, (flags, vars(end))
        wait_for("leasefail", lambda: "leasefail" in [h[0] for h in c.hooks()], 5)
        os.unlink(c.hook_log)
        wait_for("its processes to go", lambda: not c.ns.pids(), slack(2))


@test(timeout=40)
def test_client_b(t):
    """-b: no server, so it goes to the background after that time, and gets its lease later."""
    t.wire()
    c = UsherClient(t, t.lab.ns("cli"))
    end = _End(c, "-b", "--timeout", "1")
    assert end.code == 0 and 0.9 < end.took < slack(2) and not end.address, vars(end)
    assert end.running and end.pid != c.proc.pid and end.socket, vars(end)
    assert c.state()["state"] == "SELECTING"
    t.server(**_ROUTER)
    c.wait_address(20)
    _stop_daemon(c, end.pid)


@test(timeout=40)
def test_client_waits(t):
    """Neither -b nor -n: it stays in front, and tries, for as long as there is no lease."""
    t.wire()
    c = UsherClient(t, t.lab.ns("cli")).start("--timeout", "1", "-p", t.lab.path("pid"))
    time.sleep(1.6)
    assert c.proc.poll() is None and c.state()["state"] == "SELECTING"
    c.proc.send_signal(signal.SIGTERM)
    c.proc.wait(slack(5))
    wait_for("the daemon to end with it", lambda: not c.ns.pids(), slack(5))


@test(timeout=40)
def test_client_request(t):
    """-r is asked for in the DISCOVER; an address that another has is asked for, and another is taken; so is
    default_ip of a manifest, which -r goes before."""
    net = Net(t, False)
    t.server(**_ROUTER)

    def asked(c, *args):
        mark = net.capture.mark()
        code, _ = _run(c, "-q", "--no-probe", *args)
        assert code == 0, c.output()
        sent = [s for s in net.capture.seen[mark:] if s.type == dhcp.DISCOVER]
        c.ns.ip("addr", "flush", "dev", "cli0", "scope", "global")
        return [dhcp.ip_text(s.msg.get(dhcp.REQUESTED, bytes(4))) for s in sent], net.capture.seen[-1].msg.yiaddr
    first, second = UsherClient(t, t.lab.ns("cli")), UsherClient(t, t.lab.ns("cli"), "second")
    manifest = _file(t, "manifest.json", '{"default_ip": "10.77.0.123"}')
    assert asked(first, "-r", "10.77.0.99") == (["10.77.0.99"], "10.77.0.99")
    want, got = asked(second, "-c", "other", "-r", "10.77.0.99")
    assert want == ["10.77.0.99"] and got not in ("10.77.0.99", "0.0.0.0"), (want, got)
    third, fourth = UsherClient(t, t.lab.ns("cli"), "third"), UsherClient(t, t.lab.ns("cli"), "fourth")
    assert asked(third, "-c", "third", "--manifest", manifest) == (["10.77.0.123"], "10.77.0.123")
    assert asked(fourth, "-c", "fourth", "--manifest", manifest, "-r", "10.77.0.124") == (["10.77.0.124"], "10.77.0.124")


@test(timeout=40)
def test_client_usage(t):
    """Refused command lines, each with its exit code."""
    t.wire()
    c = UsherClient(t, t.lab.ns("cli"))
    for bad in (["--nonsense"], ["-r", "300.1.1.1"], ["-i", "a-name-that-is-too-long"],
                ["--manifest", "/nonexistent"]):
        assert _run(c, *bad)[0] == 2, bad
    assert _run(c, "--help")[0] == 0 and "--manifest" in c.output()
    assert _run(c, "--halp")[0] == 0
    assert _run(c, "-f", "-i", "nosuch0")[0] == 3
    assert _run(c, "-f", "-i", "lo")[0] == 3
    c.start("-f")
    wait_for("the first one", c.answers, 5)
    first = c.proc
    assert _run(c, "-f")[0] == 4, "a second client on the same channel"
    first.send_signal(signal.SIGTERM)
    assert first.wait(5) == 0


@test(timeout=40)
def test_client_dry_run(t):
    t.wire()
    t.server(**_ROUTER)
    c = UsherClient(t, t.lab.ns("cli")).start("-f", "--dry-run", "--json")
    wait_for("the lease", lambda: '"event":"bound"' in c.output(), 10)
    assert not c.addresses() and not c.hooks()
    assert c.end() == 0


# --- the interface, the other half, the script -----------------------------------------------------------


def _fds(pid):
    return len(os.listdir("/proc/%d/fd" % pid))


@test(timeout=60)
def test_client_link(t):
    """Down at start, down while bound, renamed, another MAC, removed. No descriptor stays behind."""
    t.wire()
    t.server(**_ROUTER)
    ns = t.lab.ns("cli")
    ns.ip("link", "set", "cli0", "down")
    c = UsherClient(t, ns).start("-f", "--no-probe")
    addr = c.wait_address()
    fds = _fds(c.proc.pid)
    for _ in range(3):
        t.lab.ns("srv").ip("link", "set", "srv0", "down")
        wait_for("the loss", lambda: not c.state()["link"], 5)
        t.lab.ns("srv").ip("link", "set", "srv0", "up")
        c.wait_state("BOUND")
        assert c.addresses() == [addr]
    wait_for("the sockets to go", lambda: _fds(c.proc.pid) <= fds, 5)
    ns.ip("link", "set", "cli0", "down")
    wait_for("the loss", lambda: not c.state()["link"], 5)
    ns.ip("link", "set", "cli0", "address", "02:00:00:00:00:55", "up")
    wait_for("the new MAC", lambda: c.state()["hw-address"] == "02:00:00:00:00:55", 5)
    c.wait_state("BOUND")
    wait_for("the default route", lambda: _has_router(ns), 5)
    ns.ip("link", "del", "cli0")
    assert c.proc.wait(slack(5)) == 3, c.output()


@test(timeout=300)
def test_client_flaps(t):
    """A thousand times down and up: the same descriptors, the same memory."""
    t.wire()
    t.server(**_ROUTER)
    ns = t.lab.ns("cli")
    c = UsherClient(t, ns).start("-f", "--no-probe")
    addr = c.wait_address()
    c.wait_state("BOUND")

    def flap(n):
        batch = "link set cli0 down\nlink set cli0 up\n" * 10
        for _ in range(n // 10):
            subprocess.run(["ip", "-n", ns.name, "-b", "-"], input=batch, text=True, check=True)
            c.state()
        c.wait_state("BOUND", 30)
        wait_for("the sockets to go", lambda: len(os.listdir("/proc/%d/fd" % c.proc.pid)) <= fds, 10)
    fds = len(os.listdir("/proc/%d/fd" % c.proc.pid))

    def pages():
        with open("/proc/%d/statm" % c.proc.pid, encoding="utf-8") as f:
            return int(f.read().split()[0])
    flap(100)
    # An answer of the control channel has 18 pages of its own until it is sent: it may be seen or not.
    size = min(pages() for _ in range(20) if not time.sleep(0.01))
    flap(900)
    wait_for("the memory to be what it was, %d pages" % size, lambda: pages() <= size + 4, 10)
    assert c.addresses() == [addr] and c.end() == 0


@test(timeout=40)
def test_client_address_removed(t):
    """Removed by somebody else: put back with its routes; the fourth time in a minute the state changes and says so."""
    t.wire()
    t.server(**_ROUTER)
    c = UsherClient(t, t.lab.ns("cli")).start("-f", "--no-probe")
    addr = c.wait_address()
    for _ in range(3):
        wait_for("the default route", lambda: _has_router(c.ns), 5)
        c.ns.ip("addr", "flush", "dev", "cli0")
        wait_for("it to be back", lambda: c.address() == addr, 5)
    c.ns.ip("addr", "del", addr, "dev", "cli0")
    c.wait_error("address-lost")
    assert c.state()["state"] == "INIT" and not c.addresses()
    assert c.command("renew")["result"] == 0
    assert c.wait_address() == addr
    wait_for("the audit line", lambda: "command 'renew' of uid 0, pid %d over unix: result 0" % os.getpid() in c.output(), slack(2))
    assert c.end() == 0


@test(timeout=40)
def test_client_leaves_others_alone(t):
    """Addresses and routes that were there before are there behind it."""
    t.wire()
    t.server(**_ROUTER)
    ns = t.lab.ns("cli")
    ns.addr("cli0", "198.51.100.7/24")
    ns.ip("route", "add", "203.0.113.0/24", "via", "198.51.100.1")
    before = ns.ip("route")
    c = UsherClient(t, ns).start("-f", "--no-probe")
    wait_for("the address", lambda: len(c.addresses()) == 2, 10)
    wait_for("the default route", lambda: _has_router(ns), 5)
    assert c.end() == 0
    assert c.addresses() == ["198.51.100.7/24"] and ns.ip("route") == before


@test(timeout=40)
def test_client_hanging_script(t):
    """A script that hangs does not keep the client from anything."""
    t.wire()
    t.server(**_TIMES, **_ROUTER)
    c = UsherClient(t, t.lab.ns("cli"))
    c.set_hook("sleep 60")
    c.start("-f", "--no-probe")
    c.wait_address()
    wait_for("a renewal", lambda: c.command("statistics")["arguments"]["received"]["DHCPACK"] >= 2, slack(15))
    assert c.end() == 0 and not c.addresses()


@test(timeout=40)
def test_client_halves(t):
    """The half that reads the network has nothing left; the privileged one ends with it, and it with that."""
    t.wire()
    t.server(**_ROUTER)
    c = UsherClient(t, t.lab.ns("cli")).start("-f", "--no-probe")
    c.wait_address()
    with open("/proc/%d/status" % c.proc.pid, encoding="utf-8") as f:
        status = dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)
    assert status["Uid"].split() == ["65534"] * 4 and int(status["CapEff"], 16) == 0, status
    assert status["NoNewPrivs"] == "1" and (slack(1) > 1 or status["Seccomp"] == "2")
    assert os.stat(c.socket).st_mode & 0o777 == 0o600
    with open("/proc/%d/task/%d/children" % (c.proc.pid, c.proc.pid), encoding="utf-8") as f:
        helper = int(f.read())
    os.kill(helper, signal.SIGKILL)
    assert c.proc.wait(slack(5)) == 4


@test(timeout=40)
def test_client_control(t):
    """Answers, refusals, a subscription; a subscriber that does not read is dropped and delays no other."""
    t.wire()
    t.server(**_ROUTER)
    c = UsherClient(t, t.lab.ns("cli")).start("-f", "--no-probe")
    c.wait_address()
    s = c.state()
    assert s["state"] == "BOUND" and s["lease"]["address"] + "/24" == c.address()
    assert {o["code"] for o in s["lease"]["options"]} >= {1, 3, 51, 54}
    assert "T1" in s["timers"] and s["configured"] is True
    assert c.command("nonsense")["result"] == 2
    assert c.command("transition", to="nowhere")["result"] == 1
    assert c.command("transition", to="SELECTING")["result"] in (0, 4)
    c.wait_state("BOUND")
    lazy = []
    for _ in range(8):
        x = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        x.connect(c.socket)
        x.send(b'{"command": "events"}')
        lazy.append(x)
    time.sleep(0.2)
    for x in lazy[1:]:
        x.close()
    for _ in range(200):
        assert c.command("renew")["result"] in (0, 4)
    c.wait_state("BOUND")
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as x:
        x.connect(c.socket)
        x.send(b"\0not json")
        assert json.loads(x.recv(65536))["result"] == 1
        x.send(b"x" * 9000)
        assert x.recv(65536) == b""
    assert c.command("server")["arguments"]["history"][0]["server"] == "10.77.0.1"
    ctl = os.path.join(os.path.dirname(t.binary), "usherctl")
    out = subprocess.run([ctl, "client", "-s", c.socket, "state"], stdout=subprocess.PIPE, text=True, check=True).stdout
    assert "state: BOUND" in out
    lazy[0].close()
    assert c.end() == 0


@test(timeout=40)
def test_client_reboot(t):
    """The kept lease is confirmed (INIT-REBOOT) by the next run; a damaged file is as good as none."""
    t.wire()
    t.server(**_ROUTER)
    c = UsherClient(t, t.lab.ns("cli")).start("-f", "--no-probe", "--keep-lease")
    addr = c.wait_address()
    wait_for("the lease file", lambda: os.path.exists(os.path.join(c.dir, "client-cli0.lease")), 5)
    assert c.end() == 0
    c.start("-f", "--no-probe", "--keep-lease")
    assert c.wait_address() == addr
    s = c.command("statistics")["arguments"]
    assert "DHCPDISCOVER" not in s["sent"] and s["states-entered"].get("REBOOTING") == 1, s
    assert c.end() == 0
    with open(os.path.join(c.dir, "client-cli0.lease"), "r+b") as f:
        f.seek(60)
        f.write(b"\xff\xff")
    c.start("-f", "--no-probe", "--keep-lease")
    c.wait_address()
    assert c.command("statistics")["arguments"]["sent"]["DHCPDISCOVER"] >= 1
    assert c.end() == 0


@test(timeout=40)
def test_client_default_script(t):
    """The script that ships, on a plain file: written, and the content before restored when the lease goes."""
    t.wire()
    t.server(**{"option-data": [{"name": "routers", "data": "10.77.0.1"},
                                {"name": "domain-name-servers", "data": "10.77.0.1, 10.77.0.2"},
                                {"name": "domain-name", "data": "example.org lab.example.org"}]})
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "packaging", "usher-client-script")
    conf = t.lab.path("resolv.conf")
    before = "nameserver 192.0.2.53\noptions edns0\n"
    with open(conf, "w", encoding="utf-8") as f:
        f.write(before)
    c = UsherClient(t, t.lab.ns("cli"))
    with open(os.path.join(c.dir, "hook"), "w", encoding="utf-8") as f:
        f.write('#!/bin/sh\nUSHER_RESOLV_CONF=%s USHER_RESOLV_DIR=%s exec %s "$@"\n' %
                (conf, t.lab.path("parts"), os.path.realpath(script)))
    c.start("-f", "--no-probe")
    c.wait_address()
    want = ("# Generated by usher-client-script from the leases of: cli0\nsearch example.org lab.example.org\n"
            "nameserver 10.77.0.1\nnameserver 10.77.0.2\n")

    def has(text):
        return os.path.exists(conf) and open(conf, encoding="utf-8").read() == text
    wait_for("the file", lambda: has(want), 5)
    assert c.end() == 0
    wait_for("the file as it was", lambda: has(before), 5)


@test(timeout=40)
def test_client_nobody_reads(t):
    """Standard output and errors are pipes that nobody empties: the client continues."""
    t.wire()
    t.server(**_ROUTER)
    c = UsherClient(t, t.lab.ns("cli"))
    r, w = os.pipe()
    c.proc = t.lab.popen(c.ns, c.args("-f", "--no-probe", "--json"), stdin=subprocess.DEVNULL, stdout=w, stderr=w)
    os.close(w)
    c.wait_address()
    for _ in range(300):
        assert c.command("renew")["result"] in (0, 4)
    c.wait_state("BOUND")
    assert c.end() == 0
    os.close(r)
