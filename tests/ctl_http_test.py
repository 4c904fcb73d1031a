#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""usherctl over HTTP and HTTPS, against a small server of this test: envelopes, users, certificates, refusals, time-outs, long answers in
bounded memory, progress on a terminal. ctl_http_test.py BUILD"""

import base64
import contextlib
import http.server
import json
import os
import pty
import re
import resource
import select
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time

CTL = os.path.join(os.path.abspath(sys.argv[1]), "usherctl")
SANITIZED = "build-asan" in CTL or "build-tsan" in CTL or os.environ.get("USHER_SANITIZED") == "1"
WAIT = 60           # seconds that any call may take on a busy machine
BIG = 50 << 20
BIG_RSS = (400 if SANITIZED else 40) << 20
LEASE = {"ip-address": "192.0.2.10", "hw-address": "02:00:00:00:00:01", "cltt": 1700000000, "valid-lft": 3600, "subnet-id": 1,
         "state": 0, "hostname": "h", "fqdn-fwd": False, "fqdn-rev": False}


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers by the path: /status/N, /silent, /drip, /big, /cut, /bare, /two, /html, /later; any other one has Kea's envelope."""
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def send(self, status, body, kind="application/json"):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        if status == 401:
            self.send_header("WWW-Authenticate", 'Basic realm="kea-dhcpv4-server"')
        if status in (301, 302):
            self.send_header("Location", "http://127.0.0.1:1/")
        self.end_headers()
        self.wfile.write(data)

    def chunk(self, data):
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))

    def chunked(self):
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def do_POST(self):
        seen = self.server.seen
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        seen.append((self.path, self.headers, body, self.client_address))
        user = self.server.user
        if user and self.headers.get("Authorization") != "Basic " + base64.b64encode(user.encode()).decode():
            return self.send(401, {"result": 401, "text": "Unauthorized"})
        try:
            return getattr(self, "at_" + self.path.split("/")[1], self.at_any)(body)
        except (BrokenPipeError, ConnectionResetError):
            return None     # usherctl gave up, as some tests want

    def at_any(self, body):
        answers = {
            "list-commands": {"result": 0, "text": "", "arguments": ["list-commands", "lease4-get"]},
            "lease4-get": {"result": 0, "text": "IPv4 lease found.", "arguments": LEASE},
            "lease4-get-all": {"result": 3, "text": "0 IPv4 lease(s) found.", "arguments": {"leases": []}},
            "lease4-add": {"result": 1, "text": "it exists already"},
            "config-test": {"result": 1, "text": "refused", "arguments": {"errors": [
                {"line": 3, "column": 5, "text": "the third line of the request"}]}},
            "run": {"result": 0, "text": "1 workers", "arguments": {"workers": [
                {"worker": 0, "printed": "ran %s\n" % body.get("arguments", {}).get("code")}]}},
        }
        self.send(200, [answers.get(body["command"], {"result": 2, "text": "'%s' command not supported." % body["command"]})])

    def at_status(self, _):
        status = int(self.path.split("/")[2])
        self.send(status, {"result": status, "text": "x"})

    def at_bare(self, _):
        self.send(200, {"result": 0, "text": "a bare map"})

    def at_two(self, _):
        self.send(200, [{"result": 0}, {"result": 0}])

    def at_html(self, _):
        self.send(200, b"<html>no answer</html>", "text/html")

    def at_silent(self, _):
        self.server.done.wait(WAIT)
        self.close_connection = True

    def at_later(self, body):
        time.sleep(1.5)
        self.at_any(body)

    def at_cut(self, _):
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(b'[{"result": 0, ')
        self.close_connection = True

    def at_drip(self, _):
        self.chunked()
        self.chunk(b'[{"result": 0, "text": "')
        for _ in range(15):
            self.chunk(b"0123456789" * 10)
            time.sleep(0.2)
        self.chunk(b'"}]')
        self.chunk(b"")

    def at_big(self, _):
        part = b",".join(json.dumps(LEASE).encode() for _ in range(200))
        self.chunked()
        self.chunk(b'[ {"arguments": {"leases": [' + part)
        for _ in range(BIG // len(part)):
            self.chunk(b"," + part)
        self.chunk(b']}, "text": "many", "result": 0 } ]')
        self.chunk(b"")


class Quiet(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        pass        # handshakes that usherctl refuses


@contextlib.contextmanager
def served(user=None, context=None):
    """A server on a free port of 127.0.0.1."""
    server = Quiet(("127.0.0.1", 0), Handler)
    server.user, server.seen, server.done = user, [], threading.Event()
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        server.url = "%s://127.0.0.1:%d" % ("https" if context else "http", server.server_address[1])
        yield server
    finally:
        server.done.set()
        server.shutdown()
        thread.join()
        server.server_close()


def run(*args, stdin="", env=None, **kw):
    clean = {k: v for k, v in os.environ.items() if not k.startswith("USHER_")}
    return subprocess.run([CTL, *args], input=stdin, capture_output=True, text=True, check=False, timeout=WAIT,
                          env=dict(clean, **(env or {})), **kw)


def expect(r, code, out="", err=""):
    assert r.returncode == code, (r.args, r.returncode, r.stdout, r.stderr)
    assert out in r.stdout and err in r.stderr, (r.args, r.stdout, r.stderr)
    return r


# --- Envelopes ---------------------------------------------------------------------------------------------------------


def test_envelope(_):
    with served() as s:
        expect(run("--url", s.url, "list-commands"), 0, "lease4-get")
        path, headers, body, _ = s.seen[-1]
        assert path == "/" and headers["Content-Type"] == "application/json" and "Expect" not in headers, headers.items()
        assert body == {"command": "list-commands", "service": ["dhcp4"]}, body
        assert "Authorization" not in headers
        r = expect(run("--url", s.url + "/any/path?x=1", "lease4-get", "ip-address=192.0.2.10"), 0, "02:00:00:00:00:01")
        assert "expires" in r.stdout and s.seen[-1][0] == "/any/path?x=1"
        assert s.seen[-1][2]["arguments"] == {"ip-address": "192.0.2.10"}
        r = expect(run("--url", s.url, "--json", "lease4-get", "ip-address=192.0.2.10"), 0)
        assert json.loads(r.stdout) == {"result": 0, "text": "IPv4 lease found.", "arguments": LEASE}, r.stdout
        expect(run("--url", s.url, "lease4-get-all"), 3, "0 IPv4 lease(s) found.")
        expect(run("--url", s.url, "--json", "lease4-get-all"), 3, '"leases"')
        expect(run("--url", s.url, "lease4-add", "ip-address=192.0.2.10"), 1, err="it exists already")
        expect(run("--url", s.url, "lease4-gte"), 2, err="did you mean lease4-get?")
        expect(run("--url", s.url + "/bare", "list-commands"), 0, "a bare map")
        expect(run("--url", s.url, "help", "lease4-get"), 0, "arguments: ")
        expect(run("gate", "--url", s.url, "help"), 0, "console")
        expect(run("gate", "--url", s.url, "list-commands"), 0, "lease4-get")
        assert "service" not in s.seen[-1][2], "the gate is no service of Kea"
        expect(run("client", "--url", s.url, "list-commands"), 0, "lease4-get")
        assert "service" not in s.seen[-1][2]


def test_positions_of_a_file(d):
    path = os.path.join(d, "new.conf")
    with open(path, "w", encoding="utf-8") as f:
        f.write('{ "Dhcp4": {\n  "valid-lifetime": 1\n} }\n')
    with served() as s:
        expect(run("--url", s.url, "config-test", "@" + path), 1, err="%s:2:5: the third line of the request" % path)
        assert s.seen[-1][2]["arguments"] == {"Dhcp4": {"valid-lifetime": 1}} and s.seen[-1][2]["service"] == ["dhcp4"]


def test_console(_):
    with served() as s:
        r = expect(run("gate", "--url", s.url, "console", stdin="1 + 1\nhaka.x\n"), 0, "ran 1 + 1\nran haka.x\n")
        assert r.stderr == "", r.stderr
        assert len({port for *_, port in s.seen}) == 1, "the commands of a session share a connection"


def test_no_answers(_):
    with served() as s:
        for form in ([], ["--json"]):
            for path, reason in (("/html", "answer"), ("/two", "the answer is not that of a command"), ("/cut", "incomplete"),
                                 ("/status/400", "status 400: the server could not read the request"),
                                 ("/status/403", "status 403: this user may not send the command"),
                                 ("/status/408", "status 408"), ("/status/500", "status 500: the server failed"),
                                 ("/status/302", "no redirection"), ("/status/418", "status 418"),
                                 ("/status/401", "the server requires a user (--user USER[:PASSWORD])")):
                r = expect(run("--url", s.url + path, *form, "list-commands"), 1, err=reason)
                assert r.stderr.startswith("usherctl: ") and r.stderr.count("\n") == 1, r.stderr


def test_refused(_):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))        # bound, and not listening
        url = "http://127.0.0.1:%d" % taken.getsockname()[1]
        expect(run("--url", url, "list-commands"), 1, err="cannot connect to %s: Connection refused; is usher-server running" % url)
        expect(run("gate", "--url", url, "list-commands"), 1, err="is usher-gate running")
        expect(run("--url", url, "top", "--batch", "1"), 1, "Connection refused")
    expect(run("--url", "http://no-such-host.invalid:1", "list-commands"), 1, err="no-such-host.invalid")
    expect(run("--url", "http://[::1", "list-commands"), 1, err="usherctl: ")


