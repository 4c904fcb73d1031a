# SPDX-License-Identifier: MPL-2.0
"""What the benchmarks share: configurations (configs), numbers (numbers), the servers that are
measured (peers), the generator and the processes (measure)."""
