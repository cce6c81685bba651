/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * What the handlers of commands share: dispatch.c has the table and most of them, region.c the accesses.
 *
 * A handler decodes a message, acts, and writes its reply. On failure it says why and what it has written is forgotten.
 */
#ifndef ONTB_VFIO_USER_HANDLERS_H
#define ONTB_VFIO_USER_HANDLERS_H

#include "vfio_user/conn.h"
#include "vfio_user/wire.h"

#define ONTB_NO_MEMORY "no memory"

/* Context: the client's thread. Return: 0, or an error with the reason in *why, constant text. */
typedef int ontb_handler_fn(struct ontb_conn *conn, const struct ontb_rx_msg *msg, const char **why);

ontb_handler_fn ontb_handle_region_read;
ontb_handler_fn ontb_handle_region_write;
ontb_handler_fn ontb_handle_write_multi;

/**
 * ontb_wants_reply() - whether a command is to be answered
 * @hdr: Its header.
 *
 * Return: True unless it says otherwise.
 */
static inline bool ontb_wants_reply(const struct ontb_wire_hdr *hdr)
{
	return !(hdr->flags & ONTB_WIRE_F_NO_REPLY);
}

/**
 * ontb_refuse() - say why, and fail
 * @why:  OUT.
 * @err:  Error.
 * @text: Reason, constant.
 *
 * Return: @err.
 */
static inline int ontb_refuse(const char **why, int err, const char *text)
{
	*why = text;
	return err;
}

/**
 * ontb_start_reply() - room for a reply, its header written and its body all zero
 * @conn: Client.
 * @msg:  Command.
 * @len:  Bytes of the body.
 *
 * Context: The client's thread.
 * Return: The body, or NULL if there is no memory.
 */
uint8_t *ontb_start_reply(struct ontb_conn *conn, const struct ontb_rx_msg *msg, size_t len);

/**
 * ontb_region_size() - size of a region
 * @ep:     Port.
 * @region: Region.
 *
 * Return: Bytes, 0 if there is no such region.
 */
uint64_t ontb_region_size(const struct ontb_endpoint *ep, uint32_t region);

#endif
