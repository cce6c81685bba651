/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * The soak: hosts in a ring, everything at once, and every message accounted for.
 *
 *      soak_world.c   builds machines, boots hosts and takes them down
 *      soak_cell.c    sends messages, takes them, and says what became of each
 *      soak_churn.c   what an owner does with its interrupts
 *      soak_break.c   links that flap, hosts that are reset or die, peers that are late
 *      soak_liar.c    a peer that writes anything
 *      soak_linux.c   today's scheme of Linux, instead of grants
 *      soak_run.c     threads, or steps
 *      soak_note.c    what happened last, and the digest of it
 *      soak_report.c  what came of it
 *
 * Host n and host n + 1 share bridge n, the last host and the first one the last bridge; two hosts share two bridges. So each host has
 * two peers, or one peer over two bridges. A side is a host's end of a bridge. The liar is a host of its own at one more bridge of host 0.
 *
 * An interrupt has at most one message under way. So each message is accounted for by itself, and none can hide behind another one
 * that found the same vector pending. Always: sent = handled + died + lost, and what is under way.
 */
#ifndef ONTB_TOOL_SOAK_H
#define ONTB_TOOL_SOAK_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <openntb/fabric.h>
#include <openntb/host.h>
#include <openntb/ntb_irq.h>

#include "base/annotate.h"

#define SOAK_MAX_HOSTS 8U
#define SOAK_MAX_SIDES 3U  /* of a host: two of the ring, one of the liar */
#define SOAK_NR_SPARE  64U /* own interrupts of a side that are taken only to run out of them */
#define SOAK_NR_LIES   16U /* interrupts that the liar may raise */
#define SOAK_STEPS_MS  10U /* steps of a stepped fabric that stand for a millisecond */
#define SOAK_NR_NOTES  65536U
#define SOAK_LIFE_MASK 0x7ffffU /* of the number of a life: what a word of Linux's scheme has room for */

/**
 * enum soak_parent - what is between a function and the CPUs
 * @SOAK_VECTOR: Nothing, on all hosts.
 * @SOAK_REMAP:  Interrupt remapping, on all hosts.
 * @SOAK_MIXED:  Remapping on hosts with even numbers.
 */
enum soak_parent {
	SOAK_VECTOR,
	SOAK_REMAP,
	SOAK_MIXED,
};

/**
 * struct soak_options - what to do
 * @nr_seconds: How long, if not stepped.
 * @nr_steps:   Operations, if stepped.
 * @nr_hosts:   Hosts, without the liar.
 * @nr_cpus:    CPUs of each.
 * @nr_irqs:    Interrupts of each side.
 * @late_ms:    How late peers are at most.
 * @parent:     What is below.
 * @is_linux:   Today's scheme of Linux.
 * @is_stepped: One thread, and everything follows from @seed.
 * @is_quiet:   No progress lines.
 * @seed:       Of all choices.
 */
struct soak_options {
	unsigned int nr_seconds;
	unsigned int nr_steps;
	unsigned int nr_hosts;
	unsigned int nr_cpus;
	unsigned int nr_irqs;
	unsigned int late_ms;
	enum soak_parent parent;
	bool is_linux;
	bool is_stepped;
	bool is_quiet;
	uint64_t seed;
};

/**
 * enum soak_state - what the owner has done with an interrupt
 * @SOAK_FREE:      Nothing.
 * @SOAK_LIVE:      Allocated, with a handler; nobody has it.
 * @SOAK_GRANTED:   Granted, or under way.
 * @SOAK_RETURNING: Taken back, or its link broke; not settled.
 * @SOAK_STUCK:     Freed while it was granted and had a handler; not settled.
 * @SOAK_FREEING:   Freed, without a handler; not settled.
 */
enum soak_state {
	SOAK_FREE,
	SOAK_LIVE,
	SOAK_GRANTED,
	SOAK_RETURNING,
	SOAK_STUCK,
	SOAK_FREEING,
};

struct soak;
struct soak_host;
struct soak_side;

