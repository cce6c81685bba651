// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * NTB control block: the lock, the windows and the requester ids of a partition.
 *
 * The windows of partition p's host are set up by its peer, which writes into p's control block where in its own memory
 * they end. A host locks the block (partition_op 1), writes, and commits (2). The registers are storage until the commit,
 * which turns them into apertures; only that needs an exclusive section.
 *
 * A window may show memory only if the host that owns the memory asked for it. So each word of the block remembers who
 * wrote it last, and a window opens only if all words that define it were written by the host it ends in. Whatever another
 * host scribbles over can close a window, but neither move nor widen it.
 */
#include "hw/switchtec/switchtec.h"

#include <inttypes.h>
#include <string.h>

#include "base/bytes.h"
#include "base/log.h"
#include "base/trace.h"
#include "hw/bridge/port.h"
#include "hw/switchtec/handlers.h"

#define OP_LOCK	     1
#define OP_CONFIGURE 2
#define OP_RESET     3

#define CTL_VALID	    0x1U
#define CTL_DIRECT	    0x10U
#define CTL_LUT		    0x20U
#define CTL_LUT_SHIFT(ctl)  ((ctl) >> 8 & 0x3f)
#define CTL_LUT_COUNT(ctl)  (((ctl) >> 14 & 0x1ff) + 1)
#define WIN_SIZE_MASK	    0xfffff000U
#define WIN_SIZE_LOG2(size) ((size)&0xfffU)
#define XLATE_PART(xlate)   ((unsigned int)((xlate)&0xfff))
#define XLATE_ADDR(xlate)   ((xlate) & ~0xfffULL)
#define LUT_ENABLED	    0x1ULL
#define LUT_PART(entry)	    ((unsigned int)((entry) >> 1 & 0x3f))
#define LUT_ERROR_VALID	    0x80000000U
#define MIN_LUT_SHIFT	    12

/* Values of an opener besides a port number, and a flag. */
#define OPENER_NONE	0x7f /* nobody: the word has its reset value */
#define OPENER_MIXED	0x7e /* several hosts, a few bytes each */
#define OPENER_REPORTED 0x80 /* an entry that starts here was logged as wrong since its last write */

/**
 * struct op_args - what the exclusive half of a partition_op needs
 * @port: Port that asks.
 * @part: Partition of the control block.
 * @op:   Operation.
 */
struct op_args {
	struct ontb_port *port;
	unsigned int part;
	uint32_t op;
};

/**
 * struct commit - a commit under way
 * @sw:        Switch.
 * @committer: Port that asked for it.
 * @owner:     Port whose windows they are.
 * @bar_error: BARs with a window that could not be opened.
 * @lut_error: First LUT entry that could not be opened, with LUT_ERROR_VALID.
 */
struct commit {
	struct ontb_switchtec *sw;
	struct ontb_port *committer;
	struct ontb_port *owner;
	uint32_t bar_error;
	uint32_t lut_error;
};

static bool is_window_bar(unsigned int bar_idx)
{
	return bar_idx == ONTB_SW_BAR_LUT || bar_idx == ONTB_SW_BAR_DIRECT;
}

static void trace_lock(const struct ontb_port *port, unsigned int part, const char *name)
{
	ontb_trace_emit(port->bridge->trace, &(struct ontb_trace_event){
						     .category = "lock",
						     .name = name,
						     .port_idx = port->idx,
						     .args = { { .key = "partition", .num = part } },
					     });
}

/* Construction, operation 3 */
static void reset_block(struct ontb_switchtec *sw, unsigned int part)
{
	uint32_t base = ontb_sw_ctrl(part);

	ontb_sw_reset_block(sw, ONTB_SW_BLOCK_CTRL, part);
	ontb_sw_put32(sw, base + ONTB_SW_CTRL_LUT_ENTRIES,
		      ontb_sw_get32(sw, base + ONTB_SW_CTRL_LUT_ENTRIES) | sw->config.nr_luts);
	ontb_sw_put32(sw, base + ONTB_SW_CTRL_REQ_ID_SIZE,
		      ontb_sw_get32(sw, base + ONTB_SW_CTRL_REQ_ID_SIZE) | sw->config.nr_req_ids);
	ontb_sw_put32(sw, base + ONTB_SW_CTRL_BAR_CTL(ONTB_SW_BAR_LUT), CTL_VALID);
	ontb_sw_put32(sw, base + ONTB_SW_CTRL_BAR_CTL(ONTB_SW_BAR_DIRECT), CTL_VALID);
	memset(sw->parts[part].openers, OPENER_NONE, sizeof(sw->parts[part].openers));
}

