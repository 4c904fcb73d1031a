# SPDX-License-Identifier: MPL-2.0
"""The hook library radius against a RADIUS server: accepted and rejected clients, addresses and pools, servers that hang or lie,
servers in turn."""

import json
import os
import sys
import time

from lib.client import Client, acquire_many, mac_of
from lib.netns import wait_for
from lib.runner import test
from lib.server import slack, subnet

SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib", "radius_server.py")
SECRET = "a shared secret"
NAS_PORT, FRAMED_IP, CALLING, POOL = 5, 8, 31, 88


class Radius:
    """A RADIUS server in the server's namespace."""

    def __init__(self, t, ns, port=1812, users=None, name="radius"):
        self.users_path, self.log_path = t.lab.path(name + ".users"), t.lab.path(name + ".log")
        self.set_users(users or {})
        self.proc = t.lab.popen(ns, [sys.executable, SCRIPT, str(port), SECRET, self.users_path, self.log_path])
        wait_for("the RADIUS server", lambda: os.path.exists(self.log_path) and self.lines(), slack(10))

    def set_users(self, users):
        with open(self.users_path + ".new", "w", encoding="utf-8") as f:
            json.dump(users, f)
        os.rename(self.users_path + ".new", self.users_path)

    def lines(self):
        with open(self.log_path, encoding="utf-8") as f:
            return f.read().splitlines()

    def requests(self):
        return [json.loads(line) for line in self.lines()[1:]]


def _mac(n):
    return mac_of(n).hex(":")


def _ip(text):
    return bytes(int(o) for o in text.split(".")).hex()


def _libraries(ports=(1812,), **more):
    access = {"servers": [{"name": "127.0.0.1", "port": p, "secret": SECRET} for p in ports]}
    access.update(more.pop("access", {}))
    params = dict({"identifier-type4": "hw-address", "timeout": 1, "retries": 1, "access": access}, **more)
    return {"hooks-libraries": [{"library": "libdhcp_host_cache.so"}, {"library": "libdhcp_radius.so", "parameters": params}]}


@test(timeout=60, tags=("asan", "tsan"))
def test_radius_answers(t):
    """An address of the server, a pool, the last of two pools, neither, a rejected client; each answer is kept in the cache."""
    port = t.wire("10.77.0.1/16")
    dictionary = t.lab.path("dictionary")
    with open(dictionary, "w", encoding="utf-8") as f:
        f.write("# ours\nATTRIBUTE Own 200 integer\nVALUE Own Two 2\n"
                "VENDOR Test 311\nBEGIN-VENDOR Test\nATTRIBUTE\tTest-Text\t9\tstring\nEND-VENDOR Test\n")
    s = t.server(start=False, subnets=[subnet("10.77.0.0/16", None, pools=[
        {"pool": "10.77.2.0 - 10.77.2.99", "client-classes": ["gold"]}, {"pool": "10.77.1.0 - 10.77.1.99"}])],
        **_libraries(access={"attributes": [{"name": "Connect-Info", "data": "x y"}, {"type": 78, "raw": "0102"},
                                            {"name": "NAS-Identifier", "expr": "hexstring(pkt4.mac, '-')"},
                                            {"vendor": "Test", "name": "Test-Text", "data": "v"},
                                            {"name": "Service-Type", "data": "Framed-User"}, {"name": "Own", "data": "Two"},
                                            {"name": "Password", "data": "secret"}],
                             "servers": [{"name": "localhost", "secret": SECRET}]},
                     dictionary=dictionary, **{"nas-ports": [{"port": 77, "subnet-id": 1}]}))
    r = Radius(t, s.ns, users={_mac(1): [[FRAMED_IP, _ip("10.77.0.201")]], _mac(2): [[POOL, b"gold".hex()]], _mac(3): [],
                               _mac(4): "reject", _mac(5): [[POOL, b"other".hex()], [POOL, b"gold".hex()]],
                               _mac(6): [[POOL, b"gold".hex()], [POOL, b"other".hex()]]})
    s.start()
    first = Client(port, mac_of(1))
    assert first.dora(timeout=slack(2)) and first.addr == "10.77.0.201", first.addr
    gold = Client(port, mac_of(2))
    assert gold.dora(timeout=slack(2)) and gold.addr.startswith("10.77.2."), gold.addr
    plain = Client(port, mac_of(3))
    assert plain.dora(timeout=slack(2)) and plain.addr.startswith("10.77.1."), plain.addr
    assert Client(port, mac_of(4)).offer(tries=2) is None
    for n, pool in ((5, "10.77.2."), (6, "10.77.1.")):
        c = Client(port, mac_of(n))
        assert c.dora(timeout=slack(2)) and c.addr.startswith(pool), (n, c.addr)
    done = r.requests()
    assert len(done) == 6 and all(q[:2] == [1, True] for q in done), done
    attrs = [(k, bytes.fromhex(v)) for k, v in done[0][2]]
    for want in ((1, _mac(1).encode()), (NAS_PORT, b"\0\0\0\x4d"), (4, b"\x7f\0\0\1"), (77, b"x y"), (78, b"\1\2"),
                 (32, mac_of(1).hex("-").encode()), (26, b"\0\0\1\x37\x09\x03v"), (6, b"\0\0\0\2"),
                 (200, b"\0\0\0\2")):
        assert want in attrs, (want, attrs)
    assert [len(v) for k, v in attrs if k == 2] == [16], "User-Password is hidden in 16 octets"
    entries = {e["hw-address"]: e for e in s.ok("cache-get")}
    assert entries[_mac(1)]["ip-address"] == "10.77.0.201" and entries[_mac(3)]["negative"]
    assert entries[_mac(4)]["user-context"] == {"subnet-id": 4294967295}, entries[_mac(4)]


