// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Messages: sent, taken, accounted for.
 */
#include <errno.h>
#include <sched.h>

#include "tool/soak.h"

void soak_lock_cell(struct soak_cell *cell)
{
	while (atomic_flag_test_and_set_explicit(&cell->lock, memory_order_acquire))
		(void)sched_yield();
}

void soak_unlock_cell(struct soak_cell *cell)
{
	atomic_flag_clear_explicit(&cell->lock, memory_order_release);
}

bool soak_is_missing(const struct soak_cell *cell)
{
	return atomic_load(&cell->handled) != atomic_load(&cell->sent);
}

/*
 * A handler has run, and no message to it was under way. If nothing at all is missing that may have gone astray, and it has run in this
 * life, then it has run twice for one message. With Linux's scheme what goes astray is missed later.
 */
static void count_stray(struct soak_cell *cell)
{
	struct soak_counts *counts = &cell->side->soak->counts;
	bool is_double = !cell->side->soak->options.is_linux && atomic_load(&cell->ran) &&
			 !atomic_load(&counts->died) && !atomic_load(&counts->lost);

	soak_count(is_double ? &counts->doubled : &counts->misdirected);
	soak_note(cell->side, "a handler ran without a message", (int)cell->index, ontb_irq_this_cpu());
	soak_blame(cell,
		   is_double ? "a message was delivered twice" : "a handler ran for a message that is not its own");
}

/* Linux releases the old target some time after the first interrupt at the new one. */
static void see_move(struct soak_cell *cell)
{
	/* The destination of a message in compatibility format: Intel SDM volume 3, "Message Address Register Format". */
	unsigned int cpu = (unsigned int)(atomic_load(&cell->pair) >> 28 & 0xff);

	if (atomic_load(&cell->is_moving) && !atomic_load(&cell->hit_at) && cpu == ontb_irq_this_cpu())
		atomic_store(&cell->hit_at, soak_now(cell->side->soak));
}

enum ontb_irq_return soak_handle(unsigned int virq, void *dev)
{
	struct soak_cell *cell = dev;
	struct soak *soak = cell->side->soak;
	uint32_t sent, handled;

	(void)virq;
	if (cell->side->is_liar) {
		soak_count(&soak->counts.noise);
		return ONTB_IRQ_HANDLED;
	}
	if (soak->options.is_linux)
		see_move(cell);
	sent = atomic_load(&cell->sent);
	handled = sent - 1;
	if (atomic_load(&cell->handled) == handled &&
	    (atomic_load(&cell->sent_life) ^ atomic_load(&cell->life)) & SOAK_LIFE_MASK) {
		soak_count(&soak->counts.misdirected);
		soak_note(cell->side, "handled in another life", (int)cell->index, ontb_irq_this_cpu());
		soak_blame(cell, "a handler ran for a message to an earlier life of its index");
	} else if (!atomic_compare_exchange_strong(&cell->handled, &handled, sent)) {
		count_stray(cell);
	} else {
		atomic_fetch_add_explicit(&cell->nr_handled, 1, memory_order_relaxed);
		soak_note(cell->side, "handled", (int)cell->index, ontb_irq_this_cpu());
	}
	atomic_fetch_add(&cell->ran, 1);
	return ONTB_IRQ_HANDLED;
}

/* Nothing was sent. A handler that ran meanwhile has run for something else. */
static void take_back(struct soak_cell *cell, uint32_t sent)
{
	uint32_t seen = sent + 1;

	if (atomic_compare_exchange_strong(&cell->handled, &seen, sent)) {
		atomic_fetch_sub_explicit(&cell->nr_handled, 1, memory_order_relaxed);
		count_stray(cell);
	}
	atomic_store(&cell->sent, sent);
}

bool soak_send(struct soak_side *from, struct soak_cell *cell)
{
	uint32_t sent;
	int ret;

	if (soak_is_missing(cell) || !ontb_ntb_irq_is_granted(from->irqs, 0, cell->index))
		return false;
	soak_lock_cell(cell);
	sent = atomic_load(&cell->sent);
	if (atomic_load(&cell->handled) != sent) {
		soak_unlock_cell(cell);
		return false;
	}
	atomic_store(&cell->sent_life, atomic_load(&cell->life));
	atomic_store(&cell->sent, sent + 1);
	ret = ontb_ntb_irq_trigger(from->irqs, 0, cell->index);
	if (ret)
		take_back(cell, sent);
	else
		cell->nr_sent++;
	soak_note(cell->side, ret ? "not sent" : "sent", (int)cell->index, sent);
	soak_unlock_cell(cell);
	if (ret && ret != -ENOENT && ret != -ENOLINK)
		soak_failed(from->host, "raising an interrupt of its peer", ret);
	return !ret;
}

bool soak_write_off(struct soak_cell *cell, _Atomic uint64_t *counter)
{
	uint32_t sent = atomic_load(&cell->sent), handled = sent - 1;
	struct soak_counts *counts = &cell->side->soak->counts;

	if (!atomic_compare_exchange_strong(&cell->handled, &handled, sent))
		return false;
	soak_count(counter);
	soak_note(cell->side, counter == &counts->died ? "its message died with the link" : "its message is lost",
		  (int)cell->index, sent);
	if (counter == &counts->lost)
		soak_blame(cell, "a message was lost");
	return true;
}

void soak_new_life(struct soak_cell *cell)
{
	atomic_fetch_add(&cell->life, 1);
	atomic_store(&cell->ran, 0);
}

void soak_sums(struct soak *soak, uint64_t *sent, uint64_t *handled)
{
	*sent = *handled = 0;
	for (unsigned int h = 0; h < soak->nr_hosts; h++) {
		for (unsigned int s = 0; s < soak->hosts[h].nr_sides; s++) {
			struct soak_side *side = &soak->hosts[h].sides[s];

			for (unsigned int i = 0; i < side->nr_cells; i++) {
				soak_lock_cell(&side->cells[i]);
				*sent += side->cells[i].nr_sent;
				soak_unlock_cell(&side->cells[i]);
				*handled += atomic_load(&side->cells[i].nr_handled);
			}
		}
	}
}
