# SPDX-License-Identifier: MPL-2.0
"""usher-load itself: against its own stateless responder with and without segmentation offload,
against a responder that lies, and against the server in every profile, relayed and direct, with the
lease file checked at the end and at every sampled ACK."""

import json
import os
import subprocess
import time

from lib.netns import end_process, wait_for
from lib.runner import test
from lib.server import slack, subnet

POOL = [subnet("10.64.0.0/12", "10.65.0.0 - 10.79.255.255")]
GIADDR = "10.64.0.1"


def program(t):
    """Beside the server under test, if that is ours."""
    beside = os.path.join(os.path.dirname(t.binary), "usher-load")
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    return beside if os.access(beside, os.X_OK) else os.path.join(root, "build", "usher-load")


class Net:
    """The server's namespace and the generator's, a relay agent's address at the latter."""

    def __init__(self, t, offload=False, direct_addr="10.64.0.2/12"):
        self.t = t
        self.srv, self.gen = t.lab.ns("srv"), t.lab.ns("gen")
        t.lab.veth(self.srv, "srv0", self.gen, "gen0")
        if offload:
            self.srv.tx_on("srv0")
            self.gen.tx_on("gen0")
        self.srv.addr("srv0", "10.99.0.1/24", direct_addr)
        self.gen.addr("gen0", "10.99.0.2/24")
        self.gen.addr("lo", GIADDR + "/32")
        self.srv.ip("route", "add", GIADDR + "/32", "via", "10.99.0.2")

    def responder(self, *args):
        p = self.t.lab.popen(self.srv, [program(self.t), "--responder", "--bind", "10.99.0.1", "--json", *args],
                             stdout=subprocess.PIPE, text=True)
        return p

    def run(self, *args, timeout=30):
        """(exit code, standard output, standard error)"""
        p = self.t.lab.popen(self.gen, [program(self.t), *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                             text=True)
        out, err = p.communicate(timeout=slack(timeout))
        return p.returncode, out, err

    def load(self, *args, direct=False, code=0, **kw):
        """The report; the exit code has to be as said."""
        where = ["--direct", "-i", "gen0"] if direct else ["--bind", GIADDR, "--server", "10.99.0.1"]
        got, out, err = self.run(*where, "--json", "--no-progress", *args, **kw)
        assert got == code, "exit code %d: %s%s" % (got, err, out[:1500])
        return json.loads(out)


def settle(net):
    """Until the responder listens: one exchange comes through."""
    for _ in range(20):
        code, _, _ = net.run("--bind", GIADDR, "--server", "10.99.0.1", "--profile", "dora", "--exchanges", "1",
                             "--timeout", "200", "--no-offload")
        if code != 3:
            return
    raise AssertionError("the responder does not answer")


@test(cases={"offload": (True, ()), "software": (False, ()), "none": (True, ("--no-offload",))}, tags=("asan",))
def test_load_responder(t, case):
    offload, args = case
    net = Net(t, offload)
    p = net.responder(*args)
    settle(net)
    for more in (["--profile", "dora"], ["--profile", "renew", "--clients", "500"],
                 ["--profile", "mixed", "--clients", "500", "--options", "mixed", "--client-id", "mixed"]):
        r = net.load("--exchanges", "20000", "--timeout", "3000", *more, *args)
        assert r["exchanges"] == 20000 and r["drops"] == 0 and r["error_count"] == 0, r
        # without checksum offload it is the kernel's choice
        assert r["io"]["gso"] == (not args) or not offload, r["io"]
        assert 0 < r["latency_us"]["p50"] <= r["latency_us"]["p99"] <= r["latency_us"]["max"]
    assert end_process(p, slack(5)) == 0
    said = json.loads(p.stdout.read())
    assert said["acks"] >= 60000 and said["ignored"] < said["acks"], said


LIES = {"duplicate": "duplicate_address", "xid": "wrong_xid", "chaddr": "wrong_chaddr",
        "server-id": "changed_server_id", "address": "changed_address", "giaddr": "wrong_giaddr",
        "type": "wrong_type", "nak": "nak", "lease-time": "no_lease_time", "client-id": "wrong_client_id",
        "malformed": "malformed"}


@test(cases={k.replace("-", "_"): k for k in LIES}, tags=("asan",))
def test_load_catches_a_lie(t, lie):
    net = Net(t)
    p = net.responder()
    settle(net)
    r = net.load("--profile", "dora", "--exchanges", "500", "--timeout", "300")
    assert r["error_count"] == 0, r["first_errors"]
    end_process(p, slack(5))
    net.responder("--lie", lie)
    for _ in range(20):  # until it listens
        code, out, _ = net.run("--bind", GIADDR, "--server", "10.99.0.1", "--json", "--profile", "dora",
                               "--exchanges", "500", "--timeout", "300", "--window", "64")
        if code != 3:
            break
    r = json.loads(out)
    assert code == 1, "exit code %d: %s" % (code, r["first_errors"])
    assert r["errors"][LIES[lie]] > 0 and r["errors"][LIES[lie]] == r["error_count"], r["errors"]
    assert r["first_errors"][0].startswith(LIES[lie] + ":"), r["first_errors"]


def _profile(t, direct, profile):
    net = Net(t, direct_addr=GIADDR + "/12" if direct else "10.64.0.2/12")
    s = t.server(subnets=POOL)
    clients = [] if profile in ("dora", "release") else ["--clients", "300"]
    r = net.load("--profile", profile, "--exchanges", "3000", *clients, "--options", "mixed", "--client-id", "mixed",
                 "--timeout", str(slack(3) * 1000), "--leases", s.lease_path, "--check-leases-live", direct=direct,
                 timeout=50)
    assert r["exchanges"] == 3000 and r["drops"] == 0 and r["naks"] == 0, r
    assert r["leases"]["live_checked"] > 0 and r["leases"]["checked"] == r["leases"]["held"], r["leases"]
    assert r["releases"] == 3000 if profile == "release" else r["leases"]["held"] > 200, r
    return s, r


PROFILES = {"dora": "dora", "renew": "renew", "release": "release", "mixed": "mixed"}


@test(cases=PROFILES, timeout=90)
def test_load_server_relayed(t, profile):
    s, r = _profile(t, False, profile)
    assert sum(row["state"] == "0" for row in s.leases().values()) >= r["leases"]["held"]


@test(cases=PROFILES, timeout=90)
def test_load_server_direct(t, profile):
    _profile(t, True, profile)


@test()
def test_load_a_clean_up_while_rows_are_checked(t):
    """The lease file is moved away and begun anew twice in the middle of a run."""
    net = Net(t)
    s = t.server(subnets=POOL)
    p = t.lab.popen(net.gen, [program(t), "--bind", GIADDR, "--server", "10.99.0.1", "--json", "--profile", "mixed",
                              "--clients", "200", "--time", "4", "--timeout", str(slack(3) * 1000), "--leases",
                              s.lease_path, "--check-leases-live", "--rate", "3000"], stdout=subprocess.PIPE, text=True)
    for _ in range(2):
        try:
            p.wait(1)
        except subprocess.TimeoutExpired:
            pass
        s.ok("kea-lfc-start")
    out, _ = p.communicate(timeout=slack(30))
    r = json.loads(out)
    assert p.returncode == 0 and r["error_count"] == 0, "exit code %d: %s" % (p.returncode, r["first_errors"])
    assert r["leases"]["live_checked"] > 50, r["leases"]


def _doubled(path):
    """Addresses whose running leases were two clients': all rows count, leases last an hour."""
    owner, doubled = {}, []
    for name in (path + ".2", path + ".1", path):
        if not os.path.exists(name):
            continue
        with open(name, encoding="utf-8") as f:
            next(f)
            for line in f:
                addr, hw, _, lft, _, _, _, _, _, state, *_ = line.split(",")
                if lft == "0" or state != "0":
                    owner.pop(addr, None)
                elif owner.setdefault(addr, hw) != hw:
                    doubled.append((addr, owner[addr], hw))
    return doubled


@test(timeout=300, tags=("asan", "tsan"), alone=True)
def test_INV_04_05_kill_9_at_full_load(t):
    """As many exchanges as the machine does, the server killed in the middle of them: each acknowledged lease
    is in the file, and belongs to no other client afterwards."""
    net = Net(t, offload=True)
    s = t.server(subnets=POOL, start=False)
    s.conf["interfaces-config"]["dhcp-socket-type"] = "udp"
    s.conf["loggers"][0]["severity"] = "WARN"
    s.start()
    acked = 0
    for k in range(12 if t.long else 4):
        p = t.lab.popen(net.gen, [program(t), "--bind", GIADDR, "--server", "10.99.0.1", "--json", "--no-progress",
                                  "--profile", "dora", "--time", "%.1f" % max(2, slack(1)), "--window", "512", "--timeout", "300",
                                  "--first-client", str(k * 1000000), "--leases", s.lease_path],
                        stdout=subprocess.PIPE, text=True)
        before = os.path.getsize(s.lease_path)
        time.sleep(0.7 + 0.13 * k % 0.6)
        # a busy machine needs longer for its first leases
        wait_for("leases", lambda before=before: os.path.getsize(s.lease_path) > before + (1 << 17), slack(0.5))
        s.kill()
        out, _ = p.communicate(timeout=slack(60))
        r = json.loads(out)
        assert r["error_count"] == 0, r["first_errors"]
        assert r["drops"] > 0 and r["exchanges"] > 500, "the kill missed the load: %s" % r
        acked += r["leases"]["held"]
        s.start(write=False)
    assert acked > 4000 and not _doubled(s.lease_path), _doubled(s.lease_path)[:5]


@test()
def test_load_misses_rows(t):
    """Another server's lease file: every lease of this one is missing in it."""
    net = Net(t)
    s = t.server(subnets=POOL)
    other = t.lab.path("other.csv")
    with open(s.lease_path, encoding="utf-8") as f, open(other, "w", encoding="utf-8") as g:
        g.write(f.readline())
    r = net.load("--profile", "dora", "--exchanges", "100", "--leases", other, code=1)
    assert r["errors"]["missing_lease"] == 100 == r["error_count"], r["errors"]
    r = net.load("--profile", "dora", "--exchanges", "100", "--first-client", "1000", "--leases", other,
                 "--check-leases-live", code=1)
    assert r["errors"]["late_lease"] > 0, r["errors"]


@test()
def test_load_full_pool_and_strangers(t):
    """Clients of a full pool renew while strangers ask in vain."""
    net = Net(t)
    t.server(subnets=[subnet("10.64.0.0/12", "10.65.0.1 - 10.65.0.60")])
    r = net.load("--profile", "renew", "--clients", "60", "--time", "2", "--strangers", "300", "--leases",
                 t.servers[0].lease_path)
    assert r["strangers"]["sent"] > 100 and r["strangers"]["answered"] == 0, r["strangers"]
    assert r["exchanges"] > 100 and r["drops"] == 0 and r["leases"]["held"] == 60, r


@test()
def test_load_nothing_answers(t):
    net = Net(t)
    code, out, err = net.run("--bind", GIADDR, "--server", "10.99.0.1", "--profile", "dora", "--exchanges", "10",
                             "--timeout", "100")
    assert code == 3 and "no server answered" in err and "10 after discover" in out, (code, out, err)
    code, out, err = net.run("--bind", GIADDR, "--server", "10.99.0.1", "--profile", "renew", "--clients", "10",
                             "--timeout", "100")
    assert code == 3 and "not every client obtained a lease" in err, (code, err)


@test(timeout=120)
def test_load_ramp_and_page(t):
    """One client at a time: the rate is limited by the way there and back, and found."""
    net = Net(t, offload=True)
    net.responder()
    settle(net)
    page = t.lab.path("page.html")
    about = net.load("--profile", "dora", "--window", "1", "--time", "1")["rate"]
    r = net.load("--profile", "dora", "--window", "1", "--ramp", "--rate", str(int(about * 0.8)), "--html", page,
                 timeout=100)
    steps = r["ramp"]["steps"]
    assert len(steps) >= 2 and any(s["good"] for s in steps) and not all(s["good"] for s in steps), steps
    assert r["rate"] == r["ramp"]["rate"] == max(s["attained"] for s in steps if s["good"]), r["ramp"]
    with open(page, encoding="utf-8") as f:
        text = f.read()
    assert text.count("<svg") == 2 and "src=" not in text and "http" not in text, text[:300]


@test()
def test_load_usage(t):
    net = Net(t)
    for args, word in ((["--profile", "dora"], "--bind"), (["--direct", "-i", "gen0"], "--profile"),
                       (["--direct", "-i", "gen0", "--profile", "sarod"], "dora, renew, release, mixed"),
                       (["--direct", "-i", "none0", "--profile", "dora"], "none0: No such device"),
                       (["--bind", "10.1.2.3", "--server", "10.99.0.1", "--profile", "dora"], "--bind: Cannot assign"),
                       (["--direct", "-i", "gen0", "--profile", "dora", "--cpu", "1000"], "--cpu"),
                       (["--direct", "-i", "gen0", "--profile", "dora", "--time", "0.1", "--timeout", "10", "--leases",
                         "/none/leases.csv"], "/none/leases.csv: No such file"),
                       (["--direct", "-i", "gen0", "--profile", "dora", "--time", "0.1", "--timeout", "10", "--html",
                         "/none/page.html"], "/none/page.html: No such file"),
                       (["--nonsense"], "--nonsense: no such option")):
        code, _, err = net.run(*args)
        assert code == 2 and word in err and "usher-load: " in err, (args, code, err)
    code, out, _ = net.run("--help")
    assert code == 0 and "--check-leases-live" in out
