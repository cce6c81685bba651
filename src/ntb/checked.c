// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * The operations of a bridge with their arguments checked.
 *
 * Each function tests the operation that it calls, no other one, and what is missing is an error. That is dull, and easy to
 * get wrong in one place of thirty: tests/unit/ntb/test_ntb_core.c goes through all of them with a table.
 */
#include <errno.h>

#include "base/bytes.h"
#include "ntb/core.h"

static bool is_peer(const struct ontb_ntb *ntb, unsigned int peer)
{
	return peer < ntb->config.nr_peers;
}

static bool is_window(const struct ontb_ntb *ntb, unsigned int peer, unsigned int window)
{
	return is_peer(ntb, peer) && window < ntb->config.nr_windows;
}

int ontb_ntb_link_enable(struct ontb_ntb *ntb)
{
	return ntb->config.ops->link_enable(ntb);
}

void ontb_ntb_link_disable(struct ontb_ntb *ntb)
{
	ntb->config.ops->link_disable(ntb);
}

bool ontb_ntb_link_is_up(struct ontb_ntb *ntb, unsigned int peer)
{
	return is_peer(ntb, peer) && ntb->config.ops->link_is_up(ntb, peer);
}

int ontb_ntb_window_limits(struct ontb_ntb *ntb, unsigned int peer, unsigned int window, struct ontb_ntb_window *limits)
{
	if (!is_window(ntb, peer, window))
		return -ERANGE;
	return ntb->config.ops->window_limits(ntb, peer, window, limits);
}

static bool is_within(const struct ontb_ntb_window *limits, uint64_t addr, uint64_t size)
{
	uint64_t align;

	if (!size || size > limits->size_max || addr + (size - 1) < addr)
		return false;
	if (limits->size_align && size % limits->size_align)
		return false;
	align = limits->addr_align ? limits->addr_align : ontb_round_up_to_power(size); /* 0: 2^64 */
	return align ? addr % align == 0 : !addr;
}

int ontb_ntb_window_open(struct ontb_ntb *ntb, unsigned int peer, unsigned int window, uint64_t addr, uint64_t size)
{
	struct ontb_ntb_window limits;
	int ret;

	ret = ontb_ntb_window_limits(ntb, peer, window, &limits);
	if (ret)
		return ret;
	if (!is_within(&limits, addr, size))
		return -EINVAL;
	return ntb->config.ops->window_open(ntb, peer, window, addr, size);
}

int ontb_ntb_window_close(struct ontb_ntb *ntb, unsigned int peer, unsigned int window)
{
	if (!is_window(ntb, peer, window))
		return -ERANGE;
	return ntb->config.ops->window_close(ntb, peer, window);
}

uint64_t ontb_ntb_peer_window_size(struct ontb_ntb *ntb, unsigned int peer, unsigned int window)
{
	return is_window(ntb, peer, window) ? ntb->config.ops->peer_window_size(ntb, peer, window) : 0;
}

/* Whether an access to an outbound window may go on. */
static int check_access(struct ontb_ntb *ntb, unsigned int peer, unsigned int window, uint64_t offset, size_t len)
{
	if (!is_window(ntb, peer, window) ||
	    !ontb_range_fits(offset, len, ntb->config.ops->peer_window_size(ntb, peer, window)))
		return -ERANGE;
	return 0;
}

static int check_link(struct ontb_ntb *ntb, unsigned int peer)
{
	return ntb->config.ops->link_is_up(ntb, peer) ? 0 : -ENOLINK;
}

int ontb_ntb_peer_write32(struct ontb_ntb *ntb, unsigned int peer, unsigned int window, uint64_t offset, uint32_t value)
{
	int ret = check_access(ntb, peer, window, offset, sizeof(value));

	if (ret)
		return ret;
	if (offset % sizeof(value))
		return -EINVAL;
	ret = check_link(ntb, peer);
	if (!ret)
		ntb->config.ops->peer_write32(ntb, peer, window, offset, value);
	return ret;
}

