# SPDX-License-Identifier: MPL-2.0
"""The network rows of the client's hostile list (doc/client-hostile.md), sent to a real client by a server
that lies. Most are rows of two tables: packets to ignore are sent before the good OFFER and before the good
ACK, and must leave their name in the statistics and nothing else; packets to accept make the lease. The
rest are scenes. One client serves many rows: each begins with `restart`."""

import struct
import time

from lib import dhcp
from lib.client_stage import Stage
from lib.dhcp import ACK, DECLINE, DISCOVER, NAK, OFFER, REQUEST
from lib.hostile_dhcp import ADDRESS, SERVER, HostileServer, ips, reply, u16, u32
from lib.netns import wait_for
from lib.runner import test
from lib.server import slack

BOGUS = "10.77.0.66"    # of an OFFER that must not be taken
MARK = 1111             # lease time of an ACK that must not be taken
BOTH, IN_OFFER, IN_ACK = (OFFER, ACK), (OFFER,), (ACK,)
FORCERENEW = 9
NOBODY_MAC = b"\2\0\0\0\0\x99"


def _bits(n):
    return struct.pack("!I", 0xffffffff << (32 - n) & 0xffffffff)


def _options(*pairs):
    return dhcp.encode_options(pairs)


_T, _SID, _LEASE, _MASK, _YI = dhcp.TYPE, dhcp.SERVER_ID, dhcp.LEASE, dhcp.MASK, dhcp.ip4(SERVER)
_NEEDED = _options((_SID, _YI), (_LEASE, u32(3600)), (_MASK, _bits(24)))

# --- packets to ignore: row, description, the packet, drops counted each time it is sent, in which answers ----
# None: the kernel's filter has it before the client is woken.

IGNORED = []


def R(row, what, packet, drop, where=BOTH):
    IGNORED.append((row, what, packet, drop, where))


R("2", "wrong UDP checksum", reply(udp_sum=0x1234), "UDP_CHECKSUM")
R("3", "wrong IP checksum", reply(ip_sum=0x1111), "IP_CHECKSUM")
R("5", "first fragment", reply(frag=0x2000), None)
R("5b", "middle fragment", reply(frag=0x2010), None)
R("5c", "last fragment", reply(frag=0x0010), None)
R("6", "UDP length 7", reply(udp_len=7), "UDP_LENGTH")
R("6b", "UDP length 0", reply(udp_len=0), "UDP_LENGTH")
R("6c", "UDP length of more than there is", reply(udp_len=1400), "UDP_LENGTH")
R("6d", "UDP length 65535", reply(udp_len=65535), "UDP_LENGTH")
R("6e", "total length 100", reply(ip_len=100), "UDP_LENGTH")
R("6f", "total length 27", reply(ip_len=27), "UDP_LENGTH")
R("6g", "total length 19", reply(ip_len=19), "IP_HEADER")
R("6h", "total length 0", reply(ip_len=0), "IP_HEADER")
R("6i", "total length 1400 in 342 octets", reply(ip_len=1400), "FRAME_TRUNCATED")
R("6j", "header length 4 words", reply(ihl=4), None)
R("6k", "header length 0", reply(ihl=0), None)
R("6l", "header length 15 words without them", reply(ihl=15), None)
R("8", "no message", reply(payload=b""), None)
R("8b", "two octets of message", reply(payload=b"\2\1"), None)
R("8c", "nothing behind the header", reply(cut=236), "SHORT")
R("8d", "nothing behind the cookie", reply(cut=240), "NO_TYPE")
R("8e", "half a cookie", reply(cut=238), "SHORT")
R("10", "VLAN 7", reply(tags=b"\x81\x00\x00\x07"), "OTHER_STATION")
R("10e", "802.1ad VLAN 7", reply(tags=b"\x88\xa8\x00\x07"), "OTHER_STATION")
R("10f", "VLAN 8 in 802.1ad VLAN 7", reply(tags=b"\x88\xa8\x00\x07\x81\x00\x00\x08"), None)
R("10g", "VLAN 8 in a priority tag of 802.1ad", reply(tags=b"\x88\xa8\x00\x00\x81\x00\x00\x08"), "OTHER_STATION")
R("10b", "VLAN 7 in a priority tag", reply(tags=b"\x81\x00\x00\x00\x81\x00\x00\x07"), "OTHER_STATION")
R("12", "another station's frame", reply(eth_dst=NOBODY_MAC), "OTHER_STATION")
R("12b", "port 69", reply(dport=69), None)
R("12c", "port 67", reply(dport=67), None)
R("13", "60 octets of it", reply(cut_frame=60), "FRAME_TRUNCATED")
R("13b", "14 octets of it", reply(cut_frame=14), None)
R("13c", "33 octets of it", reply(cut_frame=33), None)
R("13d", "41 octets of it", reply(cut_frame=41), None)
R("13e", "IPv6 by its type", reply(ethertype=0x86dd), None)
R("13f", "TCP by its protocol", reply(proto=6), None)
R("14", "4,000 with another transaction id", reply(xid=lambda q: q.xid ^ 1, times=4000), None)
R("16", "op 1", reply(op=1), None)
R("16b", "op 3", reply(op=3), None)
R("16c", "op 0", reply(op=0), None)
R("17", "hlen 255", reply(hlen=255), "HLEN")
R("17b", "hlen 0", reply(hlen=0), "HLEN")
R("17c", "hlen 16", reply(hlen=16), "HLEN")
R("17d", "htype 6", reply(htype=6), "HTYPE")
R("17e", "htype 0", reply(htype=0), "HTYPE")
R("18", "another transaction", reply(xid=lambda q: q.xid + 1), None)
R("18b", "transaction 0", reply(xid=0), None)
R("18c", "our transaction, octets turned", reply(xid=lambda q: struct.unpack("<I", struct.pack(">I", q.xid))[0]), None)
R("19", "another chaddr", reply(chaddr=NOBODY_MAC), "CHADDR")
R("19b", "chaddr 0", reply(chaddr=bytes(16)), "CHADDR")
R("20", "cookie 0", reply(cookie=bytes(4)), "COOKIE")
R("20b", "cookie off by one", reply(cookie=b"\x63\x82\x53\x64"), "COOKIE")
R("20c", "no cookie: BOOTP", reply(cookie=b"", area=bytes(64), end=False), "COOKIE")
R("21", "no message type", reply(type=None), "NO_TYPE")
R("21b", "message type of no octets", reply(type=b""), "NO_TYPE")
R("21c", "message type of two octets", reply(type=b"\2\2"), "NO_TYPE")
R("21d", "message type 0", reply(type=0), "TYPE")
R("21e", "message type 255", reply(type=255), "TYPE")
R("21f", "DISCOVER", reply(type=DISCOVER), "TYPE")
R("21g", "options all zeros", reply(area=bytes(60), end=False), "NO_TYPE")
R("22", "yiaddr 0.0.0.0", reply(yiaddr="0.0.0.0"), "ADDRESS_ZERO")
R("22b", "yiaddr 0.0.0.0 and why", reply({56: b"go away\n\x1b[2J"}, yiaddr="0.0.0.0"), "ADDRESS_ZERO")
R("23", "yiaddr 255.255.255.255", reply(yiaddr="255.255.255.255"), "ADDRESS_CLASS_E")
R("24", "network address of the /24", reply(yiaddr="10.77.0.0"), "ADDRESS_NETWORK", IN_OFFER)
R("24b", "network address of a /16", reply({1: _bits(16)}, yiaddr="10.1.0.0"), "ADDRESS_NETWORK", IN_OFFER)
R("24c", "network address of a /30", reply({1: _bits(30)}, yiaddr="10.1.2.4"), "ADDRESS_NETWORK", IN_OFFER)
R("24d", "network address of a /1", reply({1: _bits(1)}, yiaddr="128.0.0.0"), "ADDRESS_NETWORK", IN_OFFER)
R("25", "broadcast address of the /24", reply(yiaddr="10.77.0.255"), "ADDRESS_BROADCAST", IN_OFFER)
R("25b", "broadcast address of a /16", reply({1: _bits(16)}, yiaddr="10.1.255.255"), "ADDRESS_BROADCAST", IN_OFFER)
R("25c", "broadcast address of a /30", reply({1: _bits(30)}, yiaddr="10.1.2.7"), "ADDRESS_BROADCAST", IN_OFFER)
R("26", "multicast", reply(yiaddr="224.0.0.5"), "ADDRESS_MULTICAST")
R("26b", "the last multicast", reply(yiaddr="239.255.255.255"), "ADDRESS_MULTICAST")
R("26c", "loopback", reply({1: _bits(8)}, yiaddr="127.0.0.1"), "ADDRESS_LOOPBACK")
R("26d", "class E", reply(yiaddr="240.0.0.1"), "ADDRESS_CLASS_E")
R("26e", "this network", reply(yiaddr="0.1.2.3"), "ADDRESS_THIS_NET")
R("27", "the server's own address", reply(yiaddr=SERVER), "ADDRESS_SERVER", IN_OFFER)
R("31", "the server identifier runs over the end", reply(area=_options((_T, b"\2"), (_LEASE, u32(MARK)), (_MASK, _bits(24)))
  + b"\x36\xff\x0a", end=False), "NO_SERVER_ID", IN_OFFER)
