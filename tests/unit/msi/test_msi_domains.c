// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Devices and their domains: what a parent completes or refuses, two domains side by side, and that nothing is left over.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/annotate.h"
#include "msi_rig.h"

#define NR_IDS 64U

static struct msi_rig rig;
static struct rig_table pci_table, ntb_table;
static struct rig_log lines;
static struct ontb_msi_dev *dev;
static unsigned int nr_handled[2];

static int setup(void **state)
{
	(void)state;
	memset(&pci_table, 0, sizeof(pci_table));
	memset(&ntb_table, 0, sizeof(ntb_table));
	memset(nr_handled, 0, sizeof(nr_handled));
	if (msi_rig_init(&rig, ONTB_MSI_MOVES, ONTB_MSI_SCOPE_GLOBAL, NR_IDS))
		return -1;
	msi_rig_log_start(&lines);
	return msi_rig_dev(&rig, "00:02.0", &dev);
}

static int teardown(void **state)
{
	(void)state;
	ontb_msi_dev_free(dev);
	msi_rig_log_stop();
	return (int)msi_rig_fini(&rig);
}

static struct ontb_msi_template pci_template(void)
{
	return msi_rig_template("PCI-MSIX-", ONTB_BUS_PCI_MSIX, 4, &pci_table);
}

static struct ontb_msi_template ntb_template(void)
{
	return msi_rig_template("NTB-", ONTB_BUS_NTB, 4096, &ntb_table);
}

static void make_both(void)
{
	struct ontb_msi_template pci = pci_template(), ntb = ntb_template();

	assert_int_equal(ontb_msi_domain_new(dev, 0, &pci), 0);
	assert_int_equal(ontb_msi_domain_new(dev, 1, &ntb), 0);
}

static enum ontb_irq_return handle(unsigned int virq, void *counter)
{
	(void)virq;
	++*(unsigned int *)counter;
	return ONTB_IRQ_HANDLED;
}

static void request(unsigned int virq, unsigned int *counter)
{
	const struct ontb_irq_request req = { .handler = handle, .dev = counter, .name = "test" };

	assert_int_equal(ontb_irq_request(rig.sys, virq, &req), 0);
}

/* A domain that nobody allocates from. */
static int alloc_none(struct ontb_irq_domain *domain, unsigned int virq, unsigned int nr, void *arg)
{
	(void)domain;
	(void)virq;
	(void)nr;
	(void)arg;
	return -ENOSPC;
}

static void free_none(struct ontb_irq_domain *domain, unsigned int virq, unsigned int nr)
{
	(void)domain;
	(void)virq;
	(void)nr;
}

static const struct ontb_irq_domain_ops no_irqs = { .alloc = alloc_none, .free = free_none };

/* Devices */

static void device_needs_a_name_a_requester_id_and_an_msi_parent(void **state)
{
	static const uint16_t rids[ONTB_MSI_MAX_RIDS + 1] = { 1 };
	const struct ontb_msi_dev_config good = { .name = "x", .rids = rids, .nr_rids = 1, .parent = rig.parent };
	const struct ontb_irq_domain_config plain = { .name = "plain", .ops = &no_irqs };
	struct ontb_msi_dev *const untouched = (struct ontb_msi_dev *)0x1;
	struct ontb_msi_dev *out = untouched;
	struct ontb_msi_dev_config config;
	struct ontb_irq_domain *domain;

	(void)state;
	assert_int_equal(ontb_irq_domain_new(rig.sys, &plain, &domain), 0);
	config = good;
	config.name = NULL;
	assert_int_equal(ontb_msi_dev_new(&config, &out), -EINVAL);
	config.name = "";
	assert_int_equal(ontb_msi_dev_new(&config, &out), -EINVAL);
	config = good;
	config.nr_rids = 0;
	assert_int_equal(ontb_msi_dev_new(&config, &out), -EINVAL);
	config.nr_rids = ONTB_MSI_MAX_RIDS + 1;
	assert_int_equal(ontb_msi_dev_new(&config, &out), -EINVAL);
	config = good;
	config.parent = domain;
	assert_int_equal(ontb_msi_dev_new(&config, &out), -EINVAL);
	config.parent = NULL;
	assert_int_equal(ontb_msi_dev_new(&config, &out), -EINVAL);
	assert_ptr_equal(out, untouched);
	assert_int_equal(ontb_irq_domain_free(domain), 0);
	config = good;
	config.nr_rids = ONTB_MSI_MAX_RIDS;
	assert_int_equal(ontb_msi_dev_new(&config, &out), 0);
	ontb_msi_dev_free(out);
	ontb_msi_dev_free(NULL);
}

