# SPDX-License-Identifier: MPL-2.0
"""Kea's hook library limits in the program: a burst over several workers, reloads, kill -9, places of mistakes."""

import json
import re
import subprocess
import time

from lib import dhcp
from lib.client import Client, mac_of
from lib.runner import test
from lib.server import slack, subnet

LIMITS = [{"library": "libdhcp_limits.so"}]
VENDOR = 60


def _gold(**limits):
    return {"name": "gold", "test": "option[60].text == 'gold'", "user-context": {"limits": limits}}


def _client(port, n, block=0x31):
    return Client(port, mac_of(n, block), options=[(VENDOR, b"gold")])


def _types(received):
    return sorted(r.msg.type for r in received)


def _burst(port, clients):
    """DISCOVERs of all, then REQUESTs of all that have an offer. The clients that got an ACK."""
    by_xid = {}
    for c in clients:
        m = c.discover()
        by_xid[m.xid] = c
        port.send(m)
    offers = [(by_xid[r.msg.xid], r.msg) for r in port.collect(slack(1)) if r.msg.type == dhcp.OFFER]
    for c, offer in offers:
        port.send(c.request(offer))
    answers = port.collect(slack(1))
    assert len(answers) == len(offers), "%d answers to %d requests" % (len(answers), len(offers))
    return len(offers), [by_xid[r.msg.xid] for r in answers if r.msg.type == dhcp.ACK]


@test(timeout=90, tags=("asan", "tsan"))
def test_KH_limits_burst_of_leases(t):
    """However many clients request at once, the class has as many leases as its limit; the rest get a NAK."""
    port = t.wire()
    s = t.server(**{"hooks-libraries": LIMITS, "client-classes": [_gold(**{"address-limit": 7})],
                    "multi-threading": {"enable-multi-threading": True, "thread-pool-size": 4}})
    n, winners = _burst(port, [_client(port, i) for i in range(1, 61)])
    assert n > 20, "%d offers: the burst was no burst" % n
    assert len(winners) == 7, "%d leases" % len(winners)
    n, more = _burst(port, [_client(port, i) for i in range(101, 111)])
    assert (n, more) == (0, []), "offers of a class at its limit"
    # also behind kill -9, and with the leases from the file
    s.kill()
    s.start(write=False)
    assert _burst(port, [_client(port, i) for i in range(121, 131)]) == (0, [])
    stored = s.ok("lease4-get-all", {"subnets": [1]})["leases"]
    assert len(stored) == 7
    assert all("gold" in x["user-context"]["ISC"]["client-classes"] for x in stored)
    s.ok("lease4-del", {"ip-address": stored[0]["ip-address"]})
    s.ok("lease4-del", {"ip-address": stored[1]["ip-address"]})
    _, winners = _burst(port, [_client(port, i) for i in range(141, 161)])
    assert len(winners) == 2, "%d leases in two places" % len(winners)


@test(timeout=90, tags=("asan", "tsan"))
def test_KH_limits_rate_of_several_workers(t):
    """Workers share the clock of a class; reloads meanwhile never let more packets through than one limit each."""
    port = t.wire()
    s = t.server(**{"hooks-libraries": LIMITS, "client-classes": [_gold(**{"rate-limit": "20 packets per hour"})],
                    "multi-threading": {"enable-multi-threading": True, "thread-pool-size": 4}})
    for i in range(1, 201):
        port.send(_client(port, i).discover())
    assert _types(port.collect(slack(1))) == [dhcp.OFFER] * 20
    assert s.stat("pkt4-limit-exceeded") == 180 and s.stat("pkt4-receive-drop") == 180
    # other clients have no limit
    assert Client(port, mac_of(1, 0x32)).dora().type == dhcp.ACK
    for _ in range(5):
        s.ok("config-reload")
        for i in range(1, 101):
            port.send(_client(port, i).discover())
    answers = len(port.collect(slack(1)))
    assert 20 <= answers <= 100, "%d answers after five reloads" % answers
    assert s.stat("pkt4-limit-exceeded") == 180 + 500 - answers


