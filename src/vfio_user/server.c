// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * The server: listening sockets, and the thread that dispatches: it accepts clients, reaps those that have left, flushes
 * those that were slow, and ends reads that took too long. Accesses do not pass through here.
 */
#include <openntb/vfio_user.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openntb/error.h>

#include "base/clock.h"
#include "vfio_user/conn.h"
#include "vfio_user/guard.h"
#include "vfio_user/listener.h"

/* What an epoll event is about: a port's client is named by the port's number alone. */
#define EVENT_LISTEN 0x100U
#define EVENT_WAKE   0x200U
#define EVENT_TIMER  0x201U
#define EVENT_PORT   0x0ffU

#define EVENTS_AT_ONCE	64
#define ACCEPTS_AT_ONCE 16

/**
 * struct port - a function and its socket; the dispatching thread's
 * @ep:       What its clients share.
 * @listener: Its socket.
 * @conn:     The client or NULL.
 * @waiting:  Socket of the client that came while the one before was leaving, or -1.
 * @limit:    Rate limit of lines about clients that come and are refused.
 */
struct port {
	struct ontb_endpoint ep;
	struct ontb_listener listener;
	struct ontb_conn *conn;
	int waiting;
	struct ontb_ratelimit limit;
};

/**
 * struct ontb_vfio_user_server - the server
 * @config:   Constant.
 * @epoll_fd: What dispatch() looks at; @wake_fd is an eventfd in it.
 * @wake_fd:  .
 * @spare_fd: Given up for a moment when descriptors run out, or -1.
 * @reads:    Reads under way.
 * @ports:    By number, @nr_ports of them; a port never goes before the server does.
 * @nr_ports: .
 */
struct ontb_vfio_user_server {
	struct ontb_vfio_user_config config;
	int epoll_fd;
	int wake_fd;
	int spare_fd;
	struct ontb_reads reads;
	struct port *ports[ONTB_MAX_PORTS];
	unsigned int nr_ports;
};

void ontb_vfio_user_config_init(struct ontb_vfio_user_config *config)
{
	*config = (struct ontb_vfio_user_config){
		.max_data_xfer = 1U << 20,
		.max_mappings = 4096,
		.write_quota = 1024,
		.completion_timeout_ns = 2 * ONTB_NS_PER_S,
		.interrupt_base = 0xfee00000,
		.interrupt_size = 0x100000,
		.write_multiple = true,
		.socket_mode = 0600,
	};
}

static const char *find_bad_limit(const struct ontb_vfio_user_config *config)
{
	if (config->max_data_xfer < 4096 || config->max_data_xfer > 16U << 20)
		return "max_data_xfer is not 4096 to 16 MiB";
	if (!config->max_mappings || config->max_mappings > 65535)
		return "max_mappings is not 1 to 65535";
	if (config->write_quota < 4 || config->write_quota > 1U << 20)
		return "write_quota is not 4 to 1048576";
	if (config->completion_timeout_ns < ONTB_NS_PER_MS || config->completion_timeout_ns > 60 * ONTB_NS_PER_S)
		return "completion_timeout_ns is not 1 ms to 60 s";
	if (config->interrupt_size && config->interrupt_base + (config->interrupt_size - 1) < config->interrupt_base)
		return "interrupt_base plus interrupt_size overflows";
	if (config->socket_mode & ~0777U)
		return "socket_mode has bits beyond 0777";
	return NULL;
}

static int watch(int epoll_fd, int fd, uint64_t what)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.u64 = what };

	return epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &ev) ? -errno : 0;
}

int ontb_vfio_user_server_new(const struct ontb_vfio_user_config *config, struct ontb_vfio_user_server **out)
{
	const char *bad = find_bad_limit(config);
	struct ontb_vfio_user_server *server;
	int ret;

	if (bad) {
		ontb_log(ONTB_LOG_ERROR, "vfio-user server: %s", bad);
		return -EINVAL;
	}
	ret = ontb_guard_install();
	if (ret)
		return ret;
	server = calloc(1, sizeof(*server));
	if (!server)
		return -ENOMEM;
	server->config = *config;
	server->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (server->epoll_fd < 0) {
		ret = -errno;
		goto free_server;
	}
	server->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (server->wake_fd < 0) {
		ret = -errno;
		goto close_epoll;
	}
	server->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (server->spare_fd < 0) {
		ret = -errno;
		goto close_wake;
	}
	ret = ontb_reads_init(&server->reads, config->completion_timeout_ns);
	if (ret)
		goto close_spare;
	ret = watch(server->epoll_fd, server->wake_fd, EVENT_WAKE);
	if (!ret)
		ret = watch(server->epoll_fd, server->reads.timer_fd, EVENT_TIMER);
	if (ret)
		goto fini_reads;
	*out = server;
	return 0;

fini_reads:
	ontb_reads_fini(&server->reads);
close_spare:
	(void)close(server->spare_fd);
close_wake:
	(void)close(server->wake_fd);
close_epoll:
	(void)close(server->epoll_fd);
free_server:
	free(server);
	return ret;
}