static void device_tells_what_it_was_made_of(void **state)
{
	uint16_t rids[ONTB_MSI_MAX_RIDS];

	(void)state;
	assert_string_equal(ontb_msi_dev_name(dev), "00:02.0");
	assert_int_equal(ontb_msi_dev_rids(dev, rids), 2);
	assert_int_equal(rids[0], 0x10);
	assert_int_equal(rids[1], 0x11);
	assert_ptr_equal(ontb_msi_dev_parent(dev), rig.parent);
	assert_ptr_equal(ontb_msi_dev_system(dev), rig.sys);
	for (unsigned int slot = 0; slot <= ONTB_MSI_NR_SLOTS; slot++) {
		assert_null(ontb_msi_domain(dev, slot));
		assert_null(ontb_msi_dev_parent_data(dev, slot));
	}
}

/* Templates */

static void template_that_lacks_something_is_refused_with_a_reason(void **state)
{
	struct ontb_msi_template t = pci_template();

	(void)state;
	t.prefix = NULL;
	assert_int_equal(ontb_msi_domain_new(dev, 0, &t), -EINVAL);
	t = pci_template();
	t.nr_indices = 0;
	assert_int_equal(ontb_msi_domain_new(dev, 0, &t), -EINVAL);
	t.nr_indices = ONTB_MSI_MAX_INDEX + 2;
	assert_int_equal(ontb_msi_domain_new(dev, 0, &t), -EINVAL);
	assert_non_null(strstr(lines.last, "00:02.0: slot 0"));
	assert_non_null(strstr(lines.last, "1..65536"));
	t = pci_template();
	t.chip.write_msg = NULL;
	assert_int_equal(ontb_msi_domain_new(dev, 0, &t), -EINVAL);
	t = pci_template();
	t.chip.name = NULL;
	assert_int_equal(ontb_msi_domain_new(dev, 0, &t), -EINVAL);
	t = pci_template();
	t.token = (enum ontb_bus_token)32;
	assert_int_equal(ontb_msi_domain_new(dev, 0, &t), -EINVAL);
	assert_int_equal(lines.nr, 6);
	t = pci_template();
	assert_int_equal(ontb_msi_domain_new(dev, ONTB_MSI_NR_SLOTS, &t), -ERANGE);
	assert_int_equal(rig.nr_prepared, 0);
	assert_int_equal(ontb_irq_domains(rig.sys, NULL, 0), 1);
}

static void slot_takes_one_domain(void **state)
{
	struct ontb_msi_template t = pci_template();

	(void)state;
	assert_int_equal(ontb_msi_domain_new(dev, 3, &t), 0);
	assert_int_equal(ontb_msi_domain_new(dev, 3, &t), -EEXIST);
	assert_non_null(ontb_msi_domain(dev, 3));
	assert_int_equal(ontb_msi_domain_free(dev, 3), 0);
	assert_null(ontb_msi_domain(dev, 3));
	assert_int_equal(ontb_msi_domain_free(dev, 3), 0);
	assert_int_equal(ontb_msi_domain_free(dev, ONTB_MSI_NR_SLOTS), -ERANGE);
	assert_int_equal(ontb_msi_domain_new(dev, 3, &t), 0);
	assert_int_equal(rig.nr_prepared, 1);
}

