# SPDX-License-Identifier: MPL-2.0
"""The measurements of the clients: each row gives columns, lines and data; and the blocks of README.md and
doc/performance.md about them."""

import os
import random
import shutil
import subprocess
import time

from bench.client import clients
from bench.client.world import SERVERS, Failed, Rig
from bench.lib import numbers
from bench.lib.numbers import figure, with_range
from lib import client_states

ROWS = {}
REST = 1.5	# seconds behind the address, until a client is at rest


def row(name, title):
    def register(fn):
        ROWS[name] = (title, fn)
        return fn
    return register


class Context:
    def __init__(self, labs, build, quick):
        self.labs, self.build, self.quick, self.failures = labs, build, quick, []

    def attempt(self, what, fn):
        try:
            return fn()
        except (Failed, AssertionError, OSError, RuntimeError, ValueError) as e:
            self.failures.append("%s: %s" % (what, e))
            print("  FAIL %s" % self.failures[-1], flush=True)
            return None

    def rounds(self, client):
        """Those that wait for seconds are no lottery."""
        slow = client.detects and client is not clients.USHER_FAST
        return (1 if slow else 3) if self.quick else (5 if slow else 21)


# --- time --------------------------------------------------------------------------------------------------

def _one_server(ctx, server, order):
    """{client's name: [(address ms, route ms)]}"""
    out = {}
    with ctx.labs.new() as t:
        rig = Rig(t, ctx.build, server)
        with rig.run(clients.USHER):
            pass  # the first run of all finds cold files
        for client in order:
            def once():
                with rig.run(client) as r:
                    return r.address / 1e6, r.route / 1e6 if r.route else None
            if r := ctx.attempt("%s, %s" % (client.name, server), once):
                out.setdefault(client.name, []).append(r)
    return out


@row("time", "From exec to the address in the kernel, ms")
def time_row(ctx):
    order = [c for c in clients.ALL for _ in range(ctx.rounds(c))]
    data = {}
    for server in SERVERS:
        random.shuffle(order)
        for name, samples in _one_server(ctx, server, order).items():
            d = data.setdefault(name, {"runs": len(samples)})
            d[server] = numbers.spread([a for a, _ in samples])
            routes = [r - a for a, r in samples if r is not None]
            d[server + " route"] = numbers.spread(routes) if routes else None
    lines = [[c.name, c.acd, data[c.name]["runs"]] + [with_range(data[c.name].get(s)) for s in SERVERS] +
             [with_range(data[c.name].get("usher-server route"))] for c in clients.ALL if c.name in data]
    return {"columns": ["client", "conflict detection", "runs"] + list(SERVERS) + ["default route, behind the address"],
            "lines": lines, "data": data}


# --- memory, calls, size -------------------------------------------------------------------------------------

def _each(ctx, what, fn, which=None):
    """{client's name: fn(rig, client)}"""
    out = {}
    with ctx.labs.new() as t:
        rig = Rig(t, ctx.build, "usher-server")
        for client in which or clients.ONE_EACH:
            if r := ctx.attempt("%s of %s" % (what, client.name), lambda: fn(rig, client)):
                out[client.name] = r
    return out


@row("memory", "Memory while it is bound, all its processes, kB")
def memory(ctx):
    def once(rig, client):
        with rig.run(client) as r:
            time.sleep(REST)
            return dict(zip(("peak", "pss", "processes"), r.memory()))
    data = _each(ctx, "memory", once, clients.ONE_EACH + [clients.USHER_FAST])
    return {"columns": ["client", "processes", "peak (sum of VmHWM)", "at rest (sum of PSS)"],
            "lines": [[n, d["processes"], figure(d["peak"]), figure(d["pss"])] for n, d in data.items()], "data": data}


@row("calls", "System calls of all its processes, scripts included")
def calls(ctx):
    def once(rig, client):
        path = rig.t.lab.path("strace")
        with rig.run(client, strace=path) as r:
            time.sleep(REST)
        with open(path, encoding="utf-8", errors="replace") as f:
            log = numbers.strace_log(f.read())
        return {"bound": sum(at <= r.wall for at, _, _ in log), "all": len(log), "processes": len({p for _, p, _ in log})}
    data = _each(ctx, "system calls", once, clients.ONE_EACH + [clients.USHER_FAST])
    return {"columns": ["client", "from exec to address and default route", "until %s s behind it" % REST, "processes in all"],
            "lines": [[n, figure(d["bound"]), figure(d["all"]), d["processes"]] for n, d in data.items()], "data": data}


def _stripped(path, directory):
    """Octets of a binary without its debugging information, as a package has it."""
    out = os.path.join(directory, "stripped")
    subprocess.run(["strip", "-o", out, path], check=True)
    return os.path.getsize(out)


