// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * A peer that takes its time, and the one slot that scratchpads have: host 1 is a bare channel, which looks at it every 50 ms. What a word
 * waits for is not the peer's fault until it has been said; and a peer that says nothing is found out all the same.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/clock.h"
#include "grant_rig.h"
#include "ntb/irq/channel.h"

#define NR_IRQS	   64U
#define TURN_NS	   (50 * ONTB_NS_PER_MS)
#define TIMEOUT_NS (2 * ONTB_NS_PER_S)
#define NEVER	   UINT32_MAX

/**
 * struct slow - host 1 and its channel to host 0
 * @rig:         Two hosts.
 * @ch:          Channel.
 * @due:         Confirmation that is due; type 0 if none is.
 * @nr_words:    Words of host 0 about its interrupts.
 * @nr_confirmed: Of these, how many were confirmed.
 * @silent_from: From how many on it confirms nothing.
 * @is_deaf:     Then it takes nothing either.
 * @is_busy:     It grants as well, one interrupt again and again.
 * @gen:         Of its last grant.
 * @last_ns:     When it confirmed last, or was granted something.
 */
struct slow {
	struct grant_rig *rig;
	struct ontb_channel ch;
	struct ontb_grant_msg due;
	unsigned int nr_words;
	unsigned int nr_confirmed;
	unsigned int silent_from;
	bool is_deaf;
	bool is_busy;
	uint32_t gen;
	uint64_t last_ns;
};

static uint32_t next_nonce(struct ontb_channel *ch)
{
	static uint32_t last = 1000;

	(void)ch;
	return ++last;
}

static uint64_t now_of(const struct slow *slow)
{
	return ontb_worker_pool_now(slow->rig->net->hosts[0].pool);
}

static uint64_t nr_cut_off(const struct slow *slow)
{
	struct ontb_ntb_irqs_status status;

	ontb_ntb_irqs_status(slow->rig->ends[0].irqs, &status);
	return status.cut_off;
}

/* Time passes only if host 0 has something to wait for. */
static void pass_time(struct slow *slow)
{
	uint64_t start = now_of(slow);

	while (now_of(slow) - start < TURN_NS && !nr_cut_off(slow) &&
	       ontb_worker_pool_step(slow->rig->net->hosts[0].pool))
		;
}

static bool is_silent(const struct slow *slow)
{
	return slow->nr_confirmed >= slow->silent_from;
}

static void listen_to(struct slow *slow)
{
	uint8_t buf[ONTB_GRANT_MSG_SIZE];
	struct ontb_grant_msg msg;

	if (slow->due.type || (slow->is_deaf && is_silent(slow)) || !ontb_channel_peek(&slow->ch, buf))
		return;
	assert_int_equal(ontb_grant_decode(buf, &msg), 0);
	ontb_channel_take(&slow->ch);
	if (msg.type != ONTB_GRANT_GRANT && msg.type != ONTB_GRANT_REVOKE)
		return;
	slow->nr_words++;
	if (is_silent(slow))
		return;
	slow->due = (struct ontb_grant_msg){
		.type = msg.type == ONTB_GRANT_GRANT ? ONTB_GRANT_GRANT_ACK : ONTB_GRANT_REVOKE_ACK,
		.index = msg.index,
		.gen = msg.gen,
	};
}

static void speak(struct slow *slow)
{
	const struct ontb_grant_msg grant = { .type = ONTB_GRANT_GRANT, .gen = slow->gen + 1 };

	if (!ontb_channel_can_send(&slow->ch))
		return;
	if (slow->due.type) {
		ontb_channel_send(&slow->ch, &slow->due);
		slow->due.type = 0;
		slow->nr_confirmed++;
		slow->last_ns = now_of(slow);
	} else if (slow->is_busy) {
		ontb_channel_send(&slow->ch, &grant);
		slow->gen++;
	}
}

static void turn(struct slow *slow)
{
	pass_time(slow);
	while (ontb_channel_poll(&slow->ch) != ONTB_CHANNEL_NOTHING)
		;
	listen_to(slow);
	speak(slow);
	ontb_channel_flush(&slow->ch);
}

static void begin(struct slow *slow)
{
	const struct ontb_grant_msg hello = { .type = ONTB_GRANT_HELLO, .gen = 8, .data = MOCK_NR_WINDOWS - 1 };
	struct grant_rig *rig = grant_rig_new_bare(2, MOCK_STEPPED | MOCK_SPADS | MOCK_DOORBELLS, NR_IRQS);

	*slow = (struct slow){ .rig = rig, .silent_from = NEVER };
	rig->ends[0].config.ack_timeout_ns = TIMEOUT_NS;
	assert_int_equal(grant_rig_start(rig, 0), 0);
	assert_int_equal(ontb_ntb_link_enable(rig->net->hosts[1].ntb), 0);
	ontb_channel_init(&slow->ch, rig->net->hosts[1].ntb, 0, ONTB_NTB_CHANNEL_SPADS, next_nonce);
	ontb_channel_start(&slow->ch);
	ontb_channel_flush(&slow->ch);
	for (unsigned int i = 0; i < 10 && !ontb_channel_can_send(&slow->ch); i++)
		turn(slow);
	ontb_channel_send(&slow->ch, &hello);
	ontb_channel_flush(&slow->ch);
	for (unsigned int i = 0; i < 10 && !rig->ends[0].nr_up; i++)
		turn(slow);
	assert_int_equal(rig->ends[0].nr_up, 1);
	for (unsigned int i = 0; i < NR_IRQS; i++)
		(void)grant_rig_irq(rig, 0, i);
}

