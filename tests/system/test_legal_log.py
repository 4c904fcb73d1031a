# SPDX-License-Identifier: MPL-2.0
"""The hook library legal_log with real files and a real socket of syslog: a full disk, kill -9, load beyond its queue, and
rotations with scripts. Clients are always served; each record is written whole, once and in its order."""

import glob
import os
import re
import socket
import time

from lib.client import Client, Load, acquire_many, mac_of
from lib.metrics import Text
from lib.netns import fill_disk, wait_for
from lib.runner import test
from lib.server import SANITIZED, slack, subnet

BIG = [subnet("10.76.0.0/15", "10.76.1.0 - 10.76.60.255")]
QUEUE = 8 << 20
RECORD = re.compile(r"Address: (10\.7[67]\.\d+\.\d+) has been assigned for 1 hrs 0 mins 0 secs to a device with hardware "
                    r"address: hwtype=1 ((?:[0-9a-f]{2}:){5}[0-9a-f]{2})")


def _library(path, **more):
    parameters = {"timestamp-format": "%s", **({"path": path} if path else {}), **more}
    return [{"library": "libdhcp_legal_log.so", "parameters": parameters}]


def _lines(directory, base="kea-legal"):
    """The whole lines of all files, without their times, oldest file first."""
    out = []
    for path in sorted(glob.glob(os.path.join(directory, base + ".*.txt"))):
        with open(path, encoding="utf-8", errors="replace") as f:
            out += [line[:-1].split(" ", 1)[-1] for line in f if line.endswith("\n")]
    return out


def _holders(lines):
    """The addresses and clients of records, in their order; every line has to be a record."""
    out = []
    for line in lines:
        m = RECORD.fullmatch(line)
        assert m, "not a record: %r" % line
        out.append((m.group(1), m.group(2)))
    return out


def _pairs(clients):
    return [(c.addr, c.mac.hex(":")) for c in clients]


def _lost(s):
    return s.ok("status-get")["hook-lost"]


@test(timeout=90, tags=("asan", "tsan"))
def test_legal_log_full_disk(t):
    """Records of a full disk wait, also over a reload, and are written whole and once when there is room again. A server
    that ends on a full disk says how many are not written."""
    port = t.wire("10.77.0.1/15")
    disk = t.lab.tmpfs("disk", "256k")
    s = t.server(subnets=BIG, **{"hooks-libraries": _library(disk)})
    clients = acquire_many(port, [Client(port, mac_of(n)) for n in range(20)], slack(10))
    wait_for("the first records", lambda: len(_lines(disk)) == 20, slack(10))
    hog = fill_disk(disk)
    more = acquire_many(port, [Client(port, mac_of(n, 0x20)) for n in range(400)], slack(20))
    assert len(more) == 400, "%d of 400 clients are served on a full disk" % len(more)
    wait_for("the report", lambda: "LEGAL_LOG_LEASE4_WRITE_ERROR" in s.log(), slack(5))
    s.ok("config-reload")
    time.sleep(2)
    assert s.log().count("LEGAL_LOG_LEASE4_WRITE_ERROR") == 1, "a report for each attempt"
    assert s.logged("No space left on device; its records wait")
    assert len(_lines(disk)) < 420
    os.unlink(hog)
    wait_for("all records", lambda: len(_lines(disk)) == 420, slack(10))
    wait_for("the end of the outage", lambda: "USHER_LEGAL_LOG_BACK" in s.log(), slack(5))
    holders = _holders(_lines(disk))
    assert len(set(holders)) == 420 and set(holders) == set(_pairs(clients + more))
    assert _lost(s) == 0 and s.ok("status-get")["hook-failures"] == 0
    hog = fill_disk(disk)
    last = acquire_many(port, [Client(port, mac_of(n, 0x30)) for n in range(200)], slack(20))
    assert len(last) == 200
    begin = time.monotonic()
    assert s.term() == 0
    assert time.monotonic() - begin < slack(5), "the end waited for the disk"
    m = re.search(r"LEGAL_LOG_STORE_CLOSE_ERROR (\d+) records are not written yet", s.log())
    assert m and 100 < int(m.group(1)) <= 200, s.tail()


