// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * The descriptor lock: _locked functions inside a section, and what happens to who has not got the lock, or has it already.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "base/annotate.h"
#include "msi_rig.h"

#define SLOT 1U

static struct msi_rig rig;
static struct rig_table table;
static struct rig_log lines;
static struct ontb_msi_dev *dev;

static int setup(void **state)
{
	struct ontb_msi_template t = msi_rig_template("NTB-", ONTB_BUS_NTB, 64, &table);

	(void)state;
	t.features = ONTB_MSI_FEATURE_CONTIGUOUS;
	if (msi_rig_init(&rig, ONTB_MSI_FIXED, ONTB_MSI_SCOPE_GLOBAL, 64) || msi_rig_dev(&rig, "00:02.0", &dev) ||
	    ontb_msi_domain_new(dev, SLOT, &t))
		return -1;
	msi_rig_log_start(&lines);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	ontb_msi_dev_free(dev);
	msi_rig_log_stop();
	return (int)msi_rig_fini(&rig);
}

static void locked_functions_work_inside_one_section(void **state)
{
	struct ontb_msi_map map;
	unsigned int nr_done;

	(void)state;
	ontb_msi_lock(dev);
	assert_int_equal(ontb_msi_alloc_contiguous_locked(dev, SLOT, 2), 0);
	assert_int_equal(ontb_msi_alloc_at_locked(dev, SLOT, ONTB_MSI_ANY_INDEX, NULL, NULL, &map), 0);
	assert_int_equal(map.index, 2);
	assert_int_equal(ontb_msi_insert_locked(dev, SLOT, 3, NULL), 0);
	assert_int_equal(ontb_msi_remove_locked(dev, SLOT, 3), 0);
	assert_int_equal(ontb_msi_alloc_range_locked(dev, SLOT, 3, 2, &nr_done), 0);
	assert_int_equal(nr_done, 2);
	assert_int_equal(ontb_msi_alloc_all_locked(dev, SLOT), 0);
	assert_int_equal(ontb_msi_free_range_locked(dev, SLOT, 10, 2), 0);
	assert_true(ontb_msi_next_locked(dev, SLOT, ONTB_MSI_ALL, 10, &map));
	assert_int_equal(map.index, 12);
	assert_int_equal(ontb_msi_free_all_locked(dev, SLOT), 0);
	assert_false(ontb_msi_next_locked(dev, SLOT, ONTB_MSI_ALL, 0, &map));
	ontb_msi_unlock(dev);
	assert_int_equal(lines.nr, 0);
}

static void call_every_locked_function_in_vain(void)
{
	struct ontb_msi_map map = { 5, 6 };
	unsigned int nr_done = 7;

	assert_int_equal(ontb_msi_alloc_at_locked(dev, SLOT, 0, NULL, NULL, &map), -EINVAL);
	assert_int_equal(ontb_msi_alloc_range_locked(dev, SLOT, 0, 1, &nr_done), -EINVAL);
	assert_int_equal(nr_done, 0);
	assert_int_equal(ontb_msi_alloc_contiguous_locked(dev, SLOT, 1), -EINVAL);
	assert_int_equal(ontb_msi_alloc_all_locked(dev, SLOT), -EINVAL);
	assert_int_equal(ontb_msi_free_range_locked(dev, SLOT, 0, 64), -EINVAL);
	assert_int_equal(ontb_msi_free_all_locked(dev, SLOT), -EINVAL);
	assert_int_equal(ontb_msi_insert_locked(dev, SLOT, 0, NULL), -EINVAL);
	assert_int_equal(ontb_msi_remove_locked(dev, SLOT, 0), -EINVAL);
	assert_false(ontb_msi_next_locked(dev, SLOT, ONTB_MSI_ALL, 0, &map));
	assert_int_equal(map.index, 5);
	assert_int_equal(map.virq, 6);
}

