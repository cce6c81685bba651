// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of grant_state.c, a module of its own where the kernel has KUnit. It brings its own copy of the state machine,
 * as ntb_msi.ko exports none of it.
 */
#include <kunit/test.h>
#include <linux/module.h>
#include <linux/prandom.h>

#include "grant_state.c"

#define NR_PEERS 3

/**
 * struct world - an interrupt, and what real peers would do
 * @generations: The device's counter.
 * @state:       The interrupt.
 * @peers:       Its peers.
 */
struct world {
	u32 generations;
	struct ntb_grant_state state;
	struct ntb_grant_peer peers[NR_PEERS];
};

static int world_init(struct kunit *test)
{
	struct world *w = kunit_kzalloc(test, sizeof(*w), GFP_KERNEL);

	if (!w)
		return -ENOMEM;
	w->state.generations = &w->generations;
	w->state.nr_peers = NR_PEERS;
	w->state.peers = w->peers;
	w->state.offset = 0x10;
	w->state.data = 1;
	test->priv = w;
	return 0;
}

static struct ntb_grant_state *state_of(struct kunit *test)
{
	return &((struct world *)test->priv)->state;
}

/* The generation of the word to a peer, which has to say @say. */
static u32 word(struct kunit *test, unsigned int peer, enum ntb_grant_say say)
{
	struct ntb_grant_word out;

	KUNIT_ASSERT_EQ(test, ntb_grant_state_word(state_of(test), peer, &out), 0);
	KUNIT_EXPECT_EQ(test, (int)out.say, (int)say);
	return out.generation;
}

/* Offer to a peer that confirms at once. */
static u32 hold(struct kunit *test, unsigned int peer)
{
	u32 generation;

	KUNIT_ASSERT_EQ(test, ntb_grant_state_offer(state_of(test), peer), 0);
	generation = word(test, peer, NTB_GRANT_GRANT);
	KUNIT_ASSERT_EQ(test, ntb_grant_state_confirmed(state_of(test), peer, generation), 0);
	return generation;
}

static void a_word_is_the_same_until_it_is_confirmed(struct kunit *test)
{
	struct ntb_grant_state *state = state_of(test);
	struct ntb_grant_word first, again;

	word(test, 0, NTB_GRANT_NOTHING);
	KUNIT_EXPECT_EQ(test, ntb_grant_state_offer(state, 0), 0);
	KUNIT_EXPECT_EQ(test, ntb_grant_state_offer(state, 0), -EALREADY);
	KUNIT_EXPECT_TRUE(test, ntb_grant_state_has_word(state));
	ntb_grant_state_word(state, 0, &first);
	KUNIT_EXPECT_FALSE(test, ntb_grant_state_has_word(state));
	ntb_grant_state_word(state, 0, &again);
	KUNIT_EXPECT_EQ(test, memcmp(&first, &again, sizeof(first)), 0);
	KUNIT_EXPECT_EQ(test, first.offset, 0x10u);
	KUNIT_EXPECT_EQ(test, first.data, 1u);
	KUNIT_EXPECT_EQ(test, ntb_grant_state_confirmed(state, 0, first.generation), 0);
	word(test, 0, NTB_GRANT_NOTHING);
}

static void a_wrong_confirmation_is_refused_and_changes_nothing(struct kunit *test)
{
	struct ntb_grant_state *state = state_of(test);
	u32 first, second;

	KUNIT_EXPECT_EQ(test, ntb_grant_state_confirmed(state, NR_PEERS, 1), -ERANGE);
	KUNIT_EXPECT_EQ(test, ntb_grant_state_confirmed(state, 0, 1), -ENOENT);
	ntb_grant_state_offer(state, 0);
	KUNIT_EXPECT_EQ(test, ntb_grant_state_confirmed(state, 0, 0), -ENOENT);
	first = word(test, 0, NTB_GRANT_GRANT);
	KUNIT_EXPECT_EQ(test, ntb_grant_state_confirmed(state, 0, first + 1), -EPROTO);
	KUNIT_EXPECT_EQ(test, ntb_grant_state_returned(state, 0, first), -EPROTO);
	KUNIT_EXPECT_EQ(test, ntb_grant_state_confirmed(state, 0, first), 0);
	KUNIT_EXPECT_EQ(test, ntb_grant_state_confirmed(state, 0, first), -EALREADY);

	KUNIT_EXPECT_TRUE(test, ntb_grant_state_message(state, 0x20, 2));
	KUNIT_EXPECT_EQ(test, ntb_grant_state_confirmed(state, 0, first), -ESTALE);
	second = word(test, 0, NTB_GRANT_GRANT);
	KUNIT_EXPECT_EQ(test, ntb_grant_state_confirmed(state, 0, first), -ESTALE);
	KUNIT_EXPECT_FALSE(test, ntb_grant_state_is_settled(state));
	KUNIT_EXPECT_EQ(test, ntb_grant_state_confirmed(state, 0, second), 0);
	KUNIT_EXPECT_TRUE(test, ntb_grant_state_is_settled(state));
}

