// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Interrupts under remapping, with a VT-d unit that really reads the table, caches it, and blocks what is not allowed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "x86_rig.h"

#define RID ONTB_RID(0, 2, 0)

static struct rig *stepped(unsigned int nr_cpus, unsigned int nr_entries)
{
	const struct rig_config config = {
		.nr_cpus = nr_cpus, .is_stepped = true, .seed = 5, .has_vtd = true, .nr_entries = nr_entries
	};

	return rig_new(&config);
}

/* The lower half of a table entry, as it is in memory. */
static uint64_t *entry_of(struct rig *rig, unsigned int index)
{
	uint64_t table = ontb_vtd_read(rig->vtd, RIG_IRTA, 8) & ~0xfffULL;

	return (uint64_t *)(void *)((char *)rig->machine.ram + (table - RIG_RAM_BASE)) + 2UL * index;
}

static void parent_says_that_messages_are_fixed_and_isolated(void **state)
{
	struct rig *rig = stepped(2, 0);
	struct ontb_irq_domain *domain = ontb_x86_msi_parent(rig->x86);
	const struct ontb_msi_parent *parent = ontb_irq_domain_msi_parent(domain);
	struct rig_dev *dev = rig_dev_new(rig, RID, 1);

	(void)state;
	assert_string_equal(ontb_irq_domain_name(domain), "IR-0");
	assert_ptr_equal(ontb_irq_domain_parent(domain), ontb_x86_vector_domain(rig->x86));
	assert_int_equal(parent->message, ONTB_MSI_FIXED);
	assert_true(parent->is_isolated);
	assert_int_equal(parent->scope, ONTB_MSI_SCOPE_GLOBAL);
	assert_string_equal(ontb_irq_domain_name(ontb_msi_domain(dev->msi, 0)), "IR-TEST-00:02.0");
	assert_true(rig_status(rig).has_remapping);
	assert_int_equal(rig_status(rig).nr_entries, 65536);
	rig_dev_free(dev);
	rig_free(rig);
}

static void message_stays_as_it_is_while_its_interrupt_moves(void **state)
{
	struct rig *rig = stepped(4, 0);
	struct rig_dev *dev = rig_dev_new(rig, RID, 4);
	struct rig_irq *irq = &dev->irqs[2];
	struct ontb_msi_msg first;

	(void)state;
	rig_dev_start(dev, 0, 4);
	first = rig_irq_msg(irq);
	for (unsigned int i = 0; i < 40; i++) {
		struct ontb_msi_msg msg;

		assert_int_equal(rig_irq_move(irq, i % 4), 0);
		msg = rig_irq_msg(irq);
		assert_int_equal(msg.addr, first.addr);
		assert_int_equal(msg.data, first.data);
		rig_send(rig, RID, &first);
		rig_run(rig);
		rig_assert_count(irq, i + 1);
		assert_int_equal(atomic_load(&irq->cpu), i % 4);
	}
	assert_int_equal(irq->nr_msgs, 1);
	assert_int_equal(rig_status(rig).nr_spurious, 0);
	assert_int_equal(rig_status(rig).nr_faults, 0);
	rig_dev_stop(dev);
	rig_free(rig);
}

static void message_pending_on_the_old_cpu_is_delivered_after_the_move(void **state)
{
	struct rig *rig = stepped(2, 0);
	struct rig_dev *dev = rig_dev_new(rig, RID, 1);
	struct rig_irq *irq = &dev->irqs[0];

	(void)state;
	rig_dev_start(dev, 0, 1);
	for (unsigned int i = 0; i < 20; i++) {
		unsigned int from = i % 2;

		assert_int_equal(rig_irq_move(irq, from), 0);
		rig_run(rig);
		rig_irq_fire(irq);
		assert_int_equal(rig_irq_move(irq, 1 - from), 0);
		rig_run(rig);
		rig_assert_count(irq, i + 1);
		assert_int_equal(atomic_load(&irq->cpu), from);
	}
	assert_int_equal(rig_status(rig).nr_spurious, 0);
	rig_dev_stop(dev);
	rig_free(rig);
}

