/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * Version negotiation: the first message of a client, with its capabilities as JSON, and our answer.
 */
#ifndef ONTB_VFIO_USER_VERSION_H
#define ONTB_VFIO_USER_VERSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/annotate.h"

/* The version spoken. QEMU 11.1 refuses an answer with a newer minor version than its own. */
#define ONTB_VERSION_MAJOR 0
#define ONTB_VERSION_MINOR 0

/* Descriptors that one message may carry; QEMU sends at most 16 and refuses a server that says more. */
#define ONTB_VERSION_MAX_FDS 16

/* Largest answer, with room to spare. */
#define ONTB_VERSION_MAX_REPLY 512

/**
 * struct ontb_version - what one side can do
 * @major:          .
 * @minor:          .
 * @max_msg_fds:    Descriptors it takes in one message.
 * @max_data_xfer:  Bytes of data it takes in one message.
 * @max_dma_maps:   Mappings it takes.
 * @write_multiple: Knows REGION_WRITE_MULTI.
 */
struct ontb_version {
	uint16_t major;
	uint16_t minor;
	uint32_t max_msg_fds;
	uint64_t max_data_xfer;
	uint64_t max_dma_maps;
	bool write_multiple;
};

/**
 * ontb_version_get() - decode a VERSION request
 * @body: Body: two numbers, then optionally JSON that ends with a NUL.
 * @len:  Its length.
 * @out:  OUT; what is not mentioned has the default of the specification.
 * @why:  OUT, constant text, written on failure.
 *
 * Capabilities that are not known are ignored, as the specification demands.
 *
 * Return: 0, -EINVAL, or -ENOMEM.
 */
int ontb_version_get(const uint8_t *body, size_t len, struct ontb_version *out, const char **why) ONTB_MUST_CHECK;

/**
 * ontb_version_put() - encode our answer
 * @p:       OUT, body of at most ONTB_VERSION_MAX_REPLY bytes.
 * @version: What we can do.
 *
 * Return: Bytes written.
 */
size_t ontb_version_put(uint8_t *p, const struct ontb_version *version);

#endif
