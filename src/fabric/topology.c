// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Reading a description: the first word of a statement says which function reads the others.
 */
#include "fabric/topology.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <openntb/switchtec.h>

#include "base/bytes.h"
#include "fabric/words.h"

#define LETTERS	  "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define MAX_BAR	  (64ULL << 30)
#define LUT_SIZE  (64 * ONTB_KIB)
#define MAX_DELAY 60000000000ULL
#define MAX_MSI	  32
#define MAX_MSIX  2048

static int find_host(const struct ontb_topology *topo, const char *name)
{
	for (unsigned int i = 0; i < topo->nr_hosts; i++) {
		if (!strcmp(topo->hosts[i].name, name))
			return (int)i;
	}
	return ONTB_TOPO_NO_HOST;
}

static bool is_name(const char *word)
{
	size_t len = strlen(word);

	return len <= ONTB_TOPO_MAX_NAME && strspn(word, LETTERS) && strspn(word, LETTERS "0123456789-_") == len;
}

enum {
	HOST_CPUS,
	HOST_RAM,
	HOST_REMAP,
	NR_HOST_OPTS
};
static const struct ontb_option host_opts[NR_HOST_OPTS] = {
	[HOST_CPUS] = { "cpus", ONTB_OPTION_COUNT, 1, ONTB_TOPO_MAX_CPUS },
	[HOST_RAM] = { "ram", ONTB_OPTION_SIZE, ONTB_TOPO_MIN_RAM, ONTB_TOPO_MAX_RAM },
	[HOST_REMAP] = { "remap", ONTB_OPTION_SWITCH, 0, 1 },
};

static int read_host(struct ontb_words *w, struct ontb_topology *topo)
{
	uint64_t values[NR_HOST_OPTS] = { [HOST_CPUS] = 2, [HOST_RAM] = 64 * ONTB_MIB };
	struct ontb_topo_host *host;
	int ret;

	if (w->nr_words < 2)
		return ontb_words_fail(w, "\"host\" needs a name");
	if (!is_name(w->words[1]))
		return ontb_words_fail(
			w, "name \"%s\": must be a letter, then letters, digits, \"-\" and \"_\", at most %d",
			w->words[1], ONTB_TOPO_MAX_NAME);
	if (find_host(topo, w->words[1]) >= 0)
		return ontb_words_fail(w, "there is a host \"%s\" already", w->words[1]);
	if (topo->nr_hosts == ONTB_TOPO_MAX_HOSTS)
		return ontb_words_fail(w, "more than %d hosts", ONTB_TOPO_MAX_HOSTS);
	ret = ontb_words_options(w, 2, host_opts, NR_HOST_OPTS, values);
	if (ret)
		return ret;
	host = &topo->hosts[topo->nr_hosts++];
	*host = (struct ontb_topo_host){
		.nr_cpus = (unsigned int)values[HOST_CPUS],
		.ram_size = values[HOST_RAM],
		.remap = values[HOST_REMAP],
	};
	memcpy(host->name, w->words[1], strlen(w->words[1]));
	return 0;
}

/* Finds the host that a word names and gives it one more function. */
static int plug(struct ontb_words *w, struct ontb_topology *topo, const char *word, int *out)
{
	int host = find_host(topo, word);

	if (host < 0)
		return ontb_words_fail(w, "there is no host \"%s\" above this line", word);
	if (topo->hosts[host].nr_funcs == ONTB_TOPO_MAX_FUNCS)
		return ontb_words_fail(w, "host \"%s\" has more than %d functions", word, ONTB_TOPO_MAX_FUNCS);
	topo->hosts[host].nr_funcs++;
	*out = host;
	return 0;
}

enum {
	BRIDGE_VECTORS,
	BRIDGE_LUTS,
	BRIDGE_BAR2,
	BRIDGE_BAR4,
	NR_BRIDGE_OPTS
};
static const struct ontb_option bridge_opts[NR_BRIDGE_OPTS] = {
	[BRIDGE_VECTORS] = { "vectors", ONTB_OPTION_COUNT, 3, 64 },
	[BRIDGE_LUTS] = { "luts", ONTB_OPTION_POWER, 2, 512 },
	[BRIDGE_BAR2] = { "bar2", ONTB_OPTION_BAR, 4 * LUT_SIZE, MAX_BAR },
	[BRIDGE_BAR4] = { "bar4", ONTB_OPTION_BAR, LUT_SIZE, MAX_BAR },
};

