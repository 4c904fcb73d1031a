# SPDX-License-Identifier: MPL-2.0
"""The world of the benchmarks: two namespaces and a cable, the generator on core 0, the server on
core 1, one server at a time on fresh files. Made of the system tests' namespaces, which remove
themselves however the run ends."""

import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

from bench.lib import numbers
from bench.lib.peers import RELAY, SERVER, STRANGER, Setup
from lib import client, dhcp, netns

TICKS = os.sysconf("SC_CLK_TCK")
CORES = os.cpu_count()


class Failed(Exception):
    """A measurement that cannot be made; the others continue."""


def _read(path):
    with open(path, encoding="utf-8", errors="replace") as f:
        return f.read()


def cores_of(peer):
    """Cores for taskset: core 1 for a program of one thread, the first n from core 1 on for n, all for 0."""
    if peer.cores == 0 or CORES == 1:
        return "0-%d" % (CORES - 1)
    return ",".join(str((1 + i) % CORES) for i in range(min(peer.cores, CORES)))


class CpuLog(threading.Thread):
    """Writes down now and then how much a process has used, so that afterwards the part of a measured
    phase can be separated from the part before it (clients that were bound first)."""

    EVERY = 0.05

    def __init__(self, server):
        super().__init__(daemon=True)
        self.server, self.seen, self.end = server, [], threading.Event()

    def run(self):
        while True:
            try:
                self.seen.append((time.monotonic(), *self.server.cpu()))
            except (OSError, Failed):
                return
            if self.end.wait(self.EVERY):
                return

    def stop(self):
        self.end.set()
        self.join()
        try:
            self.seen.append((time.monotonic(), *self.server.cpu()))
        except (OSError, Failed):
            pass

    def last(self, seconds):
        """(user, system) of the last so many seconds in which it had something to do."""
        return numbers.used_since(self.seen, numbers.busy_until(self.seen) - seconds)


