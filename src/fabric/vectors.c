// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Vectors. One set of bits says what is held back, whichever of the two capabilities is in use; whenever something changes
 * that may let a vector go, all held ones are tried.
 */
#include "fabric/vectors.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

#define BITS 64U

/* Words of an entry: PCIe 5.0, 7.7.2.5 "Message Address Register for MSI-X Table Entries" and the three after it. */
enum {
	ENTRY_ADDR,
	ENTRY_ADDR_HIGH,
	ENTRY_DATA,
	ENTRY_CONTROL,
	ENTRY_WORDS
};
#define CONTROL_MASK 1U

static unsigned int nr_words(const struct ontb_vectors *vectors)
{
	return (vectors->nr_vectors + BITS - 1) / BITS;
}

int ontb_vectors_init(struct ontb_vectors *vectors, struct ontb_way *way, unsigned int nr_vectors, unsigned int nr_msix)
{
	struct ontb_msix_entry *entries;
	uint64_t *held;

	entries = calloc(nr_msix ? nr_msix : 1, sizeof(*entries));
	if (!entries)
		return -ENOMEM;
	held = calloc(nr_vectors / BITS + 1, sizeof(*held));
	if (!held) {
		free(entries);
		return -ENOMEM;
	}
	*vectors = (struct ontb_vectors){
		.way = way,
		.nr_vectors = nr_vectors,
		.nr_msix = nr_msix,
		.entries = entries,
		.held = held,
	};
	ontb_lock_init(&vectors->lock);
	ontb_vectors_reset(vectors);
	return 0;
}

void ontb_vectors_fini(struct ontb_vectors *vectors)
{
	ontb_lock_fini(&vectors->lock);
	free(vectors->held);
	free(vectors->entries);
}

void ontb_vectors_reset(struct ontb_vectors *vectors)
{
	ontb_lock(&vectors->lock);
	for (unsigned int i = 0; i < vectors->nr_msix; i++)
		vectors->entries[i] = (struct ontb_msix_entry){ .is_masked = true };
	memset(vectors->held, 0, nr_words(vectors) * sizeof(*vectors->held));
	vectors->is_msix = vectors->is_all_masked = false;
	vectors->msi = (struct ontb_msi_state){ .nr_messages = 1 };
	ontb_unlock(&vectors->lock);
}

static void send_locked(struct ontb_vectors *vectors, uint64_t addr, uint32_t data) ONTB_MUST_HOLD(vectors->lock)
{
	uint8_t bytes[4];

	ontb_put_le32(bytes, data);
	/* A bad address is software's mistake; the root counts it. */
	(void)ontb_way_write(vectors->way, addr, bytes, sizeof(bytes));
}

/* A function with fewer messages than vectors shares them: PCIe 5.0, 7.7.1.2 "Message Control Register for MSI". */
static unsigned int message_of(const struct ontb_vectors *vectors, unsigned int vector)
{
	return vector & (vectors->msi.nr_messages - 1);
}

/* Whether the vector was sent. */
static bool try_locked(struct ontb_vectors *vectors, unsigned int vector) ONTB_MUST_HOLD(vectors->lock)
{
	unsigned int message;

	if (vectors->is_msix) {
		if (vector >= vectors->nr_msix || vectors->is_all_masked || vectors->entries[vector].is_masked)
			return false;
		send_locked(vectors, vectors->entries[vector].addr, vectors->entries[vector].data);
		return true;
	}
	message = message_of(vectors, vector);
	if (!vectors->msi.is_enabled || vectors->msi.mask >> message & 1)
		return false;
	send_locked(vectors, vectors->msi.addr, (vectors->msi.data & ~(vectors->msi.nr_messages - 1)) | message);
	return true;
}

static void try_held_locked(struct ontb_vectors *vectors) ONTB_MUST_HOLD(vectors->lock)
{
	for (unsigned int w = 0; w < nr_words(vectors); w++) {
		for (uint64_t bits = vectors->held[w]; bits; bits &= bits - 1) {
			unsigned int vector = w * BITS + (unsigned int)__builtin_ctzll(bits);

			if (try_locked(vectors, vector))
				vectors->held[w] &= ~(1ULL << vector % BITS);
		}
	}
}

void ontb_vectors_raise(struct ontb_vectors *vectors, unsigned int vector)
{
	if (vector >= vectors->nr_vectors)
		return;
	ontb_lock(&vectors->lock);
	if (!try_locked(vectors, vector))
		vectors->held[vector / BITS] |= 1ULL << vector % BITS;
	ontb_unlock(&vectors->lock);
}