int ontb_ntb_peer_write(struct ontb_ntb *ntb, unsigned int peer, unsigned int window, uint64_t offset, const void *buf,
			size_t len)
{
	int ret = check_access(ntb, peer, window, offset, len);

	if (!ret)
		ret = check_link(ntb, peer);
	if (!ret)
		ntb->config.ops->peer_write(ntb, peer, window, offset, buf, len);
	return ret;
}

int ontb_ntb_peer_read(struct ontb_ntb *ntb, unsigned int peer, unsigned int window, uint64_t offset, void *buf,
		       size_t len)
{
	int ret = check_access(ntb, peer, window, offset, len);

	if (!ret)
		ret = check_link(ntb, peer);
	if (!ret)
		ntb->config.ops->peer_read(ntb, peer, window, offset, buf, len);
	return ret;
}

uint64_t ontb_ntb_db_valid(struct ontb_ntb *ntb)
{
	return ntb->config.ops->db_valid ? ntb->config.ops->db_valid(ntb) : 0;
}

uint64_t ontb_ntb_db_read(struct ontb_ntb *ntb)
{
	return ntb->config.ops->db_read ? ntb->config.ops->db_read(ntb) : 0;
}

int ontb_ntb_db_clear(struct ontb_ntb *ntb, uint64_t bits)
{
	if (!ntb->config.ops->db_clear)
		return -EOPNOTSUPP;
	if (bits & ~ontb_ntb_db_valid(ntb))
		return -ERANGE;
	ntb->config.ops->db_clear(ntb, bits);
	return 0;
}

int ontb_ntb_db_mask(struct ontb_ntb *ntb, uint64_t bits)
{
	if (!ntb->config.ops->db_mask)
		return -EOPNOTSUPP;
	if (bits & ~ontb_ntb_db_valid(ntb))
		return -ERANGE;
	ntb->config.ops->db_mask(ntb, bits);
	return 0;
}

int ontb_ntb_db_unmask(struct ontb_ntb *ntb, uint64_t bits)
{
	if (!ntb->config.ops->db_unmask)
		return -EOPNOTSUPP;
	if (bits & ~ontb_ntb_db_valid(ntb))
		return -ERANGE;
	ntb->config.ops->db_unmask(ntb, bits);
	return 0;
}

int ontb_ntb_peer_db_set(struct ontb_ntb *ntb, unsigned int peer, uint64_t bits)
{
	int ret;

	if (!ntb->config.ops->peer_db_set)
		return -EOPNOTSUPP;
	if (!is_peer(ntb, peer) || bits & ~ontb_ntb_db_valid(ntb))
		return -ERANGE;
	ret = check_link(ntb, peer);
	if (!ret)
		ntb->config.ops->peer_db_set(ntb, peer, bits);
	return ret;
}

unsigned int ontb_ntb_spad_count(struct ontb_ntb *ntb)
{
	return ntb->config.ops->spad_count ? ntb->config.ops->spad_count(ntb) : 0;
}

int ontb_ntb_spad_read(struct ontb_ntb *ntb, unsigned int idx, uint32_t *value)
{
	if (!ntb->config.ops->spad_read)
		return -EOPNOTSUPP;
	if (idx >= ontb_ntb_spad_count(ntb))
		return -ERANGE;
	*value = ntb->config.ops->spad_read(ntb, idx);
	return 0;
}

int ontb_ntb_spad_write(struct ontb_ntb *ntb, unsigned int idx, uint32_t value)
{
	if (!ntb->config.ops->spad_write)
		return -EOPNOTSUPP;
	if (idx >= ontb_ntb_spad_count(ntb))
		return -ERANGE;
	ntb->config.ops->spad_write(ntb, idx, value);
	return 0;
}

