/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * The demonstration: two hosts in this process, joined by an emulated bridge, and what they do with it.
 *
 *      demo_pair.c   builds and boots them, makes the NTB interrupts of each and grants them to the other
 *      demo_ping.c   raises one at a time, to see how long it takes
 *      demo_fire.c   fires them, while others are moved, revoked, freed and used again, and accounts for every message
 *      demo_file.c   sends a file
 *      demo_report.c says what came of it
 *
 * Every number it prints was counted or measured in the run.
 */
#ifndef ONTB_TOOL_DEMO_H
#define ONTB_TOOL_DEMO_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <openntb/fabric.h>
#include <openntb/host.h>
#include <openntb/ntb_irq.h>

#include "base/annotate.h"

#define DEMO_NR_HOSTS  2U
#define DEMO_NR_PINGS  2000U
#define DEMO_HASH_TEXT 65U /* SHA-256 in hexadecimal, with its NUL */

/**
 * struct demo_options - what to do
 * @nr_cpus:    CPUs of each host.
 * @nr_irqs:    NTB interrupts of each host.
 * @nr_vectors: Entries of each function's MSI-X table.
 * @nr_rounds:  Messages to each interrupt.
 * @remap:      By host: interrupt remapping on.
 * @file:       File to send; NULL sends this program.
 * @trace_path: Where to trace, or NULL.
 * @seed:       Of what is moved, revoked and reused.
 */
struct demo_options {
	unsigned int nr_cpus;
	unsigned int nr_irqs;
	unsigned int nr_vectors;
	unsigned int nr_rounds;
	bool remap[DEMO_NR_HOSTS];
	const char *file;
	const char *trace_path;
	uint64_t seed;
};

struct demo_host;

/**
 * struct demo_cell - one NTB interrupt, and the messages to it
 * @host:       Whose interrupt it is. Constant.
 * @index:      Index. Constant.
 * @virq:       Number; changes when it is freed and allocated again. The owner's churning thread.
 * @sent:       Messages sent. The peer's sending thread.
 * @sent_ns:    When the last one was. Before @sent.
 * @handled:    Messages that a handler has seen.
 *
 * One message is under way at a time: the next one is sent when @handled has reached @sent. So each is accounted for by itself,
 * and none can hide behind another one that found the same vector pending.
 */
struct demo_cell {
	struct demo_host *host;
	unsigned int index;
	unsigned int virq;
	_Atomic uint32_t sent;
	_Atomic uint64_t sent_ns;
	_Atomic uint32_t handled;
};

/**
 * struct demo_host - a host of the demonstration
 * @demo:       The whole. Constant.
 * @idx:        Number. Constant.
 * @host:       Its software.
 * @irqs:       NTB interrupts of its bridge.
 * @cells:      By index. Constant pointer.
 * @nr_granted: Interrupts of the peer that it may raise; counted by events.
 * @samples:    Nanoseconds from the store to the handler, one per message. Constant pointer.
 * @nr_samples: How many.
 * @nr_alone:   Of these, the first so many were alone on the bridge.
 * @misdirected: Handlers that ran without a message of their own.
 * @refused:    Messages not sent because the interrupt had been taken back.
 * @moves:      Affinity changes; likewise the next ones.
 * @revokes:    Revocations, each followed by a new grant.
 * @reuses:     Interrupts freed, allocated again and granted again.
 * @offlines:   CPUs taken off line and back.
 * @errors:     Calls that failed; the log says which.
 * @grant_ns:   How long it took to allocate and grant all.
 */
struct demo_host {
	struct demo *demo;
	unsigned int idx;
	struct ontb_host *host;
	struct ontb_ntb_irqs *irqs;
	struct demo_cell *cells;
	_Atomic unsigned int nr_granted;
	uint64_t *samples;
	_Atomic uint64_t nr_samples;
	uint64_t nr_alone;
	_Atomic uint64_t misdirected;
	uint64_t refused;
	uint64_t moves;
	uint64_t revokes;
	uint64_t reuses;
	uint64_t offlines;
	_Atomic uint64_t errors;
	uint64_t grant_ns;
};