static void parent_that_does_not_know_the_kind_refuses_it_with_a_reason(void **state)
{
	struct ontb_msi_template t = pci_template();

	(void)state;
	rig.ops.tokens = 1U << ONTB_BUS_NTB;
	assert_int_equal(ontb_msi_domain_new(dev, 0, &t), -EOPNOTSUPP);
	assert_int_equal(lines.nr, 1);
	assert_non_null(strstr(lines.last, "00:02.0: slot 0: RIG takes no PCI-MSIX"));
	assert_null(ontb_msi_domain(dev, 0));
	t = ntb_template();
	assert_int_equal(ontb_msi_domain_new(dev, 0, &t), 0);
}

static void parent_that_lacks_a_feature_refuses_with_a_reason(void **state)
{
	static const struct {
		unsigned int feature;
		const char *why;
	} cases[] = {
		{ ONTB_MSI_FEATURE_CONTIGUOUS, "contiguous" },
		{ ONTB_MSI_FEATURE_FIXED, "fixed" },
		{ ONTB_MSI_FEATURE_ISOLATED, "isolation" },
		{ 1U << 31, "unknown" },
	};
	struct ontb_msi_template t = ntb_template();

	(void)state;
	/* A parent cannot claim by a bit what its other members deny. */
	rig.ops.features = ONTB_MSI_FEATURE_FIXED | ONTB_MSI_FEATURE_ISOLATED;
	for (unsigned int i = 0; i < ONTB_ARRAY_SIZE(cases); i++) {
		t.features = cases[i].feature;
		assert_int_equal(ontb_msi_domain_new(dev, 1, &t), -EOPNOTSUPP);
		assert_int_equal(lines.nr, i + 1);
		assert_non_null(strstr(lines.last, "00:02.0: slot 1: RIG has no"));
		assert_non_null(strstr(lines.last, cases[i].why));
	}
	assert_int_equal(rig.nr_prepared, 0);
	rig.ops.features = ONTB_MSI_FEATURE_CONTIGUOUS;
	rig.ops.message = ONTB_MSI_FIXED;
	rig.ops.is_isolated = true;
	t.features = ONTB_MSI_FEATURE_CONTIGUOUS | ONTB_MSI_FEATURE_FIXED | ONTB_MSI_FEATURE_ISOLATED;
	assert_int_equal(ontb_msi_domain_new(dev, 1, &t), 0);
}

static void parent_that_refuses_leaves_the_slot_free(void **state)
{
	struct ontb_msi_template t = pci_template();

	(void)state;
	rig.refuse = true;
	assert_int_equal(ontb_msi_domain_new(dev, 0, &t), -EOPNOTSUPP);
	rig.refuse = false;
	rig.prepare_err = -ENOSPC;
	assert_int_equal(ontb_msi_domain_new(dev, 0, &t), -ENOSPC);
	rig.prepare_err = 0;
	assert_null(ontb_msi_domain(dev, 0));
	assert_int_equal(ontb_irq_domains(rig.sys, NULL, 0), 1);
	assert_int_equal(ontb_msi_domain_new(dev, 0, &t), 0);
}

static void parent_that_asks_for_nothing_needs_no_callbacks(void **state)
{
	struct ontb_msi_template t = pci_template();
	uint64_t first = 1, size = 2;

	(void)state;
	rig.ops.init_domain = NULL;
	rig.ops.message_range = NULL;
	rig.ops.prefix = NULL;
	assert_int_equal(ontb_msi_domain_new(dev, 0, &t), 0);
	assert_string_equal(ontb_irq_domain_name(ontb_msi_domain(dev, 0)), "PCI-MSIX-00:02.0");
	assert_int_equal(ontb_msi_message_range(dev, 0, &first, &size), -EOPNOTSUPP);
	assert_int_equal(first, 1);
	assert_int_equal(size, 2);
}

