/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * Memory of a host that its devices and units can reach: runs of 4 KiB pages from the machine's RAM, as a kernel's page
 * allocator hands them out. ontb_host_boot() makes one; who puts the parts of a host together himself makes his own.
 */
#ifndef OPENNTB_PAGES_H
#define OPENNTB_PAGES_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define ONTB_PAGE_SIZE 4096ULL

struct ontb_pages;

/**
 * struct ontb_page_run - memory that was handed out
 * @ptr:  For software.
 * @addr: For devices.
 * @size: Bytes, a multiple of ONTB_PAGE_SIZE.
 */
struct ontb_page_run {
	void *ptr;
	uint64_t addr;
	uint64_t size;
};

/**
 * ontb_pages_new() - manage a machine's memory
 * @ram:  Software's pointer to it.
 * @base: Address of its first byte, a multiple of ONTB_PAGE_SIZE.
 * @size: Bytes, a multiple of ONTB_PAGE_SIZE.
 * @out:  OUT.
 *
 * Return: 0, -EINVAL or -ENOMEM.
 */
int ontb_pages_new(void *ram, uint64_t base, uint64_t size, struct ontb_pages **out);

/**
 * ontb_pages_free() - stop managing
 * @pages: Or NULL.
 *
 * Return: Bytes that were never given back.
 */
uint64_t ontb_pages_free(struct ontb_pages *pages);

/**
 * ontb_pages_alloc() - take memory, all zero
 * @pages: Allocator.
 * @size:  Bytes; rounded up to whole pages.
 * @align: Power of two, at least ONTB_PAGE_SIZE.
 * @out:   OUT.
 *
 * Context: Any thread. Takes a leaf lock.
 * Return: 0, -EINVAL (@size 0 or bad @align), or -ENOMEM.
 */
int ontb_pages_alloc(struct ontb_pages *pages, uint64_t size, uint64_t align, struct ontb_page_run *out);

/**
 * ontb_pages_release() - give memory back
 * @pages: Allocator.
 * @run:   As allocated; one that is all zero is fine.
 *
 * Context: Any thread. Takes a leaf lock.
 */
void ontb_pages_release(struct ontb_pages *pages, const struct ontb_page_run *run);

#ifdef __cplusplus
}
#endif

#endif
