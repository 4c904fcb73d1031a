# SPDX-License-Identifier: MPL-2.0
"""Real clients: busybox udhcpc, ISC dhclient and dhcpcd each get, renew, release and get again a
lease, on the cable and through Debian's dhcrelay. They run with hooks of our own, so that nothing
outside of their namespace is touched."""

import os
import re
import signal
import subprocess
import sys
import time

from lib import dhcp
from lib.netns import end_process, wait_for
from lib.runner import test
from lib.server import slack

_UDHCPC_HOOK = """#!/bin/sh
case "$1" in
bound|renew) ip -4 addr flush dev $interface; ip addr add $ip/$mask dev $interface
	ip route replace default via $router ;;
deconfig) ip -4 addr flush dev $interface; ip link set $interface up ;;
esac
echo "$1 $ip ${router:-none}" >>%s
"""
_DHCLIENT_HOOK = """#!/bin/sh
case "$reason" in
PREINIT) ip -4 addr flush dev $interface; ip link set $interface up ;;
BOUND|REBOOT|RENEW|REBIND) ip -4 addr flush dev $interface
	ip addr add $new_ip_address/$new_subnet_mask dev $interface
	ip route replace default via $new_routers ;;
RELEASE|STOP|EXPIRE) ip -4 addr flush dev $interface ;;
esac
case "$reason" in
BOUND|REBOOT) w=bound ;; RENEW|REBIND) w=renew ;; *) w=$reason ;;
esac
echo "$w $new_ip_address ${new_routers:-none}" >>%s
"""
_DHCPCD_HOOK = """#!/bin/sh
case "$reason" in
BOUND|REBOOT) w=bound ;; RENEW|REBIND) w=renew ;; *) w=$reason ;;
esac
echo "$w $new_ip_address ${new_routers:-none}" >>%s
"""


class Peer:
    """One client program on cli0. events: the lines its hook wrote."""

    hook = ""

    def __init__(self, t, ns):
        self.t, self.ns = t, ns
        self.dir = t.lab.path("client")
        os.makedirs(self.dir)
        os.chmod(self.dir, 0o777)
        self.events_path = os.path.join(self.dir, "events")
        self.hook_path = os.path.join(self.dir, "hook")
        with open(self.hook_path, "w", encoding="utf-8") as f:
            f.write(self.hook % self.events_path)
        os.chmod(self.hook_path, 0o755)
        self.log = open(os.path.join(self.dir, "log"), "wb")
        self.proc = None

    def spawn(self, *args):
        self.proc = self.t.lab.popen(self.ns, args, stdout=self.log, stderr=self.log, stdin=subprocess.DEVNULL,
                                     env=dict(os.environ, PATH="/usr/sbin:/usr/bin:/sbin:/bin"))

    def events(self):
        try:
            with open(self.events_path, encoding="utf-8") as f:
                return [line.split() for line in f]
        except FileNotFoundError:
            return []

    def output(self):
        with open(os.path.join(self.dir, "log"), encoding="utf-8", errors="replace") as f:
            return f.read()

    def wait_event(self, kind, count):
        """The count-th event of a kind: its address and router."""
        def seen():
            e = [x for x in self.events() if x[0] == kind]
            return e[count - 1][1:] if len(e) >= count else None
        try:
            return wait_for("event %s of %s" % (kind, type(self).__name__), seen, slack(20))
        except AssertionError as e:
            raise AssertionError("%s; it said: %s" % (e, self.output()[-1500:])) from None


class Udhcpc(Peer):
    hook = _UDHCPC_HOOK

    def get(self):
        self.spawn("busybox", "udhcpc", "-f", "-i", "cli0", "-s", self.hook_path, "-T", "1", "-t", "10", "-O", "router")

    def renew(self):
        self.proc.send_signal(signal.SIGUSR1)

    def release(self):
        self.proc.send_signal(signal.SIGUSR2)

    def again(self):
        end_process(self.proc, 5)
        self.get()


class Dhclient(Peer):
    hook = _DHCLIENT_HOOK

    def _args(self):
        conf = os.path.join(self.dir, "conf")
        with open(conf, "w", encoding="utf-8") as f:
            f.write("initial-interval 1; backoff-cutoff 2; timeout 20; retry 1;\n"
                    "request subnet-mask, routers, dhcp-lease-time, dhcp-renewal-time;\n")
        return ["-4", "-cf", conf, "-sf", self.hook_path, "-lf", os.path.join(self.dir, "leases"),
                "-pf", os.path.join(self.dir, "pid"), "--no-pid"]

    def get(self):
        self.spawn("dhclient", "-d", *self._args(), "cli0")

    def renew(self):
        # dhclient renews by its timer; the server's T1 is short
        pass

    def release(self):
        end_process(self.proc, 5)
        self.spawn("dhclient", "-d", "-r", *self._args(), "cli0")
        self.proc.wait(slack(10))

    def again(self):
        self.get()