@test(timeout=90, tags=("asan", "tsan"))
def test_radius_server_that_hangs(t):
    """A server that does not answer, or whose answers have a wrong signature, costs the packets of its clients only a delay;
    the others are answered meanwhile. Of two servers, the second one is asked."""
    port = t.wire("10.77.0.1/16")
    s = t.server(start=False, subnets=[subnet("10.77.0.0/16", "10.77.1.0 - 10.77.9.250")], **_libraries())
    r = Radius(t, s.ns, users={_mac(1): "silent", _mac(2): "forged", "*": []})
    s.start()
    hanging = [Client(port, mac_of(n)) for n in (1, 2)]
    for c in hanging:
        port.send(c.discover())
    began = time.monotonic()
    others = acquire_many(port, [Client(port, mac_of(n, 9)) for n in range(50)])
    assert len(others) == 50
    assert time.monotonic() - began < slack(2), "the others waited"
    for c in hanging:
        assert c.dora(timeout=slack(4)) and c.addr.startswith("10.77."), c.addr
        assert c.addr != "10.77.0.99", "a forged answer was believed"
    assert s.logged("RADIUS_ACCESS_ERROR")
    assert sum(1 for q in r.requests() if [1, _mac(1).encode().hex()] in q[2]) >= 2


def _accounting(tmp_history=None):
    params = {"timeout": 1, "retries": 1, "accounting": {"servers": [{"name": "127.0.0.1", "secret": SECRET}],
                                                        "attributes": [{"name": "NAS-Identifier", "data": "nas"}]}}
    if tmp_history:
        params["session-history"] = tmp_history
    return {"hooks-libraries": [{"library": "libdhcp_host_cache.so"}, {"library": "libdhcp_radius.so", "parameters": params}]}


def _accounts(r):
    """The requests: status, session, address, user."""
    out = []
    for code, signed, attrs in r.requests():
        a = {k: bytes.fromhex(v) for k, v in attrs}
        assert code == 4 and signed and a[32] == b"nas" and a[NAS_PORT] == b"\0\0\0\1", (code, signed, attrs)
        out.append((a[40][3], a[44].decode(), ".".join(str(o) for o in a[FRAMED_IP]), a[1].decode()))
    return out


@test(timeout=90, tags=("asan", "tsan"))
def test_radius_accounting(t):
    """Start, Interim-Update and Stop have the session of their lease, also after a restart; commands count; nobody waits for a
    server that hangs."""
    port = t.wire("10.77.0.1/16")
    history = t.lab.path("history")
    s = t.server(start=False, subnets=[subnet("10.77.0.0/16", "10.77.1.0 - 10.77.9.250")], **_accounting(history))
    r = Radius(t, s.ns, 1813)
    s.start()
    c = Client(port, mac_of(1))
    assert c.dora(timeout=slack(2))
    wait_for("the start", lambda: len(r.requests()) == 1, slack(5))
    assert c.renew(timeout=slack(2))
    wait_for("the update", lambda: len(r.requests()) == 2, slack(5))
    s.term()
    s.start(write=False)
    c.release()
    wait_for("the stop", lambda: len(r.requests()) == 3, slack(5))
    done = _accounts(r)
    assert [d[0] for d in done] == [1, 3, 2], done
    assert len({d[1:] for d in done}) == 1 and done[0][2:] == (c.addr, _mac(1)), done
    assert done[0][1].startswith(c.addr + "@"), done
    lease = {"ip-address": "10.77.1.99", "hw-address": "02:00:00:00:00:77", "subnet-id": 1}
    s.ok("lease4-add", lease)
    s.ok("lease4-update", dict(lease, hostname="x", **{"client-id": "01:02:03"}))
    s.ok("lease4-del", lease)
    wait_for("the commands", lambda: len(r.requests()) == 6, slack(5))
    assert [d[0] for d in _accounts(r)[3:]] == [1, 3, 2] and _accounts(r)[4][3] == "01:02:03", _accounts(r)
    s.term()
    with open(history, encoding="utf-8") as f:
        lines = f.read().splitlines()
    assert lines[0] == "address,seconds,milliseconds" and lines[-1] == "10.77.1.99,0,0", lines
    # a server that hangs: 256 requests wait, others are lost, clients get their addresses
    r.proc.kill()
    s.start(write=False)
    assert len(acquire_many(port, [Client(port, mac_of(n, 9)) for n in range(300)], timeout=slack(20))) == 300


