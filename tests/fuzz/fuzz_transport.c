// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * A queue pair against a peer that stores what it likes, now honest, now not, also while a call runs.
 *
 * The model is slow and obvious: it knows the rings byte by byte and thinks in offsets that are taken modulo their size. After each step the
 * result, the whole memory of the peer and all that came out have to be the same.
 */
#include <errno.h>
#include <string.h>

#include <openntb/worker.h>

#include "base/bytes.h"
#include "base/log.h"
#include "input.h"
#include "ntb/transport/qp.h"

/* The fuzzer is to watch the queue pair, not the model. */
#pragma clang attribute push(__attribute__((no_sanitize("coverage"))), apply_to = function)

#define NR_QPS	  3U
#define RING	  256U
#define MEMORY	  (ONTB_QP_RINGS + NR_QPS * RING)
#define MAX_STEPS 400
#define PRODUCED  0U
#define CONSUMED  8U

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What each side sees of itself through its inbound window; the peer's is where this host stores. */
static _Alignas(64) uint8_t own[MEMORY];
static _Alignas(64) uint8_t theirs[MEMORY], want_theirs[MEMORY];

static struct ontb_ntb *ntb;
static bool is_link_up;

/* What the peer does to this host's memory while it stores to the peer's: one byte, once. */
static struct {
	bool is_armed;
	size_t offset;
	uint8_t value;
} scribble;

/* The model's queue pair, and what an honest peer knows. */
static struct {
	unsigned int idx;
	bool is_broken;
	uint64_t produced, consumed, told;
	uint64_t tx_frames, rx_frames;
	uint64_t tx_bytes, rx_bytes;
	uint64_t peer_produced, peer_frames;
} m;

/* The bridge */

static int nothing(struct ontb_ntb *bridge)
{
	(void)bridge;
	return 0;
}

static void no_link(struct ontb_ntb *bridge)
{
	(void)bridge;
}

static bool link_is_up(struct ontb_ntb *bridge, unsigned int peer)
{
	(void)bridge;
	CHECK(peer == 0);
	return is_link_up;
}

static int limits(struct ontb_ntb *bridge, unsigned int peer, unsigned int window, struct ontb_ntb_window *out)
{
	(void)bridge;
	(void)peer;
	(void)window;
	*out = (struct ontb_ntb_window){ .size_align = 1, .size_max = MEMORY };
	return 0;
}

static int open_window(struct ontb_ntb *bridge, unsigned int peer, unsigned int window, uint64_t addr, uint64_t size)
{
	(void)bridge;
	(void)peer;
	(void)window;
	(void)addr;
	(void)size;
	return 0;
}

static int close_window(struct ontb_ntb *bridge, unsigned int peer, unsigned int window)
{
	(void)bridge;
	(void)peer;
	(void)window;
	return 0;
}

static uint64_t window_size(struct ontb_ntb *bridge, unsigned int peer, unsigned int window)
{
	(void)bridge;
	(void)peer;
	(void)window;
	return MEMORY;
}

static void write_bytes(struct ontb_ntb *bridge, unsigned int peer, unsigned int window, uint64_t offset,
			const void *buf, size_t len)
{
	(void)bridge;
	CHECK(peer == 0 && window == 0 && offset <= MEMORY && len <= MEMORY - offset);
	if (scribble.is_armed)
		own[scribble.offset] = scribble.value;
	scribble.is_armed = false;
	memcpy(theirs + offset, buf, len);
}

static void write_word(struct ontb_ntb *bridge, unsigned int peer, unsigned int window, uint64_t offset, uint32_t value)
{
	write_bytes(bridge, peer, window, offset, &value, sizeof(value));
}

static void read_bytes(struct ontb_ntb *bridge, unsigned int peer, unsigned int window, uint64_t offset, void *buf,
		       size_t len)
{
	(void)bridge;
	(void)peer;
	(void)window;
	CHECK(offset <= MEMORY && len <= MEMORY - offset);
	memcpy(buf, theirs + offset, len);
}

