// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Faults: records, status, and the interrupts that the unit itself sends.
 *
 * Rules: Intel VT-d specification, "Primary Fault Logging", "Fault Event Control Register", "Fault Recording Registers"
 * and "Invalidation Completion Status Register".
 */
#include <openntb/machine.h>

#include "hw/x86/lapic.h"
#include "hw/x86/vtd_unit.h"

#define FI_INDEX(index) ((uint64_t)((index)&0xffff) << 48)
#define FR_REASON(r)	((uint64_t)(r) << 32)
#define MESSAGE_BITS	0xfffffffcU
#define UADDR_DEST_BITS 0xffffff00U
#define FSTS_W1C	(VTD_FSTS_PFO | VTD_FSTS_IQE)
#define FAULT_REGS_END	(VTD_FEUADDR + 4)
#define DONE_REGS_END	(VTD_IEUADDR + 4)
#define FRCD_END	(VTD_FRCD + 16 * VTD_NR_FRCD)

static const char *reason_name(enum ontb_vtd_fault reason)
{
	switch (reason) {
	case ONTB_VTD_FAULT_REQUEST:
		return "reserved bits of the message are set";
	case ONTB_VTD_FAULT_INDEX:
		return "the index is beyond the table";
	case ONTB_VTD_FAULT_PRESENT:
		return "the entry is not present";
	case ONTB_VTD_FAULT_ACCESS:
		return "the entry cannot be read";
	case ONTB_VTD_FAULT_ENTRY:
		return "reserved bits of the entry are set";
	case ONTB_VTD_FAULT_COMPATIBLE:
		return "messages in compatibility format are blocked";
	case ONTB_VTD_FAULT_SOURCE:
		return "this requester may not use the entry";
	}
	return "unknown reason";
}

/* Status as software reads it: the pending bit is what the records say. */
static uint32_t status_locked(const struct ontb_vtd *vtd) ONTB_MUST_HOLD(vtd->fault_lock)
{
	uint32_t status = vtd->fsts;

	for (unsigned int i = 0; i < VTD_NR_FRCD; i++) {
		if (vtd->records[i][1] & VTD_FRCD_F)
			status |= VTD_FSTS_PPF;
	}
	if (status & VTD_FSTS_PPF)
		status |= vtd->fri << VTD_FSTS_FRI;
	return status;
}

/* Whether the message is to be sent now; otherwise it waits for the mask. */
static bool raise_locked(struct vtd_event *event)
{
	if (event->ctl & VTD_EVENT_IM)
		event->ctl |= VTD_EVENT_IP;
	return !(event->ctl & VTD_EVENT_IM);
}

/* "Fault Event Upper Address Register": with extended ids it holds the upper bits of the destination. Not remapped. */
static void send_event(struct ontb_vtd *vtd, const struct vtd_event *event)
{
	uint64_t addr = (uint64_t)event->uaddr << 32 | event->addr;
	struct ontb_apic_message msg = {
		.dest = (event->uaddr & UADDR_DEST_BITS) | (event->addr >> 12 & 0xff),
		.vector = (uint8_t)event->data,
		.mode = (uint8_t)(event->data >> 8 & 7),
		.is_logical = event->addr & 0x4,
	};

	if (atomic_load(&vtd->active) & VTD_IRTA_EIME && event->addr >> 20 == ONTB_X86_MSI_BASE >> 20)
		(void)ontb_apic_bus_send(vtd->config.bus, ONTB_APIC_FROM_UNIT, &msg);
	else
		(void)ontb_apic_bus_message(vtd->config.bus, ONTB_APIC_FROM_UNIT, addr, event->data);
}

/* A record, if one is free. Returns whether there is one now. */
static bool record_locked(struct ontb_vtd *vtd, enum ontb_vtd_fault reason, uint16_t rid, uint32_t index)
	ONTB_MUST_HOLD(vtd->fault_lock)
{
	uint64_t *record = vtd->records[vtd->next_record];

	if (vtd->fsts & VTD_FSTS_PFO)
		return false;
	if (record[1] & VTD_FRCD_F) {
		vtd->fsts |= VTD_FSTS_PFO;
		return false;
	}
	if (!(status_locked(vtd) & VTD_FSTS_PPF))
		vtd->fri = vtd->next_record;
	record[0] = FI_INDEX(index);
	record[1] = VTD_FRCD_F | FR_REASON(reason) | rid;
	vtd->next_record = (vtd->next_record + 1) % VTD_NR_FRCD;
	return true;
}

