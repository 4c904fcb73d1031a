# SPDX-License-Identifier: MPL-2.0
"""The configuration that usher-client believes in against the kernel's: changed masks and routers at every kind of
ACK, foreign hands on addresses and routes, links that go down, runs that were killed, other interfaces of the host."""

import json
import os
import signal
import subprocess
import time

from lib.client_stage import Stage
from lib.dhcp import DISCOVER, RELEASE, REQUEST
from lib.hostile_dhcp import ADDRESS, ips, u32
from lib.netns import wait_for
from lib.runner import test
from lib.server import slack
from lib.usher_client import UsherClient

_SERVE = ("--no-probe",)
_GATE = {3: ips("10.77.0.1")}


def _mask(bits):
    return u32(0xffffffff << (32 - bits) & 0xffffffff)


def _bound(s, options=None, *args):
    """A running client with its first lease."""
    s.offer(s.start(*_SERVE, *args))
    s.ack(s.requested(), {**_GATE, **(options or {})})
    return s.bound()


def _routes(s):
    """The routes of cli0 in table main, as words."""
    return json.loads(s.cli.ip("-j", "route", "show", "dev", "cli0") or "[]")


def _defaults(s):
    return [r.get("gateway") for r in _routes(s) if r["dst"] == "default"]


def _wait_routes(s, what, match):
    wait_for(what, lambda: match(_routes(s)), slack(5))


# --- changed masks ----------------------------------------------------------------------------------------


def _renew(s):
    assert s.c.command("renew")["result"] == 0
    return s.server.wait(REQUEST)


def _rebind(s):
    assert s.c.command("rebind")["result"] == 0
    return s.server.wait(REQUEST)


def _flap(s):
    s.srv.ip("link", "set", "srv0", "down")
    s.c.wait_state("INIT-REBOOT")
    s.srv.ip("link", "set", "srv0", "up")
    return s.server.wait(REQUEST)


def _down_up(s):
    s.cli.ip("link", "set", "cli0", "down")
    s.c.wait_state("INIT-REBOOT")
    s.cli.ip("link", "set", "cli0", "up")
    return s.server.wait(REQUEST)


def _new_mac(s):
    s.cli.ip("link", "set", "cli0", "address", "02:00:00:00:00:%02x" % (0x50 + s.n))
    s.n += 1
    return s.server.wait(REQUEST)


@test(timeout=60, cases={"renew": (_renew,), "rebind": (_rebind,), "flap": (_flap,), "down": (_down_up,),
                         "mac": (_new_mac,), "mixed": (_renew, _flap, _rebind, _down_up)})
def test_client_mask_changes(t, ways):
    """Another mask for the same address, several times and back: exactly one address with it, the routes stay."""
    s = Stage(t, start=False)
    _bound(s)
    for n, bits in enumerate((23, 16, 24, 25, 24, 23)):
        s.ack(ways[n % len(ways)](s), {**_GATE, 1: _mask(bits)})
        s.bound(prefix=bits)
        _wait_routes(s, "the default route", lambda r: [x["gateway"] for x in r if x["dst"] == "default"] == ["10.77.0.1"])
        time.sleep(0.15)  # longer than the client waits before it acts on a difference
        assert s.c.addresses() == ["%s/%d" % (s.good, bits)] and s.c.state()["state"] == "BOUND"
    assert not any("address-" in e for e in s.c.errors()), s.c.errors()
    s.end()


@test(timeout=40)
def test_client_router_and_mtu_change(t):
    """Router and MTU change and go away: the kernel has the last lease's and no others, the prefix route included."""
    s = Stage(t, start=False)
    _bound(s, {26: b"\x05\x78"})

    def mtus():
        return sorted((r["dst"], (r.get("metrics") or [{}])[0].get("mtu")) for r in _routes(s))
    assert mtus() == [("10.77.0.0/24", 1400), ("default", 1400)], mtus()
    s.ack(_renew(s), {3: ips("10.77.0.2"), 26: b"\x05\x00"})
    s.bound()
    _wait_routes(s, "the new router", lambda r: _defaults(s) == ["10.77.0.2"])
    wait_for("the new MTU", lambda: mtus() == [("10.77.0.0/24", 1280), ("default", 1280)], slack(5))
    s.ack(_renew(s), {3: ips("10.77.0.3")})
    s.bound()
    wait_for("no MTU", lambda: mtus() == [("10.77.0.0/24", None), ("default", None)], slack(5))
    assert _defaults(s) == ["10.77.0.3"]
    s.ack(_renew(s), no=(3,))
    s.bound()
    wait_for("no router", lambda: mtus() == [("10.77.0.0/24", None)], slack(5))
    s.end()


