// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of what needs no device: which window is chosen and opened, how handlers run, and what moves do in which order.
 *
 * The files under test are included, so their static functions can be called; kunit_fake.h makes up what is around them. Time
 * passes when a test says so, and only the test makes steps.
 */
#include <linux/cpu.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include <kunit/test.h>

#include "ntb_msi.h"

/* An error that is provoked is counted, so that the log has nothing of it. */
static void fake_error(struct device *dev);
#undef dev_err_ratelimited
#define dev_err_ratelimited(dev, ...) fake_error(dev)

#include "window.c"
#include "handle.c"
#include "move.c"
#include "bridge.c"
#include "kunit_fake.h"

#define HITS 20000

/* Windows. A size of 0 is for none. */
struct fit_case {
	const char *name;
	resource_size_t align;
	resource_size_t size_max;
	u64 lo;
	u64 hi;
	u64 base;
	resource_size_t size;
};

static const struct fit_case fit_cases[] = {
	{ "a message inside of its page", SZ_4K, SZ_2M, 0xfee01010, 0xfee01010, 0xfee01000, SZ_4K },
	{ "a message at its beginning begins lower", SZ_4K, SZ_2M, 0xfee01000, 0xfee01000, 0xfee00000, SZ_8K },
	{ "the lowest cannot begin lower", SZ_4K, SZ_8K, 0xfee00000, 0xfee00000, 0xfee00000, SZ_4K },
	{ "two CPUs", SZ_4K, SZ_2M, 0xfee01000, 0xfee02000, 0xfee00000, SZ_16K },
	{ "a border of alignment between them", SZ_4K, SZ_2M, 0xfee0f000, 0xfee10000, 0xfee00000, SZ_128K },
	{ "the whole range", SZ_4K, SZ_1M, 0xfee00000, 0xfeeff000, 0xfee00000, SZ_1M },
	{ "too much for the bridge", SZ_4K, SZ_512K, 0xfee00000, 0xfeeff000, 0, 0 },
	{ "sizes are powers of two", SZ_4K, 0x3000, 0xfee00010, 0xfee02000, 0, 0 },
	{ "alignment above the size", SZ_64K, SZ_4K, 0xfee00010, 0xfee00020, 0xfee00000, SZ_4K },
	{ "alignment keeps it away", SZ_64K, SZ_4K, 0xfee08010, 0xfee08020, 0, 0 },
	{ "above 4 GiB", SZ_4K, SZ_2M, 0x1fee01010ULL, 0x1fee01020ULL, 0x1fee01000ULL, SZ_4K },
	{ "no window", SZ_4K, 0, 0xfee00010, 0xfee00010, 0, 0 },
};

KUNIT_ARRAY_PARAM_DESC(fit, fit_cases, name);

static void window_is_the_smallest_that_shows_all(struct kunit *test)
{
	const struct fit_case *now = test->param_value;
	struct limits limits = { now->align, SZ_4K, now->size_max };
	resource_size_t size = 0;
	u64 base = 0;

	KUNIT_EXPECT_EQ(test, fit(&limits, now->lo, now->hi, &base, &size), now->size != 0);
	KUNIT_EXPECT_EQ(test, base, now->base);
	KUNIT_EXPECT_EQ(test, size, now->size);
}

static void window_shows_as_many_cpus_as_it_can(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct ntb_msi *msi = fake->msi;
	unsigned int cpu = cpumask_first(cpu_online_mask), other = other_cpu(cpu);
	cpumask_var_t mask;

	need_two_cpus(test);
	mutex_lock(&fake->msi->lock);
	KUNIT_ASSERT_TRUE(test, alloc_cpumask_var(&mask, GFP_KERNEL));
	memset(msi->cpu_addr, 0, nr_cpu_ids * sizeof(*msi->cpu_addr));
	msi->cpu_addr[cpu] = FIRST_ADDR + 16;
	msi->cpu_addr[other] = FIRST_ADDR + SZ_512K;
	KUNIT_EXPECT_EQ(test, ntb_msi_window_choose(msi), 0);
	KUNIT_EXPECT_EQ(test, msi->size, SZ_1M);
	ntb_msi_allowed_cpus(msi, mask);
	KUNIT_EXPECT_EQ(test, cpumask_weight(mask), 2);

	fake->size_max = SZ_64K;
	KUNIT_EXPECT_EQ(test, ntb_msi_window_choose(msi), 0);
	KUNIT_EXPECT_EQ(test, msi->base, FIRST_ADDR);
	KUNIT_EXPECT_LE(test, msi->size, SZ_64K);
	ntb_msi_allowed_cpus(msi, mask);
	KUNIT_EXPECT_TRUE(test, cpumask_equal(mask, cpumask_of(cpu)));
	cpumask_set_cpu(cpu, msi->leaving);
	ntb_msi_allowed_cpus(msi, mask);
	KUNIT_EXPECT_TRUE(test, cpumask_empty(mask));

	fake->size_max = 0;
	KUNIT_EXPECT_EQ(test, ntb_msi_window_choose(msi), -ERANGE);
	KUNIT_EXPECT_EQ(test, msi->base, FIRST_ADDR);
	free_cpumask_var(mask);
	mutex_unlock(&fake->msi->lock);
}

