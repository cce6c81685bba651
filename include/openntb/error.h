/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * Errors of openntb.
 *
 * Every function that can fail returns 0 (or a count >= 0) or a negative errno value; objects come out through the last
 * argument, which is written only on success. The table gives each value its one meaning in this library.
 */
#ifndef OPENNTB_ERROR_H
#define OPENNTB_ERROR_H

#include <errno.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 *  code          meaning
 *  -EINVAL       an argument of the caller is wrong
 *  -ERANGE       an index or offset lies outside the object
 *  -EPROTO       bytes received break the protocol
 *  -EMSGSIZE     a message is shorter or longer than its own fields say
 *  -EOPNOTSUPP   this model, or this version of the protocol, has no such operation
 *  -ENOLINK      no host is attached at the other end
 *  -EACCES       the target host has switched bus mastering off
 *  -EFAULT       an address that no window or no memory answers (PCIe: Unsupported Request)
 *  -EDEADLK      waiting for that host would close a circle of waiting hosts
 *  -EINPROGRESS  accepted; the completion callback runs later, exactly once
 *  -ETIMEDOUT    a host did not answer in time (PCIe: Completion Timeout)
 *  -ENOBUFS      a bounded queue is full; what did not fit was dropped and counted
 *  -EAGAIN       nothing is there yet, or the last one was not taken yet; later
 *  -EIO          a device refused, or does not do what it was told
 *  -EPERM        the caller would have to allow it explicitly, or a filter does not
 *  -EBUSY        somebody else has it
 *  -EEXIST       there is one already
 *  -EALREADY     it is so already
 *  -ENOENT       there is none
 *  -ENOSPC       no free slot
 *  -ENOMEM       no memory
 * Values of a failed system call are passed on as they are.
 */

/**
 * ontb_strerror() - say what an error value means in this library
 * @err: Error as returned, negative; a positive errno value is accepted too; 0 gives "success".
 *
 * Context: Any thread.
 * Return: Constant text, never NULL. A value outside the table gives the C library's name of it, or "unknown error".
 */
const char *ontb_strerror(int err);

#ifdef __cplusplus
}
#endif

#endif
