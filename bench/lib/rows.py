# SPDX-License-Identifier: MPL-2.0
"""The measurements: one function a table of doc/performance.md. Servers are compared in pairs, ours and
then the other, again and again in one run, and a ratio is taken of each pair: other load of the machine
affects both, so ratios hold where rates do not."""

import os
import time

from bench.lib import configs, numbers
from bench.lib.measure import CORES, Failed
from bench.lib.numbers import figure, ratios, spread, times, with_range
from bench.lib.peers import Dhcpd, Dnsmasq, Kea, Responder, Setup, Usher

ROWS = {}	# name: (title, function), in the order of the tables

FULL = ("10.64.0.0", "10.64.255.255")
FULL_SIZE = 65536
HUGE = ("10.1.0.0", "10.254.255.255")	# 16.6 million


def row(name, title):
    def add(fn):
        ROWS[name] = (title, fn)
        return fn
    return add


class Context:
    """The world, the programs, and how long a run may take."""

    def __init__(self, world, usher, quick):
        self.world, self.binary, self.quick = world, usher, quick
        self.reps = 1 if quick else 3
        self.seconds = 2 if quick else 4
        self.window = 128
        self.failures = []

    def usher(self, threads=1, **kw):
        return Usher(self.binary, threads, **kw)

    def say(self, text):
        print("    " + text, flush=True)

    def attempt(self, what, fn):
        """fn's result, or None and a failure that the run ends with."""
        try:
            r = fn()
        except Failed as e:
            self.failures.append("%s: %s" % (what, e))
            self.say("FAIL %s: %s" % (what, e))
            return None
        self.say("%s: %s" % (what, r if not isinstance(r, dict) else ", ".join(
            "%s %s" % (k, figure(v)) for k, v in r.items() if isinstance(v, (int, float)))))
        return r

    def pairs(self, peers, once, reps=None):
        """{name: [samples]} and {name of another: [(ours, its)]}. peers[0] is ours."""
        samples, paired = {p.name: [] for p in peers}, {p.name: [] for p in peers[1:]}
        for _ in range(reps or self.reps):
            for other in peers[1:]:
                both = []
                for p in (peers[0], other):
                    r = self.attempt(p.name, lambda p=p: once(p))
                    both.append(r)
                    if r:
                        samples[p.name].append(r)
                if all(both):
                    paired[other.name].append(tuple(both))
        return samples, paired


def _of(samples, key):
    v = [s[key] for s in samples if s.get(key) is not None]
    return spread(v) if v else None


def _ratio(paired, key, inverse=False):
    v = [(a[key], b[key]) for a, b in paired if a.get(key) and b.get(key)]
    return ratios([(b, a) for a, b in v] if inverse else v) if v else None


def _throughput_table(peers, samples, paired, unit):
    lines = []
    for p in peers:
        s = samples[p.name]
        lines.append([p.name, with_range(_of(s, "rate")),
                      "%s (%s + %s)" % tuple(figure((_of(s, k) or (None,))[0]) for k in ("cpu_us", "user_us", "system_us")),
                      figure((_of(s, "p50") or (None,))[0]), figure((_of(s, "p99") or (None,))[0]),
                      times(_ratio(paired[p.name], "rate")) if p.name in paired else "",
                      times(_ratio(paired[p.name], "cpu_us", inverse=True)) if p.name in paired else "",
                      figure(sum(x["drops"] for x in s)), figure(sum(x["wrong"] for x in s))])
    return {"columns": ["server", unit, "CPU µs each (user + system)", "p50 µs", "p99 µs", "ours is faster by",
                        "and cheaper by", "drops", "NAK or wrong"],
            "lines": lines,
            "data": {name: {k: _of(s, k) for k in ("rate", "cpu_us", "user_us", "system_us", "p50", "p99")}
                     for name, s in samples.items()},
            "ratios": {name: {k: _ratio(v, k, k == "cpu_us") for k in ("rate", "cpu_us")}
                       for name, v in paired.items()}}


def _compare(ctx, peers, setup, profile, unit, **load):
    def once(p):
        window = min(load["window"], p.window or load["window"])
        with ctx.world.server(p, setup) as s:
            return ctx.world.measure(s, profile, **{**load, "window": window})
    samples, paired = ctx.pairs(peers, once)
    return _throughput_table(peers, samples, paired, unit)


# --- leases and renewals -------------------------------------------------------------------------------------

