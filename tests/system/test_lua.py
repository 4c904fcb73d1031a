# SPDX-License-Identifier: MPL-2.0
"""The hook library "lua" in the real server: rules in all workers under load, parked packets, reloads of good
and broken scripts, a rule without end."""

import os
import time

from lib.client import Client, Ledger, Load, mac_of
from lib.gate import Gate, cable
from lib.netns import wait_for
from lib.runner import test
from lib.server import SANITIZED, slack, subnet

BIG = [subnet("10.64.0.0/12", "10.65.0.0 - 10.79.255.255")]

RULES = """
local dhcp = haka.dissectors.dhcp.events
local waiting = nil
haka.rule{ on = dhcp.pkt4_receive, when = { type = "discover" }, eval = function (msg, call)
  call.classes:add("from-lua")
end }
haka.rule{ on = dhcp.leases4_committed, when = { type = "request" }, eval = function (msg, call)
  if waiting then waiting:unpark() end
  waiting = call:park()
  if msg.xid % 3 > 0 then waiting:unpark() waiting = nil end
end }
haka.rule{ on = dhcp.pkt4_send, eval = function (msg, call)
  call.response.options[224] = "VERSION"
end }
haka.rule{ on = dhcp.pkt4_receive, when = { chaddr = "02:00:00:00:66:66" }, eval = function ()
  while true do pcall(function () while true do end end) end
end }
"""


def _server(t):
    port = t.wire("10.64.0.1/12")
    s = t.server(subnets=BIG, start=False, **{"hooks-libraries": [
        {"library": "lua", "parameters": {"script": "rules.lua", "on-error": "drop"}}]})
    _write(s, RULES.replace("VERSION", "v0"))
    return port, s.start()


def _write(s, text):
    """As an editor does: never half a file."""
    path = os.path.join(s.dir, "rules.lua")
    with open(path + ".new", "w", encoding="utf-8") as f:
        f.write(text)
    os.rename(path + ".new", path)


def _version(port, n):
    offer = Client(port, mac_of(n, 0x55)).offer()
    return offer and offer.get(224)


@test(timeout=120, tags=("asan", "tsan"))
def test_lua_rules_and_reloads_under_load(t):
    """Rules park every third ACK until the next packet of their worker, while good and broken scripts are
    loaded: a lost ACK is asked for again and no exchange fails; a refused script changes nothing."""
    port, s = _server(t)
    beside = t.raw_port(t.lab.ns("cli"), "cli0", t.lab.ns("srv"), "srv0", "10.64.0.1")
    ledger = Ledger()
    load = Load(port, 0x20, window=16, retry=slack(0.8), give_up=slack(8), rate=300, ledger=ledger, renew=3)
    load.start()
    wait_for("the load to run", lambda: len(load.acked) > 30, slack(10))
    for n in range(1, 6 if SANITIZED else 21):
        _write(s, RULES.replace("VERSION", "v%d" % n))
        if n % 2:
            assert s.command("config-reload")["result"] == 0, s.tail()
        else:
            done = s.log().count("is in effect")
            s.hup()
            wait_for("the reload", lambda: s.log().count("is in effect") > done, slack(5))
        assert _version(beside, n) == b"v%d" % n
        _write(s, "local x = 1\nhaka.rule{ on = 7, eval = print }\n")
        answer = s.command("config-reload")
        assert answer["result"] == 1 and "rules.lua:2:" in answer["text"], answer
        assert _version(beside, 100 + n) == b"v%d" % n, "a refused script took effect"
        time.sleep(0.03)
    load.end()
    assert load.failed == 0, "%d exchanges failed of %d" % (load.failed, load.started_n)
    assert load.naks == 0, "%d NAKs" % load.naks
    ledger.check()
    assert s.ok("status-get")["hook-failures"] == 0, s.tail()


@test(timeout=60, tags=("asan", "tsan"))
def test_lua_runaway_rule(t):
    """A rule without end ends by itself, its packet is dropped, the failure logged with its line and counted."""
    port, s = _server(t)
    bad = Client(port, b"\x02\x00\x00\x00\x66\x66")
    began = s.cpu_seconds()
    port.send(bad.discover())
    wait_for("the failure to be counted", lambda: s.ok("status-get")["hook-failures"] == 1, slack(10))
    assert s.cpu_seconds() - began < slack(3), "%.1f s of CPU" % (s.cpu_seconds() - began)
    assert s.logged("rules.lua:16") and s.logged("instructions"), s.tail()
    assert bad.offer(timeout=slack(1), tries=1) is None, "answered"
    assert Client(port, mac_of(1)).offer(), "others are not answered"


# The example that ships, as it ships.
POLICY = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "modules", "lua", "policy.lua")
VENDOR_CLASS = 60


def _policy_holds(port):
    """The blocked vendor class gets no offer, another does, and so does a client that names none."""
    blocked = Client(port, mac_of(1), options=[(VENDOR_CLASS, b"acme-camera")])
    assert blocked.offer(timeout=slack(0.5), tries=2) is None, "a blocked vendor class got an offer"
    Client(port, mac_of(2), options=[(VENDOR_CLASS, b"acme-phone")]).dora()
    Client(port, mac_of(3)).dora()


@test(timeout=60, tags=("asan",))
def test_lua_one_script_in_both_programs(t):
    """modules/lua/policy.lua, unchanged: as the server's hook library, and as the rules of a gate before a server
    that knows nothing of it."""
    port = t.wire()
    s = t.server(**{"hooks-libraries": [{"library": "lua", "parameters": {"script": POLICY}}]})
    _policy_holds(port)
    assert s.ok("status-get")["hook-failures"] == 0, s.tail()
    s.term()
    a, b, g = cable(t)
    gate = Gate(t, g)
    gate.rules = POLICY
    gate.start("-i", "ga", "-i", "gb")
    t.server(ns=b, name="behind", interfaces=("b0",), subnets=[subnet("10.70.0.0/24", "10.70.0.100 - 10.70.0.150")])
    _policy_holds(t.raw_port(a, "a0", b, "b0", "10.70.0.2"))
    said = gate.end()
    assert said["drops"] == {"drop-rule": 2}, said
