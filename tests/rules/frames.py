# SPDX-License-Identifier: MPL-2.0
"""Builds the frames of captures, and describes the frames that the gate let out, one line of text each. Checksums are
checked on the way out: a line ends with the name of one that is wrong."""

import socket
import struct

MAC = {"client": "02:00:00:00:00:01", "server": "02:00:00:00:00:02"}
FIN, SYN, RST, PSH, ACK, URG = 1, 2, 4, 8, 16, 32
TCP, UDP, ICMP = 6, 17, 1


def mac(text):
    return bytes.fromhex(MAC.get(text, text).replace(":", ""))


def checksum(data, start=0):
    data += b"\0" * (len(data) % 2)
    s = start + sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while s >> 16:
        s = (s & 0xffff) + (s >> 16)
    return ~s & 0xffff


def _pseudo(src, dst, proto, n):
    return src + dst + struct.pack("!BBH", 0, proto, n)


# --- Made -----------------------------------------------------------------------------------------------

def eth(payload, type=0x0800, src="client", dst="server", vlan=None):
    tag = b"" if vlan is None else struct.pack("!HH", 0x8100, vlan)
    return mac(dst) + mac(src) + tag + struct.pack("!H", type) + payload


def ip(payload, proto, src, dst, ttl=64, id=0, df=False, mf=False, offset=0, tos=0, options=b""):
    """offset: octets."""
    src, dst = socket.inet_aton(src), socket.inet_aton(dst)
    words = 5 + len(options) // 4
    frag = (0x4000 if df else 0) | (0x2000 if mf else 0) | offset // 8
    head = struct.pack("!BBHHHBBH", 0x40 | words, tos, words * 4 + len(payload), id, frag, ttl, proto, 0) + src + dst + options
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + payload


def _l4(head, at, payload, proto, src, dst):
    """The checksum at octet `at` of the header, over header and payload."""
    n = len(head) + len(payload)
    c = checksum(_pseudo(socket.inet_aton(src), socket.inet_aton(dst), proto, n) + head + payload)
    if proto == UDP and c == 0:
        c = 0xffff
    return head[:at] + struct.pack("!H", c) + head[at + 2:] + payload


def udp(payload, src, dst, sport, dport):
    return _l4(struct.pack("!HHHH", sport, dport, 8 + len(payload), 0), 6, payload, UDP, src, dst)


def tcp(payload, src, dst, sport, dport, seq=0, ack=0, flags=ACK, window=65535, urgent=0, options=b""):
    words = 5 + len(options) // 4
    head = struct.pack("!HHIIBBHHH", sport, dport, seq & 0xffffffff, ack & 0xffffffff, words << 4, flags, window, 0, urgent)
    return _l4(head + options, 16, payload, TCP, src, dst)


def icmp(type, code, rest):
    body = struct.pack("!BBH", type, code, 0) + rest
    return body[:2] + struct.pack("!H", checksum(body)) + body[4:]


def arp(op, smac, sip, tmac, tip):
    return struct.pack("!HHBBH", 1, 0x0800, 6, 4, op) + mac(smac) + socket.inet_aton(sip) + mac(tmac) + socket.inet_aton(tip)


# --- Files ----------------------------------------------------------------------------------------------

