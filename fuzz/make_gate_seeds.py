#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""Writes the seed inputs of the fuzz targets for the gate's parsers into corpus/. Always the same
bytes."""
import os
import random
import struct

HERE = os.path.dirname(os.path.abspath(__file__))


def put(target, name, data):
    path = os.path.join(HERE, "corpus", target)
    os.makedirs(path, exist_ok=True)
    with open(os.path.join(path, "seed-" + name), "wb") as f:
        f.write(data)


# --- DNS ------------------------------------------------------------------------------------------

def name(text):
    return b"".join(bytes([len(p)]) + p.encode() for p in text.split(".") if p) + b"\0"


def rr(owner, rtype, rdata, ttl=60, cls=1):
    return owner + struct.pack("!HHIH", rtype, cls, ttl, len(rdata)) + rdata


def dns(flags, question=(), answer=(), authority=(), additional=(), ident=0x1234):
    parts = (question, answer, authority, additional)
    return struct.pack("!6H", ident, flags, *map(len, parts)) + b"".join(b"".join(p) for p in parts)


WWW = name("www.example.com")
AT = b"\xc0\x0c"   # the question's name
DOMAIN = b"\xc0\x10"
OPT = b"\0" + struct.pack("!HHIH", 41, 1232, 0x8000, 0)


def question(n, rtype=1, cls=1):
    return n + struct.pack("!HH", rtype, cls)


QUERY = dns(0x0100, [question(WWW)], additional=[OPT])
ANSWER = dns(0x8180, [question(WWW)], [rr(AT, 5, b"\3cdn" + DOMAIN), rr(b"\xc0\x2d", 1, bytes([192, 0, 2, 1]))],
             [rr(DOMAIN, 2, b"\2ns" + DOMAIN)], [OPT])


def dns_seeds():
    many = [rr(AT, t, d) for t, d in (
        (1, bytes(4)), (28, bytes(16)), (2, AT), (12, DOMAIN), (15, b"\0\5" + AT), (16, b"\3abc\0\1x"),
        (33, struct.pack("!HHH", 1, 2, 80) + WWW), (6, AT + DOMAIN + bytes(20)), (14, AT + AT),
        (35, b"\0\1\0\2\1u\0\1x" + name("n")), (39, name("d.test")), (99, b"\1s"), (65280, b"raw"))]
    soa = rr(DOMAIN, 6, name("ns.example.com") + name("mail.example.com") + struct.pack("!5I", 1, 2, 3, 4, 5))
    for n, data in {
        "query": QUERY,
        "answer": ANSWER,
        "all-types": dns(0x8580, [question(WWW, 255)], many),
        "nxdomain": dns(0x8183, [question(name("no.such.name"))], [], [rr(b"\xc0\x14", 6, AT + AT + bytes(20))]),
        "soa": dns(0x8400, [question(WWW, 6)], [], [soa]),
        "update": dns(0x2800, [question(name("zone.test"), 6)], [], [rr(b"\1a" + AT, 1, b"", 0, 255)]),
        "options": dns(0, [question(WWW)], additional=[OPT[:-2] + b"\0\x0c\0\x0a\0\x08" + bytes(8)]),
        "loop": dns(0, [b"\1a\xc0\x0c\0\1\0\1"]),
        "chaos": dns(0, [question(name("version.bind"), 16, 3)]),
        "tail": QUERY + b"x",
    }.items():
        put("dns", n, data)


# --- HTTP -----------------------------------------------------------------------------------------

LENIENT, STRICT, TO_HEAD, TO_CONNECT = b"\3", b"\0", b"\x43", b"\x83"
GET = b"GET /index.html?a=b HTTP/1.1\r\nHost: www.example.com\r\nUser-Agent: seed/1\r\nAccept: */*\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nServer: seed\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\n"
           b"5\r\nhello\r\nA;x=y\r\n0123456789\r\n0\r\nTrailer: z\r\n\r\n")
CLOSE = b"HTTP/1.0 200 OK\r\nServer: seed\r\n\r\nuntil the end"


def http_seeds():
    for n, data in {
        "get": LENIENT + GET,
        "pipelined": STRICT + GET + b"\r\n" + GET + b"HEAD / HTTP/1.0\r\n\r\n",
        "post": STRICT + b"POST /f HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\na=1&b=two" + GET,
        "post-chunked": STRICT + b"PUT / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        "connect": LENIENT + b"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n",
        "lf": LENIENT + GET.replace(b"\r", b""),
        "fold": LENIENT + b"GET / HTTP/1.1\r\nA: b\r\n c\r\n\t d\r\nB:\r\n e\r\n\r\n",
        "both": STRICT + b"POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "ok": LENIENT + OK + OK,
        "chunked": STRICT + CHUNKED + OK,
        "close": STRICT + CLOSE,
        "continue": STRICT + b"HTTP/1.1 100 Continue\r\n\r\n" + OK,
        "upgrade": STRICT + b"HTTP/1.1 101 x\r\nUpgrade: websocket\r\n\r\n\x81\5hello",
        "to-head": TO_HEAD + OK[:-5] + OK[:-5],
        "to-connect": TO_CONNECT + b"HTTP/1.1 200 Established\r\n\r\n\x16\x03\x01",
        "not-http": LENIENT + b"SSH-2.0-OpenSSH_9.2\r\n",
    }.items():
        put("http", n, data)


# --- The gate -------------------------------------------------------------------------------------
# Records of fuzz_gate_util.c.

IN_ORDER, SYN, FIN, RST, AHEAD, AGAIN, OVERLAP, ANYWHERE = range(8)
UP, DOWN = 0, 1


def record(kind, data=b""):
    return bytes([kind]) + struct.pack("!H", len(data)) + data


def tcp(d, wrong=IN_ORDER, data=b"", conn=0):
    return record(1 | d << 2 | conn << 3 | wrong << 5, data)


def udp(d, data, conn=0):
    return record(2 | d << 2 | conn << 3, data)


def handshake(conn=0):
    return tcp(UP, SYN, conn=conn) + tcp(DOWN, SYN, conn=conn) + tcp(UP, conn=conn)


def pieces(rng, d, data, conn):
    """Cut anywhere; some are repeated, overlap, or are out of order."""
    out = b""
    while data:
        n = rng.randint(1, min(len(data), 60))
        out += tcp(d, IN_ORDER, data[:n], conn)
        if rng.random() < 0.2:
            out += tcp(d, AGAIN, data[:n], conn)
        if rng.random() < 0.1 and len(data) > 2 * n:
            out += tcp(d, AHEAD, data[2 * n:3 * n], conn)
        data = data[n:]
    return out


def checksum(data):
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    total = (total & 0xFFFF) + (total >> 16)
    return ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF


def frame(payload, proto=17, frag=0, total=None):
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, total or 20 + len(payload), 7, frag, 64, proto, 0,
                     bytes([10, 0, 0, 1]), bytes([10, 0, 0, 2]))
    ip = ip[:10] + struct.pack("!H", checksum(ip)) + ip[12:]
    return bytes(12) + b"\x08\0" + ip + payload


LUA = 128   # the option: rules in Lua


def gate_seeds():
    rng = random.Random(1)
    close = tcp(UP, FIN) + tcp(DOWN, FIN) + tcp(UP)
    for n, messages in {
        "plain": ((UP, GET), (DOWN, OK)),
        "chunked": ((UP, GET), (DOWN, CHUNKED)),
        "close": ((UP, GET), (DOWN, CLOSE)),
        "pipelined": ((UP, GET + GET), (DOWN, OK + CHUNKED)),
        "post": ((UP, b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc"), (DOWN, OK)),
        "connect": ((UP, b"CONNECT a:1 HTTP/1.1\r\n\r\n"), (DOWN, b"HTTP/1.1 200 x\r\n\r\n"), (UP, b"\x16\3\1")),
        "not-http": ((UP, b"EHLO x\r\n"), (DOWN, b"220 y\r\n")),
    }.items():
        whole = handshake() + b"".join(tcp(d, data=m) for d, m in messages) + close
        cut = handshake() + b"".join(pieces(rng, d, m, 0) for d, m in messages) + close
        for options in (0, 2, 8, 1, 8 | 64, 16, LUA, LUA | 8, LUA | 8 | 16, LUA | 8 | 2):
            put("gate", "http-%s-%d" % (n, options), bytes([options]) + (cut if options & 8 else whole))
    put("gate", "two", b"\x08" + handshake() + handshake(1) + tcp(UP, data=GET) + tcp(UP, data=GET, conn=1) +
        tcp(DOWN, data=OK, conn=1) + tcp(DOWN, data=OK) + tcp(UP, RST))
    for options in (0, 1, 2, 8, LUA, LUA | 1, LUA | 8, LUA | 8 | 16):
        put("gate", "dns-%d" % options, bytes([options]) + udp(UP, QUERY) + udp(DOWN, ANSWER) + udp(DOWN, ANSWER) +
            record(0x83) + udp(UP, b"nonsense", 1))
    datagram = struct.pack("!HHHH", 2000, 53, 8 + len(QUERY), 0) + QUERY
    full = dns(0x8580, [question(WWW, 255)], [rr(AT, t, d) for t, d in (
        (1, bytes(4)), (28, bytes(16)), (2, AT), (15, b"\0\5" + AT), (16, b"\3abc\0\1x"), (33, bytes(6) + WWW), (6, AT + DOMAIN + bytes(20)))])
    put("gate", "dns-lua-full", bytes([LUA | 8]) + b"".join((udp(UP, QUERY, i) + udp(DOWN, full, i)) * 2 for i in range(4)))
    put("gate", "fragments", b"\0" + record(0, frame(datagram[24:], frag=3)) + record(0, frame(datagram[:24], frag=0x2000)) +
        record(0, frame(datagram[:16], frag=0x2000)) + record(0xff))
    put("gate", "raw", b"\0" + record(0, frame(datagram)) + record(0x10, frame(datagram)) + record(0, b"short") +
        record(0, frame(bytes(8), 1)) + record(0, bytes(12) + b"\x81\0\0\5\x08\6" + bytes(28)))


def main():
    dns_seeds()
    http_seeds()
    gate_seeds()


if __name__ == "__main__":
    main()
