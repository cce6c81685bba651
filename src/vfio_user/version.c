// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Version negotiation. See version.h.
 */
#include "vfio_user/version.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <json-c/json.h>

#include "base/bytes.h"
#include "vfio_user/wire.h"

/* Defaults of the specification for capabilities that are not mentioned. */
#define DEFAULT_MAX_FDS	 1
#define DEFAULT_MAX_XFER (1U << 20)
#define DEFAULT_MAX_MAPS 65535

#define MAX_JSON_DEPTH 8
#define MIN_XFER       16
/* QEMU 11 sends 200 bytes. The parser makes objects many times the size of the text. */
#define MAX_JSON_LEN 16384

static int refuse(const char **why, const char *text)
{
	*why = text;
	return -EINVAL;
}

/* Capability @name as a number from @min up; @out is left alone if it is not mentioned. */
static int get_number(const json_object *caps, const char *name, uint64_t min, uint64_t *out, const char **why)
{
	json_object *value;
	int64_t number;

	if (!json_object_object_get_ex(caps, name, &value))
		return 0;
	if (!json_object_is_type(value, json_type_int))
		return refuse(why, "a capability is not a number");
	number = json_object_get_int64(value);
	if (number < 0 || (uint64_t)number < min)
		return refuse(why, "a capability is too small");
	*out = (uint64_t)number;
	return 0;
}

static int get_bool(const json_object *caps, const char *name, bool *out, const char **why)
{
	json_object *value;

	if (!json_object_object_get_ex(caps, name, &value))
		return 0;
	if (!json_object_is_type(value, json_type_boolean))
		return refuse(why, "a capability is not true or false");
	*out = json_object_get_boolean(value);
	return 0;
}

static int get_caps(json_object *root, struct ontb_version *version, const char **why)
{
	uint64_t fds = version->max_msg_fds, pgsizes = 4096;
	json_object *caps;
	int ret;

	if (!json_object_is_type(root, json_type_object))
		return refuse(why, "the JSON text is not an object");
	if (!json_object_object_get_ex(root, "capabilities", &caps))
		return 0;
	if (!json_object_is_type(caps, json_type_object))
		return refuse(why, "capabilities is not an object");
	ret = get_number(caps, "max_msg_fds", 0, &fds, why);
	if (!ret)
		ret = get_number(caps, "max_data_xfer_size", MIN_XFER, &version->max_data_xfer, why);
	if (!ret)
		ret = get_number(caps, "max_dma_maps", 0, &version->max_dma_maps, why);
	if (!ret)
		ret = get_number(caps, "pgsizes", 1, &pgsizes, why);
	if (!ret)
		ret = get_bool(caps, "write_multiple", &version->write_multiple, why);
	if (ret)
		return ret;
	version->max_msg_fds = fds > UINT32_MAX ? UINT32_MAX : (uint32_t)fds;
	return 0;
}

static int parse(const char *text, size_t len, struct ontb_version *version, const char **why)
{
	struct json_tokener *tokener = json_tokener_new_ex(MAX_JSON_DEPTH);
	json_object *root;
	int ret;

	if (!tokener) {
		*why = "no memory";
		return -ENOMEM;
	}
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	root = json_tokener_parse_ex(tokener, text, (int)len);
	/* The NUL is part of the text given, so that a number at its end is not taken for an unfinished one. */
	if (!root)
		ret = refuse(why, "the capabilities are not JSON");
	else if (json_tokener_get_parse_end(tokener) + 1 < len)
		ret = refuse(why, "something follows the JSON text");
	else
		ret = get_caps(root, version, why);
	json_object_put(root);
	json_tokener_free(tokener);
	return ret;
}

int ontb_version_get(const uint8_t *body, size_t len, struct ontb_version *out, const char **why)
{
	struct ontb_version version = {
		.max_msg_fds = DEFAULT_MAX_FDS,
		.max_data_xfer = DEFAULT_MAX_XFER,
		.max_dma_maps = DEFAULT_MAX_MAPS,
	};
	const char *text;
	int ret;

	if (len < ONTB_WIRE_VERSION_SIZE)
		return refuse(why, "body shorter than two numbers");
	version.major = ontb_get_le16(body);
	version.minor = ontb_get_le16(body + 2);
	if (version.major != ONTB_VERSION_MAJOR)
		return refuse(why, "major version is not 0");
	body += ONTB_WIRE_VERSION_SIZE;
	len -= ONTB_WIRE_VERSION_SIZE;
	if (len) {
		if (len > MAX_JSON_LEN)
			return refuse(why, "capabilities longer than 16384 bytes");
		text = (const char *)body;
		if (text[len - 1])
			return refuse(why, "the capabilities do not end with a NUL");
		if (strlen(text) != len - 1)
			return refuse(why, "a NUL inside the capabilities");
		ret = parse(text, len, &version, why);
		if (ret)
			return ret;
	}
	*out = version;
	return 0;
}

size_t ontb_version_put(uint8_t *p, const struct ontb_version *version)
{
	size_t room = ONTB_VERSION_MAX_REPLY - ONTB_WIRE_VERSION_SIZE;
	int n;

	ontb_put_le16(p, version->major);
	ontb_put_le16(p + 2, version->minor);
	n = snprintf((char *)p + ONTB_WIRE_VERSION_SIZE, room,
		     "{\"capabilities\":{\"max_msg_fds\":%u,\"max_data_xfer_size\":%llu,\"max_dma_maps\":%llu,"
		     "\"pgsizes\":4096,\"write_multiple\":%s}}",
		     version->max_msg_fds, (unsigned long long)version->max_data_xfer,
		     (unsigned long long)version->max_dma_maps, version->write_multiple ? "true" : "false");
	return ONTB_WIRE_VERSION_SIZE + (size_t)n + 1;
}
