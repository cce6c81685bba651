/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * A PCI function in a machine: the carrier between a machine's loads and stores and a model's struct ontb_func.
 *
 * It answers for the parts of a function that a host's bus and not the model decides about: the addresses in the BAR
 * registers, the MSI-X table, and the MSI capability. All else is handed through.
 */
#ifndef ONTB_FABRIC_FUNCTION_H
#define ONTB_FABRIC_FUNCTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openntb/access.h>

#include "base/annotate.h"
#include "fabric/vectors.h"
#include "fabric/way.h"

#define ONTB_FUNCTION_SPACE 256

struct ontb_trace;
struct ontb_function;

/**
 * struct ontb_function_config - where a function is
 * @func:     The model's. Borrowed.
 * @root:     Root of the machine.
 * @rid:      Requester id.
 * @source:   Port of the bridge that it is, 0 if it is none.
 * @steps:    Counter of a stepped fabric, or NULL.
 * @seed:     Of its way.
 * @trace:    Where events go, or NULL. Borrowed.
 * @moved:    Called when a BAR starts or stops answering, or moves; @addr is 0 if it does not answer. With the lock of the
 *            configuration held, so it calls nothing of the function.
 * @arg:      For @moved.
 */
struct ontb_function_config {
	struct ontb_func *func;
	struct ontb_root *root;
	uint16_t rid;
	unsigned int source;
	const uint64_t *steps;
	uint64_t seed;
	struct ontb_trace *trace;
	void (*moved)(void *arg, unsigned int bar, uint64_t addr);
	void *arg;
};

/**
 * struct ontb_function - a function
 * @config:    Where it is. Constant.
 * @info:      What the model says it is. Constant.
 * @way:       To the root.
 * @vectors:   Its vectors.
 * @is_there:  It is plugged. Changed in exclusive sections.
 * @msix_cap:  Offset of its MSI-X capability, 0 if there is none. Constant; so are all up to @lock.
 * @msi_cap:   Likewise of MSI.
 * @exp_cap:   Likewise of PCI Express.
 * @has_flr:   It can be reset by its host.
 * @msix_bar:  BAR of the MSI-X table.
 * @msix_table: Offset of it there.
 * @pba_bar:   BAR of the pending bits.
 * @pba:       Offset of them there.
 * @owned:     Bits of the configuration space that are answered here.
 * @writable:  Which of them a write changes.
 * @initial:   Their reset values.
 * @lock:      Of all below. Taken inside accesses.
 * @bytes:     Values of the bits in @owned.
 * @command:   Command register, as the model has it.
 */
struct ontb_function {
	struct ontb_function_config config;
	struct ontb_func_info info;
	struct ontb_way way;
	struct ontb_vectors vectors;
	bool is_there;
	unsigned int msix_cap;
	unsigned int msi_cap;
	unsigned int exp_cap;
	bool has_flr;
	unsigned int msix_bar;
	uint64_t msix_table;
	unsigned int pba_bar;
	uint64_t pba;
	uint8_t owned[ONTB_FUNCTION_SPACE];
	uint8_t writable[ONTB_FUNCTION_SPACE];
	uint8_t initial[ONTB_FUNCTION_SPACE];
	struct ontb_lock lock;
	uint8_t bytes[ONTB_FUNCTION_SPACE];
	uint16_t command;
};

/**
 * ontb_function_new() - put a function into a machine and plug it
 * @config: Where it is; copied.
 * @out:    OUT.
 *
 * Context: Outside accesses.
 * Return: 0, -EINVAL (what the model says of its BARs or vectors makes no sense), -ENOMEM, or what attaching said.
 */
int ontb_function_new(const struct ontb_function_config *config, struct ontb_function **out) ONTB_MUST_CHECK;

/**
 * ontb_function_free() - unplug it if it is plugged, and free it
 * @function: Function or NULL.
 *
 * Context: Outside accesses; no CPU of the machine runs.
 */
void ontb_function_free(struct ontb_function *function);

/**
 * ontb_function_unplug() - the function disappears from its host, and the host from the model
 * @function: Function.
 *
 * Context: Outside accesses; not two at a time.
 * Return: 0, or -ENOLINK: it is not plugged.
 */
int ontb_function_unplug(struct ontb_function *function);

/**
 * ontb_function_replug() - it comes back, in its reset state
 * @function: Function.
 *
 * Context: Outside accesses; not two at a time.
 * Return: 0, or -EBUSY: it is plugged, or the model has another host by now.
 */
int ontb_function_replug(struct ontb_function *function);

/**
 * ontb_function_set_way() - change what happens on the way to the root
 * @function: Function.
 * @way:      From now on.
 *
 * Context: Outside accesses; not two at a time.
 * Return: 0, or what starting a thread said.
 */
int ontb_function_set_way(struct ontb_function *function, const struct ontb_fabric_way *way);

/**
 * ontb_function_config_read() - the host reads configuration space
 * @function: Function.
 * @offset:   Offset.
 * @buf:      OUT; all ones if the function is not there or @offset is beyond its end.
 * @len:      1, 2 or 4, aligned.
 *
 * Context: Outside accesses, like all that follow.
 */
void ontb_function_config_read(struct ontb_function *function, unsigned int offset, void *buf, size_t len);

/**
 * ontb_function_config_write() - the host writes configuration space
 * @function: Function.
 * @offset:   Offset.
 * @buf:      Bytes.
 * @len:      1, 2 or 4, aligned.
 */
void ontb_function_config_write(struct ontb_function *function, unsigned int offset, const void *buf, size_t len);

/**
 * ontb_function_read() - the host loads from a BAR
 * @function: Function.
 * @bar:      BAR.
 * @offset:   Offset in it; the range lies inside.
 * @buf:      OUT; all ones if nothing answers.
 * @len:      Bytes, up to 64 KiB.
 *
 * Waits for the answer, and brings home what the function wrote before it.
 */
void ontb_function_read(struct ontb_function *function, unsigned int bar, uint64_t offset, void *buf, size_t len);

/**
 * ontb_function_write() - the host stores to a BAR
 * @function: Function.
 * @bar:      BAR.
 * @offset:   Offset in it; the range lies inside.
 * @buf:      Bytes.
 * @len:      How many, up to 64 KiB.
 */
void ontb_function_write(struct ontb_function *function, unsigned int bar, uint64_t offset, const void *buf,
			 size_t len);

#endif
