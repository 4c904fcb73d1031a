# SPDX-License-Identifier: MPL-2.0
"""Debian's PostgreSQL with Kea's schema: a cluster of its own for each test, on a unix socket. A template with the schema is
made once and copied; initdb takes longer than most tests. `postgres` refuses to run as root, so it runs as user postgres."""

import fcntl
import os
import pwd
import shutil
import queue
import signal
import socket
import subprocess
import threading
import time

from lib.netns import die_with_parent, wait_for

BIN = "/usr/lib/postgresql/15/bin"
SCHEMA = "/usr/share/kea/scripts/pgsql/dhcpdb_create.pgsql"
_TEMPLATE = "/tmp/usher-test-postgresql-%d" % int(os.path.getmtime(SCHEMA) if os.path.exists(SCHEMA) else 0)
_AS = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
# a test does not need its data after a crash of the machine
_SETTINGS = {"listen_addresses": "''", "shared_buffers": "'16MB'", "fsync": "off", "max_wal_size": "'64MB'",
             "min_wal_size": "'32MB'", "timezone": "'UTC'", "log_timezone": "'UTC'", "autovacuum": "off", "max_connections": "20",
             "synchronous_commit": "off"}


def _run(*args, **kw):
    r = subprocess.run(_AS + list(args), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd="/", check=False, timeout=60, **kw)
    assert r.returncode == 0, "%s: %s" % (" ".join(args), r.stdout.decode())


def _own(path):
    p = pwd.getpwnam("postgres")
    os.chown(path, p.pw_uid, p.pw_gid)


