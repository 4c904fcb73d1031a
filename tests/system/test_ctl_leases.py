# SPDX-License-Identifier: MPL-2.0
"""usherctl leases: all leases of a server into a file of Kea's form, and from such a file into a server."""

import json
import os
import subprocess

from lib.client import Client, mac_of
from lib.postgres import Cluster
from lib.runner import test
from lib.server import slack, subnet

_HEAD = "address,hwaddr,client_id,valid_lifetime,expire,subnet_id,fqdn_fwd,fqdn_rev,hostname,state,user_context,pool_id\n"


def _leases(t, s, *words):
    return subprocess.run([os.path.join(os.path.dirname(t.binary), "usherctl"), "-s", s.socket_path, "leases", *words], capture_output=True,
                          text=True, check=False, stdin=subprocess.DEVNULL, timeout=slack(60))


def _rows(path):
    """The rows of a lease file by address."""
    with open(path, encoding="utf-8") as f:
        lines = f.read().splitlines()
    assert lines[0] + "\n" == _HEAD
    return {line.split(",")[0]: line for line in lines[1:]}


@test(tags=("asan",))
def test_ctl_leases_are_copied_to_another_server(t):
    """Leases of clients, a declined one, one with a context and one without end: exported, imported into a server without
    leases, and exported again: the files are equal. A second import leaves all of them out, one that overwrites none."""
    port = t.wire()
    s = t.server(subnets=[subnet(pool="10.77.0.10 - 10.77.0.90", id=7)])
    for i in range(5):
        Client(port, mac_of(i, 0x33)).dora()
    s.ok("lease4-add", {"ip-address": "10.77.0.80", "hw-address": "", "state": 1, "subnet-id": 7})
    s.ok("lease4-add", {"ip-address": "10.77.0.81", "hw-address": "02:00:00:00:00:81", "client-id": "01:02", "valid-lft": 4294967295,
                        "hostname": "a,b.example", "fqdn-fwd": True, "user-context": {"a": "1, \u00e4", "b": [1]}})
    s.ok("lease4-add", {"ip-address": "10.77.0.82", "hw-address": "02:00:00:00:00:82", "state": 2})
    first, second = (os.path.join(s.dir, name) for name in ("first.csv", "second.csv"))
    done = _leases(t, s, "export", first)
    assert done.returncode == 0 and done.stdout == "8 leases written to %s\n" % first and not done.stderr, done
    rows = _rows(first)
    assert len(rows) == 8 and rows["10.77.0.81"].split(",")[8] == "a&#x2cb.example" and rows["10.77.0.80"].split(",")[1] == ""
    assert s.term() == 0
    os.remove(s.lease_path)
    s.start()
    done = _leases(t, s, "import", first)
    assert done.returncode == 0 and done.stdout == "8 leases imported from %s\n" % first, done
    assert _leases(t, s, "export", second).returncode == 0
    assert _rows(second) == rows
    done = _leases(t, s, "import", first)
    assert done.returncode == 4 and done.stdout.endswith("0 leases imported from %s, 8 left out\n" % first), done
    assert "10.77.0.80 was left out: lease already exists" in done.stderr, done
    done = _leases(t, s, "import", first, "overwrite=true")
    assert done.returncode == 0 and done.stdout == "8 leases imported from %s\n" % first, done


