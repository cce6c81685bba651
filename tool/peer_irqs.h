/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * Interrupts of a host that its peer may raise, and the peer's that it may raise, whichever way the two tell each other: with
 * the grant protocol, or as Linux's ntb_msi_test does. Linux's ntb_grant_test has the grant protocol, over scratchpads.
 */
#ifndef ONTB_TOOL_PEER_IRQS_H
#define ONTB_TOOL_PEER_IRQS_H

#include <openntb/host.h>

#include "base/annotate.h"

enum peer_kind {
	PEER_OPENNTB,
	PEER_LINUX,
	PEER_LINUX_GRANTS,
};

struct peer_irqs;

/**
 * peer_irqs_new() - make a host's interrupts; they are granted when the link comes up
 * @host:    Host with a bridge.
 * @kind:    How to tell.
 * @nr_irqs: How many.
 * @window:  Window of the interrupt addresses, or -1 for the last one.
 * @out:     OUT.
 *
 * Return: 0, -ENOLINK (no bridge), or what a layer below said.
 */
int peer_irqs_new(struct ontb_host *host, enum peer_kind kind, unsigned int nr_irqs, int window, struct peer_irqs **out)
	ONTB_MUST_CHECK;

/**
 * peer_irqs_free() - take them back and free them
 * @irqs: Or NULL.
 */
void peer_irqs_free(struct peer_irqs *irqs);

/**
 * peer_irqs_is_up() - whether the link is
 * @irqs: Interrupts.
 *
 * Context: Any thread.
 */
bool peer_irqs_is_up(const struct peer_irqs *irqs);

/**
 * peer_irqs_nr_held() - how many of the peer's may be raised
 * @irqs: Interrupts.
 *
 * Context: Any thread.
 * Return: the number.
 */
unsigned int peer_irqs_nr_held(struct peer_irqs *irqs);

/**
 * peer_irqs_trigger() - raise one of the peer's
 * @irqs:  Interrupts.
 * @index: Which.
 *
 * Context: Any thread.
 * Return: 0, -ENOENT or -ENOLINK.
 */
int peer_irqs_trigger(struct peer_irqs *irqs, unsigned int index);

#endif
