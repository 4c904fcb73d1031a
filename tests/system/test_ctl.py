# SPDX-License-Identifier: MPL-2.0
"""usherctl top and --watch on the real programs: as text, on a terminal of its own, and its end there."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time

from lib.client import Client, mac_of
from lib.gate import Gate, cable
from lib.netns import wait_for
from lib.runner import test
from lib.server import slack, subnet
from lib.usher_client import UsherClient
from lib.web import Authority

_RESIZE = struct.pack("HHHH", 12, 60, 0, 0)


def _ctl(t, *args, timeout=30):
    return subprocess.run([os.path.join(os.path.dirname(t.binary), "usherctl"), *args], capture_output=True, text=True, check=False,
                          stdin=subprocess.DEVNULL, timeout=slack(timeout))


def _row(text, pattern):
    """The groups of the first line that matches."""
    m = re.search("^" + pattern, text, re.M)
    assert m, "no line %r in:\n%s" % (pattern, text)
    return m.groups()


@test(tags=("asan",))
def test_ctl_top_of_the_server(t):
    """Two views: totals and rates of messages, drops with their sentences, the fullest subnet first, commits."""
    port = t.wire()
    s = t.server(subnets=[subnet(pool="10.77.0.10 - 10.77.0.19", id=7), subnet("10.88.0.0/24", "10.88.0.10 - 10.88.0.250", id=3)])
    for i in range(5):
        Client(port, mac_of(i, 0x33)).dora()
    top = subprocess.Popen([os.path.join(os.path.dirname(t.binary), "usherctl"), "-s", s.socket_path, "top", "--batch", "2", "--watch", "3"],
                           stdout=subprocess.PIPE, text=True)
    t.lab.procs.append(top)
    first = ""
    while "SUBNET" not in first:
        line = top.stdout.readline()
        assert line, first
        first += line
    for i in range(5, 8):
        Client(port, mac_of(i, 0x33)).dora()
    rest, _ = top.communicate(timeout=slack(30))
    assert top.returncode == 0
    assert re.match(r"usher-server \d+\.\d+\.\d+\S*  %s  \d{4}-\d\d-\d\dT" % re.escape(s.socket_path), first), first
    _row(first, r"serving, up 0:\d\d:\d\d, configured 0:\d\d:\d\d ago$")
    assert _row(first, r"leases: (\d+) of (\d+) addresses") == ("5", "251")
    assert _row(first, r"DISCOVER +(\d+) +(-) +OFFER +(\d+) +(-)$") == ("5", "-", "5", "-")
    assert _row(first, r"load of the workers:(.*)$")[0].strip("- ") == ""
    load = re.findall(r"(\d+) %", _row(rest, r"load of the workers:((?: \d+ %)+)$")[0])
    assert len(load) == int(_row(rest, r"(\d+) workers, ")[0]) and all(int(x) <= 100 for x in load), load
    rows, per_second = _row(rest, r"lease file: commit, (\d+) rows \(([\d.]+)/s\), \d+ commits")
    assert rows == "8" and float(per_second) > 0
    total, rate, acks = _row(rest, r"REQUEST +(\d+) +([\d.]+) +ACK +(\d+)")
    assert total == acks == "8" and 0 < float(rate) <= 3
    assert _row(rest, r"(\d+) +10\.77\.0\.0/24 +(\d+) +\d+ +10 +80\.0 %") == ("7", "8")
    assert rest.index("10.77.0.0/24") < rest.index("10.88.0.0/24")
    assert "\033" not in first + rest


@test()
def test_ctl_top_names_drops(t):
    """A drop has its sentence; a disabled service and a server that ended are views, not errors of usherctl."""
    port = t.wire()
    s = t.server(subnets=[subnet("10.99.0.0/24", None)])
    assert Client(port, mac_of(1, 0x34)).offer(timeout=0.5, tries=2) is None
    text = _ctl(t, "-s", s.socket_path, "top", "--batch", "1").stdout
    assert _row(text, r"drop-no-subnet +(\d+) +(-)  no subnet for this client$") == ("2", "-")
    s.ok("dhcp-disable")
    _row(_ctl(t, "-s", s.socket_path, "top", "--batch", "1").stdout, "DISABLED, up")
    s.term()
    out = _ctl(t, "-s", s.socket_path, "top", "--batch", "2", "--watch", "1")
    assert out.returncode == 1 and out.stdout.count("no answer: cannot connect to " + s.socket_path) == 2 and not out.stderr, out


@test(tags=("asan",))
def test_ctl_top_of_a_gate(t):
    a, _, g = cable(t)
    gate = Gate(t, g, "haka.rule{ on = haka.dissectors.icmp.events.receive_packet, eval = function (pkt) pkt:drop() end }").start(
        "-i", "ga", "-i", "gb")
    for _ in range(2):
        a.run("ping", "-c", "1", "-W", "1", "10.70.0.2", check=False, timeout=slack(10))
    text = _ctl(t, "gate", "-s", gate.socket, "top", "--batch", "1").stdout
    assert _row(text, r"drop-rule +(\d+) +-  (.*)$") == ("2", "a rule dropped it")
    assert int(_row(text, r"packets +(\d+) ")[0]) >= 2
    assert _row(text, r" +(\d+) +- +0  icmp\.receive_packet")[0] == "2"
    gate.end()


@test(tags=("asan",))
def test_ctl_top_of_a_client(t):
    t.wire()
    t.server()
    c = UsherClient(t, t.lab.ns("cli"))
    c.start("-f")
    c.wait_address()
    text = _ctl(t, "client", "-s", c.socket, "top", "--batch", "1").stdout
    _row(text, r"BOUND: ")
    assert _row(text, r"interface cli0, \S+, link (up), address configured$")
    assert _row(text, r"lease: 10\.77\.0\.\d+/(24) of server 10\.77\.0\.1 for (3600) s$") == ("24", "3600")
    assert re.search(r"^SENT.*^DHCPDISCOVER +\d+.*^RECEIVED.*^DHCPACK +\d+", text, re.M | re.S), text
    assert c.end() == 0


class Screen:
    """usherctl on a terminal of its own."""

    def __init__(self, t, *args):
        self.fd, self.slave = pty.openpty()
        self.before = termios.tcgetattr(self.slave)
        self.proc = subprocess.Popen([os.path.join(os.path.dirname(t.binary), "usherctl"), *args], stdin=self.slave, stdout=self.slave,
                                     stderr=self.slave, start_new_session=True,
                                     preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        t.lab.procs.append(self.proc)
        self.text = b""

    def read(self, until):
        end = time.monotonic() + slack(20)
        while not re.search(until, self.text):
            assert time.monotonic() < end and self.proc.poll() is None, (until, self.text)
            if select.select([self.fd], [], [], 0.1)[0]:
                self.text += os.read(self.fd, 65536)
        return self.text

    def end(self):
        """The exit code; the screen and the terminal must be as before."""
        code = self.proc.wait(slack(10))
        while select.select([self.fd], [], [], 0.1)[0]:
            self.text += os.read(self.fd, 65536)
        assert self.text.endswith(b"\033[?25h\033[?1049l"), self.text[-100:]
        assert termios.tcgetattr(self.slave) == self.before
        return code


@test(cases={"q": b"q", "ctrl_c": b"\x03", "term": signal.SIGTERM, "hup": signal.SIGHUP})
def test_ctl_top_restores_the_terminal(t, how):
    t.wire()
    s = t.server()
    screen = Screen(t, "-s", s.socket_path, "top", "--watch", "1")
    screen.read(rb"(?s)^\033\[\?1049h\033\[\?25l\033\[H\033\[1musher-server.*SUBNET.*\033\[J")
    assert not termios.tcgetattr(screen.slave)[3] & termios.ECHO
    fcntl.ioctl(screen.fd, termios.TIOCSWINSZ, _RESIZE)
    screen.text = b""
    screen.read(rb"(?s)\033\[H.*\033\[J.*\033\[H.*\033\[J")
    last = screen.text.rsplit(b"\033[J", 2)[1]
    lines = re.split(rb"\r+\n", re.sub(rb"\033\[[0-9;?]*[a-zA-Z]", b"", last))
    assert len(lines) == 12 and max(map(len, lines)) <= 60, lines
    if isinstance(how, bytes):
        os.write(screen.fd, how)
    else:
        screen.proc.send_signal(how)
    assert screen.end() == 0


@test()
def test_ctl_needs_a_terminal_or_batch(t):
    t.wire()
    s = t.server()
    out = _ctl(t, "-s", s.socket_path, "top")
    assert out.returncode == 1 and "--batch N" in out.stderr and not out.stdout, out


@test()
def test_ctl_watch_survives_a_restart(t):
    """A command is repeated over a restart of the server, until a signal ends usherctl with exit code 0."""
    t.wire()
    s = t.server()
    log = t.lab.path("watch")
    with open(log, "wb") as out:
        p = subprocess.Popen([os.path.join(os.path.dirname(t.binary), "usherctl"), "-s", s.socket_path, "--watch", "1", "version-get"],
                             stdout=out, stderr=out)
    t.lab.procs.append(p)

    def said():
        with open(log, encoding="utf-8") as f:
            return f.read()
    wait_for("an answer", lambda: "extended" in said(), slack(10))
    s.term()
    wait_for("a failure", lambda: "is usher-server running?" in said(), slack(10))
    before = said().count("extended")
    s.start(write=False)
    wait_for("an answer again", lambda: said().count("extended") > before, slack(10))
    assert said().startswith("--- 2")
    p.send_signal(signal.SIGINT)
    assert p.wait(slack(5)) == 0
    out = _ctl(t, "-s", s.socket_path, "--watch", "1", "dhcp-disable")
    assert out.returncode == 2 and "it changes state" in out.stderr, out
    assert s.ok("status-get")["dhcp-state"]["globally-disabled"] is False


@test(timeout=90, tags=("asan",))
def test_ctl_over_https(t):
    """The server's own HTTPS socket: a table equal to that of the unix socket, refusals, and a view over one connection."""
    port = t.wire()
    ca = Authority(t.lab)
    cert, key = ca.issue("server")
    s = t.server(start=False)
    unix = s.conf.pop("control-socket")
    s.conf["control-sockets"] = [unix, {
        "socket-type": "https", "socket-address": "127.0.0.1", "socket-port": 8443, "trust-anchor": ca.cert, "cert-file": cert,
        "key-file": key, "cert-required": False,
        "authentication": {"type": "basic", "clients": [{"user": "admin", "password": "se:cret"}]}}]
    s.start()
    for i in range(3):
        Client(port, mac_of(i, 0x35)).dora()
    program = os.path.join(os.path.dirname(t.binary), "usherctl")

    def run(*args, password="se:cret"):
        return s.ns.run("env", "USHER_PASSWORD=" + password, program, "--url", "https://127.0.0.1:8443/x", "--user", "admin",
                        "--ca", ca.cert, *args, check=False, timeout=slack(30))
    assert run("lease4-get-all") == _ctl(t, "-s", s.socket_path, "lease4-get-all").stdout
    assert '"result": 0' in run("--json", "version-get").replace('"result":0', '"result": 0')
    assert "status 401: user or password is wrong" in run("version-get", password="wrong")
    text = run("top", "--batch", "2", "--watch", "1")
    assert "https://127.0.0.1:8443/x" in text and len(re.findall("^serving, up", text, re.M)) == 2, text
    _row(text, r"leases: 3 of 241 addresses")