class Dhcpcd(Peer):
    hook = _DHCPCD_HOOK

    def _spawn(self, *args):
        conf = os.path.join(self.dir, "conf")
        with open(conf, "w", encoding="utf-8") as f:
            f.write("noarp\nnoipv6\nipv4only\noption routers\nduid\nclientid\n")
        # its files lie at fixed places: private ones
        script = ("mount -t tmpfs none /run && mount --bind %s /var/lib/dhcpcd && exec dhcpcd \"$@\"" %
                  os.path.join(self.dir, "db"))
        os.makedirs(os.path.join(self.dir, "db"), exist_ok=True)
        self.spawn("unshare", "-m", "--propagation", "private", "sh", "-c", script, "sh", "-f", conf,
                   "-c", self.hook_path, *args)

    def get(self):
        self._spawn("-B", "-4", "-t", "20", "cli0")

    def renew(self):
        # as above: by its timer
        pass

    def release(self):
        # SIGALRM: release the leases and exit. dhcpcd can miss it while it renews: again, as long as it runs
        def ended():
            if self.proc.poll() is None:
                self.proc.send_signal(signal.SIGALRM)
                time.sleep(0.5)
            return self.proc.poll() is not None
        wait_for("dhcpcd to end", ended, slack(10))

    def again(self):
        self.get()


PEERS = {"udhcpc": Udhcpc, "dhclient": Dhclient, "dhcpcd": Dhcpcd}


def _holder(s, addr, mac):
    return s.active(addr, dhcp.mac_bytes(mac))


def _life(t, s, ns, peer):
    p = PEERS[peer](t, ns)
    mac = ns.mac("cli0")
    p.get()
    addr, router = p.wait_event("bound", 1)
    assert re.match(r"10\.77\.0\.\d+$", addr) and router == "10.77.0.1", "bound to %s via %s" % (addr, router)
    assert _holder(s, addr, mac), "%s is not in the lease file as %s's" % (addr, mac)
    before = int(s.leases()[addr]["expire"])
    p.renew()
    assert p.wait_event("renew", 1)[0] == addr, "renewed to another address"
    wait_for("the renewal's row", lambda: int(s.leases()[addr]["expire"]) >= before, slack(2))
    p.release()
    wait_for("the release on disk", lambda: not _holder(s, addr, mac), slack(5))
    n = len([e for e in p.events() if e[0] == "bound"])
    p.again()
    second = p.wait_event("bound", n + 1)[0]
    assert _holder(s, second, mac), "%s is not in the lease file" % second
    end_process(p.proc, 5)


# T1 is short, so that clients that renew by timer alone do it while the test looks on
_TIMES = {"valid-lifetime": 12, "min-valid-lifetime": 12, "max-valid-lifetime": 12, "renew-timer": 2, "rebind-timer": 9}
_ROUTER = {"option-data": [{"name": "routers", "data": "10.77.0.1"}]}


@test(timeout=90, cases={p: p for p in PEERS}, tags=("asan",))
def test_client_direct(t, peer):
    t.wire()
    s = t.server(**_TIMES, **_ROUTER)
    _life(t, s, t.lab.ns("cli"), peer)


def _relay_net(t):
    """Three namespaces in a row: srv0 10.99.0.1 - .2 up0, down0 10.77.0.1 - cli0; the middle one routes."""
    srv, rel, cli = (t.lab.ns(n) for n in ("srv", "rel", "cli"))
    t.lab.veth(srv, "srv0", rel, "up0")
    t.lab.veth(rel, "down0", cli, "cli0")
    srv.addr("srv0", "10.99.0.1/24")
    rel.addr("up0", "10.99.0.2/24")
    rel.addr("down0", "10.77.0.1/24")
    srv.ip("route", "add", "10.77.0.0/24", "via", "10.99.0.2")
    rel.run("sysctl", "-qw", "net.ipv4.ip_forward=1")
    cli.ip("link", "set", "cli0", "up")
    return rel, cli


def _relay(t, rel, *args):
    log = open(t.lab.path("relay.log"), "wb")
    t.lab.popen(rel, args, stdout=log, stderr=log)
    wait_for("the relay", lambda: os.path.getsize(log.name) > 0, 5)


@test(timeout=90, cases={p: p for p in PEERS})
def test_client_relayed(t, peer):
    """Through Debian's dhcrelay. A renewal is unicast: it goes by the default route through the relay's host."""
    rel, cli = _relay_net(t)
    _relay(t, rel, "dhcrelay", "-4", "-d", "--no-pid", "-iu", "up0", "-id", "down0", "-a", "10.99.0.1")
    s = t.server(**_TIMES, **_ROUTER)
    _life(t, s, cli, peer)


@test(timeout=90, tags=("asan",))
def test_client_relayed_with_option_82(t):
    """Through the tests' own relay, which adds option 82 and says so if it doesn't come back."""
    rel, cli = _relay_net(t)
    relay = os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib", "relay.py")
    _relay(t, rel, sys.executable, "-B", relay, "down0", "10.77.0.1", "10.99.0.1", "port-7")
    s = t.server(**_TIMES, **_ROUTER)
    _life(t, s, cli, "udhcpc")
    with open(t.lab.path("relay.log"), encoding="utf-8") as f:
        said = f.read()
    assert said == "ready\n", "the relay says: " + said
