# SPDX-License-Identifier: MPL-2.0
"""Kea's hook library lease_query in the program: queries of relays and of direct hosts, from requesters and from others;
bulk queries over TCP."""

import socket
import struct
import subprocess
import threading
import time

from lib import dhcp
from lib.client import Client, mac_of, new_xid
from lib.dhcp import Message
from lib.metrics import Text
from lib.netns import wait_for
from lib.runner import test
from lib.server import slack, subnet

QUERY, UNASSIGNED, UNKNOWN, ACTIVE, BULK, DONE = 10, 11, 12, 13, 14, 15
CLIENT_ID, LAST_TRANSACTION, ASSOCIATED = 61, 91, 92


def _hooks(*requesters, **advanced):
    parameters = {"requesters": list(requesters)}
    if advanced:
        parameters["advanced"] = {k.replace("_", "-"): v for k, v in advanced.items()}
    return [{"library": "libdhcp_lease_query.so", "parameters": parameters}]


def _query(address="0.0.0.0", mac=b"", cid=None, giaddr="0.0.0.0"):
    return Message(QUERY, mac, new_xid(), [(CLIENT_ID, cid)] if cid else (), htype=1 if mac else 0, ciaddr=address,
                   giaddr=giaddr)


def _ask(port, timeout=1.0, tries=3, **criterion):
    r = port.exchange(_query(**criterion), (UNASSIGNED, UNKNOWN, ACTIVE), timeout=slack(timeout), tries=tries)
    return r.msg if r else None


def _number(msg, code):
    return struct.unpack("!I", msg.get(code))[0]


@test(timeout=90, tags=("asan", "tsan"))
def test_KH_lease_query_relayed(t):
    """All three criteria from a relay in the list; a relay that is not in the list gets no answer; after kill -9 the
    answers are those of the lease file."""
    rai = b"\x01\x04port\x02\x06remote"
    port = t.relay_net(rai=rai)
    t.lab.ns("rel").addr("lo", "10.77.0.2/32")
    stranger = t.relay_port(t.lab.ns("rel"), "10.77.0.2", "10.99.0.1")
    s = t.server(**{"hooks-libraries": _hooks("10.77.0.1"), "store-extended-info": True})
    port.rai = None
    assert _ask(port, address="10.77.0.10").type == UNASSIGNED
    assert _ask(port, address="10.88.0.10").type == UNKNOWN
    assert _ask(port, mac=mac_of(1, 0x60)).type == UNKNOWN
    port.rai = rai
    cid = b"\x01" + mac_of(1, 0x60)
    ack = Client(port, mac_of(1, 0x60), cid=cid).dora(timeout=slack(1))
    port.rai = None

    def check():
        for criterion in ({"address": ack.yiaddr}, {"mac": mac_of(1, 0x60)}, {"cid": cid}):
            m = _ask(port, **criterion)
            assert m and m.type == ACTIVE, (criterion, m)
            assert (m.ciaddr, m.yiaddr, m.chaddr, m.get(CLIENT_ID)) == (ack.yiaddr, "0.0.0.0", mac_of(1, 0x60), cid), m
            assert m.get(dhcp.RAI) == rai and m.get(ASSOCIATED) is None, m
            assert abs(m.lease_time + _number(m, LAST_TRANSACTION) - ack.lease_time) <= 1, m

    check()
    assert _ask(stranger, timeout=0.5, tries=2, address=ack.yiaddr) is None
    assert s.stat("pkt4-admin-filtered") == 2 == s.stat("drop-lease-query-requester")
    s.kill()
    s.start(write=False)
    check()
    assert s.stat("pkt4-lease-query-response-active-sent") == 3 == s.stat("pkt4-lease-query-received")


