// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * The client's connection to a server that is slow, stopped, or lies: nothing takes longer than the time-out says.
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
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "vfio_user/client/call.h"

/* A test that waits longer than this hangs. It is much more than the time-outs, because the machine may be busy. */
#define DEADLINE_NS (20 * ONTB_NS_PER_S)
#define TIMEOUT_NS  (200 * ONTB_NS_PER_MS)
/* Where the server's answer has to come within half of it. */
#define LONG_TIMEOUT_NS ONTB_NS_PER_S

/**
 * struct rig - a connection and the other end of it, which the test plays
 * @addr:     Where the server listens.
 * @listener: Its socket.
 * @server:   The other end.
 * @calls:    The connection.
 * @ended:    Posted by a thread that ends.
 * @line:     What was logged last.
 */
struct rig {
	struct sockaddr_un addr;
	int listener;
	int server;
	struct ontb_calls calls;
	sem_t ended;
	char line[256];
};

static void note_line(void *arg, enum ontb_log_level level, const char *line)
{
	struct rig *rig = arg;

	(void)level;
	(void)snprintf(rig->line, sizeof(rig->line), "%s", line);
}

static int ignore_command(void *arg, const struct ontb_wire_hdr *hdr, const uint8_t *body, size_t len)
{
	(void)arg;
	(void)hdr;
	(void)body;
	(void)len;
	return 0;
}

static int setup(void **state)
{
	struct rig *rig = calloc(1, sizeof(*rig));

	if (!rig)
		return -1;
	rig->addr.sun_family = AF_UNIX;
	(void)snprintf(rig->addr.sun_path, sizeof(rig->addr.sun_path), "/tmp/ontb-unit-call-%d", (int)getpid());
	rig->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (rig->listener < 0 || bind(rig->listener, (const struct sockaddr *)&rig->addr, sizeof(rig->addr)) ||
	    listen(rig->listener, 0))
		return -1;
	(void)sem_init(&rig->ended, 0, 0);
	ontb_log_set_sink(note_line, rig);
	if (ontb_calls_open(&rig->calls, rig->addr.sun_path, TIMEOUT_NS, ignore_command, rig))
		return -1;
	rig->server = accept(rig->listener, NULL, NULL);
	*state = rig;
	return rig->server < 0 ? -1 : 0;
}

static int teardown(void **state)
{
	struct rig *rig = *state;

	(void)close(rig->server);
	ontb_calls_close(&rig->calls);
	ontb_log_set_sink(NULL, NULL);
	(void)sem_destroy(&rig->ended);
	(void)close(rig->listener);
	(void)unlink(rig->addr.sun_path);
	free(rig);
	return 0;
}

static void *post_until_it_fails(void *arg)
{
	static const uint8_t data[65536];
	const struct ontb_call_msg msg = { .cmd = ONTB_WIRE_REGION_WRITE, .data = data, .data_len = sizeof(data) };
	struct rig *rig = arg;

	while (!ontb_calls_post(&rig->calls, &msg))
		;
	(void)sem_post(&rig->ended);
	return NULL;
}

/* Join a thread, which must end. */
static uintptr_t join(struct rig *rig, pthread_t thread)
{
	uint64_t end = ontb_clock_ns() + DEADLINE_NS;
	struct timespec deadline = { .tv_sec = (time_t)(end / ONTB_NS_PER_S), .tv_nsec = (long)(end % ONTB_NS_PER_S) };
	void *result = NULL;

	assert_int_equal(sem_clockwait(&rig->ended, CLOCK_MONOTONIC, &deadline), 0);
	assert_int_equal(pthread_join(thread, &result), 0);
	return (uintptr_t)result;
}

static void posting_to_a_server_that_does_not_read_ends(void **state)
{
	struct rig *rig = *state;
	pthread_t threads[3];

	for (size_t i = 0; i < ONTB_ARRAY_SIZE(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, post_until_it_fails, rig), 0);
	for (size_t i = 0; i < ONTB_ARRAY_SIZE(threads); i++)
		(void)join(rig, threads[i]);
	assert_true(atomic_load(&rig->calls.is_dead));
	assert_non_null(strstr(rig->line, "the server does not read"));
}

static void a_call_to_a_server_that_does_not_read_ends(void **state)
{
	static uint8_t data[1 << 20];
	const struct ontb_call_msg msg = { .cmd = ONTB_WIRE_REGION_WRITE, .data = data, .data_len = sizeof(data) };
	struct rig *rig = *state;
	uint64_t start_ns = ontb_clock_ns();

	assert_int_equal(ontb_calls_do(&rig->calls, &msg, NULL, 0), -ENOLINK);
	assert_true(ontb_clock_ns() - start_ns >= TIMEOUT_NS);
	assert_non_null(strstr(rig->line, "the server does not read"));
}

