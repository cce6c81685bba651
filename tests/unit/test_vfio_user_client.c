// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * The client against the real server: two hosts made of memory, whose functions are behind sockets.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <openntb/switchtec.h>
#include <openntb/vfio_user.h>
#include <openntb/vfio_user_client.h>

#include "base/annotate.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/log.h"

#define RAM_BASE    0x40000000ULL
#define RAM_SIZE    (1U << 20)
#define IRQ_BASE    0xfee00000ULL
#define DBMSG(p)    (0x74000ULL + 0x4000 * (p))
#define CTRL(p)	    (0x14000ULL + 0x2000 * (p))
#define DEADLINE_NS (20 * ONTB_NS_PER_S)

/**
 * struct host - a host made of memory
 * @ram:     Shared with the server.
 * @fd:      Behind @ram.
 * @client:  Its function.
 * @func:    The same.
 * @vectors: How often each was raised.
 * @addr:    Last write to interrupt addresses; @data its value.
 * @data:    .
 * @event:   Posted at each of both.
 */
struct host {
	uint8_t *ram;
	int fd;
	struct ontb_vfio_user_client *client;
	struct ontb_func *func;
	_Atomic unsigned int vectors[8];
	_Atomic uint64_t addr;
	_Atomic uint32_t data;
	sem_t event;
};

struct rig {
	char dir[32];
	char paths[2][64];
	struct ontb_bridge *bridge;
	struct ontb_vfio_user_server *server;
	pthread_t dispatcher;
	_Atomic bool stop;
	struct host hosts[2];
};

static int mem_write(void *arg, unsigned int source, uint64_t addr, const void *buf, size_t len)
{
	struct host *host = arg;

	(void)source;
	if (addr < IRQ_BASE || len != 4)
		return -EFAULT;
	atomic_store(&host->data, ontb_get_le32(buf));
	atomic_store(&host->addr, addr);
	(void)sem_post(&host->event);
	return 0;
}

static int mem_read(void *arg, uint64_t addr, struct ontb_read *read)
{
	(void)arg;
	(void)addr;
	(void)read;
	return -EFAULT;
}

static void raise_vector(void *arg, unsigned int vector)
{
	struct host *host = arg;

	atomic_fetch_add(&host->vectors[vector], 1);
	(void)sem_post(&host->event);
}

static void clear_vectors(void *arg)
{
	(void)arg;
}

static bool vector_pending(void *arg, unsigned int vector)
{
	(void)arg;
	(void)vector;
	return false;
}

static const struct ontb_host_ops host_ops = {
	.mem_write = mem_write,
	.mem_read = mem_read,
	.raise_vector = raise_vector,
	.clear_vectors = clear_vectors,
	.vector_pending = vector_pending,
};

static void *dispatch(void *arg)
{
	struct rig *rig = arg;

	while (!atomic_load(&rig->stop)) {
		struct pollfd fd = { .fd = ontb_vfio_user_server_fd(rig->server), .events = POLLIN };

		(void)poll(&fd, 1, 10);
		(void)ontb_vfio_user_server_dispatch(rig->server);
	}
	return NULL;
}

static uint64_t get(struct host *host, unsigned int bar, uint64_t offset, size_t len)
{
	uint8_t bytes[8] = { 0 };
	struct ontb_read read = { .buf = bytes, .len = len };

	assert_int_equal(host->func->ops->bar_read(host->func, bar, offset, &read), 0);
	return ontb_get_le64(bytes);
}

static void put(struct host *host, unsigned int bar, uint64_t offset, uint64_t value, size_t len)
{
	uint8_t bytes[8];

	ontb_put_le64(bytes, value);
	assert_int_equal(host->func->ops->bar_write(host->func, bar, offset, bytes, len), 0);
}

static void wait_event(struct host *host)
{
	uint64_t end = ontb_clock_ns() + DEADLINE_NS;
	struct timespec deadline = { .tv_sec = (time_t)(end / ONTB_NS_PER_S), .tv_nsec = (long)(end % ONTB_NS_PER_S) };

	assert_int_equal(sem_clockwait(&host->event, CLOCK_MONOTONIC, &deadline), 0);
}

