// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * MSI-X vectors of one client. See irqs.h.
 */
#include "vfio_user/irqs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int ontb_irqs_init(struct ontb_irqs *irqs, uint32_t nr_vectors)
{
	struct ontb_irq_vector *vectors = calloc(nr_vectors, sizeof(*vectors));

	if (!vectors)
		return -ENOMEM;
	for (uint32_t i = 0; i < nr_vectors; i++)
		vectors[i].fd = -1;
	ontb_lock_init(&irqs->lock);
	irqs->nr_vectors = nr_vectors;
	irqs->vectors = vectors;
	atomic_init(&irqs->nr_armed, 0);
	return 0;
}

static void disarm_locked(struct ontb_irqs *irqs, struct ontb_irq_vector *v) ONTB_MUST_HOLD(irqs->lock)
{
	if (v->fd < 0)
		return;
	(void)close(v->fd);
	v->fd = -1;
	atomic_fetch_sub_explicit(&irqs->nr_armed, 1, memory_order_relaxed);
}

void ontb_irqs_fini(struct ontb_irqs *irqs)
{
	if (!irqs->vectors)
		return;
	ontb_lock(&irqs->lock);
	for (uint32_t i = 0; i < irqs->nr_vectors; i++)
		disarm_locked(irqs, &irqs->vectors[i]);
	ontb_unlock(&irqs->lock);
	ontb_lock_fini(&irqs->lock);
	free(irqs->vectors);
	irqs->vectors = NULL;
}

/*
 * The counter of an eventfd can only be full if nobody reads it, and then the reader has a signal waiting already. So a
 * write that does not fit is no loss.
 */
static void signal_locked(struct ontb_irq_vector *v)
{
	const uint64_t one = 1;

	if (v->fd < 0 || v->is_masked) {
		v->is_latched = true;
		return;
	}
	v->is_latched = false;
	if (write(v->fd, &one, sizeof(one)) < 0 && errno != EAGAIN)
		v->is_latched = true;
}

/* The vector may have become armed: deliver what is latched, or latch it again. */
static void flush_locked(struct ontb_irq_vector *v)
{
	if (v->is_latched)
		signal_locked(v);
}

void ontb_irqs_raise(struct ontb_irqs *irqs, unsigned int vector)
{
	if (vector >= irqs->nr_vectors)
		return;
	ontb_lock(&irqs->lock);
	signal_locked(&irqs->vectors[vector]);
	ontb_unlock(&irqs->lock);
}

void ontb_irqs_clear(struct ontb_irqs *irqs)
{
	ontb_lock(&irqs->lock);
	for (uint32_t i = 0; i < irqs->nr_vectors; i++)
		irqs->vectors[i].is_latched = false;
	ontb_unlock(&irqs->lock);
}

bool ontb_irqs_is_pending(struct ontb_irqs *irqs, unsigned int vector)
{
	bool pending;

	if (vector >= irqs->nr_vectors)
		return false;
	ontb_lock(&irqs->lock);
	pending = irqs->vectors[vector].is_latched;
	ontb_unlock(&irqs->lock);
	return pending;
}

static int refuse(const char **why, const char *text)
{
	*why = text;
	return -EINVAL;
}

/*
 * Only an eventfd will do: writing to a pipe or socket of the client could block, and would not be an interrupt.
 */
static bool is_eventfd(int fd)
{
	static const char wanted[] = "anon_inode:[eventfd]";
	char path[64], target[sizeof(wanted) + 1];
	ssize_t n;

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	n = readlink(path, target, sizeof(target));
	return n == (ssize_t)(sizeof(wanted) - 1) && !memcmp(target, wanted, sizeof(wanted) - 1);
}

static bool make_nonblocking(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	return flags >= 0 && (flags & O_NONBLOCK || !fcntl(fd, F_SETFL, flags | O_NONBLOCK));
}

static void take_away_locked(struct ontb_irqs *irqs, uint32_t start, uint32_t count) ONTB_MUST_HOLD(irqs->lock)
{
	for (uint32_t i = start; i < start + count; i++)
		disarm_locked(irqs, &irqs->vectors[i]);
}

static void arm_locked(struct ontb_irqs *irqs, uint32_t vector, int fd) ONTB_MUST_HOLD(irqs->lock)
{
	struct ontb_irq_vector *v = &irqs->vectors[vector];

	disarm_locked(irqs, v);
	v->fd = fd;
	atomic_fetch_add_explicit(&irqs->nr_armed, 1, memory_order_relaxed);
	flush_locked(v);
}

static int set_eventfds(struct ontb_irqs *irqs, const struct ontb_wire_irq_set *set, int *fds, unsigned int nr_fds,
			const char **why)
{
	if (nr_fds && nr_fds != set->count)
		return refuse(why, "number of descriptors differs from count");
	for (unsigned int i = 0; i < nr_fds; i++) {
		if (!is_eventfd(fds[i]))
			return refuse(why, "a descriptor is not an eventfd");
		if (!make_nonblocking(fds[i]))
			return refuse(why, "an eventfd cannot be made non-blocking");
	}
	ontb_lock(&irqs->lock);
	if (!nr_fds)
		take_away_locked(irqs, set->start, set->count);
	for (unsigned int i = 0; i < nr_fds; i++) {
		arm_locked(irqs, set->start + i, fds[i]);
		fds[i] = -1;
	}
	ontb_unlock(&irqs->lock);
	return 0;
}

static void apply_locked(struct ontb_irq_vector *v, uint32_t action)
{
	switch (action) {
	case ONTB_WIRE_IRQ_MASK:
		v->is_masked = true;
		break;
	case ONTB_WIRE_IRQ_UNMASK:
		v->is_masked = false;
		flush_locked(v);
		break;
	default:
		signal_locked(v);
		break;
	}
}

int ontb_irqs_set(struct ontb_irqs *irqs, const struct ontb_wire_irq_set *set, int *fds, unsigned int nr_fds,
		  const char **why)
{
	const uint32_t action = set->flags & ONTB_WIRE_IRQ_ACTION, data = set->flags & ONTB_WIRE_IRQ_DATA;
	const bool takes_all = action == ONTB_WIRE_IRQ_TRIGGER && data == ONTB_WIRE_IRQ_DATA_NONE && !set->count;
	const uint32_t nr_vectors = set->index == ONTB_WIRE_IRQ_MSIX ? irqs->nr_vectors : 0;

	if (nr_fds && data != ONTB_WIRE_IRQ_DATA_EVENTFD)
		return refuse(why, "descriptors, but not as the data");
	if (takes_all && !set->start) {
		ontb_lock(&irqs->lock);
		take_away_locked(irqs, 0, nr_vectors);
		ontb_unlock(&irqs->lock);
		return 0;
	}
	if (!nr_vectors)
		return refuse(why, "the function has no interrupts of this kind");
	if (set->start >= nr_vectors || set->count > nr_vectors - set->start)
		return refuse(why, "vectors beyond the last one");
	if (!set->count)
		return refuse(why, "count is 0");
	if (data == ONTB_WIRE_IRQ_DATA_EVENTFD) {
		if (action != ONTB_WIRE_IRQ_TRIGGER)
			return refuse(why, "eventfds only trigger");
		return set_eventfds(irqs, set, fds, nr_fds, why);
	}
	ontb_lock(&irqs->lock);
	for (uint32_t i = 0; i < set->count; i++) {
		if (!set->bools || set->bools[i])
			apply_locked(&irqs->vectors[set->start + i], action);
	}
	ontb_unlock(&irqs->lock);
	return 0;
}