/* What the unit has cached it goes on using: a change that is not followed by an invalidation is not seen. */
static void unit_caches_entries_so_that_a_missing_invalidation_shows(void **state)
{
	struct rig *rig = stepped(2, 0);
	struct rig_dev *dev = rig_dev_new(rig, RID, 1);
	struct rig_irq *irq = &dev->irqs[0];
	uint64_t nr_before, *entry, good;
	unsigned int cpu;

	(void)state;
	rig_dev_start(dev, 0, 1);
	entry = entry_of(rig, 0);
	assert_true(*entry & 1);
	rig_irq_fire(irq);
	rig_run(rig);
	rig_assert_count(irq, 1);
	good = *entry;
	*entry = 0;
	rig_irq_fire(irq);
	rig_run(rig);
	rig_assert_count(irq, 2);
	*entry = good;
	/* So a move must invalidate, and does: exactly once. */
	nr_before = rig_status(rig).nr_invalidations;
	cpu = atomic_load(&irq->cpu);
	assert_int_equal(rig_irq_move(irq, 1 - cpu), 0);
	assert_int_equal(rig_status(rig).nr_invalidations, nr_before + 1);
	rig_irq_fire(irq);
	rig_run(rig);
	rig_assert_count(irq, 3);
	assert_int_equal(atomic_load(&irq->cpu), 1 - cpu);
	rig_dev_stop(dev);
	rig_free(rig);
}

static void activation_needs_no_invalidation(void **state)
{
	struct rig *rig = stepped(24, 0);
	struct rig_dev *dev = rig_dev_new(rig, RID, 4096);
	uint64_t nr_before = rig_status(rig).nr_invalidations;

	(void)state;
	rig_dev_start(dev, 0, 4096);
	assert_int_equal(rig_status(rig).nr_invalidations, nr_before);
	rig_dev_stop(dev);
	assert_int_equal(rig_status(rig).nr_invalidations, nr_before + 4096);
	rig_free(rig);
}

static void message_of_another_requester_is_blocked_recorded_and_logged(void **state)
{
	struct rig *rig = stepped(2, 0);
	struct rig_dev *dev = rig_dev_new(rig, RID, 2);
	const uint16_t other = ONTB_RID(0, 5, 0);
	struct ontb_x86_status status;
	struct ontb_msi_msg msg;

	(void)state;
	rig_dev_start(dev, 0, 2);
	msg = rig_irq_msg(&dev->irqs[1]);
	rig_log_start();
	rig_send(rig, other, &msg);
	rig_run(rig);
	assert_true(rig_log_has("VT-d unit: message of 00:05.0 for entry 1 blocked: the source may not use the entry"));
	assert_false(rig_log_has("interrupt of 00:05.0, remapping entry 1, blocked"));
	rig_log_end();
	rig_assert_count(&dev->irqs[1], 0);
	status = rig_status(rig);
	assert_int_equal(status.nr_faults, 1);
	assert_int_equal(status.fault_rid, other);
	assert_int_equal(status.fault_index, 1);
	assert_int_equal(status.fault_reason, 0x26);
	assert_int_equal(ontb_x86_poll_faults(rig->x86), 0);
	rig_send(rig, RID, &msg);
	rig_run(rig);
	rig_assert_count(&dev->irqs[1], 1);
	rig_dev_stop(dev);
	rig_free(rig);
}

static void every_kind_of_bad_message_is_a_fault_with_its_reason(void **state)
{
	struct rig *rig = stepped(1, 256);
	struct rig_dev *dev = rig_dev_new(rig, RID, 2);
	static const struct {
		struct ontb_msi_msg msg;
		uint8_t reason;
		const char *text;
	} cases[] = {
		{ { 0xfee00000, 0x31 }, 0x25, "messages in compatibility format are blocked" },
		{ { 0xfee00010 | 1 << 5, 0 }, 0x22, "the entry is not present" },
		{ { 0xfee00010 | 256 << 5, 0 }, 0x21, "the index is beyond the table" },
	};

	(void)state;
	rig_dev_start(dev, 0, 1);
	for (unsigned int i = 0; i < ONTB_ARRAY_SIZE(cases); i++) {
		rig_send(rig, RID, &cases[i].msg);
		rig_run(rig);
		assert_int_equal(rig_status(rig).nr_faults, i + 1);
		assert_int_equal(rig_status(rig).fault_reason, cases[i].reason);
		assert_string_equal(ontb_x86_fault_text(cases[i].reason), cases[i].text);
	}
	rig_assert_count(&dev->irqs[0], 0);
	assert_string_equal(ontb_x86_fault_text(0x99), "unknown reason");
	rig_dev_stop(dev);
	rig_free(rig);
}

