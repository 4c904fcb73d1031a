# SPDX-License-Identifier: MPL-2.0
"""The hook library rbac: roles of requests over HTTP and HTTPS by each method, refusals with Kea's answers, pages, the filter of
list-commands, reloads under open connections, the agent's answer, and configurations that are refused."""

import json
import os
import shutil

from lib.metrics import Text
from lib.netns import wait_for
from lib.runner import test
from lib.server import slack
from lib.web import Authority, Web

PORT, TLS_PORT = 8000, 8443
FORBIDDEN = {"result": 403, "text": "Forbidden"}
READ_ALL = {"accept-commands": "READ", "reject-commands": "WRITE"}


def _rbac(method, *roles, **more):
    return [{"library": "libdhcp_rbac.so", "parameters": {"assign-role-method": method, "roles": list(roles), **more}}]


def _role(name, *commands, **more):
    return {"name": name, "accept-commands": {"commands": list(commands)}, "reject-commands": "ALL", **more}


def _clients(*names):
    return {"authentication": {"type": "basic", "realm": "lab", "clients": [
        {"user": n, "password": n + " secret"} for n in names]}}


def _serve(t, libraries, *sockets):
    s = t.server(start=False, interfaces=(), **{"hooks-libraries": libraries})
    unix = s.conf.pop("control-socket")
    s.conf["control-sockets"] = [unix, *sockets]
    s.start()
    return s


def _tls(ca, server, **more):
    return {"socket-type": "https", "socket-port": TLS_PORT, "cert-file": server[0], "key-file": server[1],
            "trust-anchor": ca.cert, **more}


def _web(s, name):
    return Web(s.ns, PORT, user=(name, name + " secret"))


def _send(web, command):
    """The status of a command, and the answer."""
    status, _, text = web.post({"command": command})
    return status, json.loads(text)


def _check(web, good=(), forbidden=()):
    for command in good:
        status, answer = _send(web, command)
        assert status == 200 and isinstance(answer, list), (command, status, answer)
    for command in forbidden:
        assert _send(web, command) == (403, FORBIDDEN), (command, _send(web, command))


def _reload(s, libraries, want=0):
    s.conf["hooks-libraries"] = libraries
    s.write_conf()
    answer = s.command("config-reload")
    assert answer["result"] == want, answer
    return answer.get("text", "")


@test(timeout=60, tags=("asan", "tsan"))
def test_rbac_users(t):
    """Users of basic authentication have their roles; a reload changes the roles of open connections; the unix socket is not
    concerned; refusals are counted and logged."""
    roles = (_role("reader", "config-get", "list-commands"),
             {"name": "writer", "accept-commands": "ALL", "reject-commands": {"commands": ["status-get"]}, "list-match-first": "reject"})
    s = _serve(t, _rbac("basic-authentication", *roles),
               {"socket-type": "http", "socket-port": PORT, **_clients("reader", "writer", "other")})
    reader, writer, other = (_web(s, n) for n in ("reader", "writer", "other"))
    _check(reader, ["config-get", "list-commands"], ["status-get", "config-set", "make-coffee", "config-reload"])
    _check(writer, ["config-get", "list-commands", "dhcp-disable", "dhcp-enable", "make-coffee"], ["status-get"])
    _check(other, (), ["config-get", "list-commands", "status-get", "shutdown"])
    assert Web(s.ns, PORT).post({"command": "config-get"})[0] == 401
    # no command at all: refused as without the library
    status, _, text = reader.post({"arguments": {}})
    assert status == 200 and json.loads(text)[0]["result"] == 1, text
    assert s.command("status-get")["result"] == 0
    events = Text(s.ok("metrics-get")["metrics"])
    n = events.get("usher_hook_events_total", library="libdhcp_rbac.so", event="request-forbidden")
    # a thread of its own writes the log
    wait_for("%d refusals in the log" % n, lambda: s.log().count("RBAC_AUTH_RESPONSE 403") >= n, slack(5))
    log = s.log()
    assert n == log.count("RBAC_AUTH_RESPONSE 403"), (n, log.count("RBAC_AUTH_RESPONSE 403"))
    assert "RBAC_LOAD_OK" in log
    assert "RBAC_AUTH_RESPONSE 403 Forbidden: command 'status-get' of 127.0.0.1 over http, role 'reader'" in log, s.tail()
    # an open connection has its new role at the next request
    sock = reader.connection().sock
    _reload(s, _rbac("basic-authentication", _role("reader", "status-get"), **{"unknown-role": READ_ALL}))
    _check(reader, ["status-get"], ["config-get", "list-commands"])
    assert reader.connection().sock is sock
    _check(other, ["config-get", "status-get"], ["config-set", "dhcp-disable"])
    _reload(s, [])
    _check(reader, ["status-get", "config-get", "dhcp-disable"])
    assert reader.connection().sock is sock and s.logged("RBAC_UNLOAD_OK")


