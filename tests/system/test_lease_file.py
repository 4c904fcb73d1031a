# SPDX-License-Identifier: MPL-2.0
"""Lease files that are not lease files, that others change, that have several names: no octet of the disk and no
acknowledged lease is lost (kinds A and H of the faults that real hosts found)."""

import os
import shutil
import signal
import time

from lib.client import Client, mac_of
from lib.netns import wait_for
from lib.runner import test
from lib.server import slack

HEADER = b"address,hwaddr,client_id,valid_lifetime,expire,subnet_id,fqdn_fwd,fqdn_rev,hostname,state,user_context,pool_id\n"
HEADER6 = (b"address,duid,valid_lifetime,expire,subnet_id,pref_lifetime,lease_type,iaid,prefix_len,fqdn_fwd,fqdn_rev,hostname,"
           b"hwaddr,state,user_context,hwtype,hwaddr_source,pool_id\n")


def _row(n, name=b""):
    return b"10.77.0.%d,02:10:00:00:07:%02x,,3600,%d,1,0,0,%s,0,,0\n" % (n, n, time.time() + 3600, name)


FOREIGN = {
    "dhcpv6": HEADER6 + b"2001:db8::1,01:02:03:04,3600,%d,1,1800,0,7,128,0,0,,,0,,,,0\n" % (time.time() + 3600),
    "text": b"Dear colleagues,\nthe printer on the third floor is out of paper.\n" * 40,
    "damaged-header": HEADER.replace(b"hwaddr", b"hw?ddr") + _row(50) + _row(51),
    "isc-dhcpd": b"lease 10.77.0.50 {\n  starts 2 2026/12/01 10:00:00;\n  binding state active;\n}\n" * 20,
    "binary": bytes(range(256)) * 16,
    "utf-16": ("Dear colleagues,\nthe printer is out of paper.\n" * 40).encode("utf-16-be"),
    "zeroes-and-text": b"\0" * 512 + b"The quick brown fox.\nJumps.\n" * 40,
    "zeroes-and-binary": b"\0" * 512 + bytes(range(256)) * 16,
    "json": b'{"Dhcp4": {"valid-lifetime": 4000}}\n',
    "no-newline": b"x" * 5000,
}


def _contents(directory):
    """The octets of every file of the directory, locks apart."""
    out = {}
    for name in os.listdir(directory):
        path = os.path.join(directory, name)
        if os.path.isfile(path) and not name.endswith(".lock"):
            with open(path, "rb") as f:
                out[name] = f.read()
    return out


@test(cases={"live": "", "1": ".1", "2": ".2", "completed": ".completed"})
def test_A1_a_file_that_is_not_a_lease_file_is_untouched(t, suffix):
    """The start is refused, the log names the file, and every octet stays where it was."""
    t.wire()
    s = t.server(start=False)
    for kind, text in FOREIGN.items():
        path = s.lease_path + suffix
        with open(path, "wb") as f:
            f.write(text)
        s.start(wait=False)
        wait_for("the end of a start from a file of kind " + kind, lambda: not s.alive(), slack(10))
        assert s.proc.returncode == 1, kind
        with open(path, "rb") as f:
            assert f.read() == text, "%s was changed" % kind
        assert s.lease_path in s.log().splitlines()[-1], "%s: %s" % (kind, s.log())
        os.unlink(path)


@test()
def test_A2_rows_that_cannot_be_read_are_kept(t):
    """Good rows are leases, bad rows are in a file of their own with their line numbers, and a clean-up changes nothing of that."""
    t.wire()
    s = t.server(start=False)
    bad = [_row(100 + n, b"a,b") for n in range(20)] + [b"rubbish\n", b"\xff\xfe,\n", b"10.77.0.300,,,,,,,,,,,\n", b"," * 400 + b"\n"]
    with open(s.lease_path, "wb") as f:
        f.write(HEADER + _row(50) + b"".join(bad) + _row(51))
    s.conf["lease-database"]["max-row-errors"] = 0
    s.start()
    for again in range(2):
        leases = s.ok("lease4-get-all")["leases"]
        assert sorted(r["ip-address"] for r in leases) == ["10.77.0.50", "10.77.0.51"], leases
        held = b"".join(_contents(s.dir).values())
        assert all(row in held for row in bad), "rows are gone"
        store = s.ok("status-get")["lease-store"]
        assert again or store["rejected-rows"] == len(bad), store
        s.restart()


def _mv(path):
    os.rename(path, path + ".old")


