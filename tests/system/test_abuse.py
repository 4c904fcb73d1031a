# SPDX-License-Identifier: MPL-2.0
"""One host, one client of the control channel, one output or one signal cannot disturb the service for others.
Each queue that several parties share has its bound (ARCHITECTURE.md)."""

import json
import os
import signal
import socket
import struct
import threading
import time

from lib import dhcp
from lib.client import Client, RawPort, mac_of, new_xid
from lib.netns import wait_for
from lib.runner import test
from lib.server import slack, subnet


def _ends(s):
    """Seconds until SIGTERM has ended the process."""
    start = time.monotonic()
    s.term()
    return time.monotonic() - start


def _served(port, n):
    try:
        return Client(port, mac_of(n)).dora(tries=1, timeout=0.5)
    except AssertionError:
        return None


@test()
def test_H7_a_fifo_that_nobody_reads(t):
    """A log output that takes nothing: the server still answers, and SIGTERM still works."""
    port = t.wire()
    fifo = t.lab.path("fifo.log")
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    s = t.server(loggers=[{"name": "kea-dhcp4", "severity": "DEBUG", "debuglevel": 99,
                           "output-options": [{"output": fifo}]}], start=False)
    s.start(wait=False)
    wait_for("the server to answer", lambda: _served(port, 1), slack(10))
    for n in range(2, 400):
        Client(port, mac_of(n % 200)).dora()
    assert _ends(s) < slack(1.0)
    os.close(reader)


@test()
def test_H12_signals_that_mean_nothing(t):
    port = t.wire()
    s = t.server()
    for sig in (signal.SIGUSR2, signal.SIGQUIT, signal.SIGALRM, signal.SIGVTALRM, signal.SIGPROF, signal.SIGIO,
                signal.SIGPWR, signal.SIGPIPE, signal.SIGRTMIN + 3):
        s.proc.send_signal(sig)
        time.sleep(0.02)
    Client(port, mac_of(1)).dora()
    assert s.alive()
    assert _ends(s) < slack(1.0)


@test(cases={"raw": "raw", "udp": "udp"})
def test_H1_hosts_that_do_not_answer_arp(t, mode):
    """300 queries a second for relays that are not there cost nobody his renewals. Raw sockets send the answer to the station
    that the query came from; UDP sockets send through the kernel, which waits for ARP."""
    relays = {"ip-addresses": ["10.77.0.1"] + ["10.99.0.%d" % n for n in range(200, 203)]}
    port = t.relay_net()
    s = t.server(**{"interfaces-config": {"interfaces": ["srv0"], "dhcp-socket-type": mode}}, subnets=[subnet(relay=relays)])
    clients = [Client(port, mac_of(n)) for n in range(20)]
    for c in clients:
        c.dora()
    stop = threading.Event()

    def flood():
        n = 0
        while not stop.is_set():
            m = dhcp.Message(dhcp.DISCOVER, mac_of(n % 50, 0x66), new_xid())
            m.giaddr, m.hops = "10.99.0.%d" % (200 + n % 3), 1
            port.send_payload(m.encode())
            n += 1
            time.sleep(1 / 300)

    thread = threading.Thread(target=flood)
    thread.start()
    try:
        good = total = 0
        end = time.monotonic() + 4
        while time.monotonic() < end:
            for c in clients:
                total += 1
                good += c.renew(tries=1, unicast=False) is not None
    finally:
        stop.set()
        thread.join()
    assert good >= 0.99 * total, "%d of %d renewals answered" % (good, total)
    assert s.stat("drop-send-failed") == 0


def _vlan_frame(frame, *tags):
    head = b"".join(struct.pack("!HH", tpid, tci) for tpid, tci in tags)
    return frame[:12] + head + frame[12:]


