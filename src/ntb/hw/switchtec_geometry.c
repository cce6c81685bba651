// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Who is who and which windows there are. What the registers say is checked here, and nowhere else is it read again.
 */
#include <errno.h>
#include <inttypes.h>

#include "base/bytes.h"
#include "ntb/hw/switchtec.h"

static int complain(const struct ontb_swtec *sw, int err, const char *what, uint64_t value)
{
	ontb_log(ONTB_LOG_ERROR, "%s: switchtec: %s: 0x%" PRIx64, ontb_pci_name(sw->dev), what, value);
	return err;
}

/* Two halves, because not all of these registers are aligned to 8. */
static uint64_t read_pair(const struct ontb_swtec *sw, uint32_t offset)
{
	return ontb_swtec_read32(sw, offset) | (uint64_t)ontb_swtec_read32(sw, offset + 4) << 32;
}

static int find_peer(struct ontb_swtec *sw)
{
	unsigned int count = ontb_pci_bar_read8(sw->dev, 0, ONTB_SWTEC_NTBINFO + ONTB_SWTEC_NTBINFO_COUNT);
	unsigned int self = ontb_pci_bar_read8(sw->dev, 0, ONTB_SWTEC_NTBINFO + ONTB_SWTEC_NTBINFO_ID);
	uint64_t map = read_pair(sw, ONTB_SWTEC_NTBINFO + ONTB_SWTEC_NTBINFO_MAP), peers;

	if (self >= ONTB_SWTEC_MAX_PARTS || !(map >> self & 1))
		return complain(sw, -EPROTO, "no such partition as its own number", self);
	peers = map & read_pair(sw, ONTB_SWTEC_NTBINFO + ONTB_SWTEC_NTBINFO_TARGET(self));
	if (!peers) {
		/* A switch with two partitions need not say which is the other one. */
		if (count != 2)
			return complain(sw, -EOPNOTSUPP, "no target, and not two partitions", count);
		peers = map & ~(1ULL << self);
	}
	if (!peers || peers & (peers - 1))
		return complain(sw, -EOPNOTSUPP, "not exactly one peer", peers);
	sw->self = self;
	sw->peer = (unsigned int)__builtin_ctzll(peers);
	if (sw->peer == self || sw->peer >= ONTB_SWTEC_MAX_PARTS)
		return complain(sw, -EPROTO, "no such peer", sw->peer);
	if (ontb_pci_bar_read8(sw->dev, 0, ONTB_SWTEC_NTBINFO + ONTB_SWTEC_NTBINFO_XLINK(sw->peer)))
		return complain(sw, -EOPNOTSUPP, "the peer is behind a crosslink", sw->peer);
	return 0;
}

static int find_windows(const struct ontb_swtec *sw, unsigned int part, struct ontb_swtec_windows *windows)
{
	uint32_t ctrl = ONTB_SWTEC_CTRL(part);
	unsigned int nr_luts = ontb_pci_bar_read16(sw->dev, 0, ctrl + ONTB_SWTEC_CTRL_NR_LUTS);

	if (!nr_luts || nr_luts > ONTB_SWTEC_MAX_LUTS)
		return complain(sw, -EPROTO, "bad number of entries of the look-up table", nr_luts);
	windows->nr_luts = 1U << ontb_log2(nr_luts);
	windows->nr_direct = 0;
	for (unsigned int b = 0; b < ONTB_SWTEC_NR_BARS; b++) {
		if (ontb_swtec_read32(sw, ctrl + ONTB_SWTEC_CTRL_BAR_CTL(b)) & ONTB_SWTEC_CTL_VALID)
			windows->direct_bar[windows->nr_direct++] = b;
	}
	return windows->nr_direct ? 0 : complain(sw, -EPROTO, "no BAR with windows in partition", part);
}

static unsigned int count_windows(const struct ontb_swtec_windows *windows)
{
	return windows->nr_direct + windows->nr_luts - 1;
}

/* The first BAR has the table's windows, then a direct one. Linux tells the peer of as much as the table has. */
static int place_direct(struct ontb_swtec *sw, unsigned int idx)
{
	uint64_t luts = idx ? 0 : ONTB_SWTEC_LUT_SIZE * sw->own.nr_luts;
	unsigned int b = sw->own.direct_bar[idx];
	struct ontb_pci_bar bar;

	if (!b || ontb_pci_bar(sw->dev, b, &bar))
		return complain(sw, -EPROTO, "windows in a BAR that is not there", b);
	if (bar.size < ONTB_SWTEC_MIN_WINDOW || bar.size <= luts)
		return complain(sw, -EPROTO, "no room for a window in a BAR of size", bar.size);
	sw->outbound[idx] = (struct ontb_swtec_outbound){ .bar = b, .offset = luts, .size = bar.size - luts };
	if (luts && sw->outbound[idx].size > luts)
		sw->outbound[idx].size = luts;
	return 0;
}