static int connect_host(struct rig *rig, unsigned int p)
{
	struct host *host = &rig->hosts[p];
	const struct ontb_vfio_user_client_config config = { .path = rig->paths[p],
							     .ram_fd = host->fd,
							     .ram_base = RAM_BASE,
							     .ram_size = RAM_SIZE,
							     .timeout_ns = DEADLINE_NS };
	int ret = ontb_vfio_user_client_new(&config, &host->client);

	if (ret)
		return ret;
	host->func = ontb_vfio_user_client_func(host->client);
	return host->func->ops->attach(host->func, &host_ops, host);
}

static void command(struct host *host, uint16_t value)
{
	uint8_t bytes[2];

	ontb_put_le16(bytes, value);
	assert_int_equal(host->func->ops->config_write(host->func, 4, bytes, 2), 0);
}

static void disconnect_host(struct host *host)
{
	if (!host->client)
		return;
	host->func->ops->detach(host->func);
	ontb_vfio_user_client_free(host->client);
	host->client = NULL;
}

static int setup(void **state)
{
	struct rig *rig = calloc(1, sizeof(*rig));
	struct ontb_switchtec_config switchtec;
	struct ontb_vfio_user_config config;

	if (!rig)
		return -1;
	strcpy(rig->dir, "/tmp/ontb-unit-XXXXXX");
	if (!mkdtemp(rig->dir))
		return -1;
	ontb_switchtec_config_init(&switchtec);
	ontb_vfio_user_config_init(&config);
	if (ontb_switchtec_new(&switchtec, &rig->bridge) || ontb_vfio_user_server_new(&config, &rig->server))
		return -1;
	for (unsigned int p = 0; p < 2; p++) {
		struct host *host = &rig->hosts[p];

		(void)snprintf(rig->paths[p], sizeof(rig->paths[p]), "%s/port%u.sock", rig->dir, p);
		if (ontb_vfio_user_server_add_port(rig->server, rig->paths[p], ontb_bridge_func(rig->bridge, p)) < 0)
			return -1;
		host->fd = memfd_create("ram", MFD_CLOEXEC);
		if (host->fd < 0 || ftruncate(host->fd, RAM_SIZE))
			return -1;
		host->ram = mmap(NULL, RAM_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, host->fd, 0);
		if (host->ram == MAP_FAILED)
			return -1;
		(void)sem_init(&host->event, 0, 0);
	}
	if (pthread_create(&rig->dispatcher, NULL, dispatch, rig))
		return -1;
	*state = rig;
	return 0;
}

static int stop_server(struct rig *rig)
{
	int ret = 0;

	if (!rig->server)
		return 0;
	atomic_store(&rig->stop, true);
	ret = pthread_join(rig->dispatcher, NULL);
	ontb_vfio_user_server_free(rig->server);
	rig->server = NULL;
	return ret;
}

static int teardown(void **state)
{
	struct rig *rig = *state;
	int ret;

	for (unsigned int p = 0; p < 2; p++)
		disconnect_host(&rig->hosts[p]);
	ret = stop_server(rig);
	ontb_bridge_free(rig->bridge);
	for (unsigned int p = 0; p < 2; p++) {
		(void)munmap(rig->hosts[p].ram, RAM_SIZE);
		(void)close(rig->hosts[p].fd);
		(void)sem_destroy(&rig->hosts[p].event);
	}
	ret |= rmdir(rig->dir);
	free(rig);
	return ret;
}

static void connect_both(struct rig *rig)
{
	for (unsigned int p = 0; p < 2; p++) {
		assert_int_equal(connect_host(rig, p), 0);
		command(&rig->hosts[p], 6);
	}
}

static void function_is_described_as_the_server_has_it(void **state)
{
	struct rig *rig = *state;
	struct ontb_func *local = ontb_bridge_func(rig->bridge, 0);
	struct ontb_func_info mine, theirs;
	uint8_t id[4];

	assert_int_equal(connect_host(rig, 0), 0);
	local->ops->describe(local, &theirs);
	rig->hosts[0].func->ops->describe(rig->hosts[0].func, &mine);
	assert_int_equal(mine.config_size, theirs.config_size);
	assert_int_equal(mine.nr_vectors, theirs.nr_vectors);
	for (unsigned int b = 0; b < ONTB_NR_BARS; b++) {
		assert_int_equal(mine.bars[b].size, theirs.bars[b].size);
		assert_int_equal(mine.bars[b].is_64bit, theirs.bars[b].is_64bit);
		assert_int_equal(mine.bars[b].prefetchable, theirs.bars[b].prefetchable);
	}
	assert_int_equal(rig->hosts[0].func->ops->config_read(rig->hosts[0].func, 0, id, 4), 0);
	assert_int_equal(ontb_get_le32(id), 0x853211f8);
	assert_int_equal(rig->hosts[0].func->ops->config_read(rig->hosts[0].func, 4096, id, 1), -ERANGE);
}

