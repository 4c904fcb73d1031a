# SPDX-License-Identifier: MPL-2.0
"""Capture files that end anywhere, with times that cannot be, of link types that are not read."""

import json
import os
import struct
import subprocess

from lib.runner import test

_FRAME = bytes(12) + b"\x08\x06" + bytes(8)
_N = 3


def _pcap(order, nano):
    magic = 0xa1b23c4d if nano else 0xa1b2c3d4
    head = struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 65535, 1)
    return [head] + [struct.pack(order + "IIII", i, i, len(_FRAME), len(_FRAME)) + _FRAME for i in range(_N)]


def _block(kind, body):
    body += bytes(-len(body) % 4)
    return struct.pack("<II", kind, len(body) + 12) + body + struct.pack("<I", len(body) + 12)


def _packet(stamp, link=0):
    return _block(6, struct.pack("<IIIII", link, stamp >> 32, stamp & 0xffffffff, len(_FRAME), len(_FRAME)) + _FRAME)


def _pcapng(stamps, resolution=6):
    head = _block(0x0a0d0d0a, struct.pack("<IHHq", 0x1a2b3c4d, 1, 0, -1))
    head += _block(1, struct.pack("<HHI", 1, 0, 65535) + struct.pack("<HHB3xI", 9, 1, resolution, 0))
    return [head] + [_packet(s) for s in stamps]


def _run(t, octets, *options):
    path, out = t.lab.path("in.pcap"), t.lab.path("out.pcap")
    with open(path, "wb") as f:
        f.write(octets)
    if os.path.exists(out):
        os.unlink(out)
    p = subprocess.run([os.path.join(os.path.dirname(t.binary), "usher-gate"), "-r", path, "-w", out, "--quiet", *options], capture_output=True, check=False, timeout=60)
    text = p.stderr.decode()
    assert p.returncode in (0, 1) and "Sanitizer" not in text and "runtime error" not in text, (p.returncode, text)
    n = (os.path.getsize(out) - 24) // (16 + len(_FRAME)) if os.path.exists(out) and os.path.getsize(out) > 24 else 0
    return p.returncode, n, text


@test(tags=("asan",), timeout=300, cases={"pcap": _pcap("<", False), "pcap-other-order": _pcap(">", True),
                                          "pcapng": _pcapng([1, 2, 3])})
def test_gate_cut_off_file(t, parts):
    """Cut anywhere, a file has a clean error with the record, and all packets before it are processed. At each octet of the
    heads, and at every seventh behind them."""
    octets, ends, at = b"".join(parts), [], 0
    for part in parts:
        at += len(part)
        ends.append(at)
    for cut in range(len(octets) + 1):
        if cut % 7 and not any(-4 <= cut - e <= 32 for e in [0, *ends]):
            continue
        whole = sum(1 for e in ends[1:] if e <= cut)
        code, n, text = _run(t, octets[:cut])
        assert n == whole, (cut, n, whole, text)
        assert code == (0 if cut in ends else 1), (cut, code, text)
        assert code == 0 or "in.pcap" in text, (cut, text)
        if cut > ends[0] and code:
            assert "record %d" % (whole + 1) in text, (cut, text)


@test(tags=("asan",))
def test_gate_times_that_cannot_be(t):
    """Times beyond 64 bits of nanoseconds count as the time before."""
    for resolution in (0, 6, 9, 0x80 | 10):
        stamps = [1, 2**63 - 1, 2**63, 2**64 - 1, 2]
        code, n, text = _run(t, b"".join(_pcapng(stamps, resolution)))
        assert code == 0 and n == len(stamps), (resolution, code, n, text)


@test(tags=("asan",))
def test_gate_link_types(t):
    """A link type that cannot be read is named, with its number."""
    head = bytearray(_pcap("<", False)[0])
    for number, name in ((105, "IEEE802_11"), (195, "IEEE802_15_4"), (9999, "9999")):
        head[20:24] = struct.pack("<I", number)
        code, _, text = _run(t, bytes(head))
        assert code == 1 and name in text and "Ethernet" in text, text


@test(tags=("asan",))
def test_gate_snapped(t):
    """A frame that the capture does not hold completely is dropped by name, or kept as it is."""
    head = _pcap("<", False)[0]
    snapped = struct.pack("<IIII", 1, 1, len(_FRAME), 999) + _FRAME
    assert _run(t, head + snapped)[:2] == (0, 0)
    assert _run(t, head + snapped, "--keep-snapped")[:2] == (0, 1)


@test(tags=("asan",))
def test_gate_summary_keys(t):
    """The summary counts flows that were added, by the name that statistics have for it; "flows" means those alive there."""
    path = t.lab.path("in.pcap")
    with open(path, "wb") as f:
        f.write(b"".join(_pcap("<", False)))
    gate = os.path.join(os.path.dirname(t.binary), "usher-gate")
    p = subprocess.run([gate, "-r", path, "--json"], capture_output=True, check=True, timeout=60)
    keys = json.loads(p.stdout or p.stderr)
    assert keys["flows-added"] == 0 and "flows" not in keys and keys["packets"] == _N, keys
