#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""Writes the seed inputs of the wire fuzz targets into corpus/. Always the same bytes."""
import os
import struct

HERE = os.path.dirname(os.path.abspath(__file__))
MAGIC = bytes.fromhex("63825363")


def put(target, name, data):
    path = os.path.join(HERE, "corpus", target)
    os.makedirs(path, exist_ok=True)
    with open(os.path.join(path, "seed-" + name), "wb") as f:
        f.write(data)


def opt(code, data):
    return bytes([code, len(data)]) + data


def message(op, opts, file=b"", sname=b""):
    head = struct.pack("!BBBBIHHIIII", op, 1, 6, 0, 0x12345678, 3, 0x8000, 0, 0, 0, 0)
    chaddr = bytes.fromhex("020000000001") + bytes(10)
    return head + chaddr + sname.ljust(64, b"\0") + file.ljust(128, b"\0") + MAGIC + opts


def csum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def frame(payload, tags=b"", ip_opts=b"", trailer=b""):
    src, dst = bytes(4), b"\xff" * 4
    udp = struct.pack("!HHHH", 68, 67, 8 + len(payload), 0) + payload
    pseudo = src + dst + struct.pack("!BBH", 0, 17, len(udp))
    udp = udp[:6] + struct.pack("!H", csum(pseudo + udp) or 0xFFFF) + udp[8:]
    ihl = 5 + len(ip_opts) // 4
    ip = struct.pack("!BBHHHBBH", 0x40 | ihl, 0, ihl * 4 + len(udp), 0, 0, 64, 17, 0) + src + dst + ip_opts
    ip = ip[:10] + struct.pack("!H", csum(ip)) + ip[12:]
    return b"\xff" * 6 + bytes.fromhex("020000000001") + tags + b"\x08\x00" + ip + udp + trailer


def main():
    discover = opt(53, b"\1") + opt(61, b"\1\2\0\0\0\0\1") + opt(55, bytes([1, 3, 6, 15, 51, 119, 121])) + opt(12, b"host")
    agent = opt(82, opt(1, b"circuit") + opt(2, b"remote"))
    messages = {
        "discover": message(1, discover + b"\xff"),
        "relayed": message(1, discover + agent + b"\xff"),
        "no-end": message(1, discover),
        "split": message(1, opt(53, b"\3") + opt(61, b"ab") + opt(61, b"cd") + b"\0\0\xff"),
        "overload": message(2, opt(53, b"\5") + opt(52, b"\3") + opt(43, b"x") + b"\xff",
                            opt(43, b"y") + b"\xff", opt(43, b"z") + b"\xff"),
        "nested-overload": message(2, opt(52, b"\1") + b"\xff", opt(52, b"\2") + b"\xff"),
        "cut-off": message(1, discover + b"\x0c\xff\0"),
        "long": message(2, opt(53, b"\5") + b"".join(opt(43, bytes(255)) for _ in range(3)) + agent + b"\xff"),
    }
    for name, data in messages.items():
        put("dhcp4", name, data)
        put("packet", name, b"\0" + frame(data))
    whole = messages["discover"]
    put("packet", "vlan", b"\0" + frame(whole, bytes.fromhex("81000064")))
    put("packet", "qinq", b"\0" + frame(whole, bytes.fromhex("88a8006481000005")))
    put("packet", "ip-options", b"\0" + frame(whole, ip_opts=b"\1\1\1\0"))
    put("packet", "padding", b"\1" + frame(b"short", trailer=bytes(20)))
    names = b"\7example\3com\0"
    data = [bytes([192, 0, 2, i]) * 2 for i in (1, 2)] + [
        b"text, with comma", names, names + b"\3sub\xc0\0", b"\0\0\0\1", b"\1", b"\x18\x0a\0\0\xc0\0\2\1",
        b"\0\x23\0\x64\x0d" + names + b"\4\xc0\0\2\1\0\1\0\4\3dot\0\3\0\2\x03\x55"[:27],
        b"10.0.0.0/8 - 192.0.2.1, 0.0.0.0/0 - 192.0.2.254", b"192.0.2.1, 192.0.2.2", b"example.com., a\\,b",
        b"100, resolver.example., 192.0.2.1, alpn=dot port=853 | 200, b.", b"1, 3/4", b"'quoted'", b"0a:0b"]
    for i, d in enumerate(data):
        for row in (0, 1, 2, 11, 60, 74, 76, 80, 106, 107, 113, 116, 118, 121, 122, 123):
            if (row + i) % 3 == 0:
                put("options", "%03d-%02d" % (row, i), bytes([row]) + d)


if __name__ == "__main__":
    main()
