# SPDX-License-Identifier: MPL-2.0
"""Faults of the machine under a server: no descriptors left (INV-23), little address space (INV-24), a
log that nobody reads, a process that was stopped for a while."""

import os
import signal
import subprocess
import time

from lib import dhcp
from lib.client import Client, Ledger, acquire_many, mac_of
from lib.netns import wait_for
from lib.runner import test
from lib.server import SANITIZED, slack, subnet

BIG = [subnet("10.64.0.0/12", "10.65.0.0 - 10.79.255.255")]


@test(timeout=60, tags=("asan",))
def test_INV_23_out_of_descriptors(t):
    """The control channel takes all there are: packets are served, it doesn't spin, the channel comes back."""
    port = t.wire()
    s = t.server(start=False)
    s.start()
    used = s.n_fds()
    assert s.term() == 0
    s.start(write=False, wrap=("prlimit", "--nofile=%d" % (used + 6)))
    held = []
    for _ in range(60):
        try:
            held.append(s.connect(timeout=1))
        except OSError:
            break
    for n in range(10):
        c = Client(port, mac_of(n))
        c.dora()
        assert c.renew().type == dhcp.ACK
    cpu = s.cpu_seconds()
    time.sleep(1)
    assert s.cpu_seconds() - cpu < 0.3, "it spins: %.2f s of CPU in a second" % (s.cpu_seconds() - cpu)
    for c in held:
        c.close()

    def back():
        try:
            return s.command("version-get", timeout=2)["result"] == 0
        except (OSError, ValueError):
            return False
    wait_for("the channel to come back", back, slack(15))
    Client(port, mac_of(50)).dora()


@test(timeout=60)
def test_INV_24_little_address_space(t):
    """Requests may fail, the process doesn't end. Sanitizers need the address space themselves."""
    if SANITIZED:
        return
    port = t.wire("10.64.0.1/12")
    s = t.server(subnets=BIG)
    with open("/proc/%d/status" % s.proc.pid, encoding="utf-8") as f:
        peak = next(int(line.split()[1]) for line in f if line.startswith("VmPeak"))
    assert s.term() == 0
    s.start(write=False, wrap=("prlimit", "--as=%d" % ((peak + 8192) * 1024)))
    acquire_many(port, [Client(port, mac_of(n)) for n in range(8000)], 15, window=200)
    try:
        s.raw(b'{"command": "lease4-get-all"}', timeout=10)
    except OSError:
        pass
    assert s.alive(), "the process ended with %s" % s.proc.returncode


@test(timeout=60, tags=("asan", "tsan"))
def test_log_that_nobody_reads(t):
    """Standard output is a pipe that is full: service continues; lines are lost and counted, not packets."""
    port = t.wire("10.64.0.1/12")
    s = t.server(subnets=BIG, start=False)
    r, w = os.pipe()
    s.start(stdout=w)
    os.close(w)
    ledger = Ledger()
    done = acquire_many(port, [Client(port, mac_of(n)) for n in range(2000)], slack(15), ledger=ledger)
    assert len(done) == 2000, "%d of 2000 served with a blocked log" % len(done)
    ledger.check()
    assert s.command("status-get")["result"] == 0, "the channel hangs"
    for c in done[:20]:
        assert c.renew().type == dhcp.ACK
    # read again: the log continues
    os.set_blocking(r, False)
    text = b""

    def lines():
        nonlocal text
        try:
            while part := os.read(r, 1 << 16):
                text += part
        except BlockingIOError:
            pass
        Client(port, mac_of(int(time.monotonic() * 1000), 0x31)).dora()
        return b"LINES_LOST" in text
    try:
        wait_for("the word about lost lines", lines, slack(8), step=0.2)
    finally:
        s.tail_text = text[-2000:].decode(errors="replace")
    assert s.term() == 0, "it does not end while its log is blocked"
    os.close(r)


@test()
def test_log_reader_that_goes_away(t):
    """The other end of the pipe is closed: no SIGPIPE, service continues."""
    port = t.wire()
    s = t.server(start=False)
    r, w = os.pipe()
    s.start(stdout=w)
    os.close(w)
    os.close(r)
    for n in range(20):
        Client(port, mac_of(n)).dora()
    assert s.command("status-get")["result"] == 0
    assert s.term() == 0


