# SPDX-License-Identifier: MPL-2.0
"""Updates of the DNS: Debian's bind9, with Kea's kea-dhcp-ddns between it and the server."""

import time

from lib import dhcp
from lib.client import Client, mac_of
from lib.dns import KeaD2, Named, d2_map
from lib.netns import wait_for
from lib.runner import test
from lib.server import slack, subnet


def _client(port, n, name, **kw):
    return Client(port, mac_of(n), options=[(dhcp.HOSTNAME, name.encode())], **kw)


def _wait_present(dns, name, addr):
    wait_for("%s in the DNS" % name, lambda: dns.get(name) == [addr] and dns.ptr(addr) == [name] and dns.get(name, "DHCID"), slack(10))


def _wait_absent(dns, name, addr):
    wait_for("%s gone from the DNS" % name, lambda: not dns.get(name) and not dns.ptr(addr) and not dns.get(name, "DHCID"), slack(10))


def _conf(**more):
    return dict({"dhcp-ddns": {"enable-updates": True}, "ddns-qualifying-suffix": "example.org"}, **more)


@test(timeout=90)
def test_ddns_through_kea(t):
    """A, PTR and DHCID after the ACK; gone after release and expiry; nothing lost, and in order, while kea-dhcp-ddns is away."""
    port = t.wire("10.77.0.1/16")
    s = t.server(subnets=[subnet("10.77.0.0/16", "10.77.1.0 - 10.77.2.255")],
                 **_conf(**{"expired-leases-processing": {"reclaim-timer-wait-time": 1}}))
    dns = Named(t, s.ns).start()
    d2 = KeaD2(t, s.ns, **d2_map()).start()
    one, two = _client(port, 1, "One"), _client(port, 2, "two")
    assert one.dora() and two.dora()
    _wait_present(dns, "one.example.org.", one.addr)
    _wait_present(dns, "two.example.org.", two.addr)
    one.release()
    _wait_absent(dns, "one.example.org.", one.addr)
    s.ok("lease4-update", {"ip-address": two.addr, "hw-address": mac_of(2).hex(":"), "subnet-id": 1, "hostname": "two.example.org",
                           "fqdn-fwd": True, "fqdn-rev": True, "valid-lft": 1, "expire": int(time.time()) + 1})
    _wait_absent(dns, "two.example.org.", two.addr)

    d2.stop()
    many = [_client(port, n, "m%d" % n) for n in range(10, 40)]
    for c in many:
        assert c.dora()
    for c in many[:10]:
        c.release()
    for c in many[10:20]:
        c.options = [(dhcp.HOSTNAME, b"new-" + c.options[0][1])]
        assert c.renew()
    status = s.ok("status-get")["ddns"]
    assert status["away"] and status["waiting"] >= 30 and not status["lost"], status
    d2.start()
    for n, c in zip(range(10, 40), many):
        name = "m%d.example.org." % n
        if n < 20:
            _wait_absent(dns, name, c.addr)
        elif n < 30:
            _wait_present(dns, "new-" + name, c.addr)
            assert not dns.get(name), name
        else:
            _wait_present(dns, name, c.addr)
    assert "INVALID_NCR" not in d2.log(), d2.log()
    status = s.ok("status-get")["ddns"]
    assert not status["away"] and not status["waiting"] and not status["lost"], status
