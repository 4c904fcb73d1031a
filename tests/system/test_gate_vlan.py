# SPDX-License-Identifier: MPL-2.0
"""VLAN tags on usher-gate's live path: frames written by packet sockets with 802.1Q, 802.1ad and stacked tags leave as they came,
octet by octet, with and without rules, and under the guard; dissectors look behind any number of priority tags."""

import json
import socket
import struct

from lib.gate import Gate, cable
from lib.netns import wait_for
from lib.runner import test
from lib.server import slack

_DST, _SRC = bytes.fromhex("020000000002"), bytes.fromhex("020000000001")
_STACKS = {
    "plain": b"",
    "vlan": struct.pack("!HH", 0x8100, 0x6007),
    "priority": struct.pack("!HH", 0x8100, 0xe000),
    "provider": struct.pack("!HH", 0x88a8, 0x0064),
    "stacked": struct.pack("!HHHH", 0x88a8, 0x0064, 0x8100, 0x200a),
    "old-stacked": struct.pack("!HHHH", 0x9100, 0x0064, 0x8100, 0x0003),
    "priorities": struct.pack("!HHHHHH", 0x8100, 0x2000, 0x8100, 0x4000, 0x8100, 0x6000),
}


def _sum(data):
    s = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    s = (s & 0xffff) + (s >> 16)
    return ~((s & 0xffff) + (s >> 16)) & 0xffff


def _frame(tags, text, src="10.70.0.1", dst="10.70.0.2"):
    payload = struct.pack("!HHHH", 1000, 9, 8 + len(text), 0) + text
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 1, 0, 64, 17, 0, socket.inet_aton(src), socket.inet_aton(dst))
    head = head[:10] + struct.pack("!H", _sum(head)) + head[12:]
    return _DST + _SRC + tags + struct.pack("!H", 0x0800) + head + payload


def _raw(ns, ifname):
    with ns:
        s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        s.bind((ifname, 0))
    s.settimeout(slack(5))
    s.setsockopt(263, 8, 1)  # SOL_PACKET, PACKET_AUXDATA
    return s


def _receive(s, text):
    """The frame with this text, with the tag that the kernel took off put back."""
    while True:
        data, control, flags, _ = s.recvmsg(2000, 512)
        assert not flags & socket.MSG_CTRUNC
        for level, kind, value in control:
            if (level, kind) == (263, 8):
                status, _, _, _, _, tci, tpid = struct.unpack("IIIHHHH", value[:20])
                if status & 0x10:
                    data = data[:12] + struct.pack("!HH", tpid if status & 0x40 else 0x8100, tci) + data[12:]
        if text in data:
            return data


_NOTHING = None
_LOOKS = """
haka.rule{ on = haka.dissectors.udp.events.receive_packet, eval = function (pkt)
	if pkt.payload:asstring():find('evil') then pkt:drop() end
end }
"""


@test(cases={"no-rules": _NOTHING, "rules": _LOOKS})
def test_gate_vlan_tags(t, rules):
    """Tags of every kind pass unchanged in both directions; the packets behind them are examined."""
    a, b, g = cable(t)
    gate = Gate(t, g, rules).start("-i", "ga", "-i", "gb")
    ends = (_raw(a, "a0"), _raw(b, "b0"))
    for name, tags in _STACKS.items():
        for out, come in (ends, ends[::-1]):
            text = b"text of " + name.encode() + (b" up" if out is ends[0] else b" down")
            frame = _frame(tags, text, *(("10.70.0.1", "10.70.0.2") if out is ends[0] else ("10.70.0.2", "10.70.0.1")))
            out.send(frame)
            got = _receive(come, text)
            assert got == frame, "%s: %s instead of %s" % (name, got[:30].hex(), frame[:30].hex())
            if rules:
                out.send(_frame(tags, b"evil " + text))
    # one behind the last of each direction: the gate has decided those in front of it then
    for out, come, src, dst in ((*ends, "10.70.0.1", "10.70.0.2"), (*ends[::-1], "10.70.0.2", "10.70.0.1")):
        out.send(_frame(b"", b"the last", src, dst))
        _receive(come, b"the last")
    s = gate.end()
    assert s["drops"] == ({"drop-rule": 2 * len(_STACKS)} if rules else {}), s["drops"]


@test()
def test_gate_vlan_guard(t):
    """The guard sees the VLAN of a binding: a frame with its tags passes, one in another VLAN does not."""
    a, b, g = cable(t)
    path = t.lab.path("guard.json")
    with open(path, "w", encoding="utf-8") as f:
        json.dump({"ports": [{"name": "gb", "role": "trusted"}], "static-bindings": [
            {"hw-address": "02:00:00:00:00:01", "ip-address": "10.70.0.1", "vlan": 7, "port": "ga"}]}, f)
    gate = Gate(t, g).start("-i", "ga", "-i", "gb", "--guard", path)
    out, come = _raw(a, "a0"), _raw(b, "b0")
    out.send(_frame(struct.pack("!HH", 0x8100, 8), b"in another"))
    frame = _frame(struct.pack("!HH", 0x8100, 0x6007), b"in its own")
    out.send(frame)
    assert _receive(come, b"in its own") == frame
    wait_for("the refusal", lambda: gate.ctl("statistics")["drops"].get("drop-guard-address") == 1, slack(5))
    gate.end()
