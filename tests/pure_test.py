#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""The client's core makes no system call, reads no clock and allocates nothing by itself: every name that
its library leaves undefined is one of the pure functions below. pure_test.py LIBRARY"""
import re
import subprocess
import sys

# of our own lower layers, all pure (json_* allocates, for the manifest, before the machine starts)
OURS = re.compile(r"(arena|arp|dhcp4|eth|fqdn|hex|ip|ipv4|json|option_def|packet|sha256|udp)_\w+")
LIBC = set("""memchr memcmp memcpy memmove memset snprintf strcasecmp strchr strcmp strcspn strlen strncmp
    strnlen strtol strtoul strrchr""".split())
COMPILER = re.compile(r"__\w+_chk|__(asan|ubsan|tsan|sanitizer|gcov|gcc|isoc23)_?\w*|_GLOBAL_OFFSET_TABLE_|__ctype_b_loc|"
                      r"__errno_location|__assert_fail|__stack_chk_fail|__tls_get_addr|__\w+[sdt]i[234]|__start_\w+|__stop_\w+|llvm_gcov\w*")


def main():
    out = subprocess.run(["nm", sys.argv[1]], check=True, capture_output=True, text=True).stdout
    undefined = set(re.findall(r"^ +U (\w+)$", out, re.M))
    defined = set(re.findall(r"^[0-9a-f]+ [A-TV-Z] (\w+)$", out, re.M))
    bad = sorted(n for n in undefined - defined - LIBC if not OURS.fullmatch(n) and not COMPILER.fullmatch(n))
    if not defined:
        bad.append("(the library defines nothing)")
    print("\n".join(f"{n}: not pure" for n in bad) or f"{len(undefined - defined)} names, all pure")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
