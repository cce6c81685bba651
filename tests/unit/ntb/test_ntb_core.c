// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Bridges as clients see them: every public operation against a driver that only notes what reaches it.
 *
 * Thirty functions that forward to thirty others are the kind of code in which one tests the wrong operation for years. So a
 * table names for each function which operation it must reach, and what each argument may be; the tests walk over it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <openntb/log.h>
#include <openntb/ntb.h>
#include <openntb/worker.h>

#include "base/annotate.h"

#define NR_PEERS    3U
#define NR_WINDOWS  2U
#define NR_SPADS    5U
#define NR_MSGS	    3U
#define NR_SLOTS    7U
#define DB_VALID    0xf0ffULL
#define WINDOW_SIZE 0x10000ULL
#define PAGE_BYTES  0x2000U

/* What reached the driver. */
static unsigned int calls[64];
static bool link_up;
static uint8_t page_memory[PAGE_BYTES];

#define OP_IDX(op)  (offsetof(struct ontb_ntb_ops, op) / sizeof(void (*)(void)))
#define NR_OPS	    (sizeof(struct ontb_ntb_ops) / sizeof(void (*)(void)))
#define NOTE(op)    (calls[OP_IDX(op)]++)
#define UNUSED(...) unused(0, __VA_ARGS__)

static void unused(int first, ...)
{
	(void)first;
}

static int fake_link_enable(struct ontb_ntb *ntb)
{
	UNUSED(ntb);
	NOTE(link_enable);
	return 0;
}

static void fake_link_disable(struct ontb_ntb *ntb)
{
	UNUSED(ntb);
	NOTE(link_disable);
}

static bool fake_link_is_up(struct ontb_ntb *ntb, unsigned int peer)
{
	UNUSED(ntb);
	assert_true(peer < NR_PEERS);
	NOTE(link_is_up);
	return link_up;
}

static int fake_window_limits(struct ontb_ntb *ntb, unsigned int peer, unsigned int window,
			      struct ontb_ntb_window *limits)
{
	UNUSED(ntb);
	assert_true(peer < NR_PEERS && window < NR_WINDOWS);
	NOTE(window_limits);
	/* Window 1 has to be aligned to its size. */
	*limits = (struct ontb_ntb_window){ .addr_align = window ? 0 : 0x1000,
					    .size_align = 0x1000,
					    .size_max = WINDOW_SIZE };
	return 0;
}

static int fake_window_open(struct ontb_ntb *ntb, unsigned int peer, unsigned int window, uint64_t addr, uint64_t size)
{
	UNUSED(ntb, addr);
	assert_true(peer < NR_PEERS && window < NR_WINDOWS && size);
	NOTE(window_open);
	return 0;
}

static int fake_window_close(struct ontb_ntb *ntb, unsigned int peer, unsigned int window)
{
	UNUSED(ntb);
	assert_true(peer < NR_PEERS && window < NR_WINDOWS);
	NOTE(window_close);
	return 0;
}

static uint64_t fake_peer_window_size(struct ontb_ntb *ntb, unsigned int peer, unsigned int window)
{
	UNUSED(ntb);
	assert_true(peer < NR_PEERS && window < NR_WINDOWS);
	NOTE(peer_window_size);
	return WINDOW_SIZE;
}

static void fake_peer_write32(struct ontb_ntb *ntb, unsigned int peer, unsigned int window, uint64_t offset,
			      uint32_t value)
{
	UNUSED(ntb, value);
	assert_true(peer < NR_PEERS && window < NR_WINDOWS && offset + 4 <= WINDOW_SIZE);
	NOTE(peer_write32);
}

static void fake_peer_write(struct ontb_ntb *ntb, unsigned int peer, unsigned int window, uint64_t offset,
			    const void *buf, size_t len)
{
	UNUSED(ntb, buf);
	assert_true(peer < NR_PEERS && window < NR_WINDOWS && offset + len <= WINDOW_SIZE);
	NOTE(peer_write);
}

static void fake_peer_read(struct ontb_ntb *ntb, unsigned int peer, unsigned int window, uint64_t offset, void *buf,
			   size_t len)
{
	UNUSED(ntb, buf);
	assert_true(peer < NR_PEERS && window < NR_WINDOWS && offset + len <= WINDOW_SIZE);
	NOTE(peer_read);
}

static uint64_t fake_db_valid(struct ontb_ntb *ntb)
{
	UNUSED(ntb);
	NOTE(db_valid);
	return DB_VALID;
}

static uint64_t fake_db_read(struct ontb_ntb *ntb)
{
	UNUSED(ntb);
	NOTE(db_read);
	return 0x81;
}

static void fake_db_clear(struct ontb_ntb *ntb, uint64_t bits)
{
	UNUSED(ntb);
	assert_false(bits & ~DB_VALID);
	NOTE(db_clear);
}

static void fake_db_mask(struct ontb_ntb *ntb, uint64_t bits)
{
	UNUSED(ntb);
	assert_false(bits & ~DB_VALID);
	NOTE(db_mask);
}