R("33", "lease time of three octets", reply({51: b"\0\x0e\x10"}), "NO_LEASE_TIME")
R("33b", "lease time of five octets", reply({51: b"\0\0\0\x0e\x10"}), "NO_LEASE_TIME")
R("33c", "lease time of no octets", reply({51: b""}), "NO_LEASE_TIME")
R("39", "no mask", reply(no=(1,)), "NO_MASK")
R("39b", "mask 0.0.0.0", reply({1: bytes(4)}), "BAD_MASK")
R("39c", "mask of three octets", reply({1: b"\xff\xff\xff"}), "NO_MASK")
R("40", "mask with a hole", reply({1: ips("255.255.0.255")}), "BAD_MASK")
R("40b", "mask the other way round", reply({1: ips("0.255.255.255")}), "BAD_MASK")
R("41", "no server identifier", reply(no=(54,)), "NO_SERVER_ID")
R("41b", "server identifier 0.0.0.0", reply({54: bytes(4)}), "NO_SERVER_ID")
R("41c", "server identifier of three octets", reply({54: b"\x0a\x4d\0"}), "NO_SERVER_ID")
R("41d", "server identifier 255.255.255.255", reply({54: b"\xff" * 4}), "BAD_SERVER_ID")
R("41e", "server identifier 127.0.0.1", reply({54: ips("127.0.0.1")}), "BAD_SERVER_ID")
R("41f", "server identifier 224.0.0.1", reply({54: ips("224.0.0.1")}), "BAD_SERVER_ID")
R("42", "lease time 0", reply({51: bytes(4)}), "LEASE_ZERO")
R("43", "no lease time", reply(no=(51,)), "NO_LEASE_TIME")
R("48", "another's client identifier", reply({61: b"\1\2\0\0\0\0\x99"}), "CLIENT_ID")
R("48b", "ours and an octet", reply({61: b"\1" + bytes(7)}), "CLIENT_ID")
R("56", "the ACK of another server", reply({54: ips("10.77.0.2")}, src="10.77.0.2"), "OTHER_SERVER", IN_ACK)
R("57", "an ACK for another address", reply(yiaddr="10.77.0.67"), "ADDRESS_OTHER", IN_ACK)
R("58", "the NAK of another server", reply({54: ips("10.77.0.2")}, type=NAK), "OTHER_SERVER", IN_ACK)
R("58b", "a NAK of nobody", reply(type=NAK, no=(54,)), "NO_SERVER_ID", IN_ACK)
R("58c", "a NAK before there was a REQUEST", reply(type=NAK), "UNEXPECTED", IN_OFFER)
R("62", "FORCERENEW with our transaction id", reply(type=FORCERENEW), "FORCERENEW")
R("70", "an ACK to the DISCOVER", reply(type=ACK), "UNEXPECTED", IN_OFFER)
R("70b", "an ACK to the DISCOVER with option 80", reply({80: b""}, type=ACK), "UNEXPECTED", IN_OFFER)