@test(timeout=60, tags=("asan", "tsan"))
def test_rbac_certificates(t):
    """The common names of a client's certificate and of its authority are roles; TLS is required then; a certificate without
    a common name has no role, nor has a client of a socket that asks for no certificate."""
    ca = Authority(t.lab)
    server, alice, bob = (ca.issue(n) for n in ("server", "alice", "bob"))
    roles = (_role("alice", "config-get"),
             {"name": "bob", "accept-commands": "ALL", "reject-commands": {"commands": ["config-get"]}, "list-match-first": "reject"})
    default = {"accept-commands": {"commands": ["version-get"]}}
    s = _serve(t, _rbac("cert-subject", *roles, **{"default-role": default}), _tls(ca, server),
               _tls(ca, server, **{"socket-port": 8444, "cert-required": False}),
               {"socket-type": "http", "socket-port": PORT})

    def web(cert, port=TLS_PORT):
        return Web(s.ns, port, ca=ca.cert, cert=cert)
    first = web(alice)
    _check(first, ["config-get"], ["status-get", "list-commands"])
    _check(web(bob), ["status-get", "list-commands"], ["config-get"])
    _check(web(ca.issue("")), ["version-get"], ["config-get"])
    _check(web(ca.issue("mallory")), (), ["status-get", "version-get"])
    _check(web(alice, 8444), ["version-get"], ["config-get"])
    _check(web(None, 8444), ["version-get"], ["config-get"])
    # no TLS: 401, before the role
    assert _send(Web(s.ns, PORT), "version-get") == (401, {"result": 401, "text": "Unauthorized"})
    assert s.logged("RBAC_AUTH_RESPONSE 401 Unauthorized"), s.tail()
    events = Text(s.ok("metrics-get")["metrics"])
    assert events.get("usher_hook_events_total", library="libdhcp_rbac.so", event="request-without-tls") == 1
    assert Web(s.ns, PORT).request("GET", "/metrics")[0] == 401
    assert Web(s.ns, PORT).request("GET", "/readyz")[0] == 200
    # the authority's name
    _reload(s, _rbac("cert-issuer", _role("ca", "status-get")))
    _check(first, ["status-get"], ["config-get"])
    _reload(s, _rbac("cert-issuer", _role("other", "status-get")))
    _check(first, (), ["status-get", "config-get"])
    _reload(s, _rbac("cert-issuer", _role("ca", "version-get"), **{"require-tls": False, "default-role": default}))
    _check(first, ["version-get"], ["status-get"])
    _check(Web(s.ns, PORT), ["version-get"], ["status-get"])


@test(timeout=60, tags=("asan",))
def test_rbac_addresses(t):
    """The address of a requester is its role, over HTTP and HTTPS, IPv4 and IPv6; a request may remove its own right."""
    ca = Authority(t.lab)
    server, client = ca.issue("server"), ca.issue("client")
    s = _serve(t, _rbac("remote-address", _role("127.0.0.1", "config-get", "config-set")),
               {"socket-type": "http", "socket-port": PORT}, {"socket-type": "http", "socket-port": PORT, "socket-address": "::1"},
               _tls(ca, server))
    webs = [Web(s.ns, PORT), Web(s.ns, TLS_PORT, ca=ca.cert, cert=client)]
    for web in webs:
        _check(web, ["config-get"], ["status-get", "list-commands"])
    six = Web(s.ns, PORT, address="::1")
    _check(six, (), ["config-get"])
    # config-get has the parameters as they were written
    answer = webs[0].command("config-get")["arguments"]["Dhcp4"]["hooks-libraries"]
    assert answer == s.conf["hooks-libraries"], answer
    s.conf["hooks-libraries"] = _rbac("remote-address", _role("192.0.2.33", "config-get"), _role("::1", "status-get"))
    assert webs[0].command("config-set", {"Dhcp4": s.conf})["result"] == 0
    for web in webs:
        _check(web, (), ["status-get", "config-get", "config-set"])
    _check(six, ["status-get"], ["config-get"])
    _reload(s, _rbac("remote-address", _role("127.0.0.1", "config-get"), **{"require-tls": True}))
    assert _send(webs[0], "config-get")[0] == 401
    _check(webs[1], ["config-get"], ["status-get"])


