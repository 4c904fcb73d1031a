# SPDX-License-Identifier: MPL-2.0
"""Messages made to break a parser (ROB-01 to ROB-12, ROB-16). After each batch the server is alive and
serves a new client; every answer it gives is well formed (the codec is strict)."""

import random
import struct

from lib import dhcp
from lib.client import Client, mac_of, new_xid
from lib.netns import wait_for
from lib.runner import test
from lib.server import SANITIZED, slack, subnet

BIG = [subnet("10.64.0.0/12", "10.65.0.0 - 10.79.255.255")]
_n = [0]


def _alive(s, port):
    port.drain()
    assert s.alive(), "the server ended with %s" % s.proc.returncode
    _n[0] += 1
    Client(port, mac_of(_n[0], 0x71)).dora(tries=5)



def _message(n=0, type=dhcp.DISCOVER, options=()):
    return dhcp.Message(type, mac_of(n, 0x72), new_xid(), options)


def _flood(s, port, payloads):
    """Sends them, and sees that nearly all came to the server's parser."""
    before, k = s.stat("pkt4-received"), 0
    for k, p in enumerate(payloads):
        if port.relay and len(p) >= 28 and k % 10:
            p = p[:24] + dhcp.ip4(port.giaddr) + p[28:]
        port.send_payload(p, chaddr=mac_of(k, 0x73))
        if k % 64 == 63:
            # not faster than the server takes them: every one is to be parsed
            port.drain()
            if k % 1024 == 1023:
                _alive(s, port)
    _alive(s, port)
    # another worker may still be at it
    wait_for("%d messages to come to the parser" % (k + 1), lambda: s.stat("pkt4-received") - before >= 0.95 * k, slack(5))


def _modes(fn):
    """Registers fn(t, s, port) for a cable and for a relay."""
    def run(t, mode):
        port = t.wire("10.64.0.1/12") if mode == "direct" else t.relay_net(giaddr="10.64.0.1")
        s = t.server(subnets=BIG)
        _alive(s, port)
        fn(t, s, port)
        _alive(s, port)
    run.__name__ = fn.__name__
    return test(timeout=90, cases={"direct": "direct", "relayed": "relayed"}, tags=("asan",))(run)


@_modes
def test_ROB_01_short_datagrams(t, s, port):
    whole = _message().encode()
    _flood(s, port, [whole[:n] for n in range(243)])
    _flood(s, port, [bytes(n) for n in range(243)])


@_modes
def test_ROB_02_hlen(t, s, port):
    payloads = []
    for hlen in [0, *range(17, 256)]:
        for type in (dhcp.DISCOVER, dhcp.REQUEST):
            m = _message(type=type)
            m.hlen = hlen
            payloads.append(m.encode())
    _flood(s, port, payloads)


@_modes
def test_ROB_03_04_05_every_option_malformed(t, s, port):
    """Truncated in three ways, of length 0, of length 255 with four fills."""
    payloads = []
    for code in range(1, 255):
        head = _message(code, type=None).header() + dhcp.COOKIE + b"\x35\x01\x01"
        payloads += [head + bytes([code]), head + bytes([code, 200]), head + bytes([code, 4, 1]),
                     head + bytes([code, 0, 255]), head + bytes([code, 0, code, 0, 255])]
        payloads += [head + bytes([code, 255]) + fill * 255 + b"\xff" for fill in (b"\0", b"\xff", b"\x01", b"a")]
    _flood(s, port, payloads)


@_modes
def test_ROB_06_one_option_hundreds_of_times(t, s, port):
    payloads = []
    for code in (12, 55, 61, 50, 81, 82, 43, 124, 77, 119, 60, 125, 53, 54):
        for n in (190, 300, 500):
            head = _message(code, type=None).header() + dhcp.COOKIE + b"\x35\x01\x01"
            payloads.append(head + bytes([code, 1, 1]) * min(n, 400) + b"\xff")
            payloads.append(head + bytes([code, 0]) * n + b"\xff")
    _flood(s, port, payloads)


@_modes
def test_ROB_07_no_END(t, s, port):
    payloads = []
    for n in range(60):
        m = _message(n, options=[(55, bytes(range(1, n + 1)))] if n else ())
        payloads += [m.encode(pad=0)[:-1], m.encode(pad=0)[:-1] + bytes(n)]
    _flood(s, port, payloads)


@_modes
def test_ROB_08_hostile_overload(t, s, port):
    payloads = []
    rng = random.Random(8)
    for over in (0, 1, 2, 3, 4, 255):
        for filling in (b"\x34\x01\x03", b"\x34\x01\x01\xff", bytes(3), b"\xff", b"\x0c\xff", b"\x35\x01\x03\xff",
                        b"\x37\x7e", b"\x52\x02\x01\x00\xff", None):
            m = _message(over, options=[(52, bytes([over]))])
            m.file = filling if filling is not None else rng.randbytes(128)
            m.sname = filling if filling is not None else rng.randbytes(64)
            payloads.append(m.encode())
        payloads.append(_message(options=[(52, b"")]).encode())
        payloads.append(_message(options=[(52, b"\x01\x02")]).encode())
    _flood(s, port, payloads)


