/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * A connected client: its thread, its memory map, its vectors, its output.
 *
 * The thread receives, handles every whole message in the buffer inside one access of the bridge, and sends all replies
 * at once. Threads of other clients enter only through the host operations (host.c), which touch the memory map (stable
 * inside accesses), the vectors and the output (a leaf lock each).
 *
 * The structure is counted: the server holds one reference, and each read that waits for another host holds one, because
 * it is completed from elsewhere, maybe after the client has left.
 */
#ifndef ONTB_VFIO_USER_CONN_H
#define ONTB_VFIO_USER_CONN_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <openntb/vfio_user.h>

#include "base/annotate.h"
#include "base/log.h"
#include "vfio_user/dma.h"
#include "vfio_user/irqs.h"
#include "vfio_user/reads.h"
#include "vfio_user/rx.h"
#include "vfio_user/tx.h"

struct ontb_trace;
struct ontb_conn;
struct ontb_region_read;

/**
 * struct ontb_endpoint - what a port's successive clients share
 * @port_idx:    Number of the port.
 * @func:        Function it offers.
 * @info:        What it is.
 * @config:      Limits, the server's.
 * @reads:       Reads under way, the server's.
 * @trace:       Where events go, or NULL.
 * @epoll_fd:    The server's, to be told when a full socket has room again.
 * @wake_fd:     eventfd written when a client's thread ends.
 * @connections: Clients so far; the next ones are counters over all of them.
 * @rx_messages: .
 * @rx_bytes:    .
 * @rx_calls:    .
 * @tx_messages: Of clients that have left; @tx_bytes in bytes.
 * @tx_bytes:    .
 * @dma_writes:  .
 * @dma_reads:   .
 * @errors:      .
 * @error_limit: Rate limit of lines about bad requests; @drop_limit of lines about dropped writes; @end_limit of lines
 *               about clients that are gone.
 * @drop_limit:  .
 * @end_limit:   .
 * @lock:        Leaf lock of @last_error.
 * @last_error:  .
 */
struct ontb_endpoint {
	unsigned int port_idx;
	struct ontb_func *func;
	struct ontb_func_info info;
	const struct ontb_vfio_user_config *config;
	struct ontb_reads *reads;
	struct ontb_trace *trace;
	int epoll_fd;
	int wake_fd;
	_Atomic uint64_t connections;
	_Atomic uint64_t rx_messages;
	_Atomic uint64_t rx_bytes;
	_Atomic uint64_t rx_calls;
	_Atomic uint64_t tx_messages;
	_Atomic uint64_t tx_bytes;
	_Atomic uint64_t dma_writes;
	_Atomic uint64_t dma_reads;
	_Atomic uint64_t errors;
	struct ontb_ratelimit error_limit;
	struct ontb_ratelimit drop_limit;
	struct ontb_ratelimit end_limit;
	struct ontb_lock lock;
	char last_error[ONTB_STATUS_TEXT];
};

/**
 * struct ontb_conn - a client
 * @nr_refs:       References.
 * @ep:            Its port, constant.
 * @sock:          Socket, constant until the server closes it.
 * @pid:           Process of the client, 0 if the kernel cannot say; constant.
 * @thread:        The server's to join.
 * @is_done:       The thread is about to end.
 * @is_stopped:    The server ends the connection.
 * @is_attached:   Attached to the function: a version has been agreed upon. The client's thread's, as are the next ones.
 * @is_inside:     An access is open.
 * @nr_read:       Bytes read from regions in it.
 * @max_data_xfer: What the client takes in one message; constant once attached.
 * @rx:            Input.
 * @out:           Replies of this batch: @out_len of @out_cap bytes.
 * @out_len:       .
 * @out_cap:       .
 * @spare:         A read ready for use, or NULL.
 * @tx:            Output.
 * @dma:           Memory; changed only inside exclusive sections.
 * @nr_mappings:   Copies for the status.
 * @mapped_bytes:  .
 * @irqs:          Vectors.
 * @lock:          Leaf lock of @end_reason.
 * @end_reason:    Why the connection must end, "" if it need not.
 */
