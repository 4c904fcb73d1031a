# SPDX-License-Identifier: MPL-2.0
"""The server under test: its configuration, its process, its log, its control socket, its lease file.

The configuration uses the keys that Debian's Kea 2.2 and usher-server both read, so that a test can
be tried against either (`--binary`)."""

import json
import os
import re
import signal
import socket
import subprocess
import time

from lib.netns import end_process, wait_for

SANITIZED = os.environ.get("USHER_SANITIZED") == "1"
_REPORT = re.compile(r"ERROR: (Address|Leak|Thread)Sanitizer|WARNING: ThreadSanitizer|runtime error:")
HEADER = ("address,hwaddr,client_id,valid_lifetime,expire,subnet_id,fqdn_fwd,fqdn_rev,hostname,state,"
          "user_context")


_MOST_LOAD = 8
PRIORITY = -15   # nice value of raise_priority()


def slack(seconds):
    """Returns a time limit: three times as long for a build with sanitizers, and as much longer as the machine has more
    tasks that want to run than processors."""
    waiting = os.getloadavg()[0] / os.cpu_count()
    return seconds * (3 if SANITIZED else 1) * min(max(1, waiting), _MOST_LOAD)


def subnet(net="10.77.0.0/24", pool="10.77.0.10 - 10.77.0.250", id=1, router=None, **more):
    s = {"id": id, "subnet": net, "pools": [{"pool": pool}] if pool else []}
    if router:
        s["option-data"] = [{"name": "routers", "data": router}]
    s.update(more)
    return s


