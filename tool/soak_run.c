// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Runs of a soak: for a time with threads, an owner and a sender for each host; or so many operations one after the other.
 */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

#include <openntb/error.h>

#include "base/clock.h"
#include "base/random.h"
#include "tool/soak.h"
#include "tool/verbs.h"

#define PASS_NS	       (1 * ONTB_NS_PER_MS)
#define OPS_PER_PASS   6U
#define LATE_NS	       (100 * ONTB_NS_PER_MS)
#define BREAK_NS       (500 * ONTB_NS_PER_MS)
#define END_NS	       (10 * ONTB_NS_PER_S)
#define MAX_IDLE_STEPS 2000000U

static void churn_one(struct soak_host *host)
{
	if (host->soak->options.is_linux)
		soak_linux_churn(host);
	else
		soak_churn(host);
}

static void follow_one(struct soak_host *host)
{
	if (host->soak->options.is_linux)
		soak_linux_follow(host);
	else
		soak_follow(host);
}

static unsigned int nr_targets(const struct soak_side *from)
{
	if (from->is_liar)
		return 0;
	return from->soak->options.is_linux ? 2 * from->peer->nr_cells : from->peer->nr_cells;
}

static bool send_one(struct soak_side *from, unsigned int target)
{
	if (from->soak->options.is_linux)
		return soak_linux_send(from, target);
	return soak_send(from, &from->peer->cells[target]);
}

/* Threads */

/* All hosts together break something some two times a second, however many they are, and however slow. */
static void disturb(struct soak_host *host, uint64_t *late_at, uint64_t *break_at)
{
	uint64_t now = ontb_clock_ns();

	if (now >= *late_at) {
		soak_make_late(host);
		*late_at = now + ontb_random_below(&host->random, 2 * LATE_NS);
	}
	if (now >= *break_at) {
		soak_break(host);
		*break_at =
			ontb_clock_ns() + ontb_random_below(&host->random, 2 * BREAK_NS * host->soak->options.nr_hosts);
	}
}

static void *own(void *arg)
{
	struct soak_host *host = arg;
	struct soak *soak = host->soak;
	uint64_t late_at = 0, break_at = ontb_clock_ns() + BREAK_NS;

	while (!atomic_load(&soak->is_over)) {
		follow_one(host);
		for (unsigned int n = 0; n < OPS_PER_PASS; n++)
			churn_one(host);
		if (!soak->options.is_linux)
			disturb(host, &late_at, &break_at);
		soak_pause(soak, PASS_NS);
	}
	return NULL;
}

static void *lie(void *arg)
{
	struct soak_host *host = arg;

	while (!atomic_load(&host->soak->is_over)) {
		soak_lie(host);
		soak_pause(host->soak, PASS_NS);
	}
	return NULL;
}

static void *send_all(void *arg)
{
	struct soak_host *host = arg;
	struct soak *soak = host->soak;

	while (!atomic_load(&soak->is_silent)) {
		while (atomic_load(&host->wants_gate) && !atomic_load(&soak->is_silent))
			soak_pause(soak, PASS_NS / 4);
		ontb_lock(&host->gate);
		for (unsigned int s = 0; s < host->nr_sides && host->host; s++) {
			for (unsigned int i = 0; i < nr_targets(&host->sides[s]); i++)
				(void)send_one(&host->sides[s], i);
		}
		ontb_unlock(&host->gate);
		/* Owners shall have time for changes. */
		soak_pause(soak, PASS_NS / 10);
	}
	return NULL;
}

static void print_progress(struct soak *soak, uint64_t seconds)
{
	struct soak_counts *counts = &soak->counts;
	uint64_t sent, handled;

	if (soak->options.is_quiet)
		return;
	soak_sums(soak, &sent, &handled);
	fprintf(stderr, "\r%5llu s  %llu sent, %llu handled, %llu died, %llu lost, %llu misdirected, %llu double ",
		(unsigned long long)seconds, (unsigned long long)sent, (unsigned long long)handled,
		(unsigned long long)atomic_load(&counts->died), (unsigned long long)atomic_load(&counts->lost),
		(unsigned long long)atomic_load(&counts->misdirected),
		(unsigned long long)atomic_load(&counts->doubled));
	(void)fflush(stderr);
}

