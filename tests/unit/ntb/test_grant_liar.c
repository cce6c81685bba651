// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Peers that lie, flood, and replay: host 1 has no NTB interrupts of ours but a bare channel, over which the test says what it
 * likes. Host 0 is the victim; host 2 is honest, and must not notice anything.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "grant_rig.h"
#include "ntb/irq/channel.h"

#define LAST (MOCK_NR_WINDOWS - 1)

/**
 * struct liar - host 1 and its channel to host 0
 * @rig:  Three hosts.
 * @ch:   Channel.
 * @last: What host 0 said last.
 * @nr:   How many messages host 0 has said.
 */
struct liar {
	struct grant_rig *rig;
	struct ontb_channel ch;
	struct ontb_grant_msg last;
	unsigned int nr;
};

static uint32_t last_nonce = 1000;

static uint32_t next_nonce(struct ontb_channel *ch)
{
	(void)ch;
	return ++last_nonce;
}

/* Let host 0 run, and listen to it. */
static void listen_to(struct liar *liar)
{
	uint8_t buf[ONTB_GRANT_MSG_SIZE];

	for (unsigned int i = 0; i < 6; i++) {
		for (unsigned int n = 0; n < 12; n++)
			(void)ontb_worker_pool_step(liar->rig->net->hosts[0].pool);
		while (ontb_channel_poll(&liar->ch) != ONTB_CHANNEL_NOTHING)
			;
		while (ontb_channel_peek(&liar->ch, buf)) {
			assert_int_equal(ontb_grant_decode(buf, &liar->last), 0);
			ontb_channel_take(&liar->ch);
			liar->nr++;
		}
		ontb_channel_flush(&liar->ch);
	}
}

static void say(struct liar *liar, struct ontb_grant_msg msg)
{
	assert_true(ontb_channel_can_send(&liar->ch));
	ontb_channel_send(&liar->ch, &msg);
	ontb_channel_flush(&liar->ch);
	listen_to(liar);
}

#define SAY(liar, ...) say(liar, (struct ontb_grant_msg){ __VA_ARGS__ })

static uint64_t nr_bad(const struct liar *liar)
{
	struct ontb_ntb_irqs_status status;

	ontb_ntb_irqs_status(liar->rig->ends[0].irqs, &status);
	return status.bad_messages;
}

static unsigned int nr_held(const struct liar *liar)
{
	struct ontb_ntb_irqs_status status;

	ontb_ntb_irqs_status(liar->rig->ends[0].irqs, &status);
	return status.nr_held;
}

/* Said in vain: counted, and nothing else happens. */
#define IN_VAIN(liar, ...)                                                                                             \
	do {                                                                                                           \
		uint64_t before = nr_bad(liar);                                                                        \
		SAY(liar, __VA_ARGS__);                                                                                \
		assert_int_equal(nr_bad(liar), before + 1);                                                            \
	} while (0)

static void begin(struct liar *liar, unsigned int nr_irqs)
{
	struct grant_rig *rig = grant_rig_new_bare(3, MOCK_STEPPED | MOCK_PAGES | MOCK_DOORBELLS, 8);

	*liar = (struct liar){ .rig = rig };
	/* Stepping until nothing is left lets time pass, and the liar takes its time. */
	rig->ends[0].config.ack_timeout_ns = 0;
	for (unsigned int host = 0; host < 2; host++)
		assert_int_equal(grant_rig_start(rig, 2 * host), 0);
	assert_int_equal(ontb_ntb_link_enable(rig->net->hosts[1].ntb), 0);
	ontb_channel_init(&liar->ch, rig->net->hosts[1].ntb, 0, ONTB_NTB_CHANNEL_PAGE, next_nonce);
	ontb_channel_start(&liar->ch);
	ontb_channel_flush(&liar->ch);
	listen_to(liar);
	assert_int_equal(liar->last.type, ONTB_GRANT_HELLO);
	assert_int_equal(liar->last.gen, 8);
	assert_int_equal(liar->last.data, LAST);
	if (nr_irqs) {
		SAY(liar, .type = ONTB_GRANT_HELLO, .gen = nr_irqs, .data = LAST);
		assert_int_equal(rig->ends[0].nr_up, 2);
	}
}

