// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * The commands of a client: a table of handlers, each of which decodes, acts and writes its reply.
 *
 * A handler returns an error and says why; the error reply, the log line and the count are made here in one place.
 * Handlers that need all accesses of the bridge to stop (memory map, reset, attachment) run outside the batch's access.
 */
#include "vfio_user/handlers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/probe.h"
#include "base/trace.h"
#include "vfio_user/version.h"

uint8_t *ontb_start_reply(struct ontb_conn *conn, const struct ontb_rx_msg *msg, size_t len)
{
	uint8_t *p = ontb_conn_reserve(conn, ONTB_WIRE_HDR_SIZE + len);

	if (!p)
		return NULL;
	ontb_wire_put_reply(p, &msg->hdr, len);
	memset(p + ONTB_WIRE_HDR_SIZE, 0, len);
	return p + ONTB_WIRE_HDR_SIZE;
}

static int handle_version(struct ontb_conn *conn, const struct ontb_rx_msg *msg, const char **why)
{
	struct ontb_endpoint *ep = conn->ep;
	struct ontb_version theirs;
	struct ontb_version ours = {
		.major = ONTB_VERSION_MAJOR,
		.minor = ONTB_VERSION_MINOR,
		.max_msg_fds = ONTB_VERSION_MAX_FDS,
		.max_data_xfer = ep->config->max_data_xfer,
		.max_dma_maps = ep->config->max_mappings,
		.write_multiple = ep->config->write_multiple,
	};
	uint8_t body[ONTB_VERSION_MAX_REPLY], *p;
	size_t len;
	int ret;

	if (conn->is_attached)
		return ontb_refuse(why, -EINVAL, "a version has been agreed upon already");
	ret = ontb_version_get(msg->body, msg->len, &theirs, why);
	if (ret)
		return ret;
	len = ontb_version_put(body, &ours);
	p = ontb_start_reply(conn, msg, len);
	if (!p)
		return ontb_refuse(why, -ENOMEM, ONTB_NO_MEMORY);
	memcpy(p, body, len);
	conn->max_data_xfer = theirs.max_data_xfer < ours.max_data_xfer ? theirs.max_data_xfer : ours.max_data_xfer;
	ontb_reads_set_client(ep->reads, ep->port_idx, conn->pid);
	ret = ep->func->ops->attach(ep->func, &ontb_conn_host_ops, conn);
	if (ret) {
		ontb_reads_set_client(ep->reads, ep->port_idx, 0);
		return ontb_refuse(why, ret, "the function cannot be attached");
	}
	conn->is_attached = true;
	return 0;
}

/* Arguments and results of a change of the memory map. */
struct map_change {
	struct ontb_conn *conn;
	struct ontb_dma_range *range;
	struct ontb_wire_dma_unmap unmap;
	struct ontb_dma_range **removed;
	const char *why;
	int ret;
};

static void add_exclusively(void *arg)
{
	struct map_change *change = arg;
	struct ontb_dma *dma = &change->conn->dma;

	change->ret = ontb_dma_reserve(dma, &change->why);
	if (!change->ret)
		change->ret = ontb_dma_add(dma, change->range, &change->why);
}

static void remove_exclusively(void *arg)
{
	struct map_change *change = arg;

	change->ret = ontb_dma_remove(&change->conn->dma, change->unmap.addr, change->unmap.size, change->removed,
				      &change->why);
}

static void publish_map(struct ontb_conn *conn)
{
	atomic_store_explicit(&conn->nr_mappings, conn->dma.nr_ranges, memory_order_relaxed);
	atomic_store_explicit(&conn->mapped_bytes, conn->dma.mapped, memory_order_relaxed);
}

