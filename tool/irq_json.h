/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * Interrupt domains and interrupts of the hosts in this process, as JSON. docs/control.md describes the members.
 */
#ifndef ONTB_TOOL_IRQ_JSON_H
#define ONTB_TOOL_IRQ_JSON_H

#include <json-c/json_types.h>
#include <openntb/host.h>

#include "base/annotate.h"

/**
 * ontb_domains_json() - domains of one host
 * @host: Host.
 *
 * Context: Any thread, not a handler.
 * Return: An array, which the caller takes over, or NULL when there is no memory.
 */
struct json_object *ontb_domains_json(const struct ontb_host *host);

/**
 * ontb_irqs_json() - interrupts of one host
 * @host: Host.
 *
 * Context: Any thread, not a handler.
 * Return: An array, which the caller takes over, or NULL when there is no memory.
 */
struct json_object *ontb_irqs_json(const struct ontb_host *host);

/**
 * ontb_hosts_json() - reply to a request for domains or interrupts
 * @hosts:    Hosts.
 * @nr_hosts: How many.
 * @key:      "domains" or "irqs".
 *
 * Context: Any thread, not a handler.
 * Return: {"ok": true, "schema": ..., "hosts": [{"name": ..., @key: [...]}, ...]}, which the caller takes over, or NULL when
 * there is no memory.
 */
struct json_object *ontb_hosts_json(struct ontb_host *const *hosts, unsigned int nr_hosts, const char *key);

/**
 * ontb_cpumask_text() - a set of CPUs as in "0-3,7"
 * @mask: Set.
 * @buf:  OUT, always terminated; cut if it does not fit.
 * @len:  Size of @buf, at least 1.
 */
void ontb_cpumask_text(const struct ontb_cpumask *mask, char *buf, size_t len);

#endif
