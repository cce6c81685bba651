// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Both kinds of interrupts of a bridge's function, through the whole of both hosts: no mock anywhere.
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "pair_rig.h"

#define REMAPPED "host a cpus=24 ram=64M remap=on\nhost b cpus=24 ram=64M remap=on\nbridge switchtec a b vectors=4\n"
#define BARE	 "host a cpus=24 ram=64M\nhost b cpus=24 ram=64M\nbridge switchtec a b vectors=4\n"
#define SMALL	 "host a cpus=2 ram=64M\nhost b cpus=2 ram=64M\nbridge switchtec a b vectors=4\n"
#define SMALL_REMAPPED                                                                                                 \
	"host a cpus=2 ram=64M remap=on\nhost b cpus=2 ram=64M remap=on\nbridge switchtec a b vectors=4\n"
#define NR_MANY 4096U

/* Registers of the part that the drivers have no use for: which vector a doorbell bit raises. */
#define MSIX_TABLE(port)	   (0x76000ULL + 0x4000 * (port))
#define DOORBELL_VECTOR(port, bit) (0x74000ULL + 0x4000 * (port) + 0x1020 + (bit))

static struct ontb_pci_dev *bridge_function(const struct pair_host *host)
{
	struct ontb_pci_bus *bus = ontb_host_pci(host->host);

	for (unsigned int i = 0; i < ontb_pci_nr_devs(bus); i++) {
		if (ontb_pci_vendor(ontb_pci_dev_at(bus, i)) == 0x11f8)
			return ontb_pci_dev_at(bus, i);
	}
	fail_msg("no bridge");
	return NULL;
}

static void read_table(struct pair_host *host, unsigned int port, uint32_t table[16])
{
	ontb_pci_bar_copy_from(bridge_function(host), 0, table, MSIX_TABLE(port), 64);
}

static enum ontb_irq_return count(unsigned int virq, void *dev)
{
	(void)virq;
	atomic_fetch_add((_Atomic unsigned int *)dev, 1);
	return ONTB_IRQ_HANDLED;
}

static bool is_one(void *arg)
{
	return atomic_load((_Atomic unsigned int *)arg) == 1;
}

/* The driver uses three of the four entries; the fourth gets a handler here, and a doorbell bit that raises it. */
static void use_fourth_entry(struct pair_host *host, unsigned int port, _Atomic unsigned int *nr,
			     struct ontb_msi_map *map)
{
	const struct ontb_irq_request request = { .handler = count, .dev = nr, .name = "fourth" };
	struct ontb_pci_dev *dev = bridge_function(host);

	assert_int_equal(ontb_pci_msix_alloc_at(dev, ONTB_MSI_ANY_INDEX, NULL, map), 0);
	assert_int_equal(ontb_irq_request(ontb_host_irqs(host->host), map->virq, &request), 0);
	/* Bit 20 of this host's doorbells: partition 1 has the upper half of the register. */
	ontb_pci_bar_write8(dev, 0, DOORBELL_VECTOR(port, port ? 32 + 20 : 20), (uint8_t)map->index);
	assert_int_equal(ontb_ntb_db_unmask(host->ntb, 1ULL << 20), 0);
}

static void free_fourth_entry(struct pair_host *host, _Atomic unsigned int *nr, const struct ontb_msi_map *map)
{
	assert_int_equal(ontb_irq_free(ontb_host_irqs(host->host), map->virq, nr), 0);
	assert_int_equal(ontb_pci_msix_free_at(bridge_function(host), map->index), 0);
}

