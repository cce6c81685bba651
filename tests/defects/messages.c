// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * How a peer learns of a message, and of another one later: defects 5, 7 and 8.
 */
#include "defects.h"

#include "ntb/irq/irqs.h"

#define HIGH_DOORBELLS 0xffff00000000ULL

/**
 * struct spy - what goes through a bridge on its way
 * @rig:       Rig.
 * @ops:       What it does really.
 * @nr_writes: Stores for a peer.
 * @look_at:   After which of host 0's stores host 1 looks; 0 for none.
 * @gen:       Last word of host 0 that host 1 has used.
 * @nr_raised: How often it did.
 * @rung:      Doorbells.
 */
static struct spy {
	struct grant_rig *rig;
	struct ontb_ntb_ops ops;
	unsigned int nr_writes;
	unsigned int look_at;
	uint32_t gen;
	unsigned int nr_raised;
	uint64_t rung;
} spy;

static void start_spying(struct grant_rig *rig)
{
	spy = (struct spy){ .rig = rig, .ops = rig->net->ops };
}

/* Host 1's worker runs, perhaps while host 0's is in the middle of something, and what is news to it is used at once. */
static void look(void)
{
	struct ontb_ntb_irqs *irqs = spy.rig->ends[1].irqs;
	const struct ontb_held *held = &irqs->sessions[0].held->held[0];

	ontb_irqs_kick(irqs);
	ontb_irqs_run(irqs);
	if (held->gen == spy.gen)
		return;
	spy.gen = held->gen;
	spy.nr_raised += !ontb_ntb_irq_trigger(irqs, 0, 0);
}

static void spad_write(struct ontb_ntb *ntb, unsigned int peer, unsigned int idx, uint32_t value)
{
	spy.ops.peer_spad_write(ntb, peer, idx, value);
	if (ntb == spy.rig->net->hosts[0].ntb && ++spy.nr_writes == spy.look_at)
		look();
}

/* Host 1 looks between any two of the words that tell it of a move. */
void defect_05_offset_and_data_are_torn(void **state)
{
	struct grant_rig *rig = grant_rig_new(2, MOCK_STEPPED | MOCK_SPADS | MOCK_DOORBELLS, 4);
	struct grant_irq *irq = defects_irq(rig, 0, 0, 1), *other = defects_irq(rig, 0, 1, 2);
	unsigned int cpu = 1;

	(void)state;
	defects_grant(rig, 0, 0, 1);
	mock_run(rig->net);
	start_spying(rig);
	rig->net->ops.peer_spad_write = spad_write;
	/* The other interrupt has the same data at CPU 2 as this one at CPU 1, so a mixture would reach it, or nobody. */
	for (unsigned int at = 2 * ONTB_CHANNEL_NR_WORDS; at > 0; at--) {
		spy.nr_writes = 0;
		spy.look_at = at;
		cpu = 3 - cpu;
		defects_move(rig, 0, 0, cpu);
		mock_run(rig->net);
		look();
		expect(!other->nr_handled && !grant_rig_nr_stray(rig),
		       "a message was half the old one and half the new one");
		expect(irq->nr_handled == spy.nr_raised && irq->last_cpu == cpu, "a message was lost");
	}
	assert_int_equal(spy.nr_raised, 2 * ONTB_CHANNEL_NR_WORDS);
	grant_rig_free(rig);
}

static uint64_t high_doorbells(struct ontb_ntb *ntb)
{
	(void)ntb;
	return HIGH_DOORBELLS;
}

static void ring(struct ontb_ntb *ntb, unsigned int peer, uint64_t bits)
{
	spy.rung |= bits;
	spy.ops.peer_db_set(ntb, peer, bits & HIGH_DOORBELLS);
}

/* All doorbells of the bridge are in the upper half of the register. */
void defect_07_doorbell_mask_is_cut_to_32_bits(void **state)
{
	struct grant_rig *rig = grant_rig_new_bare(2, DEFECTS_BRIDGE, 1);

	(void)state;
	start_spying(rig);
	rig->net->ops.db_valid = high_doorbells;
	rig->net->ops.peer_db_set = ring;
	for (unsigned int host = 0; host < 2; host++)
		assert_int_equal(grant_rig_start(rig, host), 0);
	mock_run(rig->net);
	expect(spy.rung && !(spy.rung & ~HIGH_DOORBELLS), "a doorbell was rung that the bridge does not have");
	(void)defects_irq(rig, 0, 0, 1);
	defects_grant(rig, 0, 0, 1);
	mock_run(rig->net);
	defects_raise(rig, 1, 0, 0);
	assert_int_equal(rig->ends[0].irq[0].nr_handled, 1);
	grant_rig_free(rig);
}

static void page_write(struct ontb_ntb *ntb, unsigned int peer, size_t offset, const void *buf, size_t len)
{
	spy.nr_writes++;
	spy.ops.peer_page_write(ntb, peer, offset, buf, len);
}

/* Host 1 learns of the move at once and uses the new message; host 2 learns of it much later. */
void defect_08_late_peers_lose_messages_when_an_interrupt_moves(void **state)
{
	struct grant_rig *rig = grant_rig_new_bare(3, DEFECTS_BRIDGE, 1);
	struct grant_irq *irq;
	unsigned int nr;

	(void)state;
	for (unsigned int host = 0; host < 3; host++) {
		rig->ends[host].config.ack_timeout_ns = 0;
		assert_int_equal(grant_rig_start(rig, host), 0);
	}
	mock_run(rig->net);
	irq = defects_irq(rig, 0, 0, 1);
	for (unsigned int host = 1; host < 3; host++)
		defects_grant(rig, 0, 0, host);
	mock_run(rig->net);
	start_spying(rig);
	rig->net->ops.peer_page_write = page_write;
	atomic_store(&rig->net->hosts[2].is_deaf, true);
	defects_move(rig, 0, 0, 2);
	expect(!spy.nr_writes, "peers are told while the interrupt is locked");
	defects_raise(rig, 2, 0, 0);
	expect(irq->nr_handled == 1 && irq->last_cpu == 1, "a message that its sender had rightly is lost");
	nr = 1;
	do {
		assert_true(ontb_worker_pool_step(rig->net->hosts[0].pool));
		defects_raise(rig, 1, 0, 0);
		expect(irq->nr_handled == ++nr, "a message that its sender had rightly is lost");
	} while (ontb_own_of_peer(rig->ends[0].irqs, &rig->ends[0].irqs->owns[0], 0)->state != ONTB_GRANT_GRANTED);
	expect(irq->last_cpu == 2, "a peer has not learnt what it confirmed");
	defects_raise(rig, 2, 0, 0);
	expect(irq->nr_handled == ++nr && irq->last_cpu == 1, "the message of a late peer is lost");
	atomic_store(&rig->net->hosts[2].is_deaf, false);
	mock_run(rig->net);
	defects_raise(rig, 2, 0, 0);
	expect(irq->nr_handled == ++nr && irq->last_cpu == 2, "a late peer never learns");
	assert_int_equal(mock_vectors_used(&rig->net->hosts[0]), 1);
	grant_rig_free(rig);
}