@test(timeout=40)
def test_client_many_routes(t):
    """Forty routes and a default route behind them: all are used."""
    s = Stage(t, start=False)
    routes = b"".join(b"\x18\x0a\x00" + bytes([i]) + ips("10.77.0.1") for i in range(40)) + b"\0" + ips("10.77.0.1")
    _bound(s, {121: routes})
    _wait_routes(s, "the routes", lambda r: len(r) == 42)
    assert _defaults(s) == ["10.77.0.1"] and not any("routes" in e for e in s.c.errors())
    s.end()


# --- other hands ------------------------------------------------------------------------------------------


@test(timeout=60)
def test_client_flush_after_flaps(t):
    """Long and short flaps, a changed mask, then foreign hands on the address and on routes: put right each time."""
    s = Stage(t, start=False)
    _bound(s)
    s.srv.ip("link", "set", "srv0", "down")
    wait_for("the address to go", lambda: not s.c.addresses(), slack(8))
    s.srv.ip("link", "set", "srv0", "up")
    s.ack(s.server.wait(REQUEST), _GATE)
    s.bound()
    s.cli.ip("addr", "flush", "dev", "cli0")
    wait_for("the address", lambda: s.c.addresses() == [s.good + "/24"] and _defaults(s) == ["10.77.0.1"], slack(5))
    s.ack(_flap(s), {**_GATE, 1: _mask(23)})
    s.bound(prefix=23)
    s.cli.ip("addr", "del", s.good + "/23", "dev", "cli0")
    wait_for("the address", lambda: s.c.addresses() == [s.good + "/23"] and _defaults(s) == ["10.77.0.1"], slack(5))
    for hand in (("route", "del", "default"), ("route", "flush", "dev", "cli0", "proto", "dhcp"),
                 ("route", "del", "10.77.0.0/23", "dev", "cli0")):
        s.cli.ip(*hand)
        wait_for("routes after " + " ".join(hand), lambda: _defaults(s) == ["10.77.0.1"] and
                 any(r["dst"] == "10.77.0.0/23" for r in _routes(s)), slack(5))
    assert s.c.stats()["routes-repaired"] == 3 and s.c.state()["state"] == "BOUND"
    s.end()


@test(timeout=40)
def test_client_down_up_silent(t):
    """Set down and up by hand, and the server is silent: the kernel dropped the routes, the client has them again."""
    s = Stage(t, start=False)
    _bound(s, {51: u32(30)})
    s.cli.ip("link", "set", "cli0", "down")
    s.c.wait_state("INIT-REBOOT")
    assert not _routes(s)
    s.cli.ip("link", "set", "cli0", "up")
    wait_for("the routes", lambda: _defaults(s) == ["10.77.0.1"], slack(5))
    assert s.c.addresses() == [s.good + "/24"]
    assert s.c.end() == 0


@test(timeout=40)
def test_client_own_interfaces(t):
    """Two interfaces of one host on one bridge: ARP of either names the address of the other. No conflict."""
    srv, cli, sw = t.lab.ns("srv"), t.lab.ns("cli"), t.lab.ns("sw")
    for ns, ifname, port in ((srv, "srv0", "p0"), (cli, "cli0", "p1"), (cli, "cli1", "p2")):
        t.lab.veth(ns, ifname, sw, port)
    t.lab.bridge(sw, "br0", "p0", "p1", "p2")
    srv.addr("srv0", "10.77.0.1/24")
    t.server()
    cs = [UsherClient(t, cli, "c%d" % i, hook=False, ifname="cli%d" % i).start("-f", "--probe", "fast") for i in range(2)]
    for c in cs:
        c.wait_address()
    time.sleep(0.3)
    # either address as source leaves by the first interface: its ARP requests name the address of the second
    for c in cs:
        cli.ip("neigh", "flush", "all")
        cli.run("ping", "-c", "1", "-I", c.address().split("/")[0], "10.77.0.1", check=False)
    wait_for("ARP of the other interface", lambda: sum(c.stats()["own-arp-ignored"] for c in cs) > 0, slack(5))
    for c in cs:
        st = c.stats()
        assert c.state()["state"] == "BOUND" and "DHCPDECLINE" not in st["sent"], (st, c.output())
        assert not any("conflict" in e or "defended" in e for e in c.errors()), c.errors()
    assert all(c.end() == 0 for c in cs)


# --- runs before ------------------------------------------------------------------------------------------


