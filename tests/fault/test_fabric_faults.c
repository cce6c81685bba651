// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * A fabric fails at its first, second, third ... call: nothing leaks, no descriptor stays open, the out argument stays as it
 * was. And what changes later fails without a trace.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include <openntb/exerciser.h>
#include <openntb/fabric.h>

#include "fabric/vectors.h"
#include "inject.h"

#define MAX_STEPS 10000

static int error_of(const char *call)
{
	if (!strcmp(call, "pthread_create"))
		return -EAGAIN;
	if (!strcmp(call, "memfd_create"))
		return -EMFILE;
	return !strcmp(call, "ftruncate64") ? -EFBIG : -ENOMEM;
}

static void fabric_undoes_what_it_made(void **state)
{
	static const char topology[] = "host a cpus=3 remap=on; host b; bridge switchtec a b - a; endpoint exerciser b;"
				       "bridge switchtec b a; way 1 0 delay=10us; way 1 1 jitter=10us";
	const struct ontb_fabric_config config = { .topology = topology };
	struct ontb_fabric *const untouched = (struct ontb_fabric *)0x1;
	struct ontb_fabric *fabric = untouched;
	unsigned int nr_files = inject_nr_open_files(), nth;
	char why[64];

	(void)state;
	for (nth = 0; nth < MAX_STEPS; nth++) {
		int ret;

		inject_arm(nth);
		ret = ontb_fabric_new(&config, why, sizeof(why), &fabric);
		if (!inject_disarm()) {
			assert_int_equal(ret, 0);
			break;
		}
		assert_int_equal(ret, error_of(inject_failed_call()));
		assert_ptr_equal(fabric, untouched);
		assert_string_equal(why, "");
		assert_int_equal(inject_nr_open_files(), nr_files);
	}
	/* Two machines, two switches, five functions, an endpoint and two threads make many calls. */
	assert_in_range(nth, 40, 200);
	assert_int_equal(inject_nr_open_files(), nr_files + 2);
	assert_int_equal(ontb_fabric_nr_bridges(fabric), 2);
	ontb_fabric_free(fabric);
	assert_int_equal(inject_nr_open_files(), nr_files);
}

static void function_that_cannot_be_added_leaves_the_machine_alone(void **state)
{
	const struct ontb_fabric_config config = { .topology = "host a" };
	const struct ontb_exerciser_config ex_config = { .nr_msi = 4, .nr_msix = 4 };
	struct ontb_exerciser *ex = NULL;
	struct ontb_fabric *fabric;
	struct ontb_machine *m;
	uint16_t rid = 0xffff;
	unsigned int nth;

	(void)state;
	inject_arm(0);
	assert_int_equal(ontb_exerciser_new(&ex_config, &ex), -ENOMEM);
	assert_true(inject_disarm());
	assert_null(ex);
	assert_int_equal(ontb_exerciser_new(&ex_config, &ex), 0);
	assert_int_equal(ontb_fabric_new(&config, NULL, 0, &fabric), 0);
	m = ontb_fabric_machine(fabric, 0);
	for (nth = 0;; nth++) {
		int ret;

		inject_arm(nth);
		ret = ontb_fabric_add_func(fabric, 0, ontb_exerciser_func(ex), &rid);
		if (!inject_disarm()) {
			assert_int_equal(ret, 0);
			break;
		}
		assert_int_equal(ret, -ENOMEM);
		assert_int_equal(rid, 0xffff);
		assert_int_equal(m->ops->config_read(m, ONTB_RID(0, 2, 0), 0, 4), 0xffffffff);
	}
	/* The function, its MSI-X table, and the bits of what it holds back. */
	assert_int_equal(nth, 3);
	assert_int_equal(rid, ONTB_RID(0, 2, 0));
	assert_int_equal(m->ops->config_read(m, rid, 0, 2), ONTB_EXERCISER_VENDOR);
	ontb_fabric_free(fabric);
	ontb_exerciser_free(ex);
}

static void way_without_a_thread_stays_as_it_was(void **state)
{
	const struct ontb_fabric_config config = { .topology = "host a; bridge switchtec a -" };
	const struct ontb_fabric_way way = { .delay_ns = 1000000000, .is_down = true };
	struct ontb_fabric *fabric;
	struct ontb_machine *m;

	(void)state;
	assert_int_equal(ontb_fabric_new(&config, NULL, 0, &fabric), 0);
	m = ontb_fabric_machine(fabric, 0);
	inject_arm(0);
	assert_int_equal(ontb_fabric_set_way(fabric, 0, 0, &way), -EAGAIN);
	assert_true(inject_disarm());
	/* The link is up. */
	assert_int_equal(m->ops->config_read(m, ONTB_RID(0, 2, 0), 0, 2), 0x11f8);
	assert_int_equal(ontb_fabric_set_way(fabric, 0, 0, &way), 0);
	assert_int_equal(m->ops->config_read(m, ONTB_RID(0, 2, 0), 0, 2), 0xffff);
	ontb_fabric_free(fabric);
}

static void write_that_cannot_be_queued_is_dropped_and_counted(void **state)
{
	static const uint64_t word = 0x1122334455667788;
	uint64_t ram[4] = { 0 }, steps = 0;
	struct ontb_root root = { .ram = (uint8_t *)ram, .ram_base = 0x1000, .ram_size = sizeof(ram) };
	const struct ontb_fabric_way config = { .delay_ns = 5 };
	struct ontb_way way;

	(void)state;
	ontb_way_init(&way, &root, 0x10, &steps, 1);
	assert_int_equal(ontb_way_prepare(&way, &config), 0);
	ontb_way_set(&way, &config);
	inject_arm(0);
	assert_int_equal(ontb_way_write(&way, 0x1000, &word, 8), -ENOBUFS);
	assert_true(inject_disarm());
	assert_int_equal(way.nr_dropped, 1);
	assert_int_equal(ontb_way_write(&way, 0x1008, &word, 8), 0);
	ontb_way_push(&way);
	assert_true(ram[0] == 0);
	assert_true(ram[1] == word);
	ontb_way_fini(&way);
}

static void vectors_undo_what_they_made(void **state)
{
	struct ontb_vectors vectors, before;
	unsigned int nth;

	(void)state;
	memset(&vectors, 0x5a, sizeof(vectors));
	before = vectors;
	for (nth = 0;; nth++) {
		int ret;

		inject_arm(nth);
		ret = ontb_vectors_init(&vectors, NULL, 2048, 2048);
		if (!inject_disarm()) {
			assert_int_equal(ret, 0);
			break;
		}
		assert_int_equal(ret, -ENOMEM);
		assert_memory_equal(&vectors, &before, sizeof(vectors));
	}
	assert_int_equal(nth, 2);
	ontb_vectors_fini(&vectors);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fabric_undoes_what_it_made),
		cmocka_unit_test(function_that_cannot_be_added_leaves_the_machine_alone),
		cmocka_unit_test(way_without_a_thread_stays_as_it_was),
		cmocka_unit_test(write_that_cannot_be_queued_is_dropped_and_counted),
		cmocka_unit_test(vectors_undo_what_they_made),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
