# SPDX-License-Identifier: MPL-2.0
"""Reading what programs print, and the statistics of it. Nothing here runs anything."""

import re


def callgrind_total(text):
    """Instructions in a callgrind output file: its totals, not its summary, which is 0 when counting was
    switched. ValueError when there are none."""
    m = re.search(r"^totals: (\d+)", text, re.M)
    if not m or int(m.group(1)) == 0:
        raise ValueError("callgrind counted nothing")
    return int(m.group(1))