struct ontb_conn {
	_Atomic unsigned int nr_refs;
	struct ontb_endpoint *ep;
	int sock;
	int pid;
	pthread_t thread;
	_Atomic bool is_done;
	_Atomic bool is_stopped;
	bool is_attached;
	bool is_inside;
	uint64_t nr_read;
	uint64_t max_data_xfer;
	struct ontb_rx rx;
	uint8_t *out;
	size_t out_len;
	size_t out_cap;
	struct ontb_region_read *spare;
	struct ontb_tx tx;
	struct ontb_dma dma;
	_Atomic uint64_t nr_mappings;
	_Atomic uint64_t mapped_bytes;
	struct ontb_irqs irqs;
	struct ontb_lock lock;
	char end_reason[ONTB_STATUS_TEXT];
};

/**
 * ontb_conn_start() - serve a client
 * @ep:   Port.
 * @sock: Its socket; taken over on success.
 * @pid:  Process of the client, 0 if unknown.
 * @out:  OUT, the client; undo with ontb_conn_stop().
 *
 * Context: The thread that dispatches.
 * Return: 0, -ENOMEM or the error of starting a thread.
 */
int ontb_conn_start(struct ontb_endpoint *ep, int sock, int pid, struct ontb_conn **out) ONTB_MUST_CHECK;

/**
 * ontb_conn_stop() - end a client's thread and let go of the client
 * @conn: Client or NULL; may have ended by itself.
 *
 * Context: The thread that dispatches. Waits for the client's thread.
 */
void ontb_conn_stop(struct ontb_conn *conn);

/**
 * ontb_conn_flush() - the socket has room again: send what waits
 * @conn: Client.
 *
 * Context: The thread that dispatches. Never blocks.
 */
void ontb_conn_flush(struct ontb_conn *conn);

/**
 * ontb_conn_get() - one more reference
 * @conn: Client.
 */
void ontb_conn_get(struct ontb_conn *conn);

/**
 * ontb_conn_put() - one reference less
 * @conn: Client; freed with its last reference.
 */
void ontb_conn_put(struct ontb_conn *conn);

/**
 * ontb_conn_kill() - make a connection end, from whatever thread
 * @conn: Client, attached or in its own thread.
 * @fmt:  Why, as for printf(); the first reason given is the one that is logged.
 *
 * Context: Any thread. Never blocks.
 */
void ontb_conn_kill(struct ontb_conn *conn, const char *fmt, ...) ONTB_PRINTF(2, 3);

/**
 * ontb_conn_fail() - count, remember and log a request that failed
 * @conn: Client.
 * @hdr:  Header of its message.
 * @err:  Error.
 * @why:  Why.
 *
 * Context: Any thread. Takes leaf locks.
 */
void ontb_conn_fail(struct ontb_conn *conn, const struct ontb_wire_hdr *hdr, int err, const char *why);

/**
 * ontb_conn_reserve() - room in the batch of replies
 * @conn: Client.
 * @len:  Bytes.
 *
 * What was reserved before may move.
 *
 * Context: The client's thread.
 * Return: Where the bytes go, or NULL if there is no memory.
 */
uint8_t *ontb_conn_reserve(struct ontb_conn *conn, size_t len);

/**
 * ontb_conn_enter() - open an access if the client is attached
 * @conn: Client.
 *
 * Context: The client's thread.
 */
void ontb_conn_enter(struct ontb_conn *conn);

/**
 * ontb_conn_leave() - close the access if one is open
 * @conn: Client.
 *
 * Context: The client's thread.
 */
void ontb_conn_leave(struct ontb_conn *conn);

/**
 * ontb_conn_dispatch() - handle one message; dispatch.c
 * @conn: Client.
 * @msg:  Message. Descriptors that are not kept are closed.
 *
 * Context: The client's thread, inside an access if the client is attached.
 */
void ontb_conn_dispatch(struct ontb_conn *conn, struct ontb_rx_msg *msg);

/**
 * ontb_region_read_free() - free a spare read; region.c
 * @rr: Read or NULL.
 */
void ontb_region_read_free(struct ontb_region_read *rr);

/**
 * ontb_host_reply() - the client answered one of our messages; host.c
 * @conn: Client.
 * @msg:  Its message, of type REPLY.
 *
 * Context: The client's thread, inside an access if the client is attached.
 * Return: 0, or an error if the reply was not what it should be; it has been logged.
 */
int ontb_host_reply(struct ontb_conn *conn, const struct ontb_rx_msg *msg);

extern const struct ontb_host_ops ontb_conn_host_ops;

#endif