@test()
def test_G5_tagged_frames_on_the_parent(t):
    """Frames of a VLAN that come to the trunk's interface are not of the trunk's subnet."""
    port = t.wire()
    s = t.server()
    m = dhcp.Message(dhcp.DISCOVER, mac_of(1), new_xid())
    frame = dhcp.frame(m.encode(), eth_src=mac_of(1))
    before = s.stat("drop-other-vlan")
    for tags in (((0x8100, 7),), ((0x8100, 0x6000 | 7),), ((0x88A8, 7), (0x8100, 8)), ((0x8100, 0), (0x8100, 7))):
        port.send_frame(_vlan_frame(frame, *tags))
    wait_for("four drops", lambda: s.stat("drop-other-vlan") >= before + 4, slack(3))
    port.send_frame(_vlan_frame(frame, (0x8100, 0x6000)))
    wait_for("an answer to a priority tag", lambda: s.stat("pkt4-offer-sent") == 1, slack(3))


@test()
def test_G7_each_origin_of_dhcp_disable_has_its_end(t):
    port = t.wire()
    s = t.server()
    s.ok("dhcp-disable", {"origin": "user"})
    s.ok("dhcp-disable", {"origin": "ha-partner", "max-period": 1})
    time.sleep(1.5)
    assert s.ok("status-get")["dhcp-state"]["globally-disabled"], "enabled against the user's wish"
    s.ok("dhcp-disable", {"origin": "ha-partner", "max-period": 1})
    s.ok("dhcp-enable", {"origin": "user"})
    wait_for("the other origin's end", lambda: _served(port, 1), slack(5))


@test()
def test_G8_a_reload_changes_the_sockets(t):
    t.wire()
    s = t.server()
    conf = json.loads(json.dumps(s.conf))
    s.write_conf(conf)
    before = s.log().count("DHCP4_OPEN_SOCKET listening on interface srv0,")
    conf["interfaces-config"] = {"interfaces": ["srv0"], "dhcp-socket-type": "udp"}
    s.write_conf(conf)
    s.ok("config-reload")
    wait_for("a new socket", lambda: s.log().count("DHCP4_OPEN_SOCKET listening on interface srv0,") == before + 1, slack(3))
    s.ok("config-reload")
    time.sleep(0.3)
    assert s.log().count("DHCP4_OPEN_SOCKET listening on interface srv0,") == before + 1, "opened again for nothing"


@test()
def test_G9_reloads_do_not_put_housekeeping_off(t):
    port = t.wire()
    s = t.server(**{"valid-lifetime": 1, "min-valid-lifetime": 1, "max-valid-lifetime": 1,
                    "expired-leases-processing": {"reclaim-timer-wait-time": 2, "hold-reclaimed-time": 0,
                                                  "flush-reclaimed-timer-wait-time": 2}})
    c = Client(port, mac_of(1))
    c.dora()
    end = time.monotonic() + slack(8)
    while s.stat("reclaimed-leases") == 0 and time.monotonic() < end:
        s.ok("config-reload")
        time.sleep(0.4)
    assert s.stat("reclaimed-leases") == 1


@test()
def test_H9_half_open_connections(t):
    """200 connections that say nothing: every command is answered."""
    t.wire()
    s = t.server()
    held = []

    def connect():
        try:
            return s.connect()
        except BlockingIOError:  # the backlog is full: the server is about to take it
            return None

    for _ in range(200):
        wait_for("a connection", lambda: held.append(connect()) or held[-1], slack(5))
    for _ in range(50):
        s.ok("list-commands")
    for c in filter(None, held):
        c.close()


@test(timeout=120)
def test_H5_a_large_answer_costs_no_memory(t):
    """100,000 leases are listed to ten slow readers."""
    t.wire("10.64.0.1/12")
    s = t.server(subnets=[subnet("10.64.0.0/12", "10.65.0.0 - 10.79.255.255")], start=False)
    with open(os.path.join(s.dir, "leases.csv"), "w") as f:
        f.write("address,hwaddr,client_id,valid_lifetime,expire,subnet_id,fqdn_fwd,fqdn_rev,hostname,state,"
                "user_context,pool_id\n")
        for n in range(100000):
            f.write("10.%d.%d.%d,02:00:00:%02x:%02x:%02x,,360000,4000000000,1,0,0,host%d,0,,0\n" % (
                65 + (n >> 16), n >> 8 & 255, n & 255, n >> 16, n >> 8 & 255, n & 255, n))
    s.start()
    before = s.rss_kib()
    slow = []
    for _ in range(10):
        c = s.connect()
        c.sendall(b'{"command": "lease4-get-all"}')
        slow.append(c)
    parts = []
    with s.connect(timeout=slack(30)) as c:
        c.sendall(b'{"command": "lease4-get-all"}')
        while part := c.recv(1 << 20):
            parts.append(part)
    answer = json.loads(b"".join(parts))
    assert answer["result"] == 0 and len(answer["arguments"]["leases"]) == 100000
    assert s.rss_kib() - before < 15000, "%d KiB more" % (s.rss_kib() - before)
    for c in slow:
        c.close()


