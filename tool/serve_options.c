// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Options of "openntb serve". Numbers are a table: name, range, rule, and where the value goes.
 */
#include "tool/serve_options.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "tool/number.h"
#include "tool/options.h"

#define LUT_SIZE (64 * ONTB_KIB)

enum option_id {
	OPT_HELP = 1,
	OPT_MODEL,
	OPT_SOCKET_DIR,
	OPT_SOCKET_MODE,
	OPT_INTERRUPT_RANGE,
	OPT_MEMORY_ON_DISK,
	OPT_TRACE,
	OPT_LOG_LEVEL,
	OPT_FIRST_NUMBER,
	OPT_PORTS = OPT_FIRST_NUMBER,
	OPT_VECTORS,
	OPT_LUTS,
	OPT_REQUESTER_IDS,
	OPT_BAR2_SIZE,
	OPT_BAR4_SIZE,
	OPT_DEVICE_ID,
	OPT_COMPLETION_TIMEOUT,
	OPT_HOLD_DOORBELLS,
	OPT_END,
};

enum number_rule {
	RULE_ANY,
	RULE_EVEN,
	RULE_POWER_OF_TWO,
};

/**
 * struct number_option - an option with a number
 * @min:  Least value.
 * @max:  Largest value.
 * @rule: What else holds.
 */
struct number_option {
	uint64_t min;
	uint64_t max;
	enum number_rule rule;
};

static const struct number_option number_options[OPT_END - OPT_FIRST_NUMBER] = {
	[OPT_PORTS - OPT_FIRST_NUMBER] = { 2, ONTB_MAX_PORTS, RULE_EVEN },
	[OPT_VECTORS - OPT_FIRST_NUMBER] = { 3, 64, RULE_ANY },
	[OPT_LUTS - OPT_FIRST_NUMBER] = { 2, 512, RULE_POWER_OF_TWO },
	[OPT_REQUESTER_IDS - OPT_FIRST_NUMBER] = { 2, 512, RULE_ANY },
	[OPT_BAR2_SIZE - OPT_FIRST_NUMBER] = { 4 * LUT_SIZE, 1ULL << 40, RULE_POWER_OF_TWO },
	[OPT_BAR4_SIZE - OPT_FIRST_NUMBER] = { LUT_SIZE, 1ULL << 40, RULE_POWER_OF_TWO },
	[OPT_DEVICE_ID - OPT_FIRST_NUMBER] = { 1, 0xfffe, RULE_ANY },
	[OPT_COMPLETION_TIMEOUT - OPT_FIRST_NUMBER] = { 1, 60000, RULE_ANY },
	[OPT_HOLD_DOORBELLS - OPT_FIRST_NUMBER] = { 0, 10000, RULE_ANY },
};

static const struct option option_names[] = {
	{ "help", no_argument, NULL, OPT_HELP },
	{ "model", required_argument, NULL, OPT_MODEL },
	{ "ports", required_argument, NULL, OPT_PORTS },
	{ "socket-dir", required_argument, NULL, OPT_SOCKET_DIR },
	{ "socket-mode", required_argument, NULL, OPT_SOCKET_MODE },
	{ "vectors", required_argument, NULL, OPT_VECTORS },
	{ "luts", required_argument, NULL, OPT_LUTS },
	{ "requester-ids", required_argument, NULL, OPT_REQUESTER_IDS },
	{ "bar2-size", required_argument, NULL, OPT_BAR2_SIZE },
	{ "bar4-size", required_argument, NULL, OPT_BAR4_SIZE },
	{ "device-id", required_argument, NULL, OPT_DEVICE_ID },
	{ "interrupt-range", required_argument, NULL, OPT_INTERRUPT_RANGE },
	{ "memory-on-disk", no_argument, NULL, OPT_MEMORY_ON_DISK },
	{ "completion-timeout", required_argument, NULL, OPT_COMPLETION_TIMEOUT },
	{ "hold-doorbells-after-message", required_argument, NULL, OPT_HOLD_DOORBELLS },
	{ "trace", required_argument, NULL, OPT_TRACE },
	{ "log-level", required_argument, NULL, OPT_LOG_LEVEL },
	{ NULL, 0, NULL, 0 },
};