static void wait_until_full(const struct rig *rig)
{
	struct pollfd pfd = { .fd = rig->calls.sock, .events = POLLOUT };
	uint64_t end = ontb_clock_ns() + DEADLINE_NS;

	while (poll(&pfd, 1, 0)) {
		assert_true(ontb_clock_ns() < end);
		(void)usleep(1000);
	}
}

static void shutdown_ends_a_send_that_waits(void **state)
{
	struct rig *rig = *state;
	pthread_t thread;

	rig->calls.timeout_ns = 10 * DEADLINE_NS;
	assert_int_equal(pthread_create(&thread, NULL, post_until_it_fails, rig), 0);
	wait_until_full(rig);
	ontb_calls_shutdown(&rig->calls);
	(void)join(rig, thread);
}

static void *read_everything(void *arg)
{
	struct rig *rig = arg;
	static uint8_t buf[4096];
	uintptr_t nr_bytes = 0;
	ssize_t n;

	while ((n = recv(rig->server, buf, sizeof(buf), 0)) > 0) {
		nr_bytes += (uintptr_t)n;
		(void)usleep(10);
	}
	(void)sem_post(&rig->ended);
	return (void *)nr_bytes;
}

static void a_server_that_reads_slowly_gets_all_of_it(void **state)
{
	static uint8_t data[1 << 20];
	const struct ontb_call_msg msg = { .cmd = ONTB_WIRE_REGION_WRITE, .data = data, .data_len = sizeof(data) };
	struct rig *rig = *state;
	pthread_t thread;

	rig->calls.timeout_ns = DEADLINE_NS;
	assert_int_equal(pthread_create(&thread, NULL, read_everything, rig), 0);
	for (unsigned int i = 0; i < 4; i++)
		assert_int_equal(ontb_calls_post(&rig->calls, &msg), 0);
	ontb_calls_shutdown(&rig->calls);
	assert_int_equal(join(rig, thread), 4 * (sizeof(data) + ONTB_WIRE_HDR_SIZE));
}

/*
 * A server that answers everything but reads. A reset lets the answer to the last read out first.
 */
static void *answer_but_reads(void *arg)
{
	struct rig *rig = arg;
	uint8_t msg[64], reply[ONTB_WIRE_HDR_SIZE + 32];
	struct ontb_wire_hdr hdr, read = { 0 };

	while (recv(rig->server, msg, ONTB_WIRE_HDR_SIZE, MSG_WAITALL) == ONTB_WIRE_HDR_SIZE) {
		ontb_wire_hdr_get(msg, &hdr);
		if (hdr.size > ONTB_WIRE_HDR_SIZE)
			(void)recv(rig->server, msg, hdr.size - ONTB_WIRE_HDR_SIZE, MSG_WAITALL);
		if (hdr.cmd == ONTB_WIRE_REGION_READ) {
			read = hdr;
			continue;
		}
		memset(reply, 0, sizeof(reply));
		if (hdr.cmd == ONTB_WIRE_DEVICE_RESET) {
			ontb_wire_put_reply(reply, &read, 24);
			(void)send(rig->server, reply, ONTB_WIRE_HDR_SIZE + 24, MSG_NOSIGNAL);
		}
		ontb_wire_put_reply(reply, &hdr, hdr.size - ONTB_WIRE_HDR_SIZE);
		(void)send(rig->server, reply, hdr.size, MSG_NOSIGNAL);
	}
	(void)sem_post(&rig->ended);
	return (void *)(uintptr_t)read.id;
}

static int read_late(struct rig *rig)
{
	static const uint8_t body[ONTB_WIRE_REGION_RW_SIZE];
	const struct ontb_call_msg msg = {
		.cmd = ONTB_WIRE_REGION_READ, .body = body, .len = sizeof(body), .may_be_late = true
	};
	uint8_t reply[24];

	rig->calls.timeout_ns = LONG_TIMEOUT_NS;
	return ontb_calls_do(&rig->calls, &msg, reply, sizeof(reply));
}

static void a_late_read_is_not_the_end_of_a_server_that_answers(void **state)
{
	const struct ontb_call_msg reset = { .cmd = ONTB_WIRE_DEVICE_RESET };
	struct rig *rig = *state;
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, answer_but_reads, rig), 0);
	for (unsigned int i = 0; i < 2; i++) {
		assert_int_equal(read_late(rig), -ETIMEDOUT);
		assert_non_null(strstr(rig->line, "no reply to REGION_READ in time"));
		rig->line[0] = '\0';
		assert_int_equal(ontb_calls_do(&rig->calls, &reset, NULL, 0), 0);
		assert_false(atomic_load(&rig->calls.is_dead));
		/* The late answer is known for what it is. */
		assert_string_equal(rig->line, "");
	}
	ontb_calls_shutdown(&rig->calls);
	(void)join(rig, thread);
}

