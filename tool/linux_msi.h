/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * The other end of Linux's ntb_msi_test: interrupts of a host's NTB domain, told to a peer in the way that Linux 6.12 and 7.3
 * do, and the peer's, to raise them.
 *
 * What Linux says, and so what is said here: scratchpad 0 of a host's own has the number of its interrupts, 2n + 1 the offset of the
 * n-th from the start of the last window, 2n + 2 its data; doorbell bit 0 says "look". Nobody confirms anything. So an
 * interrupt whose message would change is not moved, and none is freed before the window is closed.
 */
#ifndef ONTB_TOOL_LINUX_MSI_H
#define ONTB_TOOL_LINUX_MSI_H

#include <openntb/host.h>

#include "base/annotate.h"

struct linux_msi;

/**
 * linux_msi_new() - make the interrupts and wait for a peer
 * @host:    Host with a bridge.
 * @nr_irqs: How many; as many as scratchpads allow at most.
 * @window:  Window of the interrupt addresses, or -1 for the last one. Linux counts look-up table windows only with its
 *           parameter use_lut_mws, so its last one may be another.
 * @out:     OUT.
 *
 * Return: 0, -EINVAL (too many), -ERANGE (no such window), -ENOLINK (no bridge), or what a layer below said.
 */
int linux_msi_new(struct ontb_host *host, unsigned int nr_irqs, int window, struct linux_msi **out) ONTB_MUST_CHECK;

/**
 * linux_msi_free() - close the window and free the interrupts
 * @msi: Or NULL.
 */
void linux_msi_free(struct linux_msi *msi);

/**
 * linux_msi_nr_peer_irqs() - interrupts that the peer has told
 * @msi: Interrupts.
 *
 * Context: Any thread.
 * Return: How many; 0 while the link is down.
 */
unsigned int linux_msi_nr_peer_irqs(struct linux_msi *msi);

/**
 * linux_msi_trigger() - raise one of the peer's
 * @msi:   Interrupts.
 * @index: Which.
 *
 * Context: Any thread.
 * Return: 0, -ENOENT (the peer has not told it), or -ENOLINK.
 */
int linux_msi_trigger(struct linux_msi *msi, unsigned int index);

#endif
