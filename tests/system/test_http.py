# SPDX-License-Identifier: MPL-2.0
"""Control sockets over HTTP and HTTPS: every command as over the unix socket, authentication, certificates, Kea's envelope
and status codes, bounds, reloads, and the tools that Kea's operators use."""

import json
import os
import shutil
import socket
import ssl
import subprocess
import threading
import time

from lib import metrics
from lib.client import Client, mac_of
from lib.metrics import Text
from lib.netns import sh, wait_for
from lib.runner import test
from lib.server import slack, subnet
from lib.web import Authority, Web, basic, raw_request

PORT = 8000


def _socket(port=PORT, **more):
    return {"socket-type": "https" if "cert-file" in more else "http", "socket-port": port, **more}


def _tls(ca, issued, **more):
    return {"cert-file": issued[0], "key-file": issued[1], "trust-anchor": ca.cert, **more}


def _users(*pairs, **more):
    return {"authentication": {"type": "basic", "realm": "usher", "clients": [
        {"user": user, "password": password, **more} for user, password in pairs]}}


def _serve(t, *sockets, **conf):
    """A server with these sockets and the unix one."""
    s = t.server(start=False, interfaces=(), **conf)
    unix = s.conf.pop("control-socket")
    s.conf["control-sockets"] = [unix, *sockets]
    s.start()
    return s


def _same(a, b):
    """Whether two answers are equal but for times that go by."""
    def strip(v):
        if isinstance(v, dict):
            return {k: strip(x) for k, x in v.items() if k not in ("uptime", "reload", "pid", "timestamp", "cltt", "expire")}
        return [strip(x) for x in v] if isinstance(v, list) else v
    return strip(a) == strip(b)


@test(timeout=60, tags=("asan", "tsan"))
def test_http_commands_as_over_unix(t):
    """The answers of reading commands are equal over unix, HTTP and HTTPS; commands that write work over each."""
    ca = Authority(t.lab)
    s = _serve(t, _socket(), _socket(8443, **_tls(ca, ca.issue("server"))))
    webs = [Web(s.ns, PORT), Web(s.ns, 8443, ca=ca.cert, cert=ca.issue("client"))]
    lease = {"ip-address": "10.77.0.50", "hw-address": "02:00:00:00:00:50", "subnet-id": 1}
    assert s.command("lease4-add", lease)["result"] == 0
    for name, arguments in (("list-commands", None), ("version-get", None), ("build-report", None), ("config-get", None),
                            ("config-hash-get", None), ("lease4-get-all", None), ("lease4-get-all", {"subnets": [1]}),
                            ("lease4-get", {"ip-address": "10.77.0.50"}), ("lease4-get", {"ip-address": "10.77.0.51"}),
                            ("lease4-get", {"ip-address": 7}), ("lease4-get", {}), ("stat-lease4-get", None),
                            ("lease4-get-page", {"from": "start", "limit": 10}),
                            ("statistic-get", {"name": "pkt4-received"}), ("make-coffee", None),
                            ("config-test", {"Dhcp4": {"valid-lifetime": "x"}}), ("status-get", None)):
        want = s.command(name, arguments)
        for web in webs:
            got = web.command(name, arguments)
            if name == "status-get":
                assert got["result"] == 0 and got["arguments"]["pid"] == s.proc.pid, got
            else:
                assert _same(got, want), "%s: %s, expected %s" % (name, got, want)
    for i, web in enumerate(webs):
        address = "10.77.0.%d" % (60 + i)
        assert web.command("lease4-add", {**lease, "ip-address": address})["result"] == 0
        assert s.command("lease4-get", {"ip-address": address})["result"] == 0
        assert web.command("lease4-del", {"ip-address": address}, service=["dhcp4"])["result"] == 0
        assert web.command("version-get", service=["dhcp6"])["result"] == 1
        web.close()
    assert s.logged("command 'lease4-add' of 127.0.0.1 over https: result 0"), s.tail()


