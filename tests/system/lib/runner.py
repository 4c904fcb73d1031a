# SPDX-License-Identifier: MPL-2.0
"""Runs test functions. Each runs in a process of its own, forked from the runner, with its own Lab;
when it hangs it is killed by its id and its namespaces are removed by name. Results are one line a
test, a log excerpt behind a failure, and the count as the very last line.

On a machine that others use as well, a time-out may say nothing about the program. So a test that failed runs once more
at the end, alone, but at most _AGAIN_MAX of them: a test that then passes is named (AGAIN) and counted as passed, and
its first failure has to be explained."""

import importlib
import multiprocessing
import os
import signal
import sys
import time
import traceback

from lib import netns, server
from lib.client import RawPort, RelayPort

_registry = []
_AGAIN_MAX = 2


def test(timeout=60, tags=(), alone=False, cases=None):
    """Registers a test. timeout: seconds (more with sanitizers). tags: "asan", "tsan": also in those
    subsets. alone: nothing else runs beside it. cases: {suffix: argument}, one test each."""
    def register(fn):
        for suffix, arg in (cases or {None: None}).items():
            name = fn.__name__ if suffix is None else "%s_%s" % (fn.__name__, suffix)
            _registry.append(Case(name, fn, suffix is not None, arg, timeout, frozenset(tags), alone))
        return fn
    return register


class Case:
    def __init__(self, name, fn, has_arg, arg, timeout, tags, alone):
        self.name, self.fn, self.has_arg, self.arg = name, fn, has_arg, arg
        self.timeout, self.tags, self.alone = timeout, tags, alone


class Test:
    """The argument of a test function."""

    def __init__(self, lab, options):
        self.lab, self.options = lab, options
        self.binary, self.long = options.binary, options.long
        self.servers = []
        self.ports = []

    def server(self, ns=None, start=True, **kw):
        """A server in namespace `srv` (or ns)."""
        s = server.Server(self.lab, ns or self.lab.ns("srv"), kw.pop("binary", self.binary), **kw)
        self.servers.append(s)
        return s.start() if start else s

    def wire(self, addr="10.77.0.1/24", if_srv="srv0", if_cli="cli0", cli="cli"):
        """Namespaces `srv` and `cli` joined by a cable; a RawPort at the client's end."""
        a, b = self.lab.ns("srv"), self.lab.ns(cli)
        self.lab.veth(a, if_srv, b, if_cli)
        a.addr(if_srv, addr)
        return self.raw_port(b, if_cli, a, if_srv, addr.split("/")[0])

    def raw_port(self, ns, ifname, srv=None, if_srv=None, server_ip=None):
        p = RawPort(ns, ifname, srv.mac(if_srv) if srv else None, server_ip)
        self.ports.append(p)
        return p

    def relay_net(self, backbone="10.99.0", giaddr="10.77.0.1", rai=b"\x01\x04port", name="rel"):
        """The server behind a cable to a relay whose client side has giaddr; a RelayPort there."""
        a, b = self.lab.ns("srv"), self.lab.ns(name)
        self.lab.veth(a, "srv0", b, "up0")
        a.addr("srv0", backbone + ".1/24")
        b.addr("up0", backbone + ".2/24")
        b.addr("lo", giaddr + "/32")
        a.ip("route", "add", giaddr.rsplit(".", 1)[0] + ".0/24", "via", backbone + ".2")
        return self.relay_port(b, giaddr, backbone + ".1", rai)

    def relay_port(self, ns, giaddr, server_ip, rai=None):
        p = RelayPort(ns, giaddr, server_ip, rai)
        self.ports.append(p)
        return p

    def finish(self):
        for p in self.ports:
            assert not p.malformed, "%d answers are not well formed, first: %s" % (len(p.malformed), p.malformed[0])


