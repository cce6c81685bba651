/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * The link of a pair of ports: up while both have a host and both hosts' drivers have announced themselves.
 */
#ifndef ONTB_HW_BRIDGE_LINK_H
#define ONTB_HW_BRIDGE_LINK_H

#include <stdbool.h>

struct ontb_port;

/**
 * ontb_link_is_up() - whether both sides are there
 * @port: Port.
 *
 * Context: Inside an access of any port or inside an exclusive section.
 */
bool ontb_link_is_up(const struct ontb_port *port);

/**
 * ontb_link_set_ready() - a port's driver announced itself, or is gone
 * @port:  Port.
 * @ready: Which of the two.
 *
 * Context: Inside an access of @port or inside an exclusive section.
 */
void ontb_link_set_ready(struct ontb_port *port, bool ready);

/**
 * ontb_link_lost() - cut a port off: its host left or was reset
 * @port: Port.
 *
 * Closes every window into its host, resets its side of the model and lets the model tell the peer.
 *
 * Context: Inside an exclusive section.
 */
void ontb_link_lost(struct ontb_port *port);

#endif
