#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""Writes the seed inputs of the wire, server, control and command fuzz targets into corpus/. Always the same
bytes."""
import os
import struct

HERE = os.path.dirname(os.path.abspath(__file__))
MAGIC = bytes.fromhex("63825363")
LEASE_ROUTES = 32  # CLIENT_LEASE_ROUTES


def put(target, name, data):
    path = os.path.join(HERE, "corpus", target)
    os.makedirs(path, exist_ok=True)
    with open(os.path.join(path, "seed-" + name), "wb") as f:
        f.write(data)


def opt(code, data):
    return bytes([code, len(data)]) + data


def message(op, opts, file=b"", sname=b""):
    head = struct.pack("!BBBBIHHIIII", op, 1, 6, 0, 0x12345678, 3, 0x8000, 0, 0, 0, 0)
    chaddr = bytes.fromhex("020000000001") + bytes(10)
    return head + chaddr + sname.ljust(64, b"\0") + file.ljust(128, b"\0") + MAGIC + opts


def csum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def frame(payload, tags=b"", ip_opts=b"", trailer=b""):
    src, dst = bytes(4), b"\xff" * 4
    udp = struct.pack("!HHHH", 68, 67, 8 + len(payload), 0) + payload
    pseudo = src + dst + struct.pack("!BBH", 0, 17, len(udp))
    udp = udp[:6] + struct.pack("!H", csum(pseudo + udp) or 0xFFFF) + udp[8:]
    ihl = 5 + len(ip_opts) // 4
    ip = struct.pack("!BBHHHBBH", 0x40 | ihl, 0, ihl * 4 + len(udp), 0, 0, 64, 17, 0) + src + dst + ip_opts
    ip = ip[:10] + struct.pack("!H", csum(ip)) + ip[12:]
    return b"\xff" * 6 + bytes.fromhex("020000000001") + tags + b"\x08\x00" + ip + udp + trailer


DISCOVER, REQUEST, DECLINE, RELEASE, INFORM = 1, 3, 4, 7, 8
OWN = 129  # the last address that this client was offered


def step(client, mtype, delay=0, kind=0, ciaddr=None, relay=0, cid=True, addr=None, server=None, more=0, tail=b""):
    """One step of fuzz_server: see fuzz_server_next()."""
    bits = (4 if ciaddr is not None else 0) | relay << 3
    which = (1 if cid else 0) | (2 if addr is not None else 0) | (4 if server is not None else 0) | 32 | more
    out = bytes([kind, client | delay << 3, mtype, bits])
    out += b"" if ciaddr is None else bytes([ciaddr])
    out += bytes([which])
    out += b"" if addr is None else bytes([addr])
    out += b"" if server is None else bytes([server])
    return out + tail


def dora(client, **kw):
    return step(client, DISCOVER, **kw) + step(client, REQUEST, addr=OWN, server=1, **kw)


def server_seeds():
    everybody = b"".join(dora(c) for c in range(8))
    put("server", "dora", dora(0))
    put("server", "everybody", everybody + everybody)
    put("server", "relays", b"".join(dora(c, relay=r, cid=c % 2 == 0) for r in (3, 4, 5, 6) for c in range(6)))
    put("server", "renew", dora(1) + step(1, REQUEST, delay=6, ciaddr=OWN, kind=12) + step(1, REQUEST, delay=3, ciaddr=OWN))
    put("server", "reboot", dora(2) + step(2, REQUEST, addr=OWN) + step(5, REQUEST, addr=3) + step(5, REQUEST, addr=20))
    put("server", "release", dora(1) + step(1, RELEASE, ciaddr=OWN, server=1) + dora(6) + dora(7) + everybody)
    put("server", "decline", dora(1) + step(1, DECLINE, addr=OWN, server=1) + everybody + step(1, DISCOVER, delay=6) + everybody)
    put("server", "inform", step(0, INFORM, ciaddr=1) + step(0, INFORM, kind=4))
    put("server", "expire", everybody + b"".join(step(c, DISCOVER, delay=7) for c in range(8)) + everybody)
    put("server", "classes", dora(0, more=16, tail=b"\0") + dora(0, more=16, tail=b"\1") + dora(0, more=16, tail=b"\2"))
    put("server", "agent", dora(0, relay=3, more=128, tail=b"\1") + dora(1, relay=4, more=128, tail=b"\0\6\5\4\xc0\0\2\0"))
    put("server", "send-fails", step(0, DISCOVER, kind=31) + dora(0))
    raw = message(1, opt(53, b"\1") + opt(61, b"\1\2\0\0\0\0\1") + b"\xff")
    put("server", "raw", bytes([160, 0]) + struct.pack("!H", len(raw)) + raw)
    whole = frame(raw)
    put("server", "frame", bytes([224, 0]) + struct.pack("!H", len(whole)) + whole)


def http_request_seeds():
    body = b'{"command": "read", "arguments": {"text": "x", "n": 7}}'
    head = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n"
    user = b"Authorization: Basic dXNlcjpwYXNzd29yZA==\r\n"
    viewer = b"Authorization: Basic dmlld2VyOndvcmQ=\r\n"
    write = b'{"command": "write", "arguments": {"m": {}}, "service": ["dhcp4"]}'
    put("http_request", "command", b"\0" + head % len(body) + b"\r\n" + body)
    put("http_request", "pieces", b"\4" + head % len(body) + b"\r\n" + body)
    put("http_request", "two", b"\0" + (head % len(body) + b"\r\n" + body) * 2)
    put("http_request", "user", b"\1" + head % len(body) + user + b"\r\n" + body)
    put("http_request", "viewer", b"\1" + head % len(write) + viewer + b"\r\n" + write)
    put("http_request", "refused", b"\1" + head % len(body) + b"\r\n" + body)
    put("http_request", "page", b"\0GET / HTTP/1.1\r\nHost: localhost:8000\r\nAccept-Encoding: gzip\r\n\r\n")
    put("http_request", "other_host", b"\0GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n")
    put("http_request", "origin", b"\0" + head % len(body) + b"Origin: http://evil.example\r\n\r\n" + body)
    put("http_request", "open", b"\1GET /open HTTP/1.0\r\n\r\n")
    put("http_request", "chunked", b"\0POST /x HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"%x\r\n" % len(body) + body + b"\r\n0\r\n\r\n")
    put("http_request", "expect", b"\0" + head % len(body) + b"Expect: 100-continue\r\n\r\n" + body)
    put("http_request", "problems", b"\0" + head % 9 + b"\r\n{\"a\" 1 }")
    put("http_request", "half", b"\0" + head % 90 + b"\r\n{")


def control_seeds():
    lease = '"ip-address": "192.0.2.10", "hw-address": "1a:1b:1c:1d:1e:1f", "subnet-id": 1'
    config = '{"Dhcp4": {"valid-lifetime": 100, "subnet4": [{"id": 1, "subnet": "192.0.2.0/24", ' \
             '"pools": [{"pool": "192.0.2.10-192.0.2.19"}]}]}}'
    calls = [
        ("build-report", ""), ("config-get", ""), ("config-hash-get", ""), ("config-reload", ""), ("config-set", config),
        ("config-test", config), ("config-write", '{"filename": "x.json"}'), ("dhcp-disable", '{"max-period": 5, "origin": "user"}'),
        ("dhcp-enable", '{"origin": "ha-partner"}'), ("kea-lfc-start", ""),
        ("lease4-add", "{" + lease + ', "client-id": "01:02:03", "hostname": "a.b", "valid-lft": 60, "expire": 1700000600, '
         '"fqdn-fwd": true, "state": 0, "user-context": {"a": [1]}}'),
        ("lease4-del", '{"ip-address": "192.0.2.10"}'),
        ("lease4-get", '{"identifier-type": "hw-address", "identifier": "1a:1b:1c:1d:1e:1f", "subnet-id": 1}'),
        ("lease4-get-all", '{"subnets": [1, 10]}'), ("lease4-get-by-client-id", '{"client-id": "01:02:03"}'),
        ("lease4-get-by-hostname", '{"hostname": "a.b"}'), ("lease4-get-by-hw-address", '{"hw-address": "1a:1b:1c:1d:1e:1f"}'),
        ("lease4-get-page", '{"from": "start", "limit": 2}'), ("lease4-update", "{" + lease + ', "force-create": true}'),
        ("lease4-wipe", '{"subnet-id": 1}'), ("leases-reclaim", '{"remove": true}'), ("list-commands", ""),
        ("packet-trace-start", '{"hw-address": "02:00:00:00:00:01", "packets": 3}'), ("packet-trace-get", '{"clear": true}'),
        ("packet-trace-stop", ""), ("shutdown", '{"exit-value": 3}'), ("stat-lease4-get", '{"subnet-range": '
         '{"first-subnet-id": 1, "last-subnet-id": 10}}'), ("statistic-get", '{"name": "pkt4-received"}'),
        ("statistic-get-all", ""), ("statistic-reset", '{"name": "drop-no-lease"}'), ("statistic-reset-all", ""),
        ("status-get", ""), ("version-get", "")]
    texts = {n: '{"command": "%s"%s}' % (n, ', "arguments": ' + a if a else "") for n, a in calls}
    for n, t in texts.items():
        put("control", n, b"\7" + t.encode())
    adds = [texts["lease4-add"], texts["lease4-update"], texts["lease4-get-all"], texts["lease4-get-page"],
            texts["stat-lease4-get"], texts["lease4-get"], texts["lease4-del"], texts["config-set"], texts["lease4-get-all"]]
    put("control", "sequence", b"\0" + "\0".join(adds).encode())
    put("control", "comments", b'\2 // a\n # b {\n /* } */ {"command": /* "x" */ "version-get" }')
    for i, part in enumerate(list(texts.values())[i:i + 3] for i in range(0, len(texts), 3)):
        put("command", "requests-%02d" % i, bytes([i]) + b"\0".join(t.encode() for t in part))
    own = '{"a": "x", "b": 1, "c": true, "d": {"k": 1}, "e": [1], "f": null}'
    for n in ("required", "optional", "checks", "alternatives", "empty", "none"):
        put("command", "own-" + n, b"\7" + ('{"command": "own-%s", "arguments": %s}' % (n, own)).encode())
    rows = [b'{"a": 1}', b'{"name": "x", "limit": 1}', b'{"ip-address": "192.0.2.10"}', b'{"subnets": [1]}', b"[]", b"{"]
    put("command", "rows", b"\3" + b"\0".join(bytes([i]) + rows[i % len(rows)] for i in range(60)))
    put("control", "garbage", b"\1GET / HTTP/1.1\r\n\0[1]\0{\0\"x\"\0{\"command\": 7}\0" + b"[" * 70)


APPLY_KINDS = ("open-raw", "open-arp", "open-udp", "set-address", "del-address", "set-routes", "del-routes", "save-lease",
               "delete-lease", "script")


def client_apply_seeds():
    """Requests as struct apply_request lies in memory on x86-64: kind, the length's lie, the member."""
    own, router = 0xc0000232, 0xc0000201

    def request(kind, member, lie=0):
        return bytes([APPLY_KINDS.index(kind) | (0x80 if lie else 0), lie]) + member

    def route(dest, gateway, length):
        return struct.pack("<IIB3x", dest, gateway, length)

    def routes(mask, *r, mtu=0, n=None):
        return struct.pack("<IIHH", own, mask, mtu, len(r) if n is None else n) + b"".join(r)

    def lease(options=b"", mask=0xffffff00, address=own, n_routes=0, routes=b""):
        tlv = b"".join(struct.pack(">BH", c, len(v)) + v for c, v in options) if options else b""
        head = struct.pack("<IIIII6s2xIIIqHHH2x", address, mask, 0xc00002ff, router, router, b"\2\0\0\0\0\1", 3600, 1800,
                           3150, 10 ** 12, 1400, n_routes, len(tlv))
        return head + routes.ljust(12 * LEASE_ROUTES, b"\0") + tlv

    def script(now, reason=1):
        return request("script", struct.pack("<IIII", reason, 1, 0, 7) + now)
    shell = b"() { :;}; touch canary `id` $(id) ;|&<>'\"\\\n"
    names = [(c, shell) for c in (12, 15, 17, 40, 56, 66, 67, 100, 101)] + [(119, b"\3a;b\0\1c\0"), (222, shell)]
    seeds = {
        "open-raw": request("open-raw", b"\1\2\3\4"), "open-arp": request("open-arp", struct.pack("<II", own, router)), "open-arp-0": request("open-arp", struct.pack("<II", own, 255)),
        "open-udp": request("open-udp", bytes(4)), "del-address": request("del-address", bytes(4)),
        "longer": request("del-routes", bytes(4), 1), "delete": request("delete-lease", bytes(4)),
        "save": request("save-lease", struct.pack("<I", 5) + b"lease"),
        "save-4096": request("save-lease", struct.pack("<I", 4096)), "save-4097": request("save-lease", struct.pack("<I", 4097)),
        "script": script(lease([(3, bytes([192, 0, 2, 1])), (6, bytes(8)), (15, b"example.org"), (26, b"\5\xdc")])),
        "script-shell": script(lease(names)), "script-inform": script(lease(names, 0, 0), 5),
        "script-routes": script(lease([(121, b"\0\xc0\0\2\1")], n_routes=1, routes=route(0, router, 0))),
    }
    for i, (a, b, v, n) in enumerate([(own, 0xc00002ff, 60, 24), (own, 0xc0000200, 60, 24), (own, 0, 0xffffffff, 32),
                                      (0x0a010000, 0, 60, 31), (0xc0000200, 0, 60, 24), (0xe0000001, 0, 60, 24),
                                      (own, 0x08080808, 60, 24), (own, own, 60, 32), (own, 0, 0, 24), (own, 0, 60, 0)]):
        seeds["address-%d" % i] = request("set-address", struct.pack("<IIIB3x", a, b, v, n))
    for i, r in enumerate([routes(0xffffff00, route(0, router, 0)), routes(0xffffffff, route(router, 0, 32), route(0, router, 0)),
                           routes(0xffffff00, route(1, router, 0)), routes(0xffffff00, route(0, own, 0)), routes(0xff00ff00),
                           routes(0xffffff00, route(0, 0x7f000001, 0)), routes(0xffffff00, mtu=575), routes(0xffffff00, n=65535)]):
        seeds["routes-%d" % i] = request("set-routes", r)
    for name, data in seeds.items():
        put("client_apply", name, data)


