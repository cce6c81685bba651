// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Channels over every kind of memory: two ends that a test drives by hand, one step at a time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mock_ntb.h"
#include "ntb/irq/channel.h"

/**
 * struct pair - two ends, and what each knows of the other
 * @net:      Two hosts.
 * @ends:     Ends.
 * @nr_sent:  Messages that an end sent in this epoch of it.
 * @nr_heard: Messages that an end took in this epoch of the other.
 * @nr_resets: How often an end noticed that the other had forgotten.
 * @nr_connects: How often it connected.
 */
struct pair {
	struct mock_net *net;
	struct ontb_channel ends[2];
	uint32_t nr_sent[2];
	uint32_t nr_heard[2];
	unsigned int nr_resets[2];
	unsigned int nr_connects[2];
};

static const struct {
	unsigned int flags;
	enum ontb_ntb_channel kind;
} kinds[] = {
	{ MOCK_PAGES | MOCK_DOORBELLS, ONTB_NTB_CHANNEL_PAGE },
	{ MOCK_SPADS | MOCK_DOORBELLS, ONTB_NTB_CHANNEL_SPADS },
	{ MOCK_MSGS, ONTB_NTB_CHANNEL_MSGS },
	{ MOCK_MSGS | MOCK_OVERWRITE, ONTB_NTB_CHANNEL_MSGS },
};

static uint32_t last_nonce;

static uint32_t next_nonce(struct ontb_channel *ch)
{
	(void)ch;
	return ++last_nonce;
}

static struct pair *new_pair(unsigned int flags, enum ontb_ntb_channel kind)
{
	struct pair *pair = calloc(1, sizeof(*pair));

	assert_non_null(pair);
	pair->net = mock_net_new(2, MOCK_STEPPED | flags);
	for (unsigned int i = 0; i < 2; i++) {
		enum ontb_ntb_channel got;

		assert_int_equal(ontb_channel_choose(pair->net->hosts[i].ntb, ONTB_NTB_CHANNEL_AUTO, &got), 0);
		assert_int_equal(got, kind);
		assert_int_equal(ontb_ntb_link_enable(pair->net->hosts[i].ntb), 0);
		ontb_channel_init(&pair->ends[i], pair->net->hosts[i].ntb, 0, got, next_nonce);
	}
	return pair;
}

/* Two new ends over the same memory: what the ones before left in it does not matter. */
static void renew(struct pair *pair)
{
	for (unsigned int i = 0; i < 2; i++) {
		enum ontb_ntb_channel kind;

		assert_int_equal(ontb_channel_choose(pair->net->hosts[i].ntb, ONTB_NTB_CHANNEL_AUTO, &kind), 0);
		ontb_channel_init(&pair->ends[i], pair->net->hosts[i].ntb, 0, kind, next_nonce);
	}
}

static void free_pair(struct pair *pair)
{
	mock_net_free(pair->net);
	free(pair);
}

static void start(struct pair *pair, unsigned int i)
{
	ontb_channel_start(&pair->ends[i]);
	pair->nr_sent[i] = pair->nr_heard[i] = 0;
}

static void look(struct pair *pair, unsigned int i)
{
	struct ontb_channel *chs[] = { &pair->ends[i] };

	if (pair->net->flags & MOCK_MSGS)
		(void)ontb_channel_msgs_take(pair->net->hosts[i].ntb, chs, 1);
	for (;;) {
		uint32_t known = pair->ends[i].peer_nonce;
		enum ontb_channel_event event = ontb_channel_poll(&pair->ends[i]);

		if (event == ONTB_CHANNEL_RESET || pair->ends[i].peer_nonce != known)
			pair->nr_sent[i] = pair->nr_heard[i] = 0;
		pair->nr_resets[i] += event == ONTB_CHANNEL_RESET;
		pair->nr_connects[i] += event == ONTB_CHANNEL_CONNECTED;
		if (event == ONTB_CHANNEL_NOTHING)
			return;
	}
}

/* Every message says which one of its epoch it is, in all its members. */
static void send(struct pair *pair, unsigned int i)
{
	uint32_t nr = pair->nr_sent[i];
	const struct ontb_grant_msg msg = {
		.type = ONTB_GRANT_GRANT, .index = (uint16_t)nr, .gen = nr, .offset = nr * 0x100000004ULL, .data = ~nr
	};

	if (!ontb_channel_can_send(&pair->ends[i]))
		return;
	ontb_channel_send(&pair->ends[i], &msg);
	pair->nr_sent[i]++;
}