@test(timeout=60, tags=("asan",))
def test_http_answers_of_requests_without_command(t):
    """Kea's status codes and maps for requests that are no command, and the connection's fate."""
    s = _serve(t, _socket(**{"http-headers": [{"name": "X-Site", "value": "lab 7"}]}))
    web = Web(s.ns, PORT)
    json_type = {"Content-Type": "application/json"}
    good = b'{"command": "version-get"}'
    for what, want, method, path, body, headers in (
            ("a command", 200, "POST", "/", good, json_type),
            ("another path", 200, "POST", "/any/path?x=1", good, json_type),
            ("parameters of the type", 200, "POST", "/", good, {"Content-Type": "Application/JSON; charset=utf-8"}),
            ("comments", 200, "POST", "/", b"# one\n" + good + b" // two", json_type),
            ("a form", 400, "POST", "/", good, {"Content-Type": "application/x-www-form-urlencoded"}),
            ("plain text", 400, "POST", "/", good, {"Content-Type": "text/plain"}),
            ("no type", 400, "POST", "/", good, {}),
            ("no JSON", 400, "POST", "/", b"{ command", json_type),
            ("nothing", 400, "POST", "/", b"", json_type),
            ("a list", 400, "POST", "/", b"[]", json_type),
            ("PUT", 400, "PUT", "/some", good, json_type),
            ("another site", 403, "POST", "/", good, {**json_type, "Origin": "http://evil.example"}),
            ("another site's fetch", 403, "POST", "/", good, {**json_type, "Sec-Fetch-Site": "cross-site"}),
            ("a long head", 431, "POST", "/", good, {**json_type, **{"X-%d" % i: "y" for i in range(130)}})):
        status, got, text = web.request(method, path, body, headers)
        answer = json.loads(text)
        assert status == want, "%s: %d %s" % (what, status, text)
        assert got["Content-Type"] == "application/json" and got["X-Site"] == "lab 7", (what, got.items())
        assert got["Cache-Control"] == "no-store" and got["X-Content-Type-Options"] == "nosniff", (what, got.items())
        if want == 200:
            assert answer[0]["result"] == 0, (what, answer)
        else:
            assert answer["result"] == want and answer["text"], (what, answer)
    # one connection served all of them
    web.close()
    chunked = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n%s\r\n" \
              b"1a\r\n" + good + b"\r\n0\r\n\r\n"
    assert b" 200 " in raw_request(s.ns, PORT, chunked % b"").split(b"\r\n")[0]
    assert b" 400 " in raw_request(s.ns, PORT, chunked % b"Content-Length: 26\r\n").split(b"\r\n")[0]
    old = raw_request(s.ns, PORT, b"POST / HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: 26\r\n\r\n" + good)
    assert b" 200 " in old.split(b"\r\n")[0] and old.endswith(b"]"), old
    two = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 26\r\n%s\r\n" + good
    both = raw_request(s.ns, PORT, two % b"" + two % b"Connection: close\r\n")
    assert both.count(b"HTTP/1.1 200 ") == 2, both
    # too long: by its announcement, and in pieces
    big = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nConnection: close\r\n"
    assert b" 413 " in raw_request(s.ns, PORT, big + b"Content-Length: 40000000\r\n\r\n").split(b"\r\n")[0]
    garbage = raw_request(s.ns, PORT, b"\x16\x03\x01\x02\x00 this is no HTTP\r\n\r\n")
    assert not garbage or b" 400 " in garbage.split(b"\r\n")[0], garbage
    assert web.command("version-get")["result"] == 0


@test(timeout=90, tags=("asan",))
def test_http_authentication(t):
    """Users of the configuration and of files: right, wrong, absent; read access; refusals of one address are late after
    five; a reload takes new passwords, and keeps the connection."""
    d = t.lab.path("secrets")
    os.mkdir(d)
    for name, text in (("pair", "carol:from a file: with colon\nsecond line\n"), ("name", "dave\n"), ("word", "secret\n")):
        with open(os.path.join(d, name), "w", encoding="utf-8") as f:
            f.write(text)
    clients = [{"user": "alice", "password": "wonderland"},
               {"user": "bob", "password": "b\u00fccher", "user-context": {"usher": {"access": "read"}}},
               {"password-file": "pair"}, {"user-file": "name", "password-file": "word"}]
    s = _serve(t, _socket(authentication={"type": "basic", "realm": "lab", "directory": d, "clients": clients}))
    for user in (("alice", "wonderland"), ("bob", "b\u00fccher"), ("carol", "from a file: with colon"), ("dave", "secret")):
        assert Web(s.ns, PORT, user=user).command("version-get")["result"] == 0, user
    refused = Web(s.ns, PORT, user=("bob", "b\u00fccher")).command("lease4-wipe", {"subnet-id": 1})
    assert refused["result"] == 1 and "read access" in refused["text"], refused
    web = Web(s.ns, PORT)
    status, headers, text = web.post({"command": "version-get"})
    assert status == 401 and json.loads(text) == {"result": 401, "text": "Unauthorized"}, (status, text)
    assert headers["WWW-Authenticate"] == 'Basic realm="lab"', headers.items()
    for header in ("Basic", "Basic ", "Basic !!!", "Bearer abc", basic("alice", "wonderlanD"), basic("alice", ""),
                   basic("", "wonderland"), basic("alice:wonderland", "")):
        status, _, text = web.post({"command": "version-get"}, Authorization=header)
        assert status == 401, (header, status, text)
    began = time.monotonic()
    assert web.post({"command": "version-get"}, Authorization=basic("alice", "guess"))[0] == 401
    assert 0.9 < time.monotonic() - began < slack(5), "the refusal took %.2f s" % (time.monotonic() - began)
    log = s.log()
    assert "HTTP_CLIENT_REQUEST_NOT_AUTHORIZED" in log and "wonderland" not in log and "guess" not in log
    # a reload reads the files anew; the connection stays, with the new rules
    web.user = ("dave", "secret")
    assert web.command("version-get")["result"] == 0
    conn = web.connection().sock
    with open(os.path.join(d, "word"), "w", encoding="utf-8") as f:
        f.write("changed\n")
    assert s.command("config-reload")["result"] == 0
    assert web.post({"command": "version-get"})[0] == 401
    web.user = ("dave", "changed")
    assert web.command("version-get")["result"] == 0
    assert web.connection().sock is conn
    # a file that is gone refuses the reload, and changes nothing
    os.remove(os.path.join(d, "word"))
    answer = s.command("config-reload")
    assert answer["result"] == 1 and os.path.join(d, "word") in answer["text"], answer
    assert web.command("version-get")["result"] == 0