def guard_seeds():
    """Frames on ports: see fuzz_guard.c."""
    server, pool = bytes([10, 0, 0, 1]), bytes([10, 0, 0, 100])

    def mac(n):
        return bytes([2, 0, 0, 0, 0, n])

    def dhcp(n, mtype, op=1, src=bytes(4), opts=b"", yiaddr=bytes(4), ciaddr=bytes(4), eth=None, ports=None, extra=b""):
        m = bytearray(message(op, (opt(53, bytes([mtype])) if mtype else b"") + opts + b"\xff"))
        m[12:16], m[16:20], m[28:34] = ciaddr, yiaddr, mac(n)
        sport, dport = ports or ((67, 68) if op == 2 else (68, 67))
        return ip(src, b"\xff" * 4, 17, struct.pack("!HHHH", sport, dport, 8 + len(m), 0) + bytes(m), eth or mac(n)) + extra

    def ip(src, dst, proto, data, eth, frag=0):
        h = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(data), 7, frag, 64, proto, 0) + src + dst
        return b"\xff" * 6 + eth + b"\x08\0" + h + data

    def arp(eth, op, sha, spa):
        return b"\xff" * 6 + eth + b"\x08\6" + struct.pack("!HHBBH", 1, 0x0800, 6, 4, op) + sha + spa + bytes(6) + server

    def records(bits, *steps):
        return bytes([bits]) + b"".join(struct.pack("!BBH", port | 0x80, pause, len(f)) + f for port, pause, f in steps)
    given = opt(54, server) + opt(51, b"\0\0\0\x3c")
    ask = (1, 0, dhcp(9, 3, opts=opt(50, pool)))
    ack = (0, 0, dhcp(9, 5, 2, server, given, pool, eth=mac(1)))
    rogue = dhcp(9, 2, 2, bytes([10, 0, 0, 66]), given, pool, eth=mac(66))
    mine = ip(pool, server, 17, struct.pack("!HHHH", 1, 2, 12, 0) + b"data", mac(9))
    long_offer = dhcp(9, 2, 2, server, given + opt(43, bytes(255)), pool, eth=mac(66))
    pieces = [ip(server, b"\xff" * 4, 17, long_offer[34:34 + 256], mac(66), 0x2000),
              ip(server, b"\xff" * 4, 17, long_offer[34 + 256:], mac(66), 32)]
    for name, data in {
        "lease": records(0, (1, 0, dhcp(9, 1)), (0, 0, dhcp(9, 2, 2, server, given, pool, eth=mac(1))), ask, ack, (1, 0, mine), (2, 0, mine)),
        "rogue": records(0, ask, (2, 0, rogue), (2, 0, dhcp(9, 0, 2, ports=(67, 67))), (2, 0, dhcp(9, 1, 1, ports=(68, 68)))),
        "fail-open": records(1, (2, 0, rogue[:-40]), (2, 0, rogue), (3, 0, pieces[0]), (3, 1, pieces[1])),
        "pieces": records(0, (2, 0, pieces[0]), (2, 0, pieces[1]), (0, 0, pieces[1]), (0, 0, pieces[0])),
        "renew": records(2, ask, ack, (1, 200, dhcp(9, 3, src=pool, ciaddr=pool)), ack, (1, 0, mine)),
        "move": records(0, ask, ack, (2, 60, ask[2]), ack, (2, 0, mine), (1, 0, mine)),
        "release": records(0, ask, ack, (1, 10, dhcp(9, 7, src=pool, ciaddr=pool)), (1, 0, mine), ask, ack,
                           (1, 10, dhcp(9, 4, opts=opt(50, pool)))),
        "expire": records(0, ask, ack, (1, 255, mine), (1, 255, mine), (1, 255, mine)),
        "agent": records(6, (1, 0, dhcp(9, 1, opts=opt(82, b"\1\1a"))),
                         (0, 0, dhcp(9, 5, 2, server, given + opt(82, b"\1\7memory1\2\6\2m\0\0\0\0"), pool, eth=mac(1)))),
        "arp": records(0, ask, ack, (1, 0, arp(mac(9), 2, mac(9), pool)), (2, 0, arp(mac(8), 2, mac(8), pool)),
                       (2, 0, arp(mac(8), 1, mac(9), pool)), (2, 0, arp(mac(8), 1, mac(8), bytes(4)))),
        "static": records(8, (2, 0, ip(bytes([10, 0, 0, 7]), server, 6, bytes(20), mac(7))), (1, 0, dhcp(7, 3))),
        "clients": records(0, *[(3, 1, dhcp(n, 1)) for n in range(20, 30)]),
        "tagged": records(0, (1, 0, ask[2][:12] + b"\x81\0\0\5" + ask[2][12:]), (2, 0, rogue[:12] + b"\x81\0\0\5" * 3 + rogue[12:])),
    }.items():
        put("guard", name, data)


