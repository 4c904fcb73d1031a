# SPDX-License-Identifier: MPL-2.0
"""An independent DHCPv4 codec for the tests (RFC 2131 figure 1, RFC 2132, RFC 3396) and the Ethernet,
IPv4 and UDP headers around it. Decoding is strict: each message of a server must have an END, nothing
but padding behind it, and no option in two places except as pieces of one long option."""

import socket
import struct

COOKIE = b"\x63\x82\x53\x63"
DISCOVER, OFFER, REQUEST, DECLINE, ACK, NAK, RELEASE, INFORM = range(1, 9)
NAMES = {1: "DISCOVER", 2: "OFFER", 3: "REQUEST", 4: "DECLINE", 5: "ACK", 6: "NAK", 7: "RELEASE", 8: "INFORM"}
MASK, ROUTER, HOSTNAME, REQUESTED, LEASE, OVERLOAD = 1, 3, 12, 50, 51, 52
TYPE, SERVER_ID, PRL, MAX_SIZE, T1, T2, CLIENT_ID, RAI = 53, 54, 55, 57, 58, 59, 61, 82
BROADCAST = b"\xff" * 6
_HEADER = struct.Struct("!BBBBIHH4s4s4s4s16s64s128s")


class Malformed(Exception):
    """A message that a strict decoder refuses."""


def ip4(text):
    return socket.inet_aton(text)


def ip_text(raw):
    return socket.inet_ntoa(raw)


def mac_bytes(text):
    return bytes.fromhex(text.replace(":", ""))


class Message:
    """A DHCPv4 message. options: list of (code, octets) in the order sent, long ones in one piece."""

    def __init__(self, type=None, chaddr=b"", xid=0, options=(), op=1, htype=1, hlen=None, hops=0, secs=0,
                 flags=0, ciaddr="0.0.0.0", yiaddr="0.0.0.0", siaddr="0.0.0.0", giaddr="0.0.0.0",
                 sname=b"", file=b""):
        self.op, self.htype, self.hops, self.xid, self.secs, self.flags = op, htype, hops, xid, secs, flags
        self.hlen = len(chaddr) if hlen is None else hlen
        self.ciaddr, self.yiaddr, self.siaddr, self.giaddr = ciaddr, yiaddr, siaddr, giaddr
        self.chaddr, self.sname, self.file = chaddr, sname, file
        self.options = list(options)
        if type is not None:
            self.options.insert(0, (TYPE, bytes([type])))

    def get(self, code, default=None):
        for c, v in self.options:
            if c == code:
                return v
        return default

    @property
    def type(self):
        v = self.get(TYPE)
        return v[0] if v else None

    @property
    def server_id(self):
        v = self.get(SERVER_ID)
        return ip_text(v) if v else None

    @property
    def lease_time(self):
        v = self.get(LEASE)
        return struct.unpack("!I", v)[0] if v else None

    def header(self):
        return _HEADER.pack(self.op, self.htype, self.hlen, self.hops, self.xid & 0xffffffff, self.secs,
                            self.flags, ip4(self.ciaddr), ip4(self.yiaddr), ip4(self.siaddr), ip4(self.giaddr),
                            self.chaddr, self.sname, self.file)

    def encode(self, pad=300):
        out = self.header() + COOKIE + encode_options(self.options) + b"\xff"
        return out + bytes(max(0, pad - len(out)))

    def __repr__(self):
        return "%s xid %08x chaddr %s ciaddr %s yiaddr %s giaddr %s %r" % (
            NAMES.get(self.type, self.type), self.xid, self.chaddr[:self.hlen].hex(":"), self.ciaddr,
            self.yiaddr, self.giaddr, [(c, v.hex()) for c, v in self.options])


def encode_options(options):
    """RFC 3396: values over 255 octets go in pieces of one code."""
    out = bytearray()
    for code, value in options:
        while True:
            out += bytes((code, min(len(value), 255))) + value[:255]
            value = value[255:]
            if not value:
                break
    return bytes(out)


def _walk(area, where):
    """The pieces of one field."""
    i, found = 0, []
    while True:
        if i >= len(area):
            raise Malformed("no END in " + where)
        code = area[i]
        i += 1
        if code == 255:
            break
        if code == 0:
            continue
        if i >= len(area) or i + 1 + area[i] > len(area):
            raise Malformed("option %d runs over the end of %s" % (code, where))
        found.append((code, area[i + 1:i + 1 + area[i]]))
        i += 1 + area[i]
    if any(area[i:]):
        raise Malformed("octets behind END in " + where)
    return found