/**
 * struct demo_totals - what became of the messages
 * @fired:       Sent.
 * @handled:     Seen by the handler of the interrupt that they were sent to.
 * @lost:        Not seen by it.
 * @misdirected: Handlers that ran without a message of their own.
 * @fire_ns:     How long the firing took.
 */
struct demo_totals {
	uint64_t fired;
	uint64_t handled;
	uint64_t lost;
	uint64_t misdirected;
	uint64_t fire_ns;
};

/**
 * struct demo_file - what became of the file
 * @path:      Its name.
 * @bytes:     Bytes that arrived.
 * @sent_hash: SHA-256 of what was sent.
 * @got_hash:  SHA-256 of what arrived.
 * @ns:        How long it took.
 * @interrupts: Interrupts that announced it, both ways.
 * @is_intact: All arrived, and both are the same.
 */
struct demo_file {
	const char *path;
	uint64_t bytes;
	char sent_hash[DEMO_HASH_TEXT];
	char got_hash[DEMO_HASH_TEXT];
	uint64_t ns;
	uint64_t interrupts;
	bool is_intact;
};

/**
 * struct demo - the whole
 * @options: Constant.
 * @trace:   Trace or NULL. Constant.
 * @fabric:  Machines and bridge. Constant.
 * @hosts:   Hosts.
 * @totals:  Of the firing.
 * @file:    Of the file.
 */
struct demo {
	struct demo_options options;
	struct ontb_trace *trace;
	struct ontb_fabric *fabric;
	struct demo_host hosts[DEMO_NR_HOSTS];
	struct demo_totals totals;
	struct demo_file file;
};

/**
 * demo_open() - build, boot, allocate, grant
 * @demo: With its options.
 *
 * Says on standard error what went wrong.
 *
 * Return: 0 or an error; demo_close() is due either way.
 */
int demo_open(struct demo *demo) ONTB_MUST_CHECK;

/**
 * demo_close() - take all apart
 * @demo: Demonstration, also one that failed to open.
 */
void demo_close(struct demo *demo);

/**
 * demo_alloc() - allocate an interrupt of a host, install its handler, grant it to the peer
 * @host:  Host.
 * @index: Index.
 *
 * Return: 0 or an error.
 */
int demo_alloc(struct demo_host *host, unsigned int index) ONTB_MUST_CHECK;

/**
 * demo_ping() - send messages that are alone on the bridge, one after the other and to both hosts
 * @demo: Open demonstration.
 *
 * Return: 0 (also if messages were lost: see the totals), or an error that kept it from running.
 */
int demo_ping(struct demo *demo) ONTB_MUST_CHECK;

/**
 * demo_wait_handled() - wait until the handler of an interrupt has seen what was sent to it
 * @cell: Interrupt.
 *
 * Return: 0, or -ETIMEDOUT after two seconds: it is lost.
 */
int demo_wait_handled(const struct demo_cell *cell) ONTB_MUST_CHECK;

/**
 * demo_fire() - send every message there is to send, and change everything meanwhile
 * @demo: Open demonstration.
 *
 * Return: 0 (also if messages were lost: see the totals), or an error that kept it from running.
 */
int demo_fire(struct demo *demo) ONTB_MUST_CHECK;

/**
 * demo_send_file() - send a file from the first host to the second
 * @demo: Open demonstration.
 *
 * Return: 0 (also if it did not arrive intact), or an error that kept it from running.
 */
int demo_send_file(struct demo *demo) ONTB_MUST_CHECK;

/**
 * demo_has_failed() - whether something was lost, misdirected or refused that must not be
 * @demo: Demonstration that has run.
 *
 * Return: True if so.
 */
bool demo_has_failed(const struct demo *demo);

/**
 * demo_report_json() - everything, for programs
 * @demo: Demonstration that has run and is still open.
 *
 * Return: A JSON object, which the caller takes over, or NULL when there is no memory.
 */
struct json_object *demo_report_json(struct demo *demo);

/**
 * demo_report_print() - everything, for people
 * @demo: Demonstration that has run and is still open.
 *
 * Return: 0 or -ENOMEM.
 */
int demo_report_print(struct demo *demo) ONTB_MUST_CHECK;

#endif
