# SPDX-License-Identifier: MPL-2.0
"""One TCP connection of a host that has no kernel: segments are written to and read from a packet socket, whole or in IPv4
fragments, so that a test decides how each of them travels."""

import socket
import struct

from lib import dhcp
from lib.netns import wait_for
from lib.server import slack

SYN, ACK, PSH, FIN = 2, 16, 8, 1


def raw(ns, ifname):
    with ns:
        s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0800))
        s.bind((ifname, 0))
    s.settimeout(slack(5))
    return s


def datagram(proto, src, dst, payload, ident=1, flags=0):
    """An IPv4 datagram. flags: 2 DF, 1 MF (in the three bits of the flags field)."""
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), ident, flags << 13, 64, proto, 0, dhcp.ip4(src), dhcp.ip4(dst))
    return head[:10] + struct.pack("!H", dhcp.checksum(head)) + head[12:] + payload


def fragments(whole, step):
    """The datagram in pieces of `step` octets of payload, a multiple of eight."""
    for at in range(0, len(whole) - 20, step):
        piece = whole[20 + at:20 + at + step]
        field = at // 8 | (0x2000 if at + step < len(whole) - 20 else 0)
        head = whole[:2] + struct.pack("!HHH", 20 + len(piece), struct.unpack("!H", whole[4:6])[0], field) + whole[8:10] + b"\0\0" + whole[12:20]
        yield head[:10] + struct.pack("!H", dhcp.checksum(head)) + head[12:] + piece


class Reader:
    """Frames that arrive: their lengths, and the datagrams in them, put together."""

    def __init__(self, sock):
        self.sock, self.parts, self.longest, self.n_fragments = sock, {}, 0, 0

    def next(self, dst):
        """The next whole datagram to dst: (protocol, source, payload)."""
        while True:
            frame, origin = self.sock.recvfrom(70000)
            ip = frame[14:]
            if origin[2] == socket.PACKET_OUTGOING or ip[16:20] != dhcp.ip4(dst):
                continue
            self.longest = max(self.longest, len(frame))
            total, ident, field = struct.unpack("!HHH", ip[2:8])
            data = ip[20:total]
            if not field & 0x3fff:
                return ip[9], ip[12:16], data
            self.n_fragments += 1
            parts = self.parts.setdefault((ip[12:16], ident, ip[9]), {})
            parts[(field & 0x1fff) * 8] = (data, bool(field & 0x2000))
            whole, at, more = b"", 0, True
            while more and at in parts:
                whole, more = whole + parts[at][0], parts[at][1]
                at = len(whole)
            if not more:
                del self.parts[(ip[12:16], ident, ip[9])]
                return ip[9], ip[12:16], whole


class Peer:
    """One end of a connection."""

    def __init__(self, ns, ifname, mac, addr, port, peer_mac, peer, peer_port, isn):
        self.sock = raw(ns, ifname)
        self.reader = Reader(self.sock)
        self.mac, self.peer_mac = (bytes.fromhex(m.replace(":", "")) for m in (mac, peer_mac))
        self.addr, self.port, self.peer, self.peer_port = addr, port, peer, peer_port
        self.seq, self.ack, self.ident = isn, 0, 100

    def segment(self, flags, data=b"", mss=1460, df=False):
        options = struct.pack("!BBH", 2, 4, mss) if flags & SYN else b""
        seg = struct.pack("!HHIIBBHHH", self.port, self.peer_port, self.seq & 0xffffffff, self.ack & 0xffffffff if flags & ACK else 0,
                          (20 + len(options)) * 4, flags, 60000, 0, 0) + options + data
        pseudo = dhcp.ip4(self.addr) + dhcp.ip4(self.peer) + struct.pack("!HH", 6, len(seg))
        seg = seg[:16] + struct.pack("!H", dhcp.checksum(pseudo + seg)) + seg[18:]
        self.seq += len(data) + bool(flags & (SYN | FIN))
        self.ident += 1
        return datagram(6, self.addr, self.peer, seg, self.ident, 2 if df else 0)

    def send(self, flags, data=b"", step=0, **kw):
        whole = self.segment(flags, data, **kw)
        for piece in (fragments(whole, step) if step else (whole,)):
            self.sock.send(self.peer_mac + self.mac + b"\x08\x00" + piece)

    def receive(self):
        """The next segment of the connection: (flags, seq, data)."""
        while True:
            proto, _, seg = self.reader.next(self.addr)
            if proto != 6 or struct.unpack("!HH", seg[:4]) != (self.peer_port, self.port):
                continue
            pseudo = dhcp.ip4(self.peer) + dhcp.ip4(self.addr) + struct.pack("!HH", 6, len(seg))
            assert dhcp.checksum(pseudo + seg) == 0, "the checksum of a segment is wrong"
            return seg[13], struct.unpack("!I", seg[4:8])[0], seg[(seg[12] >> 4) * 4:]

    def read(self, n):
        """The next n octets of the stream, which is read in order."""
        got = b""
        while len(got) < n:
            _, seq, data = self.receive()
            if data and seq == (self.ack + len(got)) & 0xffffffff:
                got += data
        self.ack += len(got)
        return got

    @property
    def longest_frame(self):
        return self.reader.longest


def stuck(ns, queue):
    """Packets of a netfilter queue that wait for a verdict."""
    for line in ns.run("cat", "/proc/net/netfilter/nfnetlink_queue").splitlines():
        if int(line.split()[0]) == queue:
            return int(line.split()[2])
    raise AssertionError("queue %d is not there" % queue)


def none_stuck(ns, queue):
    wait_for("all verdicts", lambda: stuck(ns, queue) == 0, slack(5))
