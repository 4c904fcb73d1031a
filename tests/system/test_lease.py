# SPDX-License-Identifier: MPL-2.0
"""The life of a lease with the tests' own client: get, renew, release, decline, inform, restart;
and the invariants INV-01 to INV-03 and INV-09 to INV-16 of a server."""

import os
import shutil
import signal
import time

from lib import dhcp
from lib.client import Client, Ledger, acquire_many, mac_of
from lib.netns import wait_for
from lib.runner import test
from lib.server import slack, subnet


def _life(t, port, s):
    c = Client(port, mac_of(1))
    ack = c.dora()
    assert ack.get(dhcp.LEASE) and ack.server_id, "ACK without 51 or 54: %r" % ack
    # an acknowledged lease is on disk when the ACK is here: no waiting
    assert s.active(c.addr, c.mac), "%s is not in the lease file behind its ACK" % c.addr
    first = c.addr
    a = c.renew()
    assert a and a.type == dhcp.ACK and a.yiaddr == first, "renewal: %r" % a
    a = c.renew(unicast=False)
    assert a and a.type == dhcp.ACK and a.yiaddr == first, "rebinding: %r" % a
    a = c.reboot()
    assert a and a.type == dhcp.ACK and a.yiaddr == first, "INIT-REBOOT: %r" % a
    c.release()
    wait_for("the release on disk", lambda: not s.active(first, c.mac), slack(2))
    assert c.dora(want=first).yiaddr == first, "the address is not given to its last holder again"
    c.decline()
    wait_for("the decline on disk", lambda: s.leases()[first]["state"] == "1", slack(2))
    assert c.dora().yiaddr != first, "a declined address was given out again"
    i = Client(port, mac_of(2)).inform("10.77.0.200")
    assert i and i.type == dhcp.ACK and i.yiaddr == "0.0.0.0" and i.get(dhcp.LEASE) is None, "INFORM: %r" % i


@test(tags=("asan", "tsan"))
def test_life_of_a_lease_direct(t):
    port = t.wire()
    _life(t, port, t.server())


@test(tags=("asan", "tsan"))
def test_life_of_a_lease_relayed(t):
    port = t.relay_net()
    s = t.server()
    c = Client(port, mac_of(1))
    ack = c.dora()
    assert ack.get(dhcp.RAI) == port.rai, "option 82 does not come back: %r" % ack
    assert s.active(c.addr, c.mac)
    first = c.addr
    a = c.renew()
    assert a and a.type == dhcp.ACK and a.yiaddr == first, "rebinding by relay: %r" % a
    assert c.reboot().yiaddr == first
    c.release()
    wait_for("the release on disk", lambda: not s.active(first, c.mac), slack(2))
    assert c.dora(want=first).yiaddr == first


@test(tags=("asan",))
def test_R2131_2_2_01_restart_keeps_leases(t):
    port = t.wire()
    s = t.server()
    clients = [Client(port, mac_of(n), cid=b"\xff\0\0" + bytes([n]) if n % 2 else None) for n in range(20)]
    for c in clients:
        c.dora()
    s.restart()
    for c in clients:
        was = c.addr
        a = c.reboot()
        assert a and a.type == dhcp.ACK and a.yiaddr == was, "INIT-REBOOT after a restart: %r" % a
        a = c.renew()
        assert a and a.type == dhcp.ACK and a.yiaddr == was, "renewal after a restart: %r" % a


@test()
def test_INV_01_nobody_else_ends_a_lease(t):
    port = t.wire()
    s = t.server()
    a, b = Client(port, mac_of(1)), Client(port, mac_of(2), cid=b"\x01other")
    a.dora()
    b.dora()
    thief = Client(port, mac_of(3))
    thief.server_id = a.server_id
    thief.release(a.addr)
    thief.release(b.addr)
    b.release(a.addr)
    same_mac = Client(port, b.mac, cid=b"\x01imposter")
    same_mac.server_id = b.server_id
    same_mac.release(b.addr)
    thief.decline(a.addr)
    time.sleep(slack(0.3))
    assert s.active(a.addr, a.mac) and s.active(b.addr, b.mac), "a lease was ended by another client"
    for c in (a, b):
        r = c.renew()
        assert r and r.type == dhcp.ACK, "the holder's renewal: %r" % r


