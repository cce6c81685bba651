// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * The list of tests, and what they share. See defects.h.
 */
#include "defects.h"

struct grant_irq *defects_irq(struct grant_rig *rig, unsigned int host, unsigned int index, unsigned int cpu)
{
	struct grant_irq *irq = grant_rig_irq(rig, host, index);

	defects_move(rig, host, index, cpu);
	return irq;
}

void defects_grant(struct grant_rig *rig, unsigned int owner, unsigned int index, unsigned int holder)
{
	assert_int_equal(ontb_ntb_irq_grant(rig->ends[owner].irqs, index, mock_peer_of(owner, holder)), 0);
}

void defects_move(struct grant_rig *rig, unsigned int host, unsigned int index, unsigned int cpu)
{
	struct ontb_cpumask mask = ontb_cpumask_of(cpu);

	assert_int_equal(ontb_irq_set_affinity(rig->net->hosts[host].sys, rig->ends[host].irq[index].map.virq, &mask),
			 0);
}

void defects_raise(struct grant_rig *rig, unsigned int from, unsigned int to, unsigned int index)
{
	assert_int_equal(ontb_ntb_irq_trigger(rig->ends[from].irqs, mock_peer_of(from, to), index), 0);
}

static int store(struct ontb_irq_data *data, const struct ontb_msi_msg *msg)
{
	struct defects_table *table = ontb_irq_domain_data(data->domain);

	table->msgs[data->hwirq] = msg ? *msg : (struct ontb_msi_msg){ 0 };
	return 0;
}

void defects_domain1(struct mock_host *host, struct defects_table *table, enum ontb_bus_token token,
		     unsigned int features)
{
	const struct ontb_msi_template template = {
		.prefix = "PCI-",
		.token = token,
		.nr_indices = ONTB_ARRAY_SIZE(table->msgs),
		.features = features,
		.flow = ONTB_IRQ_EDGE,
		.chip = { .name = "PCI", .write_msg = store },
		.data = table,
	};

	host->parent.tokens |= 1U << token;
	host->parent.features |= features;
	assert_int_equal(ontb_msi_domain_new(host->msi, 0, &template), 0);
}

/* The other host's window shows all interrupt addresses, so a store through it is as good as one by the function. */
void defects_send(struct grant_rig *rig, unsigned int to, const struct ontb_msi_msg *msg)
{
	mock_store(rig->net, !to, to, msg->addr - MOCK_MSI_FIRST, msg->data);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defect_01_free_vector_is_guessed),
		cmocka_unit_test(defect_02_window_follows_the_first_message),
		cmocka_unit_test(defect_03_window_is_too_wide_and_undone_at_the_wrong_peer),
		cmocka_unit_test(defect_04_offset_zero_means_none),
		cmocka_unit_test(defect_05_offset_and_data_are_torn),
		cmocka_unit_test(defect_06_only_the_first_of_several_vectors_is_usable),
		cmocka_unit_test(defect_07_doorbell_mask_is_cut_to_32_bits),
		cmocka_unit_test(defect_08_late_peers_lose_messages_when_an_interrupt_moves),
		cmocka_unit_test(defect_09_last_window_is_taken_silently),
		cmocka_unit_test(defect_10_scratchpads_limit_the_number_of_interrupts),
		cmocka_unit_test(defect_11_proxy_requester_ids_are_unknown),
		cmocka_unit_test(defect_12_any_vector_can_be_raised),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
