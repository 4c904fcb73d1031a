# SPDX-License-Identifier: MPL-2.0
"""A DHCPv4 client for tests. A port is where messages go in and out: RawPort is a station on a cable
(AF_PACKET), RelayPort a relay agent (UDP 67 with giaddr and option 82). A Client is one identity
with its lease; it uses either port. acquire_many runs hundreds of clients at once; a Ledger
remembers every acknowledgement and says when an address was acknowledged to two clients; Load is a
thread that keeps exchanges going while something is done to the server."""

import collections
import random
import select
import socket
import struct
import threading
import time

from lib import dhcp
from lib.dhcp import Message

_ETH_P_IP = 0x0800
_SOL_PACKET, _PACKET_IGNORE_OUTGOING = 263, 23
_RCVBUFFORCE = 33


class Port:
    """The base of both kinds of port: waiting, counting, remembering answers that are not well formed."""

    def __init__(self, sock):
        self.sock = sock
        self.malformed = []
        self.received = 0
        sock.setsockopt(socket.SOL_SOCKET, _RCVBUFFORCE, 32 << 20)
        sock.setblocking(False)

    def _parse(self, data):
        raise NotImplementedError

    def recv(self, timeout):
        """The next answer as dhcp.Received, or None."""
        end = time.monotonic() + timeout
        while True:
            try:
                data = self.sock.recv(65535)
            except (BlockingIOError, OSError) as e:
                if not isinstance(e, BlockingIOError) and e.errno not in (100, 19):  # interface down, gone
                    raise
                left = end - time.monotonic()
                if left <= 0:
                    return None
                select.select([self.sock], [], [], left)
                continue
            try:
                r = self._parse(data)
            except dhcp.Malformed as e:
                self.malformed.append("%s: %s" % (e, data.hex()))
                continue
            if r and r.msg.op == 2:
                self.received += 1
                return r

    def exchange(self, msg, types, timeout=1.0, tries=3):
        """Sends until an answer of one of the types comes; it, or None."""
        for _ in range(tries):
            self.send(msg)
            end = time.monotonic() + timeout
            while (left := end - time.monotonic()) > 0:
                r = self.recv(left)
                if r and r.msg.xid == msg.xid and r.msg.type in types:
                    return r
        return None

    def collect(self, seconds):
        """Every answer within that time."""
        out, end = [], time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            r = self.recv(left)
            if r:
                out.append(r)
        return out

    def drain(self):
        while self.recv(0):
            pass

    def close(self):
        self.sock.close()


class RawPort(Port):
    """A station on interface ifname of ns. server_mac: for frames to the server alone."""

    relay = False

    def __init__(self, ns, ifname, server_mac=None, server_ip=None):
        with ns:
            s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
            s.setsockopt(_SOL_PACKET, _PACKET_IGNORE_OUTGOING, 1)
            s.bind((ifname, _ETH_P_IP))
        super().__init__(s)
        self.server_mac = dhcp.mac_bytes(server_mac) if isinstance(server_mac, str) else server_mac
        self.server_ip = server_ip

    def _parse(self, data):
        return dhcp.parse_frame(data)

    def send_frame(self, data):
        for _ in range(50):
            try:
                self.sock.send(data)
                return
            except BlockingIOError:
                select.select([], [self.sock], [], 0.1)
            except OSError as e:
                if e.errno == 105:  # ENOBUFS
                    time.sleep(0.001)
                    continue
                if e.errno in (100, 19, 6):  # the interface is down or gone: lost on the wire
                    return
                raise

    def send(self, msg, payload=None, **kw):
        """msg as a station sends it: unicast once it has an address and knows the server, else broadcast."""
        unicast = msg.ciaddr != "0.0.0.0" and msg.giaddr == "0.0.0.0" and getattr(msg, "unicast", False)
        opts = {"eth_src": (msg.chaddr + bytes(6))[:6]}
        if unicast and self.server_mac:
            opts.update(eth_dst=self.server_mac, src=msg.ciaddr, dst=self.server_ip)
        elif msg.ciaddr != "0.0.0.0":
            opts.update(src=msg.ciaddr)
        opts.update(kw)
        self.send_frame(dhcp.frame(msg.encode() if payload is None else payload, **opts))

    def send_payload(self, payload, chaddr=b"\x02\0\0\0\0\1", **kw):
        """Any octets at all behind a UDP header."""
        self.send_frame(dhcp.frame(payload, eth_src=chaddr, **kw))


