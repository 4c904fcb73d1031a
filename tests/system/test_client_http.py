# SPDX-License-Identifier: MPL-2.0
"""A client over HTTP, by usherctl client serve: commands, users, metrics, a client that is gone; and its page in Chromium."""

import json
import os
import signal
import subprocess
import time

from lib import metrics
from lib.metrics import Text
from lib.netns import wait_for
from lib.runner import test
from lib.server import slack
from lib.usher_client import UsherClient
from lib.web import Web
from test_page import Browser


def _serve(t, c, *words):
    ctl = os.path.join(os.path.dirname(t.binary), "usherctl")
    proc = t.lab.popen(c.ns, [ctl, "client", "-s", c.socket, "serve", *words], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                       stderr=subprocess.PIPE, text=True)
    assert "serving on" in proc.stderr.readline()
    return proc


@test(timeout=60, tags=("asan",))
def test_client_http(t):
    """Commands, metrics and access; a client that hangs is given up; the process ends by SIGTERM."""
    t.wire()
    t.server()
    cli = t.lab.ns("cli")
    cli.ip("link", "set", "lo", "up")
    c = UsherClient(t, cli, hook=False).start("-f", "--no-probe")
    wait_for("the channel", c.answers, slack(10))
    c.wait_state("BOUND")
    users = t.lab.path("users")
    with open(users, "w", encoding="utf-8") as f:
        f.write("admin:word\nread-only viewer:seen\n")
    proc = _serve(t, c, "127.0.0.1:8000", "users=" + users)
    admin, viewer = Web(cli, 8000, user=("admin", "word")), Web(cli, 8000, user=("viewer", "seen"))
    assert Web(cli, 8000).post({"command": "state"})[0] == 401
    assert viewer.command("state")["arguments"]["state"] == "BOUND"
    assert viewer.command("renew")["result"] == 1
    assert admin.command("renew")["result"] == 0
    assert admin.command("make-coffee")["result"] == 2
    assert "not supported over HTTP" in admin.command("events")["text"]
    assert admin.post(b"[1]")[0] == 400
    status, headers, text = viewer.request("GET", "/metrics")
    assert status == 200 and b"usher_client_state" in text and headers["Content-Type"].startswith("text/plain"), text[:200]
    for form in ("text/plain", "application/openmetrics-text"):
        raw = viewer.request("GET", "/metrics", headers={"Accept": form})[2].decode()
        m = Text(raw, form != "text/plain")
        m.check_rows((*metrics.CLIENT, *metrics.HTTP))
        assert m.get("usher_http_authentication_failures_total", address="127.0.0.1", port="8000", cause="absent") == 1
        assert 2 <= m.get("usher_http_connections", address="127.0.0.1", port="8000") <= 3
        assert not m.all("usher_http_certificate_expiry_seconds")
    metrics.promtool_metrics(text.decode())
    tick = json.loads(viewer.request("GET", "/api/v1/tick")[2])
    assert tick["machine"] in ("BOUND", "RENEWING") and tick["facts"], tick
    c.proc.send_signal(signal.SIGSTOP)
    try:
        began = time.monotonic()
        assert admin.command("state")["result"] == 1
        assert time.monotonic() - began < slack(6)
        assert viewer.request("GET", "/healthz")[0] == 200
    finally:
        c.proc.send_signal(signal.SIGCONT)
    wait_for("the client again", lambda: admin.command("state")["result"] == 0, slack(10))
    proc.send_signal(signal.SIGTERM)
    assert proc.wait(slack(10)) == 0


@test(timeout=120)
def test_client_page(t):
    """The state machine of a client in the browser, with its present state."""
    t.wire()
    t.server()
    cli = t.lab.ns("cli")
    cli.ip("link", "set", "lo", "up")
    c = UsherClient(t, cli, hook=False).start("-f", "--no-probe")
    wait_for("the channel", c.answers, slack(10))
    c.wait_state("BOUND")
    _serve(t, c, "127.0.0.1:8000")
    r = Browser(t, cli, "machine").result()
    assert r["current"] == "BOUND" and "10.77.0." in r["facts"] and not r["found"], r