/* Software that takes a record says what it found; of what is not recorded, nobody else knows. */
static void report(struct ontb_vtd *vtd, enum ontb_vtd_fault reason, uint16_t rid, uint32_t index, bool is_recorded)
{
	if (!is_recorded)
		vtd_count(&vtd->nr_unrecorded);
	ontb_log_limited(&vtd->limit, is_recorded ? ONTB_LOG_INFO : ONTB_LOG_WARNING,
			 "%s: interrupt of %02x:%02x.%x, remapping entry %u, blocked: fault 0x%x: %s", vtd->config.name,
			 rid >> 8, rid >> 3 & 0x1f, rid & 7, index, reason, reason_name(reason));
}

/* A new condition interrupts only if software has dealt with all older ones. */
static void record(struct ontb_vtd *vtd, enum ontb_vtd_fault reason, uint16_t rid, uint32_t index)
{
	struct vtd_event event;
	bool is_new, is_due, is_recorded;

	ontb_lock(&vtd->fault_lock);
	is_new = !status_locked(vtd);
	is_recorded = record_locked(vtd, reason, rid, index);
	is_due = is_new && raise_locked(&vtd->fault_event);
	event = vtd->fault_event;
	ontb_unlock(&vtd->fault_lock);
	report(vtd, reason, rid, index, is_recorded);
	if (is_due)
		send_event(vtd, &event);
}

void ontb_vtd_fault(struct ontb_vtd *vtd, enum ontb_vtd_fault reason, uint16_t rid, uint32_t index, bool is_silent)
{
	vtd_count(&vtd->nr_faults);
	if (is_silent)
		report(vtd, reason, rid, index, false);
	else
		record(vtd, reason, rid, index);
}

void ontb_vtd_fault_queue(struct ontb_vtd *vtd)
{
	struct vtd_event event;
	bool is_new, is_due;

	ontb_lock(&vtd->fault_lock);
	is_new = !status_locked(vtd);
	vtd->fsts |= VTD_FSTS_IQE;
	is_due = is_new && raise_locked(&vtd->fault_event);
	event = vtd->fault_event;
	ontb_unlock(&vtd->fault_lock);
	if (is_due)
		send_event(vtd, &event);
}

bool ontb_vtd_has_queue_error(struct ontb_vtd *vtd)
{
	bool has_error;

	ontb_lock(&vtd->fault_lock);
	has_error = vtd->fsts & VTD_FSTS_IQE;
	ontb_unlock(&vtd->fault_lock);
	return has_error;
}

void ontb_vtd_complete(struct ontb_vtd *vtd)
{
	struct vtd_event event;
	bool is_due;

	ontb_lock(&vtd->fault_lock);
	is_due = !(vtd->ics & VTD_ICS_IWC) && raise_locked(&vtd->done_event);
	vtd->ics |= VTD_ICS_IWC;
	event = vtd->done_event;
	ontb_unlock(&vtd->fault_lock);
	if (is_due)
		send_event(vtd, &event);
}

void ontb_vtd_fault_reset(struct ontb_vtd *vtd)
{
	ontb_lock(&vtd->fault_lock);
	for (unsigned int i = 0; i < VTD_NR_FRCD; i++)
		vtd->records[i][0] = vtd->records[i][1] = 0;
	vtd->next_record = 0;
	vtd->fri = 0;
	vtd->fsts = 0;
	vtd->ics = 0;
	vtd->fault_event = (struct vtd_event){ .ctl = VTD_EVENT_IM };
	vtd->done_event = (struct vtd_event){ .ctl = VTD_EVENT_IM };
	ontb_unlock(&vtd->fault_lock);
}

