# SPDX-License-Identifier: MPL-2.0
"""The hook library lease_cmds with a real lease file: values outlive kill -9, a renewal writes as many rows as it has to, and
Debian's Kea reads the file, and writes it on."""
import glob
import os
import subprocess

from lib import dhcp
from lib.client import Client, mac_of
from lib.runner import test
from lib.server import slack
from test_kea import KEA

VENDOR = 60
# A text with all that the lease file, or JSON, has to escape: a comma, quotes, octets that are no ASCII.
NASTY = b"a,b \"c\" \\ &#x2c \xc3\xa9\xff\x01"


def _library(*variables):
    return [{"library": "libdhcp_lease_cmds.so", "parameters": {"binding-variables": list(variables)}}]


VARIABLES = ({"name": "vendor", "expression": "option[60].hex", "source": "query"},
             {"name": "port", "expression": "relay4[1].hex", "source": "query"},
             {"name": "router", "expression": "hexstring(option[3].hex, ':')", "source": "response"})


def _context(s, addr):
    return s.ok("lease4-get", {"ip-address": addr}).get("user-context")


def _values(vendor, port=""):
    return {"vendor": vendor.decode("latin-1"), "port": port, "router": "0a:4d:00:01"}


def _rows(s, addr):
    """The rows of an address in the lease file, in their order."""
    with open(s.lease_path, encoding="utf-8") as f:
        return [line.split(",") for line in f.read().splitlines() if line.startswith(addr + ",")]


def _conf(**more):
    return {"cache-threshold": 0.0, "option-data": [{"name": "routers", "data": "10.77.0.1", "always-send": True}],
            "hooks-libraries": _library(*VARIABLES), **more}


@test(tags=("asan", "tsan"))
def test_lease_cmds_values_outlive_a_kill(t):
    port = t.wire()
    s = t.server(**_conf())
    clients = [Client(port, mac_of(n), options=[(VENDOR, b"%d " % n + NASTY)]) for n in range(8)]
    for n, c in enumerate(clients):  # one at a time: no later packet moves its rows to disk
        assert c.dora(timeout=slack(1.0), tries=1).type == dhcp.ACK
        s.kill()
        rows = _rows(s, c.addr)
        assert len(rows) == 2 and not rows[0][10] and "&#x2c" in rows[1][10], rows
        s.start()
        assert _context(s, c.addr) == {"ISC": {"binding-variables": _values(b"%d " % n + NASTY)}}, _context(s, c.addr)
    # the same values: one row; others: two, and the next row repeats them
    c = clients[0]
    assert c.renew().type == dhcp.ACK
    assert len(_rows(s, c.addr)) == 3, _rows(s, c.addr)
    c.options = [(VENDOR, b"new")]
    assert c.renew(timeout=slack(1.0), tries=1).type == dhcp.ACK
    s.kill()
    rows = _rows(s, c.addr)
    assert len(rows) == 5 and rows[3][10] == rows[2][10] != rows[4][10], rows
    s.start()
    assert _context(s, c.addr) == {"ISC": {"binding-variables": _values(b"new")}}
    assert s.ok("status-get")["hook-failures"] == 0
    assert s.log().count("LEASE_CMDS_INIT_OK") == s.log().count("DHCP4_STARTED ")


@test(timeout=60, tags=("asan", "tsan"))
def test_lease_cmds_reloads(t):
    """Variables come, change and go with a configuration; a failure is logged and counted, and the answer comes."""
    port = t.wire()
    s = t.server(**{"cache-threshold": 0.0, "hooks-libraries": [{"library": "/usr/lib/kea/hooks/libdhcp_lease_cmds.so"}]})
    c = Client(port, mac_of(1), options=[(VENDOR, b"acme")])
    c.dora()
    assert _context(s, c.addr) is None

    def reload(*variables):
        s.ok("config-set", {"Dhcp4": dict(s.conf, **{"hooks-libraries": _library(*variables)})})
        assert c.renew(timeout=slack(1.0)).type == dhcp.ACK
        return _context(s, c.addr)

    assert reload(VARIABLES[0]) == {"ISC": {"binding-variables": {"vendor": "acme"}}}
    assert reload(VARIABLES[1], VARIABLES[0]) == {"ISC": {"binding-variables": {"port": "", "vendor": "acme"}}}
    assert reload() == {"ISC": {"binding-variables": {"port": "", "vendor": "acme"}}}
    assert s.ok("status-get")["hook-failures"] == 0
    bad = {"name": "v", "expression": "addrtotext(option[60].hex)", "source": "query"}
    c.options = [(VENDOR, b"acme!")]
    assert reload(bad) == {"ISC": {"binding-variables": {"port": "", "vendor": "acme"}}}
    assert s.ok("status-get")["hook-failures"] == 1
    assert s.logged("LEASE_CMDS_LEASES4_COMMITTED_FAILED") and s.logged("lease %s are not stored: variable 'v'" % c.addr)


