# SPDX-License-Identifier: MPL-2.0
# Thin targets over Meson and the scripts in tools/. `sudo make run` and `sudo make check` are enough on a
# fresh Debian 12: each installs missing packages, builds, and runs.

BUILD = build
TIME ?= 60

.PHONY: all deps build run quick format tidy check fuzz prove bench bench-client bench-gate clean

all: build

deps:
	tools/deps.sh build lab test

$(BUILD)/build.ninja:
	meson setup $(BUILD) --buildtype=release

build: $(BUILD)/build.ninja
	ninja -C $(BUILD)

# ONCE=1: ends by itself. IFACE=eth1 [CONFIG=file]: serves on that interface.
run:
	tools/deps.sh build lab
	$(MAKE) build
	IFACE="$(IFACE)" CONFIG="$(CONFIG)" ONCE="$(ONCE)" tools/lab.sh

# The check of a change while it is made: no root, a minute and a half on two cores.
quick: build
	meson test -C $(BUILD) --no-rebuild --no-suite fuzz --print-errorlogs

# Lays out every C file as .clang-format says.
format:
	tests/format_test.py . --write

# clang-tidy on the files that were changed (SINCE=commit); .clang-tidy has the checks.
tidy: build
	tools/deps.sh tidy
	tools/tidy.sh

# LONG=1: the long loops of the system tests.
check:
	tools/deps.sh build lab test
	LONG="$(LONG)" tools/check.sh

# TIME=seconds for each target.
fuzz:
	tools/deps.sh build fuzz
	TIME=$(TIME) tools/fuzz.sh

prove:
	tools/deps.sh build prove
	tools/prove.sh

# Beside other servers, 20 minutes. QUICK=1: a few. ONLY=row,row: some of it. Without both it writes doc/performance.md.
bench:
	tools/deps.sh build lab bench
	$(MAKE) build
	bench/run.py $(if $(QUICK),--quick) $(if $(ONLY),--only $(ONLY))

# usher-client beside other clients, seven minutes. QUICK, ONLY as above; a whole run writes README.md too.
bench-client:
	tools/deps.sh build lab bench
	$(MAKE) build
	bench/client/run.py $(if $(QUICK),--quick) $(if $(ONLY),--only $(ONLY))

# usher-gate on captures of a million packets, beside other programs, six minutes. QUICK, ONLY as above.
bench-gate:
	tools/deps.sh build bench
	$(MAKE) build
	bench/gate/run.py $(if $(QUICK),--quick) $(if $(ONLY),--only $(ONLY))

clean:
	rm -rf $(BUILD) $(BUILD)-asan $(BUILD)-tsan $(BUILD)-fuzz