static const struct ontb_ntb_ops ops = {
	.name = "fuzz",
	.link_enable = nothing,
	.link_disable = no_link,
	.link_is_up = link_is_up,
	.window_limits = limits,
	.window_open = open_window,
	.window_close = close_window,
	.peer_window_size = window_size,
	.peer_write32 = write_word,
	.peer_write = write_bytes,
	.peer_read = read_bytes,
};

/* Memory, byte by byte */

static size_t counter_at(unsigned int which)
{
	return 4096 + 64 * (size_t)m.idx + which;
}

static size_t ring_at(uint64_t pos)
{
	return 8192 + RING * (size_t)m.idx + (size_t)(pos % RING);
}

static uint64_t get(const uint8_t *bytes, unsigned int nr)
{
	uint64_t value = 0;

	for (unsigned int i = 0; i < nr; i++)
		value |= (uint64_t)bytes[i] << (8 * i);
	return value;
}

static void put(uint8_t *bytes, uint64_t value, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++)
		bytes[i] = (uint8_t)(value >> (8 * i));
}

static uint64_t ring_get(uint64_t pos, unsigned int nr)
{
	uint64_t value = 0;

	for (unsigned int i = 0; i < nr; i++)
		value |= (uint64_t)own[ring_at(pos + i)] << (8 * i);
	return value;
}

static void ring_put(uint8_t *memory, uint64_t pos, uint64_t value, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++)
		memory[ring_at(pos + i)] = (uint8_t)(value >> (8 * i));
}

static uint64_t whole(uint64_t len)
{
	while (len % 16)
		len++;
	return 16 + len;
}

static uint8_t byte_of(uint64_t frame, size_t i)
{
	return (uint8_t)(frame * 31 + i * 7 + 1);
}

static void frame_put(uint8_t *memory, uint64_t pos, uint64_t frame, size_t len)
{
	ring_put(memory, pos, len, 8);
	ring_put(memory, pos + 8, frame, 8);
	for (size_t i = 0; i < len; i++)
		ring_put(memory, pos + 16 + i, byte_of(frame, i), 1);
}

/* What a call should do */

static int want_put(size_t len)
{
	uint64_t used = m.produced - get(own + counter_at(CONSUMED), 8);

	if (len < 1 || len > RING / 4)
		return -EMSGSIZE;
	if (m.is_broken)
		return -EPROTO;
	if (used > RING) {
		m.is_broken = true;
		return -EPROTO;
	}
	if (used + whole(len) > RING)
		return -EAGAIN;
	if (!is_link_up)
		return -ENOLINK;
	frame_put(want_theirs, m.produced, m.tx_frames, len);
	m.produced += whole(len);
	m.tx_frames++;
	m.tx_bytes += len;
	put(want_theirs + counter_at(PRODUCED), m.produced, 8);
	return 0;
}

static int64_t want_take(uint8_t *buf, size_t size, bool *notify)
{
	uint64_t there = get(own + counter_at(PRODUCED), 8) - m.consumed, len;

	if (m.is_broken)
		return -EPROTO;
	if (!there)
		return -EAGAIN;
	len = ring_get(m.consumed, 4);
	if (there > RING || there < 16 || len < 1 || len > RING / 4 || whole(len) > there ||
	    ring_get(m.consumed + 8, 8) != m.rx_frames) {
		m.is_broken = true;
		return -EPROTO;
	}
	if (len > size)
		return -EMSGSIZE;
	for (size_t i = 0; i < len; i++)
		buf[i] = own[ring_at(m.consumed + 16 + i)];
	m.consumed += whole(len);
	m.rx_frames++;
	m.rx_bytes += len;
	if ((there == whole(len) || m.consumed - m.told >= RING / 4) && is_link_up) {
		m.told = m.consumed;
		put(want_theirs + counter_at(CONSUMED), m.told, 8);
		*notify = true;
	}
	return (int64_t)len;
}

/* Steps */

static void step_put(struct ontb_qp *qp, size_t len)
{
	uint8_t buf[2 * RING];
	int want;

	for (size_t i = 0; i < sizeof(buf); i++)
		buf[i] = byte_of(m.tx_frames, i);
	want = want_put(len);
	CHECK(ontb_qp_put(qp, buf, len) == want);
}

