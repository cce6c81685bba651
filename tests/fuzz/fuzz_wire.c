// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * A client that sends anything at all, in any pieces, with descriptors anywhere, against a slow and obvious model.
 *
 * The input is a list of records: a message with a body and maybe a lie in its header, raw bytes, descriptors, or the end
 * of a piece. The pieces go through the receive buffer and the handlers, as a client's thread would do it, but without
 * threads, so that every run is the same. The model cuts the whole stream into messages again, byte by byte, and says of
 * each whether it must succeed; the replies must be exactly those, in order, and reads must return what was written.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../wire/test_func.h"
#include "base/log.h"
#include "input.h"
#include "vfio_user/conn.h"
#include "vfio_user/guard.h"

#define MAX_XFER   8192U
#define MAX_MSG	   (MAX_XFER + ONTB_WIRE_SLACK)
#define MAX_STREAM (64U << 10)
#define NR_VECTORS 8U
#define MAX_MAPS   8U

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum outcome {
	SUCCEEDS,
	FAILS,
	EITHER
};

/* What the model knows: the stream so far and the state it must have led to. */
struct model {
	uint8_t stream[MAX_STREAM];
	size_t len;
	size_t pos;	     /* first byte of the message that is not complete */
	size_t unsure_until; /* messages that start before this may own descriptors */
	bool is_attached;
	bool is_broken; /* a header that ends everything has been seen */
	uint8_t memory[TEST_BAR0_MEMORY];
};

struct rig {
	struct test_bridge *bridge;
	struct ontb_vfio_user_config config;
	struct ontb_reads reads;
	struct ontb_endpoint ep;
	struct ontb_conn conn;
	int socks[2];
	struct model model;
};

static void quiet(void *arg, enum ontb_log_level level, const char *line)
{
	(void)arg;
	(void)level;
	(void)line;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	ontb_log_set_sink(quiet, NULL);
	return ontb_guard_install();
}

static void must(bool truth, const char *text)
{
	if (truth)
		return;
	fprintf(stderr, "the model disagrees: %s\n", text);
	abort();
}

static uint64_t number(const uint8_t *p, unsigned int bytes)
{
	uint64_t v = 0;

	while (bytes--)
		v = v << 8 | p[bytes];
	return v;
}

static void want_flush(void *arg)
{
	(void)arg;
}

static bool set_up(struct rig *rig)
{
	struct ontb_conn *conn = &rig->conn;

	ontb_vfio_user_config_init(&rig->config);
	rig->config.max_data_xfer = MAX_XFER;
	rig->config.max_mappings = MAX_MAPS;
	if (test_bridge_new(1, NR_VECTORS, &rig->bridge) || ontb_reads_init(&rig->reads, 1000000000) ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, rig->socks))
		return false;
	rig->ep.func = test_bridge_func(rig->bridge, 0);
	rig->ep.config = &rig->config;
	rig->ep.reads = &rig->reads;
	ontb_lock_init(&rig->ep.lock);
	rig->ep.func->ops->describe(rig->ep.func, &rig->ep.info);
	atomic_init(&conn->nr_refs, 1);
	conn->ep = &rig->ep;
	conn->sock = rig->socks[0];
	ontb_lock_init(&conn->lock);
	ontb_dma_init(&conn->dma, MAX_MAPS);
	ontb_tx_init(&conn->tx, conn->sock, 64, want_flush, NULL);
	return !ontb_rx_init(&conn->rx, MAX_MSG) && !ontb_irqs_init(&conn->irqs, NR_VECTORS);
}

static void take_down(struct rig *rig)
{
	struct ontb_conn *conn = &rig->conn;

	if (conn->is_attached)
		rig->ep.func->ops->detach(rig->ep.func);
	ontb_tx_fini(&conn->tx);
	ontb_dma_fini(&conn->dma);
	ontb_irqs_fini(&conn->irqs);
	ontb_rx_fini(&conn->rx);
	ontb_region_read_free(conn->spare);
	free(conn->out);
	close(rig->socks[0]);
	close(rig->socks[1]);
	ontb_reads_fini(&rig->reads);
	test_bridge_free(rig->bridge);
	free(rig);
}

