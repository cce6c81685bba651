// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Every constructor of the wire with each of its calls failing: the error comes back, the result is not touched, nothing is
 * left open, and the next attempt without a fault succeeds.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <openntb/vfio_user.h>

#include "../wire/test_func.h"
#include "base/log.h"
#include "inject.h"
#include "vfio_user/dma.h"
#include "vfio_user/irqs.h"
#include "vfio_user/reads.h"
#include "vfio_user/rx.h"
#include "vfio_user/tx.h"
#include "vfio_user/wire.h"

#define MAX_CALLS 200U

/* An operation: returns 0 or an error; undone by itself if it succeeds. */
typedef int attempt_fn(void *arg);

/*
 * Fail call 0, 1, 2 ... until the operation makes no more calls.
 */
static void fail_each_call(attempt_fn *attempt, void *arg, unsigned int min_calls)
{
	unsigned int nr_files = inject_nr_open_files(), nth;
	bool failed;
	int ret;

	for (nth = 0; nth < MAX_CALLS; nth++) {
		inject_arm(nth);
		ret = attempt(arg);
		failed = inject_disarm();
		if (failed && ret >= 0)
			fail_msg("call %u, %s, failed, but the operation succeeded", nth, inject_failed_call());
		if (!failed && ret < 0)
			fail_msg("no call failed, but the operation did: %d", ret);
		if (inject_nr_open_files() != nr_files)
			fail_msg("descriptors left open after %s failed", inject_failed_call());
		if (!failed)
			break;
	}
	assert_true(nth >= min_calls);
	assert_true(nth < MAX_CALLS);
}

static int attempt_rx(void *arg)
{
	struct ontb_rx rx;
	int ret;

	(void)arg;
	ret = ontb_rx_init(&rx, 1 << 20);
	if (!ret)
		ontb_rx_fini(&rx);
	return ret;
}

static int attempt_irqs(void *arg)
{
	struct ontb_irqs irqs;
	int ret;

	(void)arg;
	ret = ontb_irqs_init(&irqs, 8);
	if (!ret)
		ontb_irqs_fini(&irqs);
	return ret;
}

static int attempt_reads(void *arg)
{
	struct ontb_reads reads;
	int ret;

	(void)arg;
	ret = ontb_reads_init(&reads, 1000);
	if (!ret)
		ontb_reads_fini(&reads);
	return ret;
}

static int attempt_map(void *arg)
{
	const int *fd = arg;
	struct ontb_dma_range *range = NULL;
	const char *why = NULL;
	struct ontb_dma dma;
	int ret;

	ontb_dma_init(&dma, 4);
	ret = ontb_dma_range_new(ONTB_WIRE_MAP_F_READ, 0, 4096, *fd, 0, &why, &range);
	if (ret) {
		assert_null(range);
		assert_non_null(why);
		return ret;
	}
	ret = ontb_dma_reserve(&dma, &why);
	if (!ret)
		ret = ontb_dma_add(&dma, range, &why);
	if (ret) {
		assert_non_null(why);
		ontb_dma_range_free(range);
	}
	ontb_dma_fini(&dma);
	return ret;
}

static int attempt_server(void *arg)
{
	struct ontb_vfio_user_server *server = NULL;
	struct ontb_vfio_user_config config;
	int ret;

	(void)arg;
	ontb_vfio_user_config_init(&config);
	ret = ontb_vfio_user_server_new(&config, &server);
	if (ret)
		assert_null(server);
	ontb_vfio_user_server_free(server);
	return ret;
}

/* A directory, a server in it, functions. */
struct rig {
	char dir[64];
	char path[96];
	struct test_bridge *bridge;
	struct ontb_vfio_user_server *server;
};

static int set_up_server(struct rig *rig)
{
	struct ontb_vfio_user_config config;

	ontb_vfio_user_config_init(&config);
	return ontb_vfio_user_server_new(&config, &rig->server);
}

