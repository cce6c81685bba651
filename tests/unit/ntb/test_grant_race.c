// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * What another thread may do while the worker gives an interrupt back: the linker sends that call through this file.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "grant_rig.h"

int __real_ontb_msi_free_range(struct ontb_msi_dev *dev, unsigned int slot, unsigned int first, unsigned int nr);
int __wrap_ontb_msi_free_range(struct ontb_msi_dev *dev, unsigned int slot, unsigned int first, unsigned int nr);

static void (*meanwhile)(struct grant_rig *rig, int result);
static struct grant_rig *the_rig;

int __wrap_ontb_msi_free_range(struct ontb_msi_dev *dev, unsigned int slot, unsigned int first, unsigned int nr)
{
	void (*now)(struct grant_rig * rig, int result) = meanwhile;
	int ret = __real_ontb_msi_free_range(dev, slot, first, nr);

	meanwhile = NULL;
	if (now)
		now(the_rig, ret);
	return ret;
}

/* An interrupt of host 0 that host 1 holds is freed, with or without its handler; @other happens in the middle. */
static void free_one(bool has_handler, void (*other)(struct grant_rig *rig, int result))
{
	struct grant_rig *rig = grant_rig_new(2, MOCK_STEPPED | MOCK_PAGES | MOCK_DOORBELLS, 2);

	the_rig = rig;
	(void)grant_rig_irq(rig, 0, 0);
	assert_int_equal(ontb_ntb_irq_grant(rig->ends[0].irqs, 0, 0), 0);
	mock_run(rig->net);
	assert_true(ontb_ntb_irq_is_granted(rig->ends[1].irqs, 0, 0));
	if (!has_handler)
		grant_rig_remove_handler(rig, 0, 0);
	assert_int_equal(ontb_ntb_irq_free(rig->ends[0].irqs, 0), 0);
	meanwhile = other;
	mock_run(rig->net);
	assert_null(meanwhile);
	assert_int_equal(ontb_ntb_irq_settle(rig->ends[0].irqs, ONTB_MSI_ANY_INDEX, 0), 0);
}

static void assert_all_free(void)
{
	struct ontb_ntb_irqs_status status;

	ontb_ntb_irqs_status(the_rig->ends[0].irqs, &status);
	assert_int_equal(status.nr_allocated, 0);
	assert_int_equal(status.nr_quarantined, 0);
	assert_int_equal(mock_vectors_used(&the_rig->net->hosts[0]), 0);
	assert_int_equal(ontb_ntb_irq_free(the_rig->ends[0].irqs, 0), -ENOENT);
	grant_rig_free(the_rig);
}

static void free_again(struct grant_rig *rig, int result)
{
	assert_int_equal(result, -EBUSY);
	assert_int_equal(ontb_ntb_irq_grant(rig->ends[0].irqs, 0, 0), -EBUSY);
	assert_int_equal(ontb_ntb_irq_free(rig->ends[0].irqs, 0), -EBUSY);
	grant_rig_remove_handler(rig, 0, 0);
	assert_int_equal(ontb_ntb_irq_free(rig->ends[0].irqs, 0), 0);
}

static void freeing_once_more_while_it_is_refused_is_heard(void **state)
{
	(void)state;
	free_one(true, free_again);
	assert_int_equal(the_rig->ends[0].nr_freed, 1);
	assert_all_free();
}

static void do_nothing(struct grant_rig *rig, int result)
{
	(void)rig;
	assert_int_equal(result, -EBUSY);
}

static void a_handler_that_stays_keeps_the_quarantine(void **state)
{
	struct ontb_ntb_irqs_status status;

	(void)state;
	free_one(true, do_nothing);
	ontb_ntb_irqs_status(the_rig->ends[0].irqs, &status);
	assert_int_equal(status.nr_quarantined, 1);
	assert_int_equal(the_rig->ends[0].nr_freed, 0);
	grant_rig_remove_handler(the_rig, 0, 0);
	assert_int_equal(ontb_ntb_irq_free(the_rig->ends[0].irqs, 0), 0);
	mock_run(the_rig->net);
	assert_int_equal(the_rig->ends[0].nr_freed, 1);
	assert_all_free();
}

/* Index 0 is free already, and the worker does not know yet that it has a new life. */
static void allocate(struct grant_rig *rig, int result)
{
	assert_int_equal(result, 0);
	(void)grant_rig_irq(rig, 0, 0);
	assert_int_equal(ontb_ntb_irq_grant(rig->ends[0].irqs, 0, 0), 0);
}

static void a_new_life_of_an_index_is_not_taken_for_the_old_one(void **state)
{
	(void)state;
	free_one(false, allocate);
	assert_int_equal(the_rig->ends[0].nr_freed, 1);
	assert_int_equal(ontb_ntb_irq_trigger(the_rig->ends[1].irqs, 0, 0), 0);
	assert_int_equal(the_rig->ends[0].irq[0].nr_handled, 1);
	grant_rig_remove_handler(the_rig, 0, 0);
	assert_int_equal(ontb_ntb_irq_free(the_rig->ends[0].irqs, 0), 0);
	mock_run(the_rig->net);
	assert_all_free();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(freeing_once_more_while_it_is_refused_is_heard),
		cmocka_unit_test(a_handler_that_stays_keeps_the_quarantine),
		cmocka_unit_test(a_new_life_of_an_index_is_not_taken_for_the_old_one),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
