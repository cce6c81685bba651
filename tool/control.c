// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Control socket, server side.
 *
 * A client is in one of three states: reading (its reply is gone, the next request is awaited), working (its request is carried out, a
 * part whenever its socket would take a reply) or writing (a reply is under way); in the latter two input stays in the socket. That is
 * all the flow control there is, and it bounds memory per client.
 */
#include "tool/control.h"

#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

#define LISTEN_BACKLOG 64
#define MAX_DEPTH      8

/**
 * struct control_client - one program that asks
 * @fd:        Its socket; -1 if the slot is free.
 * @in:        Bytes of a request that is not complete, @in_len of them.
 * @in_len:    .
 * @request:   The request that is being carried out, or NULL.
 * @left:      What its handler said was left to do.
 * @out:       The reply under way, or NULL.
 * @out_len:   Its length.
 * @out_pos:   Bytes of it that are sent.
 * @last_ns:   When it was last heard of.
 * @leaving:   Close it when the reply is sent.
 */
struct control_client {
	int fd;
	char in[ONTB_CONTROL_MAX_REQUEST];
	size_t in_len;
	struct json_object *request;
	uint64_t left;
	char *out;
	size_t out_len;
	size_t out_pos;
	uint64_t last_ns;
	bool leaving;
};

/**
 * struct ontb_control - the socket; used by one thread
 * @path:      Constant.
 * @listen_fd: .
 * @epoll_fd:  Watches @listen_fd (data NULL) and all clients.
 * @spare_fd:  Given up for a moment to refuse a client when there are no more descriptors.
 * @handler:   Constant.
 * @arg:       Constant.
 * @clients:   Slots.
 * @limit:     For log lines that clients can cause.
 */
struct ontb_control {
	struct sockaddr_un path;
	int listen_fd;
	int epoll_fd;
	int spare_fd;
	ontb_control_handler *handler;
	void *arg;
	struct control_client clients[ONTB_CONTROL_MAX_CLIENTS];
	struct ontb_ratelimit limit;
};

struct json_object *ontb_control_error_reply(const char *text)
{
	struct json_object *reply = json_object_new_object();

	if (!reply)
		return NULL;
	json_object_object_add(reply, "ok", json_object_new_boolean(false));
	json_object_object_add(reply, "error", json_object_new_string(text));
	return reply;
}

static void close_client(struct control_client *client)
{
	(void)close(client->fd);
	(void)json_object_put(client->request);
	free(client->out);
	memset(client, 0, sizeof(*client));
	client->fd = -1;
}

static void watch(struct ontb_control *control, struct control_client *client, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = client };

	if (epoll_ctl(control->epoll_fd, EPOLL_CTL_MOD, client->fd, &event))
		close_client(client);
}

/* Send what the socket takes. True: all of it went and the client still lives. */
static bool send_reply(struct ontb_control *control, struct control_client *client)
{
	while (client->out_pos < client->out_len) {
		ssize_t sent = send(client->fd, client->out + client->out_pos, client->out_len - client->out_pos,
				    MSG_NOSIGNAL | MSG_DONTWAIT);

		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0 && errno == EAGAIN) {
			watch(control, client, EPOLLOUT);
			return false;
		}
		if (sent <= 0) {
			close_client(client);
			return false;
		}
		client->out_pos += (size_t)sent;
	}
	free(client->out);
	client->out = NULL;
	if (client->leaving) {
		close_client(client);
		return false;
	}
	return true;
}

/* Turn a reply into a line and start to send it. Takes over @reply. */
static bool start_reply(struct ontb_control *control, struct control_client *client, struct json_object *reply)
{
	size_t len = 0;
	const char *text = reply ? json_object_to_json_string_length(reply, JSON_C_TO_STRING_PLAIN, &len) : NULL;

	client->out = text ? malloc(len + 1) : NULL;
	if (client->out) {
		memcpy(client->out, text, len);
		client->out[len] = '\n';
		client->out_len = len + 1;
		client->out_pos = 0;
	}
	(void)json_object_put(reply);
	if (!client->out) {
		ontb_log_limited(&control->limit, ONTB_LOG_WARNING, "control: no memory for a reply; client dropped");
		close_client(client);
		return false;
	}
	return send_reply(control, client);
}

/* Return: The request, or NULL; then @error has the reply, or is NULL because there is no memory. */
static struct json_object *parse(const char *line, size_t len, struct json_object **error)
{
	struct json_tokener *tokener;
	struct json_object *request = NULL;
	char text[160];