def lease_query_seeds():
    """Streams of bulk lease queries, each behind its length."""
    def query(opts, hlen=0, ciaddr=0, xid=7):
        head = struct.pack("!BBBBIHHIIII", 1, hlen and 1, hlen, 0, xid, 0, 0, ciaddr, 0, 0, 0)
        octets = head + bytes(range(1, 1 + hlen)).ljust(16, b"\0") + bytes(192) + MAGIC + opt(53, b"\x0e") + opts + b"\xff"
        return struct.pack("!H", len(octets)) + octets

    relay, remote = opt(12, b"relay"), opt(2, b"remote")
    for name, data in {
        "client-id": query(opt(61, b"\1\2\3")), "hardware": query(b"", hlen=6), "relay-id": query(opt(82, relay)),
        "remote-id": query(opt(82, opt(1, b"port") + remote)), "both": query(opt(82, relay + remote)), "all": query(b""),
        "times": query(opt(82, relay) + opt(154, b"\0\0\0\1") + opt(155, b"\0\0\0\2")),
        "late": query(opt(82, relay) + opt(154, b"\x80\0\0\0")), "vss": query(opt(82, relay) + opt(221, b"\xff")),
        "ciaddr": query(opt(82, relay), ciaddr=1), "empty-id": query(opt(82, opt(12, b""))),
        "broken": query(opt(82, b"\x0c\5a")), "many": query(opt(82, relay)) + query(b"", hlen=6, xid=8) + query(b"", xid=9)[:100],
        "empty": b"\0\0", "other-type": query(opt(61, b"\1\2")).replace(b"\x35\1\x0e", b"\x35\1\x0a"),
    }.items():
        put("lease_query", name, data)


