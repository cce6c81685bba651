// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * The thread of a client, from its first byte to its detachment. See conn.h.
 */
#include "vfio_user/conn.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openntb/error.h>

#include "base/probe.h"

#define OUT_MIN 4096U
/* Bytes of replies, and bytes read, after which a batch pauses, so that buffers stay small and others are let in. */
#define OUT_SEND  (32U << 10)
#define READ_LONG (64U << 10)
/* Replies that wait because the client does not read them, before we do not read on either. */
#define BACKLOG_HIGH (1U << 20)
#define BACKLOG_LOW  (BACKLOG_HIGH / 2)

void ontb_conn_get(struct ontb_conn *conn)
{
	atomic_fetch_add_explicit(&conn->nr_refs, 1, memory_order_relaxed);
}

static void conn_free(struct ontb_conn *conn)
{
	ontb_region_read_free(conn->spare);
	ontb_lock_fini(&conn->lock);
	ontb_irqs_fini(&conn->irqs);
	ontb_dma_fini(&conn->dma);
	ontb_tx_fini(&conn->tx);
	ontb_rx_fini(&conn->rx);
	free(conn->out);
	free(conn);
}

void ontb_conn_put(struct ontb_conn *conn)
{
	if (atomic_fetch_sub_explicit(&conn->nr_refs, 1, memory_order_acq_rel) == 1)
		conn_free(conn);
}

void ontb_conn_kill(struct ontb_conn *conn, const char *fmt, ...)
{
	char reason[ONTB_STATUS_TEXT];
	va_list args;

	va_start(args, fmt);
	/* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): clang-tidy 14 does not see va_start() here. */
	(void)vsnprintf(reason, sizeof(reason), fmt, args);
	va_end(args);
	ontb_lock(&conn->lock);
	if (!conn->end_reason[0])
		memcpy(conn->end_reason, reason, sizeof(reason));
	ontb_unlock(&conn->lock);
	(void)shutdown(conn->sock, SHUT_RDWR);
}

static void remember(struct ontb_endpoint *ep, const char *text)
{
	ontb_lock(&ep->lock);
	(void)snprintf(ep->last_error, sizeof(ep->last_error), "%s", text);
	ontb_unlock(&ep->lock);
	atomic_fetch_add_explicit(&ep->errors, 1, memory_order_relaxed);
}

void ontb_conn_fail(struct ontb_conn *conn, const struct ontb_wire_hdr *hdr, int err, const char *why)
{
	struct ontb_endpoint *ep = conn->ep;
	char text[ONTB_STATUS_TEXT];

	(void)snprintf(text, sizeof(text), "%s (command %u, id %u, %u bytes): %s: %s", ontb_wire_cmd_name(hdr->cmd),
		       hdr->cmd, hdr->id, hdr->size, why, ontb_strerror(err));
	remember(ep, text);
	ontb_log_limited(&ep->error_limit, ONTB_LOG_WARNING, "port %u: client %d: %s", ep->port_idx, conn->pid, text);
}

uint8_t *ontb_conn_reserve(struct ontb_conn *conn, size_t len)
{
	size_t cap = conn->out_cap ? conn->out_cap : OUT_MIN;
	uint8_t *out;

	while (cap - conn->out_len < len)
		cap *= 2;
	if (cap != conn->out_cap) {
		out = realloc(conn->out, cap);
		if (!out)
			return NULL;
		conn->out = out;
		conn->out_cap = cap;
	}
	out = conn->out + conn->out_len;
	conn->out_len += len;
	return out;
}

void ontb_conn_enter(struct ontb_conn *conn)
{
	if (!conn->is_attached)
		return;
	conn->ep->func->ops->enter(conn->ep->func);
	conn->is_inside = true;
	conn->nr_read = 0;
}

void ontb_conn_leave(struct ontb_conn *conn)
{
	if (!conn->is_inside)
		return;
	conn->ep->func->ops->leave(conn->ep->func);
	conn->is_inside = false;
}

static void send_replies(struct ontb_conn *conn)
{
	if (!conn->out_len)
		return;
	if (ontb_tx_send(&conn->tx, conn->out, conn->out_len) == -ENOMEM)
		ontb_conn_kill(conn, "no memory for replies");
	conn->out_len = 0;
	if (conn->out_cap > ONTB_RX_BASE_SIZE) {
		free(conn->out);
		conn->out = NULL;
		conn->out_cap = 0;
	}
}

/*
 * The client asks and does not read the answers: wait until it has read some. Its socket is also flushed by the
 * dispatching thread; what matters here is that we do not take more requests. Who has said that it sends no more is let go:
 * its port is wanted by the next one, and without an end in the socket the thread would never look.
 */
