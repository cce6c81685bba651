// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Reading a description. A statement is a list of words; its first word says which function reads the others. Options are
 * words "key=value", described by a table per statement.
 */
#include "fabric/topology.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <openntb/switchtec.h>

#include "base/bytes.h"

#define MAX_WORD  63
#define MAX_WORDS (ONTB_MAX_PORTS + 8)
#define GIB	  (1ULL << 30)
#define PAGE	  4096
#define MAX_BAR	  (64 * GIB)
#define LUT_SIZE  (64 * ONTB_KIB)
#define MAX_DELAY 60000000000ULL
#define MAX_MSI	  32
#define MAX_MSIX  2048

/**
 * struct parser - where the parser is
 * @at:       Next character.
 * @line:     Its line, from 1.
 * @why:      For the text of an error.
 * @why_len:  Size of @why.
 * @topo:     What comes out.
 * @words:    Words of the statement.
 * @nr_words: How many.
 * @is_given: By option of the statement.
 */
struct parser {
	const char *at;
	unsigned int line;
	char *why;
	size_t why_len;
	struct ontb_topology *topo;
	char words[MAX_WORDS][MAX_WORD + 1];
	unsigned int nr_words;
	uint64_t is_given;
};

enum value_kind {
	VALUE_COUNT, /* a number */
	VALUE_POWER, /* a number that is a power of two, or 0 if @min is 0 */
	VALUE_SIZE,  /* bytes with K, M, G; a multiple of a page */
	VALUE_BAR,   /* bytes with K, M, G; a power of two */
	VALUE_TIME,  /* ns, us, ms, s */
	VALUE_SWITCH /* on, off */
};

/**
 * struct option - a row of the table of a statement's options
 * @key:  Name.
 * @kind: What the value is.
 * @min:  Least value.
 * @max:  Greatest value.
 */
struct option {
	const char *key;
	enum value_kind kind;
	uint64_t min;
	uint64_t max;
};

static int fail(const struct parser *p, const char *fmt, ...) ONTB_PRINTF(2, 3);

