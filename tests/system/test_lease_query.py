# SPDX-License-Identifier: MPL-2.0
"""Kea's hook library lease_query in the program: queries of relays and of direct hosts, from requesters and from others."""

import struct

from lib import dhcp
from lib.client import Client, mac_of, new_xid
from lib.dhcp import Message
from lib.runner import test
from lib.server import slack

QUERY, UNASSIGNED, UNKNOWN, ACTIVE = 10, 11, 12, 13
CLIENT_ID, LAST_TRANSACTION, ASSOCIATED = 61, 91, 92


def _hooks(*requesters, **advanced):
    parameters = {"requesters": list(requesters)}
    if advanced:
        parameters["advanced"] = {k.replace("_", "-"): v for k, v in advanced.items()}
    return [{"library": "libdhcp_lease_query.so", "parameters": parameters}]


def _query(address="0.0.0.0", mac=b"", cid=None, giaddr="0.0.0.0"):
    return Message(QUERY, mac, new_xid(), [(CLIENT_ID, cid)] if cid else (), htype=1 if mac else 0, ciaddr=address,
                   giaddr=giaddr)


def _ask(port, timeout=1.0, tries=3, **criterion):
    r = port.exchange(_query(**criterion), (UNASSIGNED, UNKNOWN, ACTIVE), timeout=slack(timeout), tries=tries)
    return r.msg if r else None


def _number(msg, code):
    return struct.unpack("!I", msg.get(code))[0]


@test(timeout=90, tags=("asan", "tsan"))
def test_KH_lease_query_relayed(t):
    """All three criteria from a relay in the list; a relay that is not in the list gets no answer; after kill -9 the
    answers are those of the lease file."""
    rai = b"\x01\x04port\x02\x06remote"
    port = t.relay_net(rai=rai)
    t.lab.ns("rel").addr("lo", "10.77.0.2/32")
    stranger = t.relay_port(t.lab.ns("rel"), "10.77.0.2", "10.99.0.1")
    s = t.server(**{"hooks-libraries": _hooks("10.77.0.1"), "store-extended-info": True})
    port.rai = None
    assert _ask(port, address="10.77.0.10").type == UNASSIGNED
    assert _ask(port, address="10.88.0.10").type == UNKNOWN
    assert _ask(port, mac=mac_of(1, 0x60)).type == UNKNOWN
    port.rai = rai
    cid = b"\x01" + mac_of(1, 0x60)
    ack = Client(port, mac_of(1, 0x60), cid=cid).dora(timeout=slack(1))
    port.rai = None

    def check():
        for criterion in ({"address": ack.yiaddr}, {"mac": mac_of(1, 0x60)}, {"cid": cid}):
            m = _ask(port, **criterion)
            assert m and m.type == ACTIVE, (criterion, m)
            assert (m.ciaddr, m.yiaddr, m.chaddr, m.get(CLIENT_ID)) == (ack.yiaddr, "0.0.0.0", mac_of(1, 0x60), cid), m
            assert m.get(dhcp.RAI) == rai and m.get(ASSOCIATED) is None, m
            assert abs(m.lease_time + _number(m, LAST_TRANSACTION) - ack.lease_time) <= 1, m

    check()
    assert _ask(stranger, timeout=0.5, tries=2, address=ack.yiaddr) is None
    assert s.stat("pkt4-admin-filtered") == 2 == s.stat("drop-lease-query-requester")
    s.kill()
    s.start(write=False)
    check()
    assert s.stat("pkt4-lease-query-response-active-sent") == 3 == s.stat("pkt4-lease-query-received")


@test(timeout=60, tags=("asan",))
def test_KH_lease_query_direct(t):
    """A host on the server's link asks for itself; another one does not get an answer."""
    port = t.wire()
    cli = t.lab.ns("cli")
    cli.addr("cli0", "10.77.0.250/24")
    cli.addr("cli0", "10.77.0.251/24")
    s = t.server(**{"hooks-libraries": _hooks("10.77.0.250")})
    clients = [Client(port, mac_of(n, 0x61)) for n in range(1, 6)]
    acks = [c.dora(timeout=slack(1)) for c in clients]
    host = t.relay_port(cli, "10.77.0.250", "10.77.0.1")
    other = t.relay_port(cli, "10.77.0.251", "10.77.0.1")
    for c, ack in zip(clients, acks):
        m = _ask(host, mac=c.mac)
        assert m and m.type == ACTIVE and m.ciaddr == ack.yiaddr, m
        assert _ask(other, timeout=0.2, tries=1, mac=c.mac) is None
    clients[0].release()
    m = _ask(host, mac=clients[0].mac)
    assert m and m.type == UNKNOWN, m
    # the answers go to giaddr, never to the client
    assert not [r for r in port.collect(0.2) if r.msg.type in (UNASSIGNED, UNKNOWN, ACTIVE) and r.dport != 67]
    # a reload with another list
    s.conf["hooks-libraries"] = _hooks("10.77.0.251/32", "10.80.0.0/16")
    s.ok("config-set", {"Dhcp4": s.conf})
    assert _ask(other, mac=clients[1].mac).type == ACTIVE
    assert _ask(host, timeout=0.2, tries=1, mac=clients[1].mac) is None
    assert s.stat("drop-lease-query-requester") == 6
