-- SPDX-License-Identifier: MPL-2.0
-- capture: datagrams
-- covers: log log_section
-- Levels, sections; lines are formatted only if they are written.
local section = haka.log_section("mine")
haka.log("plain %d", 1)
haka.log.debug("not written, %s", "by default")
haka.log.info("info %s", "x")
haka.log.warning("warning %5.2f", 1.5)
haka.log.error("error %q", "a\nb")
section("in a section")
section.info("%d %%", 50)
haka.setloglevel("error", "mine")
section.warning("not written")
section.error("written")
haka.setloglevel("warning")
haka.log.info("not written either")
print(pcall(haka.log.info, "%d", "no number"))
print(pcall(haka.log.info))
print(pcall(haka.setloglevel, "loud"))
haka.rule{ on = haka.dissectors.udp.events.receive_packet, eval = function () end }