def write_pcap(path, frames):
    """frames: (seconds, octets)."""
    with open(path, "wb") as f:
        f.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 262144, 1))
        for at, data in frames:
            us = round(at * 1e6)
            f.write(struct.pack("<IIII", us // 1000000, us % 1000000, len(data), len(data)) + data)


def read_pcap(path):
    with open(path, "rb") as f:
        data = f.read()
    magic = struct.unpack_from("<I", data)[0]
    scale = {0xa1b2c3d4: 1e6, 0xa1b23c4d: 1e9}[magic]
    at, out = 24, []
    while at < len(data):
        s, frac, n, _ = struct.unpack_from("<IIII", data, at)
        out.append((s + frac / scale, data[at + 16:at + 16 + n]))
        at += 16 + n
    return out


# --- Told -----------------------------------------------------------------------------------------------

def text(data, most=400):
    """Octets as text; those that are not printable as \\xNN."""
    shown = "".join(chr(c) if 32 <= c < 127 and c not in (34, 92) else {13: "\\r", 10: "\\n", 34: '\\"', 92: "\\\\"}.get(c, "\\x%02x" % c)
                    for c in data[:most])
    return '"%s"%s' % (shown, "" if len(data) <= most else " +%d" % (len(data) - most))


def _ports(l4):
    return struct.unpack_from("!HH", l4)


def _tell_tcp(l4, src, dst):
    sport, dport, seq, ack, off, flags, window, _, urgent = struct.unpack_from("!HHIIBBHHH", l4)
    n = (off >> 4) * 4
    names = "".join(c for i, c in enumerate("FSRPAUEC") if flags >> i & 1) or "-"
    bad = "" if checksum(_pseudo(src, dst, TCP, len(l4)) + l4) == 0 else " BAD-TCP-CHECKSUM"
    more = "".join(" %s=%s" % x for x in (("urg", urgent), ("res", off & 15), ("opt", l4[20:n].hex())) if x[1])
    return "tcp %d > %d %s seq=%d ack=%d win=%d%s %s%s" % (sport, dport, names, seq, ack, window, more, text(l4[n:]), bad)


def _tell_udp(l4, src, dst):
    sport, dport, n, given = struct.unpack_from("!HHHH", l4)
    bad = "" if given == 0 or checksum(_pseudo(src, dst, UDP, n) + l4[:n]) == 0 else " BAD-UDP-CHECKSUM"
    return "udp %d > %d len=%d%s %s%s" % (sport, dport, n, " no-checksum" if given == 0 else "", text(l4[8:n]), bad)


def _tell_icmp(l4):
    return "icmp type=%d code=%d %s%s" % (l4[0], l4[1], text(l4[4:]), "" if checksum(l4) == 0 else " BAD-ICMP-CHECKSUM")


def _tell_ip(data):
    words = data[0] & 15
    tos, total, ident, frag, ttl, proto = struct.unpack_from("!xBHHHBB", data)
    head, body = data[:words * 4], data[words * 4:total]
    src, dst = data[12:16], data[16:20]
    more = "".join(" %s" % x for x in ("df" if frag & 0x4000 else "", "mf" if frag & 0x2000 else "", "rb" if frag & 0x8000 else "",
                                       "tos=%d" % tos if tos else "", "frag=%d" % ((frag & 0x1fff) * 8) if frag & 0x1fff else "",
                                       "opt=" + head[20:].hex() if words > 5 else "",
                                       "pad=%d" % (len(data) - total) if len(data) > total else "") if x)
    bad = "" if checksum(head) == 0 else " BAD-IP-CHECKSUM"
    if frag & 0x3fff:
        what = "proto %d %s" % (proto, text(body))
    elif proto == TCP:
        what = _tell_tcp(body, src, dst)
    elif proto == UDP:
        what = _tell_udp(body, src, dst)
    elif proto == ICMP:
        what = _tell_icmp(body)
    else:
        what = "proto %d %s" % (proto, text(body))
    return "%s > %s ttl=%d id=%d len=%d%s%s %s" % (socket.inet_ntoa(src), socket.inet_ntoa(dst), ttl, ident, total, more, bad, what)


def tell(data):
    """One line about a frame."""
    names = {v: k for k, v in MAC.items()}
    dst, src = (names.get(data[a:a + 6].hex(":"), data[a:a + 6].hex(":")) for a in (0, 6))
    at, tags = 12, ""
    while data[at:at + 2] in (b"\x81\x00", b"\x88\xa8"):
        tags += "vlan %d " % (int.from_bytes(data[at + 2:at + 4], "big") & 0xfff)
        at += 4
    kind, rest = int.from_bytes(data[at:at + 2], "big"), data[at + 2:]
    head = "%s > %s: %s" % (src, dst, tags)
    if kind == 0x0800 and len(rest) >= 20:
        return head + _tell_ip(rest)
    if kind == 0x0806 and len(rest) >= 28:
        op = int.from_bytes(rest[6:8], "big")
        return head + "arp %d %s %s > %s %s" % (op, rest[8:14].hex(":"), socket.inet_ntoa(rest[14:18]), rest[18:24].hex(":"),
                                               socket.inet_ntoa(rest[24:28]))
    return head + "type %04x %s" % (kind, text(rest))