@test(timeout=90, tags=("asan",))
def test_radius_reselect(t):
    """Another subnet of the network for the pool or the address of the answer, also from the cache; none: no answer. A rejected
    client stays rejected, until its entry is removed."""
    port = t.wire("10.77.0.1/16")
    network = [{"name": "net", "subnet4": [
        subnet("10.77.0.0/16", None, id=1, pools=[{"pool": "10.77.1.0 - 10.77.1.99", "client-classes": ["silver"]}]),
        subnet("10.78.0.0/16", None, id=2, pools=[{"pool": "10.78.1.0 - 10.78.1.99", "client-classes": ["gold"]}])]}]
    s = t.server(start=False, subnets=[], **{"shared-networks": network},
                 **_libraries(**{"reselect-subnet-pool": True, "reselect-subnet-address": True}))
    r = Radius(t, s.ns, users={_mac(1): [[POOL, b"gold".hex()]], _mac(2): [[FRAMED_IP, _ip("10.78.0.201")]],
                               _mac(3): [[FRAMED_IP, _ip("10.99.0.1")]], _mac(4): "reject"})
    s.start()
    for _ in range(2):
        for n, want in ((1, "10.78.1."), (2, "10.78.0.201"), (3, None), (4, None)):
            o = Client(port, mac_of(n)).offer(tries=4 if want else 1, timeout=1.0)
            assert (o.yiaddr.startswith(want) if want else o is None), (n, o)
    assert len(r.requests()) == 4, "the cache was not used"
    r.set_users({_mac(4): [[POOL, b"silver".hex()]]})
    s.ok("cache-remove", {"subnet-id4": 1, "hw-address": _mac(4)})
    assert Client(port, mac_of(4)).offer(timeout=slack(1)).yiaddr.startswith("10.77.1.")


@test(timeout=90, tags=("asan", "tsan"))
def test_radius_bounds_and_servers(t):
    """More requests than max-pending-requests are dropped by name; the second server answers for one that is down, which deadtime
    then puts last."""
    port = t.wire("10.77.0.1/16")
    s = t.server(start=False, subnets=[subnet("10.77.0.0/16", "10.77.1.0 - 10.77.9.250")],
                 **_libraries((1812, 1822), deadtime=60, retries=0, access={"max-pending-requests": 2}))
    down = Radius(t, s.ns, 1812, {"*": "silent"}, "down")
    up = Radius(t, s.ns, 1822, {"*": []}, "up")
    s.start()
    for n in range(6):
        port.send(Client(port, mac_of(n, 9)).discover())
    wait_for("the drops", lambda: s.stat("pkt4-queue-full") == 4, slack(5))
    wait_for("the second server", lambda: len(up.requests()) == 2, slack(5))
    assert len(down.requests()) == 2
    assert Client(port, mac_of(1)).dora(timeout=slack(1))
    assert len(down.requests()) == 2, "a server that did not answer was asked first"
    assert len(up.requests()) == 3


