// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * What the function does to a client: write and read its memory, signal its vectors.
 *
 * Memory with a descriptor is copied directly. Memory without one, and the interrupt range, are reached by messages.
 */
#include "vfio_user/conn.h"

#include <errno.h>
#include <string.h>

#include <openntb/error.h>

#include "base/bytes.h"
#include "base/probe.h"
#include "base/trace.h"

/* Slot of the client's own thread in the memory map. */
#define OWN_HINT ONTB_MAX_PORTS

static unsigned int hint_of(unsigned int source)
{
	return source < ONTB_MAX_PORTS ? source : OWN_HINT;
}

static void lost_memory(struct ontb_conn *conn, const struct ontb_dma_range *range)
{
	ontb_conn_kill(conn, "it took away memory that it had mapped at 0x%llx, %llu bytes",
		       (unsigned long long)range->addr, (unsigned long long)range->size);
}

static bool is_interrupt_address(const struct ontb_conn *conn, uint64_t addr, size_t len)
{
	const struct ontb_vfio_user_config *config = conn->ep->config;

	return addr >= config->interrupt_base &&
	       ontb_range_fits(addr - config->interrupt_base, len, config->interrupt_size);
}

static size_t min_size(uint64_t a, uint64_t b)
{
	return (size_t)(a < b ? a : b);
}

/* @buf is NULL for a read. */
static void trace_dma(struct ontb_conn *conn, const char *name, unsigned int source, uint64_t addr, const void *buf,
		      size_t len)
{
	struct ontb_trace_event event = {
		.category = "dma",
		.name = name,
		.port_idx = conn->ep->port_idx,
		.args = { { "addr", NULL, addr, true },
			  { "bytes", NULL, len, false },
			  { "source", NULL, source, false } },
	};

	ontb_trace_set_value(&event.args[3], buf, len);
	ontb_trace_emit(conn->ep->trace, &event);
}

static int write_by_message(struct ontb_conn *conn, unsigned int source, uint64_t addr, const void *buf, size_t len,
			    bool is_interrupt)
{
	struct ontb_endpoint *ep = conn->ep;
	int ret;

	if (ontb_unlikely(ep->trace))
		trace_dma(conn, "DMA_WRITE", source, addr, buf, len);
	if (source >= ONTB_MAX_PORTS)
		return -EFAULT;
	ret = ontb_tx_dma_write(&conn->tx, source, addr, buf, len, is_interrupt);
	if (!ret)
		atomic_fetch_add_explicit(&ep->dma_writes, 1, memory_order_relaxed);
	if (ret == -ENOBUFS)
		ontb_log_limited(&ep->drop_limit, ONTB_LOG_WARNING,
				 "port %u: client %d: does not take writes as fast as port %u sends them: write of %zu "
				 "bytes to 0x%llx dropped",
				 ep->port_idx, conn->pid, source, len, (unsigned long long)addr);
	return ret == -EPIPE ? -EFAULT : ret;
}

/*
 * Write piece by piece: a piece ends where a mapping ends, and where the client's largest message ends.
 */
static int write_slowly(struct ontb_conn *conn, unsigned int source, uint64_t addr, const uint8_t *buf, size_t len)
{
	struct ontb_dma_range *range;
	size_t piece;
	int ret;

	while (len) {
		range = ontb_dma_find(&conn->dma, hint_of(source), addr);
		if (!range) {
			if (!is_interrupt_address(conn, addr, len))
				return -EFAULT;
			piece = min_size(len, conn->max_data_xfer);
			ret = write_by_message(conn, source, addr, buf, piece, true);
		} else if (!range->can_write) {
			return -EFAULT;
		} else if (range->mem) {
			piece = min_size(len, range->size - (addr - range->addr));
			ret = ontb_dma_copy_in(range, addr - range->addr, buf, piece);
			if (ret)
				lost_memory(conn, range);
		} else {
			piece = min_size(len, range->size - (addr - range->addr));
			piece = min_size(piece, conn->max_data_xfer);
			ret = write_by_message(conn, source, addr, buf, piece, false);
		}
		if (ret)
			return ret;
		addr += piece;
		buf += piece;
		len -= piece;
	}
	return 0;
}