# --- packets to accept: row, description, the packet, the expected result ---------------------------------
# Of the answer to `state`: keys of lease, `prefix`; `address`; `kernel`: a piece of `ip addr show`.

ACCEPTED = []


def A(row, what, packet, **want):
    ACCEPTED.append((row, what, packet, want))


_DEFAULT = "0.0.0.0/0 via 10.77.0.1"
_121 = _options((121, b"\x18\xc6\x33\x64" + _YI))

A("1", "no UDP checksum", reply(udp_sum=0))
A("4", "four octets of IP options", reply(ip_options=b"\x94\x04\0\0"))
A("4b", "forty octets of IP options", reply(ip_options=b"\1" * 40))
A("5d", "do not fragment", reply(frag=0x4000))
A("7", "a trailer of 200 octets", reply(trailer=b"\xde" * 200, tail=b"\xad" * 60))
A("7b", "behind END a NAK", reply(tail=b"\x35\x01\x06"))
A("8f", "no padding", reply(pad=0))
A("8g", "no END", reply(end=False))
A("9", "1,450 octets, options in pieces", reply({224: b"a" * 1000, 225: b"b" * 100}))
A("10c", "a priority tag", reply(tags=b"\x81\x00\x00\x00"))
A("10h", "a priority tag of 802.1ad", reply(tags=b"\x88\xa8\x00\x00"))
A("10d", "a priority tag with a priority", reply(tags=b"\x81\x00\xe0\x00"))
A("11", "from port 1067", reply(sport=1067), odd=2)
A("11b", "from port 68", reply(sport=68), odd=2)
A("12d", "broadcast", reply(eth_dst=dhcp.BROADCAST))
A("12e", "unicast to the address that it has not yet", reply(dst=lambda q: ADDRESS))
A("12f", "to 0.0.0.0", reply(dst="0.0.0.0"))
A("19c", "ten octets behind our chaddr", reply(chaddr=lambda q: q.mac + b"\xff" * 10))
A("28", ".255 inside a /16", reply({1: _bits(16)}, yiaddr="10.77.0.255"), address="10.77.0.255", prefix=16)
A("28b", ".0 inside a /31", reply({1: _bits(31), 3: ips("10.1.0.1")}, yiaddr="10.1.0.0"), address="10.1.0.0", prefix=31,
  routes=["0.0.0.0/0 via 10.1.0.1"])
A("28c", "a /32, the gateway on the link only", reply({1: _bits(32), 3: ips("169.254.1.1")}, yiaddr="10.1.0.0"),
  address="10.1.0.0", prefix=32, routes=["169.254.1.1/32 via 0.0.0.0", "0.0.0.0/0 via 169.254.1.1"])
A("29", "giaddr and siaddr of somebody", reply(giaddr="198.51.100.1", siaddr="203.0.113.5", ciaddr="192.0.2.1"))
A("31b", "an option behind all others runs over the end", reply(more=b"\x0f\xff\x61", end=False, pad=0))
A("31c", "a code without a length", reply(more=b"\x79", end=False, pad=0))
A("32", "options of no octets", reply({c: b"" for c in (3, 6, 12, 15, 26, 28, 33, 42, 58, 59, 119)}), routes=[])
A("32b", "options of one octet", reply({c: b"\1" for c in (3, 6, 26, 28, 33, 42, 58, 59, 119)}), routes=[])
A("34", "all in file and sname", reply(area=lambda t: _options((_T, bytes([t])), (52, b"\3")),
  file=_options((_SID, _YI), (_LEASE, u32(3600)), (_MASK, _bits(24))) + b"\xff", sname=_options((3, _YI)) + b"\xff"))
A("34b", "overload inside overload", reply({52: b"\1"}, file=b"\x34\1\3" * 3 + b"\xff", sname=b"\x33\4\0\0\0\1" * 10))
A("34c", "overload 255, 0, of two octets, repeated", reply(more=b"\x34\1\xff\x34\1\0\x34\2\1\2\x34\0"))
A("34d", "overload 3 by the hundred", reply(more=b"\x34\1\3" * 100, file=b"\xff", sname=b"\xff"))
A("35", "the overloaded file runs over", reply({52: b"\1"}, file=b"\x42" * 128))
A("36", "option 121 in pieces", reply(more=b"\x79\4\x18\xc6\x33\x64\x79\3\x0a\x4d\0\x79\1\1\x79\5\0\x0a\x4d\0\1"),
  routes=["198.51.100.0/24 via 10.77.0.1", _DEFAULT])
A("37", "121 beside 3 and 33", reply({3: ips("10.77.0.9"), 33: ips("198.51.100.0", "10.77.0.9")}, more=b"\x79\5\0" + _YI),
  routes=[_DEFAULT])