@row("size", "The program with the libraries that it maps, octets")
def size(ctx):
    def once(rig, client):
        with rig.run(client) as r:
            files = r.mapped()
        own = os.path.realpath(shutil.which(client.command(rig.t.lab.dir, rig.usher)[0]))
        libraries = [s for path, s in files.items() if path != own]
        return {"program": _stripped(own, rig.t.lab.dir), "libraries": len(libraries), "libraries_size": sum(libraries)}
    data = _each(ctx, "size", once)
    return {"columns": ["client", "program, stripped", "libraries", "their size", "all"],
            "lines": [[n, figure(d["program"]), d["libraries"], figure(d["libraries_size"]),
                       figure(d["program"] + d["libraries_size"])] for n, d in data.items()], "data": data}


# --- waiting ---------------------------------------------------------------------------------------------------

@row("idle", "usher-client while it waits (no busy waiting): both processes, a second")
def idle(ctx):
    data, seconds = {}, 1.5 if ctx.quick else 5
    for state in client_states.STATES:
        def once():
            with ctx.labs.new() as t:
                scene = client_states.enter(t, state)
                span = client_states.LONGEST.get(state, seconds)
                a = client_states.activity(scene, state, min(seconds, span))
                return {"cpu_ms": a.cpu_ms, "switches": a.switches, "seconds": min(seconds, span)}
        if r := ctx.attempt("idle in " + state, once):
            data[state] = r
    return {"columns": ["state", "seconds", "CPU ms a second", "context switches a second"],
            "lines": [[s, figure(d["seconds"]), figure(d["cpu_ms"]), figure(d["switches"])] for s, d in data.items()],
            "data": data}


# --- summary -----------------------------------------------------------------------------------------------------

def _value(results, name, *path):
    v = results.get(name, {}).get("data", {})
    for k in path:
        v = v.get(k) if isinstance(v, dict) else None
    return v[0] if isinstance(v, (list, tuple)) else v


def goals(results):
    """[(goal, figure, met or None)]"""
    fast, off = clients.USHER_FAST.name, clients.USHER.name
    cpu = [d["cpu_ms"] for d in results.get("idle", {}).get("data", {}).values()]
    list_ = [("address at most 3 ms behind exec, without probing (ms)", _value(results, "time", off, "usher-server"), 3),
             ("the same from Kea", _value(results, "time", off, "Kea"), 3),
             ("at most 215 ms with the fast probe (ms)", _value(results, "time", fast, "usher-server"), 215),
             ("both processes in at most 1,000 kB (kB)", _value(results, "memory", fast, "peak"), 1000),
             ("fewer than 100 system calls to the address, without probing", _value(results, "calls", off, "bound"), 99),
             ("no busy waiting in any state: at most 5 ms CPU a second (ms)", max(cpu, default=None), 5)]
    return [(text, v, None if v is None else v <= most) for text, v, most in list_]


def document(run):
    """The block of doc/performance.md."""
    f = run["facts"]
    out = ["Measured on %s: %s, %d cores, Linux %s. %s" % (f["date"], f["cpu"], f["cores"], f["kernel"],
                                                       "; ".join(v for v in run["versions"] if v)),
           "Repeat it: `sudo make bench-client`%s; a single table: `ONLY=` with the name below it. Medians, in brackets "
           "the least and the most." % (" QUICK=1" if run["quick"] else ""),
           "### Goals of the client\n\n" + numbers.table(["goal", "measured", "reached"], [
               [text, figure(v), "not measured" if met is None else "yes" if met else "**no**"]
               for text, v, met in goals(run["results"])])]
    for name, r in run["results"].items():
        out.append("### %s\n\n`ONLY=%s`\n\n%s" % (ROWS[name][0], name, numbers.table(r["columns"], r["lines"])))
    return "\n\n".join(out)


def short(run):
    """The block of README.md: one line a client."""
    res, lines = run["results"], []
    for plain, probing in ((clients.USHER, clients.USHER_FAST), (clients.UDHCPC, clients.UDHCPC_A),
                           (clients.DHCLIENT, None), (clients.DHCPCD_BARE, clients.DHCPCD)):
        name = plain.name.split()[0]
        rest = plain.name if plain in clients.ONE_EACH else probing.name
        sizes = [_value(res, "size", rest, k) for k in ("program", "libraries_size")]
        lines.append([name, figure(_value(res, "time", plain.name, "usher-server")),
                      figure(_value(res, "time", probing.name, "usher-server")) if probing else "has none",
                      figure(_value(res, "memory", rest, "peak")), figure(_value(res, "calls", rest, "bound")),
                      figure(sum(sizes) // 1000 if None not in sizes else None)])
    f = run["facts"]
    return numbers.table(["", "exec to address, ms", "with conflict detection, ms", "peak memory, kB",
                          "system calls to the address", "program and libraries, kB"], lines) + (
        "\n\n%s, Linux %s, %s; medians of one run, side by side; calls and memory without conflict\n"
        "detection, except dhcpcd's; dhcpcd's 2 s of random delay left out of the first column. `sudo make bench-client` repeats it;\n"
        "[doc/performance.md](doc/performance.md#the-client) has the rest, and the options of each client.") % (
            f["cpu"], f["kernel"], f["date"])