static void wait_seconds(struct soak *soak)
{
	uint64_t start = ontb_clock_ns(), end = start + soak->options.nr_seconds * ONTB_NS_PER_S, last = start;

	while (ontb_clock_ns() < end && !atomic_load(&soak->is_over)) {
		soak_pause(soak, 50 * ONTB_NS_PER_MS);
		if (soak->options.is_linux)
			soak_linux_expire(soak, false);
		if (ontb_clock_ns() < last + ONTB_NS_PER_S)
			continue;
		last += ONTB_NS_PER_S;
		print_progress(soak, (last - start) / ONTB_NS_PER_S);
	}
	if (!soak->options.is_quiet)
		fputc('\n', stderr);
	soak->ns = ontb_clock_ns() - start;
}

static bool is_anything_missing(const struct soak *soak)
{
	for (unsigned int h = 0; h < soak->nr_hosts; h++) {
		for (unsigned int s = 0; s < soak->hosts[h].nr_sides; s++) {
			const struct soak_side *side = &soak->hosts[h].sides[s];

			for (unsigned int i = 0; i < side->nr_cells; i++) {
				if (soak_is_missing(&side->cells[i]))
					return true;
			}
		}
	}
	return false;
}

/* Nobody sends any more: what is under way arrives, or its link has died, or it is lost. */
static void write_off_rest(struct soak *soak)
{
	for (unsigned int h = 0; h < soak->nr_hosts; h++) {
		for (unsigned int s = 0; s < soak->hosts[h].nr_sides; s++) {
			struct soak_side *side = &soak->hosts[h].sides[s];

			for (unsigned int i = 0; i < side->nr_cells; i++) {
				struct soak_cell *cell = &side->cells[i];
				bool has_died = cell->breaks != atomic_load(&side->breaks) ||
						cell->downs != atomic_load(&side->downs);

				soak_lock_cell(cell);
				if (soak_is_missing(cell))
					(void)soak_write_off(cell, has_died && !soak->options.is_linux
									   ? &soak->counts.died
									   : &soak->counts.lost);
				soak_unlock_cell(cell);
			}
		}
	}
}

/* Handlers that are kept from running are let run; nothing else changes. */
static void enable_rest(struct soak *soak)
{
	for (unsigned int h = 0; h < soak->nr_hosts; h++) {
		struct soak_host *host = &soak->hosts[h];

		for (unsigned int s = 0; s < host->nr_sides && host->host; s++) {
			for (unsigned int i = 0; i < host->sides[s].nr_cells; i++)
				soak_enable(&host->sides[s].cells[i]);
		}
	}
}

static void end_threads(struct soak *soak, unsigned int nr_owners, unsigned int nr_senders)
{
	uint64_t end;

	atomic_store(&soak->is_silent, true);
	for (unsigned int h = 0; h < nr_senders; h++)
		(void)pthread_join(soak->hosts[h].sender, NULL);
	atomic_store(&soak->is_over, true);
	for (unsigned int h = 0; h < nr_owners; h++)
		(void)pthread_join(soak->hosts[h].owner, NULL);
	enable_rest(soak);
	end = ontb_clock_ns() + (soak->options.is_linux ? ONTB_NS_PER_S : END_NS);
	while (is_anything_missing(soak) && ontb_clock_ns() < end) {
		if (!soak->options.is_linux) {
			for (unsigned int h = 0; h < soak->nr_hosts; h++)
				soak_follow(&soak->hosts[h]);
		}
		soak_pause(soak, PASS_NS);
	}
	write_off_rest(soak);
}

