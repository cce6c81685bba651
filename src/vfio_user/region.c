// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Accesses to configuration space and BARs: the commands that a client sends most.
 *
 * A read of a BAR may have to wait for another host. It then lives on by itself, with a reference to its client, while the
 * client's later messages are handled, and its reply is sent by whoever completes it.
 */
#include "vfio_user/handlers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

/* Data that a read carries without an allocation of its own. */
#define SPARE_DATA 64U

/**
 * struct ontb_region_read - a REGION_READ of a BAR under way
 * @read: What the function fills; its buffer is the data part of @msg.
 * @conn: Who asked; referenced while the read waits.
 * @rw:   The request.
 * @hdr:  Its header.
 * @cap:  Room for data in @msg.
 * @msg:  The reply.
 */
struct ontb_region_read {
	struct ontb_read read;
	struct ontb_conn *conn;
	struct ontb_wire_region_rw rw;
	struct ontb_wire_hdr hdr;
	size_t cap;
	uint8_t msg[];
};

#define READ_HEAD (ONTB_WIRE_HDR_SIZE + ONTB_WIRE_REGION_RW_SIZE)

uint64_t ontb_region_size(const struct ontb_endpoint *ep, uint32_t region)
{
	if (region < ONTB_NR_BARS)
		return ep->info.bars[region].size;
	return region == ONTB_WIRE_REGION_CONFIG ? ep->info.config_size : 0;
}

void ontb_region_read_free(struct ontb_region_read *rr)
{
	free(rr);
}

static void finish_read(struct ontb_region_read *rr, int status)
{
	ontb_wire_put_reply(rr->msg, &rr->hdr, ONTB_WIRE_REGION_RW_SIZE + rr->rw.count);
	ontb_wire_put_region_rw(rr->msg + ONTB_WIRE_HDR_SIZE, &rr->rw);
	if (status)
		memset(rr->read.buf, 0xff, rr->read.len);
}

/* A read that waited is complete: in whatever thread knows first. */
static void read_done(struct ontb_read *read, int status)
{
	struct ontb_region_read *rr = ontb_container_of(read, struct ontb_region_read, read);
	struct ontb_conn *conn = rr->conn;

	finish_read(rr, status);
	/* If it fails the client is gone, or is being disconnected. */
	if (ontb_wants_reply(&rr->hdr))
		(void)ontb_tx_send(&conn->tx, rr->msg, READ_HEAD + rr->rw.count);
	ontb_region_read_free(rr);
	ontb_conn_put(conn);
}

static struct ontb_region_read *get_read(struct ontb_conn *conn, const struct ontb_wire_hdr *hdr,
					 const struct ontb_wire_region_rw *rw)
{
	size_t cap = rw->count > SPARE_DATA ? rw->count : SPARE_DATA;
	struct ontb_region_read *rr = conn->spare;

	if (rr && rr->cap >= rw->count) {
		conn->spare = NULL;
	} else {
		rr = malloc(sizeof(*rr) + READ_HEAD + cap);
		if (!rr)
			return NULL;
		rr->cap = cap;
		rr->conn = conn;
	}
	rr->rw = *rw;
	rr->hdr = *hdr;
	rr->read.buf = rr->msg + READ_HEAD;
	rr->read.len = rw->count;
	rr->read.source = conn->ep->port_idx;
	rr->read.done = read_done;
	return rr;
}

static void put_read(struct ontb_conn *conn, struct ontb_region_read *rr)
{
	if (!conn->spare && rr->cap == SPARE_DATA)
		conn->spare = rr;
	else
		ontb_region_read_free(rr);
}

static int read_bar(struct ontb_conn *conn, const struct ontb_rx_msg *msg, const struct ontb_wire_region_rw *rw,
		    const char **why)
{
	struct ontb_func *func = conn->ep->func;
	struct ontb_region_read *rr = get_read(conn, &msg->hdr, rw);
	uint8_t *p;
	int ret;

	if (!rr)
		return ontb_refuse(why, -ENOMEM, ONTB_NO_MEMORY);
	/* The reference must be there before somebody else can complete the read. */
	ontb_conn_get(conn);
	ret = func->ops->bar_read(func, rw->region, rw->offset, &rr->read);
	if (ret == -EINPROGRESS)
		return 0;
	ontb_conn_put(conn);
	if (ret) {
		put_read(conn, rr);
		return ontb_refuse(why, ret, "the function refuses the access");
	}
	finish_read(rr, 0);
	p = ontb_conn_reserve(conn, READ_HEAD + rw->count);
	if (p)
		memcpy(p, rr->msg, READ_HEAD + rw->count);
	put_read(conn, rr);
	return p ? 0 : ontb_refuse(why, -ENOMEM, ONTB_NO_MEMORY);
}

