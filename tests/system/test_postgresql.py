# SPDX-License-Identifier: MPL-2.0
"""Leases in PostgreSQL: Debian's PostgreSQL 15 with the schema of Debian's Kea."""

import shutil
import signal
import threading
import time

from lib import dhcp
from lib.client import Client, Load, acquire_many, mac_of
from lib.netns import wait_for
from lib.postgres import Cluster, Proxy
from lib.runner import test
from lib.server import slack, subnet

KEA = shutil.which("kea-dhcp4", path="/usr/sbin:/sbin:/usr/bin") or "/usr/sbin/kea-dhcp4"


def _clients(port, n, block=0x10):
    """Clients with and without client identifier and name."""
    return [Client(port, mac_of(i, block), cid=b"\x01" + mac_of(i, block) if i % 2 else None,
                   options=[(dhcp.HOSTNAME, b"Host-%d" % i)] if i % 3 else ()) for i in range(n)]


@test(timeout=60, tags=("asan", "tsan"))
def test_postgresql_leases(t):
    """Each change of a lease is in the database before its answer, and a restart reads it."""
    port, pg = t.wire(), Cluster(t.lab)
    s = t.server(**{"lease-database": pg.keys()})
    clients = _clients(port, 20)
    for c in clients:
        assert c.dora(), s.tail()
        row = pg.leases()[c.addr]
        assert row[0] == c.mac.hex() and row[1] == (c.cid or b"").hex() and row[8] == "0", row
    gone, bad = clients.pop(), clients.pop()
    gone.release()
    bad.decline()
    wait_for("release and decline", lambda: pg.leases().get(gone.addr) is None and pg.leases()[bad.addr][8] == "1", slack(3))
    assert pg.leases()[bad.addr][:2] == ("", ""), "the declined address has an identity"
    before = pg.leases()
    for c in clients:
        r = c.renew()
        assert r and r.type == dhcp.ACK
    assert pg.leases().keys() == before.keys()
    assert pg.value("SELECT leases FROM lease4_stat WHERE subnet_id = 1 AND state = 0") == str(len(clients))
    s.restart()
    status = s.ok("status-get")["lease-store"]
    assert status["up"] and status["database"].startswith("kea at "), status
    for c in clients:
        was = c.addr
        r = c.renew()
        assert r and r.type == dhcp.ACK and r.yiaddr == was
    assert s.term() == 0


def _walk(port):
    """The same exchanges for each server: new leases, a renewal, a release, a declined address, a lease that moves to another
    client, names in options 12 and 81. The clients that have leases at the end."""
    clients = _clients(port, 12)
    named = Client(port, mac_of(40), options=[(81, b"\x00\x00\x00Some.Example.ORG")])
    for c in clients + [named]:
        assert c.dora(), "no lease for %s" % c.mac.hex(":")
    gone, bad = clients.pop(), clients.pop()
    gone.release()
    bad.decline()
    time.sleep(0.3)
    for c in clients[:4] + [named]:
        r = c.renew()
        assert r and r.type == dhcp.ACK
    heir = Client(port, mac_of(41))
    assert heir.dora(want=gone.addr)
    return clients + [named, heir], bad


@test(timeout=90)
def test_postgresql_rows_are_KEAs(t):
    """Kea and our server write equal rows for equal exchanges, and read each other's: clients renew with the other one, also
    after they were served by the first."""
    port, now = t.wire(), time.time()
    seen, counts = {}, {}
    for name, binary in (("usher", None), ("kea", KEA)):
        pg = Cluster(t.lab, name="pg-" + name)
        kw = {"binary": binary} if binary else {}
        s = t.server(name=name, **{"lease-database": pg.keys()}, **kw)
        clients, _bad = _walk(port)
        rows = pg.leases()
        for r in rows.values():
            assert abs(int(r[3]) - now - int(r[2])) < 60, "%s: expire %s" % (name, r)
        seen[name] = {a: r[:3] + r[4:] for a, r in rows.items()}
        counts[name] = sorted(r for r in pg.sql("SELECT subnet_id, state, leases FROM lease4_stat") if r[2] != "0")
        # the other server takes the clients over
        assert s.term() == 0
        s.binary = KEA if not binary else t.binary
        s.start(write=False)
        for c in clients:
            was, r = c.addr, c.renew(tries=3)
            assert r and r.type == dhcp.ACK and r.yiaddr == was, "%s after %s: %r" % (s.binary, name, r)
        assert {a: r[:3] + r[4:] for a, r in pg.leases().items()} == seen[name]
        s.term()
        port.drain()
        pg.stop()
    assert seen["usher"] == seen["kea"], "\n".join("%s: %s, Kea %s" % (a, seen["usher"].get(a), seen["kea"].get(a)) for a in
                                                   sorted(set(seen["usher"]) | set(seen["kea"]))
                                                   if seen["usher"].get(a) != seen["kea"].get(a))
    assert counts["usher"] == counts["kea"], counts


