// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Everything of src/irq that makes something fails at its first, second, third ... allocation: nothing leaks, nothing of it can
 * be seen, and what existed before goes on working. Activation in steps fails at each step in tests/unit/irq.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include <openntb/irq.h>
#include <openntb/worker.h>

#include "inject.h"

static struct ontb_worker_pool *pool;
static struct ontb_irq_system *sys;
static struct ontb_irq_domain *root, *outer;
static unsigned int nr_handled;

static const struct ontb_irq_chip chip = { .name = "chip" };

static int set_affinity(struct ontb_irq_data *data, const struct ontb_cpumask *mask)
{
	ontb_irq_set_effective(data, ontb_cpumask_next(mask, 0));
	return ONTB_IRQ_SET_OK;
}

static const struct ontb_irq_chip root_chip = { .name = "root", .set_affinity = set_affinity };

static int alloc_irqs(struct ontb_irq_domain *domain, unsigned int virq, unsigned int nr, void *arg)
{
	const bool has_parent = ontb_irq_domain_parent(domain);
	int ret = 0;

	if (has_parent)
		ret = ontb_irq_domain_alloc_parent(domain, virq, nr, arg);
	if (ret)
		return ret;
	/* Far from each other, so that a sparse map needs nodes for each. */
	for (unsigned int i = 0; i < nr && !ret; i++)
		ret = ontb_irq_domain_set_info(domain, virq + i, (uint64_t)(virq + i) << 20,
					       has_parent ? &chip : &root_chip, NULL);
	if (ret && has_parent)
		ontb_irq_domain_free_parent(domain, virq, nr);
	return ret;
}

static void free_irqs(struct ontb_irq_domain *domain, unsigned int virq, unsigned int nr)
{
	if (ontb_irq_domain_parent(domain))
		ontb_irq_domain_free_parent(domain, virq, nr);
}

static const struct ontb_irq_domain_ops ops = { .alloc = alloc_irqs, .free = free_irqs };

static enum ontb_irq_return handle(unsigned int virq, void *dev)
{
	(void)virq;
	(void)dev;
	nr_handled++;
	return ONTB_IRQ_HANDLED;
}

static void raise_irq(unsigned int virq)
{
	ontb_irq_cpu_enter(sys, 0);
	(void)ontb_irq_dispatch(outer, (uint64_t)virq << 20);
	ontb_irq_cpu_leave(sys);
}

static int setup(void **state)
{
	const struct ontb_irq_system_config config = { .name = "host", .nr_cpus = 4, .max_irqs = 100000 };
	struct ontb_irq_system_config with_pool = config;
	struct ontb_irq_domain_config domain_config = { .name = "root", .ops = &ops };

	(void)state;
	assert_int_equal(ontb_worker_pool_new("host", false, 1, &pool), 0);
	with_pool.workers = pool;
	assert_int_equal(ontb_irq_system_new(&with_pool, &sys), 0);
	assert_int_equal(ontb_irq_domain_new(sys, &domain_config, &root), 0);
	domain_config.name = "outer";
	domain_config.parent = root;
	assert_int_equal(ontb_irq_domain_new(sys, &domain_config, &outer), 0);
	nr_handled = 0;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	assert_int_equal(ontb_irq_domain_free(outer), 0);
	assert_int_equal(ontb_irq_domain_free(root), 0);
	ontb_irq_system_free(sys);
	ontb_worker_pool_free(pool);
	return 0;
}

static void system_undoes_what_it_made(void **state)
{
	const struct ontb_irq_system_config config = { .name = "x", .nr_cpus = 2, .max_irqs = 10, .workers = pool };
	struct ontb_irq_system *const untouched = (struct ontb_irq_system *)0x8;
	struct ontb_irq_system *other = untouched;
	unsigned int nth = 0;
	int ret;

	(void)state;
	for (;; nth++) {
		inject_arm(nth);
		ret = ontb_irq_system_new(&config, &other);
		if (!inject_disarm())
			break;
		assert_true(ret < 0);
		assert_ptr_equal(other, untouched);
	}
	assert_int_equal(ret, 0);
	assert_int_equal(nth, 3); /* the system, its worker, the worker's thread */
	ontb_irq_system_free(other);
}

static void domain_undoes_what_it_made(void **state)
{
	const struct ontb_irq_domain_config config = { .name = "x", .parent = outer, .size = 10, .ops = &ops };
	struct ontb_irq_domain *const untouched = (struct ontb_irq_domain *)0x8;
	struct ontb_irq_domain *domain = untouched;

	(void)state;
	inject_arm(0);
	assert_int_equal(ontb_irq_domain_new(sys, &config, &domain), -ENOMEM);
	assert_true(inject_disarm());
	assert_ptr_equal(domain, untouched);
	assert_int_equal(ontb_irq_domains(sys, NULL, 0), 2);
	assert_int_equal(ontb_irq_domain_new(sys, &config, &domain), 0);
	assert_int_equal(ontb_irq_domain_free(domain), 0);
}

