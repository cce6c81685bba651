// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Everything at once: threads that are CPUs raise interrupts, others disable, enable, move, share, free and release them.
 *
 * A device counts what it has to say before it raises an edge or a level; a handler notes the count that it saw. One is lost if
 * in the end, with everything enabled, some handler has not seen the last count. The chip remembers one edge while it is masked,
 * raises a level again that is still there, and checks that it is masked and unmasked in turn, that each fasteoi interrupt is
 * ended once, and that no move starts before the last one is done.
 */
#include "rig.h"

#include <pthread.h>
#include <sched.h>
#include <time.h>

#define NR_LINES   16U /* interrupts that always have a handler */
#define NR_PASSING 4U  /* interrupts that come and go */
#define NR_RAISERS 2U
#define NR_CHANGES 20000U
#define DEADLINE_S 20

/* One interrupt and its device. */
struct line {
	unsigned int virq;
	enum ontb_irq_flow flow;
	atomic_bool is_high; /* a level */
	atomic_uint nr_dispatched, nr_ended;
	atomic_uint nr_said, nr_seen, nr_running, nr_threaded;
	atomic_bool is_masked, is_latched, is_kicked, has_old, has_to_confirm;
	bool retriggers;
	atomic_bool may_run;
};

static struct line lines[NR_LINES], passing[NR_PASSING];
static struct ontb_irq_domain *domain;
static atomic_bool is_over, is_settled;
static atomic_uint nr_wrong;

static void check(bool is_right)
{
	if (!is_right)
		nr_wrong++;
}

static struct line *line_of(struct ontb_irq_data *data)
{
	return data->chip_data;
}

/* A chip. */

static void line_mask(struct ontb_irq_data *data)
{
	check(!atomic_exchange(&line_of(data)->is_masked, true));
}

static void line_unmask(struct ontb_irq_data *data)
{
	struct line *line = line_of(data);

	check(atomic_exchange(&line->is_masked, false));
	if (atomic_exchange(&line->is_latched, false) || line->is_high)
		line->is_kicked = true;
}

static void line_ack(struct ontb_irq_data *data)
{
	struct line *line = line_of(data);

	check(line->flow != ONTB_IRQ_FASTEOI);
	if (line->is_high && !line->is_masked)
		line->is_kicked = true;
}

static void line_eoi(struct ontb_irq_data *data)
{
	check(line_of(data)->flow == ONTB_IRQ_FASTEOI);
	line_of(data)->nr_ended++;
}

static bool line_retrigger(struct ontb_irq_data *data)
{
	struct line *line = line_of(data);

	if (line->retriggers)
		line->is_kicked = true;
	return line->retriggers;
}

static int line_set_affinity(struct ontb_irq_data *data, const struct ontb_cpumask *mask)
{
	check(!atomic_exchange(&line_of(data)->has_old, true));
	ontb_irq_set_effective(data, ontb_cpumask_next(mask, 0));
	return ONTB_IRQ_SET_MOVED;
}

static void line_move_done(struct ontb_irq_data *data)
{
	check(atomic_exchange(&line_of(data)->has_old, false));
}

static int line_compose(struct ontb_irq_data *data, struct ontb_msi_msg *msg)
{
	*msg = (struct ontb_msi_msg){ .data = data->virq };
	return 0;
}

static int line_write(struct ontb_irq_data *data, const struct ontb_msi_msg *msg)
{
	struct line *line = line_of(data);

	if (!msg || !line->has_old || line->virq % 2)
		return 0;
	line->has_to_confirm = true;
	return -EINPROGRESS;
}

static const struct ontb_irq_chip chip = {
	.name = "line",
	.ack = line_ack,
	.eoi = line_eoi,
	.mask = line_mask,
	.unmask = line_unmask,
	.retrigger = line_retrigger,
	.set_affinity = line_set_affinity,
	.move_done = line_move_done,
	.compose_msg = line_compose,
	.write_msg = line_write,
};

static int line_alloc(struct ontb_irq_domain *d, unsigned int virq, unsigned int nr, void *arg)
{
	struct line *line = arg;

	assert_int_equal(nr, 1);
	line->virq = virq;
	line->is_masked = true;
	line->has_old = line->is_latched = line->is_kicked = false;
	ontb_irq_domain_set_flow(d, virq, line->flow);
	return ontb_irq_domain_set_info(d, virq, (uint64_t)(uintptr_t)line, &chip, line);
}

static void line_free(struct ontb_irq_domain *d, unsigned int virq, unsigned int nr)
{
	(void)d;
	(void)virq;
	(void)nr;
}

static void line_deactivate(struct ontb_irq_domain *d, struct ontb_irq_data *data)
{
	(void)d;
	line_of(data)->has_old = false;
}

static const struct ontb_irq_domain_ops ops = { .alloc = line_alloc, .free = line_free, .deactivate = line_deactivate };

/* Devices and CPUs. */

static void dispatch(struct line *line)
{
	line->nr_dispatched++;
	(void)ontb_irq_dispatch(domain, (uint64_t)(uintptr_t)line);
}

