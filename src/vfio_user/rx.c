// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Receive buffer. See rx.h.
 */
#include "vfio_user/rx.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int ontb_rx_init(struct ontb_rx *rx, size_t max_msg)
{
	uint8_t *buf = malloc(ONTB_RX_BASE_SIZE);

	if (!buf)
		return -ENOMEM;
	rx->buf = buf;
	rx->cap = ONTB_RX_BASE_SIZE;
	rx->head = 0;
	rx->tail = 0;
	rx->max_msg = max_msg;
	rx->nr_sets = 0;
	return 0;
}

void ontb_rx_close_fds(struct ontb_rx_fds *fds)
{
	if (!fds)
		return;
	for (unsigned int i = 0; i < fds->nr; i++) {
		if (fds->fd[i] >= 0)
			(void)close(fds->fd[i]);
	}
	fds->nr = 0;
}

void ontb_rx_fini(struct ontb_rx *rx)
{
	while (rx->nr_sets)
		ontb_rx_close_fds(&rx->sets[--rx->nr_sets]);
	free(rx->buf);
	rx->buf = NULL;
}

/* Bytes the message at the head needs, or the base size if that is more or not known yet. */
static size_t wanted_cap(const struct ontb_rx *rx)
{
	struct ontb_wire_hdr hdr;

	if (rx->tail - rx->head < ONTB_WIRE_HDR_SIZE)
		return ONTB_RX_BASE_SIZE;
	ontb_wire_hdr_get(rx->buf + rx->head, &hdr);
	if (!ontb_wire_frame_is_ok(&hdr, rx->max_msg) || hdr.size <= ONTB_RX_BASE_SIZE)
		return ONTB_RX_BASE_SIZE;
	return hdr.size;
}

int ontb_rx_space(struct ontb_rx *rx, uint8_t **ptr, size_t *len)
{
	size_t left = rx->tail - rx->head;
	size_t cap = wanted_cap(rx);
	uint8_t *buf;

	if (rx->head) {
		memmove(rx->buf, rx->buf + rx->head, left);
		for (unsigned int i = 0; i < rx->nr_sets; i++)
			rx->sets[i].owner -= rx->head;
		rx->head = 0;
		rx->tail = left;
	}
	if (cap < left + 1)
		cap = left + 1;
	if (cap != rx->cap) {
		buf = realloc(rx->buf, cap);
		if (!buf)
			return -ENOMEM;
		rx->buf = buf;
		rx->cap = cap;
	}
	*ptr = rx->buf + rx->tail;
	*len = rx->cap - rx->tail;
	return 0;
}

/*
 * The rule at the top of rx.h. @first_new is where the data that came with the descriptors starts.
 */
static size_t find_owner(const struct ontb_rx *rx, size_t first_new)
{
	size_t pos = rx->head, last = rx->head, taker = 0;
	bool has_taker = false, last_takes = true;
	struct ontb_wire_hdr hdr;

	while (pos < rx->tail) {
		last = pos;
		last_takes = true;
		if (rx->tail - pos < ONTB_WIRE_HDR_SIZE)
			break;
		ontb_wire_hdr_get(rx->buf + pos, &hdr);
		last_takes = ontb_wire_cmd_takes_fds(&hdr);
		if (last_takes && pos >= first_new) {
			taker = pos;
			has_taker = true;
		}
		if (!ontb_wire_frame_is_ok(&hdr, rx->max_msg))
			break;
		pos += hdr.size;
	}
	return !last_takes && has_taker ? taker : last;
}

static void append_fds(struct ontb_rx_fds *set, const int *fds, unsigned int nr_fds)
{
	for (unsigned int i = 0; i < nr_fds; i++) {
		if (set->nr < ONTB_RX_KEEP_FDS)
			set->fd[set->nr++] = fds[i];
		else
			(void)close(fds[i]);
	}
}

void ontb_rx_commit(struct ontb_rx *rx, size_t len, const int *fds, unsigned int nr_fds, bool is_cut)
{
	size_t first_new = rx->tail, owner;
	struct ontb_rx_fds *set;

	rx->tail += len;
	if (ontb_likely(!nr_fds && !is_cut))
		return;
	owner = find_owner(rx, first_new);
	set = &rx->sets[0];
	/* A set that is still here belongs to the unfinished message at the head. */
	if (rx->nr_sets == ONTB_ARRAY_SIZE(rx->sets)) {
		set = &rx->sets[1];
	} else if (!rx->nr_sets || set->owner != owner) {
		set = &rx->sets[rx->nr_sets++];
		set->owner = owner;
		set->nr = 0;
		set->is_cut = false;
	}
	set->is_cut |= is_cut;
	append_fds(set, fds, nr_fds);
}

void ontb_rx_take_fds(struct ontb_rx *rx, struct ontb_rx_msg *msg)
{
	if (rx->sets[0].owner != rx->head)
		return;
	rx->taken = rx->sets[0];
	msg->fds = &rx->taken;
	if (--rx->nr_sets)
		rx->sets[0] = rx->sets[1];
}

ssize_t ontb_rx_fill(struct ontb_rx *rx, int sock)
{
	union {
		char buf[CMSG_SPACE(sizeof(int) * ONTB_RX_MAX_FDS)];
		struct cmsghdr align;
	} control;
	struct iovec iov;
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.buf, .msg_controllen = sizeof(control.buf)
	};
	int fds[ONTB_RX_MAX_FDS];
	unsigned int nr_fds = 0;
	uint8_t *ptr;
	ssize_t n;
	int ret;

	ret = ontb_rx_space(rx, &ptr, &iov.iov_len);
	if (ret)
		return ret;
	iov.iov_base = ptr;
	n = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);
	if (n <= 0)
		return n ? -errno : 0;
	if (ontb_unlikely(msg.msg_controllen)) {
		for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c)) {
			if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
				continue;
			nr_fds = (unsigned int)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
			memcpy(fds, CMSG_DATA(c), nr_fds * sizeof(int));
		}
	}
	ontb_rx_commit(rx, (size_t)n, fds, nr_fds, msg.msg_flags & MSG_CTRUNC);
	return n;
}