static int handle_dma_map(struct ontb_conn *conn, const struct ontb_rx_msg *msg, const char **why)
{
	struct map_change change = { .conn = conn };
	struct ontb_endpoint *ep = conn->ep;
	struct ontb_wire_dma_map map;
	int ret, fd = -1;

	ret = ontb_wire_get_dma_map(msg->body, msg->len, &map, why);
	if (ret)
		return ret;
	if (msg->fds && msg->fds->nr > 1)
		return ontb_refuse(why, -EINVAL, "more than one descriptor");
	if (msg->fds && msg->fds->nr)
		fd = msg->fds->fd[0];
	if (fd >= 0 && !ep->config->memory_on_disk && !ontb_dma_is_memory(fd))
		return ontb_refuse(why, -EINVAL,
				   "the descriptor is not a regular file in memory: a memfd, or on tmpfs or hugetlbfs");
	ret = ontb_dma_range_new(map.flags, map.addr, map.size, fd, map.offset, why, &change.range);
	if (ret)
		return ret;
	ep->func->ops->exclusive(ep->func, add_exclusively, &change);
	if (change.ret) {
		ontb_dma_range_free(change.range);
		return ontb_refuse(why, change.ret, change.why);
	}
	publish_map(conn);
	if (!ontb_start_reply(conn, msg, 0))
		return ontb_refuse(why, -ENOMEM, ONTB_NO_MEMORY);
	return 0;
}

static int handle_dma_unmap(struct ontb_conn *conn, const struct ontb_rx_msg *msg, const char **why)
{
	struct map_change change = { .conn = conn };
	struct ontb_endpoint *ep = conn->ep;
	uint64_t unmapped = 0;
	uint8_t *p;
	size_t nr;
	int ret;

	ret = ontb_wire_get_dma_unmap(msg->body, msg->len, &change.unmap, why);
	if (ret)
		return ret;
	/* Only this thread changes the map, so the number cannot change before the exclusive section. */
	nr = ontb_dma_count_inside(&conn->dma, change.unmap.addr, change.unmap.size);
	if (nr) {
		change.removed = calloc(nr, sizeof(struct ontb_dma_range *));
		if (!change.removed)
			return ontb_refuse(why, -ENOMEM, ONTB_NO_MEMORY);
		ep->func->ops->exclusive(ep->func, remove_exclusively, &change);
	}
	for (int i = 0; i < change.ret; i++) {
		unmapped += change.removed[i]->size;
		ontb_dma_range_free(change.removed[i]);
	}
	free(change.removed);
	if (change.ret < 0)
		return ontb_refuse(why, change.ret, change.why);
	publish_map(conn);
	p = ontb_start_reply(conn, msg, ONTB_WIRE_DMA_UNMAP_SIZE);
	if (!p)
		return ontb_refuse(why, -ENOMEM, ONTB_NO_MEMORY);
	ontb_put_le32(p, ONTB_WIRE_DMA_UNMAP_SIZE);
	ontb_put_le32(p + 4, change.unmap.flags);
	ontb_put_le64(p + 8, change.unmap.addr);
	ontb_put_le64(p + 16, unmapped);
	return 0;
}

static int handle_device_info(struct ontb_conn *conn, const struct ontb_rx_msg *msg, const char **why)
{
	uint8_t *p;
	int ret;

	ret = ontb_wire_get_device_info(msg->body, msg->len, why);
	if (ret)
		return ret;
	p = ontb_start_reply(conn, msg, ONTB_WIRE_DEVICE_INFO_SIZE);
	if (!p)
		return ontb_refuse(why, -ENOMEM, ONTB_NO_MEMORY);
	ontb_put_le32(p, ONTB_WIRE_DEVICE_INFO_SIZE);
	ontb_put_le32(p + 4, ONTB_WIRE_DEVICE_F_RESET | ONTB_WIRE_DEVICE_F_PCI);
	ontb_put_le32(p + 8, ONTB_WIRE_NR_REGIONS);
	ontb_put_le32(p + 12, ONTB_WIRE_NR_IRQ_KINDS);
	return 0;
}

