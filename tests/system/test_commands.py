# SPDX-License-Identifier: MPL-2.0
"""Commands of Kea's control channel and of its lease library: results, texts and arguments as Kea has them."""

import os
import socket
import stat
import time

from lib.client import Client, mac_of
from lib.runner import test
from lib.server import subnet


def _refused(s, name, arguments, text, result=1):
    r = s.command(name, arguments)
    assert r["result"] == result and text in r.get("text", ""), "%s %s: %s" % (name, arguments, r)
    return r


def _add(s, host, state=0, net=77, **more):
    s.ok("lease4-add", {"ip-address": "10.%d.0.%d" % (net, host), "hw-address": "02:00:00:00:%02x:%02x" % (net, host),
                        "state": state, **more})


@test(tags=("asan",))
def test_leases_by_state(t):
    """Names and numbers of states, subnets, and Kea's texts."""
    t.wire()
    s = t.server(subnets=[subnet(), subnet("10.78.0.0/24", "10.78.0.10 - 10.78.0.20", 2)])
    for host, state in ((20, 0), (21, 1), (22, 3), (23, 0)):
        _add(s, host, state)
    _add(s, 20, 0, net=78)

    def by(state, expect, text, **more):
        r = s.command("lease4-get-by-state", {"state": state, **more})
        assert r["result"] == (0 if expect else 3), r
        assert [v["ip-address"] for v in r["arguments"]["leases"]] == expect, r
        assert r["text"] == "%d IPv4 lease(s) found with state %s." % (len(expect), text), r

    assigned = ["10.77.0.20", "10.77.0.23", "10.78.0.20"]
    for name in ("default", "assigned", 0, 1 << 32):
        by(name, assigned, "default (0)")
    by(0, assigned, "default (0)", **{"subnet-id": 0})
    by("assigned", ["10.78.0.20"], "default (0) in subnet 2", **{"subnet-id": 2})
    by("declined", ["10.77.0.21"], "declined (1)")
    by("released", ["10.77.0.22"], "released (3)")
    by("expired-reclaimed", [], "expired-reclaimed (2)")
    by("registered", [], "registered (4)")
    by(5, [], "5")
    by(-1, [], "4294967295")
    by(100, [], "100")
    _refused(s, "lease4-get-by-state", None, "Command arguments missing or a not a map.")
    _refused(s, "lease4-get-by-state", {}, "'state' parameter not specified")
    _refused(s, "lease4-get-by-state", {"state": ""}, "'state' parameter is empty")
    _refused(s, "lease4-get-by-state", {"state": "free"}, "'state' parameter value (free) is not recognized")
    for bad in (True, 1.5, [], {}):
        _refused(s, "lease4-get-by-state", {"state": bad}, "'state' parameter must be a number or a string")
    _refused(s, "lease4-get-by-state", {"state": 0, "subnet-id": "1"}, "'subnet-id' parameter must be a number")
    _refused(s, "lease4-get-by-state", {"state": 0, "subnet-id": -1}, "must be a 32 bit unsigned integer")


@test(tags=("asan", "tsan"))
def test_lease_write(t):
    """A server that starts from the written file has the same leases; a file that is replaced is kept."""
    port = t.wire()
    s = t.server()
    context = {"a,b": "\\ \" , \u0001 \n", "c": [1, {"d,": None}]}
    for host in range(20, 180):
        _add(s, host, host % 2, hostname="h%d.example" % host, **{"user-context": context})
    Client(port, mac_of(1)).dora()
    want = s.ok("lease4-get-all")["leases"]
    path = os.path.join(s.dir, "copy.csv")
    assert s.command("lease4-write", {"filename": path})["text"] == "IPv4 lease database into '%s'." % path
    assert stat.S_IMODE(os.stat(path).st_mode) == stat.S_IMODE(os.stat(s.lease_path).st_mode)
    with open(path, encoding="utf-8") as f:
        first = f.read()
    assert first.count("\n") == len(want) + 1
    pid = s.proc.pid
    for n in range(3):
        s.ok("lease4-del", {"ip-address": "10.77.0.%d" % (20 + n)})
        s.ok("lease4-write", {"filename": "copy.csv"})
    backups = sorted(n for n in os.listdir(s.dir) if ".bak" in n)
    assert backups == ["copy.csv.bak%d" % pid, "copy.csv.bak%d-1" % pid, "copy.csv.bak%d-2" % pid], backups
    with open(os.path.join(s.dir, backups[0]), encoding="utf-8") as f:
        assert f.read() == first
    assert not [n for n in os.listdir(s.dir) if ".tmp" in n]
    want = s.ok("lease4-get-all")["leases"]
    assert s.term() == 0
    os.rename(path, s.lease_path)
    s.start()
    assert s.ok("lease4-get-all")["leases"] == want


