# SPDX-License-Identifier: MPL-2.0
"""Load: Debian's perfdhcp at 2,000 exchanges a second, a pool that is used up to its last address,
and the crash tests: kill -9 at a random moment under load, after which every acknowledged lease is
there and none is given twice (INV-04 to INV-08)."""

import os
import random
import re
import time

from lib.client import Client, Ledger, Load, acquire_many, mac_of
from lib.netns import wait_for
from lib.runner import test
from lib.server import PRIORITY, SANITIZED, slack, subnet
from lib import dhcp

_COUNTED = ("discover-received", "offer-sent", "request-received", "ack-sent")
BIG = [subnet("10.64.0.0/12", "10.65.0.0 - 10.79.255.255")]


def _perfdhcp(cli, rate, seconds, seed):
    """One run: (None or the reason of its failure, the number of leases it reports, [DISCOVERs, REQUESTs] it sent)."""
    out = cli.run("nice", "-n", PRIORITY, "perfdhcp", "-4", "-l", "cli0", "-r", rate, "-R", 1000000, "-p", seconds, "-W", 500000, "-s", seed,
                  "-b", "mac=00:0c:%02x:00:00:00" % seed, "-u", "10.64.0.1", check=False, timeout=50)
    pairs = re.findall(r"sent packets: (\d+)\s+received packets: (\d+)\s+drops: (-?\d+)", out)
    assert len(pairs) == 2, "perfdhcp says: " + out[-1500:]
    assert re.findall(r"non unique addresses: (\d+)", out) == ["0", "0"], "addresses twice: " + out[-800:]
    leases, all_sent = int(pairs[1][1]), [int(p[0]) for p in pairs]
    for name, (sent, got, drops) in zip(("DISCOVER-OFFER", "REQUEST-ACK"), pairs):
        if int(sent) < 0.95 * seconds * rate:
            return "%s: only %s sent" % (name, sent), leases, all_sent
        if int(sent) > int(got) or int(drops) > 0:
            return "%s: %s sent, %s received" % (name, sent, got), leases, all_sent
    return None, leases, all_sent


def _answered(s, before, sent):
    """Returns whether the server received and answered all of `sent` (DISCOVERs, REQUESTs) since its statistics `before`, and
    its sockets lost nothing: then an answer that the generator lacks was late, or lost behind the server."""
    def now():
        return [s.stat("pkt4-" + n) - before.get(n, 0) for n in _COUNTED]

    def settled():
        discovers, offers, requests, acks = now()
        return offers >= discovers >= sent[0] and acks >= requests >= sent[1]
    try:
        wait_for("the answers", settled, slack(5))
    except AssertionError:
        return False
    return s.stat("usher-kernel-drops") == 0


@test(timeout=90, alone=True)
def test_perfdhcp_2000_exchanges_a_second(t):
    """10 s without a drop by the server. Other load of the machine must not decide it: generator and server have priority, there
    are three tries, and answers that were sent count, because the generator gives a late one up."""
    srv, cli = t.lab.ns("srv"), t.lab.ns("cli")
    t.lab.veth(srv, "srv0", cli, "cli0")
    srv.addr("srv0", "10.64.0.1/12")
    cli.addr("cli0", "10.64.0.2/12")
    s = t.server(subnets=BIG)
    s.raise_priority()
    leases, wrong = 0, []
    for seed in (7, 8, 9):
        before = {n: s.stat("pkt4-" + n) for n in _COUNTED}
        why, got, sent = _perfdhcp(cli, 2000, 10, seed)
        leases += got
        if not why or (sent[0] >= 0.95 * 20000 and _answered(s, before, sent)):
            break
        wrong.append(why)
    else:
        raise AssertionError("; ".join(wrong))
    have = len(s.leases())
    assert have >= leases, "%d leases on disk, %d acknowledged" % (have, leases)


@test(timeout=60, tags=("asan", "tsan"))
def test_500_clients_use_up_a_pool_of_500(t):
    port = t.wire("10.77.0.1/22")
    t.server(subnets=[subnet("10.77.0.0/22", "10.77.1.0 - 10.77.2.243")])
    ledger = Ledger()
    done = acquire_many(port, [Client(port, mac_of(n)) for n in range(500)], slack(20), window=500, ledger=ledger)
    assert len(done) == 500, "%d of 500 served" % len(done)
    assert len({c.addr for c in done}) == 500
    ledger.check()
    last = Client(port, mac_of(501))
    assert last.offer(timeout=1, tries=2) is None, "the 501st was offered an address"
    done[123].release()
    got = wait_for("the released address", lambda: last.offer(timeout=0.3, tries=1), slack(5))
    assert got.yiaddr == done[123].addr and last.select(got).type == dhcp.ACK