def _copy_over(path):
    """An editor or `sed -i`: a new file with the contents of a moment ago is renamed over it."""
    shutil.copyfile(path, path + ".new")
    os.rename(path + ".new", path)


def _restore(path):
    with open(path + ".new", "wb") as f:
        f.write(HEADER + _row(240))
    os.rename(path + ".new", path)


def _move_directory(path):
    d = os.path.dirname(path)
    os.rename(d, d + ".old")
    os.mkdir(d)


MEDDLING = {"mv": _mv, "rm": os.unlink, "truncate": lambda p: os.truncate(p, 0), "half": lambda p: os.truncate(p, os.path.getsize(p) // 2),
            "copy-over": _copy_over, "restore": _restore, "directory": _move_directory}


@test(cases={name: name for name in MEDDLING}, timeout=40)
def test_H2_a_lease_file_that_others_change(t, how):
    """After each change of the file: each lease that was acknowledged before or afterwards is read at the start after a
    kill -9."""
    port = t.wire()
    s = t.server(start=False)
    os.mkdir(os.path.join(s.dir, "data"))
    path = s.lease_path = os.path.join(s.dir, "data", "leases.csv")
    s.conf["lease-database"]["name"] = path
    s.start()
    before = [Client(port, mac_of(n)) for n in range(10)]
    for c in before:
        c.dora()
    MEDDLING[how](path)
    after = [Client(port, mac_of(n)) for n in range(10, 15)]
    for c in after:
        wait_for("an address", lambda: (o := c.offer(timeout=0.5, tries=1)) and (a := c.select(o, 0.5, 1)) and a.yiaddr == c.addr, slack(5))
    s.kill()
    s.start(write=False)
    have = {r["ip-address"]: r["hw-address"] for r in s.ok("lease4-get-all")["leases"]}
    for c in before + after:
        assert have.get(c.addr) == c.mac.hex(":"), "the lease of %s is lost after %s" % (c.addr, how)


@test(cases={"symbolic": "symbolic", "hard": "hard"})
def test_H3_a_lease_file_with_a_link(t, kind):
    """A symbolic link stays one and its target has the leases after a clean-up; a hard link keeps its octets or its leases."""
    port = t.wire()
    s = t.server(start=False)
    other = os.path.join(s.dir, "elsewhere")
    os.mkdir(other)
    target = os.path.join(other, "real.csv")
    rows = HEADER + b"".join(_row(n) for n in range(200, 230))
    with open(target, "wb") as f:
        f.write(rows)
    (os.symlink if kind == "symbolic" else os.link)(target, s.lease_path)
    s.start()
    c = Client(port, mac_of(1))
    c.dora()
    c.renew()
    s.ok("kea-lfc-start")
    wait_for("a clean-up", lambda: "LFC_COMPLETE" in s.log(), slack(15))
    s.kill()
    text = b"".join(_contents(other).values())
    if kind == "symbolic":
        assert os.path.islink(s.lease_path), "the link was replaced"
    assert all(b"10.77.0.%d," % n in text for n in range(200, 230)), "%d octets are left beside the target" % len(text)
    s.start(write=False)
    assert len(s.ok("lease4-get-all")["leases"]) == 31


@test(cases={name: name for name in ("symbolic", "hard", "lock-removed", "lock-directory")}, timeout=40)
def test_H4_two_servers_on_one_file(t, how):
    """The second server does not start, under any name of the file, and the first loses nothing."""
    port = t.wire()
    s = t.server()
    c = Client(port, mac_of(1))
    c.dora()
    u = t.server(ns=t.lab.ns("second"), name="second", interfaces=[], start=False)
    if how == "symbolic":
        os.symlink(s.lease_path, u.lease_path)
    elif how == "hard":
        os.link(s.lease_path, u.lease_path)
    else:
        lock = s.lease_path + ".lock"
        os.unlink(lock)
        if how == "lock-directory":
            os.mkdir(lock)
        u.conf["lease-database"]["name"] = s.lease_path
    u.start(wait=False)
    try:
        assert u.proc.wait(slack(10)) == 1
    finally:
        if u.alive():
            u.proc.send_signal(signal.SIGKILL)
    others = [Client(port, mac_of(n)) for n in range(2, 6)]
    for o in others:
        o.dora()
    s.kill()
    if how == "lock-directory":
        os.rmdir(lock)
    s.start(write=False)
    have = {r["ip-address"] for r in s.ok("lease4-get-all")["leases"]}
    assert have == {o.addr for o in [c, *others]}