# --- Users -------------------------------------------------------------------------------------------------------------


def test_user(_):
    with served(user="admin:se:cret") as s:
        expect(run("--url", s.url, "--user", "admin:se:cret", "list-commands"), 0, "lease4-get")
        expect(run("--url", s.url, "--user", "admin", "list-commands", env={"USHER_PASSWORD": "se:cret"}), 0, "lease4-get")
        for args, env in ((("--user", "admin:wrong"), {}), (("--user", "admin"), {"USHER_PASSWORD": ""}), (("--user", "other:se:cret"), {})):
            r = expect(run("--url", s.url, *args, "list-commands", env=env), 1, err="status 401: user or password is wrong")
            assert "wrong\n" in r.stderr and "se:cret" not in r.stderr and "admin:" not in r.stderr, r.stderr
        expect(run("--url", s.url, "list-commands"), 1, err="the server requires a user")
        # no terminal to ask on
        r = run("--url", s.url, "--user", "admin", "list-commands", start_new_session=True)
        expect(r, 1, err="--user: no password: ")


class Terminal:
    """usherctl with a terminal as its controlling one, and as standard input, output and error unless given."""

    def __init__(self, *args, stdout=None, stderr=None):
        self.fd, slave = pty.openpty()
        self.before = subprocess.run(["stty", "-g"], stdin=slave, capture_output=True, check=True).stdout
        env = {k: v for k, v in os.environ.items() if not k.startswith("USHER_")}
        self.slave = slave
        self.proc = subprocess.Popen([CTL, *args], stdin=slave, stdout=stdout or slave, stderr=stderr or slave, env=env,
                                     start_new_session=True, preexec_fn=lambda: __import__("fcntl").ioctl(0, 0x540E, 0))
        self.text = b""

    def read(self, until, seconds=WAIT):
        """Reads until the pattern is there."""
        end = time.monotonic() + seconds
        while not re.search(until, self.text):
            assert time.monotonic() < end, (until, self.text)
            if select.select([self.fd], [], [], 0.1)[0]:
                self.text += os.read(self.fd, 65536)
        return self.text

    def write(self, data):
        os.write(self.fd, data)

    def end(self):
        """The exit code; the terminal must be as before."""
        code = self.proc.wait(WAIT)
        while select.select([self.fd], [], [], 0.1)[0]:
            self.text += os.read(self.fd, 65536)
        after = subprocess.run(["stty", "-g"], stdin=self.slave, capture_output=True, check=True).stdout
        assert after == self.before, (self.before, after)
        os.close(self.fd)
        os.close(self.slave)
        return code


