// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * openntb serve: one thread waits for everything that is not an access of a guest.
 *
 * Guests' accesses never pass through here: the server has a thread for each client. This loop accepts and reaps clients,
 * answers the control socket, runs the bridge's timers and ends on a signal.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <json-c/json.h>
#include <openntb/bridge.h>
#include <openntb/error.h>
#include <openntb/switchtec.h>
#include <openntb/vfio_user.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/trace.h"
#include "tool/control.h"
#include "tool/log_sink.h"
#include "tool/notify.h"
#include "tool/serve_options.h"
#include "tool/socket_dir.h"
#include "tool/status_json.h"
#include "tool/verbs.h"

#define TRACE_FLUSH_MS 1000

enum source {
	SOURCE_SIGNAL,
	SOURCE_WAKE,
	SOURCE_TIMER,
	SOURCE_SERVER,
	SOURCE_CONTROL,
};

/**
 * struct serve - a running server
 * @options:   Command line.
 * @dir:       Folder of the sockets.
 * @trace:     Trace or NULL.
 * @bridge:    Bridge.
 * @server:    Server.
 * @control:   Control socket.
 * @start_ns:  When it started.
 * @epoll_fd:  Watches the next ones, @server and @control.
 * @signal_fd: Signals that end the process.
 * @wake_fd:   Written by any thread when the bridge has a new timer.
 * @timer_fd:  Expires when the bridge's next timer is due.
 *
 * Constant once everything runs; @wake_fd is all that other threads use.
 */
struct serve {
	struct ontb_serve_options options;
	struct ontb_socket_dir dir;
	struct ontb_trace *trace;
	struct ontb_bridge *bridge;
	struct ontb_vfio_user_server *server;
	struct ontb_control *control;
	uint64_t start_ns;
	int epoll_fd;
	int signal_fd;
	int wake_fd;
	int timer_fd;
};

static void wake(void *arg, uint64_t deadline_ns)
{
	struct serve *serve = arg;
	const uint64_t one = 1;
	ssize_t written;

	(void)deadline_ns;
	/* It fails only when the counter is at its end, and then the loop is awake anyway. */
	written = write(serve->wake_fd, &one, sizeof(one));
	(void)written;
}

static struct json_object *handle_request(void *arg, struct json_object *request, uint64_t *left)
{
	struct serve *serve = arg;
	const struct ontb_status_source source = {
		.bridge = serve->bridge,
		.server = serve->server,
		.socket_dir = serve->dir.path,
		.start_ns = serve->start_ns,
	};
	struct json_object *name;

	*left = 0;
	if (!json_object_object_get_ex(request, "request", &name) || !json_object_is_type(name, json_type_string))
		return ontb_control_error_reply("the request has no member \"request\" with a string");
	if (!strcmp(json_object_get_string(name), "status"))
		return ontb_status_json(&source);
	return ontb_control_error_reply("there is no such request; there is \"status\"");
}

static int watch(struct serve *serve, int fd, enum source source)
{
	struct epoll_event event = { .events = EPOLLIN, .data.u32 = source };

	return epoll_ctl(serve->epoll_fd, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

/* Signals must be blocked before the first thread starts, so that all threads inherit that. */
static int open_signals(struct serve *serve)
{
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGHUP);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	/* A client that goes away and a file that may not grow are errors of a call, not the end of the process. */
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGXFSZ, SIG_IGN);
	serve->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return serve->signal_fd < 0 ? -errno : 0;
}

/*
 * Each client holds sockets, eventfds and, for a moment, descriptors of its memory. The soft limit that most systems start
 * with, 1024, is there for programs that use select(); this one does not.
 */
static void raise_file_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur == limit.rlim_max)
		return;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit))
		ontb_log(ONTB_LOG_INFO, "serve: cannot raise the limit of open files: %s", strerrordesc_np(errno));
}

static void close_fds(struct serve *serve)
{
	const int fds[] = { serve->epoll_fd, serve->signal_fd, serve->wake_fd, serve->timer_fd };

	for (size_t i = 0; i < ONTB_ARRAY_SIZE(fds); i++) {
		if (fds[i] >= 0)
			(void)close(fds[i]);
	}
}

