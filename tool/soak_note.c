// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * What happened in a stepped run: the last events, and a digest of all.
 */
#include <stdio.h>

#include "tool/soak.h"

#define MAX_SHOWN 60U

static void mix(struct soak *soak, uint64_t value)
{
	/* FNV-1a, by bytes. */
	for (unsigned int i = 0; i < 8; i++)
		soak->digest = (soak->digest ^ (value >> 8 * i & 0xff)) * 0x100000001b3ULL;
}

static void note(struct soak *soak, const struct soak_note *what)
{
	if (!soak->notes)
		return;
	mix(soak, what->step);
	for (const char *c = what->what; *c; c++)
		soak->digest = (soak->digest ^ (unsigned char)*c) * 0x100000001b3ULL;
	mix(soak, (uint64_t)what->host << 32 | (uint32_t)what->bridge);
	mix(soak, (uint32_t)what->index);
	mix(soak, what->value);
	soak->notes[soak->nr_notes++ % SOAK_NR_NOTES] = *what;
}

void soak_note(const struct soak_side *side, const char *what, int index, uint64_t value)
{
	if (!side->soak->options.is_stepped)
		return;
	note(side->soak, &(struct soak_note){ .step = side->soak->step,
					      .what = what,
					      .host = side->host->idx,
					      .bridge = (int)side->bridge,
					      .index = index,
					      .value = value });
}

void soak_note_host(const struct soak_host *host, const char *what, uint64_t value)
{
	if (!host->soak->options.is_stepped)
		return;
	note(host->soak, &(struct soak_note){ .step = host->soak->step,
					      .what = what,
					      .host = host->idx,
					      .bridge = -1,
					      .index = -1,
					      .value = value });
}

void soak_blame(const struct soak_cell *cell, const char *what)
{
	struct soak *soak = cell->side->soak;

	if (atomic_exchange(&soak->is_blamed, true))
		return;
	soak->culprit = cell;
	soak->culprit_what = what;
	soak->culprit_note = soak->nr_notes;
}

/* What happened to the interrupt, to its link at both ends, and to its host. */
static bool concerns(const struct soak_note *what, const struct soak_cell *cell)
{
	const struct soak_side *side = cell->side;

	if (what->bridge == (int)side->bridge && what->index < 0)
		return true;
	if (what->host != side->host->idx)
		return what->bridge < 0 && what->host == side->peer->host->idx;
	return what->bridge < 0 || (what->bridge == (int)side->bridge && what->index == (int)cell->index);
}

static const struct soak_note *note_at(const struct soak *soak, uint64_t n)
{
	return &soak->notes[n % SOAK_NR_NOTES];
}

static void print_note(const struct soak *soak, const struct soak_note *what)
{
	fprintf(stderr, "  step %8llu  %-5s", (unsigned long long)what->step, soak->hosts[what->host].name);
	if (what->bridge >= 0)
		fprintf(stderr, " bridge %d", what->bridge);
	if (what->index >= 0)
		fprintf(stderr, " interrupt %d", what->index);
	fprintf(stderr, ": %s (0x%llx)\n", what->what, (unsigned long long)what->value);
}

static void print_command(const struct soak *soak)
{
	static const char *const parents[] = { "vector", "remap", "mixed" };
	const struct soak_options *options = &soak->options;

	fprintf(stderr,
		"to see it again: openntb soak --stepped --steps %u --seed %llu --hosts %u --cpus %u --irqs %u "
		"--late-ms "
		"%u --parent %s --scheme %s\n",
		options->nr_steps, (unsigned long long)options->seed, options->nr_hosts, options->nr_cpus,
		options->nr_irqs, options->late_ms, parents[options->parent], options->is_linux ? "linux" : "ours");
}

void soak_explain(const struct soak *soak)
{
	const struct soak_cell *cell = soak->culprit;
	uint64_t first, oldest;
	unsigned int nr = 0;

	if (!cell)
		return;
	fprintf(stderr, "host %s, bridge %u, interrupt %u: %s\n", cell->side->host->name, cell->side->bridge,
		cell->index, soak->culprit_what);
	if (!soak->options.is_stepped) {
		fputs("--stepped shows what led to it, if the same happens there\n", stderr);
		return;
	}
	/* Back from the failure until there is enough. */
	oldest = soak->nr_notes > SOAK_NR_NOTES ? soak->nr_notes - SOAK_NR_NOTES : 0;
	for (first = soak->culprit_note; first > oldest && nr < MAX_SHOWN; first--)
		nr += concerns(note_at(soak, first - 1), cell);
	for (uint64_t n = first; n < soak->culprit_note; n++) {
		if (concerns(note_at(soak, n), cell))
			print_note(soak, note_at(soak, n));
	}
	print_command(soak);
}
