// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Reads that wait for a client. See reads.h.
 */
#include "vfio_user/reads.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <openntb/access.h>

#include "base/clock.h"

#define TICKS_PER_TIMEOUT 4

int ontb_reads_init(struct ontb_reads *reads, uint64_t timeout_ns)
{
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);

	if (fd < 0)
		return -errno;
	memset(reads, 0, sizeof(*reads));
	ontb_lock_init(&reads->lock);
	reads->timeout_ns = timeout_ns;
	reads->timer_fd = fd;
	return 0;
}

void ontb_reads_fini(struct ontb_reads *reads)
{
	for (unsigned int i = 0; i < ONTB_MAX_PORTS; i++)
		free(reads->slots[i]);
	ontb_lock_fini(&reads->lock);
	(void)close(reads->timer_fd);
}

static void tick_locked(struct ontb_reads *reads, bool on) ONTB_MUST_HOLD(reads->lock)
{
	const uint64_t tick_ns = on ? reads->timeout_ns / TICKS_PER_TIMEOUT : 0;
	const struct timespec ts = {
		.tv_sec = (time_t)(tick_ns / ONTB_NS_PER_S),
		.tv_nsec = (long)(tick_ns % ONTB_NS_PER_S),
	};
	const struct itimerspec spec = { .it_interval = ts, .it_value = ts };

	if (reads->is_ticking == on)
		return;
	reads->is_ticking = on;
	(void)timerfd_settime(reads->timer_fd, 0, &spec, NULL);
}

void ontb_reads_set_client(struct ontb_reads *reads, unsigned int port, int pid)
{
	ontb_lock(&reads->lock);
	reads->pids[port] = pid;
	ontb_unlock(&reads->lock);
}

static bool are_one(const struct ontb_reads *reads, unsigned int a, unsigned int b)
{
	return a == b || (reads->pids[a] && reads->pids[a] == reads->pids[b]);
}

/*
 * Whether the client of @from waits for that of @to, directly or through others. Ports are visited once, so the cost is
 * bounded by ONTB_MAX_PORTS squared; only reads by message come here, and those take microseconds.
 */
static bool waits_for_locked(const struct ontb_reads *reads, unsigned int from, unsigned int to)
	ONTB_MUST_HOLD(reads->lock)
{
	unsigned int todo[ONTB_MAX_PORTS], nr_todo = 0;
	bool seen[ONTB_MAX_PORTS] = { false };

	todo[nr_todo++] = from;
	seen[from] = true;
	while (nr_todo) {
		unsigned int at = todo[--nr_todo];

		if (are_one(reads, at, to))
			return true;
		for (unsigned int i = 0; i < ONTB_MAX_PORTS; i++) {
			if (!seen[i] && (reads->nr_edges[at][i] || are_one(reads, at, i))) {
				seen[i] = true;
				todo[nr_todo++] = i;
			}
		}
	}
	return false;
}

/*
 * A read that waits holds a buffer as large as itself, and when its time is over all of them become replies at once, which the
 * source need not read. So a source that reads much has to do so piece by piece.
 */
static bool is_too_much_locked(const struct ontb_reads *reads, const struct ontb_read *read) ONTB_MUST_HOLD(reads->lock)
{
	const size_t nr_bytes = reads->nr_bytes[read->source];

	return nr_bytes && (nr_bytes > ONTB_READS_SOURCE_BYTES || read->len > ONTB_READS_SOURCE_BYTES - nr_bytes);
}

static struct ontb_reads_slot *find_free_locked(struct ontb_reads *reads, unsigned int target, unsigned int *idx)
	ONTB_MUST_HOLD(reads->lock)
{
	if (!reads->slots[target]) {
		reads->slots[target] = calloc(ONTB_READS_PER_TARGET, sizeof(struct ontb_reads_slot));
		if (!reads->slots[target])
			return NULL;
	}
	for (unsigned int i = 0; i < ONTB_READS_PER_TARGET; i++) {
		if (reads->slots[target][i].state == ONTB_READS_FREE) {
			*idx = i;
			return &reads->slots[target][i];
		}
	}
	return NULL;
}

static uint16_t make_id(unsigned int idx, const struct ontb_reads_slot *slot)
{
	return (uint16_t)((unsigned int)slot->generation << 8 | idx);
}

int ontb_reads_begin(struct ontb_reads *reads, unsigned int target, struct ontb_read *read, uint64_t addr, size_t done,
		     size_t asked, uint16_t *id)
{
	struct ontb_reads_slot *slot;
	unsigned int idx = 0;
	int ret = -ENOBUFS;

	if (read->source >= ONTB_MAX_PORTS)
		return -EINVAL;
	ontb_lock(&reads->lock);
	if (waits_for_locked(reads, target, read->source)) {
		ret = -EDEADLK;
		goto unlock;
	}
	if (is_too_much_locked(reads, read))
		goto unlock;
	slot = find_free_locked(reads, target, &idx);
	if (!slot)
		goto unlock;
	slot->state = ONTB_READS_WAITING;
	slot->read = read;
	slot->source = read->source;
	slot->addr = addr;
	slot->done = done;
	slot->asked = asked;
	slot->generation++;
	slot->deadline_ns = ontb_clock_ns() + reads->timeout_ns;
	reads->nr_edges[slot->source][target]++;
	reads->nr_bytes[slot->source] += read->len;
	reads->nr_waiting++;
	tick_locked(reads, true);
	*id = make_id(idx, slot);
	ret = 0;
unlock:
	ontb_unlock(&reads->lock);
	return ret;
}