static void wait_for_reader(struct ontb_conn *conn)
{
	struct pollfd pfd = { .fd = conn->sock, .events = POLLOUT | POLLRDHUP };
	bool is_gone;

	if (ontb_likely(ontb_tx_queued(&conn->tx) <= BACKLOG_HIGH))
		return;
	while (ontb_tx_queued(&conn->tx) > BACKLOG_LOW) {
		if (poll(&pfd, 1, -1) < 0 && errno != EINTR)
			return;
		is_gone = pfd.revents & (POLLERR | POLLHUP | POLLNVAL);
		if (!is_gone && pfd.revents & POLLRDHUP)
			ontb_conn_kill(conn, "it does not read the replies to what it asked for, and sends no more");
		if (is_gone || pfd.revents & POLLRDHUP) {
			ontb_tx_kill(&conn->tx);
			return;
		}
		ontb_tx_flush(&conn->tx);
	}
}

/*
 * A few requests can ask for much: let others change what accesses keep still, and do not answer faster than is read.
 */
static void pause_batch(struct ontb_conn *conn)
{
	ontb_conn_leave(conn);
	send_replies(conn);
	wait_for_reader(conn);
	ontb_conn_enter(conn);
}

/*
 * Handle what is in the buffer.
 *
 * Return: 0, or an error if the stream cannot be followed.
 */
static int handle_batch(struct ontb_conn *conn)
{
	struct ontb_endpoint *ep = conn->ep;
	struct ontb_rx_msg msg;
	uint64_t nr = 0;
	int ret;

	ontb_conn_enter(conn);
	while ((ret = ontb_rx_next(&conn->rx, &msg)) > 0) {
		nr++;
		ontb_conn_dispatch(conn, &msg);
		if (ontb_unlikely(conn->out_len > OUT_SEND || conn->nr_read > READ_LONG))
			pause_batch(conn);
	}
	ontb_conn_leave(conn);
	send_replies(conn);
	atomic_fetch_add_explicit(&ep->rx_messages, nr, memory_order_relaxed);
	if (ret < 0)
		ontb_conn_kill(
			conn,
			"impossible size or unknown type in the header of %s (command %u, id %u): %u bytes, flags 0x%x",
			ontb_wire_cmd_name(msg.hdr.cmd), msg.hdr.cmd, msg.hdr.id, msg.hdr.size, msg.hdr.flags);
	return ret;
}

static void serve(struct ontb_conn *conn)
{
	struct ontb_endpoint *ep = conn->ep;
	ssize_t n;

	for (;;) {
		n = ontb_rx_fill(&conn->rx, conn->sock);
		if (n == -EINTR)
			continue;
		if (n < 0 && n != -ECONNRESET)
			ontb_conn_kill(conn, "receiving failed: %s", ontb_strerror((int)n));
		if (n <= 0)
			return;
		ONTB_PROBE2(wire_receive, ep->port_idx, n);
		atomic_fetch_add_explicit(&ep->rx_calls, 1, memory_order_relaxed);
		atomic_fetch_add_explicit(&ep->rx_bytes, (uint64_t)n, memory_order_relaxed);
		if (handle_batch(conn))
			return;
		wait_for_reader(conn);
	}
}

/*
 * The order matters: after detach() no host operation is under way, so memory can go; reads that wait for this client or
 * by it are completed after that, because until then new ones could begin.
 */
static void take_down(struct ontb_conn *conn)
{
	struct ontb_endpoint *ep = conn->ep;

	if (conn->is_attached) {
		ep->func->ops->detach(ep->func);
		ontb_reads_leave(ep->reads, ep->port_idx);
	}
	ontb_tx_kill(&conn->tx);
	ontb_dma_fini(&conn->dma);
	ontb_irqs_fini(&conn->irqs);
	(void)shutdown(conn->sock, SHUT_RDWR);
	if (conn->rx.tail != conn->rx.head && !atomic_load(&conn->is_stopped))
		ontb_conn_kill(conn, "the client left in the middle of a message");
	/* Here, because to close descriptors may take long; see dispatch.c. */
	ontb_rx_fini(&conn->rx);
	if (conn->end_reason[0]) {
		remember(ep, conn->end_reason);
		ontb_log_limited(&ep->end_limit, ONTB_LOG_WARNING, "port %u: client %d: disconnected: %s", ep->port_idx,
				 conn->pid, conn->end_reason);
	} else {
		ontb_log_limited(&ep->end_limit, ONTB_LOG_INFO, "port %u: client %d: left", ep->port_idx, conn->pid);
	}
}