static void take(struct pair *pair, unsigned int i)
{
	struct ontb_grant_msg msg;
	uint8_t buf[ONTB_GRANT_MSG_SIZE];
	uint32_t nr = pair->nr_heard[i];

	if (!ontb_channel_peek(&pair->ends[i], buf))
		return;
	assert_int_equal(ontb_grant_decode(buf, &msg), 0);
	assert_int_equal(msg.from, pair->ends[i].peer_nonce);
	assert_int_equal(msg.to, pair->ends[i].nonce);
	assert_int_equal(msg.gen, nr);
	assert_int_equal(msg.index, (uint16_t)nr);
	assert_true(msg.offset == nr * 0x100000004ULL);
	assert_int_equal(msg.data, ~nr);
	ontb_channel_take(&pair->ends[i]);
	pair->nr_heard[i]++;
}

static void turn(struct pair *pair, unsigned int i)
{
	look(pair, i);
	for (unsigned int n = 0; n < 70; n++)
		take(pair, i);
	ontb_channel_flush(&pair->ends[i]);
}

static bool are_connected(const struct pair *pair)
{
	return pair->ends[0].is_connected && pair->ends[1].is_connected &&
	       pair->ends[0].peer_nonce == pair->ends[1].nonce && pair->ends[1].peer_nonce == pair->ends[0].nonce;
}

/* Until both ends have nothing to wait for, with what real ends do when nothing comes: write it again. */
static void calm(struct pair *pair)
{
	unsigned int nr;

	for (nr = 0; nr < 10000; nr++) {
		if (are_connected(pair) && ontb_channel_is_idle(&pair->ends[0]) && ontb_channel_is_idle(&pair->ends[1]))
			return;
		turn(pair, nr & 1);
		if (nr % 64 == 63) {
			ontb_channel_refresh(&pair->ends[0]);
			ontb_channel_refresh(&pair->ends[1]);
		}
	}
	fail_msg("the ends do not come to rest");
}

static void ends_connect_whoever_starts_first(void **state)
{
	(void)state;
	for (unsigned int k = 0; k < ONTB_ARRAY_SIZE(kinds); k++) {
		for (unsigned int first = 0; first < 2; first++) {
			struct pair *pair = new_pair(kinds[k].flags, kinds[k].kind);

			start(pair, first);
			for (unsigned int n = 0; n < 20; n++)
				turn(pair, first);
			assert_false(pair->ends[first].is_connected);
			assert_false(ontb_channel_can_send(&pair->ends[first]));
			start(pair, !first);
			calm(pair);
			assert_int_equal(pair->nr_connects[0], 1);
			assert_int_equal(pair->nr_connects[1], 1);
			assert_int_equal(pair->nr_resets[0] + pair->nr_resets[1], 0);
			free_pair(pair);
		}
	}
}

static void messages_keep_their_order_and_number(void **state)
{
	(void)state;
	for (unsigned int k = 0; k < ONTB_ARRAY_SIZE(kinds); k++) {
		struct pair *pair = new_pair(kinds[k].flags, kinds[k].kind);

		start(pair, 0);
		start(pair, 1);
		calm(pair);
		while (pair->nr_heard[0] < 300 || pair->nr_heard[1] < 300) {
			for (unsigned int i = 0; i < 2; i++) {
				for (unsigned int n = 0; n < 100 && pair->nr_sent[i] < 300; n++)
					send(pair, i);
				turn(pair, i);
			}
		}
		calm(pair);
		assert_int_equal(pair->nr_heard[0], 300);
		assert_int_equal(pair->nr_heard[1], 300);
		assert_int_equal(pair->ends[0].nr_damaged + pair->ends[1].nr_damaged, 0);
		free_pair(pair);
	}
}

static void a_full_ring_waits_for_the_reader(void **state)
{
	(void)state;
	for (unsigned int k = 0; k < ONTB_ARRAY_SIZE(kinds); k++) {
		struct pair *pair = new_pair(kinds[k].flags, kinds[k].kind);
		unsigned int slots = pair->ends[0].nr_slots;

		start(pair, 0);
		start(pair, 1);
		calm(pair);
		assert_int_equal(slots, kinds[k].kind == ONTB_NTB_CHANNEL_PAGE ? 64 : 1);
		for (unsigned int n = 0; n < slots; n++) {
			assert_true(ontb_channel_can_send(&pair->ends[0]));
			send(pair, 0);
		}
		assert_false(ontb_channel_can_send(&pair->ends[0]));
		ontb_channel_flush(&pair->ends[0]);
		assert_false(ontb_channel_is_idle(&pair->ends[0]));
		calm(pair);
		assert_int_equal(pair->nr_heard[1], slots);
		assert_true(ontb_channel_can_send(&pair->ends[0]));
		free_pair(pair);
	}
}