static void domain_is_a_child_named_after_parent_template_and_device(void **state)
{
	struct ontb_irq_domain *pci, *ntb;

	(void)state;
	make_both();
	pci = ontb_msi_domain(dev, 0);
	ntb = ontb_msi_domain(dev, 1);
	assert_string_equal(ontb_irq_domain_name(pci), "RIG-PCI-MSIX-00:02.0");
	assert_string_equal(ontb_irq_domain_name(ntb), "RIG-NTB-00:02.0");
	assert_int_equal(ontb_irq_domain_token(pci), ONTB_BUS_PCI_MSIX);
	assert_int_equal(ontb_irq_domain_token(ntb), ONTB_BUS_NTB);
	assert_ptr_equal(ontb_irq_domain_parent(pci), rig.parent);
	assert_ptr_equal(ontb_irq_domain_parent(ntb), rig.parent);
	assert_ptr_equal(ontb_irq_domain_data(pci), &pci_table);
	assert_ptr_equal(ontb_irq_domain_data(ntb), &ntb_table);
}

static void chip_operations_that_the_template_leaves_out_reach_the_parent(void **state)
{
	struct ontb_msi_template t = ntb_template();
	struct ontb_cpumask cpu2 = ontb_cpumask_of(2);
	struct ontb_irq_data *data;
	struct ontb_msi_map map;

	(void)state;
	assert_int_equal(ontb_msi_domain_new(dev, 1, &t), 0);
	assert_null(t.chip.ack);
	assert_int_equal(ontb_msi_alloc_at(dev, 1, 7, NULL, NULL, &map), 0);
	data = ontb_irq_data_of(ontb_msi_domain(dev, 1), map.virq);
	assert_non_null(data);
	assert_null(data->chip->mask);
	assert_null(data->chip->unmask);
	assert_ptr_not_equal(data->chip, &t.chip);
	request(map.virq, &nr_handled[0]);
	assert_int_equal(ntb_table.msgs[7].addr, RIG_ADDR);
	assert_int_equal(msi_rig_fire(&rig, &ntb_table.msgs[7]), 0);
	assert_int_equal(nr_handled[0], 1);
	assert_int_equal(rig.nr_acks, 1);
	assert_int_equal(ontb_irq_set_affinity(rig.sys, map.virq, &cpu2), 0);
	assert_int_equal(rig.nr_affinities, 1);
	assert_int_equal(rig.nr_moves_done, 1);
	/* The parent's message moves with the affinity, and the device has got the new one. */
	assert_int_equal(ntb_table.msgs[7].addr, RIG_ADDR + 0x2000);
	(void)data->chip->retrigger(data);
	assert_int_equal(rig.nr_retriggers, 1);
	assert_int_equal(ontb_irq_free(rig.sys, map.virq, &nr_handled[0]), 0);
	assert_int_equal(ntb_table.msgs[7].addr, 0);
}

static void parent_may_change_the_flow(void **state)
{
	struct ontb_msi_template t = ntb_template();
	struct ontb_irq_status status;
	struct ontb_msi_map map;

	(void)state;
	rig.flow = ONTB_IRQ_FASTEOI;
	assert_int_equal(ontb_msi_domain_new(dev, 1, &t), 0);
	assert_int_equal(ontb_msi_alloc_at(dev, 1, 0, NULL, NULL, &map), 0);
	assert_int_equal(ontb_irq_status(rig.sys, map.virq, &status), 0);
	assert_int_equal(status.flow, ONTB_IRQ_FASTEOI);
	assert_int_equal(status.depth, 2);
	assert_string_equal(status.chips[0], "NTB-");
	assert_string_equal(status.chips[1], "RIG");
}