/* The honest peer can do what it always can. */
static void end(struct liar *liar)
{
	struct grant_rig *rig = liar->rig;
	struct grant_irq *irq = grant_rig_irq(rig, 0, 7);

	assert_int_equal(ontb_ntb_irq_grant(rig->ends[0].irqs, 7, mock_peer_of(0, 2)), 0);
	listen_to(liar);
	assert_int_equal(ontb_ntb_irq_trigger(rig->ends[2].irqs, 0, 7), 0);
	assert_int_equal(irq->nr_handled, 1);
	ontb_ntb_link_disable(rig->net->hosts[1].ntb);
	grant_rig_free(rig);
}

static void confirmations_of_what_was_not_said_count_for_nothing(void **state)
{
	struct liar liar;
	struct ontb_cpumask cpu1 = ontb_cpumask_of(1);
	struct ontb_ntb_irqs *owner;
	struct grant_irq *irq;
	struct ontb_irq_system *sys;
	uint32_t gen;

	(void)state;
	begin(&liar, 8);
	owner = liar.rig->ends[0].irqs;
	sys = liar.rig->net->hosts[0].sys;
	irq = grant_rig_irq(liar.rig, 0, 0);
	IN_VAIN(&liar, .type = ONTB_GRANT_GRANT_ACK, .index = 0, .gen = 1);
	IN_VAIN(&liar, .type = ONTB_GRANT_REVOKE_ACK, .index = 0, .gen = 1);
	IN_VAIN(&liar, .type = ONTB_GRANT_GRANT_ACK, .index = 8, .gen = 1);
	IN_VAIN(&liar, .type = ONTB_GRANT_GRANT_ACK, .index = 65535, .gen = 0);
	assert_int_equal(ontb_ntb_irq_grant(owner, 0, 0), 0);
	listen_to(&liar);
	assert_int_equal(liar.last.type, ONTB_GRANT_GRANT);
	gen = liar.last.gen;
	IN_VAIN(&liar, .type = ONTB_GRANT_GRANT_ACK, .index = 0, .gen = gen + 1);
	IN_VAIN(&liar, .type = ONTB_GRANT_GRANT_ACK, .index = 0, .gen = gen + 0x80000000);
	IN_VAIN(&liar, .type = ONTB_GRANT_REVOKE_ACK, .index = 0, .gen = gen);
	assert_int_equal(ontb_ntb_irq_settle(owner, 0, 0), -ETIMEDOUT);
	SAY(&liar, .type = ONTB_GRANT_GRANT_ACK, .index = 0, .gen = gen);
	assert_int_equal(ontb_ntb_irq_settle(owner, 0, 0), 0);
	IN_VAIN(&liar, .type = ONTB_GRANT_GRANT_ACK, .index = 0, .gen = gen);

	/* The message before does not confirm the one after. */
	assert_int_equal(ontb_irq_set_affinity(sys, irq->map.virq, &cpu1), 0);
	SAY(&liar, .type = ONTB_GRANT_GRANT_ACK, .index = 0, .gen = gen);
	assert_int_equal(ontb_irq_move_wait(sys, irq->map.virq, 0), -ETIMEDOUT);
	assert_int_equal(mock_vectors_used(&liar.rig->net->hosts[0]), 2);
	mock_store(liar.rig->net, 1, 0, 0, 0);
	assert_int_equal(irq->nr_handled, 1);
	assert_int_equal(liar.last.gen, gen + 1);
	assert_true(liar.last.offset == 0x1000);
	SAY(&liar, .type = ONTB_GRANT_GRANT_ACK, .index = 0, .gen = gen + 1);
	assert_int_equal(ontb_irq_move_wait(sys, irq->map.virq, 0), 0);

	/* Nor does it confirm that it is withdrawn. */
	assert_int_equal(ontb_ntb_irq_revoke(owner, 0, 0), 0);
	SAY(&liar, .type = ONTB_GRANT_GRANT_ACK, .index = 0, .gen = gen + 1);
	IN_VAIN(&liar, .type = ONTB_GRANT_REVOKE_ACK, .index = 0, .gen = gen + 1);
	assert_int_equal(ontb_ntb_irq_settle(owner, 0, 0), -ETIMEDOUT);
	SAY(&liar, .type = ONTB_GRANT_REVOKE_ACK, .index = 0, .gen = gen + 2);
	assert_int_equal(ontb_ntb_irq_settle(owner, 0, 0), 0);
	IN_VAIN(&liar, .type = ONTB_GRANT_REVOKE_ACK, .index = 0, .gen = gen + 2);
	end(&liar);
}