static int handle_region_info(struct ontb_conn *conn, const struct ontb_rx_msg *msg, const char **why)
{
	uint32_t region;
	uint64_t size;
	uint8_t *p;
	int ret;

	ret = ontb_wire_get_region_info(msg->body, msg->len, &region, why);
	if (ret)
		return ret;
	size = ontb_region_size(conn->ep, region);
	p = ontb_start_reply(conn, msg, ONTB_WIRE_REGION_INFO_SIZE);
	if (!p)
		return ontb_refuse(why, -ENOMEM, ONTB_NO_MEMORY);
	ontb_put_le32(p, ONTB_WIRE_REGION_INFO_SIZE);
	ontb_put_le32(p + 4, size ? ONTB_WIRE_REGION_F_READ | ONTB_WIRE_REGION_F_WRITE : 0);
	ontb_put_le32(p + 8, region);
	ontb_put_le64(p + 16, size);
	return 0;
}

static int handle_region_fds(struct ontb_conn *conn, const struct ontb_rx_msg *msg, const char **why)
{
	uint32_t region;
	uint8_t *p;
	int ret;

	ret = ontb_wire_get_region_fds(msg->body, msg->len, &region, why);
	if (ret)
		return ret;
	p = ontb_start_reply(conn, msg, ONTB_WIRE_REGION_FDS_SIZE);
	if (!p)
		return ontb_refuse(why, -ENOMEM, ONTB_NO_MEMORY);
	ontb_put_le32(p, ONTB_WIRE_REGION_FDS_SIZE);
	ontb_put_le32(p + 8, region);
	return 0;
}

static int handle_irq_info(struct ontb_conn *conn, const struct ontb_rx_msg *msg, const char **why)
{
	uint32_t index;
	uint8_t *p;
	int ret;

	ret = ontb_wire_get_irq_info(msg->body, msg->len, &index, why);
	if (ret)
		return ret;
	p = ontb_start_reply(conn, msg, ONTB_WIRE_IRQ_INFO_SIZE);
	if (!p)
		return ontb_refuse(why, -ENOMEM, ONTB_NO_MEMORY);
	ontb_put_le32(p, ONTB_WIRE_IRQ_INFO_SIZE);
	ontb_put_le32(p + 8, index);
	if (index == ONTB_WIRE_IRQ_MSIX) {
		ontb_put_le32(p + 4, ONTB_WIRE_IRQ_F_EVENTFD | ONTB_WIRE_IRQ_F_MASKABLE);
		ontb_put_le32(p + 12, conn->ep->info.nr_vectors);
	}
	return 0;
}

static int handle_set_irqs(struct ontb_conn *conn, const struct ontb_rx_msg *msg, const char **why)
{
	struct ontb_wire_irq_set set;
	int ret;

	ret = ontb_wire_get_irq_set(msg->body, msg->len, &set, why);
	if (ret)
		return ret;
	if (msg->fds && msg->fds->nr > ONTB_VERSION_MAX_FDS)
		return ontb_refuse(why, -EINVAL, "more descriptors than were agreed upon");
	ret = ontb_irqs_set(&conn->irqs, &set, msg->fds ? msg->fds->fd : NULL, msg->fds ? msg->fds->nr : 0, why);
	if (ret)
		return ret;
	if (!ontb_start_reply(conn, msg, 0))
		return ontb_refuse(why, -ENOMEM, ONTB_NO_MEMORY);
	return 0;
}

static int handle_reset(struct ontb_conn *conn, const struct ontb_rx_msg *msg, const char **why)
{
	struct ontb_func *func = conn->ep->func;

	if (msg->len)
		return ontb_refuse(why, -EINVAL, "a body where none belongs");
	func->ops->reset(func);
	if (!ontb_start_reply(conn, msg, 0))
		return ontb_refuse(why, -ENOMEM, ONTB_NO_MEMORY);
	return 0;
}

