# SPDX-License-Identifier: MPL-2.0
"""The DHCP guard between real hosts: usher-gate is the switch, usher-server the good server, dnsmasq a rogue,
an attacker has raw sockets. Packets that the guard stops must not arrive; those that it lets pass must work."""

import json
import os
import re
import socket
import struct
import subprocess
import time

from lib import dhcp
from lib.client import Client, mac_of
from lib.gate import Gate
from lib.netns import wait_for
from lib.runner import test
from lib.server import slack, subnet
from lib.usher_client import UsherClient

_SERVER = "10.77.0.1"


class _Lan:
    """`srv` on port p0 (trusted), `one`, `two` and `three` on p1 to p3, the gate between them."""

    def __init__(self, t, **config):
        self.t = t
        self.gate_ns = t.lab.ns("gate")
        self.hosts = {}
        for i, name in enumerate(("srv", "one", "two", "three")):
            ns = t.lab.ns(name)
            ifname = "srv0" if name == "srv" else "cli0"
            t.lab.veth(ns, ifname, self.gate_ns, "p%d" % i)
            # a gate sees whole segments only as they are on a wire
            ns.run("ethtool", "-K", ifname, "gro", "off", check=False)
            ns.run("sysctl", "-qw", "net.ipv6.conf.%s.disable_ipv6=1" % ifname, check=False)
            self.hosts[name] = (ns, ifname)
        self.srv = self.hosts["srv"][0]
        self.srv.addr("srv0", _SERVER + "/24")
        self.path = t.lab.path("guard.json")
        self.config = {"ports": [{"name": "p0", "role": "trusted"}], "in-use-time": 1,
                       "bindings": {"file": t.lab.path("bindings"), "interval": 1}}
        self.config.update(config)
        self.gate = None

    def start(self, guarded=True, name="gate"):
        with open(self.path, "w", encoding="utf-8") as f:
            json.dump(self.config, f, indent=1)
        self.gate = Gate(self.t, self.gate_ns, name=name)
        ports = [a for i in range(4) for a in ("-i", "p%d" % i)]
        self.gate.start(*ports, *(("--guard", self.path) if guarded else ()), "--alert-format", "json")
        return self

    def alerts(self, name="gate"):
        with open(self.t.lab.path(name + ".alerts"), encoding="utf-8") as f:
            return f.read()

    def station(self, name):
        ns, ifname = self.hosts[name]
        return self.t.raw_port(ns, ifname, self.srv, "srv0", _SERVER)

    def mac(self, name):
        ns, ifname = self.hosts[name]
        return dhcp.mac_bytes(ns.mac(ifname))

    def ping(self, name, addr, count=2):
        out = self.hosts[name][0].run("ping", "-c", count, "-i", "0.1", "-W", "1", addr, check=False, timeout=slack(20))
        m = re.search(r"(\d+) received", out)
        return int(m.group(1)) if m else 0


def _datagram(eth_src, eth_dst, src, dst, dport=9999, text=b"from afar"):
    return dhcp.frame(text, eth_src, eth_dst, src=src, dst=dst, sport=9999, dport=dport)


def _arp(eth_src, op, sha, spa, tha, tpa, eth_dst=dhcp.BROADCAST):
    return (eth_dst + eth_src + b"\x08\x06" +
            struct.pack("!HHBBH", 1, 0x0800, 6, 4, op) + sha + dhcp.ip4(spa) + tha + dhcp.ip4(tpa)).ljust(60, b"\0")


def _listener(ns, addr, port=9999):
    with ns:
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.bind((addr, port))
    s.settimeout(0.5)
    return s


def _heard(s):
    try:
        return s.recv(2000)
    except (socket.timeout, TimeoutError):
        return None


def _neighbour(ns, addr):
    m = re.search(r"lladdr (\S+)", ns.ip("neigh", "show", addr, check=False))
    return m.group(1) if m else None


