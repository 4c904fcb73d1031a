# SPDX-License-Identifier: MPL-2.0
"""Messages of severity DEBUG: the findings of the stages under Kea's loggers, each switched on by its logger and level."""
import re

from lib import dhcp
from lib.client import Client, mac_of
from lib.netns import wait_for
from lib.runner import test
from lib.server import subnet

_STDOUT = [{"output": "stdout"}]


def _logger(name, level):
    return {"name": name, "severity": "DEBUG", "debuglevel": level, "output-options": _STDOUT}


def _lines(s):
    """{id: (severity, logger, text)} of the log; the last line of an id counts."""
    found = re.findall(r"^\S+ \S+ (\S+) +\[kea-dhcp4\.([\w-]+)/\d+\] (\S+) (.*)$", s.log(), re.M)
    return {i: (severity, logger, text) for severity, logger, i, text in found}


def _traffic(t, *loggers):
    """A server after a client with a class and a reservation, one without, and its renewal."""
    port = t.wire()
    reserved = {"hw-address": ":".join("%02x" % b for b in mac_of(1)), "ip-address": "10.77.0.40"}
    s = t.server(loggers=list(loggers), authoritative=True, subnets=[subnet(reservations=[reserved])],
                 **{"cache-threshold": 0.0, "client-classes": [{"name": "phones", "test": "option[60].text == 'phone'"}]})
    assert Client(port, mac_of(1), options=[(60, b"phone")]).dora().yiaddr == "10.77.0.40"
    b = Client(port, mac_of(2))
    b.dora()
    assert b.renew().type == dhcp.ACK
    return s, port, b


@test(timeout=60)
def test_debug_findings_by_logger(t):
    s, port, b = _traffic(t, _logger("kea-dhcp4", 99))
    stranger = Client(port, mac_of(3))
    assert stranger.reboot(b.addr).type == dhcp.NAK
    for server in ("10.77.0.200", "10.77.0.1"):
        stranger.server_id = server
        stranger.decline(b.addr)
    wait_for("the last message", lambda: "DHCP4_DECLINE_LEASE_MISMATCH" in s.log(), 5)
    wait_for("the end of its exchange", lambda: "DECLINE of a lease that is not the client's" in s.log(), 5)
    at = _lines(s)
    for i, severity, logger, text in (
            ("DHCP4_BUFFER_UNPACK", "DEBUG", "options", "octets, "),
            ("DHCP4_QUERY_DATA", "DEBUG", "packets", "query option "),
            ("DHCPSRV_EVAL_RESULT", "DEBUG", "dhcpsrv", "class phones: no"),
            ("DHCP4_SUBNET_SELECTED", "DEBUG", "packets", "subnet 10.77.0.0/24"),
            ("HOSTS_CFG_GET_ONE_SUBNET_ID_IDENTIFIER_HOST", "DEBUG", "hosts", "10.77.0.40"),
            ("HOSTS_CFG_GET_ONE_SUBNET_ID_IDENTIFIER_NULL", "DEBUG", "hosts", "no reservation"),
            ("DHCP4_CLASSES_ASSIGNED", "DEBUG", "dhcp4", "ALL"),
            ("DHCP4_DISCOVER", "DEBUG", "leases", ""),
            ("DHCP4_REQUEST", "DEBUG", "leases", "INIT-REBOOT"),
            ("ALLOC_ENGINE_V4_DISCOVER_HR", "DEBUG", "alloc-engine", "reserved address"),
            ("ALLOC_ENGINE_V4_OFFER_NEW_LEASE", "DEBUG", "alloc-engine", "picked from the pool"),
            ("ALLOC_ENGINE_V4_REQUEST_ALLOC_REQUESTED", "DEBUG", "alloc-engine", "new"),
            ("ALLOC_ENGINE_V4_REQUEST_EXTEND_LEASE", "DEBUG", "alloc-engine", "extended"),
            ("DHCPSRV_MEMFILE_ADD_ADDR4", "DEBUG", "dhcpsrv", "row "),
            ("DHCPSRV_MEMFILE_UPDATE_ADDR4", "DEBUG", "dhcpsrv", "row "),
            ("DHCP4_RESPONSE_DATA", "DEBUG", "packets", "response option "),
            ("DHCP4_PACKET_PACK", "DEBUG", "options", "octets"),
            ("DHCP4_NO_LEASE_INIT_REBOOT", "DEBUG", "bad-packets", "NAK"),
            ("DHCP4_PACKET_DROP_0003", "DEBUG", "bad-packets", "server identifier names another server"),
            ("DHCP4_DECLINE_LEASE_MISMATCH", "WARN", "leases", "lease hwaddr: " + ":".join("%02x" % o for o in mac_of(2)))):
        assert i in at and at[i][:2] == (severity, logger) and text in at[i][2], (i, at.get(i))
    # one text holds the whole walk, as before
    assert "; " in at["DHCP4_PACKET_TRACE"][2], at["DHCP4_PACKET_TRACE"]


@test(timeout=60)
def test_debug_one_logger_and_level(t):
    """A logger alone shows its own findings, up to its level; neither is kept as a trace."""
    s, *_ = _traffic(t, _logger("kea-dhcp4.alloc-engine", 99), _logger("kea-dhcp4.packets", 45))
    wait_for("the renewal", lambda: "ALLOC_ENGINE_V4_REQUEST_EXTEND_LEASE" in s.log(), 5)
    debug = {i: logger for i, (severity, logger, _) in _lines(s).items() if severity == "DEBUG"}
    assert set(debug.values()) == {"alloc-engine", "packets"}, debug
    assert "ALLOC_ENGINE_V4_REQUEST_EXTEND_LEASE" in debug and "DHCP4_SUBNET_SELECTED" in debug, debug
    assert not {"DHCP4_QUERY_DATA", "DHCP4_PACKET_TRACE", "DHCP4_RESPONSE_DATA"} & set(debug), debug
    assert s.ok("packet-trace-get")["traces"] == []
