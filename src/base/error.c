// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Text for error values.
 */
#include <openntb/error.h>

#include <stddef.h>
#include <string.h>

#include "base/annotate.h"

struct error_text {
	int err;
	const char *text;
};

static const struct error_text error_texts[] = {
	{ 0, "success" },
	{ EINVAL, "wrong argument" },
	{ ERANGE, "index or offset outside the object" },
	{ EPROTO, "bytes received break the protocol" },
	{ EMSGSIZE, "message length does not match its content" },
	{ EOPNOTSUPP, "no such operation here" },
	{ ENOLINK, "no host at the other end" },
	{ EACCES, "bus mastering is off in the target host" },
	{ EFAULT, "no window or memory answers at that address" },
	{ EDEADLK, "waiting would close a circle of waiting hosts" },
	{ EINPROGRESS, "accepted, completes later" },
	{ ETIMEDOUT, "no answer in time" },
	{ ENOBUFS, "queue full, dropped" },
	{ EAGAIN, "nothing there yet" },
	{ EIO, "refused by the device" },
	{ EPERM, "not allowed" },
	{ EBUSY, "somebody else has it" },
	{ EEXIST, "there is one already" },
	{ EALREADY, "it is so already" },
	{ ENOENT, "there is none" },
	{ ENOSPC, "no free slot" },
	{ ENOMEM, "out of memory" },
};

const char *ontb_strerror(int err)
{
	const char *name;

	/* -(err + 1) + 1 would overflow for INT_MIN only; no errno is that large. */
	if (err < 0 && err > -4096)
		err = -err;
	for (size_t i = 0; i < ONTB_ARRAY_SIZE(error_texts); i++) {
		if (error_texts[i].err == err)
			return error_texts[i].text;
	}
	name = strerrordesc_np(err);
	return name ? name : "unknown error";
}