A("38", "121 with a prefix of 33 behind a good one", reply(more=b"\x79\x0d\x18\xc6\x33\x64" + _YI + b"\x21" + _YI),
  routes=["198.51.100.0/24 via 10.77.0.1"])
A("38b", "121 cut short", reply(more=_121 + b"\x79\3\x18\1\2"), routes=["198.51.100.0/24 via 10.77.0.1"])
A("38c", "121 by the hundred", reply(more=b"".join(b"\x79\7\x10\x0b" + bytes([i]) + _YI for i in range(100))))
A("44", "for ever", reply({51: b"\xff" * 4}), lease=0xffffffff, kernel="valid_lft forever")
A("45", "68 years", reply({51: u32(0x80000000)}), lease=0x80000000, t1=0x40000000, slop=0x08000000)
A("45b", "a second less than for ever", reply({51: u32(0xfffffffe)}), lease=0xfffffffe, t1=0x7fffffff, slop=0x08000000)
A("47", "T1 behind T2", reply({58: u32(3000), 59: u32(2000)}), t1=1800, t2=3150, slop=120)
A("47b", "T1 and T2 of 0", reply({58: u32(0), 59: u32(0)}), t1=1800, t2=3150, slop=120)
A("47c", "T1 equal to T2", reply({58: u32(1000), 59: u32(1000)}), t1=1800, t2=3150, slop=120)
A("47d", "T1 and T2 behind the lease", reply({58: u32(7200), 59: u32(7300)}), t1=1800, t2=3150, slop=120)
A("47e", "T1 and T2 of their own", reply({58: u32(100), 59: u32(200)}), t1=100, t2=200)
A("48c", "our client identifier", reply(more=lambda q: _options((61, b"\1" + q.mac))))
A("49", "names of anything", reply({12: b"a;$(touch x)`\n\0|&", 15: b"\xff\xfe", 17: b"A" * 255, 66: b"'", 67: b"../../x",
  56: b"\n", 119: b"\xc0" * 255}))
A("50", "119 points at itself, forward, round", reply({119: b"\2\xc0\1\0\1\x41\xc0\1\xc0\0"}))
A("50b", "119 of 1,000 octets", reply({119: b"\1a" * 499 + b"\xc0\0"}))
A("51", "MTU 0", reply({26: u16(0)}), mtu=None)
A("51b", "MTU 67", reply({26: u16(67)}), mtu=None)
A("51c", "MTU 575", reply({26: u16(575)}), mtu=None)
A("51d", "MTU 576", reply({26: u16(576)}), mtu=576)
A("51e", "MTU 65535", reply({26: u16(65535)}), mtu=1500)
A("52", "IPv6-only that was not asked for", reply({108: u32(600)}))
A("53", "what may stand once twice", reply(more=_options((_LEASE, u32(60)), (_SID, ips("10.77.0.9")), (_MASK, _bits(8)),
  (_T, b"\6"))))
A("70c", "an OFFER with option 80", reply({80: b""}))


# --- rows of the tables ---------------------------------------------------------------------------------


def _named(row, what):
    return "row %s (%s)" % (row, what)


def _counted(s, before, want, name):
    """Drops since before: exactly those."""
    now = s.drops()
    got = {k: now[k] - before.get(k, 0) for k in now if now[k] != before.get(k, 0)}
    assert got == want, "%s: dropped as %s, expected %s" % (name, got, want)


def _ignored_row(s, row, what, packet, drop, where):
    """Bogus, then good, in both answers: only the good ones may have an effect."""
    before, name = s.drops(), _named(row, what)
    q = s.begin()
    opts = {51: u32(MARK), **packet["opts"]}
    if OFFER in where:
        s.server.send(q, OFFER, dict({"yiaddr": BOGUS}, **dict(packet, opts=opts)))
    s.offer(q)
    q = s.requested()
    if ACK in where:
        s.server.send(q, ACK, dict({"yiaddr": s.good}, **dict(packet, opts=opts)))
    s.ack(q)
    lease = s.bound()["lease"]
    assert lease["valid-lifetime"] == 3600, "%s was taken: %s" % (name, lease)
    _counted(s, before, {drop: len(where) * packet.get("times", 1)} if drop else {}, name)


@test(timeout=90)
def test_client_hostile_ignored(t):
    """Every packet of IGNORED, on one client."""
    s = Stage(t, "--no-probe")
    for row, what, packet, drop, where in IGNORED:
        try:
            _ignored_row(s, row, what, packet, drop, where)
        except AssertionError as e:
            raise AssertionError("%s: %s" % (_named(row, what), e)) from None
    s.end()


def _check_lease(s, state, packet, want):
    """Checks the expected result: the lease is the good one otherwise."""
    lease = state["lease"]
    slop = want.get("slop", 0)
    assert lease["routes"] == want.get("routes", lease["routes"] if "more" in packet else [_DEFAULT]), lease["routes"]
    assert lease["valid-lifetime"] == want.get("lease", 3600), lease
    for key, name in (("t1", "renew-timer"), ("t2", "rebind-timer")):
        if key in want:
            assert abs(lease[name] - want[key]) <= slop, (name, lease[name], want[key])
    assert lease.get("mtu") == want.get("mtu"), lease.get("mtu")
    if "kernel" in want:
        assert want["kernel"] in s.cli.ip("-4", "addr", "show", "cli0"), want["kernel"]


def _of(packet, q, type):
    """The options that hang on the query or the type."""
    r = dict(packet)
    if callable(r.get("area")):
        r["area"] = r["area"](type)
    if callable(r.get("more")):
        r["more"] = r["more"](q)
    return r