void ontb_vectors_clear(struct ontb_vectors *vectors)
{
	ontb_lock(&vectors->lock);
	memset(vectors->held, 0, nr_words(vectors) * sizeof(*vectors->held));
	ontb_unlock(&vectors->lock);
}

static bool is_held_locked(struct ontb_vectors *vectors, unsigned int vector) ONTB_MUST_HOLD(vectors->lock)
{
	return vector < vectors->nr_vectors && vectors->held[vector / BITS] >> vector % BITS & 1;
}

bool ontb_vectors_is_held(struct ontb_vectors *vectors, unsigned int vector)
{
	bool is_held;

	ontb_lock(&vectors->lock);
	is_held = is_held_locked(vectors, vector);
	ontb_unlock(&vectors->lock);
	return is_held;
}

void ontb_vectors_set_msix(struct ontb_vectors *vectors, bool is_msix, bool is_all_masked)
{
	ontb_lock(&vectors->lock);
	vectors->is_msix = is_msix;
	vectors->is_all_masked = is_all_masked;
	try_held_locked(vectors);
	ontb_unlock(&vectors->lock);
}

void ontb_vectors_set_msi(struct ontb_vectors *vectors, const struct ontb_msi_state *msi)
{
	ontb_lock(&vectors->lock);
	vectors->msi = *msi;
	try_held_locked(vectors);
	ontb_unlock(&vectors->lock);
}

uint32_t ontb_vectors_msi_pending(struct ontb_vectors *vectors)
{
	uint32_t pending = 0;

	ontb_lock(&vectors->lock);
	for (unsigned int v = 0; v < vectors->nr_vectors && vectors->msi.is_enabled; v++) {
		if (is_held_locked(vectors, v))
			pending |= 1U << message_of(vectors, v);
	}
	ontb_unlock(&vectors->lock);
	return pending;
}

static uint32_t entry_word(const struct ontb_msix_entry *entry, unsigned int word)
{
	switch (word) {
	case ENTRY_ADDR:
		return (uint32_t)entry->addr;
	case ENTRY_ADDR_HIGH:
		return (uint32_t)(entry->addr >> 32);
	case ENTRY_DATA:
		return entry->data;
	default:
		return entry->is_masked ? CONTROL_MASK : 0;
	}
}

void ontb_vectors_table_read(struct ontb_vectors *vectors, uint64_t offset, void *buf, size_t len)
{
	uint8_t *dst = buf;

	ontb_lock(&vectors->lock);
	for (size_t i = 0; i < len; i++, offset++) {
		const struct ontb_msix_entry *entry = &vectors->entries[offset / ONTB_MSIX_ENTRY_SIZE];
		uint32_t word = entry_word(entry, (unsigned int)(offset / 4 % ENTRY_WORDS));

		dst[i] = (uint8_t)(word >> 8 * (offset % 4));
	}
	ontb_unlock(&vectors->lock);
}

static void write_word_locked(struct ontb_vectors *vectors, uint64_t offset, uint32_t value)
	ONTB_MUST_HOLD(vectors->lock)
{
	struct ontb_msix_entry *entry = &vectors->entries[offset / ONTB_MSIX_ENTRY_SIZE];

	switch (offset / 4 % ENTRY_WORDS) {
	case ENTRY_ADDR:
		entry->addr = (entry->addr & ~0xffffffffULL) | (value & ~3U);
		break;
	case ENTRY_ADDR_HIGH:
		entry->addr = (entry->addr & 0xffffffffULL) | (uint64_t)value << 32;
		break;
	case ENTRY_DATA:
		entry->data = value;
		break;
	default:
		entry->is_masked = value & CONTROL_MASK;
		break;
	}
}

void ontb_vectors_table_write(struct ontb_vectors *vectors, uint64_t offset, const void *buf, size_t len)
{
	if ((len != 4 && len != 8) || offset % len)
		return;
	ontb_lock(&vectors->lock);
	for (size_t i = 0; i < len; i += 4)
		write_word_locked(vectors, offset + i, ontb_get_le32((const uint8_t *)buf + i));
	try_held_locked(vectors);
	ontb_unlock(&vectors->lock);
}

void ontb_vectors_pba_add(struct ontb_vectors *vectors, uint64_t offset, uint8_t *buf, size_t len)
{
	ontb_lock(&vectors->lock);
	for (size_t i = 0; i < len; i++, offset++) {
		for (unsigned int bit = 0; bit < 8; bit++) {
			if (is_held_locked(vectors, (unsigned int)offset * 8 + bit))
				buf[i] |= (uint8_t)(1U << bit);
		}
	}
	ontb_unlock(&vectors->lock);
}