def _verify(s, ledger, load, sample):
    """Every acknowledged lease is in the file; a sample renews; nothing doubled."""
    ledger.check()
    have = s.leases()
    for c in load.acked:
        assert s.active(c.addr, c.mac, have), "%s of %s was acknowledged and is not in the lease file: %r" % (
            c.addr, c.mac.hex(":"), have.get(c.addr))
    for c in sample:
        was = c.addr
        r = c.renew(tries=4)
        assert r and r.type == dhcp.ACK and r.yiaddr == was, "renewal of %s after the kill: %r" % (was, r)


def _kill_loop(t, make_port, loops):
    port = make_port()
    s = t.server(subnets=BIG, start=False)
    s.start()
    rng = random.Random(4711)
    ledger = Ledger()
    total = 0
    for k in range(loops):
        load = Load(port, 0x20 + k, window=40, rate=4000, give_up=1.5, ledger=ledger)
        load.start()
        wait_for("the load to run", lambda: len(load.acked) >= 20, slack(10), step=0.005)
        time.sleep(rng.random() * 0.25)
        s.kill()
        load.end(abandon=True)
        port.drain()
        started = time.monotonic()
        s.start(write=False)
        took = time.monotonic() - started
        assert took < slack(3), "the start after a kill took %.1f s" % took
        _verify(s, ledger, load, rng.sample(load.acked, min(20, len(load.acked))))
        total += len(load.acked)
    assert total >= loops * 20


@test(timeout=400, tags=("asan", "tsan"))
def test_INV_04_05_kill_9_under_load_direct(t):
    _kill_loop(t, lambda: t.wire("10.64.0.1/12"), 50 if t.long else 3 if SANITIZED else 10)


@test(timeout=400)
def test_INV_04_05_kill_9_under_load_relayed(t):
    _kill_loop(t, lambda: t.relay_net(giaddr="10.64.0.1"), 50 if t.long else 10)


@test()
def test_INV_06_release_survives_a_crash(t):
    port = t.wire()
    s = t.server()
    clients = [Client(port, mac_of(n)) for n in range(10)]
    for c in clients:
        c.dora()
    for c in clients[:5]:
        c.release()
    wait_for("the releases on disk", lambda: sum(s.active(c.addr, c.mac) for c in clients) == 5, slack(2))
    s.kill()
    s.start(write=False)
    for c in clients:
        r = s.command("lease4-get", {"ip-address": c.addr})
        running = r["result"] == 0 and r["arguments"]["state"] == 0
        assert running == (c not in clients[:5]), "%s after the crash: %s" % (c.addr, r)


def _damaged(t, damage, whole):
    """Leases, a crash, damage(path) done to the file: the first `whole` leases are there, it serves."""
    port = t.wire()
    s = t.server()
    clients = [Client(port, mac_of(n)) for n in range(10)]
    for c in clients:
        c.dora()
    s.kill()
    damage(s.lease_path)
    s.start(write=False)
    for c in clients[:whole]:
        was = c.addr
        r = c.renew()
        assert r and r.type == dhcp.ACK and r.yiaddr == was, "%s: %r" % (was, r)
    taken = {c.addr for c in clients[:whole]}
    new = [Client(port, mac_of(n, 0x33)) for n in range(10)]
    for c in new:
        assert c.dora().yiaddr not in taken
    s.restart()
    for c in new:
        assert c.renew().type == dhcp.ACK


@test(cases={"in_the_middle": 20, "before_the_newline": 1, "after_one_octet": None})
def test_INV_07_torn_last_row(t, cut):
    def damage(path):
        with open(path, "r+b") as f:
            data = f.read()
            f.truncate(data.rstrip(b"\n").rfind(b"\n") + 2 if cut is None else len(data) - cut)
    _damaged(t, damage, 9)


@test()
def test_INV_08_zeroes_behind_the_last_row(t):
    def damage(path):
        with open(path, "ab") as f:
            f.write(bytes(4096))
    _damaged(t, damage, 10)


@test()
def test_start_refuses_a_lease_file_it_cannot_read(t):
    """A directory in the lease file's place: an error and an exit code, no crash, no service."""
    t.wire()
    s = t.server(start=False)
    os.makedirs(s.lease_path)
    s.start(wait=False)
    code = s.proc.wait(slack(10))
    assert code > 0, "exit code %d" % code
    assert "ERROR" in s.log() or "FATAL" in s.log(), "no word about it"
