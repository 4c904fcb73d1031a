# SPDX-License-Identifier: MPL-2.0
"""Interfaces that come and go (INV-21, INV-22): served again within a second by netlink, without a
restart and without harm to the other interfaces."""

import sys
import time

from lib import dhcp
from lib.client import Client, mac_of
from lib.netns import end_process, wait_for
from lib.runner import test
from lib.server import slack, subnet

WITHIN = 1.0
_n = [0]


def _served(port, within=None, prefix="10.77.0."):
    """A new client gets an address within that time; how long it took."""
    began = time.monotonic()
    limit = slack(within or WITHIN)
    while True:
        _n[0] += 1
        o = Client(port, mac_of(_n[0], 0x44)).offer(timeout=0.1, tries=1)
        if o:
            assert o.yiaddr.startswith(prefix), "offered %s" % o.yiaddr
            return time.monotonic() - began
        assert time.monotonic() - began < limit, "not served within %.1f s" % limit


@test(tags=("asan", "tsan"))
def test_INV_21_interface_flap(t):
    port = t.wire()
    s = t.server()
    srv = t.lab.ns("srv")
    c = Client(port, mac_of(1))
    c.dora()
    for wait in (0, 0.5, 0.05, 1.2):
        srv.ip("link", "set", "srv0", "down")
        time.sleep(wait)
        srv.ip("link", "set", "srv0", "up")
        _served(port)
        assert c.renew(timeout=0.3, tries=4).type == dhcp.ACK
    assert s.alive()


@test()
def test_INV_21_flap_at_the_clients_end(t):
    """The carrier goes, not the interface."""
    port = t.wire()
    t.server()
    cli = t.lab.ns("cli")
    _served(port)
    cli.ip("link", "set", "cli0", "down")
    time.sleep(0.5)
    cli.ip("link", "set", "cli0", "up")
    _served(port)


@test(tags=("asan", "tsan"))
def test_INV_22_interface_deleted_and_made_again(t):
    other = t.wire("10.78.0.1/24", "srv1", "cli1", "cli2")
    port = t.wire()
    s = t.server(interfaces=("srv0", "srv1"), subnets=[
        subnet(), subnet("10.78.0.0/24", "10.78.0.10 - 10.78.0.250", 2)])
    srv, cli = t.lab.ns("srv"), t.lab.ns("cli")
    c = Client(port, mac_of(1))
    c.dora()
    fds = s.n_fds()
    for _ in range(3):
        srv.ip("link", "del", "srv0")
        _served(other, prefix="10.78.0.")
        t.lab.veth(srv, "srv0", cli, "cli0")
        srv.addr("srv0", "10.77.0.1/24")
        port.close()
        t.ports.remove(port)
        port = t.raw_port(cli, "cli0", srv, "srv0", "10.77.0.1")
        _served(port)
        _served(other, prefix="10.78.0.")
        c.port = port
        assert c.renew(timeout=0.3, tries=4).type == dhcp.ACK, "the lease of before"
    assert s.n_fds() <= fds + 1, "%d descriptors before, %d after" % (fds, s.n_fds())


@test(tags=("asan",))
def test_interface_renamed(t):
    """With "*" a renamed interface is served on under its new name; its subnet is found by its address."""
    port = t.wire()
    s = t.server(interfaces=("*",))
    srv = t.lab.ns("srv")
    _served(port)
    for name in ("lan7", "srv0"):
        old = "srv0" if name == "lan7" else "lan7"
        srv.ip("link", "set", old, "down")
        srv.ip("link", "set", old, "name", name)
        srv.ip("link", "set", name, "up")
        _served(port)
    # while it is up: kernels before 6.2 refuse that
    srv.ip("link", "set", "srv0", "name", "live0", check=False)
    _served(port)
    assert s.alive()


