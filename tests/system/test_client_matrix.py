# SPDX-License-Identifier: MPL-2.0
"""usher-client with each of five servers, direct and through Debian's relay, with and without the broadcast
flag: it gets a lease, renews it (unicast), rebinds it (broadcast), releases it and gets one anew. Unicast,
broadcast and the flag are read off the wire, the lease off the server's own lease file.

One cell of each server waits for T1 and for T2 on the clock; the others renew and rebind by command."""

import re

from lib import dhcp, dhcp_servers
from lib.dhcp_servers import Times
from lib.netns import wait_for
from lib.runner import test
from lib.server import slack
from lib.usher_client import UsherClient
from lib.wire import Net

_CELLS = {"%s_%s_%s" % (server, path, flag): (server, path == "relayed", flag)
          for server in dhcp_servers.ALL for path in ("direct", "relayed") for flag in ("never", "always")}
_CELLS["usher_relayed_auto"] = ("usher", True, "auto")  # the first try is without the flag
_ON_CLOCK = {("kea", False, "never"), ("dnsmasq", False, "never"), ("usher", True, "always"), ("dhcpd", True, "always"),
             ("udhcpd", True, "always")}


def _has_router(ns):
    return "default via 10.77.0.1 dev cli0" in ns.ip("route")


def _check_flag(net, server, flag, since=0):
    """RFC 2131 4.1: the flag is set by a host without an address, and obeyed by the server or relay. Kea sends
    IP broadcasts in frames to the one client, so of an answer it is the IP address that counts."""
    asked = [s for s in net.capture.sent(dhcp.DISCOVER, dhcp.REQUEST)[since:] if s.msg.ciaddr == "0.0.0.0"]
    assert {s.type for s in asked} == {dhcp.DISCOVER, dhcp.REQUEST}, asked
    for s in asked:
        assert s.broadcast and s.flag == (flag == "always"), s
        answers = net.capture.answers(s, dhcp.OFFER if s.type == dhcp.DISCOVER else dhcp.ACK)
        assert answers, "no answer to %r" % s
        for a in answers:
            if flag == "always":
                assert a.dst == "255.255.255.255", a
            elif server.unicasts or server.relayed:
                assert a.unicast and a.dst == a.msg.yiaddr, a


def _renewing(server):
    """RFC 2131 4.3.6: unicast to the server, ciaddr set, neither requested address nor server identifier."""
    def match(s):
        return (s.unicast and s.dst == server and s.msg.ciaddr == s.src != "0.0.0.0" and
                s.msg.get(dhcp.REQUESTED) is None and s.msg.get(dhcp.SERVER_ID) is None)
    return match


def _rebinding(s):
    return (s.broadcast and s.msg.ciaddr != "0.0.0.0" and s.msg.get(dhcp.REQUESTED) is None and
            s.msg.get(dhcp.SERVER_ID) is None)


def _get(c, server):
    addr = c.wait_address(15)
    assert re.match(r"10\.77\.0\.[1-5]\d/24$", addr), addr
    wait_for("the default route", lambda: _has_router(c.ns), slack(2))
    c.wait_state("BOUND")
    plain = addr.split("/")[0]
    assert server.active(plain, c.ns.mac("cli0")), "%s is not in the lease file" % plain
    return addr


def _extend(net, c, on_clock):
    """RENEWING and REBINDING, each answered."""
    mark = net.capture.mark()
    if not on_clock:
        assert c.command("renew")["result"] == 0
    net.capture.answered(mark, _renewing(net.server), "a renewal", slack(5))
    c.wait_state("BOUND")
    if on_clock:
        net.lose_unicast()
    mark = net.capture.mark()
    if not on_clock:
        assert c.command("rebind")["result"] == 0
    net.capture.answered(mark, _rebinding, "a rebinding", slack(8))
    c.wait_state("BOUND")
    if on_clock:
        net.restore_unicast()
        lost = [s for s in net.capture.seen[mark:] if s.by_client and _renewing(net.server)(s)]
        assert lost and not any(net.capture.answers(s, dhcp.ACK) for s in lost), "renewals before it: %s" % lost


@test(timeout=60, cases=_CELLS)
def test_client_matrix(t, cell):
    name, relayed, flag = cell
    net = Net(t, relayed)
    if relayed:
        net.relay()
    on_clock = cell in _ON_CLOCK
    server = dhcp_servers.ALL[name](t, net.server, Times(12, 1, 3) if on_clock else Times())
    c = UsherClient(t, net.cli).start("-f", "--no-probe", "--broadcast", flag)
    addr = _get(c, server)
    _check_flag(net, server, flag)
    _extend(net, c, on_clock)
    assert c.addresses() == [addr] and _has_router(c.ns)

    assert c.command("release")["result"] == 0
    c.wait_state("RELEASED")
    wait_for("the address to go", lambda: not c.addresses(), 2)
    assert not _has_router(c.ns)
    mac, plain = c.ns.mac("cli0"), addr.split("/")[0]
    wait_for("the lease to go", lambda: not server.active(plain, mac), slack(5))
    (said,) = net.capture.sent(dhcp.RELEASE)
    assert said.unicast and said.dst == net.server and said.msg.ciaddr == plain, said

    n = len(net.capture.sent(dhcp.DISCOVER, dhcp.REQUEST))
    assert c.command("renew")["result"] == 0
    _get(c, server)
    _check_flag(net, server, flag, n)
    wait_for("scripts", lambda: [h[0] for h in c.hooks()].count("bound") == 2, 5)
    kinds = [h[0] for h in c.hooks()]
    assert kinds[0] == "deconfig" and "renew" in kinds, kinds
    assert c.end() == 0 and not c.addresses()
    net.capture.stop()
    assert not net.capture.malformed, net.capture.malformed[0]
