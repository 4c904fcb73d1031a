# SPDX-License-Identifier: MPL-2.0
"""The hook library user_chk with real files: a registry that changes while the server runs, outcomes under load, on a full disk
and over kill -9, Kea's default paths, and files of others, which are refused."""

import os
import subprocess
import time

from lib.client import Client, acquire_many, mac_of
from lib.netns import sh, wait_for
from lib.runner import test
from lib.server import slack, subnet

SUBNETS = [subnet("10.76.0.0/15", "10.76.1.0 - 10.76.60.255", id=1), subnet("10.99.0.0/16", "10.99.1.0 - 10.99.60.255", id=2)]


def _library(**parameters):
    return {"hooks-libraries": [{"library": "libdhcp_user_chk.so", "parameters": parameters}]}


def _register(path, macs, mode="w", **properties):
    more = "".join(', "%s": "%s"' % p for p in properties.items())
    with open(path, mode, encoding="utf-8") as f:
        for mac in macs:
            f.write('{ "type": "HW_ADDR", "id": "%s"%s }\n' % (mac.hex(":"), more))


def _outcomes(path):
    """The outcomes in a file: (client, address, registered); every one is whole."""
    out = []
    try:
        with open(path, encoding="utf-8") as f:
            records = f.read().split("\n\n")
    except FileNotFoundError:
        return out
    assert records.pop() == "" or not records, "the last outcome has no end"
    for r in records:
        v = dict(line.split("=", 1) for line in r.split("\n"))
        assert list(v) == ["id_type", "client", "addr", "registered"] and v["id_type"] == "HW_ADDR", r
        assert v["client"].startswith("hwtype=1 ") and v["registered"] in ("yes", "no"), r
        out.append((v["client"][9:], v["addr"], v["registered"] == "yes"))
    return out


def _in(client, net):
    return client.addr.startswith(net)


@test(timeout=60, tags=("asan", "tsan"))
def test_user_chk_registry_changes(t):
    """A change of the registry is in effect within a second or so: a write in place, another file by rename. A mistake, and a
    registry that vanishes, leave the users as they were, with one report each."""
    port = t.wire("10.77.0.1/15")
    registry, outcome = t.lab.path("registry"), t.lab.path("outcome")
    a, b, c = (mac_of(n) for n in range(1, 4))
    _register(registry, [a])
    s = t.server(subnets=SUBNETS, **_library(registry=registry, outcome=outcome))
    first = Client(port, a)
    assert first.dora() and _in(first, "10.76.")
    guest = Client(port, b)
    assert guest.dora() and _in(guest, "10.99.")

    def net_of(mac):
        o = Client(port, mac).offer()
        return o.yiaddr[:6] if o else None
    _register(registry, [b], mode="a")
    wait_for("the new user", lambda: net_of(b) == "10.76.", slack(10))
    _register(registry + ".new", [c])
    os.rename(registry + ".new", registry)
    wait_for("the other file", lambda: net_of(c) == "10.76.", slack(10))
    assert net_of(a) == net_of(b) == "10.99."
    with open(registry, "a", encoding="utf-8") as f:
        f.write("{ \"type\": \"HW_ADDR\",\n")
    wait_for("the report", lambda: "USHER_USER_CHK_REGISTRY_FAIL %s:2:" % registry in s.log(), slack(10))
    assert net_of(c) == "10.76." and net_of(a) == "10.99."
    os.unlink(registry)
    wait_for("the second report", lambda: s.log().count("USHER_USER_CHK_REGISTRY_FAIL") == 2, slack(10))
    time.sleep(2.2)
    assert s.log().count("USHER_USER_CHK_REGISTRY_FAIL") == 2, "a report for each look"
    assert net_of(c) == "10.76." and net_of(a) == "10.99."
    # a configuration without a registry is refused, and the one in force stays
    r = s.command("config-reload")
    assert r["result"] == 1 and registry in r["text"] and "No such file" in r["text"], r
    _register(registry, [a, b, c])
    wait_for("the registry", lambda: net_of(a) == "10.76.", slack(10))
    assert s.ok("status-get")["hook-failures"] == 0