@test(tags=("asan",))
def test_lease_write_refusals(t):
    """No file of the journal, no other directory, nothing but regular files; without persistence the name is free."""
    t.wire()
    s = t.server()
    _add(s, 20)
    before = s.leases()
    os.link(s.lease_path, os.path.join(s.dir, "hard"))
    os.symlink(s.lease_path, os.path.join(s.dir, "soft"))
    os.symlink("/nonexistent/x", os.path.join(s.dir, "away"))
    os.mkdir(os.path.join(s.dir, "folder"))
    for name in ["leases.csv" + x for x in ("", ".1", ".2", ".output", ".completed", ".next", ".lock", ".pid", ".rejected", ".aside-1")]:
        _refused(s, "lease4-write", {"filename": name}, "belongs to the lease file in use")
    for name in ("hard", "soft"):
        _refused(s, "lease4-write", {"filename": name}, "belongs to the lease file in use")
    for name in ("away", "folder", "ctl"):
        _refused(s, "lease4-write", {"filename": name}, "exists and is not a regular file")
    for name in ("", s.dir + "/"):
        _refused(s, "lease4-write", {"filename": name}, "'filename' parameter is invalid: path: '%s' has no filename" % name)
    for name in ("/tmp/x", "../x", ".hidden", "a/b", s.dir + "/../x", "a\nb"):
        _refused(s, "lease4-write", {"filename": name}, "'filename' parameter is invalid: invalid path specified: '")
    _refused(s, "lease4-write", None, "no parameters specified for the command")
    _refused(s, "lease4-write", {}, "'filename' parameter not specified")
    _refused(s, "lease4-write", {"filename": 1}, "'filename' parameter must be a string")
    assert s.leases() == before
    assert s.term() == 0
    s.conf["lease-database"]["persist"] = False
    s.start()
    _add(s, 30)
    os.unlink(os.path.join(s.dir, "hard"))
    s.ok("lease4-write", {"filename": s.lease_path})
    with open(s.lease_path, encoding="utf-8") as f:
        assert [line.split(",")[0] for line in f][1:] == ["10.77.0.30"]


