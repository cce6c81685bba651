/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * Twelve defects of another implementation, a test each: docs/defects.md says what they are. A test passes with the source as it is
 * and fails, with one of its own sentences, when the defect is put back by the patch of the same number; run.py sees to both.
 *
 * A defect must fail its own test and no other one. So the tests avoid each other's ground: offset 0, for example, is used
 * by the test of defect 4 only. All are stepped: each run is the same.
 */
#ifndef TESTS_DEFECTS_DEFECTS_H
#define TESTS_DEFECTS_DEFECTS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../unit/ntb/grant_rig.h"

#define DEFECTS_BRIDGE (MOCK_STEPPED | MOCK_PAGES | MOCK_DOORBELLS)

/* Patches name these sentences. */
#define expect(truth, sentence)                                                                                        \
	do {                                                                                                           \
		if (!(truth))                                                                                          \
			fail_msg("%s", sentence);                                                                      \
	} while (0)

/**
 * defects_irq() - allocate an own interrupt on a CPU and install its handler
 * @rig:   Rig.
 * @host:  Host.
 * @index: Index.
 * @cpu:   CPU; messages to CPU 0 have offset 0.
 *
 * Return: The interrupt.
 */
struct grant_irq *defects_irq(struct grant_rig *rig, unsigned int host, unsigned int index, unsigned int cpu);

/**
 * defects_grant() - let another host have an interrupt, without waiting for its confirmation
 * @rig:    Rig.
 * @owner:  Host.
 * @index:  Its interrupt.
 * @holder: Other host.
 */
void defects_grant(struct grant_rig *rig, unsigned int owner, unsigned int index, unsigned int holder);

/**
 * defects_move() - choose another CPU for an interrupt
 * @rig:   Rig.
 * @host:  Host.
 * @index: Its interrupt.
 * @cpu:   CPU.
 */
void defects_move(struct grant_rig *rig, unsigned int host, unsigned int index, unsigned int cpu);

/**
 * defects_raise() - raise an interrupt of another host, which must be granted
 * @rig:   Rig.
 * @from:  Host.
 * @to:    Other host.
 * @index: Its interrupt.
 */
void defects_raise(struct grant_rig *rig, unsigned int from, unsigned int to, unsigned int index);

/**
 * struct defects_table - the messages of a function's own interrupts
 * @msgs: By index.
 */
struct defects_table {
	struct ontb_msi_msg msgs[8];
};

/**
 * defects_domain1() - give the bridge's function a domain of its own interrupts
 * @host:     Host.
 * @table:    OUT, where their messages go.
 * @token:    Kind.
 * @features: That it cannot do without.
 */
void defects_domain1(struct mock_host *host, struct defects_table *table, enum ontb_bus_token token,
		     unsigned int features);

/**
 * defects_send() - the function sends a message of its own
 * @rig: Rig.
 * @to:  Host.
 * @msg: Message.
 */
void defects_send(struct grant_rig *rig, unsigned int to, const struct ontb_msi_msg *msg);

/* The tests; which of the twelve, and what it is called, is in the name. */
void defect_01_free_vector_is_guessed(void **state);
void defect_02_window_follows_the_first_message(void **state);
void defect_03_window_is_too_wide_and_undone_at_the_wrong_peer(void **state);
void defect_04_offset_zero_means_none(void **state);
void defect_05_offset_and_data_are_torn(void **state);
void defect_06_only_the_first_of_several_vectors_is_usable(void **state);
void defect_07_doorbell_mask_is_cut_to_32_bits(void **state);
void defect_08_late_peers_lose_messages_when_an_interrupt_moves(void **state);
void defect_09_last_window_is_taken_silently(void **state);
void defect_10_scratchpads_limit_the_number_of_interrupts(void **state);
void defect_11_proxy_requester_ids_are_unknown(void **state);
void defect_12_any_vector_can_be_raised(void **state);

#endif