static int open_fds(struct serve *serve)
{
	int ret;

	serve->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	serve->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	serve->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	ret = serve->epoll_fd < 0 || serve->wake_fd < 0 || serve->timer_fd < 0 ? -errno : 0;
	if (!ret)
		ret = open_signals(serve);
	if (!ret)
		ret = watch(serve, serve->signal_fd, SOURCE_SIGNAL);
	if (!ret)
		ret = watch(serve, serve->wake_fd, SOURCE_WAKE);
	if (!ret)
		ret = watch(serve, serve->timer_fd, SOURCE_TIMER);
	if (ret)
		ontb_tool_error("serve: cannot set up the event loop: %s", strerrordesc_np(-ret));
	return ret;
}

static int open_trace(struct serve *serve)
{
	const char *path = serve->options.trace_path;
	int ret;

	if (!path)
		return 0;
	ret = ontb_trace_open(path, serve->options.bridge.nr_ports, &serve->trace);
	if (ret)
		ontb_tool_error("trace file %s: cannot write it: %s", path, strerrordesc_np(-ret));
	serve->options.bridge.trace = serve->trace;
	serve->options.wire.trace = serve->trace;
	return ret;
}

static int open_ports(struct serve *serve)
{
	int ret = ontb_vfio_user_server_new(&serve->options.wire, &serve->server);

	if (ret) {
		ontb_tool_error("serve: cannot start the server: %s", ontb_strerror(ret));
		return ret;
	}
	for (unsigned int i = 0; i < ontb_bridge_nr_ports(serve->bridge); i++) {
		char path[ONTB_SOCKET_PATH_SIZE];

		ret = ontb_socket_dir_port_path(serve->dir.path, i, path, sizeof(path));
		if (!ret)
			ret = ontb_vfio_user_server_add_port(serve->server, path, ontb_bridge_func(serve->bridge, i));
		if (ret < 0) {
			ontb_tool_error("socket %s: cannot listen on it: %s", path,
					ret == -EADDRINUSE ? "a live server listens there"
					: ret == -EEXIST   ? "there is a file that is no socket"
							   : ontb_strerror(ret));
			return ret;
		}
	}
	return watch(serve, ontb_vfio_user_server_fd(serve->server), SOURCE_SERVER);
}

static int open_control(struct serve *serve)
{
	char path[ONTB_SOCKET_PATH_SIZE];
	int ret = ontb_socket_dir_control_path(serve->dir.path, path, sizeof(path));

	if (!ret)
		ret = ontb_control_new(path, serve->options.wire.socket_mode, handle_request, serve, &serve->control);
	if (ret) {
		ontb_tool_error("control socket %s: cannot listen on it: %s", path,
				ret == -EADDRINUSE ? "a live server listens there"
				: ret == -EEXIST   ? "there is a file that is no socket"
						   : ontb_strerror(ret));
		return ret;
	}
	return watch(serve, ontb_control_fd(serve->control), SOURCE_CONTROL);
}

static void run_timers(struct serve *serve)
{
	struct itimerspec timer = { 0 };
	uint64_t count, deadline_ns;

	/* Whatever the two descriptors count, it is all done by looking at the timers once. */
	while (read(serve->wake_fd, &count, sizeof(count)) > 0 || read(serve->timer_fd, &count, sizeof(count)) > 0)
		;
	deadline_ns = ontb_bridge_run_timers(serve->bridge, ontb_clock_ns());
	if (deadline_ns != UINT64_MAX) {
		timer.it_value.tv_sec = (time_t)(deadline_ns / ONTB_NS_PER_S);
		timer.it_value.tv_nsec = (long)(deadline_ns % ONTB_NS_PER_S);
	}
	(void)timerfd_settime(serve->timer_fd, TFD_TIMER_ABSTIME, &timer, NULL);
}