static void window_does_not_leave_a_message_that_peers_have(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct ntb_msi *msi = fake->msi;
	struct ntb_msi_handle *handle;
	u64 base;

	mutex_lock(&fake->msi->lock);
	handle = new_handle(test);
	base = msi->base;
	handle->home->msg.address_lo = addr_of(nr_cpu_ids) + SZ_512K;
	KUNIT_EXPECT_EQ(test, ntb_msi_window_choose(msi), -ERANGE);
	KUNIT_EXPECT_EQ(test, msi->base, base);
	WRITE_ONCE(handle->home->exposed, false);
	KUNIT_EXPECT_EQ(test, ntb_msi_window_choose(msi), 0);
	mutex_unlock(&fake->msi->lock);
}

static void offset_ends_with_the_window(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct ntb_msi *msi = fake->msi;
	struct ntb_msi_desc desc = {};
	struct ntb_msi_line *line;

	KUNIT_ASSERT_EQ(test, ntb_msi_line_new(msi, &line), 0);
	msi->base = FIRST_ADDR;
	msi->size = SZ_4K;
	line->msg.data = 5;
	line->msg.address_lo = FIRST_ADDR;
	KUNIT_EXPECT_EQ(test, ntb_msi_window_offset(msi, line, &desc), 0);
	KUNIT_EXPECT_EQ(test, desc.addr_offset, 0);
	line->msg.address_lo = FIRST_ADDR + SZ_4K - 4;
	KUNIT_EXPECT_EQ(test, ntb_msi_window_offset(msi, line, &desc), 0);
	KUNIT_EXPECT_EQ(test, desc.addr_offset, SZ_4K - 4);
	KUNIT_EXPECT_EQ(test, desc.data, 5);
	line->msg.address_lo = FIRST_ADDR + SZ_4K - 2;
	KUNIT_EXPECT_EQ(test, ntb_msi_window_offset(msi, line, &desc), -ENOSPC);
	line->msg.address_lo = FIRST_ADDR - 4;
	KUNIT_EXPECT_EQ(test, ntb_msi_window_offset(msi, line, &desc), -ENOSPC);
	KUNIT_EXPECT_EQ(test, desc.addr_offset, SZ_4K - 4);
}

static void new_interrupt_is_not_at_offset_0_where_there_is_a_choice(struct kunit *test)
{
	struct fake *fake = test->priv;
	unsigned int cpu = cpumask_first(cpu_online_mask), other = other_cpu(cpu);

	need_two_cpus(test);
	mutex_lock(&fake->msi->lock);
	/* Not below the first CPU's message, so that is at offset 0. */
	fake->size_max = roundup_pow_of_two(addr_of(num_online_cpus()) - FIRST_ADDR);
	new_handle(test);
	KUNIT_ASSERT_EQ(test, fake->msi->base, addr_of(cpu));
	KUNIT_EXPECT_EQ(test, fake->desc.addr_offset, addr_of(other) - fake->msi->base);
	mutex_unlock(&fake->msi->lock);
}

static void fixed_line_that_was_not_requested_does_not_spoil_the_window(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct ntb_msi *msi = fake->msi;
	struct ntb_msi_line *line;

	mutex_lock(&msi->lock);
	msi->fixed = true;
	ntb_msi_reserve = 1;
	KUNIT_ASSERT_EQ(test, reserve(msi), 0);
	KUNIT_ASSERT_EQ(test, ntb_msi_window_choose(msi), 0);
	list_del_init(&msi->lines[0]->node);
	KUNIT_ASSERT_EQ(test, ntb_msi_line_get(msi, &line), 0);
	KUNIT_EXPECT_PTR_EQ(test, line, msi->lines[1]);
	ntb_msi_line_put(line);
	KUNIT_EXPECT_EQ(test, ntb_msi_window_choose(msi), 0);
	KUNIT_EXPECT_EQ(test, msi->base, FIRST_ADDR);
	mutex_unlock(&msi->lock);
}

static void fixed_line_outside_of_the_window_is_not_kept(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct ntb_msi *msi = fake->msi;
	struct ntb_msi_line *line;

	mutex_lock(&msi->lock);
	msi->fixed = true;
	ntb_msi_reserve = 1;
	KUNIT_ASSERT_EQ(test, reserve(msi), 0);
	KUNIT_ASSERT_EQ(test, ntb_msi_window_choose(msi), 0);
	list_del_init(&msi->lines[0]->node);
	msi->size = 16;
	KUNIT_EXPECT_EQ(test, ntb_msi_line_get(msi, &line), -ENOSPC);
	KUNIT_EXPECT_EQ(test, msi->nr_lines, 1);
	KUNIT_EXPECT_TRUE(test, list_empty(&msi->free));
	mutex_unlock(&msi->lock);
}