static void *run(void *arg)
{
	struct ontb_conn *conn = arg;
	const uint64_t one = 1;
	int wake_fd = conn->ep->wake_fd;
	char name[16];

	(void)snprintf(name, sizeof(name), "port %u", conn->ep->port_idx);
	(void)prctl(PR_SET_NAME, name);
	serve(conn);
	take_down(conn);
	atomic_store_explicit(&conn->is_done, true, memory_order_release);
	/* It can only fail when the counter is full, and then the reader is awake anyhow. */
	(void)!write(wake_fd, &one, sizeof(one));
	return NULL;
}

/*
 * Called under the output's lock, in whatever thread filled the socket. The socket is in the epoll set only while it is
 * full, because being in it costs every message a look at a second sleeper.
 */
static void want_flush(void *arg)
{
	struct ontb_conn *conn = arg;
	struct epoll_event ev = { .events = EPOLLOUT | EPOLLONESHOT, .data.u64 = conn->ep->port_idx };

	if (!epoll_ctl(conn->ep->epoll_fd, EPOLL_CTL_ADD, conn->sock, &ev))
		return;
	if (errno == EEXIST && !epoll_ctl(conn->ep->epoll_fd, EPOLL_CTL_MOD, conn->sock, &ev))
		return;
	/* The dispatching thread took it out between the two. */
	if (errno == ENOENT && !epoll_ctl(conn->ep->epoll_fd, EPOLL_CTL_ADD, conn->sock, &ev))
		return;
	ontb_conn_kill(conn, "its full socket cannot be waited for: %s", ontb_strerror(-errno));
}

void ontb_conn_flush(struct ontb_conn *conn)
{
	(void)epoll_ctl(conn->ep->epoll_fd, EPOLL_CTL_DEL, conn->sock, NULL);
	ontb_tx_flush(&conn->tx);
}

/*
 * Start the client's thread. Signals are the application's business, so the thread takes none but those that its own
 * accesses raise.
 */
static int start_thread(struct ontb_conn *conn)
{
	sigset_t all, before;
	int ret;

	(void)sigfillset(&all);
	(void)sigdelset(&all, SIGBUS);
	(void)sigdelset(&all, SIGSEGV);
	(void)sigdelset(&all, SIGFPE);
	(void)sigdelset(&all, SIGILL);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	ret = pthread_create(&conn->thread, NULL, run, conn);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -ret;
}

static size_t largest_message(const struct ontb_vfio_user_config *config)
{
	return config->max_data_xfer + ONTB_WIRE_SLACK;
}

int ontb_conn_start(struct ontb_endpoint *ep, int sock, int pid, struct ontb_conn **out)
{
	struct ontb_conn *conn;
	int ret;

	conn = calloc(1, sizeof(*conn));
	if (!conn)
		return -ENOMEM;
	atomic_init(&conn->nr_refs, 1);
	conn->ep = ep;
	conn->sock = sock;
	conn->pid = pid;
	ret = ontb_rx_init(&conn->rx, largest_message(ep->config));
	if (ret)
		goto free_conn;
	ret = ontb_irqs_init(&conn->irqs, ep->info.nr_vectors);
	if (ret)
		goto fini_rx;
	ontb_dma_init(&conn->dma, ep->config->max_mappings);
	ontb_tx_init(&conn->tx, sock, ep->config->write_quota, want_flush, conn);
	ontb_lock_init(&conn->lock);
	ret = start_thread(conn);
	if (ret)
		goto fini_tx;
	*out = conn;
	return 0;

fini_tx:
	ontb_lock_fini(&conn->lock);
	ontb_tx_fini(&conn->tx);
	ontb_dma_fini(&conn->dma);
	ontb_irqs_fini(&conn->irqs);
fini_rx:
	ontb_rx_fini(&conn->rx);
free_conn:
	free(conn);
	return ret;
}

void ontb_conn_stop(struct ontb_conn *conn)
{
	struct ontb_endpoint *ep;

	if (!conn)
		return;
	ep = conn->ep;
	atomic_store(&conn->is_stopped, true);
	(void)shutdown(conn->sock, SHUT_RDWR);
	(void)pthread_join(conn->thread, NULL);
	(void)epoll_ctl(ep->epoll_fd, EPOLL_CTL_DEL, conn->sock, NULL);
	(void)close(conn->sock);
	atomic_fetch_add_explicit(&ep->tx_messages, atomic_load(&conn->tx.stats.messages), memory_order_relaxed);
	atomic_fetch_add_explicit(&ep->tx_bytes, atomic_load(&conn->tx.stats.bytes), memory_order_relaxed);
	ontb_conn_put(conn);
}