/* No optional feature of VFIO is offered; Linux answers ENOTTY for those it does not know. */
static int handle_feature(struct ontb_conn *conn, const struct ontb_rx_msg *msg, const char **why)
{
	struct ontb_wire_feature feature;
	int ret;

	(void)conn;
	ret = ontb_wire_get_feature(msg->body, msg->len, &feature, why);
	return ret ? ret : ontb_refuse(why, -ENOTTY, "no such feature");
}

static int handle_wrong_way(struct ontb_conn *conn, const struct ontb_rx_msg *msg, const char **why)
{
	(void)conn;
	(void)msg;
	return ontb_refuse(why, -EINVAL, "a command that only a server sends");
}

static int handle_not_offered(struct ontb_conn *conn, const struct ontb_rx_msg *msg, const char **why)
{
	(void)conn;
	(void)msg;
	return ontb_refuse(why, -EOPNOTSUPP, "not offered");
}

/*
 * One row per command. is_outside: runs outside the batch's access. takes_fds: descriptors may come with it.
 */
static const struct {
	ontb_handler_fn *fn;
	bool is_outside;
	bool takes_fds;
} handlers[ONTB_WIRE_NR_CMDS] = {
	[ONTB_WIRE_VERSION] = { handle_version, true, false },
	[ONTB_WIRE_DMA_MAP] = { handle_dma_map, true, true },
	[ONTB_WIRE_DMA_UNMAP] = { handle_dma_unmap, true, false },
	[ONTB_WIRE_DEVICE_GET_INFO] = { handle_device_info, false, false },
	[ONTB_WIRE_DEVICE_GET_REGION_INFO] = { handle_region_info, false, false },
	[ONTB_WIRE_DEVICE_GET_REGION_IO_FDS] = { handle_region_fds, false, false },
	[ONTB_WIRE_DEVICE_GET_IRQ_INFO] = { handle_irq_info, false, false },
	[ONTB_WIRE_DEVICE_SET_IRQS] = { handle_set_irqs, false, true },
	[ONTB_WIRE_REGION_READ] = { ontb_handle_region_read, false, false },
	[ONTB_WIRE_REGION_WRITE] = { ontb_handle_region_write, false, false },
	[ONTB_WIRE_DMA_READ] = { handle_wrong_way, false, false },
	[ONTB_WIRE_DMA_WRITE] = { handle_wrong_way, false, false },
	[ONTB_WIRE_DEVICE_RESET] = { handle_reset, true, false },
	[ONTB_WIRE_DIRTY_PAGES] = { handle_not_offered, false, false },
	[ONTB_WIRE_REGION_WRITE_MULTI] = { ontb_handle_write_multi, false, false },
	[ONTB_WIRE_DEVICE_FEATURE] = { handle_feature, false, false },
	[ONTB_WIRE_MIG_DATA_READ] = { handle_not_offered, false, false },
	[ONTB_WIRE_MIG_DATA_WRITE] = { handle_not_offered, false, false },
};

static int check_command(const struct ontb_conn *conn, const struct ontb_rx_msg *msg, const char **why)
{
	const struct ontb_wire_hdr *hdr = &msg->hdr;

	if (ontb_unlikely(hdr->flags & ~(ONTB_WIRE_F_TYPE | ONTB_WIRE_F_NO_REPLY)))
		return ontb_refuse(why, -EINVAL, "flags that a command cannot have");
	if (ontb_unlikely(hdr->cmd >= ONTB_WIRE_NR_CMDS || !handlers[hdr->cmd].fn))
		return ontb_refuse(why, -EOPNOTSUPP, "no such command");
	if (ontb_unlikely(!conn->is_attached && hdr->cmd != ONTB_WIRE_VERSION))
		return ontb_refuse(why, -EPROTO, "no version has been agreed upon");
	if (ontb_unlikely(msg->fds)) {
		if (!handlers[hdr->cmd].takes_fds)
			return ontb_refuse(why, -EINVAL, "descriptors where none belong");
		if (msg->fds->is_cut)
			return ontb_refuse(why, -EMFILE, "not all of its descriptors could be received");
	}
	return 0;
}

