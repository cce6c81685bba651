// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Interrupts of "openntb host" and peers that are not as one would like them: faster than the thread that makes the interrupts (at each
 * of its calls everything else runs until there is nothing to do), or a cause of log lines.
 */
#include <stdatomic.h>
#include <string.h>

#include "base/log.h"
#include "step_rig.h"
#include "tool/peer_irqs.h"

#define BARE	"host a cpus=2 ram=16M; host b cpus=2 ram=16M; bridge switchtec a b"
#define NR_IRQS 4U

#define NR_ROUNDS 500U
#define MAX_LINES 250U

/* The linker sends the command's calls here. */
int __real_ontb_ntb_irqs_new(struct ontb_ntb *ntb, const struct ontb_ntb_irqs_config *config,
			     struct ontb_ntb_irqs **out);
int __real_ontb_irq_request(struct ontb_irq_system *sys, unsigned int virq, const struct ontb_irq_request *request);
int __wrap_ontb_ntb_irqs_new(struct ontb_ntb *ntb, const struct ontb_ntb_irqs_config *config,
			     struct ontb_ntb_irqs **out);
int __wrap_ontb_irq_request(struct ontb_irq_system *sys, unsigned int virq, const struct ontb_irq_request *request);

static struct step_rig rig;
static struct peer_irqs *first;
static bool is_slow;
static unsigned int nr_requests;
static atomic_uint nr_warnings;
static atomic_uint nr_lines;

int __wrap_ontb_ntb_irqs_new(struct ontb_ntb *ntb, const struct ontb_ntb_irqs_config *config,
			     struct ontb_ntb_irqs **out)
{
	struct ontb_ntb_irqs *irqs;
	int ret = __real_ontb_ntb_irqs_new(ntb, config, &irqs);

	if (is_slow)
		step_until_idle(&rig);
	if (!ret)
		*out = irqs;
	return ret;
}

/* What has no handler yet must not be granted. */
int __wrap_ontb_irq_request(struct ontb_irq_system *sys, unsigned int virq, const struct ontb_irq_request *request)
{
	if (is_slow && request->name && !strcmp(request->name, "openntb-host")) {
		step_until_idle(&rig);
		assert_int_equal(peer_irqs_nr_held(first), nr_requests++);
	}
	return __real_ontb_irq_request(sys, virq, request);
}

static void count_line(void *arg, enum ontb_log_level level, const char *line)
{
	(void)arg;
	(void)line;
	atomic_fetch_add(&nr_lines, 1);
	if (level <= ONTB_LOG_WARNING)
		atomic_fetch_add(&nr_warnings, 1);
}

static void peer_may_be_there_before_the_interrupts_are(void **state)
{
	struct peer_irqs *second;

	(void)state;
	is_slow = false;
	nr_requests = 0;
	nr_warnings = 0;
	step_open(&rig, BARE, 1);
	for (unsigned int h = 0; h < 2; h++)
		step_boot(&rig, h);
	assert_int_equal(peer_irqs_new(rig.hosts[0], PEER_OPENNTB, NR_IRQS, -1, &first), 0);
	step_until_idle(&rig);
	is_slow = true;
	assert_int_equal(peer_irqs_new(rig.hosts[1], PEER_OPENNTB, NR_IRQS, -1, &second), 0);
	is_slow = false;
	assert_int_equal(nr_requests, NR_IRQS);
	step_until_idle(&rig);
	assert_int_equal(peer_irqs_nr_held(first), NR_IRQS);
	assert_int_equal(peer_irqs_nr_held(second), NR_IRQS);
	assert_int_equal(nr_warnings, 0);
	peer_irqs_free(second);
	peer_irqs_free(first);
	step_close(&rig);
}

/* A host whose peer is @second, or a bare bridge whose link is enabled. */
static void begin(enum peer_kind kind, struct peer_irqs **second)
{
	is_slow = false;
	step_open(&rig, BARE, 1);
	for (unsigned int h = 0; h < 2; h++)
		step_boot(&rig, h);
	assert_int_equal(peer_irqs_new(rig.hosts[0], kind, NR_IRQS, -1, &first), 0);
	if (second)
		assert_int_equal(peer_irqs_new(rig.hosts[1], kind, NR_IRQS, -1, second), 0);
	else
		assert_int_equal(ontb_ntb_link_enable(ontb_host_ntb(rig.hosts[1], 0)), 0);
	step_until_idle(&rig);
	assert_true(peer_irqs_is_up(first));
	nr_lines = 0;
}

static void end(struct peer_irqs *second)
{
	/* The first line is there, and ten a second. */
	assert_in_range(nr_lines, 1, MAX_LINES);
	peer_irqs_free(second);
	peer_irqs_free(first);
	step_close(&rig);
}

static void a_link_that_goes_up_and_down_fills_no_log(void **state)
{
	struct peer_irqs *second;
	struct ontb_ntb *ntb;

	(void)state;
	begin(PEER_OPENNTB, &second);
	ntb = ontb_host_ntb(rig.hosts[1], 0);
	for (unsigned int i = 0; i < NR_ROUNDS; i++) {
		ontb_ntb_link_disable(ntb);
		step_until_idle(&rig);
		assert_int_equal(peer_irqs_nr_held(first), 0);
		assert_int_equal(ontb_ntb_link_enable(ntb), 0);
		step_until_idle(&rig);
	}
	end(second);
}

static void a_peer_that_tells_nonsense_fills_no_log(void **state)
{
	struct ontb_ntb *ntb;

	(void)state;
	begin(PEER_LINUX, NULL);
	ntb = ontb_host_ntb(rig.hosts[1], 0);
	assert_int_equal(ontb_ntb_spad_write(ntb, 0, 1000), 0);
	for (unsigned int i = 0; i < NR_ROUNDS; i++) {
		assert_int_equal(ontb_ntb_peer_db_set(ntb, 0, 1), 0);
		step_until_idle(&rig);
	}
	assert_int_equal(peer_irqs_nr_held(first), 0);
	end(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(peer_may_be_there_before_the_interrupts_are),
		cmocka_unit_test(a_link_that_goes_up_and_down_fills_no_log),
		cmocka_unit_test(a_peer_that_tells_nonsense_fills_no_log),
	};

	ontb_log_set_sink(count_line, NULL);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