@test(timeout=90, tags=("asan", "tsan"))
def test_https_certificates(t):
    """Clients with a certificate of the trust anchor, of another authority, and without one; cert-required false; plain
    HTTP on a TLS port; renewal by a reload with a connection that stays; texts that do not fit."""
    ca, other = Authority(t.lab), Authority(t.lab, "other")
    server, client, foreign = ca.issue("server"), ca.issue("client"), other.issue("client")
    s = _serve(t, _socket(8443, **_tls(ca, server)), _socket(8444, **_tls(ca, server, **{"cert-required": False})),
               _socket(8445, **_tls(ca, server)), _socket(8000))
    kept = Web(s.ns, 8443, ca=ca.cert, cert=client)
    assert kept.command("version-get")["result"] == 0
    assert Web(s.ns, 8444, ca=ca.cert).command("version-get")["result"] == 0
    for what, cert in (("no certificate", None), ("another authority's", foreign)):
        try:
            answer = Web(s.ns, 8443, ca=ca.cert, cert=cert).command("version-get")
        except (ssl.SSLError, ConnectionError, OSError):
            continue
        raise AssertionError("%s: %s" % (what, answer))
    assert not raw_request(s.ns, 8443, b"POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n").startswith(b"HTTP/1.1 200")
    sock = kept.connection().sock
    assert sock.version() in ("TLSv1.2", "TLSv1.3"), sock.version()

    def serial(web):
        return web.connection().sock.getpeercert()["serialNumber"]
    before = serial(kept)
    renewed = ca.issue("renewed")
    for path, fresh in zip(server, renewed):
        shutil.copyfile(fresh, path)
    assert s.command("config-reload")["result"] == 0
    assert kept.command("version-get")["result"] == 0 and kept.connection().sock is sock
    web = Web(s.ns, 8443, ca=ca.cert, cert=client)
    assert web.command("version-get")["result"] == 0
    assert serial(web) != before
    # a key that belongs to another certificate, and a file that is no certificate: nothing changes
    good = open(server[1], "rb").read()
    shutil.copyfile(client[1], server[1])
    answer = s.command("config-reload")
    assert answer["result"] == 1 and "certificate with its key" in answer["text"], answer
    with open(server[1], "wb") as f:
        f.write(good)
    with open(ca.cert, "r+b") as f:
        f.write(b"nonsense")
    answer = s.command("config-reload")
    assert answer["result"] == 1 and "trust anchor" in answer["text"], answer
    assert web.command("version-get")["result"] == 0
    # http where https is open: refused as a whole
    s.conf["control-sockets"][3] = _socket(8445)
    s.write_conf()
    answer = s.command("config-reload")
    assert answer["result"] == 1 and "8445" in answer["text"], answer


