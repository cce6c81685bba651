// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * The vfio-user messages as bytes. See wire.h.
 */
#include "vfio_user/wire.h"

static const char *const cmd_names[ONTB_WIRE_NR_CMDS] = {
	[ONTB_WIRE_VERSION] = "VERSION",
	[ONTB_WIRE_DMA_MAP] = "DMA_MAP",
	[ONTB_WIRE_DMA_UNMAP] = "DMA_UNMAP",
	[ONTB_WIRE_DEVICE_GET_INFO] = "DEVICE_GET_INFO",
	[ONTB_WIRE_DEVICE_GET_REGION_INFO] = "DEVICE_GET_REGION_INFO",
	[ONTB_WIRE_DEVICE_GET_REGION_IO_FDS] = "DEVICE_GET_REGION_IO_FDS",
	[ONTB_WIRE_DEVICE_GET_IRQ_INFO] = "DEVICE_GET_IRQ_INFO",
	[ONTB_WIRE_DEVICE_SET_IRQS] = "DEVICE_SET_IRQS",
	[ONTB_WIRE_REGION_READ] = "REGION_READ",
	[ONTB_WIRE_REGION_WRITE] = "REGION_WRITE",
	[ONTB_WIRE_DMA_READ] = "DMA_READ",
	[ONTB_WIRE_DMA_WRITE] = "DMA_WRITE",
	[ONTB_WIRE_DEVICE_RESET] = "DEVICE_RESET",
	[ONTB_WIRE_DIRTY_PAGES] = "DIRTY_PAGES",
	[ONTB_WIRE_REGION_WRITE_MULTI] = "REGION_WRITE_MULTI",
	[ONTB_WIRE_DEVICE_FEATURE] = "DEVICE_FEATURE",
	[ONTB_WIRE_MIG_DATA_READ] = "MIG_DATA_READ",
	[ONTB_WIRE_MIG_DATA_WRITE] = "MIG_DATA_WRITE",
};

static int refuse(const char **why, int err, const char *text)
{
	*why = text;
	return err;
}

const char *ontb_wire_region_rw_error(const uint8_t *body, size_t len, bool is_write)
{
	uint32_t count;

	if (len < ONTB_WIRE_REGION_RW_SIZE)
		return "body shorter than offset, region and count";
	count = ontb_get_le32(body + 12);
	if (!count)
		return "count is 0";
	if (ontb_get_le32(body + 8) >= ONTB_WIRE_NR_REGIONS)
		return "no such region";
	if (!is_write)
		return "data behind a read request";
	return len - ONTB_WIRE_REGION_RW_SIZE < count ? "less data than count" : "more data than count";
}

int ontb_wire_get_dma_map(const uint8_t *body, size_t len, struct ontb_wire_dma_map *out, const char **why)
{
	struct ontb_wire_dma_map map;

	if (len != ONTB_WIRE_DMA_MAP_SIZE)
		return refuse(why, -EINVAL, "body is not 32 bytes");
	if (ontb_get_le32(body) < ONTB_WIRE_DMA_MAP_SIZE)
		return refuse(why, -EINVAL, "argsz below 32");
	map.flags = ontb_get_le32(body + 4);
	map.offset = ontb_get_le64(body + 8);
	map.addr = ontb_get_le64(body + 16);
	map.size = ontb_get_le64(body + 24);
	if (map.flags & ~(ONTB_WIRE_MAP_F_READ | ONTB_WIRE_MAP_F_WRITE | ONTB_WIRE_MAP_F_MMAP))
		return refuse(why, -EOPNOTSUPP, "unknown flags");
	if (!(map.flags & (ONTB_WIRE_MAP_F_READ | ONTB_WIRE_MAP_F_WRITE)))
		return refuse(why, -EINVAL, "neither readable nor writable");
	if (!map.size)
		return refuse(why, -EINVAL, "size is 0");
	if (map.addr + (map.size - 1) < map.addr)
		return refuse(why, -EINVAL, "address plus size overflows");
	if (map.offset + (map.size - 1) < map.offset)
		return refuse(why, -EINVAL, "offset plus size overflows");
	*out = map;
	return 0;
}