static void window_shows_as_many_fixed_messages_as_it_can(struct kunit *test)
{
	static const u32 offsets[] = { SZ_64K, SZ_64K - 16, SZ_64K + 16, SZ_64K - 32 };
	struct fake *fake = test->priv;
	struct ntb_msi *msi = fake->msi;
	struct ntb_msi_line *line;
	unsigned int i;

	mutex_lock(&msi->lock);
	msi->fixed = true;
	fake->addr_align = fake->size_align = fake->size_max = SZ_64K;
	for (i = 0; i < ARRAY_SIZE(offsets); i++) {
		KUNIT_ASSERT_EQ(test, ntb_msi_line_new(msi, &line), 0);
		line->msg.address_lo = FIRST_ADDR + offsets[i];
		list_add_tail(&line->node, &msi->free);
	}
	KUNIT_ASSERT_EQ(test, ntb_msi_window_choose(msi), 0);
	KUNIT_EXPECT_EQ(test, msi->base, FIRST_ADDR);
	KUNIT_EXPECT_EQ(test, msi->size, SZ_64K);
	/* Only those are given to anybody. */
	fake->nr_lines = 0;
	KUNIT_ASSERT_EQ(test, ntb_msi_line_get(msi, &line), 0);
	KUNIT_EXPECT_PTR_EQ(test, line, msi->lines[1]);
	KUNIT_ASSERT_EQ(test, ntb_msi_line_get(msi, &line), 0);
	KUNIT_EXPECT_PTR_EQ(test, line, msi->lines[3]);
	KUNIT_EXPECT_EQ(test, ntb_msi_line_get(msi, &line), -ENOSPC);
	mutex_unlock(&msi->lock);
}

/* Opening and closing. */

static void window_is_closed_whatever_signal_its_task_has(struct kunit *test)
{
	struct fake *fake = two_peers(test);

	mutex_lock(&fake->msi->lock);
	KUNIT_ASSERT_EQ(test, ntb_msi_windows_open(fake->msi), 0);
	expect_windows(test, fake->msi->base, fake->msi->size);
	fake->nr_interrupts = 1;
	KUNIT_EXPECT_EQ(test, ntb_msi_windows_close(fake->msi), 0);
	expect_windows(test, 0, 0);
	KUNIT_EXPECT_EQ(test, fake->nr_orders, 5);
	KUNIT_EXPECT_EQ(test, fake->nr_outside, 0);
	KUNIT_EXPECT_EQ(test, fake->nr_gone[0], 1);
	KUNIT_EXPECT_EQ(test, fake->nr_gone[1], 1);
	mutex_unlock(&fake->msi->lock);
}

static void window_that_cannot_be_closed_is_tried_again(struct kunit *test)
{
	struct fake *fake = two_peers(test);

	mutex_lock(&fake->msi->lock);
	KUNIT_ASSERT_EQ(test, ntb_msi_windows_open(fake->msi), 0);
	fake->stuck = true;
	KUNIT_EXPECT_EQ(test, ntb_msi_windows_close(fake->msi), -EIO);
	expect_windows(test, fake->msi->base, fake->msi->size);
	KUNIT_EXPECT_EQ(test, fake->nr_errors, 2);
	KUNIT_EXPECT_EQ(test, fake->nr_gone[0] + fake->nr_gone[1], 0);
	fake->stuck = false;
	KUNIT_EXPECT_EQ(test, ntb_msi_windows_close(fake->msi), 0);
	expect_windows(test, 0, 0);
	mutex_unlock(&fake->msi->lock);
}

static void window_that_was_never_open_is_left_alone_and_its_peer_holds_nothing(struct kunit *test)
{
	struct fake *fake = two_peers(test);

	mutex_lock(&fake->msi->lock);
	KUNIT_EXPECT_EQ(test, ntb_msi_windows_close(fake->msi), 0);
	KUNIT_EXPECT_EQ(test, fake->nr_orders, 0);
	KUNIT_EXPECT_EQ(test, fake->nr_gone[0], 1);
	KUNIT_EXPECT_EQ(test, fake->nr_gone[1], 1);
	mutex_unlock(&fake->msi->lock);
}

static void failed_opening_leaves_no_window_open(struct kunit *test)
{
	struct fake *fake = two_peers(test);
	int peer;

	mutex_lock(&fake->msi->lock);
	for (peer = 0; peer < 2; peer++) {
		fake->refuses = peer;
		KUNIT_EXPECT_EQ(test, ntb_msi_windows_open(fake->msi), -EIO);
		expect_windows(test, 0, 0);
		KUNIT_EXPECT_EQ(test, fake->msi->size, 0);
	}
	KUNIT_ASSERT_EQ(test, ntb_msi_window_choose(fake->msi), 0);
	KUNIT_EXPECT_EQ(test, ntb_msi_window_open(fake->msi, 1), -EIO);
	expect_windows(test, 0, 0);
	/* What cannot be closed then is not forgotten. */
	fake->stuck = true;
	KUNIT_EXPECT_EQ(test, ntb_msi_windows_open(fake->msi), -EIO);
	expect_windows(test, fake->msi->base, fake->msi->size);
	mutex_unlock(&fake->msi->lock);
}