def _away(s, port, bound, stranger):
    """While the database is away: a running lease is confirmed for no longer than it has left, nothing else is answered."""
    wait_for("the store to be down", lambda: not s.ok("status-get")["lease-store"]["up"], slack(3))
    for c in bound[:3]:
        was, r = c.addr, c.renew(tries=1)
        assert r and r.type == dhcp.ACK and r.yiaddr == was, "a bound client is not confirmed: %r" % r
        left = r.lease_time
        assert left < 3600, "a lifetime of %d is promised" % left
    assert bound[3].reboot(tries=1).type == dhcp.ACK
    assert stranger.offer(timeout=0.3, tries=1) is None, "an address is offered"
    assert stranger.reboot("10.77.0.99", timeout=0.3, tries=1) is None, "a stranger gets an answer"
    assert s.alive()


def _served_within(t, s, port, n, seconds=1.0):
    """A new client gets an address within seconds of now."""
    end = time.monotonic() + slack(seconds)
    c = Client(port, mac_of(n, 0x55))
    while not acquire_many(port, [c], timeout=0.3, retry=0.1):
        assert time.monotonic() < end, "no service within %s s: %s" % (seconds, s.tail())
    return c


@test(timeout=90, tags=("asan", "tsan"))
def test_postgresql_away(t):
    """Stopped, killed and restarted while clients are served: no NAK, no exit, no promise beyond the lease, service within a
    second, and nothing acknowledged is lost."""
    port, pg = t.wire(addr="10.77.0.1/16"), Cluster(t.lab, synchronous_commit="on")
    s = t.server(subnets=[subnet("10.77.0.0/16", "10.77.1.0 - 10.77.100.255")], **{"lease-database": pg.keys()})
    bound = acquire_many(port, _clients(port, 50))
    assert len(bound) == 50, s.tail()
    time.sleep(1.1)   # the rest of a lifetime is less than all of it
    for n, how in enumerate((signal.SIGINT, signal.SIGQUIT)):
        pg.stop(how)
        _away(s, port, bound, Client(port, mac_of(n, 0x44)))
        pg.start()
        _served_within(t, s, port, n)
        assert s.ok("status-get")["lease-store"]["up"]
        for c in bound[:5]:
            assert c.renew().type == dhcp.ACK
    load = Load(port, 0x66, window=16)
    load.start()
    for _ in range(3):
        time.sleep(0.5)
        pg.stop(signal.SIGQUIT)
        pg.start()
    time.sleep(0.5)
    load.end()
    rows = pg.leases()
    lost = [c for c in load.acked if rows.get(c.addr, [None])[0] != c.mac.hex()]
    assert load.acked and not lost, "%d of %d acknowledged leases are not in the database" % (len(lost), len(load.acked))
    assert load.naks == 0, "%d NAKs" % load.naks
    assert "DHCP4_DB_RECONNECT_SUCCEEDED" in s.log()


@test(timeout=60)
def test_postgresql_away_in_a_shared_network(t):
    """While the database is away, a lease of the second subnet of a shared network is confirmed with the options of that subnet."""
    port, pg = t.wire(addr="10.77.0.1/24"), Cluster(t.lab)
    subnets = [dict(subnet("10.77.0.0/24", "10.77.0.10 - 10.77.0.10", id=1), **{"option-data": [{"name": "routers", "data": "10.77.0.1"}]}),
               dict(subnet("10.78.0.0/23", "10.78.0.10 - 10.78.0.20", id=2), **{"option-data": [{"name": "routers", "data": "10.78.0.1"}]})]
    s = t.server(subnets=[], **{"lease-database": pg.keys(), "shared-networks": [{"name": "n", "interface": "srv0", "subnet4": subnets}]})
    clients = [Client(port, mac_of(n, 0x55), options=[(55, bytes([1, 3]))]) for n in range(3)]
    before = [c.dora() for c in clients]
    assert sorted(c.addr.split(".")[1] for c in clients) == ["77", "78", "78"], s.tail()
    pg.stop()
    for c, ack in zip(clients, before):
        r = c.renew(unicast=False)
        assert r and r.type == dhcp.ACK and r.yiaddr == c.addr, s.tail()
        assert (r.get(1), r.get(3)) == (ack.get(1), ack.get(3)), "options of another subnet: %s" % c.addr


