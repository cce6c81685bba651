// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * What is put together of all layers fails at its first, second, third ... call: booting a host, a transport, and the command's
 * interrupts of a host. Nothing leaks, the out argument stays as it was, and the next try finds everything as the first did.
 */
#include <errno.h>
#include <string.h>

#include <openntb/ntb_transport.h>

#include "../unit/host/step_rig.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/log.h"
#include "inject.h"
#include "tool/linux_msi.h"
#include "tool/peer_irqs.h"

#define MAX_CALLS 20000U
#define BARE	  "host a cpus=2 ram=16M; host b cpus=2 ram=16M; bridge switchtec a b"
#define REMAPPED  "host a cpus=2 ram=16M remap=on; host b cpus=2 ram=16M remap=on; bridge switchtec a b"

static int error_of(const char *call)
{
	return strcmp(call, "pthread_create") ? -ENOMEM : -EAGAIN;
}

static void no_entry(void *arg, unsigned int cpu, unsigned int vector)
{
	(void)arg;
	(void)cpu;
	fail_msg("vector %u", vector);
}

/* Nothing of an earlier boot is left: all CPUs of the machine can be started. */
static void assert_stopped(struct ontb_machine *machine)
{
	machine->ops->set_entry(machine, no_entry, NULL);
	for (unsigned int cpu = 0; cpu < machine->nr_cpus; cpu++) {
		assert_int_equal(machine->ops->cpu_start(machine, cpu), 0);
		machine->ops->cpu_stop(machine, cpu);
	}
}

/* Return: How many calls booting makes. @nr_left_out: how often a bridge was left out. */
static unsigned int fail_to_boot(const struct ontb_host_config *config, struct ontb_host **host,
				 unsigned int *nr_left_out)
{
	struct ontb_host *const untouched = (struct ontb_host *)0x1;
	unsigned int nr_files = inject_nr_open_files(), nth;

	*nr_left_out = 0;
	for (nth = 0; nth < MAX_CALLS; nth++) {
		bool has_failed;
		int ret;

		*host = untouched;
		inject_arm(nth);
		ret = ontb_host_boot(config, host);
		has_failed = inject_disarm();
		if (!has_failed) {
			assert_int_equal(ret, 0);
			return nth;
		}
		if (ret) {
			assert_int_equal(ret, error_of(inject_failed_call()));
			assert_ptr_equal(*host, untouched);
		} else {
			/* A bridge whose driver cannot start is left out. */
			assert_int_equal(ontb_host_nr_ntbs(*host), 0);
			ontb_host_shutdown(*host);
			(*nr_left_out)++;
		}
		assert_int_equal(inject_nr_open_files(), nr_files);
		assert_stopped(config->machine);
	}
	fail_msg("booting fails for ever");
	return 0;
}

static bool is_linked(const struct step_rig *rig)
{
	return ontb_ntb_link_is_up(ontb_host_ntb(rig->hosts[0], 0), 0) &&
	       ontb_ntb_link_is_up(ontb_host_ntb(rig->hosts[1], 0), 0);
}

static void check_boot(const char *topology)
{
	struct ontb_host_config config;
	struct step_rig rig;
	unsigned int nr_left_out;

	step_open(&rig, topology, 1);
	step_boot(&rig, 1);
	config = step_config(&rig, 0);
	/* Memory, workers, interrupts, root, bus; then the driver. */
	assert_in_range(fail_to_boot(&config, &rig.hosts[0], &nr_left_out), 30, MAX_CALLS - 1);
	assert_in_range(nr_left_out, 9, 1000);
	/* And it works, bridge and all. */
	for (unsigned int h = 0; h < 2; h++)
		assert_int_equal(ontb_ntb_link_enable(ontb_host_ntb(rig.hosts[h], 0)), 0);
	step_until_idle(&rig);
	assert_true(is_linked(&rig));
	step_close(&rig);
}

static void boot_on_bare_vectors_undoes_what_it_did(void **state)
{
	(void)state;
	check_boot(BARE);
}

static void boot_with_remapping_undoes_what_it_did(void **state)
{
	(void)state;
	check_boot(REMAPPED);
}