/* A confirmation that is sent before the words are, by a peer that guesses the generation. */
static void a_confirmation_that_comes_too_early_counts_for_nothing(void **state)
{
	struct liar liar;
	uint32_t gen;

	(void)state;
	begin(&liar, 8);
	(void)grant_rig_irq(liar.rig, 0, 0);
	ontb_channel_send(&liar.ch, &(struct ontb_grant_msg){ .type = ONTB_GRANT_GRANT_ACK, .gen = 1 });
	assert_int_equal(ontb_ntb_irq_grant(liar.rig->ends[0].irqs, 0, 0), 0);
	ontb_channel_flush(&liar.ch);
	listen_to(&liar);
	gen = liar.last.gen;
	assert_int_equal(gen, 1);
	assert_int_equal(nr_bad(&liar), 1);
	assert_int_equal(ontb_ntb_irq_settle(liar.rig->ends[0].irqs, 0, 0), -ETIMEDOUT);
	SAY(&liar, .type = ONTB_GRANT_GRANT_ACK, .index = 0, .gen = gen);
	/* Both are there when host 0 looks: the decision to revoke, and the lie. It reads before it speaks. */
	ontb_channel_send(&liar.ch, &(struct ontb_grant_msg){ .type = ONTB_GRANT_REVOKE_ACK, .gen = gen + 1 });
	assert_int_equal(ontb_ntb_irq_revoke(liar.rig->ends[0].irqs, 0, 0), 0);
	ontb_channel_flush(&liar.ch);
	listen_to(&liar);
	assert_int_equal(nr_bad(&liar), 2);
	assert_int_equal(ontb_ntb_irq_settle(liar.rig->ends[0].irqs, 0, 0), -ETIMEDOUT);
	SAY(&liar, .type = ONTB_GRANT_REVOKE_ACK, .gen = gen + 1);
	assert_int_equal(ontb_ntb_irq_settle(liar.rig->ends[0].irqs, 0, 0), 0);
	end(&liar);
}

static void grants_that_make_no_sense_are_not_held(void **state)
{
	struct ontb_ntb_irqs *holder;
	struct liar liar;

	(void)state;
	begin(&liar, 0);
	holder = liar.rig->ends[0].irqs;
	IN_VAIN(&liar, .type = ONTB_GRANT_GRANT, .index = 0, .gen = 1);
	IN_VAIN(&liar, .type = ONTB_GRANT_REVOKE, .index = 0, .gen = 1);
	IN_VAIN(&liar, .type = ONTB_GRANT_HELLO, .gen = 2, .data = MOCK_NR_WINDOWS);
	IN_VAIN(&liar, .type = ONTB_GRANT_GRANT, .index = 0, .gen = 1);
	SAY(&liar, .type = ONTB_GRANT_HELLO, .gen = 2, .data = LAST);
	IN_VAIN(&liar, .type = ONTB_GRANT_HELLO, .gen = 65536, .data = LAST);
	IN_VAIN(&liar, .type = ONTB_GRANT_GRANT, .index = 2, .gen = 1);
	IN_VAIN(&liar, .type = ONTB_GRANT_GRANT, .index = 65535, .gen = 1);
	IN_VAIN(&liar, .type = ONTB_GRANT_GRANT, .index = 0, .gen = 1, .offset = MOCK_WINDOW_SIZE);
	IN_VAIN(&liar, .type = ONTB_GRANT_GRANT, .index = 0, .gen = 1, .offset = UINT64_MAX - 3);
	IN_VAIN(&liar, .type = ONTB_GRANT_GRANT, .index = 0, .gen = 1, .offset = 6);
	IN_VAIN(&liar, .type = (enum ontb_grant_type)77);
	assert_int_equal(nr_held(&liar), 0);
	assert_int_equal(liar.nr, 1);
	SAY(&liar, .type = ONTB_GRANT_GRANT, .index = 1, .gen = 5, .offset = MOCK_WINDOW_SIZE - 4, .data = 9);
	assert_int_equal(liar.last.type, ONTB_GRANT_GRANT_ACK);
	assert_int_equal(liar.last.index, 1);
	assert_int_equal(liar.last.gen, 5);
	assert_true(ontb_ntb_irq_is_granted(holder, 0, 1));
	assert_false(ontb_ntb_irq_is_granted(holder, 0, 0));
	assert_int_equal(nr_held(&liar), 1);
	end(&liar);
}