@test()
def test_H10_config_write_replaces_configurations_only(t):
    t.wire()
    s = t.server()
    with open(os.path.join(s.dir, "other.conf"), "w") as f:
        f.write("# a configuration\n{}\n")
    os.chmod(os.path.join(s.dir, "other.conf"), 0o600)
    s.ok("config-write", {"filename": "other.conf"})
    assert os.stat(os.path.join(s.dir, "other.conf")).st_mode & 0o7777 == 0o600, "the mode changed"
    s.ok("config-write", {"filename": "new.conf"})
    with open(os.path.join(s.dir, "lib.so"), "wb") as f:
        f.write(b"\x7fELF library")
    for name in ("ctl", "leases.csv", "lib.so", "log", "two\nlines", "../x"):
        path = os.path.join(s.dir, name)
        before = open(path, "rb").read() if os.path.isfile(path) and name != "log" else None
        r = s.command("config-write", {"filename": name})
        assert r["result"] == 1, "%r was written: %s" % (name, r)
        assert name != "../x" or r["text"].startswith("not allowed to write config into ../x: "), r
        if before is not None:
            assert open(path, "rb").read() == before, "%s changed" % name
    s.ok("list-commands")


@test()
def test_G16_octets_that_are_no_text(t):
    """Host names with octets above 127, from a client and from a lease file, leave the answers of commands readable."""
    port = t.wire()
    s = t.server(start=False)
    with open(s.lease_path, "wb") as f:
        f.write(b"address,hwaddr,client_id,valid_lifetime,expire,subnet_id,fqdn_fwd,fqdn_rev,hostname,state,user_context,pool_id\n")
        f.write(b"10.77.0.99,02:10:00:00:00:63,,3600,%d,1,0,0,caf\xe9\xff\xc3\xa9,0,,0\n" % (time.time() + 3600))
    s.start()
    Client(port, mac_of(1), options=[(12, b"caf\xe9\xff\xc3\xa9")]).dora()
    answer = json.loads(s.raw(b'{"command": "lease4-get-all"}').decode("utf-8"))
    names = {lease["ip-address"]: lease["hostname"] for lease in answer["arguments"]["leases"]}
    assert len(names) == 2 and names["10.77.0.99"] == "caf\u00e9\u00ff\u00e9", names


@test()
def test_G16_usherctl_keeps_addresses_of_digits(t):
    port = t.wire()
    s = t.server()
    c = Client(port, b"\x00\x11\x22\x33\x44\x55")
    c.dora()
    r = t.lab.ns("srv").run(os.path.join(os.path.dirname(t.options.binary), "usherctl"), "-s", s.socket_path,
                            "--json", "lease4-get-by-hw-address", "hw-address=001122334455", check=False)
    assert c.addr in r, r


def _queued(s):
    """Octets in the fullest receive queue of a packet socket of the server."""
    with open("/proc/%d/net/packet" % s.proc.pid, encoding="utf-8") as f:
        return max(int(line.split()[6]) for line in f.readlines()[1:])