static void boot_with_threads_undoes_what_it_did(void **state)
{
	static const char *const topologies[] = { BARE, REMAPPED };

	(void)state;
	for (unsigned int i = 0; i < ONTB_ARRAY_SIZE(topologies); i++) {
		const struct ontb_fabric_config fabric_config = { .topology = topologies[i] };
		struct ontb_host_config config = { .max_irqs = 1000, .use_remapping = true };
		struct ontb_fabric *fabric;
		struct ontb_host *host;
		unsigned int nr_left_out;

		assert_int_equal(ontb_fabric_new(&fabric_config, NULL, 0, &fabric), 0);
		config.machine = ontb_fabric_machine(fabric, 0);
		assert_in_range(fail_to_boot(&config, &host, &nr_left_out), 30, MAX_CALLS - 1);
		assert_in_range(nr_left_out, 9, 1000);
		assert_int_equal(ontb_host_nr_ntbs(host), 1);
		ontb_host_shutdown(host);
		ontb_fabric_free(fabric);
	}
}

static void boot_refuses_what_makes_no_sense(void **state)
{
	struct ontb_host *const untouched = (struct ontb_host *)0x1;
	struct ontb_host *host = untouched;
	struct ontb_host_config config;
	struct ontb_machine machine;
	struct step_rig rig;

	(void)state;
	step_open(&rig, "host a ram=1M", 1);
	config = step_config(&rig, 0);
	config.max_irqs = 0;
	assert_int_equal(ontb_host_boot(&config, &host), -EINVAL);
	config = step_config(&rig, 0);
	config.machine = NULL;
	assert_int_equal(ontb_host_boot(&config, &host), -EINVAL);
	/* All of its memory is the part that stays free. */
	machine = *ontb_fabric_machine(rig.fabric, 0);
	machine.ram_base = 0;
	config = step_config(&rig, 0);
	config.machine = &machine;
	assert_int_equal(ontb_host_boot(&config, &host), -EINVAL);
	assert_ptr_equal(host, untouched);
	step_close(&rig);
}

/* Two hosts with NTB interrupts, each of which may be granted to the other. */
static void open_pair(struct step_rig *rig, struct ontb_ntb_irqs *irqs[2])
{
	step_open(rig, BARE, 1);
	for (unsigned int h = 0; h < 2; h++) {
		struct ontb_ntb_irqs_config config;

		step_boot(rig, h);
		ontb_ntb_irqs_config_init(&config);
		config.nr_irqs = 8;
		config.trust_peers = true;
		/* Undoing a transport waits for its peer, which nobody steps meanwhile. */
		config.ack_timeout_ns = 0;
		assert_int_equal(ontb_ntb_irqs_new(ontb_host_ntb(rig->hosts[h], 0), &config, &irqs[h]), 0);
	}
	step_until_idle(rig);
	assert_true(is_linked(rig));
}

static void close_pair(struct step_rig *rig, struct ontb_ntb_irqs *irqs[2])
{
	step_until_idle(rig);
	for (unsigned int h = 0; h < 2; h++)
		ontb_ntb_irqs_free(irqs[h]);
	step_close(rig);
}

static void check_transport(bool has_irqs)
{
	struct ontb_ntb_transport *const untouched = (struct ontb_ntb_transport *)0x1;
	struct ontb_ntb_transport_config config = { .nr_qps = 3, .ring_size = 4096 };
	struct ontb_ntb_transport *transports[2] = { untouched };
	struct ontb_ntb_irqs *irqs[2];
	struct step_rig rig;
	unsigned int nth;
	uint8_t byte = 0;

	open_pair(&rig, irqs);
	for (nth = 0; nth < MAX_CALLS; nth++) {
		struct ontb_ntb_irqs_status status;
		int ret;

		config.ntb = ontb_host_ntb(rig.hosts[0], 0);
		config.irqs = has_irqs ? irqs[0] : NULL;
		inject_arm(nth);
		ret = ontb_ntb_transport_new(&config, &transports[0]);
		if (!inject_disarm()) {
			assert_int_equal(ret, 0);
			break;
		}
		assert_int_equal(ret, -ENOMEM);
		assert_ptr_equal(transports[0], untouched);
		step_until_idle(&rig);
		ontb_ntb_irqs_status(irqs[0], &status);
		assert_int_equal(status.nr_allocated + status.nr_quarantined, 0);
	}
	/* Itself, its queue pairs, and if there are interrupts, each of the three. */
	assert_in_range(nth, has_irqs ? 5 : 2, MAX_CALLS - 1);
	config.ntb = ontb_host_ntb(rig.hosts[1], 0);
	config.irqs = has_irqs ? irqs[1] : NULL;
	assert_int_equal(ontb_ntb_transport_new(&config, &transports[1]), 0);
	step_until_idle(&rig);
	for (unsigned int h = 0; h < 2; h++)
		assert_int_equal(ontb_ntb_transport_connect(transports[h]), 0);
	assert_int_equal(ontb_ntb_qp_send(transports[0], 2, "x", 1), 0);
	step_until_idle(&rig);
	assert_int_equal(ontb_ntb_qp_recv(transports[1], 2, &byte, 1), 1);
	assert_int_equal(byte, 'x');
	for (unsigned int h = 0; h < 2; h++)
		ontb_ntb_transport_free(transports[h]);
	close_pair(&rig, irqs);
}

