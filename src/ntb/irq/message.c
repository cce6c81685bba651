// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Messages as bytes. See message.h.
 */
#include "ntb/irq/message.h"

#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "base/crc32c.h"

#define CHECK_AT 28U

void ontb_grant_encode(const struct ontb_grant_msg *msg, uint8_t *buf)
{
	buf[0] = (uint8_t)msg->type;
	buf[1] = ONTB_GRANT_VERSION;
	ontb_put_le16(buf + 2, msg->index);
	ontb_put_le32(buf + 4, msg->from);
	ontb_put_le32(buf + 8, msg->to);
	ontb_put_le32(buf + 12, msg->gen);
	ontb_put_le64(buf + 16, msg->offset);
	ontb_put_le32(buf + 24, msg->data);
	ontb_put_le32(buf + CHECK_AT, 0);
}

static bool is_valid(const struct ontb_grant_msg *msg)
{
	switch (msg->type) {
	case ONTB_GRANT_HELLO:
		return !msg->index && msg->gen && msg->gen <= ONTB_GRANT_MAX_IRQS && !msg->offset;
	case ONTB_GRANT_GRANT:
		return !(msg->offset & 3);
	case ONTB_GRANT_GRANT_ACK:
	case ONTB_GRANT_REVOKE:
	case ONTB_GRANT_REVOKE_ACK:
		return !msg->offset && !msg->data;
	default:
		return false;
	}
}

int ontb_grant_decode(const uint8_t *buf, struct ontb_grant_msg *msg)
{
	struct ontb_grant_msg m = {
		.type = (enum ontb_grant_type)buf[0],
		.index = ontb_get_le16(buf + 2),
		.from = ontb_get_le32(buf + 4),
		.to = ontb_get_le32(buf + 8),
		.gen = ontb_get_le32(buf + 12),
		.offset = ontb_get_le64(buf + 16),
		.data = ontb_get_le32(buf + 24),
	};

	if (buf[1] != ONTB_GRANT_VERSION)
		return -EOPNOTSUPP;
	if (!is_valid(&m))
		return -EPROTO;
	*msg = m;
	return 0;
}

static uint32_t check_of(const uint8_t *buf, uint32_t epoch, uint32_t count)
{
	uint8_t place[8];

	ontb_put_le32(place, epoch);
	ontb_put_le32(place + 4, count);
	return ontb_crc32c(ontb_crc32c(0, place, sizeof(place)), buf, CHECK_AT);
}

void ontb_grant_seal(uint8_t *buf, uint32_t epoch, uint32_t count)
{
	ontb_put_le32(buf + CHECK_AT, check_of(buf, epoch, count));
}

bool ontb_grant_is_sealed(const uint8_t *buf, uint32_t epoch, uint32_t count)
{
	return ontb_get_le32(buf + CHECK_AT) == check_of(buf, epoch, count);
}