def _accepted_row(s, packet, want):
    before, odd = s.drops(), s.c.stats()["odd-source-port"]
    q = s.begin()
    address = want.get("address", s.good)
    s.server.send(q, OFFER, dict({"yiaddr": s.good}, **_of(packet, q, OFFER)))
    q = s.requested(address)
    s.server.send(q, ACK, dict({"yiaddr": s.good}, **_of(packet, q, ACK)))
    _check_lease(s, s.bound(address, want.get("prefix", 24)), packet, want)
    _counted(s, before, {}, "accepted")
    assert s.c.stats()["odd-source-port"] == odd + want.get("odd", 0)


@test(timeout=90)
def test_client_hostile_accepted(t):
    """Every packet of ACCEPTED, on one client; and the link keeps its MTU."""
    s = Stage(t, "--no-probe")
    for row, what, packet, want in ACCEPTED:
        try:
            _accepted_row(s, packet, want)
        except AssertionError as e:
            raise AssertionError("%s: %s" % (_named(row, what), e)) from None
    assert " mtu 1500 " in s.cli.ip("link", "show", "cli0")
    s.end()


# --- scenes: rows that are no single packet -----------------------------------------------------------------

SCENES = []


def scene(row, what):
    """A function of a Stage whose client is in BOUND with a good lease, without probes."""
    def register(fn):
        SCENES.append((row, what, fn))
        return fn
    return register


def _renewing(s, options=None):
    """A lease that is being renewed: the REQUEST."""
    s.lease(options)
    s.server.drain()
    assert s.c.command("renew")["result"] == 0
    q = s.server.wait(REQUEST)
    assert not q.broadcast and q.msg.ciaddr == s.good and q.ip(54) is None
    return q


@scene("2b", "checksums that the kernel left to the hardware")
def _offload(s):
    s.srv.tx_on("srv0")
    q = s.begin()
    s.server.send_kernel(q, OFFER, reply(yiaddr=s.good))
    s.server.send_kernel(s.requested(), ACK, reply(yiaddr=s.good))
    s.bound()
    s.srv.tx_off("srv0")


@scene("9b", "64 kB of options in one frame, and 3 kB")
def _jumbo(s):
    for ns, ifname in ((s.srv, "srv0"), (s.cli, "cli0")):
        ns.ip("link", "set", ifname, "mtu", "65535")
    before = s.drops()
    q = s.begin()
    s.server.send(q, OFFER, reply(more=b"\xe0\xff" + b"a" * 255 + b"\xe1\xff" * 31000))
    s.server.send(q, OFFER, reply({224: b"a" * 3000}))
    s.offer(q)
    s.ack(s.requested())
    s.bound()
    for ns, ifname in ((s.srv, "srv0"), (s.cli, "cli0")):
        ns.ip("link", "set", ifname, "mtu", "1500")
    _counted(s, before, {"FRAME_TRUNCATED": 2}, "jumbo frames")


@scene("9c", "the same to a renewal: fragments that the kernel puts together")
def _fragments(s):
    q, before = _renewing(s), s.drops()
    s.server.send_kernel(q, ACK, reply({224: b"a" * 60000}, yiaddr=s.good), to=s.good)
    s.server.send_kernel(q, ACK, reply({224: b"a" * 1800}, yiaddr=s.good), to=s.good)
    s.ack(q)
    s.bound()
    _counted(s, before, {"FRAME_TRUNCATED": 2}, "long datagrams")


@scene("13g", "datagrams of 0 to 240 octets to a renewal")
def _short(s):
    q, before = _renewing(s), s.drops()
    for n in (0, 1, 7, 100, 239):
        s.server.send(q, ACK, reply(yiaddr=s.good, cut=n))
    s.ack(q)
    s.bound()
    _counted(s, before, {"SHORT": 5}, "short datagrams")


@scene("15", "10,000 good OFFERs: one REQUEST")
def _flood(s):
    q, cpu = s.begin(), s.c.cpu_seconds()
    s.offer(q, times=10000)
    q = s.requested()
    requests = s.c.stats()["sent"]["DHCPREQUEST"]
    assert requests - s.requests == 1 and s.c.state()["state"] == "REQUESTING"
    s.ack(q, times=100)
    s.bound()
    assert s.c.cpu_seconds() - cpu < slack(1)


@scene("30", "the address is on another interface of the host: taken, and told")
def _elsewhere(s):
    s.cli.ip("link", "add", "br7", "type", "bridge")
    s.cli.addr("br7", "10.77.0.222/32")
    q = s.begin()
    s.good = "10.77.0.222"
    s.offer(q)
    s.ack(s.requested())
    s.bound()
    s.c.wait_error("interface br7 has the address too")
    s.cli.ip("link", "del", "br7")


@scene("46", "a lease of a second: gone in time, asked for again after ten")
def _second(s):
    s.lease({51: u32(1)})
    began = time.monotonic()
    wait_for("the address to go", lambda: not s.c.addresses(), slack(3), 0.005)
    assert time.monotonic() - began < slack(1.3)
    assert s.server.poll(0.5) is None
    st = s.c.state()
    assert st["state"] == "INIT" and 7 < st["timers"]["TIMEOUT"] <= 9, st


@scene("54", "two OFFERs, a copy, an OFFER in REQUESTING and in BOUND")
def _offers(s):
    before, q = s.drops(), s.begin()
    s.offer(q)
    s.offer(q)
    s.server.send(q, OFFER, reply({54: ips("10.77.0.2")}, yiaddr=BOGUS, src="10.77.0.2"))
    r = s.requested()
    s.ack(r)
    s.bound()
    s.offer(q, times=3)
    assert s.server.poll(0.05) is None
    _counted(s, before, {"UNEXPECTED": 2}, "OFFERs")


