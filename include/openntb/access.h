/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * The line between host and hardware.
 *
 *      a host                                                a PCI function
 *   (QEMU guest over vfio-user,      struct ontb_func_ops    (one port of an
 *    or a host in this process)   ------------------------>   emulated bridge)
 *                                  config and BAR accesses
 *                                  <------------------------
 *                                    struct ontb_host_ops
 *                                  memory accesses, vectors
 *
 * Whoever carries a host's accesses (the "carrier": src/vfio_user, or an in-process root complex) calls ontb_func_ops and
 * implements ontb_host_ops; a hardware model does the opposite. Neither includes a header of the other.
 *
 * Locking in one rule: everything between enter() and leave() is an access; exclusive() runs a function while no access
 * is under way on any port of the same bridge. So state that accesses only read (windows, a host's memory map) needs no
 * lock of its own, and may be changed only inside exclusive(). ontb_host_ops are only ever called inside an access or
 * inside exclusive().
 */
#ifndef OPENNTB_ACCESS_H
#define OPENNTB_ACCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define ONTB_NR_BARS 6

/**
 * struct ontb_bar_info - what a BAR is
 * @size:         Bytes, a power of two >= 16; 0 if the BAR does not exist or is the upper half of the one before it.
 * @is_64bit:     Takes two BAR registers.
 * @prefetchable: Prefetchable memory.
 */
struct ontb_bar_info {
	uint64_t size;
	bool is_64bit;
	bool prefetchable;
};

/**
 * struct ontb_func_info - what a carrier must know of a function
 * @bars:        By BAR register number, 0..5.
 * @config_size: Bytes of configuration space, 256 or 4096.
 * @nr_vectors:  MSI-X vectors, 1..2048.
 */
struct ontb_func_info {
	struct ontb_bar_info bars[ONTB_NR_BARS];
	uint32_t config_size;
	uint32_t nr_vectors;
};

/**
 * struct ontb_read - a read that may complete later (PCIe: a non-posted request)
 * @buf:    Where the data goes; the reader's, valid until the read is complete.
 * @len:    Bytes, 1 or more.
 * @source: Port number of the host that reads; the carrier of the target uses it to refuse circles of waiting hosts.
 * @done:   Called exactly once, and only if the call that took the read returned -EINPROGRESS. @status is 0 or an error
 *          as in ontb_host_ops.mem_read; on error @buf holds no data and the reader answers all ones. Runs in any
 *          thread, inside or outside an access; must not block.
 */
struct ontb_read {
	void *buf;
	size_t len;
	unsigned int source;
	void (*done)(struct ontb_read *read, int status);
};

/**
 * struct ontb_host_ops - what a function can do to its host
 *
 * All are called inside an access or inside exclusive(), never block, and never call back into ontb_func_ops (except
 * @mem_read, which may call read->done from another thread).
 */
struct ontb_host_ops {
	/**
	 * @mem_write: Posted write into the host's address space, as the function.
	 *
	 * Writes of one source arrive in order. A write to memory is visible when the call returns; a write elsewhere (an
	 * interrupt address) is delivered after everything that was written before it is visible.
	 *
	 * Return: 0, -EFAULT (nothing there; dropped), -ENOBUFS (this source has too much under way; dropped).
	 */
	int (*mem_write)(void *host, unsigned int source, uint64_t addr, const void *buf, size_t len);
	/**
	 * @mem_read: Read from the host's address space, as the function, behind all its earlier writes.
	 *
	 * Return: 0 (done, buf is filled), -EINPROGRESS (read->done will be called), -EFAULT, -EDEADLK, -ENOBUFS.
	 */
	int (*mem_read)(void *host, uint64_t addr, struct ontb_read *read);
	/**
	 * @raise_vector: Signal one of the function's MSI-X vectors; held back, not lost, while the vector is not armed.
	 */
	void (*raise_vector)(void *host, unsigned int vector);
	/**
	 * @clear_vectors: Forget all held-back signals (the function was reset).
	 */
	void (*clear_vectors)(void *host);
	/**
	 * @vector_pending: Whether a signal is held back (the function's MSI-X pending bit).
	 */
	bool (*vector_pending)(void *host, unsigned int vector);
};

struct ontb_func;

/**
 * struct ontb_func_ops - what a host can do to a PCI function
 */
struct ontb_func_ops {
	/** @describe: Fill @info; constant over the life of the function. Any context. */
	void (*describe)(struct ontb_func *func, struct ontb_func_info *info);
	/** @enter: Start a batch of accesses. Not nested. May wait for an exclusive section. */
	void (*enter)(struct ontb_func *func);
	/** @leave: End the batch. Call it before blocking on anything, and at least each 64 KiB of input. */
	void (*leave)(struct ontb_func *func);
	/** @exclusive: Run @fn(@arg) while no access is under way on any port of the bridge. Not inside an access. */
	void (*exclusive)(struct ontb_func *func, void (*fn)(void *arg), void *arg);
	/**
	 * @attach: A host arrives. Not inside an access.
	 * Return: 0, or -EBUSY if the function has a host already.
	 */
	int (*attach)(struct ontb_func *func, const struct ontb_host_ops *ops, void *host);
	/**
	 * @detach: The host is gone. On return no host operation is under way and none will follow; windows into the host
	 * are closed, its locks released and its peers told. Not inside an access.
	 */
	void (*detach)(struct ontb_func *func);
	/** @reset: Function level reset, with the same effect on peers as @detach, but the host stays. Not inside an access. */
	void (*reset)(struct ontb_func *func);
	/**
	 * @config_read: Read configuration space. Inside an access.
	 * Return: 0, or -ERANGE beyond the end, nothing read.
	 */
	int (*config_read)(struct ontb_func *func, uint64_t offset, void *buf, size_t len);
	/**
	 * @config_write: Write configuration space. Inside an access.
	 * Return: 0, or -ERANGE beyond the end, nothing written.
	 */
	int (*config_write)(struct ontb_func *func, uint64_t offset, const void *buf, size_t len);
	/**
	 * @bar_read: Read from a BAR. Inside an access. What no register and no window answers reads as all ones.
	 * Return: 0 (filled), -EINPROGRESS (read->done follows), -ERANGE beyond the end of the BAR.
	 */
	int (*bar_read)(struct ontb_func *func, unsigned int bar, uint64_t offset, struct ontb_read *read);
	/**
	 * @bar_write: Posted write to a BAR. Inside an access; a model may end the access and start a new one to get
	 * exclusive access, so the caller holds nothing across the call.
	 * Return: 0, or -ERANGE beyond the end of the BAR, nothing written.
	 */
	int (*bar_write)(struct ontb_func *func, unsigned int bar, uint64_t offset, const void *buf, size_t len);
};

/**
 * struct ontb_func - a PCI function as its carrier sees it; embedded in the model's own structure
 * @ops: Constant.
 */
struct ontb_func {
	const struct ontb_func_ops *ops;
};

#ifdef __cplusplus
}
#endif

#endif
