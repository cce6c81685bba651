// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Interrupts of a peer: what a trigger stores.
 *
 * A trigger reads one pointer under RCU and stores what it points to, so it stores one message or the other, never a
 * mixture. Each interrupt has room for two messages: a new one is written where no reader can be, because a grace period has
 * passed since that place was last in use, and then the pointer changes. So nothing is allocated on the way of a
 * grant, and a grant cannot fail for lack of memory.
 *
 * Confirmations are kept as a mark on the interrupt, in a list of marks: a peer that sends without reading what comes back
 * fills nothing.
 */
#include "ntb/irq/irqs.h"

#include <errno.h>
#include <stdlib.h>

#include "base/bytes.h"

int ontb_held_new(unsigned int nr, unsigned int window, struct ontb_held_table **out)
{
	struct ontb_held_table *table = calloc(1, sizeof(*table) + nr * sizeof(table->held[0]));

	if (!table)
		return -ENOMEM;
	table->nr = nr;
	table->window = window;
	table->batch = 1;
	*out = table;
	return 0;
}

static int check(const struct ontb_held_table *table, const struct ontb_grant_msg *msg)
{
	const struct ontb_held *held;

	if (msg->index >= table->nr)
		return -EPROTO;
	held = &table->held[msg->index];
	if (held->has_gen && !ontb_grant_is_newer(msg->gen, held->gen))
		return -EPROTO;
	return held->batch == table->batch ? -EAGAIN : 0;
}

static void changed(struct ontb_held_table *table, const struct ontb_grant_msg *msg, enum ontb_grant_type due)
{
	struct ontb_held *held = &table->held[msg->index];

	held->gen = msg->gen;
	held->has_gen = true;
	held->batch = table->batch;
	if (!held->due) {
		held->next_due = 0;
		if (table->last_due)
			table->held[table->last_due - 1].next_due = msg->index + 1U;
		else
			table->first_due = msg->index + 1U;
		table->last_due = msg->index + 1U;
	}
	held->due = (uint8_t)due;
}

int ontb_held_grant(struct ontb_held_table *table, const struct ontb_grant_msg *msg, uint64_t window_size, bool *is_new)
{
	int ret = check(table, msg);
	struct ontb_held_msg *place;
	struct ontb_held *held;

	if (ret)
		return ret;
	if (msg->offset & 3 || !ontb_range_fits(msg->offset, 4, window_size))
		return -EPROTO;
	held = &table->held[msg->index];
	*is_new = !held->current;
	held->place ^= 1;
	place = &held->msgs[held->place];
	*place = (struct ontb_held_msg){ .offset = msg->offset, .data = msg->data };
	ontb_rcu_publish(held->current, place);
	changed(table, msg, ONTB_GRANT_GRANT_ACK);
	return 0;
}

int ontb_held_revoke(struct ontb_held_table *table, const struct ontb_grant_msg *msg, bool *is_new)
{
	int ret = check(table, msg);
	struct ontb_held *held;

	if (ret)
		return ret;
	held = &table->held[msg->index];
	*is_new = held->current;
	ontb_rcu_publish(held->current, (struct ontb_held_msg *)NULL);
	changed(table, msg, ONTB_GRANT_REVOKE_ACK);
	return 0;
}

void ontb_held_end_batch(struct ontb_held_table *table)
{
	ontb_rcu_synchronize();
	table->batch++;
}

bool ontb_held_next_due(struct ontb_held_table *table, struct ontb_grant_msg *msg)
{
	struct ontb_held *held;

	if (!table->first_due)
		return false;
	held = &table->held[table->first_due - 1];
	*msg = (struct ontb_grant_msg){
		.type = (enum ontb_grant_type)held->due,
		.index = (uint16_t)(table->first_due - 1),
		.gen = held->gen,
	};
	held->due = 0;
	table->first_due = held->next_due;
	if (!table->first_due)
		table->last_due = 0;
	return true;
}

uint64_t ontb_held_count(const struct ontb_held_table *table)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < table->nr; i++)
		sum += __atomic_load_n(&table->held[i].nr_triggers, __ATOMIC_RELAXED);
	return sum;
}