@test()
def test_INV_02_03_expiry_to_the_second(t):
    """A pool of one address: not given away before it expires, given after; a renewal moves the expiry."""
    port = t.wire()
    t.server(subnets=[subnet(pool="10.77.0.10 - 10.77.0.10", **{
        "valid-lifetime": 4, "min-valid-lifetime": 4, "max-valid-lifetime": 4, "renew-timer": 1, "rebind-timer": 2})])
    a, b = Client(port, mac_of(1)), Client(port, mac_of(2))
    a.dora()
    time.sleep(2)
    assert a.renew().type == dhcp.ACK
    ends = time.monotonic() + 4
    while time.monotonic() < ends - 1.1:
        assert b.offer(timeout=0.3, tries=1) is None, "given away %.1f s before its end" % (ends - time.monotonic())
    got = wait_for("the expired address", lambda: b.offer(timeout=0.3, tries=1), slack(5))
    assert got.yiaddr == a.addr and time.monotonic() > ends - 1.1
    assert b.select(got).type == dhcp.ACK
    r = a.renew()
    assert r is None or r.type == dhcp.NAK, "the first holder was acknowledged too: %r" % r


@test(timeout=90)
def test_INV_09_starvation_leaves_the_bound_served(t):
    port = t.wire()
    s = t.server(subnets=[subnet(pool="10.77.0.10 - 10.77.0.60", reservations=[
        {"hw-address": mac_of(900).hex(":"), "ip-address": "10.77.0.200"}])])
    bound = [Client(port, mac_of(n)) for n in range(10)]
    for c in bound:
        c.dora()
    before = s.rss_kib()
    for n in range(5000):
        port.send(Client(port, mac_of(n, 0x66)).discover())
        if n % 50 == 0:
            port.drain()
    port.drain()
    for c in bound:
        was = c.addr
        r = c.renew(tries=5)
        assert r and r.type == dhcp.ACK and r.yiaddr == was, "bound client under starvation: %r" % r
    assert Client(port, mac_of(900)).dora(tries=5).yiaddr == "10.77.0.200"
    grown = s.rss_kib() - before
    assert grown < slack(32 * 1024), "memory grew by %d KiB" % grown


@test(tags=("asan", "tsan"))
def test_INV_10_interleaved_clients(t):
    port = t.wire()
    t.server()
    ledger = Ledger()
    done = acquire_many(port, [Client(port, mac_of(n)) for n in range(150)], slack(10), window=150, ledger=ledger)
    assert len(done) == 150, "%d of 150 served" % len(done)
    assert len({c.addr for c in done}) == 150
    ledger.check()


@test(tags=("asan", "tsan"))
def test_INV_11_one_address_thirty_claims(t):
    port = t.wire()
    s = t.server()
    clients = [Client(port, mac_of(n)) for n in range(30)]
    sid = dhcp.ip4("10.77.0.1")
    for c in clients:
        port.send(c.message(dhcp.REQUEST, [(dhcp.REQUESTED, dhcp.ip4("10.77.0.77")), (dhcp.SERVER_ID, sid)]))
    acks = [r for r in port.collect(slack(1)) if r.msg.type == dhcp.ACK and r.msg.yiaddr == "10.77.0.77"]
    assert len({r.msg.chaddr for r in acks}) <= 1, "%d clients won 10.77.0.77" % len(acks)
    assert s.alive()


@test(tags=("asan",))
def test_INV_12_300_copies_of_a_request(t):
    port = t.wire()
    s = t.server()
    c = Client(port, mac_of(1))
    o = c.offer()
    m = c.request(o)
    for _ in range(300):
        port.send(m)
    got = {(r.msg.type, r.msg.yiaddr) for r in port.collect(slack(1)) if r.msg.xid == m.xid}
    assert got == {(dhcp.ACK, o.yiaddr)}, "answers: %r" % got
    mine = [a for a, row in s.leases().items() if row["hwaddr"].replace(":", "") == c.mac.hex()]
    assert mine == [o.yiaddr], "leases: %r" % mine
    Client(port, mac_of(2)).dora()


@test()
def test_INV_13_400_identifiers_of_one_mac(t):
    port = t.wire()
    t.server()
    bound = [Client(port, mac_of(n), cid=b"\x01bound%d" % n) for n in range(5)]
    for c in bound:
        c.dora()
    ledger = Ledger()
    for c in bound:
        ledger.ack(c)
    # distinct exchanges of one station: their xid keeps them apart
    acquire_many(port, [Client(port, mac_of(77), cid=b"\x01id%d" % n) for n in range(400)], slack(6), window=64,
                 ledger=ledger)
    ledger.check()
    for c in bound:
        was = c.addr
        r = c.renew(tries=4)
        assert r and r.type == dhcp.ACK and r.yiaddr == was, "bound client: %r" % r


