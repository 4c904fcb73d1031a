# SPDX-License-Identifier: MPL-2.0
"""The web page in Debian's Chromium, headless: every view in both colour schemes and on a phone, live counters of a real client,
drops with their traces, one client's story, a search among many leases, the keyboard, a restart of the server, many tabs, read
access. Each run fails on an error in the console and on a request to another origin."""

import json
import os
import shutil
import subprocess

from lib.client import Client, RawPort, mac_of
from lib.netns import wait_for
from lib.runner import test
from lib.server import slack, subnet
from lib.web import Web

_SCRIPT = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "browser", "page.js")
_SHOTS = os.environ.get("USHER_SCREENSHOTS")


class Browser:
    """One run of a scenario of page.js in namespace ns."""

    def __init__(self, t, ns, scenario, port=8000, **args):
        if _SHOTS:
            os.makedirs(_SHOTS, exist_ok=True)
            args["shots"] = _SHOTS
        args["limit"] = int(slack(20) * 1000)
        env = dict(os.environ, HOME=t.lab.path("home-" + scenario))
        os.makedirs(env["HOME"], exist_ok=True)
        self.log = t.lab.path("browser-%s.log" % scenario)
        with open(self.log, "ab") as log:
            self.proc = t.lab.popen(ns, ["node", _SCRIPT, "http://127.0.0.1:%d/" % port, scenario,
                                         *("%s=%s" % i for i in args.items())], stdin=subprocess.DEVNULL,
                                    stdout=subprocess.PIPE, stderr=log, env=env, text=True)

    def line(self):
        """Waits for the next line of the scenario."""
        text = self.proc.stdout.readline().strip()
        if text.startswith("{"):
            raise AssertionError(text)
        return text

    def result(self):
        text = self.proc.stdout.read().strip().splitlines()
        self.proc.wait(slack(30))
        with open(self.log, encoding="utf-8", errors="replace") as f:
            log = f.read()
        assert text, log
        r = json.loads(text[-1])
        assert not r["faults"], r["faults"]
        return r


def _serve(t, clients=0, **conf):
    """A server with the page at port 8000, and the port of its clients."""
    port = t.wire()
    s = t.server(start=False, **conf)
    s.conf["control-sockets"] = [s.conf.pop("control-socket"), {"socket-type": "http", "socket-port": 8000}]
    s.start()
    for i in range(clients):
        Client(port, mac_of(i)).dora()
    return s, port


@test(timeout=240)
def test_page_views(t):
    """Every view in both schemes and on a phone: no serious finding of axe, nothing scrolls sideways."""
    nets = [subnet("10.%d.0.0/24" % i, "10.%d.0.10 - 10.%d.0.%d" % (i, i, 10 + i), id=i + 1) for i in range(1, 60)]
    s, port = _serve(t, clients=5, **{"subnets": [subnet(reservations=[{"hw-address": "02:00:00:00:00:99", "ip-address": "10.77.0.99",
                                                           "hostname": "printer"}])] + nets,
                                      "shared-networks": [{"name": "floor", "subnet4": [subnet("10.99.0.0/24", "10.99.0.10 - 10.99.0.90", id=90)]}]})
    for _ in range(3):
        port.send_payload(b"\1\1\6\0 this is no DHCP message")
    r = Browser(t, s.ns, "views", mac="02:00:00:00:00:01").result()
    assert not r["found"], r["found"]
    assert r["schemes"][0] != r["schemes"][1], r["schemes"]
    assert s.alive()


