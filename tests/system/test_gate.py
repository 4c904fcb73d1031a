# SPDX-License-Identifier: MPL-2.0
"""usher-gate as a cable between two hosts, with its dissectors of HTTP and DNS: well-formed messages pass
unchanged, from any program; malformed ones are dropped by name."""

import hashlib
import http.server
import os
import socket
import subprocess
import threading
import time

from lib.client import Client, mac_of
from lib.gate import Gate, cable, router
from lib.netns import wait_for
from lib.runner import test
from lib.server import slack, subnet

_LOAD = ("--load", "http", "--load", "dns", "-i", "ga", "-i", "gb")
_LARGE = hashlib.sha256(b"seed").digest() * 300000  # 9.6 MB


class _Pages(http.server.BaseHTTPRequestHandler):
    """One page for each way in which a body can end."""

    protocol_version = "HTTP/1.1"

    def _head(self, status, **fields):
        self.send_response(status)
        for k, v in fields.items():
            self.send_header(k.replace("_", "-"), v)
        self.end_headers()

    def _body(self, body):
        self._head(200, Content_Length=str(len(body)), Content_Type="text/plain")
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_GET(self):
        if self.path == "/chunked":
            self._head(200, Transfer_Encoding="chunked")
            for i in range(50):
                piece = b"piece %d, " % i * (i + 1)
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            self.wfile.write(b"0\r\nX-Trailer: end\r\n\r\n")
        elif self.path == "/until-close":
            self.protocol_version = "HTTP/1.0"
            self._head(200, Server_Says="no length")
            self.wfile.write(b"until the connection ends " * 1000)
            self.close_connection = True
        elif self.path == "/nothing":
            self._head(204)
        elif self.path == "/large":
            self._body(_LARGE)
        elif self.path == "/medium":
            self._body(_LARGE[:400000])
        else:
            self._body(b"page " + self.path.encode())

    do_HEAD = do_GET

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self._body(b"%d octets, %s" % (len(body), hashlib.sha256(body).hexdigest().encode()))

    def log_message(self, format, *args):
        pass


def _serve(t, ns, addr="10.70.0.2"):
    with ns:
        s = http.server.ThreadingHTTPServer((addr, 80), _Pages)
    s.daemon_threads = True
    s.handle_error = lambda *_: None  # a connection that a gate resets
    threading.Thread(target=s.serve_forever, daemon=True).start()
    t.lab.closers.append(s.server_close)
    t.lab.closers.append(s.shutdown)


def _drops(gate):
    return {k: v for k, v in gate.ctl("statistics")["drops"].items() if v}


def _curl(ns, *args):
    return ns.run("curl", "-sS", "--max-time", slack(20), *args, timeout=slack(30))


@test(tags=("asan",), timeout=120, cases={"plain": False, "offloaded": True})
def test_gate_http(t, offloaded):
    """curl and a server: lengths, chunks, until close, none; many requests on one connection; a large download."""
    a, b, g = cable(t)
    if offloaded:
        for ns, ifname in ((a, "a0"), (b, "b0")):
            ns.run("ethtool", "-K", ifname, "tx", "on", "tso", "on", "gso", "on", "gro", "on")
    _serve(t, b)
    gate = Gate(t, g).start(*_LOAD)
    url = "http://10.70.0.2"
    assert _curl(a, url + "/one", url + "/two", url + "/three") == "page /onepage /twopage /three"
    chunks = "".join("piece %d, " % i * (i + 1) for i in range(50))
    assert _curl(a, url + "/chunked", url + "/x") == chunks + "page /x"
    assert _curl(a, url + "/until-close") == "until the connection ends " * 1000
    assert _curl(a, url + "/nothing", url + "/x") == "page /x"
    assert "204" in _curl(a, "-i", url + "/nothing")
    assert "Content-Length: %d" % len(_LARGE) in _curl(a, "-I", url + "/large", url + "/large")
    path = t.lab.path("upload")
    with open(path, "wb") as f:
        f.write(_LARGE[:3000000])
    want = "3000000 octets, " + hashlib.sha256(_LARGE[:3000000]).hexdigest()
    assert _curl(a, "--data-binary", "@" + path, url + "/p", url + "/p") == want * 2  # with Expect: 100-continue
    path = t.lab.path("download")
    _curl(a, "-o", path, url + "/large")
    with open(path, "rb") as f:
        assert f.read() == _LARGE
    s = gate.end()
    assert s["drops"] == {} and s["modified"] == s["tcp-trimmed"] and s["dissectors"]["http"] > 100, s