static void fake_db_unmask(struct ontb_ntb *ntb, uint64_t bits)
{
	UNUSED(ntb);
	assert_false(bits & ~DB_VALID);
	NOTE(db_unmask);
}

static void fake_peer_db_set(struct ontb_ntb *ntb, unsigned int peer, uint64_t bits)
{
	UNUSED(ntb);
	assert_true(peer < NR_PEERS && !(bits & ~DB_VALID));
	NOTE(peer_db_set);
}

static unsigned int fake_spad_count(struct ontb_ntb *ntb)
{
	UNUSED(ntb);
	NOTE(spad_count);
	return NR_SPADS;
}

static uint32_t fake_spad_read(struct ontb_ntb *ntb, unsigned int idx)
{
	UNUSED(ntb);
	assert_true(idx < NR_SPADS);
	NOTE(spad_read);
	return idx;
}

static void fake_spad_write(struct ontb_ntb *ntb, unsigned int idx, uint32_t value)
{
	UNUSED(ntb, value);
	assert_true(idx < NR_SPADS);
	NOTE(spad_write);
}

static uint32_t fake_peer_spad_read(struct ontb_ntb *ntb, unsigned int peer, unsigned int idx)
{
	UNUSED(ntb);
	assert_true(peer < NR_PEERS && idx < NR_SPADS);
	NOTE(peer_spad_read);
	return idx;
}

static void fake_peer_spad_write(struct ontb_ntb *ntb, unsigned int peer, unsigned int idx, uint32_t value)
{
	UNUSED(ntb, value);
	assert_true(peer < NR_PEERS && idx < NR_SPADS);
	NOTE(peer_spad_write);
}

static unsigned int fake_msg_count(struct ontb_ntb *ntb)
{
	UNUSED(ntb);
	NOTE(msg_count);
	return NR_MSGS;
}

static int fake_msg_read(struct ontb_ntb *ntb, unsigned int idx, unsigned int *peer, uint32_t *value)
{
	UNUSED(ntb);
	assert_true(idx < NR_MSGS);
	NOTE(msg_read);
	*peer = 1;
	*value = idx;
	return 0;
}

static int fake_peer_msg_write(struct ontb_ntb *ntb, unsigned int peer, unsigned int idx, uint32_t value)
{
	UNUSED(ntb, value);
	assert_true(peer < NR_PEERS && idx < NR_MSGS);
	NOTE(peer_msg_write);
	return 0;
}

static void *fake_page(struct ontb_ntb *ntb, unsigned int peer, size_t *size)
{
	UNUSED(ntb);
	assert_true(peer < NR_PEERS);
	NOTE(page);
	*size = PAGE_BYTES;
	return page_memory;
}

static void fake_peer_page_write(struct ontb_ntb *ntb, unsigned int peer, size_t offset, const void *buf, size_t len)
{
	UNUSED(ntb, buf);
	assert_true(peer < NR_PEERS && offset + len <= PAGE_BYTES);
	NOTE(peer_page_write);
}

static unsigned int fake_guard_size(struct ontb_ntb *ntb)
{
	UNUSED(ntb);
	NOTE(guard_size);
	return NR_SLOTS;
}

static int fake_guard_set(struct ontb_ntb *ntb, unsigned int slot, const struct ontb_msi_msg *msg)
{
	UNUSED(ntb, msg);
	assert_true(slot < NR_SLOTS);
	NOTE(guard_set);
	return 0;
}

static int fake_guard_enable(struct ontb_ntb *ntb, bool on)
{
	UNUSED(ntb, on);
	NOTE(guard_enable);
	return 0;
}

static const struct ontb_ntb_ops whole_ops = {
	.name = "fake",
	.link_enable = fake_link_enable,
	.link_disable = fake_link_disable,
	.link_is_up = fake_link_is_up,
	.window_limits = fake_window_limits,
	.window_open = fake_window_open,
	.window_close = fake_window_close,
	.peer_window_size = fake_peer_window_size,
	.peer_write32 = fake_peer_write32,
	.peer_write = fake_peer_write,
	.peer_read = fake_peer_read,
	.db_valid = fake_db_valid,
	.db_read = fake_db_read,
	.db_clear = fake_db_clear,
	.db_mask = fake_db_mask,
	.db_unmask = fake_db_unmask,
	.peer_db_set = fake_peer_db_set,
	.spad_count = fake_spad_count,
	.spad_read = fake_spad_read,
	.spad_write = fake_spad_write,
	.peer_spad_read = fake_peer_spad_read,
	.peer_spad_write = fake_peer_spad_write,
	.msg_count = fake_msg_count,
	.msg_read = fake_msg_read,
	.peer_msg_write = fake_peer_msg_write,
	.page = fake_page,
	.peer_page_write = fake_peer_page_write,
	.guard_size = fake_guard_size,
	.guard_set = fake_guard_set,
	.guard_enable = fake_guard_enable,
};

/**
 * struct args - arguments of any operation
 * @peer:   Peer, and so on.
 * @window: .
 * @idx:    Scratchpad, message register or slot.
 * @bits:   Doorbell bits.
 * @offset: In a window or page.
 * @len:    Bytes.
 */
