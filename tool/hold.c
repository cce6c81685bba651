// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Staying until a signal.
 */
#include "tool/hold.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "tool/socket_dir.h"
#include "tool/verbs.h"

static void fill(sigset_t *set)
{
	(void)sigemptyset(set);
	(void)sigaddset(set, SIGTERM);
	(void)sigaddset(set, SIGINT);
	(void)sigaddset(set, SIGHUP);
}

void ontb_hold_block_signals(void)
{
	sigset_t set;

	fill(&set);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
}

static int wait_for_signal(struct ontb_control *control, const char *ready)
{
	sigset_t set;
	int signal_fd;

	fill(&set);
	signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (signal_fd < 0)
		return -errno;
	puts(ready);
	(void)fflush(stdout);
	for (;;) {
		struct pollfd fds[] = {
			{ .fd = signal_fd, .events = POLLIN },
			{ .fd = control ? ontb_control_fd(control) : -1, .events = POLLIN },
		};

		if (poll(fds, ONTB_ARRAY_SIZE(fds), -1) < 0 && errno != EINTR)
			break;
		if (fds[0].revents)
			break;
		if (fds[1].revents)
			ontb_control_dispatch(control);
	}
	(void)close(signal_fd);
	return 0;
}

int ontb_hold(const char *socket_dir, ontb_control_handler *handler, void *arg, const char *ready)
{
	char path[ONTB_SOCKET_PATH_SIZE];
	struct ontb_control *control;
	struct ontb_socket_dir dir;
	int ret;

	if (!socket_dir)
		return wait_for_signal(NULL, ready);
	ret = ontb_socket_dir_open(&dir, socket_dir, 0600);
	if (ret)
		return ret;
	ret = ontb_socket_dir_control_path(dir.path, path, sizeof(path));
	if (!ret)
		ret = ontb_control_new(path, 0600, handler, arg, &control);
	if (ret) {
		ontb_tool_error("control socket %s: cannot listen on it: %s", path, strerrordesc_np(-ret));
	} else {
		ret = wait_for_signal(control, ready);
		ontb_control_free(control);
	}
	ontb_socket_dir_close(&dir);
	return ret;
}
