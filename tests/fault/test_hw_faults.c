// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Each constructor of src/hw and src/base fails at its first, second, third ... allocation: nothing leaks, the out
 * argument stays untouched, and what existed before goes on working.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openntb/switchtec.h>

#include "base/brlock.h"
#include "base/trace.h"
#include "hw/bridge/window.h"
#include "hw/switchtec/regs.h"
#include "inject.h"

#define MAX_STEPS 10000

static void switch_undoes_what_it_made(void **state)
{
	static const unsigned int nr_ports[] = { 2, 8, 48 };

	(void)state;
	for (unsigned int i = 0; i < ONTB_ARRAY_SIZE(nr_ports); i++) {
		struct ontb_bridge *const untouched = (struct ontb_bridge *)0x1;
		struct ontb_bridge *bridge = untouched;
		struct ontb_switchtec_config config;
		unsigned int nth;

		ontb_switchtec_config_init(&config);
		config.nr_ports = nr_ports[i];
		for (nth = 0; nth < MAX_STEPS; nth++) {
			int ret;

			inject_arm(nth);
			ret = ontb_switchtec_new(&config, &bridge);
			if (!inject_disarm()) {
				assert_int_equal(ret, 0);
				break;
			}
			assert_int_equal(ret, -ENOMEM);
			assert_ptr_equal(bridge, untouched);
		}
		/* The switch, its image, its partitions, its ports, its lock; four apertures per port, and three arrays of its guard. */
		assert_int_equal(nth, 5 + 7 * nr_ports[i]);
		ontb_bridge_free(bridge);
	}
}

static void big_reader_lock_undoes_what_it_made(void **state)
{
	struct ontb_brlock lock, before;
	unsigned int nth = 0;
	int ret;

	(void)state;
	memset(&lock, 0x5a, sizeof(lock));
	before = lock;
	for (;; nth++) {
		inject_arm(nth);
		ret = ontb_brlock_init(&lock, 8);
		if (!inject_disarm())
			break;
		assert_int_equal(ret, -ENOMEM);
		assert_memory_equal(&lock, &before, sizeof(lock));
	}
	assert_int_equal(ret, 0);
	assert_int_equal(nth, 1);
	ontb_brlock_fini(&lock);
}

static void aperture_undoes_what_it_made(void **state)
{
	struct ontb_aperture ap = { 0 };

	(void)state;
	inject_arm(0);
	assert_int_equal(ontb_aperture_init(&ap, 32, true), -ENOMEM);
	assert_true(inject_disarm());
	assert_null(ap.slots);
	ontb_aperture_fini(&ap);
}

static void trace_undoes_what_it_made(void **state)
{
	struct ontb_trace *const untouched = (struct ontb_trace *)0x1;
	struct ontb_trace *trace = untouched;
	char path[] = "/tmp/openntb-fault-XXXXXX";
	unsigned int nth = 0;
	int ret, fd;

	(void)state;
	fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(close(fd), 0);
	for (;; nth++) {
		inject_arm(nth);
		ret = ontb_trace_open(path, 2, &trace);
		if (!inject_disarm())
			break;
		assert_int_equal(ret, -ENOMEM);
		assert_ptr_equal(trace, untouched);
	}
	assert_int_equal(ret, 0);
	assert_true(nth >= 1);
	ontb_trace_close(trace);
	assert_int_equal(unlink(path), 0);
}

static int mem_write(void *host, unsigned int source, uint64_t addr, const void *buf, size_t len)
{
	(void)host;
	(void)source;
	(void)addr;
	(void)buf;
	(void)len;
	return 0;
}

static int mem_read(void *host, uint64_t addr, struct ontb_read *read)
{
	(void)host;
	(void)addr;
	memset(read->buf, 0x11, read->len);
	return 0;
}

static void raise_vector(void *host, unsigned int vector)
{
	(void)host;
	(void)vector;
}

static void clear_vectors(void *host)
{
	(void)host;
}

static bool vector_pending(void *host, unsigned int vector)
{
	(void)host;
	(void)vector;
	return false;
}

static const struct ontb_host_ops host_ops = { mem_write, mem_read, raise_vector, clear_vectors, vector_pending };

static void write_reg(struct ontb_func *func, uint64_t offset, uint64_t value, size_t len)
{
	assert_int_equal(func->ops->bar_write(func, 0, offset, &value, len), 0);
}

static void open_windows(struct ontb_func *func)
{
	uint64_t ctrl = ontb_sw_ctrl(1);

	func->ops->enter(func);
	write_reg(func, ctrl + 4, 1, 4);
	write_reg(func, ctrl + ONTB_SW_CTRL_BAR_CTL(2), 0x21 | 16 << 8 | 31 << 14, 4);
	for (unsigned int i = 0; i < 32; i++)
		write_reg(func, ctrl + ONTB_SW_CTRL_LUT(i), 0x10000 * i | 1, 8);
	write_reg(func, ctrl + 4, 2, 4);
	func->ops->leave(func);
}

/* The one allocation on a path of accesses: a read over several windows. Without memory it is answered, with all ones. */
static void read_over_windows_without_memory_gives_all_ones(void **state)
{
	struct ontb_switchtec_config config;
	struct ontb_bridge *bridge;
	struct ontb_func *funcs[2];
	uint8_t buf[16];
	struct ontb_read read = { .buf = buf, .len = sizeof(buf), .source = 1 };

	(void)state;
	ontb_switchtec_config_init(&config);
	assert_int_equal(ontb_switchtec_new(&config, &bridge), 0);
	for (unsigned int p = 0; p < 2; p++) {
		const uint16_t command = 6;

		funcs[p] = ontb_bridge_func(bridge, p);
		assert_int_equal(funcs[p]->ops->attach(funcs[p], &host_ops, NULL), 0);
		funcs[p]->ops->enter(funcs[p]);
		assert_int_equal(funcs[p]->ops->config_write(funcs[p], 4, &command, 2), 0);
		funcs[p]->ops->leave(funcs[p]);
	}
	open_windows(funcs[0]);
	funcs[1]->ops->enter(funcs[1]);
	inject_arm(0);
	assert_int_equal(funcs[1]->ops->bar_read(funcs[1], 2, 0x10000 - 8, &read), 0);
	assert_true(inject_disarm());
	for (unsigned int i = 0; i < sizeof(buf); i++)
		assert_int_equal(buf[i], 0xff);
	assert_int_equal(funcs[1]->ops->bar_read(funcs[1], 2, 0x10000 - 8, &read), 0);
	for (unsigned int i = 0; i < sizeof(buf); i++)
		assert_int_equal(buf[i], 0x11);
	funcs[1]->ops->leave(funcs[1]);
	for (unsigned int p = 0; p < 2; p++)
		funcs[p]->ops->detach(funcs[p]);
	ontb_bridge_free(bridge);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(switch_undoes_what_it_made),
		cmocka_unit_test(big_reader_lock_undoes_what_it_made),
		cmocka_unit_test(aperture_undoes_what_it_made),
		cmocka_unit_test(trace_undoes_what_it_made),
		cmocka_unit_test(read_over_windows_without_memory_gives_all_ones),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