@test(timeout=30, tags=("asan",))
def test_lease_cmds_mistakes(t):
    """Every mistake of the parameters has its place, in one run."""
    t.wire()
    s = t.server(start=False)
    path = os.path.join(s.dir, "bad.conf")
    with open(path, "w", encoding="utf-8") as f:
        f.write("""{ "Dhcp4": { "interfaces-config": { "interfaces": [] }, "hooks-libraries": [ { "library": "libdhcp_lease_cmds.so",
"parameters": { "binding-variables": [
{ "name": "", "expression": "option[60].hex", "source": "query" },
{ "name": "a", "expression": "option[60", "source": "query" },
{ "name": "a", "expression": "option[60].hex", "source": "packet" },
{ "name": "a", "expression": "option[60].hex" },
{ "name": "a", "expression": "option[60].hex", "source": "query", "value": "" } ] } } ] } }
""")
    out = subprocess.run([t.binary, "-t", path], capture_output=True, text=True, check=False)
    assert out.returncode == 1, out
    for place in (":3:11: ", ":4:40: ", ":5:58: ", ":6:1: ", ":7:67: "):
        assert path + place in out.stderr, (place, out.stderr)
    assert out.stderr.count(path) == 5 and out.stdout.count("LEASE_CMDS_LOAD_ERROR") <= 1, out


@test(timeout=90)
def test_KEA_reads_values_of_lease_cmds(t):
    """Debian's Kea reads the contexts of direct and relayed clients as they are, and keeps the values at a renewal."""
    port = t.relay_net()
    s = t.server(**_conf(**{"store-extended-info": True}))
    usher = s.binary
    clients = [Client(port, mac_of(n), options=[(VENDOR, b"%d " % n + NASTY)]) for n in range(3)]
    for c in clients:
        c.dora()
    ours = [_context(s, c.addr) for c in clients]
    for n, context in enumerate(ours):
        assert context["ISC"]["binding-variables"] == _values(b"%d " % n + NASTY, "port"), context
        assert context["ISC"]["relay-agent-info"] == {"sub-options": "0x0104706F7274"}, context
    assert s.term() == 0

    s.binary = KEA
    # Kea 2 knows no variables and no threshold of 0; with store-extended-info it drops other members of ISC
    del s.conf["cache-threshold"], s.conf["store-extended-info"]
    s.conf["hooks-libraries"] = [{"library": glob.glob("/usr/lib/*/kea/hooks/libdhcp_lease_cmds.so")[0]}]
    s.start()
    assert "ROW_ERROR" not in s.log(), s.tail()
    assert [_context(s, c.addr) for c in clients] == ours
    c = clients[0]
    assert c.renew(tries=3).type == dhcp.ACK
    assert _context(s, c.addr)["ISC"]["binding-variables"] == ours[0]["ISC"]["binding-variables"]
    s.term()

    s.binary = usher
    s.conf.update(_conf(**{"store-extended-info": True}))
    s.start()
    assert "ROW_ERROR" not in s.log()
    assert [_context(s, c.addr) for c in clients] == ours
    before = len(_rows(s, c.addr))
    for c in clients:  # the values of Kea's row are those of the packet: one row
        assert c.renew(tries=3).type == dhcp.ACK
    assert [_context(s, c.addr) for c in clients] == ours
    assert len(_rows(s, clients[0].addr)) == before + 1
    clients[0].options = [(VENDOR, b"new")]
    assert clients[0].renew(tries=3).type == dhcp.ACK
    assert _context(s, clients[0].addr)["ISC"]["binding-variables"] == _values(b"new", "port")