static void failed_opening_keeps_the_window_that_offsets_are_for(struct kunit *test)
{
	struct fake *fake = two_peers(test);
	struct ntb_msi *msi = fake->msi;
	unsigned int cpu = cpumask_first(cpu_online_mask);
	u64 base;

	mutex_lock(&msi->lock);
	memset(msi->cpu_addr, 0, nr_cpu_ids * sizeof(*msi->cpu_addr));
	msi->cpu_addr[cpu] = FIRST_ADDR + SZ_64K + 16;
	KUNIT_ASSERT_EQ(test, ntb_msi_windows_open(msi), 0);
	base = msi->base;
	msi->cpu_addr[cpu] = FIRST_ADDR + SZ_128K + 16;
	fake->refuses = 1;
	KUNIT_EXPECT_EQ(test, ntb_msi_windows_open(msi), -EIO);
	KUNIT_EXPECT_EQ(test, msi->base, base);
	expect_windows(test, 0, 0);
	fake->refuses = -1;
	/* Nor does it leave peers that hold a grant. */
	fake->told = true;
	KUNIT_EXPECT_EQ(test, ntb_msi_windows_open(msi), 0);
	expect_windows(test, base, msi->size);
	fake->told = false;
	KUNIT_EXPECT_EQ(test, ntb_msi_windows_open(msi), 0);
	KUNIT_EXPECT_EQ(test, msi->base, base + SZ_64K);
	expect_windows(test, msi->base, msi->size);
	mutex_unlock(&msi->lock);
}

static void peers_whose_links_are_down_do_not_matter(struct kunit *test)
{
	struct fake *fake = two_peers(test);
	struct ntb_msi *msi = fake->msi;
	unsigned int cpu = cpumask_first(cpu_online_mask);

	mutex_lock(&msi->lock);
	memset(msi->cpu_addr, 0, nr_cpu_ids * sizeof(*msi->cpu_addr));
	msi->cpu_addr[cpu] = FIRST_ADDR + SZ_64K + 16;
	fake->links = 0;
	KUNIT_EXPECT_EQ(test, ntb_msi_windows_open(msi), -ENOTCONN);
	KUNIT_EXPECT_EQ(test, ntb_msi_window_choose(msi), -ENOTCONN);
	/* The other one can do nothing at all, but is not there. */
	fake->links = BIT_ULL(0);
	fake->size_max = 0;
	KUNIT_EXPECT_EQ(test, ntb_msi_windows_open(msi), 0);
	KUNIT_EXPECT_NE(test, fake->windows[0].size, 0);
	KUNIT_EXPECT_EQ(test, fake->windows[1].size, 0);
	KUNIT_EXPECT_FALSE(test, msi->peer_mws[1].may_be_open);
	KUNIT_EXPECT_EQ(test, ntb_msi_window_open(msi, 1), -ENOTCONN);
	KUNIT_EXPECT_FALSE(test, msi->peer_mws[1].may_be_open);
	fake->size_max = SZ_1M;
	fake->links = BIT_ULL(0) | BIT_ULL(1);
	KUNIT_EXPECT_EQ(test, ntb_msi_windows_open(msi), 0);
	expect_windows(test, msi->base, msi->size);

	/* What a peer had when its link went down is not left where offsets mean something else. */
	fake->links = BIT_ULL(1);
	msi->cpu_addr[cpu] = FIRST_ADDR + SZ_128K + 16;
	KUNIT_EXPECT_EQ(test, ntb_msi_windows_open(msi), 0);
	KUNIT_EXPECT_EQ(test, msi->base, FIRST_ADDR + SZ_128K);
	expect_windows(test, msi->base, msi->size);
	mutex_unlock(&msi->lock);
}

/* Handlers. */

static void second_line_lets_the_handler_run_again(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct ntb_msi_handle *handle;
	struct ntb_msi_line *standin;

	mutex_lock(&fake->msi->lock);
	handle = new_handle(test);
	KUNIT_ASSERT_EQ(test, ntb_msi_line_new(fake->msi, &standin), 0);
	standin->handle = handle;
	fake->again = standin;
	KUNIT_EXPECT_EQ(test, line_isr(handle->home->virq, handle->home), IRQ_HANDLED);
	KUNIT_EXPECT_EQ(test, atomic_read(&fake->runs), 2);
	KUNIT_EXPECT_EQ(test, atomic_read(&fake->overlaps), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&handle->running), 0);
	standin->handle = NULL;
	mutex_unlock(&fake->msi->lock);
}

