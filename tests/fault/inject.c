// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Fault injection. See inject.h.
 */
#include "inject.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/types.h>

static _Thread_local bool is_armed;
static _Thread_local bool has_failed;
static _Thread_local unsigned int nr_left;
static _Thread_local const char *failed_call = "";

void inject_arm(unsigned int nth)
{
	is_armed = true;
	has_failed = false;
	nr_left = nth;
}

bool inject_disarm(void)
{
	is_armed = false;
	return has_failed;
}

const char *inject_failed_call(void)
{
	return failed_call;
}

unsigned int inject_nr_open_files(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned int nr = 0;

	if (!dir)
		return 0;
	while (readdir(dir))
		nr++;
	(void)closedir(dir);
	return nr;
}

static bool fails(const char *call)
{
	if (!is_armed || has_failed)
		return false;
	if (nr_left--)
		return false;
	has_failed = true;
	failed_call = call;
	return true;
}

/* A wrapper: call name, type, value and errno of the failure, parameters, arguments. */
#define WRAP(name, type, value, error, params, args)                                                                   \
	type __real_##name params;                                                                                     \
	type __wrap_##name params;                                                                                     \
	type __wrap_##name params                                                                                      \
	{                                                                                                              \
		if (fails(#name)) {                                                                                    \
			errno = error;                                                                                 \
			return value;                                                                                  \
		}                                                                                                      \
		return __real_##name args;                                                                             \
	}

/* clang-format off */
WRAP(malloc, void *, NULL, ENOMEM, (size_t size), (size))
WRAP(calloc, void *, NULL, ENOMEM, (size_t nr, size_t size), (nr, size))
WRAP(realloc, void *, NULL, ENOMEM, (void *ptr, size_t size), (ptr, size))
WRAP(aligned_alloc, void *, NULL, ENOMEM, (size_t align, size_t size), (align, size))
WRAP(socket, int, -1, EMFILE, (int domain, int type, int protocol), (domain, type, protocol))
WRAP(bind, int, -1, EACCES, (int fd, const struct sockaddr *addr, socklen_t len), (fd, addr, len))
WRAP(listen, int, -1, EADDRINUSE, (int fd, int backlog), (fd, backlog))
WRAP(fchmod, int, -1, EPERM, (int fd, mode_t mode), (fd, mode))
WRAP(chmod, int, -1, EPERM, (const char *path, mode_t mode), (path, mode))
WRAP(epoll_create1, int, -1, EMFILE, (int flags), (flags))
WRAP(epoll_ctl, int, -1, ENOSPC, (int epfd, int op, int fd, struct epoll_event *ev), (epfd, op, fd, ev))
WRAP(eventfd, int, -1, EMFILE, (unsigned int initial, int flags), (initial, flags))
WRAP(timerfd_create, int, -1, EMFILE, (int clock, int flags), (clock, flags))
WRAP(sigaction, int, -1, EINVAL, (int sig, const struct sigaction *new_action, struct sigaction *old_action),
     (sig, new_action, old_action))
WRAP(pthread_create, int, EAGAIN, EAGAIN,
     (pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *), void *arg), (thread, attr, run, arg))
WRAP(mmap64, void *, (void *)-1, ENOMEM, (void *addr, size_t len, int prot, int flags, int fd, off_t offset),
     (addr, len, prot, flags, fd, offset))
WRAP(fstat64, int, -1, EOVERFLOW, (int fd, struct stat *st), (fd, st))
/* Only for opening what exists: the mode is not passed on. */
WRAP(open64, int, -1, EMFILE, (const char *path, int flags), (path, flags))
WRAP(memfd_create, int, -1, EMFILE, (const char *name, unsigned int flags), (name, flags))
WRAP(ftruncate64, int, -1, EFBIG, (int fd, off_t len), (fd, len))
WRAP(lstat64, int, -1, EACCES, (const char *path, struct stat *st), (path, st))