static int host_mem_write(void *host, unsigned int source, uint64_t addr, const void *buf, size_t len)
{
	struct ontb_conn *conn = host;
	struct ontb_dma_range *range;
	uint64_t offset;

	if (ontb_unlikely(conn->ep->trace))
		trace_dma(conn, "write", source, addr, buf, len);
	range = ontb_dma_find(&conn->dma, hint_of(source), addr);
	if (ontb_likely(range && range->mem && range->can_write)) {
		offset = addr - range->addr;
		if (ontb_likely(len <= range->size - offset)) {
			if (ontb_likely(!ontb_dma_copy_in(range, offset, buf, len)))
				return 0;
			lost_memory(conn, range);
			return -EFAULT;
		}
	}
	return write_slowly(conn, source, addr, buf, len);
}

/*
 * Read what can be read directly.
 *
 * Return: 0 if @buf is full; 1 if a message must ask for the next *asked bytes; -EFAULT.
 */
static int read_directly(struct ontb_conn *conn, unsigned int hint, uint64_t addr, uint8_t *buf, size_t len,
			 size_t *done, size_t *asked)
{
	struct ontb_dma_range *range;
	size_t piece;

	while (*done < len) {
		range = ontb_dma_find(&conn->dma, hint, addr + *done);
		if (!range || !range->can_read)
			return -EFAULT;
		piece = min_size(len - *done, range->size - (addr + *done - range->addr));
		if (!range->mem) {
			*asked = min_size(piece, conn->max_data_xfer);
			return 1;
		}
		if (ontb_dma_copy_out(range, addr + *done - range->addr, buf + *done, piece)) {
			lost_memory(conn, range);
			return -EFAULT;
		}
		*done += piece;
	}
	return 0;
}

static int ask(struct ontb_conn *conn, uint16_t id, uint64_t addr, size_t len)
{
	uint8_t msg[ONTB_WIRE_HDR_SIZE + ONTB_WIRE_DMA_RW_SIZE];

	ontb_wire_put_dma(msg, ONTB_WIRE_DMA_READ, id, addr, (uint32_t)len);
	atomic_fetch_add_explicit(&conn->ep->dma_reads, 1, memory_order_relaxed);
	return ontb_tx_send(&conn->tx, msg, sizeof(msg));
}

static int host_mem_read(void *host, uint64_t addr, struct ontb_read *read)
{
	struct ontb_conn *conn = host;
	struct ontb_endpoint *ep = conn->ep;
	size_t done = 0, asked = 0;
	uint16_t id;
	int ret;

	if (ontb_unlikely(ep->trace))
		trace_dma(conn, "read", read->source, addr, NULL, read->len);
	ret = read_directly(conn, hint_of(read->source), addr, read->buf, read->len, &done, &asked);
	if (ret <= 0)
		return ret;
	ret = ontb_reads_begin(ep->reads, ep->port_idx, read, addr, done, asked, &id);
	if (ret)
		return ret == -EINVAL ? -EFAULT : ret;
	if (ask(conn, id, addr + done, asked) && ontb_reads_abort(ep->reads, ep->port_idx, id))
		return -EFAULT;
	return -EINPROGRESS;
}

/*
 * The data of a read, or a part of it, has come.
 *
 * Return: 0 or 1 if the read goes on or ends with *status; an error if it ends because the reply is bad.
 */
