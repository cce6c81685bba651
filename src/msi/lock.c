// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * The descriptor lock of a device, and the check that who calls a _locked function really has it.
 *
 * A thread is known by the address of a variable of its own. Only the holder writes its identity into the device, so a thread
 * that reads its own identity there holds the lock, and one that does not hold it can never read it.
 */
#include "msi/msi.h"

#include <errno.h>

#include "base/log.h"

static _Thread_local char identity;

static uintptr_t this_thread(void)
{
	return (uintptr_t)&identity;
}

bool ontb_msi_lock_holds(const struct ontb_msi_dev *dev)
{
	return __atomic_load_n(&dev->owner, __ATOMIC_RELAXED) == this_thread();
}

static void take(struct ontb_msi_dev *dev) ONTB_ACQUIRES(dev->lock)
{
	ontb_lock(&dev->lock);
	__atomic_store_n(&dev->owner, this_thread(), __ATOMIC_RELAXED);
}

static void drop(struct ontb_msi_dev *dev) ONTB_RELEASES(dev->lock)
{
	__atomic_store_n(&dev->owner, 0, __ATOMIC_RELAXED);
	ontb_unlock(&dev->lock);
}

void ontb_msi_lock(struct ontb_msi_dev *dev) ONTB_NO_LOCK_ANALYSIS
{
	if (!ontb_msi_lock_holds(dev)) {
		take(dev);
		return;
	}
	ontb_log(ONTB_LOG_ERROR, "%s: ontb_msi_lock: this thread has the descriptor lock already", dev->name);
	dev->nr_nested++;
}

void ontb_msi_unlock(struct ontb_msi_dev *dev) ONTB_NO_LOCK_ANALYSIS
{
	if (!ontb_msi_lock_holds(dev)) {
		ontb_log(ONTB_LOG_ERROR, "%s: ontb_msi_unlock: this thread does not hold the descriptor lock",
			 dev->name);
		return;
	}
	if (dev->nr_nested)
		dev->nr_nested--;
	else
		drop(dev);
}

int ontb_msi_lock_enter(struct ontb_msi_dev *dev, const char *what) ONTB_NO_LOCK_ANALYSIS
{
	if (ontb_msi_lock_holds(dev)) {
		ontb_log(ONTB_LOG_ERROR, "%s: %s: this thread has the descriptor lock already; call the _locked one",
			 dev->name, what);
		return -EINVAL;
	}
	take(dev);
	return 0;
}

void ontb_msi_lock_leave(struct ontb_msi_dev *dev) ONTB_NO_LOCK_ANALYSIS
{
	drop(dev);
}

int ontb_msi_lock_check(const struct ontb_msi_dev *dev, const char *what)
{
	if (ontb_msi_lock_holds(dev))
		return 0;
	ontb_log(ONTB_LOG_ERROR, "%s: %s: this thread does not hold the descriptor lock", dev->name, what);
	return -EINVAL;
}