static int hit(void *arg)
{
	struct ntb_msi_line *line = arg;
	unsigned int i;

	for (i = 0; i < HITS; i++) {
		local_irq_disable();
		line_isr(line->virq, line);
		local_irq_enable();
	}
	while (!kthread_should_stop())
		schedule_timeout_interruptible(1);
	return 0;
}

static void two_lines_at_once_lose_nothing(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct ntb_msi_handle *handle;
	unsigned int cpu = cpumask_first(cpu_online_mask);
	struct task_struct *tasks[2];
	struct ntb_msi_line *lines[2];
	unsigned long end = jiffies + 60 * HZ;
	unsigned int i;

	mutex_lock(&fake->msi->lock);
	handle = new_handle(test);
	lines[0] = handle->home;
	KUNIT_ASSERT_EQ(test, ntb_msi_line_new(fake->msi, &lines[1]), 0);
	lines[1]->handle = handle;
	for (i = 0; i < 2; i++) {
		tasks[i] = kthread_create(hit, lines[i], "ntb_msi_kunit%u", i);
		KUNIT_ASSERT_FALSE(test, IS_ERR(tasks[i]));
		kthread_bind(tasks[i], cpu);
		cpu = cpumask_next(cpu, cpu_online_mask) < nr_cpu_ids ? cpumask_next(cpu, cpu_online_mask) : cpu;
	}
	for (i = 0; i < 2; i++)
		wake_up_process(tasks[i]);
	/* One that is stopped before its first step does nothing. */
	while (atomic_read(&fake->runs) < 2 * HITS && time_before(jiffies, end))
		msleep(10);
	for (i = 0; i < 2; i++)
		kthread_stop(tasks[i]);
	KUNIT_EXPECT_EQ(test, atomic_read(&fake->runs), 2 * HITS);
	KUNIT_EXPECT_EQ(test, atomic_read(&fake->overlaps), 0);
	lines[1]->handle = NULL;
	mutex_unlock(&fake->msi->lock);
}

static void handle_that_is_not_live_does_not_run(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct ntb_msi_handle *handle;

	mutex_lock(&fake->msi->lock);
	handle = new_handle(test);
	WRITE_ONCE(handle->live, false);
	line_isr(handle->home->virq, handle->home);
	KUNIT_EXPECT_EQ(test, late(fake->msi), 1);
	/* It was live when the interrupt began, and is not when the handler would run. */
	deliver(handle);
	KUNIT_EXPECT_EQ(test, atomic_read(&fake->runs), 0);
	mutex_unlock(&fake->msi->lock);
}

static void freed_handle_does_not_run(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct ntb_msi_handle *handle;
	struct ntb_msi_line *line;

	mutex_lock(&fake->msi->lock);
	handle = new_handle(test);
	line = handle->home;
	generic_handle_irq_safe(line->virq);
	KUNIT_ASSERT_EQ(test, atomic_read(&fake->runs), 1);
	ntb_msi_handle_free(handle);
	generic_handle_irq_safe(line->virq);
	KUNIT_EXPECT_EQ(test, atomic_read(&fake->runs), 1);
	KUNIT_EXPECT_EQ(test, late(fake->msi), 1);
	mutex_unlock(&fake->msi->lock);
}

static void message_that_peers_are_told_is_that_of_the_cpu(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct ntb_msi_handle *handle;
	unsigned int cpu = cpumask_first(cpu_online_mask), turn;

	need_two_cpus(test);
	mutex_lock(&fake->msi->lock);
	for (turn = 0; turn < 2; turn++) {
		fake->meanwhile = cpumask_of(cpu);
		handle = new_handle(test);
		KUNIT_EXPECT_EQ(test, ntb_msi_line_message(handle->home, NULL),
				addr_of(ntb_msi_line_cpu(handle->home)));
		KUNIT_EXPECT_TRUE(test, handle->home->exposed);
		KUNIT_EXPECT_TRUE(test, handle->wanted);
		cpu = other_cpu(cpu);
	}
	mutex_unlock(&fake->msi->lock);
}

