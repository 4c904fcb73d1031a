# SPDX-License-Identifier: MPL-2.0
"""Disks that are full, read-only or gone (INV-17, INV-20): nothing is acknowledged that is not on
disk, the server stays up, and it serves again by itself when the disk does."""

import os
import time

from lib import dhcp
from lib.client import Client, Ledger, acquire_many, mac_of
from lib.netns import fill_disk, sh, wait_for
from lib.runner import test
from lib.server import slack, subnet

BIG = [subnet("10.64.0.0/12", "10.65.0.0 - 10.79.255.255")]


def _on_disk(s, clients):
    have = s.leases()
    for c in clients:
        assert s.active(c.addr, c.mac, have), "%s was acknowledged and is not on disk" % c.addr


def _ext4(t, mib):
    image, path = t.lab.path("disk.img"), t.lab.path("disk")
    with open(image, "wb") as f:
        f.truncate(mib << 20)
    sh("mkfs.ext4", "-q", "-b", "1024", "-O", "^has_journal", "-m", "0", image)
    os.makedirs(path)
    sh("mount", "-o", "loop", image, path)
    return path


DISKS = {"tmpfs": lambda t: t.lab.tmpfs("disk", "1m"), "ext4": lambda t: _ext4(t, 4)}


def _served_again(port, block, limit):
    """A new client has an ACK within that time."""
    n = [0]

    def one():
        n[0] += 1
        c = Client(port, mac_of(n[0], block))
        o = c.offer(timeout=0.3, tries=1)
        if o and (a := c.select(o, timeout=0.5, tries=1)) and a.type == dhcp.ACK:
            return c
        return None
    return wait_for("service to return", one, slack(limit))


@test(timeout=90, cases=DISKS, tags=("asan", "tsan"))
def test_INV_17_20_full_disk(t, disk):
    directory = disk(t)
    port = t.wire("10.64.0.1/12")
    s = t.server(subnets=BIG, start=False)
    s.lease_path = s.conf["lease-database"]["name"] = os.path.join(directory, "leases.csv")
    s.start()
    ledger = Ledger()
    clients = acquire_many(port, [Client(port, mac_of(n)) for n in range(50)], slack(10), ledger=ledger)
    assert len(clients) == 50
    for round in range(2):
        hog = fill_disk(directory)
        # rows fit into the last block for a while: until none is acknowledged any more
        block, refused = 0x50 + round, 0
        for k in range(100):
            more = [Client(port, mac_of(k * 64 + n, block)) for n in range(64)]
            done = acquire_many(port, more, slack(1), window=64, retry=0.5, ledger=ledger)
            clients += done
            _on_disk(s, done)
            if not done:
                refused += 1
                if refused == 2:
                    break
        else:
            raise AssertionError("the disk does not get full")
        # bound clients: an ACK that is on disk, or silence; never a NAK
        for c in clients[:10]:
            r = c.renew(timeout=0.2, tries=1)
            assert r is None or r.type == dhcp.ACK, "a NAK on a full disk"
        assert s.alive(), "the server ended on a full disk"
        assert s.command("status-get")["result"] == 0
        os.unlink(hog)
        clients.append(_served_again(port, 0x60 + round, 2))
        _on_disk(s, clients)
        assert clients[0].renew(tries=4).type == dhcp.ACK
    ledger.check()
    s.restart()
    _on_disk(s, clients)
    for c in clients[::40]:
        was = c.addr
        r = c.renew(tries=3)
        assert r and r.type == dhcp.ACK and r.yiaddr == was


@test(timeout=60)
def test_lease_file_that_refuses_writes(t):
    """The lease file can't be written any more (immutable), and then it can again."""
    directory = _ext4(t, 4)
    port = t.wire()
    s = t.server(start=False)
    s.lease_path = s.conf["lease-database"]["name"] = os.path.join(directory, "leases.csv")
    s.start()
    c = Client(port, mac_of(1))
    c.dora()
    sh("chattr", "+i", s.lease_path)
    try:
        late = Client(port, mac_of(2))
        late.offer()
        time.sleep(0.1)
        o = late.offer()
        if o:
            a = late.select(o, timeout=0.5, tries=1)
            if a and a.type == dhcp.ACK:
                _on_disk(s, [late])
        assert s.alive()
    finally:
        sh("chattr", "-i", s.lease_path)
    _served_again(port, 0x61, 2)
    _on_disk(s, [c])


@test(timeout=60, tags=("asan", "tsan"))
def test_clean_up_under_load_keeps_every_lease(t):
    """The lease file is rewritten every second while leases are made and renewed."""
    port = t.wire("10.64.0.1/12")
    s = t.server(subnets=BIG, start=False)
    s.conf["lease-database"]["lfc-interval"] = 1
    s.start()
    ledger = Ledger()
    clients, end, n = [], time.monotonic() + 6, 0
    while time.monotonic() < end:
        clients += acquire_many(port, [Client(port, mac_of(n + k)) for k in range(100)], slack(5), ledger=ledger)
        n += 100
        for c in clients[-5:]:
            assert c.renew(tries=3).type == dhcp.ACK
        # slow enough to see several clean-ups
        time.sleep(0.2)
    ledger.check()
    s.kill()
    _on_disk(s, clients)
    s.start(write=False)
    for c in clients[::50]:
        was = c.addr
        r = c.renew(tries=3)
        assert r and r.type == dhcp.ACK and r.yiaddr == was
    assert s.logged("LFC"), "no clean-up ran"
