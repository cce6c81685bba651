// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Windows.
 *
 * The path of an access that one window answers takes no lock, allocates nothing and logs nothing. Everything else (an
 * access over several windows, a closed one, a host that is not there) may cost more.
 */
#include "hw/bridge/window.h"

#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/probe.h"
#include "base/trace.h"
#include "hw/bridge/bridge.h"
#include "hw/bridge/port.h"

/**
 * struct answer - what is at an offset of a BAR
 * @target: Port that answers, NULL if none.
 * @addr:   Address in its host.
 * @len:    Bytes from the offset on that have this same answer, at least 1.
 * @slot:   Slot, for log lines.
 */
struct answer {
	struct ontb_port *target;
	uint64_t addr;
	uint64_t len;
	uint64_t slot;
};

/**
 * struct piece - one of the reads into which a read over several windows is cut
 * @read:   What the target gets.
 * @gather: The whole.
 */
struct piece {
	struct ontb_read read;
	struct gather *gather;
};

/**
 * struct gather - a read over several windows
 * @whole:   The reader's.
 * @nr_left: Pieces under way, plus one while pieces are still being issued.
 * @pieces:  Pieces.
 */
struct gather {
	struct ontb_read *whole;
	_Atomic size_t nr_left;
	struct piece pieces[];
};

int ontb_aperture_init(struct ontb_aperture *ap, unsigned int max_slots, bool is_lut)
{
	struct ontb_window *slots;

	slots = calloc(max_slots, sizeof(*slots));
	if (!slots)
		return -ENOMEM;
	*ap = (struct ontb_aperture){ .max_slots = max_slots, .is_lut = is_lut, .slots = slots };
	return 0;
}

void ontb_aperture_fini(struct ontb_aperture *ap)
{
	free(ap->slots);
	ap->slots = NULL;
}

int ontb_aperture_place(const struct ontb_bar *bar, struct ontb_aperture *ap, uint64_t start, unsigned int shift,
			uint64_t nr_slots)
{
	bool is_whole = shift == ONTB_APERTURE_WHOLE;

	memset(ap->slots, 0, ap->max_slots * sizeof(*ap->slots));
	ap->nr_slots = 0;
	if (!nr_slots)
		return 0;
	if (nr_slots > ap->max_slots || start >= bar->size || (is_whole && nr_slots != 1))
		return -ERANGE;
	if (!is_whole && (shift > ONTB_APERTURE_WHOLE || nr_slots > (bar->size - start) >> shift))
		return -ERANGE;
	ap->start = start;
	ap->shift = shift;
	ap->nr_slots = nr_slots;
	return 0;
}

static const char *slot_error(const struct ontb_port *port, const struct ontb_bar *bar, const struct ontb_aperture *ap,
			      uint64_t slot_idx, const struct ontb_port *target, uint64_t addr, uint64_t size)
{
	uint64_t room;

	if (slot_idx >= ap->nr_slots)
		return "the aperture has no such slot";
	if (!target)
		return "there is no such target port";
	if (target == port)
		return "the target is the port itself";
	if (!ontb_port_is_attached(target))
		return "no host is attached to the target port";
	room = ap->shift == ONTB_APERTURE_WHOLE ? bar->size - ap->start : 1ULL << ap->shift;
	if (!size || size > room)
		return "the size does not fit into the BAR";
	if (addr + (size - 1) < addr)
		return "the end is beyond the address space";
	return NULL;
}

int ontb_aperture_open(struct ontb_port *port, const struct ontb_bar *bar, struct ontb_aperture *ap, uint64_t slot_idx,
		       struct ontb_port *target, uint64_t addr, uint64_t size, const char **why)
{
	const char *error = slot_error(port, bar, ap, slot_idx, target, addr, size);

