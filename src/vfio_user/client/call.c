// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Requests and replies on a socket that many threads send to and one receives from.
 */
#include "vfio_user/client/call.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include <openntb/error.h>

#include "base/clock.h"
#include "base/log.h"

#define MAX_FDS 16

static bool is_taken_locked(const struct ontb_calls *calls, uint16_t id) ONTB_MUST_HOLD(calls->lock)
{
	return calls->ids[id / 64] >> id % 64 & 1;
}

static void take_id_locked(struct ontb_calls *calls, uint16_t id) ONTB_MUST_HOLD(calls->lock)
{
	calls->ids[id / 64] |= 1ULL << id % 64;
}

static void release_id_locked(struct ontb_calls *calls, uint16_t id) ONTB_MUST_HOLD(calls->lock)
{
	calls->ids[id / 64] &= ~(1ULL << id % 64);
}

static void die(struct ontb_calls *calls, const char *why)
{
	if (atomic_exchange(&calls->is_dead, true))
		return;
	if (why)
		ontb_log(ONTB_LOG_WARNING, "%s: connection lost: %s", calls->path, why);
	(void)shutdown(calls->sock, SHUT_RDWR);
	ontb_lock(&calls->lock);
	for (struct ontb_call *call = calls->calls; call; call = call->next) {
		call->status = -ENOLINK;
		call->is_done = true;
		release_id_locked(calls, call->id);
	}
	calls->calls = NULL;
	(void)pthread_cond_broadcast(&calls->done);
	ontb_unlock(&calls->lock);
}