@test(timeout=60, cases={"both": "both", "network": "network", "privileged": "privileged"})
def test_client_killed_then_other_configuration(t, which):
    """kill -9 of a half or both; the server gives another router, mask and address then: nothing old stays."""
    s = Stage(t, start=False)
    _bound(s)
    helper, main = s.c.helper_pid(), s.c.proc.pid
    for pid in {"both": (main, helper), "network": (main,), "privileged": (helper,)}[which]:
        os.kill(pid, signal.SIGKILL)
    s.c.proc.wait(slack(5))
    assert s.c.addresses() == [ADDRESS + "/24"] and _defaults(s) == ["10.77.0.1"]
    s.c.start("-f", *_SERVE)
    s.ack(s.server.wait(REQUEST), {1: _mask(23), 3: ips("10.77.0.2")})
    s.bound(prefix=23)
    wait_for("one default route", lambda: _defaults(s) == ["10.77.0.2"], slack(5))
    for pid in (s.c.helper_pid(), s.c.proc.pid):
        os.kill(pid, signal.SIGKILL)
    s.c.proc.wait(slack(5))
    # another address, and no lease file that would say so
    os.unlink(os.path.join(s.c.dir, "client-cli0.lease"))
    s.good = "10.77.0.99"
    s.c.start("-f", *_SERVE)
    s.offer(s.server.wait(DISCOVER))
    s.ack(s.requested(), {3: ips("10.77.0.3")})
    s.bound()
    wait_for("one default route", lambda: _defaults(s) == ["10.77.0.3"], slack(5))
    s.end()
    assert not s.c.addresses() and not _routes(s)


@test(timeout=40)
def test_client_quit_twice(t):
    """-q twice, and the router changes between: the second run's router is the only one."""
    s = Stage(t, start=False)
    for router in ("10.77.0.1", "10.77.0.2"):
        s.c.start("-q", *_SERVE)
        if router == "10.77.0.1":
            s.offer(s.server.wait(DISCOVER))
        s.ack(s.server.wait(REQUEST), {3: ips(router)})
        assert s.c.proc.wait(slack(5)) == 0
        assert _defaults(s) == [router] and s.c.addresses() == [ADDRESS + "/24"]
    s.server.close()


# --- the caller -------------------------------------------------------------------------------------------


@test(timeout=40)
def test_client_gives_output_back(t):
    """$(usher-client -i cli0 …) ends when the address is there: no half keeps standard output or error."""
    s = Stage(t, start=False)
    c = s.c
    with s.cli:
        p = subprocess.Popen(["sh", "-c", "out=$(\"$0\" \"$@\" 2>&1); echo got:$?", *c.args(*_SERVE, "-p", c.pid_file)],
                             stdout=subprocess.PIPE)
    s.offer(s.server.wait(DISCOVER))
    s.ack(s.requested())
    out, _ = p.communicate(timeout=slack(10))
    assert out.strip() == b"got:0"
    pid = c.daemon_pid()
    for half in (pid, int(open("/proc/%d/task/%d/children" % (pid, pid), encoding="utf-8").read())):
        assert {os.readlink("/proc/%d/fd/%d" % (half, fd)) for fd in range(3)} == {"/dev/null"}
    os.kill(pid, signal.SIGTERM)
    wait_for("the end", lambda: not os.path.exists(c.pid_file), slack(5))
    s.server.close()


@test(timeout=40)
def test_client_without_capabilities(t):
    """A lease that cannot be configured is no success: exit code 4 at once, and the missing privilege is named."""
    s = Stage(t, start=False)
    for cap, flags in (("net_admin", ("-q", "-n")), ("net_admin", ("-f",)), ("net_raw", ("-f",)), ("net_raw", ("-q",))):
        s.c.start(*flags, *_SERVE, wrap=("setpriv", "--bounding-set", "-" + cap, "--inh-caps", "-" + cap))
        assert s.c.proc.wait(slack(5)) == 4
        assert "CAP_" + cap.upper() in s.c.output() and not s.c.addresses()
    # a user namespace has every capability, but not over this network namespace
    for flags in (("-q", "-n"), ("-f",)):
        s.c.start(*flags, *_SERVE, wrap=("unshare", "-U", "-r"))
        assert s.c.proc.wait(slack(5)) == 4 and "are needed" in s.c.output()
    s.server.close()