	if (error) {
		if (slot_idx < ap->nr_slots)
			ap->slots[slot_idx] = (struct ontb_window){ 0 };
		*why = error;
		return -EINVAL;
	}
	ap->slots[slot_idx] = (struct ontb_window){ .size = size, .addr = addr, .target = target };
	return 0;
}

unsigned int ontb_windows_close_into(struct ontb_port *port, const struct ontb_port *target)
{
	unsigned int nr_closed = 0;

	for (unsigned int b = 0; b < ONTB_NR_BARS; b++) {
		struct ontb_bar *bar = &port->bars[b];

		for (unsigned int a = 0; a < bar->nr_apertures; a++) {
			struct ontb_aperture *ap = &bar->apertures[a];

			for (uint64_t s = 0; s < ap->nr_slots; s++) {
				if (!ap->slots[s].size || ap->slots[s].target != target)
					continue;
				ap->slots[s] = (struct ontb_window){ 0 };
				nr_closed++;
			}
		}
	}
	return nr_closed;
}

unsigned int ontb_windows_list(const struct ontb_port *port, struct ontb_window_status *windows, size_t max)
{
	unsigned int nr_open = 0;

	for (unsigned int b = 0; b < ONTB_NR_BARS; b++) {
		const struct ontb_bar *bar = &port->bars[b];

		for (unsigned int a = 0; a < bar->nr_apertures; a++) {
			const struct ontb_aperture *ap = &bar->apertures[a];

			for (uint64_t s = 0; s < ap->nr_slots; s++) {
				const struct ontb_window *window = &ap->slots[s];

				if (!window->size)
					continue;
				if (nr_open < max) {
					windows[nr_open] = (struct ontb_window_status){
						.bar = b,
						.offset = ap->start + (ap->nr_slots > 1 ? s << ap->shift : 0),
						.size = window->size,
						.target = window->target->idx,
						.addr = window->addr,
						.is_lut = ap->is_lut,
					};
				}
				nr_open++;
			}
		}
	}
	return nr_open;
}

/*
 * Bytes from @offset to the next place where the answer may change, when no aperture covers @offset.
 */
static uint64_t gap_len(const struct ontb_bar *bar, uint64_t offset)
{
	uint64_t end = bar->size;

	for (unsigned int a = 0; a < bar->nr_apertures; a++) {
		const struct ontb_aperture *ap = &bar->apertures[a];

		if (ap->nr_slots && ap->start > offset && ap->start < end)
			end = ap->start;
	}
	return end - offset;
}

/*
 * An offset below an aperture wraps round to a slot number that no aperture has, because no BAR reaches 2^63.
 */
static inline void translate(const struct ontb_bar *bar, uint64_t offset, struct answer *answer)
{
	for (unsigned int a = 0; a < bar->nr_apertures; a++) {
		const struct ontb_aperture *ap = &bar->apertures[a];
		uint64_t rel = offset - ap->start, slot = rel >> ap->shift, in_slot, slot_size;
		const struct ontb_window *window;

		if (slot >= ap->nr_slots)
			continue;
		window = &ap->slots[slot];
		in_slot = rel & ((1ULL << ap->shift) - 1);
		answer->slot = slot;
		if (ontb_likely(in_slot < window->size)) {
			answer->target = window->target;
			answer->addr = window->addr + in_slot;
			answer->len = window->size - in_slot;
			return;
		}
		slot_size = 1ULL << ap->shift;
		answer->target = NULL;
		answer->len = slot_size - in_slot;
		return;
	}
	answer->target = NULL;
	answer->slot = 0;
	answer->len = gap_len(bar, offset);
}