/* Ports are the words up to the first option. */
static int read_ports(struct ontb_words *w, struct ontb_topology *topo, struct ontb_topo_bridge *bridge)
{
	for (unsigned int i = 2; i < w->nr_words && !strchr(w->words[i], '='); i++) {
		int *host = &bridge->hosts[bridge->nr_ports];
		int ret;

		if (bridge->nr_ports == ONTB_MAX_PORTS)
			return ontb_words_fail(w, "more than %d ports", ONTB_MAX_PORTS);
		*host = ONTB_TOPO_NO_HOST;
		if (strcmp(w->words[i], "-") != 0) {
			ret = plug(w, topo, w->words[i], host);
			if (ret)
				return ret;
		}
		bridge->nr_ports++;
	}
	if (bridge->nr_ports < 2 || bridge->nr_ports % 2)
		return ontb_words_fail(
			w,
			"%u ports: must be an even number from 2 to %d; each is a host or \"-\", ports come in pairs",
			bridge->nr_ports, ONTB_MAX_PORTS);
	return 0;
}

static int read_bridge(struct ontb_words *w, struct ontb_topology *topo)
{
	struct ontb_switchtec_config defaults;
	struct ontb_topo_bridge *bridge;
	uint64_t values[NR_BRIDGE_OPTS];
	int ret;

	if (w->nr_words < 2)
		return ontb_words_fail(w, "\"bridge\" needs a model: \"switchtec\"");
	if (strcmp(w->words[1], "switchtec") != 0)
		return ontb_words_fail(w, "model \"%s\": must be \"switchtec\"", w->words[1]);
	if (topo->nr_bridges == ONTB_TOPO_MAX_BRIDGES)
		return ontb_words_fail(w, "more than %d bridges", ONTB_TOPO_MAX_BRIDGES);
	bridge = &topo->bridges[topo->nr_bridges];
	memset(bridge, 0, sizeof(*bridge));
	ret = read_ports(w, topo, bridge);
	if (ret)
		return ret;
	ontb_switchtec_config_init(&defaults);
	values[BRIDGE_VECTORS] = defaults.nr_vectors;
	values[BRIDGE_LUTS] = defaults.nr_luts;
	values[BRIDGE_BAR2] = defaults.bar2_size;
	values[BRIDGE_BAR4] = defaults.bar4_size;
	ret = ontb_words_options(w, 2 + bridge->nr_ports, bridge_opts, NR_BRIDGE_OPTS, values);
	if (ret)
		return ret;
	/* Half of the BAR is for the direct window behind the table. */
	if (values[BRIDGE_BAR2] < 2 * LUT_SIZE * values[BRIDGE_LUTS]) {
		char size[24];

		if (w->is_given >> BRIDGE_BAR2 & 1)
			return ontb_words_fail(w, "bar2= must be at least %s with %" PRIu64 " look-up table windows",
					       ontb_words_size_text(2 * LUT_SIZE * values[BRIDGE_LUTS], size,
								    sizeof(size)),
					       values[BRIDGE_LUTS]);
		values[BRIDGE_BAR2] = 2 * LUT_SIZE * values[BRIDGE_LUTS];
	}
	bridge->nr_vectors = (unsigned int)values[BRIDGE_VECTORS];
	bridge->nr_luts = (unsigned int)values[BRIDGE_LUTS];
	bridge->bar2_size = values[BRIDGE_BAR2];
	bridge->bar4_size = values[BRIDGE_BAR4];
	topo->nr_bridges++;
	return 0;
}

enum {
	ENDPOINT_MSI,
	ENDPOINT_MSIX,
	NR_ENDPOINT_OPTS
};
static const struct ontb_option endpoint_opts[NR_ENDPOINT_OPTS] = {
	[ENDPOINT_MSI] = { "msi", ONTB_OPTION_POWER, 0, MAX_MSI },
	[ENDPOINT_MSIX] = { "msix", ONTB_OPTION_COUNT, 0, MAX_MSIX },
};

