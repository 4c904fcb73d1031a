# SPDX-License-Identifier: MPL-2.0
"""A small relay agent (RFC 1542, RFC 3046) for tests, a process of its own:
relay.py DOWN-INTERFACE GIADDR SERVER [CIRCUIT-ID]. Frames of clients on the interface go to the
server as datagrams with giaddr and option 82; the server's answers go back as broadcast frames
without option 82. Says "ready" on standard output once it listens."""

import os
import select
import socket
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from lib import dhcp  # noqa: E402


def from_client(data, giaddr, circuit):
    """A frame as the relayed payload, None when it is not a client's request."""
    if len(data) < 282 or data[12:14] != b"\x08\x00" or data[23] != 17:
        return None
    h = (data[14] & 15) * 4
    udp = data[14 + h:14 + int.from_bytes(data[16:18], "big")]
    if udp[2:4] != b"\0\x43" or udp[8] != 1:
        return None
    m = dhcp.decode(udp[8:])
    if m.giaddr != "0.0.0.0":
        return None
    m.giaddr, m.hops = giaddr, m.hops + 1
    m.options.append((dhcp.RAI, bytes((1, len(circuit))) + circuit))
    return m.encode()


def to_client(payload, mac, giaddr):
    m = dhcp.decode(payload)
    if m.op != 2:
        return None
    if m.get(dhcp.RAI) is None:
        print("an answer without option 82: %r" % m, flush=True)
    m.options = [(c, v) for c, v in m.options if c != dhcp.RAI]
    dst = m.ciaddr if m.ciaddr != "0.0.0.0" and m.type != dhcp.NAK else "255.255.255.255"
    eth = m.chaddr[:6] if dst != "255.255.255.255" else dhcp.BROADCAST
    m.giaddr = giaddr
    return dhcp.frame(m.encode(), eth_src=mac, eth_dst=eth, src=giaddr, dst=dst, sport=67, dport=68)


def main(down, giaddr, server, circuit="port-1"):
    raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    raw.setsockopt(263, 23, 1)  # PACKET_IGNORE_OUTGOING
    raw.bind((down, 0x0800))
    mac = raw.getsockname()[4]
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind((giaddr, 67))
    print("ready", flush=True)
    while True:
        for s in select.select([raw, udp], [], [])[0]:
            try:
                data = s.recv(65535)
                if s is raw:
                    out = from_client(data, giaddr, circuit.encode())
                    if out:
                        udp.sendto(out, (server, 67))
                else:
                    out = to_client(data, mac, giaddr)
                    if out:
                        raw.send(out)
            except (dhcp.Malformed, OSError) as e:
                print("dropped: %s" % e, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