@test()
def test_H13_clients_with_leases_first(t):
    """A server that was held up finds its queue more than half full of DISCOVERs: those are dropped by name, and all
    that ask for their leases behind them are answered."""
    port = t.wire("10.64.0.1/12")
    s = t.server(subnets=[subnet("10.64.0.0/12", "10.65.0.0 - 10.79.255.255")],
                 loggers=[{"name": "kea-dhcp4", "severity": "WARN", "output-options": [{"output": "stdout"}]}],
                 **{"multi-threading": {"enable-multi-threading": True, "thread-pool-size": 1}})
    clients = [Client(port, mac_of(n)) for n in range(20)]
    for c in clients:
        c.dora()
    frames = [dhcp.frame(dhcp.Message(dhcp.DISCOVER, mac_of(n, 0x44), new_xid()).encode(), eth_src=mac_of(n, 0x44))
              for n in range(200)]
    s.proc.send_signal(signal.SIGSTOP)
    n = 0
    while _queued(s) < 9 << 20:  # of 16 MiB
        for _ in range(500):
            port.send_frame(frames[n % 200])
            n += 1
        assert n < 60000, "the queue holds %d octets" % _queued(s)
    port.drain()
    for c in clients:
        c.xid = new_xid()
        port.send(c.message(dhcp.REQUEST, ciaddr=c.addr))
    s.proc.send_signal(signal.SIGCONT)
    waiting = {c.xid for c in clients}
    end = time.monotonic() + slack(10)
    while waiting and time.monotonic() < end:
        m = port.recv(0.1)
        if m and m.msg.type == dhcp.ACK:
            waiting.discard(m.msg.xid)
    assert not waiting, "%d of %d renewals were lost" % (len(waiting), len(clients))
    assert s.stat("drop-overload") > 0
    assert s.stat("drop-overload") < n, "not one DISCOVER was served"
    assert s.logged("DHCP4_PACKET_QUEUE_FULL")


@test(cases={"configuration": "configuration", "script": "script", "library": "library", "log": "log"})
def test_H7_a_file_that_does_not_open(t, kind):
    """A reload meets a FIFO, as long as nobody is at its other end a file that hangs: packets are answered, and SIGTERM
    ends the server in time."""
    port = t.wire()
    s = t.server()
    fifo = t.lab.path("fifo.so")
    os.mkfifo(fifo)
    conf = json.loads(json.dumps(s.conf))
    if kind == "configuration":
        os.rename(s.conf_path, s.conf_path + ".old")
        os.mkfifo(s.conf_path)
    elif kind == "script":
        conf["hooks-libraries"] = [{"library": "lua", "parameters": {"script": fifo}}]
    elif kind == "library":
        conf["hooks-libraries"] = [{"library": fifo}]
    else:
        conf["loggers"] = [{"name": "kea-dhcp4", "severity": "INFO", "output-options": [{"output": fifo}]}]
    if kind != "configuration":
        s.write_conf(conf)
    s.hup()
    time.sleep(0.2)  # it is in the middle of it, or has refused it
    for n in range(5):
        Client(port, mac_of(n)).dora()
    assert _ends(s) < slack(1.0)


@test(timeout=240, alone=True)  # the time is the kernel's: it waits at each packet socket
def test_G6_a_thousand_interfaces(t):
    """1,000 interfaces with two workers: all are served, the control channel answers, and a client on the last one gets
    a lease."""
    pairs = 500
    ns = t.lab.ns("srv")
    batch = t.lab.path("links")
    with open(batch, "w", encoding="utf-8") as f:
        for n in range(pairs):
            f.write("link add a%d type veth peer name b%d\n" % (n, n))
        for n in range(pairs):
            for end, third in (("a", n // 250), ("b", 8 + n // 250)):
                f.write("addr add 10.%d.%d.1/24 dev %s%d\n" % (100 + third, n % 250, end, n))
                f.write("link set %s%d up\n" % (end, n))
    ns.run("ip", "-batch", batch, timeout=60)
    s = t.server(interfaces=("*",), subnets=[subnet("10.109.249.0/24", "10.109.249.10 - 10.109.249.20")], start=False)
    s.start(wrap=["prlimit", "--nofile=1024:"], wait=False)  # as service managers start daemons
    s.ended = False
    s.wait_ready(slack(60))
    wait_for("all interfaces", lambda: s.log().count("DHCP4_OPEN_SOCKET listening on interface") >= 2 * pairs, slack(120))
    status = s.ok("status-get")
    assert status["sockets"] == {"status": "ready"}, status["sockets"]
    port = RawPort(ns, "a%d" % (pairs - 1))
    try:
        Client(port, mac_of(1)).dora()
    finally:
        port.close()
