# SPDX-License-Identifier: MPL-2.0
"""The frame around the message: checksums, lengths, addresses, tags, fragments (R1122-01 to -06,
R768-01, ROB-13 to ROB-15, ROB-19, ROB-20, R2131-4.1-01 to -07)."""

import socket
import struct

from lib import dhcp
from lib.client import Client, mac_of, new_xid
from lib.runner import test
from lib.server import slack

OTHER = b"\x02\x99\x99\x99\x99\x99"


def _answers(port, msg, wait=0.4, **kw):
    """Returns the answers to one frame."""
    port.drain()
    port.send(msg, **kw)
    return [r for r in port.collect(slack(wait)) if r.msg.xid == msg.xid]


def _answered(port, n, **kw):
    return bool(_answers(port, Client(port, mac_of(n)).discover(), **kw))


def _silent(port, n, what, **kw):
    assert not _answered(port, n, **kw), "answered: " + what
    assert _answered(port, n), "no answer to the same message in a right frame (%s)" % what


@test(tags=("asan",))
def test_R1122_03_04_R768_01_checksums(t):
    port = t.wire()
    s = t.server()
    _silent(port, 1, "wrong IP checksum", ip_sum=0x1234)
    _silent(port, 2, "wrong UDP checksum", udp_sum=0x1234)
    assert s.stat("drop-ip-checksum") >= 1 and s.stat("drop-udp-checksum") >= 1, "not counted"
    assert _answered(port, 3, udp_sum=0), "UDP checksum 0 is no checksum"


@test(tags=("asan",))
def test_ROB_20_offloaded_checksum(t):
    """A kernel socket over a cable with transmit offload: the checksum is not there yet."""
    port = t.wire()
    t.server()
    cli, srv = t.lab.ns("cli"), t.lab.ns("srv")
    cli.tx_on("cli0")
    srv.tx_on("srv0")
    cli.ip("addr", "add", "10.77.0.9/24", "dev", "cli0")
    c = Client(port, mac_of(1))
    with cli:
        u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        u.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        u.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"cli0")
        u.bind(("", 68))
    for dst in ("255.255.255.255", "10.77.0.1"):
        c.xid = new_xid()
        port.drain()
        u.sendto(c.discover().encode(), (dst, 67))
        assert [r for r in port.collect(slack(0.4)) if r.msg.xid == c.xid], "no answer to an offloaded one to " + dst
    u.close()


@test(tags=("asan",))
def test_R1122_02_05_IP_options_and_padding(t):
    port = t.wire()
    t.server()
    assert _answered(port, 1, ip_options=b"\x01" * 4)
    assert _answered(port, 2, ip_options=b"\x94\x04\0\0" + b"\x01" * 36)
    # a minimal message and padding behind the datagram that looks like an option: not part of it
    c = Client(port, mac_of(3))
    m = c.message(dhcp.DISCOVER)
    payload = m.encode(pad=0)[:-1]
    want = dhcp.encode_options([(dhcp.REQUESTED, dhcp.ip4("10.77.0.200"))]) + b"\xff"
    got = [r for r in _answers(port, m, payload=payload + b"\xff", trailer=want)]
    assert got and got[0].msg.yiaddr != "10.77.0.200", "padding was read: %r" % got
    c2 = Client(port, mac_of(4))
    m2 = c2.message(dhcp.DISCOVER)
    # without END in the datagram the options end with it
    for r in _answers(port, m2, payload=m2.encode(pad=0)[:-1], trailer=want):
        assert r.msg.yiaddr != "10.77.0.200", "padding was read"


@test(tags=("asan",))
def test_R1122_06_other_address_or_port(t):
    port = t.wire()
    t.server()
    mac = port.server_mac
    _silent(port, 1, "datagram for 10.77.0.99", dst="10.77.0.99", eth_dst=mac)
    _silent(port, 2, "datagram for 8.8.8.8", dst="8.8.8.8", eth_dst=mac)
    for n, dport in enumerate((6767, 68, 66, 0, 546)):
        _silent(port, 10 + n, "port %d" % dport, dport=dport)
    _silent(port, 3, "TCP", proto=6)
    _silent(port, 4, "ARP type", ethertype=0x0806)
    assert _answered(port, 5, dst="10.77.0.1", eth_dst=mac), "unicast to the server's own address"
    assert _answered(port, 6, dst="10.77.0.255"), "directed broadcast"


@test(tags=("asan",))
def test_ROB_19_frame_for_another_station(t):
    port = t.wire()
    t.server()
    _silent(port, 1, "a frame for another MAC", eth_dst=OTHER)
    _silent(port, 2, "a frame for another MAC with our IP", eth_dst=OTHER, dst="10.77.0.1")
    t.lab.ns("srv").ip("link", "set", "srv0", "promisc", "on")
    _silent(port, 3, "a frame for another MAC, promiscuous", eth_dst=OTHER)