int ontb_ntb_peer_spad_read(struct ontb_ntb *ntb, unsigned int peer, unsigned int idx, uint32_t *value)
{
	int ret;

	if (!ntb->config.ops->peer_spad_read)
		return -EOPNOTSUPP;
	if (!is_peer(ntb, peer) || idx >= ontb_ntb_spad_count(ntb))
		return -ERANGE;
	ret = check_link(ntb, peer);
	if (!ret)
		*value = ntb->config.ops->peer_spad_read(ntb, peer, idx);
	return ret;
}

int ontb_ntb_peer_spad_write(struct ontb_ntb *ntb, unsigned int peer, unsigned int idx, uint32_t value)
{
	int ret;

	if (!ntb->config.ops->peer_spad_write)
		return -EOPNOTSUPP;
	if (!is_peer(ntb, peer) || idx >= ontb_ntb_spad_count(ntb))
		return -ERANGE;
	ret = check_link(ntb, peer);
	if (!ret)
		ntb->config.ops->peer_spad_write(ntb, peer, idx, value);
	return ret;
}

unsigned int ontb_ntb_msg_count(struct ontb_ntb *ntb)
{
	return ntb->config.ops->msg_count ? ntb->config.ops->msg_count(ntb) : 0;
}

int ontb_ntb_msg_read(struct ontb_ntb *ntb, unsigned int idx, unsigned int *peer, uint32_t *value)
{
	if (!ntb->config.ops->msg_read)
		return -EOPNOTSUPP;
	if (idx >= ontb_ntb_msg_count(ntb))
		return -ERANGE;
	return ntb->config.ops->msg_read(ntb, idx, peer, value);
}

int ontb_ntb_peer_msg_write(struct ontb_ntb *ntb, unsigned int peer, unsigned int idx, uint32_t value)
{
	int ret;

	if (!ntb->config.ops->peer_msg_write)
		return -EOPNOTSUPP;
	if (!is_peer(ntb, peer) || idx >= ontb_ntb_msg_count(ntb))
		return -ERANGE;
	ret = check_link(ntb, peer);
	return ret ? ret : ntb->config.ops->peer_msg_write(ntb, peer, idx, value);
}

void *ontb_ntb_page(struct ontb_ntb *ntb, unsigned int peer, size_t *size)
{
	*size = 0;
	if (!ntb->config.ops->page || !is_peer(ntb, peer))
		return NULL;
	return ntb->config.ops->page(ntb, peer, size);
}

int ontb_ntb_peer_page_write(struct ontb_ntb *ntb, unsigned int peer, size_t offset, const void *buf, size_t len)
{
	size_t size;
	int ret;

	if (!ntb->config.ops->peer_page_write)
		return -EOPNOTSUPP;
	/* Both sides have pages of the same size. */
	if (!ontb_ntb_page(ntb, peer, &size) || !ontb_range_fits(offset, len, size))
		return -ERANGE;
	ret = check_link(ntb, peer);
	if (!ret)
		ntb->config.ops->peer_page_write(ntb, peer, offset, buf, len);
	return ret;
}

unsigned int ontb_ntb_guard_size(struct ontb_ntb *ntb)
{
	return ntb->config.ops->guard_size ? ntb->config.ops->guard_size(ntb) : 0;
}

int ontb_ntb_guard_set(struct ontb_ntb *ntb, unsigned int slot, const struct ontb_msi_msg *msg)
{
	unsigned int size;

	/* The driver may be for parts with and without a filter. */
	size = ontb_ntb_guard_size(ntb);
	if (!ntb->config.ops->guard_set || !size)
		return -EOPNOTSUPP;
	if (slot >= size)
		return -ERANGE;
	return ntb->config.ops->guard_set(ntb, slot, msg);
}

int ontb_ntb_guard_enable(struct ontb_ntb *ntb, bool on)
{
	if (!ntb->config.ops->guard_enable || !ontb_ntb_guard_size(ntb))
		return -EOPNOTSUPP;
	return ntb->config.ops->guard_enable(ntb, on);
}
