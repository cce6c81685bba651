// SPDX-License-Identifier: GPL-2.0-only
/*
 * The window through which peers reach the messages: it shows every interrupt, wherever it may move, and is no
 * larger than that needs.
 *
 * Where messages are fixed, all that may be handed out exist before the window is set up, and it covers their
 * addresses. Otherwise a message names a CPU; how is the parent's affair, so an interrupt is put onto each CPU in
 * turn, and its address is looked at.
 */
#include <linux/cpu.h>
#include <linux/log2.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include "ntb_msi.h"

/* A message is one word. */
#define MESSAGE_SIZE sizeof(u32)
/* How much larger a window may be, in powers of two, so that no interrupt is at its very beginning. */
#define EXTRA_ORDERS 4

/**
 * ntb_msi_measure_cpu() - learn the address of messages to a CPU
 * @msi:  Device whose messages are not fixed.
 * @line: A line that nobody has; it is not requested afterwards.
 * @cpu:  A CPU that is on line and stays so.
 *
 * Context: Process context; ->lock is held, or nobody else knows @msi yet.
 */
void ntb_msi_measure_cpu(struct ntb_msi *msi, struct ntb_msi_line *line, unsigned int cpu)
{
	if (ntb_msi_line_request(line, NULL, cpumask_of(cpu), "ntb_msi"))
		return;
	/* When a CPU has no vector left, another one gets the interrupt. */
	if (ntb_msi_line_cpu(line) == cpu)
		msi->cpu_addr[cpu] = ntb_msi_line_message(line, NULL);
	ntb_msi_line_release(line);
}

/* Fixed messages: allocate what may be handed out, and learn where it is. */
static int reserve(struct ntb_msi *msi)
{
	struct ntb_msi_line *line;
	unsigned int i;
	int ret;

	for (i = 0; i < ntb_msi_reserve; i++) {
		ret = ntb_msi_line_new(msi, &line);
		if (ret)
			return i ? 0 : ret;
		list_add_tail(&line->node, &msi->free);
		ret = ntb_msi_line_compose(line);
		if (ret)
			return ret;
	}
	return 0;
}

/**
 * ntb_msi_measure() - learn which addresses the window has to show
 * @msi: Device with a domain that nobody else knows yet; ->cpu_addr is allocated here and freed by the caller.
 *
 * Context: Process context, may sleep; the CPU hotplug lock is held for reading.
 * Return: 0, or what ntb_msi_line_new() says.
 */
int ntb_msi_measure(struct ntb_msi *msi)
{
	struct ntb_msi_line *line;
	unsigned int cpu;
	int ret;

	if (msi->fixed)
		return reserve(msi);
	msi->cpu_addr = kcalloc(nr_cpu_ids, sizeof(*msi->cpu_addr), GFP_KERNEL);
	if (!msi->cpu_addr)
		return -ENOMEM;
	ret = ntb_msi_line_new(msi, &line);
	if (ret)
		return ret;
	for_each_online_cpu(cpu)
		ntb_msi_measure_cpu(msi, line, cpu);
	ntb_msi_line_put(line);
	return 0;
}

/* What the bridge can do for all peers whose links are up, as one (offset, data) goes to all of them. */
struct limits {
	resource_size_t addr_align;
	resource_size_t size_align;
	resource_size_t size_max;
};

static int get_limits(struct ntb_dev *ntb, struct limits *out)
{
	resource_size_t addr_align, size_align, size_max;
	int peer, idx, ret, nr_up = 0;

	*out = (struct limits){ .addr_align = 1, .size_align = 1, .size_max = ~(resource_size_t)0 };
	for (peer = 0; peer < ntb_peer_port_count(ntb); peer++) {
		idx = ntb_peer_highest_mw_idx(ntb, peer);
		if (idx < 0)
			return idx;
		ret = ntb_mw_get_align(ntb, peer, idx, &addr_align, &size_align, &size_max);
		if (ret == -ENOTCONN)
			continue;
		if (ret)
			return ret;
		nr_up++;
		out->addr_align = max(out->addr_align, addr_align);
		out->size_align = max(out->size_align, size_align);
		out->size_max = min(out->size_max, size_max);
	}
	return nr_up ? 0 : -ENOTCONN;
}

/* The smallest window that shows [lo, hi]: a power of two, aligned to itself, which is what all bridges can do. */
static bool fit(const struct limits *limits, u64 lo, u64 hi, u64 *base, resource_size_t *size)
{
	resource_size_t first = 0, now;

	now = roundup_pow_of_two(max_t(u64, hi + MESSAGE_SIZE - lo, limits->size_align));
	for (; now && now <= limits->size_max; now <<= 1) {
		u64 start = lo & ~(u64)(max(now, limits->addr_align) - 1);

		if (start + now < hi + MESSAGE_SIZE)
			continue;
		if (first && now > first << EXTRA_ORDERS)
			break;
		if (!first || start < lo) {
			*base = start;
			*size = now;
		}
		if (start < lo)
			return true;
		if (!first)
			first = now;
	}
	return first != 0;
}