@test()
def test_ctl_leases_of_files_of_all_kinds(t):
    """An import takes the last row of an address and no deleted one; more leases than one request has; an incomplete last line
    is named and left out; leases of unknown subnets are listed. A file with a mistake changes nothing."""
    t.wire()
    s = t.server(subnets=[subnet("10.64.0.0/16", "10.64.0.1 - 10.64.200.255", id=1)])
    path = os.path.join(s.dir, "given.csv")
    with open(path, "w", encoding="ascii") as f:
        f.write(_HEAD)
        for n in (1, 2):  # a file that was not cleaned up
            for i in range(2600):
                f.write("10.64.%d.%d,02:00:00:00:%02x:%02x,,600,%d,1,0,0,,0,,0\n" % (i >> 8, i & 255, i >> 8, i & 255, 2000000000 + n))
        f.write("10.64.0.7,02:00:00:00:00:07,,0,2000000000,1,0,0,,0,,0\n")
        f.write("10.64.99.9,02:00:00:00:00:99,,600,2000000000,5,0,0,,0,,0\n10.64.0.8,02:0")
    done = _leases(t, s, "import", path)
    assert done.returncode == 4 and done.stdout == "2599 leases imported from %s, 1 left out\n" % path, done
    assert "given.csv:5204: the last line is incomplete" in done.stderr and "10.64.99.9 was left out: Invalid subnet-id" in done.stderr, done
    assert s.ok("lease4-get", {"ip-address": "10.64.0.9"})["cltt"] == 2000000002 - 600
    assert s.command("lease4-get", {"ip-address": "10.64.0.7"})["result"] == 3
    with open(path, "w", encoding="ascii") as f:
        f.write(_HEAD + "10.64.0.7,02:00:00:00:00:07,,600,2000000000,1,0,0,,0,,0\n10.64.0.8,xx,,600,2000000000,1,0,0,,0,,0\n")
    done = _leases(t, s, "import", path)
    assert done.returncode == 1 and "given.csv:3: " in done.stderr and not done.stdout, done
    assert s.command("lease4-get", {"ip-address": "10.64.0.7"})["result"] == 3
    with open(path, "w", encoding="ascii") as f:
        f.write("a,b\n")
    done = _leases(t, s, "import", path)
    assert done.returncode == 1 and "given.csv:1: this is no DHCPv4 lease file" in done.stderr, done
    done = _leases(t, s, "export", path)
    assert done.returncode == 1 and "it exists; choose a new name" in done.stderr, done
    with open(path, encoding="ascii") as f:
        assert f.read() == "a,b\n"
    assert _leases(t, s, "import", path + ".none").returncode == 1
    done = _leases(t, s, "import", "/dev/null")
    assert done.returncode == 1 and "it is no regular file" in done.stderr, done
    assert _leases(t, s, "copy", path).returncode == 2 and _leases(t, s, "import", path, "force=1").returncode == 2
    assert s.term() == 0
    done = _leases(t, s, "export", path + ".2")
    assert done.returncode == 1 and not os.path.exists(path + ".2"), done


@test()
def test_bulk_apply(t):
    """lease4-bulk-apply deletes, adds and replaces; leases that fail are in the answer; a mistake in one lease refuses all."""
    t.wire()
    s = t.server(subnets=[subnet(pool="10.77.0.10 - 10.77.0.90", id=7)])

    def lease(n, **more):
        return dict({"ip-address": "10.77.0.%d" % n, "hw-address": "02:00:00:00:00:%02x" % n}, **more)

    r = s.command("lease4-bulk-apply", {"leases": [lease(10), lease(11), lease(12)]})
    assert r == {"result": 0, "text": "Bulk apply of 3 IPv4 leases completed."}, r
    r = s.command("lease4-bulk-apply", {"deleted-leases": [lease(10), lease(20)], "leases": [lease(11, hostname="new"), lease(13)]})
    assert r["result"] == 0 and r["text"] == "Bulk apply of 3 IPv4 leases completed.", r
    assert r["arguments"] == {"failed-deleted-leases": [{"error-message": "lease not found", "ip-address": "10.77.0.20", "result": 3}]}, r
    assert s.ok("lease4-get", {"ip-address": "10.77.0.11"})["hostname"] == "new"
    assert s.command("lease4-get", {"ip-address": "10.77.0.10"})["result"] == 3
    r = s.command("lease4-bulk-apply", {"leases": [lease(11), lease(14, **{"subnet-id": 8}), lease(15)], "overwrite": False})
    assert [f["ip-address"] for f in r["arguments"]["failed-leases"]] == ["10.77.0.14", "10.77.0.11"], r
    assert s.command("lease4-get", {"ip-address": "10.77.0.15"})["result"] == 0
    assert s.ok("lease4-get", {"ip-address": "10.77.0.11"})["hostname"] == "new"
    for args, text in (({"leases": [lease(16), lease(17, state=9)]}, "leases[1]: Invalid state value: 9"),
                       ({"leases": [lease(16), 4]}, "leases[1]: missing parameter 'ip-address'"),
                       ({"leases": {}}, "'leases' parameter must be a list"),
                       ({"leases": [lease(16)], "deleted-leases": [{}]}, "deleted-leases[0]: 'ip-address' must be an IPv4 address"),
                       ({"leases": [lease(16)], "overwrite": 1}, "'overwrite' parameter must be a boolean"),
                       ({"leases": [lease(16)] * 10001}, "more than 10000 leases in one command"),
                       ({}, "neither 'deleted-leases' nor 'leases' parameter specified")):
        r = s.command("lease4-bulk-apply", args)
        assert r["result"] == 1 and r["text"].startswith(text), (args, r)
    assert s.command("lease4-get", {"ip-address": "10.77.0.16"})["result"] == 3
    assert s.command("lease4-bulk-apply", {"leases": []})["result"] == 3