@test(tags=("asan",))
def test_ROB_13_lengths_that_lie(t):
    port = t.wire()
    s = t.server()
    m = Client(port, mac_of(1)).discover()
    size = len(m.encode())
    for kw in ([{"ip_len": n} for n in (0, 1, 19, 20, 27, 28, 28 + size + 1, 1500, 65535)]
               + [{"udp_len": n} for n in (0, 7, 8, 100, 8 + size + 1, 65535)]
               + [{"ihl": n} for n in (0, 1, 4, 6, 15)]):
        port.drain()
        port.send(m, **kw)
        # shorter than the datagram is legal where the rest is padding, and the message is then cut short
        got = port.collect(slack(0.05))
        lies_long = kw.get("ip_len", 0) > 28 + size or kw.get("udp_len", 0) > 8 + size
        assert not (lies_long and got), "answered: %r" % kw
    assert s.alive()
    assert _answered(port, 2)


@test(tags=("asan",))
def test_ROB_14_fragments(t):
    """Overlapping, duplicate, single: none is answered, none harms. A whole datagram is."""
    port = t.wire()
    s = t.server()
    c = Client(port, mac_of(1))
    whole = dhcp.frame(c.discover().encode(), eth_src=c.mac, ident=77)
    body = whole[34:]

    def fragment(offset, data, more):
        ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(data), 77, (0x2000 if more else 0) | offset // 8, 64, 17, 0,
                         bytes(4), b"\xff" * 4)
        ip = ip[:10] + struct.pack("!H", dhcp.checksum(ip)) + ip[12:]
        return whole[:14] + ip + data

    port.drain()
    for frames in ([fragment(0, body[:160], True), fragment(160, body[160:], False)],
                   [fragment(0, body[:160], True), fragment(80, body[80:240], True), fragment(160, body[160:], False)],
                   [fragment(0, body, True)] * 20, [fragment(65528, body[:16], False)] * 5,
                   [fragment(8, body[8:], False)]):
        for f in frames:
            port.send_frame(f)
    got = [r for r in port.collect(slack(0.4)) if r.msg.xid == c.xid]
    assert not got, "%d answers to fragments" % len(got)
    assert s.stat("drop-ip-fragment") > 0, "not counted"
    assert s.alive() and _answered(port, 2)


@test(tags=("asan",))
def test_ROB_15_tags_and_runts(t):
    port = t.wire()
    s = t.server()
    m = Client(port, mac_of(1)).discover()
    for tags in (b"\x81\0\0\x05", b"\x88\xa8\0\x05\x81\0\0\x06", b"\x81\0\0\x05" * 8, b"\x81\0"):
        port.send(m, tags=tags)
    data = dhcp.frame(m.encode(), eth_src=m.chaddr)
    for n in list(range(14, 60)) + [100, 200, 281, 282]:
        port.send_frame(data[:n])
    port.drain()
    assert s.alive()
    # priority tagged frames (VLAN 0) are untagged ones
    assert _answered(port, 3, tags=b"\x81\0\xe0\0"), "priority tag"
    assert _answered(port, 2)


@test(tags=("asan",))
def test_R1122_01_R2131_4_1_headers_of_answers(t):
    """Addresses, ports, TTL of OFFER, ACK and NAK, broadcast flag set and clear."""
    port = t.wire()
    t.server()
    srv_mac = port.server_mac
    for n, flags in ((1, 0), (2, 0x8000)):
        c = Client(port, mac_of(n), flags=flags)
        got = _answers(port, c.discover())
        assert len(got) == 1, "%d answers to one DISCOVER" % len(got)
        r = got[0]
        assert r.src == "10.77.0.1" and r.sport == 67 and r.dport == 68 and r.eth_src == srv_mac and r.ttl >= 16
        if flags:
            assert r.dst == "255.255.255.255" and r.eth_dst == dhcp.BROADCAST
        else:
            assert r.dst == r.msg.yiaddr and r.eth_dst == c.mac
        assert r.size <= 576 and r.msg.xid == c.xid and r.msg.flags == flags
    # chaddr, not the frame's source, is the client
    c = Client(port, mac_of(3))
    r = _answers(port, c.discover(), eth_src=OTHER)[0]
    assert r.eth_dst == c.mac, "the frame went to %s" % r.eth_dst.hex(":")
    # a NAK is broadcast
    c = Client(port, mac_of(4))
    got = _answers(port, c.message(dhcp.REQUEST, [(dhcp.REQUESTED, dhcp.ip4("192.168.3.4"))]))
    assert got and got[0].msg.type == dhcp.NAK and got[0].dst == "255.255.255.255" and got[0].eth_dst == dhcp.BROADCAST


@test(tags=("asan",))
def test_R2131_2_04_replies_and_other_ops_are_ignored(t):
    port = t.wire()
    t.server()
    for n, op in enumerate((2, 0, 3, 255)):
        m = Client(port, mac_of(n)).discover()
        m.op = op
        assert not _answers(port, m, wait=0.2), "op %d was answered" % op
    m = Client(port, mac_of(9)).discover()
    for cookie in (bytes(4), b"\x63\x82\x53\x62"):
        payload = m.encode()
        assert not _answers(port, m, wait=0.2, payload=payload[:236] + cookie + payload[240:]), "wrong cookie"
    assert _answered(port, 9)