@test(tags=("asan",))
def test_subnet_select(t):
    """The subnet that the stage would select: addresses, link selection, relay, interface, classes, networks."""
    t.wire()
    guarded = dict(subnet("10.79.0.0/24", "10.79.0.10 - 10.79.0.20", 3), **{"client-classes": ["gold"]})
    relayed = dict(subnet("10.80.0.0/24", "10.80.0.10 - 10.80.0.20", 4), relay={"ip-addresses": ["10.99.0.1"]})
    s = t.server(subnets=[subnet(), guarded], **{
        "client-classes": [{"name": "gold"}],
        "shared-networks": [{"name": "net", "subnet4": [subnet("10.78.0.0/24", "10.78.0.10 - 10.78.0.20", 2), relayed]}]})

    def select(arguments, text, result=0, name="subnet4-select-test"):
        r = s.command(name, arguments)
        assert r["result"] == result and r["text"] == text, "%s: %s" % (arguments, r)

    none = "no subnet selected"
    one, net = "selected subnet '10.77.0.0/24' id 1", "selected shared network 'net' starting with subnet '10.%d.0.0/24' id %d"
    select({"interface": "srv0"}, one)
    select({"interface": "srv0", "local": "255.255.255.255", "address": "10.78.0.9"}, one)
    select({"address": "10.78.0.9"}, net % (78, 2))
    select({"remote": "10.77.0.9"}, one)
    select({"relay": "10.99.0.1"}, net % (80, 4))
    select({"relay": "10.78.0.1", "interface": "srv0"}, net % (78, 2))
    select({"relay": "10.78.0.1", "subnet": "10.77.0.0"}, one)
    select({"link": "10.78.0.0", "subnet": "10.77.0.0"}, net % (78, 2))
    select({"address": "10.79.0.1"}, none, 3)
    select({"address": "10.79.0.1", "classes": ["", "other", "gold"]}, "selected subnet '10.79.0.0/24' id 3")
    for empty in ({}, {"interface": "lo"}, {"interface": ""}, {"local": "10.77.0.1"}, {"address": "192.0.2.1"}, {"relay": "192.0.2.1"}):
        select(empty, none, 3)
    select(None, "empty arguments", 1)
    select([], "arguments must be a map", 1)
    select("x", "arguments must be a map", 1, "subnet4o6-select-test")
    select({"interface": "foo"}, "Error during command processing: interface foo doesn't exist and therefore it is impossible to find a "
           "suitable subnet for its IPv4 address", 1)
    for name, other, family in (("subnet4-select-test", "2001:db8::1", 4), ("subnet4o6-select-test", "192.0.2.1", 6)):
        select({"foo": 1}, "unknown entry 'foo'", 1, name)
        for key in ("local", "remote", "link"):
            select({key: 1}, "'%s' entry must be a string" % key, 1, name)
            select({key: other}, "bad '%s' entry: not IPv%d" % (key, family), 1, name)
            select({key: "x"}, "bad '%s' entry: Failed to convert string to address 'x': Invalid argument" % key, 1, name)
        select({"address": "2001:db8::1"}, "bad 'address' entry: not IPv4", 1, name)
        select({"classes": "a"}, "'classes' entry must be a list", 1, name)
        select({"classes": [1]}, "'classes' entry must be a list of strings", 1, name)
    select({"interface-id": "'x'"}, "unknown entry 'interface-id'", 1)
    select({"interface": "srv0", "interface-id": "'x'", "remote": "2001:db8::1"}, none, 3, "subnet4o6-select-test")
    s.conf["compatibility"] = {"ignore-rai-link-selection": True}
    s.ok("config-set", {"Dhcp4": s.conf})
    select({"link": "10.78.0.0", "subnet": "10.77.0.0"}, one)


@test()
def test_commands_without_a_backend(t):
    t.wire()
    s = t.server(**{"server-tag": "site-7"})
    assert s.ok("server-tag-get") == {"server-tag": "site-7"}
    _refused(s, "config-backend-pull", None, "No config backend.", 3)
    _add(s, 20)
    _refused(s, "lease4-resend-ddns", {"ip-address": "10.77.0.20"}, "DDNS updating is not enabled", 4)
    for arguments, text in ((None, "'ip-address' parameter is missing."), ({"ip-address": 1}, "'ip-address' is not a string."),
                            ({"ip-address": "x"}, "'x' is not a valid IP address."),
                            ({"ip-address": "2001:db8::1"}, "Invalid IPv4 address specified: 2001:db8::1")):
        _refused(s, "lease4-resend-ddns", arguments, text)