static void allocation_undoes_what_it_made(void **state)
{
	struct ontb_cpumask affinity = ontb_cpumask_of(1);
	unsigned int nth = 0;
	int ret;

	(void)state;
	ontb_cpumask_set(&affinity, 2);
	for (;; nth++) {
		inject_arm(nth);
		ret = ontb_irq_domain_alloc(outer, 3, &affinity, NULL);
		if (!inject_disarm())
			break;
		assert_int_equal(ret, -ENOMEM);
		assert_int_equal(ontb_irq_next(sys, 0), 0);
		for (uint64_t virq = 1; virq <= 3; virq++) {
			assert_int_equal(ontb_irq_find(root, virq << 20), 0);
			assert_int_equal(ontb_irq_find(outer, virq << 20), 0);
		}
		/* Domains without interrupts can be freed: their counts are right. */
		assert_int_equal(ontb_irq_domain_release(outer, 1, 1), -ENOENT);
	}
	assert_int_equal(ret, 1);
	assert_true(nth >= 3 * 2); /* a descriptor and a set each, and nodes of three maps */
	assert_int_equal(ontb_irq_domain_release(outer, 1, 3), 0);
}

static void request_undoes_what_it_made(void **state)
{
	const struct ontb_irq_request first = {
		.handler = handle, .dev = &pool, .name = "first", .flags = ONTB_IRQ_SHARED
	};
	const struct ontb_irq_request request = {
		.handler = handle, .thread = handle, .dev = &sys, .name = "second", .flags = ONTB_IRQ_SHARED
	};
	unsigned int nth = 0;
	int ret;

	(void)state;
	assert_int_equal(ontb_irq_domain_alloc(outer, 1, NULL, NULL), 1);
	assert_int_equal(ontb_irq_request(sys, 1, &first), 0);
	for (;; nth++) {
		unsigned int nr_before = nr_handled;

		inject_arm(nth);
		ret = ontb_irq_request(sys, 1, &request);
		if (!inject_disarm())
			break;
		assert_true(ret < 0);
		assert_int_equal(ontb_irq_free(sys, 1, request.dev), -ENOENT);
		raise_irq(1);
		assert_int_equal(nr_handled, nr_before + 1);
	}
	assert_int_equal(ret, 0);
	assert_int_equal(nth, 3); /* the action, its worker, the worker's thread */
	assert_int_equal(ontb_irq_free(sys, 1, request.dev), 0);
	assert_int_equal(ontb_irq_free(sys, 1, first.dev), 0);
	inject_arm(0);
	assert_int_equal(ontb_irq_set_chained(sys, 1, handle, NULL), -ENOMEM);
	assert_true(inject_disarm());
	assert_false(ontb_irq_is_requested(sys, 1));
	assert_int_equal(ontb_irq_domain_release(outer, 1, 1), 0);
}

static void affinity_without_memory_changes_nothing(void **state)
{
	struct ontb_cpumask mask = ontb_cpumask_of(1);
	struct ontb_irq_status status;

	(void)state;
	ontb_cpumask_set(&mask, 3);
	assert_int_equal(ontb_irq_domain_alloc(outer, 1, NULL, NULL), 1);
	assert_int_equal(ontb_irq_activate(sys, 1), 0);
	inject_arm(0);
	assert_int_equal(ontb_irq_set_affinity(sys, 1, &mask), -ENOMEM);
	assert_true(inject_disarm());
	assert_int_equal(ontb_irq_status(sys, 1, &status), 0);
	assert_int_equal(ontb_cpumask_count(&status.affinity), 4);
	assert_int_equal(status.effective, ONTB_MAX_CPUS);
	assert_int_equal(ontb_irq_set_affinity(sys, 1, &mask), 0);
	assert_int_equal(ontb_irq_status(sys, 1, &status), 0);
	assert_int_equal(status.effective, 1);
	assert_int_equal(ontb_irq_domain_release(outer, 1, 1), 0);
}

static void run_without_memory_is_counted_with_the_first_cpu(void **state)
{
	const struct ontb_irq_request request = { .handler = handle, .dev = &pool, .name = "x" };

	(void)state;
	assert_int_equal(ontb_irq_domain_alloc(outer, 1, NULL, NULL), 1);
	assert_int_equal(ontb_irq_request(sys, 1, &request), 0);
	raise_irq(1);
	ontb_irq_cpu_enter(sys, 2);
	inject_arm(0);
	assert_int_equal(ontb_irq_dispatch(outer, 1ULL << 20), 0);
	assert_true(inject_disarm());
	assert_int_equal(ontb_irq_dispatch(outer, 1ULL << 20), 0);
	ontb_irq_cpu_leave(sys);
	assert_int_equal(nr_handled, 3);
	assert_int_equal(ontb_irq_count(sys, 1, 0), 2);
	assert_int_equal(ontb_irq_count(sys, 1, 2), 1);
	assert_int_equal(ontb_irq_free(sys, 1, request.dev), 0);
	assert_int_equal(ontb_irq_domain_release(outer, 1, 1), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(system_undoes_what_it_made),
		TEST(domain_undoes_what_it_made),
		TEST(allocation_undoes_what_it_made),
		TEST(request_undoes_what_it_made),
		TEST(affinity_without_memory_changes_nothing),
		TEST(run_without_memory_is_counted_with_the_first_cpu),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