def _rogue(t, lan):
    """dnsmasq at `two`, which knows of no other server."""
    ns, ifname = lan.hosts["two"]
    ns.addr(ifname, "10.66.0.1/24")
    log = t.lab.path("rogue.log")
    with open(log, "wb") as out:
        p = t.lab.popen(ns, ["dnsmasq", "-k", "-C", "/dev/null", "-p", "0", "--no-ping", "-i", ifname, "--dhcp-authoritative",
                             "--user=root", "-l", t.lab.path("rogue.leases"), "-x", t.lab.path("rogue.pid"), "--log-dhcp",
                             "--log-facility=-", "-F", "10.66.0.10,10.66.0.50,255.255.255.0,600"],
                        stdin=subprocess.DEVNULL, stdout=out, stderr=out)
    wait_for("the rogue to listen", lambda: p.poll() is not None or re.search(
        r"^\s*\d+: \w+:0043 ", open("/proc/%d/net/udp" % p.pid, encoding="utf-8").read(), re.M), slack(10))
    assert p.poll() is None

    def heard():
        with open(log, encoding="utf-8", errors="replace") as f:
            return "DHCPDISCOVER" in f.read()
    return heard


def _offer(lan, q, xid, mac):
    """Returns the OFFER of a rogue at `two` to a client that asked with xid."""
    me = lan.mac("two")
    m = dhcp.Message(dhcp.OFFER, mac, xid, [(dhcp.SERVER_ID, dhcp.ip4("10.66.0.1")), (dhcp.LEASE, struct.pack("!I", 600))],
                     op=2, yiaddr="10.66.0.99")
    q.send_frame(dhcp.frame(m.encode(), me, src="10.66.0.1", sport=67, dport=68))


@test(timeout=90, tags=("asan",))
def test_guard_rogue_server(t):
    """The rogue is nearer and quicker, hears nothing and is not heard; without the guard both would be."""
    lan = _Lan(t).start()
    heard = _rogue(t, lan)
    t.server()
    c = UsherClient(t, lan.hosts["one"][0]).start("-f", "--no-probe")
    assert c.wait_address(20).startswith("10.77.0."), "the rogue won"
    assert not heard(), "a request came to a client's port"
    assert c.end() == 0
    victim, liar = lan.station("one"), lan.station("two")
    mac = mac_of(7)
    client = Client(victim, mac)

    def answers():
        """Returns the servers whose answers arrive while the rogue keeps on answering, first before anybody asked."""
        client.xid = 0x1234
        victim.drain()
        for i in range(4):
            _offer(lan, liar, client.xid, mac)
            if i == 1:
                victim.send(client.message(dhcp.DISCOVER))
        return {r.msg.server_id for r in victim.collect(0.5) if r.msg.xid == client.xid}
    assert answers() == {_SERVER}
    assert "guard-rogue-server" in lan.alerts() and "10.66.0.1" in lan.alerts()
    said = lan.gate.end()
    assert said["drops"]["drop-guard-rogue-server"] >= 3, said
    # the control: the same switch without the guard
    lan.start(guarded=False, name="plain")
    c = UsherClient(t, lan.hosts["one"][0], name="unguarded").start("-f", "--no-probe")
    wait_for("the rogue to hear a request", heard, slack(10))
    c.end()
    assert "10.66.0.1" in answers()
    lan.gate.end()


@test(timeout=90)
def test_guard_real_clients(t):
    """busybox udhcpc and usher-client: a lease, a renewal, a release, through the guard with option 82."""
    lan = _Lan(t, **{"option-82": {"insert": True, "remote-id": "sw1"}}).start()
    s = t.server()
    ns, ifname = lan.hosts["two"]
    script = t.lab.path("udhcpc.sh")
    with open(script, "w", encoding="utf-8") as f:
        f.write("#!/bin/sh\n[ -n \"$ip\" ] && ip addr replace $ip/24 dev $interface\nexit 0\n")
    os.chmod(script, 0o755)
    with open(t.lab.path("udhcpc.log"), "wb") as log:
        u = t.lab.popen(ns, ["busybox", "udhcpc", "-f", "-i", ifname, "-s", script, "-T", "1", "-t", "10"], stdout=log, stderr=log)
    wait_for("udhcpc's address", lambda: "inet 10.77.0." in ns.ip("-4", "addr", "show", ifname, check=False), slack(20))
    c = UsherClient(t, lan.hosts["one"][0]).start("-f", "--no-probe")
    first = c.wait_address(20)
    assert lan.ping("one", _SERVER) == 2 and lan.ping("two", _SERVER) == 2
    u.send_signal(10)  # renew
    wait_for("udhcpc's renewal", lambda: open(t.lab.path("udhcpc.log"), encoding="utf-8").read().count("obtained") >= 2, slack(10))
    assert lan.ping("two", _SERVER) == 2
    assert first
    said = lan.gate.end()["guard"]
    assert said["bindings-learned"] == 2 and said["bindings-renewed"] >= 1, said
    assert said["agent-options-added"] >= 5, said
    assert s.alive()


