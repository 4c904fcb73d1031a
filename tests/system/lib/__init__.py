# SPDX-License-Identifier: MPL-2.0
"""The base of the system tests: network namespaces, a DHCPv4 codec and client of their own, the
server under test as a process, a relay, and the runner. Nothing here shares code with the programs
under test, so a mistake in the one cannot hide the same mistake in the other."""
