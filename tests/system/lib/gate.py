# SPDX-License-Identifier: MPL-2.0
"""usher-gate under test: its process, its rules, its summary; and the networks it stands in."""

import json
import os
import signal
import subprocess

from lib.netns import sh, wait_for
from lib.server import slack


class Gate:
    """One usher-gate in namespace ns. rules: text of its rule file, or None."""

    def __init__(self, t, ns, rules=None, name="gate"):
        self.t, self.ns, self.name = t, ns, name
        self.binary = os.path.join(os.path.dirname(t.binary), "usher-gate")
        self.log_path = t.lab.path(name + ".log")
        self.out_path = t.lab.path(name + ".out")
        self.socket = t.lab.path(name + ".sock")
        self.rules = None
        self.proc = None
        if rules is not None:
            self.rules = t.lab.path(name + ".lua")
            with open(self.rules, "w", encoding="utf-8") as f:
                f.write(rules)

    def start(self, *args):
        cmd = [self.binary, *([self.rules] if self.rules else []), "--json", "--alert", self.t.lab.path(self.name + ".alerts"),
               "--socket", self.socket, *args]
        with open(self.log_path, "ab") as log, open(self.out_path, "wb") as out:
            self.proc = self.t.lab.popen(self.ns, cmd, stdin=subprocess.DEVNULL, stdout=out, stderr=log)
        wait_for("the gate to start", lambda: "started" in self.log() or self.proc.poll() is not None, slack(10))
        assert self.proc.poll() is None, self.log()
        return self

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as f:
            return f.read()

    def said(self):
        with open(self.out_path, encoding="utf-8", errors="replace") as f:
            return f.read()

    def ctl(self, command, *words):
        """usherctl gate: the answer's arguments."""
        out = sh(os.path.join(os.path.dirname(self.binary), "usherctl"), "gate", "-s", self.socket, "--json", command, *words)
        answer = json.loads(out)
        assert answer["result"] == 0, answer
        return answer["arguments"]

    def end(self):
        """Asks it to end; its summary."""
        self.proc.send_signal(signal.SIGTERM)
        code = self.proc.wait(slack(10))
        assert code == 0, "exit code %d: %s" % (code, self.log())
        return json.loads(self.said().strip().splitlines()[-1])

    def kill(self):
        self.proc.kill()
        self.proc.wait(slack(5))


def lossy(every):
    """A rule that loses each `every`th TCP segment on its way to the others; 0: none."""
    return """
local segments = 0
haka.rule{ on = haka.dissectors.tcp.events.receive_packet, eval = function (pkt)
	segments = segments + 1
	if segments %% %d == 0 then pkt:drop() end
end }
""" % every if every else ""


def cable(t, offload=True):
    """Hosts `a` (10.70.0.1) and `b` (10.70.0.2), and between them `gate` with interfaces ga and gb."""
    a, b, g = t.lab.ns("a"), t.lab.ns("b"), t.lab.ns("gate")
    t.lab.veth(a, "a0", g, "ga")
    t.lab.veth(b, "b0", g, "gb")
    for ns, ifname in ((g, "ga"), (g, "gb")):
        ns.ip("link", "set", ifname, "up")
    a.addr("a0", "10.70.0.1/24")
    b.addr("b0", "10.70.0.2/24")
    if not offload:
        for ns, ifname in ((a, "a0"), (b, "b0"), (g, "ga"), (g, "gb")):
            ns.run("ethtool", "-K", ifname, "tx", "off", "tso", "off", "gso", "off", "gro", "off")
    return a, b, g


def router(t):
    """The same hosts in two networks (10.70.0.1, 10.71.0.2) that `gate` routes between."""
    a, b, g = t.lab.ns("a"), t.lab.ns("b"), t.lab.ns("gate")
    t.lab.veth(a, "a0", g, "ga")
    t.lab.veth(b, "b0", g, "gb")
    g.addr("ga", "10.70.0.254/24")
    g.addr("gb", "10.71.0.254/24")
    a.addr("a0", "10.70.0.1/24")
    b.addr("b0", "10.71.0.2/24")
    a.ip("route", "add", "default", "via", "10.70.0.254")
    b.ip("route", "add", "default", "via", "10.71.0.254")
    g.run("sysctl", "-qw", "net.ipv4.ip_forward=1")
    return a, b, g