static void old_generations_change_nothing(void **state)
{
	struct mock_host *host;
	struct liar liar;

	(void)state;
	begin(&liar, 8);
	host = &liar.rig->net->hosts[1];
	/* The liar's window is open, so that what host 0 stores can be seen to arrive, on a root without vectors. */
	assert_int_equal(ontb_ntb_window_open(host->ntb, 0, 1, MOCK_MSI_FIRST, MOCK_MSI_SIZE), 0);
	SAY(&liar, .type = ONTB_GRANT_GRANT, .index = 3, .gen = 10, .offset = 0, .data = 10);
	SAY(&liar, .type = ONTB_GRANT_GRANT, .index = 3, .gen = 12, .offset = 0, .data = 12);
	IN_VAIN(&liar, .type = ONTB_GRANT_GRANT, .index = 3, .gen = 10, .offset = 0, .data = 10);
	IN_VAIN(&liar, .type = ONTB_GRANT_GRANT, .index = 3, .gen = 12, .offset = 0, .data = 13);
	IN_VAIN(&liar, .type = ONTB_GRANT_REVOKE, .index = 3, .gen = 11);
	IN_VAIN(&liar, .type = ONTB_GRANT_GRANT, .index = 3, .gen = 12 + 0x80000000, .offset = 0, .data = 14);
	assert_int_equal(ontb_ntb_irq_trigger(liar.rig->ends[0].irqs, 0, 3), 0);
	assert_int_equal(host->vectors[0][12].nr, 1);
	assert_int_equal(host->nr_stale, 1);
	SAY(&liar, .type = ONTB_GRANT_REVOKE, .index = 3, .gen = 13);
	IN_VAIN(&liar, .type = ONTB_GRANT_GRANT, .index = 3, .gen = 12, .offset = 0, .data = 12);
	assert_int_equal(ontb_ntb_irq_trigger(liar.rig->ends[0].irqs, 0, 3), -ENOENT);
	/* A revocation of what was never granted is confirmed: it is true. */
	SAY(&liar, .type = ONTB_GRANT_REVOKE, .index = 4, .gen = 1);
	assert_int_equal(liar.last.type, ONTB_GRANT_REVOKE_ACK);
	assert_int_equal(liar.last.index, 4);
	assert_int_equal(liar.rig->ends[0].nr_revoked, 1);
	atomic_store(&host->nr_stale, 0);
	end(&liar);
}

/* Many words about one interrupt at once: each is a batch of its own, and the last one counts. */
static void words_that_overtake_each_other_are_confirmed_once(void **state)
{
	struct liar liar;
	unsigned int nr;

	(void)state;
	begin(&liar, 8);
	nr = liar.nr;
	for (unsigned int i = 0; i < 60; i++)
		ontb_channel_send(&liar.ch,
				  &(struct ontb_grant_msg){ .type = i % 2 ? ONTB_GRANT_REVOKE : ONTB_GRANT_GRANT,
							    .index = 2,
							    .gen = i + 1 });
	ontb_channel_flush(&liar.ch);
	for (unsigned int i = 0; i < 20; i++)
		listen_to(&liar);
	assert_int_equal(nr_bad(&liar), 0);
	assert_int_equal(liar.last.type, ONTB_GRANT_REVOKE_ACK);
	assert_int_equal(liar.last.gen, 60);
	assert_true(liar.nr > nr && liar.nr <= nr + 60);
	assert_int_equal(nr_held(&liar), 0);
	end(&liar);
}

/* Bytes of other epochs, of another version, damaged ones: written past the rules of the channel. */
static void words_of_another_epoch_are_not_heard(void **state)
{
	struct liar liar;
	uint8_t *page, buf[ONTB_GRANT_MSG_SIZE];
	uint32_t head;

	(void)state;
	begin(&liar, 8);
	page = liar.rig->net->hosts[0].sides[0].page;
	for (unsigned int i = 0; i < 4; i++) {
		struct ontb_grant_msg msg = { .type = ONTB_GRANT_GRANT,
					      .gen = 1,
					      .from = liar.ch.nonce - (i == 0),
					      .to = liar.ch.peer_nonce + (i == 1) };

		ontb_grant_encode(&msg, buf);
		buf[1] = (uint8_t)(buf[1] + (i == 2));
		ontb_grant_seal(buf, liar.ch.nonce, liar.ch.tx_head);
		if (i == 3)
			buf[20] ^= 1;
		memcpy(page + 64 + 32 * (liar.ch.tx_head % 64), buf, sizeof(buf));
		head = liar.ch.tx_head + 1;
		memcpy(page + 4 * ONTB_CHANNEL_HEAD, &head, 4);
		ontb_ntb_peer_db_set(liar.rig->net->hosts[1].ntb, 0, liar.ch.db_bit);
		for (unsigned int n = 0; n < 12; n++)
			(void)ontb_worker_pool_step(liar.rig->net->hosts[0].pool);
		if (i < 3) {
			liar.ch.tx_head++;
			liar.ch.tx_told++;
		}
		assert_true(nr_bad(&liar) >= i + 1);
		assert_int_equal(nr_held(&liar), 0);
		listen_to(&liar);
	}
	end(&liar);
}