class RelayPort(Port):
    """A relay agent at giaddr (an address of ns). rai: octets of option 82, added to messages without one."""

    relay = True

    def __init__(self, ns, giaddr, server_ip, rai=None):
        with ns:
            s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            s.bind((giaddr, 67))
        super().__init__(s)
        self.giaddr, self.server_ip, self.rai = giaddr, server_ip, rai

    def _parse(self, data):
        return dhcp.Received(dhcp.decode(data), dst=self.giaddr, dport=67, size=len(data) + 28)

    def send(self, msg, payload=None, **_kw):
        if payload is None:
            m = Message(chaddr=msg.chaddr, xid=msg.xid, options=msg.options, op=msg.op, htype=msg.htype,
                        hlen=msg.hlen, hops=msg.hops + 1, secs=msg.secs, flags=msg.flags, ciaddr=msg.ciaddr,
                        yiaddr=msg.yiaddr, giaddr=self.giaddr, sname=msg.sname, file=msg.file)
            if self.rai and m.get(dhcp.RAI) is None:
                m.options.append((dhcp.RAI, self.rai))
            payload = m.encode()
        self.send_payload(payload)

    def send_payload(self, payload, **_kw):
        for _ in range(50):
            try:
                self.sock.sendto(payload, (self.server_ip, 67))
                return
            except BlockingIOError:
                select.select([], [self.sock], [], 0.1)
            except OSError as e:
                if e.errno == 105:
                    time.sleep(0.001)
                    continue
                if e.errno in (100, 101, 113, 111):
                    return
                raise


_rng = random.Random(0x75736865)
_rng_lock = threading.Lock()


def new_xid():
    with _rng_lock:
        return _rng.getrandbits(32)


def mac_of(n, block=0x10):
    """A locally administered address; block keeps the clients of one test's groups apart."""
    return bytes((2, block)) + struct.pack("!I", n)