static void full_table_and_4096_more(const char *topology)
{
	_Atomic unsigned int nr = 0;
	struct ontb_msi_map map;
	struct pair_host *a, *b;
	struct pair pair;

	pair_open(&pair, topology);
	a = &pair.hosts[0];
	b = &pair.hosts[1];
	use_fourth_entry(b, 1, &nr, &map);
	pair_make_irqs(&pair, NR_MANY, NULL);
	pair_alloc_range(b, 0, NR_MANY);
	pair_exchange(a, b, 0, NR_MANY);
	assert_int_equal(ontb_ntb_peer_db_set(a->ntb, 0, 1ULL << 20), 0);
	pair_wait(is_one, &nr);
	pair_exchange(a, b, 0, NR_MANY);
	pair_assert_none_wrong(b);
	for (unsigned int i = 0; i < NR_MANY; i++)
		assert_int_equal(atomic_load(&b->cells[i].handled), 2);
	free_fourth_entry(b, &nr, &map);
	pair_close(&pair);
}

static void table_of_four_and_4096_ntb_interrupts_with_remapping(void **state)
{
	(void)state;
	full_table_and_4096_more(REMAPPED);
}

static void table_of_four_and_4096_ntb_interrupts_on_bare_vectors(void **state)
{
	(void)state;
	full_table_and_4096_more(BARE);
}

static void ntb_interrupts_are_not_taken_from_unrequested_table_entries(void **state)
{
	uint32_t before[16], after[16];
	struct ontb_msi_map map;
	struct pair_host *b;
	struct pair pair;

	(void)state;
	pair_open(&pair, SMALL_REMAPPED);
	b = &pair.hosts[1];
	/* Allocated, and nobody has requested it: today's Linux would take it for free. */
	assert_int_equal(ontb_pci_msix_alloc_at(bridge_function(b), ONTB_MSI_ANY_INDEX, NULL, &map), 0);
	read_table(b, 1, before);
	pair_make_irqs(&pair, 64, NULL);
	pair_alloc_range(b, 0, 64);
	read_table(b, 1, after);
	assert_memory_equal(before, after, sizeof(before));
	for (unsigned int i = 0; i < 64; i++)
		assert_int_not_equal(b->cells[i].virq, map.virq);
	pair_exchange(&pair.hosts[0], b, 0, 64);
	assert_int_equal(ontb_irq_count(ontb_host_irqs(b->host), map.virq, 0), 0);
	/* It is still there for who allocated it. */
	assert_int_equal(ontb_pci_irq(bridge_function(b), map.index), map.virq);
	assert_int_equal(ontb_pci_msix_free_at(bridge_function(b), map.index), 0);
	pair_close(&pair);
}

static void vectors_that_run_out_are_an_error_and_nothing_is_lost(void **state)
{
	struct pair_host *a, *b;
	unsigned int nr = 0;
	struct pair pair;
	int ret = 0;

	(void)state;
	pair_open(&pair, SMALL);
	a = &pair.hosts[0];
	b = &pair.hosts[1];
	pair_make_irqs(&pair, 1000, NULL);
	for (; nr < 1000 && !ret; nr += !ret)
		ret = pair_alloc(b, nr);
	assert_int_equal(ret, -ENOSPC);
	/* 200 for each of two CPUs, less what the driver has. */
	assert_in_range(nr, 380, 400);
	for (unsigned int i = 0; i < nr; i++)
		pair_grant(b, i);
	pair_exchange(a, b, 0, nr);
	/* One that is given back is there for the next. */
	pair_free(b, 7);
	assert_int_equal(pair_alloc(b, 999), 0);
	pair_grant(b, 999);
	pair_exchange(a, b, 999, 1);
	assert_int_equal(ontb_ntb_irq_trigger(a->irqs, 0, 7), -ENOENT);
	pair_assert_none_wrong(b);
	pair_close(&pair);
}

struct shooter {
	struct pair *pair;
	unsigned int nr_irqs;
	unsigned int nr_rounds;
};

/* Each interrupt again and again, one message at a time. */
static void *shoot(void *arg)
{
	struct shooter *shooter = arg;
	struct pair_host *a = &shooter->pair->hosts[0], *b = &shooter->pair->hosts[1];

	for (unsigned int round = 0; round < shooter->nr_rounds; round++)
		pair_exchange(a, b, 0, shooter->nr_irqs);
	return NULL;
}

