// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Booted hosts with NTB interrupts.
 */
#include "pair_rig.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

void pair_wait(bool (*truth)(void *arg), void *arg)
{
	const struct timespec pause = { .tv_nsec = 100000 };
	uint64_t end = ontb_clock_ns() + PAIR_DEADLINE_NS;

	while (!truth(arg)) {
		assert_true(ontb_clock_ns() < end);
		(void)clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
	}
}

void pair_open(struct pair *pair, const char *topology)
{
	const struct ontb_fabric_config config = { .topology = topology, .seed = 1 };
	char why[160];

	memset(pair, 0, sizeof(*pair));
	if (ontb_fabric_new(&config, why, sizeof(why), &pair->fabric))
		fail_msg("%s", why);
	for (unsigned int i = 0; i < PAIR_NR_HOSTS; i++) {
		const struct ontb_host_config host = { .machine = ontb_fabric_machine(pair->fabric, i),
						       .max_irqs = 100000,
						       .use_remapping = true };

		assert_int_equal(ontb_host_boot(&host, &pair->hosts[i].host), 0);
		assert_int_equal(ontb_host_nr_ntbs(pair->hosts[i].host), 1);
		pair->hosts[i].ntb = ontb_host_ntb(pair->hosts[i].host, 0);
	}
}

void pair_make_irqs_of(struct pair_host *host, unsigned int nr_irqs,
		       void (*change)(struct ontb_ntb_irqs_config *config))
{
	struct ontb_ntb_irqs_config config;

	ontb_ntb_irqs_config_init(&config);
	config.nr_irqs = nr_irqs;
	config.trust_peers = true;
	if (change)
		change(&config);
	assert_int_equal(ontb_ntb_irqs_new(host->ntb, &config, &host->irqs), 0);
	host->nr_cells = nr_irqs;
	host->cells = calloc(nr_irqs, sizeof(*host->cells));
	assert_non_null(host->cells);
	for (unsigned int n = 0; n < nr_irqs; n++) {
		host->cells[n].host = host;
		host->cells[n].index = n;
	}
}

void pair_make_irqs(struct pair *pair, unsigned int nr_irqs, void (*change)(struct ontb_ntb_irqs_config *config))
{
	for (unsigned int i = 0; i < PAIR_NR_HOSTS; i++)
		pair_make_irqs_of(&pair->hosts[i], nr_irqs, change);
}

static enum ontb_irq_return handle(unsigned int virq, void *dev)
{
	struct pair_cell *cell = dev;
	uint32_t sent = atomic_load(&cell->sent);

	(void)virq;
	if (atomic_exchange(&cell->handled, sent) == sent)
		atomic_fetch_add(&cell->wrong, 1);
	return ONTB_IRQ_HANDLED;
}

int pair_alloc(struct pair_host *host, unsigned int index)
{
	struct pair_cell *cell = &host->cells[index];
	const struct ontb_irq_request request = { .handler = handle, .dev = cell, .name = "pair" };
	struct ontb_msi_map map;
	int ret = ontb_ntb_irq_alloc(host->irqs, index, NULL, &map);

	if (ret)
		return ret;
	assert_int_equal(map.index, index);
	assert_int_equal(ontb_irq_request(ontb_host_irqs(host->host), map.virq, &request), 0);
	cell->virq = map.virq;
	return 0;
}

static void grant(struct pair_host *host, unsigned int index)
{
	const struct timespec pause = { .tv_nsec = 1000000 };
	uint64_t end = ontb_clock_ns() + PAIR_DEADLINE_NS;
	int ret;

	/* The peer may not have said hello yet. */
	while ((ret = ontb_ntb_irq_grant(host->irqs, index, 0)) == -ENOLINK) {
		assert_true(ontb_clock_ns() < end);
		(void)clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
	}
	assert_int_equal(ret, 0);
}

void pair_grant(struct pair_host *host, unsigned int index)
{
	grant(host, index);
	assert_int_equal(ontb_ntb_irq_settle(host->irqs, index, PAIR_DEADLINE_NS), 0);
}

void pair_alloc_range(struct pair_host *host, unsigned int first, unsigned int nr)
{
	for (unsigned int i = first; i < first + nr; i++) {
		assert_int_equal(pair_alloc(host, i), 0);
		grant(host, i);
	}
	assert_int_equal(ontb_ntb_irq_settle(host->irqs, ONTB_MSI_ANY_INDEX, PAIR_DEADLINE_NS), 0);
}

void pair_free(struct pair_host *host, unsigned int index)
{
	struct pair_cell *cell = &host->cells[index];

	assert_int_equal(ontb_ntb_irq_revoke(host->irqs, index, 0), 0);
	assert_int_equal(ontb_ntb_irq_settle(host->irqs, index, PAIR_DEADLINE_NS), 0);
	assert_int_equal(ontb_irq_free(ontb_host_irqs(host->host), cell->virq, cell), 0);
	assert_int_equal(ontb_ntb_irq_free(host->irqs, index), 0);
	assert_int_equal(ontb_ntb_irq_settle(host->irqs, index, PAIR_DEADLINE_NS), 0);
	cell->virq = 0;
}

void pair_send(struct pair_host *from, struct pair_host *to, unsigned int index)
{
	atomic_fetch_add(&to->cells[index].sent, 1);
	assert_int_equal(ontb_ntb_irq_trigger(from->irqs, 0, index), 0);
}

static bool is_handled(void *arg)
{
	struct pair_cell *cell = arg;

	return atomic_load(&cell->handled) == atomic_load(&cell->sent);
}

void pair_wait_handled(struct pair_host *host, unsigned int index)
{
	pair_wait(is_handled, &host->cells[index]);
}

void pair_exchange(struct pair_host *from, struct pair_host *to, unsigned int first, unsigned int nr)
{
	for (unsigned int i = first; i < first + nr; i++)
		pair_send(from, to, i);
	for (unsigned int i = first; i < first + nr; i++)
		pair_wait_handled(to, i);
}

void pair_assert_none_wrong(const struct pair_host *host)
{
	for (unsigned int i = 0; i < host->nr_cells; i++) {
		if (atomic_load(&host->cells[i].wrong))
			fail_msg("interrupt %u was handled %u times without a message", i,
				 atomic_load(&host->cells[i].wrong));
	}
}

static void free_cells(struct pair_host *host)
{
	for (unsigned int i = 0; i < host->nr_cells; i++) {
		struct pair_cell *cell = &host->cells[i];

		if (!cell->virq)
			continue;
		assert_int_equal(ontb_irq_free(ontb_host_irqs(host->host), cell->virq, cell), 0);
		assert_int_equal(ontb_ntb_irq_free(host->irqs, i), 0);
	}
}

void pair_free_irqs(struct pair_host *host)
{
	free_cells(host);
	ontb_ntb_irqs_free(host->irqs);
	free(host->cells);
	host->irqs = NULL;
	host->cells = NULL;
	host->nr_cells = 0;
}

void pair_close(struct pair *pair)
{
	for (unsigned int i = 0; i < PAIR_NR_HOSTS; i++)
		free_cells(&pair->hosts[i]);
	for (unsigned int i = 0; i < PAIR_NR_HOSTS; i++)
		ontb_ntb_irqs_free(pair->hosts[i].irqs);
	for (unsigned int i = 0; i < PAIR_NR_HOSTS; i++) {
		ontb_host_shutdown(pair->hosts[i].host);
		free(pair->hosts[i].cells);
	}
	ontb_fabric_free(pair->fabric);
}
