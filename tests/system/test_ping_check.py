# SPDX-License-Identifier: MPL-2.0
"""Kea's hook library ping_check in the program: addresses of hosts that answer, on the link and behind a relay, are not
offered; other clients are not delayed; errors of the network, reloads, kill -9."""

import statistics
import struct
import subprocess
import threading
import time

from lib import dhcp
from lib.client import Client, mac_of
from lib.netns import wait_for
from lib.runner import test
from lib.server import slack, subnet

IP_ICMP, ECHO_REPLY = 1, 0


def _hooks(**parameters):
    return [{"library": "libdhcp_ping_check.so", "parameters": dict({"reply-timeout": int(slack(300))}, **parameters)}]


def _address(n):
    return "10.77.0.%d" % n


def _occupy(t, ns, ifname, addresses, length=24):
    """Gives an interface addresses, which answer there."""
    path = t.lab.path("addresses")
    with open(path, "w", encoding="utf-8") as f:
        f.writelines("addr add %s/%d dev %s\n" % (a, length, ifname) for a in addresses)
    ns.ip("link", "set", ifname, "up")
    ns.run("ip", "-batch", path)


def _discover_all(port, clients):
    for c in clients:
        port.send(c.discover())


def _offers(port, clients, seconds):
    by_xid = {c.xid: c for c in clients}
    return [(by_xid[r.msg.xid], r.msg) for r in port.collect(seconds) if r.msg.type == dhcp.OFFER and r.msg.xid in by_xid]


@test(timeout=120, tags=("asan", "tsan"))
def test_KH_ping_200_offers_half_of_them_occupied(t):
    """Of 200 addresses that are offered at once, hosts have 100: none of these is assigned, and they are declined."""
    port = t.wire()
    cli = t.lab.ns("cli")
    taken = [_address(n) for n in range(10, 210, 2)]
    _occupy(t, cli, "cli0", taken)
    s = t.server(**{"hooks-libraries": _hooks(), "subnet4": [subnet(pool="10.77.0.10 - 10.77.0.209")]})
    clients = [Client(port, mac_of(n, 0x41)) for n in range(1, 201)]
    _discover_all(port, clients)
    offers = _offers(port, clients, slack(2.5))
    got = {o.yiaddr for _, o in offers}
    assert not got & set(taken), "occupied addresses were offered: %s" % sorted(got & set(taken))
    assert len(got) == len(offers) == 100, "%d offers of %d addresses" % (len(offers), len(got))
    assert s.stat("declined-addresses") == 100 == s.stat("subnet[1].declined-addresses")
    assert s.stat("assigned-addresses") == 100
    for c, o in offers:
        port.send(c.request(o))
    acks = {r.msg.yiaddr for r in port.collect(slack(1.5)) if r.msg.type == dhcp.ACK}
    assert acks == got, "%d acknowledged" % len(acks)
    # the pool is used up: the declined addresses are not taken for others
    late = [Client(port, mac_of(n, 0x42)) for n in range(1, 21)]
    _discover_all(port, late)
    assert not _offers(port, late, slack(1))
    # the outcome is on disk
    s.kill()
    s.start(write=False)
    declined = s.ok("lease4-get-by-state", {"state": "declined"})["leases"]
    assert {x["ip-address"] for x in declined} == set(taken)