@test(timeout=60)
def test_postgresql_refused_starts(t):
    """A start with a database that cannot be used ends with a sentence: none, an empty one, a schema too old or too new, a wrong
    password. With retry-on-startup the server waits for it."""
    t.wire()
    pg = Cluster(t.lab)
    s = t.server(start=False, **{"lease-database": pg.keys()})

    def refused(text, **keys):
        s.conf["lease-database"] = pg.keys(**keys)
        s.start(wait=False)
        assert s.proc.wait(slack(10)) != 0
        assert text in s.log(), "%s is not in: %s" % (text, s.tail())
    refused('database "nowhere" does not exist', name="nowhere")
    pg.sql("CREATE DATABASE empty OWNER kea")
    refused("kea-admin db-init", name="empty")
    for version, text in ((12, "expected 13 to 34: upgrade it with kea-admin db-upgrade"), (99, "it is newer than this server")):
        pg.sql("UPDATE schema_version SET version = %d" % version)
        refused("version %d.0 of Kea's schema" % version)
        assert text in s.log()
    pg.sql("UPDATE schema_version SET version = 13")
    pg.stop()
    refused("No such file or directory")
    s.conf["lease-database"] = pg.keys(**{"retry-on-startup": True})
    s.start(loaded=False)
    assert s.ok("status-get")["lease-store"]["loading"]
    pg.start()
    wait_for("the leases", lambda: s.ok("status-get")["lease-store"]["up"], slack(3))


@test(timeout=60)
def test_postgresql_policies(t):
    """on-fail and max-reconnect-tries, where they are given: the server ends as Kea does, or serves nothing meanwhile."""
    port, pg = t.wire(), Cluster(t.lab)
    for tries, wait, how in ((0, 0, "stop-retry-exit"), (3, 200, "serve-retry-exit")):
        s = t.server(name=how, **{"lease-database": pg.keys(**{"on-fail": how, "max-reconnect-tries": tries,
                                                               "reconnect-wait-time": wait})})
        c = Client(port, mac_of(1))
        assert c.dora()
        pg.stop()
        s.ended = True
        began = time.monotonic()
        assert s.proc.wait(slack(5)) == 1, "exit code %s" % s.proc.returncode
        assert time.monotonic() - began > (tries - 1) * wait / 1000
        assert "DHCP4_DB_RECONNECT_FAILED" in s.log()
        pg.start()
    s = t.server(name="stop", **{"lease-database": pg.keys(**{"on-fail": "stop-retry-exit", "max-reconnect-tries": 100,
                                                              "reconnect-wait-time": 50})})
    assert c.renew().type == dhcp.ACK
    pg.stop()
    wait_for("the store to be down", lambda: not s.ok("status-get")["lease-store"]["up"], slack(3))
    assert c.renew(timeout=0.3, tries=1) is None, "on-fail is stop-retry-exit, and there is an answer"
    pg.start()
    _served_within(t, s, port, 1)


@test(timeout=60)
def test_postgresql_trouble(t):
    """Out of connections, read-only, and rows that another program holds locked: nothing is promised, and it passes."""
    port, pg = t.wire(addr="10.77.0.1/16"), Cluster(t.lab)
    s = t.server(subnets=[subnet("10.77.0.0/16", "10.77.1.0 - 10.77.100.255")], **{"lease-database": pg.keys()})
    c = Client(port, mac_of(1))
    assert c.dora()
    time.sleep(1.1)
    others = Client(port, mac_of(2))
    pg.sql("ALTER DATABASE kea CONNECTION LIMIT 0")
    pg.cut()
    _away(s, port, [c] * 4, others)
    assert "too many connections" in s.log()
    pg.sql("ALTER DATABASE kea CONNECTION LIMIT -1")
    _served_within(t, s, port, 1)
    pg.sql("ALTER DATABASE kea SET default_transaction_read_only = on")
    pg.cut()
    _away(s, port, [c] * 4, others)
    assert "read-only" in s.log(), s.tail()
    pg.sql("ALTER DATABASE kea RESET default_transaction_read_only", database="postgres")
    _served_within(t, s, port, 2)
    holder = pg.session("BEGIN; SELECT * FROM lease4 FOR UPDATE; SELECT pg_sleep(1.2); COMMIT")
    time.sleep(0.2)
    assert c.renew(timeout=3, tries=1).type == dhcp.ACK
    holder.wait(10)
    pg.sql("ALTER TABLE lease4 DISABLE TRIGGER ALL")
    assert pg.value("SELECT count(*) FROM lease4") == "3"


