/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * The Switchtec model: NTB endpoints of one Microchip Switchtec PCIe switch.
 */
#ifndef OPENNTB_SWITCHTEC_H
#define OPENNTB_SWITCHTEC_H

#include <openntb/bridge.h>

#ifdef __cplusplus
extern "C" {
#endif

struct ontb_trace;

/**
 * struct ontb_switchtec_config - geometry of the switch
 * @nr_ports:    Partitions with an NT endpoint, 2..48, even: ports 2n and 2n+1 are a pair.
 * @device_id:   PCI device id, one of the ids that Linux's switchtec driver knows (0x8532 is a PFX 32xG3).
 * @nr_vectors:  MSI-X vectors, 3..64: the Linux drivers need three different ones (event, doorbell, message).
 * @nr_luts:     Look-up table windows of 64 KiB at the start of BAR2, 2..512, a power of two.
 * @bar2_size:   Bytes of BAR2, a power of two, at least 2 * 64 KiB * @nr_luts.
 * @bar4_size:   Bytes of BAR4, a power of two from 64 KiB; above 2 MiB a Linux x86 host cannot use NTB MSI with direct
 *               windows, because the window must be aligned to its size and the interrupt addresses start at 0xfee00000.
 * @nr_req_ids:  Entries of each requester id table, 2..512.
 * @nr_guard_slots: Messages that the guard of a port can hold, 0..16384; 0 for a part without one. A port's guard is an extension
 *               that the real part does not have: off until the host looks for it and switches it on.
 * @hold_doorbells_after_message_ns: Work-around, 0 = off. After a message to a port its doorbell interrupts are held back until
 *               its host has read the link's status, or for this long. Linux's ntb_perf (6.12, 7.3) forgets a doorbell that
 *               arrives before ntb_hw_switchtec has noted that the link is up, which it does just before it reads that
 *               status, and then waits for ever.
 * @trace:       Where events go, see ontb_trace_open(), or NULL. Owned by the caller, must outlive the bridge.
 * @wake:        Called when a timer appears (see ontb_bridge_run_timers()); may be NULL if no work-around is on. Runs in
 *               any thread, must not block.
 * @wake_arg:    For @wake.
 */
struct ontb_switchtec_config {
	unsigned int nr_ports;
	uint16_t device_id;
	unsigned int nr_vectors;
	unsigned int nr_luts;
	uint64_t bar2_size;
	uint64_t bar4_size;
	unsigned int nr_req_ids;
	unsigned int nr_guard_slots;
	uint64_t hold_doorbells_after_message_ns;
	struct ontb_trace *trace;
	void (*wake)(void *arg, uint64_t deadline_ns);
	void *wake_arg;
};

/**
 * ontb_switchtec_config_init() - defaults: two ports, 4 vectors, 32 LUTs, BAR2 4 MiB, BAR4 2 MiB
 * @config: OUT.
 *
 * Context: Any thread.
 */
void ontb_switchtec_config_init(struct ontb_switchtec_config *config);

/**
 * ontb_switchtec_new() - build a switch
 * @config: Geometry; copied.
 * @out:    OUT, the bridge; free with ontb_bridge_free().
 *
 * Context: Any thread.
 * Return: 0, or
 *         -EINVAL  a value of @config is outside its range; the log says which.
 *         -ENOMEM  no memory.
 */
int ontb_switchtec_new(const struct ontb_switchtec_config *config, struct ontb_bridge **out);

/**
 * ontb_switchtec_register_name() - name of the register at an offset of BAR0
 * @offset: Offset in BAR0.
 * @buf:    OUT, text such as "ctrl[1].bar[4].xlate"; always terminated.
 * @len:    Size of @buf, at least 1.
 *
 * Context: Any thread.
 * Return: True if there is a register; otherwise @buf holds the offset in hexadecimal.
 */
bool ontb_switchtec_register_name(uint64_t offset, char *buf, size_t len);

#ifdef __cplusplus
}
#endif

#endif