void ontb_sw_control_init(struct ontb_switchtec *sw, unsigned int part)
{
	ontb_lock_init(&sw->parts[part].ctrl_lock);
	ontb_partlock_init(&sw->parts[part].partlock);
	reset_block(sw, part);
}

static bool is_opened_by(const struct commit *commit, uint32_t offset, unsigned int len, unsigned int port_idx)
{
	const uint8_t *openers = commit->sw->parts[commit->owner->idx].openers;

	for (unsigned int i = 0; i < len; i += 4) {
		if ((openers[(offset + i) / 4] & ~OPENER_REPORTED) != port_idx)
			return false;
	}
	return true;
}

/* The size's upper half is 0 unless somebody writes it, so nobody needs to have written it. */
static bool is_opened_or_untouched(const struct commit *commit, uint32_t offset, unsigned int port_idx)
{
	return is_opened_by(commit, offset, 4, port_idx) || is_opened_by(commit, offset, 4, OPENER_NONE);
}

static void report(struct commit *commit, uint32_t offset, const char *what, unsigned int idx, const char *why)
{
	uint8_t *opener = &commit->sw->parts[commit->owner->idx].openers[offset / 4];

	if (*opener & OPENER_REPORTED)
		return;
	*opener |= OPENER_REPORTED;
	ontb_port_fault(commit->committer, "ctrl[%u].%s[%u] stays closed: %s", commit->owner->idx, what, idx, why);
}

static struct ontb_port *find_target(const struct commit *commit, unsigned int part)
{
	return part < commit->sw->bridge.nr_ports ? &commit->sw->bridge.ports[part] : NULL;
}

static void commit_lut(struct commit *commit, unsigned int bar_idx, unsigned int lut_idx, unsigned int shift)
{
	uint32_t base = ontb_sw_ctrl(commit->owner->idx), offset = ONTB_SW_CTRL_LUT(lut_idx);
	uint64_t entry = ontb_sw_get64(commit->sw, base + offset);
	struct ontb_bar *bar = &commit->owner->bars[bar_idx];
	unsigned int target = LUT_PART(entry);
	const char *why = NULL;

	if (!(entry & LUT_ENABLED))
		return;
	if (!is_opened_by(commit, offset, 8, target) || !is_opened_by(commit, ONTB_SW_CTRL_BAR_CTL(bar_idx), 4, target))
		why = "not written by the host that it shows";
	else if (!ontb_aperture_open(commit->owner, bar, &bar->apertures[ONTB_SW_AP_LUT], lut_idx,
				     find_target(commit, target), entry & ~((1ULL << shift) - 1), 1ULL << shift, &why))
		return;
	if (!commit->lut_error)
		commit->lut_error = LUT_ERROR_VALID | lut_idx;
	report(commit, offset, "lut", lut_idx, why);
}

/* Returns where the direct window may start, or the size of the BAR if it has no room. */
static uint64_t commit_lut_area(struct commit *commit, unsigned int bar_idx, uint32_t ctl)
{
	struct ontb_bar *bar = &commit->owner->bars[bar_idx];
	struct ontb_aperture *ap = &bar->apertures[ONTB_SW_AP_LUT];
	unsigned int shift = CTL_LUT_SHIFT(ctl), count = CTL_LUT_COUNT(ctl);

	if (!(ctl & CTL_LUT)) {
		(void)ontb_aperture_place(bar, ap, 0, 0, 0);
		return 0;
	}
	if (shift < MIN_LUT_SHIFT || shift >= ONTB_APERTURE_WHOLE || ontb_aperture_place(bar, ap, 0, shift, count)) {
		(void)ontb_aperture_place(bar, ap, 0, 0, 0);
		commit->bar_error |= 1U << bar_idx;
		report(commit, ONTB_SW_CTRL_BAR_CTL(bar_idx), "bar", bar_idx, "its LUT windows do not fit");
		return bar->size;
	}
	for (unsigned int i = 0; i < count; i++)
		commit_lut(commit, bar_idx, i, shift);
	return (uint64_t)count << shift;
}

static const char *direct_error(const struct commit *commit, unsigned int bar_idx, uint32_t win_size, uint64_t size,
				unsigned int target)
{
	if (size && WIN_SIZE_LOG2(win_size) != ontb_log2(size))
		return "its size and the logarithm of its size differ";
	if (!is_opened_by(commit, ONTB_SW_CTRL_BAR_CTL(bar_idx), 8, target) ||
	    !is_opened_by(commit, ONTB_SW_CTRL_BAR_XLATE(bar_idx), 8, target) ||
	    !is_opened_or_untouched(commit, ONTB_SW_CTRL_BAR_EXT(bar_idx), target))
		return "not written by the host that it shows";
	return NULL;
}

