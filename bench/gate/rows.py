# SPDX-License-Identifier: MPL-2.0
"""The rows of the gate's benchmark: captures, rule files, the other programs, and the figures taken from them. Each measurement is
a whole process on a file that is in memory: its CPU time, user and system, over the packets it was given."""

import os
import random
import subprocess

from bench.lib import numbers

MILLION = 1000000
RULES = {
    "every packet": """
local n = 0
haka.rule{ on = haka.dissectors.ipv4.events.receive_packet, eval = function (pkt)
	if pkt.ttl < 2 then n = n + 1 end
end }
haka.rule{ on = haka.events.exiting, eval = function () print(n) end }
""",
    "condition": """
local n = 0
haka.rule{ on = haka.dissectors.ipv4.events.receive_packet, when = { proto = 99 }, eval = function (pkt) n = n + 1 end }
haka.rule{ on = haka.events.exiting, eval = function () print(n) end }
""",
    "tcp": """
local n = 0
haka.rule{ on = haka.dissectors.tcp.events.receive_packet, eval = function (pkt)
	if pkt.dstport == 80 and pkt.flags.syn then n = n + 1 end
end }
haka.rule{ on = haka.events.exiting, eval = function () print(n) end }
""",
    "http": """
local n = 0
haka.rule{ on = haka.dissectors.http.events.request, eval = function (http, request)
	if request.uri == "/nowhere" or request.method == "BREW" then http:drop() end
	n = n + 1
end }
haka.rule{ on = haka.events.exiting, eval = function () print(n) end }
""",
    "dns": """
local n = 0
haka.rule{ on = haka.dissectors.dns.events.query, eval = function (dns, query)
	if query.question.name == "nowhere.example." then query:drop() end
	n = n + 1
end }
haka.rule{ on = haka.events.exiting, eval = function () print(n) end }
""",
}


class Program:
    """A command on a capture. args: of the file's path; packets: how many it is given of a file; good: its exit codes."""

    def __init__(self, name, args, packets=None, good=(0,)):
        self.name, self.args, self.packets, self.good = name, args, packets, good


class Context:
    """Where the captures are, and how often each program runs."""

    def __init__(self, build, work, quick):
        self.build, self.work = build, work
        self.n = 100000 if quick else MILLION
        self.repeat = 2 if quick else 5
        self.failures = []
        self.rng = random.Random(1)
        self._rules = {}
        for name, text in RULES.items():
            self._rules[name] = os.path.join(work, name.replace(" ", "-") + ".lua")
            with open(self._rules[name], "w", encoding="utf-8") as f:
                f.write(text)

    def capture(self, kind, packets=None, flows=None):
        packets = packets or self.n
        path = os.path.join(self.work, "%s-%d-%s.pcap" % (kind, packets, flows or ""))
        if not os.path.exists(path):
            subprocess.run([os.path.join(self.build, "bench/gate/gate-gen"), kind, str(packets), path,
                            *([str(flows)] if flows else [])], check=True)
        return path

    def first(self, path, packets):
        """Its first packets as a file of their own."""
        short = path.replace(".pcap", "-first-%d.pcap" % packets)
        if not os.path.exists(short):
            subprocess.run(["tcpdump", "-r", path, "-c", str(packets), "-w", short], check=True, stderr=subprocess.DEVNULL)
        return short

    def gate(self, name, rules=None, *more):
        rule = [self._rules[rules]] if rules else []
        return Program(name, lambda path: [os.path.join(self.build, "usher-gate"), *rule, "-r", path, "--json", *more])

    def run(self, program, path):
        """CPU seconds of one run."""
        with open(path, "rb") as f:
            while f.read(1 << 24):
                pass
        p = subprocess.Popen(program.args(path), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                             cwd=self.work)
        p.stdout.read()
        _, status, usage = os.wait4(p.pid, 0)
        p.returncode = os.waitstatus_to_exitcode(status)
        if p.returncode not in program.good:
            self.failures.append("%s ended with %d on %s" % (program.name, p.returncode, os.path.basename(path)))
        return usage.ru_utime + usage.ru_stime

    def measure(self, jobs):
        """jobs: (program, file, packets). In turn and in random order: [CPU ns a packet, …] of each."""
        ns = [[] for _ in jobs]
        for _ in range(self.repeat):
            order = list(range(len(jobs)))
            self.rng.shuffle(order)
            for i in order:
                program, path, packets = jobs[i]
                ns[i].append(1e9 * self.run(program, path) / packets)
        return ns


def _lines(names, jobs, ns):
    out = []
    for name, (_program, _path, packets), values in zip(names, jobs, ns):
        med, low, high = numbers.spread(values)
        out.append([name, numbers.figure(packets), numbers.with_range((1e9 / med, 1e9 / high, 1e9 / low)),
                    numbers.with_range((med, low, high))])
    return out


COLUMNS = ["", "packets", "packets/s", "ns a packet"]


def _row(names, jobs, ctx):
    ns = ctx.measure(jobs)
    return {"columns": COLUMNS, "lines": _lines(names, jobs, ns),
            "values": {name: 1e9 / numbers.spread(v)[0] for name, v in zip(names, ns)}}