static void register_access_goes_both_ways(void **state)
{
	struct rig *rig = *state;

	connect_both(rig);
	put(&rig->hosts[0], 0, DBMSG(0) + 0x1008, 0x0123456700000000, 8);
	assert_int_equal(get(&rig->hosts[0], 0, DBMSG(0) + 0x1008, 8), 0x0123456700000000);
	assert_int_equal(get(&rig->hosts[1], 0, DBMSG(0) + 0x100c, 4), 0x01234567);
}

static void doorbell_of_one_host_is_a_vector_of_the_other(void **state)
{
	struct rig *rig = *state;

	connect_both(rig);
	put(&rig->hosts[1], 0, DBMSG(1) + 0x1018, 1ULL << 32, 8);
	put(&rig->hosts[1], 0, DBMSG(1) + 0x1020 + 32, 3, 1);
	(void)get(&rig->hosts[1], 0, DBMSG(1) + 0x1018, 8);
	put(&rig->hosts[0], 0, DBMSG(0) + 0x1008, 1ULL << 32, 8);
	put(&rig->hosts[0], 0, DBMSG(0) + 0x1000, 1ULL << 32, 8);
	wait_event(&rig->hosts[1]);
	assert_int_equal(atomic_load(&rig->hosts[1].vectors[3]), 1);
	assert_int_equal(atomic_load(&rig->hosts[0].vectors[3]), 0);
}

/* Host 1 opens the window of host 0 in @bar onto an address of its own, as its driver does. */
static void open_direct(struct rig *rig, uint64_t addr, uint64_t size)
{
	struct host *host = &rig->hosts[1];

	put(host, 0, CTRL(0) + 4, 1, 4);
	assert_int_equal(get(host, 0, CTRL(0), 4) & 0xffff, 2);
	put(host, 0, CTRL(0) + 0x40 + 64, 0x11, 4);
	put(host, 0, CTRL(0) + 0x44 + 64, (uint32_t)size | (uint32_t)__builtin_ctzll(size), 4);
	put(host, 0, CTRL(0) + 0xa0 + 64, 0, 4);
	put(host, 0, CTRL(0) + 0x48 + 64, addr | 1, 8);
	put(host, 0, CTRL(0) + 4, 2, 4);
	assert_int_equal(get(host, 0, CTRL(0), 4) & 0xffff, 1);
}

static void window_reaches_the_memory_of_the_other_host(void **state)
{
	struct rig *rig = *state;
	uint8_t *far = rig->hosts[1].ram + 0x10000;

	connect_both(rig);
	open_direct(rig, RAM_BASE + 0x10000, 0x10000);
	put(&rig->hosts[0], 4, 0x20, 0x1122334455667788, 8);
	assert_int_equal(get(&rig->hosts[0], 4, 0x20, 8), 0x1122334455667788);
	assert_int_equal(__atomic_load_n((uint64_t *)(void *)(far + 0x20), __ATOMIC_ACQUIRE), 0x1122334455667788);
	assert_int_equal(get(&rig->hosts[0], 4, 0x10000, 4), 0xffffffff);
}

static void message_through_a_window_is_a_write_to_the_other_hosts_interrupt_address(void **state)
{
	struct rig *rig = *state;

	connect_both(rig);
	open_direct(rig, IRQ_BASE, 0x10000);
	put(&rig->hosts[0], 4, 0x1000, 0x4123, 4);
	wait_event(&rig->hosts[1]);
	assert_int_equal(atomic_load(&rig->hosts[1].addr), IRQ_BASE + 0x1000);
	assert_int_equal(atomic_load(&rig->hosts[1].data), 0x4123);
}

