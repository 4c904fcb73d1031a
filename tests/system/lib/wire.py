# SPDX-License-Identifier: MPL-2.0
"""A cable with a switch in it, where every DHCP message is written down: server and client hang on two ports
of a bridge, or a relay stands between bridge and server. Nothing but the bridge sees the frames first, so
unicast can be lost there while broadcast passes."""

import errno
import os
import select
import socket
import threading
import time

from lib import dhcp
from lib.netns import wait_for

_ETH_P_ALL = 3


class Seen:
    """One message: sent by the client or not; where to by Ethernet and IP."""

    def __init__(self, msg, by_client, eth_dst, src, dst):
        self.msg, self.by_client, self.eth_dst, self.src, self.dst = msg, by_client, eth_dst, src, dst

    @property
    def type(self):
        return self.msg.type

    @property
    def broadcast(self):
        """By both: a frame to all that is addressed to one is neither."""
        return self.eth_dst == dhcp.BROADCAST and self.dst == "255.255.255.255"

    @property
    def unicast(self):
        return self.eth_dst != dhcp.BROADCAST and self.dst != "255.255.255.255"

    @property
    def flag(self):
        return bool(self.msg.flags & 0x8000)

    def __repr__(self):
        return "%s %s->%s (%s) flags %04x %r" % ("client" if self.by_client else "server", self.src, self.dst,
                                                 self.eth_dst.hex(":"), self.msg.flags, self.msg)


class Capture(threading.Thread):
    """Every DHCP message on ifname of ns, from start to stop()."""

    def __init__(self, ns, ifname):
        super().__init__(daemon=True)
        with ns:
            self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
            # all protocols: a bridge takes the frame before those who ask for one protocol
            self.sock.bind((ifname, _ETH_P_ALL))
        self._seen, self.malformed, self.end, self.busy = [], [], False, False
        self.start()

    @property
    def seen(self):
        """The messages so far. Those that the socket holds are noted first."""
        while threading.current_thread() is not self and self.is_alive() and (
                select.select([self.sock], [], [], 0)[0] or self.busy):
            time.sleep(0.001)
        return self._seen

    def run(self):
        while not self.end:
            if select.select([self.sock], [], [], 0.1)[0]:
                try:
                    self.busy = True  # before the socket is empty: see seen
                    data = self.sock.recv(65535)
                except OSError as e:
                    if e.errno != errno.ENETDOWN:
                        raise
                    return  # the namespace goes
                if data[12:14] == b"\x08\x00" and data[23] == 17:
                    self._note(data)
                self.busy = False

    def _note(self, data):
        h = (data[14] & 15) * 4
        udp = data[14 + h:14 + int.from_bytes(data[16:18], "big")]
        ports = int.from_bytes(udp[0:2], "big"), int.from_bytes(udp[2:4], "big")
        if ports[1] not in (67, 68):
            return
        try:
            m = dhcp.decode(udp[8:])
        except dhcp.Malformed as e:
            self.malformed.append("%s: %s" % (e, data.hex()))
            return
        self._seen.append(Seen(m, m.op == 1, data[0:6], dhcp.ip_text(data[26:30]), dhcp.ip_text(data[30:34])))

    def sent(self, *types):
        return [s for s in list(self.seen) if s.by_client and s.type in types]

    def answers(self, to, *types):
        """Answers to one of the client's messages."""
        return [s for s in list(self.seen) if not s.by_client and s.msg.xid == to.msg.xid and s.type in types]

    def mark(self):
        return len(self.seen)

    def answered(self, since, match, what, timeout=5):
        """Waits until a REQUEST after mark `since` that match() takes was acknowledged; (REQUEST, ACK)."""
        def look():
            for i, s in enumerate(list(self.seen)[since:], since):
                if s.by_client and s.type == dhcp.REQUEST and match(s):
                    for a in self.seen[i:]:
                        if not a.by_client and a.type == dhcp.ACK and a.msg.xid == s.msg.xid:
                            return s, a
            return None
        try:
            return wait_for(what, look, timeout)
        except AssertionError as e:
            raise AssertionError("%s; seen: %s" % (e, self.seen[since:])) from None

    def stop(self):
        self.end = True
        self.join()
        self.sock.close()


class Net:
    """srv0 - [up0 relay down0 -] port - switch - cli0. `server` is the server's address, the router of the
    clients is 10.77.0.1 in both cases: the server itself or the relay's host."""

    def __init__(self, t, relayed):
        self.t, self.cli = t, t.lab.ns("cli")
        srv, sw = t.lab.ns("srv"), t.lab.ns("sw")
        self.server = "10.99.0.1" if relayed else "10.77.0.1"
        self.router_ns, self.router_if = (t.lab.ns("rel"), "down0") if relayed else (srv, "srv0")
        t.lab.veth(self.router_ns, self.router_if, sw, "port1")
        t.lab.veth(self.cli, "cli0", sw, "port2")
        t.lab.bridge(sw, "br0", "port1", "port2")
        if relayed:
            t.lab.veth(srv, "srv0", self.router_ns, "up0")
            srv.addr("srv0", "10.99.0.1/24")
            self.router_ns.addr("up0", "10.99.0.2/24")
            srv.ip("route", "add", "10.77.0.0/24", "via", "10.99.0.2")
            self.router_ns.run("sysctl", "-qw", "net.ipv4.ip_forward=1")
        self.router_ns.addr(self.router_if, "10.77.0.1/24")
        self.nowhere = sw.mac("port2")
        self.capture = Capture(sw, "port2")
        t.lab.closers.append(self.capture.stop)

    def relay(self):
        """Debian's relay. It reads frames: it would see packets that only the router's kernel should drop."""
        log = self.t.lab.path("relay.log")
        with open(log, "wb") as out:
            self.t.lab.popen(self.router_ns, ["dhcrelay", "-4", "-d", "--no-pid", "-iu", "up0", "-id", "down0", "-a",
                                              self.server], stdout=out, stderr=out)
        wait_for("the relay", lambda: os.path.getsize(log) > 0, 5)

    def lose_unicast(self):
        """Drops the client's packets to its router (and so to the server) at the switch."""
        self.cli.ip("neigh", "replace", "10.77.0.1", "lladdr", self.nowhere, "dev", "cli0", "nud", "permanent")

    def restore_unicast(self):
        self.cli.ip("neigh", "del", "10.77.0.1", "dev", "cli0")
