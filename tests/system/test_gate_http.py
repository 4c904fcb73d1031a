# SPDX-License-Identifier: MPL-2.0
"""The gate over HTTP: commands, users, metrics, options that cannot work; and its page in Chromium."""

import json
import os
import subprocess
import time

from lib import metrics
from lib.gate import Gate, cable
from lib.metrics import Text
from lib.runner import test
from lib.server import slack
from lib.web import Authority, Web
from test_page import Browser

_RULES = """
haka.rule{ on = haka.dissectors.icmp.events.receive_packet, eval = function (pkt)
	haka.alert{ description = 'an echo', severity = 'low' }
	pkt:drop()
end }
"""


@test(timeout=60, tags=("asan",))
def test_gate_http(t):
    """Commands and metrics over HTTP and HTTPS, with users and without."""
    a, b, g = cable(t)
    users = t.lab.path("users")
    with open(users, "w", encoding="utf-8") as f:
        f.write("# users\nadmin:a word: with colon\n\nread-only viewer:seen\n")
    ca = Authority(t.lab)
    cert, key = ca.issue("gate")
    gate = Gate(t, g, _RULES).start("-i", "ga", "-i", "gb", "--http", "127.0.0.1:8443", "--http-users", users,
                                    "--http-cert", cert, "--http-key", key)
    a.run("ping", "-c", "2", "-i", "0.2", "-W", "1", "10.70.0.2", check=False)
    admin = Web(g, 8443, ca=ca.cert, user=("admin", "a word: with colon"))
    viewer = Web(g, 8443, ca=ca.cert, user=("viewer", "seen"))
    assert Web(g, 8443, ca=ca.cert).post({"command": "statistics"})[0] == 401
    s = viewer.command("statistics")["arguments"]
    assert s["drops"]["drop-rule"] == 2, s
    assert s == gate.ctl("statistics") or s["packets"] <= gate.ctl("statistics")["packets"]
    refused = viewer.command("run", {"code": "print(1)"})
    assert refused["result"] == 1 and "read access" in refused["text"], refused
    assert admin.command("run", {"code": "return 7 * 6"})["result"] == 0
    status, headers, text = viewer.request("GET", "/metrics")
    assert status == 200 and b'usher_gate_' in text and headers["Content-Type"].startswith("text/plain"), text[:300]
    m = Text(text.decode())
    m.check_rows(metrics.GATE)
    place = {"address": "127.0.0.1", "port": "8443"}
    # with the request of the text itself
    assert m.get("usher_http_requests_total", status="2xx", **place) == 4, text
    assert 2 <= m.get("usher_http_connections", **place) <= m.get("usher_http_connections_accepted_total", **place) == 3, text
    assert m.get("usher_http_authentication_failures_total", cause="absent", **place) == 1
    assert m.get("usher_http_certificate_expiry_seconds", **place) > time.time()
    metrics.promtool_metrics(gate.ctl("metrics-get")["metrics"])
    Text(gate.ctl("metrics-get", "format=openmetrics")["metrics"], True).check_rows(metrics.GATE)
    assert viewer.request("GET", "/")[0] == 200
    tick = json.loads(viewer.request("GET", "/api/v1/tick")[2])
    assert tick["drops"]["drop-rule"][0] == 2 and tick["stages"]["icmp"] == 2, tick
    for web in (admin, viewer):
        web.close()
    gate.end()


@test(timeout=60)
def test_gate_http_options(t):
    """Options that cannot work: the gate does not start, and says why."""
    g = t.lab.ns("gate")
    t.lab.veth(g, "ga", t.lab.ns("a"), "a0")
    users = t.lab.path("users")
    with open(users, "w", encoding="utf-8") as f:
        f.write("nonsense\n")
    binary = os.path.join(os.path.dirname(t.binary), "usher-gate")
    for options, text in ((("--http", "localhost:8000"), "literal address"), (("--http", "127.0.0.1"), "literal address"),
                          (("--http", "127.0.0.1:99999"), "literal address"), (("--http", "10.1.2.3:8000"), "cannot be opened"),
                          (("--http", "127.0.0.1:8000", "--http-users", users), "line 1"),
                          (("--http", "127.0.0.1:8000", "--http-users", "/none"), "/none cannot be read"),
                          (("--http", "127.0.0.1:8000", "--http-cert", users), "needs a certificate and its key"),
                          (("--http", "127.0.0.1:8000", "--http-cert", users, "--http-key", users), "certificate cannot be used")):
        with g:
            out = subprocess.run([binary, "-i", "ga", "-s", "none", *options], capture_output=True, text=True, timeout=slack(20),
                                 check=False)
        assert out.returncode == 1 and text in out.stderr, (options, out)


@test(timeout=120)
def test_gate_page(t):
    """The page of the gate: dissectors with their packets, rules, alerts."""
    a, b, g = cable(t)
    gate = Gate(t, g, _RULES).start("-i", "ga", "-i", "gb", "--http", "127.0.0.1:8000")
    g.ip("link", "set", "lo", "up")
    a.run("ping", "-c", "2", "-i", "0.2", "-W", "1", "10.70.0.2", check=False)
    r = Browser(t, g, "gate").result()
    assert "drop-rule" in r["pipeline"] and "an echo" in r["rules"] and not r["found"], r
    gate.end()