@test(timeout=60, tags=("asan",))
def test_KH_lease_query_direct(t):
    """A host on the server's link asks for itself; another one does not get an answer."""
    port = t.wire()
    cli = t.lab.ns("cli")
    cli.addr("cli0", "10.77.0.250/24")
    cli.addr("cli0", "10.77.0.251/24")
    s = t.server(**{"hooks-libraries": _hooks("10.77.0.250")})
    clients = [Client(port, mac_of(n, 0x61)) for n in range(1, 6)]
    acks = [c.dora(timeout=slack(1)) for c in clients]
    host = t.relay_port(cli, "10.77.0.250", "10.77.0.1")
    other = t.relay_port(cli, "10.77.0.251", "10.77.0.1")
    for c, ack in zip(clients, acks):
        m = _ask(host, mac=c.mac)
        assert m and m.type == ACTIVE and m.ciaddr == ack.yiaddr, m
        assert _ask(other, timeout=0.2, tries=1, mac=c.mac) is None
    clients[0].release()
    # another worker may still have the RELEASE
    wait_for("the release", lambda: _ask(host, mac=clients[0].mac).type == UNKNOWN, slack(3))
    # the answers go to giaddr, never to the client
    assert not [r for r in port.collect(0.2) if r.msg.type in (UNASSIGNED, UNKNOWN, ACTIVE) and r.dport != 67]
    # a reload with another list
    s.conf["hooks-libraries"] = _hooks("10.77.0.251/32", "10.80.0.0/16")
    s.ok("config-set", {"Dhcp4": s.conf})
    assert _ask(other, mac=clients[1].mac).type == ACTIVE
    assert _ask(host, timeout=0.2, tries=1, mac=clients[1].mac) is None
    assert s.stat("drop-lease-query-requester") == 6


# --- Bulk queries over TCP (RFC 6926) -----------------------------------------------------------------------------------------


class Bulk:
    """A requester's connection."""

    def __init__(self, ns, server, source=None, port=67, buffer=None):
        with ns:
            self.sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        if buffer:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        self.sock.settimeout(slack(5))
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if source:
            self.sock.bind((source, 0))
        self.sock.connect((server, port))
        self.data = b""

    def send(self, msg):
        self.send_octets(struct.pack("!H", len(msg.encode(0))) + msg.encode(0))

    def send_octets(self, octets):
        self.sock.sendall(octets)

    def recv(self):
        """The next message; None: the server closed the connection."""
        while len(self.data) < 2 or len(self.data) < 2 + struct.unpack("!H", self.data[:2])[0]:
            try:
                more = self.sock.recv(65536)
            except ConnectionResetError:
                return None
            if not more:
                return None
            self.data += more
        n = struct.unpack("!H", self.data[:2])[0]
        message, self.data = dhcp.decode(self.data[2:2 + n]), self.data[2 + n:]
        return message

    def answers(self, msg):
        """The messages of a query: the leases by address, and its end."""
        leases = {}
        while (m := self.recv()) is not None:
            assert m.xid == msg.xid, m
            assert (m.get(dhcp.SERVER_ID) is not None) == (not leases), "the server identifier is in the first message only"
            if m.type == DONE:
                assert (m.ciaddr, m.yiaddr, m.giaddr, m.chaddr) == ("0.0.0.0", "0.0.0.0", "0.0.0.0", b""), m
                return leases, m
            assert m.type == ACTIVE and m.ciaddr not in leases, m
            leases[m.ciaddr] = m
        raise AssertionError("the connection was closed")

    def ask(self, **criterion):
        msg = _bulk(**criterion)
        self.send(msg)
        return self.answers(msg)

    def close(self):
        self.sock.close()


def _bulk(relay=None, remote=None, cid=None, mac=b"", times=(), **fields):
    options = [(CLIENT_ID, cid)] if cid is not None else []
    rai = b"".join(bytes((code, len(v))) + v for code, v in ((12, relay), (2, remote)) if v is not None)
    options += [(code, struct.pack("!I", v)) for code, v in zip((154, 155), times) if v is not None]
    options += fields.pop("options", [])
    if rai:
        options.append((dhcp.RAI, rai))
    return Message(BULK, mac, new_xid(), options, htype=1 if mac else 0, **fields)


def _status(done):
    v = done.get(151)
    return v[0] if v else 0


