# SPDX-License-Identifier: MPL-2.0
"""Puts usher-client into each of its states and keeps it there, and measures its activity meanwhile: a client
that waits should sleep. The server is one of our own that sends the answers that a test sets."""

import dataclasses
import os
import re
import struct
import time

from lib import dhcp
from lib.netns import wait_for
from lib.server import slack
from lib.usher_client import UsherClient
from lib.wire import Capture

SERVER, OFFERED = "10.77.0.1", "10.77.0.50"
_V6ONLY = 108


class ScriptedServer(Capture):
    """Answers DISCOVER, REQUEST, INFORM as far as `answers` has them. nak: refuses every REQUEST."""

    def __init__(self, ns, ifname, lease=3600, t1=1800, t2=3150):
        self.mac = dhcp.mac_bytes(ns.mac(ifname))
        self.answers = {dhcp.DISCOVER, dhcp.REQUEST, dhcp.INFORM}
        self.nak, self.v6only = False, False
        self.times = (lease, t1, t2)
        super().__init__(ns, ifname)

    def _note(self, data):
        n = len(self.seen)
        super()._note(data)
        if len(self.seen) > n and self.seen[-1].by_client and self.seen[-1].type in self.answers:
            self._answer(self.seen[-1].msg)

    def _answer(self, q):
        kind = {dhcp.DISCOVER: dhcp.OFFER, dhcp.REQUEST: dhcp.NAK if self.nak else dhcp.ACK, dhcp.INFORM: dhcp.ACK}[q.type]
        options = [(dhcp.SERVER_ID, dhcp.ip4(SERVER))]
        if kind != dhcp.NAK:
            options += [(dhcp.MASK, dhcp.ip4("255.255.255.0")), (dhcp.ROUTER, dhcp.ip4(SERVER))]
        if kind != dhcp.NAK and q.type != dhcp.INFORM:
            options += zip((dhcp.LEASE, dhcp.T1, dhcp.T2), (struct.pack("!I", s) for s in self.times))
        if self.v6only:
            options.append((_V6ONLY, struct.pack("!I", 3600)))
        granted = "0.0.0.0" if kind == dhcp.NAK or q.type == dhcp.INFORM else OFFERED
        m = dhcp.Message(kind, q.chaddr, q.xid, options, op=2, yiaddr=granted, ciaddr=q.ciaddr if kind != dhcp.NAK else "0.0.0.0",
                         flags=q.flags)
        self.sock.send(dhcp.frame(m.encode(), eth_src=self.mac, src=SERVER, sport=67, dport=68))


@dataclasses.dataclass
class Scene:
    """One client in one state. client: the processes are those of its namespace."""
    t: object
    server: ScriptedServer
    client: UsherClient

    def start(self, *args, probe="off"):
        self.client.start("-f", "--probe", probe, *args)

    def wait(self, state, timeout=10):
        try:
            wait_for("the channel", self.client.answers, slack(5))
            self.client.wait_state(state, timeout)
        except (AssertionError, OSError) as e:
            raise AssertionError("%s; it said: %s" % (e, self.client.output()[-1500:])) from None


def _no_link(s):
    s.t.lab.ns("srv").ip("link", "set", "srv0", "down")
    s.start()


def _init(s):
    """Refused again and again, it pauses longer and longer."""
    s.server.nak = True
    s.start()
    wait_for("refusals", lambda: len(s.server.sent(dhcp.REQUEST)) >= 4, slack(10))


def _selecting(s):
    s.server.answers = set()
    s.start()


def _requesting(s):
    s.server.answers = {dhcp.DISCOVER}
    s.start()


def _probing(s):
    s.start(probe="rfc5227")


def _declined(s):
    s.t.lab.ns("srv").addr("srv0", OFFERED + "/24")
    s.start(probe="fast")


def _bound(s):
    s.start()


def _mute_when_bound(s, *times):
    s.server.times = times
    s.start()
    s.wait("BOUND")
    s.server.answers = set()


def _renewing(s):
    _mute_when_bound(s, 300, 1, 200)


def _rebinding(s):
    _mute_when_bound(s, 300, 1, 2)


def _init_reboot(s):
    s.start()
    s.wait("BOUND")
    time.sleep(0.2)
    s.t.lab.ns("srv").ip("link", "set", "srv0", "down")


def _rebooting(s):
    s.start("--keep-lease")
    s.wait("BOUND")
    wait_for("the lease file", lambda: os.path.exists(os.path.join(s.client.dir, "client-cli0.lease")), slack(5))
    assert s.client.end() == 0
    s.server.answers = set()
    s.start()


def _informing(s):
    s.client.ns.addr("cli0", "10.77.0.9/24")
    s.server.answers = set()
    s.start("--inform")


def _informed(s):
    s.client.ns.addr("cli0", "10.77.0.9/24")
    s.start("--inform")


def _ipv6_only(s):
    s.server.v6only = True
    s.start("--request-options", "+108")


def _released(s):
    s.start()
    s.wait("BOUND")
    assert s.client.command("release")["result"] == 0


STATES = {"NO-LINK": _no_link, "INIT": _init, "SELECTING": _selecting, "REQUESTING": _requesting, "PROBING": _probing,
          "DECLINED": _declined, "BOUND": _bound, "RENEWING": _renewing, "REBINDING": _rebinding,
          "INIT-REBOOT": _init_reboot, "REBOOTING": _rebooting, "INFORMING": _informing, "INFORMED": _informed,
          "IPV6-ONLY": _ipv6_only, "RELEASED": _released}
# Seconds for which those can be looked at that end by themselves.
LONGEST = {"REBOOTING": 0.5, "INIT": 3.0, "PROBING": 3.0, "INIT-REBOOT": 4.0}


def enter(t, state):
    """t.lab has nothing yet. The Scene, its client in that state."""
    t.wire()
    s = Scene(t, ScriptedServer(t.lab.ns("srv"), "srv0"), UsherClient(t, t.lab.ns("cli")))
    t.lab.closers.append(s.server.stop)
    STATES[state](s)
    s.wait(state)
    return s


@dataclasses.dataclass
class Activity:
    """Of all processes together, a second of waiting."""
    cpu_ms: float
    switches: float


def _used(pids):
    """(CPU in ns, times that a processor was given up or taken away)."""
    cpu = switches = 0
    for pid in pids:
        with open("/proc/%d/schedstat" % pid, encoding="ascii") as f:
            cpu += int(f.read().split()[0])
        with open("/proc/%d/status" % pid, encoding="utf-8") as f:
            switches += sum(map(int, re.findall(r"^(?:non)?voluntary_ctxt_switches:\s+(\d+)", f.read(), re.M)))
    return cpu, switches


def activity(scene, state, seconds):
    """Returns the activity of the client in that time. It gets no command meanwhile; it has to be in that state before
    and behind it."""
    time.sleep(0.15)  # the sockets of the state before are closed, the lease is on disk
    assert scene.client.state()["state"] == state, scene.client.output()
    pids = scene.client.ns.pids()
    time.sleep(0.05)  # the answer's
    before, began = _used(pids), time.monotonic()
    time.sleep(seconds)
    after, took = _used(pids), time.monotonic() - began
    assert pids and scene.client.ns.pids() == pids, "processes came or went"
    now = scene.client.state()["state"]
    assert now == state, "%s became %s" % (state, now)
    return Activity((after[0] - before[0]) / 1e6 / took, (after[1] - before[1]) / took)