@test(tags=("asan",))
def test_lease_texts(t):
    """Results, and the texts that programs compare, in the order of Kea's checks."""
    t.wire()
    s = t.server(subnets=[subnet(), subnet("10.78.0.0/24", "10.78.0.10 - 10.78.0.20", 2)])
    lease = {"ip-address": "10.77.0.20", "hw-address": "02:00:00:00:00:20"}

    def add(text, result=1, name="lease4-add", **more):
        _refused(s, name, {k: v for k, v in {**lease, **more}.items() if v is not None}, text, result)

    _refused(s, "lease4-add", None, "no parameters specified for the command")
    _refused(s, "lease4-update", None, "no parameters specified for lease4-update command")
    add("missing parameter 'ip-address'", **{"ip-address": None})
    add("Non-IPv4 address specified: 2001:db8::1", **{"ip-address": "2001:db8::1"})
    add("Failed to convert 'x' to address: Failed to convert string to address 'x': Invalid argument", **{"ip-address": "x"})
    add("missing parameter 'hw-address'", **{"hw-address": None, "subnet-id": 44})
    add("Invalid subnet-id: No IPv4 subnet with subnet-id=44 currently configured.", 4, **{"subnet-id": 44})
    add("The address 10.77.0.20 does not belong to subnet 10.78.0.0/24, subnet-id=2", 4, **{"subnet-id": 2})
    add("subnet-id not specified and failed to find a subnet for address 192.0.2.1", 4, **{"ip-address": "192.0.2.1"})
    add("invalid type specified for parameter 'client-id'", **{"client-id": 1234})
    add("identifier is too short (1), at least 2 is required", **{"client-id": "01"})
    add("invalid type specified for parameter 'valid-lft'", **{"valid-lft": "x"})
    add("out of range value (-1) specified for parameter 'pool-id'", **{"pool-id": -1})
    add("expiration time must be positive for address 10.77.0.20", expire=-1)
    add("expiration time must be greater than valid lifetime for address 10.77.0.20", expire=5, **{"valid-lft": 6})
    add("invalid type specified for parameter 'fqdn-fwd'", **{"fqdn-fwd": 1})
    add("No hostname specified and either forward or reverse fqdn was set to true.", **{"fqdn-rev": True})
    add("Invalid state value: 8, supported values are: 0 (default), 1 (declined), 2 (expired-reclaimed), 3 (released) and "
        "4 (registered)", state=8)
    add("Invalid user context '1' is not a JSON map.", **{"user-context": 1})
    add("Duplicated comment entry", comment="a", **{"user-context": {"comment": "b"}})
    add("invalid type specified for parameter 'force-create'", name="lease4-update", **{"force-create": 1})
    add("failed to update the lease with address 10.77.0.20 either because the lease has been deleted", 4, name="lease4-update")
    assert s.command("lease4-add", dict(lease, comment="c", **{"user-context": {"a": 1}}))["text"] == \
        "Lease for address 10.77.0.20, subnet-id 1 added."
    assert s.ok("lease4-get", {"ip-address": "10.77.0.20"})["user-context"] == {"a": 1, "comment": "c"}
    add("IPv4 lease already exists.", 4)
    assert s.command("lease4-update", lease)["text"] == "IPv4 lease updated."
    other = dict(lease, **{"ip-address": "10.77.0.21", "force-create": True})
    assert [s.command("lease4-update", other)["text"] for _ in range(2)] == ["IPv4 lease added.", "IPv4 lease updated."]
    for name in ("lease4-get", "lease4-del"):
        by = {"identifier-type": "hw-address", "identifier": "02:00:00:00:00:ff", "subnet-id": 1}
        for change, text in ((None, "Parameters missing or are not a map."), ({"subnet-id": None}, "Mandatory 'subnet-id' parameter missing."),
                             ({"subnet-id": "1"}, "'subnet-id' parameter is not integer."),
                             ({"subnet-id": -1}, "'subnet-id' parameter is not a 32 bit unsigned integer."),
                             ({"identifier-type": None}, "'identifier-type' is either missing or not a string."),
                             ({"identifier": 5}, "No 'ip-address' provided and 'identifier' is either missing or not a string."),
                             ({"identifier-type": "duid"}, "Query by duid is not allowed in v4."),
                             ({"identifier-type": "x"}, "Incorrect identifier type: x, the only supported values are: hw-address, duid, client-id"),
                             ({"identifier": "0011"}, "Bad 'hw-address' identifier: invalid format of the decoded string '0011'"),
                             ({"ip-address": 1}, "'ip-address' is not a string."),
                             ({"ip-address": ""}, "Failed to convert string to address '': Invalid argument"),
                             ({"ip-address": "2001:db8::1"}, "Invalid IPv4 address specified: 2001:db8::1"),
                             ({"type": "TA"}, "Invalid lease type specified: TA"), ({"update-ddns": 1}, "'update-ddns' is not a boolean")):
            arguments = None if change is None else {k: v for k, v in {**by, **change}.items() if v is not None}
            _refused(s, name, arguments, text)
        missing = "Lease not found." if name == "lease4-get" else "IPv4 lease not found."
        _refused(s, name, by, missing, 3)
        _refused(s, name, {"ip-address": "10.77.0.99", "type": "V4"}, missing, 3)
    _refused(s, "lease4-get-all", {}, "'subnets' parameter not specified")
    _refused(s, "lease4-get-all", {"subnets": "x"}, "'subnets' parameter must be a list")
    _refused(s, "lease4-get-all", {"subnets": ["x"]}, "listed subnet identifiers must be numbers")
    _refused(s, "lease4-get-all", {"subnets": [-1]}, "out of range subnet identifier -1")
    assert len(s.ok("lease4-get-all", {"subnets": [1, 0, 1]})["leases"]) == 4
    for arguments, text in ((None, "no parameters specified for the lease4-get-page command"), ({}, "'from' parameter not specified"),
                            ({"from": 1}, "'from' parameter must be a string"),
                            ({"from": "x"}, "'from' parameter value is neither 'start' keyword nor a valid IPv4 address"),
                            ({"from": "::1"}, "'from' parameter value ::1 is not an IPv4 address"),
                            ({"from": "start"}, "'limit' parameter not specified"),
                            ({"from": "start", "limit": "x"}, "'limit' parameter must be a number"),
                            ({"from": "start", "limit": 0}, "'limit' parameter must not be 0."),
                            ({"from": "start", "limit": 1 << 32}, "'limit' parameter is not a 32 bit unsigned integer.")):
        _refused(s, "lease4-get-page", arguments, text)
    for key in ("hw-address", "client-id", "hostname"):
        name = "lease4-get-by-" + key
        _refused(s, name, None, "Command arguments missing or a not a map.")
        _refused(s, name, {}, "'%s' parameter not specified" % key)
        _refused(s, name, {key: 0}, "'%s' parameter must be a string" % key)
        _refused(s, name, {key: ""}, {"hw-address": "'hw-address' parameter must not be empty", "hostname": "'hostname' parameter is empty",
                                      "client-id": "bad 'client-id' parameter: identifier is too short (0), at least 2 is required"}[key])
    by = "lease4-get-by-client-id"
    _refused(s, by, {"client-id": " "}, "bad 'client-id' parameter: two consecutive separators (' ') specified in a decoded string ' '")
    _refused(s, by, {"client-id": "xx"}, "bad 'client-id' parameter: 'xx' is not a valid string of hexadecimal digits")
    _refused(s, by, {"client-id": "ab" * 256}, "identifier is too large (256), at most 255 is required")
    for text in ("ab" * 255, "0x0011", "011", "0 1", "00:1"):
        _refused(s, by, {"client-id": text}, "0 IPv4 lease(s) found.", 3)
    _refused(s, "lease4-get-by-hw-address", {"hw-address": " "}, "' ' is not a valid hexadecimal digit in decoded string ' '")
    assert s.command("lease4-wipe", {"subnet-id": 1})["text"] == "Deleted 2 IPv4 lease(s) from subnet(s) 1"
    _refused(s, "lease4-wipe", None, "Deleted 0 IPv4 lease(s) from subnet(s) 1 2", 3)


