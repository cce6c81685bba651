// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Any text as a description, against a slow and obvious model.
 *
 * The model splits the text into statements and words with the C library, and accepts a word by regular expressions; it knows
 * no state but names and counts. Both must agree on what is accepted and what comes out; a refusal must name the line that the
 * model stumbles over. What was accepted is written down again, in full, and read once more: it must come out the same.
 */
#include <errno.h>
#include <regex.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/annotate.h"
#include "fabric/topology.h"

#define MAX_TEXT 8192

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const patterns[] = {
	"^[A-Za-z][A-Za-z0-9_-]{0,30}$",
	"^[0-9]+$",
	"^[0-9]+[KMG]?$",
	"^[0-9]+(ns|us|ms|s)?$",
};
enum {
	NAME,
	NUMBER,
	SIZE,
	TIME,
	NR_PATTERNS
};
static regex_t regs[NR_PATTERNS];

static struct ontb_topology topo, again, model;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	for (unsigned int i = 0; i < NR_PATTERNS; i++) {
		if (regcomp(&regs[i], patterns[i], REG_EXTENDED | REG_NOSUB))
			abort();
	}
	return 0;
}

static void must(bool truth, const char *text)
{
	if (truth)
		return;
	fprintf(stderr, "fuzz_topology: %s\n", text);
	abort();
}

static bool matches(unsigned int pattern, const char *word)
{
	return !regexec(&regs[pattern], word, 0, NULL, 0);
}

/* Doubles are exact enough: all limits are far below 2^53, and what is rounded is far above them. */
static bool number(const char *word, unsigned int pattern, double min, double max, uint64_t *out)
{
	static const struct {
		const char *unit;
		double factor;
	} units[] = { { "K", 1024 }, { "M", 1048576 }, { "G", 1073741824 }, { "ns", 1 },
		      { "us", 1e3 }, { "ms", 1e6 },    { "s", 1e9 } };
	const char *unit = word + strspn(word, "0123456789");
	double value;

	if (!matches(pattern, word))
		return false;
	value = strtod(word, NULL);
	for (unsigned int i = 0; i < ONTB_ARRAY_SIZE(units); i++) {
		if (!strcmp(unit, units[i].unit))
			value *= units[i].factor;
	}
	if (value < min || value > max)
		return false;
	*out = (uint64_t)value;
	return true;
}

static bool is_power(uint64_t value)
{
	return __builtin_popcountll(value) == 1;
}

static int host_of(const char *word)
{
	for (unsigned int i = 0; i < model.nr_hosts; i++) {
		if (!strcmp(model.hosts[i].name, word))
			return (int)i;
	}
	return -1;
}

/* The value of option @key among @words, or @standard; *nr_known counts the options found. */
static const char *option(char **words, unsigned int nr, const char *key, const char *standard, unsigned int *nr_known)
{
	const char *found = standard;

	for (unsigned int i = 0; i < nr; i++) {
		if (!strncmp(words[i], key, strlen(key)) && words[i][strlen(key)] == '=') {
			found = found == standard ? words[i] + strlen(key) + 1 : "twice";
			++*nr_known;
		}
	}
	return found;
}

static bool model_host(char **words, unsigned int nr)
{
	struct ontb_topo_host *host = &model.hosts[model.nr_hosts];
	unsigned int nr_known = 0;
	const char *remap;
	uint64_t cpus, ram;

	if (nr < 2 || !matches(NAME, words[1]) || host_of(words[1]) >= 0 || model.nr_hosts == ONTB_TOPO_MAX_HOSTS)
		return false;
	remap = option(words + 2, nr - 2, "remap", "off", &nr_known);
	if (!number(option(words + 2, nr - 2, "cpus", "2", &nr_known), NUMBER, 1, 256, &cpus) ||
	    !number(option(words + 2, nr - 2, "ram", "64M", &nr_known), SIZE, 1048576, 2147483648.0, &ram) ||
	    ram % 4096 || (strcmp(remap, "on") != 0 && strcmp(remap, "off") != 0) || nr_known != nr - 2)
		return false;
	memset(host, 0, sizeof(*host));
	memcpy(host->name, words[1], strlen(words[1]));
	host->nr_cpus = (unsigned int)cpus;
	host->ram_size = ram;
	host->remap = !strcmp(remap, "on");
	model.nr_hosts++;
	return true;
}

static bool model_plug(const char *word, int *out)
{
	*out = host_of(word);
	return *out >= 0 && model.hosts[*out].nr_funcs++ < ONTB_TOPO_MAX_FUNCS;
}

