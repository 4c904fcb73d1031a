#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""A RADIUS server for tests: radius_server.py PORT SECRET USERS LOG. USERS is a JSON file, read at each request: User-Name ->
list of [type, value as hexadecimal digits], or "reject", or "silent", or "forged"; "*" stands for all others. A line of LOG is
a request: its code and its attributes."""

import hashlib
import hmac
import json
import os
import socket
import struct
import sys

ACCEPT, REJECT, ACCT_REQUEST, ACCT_RESPONSE = 2, 3, 4, 5
USER_NAME, MAC = 1, 80


def attributes(data):
    out, at = [], 20
    while at < len(data):
        kind, size = data[at], data[at + 1]
        assert size >= 2 and at + size <= len(data), data
        out.append((kind, data[at + 2:at + size]))
        at += size
    return out


def check_mac(data, secret):
    """The request's Message-Authenticator is right."""
    at = 20
    while data[at] != MAC:
        at += data[at + 1]
    zero = data[:at + 2] + bytes(16) + data[at + 18:]
    if data[0] == ACCT_REQUEST:
        zero = zero[:4] + bytes(16) + zero[20:]
    return hmac.new(secret, zero, "md5").digest() == data[at + 2:at + 18]


def answer(code, request, attrs, secret):
    body = bytes((MAC, 18)) + bytes(16) + b"".join(bytes((k, len(v) + 2)) + v for k, v in attrs)
    head = struct.pack("!BBH", code, request[1], 20 + len(body))
    mac = hmac.new(secret, head + request[4:20] + body, "md5").digest()
    body = body[:2] + mac + body[18:]
    return head + hashlib.md5(head + request[4:20] + body + secret).digest() + body


def reply_to(data, secret, rule):
    if data[0] == ACCT_REQUEST:
        return answer(ACCT_RESPONSE, data, [], secret)
    if rule == "reject":
        return answer(REJECT, data, [], secret)
    if rule == "forged":
        return answer(ACCEPT, data, [(8, b"\x0a\x4d\x00\x63")], secret + b"x")
    return answer(ACCEPT, data, [(k, bytes.fromhex(v)) for k, v in rule], secret)


def main():
    port, secret, users, log = int(sys.argv[1]), sys.argv[2].encode(), sys.argv[3], sys.argv[4]
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(("0.0.0.0", port))
    with open(log, "a", encoding="utf-8", buffering=1) as out:
        out.write("ready\n")
        while True:
            data, peer = s.recvfrom(4096)
            attrs = attributes(data)
            with open(users, encoding="utf-8") as f:
                rules = json.load(f)
            name = dict(attrs).get(USER_NAME, b"").decode()
            rule = rules.get(name, rules.get("*", "silent"))
            out.write(json.dumps([data[0], check_mac(data, secret), [[k, v.hex()] for k, v in attrs]]) + "\n")
            if rule != "silent":
                s.sendto(reply_to(data, secret, rule), peer)


if __name__ == "__main__":
    sys.exit(main() if len(sys.argv) == 5 else os.EX_USAGE)