static void extend(u64 addr, u64 *lo, u64 *hi)
{
	*lo = min(*lo, addr);
	*hi = max(*hi, addr);
}

/* Addresses below @limit of fixed messages, or else of all CPUs; false if there is none. */
static bool address_range(struct ntb_msi *msi, u64 limit, u64 *lo, u64 *hi)
{
	unsigned int i;

	*lo = U64_MAX;
	*hi = 0;
	if (msi->fixed) {
		for (i = 0; i < msi->nr_lines; i++)
			if (ntb_msi_line_message(msi->lines[i], NULL) < limit)
				extend(ntb_msi_line_message(msi->lines[i], NULL), lo, hi);
	} else {
		for_each_possible_cpu(i)
			if (msi->cpu_addr[i] && msi->cpu_addr[i] < limit)
				extend(msi->cpu_addr[i], lo, hi);
	}
	return *lo <= *hi;
}

/**
 * ntb_msi_window_find() - where the peers' windows should be
 * @msi:  Device.
 * @base: OUT: its address.
 * @size: OUT: its size.
 *
 * If the bridge cannot show all CPUs, it shows as many as it can, and interrupts stay on those; fixed messages that it cannot
 * show are given to nobody.
 *
 * Context: Process context, ->lock is held.
 * Return: 0, or
 *         -ENOTCONN  the links to all peers are down, so nobody knows what the bridge can do
 *         -ERANGE    the bridge cannot show what is needed
 *         other      what ntb_mw_get_align() says
 */
int ntb_msi_window_find(struct ntb_msi *msi, u64 *base, resource_size_t *size)
{
	u64 lo, hi, limit = U64_MAX, first;
	resource_size_t len;
	struct limits limits;
	unsigned int i;
	int ret;

	lockdep_assert_held(&msi->lock);
	ret = get_limits(msi->ntb, &limits);
	if (ret)
		return ret;
	while (true) {
		if (!address_range(msi, limit, &lo, &hi))
			return -ERANGE;
		if (fit(&limits, lo, hi, &first, &len))
			break;
		limit = hi;
	}
	for (i = 0; i < msi->nr_lines; i++) {
		u64 addr = ntb_msi_line_message(msi->lines[i], NULL);

		if (msi->lines[i]->exposed && (addr < first || addr + MESSAGE_SIZE > first + len))
			return -ERANGE;
	}
	*base = first;
	*size = len;
	return 0;
}

/**
 * ntb_msi_window_choose() - find a window while none is open
 * @msi: Device; ->base and ->size are set on success.
 *
 * Context: Process context, ->lock is held.
 * Return: 0, or what ntb_msi_window_find() says.
 */
int ntb_msi_window_choose(struct ntb_msi *msi)
{
	return ntb_msi_window_find(msi, &msi->base, &msi->size);
}

/**
 * ntb_msi_window_offset() - what a peer has to be told to raise an interrupt
 * @msi:  Device.
 * @line: A line with a message.
 * @out:  OUT: offset into the peer's window, and data.
 *
 * Context: Process context, ->lock is held.
 * Return: 0, or -ENOSPC if the window does not show the message.
 */
int ntb_msi_window_offset(struct ntb_msi *msi, struct ntb_msi_line *line, struct ntb_msi_desc *out)
{
	u32 data;
	u64 addr = ntb_msi_line_message(line, &data);

	if (addr < msi->base || addr + MESSAGE_SIZE > msi->base + msi->size)
		return -ENOSPC;
	out->addr_offset = addr - msi->base;
	out->data = data;
	return 0;
}

/**
 * ntb_msi_allowed_cpus() - CPUs that an interrupt may go to
 * @msi: Device.
 * @out: OUT: those on line, not about to leave, and shown by the window.
 *
 * Context: Process context, ->lock is held.
 */
void ntb_msi_allowed_cpus(struct ntb_msi *msi, struct cpumask *out)
{
	unsigned int cpu;

	cpumask_andnot(out, cpu_online_mask, msi->leaving);
	if (msi->fixed)
		return;
	for_each_cpu(cpu, out) {
		u64 addr = msi->cpu_addr[cpu];

		if (!addr || addr < msi->base || addr + MESSAGE_SIZE > msi->base + msi->size)
			cpumask_clear_cpu(cpu, out);
	}
}