@test(timeout=90, tags=("asan", "tsan"))
def test_http_reloads(t):
    """A reload keeps the connections of sockets that stay, opens new ones, ends those that are gone (the request that
    removes its own socket is answered), and is refused for a port that is taken."""
    s = _serve(t, _socket(8000), _socket(8001))
    kept, gone = Web(s.ns, 8000), Web(s.ns, 8001)
    assert kept.command("version-get")["result"] == 0 and gone.command("version-get")["result"] == 0
    sock = kept.connection().sock
    s.conf["control-sockets"][2] = _socket(8002)
    s.write_conf()
    assert gone.command("config-reload")["result"] == 0
    assert kept.command("version-get")["result"] == 0 and kept.connection().sock is sock
    assert Web(s.ns, 8002).command("version-get")["result"] == 0
    gone.close()

    def refused():
        try:
            gone.connection()
        except ConnectionRefusedError:
            return True
        gone.close()
        return False
    wait_for("the socket to be closed", refused, slack(5))
    with s.ns:
        taken = socket.create_server(("127.0.0.1", 8003))
    with taken:
        s.conf["control-sockets"].append(_socket(8003))
        s.write_conf()
        answer = s.command("config-reload")
        assert answer["result"] == 1 and "8003" in answer["text"], answer
    assert s.command("config-reload")["result"] == 0
    assert Web(s.ns, 8003).command("version-get")["result"] == 0
    # another address of the same port
    s.conf["control-sockets"][3] = _socket(8003, **{"socket-address": "0.0.0.0"})
    s.write_conf()
    assert s.command("config-reload")["result"] == 0, s.tail()
    wait_for("the new address", lambda: Web(s.ns, 8003).command("version-get")["result"] == 0, slack(5))
    # an address that comes later
    s.conf["control-sockets"].append(_socket(8004, **{"socket-address": "10.77.9.9"}))
    s.write_conf()
    assert s.command("config-reload")["result"] == 0, s.tail()
    s.ns.ip("addr", "add", "10.77.9.9/32", "dev", "lo")

    def served():
        try:
            return Web(s.ns, 8004, address="10.77.9.9").command("version-get")["result"] == 0
        except ConnectionRefusedError:
            return False
    wait_for("the late address", served, slack(15))
    assert kept.command("version-get")["result"] == 0 and kept.connection().sock is sock


_BAD = (
    ({"socket-type": "https"}, "needs 'trust-anchor'"),
    ({"socket-type": "http", "cert-file": "/x"}, "is missing"),
    ({"socket-type": "http", "socket-name": "/x"}, "'socket-name' is for sockets of type unix"),
    ({"socket-type": "http", "socket-address": "localhost"}, "no IPv4 or IPv6 address"),
    ({"socket-type": "http", "socket-port": 65536}, "socket-port"),
    ({"socket-type": "http", "http-headers": [{"name": "a b", "value": "x"}]}, "no name of a header"),
    ({"socket-type": "http", "http-headers": [{"name": "a", "value": "x\r\nSet-Cookie: y"}]}, "no value of a header"),
    ({"socket-type": "http", "http-headers": [{"name": "a", "value": "x", "z": 1}]}, "'z'"),
    ({"socket-type": "http", "authentication": {"type": "digest"}}, "basic"),
    ({"socket-type": "http", "authentication": {"clients": [{"user": "a:b", "password": "x"}]}}, "no colon"),
    ({"socket-type": "http", "authentication": {"clients": [{"user": "a", "user-file": "x"}]}}, "exclude each other"),
    ({"socket-type": "http", "authentication": {"clients": [{"user": "a", "password": "1234"}]}}, "known from examples"),
    ({"socket-type": "http", "authentication": {"clients": [{"password": "x"}]}}, "a client needs"),
    ({"socket-type": "http", "authentication": {"clients": [{"user": "a", "password-file": "/none"}]}}, "/none cannot be read"),
    ({"socket-type": "http", "authentication": {"clients": [
        {"user": "a", "password": "xyz", "user-context": {"usher": {"access": "all"}}}]}}, "'access'"),
    ({"socket-type": "http", "cert-file": "/none", "key-file": "/none", "trust-anchor": "/none"}, "/none cannot be read"),
    ({"socket-type": "http", "socket-port": 8000}, "has a socket at"),
)


@test(timeout=60)
def test_http_bad_configurations(t):
    """Each fault of a socket is refused with its place, and nothing changes."""
    s = _serve(t, _socket())
    for bad, text in _BAD:
        s.conf["control-sockets"][2:] = [bad if "socket-port" in bad else dict(bad, **{"socket-port": 8009})]
        s.write_conf()
        answer = s.command("config-reload")
        assert answer["result"] == 1 and text in answer["text"] and "usher.conf" in answer["text"], (bad, answer)
        assert Web(s.ns, PORT).command("version-get")["result"] == 0
    unix = dict(s.conf["control-sockets"][0], **{"socket-port": 1})
    s.conf["control-sockets"] = [unix]
    s.write_conf()
    answer = s.command("config-reload")
    assert answer["result"] == 1 and "'socket-port' is for sockets of type http" in answer["text"], answer