static void step_take(struct ontb_qp *qp, size_t size)
{
	uint8_t buf[RING], want_buf[RING];
	bool notify = false, want_notify = false;
	int64_t want;

	memset(buf, 0x5a, sizeof(buf));
	memset(want_buf, 0x5a, sizeof(want_buf));
	want = want_take(want_buf, size, &want_notify);
	CHECK(ontb_qp_take(qp, buf, size, &notify) == want);
	CHECK(notify == want_notify);
	CHECK(!memcmp(buf, want_buf, sizeof(buf)));
}

/* An honest peer puts a frame of some length, if there is room as far as it was told. */
static void peer_sends(size_t len)
{
	uint64_t told = get(theirs + counter_at(CONSUMED), 8);

	if (len < 1 || len > RING / 4 || m.peer_produced - told + whole(len) > RING)
		return;
	frame_put(own, m.peer_produced, m.peer_frames, len);
	m.peer_produced += whole(len);
	m.peer_frames++;
	put(own + counter_at(PRODUCED), m.peer_produced, 8);
}

/* And takes all that there is for it. */
static void peer_takes(void)
{
	memcpy(own + counter_at(CONSUMED), theirs + counter_at(PRODUCED), 8);
}

/* A counter becomes anything, or is off by a little. */
static void peer_lies(struct input *in, uint8_t how)
{
	size_t at = counter_at(how & 1 ? CONSUMED : PRODUCED);
	uint64_t value = get(own + at, 8);

	value = how & 2 ? take_value(in, 8) : value + (uint64_t)(int8_t)take(in);
	put(own + at, value, 8);
}

static size_t somewhere(struct input *in)
{
	uint64_t n = take_value(in, 2);

	return n & 0x8000 ? counter_at(0) + n % 16 : ring_at(n);
}

static void step(struct ontb_qp *qp, struct input *in)
{
	uint8_t what = take(in);
	unsigned int n = what >> 3;

	switch (what & 7) {
	case 0:
		step_put(qp, n * 3);
		break;
	case 1:
		step_take(qp, n & 1 ? RING : n * 3);
		break;
	case 2:
		peer_sends(n * 3);
		break;
	case 3:
		peer_takes();
		break;
	case 4:
		peer_lies(in, (uint8_t)n);
		break;
	case 5:
		own[somewhere(in)] = take(in);
		break;
	case 6:
		scribble.offset = somewhere(in);
		scribble.value = take(in);
		scribble.is_armed = true;
		break;
	default:
		is_link_up = n & 3;
	}
	CHECK(!memcmp(theirs, want_theirs, sizeof(theirs)));
	CHECK(atomic_load(&qp->is_broken) == m.is_broken);
}

static void check_counts(struct ontb_qp *qp)
{
	CHECK(atomic_load(&qp->counts.tx_frames) == m.tx_frames && atomic_load(&qp->counts.tx_bytes) == m.tx_bytes);
	CHECK(atomic_load(&qp->counts.rx_frames) == m.rx_frames && atomic_load(&qp->counts.rx_bytes) == m.rx_bytes);
}

static void drop_line(void *arg, enum ontb_log_level level, const char *line)
{
	(void)arg;
	(void)level;
	(void)line;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static struct ontb_worker_pool *workers;
	struct ontb_ntb_config config = { .ops = &ops, .name = "fuzz", .nr_peers = 1, .nr_windows = 1 };

	(void)argc;
	(void)argv;
	ontb_log_set_sink(drop_line, NULL);
	CHECK(!ontb_worker_pool_new("fuzz", true, 1, &workers));
	config.workers = workers;
	CHECK(!ontb_ntb_new(&config, &ntb));
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { .data = data, .left = size };
	struct ontb_qp qp;

	memset(own, 0, sizeof(own));
	memset(theirs, 0, sizeof(theirs));
	memset(want_theirs, 0, sizeof(want_theirs));
	memset(&m, 0, sizeof(m));
	scribble.is_armed = false;
	is_link_up = true;
	m.idx = take(&in) % NR_QPS;
	ontb_qp_init(&qp, ntb, 0, 0, m.idx, RING, own);
	for (unsigned int i = 0; i < MAX_STEPS && in.left; i++)
		step(&qp, &in);
	check_counts(&qp);
	return 0;
}

#pragma clang attribute pop