@scene("55", "five copies of the ACK: one lease, no flap")
def _acks(s):
    q = s.begin()
    s.offer(q)
    acks, bound = s.c.stats()["received"]["DHCPACK"], s.c.stats()["states-entered"]["BOUND"]
    s.ack(s.requested(), times=5)
    s.bound()
    st = s.c.stats()
    assert (st["received"]["DHCPACK"], st["states-entered"]["BOUND"]) == (acks + 1, bound + 1), st


@scene("59", "NAK upon NAK: at once, then after 1 s, 2 s")
def _naks(s):
    q, times = s.begin(), []
    for _ in range(3):
        s.offer(q)
        s.server.send(s.requested(), NAK)
        began = time.monotonic()
        q = s.server.wait(DISCOVER)
        times.append(time.monotonic() - began)
    assert times[0] < slack(0.1) and 0.85 < times[1] < slack(1.4) and 1.7 < times[2] < slack(2.7), times
    assert s.c.stats()["received"]["DHCPNAK"] >= 3


@scene("60", "a NAK and an ACK of an old transaction, in BOUND and to a renewal")
def _old(s):
    q = s.begin()
    s.offer(q)
    first = s.requested()
    s.ack(first)
    s.bound()
    s.server.send(first, NAK)
    s.ack(first, {51: u32(MARK)})
    assert s.server.poll(0.05) is None and s.c.state()["state"] == "BOUND"
    before = s.drops()
    assert s.c.command("renew")["result"] == 0
    q = s.server.wait(REQUEST)
    for kind in (NAK, ACK):
        s.server.send(q, kind, reply({51: u32(MARK)}, xid=first.xid))
    s.ack(q)
    assert s.bound()["lease"]["valid-lifetime"] == 3600
    _counted(s, before, {"XID": 2}, "an old transaction")


@scene("60b", "a NAK of ours to the renewal: the address goes, and another is asked for")
def _nak(s):
    q, before = _renewing(s), s.drops()
    s.server.send(q, NAK, reply({54: ips("10.77.0.2")}))
    s.server.send(q, NAK, reply({56: b"no\nmore"}))
    q = s.server.wait(DISCOVER)
    assert q.ip(50) is None
    wait_for("the address to go", lambda: not s.c.addresses(), slack(5))
    _counted(s, before, {"OTHER_SERVER": 1}, "the NAK of another server")
    s.offer(q)
    s.ack(s.requested())
    s.bound()


@scene("62b", "FORCERENEW in BOUND, to a renewal, broadcast and unicast")
def _force(s):
    q = _renewing(s)
    s.ack(q)
    s.bound()
    for xid in (q.xid, 0, 12345):
        s.server.send(q, FORCERENEW, reply(xid=xid, yiaddr="0.0.0.0"))
        s.server.send(q, FORCERENEW, reply(xid=xid, yiaddr="0.0.0.0", eth_dst=dhcp.BROADCAST, dst="255.255.255.255"))
    assert s.server.poll(0.1) is None and s.c.state()["state"] == "BOUND"
    before = s.drops()
    assert s.c.command("renew")["result"] == 0
    q = s.server.wait(REQUEST)
    s.server.send(q, FORCERENEW, reply(yiaddr="0.0.0.0"))
    s.ack(q)
    s.bound()
    _counted(s, before, {"FORCERENEW": 1}, "FORCERENEW")


@scene("65", "silence: DISCOVER at 0, 1 and 3 s, the flag in every other")
def _silence(s):
    q, began = s.begin(), time.monotonic()
    assert q.msg.flags == 0
    times = []
    for flags in (0x8000, 0):
        q = s.server.wait(DISCOVER)
        assert q.msg.flags == flags and q.msg.secs >= 1
        times.append(time.monotonic() - began)
    assert 0.85 < times[0] < slack(1.3) and 2.6 < times[1] < slack(3.5), times


@scene("66", "silence to the renewal: unicast at T1, broadcast from T2, the address goes when the lease ends")
def _mute(s):
    s.lease({51: u32(3), 58: u32(1), 59: u32(2)})
    began = time.monotonic()
    kinds = [s.server.wait(REQUEST).broadcast for _ in range(2)]
    assert kinds == [False, True], kinds
    assert s.c.addresses(), "removed before its time"
    wait_for("the address to go", lambda: not s.c.addresses(), slack(3), 0.005)
    assert 2.5 < time.monotonic() - began < slack(3.4)
    assert s.c.state()["state"] == "INIT"


@scene("67", "the renewal is answered by the partner")
def _partner(s):
    q = _renewing(s)
    s.ack(q, {54: ips("10.77.0.2")}, src="10.77.0.2")
    assert s.bound()["lease"]["server"] == "10.77.0.2"


@scene("68", "the server refuses by ICMP, which anybody can forge: the state stays, every server is asked from T2 only")
def _refused(s):
    s.lease({51: u32(20), 58: u32(10), 59: u32(12)})
    s.server.udp.close()
    s.server.drain()
    ignored = s.c.stats()["icmp-ignored"]
    assert s.c.command("renew")["result"] == 0
    assert not s.server.wait(REQUEST).broadcast
    wait_for("the ICMP message", lambda: s.c.stats()["icmp-ignored"] > ignored, slack(2))
    assert s.c.state()["state"] == "RENEWING" and s.c.addresses() == [s.good + "/24"]
    assert not any("send-failed" in e for e in s.c.errors())


@scene("68b", "the server cannot be reached: asked by broadcast from T2, the address stays")
def _unreachable(s):
    far = {54: ips("203.0.113.9"), 51: u32(6), 58: u32(1), 59: u32(2)}
    q = s.begin()
    s.offer(q, options=far, no=(3,))
    q = s.server.wait(REQUEST)
    s.ack(q, far, no=(3,))
    s.bound()
    s.server.drain()
    q = s.server.wait(REQUEST)
    assert q.broadcast and s.c.state()["state"] == "REBINDING" and s.c.addresses() == [s.good + "/24"]
    s.ack(q, far)
    s.bound()


