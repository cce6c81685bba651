// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Who may raise what: defects 11 and 12.
 */
#include <errno.h>

#include "../unit/host/step_rig.h"
#include "base/bytes.h"
#include "defects.h"
#include "fabric/machine.h"
#include "ntb/irq/irqs.h"

static enum ontb_irq_return count(unsigned int virq, void *dev)
{
	(void)virq;
	(*(unsigned int *)dev)++;
	return ONTB_IRQ_HANDLED;
}

/**
 * struct remapped - two whole hosts with remapping; the second one has granted an interrupt to the first one
 * @rig:  Hosts.
 * @irqs: By host.
 * @virq: The interrupt.
 * @nr:   How often it was handled.
 */
struct remapped {
	struct step_rig rig;
	struct ontb_ntb_irqs *irqs[2];
	unsigned int virq;
	unsigned int nr;
};

static struct ontb_ntb_irqs *make_irqs(struct ontb_host *host)
{
	struct ontb_ntb_irqs_config config;
	struct ontb_ntb_irqs *irqs;

	ontb_ntb_irqs_config_init(&config);
	config.nr_irqs = 1;
	assert_int_equal(ontb_ntb_irqs_new(ontb_host_ntb(host, 0), &config, &irqs), 0);
	return irqs;
}

static void open_remapped(struct remapped *r)
{
	const char *topology = "host a cpus=2 ram=16M remap=on; host b cpus=2 ram=16M remap=on; "
			       "bridge switchtec a b vectors=4";
	const struct ontb_irq_request request = { .handler = count, .dev = &r->nr, .name = "peer" };
	struct ontb_msi_map map;

	r->nr = 0;
	step_open(&r->rig, topology, 1);
	for (unsigned int i = 0; i < 2; i++)
		step_boot(&r->rig, i);
	for (unsigned int i = 0; i < 2; i++)
		r->irqs[i] = make_irqs(r->rig.hosts[i]);
	step_until_idle(&r->rig);
	assert_int_equal(ontb_ntb_irq_alloc(r->irqs[1], 0, NULL, &map), 0);
	r->virq = map.virq;
	assert_int_equal(ontb_irq_request(ontb_host_irqs(r->rig.hosts[1]), r->virq, &request), 0);
	assert_int_equal(ontb_ntb_irq_grant(r->irqs[1], 0, 0), 0);
	step_until_idle(&r->rig);
	assert_int_equal(ontb_ntb_irq_trigger(r->irqs[0], 0, 0), 0);
	step_until_idle(&r->rig);
	assert_int_equal(r->nr, 1);
}

static void close_remapped(struct remapped *r)
{
	assert_int_equal(ontb_irq_free(ontb_host_irqs(r->rig.hosts[1]), r->virq, &r->nr), 0);
	for (unsigned int i = 0; i < 2; i++)
		ontb_ntb_irqs_free(r->irqs[i]);
	step_close(&r->rig);
}

/* What was granted arrives at the second host's root complex under a requester id. */
static void send_as(struct remapped *r, uint16_t rid)
{
	const struct ontb_held_msg *msg = r->irqs[0]->sessions[0].held->held[0].current;
	struct ontb_machine *machine = ontb_host_machine(r->rig.hosts[1]);
	struct ontb_ntb_irqs_status status;
	uint8_t data[4];

	ontb_ntb_irqs_status(r->irqs[1], &status);
	ontb_put_le32(data, msg->data);
	(void)ontb_root_write(&ontb_container_of(machine, struct ontb_fmachine, machine)->root, rid,
			      status.window_first + msg->offset, data, sizeof(data));
	step_until_idle(&r->rig);
}

/*
 * A real bridge lets a peer's stores come out under proxy ids: of the peer's root complex, then of its function. The fabric's
 * bridges say which, and remapping looks at it.
 */
void defect_11_proxy_requester_ids_are_unknown(void **state)
{
	const uint16_t proxies[] = { ONTB_RID(0, 0, 0), ONTB_RID(0, 0, 1) };
	struct remapped r;

	(void)state;
	open_remapped(&r);
	for (unsigned int i = 0; i < ONTB_ARRAY_SIZE(proxies); i++) {
		send_as(&r, proxies[i]);
		expect(r.nr == 2 + i, "remapping blocked a message that was granted");
	}
	close_remapped(&r);
}

/* Nothing isolates, nothing filters, nobody vouches. */
static void check_refusal(void)
{
	struct grant_rig *rig = grant_rig_new_bare(2, DEFECTS_BRIDGE, 1);

	rig->ends[0].config.trust_peers = false;
	expect(grant_rig_start(rig, 0) == -EPERM, "all vectors were opened to a peer that nobody vouched for");
	grant_rig_free(rig);
}

static unsigned int raised_without_grant(const struct grant_rig *rig)
{
	return rig->ends[0].irq[1].nr_handled + grant_rig_nr_stray(rig);
}

/* Two interrupts, one of them granted; the peer stores what it likes. */
static void check_filter(void)
{
	struct grant_rig *rig = grant_rig_new_bare(2, DEFECTS_BRIDGE | MOCK_GUARD, 2);

	for (unsigned int host = 0; host < 2; host++) {
		rig->ends[host].config.trust_peers = false;
		assert_int_equal(grant_rig_start(rig, host), 0);
	}
	mock_run(rig->net);
	for (unsigned int i = 0; i < 2; i++)
		(void)defects_irq(rig, 0, i, 1);
	defects_grant(rig, 0, 0, 1);
	mock_run(rig->net);
	for (unsigned int cpu = 0; cpu < MOCK_NR_CPUS; cpu++) {
		for (unsigned int vector = 0; vector < 8; vector++)
			mock_store(rig->net, 1, 0, cpu * 0x1000ULL, vector);
	}
	expect(!raised_without_grant(rig), "a peer raised a vector that it was not granted");
	expect(rig->ends[0].irq[0].nr_handled == 1, "the one that was granted was raised another number of times");
	grant_rig_free(rig);
}

/* Remapping lets an interrupt be raised only by who has it: here a function on another bus has learnt the message. */
static void check_isolation(void)
{
	struct remapped r;

	open_remapped(&r);
	send_as(&r, ONTB_RID(1, 0, 0));
	expect(r.nr == 1, "a stranger raised an interrupt through the remapping unit");
	close_remapped(&r);
}

void defect_12_any_vector_can_be_raised(void **state)
{
	(void)state;
	check_refusal();
	check_filter();
	check_isolation();
}