@test(timeout=90, tags=("asan",))
def test_legal_log_kill(t):
    """kill -9 under load, three times: every line that is there is a whole record but for the last one of a run, which gets
    its end; the next start continues the file."""
    port = t.wire("10.77.0.1/15")
    path = t.lab.path("legal")
    os.mkdir(path)
    s = t.server(subnets=BIG, **{"hooks-libraries": _library(path)})
    acked = []
    for round in range(3):
        load = Load(port, 0x20 + round, give_up=0.5)
        load.start()
        wait_for("clients", lambda: len(load.acked) > 150, slack(20))
        s.kill()
        acked += load.end().acked
        before = _lines(path)
        if round == 1:  # as a kill in the middle of a write leaves it
            with open(glob.glob(path + "/*.txt")[0], "a", encoding="utf-8") as f:
                f.write("1800000000 Address: 10.76")
        s.start()
        c = Client(port, mac_of(round))
        assert c.dora()
        acked.append(c)
        wait_for("its record", lambda: len(_lines(path)) > len(before), slack(10))
        lines = _lines(path)
        assert lines[:len(before)] == before, "a start changed the file"
    torn = [n for n, line in enumerate(lines) if not RECORD.fullmatch(line)]
    assert len(torn) == 1 and lines[torn[0]] == "Address: 10.76", [lines[n] for n in torn]
    lines.pop(torn[0])
    holders = _holders(lines)
    # a record may be written and its answer be lost, or the other way; but few, those of the moment of the kill
    missing = set(_pairs(acked)) - set(holders)
    assert len(missing) <= 3 * 64, "%d of %d records are missing" % (len(missing), len(acked))
    assert len(glob.glob(path + "/*")) <= 2, "other files than those of one or two days"


@test(timeout=120, tags=("asan", "tsan"))
def test_legal_log_beyond_queue(t):
    """A target that hangs, and more records than its queue holds: all clients are served, the memory is bounded, the loss is
    counted and logged, and the records in the queue are written in their order afterwards."""
    port = t.wire("10.77.0.1/15")
    disk = t.lab.tmpfs("disk", "24m")
    big = "option[61].hex"
    for _ in range(4):  # 16 times, of query and response
        big = "concat(%s,%s)" % (big, big)
    s = t.server(subnets=BIG, **{"hooks-libraries": _library(disk, **{"request-parser-format": big,
                                                                      "response-parser-format": big})})
    hog = fill_disk(disk)
    n, size = 1200, 32 * 250
    room = QUEUE // size
    rss = s.rss_kib()

    def client(i, block):
        mac = mac_of(i, block)
        return Client(port, mac, cid=mac.hex(":").encode() + b"x" * (250 - 17))
    clients = acquire_many(port, [client(i, 0x10) for i in range(n)], slack(40), retry=3)
    assert len(clients) == n, "%d of %d clients are served" % (len(clients), n)
    lost = _lost(s)
    assert n - room - 10 <= lost <= n - room + n // 10, "%d of %d records are lost" % (lost, n)
    # sanitizers have memory of their own beside each octet
    assert s.rss_kib() - rss < (256 if SANITIZED else 64) << 10, "%d KiB more" % (s.rss_kib() - rss)
    assert s.logged("a record is lost: too many records wait to be written")
    assert Text(s.ok("metrics-get")["metrics"]).get("usher_hook_lost_total", library="libdhcp_legal_log.so") == lost
    assert s.ok("status-get")["hook-failures"] == lost
    os.unlink(hog)
    wait_for("the queue to be written", lambda: len(_lines(disk)) >= n - lost, slack(20))
    lines = _lines(disk)
    assert all(len(line) == size for line in lines), "a record is not whole"
    assert len({line[:17] for line in lines}) == len(lines), "a record is there twice"
    assert client(1, 0x40).dora()
    wait_for("a new record", lambda: len(_lines(disk)) == len(lines) + 1, slack(10))
    assert _lines(disk)[-1].startswith(mac_of(1, 0x40).hex(":"))