def test_password_is_asked_for(_):
    with served(user="admin:se:cret") as s:
        t = Terminal("--url", s.url, "--user", "admin", "list-commands")
        t.read(b"password of admin: ")
        t.write(b"se:cret\n")
        t.read(b"lease4-get")
        assert t.end() == 0 and b"se:cret" not in t.text, t.text
        t = Terminal("--url", s.url, "--user", "admin", "list-commands")
        t.read(b"password of admin: ")
        t.write(b"\x03")
        assert t.end() == 128 + signal.SIGINT


# --- TLS ---------------------------------------------------------------------------------------------------------------


def openssl(d, *args):
    subprocess.run(["openssl", *args], cwd=d, check=True, capture_output=True, timeout=WAIT)


def certificate(d, name, ca, subject="/CN=127.0.0.1", alt="IP:127.0.0.1"):
    """NAME.pem and NAME.key, signed by the CA."""
    openssl(d, "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", name + ".key", "-out",
            name + ".csr", "-subj", subject)
    with open(os.path.join(d, name + ".ext"), "w", encoding="utf-8") as f:
        f.write("subjectAltName=%s\n" % alt)
    openssl(d, "x509", "-req", "-in", name + ".csr", "-CA", ca + ".pem", "-CAkey", ca + ".key", "-CAcreateserial", "-days", "2", "-extfile",
            name + ".ext", "-out", name + ".pem")


def authority(d, name):
    openssl(d, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-keyout", name + ".key",
            "-out", name + ".pem", "-subj", "/CN=" + name)