static bool model_bridge(char **words, unsigned int nr)
{
	struct ontb_topo_bridge *bridge = &model.bridges[model.nr_bridges];
	uint64_t vectors, luts, bar2, bar4, least;
	unsigned int nr_known = 0, at = 2;
	char standard[32];

	if (nr < 2 || strcmp(words[1], "switchtec") != 0 || model.nr_bridges == ONTB_TOPO_MAX_BRIDGES)
		return false;
	memset(bridge, 0, sizeof(*bridge));
	for (; at < nr && !strchr(words[at], '='); at++) {
		int host = ONTB_TOPO_NO_HOST;

		if (at - 2 == ONTB_MAX_PORTS || (strcmp(words[at], "-") != 0 && !model_plug(words[at], &host)))
			return false;
		bridge->hosts[bridge->nr_ports++] = host;
	}
	if (!bridge->nr_ports || bridge->nr_ports % 2)
		return false;
	words += at;
	nr -= at;
	if (!number(option(words, nr, "vectors", "4", &nr_known), NUMBER, 3, 64, &vectors) ||
	    !number(option(words, nr, "luts", "32", &nr_known), NUMBER, 2, 512, &luts) || !is_power(luts) ||
	    !number(option(words, nr, "bar4", "2M", &nr_known), SIZE, 65536, 68719476736.0, &bar4) || !is_power(bar4))
		return false;
	least = 131072 * luts;
	(void)snprintf(standard, sizeof(standard), "%llu", (unsigned long long)(least > 4194304 ? least : 4194304));
	if (!number(option(words, nr, "bar2", standard, &nr_known), SIZE, (double)least, 68719476736.0, &bar2) ||
	    !is_power(bar2) || nr_known != nr)
		return false;
	bridge->nr_vectors = (unsigned int)vectors;
	bridge->nr_luts = (unsigned int)luts;
	bridge->bar2_size = bar2;
	bridge->bar4_size = bar4;
	model.nr_bridges++;
	return true;
}

static bool model_endpoint(char **words, unsigned int nr)
{
	unsigned int nr_known = 0;
	uint64_t msi, msix;
	int host;

	if (nr < 3 || strcmp(words[1], "exerciser") != 0 || model.nr_endpoints == ONTB_TOPO_MAX_ENDPOINTS ||
	    !model_plug(words[2], &host) ||
	    !number(option(words + 3, nr - 3, "msi", "4", &nr_known), NUMBER, 0, 32, &msi) || (msi && !is_power(msi)) ||
	    !number(option(words + 3, nr - 3, "msix", "16", &nr_known), NUMBER, 0, 2048, &msix) || !(msi + msix) ||
	    nr_known != nr - 3)
		return false;
	model.endpoints[model.nr_endpoints++] =
		(struct ontb_topo_endpoint){ (unsigned int)host, (unsigned int)msi, (unsigned int)msix };
	return true;
}

static bool model_way(char **words, unsigned int nr)
{
	uint64_t bridge, port, delay, jitter, drop;
	unsigned int nr_known = 0;

	if (nr < 3 || !number(words[1], NUMBER, 0, 1e6, &bridge) || bridge >= model.nr_bridges ||
	    !number(words[2], NUMBER, 0, 1e6, &port) || port >= model.bridges[bridge].nr_ports ||
	    model.bridges[bridge].hosts[port] < 0 ||
	    !number(option(words + 3, nr - 3, "delay", "0", &nr_known), TIME, 0, 60e9, &delay) ||
	    !number(option(words + 3, nr - 3, "jitter", "0", &nr_known), TIME, 0, 60e9, &jitter) ||
	    !number(option(words + 3, nr - 3, "drop", "0", &nr_known), NUMBER, 0, 4294967295.0, &drop) ||
	    nr_known != nr - 3)
		return false;
	model.bridges[bridge].ways[port] =
		(struct ontb_fabric_way){ .delay_ns = delay, .jitter_ns = jitter, .drop_every = (unsigned int)drop };
	return true;
}

static bool model_statement(char *text)
{
	char *words[64], *rest = NULL;
	unsigned int nr = 0;

	for (char *word = strtok_r(text, " \t\r", &rest); word; word = strtok_r(NULL, " \t\r", &rest)) {
		if (nr == ONTB_MAX_PORTS + 8 || strlen(word) > 63)
			return false;
		for (const char *c = word; *c; c++) {
			if (*c <= ' ' || *c > '~')
				return false;
		}
		words[nr++] = word;
	}
	if (!nr)
		return true;
	if (!strcmp(words[0], "host"))
		return model_host(words, nr);
	if (!strcmp(words[0], "bridge"))
		return model_bridge(words, nr);
	if (!strcmp(words[0], "endpoint"))
		return model_endpoint(words, nr);
	return !strcmp(words[0], "way") && model_way(words, nr);
}