static void port_init(struct port *port, struct ontb_vfio_user_server *server, struct ontb_func *func)
{
	struct ontb_endpoint *ep = &port->ep;

	port->waiting = -1;
	ep->port_idx = server->nr_ports;
	ep->func = func;
	ep->config = &server->config;
	ep->reads = &server->reads;
	ep->trace = server->config.trace;
	ep->epoll_fd = server->epoll_fd;
	ep->wake_fd = server->wake_fd;
	ontb_lock_init(&ep->lock);
	func->ops->describe(func, &ep->info);
}

int ontb_vfio_user_server_add_port(struct ontb_vfio_user_server *server, const char *path, struct ontb_func *func)
{
	struct port *port;
	int ret;

	if (server->nr_ports == ONTB_MAX_PORTS)
		return -ENOSPC;
	port = calloc(1, sizeof(*port));
	if (!port)
		return -ENOMEM;
	port_init(port, server, func);
	ret = ontb_listener_open(&port->listener, path, server->config.socket_mode);
	if (ret)
		goto free_port;
	ret = watch(server->epoll_fd, port->listener.fd, EVENT_LISTEN | port->ep.port_idx);
	if (ret)
		goto close_listener;
	server->ports[server->nr_ports] = port;
	return (int)server->nr_ports++;

close_listener:
	ontb_listener_close(&port->listener);
free_port:
	ontb_lock_fini(&port->ep.lock);
	free(port);
	return ret;
}

int ontb_vfio_user_server_fd(const struct ontb_vfio_user_server *server)
{
	return server->epoll_fd;
}

static int peer_pid(int sock)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	return getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &cred, &len) ? 0 : cred.pid;
}

static void start_client(struct port *port, int sock)
{
	const int pid = peer_pid(sock);
	int ret;

	ret = ontb_conn_start(&port->ep, sock, pid, &port->conn);
	if (ret) {
		ontb_log_limited(&port->limit, ONTB_LOG_ERROR, "port %u: client %d: cannot be served: %s",
				 port->ep.port_idx, pid, ontb_strerror(ret));
		(void)close(sock);
		return;
	}
	atomic_fetch_add_explicit(&port->ep.connections, 1, memory_order_relaxed);
	ontb_log_limited(&port->limit, ONTB_LOG_INFO, "port %u: client %d: connected", port->ep.port_idx, pid);
}

/*
 * Whether the client is on its way out: its thread has ended, or will when it has read what is left in the socket, because
 * the other end is closed. A guest that is started again at once finds its predecessor in that state.
 */
static bool is_leaving(const struct ontb_conn *conn)
{
	struct pollfd pfd = { .fd = conn->sock, .events = POLLRDHUP };

	if (atomic_load_explicit(&conn->is_done, memory_order_acquire))
		return true;
	return poll(&pfd, 1, 0) > 0;
}

static void refuse(struct port *port, int sock, int holder)
{
	ontb_log_limited(&port->limit, ONTB_LOG_WARNING, "port %u: client %d: refused: client %d is connected",
			 port->ep.port_idx, peer_pid(sock), holder);
	(void)close(sock);
}

static void take_client(struct port *port, int sock)
{
	if (!port->conn) {
		start_client(port, sock);
	} else if (port->waiting < 0 && is_leaving(port->conn)) {
		port->waiting = sock;
	} else {
		refuse(port, sock, port->conn->pid);
	}
}

static int accept_one(const struct port *port)
{
	/* cppcheck-suppress nullPointer; accept4() takes NULL when nobody asks for the address */
	return accept4(port->listener.fd, NULL, NULL, SOCK_CLOEXEC);
}

/*
 * No descriptor is left for a client that waits. Left alone it would keep the listener readable and the dispatching
 * thread busy, so a descriptor kept for this purpose lets it in and out.
 */