static void flood_of_blocked_messages_overflows_and_recording_goes_on(void **state)
{
	struct rig *rig = stepped(1, 256);
	struct rig_dev *dev = rig_dev_new(rig, RID, 1);
	const struct ontb_msi_msg bad = { .addr = 0xfee00010 | 9 << 5 };
	struct ontb_x86_status status;

	(void)state;
	rig_dev_start(dev, 0, 1);
	for (unsigned int i = 0; i < 1000; i++)
		rig_send(rig, RID, &bad);
	rig_irq_fire(&dev->irqs[0]);
	rig_run(rig);
	rig_assert_count(&dev->irqs[0], 1);
	status = rig_status(rig);
	assert_in_range(status.nr_faults, 1, 256);
	assert_int_equal(status.nr_overflows, 1);
	for (unsigned int i = 0; i < 30; i++) {
		rig_send(rig, RID, &bad);
		rig_run(rig);
		assert_int_equal(rig_status(rig).nr_faults, status.nr_faults + 1 + i);
	}
	assert_int_equal(rig_status(rig).nr_overflows, 1);
	rig_dev_stop(dev);
	rig_free(rig);
}

static void fault_interrupt_survives_its_cpu(void **state)
{
	struct rig *rig = stepped(2, 256);
	const struct ontb_msi_msg bad = { .addr = 0xfee00010 };

	(void)state;
	for (unsigned int cpu = 0; cpu < 2; cpu++) {
		assert_int_equal(ontb_x86_cpu_offline(rig->x86, cpu, 0), 0);
		rig_send(rig, RID, &bad);
		rig_run(rig);
		assert_int_equal(rig_status(rig).nr_faults, cpu + 1);
		assert_int_equal(ontb_x86_cpu_online(rig->x86, cpu), 0);
	}
	rig_free(rig);
}

static void aliases_may_use_the_interrupts_of_their_device(void **state)
{
	static const struct {
		uint16_t rids[3];
		unsigned int nr;
		uint16_t stranger;
	} cases[] = {
		{ { ONTB_RID(0, 2, 0), ONTB_RID(0, 2, 4) }, 2, ONTB_RID(0, 2, 1) },
		{ { ONTB_RID(0, 2, 0), ONTB_RID(0, 2, 1), ONTB_RID(0, 2, 2) }, 3, ONTB_RID(0, 3, 0) },
		{ { ONTB_RID(3, 0, 0), ONTB_RID(5, 1, 0), ONTB_RID(4, 0, 0) }, 3, ONTB_RID(6, 0, 0) },
	};

	(void)state;
	for (unsigned int i = 0; i < ONTB_ARRAY_SIZE(cases); i++) {
		struct rig *rig = stepped(1, 0);
		const struct rig_dev_config config = {
			.rids = cases[i].rids, .nr_rids = cases[i].nr, .nr = 1, .token = ONTB_BUS_NTB
		};
		struct rig_dev *dev = NULL;
		struct ontb_msi_msg msg;

		assert_int_equal(rig_dev_try(rig, &config, &dev), 0);
		rig_dev_start(dev, 0, 1);
		msg = rig_irq_msg(&dev->irqs[0]);
		for (unsigned int k = 0; k < cases[i].nr; k++) {
			rig_send(rig, cases[i].rids[k], &msg);
			rig_run(rig);
			rig_assert_count(&dev->irqs[0], k + 1);
		}
		rig_send(rig, cases[i].stranger, &msg);
		rig_run(rig);
		rig_assert_count(&dev->irqs[0], cases[i].nr);
		assert_int_equal(rig_status(rig).fault_rid, cases[i].stranger);
		rig_dev_stop(dev);
		rig_free(rig);
	}
}