static int run_threads(struct soak *soak)
{
	unsigned int nr_owners = 0, nr_senders = 0;
	int ret = 0;

	for (; nr_owners < soak->nr_hosts && !ret; nr_owners += !ret)
		ret = -pthread_create(&soak->hosts[nr_owners].owner, NULL,
				      nr_owners < soak->options.nr_hosts ? own : lie, &soak->hosts[nr_owners]);
	for (; nr_senders < soak->options.nr_hosts && !ret; nr_senders += !ret)
		ret = -pthread_create(&soak->hosts[nr_senders].sender, NULL, send_all, &soak->hosts[nr_senders]);
	if (!ret)
		wait_seconds(soak);
	else
		ontb_tool_error("soak: cannot start a thread: %s", ontb_strerror(ret));
	end_threads(soak, nr_owners, nr_senders);
	return ret;
}

/* Steps */

static void operate(struct soak *soak)
{
	struct soak_host *host = &soak->hosts[ontb_random_below(&soak->random, soak->options.nr_hosts)];
	uint64_t n = ontb_random_below(&soak->random, 1000);

	if (n < 600) {
		struct soak_side *side = &host->sides[ontb_random_below(&host->send_random, 2)];

		(void)send_one(side, (unsigned int)ontb_random_below(&host->send_random, nr_targets(side)));
	} else if (n < 950) {
		churn_one(host);
	} else if (soak->options.is_linux) {
		soak_linux_expire(soak, false);
	} else if (n < 960) {
		soak_make_late(host);
	} else if (n < 998) {
		soak_lie(&soak->hosts[soak->options.nr_hosts]);
	} else {
		soak_break(host);
	}
	follow_one(host);
}

static void settle(struct soak *soak)
{
	for (unsigned int n = 0; n < MAX_IDLE_STEPS && is_anything_missing(soak); n++) {
		bool is_idle = !soak_step(soak);

		soak->step++;
		for (unsigned int h = 0;
		     h < soak->options.nr_hosts && !soak->options.is_linux && (is_idle || n % 16 == 0); h++)
			soak_follow(&soak->hosts[h]);
		/* Time is all that is waited for. */
		if (is_idle)
			soak->step += SOAK_STEPS_MS;
	}
}

/* With Linux's scheme there are fewer steps than things to do, because time passes quickly when there are none, and nobody is late. */
static int run_steps(struct soak *soak)
{
	uint64_t start = ontb_clock_ns();

	for (unsigned int n = 0; n < soak->options.nr_steps && !atomic_load(&soak->is_over); n++) {
		soak->step++;
		operate(soak);
		for (uint64_t i = ontb_random_below(&soak->random, soak->options.is_linux ? 2 : 12); i; i--)
			(void)soak_step(soak);
		if (!soak->options.is_linux && soak_has_failed(soak))
			break;
	}
	enable_rest(soak);
	if (soak->options.is_linux) {
		for (unsigned int n = 0; n < MAX_IDLE_STEPS && soak_step(soak); n++)
			soak->step++;
	} else {
		settle(soak);
	}
	write_off_rest(soak);
	soak->ns = ontb_clock_ns() - start;
	return 0;
}

/* Both */

static bool are_all_linked(const struct soak *soak)
{
	for (unsigned int h = 0; h < soak->nr_hosts; h++) {
		for (unsigned int s = 0; s < soak->hosts[h].nr_sides; s++) {
			if (!atomic_load(&soak->hosts[h].sides[s].is_linked))
				return false;
		}
	}
	return true;
}

static int wait_links(struct soak *soak)
{
	uint64_t end = ontb_clock_ns() + 3 * END_NS;

	while (!are_all_linked(soak)) {
		if (ontb_clock_ns() > end || (soak->options.is_stepped && !soak_step(soak))) {
			ontb_tool_error("soak: the links do not come up");
			return -ETIMEDOUT;
		}
		if (!soak->options.is_stepped)
			soak_pause(soak, PASS_NS);
	}
	return 0;
}

int soak_run(struct soak *soak)
{
	int ret = wait_links(soak);

	if (ret)
		return ret;
	for (unsigned int h = 0; h < soak->nr_hosts && soak->options.is_linux; h++) {
		soak_linux_follow(&soak->hosts[h]);
		soak_linux_fill(&soak->hosts[h]);
	}
	return soak->options.is_stepped ? run_steps(soak) : run_threads(soak);
}