@test()
def test_interface_renamed_away_from_its_name(t):
    """A configured name that another interface takes is served on that other one."""
    port = t.wire()
    t.server(interfaces=("srv0",))
    srv, cli = t.lab.ns("srv"), t.lab.ns("cli")
    _served(port)
    srv.ip("link", "set", "srv0", "down")
    srv.ip("link", "set", "srv0", "name", "old0")
    srv.ip("addr", "flush", "dev", "old0")
    t.lab.veth(srv, "srv0", cli, "cli9")
    srv.addr("srv0", "10.77.0.1/24")
    second = t.raw_port(cli, "cli9", srv, "srv0", "10.77.0.1")
    _served(second)


@test(tags=("asan",))
def test_interface_that_appears_after_the_start(t):
    srv, cli = t.lab.ns("srv"), t.lab.ns("cli")
    t.server(interfaces=("srv0",))
    t.lab.veth(srv, "srv0", cli, "cli0")
    srv.addr("srv0", "10.77.0.1/24")
    _served(t.raw_port(cli, "cli0", srv, "srv0", "10.77.0.1"))


@test()
def test_interface_address_changed(t):
    """Another address on the interface: the server identifier follows it."""
    port = t.wire()
    t.server()
    srv = t.lab.ns("srv")
    assert Client(port, mac_of(1)).dora().server_id == "10.77.0.1"
    srv.ip("addr", "flush", "dev", "srv0")
    srv.ip("addr", "add", "10.77.0.2/24", "dev", "srv0")
    _served(port)
    wait_for("the new server identifier", lambda: Client(port, mac_of(2)).offer().server_id == "10.77.0.2", slack(2))


@test()
def test_bridge_port_clients(t):
    """The server on a bridge with two clients' ports: both are served, frames go to each alone."""
    srv = t.lab.ns("srv")
    ports = []
    for n in (1, 2):
        cli = t.lab.ns("cli%d" % n)
        t.lab.veth(srv, "p%d" % n, cli, "cli0")
    t.lab.bridge(srv, "br0", "p1", "p2")
    srv.addr("br0", "10.77.0.1/24")
    srv.tx_off("br0")
    t.server(interfaces=("br0",))
    for n in (1, 2):
        ports.append(t.raw_port(t.lab.ns("cli%d" % n), "cli0", srv, "br0", "10.77.0.1"))
    a, b = Client(ports[0], mac_of(1)), Client(ports[1], mac_of(2))
    wait_for("the bridge to forward", lambda: a.offer(timeout=0.3, tries=1), slack(5))
    assert a.dora().yiaddr != b.dora().yiaddr
    assert a.renew().type == dhcp.ACK and b.renew().type == dhcp.ACK


@test()
def test_udp_sockets_and_use_routing(t):
    """dhcp-socket-type udp, bound to the interface or left to the routes: a relay is served either way."""
    port = t.relay_net()
    for outbound in ("same-as-inbound", "use-routing"):
        s = t.server(**{"interfaces-config": {"interfaces": ["srv0"], "dhcp-socket-type": "udp",
                                              "outbound-interface": outbound}})
        c = Client(port, mac_of(1))
        assert c.dora().yiaddr == c.addr, outbound
        assert s.term() == 0


@test()
def test_service_sockets_require_all(t):
    """A socket that cannot be opened: tried again, or, if all are required, a failure to start."""
    port = t.wire()
    srv = t.lab.ns("srv")
    blocker = t.lab.popen(srv, [sys.executable, "-c", "import socket,time;s=socket.socket(socket.AF_INET,"
                                "socket.SOCK_DGRAM);s.bind(('10.77.0.1',67));time.sleep(60)"])
    time.sleep(0.5)
    conf = {"interfaces": ["srv0"], "service-sockets-require-all": True}
    s = t.server(start=False, **{"interfaces-config": conf})
    s.start(wait=False)
    assert s.proc.wait(slack(10)) == 1, "started without its socket"
    assert s.logged("service-sockets-require-all")
    conf["service-sockets-require-all"] = False
    s.start()
    assert s.ok("status-get")["sockets"]["status"] == "retrying"
    end_process(blocker, 5)
    wait_for("the socket", lambda: s.ok("status-get")["sockets"]["status"] == "ready", slack(5))
    assert Client(port, mac_of(1)).dora()