static void messages_of_a_slot_lie_together_and_nobody_elses_between_them(void **state)
{
	static const unsigned int sizes[] = { 4, 4096, 1, 100, 32 };
	struct rig *rig = stepped(24, 0);
	struct rig_dev *devs[ONTB_ARRAY_SIZE(sizes)];
	uint64_t first[ONTB_ARRAY_SIZE(sizes)], size[ONTB_ARRAY_SIZE(sizes)];

	(void)state;
	for (unsigned int d = 0; d < ONTB_ARRAY_SIZE(sizes); d++) {
		devs[d] = rig_dev_new(rig, (uint16_t)(RID + d), sizes[d]);
		rig_dev_start(devs[d], 0, sizes[d]);
		assert_int_equal(ontb_msi_message_range(devs[d]->msi, 0, &first[d], &size[d]), 0);
		assert_int_equal(first[d] % size[d], 0);
		assert_in_range(size[d], sizes[d] * 32, sizes[d] * 64);
		for (unsigned int e = 0; e < d; e++)
			assert_true(first[d] + size[d] <= first[e] || first[e] + size[e] <= first[d]);
		for (unsigned int i = 0; i < sizes[d]; i++) {
			uint64_t addr = rig_irq_msg(&devs[d]->irqs[i]).addr;

			assert_in_range(addr, first[d], first[d] + size[d] - 1);
		}
	}
	for (unsigned int d = 0; d < ONTB_ARRAY_SIZE(sizes); d++)
		rig_dev_stop(devs[d]);
	assert_int_equal(rig_status(rig).nr_entries_reserved, 0);
	rig_free(rig);
}

static void table_without_room_refuses_a_domain_and_says_so(void **state)
{
	struct rig *rig = stepped(1, 256);
	const uint16_t rid = RID;
	struct rig_dev_config config = { .rids = &rid, .nr_rids = 1, .nr = 129, .token = ONTB_BUS_PCI_MSIX };
	struct rig_dev *one = rig_dev_new(rig, RID, 100), *two = NULL;

	(void)state;
	assert_int_equal(rig_status(rig).nr_entries_reserved, 128);
	rig_log_start();
	assert_int_equal(rig_dev_try(rig, &config, &two), -ENOSPC);
	assert_true(
		rig_log_has("no 256 remapping entries in a row are free: the table has 256, of which 128 are taken"));
	rig_log_end();
	assert_null(two);
	config.nr = 128;
	assert_int_equal(rig_dev_try(rig, &config, &two), 0);
	rig_dev_start(one, 0, 3);
	rig_dev_start(two, 125, 3);
	rig_irq_fire(&one->irqs[2]);
	rig_irq_fire(&two->irqs[127]);
	rig_run(rig);
	rig_assert_count(&one->irqs[2], 1);
	rig_assert_count(&two->irqs[127], 1);
	rig_dev_stop(one);
	rig_dev_stop(two);
	rig_free(rig);
}

static void last_entry_of_the_largest_table_works(void **state)
{
	struct rig *rig = stepped(1, 0);
	struct rig_dev *dev = rig_dev_new(rig, RID, 65536);
	static const unsigned int indices[] = { 0, 32767, 32768, 65535 };
	uint64_t first, size;

	(void)state;
	assert_int_equal(ontb_msi_message_range(dev->msi, 0, &first, &size), 0);
	assert_int_equal(first, 0xfee00000);
	assert_int_equal(size, 0x100000);
	for (unsigned int i = 0; i < 4; i++)
		rig_dev_start(dev, indices[i], 1);
	for (unsigned int i = 0; i < 4; i++) {
		rig_irq_fire(&dev->irqs[indices[i]]);
		rig_run(rig);
		for (unsigned int k = 0; k < 4; k++)
			rig_assert_count(&dev->irqs[indices[k]], k <= i);
	}
	rig_dev_stop(dev);
	rig_free(rig);
}