NAMES = (b"\0", b"a\0b", b"%n%n%n%s", b"'; DROP TABLE lease4;--", b"$(reboot)`id`", b"a,b,c", b"a\nb", b"\r\n", b'"',
         b"a\"b", b"{}[]", b"\\", b"&#x2c", b"&", b"\xff\xfe", b"a" * 255, b"." * 64, b"a." * 60, b"-", b"xn--\x80",
         "ü".encode(), b"\x1b[2J", b" ", b"=", b"#x")


@test(timeout=60, tags=("asan",))
def test_ROB_09_host_names_and_the_lease_file(t):
    """Host names full of metacharacters are kept or dropped, and the lease file reads back."""
    port = t.wire()
    s = t.server()
    clients = []
    for n, name in enumerate(NAMES):
        c = Client(port, mac_of(n), options=[(dhcp.HOSTNAME, name)])
        c.dora()
        clients.append(c)
        c = Client(port, mac_of(n, 0x11), cid=b"\x01" + name[:60], options=[(81, b"\x01\0\0" + name[:100])])
        c.dora()
        clients.append(c)
    s.kill()
    have = s.leases()
    for c in clients:
        assert s.active(c.addr, c.mac, have), "%s: the row cannot be read" % c.addr
    s.start(write=False)
    assert "ROW_ERROR" not in s.log(), "rows of its own that it cannot read"
    for c in clients:
        r = s.command("lease4-get", {"ip-address": c.addr})
        assert r["result"] == 0 and r["arguments"]["hw-address"] == c.mac.hex(":"), r
        a = c.renew()
        assert a and a.type == dhcp.ACK and a.yiaddr == c.addr


@_modes
def test_ROB_10_11_12_fqdn_vendor_and_search_options(t, s, port):
    rng = random.Random(10)
    bad = []
    for name in (b"\xc0\x00", b"\x3fabc", b"\x01a\xc0\x03\x00", b"\xc0\x0c", b"\xff", b"", b"\x00", b"\x40a", b"\x80a",
                 b"\x03www" * 70, b"\x01a" * 127, b"\x01a"):
        for flags in range(0, 256, 17):
            bad.append((81, bytes([flags, 0, 0]) + name))
        bad.append((119, name))
    bad += [(81, bytes(n)) for n in range(4)]
    for code in (43, 124, 125, 90, 116, 117, 118, 119, 120, 121, 249, 82, 60, 77):
        bad += [(code, rng.randbytes(n)) for n in (1, 2, 3, 4, 5, 8, 9, 20, 64, 255)]
        bad += [(code, b"\xff" * 255), (code, b"\0" * 40), (code, bytes([1, 255]) + b"x"), (code, b"\0\0\x0d\xe9\xff")]
    prl = (55, bytes((119, 121, 43, 124, 125, 81, 12)))
    _flood(s, port, [_message(n, options=[o, prl]).encode() for n, o in enumerate(bad)])


def _mutations(n):
    """Seeded: the same octets each time."""
    rng = random.Random(20260101)
    bases = []
    for type in (1, 3, 4, 7, 8):
        m = _message(type, type, [(12, b"host"), (50, dhcp.ip4("10.65.0.9")), (54, dhcp.ip4("10.64.0.1")),
                                  (55, bytes(range(1, 60))), (61, b"\x01abcdef"), (60, b"MSFT 5.0"),
                                  (81, b"\0\0\0\x04host\0"), (82, b"\x01\x04port\x02\x03rem"), (57, b"\x05\xdc")])
        bases.append(m.encode())
    for k in range(n):
        b = bytearray(bases[k % len(bases)])
        b[4:8] = struct.pack("!I", new_xid())
        for _ in range(rng.choice((1, 1, 2, 4, 16))):
            how = rng.randrange(6)
            i = rng.randrange(240, len(b)) if rng.random() < 0.8 else rng.randrange(len(b))
            if how == 0:
                b[i] = rng.randrange(256)
            elif how == 1:
                b[i] ^= 1 << rng.randrange(8)
            elif how == 2:
                b[i:i + rng.randrange(1, 9)] = b""
            elif how == 3:
                b[i:i] = rng.randbytes(rng.randrange(1, 30))
            elif how == 4:
                b[i] = rng.choice((0, 255, 254, 1, 127, 128))
            else:
                del b[max(200, i):]
            if len(b) < 241:
                b += bytes(241 - len(b))
        yield bytes(b[:1400])


@_modes
def test_ROB_16_4000_mutations(t, s, port):
    before = s.rss_kib()
    _flood(s, port, _mutations(4000))
    grown = s.rss_kib() - before
    assert SANITIZED or grown < 48 * 1024, "memory grew by %d KiB" % grown
    s.restart()
    assert "ROW_ERROR" not in s.log()