struct args {
	unsigned int peer;
	unsigned int window;
	unsigned int idx;
	uint64_t bits;
	uint64_t offset;
	size_t len;
};

/* What a row's function takes, and more about it. */
#define PEER	 (1U << 0)
#define WINDOW	 (1U << 1)
#define BITS	 (1U << 2)
#define RANGE	 (1U << 3) /* offset and len */
#define LINK	 (1U << 4) /* wants the link */
#define QUESTION (1U << 5) /* has no error: 0 instead */
#define OPTIONAL (1U << 6)

/**
 * struct row - a public function
 * @name:   Name.
 * @op:     Which operation it must reach.
 * @needs:  Another operation that it cannot do without, or its own.
 * @flags:  Above.
 * @nr_idx: Indices it takes are below; 0 if it takes none.
 * @limit:  End of its ranges.
 * @call:   Calls it. Return: as the function, or for questions non-zero if it gave an answer and 0 if not.
 */
struct row {
	const char *name;
	size_t op;
	size_t needs;
	unsigned int flags;
	unsigned int nr_idx;
	uint64_t limit;
	int (*call)(struct ontb_ntb *ntb, const struct args *args);
};

#define CALL(name, ...)                                                                                                \
	static int call_##name(struct ontb_ntb *ntb, const struct args *args)                                          \
	{                                                                                                              \
		UNUSED(args);                                                                                          \
		__VA_ARGS__                                                                                            \
	}

static uint8_t bytes[0x20000];

CALL(link_enable, return ontb_ntb_link_enable(ntb);)
CALL(link_disable, ontb_ntb_link_disable(ntb); return 0;)
CALL(link_is_up, return ontb_ntb_link_is_up(ntb, args->peer);)
CALL(window_limits, struct ontb_ntb_window limits;
     return ontb_ntb_window_limits(ntb, args->peer, args->window, &limits);)
CALL(window_open, return ontb_ntb_window_open(ntb, args->peer, args->window, 0x10000, 0x1000);)
CALL(window_close, return ontb_ntb_window_close(ntb, args->peer, args->window);)
CALL(peer_window_size, return (int)ontb_ntb_peer_window_size(ntb, args->peer, args->window);)
CALL(peer_write32, return ontb_ntb_peer_write32(ntb, args->peer, args->window, args->offset, 1);)
CALL(peer_write, return ontb_ntb_peer_write(ntb, args->peer, args->window, args->offset, bytes, args->len);)
CALL(peer_read, return ontb_ntb_peer_read(ntb, args->peer, args->window, args->offset, bytes, args->len);)
CALL(db_valid, return ontb_ntb_db_valid(ntb) != 0;)
CALL(db_read, return ontb_ntb_db_read(ntb) != 0;)
CALL(db_clear, return ontb_ntb_db_clear(ntb, args->bits);)
CALL(db_mask, return ontb_ntb_db_mask(ntb, args->bits);)
CALL(db_unmask, return ontb_ntb_db_unmask(ntb, args->bits);)
CALL(peer_db_set, return ontb_ntb_peer_db_set(ntb, args->peer, args->bits);)
CALL(spad_count, return (int)ontb_ntb_spad_count(ntb);)
CALL(spad_read, uint32_t value; return ontb_ntb_spad_read(ntb, args->idx, &value);)
CALL(spad_write, return ontb_ntb_spad_write(ntb, args->idx, 1);)
CALL(peer_spad_read, uint32_t value; return ontb_ntb_peer_spad_read(ntb, args->peer, args->idx, &value);)
CALL(peer_spad_write, return ontb_ntb_peer_spad_write(ntb, args->peer, args->idx, 1);)
CALL(msg_count, return (int)ontb_ntb_msg_count(ntb);)
CALL(msg_read, uint32_t value; unsigned int peer; return ontb_ntb_msg_read(ntb, args->idx, &peer, &value);)
CALL(peer_msg_write, return ontb_ntb_peer_msg_write(ntb, args->peer, args->idx, 1);)
CALL(page, size_t size; return ontb_ntb_page(ntb, args->peer, &size) == page_memory && size == PAGE_BYTES;)
CALL(peer_page_write, return ontb_ntb_peer_page_write(ntb, args->peer, args->offset, bytes, args->len);)
CALL(guard_size, return (int)ontb_ntb_guard_size(ntb);)
CALL(guard_set, return ontb_ntb_guard_set(ntb, args->idx, NULL);)
CALL(guard_enable, return ontb_ntb_guard_enable(ntb, true);)

#define ROW_NEEDS(op_, needs_, flags_, nr, limit_)                                                                     \
	{                                                                                                              \
		.name = "ontb_ntb_" #op_, .op = OP_IDX(op_), .needs = OP_IDX(needs_), .flags = (flags_),               \
		.nr_idx = (nr), .limit = (limit_), .call = call_##op_                                                  \
	}
#define ROW(op_, flags_, nr, limit_) ROW_NEEDS(op_, op_, flags_, nr, limit_)