@test(timeout=90, tags=("asan", "tsan"))
def test_http_half_open_connections(t):
    """200 connections of one address that send nothing or a part: requests of others, and of that address, are answered
    at once; the half-open ones are ended by name, and memory and descriptors come back."""
    ca = Authority(t.lab)
    s = _serve(t, _socket(), _socket(8443, **_tls(ca, ca.issue("server"))))
    client = ca.issue("client")
    Web(s.ns, PORT).command("version-get")
    fds = s.n_fds()
    for port, part in ((PORT, b"POST / HTTP/1.1\r\nContent-"), (8443, b"\x16\x03")):
        held = []
        for i in range(200):
            with s.ns:
                c = socket.create_connection(("127.0.0.1", port), slack(5))
            held.append(c)
            if i % 2:
                try:
                    c.sendall(part)
                except OSError:
                    pass
            if i % 40 == 20:
                web = Web(s.ns, port, ca=ca.cert if port == 8443 else None, cert=client if port == 8443 else None)
                began = time.monotonic()
                assert web.command("version-get")["result"] == 0
                assert time.monotonic() - began < slack(1), "%.2f s behind %d connections" % (time.monotonic() - began, i)
                web.close()
        for c in held:
            c.close()
    assert s.logged("USHER_HTTP_CONNECTION_DROPPED")
    wait_for("the descriptors", lambda: s.n_fds() <= fds + 1, slack(10))


@test(timeout=90, tags=("asan",))
def test_http_slow_requests(t):
    """A head that drips in, and a body that does not come: ended within 10 s; a client that is idle between requests
    keeps its connection meanwhile."""
    s = _serve(t, _socket())
    idle = Web(s.ns, PORT)
    idle.command("version-get")
    sock = idle.connection().sock
    with s.ns:
        drip = socket.create_connection(("127.0.0.1", PORT), slack(20))
        body = socket.create_connection(("127.0.0.1", PORT), slack(20))
    body.sendall(b"POST / HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{")
    began = time.monotonic()
    drip.setblocking(False)
    ended = None
    while ended is None and time.monotonic() - began < slack(15):
        time.sleep(0.5)
        try:
            drip.send(b"X")
            if drip.recv(1000) is not None:
                ended = time.monotonic() - began
        except BlockingIOError:
            continue
        except OSError:
            ended = time.monotonic() - began
    assert ended and 8 < ended < slack(13), ended
    assert b" 408 " in body.recv(1000).split(b"\r\n")[0]
    assert idle.command("version-get")["result"] == 0 and idle.connection().sock is sock
    assert s.logged("no complete request arrived in time")
    drip.close()
    body.close()


@test(timeout=120)
def test_http_kea_shell(t):
    """Debian's kea-shell, and Kea's control agent before the unix socket."""
    s = _serve(t, _socket(**_users(("admin", "word"))))
    for i in range(20):
        assert s.command("lease4-add", {"ip-address": "10.77.0.%d" % (50 + i), "hw-address": "02:00:00:00:01:%02x" % i})["result"] == 0
    with s.ns:
        for command, arguments, want in (("list-commands", "", "statistic-get-all"), ("config-get", "", "Dhcp4"),
                                         ("lease4-get-all", "", "10.77.0.69"), ("statistic-get-all", "", "pkt4-received"),
                                         ("lease4-get", '"ip-address": "10.77.0.50"', "02:00:00:00:01:00")):
            out = subprocess.run(["kea-shell", "--host", "127.0.0.1", "--port", str(PORT), "--service", "dhcp4", "--auth-user", "admin",
                                  "--auth-password", "word", command], input=arguments, text=True, capture_output=True,
                                 timeout=slack(20), check=False)
            assert out.returncode == 0 and want in out.stdout, (command, out)
            assert json.loads(out.stdout)[0]["result"] == 0, out.stdout[:300]
    # the control agent of Kea 2.2, which other tools still speak to
    conf = t.lab.path("agent.conf")
    with open(conf, "w", encoding="utf-8") as f:
        json.dump({"Control-agent": {"http-host": "127.0.0.1", "http-port": 8100, "control-sockets": {
            "dhcp4": {"socket-type": "unix", "socket-name": s.socket_path}}}}, f)
    env = dict(os.environ, KEA_PIDFILE_DIR=s.dir, KEA_LOCKFILE_DIR="none")
    with open(t.lab.path("agent.log"), "wb") as log:
        t.lab.popen(s.ns, ["kea-ctrl-agent", "-c", conf], stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env)

    def answers():
        try:
            return Web(s.ns, 8100).command("version-get", service=["dhcp4"])["result"] == 0
        except ConnectionRefusedError:
            return False
    wait_for("the control agent", answers, slack(15))
    r = Web(s.ns, 8100).command("lease4-get-all", service=["dhcp4"])
    assert len(r["arguments"]["leases"]) == 20, r


