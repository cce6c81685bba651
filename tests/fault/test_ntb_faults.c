// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Each constructor of src/ntb fails at its first, second, third ... fallible call: nothing leaks and the out argument stays
 * untouched.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <openntb/ntb.h>
#include <openntb/worker.h>

#include "inject.h"

#define MAX_STEPS 1000

static int link_enable(struct ontb_ntb *ntb)
{
	(void)ntb;
	return 0;
}

static void link_disable(struct ontb_ntb *ntb)
{
	(void)ntb;
}

static bool link_is_up(struct ontb_ntb *ntb, unsigned int peer)
{
	(void)ntb;
	(void)peer;
	return false;
}

static int window_limits(struct ontb_ntb *ntb, unsigned int peer, unsigned int window, struct ontb_ntb_window *limits)
{
	(void)ntb;
	(void)peer;
	(void)window;
	(void)limits;
	return 0;
}

static int window_open(struct ontb_ntb *ntb, unsigned int peer, unsigned int window, uint64_t addr, uint64_t size)
{
	(void)ntb;
	(void)peer;
	(void)window;
	(void)addr;
	(void)size;
	return 0;
}

static int window_close(struct ontb_ntb *ntb, unsigned int peer, unsigned int window)
{
	(void)ntb;
	(void)peer;
	(void)window;
	return 0;
}

static uint64_t peer_window_size(struct ontb_ntb *ntb, unsigned int peer, unsigned int window)
{
	(void)ntb;
	(void)peer;
	(void)window;
	return 0;
}

static void peer_write32(struct ontb_ntb *ntb, unsigned int peer, unsigned int window, uint64_t offset, uint32_t value)
{
	(void)ntb;
	(void)peer;
	(void)window;
	(void)offset;
	(void)value;
}

static void peer_write(struct ontb_ntb *ntb, unsigned int peer, unsigned int window, uint64_t offset, const void *buf,
		       size_t len)
{
	(void)ntb;
	(void)peer;
	(void)window;
	(void)offset;
	(void)buf;
	(void)len;
}

static void peer_read(struct ontb_ntb *ntb, unsigned int peer, unsigned int window, uint64_t offset, void *buf,
		      size_t len)
{
	(void)ntb;
	(void)peer;
	(void)window;
	(void)offset;
	(void)buf;
	(void)len;
}

static const struct ontb_ntb_ops least_ops = {
	.name = "least",
	.link_enable = link_enable,
	.link_disable = link_disable,
	.link_is_up = link_is_up,
	.window_limits = window_limits,
	.window_open = window_open,
	.window_close = window_close,
	.peer_window_size = peer_window_size,
	.peer_write32 = peer_write32,
	.peer_write = peer_write,
	.peer_read = peer_read,
};

static void registration_undoes_what_it_made(void **state)
{
	struct ontb_ntb *const untouched = (struct ontb_ntb *)0x1;
	struct ontb_ntb *ntb = untouched;
	struct ontb_worker_pool *pool;
	unsigned int nth;

	(void)state;
	assert_int_equal(ontb_worker_pool_new("fault", false, 0, &pool), 0);
	for (nth = 0; nth < MAX_STEPS; nth++) {
		const struct ontb_ntb_config config = {
			.ops = &least_ops, .name = "least0", .nr_peers = 1, .nr_windows = 1, .workers = pool
		};
		int ret;

		inject_arm(nth);
		ret = ontb_ntb_new(&config, &ntb);
		if (!inject_disarm()) {
			assert_int_equal(ret, 0);
			break;
		}
		assert_true(ret < 0);
		assert_ptr_equal(ntb, untouched);
	}
	/* At least the bridge and its worker. */
	assert_true(nth >= 2 && nth < MAX_STEPS);
	ontb_ntb_free(ntb);
	ontb_worker_pool_free(pool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(registration_undoes_what_it_made),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