@row("new", "New leases, relayed (DISCOVER, OFFER, REQUEST, ACK of clients never seen before)")
def new(ctx):
    peers = [ctx.usher(), Responder(ctx.world.generator), Kea(1), Kea(2), Dhcpd(), Dnsmasq()]
    return _compare(ctx, peers, Setup(), "dora", "exchanges/s", time=ctx.seconds, window=ctx.window)


@row("new-minimal", "The same, of clients that send next to nothing (no host name, no option list)")
def new_minimal(ctx):
    return _compare(ctx, [ctx.usher(), Kea(1), Dhcpd()], Setup(), "dora", "exchanges/s", time=ctx.seconds,
                    window=ctx.window, options="minimal", client_id="no")


@row("direct", "New leases of clients on the link (raw sockets)")
def direct(ctx):
    return _compare(ctx, [ctx.usher(), Kea(1), Dhcpd()], Setup(direct=True), "dora", "exchanges/s",
                    time=ctx.seconds, window=ctx.window)


@row("latency", "New leases at 500 a second: the wait of a client on an idle server")
def latency(ctx):
    return _compare(ctx, [ctx.usher(), Kea(1), Dhcpd(), Dnsmasq()], Setup(), "dora", "exchanges/s",
                    time=ctx.seconds, window=64, rate=500)


@row("renew", "Renewals (REQUEST, ACK; each server with its default lease caching; 1,000 clients)")
def renew(ctx):
    return _compare(ctx, [ctx.usher(), Kea(1), Kea(2), Dhcpd(), Dnsmasq()], Setup(), "renew", "renewals/s",
                    time=ctx.seconds, window=ctx.window, clients=1000)


@row("renew-written", "Renewals that are written (no lease caching)")
def renew_written(ctx):
    return _compare(ctx, [ctx.usher(), Kea(1), Dhcpd()], Setup(cache=False), "renew", "renewals/s",
                    time=ctx.seconds, window=ctx.window, clients=1000)