@test(timeout=60, tags=("asan",))
def test_http_calls_of_tools(t):
    """The calls that each tool makes, and the members that it reads (Stork's agent, kea-exporter, netbox-kea, OPNsense, VyOS,
    pfSense, Foreman's proxy)."""
    s = _serve(t, _socket(**_users(("stork", "word"))), _socket(8001, **{"user-context": {"usher": {"control-agent": True}}}), **{"shared-networks": [
        {"name": "floor", "subnet4": [subnet("10.99.0.0/24", "10.99.0.10 - 10.99.0.90", id=99)]}]})
    assert s.command("lease4-add", {"ip-address": "10.77.0.50", "hw-address": "02:00:00:00:00:50", "hostname": "box"})["result"] == 0
    web = Web(s.ns, PORT, user=("stork", "word"))

    def call(name, arguments=None, results=(0,)):
        r = web.command(name, arguments, service=["dhcp4"])
        assert r["result"] in results, (name, r)
        return r
    # Stork's agent: each poll
    began = time.monotonic()
    version = call("version-get")
    assert version["text"] and version["arguments"]["extended"], version
    config = call("config-get")["arguments"]
    assert list(config)[0] == "Dhcp4" and config == call("config-get")["arguments"], "the output must be deterministic"
    status = call("status-get")["arguments"]
    assert status["pid"] == s.proc.pid and status["uptime"] >= 0 and status["reload"] >= 0, status
    assert os.path.isabs(status["csv-lease-file"])
    assert time.monotonic() - began < slack(2)
    stats = call("statistic-get-all")["arguments"]
    for name in ("pkt4-ack-sent", "subnet[1].assigned-addresses", "subnet[1].pool[0].total-addresses", "subnet[99].total-addresses"):
        assert isinstance(stats[name][0][0], int) and isinstance(stats[name][0][1], str), (name, stats.get(name))
    for name, arguments in (("lease4-get", {"ip-address": "10.77.0.50"}), ("lease4-get-by-hw-address", {"hw-address": "02:00:00:00:00:50"}),
                            ("lease4-get-by-hostname", {"hostname": "box"})):
        r = call(name, arguments)["arguments"]
        lease = r["leases"][0] if "leases" in r else r
        for member in ("ip-address", "hw-address", "hostname", "cltt", "valid-lft", "state", "subnet-id", "fqdn-fwd", "fqdn-rev"):
            assert member in lease, (name, member, lease)
    call("lease4-get-by-client-id", {"client-id": "01:02"}, (0, 3))
    call("lease4-get-by-hw-address", {"hw-address": ""}, (0, 1, 3))
    # kea-exporter: without service, and the envelope of 2.x agents
    r = web.post({"command": "config-get"})
    assert "Dhcp4" in json.loads(r[2])[0]["arguments"]
    subnets = config["Dhcp4"]["subnet4"]
    assert subnets[0]["id"] == 1 and subnets[0]["pools"][0]["pool"], subnets
    # kea-exporter 0.7 asks the control agent of Kea 2 for the servers behind it, and then each of them
    agent = Web(s.ns, 8001)
    assert list(agent.command("config-get")["arguments"]["Control-agent"]["control-sockets"]) == ["dhcp4"]
    assert "Dhcp4" in agent.command("config-get", service=["dhcp4"])["arguments"]
    assert agent.command("statistic-get-all", service=["dhcp4"])["result"] == 0
    # netbox-kea
    page = call("lease4-get-page", {"from": "0.0.0.0", "limit": 100})["arguments"]
    assert page["count"] == len(page["leases"]) == 1, page
    call("lease4-get-all", {"subnets": [1]})
    call("lease4-del", {"ip-address": "10.77.0.51"}, (0, 3))
    result = call("stat-lease4-get")["arguments"]["result-set"]
    assert result["columns"][0] == "subnet-id" and result["rows"], result
    # Foreman's proxy: arguments are always there
    status, _, text = web.post({"command": "version-get", "service": ["dhcp4"], "arguments": {}})
    assert status == 200 and json.loads(text)[0]["result"] == 0
    # OPNsense, pfSense, VyOS: the unix socket, a line end behind the request, an answer in pieces of 4096 octets
    for end in (b"\n", b" ", b""):
        r = json.loads(s.raw(b'{"command": "lease4-get-all"}' + end))
        assert r["arguments"]["leases"][0]["ip-address"] == "10.77.0.50", r