def decode(data):
    """Octets of a UDP payload as a Message; Malformed when anything is out of place."""
    if len(data) < 241:
        raise Malformed("%d octets" % len(data))
    f = _HEADER.unpack_from(data)
    m = Message(op=f[0], htype=f[1], hlen=f[2], hops=f[3], xid=f[4], secs=f[5], flags=f[6],
                ciaddr=ip_text(f[7]), yiaddr=ip_text(f[8]), siaddr=ip_text(f[9]), giaddr=ip_text(f[10]),
                chaddr=f[11], sname=f[12], file=f[13])
    if m.hlen > 16:
        raise Malformed("hlen %d" % m.hlen)
    if data[236:240] != COOKIE:
        raise Malformed("cookie " + data[236:240].hex())
    pieces = _walk(data[240:], "options")
    over = dict(pieces).get(OVERLOAD)
    if over is not None:
        if len(over) != 1 or over[0] not in (1, 2, 3):
            raise Malformed("overload " + over.hex())
        # RFC 3396 5: options, then file, then sname
        if over[0] & 1:
            pieces += _walk(m.file, "file")
        if over[0] & 2:
            pieces += _walk(m.sname, "sname")
    merged, last = {}, None
    for code, value in pieces:
        if code in merged and last != code:
            raise Malformed("option %d twice" % code)
        merged[code] = merged.get(code, b"") + value
        last = code
    m.options = list(merged.items())
    m.chaddr = m.chaddr[:m.hlen]
    return m


def checksum(data, start=0):
    if len(data) & 1:
        data += b"\0"
    s = start + sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while s >> 16:
        s = (s & 0xffff) + (s >> 16)
    return s ^ 0xffff


def udp_checksum(src, dst, udp):
    c = checksum(udp, start=sum(struct.unpack("!4H", src + dst)) + 17 + len(udp))
    return c or 0xffff


def frame(payload, eth_src, eth_dst=BROADCAST, src="0.0.0.0", dst="255.255.255.255", sport=68, dport=67,
          udp_sum=None, ip_sum=None, ip_options=b"", frag=0, ip_len=None, udp_len=None, ttl=64, proto=17,
          ihl=None, trailer=b"", ethertype=0x0800, tags=b"", ident=0):
    """Payload in UDP in IPv4 in Ethernet. udp_sum, ip_sum, ip_len, udp_len, ihl: wrong values to send instead of
    the right ones; trailer: octets behind the datagram; tags: VLAN tags in front of the type."""
    s, d = ip4(src), ip4(dst)
    n = 8 + len(payload)
    udp = struct.pack("!HHHH", sport, dport, n if udp_len is None else udp_len, 0) + payload
    c = udp_checksum(s, d, udp) if udp_sum is None else udp_sum
    udp = udp[:6] + struct.pack("!H", c) + udp[8:]
    h = 20 + len(ip_options)
    ip = struct.pack("!BBHHHBBH4s4s", 0x40 | ((h // 4) if ihl is None else ihl), 0,
                     h + len(udp) if ip_len is None else ip_len, ident, frag, ttl, proto, 0, s, d) + ip_options
    c = checksum(ip) if ip_sum is None else ip_sum
    ip = ip[:10] + struct.pack("!H", c) + ip[12:]
    return eth_dst + eth_src + tags + struct.pack("!H", ethertype) + ip + udp + trailer


class Received:
    """A DHCP message with the headers around it on the wire."""

    def __init__(self, msg, eth_dst=None, eth_src=None, src=None, dst=None, sport=None, dport=None, ttl=None,
                 size=0):
        self.msg, self.eth_dst, self.eth_src, self.src, self.dst = msg, eth_dst, eth_src, src, dst
        self.sport, self.dport, self.ttl, self.size = sport, dport, ttl, size


def parse_frame(data):
    """A frame as Received; None when it carries no DHCP for a client. Wrong checksums are Malformed."""
    if len(data) < 42 or data[12:14] != b"\x08\x00" or data[23] != 17:
        return None
    h = (data[14] & 15) * 4
    total = struct.unpack_from("!H", data, 16)[0]
    ip, udp = data[14:14 + h], data[14 + h:14 + total]
    if len(udp) < 8:
        return None
    sport, dport, n, c = struct.unpack_from("!HHHH", udp)
    if dport != 68:
        return None
    if checksum(ip):
        raise Malformed("IP checksum")
    if n != len(udp):
        raise Malformed("UDP length %d in %d octets" % (n, len(udp)))
    if c and udp_checksum(ip[12:16], ip[16:20], udp[:6] + b"\0\0" + udp[8:]) != c:
        raise Malformed("UDP checksum")
    return Received(decode(udp[8:]), data[0:6], data[6:12], ip_text(ip[12:16]), ip_text(ip[16:20]), sport, dport,
                    ip[8], total)
