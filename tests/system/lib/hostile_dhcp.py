# SPDX-License-Identifier: MPL-2.0
"""A DHCPv4 server that lies. It answers one client by raw frames (AF_PACKET), each described by a `reply`:
fields that are not named have the values of a good server. Everything below the message and everything in it
can be something else, or octets that are no message at all."""

import select
import socket
import struct
import time

from lib import dhcp

ADDRESS, SERVER = "10.77.0.50", "10.77.0.1"
_ETH_P_ALL = 3
_SOL_PACKET, _PACKET_IGNORE_OUTGOING = 263, 23
_HEADER = {"op", "htype", "hlen", "hops", "xid", "secs", "flags", "ciaddr", "yiaddr", "siaddr", "giaddr", "sname",
           "file", "chaddr"}
_FRAME = {"eth_src", "eth_dst", "src", "dst", "sport", "dport", "udp_sum", "ip_sum", "ip_options", "frag", "ip_len",
          "udp_len", "ttl", "proto", "ihl", "trailer", "ethertype", "tags", "ident"}
_MESSAGE = {"type", "no", "opts", "area", "more", "end", "tail", "pad", "cut", "cookie", "payload", "times", "cut_frame"}


def reply(options=None, **kw):
    """One answer. options: {code: octets} beside or instead of 1, 3, 51, 54. Fields of the BOOTP header and
    of the frame by their names; a callable gets the query. Of the message: type (or octets of option 53, None:
    no such option), no (codes left out), area (octets instead of all options), more (octets behind them), end
    (False: no END), tail (octets behind END), pad, cut (octets kept), cookie, payload (octets instead of the
    message), cut_frame (octets kept), times."""
    unknown = set(kw) - _HEADER - _FRAME - _MESSAGE
    assert not unknown, unknown
    return dict(kw, opts=options or {})


def u16(n):
    return struct.pack("!H", n)


def u32(n):
    return struct.pack("!I", n)


def ips(*addresses):
    return b"".join(map(dhcp.ip4, addresses))


class Query:
    """A message of the client, and the frame that it came in."""

    def __init__(self, msg, eth_src, src, dst, broadcast):
        self.msg, self.mac, self.src, self.dst, self.broadcast = msg, eth_src, src, dst, broadcast
        self.type, self.xid = msg.type, msg.xid

    def ip(self, code):
        v = self.msg.get(code)
        return dhcp.ip_text(v) if v else None


def _parse(data):
    """A message to port 67 as Query, or None."""
    if len(data) < 42 or data[12:14] != b"\x08\x00" or data[23] != 17:
        return None
    h = (data[14] & 15) * 4
    ip = data[14:14 + struct.unpack_from("!H", data, 16)[0]]
    if struct.unpack_from("!H", ip, h + 2)[0] != 67:
        return None
    assert not dhcp.checksum(ip[:h]), "the client's IP checksum is wrong"
    return Query(dhcp.decode(ip[h + 8:]), data[6:12], dhcp.ip_text(ip[12:16]), dhcp.ip_text(ip[16:20]),
                 data[0] & 1 != 0)


