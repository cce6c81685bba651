// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Partition lock.
 */
#include "hw/switchtec/partlock.h"

#include <string.h>

void ontb_partlock_init(struct ontb_partlock *lock)
{
	*lock = (struct ontb_partlock){ .owner = ONTB_PARTLOCK_FREE };
}

static bool is_waiting(const struct ontb_partlock *lock, unsigned int port)
{
	return memchr(lock->waiting, (int)port, lock->nr_waiting);
}

bool ontb_partlock_request(struct ontb_partlock *lock, unsigned int port)
{
	lock->refused &= ~(1ULL << port);
	if (lock->owner == ONTB_PARTLOCK_FREE)
		lock->owner = (uint8_t)port;
	else if (lock->owner != port && !is_waiting(lock, port))
		lock->waiting[lock->nr_waiting++] = (uint8_t)port;
	return lock->owner == port;
}

static void leave_queue(struct ontb_partlock *lock, unsigned int idx)
{
	lock->nr_waiting--;
	memmove(lock->waiting + idx, lock->waiting + idx + 1, lock->nr_waiting - idx);
}

void ontb_partlock_drop(struct ontb_partlock *lock, unsigned int port)
{
	lock->refused &= ~(1ULL << port);
	for (unsigned int i = 0; i < lock->nr_waiting; i++) {
		if (lock->waiting[i] == port) {
			leave_queue(lock, i);
			break;
		}
	}
	if (lock->owner != port)
		return;
	lock->owner = ONTB_PARTLOCK_FREE;
	if (lock->nr_waiting) {
		lock->owner = lock->waiting[0];
		leave_queue(lock, 0);
	}
}

void ontb_partlock_refuse(struct ontb_partlock *lock, unsigned int port)
{
	lock->refused |= 1ULL << port;
}

bool ontb_partlock_allows(const struct ontb_partlock *lock, unsigned int port)
{
	return lock->owner == port || lock->owner == ONTB_PARTLOCK_FREE;
}

enum ontb_part_status ontb_partlock_view(const struct ontb_partlock *lock, unsigned int port)
{
	if (lock->refused & 1ULL << port)
		return ONTB_PART_REFUSED;
	if (lock->owner == port)
		return ONTB_PART_LOCKED;
	return is_waiting(lock, port) ? ONTB_PART_LOCKING : ONTB_PART_NORMAL;
}