@test(timeout=120)
def test_client_hostile_scenes(t):
    """Every scene, on one client."""
    s = Stage(t, "--no-probe")
    for row, what, fn in SCENES:
        s.requests = s.c.stats()["sent"].get("DHCPREQUEST", 0)
        began = time.monotonic()
        try:
            fn(s)
        except AssertionError as e:
            raise AssertionError("%s: %s" % (_named(row, what), e)) from None
        if s.server.udp.fileno() < 0:
            s.server.close()
            s.server = HostileServer(s.srv, "srv0")
        assert time.monotonic() - began < slack(6), "%s took too long" % what
    s.end()


# --- ARP ----------------------------------------------------------------------------------------------------
# Packets for `arp` of the server; "own" and "good" stand for the client's MAC and for the address it probes.


def _arp_body(op, sha, spa, tpa, head=(1, 0x0800, 6, 4)):
    return struct.pack("!HHBBH", *head, op) + sha + dhcp.ip4(spa) + bytes(6) + dhcp.ip4(tpa)


def _strange(own, good):
    """Frames that are no conflict while the address is probed: description, octets behind the Ethernet source and type,
    destination, the drop (None: not for the client)."""
    other, every = NOBODY_MAC, dhcp.BROADCAST
    return [
        ("64", "our own reply", own, _arp_body(2, own, good, "0.0.0.0"), every, "ARP_OWN"),
        ("64b", "our own probe", own, _arp_body(1, own, "0.0.0.0", good), every, "ARP_OWN"),
        ("64c", "a reply about another address", other, _arp_body(2, other, "10.77.0.9", good), every, None),
        ("64d", "a request for it by who has an address", other, _arp_body(1, other, "10.77.0.9", good), every, None),
        ("64e", "another's probe for another address", other, _arp_body(1, other, "0.0.0.0", "10.77.0.9"), every, None),
        ("64f", "a probe to us alone, of a switch", other, _arp_body(1, other, "0.0.0.0", good), own, "ARP_OTHER"),
        ("64g", "operation 3", other, _arp_body(3, other, good, good), every, "ARP_MALFORMED"),
        ("64h", "operation 0", other, _arp_body(0, other, good, good), every, "ARP_MALFORMED"),
        ("64i", "41 octets of it", other, _arp_body(2, other, good, good)[:27], every, "ARP_MALFORMED"),
        ("64j", "18 octets of it", other, _arp_body(2, other, good, good)[:4], every, None),
        ("64k", "of a multicast station", other, _arp_body(2, b"\1" * 6, good, good), every, "ARP_MALFORMED"),
        ("64l", "hardware type 6", other, _arp_body(2, other, good, good, (6, 0x0800, 6, 4)), every, "ARP_MALFORMED"),
        ("64m", "IPv6 by its type", other, _arp_body(2, other, good, good, (1, 0x86dd, 6, 4)), every, "ARP_MALFORMED"),
        ("64n", "addresses of 8 octets", other, _arp_body(2, other, good, good, (1, 0x0800, 8, 4)), every, "ARP_MALFORMED"),
        ("64o", "addresses of 16 octets", other, _arp_body(2, other, good, good, (1, 0x0800, 6, 16)), every,
         "ARP_MALFORMED"),
    ]


def _conflicts(own, good):
    router = b"\0\0\x5e\0\1\7"
    return [
        ("64p", "a reply", _arp_body(2, NOBODY_MAC, good, "0.0.0.0"), own),
        ("64q", "an announcement", _arp_body(1, NOBODY_MAC, good, good), dhcp.BROADCAST),
        ("64r", "a request of who has it", _arp_body(1, NOBODY_MAC, good, "10.77.0.9"), dhcp.BROADCAST),
        ("64s", "a virtual router", _arp_body(2, router, good, good), dhcp.BROADCAST),
        ("64t", "another's probe", _arp_body(1, NOBODY_MAC, "0.0.0.0", good), dhcp.BROADCAST),
    ]


def _probed(s, q):
    """Takes the offer to where the first probe is heard: the REQUEST."""
    s.offer(q)
    r = s.requested()
    def heard():
        s.server.poll(0.01)
        return any(a.probe and a.tpa == s.good for a in s.server.arps)
    wait_for("an ARP probe for " + s.good, heard, slack(2))
    return r


@test(timeout=60)
def test_client_hostile_arp(t):
    """The probe: frames that conflict and frames that do not; the pauses behind DECLINEs; then the address is
    defended."""
    s = Stage(t, "--probe", "fast")
    own = dhcp.mac_bytes(s.cli.mac("cli0"))
    q = s.begin()
    r, before = _probed(s, q), s.drops()
    want = {}
    for row, what, src, body, dst, drop in _strange(own, s.good):
        s.server.arp(0, "", sha=src, eth_dst=dst, raw=body)
        if drop:
            want[drop] = want.get(drop, 0) + 1
        assert s.c.state()["state"] == "REQUESTING", _named(row, what)
    s.ack(r)
    s.bound()
    _counted(s, before, want, "ARP that is no conflict")
    pause = 10
    for i in range(len(_conflicts(own, s.good))):
        q = s.begin("renew" if i else "restart")
        _declined(s, q, *_conflicts(own, s.good)[i], pause)
        pause *= 2
    _defended(s, own)
    s.end()