static void grant_all(struct slow *slow)
{
	for (unsigned int i = 0; i < NR_IRQS; i++)
		assert_int_equal(ontb_ntb_irq_grant(slow->rig->ends[0].irqs, i, 0), 0);
	slow->last_ns = now_of(slow);
}

static void turns(struct slow *slow, unsigned int nr)
{
	while (nr-- && slow->nr_confirmed < NR_IRQS && !nr_cut_off(slow))
		turn(slow);
	/* The last confirmation arrives. */
	(void)mock_run(slow->rig->net);
}

static void assert_granted(struct slow *slow, unsigned int nr)
{
	struct ontb_ntb_irqs_status status;

	ontb_ntb_irqs_status(slow->rig->ends[0].irqs, &status);
	assert_int_equal(status.cut_off, 0);
	assert_int_equal(status.nr_granted, nr);
}

static void end(struct slow *slow)
{
	ontb_ntb_link_disable(slow->rig->net->hosts[1].ntb);
	grant_rig_free(slow->rig);
}

static void a_peer_that_confirms_each_word_in_time_may_take_long_for_all(void **state)
{
	struct slow slow;
	uint64_t start;

	(void)state;
	begin(&slow);
	start = now_of(&slow);
	grant_all(&slow);
	turns(&slow, 4 * NR_IRQS);
	assert_granted(&slow, NR_IRQS);
	assert_true(now_of(&slow) - start > TIMEOUT_NS);
	end(&slow);
}

/* Both roles share the slot: words of this host come through between confirmations that it owes. */
static void a_peer_that_grants_all_the_time_does_not_keep_words_back(void **state)
{
	struct slow slow;

	(void)state;
	begin(&slow);
	slow.is_busy = true;
	for (unsigned int i = 0; i < 4; i++)
		turn(&slow);
	assert_true(slow.gen > 0);
	grant_all(&slow);
	turns(&slow, 8 * NR_IRQS);
	assert_granted(&slow, NR_IRQS);
	end(&slow);
}

/* From when it is silent on it is borne for the time-out, and as long as a turn and retries take. */
static void assert_cut_off_in_time(struct slow *slow, uint64_t silent_ns)
{
	for (unsigned int i = 0; i < 8 * NR_IRQS && !nr_cut_off(slow); i++)
		turn(slow);
	assert_int_equal(nr_cut_off(slow), 1);
	assert_true(now_of(slow) >= silent_ns + TIMEOUT_NS);
	assert_true(now_of(slow) <= silent_ns + TIMEOUT_NS + 4 * TURN_NS);
	end(slow);
}

static void fall_silent(bool is_deaf, unsigned int from)
{
	struct slow slow;

	begin(&slow);
	slow.is_deaf = is_deaf;
	slow.silent_from = from;
	grant_all(&slow);
	while (!is_silent(&slow) && !nr_cut_off(&slow))
		turn(&slow);
	assert_int_equal(nr_cut_off(&slow), 0);
	assert_cut_off_in_time(&slow, slow.last_ns);
}

static void a_peer_that_falls_silent_is_cut_off_in_time(void **state)
{
	(void)state;
	fall_silent(false, 0);
	fall_silent(true, 0);
	/* After more than the time-out. */
	fall_silent(false, NR_IRQS - 1);
	fall_silent(true, NR_IRQS - 1);
	fall_silent(false, NR_IRQS / 2);
	fall_silent(true, NR_IRQS / 2);
}

/* It takes nothing, so nothing can be said. */
static void a_peer_that_lets_nothing_be_said_is_cut_off_in_time(void **state)
{
	struct slow slow;

	(void)state;
	begin(&slow);
	slow.is_busy = true;
	slow.is_deaf = true;
	slow.silent_from = 0;
	/* The confirmation of its grant stays in the slot. */
	for (unsigned int i = 0; i < 2; i++)
		turn(&slow);
	assert_true(slow.gen > 0);
	grant_all(&slow);
	assert_cut_off_in_time(&slow, slow.last_ns);
	assert_int_equal(slow.nr_words, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_peer_that_confirms_each_word_in_time_may_take_long_for_all),
		cmocka_unit_test(a_peer_that_grants_all_the_time_does_not_keep_words_back),
		cmocka_unit_test(a_peer_that_falls_silent_is_cut_off_in_time),
		cmocka_unit_test(a_peer_that_lets_nothing_be_said_is_cut_off_in_time),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