@test(timeout=120, tags=("asan",))
def test_guard_starvation(t):
    """A flood of made-up clients gets the leases of its port's limit; the pool of 31 is there for others."""
    lan = _Lan(t, limits={"max-clients": 5, "port-rate": 0}).start()
    s = t.server(subnets=[subnet(pool="10.77.0.10 - 10.77.0.40")])
    flood = lan.station("three")
    got = 0
    for i in range(60):
        c = Client(flood, mac_of(i, 0x55))
        o = c.offer(timeout=0.05, tries=1)
        if o and c.select(o, timeout=0.3, tries=1):
            got += 1
    assert 1 <= got <= 5, "the flood got %d addresses" % got
    for i, name in enumerate(("one", "two")):
        port = lan.station(name)
        for j in range(3):
            Client(port, mac_of(10 * i + j, 0x66)).dora()
    assert "guard-max-clients" in lan.alerts()
    assert len(lan.alerts().splitlines()) < 10, "a flood of alerts"
    said = lan.gate.end()
    assert said["drops"]["drop-guard-max-clients"] >= 50, said
    assert said["guard"]["bindings-learned"] == got + 6, said
    assert s.alive()


@test(timeout=90, tags=("asan",))
def test_guard_arp_and_addresses(t):
    """A spoofed ARP reply does not turn the server's head, a stolen address does not get through."""
    lan = _Lan(t).start()
    t.server()
    c = UsherClient(t, lan.hosts["one"][0]).start("-f", "--no-probe")
    addr = c.wait_address(20).split("/")[0]
    assert lan.ping("one", _SERVER) == 2
    assert lan.ping("srv", addr) == 2
    victim, thief, server = lan.mac("one"), lan.mac("three"), lan.mac("srv")
    bad = lan.station("three")
    for _ in range(5):
        bad.send_frame(_arp(thief, 2, thief, addr, server, _SERVER, server))
        bad.send_frame(_arp(thief, 1, thief, addr, bytes(6), addr))
        bad.send_frame(_arp(thief, 2, victim, addr, server, _SERVER, server))
        # a frame that would make a switch believe that the victim is here
        bad.send_frame(dhcp.BROADCAST + victim + b"\x88\xb5" + bytes(50))
        bad.send_frame(_arp(thief, 2, thief, _SERVER, victim, addr, victim))
    time.sleep(0.2)
    assert dhcp.mac_bytes(_neighbour(lan.srv, addr)) == victim
    assert dhcp.mac_bytes(_neighbour(lan.hosts["one"][0], _SERVER)) == server
    assert lan.ping("srv", addr) == 2, "the victim's frames go elsewhere"
    ear = _listener(lan.srv, _SERVER)
    bad.send_frame(_datagram(thief, server, addr, _SERVER))
    bad.send_frame(_datagram(victim, server, addr, _SERVER))
    bad.send_frame(_datagram(thief, server, "10.77.0.200", _SERVER))
    assert _heard(ear) is None, "a stolen source address arrived"
    lan.station("one").send_frame(_datagram(victim, server, addr, _SERVER))
    assert _heard(ear) == b"from afar"
    ear.close()
    said = lan.gate.end()["drops"]
    assert said["drop-guard-address"] >= 3 and said["drop-guard-arp-address"] >= 10, said
    assert said["drop-guard-arp-mac"] >= 5 and said["drop-guard-in-use"] >= 5, said