static void the_id_of_a_late_read_is_not_used_again(void **state)
{
	const struct ontb_call_msg reset = { .cmd = ONTB_WIRE_DEVICE_RESET };
	struct rig *rig = *state;
	uint16_t id;
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, answer_but_reads, rig), 0);
	rig->calls.last_id = UINT16_MAX - 1;
	assert_int_equal(read_late(rig), -ETIMEDOUT);
	id = UINT16_MAX;
	rig->calls.last_id = (uint16_t)(id - 1);
	/* Otherwise the answer to the read would be taken for that to the reset. */
	assert_int_equal(ontb_calls_do(&rig->calls, &reset, NULL, 0), 0);
	/* Nor is that of messages without a reply used. */
	assert_int_equal(rig->calls.last_id, 1);
	rig->calls.last_id = (uint16_t)(id - 1);
	assert_int_equal(read_late(rig), -ETIMEDOUT);
	ontb_calls_shutdown(&rig->calls);
	assert_int_equal(join(rig, thread), id);
}

static void a_late_read_is_the_end_of_a_server_that_is_silent(void **state)
{
	struct rig *rig = *state;
	uint64_t start_ns = ontb_clock_ns();

	assert_int_equal(read_late(rig), -ETIMEDOUT);
	assert_true(ontb_clock_ns() - start_ns >= LONG_TIMEOUT_NS);
	assert_true(atomic_load(&rig->calls.is_dead));
	assert_non_null(strstr(rig->line, "no reply in time"));
}

static void reads_that_are_never_answered_are_the_end_too(void **state)
{
	struct rig *rig = *state;
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, answer_but_reads, rig), 0);
	rig->calls.nr_late = ONTB_CALL_MAX_LATE - 1;
	assert_int_equal(read_late(rig), -ETIMEDOUT);
	assert_false(atomic_load(&rig->calls.is_dead));
	assert_int_equal(read_late(rig), -ETIMEDOUT);
	assert_true(atomic_load(&rig->calls.is_dead));
	assert_non_null(strstr(rig->line, "too many requests without a reply"));
	(void)join(rig, thread);
}

static void calls_fail_for_ever_once_the_connection_is_lost(void **state)
{
	const struct ontb_call_msg reset = { .cmd = ONTB_WIRE_DEVICE_RESET };
	struct rig *rig = *state;

	ontb_calls_shutdown(&rig->calls);
	/* More than there are ids. */
	for (unsigned int i = 0; i < ONTB_CALL_NR_IDS + 2; i++)
		assert_int_equal(ontb_calls_do(&rig->calls, &reset, NULL, 0), -ENOLINK);
}

static void connecting_to_a_server_that_does_not_accept_ends(void **state)
{
	struct rig *rig = *state;
	struct ontb_calls calls;
	int first = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	/* There is room for one that waits to be accepted. */
	assert_int_equal(connect(first, (const struct sockaddr *)&rig->addr, sizeof(rig->addr)), 0);
	(void)alarm(DEADLINE_NS / ONTB_NS_PER_S);
	assert_int_equal(ontb_calls_open(&calls, rig->addr.sun_path, TIMEOUT_NS, ignore_command, rig), -ETIMEDOUT);
	assert_int_equal(ontb_calls_open(&calls, rig->addr.sun_path, 1, ignore_command, rig), -ETIMEDOUT);
	(void)alarm(0);
	(void)close(first);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(posting_to_a_server_that_does_not_read_ends, setup, teardown),
		cmocka_unit_test_setup_teardown(a_call_to_a_server_that_does_not_read_ends, setup, teardown),
		cmocka_unit_test_setup_teardown(shutdown_ends_a_send_that_waits, setup, teardown),
		cmocka_unit_test_setup_teardown(a_server_that_reads_slowly_gets_all_of_it, setup, teardown),
		cmocka_unit_test_setup_teardown(a_late_read_is_not_the_end_of_a_server_that_answers, setup, teardown),
		cmocka_unit_test_setup_teardown(the_id_of_a_late_read_is_not_used_again, setup, teardown),
		cmocka_unit_test_setup_teardown(a_late_read_is_the_end_of_a_server_that_is_silent, setup, teardown),
		cmocka_unit_test_setup_teardown(reads_that_are_never_answered_are_the_end_too, setup, teardown),
		cmocka_unit_test_setup_teardown(calls_fail_for_ever_once_the_connection_is_lost, setup, teardown),
		cmocka_unit_test_setup_teardown(connecting_to_a_server_that_does_not_accept_ends, setup, teardown),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("vfio_user_call", tests, NULL, NULL);
}