/* The next reply; our own requests to the client are left out. */
static bool next_reply(struct rig *rig, struct ontb_wire_hdr *hdr, uint8_t *body)
{
	static uint8_t skipped[MAX_MSG * 4];
	uint8_t head[16];

	for (;;) {
		ssize_t n = recv(rig->socks[1], head, sizeof(head), MSG_DONTWAIT);
		size_t got = 0;

		ontb_tx_flush(&rig->conn.tx);
		if (n < 0)
			return false;
		must(n == sizeof(head), "a header came in two parts");
		ontb_wire_hdr_get(head, hdr);
		must(hdr->size >= 16 && hdr->size <= sizeof(skipped), "size of a message from the server");
		while (got < hdr->size - 16) {
			n = recv(rig->socks[1], skipped + got, hdr->size - 16 - got, MSG_DONTWAIT);
			ontb_tx_flush(&rig->conn.tx);
			if (n > 0)
				got += (size_t)n;
		}
		if ((hdr->flags & 0xf) == 1) {
			memcpy(body, skipped, got < MAX_XFER + 16 ? got : MAX_XFER + 16);
			return true;
		}
		must(hdr->cmd == 12 && hdr->flags == 0x10 && hdr->size - 32 == number(skipped + 8, 8), "a DMA_WRITE");
	}
}

static uint64_t size_of_region(uint64_t region)
{
	return region == 0 ? TEST_BAR0_SIZE : region == 2 ? TEST_BAR2_SIZE : region == 7 ? TEST_CONFIG_SIZE : 0;
}

/* Whether [offset, offset + count) is inside a region, computed with room to spare. */
static bool is_inside(uint64_t region, uint64_t offset, uint64_t count)
{
	return (unsigned __int128)offset + count <= size_of_region(region);
}

static enum outcome judge_access(const uint8_t *p, uint64_t count, bool is_write)
{
	uint64_t region = number(p + 8, 4), offset = number(p, 8);

	if (!count || count > MAX_XFER || region > 8 || !is_inside(region, offset, count))
		return FAILS;
	if (!is_write)
		offset -= offset % 8;
	return region == 0 && offset == TEST_REG_REFUSE ? FAILS : SUCCEEDS;
}

static enum outcome judge_multi(const uint8_t *p, size_t len)
{
	enum outcome result = SUCCEEDS;

	if (len < 8 + 24 || (len - 8) % 24 || number(p, 8) != (len - 8) / 24)
		return FAILS;
	for (size_t at = 8; at < len; at += 24) {
		uint64_t count = number(p + at + 12, 4);

		if (!count || count > 8 || number(p + at + 8, 4) > 8 ||
		    !is_inside(number(p + at + 8, 4), number(p + at, 8), count))
			return FAILS;
		/* The function itself refuses this one, after those before it have been done. */
		if (judge_access(p + at, count, true) == FAILS)
			result = EITHER;
	}
	return result;
}

static enum outcome judge_map(struct rig *rig, const uint8_t *p, size_t len)
{
	const struct ontb_dma *dma = &rig->conn.dma;
	unsigned __int128 first, last;

	if (len != 32 || number(p, 4) < 32 || number(p + 4, 4) > 7 || !(number(p + 4, 4) & 3) || number(p + 8, 8))
		return FAILS;
	first = number(p + 16, 8);
	last = first + number(p + 24, 8);
	if (last == first || last > (unsigned __int128)1 << 64 || dma->nr_ranges == MAX_MAPS)
		return FAILS;
	for (size_t i = 0; i < dma->nr_ranges; i++) {
		unsigned __int128 start = dma->ranges[i]->addr, end = start + dma->ranges[i]->size;

		if (start < last && first < end)
			return FAILS;
	}
	return SUCCEEDS;
}

static enum outcome judge_unmap(struct rig *rig, const uint8_t *p, size_t len)
{
	const struct ontb_dma *dma = &rig->conn.dma;
	unsigned __int128 first, last;
	uint64_t flags;

