/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * vfio-user server: offers PCI functions on UNIX sockets to clients such as QEMU's vfio-user-pci.
 */
#ifndef OPENNTB_VFIO_USER_H
#define OPENNTB_VFIO_USER_H

#include <openntb/access.h>
#include <openntb/bridge.h>

#ifdef __cplusplus
extern "C" {
#endif

struct ontb_trace;
struct ontb_vfio_user_server;

/**
 * struct ontb_vfio_user_config - limits and policy
 * @max_data_xfer:         Largest data of one message, bytes, 4096..16 MiB; told to the client.
 * @max_mappings:          Memory mappings one client may have, 1..65535; a Linux process has room for 65530 in all.
 * @write_quota:           Posted writes by message that one host may have waiting for another, from 4 up; more are dropped,
 *                         with a count and a log line. From a quarter of it on, an interrupt message that is identical to
 *                         one still waiting is merged with it.
 * @completion_timeout_ns: How long a client may take to answer a DMA read before the reader gets all ones, 1 ms up to
 *                         60 s; noticed up to a quarter of it late. QEMU 11 gives up on its own reads after 5 s.
 * @interrupt_base:        First address of the range that is reachable without a mapping: writes to it become DMA write
 *                         messages, so that the client's interrupt controller or IOMMU decides.
 * @interrupt_size:        Bytes of that range; 0 switches it off.
 * @memory_on_disk:        Take files of any filesystem for memory. An access then waits as long as that filesystem takes to read a page,
 *                         whoever makes it; on one that a client's user serves, such as FUSE, that is up to this user.
 * @write_multiple:        Offer REGION_WRITE_MULTI, several posted writes in one message.
 * @socket_mode:           Permission bits of the sockets.
 * @trace:                 Where events go, see ontb_trace_open(), or NULL. The caller's, outlives the server.
 */
struct ontb_vfio_user_config {
	uint32_t max_data_xfer;
	uint32_t max_mappings;
	uint32_t write_quota;
	uint64_t completion_timeout_ns;
	uint64_t interrupt_base;
	uint64_t interrupt_size;
	bool memory_on_disk;
	bool write_multiple;
	unsigned int socket_mode;
	struct ontb_trace *trace;
};

/**
 * struct ontb_vfio_user_status - snapshot of one port's wire
 * @connected:     A client is connected.
 * @pid:           Process of the client as the socket reports it, 0 if none.
 * @connections:   Clients so far.
 * @rx_messages:   Messages received from clients, @rx_bytes in bytes.
 * @rx_bytes:      .
 * @rx_calls:      Receive system calls.
 * @tx_messages:   Messages sent, @tx_bytes in bytes.
 * @tx_bytes:      .
 * @tx_queued:     Bytes waiting because the client does not read.
 * @nr_mappings:   Memory mappings now, @mapped_bytes in bytes.
 * @mapped_bytes:  .
 * @armed_vectors: Vectors that have an eventfd.
 * @dma_writes:    Writes sent as messages.
 * @dma_reads:     Reads sent as messages.
 * @writes_merged: Interrupt messages merged with one that waited; @writes_dropped over the quota. Of this client.
 * @writes_dropped: .
 * @errors:        Bad requests and other reasons for log lines.
 * @last_error:    Text of the last one, "" if none.
 */
struct ontb_vfio_user_status {
	bool connected;
	int pid;
	uint64_t connections;
	uint64_t rx_messages;
	uint64_t rx_bytes;
	uint64_t rx_calls;
	uint64_t tx_messages;
	uint64_t tx_bytes;
	uint64_t tx_queued;
	uint64_t nr_mappings;
	uint64_t mapped_bytes;
	unsigned int armed_vectors;
	uint64_t dma_writes;
	uint64_t dma_reads;
	uint64_t writes_merged;
	uint64_t writes_dropped;
	uint64_t errors;
	char last_error[ONTB_STATUS_TEXT];
};

/**
 * ontb_vfio_user_config_init() - defaults: 1 MiB transfers, interrupt range of x86, mode 0600
 * @config: OUT.
 *
 * In full: 4096 mappings, 1024 writes waiting, reads complete after 2 s, interrupt addresses 0xfee00000..0xfeefffff,
 * several writes in one message offered, no trace.
 *
 * Context: Any thread.
 */
void ontb_vfio_user_config_init(struct ontb_vfio_user_config *config);

/**
 * ontb_vfio_user_server_new() - make a server without ports
 * @config: Limits; copied.
 * @out:    OUT, the server.
 *
 * Installs the process-wide SIGBUS handler that turns an access to memory which a client took away into the loss of
 * that client (once; other SIGBUS go on to the handler that was there before).
 *
 * Context: Any thread.
 * Return: 0, or
 *         -EINVAL  a limit is outside its range.
 *         -ENOMEM  no memory.
 *         other    a system call failed.
 */
int ontb_vfio_user_server_new(const struct ontb_vfio_user_config *config, struct ontb_vfio_user_server **out);

/**
 * ontb_vfio_user_server_add_port() - offer a function on a socket
 * @server: Server.
 * @path:   Path of the socket. A socket left by a server that is dead is replaced; one that is alive is not.
 * @func:   Function, must outlive the server.
 *
 * Add the functions of a bridge in the order of its ports: accesses name their source by the bridge's port number, and the
 * server takes it for its own.
 *
 * Context: The thread that dispatches, or before dispatching starts.
 * Return: Port number, counted from 0, or
 *         -EADDRINUSE    a live server listens there.
 *         -EEXIST        something that is not a socket is there.
 *         -ENAMETOOLONG  longer than a UNIX socket path can be.
 *         -ENOSPC        ONTB_MAX_PORTS reached.
 *         -ENOMEM        no memory.
 *         other          a system call failed.
 */
int ontb_vfio_user_server_add_port(struct ontb_vfio_user_server *server, const char *path, struct ontb_func *func);

/**
 * ontb_vfio_user_server_fd() - descriptor that becomes readable when dispatching has work
 * @server: Server.
 *
 * Context: Any thread.
 * Return: A descriptor for poll() or epoll, owned by the server.
 */
int ontb_vfio_user_server_fd(const struct ontb_vfio_user_server *server);

/**
 * ontb_vfio_user_server_dispatch() - accept clients, reap those that left, flush slow ones, time out reads
 * @server: Server.
 *
 * Never blocks. Register and window accesses do not pass through here: each client has a thread.
 *
 * Context: One thread at a time.
 * Return: 0, or a failed system call's error; the server goes on.
 */
int ontb_vfio_user_server_dispatch(struct ontb_vfio_user_server *server);

/**
 * ontb_vfio_user_server_status() - snapshot of a port's wire
 * @server:   Server.
 * @port_idx: As ontb_vfio_user_server_add_port() returned it.
 * @status:   OUT.
 *
 * Context: The thread that dispatches.
 * Return: 0, or
 *         -ERANGE  no such port.
 */
int ontb_vfio_user_server_status(struct ontb_vfio_user_server *server, unsigned int port_idx,
				 struct ontb_vfio_user_status *status);

/**
 * ontb_vfio_user_server_free() - disconnect all clients, remove the sockets, free
 * @server: Server or NULL. Detaches every host from its function.
 *
 * Context: The thread that dispatches.
 */
void ontb_vfio_user_server_free(struct ontb_vfio_user_server *server);

#ifdef __cplusplus
}
#endif

#endif
