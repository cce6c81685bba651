// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Control socket, asking side: connect, one line out, one line in.
 */
#include "tool/control_client.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <openntb/error.h>

#include "tool/verbs.h"

/* Making the longest lists takes seconds, more on a busy machine. */
#define TIMEOUT_S 30
/* A list of all interrupts that hosts of 256 CPUs can have has about 100 MB. */
#define MAX_REPLY (128U << 20)
#define FIRST_BUF (64U << 10)

static int connect_to(const char *path, int *out)
{
	const struct timeval timeout = { .tv_sec = TIMEOUT_S };
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd, ret;

	if (strlen(path) >= sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	memcpy(addr.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)) ||
	    connect(fd, (const struct sockaddr *)&addr, sizeof(addr))) {
		ret = -errno;
		(void)close(fd);
		return ret;
	}
	*out = fd;
	return 0;
}

static int send_line(int fd, const char *line)
{
	/*
	 * In one piece: who answers before the newline is there, and closes, would fail a second send, and its answer
	 * would not be read. A request is far smaller than a socket's buffer, so it goes out whole or not at all.
	 */
	size_t len = strlen(line) + 1;
	char *text = malloc(len);
	ssize_t sent;
	int ret;

	if (!text)
		return -ENOMEM;
	memcpy(text, line, len - 1);
	text[len - 1] = '\n';
	sent = send(fd, text, len, MSG_NOSIGNAL);
	if (sent < 0)
		ret = errno == EAGAIN ? -ETIMEDOUT : -errno;
	else
		ret = sent == (ssize_t)len ? 0 : -EPROTO;
	free(text);
	return ret;
}

/* Read up to and without the newline. The caller frees *out. */
static int receive_line(int fd, char **out, size_t *out_len)
{
	size_t len = 0, size = FIRST_BUF;
	char *buf = malloc(size);
	int ret;

	while (buf) {
		ssize_t got = recv(fd, buf + len, size - len, 0);
		char *newline;

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0) {
			ret = !got ? -EPROTO : errno == EAGAIN ? -ETIMEDOUT : -errno;
			goto free_buf;
		}
		newline = memchr(buf + len, '\n', (size_t)got);
		len += (size_t)got;
		if (newline) {
			*out = buf;
			*out_len = (size_t)(newline - buf);
			return 0;
		}
		if (len == size) {
			char *bigger;

			if (size >= MAX_REPLY) {
				ret = -EFBIG;
				goto free_buf;
			}
			bigger = realloc(buf, size * 2);
			if (!bigger) {
				ret = -ENOMEM;
				goto free_buf;
			}
			buf = bigger;
			size *= 2;
		}
	}
	return -ENOMEM;

free_buf:
	free(buf);
	return ret;
}

static int parse_reply(const char *path, const char *line, size_t len, struct json_object **out)
{
	struct json_tokener *tokener = json_tokener_new();
	struct json_object *reply, *member;
	int ret = 0;

	if (!tokener)
		return -ENOMEM;
	reply = json_tokener_parse_ex(tokener, line, (int)len);
	json_tokener_free(tokener);
	if (!json_object_is_type(reply, json_type_object) || !json_object_object_get_ex(reply, "ok", &member)) {
		ontb_tool_error("%s: the reply is not one of openntb", path);
		ret = -EPROTO;
	} else if (!json_object_get_boolean(member)) {
		(void)json_object_object_get_ex(reply, "error", &member);
		ontb_tool_error("%s: the server refused: %s", path, json_object_get_string(member));
		ret = -EREMOTEIO;
	}
	if (ret)
		(void)json_object_put(reply);
	else
		*out = reply;
	return ret;
}

int ontb_control_ask(const char *path, const char *request, struct json_object **out)
{
	char *line = NULL;
	size_t len = 0;
	int fd = -1, ret;

	ret = connect_to(path, &fd);
	if (ret) {
		ontb_tool_error("cannot connect to %s: %s%s", path,
				ret == -ENAMETOOLONG ? "the path is too long" : strerrordesc_np(-ret),
				ret == -ENOENT || ret == -ECONNREFUSED ? " (is \"openntb serve\" running?)" : "");
		return ret;
	}
	ret = send_line(fd, request);
	if (!ret)
		ret = receive_line(fd, &line, &len);
	(void)close(fd);
	if (ret) {
		ontb_tool_error("%s: no reply: %s", path,
				ret == -EFBIG ? "it is longer than 128 MiB" : ontb_strerror(ret));
		return ret;
	}
	ret = parse_reply(path, line, len, out);
	free(line);
	return ret;
}