static const struct row rows[] = {
	ROW(link_enable, 0, 0, 0),
	ROW(link_disable, 0, 0, 0),
	ROW(link_is_up, PEER | QUESTION | LINK, 0, 0),
	ROW(window_limits, PEER | WINDOW, 0, 0),
	ROW(window_open, PEER | WINDOW, 0, 0),
	ROW(window_close, PEER | WINDOW, 0, 0),
	ROW(peer_window_size, PEER | WINDOW | QUESTION, 0, 0),
	ROW(peer_write32, PEER | WINDOW | LINK, 0, WINDOW_SIZE),
	ROW(peer_write, PEER | WINDOW | RANGE | LINK, 0, WINDOW_SIZE),
	ROW(peer_read, PEER | WINDOW | RANGE | LINK, 0, WINDOW_SIZE),
	ROW(db_valid, OPTIONAL | QUESTION, 0, 0),
	ROW(db_read, OPTIONAL | QUESTION, 0, 0),
	ROW_NEEDS(db_clear, db_valid, OPTIONAL | BITS, 0, 0),
	ROW_NEEDS(db_mask, db_valid, OPTIONAL | BITS, 0, 0),
	ROW_NEEDS(db_unmask, db_valid, OPTIONAL | BITS, 0, 0),
	ROW_NEEDS(peer_db_set, db_valid, OPTIONAL | PEER | BITS | LINK, 0, 0),
	ROW(spad_count, OPTIONAL | QUESTION, 0, 0),
	ROW_NEEDS(spad_read, spad_count, OPTIONAL, NR_SPADS, 0),
	ROW_NEEDS(spad_write, spad_count, OPTIONAL, NR_SPADS, 0),
	ROW_NEEDS(peer_spad_read, spad_count, OPTIONAL | PEER | LINK, NR_SPADS, 0),
	ROW_NEEDS(peer_spad_write, spad_count, OPTIONAL | PEER | LINK, NR_SPADS, 0),
	ROW(msg_count, OPTIONAL | QUESTION, 0, 0),
	ROW_NEEDS(msg_read, msg_count, OPTIONAL, NR_MSGS, 0),
	ROW_NEEDS(peer_msg_write, msg_count, OPTIONAL | PEER | LINK, NR_MSGS, 0),
	ROW(page, OPTIONAL | PEER | QUESTION, 0, 0),
	ROW_NEEDS(peer_page_write, page, OPTIONAL | PEER | RANGE | LINK, 0, PAGE_BYTES),
	ROW(guard_size, OPTIONAL | QUESTION, 0, 0),
	ROW_NEEDS(guard_set, guard_size, OPTIONAL, NR_SLOTS, 0),
	ROW_NEEDS(guard_enable, guard_size, OPTIONAL, 0, 0),
};

/* All operations but the name have a function. */
_Static_assert(ONTB_ARRAY_SIZE(rows) == NR_OPS - 1, "a row for each operation");

/* Arguments that every function accepts: bit 0 is valid, and so is everything numbered 0. */
static const struct args good_args = { .bits = 1, .len = 8 };

static struct ontb_worker_pool *pool;
static struct ontb_ntb_ops ops;

static void clear_op(size_t idx)
{
	memset((char *)&ops + idx * sizeof(void (*)(void)), 0, sizeof(void (*)(void)));
}

static struct ontb_ntb *make(void)
{
	const struct ontb_ntb_config config = {
		.ops = &ops,
		.driver = &ops,
		.name = "fake0",
		.nr_peers = NR_PEERS,
		.nr_windows = NR_WINDOWS,
		.workers = pool,
	};
	struct ontb_ntb *ntb = NULL;

	ops = whole_ops;
	link_up = true;
	assert_int_equal(ontb_ntb_new(&config, &ntb), 0);
	return ntb;
}

static int set_up(void **state)
{
	(void)state;
	return ontb_worker_pool_new("test", false, 0, &pool);
}

static int tear_down(void **state)
{
	(void)state;
	ontb_worker_pool_free(pool);
	return 0;
}

/* Call a row with everything noted afresh; says what it returned, questions as 0 for an answer and -1 for none. */
static int call(const struct row *row, struct ontb_ntb *ntb, const struct args *args)
{
	int ret;

	memset(calls, 0, sizeof(calls));
	ret = row->call(ntb, args);
	if (row->flags & QUESTION)
		return ret ? 0 : -1;
	return ret;
}

static void expect(const struct row *row, struct ontb_ntb *ntb, const struct args *args, int want, const char *what)
{
	int ret = call(row, ntb, args);

	if (row->flags & QUESTION && want)
		want = -1;
	if (ret != want)
		fail_msg("%s(), %s: %d, not %d", row->name, what, ret, want);
	if (want && !(row->flags & QUESTION) && calls[row->op])
		fail_msg("%s(), %s: the driver was called", row->name, what);
}

static void each_function_reaches_its_own_operation_once(void **state)
{
	struct ontb_ntb *ntb = make();

	(void)state;
	for (size_t i = 0; i < ONTB_ARRAY_SIZE(rows); i++) {
		const struct row *row = &rows[i];

		expect(row, ntb, &good_args, 0, "good arguments");
		assert_int_equal(calls[row->op], 1);
		for (size_t other = 0; other < ONTB_ARRAY_SIZE(rows); other++) {
			/* Asking is fine, doing something else is not. */
			if (other == i || rows[other].flags & QUESTION || rows[other].op == OP_IDX(window_limits))
				continue;
			if (calls[rows[other].op])
				fail_msg("%s() also does %s", row->name, rows[other].name);
		}
	}
	ontb_ntb_free(ntb);
}