static void commit_direct(struct commit *commit, unsigned int bar_idx, uint32_t ctl, uint64_t start)
{
	uint32_t base = ontb_sw_ctrl(commit->owner->idx);
	uint32_t win_size = ontb_sw_get32(commit->sw, base + ONTB_SW_CTRL_BAR_SIZE(bar_idx));
	uint64_t xlate = ontb_sw_get64(commit->sw, base + ONTB_SW_CTRL_BAR_XLATE(bar_idx));
	uint64_t size = (uint64_t)ontb_sw_get32(commit->sw, base + ONTB_SW_CTRL_BAR_EXT(bar_idx)) << 32;
	struct ontb_bar *bar = &commit->owner->bars[bar_idx];
	struct ontb_aperture *ap = &bar->apertures[ONTB_SW_AP_DIRECT];
	const char *why;

	size |= win_size & WIN_SIZE_MASK;
	(void)ontb_aperture_place(bar, ap, 0, 0, 0);
	if (!(ctl & CTL_DIRECT))
		return;
	why = direct_error(commit, bar_idx, win_size, size, XLATE_PART(xlate));
	if (!why && ontb_aperture_place(bar, ap, start, ONTB_APERTURE_WHOLE, 1))
		why = "the LUT windows leave no room for it";
	if (!why && !ontb_aperture_open(commit->owner, bar, ap, 0, find_target(commit, XLATE_PART(xlate)),
					XLATE_ADDR(xlate), size, &why))
		return;
	commit->bar_error |= 1U << bar_idx;
	report(commit, ONTB_SW_CTRL_BAR_XLATE(bar_idx), "bar", bar_idx, why);
}

/* Turns a control block into apertures. Exclusive section. */
static void commit_block(struct ontb_switchtec *sw, unsigned int part, struct ontb_port *committer)
{
	struct commit commit = { .sw = sw, .committer = committer, .owner = &sw->bridge.ports[part] };
	uint32_t base = ontb_sw_ctrl(part);

	for (unsigned int b = 0; b < ONTB_NR_BARS; b++) {
		uint32_t ctl = ontb_sw_get32(sw, base + ONTB_SW_CTRL_BAR_CTL(b));

		if (is_window_bar(b))
			commit_direct(&commit, b, ctl, commit_lut_area(&commit, b, ctl));
	}
	ontb_sw_put32(sw, base + ONTB_SW_CTRL_BAR_ERROR, commit.bar_error);
	ontb_sw_put32(sw, base + ONTB_SW_CTRL_LUT_ERROR, commit.lut_error);
}

uint64_t ontb_sw_read_part_status(const struct ontb_sw_access *access)
{
	struct ontb_sw_part *part = &access->sw->parts[access->copy];
	enum ontb_part_status status;

	ontb_lock(&part->ctrl_lock);
	status = ontb_partlock_view(&part->partlock, access->port->idx);
	ontb_unlock(&part->ctrl_lock);
	return status;
}

static void refuse(struct ontb_port *port, struct ontb_partlock *lock, unsigned int part, const char *what)
{
	ontb_partlock_refuse(lock, port->idx);
	ontb_count(&port->counters.unsupported, 1);
	ontb_port_fault(port, "%s refused: port %u has ctrl[%u] locked", what, lock->owner, part);
}

static void lock_block(const struct ontb_sw_access *access)
{
	struct ontb_sw_part *part = &access->sw->parts[access->copy];
	bool is_mine;

	ontb_lock(&part->ctrl_lock);
	is_mine = ontb_partlock_request(&part->partlock, access->port->idx);
	ontb_unlock(&part->ctrl_lock);
	if (ontb_unlikely(access->sw->bridge.trace))
		trace_lock(access->port, access->copy, is_mine ? "locked" : "waits for lock");
}

static void finish_op_exclusive(void *arg)
{
	const struct op_args *args = arg;
	struct ontb_port *port = args->port;
	struct ontb_switchtec *sw = ontb_sw_of(port);
	struct ontb_partlock *lock = &sw->parts[args->part].partlock;
	bool is_reset = args->op == OP_RESET;

	if (!ontb_partlock_allows(lock, port->idx)) {
		/* A driver that gives up waiting writes a reset; the block is the owner's business then. */
		if (is_reset && ontb_partlock_view(lock, port->idx) == ONTB_PART_LOCKING)
			ontb_partlock_drop(lock, port->idx);
		else
			refuse(port, lock, args->part, is_reset ? "reset of the block" : "commit");
		return;
	}
	if (is_reset)
		reset_block(sw, args->part);
	commit_block(sw, args->part, port);
	ontb_partlock_drop(lock, port->idx);
	if (ontb_unlikely(sw->bridge.trace))
		trace_lock(port, args->part, is_reset ? "block reset" : "committed");
}