def engine(ctx):
    mix, http, dns = ctx.capture("mix"), ctx.capture("http"), ctx.capture("dns")
    loads = [a for d in ("tcp", "udp", "icmp") for a in ("--load", d)]
    all_loads = [a for d in ("http", "dns") for a in ("--load", d)]
    jobs = [
        ("no rule: every frame is accepted", ctx.gate("none"), mix),
        ("no rule, dissectors to TCP and UDP", ctx.gate("headers", None, *loads), mix),
        ("no rule, connections, HTTP and DNS", ctx.gate("all", None, *all_loads), mix),
        ("a rule on every packet", ctx.gate("every", "every packet"), mix),
        ("the same, trusted (compiled)", ctx.gate("trusted", "every packet", "--trusted"), mix),
        ("a condition on every packet", ctx.gate("when", "condition"), mix),
        ("a rule on every TCP segment", ctx.gate("tcp", "tcp"), http),
        ("a rule on every HTTP request", ctx.gate("http", "http"), http),
        ("the same, trusted (compiled)", ctx.gate("http-trusted", "http", "--trusted"), http),
        ("a rule on every DNS query", ctx.gate("dns", "dns"), dns),
        ("the same, trusted (compiled) ", ctx.gate("dns-trusted", "dns", "--trusted"), dns),
    ]
    return _row([j[0] for j in jobs], [(p, f, ctx.n) for _n, p, f in jobs], ctx)


def _peers():
    fields = ["-T", "fields", "-e", "frame.number", "-e", "http.request.uri", "-e", "http.response.code", "-e", "dns.qry.name",
              "-e", "dns.a"]
    return [
        Program("tcpdump, filter in the kernel's language", lambda p: ["tcpdump", "-r", p, "-w", "/dev/null", "tcp port 80 or udp port 53"]),
        Program("ngrep, a pattern over payloads", lambda p: ["ngrep", "-q", "-I", p, "nowhere"], good=(0, 1)),  # 1: nothing found
        Program("ndpiReader, protocols of flows", lambda p: ["ndpiReader", "-i", p, "-q"]),
        Program("tshark, HTTP and DNS fields", lambda p: ["tshark", "-n", "-r", p, *fields], 100000),
    ]


def peers(ctx):
    names, jobs = [], []
    for kind, rules in (("http", "http"), ("dns", "dns")):
        path = ctx.capture(kind)
        names.append("usher-gate, a Lua rule on %s" % ("every HTTP request" if kind == "http" else "every DNS query"))
        jobs.append((ctx.gate(names[-1], rules), path, ctx.n))
        for p in _peers():
            n = min(p.packets or ctx.n, ctx.n)
            names.append("%s (%s)" % (p.name, kind))
            jobs.append((p, ctx.first(path, n) if n < ctx.n else path, n))
    return _row(names, jobs, ctx)


def flows(ctx):
    """First packets make flows, later ones find them: the difference of two files is the cost of a later one."""
    gate = ctx.gate("flows", None, "--load", "udp_connection", "--max-flows", "2097152")
    counts = [c for c in (1, 1000, 10000, 100000, MILLION) if c <= ctx.n]
    jobs = []
    for c in counts:
        for n in (ctx.n, 4 * ctx.n):
            jobs.append((gate, ctx.capture("udp", n, c), n))
    ns = ctx.measure(jobs)
    lines, values = [], {}
    for i, c in enumerate(counts):
        short, long = ns[2 * i], ns[2 * i + 1]
        later = numbers.spread([(4 * b - a) / 3 for a, b in zip(short, long)])
        values[str(c)] = later[0]
        lines.append([numbers.figure(c), numbers.with_range(numbers.spread(short)), numbers.with_range(later)])
    return {"columns": ["conversations at a time", "ns a packet, the first %s packets" % numbers.figure(ctx.n),
                        "ns a packet, later ones"], "lines": lines, "values": values}


ROWS = {
    "engine": ("The cost of rules and dissectors", engine),
    "peers": ("The gate beside other programs on the same file", peers),
    "flows": ("Cost of a packet by conversations at a time", flows),
}


def goals(res):
    """(text, measured, reached or None)."""
    e, f = (res.get(k, {}).get("values", {}) for k in ("engine", "flows"))

    def at_least(text, name, least):
        v = e.get(name)
        return text, v, None if v is None else v >= least
    flat = max(f.values()) / f["1"] if len(f) > 1 else None
    return [
        at_least("over 5,000,000 packets/s without a rule", "no rule: every frame is accepted", 5e6),
        at_least("over 1,000,000 packets/s with a Lua rule on every packet", "a rule on every packet", 1e6),
        at_least("over 1,000,000 packets/s with an HTTP rule", "a rule on every HTTP request", 1e6),
        at_least("over 1,000,000 packets/s with a DNS rule", "a rule on every DNS query", 1e6),
        ("cost of a packet flat from 1 to 1,000,000 flows: the most over that of one flow", flat, None if flat is None else flat < 2),
    ]


def document(run):
    """The block of doc/performance.md."""
    f = run["facts"]
    out = ["Measured on %s: %s, %d cores, Linux %s; one core is used. %s." % (
        f["date"], f["cpu"], f["cores"], f["kernel"], ", ".join(v for v in run["versions"] if v)),
        "Repeat it: `sudo make bench-gate`%s; a single table: `ONLY=` with the name below it. CPU time of whole processes, user "
        "and system, on captures that `bench/gate/gen.c` makes; medians, in brackets the least and the most." % (
            " QUICK=1" if run["quick"] else ""),
        "### Goals of the gate\n\n" + numbers.table(["goal", "measured", "reached"], [
            [text, numbers.figure(v), "not measured" if met is None else "yes" if met else "**no**"]
            for text, v, met in goals(run["results"])])]
    for name, r in run["results"].items():
        out.append("### %s\n\n`ONLY=%s`\n\n%s" % (ROWS[name][0], name, numbers.table(r["columns"], r["lines"])))
    return "\n\n".join(out)

