#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""Writes the seed inputs of the fuzz targets of what the gate reads into corpus/. Always the same
bytes."""
import os
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


def main():
    dns_seeds()
    http_seeds()


if __name__ == "__main__":
    main()
