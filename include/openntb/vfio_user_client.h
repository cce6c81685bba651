/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * vfio-user client: a PCI function that another process offers, as a struct ontb_func of this one.
 *
 * A host in this process plugs it in like a function of its own (ontb_fabric_add_func()). Its accesses become messages; what the
 * function does to the host comes back as stores into shared memory, as DMA messages, and as signals of eventfds.
 */
#ifndef OPENNTB_VFIO_USER_CLIENT_H
#define OPENNTB_VFIO_USER_CLIENT_H

#include <openntb/access.h>

#ifdef __cplusplus
extern "C" {
#endif

struct ontb_vfio_user_client;

/**
 * struct ontb_vfio_user_client_config - where the function is, and what it may reach
 * @path:       Socket of the server; copied.
 * @ram_fd:     File behind the host's memory. Borrowed over the life of the client. The server gets it: seal it against shrinking
 *              (F_SEAL_SHRINK), as ontb_fabric_ram_fd() is, or the server can make accesses to it fault.
 * @ram_base:   Address of its first byte in the host.
 * @ram_size:   Bytes.
 * @timeout_ns: How long the server may take to read a message and to answer it before the connection counts as dead and reads
 *              as all ones. No access of 1 MiB or less blocks longer. A read of a BAR that is late because the server waits for
 *              another host reads as all ones by itself; the server shows that it lives by answering another request.
 */
struct ontb_vfio_user_client_config {
	const char *path;
	int ram_fd;
	uint64_t ram_base;
	uint64_t ram_size;
	uint64_t timeout_ns;
};

/**
 * ontb_vfio_user_client_new() - connect and learn what the function is
 * @config: Copied.
 * @out:    OUT.
 *
 * Context: Any thread. Blocks, @timeout_ns at most per message.
 * Return: 0, or
 *         -EPROTO     the server's answers make no sense; logged.
 *         -ETIMEDOUT  it did not accept or answer.
 *         -ENOMEM     no memory.
 *         other       connecting failed.
 */
int ontb_vfio_user_client_new(const struct ontb_vfio_user_client_config *config, struct ontb_vfio_user_client **out);

/**
 * ontb_vfio_user_client_func() - the function
 * @client: Client.
 *
 * Its accesses block while the server answers, writes while it does not read; enter() and leave() cost nothing. attach() gives the server the host's
 * memory and the vectors' eventfds.
 *
 * Return: Function, owned by the client.
 */
struct ontb_func *ontb_vfio_user_client_func(struct ontb_vfio_user_client *client);

/**
 * ontb_vfio_user_client_is_alive() - whether the server is there
 * @client: Client.
 *
 * Context: Any thread.
 * Return: False once the connection was lost: reads give all ones then, writes are dropped.
 */
bool ontb_vfio_user_client_is_alive(const struct ontb_vfio_user_client *client);

/**
 * ontb_vfio_user_client_free() - disconnect
 * @client: Client whose function has no host any more, or NULL.
 */
void ontb_vfio_user_client_free(struct ontb_vfio_user_client *client);

#ifdef __cplusplus
}
#endif

#endif