class HostileServer:
    """On ifname of ns, which has the server's address."""

    def __init__(self, ns, ifname, ip=SERVER):
        self.ns, self.ifname, self.ip = ns, ifname, ip
        self.mac = dhcp.mac_bytes(ns.mac(ifname))
        with ns:
            self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
            self.sock.setsockopt(_SOL_PACKET, _PACKET_IGNORE_OUTGOING, 1)
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 << 20)
            self.sock.bind((ifname, _ETH_P_ALL))
            # a socket must be bound, or the kernel sends the client ICMP port unreachable; send_kernel() uses it
            self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.udp.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            self.udp.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, ifname.encode())
            self.udp.bind(("", 67))
        self.sock.setblocking(False)
        self.arps = []

    # --- hearing -----------------------------------------------------------------------------------------

    def poll(self, timeout):
        """The next message of the client, or None. ARP on the way is kept in arps."""
        end = time.monotonic() + timeout
        while True:
            try:
                data = self.sock.recv(65535)
            except BlockingIOError:
                left = end - time.monotonic()
                if left <= 0:
                    return None
                select.select([self.sock], [], [], left)
                continue
            except OSError as e:
                if e.errno == 100:  # the interface is down
                    continue
                raise
            if data[12:14] == b"\x08\x06":
                self.arps.append(Arp(data))
            q = _parse(data)
            if q:
                return q

    def wait(self, type, timeout=6.0):
        """The next message of this type; older ones of others are passed over."""
        end = time.monotonic() + timeout
        while (left := end - time.monotonic()) > 0:
            q = self.poll(left)
            if q and q.type == type:
                return q
        raise AssertionError("no %s within %.1f s" % (dhcp.NAMES[type], timeout))

    def drain(self):
        while self.poll(0):
            pass
        self.arps = []

    # --- answering ---------------------------------------------------------------------------------------

    def _options(self, type, r):
        opts = {dhcp.SERVER_ID: dhcp.ip4(self.ip), dhcp.LEASE: u32(3600), dhcp.MASK: dhcp.ip4("255.255.255.0"),
                dhcp.ROUTER: dhcp.ip4(self.ip)}
        if type == dhcp.NAK:
            opts = {dhcp.SERVER_ID: dhcp.ip4(self.ip)}
        opts.update(r["opts"])
        out = []
        if type is not None:
            out.append((dhcp.TYPE, type if isinstance(type, bytes) else bytes([type])))
        return dhcp.encode_options(out + [(c, v) for c, v in opts.items() if c not in r.get("no", ())])

    def payload(self, q, type, r):
        """The message, as octets."""
        if "payload" in r:
            return r["payload"]
        type = r.get("type", type)
        fields = {k: r[k] for k in r if k in _HEADER}
        fields = {k: v(q) if callable(v) else v for k, v in fields.items()}
        fields.setdefault("yiaddr", "0.0.0.0" if type == dhcp.NAK else ADDRESS)
        m = dhcp.Message(chaddr=fields.pop("chaddr", q.mac), **dict({"op": 2, "xid": q.xid, "hlen": 6}, **fields))
        area = r["area"] if "area" in r else self._options(type, r) + r.get("more", b"")
        data = m.header() + r.get("cookie", dhcp.COOKIE) + area + (b"\xff" if r.get("end", True) else b"")
        data += r.get("tail", b"")
        data += bytes(max(0, r.get("pad", 300 if r.get("end", True) else 0) - len(data)))
        return data[:r.get("cut", len(data))]

    def frame(self, q, type, r):
        f = {k: r[k](q) if callable(r[k]) else r[k] for k in r if k in _FRAME}
        bound = q.msg.ciaddr != "0.0.0.0"
        f = dict({"eth_src": self.mac, "eth_dst": q.mac, "src": self.ip, "sport": 67, "dport": 68,
                  "dst": q.msg.ciaddr if bound else "255.255.255.255"}, **f)
        data = dhcp.frame(self.payload(q, type, r), **f)
        return data[:r.get("cut_frame", len(data))]

    def put(self, data, times=1):
        for _ in range(times):
            while True:
                try:
                    self.sock.send(data)
                    break
                except (BlockingIOError, OSError) as e:
                    if getattr(e, "errno", 0) not in (11, 105):
                        raise
                    select.select([], [self.sock], [], 0.05)

    def send(self, q, type, r=None):
        r = reply() if r is None else r
        self.put(self.frame(q, type, r), r.get("times", 1))

    def send_kernel(self, q, type, r=None, to=None):
        """The same message from a UDP socket: the kernel makes the headers, and fragments long datagrams."""
        self.udp.sendto(self.payload(q, type, r or reply()), (to or "255.255.255.255", 68))

    def arp(self, op, sender, target="0.0.0.0", sha=None, eth_dst=dhcp.BROADCAST, raw=None, cut=None):
        """An ARP frame; sha: whose it claims to be."""
        sha = self.mac if sha is None else sha
        body = raw if raw is not None else (struct.pack("!HHBBH", 1, 0x0800, 6, 4, op) + sha + dhcp.ip4(sender) +
                                            bytes(6) + dhcp.ip4(target))
        self.put((eth_dst + sha + b"\x08\x06" + body)[:cut])

    def close(self):
        self.sock.close()
        self.udp.close()


class Arp:
    """An ARP frame that was heard."""

    def __init__(self, data):
        self.eth_dst, self.eth_src = data[0:6], data[6:12]
        self.op = struct.unpack_from("!H", data, 20)[0]
        self.spa, self.tpa = (dhcp.ip_text((data + bytes(28))[i:i + 4]) for i in (28, 38))

    @property
    def probe(self):
        return self.op == 1 and self.spa == "0.0.0.0"

    @property
    def announcement(self):
        return self.op == 1 and self.spa == self.tpa
