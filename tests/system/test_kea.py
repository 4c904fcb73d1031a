# SPDX-License-Identifier: MPL-2.0
"""Changing over and back: Debian's kea-dhcp4 takes over the lease file and the configuration of
usher-server, clients renew with it, and usher-server takes them back. Rows that either wrote
before it was killed are kept by the other."""

import shutil
import time

from lib import dhcp
from lib.client import Client, mac_of
from lib.netns import wait_for
from lib.runner import test
from lib.server import slack

KEA = shutil.which("kea-dhcp4", path="/usr/sbin:/sbin:/usr/bin") or "/usr/sbin/kea-dhcp4"


def _renew_all(clients, who):
    for c in clients:
        was = c.addr
        r = c.renew(tries=3)
        assert r and r.type == dhcp.ACK and r.yiaddr == was, "%s: renewal of %s: %r" % (who, was, r)


@test(timeout=90)
def test_KEA_takes_over_and_gives_back(t):
    port = t.wire()
    s = t.server()
    usher, clients = s.binary, []
    for n in range(20):
        c = Client(port, mac_of(n), cid=b"\x01" + mac_of(n) if n % 2 else None,
                   options=[(dhcp.HOSTNAME, b"host-%d" % n)] if n % 3 else ())
        c.dora()
        clients.append(c)
    gone = clients.pop()
    gone.release()
    bad = clients.pop()
    bad.decline()
    wait_for("release and decline", lambda: s.leases()[bad.addr]["state"] == "1" and not s.active(gone.addr, gone.mac),
             slack(3))
    before = s.leases()
    assert s.term() == 0

    s.binary = KEA
    s.start(write=False)
    # counted from the file at the start: Kea 2 counts a declined address as assigned, too
    assert s.stat("subnet[1].assigned-addresses") in (len(clients), len(clients) + 1), "Kea read %s leases of %d" % (
        s.stat("subnet[1].assigned-addresses"), len(clients))
    assert s.stat("subnet[1].declined-addresses") == 1, "Kea read no declined address"
    _renew_all(clients, "Kea with our lease file")
    assert "DHCPSRV_MEMFILE_LEASE_LOAD_ROW_ERROR" not in s.log(), "Kea cannot read a row: " + s.tail()
    taken = {c.addr for c in clients} | {bad.addr}
    new = [Client(port, mac_of(n, 0x41)) for n in range(10)]
    for c in new:
        assert c.dora().yiaddr not in taken, "Kea gives away %s, which we leased or which was declined" % c.addr
    clients += new
    s.term()

    s.binary = usher
    s.start(write=False)
    assert s.stat("subnet[1].assigned-addresses") in (len(clients), len(clients) + 1), "read %s leases of %d" % (
        s.stat("subnet[1].assigned-addresses"), len(clients))
    _renew_all(clients, "usher-server with Kea's lease file")
    assert "ROW_ERROR" not in s.log()
    after = s.leases()
    for a, row in before.items():
        if row["state"] == "1":
            assert after[a]["state"] == "1", "the declined %s came back changed: %r" % (a, after[a])
    late = Client(port, mac_of(99, 0x42))
    assert late.dora().yiaddr not in {c.addr for c in clients} | {bad.addr}
    for c in clients:
        r = s.command("lease4-get", {"ip-address": c.addr})
        assert r["result"] == 0 and r["arguments"]["hw-address"] == c.mac.hex(":")


@test(timeout=60)
def test_KEA_lease_file_of_a_killed_kea(t):
    """Both are killed in turn; the other continues with the file as it lies there."""
    port = t.wire()
    s = t.server(start=False)
    usher, clients = s.binary, []
    for round in range(4):
        s.binary = (KEA, usher)[round % 2]
        s.start()
        time.sleep(0.2)
        _renew_all(clients, "%s in round %d" % (s.binary.rsplit("/", 1)[-1], round))
        for n in range(5):
            c = Client(port, mac_of(n, 0x50 + round))
            c.dora()
            assert c.addr not in {x.addr for x in clients}, "%s was given twice" % c.addr
            clients.append(c)
        s.kill()


@test()
def test_KEA_clean_up_files_are_read(t):
    """Files that Kea's clean-up left in each of its stages are taken into account in its order."""
    port = t.wire()
    s = t.server()
    clients = [Client(port, mac_of(n)) for n in range(6)]
    for c in clients:
        c.dora()
    assert s.term() == 0
    with open(s.lease_path, encoding="utf-8") as f:
        lines = f.read().splitlines()
    header, rows = lines[0], lines[1:]

    def write(suffix, some):
        with open(s.lease_path + suffix, "w", encoding="utf-8") as f:
            f.write("\n".join([header, *some]) + "\n")
    write(".2", rows[0:2])
    write(".1", rows[2:4])
    write("", rows[4:])
    s.start(write=False)
    _renew_all(clients, "leases in .2, .1 and the file")