static void say(struct line *line)
{
	line->nr_said++;
	line->is_high = line->flow == ONTB_IRQ_LEVEL;
	if (!line->is_masked) {
		dispatch(line);
		return;
	}
	if (line->flow == ONTB_IRQ_LEVEL)
		return; /* unmasking will see it */
	line->is_latched = true;
	if (!line->is_masked && atomic_exchange(&line->is_latched, false))
		dispatch(line);
}

static void *raise_lines(void *arg)
{
	const unsigned int cpu = *(const unsigned int *)arg;
	unsigned int seed = cpu + 1;

	while (!is_settled) {
		ontb_irq_cpu_enter(rig_sys, cpu);
		for (unsigned int i = 0; i < 64 && !is_over; i++) {
			seed = seed * 1664525 + 1013904223;
			say(&lines[seed >> 16 & (NR_LINES - 1)]);
			say(&passing[seed >> 24 & (NR_PASSING - 1)]);
		}
		for (unsigned int i = 0; i < NR_LINES; i++)
			if (atomic_exchange(&lines[i].is_kicked, false))
				dispatch(&lines[i]);
		ontb_irq_cpu_leave(rig_sys);
		(void)sched_yield();
	}
	return NULL;
}

/* Handlers. */

static enum ontb_irq_return see(unsigned int virq, void *dev)
{
	struct line *line = dev;

	check(virq == line->virq);
	check(!line->nr_running++); /* never twice at the same time */
	line->is_high = false;
	line->nr_seen = line->nr_said;
	line->nr_running--;
	return virq % 4 == 3 ? ONTB_IRQ_WAKE : ONTB_IRQ_HANDLED;
}

static enum ontb_irq_return see_in_thread(unsigned int virq, void *dev)
{
	struct line *line = dev;

	(void)virq;
	line->nr_threaded = line->nr_said;
	return ONTB_IRQ_HANDLED;
}

static enum ontb_irq_return see_if_allowed(unsigned int virq, void *dev)
{
	(void)virq;
	check(*(const atomic_bool *)dev);
	return ONTB_IRQ_HANDLED;
}

/* Changes. */

static void share(struct line *line)
{
	atomic_bool *may_run = malloc(sizeof(*may_run));
	struct ontb_irq_request request = { .handler = see_if_allowed, .dev = may_run, .name = "guest" };

	assert_non_null(may_run);
	*may_run = true;
	request.flags = ONTB_IRQ_SHARED | (line->virq % 4 == 3 && line->virq % 8 == 3 ? ONTB_IRQ_ONESHOT : 0U);
	request.thread = request.flags & ONTB_IRQ_ONESHOT ? see_if_allowed : NULL;
	check(!ontb_irq_request(rig_sys, line->virq, &request));
	(void)sched_yield();
	check(!ontb_irq_free(rig_sys, line->virq, may_run));
	*may_run = false;
	free(may_run);
}

static void pass(struct line *line)
{
	const struct ontb_irq_request request = { .handler = see_if_allowed, .dev = &line->may_run, .name = "passing" };
	int ret = ontb_irq_domain_alloc(domain, 1, NULL, line);

	check(ret > 0);
	if (ret <= 0)
		return;
	line->may_run = true;
	check(!ontb_irq_request(rig_sys, (unsigned int)ret, &request));
	(void)sched_yield();
	check(!ontb_irq_free(rig_sys, (unsigned int)ret, &line->may_run));
	line->may_run = false;
	check(!ontb_irq_domain_release(domain, (unsigned int)ret, 1));
}

static void *change_lines(void *arg)
{
	const unsigned int me = *(const unsigned int *)arg;
	unsigned int seed = me + 77;
	struct ontb_irq_status status;

	for (unsigned int i = 0; i < NR_CHANGES; i++) {
		struct line *line;
		struct ontb_cpumask mask;

		seed = seed * 1664525 + 1013904223;
		line = &lines[seed >> 16 & (NR_LINES - 1)];
		mask = ontb_cpumask_of(seed >> 24 & 1);
		switch (seed >> 8 & 7) {
		case 0:
		case 1:
			check(!ontb_irq_disable(rig_sys, line->virq));
			check(!ontb_irq_enable(rig_sys, line->virq));
			break;
		case 2:
			check(!ontb_irq_disable_nosync(rig_sys, line->virq));
			(void)sched_yield();
			check(!ontb_irq_enable(rig_sys, line->virq));
			break;
		case 3:
			check(!ontb_irq_set_affinity(rig_sys, line->virq, &mask));
			break;
		case 4:
			share(line);
			break;
		case 5:
			if (me < NR_PASSING)
				pass(&passing[me]);
			break;
		case 6:
			check(!ontb_irq_synchronize(rig_sys, line->virq));
			check(!ontb_irq_status(rig_sys, line->virq, &status));
			break;
		default:
			check(ontb_irq_next(rig_sys, line->virq) == line->virq);
			(void)ontb_irq_count(rig_sys, line->virq, 1);
			break;
		}
	}
	return NULL;
}