static void a_move_ends_with_the_last_of_those_that_were_told(struct kunit *test)
{
	struct ntb_grant_state *state = state_of(test);
	u32 first, second, third;

	hold(test, 0);
	hold(test, 1);
	KUNIT_EXPECT_FALSE(test, ntb_grant_state_message(state, 0x10, 1));
	KUNIT_EXPECT_TRUE(test, ntb_grant_state_is_settled(state));
	KUNIT_EXPECT_TRUE(test, ntb_grant_state_message(state, 0x20, 2));
	first = word(test, 0, NTB_GRANT_GRANT);
	second = word(test, 1, NTB_GRANT_GRANT);
	/* Who is new holds nothing older. */
	ntb_grant_state_offer(state, 2);
	third = word(test, 2, NTB_GRANT_GRANT);
	KUNIT_EXPECT_EQ(test, ntb_grant_state_confirmed(state, 2, third), 0);
	KUNIT_EXPECT_EQ(test, ntb_grant_state_confirmed(state, 0, first), 0);
	KUNIT_EXPECT_FALSE(test, ntb_grant_state_is_settled(state));
	KUNIT_EXPECT_EQ(test, ntb_grant_state_confirmed(state, 1, second), 0);
	KUNIT_EXPECT_TRUE(test, ntb_grant_state_is_settled(state));
}

static void a_message_that_was_offered_and_not_confirmed_counts(struct kunit *test)
{
	struct ntb_grant_state *state = state_of(test);
	u32 generation;

	/* Not said yet: nobody can have the old one. */
	ntb_grant_state_offer(state, 0);
	ntb_grant_state_message(state, 0x20, 2);
	KUNIT_EXPECT_TRUE(test, ntb_grant_state_is_settled(state));
	word(test, 0, NTB_GRANT_GRANT);
	KUNIT_EXPECT_TRUE(test, ntb_grant_state_message(state, 0x30, 3));
	KUNIT_EXPECT_FALSE(test, ntb_grant_state_is_settled(state));
	generation = word(test, 0, NTB_GRANT_GRANT);
	KUNIT_EXPECT_EQ(test, ntb_grant_state_confirmed(state, 0, generation), 0);
	KUNIT_EXPECT_TRUE(test, ntb_grant_state_is_settled(state));
}

static void what_was_revoked_has_to_be_returned(struct kunit *test)
{
	struct ntb_grant_state *state = state_of(test);
	u32 granted, revoked;

	KUNIT_EXPECT_EQ(test, ntb_grant_state_revoke(state, 0), -ENOENT);
	KUNIT_EXPECT_EQ(test, ntb_grant_state_revoke(state, NR_PEERS), -ERANGE);
	ntb_grant_state_offer(state, 1);
	KUNIT_EXPECT_EQ(test, ntb_grant_state_revoke(state, 1), 0);
	KUNIT_EXPECT_TRUE(test, ntb_grant_state_is_returned(state));

	granted = hold(test, 0);
	KUNIT_EXPECT_EQ(test, ntb_grant_state_revoke(state, 0), 0);
	KUNIT_EXPECT_EQ(test, ntb_grant_state_revoke(state, 0), -EALREADY);
	KUNIT_EXPECT_EQ(test, ntb_grant_state_offer(state, 0), -EBUSY);
	KUNIT_EXPECT_EQ(test, ntb_grant_state_returned(state, 0, granted), -ESTALE);
	revoked = word(test, 0, NTB_GRANT_REVOKE);
	KUNIT_EXPECT_EQ(test, ntb_grant_state_confirmed(state, 0, granted), -ESTALE);
	KUNIT_EXPECT_EQ(test, ntb_grant_state_confirmed(state, 0, revoked), -EPROTO);
	/* A move meanwhile has nothing to say, but the old message stays possible. */
	KUNIT_EXPECT_FALSE(test, ntb_grant_state_message(state, 0x20, 2));
	KUNIT_EXPECT_FALSE(test, ntb_grant_state_is_settled(state));
	KUNIT_EXPECT_FALSE(test, ntb_grant_state_is_returned(state));
	KUNIT_EXPECT_EQ(test, ntb_grant_state_returned(state, 0, revoked), 0);
	KUNIT_EXPECT_TRUE(test, ntb_grant_state_is_settled(state));
	KUNIT_EXPECT_TRUE(test, ntb_grant_state_is_returned(state));
	KUNIT_EXPECT_EQ(test, ntb_grant_state_returned(state, 0, revoked), -ENOENT);
	KUNIT_EXPECT_TRUE(test, ntb_grant_is_newer(hold(test, 0), revoked));
}