@test(timeout=120)
def test_http_metrics(t):
    """GET /metrics: both forms, with users, and the checks of promtool."""
    s = _serve(t, _socket(), _socket(8001, **_users(("prometheus", "word"))))
    web = Web(s.ns, PORT)
    for accept, kind, end in ((None, "text/plain; version=0.0.4; charset=utf-8", "\n"),
                              ("application/openmetrics-text; version=1.0.0,text/plain;q=0.5",
                               "application/openmetrics-text; version=1.0.0; charset=utf-8", "# EOF\n")):
        status, headers, text = web.request("GET", "/metrics", headers={"Accept": accept} if accept else {})
        assert status == 200 and headers["Content-Type"] == kind, (status, headers.items())
        text = text.decode()
        assert text.endswith(end) and 'kea_dhcp4_addresses_total{' in text and "usher_packets_dropped_total{" in text, text[:500]
    status, _, text = web.request("GET", "/metrics")
    out = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, timeout=slack(30), check=False)
    bad = [line for line in out.stderr.decode().splitlines() + out.stdout.decode().splitlines()
           if "error" in line.lower() and "_total" not in line]
    assert not bad, bad
    assert Web(s.ns, 8001).request("GET", "/metrics")[0] == 401
    assert Web(s.ns, 8001, user=("prometheus", "word")).request("GET", "/metrics")[0] == 200
    # health needs no user, and says nothing else
    assert Web(s.ns, 8001).request("GET", "/healthz")[0] == 200
    assert Web(s.ns, 8001).request("GET", "/readyz")[2] == b"ready\n"
    s.ok("dhcp-disable")
    status, _, text = Web(s.ns, 8001).request("GET", "/readyz")
    assert status == 503 and b"disabled" in text, (status, text)
    assert web.request("HEAD", "/metrics")[2] == b""
    status, headers, _ = web.request("POST", "/metrics", b"{}", {"Content-Type": "application/json"})
    assert status in (200, 400), status
    assert web.request("GET", "/nothing")[0] == 400


def _metrics(s, form="text"):
    return Text(s.ok("metrics-get", {"format": form})["metrics"], form == "openmetrics")


def _expiry_of(cert):
    """The end of a certificate, in seconds since 1970."""
    return ssl.cert_time_to_seconds(sh("openssl", "x509", "-noout", "-enddate", "-in", cert).strip().partition("=")[2])


@test(timeout=60, tags=("asan",))
def test_http_counters(t):
    """Sockets for HTTP: connections, drops by name, answers by status, refused users, the end of a certificate."""
    ca = Authority(t.lab)
    cert, key = ca.issue("server", days=7)
    s = _serve(t, _socket(**_users(("admin", "word"))), _socket(8443, **_tls(ca, (cert, key)), **{"cert-required": False}))
    admin, tls_web = Web(s.ns, 8000, user=("admin", "word")), Web(s.ns, 8443, ca=ca.cert)
    for _ in range(3):
        assert admin.command("version-get")["result"] == 0
    assert tls_web.command("version-get")["result"] == 0
    assert admin.request("GET", "/nothing")[0] == 400
    assert Web(s.ns, 8000).post({"command": "version-get"})[0] == 401
    for _ in range(2):
        assert Web(s.ns, 8000, user=("admin", "guess")).post({"command": "version-get"})[0] == 401
    # 16 connections of an address are allowed; one without a request gives way to each further one
    held = []
    for _ in range(20):
        with s.ns:
            held.append(socket.create_connection(("127.0.0.1", 8000), slack(5)))
    raw = s.ok("metrics-get")["metrics"]
    metrics.promtool_metrics(raw)
    m = Text(raw)
    m.check_rows(metrics.SERVER)
    plain, secure = {"address": "127.0.0.1", "port": "8000"}, {"address": "127.0.0.1", "port": "8443"}
    wait_for("the drops", lambda: _metrics(s).get("usher_http_connections_dropped_total", reason="place", **plain) >= 5, slack(5))
    m = _metrics(s)
    dropped = {p["reason"]: v for p, v in m.all("usher_http_connections_dropped_total") if p["port"] == "8000"}
    assert dropped["place"] == s.log().count("its place is needed") and dropped["busy"] == dropped["late"] == 0, dropped
    assert m.get("usher_http_connections", **plain) == 16 and m.get("usher_http_connections", **secure) == 1
    assert m.get("usher_http_connections_accepted_total", **plain) == 1 + 3 + 20
    assert m.get("usher_http_requests_total", status="2xx", **plain) == 3
    assert m.get("usher_http_requests_total", status="4xx", **plain) == 1 + 3
    assert m.get("usher_http_requests_total", status="2xx", **secure) == 1
    assert m.get("usher_http_authentication_failures_total", cause="absent", **plain) == 1
    assert m.get("usher_http_authentication_failures_total", cause="wrong", **plain) == 2
    expiry = dict((p["port"], v) for p, v in m.all("usher_http_certificate_expiry_seconds"))
    assert expiry == {"8443": _expiry_of(cert)}, expiry
    # a reload takes the new certificate, and the counters stay
    renewed, renewed_key = ca.issue("renewed", days=20)
    os.replace(renewed, cert)
    os.replace(renewed_key, key)
    s.ok("config-reload")
    m = _metrics(s, "openmetrics")
    m.check_rows(metrics.SERVER)
    assert m.get("usher_http_certificate_expiry_seconds", **secure) == _expiry_of(cert) > expiry["8443"]
    assert m.get("usher_http_requests_total", status="4xx", **plain) == 4
    for c in held:
        c.close()
    wait_for("the ends", lambda: _metrics(s).get("usher_http_connections", **plain) <= 1, slack(10))


