# SPDX-License-Identifier: MPL-2.0
"""The examples of README, doc/ and the manual pages, each run as it is printed (lib/documents.py has the marks). A world
has directories of its own behind /etc/kea, /run and /var/lib, and hosts in network namespaces; `sudo` is not needed in it,
because everything runs as root."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

from lib import documents
from lib.netns import wait_for
from lib.runner import test
from lib.server import slack

_CONFIG = {
    "interfaces-config": {"interfaces": ["eth1"]},
    "control-socket": {"socket-type": "unix", "socket-name": "/run/kea/kea4-ctrl-socket"},
    "lease-database": {"type": "memfile", "name": "/var/lib/kea/kea-leases4.csv"},
    "loggers": [{"name": "kea-dhcp4", "severity": "INFO", "output_options": [{"output": "stdout"}]}],
    "valid-lifetime": 600,
    "subnet4": [
        {"id": 1, "subnet": "192.0.2.0/24", "interface": "eth1", "pools": [{"pool": "192.0.2.10 - 192.0.2.200"}],
         "option-data": [{"name": "routers", "data": "192.0.2.1"}]},
    ],
}
# commands that run until they are ended, and the words by which they say that they are ready
_SERVING = (
    (r"usher-server -c \S+$", r"server version \S+ started"),
    (r"usher-gate .*(-i|-q) ", r"started"),
    (r"make run( IFACE=.*)?$", r"server version \S+ started|Ctrl-C"),
    (r"usherctl client events$", None),  # says nothing before there is an event
)


class World:
    """One mount namespace, several network namespaces: hosts share files, not wires."""

    def __init__(self, t, home, own=("/etc/kea", "/run", "/var/lib", "/var/log")):
        self.t, self.dir = t, t.lab.path("world")
        os.makedirs(os.path.join(self.dir, "bin"))
        build = os.path.dirname(os.path.abspath(t.binary))
        os.symlink(build, os.path.join(self.dir, "build"))
        with open(os.path.join(self.dir, "bin", "sudo"), "w", encoding="utf-8") as f:
            f.write('#!/bin/sh\nexec "$@"\n')
        os.chmod(os.path.join(self.dir, "bin", "sudo"), 0o755)
        self.env = dict(os.environ, PATH="%s/bin:%s:%s" % (self.dir, build, os.environ["PATH"]))
        for name in ("USHER_CONTROL_SOCKET", "KEA_PIDFILE_DIR", "KEA_LOCKFILE_DIR"):
            self.env.pop(name, None)
        self.home = home
        self.cwd = self.dir
        script = ("mount --make-rprivate / && for d in %s; do mount -t tmpfs none $d || exit 1; done;"
                  "mkdir -p /run/kea /run/usher /var/lib/kea; echo ready; exec sleep 600") % " ".join(own)
        self.holder = subprocess.Popen(["unshare", "-m", "sh", "-c", script], stdout=subprocess.PIPE, text=True)
        t.lab.procs.append(self.holder)
        assert self.holder.stdout.readline() == "ready\n"
        self.serving = {}
        self.n = 0

    def argv(self, ns, command):
        return ["nsenter", "-m/proc/%d/ns/mnt" % self.holder.pid, "-n/proc/self/fd/%d" % ns.fd, "sh", "-c",
                "cd %s && %s" % (self.cwd, command)]

    def run(self, command, ns=None, timeout=60):
        ns = ns or self.home
        return subprocess.run(self.argv(ns, command), env=self.env, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=slack(timeout), check=False, pass_fds=(ns.fd,))

    def put(self, name, text):
        """A file, by its name in the world."""
        path = name if name.startswith("/") else os.path.join(self.dir, name)
        subprocess.run(self.argv(self.home, "cat >%s" % path), input=text, text=True, check=True, pass_fds=(self.home.fd,))

    def end(self, program):
        p = self.serving.pop(program, None)
        if p:
            os.killpg(p.pid, signal.SIGTERM)
            p.wait(slack(10))

    def serve(self, command, ready, ns=None):
        """Runs until the world ends, or until the same program is started again."""
        ns = ns or self.home
        program = re.search(r"(usher-\w+|make|usherctl)", command).group(1)
        self.end(program)
        self.n += 1
        log = self.t.lab.path("serving-%d.log" % self.n)
        with open(log, "wb") as out:
            p = subprocess.Popen(self.argv(ns, "exec " + command), env=self.env, stdin=subprocess.DEVNULL, stdout=out,
                                 stderr=subprocess.STDOUT, pass_fds=(ns.fd,), start_new_session=True)
        self.t.lab.procs.append(p)
        self.serving[program] = p

        def said():
            with open(log, encoding="utf-8", errors="replace") as f:
                return f.read()
        if ready is None:
            time.sleep(0.3)
        else:
            wait_for("%s to be ready" % command,
                     lambda: re.search(ready, said(), re.M) or p.poll() is not None or None, slack(30))
        assert p.poll() is None, "%s ended with %s: %s" % (command, p.returncode, said()[-2000:])

    def example(self, where, command, ns=None, codes=(0,)):
        for pattern, ready in _SERVING:
            if re.search(pattern, command):
                return self.serve(command, ready, ns)
        r = self.run(command, ns, 90)
        assert r.returncode in codes, "%s: %s: exit code %d: %s" % (where, command, r.returncode, (r.stdout + r.stderr)[-2000:])
        return r

    def close(self):
        for program in list(self.serving):
            self.end(program)


def _world(t, home, **kw):
    w = World(t, home, **kw)
    t.lab.closers.append(w.close)
    return w


def _examples(name):
    blocks, files = documents.of_world(name)
    return [("%s:%d" % (b.path, line), command) for b in blocks for line, command in b.commands()], files


def _config(interface="eth1", subnets=None):
    return json.dumps({"Dhcp4": dict(_CONFIG, **{"interfaces-config": {"interfaces": [interface]}},
                                     **({"subnet4": subnets} if subnets else {}))})


def _segment(t):
    """srv with eth1, 192.0.2.1, on one cable with cli's eth0."""
    srv, cli = t.lab.ns("srv"), t.lab.ns("cli")
    t.lab.veth(srv, "eth1", cli, "eth0")
    srv.addr("eth1", "192.0.2.1/24")
    return srv, cli