static void what_was_freed_is_free_when_all_have_returned_it(struct kunit *test)
{
	struct ntb_grant_state *state = state_of(test);
	unsigned int i;

	for (i = 0; i < NR_PEERS; i++)
		hold(test, i);
	KUNIT_EXPECT_EQ(test, ntb_grant_state_revoke(state, 0), 0);
	KUNIT_EXPECT_EQ(test, ntb_grant_state_free(state), 0);
	KUNIT_EXPECT_EQ(test, ntb_grant_state_free(state), -EALREADY);
	KUNIT_EXPECT_EQ(test, ntb_grant_state_offer(state, 0), -ESHUTDOWN);
	for (i = 0; i < NR_PEERS; i++) {
		KUNIT_EXPECT_FALSE(test, ntb_grant_state_is_returned(state));
		KUNIT_EXPECT_EQ(test, ntb_grant_state_returned(state, i, word(test, i, NTB_GRANT_REVOKE)), 0);
	}
	KUNIT_EXPECT_TRUE(test, ntb_grant_state_is_returned(state));
	KUNIT_EXPECT_FALSE(test, ntb_grant_state_has_word(state));
}

static void a_peer_that_is_gone_holds_nothing(struct kunit *test)
{
	struct ntb_grant_state *state = state_of(test);
	u32 generation;

	hold(test, 0);
	hold(test, 1);
	ntb_grant_state_message(state, 0x20, 2);
	generation = word(test, 0, NTB_GRANT_GRANT);
	ntb_grant_state_gone(state, 0);
	KUNIT_EXPECT_EQ(test, ntb_grant_state_confirmed(state, 0, generation), -ENOENT);
	KUNIT_EXPECT_FALSE(test, ntb_grant_state_is_settled(state));
	ntb_grant_state_gone(state, 1);
	ntb_grant_state_gone(state, NR_PEERS);
	KUNIT_EXPECT_TRUE(test, ntb_grant_state_is_settled(state));
	KUNIT_EXPECT_TRUE(test, ntb_grant_state_is_returned(state));
	/* It comes back, and a late word of its earlier life says nothing. */
	ntb_grant_state_offer(state, 0);
	KUNIT_EXPECT_EQ(test, ntb_grant_state_confirmed(state, 0, generation), -ENOENT);
	word(test, 0, NTB_GRANT_GRANT);
	KUNIT_EXPECT_EQ(test, ntb_grant_state_confirmed(state, 0, generation), -ESTALE);
}

static void generations_wrap_and_leave_out_0(struct kunit *test)
{
	struct world *w = test->priv;
	u32 first, second;

	w->generations = U32_MAX - 1;
	first = hold(test, 0);
	second = hold(test, 1);
	KUNIT_EXPECT_EQ(test, first, U32_MAX);
	KUNIT_EXPECT_EQ(test, second, 1u);
	KUNIT_EXPECT_TRUE(test, ntb_grant_is_newer(second, first));
	KUNIT_EXPECT_FALSE(test, ntb_grant_is_newer(first, second));
}

/**
 * struct holder - a peer that keeps every rule, and is as slow as it likes
 * @in:   The last word that was said to it, not acted on.
 * @out:  Confirmation on its way back, or generation 0.
 * @uses: Data that it stores; 0 for none.
 */