static void message_range_is_what_the_parent_says(void **state)
{
	uint64_t first = 0, size = 0;

	(void)state;
	assert_int_equal(ontb_msi_message_range(dev, 0, &first, &size), -ERANGE);
	assert_int_equal(ontb_msi_message_range(dev, ONTB_MSI_NR_SLOTS, &first, &size), -ERANGE);
	make_both();
	assert_int_equal(ontb_msi_message_range(dev, 0, &first, &size), 0);
	assert_int_equal(first, RIG_ADDR);
	assert_int_equal(size, RIG_ADDR_SIZE);
}

static int nr_activated, nr_deactivated;
static int activate_result;

static int activate(struct ontb_irq_data *data)
{
	assert_ptr_equal(ontb_msi_dev_of(data), dev);
	assert_ptr_equal(ontb_msi_cookie(data), &nr_activated);
	assert_int_equal(ntb_table.nr_writes, 0);
	nr_activated++;
	return activate_result;
}

static void deactivate(struct ontb_irq_data *data)
{
	assert_ptr_equal(ontb_msi_dev_of(data), dev);
	assert_int_equal(ntb_table.nr_clears, 1);
	nr_deactivated++;
}

static void template_activates_before_the_message_and_deactivates_after_it(void **state)
{
	struct ontb_msi_template t = ntb_template();
	struct ontb_msi_map map;

	(void)state;
	nr_activated = nr_deactivated = 0;
	activate_result = -ENOSPC;
	t.activate = activate;
	t.deactivate = deactivate;
	assert_int_equal(ontb_msi_domain_new(dev, 1, &t), 0);
	assert_int_equal(ontb_msi_alloc_at(dev, 1, 5, NULL, &nr_activated, &map), 0);
	assert_int_equal(nr_activated, 0);
	assert_int_equal(ontb_irq_activate(rig.sys, map.virq), -ENOSPC);
	assert_int_equal(nr_activated, 1);
	assert_int_equal(ntb_table.nr_writes, 0);
	activate_result = 0;
	assert_int_equal(ontb_irq_activate(rig.sys, map.virq), 0);
	assert_int_equal(ntb_table.nr_writes, 1);
	assert_int_equal(ontb_irq_deactivate(rig.sys, map.virq), 0);
	assert_int_equal(nr_deactivated, 1);
	assert_int_equal(ntb_table.msgs[5].addr, 0);
}

static void device_domain_hands_out_no_interrupt_past_its_descriptors(void **state)
{
	struct ontb_msi_alloc arg = { .dev = dev, .slot = 1, .index = 0, .nr = 1 };

	(void)state;
	make_both();
	assert_int_equal(ontb_irq_domain_alloc(ontb_msi_domain(dev, 1), 1, NULL, &arg), -EINVAL);
	assert_int_equal(ontb_irq_domain_alloc(ontb_msi_domain(dev, 1), 1, NULL, NULL), -EINVAL);
	assert_int_equal(lines.nr, 2);
	assert_int_equal(msi_rig_used(&rig, NULL), 0);
	assert_int_equal(ontb_msi_list(dev, NULL, 0), 0);
}

/* Two domains of one device */

static void peer_write_reaches_the_handler_and_the_pci_table_is_untouched(void **state)
{
	struct ontb_msi_map map;

	(void)state;
	make_both();
	assert_int_equal(ontb_msi_alloc_at(dev, 1, 100, NULL, NULL, &map), 0);
	request(map.virq, &nr_handled[1]);
	assert_int_equal(msi_rig_fire(&rig, &ntb_table.msgs[100]), 0);
	assert_int_equal(nr_handled[1], 1);
	assert_int_equal(pci_table.nr_writes, 0);
	assert_int_equal(pci_table.nr_clears, 0);
	assert_int_equal(ontb_irq_free(rig.sys, map.virq, &nr_handled[1]), 0);
}