static int setup(void **state)
{
	struct rig *rig = calloc(1, sizeof(*rig));

	if (!rig)
		return -1;
	strcpy(rig->dir, "/tmp/ontb-fault-XXXXXX");
	if (!mkdtemp(rig->dir) || test_bridge_new(2, 4, &rig->bridge))
		return -1;
	(void)snprintf(rig->path, sizeof(rig->path), "%s/0.sock", rig->dir);
	*state = rig;
	return set_up_server(rig);
}

static int teardown(void **state)
{
	struct rig *rig = *state;

	ontb_vfio_user_server_free(rig->server);
	test_bridge_free(rig->bridge);
	(void)rmdir(rig->dir);
	free(rig);
	return 0;
}

static int attempt_port(void *arg)
{
	struct rig *rig = arg;
	int ret;

	ret = ontb_vfio_user_server_add_port(rig->server, rig->path, test_bridge_func(rig->bridge, 0));
	if (ret < 0) {
		assert_int_equal(access(rig->path, F_OK), -1);
		return ret;
	}
	inject_disarm();
	ontb_vfio_user_server_free(rig->server);
	assert_int_equal(set_up_server(rig), 0);
	return 0;
}

static void rx_fails_cleanly(void **state)
{
	(void)state;
	fail_each_call(attempt_rx, NULL, 1);
}

static void irqs_fail_cleanly(void **state)
{
	(void)state;
	fail_each_call(attempt_irqs, NULL, 1);
}

static void reads_fail_cleanly(void **state)
{
	(void)state;
	fail_each_call(attempt_reads, NULL, 1);
}

static void mapping_fails_cleanly(void **state)
{
	int fd = memfd_create("fault", MFD_CLOEXEC);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, 4096), 0);
	fail_each_call(attempt_map, &fd, 4);
	close(fd);
}

static void server_fails_cleanly(void **state)
{
	(void)state;
	fail_each_call(attempt_server, NULL, 6);
}

static void port_fails_cleanly(void **state)
{
	fail_each_call(attempt_port, *state, 7);
}

static int connect_to(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	strcpy(addr.sun_path, path);
	assert_int_equal(connect(fd, (const struct sockaddr *)&addr, sizeof(addr)), 0);
	return fd;
}

static int ask_version(int fd)
{
	uint8_t msg[20] = { 0 };
	const struct ontb_wire_hdr hdr = { .id = 1, .cmd = ONTB_WIRE_VERSION, .size = sizeof(msg) };

	ontb_wire_hdr_put(msg, &hdr);
	if (send(fd, msg, sizeof(msg), MSG_NOSIGNAL) != sizeof(msg))
		return -EPIPE;
	return recv(fd, msg, sizeof(msg), 0) == sizeof(msg) ? 0 : -EPIPE;
}

/* A client that cannot be served is told so by the end of its connection; the next one is served. */
static void accepting_fails_cleanly(void **state)
{
	struct rig *rig = *state;
	struct ontb_vfio_user_status status;
	struct pollfd pfd;
	unsigned int nth, nr_failed = 0;
	bool failed = true;
	int fd;

	assert_int_equal(ontb_vfio_user_server_add_port(rig->server, rig->path, test_bridge_func(rig->bridge, 0)), 0);
	for (nth = 0; failed; nth++) {
		assert_true(nth < MAX_CALLS);
		fd = connect_to(rig->path);
		inject_arm(nth);
		assert_int_equal(ontb_vfio_user_server_dispatch(rig->server), 0);
		failed = inject_disarm();
		nr_failed += failed;
		assert_int_equal(ontb_vfio_user_server_status(rig->server, 0, &status), 0);
		assert_int_equal(status.connected, !failed);
		assert_int_equal(ask_version(fd), failed ? -EPIPE : 0);
		close(fd);
	}
	assert_true(nr_failed >= 4);
	pfd = (struct pollfd){ .fd = ontb_vfio_user_server_fd(rig->server), .events = POLLIN };
	while (status.connected) {
		assert_int_equal(poll(&pfd, 1, 10000), 1);
		assert_int_equal(ontb_vfio_user_server_dispatch(rig->server), 0);
		assert_int_equal(ontb_vfio_user_server_status(rig->server, 0, &status), 0);
	}
}