static void a_missing_operation_is_missing_for_its_own_function_only(void **state)
{
	struct ontb_ntb *ntb = make();

	(void)state;
	for (size_t missing = 0; missing < ONTB_ARRAY_SIZE(rows); missing++) {
		if (!(rows[missing].flags & OPTIONAL))
			continue;
		ops = whole_ops;
		clear_op(rows[missing].op);
		for (size_t i = 0; i < ONTB_ARRAY_SIZE(rows); i++) {
			const struct row *row = &rows[i];

			if (i == missing)
				expect(row, ntb, &good_args, -EOPNOTSUPP, "missing");
			else if (row->needs == rows[missing].op)
				assert_true(call(row, ntb, &good_args) < 0 && !calls[row->op]);
			else
				expect(row, ntb, &good_args, 0, rows[missing].name);
		}
	}
	ontb_ntb_free(ntb);
}

static void what_the_part_lacks_is_not_supported(void **state)
{
	struct ontb_ntb *ntb = make();

	(void)state;
	for (size_t i = 0; i < ONTB_ARRAY_SIZE(rows); i++) {
		if (rows[i].flags & OPTIONAL)
			clear_op(rows[i].op);
	}
	assert_null(ontb_ntb_ops_check(&ops));
	for (size_t i = 0; i < ONTB_ARRAY_SIZE(rows); i++)
		expect(&rows[i], ntb, &good_args, rows[i].flags & OPTIONAL ? -EOPNOTSUPP : 0, "a part with the least");
	ontb_ntb_free(ntb);
}

static void peers_and_windows_outside_are_refused(void **state)
{
	static const unsigned int bad_peers[] = { NR_PEERS, NR_PEERS + 1, 31, 64, UINT32_MAX };
	static const unsigned int bad_windows[] = { NR_WINDOWS, NR_WINDOWS + 1, UINT32_MAX };
	struct ontb_ntb *ntb = make();

	(void)state;
	for (size_t i = 0; i < ONTB_ARRAY_SIZE(rows); i++) {
		struct args args = good_args;

		if (rows[i].flags & PEER) {
			args.peer = NR_PEERS - 1;
			expect(&rows[i], ntb, &args, 0, "last peer");
			for (size_t k = 0; k < ONTB_ARRAY_SIZE(bad_peers); k++) {
				args.peer = bad_peers[k];
				expect(&rows[i], ntb, &args, -ERANGE, "no such peer");
			}
		}
		args = good_args;
		if (rows[i].flags & WINDOW) {
			args.window = NR_WINDOWS - 1;
			expect(&rows[i], ntb, &args, 0, "last window");
			for (size_t k = 0; k < ONTB_ARRAY_SIZE(bad_windows); k++) {
				args.window = bad_windows[k];
				expect(&rows[i], ntb, &args, -ERANGE, "no such window");
			}
		}
	}
	ontb_ntb_free(ntb);
}

static void indices_and_bits_outside_are_refused(void **state)
{
	struct ontb_ntb *ntb = make();

	(void)state;
	for (size_t i = 0; i < ONTB_ARRAY_SIZE(rows); i++) {
		struct args args = good_args;

		if (rows[i].nr_idx) {
			args.idx = rows[i].nr_idx - 1;
			expect(&rows[i], ntb, &args, 0, "last index");
			args.idx++;
			expect(&rows[i], ntb, &args, -ERANGE, "one past the last index");
			args.idx = UINT32_MAX;
			expect(&rows[i], ntb, &args, -ERANGE, "largest index");
		}
		if (!(rows[i].flags & BITS))
			continue;
		for (unsigned int bit = 0; bit < 64; bit++) {
			args.bits = 1ULL << bit;
			expect(&rows[i], ntb, &args, args.bits & DB_VALID ? 0 : -ERANGE, "one bit");
		}
		args.bits = DB_VALID;
		expect(&rows[i], ntb, &args, 0, "all valid bits");
		args.bits = 0;
		expect(&rows[i], ntb, &args, 0, "no bits");
		args.bits = UINT64_MAX;
		expect(&rows[i], ntb, &args, -ERANGE, "all bits");
	}
	ontb_ntb_free(ntb);
}

