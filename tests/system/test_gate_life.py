# SPDX-License-Identifier: MPL-2.0
"""How usher-gate ends, and its checks before it starts: rules in the kernel after a kill, signals, files that are
only checked, ports with a second way round the gate."""

import json
import os
import signal
import subprocess

from lib.gate import Gate, cable, router
from lib.netns import wait_for
from lib.runner import test
from lib.server import slack


def _queue_rules(g):
    return [r for r in g.run("iptables-legacy", "-t", "raw", "-S").splitlines() if "NFQUEUE" in r]


def _ping(a):
    return a.run("ping", "-c", "1", "-W", str(slack(2)), "10.71.0.2", check=False, timeout=slack(10))


@test()
def test_gate_killed_leaves_no_rules(t):
    """kill -9 of a gate with --queue-rules: a second process removes its rules, and the network works again."""
    a, _, g = router(t)
    gate = Gate(t, g).start("-q", "5", "--queue-rules")
    assert len(_queue_rules(g)) == 2 and "1 received" in _ping(a)
    gate.kill()
    wait_for("the rules to go", lambda: not _queue_rules(g), slack(10))
    assert "1 received" in _ping(a)


@test()
def test_gate_removes_left_rules(t):
    """Rules that a killed gate left, the second process with it: the next start takes them away."""
    a, _, g = router(t)
    for chain, direction in (("PREROUTING", "-i"), ("OUTPUT", "-o")) * 2:
        g.run("iptables-legacy", "-t", "raw", "-I", chain, "-m", "mark", "!", "--mark", "0x757367", "!", direction, "lo",
              "-j", "NFQUEUE", "--queue-num", "6")
    gate = Gate(t, g).start("-q", "6", "--queue-rules")
    assert len(_queue_rules(g)) == 2
    gate.end()
    assert not _queue_rules(g) and "1 received" in _ping(a)


@test(cases={"hup": signal.SIGHUP, "quit": signal.SIGQUIT})
def test_gate_signals(t, number):
    """Signals that ask nothing are ignored; a closed terminal ends the gate as SIGTERM does, its rules with it."""
    _, _, g = router(t)
    gate = Gate(t, g).start("-q", "7", "--queue-rules")
    for ignored in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM):
        gate.proc.send_signal(ignored)
    assert gate.ctl("statistics")["accepted"] >= 0
    gate.proc.send_signal(number)
    assert gate.proc.wait(slack(10)) == 0, gate.log()
    assert not _queue_rules(g)


@test()
def test_gate_second_way(t):
    """Ports that are in a bridge, too: a warning that names both."""
    _, _, g = cable(t)
    g.ip("link", "add", "br7", "type", "bridge")
    g.ip("link", "set", "ga", "master", "br7")
    gate = Gate(t, g).start("-i", "ga", "-i", "gb")
    assert "warning: ga is a port of br7" in gate.log(), gate.log()
    assert "gb is a port" not in gate.log(), gate.log()
    gate.end()


def _check(t, *args):
    binary = os.path.join(os.path.dirname(t.binary), "usher-gate")
    r = subprocess.run([binary, *args], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=slack(20))
    return r.returncode, r.stdout


@test()
def test_gate_check(t):
    """-t reports errors of a rule file or a guard's file, with their place and exit code."""
    good, bad, guard = t.lab.path("good.lua"), t.lab.path("bad.lua"), t.lab.path("guard.json")
    with open(good, "w", encoding="utf-8") as f:
        f.write("haka.rule{ on = haka.dissectors.udp.events.receive_packet, eval = function (pkt) end }\n")
    with open(bad, "w", encoding="utf-8") as f:
        f.write("\nhaka.rule{ on = haka.dissectors.udp.events.recieve_packet, eval = function (pkt) end }\n")
    assert _check(t, "-t", good) == (0, "usher-gate: good\n")
    code, text = _check(t, "-t", bad)
    assert code == 1 and "bad.lua:2" in text and "recieve_packet" in text, text
    with open(guard, "w", encoding="utf-8") as f:
        json.dump({"ports": [{"name": "p0", "role": "trusted"}]}, f)
    assert _check(t, "-t", "--guard", guard) == (0, "usher-gate: good\n")
    with open(guard, "w", encoding="utf-8") as f:
        json.dump({"ports": [{"name": "p0", "role": "truste"}]}, f)
    code, text = _check(t, "-t", "--guard", guard)
    assert code == 1 and "guard.json:1" in text, text


@test()
def test_gate_failed_start(t):
    """A start that fails ends with its error as the last line, exit code 1 and no summary; a good one has a summary."""
    rule, capture = t.lab.path("rule.lua"), t.lab.path("empty.pcap")
    with open(capture, "wb") as f:
        f.write(bytes.fromhex("d4c3b2a1020004000000000000000000ffff000001000000"))
    with open(rule, "w", encoding="utf-8") as f:
        f.write("haka.logg('x')\n")
    for args, says in ((("-r", capture, rule), "haka has no 'logg' (did you mean 'log'?)"),
                       (("-r", capture, t.lab.path("none.lua")), "none.lua"),
                       (("-r", t.lab.path("none.pcap")), "none.pcap"),
                       (("-r", capture, "-w", t.lab.path("none/out.pcap")), "out.pcap"),
                       (("-i", "no-such-if0", "-i", "no-such-if1"), "no-such-if0")):
        code, text = _check(t, *args)
        lines = text.splitlines()
        assert code == 1 and says in lines[-1], (args, code, text)
        assert "packets" not in text and "accepted" not in text, (args, text)
    code, text = _check(t, "-r", capture)
    assert code == 0 and "accepted" in text, text


@test()
def test_guard_where_bindings_cannot_be(t):
    """Bindings in a directory that is not there are refused at the start; a guard that trusts no port says so."""
    _, _, g = cable(t)
    guard = t.lab.path("guard.json")
    with open(guard, "w", encoding="utf-8") as f:
        json.dump({"ports": [{"name": "gb", "role": "trusted"}], "bindings": {"file": "/nonexistent/dir/bindings"}}, f)
    r = subprocess.run(["ip", "netns", "exec", g.name, os.path.join(os.path.dirname(t.binary), "usher-gate"), "-i", "ga", "-i", "gb",
                        "--guard", guard, "-s", "none"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=slack(20))
    assert r.returncode == 1 and "/nonexistent/dir" in r.stdout, r.stdout
    with open(guard, "w", encoding="utf-8") as f:
        f.write("{}")
    gate = Gate(t, g).start("-i", "ga", "-i", "gb", "--guard", guard)
    assert "no port is \"trusted\"" in gate.log(), gate.log()
    gate.end()