SPECIAL = ("0.0.0.0", "255.255.255.255", "127.0.0.1", "224.0.0.1", "240.0.0.1", "10.77.0.0", "10.77.0.255", "10.77.0.1",
           "169.254.1.1", "1.2.3.4")


@test(tags=("asan",))
def test_INV_14_15_special_addresses(t):
    """Asked for by DISCOVER, SELECTING, INIT-REBOOT, and as ciaddr of every type."""
    port = t.wire()
    s = t.server()
    sid = dhcp.ip4("10.77.0.1")
    for n, a in enumerate(SPECIAL):
        c = Client(port, mac_of(n))
        want = (dhcp.REQUESTED, dhcp.ip4(a))
        port.send(c.message(dhcp.DISCOVER, [want]))
        port.send(c.message(dhcp.REQUEST, [want, (dhcp.SERVER_ID, sid)]))
        port.send(c.message(dhcp.REQUEST, [want]))
        for type in range(1, 9):
            port.send(c.message(type, ciaddr=a), src="10.77.0.199", dst="255.255.255.255")
    for r in port.collect(slack(1)):
        assert r.msg.yiaddr not in SPECIAL[1:], "%s given: %r" % (r.msg.yiaddr, r.msg)
    bad = set(s.leases()) & set(SPECIAL)
    assert not bad, "leased: %r" % bad
    assert s.alive()
    Client(port, mac_of(500)).dora()


@test(tags=("asan",))
def test_INV_16_acknowledged_means_on_disk(t):
    """The lease file is copied right behind each ACK; every copy has every acknowledged lease so far."""
    port = t.wire()
    s = t.server()
    clients = []
    for n in range(20):
        c = Client(port, mac_of(n))
        c.dora()
        clients.append(c)
        copy = os.path.join(s.dir, "copy")
        shutil.copyfile(s.lease_path, copy)
        have = s.leases([copy])
        for x in clients:
            assert s.active(x.addr, x.mac, have), "%s is not in the file copied behind ACK %d" % (x.addr, n)


def _durability(s, mode, **more):
    s.conf.setdefault("user-context", {})["usher"] = {"durability": mode, **more}


def _kill_in_mode(t, mode, **more):
    """Leases under load, kill -9, and every acknowledged one is in the file and served again."""
    port = t.wire("10.64.0.1/12")
    s = t.server(subnets=[subnet("10.64.0.0/12", "10.65.0.0 - 10.79.255.255")], start=False)
    _durability(s, mode, **more)
    s.start()
    store = s.ok("status-get")["lease-store"]
    assert store["durability"] == mode, store
    clients = []
    for n in range(0, 600, 100):
        clients += acquire_many(port, [Client(port, mac_of(n + k)) for k in range(100)], slack(5))
    s.kill()
    have = s.leases()
    lost = [c.addr for c in clients if not s.active(c.addr, c.mac, have)]
    assert not lost, "%d of %d acknowledged leases are not in the file: %r" % (len(lost), len(clients), lost[:5])
    s.start(write=False)
    for c in clients[::50]:
        was = c.addr
        r = c.renew(tries=3)
        assert r and r.type == dhcp.ACK and r.yiaddr == was
    return s


@test(tags=("asan",))
def test_durability_interval_survives_kill(t):
    """With an interval of an hour nothing was synced, and a killed server has lost nothing."""
    s = _kill_in_mode(t, "interval", **{"interval-ms": 3600000})
    assert s.ok("status-get")["lease-store"]["syncs"] == 0


@test()
def test_durability_interval_syncs(t):
    """Rows are synced within the interval, by themselves."""
    port = t.wire()
    s = t.server(start=False)
    _durability(s, "interval", **{"interval-ms": 200})
    s.start()
    Client(port, mac_of(1)).dora()
    wait_for("the sync", lambda: s.ok("status-get")["lease-store"]["unsynced"] == 0, slack(2))
    store = s.ok("status-get")["lease-store"]
    assert store["syncs"] == 1 and store["rows"] == 1, store