class Client:
    """One identity. After dora: addr, server_id, lease (seconds) and got (monotonic time)."""

    def __init__(self, port, mac, cid=None, options=(), flags=0):
        self.port, self.mac, self.cid, self.flags = port, mac, cid, flags
        self.options = list(options)
        self.addr = self.server_id = self.lease = None
        self.xid = new_xid()

    @property
    def key(self):
        return self.cid or self.mac

    def message(self, type, options=(), **kw):
        opts = list(options)
        if self.cid is not None:
            opts.append((dhcp.CLIENT_ID, self.cid))
        if type in (dhcp.DISCOVER, dhcp.REQUEST, dhcp.INFORM):
            opts.append((dhcp.PRL, bytes((1, 3, 6, 15, 51, 54, 58, 59))))
            opts += self.options
        kw.setdefault("flags", self.flags)
        return Message(type, self.mac, self.xid, opts, **kw)

    def discover(self, want=None):
        return self.message(dhcp.DISCOVER, [(dhcp.REQUESTED, dhcp.ip4(want))] if want else ())

    def request(self, offer):
        return self.message(dhcp.REQUEST, [(dhcp.REQUESTED, dhcp.ip4(offer.yiaddr)),
                                           (dhcp.SERVER_ID, offer.get(dhcp.SERVER_ID))])

    def _took(self, ack):
        self.addr, self.server_id, self.lease, self.got = ack.yiaddr, ack.server_id, ack.lease_time, time.monotonic()

    def offer(self, want=None, timeout=1.0, tries=3):
        self.xid = new_xid()
        r = self.port.exchange(self.discover(want), (dhcp.OFFER,), timeout, tries)
        return r.msg if r else None

    def select(self, offer, timeout=1.0, tries=3):
        """REQUEST for the offer: ACK, NAK or None."""
        r = self.port.exchange(self.request(offer), (dhcp.ACK, dhcp.NAK), timeout, tries)
        if r and r.msg.type == dhcp.ACK:
            self._took(r.msg)
        return r.msg if r else None

    def dora(self, want=None, timeout=1.0, tries=3):
        """DISCOVER to ACK; AssertionError when it doesn't end in an address."""
        o = self.offer(want, timeout, tries)
        assert o, "no OFFER for %s" % self.mac.hex(":")
        a = self.select(o, timeout, tries)
        assert a and a.type == dhcp.ACK, "no ACK of %s for %s: %r" % (o.yiaddr, self.mac.hex(":"), a)
        assert a.yiaddr == o.yiaddr, "offered %s, acknowledged %s" % (o.yiaddr, a.yiaddr)
        return a

    def ask(self, msg, timeout=1.0, tries=2):
        r = self.port.exchange(msg, (dhcp.ACK, dhcp.NAK), timeout, tries)
        if r and r.msg.type == dhcp.ACK and r.msg.yiaddr != "0.0.0.0":
            self._took(r.msg)
        return r.msg if r else None

    def renew(self, timeout=1.0, tries=2, unicast=True):
        """RENEWING (unicast) or REBINDING: ACK, NAK or None."""
        self.xid = new_xid()
        m = self.message(dhcp.REQUEST, ciaddr=self.addr)
        m.unicast = unicast
        return self.ask(m, timeout, tries)

    def reboot(self, addr=None, timeout=1.0, tries=2):
        """INIT-REBOOT: ACK, NAK or None."""
        self.xid = new_xid()
        return self.ask(self.message(dhcp.REQUEST, [(dhcp.REQUESTED, dhcp.ip4(addr or self.addr))]), timeout, tries)

    def inform(self, addr, timeout=1.0, tries=2):
        self.xid = new_xid()
        return self.ask(self.message(dhcp.INFORM, ciaddr=addr), timeout, tries)

    def release(self, addr=None):
        self.xid = new_xid()
        m = self.message(dhcp.RELEASE, [(dhcp.SERVER_ID, dhcp.ip4(self.server_id))], ciaddr=addr or self.addr)
        m.unicast = True
        self.port.send(m)

    def decline(self, addr=None):
        self.xid = new_xid()
        self.port.send(self.message(dhcp.DECLINE, [(dhcp.REQUESTED, dhcp.ip4(addr or self.addr)),
                                                   (dhcp.SERVER_ID, dhcp.ip4(self.server_id))]))


class Ledger:
    """Every ACK seen. An address acknowledged to a second client while the first's lease runs is an
    error kept in `doubled` (invariant I1)."""

    def __init__(self):
        self.holder = {}
        self.doubled = []
        self.lock = threading.Lock()
        self.acks = 0

    def ack(self, client):
        with self.lock:
            self.acks += 1
            old = self.holder.get(client.addr)
            if old and old[0] != client.key and old[1] > time.monotonic():
                self.doubled.append("%s: %s and %s" % (client.addr, old[0].hex(":"), client.key.hex(":")))
            self.holder[client.addr] = (client.key, time.monotonic() + client.lease)

    def check(self):
        assert not self.doubled, "acknowledged to two clients: " + "; ".join(self.doubled[:5])


