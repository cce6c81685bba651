// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Interrupt domains and interrupts for people.
 */
#include "tool/irq_print.h"

#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <libsmartcols/libsmartcols.h>
#include <stdlib.h>
#include <string.h>

#include "tool/json_table.h"

#define MAX_CPU_COLUMNS 8U

static const char *text(struct json_object *object, const char *key)
{
	return ontb_json_text(ontb_json_find(object, key));
}

static size_t length(struct json_object *array)
{
	return json_object_is_type(array, json_type_array) ? json_object_array_length(array) : 0;
}

/* Parents come before their children, so the line of a parent exists. */
static int add_domain_line(struct libscols_table *table, struct json_object *domains, size_t idx,
			   struct libscols_line **lines)
{
	struct json_object *domain = json_object_array_get_idx(domains, idx);
	const char *parent = text(domain, "parent");
	struct libscols_line *above = NULL;
	int ret;

	for (size_t i = 0; i < idx && !above; i++) {
		if (!strcmp(parent, text(json_object_array_get_idx(domains, i), "name")))
			above = lines[i];
	}
	lines[idx] = scols_table_new_line(table, above);
	if (!lines[idx])
		return -ENOMEM;
	ret = scols_line_set_data(lines[idx], 0, text(domain, "name"));
	if (!ret)
		ret = scols_line_set_data(lines[idx], 1, text(domain, "token"));
	return ret ? ret : scols_line_set_data(lines[idx], 2, text(domain, "interrupts"));
}

int ontb_domains_print(FILE *out, struct json_object *domains)
{
	size_t nr = length(domains);
	struct libscols_line **lines = calloc(nr + 1, sizeof(struct libscols_line *));
	struct libscols_table *table = scols_new_table();
	int ret = lines && table ? 0 : -ENOMEM;

	if (!ret && (!scols_table_new_column(table, "DOMAIN", 0, SCOLS_FL_TREE) ||
		     !scols_table_new_column(table, "KIND", 0, 0) ||
		     !scols_table_new_column(table, "INTERRUPTS", 0, SCOLS_FL_RIGHT)))
		ret = -ENOMEM;
	for (size_t i = 0; i < nr && !ret; i++)
		ret = add_domain_line(table, domains, i, lines);
	if (!ret) {
		(void)scols_table_set_stream(table, out);
		ret = scols_print_table(table) ? -ENOMEM : 0;
	}
	scols_unref_table(table);
	free(lines);
	return ret;
}

static int add_irq_columns(struct libscols_table *table, unsigned int nr_counts)
{
	char title[16];

	if (!scols_table_new_column(table, "IRQ", 0, SCOLS_FL_RIGHT))
		return -ENOMEM;
	for (unsigned int cpu = 0; cpu < nr_counts; cpu++) {
		(void)snprintf(title, sizeof(title), "CPU%u", cpu);
		if (!scols_table_new_column(table, title, 0, SCOLS_FL_RIGHT))
			return -ENOMEM;
	}
	if (!nr_counts && (!scols_table_new_column(table, "CPU", 0, SCOLS_FL_RIGHT) ||
			   !scols_table_new_column(table, "COUNT", 0, SCOLS_FL_RIGHT)))
		return -ENOMEM;
	if (!scols_table_new_column(table, "DOMAIN", 0, 0) ||
	    !scols_table_new_column(table, "INDEX", 0, SCOLS_FL_RIGHT) ||
	    !scols_table_new_column(table, "CHIP", 0, 0) || !scols_table_new_column(table, "HANDLER", 0, 0))
		return -ENOMEM;
	return 0;
}

static int add_irq_line(struct libscols_table *table, struct json_object *irq, unsigned int nr_counts)
{
	static const char *const behind[] = { "domain", "index", "chip", "handlers" };
	struct libscols_line *line = scols_table_new_line(table, NULL);
	struct json_object *counts = ontb_json_find(irq, "counts");
	size_t column = 0;
	int ret = line ? scols_line_set_data(line, column++, text(irq, "number")) : -ENOMEM;

	for (unsigned int cpu = 0; cpu < nr_counts && !ret; cpu++)
		ret = scols_line_set_data(line, column++,
					  ontb_json_text(cpu < length(counts) ? json_object_array_get_idx(counts, cpu)
									      : NULL));
	if (!nr_counts && !ret) {
		ret = scols_line_set_data(line, column++, text(irq, "cpu"));
		if (!ret)
			ret = scols_line_set_data(line, column++, text(irq, "count"));
	}
	for (size_t i = 0; i < ONTB_ARRAY_SIZE(behind) && !ret; i++)
		ret = scols_line_set_data(line, column++, text(irq, behind[i]));
	return ret;
}

