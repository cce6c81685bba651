// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * NTB interrupts on mock hosts. See grant_rig.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "grant_rig.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"

#define DEADLINE_NS (20 * ONTB_NS_PER_S)

static void granted(void *client, struct ontb_ntb_irqs *irqs, unsigned int peer, unsigned int index)
{
	struct grant_end *end = client;

	(void)irqs;
	(void)peer;
	(void)index;
	atomic_fetch_add(&end->nr_granted, 1);
}

static void revoked(void *client, struct ontb_ntb_irqs *irqs, unsigned int peer, unsigned int index)
{
	struct grant_end *end = client;

	(void)irqs;
	(void)peer;
	(void)index;
	atomic_fetch_add(&end->nr_revoked, 1);
}

static void link_changed(void *client, struct ontb_ntb_irqs *irqs, unsigned int peer, bool is_up)
{
	struct grant_end *end = client;

	(void)irqs;
	(void)peer;
	atomic_fetch_add(is_up ? &end->nr_up : &end->nr_down, 1);
}

static void freed(void *client, struct ontb_ntb_irqs *irqs, unsigned int index)
{
	struct grant_end *end = client;

	(void)irqs;
	(void)index;
	atomic_fetch_add(&end->nr_freed, 1);
}

static const struct ontb_ntb_irq_events events = {
	.granted = granted,
	.revoked = revoked,
	.link = link_changed,
	.freed = freed,
};

struct grant_rig *grant_rig_new_bare(unsigned int nr_hosts, unsigned int flags, unsigned int nr_irqs)
{
	struct grant_rig *rig = calloc(1, sizeof(*rig));

	assert_non_null(rig);
	rig->net = mock_net_new(nr_hosts, flags);
	for (unsigned int host = 0; host < nr_hosts; host++) {
		struct grant_end *end = &rig->ends[host];

		ontb_ntb_irqs_config_init(&end->config);
		end->config.nr_irqs = nr_irqs;
		end->config.trust_peers = true;
		end->config.use_guard = flags & MOCK_GUARD;
		end->config.events = &events;
		end->config.client = end;
		end->irq = calloc(nr_irqs, sizeof(*end->irq));
		assert_non_null(end->irq);
	}
	return rig;
}

int grant_rig_start(struct grant_rig *rig, unsigned int host)
{
	return ontb_ntb_irqs_new(rig->net->hosts[host].ntb, &rig->ends[host].config, &rig->ends[host].irqs);
}

static void start_all(struct grant_rig *rig)
{
	unsigned int nr_hosts = rig->net->nr_hosts;

	for (unsigned int host = 0; host < nr_hosts; host++)
		assert_int_equal(grant_rig_start(rig, host), 0);
	for (unsigned int host = 0; host < nr_hosts; host++)
		grant_rig_wait(rig, &rig->ends[host].nr_up, nr_hosts - 1);
}

struct grant_rig *grant_rig_new(unsigned int nr_hosts, unsigned int flags, unsigned int nr_irqs)
{
	struct grant_rig *rig = grant_rig_new_bare(nr_hosts, flags, nr_irqs);

	start_all(rig);
	return rig;
}

void grant_rig_again(struct grant_rig *rig)
{
	unsigned int nr_hosts = rig->net->nr_hosts;

	for (unsigned int host = 0; host < nr_hosts; host++)
		grant_rig_stop(rig, host);
	assert_int_equal(grant_rig_nr_stray(rig), 0);
	for (unsigned int host = 0; host < nr_hosts; host++) {
		struct grant_end *end = &rig->ends[host];

		assert_int_equal(mock_vectors_used(&rig->net->hosts[host]), 0);
		memset(end->irq, 0, end->config.nr_irqs * sizeof(*end->irq));
		end->nr_granted = end->nr_revoked = end->nr_freed = end->nr_up = end->nr_down = 0;
		for (unsigned int other = 0; other < host; other++)
			mock_set_link(rig->net, other, host, true);
	}
	start_all(rig);
}

void grant_rig_stop(struct grant_rig *rig, unsigned int host)
{
	struct grant_end *end = &rig->ends[host];

	if (!end->irqs)
		return;
	for (unsigned int i = 0; i < end->config.nr_irqs; i++)
		grant_rig_remove_handler(rig, host, i);
	ontb_ntb_irqs_free(end->irqs);
	end->irqs = NULL;
}

unsigned int grant_rig_nr_stray(const struct grant_rig *rig)
{
	unsigned int nr = 0;

	for (unsigned int host = 0; host < rig->net->nr_hosts; host++)
		nr += atomic_load(&rig->net->hosts[host].nr_stale);
	return nr;
}

void grant_rig_free(struct grant_rig *rig)
{
	for (unsigned int host = 0; host < rig->net->nr_hosts; host++)
		grant_rig_stop(rig, host);
	assert_int_equal(grant_rig_nr_stray(rig), 0);
	for (unsigned int host = 0; host < rig->net->nr_hosts; host++)
		free(rig->ends[host].irq);
	mock_net_free(rig->net);
	free(rig);
}

static enum ontb_irq_return handle(unsigned int virq, void *dev)
{
	struct grant_irq *irq = dev;

	if (virq != irq->map.virq)
		abort();
	atomic_store(&irq->last_cpu, ontb_irq_this_cpu());
	atomic_fetch_add(&irq->nr_handled, 1);
	return ONTB_IRQ_HANDLED;
}

struct grant_irq *grant_rig_irq(struct grant_rig *rig, unsigned int host, unsigned int index)
{
	struct grant_irq *irq = &rig->ends[host].irq[index];
	const struct ontb_irq_request request = { .handler = handle, .dev = irq, .name = "test" };
	struct ontb_cpumask cpu0 = ontb_cpumask_of(0);

	assert_int_equal(ontb_ntb_irq_alloc(rig->ends[host].irqs, index, &cpu0, &irq->map), 0);
	assert_int_equal(irq->map.index, index);
	assert_int_equal(ontb_irq_request(rig->net->hosts[host].sys, irq->map.virq, &request), 0);
	irq->has_handler = true;
	return irq;
}

void grant_rig_remove_handler(struct grant_rig *rig, unsigned int host, unsigned int index)
{
	struct grant_irq *irq = &rig->ends[host].irq[index];

	if (irq->has_handler)
		assert_int_equal(ontb_irq_free(rig->net->hosts[host].sys, irq->map.virq, irq), 0);
	irq->has_handler = false;
}

void grant_rig_wait(struct grant_rig *rig, atomic_uint *counter, unsigned int value)
{
	uint64_t end = ontb_clock_ns() + DEADLINE_NS;

	while (atomic_load(counter) < value) {
		const struct timespec ms = { .tv_nsec = 1000000 };

		if (rig->net->flags & MOCK_STEPPED)
			assert_true(ontb_worker_pool_step(rig->net->hosts[0].pool));
		else
			(void)nanosleep(&ms, NULL);
		assert_true(ontb_clock_ns() < end);
	}
}