def datagram(payload, src, dst, proto=1, frag=0, ip_opts=b""):
    ihl = 5 + len(ip_opts) // 4
    ip = struct.pack("!BBHHHBBH", 0x40 | ihl, 0, ihl * 4 + len(payload), 7, frag, 64, proto, 0) + src + dst + ip_opts
    return ip[:10] + struct.pack("!H", csum(ip)) + ip[12:] + payload


def icmp(kind, code, rest):
    body = bytes([kind, code, 0, 0]) + rest
    return body[:2] + struct.pack("!H", csum(body)) + body[4:]


def icmp_seeds():
    """Datagrams to a raw socket of ICMP: replies, errors with their datagram, and broken ones."""
    us, host, router = bytes([192, 0, 2, 1]), bytes([192, 0, 2, 77]), bytes([198, 51, 100, 1])
    numbers = struct.pack("!HH", 1, 9)
    request = datagram(icmp(8, 0, numbers), us, host)
    for name, data in {
        "reply": datagram(icmp(0, 0, numbers), host, us),
        "reply-data": datagram(icmp(0, 0, numbers + bytes(48)), host, us),
        "reply-options": datagram(icmp(0, 0, numbers), host, us, ip_opts=b"\1\1\1\0"),
        "reply-fragment": datagram(icmp(0, 0, numbers), host, us, frag=0x2000),
        "reply-padding": datagram(icmp(0, 0, numbers), host, us) + bytes(18),
        "reply-code": datagram(icmp(0, 1, numbers), host, us),
        "reply-short": datagram(icmp(0, 0, b"\0\1"), host, us),
        "request": request,
        "unreachable": datagram(icmp(3, 1, bytes(4) + request), router, us),
        "unreachable-cut": datagram(icmp(3, 1, bytes(4) + request[:24]), router, us),
        "unreachable-reply": datagram(icmp(3, 1, bytes(4) + datagram(icmp(0, 0, numbers), host, us)), router, us),
        "unreachable-udp": datagram(icmp(3, 3, bytes(4) + datagram(bytes(8), us, host, 17)), router, us),
        "time-exceeded": datagram(icmp(11, 0, bytes(4) + request), router, us),
    }.items():
        put("icmp", name, data)