static void move_under_fire(const char *topology, bool is_fixed)
{
	struct shooter shooter = { .nr_irqs = 16, .nr_rounds = 200 };
	struct ontb_irq_status before, after;
	struct pair_host *b;
	pthread_t thread;
	struct pair pair;

	pair_open(&pair, topology);
	shooter.pair = &pair;
	b = &pair.hosts[1];
	pair_make_irqs(&pair, 16, NULL);
	pair_alloc_range(b, 0, 16);
	assert_int_equal(ontb_irq_status(ontb_host_irqs(b->host), b->cells[0].virq, &before), 0);
	assert_int_equal(pthread_create(&thread, NULL, shoot, &shooter), 0);
	for (unsigned int n = 0; n < 500; n++) {
		struct ontb_cpumask mask = ontb_cpumask_of(n / 16 % 2);

		assert_int_equal(ontb_irq_set_affinity(ontb_host_irqs(b->host), b->cells[n % 16].virq, &mask), 0);
		if (n % 5 == 0)
			assert_int_equal(ontb_irq_move_wait(ontb_host_irqs(b->host), b->cells[n % 16].virq,
							    PAIR_DEADLINE_NS),
					 0);
	}
	assert_int_equal(pthread_join(thread, NULL), 0);
	for (unsigned int i = 0; i < 16; i++)
		assert_int_equal(ontb_irq_move_wait(ontb_host_irqs(b->host), b->cells[i].virq, PAIR_DEADLINE_NS), 0);
	assert_int_equal(ontb_irq_status(ontb_host_irqs(b->host), b->cells[0].virq, &after), 0);
	if (is_fixed)
		assert_memory_equal(&before.msg, &after.msg, sizeof(before.msg));
	pair_exchange(&pair.hosts[0], b, 0, 16);
	pair_assert_none_wrong(b);
	pair_close(&pair);
}

static void moves_under_fire_lose_nothing_on_bare_vectors(void **state)
{
	(void)state;
	move_under_fire(SMALL, false);
}

static void moves_under_fire_lose_nothing_and_keep_the_message_with_remapping(void **state)
{
	(void)state;
	move_under_fire(SMALL_REMAPPED, true);
}

static void cpu_that_goes_off_line_under_fire_loses_nothing(void **state)
{
	struct shooter shooter = { .nr_irqs = 16, .nr_rounds = 200 };
	struct ontb_x86 *x86;
	struct pair_host *b;
	pthread_t thread;
	struct pair pair;

	(void)state;
	pair_open(&pair, SMALL);
	shooter.pair = &pair;
	b = &pair.hosts[1];
	x86 = ontb_host_x86(b->host);
	pair_make_irqs(&pair, 16, NULL);
	pair_alloc_range(b, 0, 16);
	assert_int_equal(pthread_create(&thread, NULL, shoot, &shooter), 0);
	for (unsigned int n = 0; n < 20; n++) {
		assert_int_equal(ontb_x86_cpu_offline(x86, n % 2, PAIR_DEADLINE_NS), 0);
		assert_int_equal(ontb_x86_cpu_nr_used(x86, n % 2), 0);
		assert_int_equal(ontb_x86_cpu_online(x86, n % 2), 0);
	}
	assert_int_equal(pthread_join(thread, NULL), 0);
	pair_assert_none_wrong(b);
	pair_close(&pair);
}

static void stale_index_does_not_reach_its_next_owner(void **state)
{
	struct pair_host *a, *b;
	struct pair pair;

	(void)state;
	pair_open(&pair, SMALL);
	a = &pair.hosts[0];
	b = &pair.hosts[1];
	pair_make_irqs(&pair, 8, NULL);
	pair_alloc_range(b, 0, 8);
	for (unsigned int n = 0; n < 50; n++) {
		pair_exchange(a, b, 3, 1);
		pair_free(b, 3);
		assert_int_equal(ontb_ntb_irq_trigger(a->irqs, 0, 3), -ENOENT);
		assert_int_equal(pair_alloc(b, 3), 0);
		/* Allocated again and not granted: whoever had it before has nothing. */
		assert_int_equal(ontb_ntb_irq_trigger(a->irqs, 0, 3), -ENOENT);
		pair_grant(b, 3);
	}
	pair_exchange(a, b, 0, 8);
	pair_assert_none_wrong(b);
	pair_close(&pair);
}