static int fail(const struct parser *p, const char *fmt, ...)
{
	va_list args;
	int n;

	if (!p->why_len)
		return -EINVAL;
	n = snprintf(p->why, p->why_len, "line %u: ", p->line);
	if (n < 0 || (size_t)n >= p->why_len)
		return -EINVAL;
	va_start(args, fmt);
	(void)vsnprintf(p->why + n, p->why_len - (size_t)n, fmt, args);
	va_end(args);
	return -EINVAL;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static bool is_end(char c)
{
	return c == '\0' || c == '\n' || c == ';' || c == '#';
}

static bool is_printable(char c)
{
	return c > 0x20 && c < 0x7f;
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static int read_word(struct parser *p)
{
	char *word = p->words[p->nr_words];
	size_t len = 0;

	for (; !is_blank(*p->at) && !is_end(*p->at); p->at++) {
		if (!is_printable(*p->at))
			return fail(p, "character 0x%02x: only printable ASCII is allowed", (unsigned char)*p->at);
		if (len == MAX_WORD)
			return fail(p, "word \"%.16s...\" is longer than %d characters", word, MAX_WORD);
		word[len++] = *p->at;
		word[len] = '\0';
	}
	p->nr_words++;
	return 0;
}

/* Reads the words up to the end of a statement; the character that ended it is not taken. */
static int read_statement(struct parser *p)
{
	int ret;

	p->nr_words = 0;
	for (;;) {
		while (is_blank(*p->at))
			p->at++;
		if (*p->at == '#') {
			while (*p->at && *p->at != '\n')
				p->at++;
		}
		if (is_end(*p->at))
			return 0;
		if (p->nr_words == MAX_WORDS)
			return fail(p, "more than %d words in a statement", MAX_WORDS);
		ret = read_word(p);
		if (ret)
			return ret;
	}
}

/* Digits, without sign or blank; *rest is what follows them. False if there are none or too many. */
static bool read_digits(const char *text, uint64_t *value, const char **rest)
{
	*value = 0;
	if (!is_digit(*text))
		return false;
	for (; is_digit(*text); text++) {
		if (*value > (UINT64_MAX - 9) / 10)
			return false;
		*value = *value * 10 + (uint64_t)(*text - '0');
	}
	*rest = text;
	return true;
}

static bool scale(uint64_t *value, uint64_t unit)
{
	return !__builtin_mul_overflow(*value, unit, value);
}

static bool read_number(const char *text, uint64_t *value)
{
	const char *rest;

	return read_digits(text, value, &rest) && !*rest;
}

static bool read_size(const char *text, uint64_t *value)
{
	const char *rest;

	if (!read_digits(text, value, &rest))
		return false;
	if (!*rest)
		return true;
	if (rest[1])
		return false;
	switch (*rest) {
	case 'K':
		return scale(value, ONTB_KIB);
	case 'M':
		return scale(value, ONTB_MIB);
	case 'G':
		return scale(value, GIB);
	default:
		return false;
	}
}

static bool read_time(const char *text, uint64_t *value)
{
	const char *rest;

	if (!read_digits(text, value, &rest))
		return false;
	if (!*rest || !strcmp(rest, "ns"))
		return true;
	if (!strcmp(rest, "us"))
		return scale(value, 1000);
	if (!strcmp(rest, "ms"))
		return scale(value, 1000000);
	return !strcmp(rest, "s") && scale(value, 1000000000);
}

static const char *size_text(uint64_t size, char *buf, size_t len)
{
	const char *unit = "";

	if (size >= GIB && size % GIB == 0)
		unit = "G";
	else if (size >= ONTB_MIB && size % ONTB_MIB == 0)
		unit = "M";
	else if (size >= ONTB_KIB && size % ONTB_KIB == 0)
		unit = "K";
	size >>= *unit == 'G' ? 30 : *unit == 'M' ? 20 : *unit == 'K' ? 10 : 0;
	(void)snprintf(buf, len, "%" PRIu64 "%s", size, unit);
	return buf;
}

static int fail_value(const struct parser *p, const struct option *opt, const char *value)
{
	char min[24], max[24];

	switch (opt->kind) {
	case VALUE_COUNT:
		return fail(p, "%s=%s: must be a number from %" PRIu64 " to %" PRIu64, opt->key, value, opt->min,
			    opt->max);
	case VALUE_POWER:
		return fail(p, "%s=%s: must be %sa power of two from %" PRIu64 " to %" PRIu64, opt->key, value,
			    opt->min ? "" : "0 or ", opt->min ? opt->min : 1, opt->max);
	case VALUE_SIZE:
		return fail(p, "%s=%s: must be a size from %s to %s, a multiple of 4K", opt->key, value,
			    size_text(opt->min, min, sizeof(min)), size_text(opt->max, max, sizeof(max)));
	case VALUE_BAR:
		return fail(p, "%s=%s: must be a size from %s to %s, a power of two", opt->key, value,
			    size_text(opt->min, min, sizeof(min)), size_text(opt->max, max, sizeof(max)));
	case VALUE_TIME:
		return fail(p, "%s=%s: must be a time up to 60s, such as 500, 20us or 3ms", opt->key, value);
	default:
		return fail(p, "%s=%s: must be \"on\" or \"off\"", opt->key, value);
	}
}

static bool read_value(const struct option *opt, const char *text, uint64_t *value)
{
	switch (opt->kind) {
	case VALUE_COUNT:
		return read_number(text, value);
	case VALUE_POWER:
		return read_number(text, value) && (ontb_is_power_of_two(*value) || (!*value && !opt->min));
	case VALUE_SIZE:
		return read_size(text, value) && *value % PAGE == 0;
	case VALUE_BAR:
		return read_size(text, value) && ontb_is_power_of_two(*value);
	case VALUE_TIME:
		return read_time(text, value);
	default:
		*value = !strcmp(text, "on");
		return *value || !strcmp(text, "off");
	}
}

static int fail_key(const struct parser *p, const char *word, const struct option *opts, unsigned int nr_opts)
{
	char allowed[128] = "";
	size_t len = 0;

	for (unsigned int i = 0; i < nr_opts; i++)
		len += (size_t)snprintf(allowed + len, sizeof(allowed) - len, "%s%s=",
					!i		  ? ""
					: i < nr_opts - 1 ? ", "
							  : " or ",
					opts[i].key);
	return fail(p, "word \"%s\": an option of \"%s\" is %s", word, p->words[0], allowed);
}

static int read_option(struct parser *p, const char *word, const struct option *opts, unsigned int nr_opts,
		       uint64_t *values)
{
	const char *equals = strchr(word, '=');
	size_t key_len = equals ? (size_t)(equals - word) : 0;

	for (unsigned int i = 0; i < nr_opts; i++) {
		const struct option *opt = &opts[i];
		uint64_t value;

		if (!key_len || strlen(opt->key) != key_len || memcmp(opt->key, word, key_len) != 0)
			continue;
		if (p->is_given >> i & 1)
			return fail(p, "%s= is given twice", opt->key);
		p->is_given |= 1ULL << i;
		if (!read_value(opt, equals + 1, &value) || value < opt->min || value > opt->max)
			return fail_value(p, opt, equals + 1);
		values[i] = value;
		return 0;
	}
	return fail_key(p, word, opts, nr_opts);
}

static int read_options(struct parser *p, unsigned int first, const struct option *opts, unsigned int nr_opts,
			uint64_t *values)
{
	int ret = 0;

	p->is_given = 0;
	for (unsigned int i = first; i < p->nr_words && !ret; i++)
		ret = read_option(p, p->words[i], opts, nr_opts, values);
	return ret;
}

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
	if (!is_letter(*word) || strlen(word) > ONTB_TOPO_MAX_NAME)
		return false;
	for (; *word; word++) {
		if (!is_letter(*word) && !is_digit(*word) && *word != '_' && *word != '-')
			return false;
	}
	return true;
}

enum {
	HOST_CPUS,
	HOST_RAM,
	HOST_REMAP,
	NR_HOST_OPTS
};
static const struct option host_opts[NR_HOST_OPTS] = {
	[HOST_CPUS] = { "cpus", VALUE_COUNT, 1, ONTB_TOPO_MAX_CPUS },
	[HOST_RAM] = { "ram", VALUE_SIZE, ONTB_TOPO_MIN_RAM, ONTB_TOPO_MAX_RAM },
	[HOST_REMAP] = { "remap", VALUE_SWITCH, 0, 1 },
};

static int read_host(struct parser *p)
{
	uint64_t values[NR_HOST_OPTS] = { [HOST_CPUS] = 2, [HOST_RAM] = 64 * ONTB_MIB };
	struct ontb_topology *topo = p->topo;
	struct ontb_topo_host *host;
	int ret;

	if (p->nr_words < 2)
		return fail(p, "\"host\" needs a name");
	if (!is_name(p->words[1]))
		return fail(p, "name \"%s\": must be a letter, then letters, digits, \"-\" and \"_\", at most %d",
			    p->words[1], ONTB_TOPO_MAX_NAME);
	if (find_host(topo, p->words[1]) >= 0)
		return fail(p, "there is a host \"%s\" already", p->words[1]);
	if (topo->nr_hosts == ONTB_TOPO_MAX_HOSTS)
		return fail(p, "more than %d hosts", ONTB_TOPO_MAX_HOSTS);
	ret = read_options(p, 2, host_opts, NR_HOST_OPTS, values);
	if (ret)
		return ret;
	host = &topo->hosts[topo->nr_hosts++];
	*host = (struct ontb_topo_host){
		.nr_cpus = (unsigned int)values[HOST_CPUS],
		.ram_size = values[HOST_RAM],
		.remap = values[HOST_REMAP],
	};
	memcpy(host->name, p->words[1], strlen(p->words[1]));
	return 0;
}

/* Finds the host that a word names and gives it one more function. */
static int plug(struct parser *p, const char *word, int *out)
{
	int host = find_host(p->topo, word);

	if (host < 0)
		return fail(p, "there is no host \"%s\" above this line", word);
	if (p->topo->hosts[host].nr_funcs == ONTB_TOPO_MAX_FUNCS)
		return fail(p, "host \"%s\" has more than %d functions", word, ONTB_TOPO_MAX_FUNCS);
	p->topo->hosts[host].nr_funcs++;
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
static const struct option bridge_opts[NR_BRIDGE_OPTS] = {
	[BRIDGE_VECTORS] = { "vectors", VALUE_COUNT, 3, 64 },
	[BRIDGE_LUTS] = { "luts", VALUE_POWER, 2, 512 },
	[BRIDGE_BAR2] = { "bar2", VALUE_BAR, 4 * LUT_SIZE, MAX_BAR },
	[BRIDGE_BAR4] = { "bar4", VALUE_BAR, LUT_SIZE, MAX_BAR },
};

/* Ports are the words up to the first option. */
static int read_ports(struct parser *p, struct ontb_topo_bridge *bridge)
{
	for (unsigned int i = 2; i < p->nr_words && !strchr(p->words[i], '='); i++) {
		int *host = &bridge->hosts[bridge->nr_ports];
		int ret;

		if (bridge->nr_ports == ONTB_MAX_PORTS)
			return fail(p, "more than %d ports", ONTB_MAX_PORTS);
		*host = ONTB_TOPO_NO_HOST;
		if (strcmp(p->words[i], "-") != 0) {
			ret = plug(p, p->words[i], host);
			if (ret)
				return ret;
		}
		bridge->nr_ports++;
	}
	if (bridge->nr_ports < 2 || bridge->nr_ports % 2)
		return fail(
			p,
			"%u ports: must be an even number from 2 to %d; each is a host or \"-\", ports come in pairs",
			bridge->nr_ports, ONTB_MAX_PORTS);
	return 0;
}

static int read_bridge(struct parser *p)
{
	struct ontb_topology *topo = p->topo;
	struct ontb_switchtec_config defaults;
	struct ontb_topo_bridge *bridge;
	uint64_t values[NR_BRIDGE_OPTS];
	int ret;

	if (p->nr_words < 2)
		return fail(p, "\"bridge\" needs a model: \"switchtec\"");
	if (strcmp(p->words[1], "switchtec") != 0)
		return fail(p, "model \"%s\": must be \"switchtec\"", p->words[1]);
	if (topo->nr_bridges == ONTB_TOPO_MAX_BRIDGES)
		return fail(p, "more than %d bridges", ONTB_TOPO_MAX_BRIDGES);
	bridge = &topo->bridges[topo->nr_bridges];
	memset(bridge, 0, sizeof(*bridge));
	ret = read_ports(p, bridge);
	if (ret)
		return ret;
	ontb_switchtec_config_init(&defaults);
	values[BRIDGE_VECTORS] = defaults.nr_vectors;
	values[BRIDGE_LUTS] = defaults.nr_luts;
	values[BRIDGE_BAR2] = defaults.bar2_size;
	values[BRIDGE_BAR4] = defaults.bar4_size;
	ret = read_options(p, 2 + bridge->nr_ports, bridge_opts, NR_BRIDGE_OPTS, values);
	if (ret)
		return ret;
	/* Half of the BAR is for the direct window behind the table. */
	if (values[BRIDGE_BAR2] < 2 * LUT_SIZE * values[BRIDGE_LUTS]) {
		char size[24];

		if (p->is_given >> BRIDGE_BAR2 & 1)
			return fail(p, "bar2= must be at least %s with %" PRIu64 " look-up table windows",
				    size_text(2 * LUT_SIZE * values[BRIDGE_LUTS], size, sizeof(size)),
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
static const struct option endpoint_opts[NR_ENDPOINT_OPTS] = {
	[ENDPOINT_MSI] = { "msi", VALUE_POWER, 0, MAX_MSI },
	[ENDPOINT_MSIX] = { "msix", VALUE_COUNT, 0, MAX_MSIX },
};

static int read_endpoint(struct parser *p)
{
	uint64_t values[NR_ENDPOINT_OPTS] = { [ENDPOINT_MSI] = 4, [ENDPOINT_MSIX] = 16 };
	struct ontb_topology *topo = p->topo;
	int host, ret;

	if (p->nr_words < 3)
		return fail(p, "\"endpoint\" needs a model (\"exerciser\") and a host");
	if (strcmp(p->words[1], "exerciser") != 0)
		return fail(p, "model \"%s\": must be \"exerciser\"", p->words[1]);
	if (topo->nr_endpoints == ONTB_TOPO_MAX_ENDPOINTS)
		return fail(p, "more than %d endpoints", ONTB_TOPO_MAX_ENDPOINTS);
	ret = plug(p, p->words[2], &host);
	if (ret)
		return ret;
	ret = read_options(p, 3, endpoint_opts, NR_ENDPOINT_OPTS, values);
	if (ret)
		return ret;
	if (!values[ENDPOINT_MSI] && !values[ENDPOINT_MSIX])
		return fail(p, "msi=0 and msix=0: one of them must not be 0");
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
static const struct option way_opts[NR_WAY_OPTS] = {
	[WAY_DELAY] = { "delay", VALUE_TIME, 0, MAX_DELAY },
	[WAY_JITTER] = { "jitter", VALUE_TIME, 0, MAX_DELAY },
	[WAY_DROP] = { "drop", VALUE_COUNT, 0, UINT32_MAX },
};

static int read_way(struct parser *p)
{
	uint64_t values[NR_WAY_OPTS] = { 0 }, bridge, port;
	struct ontb_topology *topo = p->topo;
	int ret;

	if (p->nr_words < 3)
		return fail(p, "\"way\" needs the number of a bridge and of a port");
	if (!read_number(p->words[1], &bridge) || bridge >= topo->nr_bridges)
		return fail(p, "there is no bridge \"%s\" above this line: they count from 0", p->words[1]);
	if (!read_number(p->words[2], &port) || port >= topo->bridges[bridge].nr_ports ||
	    topo->bridges[bridge].hosts[port] < 0)
		return fail(p, "bridge %" PRIu64 " has no port \"%s\" with a host: they count from 0", bridge,
			    p->words[2]);
	ret = read_options(p, 3, way_opts, NR_WAY_OPTS, values);
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
	int (*read)(struct parser *p);
} statements[] = {
	{ "host", read_host },
	{ "bridge", read_bridge },
	{ "endpoint", read_endpoint },
	{ "way", read_way },
};

static int interpret(struct parser *p)
{
	for (size_t i = 0; i < ONTB_ARRAY_SIZE(statements); i++) {
		if (!strcmp(p->words[0], statements[i].word))
			return statements[i].read(p);
	}
	return fail(p, "word \"%s\": a statement begins with \"host\", \"bridge\", \"endpoint\" or \"way\"",
		    p->words[0]);
}

static int read_all(struct parser *p)
{
	int ret;

	for (;;) {
		ret = read_statement(p);
		if (!ret && p->nr_words)
			ret = interpret(p);
		if (ret)
			return ret;
		if (!*p->at)
			break;
		if (*p->at++ == '\n')
			p->line++;
	}
	return p->topo->nr_hosts ? 0 : fail(p, "there is no host");
}

int ontb_topology_parse(const char *text, char *why, size_t why_len, struct ontb_topology *out)
{
	struct parser p = { .at = text, .line = 1, .why = why, .why_len = why_len, .topo = out };

	if (why_len)
		why[0] = '\0';
	out->nr_hosts = out->nr_bridges = out->nr_endpoints = 0;
	return read_all(&p);
}