def _make_template():
    with open(_TEMPLATE + ".lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if os.path.exists(_TEMPLATE + "/done"):
            return
        shutil.rmtree(_TEMPLATE, ignore_errors=True)
        os.mkdir(_TEMPLATE, 0o700)
        _own(_TEMPLATE)
        data = _TEMPLATE + "/data"
        _run(BIN + "/initdb", "-D", data, "-A", "trust", "-N", "-E", "UTF8", "--locale=C.UTF-8", "--wal-segsize=1")
        c = Cluster._at(_TEMPLATE)
        c.start()
        c.sql("CREATE ROLE kea LOGIN PASSWORD 'secret'", database="postgres")
        c.sql("CREATE DATABASE kea OWNER kea", database="postgres")
        subprocess.run(["psql", "-q", "-v", "ON_ERROR_STOP=1", "-h", c.socket_dir, "-U", "kea", "-d", "kea", "-f", SCHEMA],
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                       timeout=60)
        c.stop()
        with open(_TEMPLATE + "/done", "w", encoding="utf-8"):
            pass


class Cluster:
    """A cluster with the database kea of user kea. settings: of postgresql.conf."""

    @classmethod
    def _at(cls, directory, **settings):
        c = cls.__new__(cls)
        c.dir, c.data, c.socket_dir = directory, directory + "/data", directory
        c.settings, c.proc = dict(_SETTINGS, **settings), None
        return c

    def __new__(cls, *_args, **_kw):
        return super().__new__(cls)

    def __init__(self, lab, name="pg", start=True, **settings):
        _make_template()
        self.dir = lab.path(name)
        os.mkdir(self.dir, 0o755)
        _own(self.dir)
        # the directories above belong to root
        d = os.path.dirname(self.dir)
        while d not in ("/", "/tmp"):
            os.chmod(d, os.stat(d).st_mode | 0o011)
            d = os.path.dirname(d)
        self.data, self.socket_dir = self.dir + "/data", self.dir
        subprocess.run(["cp", "-a", _TEMPLATE + "/data", self.data], check=True)
        self.settings, self.proc = dict(_SETTINGS, **settings), None
        lab.closers.append(self.stop)
        if start:
            self.start()

    def start(self, wait=True):
        with open(self.data + "/postgresql.auto.conf", "w", encoding="utf-8") as f:
            f.writelines("%s = %s\n" % s for s in self.settings.items())
        with open(self.dir + "/log", "ab") as log:
            self.proc = subprocess.Popen(_AS + [BIN + "/postgres", "-D", self.data, "-k", self.socket_dir], stdin=subprocess.DEVNULL,
                                         stdout=log, stderr=log, cwd="/", preexec_fn=die_with_parent)
        if wait:
            wait_for("PostgreSQL to answer", self.answers, 30)
        return self

    def answers(self):
        assert self.proc.poll() is None, "PostgreSQL ended: " + self.log()[-2000:]
        return subprocess.run(["pg_isready", "-q", "-h", self.socket_dir, "-d", "postgres"], check=False).returncode == 0

    def log(self):
        with open(self.dir + "/log", encoding="utf-8", errors="replace") as f:
            return f.read()

    def stop(self, how=signal.SIGINT):
        """Fast shutdown; SIGQUIT: at once, without a checkpoint."""
        if self.proc and self.proc.poll() is None:
            self.proc.send_signal(how)
            self.proc.wait(30)

    def sql(self, text, database="kea", user="postgres", fail=True):
        """The rows of a query: tuples of texts."""
        r = subprocess.run(["psql", "-X", "-A", "-t", "-q", "-F", "\t", "-v", "ON_ERROR_STOP=1", "-h", self.socket_dir, "-U", user,
                            "-d", database, "-c", text], stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False, timeout=60)
        assert r.returncode == 0 or not fail, "%s: %s" % (text, r.stderr.decode())
        return [tuple(line.split("\t")) for line in r.stdout.decode().splitlines()]

    def cut(self):
        """Ends the connections of user kea."""
        self.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'kea'", database="postgres")

    def session(self, text, database="kea"):
        """A psql that runs beside the test."""
        return subprocess.Popen(["psql", "-X", "-q", "-h", self.socket_dir, "-U", "postgres", "-d", database, "-c", text],
                                stdout=subprocess.DEVNULL, preexec_fn=die_with_parent)

    def value(self, text):
        return self.sql(text)[0][0]

    def keys(self, **more):
        """lease-database for this cluster."""
        return dict({"type": "postgresql", "name": "kea", "host": self.socket_dir, "user": "kea", "password": "secret"}, **more)

    def leases(self):
        """{address: row}; row: the columns as texts, in the order of the table, without the address."""
        rows = self.sql("SELECT address, encode(hwaddr, 'hex'), encode(client_id, 'hex'), valid_lifetime, extract(epoch from expire)"
                        "::bigint, subnet_id, fqdn_fwd, fqdn_rev, hostname, state, coalesce(user_context, 'NULL') FROM lease4"
                        " ORDER BY address")
        return {".".join(str(int(r[0]) >> s & 255) for s in (24, 16, 8, 0)): r[1:] for r in rows}


class Proxy:
    """A TCP port in ns that leads to the cluster; each piece of data waits delay seconds. hold: nothing passes."""

    def __init__(self, ns, cluster, delay=0.0):
        self.cluster, self.delay, self.hold, self.open = cluster, delay, False, []
        with ns:
            self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                a, _ = self.listener.accept()
                b = socket.socket(socket.AF_UNIX)
                b.connect(self.cluster.socket_dir + "/.s.PGSQL.5432")
            except OSError:
                if self.listener.fileno() < 0:
                    return
                a.close()
                continue
            self.open += [a, b]
            for x, y in ((a, b), (b, a)):
                q = queue.Queue()
                threading.Thread(target=self._read, args=(x, q), daemon=True).start()
                threading.Thread(target=self._write, args=(y, q), daemon=True).start()

    @staticmethod
    def _read(source, q):
        try:
            while data := source.recv(65536):
                q.put((time.monotonic(), data))
        except OSError:
            pass
        q.put((0, b""))

    def _write(self, target, q):
        while True:
            at, data = q.get()
            time.sleep(max(0, at + self.delay - time.monotonic()))
            while self.hold:
                time.sleep(0.01)
            try:
                if not data:
                    target.shutdown(socket.SHUT_WR)
                    return
                target.sendall(data)
            except OSError:
                return

    def cut(self):
        """Ends all connections."""
        for s in self.open:
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            s.close()
        self.open = []

    def close(self):
        self.listener.close()
        self.cut()