@test(timeout=240, alone=True)
def test_http_readers_delay_no_packet(t):
    """300,000 leases for a reader that never reads, and then for one that reads slowly, while one renewal follows the other: the
    99th percentile stays that of an idle control plane. The reader that takes nothing is ended by name."""
    port = t.wire()
    n = 300000
    s = t.server(start=False, subnets=[subnet(), subnet("10.0.0.0/8", "10.0.0.1 - 10.255.255.254", id=2)])
    s.conf["control-sockets"] = [s.conf.pop("control-socket"), _socket()]
    with open(s.lease_path, "w", encoding="utf-8") as f:
        f.write("address,hwaddr,client_id,valid_lifetime,expire,subnet_id,fqdn_fwd,fqdn_rev,hostname,state,user_context,pool_id\n")
        for i in range(n):
            f.write("10.%d.%d.%d,02:00:01:%02x:%02x:%02x,,36000,4000000000,2,0,0,host-%d,0,,0\n" % (
                (i + 256 >> 16) & 255, (i + 256 >> 8) & 255, i & 255, i >> 16 & 255, i >> 8 & 255, i & 255, i))
    s.start()
    s.raise_priority()
    c = Client(port, mac_of(1))
    c.dora()

    def p99(seconds):
        """The 99th percentile of the time of a renewal, in milliseconds."""
        times, end = [], time.monotonic() + seconds
        while time.monotonic() < end:
            began = time.perf_counter()
            assert c.renew(tries=1), "an unanswered packet"
            times.append((time.perf_counter() - began) * 1000)
        assert len(times) > 2000 * seconds / slack(1), "%d exchanges in %d s" % (len(times), seconds)
        times.sort()
        return times[len(times) * 99 // 100]

    def cpu():
        """CPU time of the management thread, in milliseconds."""
        with open("/proc/%d/task/%d/schedstat" % (s.proc.pid, s.proc.pid), encoding="ascii") as f:
            return int(f.read().split()[0]) / 1e6
    request = b'{"command": "lease4-get-all"}'
    request = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(request) + request

    def reader():
        with s.ns:
            r = socket.create_connection(("127.0.0.1", PORT), slack(60))
        r.sendall(request)
        return r
    idle, never, slow, cost = [], [], [], []

    def is_slower():
        return min(never) >= min(idle) * 1.1 + 0.05 * slack(1)
    # other work of the machine comes and goes: more samples of both until the least of them agree
    while len(idle) < 3 or (is_slower() and len(idle) < 12):
        began = cpu()
        idle.append(p99(1))
        middle = cpu()
        with reader():
            never.append(p99(1))
        cost.append(cpu() - middle - (middle - began))
    # a thread reads 6 MB a second
    r, got, stop = reader(), [0], threading.Event()

    def read_slowly():
        while not stop.wait(0.01):
            part = r.recv(65536)
            got[0] += len(part)
            if not part:
                return
    thread = threading.Thread(target=read_slowly)
    thread.start()
    for _ in range(2):
        slow.append(p99(1))
    stop.set()
    thread.join()
    r.close()
    print("p99 in ms: idle %s, a reader that never reads %s, a slow reader %s (%d octets); the former costs %s ms of CPU time" % tuple(
        [["%.3f" % v for v in x] for x in (idle, never, slow)] + [got[0], ["%.1f" % v for v in cost]]))
    # a tenth, and the noise of a machine with other work; the cost is the cause, and less than the hundredth part of a second
    assert min(cost) < slack(10), cost
    assert not is_slower(), (idle, never)
    assert min(slow) < min(idle) * 1.5 + 0.3 * slack(1), (idle, slow)
    assert got[0] > 1000000, got
    last, unix = reader(), s.connect(slack(20))
    unix.sendall(b'{"command": "lease4-get-all"}')
    wait_for("the reader to be ended", lambda: "USHER_HTTP_READER_DROPPED" in s.log(), slack(20))
    wait_for("the reader of the unix socket, too", lambda: "COMMAND_SOCKET_WRITE_FAIL" in s.log(), slack(20))
    assert s.logged("pid %d took nothing of its answer" % os.getpid()), s.tail()
    last.close()
    unix.close()