def acquire_many(port, clients, timeout=10.0, window=64, retry=1.0, ledger=None, stop=None):
    """DORA for all, at most window at a time, each message sent again after retry seconds. The clients
    that ended with an address, in the order of their ACKs. stop: a callable that ends it early."""
    waiting = collections.deque(clients)
    live, done = {}, []
    end = time.monotonic() + timeout

    def send(c):
        c.sent = time.monotonic()
        port.send(c.out)

    while (waiting or live) and time.monotonic() < end and not (stop and stop()):
        while waiting and len(live) < window:
            c = waiting.popleft()
            c.xid = new_xid()
            c.out = c.discover()
            live[c.xid] = c
            send(c)
        r = port.recv(0.02)
        while r:
            m = r.msg
            c = live.get(m.xid)
            if c and m.chaddr == c.mac:
                t = c.out.type
                if m.type == dhcp.OFFER and t == dhcp.DISCOVER:
                    c.out = c.request(m)
                    send(c)
                elif m.type == dhcp.ACK and t == dhcp.REQUEST:
                    c._took(m)
                    if ledger:
                        ledger.ack(c)
                    del live[m.xid]
                    done.append(c)
                elif m.type == dhcp.NAK and t == dhcp.REQUEST:
                    c.out = c.discover()
                    send(c)
            r = port.recv(0)
            if time.monotonic() > end:
                break
        now = time.monotonic()
        for c in list(live.values()):
            if now - c.sent > retry:
                send(c)
    return done


class Load(threading.Thread):
    """New clients, one after the other, window at a time, for as long as it runs. acked: those with an
    address. lost: exchanges that needed a message sent again after retry seconds.

    Each client is given up after give_up seconds, so that a server that is away doesn't block it."""

    def __init__(self, port, block, window=16, retry=0.5, give_up=3.0, rate=400, limit=20000, ledger=None, renew=0):
        super().__init__(daemon=True)
        self.port, self.block, self.window, self.retry, self.give_up = port, block, window, retry, give_up
        self.rate, self.limit, self.ledger, self.renew_share = rate, limit, ledger, renew
        self.acked, self.started_n, self.lost, self.failed, self.naks = [], 0, 0, 0, 0
        self.error = None
        self._halt = threading.Event()

    def run(self):
        try:
            self._loop()
        except Exception as e:  # seen by end()
            self.error = e

    def _start_one(self, live):
        if self.renew_share and self.acked and self.started_n % self.renew_share == 0:
            old = self.acked[(self.started_n * 7919) % len(self.acked)]
            c = Client(self.port, old.mac, old.cid)
            c.addr = old.addr
            c.renewing = True
            c.out = c.message(dhcp.REQUEST, ciaddr=c.addr)
        else:
            c = Client(self.port, mac_of(self.started_n, self.block))
            c.renewing = False
            c.out = c.discover()
        self.started_n += 1
        c.began = c.sent = time.monotonic()
        live[c.xid] = c
        self.port.send(c.out)

    def _loop(self):
        live, began, ending = {}, time.monotonic(), None
        while True:
            now = time.monotonic()
            if self._halt.is_set():
                ending = ending or now + self.give_up
                if not live or now > ending:
                    self.failed += len(live)
                    return
            else:
                while (len(live) < self.window and self.started_n < self.limit
                       and self.started_n < (now - began) * self.rate + 1):
                    self._start_one(live)
            r = self.port.recv(0.003)
            while r:
                self._answer(live, r.msg)
                r = self.port.recv(0)
            now = time.monotonic()
            for x, c in list(live.items()):
                if now - c.began > self.give_up:
                    self.failed += 1
                    del live[x]
                elif now - c.sent > self.retry:
                    self.lost += 1
                    c.sent = now
                    self.port.send(c.out)

    def _answer(self, live, m):
        c = live.get(m.xid)
        if not c:
            return
        t = c.out.type
        if m.type == dhcp.OFFER and t == dhcp.DISCOVER:
            c.out, c.sent = c.request(m), time.monotonic()
            self.port.send(c.out)
        elif m.type == dhcp.ACK and t == dhcp.REQUEST:
            c._took(m)
            if self.ledger:
                self.ledger.ack(c)
            if not c.renewing:
                self.acked.append(c)
            del live[m.xid]
        elif m.type == dhcp.NAK:
            self.naks += 1
            if c.renewing:
                del live[m.xid]
            else:
                c.out, c.sent = c.discover(), time.monotonic()
                self.port.send(c.out)

    def end(self, abandon=False):
        """Stops; open exchanges get give_up seconds to finish unless abandoned."""
        if abandon:
            self.give_up = 0
        self._halt.set()
        self.join(30)
        assert not self.is_alive(), "the load does not end"
        if self.error:
            raise self.error
        return self
