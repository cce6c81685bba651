// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * The SIGBUS handler. See guard.h.
 *
 * Mapping memory is not on POSIX's list of things for handlers; on Linux it is a bare system call, and the fault is
 * synchronous: it comes from a load or store of this thread, never out of the C library's midst.
 */
#include "vfio_user/guard.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

_Thread_local struct ontb_guard_range *volatile ontb_guard_current;

static struct sigaction old_action; /* constant after installation */
static struct ontb_lock install_lock = { PTHREAD_MUTEX_INITIALIZER };
static bool is_installed; /* install_lock */

static bool repair(const siginfo_t *info)
{
	struct ontb_guard_range *range = ontb_guard_current;
	uintptr_t addr = (uintptr_t)info->si_addr, start, page;
	long at;

	/* A signal that another process sent carries no address. */
	if (!range || info->si_code <= 0)
		return false;
	start = (uintptr_t)range->start;
	if (addr < start || addr - start >= range->len)
		return false;
	page = addr & ~(uintptr_t)(range->page_size - 1);
	/* Not mmap(): thread and address sanitizers intercept it and take locks that the faulting access may hold. */
	at = syscall(SYS_mmap, page, range->page_size, range->prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	if (at == -1)
		return false;
	atomic_store_explicit(&range->is_dead, true, memory_order_release);
	return true;
}

static void pass_on(int sig, siginfo_t *info, void *context)
{
	if (old_action.sa_flags & SA_SIGINFO) {
		old_action.sa_sigaction(sig, info, context);
	} else if (old_action.sa_handler != SIG_DFL && old_action.sa_handler != SIG_IGN) {
		old_action.sa_handler(sig);
	} else {
		/* As if we had not been here: the access faults again and the process ends with SIGBUS. */
		(void)sigaction(sig, &old_action, NULL);
	}
}

static void handle_sigbus(int sig, siginfo_t *info, void *context)
{
	int saved = errno;

	if (!repair(info))
		pass_on(sig, info, context);
	errno = saved;
}

int ontb_guard_install(void)
{
	struct sigaction action = { .sa_sigaction = handle_sigbus, .sa_flags = SA_SIGINFO | SA_NODEFER };
	int ret = 0;

	(void)sigemptyset(&action.sa_mask);
	ontb_lock(&install_lock);
	if (!is_installed && sigaction(SIGBUS, &action, &old_action))
		ret = -errno;
	if (!ret)
		is_installed = true;
	ontb_unlock(&install_lock);
	return ret;
}