	*error = NULL;
	if (memchr(line, '\0', len)) {
		*error = ontb_control_error_reply("the request holds a NUL byte");
		return NULL;
	}
	tokener = json_tokener_new_ex(MAX_DEPTH);
	if (!tokener)
		return NULL;
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	/* The newline that ends the line ends a number or word for the parser, too. */
	request = json_tokener_parse_ex(tokener, line, (int)len + 1);
	if (json_tokener_get_error(tokener) != json_tokener_success) {
		(void)snprintf(text, sizeof(text), "the request is no JSON: %s",
			       json_tokener_error_desc(json_tokener_get_error(tokener)));
		*error = ontb_control_error_reply(text);
	} else if (!json_object_is_type(request, json_type_object)) {
		*error = ontb_control_error_reply("the request is no JSON object");
		(void)json_object_put(request);
		request = NULL;
	}
	json_tokener_free(tokener);
	return request;
}

/* Do a part of a request, and start to send the reply after the last one. True: all of it went and the client still lives. */
static bool work(struct ontb_control *control, struct control_client *client)
{
	struct json_object *reply = control->handler(control->arg, client->request, &client->left);

	if (client->left) {
		watch(control, client, EPOLLOUT);
		return false;
	}
	(void)json_object_put(client->request);
	client->request = NULL;
	return start_reply(control, client, reply);
}

static bool answer(struct ontb_control *control, struct control_client *client, size_t len)
{
	struct json_object *error;

	client->left = 0;
	client->request = parse(client->in, len, &error);
	memmove(client->in, client->in + len + 1, client->in_len - len - 1);
	client->in_len -= len + 1;
	return client->request ? work(control, client) : start_reply(control, client, error);
}

/* Answer the requests that are complete in the buffer, until one has to wait. */
static void run_requests(struct ontb_control *control, struct control_client *client)
{
	char *newline;

	while ((newline = memchr(client->in, '\n', client->in_len))) {
		if (!answer(control, client, (size_t)(newline - client->in)))
			return;
	}
	if (client->in_len < sizeof(client->in))
		return;
	ontb_log_limited(&control->limit, ONTB_LOG_WARNING,
			 "control: a request is longer than %d bytes; client dropped", ONTB_CONTROL_MAX_REQUEST);
	client->leaving = true;
	(void)start_reply(control, client, ontb_control_error_reply("the request is too long"));
}