def _captures(w, spec, name):
    """One of the captures of the rule tests, made by their script."""
    sys.path.insert(0, os.path.join(documents.ROOT, "tests", "rules"))
    import captures
    import frames
    frames.write_pcap(os.path.join(w.dir, name), captures.make(spec))


@test()
def test_documents_marked(t):
    """Every block of code says how it is run, or why not; every world has a test."""
    assert not documents.unmarked(), documents.unmarked()
    assert documents.worlds() == {"checkout", "server", "client", "load", "gate", "guard", "hooks", "all"}, documents.worlds()


@test(timeout=120, alone=True)
def test_documents_checkout(t):
    """`make run` in its three forms."""
    srv, _ = _segment(t)
    # make looks whether packages are installed, and makes namespaces by their names
    w = _world(t, srv, own=("/etc/kea",))
    w.cwd = documents.ROOT
    w.put("/etc/kea/kea-dhcp4.conf", _config())
    for where, command in _examples("checkout")[0]:
        w.example(where, command)
        w.end("make")


@test(timeout=120)
def test_documents_server(t):
    srv, cli = _segment(t)
    cli.ip("link", "set", "eth0", "address", "02:00:00:00:00:01")
    w = _world(t, srv)
    w.put("/etc/kea/kea-dhcp4.conf", _config())
    _captures(w, "ping", "in.pcap")
    for where, command in _examples("server")[0]:
        if "status-get" in command:  # a client comes between the lines
            assert w.run("usher-client -i eth0 -q -n --no-probe", cli).returncode == 0
        w.example(where, command)
    assert os.path.exists(os.path.join(w.dir, "out.pcap"))


@test(timeout=120)
def test_documents_client(t):
    srv, cli = _segment(t)
    w = _world(t, cli)
    w.put("/etc/kea/kea-dhcp4.conf", _config())
    w.serve("build/usher-server -c /etc/kea/kea-dhcp4.conf", "started", srv)
    for where, command in _examples("client")[0]:
        w.example(where, command)
    assert "192.0.2." in cli.ip("-4", "addr", "show", "eth0")
    assert w.run("usherctl client transition OFF").returncode == 0