	if (len != 24 || number(p, 4) < 24)
		return FAILS;
	flags = number(p + 4, 4);
	first = number(p + 8, 8);
	last = first + number(p + 16, 8);
	if (flags == 2)
		return first || last ? FAILS : SUCCEEDS;
	if (flags || last == first || last > (unsigned __int128)1 << 64)
		return FAILS;
	for (size_t i = 0; i < dma->nr_ranges; i++) {
		unsigned __int128 start = dma->ranges[i]->addr, end = start + dma->ranges[i]->size;

		if (start < last && first < end && (start < first || end > last))
			return FAILS;
	}
	return SUCCEEDS;
}

static bool has_one_bit(uint64_t v)
{
	return __builtin_popcountll(v) == 1;
}

static enum outcome judge_irqs(const uint8_t *p, size_t len)
{
	uint64_t argsz, flags, index, start, count, nr;

	if (len < 20)
		return FAILS;
	argsz = number(p, 4);
	flags = number(p + 4, 4);
	index = number(p + 8, 4);
	start = number(p + 12, 4);
	count = number(p + 16, 4);
	nr = index == 2 ? NR_VECTORS : 0;
	if (argsz < 20 || flags > 63 || !has_one_bit(flags & 7) || !has_one_bit(flags & 0x38) || index > 4 ||
	    len != 20 + (flags & 2 ? count : 0) || argsz < len || start + count > UINT32_MAX)
		return FAILS;
	if (flags == 0x21 && !count && !start)
		return SUCCEEDS;
	if (!count || start >= nr || start + count > nr)
		return FAILS;
	return flags & 4 && !(flags & 0x20) ? FAILS : SUCCEEDS;
}

static bool is_query(const uint8_t *p, size_t len, size_t size, unsigned int limit)
{
	return len == size && number(p, 4) >= size && number(p + 8, 4) < limit;
}

/* Whether a command must succeed, if it came without descriptors. */
static enum outcome judge(struct rig *rig, uint64_t cmd, uint64_t flags, const uint8_t *p, size_t len)
{
	if (flags & ~0x10ULL)
		return FAILS;
	if (cmd == 1)
		return rig->model.is_attached || len < 4 || number(p, 2) ? FAILS : len == 4 ? SUCCEEDS : EITHER;
	if (!rig->model.is_attached)
		return FAILS;
	switch (cmd) {
	case 2:
		return judge_map(rig, p, len);
	case 3:
		return judge_unmap(rig, p, len);
	case 4:
		return len == 16 && number(p, 4) >= 16 ? SUCCEEDS : FAILS;
	case 5:
		return is_query(p, len, 32, 9) ? SUCCEEDS : FAILS;
	case 6:
		return is_query(p, len, 16, 9) && !number(p + 4, 4) && !number(p + 12, 4) ? SUCCEEDS : FAILS;
	case 7:
		return is_query(p, len, 16, 5) ? SUCCEEDS : FAILS;
	case 8:
		return judge_irqs(p, len);
	case 9:
		return len == 16 ? judge_access(p, number(p + 12, 4), false) : FAILS;
	case 10:
		return len >= 16 && len - 16 == number(p + 12, 4) ? judge_access(p, len - 16, true) : FAILS;
	case 13:
		return len ? FAILS : SUCCEEDS;
	case 15:
		return judge_multi(p, len);
	default:
		return FAILS;
	}
}

static void model_write(struct model *model, const uint8_t *p, const uint8_t *data, size_t count)
{
	uint64_t offset = number(p, 8);

	if (!number(p + 8, 4) && offset + count <= TEST_BAR0_MEMORY)
		memcpy(model->memory + offset, data, count);
}

/* A command has succeeded: change the model's memory, check what a read returned. */
static void follow(struct rig *rig, uint64_t cmd, const uint8_t *p, size_t len, const struct ontb_wire_hdr *reply,
		   const uint8_t *body)
{
	struct model *model = &rig->model;

	if (cmd == 1)
		model->is_attached = true;
	if (cmd == 10)
		model_write(model, p, p + 16, len - 16);
	for (size_t at = 8; cmd == 15 && at < len; at += 24)
		model_write(model, p + at, p + at + 16, number(p + at + 12, 4));
	if (cmd != 9 || !reply)
		return;
	must(reply->size == 32 + number(p + 12, 4) && !memcmp(body, p, 16), "head of a read's reply");
	if (!number(p + 8, 4) && number(p, 8) + number(p + 12, 4) <= TEST_BAR0_MEMORY)
		must(!memcmp(body + 16, model->memory + number(p, 8), number(p + 12, 4)), "data of a read's reply");
}