@test(timeout=90, tags=("asan", "tsan"))
def test_user_chk_outcomes(t):
    """The outcomes of many clients, with several workers: each answer has a whole one. A full disk holds them, not the clients;
    a file that was moved away is made anew; kill -9 loses no more than the last ones."""
    port = t.wire("10.77.0.1/15")
    disk, registry = t.lab.tmpfs("disk", "256k"), t.lab.path("registry")
    outcome = os.path.join(disk, "outcome")
    known = [mac_of(n) for n in range(0, 200, 2)]
    _register(registry, known)
    s = t.server(subnets=SUBNETS, **_library(registry=registry, outcome=outcome))
    clients = acquire_many(port, [Client(port, mac_of(n)) for n in range(200)], slack(20), retry=3)
    assert len(clients) == 200
    for c in clients:
        assert _in(c, "10.76." if c.mac in known else "10.99."), (c.mac.hex(":"), c.addr)
    want = {(c.mac.hex(":"), c.addr, c.mac in known) for c in clients}
    wait_for("the outcomes", lambda: len(_outcomes(outcome)) >= 400, slack(10))
    assert set(_outcomes(outcome)) == want
    hog = os.path.join(disk, "hog")
    with open(hog, "wb", buffering=0) as f:
        for size in (4096, 1):
            try:
                while True:
                    f.write(bytes(size))
            except OSError:
                pass
    more = acquire_many(port, [Client(port, mac_of(n, 0x20)) for n in range(100)], slack(20), retry=3)
    assert len(more) == 100, "%d of 100 clients are served on a full disk" % len(more)
    wait_for("the report", lambda: "No space left on device; the outcomes wait" in s.log(), slack(10))
    os.unlink(hog)
    wait_for("the end of the outage", lambda: "USHER_USER_CHK_OUTCOME_BACK" in s.log(), slack(10))
    wait_for("all outcomes", lambda: len(_outcomes(outcome)) >= 600, slack(10))
    assert set(_outcomes(outcome)) == want | {(c.mac.hex(":"), c.addr, False) for c in more}
    assert s.ok("status-get")["hook-lost"] == 0
    os.rename(outcome, outcome + ".1")
    time.sleep(1.5)
    assert clients[0].renew()
    wait_for("the new file", lambda: len(_outcomes(outcome)) == 1, slack(10))
    assert len(_outcomes(outcome + ".1")) >= 600
    s.kill()
    with open(outcome, "a", encoding="utf-8") as f:
        f.write("id_type=HW_")
    s.start()
    assert clients[0].renew()

    def ended():
        with open(outcome, encoding="utf-8") as f:
            return f.read().endswith("\nid_type=HW_\nid_type=HW_ADDR\nclient=hwtype=1 %s\naddr=%s\nregistered=%s\n\n" % (
                clients[0].mac.hex(":"), clients[0].addr, "yes" if clients[0].mac in known else "no"))
    wait_for("the outcome behind the torn one", ended, slack(10))


@test(timeout=40, tags=("asan",))
def test_user_chk_default_files(t):
    """Without parameters the files are Kea's, below /tmp; links, and files of strangers, are refused there."""
    port = t.wire("10.77.0.1/15")
    tmp = t.lab.path("tmp")
    here = os.path.join(tmp, os.path.basename(t.lab.dir))
    os.makedirs(here)
    # a /tmp of its own, in which the directory of this test is
    wrap = ["unshare", "--mount", "--propagation", "private", "sh", "-c",
            "mount --bind %s %s && mount --rbind %s /tmp && exec \"$@\"" % (t.lab.dir, here, tmp), "sh"]
    registry, outcome = os.path.join(tmp, "user_chk_registry.txt"), os.path.join(tmp, "user_chk_outcome.txt")
    s = t.server(subnets=SUBNETS, start=False, **{"hooks-libraries": [{"library": "libdhcp_user_chk.so"}]})
    s.write_conf()

    def test_words():
        p = subprocess.run([*wrap, t.binary, "-t", s.conf_path], capture_output=True, text=True, check=False)
        return p.returncode, p.stdout + p.stderr
    code, words = test_words()
    assert code == 1 and "/tmp/user_chk_registry.txt: No such file" in words, words
    _register(registry, [mac_of(1)])
    assert test_words()[0] == 0 and not os.path.exists(outcome), "a test makes files"
    os.chown(registry, 65534, 65534)
    code, words = test_words()
    assert code == 1 and "must belong to root or the server's user" in words, words
    os.chown(registry, 0, 0)
    os.symlink(s.conf_path, outcome)
    code, words = test_words()
    assert code == 1 and "/tmp/user_chk_outcome.txt: a regular file" in words, words
    os.unlink(outcome)
    s.start(wrap=wrap)
    assert Client(port, mac_of(1)).dora()
    wait_for("the outcomes", lambda: len(_outcomes(outcome)) == 2, slack(10))
    assert os.stat(outcome).st_mode & 0o777 == 0o640
    # a link that appears while the server runs is not followed
    os.unlink(outcome)
    victim = t.lab.path("victim")
    os.symlink(victim, outcome)
    time.sleep(1.5)
    assert Client(port, mac_of(2)).dora()
    wait_for("the report", lambda: "USHER_USER_CHK_OUTCOME_FAIL" in s.log(), slack(10))
    assert not os.path.exists(victim)
    sh("rm", outcome)
    wait_for("the outcomes that waited", lambda: len(_outcomes(outcome)) == 2, slack(10))