def _kea_admin(pg, command, *args):
    r = subprocess.run(["kea-admin", command, "pgsql", "-4", "-h", pg.socket_dir, "-u", "kea", "-p", "secret", "-n", "kea", *args], check=False,
                       stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=slack(60))
    assert r.returncode == 0, r.stdout + r.stderr
    return r


def _common(path):
    """Rows of a lease file by address, without pool_id, which Kea 2.2 lacks."""
    with open(path, encoding="utf-8") as f:
        lines = f.read().splitlines()
    return {line.split(",")[0]: line.split(",")[:11] for line in lines[1:]}


def _stored(pg):
    """The rows of lease4; Kea's functions write contexts with other blanks."""
    return [(*row[:-1], row[-1] and json.loads(row[-1])) for row in pg.sql("SELECT * FROM lease4 ORDER BY address")]


@test(timeout=60)
def test_ctl_leases_and_kea_admin(t):
    """Leases in PostgreSQL: the file of usherctl has the rows of `kea-admin lease-dump`, a server with a lease file imports that
    dump, and `kea-admin lease-upload` takes the file of usherctl, with equal rows in the database."""
    port, pg, other = t.wire(), Cluster(t.lab), Cluster(t.lab, "other")
    s = t.server(subnets=[subnet(pool="10.77.0.10 - 10.77.0.90", id=7)], **{"lease-database": pg.keys()})
    for i in range(8):
        Client(port, mac_of(i, 0x33), cid=b"\x01" + mac_of(i) if i % 2 else None).dora()
    s.ok("lease4-add", {"ip-address": "10.77.0.80", "hw-address": "", "state": 1, "subnet-id": 7})
    s.ok("lease4-add", {"ip-address": "10.77.0.81", "hw-address": "02:00:00:00:00:81", "hostname": "some.example.org", "fqdn-fwd": True,
                        "user-context": {"a": "1, b", "c": [1]}})
    ours, keas, back = (os.path.join(s.dir, name) for name in ("ours.csv", "keas.csv", "back.csv"))
    assert _leases(t, s, "export", ours).returncode == 0
    _kea_admin(pg, "lease-dump", "-o", keas)
    assert _common(ours) == _common(keas) and len(_common(ours)) == 10
    _kea_admin(other, "lease-upload", "-i", ours)
    assert _stored(other) == _stored(pg)
    assert s.term() == 0
    s.conf["lease-database"] = {"type": "memfile", "name": s.lease_path}
    s.start()
    done = _leases(t, s, "import", keas)
    assert done.returncode == 0 and done.stdout == "10 leases imported from %s\n" % keas, done
    assert _leases(t, s, "export", back).returncode == 0
    assert _common(back) == _common(ours)
