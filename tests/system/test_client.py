# SPDX-License-Identifier: MPL-2.0
"""usher-client against five servers, and as a process: what it leaves on the interface, when it goes to
the background, how it ends, what its control channel says, what an interface does to it."""

import json
import os
import re
import signal
import socket
import subprocess
import time

from lib.netns import wait_for
from lib.runner import test
from lib.server import slack
from lib.usher_client import UsherClient

# --- servers ---------------------------------------------------------------------------------------------

_TIMES = {"valid-lifetime": 12, "min-valid-lifetime": 12, "max-valid-lifetime": 12, "renew-timer": 2, "rebind-timer": 9}
_ROUTER = {"option-data": [{"name": "routers", "data": "10.77.0.1"}]}


def _file(t, name, text):
    path = t.lab.path(name)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    os.chmod(path, 0o666)
    return path


def _daemon(t, *args):
    with open(t.lab.path("peer.log"), "ab") as log:
        t.lab.popen(t.lab.ns("srv"), args, stdin=subprocess.DEVNULL, stdout=log, stderr=log)


def _usher(t):
    t.server(**_TIMES, **_ROUTER)


def _kea(t):
    t.server(binary="/usr/sbin/kea-dhcp4", **_TIMES, **_ROUTER)


def _dhcpd(t):
    conf = _file(t, "dhcpd.conf", "authoritative; ping-check false; default-lease-time 12; max-lease-time 12;\n"
                 "option dhcp-renewal-time 2; option dhcp-rebinding-time 9;\n"
                 "subnet 10.77.0.0 netmask 255.255.255.0 { range 10.77.0.10 10.77.0.50; option routers 10.77.0.1; }\n")
    _daemon(t, "dhcpd", "-4", "-f", "-cf", conf, "-lf", _file(t, "dhcpd.leases", ""), "--no-pid", "srv0")


def _dnsmasq(t):
    _daemon(t, "dnsmasq", "-k", "-C", "/dev/null", "-p", "0", "--no-ping", "-i", "srv0", "--dhcp-authoritative",
            "--user=root", "-l", t.lab.path("dnsmasq.leases"), "-x", t.lab.path("dnsmasq.pid"),
            "-F", "10.77.0.10,10.77.0.50,255.255.255.0,120", "-O", "option:T1,2", "-O", "option:T2,9")


def _udhcpd(t):
    conf = _file(t, "udhcpd.conf", "start 10.77.0.10\nend 10.77.0.50\ninterface srv0\nmin_lease 10\npidfile %s\n"
                 "lease_file %s\noption subnet 255.255.255.0\noption router 10.77.0.1\noption lease 12\n"
                 % (t.lab.path("udhcpd.pid"), _file(t, "udhcpd.leases", "")))
    _daemon(t, "busybox", "udhcpd", "-f", conf)


_SERVERS = {"usher": _usher, "kea": _kea, "dhcpd": _dhcpd, "dnsmasq": _dnsmasq, "udhcpd": _udhcpd}


def _has_router(ns):
    return "default via 10.77.0.1" in ns.ip("route")


@test(timeout=60, cases={s: s for s in _SERVERS})
def test_client_life(t, server):
    """Gets, renews by its timer, rebinds on demand, releases, gets again."""
    t.wire()
    _SERVERS[server](t)
    c = UsherClient(t, t.lab.ns("cli")).start("-f", "--no-probe")
    first = c.wait_address(15)
    assert re.match(r"10\.77\.0\.\d+/24$", first), first
    wait_for("the default route", lambda: _has_router(c.ns), 2)
    wait_for("the first renewal", lambda: c.command("statistics")["arguments"]["received"]["DHCPACK"] >= 2, slack(15))
    assert c.addresses() == [first]
    assert c.command("rebind")["result"] == 0
    c.wait_state("BOUND")
    assert c.command("release")["result"] == 0
    c.wait_state("RELEASED")
    wait_for("the address to go", lambda: not c.addresses(), 2)
    assert not _has_router(c.ns)
    assert c.command("renew")["result"] == 0
    c.wait_address(15)
    c.wait_state("BOUND")
    wait_for("scripts", lambda: [h[0] for h in c.hooks()].count("bound") == 2, 5)
    kinds = [h[0] for h in c.hooks()]
    assert kinds[0] == "deconfig" and "renew" in kinds, kinds
    assert c.end() == 0
    assert not c.addresses()
    wait_for("the socket to go", lambda: not os.path.exists(c.socket), 5)