static bool receive(int sock, void *buf, size_t len)
{
	uint8_t *p = buf;

	while (len) {
		ssize_t n = recv(sock, p, len, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		p += n;
		len -= (size_t)n;
	}
	return true;
}

static int status_of(const struct ontb_call *call, const struct ontb_wire_hdr *hdr, size_t len)
{
	if (hdr->cmd != call->cmd)
		return -EPROTO;
	if (hdr->flags & ONTB_WIRE_F_ERROR)
		return hdr->error && hdr->error < 4096 ? -(int)hdr->error : -EPROTO;
	return len > call->room ? -EPROTO : 0;
}

static void complete(struct ontb_calls *calls, const struct ontb_wire_hdr *hdr, const uint8_t *body, size_t len)
{
	struct ontb_call **link, *call;
	bool is_late = false;

	ontb_lock(&calls->lock);
	for (link = &calls->calls; *link && (*link)->id != hdr->id; link = &(*link)->next)
		;
	call = *link;
	if (call) {
		*link = call->next;
		call->status = status_of(call, hdr, len);
		if (!call->status && len)
			memcpy(call->buf, body, len);
		call->len = len;
		call->is_done = true;
		release_id_locked(calls, hdr->id);
		(void)pthread_cond_broadcast(&calls->done);
	} else if (hdr->id && is_taken_locked(calls, hdr->id)) {
		is_late = true;
		release_id_locked(calls, hdr->id);
		calls->nr_late--;
	}
	ontb_unlock(&calls->lock);
	if (!call && !is_late)
		ontb_log_limited(&calls->stray_limit, ONTB_LOG_NOTICE,
				 "%s: reply to %s with id %u, which nobody waits for", calls->path,
				 ontb_wire_cmd_name(hdr->cmd), hdr->id);
}

static void *receive_loop(void *arg)
{
	struct ontb_calls *calls = arg;
	const size_t max = ONTB_WIRE_SLACK + ONTB_CALL_MAX_DATA;
	uint8_t *body = malloc(max), head[ONTB_WIRE_HDR_SIZE];
	const char *why = body ? "the server closed it" : "no memory";

	(void)pthread_setname_np(pthread_self(), "ontb-vfu-client");
	while (body && receive(calls->sock, head, sizeof(head))) {
		struct ontb_wire_hdr hdr;
		size_t len;

		ontb_wire_hdr_get(head, &hdr);
		if (!ontb_wire_frame_is_ok(&hdr, max)) {
			why = "a header with an impossible size or type";
			break;
		}
		len = hdr.size - ONTB_WIRE_HDR_SIZE;
		if (!receive(calls->sock, body, len))
			break;
		if ((hdr.flags & ONTB_WIRE_F_TYPE) == ONTB_WIRE_F_REPLY) {
			complete(calls, &hdr, body, len);
		} else if (calls->on_command(calls->arg, &hdr, body, len)) {
			why = "the server asks for more than it may";
			break;
		}
	}
	free(body);
	die(calls, why);
	return NULL;
}

static void unlink_locked(struct ontb_calls *calls, const struct ontb_call *call) ONTB_MUST_HOLD(calls->lock)
{
	struct ontb_call **link = &calls->calls;

	while (*link != call)
		link = &(*link)->next;
	*link = call->next;
}

/* Whether a full socket has room again before @end_ns. */
static bool has_room(int sock, uint64_t end_ns)
{
	struct pollfd pfd = { .fd = sock, .events = POLLOUT };
	int nr;

	do {
		uint64_t now_ns = ontb_clock_ns(), left_ns = end_ns > now_ns ? end_ns - now_ns : 0;
		const struct timespec left = { .tv_sec = (time_t)(left_ns / ONTB_NS_PER_S),
					       .tv_nsec = (long)(left_ns % ONTB_NS_PER_S) };

		nr = ppoll(&pfd, 1, &left, NULL);
	} while (nr < 0 && errno == EINTR);
	return nr > 0;
}

static int transmit(struct ontb_calls *calls, struct iovec *iov, size_t nr_iov, const int *fds, unsigned int nr_fds,
		    uint64_t end_ns)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int) * MAX_FDS)];
	} control;
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = nr_iov };

	if (nr_fds) {
		struct cmsghdr *cmsg;

		memset(&control, 0, sizeof(control));
		msg.msg_control = control.bytes;
		msg.msg_controllen = CMSG_SPACE(sizeof(int) * nr_fds);
		cmsg = CMSG_FIRSTHDR(&msg);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(sizeof(int) * nr_fds);
		memcpy(CMSG_DATA(cmsg), fds, sizeof(int) * nr_fds);
	}
	while (msg.msg_iovlen) {
		ssize_t n = sendmsg(calls->sock, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
			if (!has_room(calls->sock, end_ns))
				return -ETIMEDOUT;
			continue;
		}
		if (n < 0)
			return -ENOLINK;
		/* Descriptors went with the first byte. */
		msg.msg_control = NULL;
		msg.msg_controllen = 0;
		while (msg.msg_iovlen && (size_t)n >= msg.msg_iov->iov_len) {
			n -= (ssize_t)msg.msg_iov->iov_len;
			msg.msg_iov++;
			msg.msg_iovlen--;
		}
		if (msg.msg_iovlen) {
			msg.msg_iov->iov_base = (uint8_t *)msg.msg_iov->iov_base + n;
			msg.msg_iov->iov_len -= (size_t)n;
		}
	}
	return 0;
}

static void *no_const(const void *p)
{
	union {
		const void *in;
		void *out;
	} u = { .in = p };

	return u.out;
}

/*
 * A message that was sent in part cannot be taken back, so a server that does not read in time is lost. Whoever waits for the lock
 * meanwhile finds the connection dead when it gets it.
 */
static int send_msg(struct ontb_calls *calls, const struct ontb_call_msg *msg, uint16_t id, uint32_t flags,
		    uint32_t error, uint64_t end_ns)
{
	uint8_t head[ONTB_WIRE_HDR_SIZE];
	const struct ontb_wire_hdr hdr = {
		.id = id,
		.cmd = (uint16_t)msg->cmd,
		.size = (uint32_t)(sizeof(head) + msg->len + msg->data_len),
		.flags = flags,
		.error = error,
	};
	struct iovec iov[3] = {
		{ head, sizeof(head) },
		{ no_const(msg->body), msg->len },
		{ no_const(msg->data), msg->data_len },
	};
	int ret;

	ontb_wire_hdr_put(head, &hdr);
	ontb_lock(&calls->tx_lock);
	ret = atomic_load(&calls->is_dead) ? -ENOLINK : transmit(calls, iov, 3, msg->fds, msg->nr_fds, end_ns);
	ontb_unlock(&calls->tx_lock);
	if (!ret)
		return 0;
	die(calls, ret == -ETIMEDOUT ? "the server does not read" : "sending failed");
	return -ENOLINK;
}

