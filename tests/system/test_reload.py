# SPDX-License-Identifier: MPL-2.0
"""Reconfiguration under load (KEA-RELOAD-01 to -03, KEA-CTL-09, KEA-CONF-01): a refused one loses no
exchange and changes nothing, a good one loses nothing and is applied."""

import json
import os
import re
import subprocess
import time

from lib import dhcp
from lib.client import Client, Ledger, Load, mac_of
from lib.netns import wait_for
from lib.runner import test
from lib.server import SANITIZED, slack, subnet

BIG = [subnet("10.64.0.0/12", "10.65.0.0 - 10.79.255.255")]

# The error, and the file's text
BROKEN = {
    "syntax": lambda c: json.dumps({"Dhcp4": c})[:-9],
    "unknown key": lambda c: json.dumps({"Dhcp4": dict(c, **{"valid-lifetme": 3})}),
    "pool outside of its subnet": lambda c: json.dumps({"Dhcp4": dict(c, subnet4=[
        subnet("10.64.0.0/12", "10.9.0.1 - 10.9.0.9")])}),
    "the same subnet twice": lambda c: json.dumps({"Dhcp4": dict(c, subnet4=BIG + BIG)}),
    "bad expression": lambda c: json.dumps({"Dhcp4": dict(c, **{"client-classes": [{"name": "x", "test": "option[12"}]})}),
    "wrong type": lambda c: json.dumps({"Dhcp4": dict(c, **{"valid-lifetime": "long"})}),
    "no hook library": lambda c: json.dumps({"Dhcp4": dict(c, **{"hooks-libraries": [{"library": "/nonexistent.so"}]})}),
    "empty": lambda c: "",
    "garbage": lambda c: "\x01\x02{[",
}


def _loaded(t, **kw):
    port = t.wire("10.64.0.1/12")
    s = t.server(subnets=BIG, **kw)
    ledger = Ledger()
    load = Load(port, 0x20, window=16, retry=slack(0.8), give_up=slack(4), rate=300, ledger=ledger, renew=3)
    load.start()
    wait_for("the load to run", lambda: len(load.acked) > 30, slack(10))
    return s, load, ledger


def _nothing_lost(load, ledger):
    load.end()
    assert load.failed == 0, "%d exchanges failed of %d" % (load.failed, load.started_n)
    assert load.lost == 0, "%d messages had to be sent again, %d exchanges" % (load.lost, load.started_n)
    assert load.naks == 0, "%d NAKs" % load.naks
    ledger.check()


def _running(s):
    """Returns the server's running configuration, as it reports it."""
    return s.ok("config-hash-get")["hash"], s.ok("config-get")


@test(timeout=120, tags=("asan", "tsan"))
def test_KEA_RELOAD_02_refused_reloads_under_load(t):
    s, load, ledger = _loaded(t)
    before = _running(s)
    broken = list(BROKEN.values())
    rounds = 20 if SANITIZED else 100
    for n in range(rounds):
        # the log holds back more than 50 repetitions of one error in a second
        time.sleep(0.03)
        with open(s.conf_path, "w", encoding="utf-8") as f:
            f.write(broken[n % len(broken)](s.conf))
        if n % 2:
            failures = s.log().count("DHCP4_DYNAMIC_RECONFIGURATION_FAIL")
            s.hup()
            wait_for("the refusal in the log",
                     lambda: s.log().count("DHCP4_DYNAMIC_RECONFIGURATION_FAIL") > failures, slack(5))
        else:
            r = s.command("config-reload")
            assert r["result"] == 1, "%s: %s" % (list(BROKEN)[n % len(broken)], r)
    assert _running(s) == before, "a refused reload changed the configuration"
    assert load.is_alive()
    _nothing_lost(load, ledger)


@test(timeout=120, tags=("asan", "tsan"))
def test_KEA_CTL_09_refused_config_sets_under_load(t):
    s, load, ledger = _loaded(t)
    before = _running(s)
    rounds = 20 if SANITIZED else 100
    for n in range(rounds):
        # the log holds back more than 50 repetitions of one error in a second
        time.sleep(0.03)
        name = list(BROKEN)[n % len(BROKEN)]
        text = BROKEN[name](s.conf)
        r = json.loads(s.raw(('{"command": "config-set", "arguments": %s}' % text).encode(), close_write=True))
        assert r["result"] == 1, "%s: %s" % (name, r)
    assert _running(s) == before, "a refused config-set changed the configuration"
    _nothing_lost(load, ledger)


@test(timeout=120, tags=("asan", "tsan"))
def test_KEA_RELOAD_01_03_good_reloads_under_load(t):
    s, load, ledger = _loaded(t)
    rounds = 10 if SANITIZED else 40
    for n in range(rounds):
        s.conf["valid-lifetime"] = 4000 + n
        if n % 2:
            s.write_conf()
            assert s.command("config-reload")["result"] == 0
        else:
            assert s.command("config-set", {"Dhcp4": s.conf})["result"] == 0
        assert s.ok("config-get")["Dhcp4"]["valid-lifetime"] == 4000 + n
    s.conf["valid-lifetime"] = 5000
    s.write_conf()
    s.hup()
    wait_for("SIGHUP to be applied", lambda: s.ok("config-get")["Dhcp4"]["valid-lifetime"] == 5000, slack(5))
    _nothing_lost(load, ledger)
    c = Client(load.port, mac_of(1, 0x77))
    assert c.dora().lease_time == 5000, "the new lifetime is not used"
    assert s.active(load.acked[0].addr, load.acked[0].mac), "a lease is gone"
    assert load.acked[0].renew().type == dhcp.ACK