def _child(case, owner, n, options, out):
    """The test process: its report goes to out as (name, reason or None, log)."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    netns.die_with_parent()
    lab = t = None
    why, log = None, ""
    try:
        lab = netns.Lab(owner, n)
        t = Test(lab, options)
        if case.has_arg:
            case.fn(t, case.arg)
        else:
            case.fn(t)
        t.finish()
        for s in t.servers:
            s.teardown()
    except BaseException as e:
        where = traceback.extract_tb(e.__traceback__)
        mine = [f for f in where if os.sep + "test_" in f.filename] or where
        why = "%s%s (%s:%d)" % ("" if isinstance(e, AssertionError) else type(e).__name__ + ": ",
                                str(e) or mine[-1].line, os.path.basename(mine[-1].filename), mine[-1].lineno)
        if options.verbose:
            log += traceback.format_exc()
    finally:
        if t and why:
            for s in t.servers:
                log += "--- log of %s\n%s\n" % (os.path.basename(s.dir), s.tail(25))
        if lab:
            if options.keep and why:
                os.makedirs(options.keep, exist_ok=True)
                netns.sh("cp", "-a", lab.dir, os.path.join(options.keep, case.name), check=False)
            lab.closers = []
            lab.close()
    out.send((why, log))
    out.close()


class _Running:
    def __init__(self, case, n, options):
        self.case, self.n = case, n
        self.began = time.monotonic()
        self.limit = server.slack(case.timeout)
        self.rx, tx = multiprocessing.Pipe(duplex=False)
        self.proc = multiprocessing.Process(target=_child, args=(case, os.getpid(), n, options, tx))
        self.proc.start()
        tx.close()

    def poll(self):
        """None while it runs, else (reason or None, log)."""
        # in this order: its last report is sent before it ends
        ended = not self.proc.is_alive()
        if self.rx.poll(0):
            try:
                result = self.rx.recv()
            except EOFError:
                result = ("the test process died", "")
            self.proc.join(10)
        elif ended:
            result = ("the test process died with %s" % self.proc.exitcode, "")
        elif time.monotonic() - self.began > self.limit:
            self.proc.kill()
            self.proc.join(10)
            result = ("took longer than %d s" % self.limit, "")
        else:
            return None
        self._sweep()
        return result

    def _sweep(self):
        prefix = "%s%d-%d-" % (netns.PREFIX, os.getpid(), self.n)
        for line in netns.sh("ip", "netns", "list", check=False).splitlines():
            if line.startswith(prefix):
                netns._delete_ns(line.split()[0])
        tmp = netns.tempfile.gettempdir()
        for name in os.listdir(tmp):
            if name.startswith(prefix):
                netns._remove_dir(os.path.join(tmp, name))


def collect(directory, options):
    for f in sorted(os.listdir(directory)):
        if f.startswith("test_") and f.endswith(".py"):
            importlib.import_module(f[:-3])
    def wanted(c):
        return ((not options.only or any(p in c.name for p in options.only.split(",")))
                and (not options.tag or options.tag in c.tags))
    return [c for c in _registry if wanted(c)]


def run(cases, options):
    """Runs them, prints; the number that failed."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    netns.remove_stale()
    passed = failed = 0
    shared = [c for c in cases if not c.alone]
    alone = [c for c in cases if c.alone]
    running, again, n = [], {}, 0
    try:
        while shared or alone or running:
            while shared and len(running) < options.jobs:
                running.append(_Running(shared.pop(0), n, options))
                n += 1
            if not shared and not running and alone:
                running.append(_Running(alone.pop(0), n, options))
                n += 1
            time.sleep(0.02)
            for r in list(running):
                result = r.poll()
                if result is None:
                    continue
                running.remove(r)
                why, log = result
                took = time.monotonic() - r.began
                if why is None:
                    passed += 1
                    print("PASS %s (%.1f s)" % (r.case.name, took), flush=True)
                    continue
                once_more = options.again and r.case.name not in again and len(again) < _AGAIN_MAX
                if once_more:
                    again[r.case.name] = why
                    alone.append(r.case)
                else:
                    failed += 1
                    again.pop(r.case.name, None)
                print("%s %s: %s (%.1f s)" % ("ONCE" if once_more else "FAIL", r.case.name, why, took), flush=True)
                for line in log.splitlines():
                    print("    " + line, flush=True)
    finally:
        for r in running:
            r.proc.kill()
            r.proc.join(10)
            r._sweep()
    for name, why in again.items():
        print("AGAIN %s passed the second time, alone; the first time: %s" % (name, why), flush=True)
    print("%d passed, %d failed, 0 skipped" % (passed, failed), flush=True)
    return failed