static void ranges_outside_are_refused(void **state)
{
	struct ontb_ntb *ntb = make();

	(void)state;
	for (size_t i = 0; i < ONTB_ARRAY_SIZE(rows); i++) {
		const struct row *row = &rows[i];
		struct args args = good_args;

		if (!row->limit)
			continue;
		args.len = 4;
		args.offset = row->limit - 4;
		expect(row, ntb, &args, 0, "last word");
		args.offset = row->limit;
		expect(row, ntb, &args, -ERANGE, "one past the end");
		args.offset = UINT64_MAX - 3;
		expect(row, ntb, &args, -ERANGE, "an offset that wraps");
		if (!(row->flags & RANGE))
			continue;
		args = (struct args){ .offset = 0, .len = (size_t)row->limit };
		expect(row, ntb, &args, 0, "all of it");
		args.len++;
		expect(row, ntb, &args, -ERANGE, "more than all of it");
		args = (struct args){ .offset = row->limit - 3, .len = 4 };
		expect(row, ntb, &args, -ERANGE, "a range that ends outside");
		args = (struct args){ .offset = row->limit, .len = 0 };
		expect(row, ntb, &args, 0, "an empty range at the end");
		args = (struct args){ .offset = 8, .len = SIZE_MAX };
		expect(row, ntb, &args, -ERANGE, "a length that wraps");
	}
	ontb_ntb_free(ntb);
}

static void what_reaches_out_wants_the_link(void **state)
{
	struct ontb_ntb *ntb = make();

	(void)state;
	link_up = false;
	for (size_t i = 0; i < ONTB_ARRAY_SIZE(rows); i++)
		expect(&rows[i], ntb, &good_args, rows[i].flags & LINK ? -ENOLINK : 0, "link down");
	ontb_ntb_free(ntb);
}

static void a_store_of_a_word_is_aligned(void **state)
{
	struct ontb_ntb *ntb = make();

	(void)state;
	memset(calls, 0, sizeof(calls));
	for (unsigned int offset = 0; offset < 8; offset++)
		assert_int_equal(ontb_ntb_peer_write32(ntb, 0, 0, offset, 1), offset % 4 ? -EINVAL : 0);
	assert_int_equal(calls[OP_IDX(peer_write32)], 2);
	ontb_ntb_free(ntb);
}

static void windows_keep_their_limits(void **state)
{
	static const struct {
		unsigned int window;
		uint64_t addr;
		uint64_t size;
		int want;
	} cases[] = {
		{ 0, 0x1000, 0x1000, 0 },
		{ 0, 0, WINDOW_SIZE, 0 },
		{ 0, 0x1000, WINDOW_SIZE, 0 },
		{ 0, 0, 0, -EINVAL },
		{ 0, 0, WINDOW_SIZE + 0x1000, -EINVAL },
		{ 0, 0, 0x1800, -EINVAL },
		{ 0, 0x800, 0x1000, -EINVAL },
		{ 0, 0xfffffffffffff000, 0x1000, 0 },
		{ 0, 0xfffffffffffff000, 0x2000, -EINVAL },
		/* Aligned to its size, rounded up to a power of two. */
		{ 1, 0x1000, 0x1000, 0 },
		{ 1, 0x4000, 0x3000, 0 },
		{ 1, 0x3000, 0x3000, -EINVAL },
		{ 1, 0x1000, 0x2000, -EINVAL },
		{ 1, WINDOW_SIZE, WINDOW_SIZE, 0 },
	};
	struct ontb_ntb *ntb = make();
	unsigned int nr_opened = 0;

	(void)state;
	memset(calls, 0, sizeof(calls));
	for (size_t i = 0; i < ONTB_ARRAY_SIZE(cases); i++) {
		int ret = ontb_ntb_window_open(ntb, 0, cases[i].window, cases[i].addr, cases[i].size);

		if (ret != cases[i].want)
			fail_msg("case %zu: %d, not %d", i, ret, cases[i].want);
		nr_opened += !ret;
		assert_int_equal(calls[OP_IDX(window_open)], nr_opened);
	}
	ontb_ntb_free(ntb);
}

static void a_set_with_holes_is_refused_by_name(void **state)
{
	(void)state;
	ops = whole_ops;
	assert_null(ontb_ntb_ops_check(&ops));
	for (size_t i = 0; i < ONTB_ARRAY_SIZE(rows); i++) {
		const char *missing;

		ops = whole_ops;
		clear_op(rows[i].op);
		missing = ontb_ntb_ops_check(&ops);
		assert_non_null(missing);
		assert_string_equal(missing, rows[i].name + strlen("ontb_ntb_"));
	}
	ops = whole_ops;
	ops.name = NULL;
	assert_string_equal(ontb_ntb_ops_check(&ops), "name");
}

static void one_operation_of_an_optional_group_wants_the_others(void **state)
{
	(void)state;
	for (size_t i = 0; i < ONTB_ARRAY_SIZE(rows); i++) {
		const char *missing;

		if (!(rows[i].flags & OPTIONAL))
			continue;
		ops = whole_ops;
		for (size_t k = 0; k < ONTB_ARRAY_SIZE(rows); k++) {
			if (k != i && rows[k].flags & OPTIONAL)
				clear_op(rows[k].op);
		}
		missing = ontb_ntb_ops_check(&ops);
		assert_non_null(missing);
		assert_string_not_equal(missing, rows[i].name + strlen("ontb_ntb_"));
	}
}

static char last_line[256];

static void keep_line(void *arg, enum ontb_log_level level, const char *line)
{
	UNUSED(arg, level);
	(void)strncpy(last_line, line, sizeof(last_line) - 1);
}