def _add_leases(s, n, remote=b"remote", relay=b"relay", first=10):
    """Adds n leases of a relay."""
    for k in range(n):
        sub = b"\x02" + bytes((len(remote),)) + remote + b"\x0c" + bytes((len(relay),)) + relay
        s.ok("lease4-add", {"ip-address": "10.77.%d.%d" % ((first + k) >> 8, (first + k) & 255), "hw-address": mac_of(k + first, 0x62).hex(":"),
                            "user-context": {"ISC": {"relay-agent-info": {"sub-options": "0x" + sub.hex()}}}})


def _bulk_server(t, address="10.77.0.1/16", pool="10.77.0.10 - 10.77.20.250", **advanced):
    port = t.wire(address)
    cli = t.lab.ns("cli")
    cli.addr("cli0", "10.77.100.1/16")
    cli.addr("cli0", "10.77.100.2/16")
    values = {"bulk_query_enabled": True, "lease_query_ip": address.split("/")[0]}
    s = t.server(**{"hooks-libraries": _hooks("10.77.100.1", **{**values, **advanced}), "store-extended-info": True,
                    "subnet4": [subnet("10.77.0.0/16", pool)]})
    return s, port, cli


def _events(s, *names):
    text = Text(s.ok("metrics-get")["metrics"])
    return [text.get("usher_hook_events_total", library="libdhcp_lease_query.so", event=n) for n in names]


@test(timeout=120, tags=("asan", "tsan"))
def test_KH_bulk_criteria(t):
    """By relay identifier, remote identifier, hardware address and client identifier; times; mistakes; strangers."""
    s, port, cli = _bulk_server(t, max_leases_per_fetch=5)
    acks = []
    for n in range(1, 9):
        rai = b"\x0c\x02r" + (b"1" if n % 2 else b"2") + b"\x02\x03far"
        c = Client(port, mac_of(n, 0x63), cid=b"\x01" + mac_of(n, 0x63), options=[(dhcp.RAI, rai)])
        acks.append(c.dora(timeout=slack(1)))
    b = Bulk(cli, "10.77.0.1", "10.77.100.1")
    for criterion, expected in (({"relay": b"r1"}, acks[0::2]), ({"relay": b"r2"}, acks[1::2]), ({"remote": b"far"}, acks),
                                ({"mac": mac_of(3, 0x63)}, acks[2:3]), ({"cid": b"\x01" + mac_of(4, 0x63)}, acks[3:4]),
                                ({"relay": b"r"}, []), ({"remote": b"FAR"}, []), ({"mac": mac_of(99, 0x63)}, [])):
        leases, done = b.ask(**criterion)
        assert set(leases) == {a.yiaddr for a in expected} and _status(done) == 0, (criterion, leases)
        for a in expected:
            m = leases[a.yiaddr]
            assert m.chaddr == a.chaddr and m.get(CLIENT_ID) == b"\x01" + a.chaddr and m.get(dhcp.RAI), m
            assert m.lease_time + _number(m, LAST_TRANSACTION) == a.lease_time, m
            assert abs(_number(m, 152) - time.time()) < slack(5), m
    now = int(time.time())
    for times, n in (((now - 3600, None), 8), ((now + 3600, None), 0), ((None, now - 3600), 0), ((now - 3600, now + 60), 8)):
        assert len(b.ask(remote=b"far", times=times)[0]) == n, times
    for criterion, status in (({}, 4), ({"relay": b"r1", "remote": b"far"}, 3), ({"relay": b"r1", "cid": b"\1\2"}, 3),
                              ({"relay": b""}, 3), ({"cid": b"\1"}, 3), ({"relay": b"r1", "yiaddr": "10.0.0.1"}, 3),
                              ({"siaddr": "10.0.0.1"}, 3), ({"ciaddr": "10.0.0.1"}, 3), ({"relay": b"r1", "times": (9, 8)}, 3),
                              ({"relay": b"r1", "times": (1 << 31,)}, 3), ({"relay": b"r1", "options": [(154, b"\0")]}, 3),
                              ({"relay": b"r1", "options": [(221, b"\0")]}, 4)):
        leases, done = b.ask(**criterion)
        assert not leases and _status(done) == status and done.server_id == "10.77.0.1", (criterion, done)
    # several queries at once
    queries = [_bulk(relay=b"r1"), _bulk(remote=b"far"), _bulk(relay=b"r2")]
    for q in queries:
        b.send(q)
    found = {q.xid: set() for q in queries}
    ends = 0
    while ends < 3:
        m = b.recv()
        ends += m.type == DONE
        found[m.xid] |= {m.ciaddr} - {"0.0.0.0"}
    assert [len(found[q.xid]) for q in queries] == [4, 8, 4]
    # in pieces, and an address that may not ask
    msg = _bulk(relay=b"r1")
    octets = struct.pack("!H", len(msg.encode(0))) + msg.encode(0)
    for k in range(0, len(octets), 50):
        b.send_octets(octets[k:k + 50])
        time.sleep(0.01)
    assert len(b.answers(msg)[0]) == 4
    assert Bulk(cli, "10.77.0.1", "10.77.100.2").recv() is None
    assert s.logged("MT_TCP_LISTENER_MGR_STARTED MtTcpListenerMgr started")
    assert _events(s, "bulk-connection-accepted", "bulk-connection-refused", "bulk-query", "bulk-query-refused",
                   "bulk-query-duplicate") == [1, 1, 8 + 4 + 12 + 3 + 1, 12, 0]
    # one that is in progress already is ignored, and the other one is answered once
    twice = _bulk(remote=b"far")
    b.send_octets(2 * (struct.pack("!H", len(twice.encode(0))) + twice.encode(0)))
    assert len(b.answers(twice)[0]) == 8
    assert len(b.ask(relay=b"r1")[0]) == 4
    assert _events(s, "bulk-query-duplicate") == [1]
    s.ok("config-reload")
    assert _events(s, "bulk-connection-accepted", "bulk-query-duplicate") == [1, 1]