static const char usage[] = "usage: openntb serve [OPTION...]\n"
			    "\n"
			    "Run an emulated bridge in the foreground until SIGTERM or SIGINT. Each port is a\n"
			    "UNIX socket, DIR/port0.sock and so on, for QEMU's vfio-user-pci device.\n"
			    "Sizes take K, M or G.\n"
			    "\n"
			    "  --model NAME            emulated part: switchtec (default)\n"
			    "  --ports N               hosts, 2 to 48, even; ports 0 and 1 are a pair, 2 and 3,\n"
			    "                          and so on (default 2)\n"
			    "  --vectors N             MSI-X vectors, 3 to 64 (default 4)\n"
			    "  --luts N                look-up table windows of 64K each, 2 to 512 (default 32)\n"
			    "  --requester-ids N       entries of the requester id table, 2 to 512 (default 16)\n"
			    "  --bar2-size SIZE        BAR2: look-up table and a direct window (default 4M)\n"
			    "  --bar4-size SIZE        BAR4: a direct window; above 2M Linux on x86 cannot use it\n"
			    "                          for NTB MSI (default 2M)\n"
			    "  --device-id ID          PCI device id (default 0x8532)\n"
			    "\n"
			    "  --socket-dir DIR        folder of the sockets (default: /run/openntb for root,\n"
			    "                          otherwise $XDG_RUNTIME_DIR/openntb)\n"
			    "  --socket-mode MODE      permission bits of the sockets, octal (default 0600)\n"
			    "  --interrupt-range BASE+SIZE\n"
			    "                          guest addresses that take interrupts, or \"none\"\n"
			    "                          (default 0xfee00000+0x100000, as on x86)\n"
			    "  --memory-on-disk        take guest memory that is a file on any filesystem; peers\n"
			    "                          then wait for that filesystem (default: only memfd,\n"
			    "                          tmpfs and hugetlbfs)\n"
			    "  --completion-timeout MS wait for a guest's memory before a read gives all\n"
			    "                          ones (default 2000)\n"
			    "\n"
			    "  --trace FILE            write all events to FILE, for Perfetto or \"openntb trace\"\n"
			    "  --log-level LEVEL       error, warning, notice (default), info or debug\n"
			    "  --hold-doorbells-after-message MS\n"
			    "                          work-around for ntb_perf of Linux 6.12 to 7.3, which forgets\n"
			    "                          a doorbell that comes before it is ready: after a message\n"
			    "                          hold doorbell interrupts until the guest has looked at its\n"
			    "                          link, for MS at most, 5000 is plenty (default 0, off)\n"
			    "  --help                  print this\n";

void ontb_serve_options_print_help(void)
{
	fputs(usage, stdout);
}

static const char *name_of(int id)
{
	for (const struct option *option = option_names; option->name; option++) {
		if (option->val == id)
			return option->name;
	}
	return "?";
}

static int parse_number(int id, const char *text, uint64_t *out)
{
	static const char *const rules[] = {
		[RULE_ANY] = "", [RULE_EVEN] = ", even", [RULE_POWER_OF_TWO] = ", a power of two"
	};
	const struct number_option *option = &number_options[id - OPT_FIRST_NUMBER];
	uint64_t value;

	if (ontb_number_parse(text, &value)) {
		ontb_tool_error("serve: --%s '%s': not a number", name_of(id), text);
		return -EINVAL;
	}
	if (value < option->min || value > option->max || (option->rule == RULE_EVEN && value % 2) ||
	    (option->rule == RULE_POWER_OF_TWO && !ontb_is_power_of_two(value))) {
		ontb_tool_error("serve: --%s %s: must be %" PRIu64 " to %" PRIu64 "%s", name_of(id), text, option->min,
				option->max, rules[option->rule]);
		return -EINVAL;
	}
	*out = value;
	return 0;
}

static int store_number(int id, const char *text, struct ontb_serve_options *options)
{
	uint64_t value;
	int ret = parse_number(id, text, &value);

	if (ret)
		return ret;
	switch (id) {
	case OPT_PORTS:
		options->bridge.nr_ports = (unsigned int)value;
		break;
	case OPT_VECTORS:
		options->bridge.nr_vectors = (unsigned int)value;
		break;
	case OPT_LUTS:
		options->bridge.nr_luts = (unsigned int)value;
		break;
	case OPT_REQUESTER_IDS:
		options->bridge.nr_req_ids = (unsigned int)value;
		break;
	case OPT_BAR2_SIZE:
		options->bridge.bar2_size = value;
		break;
	case OPT_BAR4_SIZE:
		options->bridge.bar4_size = value;
		break;
	case OPT_DEVICE_ID:
		options->bridge.device_id = (uint16_t)value;
		break;
	case OPT_COMPLETION_TIMEOUT:
		options->wire.completion_timeout_ns = value * ONTB_NS_PER_MS;
		break;
	case OPT_HOLD_DOORBELLS:
		options->bridge.hold_doorbells_after_message_ns = value * ONTB_NS_PER_MS;
		break;
	default:
		return -EINVAL;
	}
	return 0;
}

