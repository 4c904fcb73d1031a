# SPDX-License-Identifier: MPL-2.0
"""The hook library host_cache in the program: its files, and commands while packets come."""

import json
import os
import stat
import threading
import time

from lib.client import Client, Load, mac_of
from lib.runner import test
from lib.server import slack, subnet

LIBRARIES = [{"library": "libdhcp_host_cache.so"}]


def _entry(n, addr=None, **more):
    e = {"hw-address": mac_of(n).hex(":"), "subnet-id4": 1, "subnet-id6": 0}
    if addr:
        e["ip-address"] = addr
    return dict(e, **more)


def _size(s):
    return s.ok("cache-size")["size"]


@test(timeout=60, tags=("asan", "tsan"))
def test_host_cache_files(t):
    """cache-write and cache-load: all entries outlive the server, with their options; a file with a mistake changes nothing, and
    files of others stay as they are."""
    port = t.wire()
    s = t.server(**{"hooks-libraries": LIBRARIES})
    path = os.path.join(s.dir, "cache.json")
    s.ok("cache-insert", [
        _entry(1, "10.77.0.201", hostname="one", **{"option-data4": [{"name": "domain-name", "data": "one.example"}]}),
        _entry(2, "10.77.0.202", **{"client-classes4": ["x"], "user-context": {"a": [1, {"b": "ü"}]}}),
        _entry(3, negative=True)])
    assert s.command("cache-write", path) == {"result": 0, "text": "3 entries dumped to '%s'." % path}
    assert stat.S_IMODE(os.stat(path).st_mode) & ~0o640 == 0
    before = s.command("cache-get")["arguments"]
    with open(path, encoding="utf-8") as f:
        assert json.load(f) == before
    assert s.command("cache-write", "cache.json")["result"] == 0, "a name alone, and a file of its own again"
    s.term()
    s.start(write=False)
    assert _size(s) == 0
    assert s.command("cache-load", "cache.json")["text"] == \
        "3 entries loaded from '%s' (0 overwritten by more recent entries)." % path
    assert s.command("cache-get")["arguments"] == before
    assert "(3 overwritten" in s.command("cache-load", path)["text"]
    c = Client(port, mac_of(1))
    assert c.dora() and c.addr == "10.77.0.201", c.addr
    for text, where in (("[", ":1:2: "), ("{}", ":1:1: a list"), ("[\n{\"duid\":\"01\"},\n {\"a\":1}]", ":3:2: no identifier"),
                        ("[{\"duid\":\"01\"}, {\"duid\":\"0102\", \"ip-address\":\"x\"}]", ":1:46: 'ip-address'"), ("", ":1:1: ")):
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        r = s.command("cache-load", path)
        assert r["result"] == 1 and r["text"].startswith(path + where), (text, r)
    assert s.command("cache-get")["arguments"][0]["hw-address"] == mac_of(2).hex(":") and _size(s) == 3
    with open(s.lease_path, encoding="utf-8") as f:
        leases = f.read()
    assert leases
    os.symlink(s.lease_path, os.path.join(s.dir, "link"))
    os.mkfifo(os.path.join(s.dir, "fifo"))
    for name in ("leases.csv", "link", "fifo", "absent/x", "/etc/passwd", "../x", ".hidden", "a\nb", s.dir):
        assert s.command("cache-write", name)["result"] == 1, name
        assert s.command("cache-load", name)["result"] == 1, name
    with open(s.lease_path, encoding="utf-8") as f:
        assert f.read().startswith(leases)
    assert "No such file" in s.command("cache-load", "none.json")["text"]


@test(timeout=90, tags=("asan", "tsan"))
def test_host_cache_commands_under_load(t):
    """Entries come and go while packets use them: every client gets its address, reserved ones where they are asked for, and
    no reserved address goes to another client."""
    port = t.wire("10.77.0.1/16")
    s = t.server(subnets=[subnet("10.77.0.0/16", "10.77.1.0 - 10.77.60.255")],
                 **{"hooks-libraries": [{"library": "libdhcp_host_cache.so", "parameters": {"maximum": 400}}]})
    fixed = {n: "10.77.1.%d" % n for n in range(1, 51)}
    keep = [_entry(n, addr) for n, addr in fixed.items()]
    s.ok("cache-insert", keep)
    load = Load(port, block=7, window=8, rate=200, limit=1500)
    stop = threading.Event()
    faults = []

    def churn():
        i = 0
        try:
            while not stop.is_set():
                i += 1
                some = [_entry(1000 + (i * 20 + k) % 3000, "10.77.2.%d" % ((i * 20 + k) % 250 + 1)) for k in range(20)]
                for name, args in (("cache-insert", some), ("cache-get-by-id", {"hw-address": some[3]["hw-address"]}),
                                   ("cache-write", "c.json"), ("cache-remove", {"subnet-id4": 1, "hw-address": some[5]["hw-address"]}),
                                   ("cache-insert", keep)):
                    r = s.command(name, args)
                    assert r["result"] == 0, (name, r)
        except Exception as e:
            faults.append(e)
    worker = threading.Thread(target=churn)
    worker.start()
    load.start()
    time.sleep(5)
    load.end()
    for n, addr in fixed.items():
        c = Client(port, mac_of(n))
        assert c.dora(timeout=slack(3)) and c.addr == addr, (n, c.addr)
    stop.set()
    worker.join()
    assert not faults, faults
    assert len(load.acked) > 50
    taken = {c.addr for c in load.acked} & set(fixed.values())
    assert not taken, taken
    assert _size(s) <= 400