/* Count one more interrupt of a domain; says how many there were before. */
static int count_domain(struct json_object *seen, struct json_object *irq)
{
	const char *domain = text(irq, "domain");
	struct json_object *count;
	int nr = 0;

	if (json_object_object_get_ex(seen, domain, &count)) {
		nr = json_object_get_int(count);
		(void)json_object_set_int(count, nr + 1);
	} else {
		json_object_object_add(seen, domain, json_object_new_int(1));
	}
	return nr;
}

int ontb_irqs_print(FILE *out, struct json_object *irqs, unsigned int nr_cpus, unsigned int max_per_domain)
{
	unsigned int nr_counts = nr_cpus <= MAX_CPU_COLUMNS ? nr_cpus : 0;
	struct libscols_table *table = scols_new_table();
	struct json_object *seen = json_object_new_object();
	size_t nr_left_out = 0;
	int ret = table && seen ? add_irq_columns(table, nr_counts) : -ENOMEM;

	for (size_t i = 0; i < length(irqs) && !ret; i++) {
		struct json_object *irq = json_object_array_get_idx(irqs, i);

		if (max_per_domain && count_domain(seen, irq) >= (int)max_per_domain)
			nr_left_out++;
		else
			ret = add_irq_line(table, irq, nr_counts);
	}
	if (!ret) {
		(void)scols_table_set_stream(table, out);
		ret = scols_print_table(table) ? -ENOMEM : 0;
	}
	if (!ret && nr_left_out)
		fprintf(out, "... and %zu more\n", nr_left_out);
	(void)json_object_put(seen);
	scols_unref_table(table);
	return ret;
}

/* Names are the host's own, but a quote in one must not break the graph. */
static void put_quoted(FILE *out, const char *name)
{
	fputc('"', out);
	for (; *name; name++) {
		if (*name == '"' || *name == '\\')
			fputc('\\', out);
		fputc(*name, out);
	}
	fputc('"', out);
}

static void put_node(FILE *out, const char *host, const char *domain)
{
	char name[256];

	(void)snprintf(name, sizeof(name), "%s/%s", host, domain);
	put_quoted(out, name);
}

static void put_domain(FILE *out, const char *host, struct json_object *domain)
{
	char label[256];

	(void)snprintf(label, sizeof(label), "%s\n%s, %s interrupts", text(domain, "name"), text(domain, "token"),
		       text(domain, "interrupts"));
	fputs("\t\t", out);
	put_node(out, host, text(domain, "name"));
	fputs(" [label=", out);
	put_quoted(out, label);
	fputs("];\n", out);
	if (!*text(domain, "parent"))
		return;
	fputs("\t\t", out);
	put_node(out, host, text(domain, "parent"));
	fputs(" -> ", out);
	put_node(out, host, text(domain, "name"));
	fputs(" [dir=back];\n", out);
}

void ontb_domains_graph(FILE *out, struct json_object *hosts)
{
	fputs("digraph openntb {\n\trankdir=LR;\n\tnode [shape=box];\n", out);
	for (size_t i = 0; i < length(hosts); i++) {
		struct json_object *host = json_object_array_get_idx(hosts, i);
		struct json_object *domains = ontb_json_find(host, "domains");

		fprintf(out, "\tsubgraph cluster_%zu {\n\t\tlabel=", i);
		put_quoted(out, text(host, "name"));
		fputs(";\n", out);
		for (size_t j = 0; j < length(domains); j++)
			put_domain(out, text(host, "name"), json_object_array_get_idx(domains, j));
		fputs("\t}\n", out);
	}
	fputs("}\n", out);
}