static void ntb_interrupts_come_while_msix_vectors_lie_unrequested_and_none_is_taken(void **state)
{
	struct ontb_msi_map map;
	unsigned int pci[4];

	(void)state;
	make_both();
	assert_int_equal(ontb_msi_alloc_all(dev, 0), 0);
	for (unsigned int i = 0; i < 4; i++)
		pci[i] = ontb_msi_virq(dev, 0, i);
	request(pci[0], &nr_handled[0]);
	for (unsigned int i = 0; i < NR_IDS - 4; i++) {
		assert_int_equal(ontb_msi_alloc_at(dev, 1, ONTB_MSI_ANY_INDEX, NULL, NULL, &map), 0);
		assert_int_equal(map.index, i);
		for (unsigned int j = 0; j < 4; j++)
			assert_int_not_equal(map.virq, pci[j]);
		request(map.virq, &nr_handled[1]);
	}
	/* Vectors of the PCI domain are free of handlers, and still a full parent gives none of them away. */
	assert_int_equal(ontb_msi_alloc_at(dev, 1, ONTB_MSI_ANY_INDEX, NULL, NULL, &map), -ENOSPC);
	for (unsigned int i = 0; i < 4; i++) {
		assert_int_equal(ontb_msi_virq(dev, 0, i), pci[i]);
		assert_int_equal(ontb_irq_is_requested(rig.sys, pci[i]), i == 0);
	}
	for (unsigned int i = 0; i < NR_IDS - 4; i++)
		assert_int_equal(msi_rig_fire(&rig, &ntb_table.msgs[i]), 0);
	assert_int_equal(nr_handled[1], NR_IDS - 4);
	assert_int_equal(nr_handled[0], 0);
	/* Those that lay there can be requested now. */
	for (unsigned int i = 1; i < 4; i++) {
		request(pci[i], &nr_handled[0]);
		assert_int_equal(msi_rig_fire(&rig, &pci_table.msgs[i]), 0);
	}
	assert_int_equal(nr_handled[0], 3);
	for (unsigned int i = 0; i < 4; i++)
		assert_int_equal(ontb_irq_free(rig.sys, pci[i], &nr_handled[0]), 0);
	for (unsigned int i = 0; i < NR_IDS - 4; i++)
		assert_int_equal(ontb_irq_free(rig.sys, ontb_msi_virq(dev, 1, i), &nr_handled[1]), 0);
}

static void domain_goes_and_comes_while_the_other_one_is_live(void **state)
{
	struct ontb_msi_template ntb = ntb_template(), pci = pci_template();

	(void)state;
	make_both();
	assert_int_equal(ontb_msi_alloc_all(dev, 0), 0);
	request(ontb_msi_virq(dev, 0, 2), &nr_handled[0]);
	for (unsigned int round = 1; round <= 3; round++) {
		unsigned int virq = ontb_msi_virq(dev, 0, 2);

		assert_int_equal(ontb_msi_alloc_range(dev, 1, 0, 16, NULL), 0);
		assert_int_equal(ontb_msi_domain_free(dev, 1), 0);
		assert_int_equal(msi_rig_used(&rig, NULL), 4);
		assert_int_equal(ontb_msi_virq(dev, 0, 2), virq);
		assert_int_equal(msi_rig_fire(&rig, &pci_table.msgs[2]), 0);
		assert_int_equal(nr_handled[0], round);
		assert_int_equal(ontb_msi_domain_new(dev, 1, &ntb), 0);
	}
	assert_int_equal(ontb_irq_free(rig.sys, ontb_msi_virq(dev, 0, 2), &nr_handled[0]), 0);
	/* And the other way round. */
	assert_int_equal(ontb_msi_alloc_range(dev, 1, 0, 16, NULL), 0);
	request(ontb_msi_virq(dev, 1, 9), &nr_handled[1]);
	assert_int_equal(ontb_msi_domain_free(dev, 0), 0);
	assert_int_equal(msi_rig_fire(&rig, &ntb_table.msgs[9]), 0);
	assert_int_equal(ontb_msi_domain_new(dev, 0, &pci), 0);
	assert_int_equal(ontb_msi_alloc_all(dev, 0), 0);
	assert_int_equal(msi_rig_fire(&rig, &ntb_table.msgs[9]), 0);
	assert_int_equal(nr_handled[1], 2);
	assert_int_equal(ontb_irq_free(rig.sys, ontb_msi_virq(dev, 1, 9), &nr_handled[1]), 0);
}

