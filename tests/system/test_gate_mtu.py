# SPDX-License-Identifier: MPL-2.0
"""No frame that usher-gate sends is longer than the MTU, also when rules hold data or make it longer: TCP segments
that arrive in IPv4 fragments, datagrams that a rule made longer, on interfaces and through a netfilter queue."""

import socket
import struct

from lib import dhcp
from lib.gate import Gate, cable, router
from lib.netns import wait_for
from lib.runner import test
from lib.server import slack
from lib.tcp_wire import ACK, PSH, SYN, Peer, Reader, datagram, none_stuck, raw

_MAC_A, _MAC_B = "02:00:00:00:00:0a", "02:00:00:00:00:0b"
_FIRST, _SECOND = bytes(range(1, 251)) * 8, b"z" * 600  # 2000 octets: two fragments at an MTU of 1500

_HOLDS = """
haka.rule{ on = haka.dissectors.tcp_connection.events.receive_data, options = { streamed = true },
	eval = function (flow, iter, direction)
		if direction == 'down' then return end
		while iter:sub(2600) do end
	end
}
"""


def _drops(gate):
    return {k: n for k, n in gate.ctl("statistics")["drops"].items() if n}


def _handshake(client, server):
    client.send(SYN)
    _, server.ack, _ = server.receive()
    server.ack += 1
    server.send(SYN | ACK)
    _, client.ack, _ = client.receive()
    client.ack += 1
    client.send(ACK)
    assert server.receive()[0] == ACK


@test()
def test_gate_held_fragments(t):
    """A segment of 2,000 octets in two fragments that a rule holds until there are 2,600: it leaves in frames no longer than
    they came, and its octets are complete."""
    a, b, g = cable(t, offload=False)
    gate = Gate(t, g, _HOLDS).start("-i", "ga", "-i", "gb")
    client = Peer(a, "a0", _MAC_A, "10.70.0.11", 4000, _MAC_B, "10.70.0.12", 9000, 1000)
    server = Peer(b, "b0", _MAC_B, "10.70.0.12", 9000, _MAC_A, "10.70.0.11", 4000, 5000)
    _handshake(client, server)
    client.send(ACK | PSH, _FIRST, step=1480)
    wait_for("both fragments to be held", lambda: gate.ctl("statistics")["held"] == 1, slack(5))
    client.send(ACK | PSH, _SECOND)
    assert server.read(2600) == _FIRST + _SECOND
    assert server.longest_frame <= 1514 and server.reader.n_fragments == 2, (server.longest_frame, server.reader.n_fragments)
    assert not {k for k in _drops(gate) if k != "drop-consumed"}, _drops(gate)
    gate.end()


@test()
def test_gate_queue_held_fragments(t):
    """The same through a queue of netfilter to a real server: each fragment gets one verdict, and none waits for ever."""
    a, b, g = router(t)
    gate = Gate(t, g, _HOLDS).start("-q", "71", "--queue-rules")
    g.ip("neigh", "replace", "10.70.0.9", "lladdr", _MAC_A, "dev", "ga", "nud", "permanent")
    with b:
        listener = socket.create_server(("10.71.0.2", 9000))
    listener.settimeout(slack(10))
    client = Peer(a, "a0", _MAC_A, "10.70.0.9", 4000, g.mac("ga"), "10.71.0.2", 9000, 1000)
    with listener:
        client.send(SYN)
        _, client.ack, _ = client.receive()
        client.ack += 1
        client.send(ACK)
        c, _ = listener.accept()
        with c:
            c.settimeout(slack(10))
            client.send(ACK | PSH, _FIRST, step=1480)
            wait_for("both fragments to be held", lambda: gate.ctl("statistics")["held"] == 1, slack(5))
            client.send(ACK | PSH, _SECOND)
            got = b""
            while len(got) < 2600:
                got += c.recv(4096)
            assert got == _FIRST + _SECOND
            none_stuck(g, 71)
    assert not {k for k in _drops(gate) if k != "drop-consumed"}, _drops(gate)
    assert "error" not in gate.log().lower(), gate.log()
    s = gate.end()
    assert s.get("send-errors", 0) == 0, s


_GROWS = """
haka.rule{ on = haka.dissectors.udp.events.receive_packet, when = { dstport = 9 }, eval = function (pkt)
	pkt.payload:append(haka.vbuffer_from(string.rep('+', 600)))
end }
"""


def _udp(text, src="10.70.0.11", dst="10.70.0.12"):
    udp = struct.pack("!HHHH", 1000, 9, 8 + len(text), 0) + text
    return udp[:6] + struct.pack("!H", dhcp.udp_checksum(dhcp.ip4(src), dhcp.ip4(dst), udp)) + udp[8:]


@test(cases={"plain": b"", "vlan": struct.pack("!HH", 0x8100, 7)})
def test_gate_grown_datagram(t, tags):
    """A rule makes a datagram of 1,400 octets longer than the MTU: it leaves in fragments; one that must not be fragmented is
    dropped by name."""
    a, b, g = cable(t, offload=False)
    gate = Gate(t, g, _GROWS).start("-i", "ga", "-i", "gb")
    out, come = raw(a, "a0"), Reader(raw(b, "b0"))
    macs = bytes.fromhex((_MAC_B + _MAC_A).replace(":", ""))
    text = bytes(range(1, 201)) * 7
    out.send(macs + tags + b"\x08\x00" + datagram(17, "10.70.0.11", "10.70.0.12", _udp(b"never" + text), 1, flags=2))
    out.send(macs + tags + b"\x08\x00" + datagram(17, "10.70.0.11", "10.70.0.12", _udp(text), 2))
    proto, _, udp = come.next("10.70.0.12")
    assert proto == 17 and udp[8:] == text + b"+" * 600, (proto, len(udp))
    assert udp[:8] == _udp(text + b"+" * 600)[:8], udp[:8].hex()
    assert come.longest <= 1514 and come.n_fragments == 2
    wait_for("the refusal", lambda: _drops(gate) == {"drop-too-long": 1}, slack(5))
    s = gate.end()
    assert s["modified"] == 1, s


_INSERTS = """
haka.rule{ on = haka.dissectors.tcp_connection.events.receive_data, options = { streamed = true },
	eval = function (flow, iter, direction)
		if direction == 'down' then return end
		iter:sub(10)
		iter:insert(haka.vbuffer_from(string.rep('+', 200)))
		while iter:sub('available') do end
	end
}
"""


@test()
def test_gate_grown_segment(t):
    """A rule makes a segment that fits longer than the MTU behind the gate, and not longer than the receiver's MSS: it leaves in
    two that fit."""
    a, b, g = cable(t, offload=False)
    g.ip("link", "set", "gb", "mtu", "1400")
    gate = Gate(t, g, _INSERTS).start("-i", "ga", "-i", "gb")
    client = Peer(a, "a0", _MAC_A, "10.70.0.11", 4000, _MAC_B, "10.70.0.12", 9000, 1000)
    server = Peer(b, "b0", _MAC_B, "10.70.0.12", 9000, _MAC_A, "10.70.0.11", 4000, 5000)
    _handshake(client, server)
    text = bytes(range(1, 131)) * 10
    client.send(ACK | PSH, text, df=True)
    client.send(ACK | PSH, text, df=True)
    assert server.read(2800) == text[:10] + b"+" * 200 + text[10:] + text
    assert server.longest_frame <= 1414 and not _drops(gate), (server.longest_frame, _drops(gate))
    gate.end()