struct holder {
	struct ntb_grant_word in;
	struct ntb_grant_word out;
	u32 uses;
};

static void hear(struct kunit *test, struct holder *holder, unsigned int peer)
{
	struct ntb_grant_word now;

	ntb_grant_state_word(state_of(test), peer, &now);
	if (now.say != NTB_GRANT_NOTHING)
		holder->in = now;
}

static void act(struct holder *holder)
{
	if (!holder->in.generation)
		return;
	holder->uses = holder->in.say == NTB_GRANT_GRANT ? holder->in.data : 0;
	holder->out = holder->in;
	holder->in.generation = 0;
}

static void answer(struct kunit *test, struct holder *holder, unsigned int peer)
{
	if (!holder->out.generation)
		return;
	if (holder->out.say == NTB_GRANT_GRANT)
		ntb_grant_state_confirmed(state_of(test), peer, holder->out.generation);
	else
		ntb_grant_state_returned(state_of(test), peer, holder->out.generation);
	/* Now and then it comes twice. */
	if (holder->out.generation % 4)
		holder->out.generation = 0;
}

/* What is said to be out of use is, whatever happens in which order; and in the end everything comes home. */
static void nothing_in_use_is_ever_said_to_be_free(struct kunit *test)
{
	struct ntb_grant_state *state = state_of(test);
	struct holder holders[NR_PEERS] = {};
	struct rnd_state rnd;
	unsigned int i, step;
	u32 data = 1;

	prandom_seed_state(&rnd, 1);
	for (step = 0; step < 200000; step++) {
		u32 dice = prandom_u32_state(&rnd);
		unsigned int peer = dice % NR_PEERS;
		struct holder *holder = &holders[peer];

		switch (dice >> 8 & 15) {
		case 0:
			ntb_grant_state_offer(state, peer);
			break;
		case 1:
			if (!ntb_grant_state_is_settled(state))
				break;
			data++;
			ntb_grant_state_message(state, 4 * data, data);
			break;
		case 2:
			ntb_grant_state_revoke(state, peer);
			break;
		case 3:
			if (dice >> 16 & 15)
				break;
			memset(holder, 0, sizeof(*holder));
			ntb_grant_state_gone(state, peer);
			break;
		case 4 ... 7:
			hear(test, holder, peer);
			break;
		case 8 ... 11:
			act(holder);
			break;
		default:
			answer(test, holder, peer);
		}
		for (i = 0; i < NR_PEERS; i++) {
			if (ntb_grant_state_is_settled(state) && holders[i].uses)
				KUNIT_ASSERT_EQ(test, holders[i].uses, state->data);
			if (ntb_grant_state_is_returned(state))
				KUNIT_ASSERT_EQ(test, holders[i].uses, 0u);
		}
	}
	KUNIT_EXPECT_GT(test, data, 1000u);
	ntb_grant_state_free(state);
	for (step = 0; step < 8; step++) {
		for (i = 0; i < NR_PEERS; i++) {
			hear(test, &holders[i], i);
			act(&holders[i]);
			answer(test, &holders[i], i);
		}
	}
	KUNIT_EXPECT_TRUE(test, ntb_grant_state_is_returned(state));
}

static struct kunit_case cases[] = { KUNIT_CASE(a_word_is_the_same_until_it_is_confirmed),
				     KUNIT_CASE(a_wrong_confirmation_is_refused_and_changes_nothing),
				     KUNIT_CASE(a_move_ends_with_the_last_of_those_that_were_told),
				     KUNIT_CASE(a_message_that_was_offered_and_not_confirmed_counts),
				     KUNIT_CASE(what_was_revoked_has_to_be_returned),
				     KUNIT_CASE(what_was_freed_is_free_when_all_have_returned_it),
				     KUNIT_CASE(a_peer_that_is_gone_holds_nothing),
				     KUNIT_CASE(generations_wrap_and_leave_out_0),
				     KUNIT_CASE(nothing_in_use_is_ever_said_to_be_free),
				     {} };

static struct kunit_suite suite = {
	.name = "ntb_grant",
	.init = world_init,
	.test_cases = cases,
};
kunit_test_suites(&suite);

MODULE_DESCRIPTION("Tests of the state of granted NTB interrupts");
MODULE_LICENSE("GPL");