static void *reader(void *arg)
{
	struct host *host = arg;
	uintptr_t nr_wrong = 0;

	for (unsigned int i = 0; i < 500; i++) {
		uint8_t bytes[4];
		struct ontb_read read = { .buf = bytes, .len = 4 };

		(void)host->func->ops->bar_read(host->func, 0, 0x2000, &read);
		nr_wrong += ontb_get_le32(bytes) != 0x8532;
	}
	return (void *)nr_wrong;
}

static void many_threads_read_at_once(void **state)
{
	struct rig *rig = *state;
	pthread_t threads[4];

	connect_both(rig);
	for (size_t i = 0; i < ONTB_ARRAY_SIZE(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, reader, &rig->hosts[0]), 0);
	for (size_t i = 0; i < ONTB_ARRAY_SIZE(threads); i++) {
		void *nr_wrong;

		assert_int_equal(pthread_join(threads[i], &nr_wrong), 0);
		assert_null(nr_wrong);
	}
}

static void host_can_leave_and_come_back(void **state)
{
	struct rig *rig = *state;

	for (unsigned int round = 0; round < 3; round++) {
		connect_both(rig);
		assert_int_equal(get(&rig->hosts[0], 0, 0x2000, 4), 0x8532);
		disconnect_host(&rig->hosts[0]);
		disconnect_host(&rig->hosts[1]);
	}
}

static void second_host_is_refused(void **state)
{
	struct rig *rig = *state;
	struct ontb_func *func;

	connect_both(rig);
	func = rig->hosts[0].func;
	assert_int_equal(func->ops->attach(func, &host_ops, &rig->hosts[0]), -EBUSY);
	assert_int_equal(get(&rig->hosts[0], 0, 0x2000, 4), 0x8532);
}

static void nobody_listens(void **state)
{
	const struct ontb_vfio_user_client_config config = { .path = "/tmp/ontb-unit-nobody",
							     .ram_fd = -1,
							     .timeout_ns = 1 };
	struct ontb_vfio_user_client *client = NULL;

	(void)state;
	assert_int_equal(ontb_vfio_user_client_new(&config, &client), -ENOENT);
	assert_null(client);
	ontb_vfio_user_client_free(NULL);
}

static void quiet(void *arg, enum ontb_log_level level, const char *line)
{
	(void)level;
	(void)line;
	atomic_fetch_add((_Atomic unsigned int *)arg, 1);
}

/* A server that listens, and what it does with a connection. */
struct liar {
	int listener;
	const uint8_t *bytes;
	size_t len;
};

static void *lie(void *arg)
{
	const struct liar *liar = arg;
	int sock = accept(liar->listener, NULL, NULL);
	uint8_t buf[4096];

	(void)!recv(sock, buf, sizeof(buf), 0);
	if (liar->len)
		(void)!send(sock, liar->bytes, liar->len, MSG_NOSIGNAL);
	/* Until the client leaves. */
	while (liar->len && recv(sock, buf, sizeof(buf), 0) > 0)
		;
	(void)close(sock);
	return NULL;
}

static int meet_liar(struct rig *rig, const uint8_t *bytes, size_t len)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct ontb_vfio_user_client_config config = { .ram_fd = rig->hosts[0].fd,
						       .ram_base = RAM_BASE,
						       .ram_size = RAM_SIZE,
						       .timeout_ns = 200 * ONTB_NS_PER_MS };
	struct ontb_vfio_user_client *client = NULL;
	struct liar liar = { .bytes = bytes, .len = len };
	pthread_t thread;
	int ret;

	(void)snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/liar.sock", rig->dir);
	config.path = addr.sun_path;
	liar.listener = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(liar.listener, (const struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(liar.listener, 1), 0);
	assert_int_equal(pthread_create(&thread, NULL, lie, &liar), 0);
	ret = ontb_vfio_user_client_new(&config, &client);
	assert_null(client);
	assert_int_equal(pthread_join(thread, NULL), 0);
	(void)close(liar.listener);
	(void)unlink(addr.sun_path);
	return ret;
}