def _relayed(t):
    """srv0 10.99.0.1 - .2 up0, down0 10.77.0.1 - cli0, and Debian's relay in the middle."""
    srv, rel, cli = (t.lab.ns(n) for n in ("srv", "rel", "cli"))
    t.lab.veth(srv, "srv0", rel, "up0")
    t.lab.veth(rel, "down0", cli, "cli0")
    srv.addr("srv0", "10.99.0.1/24")
    rel.addr("up0", "10.99.0.2/24")
    rel.addr("down0", "10.77.0.1/24")
    srv.ip("route", "add", "10.77.0.0/24", "via", "10.99.0.2")
    rel.run("sysctl", "-qw", "net.ipv4.ip_forward=1")
    with open(t.lab.path("relay.log"), "wb") as log:
        t.lab.popen(rel, ["dhcrelay", "-4", "-d", "--no-pid", "-iu", "up0", "-id", "down0", "-a", "10.99.0.1"],
                    stdout=log, stderr=log)
    wait_for("the relay", lambda: os.path.getsize(t.lab.path("relay.log")) > 0, 5)


@test(timeout=60, cases={"auto": "auto", "always": "always", "never": "never"})
def test_client_through_relay(t, broadcast):
    """Through a relay, with each meaning of the broadcast flag; the renewal is unicast over the route."""
    _relayed(t)
    s = t.server(**_TIMES, **_ROUTER)
    c = UsherClient(t, t.lab.ns("cli")).start("-f", "--no-probe", "--broadcast", broadcast)
    addr = c.wait_address(15).split("/")[0]
    before = int(s.leases()[addr]["expire"])
    wait_for("the renewal on disk", lambda: int(s.leases()[addr]["expire"]) > before, slack(10))
    assert c.command("release")["result"] == 0
    wait_for("the release on disk", lambda: int(s.leases()[addr]["valid_lifetime"]) == 0 or
             not s.active(addr, bytes.fromhex(c.ns.mac("cli0").replace(":", ""))), slack(5))
    assert c.end() == 0


# --- flags -----------------------------------------------------------------------------------------------


def _run(c, *args, timeout=20):
    """Runs it to its end: exit code and seconds."""
    began = time.monotonic()
    c.start(*args)
    return c.proc.wait(slack(timeout)), time.monotonic() - began


@test(timeout=40)
def test_client_quit(t):
    """-q: ends with 0 once the address and routes are there, and leaves them."""
    t.wire()
    t.server(**_ROUTER)
    c = UsherClient(t, t.lab.ns("cli"))
    code, _ = _run(c, "-q")
    assert code == 0, c.output()
    assert c.address() and _has_router(c.ns), c.ns.ip("route")


@test(timeout=40)
def test_client_background(t):
    """Without -f: the process that was started ends when address and routes are there; a daemon stays."""
    t.wire()
    t.server(**_ROUTER)
    c = UsherClient(t, t.lab.ns("cli"))
    code, _ = _run(c, "-p", c.pid_file)
    assert code == 0 and c.address() and _has_router(c.ns), c.output()
    pid = c.daemon_pid()
    assert os.path.exists("/proc/%d" % pid) and c.state()["state"] == "BOUND"
    os.kill(pid, signal.SIGTERM)
    wait_for("the end", lambda: not c.addresses() and not os.path.exists(c.pid_file), 5)


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


@test(timeout=40)
def test_client_now(t):
    """-n: no server, so it fails after the time of --timeout, and says so."""
    t.wire()
    c = UsherClient(t, t.lab.ns("cli"))
    code, took = _run(c, "-n", "--timeout", "1")
    assert code == 1 and 0.9 < took < 5, (code, took)
    wait_for("leasefail", lambda: "leasefail" in [h[0] for h in c.hooks()], 5)
    code, _ = _run(c, "-n", "-f", "--timeout", "1")
    assert code == 1