int ontb_wire_get_dma_unmap(const uint8_t *body, size_t len, struct ontb_wire_dma_unmap *out, const char **why)
{
	struct ontb_wire_dma_unmap unmap;

	if (len < ONTB_WIRE_DMA_UNMAP_SIZE)
		return refuse(why, -EINVAL, "body shorter than 24 bytes");
	if (ontb_get_le32(body) < ONTB_WIRE_DMA_UNMAP_SIZE)
		return refuse(why, -EINVAL, "argsz below 24");
	unmap.flags = ontb_get_le32(body + 4);
	unmap.addr = ontb_get_le64(body + 8);
	unmap.size = ontb_get_le64(body + 16);
	if (unmap.flags & ~(ONTB_WIRE_UNMAP_F_BITMAP | ONTB_WIRE_UNMAP_F_ALL))
		return refuse(why, -EINVAL, "unknown flags");
	if (unmap.flags & ONTB_WIRE_UNMAP_F_BITMAP)
		return refuse(why, -EOPNOTSUPP, "dirty bitmaps are not kept");
	if (len != ONTB_WIRE_DMA_UNMAP_SIZE)
		return refuse(why, -EINVAL, "body longer than 24 bytes");
	if (unmap.flags & ONTB_WIRE_UNMAP_F_ALL) {
		if (unmap.addr || unmap.size)
			return refuse(why, -EINVAL, "address or size given together with the flag for all");
	} else if (!unmap.size) {
		return refuse(why, -EINVAL, "size is 0");
	} else if (unmap.addr + (unmap.size - 1) < unmap.addr) {
		return refuse(why, -EINVAL, "address plus size overflows");
	}
	*out = unmap;
	return 0;
}

int ontb_wire_get_device_info(const uint8_t *body, size_t len, const char **why)
{
	if (len != ONTB_WIRE_DEVICE_INFO_SIZE)
		return refuse(why, -EINVAL, "body is not 16 bytes");
	if (ontb_get_le32(body) < ONTB_WIRE_DEVICE_INFO_SIZE)
		return refuse(why, -EINVAL, "argsz below 16");
	return 0;
}

int ontb_wire_get_region_info(const uint8_t *body, size_t len, uint32_t *region, const char **why)
{
	uint32_t index;

	if (len != ONTB_WIRE_REGION_INFO_SIZE)
		return refuse(why, -EINVAL, "body is not 32 bytes");
	if (ontb_get_le32(body) < ONTB_WIRE_REGION_INFO_SIZE)
		return refuse(why, -EINVAL, "argsz below 32");
	index = ontb_get_le32(body + 8);
	if (index >= ONTB_WIRE_NR_REGIONS)
		return refuse(why, -EINVAL, "no such region");
	*region = index;
	return 0;
}

int ontb_wire_get_region_fds(const uint8_t *body, size_t len, uint32_t *region, const char **why)
{
	uint32_t index;

	if (len != ONTB_WIRE_REGION_FDS_SIZE)
		return refuse(why, -EINVAL, "body is not 16 bytes");
	if (ontb_get_le32(body) < ONTB_WIRE_REGION_FDS_SIZE)
		return refuse(why, -EINVAL, "argsz below 16");
	if (ontb_get_le32(body + 4))
		return refuse(why, -EINVAL, "unknown flags");
	index = ontb_get_le32(body + 8);
	if (index >= ONTB_WIRE_NR_REGIONS)
		return refuse(why, -EINVAL, "no such region");
	if (ontb_get_le32(body + 12))
		return refuse(why, -EINVAL, "count is not 0");
	*region = index;
	return 0;
}