static void *confirm_moves(void *arg)
{
	(void)arg;
	while (!is_settled) {
		for (unsigned int i = 0; i < NR_LINES; i++)
			if (atomic_exchange(&lines[i].has_to_confirm, false))
				ontb_irq_move_complete(ontb_irq_data_of(domain, lines[i].virq));
		(void)sched_yield();
	}
	return NULL;
}

static bool all_seen(void)
{
	for (unsigned int i = 0; i < NR_LINES; i++) {
		const struct line *line = &lines[i];

		if (line->nr_seen != line->nr_said || (line->virq % 4 == 3 && line->nr_threaded != line->nr_said))
			return false;
	}
	return true;
}

/* Raising went on for a while without anybody changing anything: nothing hides that an interrupt is stuck. */
static bool all_said_more(const unsigned int *before)
{
	for (unsigned int i = 0; i < NR_LINES; i++)
		if (lines[i].nr_said - before[i] < 100)
			return false;
	return true;
}

static bool is_late(const struct timespec *start)
{
	struct timespec now;

	(void)sched_yield();
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec >= start->tv_sec + DEADLINE_S;
}

static void start_lines(void)
{
	const struct ontb_irq_domain_config config = { .name = "lines", .ops = &ops };

	assert_int_equal(ontb_irq_domain_new(rig_sys, &config, &domain), 0);
	for (unsigned int i = 0; i < NR_PASSING; i++)
		passing[i].flow = ONTB_IRQ_EDGE;
	for (unsigned int i = 0; i < NR_LINES; i++) {
		struct ontb_irq_request request = {
			.handler = see, .dev = &lines[i], .name = "host", .flags = ONTB_IRQ_SHARED
		};

		lines[i].flow = i % 3 == 0 ? ONTB_IRQ_EDGE : i % 3 == 1 ? ONTB_IRQ_LEVEL : ONTB_IRQ_FASTEOI;
		lines[i].retriggers = i & 1;
		assert_true(ontb_irq_domain_alloc(domain, 1, NULL, &lines[i]) > 0);
		if (lines[i].virq % 4 == 3)
			request.thread = see_in_thread;
		if (lines[i].virq % 8 == 3)
			request.flags |= ONTB_IRQ_ONESHOT;
		assert_int_equal(ontb_irq_request(rig_sys, lines[i].virq, &request), 0);
	}
}

static void stop_lines(void)
{
	for (unsigned int i = 0; i < NR_LINES; i++) {
		struct ontb_irq_status status;
		uint64_t count = 0;

		assert_int_equal(ontb_irq_status(rig_sys, lines[i].virq, &status), 0);
		for (unsigned int cpu = 0; cpu < RIG_NR_CPUS; cpu++)
			count += ontb_irq_count(rig_sys, lines[i].virq, cpu);
		assert_int_equal(count, status.count);
		if (lines[i].flow == ONTB_IRQ_FASTEOI)
			assert_int_equal(lines[i].nr_ended, lines[i].nr_dispatched);
		assert_true(status.is_enabled && count > 0);
		assert_int_equal(ontb_irq_free(rig_sys, lines[i].virq, &lines[i]), 0);
		assert_int_equal(ontb_irq_domain_release(domain, lines[i].virq, 1), 0);
	}
	assert_int_equal(ontb_irq_domain_free(domain), 0);
}

static void nothing_is_lost_whatever_happens_meanwhile(void **state)
{
	static const unsigned int numbers[] = { 0, 1, 2, 3 };
	pthread_t raisers[NR_RAISERS], changers[2], confirmer;
	unsigned int nr_said[NR_LINES];
	struct timespec start;

	(void)state;
	rig_new(RIG_THREADS);
	start_lines();
	for (unsigned int i = 0; i < NR_RAISERS; i++)
		assert_int_equal(pthread_create(&raisers[i], NULL, raise_lines, (void *)(uintptr_t)&numbers[i]), 0);
	for (unsigned int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&changers[i], NULL, change_lines, (void *)(uintptr_t)&numbers[i]), 0);
	assert_int_equal(pthread_create(&confirmer, NULL, confirm_moves, NULL), 0);
	for (unsigned int i = 0; i < 2; i++)
		assert_int_equal(pthread_join(changers[i], NULL), 0);
	for (unsigned int i = 0; i < NR_LINES; i++)
		nr_said[i] = lines[i].nr_said;
	(void)clock_gettime(CLOCK_MONOTONIC, &start);
	while (!all_said_more(nr_said) && !is_late(&start))
		;
	is_over = true;
	while (!all_seen() && !is_late(&start))
		;
	assert_true(all_seen());
	for (unsigned int i = 0; i < NR_LINES; i++)
		assert_int_equal(ontb_irq_move_wait(rig_sys, lines[i].virq, DEADLINE_S * 1000000000ULL), 0);
	is_settled = true;
	for (unsigned int i = 0; i < NR_RAISERS; i++)
		assert_int_equal(pthread_join(raisers[i], NULL), 0);
	assert_int_equal(pthread_join(confirmer, NULL), 0);
	assert_int_equal(nr_wrong, 0);
	stop_lines();
	rig_free();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_lost_whatever_happens_meanwhile),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