/* After a message of which the model cannot know whether it was done, look. */
static void look(struct rig *rig)
{
	struct ontb_read read = { .buf = rig->model.memory, .len = TEST_BAR0_MEMORY };

	rig->model.is_attached = rig->conn.is_attached;
	must(!rig->ep.func->ops->bar_read(rig->ep.func, 0, 0, &read), "the function's memory can be read");
}

/* One message of the stream has been handled: @expected was judged before. */
static void check_message(struct rig *rig, const uint8_t *msg, size_t size, enum outcome expected)
{
	static uint8_t body[MAX_XFER + 16];
	uint64_t cmd = number(msg + 2, 2), flags = number(msg + 8, 4);
	struct ontb_wire_hdr reply;
	bool failed;

	if ((flags & 0xf) == 1)
		return;
	if (flags & 0x10) {
		if (expected == SUCCEEDS)
			follow(rig, cmd, msg + 16, size - 16, NULL, NULL);
		else if (expected == EITHER)
			look(rig);
		return;
	}
	must(next_reply(rig, &reply, body), "a reply is missing");
	must(reply.id == number(msg, 2) && reply.cmd == cmd, "a reply to another message");
	failed = reply.flags & 0x20;
	must(reply.flags == (failed ? 0x21U : 1U) && (!failed || (reply.size == 16 && reply.error)), "form of a reply");
	if (expected != EITHER)
		must(failed == (expected == FAILS), "outcome");
	if (expected == EITHER)
		look(rig);
	if (!failed)
		follow(rig, cmd, msg + 16, size - 16, &reply, body);
}

static void check_map(const struct ontb_dma *dma)
{
	for (size_t i = 0; i + 1 < dma->nr_ranges; i++)
		must(dma->ranges[i]->addr + (dma->ranges[i]->size - 1) < dma->ranges[i + 1]->addr,
		     "the map is in order");
}

static void send_replies(struct ontb_conn *conn)
{
	if (conn->out_len)
		(void)ontb_tx_send(&conn->tx, conn->out, conn->out_len);
	conn->out_len = 0;
}

/* Handle what is in the buffer, as conn.c does, and check message by message. */
static void handle(struct rig *rig)
{
	struct ontb_conn *conn = &rig->conn;
	struct model *model = &rig->model;
	struct ontb_rx_msg msg;
	int ret;

	while ((ret = ontb_rx_next(&conn->rx, &msg)) > 0) {
		const uint8_t *raw = model->stream + model->pos;
		size_t size = number(raw + 4, 4), left = model->len - model->pos;
		enum outcome expected;

		must(left >= 16 && size >= 16 && size <= left && size <= MAX_MSG, "there is a whole message");
		must(msg.len == size - 16 && !memcmp(msg.body, raw + 16, msg.len), "the message is what was sent");
		expected = (number(raw + 8, 4) & 0xf) == 1
				   ? EITHER
				   : judge(rig, number(raw + 2, 2), number(raw + 8, 4), raw + 16, msg.len);
		if (model->pos < model->unsure_until)
			expected = EITHER;
		ontb_conn_enter(conn);
		ontb_conn_dispatch(conn, &msg);
		ontb_conn_leave(conn);
		send_replies(conn);
		model->pos += size;
		check_message(rig, raw, size, expected);
		check_map(&conn->dma);
	}
	if (ret < 0) {
		const uint8_t *raw = model->stream + model->pos;

		must(number(raw + 4, 4) < 16 || number(raw + 4, 4) > MAX_MSG || (number(raw + 8, 4) & 0xf) > 1,
		     "the header is impossible");
		model->is_broken = true;
	} else if (model->len - model->pos >= 16) {
		must(number(model->stream + model->pos + 4, 4) > model->len - model->pos, "no whole message is left");
	}
}

static int make_fd(uint8_t kind)
{
	int fd;

	switch (kind % 3) {
	case 0:
		fd = memfd_create("fuzz", MFD_CLOEXEC);
		if (fd >= 0 && ftruncate(fd, (kind >> 2) * 1024))
			return fd;
		return fd;
	case 1:
		return eventfd(0, EFD_CLOEXEC);
	default:
		return open("/dev/null", O_RDWR | O_CLOEXEC);
	}
}