static void transport_with_interrupts_undoes_what_it_did(void **state)
{
	(void)state;
	check_transport(true);
}

static void polled_transport_undoes_what_it_did(void **state)
{
	(void)state;
	check_transport(false);
}

static void check_peer_irqs(enum peer_kind kind)
{
	struct peer_irqs *const untouched = (struct peer_irqs *)0x1;
	struct peer_irqs *irqs[2] = { untouched };
	struct step_rig rig;
	unsigned int nth;

	step_open(&rig, BARE, 1);
	for (unsigned int h = 0; h < 2; h++)
		step_boot(&rig, h);
	assert_int_equal(peer_irqs_new(rig.hosts[1], kind, 4, -1, &irqs[1]), 0);
	for (nth = 0; nth < MAX_CALLS; nth++) {
		int ret;

		inject_arm(nth);
		ret = peer_irqs_new(rig.hosts[0], kind, 4, -1, &irqs[0]);
		if (!inject_disarm()) {
			assert_int_equal(ret, 0);
			break;
		}
		assert_int_equal(ret, -ENOMEM);
		assert_ptr_equal(irqs[0], untouched);
		step_until_idle(&rig);
	}
	assert_in_range(nth, 5, MAX_CALLS - 1);
	step_until_idle(&rig);
	for (unsigned int h = 0; h < 2; h++) {
		assert_true(peer_irqs_is_up(irqs[h]));
		assert_int_equal(peer_irqs_nr_held(irqs[h]), 4);
		assert_int_equal(peer_irqs_trigger(irqs[h], 3), 0);
	}
	step_until_idle(&rig);
	for (unsigned int h = 0; h < 2; h++)
		peer_irqs_free(irqs[h]);
	step_close(&rig);
}

static void interrupts_of_the_command_undo_what_they_did(void **state)
{
	(void)state;
	check_peer_irqs(PEER_OPENNTB);
}

static void interrupts_in_the_way_of_linux_undo_what_they_did(void **state)
{
	(void)state;
	check_peer_irqs(PEER_LINUX);
}

static void linux_interrupts_refuse_what_makes_no_sense(void **state)
{
	struct linux_msi *const untouched = (struct linux_msi *)0x1;
	struct linux_msi *msi = untouched;
	struct step_rig rig;

	(void)state;
	step_open(&rig, "host a; bridge switchtec a -; host c", 1);
	step_boot(&rig, 0);
	step_boot(&rig, 1);
	assert_int_equal(linux_msi_new(rig.hosts[1], 1, -1, &msi), -ENOLINK);
	assert_int_equal(linux_msi_new(rig.hosts[0], 0, -1, &msi), -EINVAL);
	assert_int_equal(linux_msi_new(rig.hosts[0], 64, -1, &msi), -EINVAL);
	assert_int_equal(linux_msi_new(rig.hosts[0], 1, 10000, &msi), -ERANGE);
	assert_ptr_equal(msi, untouched);
	/* 128 scratchpads: the count, and 63 pairs. */
	assert_int_equal(linux_msi_new(rig.hosts[0], 63, -1, &msi), 0);
	linux_msi_free(msi);
	step_close(&rig);
}

static void drop_line(void *arg, enum ontb_log_level level, const char *line)
{
	(void)arg;
	(void)level;
	(void)line;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(boot_on_bare_vectors_undoes_what_it_did),
		cmocka_unit_test(boot_with_remapping_undoes_what_it_did),
		cmocka_unit_test(boot_with_threads_undoes_what_it_did),
		cmocka_unit_test(boot_refuses_what_makes_no_sense),
		cmocka_unit_test(transport_with_interrupts_undoes_what_it_did),
		cmocka_unit_test(polled_transport_undoes_what_it_did),
		cmocka_unit_test(interrupts_of_the_command_undo_what_they_did),
		cmocka_unit_test(interrupts_in_the_way_of_linux_undo_what_they_did),
		cmocka_unit_test(linux_interrupts_refuse_what_makes_no_sense),
	};

	ontb_log_set_sink(drop_line, NULL);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
