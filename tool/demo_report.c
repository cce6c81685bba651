// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * What came of the demonstration. People see what programs get: the text is made from the JSON where both say the same.
 */
#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openntb/ntb_irq.h>

#include "base/clock.h"
#include "tool/demo.h"
#include "tool/irq_json.h"
#include "tool/irq_print.h"
#include "tool/json_table.h"

#define SHOWN_PER_DOMAIN 4U
#define NR_BARS		 40

bool demo_has_failed(const struct demo *demo)
{
	uint64_t nr_errors = 0;

	for (unsigned int i = 0; i < DEMO_NR_HOSTS; i++)
		nr_errors += atomic_load(&demo->hosts[i].errors);
	return demo->totals.lost || demo->totals.misdirected || demo->totals.fired != demo->totals.handled ||
	       !demo->file.is_intact || nr_errors;
}

static int by_value(const void *a, const void *b)
{
	const uint64_t *left = a, *right = b;

	return *left < *right ? -1 : *left > *right;
}

/**
 * struct samples - latencies of all messages, sorted
 * @ns: Values.
 * @nr: How many.
 */
struct samples {
	uint64_t *ns;
	size_t nr;
};

/* Every message counts, so percentiles are exact: those that were alone, or the others. */
static int collect(const struct demo *demo, bool is_alone, struct samples *samples)
{
	size_t nr = 0;

	for (unsigned int i = 0; i < DEMO_NR_HOSTS; i++)
		nr += atomic_load(&demo->hosts[i].nr_samples);
	samples->ns = malloc((nr + 1) * sizeof(*samples->ns));
	if (!samples->ns)
		return -ENOMEM;
	samples->nr = 0;
	for (unsigned int i = 0; i < DEMO_NR_HOSTS; i++) {
		const struct demo_host *host = &demo->hosts[i];
		size_t first = is_alone ? 0 : host->nr_alone;
		size_t end = is_alone ? host->nr_alone : atomic_load(&host->nr_samples);

		memcpy(samples->ns + samples->nr, host->samples + first, (end - first) * sizeof(*samples->ns));
		samples->nr += end - first;
	}
	qsort(samples->ns, samples->nr, sizeof(*samples->ns), by_value);
	return 0;
}

static uint64_t percentile(const struct samples *samples, double percent)
{
	size_t at = (size_t)((double)samples->nr * percent / 100);

	return samples->nr ? samples->ns[at < samples->nr ? at : samples->nr - 1] : 0;
}

static struct json_object *latency_json(const struct demo *demo, bool is_alone)
{
	static const struct {
		const char *key;
		double percent;
	} rows[] = { { "min", 0 }, { "p50", 50 }, { "p90", 90 }, { "p99", 99 }, { "p99.9", 99.9 }, { "max", 100 } };
	struct json_object *latency = json_object_new_object();
	struct samples samples;

	if (!latency || collect(demo, is_alone, &samples))
		return latency;
	for (size_t i = 0; i < ONTB_ARRAY_SIZE(rows); i++)
		ontb_json_add_uint(latency, rows[i].key, percentile(&samples, rows[i].percent));
	ontb_json_add_uint(latency, "samples", samples.nr);
	free(samples.ns);
	return latency;
}

static struct json_object *host_json(const struct demo *demo, const struct demo_host *host)
{
	struct json_object *object = json_object_new_object();
	struct ontb_ntb_irqs_status ntb;
	struct ontb_x86_status root;

	if (!object)
		return NULL;
	ontb_ntb_irqs_status(host->irqs, &ntb);
	ontb_x86_status(ontb_host_x86(host->host), &root);
	ontb_json_add_text(object, "name", ontb_host_name(host->host));
	ontb_json_add_uint(object, "cpus", demo->options.nr_cpus);
	ontb_json_add_bool(object, "remapping", root.has_remapping);
	ontb_json_add_uint(object, "msix_table", demo->options.nr_vectors);
	ontb_json_add_uint(object, "grant_ns", host->grant_ns);
	ontb_json_add_uint(object, "moves", host->moves);
	ontb_json_add_uint(object, "revokes", host->revokes);
	ontb_json_add_uint(object, "reuses", host->reuses);
	ontb_json_add_uint(object, "offlines", host->offlines);
	ontb_json_add_uint(object, "refused", host->refused);
	ontb_json_add_uint(object, "errors", atomic_load(&host->errors));
	ontb_json_add_hex(object, "window_address", ntb.window_first);
	ontb_json_add_uint(object, "window_bytes", ntb.window_size);
	json_object_object_add(object, "domains", ontb_domains_json(host->host));
	json_object_object_add(object, "interrupts", ontb_irqs_json(host->host));
	return object;
}

static struct json_object *totals_json(const struct demo_totals *totals)
{
	struct json_object *object = json_object_new_object();

	if (!object)
		return NULL;
	ontb_json_add_uint(object, "fired", totals->fired);
	ontb_json_add_uint(object, "handled", totals->handled);
	ontb_json_add_uint(object, "lost", totals->lost);
	ontb_json_add_uint(object, "misdirected", totals->misdirected);
	ontb_json_add_uint(object, "fire_ns", totals->fire_ns);
	return object;
}

static struct json_object *file_json(const struct demo_file *file)
{
	struct json_object *object = json_object_new_object();

	if (!object)
		return NULL;
	ontb_json_add_text(object, "path", file->path);
	ontb_json_add_uint(object, "bytes", file->bytes);
	ontb_json_add_uint(object, "ns", file->ns);
	ontb_json_add_uint(object, "interrupts", file->interrupts);
	ontb_json_add_text(object, "sent_sha256", file->sent_hash);
	ontb_json_add_text(object, "received_sha256", file->got_hash);
	ontb_json_add_bool(object, "intact", file->is_intact);
	return object;
}

