/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * USDT probes, provider "openntb". A probe that nobody watches is one no-op instruction. docs/probes.md lists them.
 */
#ifndef ONTB_BASE_PROBE_H
#define ONTB_BASE_PROBE_H

#include <sys/sdt.h>

#define ONTB_PROBE1(name, a)		 DTRACE_PROBE1(openntb, name, a)
#define ONTB_PROBE2(name, a, b)		 DTRACE_PROBE2(openntb, name, a, b)
#define ONTB_PROBE3(name, a, b, c)	 DTRACE_PROBE3(openntb, name, a, b, c)
#define ONTB_PROBE4(name, a, b, c, d)	 DTRACE_PROBE4(openntb, name, a, b, c, d)
#define ONTB_PROBE5(name, a, b, c, d, e) DTRACE_PROBE5(openntb, name, a, b, c, d, e)

#endif
