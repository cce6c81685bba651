// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Requests of functions. Memory is shared with software that polls it, so every store here is an atomic one that releases:
 * on x86 that is a plain store, and it is exactly the order that PCIe promises for posted writes.
 */
#include "fabric/root.h"

#include <errno.h>
#include <string.h>

#include <openntb/machine.h>

#include "base/annotate.h"
#include "base/bytes.h"

#define WORD sizeof(uint64_t)

static void copy_in(uint8_t *dst, const uint8_t *src, size_t len)
{
	uint64_t word;

	for (; len && (uintptr_t)dst % WORD; len--)
		__atomic_store_n(dst++, *src++, __ATOMIC_RELEASE);
	/* Two words a turn: the compiler may not do it, because the stores are atomic. */
	for (; len >= 2 * WORD; len -= 2 * WORD, dst += 2 * WORD, src += 2 * WORD) {
		uint64_t words[2];

		memcpy(words, src, sizeof(words));
		__atomic_store_n((uint64_t *)(void *)dst, words[0], __ATOMIC_RELEASE);
		__atomic_store_n((uint64_t *)(void *)(dst + WORD), words[1], __ATOMIC_RELEASE);
	}
	if (len >= WORD) {
		memcpy(&word, src, sizeof(word));
		__atomic_store_n((uint64_t *)(void *)dst, word, __ATOMIC_RELEASE);
		len -= WORD;
		dst += WORD;
		src += WORD;
	}
	for (; len; len--)
		__atomic_store_n(dst++, *src++, __ATOMIC_RELEASE);
}

/* Aligned halves of a word are stored whole too: interrupt data, indexes and doorbells are 32 bits wide. */
static inline void store(uint8_t *dst, const uint8_t *src, size_t len)
{
	if (len == 4 && (uintptr_t)dst % 4 == 0) {
		uint32_t value;

		memcpy(&value, src, sizeof(value));
		__atomic_store_n((uint32_t *)(void *)dst, value, __ATOMIC_RELEASE);
	} else if (len == 2 && (uintptr_t)dst % 2 == 0) {
		uint16_t value;

		memcpy(&value, src, sizeof(value));
		__atomic_store_n((uint16_t *)(void *)dst, value, __ATOMIC_RELEASE);
	} else {
		copy_in(dst, src, len);
	}
}

static void copy_out(uint8_t *dst, const uint8_t *src, size_t len)
{
	uint64_t word;

	for (; len && (uintptr_t)src % WORD; len--)
		*dst++ = __atomic_load_n(src++, __ATOMIC_ACQUIRE);
	for (; len >= WORD; len -= WORD, dst += WORD, src += WORD) {
		word = __atomic_load_n((const uint64_t *)(const void *)src, __ATOMIC_ACQUIRE);
		memcpy(dst, &word, sizeof(word));
	}
	for (; len; len--)
		*dst++ = __atomic_load_n(src++, __ATOMIC_ACQUIRE);
}

static inline void load(uint8_t *dst, const uint8_t *src, size_t len)
{
	if (len == 4 && (uintptr_t)src % 4 == 0) {
		uint32_t value = __atomic_load_n((const uint32_t *)(const void *)src, __ATOMIC_ACQUIRE);

		memcpy(dst, &value, sizeof(value));
	} else if (len == 2 && (uintptr_t)src % 2 == 0) {
		uint16_t value = __atomic_load_n((const uint16_t *)(const void *)src, __ATOMIC_ACQUIRE);

		memcpy(dst, &value, sizeof(value));
	} else {
		copy_out(dst, src, len);
	}
}

static void count(_Atomic uint64_t *counter)
{
	atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

static bool in_ram(const struct ontb_root *root, uint64_t addr, size_t len)
{
	return addr >= root->ram_base && ontb_range_fits(addr - root->ram_base, len, root->ram_size);
}

/* A message is one aligned doubleword: PCIe 5.0, 6.1.4 "Message Signaled Interrupt (MSI/MSI-X) Support". */
static int write_message(struct ontb_root *root, uint16_t rid, uint64_t addr, const void *buf, size_t len)
{
	unsigned int nr;
	uint32_t data;

	if (len != 4 || addr % 4) {
		count(&root->nr_lost);
		return -EFAULT;
	}
	data = ontb_get_le32(buf);
	nr = root->vtd ? ontb_vtd_message(root->vtd, rid, addr, data)
		       : ontb_apic_bus_message(root->bus, rid, addr, data);
	count(nr ? &root->nr_messages : &root->nr_lost);
	return 0;
}

int ontb_root_write(struct ontb_root *root, uint16_t rid, uint64_t addr, const void *buf, size_t len)
{
	if (in_ram(root, addr, len)) {
		store(root->ram + (addr - root->ram_base), buf, len);
		count(&root->nr_dma_writes);
		return 0;
	}
	if (addr >= ONTB_X86_MSI_BASE && ontb_range_fits(addr - ONTB_X86_MSI_BASE, len, ONTB_X86_MSI_SIZE))
		return write_message(root, rid, addr, buf, len);
	count(&root->nr_dma_faults);
	return -EFAULT;
}

int ontb_root_read(struct ontb_root *root, uint64_t addr, void *buf, size_t len)
{
	if (!in_ram(root, addr, len)) {
		count(&root->nr_dma_faults);
		return -EFAULT;
	}
	load(buf, root->ram + (addr - root->ram_base), len);
	return 0;
}

static int vtd_read(void *arg, uint64_t addr, void *buf, size_t len)
{
	const struct ontb_root *root = arg;

	if (!in_ram(root, addr, len))
		return -EFAULT;
	load(buf, root->ram + (addr - root->ram_base), len);
	return 0;
}

static int vtd_write(void *arg, uint64_t addr, const void *buf, size_t len)
{
	const struct ontb_root *root = arg;

	if (!in_ram(root, addr, len))
		return -EFAULT;
	store(root->ram + (addr - root->ram_base), buf, len);
	return 0;
}

const struct ontb_vtd_memory ontb_root_vtd_memory = { .read = vtd_read, .write = vtd_write };