/**
 * struct soak_cell - an interrupt of a side, and the message to it
 * @side:        Owner's side. Constant.
 * @index:       Index. Constant.
 * @state:       State. The owner's thread, likewise the next ones up to @doubt_at.
 * @virq:        Number.
 * @is_disabled: Its handler may not run.
 * @was_enabled: Its handler was let run again since it was granted.
 * @breaks:      Breaks of the link before it was granted.
 * @downs:       Link events before it was granted.
 * @doubt_at:    It has settled at this time, and its message was missing; 0: no doubt.
 * @rest_until:  When it may be allocated or granted again.
 * @lock:        Held while a message is sent, and while one is written off.
 * @nr_sent:     Messages sent. Under @lock.
 * @nr_handled:  Messages that the handler has taken. The handler's.
 * @sent:        Number of the last message; changed under @lock.
 * @handled:     Number of the last message that was taken or written off.
 * @sent_life:   Life that the last message was for. Before @sent.
 * @sent_at:     When it was sent. Before @sent.
 * @life:        Number of the present life. The owner's thread, while no message can come.
 * @ran:         Runs of the handler in this life.
 * @pair:        Linux: what was told last, see soak_linux.c.
 * @hit_at:      Linux: when the handler ran at the new CPU first.
 * @is_moving:   Linux: the old target is still there.
 * @data:        Linux: of the move.
 */
struct soak_cell {
	struct soak_side *side;
	unsigned int index;
	enum soak_state state;
	unsigned int virq;
	bool is_disabled;
	bool was_enabled;
	uint32_t breaks;
	uint32_t downs;
	uint64_t doubt_at;
	uint64_t rest_until;
	atomic_flag lock;
	uint64_t nr_sent;
	_Atomic uint64_t nr_handled;
	_Atomic uint32_t sent;
	_Atomic uint32_t handled;
	_Atomic uint32_t sent_life;
	_Atomic uint64_t sent_at;
	_Atomic uint32_t life;
	_Atomic uint32_t ran;
	_Atomic uint64_t pair;
	_Atomic uint64_t hit_at;
	_Atomic bool is_moving;
	struct ontb_irq_data *data;
};

/**
 * struct soak_side - a host's end of a bridge
 * @soak:        All. Constant, likewise the next ones up to @nr_cells.
 * @host:        Host.
 * @bridge:      Bridge.
 * @port:        Port.
 * @peer:        The other end.
 * @is_liar:     One of the two hosts at the bridge is the liar: nothing is accounted for.
 * @cells:       Own interrupts.
 * @nr_cells:    How many.
 * @ntb:         Bridge as its host sees it. Changed with the host's gate closed.
 * @irqs:        Its interrupts; NULL for Linux. Likewise.
 * @breaks:      How often somebody broke the link, or began to.
 * @nr_breaking: Breaks that are not over.
 * @downs:       Link events that said it is down.
 * @up_breaks:   Breaks before it was up last. The bridge's worker.
 * @is_linked:   Interrupts can be granted.
 * @is_open:     Linux: the inbound window is open. The bridge's worker.
 * @window:      Linux: its number. Constant while it is open.
 */
struct soak_side {
	struct soak *soak;
	struct soak_host *host;
	unsigned int bridge;
	unsigned int port;
	struct soak_side *peer;
	bool is_liar;
	struct soak_cell *cells;
	unsigned int nr_cells;
	struct ontb_ntb *ntb;
	struct ontb_ntb_irqs *irqs;
	_Atomic uint32_t breaks;
	_Atomic uint32_t nr_breaking;
	_Atomic uint32_t downs;
	uint32_t up_breaks;
	_Atomic bool is_linked;
	_Atomic bool is_open;
	unsigned int window;
};

/**
 * struct soak_host - a host
 * @soak:     All. Constant.
 * @idx:      Number. Constant.
 * @name:     Name. Constant.
 * @host:     Its software; NULL while it is down. Changed with the gate closed.
 * @has_remapping: Its messages are remapped. Constant.
 * @nr_sides: Sides. Constant.
 * @sides:    They, in the order of the host's functions.
 * @random:   State of the owner's choices.
 * @send_random: State of the sender's.
 * @online:   CPUs, as bits. The owner's.
 * @nr_spare: Linux: interrupts that hold CPU vectors so that those left are used again soon.
 * @is_emptying: Linux: a CPU goes off line, and nobody waits for peers.
 * @gate:     Held by the sender while it sends, and while the host is down.
 * @wants_gate: The sender shall let go.
 * @owner:    Thread; likewise @sender.
 * @sender:   .
 */