int ontb_wire_get_irq_info(const uint8_t *body, size_t len, uint32_t *index, const char **why)
{
	uint32_t idx;

	if (len != ONTB_WIRE_IRQ_INFO_SIZE)
		return refuse(why, -EINVAL, "body is not 16 bytes");
	if (ontb_get_le32(body) < ONTB_WIRE_IRQ_INFO_SIZE)
		return refuse(why, -EINVAL, "argsz below 16");
	idx = ontb_get_le32(body + 8);
	if (idx >= ONTB_WIRE_NR_IRQ_KINDS)
		return refuse(why, -EINVAL, "no such kind of interrupt");
	*index = idx;
	return 0;
}

static bool is_one_bit(uint32_t v)
{
	return ontb_is_power_of_two(v);
}

int ontb_wire_get_irq_set(const uint8_t *body, size_t len, struct ontb_wire_irq_set *out, const char **why)
{
	struct ontb_wire_irq_set set;
	uint32_t argsz;
	size_t extra;

	if (len < ONTB_WIRE_IRQ_SET_SIZE)
		return refuse(why, -EINVAL, "body shorter than 20 bytes");
	argsz = ontb_get_le32(body);
	set.flags = ontb_get_le32(body + 4);
	set.index = ontb_get_le32(body + 8);
	set.start = ontb_get_le32(body + 12);
	set.count = ontb_get_le32(body + 16);
	if (argsz < ONTB_WIRE_IRQ_SET_SIZE)
		return refuse(why, -EINVAL, "argsz below 20");
	if (set.flags & ~(ONTB_WIRE_IRQ_DATA | ONTB_WIRE_IRQ_ACTION))
		return refuse(why, -EINVAL, "unknown flags");
	if (!is_one_bit(set.flags & ONTB_WIRE_IRQ_DATA))
		return refuse(why, -EINVAL, "not exactly one kind of data");
	if (!is_one_bit(set.flags & ONTB_WIRE_IRQ_ACTION))
		return refuse(why, -EINVAL, "not exactly one action");
	if (set.index >= ONTB_WIRE_NR_IRQ_KINDS)
		return refuse(why, -EINVAL, "no such kind of interrupt");
	if (set.start + set.count < set.start)
		return refuse(why, -EINVAL, "start plus count overflows");
	extra = (set.flags & ONTB_WIRE_IRQ_DATA_BOOL) ? set.count : 0;
	if (argsz - ONTB_WIRE_IRQ_SET_SIZE < extra)
		return refuse(why, -EINVAL, "argsz leaves no room for the data");
	if (len - ONTB_WIRE_IRQ_SET_SIZE != extra)
		return refuse(why, -EINVAL, "body does not fit count");
	set.bools = extra ? body + ONTB_WIRE_IRQ_SET_SIZE : NULL;
	*out = set;
	return 0;
}

int ontb_wire_get_multi(const uint8_t *body, size_t len, uint64_t *count, const char **why)
{
	struct ontb_wire_region_rw rw;
	uint64_t nr;

	if (len < ONTB_WIRE_MULTI_SIZE)
		return refuse(why, -EINVAL, "body shorter than the number of writes");
	nr = ontb_get_le64(body);
	if (!nr)
		return refuse(why, -EINVAL, "no writes");
	if ((len - ONTB_WIRE_MULTI_SIZE) % ONTB_WIRE_MULTI_ONE_SIZE ||
	    (len - ONTB_WIRE_MULTI_SIZE) / ONTB_WIRE_MULTI_ONE_SIZE != nr)
		return refuse(why, -EINVAL, "body does not fit the number of writes");
	for (uint64_t i = 0; i < nr; i++) {
		ontb_wire_multi_one(body, i, &rw);
		if (rw.region >= ONTB_WIRE_NR_REGIONS)
			return refuse(why, -EINVAL, "no such region");
		if (!rw.count || rw.count > ONTB_WIRE_MULTI_MAX_DATA)
			return refuse(why, -EINVAL, "count is not 1 to 8");
	}
	*count = nr;
	return 0;
}