class Server:
    """One server process in ns. conf: the Dhcp4 map without the part that all tests share."""

    def __init__(self, lab, ns, binary, name="server", interfaces=("srv0",), subnets=None, **conf):
        self.lab, self.ns, self.binary = lab, ns, binary
        self.dir = lab.path(name)
        os.makedirs(self.dir, exist_ok=True)
        self.conf_path = os.path.join(self.dir, "usher.conf")
        self.log_path = os.path.join(self.dir, "log")
        self.socket_path = os.path.join(self.dir, "ctl")
        self.lease_path = os.path.join(self.dir, "leases.csv")
        self.proc = None
        self.ended = True  # by us, or not started
        self.was_kea = False
        self.conf = {
            "interfaces-config": {"interfaces": list(interfaces)},
            "control-socket": {"socket-type": "unix", "socket-name": self.socket_path},
            "lease-database": {"type": "memfile", "persist": True, "name": self.lease_path, "lfc-interval": 0},
            "valid-lifetime": 3600, "renew-timer": 900, "rebind-timer": 1800,
            "authoritative": True,
            "multi-threading": {"enable-multi-threading": True, "packet-queue-size": 1024,
                                "thread-pool-size": int(os.environ.get("USHER_WORKERS", 2))},
            "loggers": [{"name": "kea-dhcp4", "severity": "INFO", "output_options": [{"output": "stdout"}]}],
            "subnet4": subnets if subnets is not None else [subnet()],
        }
        self.conf.update(conf)
        self.env = {"KEA_PIDFILE_DIR": self.dir, "KEA_LOCKFILE_DIR": "none", "KEA_DHCP_DATA_DIR": self.dir,
                    "KEA_CONTROL_SOCKET_DIR": self.dir}
        lab.closers.append(self.teardown)

    # --- the process -------------------------------------------------------------------------------------

    def write_conf(self, conf=None):
        with open(self.conf_path, "w", encoding="utf-8") as f:
            json.dump({"Dhcp4": conf or self.conf}, f, indent=1)

    def start(self, args=(), wait=True, wrap=(), stdout=None, write=True, loaded=True):
        """Starts it and waits until it answers (loaded: and has its leases). wrap: a command in front, such
        as prlimit."""
        if write:
            self.write_conf()
        self.was_kea = self.was_kea or os.path.basename(self.binary).startswith("kea-")
        env = dict(os.environ, **self.env)
        # leaks are looked for at a clean end only; a report goes to the log like everything else
        env.setdefault("ASAN_OPTIONS", "abort_on_error=0")
        with open(self.log_path, "ab") as log:
            self.proc = self.lab.popen(self.ns, [*wrap, self.binary, "-c", self.conf_path, *args],
                                       stdin=subprocess.DEVNULL, stdout=stdout or log, stderr=log, env=env)
        # a start that is not waited for is one whose end the test looks at
        self.ended = not wait
        if wait:
            self.wait_ready(loaded=loaded)
        return self

    def wait_ready(self, timeout=None, loaded=True):
        def ready():
            assert self.proc.poll() is None, "the server ended with %s: %s" % (self.proc.returncode, self.tail())
            try:
                answer = self.command("status-get", timeout=2)
            except OSError:
                return False
            except ValueError:
                # Kea closes a connection that came during its start without an answer, and the clean-up process of a
                # killed Kea has its socket until it ends
                assert self.was_kea, "an empty answer"
                return False
            return answer["result"] == 0 and not (loaded and answer["arguments"].get("lease-store", {}).get("loading"))
        wait_for("the server to answer", ready, timeout or slack(15))

    def raise_priority(self):
        """Runs all its threads before other work of the machine, for tests of its speed."""
        for tid in os.listdir("/proc/%d/task" % self.proc.pid):
            os.setpriority(os.PRIO_PROCESS, int(tid), PRIORITY)

    def kill(self):
        """kill -9."""
        self.ended = True
        self.proc.kill()
        self.proc.wait(10)

    def term(self, timeout=None):
        """SIGTERM; the exit code."""
        self.ended = True
        self.proc.send_signal(signal.SIGTERM)
        return self.proc.wait(timeout or slack(10))

    def hup(self):
        self.proc.send_signal(signal.SIGHUP)

    def restart(self):
        assert self.term() == 0, "exit code %s" % self.proc.returncode
        return self.start(write=False)

    def alive(self):
        return self.proc is not None and self.proc.poll() is None

    def teardown(self):
        """Ends it; AssertionError when it had ended by itself, doesn't end cleanly, or a sanitizer spoke."""
        early, code = not self.alive() and not self.ended, 0
        if self.alive():
            self.proc.send_signal(signal.SIGCONT)
            code = end_process(self.proc, slack(10))
        self.check_log()
        assert not early, "the server ended by itself with %s: %s" % (self.proc.returncode, self.tail())
        assert code == 0 or self.ended, "SIGTERM: exit code %s: %s" % (code, self.tail())

    # --- its output --------------------------------------------------------------------------------------

    def log(self):
        try:
            with open(self.log_path, encoding="utf-8", errors="replace") as f:
                return f.read()
        except FileNotFoundError:
            return ""

    def logged(self, text, timeout=2):
        """Returns whether a text is in the log, or comes into it soon: a thread of the server's own writes it."""
        end = time.monotonic() + slack(timeout)
        while text not in self.log():
            if time.monotonic() > end:
                return False
            time.sleep(0.01)
        return True

    def tail(self, lines=15):
        return "\n".join(self.log().splitlines()[-lines:])

    def check_log(self):
        m = _REPORT.search(self.log())
        assert not m, "sanitizer report: " + self.log()[m.start():m.start() + 3000]

    def rss_kib(self):
        with open("/proc/%d/status" % self.proc.pid, encoding="utf-8") as f:
            return int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1))

    def cpu_seconds(self):
        with open("/proc/%d/stat" % self.proc.pid, encoding="utf-8") as f:
            v = f.read().rsplit(")", 1)[1].split()
        return (int(v[11]) + int(v[12])) / os.sysconf("SC_CLK_TCK")

    def n_fds(self):
        return len(os.listdir("/proc/%d/fd" % self.proc.pid))

    # --- control channel ---------------------------------------------------------------------------------

    def connect(self, timeout=10):
        s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        s.settimeout(timeout)
        s.connect(self.socket_path)
        return s

    def raw(self, data, timeout=10, close_write=False):
        """Octets to the control socket; the octets that came back until it closed."""
        with self.connect(timeout) as s:
            try:
                s.sendall(data)
                if close_write:
                    s.shutdown(socket.SHUT_WR)
            except (BrokenPipeError, ConnectionResetError):
                pass  # refused before all was sent; the answer may be there
            out = b""
            try:
                while part := s.recv(1 << 16):
                    out += part
            except ConnectionResetError:
                pass
            return out

    def command(self, name, arguments=None, timeout=None):
        req = {"command": name}
        if arguments is not None:
            req["arguments"] = arguments
        return json.loads(self.raw(json.dumps(req).encode(), timeout or slack(10)))

    def ok(self, name, arguments=None):
        """A command that has to succeed; its arguments."""
        r = self.command(name, arguments)
        assert r["result"] == 0, "%s: %s" % (name, r)
        return r.get("arguments", {})

    def stat(self, name):
        v = self.ok("statistic-get", {"name": name}).get(name)
        return v[0][0] if v else 0

    def config_fingerprint(self):
        """Returns the server's running configuration, as it reports it."""
        return self.ok("config-get")

    # --- the lease file ----------------------------------------------------------------------------------

    def lease_files(self):
        """Kea's order of reading: the files that clean-up finished or began, then the current file."""
        base = self.lease_path
        if os.path.exists(base + ".completed"):
            names = [base + ".completed", base]
        else:
            names = [base + ".2", base + ".1", base]
        return [n for n in names if os.path.exists(n)]

    def leases(self, paths=None):
        """The lease file as {address: row}, last row wins; row: dict by the header's names. A torn last
        row and rows that are not whole are left out."""
        out = {}
        for path in paths or self.lease_files():
            with open(path, "rb") as f:
                data = f.read()
            lines = data.split(b"\n")[:-1]
            if not lines:
                continue
            names = lines[0].decode().split(",")
            for line in lines[1:]:
                v = line.decode("utf-8", "replace").split(",")
                if len(v) != len(names) or "\0" in v[0]:
                    continue
                out[v[0]] = dict(zip(names, v))
        return out

    def active(self, addr, mac, leases=None):
        """Whether the file has addr as a running lease of mac."""
        row = (self.leases() if leases is None else leases).get(addr)
        return bool(row and row["hwaddr"].replace(":", "") == mac.hex() and row["state"] == "0"
                    and int(row["valid_lifetime"]) > 0 and int(row["expire"]) > time.time())
