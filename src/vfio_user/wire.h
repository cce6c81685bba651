/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * The vfio-user messages as bytes: decode, check, encode. No I/O, no state, no allocation.
 *
 * Every message is a header of 16 bytes and a body, little endian. A decoder is given the body and its length as the
 * header told it, and either fills its structure completely or says what is wrong; nothing behind it needs to look at
 * lengths again. Layouts: vfio-user protocol specification 0.9.2, and Linux's <linux/vfio.h> for the structures it reuses.
 */
#ifndef ONTB_VFIO_USER_WIRE_H
#define ONTB_VFIO_USER_WIRE_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/annotate.h"
#include "base/bytes.h"

enum ontb_wire_cmd {
	ONTB_WIRE_VERSION = 1,
	ONTB_WIRE_DMA_MAP = 2,
	ONTB_WIRE_DMA_UNMAP = 3,
	ONTB_WIRE_DEVICE_GET_INFO = 4,
	ONTB_WIRE_DEVICE_GET_REGION_INFO = 5,
	ONTB_WIRE_DEVICE_GET_REGION_IO_FDS = 6,
	ONTB_WIRE_DEVICE_GET_IRQ_INFO = 7,
	ONTB_WIRE_DEVICE_SET_IRQS = 8,
	ONTB_WIRE_REGION_READ = 9,
	ONTB_WIRE_REGION_WRITE = 10,
	ONTB_WIRE_DMA_READ = 11,
	ONTB_WIRE_DMA_WRITE = 12,
	ONTB_WIRE_DEVICE_RESET = 13,
	ONTB_WIRE_DIRTY_PAGES = 14,
	ONTB_WIRE_REGION_WRITE_MULTI = 15,
	ONTB_WIRE_DEVICE_FEATURE = 16,
	ONTB_WIRE_MIG_DATA_READ = 17,
	ONTB_WIRE_MIG_DATA_WRITE = 18,
	ONTB_WIRE_NR_CMDS = 19,
};

/* Header flags; the low four bits are the type. */
#define ONTB_WIRE_F_TYPE     0xfU
#define ONTB_WIRE_F_COMMAND  0x0U
#define ONTB_WIRE_F_REPLY    0x1U
#define ONTB_WIRE_F_NO_REPLY 0x10U
#define ONTB_WIRE_F_ERROR    0x20U
#define ONTB_WIRE_F_KNOWN    0x3fU

/* Bytes of the header and of the fixed parts of bodies. */
#define ONTB_WIRE_HDR_SIZE	   16U
#define ONTB_WIRE_VERSION_SIZE	   4U
#define ONTB_WIRE_DMA_MAP_SIZE	   32U
#define ONTB_WIRE_DMA_UNMAP_SIZE   24U
#define ONTB_WIRE_DEVICE_INFO_SIZE 16U
#define ONTB_WIRE_REGION_INFO_SIZE 32U
#define ONTB_WIRE_REGION_FDS_SIZE  16U
#define ONTB_WIRE_IRQ_INFO_SIZE	   16U
#define ONTB_WIRE_IRQ_SET_SIZE	   20U
#define ONTB_WIRE_REGION_RW_SIZE   16U
#define ONTB_WIRE_DMA_RW_SIZE	   16U
#define ONTB_WIRE_MULTI_SIZE	   8U
#define ONTB_WIRE_MULTI_ONE_SIZE   24U
#define ONTB_WIRE_MULTI_MAX_DATA   8U
#define ONTB_WIRE_FEATURE_SIZE	   8U

/* What a message can be longer than its data; also the least room that any command gets. */
#define ONTB_WIRE_SLACK 4096U

/* PCI regions and interrupt kinds, as <linux/vfio.h> numbers them. */
#define ONTB_WIRE_REGION_CONFIG 7U
#define ONTB_WIRE_NR_REGIONS	9U
#define ONTB_WIRE_IRQ_MSIX	2U
#define ONTB_WIRE_NR_IRQ_KINDS	5U

#define ONTB_WIRE_DEVICE_F_RESET   0x1U
#define ONTB_WIRE_DEVICE_F_PCI	   0x2U
#define ONTB_WIRE_REGION_F_READ	   0x1U
#define ONTB_WIRE_REGION_F_WRITE   0x2U
#define ONTB_WIRE_IRQ_F_EVENTFD	   0x1U
#define ONTB_WIRE_IRQ_F_MASKABLE   0x2U
#define ONTB_WIRE_MAP_F_READ	   0x1U
#define ONTB_WIRE_MAP_F_WRITE	   0x2U
#define ONTB_WIRE_MAP_F_MMAP	   0x4U
#define ONTB_WIRE_UNMAP_F_BITMAP   0x1U
#define ONTB_WIRE_UNMAP_F_ALL	   0x2U
#define ONTB_WIRE_IRQ_DATA_NONE	   0x01U
#define ONTB_WIRE_IRQ_DATA_BOOL	   0x02U
#define ONTB_WIRE_IRQ_DATA_EVENTFD 0x04U
#define ONTB_WIRE_IRQ_DATA	   0x07U
#define ONTB_WIRE_IRQ_MASK	   0x08U
#define ONTB_WIRE_IRQ_UNMASK	   0x10U
#define ONTB_WIRE_IRQ_TRIGGER	   0x20U
#define ONTB_WIRE_IRQ_ACTION	   0x38U