def context(d, name, client_ca=None):
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    c.load_cert_chain(os.path.join(d, name + ".pem"), os.path.join(d, name + ".key"))
    if client_ca:
        c.verify_mode = ssl.CERT_REQUIRED
        c.load_verify_locations(os.path.join(d, client_ca + ".pem"))
    return c


def test_tls(d):
    for name in ("ca", "other"):
        authority(d, name)
    certificate(d, "server", "ca")
    certificate(d, "named", "ca", "/CN=elsewhere.example", "DNS:elsewhere.example")
    certificate(d, "client", "ca", "/CN=client", "DNS:client")
    certificate(d, "stranger", "other", "/CN=client", "DNS:client")

    def pem(name):
        return os.path.join(d, name)

    with served(user="u:p", context=context(d, "server")) as s:
        expect(run("--url", s.url, "--ca", pem("ca.pem"), "--user", "u:p", "list-commands"), 0, "lease4-get")
        expect(run("--url", s.url + "/x", "--ca", pem("ca.pem"), "--user", "u:p", "lease4-get", "ip-address=192.0.2.10"), 0, "192.0.2.10")
        refused = "the server's certificate is not accepted"
        n = len(s.seen)
        expect(run("--url", s.url, "--ca", pem("other.pem"), "--user", "u:p", "list-commands"), 1, err=refused)
        expect(run("--url", s.url, "--user", "u:p", "list-commands"), 1, err=refused)
        expect(run("--url", s.url.replace("127.0.0.1", "localhost"), "--ca", pem("ca.pem"), "--user", "u:p", "list-commands"), 1, err=refused)
        expect(run("--url", s.url, "--ca", pem("ca.key"), "--user", "u:p", "list-commands"), 1, err="usherctl: ")
        expect(run("--url", s.url, "--ca", pem("absent"), "--user", "u:p", "list-commands"), 1,
               err="--ca %s: No such file or directory" % pem("absent"))
        expect(run("--url", s.url.replace("https", "http"), "--user", "u:p", "-t", "5", "list-commands"), 1, err="usherctl: ")
        assert len(s.seen) == n, "a password was sent to a server that is not trusted"
    with served(context=context(d, "named")) as s:
        expect(run("--url", s.url, "--ca", pem("ca.pem"), "list-commands"), 1, err=refused)
        assert not s.seen
    with served(context=context(d, "server", client_ca="ca")) as s:
        both = ("--cert", pem("client.pem"), "--key", pem("client.key"))
        expect(run("--url", s.url, "--ca", pem("ca.pem"), *both, "list-commands"), 0, "lease4-get")
        with open(pem("one.pem"), "wb") as one:
            for name in ("client.key", "client.pem"):
                with open(pem(name), "rb") as f:
                    one.write(f.read())
        expect(run("--url", s.url, "--ca", pem("ca.pem"), "--cert", pem("one.pem"), "list-commands"), 0, "lease4-get")
        expect(run("--url", s.url, "--ca", pem("ca.pem"), "list-commands"), 1, err="--cert")
        expect(run("--url", s.url, "--ca", pem("ca.pem"), "--cert", pem("stranger.pem"), "--key", pem("stranger.key"), "list-commands"), 1,
               err="the connection broke")
        expect(run("--url", s.url, "--ca", pem("ca.pem"), "--cert", pem("client.pem"), "--key", pem("server.key"), "list-commands"), 1,
               err="usherctl: ")
    with served() as s:
        expect(run("--url", s.url.replace("http", "https"), "--ca", pem("ca.pem"), "-t", "5", "list-commands"), 1, err="usherctl: ")


# --- Time and length ---------------------------------------------------------------------------------------------------


def test_time_limit(_):
    with served() as s:
        for form in ([], ["--json"]):
            began = time.monotonic()
            expect(run("--url", s.url + "/silent", "-t", "1", *form, "list-commands"), 1, err="no answer within 1 s")
            assert time.monotonic() - began >= 0.9
        # an answer that keeps coming has no limit
        r = expect(run("--url", s.url + "/drip", "-t", "2", "--json", "list-commands"), 0)
        assert len(json.loads(r.stdout)["text"]) == 1500
    # a listener that accepts nothing
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        expect(run("--url", "http://127.0.0.1:%d" % deaf.getsockname()[1], "-t", "1", "list-commands"), 1, err="no answer within 1 s")