static struct ontb_reads_slot *find_locked(struct ontb_reads *reads, unsigned int target, uint16_t id)
	ONTB_MUST_HOLD(reads->lock)
{
	struct ontb_reads_slot *slot;

	if (!reads->slots[target])
		return NULL;
	slot = &reads->slots[target][id % ONTB_READS_PER_TARGET];
	return slot->state != ONTB_READS_FREE && slot->generation == id >> 8 ? slot : NULL;
}

static void close_locked(struct ontb_reads *reads, unsigned int target, struct ontb_reads_slot *slot,
			 enum ontb_reads_state state) ONTB_MUST_HOLD(reads->lock)
{
	reads->nr_edges[slot->source][target]--;
	reads->nr_bytes[slot->source] -= slot->read->len;
	reads->nr_waiting--;
	slot->state = state;
	slot->read = NULL;
}

int ontb_reads_claim(struct ontb_reads *reads, unsigned int target, uint16_t id, struct ontb_reads_slot *out)
{
	struct ontb_reads_slot *slot;
	int ret = -ENOENT;

	ontb_lock(&reads->lock);
	slot = find_locked(reads, target, id);
	if (slot && slot->state == ONTB_READS_WAITING) {
		slot->state = ONTB_READS_CLAIMED;
		*out = *slot;
		ret = 0;
	} else if (slot && slot->state == ONTB_READS_EXPIRED) {
		slot->state = ONTB_READS_FREE;
		ret = -ETIMEDOUT;
	}
	ontb_unlock(&reads->lock);
	return ret;
}

uint16_t ontb_reads_again(struct ontb_reads *reads, unsigned int target, uint16_t id, size_t done, size_t asked)
{
	struct ontb_reads_slot *slot;
	uint16_t next;

	ontb_lock(&reads->lock);
	slot = &reads->slots[target][id % ONTB_READS_PER_TARGET];
	slot->state = ONTB_READS_WAITING;
	slot->done = done;
	slot->asked = asked;
	slot->generation++;
	next = make_id(id % ONTB_READS_PER_TARGET, slot);
	ontb_unlock(&reads->lock);
	return next;
}

void ontb_reads_end(struct ontb_reads *reads, unsigned int target, uint16_t id)
{
	ontb_lock(&reads->lock);
	close_locked(reads, target, &reads->slots[target][id % ONTB_READS_PER_TARGET], ONTB_READS_FREE);
	ontb_unlock(&reads->lock);
}

bool ontb_reads_abort(struct ontb_reads *reads, unsigned int target, uint16_t id)
{
	struct ontb_reads_slot *slot;
	bool is_mine = false;

	ontb_lock(&reads->lock);
	slot = find_locked(reads, target, id);
	if (slot && slot->state == ONTB_READS_WAITING) {
		close_locked(reads, target, slot, ONTB_READS_FREE);
		is_mine = true;
	}
	ontb_unlock(&reads->lock);
	return is_mine;
}

typedef bool slot_test_fn(const struct ontb_reads_slot *slot, unsigned int target, uint64_t arg);

/*
 * Complete every waiting read that a test picks. Callbacks run without the lock, so the search starts over after each.
 */
static void complete_matching(struct ontb_reads *reads, slot_test_fn *test, uint64_t arg, int status)
{
	struct ontb_reads_slot *slot;
	struct ontb_read *read;

	for (unsigned int target = 0; target < ONTB_MAX_PORTS; target++) {
		for (unsigned int i = 0; i < ONTB_READS_PER_TARGET; i++) {
			read = NULL;
			ontb_lock(&reads->lock);
			slot = reads->slots[target] ? &reads->slots[target][i] : NULL;
			if (slot && slot->state == ONTB_READS_WAITING && test(slot, target, arg)) {
				read = slot->read;
				close_locked(reads, target, slot, ONTB_READS_EXPIRED);
			}
			ontb_unlock(&reads->lock);
			if (!slot)
				break;
			if (read)
				read->done(read, status);
		}
	}
}

static bool concerns_port(const struct ontb_reads_slot *slot, unsigned int target, uint64_t port)
{
	return target == port || slot->source == port;
}

static bool is_due(const struct ontb_reads_slot *slot, unsigned int target, uint64_t now_ns)
{
	(void)target;
	return slot->deadline_ns <= now_ns;
}

void ontb_reads_leave(struct ontb_reads *reads, unsigned int port)
{
	complete_matching(reads, concerns_port, port, -ENOLINK);
	ontb_lock(&reads->lock);
	reads->pids[port] = 0;
	for (unsigned int i = 0; reads->slots[port] && i < ONTB_READS_PER_TARGET; i++)
		reads->slots[port][i].state = ONTB_READS_FREE;
	ontb_unlock(&reads->lock);
}

void ontb_reads_expire(struct ontb_reads *reads, uint64_t now_ns)
{
	uint64_t nr_ticks;

	(void)!read(reads->timer_fd, &nr_ticks, sizeof(nr_ticks));
	complete_matching(reads, is_due, now_ns, -ETIMEDOUT);
	ontb_lock(&reads->lock);
	if (!reads->nr_waiting)
		tick_locked(reads, false);
	ontb_unlock(&reads->lock);
}
