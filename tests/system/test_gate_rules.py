# SPDX-License-Identifier: MPL-2.0
"""Rules in Lua between real hosts: the hosts see their drops, changes and resets."""

import json
import os
import socket
import struct
import subprocess
import threading

from lib.gate import Gate, cable, lossy, router
from lib.netns import sh
from lib.runner import test
from lib.server import slack

_TEXT = b"abcdefghijklmnopqrstuvwxyz0123456789" * 40 + b"\n"

# Every `k` becomes `KKK`, both ways.
_EDIT = """
haka.rule{
	on = haka.dissectors.tcp_connection.events.receive_data,
	eval = function (flow, data, direction)
		local text = data:asstring()
		local new = text:gsub("k", "KKK")
		if new ~= text then data:setstring(new) end
	end
}
"""

# Read as if it were a file: pieces of a fixed length, and words, at any borders of segments. Awaited data is held back
# until its sender is stuck for it.
_READ = """
haka.rule{
	on = haka.dissectors.tcp_connection.events.receive_data,
	options = { streamed = true },
	eval = function (flow, iter, direction)
		local count, piece = 0, nil
		repeat
			piece = iter:sub(7000)
			if piece then count = count + select(2, piece:asstring():gsub("k", "")) end
		until not piece
		print("pieces", direction, count, iter.meter)
	end
}
local word = require("regexp/pcre").re:compile("jklm")
haka.rule{
	on = haka.dissectors.tcp_connection.events.receive_data,
	options = { streamed = true },
	eval = function (flow, iter, direction)
		local count = 0
		while word:match(iter, true) do count = count + 1 end
		print("words", direction, count)
	end
}
"""


def _ping(ns, addr, *args, count=3):
    """How many of count were answered."""
    out = ns.run("ping", "-c", count, "-i", "0.1", "-W", "1", *args, addr, check=False, timeout=slack(20))
    return int(out.split(" received")[0].rsplit(" ", 1)[1]) if " received" in out else 0


class _Sink(threading.Thread):
    """Reads one connection to its end and says goodbye."""

    def __init__(self, ns, addr, port):
        super().__init__(daemon=True)
        with ns:
            self.listener = socket.create_server((addr, port))
        self.got = bytearray()
        self.start()

    def run(self):
        c, _ = self.listener.accept()
        with c:
            while True:
                data = c.recv(65536)
                if not data:
                    break
                self.got += data
            c.sendall(b"thanks, ok")