@test(timeout=60)
def test_KH_ping_next_discover_gets_another(t):
    port = t.wire()
    _occupy(t, t.lab.ns("cli"), "cli0", [_address(10), _address(11)])
    # both time-outs end before the kernel reports that nobody answers ARP, which takes 3 s
    s = t.server(**{"hooks-libraries": _hooks(**{"min-ping-requests": 2, "reply-timeout": min(int(slack(200)), 700)}),
                    "loggers": [{"name": "kea-dhcp4", "severity": "DEBUG", "debuglevel": 99,
                                 "output_options": [{"output": "stdout"}]}]})
    c = Client(port, mac_of(1, 0x43))
    for _ in range(2):
        assert c.offer(timeout=slack(1), tries=1) is None
    began = time.monotonic()
    offer = c.offer(timeout=slack(3), tries=1)
    assert offer and offer.yiaddr == _address(12), offer
    assert time.monotonic() - began >= 0.4, "two requests take two time-outs"
    assert c.select(offer).type == dhcp.ACK
    # the address is its own: no check
    sent = "PING_CHECK_CHANNEL_ECHO_REQUEST_SENT to address "
    assert c.dora().yiaddr == _address(12)
    for line in ("%s%s, id 1, sequence 1" % (sent, _address(10)), "%s%s, id 1, sequence 2" % (sent, _address(11)),
                 "%s%s, id 1, sequence 3" % (sent, _address(12)), "%s%s, id 1, sequence 4" % (sent, _address(12)),
                 "PING_CHECK_MGR_RECEIVED_ECHO_REPLY from %s, id 1, sequence 1" % _address(10),
                 "PING_CHECK_MGR_REPLY_TIMEOUT_EXPIRED for %s, ECHO REQUEST 2 of 2" % _address(12),
                 "PING_CHECK_MGR_LEASE_FREE_TO_USE address %s is free to use" % _address(12),
                 "PING_CHECK_LOAD_OK",
                 "PING_CHECK_MGR_START_PING_CHECK for %s" % _address(12),
                 "DHCP4_SERVER_INITIATED_DECLINE ", "Lease for addr %s has been found to be already in use. The lease "
                 "will be unavailable for 86400 seconds." % _address(11)):
        assert s.logged(line), line
    assert "sequence 5" not in s.log()
    s.conf["hooks-libraries"] = _hooks(**{"min-ping-requests": 0})
    assert s.command("config-set", {"Dhcp4": s.conf})["result"] == 1
    assert s.logged("PING_CHECK_LOAD_ERROR hook library libdhcp_ping_check.so: 'min-ping-requests' must be")
    s.conf["hooks-libraries"] = []
    assert s.command("config-set", {"Dhcp4": s.conf})["result"] == 0
    for line in ("PING_CHECK_MGR_STOPPED", "PING_CHECK_UNLOAD"):
        wait_for(line, lambda: line in s.log())


@test(timeout=60)
def test_KH_ping_relayed(t):
    """Addresses behind a relay are asked for by the routes of the server; ARP is not used for them."""
    port = t.relay_net()
    _occupy(t, t.lab.ns("rel"), "lo", [_address(10)], 32)
    t.server(**{"hooks-libraries": _hooks(**{"arp-check": True})})
    c = Client(port, mac_of(1, 0x44))
    assert c.offer(timeout=slack(1), tries=1) is None
    assert c.dora(timeout=slack(3)).yiaddr == _address(11)


@test(timeout=60)
def test_KH_ping_arp(t):
    """A host that answers ARP and no ping is found with arp-check, and only then."""
    port = t.wire()
    cli = t.lab.ns("cli")
    _occupy(t, cli, "cli0", [_address(10)])
    cli.run("sysctl", "-w", "net.ipv4.icmp_echo_ignore_all=1")
    s = t.server(**{"hooks-libraries": _hooks()})
    assert Client(port, mac_of(1, 0x45)).offer(timeout=slack(2)).yiaddr == _address(10)
    s.conf["hooks-libraries"] = _hooks()
    s.conf["subnet4"][0]["user-context"] = {"ping-check": {"arp-check": True}}
    s.write_conf()
    s.ok("config-reload")
    c = Client(port, mac_of(2, 0x45))
    answers = [c.offer(timeout=slack(2), tries=1) for _ in range(2)]
    assert [a.yiaddr for a in answers if a][-1:] == [_address(11)], answers
    # the first client has not got the offered address yet: whoever asks for it now finds the host
    again = Client(port, mac_of(1, 0x45))
    answer = again.offer(timeout=slack(2), tries=1)
    assert answer is None or answer.yiaddr != _address(10), answer
    assert s.stat("declined-addresses") == 1


def _echo_reply(src, ident, seq):
    """An ICMP echo reply from src to the server."""
    icmp = struct.pack("!BBHHH", ECHO_REPLY, 0, 0, ident, seq)
    icmp = icmp[:2] + struct.pack("!H", dhcp.checksum(icmp)) + icmp[4:]
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(icmp), 7, 0, 64, IP_ICMP, 0, dhcp.ip4(src), dhcp.ip4("10.77.0.1"))
    return ip[:10] + struct.pack("!H", dhcp.checksum(ip)) + ip[12:] + icmp


@test(timeout=60)
def test_KH_ping_foreign_replies(t):
    """Replies with another identifier, sequence number, source or checksum are no answers."""
    port = t.wire()
    t.server(**{"hooks-libraries": _hooks(**{"reply-timeout": int(slack(500))})})
    head = port.server_mac + mac_of(9, 0x46) + b"\x08\x00"
    c = Client(port, mac_of(1, 0x46))
    port.send(c.discover())
    end = time.monotonic() + slack(0.4)
    while time.monotonic() < end:
        for good in (_echo_reply(_address(10), 2, 1), _echo_reply(_address(10), 1, 2), _echo_reply(_address(11), 1, 1),
                     _echo_reply(_address(10), 0, 0)):
            port.send_frame(head + good)
        bad = _echo_reply(_address(10), 1, 1)
        port.send_frame(head + bad[:22] + b"\x12\x34" + bad[24:])
        port.send_frame(head + bad[:24])
        time.sleep(0.02)
    offers = _offers(port, [c], slack(2))
    assert [o.yiaddr for _, o in offers] == [_address(10)], offers
    # one that fits is an answer
    c = Client(port, mac_of(2, 0x46))
    port.send(c.discover())
    end = time.monotonic() + slack(0.2)
    while time.monotonic() < end:
        port.send_frame(head + _echo_reply(_address(11), 1, 2))
        time.sleep(0.02)
    assert not _offers(port, [c], slack(1))