static int run_handler(struct ontb_conn *conn, const struct ontb_rx_msg *msg, const char **why)
{
	const uint16_t cmd = msg->hdr.cmd;
	int ret;

	ret = check_command(conn, msg, why);
	if (ontb_unlikely(ret))
		return ret;
	if (!handlers[cmd].is_outside)
		return handlers[cmd].fn(conn, msg, why);
	ontb_conn_leave(conn);
	ret = handlers[cmd].fn(conn, msg, why);
	ontb_conn_enter(conn);
	return ret;
}

static void put_error(struct ontb_conn *conn, const struct ontb_wire_hdr *hdr, int err)
{
	uint8_t *p = ontb_conn_reserve(conn, ONTB_WIRE_HDR_SIZE);

	if (p)
		ontb_wire_put_error(p, hdr, err);
	else
		ontb_conn_kill(conn, ONTB_NO_MEMORY);
}

static void trace_message(struct ontb_conn *conn, const struct ontb_rx_msg *msg, uint64_t start_ns, int ret)
{
	const bool is_access = msg->hdr.cmd == ONTB_WIRE_REGION_READ || msg->hdr.cmd == ONTB_WIRE_REGION_WRITE;
	const bool has_access = is_access && msg->len >= ONTB_WIRE_REGION_RW_SIZE;
	const struct ontb_trace_event event = {
		.category = "wire",
		.name = ontb_wire_cmd_name(msg->hdr.cmd),
		.port_idx = conn->ep->port_idx,
		.start_ns = start_ns,
		.end_ns = ontb_clock_ns(),
		.args = { { "id", NULL, msg->hdr.id, false },
			  { "bytes", NULL, msg->hdr.size, false },
			  { "error", NULL, (uint64_t)-ret, false },
			  { has_access ? "region" : NULL, NULL, has_access ? ontb_get_le32(msg->body + 8) : 0, false },
			  { "offset", NULL, has_access ? ontb_get_le64(msg->body) : 0, true },
			  { "count", NULL, has_access ? ontb_get_le32(msg->body + 12) : 0, false } },
	};

	ontb_trace_emit(conn->ep->trace, &event);
}

/*
 * Close what was not kept. A filesystem in user space, which a descriptor may be of, is asked when one of its files is closed, and
 * answers when it likes; so nobody else waits for this meanwhile.
 */
static void close_fds(struct ontb_conn *conn, struct ontb_rx_fds *fds)
{
	ontb_conn_leave(conn);
	ontb_rx_close_fds(fds);
	ontb_conn_enter(conn);
}

void ontb_conn_dispatch(struct ontb_conn *conn, struct ontb_rx_msg *msg)
{
	const uint64_t start_ns = ontb_unlikely(conn->ep->trace) ? ontb_clock_ns() : 0;
	const size_t out_len = conn->out_len;
	const char *why = "";
	int ret = 0;

	ONTB_PROBE4(wire_message, conn->ep->port_idx, msg->hdr.cmd, msg->hdr.id, msg->hdr.size);
	if (ontb_unlikely((msg->hdr.flags & ONTB_WIRE_F_TYPE) == ONTB_WIRE_F_REPLY)) {
		ret = ontb_host_reply(conn, msg);
		if (!ret && msg->fds)
			ontb_conn_fail(conn, &msg->hdr, -EPROTO, "descriptors with a reply");
	} else {
		ret = run_handler(conn, msg, &why);
		if (ontb_unlikely(ret)) {
			conn->out_len = out_len;
			ontb_conn_fail(conn, &msg->hdr, ret, why);
			if (ontb_wants_reply(&msg->hdr))
				put_error(conn, &msg->hdr, ret);
		} else if (!ontb_wants_reply(&msg->hdr)) {
			conn->out_len = out_len;
		}
	}
	if (ontb_unlikely(msg->fds))
		close_fds(conn, msg->fds);
	if (ontb_unlikely(conn->ep->trace))
		trace_message(conn, msg, start_ns, ret);
}
