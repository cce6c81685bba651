/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * A machine made of arrays: configuration spaces and BARs of made-up functions that can send messages.
 *
 * A table takes stores only while MSI-X is switched on, as that of some functions. Stores to BARs are posted: they wait in a queue until a load or an access to configuration space pushes them, or until
 * fake_settle(). So a test sees whether software waited for what it has to wait for.
 */
#ifndef ONTB_TESTS_UNIT_PCI_FAKE_H
#define ONTB_TESTS_UNIT_PCI_FAKE_H

#include <pthread.h>

#include <openntb/irq.h>
#include <openntb/machine.h>

#define FAKE_MAX_FUNCS	  8U
#define FAKE_MAX_POSTED	  64U
#define FAKE_MAX_MESSAGES 4096U
#define FAKE_BAR_MEMORY	  0x10000U
#define FAKE_BAR_BASE	  0xe0000000ULL

/* Where fake_add() puts things. */
#define FAKE_CAP_MSI	  0x50U
#define FAKE_CAP_VENDOR	  0x68U
#define FAKE_CAP_MSIX	  0x70U
#define FAKE_CAP_VENDOR_2 0x80U
#define FAKE_TABLE	  0x1000U
#define FAKE_PBA	  0xc000U

/**
 * struct fake_kind - what a function is like
 * @nr_msi:   MSI vectors, a power of two; 0 for no capability.
 * @is_64:    MSI addresses have 64 bits.
 * @has_mask: MSI vectors can be masked.
 * @nr_msix:  MSI-X entries, 0 for no capability.
 */
struct fake_kind {
	unsigned int nr_msi;
	bool is_64;
	bool has_mask;
	unsigned int nr_msix;
};

/**
 * struct fake_func - a function
 * @rid:      Requester id.
 * @is_gone:  It was pulled out.
 * @kind:     As made.
 * @config:   Its configuration space.
 * @writable: Which bits of it software can change.
 * @bars:     Memory of BAR 0; the others have none and read as zero.
 * @pending:  Pending bits of MSI.
 * @nr_lost:  Events that could not be sent and are remembered nowhere.
 * @nr_writes: Stores to BAR 0 that arrived.
 * @nr_data_writes: Stores to the data register of MSI.
 * @nr_control_writes: Stores to the control register of MSI-X.
 * @is_eager: It has an event for vector @eager after every store that it gets.
 * @eager:    Which.
 * @is_eager_while_off: It has one only after stores that find MSI switched off.
 */
struct fake_func {
	uint16_t rid;
	bool is_gone;
	struct fake_kind kind;
	uint8_t config[4096];
	uint8_t writable[4096];
	uint8_t bar[FAKE_BAR_MEMORY];
	uint32_t pending;
	unsigned int nr_lost;
	unsigned int nr_writes;
	unsigned int nr_data_writes;
	unsigned int nr_control_writes;
	bool is_eager;
	unsigned int eager;
	bool is_eager_while_off;
};

struct fake_store {
	uint64_t addr;
	uint64_t value;
	unsigned int len;
};

/**
 * struct fake_machine - the machine
 * @machine:     What software sees.
 * @lock:        Protects all below.
 * @funcs:       Functions.
 * @nr_funcs:    How many.
 * @posted:      Stores under way.
 * @nr_posted:   How many.
 * @is_merging:  A message that is equal to one that nobody has taken yet is none more, as in a local APIC.
 * @messages:    Messages sent, oldest first.
 * @nr_messages: How many.
 */
struct fake_machine {
	struct ontb_machine machine;
	pthread_mutex_t lock;
	struct fake_func funcs[FAKE_MAX_FUNCS];
	unsigned int nr_funcs;
	struct fake_store posted[FAKE_MAX_POSTED];
	unsigned int nr_posted;
	bool is_merging;
	struct ontb_msi_msg messages[FAKE_MAX_MESSAGES];
	unsigned int nr_messages;
};

void fake_init(struct fake_machine *fake);

/* Keep the last line of the log, from now on; and no longer. */
extern char fake_line[256];
void fake_log_start(void);
void fake_log_end(void);

/* A function with a BAR 0 of 64 KiB with 64 bits, and the capabilities of its kind. */
struct fake_func *fake_add(struct fake_machine *fake, uint16_t rid, const struct fake_kind *kind);

/* Make BAR @idx one of @size bytes with these type bits; 64 bits take two. */
void fake_set_bar(struct fake_func *func, unsigned int idx, uint64_t size, uint32_t type);

void fake_set8(struct fake_func *func, unsigned int offset, uint8_t value);
void fake_set16(struct fake_func *func, unsigned int offset, uint16_t value);
void fake_set32(struct fake_func *func, unsigned int offset, uint32_t value);
uint32_t fake_get32(const struct fake_func *func, unsigned int offset);

/* The function has an event. */
void fake_fire(struct fake_machine *fake, struct fake_func *func, unsigned int vector);

/* Let posted stores arrive. */
void fake_settle(struct fake_machine *fake);

/* Take the oldest message; false if there is none. */
bool fake_take(struct fake_machine *fake, struct ontb_msi_msg *msg);

/* Everything that software wrote is gone, in the BAR too. */
void fake_reset(struct fake_func *func);

#endif