static void read_client(struct ontb_control *control, struct control_client *client)
{
	/* There is room: a full buffer without a newline in it has cost the client its connection. */
	ssize_t got = recv(client->fd, client->in + client->in_len, sizeof(client->in) - client->in_len, MSG_DONTWAIT);

	client->last_ns = ontb_clock_ns();
	if (got < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (got <= 0) {
		close_client(client);
		return;
	}
	client->in_len += (size_t)got;
	run_requests(control, client);
}

/* Go on with a request, or with sending the reply. */
static void go_on(struct ontb_control *control, struct control_client *client)
{
	client->last_ns = ontb_clock_ns();
	if (client->request ? !work(control, client) : !send_reply(control, client))
		return;
	watch(control, client, EPOLLIN);
	/* What arrived behind the request is in the buffer already and causes no event. */
	if (client->fd >= 0)
		run_requests(control, client);
}

static struct control_client *take_slot(struct ontb_control *control)
{
	struct control_client *oldest = &control->clients[0];

	for (unsigned int i = 0; i < ONTB_CONTROL_MAX_CLIENTS; i++) {
		struct control_client *client = &control->clients[i];

		if (client->fd < 0)
			return client;
		if (client->last_ns < oldest->last_ns)
			oldest = client;
	}
	ontb_log_limited(&control->limit, ONTB_LOG_WARNING,
			 "control: more than %d clients; the most silent one is dropped", ONTB_CONTROL_MAX_CLIENTS);
	close_client(oldest);
	return oldest;
}

/* Out of descriptors: the connection would stay in the queue and wake us for ever, so take it and close it. */
static void refuse_client(struct ontb_control *control)
{
	int fd;

	(void)close(control->spare_fd);
	/* cppcheck-suppress nullPointer; accept4() takes NULL for an address that nobody wants */
	fd = accept4(control->listen_fd, NULL, NULL, SOCK_CLOEXEC);
	if (fd >= 0)
		(void)close(fd);
	control->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	ontb_log_limited(&control->limit, ONTB_LOG_WARNING, "control: a client was refused: too many open files");
}

static void accept_client(struct ontb_control *control)
{
	struct epoll_event event = { .events = EPOLLIN };
	struct control_client *client;
	/* cppcheck-suppress nullPointer; accept4() takes NULL for an address that nobody wants */
	int fd = accept4(control->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0) {
		if (errno == EMFILE || errno == ENFILE)
			refuse_client(control);
		return;
	}
	client = take_slot(control);
	client->fd = fd;
	client->last_ns = ontb_clock_ns();
	event.data.ptr = client;
	if (epoll_ctl(control->epoll_fd, EPOLL_CTL_ADD, fd, &event))
		close_client(client);
}

void ontb_control_dispatch(struct ontb_control *control)
{
	struct epoll_event events[ONTB_CONTROL_MAX_CLIENTS + 1];
	int nr_events = epoll_wait(control->epoll_fd, events, ONTB_CONTROL_MAX_CLIENTS + 1, 0);
	bool has_new = false;

	for (int i = 0; i < nr_events; i++) {
		struct control_client *client = events[i].data.ptr;

		if (!client)
			has_new = true;
		else if (client->fd < 0)
			continue;
		else if (client->request && events[i].events & (EPOLLHUP | EPOLLERR))
			close_client(client);
		else if (client->request || client->out)
			go_on(control, client);
		else
			read_client(control, client);
	}
	/* Last, because a new client may take the slot of one that has an event in the list. */
	if (has_new)
		accept_client(control);
}

static int remove_stale(const struct sockaddr_un *path)
{
	struct stat st;
	int fd, ret = 0;

	if (lstat(path->sun_path, &st))
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return -EEXIST;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	/* Only a socket that nobody listens on refuses; any other answer means that somebody has it. */
	if (!connect(fd, (const struct sockaddr *)path, sizeof(*path)) || errno != ECONNREFUSED)
		ret = -EADDRINUSE;
	else if (unlink(path->sun_path))
		ret = -errno;
	(void)close(fd);
	return ret;
}

static int listen_on(const struct sockaddr_un *path, unsigned int mode, int *out)
{
	mode_t mask;
	int fd, ret;

	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	/* The socket gets its mode before it gets its name, so nobody can connect in between. */
	mask = umask(0777 & ~(mode_t)mode);
	ret = fchmod(fd, (mode_t)mode) || bind(fd, (const struct sockaddr *)path, sizeof(*path)) ? -errno : 0;
	(void)umask(mask);
	if (ret)
		goto close_fd;
	if (listen(fd, LISTEN_BACKLOG)) {
		ret = -errno;
		(void)unlink(path->sun_path);
		goto close_fd;
	}
	*out = fd;
	return 0;

close_fd:
	(void)close(fd);
	return ret;
}

int ontb_control_new(const char *path, unsigned int mode, ontb_control_handler *handler, void *arg,
		     struct ontb_control **out)
{
	struct epoll_event event = { .events = EPOLLIN };
	struct ontb_control *control;
	int ret;

	if (strlen(path) >= sizeof(control->path.sun_path))
		return -ENAMETOOLONG;
	control = calloc(1, sizeof(*control));
	if (!control)
		return -ENOMEM;
	control->handler = handler;
	control->arg = arg;
	control->path.sun_family = AF_UNIX;
	memcpy(control->path.sun_path, path, strlen(path));
	for (unsigned int i = 0; i < ONTB_CONTROL_MAX_CLIENTS; i++)
		control->clients[i].fd = -1;
	control->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (control->spare_fd < 0) {
		ret = -errno;
		goto free_control;
	}
	control->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (control->epoll_fd < 0) {
		ret = -errno;
		goto close_spare;
	}
	ret = remove_stale(&control->path);
	if (ret)
		goto close_epoll;
	ret = listen_on(&control->path, mode, &control->listen_fd);
	if (ret)
		goto close_epoll;
	if (epoll_ctl(control->epoll_fd, EPOLL_CTL_ADD, control->listen_fd, &event)) {
		ret = -errno;
		goto close_listen;
	}
	*out = control;
	return 0;

close_listen:
	(void)unlink(path);
	(void)close(control->listen_fd);
close_epoll:
	(void)close(control->epoll_fd);
close_spare:
	(void)close(control->spare_fd);
free_control:
	free(control);
	return ret;
}

int ontb_control_fd(const struct ontb_control *control)
{
	return control->epoll_fd;
}

void ontb_control_free(struct ontb_control *control)
{
	if (!control)
		return;
	for (unsigned int i = 0; i < ONTB_CONTROL_MAX_CLIENTS; i++) {
		if (control->clients[i].fd >= 0)
			close_client(&control->clients[i]);
	}
	(void)unlink(control->path.sun_path);
	(void)close(control->listen_fd);
	(void)close(control->epoll_fd);
	(void)close(control->spare_fd);
	free(control);
}
