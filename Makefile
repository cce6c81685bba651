# SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
# Each target does everything it needs, including the Debian packages. The build itself is meson's; this file only knows
# which directories there are and in which order things happen. "make help" lists the targets.

BUILD := build
PREFIX := /usr/local
DESTDIR :=
GUEST_REPEAT := 20
FUZZ_SECONDS := 60
FRESH := run
PARTS :=

.DEFAULT_GOAL := all
.PHONY: all help run run-guests check check-repeat check-kernel check-fresh bench lint fuzz install uninstall deb check-deb check-deb-fresh clean deps-build deps-check deps-guest

all: $(BUILD)/build.ninja ## build the command and the library into ./build
	@ninja -C $(BUILD)

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 24

$(BUILD)/build.ninja: | deps-build
	@meson setup $(BUILD) --prefix $(PREFIX)

deps-build:
	@scripts/deps build

deps-check:
	@scripts/deps build check guest

deps-guest:
	@scripts/deps build guest

run: $(BUILD)/build.ninja ## two hosts in one process, interrupting each other through a bridge
	@ninja -C $(BUILD) tool/openntb && $(BUILD)/tool/openntb demo

# Kernel and QEMU are fetched while the bridge is compiled: the two take about the same time.
run-guests: deps-guest ## two Linux guests on a bridge, trading interrupts
	@vm/kit & kit=$$!; \
	$(MAKE) --no-print-directory $(BUILD)/build.ninja && ninja -C $(BUILD) tool/openntb || { kill $$kit; wait $$kit; exit 1; }; \
	wait $$kit && exec vm/pair --demo

check: deps-check ## all tests, in all builds, and the guests
	@tests/run

check-repeat: deps-guest all ## upstream's self-test, 20 times per way of running it
	@tests/guest/run --repeat $(GUEST_REPEAT)

check-kernel: all ## the series for Linux: applied, built at every step, booted in guests; PARTS=x,y for some
	@scripts/deps build guest kernel
	@tests/kernel/run $(if $(PARTS),--only $(PARTS))

check-fresh: ## the targets that FRESH names, in a fresh Debian 12, which is fetched
	@scripts/deps fresh
	@tests/fresh $(FRESH)

bench: deps-guest all ## speed, as ratios to what the machine can do
	@bench/run

lint: ## style, analyzers, documentation checks
	@scripts/deps build lint
	@scripts/check

fuzz: ## run the fuzz targets for longer; new inputs go to build/fuzz-corpus
	@scripts/deps build check
	@tests/run --only fuzz --fuzz-seconds $(FUZZ_SECONDS) --keep-corpus $(BUILD)/fuzz-corpus

install: all ## install below PREFIX (and DESTDIR)
	@meson configure $(BUILD) -Dprefix=$(PREFIX)
	@DESTDIR=$(if $(DESTDIR),$(abspath $(DESTDIR))) meson install -C $(BUILD)
	@[ -n "$(DESTDIR)" ] || [ "$$(id -u)" -ne 0 ] || ldconfig

uninstall: ## remove what "make install" installed
	@ninja -C $(BUILD) uninstall

deb: ## Debian packages, into ./build/deb
	@scripts/deps build deb
	@packaging/build-deb

check-deb: deb ## the packages: lintian, and programs built with what they hold
	@tests/deb/run $(BUILD)/deb

check-deb-fresh: deb ## the packages installed in a fresh Debian 12, which is fetched
	@scripts/deps fresh
	@tests/deb/fresh $(BUILD)/deb

clean: ## remove ./build
	@rm -rf $(BUILD)