def _transfer(a, b, size):
    """a sends size octets to b. Returns the octets that b got, and the answer that a got."""
    sink = _Sink(b, "10.70.0.2", 9000)
    with a:
        s = socket.socket()
    s.settimeout(slack(60))
    with s:
        s.connect(("10.70.0.2", 9000))
        s.sendall(_TEXT * (size // len(_TEXT)))
        s.shutdown(socket.SHUT_WR)
        told = b""
        while True:
            data = s.recv(100)
            if not data:
                break
            told += data
    sink.join(slack(10))
    return bytes(sink.got), told


@test(timeout=120, tags=("asan",), cases={"whole": (0, True, 2000000), "cut": (0, False, 1000000), "lossy": (37, True, 300000),
                          "lossy_cut": (37, False, 300000)})
def test_gate_changes_a_stream(t, arg):
    """A stream grows on its way; segments are lost and retransmitted; both ends agree on the data."""
    every, offload, size = arg
    a, b, g = cable(t, offload)
    gate = Gate(t, g, lossy(every) + _EDIT).start("-i", "ga", "-i", "gb")
    got, told = _transfer(a, b, size)
    want = (_TEXT * (size // len(_TEXT))).replace(b"k", b"KKK")
    assert got == want, "got %d octets, expected %d" % (len(got), len(want))
    assert told == b"thanKKKs, oKKK", told
    s = gate.end()
    assert s["modified"] > 0 and (s["drops"].get("drop-rule", 0) > 0) == (every > 0), s


@test(timeout=120, tags=("asan",), cases={"whole": (0, True, 1000000), "cut": (0, False, 500000), "lossy": (37, True, 300000),
                          "lossy_cut": (37, False, 200000)})
def test_gate_reads_a_stream(t, arg):
    """Rules that follow a stream see all of it once and in order, and do not stop it."""
    every, offload, size = arg
    a, b, g = cable(t, offload)
    gate = Gate(t, g, lossy(every) + _READ).start("-i", "ga", "-i", "gb")
    got, told = _transfer(a, b, size)
    want = _TEXT * (size // len(_TEXT))
    assert got == want, "got %d octets, expected %d" % (len(got), len(want))
    assert told == b"thanks, ok", told
    s = gate.end()
    said = gate.said()
    assert s["drops"].get("drop-rule-failed", 0) == 0, (s, gate.log())
    assert "pieces\tup\t%d\t%d\n" % (want.count(b"k"), len(want)) in said and "pieces\tdown\t2\t10\n" in said, said
    assert "words\tup\t%d\n" % want.count(b"jklm") in said, said


@test(tags=("asan",))
def test_gate_rule_verdicts(t):
    """Dropped by address, dropped by content, changed; a failing rule and an endless one cost their packets only."""
    a, b, g = cable(t)
    gate = Gate(t, g, """
local ipv4 = require('protocol/ipv4')
local icmp = haka.dissectors.icmp.events.receive_packet
haka.rule{ on = icmp, when = {len = 14 + 20 + 8 + 100}, eval = function (p) p:drop() end }
haka.rule{ on = icmp, when = {len = 14 + 20 + 8 + 101}, eval = function (p) error("on purpose") end }
haka.rule{ on = icmp, when = {len = 14 + 20 + 8 + 102}, eval = function (p) while true do end end }
haka.rule{ on = haka.dissectors.ipv4.events.receive_packet, when = {dst = ipv4.addr("10.70.0.9")},
	eval = function (p) p.dst = ipv4.addr("10.70.0.2") end }
""").start("-i", "ga", "-i", "gb", "--instructions", "100000")
    assert _ping(a, "10.70.0.2") == 3
    for size in (100, 101, 102):
        assert _ping(a, "10.70.0.2", "-s", size, count=2) == 0, size
        assert _ping(a, "10.70.0.2", count=1) == 1
    s = gate.end()
    assert s["drops"]["drop-rule"] == 2 and s["drops"]["drop-rule-failed"] == 4, s
    assert ".lua:5: on purpose" in gate.log() and "instructions" in gate.log(), gate.log()


@test()
def test_gate_ends_and_begins(t):
    """Without a gate nothing passes; a new one takes up existing connections if an option says so."""
    a, b, g = cable(t)
    gate = Gate(t, g).start("-i", "ga", "-i", "gb")
    assert _ping(a, "10.70.0.2", count=1) == 1
    gate.kill()
    assert _ping(a, "10.70.0.2", count=1) == 0
    gate = Gate(t, g, name="gate2").start("-i", "ga", "-i", "gb", "-j", "2")
    assert _ping(a, "10.70.0.2", count=1) == 1
    gate.end()


@test(tags=("asan",))
def test_gate_bad_start(t):
    """Errors are reported, with file and line, and nothing starts."""
    g = t.lab.ns("gate")
    for rules, args, why in (("local x = \n", ("-i", "lo"), "gate.lua:"),
                             ("haka.rule{ on = haka.dissectors.udp.events.nothing, eval = print }", ("-i", "lo"), "nothing"),
                             ("", ("-i", "nosuch0"), "nosuch0"), ("", ("-i", "lo", "-q", "1"), "only one of"),
                             ("", ("-r", "/nonexistent.pcap"), "/nonexistent.pcap"), ("", ("-j", "0", "-i", "lo"), "--workers")):
        gate = Gate(t, g, rules)
        p = g.run(gate.binary, gate.rules, *args, check=False)
        assert why in p, "%s: %s" % (args, p)


@test(tags=("asan",))
def test_gate_queue(t):
    """netfilter's queues: rules set up and removed, packets dropped and changed, two workers."""
    a, b, g = router(t)
    gate = Gate(t, g, """
haka.rule{ on = haka.dissectors.udp.events.receive_packet, when = {dstport = 5001}, eval = function (p) p:drop() end }
haka.rule{ on = haka.dissectors.udp.events.receive_packet, when = {dstport = 5002},
	eval = function (p) p.payload:setstring("changed to something longer") end }
""").start("-q", "40", "-j", "2", "--queue-rules")
    assert _ping(a, "10.71.0.2") == 3
    with b:
        r = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        r2 = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    r.bind(("", 5001))
    r2.bind(("", 5002))
    r.settimeout(slack(0.5))
    r2.settimeout(slack(5))
    with a:
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.sendto(b"to be dropped", ("10.71.0.2", 5001))
    s.sendto(b"short", ("10.71.0.2", 5002))
    assert r2.recv(100) == b"changed to something longer"
    try:
        assert not r.recv(100), "was not dropped"
    except socket.timeout:
        pass
    rules = g.run("iptables-legacy", "-t", "raw", "-S")
    assert rules.count("NFQUEUE") == 2, rules
    summary = gate.end()
    assert summary["drops"] == {"drop-rule": 1} and summary["modified"] == 1, summary
    assert "NFQUEUE" not in g.run("iptables-legacy", "-t", "raw", "-S")
    assert _ping(a, "10.71.0.2") == 3


@test(tags=("asan", "tsan"))
def test_gate_control(t):
    """usherctl gate: statistics, flows, rules, alerts; while traffic runs through two workers."""
    a, _, g = cable(t)
    gate = Gate(t, g, """
haka.rule{ name = "greeting", on = haka.dissectors.udp_connection.events.new_connection, eval = function (flow, pkt)
	haka.alert{ description = "a flow", severity = "low", sources = { haka.alert.address(flow.srcip) } }
end }
haka.rule{ on = haka.dissectors.icmp.events.receive_packet, when = {len = 1}, eval = function () end }
""").start("-i", "ga", "-i", "gb", "-j", "2")
    with a:
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    for port in (5001, 5002, 5002):
        s.sendto(b"hello", ("10.70.0.2", port))
    assert _ping(a, "10.70.0.2") == 3
    st = gate.ctl("statistics")
    assert st["flows"] == 2 and st["accepted"] >= 9 and st["dissectors"]["icmp"] >= 6, st
    flows = gate.ctl("flows")["flows"]
    assert sorted((f["server"], f["packets-up"]) for f in flows) == [("10.70.0.2:5001", 1), ("10.70.0.2:5002", 2)], flows
    assert len(gate.ctl("flows", "limit=1")["flows"]) == 1
    assert gate.ctl("flows", "address=192.0.2.1")["flows"] == []
    rules = gate.ctl("rules")["rules"]
    assert rules[0]["name"] == "greeting" and rules[0]["calls"] == 2 and ":2" in rules[0]["where"], rules
    assert rules[1]["calls"] == 0 and rules[1]["skipped"] >= 6, rules
    alerts = gate.ctl("alerts")
    assert alerts["total"] == 2 and alerts["alerts"][0]["description"] == "a flow", alerts
    for bad in (("flows", "limit=0"), ("flows", "address=x"), ("nonsense",)):
        out = sh(os.path.join(os.path.dirname(gate.binary), "usherctl"), "gate", "-s", gate.socket, *bad, check=False)
        assert "expected" in out or "command not supported" in out, out
    assert gate.end()["packets"] >= 9


@test(tags=("asan",))
def test_gate_files(t):
    """A file, a directory, a file that is cut off, a full disk: the output, and the messages."""
    g = t.lab.ns("gate")
    head = struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1)

    def record(n, port):
        payload = b"x" * 20
        udp = struct.pack("!HHHH", 1000, port, 28, 0) + payload
        ip = struct.pack("!BBHHHBBHII", 0x45, 0, 48, 0, 0, 64, 17, 0, 0x0a000001, 0x0a000002)
        total = sum(struct.unpack("!10H", ip))
        total = (total & 0xffff) + (total >> 16)
        ip = ip[:10] + struct.pack("!H", ~(total + (total >> 16)) & 0xffff) + ip[12:]
        frame = bytes(6) + bytes(6) + b"\x08\x00" + ip + udp
        return struct.pack("<IIII", 1000 + n, 0, len(frame), len(frame)) + frame

    def write(name, data):
        path = t.lab.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as f:
            f.write(data)
        return path

    a = write("in/a.pcap", head + record(1, 53) + record(2, 69))
    write("in/b.pcap", head + record(3, 69) + record(4, 53))
    write("in/notes.txt", b"no capture")
    gate = Gate(t, g, "local n = 0\n"
                "haka.rule{ on = haka.dissectors.udp.events.receive_packet, when = {dstport = 69}, eval = function (p) p:drop() end }\n")
    out = g.run(gate.binary, gate.rules, "-r", a, "-w", t.lab.path("one.pcap"))
    assert "2 packets: 1 accepted" in out and "a rule dropped it" in out, out
    out = g.run(gate.binary, gate.rules, "-r", t.lab.path("in"), "-w", t.lab.path("out"), "--json")
    assert json.loads(out)["drops"] == {"drop-rule": 2}, out
    assert sorted(os.listdir(t.lab.path("out"))) == ["a.pcap", "b.pcap"]
    for name, n in (("out/a.pcap", 1), ("out/b.pcap", 4)):
        with open(t.lab.path(name), "rb") as f:
            data = f.read()
        want = record(n, 53)
        assert len(data) == 24 + len(want) and data[40:] == want[16:], name
        assert struct.unpack("<I", data[24:28])[0] == 1000 + n, name
    cut = write("cut.pcap", head + record(1, 53) + record(2, 53)[:30])
    out = g.run(gate.binary, "-r", cut, "-w", t.lab.path("cut.out"), check=False)
    assert "record 2, " in out and "1 packets: 1 accepted" in out, out
    assert "breaks its format" in g.run(gate.binary, "-r", write("text", b"no capture at all"), check=False)
    big = write("big.pcap", head + b"".join(record(i, 53) for i in range(2000)))
    out = g.run(gate.binary, "-r", big, "-w", "/dev/full", check=False)
    assert "/dev/full" in out and "space" in out, out


@test(timeout=60, tags=("asan", "tsan"))
def test_gate_console(t):
    """Lua typed into a running gate: values come back, a rule made so drops from then on in both workers, one
    without end ends by itself, and a table that workers share counts for all."""
    a, _b, g = cable(t)
    gate = Gate(t, g, """
local seen = haka.shared("seen")
haka.rule{ on = haka.dissectors.icmp.events.receive_packet, eval = function (pkt) seen:add("pings") end }
""").start("-i", "ga", "-i", "gb", "-j", "2")
    assert _ping(a, "10.70.0.2") == 3

    def run(code, **more):
        return gate.ctl("run", json.dumps({"code": code, **more}))["workers"]
    said = run("haka.shared('seen'):get('pings'), haka.current_thread()")
    assert [w["printed"] for w in said] == ["6\t0\n", "6\t1\n"], said
    assert "more than" in run("while true do end", worker=1)[0]["error"]
    assert "typed:1" in run("this is no Lua", worker=0)[0]["error"]
    run("haka.rule{ on = haka.dissectors.icmp.events.receive_packet, eval = function (pkt) pkt:drop() end }")
    assert _ping(a, "10.70.0.2", count=1) == 0
    ctl = os.path.join(os.path.dirname(gate.binary), "usherctl")
    p = subprocess.run([ctl, "gate", "-s", gate.socket, "console"], input="1 + 1\nprint('x') error('y')\n", text=True,
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=slack(20), check=False)
    assert p.stdout == "worker 0:\n2\nworker 1:\n2\nworker 0:\nx\nerror: typed:1: y\nworker 1:\nx\nerror: typed:1: y\n", p.stdout
    assert p.returncode == 0, p.stderr
    said = gate.end()
    assert said["drops"]["drop-rule"] >= 1, said