@test(timeout=60, tags=("asan",))
def test_radius_refusals(t):
    """Mistakes in the parameters are refused with their place; without host_cache the configuration is refused."""
    t.wire("10.77.0.1/16")
    s = t.server()

    def refusal(libraries):
        r = s.command("config-test", {"Dhcp4": dict(s.conf, **{"hooks-libraries": libraries})})
        return r["text"] if r["result"] else None
    cache = {"library": "libdhcp_host_cache.so"}
    server = {"name": "127.0.0.1", "secret": "x"}
    for params, text in (
            ({"protocol": "TLS"}, "protocol 'TLS' is not supported"), ({"bindaddr": "x"}, "'bindaddr'"), ({"timeout": 0}, "'timeout'"),
            ({"identifier-type4": "mac"}, "'identifier-type4'"), ({"tls": {}}, "'tls' is not supported"), ({"bogus": 1}, "bogus"),
            ({"dictionary": "/nonexistent"}, "No such file"),
            ({"access": {"servers": [{"name": "nobody.invalid", "secret": "x"}]}}, "no IPv4 address"),
            ({"access": {"servers": [{"name": "127.0.0.1"}]}}, "'secret'"), ({"access": {"idle-timer-interval": 5}}, "Status-Server"),
            ({"access": {"attributes": [{"name": "No-Such", "data": "x"}]}}, "is known"),
            ({"access": {"attributes": [{"name": "NAS-Port", "data": "x"}]}}, "'x' is no value"),
            ({"access": {"attributes": [{"name": "Service-Type", "data": "Framed-Users"}]}}, "'Framed-Users' is no value"),
            ({"access": {"attributes": [{"type": 78, "raw": "xy"}]}}, "'xy' is no value"),
            ({"access": {"attributes": [{"type": 78, "raw": "01", "data": "x"}]}}, "one of 'data'"),
            ({"access": {"attributes": [{"type": 78, "expr": "option["}]}}, "expr"),
            ({"accounting": {"attributes": [{"type": 78, "expr": "'x'"}]}}, "not supported in 'accounting'"),
            ({"nas-ports": [{"subnet-id": 1}]}, "'port'"), ({"nas-ports": [{"port": 1, "shared-network-name": "x"}]}, "no such subnet")):
        got = refusal([cache, {"library": "libdhcp_radius.so", "parameters": params}])
        assert got and text in got, (params, got)
    assert "parameters" in refusal([cache, {"library": "libdhcp_radius.so"}])
    assert refusal([cache, {"library": "libdhcp_radius.so", "parameters": {"access": {"servers": [server]}}}]) is None
    r = s.command("config-set", {"Dhcp4": dict(s.conf, **{"hooks-libraries": [
        {"library": "libdhcp_radius.so", "parameters": {"access": {"servers": [server]}}}]})})
    assert r["result"] == 1 and "libdhcp_host_cache.so" in r["text"], r


CONFIG = """
libdir = /usr/lib/freeradius
raddbdir = %(dir)s
logdir = %(dir)s
run_dir = %(dir)s
log {
 destination = stdout
}
client lab {
 ipaddr = 127.0.0.1
 secret = "%(secret)s"
 require_message_authenticator = yes
}
modules {
 files {
  filename = %(dir)s/users
 }
 always ok {
  rcode = ok
 }
}
server lab {
 listen {
  type = auth
  ipaddr = 127.0.0.1
  port = 1812
 }
 listen {
  type = acct
  ipaddr = 127.0.0.1
  port = 1813
 }
 authorize {
  files
  update reply {
   Message-Authenticator := 0x00
  }
 }
 post-auth {
  Post-Auth-Type REJECT {
   update reply {
    Message-Authenticator := 0x00
   }
  }
 }
 accounting {
  ok
  update reply {
   Message-Authenticator := 0x00
  }
 }
}
"""


@test(timeout=90, tags=("asan",))
def test_radius_freeradius(t):
    """FreeRADIUS accepts the signatures, and its answers are understood."""
    port = t.wire("10.77.0.1/16")
    s = t.server(start=False, subnets=[subnet("10.77.0.0/16", "10.77.1.0 - 10.77.9.250")],
                 **_libraries(accounting={"servers": [{"name": "127.0.0.1", "secret": SECRET}]},
                              access={"attributes": [{"name": "User-Password", "data": "a password of more than 16 octets"}]},
                              **{"use-message-authenticator": True}))
    where = t.lab.path("raddb")
    os.makedirs(where)
    with open(os.path.join(where, "radiusd.conf"), "w", encoding="utf-8") as f:
        f.write(CONFIG % {"dir": where, "secret": SECRET})
    with open(os.path.join(where, "users"), "w", encoding="utf-8") as f:
        f.write('%s User-Password == "a password of more than 16 octets", Auth-Type := Accept\n\tFramed-IP-Address = 10.77.0.201\n'
                'DEFAULT Auth-Type := Reject\n' % _mac(1))
    with open(os.path.join(where, "log"), "wb") as log:
        t.lab.popen(s.ns, ["freeradius", "-f", "-d", where, "-n", "radiusd", "-xx", "-l", "stdout"], stdout=log, stderr=log)

    def text():
        with open(os.path.join(where, "log"), encoding="utf-8") as f:
            return f.read()
    wait_for("FreeRADIUS", lambda: "Ready to process requests" in text(), slack(10))
    s.start()
    c = Client(port, mac_of(1))
    assert c.dora(timeout=slack(2)) and c.addr == "10.77.0.201", c.addr
    assert Client(port, mac_of(2)).offer(tries=2) is None
    wait_for("the reject", lambda: "RADIUS_ACCESS_ERROR" not in s.log() and "Access-Reject" in text(), slack(5))
    wait_for("the accounting", lambda: "Accounting-Response" in text(), slack(5))
    time.sleep(2.5)
    assert "RADIUS_ACCOUNTING_ERROR" not in s.log()