@test(timeout=60, tags=("asan",))
def test_rbac_pages_and_lists(t):
    """A page needs the right to the command with its contents; list-commands names accepted commands only, if the role says
    so; the agent's answer to config-get needs that right."""
    roles = ({"name": "stats", "accept-commands": {"commands": ["metrics-get", "list-commands", "statistic-get-all"]}},
             {"name": "subnets", "accept-commands": "ALL", "reject-commands": {"hook": "subnet_cmds"}, "list-match-first": "reject",
              "response-filters": ["list-commands"]},
             {"name": "all", "accept-commands": "ALL", "reject-commands": {"hook": "subnet_cmds"}, "list-match-first": "reject"},
             {"name": "hidden", "accept-commands": {"commands": ["version-get"]}, "other-commands": "reject"},
             _role("odd", "list-commands", "status-get", **{"response-filters": ["list-commands"]}))
    libraries = [{"library": "libdhcp_subnet_cmds.so"}, {"library": "libdhcp_class_cmds.so"}, *_rbac("basic-authentication", *roles)]
    s = _serve(t, libraries, {"socket-type": "http", "socket-port": PORT, **_clients("stats", "subnets", "all", "hidden", "odd")})
    stats, subnets, everything, hidden, odd = (_web(s, n) for n in ("stats", "subnets", "all", "hidden", "odd"))
    for path, reads in (("/metrics", True), ("/api/v1/drops?name=none", True), ("/readyz", True), ("/", True), ("/app.js", True),
                        ("/api/v1/leases", False), ("/api/v1/config", False), ("/api/v1/log", False), ("/api/v1/events", False),
                        ("/api/v1/reservations", False), ("/api/v1/about", False), ("/api/v1/health", False)):
        status, _, text = stats.request("GET", path)
        assert (status != 403) == reads, (path, status, text[:200])
        assert reads or json.loads(text) == FORBIDDEN, (path, text)
        stats.close()
        if path != "/api/v1/events":
            assert everything.request("HEAD", path)[0] != 403, path
    names = set(everything.command("list-commands")["arguments"])
    assert {"subnet4-del", "network4-add", "class-add", "config-get"} <= names
    shown = set(subnets.command("list-commands")["arguments"])
    of_library = {n for n in names if n.startswith(("subnet4-", "subnet6-", "network4-", "network6-"))} - {"subnet4-select-test"}
    assert {"class-add", "config-get"} <= shown and names - shown == of_library, names - shown
    assert set(odd.command("list-commands")["arguments"]) == {"list-commands", "status-get"}
    assert set(s.command("list-commands")["arguments"]) == names
    _check(everything, (), ["subnet4-list"])
    _check(hidden, ["version-get"], ["list-commands"])
    # a socket that plays Kea's control agent
    s.conf["control-sockets"][1]["user-context"] = {"usher": {"control-agent": True}}
    _reload(s, libraries)
    assert "Control-agent" in everything.command("config-get")["arguments"]
    _check(hidden, (), ["config-get"])


@test(timeout=60)
def test_rbac_files_and_refusals(t):
    """API files of a directory say which commands read; a reload reads them again. A mistake refuses the configuration with
    its place, and nothing changes."""
    d = t.lab.path("api")
    os.mkdir(d)

    def describe(name, access, hook=""):
        with open(os.path.join(d, name + ".json"), "w", encoding="utf-8") as f:
            json.dump({"name": name, "access": access, "hook": hook, "brief": ["text"]}, f)
    for name, access in (("dhcp-disable", "write"), ("status-get", "read")):
        describe(name, access)
    libraries = _rbac("basic-authentication", {"name": "reader", **READ_ALL}, _role("named", "dhcp-disable"), **{"api-files": d})
    s = _serve(t, libraries, {"socket-type": "http", "socket-port": PORT, **_clients("reader", "named")})
    reader, named = _web(s, "reader"), _web(s, "named")
    _check(reader, ["status-get"], ["dhcp-disable", "config-get"])
    _check(named, ["dhcp-disable"], ["status-get"])
    describe("dhcp-disable", "read")
    _check(reader, (), ["dhcp-disable"])
    _reload(s, libraries)
    _check(reader, ["dhcp-disable"], ["config-get"])
    os.unlink(os.path.join(d, "dhcp-disable.json"))
    text = _reload(s, libraries, want=1)
    assert "unknown command 'dhcp-disable'" in text and "usher.conf:" in text, text
    _check(named, ["dhcp-disable"])
    custom = _rbac("basic-authentication", _role("named", "dhcp-disable"), {"name": "reader", "accept-commands": {"hook": "my-hook"}},
                   **{"api-files": d, "commands": [{"name": "dhcp-disable", "access": "write", "hook": "my-hook"}]})
    _reload(s, custom)
    _check(named, ["dhcp-disable"], ["dhcp-enable"])
    _check(reader, ["dhcp-disable"], ["dhcp-enable"])
    # a directory that is not there: the built-in descriptions
    shutil.rmtree(d)
    _reload(s, libraries)
    assert s.logged("USHER_RBAC_API_FILES_ABSENT"), s.tail()
    _check(reader, ["status-get", "config-get"], ["dhcp-disable"])
    for bad, words in ((_rbac("foobar"), "'assign-role-method' must be"),
                       ([{"library": "libdhcp_rbac.so"}], "needs 'assign-role-method'"),
                       (_rbac("custom-value", {"name": ""}), "must have a 'name'"),
                       (_rbac("custom-value", {"name": "a", "accept-commands": "SOME"}), "'SOME' is no access list"),
                       (_rbac("custom-value", _role("a", "conf-get")), "unknown command 'conf-get'"),
                       (_rbac("custom-value", **{"roles-x": []}), "roles-x")):
        text = _reload(s, bad, want=1)
        place = text.split("usher.conf:")[1].split(" ")[0] if "usher.conf:" in text else ""
        assert words in text and place.count(":") == 2 and int(place.split(":")[0]) > 1, text
        _check(reader, ["status-get"], ["dhcp-disable"])
    assert s.logged("RBAC_LOAD_FAILED"), s.tail()
