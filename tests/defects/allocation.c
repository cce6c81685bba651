// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Which interrupts there are: defects 1, 6 and 10.
 */
#include "defects.h"

static enum ontb_irq_return count(unsigned int virq, void *dev)
{
	(void)virq;
	(*(unsigned int *)dev)++;
	return ONTB_IRQ_HANDLED;
}

static int request(struct mock_host *host, unsigned int virq, unsigned int *nr)
{
	const struct ontb_irq_request request = { .handler = count, .dev = nr, .name = "own" };

	return ontb_irq_request(host->sys, virq, &request);
}

static void free_handlers(struct mock_host *host, unsigned int nr, const unsigned int *virqs, unsigned int *counts)
{
	for (unsigned int i = 0; i < nr; i++)
		assert_int_equal(ontb_irq_free(host->sys, virqs[i], &counts[i]), 0);
}

/* The function has entries in its table that its driver has allocated and not requested yet: they are not free. */
void defect_01_free_vector_is_guessed(void **state)
{
	struct grant_rig *rig = grant_rig_new(2, DEFECTS_BRIDGE, 4);
	struct mock_host *host = &rig->net->hosts[0];
	unsigned int virqs[4], counts[4] = { 0 };
	struct defects_table table = { 0 };
	struct grant_irq *irq;

	(void)state;
	defects_domain1(host, &table, ONTB_BUS_PCI_MSIX, 0);
	assert_int_equal(ontb_msi_alloc_range(host->msi, 0, 0, 4, NULL), 0);
	for (unsigned int i = 0; i < 4; i++) {
		virqs[i] = ontb_msi_virq(host->msi, 0, i);
		assert_int_equal(ontb_irq_activate(host->sys, virqs[i]), 0);
	}
	irq = defects_irq(rig, 0, 0, 1);
	for (unsigned int i = 0; i < 4; i++) {
		expect(!request(host, virqs[i], &counts[i]),
		       "an entry of the table was given away before its driver requested it");
		defects_send(rig, 0, &table.msgs[i]);
		expect(counts[i] == 1 && !irq->nr_handled, "a message of the table reached another handler");
	}
	defects_grant(rig, 0, 0, 1);
	mock_run(rig->net);
	defects_raise(rig, 1, 0, 0);
	assert_int_equal(irq->nr_handled, 1);
	free_handlers(host, 4, virqs, counts);
	grant_rig_stop(rig, 0);
	assert_int_equal(ontb_msi_domain_free(host->msi, 0), 0);
	grant_rig_free(rig);
}

/* One message with several vectors, as MSI has it, beside interrupts that peers raise: all of both can be used. */
void defect_06_only_the_first_of_several_vectors_is_usable(void **state)
{
	struct grant_rig *rig = grant_rig_new(2, DEFECTS_BRIDGE, 4);
	struct mock_host *host = &rig->net->hosts[0];
	unsigned int virqs[4], counts[4] = { 0 };
	struct defects_table table = { 0 };

	(void)state;
	defects_domain1(host, &table, ONTB_BUS_PCI_MSI, ONTB_MSI_FEATURE_CONTIGUOUS);
	assert_int_equal(ontb_msi_alloc_contiguous(host->msi, 0, 4), 0);
	for (unsigned int i = 0; i < 4; i++) {
		virqs[i] = ontb_msi_virq(host->msi, 0, i);
		expect(virqs[i] == virqs[0] + i, "a vector after the first one has no interrupt of its own");
		assert_int_equal(request(host, virqs[i], &counts[i]), 0);
		defects_send(rig, 0, &table.msgs[i]);
		assert_int_equal(counts[i], 1);
	}
	for (unsigned int i = 0; i < 4; i++) {
		(void)defects_irq(rig, 0, i, 1);
		defects_grant(rig, 0, i, 1);
	}
	mock_run(rig->net);
	for (unsigned int i = 0; i < 4; i++) {
		defects_raise(rig, 1, 0, i);
		assert_int_equal(rig->ends[0].irq[i].nr_handled, 1);
		assert_int_equal(counts[i], 1);
	}
	free_handlers(host, 4, virqs, counts);
	grant_rig_stop(rig, 0);
	assert_int_equal(ontb_msi_domain_free(host->msi, 0), 0);
	grant_rig_free(rig);
}

/* A bridge with sixteen scratchpads and nothing else. */
void defect_10_scratchpads_limit_the_number_of_interrupts(void **state)
{
	const unsigned int nr = 1000;
	struct grant_rig *rig = grant_rig_new_bare(2, MOCK_STEPPED | MOCK_SPADS | MOCK_DOORBELLS, nr);

	(void)state;
	for (unsigned int host = 0; host < 2; host++)
		expect(!grant_rig_start(rig, host), "sixteen scratchpads are too few for a thousand interrupts");
	grant_rig_wait(rig, &rig->ends[0].nr_up, 1);
	for (unsigned int i = 0; i < nr; i++) {
		(void)defects_irq(rig, 0, i, 1);
		defects_grant(rig, 0, i, 1);
	}
	mock_run(rig->net);
	for (unsigned int i = 0; i < nr; i++)
		defects_raise(rig, 1, 0, i);
	for (unsigned int i = 0; i < nr; i++)
		assert_int_equal(rig->ends[0].irq[i].nr_handled, 1);
	grant_rig_free(rig);
}