@test(timeout=40)
def test_client_q_b(t):
    """-q -b without a server: to the background after the time, then the lease ends it."""
    s = Stage(t, start=False)
    began = time.monotonic()
    s.c.start("-q", "-b", "--timeout", "1", "-p", s.c.pid_file, *_SERVE)
    assert s.c.proc.wait(slack(5)) == 0 and 0.9 < time.monotonic() - began < slack(4)
    pid = s.c.daemon_pid()
    assert os.path.exists("/proc/%d" % pid) and not s.c.addresses()
    s.server.drain()
    s.offer(s.server.wait(DISCOVER, timeout=slack(10)))
    s.ack(s.requested())
    wait_for("the end", lambda: not os.path.exists("/proc/%d" % pid), slack(5))
    assert s.c.addresses() == [ADDRESS + "/24"]
    s.server.close()


@test(timeout=60)
def test_client_host_firewall(t):
    """A host that lets in only answers of connections it began: leases are extended by broadcast all the same."""
    s = Stage(t, start=False)
    rules = (("-P", "INPUT", "DROP"), ("-A", "INPUT", "-m", "conntrack", "--ctstate", "ESTABLISHED", "-j", "ACCEPT"))
    for r in rules:
        s.cli.run("iptables", *r)
    _bound(s, {51: u32(20), 58: u32(1), 59: u32(2)})
    for _ in range(3):
        q = s.server.wait(REQUEST, timeout=slack(10))
        while not q.broadcast:
            q = s.server.wait(REQUEST, timeout=slack(10))
        s.ack(q, {**_GATE, 51: u32(20), 58: u32(1), 59: u32(2)}, eth_dst=b"\xff" * 6, dst="255.255.255.255")
        s.bound()
    s.end()


@test(timeout=40)
def test_client_shutdown_releases(t):
    """SIGTERM and `transition OFF` give the lease back, also right after the ACK, when ARP knows no server yet;
    --keep-lease does not, and the next run confirms the lease."""
    s = Stage(t, start=False)
    for n, way in enumerate(("term", "transition", "keep")):
        flags = ("--keep-lease",) if way == "keep" else ()
        s.server.drain()
        _bound(s, None, *flags)
        s.cli.ip("neigh", "flush", "dev", "cli0")
        if way == "transition":
            assert s.c.command("transition", to="OFF")["result"] == 0
            assert s.c.proc.wait(slack(5)) == 0
        else:
            assert s.c.end() == 0
        q = s.server.poll(0.5)
        while q and q.type != RELEASE:
            q = s.server.poll(0.5)
        assert bool(q) == (way != "keep"), way
        if q:
            assert q.msg.ciaddr == s.good and q.ip(54) == "10.77.0.1" and not q.broadcast
        assert os.path.exists(os.path.join(s.c.dir, "client-cli0.lease")) == (way == "keep")
        assert not s.c.addresses()
    s.c.start("-f", *_SERVE)
    q = s.server.wait(REQUEST)
    assert q.ip(50) == s.good
    s.ack(q)
    s.bound()
    s.end()


@test(timeout=40)
def test_client_files_of_others(t):
    """A pid file that is a link, or holds something else, is left alone; the client runs. A missing script is said."""
    s = Stage(t, start=False)
    precious = t.lab.path("precious")
    with open(precious, "w", encoding="utf-8") as f:
        f.write("keep me\n")
    os.symlink(precious, t.lab.path("link"))
    for path in (t.lab.path("link"), precious, "/no/such/dir/pid"):
        s.server.drain()
        s.offer(s.start("-p", path, "--script", "/no/such/script", *_SERVE))
        s.ack(s.requested())
        s.bound()
        assert path in s.c.output() and "the script does not exist" in s.c.output()
        assert s.c.end() == 0
        with open(precious, encoding="utf-8") as f:
            assert f.read() == "keep me\n"
    assert os.path.islink(t.lab.path("link"))
    s.server.close()


@test(timeout=40)
def test_client_says_at_once(t):
    """--dry-run on an interface that is down, an address that was not granted, the version."""
    s = Stage(t, start=False)
    s.cli.ip("link", "set", "cli0", "down")
    began = time.monotonic()
    s.c.start("--dry-run")
    assert s.c.proc.wait(slack(5)) == 4 and time.monotonic() - began < slack(2)
    assert "the interface is down" in s.c.output()
    s.offer(s.start("-r", "10.77.0.200", *_SERVE))
    s.ack(s.requested())
    s.bound()
    s.c.wait_error("not-granted")
    assert "lost its link" not in s.c.output()
    s.end()
    out = subprocess.run([s.c.binary, "--version"], capture_output=True, text=True, check=True).stdout
    assert out.startswith("usher-client ")