/* True while the process is to go on. */
static bool handle_event(struct serve *serve, enum source source)
{
	struct signalfd_siginfo info;
	int ret;

	switch (source) {
	case SOURCE_SIGNAL:
		if (read(serve->signal_fd, &info, sizeof(info)) != sizeof(info))
			return true;
		ontb_log(ONTB_LOG_NOTICE, "serve: ending on signal %s", sigabbrev_np((int)info.ssi_signo));
		return false;
	case SOURCE_WAKE:
	case SOURCE_TIMER:
		run_timers(serve);
		return true;
	case SOURCE_SERVER:
		ret = ontb_vfio_user_server_dispatch(serve->server);
		if (ret)
			ontb_log(ONTB_LOG_ERROR, "serve: dispatching: %s", ontb_strerror(ret));
		return true;
	case SOURCE_CONTROL:
		ontb_control_dispatch(serve->control);
		return true;
	}
	return true;
}

static void run_loop(struct serve *serve)
{
	int timeout_ms = serve->trace ? TRACE_FLUSH_MS : -1;
	uint64_t flushed_ns = ontb_clock_ns();

	for (;;) {
		struct epoll_event events[SOURCE_CONTROL + 1];
		int nr_events = epoll_wait(serve->epoll_fd, events, ONTB_ARRAY_SIZE(events), timeout_ms);

		for (int i = 0; i < nr_events; i++) {
			if (!handle_event(serve, (enum source)events[i].data.u32))
				return;
		}
		if (serve->trace && ontb_clock_ns() - flushed_ns >= TRACE_FLUSH_MS * ONTB_NS_PER_MS) {
			ontb_trace_flush(serve->trace);
			flushed_ns = ontb_clock_ns();
		}
	}
}

static int say_ready(const struct serve *serve)
{
	unsigned int nr_ports = ontb_bridge_nr_ports(serve->bridge);
	char state[256];
	int ret;

	printf("ready: %s, %u ports at %s/port0.sock to port%u.sock, control socket %s/control.sock\n",
	       ontb_bridge_model_name(serve->bridge), nr_ports, serve->dir.path, nr_ports - 1, serve->dir.path);
	if (fflush(stdout)) {
		ontb_tool_error("cannot write to standard output: %s", strerrordesc_np(errno));
		return -EIO;
	}
	(void)snprintf(state, sizeof(state), "READY=1\nSTATUS=%u ports in %s\n", nr_ports, serve->dir.path);
	ret = ontb_notify_send(state);
	if (ret)
		ontb_log(ONTB_LOG_WARNING, "serve: cannot tell the service manager: %s", ontb_strerror(ret));
	return 0;
}

static int run(struct serve *serve)
{
	int ret = open_trace(serve);

	if (!ret) {
		serve->options.bridge.wake = wake;
		serve->options.bridge.wake_arg = serve;
		ret = ontb_switchtec_new(&serve->options.bridge, &serve->bridge);
		if (ret)
			ontb_tool_error("serve: cannot build the bridge: %s", ontb_strerror(ret));
	}
	if (!ret)
		ret = open_ports(serve);
	if (!ret)
		ret = open_control(serve);
	if (!ret)
		ret = say_ready(serve);
	if (!ret) {
		run_loop(serve);
		(void)ontb_notify_send("STOPPING=1\n");
	}
	ontb_control_free(serve->control);
	ontb_vfio_user_server_free(serve->server);
	if (serve->bridge)
		ontb_bridge_free(serve->bridge);
	ontb_trace_close(serve->trace);
	return ret;
}

enum ontb_exit ontb_cmd_serve(int argc, char **argv)
{
	struct serve serve = { .epoll_fd = -1, .signal_fd = -1, .wake_fd = -1, .timer_fd = -1 };
	enum ontb_exit status;
	int ret;

	status = ontb_serve_options_parse(argc, argv, &serve.options);
	if (status != ONTB_EXIT_OK)
		return status;
	if (serve.options.is_help) {
		ontb_serve_options_print_help();
		return ONTB_EXIT_OK;
	}
	serve.start_ns = ontb_clock_ns();
	ontb_log_sink_install();
	ontb_log_set_level(serve.options.log_level);
	raise_file_limit();
	ret = open_fds(&serve);
	if (!ret) {
		ret = ontb_socket_dir_open(&serve.dir, serve.options.socket_dir, serve.options.wire.socket_mode);
		if (!ret) {
			ret = run(&serve);
			ontb_socket_dir_close(&serve.dir);
		}
	}
	close_fds(&serve);
	return ret ? ONTB_EXIT_FAILURE : ONTB_EXIT_OK;
}