@row("large", "A large configuration (usher-server; renewals that are written, of 6,400 clients in 64 subnets)")
def large(ctx):
    n, hosts = (1000, 10000) if ctx.quick else (10000, 100000)
    relays = [configs.ip(configs.number("10.0.0.9") + i * (n // 64) * 256) for i in range(64)]
    small = [{"id": 1, "subnet": "10.0.0.0/8", "pools": [{"pool": "10.64.0.0 - 10.127.255.255"}]}]
    big = {"client-classes": configs.many_classes(200)}
    setups = {"one subnet": Setup(subnets=small, cache=False, relays=relays),
              "%s subnets, %s reservations, 200 classes" % (figure(n), figure(hosts)):
                  Setup(subnets=configs.many_subnets(n, hosts), cache=False, relays=relays, more=big)}
    samples = {name: [] for name in setups}

    def once(setup):
        with ctx.world.server(ctx.usher(), setup) as s:
            return ctx.world.measure(s, "renew", time=ctx.seconds, window=512, clients=6400)
    for _ in range(ctx.reps):
        for name, setup in setups.items():
            if r := ctx.attempt(name, lambda setup=setup: once(setup)):
                samples[name].append(r)
    a, b = samples.values()
    more = ratios([(y["cpu_us"], x["cpu_us"]) for x, y in zip(a, b)]) if a and b else None
    data = {name: {k: _of(v, k) for k in ("rate", "cpu_us")} for name, v in samples.items()}
    return {"columns": ["configuration", "renewals/s", "CPU µs each", "to one subnet"],
            "lines": [[name, with_range(d["rate"]), with_range(d["cpu_us"]), with_range(more) if i and more else ""]
                      for i, (name, d) in enumerate(data.items())], "data": {**data, "ratio": more}}


# --- PostgreSQL -----------------------------------------------------------------------------------------------

@row("postgresql", "Leases in PostgreSQL 15 with Kea's schema on the same cores (each commit synced; new leases; renewals that are "
     "written; renewals with lease caching)")
def postgresql(ctx):
    from lib.postgres import Cluster
    pg = Cluster(ctx.world.lab, fsync="on", synchronous_commit="on", shared_buffers="'256MB'", max_wal_size="'2GB'", autovacuum="on",
                 max_connections="50")
    peers = [ctx.usher(), Kea(1), Kea(8)]
    kinds = (("new", "dora", False, {}), ("renew-written", "renew", False, {"clients": 5000}),
             ("renew", "renew", True, {"clients": 5000}))
    lines, data, ratio = [], {}, {}

    def once(p, profile, cache, load):
        pg.sql("TRUNCATE lease4, lease4_stat")
        pg.sql("CHECKPOINT")
        with ctx.world.server(p, Setup(database=pg.keys(), cache=cache)) as s:
            return ctx.world.measure(s, profile, **{"time": ctx.seconds, "window": ctx.window, **load})
    for name, profile, cache, load in kinds:
        samples, paired = ctx.pairs(peers, lambda p, x=(profile, cache, load): once(p, *x))
        for p in peers:
            s = samples[p.name]
            r = _ratio(paired[p.name], "rate") if p.name in paired else None
            lines.append([name, p.name, with_range(_of(s, "rate")), figure((_of(s, "p50") or (None,))[0]),
                          figure((_of(s, "p99") or (None,))[0]), times(r) if r else ""])
            data["%s, %s" % (name, p.name)] = {k: _of(s, k) for k in ("rate", "cpu_us", "p50", "p99")}
            if r:
                ratio["%s, %s" % (name, p.name)] = r
    pg.stop()
    return {"columns": ["exchanges", "server", "a second", "p50 µs", "p99 µs", "ours is faster by"], "lines": lines, "data": data,
            "ratios": ratio}


# --- full pools -----------------------------------------------------------------------------------------------

@row("full", "Nearly full pools (one /16; 1,000 of its clients renew; 20 DISCOVERs a second of strangers besides)")
def full(ctx):
    peers, lines, data = [ctx.usher(), Kea(1), Kea(2), Dhcpd()], [], {}

    def once(p, free):
        setup = Setup(pool=FULL, leases=FULL_SIZE - 1000 - free)
        with ctx.world.server(p, setup):
            alone = ctx.world.load(setup, "renew", time=ctx.seconds, window=ctx.window, clients=1000)
        with ctx.world.server(p, setup):
            r = ctx.world.load(setup, "renew", time=ctx.seconds, window=ctx.window, clients=1000, strangers=20)
        return {"alone": alone["rate"], "with": r["rate"], "keeps": r["rate"] / alone["rate"],
                "p99": r["latency_us"]["p99"]}

    for free in (50, 0):
        samples, paired = ctx.pairs(peers, lambda p, free=free: once(p, free), reps=1 if ctx.quick else 2)
        for p in peers:
            s = samples[p.name]
            lines.append([p.name, free, with_range(_of(s, "alone")), with_range(_of(s, "with")),
                          with_range(_of(s, "keeps")), figure((_of(s, "p99") or (None,))[0]),
                          times(_ratio(paired[p.name], "with")) if p.name in paired else ""])
            data["%s, %d free" % (p.name, free)] = {k: _of(s, k) for k in ("alone", "with", "keeps", "p99")}
    return {"columns": ["server", "free", "renewals/s alone", "with strangers", "keeps", "p99 µs then", "ours is faster by"],
            "lines": lines, "data": data}


# --- restart and memory ---------------------------------------------------------------------------------------

def _restart(ctx, p, n):
    # dhcpd's usual range is smaller than that
    setup = Setup(leases=n, pool=("10.64.0.0", "10.79.255.255") if p.name == "dhcpd" else None)
    with ctx.world.server(p, setup) as s:
        return {"seconds": s.first_answer, "rss": s.rss()}


@row("restart", "Restart (exec to first answer) and memory")
def restart(ctx):
    # dnsmasq 2.90 is left out: its time grows with the square of the leases (0.8 s of 10,000, a minute and
    # more of 100,000)
    peers, sizes = [ctx.usher(), Kea(1), Dhcpd()], [100_000] if ctx.quick else [100_000, 1_000_000]
    got = {n: ctx.pairs(peers, lambda p, n=n: _restart(ctx, p, n), reps=1 if ctx.quick or n > 100_000 else 2)
           for n in sizes}
    lines, data = [], {}
    for p in peers:
        line, d = [p.name], {}
        for n in sizes:
            samples, paired = got[n]
            d["seconds_%d" % n] = _of(samples[p.name], "seconds")
            line += [with_range(d["seconds_%d" % n]),
                     times(_ratio(paired[p.name], "seconds", inverse=True)) if p.name in paired else ""]
        rss = [(_of(got[n][0][p.name], "rss") or (None,))[0] for n in sizes]
        if len(sizes) == 2 and None not in rss:
            d["bytes_a_lease"] = (rss[1] - rss[0]) / (sizes[1] - sizes[0])
        d["rss_mb"] = rss[-1] and rss[-1] / 1e6
        lines.append(line + [figure(d["rss_mb"]), figure(d.get("bytes_a_lease"))])
        data[p.name] = d
    columns = ["server"]
    for n in sizes:
        columns += ["%s leases: s" % figure(n), "ours is faster by"]
    # dhcpd has its whole range in memory before the first lease: both columns are needed to compare
    return {"columns": columns + ["then resident: MB", "bytes a further lease"], "lines": lines, "data": data}


@row("load", "Loading the lease file (usher-server alone, on all cores; exec to first answer)")
def load(ctx):
    """Much of it is the kernel clearing memory, which on a virtual machine that gave its memory back is also
    the host's: user and system time apart."""
    peer = ctx.usher()
    peer.cores = 0
    sizes = [1_000_000] if ctx.quick else [1_000_000, 10_000_000]
    lines, data = [], {}
    for n in sizes:
        free = os.statvfs(ctx.world.lab.dir)
        if free.f_bavail * free.f_frsize < n * 150:
            ctx.failures.append("load: no room on the disk for %s leases" % figure(n))
            continue
        setup = Setup(leases=n, pool=HUGE, leases_from=HUGE[0])
        samples = []
        for _ in range(ctx.reps):
            def once():
                with ctx.world.server(peer, setup) as s:
                    user, system = s.cpu()
                    return {"seconds": s.first_answer, "bytes": s.rss() / n, "user_s": user, "system_s": system}
            if r := ctx.attempt(figure(n), once):
                samples.append(r)
        lines.append([figure(n)] + [with_range(_of(samples, k)) for k in ("seconds", "user_s", "system_s", "bytes")])
        data[str(n)] = {k: _of(samples, k) for k in ("seconds", "user_s", "system_s", "bytes")}
    return {"columns": ["leases", "seconds", "user s", "system s", "resident bytes a lease, all included"], "lines": lines,
            "data": data}


# --- the disk ---------------------------------------------------------------------------------------------------

@row("fsync", "Syncs and bytes written for a lease (counted by strace, over a bounded run)")
def fsync(ctx):
    peers = [ctx.usher(), ctx.usher(durability="none", name="usher-server, durability none"), Kea(1), Dhcpd(), Dnsmasq()]
    lines, data = [], {}
    for p in peers:
        for window in (1, p.window or ctx.window):
            def once(p=p, window=window):
                n = 200 if window == 1 or p.window else 2000
                with ctx.world.server(p, strace="fsync,fdatasync,sync_file_range") as s:
                    before = s.io("wchar")
                    r = ctx.world.load(s.setup, "dora", exchanges=n, window=window)
                    written = s.io("wchar") - before
                    calls = sum(s.stop().values())
                return {"syncs": calls / r["exchanges"], "bytes": written / r["exchanges"]}
            r = ctx.attempt("%s, window %d" % (p.name, window), once) or {}
            lines.append([p.name, window, figure(r.get("syncs")), figure(r.get("bytes"))])
            data["%s, window %d" % (p.name, window)] = r
    return {"columns": ["server", "clients at a time", "syncs a lease", "bytes written a lease"], "lines": lines, "data": data}


def _usher_table(ctx, variants, what, **load):
    """Variants of usher-server: [(label, server, load)], in turn, with a ratio to the first."""
    samples = {label: [] for label, _, _ in variants}
    for _ in range(ctx.reps):
        for label, p, more in variants:
            def once(p=p, more=more):
                with ctx.world.server(p) as s:
                    return ctx.world.measure(s, "dora", **{**load, **more})
            samples[label].append(ctx.attempt(str(label), once))
    lines, data, first = [], {}, variants[0][0]
    for label, _, _ in variants:
        good = [s for s in samples[label] if s]
        pairs = [(b, a) for a, b in zip(samples[first], samples[label]) if a and b]
        lines.append([label, with_range(_of(good, "rate")), figure((_of(good, "cpu_us") or (None,))[0]),
                      figure((_of(good, "p50") or (None,))[0]), figure((_of(good, "p99") or (None,))[0]),
                      "" if label == first else times(_ratio(pairs, "rate"))])
        data[str(label)] = {k: _of(good, k) for k in ("rate", "cpu_us", "p50", "p99")}
    return {"columns": [what, "exchanges/s", "CPU µs each", "p50 µs", "p99 µs", "rate, to the first"], "lines": lines, "data": data}


@row("durability", "Durability (usher-server): the syncs that answers wait for")
def durability(ctx):
    return _usher_table(ctx, [(d, ctx.usher(durability=d), {}) for d in ("commit", "interval", "none")], "durability",
                        time=ctx.seconds, window=ctx.window)


@row("window", "Clients at a time (usher-server): how groups on the disk follow the load")
def window(ctx):
    return _usher_table(ctx, [(w, ctx.usher(), {"window": w}) for w in (1, 16, 64, 256, 1024)], "clients at a time",
                        time=ctx.seconds)


@row("workers", "Workers (usher-server): n workers on n cores, core 0 is the generator's")
def workers(ctx):
    def at(n):
        p = ctx.usher(n)
        p.cores = n
        return p
    return _usher_table(ctx, [(n, at(n), {}) for n in range(1, min(CORES, 8) + 1)], "workers", time=ctx.seconds,
                        window=256)


# --- disturbances ------------------------------------------------------------------------------------------------

def _disturbed(ctx, p, setup, disturb, rate, seconds, **load):
    """Returns (quiet, disturbed, result of disturb(server, until)): the same load twice on one server."""
    with ctx.world.server(p, setup) as s:
        args = {"time": seconds, "window": 256, "rate": rate, "timeout": 5000, **load}
        quiet = ctx.world.load(setup, "renew", **args)
        proc = ctx.world.load_begin(setup, "renew", **args)
        began, what = time.monotonic(), None
        time.sleep(0.3)
        try:
            what = disturb(s, began + seconds)
        finally:
            r = ctx.world.load_end(proc)
        return quiet, r, what


@row("lfc", "Clean-up of the lease file under load (usher-server; renewals that are written)")
def lfc(ctx):
    # long enough for one whole clean-up, its last sync and renames included
    n, seconds = (100_000, 4) if ctx.quick else (10_000_000, 30)
    setup = Setup(leases=n, pool=HUGE, cache=False)

    def clean(s, until):
        """One after another, so that the 99th percentile is one of clean-ups."""
        begun = 0
        while time.monotonic() < until - 0.2:
            try:
                s.command("kea-lfc-start")
                begun += 1
            except Failed:
                pass	# one is running
            time.sleep(0.02)
        return begun
    samples = []
    for _ in range(min(ctx.reps, 2)):
        def once():
            quiet, r, begun = _disturbed(ctx, ctx.usher(), setup, clean, 5000, seconds, clients=1000)
            return {"quiet": quiet["latency_us"]["p99"], "lfc": r["latency_us"]["p99"], "max": r["latency_us"]["max"],
                    "ratio": r["latency_us"]["p99"] / quiet["latency_us"]["p99"], "drops": r.get("drops", 0),
                    "cleanups": begun}
        if r := ctx.attempt("clean-up", once):
            samples.append(r)
    data = {k: _of(samples, k) for k in ("quiet", "lfc", "ratio", "max", "cleanups")}
    return {"columns": ["leases", "p99 µs before", "p99 µs during clean-ups", "ratio", "longest answer µs",
                        "clean-ups in %d s" % seconds, "drops"],
            "lines": [[figure(n), with_range(data["quiet"]), with_range(data["lfc"]), with_range(data["ratio"]),
                       with_range(data["max"]), with_range(data["cleanups"]), figure(sum(s["drops"] for s in samples))]], "data": data}


@row("reload", "config-reload under load (usher-server)")
def reload(ctx):
    big = (1000, 10000) if ctx.quick else (10000, 100000)
    setup = Setup(subnets=configs.many_subnets(*big))

    def again(s, _until):
        time.sleep(1)
        began = time.monotonic()
        s.command("config-reload")
        return time.monotonic() - began
    samples = []
    for _ in range(ctx.reps):
        def once():
            # as many subnets as that: the relay's own is the first
            quiet, r, took = _disturbed(ctx, ctx.usher(), setup, again, 2000, 5, clients=100)
            return {"quiet": quiet["latency_us"]["max"] / 1000, "longest": r["latency_us"]["max"] / 1000,
                    "p99": r["latency_us"]["p99"], "took": took, "drops": r.get("drops", 0)}
        if r := ctx.attempt("reload", once):
            samples.append(r)
    data = {k: _of(samples, k) for k in ("quiet", "longest", "p99", "took")}
    return {"columns": ["subnets, reservations", "longest answer before, ms", "with a reload, ms", "p99 µs", "reload s", "drops"],
            "lines": [["%s, %s" % tuple(map(figure, big))] + [with_range(data[k]) for k in ("quiet", "longest", "p99", "took")]
                      + [figure(sum(s["drops"] for s in samples))]], "data": data}


@row("floor", "The generator against its own stateless responder: the limit of its measurements")
def floor(ctx):
    peer = Responder(ctx.world.generator)
    samples = []
    for _ in range(ctx.reps):
        def once():
            with ctx.world.server(peer) as s:
                return ctx.world.measure(s, "dora", time=ctx.seconds, window=256)
        if r := ctx.attempt("responder", once):
            samples.append(r)
    data = {k: _of(samples, k) for k in ("rate", "generator_us", "cpu_us", "p99")}
    return {"columns": ["exchanges/s", "generator's CPU µs each", "responder's", "p99 µs"],
            "lines": [[with_range(data[k]) for k in ("rate", "generator_us", "cpu_us", "p99")]], "data": data}


# --- goals ----------------------------------------------------------------------------------------------------------

def _value(results, row_name, *path):
    v = results.get(row_name, {}).get("data", {})
    for k in path:
        v = v.get(k) if isinstance(v, dict) else None
    return v[0] if isinstance(v, (list, tuple)) else v


def _best(results, row_name, key):
    data = results.get(row_name, {}).get("data", {})
    v = [_value(results, row_name, k, key) for k in data]
    return max((x for x in v if x), default=None)


def goals(results, instructions):
    """[(goal, figure, met or None)]; instructions: of bench/micro, or {}."""
    flat = None
    if instructions.get("dora-large-config") and instructions.get("dora-relayed"):
        flat = 100 * (instructions["dora-large-config"] / instructions["dora-relayed"] - 1)
    lfc_ratio = _value(results, "lfc", "ratio")
    list_ = [
        ("at least 180,000 durable exchanges/s (best number of clients at a time)", _best(results, "window", "rate") or _value(results, "new", "usher-server", "rate"),
         180000, True),
        ("at most 5 µs CPU an exchange", _value(results, "new", "usher-server", "cpu_us"), 5, False),
        ("at most 160 bytes a lease", _value(results, "restart", "usher-server", "bytes_a_lease"), 160, False),
        ("1 million leases loaded in under 0.5 s", _value(results, "load", "1000000", "seconds"), 0.5, False),
        ("10 million leases loaded in under 5 s", _value(results, "load", "10000000", "seconds"), 5, False),
        ("p99 at most 50 % higher during a clean-up", None if lfc_ratio is None else 100 * (lfc_ratio - 1), 50, False),
        ("10,000 subnets, 100,000 reservations, 200 classes cost at most 30 % (instructions)", flat, 30, False),
        ("a reload stops answers for at most 10 ms", _value(results, "reload", "longest"), 10, False),
        ("the generator reaches more than 300,000/s", _value(results, "floor", "rate"), 300000, True),
    ]
    return [(text, v, None if v is None else (v >= goal if at_least else v <= goal)) for text, v, goal, at_least in list_]


def document(run, instructions):
    """The block of doc/performance.md: run is the contents of a file in bench/results."""
    f = run["facts"]
    out = ["Measured on %s: %s, %d cores, %s GB, Linux %s, files on %s. %s" % (
        f["date"], f["cpu"], f["cores"], f["memory_gb"], f["kernel"], f["filesystem"],
        "; ".join(v for v in run["versions"] if v)),
           "Repeat it: `sudo make bench`%s; a single table: `ONLY=` with the name below it. Medians of %d runs of %d s, "
           "in brackets the least and the most." % (" QUICK=1" if run["quick"] else "", run["reps"], run["seconds"])]
    out.append("### Goals\n\n" + numbers.table(["goal", "measured", "reached"], [
        [text, figure(v), "not measured" if met is None else "yes" if met else "**no**"]
        for text, v, met in goals(run["results"], instructions)]))
    for name, r in run["results"].items():
        out.append("### %s\n\n`ONLY=%s`\n\n%s" % (ROWS[name][0], name, numbers.table(r["columns"], r["lines"])))
    return "\n\n".join(out)