static void domains_of_a_device_share_a_space_of_ids_that_is_per_device(void **state)
{
	struct ontb_msi_template pci = pci_template(), ntb = ntb_template();
	struct ontb_msi_dev *a, *b;
	struct msi_rig other;

	(void)state;
	assert_int_equal(msi_rig_init(&other, ONTB_MSI_FIXED, ONTB_MSI_SCOPE_DEVICE, 8), 0);
	assert_int_equal(msi_rig_dev(&other, "a", &a), 0);
	assert_int_equal(msi_rig_dev(&other, "b", &b), 0);
	assert_int_equal(ontb_msi_domain_new(a, 0, &pci), 0);
	assert_int_equal(ontb_msi_domain_new(a, 1, &ntb), 0);
	assert_int_equal(ontb_msi_domain_new(b, 1, &ntb), 0);
	assert_int_equal(ontb_msi_alloc_all(a, 0), 0);
	assert_int_equal(ontb_msi_alloc_range(a, 1, 0, 5, NULL), -ENOSPC);
	assert_int_equal(ontb_msi_alloc_range(a, 1, 0, 4, NULL), 0);
	assert_int_equal(ontb_msi_alloc_range(b, 1, 0, 8, NULL), 0);
	assert_int_equal(msi_rig_used(&other, a), 8);
	assert_int_equal(msi_rig_used(&other, b), 8);
	/* What one domain gives back the other can have. */
	assert_int_equal(ontb_msi_free_range(a, 0, 1, 1), 0);
	assert_int_equal(ontb_msi_alloc_range(a, 1, 4, 1, NULL), 0);
	assert_int_equal(ontb_msi_alloc_range(a, 0, 1, 1, NULL), -ENOSPC);
	ontb_msi_dev_free(a);
	ontb_msi_dev_free(b);
	assert_int_equal(msi_rig_fini(&other), 0);
}

/* The end of a device */

static void device_that_is_freed_takes_everything_along(void **state)
{
	(void)state;
	make_both();
	assert_int_equal(ontb_msi_alloc_all(dev, 0), 0);
	assert_int_equal(ontb_msi_alloc_range(dev, 1, 0, 40, NULL), 0);
	assert_int_equal(ontb_irq_activate(rig.sys, ontb_msi_virq(dev, 1, 3)), 0);
	ontb_msi_dev_free(dev);
	dev = NULL;
	assert_int_equal(msi_rig_used(&rig, NULL), 0);
	assert_int_equal(rig.nr_prepared, 0);
	assert_int_equal(ontb_irq_domains(rig.sys, NULL, 0), 1);
	assert_int_equal(ontb_irq_next(rig.sys, 1), 0);
	assert_int_equal(ntb_table.nr_clears, 1);
	assert_int_equal(lines.nr, 0);
}

static void domain_with_a_handler_stays(void **state)
{
	(void)state;
	make_both();
	assert_int_equal(ontb_msi_alloc_range(dev, 1, 0, 3, NULL), 0);
	request(ontb_msi_virq(dev, 1, 1), &nr_handled[1]);
	assert_int_equal(ontb_msi_domain_free(dev, 1), -EBUSY);
	assert_non_null(strstr(lines.last, "RIG-NTB-00:02.0: index 1: "));
	assert_int_equal(ontb_msi_list(dev, NULL, 0), 3);
	assert_int_equal(msi_rig_fire(&rig, &ntb_table.msgs[1]), 0);
	assert_int_equal(nr_handled[1], 1);
	assert_int_equal(ontb_irq_free(rig.sys, ontb_msi_virq(dev, 1, 1), &nr_handled[1]), 0);
	assert_int_equal(ontb_msi_domain_free(dev, 1), 0);
}