static void a_flood_costs_its_sender_only(void **state)
{
	struct liar liar;
	struct grant_rig *rig;
	struct grant_irq *irq;

	(void)state;
	begin(&liar, 65536);
	rig = liar.rig;
	irq = grant_rig_irq(rig, 0, 0);
	for (unsigned int i = 0; i < 300; i++) {
		struct ontb_cpumask cpu = ontb_cpumask_of(i % 4);
		uint32_t random = i;

		while (ontb_channel_can_send(&liar.ch)) {
			random = random * 1664525 + 1013904223;
			ontb_channel_send(&liar.ch, &(struct ontb_grant_msg){
							    .type = (enum ontb_grant_type)(random >> 28),
							    .index = (uint16_t)(random >> 12),
							    .gen = random >> 8,
							    .offset = random >> 10 & 0xffffc,
						    });
		}
		ontb_channel_flush(&liar.ch);
		/* Meanwhile the honest peer is granted an interrupt that moves. */
		(void)ontb_ntb_irq_grant(rig->ends[0].irqs, 0, mock_peer_of(0, 2));
		assert_int_equal(ontb_irq_set_affinity(rig->net->hosts[0].sys, irq->map.virq, &cpu), 0);
		for (unsigned int n = 0; n < 40 && ontb_ntb_irq_settle(rig->ends[0].irqs, 0, 0); n++)
			(void)ontb_worker_pool_step(rig->net->hosts[0].pool);
		assert_int_equal(ontb_ntb_irq_settle(rig->ends[0].irqs, 0, 0), 0);
		assert_int_equal(ontb_ntb_irq_trigger(rig->ends[2].irqs, 0, 0), 0);
		assert_int_equal(irq->nr_handled, i + 1);
		listen_to(&liar);
	}
	assert_true(nr_bad(&liar) > 1000);
	end(&liar);
}

static void a_peer_that_starts_again_and_again_costs_itself_only(void **state)
{
	struct liar liar;

	(void)state;
	begin(&liar, 65536);
	(void)grant_rig_irq(liar.rig, 0, 0);
	for (unsigned int i = 0; i < 50; i++) {
		assert_int_equal(ontb_ntb_irq_grant(liar.rig->ends[0].irqs, 0, 0), 0);
		if (i % 2)
			listen_to(&liar);
		ontb_channel_start(&liar.ch);
		ontb_channel_flush(&liar.ch);
		listen_to(&liar);
		assert_int_equal(ontb_ntb_irq_settle(liar.rig->ends[0].irqs, 0, 0), 0);
		assert_int_equal(ontb_ntb_irq_grant(liar.rig->ends[0].irqs, 0, 0), -ENOLINK);
		/* The window is closed until it says that it holds nothing. */
		assert_int_equal(liar.rig->net->hosts[0].sides[0].windows[1].size, 0);
		SAY(&liar, .type = ONTB_GRANT_HELLO, .gen = 65536, .data = LAST);
		assert_int_equal(liar.rig->net->hosts[0].sides[0].windows[1].size, MOCK_MSI_SIZE);
	}
	assert_int_equal(liar.rig->ends[0].nr_down, 50);
	end(&liar);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(confirmations_of_what_was_not_said_count_for_nothing),
		cmocka_unit_test(a_confirmation_that_comes_too_early_counts_for_nothing),
		cmocka_unit_test(grants_that_make_no_sense_are_not_held),
		cmocka_unit_test(old_generations_change_nothing),
		cmocka_unit_test(words_that_overtake_each_other_are_confirmed_once),
		cmocka_unit_test(words_of_another_epoch_are_not_heard),
		cmocka_unit_test(a_flood_costs_its_sender_only),
		cmocka_unit_test(a_peer_that_starts_again_and_again_costs_itself_only),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
