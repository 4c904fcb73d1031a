# SPDX-License-Identifier: MPL-2.0
"""A host in a world that changes at random: other masks, routers, MTUs, routes and addresses with each answer, hands of others
on addresses, routes and links, kill -9 of either half. When the world rests, the kernel has the last lease and nothing else.
`USHER_SEEDS=n` runs more worlds; a failure names its seed."""

import ipaddress
import json
import os
import random
import signal
import threading
import time

from lib.dhcp import ACK, DISCOVER, INFORM, NAK, OFFER, REQUEST
from lib.hostile_dhcp import HostileServer, ips, reply, u16, u32
from lib.netns import wait_for
from lib.runner import test
from lib.server import slack
from lib.usher_client import UsherClient


class Network:
    """One link of the host: a server whose answers follow `want`, and the client's interface. base: two octets of its addresses."""

    def __init__(self, t, host, n, rng):
        self.t, self.rng, self.base, self.ifname = t, rng, "10.%d" % (77 + n), "cli%d" % n
        self.host, self.srv = host, t.lab.ns("srv%d" % n)
        t.lab.veth(self.srv, "srv0", host, self.ifname)
        self.srv.addr("srv0", self.base + ".0.1/16")
        self.server = HostileServer(self.srv, "srv0", self.base + ".0.1")
        self.c = UsherClient(t, host, "c%d" % n, hook=False, ifname=self.ifname)
        self.silent = self.refuse = False
        self.acked = None
        self.change()
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()
        self.begin()

    def begin(self):
        self.c.start("-f", "--no-probe")

    def change(self, address=True):
        """Another configuration for the next answer."""
        r = self.rng
        if address or not self.acked:
            address = "%s.0.%d" % (self.base, r.randrange(50, 60))
        else:
            address = self.acked["address"]
        router = r.choice([None, self.base + ".0.1", self.base + ".0.2"])
        self.want = {"address": address, "bits": r.choice([16, 20, 22, 23, 24, 25, 26]), "router": router,
                     "mtu": r.choice([None, None, 1400, 1280]), "routes": r.choice([0, 0, 3, 40])}

    def serve(self):
        while not self.stop.is_set():
            q = self.server.poll(0.1)
            if not q or self.silent or q.type not in (DISCOVER, REQUEST, INFORM):
                continue
            w = dict(self.want)
            asked = q.ip(50) or (q.msg.ciaddr if q.msg.ciaddr != "0.0.0.0" else None)
            if q.type == REQUEST and (self.refuse or asked != w["address"]):
                self.refuse = False
                self.answer(q, NAK, reply())
                continue
            opts = {1: u32(0xffffffff << (32 - w["bits"]) & 0xffffffff), 51: u32(600), 58: u32(4), 59: u32(8)}
            if w["mtu"]:
                opts[26] = u16(w["mtu"])
            if w["router"]:
                opts[3] = ips(w["router"])
            if w["routes"]:
                opts[121] = b"".join(b"\x18\xac\x10" + bytes([i]) + ips(self.base + ".0.1") for i in range(w["routes"]))
                opts[121] += b"\0" + ips(w["router"]) if w["router"] else b""
            self.answer(q, OFFER if q.type == DISCOVER else ACK,
                        reply(opts, yiaddr=w["address"], no=() if w["router"] else (3,)))
            if q.type == REQUEST:
                self.acked = w

    def answer(self, q, type, r):
        try:
            self.server.send(q, type, r)
        except OSError:
            pass  # the link is down

    # --- other hosts -------------------------------------------------------------------------------------

    def event(self):
        r, ip = self.rng, lambda *a: self.host.ip(*a, check=False)
        old = self.acked["address"] if self.acked else self.base + ".0.50"

        def kill(pid):
            try:
                os.kill(pid(), signal.SIGKILL)
            except (OSError, ValueError):
                pass
        return r.choice([
            ("other mask or router", lambda: self.change(address=False)),
            ("other address", self.change),
            ("NAK", lambda: setattr(self, "refuse", True)),
            ("silence", lambda: setattr(self, "silent", not self.silent)),
            ("renew", lambda: self.command("renew")), ("rebind", lambda: self.command("rebind")),
            ("restart", lambda: self.command("restart")),
            ("addr flush", lambda: ip("addr", "flush", "dev", self.ifname)),
            ("addr del", lambda: ip("addr", "del", old + "/24", "dev", self.ifname)),
            ("addr change", lambda: ip("addr", "change", old + "/24", "dev", self.ifname, "valid_lft", "3", "preferred_lft", "3")),
            ("route flush", lambda: ip("route", "flush", "dev", self.ifname)),
            ("default del", lambda: ip("route", "del", "default", "dev", self.ifname)),
            ("default replaced", lambda: self.replace_default(ip)),
            ("down and up", lambda: (ip("link", "set", self.ifname, "down"), time.sleep(r.random() / 4),
                                     ip("link", "set", self.ifname, "up"))),
            ("cable out and in", lambda: (self.srv.ip("link", "set", "srv0", "down"), time.sleep(r.random()),
                                          self.srv.ip("link", "set", "srv0", "up"))),
            ("other MTU", lambda: ip("link", "set", self.ifname, "mtu", r.choice(["1500", "1300"]))),
            ("other hardware address", lambda: ip("link", "set", self.ifname, "address", "02:00:00:00:%s:%02x" %
                                                  (self.ifname[-1] * 2, r.randrange(256)))),
            ("kill the network half", lambda: kill(lambda: self.c.proc.pid)),
            ("kill the privileged half", lambda: kill(self.c.helper_pid)),
        ])

    def replace_default(self, ip):
        """Another router in the place of the client's route, as of an earlier run. A route of an administrator would stay."""
        for r in json.loads(ip("-j", "route", "show", "default", "dev", self.ifname) or "[]"):
            ip("route", "replace", "default", "via", self.base + ".0.2", "dev", self.ifname, "metric", str(r.get("metric", 0)), "proto", "dhcp")

    def command(self, name):
        try:
            self.c.command(name)
        except OSError:
            pass  # it was killed

    # --- rest --------------------------------------------------------------------------------------------

    def rest(self):
        """Ends the changes; the server answers again, a client that was killed starts again."""
        self.silent = self.refuse = False
        self.srv.ip("link", "set", "srv0", "up", check=False)
        self.host.ip("link", "set", self.ifname, "up", check=False)
        try:
            wait_for("an end", lambda: self.c.proc.poll() is not None, 1)
            self.begin()
        except AssertionError:
            pass

    def wrong(self):
        """The first difference between the kernel and the last lease, or None."""
        try:
            state = self.c.state()
        except (OSError, ValueError) as e:
            return "no answer: %s" % e
        if state["state"] != "BOUND":
            return state["state"]
        w = self.acked
        if self.c.addresses() != ["%s/%d" % (w["address"], w["bits"])]:
            return "addresses %s" % self.c.addresses()
        routes = json.loads(self.host.ip("-j", "route", "show", "dev", self.ifname) or "[]")
        have = [(r["dst"], r.get("gateway"), (r.get("metrics") or [{}])[0].get("mtu")) for r in routes]
        net = str(ipaddress.ip_interface("%s/%d" % (w["address"], w["bits"])).network)
        want = {(net, None)}
        if w["router"]:
            want.add(("default", w["router"]))
        want |= {("172.16.%d.0/24" % i, self.base + ".0.1") for i in range(w["routes"])}
        rest = [h[:2] for h in have if h[:2] not in want and not (h[0] in (self.base + ".0.1", self.base + ".0.2") and not h[1])]
        missing = [x for x in want if x not in [h[:2] for h in have]]
        if rest or missing or len({h[:2] for h in have}) != len(have):
            return "routes missing %s, unexpected %s of %s" % (missing, rest, have[:6])
        mtus = {h[2] for h in have if h[0] in (net, "default")}
        device = json.loads(self.host.ip("-j", "link", "show", "dev", self.ifname))[0]["mtu"]
        mtu = w["mtu"] and min(w["mtu"], device)
        return "MTU %s instead of %s" % (mtus, mtu) if mtus != {mtu} else None


def _world(t, seed):
    rng = random.Random(seed)
    host = t.lab.ns("host")
    nets = [Network(t, host, n, rng) for n in range(2)]
    done = []
    for _ in range(4):
        for _ in range(rng.randrange(1, 6)):
            n = rng.choice(nets)
            name, act = n.event()
            done.append("%s: %s" % (n.ifname, name))
            act()
            time.sleep(rng.choice([0, 0.01, 0.1, 0.5]))
        for n in nets:
            n.rest()
        for n in nets:
            end = time.monotonic() + slack(20)
            while (wrong := n.wrong()) and time.monotonic() < end:
                time.sleep(0.1)
            assert not wrong, "seed %d, %s: %s; lease %s; after %s; %s" % (seed, n.ifname, wrong, n.acked, done[-12:],
                                                                          n.c.output()[-1200:])
    for n in nets:
        n.stop.set()
        n.thread.join()
        assert n.c.end() == 0
        n.server.close()


@test(timeout=170, cases={str(n): n for n in range(int(os.environ.get("USHER_SEEDS", 3)))})
def test_client_random_world(t, seed):
    _world(t, seed)