@test(tags=("asan",))
def test_reload_moves_pools_and_interfaces(t):
    """A reload that takes the address range away and gives it back, and one that closes the interface."""
    port = t.wire()
    s = t.server()
    c = Client(port, mac_of(1))
    c.dora()
    s.conf["subnet4"] = [subnet("10.77.0.0/24", "10.77.0.200 - 10.77.0.210")]
    assert s.command("config-set", {"Dhcp4": s.conf})["result"] == 0
    d = Client(port, mac_of(2))
    assert d.dora().yiaddr.startswith("10.77.0.20")
    s.conf["interfaces-config"]["interfaces"] = []
    assert s.command("config-set", {"Dhcp4": s.conf})["result"] == 0
    assert Client(port, mac_of(3)).offer(timeout=0.3, tries=2) is None, "served on a closed interface"
    s.conf["interfaces-config"]["interfaces"] = ["srv0"]
    s.conf["subnet4"] = [subnet()]
    assert s.command("config-set", {"Dhcp4": s.conf})["result"] == 0
    assert c.renew(tries=4).type == dhcp.ACK


@test()
def test_config_get_loads_again_and_answers_the_same(t):
    port = t.wire()
    s = t.server(**{"client-classes": [{"name": "a", "test": "option[60].text == 'x'"}],
                    "option-data": [{"name": "domain-name-servers", "data": "10.77.0.1, 10.77.0.2"}]})
    first = s.ok("config-get")
    r = s.command("config-set", {"Dhcp4": first["Dhcp4"]})
    assert r["result"] == 0, r
    second = s.ok("config-get")
    assert first == second, "differs: %s" % [k for k in first["Dhcp4"] if first["Dhcp4"][k] != second["Dhcp4"].get(k)]
    assert s.ok("config-hash-get")["hash"] == first.get("hash", s.ok("config-hash-get")["hash"])
    Client(port, mac_of(1)).dora()


@test()
def test_KEA_CONF_01_check_exit_codes(t):
    """-t: 0 for a good file, not 0 for a bad one with file, line and column said; a start with a bad
    file fails without listening."""
    t.wire()
    s = t.server(start=False)

    def check(text, flag="-t"):
        with open(s.conf_path, "w", encoding="utf-8") as f:
            f.write(text)
        return subprocess.run([t.binary, flag, s.conf_path], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, timeout=slack(20), check=False, env=dict(os.environ, **s.env))

    good = json.dumps({"Dhcp4": s.conf})
    for flag in ("-t", "-T"):
        r = check(good, flag)
        assert r.returncode == 0, "%s of a good file: %d: %s" % (flag, r.returncode, r.stdout)
    for name, broken in BROKEN.items():
        if name == "no hook library":
            r = check(broken(s.conf), "-T")
        else:
            r = check(broken(s.conf))
        assert 0 < r.returncode < 128, "%s: exit code %d: %s" % (name, r.returncode, r.stdout)
        assert re.search(re.escape(s.conf_path) + r":\d+[:.]\d+", r.stdout), "%s: no position: %s" % (name, r.stdout)
    r = subprocess.run([t.binary, "-t", "/nonexistent"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                       timeout=slack(20), check=False)
    assert 0 < r.returncode < 128
    s.start(wait=False, write=False)
    assert s.proc.wait(slack(10)) > 0, "it started with a broken file"


@test(tags=("asan",))
def test_sigterm_ends_with_0(t):
    port = t.wire()
    s = t.server()
    for _ in range(3):
        Client(port, mac_of(int(time.time()) & 255)).dora()
        assert s.term() == 0, "exit code %d" % s.proc.returncode
        s.start(write=False)
    load = Load(port, 0x20, rate=2000, window=64, give_up=0.5)
    load.start()
    time.sleep(0.3)
    code = s.term()
    load.end(abandon=True)
    assert code == 0, "exit code %d under load" % code
    s.start(write=False)
    have = s.leases()
    for c in load.acked:
        assert s.active(c.addr, c.mac, have)
    s.ended = True
    assert s.command("shutdown")["result"] == 0
    assert s.proc.wait(slack(10)) == 0, "shutdown command: exit code %d" % s.proc.returncode


@test()
def test_a_second_server_is_refused(t):
    """Two processes would write one lease file: the second one ends, the first continues."""
    port = t.wire()
    s = t.server()
    second = t.lab.popen(s.ns, [t.binary, "-c", s.conf_path], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                         env=dict(os.environ, **s.env))
    assert second.wait(slack(10)) > 0, "a second server runs on the same files"
    assert s.command("status-get")["result"] == 0
    Client(port, mac_of(1)).dora()
