/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * Two or more booted hosts in one fabric, each with NTB interrupts, and an account of the messages between them. For the tests of
 * the whole host side.
 */
#ifndef TESTS_UNIT_HOST_PAIR_RIG_H
#define TESTS_UNIT_HOST_PAIR_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdatomic.h>
#include <stdbool.h>

#include <openntb/fabric.h>
#include <openntb/host.h>
#include <openntb/ntb_irq.h>

#include "base/annotate.h"
#include "base/clock.h"

#define PAIR_NR_HOSTS	 2U
#define PAIR_DEADLINE_NS (60 * ONTB_NS_PER_S)

struct pair_host;

/**
 * struct pair_cell - an NTB interrupt
 * @host:    Whose.
 * @index:   Index.
 * @virq:    Number, 0 if it is not allocated.
 * @sent:    Messages to it.
 * @handled: Messages that its handler has seen.
 * @wrong:   Runs of the handler without a message.
 */
struct pair_cell {
	struct pair_host *host;
	unsigned int index;
	unsigned int virq;
	_Atomic uint32_t sent;
	_Atomic uint32_t handled;
	_Atomic uint32_t wrong;
};

struct pair_host {
	struct ontb_host *host;
	struct ontb_ntb *ntb;
	struct ontb_ntb_irqs *irqs;
	unsigned int nr_cells;
	struct pair_cell *cells;
};

struct pair {
	struct ontb_fabric *fabric;
	struct pair_host hosts[PAIR_NR_HOSTS];
};

/* Build @topology, which has two hosts and one bridge, and boot both with remapping if their machine has it. */
void pair_open(struct pair *pair, const char *topology);
void pair_close(struct pair *pair);

/* Give both hosts NTB interrupts. @change may adjust the configuration; NULL does not. */
void pair_make_irqs(struct pair *pair, unsigned int nr_irqs, void (*change)(struct ontb_ntb_irqs_config *config));
/* The same for one bridge of one host, and undone: nobody grants it anything any more. */
void pair_make_irqs_of(struct pair_host *host, unsigned int nr_irqs,
		       void (*change)(struct ontb_ntb_irqs_config *config));
void pair_free_irqs(struct pair_host *host);

/* Allocate an interrupt with a handler; returns what allocating said. */
int pair_alloc(struct pair_host *host, unsigned int index);
/* Grant it to the peer; the grant is confirmed on return. */
void pair_grant(struct pair_host *host, unsigned int index);
/* Allocate, request and grant [@first, @first + @nr), and wait for all confirmations. */
void pair_alloc_range(struct pair_host *host, unsigned int first, unsigned int nr);
/* Take it back, remove the handler, free it, and wait until it is free. */
void pair_free(struct pair_host *host, unsigned int index);

/* One message from @from to an interrupt of @to; it must be granted. */
void pair_send(struct pair_host *from, struct pair_host *to, unsigned int index);
/* Wait until its handler has seen every message. */
void pair_wait_handled(struct pair_host *host, unsigned int index);
/* Send one and wait, for each of [@first, @first + @nr). */
void pair_exchange(struct pair_host *from, struct pair_host *to, unsigned int first, unsigned int nr);
/* No handler ran without a message. */
void pair_assert_none_wrong(const struct pair_host *host);

void pair_wait(bool (*truth)(void *arg), void *arg);

#endif