/* A piece of the stream arrives. */
static void feed(struct rig *rig, size_t first, const uint8_t *kinds, unsigned int nr_fds)
{
	struct model *model = &rig->model;
	size_t room, len;
	uint8_t *ptr;
	int fds[16];

	while (first < model->len && !model->is_broken) {
		size_t total = model->len;

		for (unsigned int i = 0; i < nr_fds; i++)
			fds[i] = make_fd(kinds[i]);
		must(!ontb_rx_space(&rig->conn.rx, &ptr, &room) && room, "there is room");
		len = total - first < room ? total - first : room;
		memcpy(ptr, model->stream + first, len);
		ontb_rx_commit(&rig->conn.rx, len, fds, nr_fds, false);
		first += len;
		model->len = first;
		if (nr_fds)
			model->unsure_until = first;
		handle(rig);
		model->len = total;
		nr_fds = 0;
	}
}

static void append(struct model *model, const uint8_t *p, size_t len)
{
	if (len > MAX_STREAM - model->len)
		len = MAX_STREAM - model->len;
	memcpy(model->stream + model->len, p, len);
	model->len += len;
}

/* A message: command, flags, length of the body, and sometimes another size than the true one. */
static void append_message(struct model *model, struct input *in, uint8_t how)
{
	uint8_t head[16] = { 0 };
	struct ontb_wire_hdr hdr = { .id = (uint16_t)model->len };
	size_t body;

	hdr.cmd = take(in) % 20;
	if (how & 0x10)
		hdr.flags = take(in);
	else if (how & 0x20)
		hdr.flags = ONTB_WIRE_F_NO_REPLY;
	body = take(in);
	if (how & 0x40)
		body *= 33;
	hdr.size = (uint32_t)(16 + body);
	if (how & 0x80) {
		hdr.size = take(in);
		hdr.size |= (uint32_t)take(in) << 8;
		hdr.size |= (uint32_t)take(in) << (how & 0x08 ? 24 : 16);
	}
	ontb_wire_hdr_put(head, &hdr);
	append(model, head, sizeof(head));
	if (in->left >= body) {
		append(model, in->data, body);
		in->data += body;
		in->left -= body;
	}
}

static void run(struct rig *rig, struct input *in)
{
	struct model *model = &rig->model;
	unsigned int nr_fds = 0;
	uint8_t kinds[16];
	size_t fed = model->len;

	while (in->left && !model->is_broken) {
		uint8_t how = take(in);

		switch (how & 7) {
		case 0:
			feed(rig, fed, kinds, nr_fds);
			fed = model->len;
			nr_fds = 0;
			break;
		case 1:
			if (nr_fds < sizeof(kinds))
				kinds[nr_fds++] = how >> 3;
			break;
		case 2:
			append(model, in->data, in->left < how >> 3 ? in->left : how >> 3);
			in->data += in->left < how >> 3 ? in->left : how >> 3;
			in->left -= in->left < how >> 3 ? in->left : how >> 3;
			break;
		case 3: /* the rest of this record goes on in a piece of its own */
			feed(rig, fed, kinds, 0);
			fed = model->len;
			append_message(model, in, how);
			break;
		default:
			append_message(model, in, how);
			break;
		}
	}
	feed(rig, fed, kinds, nr_fds);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t version[20] = { 1, 0, ONTB_WIRE_VERSION, 0, 20 };
	struct input in = { data, size };
	struct rig *rig = calloc(1, sizeof(*rig));
	int first_free = dup(0), last_free;

	close(first_free);
	if (!rig || !set_up(rig))
		abort();
	/* Most inputs begin with a version agreed upon, so that they get somewhere. */
	if (take(&in) & 3) {
		append(&rig->model, version, sizeof(version));
		feed(rig, 0, NULL, 0);
		must(rig->conn.is_attached, "a version is agreed upon");
	}
	run(rig, &in);
	take_down(rig);
	last_free = dup(0);
	close(last_free);
	must(first_free == last_free, "no descriptor is left open");
	return 0;
}