static void a_reset_is_noticed_once_by_the_other_end(void **state)
{
	(void)state;
	for (unsigned int k = 0; k < ONTB_ARRAY_SIZE(kinds); k++) {
		struct pair *pair = new_pair(kinds[k].flags, kinds[k].kind);

		start(pair, 0);
		start(pair, 1);
		calm(pair);
		send(pair, 0);
		send(pair, 1);
		start(pair, 1);
		calm(pair);
		assert_int_equal(pair->nr_resets[0], 1);
		assert_int_equal(pair->nr_resets[1], 0);
		assert_int_equal(pair->nr_heard[0], 0);
		assert_int_equal(pair->nr_heard[1], 0);
		send(pair, 0);
		send(pair, 1);
		calm(pair);
		assert_int_equal(pair->nr_heard[0], 1);
		assert_int_equal(pair->nr_heard[1], 1);
		free_pair(pair);
	}
}

/* What a writer that does not keep the rules leaves half done is not taken for a message. */
static void a_slot_that_is_half_written_waits(void **state)
{
	struct pair *pair = new_pair(MOCK_PAGES | MOCK_DOORBELLS, ONTB_NTB_CHANNEL_PAGE);
	uint8_t *page = pair->net->hosts[1].sides[0].page;
	uint8_t buf[ONTB_GRANT_MSG_SIZE];

	(void)state;
	start(pair, 0);
	start(pair, 1);
	calm(pair);
	send(pair, 0);
	ontb_channel_flush(&pair->ends[0]);
	page[64 + 24] ^= 1;
	assert_false(ontb_channel_peek(&pair->ends[1], buf));
	assert_int_equal(pair->ends[1].nr_damaged, 1);
	ontb_channel_refresh(&pair->ends[0]);
	take(pair, 1);
	assert_int_equal(pair->nr_heard[1], 1);
	free_pair(pair);
}

static void a_head_that_cannot_be_is_not_believed(void **state)
{
	static const uint32_t heads[] = { 65, 1000, 0x80000000, UINT32_MAX };
	struct pair *pair = new_pair(MOCK_PAGES | MOCK_DOORBELLS, ONTB_NTB_CHANNEL_PAGE);
	uint8_t *page = pair->net->hosts[1].sides[0].page, buf[ONTB_GRANT_MSG_SIZE];

	(void)state;
	start(pair, 0);
	start(pair, 1);
	calm(pair);
	for (unsigned int i = 0; i < ONTB_ARRAY_SIZE(heads); i++) {
		memcpy(page + 4 * ONTB_CHANNEL_HEAD, &heads[i], 4);
		assert_false(ontb_channel_peek(&pair->ends[1], buf));
	}
	assert_int_equal(pair->ends[1].nr_damaged, ONTB_ARRAY_SIZE(heads));
	/* Nor is a confirmation of what was not sent. */
	for (unsigned int i = 0; i < ONTB_ARRAY_SIZE(heads); i++) {
		memcpy(pair->net->hosts[0].sides[0].page + 4 * ONTB_CHANNEL_ACK, &heads[i], 4);
		assert_int_equal(ontb_channel_poll(&pair->ends[0]), ONTB_CHANNEL_NOTHING);
		assert_true(ontb_channel_can_send(&pair->ends[0]));
	}
	free_pair(pair);
}

static void half_words_that_make_no_sense_are_counted(void **state)
{
	static const uint32_t words[] = { 0, 0xc0000000, 0x40000000 | 12U << 20, 0x40000000 | 1U << 16, 0x40ffffff };
	struct pair *pair = new_pair(MOCK_MSGS, ONTB_NTB_CHANNEL_MSGS);

	(void)state;
	start(pair, 0);
	for (unsigned int i = 0; i < ONTB_ARRAY_SIZE(words); i++) {
		assert_int_equal(ontb_ntb_peer_msg_write(pair->net->hosts[1].ntb, 0, 0, words[i]), 0);
		look(pair, 0);
		assert_int_equal(pair->ends[0].nr_damaged, i + 1);
	}
	free_pair(pair);
}

static uint32_t chance(uint32_t *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return *seed >> 8;
}

/*
 * Anything in any order: steps of either end, resets of either end, links that lose what is written, doorbells that get lost.
 * Whatever happens, messages of an epoch come in order, whole, none twice; and when peace returns, everything comes.
 */