/**
 * struct ontb_wire_hdr - header of a message
 * @id:    Chosen by the sender of a command, copied into the reply.
 * @cmd:   enum ontb_wire_cmd.
 * @size:  Bytes of the message, header and all.
 * @flags: ONTB_WIRE_F_*.
 * @error: errno value, in a reply with ONTB_WIRE_F_ERROR.
 */
struct ontb_wire_hdr {
	uint16_t id;
	uint16_t cmd;
	uint32_t size;
	uint32_t flags;
	uint32_t error;
};

struct ontb_wire_dma_map {
	uint32_t flags;
	uint64_t offset;
	uint64_t addr;
	uint64_t size;
};

struct ontb_wire_dma_unmap {
	uint32_t flags;
	uint64_t addr;
	uint64_t size;
};

/**
 * struct ontb_wire_irq_set - a SET_IRQS request
 * @flags: One of ONTB_WIRE_IRQ_DATA_* and one of MASK, UNMASK, TRIGGER.
 * @index: Kind of interrupt, below ONTB_WIRE_NR_IRQ_KINDS.
 * @start: First vector.
 * @count: Vectors; @start + @count does not overflow.
 * @bools: One byte per vector if the data is BOOL, otherwise NULL.
 */
struct ontb_wire_irq_set {
	uint32_t flags;
	uint32_t index;
	uint32_t start;
	uint32_t count;
	const uint8_t *bools;
};

/**
 * struct ontb_wire_region_rw - a REGION_READ or REGION_WRITE request
 * @offset: First byte in the region.
 * @region: Region, below ONTB_WIRE_NR_REGIONS.
 * @count:  Bytes, at least 1.
 * @data:   The bytes of a write, NULL for a read.
 */
struct ontb_wire_region_rw {
	uint64_t offset;
	uint32_t region;
	uint32_t count;
	const uint8_t *data;
};

struct ontb_wire_feature {
	uint32_t argsz;
	uint32_t flags;
};

/**
 * ontb_wire_hdr_get() - read a header
 * @p:   16 bytes.
 * @hdr: OUT.
 */
static inline void ontb_wire_hdr_get(const uint8_t *p, struct ontb_wire_hdr *hdr)
{
	hdr->id = ontb_get_le16(p);
	hdr->cmd = ontb_get_le16(p + 2);
	hdr->size = ontb_get_le32(p + 4);
	hdr->flags = ontb_get_le32(p + 8);
	hdr->error = ontb_get_le32(p + 12);
}

/**
 * ontb_wire_hdr_put() - write a header
 * @p:   OUT, 16 bytes.
 * @hdr: Header.
 */
static inline void ontb_wire_hdr_put(uint8_t *p, const struct ontb_wire_hdr *hdr)
{
	ontb_put_le16(p, hdr->id);
	ontb_put_le16(p + 2, hdr->cmd);
	ontb_put_le32(p + 4, hdr->size);
	ontb_put_le32(p + 8, hdr->flags);
	ontb_put_le32(p + 12, hdr->error);
}

/**
 * ontb_wire_frame_is_ok() - whether the stream can be followed past this header
 * @hdr:      Header.
 * @max_size: Largest message that is taken.
 *
 * Return: False if the size is impossible or the type unknown; then where the next message starts is unknown too.
 */
static inline bool ontb_wire_frame_is_ok(const struct ontb_wire_hdr *hdr, size_t max_size)
{
	return hdr->size >= ONTB_WIRE_HDR_SIZE && hdr->size <= max_size &&
	       (hdr->flags & ONTB_WIRE_F_TYPE) <= ONTB_WIRE_F_REPLY;
}

/**
 * ontb_wire_region_rw_error() - what is wrong with a REGION_READ or REGION_WRITE; part of ontb_wire_get_region_rw()
 * @body:     Body.
 * @len:      Its length.
 * @is_write: Which of the two.
 *
 * Return: Constant text.
 */
const char *ontb_wire_region_rw_error(const uint8_t *body, size_t len, bool is_write);

/**
 * ontb_wire_get_region_rw() - decode REGION_READ or REGION_WRITE
 * @body:     Body.
 * @len:      Its length.
 * @is_write: Which of the two.
 * @out:      OUT.
 * @why:      OUT, constant text that says what is wrong, written on failure.
 *
 * Inline because posted writes are what a host sends most.
 *
 * Return: 0, or -EINVAL.
 */