static void shed_client(struct ontb_vfio_user_server *server, struct port *port)
{
	int sock;

	(void)close(server->spare_fd);
	sock = accept_one(port);
	if (sock >= 0) {
		ontb_log_limited(&port->limit, ONTB_LOG_ERROR, "port %u: client %d: refused: no descriptors left",
				 port->ep.port_idx, peer_pid(sock));
		(void)close(sock);
	}
	server->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static int accept_clients(struct ontb_vfio_user_server *server, struct port *port)
{
	int sock;

	for (int i = 0; i < ACCEPTS_AT_ONCE; i++) {
		sock = accept_one(port);
		if (sock < 0) {
			if (errno == EAGAIN || errno == EWOULDBLOCK)
				return 0;
			if (errno == EINTR || errno == ECONNABORTED)
				continue;
			if ((errno == EMFILE || errno == ENFILE) && server->spare_fd >= 0) {
				shed_client(server, port);
				continue;
			}
			return -errno;
		}
		take_client(port, sock);
	}
	return 0;
}

static void reap(struct ontb_vfio_user_server *server)
{
	uint64_t count;
	int sock;

	(void)!read(server->wake_fd, &count, sizeof(count));
	for (unsigned int i = 0; i < server->nr_ports; i++) {
		struct port *port = server->ports[i];

		if (!port->conn || !atomic_load_explicit(&port->conn->is_done, memory_order_acquire))
			continue;
		ontb_conn_stop(port->conn);
		port->conn = NULL;
		sock = port->waiting;
		port->waiting = -1;
		if (sock >= 0)
			start_client(port, sock);
	}
}

static int handle_event(struct ontb_vfio_user_server *server, uint64_t what)
{
	struct port *port;

	if (what == EVENT_WAKE) {
		reap(server);
		return 0;
	}
	if (what == EVENT_TIMER) {
		ontb_reads_expire(&server->reads, ontb_clock_ns());
		return 0;
	}
	port = server->ports[what & EVENT_PORT];
	if (what & EVENT_LISTEN)
		return accept_clients(server, port);
	if (port->conn)
		ontb_conn_flush(port->conn);
	return 0;
}

int ontb_vfio_user_server_dispatch(struct ontb_vfio_user_server *server)
{
	struct epoll_event events[EVENTS_AT_ONCE];
	int nr, ret, first_error = 0;

	nr = epoll_wait(server->epoll_fd, events, EVENTS_AT_ONCE, 0);
	if (nr < 0)
		return errno == EINTR ? 0 : -errno;
	for (int i = 0; i < nr; i++) {
		ret = handle_event(server, events[i].data.u64);
		if (ret && !first_error)
			first_error = ret;
	}
	return first_error;
}

static uint64_t load(const _Atomic uint64_t *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

static void add_client_status(struct ontb_conn *conn, struct ontb_vfio_user_status *status)
{
	status->connected = true;
	status->pid = conn->pid;
	status->tx_messages += load(&conn->tx.stats.messages);
	status->tx_bytes += load(&conn->tx.stats.bytes);
	status->tx_queued = load(&conn->tx.stats.queued);
	status->writes_merged = load(&conn->tx.stats.merged);
	status->writes_dropped = load(&conn->tx.stats.dropped);
	status->nr_mappings = load(&conn->nr_mappings);
	status->mapped_bytes = load(&conn->mapped_bytes);
	status->armed_vectors = atomic_load_explicit(&conn->irqs.nr_armed, memory_order_relaxed);
}

int ontb_vfio_user_server_status(struct ontb_vfio_user_server *server, unsigned int port_idx,
				 struct ontb_vfio_user_status *status)
{
	struct ontb_endpoint *ep;

	if (port_idx >= server->nr_ports)
		return -ERANGE;
	ep = &server->ports[port_idx]->ep;
	*status = (struct ontb_vfio_user_status){
		.connections = load(&ep->connections),
		.rx_messages = load(&ep->rx_messages),
		.rx_bytes = load(&ep->rx_bytes),
		.rx_calls = load(&ep->rx_calls),
		.tx_messages = load(&ep->tx_messages),
		.tx_bytes = load(&ep->tx_bytes),
		.dma_writes = load(&ep->dma_writes),
		.dma_reads = load(&ep->dma_reads),
		.errors = load(&ep->errors),
	};
	ontb_lock(&ep->lock);
	memcpy(status->last_error, ep->last_error, sizeof(status->last_error));
	ontb_unlock(&ep->lock);
	if (server->ports[port_idx]->conn)
		add_client_status(server->ports[port_idx]->conn, status);
	return 0;
}

static void port_free(struct port *port)
{
	ontb_conn_stop(port->conn);
	if (port->waiting >= 0)
		(void)close(port->waiting);
	ontb_listener_close(&port->listener);
	ontb_lock_fini(&port->ep.lock);
	free(port);
}

void ontb_vfio_user_server_free(struct ontb_vfio_user_server *server)
{
	if (!server)
		return;
	for (unsigned int i = 0; i < server->nr_ports; i++)
		port_free(server->ports[i]);
	ontb_reads_fini(&server->reads);
	if (server->spare_fd >= 0)
		(void)close(server->spare_fd);
	(void)close(server->wake_fd);
	(void)close(server->epoll_fd);
	free(server);
}