static void without_isolation_peers_must_be_trusted(void **state)
{
	struct ontb_ntb_irqs_config config;
	struct ontb_ntb_irqs *irqs = NULL;
	struct pair pair;

	(void)state;
	ontb_ntb_irqs_config_init(&config);
	pair_open(&pair, SMALL);
	assert_int_equal(ontb_ntb_irqs_new(pair.hosts[1].ntb, &config, &irqs), -EPERM);
	assert_null(irqs);
	pair_close(&pair);
	pair_open(&pair, SMALL_REMAPPED);
	assert_int_equal(ontb_ntb_irqs_new(pair.hosts[1].ntb, &config, &pair.hosts[1].irqs), 0);
	pair_close(&pair);
}

static void use_guard(struct ontb_ntb_irqs_config *config)
{
	config->trust_peers = false;
	config->use_guard = true;
}

static void guard_makes_bare_vectors_safe_from_a_peer(void **state)
{
	struct ontb_x86_status before, after;
	struct ontb_ntb_irqs_status ntb;
	struct pair_host *a, *b;
	struct pair pair;

	(void)state;
	pair_open(&pair, SMALL);
	a = &pair.hosts[0];
	b = &pair.hosts[1];
	pair_make_irqs(&pair, 32, use_guard);
	pair_alloc_range(b, 0, 32);
	pair_exchange(a, b, 0, 32);
	ontb_x86_status(ontb_host_x86(b->host), &before);
	ontb_ntb_irqs_status(b->irqs, &ntb);
	/* A peer that writes what nobody granted: every vector of every CPU. */
	for (unsigned int cpu = 0; cpu < 2; cpu++) {
		for (uint32_t vector = 16; vector < 256; vector++)
			(void)ontb_ntb_peer_write32(a->ntb, 0, ontb_ntb_nr_windows(a->ntb) - 1,
						    cpu * 4096ULL + (0xfee00000 - ntb.window_first), 0x4000 | vector);
	}
	pair_exchange(a, b, 0, 32);
	ontb_x86_status(ontb_host_x86(b->host), &after);
	assert_int_equal(after.nr_spurious, before.nr_spurious);
	pair_assert_none_wrong(b);
	pair_close(&pair);
}

static void window_is_no_wider_than_the_messages(void **state)
{
	struct ontb_ntb_irqs_status ntb;
	struct pair pair;

	(void)state;
	/* Two CPUs: two pages. */
	pair_open(&pair, SMALL);
	pair_make_irqs(&pair, 8, NULL);
	pair_alloc_range(&pair.hosts[1], 0, 8);
	ontb_ntb_irqs_status(pair.hosts[1].irqs, &ntb);
	assert_int_equal(ntb.window_first, 0xfee00000);
	assert_in_range(ntb.window_size, 0x2000, 0x10000);
	pair_close(&pair);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table_of_four_and_4096_ntb_interrupts_with_remapping),
		cmocka_unit_test(table_of_four_and_4096_ntb_interrupts_on_bare_vectors),
		cmocka_unit_test(ntb_interrupts_are_not_taken_from_unrequested_table_entries),
		cmocka_unit_test(vectors_that_run_out_are_an_error_and_nothing_is_lost),
		cmocka_unit_test(moves_under_fire_lose_nothing_on_bare_vectors),
		cmocka_unit_test(moves_under_fire_lose_nothing_and_keep_the_message_with_remapping),
		cmocka_unit_test(cpu_that_goes_off_line_under_fire_loses_nothing),
		cmocka_unit_test(stale_index_does_not_reach_its_next_owner),
		cmocka_unit_test(without_isolation_peers_must_be_trusted),
		cmocka_unit_test(guard_makes_bare_vectors_safe_from_a_peer),
		cmocka_unit_test(window_is_no_wider_than_the_messages),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