static int check_region(const struct ontb_conn *conn, const struct ontb_wire_region_rw *rw, const char **why)
{
	if (ontb_unlikely(rw->count > conn->ep->config->max_data_xfer))
		return ontb_refuse(why, -EINVAL, "more data than was agreed upon");
	if (ontb_unlikely(!ontb_range_fits(rw->offset, rw->count, ontb_region_size(conn->ep, rw->region))))
		return ontb_refuse(why, -EINVAL, "beyond the end of the region");
	return 0;
}

int ontb_handle_region_read(struct ontb_conn *conn, const struct ontb_rx_msg *msg, const char **why)
{
	struct ontb_func *func = conn->ep->func;
	struct ontb_wire_region_rw rw;
	uint8_t *p;
	int ret;

	ret = ontb_wire_get_region_rw(msg->body, msg->len, false, &rw, why);
	if (ret)
		return ret;
	ret = check_region(conn, &rw, why);
	if (ret)
		return ret;
	conn->nr_read += rw.count;
	if (rw.region < ONTB_NR_BARS)
		return read_bar(conn, msg, &rw, why);
	p = ontb_conn_reserve(conn, READ_HEAD + rw.count);
	if (!p)
		return ontb_refuse(why, -ENOMEM, ONTB_NO_MEMORY);
	ontb_wire_put_reply(p, &msg->hdr, ONTB_WIRE_REGION_RW_SIZE + rw.count);
	ontb_wire_put_region_rw(p + ONTB_WIRE_HDR_SIZE, &rw);
	ret = func->ops->config_read(func, rw.offset, p + READ_HEAD, rw.count);
	return ret ? ontb_refuse(why, ret, "the function refuses the access") : 0;
}

static int write_region(struct ontb_conn *conn, const struct ontb_wire_region_rw *rw, const char **why)
{
	struct ontb_func *func = conn->ep->func;
	int ret;

	if (ontb_likely(rw->region < ONTB_NR_BARS))
		ret = func->ops->bar_write(func, rw->region, rw->offset, rw->data, rw->count);
	else
		ret = func->ops->config_write(func, rw->offset, rw->data, rw->count);
	return ontb_unlikely(ret) ? ontb_refuse(why, ret, "the function refuses the access") : 0;
}

int ontb_handle_region_write(struct ontb_conn *conn, const struct ontb_rx_msg *msg, const char **why)
{
	struct ontb_wire_region_rw rw;
	uint8_t *p;
	int ret;

	ret = ontb_wire_get_region_rw(msg->body, msg->len, true, &rw, why);
	if (ontb_unlikely(ret))
		return ret;
	ret = check_region(conn, &rw, why);
	if (ontb_unlikely(ret))
		return ret;
	ret = write_region(conn, &rw, why);
	if (ontb_unlikely(ret) || !ontb_wants_reply(&msg->hdr))
		return ret;
	p = ontb_start_reply(conn, msg, ONTB_WIRE_REGION_RW_SIZE);
	if (!p)
		return ontb_refuse(why, -ENOMEM, ONTB_NO_MEMORY);
	ontb_wire_put_region_rw(p, &rw);
	return 0;
}

int ontb_handle_write_multi(struct ontb_conn *conn, const struct ontb_rx_msg *msg, const char **why)
{
	struct ontb_wire_region_rw rw;
	uint64_t count;
	uint8_t *p;
	int ret;

	ret = ontb_wire_get_multi(msg->body, msg->len, &count, why);
	/* All are checked before the first is done, so that a bad message does nothing. */
	for (uint64_t i = 0; !ret && i < count; i++) {
		ontb_wire_multi_one(msg->body, i, &rw);
		ret = check_region(conn, &rw, why);
	}
	for (uint64_t i = 0; !ret && i < count; i++) {
		ontb_wire_multi_one(msg->body, i, &rw);
		ret = write_region(conn, &rw, why);
	}
	if (ret || !ontb_wants_reply(&msg->hdr))
		return ret;
	p = ontb_start_reply(conn, msg, ONTB_WIRE_MULTI_SIZE);
	if (!p)
		return ontb_refuse(why, -ENOMEM, ONTB_NO_MEMORY);
	ontb_put_le64(p, count);
	return 0;
}