@test(tags=("asan",))
def test_service_texts(t):
    """Origins of dhcp-disable by name and number, each of which enables its own; reclaiming; the clean-up."""
    t.wire()
    s = t.server()

    def off():
        state = s.ok("status-get")["dhcp-state"]
        return state["globally-disabled"] if "globally-disabled" in state else state

    for name in ("dhcp-disable", "dhcp-enable"):
        _refused(s, name, {"origin": ""}, "invalid value used for 'origin' parameter: (empty string)")
        _refused(s, name, {"origin": "x"}, "invalid value used for 'origin' parameter: x")
        _refused(s, name, {"origin": True}, "'origin' argument must be a string or a number")
        _refused(s, name, {"origin-id": "1"}, "'origin-id' argument must be a number")
        _refused(s, name, {"origin-id": 7}, "unknown origin 7")
    _refused(s, "dhcp-disable", {"max-period": "1"}, "'max-period' argument must be a number")
    _refused(s, "dhcp-disable", {"max-period": 0}, "'max-period' must be positive integer")
    free = off()
    assert s.command("dhcp-disable", {"max-period": 20})["text"] == "DHCPv4 service disabled for 20 seconds"
    assert s.command("dhcp-disable", {"origin-id": 2001, "origin": "user"})["text"] == "DHCPv4 service disabled"
    s.ok("dhcp-enable", {"origin": 1})
    assert off() != free, "the partner's reason is gone"
    assert s.command("dhcp-enable", {"origin": "ha-partner"})["text"] == "DHCP service successfully enabled"
    assert off() == free
    _refused(s, "leases-reclaim", None, "Missing mandatory 'remove' parameter.")
    _refused(s, "leases-reclaim", {"remove": 1}, "'remove' parameter expected to be a boolean.")
    assert s.command("kea-lfc-start")["text"] == "kea-lfc started"
    assert s.term() == 0
    s.conf["lease-database"]["persist"] = False
    s.start()
    _refused(s, "kea-lfc-start", None, "'persist' parameter of 'memfile' lease backend was configured to 'false'", 2)