static void line_in_quarantine_comes_back_last(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct ntb_msi *msi = fake->msi;
	struct ntb_msi_handle *handle;
	struct ntb_msi_line *used, *spare, *line;

	mutex_lock(&fake->msi->lock);
	handle = new_handle(test);
	used = handle->home;
	KUNIT_ASSERT_EQ(test, ntb_msi_line_new(msi, &spare), 0);
	ntb_msi_line_put(spare);
	ntb_msi_handle_free(handle);
	KUNIT_EXPECT_TRUE(test, used->requested);

	/* Not before its time. */
	KUNIT_EXPECT_LE(test, ntb_msi_step(msi), msecs_to_jiffies(ntb_msi_quarantine_ms));
	KUNIT_EXPECT_FALSE(test, list_empty(&msi->quarantine));
	pass_time(msi);
	KUNIT_EXPECT_EQ(test, ntb_msi_step(msi), MAX_SCHEDULE_TIMEOUT);
	KUNIT_EXPECT_TRUE(test, list_empty(&msi->quarantine));
	KUNIT_EXPECT_FALSE(test, used->requested);
	KUNIT_EXPECT_FALSE(test, used->exposed);

	KUNIT_ASSERT_EQ(test, ntb_msi_line_get(msi, &line), 0);
	KUNIT_EXPECT_PTR_EQ(test, line, spare);
	ntb_msi_line_put(line);
	KUNIT_ASSERT_EQ(test, ntb_msi_line_get(msi, &line), 0);
	KUNIT_EXPECT_PTR_EQ(test, line, used);
	ntb_msi_line_put(line);
	fake->nr_lines = 0;
	list_del_init(&spare->node);
	list_del_init(&used->node);
	KUNIT_EXPECT_EQ(test, ntb_msi_line_get(msi, &line), -ENOSPC);
	mutex_unlock(&fake->msi->lock);
}

/* Moves. */

static void parent_moves_what_no_peer_has(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct ntb_msi_handle *handle;
	struct ntb_msi_line *line;

	mutex_lock(&fake->msi->lock);
	handle = new_handle(test);
	line = handle->home;
	WRITE_ONCE(line->exposed, false);
	KUNIT_EXPECT_FALSE(test, ntb_msi_wants_move(line, cpu_online_mask));
	WRITE_ONCE(line->exposed, true);
	fake->msi->fixed = true;
	KUNIT_EXPECT_FALSE(test, ntb_msi_wants_move(line, cpu_online_mask));
	fake->msi->fixed = false;
	/* That this is the default's mask was noted when the client came. */
	handle->wanted = false;
	KUNIT_EXPECT_TRUE(test, ntb_msi_wants_move(line, cpumask_of(1)));
	KUNIT_EXPECT_TRUE(test, handle->wanted);
	KUNIT_EXPECT_TRUE(test, cpumask_equal(handle->want, cpumask_of(1)));

	/* In quarantine it stays where it is, and nobody notes anything. */
	handle->wanted = false;
	line->handle = NULL;
	KUNIT_EXPECT_TRUE(test, ntb_msi_wants_move(line, cpu_online_mask));
	KUNIT_EXPECT_FALSE(test, handle->wanted);
	line->handle = handle;
	mutex_unlock(&fake->msi->lock);
}

/* What peers that are late and those that are not send arrives. */
static void expect_runs(struct kunit *test, struct ntb_msi_line *line)
{
	struct fake *fake = test->priv;
	int before = atomic_read(&fake->runs);

	generic_handle_irq_safe(line->virq);
	KUNIT_EXPECT_EQ(test, atomic_read(&fake->runs), before + 1);
}

static void move_makes_before_it_breaks(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct ntb_msi *msi = fake->msi;
	struct ntb_msi_handle *handle;
	struct ntb_msi_line *home, *standin;
	unsigned int cpu, other;
	u64 old;

	need_two_cpus(test);
	mutex_lock(&fake->msi->lock);
	handle = new_handle(test);
	home = handle->home;
	cpu = ntb_msi_line_cpu(home);
	other = other_cpu(cpu);
	old = ntb_msi_line_message(home, NULL);
	irq_set_affinity(home->virq, cpumask_of(other));
	KUNIT_EXPECT_EQ(test, ntb_msi_line_message(home, NULL), old);
	ntb_msi_step(msi);
	KUNIT_ASSERT_EQ(test, handle->phase, NTB_MSI_AWAY);
	standin = handle->standin;
	KUNIT_EXPECT_EQ(test, ntb_msi_line_cpu(standin), other);
	KUNIT_EXPECT_EQ(test, ntb_msi_line_message(home, NULL), old);
	KUNIT_EXPECT_EQ(test, fake->nr_changed, 1);
	KUNIT_EXPECT_EQ(test, fake->desc.addr_offset, addr_of(other) - msi->base);
	KUNIT_EXPECT_EQ(test, fake->desc.data, standin->hwirq);
	expect_runs(test, home);
	expect_runs(test, standin);

	/* Nothing more until late peers have heard. */
	ntb_msi_step(msi);
	KUNIT_EXPECT_EQ(test, handle->phase, NTB_MSI_AWAY);
	KUNIT_EXPECT_EQ(test, ntb_msi_line_message(home, NULL), old);
	pass_time(msi);
	ntb_msi_step(msi);
	KUNIT_ASSERT_EQ(test, handle->phase, NTB_MSI_BACK);
	KUNIT_EXPECT_EQ(test, ntb_msi_line_cpu(home), other);
	KUNIT_EXPECT_EQ(test, fake->nr_changed, 2);
	KUNIT_EXPECT_EQ(test, fake->desc.data, home->hwirq);
	expect_runs(test, home);
	expect_runs(test, standin);

	ntb_msi_step(msi);
	KUNIT_EXPECT_EQ(test, handle->phase, NTB_MSI_BACK);
	pass_time(msi);
	ntb_msi_step(msi);
	KUNIT_EXPECT_EQ(test, handle->phase, NTB_MSI_STEADY);
	KUNIT_EXPECT_EQ(test, handle->nr_moves, 1);
	KUNIT_EXPECT_NULL(test, handle->standin);
	KUNIT_EXPECT_FALSE(test, standin->requested);
	KUNIT_EXPECT_EQ(test, fake->nr_changed, 2);
	expect_runs(test, home);
	KUNIT_EXPECT_EQ(test, late(msi), 0);
	mutex_unlock(&fake->msi->lock);
}