static void fault(struct ontb_port *port, const char *verb, unsigned int bar_idx, uint64_t offset, size_t len,
		  const struct answer *answer, int err)
{
	if (!answer->target) {
		ontb_count(&port->counters.unsupported, 1);
		ontb_port_fault(port,
				"%s of %zu bytes at BAR%u offset 0x%" PRIx64 ": no open window there (slot %" PRIu64
				")",
				verb, len, bar_idx, offset, answer->slot);
		return;
	}
	if (err == -EACCES) {
		atomic_fetch_add_explicit(&answer->target->nr_gated, 1, memory_order_relaxed);
	} else if (err == -EPERM) {
		atomic_fetch_add_explicit(&answer->target->nr_blocked, 1, memory_order_relaxed);
	} else if (err == -ENOBUFS) {
		ontb_count(&port->counters.dropped, 1);
	} else {
		ontb_count(&port->counters.unsupported, 1);
	}
	ontb_port_fault(port, "%s of %zu bytes at BAR%u offset 0x%" PRIx64 " -> port %u address 0x%" PRIx64 ": %s",
			verb, len, bar_idx, offset, answer->target->idx, answer->addr,
			err == -EACCES	  ? "bus mastering of that port is off"
			: err == -EPERM	  ? "the guard of that port has no such message"
			: err == -EFAULT  ? "no memory of that host there"
			: err == -EDEADLK ? "waiting would close a circle of waiting hosts"
			: err == -ENOBUFS ? "too much under way towards that host"
					  : "refused by that host");
}

static void trace_window(const struct ontb_port *port, const char *name, unsigned int bar_idx, uint64_t offset,
			 const void *buf, size_t len, const struct answer *answer)
{
	struct ontb_trace_event event = {
		.category = "window",
		.name = name,
		.port_idx = port->idx,
		.args = {
			{ .key = "bar", .num = bar_idx },
			{ .key = "offset", .num = offset, .hex = true },
			{ .key = "len", .num = len },
			{ .key = "target", .text = answer->target ? NULL : "none",
			  .num = answer->target ? answer->target->idx : 0 },
			{ .key = "addr", .num = answer->target ? answer->addr : 0, .hex = true },
		},
	};

	ontb_trace_set_value(&event.args[5], buf, len);
	ontb_trace_emit(port->bridge->trace, &event);
}

static inline int write_target(const struct ontb_port *port, const struct answer *answer, const void *buf, size_t len)
{
	struct ontb_port *target = answer->target;

	if (ontb_unlikely(!atomic_load_explicit(&target->bus_master, memory_order_acquire)))
		return -EACCES;
	if (ontb_unlikely(ontb_guard_blocks(&target->guard, answer->addr, buf, len)))
		return -EPERM;
	return target->host_ops->mem_write(target->host, port->idx, answer->addr, buf, len);
}

void ontb_window_write(struct ontb_port *port, unsigned int bar_idx, uint64_t offset, const void *buf, size_t len)
{
	const struct ontb_bar *bar = &port->bars[bar_idx];
	const uint8_t *src = buf;

	while (len) {
		struct answer answer;
		size_t n;
		int err;

		translate(bar, offset, &answer);
		n = answer.len < len ? (size_t)answer.len : len;
		err = answer.target ? write_target(port, &answer, src, n) : -EFAULT;
		if (ontb_likely(!err)) {
			ontb_count(&port->counters.window_writes, 1);
			ontb_count(&port->counters.window_bytes, n);
			ONTB_PROBE5(window_write, port->idx, answer.target->idx, offset, answer.addr, n);
		} else {
			fault(port, "write", bar_idx, offset, n, &answer, err);
		}
		if (ontb_unlikely(port->bridge->trace))
			trace_window(port, err ? "window write refused" : "window write", bar_idx, offset, src, n,
				     &answer);
		offset += n;
		src += n;
		len -= n;
	}
}

/*
 * A read that nothing answers is complete: its bytes are all ones. One that is under way belongs to whoever completes it,
 * perhaps already another thread.
 */
static int read_piece(struct ontb_port *port, unsigned int bar_idx, uint64_t offset, const struct answer *answer,
		      struct ontb_read *read)
{
	struct ontb_port *target = answer->target;
	size_t len = read->len;
	int err;