@test(timeout=60)
def test_KH_limits_renewals_and_lifetimes(t):
    """A lease that ends makes room; the class follows the client."""
    port = t.wire()
    s = t.server(**{"hooks-libraries": LIMITS, "client-classes": [_gold(**{"address-limit": 1})], "valid-lifetime": 2,
                    "renew-timer": 1, "rebind-timer": 1, "cache-threshold": 0.0,
                    "expired-leases-processing": {"reclaim-timer-wait-time": 1}})
    a, b = _client(port, 1), _client(port, 2)
    assert a.dora().type == dhcp.ACK and b.offer(timeout=slack(0.3), tries=1) is None
    end = time.monotonic() + 4
    while time.monotonic() < end:
        assert a.renew().type == dhcp.ACK
        assert b.offer(timeout=slack(0.3), tries=1) is None, "the renewed lease does not count"
    deadline = time.monotonic() + slack(10)
    while b.offer(timeout=slack(0.3), tries=1) is None:
        assert time.monotonic() < deadline, "the expired lease counts"
    assert s.command("lease4-get-all", {"subnets": [1]})["result"] in (0, 3)


MISTAKES = {
    "rate": ({"rate-limit": "1 packet a day"}, "rate-limit"),
    "leases": ({"address-limit": -1}, "address-limit"),
    "map": ([], "limits"),
}


@test(timeout=60, cases=MISTAKES)
def test_KH_limits_places_of_mistakes(t, case):
    """A mistake has its file, line and column in -t, and its place in config-test."""
    limits, word = case
    port = t.wire()
    s = t.server(**{"hooks-libraries": LIMITS})
    bad = dict(s.conf, **{"subnet4": [subnet(**{"user-context": {"limits": limits}})]})
    path = s.conf_path + ".bad"
    text = json.dumps({"Dhcp4": bad}, indent=1)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    value = '"limits": []' if limits == [] else '"%s": ' % word
    line = next(i for i, row in enumerate(text.splitlines(), 1) if value in row)
    out = subprocess.run([s.binary, "-t", path], capture_output=True, text=True, check=False,
                         timeout=slack(20), env=None)
    said = out.stdout + out.stderr
    assert out.returncode != 0, "-t accepts it"
    assert re.search(re.escape(path) + ":%d:[0-9]+: .*%s" % (line, word), said), said
    answer = s.command("config-test", {"Dhcp4": bad})
    assert answer["result"] == 1 and word in answer["text"], answer
    assert Client(port, mac_of(1, 0x33)).dora().type == dhcp.ACK


@test(timeout=60, tags=("asan", "tsan"))
def test_KH_limits_debug_lines_of_a_configuration(t):
    """The lines that the library writes while a configuration takes effect go to the loggers of that configuration, at the start and
    at a reload that switches them on."""
    debug = {"name": "kea-dhcp4.limits-hooks", "severity": "DEBUG", "debuglevel": 99, "output-options": [{"output": "stdout"}]}
    usual = {"name": "kea-dhcp4", "severity": "INFO", "output-options": [{"output": "stdout"}]}
    line = "LIMITS_CONFIGURED_RATE_LIMIT_BY_CLIENT_CLASS client class gold has a rate limit of %d packets per minute"
    t.wire()
    s = t.server(**{"hooks-libraries": LIMITS, "client-classes": [_gold(**{"rate-limit": "3 packets per minute"})], "loggers": [usual, debug]})
    assert s.log().count(line % 3) == 1, "not at the start:\n" + s.tail()
    # switched off, on, and still on; the lines of the first one still have the loggers before
    for loggers, limit in (([usual], 4), ([usual, debug], 5), ([usual, debug], 6)):
        s.conf["loggers"] = loggers
        s.conf["client-classes"] = [_gold(**{"rate-limit": "%d packets per minute" % limit})]
        s.ok("config-set", {"Dhcp4": s.conf})
        deadline = time.monotonic() + slack(2)
        while line % limit not in s.log() and time.monotonic() < deadline:
            time.sleep(0.05)
        assert s.log().count(line % limit) == 1, "limit %d:\n%s" % (limit, s.tail())