@test(timeout=90, tags=("asan",))
def test_guard_moves_and_restarts(t):
    """Renewals and a client at another port work; learnt bindings outlive the gate, also one that was killed."""
    lan = _Lan(t).start()
    t.server()
    here, there = lan.station("one"), lan.station("two")
    c = Client(here, mac_of(1))
    c.dora()
    server = lan.mac("srv")
    ear = _listener(lan.srv, _SERVER)

    def gets_through(port):
        port.send_frame(_datagram(c.mac, server, c.addr, _SERVER))
        return _heard(ear) is not None
    assert gets_through(here) and not gets_through(there)
    assert c.renew().type == dhcp.ACK
    assert c.renew(unicast=False).type == dhcp.ACK
    # a restart in good order
    lan.gate.end()
    lan.start(name="second")
    assert gets_through(here), "the bindings are gone"
    time.sleep(1.2)
    c.port = there
    assert c.reboot().type == dhcp.ACK
    assert gets_through(there) and not gets_through(here)
    # it is saved a second later at the latest, so a kill does no harm
    wait_for("the binding to be saved", lambda: " p2 " in open(t.lab.path("bindings"), encoding="utf-8").read(), slack(5))
    lan.gate.kill()
    lan.start(name="third")
    assert gets_through(there) and not gets_through(here)
    assert c.renew().type == dhcp.ACK
    c.release()
    time.sleep(0.2)
    assert not gets_through(there), "released, and still bound"
    lan.gate.end()
    # a file that is damaged: said, put aside, begun anew
    with open(t.lab.path("bindings"), "r+b") as f:
        f.write(b"#")
    lan.start(name="fourth")
    assert "expected a file that begins with" in lan.gate.log()
    assert os.path.exists(t.lab.path("bindings.damaged"))
    c.dora()
    assert gets_through(there)
    lan.gate.end()
    ear.close()


@test(timeout=90, tags=("asan", "tsan"))
def test_guard_reads_the_servers_leases(t):
    """A gate that saw nothing of how addresses were given asks the server, and keeps asking."""
    lan = _Lan(t).start(guarded=False, name="plain")
    s = t.server()
    here, there = lan.station("one"), lan.station("two")
    c = Client(here, mac_of(1))
    c.dora()
    lan.gate.end()
    lan.config["bindings"] = {"server": s.socket_path, "server-interval": 1}
    lan.start()
    ear = _listener(lan.srv, _SERVER)
    server = lan.mac("srv")

    def gets_through(port):
        port.send_frame(_datagram(c.mac, server, c.addr, _SERVER))
        return _heard(ear) is not None

    def row():
        rows = lan.gate.ctl("bindings", "address=" + c.addr)["bindings"]
        return rows[0] if rows else None
    assert row()["port"] == "any" and row()["hw-address"] == c.mac.hex(":")
    assert gets_through(here) and not gets_through(there)
    assert row()["port"] == "p1" and row()["kind"] == "leased"
    assert lan.gate.ctl("bindings", "port=p2")["bindings"] == []
    assert len(lan.gate.ctl("bindings", "hw-address=" + c.mac.hex(":"))["bindings"]) == 1
    # the server's leases go and come without a packet
    s.command("lease4-del", {"ip-address": c.addr})
    wait_for("the binding to go", lambda: row() is None, slack(10))
    assert not gets_through(here)
    c.dora()
    assert gets_through(here) and row()["port"] == "p1"
    # no server, no change
    s.kill()
    wait_for("the gate to notice", lambda: "asked again and again" in lan.gate.log(), slack(10))
    assert gets_through(here) and not gets_through(there)
    said = lan.gate.end()["guard"]
    assert said["bindings-read"] == 1 and said["bindings-withdrawn"] == 1 and said["server-reads-failed"] >= 1, said
    ear.close()


@test()
def test_guard_refused_configurations(t):
    lan = _Lan(t)
    binary = os.path.join(os.path.dirname(t.binary), "usher-gate")

    def run(config, *more):
        with open(lan.path, "w", encoding="utf-8") as f:
            f.write(config)
        p = subprocess.run(["ip", "netns", "exec", lan.gate_ns.name, binary, "-i", "p0", "-i", "p1", "--socket", "none",
                            "--guard", lan.path, *more],
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=slack(20), check=False)
        return p.returncode, p.stderr
    code, said = run('{"ports": [{"name": "p9", "role": "trusted"}]}')
    assert code == 1 and 'port "p9": the gate has no such interface' in said, said
    code, said = run('{\n "prots": []}')
    assert code == 1 and lan.path + ":2:2: \"prots\": no such key" in said, said
    code, said = run("{}", "-j", "2")
    assert code == 2 and "--guard goes with one worker" in said, said
    with open(t.lab.path("broken"), "w", encoding="utf-8") as f:
        f.write("nonsense")
    code, said = run('{"bindings": {"file": "%s", "refuse-damaged": true}}' % t.lab.path("broken"))
    assert code == 1 and "broken:1: expected a file that begins with" in said, said