class Server:
    """One server process, from exec to its end; a context."""

    def __init__(self, world, peer, setup=None, wait=True, strace=None):
        self.world, self.peer, self.setup = world, peer, setup or Setup()
        self.dir = tempfile.mkdtemp(dir=world.lab.dir)
        self.wait, self.strace, self.proc = wait, strace, None
        self.started = self.first_answer = None

    def __enter__(self):
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _start(self):
        argv = self.peer.prepare(self.dir, self.setup)
        self.world.cable(fill_checksums=self.peer.reads_frames or self.setup.direct)
        os.sync()
        if self.strace:
            argv = ["strace", "-f", "--seccomp-bpf", "-qq", "-c", "-e", "trace=" + self.strace, "-o",
                    os.path.join(self.dir, "strace"), *argv]
        probe = self.world.probe()
        try:
            with open(os.path.join(self.dir, "output"), "wb") as out:
                self.started = time.monotonic()
                self.proc = self.world.lab.popen(self.world.srv, ["taskset", "-c", cores_of(self.peer), *argv],
                                                 stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                                 env=dict(os.environ, **self.peer.env))
            if self.wait:
                self._wait_answer(probe)
        finally:
            probe.close()

    def _wait_answer(self, probe, timeout=60):
        """A client asks until it is offered an address: the first that has a lease in the file, so that
        nothing is taken from a pool that is to be full; else one that is nobody else's."""
        c = client.Client(probe, dhcp.mac_bytes(STRANGER + ":00:00:00:00") if self.setup.leases
                          else b"\x02\xee\0\0\0\1")
        ask = c.discover()
        while time.monotonic() < self.started + timeout:
            if self.proc.poll() is not None:
                raise Failed("%s ended with %s: %s" % (self.peer.name, self.proc.returncode, self.said()))
            # the same xid again and again: an answer may take longer than our patience
            r = probe.exchange(ask, (dhcp.OFFER,), timeout=0.02, tries=1)
            if r:
                self.first_answer = time.monotonic() - self.started
                return
        raise Failed("%s does not answer: %s" % (self.peer.name, self.said()))

    def said(self):
        text = ""
        for name in ("output", "log"):
            path = os.path.join(self.dir, name)
            text += _read(path) if os.path.exists(path) else ""
        return " / ".join(line[:300] for line in text.strip().splitlines()[-3:]) or "(it says nothing)"

    @property
    def pid(self):
        """The server itself, also under strace."""
        if not self.strace:
            return self.proc.pid
        kids = _read("/proc/%d/task/%d/children" % (self.proc.pid, self.proc.pid)).split()
        if not kids:
            raise Failed("%s is not there under strace: %s" % (self.peer.name, self.said()))
        return int(kids[0])

    def cpu(self):
        return numbers.proc_cpu(_read("/proc/%d/stat" % self.pid), TICKS)

    def rss(self):
        return numbers.proc_field(_read("/proc/%d/status" % self.pid), "VmRSS") * 1024

    def io(self, name):
        return numbers.proc_field(_read("/proc/%d/io" % self.pid), name)

    def stop(self):
        """Sends SIGTERM, as a service manager does; returns the counts of strace."""
        if self.proc and self.proc.poll() is None:
            if self.strace:
                os.kill(self.pid, signal.SIGTERM)
                try:
                    self.proc.wait(30)
                except subprocess.TimeoutExpired:
                    os.kill(self.pid, signal.SIGKILL)
            netns.end_process(self.proc, 30)
        path = os.path.join(self.dir, "strace")
        return numbers.strace_calls(_read(path)) if self.strace and os.path.exists(path) else {}

    def command(self, name, arguments=None, timeout=60):
        """A command of the control channel."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s:
            s.settimeout(timeout)
            s.connect(os.path.join(self.dir, "ctl"))
            s.sendall(json.dumps({"command": name, "arguments": arguments or {}}).encode())
            data = b""
            while part := s.recv(1 << 16):
                data += part
        r = json.loads(data)
        if r.get("result") != 0:
            raise Failed("%s: %s" % (name, r.get("text")))
        return r

    def __exit__(self, *exc):
        try:
            self.stop()
        finally:
            if self.proc in self.world.lab.procs:
                self.world.lab.procs.remove(self.proc)
            shutil.rmtree(self.dir, ignore_errors=True)


class World:
    """generator: path of usher-load."""

    def __init__(self, generator):
        self.generator = generator
        netns.remove_stale()
        self.lab = netns.Lab(os.getpid(), 0)
        self.gen, self.srv = self.lab.ns("gen"), self.lab.ns("srv")
        self.lab.veth(self.srv, "srv0", self.gen, "gen0")
        self.srv.addr("srv0", SERVER + "/8")
        self.gen.addr("gen0", RELAY + "/8")
        self.filled = True	# veth() switched offload off
        self.relays = {RELAY}	# addresses that the generator has

    def close(self):
        self.lab.close()

    def cable(self, fill_checksums):
        """Switches checksums on the cable: readers of frames that check them need them; for sockets they are a waste."""
        if fill_checksums != self.filled:
            for ns, ifname in ((self.srv, "srv0"), (self.gen, "gen0")):
                (ns.tx_off if fill_checksums else ns.tx_on)(ifname)
            self.filled = fill_checksums

    def probe(self):
        return client.RelayPort(self.gen, RELAY, SERVER)

    def server(self, peer, setup=None, **kw):
        return Server(self, peer, setup, **kw)

    def load_args(self, setup, profile, o):
        a = ["--direct", "-i", "gen0"] if setup.direct else ["--relayed", "--server", SERVER]
        for relay in [] if setup.direct else setup.relays or [RELAY]:
            a += ["--bind", relay]
            if relay not in self.relays:
                self.gen.addr("lo", relay + "/32")
                self.relays.add(relay)
        a += ["--profile", profile, "--json", "--no-progress", "--cpu", "0", "--seed", "1"]
        for k, v in o.items():
            a += ["--" + k.replace("_", "-"), str(v)] if v is not True else ["--" + k.replace("_", "-")]
        return a

    def load_begin(self, setup, profile, **o):
        """Returns the generator, running: for operations on a server under load."""
        return self.lab.popen(self.gen, [self.generator, *self.load_args(setup, profile, o)],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def load_end(self, proc, timeout=120):
        try:
            out, err = proc.communicate(timeout=timeout)
        except subprocess.TimeoutExpired as e:
            proc.kill()
            proc.communicate()
            raise Failed("the generator does not end") from e
        finally:
            self.lab.procs.remove(proc)
        # it exits with an error when answers were missing or wrong; the numbers say so better
        try:
            return numbers.load_result(out)
        except ValueError as e:
            raise Failed("generator: exit %s: %s %s" % (proc.returncode, err.strip()[-500:], e)) from e

    def load(self, setup, profile, **o):
        """Runs the generator to its end; returns its measurements."""
        return self.load_end(self.load_begin(setup, profile, **o))


    def measure(self, server, profile, **o):
        """Runs the generator against a server; returns its measurements and the server's use of resources."""
        log = CpuLog(server)
        log.start()
        try:
            r = self.load(server.setup, profile, **o)
        finally:
            log.stop()
        return numbers.sample(r, *log.last(r["seconds"]))


def facts():
    """The machine, in the words of the table's heading."""
    cpu = ""
    for line in _read("/proc/cpuinfo").splitlines():
        if line.startswith("model name"):
            cpu = line.split(":", 1)[1].strip()
            break
    fs = subprocess.run(["stat", "-f", "-c", "%T", tempfile.gettempdir()], stdout=subprocess.PIPE, text=True,
                        check=False).stdout.strip()
    return {"date": time.strftime("%Y-%m-%d"), "kernel": os.uname().release, "cpu": cpu, "cores": CORES,
            "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1), "filesystem": fs}


def package(binary):
    """The Debian package that a program is from, and its version; None: no program, or no package."""
    p = subprocess.run(["dpkg-query", "-S", binary], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
    if not p.stdout:
        return None
    return subprocess.run(["dpkg-query", "-W", "-f", "${Package} ${Version}", p.stdout.split(":")[0]], stdout=subprocess.PIPE,
                          text=True, check=False).stdout


def version(peer):
    return package(peer.binary)