static uint64_t deadline_of(const struct ontb_calls *calls)
{
	return ontb_clock_ns() + calls->timeout_ns;
}

/*
 * Send a request. If that fails it is done.
 */
static void begin(struct ontb_calls *calls, const struct ontb_call_msg *msg, struct ontb_call *call, uint64_t end_ns)
{
	/* There are many more ids than threads that wait and requests that are late. */
	ontb_lock(&calls->lock);
	do
		call->id = ++calls->last_id;
	while (is_taken_locked(calls, call->id));
	take_id_locked(calls, call->id);
	call->next = calls->calls;
	calls->calls = call;
	ontb_unlock(&calls->lock);
	if (!send_msg(calls, msg, call->id, ONTB_WIRE_F_COMMAND, 0, end_ns))
		return;
	ontb_lock(&calls->lock);
	if (!call->is_done) {
		unlink_locked(calls, call);
		release_id_locked(calls, call->id);
		call->status = -ENOLINK;
		call->is_done = true;
	}
	ontb_unlock(&calls->lock);
}

static bool wait_until_locked(struct ontb_calls *calls, const struct ontb_call *call, uint64_t end_ns)
	ONTB_MUST_HOLD(calls->lock)
{
	const struct timespec deadline = { .tv_sec = (time_t)(end_ns / ONTB_NS_PER_S),
					   .tv_nsec = (long)(end_ns % ONTB_NS_PER_S) };
	int late = 0;

	while (!call->is_done && !late)
		late = pthread_cond_clockwait(&calls->done, &calls->lock.mutex, CLOCK_MONOTONIC, &deadline);
	return call->is_done;
}

/*
 * Wait for the reply, and stop to wait at the deadline.
 *
 * Return: Whether it came, or never will because the connection is lost.
 */
static bool finish(struct ontb_calls *calls, struct ontb_call *call, uint64_t end_ns)
{
	bool is_done;

	ontb_lock(&calls->lock);
	is_done = wait_until_locked(calls, call, end_ns);
	if (!is_done) {
		unlink_locked(calls, call);
		call->status = -ETIMEDOUT;
		calls->nr_late++;
	}
	ontb_unlock(&calls->lock);
	return is_done;
}

/*
 * Whether the server answers a request that needs nobody else, and so has read all that was sent before.
 */
static bool is_answering(struct ontb_calls *calls, uint64_t end_ns)
{
	static const uint8_t body[ONTB_WIRE_DEVICE_INFO_SIZE] = { sizeof(body) };
	const struct ontb_call_msg msg = { .cmd = ONTB_WIRE_DEVICE_GET_INFO, .body = body, .len = sizeof(body) };
	uint8_t reply[ONTB_WIRE_DEVICE_INFO_SIZE];
	struct ontb_call call = { .cmd = ONTB_WIRE_DEVICE_GET_INFO, .buf = reply, .room = sizeof(reply) };

	begin(calls, &msg, &call, end_ns);
	return finish(calls, &call, end_ns);
}

static bool is_late_for_good_reason(struct ontb_calls *calls, struct ontb_call *call, uint64_t end_ns)
{
	bool is_done;

	ontb_lock(&calls->lock);
	is_done = wait_until_locked(calls, call, end_ns - calls->timeout_ns / 2);
	ontb_unlock(&calls->lock);
	return !is_done && is_answering(calls, end_ns);
}

static void give_up(struct ontb_calls *calls, const struct ontb_call_msg *msg, bool is_alive)
{
	bool is_too_many;

	ontb_lock(&calls->lock);
	is_too_many = calls->nr_late > ONTB_CALL_MAX_LATE;
	ontb_unlock(&calls->lock);
	if (!is_alive)
		die(calls, "no reply in time");
	else if (is_too_many)
		die(calls, "too many requests without a reply");
	else
		ontb_log_limited(&calls->late_limit, ONTB_LOG_WARNING,
				 "%s: no reply to %s in time, though the server answers: another host may be slow",
				 calls->path, ontb_wire_cmd_name((unsigned int)msg->cmd));
}

