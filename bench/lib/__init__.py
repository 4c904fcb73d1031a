# SPDX-License-Identifier: MPL-2.0
"""Shared by the benchmarks: configurations (configs), numbers (numbers), the servers that are
measured (peers), the generator and the processes (measure)."""