static void access_without_the_lock_is_detected(void **state)
{
	struct ontb_msi_map map;

	(void)state;
	assert_int_equal(ontb_msi_alloc_at(dev, SLOT, 7, NULL, NULL, &map), 0);
	call_every_locked_function_in_vain();
	assert_int_equal(lines.nr, 9);
	assert_string_equal(lines.last, "00:02.0: ontb_msi_next_locked: this thread does not hold the descriptor lock");
	assert_int_equal(ontb_msi_list(dev, NULL, 0), 1);
	ontb_msi_unlock(dev);
	assert_int_equal(lines.nr, 10);
	/* It is still a lock. */
	ontb_msi_lock(dev);
	ontb_msi_unlock(dev);
	assert_int_equal(lines.nr, 10);
}

static void *run_in_vain(void *arg)
{
	(void)arg;
	call_every_locked_function_in_vain();
	ontb_msi_unlock(dev);
	return NULL;
}

static void lock_of_another_thread_does_not_count(void **state)
{
	pthread_t thread;

	(void)state;
	ontb_msi_lock(dev);
	assert_int_equal(pthread_create(&thread, NULL, run_in_vain, NULL), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(lines.nr, 10);
	/* And the lock is where it was. */
	assert_int_equal(ontb_msi_alloc_range_locked(dev, SLOT, 0, 1, NULL), 0);
	ontb_msi_unlock(dev);
	assert_int_equal(lines.nr, 10);
}

static void lock_of_another_device_does_not_count(void **state)
{
	struct ontb_msi_dev *other;

	(void)state;
	assert_int_equal(msi_rig_dev(&rig, "00:03.0", &other), 0);
	ontb_msi_lock(other);
	assert_int_equal(ontb_msi_alloc_range_locked(dev, SLOT, 0, 1, NULL), -EINVAL);
	assert_int_equal(ontb_msi_alloc_range(dev, SLOT, 0, 1, NULL), 0);
	ontb_msi_unlock(other);
	assert_int_equal(lines.nr, 1);
	ontb_msi_dev_free(other);
}

static void function_that_takes_the_lock_does_not_hang_on_its_own_thread(void **state)
{
	struct ontb_msi_template t = msi_rig_template("X-", ONTB_BUS_NTB, 4, &table);
	struct ontb_msi_map map;

	(void)state;
	ontb_msi_lock(dev);
	assert_int_equal(ontb_msi_alloc_at(dev, SLOT, 0, NULL, NULL, &map), -EINVAL);
	assert_int_equal(ontb_msi_alloc_range(dev, SLOT, 0, 1, NULL), -EINVAL);
	assert_int_equal(ontb_msi_alloc_contiguous(dev, SLOT, 1), -EINVAL);
	assert_int_equal(ontb_msi_alloc_all(dev, SLOT), -EINVAL);
	assert_int_equal(ontb_msi_free_range(dev, SLOT, 0, 1), -EINVAL);
	assert_int_equal(ontb_msi_free_all(dev, SLOT), -EINVAL);
	assert_int_equal(ontb_msi_domain_new(dev, 2, &t), -EINVAL);
	assert_int_equal(ontb_msi_domain_free(dev, SLOT), -EINVAL);
	assert_int_equal(ontb_msi_list(dev, NULL, 0), 0);
	ontb_msi_rewrite_all(dev, SLOT);
	assert_int_equal(lines.nr, 10);
	assert_non_null(
		strstr(lines.last, "00:02.0: ontb_msi_rewrite_all: this thread has the descriptor lock already"));
	ontb_msi_lock(dev);
	assert_int_equal(lines.nr, 11);
	ontb_msi_unlock(dev);
	assert_int_equal(ontb_msi_alloc_range_locked(dev, SLOT, 0, 1, NULL), 0);
	ontb_msi_unlock(dev);
	assert_int_equal(lines.nr, 11);
	assert_int_equal(ontb_msi_alloc_range_locked(dev, SLOT, 1, 1, NULL), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(locked_functions_work_inside_one_section),
		TEST(access_without_the_lock_is_detected),
		TEST(lock_of_another_thread_does_not_count),
		TEST(lock_of_another_device_does_not_count),
		TEST(function_that_takes_the_lock_does_not_hang_on_its_own_thread),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
