# SPDX-License-Identifier: MPL-2.0
"""HTTP and HTTPS for tests: certificates of an authority of the test, and requests from within a namespace."""

import base64
import http.client
import json
import socket
import ssl
import subprocess

from lib.server import slack


class Authority:
    """A certificate authority in a directory of the test."""

    def __init__(self, lab, name="ca"):
        self.lab, self.name = lab, name
        self.cert, self.key = lab.path(name + ".pem"), lab.path(name + ".key")
        self._run("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
                  "-subj", "/CN=" + name, "-keyout", self.key, "-out", self.cert)

    @staticmethod
    def _run(*args, **kw):
        subprocess.run(["openssl", *args], check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL, **kw)

    def issue(self, name, days=30):
        """A certificate for 127.0.0.1 and ::1, and its key; their paths."""
        cert, key, req = (self.lab.path("%s-%s%s" % (self.name, name, end)) for end in (".pem", ".key", ".csr"))
        ext = self.lab.path("%s-%s.ext" % (self.name, name))
        with open(ext, "w", encoding="utf-8") as f:
            f.write("subjectAltName=IP:127.0.0.1,IP:::1,DNS:localhost\n")
        self._run("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=" + name,
                  "-keyout", key, "-out", req)
        self._run("x509", "-req", "-in", req, "-CA", self.cert, "-CAkey", self.key, "-CAcreateserial", "-days", str(days),
                  "-extfile", ext, "-out", cert)
        return cert, key


def basic(user, password):
    return "Basic " + base64.b64encode(("%s:%s" % (user, password)).encode()).decode()


class Web:
    """A client of one HTTP(S) socket in namespace ns. A connection is kept between requests."""

    def __init__(self, ns, port, address="127.0.0.1", ca=None, cert=None, user=None):
        self.ns, self.port, self.address, self.ca, self.cert, self.user = ns, port, address, ca, cert, user
        self._conn = None

    def connection(self):
        if not self._conn:
            if self.ca:
                ctx = ssl.create_default_context(cafile=self.ca)
                if self.cert:
                    ctx.load_cert_chain(*self.cert)
                conn = http.client.HTTPSConnection(self.address, self.port, timeout=slack(20), context=ctx)
            else:
                conn = http.client.HTTPConnection(self.address, self.port, timeout=slack(20))
            with self.ns:
                conn.connect()
            self._conn = conn
        return self._conn

    def close(self):
        if self._conn:
            self._conn.close()
        self._conn = None

    def request(self, method, path="/", body=None, headers=None):
        """Status, headers, text."""
        headers = dict(headers or {})
        if self.user:
            headers.setdefault("Authorization", basic(*self.user))
        conn = self.connection()
        try:
            conn.request(method, path, body=body, headers=headers)
            r = conn.getresponse()
            text = r.read()
        except Exception:
            self.close()
            raise
        if r.will_close:
            self.close()
        return r.status, r.headers, text

    def post(self, value, **headers):
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        return self.request("POST", "/", body, {"Content-Type": "application/json", **headers})

    def command(self, name, arguments=None, **more):
        """The answer of a command: the only element of the list."""
        value = {"command": name, **more}
        if arguments is not None:
            value["arguments"] = arguments
        status, _, text = self.post(value)
        assert status == 200, (status, text[:300])
        answer = json.loads(text)
        assert isinstance(answer, list) and len(answer) == 1, text[:300]
        return answer[0]


def raw_request(ns, port, data, timeout=None, address="127.0.0.1"):
    """Octets to a socket; the octets that came back until it was closed."""
    with ns:
        s = socket.create_connection((address, port), timeout or slack(20))
    out = b""
    with s:
        s.sendall(data)
        try:
            while part := s.recv(65536):
                out += part
        except ConnectionResetError:
            pass
    return out
