/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * The driver for NTB endpoints of Microchip Switchtec switches. It understands itself with Linux's own driver for this part
 * at the other end.
 */
#ifndef OPENNTB_NTB_SWITCHTEC_H
#define OPENNTB_NTB_SWITCHTEC_H

#include <stdbool.h>

#include <openntb/ntb.h>
#include <openntb/pci.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * ontb_ntb_switchtec_matches() - whether a function is an NTB endpoint of such a switch
 * @dev: Function.
 *
 * Return: True if ontb_ntb_switchtec_probe() may be tried.
 */
bool ontb_ntb_switchtec_matches(const struct ontb_pci_dev *dev);

/**
 * ontb_ntb_switchtec_probe() - drive a function
 * @dev:     Function without interrupts of its own; nobody else drives it.
 * @workers: Where events and the link's work run. Borrowed. In a stepped pool nothing here ever sleeps.
 * @pages:   Where the memory comes from that the peer writes to. Borrowed.
 * @out:     OUT.
 *
 * Three entries of the MSI-X table are requested (event, doorbell, message); no other one is touched. The link is down
 * until ontb_ntb_link_enable().
 *
 * Context: Not a handler. Blocks: the part has locks that the peer may hold.
 * Return: 0, or
 *         -EOPNOTSUPP  another device, or one whose set-up this driver cannot use: several peers, a crosslink; logged.
 *         -EPROTO      registers say what cannot be; logged.
 *         -ETIMEDOUT   the part did not answer in time, or the peer did not give its lock back; logged.
 *         -EIO         the part refused; logged.
 *         -ENOSPC      too few entries in the MSI-X table.
 *         -ENOMEM      no memory.
 *         other        what PCI or interrupts said.
 */
int ontb_ntb_switchtec_probe(struct ontb_pci_dev *dev, struct ontb_worker_pool *workers, struct ontb_pages *pages,
			     struct ontb_ntb **out);

/**
 * ontb_ntb_switchtec_remove() - stop driving it
 * @ntb: From ontb_ntb_switchtec_probe(), without a client; or NULL.
 *
 * The peer is told, open windows are closed, and the function can neither interrupt nor be written through any more.
 *
 * Context: Not a handler, not an event. Blocks.
 */
void ontb_ntb_switchtec_remove(struct ontb_ntb *ntb);

#ifdef __cplusplus
}
#endif

#endif
