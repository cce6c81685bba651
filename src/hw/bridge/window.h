/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * Windows: where an access to a BAR comes out in another host.
 *
 * An aperture is a stretch of a BAR cut into slots of equal size; each slot is closed or shows some bytes of one host,
 * from the slot's start on. A look-up table is an aperture of many slots, a direct window one of a single slot. Every
 * byte of an access is translated by the slot it lies in, so an access is split where one answer ends and another begins.
 *
 * Apertures are read inside accesses without a lock and changed only inside an exclusive section (access.h).
 */
#ifndef ONTB_HW_BRIDGE_WINDOW_H
#define ONTB_HW_BRIDGE_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openntb/access.h>
#include <openntb/bridge.h>

#include "base/annotate.h"

#define ONTB_MAX_APERTURES 2

/* Slot size of an aperture that has only one slot: no offset in a BAR reaches the next one. */
#define ONTB_APERTURE_WHOLE 63

struct ontb_port;

/**
 * struct ontb_window - one slot
 * @size:   Bytes from the start of the slot that are open; 0 if the slot is closed.
 * @addr:   Address in the target host of the first one.
 * @target: Port whose host it is. Not NULL if @size is not 0.
 */
struct ontb_window {
	uint64_t size;
	uint64_t addr;
	struct ontb_port *target;
};

/**
 * struct ontb_aperture - a stretch of a BAR
 * @start:     First byte in the BAR.
 * @nr_slots:  Slots in use, 0 if the aperture is off.
 * @shift:     Log2 of the size of a slot, or ONTB_APERTURE_WHOLE.
 * @max_slots: Room in @slots. Constant.
 * @is_lut:    Shown in the status. Constant.
 * @slots:     The slots. Constant pointer.
 */
struct ontb_aperture {
	uint64_t start;
	uint64_t nr_slots;
	unsigned int shift;
	unsigned int max_slots;
	bool is_lut;
	struct ontb_window *slots;
};

/**
 * struct ontb_bar - a base address register of a port
 * @size:          Bytes, 0 if there is none. Constant.
 * @is_registers:  The model's registers answer, not windows. Constant.
 * @nr_apertures:  Apertures. Constant.
 * @apertures:     In the order in which they are searched; they do not overlap.
 */
struct ontb_bar {
	uint64_t size;
	bool is_registers;
	unsigned int nr_apertures;
	struct ontb_aperture apertures[ONTB_MAX_APERTURES];
};

/**
 * ontb_aperture_init() - make an aperture, switched off
 * @ap:        Memory of the caller.
 * @max_slots: Slots it may get.
 * @is_lut:    Shown in the status.
 *
 * Return: 0, or -ENOMEM.
 */
int ontb_aperture_init(struct ontb_aperture *ap, unsigned int max_slots, bool is_lut) ONTB_MUST_CHECK;

/**
 * ontb_aperture_fini() - undo ontb_aperture_init()
 * @ap: Aperture; one that is all zero is fine.
 */
void ontb_aperture_fini(struct ontb_aperture *ap);

/**
 * ontb_aperture_place() - close all slots and say where they are
 * @bar:      BAR the aperture belongs to.
 * @ap:       Aperture of @bar.
 * @start:    First byte in the BAR.
 * @shift:    Log2 of the slot size, or ONTB_APERTURE_WHOLE for one slot up to the end of the BAR.
 * @nr_slots: Slots; 0 switches the aperture off.
 *
 * Context: Inside an exclusive section.
 * Return: 0, or
 *         -ERANGE  it has not that many slots, or they do not fit into the BAR; the aperture is off then.
 */
int ontb_aperture_place(const struct ontb_bar *bar, struct ontb_aperture *ap, uint64_t start, unsigned int shift,
			uint64_t nr_slots);

/**
 * ontb_aperture_open() - let a slot show memory of a host
 * @port:     Port the BAR belongs to.
 * @bar:      BAR.
 * @ap:       Aperture of @bar.
 * @slot_idx: Slot.
 * @target:   Port whose host is shown; NULL is refused.
 * @addr:     Address in that host.
 * @size:     Bytes.
 * @why:      OUT, on error: constant text that says what is wrong.
 *
 * Context: Inside an exclusive section.
 * Return: 0, or -EINVAL; the slot is closed then.
 */
int ontb_aperture_open(struct ontb_port *port, const struct ontb_bar *bar, struct ontb_aperture *ap, uint64_t slot_idx,
		       struct ontb_port *target, uint64_t addr, uint64_t size, const char **why);

/**
 * ontb_windows_close_into() - close every window of a port that shows a host
 * @port:   Port whose BARs are searched.
 * @target: Port whose host must not be reached any more.
 *
 * Context: Inside an exclusive section.
 * Return: How many were open.
 */
unsigned int ontb_windows_close_into(struct ontb_port *port, const struct ontb_port *target);

/**
 * ontb_windows_list() - list the open windows of a port
 * @port:    Port.
 * @windows: OUT, room for @max; may be NULL if @max is 0.
 * @max:     Entries of @windows.
 *
 * Context: Inside an access of @port or inside an exclusive section.
 * Return: How many are open.
 */
unsigned int ontb_windows_list(const struct ontb_port *port, struct ontb_window_status *windows, size_t max);

/**
 * ontb_window_read() - read through the windows of a BAR
 * @port:    Port whose host reads.
 * @bar_idx: BAR.
 * @offset:  First byte; @offset and the length lie inside the BAR.
 * @read:    Where to. Bytes that nothing answers become all ones.
 *
 * Context: Inside an access of @port.
 * Return: 0 (done) or -EINPROGRESS (read->done() follows).
 */
int ontb_window_read(struct ontb_port *port, unsigned int bar_idx, uint64_t offset, struct ontb_read *read);

/**
 * ontb_window_write() - write through the windows of a BAR
 * @port:    Port whose host writes.
 * @bar_idx: BAR.
 * @offset:  First byte; @offset and @len lie inside the BAR.
 * @buf:     Bytes; those that nothing takes are dropped.
 * @len:     How many.
 *
 * Context: Inside an access of @port.
 */
void ontb_window_write(struct ontb_port *port, unsigned int bar_idx, uint64_t offset, const void *buf, size_t len);

#endif