void ontb_sw_write_part_op(const struct ontb_sw_access *access, uint64_t value, uint64_t mask)
{
	struct op_args args = { .port = access->port, .part = access->copy, .op = (uint32_t)value };

	/* Bytes that do not include the operation itself start nothing. */
	if (!(mask & 0xff))
		return;
	switch (args.op) {
	case OP_LOCK:
		lock_block(access);
		break;
	case OP_CONFIGURE:
	case OP_RESET:
		ontb_port_exclusive(access->port, finish_op_exclusive, &args);
		break;
	default:
		ontb_port_fault(access->port, "ctrl[%u].partition_op 0x%x: no such operation", access->copy, args.op);
		break;
	}
}

static uint8_t next_opener(uint8_t old, unsigned int writer, bool is_whole)
{
	old &= (uint8_t)~OPENER_REPORTED;
	if (is_whole || old == writer || old == OPENER_NONE)
		return (uint8_t)writer;
	return OPENER_MIXED;
}

static void store(const struct ontb_sw_access *access, uint64_t value, uint64_t mask)
{
	struct ontb_sw_part *part = &access->sw->parts[access->copy];
	uint8_t *openers = part->openers + (access->offset - ontb_sw_ctrl(access->copy)) / 4;

	ontb_lock(&part->ctrl_lock);
	if (!ontb_partlock_allows(&part->partlock, access->port->idx)) {
		refuse(access->port, &part->partlock, access->copy, "write to the control block");
		goto unlock;
	}
	for (unsigned int i = 0; i < (access->reg->width == 8 ? 2 : 1); i++) {
		uint32_t word_mask = (uint32_t)(mask >> (32 * i));

		if (word_mask)
			openers[i] = next_opener(openers[i], access->port->idx, word_mask == UINT32_MAX);
	}
	ontb_sw_put(access, value, mask);
unlock:
	ontb_unlock(&part->ctrl_lock);
}

void ontb_sw_write_setup(const struct ontb_sw_access *access, uint64_t value, uint64_t mask)
{
	store(access, value, mask);
}

void ontb_sw_write_bar_entry(const struct ontb_sw_access *access, uint64_t value, uint64_t mask)
{
	if (!is_window_bar(access->idx))
		return;
	/* "valid" says that the BAR has windows; the rest of the register is the host's. */
	if (access->offset - ontb_sw_ctrl(access->copy) == ONTB_SW_CTRL_BAR_CTL(access->idx))
		value |= CTL_VALID;
	store(access, value, mask);
}

void ontb_sw_write_lut(const struct ontb_sw_access *access, uint64_t value, uint64_t mask)
{
	if (access->idx < access->sw->config.nr_luts)
		store(access, value, mask);
}

/*
 * The switch answers with the proxy id under which the requester appears on the other side: here simply the index. The
 * host gives the requester id (bits 31:16) and the enable bit.
 */
void ontb_sw_write_req_id(const struct ontb_sw_access *access, uint64_t value, uint64_t mask)
{
	uint64_t proxy = (uint64_t)(access->idx & 0xff) << 1;

	if (access->idx < access->sw->config.nr_req_ids)
		store(access, (value & 0xffff0001) | proxy, mask);
}

/* Words that a host wrote go back to their reset values, which are zero except for the valid bits. */
static void undo_writes(struct ontb_switchtec *sw, unsigned int part, unsigned int port_idx)
{
	uint8_t *openers = sw->parts[part].openers;
	uint32_t base = ontb_sw_ctrl(part);

	for (unsigned int w = 0; w < ONTB_SW_CTRL_SIZE / 4; w++) {
		uint8_t opener = openers[w] & (uint8_t)~OPENER_REPORTED;
		bool has_valid_bit = w == ONTB_SW_CTRL_BAR_CTL(ONTB_SW_BAR_LUT) / 4 ||
				     w == ONTB_SW_CTRL_BAR_CTL(ONTB_SW_BAR_DIRECT) / 4;

		if (opener != port_idx && opener != OPENER_MIXED)
			continue;
		ontb_sw_put32(sw, base + 4 * w, has_valid_bit ? CTL_VALID : 0);
		openers[w] = OPENER_NONE;
	}
}

/*
 * The windows into the host are closed already. This is no commit: what its peer has written but not committed must not
 * act now.
 */
void ontb_sw_control_host_lost(struct ontb_port *port)
{
	struct ontb_switchtec *sw = ontb_sw_of(port);
	unsigned int pair[] = { port->idx, port->peer_idx };

	for (unsigned int i = 0; i < ONTB_ARRAY_SIZE(pair); i++) {
		ontb_partlock_drop(&sw->parts[pair[i]].partlock, port->idx);
		undo_writes(sw, pair[i], port->idx);
	}
}