JUNK = {
    "empty message": b"\0\0",
    "no message": b"\0\x05hello",
    "another type": struct.pack("!H", 300) + Message(QUERY, mac_of(1), 7).encode(300),
    "a reply": struct.pack("!H", 300) + Message(14, mac_of(1), 7, op=2).encode(300),
    "printable": bytes(range(32, 127)) * 2000,
}


@test(timeout=60, cases=JUNK, tags=("asan",))
def test_KH_bulk_junk(t, octets):
    """Octets that are no query end their connection, and no other one."""
    s, _, cli = _bulk_server(t)
    _add_leases(s, 3)
    good = Bulk(cli, "10.77.0.1", "10.77.100.1")
    bad = [Bulk(cli, "10.77.0.1", "10.77.100.1") for _ in range(5)]
    for b in bad:
        try:
            b.send_octets(octets)
        except OSError:
            pass  # closed meanwhile
        assert b.recv() is None
    assert len(good.ask(relay=b"relay")[0]) == 3
    assert _events(s, "bulk-connection-malformed", "bulk-query") == [5, 1]


@test(timeout=120, tags=("asan", "tsan"))
def test_KH_bulk_bounds(t):
    """max-requester-connections, idle time, a reader that does not read, dripping octets; packets are served meanwhile."""
    idle = 2
    s, port, cli = _bulk_server(t, max_requester_connections=3, max_requester_idle_time=idle, max_concurrent_queries=2)
    _add_leases(s, 200)
    conns = [Bulk(cli, "10.77.0.1", "10.77.100.1") for _ in range(3)]
    for c in conns:
        assert len(c.ask(remote=b"remote")[0]) == 200
    assert Bulk(cli, "10.77.0.1", "10.77.100.1").recv() is None
    conns[0].close()
    deadline = time.monotonic() + slack(3)
    while True:
        slow = Bulk(cli, "10.77.0.1", "10.77.100.1", buffer=4096)
        try:
            slow.send(_bulk(remote=b"nothing"))
            if slow.recv():
                break
        except OSError:
            pass
        assert time.monotonic() < deadline, "no place became free"
        time.sleep(0.05)
    # a reader that asks for everything and reads nothing holds up nobody
    try:
        for _ in range(100):
            slow.send(_bulk(remote=b"remote"))
    except OSError:
        pass
    dripping = conns[1]
    for k in range(10):
        began = time.monotonic()
        assert Client(port, mac_of(k + 1, 0x64)).dora(timeout=slack(1)), "no lease"
        assert time.monotonic() - began < slack(0.5)
        assert len(conns[2].ask(relay=b"relay")[0]) == 200
        try:
            dripping.send_octets(b"\1")
        except OSError:
            pass
        time.sleep(0.3)
    # slow and dripping ones were ended by now; an idle one soon
    assert dripping.recv() is None
    end = time.monotonic() + slack(idle + 3)
    while time.monotonic() < end and slow.recv():
        pass
    assert time.monotonic() < end, "a reader that did not read is still served"
    began = time.monotonic()
    assert conns[2].recv() is None
    assert time.monotonic() - began < slack(idle + 3)
    assert _events(s, "bulk-connection-idle")[0] >= 2