static void lying_server_is_an_error_not_a_hang(void **state)
{
	static const struct {
		uint8_t bytes[64];
		size_t len;
		int err;
	} rows[] = {
		/* It hangs up. */
		{ .len = 0, .err = -ENOLINK },
		/* A header with a size below its own. */
		{ .bytes = { 1, 0, 1, 0, 15, 0, 0, 0, 1 }, .len = 16, .err = -ENOLINK },
		/* A size of 2 GiB. */
		{ .bytes = { 1, 0, 1, 0, 0, 0, 0, 0x80, 1 }, .len = 16, .err = -ENOLINK },
		/* A reply to another command. */
		{ .bytes = { 1, 0, 2, 0, 16, 0, 0, 0, 1 }, .len = 16, .err = -EPROTO },
		/* A version without a body. */
		{ .bytes = { 1, 0, 1, 0, 16, 0, 0, 0, 1 }, .len = 16, .err = -EPROTO },
		/* Version 7.0. */
		{ .bytes = { 1, 0, 1, 0, 20, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 7 }, .len = 20, .err = -EPROTO },
		/* An error: EACCES. */
		{ .bytes = { 1, 0, 1, 0, 16, 0, 0, 0, 0x21, 0, 0, 0, 13 }, .len = 16, .err = -EACCES },
		/* An error that is none. */
		{ .bytes = { 1, 0, 1, 0, 16, 0, 0, 0, 0x21 }, .len = 16, .err = -EPROTO },
		/* Half a header, then nothing. */
		{ .bytes = { 1, 0, 1 }, .len = 3, .err = -ETIMEDOUT },
		/* A reply that nobody waits for, then nothing. */
		{ .bytes = { 9, 0, 1, 0, 16, 0, 0, 0, 1 }, .len = 16, .err = -ETIMEDOUT },
	};
	struct rig *rig = *state;
	_Atomic unsigned int nr_lines = 0;

	ontb_log_set_sink(quiet, &nr_lines);
	for (size_t i = 0; i < ONTB_ARRAY_SIZE(rows); i++) {
		int ret = meet_liar(rig, rows[i].bytes, rows[i].len);

		if (ret != rows[i].err)
			print_error("row %zu: %d\n", i, ret);
		assert_int_equal(ret, rows[i].err);
	}
	ontb_log_set_sink(NULL, NULL);
	assert_true(atomic_load(&nr_lines) >= ONTB_ARRAY_SIZE(rows));
}

static void lost_server_reads_as_all_ones(void **state)
{
	struct rig *rig = *state;
	_Atomic unsigned int nr_lines = 0;
	uint64_t end = ontb_clock_ns() + DEADLINE_NS;
	uint8_t id[4];

	connect_both(rig);
	ontb_log_set_sink(quiet, &nr_lines);
	assert_int_equal(stop_server(rig), 0);
	assert_int_equal(get(&rig->hosts[0], 0, 0x2000, 4), 0xffffffff);
	assert_int_equal(rig->hosts[0].func->ops->config_read(rig->hosts[0].func, 0, id, 4), 0);
	assert_int_equal(ontb_get_le32(id), 0xffffffff);
	put(&rig->hosts[0], 0, DBMSG(0) + 0x1008, 1, 8);
	while (ontb_vfio_user_client_is_alive(rig->hosts[1].client))
		assert_true(ontb_clock_ns() < end);
	disconnect_host(&rig->hosts[0]);
	disconnect_host(&rig->hosts[1]);
	ontb_log_set_sink(NULL, NULL);
	/* One line for each host. */
	assert_int_equal(atomic_load(&nr_lines), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(function_is_described_as_the_server_has_it, setup, teardown),
		cmocka_unit_test_setup_teardown(register_access_goes_both_ways, setup, teardown),
		cmocka_unit_test_setup_teardown(doorbell_of_one_host_is_a_vector_of_the_other, setup, teardown),
		cmocka_unit_test_setup_teardown(window_reaches_the_memory_of_the_other_host, setup, teardown),
		cmocka_unit_test_setup_teardown(
			message_through_a_window_is_a_write_to_the_other_hosts_interrupt_address, setup, teardown),
		cmocka_unit_test_setup_teardown(many_threads_read_at_once, setup, teardown),
		cmocka_unit_test_setup_teardown(host_can_leave_and_come_back, setup, teardown),
		cmocka_unit_test_setup_teardown(second_host_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(lying_server_is_an_error_not_a_hang, setup, teardown),
		cmocka_unit_test_setup_teardown(lost_server_reads_as_all_ones, setup, teardown),
		cmocka_unit_test(nobody_listens),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