static void count_flush(void *arg)
{
	(*(unsigned int *)arg)++;
}

/* When there is no memory to queue a reply, the client is disconnected: it must not wait for ever. */
static void queue_without_memory_disconnects(void **state)
{
	uint8_t msg[1024] = { 0 };
	const struct ontb_wire_hdr hdr = { .id = 1, .cmd = 9, .size = sizeof(msg), .flags = ONTB_WIRE_F_REPLY };
	unsigned int nr_wanted;
	struct ontb_tx tx;
	char byte;
	int socks[2];
	int ret;

	(void)state;
	ontb_wire_hdr_put(msg, &hdr);
	for (unsigned int nth = 0; nth < 2; nth++) {
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, socks), 0);
		nr_wanted = 0;
		ontb_tx_init(&tx, socks[0], 4, count_flush, &nr_wanted);
		inject_arm(nth);
		do {
			ret = ontb_tx_send(&tx, msg, sizeof(msg));
		} while (!ret);
		assert_true(inject_disarm());
		assert_int_equal(ret, -ENOMEM);
		assert_int_equal(ontb_tx_queued(&tx), 0);
		assert_int_equal(ontb_tx_send(&tx, msg, sizeof(msg)), -EPIPE);
		while (recv(socks[1], msg, sizeof(msg), 0) > 0)
			;
		assert_int_equal(recv(socks[1], &byte, 1, MSG_DONTWAIT), 0);
		ontb_wire_hdr_put(msg, &hdr);
		ontb_tx_fini(&tx);
		close(socks[0]);
		close(socks[1]);
	}
}

/* A posted write that finds no memory is dropped and reported; the connection goes on. */
static void posted_write_without_memory_is_dropped(void **state)
{
	unsigned int nr_wanted = 0;
	const uint32_t data = 7;
	struct ontb_tx tx;
	int socks[2], ret;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, socks), 0);
	ontb_tx_init(&tx, socks[0], 4, count_flush, &nr_wanted);
	inject_arm(0);
	do {
		ret = ontb_tx_dma_write(&tx, 0, 0xfee00000, &data, sizeof(data), true);
	} while (!ret);
	assert_true(inject_disarm());
	assert_int_equal(ret, -ENOBUFS);
	assert_int_equal(ontb_tx_dma_write(&tx, 0, 0xfee00000, &data, sizeof(data), true), 0);
	assert_int_equal(nr_wanted, 1);
	assert_int_equal(tx.nr_queued[0], 1);
	ontb_tx_fini(&tx);
	close(socks[0]);
	close(socks[1]);
}

static void no_log(void *arg, enum ontb_log_level level, const char *line)
{
	(void)arg;
	(void)level;
	(void)line;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		/* First: the SIGBUS handler is installed once per process, and that must have been seen to fail. */
		cmocka_unit_test(server_fails_cleanly),
		cmocka_unit_test(rx_fails_cleanly),
		cmocka_unit_test(irqs_fail_cleanly),
		cmocka_unit_test(reads_fail_cleanly),
		cmocka_unit_test(mapping_fails_cleanly),
		cmocka_unit_test_setup_teardown(port_fails_cleanly, setup, teardown),
		cmocka_unit_test_setup_teardown(accepting_fails_cleanly, setup, teardown),
		cmocka_unit_test(queue_without_memory_disconnects),
		cmocka_unit_test(posted_write_without_memory_is_dropped),
	};

	ontb_log_set_sink(no_log, NULL);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("vfio_user_fault", tests, NULL, NULL);
}
