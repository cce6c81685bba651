// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Constructors of the command with each of their calls failing: the error comes back, the result is not touched, no
 * descriptor and no file is left, and without a fault they succeed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "../fault/inject.h"
#include "tool/control.h"
#include "tool/socket_dir.h"
#include "tool/trace_reader.h"
#include "tool/verbs.h"

#define MAX_CALLS 100U

/* Stands in for the one in tool/main.c: what it says is looked at in test_serve.py. */
void ontb_tool_error(const char *fmt, ...)
{
	(void)fmt;
}

static char folder[] = "/tmp/ontb-fault-XXXXXX";
static char path[64];

/* An operation: returns 0 or an error, and has undone itself. */
typedef int attempt_fn(void);

/* Puts something into the way before each attempt. */
typedef void prepare_fn(void);

static void fail_each_call(prepare_fn *prepare, attempt_fn *attempt, unsigned int min_calls)
{
	unsigned int nr_files = inject_nr_open_files(), nth;

	for (nth = 0; nth < MAX_CALLS; nth++) {
		bool failed;
		int ret;

		if (prepare)
			prepare();
		inject_arm(nth);
		ret = attempt();
		failed = inject_disarm();
		if (failed != (ret != 0))
			fail_msg("call %u, %s: failed %d, but the operation returned %d", nth, inject_failed_call(),
				 failed, ret);
		if (!access(path, F_OK))
			fail_msg("%s is left after %s failed", path, inject_failed_call());
		if (inject_nr_open_files() != nr_files)
			fail_msg("a descriptor is left open after %s failed", inject_failed_call());
		if (!failed)
			break;
	}
	assert_in_range(nth, min_calls, MAX_CALLS - 1);
}

static struct json_object *say_yes(void *arg, struct json_object *request, uint64_t *left)
{
	struct json_object *reply = json_object_new_object();

	(void)arg;
	(void)request;
	(void)left;
	if (reply)
		json_object_object_add(reply, "ok", json_object_new_boolean(true));
	return reply;
}

static int attempt_control(void)
{
	struct ontb_control *control = NULL;
	int ret = ontb_control_new(path, 0600, say_yes, NULL, &control);

	assert_true(ret ? !control : !!control);
	ontb_control_free(control);
	return ret;
}

/* A name that nobody listens on any more. */
static void leave_stale_socket(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	assert_true(fd >= 0);
	memcpy(addr.sun_path, path, strlen(path));
	assert_int_equal(bind(fd, (const struct sockaddr *)&addr, sizeof(addr)), 0);
	(void)close(fd);
}

/* What fails before the old name is looked at leaves it there. */
static int attempt_control_over_stale(void)
{
	int ret = attempt_control();

	(void)unlink(path);
	return ret;
}

static int attempt_socket_dir(void)
{
	struct ontb_socket_dir dir = { .fd = -7 };
	int ret = ontb_socket_dir_open(&dir, path, 0600);

	if (ret)
		assert_int_equal(dir.fd, -7);
	else
		ontb_socket_dir_close(&dir);
	return ret;
}

static int attempt_trace_reader(void)
{
	struct ontb_trace_reader *reader = NULL;
	int ret = ontb_trace_reader_new(stdin, &reader);

	assert_true(ret ? !reader : !!reader);
	ontb_trace_reader_free(reader);
	return ret;
}

static void control_socket_fails_cleanly(void **state)
{
	(void)state;
	fail_each_call(NULL, attempt_control, 6);
}

static void control_socket_over_a_stale_one_fails_cleanly(void **state)
{
	(void)state;
	fail_each_call(leave_stale_socket, attempt_control_over_stale, 7);
}

static void socket_folder_fails_cleanly(void **state)
{
	(void)state;
	fail_each_call(NULL, attempt_socket_dir, 2);
}

static void trace_reader_fails_cleanly(void **state)
{
	(void)state;
	fail_each_call(NULL, attempt_trace_reader, 1);
}

static void free_functions_accept_null(void **state)
{
	(void)state;
	ontb_control_free(NULL);
	ontb_trace_reader_free(NULL);
}

/* A client whose reply cannot be made for lack of memory is dropped, and the next one is served. */
static void out_of_memory_while_answering_costs_one_client(void **state)
{
	static const char request[] = "{\"request\":\"status\"}\n";
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	unsigned int nr_files, nth, nr_dropped = 0;
	struct ontb_control *control;
	bool failed = true;

	(void)state;
	assert_int_equal(ontb_control_new(path, 0600, say_yes, NULL, &control), 0);
	memcpy(addr.sun_path, path, strlen(path));
	nr_files = inject_nr_open_files();
	for (nth = 0; failed && nth < MAX_CALLS; nth++) {
		int fd = socket(AF_UNIX, SOCK_STREAM, 0);
		char reply[256];
		ssize_t got;

		assert_int_equal(connect(fd, (const struct sockaddr *)&addr, sizeof(addr)), 0);
		assert_int_equal(send(fd, request, strlen(request), 0), strlen(request));
		inject_arm(nth);
		ontb_control_dispatch(control);
		ontb_control_dispatch(control);
		failed = inject_disarm();
		got = recv(fd, reply, sizeof(reply), MSG_DONTWAIT);
		/* Dropped before the request was read: a reset; after it: the end. Never nothing. */
		assert_true(got >= 0 || errno == ECONNRESET);
		nr_dropped += got <= 0;
		if (!failed)
			assert_true(got > 0);
		(void)close(fd);
		ontb_control_dispatch(control);
		assert_int_equal(inject_nr_open_files(), nr_files);
	}
	/* At least: watching the connection, and room for the reply. */
	assert_true(nr_dropped >= 2);
	assert_in_range(nth, 3, MAX_CALLS - 1);
	ontb_control_free(control);
}

static void drop_line(void *arg, enum ontb_log_level level, const char *line)
{
	(void)arg;
	(void)level;
	(void)line;
}

static int make_folder(void **state)
{
	(void)state;
	ontb_log_set_sink(drop_line, NULL);
	if (!mkdtemp(folder))
		return -1;
	(void)snprintf(path, sizeof(path), "%s/x", folder);
	return 0;
}

static int remove_folder(void **state)
{
	(void)state;
	return rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(control_socket_fails_cleanly),
		cmocka_unit_test(control_socket_over_a_stale_one_fails_cleanly),
		cmocka_unit_test(socket_folder_fails_cleanly),
		cmocka_unit_test(trace_reader_fails_cleanly),
		cmocka_unit_test(free_functions_accept_null),
		cmocka_unit_test(out_of_memory_while_answering_costs_one_client),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