static void affinity_that_is_asked_for_while_the_home_is_away_counts(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct ntb_msi *msi = fake->msi;
	struct ntb_msi_handle *handle;
	unsigned int cpu, other;

	need_two_cpus(test);
	mutex_lock(&msi->lock);
	handle = new_handle(test);
	cpu = ntb_msi_line_cpu(handle->home);
	other = other_cpu(cpu);
	irq_set_affinity(handle->home->virq, cpumask_of(other));
	ntb_msi_step(msi);
	KUNIT_ASSERT_EQ(test, handle->phase, NTB_MSI_AWAY);
	/* It cannot come back; until it can, nobody but the kernel hears what is asked for. */
	irq_modify_status(handle->home->virq, 0, IRQ_NOREQUEST);
	pass_time(msi);
	ntb_msi_step(msi);
	KUNIT_ASSERT_EQ(test, handle->phase, NTB_MSI_AWAY);
	KUNIT_EXPECT_FALSE(test, handle->home->requested);
	KUNIT_EXPECT_EQ(test, msi->nr_refused, 1);
	irq_set_affinity(handle->home->virq, cpumask_of(cpu));
	irq_modify_status(handle->home->virq, IRQ_NOREQUEST, 0);
	pass_time(msi);
	ntb_msi_step(msi);
	KUNIT_ASSERT_EQ(test, handle->phase, NTB_MSI_BACK);
	KUNIT_EXPECT_EQ(test, ntb_msi_line_cpu(handle->home), cpu);
	mutex_unlock(&msi->lock);
}

static void requests_of_others_do_not_keep_a_move_from_beginning(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct ntb_msi *msi = fake->msi;
	struct ntb_msi_handle *handle, *other;

	need_two_cpus(test);
	mutex_lock(&msi->lock);
	handle = new_handle(test);
	other = new_handle(test);
	/* As ntbm_msi_request_threaded_irq() does. */
	other->until = jiffies + quarantine();
	irq_set_affinity(handle->home->virq, cpumask_of(other_cpu(ntb_msi_line_cpu(handle->home))));
	irq_set_affinity(other->home->virq, cpumask_of(other_cpu(ntb_msi_line_cpu(other->home))));
	ntb_msi_step(msi);
	KUNIT_EXPECT_EQ(test, handle->phase, NTB_MSI_AWAY);
	KUNIT_EXPECT_EQ(test, other->phase, NTB_MSI_STEADY);
	KUNIT_EXPECT_LE(test, next_delay(msi), quarantine());
	pass_time(msi);
	ntb_msi_step(msi);
	KUNIT_EXPECT_EQ(test, handle->phase, NTB_MSI_BACK);
	KUNIT_EXPECT_EQ(test, other->phase, NTB_MSI_AWAY);
	mutex_unlock(&msi->lock);
}

static void move_without_a_spare_line_is_refused(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct ntb_msi *msi = fake->msi;
	struct ntb_msi_handle *handle;
	unsigned int other;

	need_two_cpus(test);
	mutex_lock(&fake->msi->lock);
	handle = new_handle(test);
	other = other_cpu(ntb_msi_line_cpu(handle->home));
	fake->nr_lines = 0;
	irq_set_affinity(handle->home->virq, cpumask_of(other));
	ntb_msi_step(msi);
	KUNIT_EXPECT_EQ(test, handle->phase, NTB_MSI_STEADY);
	KUNIT_EXPECT_EQ(test, msi->nr_refused, 1);
	KUNIT_EXPECT_EQ(test, fake->nr_changed, 0);
	expect_runs(test, handle->home);
	mutex_unlock(&fake->msi->lock);
}

static void message_that_changed_by_itself_sweeps(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct ntb_msi *msi = fake->msi;
	struct ntb_msi_handle *handle;

	mutex_lock(&fake->msi->lock);
	handle = new_handle(test);
	handle->wanted = false;
	handle->home->changed = true;
	handle->home->msg.data = 77;
	ntb_msi_step(msi);
	KUNIT_EXPECT_EQ(test, fake->nr_changed, 1);
	KUNIT_EXPECT_EQ(test, fake->desc.data, 77);
	KUNIT_EXPECT_EQ(test, atomic_read(&fake->runs), 1);
	KUNIT_EXPECT_EQ(test, msi->nr_swept, 1);
	ntb_msi_step(msi);
	KUNIT_EXPECT_EQ(test, fake->nr_changed, 1);
	mutex_unlock(&fake->msi->lock);
}