@test(timeout=120, alone=True)
def test_page_live(t):
    """A DORA of a real client is visible within a second; the drops of a stage and their traces; one client's story."""
    s, port = _serve(t)
    b = Browser(t, s.ns, "counters")
    assert b.line() == "ready"
    Client(port, mac_of(7)).dora()
    r = b.result()
    assert r["took"] < slack(1) * 1000, r
    # a request to another server: dropped by name, with a trace of the packet that comes while the page looks
    bad = Client(port, mac_of(8))
    other = [(54, bytes((10, 77, 0, 200))), (50, bytes((10, 77, 0, 20)))]
    port.send(bad.message(3, other))
    b = Browser(t, s.ns, "drops", reason="drop-not-for-us")
    assert b.line() == "ready"
    port.send(bad.message(3, other))
    r = b.result()
    assert "ACCEPT" in r["text"] and "server identifier names another server" in r["text"], r
    # each line of the log once: those before the page was open, and those since
    b = Browser(t, s.ns, "log")
    assert b.line() == "ready"
    assert s.command("config-hash-get")["result"] == 0
    r = b.result()
    assert r["started"] == 1 and r["hash"] == 1, r
    b = Browser(t, s.ns, "story", mac="02:00:00:00:00:09")
    assert b.line() == "ready"
    Client(port, bytes.fromhex("020000000009")).dora()
    r = b.result()
    for word in ("CLASSIFY", "SUBNET", "COMMIT", "DISCOVER", "REQUEST", "query option 55 dhcp-parameter-request-list",
                 "response option 51 dhcp-lease-time: 3600"):
        assert word in r["text"], r["text"][:3000]


@test(timeout=180)
def test_page_restart_and_tabs(t):
    """The page finds a server that was restarted; more tabs than connections work; read access has no dangerous button,
    and shows no password."""
    s, _ = _serve(t)
    b = Browser(t, s.ns, "restart", restarts=1)
    assert b.line() == "ready"
    assert s.term() == 0
    assert b.line() == "lost"
    s.start(write=False)
    b.result()
    assert Browser(t, s.ns, "tabs").result()["tabs"] == 8
    s.conf["control-sockets"].append({"socket-type": "http", "socket-port": 8001, "authentication": {"clients": [
        {"user": "viewer", "password": "seen by nobody", "user-context": {"usher": {"access": "read"}}}]}})
    s.write_conf()
    assert s.command("config-reload")["result"] == 0
    r = Browser(t, s.ns, "readonly", port=8001, user="viewer", password="seen by nobody").result()
    assert r["buttons"] == 0 and "seen by nobody" not in r["text"] and "(not shown)" in r["text"], r
    # a place only where the file gives the value
    assert "cache-threshold: 0.25/" not in r["text"] and "valid-lifetime: 3600" + s.conf_path in r["text"], r["text"]
    lines = json.loads(Web(s.ns, 8000).request("GET", "/api/v1/log")[2])["lines"]
    assert len([x for x in lines if " DHCP4_STARTING " in x]) == 1, lines


@test(timeout=240, alone=True)
def test_page_a_million_leases(t):
    """A search among 1,000,000 leases, of which one has a host name that looks like markup; and the deletion of one with the
    keyboard alone."""
    s = t.server(start=False, interfaces=(), subnets=[subnet("10.0.0.0/8", "10.0.0.1 - 10.255.255.254")])
    s.conf["control-sockets"] = [s.conf.pop("control-socket"), {"socket-type": "http", "socket-port": 8000}]
    n = 1000000
    with open(s.lease_path, "w", encoding="utf-8") as f:
        f.write("address,hwaddr,client_id,valid_lifetime,expire,subnet_id,fqdn_fwd,fqdn_rev,hostname,state,user_context,pool_id\n")
        for i in range(n):
            name = "<img src=x onerror=alert(1)>needle" if i == 777777 else "host-%d" % i
            f.write("10.%d.%d.%d,02:00:00:%02x:%02x:%02x,,36000,4000000000,1,0,0,%s,0,,0\n" % (
                (i + 256 >> 16) & 255, (i + 256 >> 8) & 255, i & 255, i >> 16 & 255, i >> 8 & 255, i & 255, name))
    s.start()
    r = Browser(t, s.ns, "search", text="needle").result()
    assert r["rows"] == 1 and r["images"] == 0, r
    print("searched a million leases in %d ms" % r["took"])
    r = Browser(t, s.ns, "keyboard", address="10.0.200.255").result()
    assert r["focus"] == "Cancel", r
    assert s.command("lease4-get", {"ip-address": "10.0.200.255"})["result"] == 3