@test(tags=("asan",))
def test_gate_not_http(t):
    """Another protocol on HTTP's port, and requests that can be read in two ways: nothing arrives, and it has a name."""
    a, b, g = cable(t)
    _serve(t, b)
    gate = Gate(t, g).start(*_LOAD)
    for text in (b"SSH-2.0-OpenSSH_9.2\r\n",
                 b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                 b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n"):
        with a:
            s = socket.create_connection(("10.70.0.2", 80), timeout=slack(5))
        s.settimeout(0.5)
        s.sendall(text)
        try:
            assert not s.recv(100), "answered"
            raise AssertionError("closed, not silent")
        except socket.timeout:
            pass
        s.close()
    assert _curl(a, "http://10.70.0.2/x") == "page /x"
    drops = gate.end()["drops"]
    assert {k for k in drops if k.startswith("drop-http")} == {"drop-http-start-line", "drop-http-both", "drop-http-host"}, drops


def _dnsmasq(t, ns, addr="10.70.0.2"):
    """A server that knows a few names, and one with more text than a datagram has room for."""
    text = ["--txt-record=large.test,%s" % ("%03d" % i * 80) for i in range(20)]
    ns_log = open(t.lab.path("dnsmasq.log"), "wb")
    t.lab.popen(ns, ["dnsmasq", "-k", "-C", "/dev/null", "--no-resolv", "--no-hosts", "--local=/test/", "--user=root",
                     "--pid-file=" + t.lab.path("dnsmasq.pid"), "--listen-address=" + addr, "--bind-interfaces",
                     "--host-record=www.test,192.0.2.1,2001:db8::1", "--cname=alias.test,www.test", "--auth-ttl=60",
                     "--mx-host=test,www.test,10", "--srv-host=_s._tcp.test,www.test,80,1,2",
                     "--ptr-record=1.2.0.192.in-addr.arpa,www.test", "--txt-record=t.test,one,two", *text],
                stdin=subprocess.DEVNULL, stdout=ns_log, stderr=ns_log)
    ns_log.close()


def _dig(ns, *args, addr="10.70.0.2"):
    return ns.run("dig", "+short", "+time=2", "+tries=2", "@" + addr, *args, check=False, timeout=slack(20)).split("\n")[:-1]


@test(tags=("asan",))
def test_gate_dns(t):
    """dig and dnsmasq: every type, names that are not, an answer too large for UDP; a question that is none."""
    a, b, g = cable(t)
    _dnsmasq(t, b)
    gate = Gate(t, g).start(*_LOAD)
    wait_for("the DNS server", lambda: _dig(a, "www.test") == ["192.0.2.1"], slack(10))
    assert _dig(a, "www.test", "AAAA") == ["2001:db8::1"]
    assert _dig(a, "alias.test") == ["www.test.", "192.0.2.1"]
    assert _dig(a, "test", "MX") == ["10 www.test."]
    assert _dig(a, "_s._tcp.test", "SRV") == ["1 2 80 www.test."]
    assert _dig(a, "-x", "192.0.2.1") == ["www.test."]
    assert _dig(a, "t.test", "TXT") == ['"one" "two"']
    assert _dig(a, "+noedns", "no.such.test") == []
    assert len(_dig(a, "large.test", "TXT")) == 20  # truncated, then by TCP
    assert len(_dig(a, "+tcp", "www.test")) == 1
    with a:
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    # a question that is none
    s.sendto(b"not DNS", ("10.70.0.2", 53))
    wait_for("the drop", lambda: _drops(gate) == {"drop-dns-message": 1}, slack(5))
    summary = gate.end()
    assert summary["dissectors"]["dns"] >= 18, summary


@test(tags=("asan",))
def test_gate_unasked_answer(t):
    """An answer to a question of another id, and one without any."""
    a, b, g = cable(t)
    with b:
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(("10.70.0.2", 53))
    s.settimeout(slack(5))
    with a:
        r = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    r.bind(("10.70.0.1", 5353))
    r.settimeout(slack(5))
    gate = Gate(t, g).start(*_LOAD)
    question = bytes.fromhex("12340100000100000000000003777777047465737400" "00010001")
    answer = bytearray(question)
    answer[2] |= 0x80
    s.sendto(answer, ("10.70.0.1", 5353))
    r.sendto(question, ("10.70.0.2", 53))
    assert s.recv(100) == question
    wrong = bytearray(answer)
    wrong[1] ^= 1
    for a_or_b in (wrong, answer, answer):
        s.sendto(a_or_b, ("10.70.0.1", 5353))
    assert r.recv(100) == answer
    wait_for("three drops", lambda: _drops(gate) == {"drop-dns-unasked": 3}, slack(5))
    r.settimeout(0.2)
    try:
        assert not r.recv(100), "one came through"
    except socket.timeout:
        pass
    gate.end()


@test(tags=("asan",))
def test_gate_other_traffic(t):
    """ping, UDP and TCP of other ports; the cable is cut and mended; SIGTERM while it is cut."""
    a, b, g = cable(t)
    gate = Gate(t, g).start(*_LOAD)
    out = a.run("ping", "-c", "5", "-i", "0.1", "-s", "3000", "10.70.0.2", timeout=slack(20))
    assert "5 received" in out, out
    with b:
        u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        listener = socket.create_server(("10.70.0.2", 7000))
    u.bind(("10.70.0.2", 7000))
    u.settimeout(slack(5))
    with a:
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        c = socket.create_connection(("10.70.0.2", 7000), timeout=slack(5))
    peer, _ = listener.accept()
    peer.settimeout(slack(20))
    for size in (0, 1, 1400, 20000):
        data = os.urandom(size)
        s.sendto(data, ("10.70.0.2", 7000))
        assert u.recv(65535) == data
    for n in range(2):
        threading.Thread(target=c.sendall, args=(_LARGE[:1000000],), daemon=True).start()
        got = b""
        while len(got) < 1000000:
            got += peer.recv(65536)
        assert got == _LARGE[:1000000]
        g.ip("link", "set", "gb", "down")
        time.sleep(0.3)
        if n == 0:
            g.ip("link", "set", "gb", "up")
            wait_for("the cable", lambda: "1 received" in a.run("ping", "-c", "1", "-W", "1", "10.70.0.2", check=False),
                     slack(10))
    assert gate.end()["drops"] == {}


@test()
def test_gate_interface_gone(t):
    """An interface that is no more does not come back: the gate says so and ends."""
    _, b, g = cable(t)
    gate = Gate(t, g).start(*_LOAD)
    b.ip("link", "del", "b0")
    assert gate.proc.wait(slack(10)) == 1
    assert "No such device" in gate.log(), gate.log()


# --- Rules in Lua on HTTP and DNS -------------------------------------------------------------------------

_HTTP_RULES = """
haka.rule{ on = haka.dissectors.http.events.request, eval = function (http, request)
	if request.uri == "/forbidden" then http:reset() end
	if request.uri == "/old" then request.uri = "/new" end
	http:enable_data_modification()
end }
haka.rule{ on = haka.dissectors.http.events.response, eval = function (http, response)
	response.headers["X-Gate"] = "seen " .. http.request.method .. " from " .. tostring(http.srcip)
	response.headers.Server = nil
	http:enable_data_modification()
end }
haka.rule{ on = haka.dissectors.http.events.request_data, eval = function (http, sub)
	sub:setstring((sub:asstring():gsub("a", "aaaa")))
end }
haka.rule{ on = haka.dissectors.http.events.response_data, eval = function (http, sub)
	if http.request.uri == "/empty" then sub:erase() return end
	sub:setstring((sub:asstring():gsub("e", "EEE")))
end }
"""


@test(tags=("asan",), timeout=120)
def test_gate_http_rules(t):
    """Headers that a rule writes and bodies whose length it changes, as curl and a server see them."""
    a, b, g = cable(t)
    _serve(t, b)
    gate = Gate(t, g, _HTTP_RULES).start("-i", "ga", "-i", "gb")
    url = "http://10.70.0.2"
    head = _curl(a, "-i", url + "/old")
    assert "X-Gate: seen GET from 10.70.0.1" in head and "Transfer-Encoding: chunked" in head, head
    assert "Server:" not in head and "Content-Length" not in head and head.endswith("\npagEEE /nEEEw"), head
    # one connection: lengths, chunks with a trailer, nothing, something again
    chunks = "".join("piEEEcEEE %d, " % i * (i + 1) for i in range(50))
    assert _curl(a, url + "/one", url + "/chunked", url + "/nothing", url + "/empty", url + "/two") == \
        "pagEEE /onEEE" + chunks + "pagEEE /two"
    assert _curl(a, url + "/until-close") == "until thEEE connEEEction EEEnds " * 1000
    assert _curl(a, "-0", url + "/zero") == "pagEEE /zEEEro"
    assert "Content-Length: %d" % len(_LARGE) in _curl(a, "-I", url + "/large")
    path = t.lab.path("upload")
    with open(path, "wb") as f:
        f.write(_LARGE[:300000])
    # the server of this test takes no chunks: 411 would be its answer, so the upload is seen by another one
    got = {}

    def sink():
        with b:
            s = socket.create_server(("10.70.0.2", 8080))
        c, _ = s.accept()
        with c, c.makefile("rb") as f:
            got["head"] = b"".join(iter(f.readline, b"\r\n"))
            body = b""
            size = int(f.readline(), 16)
            while size:
                body += f.read(size)
                f.readline()
                size = int(f.readline(), 16)
            got["body"] = body
            c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\ndone")

    gate.end()
    gate = Gate(t, g, _HTTP_RULES + "require('protocol/http').install_tcp_rule(8080)\n", name="gate2").start("-i", "ga", "-i", "gb")
    thread = threading.Thread(target=sink, daemon=True)
    thread.start()
    time.sleep(0.2)
    assert _curl(a, "--data-binary", "@" + path, "http://10.70.0.2:8080/p") == "donEEE"
    thread.join(slack(10))
    assert got["body"] == _LARGE[:300000].replace(b"a", b"aaaa") and b"Content-Length" not in got["head"], got.get("head")
    # more than a window of it through a rule, and one that is refused
    _curl(a, "-o", path, url + "/medium")
    with open(path, "rb") as f:
        assert f.read() == _LARGE[:400000].replace(b"e", b"EEE")
    assert "eset" in a.run("curl", "-sS", "--max-time", slack(5), url + "/forbidden", check=False, timeout=slack(10))
    s = gate.end()
    assert s["modified"] > 0 and not [k for k in s["drops"] if k.startswith(("drop-http", "drop-rule-failed"))], s


@test(tags=("asan",))
def test_gate_dns_rules(t):
    """An answer that a rule changes, a question that it drops, one that it answers itself: as dig sees them."""
    a, b, g = cable(t)
    _dnsmasq(t, b)
    gate = Gate(t, g, """
local d = haka.dissectors
haka.rule{ on = d.dns.events.query, eval = function (dns, q)
	if q.question.name == "dropped.test." then q:drop() end
	if q.question.name == "made.test." then
		-- the same question with an answer behind it: name, A, IN, 60 s, 198.51.100.9
		local raw = d.raw.create{iface = q.iface}
		local udp = d.udp.create(d.ipv4.create(raw, {src = q.dst, dst = q.src}), {srcport = q.dstport, dstport = q.srcport})
		local m = q.payload:asstring()
		local asked = m:sub(13, 12 + #q.question.name + 1 + 4)
		udp.payload:setstring(m:sub(1, 2) .. "\\129\\128\\0\\1\\0\\1\\0\\0\\0\\0" .. asked ..
			"\\192\\12\\0\\1\\0\\1\\0\\0\\0\\60\\0\\4\\198\\51\\100\\9")
		udp:send()
		q:drop()
	end
end }
haka.rule{ on = d.dns.events.response, eval = function (dns, r, q)
	for _, record in ipairs(r.answer) do
		if record.type == "A" then record.ip = "198.51.100.1" end
		if record.type == "CNAME" then record.rdata_name = "a.longer.name.than.before.test" end
	end
end }
""").start("-i", "ga", "-i", "gb")
    wait_for("the DNS server", lambda: _dig(a, "www.test") == ["198.51.100.1"], slack(10))
    assert _dig(a, "alias.test") == ["a.longer.name.than.before.test.", "198.51.100.1"]
    assert _dig(a, "www.test", "AAAA") == ["2001:db8::1"]
    assert "timed out" in "\n".join(_dig(a, "+tries=1", "+time=1", "dropped.test"))
    assert _dig(a, "made.test") == ["198.51.100.9"]
    s = gate.end()
    assert s["drops"] == {"drop-rule": 2} and s["forged"] == 1, s


@test(tags=("asan",))
def test_gate_made_packets(t):
    """Packets made by rules reach real hosts: an echo request to each side, which both answer; an injected
    datagram."""
    a, b, g = cable(t)
    gate = Gate(t, g, """
local d = haka.dissectors
haka.rule{ on = d.icmp.events.receive_packet, eval = function (p)
	local text = p.payload:asstring()
	local made = text:find("made by a rule", 1, true)
	if p.type == 8 and not made then
		for _, back in ipairs{false, true} do
			local ip = d.ipv4.create(d.raw.create(), {src = back and p.dst or p.src, dst = back and p.src or p.dst})
			local i = d.icmp.create(ip, {type = 8, code = 0})
			if back then i.iface = p.iface end
			i.payload:setstring("\\99\\1\\0\\1" .. "made by a rule")
			i:send()
		end
	elseif p.type == 0 and made then
		haka.alert{ description = p.iface .. " " .. text:sub(5) }
	end
end }
haka.rule{ on = d.udp.events.receive_packet, when = {dstport = 5001}, eval = function (p)
	local u = d.udp.create(d.ipv4.create(d.raw.create(), {src = p.src, dst = p.dst}), {srcport = p.srcport, dstport = 5002})
	u.payload:setstring(p.payload:asstring() .. ", again")
	u:inject()
end }
""").start("-i", "ga", "-i", "gb")
    a.run("ping", "-c", "1", "-W", "2", "10.70.0.2", timeout=slack(10))

    def alerts():
        with open(t.lab.path("gate.alerts"), encoding="utf-8") as f:
            return f.read()

    wait_for("both answers", lambda: "ga made by a rule" in alerts() and "gb made by a rule" in alerts(), slack(5))
    with b:
        r = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    r.bind(("", 5002))
    r.settimeout(slack(5))
    with a:
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.sendto(b"once", ("10.70.0.2", 5001))
    assert r.recv(100) == b"once, again"
    s = gate.end()
    assert s["forged"] == 2 and s["forged-in"] == 1 and s["drops"] == {}, s


@test(tags=("asan",), timeout=120)
def test_gate_queue_protocols(t):
    """A router's netfilter queues: ping, HTTP, DNS and relayed DHCP through rules that change a header, an address and an
    option; a rule without end costs its packet."""
    a, b, g = router(t)
    addr = "10.71.0.2"
    _serve(t, b, addr)
    _dnsmasq(t, b, addr)
    t.server(ns=b, subnets=[subnet("10.70.0.0/24", "10.70.0.100 - 10.70.0.120")],
             **{"interfaces-config": {"interfaces": ["b0"], "dhcp-socket-type": "udp"}})
    b.ip("route", "replace", "10.70.0.0/24", "via", "10.71.0.254")
    gate = Gate(t, g, """
local d = haka.dissectors
haka.rule{ on = d.http.events.response, eval = function (http, response) response.headers["X-Gate"] = "queue" end }
haka.rule{ on = d.dns.events.response, eval = function (dns, r)
	for _, record in ipairs(r.answer) do if record.type == "A" then record.ip = "198.51.100.1" end end
end }
haka.rule{ on = d.dhcp.events.pkt4_receive, when = { type = "offer" }, eval = function (msg)
	msg.options["domain-name"] = "changed.test"
end }
haka.rule{ on = d.udp.events.receive_packet, when = { dstport = 7 }, eval = function () while true do end end }
""").start("-q", "60", "-j", "2", "--queue-rules")
    assert "2 received" in a.run("ping", "-c", "2", "-i", "0.1", "-W", "2", addr, timeout=slack(10))
    head = _curl(a, "-i", "http://%s/one" % addr, "http://%s/chunked" % addr)
    assert head.count("X-Gate: queue") == 2 and "page /one" in head and "piece 49, " in head, head[:500]
    wait_for("the DNS server", lambda: _dig(a, "www.test", addr=addr) == ["198.51.100.1"], slack(10))
    relay = t.relay_port(a, "10.70.0.1", addr)
    offer = Client(relay, mac_of(5)).offer()
    assert offer and offer.get(15) == b"changed.test", offer
    with a:
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.sendto(b"never", (addr, 7))
    wait_for("the endless rule to end", lambda: gate.ctl("statistics")["drops"]["drop-rule-failed"] == 1, slack(10))
    assert "2 received" in a.run("ping", "-c", "2", "-i", "0.1", "-W", "2", addr, timeout=slack(10))
    s = gate.end()
    assert s["drops"] == {"drop-rule-failed": 1} and s["modified"] >= 4, s