def main():
    guard_seeds()
    discover = opt(53, b"\1") + opt(61, b"\1\2\0\0\0\0\1") + opt(55, bytes([1, 3, 6, 15, 51, 119, 121])) + opt(12, b"host")
    agent = opt(82, opt(1, b"circuit") + opt(2, b"remote"))
    messages = {
        "discover": message(1, discover + b"\xff"),
        "relayed": message(1, discover + agent + b"\xff"),
        "no-end": message(1, discover),
        "split": message(1, opt(53, b"\3") + opt(61, b"ab") + opt(61, b"cd") + b"\0\0\xff"),
        "overload": message(2, opt(53, b"\5") + opt(52, b"\3") + opt(43, b"x") + b"\xff",
                            opt(43, b"y") + b"\xff", opt(43, b"z") + b"\xff"),
        "nested-overload": message(2, opt(52, b"\1") + b"\xff", opt(52, b"\2") + b"\xff"),
        "cut-off": message(1, discover + b"\x0c\xff\0"),
        "long": message(2, opt(53, b"\5") + b"".join(opt(43, bytes(255)) for _ in range(3)) + agent + b"\xff"),
    }
    for name, data in messages.items():
        put("dhcp4", name, data)
        put("packet", name, b"\0" + frame(data))
    ack = opt(53, b"\5") + opt(54, bytes([192, 0, 2, 1])) + opt(51, b"\0\0\x0e\x10") + opt(61, b"\1\2\0\0\0\0\1")
    for name, data in {
        "ack": message(2, ack + agent + b"\xff"),
        "pieces": message(2, opt(53, b"\5") + opt(54, b"\xc0\0") + opt(82, b"\1\2a") + opt(54, b"\2\1") +
                          opt(82, b"b") + b"\xff"),
        "overload": message(2, opt(53, b"\5") + opt(52, b"\3") + b"\xff", opt(51, b"\0\0\0\1") + b"\xff",
                            opt(54, b"\1\2\3\4") + b"\xff"),
        "request": message(1, ack + b"\xff"),
    }.items():
        put("load_answer", name, data)
    whole = messages["discover"]
    put("packet", "vlan", b"\0" + frame(whole, bytes.fromhex("81000064")))
    put("packet", "qinq", b"\0" + frame(whole, bytes.fromhex("88a8006481000005")))
    put("packet", "ip-options", b"\0" + frame(whole, ip_opts=b"\1\1\1\0"))
    put("packet", "padding", b"\1" + frame(b"short", trailer=bytes(20)))
    names = b"\7example\3com\0"
    data = [bytes([192, 0, 2, i]) * 2 for i in (1, 2)] + [
        b"text, with comma", names, names + b"\3sub\xc0\0", b"\0\0\0\1", b"\1", b"\x18\x0a\0\0\xc0\0\2\1",
        b"\0\x23\0\x64\x0d" + names + b"\4\xc0\0\2\1\0\1\0\4\3dot\0\3\0\2\x03\x55"[:27],
        b"10.0.0.0/8 - 192.0.2.1, 0.0.0.0/0 - 192.0.2.254", b"192.0.2.1, 192.0.2.2", b"example.com., a\\,b",
        b"100, resolver.example., 192.0.2.1, alpn=dot port=853 | 200, b.", b"1, 3/4", b"'quoted'", b"0a:0b"]
    for i, d in enumerate(data):
        for row in (0, 1, 2, 11, 60, 74, 76, 80, 106, 107, 113, 116, 118, 121, 122, 123):
            if (row + i) % 3 == 0:
                put("options", "%03d-%02d" % (row, i), bytes([row]) + d)
    server_seeds()
    control_seeds()
    http_request_seeds()
    icmp_seeds()
    client_apply_seeds()
    lease_query_seeds()


if __name__ == "__main__":
    main()