def test_long_answer_in_bounded_memory(d):
    with served() as s, open(os.path.join(d, "big"), "wb") as out:
        p = subprocess.Popen([CTL, "--url", s.url + "/big", "--json", "lease4-get-all"], stdout=out, stderr=subprocess.PIPE)
        _, status, usage = os.wait4(p.pid, 0)
        p.returncode = os.waitstatus_to_exitcode(status)
        assert p.returncode == 0, p.stderr.read()
        p.stderr.close()
        assert usage.ru_maxrss << 10 < BIG_RSS, "%d kB" % usage.ru_maxrss
    assert os.path.getsize(os.path.join(d, "big")) >= BIG * 99 // 100
    with open(os.path.join(d, "big"), "rb") as f:
        assert f.read(13) == b'{"arguments":'
        f.seek(-40, os.SEEK_END)
        assert f.read().endswith(b']}, "text": "many", "result": 0 }\n')
    # a table, too: its cells wait in a file
    with served() as s, open(os.path.join(d, "table"), "w+b") as out:
        p = subprocess.Popen([CTL, "--url", s.url + "/big", "lease4-get-all"], stdout=out)
        _, status, usage = os.wait4(p.pid, 0)
        p.returncode = os.waitstatus_to_exitcode(status)
        assert p.returncode == 0 and usage.ru_maxrss << 10 < BIG_RSS, (p.returncode, usage.ru_maxrss)
        out.seek(0)
        lines = out.read().splitlines()
        assert len(lines) > BIG // 250 and lines[0].split()[:2] == [b"ip-address", b"hw-address"] and lines[-1] == b"many"
        assert all(b"192.0.2.10  02:00:00:00:00:01" in x for x in lines[1:-1]) and len({len(x) for x in lines[1:-1]}) == 1
    # a reader that ends
    with served() as s:
        with subprocess.Popen([CTL, "--url", s.url + "/big", "--json", "lease4-get-all"], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as p:
            p.stdout.read(100)
            p.stdout.close()
            p.stderr.read()
            assert p.wait(WAIT) != 0


def test_progress(d):
    with served() as s, open(os.path.join(d, "out"), "wb") as out:
        t = Terminal("--url", s.url + "/drip", "--json", "list-commands", stdout=out)
        t.read(rb"\r\d+ B, \d+ B/s\x1b\[K")
        assert t.end() == 0
        assert t.text.endswith(b"\r\x1b[K"), t.text
        t = Terminal("--url", s.url, "--json", "list-commands", stdout=out)      # a fast one
        assert t.end() == 0 and t.text == b"", t.text
        with open(os.path.join(d, "err"), "w+b") as err:
            t = Terminal("--url", s.url + "/later", "list-commands", stdout=out, stderr=err)
            assert t.end() == 0
            assert err.seek(0, os.SEEK_END) == 0, "progress in a file"


def test_watch(_):
    with served() as s:
        with subprocess.Popen([CTL, "--url", s.url, "--watch", "1", "lease4-get", "ip-address=192.0.2.10"], stdout=subprocess.PIPE,
                              text=True) as p:
            lines = [p.stdout.readline() for _ in range(6)]
            p.send_signal(signal.SIGINT)
            assert p.wait(WAIT) == 0
        marks = [x for x in lines if re.fullmatch(r"--- \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d\n", x)]
        assert len(marks) == 2 and lines[0] == marks[0] and lines[4] == marks[1], lines
        assert len({port for *_, port in s.seen}) == 1
        with subprocess.Popen([CTL, "--url", s.url, "--watch", "1", "--json", "lease4-get"], stdout=subprocess.PIPE, text=True) as p:
            assert [json.loads(p.stdout.readline())["result"] for _ in range(2)] == [0, 0]
            p.send_signal(signal.SIGTERM)
            assert p.wait(WAIT) == 0
        n = len(s.seen)
        for words, reason in ((("lease4-del",), "lease4-del: it changes state"), (("make-coffee",), "make-coffee: it is unknown here"),
                              (("gate", "run"), "run: it changes state"), (("gate", "console"), "it is no command of the program"),
                              (("help",), "it is no command of the program")):
            expect(run(*words, "--url", s.url, "--watch", "1"), 2, err=reason)
        assert len(s.seen) == n
        t = Terminal("--url", s.url, "--watch", "1", "lease4-get", "ip-address=192.0.2.10")
        t.read(rb"(?s)\x1b\[H\x1b\[2J.*\x1b\[H\x1b\[2J")
        t.write(b"\x03")
        assert t.end() == 0


def main():
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for name, test in sorted(globals().items()):
        if name.startswith("test_") and (len(sys.argv) < 3 or sys.argv[2] in name):
            began = time.monotonic()
            with tempfile.TemporaryDirectory(prefix="usherctl-") as d:
                test(d)
            print("%s: %.1f s" % (name, time.monotonic() - began), flush=True)


if __name__ == "__main__":
    main()
