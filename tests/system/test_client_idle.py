# SPDX-License-Identifier: MPL-2.0
"""usher-client sleeps while it waits, in every state: CPU time and times that its processes were woken."""

from lib import client_states
from lib.runner import test
from lib.server import slack

# A second, both processes. Retransmissions, probes and a statistics tick of the kernel are a handful; a loop
# that does not sleep is a thousand milliseconds, one that polls a hundred times a second a hundred wakings.
_CPU_MS, _SWITCHES = 5, 8


@test(timeout=40, cases={s.lower().replace("-", "_"): s for s in client_states.STATES})
def test_client_idle(t, state):
    """No busy waiting."""
    scene = client_states.enter(t, state)
    a = client_states.activity(scene, state, min(1.0, client_states.LONGEST.get(state, 1.0)))
    assert a.cpu_ms <= slack(_CPU_MS) and a.switches <= _SWITCHES, "%s: %.2f ms CPU and %.1f wakings a second" % (
        state, a.cpu_ms, a.switches)
    assert scene.client.end() == 0