static void trigger_stays_in_the_window(struct kunit *test)
{
	static const u32 wrong[] = { sizeof(u32) * WORDS,     1,	  2,	   3,
				     sizeof(u32) * WORDS - 1, 0x80000000, U32_MAX, U32_MAX - 3 };
	struct fake *fake = test->priv;
	struct ntb_dev *ntb = &fake->ntb;
	struct ntb_msi_desc desc = { .data = 0x11223344 };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		desc.addr_offset = wrong[i];
		KUNIT_EXPECT_EQ_MSG(test, ntb_msi_peer_trigger(ntb, 0, &desc), -ERANGE, "offset %#x", wrong[i]);
	}
	desc.addr_offset = 0;
	KUNIT_EXPECT_EQ(test, ntb_msi_peer_trigger(ntb, 1, &desc), -EINVAL);
	KUNIT_EXPECT_EQ(test, ntb_msi_peer_trigger(ntb, -1, &desc), -EINVAL);
	fake->msi->peer_mws[0].size = 2;
	KUNIT_EXPECT_EQ(test, ntb_msi_peer_trigger(ntb, 0, &desc), -ERANGE);
	fake->msi->peer_mws[0].size = sizeof(fake->words);
	KUNIT_EXPECT_NULL(test, memchr_inv(fake->words, 0, sizeof(fake->words)));

	KUNIT_EXPECT_EQ(test, ntb_msi_peer_trigger(ntb, 0, &desc), 0);
	desc.addr_offset = sizeof(u32) * (WORDS - 1);
	KUNIT_EXPECT_EQ(test, ntb_msi_peer_trigger(ntb, 0, &desc), 0);
	KUNIT_EXPECT_EQ(test, fake->words[0], 0x11223344);
	KUNIT_EXPECT_EQ(test, fake->words[WORDS - 1], 0x11223344);
	KUNIT_EXPECT_NULL(test, memchr_inv(fake->words + 1, 0, sizeof(u32) * (WORDS - 2)));
	fake->ntb.msi = NULL;
	KUNIT_EXPECT_EQ(test, ntb_msi_peer_trigger(ntb, 0, &desc), -EINVAL);
}

static struct kunit_case cases[] = { KUNIT_CASE_PARAM(window_is_the_smallest_that_shows_all, fit_gen_params),
				     KUNIT_CASE(window_shows_as_many_cpus_as_it_can),
				     KUNIT_CASE(window_does_not_leave_a_message_that_peers_have),
				     KUNIT_CASE(offset_ends_with_the_window),
				     KUNIT_CASE(new_interrupt_is_not_at_offset_0_where_there_is_a_choice),
				     KUNIT_CASE(fixed_line_that_was_not_requested_does_not_spoil_the_window),
				     KUNIT_CASE(fixed_line_outside_of_the_window_is_not_kept),
				     KUNIT_CASE(window_shows_as_many_fixed_messages_as_it_can),
				     KUNIT_CASE(window_is_closed_whatever_signal_its_task_has),
				     KUNIT_CASE(window_that_cannot_be_closed_is_tried_again),
				     KUNIT_CASE(window_that_was_never_open_is_left_alone_and_its_peer_holds_nothing),
				     KUNIT_CASE(failed_opening_leaves_no_window_open),
				     KUNIT_CASE(failed_opening_keeps_the_window_that_offsets_are_for),
				     KUNIT_CASE(peers_whose_links_are_down_do_not_matter),
				     KUNIT_CASE(second_line_lets_the_handler_run_again),
				     KUNIT_CASE_SLOW(two_lines_at_once_lose_nothing),
				     KUNIT_CASE(handle_that_is_not_live_does_not_run),
				     KUNIT_CASE(freed_handle_does_not_run),
				     KUNIT_CASE(message_that_peers_are_told_is_that_of_the_cpu),
				     KUNIT_CASE(line_in_quarantine_comes_back_last),
				     KUNIT_CASE(parent_moves_what_no_peer_has),
				     KUNIT_CASE(move_makes_before_it_breaks),
				     KUNIT_CASE(affinity_that_is_asked_for_while_the_home_is_away_counts),
				     KUNIT_CASE(requests_of_others_do_not_keep_a_move_from_beginning),
				     KUNIT_CASE(move_without_a_spare_line_is_refused),
				     KUNIT_CASE(message_that_changed_by_itself_sweeps),
				     KUNIT_CASE(trigger_stays_in_the_window),
				     {} };

static struct kunit_suite suite = {
	.name = "ntb_msi_module",
	.init = fake_init,
	.exit = fake_exit,
	.test_cases = cases,
};

kunit_test_suite(suite);

MODULE_DESCRIPTION("KUnit tests of ntb_msi");
MODULE_LICENSE("GPL");