@test(timeout=60)
def test_process_stopped_for_a_while(t):
    """SIGSTOP under load, then SIGCONT: queued messages are answered or dropped, nothing is doubled."""
    port = t.wire("10.64.0.1/12")
    s = t.server(subnets=BIG)
    ledger = Ledger()
    first = acquire_many(port, [Client(port, mac_of(n)) for n in range(100)], slack(10), ledger=ledger)
    s.proc.send_signal(signal.SIGSTOP)
    for n in range(1000):
        port.send(Client(port, mac_of(n, 0x32)).discover())
    time.sleep(1)
    s.proc.send_signal(signal.SIGCONT)
    more = acquire_many(port, [Client(port, mac_of(n, 0x33)) for n in range(100)], slack(10), ledger=ledger)
    assert len(more) == 100, "%d of 100 served behind a stop" % len(more)
    for c in first[:10]:
        assert c.renew().type == dhcp.ACK
    ledger.check()


@test(timeout=60)
def test_statistics_add_up(t):
    """I7: received messages equal those sent by clients; leases counted are leases stored."""
    port = t.wire("10.64.0.1/12")
    s = t.server(subnets=BIG)
    done = acquire_many(port, [Client(port, mac_of(n)) for n in range(200)], slack(10), retry=slack(5))
    assert len(done) == 200
    assert s.stat("pkt4-received") == 400, "pkt4-received is %s" % s.stat("pkt4-received")
    # counted when the kernel has taken the answer, which the client may hold in its hands by then
    wait_for("the answers to be counted", lambda: s.stat("pkt4-sent") == 400, slack(3))
    assert s.stat("pkt4-ack-sent") == 200
    assert s.stat("subnet[1].assigned-addresses") == 200
    rows = s.ok("stat-lease4-get")["result-set"]
    assert rows["rows"][0][rows["columns"].index("assigned-addresses")] == 200, rows
    for c in done[:50]:
        c.release()
    wait_for("the releases to be counted", lambda: s.stat("subnet[1].assigned-addresses") == 150, slack(3))
    s.restart()
    assert s.stat("subnet[1].assigned-addresses") == 150, "after a restart"
    assert len([1 for r in s.leases().values() if r["state"] == "0" and int(r["valid_lifetime"])
                and int(r["expire"]) > time.time()]) == 150


@test()
def test_foreign_working_directory_and_closed_descriptors(t):
    """Started without standard input, output and error open: no descriptor of its own takes their place."""
    port = t.wire()
    s = t.server(start=False)
    s.write_conf()
    s.proc = t.lab.popen(s.ns, ["sh", "-c", "exec \"$0\" -c \"$1\" <&- >&- 2>&-", t.binary, s.conf_path], cwd="/",
                         env=dict(os.environ, **s.env), stdin=subprocess.DEVNULL)
    s.wait_ready()
    c = Client(port, mac_of(1))
    c.dora()
    assert s.active(c.addr, c.mac)
    head = open(s.lease_path, encoding="utf-8").readline()
    assert head.startswith("address,"), "something was written into the lease file: %r" % head
    assert s.term() == 0


@test(timeout=120)
def test_valgrind_no_leak_after_a_clean_stop(t):
    port = t.wire()
    s = t.server(start=False)
    report = t.lab.path("valgrind")
    s.conf["multi-threading"]["thread-pool-size"] = 1
    s.write_conf()
    s.start(wait=False, wrap=("valgrind", "--leak-check=full", "--show-leak-kinds=definite,possible",
                              "--errors-for-leak-kinds=definite", "--error-exitcode=99", "--log-file=" + report))
    s.wait_ready(60)
    for n in range(20):
        c = Client(port, mac_of(n))
        c.dora(timeout=3)
        assert c.renew(timeout=3).type == dhcp.ACK
        if n % 2:
            c.release()
    for _ in range(3):
        assert s.command("config-reload", timeout=30)["result"] == 0
        s.command("config-set", {"Dhcp4": {"bogus": 1}}, timeout=30)
    assert s.command("lease4-get-all", timeout=30)["result"] == 0
    code = s.term(60)
    with open(report, encoding="utf-8", errors="replace") as f:
        text = f.read()
    assert code == 0 and "ERROR SUMMARY: 0 errors" in text, "exit code %s: %s" % (code, text[-3000:])


@test(timeout=60)
def test_what_the_kernel_drops_is_counted(t):
    """A socket buffer that overflows while the server is stopped: usher-kernel-drops tells how much."""
    port = t.wire("10.64.0.1/12")
    s = t.server(subnets=BIG)
    assert s.stat("usher-kernel-drops") == 0
    s.proc.send_signal(signal.SIGSTOP)
    one = Client(port, mac_of(1)).discover()
    for _ in range(60000):
        port.send(one)
    s.proc.send_signal(signal.SIGCONT)
    wait_for("the loss to be counted", lambda: s.stat("usher-kernel-drops") > 0, slack(10))
    wait_for("every packet to be accounted for",
             lambda: s.stat("pkt4-received") + s.stat("usher-kernel-drops") == 60000, slack(20))