static void registration_refuses_what_makes_no_sense(void **state)
{
	struct ontb_ntb *const untouched = (struct ontb_ntb *)0x1;
	const struct ontb_ntb_config good = {
		.ops = &ops, .name = "fake0", .nr_peers = 1, .nr_windows = 1, .workers = pool
	};
	struct ontb_ntb_config bad[] = { good, good, good, good, good, good };
	struct ontb_ntb *ntb = untouched;

	(void)state;
	ops = whole_ops;
	bad[0].nr_peers = 0;
	bad[1].nr_peers = ONTB_NTB_MAX_PEERS + 1;
	bad[2].nr_windows = 0;
	bad[3].ops = NULL;
	bad[4].name = NULL;
	bad[5].workers = NULL;
	ontb_log_set_sink(keep_line, NULL);
	for (size_t i = 0; i < ONTB_ARRAY_SIZE(bad); i++) {
		last_line[0] = 0;
		assert_int_equal(ontb_ntb_new(&bad[i], &ntb), -EINVAL);
		assert_ptr_equal(ntb, untouched);
		assert_true(last_line[0]);
	}
	ops.peer_db_set = NULL;
	assert_int_equal(ontb_ntb_new(&good, &ntb), -EINVAL);
	assert_non_null(strstr(last_line, "fake0"));
	assert_non_null(strstr(last_line, "peer_db_set()"));
	ontb_log_set_sink(NULL, NULL);
	assert_ptr_equal(ntb, untouched);
	ontb_ntb_free(NULL);
}

static void a_bridge_keeps_what_was_registered(void **state)
{
	char name[] = "0000:00:02.0";
	const struct ontb_ntb_config config = {
		.ops = &ops,
		.driver = calls,
		.name = name,
		.msi = (struct ontb_msi_dev *)0x10,
		.nr_peers = ONTB_NTB_MAX_PEERS,
		.nr_windows = 9,
		.workers = pool,
		.pages = (struct ontb_pages *)0x20,
	};
	struct ontb_ntb *ntb = NULL;

	(void)state;
	ops = whole_ops;
	assert_int_equal(ontb_ntb_new(&config, &ntb), 0);
	memset(name, 'x', sizeof(name) - 1);
	assert_string_equal(ontb_ntb_name(ntb), "0000:00:02.0");
	assert_ptr_equal(ontb_ntb_driver(ntb), calls);
	assert_ptr_equal(ontb_ntb_msi(ntb), config.msi);
	assert_ptr_equal(ontb_ntb_pages(ntb), config.pages);
	assert_ptr_equal(ontb_ntb_workers(ntb), pool);
	assert_ptr_equal(ontb_ntb_ops(ntb), &ops);
	assert_int_equal(ontb_ntb_nr_peers(ntb), ONTB_NTB_MAX_PEERS);
	assert_int_equal(ontb_ntb_nr_windows(ntb), 9);
	ontb_ntb_free(ntb);
}

/* Events */

struct heard {
	unsigned int links[ONTB_NTB_MAX_PEERS];
	unsigned int nr_doorbells;
	unsigned int nr_messages;
};

static void hear_link(void *client, unsigned int peer)
{
	struct heard *heard = client;

	heard->links[peer]++;
}

static void hear_doorbell(void *client)
{
	struct heard *heard = client;

	heard->nr_doorbells++;
}

static void hear_message(void *client)
{
	struct heard *heard = client;

	heard->nr_messages++;
}

static const struct ontb_ntb_events all_events = { hear_link, hear_doorbell, hear_message };
static const struct ontb_ntb_events no_events = { NULL, NULL, NULL };

static struct ontb_ntb *make_stepped(struct ontb_worker_pool **stepped)
{
	struct ontb_worker_pool *threads = pool;
	struct ontb_ntb *ntb;

	assert_int_equal(ontb_worker_pool_new("stepped", true, 1, stepped), 0);
	pool = *stepped;
	ntb = make();
	pool = threads;
	return ntb;
}

static void step(struct ontb_worker_pool *stepped)
{
	while (ontb_worker_pool_step(stepped))
		;
}

static void events_reach_the_client_merged_and_by_kind(void **state)
{
	struct ontb_worker_pool *stepped;
	struct ontb_ntb *ntb = make_stepped(&stepped);
	struct heard heard = { 0 };

	(void)state;
	assert_int_equal(ontb_ntb_set_client(ntb, &all_events, &heard), 0);
	ontb_ntb_link_event(ntb, 0);
	ontb_ntb_link_event(ntb, NR_PEERS - 1);
	ontb_ntb_link_event(ntb, NR_PEERS - 1);
	ontb_ntb_link_event(ntb, NR_PEERS);
	ontb_ntb_link_event(ntb, UINT32_MAX);
	assert_int_equal(heard.links[0], 0);
	step(stepped);
	assert_int_equal(heard.links[0], 1);
	assert_int_equal(heard.links[1], 0);
	assert_int_equal(heard.links[2], 1);
	assert_int_equal(heard.nr_doorbells + heard.nr_messages, 0);
	ontb_ntb_doorbell_event(ntb);
	step(stepped);
	assert_int_equal(heard.nr_doorbells, 1);
	assert_int_equal(heard.nr_messages, 0);
	ontb_ntb_message_event(ntb);
	ontb_ntb_message_event(ntb);
	step(stepped);
	assert_int_equal(heard.nr_messages, 1);
	assert_int_equal(heard.links[0] + heard.links[2], 2);
	assert_int_equal(ontb_ntb_set_client(ntb, NULL, NULL), 0);
	ontb_ntb_free(ntb);
	ontb_worker_pool_free(stepped);
}

