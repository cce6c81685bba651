// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * One message at a time: how long it takes from the store into the window to the handler, when nothing else is going on and the
 * CPU that takes it sleeps.
 */
#include <errno.h>
#include <sched.h>

#include <openntb/error.h>

#include "base/clock.h"
#include "tool/demo.h"
#include "tool/verbs.h"

#define LOST_NS (2 * ONTB_NS_PER_S)

int demo_wait_handled(const struct demo_cell *cell)
{
	uint64_t end = ontb_clock_ns() + LOST_NS;

	while (atomic_load(&cell->handled) != atomic_load(&cell->sent)) {
		if (ontb_clock_ns() > end)
			return -ETIMEDOUT;
		(void)sched_yield();
	}
	return 0;
}

int demo_ping(struct demo *demo)
{
	for (unsigned int n = 0; n < DEMO_NR_PINGS; n++) {
		struct demo_host *from = &demo->hosts[n % DEMO_NR_HOSTS], *to = &demo->hosts[(n + 1) % DEMO_NR_HOSTS];
		struct demo_cell *cell = &to->cells[n / DEMO_NR_HOSTS % demo->options.nr_irqs];
		int ret;

		atomic_store(&cell->sent_ns, ontb_clock_ns());
		atomic_fetch_add(&cell->sent, 1);
		ret = ontb_ntb_irq_trigger(from->irqs, 0, cell->index);
		if (ret) {
			ontb_tool_error("demo: host %s: interrupt %u of its peer cannot be raised: %s",
					ontb_host_name(from->host), cell->index, ontb_strerror(ret));
			return ret;
		}
		demo->totals.fired++;
		if (demo_wait_handled(cell))
			demo->totals.lost++;
	}
	for (unsigned int i = 0; i < DEMO_NR_HOSTS; i++)
		demo->hosts[i].nr_alone = atomic_load(&demo->hosts[i].nr_samples);
	return 0;
}