static void freed_entry_blocks_its_old_message(void **state)
{
	struct rig *rig = stepped(1, 0);
	struct rig_dev *dev = rig_dev_new(rig, RID, 2);
	struct ontb_msi_msg msg;

	(void)state;
	rig_dev_start(dev, 0, 2);
	msg = rig_irq_msg(&dev->irqs[0]);
	rig_irq_fire(&dev->irqs[0]); /* cached */
	rig_run(rig);
	rig_irq_free(&dev->irqs[0]);
	rig_send(rig, RID, &msg);
	rig_run(rig);
	rig_assert_count(&dev->irqs[0], 1);
	assert_int_equal(rig_status(rig).fault_reason, 0x22);
	assert_int_equal(rig_status(rig).nr_late, 0);
	/* Nothing of it is left in memory either. */
	assert_int_equal(entry_of(rig, 0)[0], 0);
	assert_int_equal(entry_of(rig, 0)[1], 0);
	assert_int_equal(rig_irq_request(&dev->irqs[0]), 0);
	rig_send(rig, RID, &msg);
	rig_run(rig);
	rig_assert_count(&dev->irqs[0], 2);
	rig_dev_stop(dev);
	rig_free(rig);
}

static void entry_given_to_another_device_obeys_the_new_one_only(void **state)
{
	struct rig *rig = stepped(1, 0);
	const uint16_t second = ONTB_RID(0, 3, 0);
	struct rig_dev *one = rig_dev_new(rig, RID, 1), *two;
	struct ontb_msi_msg msg;

	(void)state;
	rig_dev_start(one, 0, 1);
	msg = rig_irq_msg(&one->irqs[0]);
	rig_irq_fire(&one->irqs[0]);
	rig_run(rig);
	rig_assert_count(&one->irqs[0], 1);
	rig_dev_stop(one);
	two = rig_dev_new(rig, second, 1);
	rig_dev_start(two, 0, 1);
	assert_int_equal(rig_irq_msg(&two->irqs[0]).addr, msg.addr);
	rig_send(rig, RID, &msg);
	rig_run(rig);
	rig_assert_count(&two->irqs[0], 0);
	assert_int_equal(rig_status(rig).fault_reason, 0x26);
	rig_send(rig, second, &msg);
	rig_run(rig);
	rig_assert_count(&two->irqs[0], 1);
	rig_dev_stop(two);
	rig_free(rig);
}

static void messages_of_pci_msi_share_an_address(void **state)
{
	struct rig *rig = stepped(3, 0);
	const uint16_t rid = RID;
	const struct rig_dev_config config = {
		.rids = &rid, .nr_rids = 1, .nr = 8, .token = ONTB_BUS_PCI_MSI, .features = ONTB_MSI_FEATURE_CONTIGUOUS
	};
	struct rig_dev *dev = NULL;
	struct ontb_msi_msg msg[8];

	(void)state;
	assert_int_equal(rig_dev_try(rig, &config, &dev), 0);
	assert_int_equal(rig_dev_contiguous(dev, 8), 0);
	for (unsigned int i = 0; i < 8; i++) {
		assert_int_equal(rig_irq_request(&dev->irqs[i]), 0);
		msg[i] = rig_irq_msg(&dev->irqs[i]);
		assert_int_equal(msg[i].addr, msg[0].addr);
		assert_int_equal(msg[i].data, i);
	}
	/* Each goes where it wants all the same. */
	for (unsigned int i = 0; i < 8; i++)
		assert_int_equal(rig_irq_move(&dev->irqs[i], i % 3), 0);
	for (unsigned int i = 0; i < 8; i++) {
		rig_send(rig, RID, &msg[i]);
		rig_run(rig);
		for (unsigned int k = 0; k < 8; k++)
			rig_assert_count(&dev->irqs[k], k <= i);
		assert_int_equal(atomic_load(&dev->irqs[i].cpu), i % 3);
	}
	rig_dev_stop(dev);
	rig_free(rig);
}