static void a_window_has_one_owner_at_a_time(void **state)
{
	struct ontb_worker_pool *stepped;
	struct ontb_ntb *ntb = make_stepped(&stepped);
	unsigned int peers = ontb_ntb_nr_peers(ntb), windows = ontb_ntb_nr_windows(ntb);

	(void)state;
	assert_int_equal(ontb_ntb_window_claim(ntb, 0, windows - 1), 0);
	assert_int_equal(ontb_ntb_window_claim(ntb, 0, windows - 1), -EBUSY);
	for (unsigned int peer = 1; peer < peers; peer++)
		assert_int_equal(ontb_ntb_window_claim(ntb, peer, windows - 1), 0);
	assert_int_equal(ontb_ntb_window_claim(ntb, 0, windows), -ERANGE);
	assert_int_equal(ontb_ntb_window_claim(ntb, peers, 0), -ERANGE);
	ontb_ntb_window_release(ntb, 0, windows - 1);
	ontb_ntb_window_release(ntb, 0, windows);
	ontb_ntb_window_release(ntb, peers, 0);
	assert_int_equal(ontb_ntb_window_claim(ntb, 0, windows - 1), 0);
	ontb_ntb_free(ntb);
	ontb_worker_pool_free(stepped);
}

static void a_bridge_has_one_client_at_a_time(void **state)
{
	struct ontb_worker_pool *stepped;
	struct ontb_ntb *ntb = make_stepped(&stepped);
	struct heard first = { 0 }, second = { 0 };

	(void)state;
	/* Nobody hears this one. */
	ontb_ntb_doorbell_event(ntb);
	step(stepped);
	assert_int_equal(ontb_ntb_set_client(ntb, &all_events, &first), 0);
	assert_int_equal(ontb_ntb_set_client(ntb, &all_events, &second), -EBUSY);
	ontb_ntb_doorbell_event(ntb);
	step(stepped);
	assert_int_equal(first.nr_doorbells, 1);
	/* One that comes before the end is not heard after it. */
	ontb_ntb_doorbell_event(ntb);
	assert_int_equal(ontb_ntb_set_client(ntb, NULL, NULL), 0);
	step(stepped);
	assert_int_equal(first.nr_doorbells, 1);
	assert_int_equal(ontb_ntb_set_client(ntb, &no_events, &second), 0);
	ontb_ntb_link_event(ntb, 0);
	ontb_ntb_doorbell_event(ntb);
	ontb_ntb_message_event(ntb);
	step(stepped);
	assert_int_equal(ontb_ntb_set_client(ntb, NULL, NULL), 0);
	ontb_ntb_free(ntb);
	ontb_worker_pool_free(stepped);
}

/* A client whose memory is gone right after it said good bye: a sanitizer sees an event that comes later. */
static void no_event_runs_after_the_client_has_left(void **state)
{
	struct ontb_ntb *ntb = make();

	(void)state;
	for (unsigned int i = 0; i < 200; i++) {
		struct heard *heard = calloc(1, sizeof(*heard));

		assert_non_null(heard);
		assert_int_equal(ontb_ntb_set_client(ntb, &all_events, heard), 0);
		for (unsigned int k = 0; k < i % 7; k++) {
			ontb_ntb_doorbell_event(ntb);
			ontb_ntb_link_event(ntb, k % NR_PEERS);
		}
		assert_int_equal(ontb_ntb_set_client(ntb, NULL, NULL), 0);
		free(heard);
	}
	ontb_ntb_free(ntb);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_function_reaches_its_own_operation_once),
		cmocka_unit_test(a_missing_operation_is_missing_for_its_own_function_only),
		cmocka_unit_test(what_the_part_lacks_is_not_supported),
		cmocka_unit_test(peers_and_windows_outside_are_refused),
		cmocka_unit_test(indices_and_bits_outside_are_refused),
		cmocka_unit_test(ranges_outside_are_refused),
		cmocka_unit_test(what_reaches_out_wants_the_link),
		cmocka_unit_test(a_store_of_a_word_is_aligned),
		cmocka_unit_test(windows_keep_their_limits),
		cmocka_unit_test(a_set_with_holes_is_refused_by_name),
		cmocka_unit_test(one_operation_of_an_optional_group_wants_the_others),
		cmocka_unit_test(registration_refuses_what_makes_no_sense),
		cmocka_unit_test(a_bridge_keeps_what_was_registered),
		cmocka_unit_test(events_reach_the_client_merged_and_by_kind),
		cmocka_unit_test(a_window_has_one_owner_at_a_time),
		cmocka_unit_test(a_bridge_has_one_client_at_a_time),
		cmocka_unit_test(no_event_runs_after_the_client_has_left),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
