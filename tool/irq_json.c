// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Interrupt domains and interrupts as JSON.
 */
#include "tool/irq_json.h"

#include <stdlib.h>
#include <string.h>

#include "tool/json_table.h"
#include "tool/status_json.h"

void ontb_cpumask_text(const struct ontb_cpumask *mask, char *buf, size_t len)
{
	unsigned int first, last;
	size_t used = 0;

	buf[0] = '\0';
	for (first = ontb_cpumask_next(mask, 0); first < ONTB_MAX_CPUS; first = ontb_cpumask_next(mask, last + 1)) {
		int n;

		for (last = first; ontb_cpumask_test(mask, last + 1); last++)
			;
		n = snprintf(buf + used, len - used, last > first ? "%s%u-%u" : "%s%u", used ? "," : "", first, last);
		if (n < 0 || (size_t)n >= len - used)
			return;
		used += (size_t)n;
	}
}

static struct json_object *domain_json(const struct ontb_irq_domain_status *status)
{
	struct json_object *domain = json_object_new_object();

	if (!domain)
		return NULL;
	ontb_json_add_text(domain, "name", status->name);
	ontb_json_add_text(domain, "parent", status->parent);
	ontb_json_add_text(domain, "token", ontb_bus_token_name(status->token));
	ontb_json_add_uint(domain, "interrupts", status->nr_irqs);
	ontb_json_add_uint(domain, "size", status->size);
	return domain;
}

struct json_object *ontb_domains_json(const struct ontb_host *host)
{
	struct ontb_irq_system *sys = ontb_host_irqs(host);
	struct json_object *list = json_object_new_array();
	unsigned int nr = ontb_irq_domains(sys, NULL, 0), nr_now;
	struct ontb_irq_domain_status *domains = calloc(nr ? nr : 1, sizeof(*domains));

	if (!list || !domains) {
		(void)json_object_put(list);
		free(domains);
		return NULL;
	}
	/* Domains may come and go between the two calls: what fits into the room for the first count is listed. */
	nr_now = ontb_irq_domains(sys, domains, nr);
	for (unsigned int i = 0; i < nr && i < nr_now; i++)
		(void)json_object_array_add(list, domain_json(&domains[i]));
	free(domains);
	return list;
}

static struct json_object *counts_json(struct ontb_irq_system *sys, unsigned int virq)
{
	struct json_object *counts = json_object_new_array();

	for (unsigned int cpu = 0; counts && cpu < ontb_irq_system_nr_cpus(sys); cpu++)
		(void)json_object_array_add(counts, json_object_new_uint64(ontb_irq_count(sys, virq, cpu)));
	return counts;
}

/* The chip that a reader knows the interrupt by: the outermost one that has a name. */
static const char *chip_of(const struct ontb_irq_status *status)
{
	for (unsigned int i = 0; i < status->depth; i++) {
		if (status->chips[i][0])
			return status->chips[i];
	}
	return "-";
}

static struct json_object *message_json(const struct ontb_msi_msg *msg)
{
	struct json_object *message = json_object_new_object();

	if (!message)
		return NULL;
	ontb_json_add_hex(message, "address", msg->addr);
	ontb_json_add_hex(message, "data", msg->data);
	return message;
}

static struct json_object *irq_json(struct ontb_irq_system *sys, const struct ontb_irq_status *status)
{
	static const char *const flows[] = { "simple", "edge", "level", "fasteoi", "nested" };
	struct json_object *irq = json_object_new_object();
	char affinity[128];

	if (!irq)
		return NULL;
	ontb_cpumask_text(&status->affinity, affinity, sizeof(affinity));
	ontb_json_add_uint(irq, "number", status->virq);
	ontb_json_add_text(irq, "domain", status->domains[0]);
	ontb_json_add_uint(irq, "index", status->hwirqs[0]);
	ontb_json_add_text(irq, "chip", chip_of(status));
	ontb_json_add_text(irq, "flow", status->flow < ONTB_ARRAY_SIZE(flows) ? flows[status->flow] : "-");
	ontb_json_add_text(irq, "handlers", status->handlers);
	ontb_json_add_text(irq, "affinity", affinity);
	if (status->effective < ONTB_MAX_CPUS)
		ontb_json_add_uint(irq, "cpu", status->effective);
	ontb_json_add_bool(irq, "active", status->is_active);
	ontb_json_add_bool(irq, "enabled", status->is_enabled);
	ontb_json_add_bool(irq, "moving", status->is_moving);
	if (status->has_msg)
		json_object_object_add(irq, "message", message_json(&status->msg));
	ontb_json_add_uint(irq, "count", status->count);
	ontb_json_add_uint(irq, "unhandled", status->unhandled);
	json_object_object_add(irq, "counts", counts_json(sys, status->virq));
	return irq;
}

struct json_object *ontb_irqs_json(const struct ontb_host *host)
{
	struct ontb_irq_system *sys = ontb_host_irqs(host);
	struct json_object *list = json_object_new_array();

	for (unsigned int virq = ontb_irq_next(sys, 1); list && virq; virq = ontb_irq_next(sys, virq + 1)) {
		struct ontb_irq_status status;

		if (!ontb_irq_status(sys, virq, &status))
			(void)json_object_array_add(list, irq_json(sys, &status));
	}
	return list;
}

struct json_object *ontb_hosts_json(struct ontb_host *const *hosts, unsigned int nr_hosts, const char *key)
{
	struct json_object *reply = json_object_new_object(), *list = json_object_new_array();

	if (!reply || !list) {
		(void)json_object_put(list);
		(void)json_object_put(reply);
		return NULL;
	}
	ontb_json_add_bool(reply, "ok", true);
	ontb_json_add_uint(reply, "schema", ONTB_STATUS_SCHEMA);
	json_object_object_add(reply, "hosts", list);
	for (unsigned int i = 0; i < nr_hosts; i++) {
		struct json_object *host = json_object_new_object();

		if (!host)
			break;
		ontb_json_add_text(host, "name", ontb_host_name(hosts[i]));
		ontb_json_add_uint(host, "cpus", ontb_host_machine(hosts[i])->nr_cpus);
		json_object_object_add(host, key,
				       strcmp(key, "domains") ? ontb_irqs_json(hosts[i]) : ontb_domains_json(hosts[i]));
		(void)json_object_array_add(list, host);
	}
	return reply;
}