struct json_object *demo_report_json(struct demo *demo)
{
	struct json_object *report = json_object_new_object(), *hosts = json_object_new_array();

	if (!report || !hosts) {
		(void)json_object_put(hosts);
		(void)json_object_put(report);
		return NULL;
	}
	ontb_json_add_bool(report, "ok", !demo_has_failed(demo));
	json_object_object_add(report, "hosts", hosts);
	for (unsigned int i = 0; i < DEMO_NR_HOSTS; i++)
		(void)json_object_array_add(hosts, host_json(demo, &demo->hosts[i]));
	json_object_object_add(report, "totals", totals_json(&demo->totals));
	json_object_object_add(report, "latency_alone_ns", latency_json(demo, true));
	json_object_object_add(report, "latency_ns", latency_json(demo, false));
	json_object_object_add(report, "file", file_json(&demo->file));
	return report;
}

static void print_histogram(const struct samples *samples)
{
	uint64_t low = 0;
	size_t at = 0, most = 1;

	/* Powers of two: the longest bar first, to know the scale. */
	for (uint64_t high = 256; at < samples->nr; high *= 2) {
		size_t from = at;

		while (at < samples->nr && samples->ns[at] < high)
			at++;
		most = at - from > most ? at - from : most;
	}
	at = 0;
	for (uint64_t high = 256; at < samples->nr; low = high, high *= 2) {
		size_t from = at;

		while (at < samples->nr && samples->ns[at] < high)
			at++;
		if (at == from)
			continue;
		printf("  %9.2f us %9.2f us %8zu ", (double)low / 1000, (double)high / 1000, at - from);
		for (size_t i = 0; i < ((at - from) * NR_BARS + most - 1) / most; i++)
			putchar('#');
		putchar('\n');
	}
}

static int print_latency(const struct demo *demo, bool is_alone, const char *what)
{
	struct samples samples;
	int ret = collect(demo, is_alone, &samples);

	if (ret)
		return ret;
	printf("From the store into the window to the handler, %s: median %.2f us, 99 %% below %.2f us\n", what,
	       (double)percentile(&samples, 50) / 1000, (double)percentile(&samples, 99) / 1000);
	print_histogram(&samples);
	free(samples.ns);
	return 0;
}

static int print_host(const struct demo *demo, const struct demo_host *host)
{
	struct json_object *domains = ontb_domains_json(host->host), *irqs = ontb_irqs_json(host->host);
	struct ontb_ntb_irqs_status ntb;
	int ret = -ENOMEM;

	ontb_ntb_irqs_status(host->irqs, &ntb);
	printf("\nHost %s: %u CPUs, %s, MSI-X table of %u entries, window of %llu KiB at 0x%llx for %u NTB "
	       "interrupts\n",
	       ontb_host_name(host->host), demo->options.nr_cpus,
	       demo->options.remap[host->idx] ? "interrupt remapping" : "bare CPU vectors", demo->options.nr_vectors,
	       (unsigned long long)ntb.window_size / 1024, (unsigned long long)ntb.window_first, ntb.nr_allocated);
	if (domains && irqs) {
		ret = ontb_domains_print(stdout, domains);
		putchar('\n');
		if (!ret)
			ret = ontb_irqs_print(stdout, irqs, demo->options.nr_cpus, SHOWN_PER_DOMAIN);
	}
	(void)json_object_put(domains);
	(void)json_object_put(irqs);
	if (!ret)
		printf("\nwhile firing: %llu moved between CPUs, %llu taken back and granted again, %llu freed and "
		       "used again,\n"
		       "%llu CPUs off line and back; %llu messages to it not sent because it was taken back\n",
		       (unsigned long long)host->moves, (unsigned long long)host->revokes,
		       (unsigned long long)host->reuses, (unsigned long long)host->offlines,
		       (unsigned long long)demo->hosts[host->idx ^ 1].refused);
	return ret;
}

static void print_file(const struct demo_file *file)
{
	double seconds = (double)file->ns / ONTB_NS_PER_S;

	printf("\nFile %s: %llu bytes in %.3f s (%.0f MB/s), announced by %llu interrupts\n  sent     sha256 %s\n"
	       "  received sha256 %s: %s\n",
	       file->path, (unsigned long long)file->bytes, seconds,
	       seconds > 0 ? (double)file->bytes / 1e6 / seconds : 0, (unsigned long long)file->interrupts,
	       file->sent_hash, file->got_hash, file->is_intact ? "intact" : "DIFFERENT");
}

int demo_report_print(struct demo *demo)
{
	const struct demo_totals *totals = &demo->totals;
	int ret = 0;

	for (unsigned int i = 0; i < DEMO_NR_HOSTS && !ret; i++)
		ret = print_host(demo, &demo->hosts[i]);
	if (ret)
		return ret;
	printf("\nMessages: %llu fired, %llu handled, %llu lost, %llu misdirected, in %.2f s\n",
	       (unsigned long long)totals->fired, (unsigned long long)totals->handled, (unsigned long long)totals->lost,
	       (unsigned long long)totals->misdirected, (double)totals->fire_ns / ONTB_NS_PER_S);
	ret = print_latency(demo, true, "one at a time");
	if (!ret)
		ret = print_latency(demo, false, "all at once, while everything changes");
	if (ret)
		return ret;
	print_file(&demo->file);
	return 0;
}