@test(timeout=180, alone=True)
def test_documents_load(t):
    srv, cli = t.lab.ns("srv"), t.lab.ns("cli")
    t.lab.veth(srv, "eth0", cli, "eth0")
    t.lab.veth(srv, "eth1", cli, "eth1")
    srv.addr("eth0", "10.0.0.1/24")
    srv.addr("eth1", "198.18.0.1/15")
    cli.addr("eth0", "10.0.0.2/24")
    w = _world(t, cli)
    pools = [{"id": 1, "subnet": "10.0.0.0/8", "pools": [{"pool": "10.64.0.0/10"}]},
             {"id": 2, "subnet": "198.18.0.0/15", "pools": [{"pool": "198.19.0.0/16"}]}]
    config = json.loads(_config(subnets=pools))
    config["Dhcp4"]["interfaces-config"]["interfaces"] = ["eth0", "eth1"]
    w.put("/etc/kea/kea-dhcp4.conf", json.dumps(config))
    w.serve("build/usher-server -c /etc/kea/kea-dhcp4.conf", "started", srv)
    for where, command in _examples("load")[0]:
        # on a machine that does other things the rate may be nothing to be proud of: 1 says so, all else is an error
        w.example(where, command, codes=(0, 1))
    assert os.path.getsize(os.path.join(w.dir, "report.html")) > 1000


@test(timeout=120)
def test_documents_gate(t):
    gw, left, right = t.lab.ns("gw"), t.lab.ns("left"), t.lab.ns("right")
    t.lab.veth(left, "eth0", gw, "eth1")
    t.lab.veth(right, "eth0", gw, "eth2")
    left.addr("eth0", "192.0.2.1/24")
    right.addr("eth0", "192.0.2.2/24")
    w = _world(t, gw)
    examples, files = _examples("gate")
    for name, text in files.items():
        w.put(name, text)
    _captures(w, "http", "in.pcap")
    for where, command in examples:
        w.example(where, command)
        if "-i eth1" in command:
            assert w.run("ping -c 3 -i 0.2 192.0.2.2", left).returncode == 0
    assert os.path.getsize(os.path.join(w.dir, "out.pcap")) > 24


@test(timeout=120)
def test_documents_guard(t):
    gw = t.lab.ns("gw")
    for i in range(4):
        t.lab.veth(gw, "p%d" % i, t.lab.ns("h%d" % i), "eth0")
    w = _world(t, gw)
    examples, files = _examples("guard")
    for name, text in files.items():
        w.put(name, text)
    for where, command in examples:
        w.example(where, command)
    assert w.run("usherctl gate bindings").returncode in (0, 3)


@test(timeout=120)
def test_documents_hooks(t):
    w = _world(t, t.lab.ns("srv"))
    os.symlink(os.path.join(documents.ROOT, "include"), os.path.join(w.dir, "include"))
    shutil.copy(os.path.join(documents.ROOT, "modules", "example", "example.c"), os.path.join(w.dir, "mine.c"))
    for where, command in _examples("hooks")[0]:
        w.example(where, command)
    assert os.path.exists(os.path.join(w.dir, "mine.so"))


@test(timeout=120)
def test_documents_all(t):
    """usherctl(1): a server, clients on two interfaces and a gate with a guard, each as the page expects them."""
    srv, cli, gw = t.lab.ns("srv"), t.lab.ns("cli"), t.lab.ns("gw")
    sw = t.lab.ns("sw")
    for ns, ifname, port in ((srv, "eth1", "s1"), (cli, "eth0", "c0"), (cli, "eth1", "c1")):
        t.lab.veth(ns, ifname, sw, port)
    t.lab.bridge(sw, "br0", "s1", "c0", "c1")
    srv.addr("eth1", "192.0.2.1/24")
    for i in (0, 3):
        t.lab.veth(gw, "eth%d" % i, t.lab.ns("h%d" % i), "eth0")
    w = _world(t, cli)
    w.put("/etc/kea/kea-dhcp4.conf", _config())
    w.put("kea-dhcp4.conf", _config())
    w.put("guard.json", '{"ports": [{"name": "eth0", "role": "trusted"}]}')
    w.put("rules.lua", "haka.shared('blocked')\n")
    w.serve("build/usher-server -c /etc/kea/kea-dhcp4.conf", "started", srv)
    w.serve("usher-gate rules.lua --guard guard.json -i eth0 -i eth3", "started", gw)
    for ifname in ("eth0", "eth1"):
        assert w.run("usher-client --no-probe -i " + ifname).returncode == 0
    for where, command in _examples("all")[0]:
        # deleted already, or none: 3 says that nothing was found
        w.example(where, command, codes=(0, 3))
    for ifname in ("eth0", "eth1"):
        assert w.run("usherctl client -i %s transition OFF" % ifname).returncode == 0