	if (!target)
		err = -EFAULT;
	else if (!atomic_load_explicit(&target->bus_master, memory_order_acquire))
		err = -EACCES;
	else
		err = target->host_ops->mem_read(target->host, answer->addr, read);
	if (!err || err == -EINPROGRESS) {
		ontb_count(&port->counters.window_reads, 1);
		ontb_count(&port->counters.window_bytes, len);
		ONTB_PROBE5(window_read, port->idx, target->idx, offset, answer->addr, len);
		return err;
	}
	memset(read->buf, 0xff, len);
	fault(port, "read", bar_idx, offset, len, answer, err);
	return 0;
}

static void put_gather(struct gather *gather)
{
	struct ontb_read *whole = gather->whole;

	if (atomic_fetch_sub_explicit(&gather->nr_left, 1, memory_order_acq_rel) != 1)
		return;
	free(gather);
	whole->done(whole, 0);
}

static void piece_done(struct ontb_read *read, int status)
{
	struct piece *piece = ontb_container_of(read, struct piece, read);

	if (status)
		memset(read->buf, 0xff, read->len);
	put_gather(piece->gather);
}

static size_t count_pieces(const struct ontb_bar *bar, uint64_t offset, uint64_t len)
{
	struct answer answer;
	size_t nr_pieces = 0;

	while (len) {
		uint64_t n;

		translate(bar, offset, &answer);
		n = answer.len < len ? answer.len : len;
		offset += n;
		len -= n;
		nr_pieces++;
	}
	return nr_pieces;
}

/* The last piece to complete frees the gathering; while it issues pieces, this function holds one reference itself. */
static int read_pieces(struct ontb_port *port, unsigned int bar_idx, uint64_t offset, struct ontb_read *whole)
{
	const struct ontb_bar *bar = &port->bars[bar_idx];
	size_t nr_pieces = count_pieces(bar, offset, whole->len), at = 0, i;
	struct gather *gather;

	gather = calloc(1, sizeof(*gather) + nr_pieces * sizeof(gather->pieces[0]));
	if (!gather) {
		memset(whole->buf, 0xff, whole->len);
		ontb_port_fault(port, "read of %zu bytes at BAR%u offset 0x%" PRIx64 ": no memory", whole->len, bar_idx,
				offset);
		return 0;
	}
	gather->whole = whole;
	atomic_init(&gather->nr_left, nr_pieces + 1);
	for (i = 0; i < nr_pieces; i++) {
		struct piece *piece = &gather->pieces[i];
		struct answer answer;

		translate(bar, offset + at, &answer);
		piece->gather = gather;
		piece->read = (struct ontb_read){
			.buf = (uint8_t *)whole->buf + at,
			.len = answer.len < whole->len - at ? (size_t)answer.len : whole->len - at,
			.source = whole->source,
			.done = piece_done,
		};
		at += piece->read.len;
		if (read_piece(port, bar_idx, offset + at - piece->read.len, &answer, &piece->read) != -EINPROGRESS)
			atomic_fetch_sub_explicit(&gather->nr_left, 1, memory_order_acq_rel);
	}
	if (atomic_fetch_sub_explicit(&gather->nr_left, 1, memory_order_acq_rel) != 1)
		return -EINPROGRESS;
	free(gather);
	return 0;
}

int ontb_window_read(struct ontb_port *port, unsigned int bar_idx, uint64_t offset, struct ontb_read *read)
{
	size_t len = read->len;
	struct answer answer;
	int ret;

	translate(&port->bars[bar_idx], offset, &answer);
	if (ontb_likely(answer.len >= len))
		ret = read_piece(port, bar_idx, offset, &answer, read);
	else
		ret = read_pieces(port, bar_idx, offset, read);
	if (ontb_unlikely(port->bridge->trace))
		trace_window(port, ret ? "window read (waits)" : "window read", bar_idx, offset, ret ? NULL : read->buf,
			     len, &answer);
	return ret;
}