static inline int ontb_wire_get_region_rw(const uint8_t *body, size_t len, bool is_write,
					  struct ontb_wire_region_rw *out, const char **why)
{
	struct ontb_wire_region_rw rw;

	if (ontb_unlikely(len < ONTB_WIRE_REGION_RW_SIZE)) {
		*why = ontb_wire_region_rw_error(body, len, is_write);
		return -EINVAL;
	}
	rw.offset = ontb_get_le64(body);
	rw.region = ontb_get_le32(body + 8);
	rw.count = ontb_get_le32(body + 12);
	rw.data = is_write ? body + ONTB_WIRE_REGION_RW_SIZE : NULL;
	if (ontb_unlikely(!rw.count || rw.region >= ONTB_WIRE_NR_REGIONS ||
			  len - ONTB_WIRE_REGION_RW_SIZE != (is_write ? rw.count : 0))) {
		*why = ontb_wire_region_rw_error(body, len, is_write);
		return -EINVAL;
	}
	*out = rw;
	return 0;
}

/**
 * ontb_wire_get_dma_map() - decode DMA_MAP
 * @body: Body.
 * @len:  Its length.
 * @out:  OUT; the range is not empty and does not wrap, at least one of READ and WRITE is set.
 * @why:  OUT, constant text, written on failure.
 *
 * Return: 0, -EINVAL, or -EOPNOTSUPP for a way of access that is not offered.
 */
int ontb_wire_get_dma_map(const uint8_t *body, size_t len, struct ontb_wire_dma_map *out, const char **why)
	ONTB_MUST_CHECK;

/**
 * ontb_wire_get_dma_unmap() - decode DMA_UNMAP
 * @body: Body.
 * @len:  Its length.
 * @out:  OUT; with ONTB_WIRE_UNMAP_F_ALL both address and size are 0, otherwise the range is not empty and does not wrap.
 * @why:  OUT, constant text, written on failure.
 *
 * Return: 0, -EINVAL, or -EOPNOTSUPP (dirty bitmap).
 */
int ontb_wire_get_dma_unmap(const uint8_t *body, size_t len, struct ontb_wire_dma_unmap *out, const char **why)
	ONTB_MUST_CHECK;

/**
 * ontb_wire_get_device_info() - check DEVICE_GET_INFO
 * @body: Body.
 * @len:  Its length.
 * @why:  OUT, constant text, written on failure.
 *
 * Return: 0, or -EINVAL.
 */
int ontb_wire_get_device_info(const uint8_t *body, size_t len, const char **why) ONTB_MUST_CHECK;

/**
 * ontb_wire_get_region_info() - decode DEVICE_GET_REGION_INFO
 * @body:   Body.
 * @len:    Its length.
 * @region: OUT, below ONTB_WIRE_NR_REGIONS.
 * @why:    OUT, constant text, written on failure.
 *
 * Return: 0, or -EINVAL.
 */
int ontb_wire_get_region_info(const uint8_t *body, size_t len, uint32_t *region, const char **why) ONTB_MUST_CHECK;

/**
 * ontb_wire_get_region_fds() - decode DEVICE_GET_REGION_IO_FDS
 * @body:   Body.
 * @len:    Its length.
 * @region: OUT, below ONTB_WIRE_NR_REGIONS.
 * @why:    OUT, constant text, written on failure.
 *
 * Return: 0, or -EINVAL.
 */
int ontb_wire_get_region_fds(const uint8_t *body, size_t len, uint32_t *region, const char **why) ONTB_MUST_CHECK;

/**
 * ontb_wire_get_irq_info() - decode DEVICE_GET_IRQ_INFO
 * @body:  Body.
 * @len:   Its length.
 * @index: OUT, below ONTB_WIRE_NR_IRQ_KINDS.
 * @why:   OUT, constant text, written on failure.
 *
 * Return: 0, or -EINVAL.
 */
int ontb_wire_get_irq_info(const uint8_t *body, size_t len, uint32_t *index, const char **why) ONTB_MUST_CHECK;

/**
 * ontb_wire_get_irq_set() - decode DEVICE_SET_IRQS
 * @body: Body.
 * @len:  Its length.
 * @out:  OUT; @out->bools points into @body.
 * @why:  OUT, constant text, written on failure.
 *
 * Return: 0, or -EINVAL.
 */
int ontb_wire_get_irq_set(const uint8_t *body, size_t len, struct ontb_wire_irq_set *out, const char **why)
	ONTB_MUST_CHECK;

