/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * Interrupt domains and interrupts for people: a tree, a table as in /proc/interrupts, a graph.
 */
#ifndef ONTB_TOOL_IRQ_PRINT_H
#define ONTB_TOOL_IRQ_PRINT_H

#include <json-c/json_types.h>
#include <stdio.h>

#include "base/annotate.h"

/**
 * ontb_domains_print() - the domains of one host as a tree
 * @out:     Where to.
 * @domains: Array as from ontb_domains_json().
 *
 * Return: 0 or -ENOMEM.
 */
int ontb_domains_print(FILE *out, struct json_object *domains) ONTB_MUST_CHECK;

/**
 * ontb_irqs_print() - the interrupts of one host as a table
 * @out:    Where to.
 * @irqs:   Array as from ontb_irqs_json().
 * @nr_cpus: CPUs; up to 8 have a column each, more are summed up.
 * @max_per_domain: Rows of one domain that are shown before "..."; 0 shows all.
 *
 * Return: 0 or -ENOMEM.
 */
int ontb_irqs_print(FILE *out, struct json_object *irqs, unsigned int nr_cpus, unsigned int max_per_domain)
	ONTB_MUST_CHECK;

/**
 * ontb_domains_graph() - the domains of all hosts as a Graphviz graph
 * @out:   Where to.
 * @hosts: Array of hosts with members "name" and "domains".
 */
void ontb_domains_graph(FILE *out, struct json_object *hosts);

#endif