@test(timeout=60)
def test_postgresql_slow(t):
    """Each message to and from the database takes 250 ms: a hundred clients do not wait one after the other."""
    port, pg = t.wire(addr="10.77.0.1/16"), Cluster(t.lab)
    p = Proxy(t.lab.ns("srv"), pg, delay=0.25)
    t.lab.closers.append(p.close)
    s = t.server(subnets=[subnet("10.77.0.0/16", "10.77.1.0 - 10.77.100.255")],
                 **{"lease-database": pg.keys(host="127.0.0.1", port=p.port)})
    began = time.monotonic()
    got = acquire_many(port, _clients(port, 100), retry=3)
    took = time.monotonic() - began
    assert len(got) == 100 and 0.5 < took < slack(3), "%d leases in %.1f s" % (len(got), took)
    assert s.ok("status-get")["lease-store"]["errors"] == 0
    # a database that takes packets and never answers
    p.hold = True
    lost = Client(port, mac_of(1, 0x33))
    assert acquire_many(port, [lost], timeout=1.0) == [], "acknowledged, and not committed"
    wait_for("the store to be down", lambda: not s.ok("status-get")["lease-store"]["up"], slack(8))
    p.hold, p.delay = False, 0
    p.cut()
    _served_within(t, s, port, 1)


def _second(t, pg, subnets, name="second", **keys):
    """Another server on the database, with a cable to clients of its own."""
    a, b = t.lab.ns("srv-" + name), t.lab.ns("cli-" + name)
    t.lab.veth(a, "srv0", b, "cli0")
    a.addr("srv0", "10.77.0.2/16")
    port = t.raw_port(b, "cli0", a, "srv0", "10.77.0.2")
    return t.server(ns=a, name=name, subnets=subnets, **{"lease-database": pg.keys(**keys)}), port


@test(timeout=120, tags=("tsan",))
def test_postgresql_two_servers(t):
    """Two servers on one database serve many clients at a time: no address has two of them."""
    n = 50000 if t.long else 1500
    subnets = [subnet("10.77.0.0/16", "10.77.1.0 - 10.77.200.255")] if not t.long else [subnet("10.64.0.0/10", "10.64.1.0 - 10.79.0.0")]
    port, pg = t.wire(addr="10.77.0.1/16"), Cluster(t.lab)
    first = t.server(subnets=subnets, **{"lease-database": pg.keys()})
    _other, port2 = _second(t, pg, subnets)
    got = [[], []]

    def serve(i, p, block):
        got[i] = acquire_many(p, [Client(p, mac_of(k, block)) for k in range(n)], timeout=slack(90 if t.long else 20), retry=0.3)
    threads = [threading.Thread(target=serve, args=a) for a in ((0, port, 0x20), (1, port2, 0x21))]
    for x in threads:
        x.start()
    for x in threads:
        x.join()
    assert len(got[0]) == n and len(got[1]) == n, "%d and %d of %d" % (len(got[0]), len(got[1]), n)
    addrs = [c.addr for c in got[0] + got[1]]
    assert len(set(addrs)) == len(addrs), "%d addresses for %d clients" % (len(set(addrs)), len(addrs))
    rows = pg.leases()
    wrong = [c for c in got[0] + got[1] if rows[c.addr][0] != c.mac.hex()]
    assert not wrong, "%d acknowledged leases are another client's in the database" % len(wrong)
    print(first.ok("status-get")["lease-store"])


@test(timeout=60)
def test_postgresql_reclaim(t):
    """Leases that are over are reclaimed as by Kea, but not one that another server has extended since."""
    port, pg = t.wire(), Cluster(t.lab)
    timers = {"expired-leases-processing": {"reclaim-timer-wait-time": 1, "flush-reclaimed-timer-wait-time": 1, "hold-reclaimed-time": 3}}
    s = t.server(**{"lease-database": pg.keys(), "valid-lifetime": 2, "renew-timer": 1, "rebind-timer": 1}, **timers)
    over, extended = Client(port, mac_of(1), options=[(dhcp.HOSTNAME, b"host")]), Client(port, mac_of(2))
    assert over.dora() and extended.dora()
    pg.sql("UPDATE lease4 SET expire = expire + interval '1 hour', valid_lifetime = 3602 WHERE hwaddr = '\\x%s'" % extended.mac.hex())
    wait_for("the lease to be reclaimed", lambda: pg.leases()[over.addr][8] == "2", slack(6))
    assert pg.leases()[over.addr][7] == "", "the name stays"
    wait_for("the reclaimed row to be deleted", lambda: over.addr not in pg.leases(), slack(8))
    assert pg.leases()[extended.addr][8] == "0", "a lease that another server extended was reclaimed"
    assert s.ok("lease4-get", {"ip-address": extended.addr})["valid-lft"] == 3602
    stranger = Client(port, mac_of(3))
    assert stranger.dora(want=extended.addr).yiaddr != extended.addr
