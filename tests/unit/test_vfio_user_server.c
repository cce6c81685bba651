// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * The server's own calls: limits, sockets and their paths.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <openntb/vfio_user.h>

#include "../wire/test_func.h"
#include "base/clock.h"
#include "base/log.h"

struct rig {
	char dir[32];
	char path[64];
	struct test_bridge *bridge;
	struct ontb_func *func;
	struct ontb_vfio_user_config config;
	struct ontb_vfio_user_server *server;
};

static int setup(void **state)
{
	struct rig *rig = calloc(1, sizeof(*rig));

	if (!rig)
		return -1;
	strcpy(rig->dir, "/tmp/ontb-unit-XXXXXX");
	if (!mkdtemp(rig->dir) || test_bridge_new(1, 4, &rig->bridge))
		return -1;
	(void)snprintf(rig->path, sizeof(rig->path), "%s/port.sock", rig->dir);
	rig->func = test_bridge_func(rig->bridge, 0);
	ontb_vfio_user_config_init(&rig->config);
	*state = rig;
	return ontb_vfio_user_server_new(&rig->config, &rig->server);
}

static int teardown(void **state)
{
	struct rig *rig = *state;
	int ret;

	ontb_vfio_user_server_free(rig->server);
	test_bridge_free(rig->bridge);
	ret = rmdir(rig->dir);
	free(rig);
	return ret;
}

static int connect_to(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(addr.sun_path, path);
	if (connect(fd, (const struct sockaddr *)&addr, sizeof(addr))) {
		close(fd);
		return -1;
	}
	return fd;
}

static bool exists(const char *path)
{
	struct stat st;

	return !lstat(path, &st);
}

static void limits_are_checked(void **state)
{
	struct ontb_vfio_user_server *server = NULL;
	struct ontb_vfio_user_config good, bad[14];
	size_t nr = 0;

	(void)state;
	ontb_vfio_user_config_init(&good);
	for (size_t i = 0; i < ONTB_ARRAY_SIZE(bad); i++)
		bad[i] = good;
	bad[nr++].max_data_xfer = 4095;
	bad[nr++].max_data_xfer = (16U << 20) + 1;
	bad[nr++].max_mappings = 0;
	bad[nr++].max_mappings = 65536;
	bad[nr++].write_quota = 3;
	bad[nr++].write_quota = (1U << 20) + 1;
	bad[nr++].completion_timeout_ns = ONTB_NS_PER_MS - 1;
	bad[nr++].completion_timeout_ns = 60 * ONTB_NS_PER_S + 1;
	bad[nr++].interrupt_base = UINT64_MAX;
	bad[nr++].interrupt_size = UINT64_MAX;
	bad[nr++].socket_mode = 01000;
	for (size_t i = 0; i < nr; i++) {
		assert_int_equal(ontb_vfio_user_server_new(&bad[i], &server), -EINVAL);
		assert_null(server);
	}
	good.interrupt_size = 0;
	good.interrupt_base = UINT64_MAX;
	good.max_data_xfer = 4096;
	good.write_quota = 4;
	assert_int_equal(ontb_vfio_user_server_new(&good, &server), 0);
	ontb_vfio_user_server_free(server);
	ontb_vfio_user_server_free(NULL);
}

static void socket_has_its_mode_whatever_the_umask(void **state)
{
	static const unsigned int modes[] = { 0600, 0660, 0666 }, masks[] = { 0, 022, 077 };
	struct rig *rig = *state;
	struct stat st;

	for (size_t m = 0; m < ONTB_ARRAY_SIZE(modes); m++) {
		for (size_t u = 0; u < ONTB_ARRAY_SIZE(masks); u++) {
			struct ontb_vfio_user_server *server;
			mode_t before;

			rig->config.socket_mode = modes[m];
			assert_int_equal(ontb_vfio_user_server_new(&rig->config, &server), 0);
			before = umask(masks[u]);
			assert_int_equal(ontb_vfio_user_server_add_port(server, rig->path, rig->func), 0);
			(void)umask(before);
			assert_int_equal(stat(rig->path, &st), 0);
			assert_true(S_ISSOCK(st.st_mode));
			assert_int_equal(st.st_mode & 0777, modes[m]);
			ontb_vfio_user_server_free(server);
			assert_false(exists(rig->path));
		}
	}
}