def _declined(s, q, row, what, body, dst, pause):
    """A conflict before the ACK: DECLINE, the address is not used, and there is a pause (row 63)."""
    r = _probed(s, q)
    s.server.arp(0, "", sha=NOBODY_MAC, eth_dst=dst, raw=body)
    s.ack(r)
    d = s.server.wait(DECLINE)
    assert d.broadcast and d.ip(50) == s.good and d.ip(54) == SERVER and d.msg.ciaddr == "0.0.0.0", _named(row, what)
    assert not s.c.addresses(), _named(row, what)
    s.ack(r, times=3)  # row 61: too late
    assert s.server.poll(0.05) is None
    st = s.c.state()
    assert st["state"] == "DECLINED" and pause - 2 < st["timers"]["TIMEOUT"] <= pause, (_named(row, what), st)


def _defended(s, own):
    """Rows 64u to 64x: while it is ours."""
    s.lease(command="renew")
    s.server.arp(1, "0.0.0.0", s.good)
    assert s.server.poll(0.1) is None and s.c.state()["state"] == "BOUND", "a probe of another is no conflict"
    time.sleep(2.2)  # from then on the address is held to be ours
    s.server.drain()
    s.server.arp(2, s.good, sha=own)
    s.server.arp(2, s.good, sha=NOBODY_MAC)
    def announced():
        s.server.poll(0.01)
        return any(a.announcement and a.spa == s.good for a in s.server.arps)
    wait_for("the defence", announced, slack(2))
    assert s.c.state()["state"] == "BOUND" and s.c.addresses() == [s.good + "/24"]
    s.server.arp(2, s.good, sha=NOBODY_MAC)
    d = s.server.wait(DECLINE)
    assert d.ip(50) == s.good
    wait_for("the address to go", lambda: not s.c.addresses(), slack(2))


@test(timeout=60)
def test_client_hostile_reboot(t):
    """Row 69: a kept lease on another network, on a silent one, on its own."""
    s = Stage(t, start=False)
    q = s.start("--no-probe", "--keep-lease")
    for step in ("first", "nak", "silence", "ack"):
        if step != "first":
            s.c.start("-f", "--no-probe", "--keep-lease")
            q = s.server.wait(REQUEST)
            began = time.monotonic()
            assert q.ip(50) == s.good and q.ip(54) is None and q.msg.ciaddr == "0.0.0.0", step
        if step == "nak":
            s.server.send(q, NAK)
        if step in ("nak", "silence"):
            q = s.server.wait(DISCOVER)
            took = time.monotonic() - began
            assert took < slack(0.1) if step == "nak" else 1.5 < took < slack(2.3), (step, took)
            assert q.ip(50) == (None if step == "nak" else s.good), step
            assert not s.c.addresses()
        if step != "ack":
            s.offer(q)
            q = s.requested()
        s.ack(q)
        s.bound()
        assert s.c.end() == 0
        s.server.drain()
    s.server.close()


@test(timeout=60)
def test_client_89_other_interface(t):
    """Another interface of the same host gets good answers to all that is asked: nobody listens there."""
    s = Stage(t, start=False)
    t.lab.veth(s.srv, "srv1", s.cli, "cli1")
    s.srv.addr("srv1", "10.78.0.1/24")
    liar = HostileServer(s.srv, "srv1")
    liar.udp.close()
    q = s.start("--no-probe")

    def lie(q, kind):
        for mac in (q.mac, dhcp.mac_bytes(s.cli.mac("cli1")), dhcp.BROADCAST):
            liar.send(q, kind, reply({51: u32(MARK)}, yiaddr=s.good if kind != OFFER else BOGUS, eth_dst=mac, times=5))
    lie(q, OFFER)
    s.offer(q)
    q = s.requested()
    lie(q, ACK)
    lie(q, NAK)
    time.sleep(0.05)
    s.ack(q)
    assert s.bound()["lease"]["valid-lifetime"] == 3600
    s.server.drain()
    assert s.c.command("renew")["result"] == 0
    q = s.server.wait(REQUEST)
    lie(q, ACK)
    lie(q, NAK)
    time.sleep(0.05)
    assert s.c.state()["state"] == "RENEWING"
    s.ack(q)
    assert s.bound()["lease"]["valid-lifetime"] == 3600
    assert s.drops() == {}, s.drops()
    liar.sock.close()
    s.end()


@test(timeout=60, cases={"answers": True, "is_silent": False})
def test_client_69_gateway(t, answers):
    """The link flaps and no server answers: the address stays if the station that it came through is there, else
    it goes when the DISCOVER leaves. The ARP probes go to that station alone."""
    s = Stage(t, start=False)
    s.offer(s.start("--no-probe"))
    s.ack(s.requested())
    s.bound()
    if not answers:
        s.srv.run("sysctl", "-qw", "net.ipv4.conf.srv0.arp_ignore=8")
    s.srv.ip("link", "set", "srv0", "down")
    wait_for("the loss of the link", lambda: not s.c.state()["link"], slack(5))
    s.server.drain()
    s.srv.ip("link", "set", "srv0", "up")
    q = s.server.wait(REQUEST)
    assert q.ip(50) == s.good and s.c.addresses() == [s.good + "/24"]
    q = s.server.wait(DISCOVER)
    asked = [a for a in s.server.arps if (a.spa, a.tpa) == (s.good, SERVER)]
    assert asked and all(a.eth_dst == s.server.mac for a in asked), "asked by broadcast, or not at all"
    if answers:
        assert s.c.addresses() == [s.good + "/24"]
    else:
        wait_for("the address to go", lambda: not s.c.addresses(), slack(1))
    s.offer(q)
    s.ack(s.requested())
    s.bound()
    assert len(s.c.stats()["drops"]) == 0, s.drops()
    s.end()