static void four_thousand_interrupts_are_live_at_once(void **state)
{
	struct rig *rig = stepped(24, 0);
	struct rig_dev *msix = rig_dev_new(rig, RID, 4), *ntb = rig_dev_new(rig, RID, 4096);
	uint64_t before_ns = ontb_clock_ns();

	(void)state;
	rig_dev_start(msix, 0, 4);
	rig_dev_start(ntb, 0, 4096);
	print_message("# 4100 interrupts allocated and requested in %llu us\n",
		      (unsigned long long)(ontb_clock_ns() - before_ns) / 1000);
	for (unsigned int i = 0; i < 4096; i++)
		rig_irq_fire(&ntb->irqs[i]);
	for (unsigned int i = 0; i < 4; i++)
		rig_irq_fire(&msix->irqs[i]);
	for (unsigned int i = 0; i < 4096; i += 7)
		assert_int_equal(rig_irq_move(&ntb->irqs[i], i / 7 % 24), 0);
	rig_run(rig);
	for (unsigned int i = 0; i < 4096; i++)
		rig_assert_count(&ntb->irqs[i], 1);
	for (unsigned int i = 0; i < 4; i++)
		rig_assert_count(&msix->irqs[i], 1);
	assert_int_equal(rig_status(rig).nr_spurious, 0);
	assert_int_equal(rig_status(rig).nr_faults, 0);
	rig_dev_stop(ntb);
	rig_dev_stop(msix);
	rig_free(rig);
}

static void unit_that_does_nothing_any_more_loses_no_interrupt(void **state)
{
	struct rig *rig = stepped(2, 0);
	struct rig_dev *dev = rig_dev_new(rig, RID, 2);
	struct rig_irq *irq = &dev->irqs[0];
	unsigned int cpu;

	(void)state;
	rig_dev_start(dev, 0, 1);
	rig_irq_fire(irq); /* cached */
	rig_run(rig);
	cpu = atomic_load(&irq->cpu);
	rig_log_start();
	atomic_store(&rig->mute, RIG_IQT);
	assert_int_equal(rig_irq_move(irq, 1 - cpu), -EIO);
	assert_true(rig_log_has("VT-d unit: it does not carry out commands any more"));
	/* The unit goes on with the old target, and that still works. */
	rig_irq_fire(irq);
	rig_run(rig);
	rig_assert_count(irq, 2);
	assert_int_equal(atomic_load(&irq->cpu), cpu);
	/* The CPU cannot go, nothing new can be activated, and neither vector is given to anybody else. */
	assert_int_not_equal(ontb_x86_cpu_offline(rig->x86, cpu, 0), 0);
	assert_int_equal(rig_dev_alloc(dev, 1, 1), 0);
	assert_int_equal(rig_irq_request(&dev->irqs[1]), -EIO);
	rig_run(rig);
	cpu = ontb_x86_cpu_nr_used(rig->x86, 0) + ontb_x86_cpu_nr_used(rig->x86, 1);
	rig_irq_free(irq);
	rig_run(rig);
	assert_int_equal(ontb_x86_cpu_nr_used(rig->x86, 0) + ontb_x86_cpu_nr_used(rig->x86, 1), cpu);
	assert_true(rig_log_has("its vector is lost"));
	rig_log_end();
	rig_dev_stop(dev);
	atomic_store(&rig->mute, 0);
	rig_free(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parent_says_that_messages_are_fixed_and_isolated),
		cmocka_unit_test(message_stays_as_it_is_while_its_interrupt_moves),
		cmocka_unit_test(message_pending_on_the_old_cpu_is_delivered_after_the_move),
		cmocka_unit_test(unit_caches_entries_so_that_a_missing_invalidation_shows),
		cmocka_unit_test(activation_needs_no_invalidation),
		cmocka_unit_test(message_of_another_requester_is_blocked_recorded_and_logged),
		cmocka_unit_test(every_kind_of_bad_message_is_a_fault_with_its_reason),
		cmocka_unit_test(flood_of_blocked_messages_overflows_and_recording_goes_on),
		cmocka_unit_test(fault_interrupt_survives_its_cpu),
		cmocka_unit_test(aliases_may_use_the_interrupts_of_their_device),
		cmocka_unit_test(messages_of_a_slot_lie_together_and_nobody_elses_between_them),
		cmocka_unit_test(table_without_room_refuses_a_domain_and_says_so),
		cmocka_unit_test(last_entry_of_the_largest_table_works),
		cmocka_unit_test(freed_entry_blocks_its_old_message),
		cmocka_unit_test(entry_given_to_another_device_obeys_the_new_one_only),
		cmocka_unit_test(messages_of_pci_msi_share_an_address),
		cmocka_unit_test(four_thousand_interrupts_are_live_at_once),
		cmocka_unit_test(unit_that_does_nothing_any_more_loses_no_interrupt),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