/**
 * ontb_wire_get_multi() - decode REGION_WRITE_MULTI
 * @body:  Body.
 * @len:   Its length.
 * @count: OUT, how many writes, at least 1; each has been checked, get them with ontb_wire_multi_one().
 * @why:   OUT, constant text, written on failure.
 *
 * Return: 0, or -EINVAL.
 */
int ontb_wire_get_multi(const uint8_t *body, size_t len, uint64_t *count, const char **why) ONTB_MUST_CHECK;

/**
 * ontb_wire_multi_one() - one write of a checked REGION_WRITE_MULTI
 * @body: Body that ontb_wire_get_multi() accepted.
 * @idx:  Which, below the count.
 * @out:  OUT.
 */
static inline void ontb_wire_multi_one(const uint8_t *body, uint64_t idx, struct ontb_wire_region_rw *out)
{
	const uint8_t *p = body + ONTB_WIRE_MULTI_SIZE + idx * ONTB_WIRE_MULTI_ONE_SIZE;

	out->offset = ontb_get_le64(p);
	out->region = ontb_get_le32(p + 8);
	out->count = ontb_get_le32(p + 12);
	out->data = p + 16;
}

/**
 * ontb_wire_get_feature() - decode DEVICE_FEATURE
 * @body: Body.
 * @len:  Its length.
 * @out:  OUT.
 * @why:  OUT, constant text, written on failure.
 *
 * Return: 0, or -EINVAL.
 */
int ontb_wire_get_feature(const uint8_t *body, size_t len, struct ontb_wire_feature *out, const char **why)
	ONTB_MUST_CHECK;

/**
 * ontb_wire_get_dma_read_reply() - decode the reply to our DMA_READ
 * @hdr:   Header; has the REPLY type.
 * @body:  Body.
 * @len:   Its length.
 * @addr:  Address that was asked for.
 * @count: Bytes that were asked for.
 * @data:  OUT, the data inside @body.
 * @why:   OUT, constant text, written on failure.
 *
 * Return: 0; -EFAULT if the client says that it failed; or -EPROTO if the reply does not fit the request.
 */
int ontb_wire_get_dma_read_reply(const struct ontb_wire_hdr *hdr, const uint8_t *body, size_t len, uint64_t addr,
				 uint64_t count, const uint8_t **data, const char **why) ONTB_MUST_CHECK;

/**
 * ontb_wire_put_reply() - write the header of a reply
 * @p:    OUT, 16 bytes.
 * @req:  Header of the request.
 * @body: Bytes of the body that follows.
 */
static inline void ontb_wire_put_reply(uint8_t *p, const struct ontb_wire_hdr *req, size_t body)
{
	const struct ontb_wire_hdr hdr = {
		.id = req->id,
		.cmd = req->cmd,
		.size = (uint32_t)(ONTB_WIRE_HDR_SIZE + body),
		.flags = ONTB_WIRE_F_REPLY,
	};

	ontb_wire_hdr_put(p, &hdr);
}

/**
 * ontb_wire_put_error() - write an error reply, a header without body
 * @p:   OUT, 16 bytes.
 * @req: Header of the request.
 * @err: Error of this library, negative.
 *
 * Values that have no meaning for a VFIO client (-ERANGE, -EPROTO, -EMSGSIZE) become EINVAL.
 */
void ontb_wire_put_error(uint8_t *p, const struct ontb_wire_hdr *req, int err);

/**
 * ontb_wire_put_region_rw() - write the fixed part of a region access's reply
 * @p:  OUT, ONTB_WIRE_REGION_RW_SIZE bytes.
 * @rw: The request.
 */
void ontb_wire_put_region_rw(uint8_t *p, const struct ontb_wire_region_rw *rw);

/**
 * ontb_wire_put_dma() - write header and fixed part of our DMA_READ or DMA_WRITE
 * @p:     OUT, ONTB_WIRE_HDR_SIZE + ONTB_WIRE_DMA_RW_SIZE bytes.
 * @cmd:   ONTB_WIRE_DMA_READ or ONTB_WIRE_DMA_WRITE, the latter with ONTB_WIRE_F_NO_REPLY.
 * @id:    Message id.
 * @addr:  Address in the client.
 * @count: Bytes; for a write they follow.
 */
void ontb_wire_put_dma(uint8_t *p, enum ontb_wire_cmd cmd, uint16_t id, uint64_t addr, uint32_t count);

/**
 * ontb_wire_cmd_takes_fds() - whether descriptors can belong to a command
 * @hdr: Header.
 *
 * Return: True for the commands DMA_MAP and DEVICE_SET_IRQS.
 */
bool ontb_wire_cmd_takes_fds(const struct ontb_wire_hdr *hdr);

/**
 * ontb_wire_cmd_name() - name of a command for logs
 * @cmd: Any number.
 *
 * Return: Constant text, "unknown command" for numbers without a meaning.
 */
const char *ontb_wire_cmd_name(unsigned int cmd);

#endif