static void domain_that_another_one_stands_on_stays(void **state)
{
	struct ontb_irq_domain_config child = { .name = "child", .ops = &no_irqs };
	struct ontb_irq_domain *domain;
	struct ontb_msi_map map;

	(void)state;
	make_both();
	child.parent = ontb_msi_domain(dev, 1);
	assert_int_equal(ontb_irq_domain_new(rig.sys, &child, &domain), 0);
	assert_int_equal(ontb_msi_domain_free(dev, 1), -EBUSY);
	assert_ptr_equal(ontb_msi_domain(dev, 1), child.parent);
	assert_int_equal(ontb_msi_alloc_at(dev, 1, 0, NULL, NULL, &map), 0);
	assert_int_equal(ontb_irq_domain_free(domain), 0);
	assert_int_equal(ontb_msi_domain_free(dev, 1), 0);
}

static void handler_that_is_left_when_the_device_goes_is_logged_and_harmless(void **state)
{
	struct ontb_msi_dev *left = dev;
	unsigned int virq;

	(void)state;
	make_both();
	assert_int_equal(ontb_msi_alloc_all(dev, 0), 0);
	assert_int_equal(ontb_msi_alloc_range(dev, 1, 0, 3, NULL), 0);
	virq = ontb_msi_virq(dev, 1, 1);
	request(virq, &nr_handled[1]);
	ontb_msi_dev_free(dev);
	assert_int_equal(lines.nr, 2);
	assert_non_null(strstr(lines.last, "00:02.0: free: the domain in slot 1 stays"));
	/* Everything else went; the one that was left still works, as its memory does. */
	assert_int_equal(msi_rig_used(&rig, NULL), 1);
	assert_int_equal(msi_rig_fire(&rig, &ntb_table.msgs[1]), 0);
	assert_int_equal(nr_handled[1], 1);
	/* Not leaked in this test only because it knows what nobody may use any more. */
	assert_int_equal(ontb_irq_free(rig.sys, virq, &nr_handled[1]), 0);
	dev = left;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(device_needs_a_name_a_requester_id_and_an_msi_parent),
		TEST(device_tells_what_it_was_made_of),
		TEST(template_that_lacks_something_is_refused_with_a_reason),
		TEST(slot_takes_one_domain),
		TEST(parent_that_does_not_know_the_kind_refuses_it_with_a_reason),
		TEST(parent_that_lacks_a_feature_refuses_with_a_reason),
		TEST(parent_that_refuses_leaves_the_slot_free),
		TEST(parent_that_asks_for_nothing_needs_no_callbacks),
		TEST(domain_is_a_child_named_after_parent_template_and_device),
		TEST(chip_operations_that_the_template_leaves_out_reach_the_parent),
		TEST(parent_may_change_the_flow),
		TEST(message_range_is_what_the_parent_says),
		TEST(template_activates_before_the_message_and_deactivates_after_it),
		TEST(device_domain_hands_out_no_interrupt_past_its_descriptors),
		TEST(peer_write_reaches_the_handler_and_the_pci_table_is_untouched),
		TEST(ntb_interrupts_come_while_msix_vectors_lie_unrequested_and_none_is_taken),
		TEST(domain_goes_and_comes_while_the_other_one_is_live),
		TEST(domains_of_a_device_share_a_space_of_ids_that_is_per_device),
		TEST(device_that_is_freed_takes_everything_along),
		TEST(domain_with_a_handler_stays),
		TEST(domain_that_another_one_stands_on_stays),
		TEST(handler_that_is_left_when_the_device_goes_is_logged_and_harmless),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