@test(timeout=90)
def test_KH_ping_network_errors(t):
    """Without a way for requests or answers, addresses count as free: at once, or after the time-out."""
    port = t.relay_net()
    srv = t.lab.ns("srv")
    timeout = slack(1)
    s = t.server(**{"hooks-libraries": _hooks(**{"reply-timeout": int(1000 * timeout)})})

    def offer_after(n):
        began = time.monotonic()
        assert Client(port, mac_of(n, 0x47)).offer(timeout=slack(4), tries=1), "no offer"
        return time.monotonic() - began

    assert offer_after(1) >= timeout * 0.95
    # the answers to the relay need their route
    srv.ip("route", "add", "10.77.0.1/32", "via", "10.99.0.2")
    srv.ip("route", "del", "10.77.0.0/24")
    srv.ip("route", "add", "unreachable", "10.77.0.0/24")
    assert offer_after(2) < timeout * 0.9, "unreachable network"
    srv.ip("route", "del", "unreachable", "10.77.0.0/24")
    srv.ip("route", "add", "prohibit", "10.77.0.0/24")
    assert offer_after(3) < timeout * 0.9, "prohibited network"
    srv.ip("route", "del", "prohibit", "10.77.0.0/24")
    srv.ip("route", "add", "10.77.0.0/24", "via", "10.99.0.2")
    srv.run("iptables-legacy", "-A", "OUTPUT", "-p", "icmp", "-j", "DROP")
    assert offer_after(4) < timeout * 0.9, "a filter that drops requests"
    srv.run("iptables-legacy", "-F", "OUTPUT")
    # a router reports that the host is unreachable
    rel = t.lab.ns("rel")
    rel.run("sysctl", "-w", "net.ipv4.ip_forward=1")
    rel.ip("route", "add", "unreachable", "10.77.0.0/24")
    assert offer_after(5) < timeout * 0.9, "an ICMP message that the host is unreachable"
    assert "PING_CHECK_MGR_CHANNEL_DOWN" not in s.log()
    assert s.stat("declined-addresses") == 0


@test(timeout=120, tags=("asan", "tsan"))
def test_KH_ping_reloads_and_kill(t):
    """Reloads while checks run lose no offer of a free address and offer no occupied one; so does kill -9."""
    port = t.wire()
    taken = [_address(n) for n in range(10, 110, 2)]
    _occupy(t, t.lab.ns("cli"), "cli0", taken)
    s = t.server(**{"hooks-libraries": _hooks(**{"min-ping-requests": 2}),
                    "subnet4": [subnet(pool="10.77.0.10 - 10.77.0.109")]})
    done = threading.Event()

    def reload():
        while not done.is_set():
            s.ok("config-reload")
            time.sleep(0.02)

    clients = [Client(port, mac_of(n, 0x48)) for n in range(1, 101)]
    thread = threading.Thread(target=reload)
    thread.start()
    try:
        _discover_all(port, clients)
        offers = _offers(port, clients, slack(3))
    finally:
        done.set()
        thread.join()
    got = {o.yiaddr for _, o in offers}
    assert not got & set(taken), sorted(got & set(taken))
    assert len(got) == 50, "%d offers" % len(got)
    assert s.stat("declined-addresses") == 50
    late = [Client(port, mac_of(n, 0x49)) for n in range(1, 31)]
    s.ok("lease4-wipe", {"subnet-id": 1})
    _discover_all(port, late)
    s.kill()
    s.start(write=False)
    port.drain()
    _discover_all(port, late)
    got = {o.yiaddr for _, o in _offers(port, late, slack(3))}
    assert got and not got & set(taken), sorted(got & set(taken))
    # ends in time while checks run
    _discover_all(port, [Client(port, mac_of(n, 0x4a)) for n in range(1, 31)])
    began = time.monotonic()
    assert s.term() == 0
    assert time.monotonic() - began < slack(3)