static int take_read_data(struct ontb_conn *conn, const struct ontb_rx_msg *msg, const struct ontb_reads_slot *slot,
			  int *status)
{
	struct ontb_endpoint *ep = conn->ep;
	struct ontb_read *read = slot->read;
	size_t done = slot->done, asked = 0;
	const char *why = NULL;
	const uint8_t *data;
	uint16_t id;
	int ret;

	*status = -EFAULT;
	ret = ontb_wire_get_dma_read_reply(&msg->hdr, msg->body, msg->len, slot->addr + done, slot->asked, &data, &why);
	if (ret) {
		ontb_conn_fail(conn, &msg->hdr, ret, why);
		return ret;
	}
	memcpy((uint8_t *)read->buf + done, data, slot->asked);
	done += slot->asked;
	ret = read_directly(conn, OWN_HINT, slot->addr, read->buf, read->len, &done, &asked);
	if (ret <= 0) {
		*status = ret;
		return 1;
	}
	id = ontb_reads_again(ep->reads, ep->port_idx, msg->hdr.id, done, asked);
	if (ask(conn, id, slot->addr + done, asked) && ontb_reads_abort(ep->reads, ep->port_idx, id))
		read->done(read, -ENOLINK);
	return 0;
}

static int refuse_reply(struct ontb_conn *conn, const struct ontb_rx_msg *msg, int err, const char *why)
{
	ontb_conn_fail(conn, &msg->hdr, err, why);
	return err;
}

static int handle_read_reply(struct ontb_conn *conn, const struct ontb_rx_msg *msg)
{
	struct ontb_endpoint *ep = conn->ep;
	struct ontb_reads_slot slot;
	int ret, status;

	ret = ontb_reads_claim(ep->reads, ep->port_idx, msg->hdr.id, &slot);
	if (ret) {
		ontb_conn_fail(conn, &msg->hdr, ret,
			       ret == -ETIMEDOUT ? "reply to a read that has timed out"
						 : "reply that nobody asked for");
		return ret;
	}
	ret = take_read_data(conn, msg, &slot, &status);
	if (!ret)
		return 0;
	ontb_reads_end(ep->reads, ep->port_idx, msg->hdr.id);
	slot.read->done(slot.read, status);
	return ret < 0 ? ret : 0;
}

int ontb_host_reply(struct ontb_conn *conn, const struct ontb_rx_msg *msg)
{
	if (!conn->is_attached)
		return refuse_reply(conn, msg, -EPROTO, "reply before a version was agreed upon");
	if (msg->hdr.cmd == ONTB_WIRE_DMA_READ)
		return handle_read_reply(conn, msg);
	/* QEMU reports a failed write also when no reply was wanted, for example while bus mastering is off. */
	if (msg->hdr.cmd == ONTB_WIRE_DMA_WRITE && msg->hdr.flags & ONTB_WIRE_F_ERROR)
		return refuse_reply(conn, msg, -(int)(msg->hdr.error & 0xfff), "the client could not write");
	return refuse_reply(conn, msg, -EPROTO, "reply that nobody asked for");
}

static void trace_vector(struct ontb_conn *conn, unsigned int vector)
{
	const struct ontb_trace_event event = {
		.category = "interrupt",
		.name = "vector",
		.port_idx = conn->ep->port_idx,
		.args = { { "vector", NULL, vector, false } },
	};

	ontb_trace_emit(conn->ep->trace, &event);
}

static void host_raise_vector(void *host, unsigned int vector)
{
	struct ontb_conn *conn = host;

	ONTB_PROBE2(wire_interrupt, conn->ep->port_idx, vector);
	if (ontb_unlikely(conn->ep->trace))
		trace_vector(conn, vector);
	ontb_irqs_raise(&conn->irqs, vector);
}

static void host_clear_vectors(void *host)
{
	struct ontb_conn *conn = host;

	ontb_irqs_clear(&conn->irqs);
}

static bool host_vector_pending(void *host, unsigned int vector)
{
	struct ontb_conn *conn = host;

	return ontb_irqs_is_pending(&conn->irqs, vector);
}

const struct ontb_host_ops ontb_conn_host_ops = {
	.mem_write = host_mem_write,
	.mem_read = host_mem_read,
	.raise_vector = host_raise_vector,
	.clear_vectors = host_clear_vectors,
	.vector_pending = host_vector_pending,
};