@test(timeout=120, tags=("asan", "tsan"))
def test_KH_bulk_reloads(t):
    """A connection outlives reloads with the same address; other requesters, another port, no bulk queries; kill -9, SIGTERM."""
    s, port, cli = _bulk_server(t)
    _add_leases(s, 300)
    b = Bulk(cli, "10.77.0.1", "10.77.100.1")
    done = threading.Event()

    def reload():
        while not done.is_set():
            s.ok("config-reload")
            time.sleep(0.02)

    thread = threading.Thread(target=reload)
    thread.start()
    try:
        for _ in range(30):
            assert len(b.ask(relay=b"relay")[0]) == 300
    finally:
        done.set()
        thread.join()
    advanced = s.conf["hooks-libraries"][0]["parameters"]["advanced"]
    advanced["lease-query-tcp-port"] = 6767
    s.ok("config-set", {"Dhcp4": s.conf})
    moved = Bulk(cli, "10.77.0.1", "10.77.100.1", port=6767)
    # -t beside the server that has this configuration in effect
    s.write_conf()
    check = t.lab.popen(s.ns, [s.binary, "-t", s.conf_path], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    out = check.communicate(timeout=slack(10))[0]
    assert check.returncode == 0, out
    assert len(moved.ask(relay=b"relay")[0]) == 300
    assert b.recv() is None
    # a refused configuration leaves all as it was
    advanced["lease-query-ip"] = "10.99.99.99"
    answer = s.command("config-set", {"Dhcp4": s.conf})
    assert answer["result"] == 1 and "10.99.99.99, TCP port 6767" in answer["text"], answer
    assert len(moved.ask(relay=b"relay")[0]) == 300
    advanced["lease-query-ip"] = "10.77.0.1"
    s.conf["hooks-libraries"][0]["parameters"]["requesters"] = ["10.77.100.2"]
    s.ok("config-set", {"Dhcp4": s.conf})
    assert moved.recv() is None
    assert len(Bulk(cli, "10.77.0.1", "10.77.100.2", port=6767).ask(relay=b"relay")[0]) == 300
    advanced["bulk-query-enabled"] = False
    s.ok("config-set", {"Dhcp4": s.conf})
    end = time.monotonic() + slack(3)
    while time.monotonic() < end:
        try:
            Bulk(cli, "10.77.0.1", "10.77.100.2", port=6767).close()
        except ConnectionRefusedError:
            break
        time.sleep(0.05)
    assert time.monotonic() < end, "it still listens"
    advanced["bulk-query-enabled"] = True
    s.write_conf()
    s.kill()
    s.start(write=False)
    last = Bulk(cli, "10.77.0.1", "10.77.100.2", port=6767)
    assert len(last.ask(relay=b"relay")[0]) == 300
    last.send(_bulk(relay=b"relay"))
    assert s.term() == 0