@test(timeout=60)
def test_KH_ping_without_capability(t):
    """Without CAP_NET_RAW a configuration with checks is refused, with the reason; one without checks is not."""
    t.wire()
    s = t.server(start=False, **{"hooks-libraries": _hooks(), "interfaces-config": {
        "interfaces": ["srv0"], "dhcp-socket-type": "udp"}})
    drop = ("setpriv", "--bounding-set", "-net_raw", "--inh-caps", "-net_raw")
    s.start(wait=False, wrap=drop)
    assert s.proc.wait(slack(15)) != 0, "it runs"
    assert s.logged("CAP_NET_RAW") and s.logged("libdhcp_ping_check.so"), s.tail()
    s.conf["hooks-libraries"] = _hooks(**{"enable-ping-check": False})
    s.start(wrap=drop)
    s.conf["hooks-libraries"] = _hooks()
    answer = s.command("config-set", {"Dhcp4": s.conf})
    assert answer["result"] == 1 and "CAP_NET_RAW" in answer["text"], answer
    assert s.ok("status-get")


def _latencies(port, n, block):
    """The times of n exchanges of a client, one after the other, in seconds."""
    out = []
    c = Client(port, mac_of(1, block))
    for _ in range(n):
        began = time.monotonic()
        assert c.offer(timeout=slack(3), tries=1), "no offer"
        out.append(time.monotonic() - began)
    return out


@test(timeout=180, alone=True)
def test_KH_ping_others_are_not_delayed(t):
    """The p99 of clients whose addresses are not checked, while others are, beside the same load without checks: the median of
    pairs of rounds, in turn."""
    port = t.wire("10.77.0.1/16")
    srv, side = t.lab.ns("srv"), t.lab.ns("side")
    t.lab.veth(srv, "srv1", side, "side0")
    srv.addr("srv1", "10.78.0.1/24")
    other = t.raw_port(side, "side0", srv, "srv1", "10.78.0.1")
    _occupy(t, t.lab.ns("cli"), "cli0", ["10.77.%d.%d" % (n % 10 + 1, n + 10) for n in range(200)], 16)
    subnets = [subnet("10.77.0.0/16", "10.77.1.0 - 10.77.60.255", **{"user-context": {"ping-check": {}}}),
               subnet("10.78.0.0/24", "10.78.0.10 - 10.78.0.250", id=2,
                      **{"user-context": {"ping-check": {"enable-ping-check": False}}})]
    s = t.server(interfaces=("srv0", "srv1"), **{"hooks-libraries": _hooks(**{"reply-timeout": 100}), "subnet4": subnets})
    s.raise_priority()
    p99 = {True: [], False: []}
    parked = []
    for n in range(12):
        checks = n % 2 == 0
        subnets[0]["user-context"]["ping-check"]["enable-ping-check"] = checks
        s.ok("config-set", {"Dhcp4": s.conf})
        clients = [Client(port, mac_of(n * 256 + k, 0x50)) for k in range(1, 201)]
        before = s.stat("usher-packets-parked")
        load = threading.Thread(target=_discover_all, args=(port, clients))
        load.start()
        times = sorted(_latencies(other, 200, 0x51))
        load.join()
        p99[checks].append(times[int(0.99 * len(times)) - 1])
        time.sleep(0.3)
        port.drain()
        parked.append(s.stat("usher-packets-parked") - before)
    assert min(parked[0::2]) >= 150 and max(parked[1::2]) == 0, parked
    with_checks, without = statistics.median(p99[True]), statistics.median(p99[False])
    # a check that kept a worker waiting would add 100 ms
    assert with_checks <= 2 * without + 0.005, "p99 %.1f ms with checks, %.1f ms without" % (
        1000 * with_checks, 1000 * without)
    print("p99 of others: %.2f ms with checks, %.2f ms without" % (1000 * with_checks, 1000 * without), flush=True)


MISTAKES = {
    "library": lambda c: c["hooks-libraries"][0]["parameters"].update({"reply-timeout": 0}),
    "subnet": lambda c: c["subnet4"][0].update({"user-context": {"ping-check": {"reply-timeout": "0"}}}),
}


@test(timeout=60, cases=MISTAKES)
def test_KH_ping_places_of_mistakes(t, change):
    t.wire()
    s = t.server(start=False, **{"hooks-libraries": _hooks()})
    change(s.conf)
    s.write_conf()
    with open(s.conf_path, encoding="utf-8") as f:
        lines = [n for n, line in enumerate(f, 1) if '"reply-timeout": 0' in line or '"reply-timeout": "0"' in line]
    out = subprocess.run([s.binary, "-t", s.conf_path], capture_output=True, text=True, check=False, timeout=slack(20))
    said = out.stdout + out.stderr
    assert out.returncode != 0 and "%s:%d:" % (s.conf_path, lines[0]) in said and "'reply-timeout'" in said, said
