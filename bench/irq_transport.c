// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Throughput of the transport on one thread, which sends a frame and takes it out at the other host: two copies. The floor is
 * memcpy() into a ring of the same size and out of it again.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <openntb/ntb_transport.h>
#include <openntb/worker.h>

#include "base/annotate.h"
#include "base/bytes.h"
#include "blocks.h"
#include "irq_cases.h"
#include "irq_hosts.h"

#define RING	   (1024 * ONTB_KIB)
#define NR_BLOCKS  200U
#define BLOCK	   (256 * ONTB_KIB)
#define NR_FRAMES  512U /* of a block at most */
#define MAX_FRAME  65536U
#define NR_CONNECT 1000U

/**
 * struct link - a transport between two hosts
 * @hosts:  Hosts.
 * @ends:   Transports of host 0 and its peer.
 * @frame:  Bytes of a frame.
 * @nr:     Frames of a block.
 * @tx:     Frame to send.
 * @rx:     Frame that came.
 * @ring:   The floor's.
 */
struct link {
	struct hosts *hosts;
	struct ontb_ntb_transport *ends[2];
	size_t frame;
	unsigned int nr;
	uint8_t *tx;
	uint8_t *rx;
	uint8_t *ring;
};

/* The largest window that the interrupts do not use. */
static unsigned int choose_window(struct ontb_ntb *ntb)
{
	unsigned int best = 0;

	for (unsigned int i = 0; i + 1 < ontb_ntb_nr_windows(ntb); i++) {
		if (ontb_ntb_peer_window_size(ntb, 0, i) > ontb_ntb_peer_window_size(ntb, 0, best))
			best = i;
	}
	return best;
}

static int make_end(struct ontb_ntb *ntb, struct ontb_ntb_transport **out)
{
	const struct ontb_ntb_transport_config config = {
		.ntb = ntb,
		.window = choose_window(ntb),
		.nr_qps = 1,
		.ring_size = RING,
	};

	return ontb_ntb_transport_new(&config, out);
}

static void go_on(struct hosts *hosts)
{
	while (ontb_fabric_step(hosts->fabric))
		;
	for (unsigned int i = 0; i < 2; i++)
		(void)ontb_worker_pool_step(ontb_host_workers(hosts->hosts[i]));
}

static int make_ends(struct link *link)
{
	struct ontb_ntb *ntbs[2] = { link->hosts->own[0].ntb, link->hosts->peers[0].ntb };
	int ret = -EAGAIN;

	/* The link has to come up first. */
	for (unsigned int n = 0; n < NR_CONNECT && ret; n++) {
		ret = 0;
		for (unsigned int i = 0; i < 2 && !ret; i++) {
			if (!link->ends[i])
				ret = make_end(ntbs[i], &link->ends[i]);
		}
		for (unsigned int i = 0; i < 2 && !ret; i++)
			ret = ontb_ntb_transport_connect(link->ends[i]);
		go_on(link->hosts);
	}
	return ret;
}

static void close_link(void *ctx)
{
	struct link *link = ctx;

	for (unsigned int i = 0; i < 2; i++)
		ontb_ntb_transport_free(link->ends[i]);
	hosts_close(link->hosts);
	free(link->ring);
	free(link->rx);
	free(link->tx);
	free(link);
}

static int open_link(unsigned int frame, void **ctx)
{
	const struct hosts_config config = {
		.nr_peers = 1, .nr_cpus = 1, .is_stepped = true, .bar2 = "16M", .cores = { -1, -1 }
	};
	struct link *link = calloc(1, sizeof(*link));
	int ret = -ENOMEM;

	if (!link)
		return -ENOMEM;
	link->frame = frame;
	link->nr = BLOCK / frame < NR_FRAMES ? (unsigned int)(BLOCK / frame) : NR_FRAMES;
	link->tx = calloc(1, MAX_FRAME);
	link->rx = calloc(1, MAX_FRAME);
	link->ring = calloc(1, RING);
	if (link->tx && link->rx && link->ring)
		ret = hosts_open(&config, &link->hosts);
	if (!ret)
		ret = make_ends(link);
	if (ret) {
		close_link(link);
		return ret;
	}
	*ctx = link;
	return 0;
}

/* Bytes per nanosecond. */
static double per_second(const struct link *link, struct blocks *blocks)
{
	return (double)link->nr * (double)link->frame / blocks_median(blocks);
}

static double move_frames(void *ctx)
{
	struct link *link = ctx;
	struct blocks blocks;

	blocks_start(&blocks);
	for (unsigned int i = 0; i < NR_BLOCKS * link->nr; i++) {
		if (ontb_ntb_qp_send(link->ends[1], 0, link->tx, link->frame) ||
		    ontb_ntb_qp_recv(link->ends[0], 0, link->rx, MAX_FRAME) != (int64_t)link->frame)
			return -1;
		if ((i + 1) % link->nr == 0)
			blocks_end(&blocks);
	}
	return per_second(link, &blocks);
}

static void *(*volatile copy)(void *dst, const void *src, size_t len) = memcpy;

static double copy_frames(void *ctx)
{
	struct link *link = ctx;
	struct blocks blocks;
	size_t at = 0;

	blocks_start(&blocks);
	for (unsigned int i = 0; i < NR_BLOCKS * link->nr; i++) {
		(void)copy(link->ring + at, link->tx, link->frame);
		(void)copy(link->rx, link->ring + at, link->frame);
		at = at + 2 * link->frame <= RING ? at + link->frame : 0;
		if ((i + 1) % link->nr == 0)
			blocks_end(&blocks);
	}
	return per_second(link, &blocks);
}

#define LINK .unit = "GB/s", .open = open_link, .measure = move_frames, .floor = copy_frames, .close = close_link

static const struct irq_case cases[] = {
	{ .name = "transport beside memcpy, frames of 64 bytes", .arg = 64, LINK },
	{ .name = "transport beside memcpy, frames of 4 KiB", .arg = 4096, LINK },
	{ .name = "transport beside memcpy, frames of 64 KiB", .arg = 65536, LINK },
};

const struct irq_cases irq_transport_cases = { cases, ONTB_ARRAY_SIZE(cases) };