static int read_endpoint(struct ontb_words *w, struct ontb_topology *topo)
{
	uint64_t values[NR_ENDPOINT_OPTS] = { [ENDPOINT_MSI] = 4, [ENDPOINT_MSIX] = 16 };
	int host, ret;

	if (w->nr_words < 3)
		return ontb_words_fail(w, "\"endpoint\" needs a model (\"exerciser\") and a host");
	if (strcmp(w->words[1], "exerciser") != 0)
		return ontb_words_fail(w, "model \"%s\": must be \"exerciser\"", w->words[1]);
	if (topo->nr_endpoints == ONTB_TOPO_MAX_ENDPOINTS)
		return ontb_words_fail(w, "more than %d endpoints", ONTB_TOPO_MAX_ENDPOINTS);
	ret = plug(w, topo, w->words[2], &host);
	if (ret)
		return ret;
	ret = ontb_words_options(w, 3, endpoint_opts, NR_ENDPOINT_OPTS, values);
	if (ret)
		return ret;
	if (!values[ENDPOINT_MSI] && !values[ENDPOINT_MSIX])
		return ontb_words_fail(w, "msi=0 and msix=0: one of them must not be 0");
	topo->endpoints[topo->nr_endpoints++] = (struct ontb_topo_endpoint){
		.host = (unsigned int)host,
		.nr_msi = (unsigned int)values[ENDPOINT_MSI],
		.nr_msix = (unsigned int)values[ENDPOINT_MSIX],
	};
	return 0;
}

enum {
	WAY_DELAY,
	WAY_JITTER,
	WAY_DROP,
	NR_WAY_OPTS
};
static const struct ontb_option way_opts[NR_WAY_OPTS] = {
	[WAY_DELAY] = { "delay", ONTB_OPTION_TIME, 0, MAX_DELAY },
	[WAY_JITTER] = { "jitter", ONTB_OPTION_TIME, 0, MAX_DELAY },
	[WAY_DROP] = { "drop", ONTB_OPTION_COUNT, 0, UINT32_MAX },
};

static int read_way(struct ontb_words *w, struct ontb_topology *topo)
{
	uint64_t values[NR_WAY_OPTS] = { 0 }, bridge, port;
	int ret;

	if (w->nr_words < 3)
		return ontb_words_fail(w, "\"way\" needs the number of a bridge and of a port");
	if (!ontb_words_number(w->words[1], &bridge) || bridge >= topo->nr_bridges)
		return ontb_words_fail(w, "there is no bridge \"%s\" above this line: they count from 0", w->words[1]);
	if (!ontb_words_number(w->words[2], &port) || port >= topo->bridges[bridge].nr_ports ||
	    topo->bridges[bridge].hosts[port] < 0)
		return ontb_words_fail(w, "bridge %" PRIu64 " has no port \"%s\" with a host: they count from 0",
				       bridge, w->words[2]);
	ret = ontb_words_options(w, 3, way_opts, NR_WAY_OPTS, values);
	if (ret)
		return ret;
	topo->bridges[bridge].ways[port] = (struct ontb_fabric_way){
		.delay_ns = values[WAY_DELAY],
		.jitter_ns = values[WAY_JITTER],
		.drop_every = (unsigned int)values[WAY_DROP],
	};
	return 0;
}

static const struct {
	const char *word;
	int (*read)(struct ontb_words *w, struct ontb_topology *topo);
} statements[] = {
	{ "host", read_host },
	{ "bridge", read_bridge },
	{ "endpoint", read_endpoint },
	{ "way", read_way },
};

static int interpret(struct ontb_words *w, struct ontb_topology *topo)
{
	for (size_t i = 0; i < ONTB_ARRAY_SIZE(statements); i++) {
		if (!strcmp(w->words[0], statements[i].word))
			return statements[i].read(w, topo);
	}
	return ontb_words_fail(w, "word \"%s\": a statement begins with \"host\", \"bridge\", \"endpoint\" or \"way\"",
			       w->words[0]);
}

static int read_all(struct ontb_words *w, struct ontb_topology *topo)
{
	int ret;

	for (;;) {
		ret = ontb_words_read(w);
		if (!ret && w->nr_words)
			ret = interpret(w, topo);
		if (ret)
			return ret;
		if (!*w->at)
			break;
		if (*w->at++ == '\n')
			w->line++;
	}
	return topo->nr_hosts ? 0 : ontb_words_fail(w, "there is no host");
}

int ontb_topology_parse(const char *text, char *why, size_t why_len, struct ontb_topology *out)
{
	struct ontb_words w = { .at = text, .line = 1, .why = why, .why_len = why_len };

	if (why_len)
		why[0] = '\0';
	out->nr_hosts = out->nr_bridges = out->nr_endpoints = 0;
	return read_all(&w, out);
}