@test(tags=("asan",))
def test_interfaces(t):
    """An added interface is served, and part of the configuration; a wrong one changes nothing."""
    port = t.wire()
    s = t.server(interfaces=())
    client = Client(port, mac_of(1))
    assert client.offer(timeout=0.3, tries=1) is None
    before = s.ok("config-get")["hash"]
    _refused(s, "interface-add", None, "Missing mandatory 'arguments' parameter.")
    _refused(s, "interface-add", {}, "Missing mandatory 'interfaces' map parameter in 'arguments'.")
    _refused(s, "interface-add", {"interfaces": [], "x": 1}, "Unsupported 'x' map parameter in 'arguments'.")
    for entry, text in (("nope", "interface 'nope' doesn't exist in the system"), ("", "empty interface name"), (1, "must be a string"),
                        ("srv0/10.1.1.1", "interface 'srv0' doesn't have address '10.1.1.1' assigned"), ("srv0/x", "not a valid IPv4 address")):
        _refused(s, "interface-add", {"interfaces": ["srv0", entry]}, "Updating used interfaces failed: ")
        _refused(s, "interface-add", {"interfaces": ["srv0", entry]}, text)
    assert s.ok("config-get")["hash"] == before
    assert s.command("interface-add", {"interfaces": []})["text"] == "Interface configuration successfully updated."
    assert s.command("interface-add", {"interfaces": ["srv0"]})["text"] == "Interface configuration successfully updated."
    client.dora()
    s.ok("interface-add", {"interfaces": ["srv0"]})
    assert s.ok("config-get")["Dhcp4"]["interfaces-config"]["interfaces"] == ["srv0"]
    for name in ("interface-list", "interface-redetect"):
        r = s.command(name)
        found = {i["name"]: i for i in r["arguments"]["interfaces"]}
        assert r["text"] == "%d interfaces detected." % len(found) and {"lo", "srv0"} <= set(found), r
        i = found["srv0"]
        assert i["in-use"] and i["flag-up"] and i["flag-broadcast"] and not i["flag-loopback"], i
        assert i["addresses"] == ["10.77.0.1"] and i["type"] == 1 and len(i["mac"]) == 17, i
        assert found["lo"]["flag-loopback"] and not found["lo"]["in-use"]
    Client(port, mac_of(2)).dora()


@test()
def test_mode_of_the_control_socket(t):
    """Kea's: its owner and group may send commands."""
    t.wire()
    s = t.server()
    assert stat.S_IMODE(os.stat(s.socket_path).st_mode) == 0o770, oct(os.stat(s.socket_path).st_mode)


@test()
def test_status_of_the_queue(t):
    """Averages over 10, 100 and 1000 packets; a server without multi-threading has none, as Kea's."""
    port = t.wire()
    s = t.server()
    assert s.ok("status-get")["packet-queue-statistics"] == [0.0, 0.0, 0.0]
    for host in range(1, 4):
        Client(port, mac_of(host)).dora()
    few, more, many = s.ok("status-get")["packet-queue-statistics"]
    assert 0 < many < more < few < 6, (few, more, many)
    s.conf["multi-threading"] = {"enable-multi-threading": False}
    s.ok("config-set", {"Dhcp4": s.conf})
    status = s.ok("status-get")
    assert status["multi-threading-enabled"] is False
    assert not {"thread-pool-size", "packet-queue-size", "packet-queue-statistics"} & set(status), status


@test()
def test_class_in_the_configuration(t):
    """config-get shows only-in-additional-list of a class that has it, as Kea does."""
    t.wire()
    s = t.server(**{"client-classes": [{"name": "plain"}, {"name": "late", "only-in-additional-list": True}]})
    plain, late = s.ok("config-get")["Dhcp4"]["client-classes"]
    assert "only-in-additional-list" not in plain and late["only-in-additional-list"] is True, (plain, late)