@test(timeout=40)
def test_client_b(t):
    """-b: no server, so it goes to the background after that time, and gets its lease later."""
    t.wire()
    c = UsherClient(t, t.lab.ns("cli"))
    code, took = _run(c, "-b", "--timeout", "1", "-p", c.pid_file)
    assert code == 0 and 0.9 < took < 5, (code, took)
    assert not c.addresses() and c.state()["state"] == "SELECTING"
    t.server(**_ROUTER)
    c.wait_address(20)
    os.kill(c.daemon_pid(), signal.SIGTERM)
    wait_for("the end", lambda: not c.addresses(), 5)


@test(timeout=40)
def test_client_request(t):
    """-r, and default_ip of a manifest."""
    t.wire()
    t.server(**_ROUTER)
    c = UsherClient(t, t.lab.ns("cli"))
    code, _ = _run(c, "-q", "--no-probe", "-r", "10.77.0.99")
    assert code == 0 and c.address() == "10.77.0.99/24"
    d = UsherClient(t, t.lab.ns("cli"), "second")
    manifest = _file(t, "manifest.json", '{"default_ip": "10.77.0.123"}')
    code, _ = _run(d, "-q", "--no-probe", "-c", "other", "--manifest", manifest)
    assert code == 0 and "10.77.0.123/24" in d.addresses(), d.output()


@test(timeout=40)
def test_client_usage(t):
    """What is refused, and with which exit code."""
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
    wait_for("the first one", lambda: os.path.exists(c.socket), 5)
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
    """Removed by somebody else: put back once; the second time it stays away."""
    t.wire()
    t.server(**_ROUTER)
    c = UsherClient(t, t.lab.ns("cli")).start("-f", "--no-probe")
    addr = c.wait_address()
    c.ns.ip("addr", "del", addr, "dev", "cli0")
    wait_for("it to be back", lambda: c.address() == addr, 5)
    wait_for("the default route", lambda: _has_router(c.ns), 5)
    c.ns.ip("addr", "del", addr, "dev", "cli0")
    time.sleep(0.5)
    assert not c.addresses()
    assert "address-removed" in [e["what"] for e in c.command("errors")["arguments"]["errors"]]
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
    """Answers, refusals, a subscription; who does not read is dropped and holds nobody up."""
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
    c = UsherClient(t, t.lab.ns("cli")).start("-f", "--no-probe")
    addr = c.wait_address()
    wait_for("the lease file", lambda: os.path.exists(os.path.join(c.dir, "client-cli0.lease")), 5)
    assert c.end() == 0
    c.start("-f", "--no-probe")
    assert c.wait_address() == addr
    s = c.command("statistics")["arguments"]
    assert "DHCPDISCOVER" not in s["sent"] and s["states-entered"].get("REBOOTING") == 1, s
    assert c.end() == 0
    with open(os.path.join(c.dir, "client-cli0.lease"), "r+b") as f:
        f.seek(60)
        f.write(b"\xff\xff")
    c.start("-f", "--no-probe")
    c.wait_address()
    assert c.command("statistics")["arguments"]["sent"]["DHCPDISCOVER"] >= 1
    assert c.end() == 0


@test(timeout=40)
def test_client_default_script(t):
    """The script that ships, on a plain file: written, and emptied when the lease goes."""
    t.wire()
    t.server(**{"option-data": [{"name": "routers", "data": "10.77.0.1"},
                                {"name": "domain-name-servers", "data": "10.77.0.1, 10.77.0.2"},
                                {"name": "domain-name", "data": "example.org"}]})
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "packaging", "usher-client-script")
    conf = t.lab.path("resolv.conf")
    c = UsherClient(t, t.lab.ns("cli"))
    with open(os.path.join(c.dir, "hook"), "w", encoding="utf-8") as f:
        f.write('#!/bin/sh\nUSHER_RESOLV_CONF=%s exec %s "$@"\n' % (conf, os.path.realpath(script)))
    c.start("-f", "--no-probe")
    c.wait_address()
    want = "# usher-client cli0\nsearch example.org\nnameserver 10.77.0.1\nnameserver 10.77.0.2\n"

    def has(text):
        return os.path.exists(conf) and open(conf, encoding="utf-8").read() == text
    wait_for("the file", lambda: has(want), 5)
    assert c.end() == 0
    wait_for("the file to be emptied", lambda: has(""), 5)


@test(timeout=40)
def test_client_nobody_reads(t):
    """Standard output and errors are pipes that nobody empties: the client goes on."""
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