class _Syslog:
    """A receiver of syslog at path."""

    def __init__(self, path):
        self.path = path
        self.lines = []
        self.open()

    def open(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind(self.path)
        self.sock.setblocking(False)

    def close(self):
        self.read()
        self.sock.close()
        os.unlink(self.path)

    def read(self):
        """All messages so far."""
        while True:
            try:
                self.lines.append(self.sock.recv(65536).decode("utf-8", "replace"))
            except BlockingIOError:
                return self.lines


def _dev(t):
    """A directory that stands for /dev, and the command in front of a server that sees it there."""
    path = t.lab.path("dev")
    os.mkdir(path)
    script = ""
    for name in ("null", "zero", "random", "urandom"):
        with open(os.path.join(path, name), "w", encoding="utf-8"):
            script += "mount --bind /dev/%s %s/%s && " % (name, path, name)
    return path, ["unshare", "--mount", "--propagation", "private", "sh", "-c",
                  script + "mount --rbind %s /dev && exec \"$@\"" % path, "sh"]


@test(timeout=60, tags=("asan",))
def test_legal_log_syslog(t):
    """Records arrive at the socket of syslog with facility, level and pattern, several lines as one message; while nothing
    listens they wait, and come in their order."""
    port = t.wire()
    dev, wrap = _dev(t)
    receiver = _Syslog(os.path.join(dev, "log"))
    library = _library(None, type="syslog", facility="local1", pattern="%-5p [%c] <%m>%n",
                       **{"request-parser-format": "concat(hexstring(pkt4.mac, ':'), concat(0x0a, 'second'))"})
    del library[0]["parameters"]["timestamp-format"]
    s = t.server(start=False, **{"hooks-libraries": library})
    s.start(wrap=wrap)
    clients = [Client(port, mac_of(i)) for i in range(1, 9)]
    for c in clients[:3]:
        assert c.dora()
    wait_for("the messages", lambda: len(receiver.read()) >= 3, slack(10))
    receiver.close()
    for c in clients[3:6]:
        assert c.dora()
    wait_for("the report", lambda: "syslog cannot be written" in s.log(), slack(10))
    assert len(receiver.lines) == 3
    receiver.open()
    wait_for("the messages that waited", lambda: len(receiver.read()) >= 6, slack(10))
    wait_for("the end of the outage", lambda: "USHER_LEGAL_LOG_BACK" in s.log(), slack(10))
    for c in clients[6:]:
        assert c.dora()
    wait_for("the last messages", lambda: len(receiver.read()) >= 8, slack(10))
    for line, c in zip(receiver.lines, clients):
        # facility local1 is 17, level info is 6
        want = r"<%d>.*: INFO  \[kea-dhcp4\.legal-log-hooks\] <.*%s\nsecond>" % (17 * 8 + 6, c.mac.hex(":"))
        assert re.fullmatch(want, line.rstrip("\0"), re.S), line
    assert len(receiver.lines) == 8 and _lost(s) == 0
    receiver.close()


@test(timeout=60, tags=("asan",))
def test_legal_log_rotation(t):
    """Each file that is closed is given to prerotate, each new one to postrotate; scripts run beside the packets, and one
    that vanishes is reported. No file is made while nothing is written, but for the one of the start."""
    port = t.wire()
    path, runs = t.lab.path("legal"), t.lab.path("runs")
    os.mkdir(path)
    pre = t.lab.script("pre.sh", "echo pre \"$@\" >> %s; [ $(/usr/bin/wc -l < \"$1\") -le 1 ] || echo wrong >> %s\n" % (runs, runs))
    post = t.lab.script("post.sh", "[ -e \"$1\" ] && echo post \"$@\" >> %s\n" % runs)
    s = t.server(**{"hooks-libraries": _library(path, prerotate=pre, postrotate=post, **{"time-unit": "second", "count": 1})})
    clients = [Client(port, mac_of(i)) for i in range(1, 6)]
    for n, c in enumerate(clients[:4]):
        assert c.dora()
        wait_for("its record", lambda n=n: len(_lines(path)) == n + 1, slack(10))
        time.sleep(1.1)
    files = sorted(glob.glob(path + "/kea-legal.T*.txt"))
    # the first client may come a second after the start
    assert len(files) == 4 + (os.stat(files[0]).st_size == 0), files

    def ran():
        try:
            with open(runs, encoding="utf-8") as f:
                return sorted(f.read().splitlines())
        except FileNotFoundError:
            return []
    want = sorted(["pre " + f for f in files[:-1]] + ["post " + f for f in files[1:]])
    wait_for("the scripts", lambda: len(ran()) >= len(want), slack(10))
    assert ran() == want, ran()
    assert _holders(_lines(path)) == _pairs(clients[:4])
    os.unlink(pre)
    assert clients[4].dora()
    wait_for("the report", lambda: "pre.sh cannot be started: No such file" in s.log(), slack(10))
    wait_for("its record", lambda: len(_lines(path)) == 5, slack(10))
    assert _lost(s) == 0