int ontb_wire_get_feature(const uint8_t *body, size_t len, struct ontb_wire_feature *out, const char **why)
{
	if (len < ONTB_WIRE_FEATURE_SIZE)
		return refuse(why, -EINVAL, "body shorter than 8 bytes");
	if (ontb_get_le32(body) < ONTB_WIRE_FEATURE_SIZE)
		return refuse(why, -EINVAL, "argsz below 8");
	out->argsz = ontb_get_le32(body);
	out->flags = ontb_get_le32(body + 4);
	return 0;
}

int ontb_wire_get_dma_read_reply(const struct ontb_wire_hdr *hdr, const uint8_t *body, size_t len, uint64_t addr,
				 uint64_t count, const uint8_t **data, const char **why)
{
	if (hdr->cmd != ONTB_WIRE_DMA_READ)
		return refuse(why, -EPROTO, "reply names another command than the request");
	if (hdr->flags & ONTB_WIRE_F_ERROR)
		return refuse(why, -EFAULT, "the client reports an error");
	if (len < ONTB_WIRE_DMA_RW_SIZE)
		return refuse(why, -EPROTO, "body shorter than 16 bytes");
	if (ontb_get_le64(body) != addr || ontb_get_le64(body + 8) != count)
		return refuse(why, -EPROTO, "address or count differ from the request");
	if (len - ONTB_WIRE_DMA_RW_SIZE != count)
		return refuse(why, -EPROTO, "data does not fit count");
	*data = body + ONTB_WIRE_DMA_RW_SIZE;
	return 0;
}

void ontb_wire_put_error(uint8_t *p, const struct ontb_wire_hdr *req, int err)
{
	struct ontb_wire_hdr hdr = {
		.id = req->id,
		.cmd = req->cmd,
		.size = ONTB_WIRE_HDR_SIZE,
		.flags = ONTB_WIRE_F_REPLY | ONTB_WIRE_F_ERROR,
	};

	if (err == -ERANGE || err == -EPROTO || err == -EMSGSIZE)
		err = -EINVAL;
	hdr.error = (uint32_t)-err;
	ontb_wire_hdr_put(p, &hdr);
}

void ontb_wire_put_region_rw(uint8_t *p, const struct ontb_wire_region_rw *rw)
{
	ontb_put_le64(p, rw->offset);
	ontb_put_le32(p + 8, rw->region);
	ontb_put_le32(p + 12, rw->count);
}

void ontb_wire_put_dma(uint8_t *p, enum ontb_wire_cmd cmd, uint16_t id, uint64_t addr, uint32_t count)
{
	const bool is_write = cmd == ONTB_WIRE_DMA_WRITE;
	const struct ontb_wire_hdr hdr = {
		.id = id,
		.cmd = (uint16_t)cmd,
		.size = ONTB_WIRE_HDR_SIZE + ONTB_WIRE_DMA_RW_SIZE + (is_write ? count : 0),
		.flags = is_write ? ONTB_WIRE_F_NO_REPLY : 0,
	};

	ontb_wire_hdr_put(p, &hdr);
	ontb_put_le64(p + ONTB_WIRE_HDR_SIZE, addr);
	ontb_put_le64(p + ONTB_WIRE_HDR_SIZE + 8, count);
}

bool ontb_wire_cmd_takes_fds(const struct ontb_wire_hdr *hdr)
{
	return (hdr->flags & ONTB_WIRE_F_TYPE) == ONTB_WIRE_F_COMMAND &&
	       (hdr->cmd == ONTB_WIRE_DMA_MAP || hdr->cmd == ONTB_WIRE_DEVICE_SET_IRQS);
}

const char *ontb_wire_cmd_name(unsigned int cmd)
{
	return cmd < ONTB_WIRE_NR_CMDS && cmd_names[cmd] ? cmd_names[cmd] : "unknown command";
}
