/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * Requests of a client: send one, wait for its reply. And what the server asks for, which comes on the same socket.
 *
 * One thread receives and never waits for anything but the socket: it completes calls, does the server's DMA writes, and leaves
 * replies that are owed to another thread. So a server that is not reading because it has too much to send cannot block us
 * for ever. The others wait for the server for a limited time, both until it reads and until it answers.
 */
#ifndef ONTB_VFIO_USER_CLIENT_CALL_H
#define ONTB_VFIO_USER_CLIENT_CALL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/annotate.h"
#include "base/log.h"
#include "vfio_user/wire.h"

/* Largest message that is taken: what a client of ours says it takes, and a header. */
#define ONTB_CALL_MAX_DATA (1U << 20)

/* Replies owed to the server at a time; it has no reason to ask for more before it gets them. */
#define ONTB_CALL_MAX_OWED 64U

/* Requests that were given up and whose replies may still come; a server that owes more has lost them. */
#define ONTB_CALL_MAX_LATE 1024U

#define ONTB_CALL_NR_IDS 65536U

/**
 * struct ontb_call - a request that waits; on the stack of the thread that waits
 * @next:   Next in the list.
 * @id:     Of the message.
 * @cmd:    Command.
 * @buf:    Where the reply's body goes.
 * @room:   Bytes that fit there.
 * @len:    Bytes that came.
 * @status: 0 or an error, when @is_done.
 * @is_done: The reply is there.
 */
struct ontb_call {
	struct ontb_call *next;
	uint16_t id;
	uint16_t cmd;
	void *buf;
	size_t room;
	size_t len;
	int status;
	bool is_done;
};

/**
 * struct ontb_calls - the connection
 * @sock:       Socket. Constant.
 * @timeout_ns: How long the server may take to read a message and, if it wants a reply, to answer it. Constant.
 * @path:       For log lines. Constant.
 * @on_command: What the server asks for: @body of @len bytes behind @hdr. Returns what to reply. In the receiving thread. Constant.
 * @arg:        For @on_command. Constant.
 * @thread:     The receiving thread.
 * @tx_lock:    One message at a time; held while the socket is full, for @timeout_ns at most.
 * @lock:       Leaf lock of all below.
 * @done:       Signalled when a call is done, under @lock.
 * @calls:      Requests that wait.
 * @last_id:    Of the last request.
 * @ids:        A bit for each id that must not be given away: 0, which belongs to messages without a reply, those of @calls, and those
 *              of the @nr_late requests that were given up.
 * @nr_late:    .
 * @is_dead:    The connection is lost.
 * @late_limit: Rate limit of lines about requests that were given up; @stray_limit of lines about replies that nobody waits for.
 * @stray_limit: .
 */
struct ontb_calls {
	int sock;
	uint64_t timeout_ns;
	char *path;
	int (*on_command)(void *arg, const struct ontb_wire_hdr *hdr, const uint8_t *body, size_t len);
	void *arg;
	pthread_t thread;
	struct ontb_lock tx_lock;
	struct ontb_lock lock;
	pthread_cond_t done;
	struct ontb_call *calls;
	uint16_t last_id;
	uint64_t ids[ONTB_CALL_NR_IDS / 64];
	unsigned int nr_late;
	_Atomic bool is_dead;
	struct ontb_ratelimit late_limit;
	struct ontb_ratelimit stray_limit;
};

/**
 * ontb_calls_open() - connect and start receiving
 * @calls:      Memory of the caller.
 * @path:       Socket.
 * @timeout_ns: How long a message and its reply may take.
 * @on_command: See struct ontb_calls.
 * @arg:        For @on_command.
 *
 * Return: 0, -ENOMEM, -ETIMEDOUT (the server does not accept), or what a system call said.
 */
int ontb_calls_open(struct ontb_calls *calls, const char *path, uint64_t timeout_ns,
		    int (*on_command)(void *arg, const struct ontb_wire_hdr *hdr, const uint8_t *body, size_t len),
		    void *arg) ONTB_MUST_CHECK;

/**
 * ontb_calls_shutdown() - disconnect; every call that waits or is made from now on fails
 * @calls: From ontb_calls_open().
 *
 * Context: Any thread.
 */
void ontb_calls_shutdown(struct ontb_calls *calls);

/**
 * ontb_calls_close() - disconnect and free what the connection holds
 * @calls: From ontb_calls_open(). No thread makes a call any more.
 */
void ontb_calls_close(struct ontb_calls *calls);

/**
 * struct ontb_call_msg - a request
 * @cmd:     Command.
 * @body:    Body.
 * @len:     Its length.
 * @data:    Bytes behind the body, or NULL.
 * @data_len: How many.
 * @fds:     Descriptors that go with it, or NULL.
 * @nr_fds:  How many, at most 16.
 * @may_be_late: Another host may have to do something before the server can answer, and may not do it in time. Then this request
 *           fails, but the connection is lost only if the server does not answer other requests either.
 */
struct ontb_call_msg {
	enum ontb_wire_cmd cmd;
	const void *body;
	size_t len;
	const void *data;
	size_t data_len;
	const int *fds;
	unsigned int nr_fds;
	bool may_be_late;
};

/**
 * ontb_calls_do() - send a request and wait for the reply
 * @calls: Connection.
 * @msg:   Request.
 * @reply: OUT, body of the reply.
 * @len:   Bytes that it has to have.
 *
 * Context: Any thread but the receiving one. Blocks, @timeout_ns of the connection at most.
 * Return: 0, the server's error (negative), -EPROTO (a reply of another length), -ETIMEDOUT (the connection is lost
 * unless the request may be late) or -ENOLINK (the connection is lost).
 */
int ontb_calls_do(struct ontb_calls *calls, const struct ontb_call_msg *msg, void *reply, size_t len);

/**
 * ontb_calls_do_any() - the same for a reply whose length is not known before
 * @calls: Connection.
 * @msg:   Request.
 * @reply: OUT, body of the reply.
 * @room:  Bytes that fit there.
 * @len:   OUT, bytes that came.
 *
 * Context: As ontb_calls_do().
 * Return: As ontb_calls_do(); -EPROTO if the reply does not fit.
 */
int ontb_calls_do_any(struct ontb_calls *calls, const struct ontb_call_msg *msg, void *reply, size_t room, size_t *len)
	ONTB_MUST_CHECK;

/**
 * ontb_calls_post() - send a request that nobody answers
 * @calls: Connection.
 * @msg:   Request.
 *
 * Context: Any thread but the receiving one. Blocks while the socket is full, as long as ontb_calls_do() at most.
 * Return: 0 or -ENOLINK.
 */
int ontb_calls_post(struct ontb_calls *calls, const struct ontb_call_msg *msg);

/**
 * ontb_calls_reply() - answer a command of the server
 * @calls: Connection.
 * @hdr:   Its header.
 * @err:   0 for a reply with @body, or an error, negative.
 * @body:  Body.
 * @len:   Its length.
 *
 * Context: Any thread but the receiving one. Blocks while the socket is full, as long as ontb_calls_do() at most.
 * Return: 0 or -ENOLINK.
 */
int ontb_calls_reply(struct ontb_calls *calls, const struct ontb_wire_hdr *hdr, int err, const void *body, size_t len);

#endif
