// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * The vfio-user client's constructor fails at each of its calls: nothing leaks, and the server takes the next one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <openntb/switchtec.h>
#include <openntb/vfio_user.h>
#include <openntb/vfio_user_client.h>

#include "base/clock.h"
#include "inject.h"

static struct ontb_vfio_user_server *server;
static _Atomic bool stop;

static void *dispatch(void *arg)
{
	(void)arg;
	while (!atomic_load(&stop)) {
		struct pollfd fd = { .fd = ontb_vfio_user_server_fd(server), .events = POLLIN };

		(void)poll(&fd, 1, 10);
		(void)ontb_vfio_user_server_dispatch(server);
	}
	return NULL;
}

static bool has_client(void)
{
	struct ontb_vfio_user_status status;

	/* Only while nobody dispatches; see main thread below. */
	return !ontb_vfio_user_server_status(server, 0, &status) && status.connected;
}

static void run_server(pthread_t *thread)
{
	atomic_store(&stop, false);
	assert_int_equal(pthread_create(thread, NULL, dispatch, NULL), 0);
}

static void stop_server(pthread_t thread)
{
	uint64_t end = ontb_clock_ns() + 20 * ONTB_NS_PER_S;

	atomic_store(&stop, true);
	assert_int_equal(pthread_join(thread, NULL), 0);
	/* The client that failed has left; its port is free again. */
	while (has_client() && ontb_clock_ns() < end)
		(void)ontb_vfio_user_server_dispatch(server);
	assert_false(has_client());
}

static void client_undoes_what_it_made(void **state)
{
	struct ontb_vfio_user_client *const untouched = (struct ontb_vfio_user_client *)0x1;
	struct ontb_vfio_user_client *client = untouched;
	char dir[] = "/tmp/ontb-fault-XXXXXX", path[64];
	struct ontb_switchtec_config switchtec;
	struct ontb_vfio_user_config config;
	struct ontb_vfio_user_client_config mine = { .path = path, .ram_size = 4096, .timeout_ns = 20 * ONTB_NS_PER_S };
	struct ontb_bridge *bridge;
	unsigned int nth = 0, nr_files;
	int ret;

	(void)state;
	assert_non_null(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/port.sock", dir);
	mine.ram_fd = memfd_create("ram", MFD_CLOEXEC);
	assert_int_equal(ftruncate(mine.ram_fd, 4096), 0);
	ontb_switchtec_config_init(&switchtec);
	ontb_vfio_user_config_init(&config);
	assert_int_equal(ontb_switchtec_new(&switchtec, &bridge), 0);
	assert_int_equal(ontb_vfio_user_server_new(&config, &server), 0);
	assert_int_equal(ontb_vfio_user_server_add_port(server, path, ontb_bridge_func(bridge, 0)), 0);
	nr_files = inject_nr_open_files();
	for (;; nth++) {
		pthread_t thread;
		bool failed;

		run_server(&thread);
		inject_arm(nth);
		ret = ontb_vfio_user_client_new(&mine, &client);
		failed = inject_disarm();
		if (!failed)
			ontb_vfio_user_client_free(client);
		stop_server(thread);
		if (!failed)
			break;
		assert_true(ret < 0);
		assert_ptr_equal(client, untouched);
		assert_int_equal(inject_nr_open_files(), nr_files);
	}
	assert_int_equal(ret, 0);
	/* Itself, its socket and thread, an eventfd for the kick and one for each of 4 vectors, their table, their epoll and its
	 * entries, the thread of events. */
	assert_in_range(nth, 12, 24);
	ontb_vfio_user_server_free(server);
	ontb_bridge_free(bridge);
	(void)close(mine.ram_fd);
	assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(client_undoes_what_it_made),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