/* The event that a register belongs to, and which of its four it is. */
static struct vtd_event *event_of(struct ontb_vtd *vtd, uint32_t offset, unsigned int *which)
{
	if (offset >= VTD_FECTL && offset < FAULT_REGS_END) {
		*which = (offset - VTD_FECTL) / 4;
		return &vtd->fault_event;
	}
	if (offset >= VTD_IECTL && offset < DONE_REGS_END) {
		*which = (offset - VTD_IECTL) / 4;
		return &vtd->done_event;
	}
	return NULL;
}

static uint32_t read_event(const struct vtd_event *event, unsigned int which)
{
	const uint32_t values[] = { event->ctl, event->data, event->addr, event->uaddr };

	return values[which];
}

/* Whether a message that waited for the mask is to be sent now. */
static bool write_event(struct vtd_event *event, unsigned int which, uint32_t value)
{
	bool is_due = false;

	switch (which) {
	case 0:
		is_due = event->ctl & VTD_EVENT_IP && !(value & VTD_EVENT_IM);
		event->ctl = (value & VTD_EVENT_IM) | (is_due ? 0 : event->ctl & VTD_EVENT_IP);
		break;
	case 1:
		event->data = value;
		break;
	case 2:
		event->addr = value & MESSAGE_BITS;
		break;
	default:
		event->uaddr = value;
		break;
	}
	return is_due;
}

static uint32_t read_record_locked(const struct ontb_vtd *vtd, uint32_t offset) ONTB_MUST_HOLD(vtd->fault_lock)
{
	uint32_t word = (offset - VTD_FRCD) / 4;

	return (uint32_t)(vtd->records[word / 4][word / 2 % 2] >> (word % 2 * 32));
}

/* Only the last bit of a record can be written: 1 clears it. */
static void write_record_locked(struct ontb_vtd *vtd, uint32_t offset, uint32_t value) ONTB_MUST_HOLD(vtd->fault_lock)
{
	uint32_t word = (offset - VTD_FRCD) / 4;

	if (word % 4 == 3 && value >> 31)
		vtd->records[word / 4][1] &= ~VTD_FRCD_F;
}

bool ontb_vtd_fault_read32(struct ontb_vtd *vtd, uint32_t offset, uint32_t *value)
{
	unsigned int which;
	struct vtd_event *event = event_of(vtd, offset, &which);
	bool is_mine = true;

	ontb_lock(&vtd->fault_lock);
	if (event)
		*value = read_event(event, which);
	else if (offset == VTD_FSTS)
		*value = status_locked(vtd);
	else if (offset == VTD_ICS)
		*value = vtd->ics;
	else if (offset >= VTD_FRCD && offset < FRCD_END)
		*value = read_record_locked(vtd, offset);
	else
		is_mine = false;
	ontb_unlock(&vtd->fault_lock);
	return is_mine;
}

bool ontb_vtd_fault_write32(struct ontb_vtd *vtd, uint32_t offset, uint32_t value)
{
	unsigned int which;
	struct vtd_event *event = event_of(vtd, offset, &which), copy = { 0 };
	bool is_mine = true, is_due = false;

	ontb_lock(&vtd->fault_lock);
	if (event) {
		is_due = write_event(event, which, value);
		copy = *event;
	} else if (offset == VTD_FSTS) {
		vtd->fsts &= ~(value & FSTS_W1C);
	} else if (offset == VTD_ICS) {
		vtd->ics &= ~(value & VTD_ICS_IWC);
	} else if (offset >= VTD_FRCD && offset < FRCD_END) {
		write_record_locked(vtd, offset, value);
	} else {
		is_mine = false;
	}
	/* What software has dealt with need not interrupt any more. */
	if (!status_locked(vtd))
		vtd->fault_event.ctl &= ~VTD_EVENT_IP;
	if (!(vtd->ics & VTD_ICS_IWC))
		vtd->done_event.ctl &= ~VTD_EVENT_IP;
	ontb_unlock(&vtd->fault_lock);
	if (is_due)
		send_event(vtd, &copy);
	return is_mine;
}