static int place_windows(struct ontb_swtec *sw)
{
	unsigned int nr_own = count_windows(&sw->own), nr_theirs = count_windows(&sw->theirs);

	sw->nr_windows = nr_own < nr_theirs ? nr_own : nr_theirs;
	if (sw->nr_windows > ONTB_NTB_MAX_WINDOWS)
		sw->nr_windows = ONTB_NTB_MAX_WINDOWS;
	for (unsigned int i = 0; i < sw->own.nr_direct; i++) {
		int ret = place_direct(sw, i);

		if (ret)
			return ret;
	}
	for (unsigned int i = sw->own.nr_direct; i < sw->nr_windows; i++) {
		sw->outbound[i] = (struct ontb_swtec_outbound){
			.bar = sw->own.direct_bar[0],
			.offset = ONTB_SWTEC_LUT_SIZE * (i - sw->own.nr_direct + 1),
			.size = ONTB_SWTEC_LUT_SIZE,
		};
	}
	return 0;
}

/* Which interrupts Linux takes: the event's is given, the others are the lowest that are left. */
static int find_entries(struct ontb_swtec *sw)
{
	unsigned int nr = ontb_pci_msix_size(sw->dev), next = 0;
	unsigned int event =
		ontb_pci_bar_read16(sw->dev, 0, ONTB_SWTEC_PARTCFG(sw->self) + ONTB_SWTEC_PARTCFG_VEP_VECTOR);

	if (nr < ONTB_SWTEC_NR_IRQS)
		return complain(sw, -ENOSPC, "too few entries in the MSI-X table", nr);
	if (event >= nr)
		return complain(sw, -EPROTO, "the event vector is outside the MSI-X table", event);
	sw->entries[ONTB_SWTEC_IRQ_EVENT] = event;
	for (unsigned int i = ONTB_SWTEC_IRQ_DOORBELL; i < ONTB_SWTEC_NR_IRQS; i++) {
		if (next == event)
			next++;
		sw->entries[i] = next++;
	}
	return 0;
}

static int find_pff(struct ontb_swtec *sw, uint64_t bar_size)
{
	sw->peer_pff = ontb_swtec_read32(sw, ONTB_SWTEC_PARTCFG(sw->peer) + ONTB_SWTEC_PARTCFG_VEP_PFF) & 0xff;
	if (sw->peer_pff >= ONTB_SWTEC_MAX_PFFS || ONTB_SWTEC_PFF(sw->peer_pff + 1) > bar_size)
		return complain(sw, -EPROTO, "no such endpoint of the peer", sw->peer_pff);
	return 0;
}

int ontb_swtec_find_out(struct ontb_swtec *sw)
{
	struct ontb_pci_bar bar;
	int ret;

	if (ontb_pci_bar(sw->dev, 0, &bar) || bar.size < ONTB_SWTEC_PFF(0))
		return complain(sw, -EPROTO, "BAR0 has not all registers, its size is", bar.size);
	ret = find_peer(sw);
	if (!ret)
		ret = find_windows(sw, sw->self, &sw->own);
	if (!ret)
		ret = find_windows(sw, sw->peer, &sw->theirs);
	if (!ret)
		ret = place_windows(sw);
	if (!ret)
		ret = find_entries(sw);
	if (!ret)
		ret = find_pff(sw, bar.size);
	return ret;
}

/*
 * What the peer writes arrives under proxy ids that the switch chose: function numbers on this function's bus. A table entry
 * that nobody has used says nothing yet.
 */
void ontb_swtec_add_aliases(struct ontb_swtec *sw)
{
	uint32_t ctrl = ONTB_SWTEC_CTRL(sw->peer);
	unsigned int nr = ontb_pci_bar_read16(sw->dev, 0, ctrl + ONTB_SWTEC_CTRL_NR_REQ_IDS);

	for (unsigned int i = 0; i < nr && i < ONTB_SWTEC_MAX_REQ_IDS; i++) {
		uint32_t entry = ontb_swtec_read32(sw, ctrl + ONTB_SWTEC_CTRL_REQ_ID(i));
		uint16_t rid = (uint16_t)((ontb_pci_rid(sw->dev) & 0xff00) | (entry >> 1 & 0xff));
		int ret;

		if (!entry || entry == UINT32_MAX)
			continue;
		ret = ontb_pci_add_rid_alias(sw->dev, rid);
		if (!ret)
			continue;
		ontb_log(ONTB_LOG_WARNING,
			 "%s: switchtec: messages of the peer under requester id %04x may be blocked: %s",
			 ontb_pci_name(sw->dev), rid, ret == -ENOSPC ? "too many ids" : "too late");
		return;
	}
}