static void a_dead_socket_is_replaced_and_a_live_one_is_not(void **state)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct rig *rig = *state;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(addr.sun_path, rig->path);
	assert_int_equal(bind(fd, (const struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(ontb_vfio_user_server_add_port(rig->server, rig->path, rig->func), -EADDRINUSE);
	assert_true(exists(rig->path));
	close(fd);
	assert_int_equal(ontb_vfio_user_server_add_port(rig->server, rig->path, rig->func), 0);
	fd = connect_to(rig->path);
	assert_true(fd >= 0);
	close(fd);
}

static void what_is_no_socket_is_left_alone(void **state)
{
	struct rig *rig = *state;
	int fd = open(rig->path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, "x", 1), 1);
	close(fd);
	assert_int_equal(ontb_vfio_user_server_add_port(rig->server, rig->path, rig->func), -EEXIST);
	assert_true(exists(rig->path));
	assert_int_equal(unlink(rig->path), 0);
	assert_int_equal(symlink("/nonexistent", rig->path), 0);
	assert_int_equal(ontb_vfio_user_server_add_port(rig->server, rig->path, rig->func), -EEXIST);
	assert_int_equal(unlink(rig->path), 0);
}

static void impossible_paths_are_refused(void **state)
{
	struct rig *rig = *state;
	char path[200];

	memset(path, 'x', sizeof(path));
	path[108] = '\0';
	assert_int_equal(ontb_vfio_user_server_add_port(rig->server, path, rig->func), -ENAMETOOLONG);
	assert_int_equal(ontb_vfio_user_server_add_port(rig->server, "", rig->func), -EINVAL);
	assert_int_equal(ontb_vfio_user_server_add_port(rig->server, "/nonexistent/x", rig->func), -ENOENT);
}

static void a_path_that_is_somebody_elses_by_now_is_not_removed(void **state)
{
	struct rig *rig = *state;
	int fd;

	assert_int_equal(ontb_vfio_user_server_add_port(rig->server, rig->path, rig->func), 0);
	assert_int_equal(unlink(rig->path), 0);
	fd = open(rig->path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	close(fd);
	ontb_vfio_user_server_free(rig->server);
	rig->server = NULL;
	assert_true(exists(rig->path));
	assert_int_equal(unlink(rig->path), 0);
}

static void there_is_room_for_48_ports(void **state)
{
	struct ontb_vfio_user_status status;
	struct rig *rig = *state;
	char path[96];

	for (int i = 0; i < ONTB_MAX_PORTS; i++) {
		assert_int_equal(ontb_vfio_user_server_status(rig->server, (unsigned int)i, &status), -ERANGE);
		(void)snprintf(path, sizeof(path), "%s/%d", rig->dir, i);
		assert_int_equal(ontb_vfio_user_server_add_port(rig->server, path, rig->func), i);
		assert_int_equal(ontb_vfio_user_server_status(rig->server, (unsigned int)i, &status), 0);
		assert_false(status.connected);
		assert_string_equal(status.last_error, "");
	}
	assert_int_equal(ontb_vfio_user_server_add_port(rig->server, rig->path, rig->func), -ENOSPC);
	assert_false(exists(rig->path));
}

static void dispatching_without_work_returns_at_once(void **state)
{
	struct rig *rig = *state;

	assert_true(ontb_vfio_user_server_fd(rig->server) >= 0);
	assert_int_equal(ontb_vfio_user_server_dispatch(rig->server), 0);
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
		cmocka_unit_test(limits_are_checked),
		cmocka_unit_test_setup_teardown(socket_has_its_mode_whatever_the_umask, setup, teardown),
		cmocka_unit_test_setup_teardown(a_dead_socket_is_replaced_and_a_live_one_is_not, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_no_socket_is_left_alone, setup, teardown),
		cmocka_unit_test_setup_teardown(impossible_paths_are_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(a_path_that_is_somebody_elses_by_now_is_not_removed, setup, teardown),
		cmocka_unit_test_setup_teardown(there_is_room_for_48_ports, setup, teardown),
		cmocka_unit_test_setup_teardown(dispatching_without_work_returns_at_once, setup, teardown),
	};

	ontb_log_set_sink(no_log, NULL);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("vfio_user_server", tests, NULL, NULL);
}