static void nothing_is_torn_or_twice_whatever_happens(void **state)
{
	(void)state;
	for (unsigned int k = 0; k < ONTB_ARRAY_SIZE(kinds); k++) {
		struct pair *pair = new_pair(kinds[k].flags, kinds[k].kind);

		for (uint32_t seed = 1; seed <= 200; seed++) {
			uint32_t random = seed;
			uint32_t sent[2];

			renew(pair);
			start(pair, 0);
			start(pair, 1);
			for (unsigned int step = 0; step < 600; step++) {
				uint32_t what = chance(&random) % 64, i = chance(&random) & 1;

				if (what < 16)
					send(pair, i);
				else if (what < 24)
					take(pair, i);
				else if (what < 36)
					look(pair, i);
				else if (what < 48)
					ontb_channel_flush(&pair->ends[i]);
				else if (what < 56)
					ontb_channel_refresh(&pair->ends[i]);
				else if (what < 57)
					start(pair, i);
				else if (what < 58)
					pair->net->hosts[0].sides[0].is_up = !pair->net->hosts[0].sides[0].is_up;
				else
					turn(pair, i);
			}
			pair->net->hosts[0].sides[0].is_up = true;
			calm(pair);
			for (unsigned int i = 0; i < 2; i++)
				sent[i] = pair->nr_sent[i];
			for (unsigned int n = 0; n < 3; n++) {
				send(pair, 0);
				send(pair, 1);
				calm(pair);
			}
			assert_int_equal(pair->nr_heard[1], sent[0] + 3);
			assert_int_equal(pair->nr_heard[0], sent[1] + 3);
		}
		free_pair(pair);
	}
}

static void what_the_bridge_lacks_is_said(void **state)
{
	static const struct {
		unsigned int nr_hosts;
		unsigned int flags;
		enum ontb_ntb_channel want;
		int result;
	} cases[] = {
		{ 2, 0, ONTB_NTB_CHANNEL_AUTO, -EOPNOTSUPP },
		{ 2, MOCK_PAGES, ONTB_NTB_CHANNEL_AUTO, -EOPNOTSUPP },
		{ 2, MOCK_PAGES, ONTB_NTB_CHANNEL_PAGE, -EOPNOTSUPP },
		{ 2, MOCK_SPADS, ONTB_NTB_CHANNEL_SPADS, -EOPNOTSUPP },
		{ 2, MOCK_SPADS | MOCK_DOORBELLS, ONTB_NTB_CHANNEL_PAGE, -EOPNOTSUPP },
		{ 2, MOCK_SPADS | MOCK_DOORBELLS, ONTB_NTB_CHANNEL_MSGS, -EOPNOTSUPP },
		{ 3, MOCK_SPADS | MOCK_DOORBELLS, ONTB_NTB_CHANNEL_AUTO, -EOPNOTSUPP },
		{ 3, MOCK_SPADS | MOCK_DOORBELLS | MOCK_MSGS, ONTB_NTB_CHANNEL_AUTO, 0 },
		{ 2, MOCK_SPADS | MOCK_DOORBELLS | MOCK_PAGES, ONTB_NTB_CHANNEL_SPADS, 0 },
	};

	(void)state;
	for (unsigned int i = 0; i < ONTB_ARRAY_SIZE(cases); i++) {
		struct mock_net *net = mock_net_new(cases[i].nr_hosts, MOCK_STEPPED | cases[i].flags);
		enum ontb_ntb_channel kind;

		assert_int_equal(ontb_channel_choose(net->hosts[0].ntb, cases[i].want, &kind), cases[i].result);
		mock_net_free(net);
	}
}

static void a_ring_uses_what_the_page_has(void **state)
{
	(void)state;
	assert_int_equal(ontb_channel_page_slots(0), 0);
	assert_int_equal(ontb_channel_page_slots(95), 0);
	assert_int_equal(ontb_channel_page_slots(96), 1);
	assert_int_equal(ontb_channel_page_slots(127), 1);
	assert_int_equal(ontb_channel_page_slots(128), 2);
	assert_int_equal(ontb_channel_page_slots(64 + 64 * 32 - 1), 32);
	assert_int_equal(ontb_channel_page_slots(64 + 64 * 32), 64);
	assert_int_equal(ontb_channel_page_slots(1 << 20), 64);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ends_connect_whoever_starts_first),
		cmocka_unit_test(messages_keep_their_order_and_number),
		cmocka_unit_test(a_full_ring_waits_for_the_reader),
		cmocka_unit_test(a_reset_is_noticed_once_by_the_other_end),
		cmocka_unit_test(a_slot_that_is_half_written_waits),
		cmocka_unit_test(a_head_that_cannot_be_is_not_believed),
		cmocka_unit_test(half_words_that_make_no_sense_are_counted),
		cmocka_unit_test(nothing_is_torn_or_twice_whatever_happens),
		cmocka_unit_test(what_the_bridge_lacks_is_said),
		cmocka_unit_test(a_ring_uses_what_the_page_has),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