@test()
def test_durability_none_survives_kill(t):
    """Never synced, always written."""
    s = _kill_in_mode(t, "none")
    assert s.ok("status-get")["lease-store"]["syncs"] == 0


HEADER = "address,hwaddr,client_id,valid_lifetime,expire,subnet_id,fqdn_fwd,fqdn_rev,hostname,state,user_context,pool_id\n"


class SlowFile:
    """A lease file that is read only as fast as the test writes it."""
    def __init__(self, s):
        path = s.lease_path + ".2"
        os.mkfifo(path)
        self.fd = os.open(path, os.O_RDWR)

    def end(self, text):
        os.write(self.fd, text.encode())
        os.close(self.fd)


@test(tags=("asan", "tsan"))
def test_serving_while_leases_are_loaded(t):
    """Sockets are open before the lease file is read: INFORM is answered, leases wait for all of it."""
    port = t.wire()
    s = t.server(start=False)
    f = SlowFile(s)
    s.start(loaded=False)
    store = s.ok("status-get")["lease-store"]
    assert store["loading"] and not store["up"], store
    owner, other = Client(port, mac_of(1)), Client(port, mac_of(2))
    a = other.inform("10.77.0.250")
    assert a and a.type == dhcp.ACK, "INFORM: %r" % a
    assert other.offer(timeout=0.5, tries=1) is None, "an offer without knowing who has what"
    assert s.stat("drop-leases-loading") == 1
    for command, args in (("lease4-get-all", {}), ("leases-reclaim", {"remove": True}),
                          ("lease4-add", {"ip-address": "10.77.0.11", "hw-address": "02:00:00:00:00:77"})):
        r = s.command(command, args)
        assert r["result"] == 1 and "being loaded" in r["text"], r
    end = int(time.time()) + 3600
    f.end(HEADER + "10.77.0.50,%s,,3600,%d,1,0,0,,0,,0\n" % (owner.mac.hex(":"), end))
    wait_for("the leases", lambda: not s.ok("status-get")["lease-store"]["loading"], slack(5))
    o = owner.dora()
    assert owner.addr == "10.77.0.50", "the client's own lease was forgotten: %r" % o
    other.dora()
    assert other.addr != owner.addr
    assert s.logged("1 leases from 1 rows")


@test()
def test_lease_file_that_turns_out_bad_late(t):
    """More bad rows than max-row-errors: the server ends, and says why, also when it serves already."""
    t.wire()
    s = t.server(start=False)
    s.conf["lease-database"]["max-row-errors"] = 1
    f = SlowFile(s)
    s.start(loaded=False)
    s.ended = True
    f.end(HEADER + "rubbish\n" * 5)
    assert s.proc.wait(slack(10)) == 1
    assert s.logged("cannot be opened") and s.logged("wrong number of columns")


@test()
def test_end_while_leases_are_loaded(t):
    """SIGTERM does not wait for the rest of the lease file."""
    t.wire()
    s = t.server(start=False)
    f = SlowFile(s)
    s.start(loaded=False)
    s.proc.send_signal(signal.SIGTERM)
    s.ended = True
    f.end(HEADER)
    assert s.proc.wait(slack(10)) == 0


@test()
def test_lease_checks_at_start(t):
    """sanity-checks.lease-checks: leases of the file that no longer fit the subnets."""
    t.wire()
    later = int(time.time()) + 3000
    rows = HEADER + "".join("%s,02:00:00:00:00:%02x,,3600,%d,7,0,0,,0,,0\n" % (ip, n, later)
                            for n, ip in enumerate(["10.77.0.20", "10.9.9.9"]))
    want = {"none": {"10.77.0.20": 7, "10.9.9.9": 7}, "warn": {"10.77.0.20": 7, "10.9.9.9": 7},
            "fix": {"10.77.0.20": 1, "10.9.9.9": 7}, "fix-del": {"10.77.0.20": 1}, "del": {}}
    s = t.server(start=False)
    for mode, expected in want.items():
        with open(s.lease_path, "w", encoding="ascii") as f:
            f.write(rows)
        s.conf["sanity-checks"] = {"lease-checks": mode}
        s.start()
        got = s.command("lease4-get-all").get("arguments", {}).get("leases", [])
        assert {r["ip-address"]: r["subnet-id"] for r in got} == expected, "%s: %r" % (mode, got)
        assert ("DHCPSRV_LEASE_SANITY_FAIL" in s.log()) == (mode != "none")
        assert s.term() == 0