struct soak_host {
	struct soak *soak;
	unsigned int idx;
	char name[8];
	struct ontb_host *host;
	bool has_remapping;
	unsigned int nr_sides;
	struct soak_side sides[SOAK_MAX_SIDES];
	uint64_t random;
	uint64_t send_random;
	uint32_t online;
	unsigned int nr_spare;
	_Atomic bool is_emptying;
	struct ontb_lock gate;
	_Atomic bool wants_gate;
	pthread_t owner;
	pthread_t sender;
};

/**
 * struct soak_counts - what has happened; written by many threads
 * @died:        Messages whose link died after they were sent.
 * @lost:        Messages that the handler they were for did not get.
 * @misdirected: Handlers that ran for a message that was not theirs.
 * @doubled:     Handlers that ran twice for one message.
 * @stale:       Linux: messages sent after a newer pair had been told.
 * @noise:       Handlers that ran for the liar.
 * @lies:        What the liar wrote.
 * @moves:       Affinity changes; likewise the next ones.
 * @revokes:     Taken back.
 * @reuses:      Freed.
 * @disables:    Handlers kept from running for a while.
 * @offlines:    CPUs taken off line.
 * @exhaustions: Interrupts or vectors run out of.
 * @flaps:       Links that were taken down and up.
 * @cuts:        Ways that dropped everything for a while.
 * @resets:      Hosts that started anew.
 * @deaths:      Hosts whose functions disappeared.
 * @lates:       Ways whose delay was changed.
 * @unplanned:   Links that went down though nobody broke them.
 * @errors:      Calls that failed and must not.
 */
struct soak_counts {
	_Atomic uint64_t died;
	_Atomic uint64_t lost;
	_Atomic uint64_t misdirected;
	_Atomic uint64_t doubled;
	_Atomic uint64_t stale;
	_Atomic uint64_t noise;
	_Atomic uint64_t lies;
	_Atomic uint64_t moves;
	_Atomic uint64_t revokes;
	_Atomic uint64_t reuses;
	_Atomic uint64_t disables;
	_Atomic uint64_t offlines;
	_Atomic uint64_t exhaustions;
	_Atomic uint64_t flaps;
	_Atomic uint64_t cuts;
	_Atomic uint64_t resets;
	_Atomic uint64_t deaths;
	_Atomic uint64_t lates;
	_Atomic uint64_t unplanned;
	_Atomic uint64_t errors;
};

/**
 * struct soak_note - something that happened in a stepped run
 * @step:  Operation.
 * @what:  In words; constant text.
 * @host:  Host.
 * @bridge: Bridge, or -1 if it concerns the whole host.
 * @index: Interrupt, or -1 if it concerns the whole side.
 * @value: A number that belongs to it.
 */
struct soak_note {
	uint64_t step;
	const char *what;
	unsigned int host;
	int bridge;
	int index;
	uint64_t value;
};

/**
 * struct soak - all
 * @options:   Constant.
 * @fabric:    Machines. Constant.
 * @nr_hosts:  Hosts, with the liar. Constant.
 * @hosts:     Hosts; the liar is the last one.
 * @counts:    What has happened.
 * @is_over:   Owners and the liar shall end.
 * @is_silent: Senders shall end.
 * @step:      Operations so far, if stepped; likewise the next ones.
 * @random:    State of what is stepped next.
 * @digest:    Of all notes.
 * @nr_notes:  Notes so far.
 * @notes:     The last ones.
 * @is_blamed: There was a failure; whoever sets it writes the next ones.
 * @culprit:   Interrupt of the first failure, or NULL.
 * @culprit_what: What it is.
 * @culprit_note: Notes up to it.
 * @ns:        How long it took.
 */
struct soak {
	struct soak_options options;
	struct ontb_fabric *fabric;
	unsigned int nr_hosts;
	struct soak_host hosts[SOAK_MAX_HOSTS + 1];
	struct soak_counts counts;
	_Atomic bool is_over;
	_Atomic bool is_silent;
	uint64_t step;
	uint64_t random;
	uint64_t digest;
	uint64_t nr_notes;
	struct soak_note *notes;
	_Atomic bool is_blamed;
	const struct soak_cell *culprit;
	const char *culprit_what;
	uint64_t culprit_note;
	uint64_t ns;
};