static int parse_interrupt_range(const char *text, struct ontb_serve_options *options)
{
	const char *plus = strchr(text, '+');
	uint64_t base, size;
	char first[32];

	if (!strcmp(text, "none")) {
		options->wire.interrupt_base = 0;
		options->wire.interrupt_size = 0;
		return 0;
	}
	if (!plus || (size_t)(plus - text) >= sizeof(first)) {
		ontb_tool_error("serve: --interrupt-range '%s': give BASE+SIZE or none", text);
		return -EINVAL;
	}
	memcpy(first, text, (size_t)(plus - text));
	first[plus - text] = '\0';
	if (ontb_number_parse(first, &base) || ontb_number_parse(plus + 1, &size)) {
		ontb_tool_error("serve: --interrupt-range '%s': BASE and SIZE must be numbers", text);
		return -EINVAL;
	}
	if (!size || base > UINT64_MAX - (size - 1)) {
		ontb_tool_error("serve: --interrupt-range '%s': the range is empty or passes 2^64", text);
		return -EINVAL;
	}
	options->wire.interrupt_base = base;
	options->wire.interrupt_size = size;
	return 0;
}

static int parse_log_level(const char *text, struct ontb_serve_options *options)
{
	static const char *const names[] = {
		[ONTB_LOG_ERROR] = "error", [ONTB_LOG_WARNING] = "warning", [ONTB_LOG_NOTICE] = "notice",
		[ONTB_LOG_INFO] = "info",   [ONTB_LOG_DEBUG] = "debug",
	};

	for (unsigned int i = ONTB_LOG_ERROR; i < ONTB_ARRAY_SIZE(names); i++) {
		if (!strcmp(names[i], text)) {
			options->log_level = (enum ontb_log_level)i;
			return 0;
		}
	}
	ontb_tool_error("serve: --log-level '%s': give error, warning, notice, info or debug", text);
	return -EINVAL;
}

static int parse_socket_mode(const char *text, struct ontb_serve_options *options)
{
	unsigned int mode;

	if (ontb_number_parse_octal(text, &mode) || mode > 0777 || (mode & 0600) != 0600) {
		ontb_tool_error(
			"serve: --socket-mode '%s': give octal permission bits from 0600 to 0777 with which the "
			"owner may read and write",
			text);
		return -EINVAL;
	}
	options->wire.socket_mode = mode;
	return 0;
}

static int store_text(int id, const char *text, struct ontb_serve_options *options)
{
	switch (id) {
	case OPT_MODEL:
		if (!strcmp(text, "switchtec"))
			return 0;
		ontb_tool_error("serve: --model '%s': there is only switchtec", text);
		return -EINVAL;
	case OPT_SOCKET_DIR:
		if (*text && strlen(text) < sizeof(options->socket_dir)) {
			memcpy(options->socket_dir, text, strlen(text) + 1);
			return 0;
		}
		ontb_tool_error("serve: --socket-dir '%s': %s", text,
				*text ? "the name is too long" : "the name is empty");
		return -EINVAL;
	case OPT_SOCKET_MODE:
		return parse_socket_mode(text, options);
	case OPT_INTERRUPT_RANGE:
		return parse_interrupt_range(text, options);
	case OPT_MEMORY_ON_DISK:
		options->wire.memory_on_disk = true;
		return 0;
	case OPT_TRACE:
		options->trace_path = text;
		return 0;
	case OPT_LOG_LEVEL:
		return parse_log_level(text, options);
	default:
		return -EINVAL;
	}
}

/* What one option alone cannot tell. */
static enum ontb_exit check_all(struct ontb_serve_options *options)
{
	if (options->bridge.bar2_size < 2 * LUT_SIZE * options->bridge.nr_luts) {
		ontb_tool_error("serve: --bar2-size: %u look-up table windows (--luts) need at least %lluK",
				options->bridge.nr_luts, 2 * LUT_SIZE * options->bridge.nr_luts / ONTB_KIB);
		return ONTB_EXIT_USAGE;
	}
	if (!options->socket_dir[0] && ontb_socket_dir_default(options->socket_dir, sizeof(options->socket_dir))) {
		ontb_tool_error(
			"serve: no default socket folder (XDG_RUNTIME_DIR is not set or too long); give --socket-dir");
		return ONTB_EXIT_USAGE;
	}
	return ONTB_EXIT_OK;
}

enum ontb_exit ontb_serve_options_parse(int argc, char **argv, struct ontb_serve_options *options)
{
	int id, ret;

	memset(options, 0, sizeof(*options));
	ontb_switchtec_config_init(&options->bridge);
	ontb_vfio_user_config_init(&options->wire);
	options->log_level = ONTB_LOG_NOTICE;
	ontb_options_start();
	while ((id = ontb_options_next("serve", argc, argv, option_names)) != -1) {
		if (id == OPT_HELP) {
			options->is_help = true;
			return ONTB_EXIT_OK;
		}
		if (id == '?')
			return ONTB_EXIT_USAGE;
		ret = id >= OPT_FIRST_NUMBER ? store_number(id, optarg, options) : store_text(id, optarg, options);
		if (ret)
			return ONTB_EXIT_USAGE;
	}
	if (ontb_options_end("serve", argc, argv))
		return ONTB_EXIT_USAGE;
	return check_all(options);
}