int ontb_calls_do_any(struct ontb_calls *calls, const struct ontb_call_msg *msg, void *reply, size_t room, size_t *len)
{
	struct ontb_call call = { .cmd = (uint16_t)msg->cmd, .buf = reply, .room = room };
	const uint64_t end_ns = deadline_of(calls);
	bool is_alive;

	begin(calls, msg, &call, end_ns);
	is_alive = msg->may_be_late && is_late_for_good_reason(calls, &call, end_ns);
	if (!finish(calls, &call, end_ns))
		give_up(calls, msg, is_alive);
	*len = call.len;
	return call.status;
}

int ontb_calls_do(struct ontb_calls *calls, const struct ontb_call_msg *msg, void *reply, size_t len)
{
	size_t got = len;
	int ret = ontb_calls_do_any(calls, msg, reply, len, &got);

	if (!ret && got != len)
		ret = -EPROTO;
	if (ret == -EPROTO)
		ontb_log(ONTB_LOG_WARNING, "%s: the reply to %s does not fit the request", calls->path,
			 ontb_wire_cmd_name((unsigned int)msg->cmd));
	return ret;
}

int ontb_calls_post(struct ontb_calls *calls, const struct ontb_call_msg *msg)
{
	return send_msg(calls, msg, 0, ONTB_WIRE_F_COMMAND | ONTB_WIRE_F_NO_REPLY, 0, deadline_of(calls));
}

int ontb_calls_reply(struct ontb_calls *calls, const struct ontb_wire_hdr *hdr, int err, const void *body, size_t len)
{
	const struct ontb_call_msg msg = { .cmd = hdr->cmd, .body = err ? NULL : body, .len = err ? 0 : len };

	return send_msg(calls, &msg, hdr->id, ONTB_WIRE_F_REPLY | (err ? ONTB_WIRE_F_ERROR : 0), (uint32_t)-err,
			deadline_of(calls));
}

/* A server that is stopped does not accept; its queue of clients may be full. */
static int connect_to(const char *path, uint64_t timeout_ns)
{
	const uint64_t timeout_us = timeout_ns / 1000 + 1;
	const struct timeval timeout = { .tv_sec = (time_t)(timeout_us / 1000000),
					 .tv_usec = (suseconds_t)(timeout_us % 1000000) };
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int sock, err;

	if (strlen(path) >= sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	memcpy(addr.sun_path, path, strlen(path) + 1);
	sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (sock < 0)
		return -errno;
	(void)setsockopt(sock, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
	if (!connect(sock, (const struct sockaddr *)&addr, sizeof(addr)))
		return sock;
	err = errno == EAGAIN ? ETIMEDOUT : errno;
	(void)close(sock);
	return -err;
}

int ontb_calls_open(struct ontb_calls *calls, const char *path, uint64_t timeout_ns,
		    int (*on_command)(void *arg, const struct ontb_wire_hdr *hdr, const uint8_t *body, size_t len),
		    void *arg)
{
	char *copy = strdup(path);
	int sock, ret;

	if (!copy)
		return -ENOMEM;
	sock = connect_to(path, timeout_ns);
	if (sock < 0) {
		ret = sock;
		goto free_path;
	}
	*calls = (struct ontb_calls){
		.sock = sock, .timeout_ns = timeout_ns, .path = copy, .on_command = on_command, .arg = arg
	};
	/* The id of messages without a reply. */
	calls->ids[0] = 1;
	ontb_lock_init(&calls->tx_lock);
	ontb_lock_init(&calls->lock);
	(void)pthread_cond_init(&calls->done, NULL);
	ret = -pthread_create(&calls->thread, NULL, receive_loop, calls);
	if (!ret)
		return 0;
	(void)pthread_cond_destroy(&calls->done);
	ontb_lock_fini(&calls->lock);
	ontb_lock_fini(&calls->tx_lock);
	(void)close(sock);
free_path:
	free(copy);
	return ret;
}

void ontb_calls_shutdown(struct ontb_calls *calls)
{
	die(calls, NULL);
}

void ontb_calls_close(struct ontb_calls *calls)
{
	die(calls, NULL);
	(void)pthread_join(calls->thread, NULL);
	(void)close(calls->sock);
	(void)pthread_cond_destroy(&calls->done);
	ontb_lock_fini(&calls->lock);
	ontb_lock_fini(&calls->tx_lock);
	free(calls->path);
}