/* The line that is wrong, or 0. */
static unsigned int model_parse(const char *text)
{
	char line[MAX_TEXT], *at, *next;
	unsigned int nr = 1;

	memset(&model, 0, sizeof(model));
	for (;; text += strlen(line) + 1, nr++) {
		(void)snprintf(line, sizeof(line), "%.*s", (int)strcspn(text, "\n"), text);
		at = strdup(line);
		must(at, "no memory");
		next = at;
		next[strcspn(next, "#")] = '\0';
		for (char *statement = strsep(&next, ";"); statement; statement = strsep(&next, ";")) {
			if (!model_statement(statement)) {
				free(at);
				return nr;
			}
		}
		free(at);
		if (!text[strlen(line)])
			return model.nr_hosts ? 0 : nr;
	}
}

static void write_down(char *text, size_t size)
{
	size_t len = 0;

#define PUT(...) (len += (size_t)snprintf(text + len, size - len, __VA_ARGS__))
	for (unsigned int i = 0; i < topo.nr_hosts; i++)
		PUT("host %s cpus=%u ram=%llu remap=%s\n", topo.hosts[i].name, topo.hosts[i].nr_cpus,
		    (unsigned long long)topo.hosts[i].ram_size, topo.hosts[i].remap ? "on" : "off");
	for (unsigned int i = 0; i < topo.nr_bridges; i++) {
		const struct ontb_topo_bridge *bridge = &topo.bridges[i];

		PUT("bridge switchtec");
		for (unsigned int p = 0; p < bridge->nr_ports; p++)
			PUT(" %s", bridge->hosts[p] < 0 ? "-" : topo.hosts[bridge->hosts[p]].name);
		PUT(" vectors=%u luts=%u bar2=%llu bar4=%llu\n", bridge->nr_vectors, bridge->nr_luts,
		    (unsigned long long)bridge->bar2_size, (unsigned long long)bridge->bar4_size);
		for (unsigned int p = 0; p < bridge->nr_ports; p++) {
			if (bridge->hosts[p] >= 0)
				PUT("way %u %u delay=%llu jitter=%llu drop=%u\n", i, p,
				    (unsigned long long)bridge->ways[p].delay_ns,
				    (unsigned long long)bridge->ways[p].jitter_ns, bridge->ways[p].drop_every);
		}
	}
	for (unsigned int i = 0; i < topo.nr_endpoints; i++)
		PUT("endpoint exerciser %s msi=%u msix=%u\n", topo.hosts[topo.endpoints[i].host].name,
		    topo.endpoints[i].nr_msi, topo.endpoints[i].nr_msix);
#undef PUT
	must(len < size, "the text is too long");
}

static bool is_same(const struct ontb_topology *a, const struct ontb_topology *b)
{
	return a->nr_hosts == b->nr_hosts && a->nr_bridges == b->nr_bridges && a->nr_endpoints == b->nr_endpoints &&
	       !memcmp(a->hosts, b->hosts, a->nr_hosts * sizeof(a->hosts[0])) &&
	       !memcmp(a->bridges, b->bridges, a->nr_bridges * sizeof(a->bridges[0])) &&
	       !memcmp(a->endpoints, b->endpoints, a->nr_endpoints * sizeof(a->endpoints[0]));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char text[MAX_TEXT], written[128 * 1024];
	char why[200], expected[32];
	unsigned int bad_line;
	int ret;

	if (size >= sizeof(text))
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	memset(&topo, 0, sizeof(topo));
	memset(why, 'x', sizeof(why));
	ret = ontb_topology_parse(text, why, sizeof(why), &topo);
	bad_line = model_parse(text);
	must(memchr(why, '\0', sizeof(why)), "the reason does not end");
	must(ret == (bad_line ? -EINVAL : 0), "the model does not agree");
	if (bad_line) {
		(void)snprintf(expected, sizeof(expected), "line %u: ", bad_line);
		must(!strncmp(why, expected, strlen(expected)), "the wrong line is named");
		must(strlen(why) > strlen(expected), "there is no reason");
		return 0;
	}
	must(!*why, "there is a reason for nothing");
	must(is_same(&topo, &model), "the model came out differently");
	write_down(written, sizeof(written));
	memset(&again, 0, sizeof(again));
	must(!ontb_topology_parse(written, why, sizeof(why), &again), "what was written down is refused");
	must(is_same(&topo, &again), "what was written down came out differently");
	return 0;
}