static inline void soak_count(_Atomic uint64_t *counter)
{
	atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

/* World */

/**
 * soak_open() - build and boot
 * @soak: With its options.
 *
 * Says on standard error what went wrong.
 *
 * Return: 0 or an error; soak_close() is due either way.
 */
int soak_open(struct soak *soak) ONTB_MUST_CHECK;

/**
 * soak_close() - take all apart
 * @soak: Also one that failed to open.
 */
void soak_close(struct soak *soak);

/**
 * soak_start_host() - boot a host and give it its interrupts
 * @host: Host that is down.
 *
 * Return: 0, or an error, which was said.
 */
int soak_start_host(struct soak_host *host) ONTB_MUST_CHECK;

/**
 * soak_stop_host() - shut a host down, whatever its interrupts are in
 * @host: Host; one that is down is fine. What was under way to it has died.
 */
void soak_stop_host(struct soak_host *host);

/**
 * soak_failed() - count a call that must not fail, and say so
 * @host: Where.
 * @what: What was tried.
 * @err:  -errno.
 */
void soak_failed(struct soak_host *host, const char *what, int err);

/**
 * soak_now() - time
 * @soak: All.
 *
 * Return: Nanoseconds; in a stepped run, as many as the operations so far stand for.
 */
uint64_t soak_now(const struct soak *soak);

/**
 * soak_pause() - let time pass
 * @soak: All.
 * @ns:   How long; in a stepped run, steps that stand for it.
 */
void soak_pause(struct soak *soak, uint64_t ns);

/**
 * soak_step() - let one thing happen in a stepped run
 * @soak: All.
 *
 * Return: False if nothing is to do.
 */
bool soak_step(struct soak *soak);

/* Messages */

/**
 * soak_handle() - handler of all interrupts
 * @virq: Number.
 * @dev:  struct soak_cell.
 *
 * Return: Handled.
 */
enum ontb_irq_return soak_handle(unsigned int virq, void *dev);

/**
 * soak_send() - raise an interrupt of a peer
 * @from: Holder's side.
 * @cell: Interrupt of the side at the other end.
 *
 * Return: Whether a message was sent: not if one is under way, or if it is not granted.
 */
bool soak_send(struct soak_side *from, struct soak_cell *cell);

/**
 * soak_lock_cell() - keep messages from being sent
 * @cell: Interrupt.
 */
void soak_lock_cell(struct soak_cell *cell);

/**
 * soak_unlock_cell() - let them
 * @cell: Interrupt.
 */
void soak_unlock_cell(struct soak_cell *cell);

/**
 * soak_is_missing() - whether a message is under way or gone
 * @cell: Interrupt, locked or without a sender.
 *
 * Return: True if one was sent that nobody has taken.
 */
bool soak_is_missing(const struct soak_cell *cell);

/**
 * soak_write_off() - a message will not be handled any more
 * @cell:    Interrupt, locked.
 * @counter: What to count.
 *
 * Return: False if it was handled in this very moment.
 */
bool soak_write_off(struct soak_cell *cell, _Atomic uint64_t *counter);

/**
 * soak_new_life() - from now on a message that was sent before is somebody else's
 * @cell: Interrupt.
 */
void soak_new_life(struct soak_cell *cell);

/**
 * soak_sums() - messages so far
 * @soak:    All.
 * @sent:    OUT.
 * @handled: OUT.
 */
void soak_sums(struct soak *soak, uint64_t *sent, uint64_t *handled);

/* Owners */

/**
 * soak_follow() - see what was under way and has ended, and go on with it
 * @host: Host.
 *
 * Context: The owner's thread.
 */
void soak_follow(struct soak_host *host);

/**
 * soak_churn() - one random operation on a host's interrupts or CPUs
 * @host: Host.
 *
 * Context: The owner's thread.
 */
void soak_churn(struct soak_host *host);

/**
 * soak_enable() - let a handler run again that was kept from running
 * @cell: Interrupt; one that is not disabled is fine.
 *
 * Context: The owner's thread, or none is left.
 */
void soak_enable(struct soak_cell *cell);

/**
 * soak_forget() - nothing of a side's interrupts is known any more
 * @side: Side whose host is down.
 */
void soak_forget(struct soak_side *side);

/**
 * soak_drop_handlers() - take the handlers of a side away, and free what is allocated
 * @side: Side.
 *
 * Context: The owner's thread.
 */
void soak_drop_handlers(struct soak_side *side);

/* What breaks */

/**
 * soak_break() - break something of a host
 * @host: Host.
 *
 * Context: The owner's thread.
 */
void soak_break(struct soak_host *host);

/**
 * soak_make_late() - change how late a host hears of a peer
 * @host: Host.
 *
 * Context: The owner's thread.
 */
void soak_make_late(struct soak_host *host);

/**
 * soak_link_event() - for events: the link of a side has changed
 * @side:  Side.
 * @is_up: How.
 */
void soak_link_event(struct soak_side *side, bool is_up);

/**
 * soak_lie() - let the liar do one thing
 * @host: The liar.
 *
 * Context: One thread.
 */
void soak_lie(struct soak_host *host);

/* Linux */

/**
 * soak_linux_start() - make the interrupts of a side as Linux does
 * @side: Side of a host that has booted.
 *
 * Return: 0 or an error.
 */
int soak_linux_start(struct soak_side *side) ONTB_MUST_CHECK;

/**
 * soak_linux_stop() - undo it
 * @side: Side without handlers.
 */
void soak_linux_stop(struct soak_side *side);

/**
 * soak_linux_ways() - make some peers late for the whole run
 * @soak: All.
 *
 * Return: 0 or an error.
 */
int soak_linux_ways(struct soak *soak) ONTB_MUST_CHECK;

/**
 * soak_linux_fill() - take CPU vectors until few are left
 * @host: Host.
 */
void soak_linux_fill(struct soak_host *host);

/**
 * soak_linux_send() - raise an interrupt of the host at the other end, with what this side was told
 * @from: Holder's side.
 * @slot: 0..2 * nr_irqs - 1: interrupts of the side at the other end, then those of its host's other side.
 *
 * Return: Whether a message was sent.
 */
bool soak_linux_send(struct soak_side *from, unsigned int slot);

/**
 * soak_linux_follow() - release old targets whose time has come
 * @host: Host.
 *
 * Context: The owner's thread.
 */
void soak_linux_follow(struct soak_host *host);

/**
 * soak_linux_churn() - one random operation
 * @host: Host.
 *
 * Context: The owner's thread.
 */
void soak_linux_churn(struct soak_host *host);

/**
 * soak_linux_expire() - write off messages that nobody has taken for long
 * @soak: All.
 * @is_end: Also those that were sent just now.
 */
void soak_linux_expire(struct soak *soak, bool is_end);

/* Runs */

/**
 * soak_run() - do it
 * @soak: Open.
 *
 * Return: 0 (also if messages were lost: see the counts), or an error that kept it from running.
 */
int soak_run(struct soak *soak) ONTB_MUST_CHECK;

/**
 * soak_note() - remember that something happened, if stepped
 * @side:  Where.
 * @what:  Constant text.
 * @index: Interrupt, or -1.
 * @value: A number that belongs to it.
 */
void soak_note(const struct soak_side *side, const char *what, int index, uint64_t value);

/**
 * soak_note_host() - remember something about a whole host
 * @host:  Host.
 * @what:  Constant text.
 * @value: A number that belongs to it.
 */
void soak_note_host(const struct soak_host *host, const char *what, uint64_t value);

/**
 * soak_blame() - remember the first failure
 * @cell: Interrupt.
 * @what: Constant text.
 */
void soak_blame(const struct soak_cell *cell, const char *what);

/**
 * soak_explain() - print the first failure; if stepped, the events that led to it, and how to see it again
 * @soak: Has run.
 */
void soak_explain(const struct soak *soak);

/**
 * soak_has_failed() - whether something was lost, misdirected or doubled, or a call failed
 * @soak: Has run.
 *
 * Return: True if so.
 */
bool soak_has_failed(const struct soak *soak);

/**
 * soak_report_print() - what came of it, for people
 * @soak: Has run.
 */
void soak_report_print(struct soak *soak);

/**
 * soak_report_json() - what came of it, for programs
 * @soak: Has run.
 *
 * Return: A JSON object, which the caller takes over, or NULL when there is no memory.
 */
struct json_object *soak_report_json(struct soak *soak);

#endif
